"""
Rules, frames and underlines are taken off a page, and digits that cross them keep their strokes.

A line is thin across and long along, whatever its slope: its pixels lie in short runs across, and those runs hang
together over a length that no stroke of a digit has. Where a stroke crosses a line the run is longer, so the stroke
stays whole.
"""

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from service.core.digit.pieces import Mask, Plane, painted, pieces_of
from service.core.numbers import thresholds as at
from service.core.numbers.blobs import Charge


@dataclass(frozen=True, slots=True)
class Line:
    """
    A straight line on a page.

    is_level: it runs from left to right, else from top to bottom   first, last: where, along it
    offset, slope: across it, the middle lies at offset + slope * along   thick: how thick it is at most, in pixels
    """

    is_level: bool
    first: float
    last: float
    offset: float
    slope: float
    thick: float

    def at(self, along: float) -> float:
        """Where it lies, across, at a place along it."""
        return self.offset + self.slope * along


def without_lines(ink: Plane, mask: Mask, height: float | None, charge: Charge) -> tuple[Mask, list[Line]]:
    """
    Take the lines off.

    ink: (height, width) float32, how strong it is   mask: of that shape, where there is ink
    height: of the digits, in pixels, where it is known
    charge: told of what may be lines, before each is followed   returns: a mask of that shape, and the lines found
    """
    pieces = pieces_of(mask)
    tall, wide = pieces.bottom - pieces.top, pieces.right - pieces.left
    longer = np.maximum(tall, wide)
    # A piece as long as two digits, or as a large part of the page, may have lines in it.
    lined = longer > at.LINED_PART * max(mask.shape) if height is None else longer > at.LINED_TIMES * height
    # So may thin pieces of one that is dotted or broken.
    shorter = np.minimum(tall, wide)
    thin = (longer > at.DASHED * shorter) & (longer >= at.DASH_LENGTH)
    if not lined.any() and int(thin.sum()) < at.DASHES:
        return mask, []
    lined |= thin
    found = painted(pieces, lined, mask.shape)
    across, along = _runs_across(found), _runs_across(found.T).T
    thick = _thickness(across, along), _thickness(along, across)
    extent = float(wide[lined].max()), float(tall[lined].max())
    least = [at.LINE_PART * side if height is None else min(at.LINE_TIMES * height, side) for side in extent]
    faint = ink > np.float32(at.FAINT_LINE)
    level = _lines(found & (across <= thick[0]), faint, least[0], thick[0], _seed_length(height, thick[0]), charge)
    # Bars of sevens in a row make a line as thick as strokes; a frame as thick as that is longer.
    tall_as = float(np.median(tall[lined])) if height is None else height
    if thick[0] > at.STROKE_THICK * tall_as:
        level = [line for line in level if line[1] - line[0] > at.STROKE_LONG * tall_as]
    lines = [Line(True, *line, thick[0]) for line in level]
    if lines or height is not None:
        between = _between(lines, height)
        if between is not None:
            least[1] = at.CELL_SIDE * between if height is None else min(least[1], at.CELL_SIDE * between)
        elif height is not None:
            least[1] = at.UPRIGHT_TIMES * height  # a one may be much taller than other digits
        thin = (found & (along <= thick[1])).T
        upright = _lines(thin, faint.T, least[1], thick[1], _seed_length(height, thick[1]), charge)
        long = at.UPRIGHT_TIMES * height if height is not None else 0.0
        sides = [Line(False, *line, thick[1]) for line in upright]
        if lines and thick[1] > at.SIDE_THICK * thick[0]:
            sides = [side for side in sides if side.last - side.first > long]  # ones between two rules
        joining = [side for side in sides if _joins(side, lines, 0.0)]
        # Where there are cells, other sides of them may be broken at an end.
        loose = at.BROKEN_END * between if between is not None and len(joining) > 1 else 0.0
        lines += [side for side in sides if side.last - side.first > long or _joins(side, lines, loose)]
    if not lines:
        return mask, []
    taken = _taken(ink, found, across, along, thick, lines)
    return mask & ~taken, lines


