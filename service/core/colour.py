"""From pixels to numbers between 0 (black) and 1 (white)."""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

# Luma of ITU-R BT.601, the weights of red, green and blue that most libraries use for "grey".
LUMA = np.array([0.299, 0.587, 0.114], np.float32)
AT_ONCE = 2**18  # samples of a picture in colour that are made floats together


def to_unit(picture: NDArray[np.generic]) -> NDArray[np.float32]:
    """
    uint8 0..255 becomes float32 0..1; floats stay as they are.

    >>> to_unit(np.array([[0, 255]], np.uint8))
    array([[0., 1.]], dtype=float32)
    """
    if picture.dtype == np.uint8:
        unit = picture.astype(np.float32)
        unit /= np.float32(255)
        return unit
    return picture.astype(np.float32, copy=False)


def is_grey(picture: NDArray[np.generic]) -> bool:
    """
    Tell whether red, green and blue of a picture, (height, width, 3 or 4), are the same throughout.

    >>> is_grey(np.array([[[7, 7, 7, 0]]], np.uint8)), is_grey(np.array([[[7, 7, 8]]], np.uint8))
    (True, False)
    """
    if picture.dtype == np.uint8 and picture.shape[2] == 4 and picture.flags.c_contiguous:
        words = picture.view("<u4")  # what holds of all channels is seen in one pass
        return not (words ^ (words >> np.uint32(8))).astype(np.uint16).any()
    red, green, blue = picture[:, :, 0], picture[:, :, 1], picture[:, :, 2]
    return np.array_equal(red, green) and np.array_equal(green, blue)


def to_grey(picture: NDArray[np.generic]) -> NDArray[np.float32]:
    """
    Reduce a picture to brightness.

    picture: (height, width), (height, width, 3) or (height, width, 4), whose transparency is laid over white
    returns: (height, width) float32, black 0, white 1

    >>> float(to_grey(np.full((1, 1, 3), 255, np.uint8))[0, 0])
    1.0
    """
    if picture.ndim == 2:
        return to_unit(picture)
    if picture.size <= AT_ONCE:
        return on_white(to_unit(picture)) @ LUMA
    grey = np.empty(picture.shape[:2], np.float32)
    for rows in _bands(picture):
        grey[rows] = on_white(to_unit(picture[rows])) @ LUMA
    return grey


def to_channels(picture: NDArray[np.generic]) -> NDArray[np.float32]:
    """
    Put the channels first, as filters want them.

    picture: as for to_grey   returns: (channels, height, width) float32, one channel or three
    """
    if picture.ndim == 2:
        return to_unit(picture)[None]
    channels = np.empty((3, *picture.shape[:2]), np.float32)
    is_plain = picture.dtype == np.uint8 and picture.shape[2] == 3
    for rows in _bands(picture):
        band = channels[:, rows]
        if is_plain:  # what on_white(to_unit()) makes of it, in one pass less
            band[:] = picture[rows].transpose(2, 0, 1)
            band /= np.float32(255)
        else:
            band[:] = on_white(to_unit(picture[rows])).transpose(2, 0, 1)
    return channels


def _bands(picture: NDArray[np.generic]) -> Iterator[slice]:
    """Rows of a picture, some at a time: as floats, a large one is several times as large as it was."""
    each = max(1, AT_ONCE // max(1, picture[0].size))
    return (slice(start, start + each) for start in range(0, len(picture), each))


def on_white(unit: NDArray[np.float32]) -> NDArray[np.float32]:
    """Lay a (height, width, 4) picture over white paper; one without transparency comes back as it is."""
    if unit.shape[2] == 3:
        return unit
    opacity = unit[:, :, 3:]
    return unit[:, :, :3] * opacity + (1 - opacity)
