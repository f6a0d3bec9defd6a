"""
Touching digits are cut apart, along several paths, so that what reads them may choose.

A cut runs from the top of a blob to its bottom through as little ink as it can, to either side as far as it likes:
digits nest (Casey and Lecolinet, "A survey of methods and strategies in character segmentation", 1996, have the kinds).
Ink on a seam, where a network says that two digits touch, costs little.
"""

from itertools import pairwise
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from service.core.digit.pieces import Plane
from service.core.numbers.blobs import Blob, trimmed
from service.core.numbers.seams import DIGIT_ROWS, Seams

Columns = NDArray[np.intp]

# A pixel of ink costs 1, one of paper this much, and a step aside this much more: of two ways around, the shorter is
# taken.
PAPER, ASIDE = np.float32(0.01), np.float32(0.3)
# Ink on a seam costs as little as this.
SEAM = np.float32(0.02)
# A cut costs at most this share of a digit's height.
THROUGH = 0.3
# Cuts for each height of width, and so many more.
DENSITY, MORE = 2.5, 2
# What lies between two cuts, or beside one, has at least this much ink, in squares of the height.
SLIVER = 0.03
# Rows that a cut may be told by, as shares of the height: two cuts through one place of all of them are one.
ANCHORS = (0.3, 0.5, 0.7)


class Cuts(NamedTuple):
    """
    A blob, cut up.

    parts: left to right; whole digits are some of them joined
    costs: between each and the next, how much ink the cut goes through that is not on a seam, in digit heights
    classes: (parts, classes), the ink of each by whose it is   ink: (parts,), all of it
    """

    parts: list[Blob]
    costs: list[float]
    classes: NDArray[np.float32]
    ink: NDArray[np.float32]


def cut_up(blob: Blob, picture: Plane, seams: Seams) -> Cuts:
    """
    Cut a blob into parts.

    picture: of the blob, as core.numbers.seams.seam_picture() draws it   seams: what a network said of it
    """
    rows, columns = picture.shape
    paths, totals = _paths(picture, seams.seam[:rows, :columns], max(2, round(DENSITY * columns / DIGIT_ROWS + MORE)))
    # Sorted in every row, so that cuts that cross become cuts that touch.
    paths = np.sort(paths, axis=0)
    row = ((np.arange(blob.height) + 0.5) * (rows / blob.height)).astype(np.intp)
    places = (paths[:, row] + 0.5) * (blob.width / columns)
    part = (np.arange(blob.width) + 0.5 >= places[:, :, None]).sum(axis=0)
    masks = [blob.mask & (part == index) for index in range(len(paths) + 1)]
    there = [index for index, mask in enumerate(masks) if mask.any()]
    small = (np.arange(columns) >= paths[:, :, None]).sum(axis=0).ravel()
    ink, classes = _by_part(small, len(masks), picture, seams.classes)
    costs = [float(totals[one:other].min()) / DIGIT_ROWS for one, other in pairwise(there)]
    return Cuts(
        [trimmed(Blob(blob.top, blob.left, masks[index])) for index in there], costs, classes[there], ink[there]
    )


def _by_part(
    part: NDArray[np.intp], count: int, picture: Plane, classes: NDArray[np.float32]
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """How much ink each part has, (count,), and by whose it is, (count, classes)."""
    rows, columns = picture.shape
    large = classes.repeat(2, axis=1).repeat(2, axis=2)[:, :rows, :columns].reshape(len(classes), -1)
    weights = picture.ravel()
    ink = np.bincount(part, weights, count)
    each = [np.bincount(part, weights * plane, count) for plane in large]
    return ink.astype(np.float32), np.array(each, np.float32).T


def _paths(ink: Plane, seams: Plane, most: int) -> tuple[Columns, NDArray[np.float32]]:
    """
    Find the best paths from top to bottom: through every column of a few rows the cheapest, of those the best.

    ink, seams: (rows, columns), 0 to 1
    returns: (paths, rows), the column of each, left to right; and (paths,), what each costs
    """
    height, width = ink.shape
    costs = PAPER + ink * np.maximum(1 - seams, SEAM)
    above, from_above = _ways(costs)
    below, from_below = _ways(costs[::-1])
    found, totals = [], []
    for share in ANCHORS:
        anchor = int(share * (height - 1))
        paths = np.empty((width, height), np.intp)
        paths[:, anchor] = np.arange(width)
        for row in range(anchor - 1, -1, -1):
            paths[:, row] = from_above[row + 1, paths[:, row + 1]]
        for row in range(anchor + 1, height):
            paths[:, row] = from_below[height - row, paths[:, row - 1]]
        found.append(paths)
        totals.append(above[anchor] + below[height - 1 - anchor] - costs[anchor])
    paths, total = np.concatenate(found), np.concatenate(totals)
    # How much ink lies to the left of each path, in every row.
    before = np.concatenate((np.zeros((height, 1), np.float32), ink.cumsum(axis=1)), axis=1)[np.arange(height), paths]
    sliver = SLIVER * DIGIT_ROWS * DIGIT_ROWS
    left, all_ink = before.sum(axis=1), float(ink.sum())
    usable = (total < THROUGH * DIGIT_ROWS) & (left > sliver) & (left < all_ink - sliver)
    chosen: list[int] = []
    for index in np.argsort(np.where(usable, total, np.inf), kind="stable"):
        if len(chosen) >= most or not usable[index]:
            break
        if not chosen or np.abs(before[chosen] - before[index]).sum(axis=1).min() > sliver:
            chosen.append(int(index))
    chosen.sort(key=lambda index: float(left[index]))
    return paths[chosen], total[chosen]


def _ways(costs: Plane) -> tuple[Plane, Columns]:
    """
    Find the cheapest way from the first row to every place.

    returns: its cost; and the column of the row before from which the way came; both (rows, columns)
    """
    columns = np.arange(costs.shape[1])
    total = np.zeros(costs.shape[1], np.float32)
    totals, came = np.empty_like(costs), np.empty(costs.shape, np.intp)
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
        totals[row] = total = np.minimum(by_right, by_left)
    return totals, came