def _thickness(across: NDArray[np.int32], along: NDArray[np.int32]) -> float:
    """How thick lines are at most, by what is thin across and longer along; 2 pixels at least."""
    flat = across[(along >= 8) & (along >= 3 * across) & (across > 0)]
    return max(2.0, at.LINE_THICK * float(np.percentile(flat, 30)) + 0.5) if flat.size else 2.0


def _joins(side: Line, levels: list[Line], loose: float) -> bool:
    """
    Whether an upright line reaches from one level line to another, as the side of a cell does and a one seldom.

    loose: how far it may end before one, in pixels, beside what is usual
    """
    reach = side.thick + 3 + loose
    ends = [
        any(abs(level.at(side.at(end)) - end) < reach + level.thick for level in levels)
        for end in (side.first, side.last)
    ]
    return all(ends)


def _seed_length(height: float | None, thick: float) -> float:
    return max(at.SEED_TIMES * thick, 8.0) if height is None else at.SEED * height


def _between(lines: list[Line], height: float | None) -> float | None:
    """The least distance between two neighbouring lines that digits fit between; None where there are not two."""
    offsets = sorted(line.at((line.first + line.last) / 2) for line in lines)
    least = 8.0 if height is None else height
    return min((b - a for a, b in pairwise(offsets) if b - a > least), default=None)


def _taken(
    ink: Plane,
    found: Mask,
    across: NDArray[np.int32],
    along: NDArray[np.int32],
    thicks: tuple[float, float],
    lines: list[Line],
) -> Mask:
    """Where the lines are, but for what crosses them or is clearly darker."""
    taken = np.zeros_like(found)
    for line in lines:
        flat, runs, plane, out, thick = (
            (found, across, ink, taken, thicks[0]) if line.is_level else (found.T, along.T, ink.T, taken.T, thicks[1])
        )
        reach = int(thick / 2 + 2)
        columns = np.arange(max(0, int(line.first)), min(flat.shape[1], int(line.last) + 1))
        middle = np.rint(line.offset + line.slope * columns).astype(np.intp)
        rows = middle[None, :] + np.arange(-reach, reach + 1)[:, None]
        inside = (rows >= 0) & (rows < flat.shape[0])
        rows = np.clip(rows, 0, flat.shape[0] - 1)
        there = inside & flat[rows, columns] & (runs[rows, columns] <= thick)
        if not there.any():
            continue
        levels = plane[rows, columns]
        usual = float(np.median(levels.max(axis=0, where=there, initial=0)[there.any(axis=0)]))
        there &= (levels <= usual + at.CROSSED).all(axis=0, where=there)[None, :] | (levels <= 0.5 * usual)
        out[rows[there], np.broadcast_to(columns, rows.shape)[there]] = True
    return taken


def _runs_across(mask: Mask) -> NDArray[np.int32]:
    """For each pixel that is set, how many are set above and below it without a gap, itself with them; 0 elsewhere."""
    height, width = mask.shape
    flat = np.zeros((width, height + 1), np.int8)
    flat[:, :height] = mask.T
    flat = flat.ravel()
    # Of two neighbours in a column one is set: a run begins, or ends.
    edges = np.flatnonzero(flat != np.concatenate(([0], flat[:-1])))
    start, stop = edges[::2], edges[1::2]
    lengths = np.zeros(flat.size, np.int32)
    lengths[start] = stop - start
    lengths[stop] = start - stop
    return lengths.cumsum(dtype=np.int32).reshape(width, height + 1)[:, :height].T


