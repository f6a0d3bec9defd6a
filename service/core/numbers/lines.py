"""Shapes in reading order: lines along the slope that they are written with, left to right in each."""

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from service.core.numbers.blobs import Blob

# Right neighbours that a blob may be linked with.
NEIGHBOURS = 4
# Links by which the slope of a page is told; fewer tell nothing.
SLOPE_LINKS = 5
# The slope, downwards, that a page may have at most.
STEEPEST = 0.2
# Two blobs of one line share at least this of the height of the lower one.
SHARED = 0.12
# What a height between two middles counts, against a height of distance.
APART_ACROSS, APART_ALONG = 1.0, 0.12
# Two blobs of a line lie one above the other by less than this share of the narrower.
STACKED = 0.6
# A lower blob, in digit heights, may lie above or below another of its line: it may be a part of it.
LOW = 0.55


def lines_of(blobs: Sequence[Blob], height: float) -> tuple[list[list[int]], float]:
    """
    Put blobs into lines.

    height: of a digit, in pixels
    returns: the indices of the blobs of every line, top to bottom and left to right; and the slope, downwards per
        pixel to the right
    """
    if not blobs:
        return [], 0.0
    left, right = np.array([s.left for s in blobs], float), np.array([s.right for s in blobs], float)
    top, bottom = np.array([s.top for s in blobs], float), np.array([s.bottom for s in blobs], float)
    x, y = (left + right) / 2, (top + bottom) / 2
    slope = _slope(x, y, bottom - top, height)
    top, bottom, y = top - slope * x, bottom - slope * x, y - slope * x
    whole = bottom - top > LOW * height
    line_of = list(range(len(blobs)))
    members = {index: [index] for index in line_of}
    for _, one, other in sorted(_links(x, y, top, bottom, height)):
        first, second = line_of[one], line_of[other]
        if first == second or _stacked(members[first], members[second], whole, left, right):
            continue
        members[first] += members[second]
        for index in members.pop(second):
            line_of[index] = first
    ordered = sorted(members.values(), key=lambda line: float(np.mean(y[line])))
    return [sorted(line, key=lambda index: float(x[index])) for line in ordered], slope


def _slope(x: NDArray[np.float64], y: NDArray[np.float64], tall: NDArray[np.float64], height: float) -> float:
    """The slope of most steps from a blob to the next on its right."""
    order = np.argsort(x)
    x, y, tall = x[order], y[order], tall[order]
    slopes, weights = [], []
    whole = tall > 0.6 * height
    for index in range(len(x)):
        if not whole[index]:
            continue
        last = np.searchsorted(x, x[index] + 3 * height, side="right")
        ahead = np.arange(index + 1, last)
        ahead = ahead[(x[ahead] > x[index] + 0.3 * height) & whole[ahead]]
        ahead = ahead[np.abs(y[ahead] - y[index]) < 0.5 * height]
        if len(ahead):
            near = ahead[0]
            slopes.append((y[near] - y[index]) / (x[near] - x[index]))
            weights.append(x[near] - x[index])
    if len(slopes) < SLOPE_LINKS:
        return 0.0
    ranks = np.argsort(slopes)
    shares = np.cumsum(np.array(weights)[ranks]) / sum(weights)
    return float(np.clip(np.array(slopes)[ranks][np.searchsorted(shares, 0.5)], -STEEPEST, STEEPEST))


def _links(
    x: NDArray[np.float64],
    y: NDArray[np.float64],
    top: NDArray[np.float64],
    bottom: NDArray[np.float64],
    height: float,
) -> list[tuple[float, int, int]]:
    """Pairs that may be neighbours in a line, each with how unlikely it is."""
    links = []
    order = np.argsort(x, kind="stable")
    for place, index in enumerate(order[:-1]):
        ahead = order[place + 1 :]
        shared = np.minimum(bottom[ahead], bottom[index]) - np.maximum(top[ahead], top[index])
        lower = np.minimum(bottom[ahead] - top[ahead], bottom[index] - top[index])
        near = ahead[shared > SHARED * lower][:NEIGHBOURS]
        costs = APART_ACROSS * np.abs(y[near] - y[index]) + APART_ALONG * (x[near] - x[index])
        links += [(float(cost) / height, int(index), int(other)) for cost, other in zip(costs, near, strict=True)]
    return links


def _stacked(
    one: list[int],
    other: list[int],
    whole: NDArray[np.bool_],
    left: NDArray[np.float64],
    right: NDArray[np.float64],
) -> bool:
    """Whether a blob of one line lies above or below a blob of the other."""
    a, b = np.array(one)[:, None], np.array(other)[None, :]
    both = whole[a] & whole[b]
    over = np.minimum(right[a], right[b]) - np.maximum(left[a], left[b])
    return bool((both & (over > STACKED * np.minimum(right[a] - left[a], right[b] - left[b]))).any())


def numbers_of(blobs: Sequence[Blob], height: float, breaks: Sequence[bool]) -> list[list[int]]:
    """
    Divide a line into numbers: where a gap is clearly wider than its usual one, or a mark lies between.

    blobs: of the digits of a line, left to right   breaks: for each but the first, whether a mark lies before it
    """
    if not blobs:
        return []
    gaps = [max(0.0, float(b.left - a.right)) for a, b in pairwise(blobs)]
    usual = float(np.median(gaps)) if gaps else 0.0
    numbers = [[0]]
    for index, gap in enumerate(gaps, 1):
        if breaks[index - 1] or gap > 0.5 * height + 1.6 * usual:
            numbers.append([])
        numbers[-1].append(index)
    return numbers
