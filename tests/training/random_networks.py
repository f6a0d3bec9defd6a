"""Networks of random structures, as the trainable module."""

import os

import torch

from training.networks.network import TrainableNetwork
from training.networks.structure import Conv, Pool, Structure, layers

SEEDS = range(40 if os.environ.get("FILTERSCOPE_PROOF") else 8)


def random_structure(random):
    """A chain that fits 28 x 28, with rectangular kernels, uneven strides, padding, and either kind of head."""
    while True:
        stages = [random_conv(random)]
        stages += [random_conv(random) if random.random() < 0.5 else random_pool(random) for _ in range(3)]
        if random.random() < 0.2:
            stages.insert(0, random_pool(random))
        structure = Structure(tuple(stages), str(random.choice(["flatten", "mean"])))
        try:
            named = layers(structure)
        except ValueError:
            continue
        if min(named[-1].shape[1:]) >= 1:
            return structure


def random_conv(random):
    kernel = tuple(int(size) for size in random.integers(1, 6, 2))
    return Conv(
        filters=int(random.integers(2, 7)),
        kernel=kernel,
        stride=tuple(int(step) for step in random.integers(1, 3, 2)),
        pads=tuple(int(random.integers(0, size)) for size in kernel),
        activation=str(random.choice(["relu", "tanh", "linear"])),
    )


def random_pool(random):
    kind = str(random.choice(["maxpool", "avgpool"]))
    kernel = tuple(int(size) for size in random.integers(1, 4, 2))
    pads = tuple(int(random.integers(0, size // 2 + 1)) for size in kernel) if kind == "maxpool" else (0, 0)
    stride = tuple(int(step) for step in random.integers(1, 4, 2))
    if stride == (1, 1):
        # onnx's reference takes [top, left, bottom, right] for [top, bottom, left, right] at this stride (1.23).
        pads = (min(pads),) * 2
    return Pool(kind, kernel, stride, pads)


def random_network(structure, seed):
    """A network whose batch norm has seen something, so that folding it matters."""
    torch.manual_seed(seed)
    network = TrainableNetwork(structure)
    for module in network.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.running_mean.normal_(0, 0.3)
            module.running_var.uniform_(0.3, 2)
            torch.nn.init.normal_(module.bias, 0, 0.3)
            if module.weight.requires_grad:
                torch.nn.init.uniform_(module.weight, 0.5, 1.5)
    return network.eval()
