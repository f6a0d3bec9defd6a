"""
The connected pieces of a mask, and the words all steps of the normaliser share.

Pieces are labelled in numpy, on runs of pixels instead of pixels: a few hundred runs describe a photo of a digit, so
no image library is needed for it.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from service.core.errors import InvalidImage

Plane = NDArray[np.float32]  # (height, width), ink or levels, mostly 0 to 1
Mask = NDArray[np.bool_]  # (height, width), where something is
Runs = NDArray[np.int32]  # (runs,), of which a page may have a million: 32 bits halve what they hold


class Told(NamedTuple):
    """
    Who is told of dear steps before each is taken; what it raises ends the work.

    looked: of each part of a picture that will be looked at   joined: of broken ink, of how many pieces
    thinned: of a broad stroke, of how many pixels may be taken off its sides
    """

    looked: Callable[[NDArray[Any]], None] = lambda _: None
    joined: Callable[[int], None] = lambda _: None
    thinned: Callable[[int], None] = lambda _: None


NOBODY = Told()
BLANK = "a digit needs ink, this picture is blank"


def blank(levels: float) -> InvalidImage:
    """
    Make the refusal of a picture whose levels differ by so many of 255.

    >>> blank(0.0).detail
    'a digit needs ink, this picture is blank: its levels differ by 0 of 255'
    """
    return InvalidImage(f"{BLANK}: its levels differ by {levels:.2g} of 255")


@dataclass(frozen=True, slots=True)
class Pieces:
    """
    The connected pieces of a mask of (height, width).

    start, stop: (runs,), where each run of set pixels begins and ends, as a place row * (width + 1) + column
    label: (runs,), the piece that a run is of, 0 to pieces - 1
    area: (pieces,), in pixels   top, bottom, left, right: (pieces,), in rows and columns, ends exclusive
    """

    start: Runs
    stop: Runs
    label: Runs
    area: NDArray[np.intp]
    top: NDArray[np.intp]
    bottom: NDArray[np.intp]
    left: NDArray[np.intp]
    right: NDArray[np.intp]


def pieces_of(mask: Mask) -> Pieces:
    """
    Label the 8-connected pieces of a mask, (height, width), working on runs of pixels instead of pixels.

    >>> pieces_of(np.array([[1, 0, 1], [1, 0, 1]], np.bool_)).area
    array([2, 2])
    """
    height, width = mask.shape
    stride = width + 1
    padded = np.zeros(height * stride + 1, np.int8)
    padded[1:].reshape(height, stride)[:, :width] = mask
    edges = np.flatnonzero(padded[1:] != padded[:-1])
    if len(edges) % 2:
        edges = np.append(edges, height * stride)
    start, stop = edges[::2].astype(np.int32), edges[1::2].astype(np.int32)
    del edges, padded
    first = _first_of_each(*_touching(start, stop, stride), len(start))
    # A piece has the number of its first run among first runs.
    label = ((first == np.arange(len(first), dtype=np.int32)).cumsum(dtype=np.int32) - 1)[first]
    return _measured(start, stop, label, stride)


def _touching(start: Runs, stop: Runs, stride: int) -> tuple[Runs, Runs]:
    """Return the pairs of runs in neighbouring rows that touch, (pairs,): the upper, in order, and the lower."""
    # A run touches those of the next row that begin before it ends and end after it begins, give or take a diagonal.
    first = np.searchsorted(stop, start + stride, side="left").astype(np.int32)
    count = np.searchsorted(start, stop + stride, side="right").astype(np.int32) - first
    np.maximum(count, 0, out=count)
    upper = np.repeat(np.arange(len(start), dtype=np.int32), count)
    lower = np.repeat(first + count - count.cumsum(dtype=np.int32), count)
    lower += np.arange(len(upper), dtype=np.int32)
    return upper, lower


def _first_of_each(upper: Runs, lower: Runs, count: int) -> Runs:
    """
    Return for each of so many runs the first one of its piece.

    upper, lower: (pairs,), runs that touch; the upper comes first

    A run takes the first of those before it that it touches, that one's first in turn, and so on. What is left are
    pairs of pieces that touch still, fewer each time.
    """
    first = np.arange(count, dtype=np.int32)
    while len(upper):
        np.minimum.at(first, lower, upper)
        while ((further := first[first]) != first).any():
            first = further[further]
        upper, lower = first[upper], first[lower]
        apart = upper != lower
        upper, lower = upper[apart], lower[apart]
        upper, lower = np.minimum(upper, lower), np.maximum(upper, lower)
    return first


def joined(pieces: Pieces, group: NDArray[np.intp], shape: tuple[int, ...]) -> Pieces:
    """Return pieces of a mask of `shape` (height, width) as fewer: those of one group, (pieces,), are one piece."""
    _, label = np.unique(group[pieces.label], return_inverse=True)
    return _measured(pieces.start, pieces.stop, label.astype(np.int32), shape[1] + 1)


def _measured(start: Runs, stop: Runs, label: Runs, stride: int) -> Pieces:
    """Return labelled runs as pieces; label: (runs,), 0 to pieces - 1, every one of them there."""
    order = np.argsort(label, kind="stable")
    counts = np.bincount(label)
    heads = counts.cumsum() - counts
    row, column, length = start // stride, start % stride, stop - start
    return Pieces(
        start,
        stop,
        label,
        np.add.reduceat(length[order], heads, dtype=np.intp),
        np.minimum.reduceat(row[order], heads).astype(np.intp),
        np.maximum.reduceat(row[order], heads).astype(np.intp) + 1,
        np.minimum.reduceat(column[order], heads).astype(np.intp),
        np.maximum.reduceat((length + column)[order], heads).astype(np.intp),
    )


def painted(pieces: Pieces, keep: Mask, shape: tuple[int, ...]) -> Mask:
    """Return the mask, (height, width) = `shape`, of the pieces to keep; keep: (pieces,)."""
    height, width = shape
    change = np.zeros(height * (width + 1) + 1, np.int8)
    kept = keep[pieces.label]
    change[pieces.start[kept]] += 1
    change[pieces.stop[kept]] -= 1
    return change.cumsum(dtype=np.int8)[:-1].reshape(height, width + 1)[:, :width] > 0


def grown(mask: Mask) -> Mask:
    """Return a mask, (height, width), and the eight pixels next to each of it, so that a stroke keeps its soft edge."""
    grown = mask.copy()
    grown[1:] |= mask[:-1]
    grown[:-1] |= mask[1:]
    wide = grown.copy()
    wide[:, 1:] |= grown[:, :-1]
    wide[:, :-1] |= grown[:, 1:]
    return wide


def extent_of(mask: Mask) -> tuple[int, int, int, int]:
    """Return (top, bottom, left, right) of what is set in a mask, (height, width): rows and columns, ends exclusive."""
    rows, columns = filled_lines(mask)
    return int(rows[0]), int(rows[-1]) + 1, int(columns[0]), int(columns[-1]) + 1


def filled_lines(mask: Mask) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Return which rows and which columns of a mask, (height, width), have something set."""
    # Of a small mask, half the time that `any` and `flatnonzero` take is theirs to call these.
    return np.logical_or.reduce(mask, axis=1).nonzero()[0], np.logical_or.reduce(mask, axis=0).nonzero()[0]
