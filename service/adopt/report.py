"""What every filter of an adopted network does over a folder of labelled pictures, as report.json keeps it."""

import math
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import numpy as np

from service.adopt.asked import Refused
from service.adopt.pictures import labelled_files, read_picture_file
from service.network.passport import Layer, Passport, receptive_fields
from service.network.sessions import Network

TOP = 9  # pictures kept of each filter, at either end
# Of more classes than these no mean is kept of each.
MOST_MEANS = 100
MOST_PICTURES = 2000
# What of the time that adopting may take a report has.
MOST_SECONDS = 60.0
DEAD = 1e-6  # of the layer's largest value
DIGITS = 6  # that a number is kept with


class _Extremes(NamedTuple):
    """The places of each filter's largest values, or its smallest: (filters, kept) each."""

    values: np.ndarray
    pictures: np.ndarray
    places: np.ndarray


class _Filters:
    """What is known so far of the filters of one layer, from pictures that come one by one."""

    def __init__(self, layer: Layer, classes: int) -> None:
        filters = layer.shape[0]
        self.layer = layer
        self._count = 0
        self._total, self._squares = np.zeros(filters), np.zeros(filters)
        self._zeros = np.zeros(filters, np.int64)
        self._least, self._most = np.full(filters, np.inf), np.full(filters, -np.inf)
        self._means = np.zeros((classes, filters))
        self._of_class = np.zeros(classes, np.int64)
        self._top = _nothing(filters)
        self._bottom = _nothing(filters)

    def add(self, maps: np.ndarray, picture: int, label: int) -> None:
        """See the maps, (filters, rows, columns), of one picture."""
        flat = maps.reshape(len(maps), -1).astype(np.float64)
        means, peaks, places = flat.mean(axis=1), flat.max(axis=1), flat.argmax(axis=1)
        self._count += flat.shape[1]
        self._total += flat.sum(axis=1)
        self._squares += np.square(flat).sum(axis=1)
        self._zeros += (flat == 0).sum(axis=1)
        self._least, self._most = np.minimum(self._least, flat.min(axis=1)), np.maximum(self._most, peaks)
        self._means[label] += means
        self._of_class[label] += 1
        self._top = _with(self._top, -peaks, picture, places)
        self._bottom = _with(self._bottom, peaks, picture, places)

    def described(self, labels: Sequence[int]) -> list[dict[str, Any]]:
        """Every filter, as the report has it; labels: the class of each picture."""
        mean = self._total / self._count
        std = np.sqrt(np.maximum(self._squares / self._count - np.square(mean), 0))
        largest = max(float(np.abs(np.stack([self._least, self._most])).max()), float(np.finfo(np.float32).tiny))
        classes = np.flatnonzero(self._of_class)
        of_class = self._means[classes] / self._of_class[classes, None]
        found = []
        for k in range(len(mean)):
            members: dict[str, Any] = {
                "index": k,
                "mean": mean[k],
                "std": std[k],
                "min": self._least[k],
                "max": self._most[k],
                "zeros": self._zeros[k] / self._count,
                "dead": bool(np.abs([self._least[k], self._most[k]]).max() <= DEAD * largest),
                "favourite": int(classes[of_class[:, k].argmax()]),
                "top": list(self._entries(self._top, k, labels, -1)),
                "bottom": list(self._entries(self._bottom, k, labels, 1)),
            }
            if len(self._of_class) <= MOST_MEANS:
                means = np.zeros(len(self._of_class))
                means[classes] = of_class[:, k]
                members["class_means"] = means
            found.append(members)
        return found

    def _entries(self, kept: _Extremes, k: int, labels: Sequence[int], sign: int) -> Iterator[dict[str, Any]]:
        for value, picture, place in zip(kept.values[k], kept.pictures[k], kept.places[k], strict=True):
            if picture >= 0:
                row, column = divmod(int(place), self.layer.shape[2])
                number = int(picture)
                yield {"image": number, "label": labels[number], "value": sign * value, "row": row, "col": column}


def _nothing(filters: int) -> _Extremes:
    return _Extremes(
        np.full((filters, TOP), np.inf), np.full((filters, TOP), -1, np.int64), np.zeros((filters, TOP), np.int64)
    )


