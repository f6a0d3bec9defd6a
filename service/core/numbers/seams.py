"""
Blobs as a network sees them that says where digits touch: in grey, with digits of one height.

A seam is the ink that two touching digits have in common, or the soft edge between them. A network trained for it
(`training/seams/`) tells, of every pixel of such a picture, how likely it lies on one; cuts then run through seams.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from service.core.digit.pieces import Plane, grown
from service.core.numbers.blobs import Blob

# Rows that a digit's height becomes.
DIGIT_ROWS = 32
# Rows and columns of such a picture are padded to a multiple of this: the network halves them three times.
STRIDE = 8


class Seams(NamedTuple):
    """
    What a network says of such a picture, (rows, columns), padded.

    seam: of that shape, how likely each pixel lies on one   classes: (classes, rows / 2, columns / 2), whose ink it is
    """

    seam: Plane
    classes: NDArray[np.float32]


def seam_picture(blob: Blob, ink: Plane, height: float) -> Plane:
    """
    Draw a blob alone, with `height` pixels of the page made DIGIT_ROWS rows.

    ink: (height, width) of the page, 0 to 1   height: of a digit, in pixels of the page
    returns: float32 (rows, columns), 0 to 1

    >>> seam_picture(Blob(2, 3, np.ones((4, 8), np.bool_)), np.ones((9, 20), np.float32), 4).shape
    (32, 64)
    """
    mask = blob.mask
    part = ink[blob.top : blob.bottom, blob.left : blob.right] * grown(mask)
    rows, columns = (max(1, round(side * DIGIT_ROWS / height)) for side in mask.shape)
    return np.asarray(resampling(mask.shape[0], rows) @ part @ resampling(mask.shape[1], columns).T, np.float32)


def padded(plane: Plane) -> Plane:
    """The same picture, with rows and columns of paper at its ends until both are a multiple of STRIDE."""
    return np.pad(plane, [(0, -side % STRIDE) for side in plane.shape])


def resampling(length: int, wanted: int) -> NDArray[np.float32]:
    """
    The matrix, (wanted, length), that makes `wanted` pixels of `length`.

    Each is the mean of those that it lies on, weighted by how near they are.

    >>> resampling(4, 2)
    array([[0.42857143, 0.42857143, 0.14285715, 0.        ],
           [0.        , 0.14285715, 0.42857143, 0.42857143]], dtype=float32)
    """
    step = length / wanted
    reach = max(1.0, step)
    middles = (np.arange(wanted) + 0.5) * step - 0.5
    weights = np.maximum(0, 1 - np.abs(np.arange(length) - middles[:, None]) / reach)
    return np.asarray(weights / weights.sum(axis=1, keepdims=True), np.float32)
