"""What is told of a reading, as members of an answer: what is sure is said, the rest keeps its place."""

import heapq
from collections.abc import Sequence
from itertools import groupby
from typing import Any

import numpy as np

from service.core.numbers.drawing import GLYPHS, framed
from service.core.numbers.rows import Candidate
from service.lab import prices
from service.lab.options import ReadOptions
from service.lab.picture import Picture
from service.lab.read.asked import wanted_length
from service.lab.read.reading import ReadDigit, Reading, ReadMark
from service.lab.verdicts import preparation
from service.network.sessions import Network

UNREAD = "?"
# What a mark is in a number, where numbers are expected to have such.
SIGNS = {"point": ".", "comma": ",", "dash": "-"}
# A digit is answered for where its novelty is at most this many times the doubt that is allowed, which is 1 - sure;
# and fewer for one of several pieces;
STRANGE, STRANGE_APART = 5.0, 1.0
# and one that was cut out where its confidence is at least `sure` to this power, 0.95 for 0.9, and the seams cost no
# more than so many times that doubt.
SURER_TOUCHING, SEAMS = 0.5, 10.0
# Of digits that were found, so many are digits, and whole; of strange ones fewer: so much is taken off for novelty 1.
# Of those that were cut out so many, and so much is taken off for each unit of what the seams cost. Fitted to strings
# composed of MNIST's validation part; `python -m tests.reading_numbers` measures it.
FOUND, FOUND_TOUCHING = (0.996, 0.12), (0.99, 0.08)
# Classes of a digit that its alternatives are made of.
LIKELY = 4


def described(reading: Reading, network: Network, options: ReadOptions) -> dict[str, Any]:
    """One element of `results`; `prepared` of a digit lacks the picture that the network saw."""
    reasons = reasons_of(reading, network, options)
    length = wanted_length(options.length)
    numbers = []
    for index, digits in enumerate(reading.numbers):
        number = _number(reading, digits, reasons, network, options)
        if length is not None and not length[0] <= len(digits) <= length[1]:
            number |= {"accepted": False, "reason": "length"}
        line = next(line for line, members in enumerate(reading.lines) if index in members)
        numbers.append({"text": number.pop("text"), "value": number.pop("value"), "line": line, **number})
    texts = [" ".join(numbers[index]["text"] for index in line) for line in reading.lines]
    return {
        "text": "\n".join(texts),
        "complete": bool(numbers) and all(number["accepted"] for number in numbers),
        "angle": reading.angle,
        "lines": [
            {"box": _around([numbers[index]["box"] for index in line]), "numbers": line} for line in reading.lines
        ],
        "numbers": numbers,
        "digits": [
            _digit(digit, reason, network, options) for digit, reason in zip(reading.digits, reasons, strict=True)
        ],
        "marks": [{"kind": mark.kind, "box": list(mark.box), "after": mark.after} for mark in reading.marks],
        "unused": reading.unused,
    }


