"""
`score`: how well digits can be told apart by a caller's own filters.

The bank answers every image, and a linear read-out is fitted to its answers: nothing is learnt but that. So hand-made
filters and learnt ones can be compared, and both with the bare pixels. The file holds what POST /v1/apply-filters
takes for one step:

    {"filters": [F, ...], "stride": 2, "padding": "valid", "activation": "tanh", "pool": {"kind": "max", "size": 2}}

where F has `weights`, or a `preset` with `size`, `angle`, `sigma`, or `model`, `layer` and perhaps `filter` (the whole
layer without it).
"""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from service.core.convolution import (
    Geometry,
    activate,
    activation,
    geometry,
    normalise,
    pad,
    patches,
    pool,
    pool_geometry,
)
from service.core.errors import InvalidInput, ServiceError
from service.core.kernels import check_kernel
from service.core.presets import preset
from service.network.sessions import Network
from training.data.mnist import LabelledDigits, Mnist

# As shares of the features' mean variance; the validation part chooses.
PENALTIES = (1e-5, 1e-4, 1e-3, 1e-2, 1e-1, 1.0)
MAX_FEATURES = 6000  # the read-out's matrix is their square
_BLOCK = 500
_MEMBERS = {
    "filters",
    "stride",
    "dilation",
    "padding",
    "pad_mode",
    "pad_value",
    "orientation",
    "normalize",
    "activation",
    "pool",
}
_OF_A_FILTER = {"weights", "preset", "size", "angle", "sigma", "bias", "name", "model", "version", "layer", "filter"}

Floats = NDArray[np.float64]
Features = Callable[[NDArray[np.float64]], Floats]


class BankError(Exception):
    """The file is no bank of filters; the message says what is wrong with it."""


@dataclass(frozen=True)
class BankFilter:
    """weights: (rows, columns)."""

    weights: Floats
    bias: float


@dataclass(frozen=True)
class Bank:
    """Filters, and what is done with their answers."""

    filters: list[BankFilter]
    options: dict[str, Any]

    def features(self, images: Floats) -> Floats:
        """What a read-out sees of images (n, 28, 28): (n, features)."""
        shapes = dict.fromkeys(each.weights.shape for each in self.filters)
        groups = [[each for each in self.filters if each.weights.shape == shape] for shape in shapes]
        return np.concatenate([self._maps(group, images).reshape(len(images), -1) for group in groups], axis=1)

    @property
    def feature_count(self) -> int:
        """How many numbers a read-out sees."""
        return sum(self._pooled(each) for each in self.filters)

    @property
    def parameters(self) -> int:
        """Weights and biases of the filters."""
        return sum(each.weights.size + 1 for each in self.filters)

    def _places(self, one: BankFilter) -> Geometry:
        stride, dilation = (self.options.get(name, 1) for name in ("stride", "dilation"))
        return geometry((28, 28), one.weights.shape, stride, dilation, self.options.get("padding", "valid"))

    def _pooled(self, one: BankFilter) -> int:
        places, asked = self._places(one), self.options.get("pool")
        if asked is None:
            return places.count
        return pool_geometry(places.patches, asked["size"], asked.get("stride")).count

    def _maps(self, group: list[BankFilter], images: Floats) -> Floats:
        """Filters of one shape over images (n, 28, 28): (n, filters, rows, columns)."""
        asked, places = self.options, self._places(group[0])
        padded = pad(images, places.pads, asked.get("pad_mode", "zero"), asked.get("pad_value", 0.0))
        windows = patches(padded, places.kernel, places.stride, places.dilation)  # (n, rows, columns, kh, kw)
        weights = np.stack([each.weights for each in group])
        sums = np.tensordot(windows, weights, ((3, 4), (1, 2))) + [each.bias for each in group]
        maps = activate(asked.get("activation", "linear"), sums.transpose(0, 3, 1, 2))
        if "pool" not in asked:
            return maps
        pooling = asked["pool"]
        return pool(maps, pooling.get("kind", "max"), pooling["size"], pooling.get("stride"))


@dataclass(frozen=True)
class Score:
    """How a read-out fared; penalty: the one the validation part chose."""

    features: int
    penalty: float
    train: float
    validation: float
    test: float


def read_bank(path: Path, models: Path) -> Bank:
    """
    Read a bank of filters.

    models: the folder that `model` is looked for in
    raises: BankError
    """
    try:
        members = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise BankError(f"{path} cannot be read: {error}") from error
    if isinstance(members, list):
        members = {"filters": members}
    if not isinstance(members, dict) or not isinstance(members.get("filters"), list) or not members["filters"]:
        raise BankError(f'{path} should hold {{"filters": [...]}} with at least one filter')
    unknown = set(members) - _MEMBERS
    if unknown:
        raise BankError(f"{path} may have {', '.join(sorted(_MEMBERS))}, got {', '.join(sorted(unknown))}")
    try:
        flip = -1 if members.get("orientation") == "convolution" else 1
        filters = [
            BankFilter(
                np.asarray(normalise(weights, members.get("normalize", "none")), np.float64)[::flip, ::flip], bias
            )
            for posted in members["filters"]
            for weights, bias in _read_filter(posted, models)
        ]
        activation(members.get("activation", "linear"))
        bank = Bank(filters, {name: value for name, value in members.items() if name != "filters"})
        count = bank.feature_count
    except (ServiceError, TypeError, KeyError) as error:
        raise BankError(f"{path}: {getattr(error, 'detail', None) or repr(error)}") from error
    if count > MAX_FEATURES:
        raise BankError(f"a read-out may see {MAX_FEATURES} numbers, this bank gives {count}: pool, or take a stride")
    return bank


