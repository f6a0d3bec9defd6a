"""
Pictures of several digits, composed of MNIST's by a seed, with what they say.

A kind of string is one thing that writing or paper does to digits in a row. `compose(kind, digits, seed)` is always the
same picture for the same digits. Nothing of what reads them is used here.
"""

from typing import NamedTuple

import numpy as np
from PIL import Image, ImageDraw

HEIGHT = 40  # of a digit's ink, in pixels, before its size varies


class Composed(NamedTuple):
    """A picture, uint8 (height, width) or (height, width, 3), and its lines of digits."""

    picture: np.ndarray
    lines: list[str]


class Hand(NamedTuple):
    """How a string is written: sizes from `smallest` to 1, gaps in digit heights, offsets and slope of its line."""

    gap: tuple[float, float]
    smallest: float = 0.9
    offset: float = 0.03
    slope: float = 0.02
    touches: bool = False


HANDS = {
    "spaced": Hand((0.25, 0.7)),
    "close": Hand((0.04, 0.12)),
    "touching": Hand((0.0, 0.0), touches=True),
    "uneven": Hand((0.15, 0.6), smallest=0.55, offset=0.25, slope=0.08),
}
KINDS = (*HANDS, "ruled", "cells", "page")


def compose(kind, digits, seed):
    """
    Compose a picture of a kind, one of KINDS, from `digits`: what has `images` (n, 28, 28) and `labels`.

    returns: a Composed
    """
    rng = np.random.default_rng([seed, KINDS.index(kind)])
    if kind == "cells":
        ink, lines = _cells(rng, digits)
    elif kind == "page":
        rows = [_row(rng, digits, HANDS["spaced"], rng.integers(4, 9)) for _ in range(rng.integers(2, 6))]
        ink, lines = _stacked(rng, [row for row, _ in rows]), [text for _, text in rows]
    else:
        hand = HANDS.get(kind, HANDS["spaced"])
        ink, text = _row(rng, digits, hand, rng.integers(2, 9))
        lines = [text]
    if kind == "ruled":
        ink = _ruled(rng, ink)
    return Composed(on_paper(rng, ink), lines)


