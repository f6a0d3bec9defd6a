"""
Touching digits are cut apart, along several paths, so that what reads them may choose.

A cut runs from the top of a blob to its bottom through as little ink as it can, to either side as far as it likes:
digits nest (Casey and Lecolinet, "A survey of methods and strategies in character segmentation", 1996, have the kinds).
"""

import numpy as np
from numpy.typing import NDArray

from service.core.digit.pieces import Plane
from service.core.numbers.blobs import Blob, trimmed

Columns = NDArray[np.intp]

# Cuts are looked for in a copy of at most this many rows.
ROWS = 40
# A pixel of ink costs 1, one of paper this much, and a step aside this much more: of two ways around, the shorter is
# taken.
PAPER, ASIDE = np.float32(0.01), np.float32(0.8)
# A cut costs at most this share of a blob's height.
THROUGH = 0.75
# Cuts for each height of width, and by how many there are fewer of all.
DENSITY, FEWER = 10, 3
# What lies between two cuts, or beside one, has at least this much ink, in squares of the height.
SLIVER = 0.03
# Rows that a cut may be told by, as shares of the height: two cuts through one place of all of them are one.
ANCHORS = (0.3, 0.5, 0.7)


def cut_up(blob: Blob, height: float) -> list[Blob]:
    """
    Cut a blob into parts, left to right; whole digits are some of them joined.

    height: of the digits of its line, in pixels
    """
    step = -(-blob.height // ROWS)
    small = blob.mask[::step, ::step].astype(np.float32)
    paths = _paths(small, max(2, round(DENSITY * blob.width / height - FEWER)))
    if not len(paths):
        return [blob]
    # Sorted in every row, so that cuts that cross become cuts that touch.
    rows = np.minimum(np.arange(blob.height) // step, small.shape[0] - 1)
    places = np.sort(paths, axis=0)[:, rows] * step
    part = (np.arange(blob.width) >= places[:, :, None]).sum(axis=0)
    parts = [Blob(blob.top, blob.left, blob.mask & (part == index)) for index in range(len(paths) + 1)]
    return [trimmed(each) for each in parts if each.mask.any()]


def _paths(ink: Plane, most: int) -> Columns:
    """
    Find the best paths from top to bottom: through every column of a few rows the cheapest, of those the best.

    ink: (rows, columns), 1 or 0   returns: (paths, rows), the column of each, left to right
    """
    height, width = ink.shape
    costs = np.maximum(ink, PAPER)
    found, totals = [], []
    for share in ANCHORS:
        anchor = int(share * (height - 1))
        above, from_above = _ways(costs[: anchor + 1])
        below, from_below = _ways(costs[anchor:][::-1])
        paths = np.empty((width, height), np.intp)
        paths[:, anchor] = np.arange(width)
        for came, rows in ((from_above, range(anchor - 1, -1, -1)), (from_below, range(anchor + 1, height))):
            place = np.arange(width)
            for back, row in enumerate(rows, 1):
                place = came[len(came) - back, place]
                paths[:, row] = place
        found.append(paths)
        totals.append(above + below - costs[anchor])
    paths, total = np.concatenate(found), np.concatenate(totals)
    # How much ink lies to the left of each path, in every row.
    before = np.concatenate((np.zeros((height, 1), np.float32), ink.cumsum(axis=1)), axis=1)[np.arange(height), paths]
    sliver = max(2.0, SLIVER * height * height)
    left, all_ink = before.sum(axis=1), float(ink.sum())
    usable = (total < THROUGH * height) & (left > sliver) & (left < all_ink - sliver)
    chosen: list[int] = []
    for index in np.argsort(np.where(usable, total, np.inf), kind="stable"):
        if len(chosen) >= most or not usable[index]:
            break
        if not chosen or np.abs(before[chosen] - before[index]).sum(axis=1).min() > sliver:
            chosen.append(int(index))
    chosen.sort(key=lambda index: float(left[index]))
    return paths[chosen]


def _ways(costs: Plane) -> tuple[Plane, Columns]:
    """
    Find the cheapest way from the first row to each column of the last.

    returns: its cost; and for every row but the last, (rows - 1, columns), the column from which the next was entered,
        by the column that the way had come to there
    """
    columns = np.arange(costs.shape[1])
    total = np.zeros(costs.shape[1], np.float32)
    came = np.empty((len(costs), costs.shape[1]), np.intp)
    for row, cost in enumerate(costs):
        down = total + cost
        dear = cost + ASIDE
        until = dear.cumsum()
        rightwards, leftwards = down - until, (down + until - dear)[::-1]
        least_right, least_left = np.minimum.accumulate(rightwards), np.minimum.accumulate(leftwards)
        from_left = np.maximum.accumulate(np.where(rightwards == least_right, columns, 0))
        from_right = columns[-1] - np.maximum.accumulate(np.where(leftwards == least_left, columns, 0))[::-1]
        by_right, by_left = least_right + until, least_left[::-1] - (until - dear)
        came[row] = np.where(by_right <= by_left, from_left, from_right)
        total = np.minimum(by_right, by_left)
    return total, came[1:]
