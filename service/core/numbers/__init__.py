"""
Several digits in one picture: found, put into lines, cut apart where they touch, and chosen by what a network says.

    picture -> ink -> without rules and frames -> blobs -> lines -> candidates -> (a network) -> the best path
              ground.py        rules.py         blobs.py  lines.py   cuts.py                     paths.py

None of it depends on the network: `find` says what may be a digit, and `paths.py` chooses by costs that it is given.
Every digit is made MNIST's form by `core/digit`, as a picture of one digit is.
"""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from service.core.digit.ink import checked
from service.core.digit.pieces import Mask, Pieces, pieces_of
from service.core.errors import InvalidImage
from service.core.numbers import thresholds as at
from service.core.numbers.blobs import Blob, Charge, blobs_of
from service.core.numbers.ground import Page, page_of
from service.core.numbers.lines import lines_of
from service.core.numbers.rules import Line, without_lines

__all__ = ["Blob", "Finding", "Page", "find"]


class Finding(NamedTuple):
    """
    What was found on a page.

    page: its ink   blobs: all that may be digits or marks   lines: the blobs of each, in reading order
    height: of a digit, in pixels of the page   slope: of the lines, downwards per pixel to the right
    rules: what was taken off   small: how many specks were left out
    restored: of blobs that stand on a rule, each with the piece of it below: it may be the foot of a two
    """

    page: Page
    blobs: list[Blob]
    lines: list[list[int]]
    height: float
    slope: float
    rules: list[Line]
    small: int
    restored: dict[int, Blob]


def find(picture: NDArray[Any], most: int = 2000, charge: Charge = lambda _what, _count, _size: None) -> Finding:
    """
    Find what may be a digit in a picture.

    picture: (height, width) grey, (height, width, 3) RGB or (height, width, 4) RGBA; uint8, or float 0 to 1
    most: how many digits there may be
    charge: told of lines before they are followed, and of blobs before they are drawn; it may raise
    raises: InvalidImage where there is no ink, or more
    """
    picture = checked(picture)
    pixels = picture.shape[0] * picture.shape[1]
    factor = max(1, int(np.ceil((pixels / at.FIRST_LOOK) ** 0.5)))
    found = _looked_at(picture, factor, most, charge)
    closest = max(1, int(np.ceil((pixels / at.CLOSER_LOOK) ** 0.5)))
    if found.height < at.TOO_LOW and closest < factor:
        found = _looked_at(picture, max(closest, int(factor * found.height / at.TOO_LOW)), most, charge)
    return found


def _looked_at(picture: NDArray[Any], factor: int, most: int, charge: Charge) -> Finding:
    page = page_of(picture, factor)
    pieces = pieces_of(page.mask)
    height = _height_of(pieces, page.mask.shape)
    if len(pieces.area) > at.SPECKS * most:
        raise _too_many(len(pieces.area), most)
    mask, rules = without_lines(page.ink, page.mask, height, charge)
    if rules or height is None:
        pieces = pieces_of(mask)
        known, height = height, _height_of(pieces, mask.shape) or _height_of_all(pieces)
        if known is None and height is not None:
            mask, rules = without_lines(page.ink, page.mask, height, charge)
    if height is None:
        return Finding(page, [], [], 1.0, 0.0, rules, len(pieces.area), {})
    longer = np.maximum(pieces.bottom - pieces.top, pieces.right - pieces.left)
    count = int(np.count_nonzero(longer >= at.SPECK * height))
    if count > most and not rules:
        raise _too_many(count, most)
    blobs, small = blobs_of(mask, at.SPECK * height, charge)
    grid = _Grid(rules, height)
    blobs = [each for each in _without_rests(blobs, mask, height) if not (rules and grid.has(each))]
    if len(blobs) > most:
        raise _too_many(len(blobs), most)
    lines, slope = lines_of(blobs, height)
    return Finding(page, blobs, lines, height, slope, rules, small, _restored(blobs, page.mask & ~mask, rules))


def _too_many(count: int, most: int) -> InvalidImage:
    return InvalidImage(
        f"a picture may have {most} digits (max_digits), this has {count} pieces that may be one; send a part of it "
        "(region)"
    )


def _height_of(pieces: Pieces, shape: tuple[int, ...]) -> float | None:
    """How tall digits are: the height of pieces that are neither long nor flat, by their ink; None without any."""
    tall, wide = pieces.bottom - pieces.top, pieces.right - pieces.left
    longer = np.maximum(tall, wide)
    usable = (tall >= 5) & (wide < 3 * tall) & (tall < 9 * wide)
    inner = usable & (longer < at.LINED_PART * max(shape))
    if inner.any():
        usable = inner
    elif not usable.any():
        return None
    if pieces.area[usable].sum() < at.TELLING * pieces.area.sum():
        return None  # most of the ink hangs together: what does not are its crumbs
    height = _weighted_median(tall[usable], pieces.area[usable])
    whole = usable & (tall > 0.5 * height)
    return _weighted_median(tall[whole], pieces.area[whole])


def _height_of_all(pieces: Pieces) -> float | None:
    """How tall digits are where they all touch: the height of the pieces, by their ink."""
    tall = pieces.bottom - pieces.top
    usable = tall >= 5
    return _weighted_median(tall[usable], pieces.area[usable]) if usable.any() else None


