"""Answers as arrays."""

import io
import json
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar, overload

import numpy as np

from service.client import drawing
from service.client.wire import Received

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Array = np.ndarray
Found = TypeVar("Found")


class RankedClass(NamedTuple):
    """One of the most probable classes of a picture: its name, its index, and its probability."""

    label: str
    class_: int
    confidence: float


@dataclass(frozen=True)
class Verdict:
    """
    What a network says of one picture.

    class_: the class it tells, counted from 0; label: its name; digit: the same as class_, or None of an adopted
        network, which tells classes
    top: of an adopted network, its most probable classes, the first of which that is
    confidence: the probability of that   probabilities, logits: (classes,) float32, or (0,) where an answer leaves the
        numbers of very many classes out
    doubt, novelty, is_digit: None of a network that does not measure them, as no adopted one does
    prepared: how the picture was brought to what the network reads, or None
    """

    class_: int
    confidence: float
    probabilities: Array
    logits: Array
    digit: int | None
    doubt: float | None
    novelty: float | None
    is_digit: bool | None
    prepared: Mapping[str, Any] | None
    label: str
    top: tuple[RankedClass, ...] = ()


@dataclass(frozen=True)
class Verdicts(Sequence[Verdict]):
    """
    What a network says of n pictures, in their order; also a sequence of n `Verdict`.

    classes: (n,) int64, the class of each, counted from 0; labels: its name; digits: the same as classes, or None of
        an adopted network, which tells classes   tops: of an adopted network, the most probable classes of each
    confidences: (n,) float32
    probabilities, logits: (n, classes) float32, or (n, 0) where an answer leaves the numbers of very many classes out
    doubts, novelties: (n,) float32, are_digits: (n,) bool; None of a network that does not measure them, as no adopted
        one does
    prepared: how each picture was brought to what the network reads   model, version, sha256: which network it was
    """

    classes: Array
    confidences: Array
    probabilities: Array
    logits: Array
    digits: Array | None
    doubts: Array | None
    novelties: Array | None
    are_digits: Array | None
    prepared: tuple[Mapping[str, Any] | None, ...]
    model: str
    version: str
    sha256: str
    labels: tuple[str, ...]
    tops: tuple[tuple[RankedClass, ...], ...] = ()

    def __len__(self) -> int:
        return len(self.classes)

    @overload
    def __getitem__(self, index: int) -> Verdict: ...
    @overload
    def __getitem__(self, index: slice) -> list[Verdict]: ...
    def __getitem__(self, index: int | slice) -> Verdict | list[Verdict]:
        if isinstance(index, slice):
            return [self[place] for place in range(*index.indices(len(self)))]
        return Verdict(
            int(self.classes[index]),
            float(self.confidences[index]),
            self.probabilities[index],
            self.logits[index],
            None if self.digits is None else int(self.digits[index]),
            None if self.doubts is None else float(self.doubts[index]),
            None if self.novelties is None else float(self.novelties[index]),
            None if self.are_digits is None else bool(self.are_digits[index]),
            self.prepared[index],
            self.labels[index],
            self.tops[index] if self.tops else (),
        )


@dataclass(frozen=True)
class WhatIf:
    """
    The verdicts of the trained network, `before`, and of the edited one, `after`.

    difference: (n, classes) float32, the logits after less those before
    """

    before: Verdicts
    after: Verdicts
    difference: Array


@dataclass(frozen=True)
class FeatureMaps(Mapping[str, Array]):
    """
    The maps of n pictures by name, such as conv1.act or pool1: (n, filters, rows, columns) float32 each.

    logits: (n, classes) float32   model, version, sha256: which network it was
    """

    maps: Mapping[str, Array]
    logits: Array
    model: str
    version: str
    sha256: str

    def __getitem__(self, name: str) -> Array:
        return self.maps[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self.maps)

    def __len__(self) -> int:
        return len(self.maps)

    def show(self, name: str | None = None, picture: int = 0, *, columns: int = 8) -> "Figure":
        """
        Draw the maps of one picture in a grid, with matplotlib; all on one scale.

        name: of the map, the first one unless given

        >>> maps = client.feature_maps("tests/three.png", layers="conv1")
        >>> maps.show("conv1.act").savefig("maps.png")  # doctest: +SKIP
        """
        maps = self[next(iter(self)) if name is None else name][picture]
        return drawing.grid({str(index): each for index, each in enumerate(maps)}, columns)


@dataclass(frozen=True)
class Responses(Mapping[str, Array]):
    """
    The responses of n pictures to filters, by the name of the filter: (n, rows, columns) float32 each.

    With channels="each" they are (n, channels, rows, columns). each: the same of every picture by itself, where
    pictures differ in size; `responses[name]` is a ValueError then.
    """

    each: tuple[Mapping[str, Array], ...]

    @property
    def array(self) -> Array:
        """All of them at once, (n, filters, rows, columns); ValueError where their shapes differ."""
        return np.stack([_stack(list(picture.values()), "filters") for picture in self.each])

    def __getitem__(self, name: str) -> Array:
        return _stack([picture[name] for picture in self.each], "pictures")

    def __iter__(self) -> Iterator[str]:
        return iter(self.each[0] if self.each else ())

    def __len__(self) -> int:
        return len(self.each[0]) if self.each else 0

    def show(self, picture: int = 0, *, columns: int = 8) -> "Figure":
        """Draw the responses of one picture in a grid, with matplotlib; all on one scale."""
        return drawing.grid(self.each[picture], columns)


