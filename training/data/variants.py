"""
Augmentation by variants: MNIST's digits with a stroke more, as people elsewhere write them.

MNIST was written by Americans in the 1990s. Elsewhere a 7 is crossed and begins with a tick, a 1 has a long or waved
flag and stands on a serif, a 0 is slashed, a 4 is a triangle on a stem. Here a few training digits get such a stroke,
in their own pen and ink; all else about them stays as a hand made it. (Digits drawn from scratch were tried: they are
too unlike real ones and cost accuracy on both MNIST and other people's handwriting.)
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from service.core.digit import SIDE
from training.data.mnist import LabelledDigits

Pixels = NDArray[np.uint8]
Point = tuple[float, float]  # x, y, in pixels

_BOX, _MIDDLE = 20, 14
_FINE = 4  # strokes are drawn four times as large and averaged down, for soft edges
_INK = 100  # of 255; the same level bounds a digit in size and place
_LEAST_INK = 15  # pixels; of a fainter digit it is not known where its strokes are


@dataclass(frozen=True)
class _Hand:
    """A digit, and what its strokes are like; xs, ys: its ink's pixels; width: of the pen, in pixels."""

    picture: Pixels
    ys: NDArray[np.intp]
    xs: NDArray[np.intp]
    width: float

    @property
    def top(self) -> Point:
        """Where the pen was highest."""
        y = self.ys.min()
        return float(self.xs[self.ys <= y + 1].mean()), y + self.width / 2 - 0.5

    @property
    def foot(self) -> Point:
        """Where the pen was lowest."""
        y = self.ys.max()
        return float(self.xs[self.ys >= y - 1].mean()), y - self.width / 2 + 0.5

    def with_stroke(self, points: list[Point], thinner: float = 1.0) -> "_Hand":
        """Return the digit with one stroke more, in its own pen and ink."""
        sheet = Image.new("L", (SIDE * _FINE, SIDE * _FINE))
        pencil, width = ImageDraw.Draw(sheet), self.width * thinner * _FINE
        path = [(_FINE * (x + 0.5), _FINE * (y + 0.5)) for x, y in points]
        pencil.line(path, fill=255, width=max(2, round(width)), joint="curve")
        for x, y in (path[0], path[-1]):
            pencil.ellipse([x - width / 2, y - width / 2, x + width / 2, y + width / 2], fill=255)
        stroke = np.asarray(sheet.reduce(_FINE)) * (int(self.picture.max()) / 255)
        return _Hand(np.maximum(self.picture, stroke.astype(np.uint8)), self.ys, self.xs, self.width)


def variants(part: LabelledDigits, count: int, seed: int) -> LabelledDigits:
    """Return `count` digits of `part` with a stroke more, labelled as what they then are."""
    random = np.random.default_rng(seed)
    ways = [way for way in _WAYS for _ in range(way.share)]
    rows = {digit: iter(random.permutation(np.flatnonzero(part.labels == digit))) for digit in {w.of for w in ways}}
    images, labels = [], []
    for number in range(count):
        way = ways[number % len(ways)]
        hand = next((hand for row in rows[way.of] if (hand := _hand(part.images[row])) is not None), None)
        if hand is None:
            raise ValueError(f"{count} variants need more images of the digit {way.of} than {len(part)} images hold")
        images.append(_in_form(way.draw(hand, random).picture))
        labels.append(way.gives)
    return LabelledDigits(np.stack(images), np.array(labels, np.uint8))


def _hand(picture: Pixels) -> _Hand | None:
    ys, xs = np.nonzero(picture > _INK)
    if len(ys) < _LEAST_INK:
        return None
    longest = math.hypot(np.ptp(ys) + 1, np.ptp(xs) + 1)
    return _Hand(picture, ys, xs, float(np.clip(len(ys) / (1.2 * longest), 1.2, 4)))


def _crossed(hand: _Hand, random: np.random.Generator) -> _Hand:
    """A bar through the stem, halfway down."""
    top, foot = hand.ys.min(), hand.ys.max()
    y = float(hand.ys[np.abs(hand.ys - (top + (foot - top) * random.uniform(0.42, 0.68))).argmin()])
    x = float(hand.xs[hand.ys == y].max()) - hand.width / 2
    reach, rise = random.uniform(3, 6.5), random.normal(0, 0.2)
    left, right = reach * random.uniform(0.8, 1.2), reach * random.uniform(0.7, 1.2)
    return hand.with_stroke([(x - left, y + left * rise), (x + right, y - right * rise)], random.uniform(0.7, 1.1))


def _ticked(hand: _Hand, random: np.random.Generator) -> _Hand:
    """A crossed one that begins with a tick down."""
    left = float(hand.xs[hand.ys <= hand.ys.min() + 8].min())
    y = float(hand.ys[hand.xs == left].min())
    tick = (left + random.normal(-0.5, 0.8), y + random.uniform(2, 5))
    return _crossed(hand.with_stroke([(left, y), tick], random.uniform(0.7, 1)), random)


