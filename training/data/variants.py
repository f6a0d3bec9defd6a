"""
Augmentation by variants: MNIST's digits with a stroke more, as people elsewhere write them.

MNIST was written by Americans in the 1990s. Elsewhere a 7 is crossed and begins with a tick, a 1 has a long or waved
flag and stands on a serif, a 0 is slashed, a 2 has a loop in its corner, a 4 is a triangle on a stem or open with a
rising bar, a 5 has a short bar or one that touches nothing, a 7 is made as a y is, a 9 ends in a hook. Here a few
training digits get such a stroke, in their own pen and ink; all else about them stays as a hand made it. (Digits drawn
from scratch were tried: they are too unlike real ones and cost accuracy on both MNIST and other people's handwriting.)
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
_NO_INK = 60  # of 255; what is fainter is the edge of a stroke


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

    @property
    def lean(self) -> float:
        """By how many degrees it leans to the right, as its top and its foot lie."""
        (x, y), (foot_x, foot_y) = self.top, self.foot
        return math.degrees(math.atan2(x - foot_x, foot_y - y))

    def at(self, down: float) -> Point:
        """Where a straight stem is, `down` of the way from its top to its foot."""
        (x, y), (foot_x, foot_y) = self.top, self.foot
        return x + (foot_x - x) * down, y + (foot_y - y) * down

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
    """
    Return `count` digits of `part` with a stroke more, labelled as what they then are.

    A way for which `part` has no digit left is passed over; ValueError where that is so of all.
    """
    random = np.random.default_rng(seed)
    ways = [way for way in _WAYS for _ in range(way.share)]
    rows = {digit: iter(random.permutation(np.flatnonzero(part.labels == digit))) for digit in {w.of for w in ways}}
    images: list[Pixels] = []
    labels: list[int] = []
    turn = 0
    while len(images) < count:
        if not ways:
            raise ValueError(f"{count} variants need more digits to draw on than {len(part)} images hold")
        way = ways[turn % len(ways)]
        hand = next((drawn for row in rows[way.of] if (drawn := _drawn(part.images[row], way, random))), None)
        if hand is None:
            ways = [other for other in ways if other is not way]
            continue
        images.append(_in_form(hand.picture))
        labels.append(way.gives)
        turn += 1
    return LabelledDigits(np.stack(images), np.array(labels, np.uint8))


def _hand(picture: Pixels) -> _Hand | None:
    ys, xs = np.nonzero(picture > _INK)
    if len(ys) < _LEAST_INK:
        return None
    longest = math.hypot(np.ptp(ys) + 1, np.ptp(xs) + 1)
    return _Hand(picture, ys, xs, float(np.clip(len(ys) / (1.2 * longest), 1.2, 4)))


def _drawn(picture: Pixels, way: "_Way", random: np.random.Generator) -> _Hand | None:
    """Return the digit as it is written that way; None where this one cannot be."""
    hand = _hand(picture)
    return None if hand is None else way.draw(hand, random)


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


def _wide_flagged(hand: _Hand, random: np.random.Generator) -> _Hand | None:
    """A flag that hardly falls, which only a stem that stands upright tells from a 7: the wider, the shorter."""
    if abs(hand.lean) > 12:
        return None
    (x, y), slope = hand.top, random.uniform(58, 80)
    reach = random.uniform(4, 10 - 4 * (slope - 58) / 22)
    end = (x - reach * math.sin(math.radians(slope)), y + reach * math.cos(math.radians(slope)))
    middle = ((x + end[0]) / 2 + random.normal(0, 0.4), (y + end[1]) / 2 + random.normal(0, 0.4))
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
    down = random.uniform(0.35, 0.65)
    back = hand.at(down)
    corner = (back[0] - hand.width / 2 - random.uniform(5, 9), hand.at(down - random.uniform(0, 0.12))[1])
    return hand.with_stroke([hand.top, corner]).with_stroke([corner, back])


def _open_with_rising_bar(hand: _Hand, random: np.random.Generator) -> _Hand:
    """Left of a stem a stroke down, then, round a corner, a bar that rises through the stem."""
    x, y = hand.at(random.uniform(0.45, 0.7))
    left, beyond, rise = random.uniform(5, 9), random.uniform(1.5, 5), math.tan(math.radians(random.uniform(12, 38)))
    corner = (x - left, y + left * rise * random.uniform(0.5, 1))
    start = (corner[0] + random.uniform(-0.5, 2.5), hand.top[1] + random.uniform(-0.5, 4))
    sag = random.uniform(-0.8, 1)  # of the bar's middle
    bar = [((x + corner[0]) / 2, (y + corner[1]) / 2 + sag), (x, y), (x + beyond, y - beyond * rise)]
    round_corner = [(corner[0] + 0.3, corner[1] - 1.2), (corner[0] + 1.2, corner[1] + 0.2)]
    return hand.with_stroke([start, *(round_corner if random.random() < 0.5 else [corner]), *bar])


def _y_shaped(hand: _Hand, random: np.random.Generator) -> _Hand | None:
    """In place of the bar a stroke down to a leaning stem, as of a y."""
    if not 15 < hand.lean < 45:  # a 4 is often open like this, on an upright stem
        return None
    x, y = hand.at(random.uniform(0.2, 0.38))
    start = (x - random.uniform(5, 9), hand.top[1] + random.uniform(-0.5, 2))
    bend = ((x + start[0]) / 2 + random.uniform(-1.5, 0.3), (y + start[1]) / 2 + random.uniform(-0.3, 1.2))
    return hand.with_stroke([start, bend, (x, y)], random.uniform(0.8, 1.1))


def _hooked(hand: _Hand, random: np.random.Generator) -> _Hand | None:
    """The foot goes on to the left, in a bow."""
    x, y = hand.foot
    lowest = hand.xs[hand.ys >= hand.ys.max() - 2]
    if np.ptp(lowest) > 2.5 * hand.width:  # a foot that is bent already
        return None
    wide, deep, rise = random.uniform(4, 9), random.uniform(0.5, 2), random.uniform(-0.5, 4)
    steps = np.linspace(0, 1, 10)
    down = y + deep * np.sin(math.pi * steps) - rise * steps**2
    return hand.with_stroke(list(zip((x - wide * steps).tolist(), down.tolist(), strict=True)), random.uniform(0.8, 1))


def _looped(hand: _Hand, random: np.random.Generator) -> _Hand:
    """A loop in the lower left corner, where the stem becomes the base."""
    low = hand.ys > hand.ys.max() - 0.3 * np.ptp(hand.ys)
    x = float(hand.xs[low].min())
    y = float(hand.ys[low & (hand.xs <= x + 1)].mean())
    wide, high, tilt = random.uniform(1.8, 3.8), random.uniform(1.3, 2.8), random.uniform(-0.2, 0.7)
    turn = np.linspace(0, 2 * math.pi, 24)
    across, up = wide * np.cos(turn), high * np.sin(turn)
    middle = (x + wide - hand.width / 2 + random.uniform(-0.8, 0.8), y - high * random.uniform(0, 1))
    points = zip(
        (middle[0] + across * math.cos(tilt) + up * math.sin(tilt)).tolist(),
        (middle[1] + across * math.sin(tilt) - up * math.cos(tilt)).tolist(),
        strict=True,
    )
    return hand.with_stroke(list(points), random.uniform(0.7, 0.9))


def _short_barred(hand: _Hand, random: np.random.Generator) -> _Hand | None:
    """Its bar is cut short, or moved off the stem."""
    top, tall = int(hand.ys.min()), int(np.ptp(hand.ys))
    end = top + round(0.32 * tall)  # above it is the bar, and the beginning of the stem
    band = (hand.ys > top + 0.15 * tall) & (hand.ys < top + 0.4 * tall)
    if not band.any():
        return None
    stem = float(np.median([hand.xs[band & (hand.ys == y)].min() for y in np.unique(hand.ys[band])]))
    cut = round(stem + hand.width)
    bar = hand.picture[:end, cut:]
    # What is there must be a bar, and nothing but a bar: of a 5 with a high bowl, or none, nothing is known.
    if (bar > _INK).sum() < 3 * hand.width or hand.picture[end - 1 : end + 1, cut:].max(initial=0) > _NO_INK:
        return None
    picture = hand.picture.copy()
    if random.random() < 0.5:
        left = min(cut + int(random.integers(0, 4)), SIDE - 1)
        picture[:end, left:] = 0
        picture[:end, left - 1] //= 2
        return None if (picture[:end, cut - 1 :] == hand.picture[:end, cut - 1 :]).all() else _hand(picture)
    picture[:end, cut:] = 0
    right, up = int(random.integers(2, 4)), int(random.integers(-1, 3))
    moved = np.zeros_like(picture)
    moved[:end, cut:] = bar
    moved = np.roll(np.pad(moved, 4), (-up, right), (0, 1))[4:-4, 4:-4]
    return _hand(np.maximum(picture, moved))


@dataclass(frozen=True)
class _Way:
    """Draws on digits `of` and gives digits `gives`, `share` times in a round of all ways."""

    of: int
    gives: int
    share: int
    draw: Callable[[_Hand, np.random.Generator], _Hand | None]


_WAYS = (
    _Way(7, 7, 4, _crossed),
    _Way(7, 7, 4, _ticked),
    _Way(1, 1, 4, _flagged),
    _Way(1, 1, 3, _waved),
    _Way(1, 1, 2, _on_serif),
    _Way(1, 1, 3, _flagged_on_serif),
    _Way(0, 0, 2, _slashed),
    _Way(1, 4, 3, _triangle_on_stem),
    _Way(1, 1, 4, _wide_flagged),
    _Way(2, 2, 2, _looped),
    _Way(1, 4, 3, _open_with_rising_bar),
    _Way(5, 5, 3, _short_barred),
    _Way(1, 7, 2, _y_shaped),
    _Way(9, 9, 3, _hooked),
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