class Explanation(dict[str, Any]):
    """
    What POST /v1/explain answers for one picture; lists of numbers are arrays.

    Its members depend on the method: see the contract, GET /docs.
    """

    def show(self, *, columns: int = 8) -> "Figure":
        """Draw every map in it in a grid, with matplotlib; ValueError where it has none."""
        found = dict(_maps("", self))
        if not found:
            raise ValueError(f"method={self.get('method')} answers no maps")
        return drawing.grid(found, columns)


def _maps(name: str, value: Any) -> Iterator[tuple[str, Array]]:
    if isinstance(value, Mapping):
        for key, inner in value.items():
            yield from _maps(f"{name}.{key}" if name else key, inner)
    elif isinstance(value, np.ndarray) and value.ndim == 2 and value.dtype == float and min(value.shape) > 3:
        yield name, value
    elif isinstance(value, np.ndarray) and value.ndim == 3:
        yield from ((f"{name}[{index}]", one) for index, one in enumerate(value))


def _stack(arrays: Sequence[Array], what: str) -> Array:
    shapes = {array.shape for array in arrays}
    if len(shapes) > 1:
        raise ValueError(
            f"these {what} have responses of several shapes: {', '.join(map(str, sorted(shapes)))}; `each` has them all"
        )
    return np.stack(arrays)


# --- reading ---------------------------------------------------------------------------------------------------------


def read_json(answer: Received) -> Any:
    """Read JSON."""
    return json.loads(answer.content)


def read_npz(answer: Received) -> dict[str, Array]:
    """Read arrays by name."""
    with zipfile.ZipFile(io.BytesIO(answer.content)) as packed:
        # The service stores entries as they are. Those that are deflated, or lie over each other, may be of any size.
        if sum(entry.file_size for entry in packed.infolist()) > len(answer.content):
            raise ValueError("an npz larger than its file")
    with np.load(io.BytesIO(answer.content), allow_pickle=False) as file:
        return dict(file)


def network_of(answer: Received) -> tuple[str, str, str]:
    """Model, version and sha256 of the network that made an answer of arrays."""
    model, _, version = answer.headers.get("x-filterscope-model", "").rpartition("/")
    return model, version, answer.headers.get("x-filterscope-sha256", "")


def verdicts_of(results: Sequence[Mapping[str, Any]], envelope: Mapping[str, Any]) -> Verdicts:
    """Make arrays of one result or more, of a network of digits or of an adopted one."""

    def column(name: str, otherwise: Any = None) -> Array:
        """One member of each; `otherwise` where none has it, a KeyError where some have not."""
        if otherwise is not None and not any(name in result for result in results):
            return np.array([otherwise] * len(results), np.float32)
        return np.array([result[name] for result in results], np.float32)

    # What no result has is not known of this network, and None.
    tells_digits, knows_doubt, knows_novelty = (name in results[0] for name in ("digit", "doubt", "novelty"))
    classes = [result["class"] if "class" in result else result["digit"] for result in results]
    return Verdicts(
        np.array(classes, np.int64),
        column("confidence"),
        column("probabilities", []),
        column("logits", []),
        np.array([result["digit"] for result in results], np.int64) if tells_digits else None,
        column("doubt") if knows_doubt else None,
        column("novelty") if knows_novelty else None,
        np.array([result["is_digit"] for result in results], bool) if knows_novelty else None,
        tuple(result.get("prepared") for result in results),
        envelope["model"],
        envelope["version"],
        envelope["sha256"],
        tuple(str(result.get("label", index)) for result, index in zip(results, classes, strict=True)),
        tuple(tuple(_ranked(each) for each in result.get("top", ())) for result in results),
    )


def _ranked(member: Mapping[str, Any]) -> RankedClass:
    return RankedClass(str(member["label"]), int(member["class"]), float(member["confidence"]))


def with_arrays(value: Any) -> Any:
    """
    Make arrays of the lists of numbers that lie within an answer.

    >>> with_arrays({"map": [[0.5, 1], [0, 0]], "cells": [{"row": 1}], "names": ["a"], "shares": []})
    {'map': array([[0.5, 1. ],
           [0. , 0. ]]), 'cells': [{'row': 1}], 'names': ['a'], 'shares': array([], dtype=float64)}
    """
    if isinstance(value, Mapping):
        return {name: with_arrays(inner) for name, inner in value.items()}
    if not isinstance(value, list):
        return value
    leaf: Any = value
    while isinstance(leaf, list) and leaf:
        leaf = leaf[0]
    if isinstance(leaf, int | float | list):
        try:
            array = np.array(value)
        except ValueError:  # ragged
            array = None
        if array is not None and array.dtype.kind in "bif":
            return array
    return [with_arrays(inner) for inner in value]