def _weighted_median(values: NDArray[Any], weights: NDArray[Any]) -> float:
    order = np.argsort(values)
    shares = weights[order].cumsum()
    return float(values[order][np.searchsorted(shares, shares[-1] / 2)])


def _restored(blobs: list[Blob], taken: Mask, rules: list[Line]) -> dict[int, Blob]:
    """Blobs that stand on a rule, or hang from one, each with the piece of the rule within its width."""
    found = {}
    levels = [line for line in rules if line.is_level]
    for index, blob in enumerate(blobs) if levels else ():
        reach = max(
            (
                round(line.thick) + 1
                for line in levels
                for edge in (blob.top, blob.bottom - 1)
                if abs(line.at(blob.middle) - edge) < line.thick + 1 and line.first < blob.middle < line.last
            ),
            default=0,
        )
        if not reach:
            continue
        top, bottom = max(0, blob.top - reach), min(len(taken), blob.bottom + reach)
        mask = taken[top:bottom, blob.left : blob.right].copy()
        if mask.any():
            mask[blob.top - top : blob.bottom - top] |= blob.mask
            found[index] = Blob(top, blob.left, mask)
    return found


class _Grid:
    """
    Where lines lie, and where they would go on.

    A level line goes on for a little, an upright one nowhere, for a one may stand there; but cells of one width want
    sides where some were not found.
    """

    def __init__(self, lines: list[Line], height: float) -> None:
        self._lines, self._height = lines, height
        self._is_level = np.array([line.is_level for line in lines], np.bool_)
        self._first, self._last, self._offset, self._slope, self._thick = (
            np.array([(line.first, line.last, line.offset, line.slope, line.thick) for line in lines], np.float64)
            .reshape(-1, 5)
            .T
        )

    def has(self, blob: Blob) -> bool:
        """Whether a blob is what was left over of a line or a corner: a hair, or with most of its ink on the grid."""
        if blob.width < at.HAIR * self._height and blob.height > at.CELL_NARROW * self._height:
            return True
        count = int(np.count_nonzero(blob.mask))
        near = np.zeros_like(blob.mask)
        ys, xs = np.arange(blob.top, blob.bottom)[:, None], np.arange(blob.left, blob.right)[None, :]
        level, upright = (blob.top + blob.bottom) / 2, blob.middle
        for index in self._beside(blob, level, upright):
            line = self._lines[index]
            along, across = (xs, ys) if line.is_level else (ys, xs)
            near |= np.abs(across - line.offset - line.slope * along) < line.thick / 2 + at.REST_OFF
        sides = np.flatnonzero(~self._is_level & (self._first < level) & (level < self._last))
        places = self._offset[sides] + self._slope[sides] * level
        step = _step(places, self._height)
        if step and blob.height > at.CELL_NARROW * step:
            nearest = int(np.abs(places - upright).argmin())
            side, away = self._lines[sides[nearest]], round((upright - float(places[nearest])) / step)
            if away and abs(away) <= at.SIDES_MISSED:
                wanted = side.offset + side.slope * ys + away * step
                near |= np.abs(xs - wanted) < side.thick / 2 + max(at.REST_OFF, at.SIDE_OFF * step)
        return int(np.count_nonzero(blob.mask & near)) > at.REST_SHARE * count

    def _beside(self, blob: Blob, level: float, upright: float) -> list[int]:
        """Which lines a blob, whose middle is given, lies on, or where they would go on; of all of them at once."""
        along, across = (np.where(self._is_level, *places) for places in ((upright, level), (level, upright)))
        off = np.abs(self._offset + self._slope * along - across)
        more = np.where(self._is_level, at.GOES_ON * self._height, 3.0)
        begin, end = (
            np.where(self._is_level, *sides) for sides in ((blob.left, blob.top), (blob.right - 1, blob.bottom - 1))
        )
        is_beside = off <= np.where(self._is_level, blob.height, blob.width) + self._thick
        is_beside &= (begin <= self._last + more) & (end >= self._first - more)
        return np.flatnonzero(is_beside).tolist()


def _step(places: NDArray[np.float64], height: float) -> float:
    """How wide cells are, by where their sides are; 0 where these are few, or not of one width but for missing ones."""
    steps = np.diff(np.sort(places))
    steps = steps[steps > at.CELL_NARROW * height]
    if len(steps) + 1 < at.EVEN_SIDES:
        return 0.0
    step = float(np.median(steps))
    off = np.abs(steps / step - np.rint(steps / step))
    return step if float((off < at.UNEVEN).mean()) > at.MOSTLY_EVEN else 0.0


def _without_rests(blobs: list[Blob], mask: Mask, height: float) -> list[Blob]:
    """Without what the rim of the picture cuts off of something else: low, and at the rim."""
    rows, columns = mask.shape
    kept = []
    for blob in blobs:
        at_rim = blob.top == 0 or blob.left == 0 or blob.bottom == rows or blob.right == columns
        in_corner = (blob.top == 0 or blob.bottom == rows) and (blob.left == 0 or blob.right == columns)
        across = (blob.top <= 1 and blob.bottom >= rows - 1) or (blob.left <= 1 and blob.right >= columns - 1)
        if across and min(blob.height, blob.width) < 0.35 * height and max(blob.height, blob.width) > 1.3 * height:
            continue
        if (at_rim and blob.height < 0.6 * height) or (in_corner and blob.width < 0.3 * height):
            continue
        kept.append(blob)
    return kept
