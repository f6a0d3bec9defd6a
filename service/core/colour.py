"""From pixels to numbers between 0 (black) and 1 (white)."""

import numpy as np
from numpy.typing import NDArray

# Luma of ITU-R BT.601, the weights of red, green and blue that most libraries use for "grey".
LUMA = np.array([0.299, 0.587, 0.114], np.float32)


def to_unit(picture: NDArray[np.generic]) -> NDArray[np.float32]:
    """
    uint8 0..255 becomes float32 0..1; floats stay as they are.

    >>> to_unit(np.array([[0, 255]], np.uint8))
    array([[0., 1.]], dtype=float32)
    """
    if picture.dtype == np.uint8:
        return picture.astype(np.float32) / np.float32(255)
    return picture.astype(np.float32, copy=False)


def to_grey(picture: NDArray[np.generic]) -> NDArray[np.float32]:
    """
    Reduce a picture to brightness.

    picture: (height, width), (height, width, 3) or (height, width, 4), whose transparency is laid over white
    returns: (height, width) float32, black 0, white 1

    >>> float(to_grey(np.full((1, 1, 3), 255, np.uint8))[0, 0])
    1.0
    """
    unit = to_unit(picture)
    return unit if unit.ndim == 2 else on_white(unit) @ LUMA


def to_channels(picture: NDArray[np.generic]) -> NDArray[np.float32]:
    """
    Put the channels first, as filters want them.

    picture: as for to_grey   returns: (channels, height, width) float32, one channel or three
    """
    unit = to_unit(picture)
    return unit[None] if unit.ndim == 2 else np.ascontiguousarray(on_white(unit).transpose(2, 0, 1))


def on_white(unit: NDArray[np.float32]) -> NDArray[np.float32]:
    """Lay a (height, width, 4) picture over white paper; one without transparency comes back as it is."""
    if unit.shape[2] == 3:
        return unit
    opacity = unit[:, :, 3:]
    return unit[:, :, :3] * opacity + (1 - opacity)
