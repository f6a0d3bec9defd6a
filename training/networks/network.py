"""
Networks as a list of stages, and the PyTorch module that trains one.

Every network here is a chain of convolutions and poolings that ends in one linear layer, so that each logit is an exact
sum of shares per filter and place. Batch norm helps training alone: `folded_weights` works it into the convolutions.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from math import prod
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

CLASS_COUNT = 10
IMAGE_SHAPE = (1, 28, 28)

Pair = tuple[int, int]
Shape = tuple[int, ...]
Weights = dict[str, NDArray[np.float32]]


@dataclass(frozen=True)
class Conv:
    """A convolution (as networks call it: a correlation) with its activation; pads are rows and columns, both sides."""

    filters: int
    kernel: Pair
    stride: Pair = (1, 1)
    pads: Pair = (0, 0)
    activation: Literal["relu", "tanh", "linear"] = "relu"


@dataclass(frozen=True)
class Pool:
    """A pooling; an average never reads padding, so that no convention on counting it is needed."""

    kind: Literal["maxpool", "avgpool"] = "maxpool"
    kernel: Pair = (2, 2)
    stride: Pair = (2, 2)
    pads: Pair = (0, 0)

    def __post_init__(self) -> None:
        if self.kind == "avgpool" and self.pads != (0, 0):
            raise ValueError(f"an average pooling takes no padding, got {self.pads}")


@dataclass(frozen=True)
class Structure:
    """The stages of a network, and how the last maps become the head's input: laid flat, or each map's mean."""

    stages: tuple[Conv | Pool, ...]
    reduce: Literal["flatten", "mean"] = "flatten"


@dataclass(frozen=True)
class Layer:
    """
    One named stage with its shapes (channels, rows, columns).

    >>> [layer.name for layer in layers(Structure((Conv(4, (5, 5)), Pool(), Conv(8, (3, 3)))))]
    ['conv1', 'pool1', 'conv2']
    """

    name: str
    stage: Conv | Pool
    in_shape: Shape
    shape: Shape


def layers(structure: Structure, image_shape: Shape = IMAGE_SHAPE) -> list[Layer]:
    """Name the stages in order of their kind and work out every shape; a kernel larger than its input is refused."""
    named: list[Layer] = []
    counts = {"conv": 0, "pool": 0}
    shape = image_shape
    for stage in structure.stages:
        kind = "conv" if isinstance(stage, Conv) else "pool"
        counts[kind] += 1
        out_shape = _shape_after(stage, shape)
        named.append(Layer(f"{kind}{counts[kind]}", stage, shape, out_shape))
        shape = out_shape
    return named


def head_input_shape(structure: Structure) -> Shape:
    """Return the shape (channels, rows, columns) of the last maps, before they are laid flat or averaged."""
    return layers(structure)[-1].shape


def feature_count(structure: Structure) -> int:
    """Return how many numbers the head reads."""
    shape = head_input_shape(structure)
    return prod(shape) if structure.reduce == "flatten" else shape[0]


def parameter_count(structure: Structure) -> int:
    """
    Count weights and biases of convolutions and head, batch norm folded.

    >>> zoo = (Conv(8, (5, 5), pads=(2, 2)), Pool(), Conv(16, (5, 5), pads=(2, 2)), Pool("maxpool", (3, 3), (3, 3)))
    >>> parameter_count(Structure(zoo))
    5994
    """
    convolutions = [layer for layer in layers(structure) if isinstance(layer.stage, Conv)]
    inner = sum(layer.shape[0] * (layer.in_shape[0] * prod(layer.stage.kernel) + 1) for layer in convolutions)
    return inner + CLASS_COUNT * (feature_count(structure) + 1)


def multiply_adds(structure: Structure) -> int:
    """Count the multiply-adds of the convolutions and the head for one image."""
    convolutions = [layer for layer in layers(structure) if isinstance(layer.stage, Conv)]
    inner = sum(prod(layer.shape) * layer.in_shape[0] * prod(layer.stage.kernel) for layer in convolutions)
    return inner + CLASS_COUNT * feature_count(structure)


def _shape_after(stage: Conv | Pool, shape: Shape) -> Shape:
    channels, *sides = shape
    places = [
        (side + 2 * pad - size) // step + 1
        for side, size, step, pad in zip(sides, stage.kernel, stage.stride, stage.pads, strict=True)
    ]
    if min(places) < 1:
        raise ValueError(f"{stage} does not fit maps of {sides[0]} x {sides[1]}")
    return (stage.filters if isinstance(stage, Conv) else channels, *places)


class _ConvBlock(nn.Module):
    """
    Convolution, batch norm, activation and the pooling that follows, if one does.

    A rectified block pools before it normalises: with a positive scale that changes nothing in the result, and a
    pooling of 2 x 2 leaves a quarter of the numbers to normalise. The scale is fixed at 1, since the next layer's
    weights can take any scale over.
    """

    def __init__(self, layer: Layer, pool: Pool | None) -> None:
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


class Network(nn.Module):
    """
    The trainable form of a Structure.

    >>> network = Network(Structure((Conv(4, (5, 5)), Pool())))
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


def network_from(structure: Structure, weights: Weights) -> Network:
    """Return a network, in evaluation mode, that computes with these folded weights."""
    network = Network(structure)
    with torch.no_grad():
        for name, block in _conv_blocks(network):
            assert block.norm.running_var is not None
            block.conv.weight.copy_(torch.from_numpy(weights[f"{name}.weight"]))
            block.norm.bias.copy_(torch.from_numpy(weights[f"{name}.bias"]))
            block.norm.running_var.fill_(1 - block.norm.eps)  # divided by 1: nothing is normalised any more
        network.head.weight.copy_(torch.from_numpy(weights["head.weight"]))
        network.head.bias.copy_(torch.from_numpy(weights["head.bias"]))
    return network.eval()


def folded_weights(network: Network) -> Weights:
    """
    Return the weights as the exported file has them, batch norm worked into the convolutions.

    conv1.weight (filters, channels, rows, columns), conv1.bias (filters,), ..., head.weight (10, features), head.bias.
    Computed in 64 bits and rounded once.
    """
    weights: Weights = {}
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


def _blocks(named: list[Layer]) -> Iterator[nn.Module]:
    stages = [layer.stage for layer in named]
    for index, layer in enumerate(named):
        follower = stages[index + 1] if index + 1 < len(stages) else None
        if isinstance(layer.stage, Conv):
            yield _ConvBlock(layer, follower if isinstance(follower, Pool) else None)
        elif index == 0 or isinstance(stages[index - 1], Pool):  # no convolution before it took it along
            yield _torch_pool(layer.stage)


def _conv_blocks(network: Network) -> list[tuple[str, _ConvBlock]]:
    blocks = [block for block in network.body if isinstance(block, _ConvBlock)]
    return [(f"conv{number}", block) for number, block in enumerate(blocks, start=1)]


def _torch_pool(pool: Pool) -> nn.Module:
    if pool.kind == "maxpool":
        return nn.MaxPool2d(pool.kernel, pool.stride, padding=pool.pads)
    return nn.AvgPool2d(pool.kernel, pool.stride)


def _as_float32(tensor: Tensor) -> NDArray[np.float32]:
    return np.ascontiguousarray(tensor.detach().numpy().astype(np.float32))
