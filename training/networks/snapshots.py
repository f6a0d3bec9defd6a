"""Snapshots: a network's weights at some steps of its training, from random to finished, each measured."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import log_softmax

from training.data.mnist import LabelledDigits
from training.networks.structure import NamedWeights

COUNT = 24  # after the random beginning; of the lecture's network 25 take 0.3 MB
_FIRST = 2  # steps before the first look: what happens soon happens fast


@dataclass(frozen=True)
class Snapshot:
    """
    A network at one step: the images it has seen, its loss and accuracy on the part it is measured with, its weights.

    loss: the mean of -log softmax(logits)[label]; weights: folded, rounded to what 16 bits hold
    """

    images: int
    loss: float
    accuracy: float
    weights: NamedWeights


def moments(steps: int, count: int = COUNT) -> list[int]:
    """
    Return after which of `steps` steps to look: at 0, then ever further apart, at last at the end.

    >>> moments(1000, 6)
    [0, 2, 7, 24, 83, 289, 1000]
    """
    wanted = np.geomspace(min(_FIRST, steps), steps, min(count, steps))
    taken = [0]
    for number, moment in enumerate(wanted, start=1):
        left = len(wanted) - number  # each of those to come needs a step of its own
        taken.append(min(max(round(moment), taken[-1] + 1), steps - left))
    return taken


class Watch:
    """What is looked at while a network is fitted: `count` looks after the first, each measured on `part`."""

    def __init__(self, part: LabelledDigits, count: int = COUNT) -> None:
        self.part, self.count = part, count
        self.snapshots: list[Snapshot] = []

    def keep(self, images: int, weights: NamedWeights, logits: NDArray[np.float32]) -> None:
        """Keep weights, rounded to 16 bits, that have seen so many images and give the part these logits, (n, 10)."""
        labels = self.part.labels
        surprise = -log_softmax(logits.astype(np.float64), axis=1)[np.arange(len(labels)), labels]
        right = float((logits.argmax(1) == labels).mean())
        self.snapshots.append(Snapshot(images, float(surprise.mean()), right, weights))


def as_arrays(snapshots: Sequence[Snapshot]) -> dict[str, NDArray[Any]]:
    """Return snapshots as the arrays of history.npz (service/network/history.py): (steps, ...) each."""
    weights = {
        name: np.stack([one.weights[name] for one in snapshots]).astype(np.float16) for name in snapshots[0].weights
    }
    told = {
        "images": np.array([one.images for one in snapshots], np.int64),
        "loss": np.array([one.loss for one in snapshots], np.float64),
        "accuracy": np.array([one.accuracy for one in snapshots], np.float64),
    }
    return weights | told


def from_arrays(arrays: Mapping[str, NDArray[Any]]) -> list[Snapshot]:
    """Return the snapshots that `as_arrays` took apart."""
    names = [name for name, array in arrays.items() if array.dtype == np.float16]
    return [
        Snapshot(
            int(arrays["images"][step]),
            float(arrays["loss"][step]),
            float(arrays["accuracy"][step]),
            {name: arrays[name][step].astype(np.float32) for name in names},
        )
        for step in range(len(arrays["images"]))
    ]


def save_snapshots(path: Path, snapshots: Sequence[Snapshot]) -> None:
    """Write snapshots beside their place and then take it."""
    partial = path.with_suffix(".partial.npz")
    np.savez(partial, **as_arrays(snapshots))  # type: ignore[arg-type]
    partial.replace(path)


def read_snapshots(path: Path) -> list[Snapshot]:
    """Read what `save_snapshots` wrote."""
    with np.load(path) as kept:
        return from_arrays({name: kept[name] for name in kept.files})