def picture_of_reading(reading: Reading, picture: Picture, network: Network, options: ReadOptions) -> np.ndarray:
    """The picture, as it was decoded, with what was read in it: uint8 (height, width, 3)."""
    height, width = picture.pixels.shape[:2]
    prices.charge("draw", *prices.drawing(len(reading.digits), height * width, height * width, 3))
    frame = picture.frame
    step, left, top = (1, 0, 0) if frame is None else (frame.step, frame.left, frame.top)
    boxes = [
        ((x - left) // step, (y - top) // step, -(-wide // step), -(-high // step))
        for x, y, wide, high in (digit.box for digit in reading.digits)
    ]
    reasons = reasons_of(reading, network, options)
    digits = [
        None if reason else digit.candidate.digit % GLYPHS
        for digit, reason in zip(reading.digits, reasons, strict=True)
    ]
    return framed(picture.pixels, boxes, digits)


def reasons_of(reading: Reading, network: Network, options: ReadOptions) -> list[str | None]:
    """
    Why each digit is not answered for; None where it is.

    Digits that were cut apart are answered for together: where one of them is in doubt, so is the cut.
    """
    reasons = [_reason(digit, network, options) for digit in reading.digits]
    for number in reading.numbers:
        for is_touching, group in groupby(number, key=lambda index: reading.digits[index].candidate.touching):
            together = list(group)
            if is_touching and any(reasons[index] for index in together):
                for index in together:
                    reasons[index] = reasons[index] or "touching"
    return reasons


def _reason(digit: ReadDigit, network: Network, options: ReadOptions) -> str | None:
    candidate, threshold = digit.candidate, network.passport.novelty
    doubtful = "cut_by_edge" if digit.at_rim else "touching" if candidate.touching else None
    if threshold is not None and candidate.novelty > threshold.threshold:
        return doubtful or "not_a_digit"
    doubt = 1 - options.sure
    sure = options.sure**SURER_TOUCHING if candidate.touching else options.sure
    if candidate.confidence < sure or candidate.novelty > (STRANGE_APART if candidate.apart else STRANGE) * doubt:
        return doubtful or "unsure"
    if candidate.touching and candidate.cost_of_seams > SEAMS * doubt:
        return "touching"
    return None


def _digit(digit: ReadDigit, reason: str | None, network: Network, options: ReadOptions) -> dict[str, Any]:
    candidate, threshold = digit.candidate, network.passport.novelty
    members: dict[str, Any] = {
        "digit": candidate.digit if reason is None else None,
        "confidence": candidate.probabilities[candidate.digit],
    }
    if threshold is not None:
        members |= {
            "novelty": np.float32(candidate.novelty),
            "is_digit": bool(candidate.novelty <= threshold.threshold),
        }
    members |= {"box": list(digit.box), "touching": candidate.touching, "number": digit.number}
    if reason is not None:
        members |= {"best": candidate.digit, "reason": reason}
    if options.probabilities:
        members["probabilities"] = candidate.probabilities
    return members | {"prepared": preparation(digit.prepared)}


def _number(
    reading: Reading, digits: list[int], reasons: Sequence[str | None], network: Network, options: ReadOptions
) -> dict[str, Any]:
    labels = network.passport.labels
    marks = [] if options.expect == "digits" else _marks_within(reading, digits)
    read = [UNREAD if reasons[index] else labels[reading.digits[index].candidate.digit] for index in digits]
    text = _with_marks(read, digits, marks)
    candidates = [reading.digits[index].candidate for index in digits]
    number: dict[str, Any] = {
        "text": text,
        "value": text,
        "digits": digits,
        "box": _around([reading.digits[index].box for index in digits]),
        "confidence": float(np.prod([_chance(candidate) for candidate in candidates])),
        "accepted": not any(reasons[index] for index in digits),
    }
    if options.alternatives:
        likely = best_strings([candidate.probabilities for candidate in candidates], options.alternatives + 1)
        number["alternatives"] = [
            {"text": _with_marks([labels[each] for each in classes], digits, marks), "probability": probability}
            for classes, probability in likely[1:]
        ]
    return number


def _chance(candidate: Candidate) -> float:
    """How probable it is that a digit is there and is right: that it was found and cut so, times its confidence."""
    if candidate.touching:
        found, lost, doubt = *FOUND_TOUCHING, candidate.cost_of_seams
    else:
        found, lost, doubt = *FOUND, candidate.novelty
    return max(0.0, found - lost * doubt) * candidate.confidence


def _marks_within(reading: Reading, digits: list[int]) -> list[ReadMark]:
    """The points and commas within a number, and the dash before it."""
    first, last = digits[0], digits[-1]
    within = []
    for mark in reading.marks:
        inner = mark.after is not None and first <= mark.after < last
        leading = mark.kind == "dash" and (mark.after is None or mark.after == first - 1)
        if (inner and mark.kind in {"point", "comma"}) or (leading and _is_beside(mark, reading.digits[first])):
            within.append(mark)
    return within


def _is_beside(mark: ReadMark, digit: ReadDigit) -> bool:
    """Whether a dash lies before a digit, at half its height or so."""
    x, y, width, height = mark.box
    left, top, _, tall = digit.box
    return left - tall < x + width <= left + tall / 4 and top < y + height / 2 < top + tall


def _with_marks(read: Sequence[str], digits: Sequence[int], marks: Sequence[ReadMark]) -> str:
    text = ""
    for place, (index, each) in enumerate(zip(digits, read, strict=True)):
        if not place:
            text += "".join("-" for mark in marks if mark.kind == "dash")
        text += each
        text += "".join(SIGNS[mark.kind] for mark in marks if mark.after == index and mark.kind != "dash")
    return text


def best_strings(probabilities: Sequence[np.ndarray], count: int) -> list[tuple[list[int], float]]:
    """
    The most probable strings of digits that are read each for itself, and their probabilities.

    >>> best_strings([np.array([0.75, 0.25]), np.array([0.5, 0.5])], 2)
    [([0, 0], 0.375), ([0, 1], 0.375)]
    """
    best: list[tuple[list[int], float]] = [([], 1.0)]
    for each in probabilities:
        likely = np.argsort(-each, kind="stable")[:LIKELY]
        longer = [([*text, int(label)], share * float(each[label])) for text, share in best for label in likely]
        best = heapq.nlargest(count, longer, key=lambda one: one[1])
    return best


def _around(boxes: Sequence[Sequence[int]]) -> list[int]:
    """The box around boxes."""
    left, top = min(box[0] for box in boxes), min(box[1] for box in boxes)
    right, bottom = max(box[0] + box[2] for box in boxes), max(box[1] + box[3] for box in boxes)
    return [left, top, right - left, bottom - top]
