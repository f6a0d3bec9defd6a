"""The last step before a network: a prepared digit, or a picture as it came, as numbers from 0 to 1."""

import numpy as np

from service.core.colour import to_channels, to_grey
from service.core.digit import SIDE
from service.core.errors import InvalidImage

# Level / 255 for every level, as float32: one look-up instead of a conversion and a division.
UNIT = np.arange(256, dtype=np.float32) / np.float32(255)


def as_input(unit: np.ndarray) -> np.ndarray:
    """Shape n pictures of 28 x 28, or one, as a network reads them: (n, 1, 28, 28)."""
    return unit.reshape(-1, 1, SIDE, SIDE)


def as_posted(picture: np.ndarray) -> np.ndarray:
    """
    Take a picture as it is (prepare=none): 28 x 28, 0 = paper, 1 = ink.

    returns: (28, 28) float32; raises: InvalidImage for another size
    """
    if picture.shape[:2] != (SIDE, SIDE):
        size = f"{picture.shape[1]} x {picture.shape[0]}"
        raise InvalidImage(
            f"with prepare=none a picture is {SIDE} x {SIDE} (0 paper, 1 ink), got {size}; prepare=auto takes any"
        )
    return to_grey(picture)


def brought_to(picture: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """
    Bring a whole picture to the channels and size that a network reads; its sides are stretched apart.

    Each pixel is a mean with the weights of a triangle, as wide as what it stands for, as Pillow's BILINEAR has it.

    picture: (height, width), (height, width, 3) or (height, width, 4), uint8 0..255 or float32 0..1
    shape: (channels, rows, columns), one channel or three
    returns: of that shape, float32, 0 = black, 1 = white

    >>> brought_to(np.array([[0, 255]], np.uint8), (1, 1, 4)).round(2)
    array([[[0.  , 0.25, 0.75, 1.  ]]], dtype=float32)
    """
    channels, rows, columns = shape
    grey_or_colour: np.ndarray = to_grey(picture)[None] if channels == 1 else to_channels(picture)
    found: np.ndarray = np.broadcast_to(grey_or_colour, (channels, *grey_or_colour.shape[1:]))
    if found.shape[1] != rows:
        found = np.matmul(_triangles(found.shape[1], rows), found)
    if found.shape[2] != columns:
        found = np.matmul(found, _triangles(found.shape[2], columns).T)
    unit: np.ndarray = found.clip(0, 1).astype(np.float32, copy=False)
    return unit


def _triangles(size: int, wanted: int) -> np.ndarray:
    """The weights, (wanted, size) float32, that bring an axis of `size` cells to `wanted`."""
    step = size / wanted
    centres = (np.arange(wanted) + 0.5) * step - 0.5
    weights: np.ndarray = np.maximum(0, 1 - np.abs(np.arange(size) - centres[:, None]) / max(step, 1.0))
    weights /= weights.sum(axis=1, keepdims=True)
    return weights.astype(np.float32)
