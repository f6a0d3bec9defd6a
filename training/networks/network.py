"""
The PyTorch module that trains a network, and its weights with the batch norm folded in.

Batch norm helps training alone: `folded_weights` works it into the convolutions.
"""

from collections.abc import Iterator

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from training.networks.structure import (
    CLASS_COUNT,
    Conv,
    NamedWeights,
    Pool,
    ShapedLayer,
    Structure,
    feature_count,
    layers,
)


class _ConvBlock(nn.Module):
    """
    Convolution, batch norm, activation and the pooling that follows, if one does.

    A rectified block pools before it normalises: with a positive scale that changes nothing in the result, and a
    pooling of 2 x 2 leaves a quarter of the numbers to normalise. The scale is fixed at 1, since the next layer's
    weights can take any scale over.
    """

    def __init__(self, layer: ShapedLayer, pool: Pool | None) -> None:
        super().__init__()
        assert isinstance(layer.stage, Conv)
        stage = layer.stage
        self.activation = stage.activation
        self.conv = nn.Conv2d(
            layer.in_shape[0], stage.filters, stage.kernel, stage.stride, padding=stage.pads, bias=False
        )
        self.norm = nn.BatchNorm2d(stage.filters)
        self.pool = _torch_pool(pool) if pool else nn.Identity()
        self.pool_first = stage.activation == "relu" and pool is not None and pool.kind == "maxpool"
        if stage.activation == "relu":
            self.norm.weight.requires_grad_(False)

    def forward(self, x: Tensor) -> Tensor:
        """x: (count, channels, rows, columns) -> (count, filters, rows after, columns after)."""
        x = self.conv(x)
        if self.pool_first:
            return torch.relu(self.norm(self.pool(x)))
        x = self.norm(x)
        if self.activation == "relu":
            x = torch.relu(x)
        elif self.activation == "tanh":
            x = torch.tanh(x)
        pooled: Tensor = self.pool(x)
        return pooled


class TrainableNetwork(nn.Module):
    """
    The trainable form of a Structure.

    >>> network = TrainableNetwork(Structure((Conv(4, (5, 5)), Pool())))
    >>> network(torch.zeros(2, 1, 28, 28)).shape
    torch.Size([2, 10])
    """

    def __init__(self, structure: Structure) -> None:
        super().__init__()
        self.structure = structure
        self.body = nn.Sequential(*_blocks(layers(structure)))
        self.head = nn.Linear(feature_count(structure), CLASS_COUNT)

    def features(self, images: Tensor) -> Tensor:
        """images: (count, 1, 28, 28), 0 = paper, 1 = ink -> what the head reads, (count, features)."""
        maps = self.body(images)
        # Laid flat in the order (filter, row, column), whatever order the maps have in memory.
        read: Tensor = maps.contiguous().flatten(1) if self.structure.reduce == "flatten" else maps.mean((2, 3))
        return read

    def hold_norms(self) -> None:
        """Let the norms use the mean and spread they have, instead of each batch's."""
        for _, block in _conv_blocks(self):
            block.norm.eval()

    def forward(self, images: Tensor) -> Tensor:
        """images: (count, 1, 28, 28) -> logits (count, 10)."""
        logits: Tensor = self.head(self.features(images))
        return logits


def network_from(structure: Structure, weights: NamedWeights) -> TrainableNetwork:
    """Return a network, in evaluation mode, that computes with these folded weights."""
    network = TrainableNetwork(structure)
    with torch.no_grad():
        for name, block in _conv_blocks(network):
            assert block.norm.running_var is not None
            block.conv.weight.copy_(torch.from_numpy(weights[f"{name}.weight"]))
            block.norm.bias.copy_(torch.from_numpy(weights[f"{name}.bias"]))
            block.norm.running_var.fill_(1 - block.norm.eps)  # divided by 1: nothing is normalised any more
        network.head.weight.copy_(torch.from_numpy(weights["head.weight"]))
        network.head.bias.copy_(torch.from_numpy(weights["head.bias"]))
    return network.eval()


def folded_weights(network: TrainableNetwork) -> NamedWeights:
    """
    Return the weights as the exported file has them, batch norm worked into the convolutions.

    conv1.weight (filters, channels, rows, columns), conv1.bias (filters,), ..., head.weight (10, features), head.bias.
    Computed in 64 bits and rounded once.
    """
    weights: NamedWeights = {}
    for name, block in _conv_blocks(network):
        norm = block.norm
        assert norm.running_mean is not None
        assert norm.running_var is not None
        scale = norm.weight.double() / torch.sqrt(norm.running_var.double() + norm.eps)
        bias = norm.bias.double() - norm.running_mean.double() * scale
        weights[f"{name}.weight"] = _as_float32(block.conv.weight.double() * scale[:, None, None, None])
        weights[f"{name}.bias"] = _as_float32(bias)
    weights["head.weight"] = _as_float32(network.head.weight)
    weights["head.bias"] = _as_float32(network.head.bias)
    return weights


def in_16_bits(weights: NamedWeights) -> NamedWeights:
    """Round weights to what 16 bits hold."""
    return {name: array.astype(np.float16).astype(np.float32) for name, array in weights.items()}


def _blocks(named: list[ShapedLayer]) -> Iterator[nn.Module]:
    stages = [layer.stage for layer in named]
    for index, layer in enumerate(named):
        follower = stages[index + 1] if index + 1 < len(stages) else None
        if isinstance(layer.stage, Conv):
            yield _ConvBlock(layer, follower if isinstance(follower, Pool) else None)
        elif index == 0 or isinstance(stages[index - 1], Pool):  # no convolution before it took it along
            yield _torch_pool(layer.stage)


def _conv_blocks(network: TrainableNetwork) -> list[tuple[str, _ConvBlock]]:
    blocks = [block for block in network.body if isinstance(block, _ConvBlock)]
    return [(f"conv{number}", block) for number, block in enumerate(blocks, start=1)]


def _torch_pool(pool: Pool) -> nn.Module:
    if pool.kind == "maxpool":
        return nn.MaxPool2d(pool.kernel, pool.stride, padding=pool.pads)
    return nn.AvgPool2d(pool.kernel, pool.stride)


def _as_float32(tensor: Tensor) -> NDArray[np.float32]:
    return np.ascontiguousarray(tensor.detach().numpy().astype(np.float32))
