"""A picture with what was read in it: a frame around each digit, and the digit in its corner."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

# Digits of 3 x 5 pixels, a row of three bits for each of the five; the last is what was not read.
_GLYPHS = [int(bits, 2) for bits in (
    "111101101101111", "010110010010111", "111001111100111", "111001111001111", "101101111001001",
    "111100111001111", "111100111101111", "111001010010010", "111101111101111", "111101111001111", "111001011000010",
)]  # fmt: skip
GLYPHS, UNREAD = 10, 10
SURE, UNSURE = (0, 110, 220), (220, 60, 0)


def framed(
    pixels: NDArray[Any], boxes: Sequence[tuple[int, int, int, int]], digits: Sequence[int | None]
) -> NDArray[np.uint8]:
    """
    Draw frames and digits on a picture.

    pixels: (height, width), or with 3 or 4 channels; uint8, or float 0 to 1
    boxes: (x, y, width, height) in its pixels   digits: of each, None where it is not sure
    returns: (height, width, 3)
    """
    levels = pixels if pixels.dtype == np.uint8 else np.rint(np.clip(pixels, 0, 1) * 255).astype(np.uint8)
    if levels.ndim == 3 and levels.shape[2] == 4:
        share = levels[:, :, 3:].astype(np.float32) / 255
        levels = (levels[:, :, :3] * share + 255 * (1 - share)).astype(np.uint8)
    canvas = np.array(levels[:, :, :3] if levels.ndim == 3 else np.repeat(levels[:, :, None], 3, axis=2))
    height, width = canvas.shape[:2]
    thick = max(1, round(max(height, width) / 800))
    for (x, y, wide, high), digit in zip(boxes, digits, strict=True):
        colour = np.array(UNSURE if digit is None else SURE, np.uint8)
        left, top = max(0, x - 2 * thick), max(0, y - 2 * thick)
        right, bottom = min(width, x + wide + 2 * thick), min(height, y + high + 2 * thick)
        canvas[top : top + thick, left:right] = canvas[bottom - thick : bottom, left:right] = colour
        canvas[top:bottom, left : left + thick] = canvas[top:bottom, right - thick : right] = colour
        _write(canvas, left, top, _GLYPHS[UNREAD if digit is None else digit], colour, max(1, round(high / 20)))
    return canvas


def _write(canvas: NDArray[np.uint8], left: int, top: int, glyph: int, colour: NDArray[np.uint8], size: int) -> None:
    """Write a digit above a corner, or below it where there is no room above."""
    bits = np.array([glyph >> place & 1 for place in range(14, -1, -1)], np.bool_).reshape(5, 3)
    large = bits.repeat(size, axis=0).repeat(size, axis=1)
    top = top - large.shape[0] - 1 if top > large.shape[0] else top + 1
    there = canvas[top : top + large.shape[0], left : left + large.shape[1]]
    there[large[: there.shape[0], : there.shape[1]]] = colour
