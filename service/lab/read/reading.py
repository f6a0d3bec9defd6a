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
from service.core.digit.pieces import Plane
from service.core.errors import InvalidImage
from service.core.numbers import Finding, find
from service.core.numbers.blobs import Blob, picture_of
from service.core.numbers.cells import Cell, equal_cells, framed_cells, in_cells
from service.core.numbers.lines import numbers_of
from service.core.numbers.rows import Candidate, Mark, Row, rows_of
from service.core.numbers.seams import Seams
from service.lab import prices
from service.lab.inputs import all_inputs
from service.lab.options import ReadOptions
from service.lab.picture import Picture
from service.lab.read.asked import wanted_length
from service.lab.read.placing import Box, Excerpt, excerpt_of
from service.network.seams import seams_of
from service.network.sessions import Network
from service.settings import Limits

# A JPEG is decoded at the smallest scale whose longer side is still this long, in pixels: a page of small digits needs
# more of them than one digit does.
READ_SIDE = 1600
# Candidates of cuts for every blob that may be a digit, and for a page however few there are.
CUTS_PER_BLOB, CUTS_AT_LEAST = 3, 600
# Digits are shown to the network so many at a time: a page of them is never in memory at once.
DIGITS_PER_TURN = 256
# What a network is so sure of is a digit in a cell, though a strange one; it is not so sure of crosses.
SURE_THOUGH_STRANGE = 0.95


Reads = list[Candidate | Mark]


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
    has_cells: printed cells were found   angle: of the lines, in degrees, anticlockwise
    unused: how many rules, specks and other blobs were left out
    """

    digits: list[ReadDigit] = field(default_factory=list)
    marks: list[ReadMark] = field(default_factory=list)
    numbers: list[list[int]] = field(default_factory=list)
    lines: list[list[int]] = field(default_factory=list)
    angle: float = 0.0
    unused: dict[str, int] = field(default_factory=dict)
    has_cells: bool = False


def read_picture(picture: Picture, network: Network, options: ReadOptions, limits: Limits) -> Reading:
    """
    Read every digit in a picture.

    raises: InvalidImage without ink or with more than `max_digits` in it; InvalidOption of a region outside the picture
    """
    turns = 0 if options.turn == "auto" else int(options.turn) // 90
    excerpt = excerpt_of(picture, options.region, turns)
    if prices.is_charging():
        prices.charge("find", prices.finding(excerpt.pixels))
    found = _laid_out(find(excerpt.pixels, limits.max_digits, prices.charge_found), options)
    rows = rows_of(found.blobs, found.lines, found.height, found.restored)
    looker = _Looker(found, network)
    first = [candidate for row in rows for candidate in row.first_candidates()]
    looker.look(first)
    room = max(CUTS_AT_LEAST, CUTS_PER_BLOB * len(first))
    for row in rows if options.layout != "cells" else ():
        cut = row.cut(found.page.ink, _seams, room)
        room -= len(cut)
        looker.look(cut)
    reading = _gathered(found, rows, looker, excerpt, options)
    if len(reading.digits) <= 1 and not reading.has_cells:
        _read_as_one(reading, excerpt, network)
    return reading


def _laid_out(found: Finding, options: ReadOptions) -> Finding:
    """What was found, in the lines or cells that it was said to be in."""
    if options.layout == "line":
        order = sorted(range(len(found.blobs)), key=lambda index: found.blobs[index].middle)
        return found._replace(lines=[order] if order else [], slope=0.0)
    if options.layout == "cells":
        framed = framed_cells(found.rules, found.height)
        if options.cells is not None:
            framed = [row for row in framed if len(row) == options.cells] or equal_cells(found.blobs, options.cells)
        return in_cells(found, framed) if framed else found
    return found


def charge_results(reading: Reading, network: Network, *, with_image: bool) -> None:
    """Charge the writing of a reading in JSON, before it is done."""
    if prices.is_charging():
        prices.charge("write", prices.results(network, len(reading.digits), with_image=with_image))


class _Looker:
    """
    Shows candidates to the network, and keeps how each was made a digit, in pixels of the excerpt.

    threshold: the novelty above which something is no digit
    """

    def __init__(self, found: Finding, network: Network) -> None:
        self._ink, self._factor = found.page.ink, found.page.factor
        self._network = network
        novelty = network.passport.novelty
        self.threshold = 1.0 if novelty is None else novelty.threshold
        self.prepared: dict[int, PreparedDigit] = {}

    def look(self, candidates: Sequence[Candidate]) -> None:
        """Give every candidate the network's verdict."""
        if not candidates:
            return
        if prices.is_charging():
            pixels = sum(each.blob.mask.size for each in candidates)
            prices.charge("prepare", len(candidates) * prices.FOUND_DIGIT + pixels * prices.FOUND_PIXEL)
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


def _seams(picture: Plane) -> Seams:
    """Where digits touch in the picture of a blob, which is then cut up."""
    prices.charge("find", prices.cutting(picture))
    return seams_of(picture)


def give_verdicts(candidates: Sequence[Candidate], prepared: Sequence[PreparedDigit], network: Network) -> None:
    """Write into every candidate what the network says of it."""
    verdicts = network.classify(all_inputs(prepared, network.passport.input).images)
    for index, candidate in enumerate(candidates):
        candidate.usable = True
        candidate.digit, candidate.probabilities = verdicts.classes[index], verdicts.probabilities[index]
        candidate.confidence = float(candidate.probabilities[candidate.digit])
        candidate.novelty = 0.0 if verdicts.novelty is None else float(verdicts.novelty[index])


