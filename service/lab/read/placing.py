"""Where what was found in a part of a picture, cut out and turned, lies in the posted one."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from service.core.digit import Frame, PreparedDigit
from service.core.errors import InvalidOption
from service.lab.picture import Picture

Box = tuple[int, int, int, int]
Region = Sequence[int]


@dataclass(frozen=True, slots=True)
class Excerpt:
    """
    A part of a picture, to be read.

    pixels: of the part, turned   turns: quarter turns, anticlockwise, that it was turned by
    left, top: where it begins in the decoded picture   width, height: of it there, before it was turned
    posted: the size of the posted picture   frame: where the decoded one lies in it, None where it is it
    """

    pixels: np.ndarray
    turns: int
    left: int
    top: int
    width: int
    height: int
    posted: tuple[int, int]
    frame: Frame | None

    def box(self, left: float, top: float, right: float, bottom: float) -> Box:
        """(x, y, width, height) in posted pixels of what lies between these pixels of the part, ends exclusive."""
        corners = [self._unturned(left, top), self._unturned(right, bottom)]
        xs, ys = sorted(x + self.left for x, _ in corners), sorted(y + self.top for _, y in corners)
        step, from_x, from_y = (1, 0, 0) if self.frame is None else (self.frame.step, self.frame.left, self.frame.top)
        width, height = self.posted
        x0, x1 = (round(min(max(from_x + step * x, 0), width)) for x in xs)
        y0, y1 = (round(min(max(from_y + step * y, 0), height)) for y in ys)
        return x0, y0, x1 - x0, y1 - y0

    def digit(self, digit: PreparedDigit) -> PreparedDigit:
        """The same digit, found in the part, with its box and matrix in posted pixels."""
        x, y, width, height = digit.box
        # The centre of a pixel is half a pixel from where it begins.
        origin, across, down = (self._unturned(*point) for point in ((0.5, 0.5), (1.5, 0.5), (0.5, 1.5)))
        back = np.array(
            [
                [across[0] - origin[0], down[0] - origin[0], origin[0] - 0.5 + self.left],
                [across[1] - origin[1], down[1] - origin[1], origin[1] - 0.5 + self.top],
                [0, 0, 1],
            ]
        )
        if self.frame is not None:
            half = (self.frame.step - 1) / 2
            step = self.frame.step
            outwards = np.array([[step, 0, self.frame.left + half], [0, step, self.frame.top + half], [0, 0, 1]])
            back = outwards @ back
        return replace(digit, box=self.box(x, y, x + width, y + height), matrix=back @ digit.matrix)

    def _unturned(self, x: float, y: float) -> tuple[float, float]:
        """A point of the part before it was turned."""
        if self.turns == 1:
            return self.width - y, x
        if self.turns == 2:
            return self.width - x, self.height - y
        if self.turns == 3:
            return y, self.height - x
        return x, y


def excerpt_of(picture: Picture, region: Region | None, turns: int) -> Excerpt:
    """
    Cut a region, in posted pixels, out of a picture, and turn it.

    raises: InvalidOption where the region lies outside the picture
    """
    height, width = picture.pixels.shape[:2]
    frame = picture.frame
    posted = (width, height) if frame is None else (frame.width, frame.height)
    if region is None:
        x0, y0, x1, y1 = 0, 0, width, height
    else:
        x, y, wide, high = region
        if x + wide > posted[0] or y + high > posted[1]:
            raise InvalidOption(
                f"region must lie within the picture, which has {posted[0]} x {posted[1]} pixels, got x {x} to "
                f"{x + wide}, y {y} to {y + high}",
                "/region",
            )
        step, left, top = (1, 0, 0) if frame is None else (frame.step, frame.left, frame.top)
        x0, y0 = max(0, (x - left) // step), max(0, (y - top) // step)
        x1, y1 = min(width, -(-(x + wide - left) // step)), min(height, -(-(y + high - top) // step))
        x1, y1 = max(x1, x0 + 1), max(y1, y0 + 1)
    pixels = picture.pixels[y0:y1, x0:x1]
    if turns:
        pixels = np.ascontiguousarray(np.rot90(pixels, turns))
    return Excerpt(pixels, turns, x0, y0, x1 - x0, y1 - y0, posted, frame)
