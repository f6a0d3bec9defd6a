"""
`score`: how well digits can be told apart by a caller's own filters.

The bank answers every image, and a linear read-out is fitted to its answers: nothing is learnt but that. So hand-made
filters and learnt ones can be compared, and both with the bare pixels. The file holds what POST /v1/apply-filters
takes, in one step or in `stages`, and is run by the same code:

    {"filters": [F, ...], "stride": 2, "padding": "valid", "activation": "tanh", "pool": {"kind": "max", "size": 2}}

where F has `weights`, or a `preset` with `size`, `angle`, `sigma`, or `model`, `layer` and perhaps `filter` (the whole
layer without it).
"""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from service.core.digit import SIDE
from service.core.errors import ServiceError
from service.lab.chains import OF_A_STAGE, Chain, plan_chain, read_steps, run_chain
from service.lab.options import ApplyFiltersOptions
from service.lab.picture import Picture
from service.network.sessions import Library, Network, filter_weights
from service.settings import Limits
from training.data.mnist import Mnist, Part

# As shares of the features' mean variance; the validation part chooses.
PENALTIES = (1e-5, 1e-4, 1e-3, 1e-2, 1e-1, 1.0)
MAX_FEATURES = 6000  # the read-out's matrix is their square
_BLOCK = 500
_MEMBERS = {*OF_A_STAGE, "stages"}
# A bank may have as many filters as a read-out can see.
_LIMITS = Limits(max_filters=MAX_FEATURES)

Floats = NDArray[np.float64]
Features = Callable[[NDArray[np.float64]], Floats]


class BankError(Exception):
    """The file is no bank of filters; the message says what is wrong with it."""


@dataclass(frozen=True)
class Bank:
    """Filters, and what is done with their answers: a chain of POST /v1/apply-filters, planned for one digit."""

    chain: Chain

    def features(self, images: Floats) -> Floats:
        """What a read-out sees of images (n, 28, 28): (n, features)."""
        pictures = images.astype(np.float32)[:, None]
        answers = [run_chain(replace(self.chain, image=picture)) for picture in pictures]
        return np.array([np.concatenate([np.ravel(each) for each in some]) for some in answers], np.float64)

    @property
    def filter_count(self) -> int:
        """How many filters it has, of all steps."""
        return sum(len(planned.step.kernels) for planned in self.chain.steps)

    @property
    def feature_count(self) -> int:
        """How many numbers a read-out sees."""
        return sum(int(np.prod(shape)) for shape in self.chain.steps[-1].shapes)

    @property
    def parameters(self) -> int:
        """Weights and biases of the filters."""
        return sum(planned.parameters for planned in self.chain.steps)


@dataclass(frozen=True)
class Score:
    """How a read-out fared; penalty: the one the validation part chose."""

    features: int
    penalty: float
    train: float
    validation: float
    test: float


class _Models(Library):
    """The models of a folder, each opened when a filter first names it."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._opened: dict[Path, Network] = {}

    def get(self, name: str | None = None, version: str | int | None = None) -> Network:
        """The network of that name and version; `digits` and 1 unless given; BadModel where there is none."""
        place = self._folder / (name or "digits") / str(version or 1)
        if place not in self._opened:
            self._opened[place] = Network(place)
        return self._opened[place]


def read_bank(path: Path, models: Path) -> Bank:
    """
    Read a bank of filters.

    models: the folder that `model` is looked for in
    raises: BankError, or BadModel where a model that it names is none
    """
    try:
        members = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise BankError(f"{path} cannot be read: {error}") from error
    if isinstance(members, list):
        members = {"filters": members}
    if not isinstance(members, dict) or not (members.get("filters") or members.get("stages")):
        raise BankError(f'{path} should hold {{"filters": [...]}} with at least one filter')
    unknown = set(members) - _MEMBERS
    if unknown:
        raise BankError(f"{path} may have {', '.join(sorted(_MEMBERS))}, got {', '.join(sorted(unknown))}")
    library = _Models(models)
    try:
        options = _with_whole_layers(msgspec.convert(members, ApplyFiltersOptions), library)
        steps = read_steps(options, library, _LIMITS)
        blank = Picture(np.zeros((SIDE, SIDE), np.float32))
        bank = Bank(plan_chain(blank, steps, options, _LIMITS))
    except msgspec.ValidationError as error:
        raise BankError(f"{path}: {error}") from error
    except ServiceError as error:
        raise BankError(f"{path}: {error.detail}") from error
    count = bank.feature_count
    if count > MAX_FEATURES:
        raise BankError(f"a read-out may see {MAX_FEATURES} numbers, this bank gives {count}: pool, or take a stride")
    return bank


def _with_whole_layers(asked: Any, library: Library) -> Any:
    """A step, or all of them, in which a filter of a layer that gives no index stands for every filter of it."""
    filters = []
    for each in asked.filters:
        if each.layer is None or each.filter is not None:
            filters.append(each)
        else:
            count = len(filter_weights(library.get(each.model, each.version), each.layer)[0])
            filters += [msgspec.structs.replace(each, filter=k) for k in range(count)]
    changed = {"filters": tuple(filters)}
    if isinstance(asked, ApplyFiltersOptions):
        changed["stages"] = tuple(_with_whole_layers(stage, library) for stage in asked.stages)
    return msgspec.structs.replace(asked, **changed)


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


def _blocks(features: Features, part: Part) -> Iterator[tuple[Floats, NDArray[np.uint8]]]:
    for start in range(0, len(part), _BLOCK):
        some = part[start : start + _BLOCK]
        yield features(some.images / 255.0), some.labels


def _moments(features: Features, part: Part) -> _Moments:
    width = features(part.images[:1] / 255.0).shape[1]
    total, squares, towards = np.zeros(width), np.zeros((width, width)), np.zeros((width, 10))
    for block, labels in _blocks(features, part):
        total += block.sum(axis=0)
        squares += block.T @ block
        towards += block.T @ np.eye(10)[labels]
    count = len(part)
    mean, classes = total / count, np.bincount(part.labels, minlength=10) / count
    return _Moments(mean, squares / count - np.outer(mean, mean), towards / count - np.outer(mean, classes), classes)


def _accuracies(features: Features, part: Part, moments: _Moments, fitted: list[Floats]) -> list[float]:
    right = np.zeros(len(fitted))
    for block, labels in _blocks(features, part):
        centred = block - moments.mean
        right += [((centred @ weights + moments.classes).argmax(1) == labels).sum() for weights in fitted]
    return [float(share) for share in right / len(part)]
