"""
The connected pieces of a mask, and the words all steps of the normaliser share.

Pieces are labelled in numpy, on runs of pixels instead of pixels: a few hundred runs describe a photo of a digit, so
no image library is needed for it.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from service.core.errors import InvalidImage

Plane = NDArray[np.float32]  # (height, width), ink or levels, mostly 0 to 1
Mask = NDArray[np.bool_]  # (height, width), where something is

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

    start: NDArray[np.intp]
    stop: NDArray[np.intp]
    label: NDArray[np.intp]
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
    change = np.diff(padded)
    start, stop = np.nonzero(change == 1)[0], np.nonzero(change == -1)[0]
    if len(stop) < len(start):
        stop = np.append(stop, height * stride)
    # A run touches those of the next row that begin before it ends and end after it begins, give or take a diagonal.
    first = np.searchsorted(stop, start + stride, side="left")
    last = np.searchsorted(start, stop + stride, side="right")
    count = np.maximum(last - first, 0)
    above = np.repeat(np.arange(len(start)), count)
    below = np.arange(count.sum()) - np.repeat(count.cumsum() - count, count) + np.repeat(first, count)
    label = np.arange(len(start))
    while True:
        least = np.minimum(label[above], label[below])
        joined = label.copy()
        np.minimum.at(joined, label[above], least)
        np.minimum.at(joined, label[below], least)
        joined = joined[joined]
        if np.array_equal(joined, label):
            break
        label = joined
    # A piece has the number of its first run; now that of its first run among first runs.
    label = ((label == np.arange(len(label))).cumsum() - 1)[label]
    return _measured(start, stop, label, stride)


def joined(pieces: Pieces, group: NDArray[np.intp], shape: tuple[int, ...]) -> Pieces:
    """Return pieces of a mask of `shape` (height, width) as fewer: those of one group, (pieces,), are one piece."""
    _, label = np.unique(group[pieces.label], return_inverse=True)
    return _measured(pieces.start, pieces.stop, label, shape[1] + 1)


def _measured(start: NDArray[np.intp], stop: NDArray[np.intp], label: NDArray[np.intp], stride: int) -> Pieces:
    """Return labelled runs as pieces; label: (runs,), 0 to pieces - 1, every one of them there."""
    order = np.argsort(label, kind="stable")
    counts = np.bincount(label)
    heads = counts.cumsum() - counts
    row, column = start // stride, start % stride
    return Pieces(
        start,
        stop,
        label,
        np.add.reduceat((stop - start)[order], heads),
        np.minimum.reduceat(row[order], heads),
        np.maximum.reduceat(row[order], heads) + 1,
        np.minimum.reduceat(column[order], heads),
        np.maximum.reduceat((stop - start + column)[order], heads),
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
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    return int(rows[0]), int(rows[-1]) + 1, int(columns[0]), int(columns[-1]) + 1
