"""Pictures as bytes -> one row each, with the numbers that POST /v1/classify answers for the same bytes."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa

from service.batch.digits import printable, read_digit
from service.batch.reading import numbers_in
from service.batch.sources import FoundPicture, Part
from service.core.errors import ServiceError
from service.lab.digits import Digit, all_digits
from service.lab.options import ReadOptions
from service.network.files import read_folder
from service.network.sessions import Network
from service.settings import Limits

CLASSES = 10
# Of pictures of several digits; what was left out of each is counted as `unused`.
READ_SCHEMA = pa.schema([
    pa.field("index", pa.int64(), nullable=False),
    ("name", pa.string()),
    ("text", pa.string()),
    ("complete", pa.bool_()),
    ("digits", pa.int32()),
    ("unused_rules", pa.int32()),
    ("unused_small", pa.int32()),
    ("unused_no_digit", pa.int32()),
    pa.field("model", pa.string(), nullable=False),
    pa.field("version", pa.string(), nullable=False),
    ("error", pa.string()),
])  # fmt: skip
SCHEMA = pa.schema([
    pa.field("index", pa.int64(), nullable=False),
    ("name", pa.string()),
    ("digit", pa.int8()),
    ("confidence", pa.float32()),
    ("probabilities", pa.list_(pa.float32(), CLASSES)),
    ("novelty", pa.float32()),
    ("is_digit", pa.bool_()),
    pa.field("model", pa.string(), nullable=False),
    pa.field("version", pa.string(), nullable=False),
    ("error", pa.string()),
])  # fmt: skip


class Recipe(NamedTuple):
    """How every picture of a job is read: what a process needs to make a Scorer of its own."""

    model_folder: str
    prepare: str
    limits: Limits
    read: bool = False


class Scorer:
    """A network of its own, and the way from bytes to what it reads."""

    def __init__(self, recipe: Recipe) -> None:
        self._recipe = recipe
        self._network = Network(read_folder(Path(recipe.model_folder)))

    def score(self, part: Part) -> pa.Table:
        """Score the pictures of a part: one row each, in order, those that cannot be used with their `error`."""
        found = part.read()
        if self._recipe.read:
            return self._read_numbers(part.first, found)
        usable, errors = self._read(found)
        good = np.array([error is None for error in errors], bool)
        return pa.table(
            {
                "index": np.arange(part.first, part.first + len(found)),
                "name": [None if picture.name is None else printable(picture.name) for picture in found],
                **self._verdicts(usable, good),
                "model": [self._network.name] * len(found),
                "version": [self._network.version] * len(found),
                "error": errors,
            },
            schema=SCHEMA,
        )

    def _read(self, found: Sequence[FoundPicture]) -> tuple[list[Digit], list[str | None]]:
        usable: list[Digit] = []
        errors: list[str | None] = []
        for picture in found:
            if isinstance(picture.content, OSError):
                # Not raised: its traceback would keep this frame, and with it the pictures.
                errors.append(printable(str(picture.content)) or type(picture.content).__name__)
                continue
            try:
                usable.append(read_digit(picture.content, self._recipe.prepare, self._recipe.limits))
                errors.append(None)
            except ServiceError as error:
                errors.append(error.detail)
            except Exception as error:  # noqa: BLE001 - one picture in a million must not stop the others
                errors.append(printable(str(error)) or type(error).__name__)
        return usable, errors

    def _read_numbers(self, first: int, found: Sequence[FoundPicture]) -> pa.Table:
        """Read several digits in each picture: one row each, in order."""
        return pa.Table.from_pylist(
            [
                {
                    "index": first + place,
                    "name": None if picture.name is None else printable(picture.name),
                    "model": self._network.name,
                    "version": self._network.version,
                }
                | self._numbers_of(picture)
                for place, picture in enumerate(found)
            ],
            schema=READ_SCHEMA,
        )

    def _numbers_of(self, picture: FoundPicture) -> dict[str, Any]:
        if isinstance(picture.content, OSError):
            return {"error": printable(str(picture.content)) or type(picture.content).__name__}
        try:
            read = numbers_in(picture.content, self._network, ReadOptions(), self._recipe.limits)
        except ServiceError as error:
            return {"error": error.detail}
        except Exception as error:  # noqa: BLE001 - one picture in a million must not stop the others
            return {"error": printable(str(error)) or type(error).__name__}
        counts = {f"unused_{name}": count for name, count in read["unused"].items()}
        return {"text": read["text"], "complete": read["complete"], "digits": len(read["digits"])} | counts

    def _verdicts(self, usable: list[Digit], good: np.ndarray) -> dict[str, Any]:
        """Columns of what the network says, null where there was nothing to show it."""
        count, places = len(good), np.flatnonzero(good)
        probabilities, novelty = np.zeros((count, CLASSES), np.float32), np.zeros(count, np.float32)
        digits = np.zeros(count, np.int8)
        threshold = self._network.passport.novelty
        knows_novelty = False
        much = np.zeros(len(usable), bool)
        if usable:
            read = all_digits(usable)
            much[:] = [digit is not None and digit.left_out.is_much for digit in read.prepared]
            verdicts = self._network.classify(read.images)
            probabilities[places], digits[places] = verdicts.probabilities, verdicts.digits
            if verdicts.novelty is not None and threshold is not None:
                novelty[places], knows_novelty = verdicts.novelty, True
        bad, no_novelty = ~good, ~good if knows_novelty else np.ones(count, bool)
        is_digit = novelty <= threshold.threshold if threshold is not None else np.zeros(count, bool)
        is_digit[places] &= ~much
        flat = pa.array(probabilities.ravel())
        return {
            "digit": pa.array(digits, mask=bad),
            "confidence": pa.array(probabilities[np.arange(count), digits], mask=bad),
            "probabilities": pa.FixedSizeListArray.from_arrays(flat, CLASSES, mask=pa.array(bad)),
            "novelty": pa.array(novelty, mask=no_novelty),
            "is_digit": pa.array(is_digit, mask=no_novelty),
        }
