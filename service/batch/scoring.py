"""Pictures as bytes -> one row each, with the numbers that POST /v1/classify answers for the same bytes."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import numpy as np
import pyarrow as pa

from service.batch.digits import pictures_at_once, printable, readable
from service.batch.reading import numbers_in
from service.batch.sources import FoundPicture, Part
from service.core.digit import PreparedDigit
from service.core.errors import ServiceError
from service.lab.inputs import Readable, all_inputs
from service.lab.options import ReadOptions
from service.lab.verdicts import MANY_CLASSES, has_numbers
from service.network.files import read_folder
from service.network.passport import Passport
from service.network.sessions import Network
from service.settings import Limits

CLASSES = 10
Result = TypeVar("Result")
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
# Of an adopted network, whose classes have names and may be many.
ADOPTED_SCHEMA = pa.schema([
    pa.field("index", pa.int64(), nullable=False),
    ("name", pa.string()),
    ("label", pa.string()),
    ("class", pa.int32()),
    ("confidence", pa.float32()),
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


def schema_of(passport: Passport) -> pa.Schema:
    """The columns of pictures scored with an adopted network: of many classes the probable one alone."""
    if len(passport.labels) > MANY_CLASSES:
        return ADOPTED_SCHEMA
    each = pa.field("probabilities", pa.list_(pa.float32(), len(passport.labels)))
    return ADOPTED_SCHEMA.insert(ADOPTED_SCHEMA.get_field_index("confidence") + 1, each)


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
            numbers, errors = self._each(found, self._read_numbers)
            columns, schema = _columns(numbers, errors), READ_SCHEMA
        elif self._network.passport.is_adopted:
            columns, errors = self._classes(found)
            schema = schema_of(self._network.passport)
        else:
            digits, errors = self._each(found, self._read_picture)
            columns, schema = self._verdicts(digits, np.array([error is None for error in errors], bool)), SCHEMA
        return pa.table(
            {
                "index": np.arange(part.first, part.first + len(found)),
                "name": [None if picture.name is None else printable(picture.name) for picture in found],
                **columns,
                "model": [self._network.name] * len(found),
                "version": [self._network.version] * len(found),
                "error": errors,
            },
            schema=schema,
        )

    def _each(
        self, found: Sequence[FoundPicture], read: Callable[[bytes], Result]
    ) -> tuple[list[Result], list[str | None]]:
        """What was read of the pictures that can be used, in order; and of every picture why it cannot, or None."""
        results: list[Result] = []
        errors: list[str | None] = []
        for picture in found:
            if isinstance(picture.content, OSError):
                # Not raised: its traceback would keep this frame, and with it the pictures.
                errors.append(_told(picture.content))
                continue
            try:
                results.append(read(picture.content))
                errors.append(None)
            except ServiceError as error:
                errors.append(error.detail)
            except Exception as error:  # noqa: BLE001 - one picture in a million must not stop the others
                errors.append(_told(error))
        return results, errors

    def _read_picture(self, content: bytes) -> Readable:
        return readable(content, self._recipe.prepare, self._network.passport.input, self._recipe.limits)

    def _read_numbers(self, content: bytes) -> dict[str, Any]:
        read = numbers_in(content, self._network, ReadOptions(), self._recipe.limits)
        unused = {f"unused_{name}": count for name, count in read["unused"].items()}
        return {"text": read["text"], "complete": read["complete"], "digits": len(read["digits"])} | unused

    def _classes(self, found: Sequence[FoundPicture]) -> tuple[dict[str, Any], list[str | None]]:
        """Columns of what an adopted network says, null where there was nothing to show it; and why there was not."""
        passport, errors = self._network.passport, list[str | None]()
        labels, with_each = passport.labels, has_numbers(self._network, full=False)
        classes: list[int | None] = []
        confidence: list[float | None] = []
        probabilities: list[np.ndarray] = []
        # Some at a time: a picture may be half a megabyte of numbers.
        each = pictures_at_once(passport.input)
        for start in range(0, len(found), each):
            usable, why = self._each(found[start : start + each], self._read_picture)
            verdicts = self._network.classify(all_inputs(usable, passport.input).images) if usable else None
            told = iter(range(len(usable)))
            for error in why:
                place = None if error is not None or verdicts is None else next(told)
                index = None if place is None or verdicts is None else verdicts.classes[place]
                row = np.zeros(len(labels), np.float32) if verdicts is None else verdicts.probabilities[place or 0]
                classes.append(index)
                confidence.append(None if index is None else float(row[index]))
                if with_each:
                    probabilities.append(row)
            errors += why
        columns: dict[str, Any] = {
            "label": [None if index is None else labels[index] for index in classes],
            "class": classes,
            "confidence": confidence,
        }
        if with_each:
            flat = pa.array(np.concatenate(probabilities) if probabilities else np.zeros(0, np.float32))
            bad = pa.array([index is None for index in classes], pa.bool_())
            columns["probabilities"] = pa.FixedSizeListArray.from_arrays(flat, len(labels), mask=bad)
        return columns, errors

    def _verdicts(self, usable: list[Readable], good: np.ndarray) -> dict[str, Any]:
        """Columns of what the network says, null where there was nothing to show it."""
        count, places = len(good), np.flatnonzero(good)
        probabilities, novelty = np.zeros((count, CLASSES), np.float32), np.zeros(count, np.float32)
        digits = np.zeros(count, np.int8)
        threshold = self._network.passport.novelty
        knows_novelty = False
        much = np.zeros(len(usable), bool)
        if usable:
            read = all_inputs(usable, self._network.passport.input)
            much[:] = [isinstance(each, PreparedDigit) and each.left_out.is_much for each in read.prepared]
            verdicts = self._network.classify(read.images)
            probabilities[places], digits[places] = verdicts.probabilities, verdicts.classes
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


def _columns(numbers: list[dict[str, Any]], errors: list[str | None]) -> dict[str, Any]:
    """Columns of the numbers read, null where a picture could not be used."""
    read = iter(numbers)
    rows = [next(read) if error is None else {} for error in errors]
    own = READ_SCHEMA.names[READ_SCHEMA.names.index("text") : READ_SCHEMA.names.index("model")]
    return {name: [row.get(name) for row in rows] for name in own}


def _told(error: Exception) -> str:
    return printable(str(error)) or type(error).__name__
