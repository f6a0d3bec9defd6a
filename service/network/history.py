"""
The training of a network, kept: its weights at some steps, from random to finished, and how well each reads.

history.npz, beside the model's files: per weight an array (steps, *shape) of float16 under its own name; `images`,
`loss` and `accuracy`, (steps,) each, by which a step is told; `part` and `count`, the digits that measured them; and
`sha256` of the model.onnx that came of it.
"""

import io
import zipfile
from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from service.core.errors import InvalidOption, NotFound
from service.network.files import HISTORY_FILE, MODEL_FILE, BadModel, ModelFiles
from service.network.passport import Passport

MOST_STEPS = 100
OF_STEPS = ("images", "loss", "accuracy")


class KeptStep(NamedTuple):
    """One kept step: its number from 0, the images it had seen, and its loss and accuracy on the part."""

    step: int
    images: int
    loss: float
    accuracy: float


class KeptTraining:
    """
    The kept steps of one training, the last of which is the network itself.

    part, count: which digits measured each step, and how many
    """

    def __init__(self, arrays: Mapping[str, np.ndarray]) -> None:
        self.part, self.count = str(arrays["part"]), int(arrays["count"])
        rows = zip(*(arrays[name].tolist() for name in OF_STEPS), strict=True)
        self.steps = [
            KeptStep(number, int(images), loss, accuracy) for number, (images, loss, accuracy) in enumerate(rows)
        ]
        self._weights = {name: array for name, array in arrays.items() if array.dtype == np.float16}

    def weights(self, step: int) -> dict[str, np.ndarray]:
        """
        Every weight and bias as it was at a step, by name, float32.

        raises: InvalidOption where there is no such step
        """
        if not 0 <= step < len(self.steps):
            raise InvalidOption(f"step is 0 to {len(self.steps) - 1}, got {step}", "/step")
        return {name: array[step].astype(np.float32) for name, array in self._weights.items()}


def read_history(files: ModelFiles, passport: Passport, finished: Mapping[str, np.ndarray]) -> KeptTraining | None:
    """
    The history of a model, if there is one and it is of this very model.

    finished: the trained weights by name; raises: BadModel where the file is no history of them
    """
    if HISTORY_FILE not in files.contents:
        return None
    try:
        with np.load(io.BytesIO(files.contents[HISTORY_FILE]), allow_pickle=False) as kept:
            if str(kept["sha256"]) != passport.files[MODEL_FILE].sha256:
                return None
            arrays = {name: kept[name] for name in kept.files}
        _check(arrays, finished)
        return KeptTraining(arrays)
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
        raise BadModel(f"{HISTORY_FILE}: {error}", files.folder) from error


def no_history(name: str, having: list[str], pointer: str) -> NotFound:
    """What is said where a model has no history: which ones have; pointer: to what of the request asked for it."""
    others = f"these have: {', '.join(having)}" if having else "no model here has"
    return NotFound(f"the training of {name} was not kept; {others}", pointer)


def _check(arrays: Mapping[str, np.ndarray], finished: Mapping[str, np.ndarray]) -> None:
    """Raise ValueError unless the arrays are steps of one training that ends in the finished weights."""
    count = len(arrays["images"])
    if not 2 <= count <= MOST_STEPS:
        raise ValueError(f"2 to {MOST_STEPS} steps are wanted, these are {count}")
    for name in OF_STEPS:
        if arrays[name].shape != (count,) or not np.isfinite(arrays[name]).all():
            raise ValueError(f"{name} must be {count} finite numbers, one a step")
    kept = {name for name, array in arrays.items() if array.dtype == np.float16}
    if kept != set(finished):
        raise ValueError(f"it must have the weights {sorted(finished)} in 16 bits, it has {sorted(kept)}")
    for name, array in finished.items():
        if arrays[name].shape != (count, *array.shape) or not np.isfinite(arrays[name]).all():
            raise ValueError(f"{name} must be {count} finite arrays of {array.shape}, it is {arrays[name].shape}")
        if (arrays[name][-1].astype(np.float32) != array).any():
            raise ValueError(f"{name} of its last step must be that of the model")