def digit_ink(rng, digits, height):
    """One digit's ink, float32 0 to 1, cut to its extent and scaled to `height` at most, and its label."""
    index = int(rng.integers(len(digits.labels)))
    image = digits.images[index]
    rows, columns = np.flatnonzero(image.max(axis=1) > 60), np.flatnonzero(image.max(axis=0) > 60)
    cut = image[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    scale = height / max(cut.shape)
    size = max(2, round(cut.shape[1] * scale)), max(2, round(cut.shape[0] * scale))
    large = Image.fromarray(cut).resize(size, Image.Resampling.BICUBIC)
    return np.asarray(large, np.float32) / 255, int(digits.labels[index])


def _row(rng, digits, hand, count):
    """Digits in a row, in a hand: ink and text."""
    height = round(HEIGHT * rng.uniform(0.7, 1.6))
    canvas = np.zeros((height * 4, height * 2 * (count + 2)), np.float32)
    x, text, slope = float(height), "", rng.uniform(-hand.slope, hand.slope)
    for place in range(count):
        ink, label = digit_ink(rng, digits, round(height * rng.uniform(hand.smallest, 1)))
        bottom = 2.5 * height + height * rng.uniform(-hand.offset, hand.offset) + slope * (x - canvas.shape[1] / 2)
        top = int(np.clip(bottom - ink.shape[0], 0, canvas.shape[0] - ink.shape[0]))
        if place and hand.touches:
            x = _touching(canvas, ink, top, int(x))
        canvas[top : top + ink.shape[0], int(x) : int(x) + ink.shape[1]] = np.maximum(
            canvas[top : top + ink.shape[0], int(x) : int(x) + ink.shape[1]], ink
        )
        x += ink.shape[1] + (0 if hand.touches else max(1, height * rng.uniform(*hand.gap)))
        text += str(label)
    return _trimmed(canvas, round(height * rng.uniform(0.3, 1.2))), text


def _touching(canvas, ink, top, x):
    """Where to lay ink so that it just touches what is there: slid to the left from x until it does."""
    there = canvas[top : top + ink.shape[0]] > 0.5
    for left in range(x + 3, max(0, x - ink.shape[1]), -1):
        if (there[:, left : left + ink.shape[1]] & (ink > 0.5)).sum() >= 2:
            return left
    return x


def _trimmed(canvas, margin):
    rows, columns = np.flatnonzero(canvas.any(axis=1)), np.flatnonzero(canvas.any(axis=0))
    cut = canvas[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    return np.pad(cut, margin)


def _stacked(rng, rows):
    """Rows below each other, each moved to the right by chance."""
    width = max(row.shape[1] for row in rows) + HEIGHT
    canvas = [np.zeros((HEIGHT // 2, width), np.float32)]
    for row in rows:
        left = int(rng.integers(0, width - row.shape[1] + 1))
        canvas.append(np.pad(row, ((0, 0), (left, width - row.shape[1] - left))))
    return np.concatenate(canvas)


def _ruled(rng, ink):
    """Rules below and above the row, tilted by up to 2 degrees, the lower one through the digits' feet."""
    height, width = ink.shape
    drawing = Image.new("L", (width, height), 0)
    pencil = ImageDraw.Draw(drawing)
    rows = np.flatnonzero(ink.any(axis=1))
    tilt = rng.uniform(-0.035, 0.035) * width
    level, thick = int(rng.integers(110, 220)), int(rng.integers(1, 3))
    for y in (rows[-1] - rng.uniform(0, 0.12) * len(rows), rows[0] - rng.uniform(0.1, 0.5) * len(rows)):
        pencil.line([(0, y - tilt / 2), (width, y + tilt / 2)], fill=level, width=thick)
    return np.maximum(ink, np.asarray(drawing, np.float32) / 255)


def _cells(rng, digits):
    """Digits in a row of printed boxes that may touch their frames."""
    count, side = int(rng.integers(3, 10)), round(HEIGHT * rng.uniform(1.25, 1.8))
    canvas, text = np.zeros((side * 3, side * (count + 2)), np.float32), ""
    drawing = Image.new("L", (canvas.shape[1], canvas.shape[0]), 0)
    pencil = ImageDraw.Draw(drawing)
    level, thick = int(rng.integers(120, 255)), int(rng.integers(1, 4))
    for cell in range(count):
        left = side * (cell + 1)
        pencil.rectangle((left, side, left + side, 2 * side), outline=level, width=thick)
        ink, label = digit_ink(rng, digits, round(min(HEIGHT * rng.uniform(0.8, 1.1), side - 2 * thick - 2)))
        y = side + int(rng.integers(thick + 1, max(thick + 2, side - ink.shape[0] - thick)))
        x = left + int(rng.integers(thick + 1, max(thick + 2, side - ink.shape[1] - thick)))
        canvas[y : y + ink.shape[0], x : x + ink.shape[1]] = ink
        text += str(label)
    drawing = drawing.rotate(rng.uniform(-2, 2), Image.Resampling.BILINEAR)
    canvas = np.maximum(canvas, np.asarray(drawing, np.float32) / 255)
    return canvas, [text]


def on_paper(rng, ink):
    """Lay ink on paper as a camera sees it, dark on light, lit from one side, with a little blur and noise."""
    height, width = ink.shape
    light = (
        1
        - rng.uniform(0, 0.25) * np.linspace(0, 1, width)[None, :]
        - rng.uniform(0, 0.15) * (np.linspace(0, 1, height)[:, None])
    )
    paper, pen = rng.uniform(0.75, 1, 3) ** 0.5, rng.uniform(0, 0.35, 3)
    scene = (paper * (1 - ink[:, :, None]) + pen * ink[:, :, None]) * light[:, :, None]
    noisy = scene + rng.normal(0, rng.uniform(0, 0.02), scene.shape)
    return (np.clip(noisy, 0, 1) * 255).astype(np.uint8)