def _read_filter(posted: Any, models: Path) -> Iterator[tuple[Floats, float]]:
    if not isinstance(posted, dict) or set(posted) - _OF_A_FILTER:
        raise InvalidInput(f"a filter may have {', '.join(sorted(_OF_A_FILTER))}, got {posted!r:.80}")
    bias = float(posted.get("bias", 0.0))
    if "weights" in posted:
        weights = check_kernel(posted["weights"])
        if weights.ndim != 2:
            raise InvalidInput(f"MNIST is grey, so weights are rows of numbers, got shape {weights.shape}")
        yield weights.astype(np.float64), bias
    elif "preset" in posted:
        made = preset(posted["preset"], posted.get("size"), posted.get("angle"), posted.get("sigma"))
        yield made.weights.astype(np.float64), bias
    elif "layer" in posted:
        yield from _learnt(posted, models, bias)
    else:
        raise InvalidInput(f"a filter has weights, a preset, or model and layer, got {posted!r:.80}")


def _learnt(posted: dict[str, Any], models: Path, bias: float) -> Iterator[tuple[Floats, float]]:
    network = Network(models / posted.get("model", "digits") / str(posted.get("version", 1)))
    layer = network.passport.layer(posted["layer"])
    if layer.op != "conv" or layer.in_shape[0] != 1:
        raise InvalidInput(f"only filters that read the picture can be scored, {layer.name} reads {layer.in_shape}")
    weights, biases = (network.weights[f"{layer.name}.{part}"] for part in ("weight", "bias"))
    chosen = range(len(weights)) if "filter" not in posted else [posted["filter"]]
    for k in chosen:
        yield weights[k, 0].astype(np.float64), float(biases[k]) + bias


def pixels(images: Floats) -> Floats:
    """The read-out with no filter at all: images (n, 28, 28) as (n, 784)."""
    return images.reshape(len(images), -1)


@dataclass(frozen=True)
class _Moments:
    """mean: (f,)   covariance: (f, f)   towards: with the classes, (f, 10)   classes: how frequent each is, (10,)."""

    mean: Floats
    covariance: Floats
    towards: Floats
    classes: Floats


def score(features: Features, data: Mnist) -> Score:
    """
    Fit a ridge regression from features to one-hot classes, and count what it gets right.

    The training part fits, the validation part chooses the penalty, the test part is looked at once.
    """
    moments = _moments(features, data.train)
    count = len(moments.mean)
    scale = float(moments.covariance.diagonal().mean()) or 1.0
    fitted: list[Floats] = [
        np.asarray(np.linalg.solve(moments.covariance + penalty * scale * np.eye(count), moments.towards), np.float64)
        for penalty in PENALTIES
    ]
    accuracies = _accuracies(features, data.validation, moments, fitted)
    best = int(np.argmax(accuracies))
    train, test = (_accuracies(features, part, moments, fitted[best : best + 1])[0] for part in (data.train, data.test))
    return Score(count, PENALTIES[best], train, accuracies[best], test)


def _blocks(features: Features, part: LabelledDigits) -> Iterator[tuple[Floats, NDArray[np.uint8]]]:
    for start in range(0, len(part), _BLOCK):
        some = part[start : start + _BLOCK]
        yield features(some.images / 255.0), some.labels


def _moments(features: Features, part: LabelledDigits) -> _Moments:
    width = features(part.images[:1] / 255.0).shape[1]
    total, squares, towards = np.zeros(width), np.zeros((width, width)), np.zeros((width, 10))
    for block, labels in _blocks(features, part):
        total += block.sum(axis=0)
        squares += block.T @ block
        towards += block.T @ np.eye(10)[labels]
    count = len(part)
    mean, classes = total / count, np.bincount(part.labels, minlength=10) / count
    return _Moments(mean, squares / count - np.outer(mean, mean), towards / count - np.outer(mean, classes), classes)


def _accuracies(features: Features, part: LabelledDigits, moments: _Moments, fitted: list[Floats]) -> list[float]:
    right = np.zeros(len(fitted))
    for block, labels in _blocks(features, part):
        centred = block - moments.mean
        right += [((centred @ weights + moments.classes).argmax(1) == labels).sum() for weights in fitted]
    return [float(share) for share in right / len(part)]