def _with(kept: _Extremes, values: np.ndarray, picture: int, places: np.ndarray) -> _Extremes:
    """The smallest of those kept and those of one more picture; of equal ones the first."""
    joined = [
        np.concatenate([before, new[:, None]], axis=1)
        for before, new in zip(kept, (values, np.full(len(values), picture), places), strict=True)
    ]
    order = np.argsort(joined[0], axis=1, kind="stable")[:, :TOP]
    return _Extremes(*(np.take_along_axis(each, order, axis=1) for each in joined))


def report_on(network: Network, folder: Path) -> bytes:
    """
    Run a network over FOLDER/<label>/<picture>, and tell what its filters responded to, as JSON.

    raises: Refused where the folder has no pictures of its classes, or the network has no maps
    """
    passport = network.passport
    if not passport.convolutions:
        raise Refused("--report: it has no convolution whose filters could be told of")
    files = labelled_files("--report", folder, passport.labels)
    if not files:
        raise Refused(f"--report {folder}: no picture in folders of labels")
    if len(files) > MOST_PICTURES:
        order = sorted(np.random.default_rng(0).choice(len(files), MOST_PICTURES, replace=False))
        files = [files[index] for index in order]
    files = _spread(files)
    layers = [_Filters(layer, len(passport.labels)) for layer in passport.convolutions]
    shown, read = _layer_of_means(passport), 0
    total = np.zeros(passport.layer(shown).shape) if shown else None
    told = np.zeros(len(files), np.int64)
    names = [each.layer.maps[-1] for each in layers]
    extra = [] if not shown else [passport.layer(shown).maps[-1]]
    started = time.perf_counter()
    for number, (path, label) in enumerate(files):
        image = read_picture_file("--report", path, passport.input)
        verdicts, maps = network.analyse(image[None], [*names, *(name for name in extra if name not in names)])
        told[number] = verdicts.classes[0]
        for each in layers:
            each.add(maps[each.layer.maps[-1]][0], number, label)
        if total is not None:
            total += maps[extra[0]][0]
        read = number + 1
        if time.perf_counter() - started > MOST_SECONDS:
            break
    seen = files[:read]
    labels = [label for _, label in seen]
    right = told[:read] == labels
    report = {
        "format": 2,
        "model": network.name,
        "version": network.version,
        "sha256": network.sha256,
        "data": {
            "name": folder.name,
            "part": "",
            "images": read,
            "classes": np.bincount(labels, minlength=len(passport.labels)),
        },
        "pictures": [f"{path.parent.name}/{path.name}" for path, _ in seen],
        "accuracy": float(right.mean()),
        "layers": [_described(passport, each, labels) for each in layers],
    }
    if total is not None:
        report |= {"head_input": {"layer": shown}, "head_input_mean": total / read}
    return msgspec.json.encode(_rounded(report))


def _spread(files: Sequence[tuple[Path, int]]) -> list[tuple[Path, int]]:
    """One picture of each class before a second of any, so that a report that ends early has seen all."""
    turn: dict[int, int] = {}
    keyed = []
    for place, (path, label) in enumerate(files):
        keyed.append((turn.get(label, 0), place, path, label))
        turn[label] = turn.get(label, 0) + 1
    return [(path, label) for _, _, path, label in sorted(keyed, key=lambda each: each[:2])]


def _layer_of_means(passport: Passport) -> str:
    """The layer that a ledger explains unless another is named, or nothing: its mean is a baseline."""
    found = [passport.layer(name) for name in passport.whole]
    return next((layer.name for layer in reversed(found) if layer.shape[1:] != (1, 1)), found[-1].name if found else "")


def _described(passport: Passport, filters: _Filters, labels: Sequence[int]) -> dict[str, Any]:
    layer = filters.layer
    fields = receptive_fields(passport.layers).get(layer.name)
    members: dict[str, Any] = {"name": layer.name, "shape": list(layer.shape), "activation": layer.activation}
    if fields is not None:
        members["receptive_field"] = {
            part: [getattr(field, part) for field in fields] for part in ("size", "jump", "start")
        }
    return members | {"filters": filters.described(labels)}


def _rounded(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _rounded(each) for name, each in value.items()}
    if isinstance(value, np.ndarray | np.generic):
        value = value.tolist()
    if isinstance(value, list):
        return [_rounded(each) for each in value]
    if isinstance(value, float):
        return float(f"{value:.{DIGITS}g}") if math.isfinite(value) else 0.0
    return value