def _gathered(found: Finding, rows: list[Row], looker: _Looker, excerpt: Excerpt, options: ReadOptions) -> Reading:
    """Put what was chosen in every line together, in reading order."""
    cells = _Cells(found, options)
    threshold = looker.threshold
    paths = [cells.crossed_out(row.path(), threshold) for row in rows]
    paths = _without_strange_lines(paths, threshold)
    reading = Reading(angle=-float(np.degrees(np.arctan(found.slope))), has_cells=bool(cells.rows))
    for row, path in zip(rows, paths, strict=True):
        groups = _numbers(row, path, grouped=options.group)
        length = wanted_length(options.length)
        if length is not None and len(groups) == 1 and not length[0] <= len(groups[0]) <= length[1]:
            path = cells.crossed_out(row.path(length), threshold)  # noqa: PLW2901
            groups = _numbers(row, path, grouped=False)
        _add_line(reading, path, groups, found, looker, excerpt)
    for cell, after in cells.empty([each.blob for path in paths for each in path], reading, found):
        reading.marks.append(ReadMark("empty", excerpt.box(*(side * found.page.factor for side in cell)), after))
    no_digit = sum(mark.kind == "other" for mark in reading.marks)
    reading.unused = {"rules": len(found.rules), "small": found.small, "no_digit": no_digit}
    return reading


def _without_strange_lines(paths: list[Reads], threshold: float) -> list[Reads]:
    """Take lines in which nothing is like a digit for what they are, print say, where others have digits."""
    are_strange = [all(each.novelty > threshold for each in path if isinstance(each, Candidate)) for path in paths]
    if all(are_strange):
        return paths
    return [
        [Mark("other", each.blob) if isinstance(each, Candidate) else each for each in path] if strange else path
        for path, strange in zip(paths, are_strange, strict=True)
    ]


def _numbers(row: Row, path: Reads, *, grouped: bool) -> list[list[int]]:
    """The digits of a line by number, counted along it."""
    blobs, breaks = [], []
    is_broken = False
    for each in path:
        if isinstance(each, Mark):
            is_broken |= each.kind not in {"point", "comma"}
            continue
        blobs.append(each.blob)
        breaks.append(is_broken)
        is_broken = False
    if not grouped:
        return [list(range(len(blobs)))] if blobs else []
    return numbers_of(blobs, row.height, breaks[1:])


def _add_line(
    reading: Reading,
    path: Reads,
    groups: list[list[int]],
    found: Finding,
    looker: _Looker,
    excerpt: Excerpt,
) -> None:
    """Add what was read in a line, and its numbers."""
    rows, columns = found.page.mask.shape
    first = len(reading.digits)
    for each in path:
        blob, box = each.blob, _box(each.blob, found, excerpt)
        if isinstance(each, Mark):
            reading.marks.append(ReadMark(each.kind, box, len(reading.digits) - 1 if reading.digits[first:] else None))
            continue
        at_rim = blob.top <= 0 or blob.left <= 0 or blob.bottom >= rows or blob.right >= columns
        reading.digits.append(ReadDigit(each, excerpt.digit(looker.prepared[id(each)]), box, at_rim=at_rim))
    if groups:
        reading.lines.append(list(range(len(reading.numbers), len(reading.numbers) + len(groups))))
    for group in groups:
        for index in group:
            reading.digits[first + index].number = len(reading.numbers)
        reading.numbers.append([first + index for index in group])


class _Cells:
    """The printed cells of a page, and what is in each."""

    def __init__(self, found: Finding, options: ReadOptions) -> None:
        self.rows = framed_cells(found.rules, found.height) if options.layout in {"auto", "cells"} else []

    def crossed_out(self, path: Reads, threshold: float) -> Reads:
        """The same path; what fills a cell and is no digit is a cell that was crossed out."""
        if not self.rows:
            return path
        return [
            Mark("crossed", each.blob) if _is_no_digit(each, threshold) and self._holding(each.blob) else each
            for each in path
        ]

    def _holding(self, blob: Blob) -> Cell | None:
        return next((cell for row in self.rows for cell in row if cell.holds(blob)), None)

    def empty(self, blobs: Sequence[Blob], reading: Reading, found: Finding) -> list[tuple[Cell, int | None]]:
        """The cells without ink of rows that have digits, each with the last digit before it in its row."""
        factor = found.page.factor
        empty: list[tuple[Cell, int | None]] = []
        for row in self.rows:
            after: int | None = None
            cells: list[tuple[Cell, int | None]] = []
            for cell in row:
                if not any(cell.holds(blob) for blob in blobs):
                    cells.append((cell, after))
                inside = [
                    index
                    for index, digit in enumerate(reading.digits)
                    if cell.holds(digit.candidate.blob) and digit.candidate.blob.height * factor
                ]
                after = inside[-1] if inside else after
            empty += cells if after is not None else []
        return empty


def _is_no_digit(each: Candidate | Mark, threshold: float) -> bool:
    """Whether what stands in a cell is none: of digits that the network finds strange, it is sure of most."""
    if isinstance(each, Mark):
        return each.kind == "other"
    return each.novelty > threshold and each.confidence < SURE_THOUGH_STRANGE


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
