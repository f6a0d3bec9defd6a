"""The last step before a network: a prepared digit, or a 28 x 28 picture as it came, as numbers from 0 to 1."""

import numpy as np

from service.core.colour import to_grey
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
