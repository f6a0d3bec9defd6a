"""
Several digits in one picture, read.

`core/numbers` finds what may be a digit; the network says what each is; the cheapest reading of every line is taken.
Each digit is made MNIST's form as a picture of one digit is, so that its verdict is the one that POST /v1/classify
gives for its picture.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from service.core.digit import Frame, PreparedDigit
from service.core.errors import InvalidImage
from service.core.numbers import Finding, find
from service.core.numbers.blobs import Blob, picture_of
from service.core.numbers.lines import numbers_of
from service.core.numbers.rows import Candidate, Mark, Row, rows_of
from service.lab import prices
from service.lab.digits import all_digits
from service.lab.options import ReadOptions
from service.lab.picture import Picture
from service.lab.read.placing import Box, Excerpt, excerpt_of
from service.network.sessions import Network
from service.settings import Limits

# A JPEG is decoded at the smallest scale whose longer side is still this long, in pixels: a page of small digits needs
# more of them than one digit does.
READ_SIDE = 1600
# Candidates of cuts for every blob that may be a digit, and for a page however few there are.
CUTS_PER_BLOB, CUTS_AT_LEAST = 12, 600
# Digits are shown to the network so many at a time: a page of them is never in memory at once.
DIGITS_PER_TURN = 256


@dataclass(slots=True)
class ReadDigit:
    """
    A digit of a picture: the candidate that it was, and how it was made MNIST's form.

    box: (x, y, width, height) in posted pixels   number: which it is of
    at_rim: the picture may cut it off
    """

    candidate: Candidate
    prepared: PreparedDigit
    box: Box
    number: int = 0
    at_rim: bool = False


@dataclass(slots=True)
class ReadMark:
    """What is no digit: its kind, its box in posted pixels, and the digit that it comes after, None for the first."""

    kind: str
    box: Box
    after: int | None


@dataclass(slots=True)
class Reading:
    """
    What was read in a picture.

    lines: of each the indices of its numbers   numbers: of each the indices of its digits
    angle: of the lines, in degrees, anticlockwise   unused: how many rules, specks and other blobs were left out
    """

    digits: list[ReadDigit] = field(default_factory=list)
    marks: list[ReadMark] = field(default_factory=list)
    numbers: list[list[int]] = field(default_factory=list)
    lines: list[list[int]] = field(default_factory=list)
    angle: float = 0.0
    unused: dict[str, int] = field(default_factory=dict)


def read_picture(picture: Picture, network: Network, options: ReadOptions, limits: Limits) -> Reading:
    """
    Read every digit in a picture.

    raises: InvalidImage without ink or with more than `max_digits` in it; InvalidOption of a region outside the picture
    """
    turns = 0 if options.turn == "auto" else int(options.turn) // 90
    excerpt = excerpt_of(picture, options.region, turns)
    if prices.is_charging():
        prices.charge("find", prices.finding(excerpt.pixels))
    found = find(excerpt.pixels)
    if len(found.blobs) > limits.max_digits:
        raise InvalidImage(
            f"a picture may have {limits.max_digits} digits (max_digits), this has {len(found.blobs)} pieces that may "
            "be one; send a part of it (region)"
        )
    rows = rows_of(found.blobs, found.lines, found.height, found.restored)
    looker = _Looker(found, network)
    first = [candidate for row in rows for candidate in row.first_candidates()]
    looker.look(first)
    room = max(CUTS_AT_LEAST, CUTS_PER_BLOB * len(first))
    for row in rows:
        cut = row.cut(room)
        room -= len(cut)
        looker.look(cut)
    reading = _gathered(found, rows, looker, excerpt, grouped=options.group)
    if len(reading.digits) <= 1:
        _read_as_one(reading, excerpt, network)
    return reading


def charge_results(reading: Reading, network: Network, *, with_image: bool) -> None:
    """Charge the writing of a reading in JSON, before it is done."""
    if prices.is_charging():
        prices.charge("write", prices.results(network, len(reading.digits), with_image=with_image))


class _Looker:
    """Shows candidates to the network, and keeps how each was made a digit, in pixels of the part."""

    def __init__(self, found: Finding, network: Network) -> None:
        self._ink, self._factor = found.page.ink, found.page.factor
        self._network = network
        self.prepared: dict[int, PreparedDigit] = {}

    def look(self, candidates: Sequence[Candidate]) -> None:
        """Give every candidate the network's verdict."""
        if not candidates:
            return
        if prices.is_charging():
            prices.charge("prepare", len(candidates) * prices.FOUND_DIGIT)
            prices.charge("run", prices.running(self._network, len(candidates)))
        for start in range(0, len(candidates), DIGITS_PER_TURN):
            prices.go_on()
            ready = [each for each in candidates[start : start + DIGITS_PER_TURN] if self._made(each)]
            if ready:
                give_verdicts(ready, [self.prepared[id(each)] for each in ready], self._network)

    def _made(self, candidate: Candidate) -> bool:
        """Make a candidate a digit; False where nothing can be made of it."""
        levels, (left, top, step) = picture_of(candidate.blob, self._ink)
        try:
            digit = Picture(levels).prepared()
        except InvalidImage:
            return False
        factor, (height, width) = self._factor, self._ink.shape
        frame = Frame(step * factor, left * factor, top * factor, width * factor, height * factor)
        self.prepared[id(candidate)] = digit.within(frame)
        return True


