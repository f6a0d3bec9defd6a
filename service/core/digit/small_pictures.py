"""
What only small pictures suffer from: single wrong pixels, lines as thin as a pixel, strokes drawn as outlines.

In a large picture a pixel is averaged away long before it could be taken for ink.
"""

import numpy as np
from numpy.typing import NDArray

from service.core.digit import thresholds as at
from service.core.digit.pieces import Mask, Plane, extent_of, grown, painted, pieces_of
from service.core.digit.thresholds import KEPT


def without_impulses(ink: Plane) -> Plane:
    """
    Remove single wrong pixels where there are several: each is held between the ranks of its eight neighbours.

    ink: (height, width) float32, 0 to 1; it comes back as it is where there are few   returns: the same

    Only small pictures need it: in others a pixel is averaged away.
    """
    mask = ink > at.MOSTLY_INK
    apart = mask.copy()
    apart[:, 1:] &= ~mask[:, :-1]
    apart[:, :-1] &= ~mask[:, 1:]
    if np.count_nonzero(apart) < at.LONE_PIXELS:
        return ink
    # A raster's dots touch each other's corners: they are drawn.
    ends = np.zeros_like(mask)
    ends[1:] |= mask[:-1]
    ends[:-1] |= mask[1:]
    beside = mask | ends
    ends[:, 1:] |= beside[:, :-1]
    ends[:, :-1] |= beside[:, 1:]
    lone = mask & ~ends
    if np.count_nonzero(lone) < at.LONE_PIXELS:
        return ink
    top, bottom, left, right = extent_of(lone)
    if bottom - top < at.LONE_SPAN * len(lone) or right - left < at.LONE_SPAN * lone.shape[1]:
        return ink
    for _ in range(2):
        height, width = ink.shape
        padded = np.pad(ink, 1)
        around = np.stack(
            [padded[y : y + height, x : x + width] for y in range(3) for x in range(3) if (y, x) != (1, 1)]
        )
        around.partition(at.NEIGHBOUR_RANKS, axis=0)
        ink = np.clip(ink, *(around[rank] for rank in at.NEIGHBOUR_RANKS))
    return ink


def without_hairs(ink: Plane) -> Plane:
    """
    Remove what runs beyond the digit in a picture of 28 x 28: crumbs, or else a thin line.

    ink: (28, 28) float32, 0 to 1; it comes back as it is where nothing does   returns: the same

    An ink wider than a digit can be in MNIST's field is first rid of its small pieces. If it is as wide as before, an
    opening by 2 x 2 pixels removes what is thinner than two; it is used where that makes the ink clearly less wide and
    leaves most of it.
    """
    width = _width(ink)
    if width <= KEPT[1]:
        return ink
    swept = _without_crumbs(ink)
    if _width(swept) <= KEPT[1]:
        return swept
    least = np.minimum(ink[1:], ink[:-1])
    least = np.pad(np.minimum(least[:, 1:], least[:, :-1]), 1)
    opened = np.maximum(least[1:], least[:-1])
    opened = np.maximum(opened[:, 1:], opened[:, :-1])
    if not 0 < _width(opened, at.OPENED_INKED) <= width - at.HAIR_LENGTH or opened.sum() < at.HAIR_LEAVES * ink.sum():
        return ink
    return _without_crumbs(np.maximum(opened - at.OPENED_GROUND, 0) * at.OPENED_GAIN)


def _width(ink: Plane, level: np.float32 = at.INKED) -> int:
    """Return how many columns lie between the first and the last that has ink above a level, both counted."""
    columns = np.flatnonzero((ink > level).any(axis=0))
    return int(columns[-1] - columns[0]) + 1 if len(columns) else 0


def _without_crumbs(ink: Plane) -> Plane:
    """Remove the pieces that are small beside the largest."""
    mask = ink > at.INKED
    pieces = pieces_of(mask)
    crumbs = pieces.area < at.CRUMB * pieces.area.max(initial=0)
    return np.where(grown(painted(pieces, crumbs, ink.shape)), np.float32(0), ink) if crumbs.any() else ink


def outline_filled(ink: Plane) -> Plane:
    """
    Fill strokes of which only the outline is drawn, in a picture without greys.

    ink: (height, width) float32, 0 to 1; it comes back as it is where none is an outline   returns: the same

    What a line encloses is found as in filling a polygon: a way out in any of eight directions crosses an odd number of
    lines. It is an outline if nearly every pixel of it borders what it encloses, and that is long and thin.
    """
    if np.count_nonzero((ink > at.GREY_FROM) & (ink < at.GREY_TO)):
        return ink
    line = ink > at.MOSTLY_INK
    count = int(line.sum())
    if 2 * count > at.ONE_PIXEL_WIDE * _outline_length(line):
        return ink
    inside = (_odd_ways_out(line) >= at.WAYS_OUT) & ~line
    enclosed, border = int(inside.sum()), _outline_length(inside)
    runs = np.concatenate((_runs(line)[:, -1], _runs(line.T)[:, -1]))
    drawn_on_both_sides = np.count_nonzero((runs > 0) & (runs % 2 == 0)) > at.DRAWN_TWICE * np.count_nonzero(runs)
    is_outline = (
        at.ENCLOSED_FROM * count < enclosed < at.ENCLOSED_TO * count
        and border**2 > at.ENCLOSED_LONG * enclosed
        and drawn_on_both_sides
        and np.count_nonzero(grown(inside) & line) > at.OUTLINE_BORDERS * count
    )
    return (line | inside).astype(np.float32) if is_outline else ink


def _odd_ways_out(line: Mask) -> NDArray[np.intp]:
    """Count for every place in how many of eight directions an odd number of lines is crossed on the way out."""
    height, width = line.shape
    ways = np.zeros(line.shape, np.intp)
    ways += _odd_sides(line)
    ways += _odd_sides(line.T).T
    for turned in (line, line[:, ::-1]):
        # Rows moved one further each, so that a diagonal becomes a column.
        moved = np.zeros(height * (width + height + 1), np.bool_)
        moved.reshape(height, -1)[:, :width] = turned
        columns = moved[: height * (width + height)].reshape(height, -1)
        sides = np.zeros(moved.shape, np.intp)
        sides[: height * (width + height)] = _odd_sides(columns.T).T.ravel()
        diagonal = sides.reshape(height, -1)[:, :width]
        ways += diagonal if turned is line else diagonal[:, ::-1]
    return ways


def _odd_sides(line: Mask) -> NDArray[np.intp]:
    """Return in how many of the two directions along a row an odd number of lines is crossed."""
    crossed = _runs(line)
    return (crossed & 1) + ((crossed[:, -1:] - crossed) & 1)


def _runs(mask: Mask) -> NDArray[np.intp]:
    """Return how many runs of set pixels have begun in each row so far."""
    begun = mask.copy()
    begun[:, 1:] &= ~mask[:, :-1]
    return begun.cumsum(axis=1)


def _outline_length(mask: Mask) -> int:
    """Return how many sides of pixels separate what is set from what is not."""
    inner = np.count_nonzero(mask[1:] != mask[:-1]) + np.count_nonzero(mask[:, 1:] != mask[:, :-1])
    return int(inner + mask[0].sum() + mask[-1].sum() + mask[:, 0].sum() + mask[:, -1].sum())