def _lines(
    thin: Mask, faint: Mask, least: float, thick: float, seed_length: float, charge: Charge
) -> list[tuple[float, float, float, float]]:
    """
    Find the lines from left to right.

    thin: where ink is thin across   faint: where there is any   least: how long a line is at least
    seed_length: how long a piece of thin ink is at least that tells where a line may be
    charge: told of how many such there are, and of how many pieces each is held against
    returns: (first, last, offset, slope) of each
    """
    pieces = pieces_of(thin)
    if not len(pieces.area):
        return []
    tall, wide = pieces.bottom - pieces.top, pieces.right - pieces.left
    flat = tall <= thick + 1 + at.LINE_SLOPE * wide
    seeds = (wide >= max(seed_length, 4.0)) & flat
    stride = thin.shape[1] + 1
    middle = (pieces.start % stride + pieces.stop % stride - 1) / 2
    row = pieces.start // stride
    length = pieces.stop - pieces.start
    centre_x, centre_y = (pieces.left + pieces.right - 1) / 2, (pieces.top + pieces.bottom - 1) / 2
    order = np.argsort(-wide * seeds, kind="stable")[: int(seeds.sum())]
    charge("lines", min(len(order), at.SEEDS), min(len(order), at.SEEDS) * len(pieces.area))
    done = np.zeros(len(pieces.area), bool)
    runs_of = np.argsort(pieces.label, kind="stable")
    heads = np.searchsorted(pieces.label[runs_of], np.arange(len(pieces.area) + 1))
    lines = []
    for seed in order[: at.SEEDS]:
        if done[seed]:
            continue
        done[seed] = True
        near = np.zeros(len(pieces.area), bool)
        near[seed] = True
        slope = offset = 0.0
        for _ in range(3):  # each fit is longer than the last, and tells the slope better
            runs = np.concatenate([runs_of[heads[piece] : heads[piece + 1]] for piece in np.flatnonzero(near)])
            slope, offset = _fit(middle[runs], row[runs], length[runs])
            span = max(1.0, float(pieces.right[near].max() - pieces.left[near].min()))
            if abs(slope) > at.LINE_SLOPE + 2 * thick / span:
                break
            slope = float(np.clip(slope, -at.LINE_SLOPE, at.LINE_SLOPE))
            beyond = np.maximum(0, np.maximum(pieces.left[near].min() - centre_x, centre_x - pieces.right[near].max()))
            reach = np.minimum(thick / 2 + 1, 1 + thick / 4 + 0.02 * beyond)
            more = flat & ~done & (np.abs(centre_y - offset - slope * centre_x) < reach) & (beyond < 2.5 * span)
            if not (more & ~near).any():
                break
            near |= more
        first, last = int(pieces.left[near].min()), int(pieces.right[near].max())
        first, last = _covered(faint, first, last, offset, slope, thick)
        if last - first < least:
            continue
        done |= near & (pieces.left >= first) & (pieces.right <= last)
        lines.append((float(first), float(last - 1), offset, slope))
    return lines


def _covered(faint: Mask, first: int, last: int, offset: float, slope: float, thick: float) -> tuple[int, int]:
    """The longest stretch from `first` to `last` along which there is ink on the line, but for small gaps."""
    columns = np.arange(first, last)
    rows = np.rint(offset + slope * columns).astype(np.intp)
    inside = (rows >= 1) & (rows < faint.shape[0] - 1)
    rows = np.clip(rows, 1, faint.shape[0] - 2) if faint.shape[0] > 2 else np.clip(rows, 0, faint.shape[0] - 1)
    inked = faint[rows, columns]
    if faint.shape[0] > 2:
        inked = inked | faint[rows - 1, columns] | faint[rows + 1, columns]
    inked &= inside
    places = np.flatnonzero(inked)
    if not len(places):
        return first, first
    breaks = np.flatnonzero(np.diff(places) > 3 * thick + 2)
    starts, stops = np.concatenate(([0], breaks + 1)), np.concatenate((breaks, [len(places) - 1]))
    counts = stops - starts + 1
    lengths = places[stops] - places[starts] + 1
    lengths = np.where(counts > at.COVERED * lengths, lengths, 0)
    best = int(lengths.argmax())
    if not lengths[best]:
        return first, first
    return first + int(places[starts[best]]), first + int(places[stops[best]]) + 1


def _fit(x: NDArray[np.float64], y: NDArray[np.intp], weight: NDArray[np.intp]) -> tuple[float, float]:
    """The slope and offset of the line through runs of pixels: the middle of each, its row, and how many it has."""
    total = float(weight.sum())
    mean_x, mean_y = float((x * weight).sum()) / total, float((y * weight).sum()) / total
    # The pixels of a run lie on both sides of its middle.
    spread = float((weight * ((x - mean_x) ** 2 + (weight.astype(np.float64) ** 2 - 1) / 12)).sum())
    slope = float((weight * (x - mean_x) * (y - mean_y)).sum()) / spread if spread else 0.0
    return slope, mean_y - slope * mean_x
