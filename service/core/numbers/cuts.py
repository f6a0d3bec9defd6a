"""
Touching digits are cut apart, along several paths, so that what reads them may choose.

A cut runs from the top of a blob to its bottom, by one pixel to either side a row at most, through as little ink as it
can (Casey and Lecolinet, "A survey of methods and strategies in character segmentation", 1996, have the kinds).
"""

import numpy as np
from numpy.typing import NDArray

from service.core.numbers.blobs import Blob

# Cuts are looked for in a copy of at most this many rows.
ROWS = 40
# A step aside costs this much of a pixel of ink.
ASIDE = np.float32(0.12)
# A pixel of ink costs 1, one of paper this much: of two ways around, the shorter is taken.
PAPER = np.float32(0.01)
# A cut goes through at most this share of a blob's height in ink.
THROUGH = 0.75
# Cuts are this share of the height apart.
APART = 0.1
# Cuts for each height of width.
DENSITY = 9
# Paths that share this much of the ink that they go through are one.
SAME = 0.7


def cut_up(blob: Blob, height: float) -> list[Blob]:
    """
    Cut a blob into parts, left to right; whole digits are some of them joined.

    height: of the digits of its line, in pixels
    """
    step = -(-blob.height // ROWS)
    small = blob.mask[::step, ::step].astype(np.float32)
    paths = _paths(small, max(2, round(APART * height / step)), max(2, round(DENSITY * blob.width / height)))
    if not len(paths):
        return [blob]
    # Sorted in every row, so that cuts that cross become cuts that touch.
    rows = np.minimum(np.arange(blob.height) // step, small.shape[0] - 1)
    places = np.sort(paths, axis=0)[:, rows] * step
    part = (np.arange(blob.width) >= places[:, :, None]).sum(axis=0)
    parts = []
    for index in range(len(paths) + 1):
        mask = blob.mask & (part == index)
        if not mask.any():
            continue
        down, across = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
        top, left = int(down[0]), int(across[0])
        inner = mask[top : down[-1] + 1, left : across[-1] + 1]
        parts.append(Blob(blob.top + top, blob.left + left, inner))
    return parts


def _paths(ink: NDArray[np.float32], apart: int, most: int) -> NDArray[np.intp]:
    """
    Find the best paths from top to bottom: for every column of the middle row the cheapest, of those the locally best.

    returns: (paths, rows), the column of each
    """
    height, width = ink.shape
    if width < 2 * apart + 1:
        return np.zeros((0, height), np.intp)
    costs = np.maximum(ink, PAPER)
    middle = height // 2
    above, from_above = _ways(costs[: middle + 1])
    below, from_below = _ways(costs[middle:][::-1])
    total = above + below - costs[middle]
    columns = np.arange(width)
    paths = np.empty((width, height), np.intp)
    paths[:, middle] = columns
    for came, rows in ((from_above, range(middle - 1, -1, -1)), (from_below, range(middle + 1, height))):
        place = columns.copy()
        for step, row in enumerate(rows, 1):
            place = place + came[len(came) - step, place]
            paths[:, row] = place
    through = ink[np.arange(height), paths] > 0
    inked = through.sum(axis=1)
    # A path beside all ink, or through too much of it, cuts nothing apart.
    first = np.where(ink.any(axis=1), ink.argmax(axis=1), width)
    last = np.where(ink.any(axis=1), width - 1 - ink[:, ::-1].argmax(axis=1), -1)
    divides = (paths > first + apart / 2).any(axis=1) & (paths < last - apart / 2).any(axis=1)
    usable = (inked <= THROUGH * height) & divides & (columns >= apart / 2) & (columns <= width - apart / 2)
    chosen: list[int] = []
    for column in np.argsort(np.where(usable, total, np.inf), kind="stable"):
        if len(chosen) >= most or not usable[column]:
            break
        if all(abs(column - other) >= apart and _differs(paths, through, column, other) for other in chosen):
            chosen.append(int(column))
    return paths[sorted(chosen)]


def _ways(costs: NDArray[np.float32]) -> tuple[NDArray[np.float32], NDArray[np.int8]]:
    """The cost of the cheapest way from the first row to each column of the last, and the steps back of each row."""
    total = costs[0].copy()
    came = np.zeros((len(costs) - 1, costs.shape[1]), np.int8)
    infinite = np.full(1, np.inf, np.float32)
    for row in range(1, len(costs)):
        left, right = np.concatenate((infinite, total[:-1])) + ASIDE, np.concatenate((total[1:], infinite)) + ASIDE
        best = np.minimum(left, right)
        came[row - 1] = np.where(best < total, np.where(left <= right, -1, 1), 0)
        total = np.minimum(best, total) + costs[row]
    return total, came


def _differs(paths: NDArray[np.intp], through: NDArray[np.bool_], one: int, other: int) -> bool:
    """Whether two paths go through different ink."""
    same = through[one] & through[other] & (np.abs(paths[one] - paths[other]) <= 1)
    return int(same.sum()) < SAME * max(1, min(int(through[one].sum()), int(through[other].sum())))
