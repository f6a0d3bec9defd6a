"""The blobs of ink on a page: connected pieces, and what several of them or a part of one make together."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from service.core.digit import SIDE
from service.core.digit.pieces import Mask, Plane, Runs, extent_of, grown, pieces_of
from service.core.numbers import thresholds as at

# Told of work before it is done: what it is done to, "lines" or "blobs", how many there are, and the size of all of
# them together. What it raises ends the work.
Charge = Callable[[str, int, int], None]


@dataclass(frozen=True, slots=True)
class Blob:
    """
    Some of the ink of a page: mask, (height, width), where it is, its corner at (top, left); all in pixels of the page.

    >>> Blob(2, 3, np.ones((4, 5), np.bool_)).bottom
    6
    """

    top: int
    left: int
    mask: Mask

    @property
    def height(self) -> int:
        """Rows."""
        return len(self.mask)

    @property
    def width(self) -> int:
        """Columns."""
        return int(self.mask.shape[1])

    @property
    def bottom(self) -> int:
        """The row after its last."""
        return self.top + self.height

    @property
    def right(self) -> int:
        """The column after its last."""
        return self.left + self.width

    @property
    def middle(self) -> float:
        """Its middle, across."""
        return self.left + self.width / 2


def blobs_of(mask: Mask, least: float, charge: Charge) -> tuple[list[Blob], int]:
    """
    The connected pieces of a mask that are at least so many pixels high or wide, and how many smaller there are.

    charge: told, before masks are made, of blobs and of their pixels: pieces that nest have many times those of `mask`
    """
    pieces = pieces_of(mask)
    longer = np.maximum(pieces.bottom - pieces.top, pieces.right - pieces.left)
    kept = np.flatnonzero(longer >= least)
    charge("blobs", len(kept), int(((pieces.bottom - pieces.top) * (pieces.right - pieces.left))[kept].sum()))
    labels = _labelled(pieces.start, pieces.stop, pieces.label, mask.shape)
    blobs = []
    corners = zip(
        *(edge[kept].tolist() for edge in (pieces.top, pieces.bottom, pieces.left, pieces.right)), strict=True
    )
    for piece, (top, bottom, left, right) in zip(kept.tolist(), corners, strict=True):
        blobs.append(Blob(top, left, labels[top:bottom, left:right] == piece + 1))
    return blobs, len(longer) - len(kept)


def _labelled(start: Runs, stop: Runs, label: Runs, shape: tuple[int, ...]) -> NDArray[np.int32]:
    """The number of its piece, counted from 1, at every pixel that is set; 0 elsewhere."""
    height, width = shape
    change = np.zeros(height * (width + 1) + 1, np.int32)
    change[start] += label + 1
    np.subtract.at(change, stop, label + 1)
    return change.cumsum(dtype=np.int32)[:-1].reshape(height, width + 1)[:, :width]


def joined_blob(blobs: Sequence[Blob]) -> Blob:
    """All of them as one."""
    if len(blobs) == 1:
        return blobs[0]
    top, left = min(blob.top for blob in blobs), min(blob.left for blob in blobs)
    bottom, right = max(blob.bottom for blob in blobs), max(blob.right for blob in blobs)
    mask = np.zeros((bottom - top, right - left), np.bool_)
    for blob in blobs:
        mask[blob.top - top : blob.bottom - top, blob.left - left : blob.right - left] |= blob.mask
    return Blob(top, left, mask)


def trimmed(blob: Blob) -> Blob:
    """The same ink, without rows and columns that have none at the edges."""
    top, bottom, left, right = extent_of(blob.mask)
    # A copy: a view would keep all of the mask that it was taken from.
    return Blob(blob.top + top, blob.left + left, blob.mask[top:bottom, left:right].copy())


def picture_of(blob: Blob, ink: Plane) -> tuple[NDArray[np.uint8], tuple[int, int, int]]:
    """
    Draw a blob alone, light on black, as a picture of one digit.

    ink: (height, width) of the page, 0 to 1
    returns: uint8 (height, width) of at most DIGIT_SIDE and its margin, and (left, top, step): where its first pixel
        lies on the page, and how many pixels of the page are one of it
    """
    # One pixel around it: the soft edges of its strokes.
    mask = grown(np.pad(blob.mask, 1))
    top, left = blob.top - 1, blob.left - 1
    rows, columns = slice(max(0, top), blob.bottom + 1), slice(max(0, left), blob.right + 1)
    part = ink[rows, columns]
    skip_y, skip_x = max(0, -top), max(0, -left)
    cut = part * mask[skip_y : skip_y + part.shape[0], skip_x : skip_x + part.shape[1]]
    top, left = max(0, top), max(0, left)
    step = -(-max(cut.shape) // at.DIGIT_SIDE)
    if step > 1:
        cut = np.pad(cut, ((0, -cut.shape[0] % step), (0, -cut.shape[1] % step)))
        cut = cut.reshape(cut.shape[0] // step, step, -1, step).mean(axis=(1, 3))
    # Paper around it, as much as a digit's picture has; never 28 x 28, which would be taken for a digit of MNIST.
    margin = max(3, round(0.2 * max(cut.shape)))
    cut = np.pad(cut, margin)
    if cut.shape == (SIDE, SIDE):
        cut = np.pad(cut, ((0, 1), (0, 0)))
    most = float(cut.max())
    levels = (cut * np.float32(255 / most) + np.float32(0.5)).astype(np.uint8)
    return levels, (left - margin * step, top - margin * step, step)
