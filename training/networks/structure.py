"""
Networks as a list of stages: their layers, shapes and counts, before there are weights.

Every network here is a chain of convolutions and poolings that ends in one linear layer, so that each logit is an exact
sum of shares per filter and place.
"""

from dataclasses import dataclass
from math import prod
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from service.core.digit import SIDE

LABELS = tuple(str(digit) for digit in range(10))
CLASS_COUNT = len(LABELS)
IMAGE_SHAPE = (1, SIDE, SIDE)

Pair = tuple[int, int]
Shape = tuple[int, ...]
NamedWeights = dict[str, NDArray[np.float32]]


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
class ShapedLayer:
    """
    One named stage with its shapes (channels, rows, columns).

    >>> [layer.name for layer in layers(Structure((Conv(4, (5, 5)), Pool(), Conv(8, (3, 3)))))]
    ['conv1', 'pool1', 'conv2']
    """

    name: str
    stage: Conv | Pool
    in_shape: Shape
    shape: Shape


def layers(structure: Structure, image_shape: Shape = IMAGE_SHAPE) -> list[ShapedLayer]:
    """Name the stages in order of their kind and work out every shape; a kernel larger than its input is refused."""
    named: list[ShapedLayer] = []
    counts = {"conv": 0, "pool": 0}
    shape = image_shape
    for stage in structure.stages:
        kind = "conv" if isinstance(stage, Conv) else "pool"
        counts[kind] += 1
        out_shape = _shape_after(stage, shape)
        named.append(ShapedLayer(f"{kind}{counts[kind]}", stage, shape, out_shape))
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
