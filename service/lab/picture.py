"""A posted picture, decoded: its pixels, and where they lie in what was posted."""

from dataclasses import dataclass

import numpy as np

from service.core.digit import Frame, PreparedDigit, Told, already_mnist, prepare
from service.lab import prices


@dataclass(frozen=True, slots=True)
class Picture:
    """
    One picture.

    pixels: uint8 0..255 or float32 0..1, (height, width), (height, width, 3) or (height, width, 4)
    frame: where they lie in the posted picture, None where they are its own
    """

    pixels: np.ndarray
    frame: Frame | None = None

    def prepared(self) -> PreparedDigit:
        """The digit on it, with its box and matrix in posted pixels; raises InvalidImage."""
        # Tried before it is priced, which would take as long; it is little beside decoding, which has been charged.
        digit = already_mnist(self.pixels)
        if digit is None:
            digit = prepare(self.pixels, _CHARGED)
        return digit if self.frame is None else digit.within(self.frame)


def _charge(part: np.ndarray) -> None:
    """Charge a look at a part of a picture: a sheet of paper in it, or a small digit, is looked at again."""
    if prices.is_charging():
        prices.charge("prepare", prices.preparing(part))


_CHARGED = Told(_charge, prices.charge_joining, prices.charge_thinning)