def _flagged(hand: _Hand, random: np.random.Generator) -> _Hand:
    """A stroke up to the stem's top, short or long, straight or bent."""
    (x, y), reach, slope = hand.top, random.uniform(4, 13), np.deg2rad(random.uniform(35, 62))
    end = (x - reach * math.sin(slope), y + reach * math.cos(slope))
    middle = ((x + end[0]) / 2 + random.normal(0, 0.7), (y + end[1]) / 2 + random.normal(0, 0.7))
    return hand.with_stroke([end, middle, (x, y)], random.uniform(0.7, 1))


def _waved(hand: _Hand, random: np.random.Generator) -> _Hand:
    """A flag that swings up, dips, and comes over the top."""
    (x, y), wide, deep = hand.top, random.uniform(5, 11), random.uniform(5, 11)
    steps = np.linspace(0, 1, 12)
    across = x - wide * (1 - steps)
    sway = random.uniform(0.8, 2.2) * np.sin(2 * math.pi * steps)
    return hand.with_stroke(list(zip(across.tolist(), (y + deep * (1 - steps) + sway).tolist(), strict=True)))


def _on_serif(hand: _Hand, random: np.random.Generator) -> _Hand:
    """A bar under the stem."""
    (x, y), reach, rise = hand.foot, random.uniform(3, 6), random.normal(0, 0.08)
    return hand.with_stroke([(x - reach, y + reach * rise), (x + reach, y - reach * rise)], random.uniform(0.7, 1))


def _flagged_on_serif(hand: _Hand, random: np.random.Generator) -> _Hand:
    return _on_serif(_flagged(hand, random), random)


def _slashed(hand: _Hand, random: np.random.Generator) -> _Hand:
    """A stroke through the ring or into it, from the upper right."""
    x, y = (hand.xs.min() + hand.xs.max()) / 2, (hand.ys.min() + hand.ys.max()) / 2
    turn, reach = np.deg2rad(random.uniform(20, 60)), np.ptp(hand.ys) / 2
    near, far = reach * random.uniform(0.6, 1.1), reach * random.uniform(-0.2, 1.1)
    across, down = math.sin(turn), math.cos(turn)
    return hand.with_stroke([(x + near * across, y - near * down), (x - far * across, y + far * down)], 0.9)


def _triangle_on_stem(hand: _Hand, random: np.random.Generator) -> _Hand:
    """A triangle's two other sides, left of the upper half of a stem."""
    (x, y), (foot_x, foot_y) = hand.top, hand.foot
    down = random.uniform(0.35, 0.65)
    back = (x + (foot_x - x) * down, y + (foot_y - y) * down)
    corner = (back[0] - hand.width / 2 - random.uniform(5, 9), y + (foot_y - y) * (down - random.uniform(0, 0.12)))
    return hand.with_stroke([(x, y), corner]).with_stroke([corner, back])


@dataclass(frozen=True)
class _Way:
    """Draws on digits `of` and gives digits `gives`, `share` times in a round of all ways."""

    of: int
    gives: int
    share: int
    draw: Callable[[_Hand, np.random.Generator], _Hand]


_WAYS = (
    _Way(7, 7, 4, _crossed),
    _Way(7, 7, 4, _ticked),
    _Way(1, 1, 4, _flagged),
    _Way(1, 1, 3, _waved),
    _Way(1, 1, 2, _on_serif),
    _Way(1, 1, 3, _flagged_on_serif),
    _Way(0, 0, 2, _slashed),
    _Way(1, 4, 3, _triangle_on_stem),
)


def _in_form(picture: Pixels) -> Pixels:
    """Bring what has grown back to 20 pixels, and its centre of mass to the middle."""
    ys, xs = np.nonzero(picture > _INK // 2)
    crop = picture[ys.min() : ys.max() + 1, xs.min() : xs.max() + 1]
    if max(crop.shape) > _BOX + 1:
        scale = _BOX / max(crop.shape)
        height, width = (max(1, round(side * scale)) for side in crop.shape)
        crop = np.asarray(Image.fromarray(crop).resize((width, height), Image.Resampling.BILINEAR))
        top, left = (SIDE - height) // 2, (SIDE - width) // 2
        picture = np.zeros((SIDE, SIDE), np.uint8)
        picture[top : top + height, left : left + width] = crop
    mass, places = float(picture.sum(dtype=np.int64)), np.arange(SIDE)
    down, right = (round(_MIDDLE - float(picture.sum(axis=axis) @ places) / mass) for axis in (1, 0))
    return np.roll(picture, (int(np.clip(down, -3, 3)), int(np.clip(right, -3, 3))), axis=(0, 1))