def give_verdicts(candidates: Sequence[Candidate], prepared: Sequence[PreparedDigit], network: Network) -> None:
    """Write into every candidate what the network says of it."""
    verdicts = network.classify(all_digits(prepared).images)
    for index, candidate in enumerate(candidates):
        candidate.usable = True
        candidate.digit, candidate.probabilities = verdicts.digits[index], verdicts.probabilities[index]
        candidate.confidence = float(candidate.probabilities[candidate.digit])
        candidate.novelty = 0.0 if verdicts.novelty is None else float(verdicts.novelty[index])


def _gathered(found: Finding, rows: list[Row], looker: _Looker, excerpt: Excerpt, *, grouped: bool) -> Reading:
    """Put what was chosen in every line together, in reading order."""
    reading = Reading(angle=-float(np.degrees(np.arctan(found.slope))))
    no_digit = 0
    rows_in, columns_in = found.page.mask.shape
    for row in rows:
        path = row.path()
        no_digit += sum(isinstance(each, Mark) and each.kind == "other" for each in path)
        first = len(reading.digits)
        breaks: list[bool] = []
        blobs: list[Blob] = []
        is_broken = False
        for each in path:
            box = _box(each.blob, found, excerpt)
            if isinstance(each, Mark):
                reading.marks.append(ReadMark(each.kind, box, len(reading.digits) - 1 if blobs else None))
                is_broken |= each.kind != "point"
                continue
            blob = each.blob
            at_rim = blob.top <= 0 or blob.left <= 0 or blob.bottom >= rows_in or blob.right >= columns_in
            reading.digits.append(ReadDigit(each, excerpt.digit(looker.prepared[id(each)]), box, at_rim=at_rim))
            blobs.append(blob)
            breaks.append(is_broken)
            is_broken = False
        if not blobs:
            continue
        groups = numbers_of(blobs, row.height, breaks[1:]) if grouped else [list(range(len(blobs)))]
        reading.lines.append(list(range(len(reading.numbers), len(reading.numbers) + len(groups))))
        for group in groups:
            for index in group:
                reading.digits[first + index].number = len(reading.numbers)
            reading.numbers.append([first + index for index in group])
    reading.unused = {"rules": len(found.rules), "small": found.small, "no_digit": no_digit}
    return reading


def _read_as_one(reading: Reading, excerpt: Excerpt, network: Network) -> None:
    """Read a picture of at most one digit as POST /v1/classify does, which knows more of what is around one."""
    try:
        found = Picture(excerpt.pixels).prepared()
    except InvalidImage:
        return
    height, width = excerpt.pixels.shape[:2]
    x, y, wide, high = found.box
    candidate = Candidate(Blob(y, x, np.ones((high, wide), np.bool_)))
    give_verdicts([candidate], [found], network)
    threshold = network.passport.novelty
    if not reading.digits and (threshold is None or candidate.novelty > threshold.threshold):
        return
    prepared = excerpt.digit(found)
    at_rim = x <= 0 or y <= 0 or x + wide >= width or y + high >= height
    reading.digits = [ReadDigit(candidate, prepared, prepared.box, at_rim=at_rim)]
    reading.numbers, reading.lines = [[0]], [[0]]
    reading.marks = []


def _box(blob: Blob, found: Finding, excerpt: Excerpt) -> Box:
    """Where a blob lies in the posted picture."""
    factor, (height, width) = found.page.factor, excerpt.pixels.shape[:2]
    left, top, right, bottom = (side * factor for side in (blob.left, blob.top, blob.right, blob.bottom))
    return excerpt.box(left, top, min(right, width), min(bottom, height))


__all__ = ["ReadDigit", "ReadMark", "Reading", "read_picture"]
