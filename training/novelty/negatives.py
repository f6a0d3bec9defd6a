"""
Pictures that are no digits, made from a seed: what the novelty reader learns to flag.

Some are made from digits (mirrored, turned, cut and joined, laid over each other, written side by side), some are
drawn (scribbles, dots, letters and signs, loose strokes, silhouettes, blots, patchwork, grain, what photographs show).
None of the pictures that novelty is measured with (`strangers.py`) is among them, and none is made in the same way.
"""

import contextlib
import math
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image, ImageDraw
from scipy import ndimage

from service.core.digit import prepare
from service.core.errors import InvalidImage
from training.data.mnist import Part
from training.data.warps import warped_copy
from training.knobs import WarpKnobs
from training.novelty.glyphs import GLYPHS, strokes

Pictures = NDArray[np.uint8]
Shape = NDArray[np.float64]
Points = NDArray[np.float64]

_SIDE = 28
_AT_A_TIME = 4000  # pictures from one generator of random numbers
_BOX = 20  # the longer side of a drawing's ink, as of MNIST's digits
_SHARP = 0.4  # radians; where a path turns by more, its pen leaves a notch
_FINE = 4  # shapes are drawn four times as large and averaged down, for soft edges


def from_digits(part: Part, seed: int) -> Pictures:
    """
    Make what digits become when they are mirrored, turned, joined, overlaid or paired.

    returns: (about len(part), 28, 28) uint8
    """
    random = np.random.default_rng(seed)
    digits = bent_digits(part[random.permutation(len(part))], seed)
    share = len(part) // 4
    made = [
        _mirrored(digits[:share]),
        _turned(digits[share : 2 * share], random),
        _joined(digits[: 2 * share], random),
        _overlaid(digits[2 * share :]),
        _side_by_side(digits[: 2 * share], random),
    ]
    return np.concatenate(made).astype(np.uint8)


def drawn(count: int, seed: int, workers: int = 1) -> Pictures:
    """
    Draw `count` pictures, each kind in its turn, some kinds more often: (count, 28, 28) uint8.

    Every third one goes through the normaliser, as a posted picture does. However many processes work on it, the
    pictures of a seed are the same.
    """
    parts = [(seed, start, min(start + _AT_A_TIME, count)) for start in range(0, count, _AT_A_TIME)]
    if workers == 1 or len(parts) == 1:
        return np.concatenate([_drawn_part(part) for part in parts])
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
        return np.concatenate(list(pool.map(_drawn_part, parts)))


def _drawn_part(part: tuple[int, int, int]) -> Pictures:
    seed, start, end = part
    random = np.random.default_rng([seed, start])
    draw = [kind for name, kind in DRAWN.items() for _ in range(_SHARES.get(name, 1))]
    return np.stack([_in_frame(draw[n % len(draw)](random), n // len(draw) % 3 == 2) for n in range(start, end)])


def bent_digits(part: Part, seed: int) -> Part:
    """Return the part, every digit bent as in training."""
    return Part(bent(part.images, seed), part.labels)


def bent(pictures: Pictures, seed: int, knobs: WarpKnobs | None = None) -> Pictures:
    """Return the pictures, each bent as `knobs` say, or else as digits are in training."""
    copy = warped_copy(torch.from_numpy(pictures.copy())[:, None], knobs or WarpKnobs(), seed)
    return np.asarray(copy[:, 0].numpy())


def dyed(shape: Shape, random: np.random.Generator) -> Pictures:
    """Give a silhouette (rows, columns), 0 to 1, a shade, stripes and grain."""
    y, x = np.mgrid[0 : shape.shape[0], 0 : shape.shape[1]]
    angle, pace = random.uniform(0, math.pi), random.uniform(0.1, 1.5)
    stripes = np.sin(pace * (x * math.cos(angle) + y * math.sin(angle)) + random.uniform(0, 6))
    shade = random.uniform(0.4, 0.9) + random.uniform(0, 0.4) * stripes + random.normal(0, 0.05, shape.shape)
    return _as_bytes(shape * shade)


def _in_frame(picture: Pictures, prepared: bool) -> Pictures:
    if prepared:
        with contextlib.suppress(InvalidImage):
            return prepare(picture).image
    return np.asarray(Image.fromarray(picture).resize((_SIDE, _SIDE), Image.Resampling.BOX))


def _as_bytes(shape: Shape) -> Pictures:
    return np.asarray((255 * np.clip(shape, 0, 1)).astype(np.uint8))


def _stretched(field: Shape, random: np.random.Generator) -> Pictures:
    """Bring a field of any range to pixels, with some of the range lost at either end."""
    low, high = np.quantile(field, [random.uniform(0, 0.3), random.uniform(0.8, 1)])
    return _as_bytes((field - low) / max(high - low, 1e-6))


def _averaged(sheet: Image.Image) -> Pictures:
    return np.asarray(sheet.reduce(_FINE))


def smooth(points: Points, steps: int = 6) -> Points:
    """Join points (count, 2) by a Catmull-Rom spline."""
    before, after = 2 * points[:1] - points[1:2], 2 * points[-1:] - points[-2:-1]
    padded = np.concatenate([before, points, after])
    t = np.linspace(0, 1, steps, endpoint=False)[:, None]
    a, b, c, d = (padded[shift : shift + len(points) - 1, None] for shift in range(4))
    curve = b + 0.5 * t * (c - a + t * (2 * a - 5 * b + 4 * c - d + t * (3 * (b - c) + d - a)))
    return np.concatenate([curve.reshape(-1, 2), points[-1:]])


def _turns(path: Points) -> Shape:
    """Return by how many radians a path (count, 2) turns at each of its inner points, 0 to pi."""
    steps = np.diff(path, axis=0)
    headings = np.arctan2(steps[:, 1], steps[:, 0])
    return np.asarray(np.abs((np.diff(headings) + math.pi) % (2 * math.pi) - math.pi))


def in_mnists_form(curves: list[Points], pen: float) -> NDArray[np.uint8]:
    """
    Draw curves with a round pen `pen` pixels wide: ink 20 pixels long, its centre of mass in the middle of 28 x 28.

    curves: (points, 2) each, in any unit   returns: (28, 28) uint8, 255 = ink
    """
    together = np.concatenate(curves)
    low, high = together.min(axis=0), together.max(axis=0)
    scale = (_BOX - pen) / max(float((high - low).max()), 1e-6)
    middle = (low + high) / 2
    sheet = Image.new("L", (_SIDE * _FINE, _SIDE * _FINE))
    pencil, width = ImageDraw.Draw(sheet), pen * _FINE
    for curve in curves:
        path = ((curve - middle) * scale + _SIDE / 2) * _FINE
        pencil.line(path.ravel().tolist(), fill=255, width=round(width))
        # Pillow's own round joints are drawn in Python, at every point of a smooth curve too.
        for x, y in (path[0], *path[1:-1][_turns(path) > _SHARP], path[-1]):
            pencil.ellipse([x - width / 2, y - width / 2, x + width / 2, y + width / 2], fill=255)
    ink = np.asarray(sheet.reduce(_FINE))
    places = np.arange(_SIDE)
    mass = float(ink.sum(dtype=np.int64))
    down = round(_SIDE / 2 - float(ink.sum(axis=1) @ places) / mass)
    right = round(_SIDE / 2 - float(ink.sum(axis=0) @ places) / mass)
    down, right = (int(np.clip(step, -3, 3)) for step in (down, right))  # the box leaves four pixels on each side
    return np.roll(ink, (down, right), axis=(0, 1))


# ------------------------------------------------------------------------------------------------------- from digits


def _mirrored(part: Part) -> Pictures:
    """Mirror the digits that become nothing: a 0, 1 or 8 stays one, a 2 and a 5 become each other."""
    return part.images[np.isin(part.labels, [3, 4, 6, 7, 9])][:, :, ::-1]


def _turned(part: Part, random: np.random.Generator) -> Pictures:
    """Turn the digits that become nothing by a quarter, to the left or to the right."""
    chosen = part.images[np.isin(part.labels, [2, 3, 4, 5, 6, 7, 9])]
    left = random.random(len(chosen)) < 0.5
    turned = [np.rot90(chosen[left], 1, (1, 2)), np.rot90(chosen[~left], -1, (1, 2))]
    return np.concatenate(turned).astype(np.uint8)


def _joined(part: Part, random: np.random.Generator) -> Pictures:
    """Join the upper or left half of one digit to the other half of a different one."""
    one, other = part.images[0::2].copy(), part.images[1::2]
    count = min(len(one), len(other))
    one, other = one[:count], other[:count]
    upright = random.random(count) < 0.5
    one[upright, :, 14:] = other[upright, :, 14:]
    one[~upright, 14:] = other[~upright, 14:]
    different = part.labels[0::2][:count] != part.labels[1::2][:count]
    return np.compress(different, one, axis=0)


def _overlaid(part: Part) -> Pictures:
    count = len(part) // 2
    one, other = part[:count], part[count : 2 * count]
    return np.compress(one.labels != other.labels, np.maximum(one.images, other.images), axis=0)


def _side_by_side(part: Part, random: np.random.Generator) -> Pictures:
    """Write two digits beside each other, as in a number, in the box of one."""
    pairs = zip(part.images[0::2], part.images[1::2], strict=False)
    return np.stack([_pair(one, other, int(random.integers(-1, 4))) for one, other in pairs])


def _pair(one: Pictures, other: Pictures, gap: int) -> Pictures:
    """Put two digits side by side, `gap` pixels apart, and shrink them into the box: (28, 28)."""
    left, right = (np.flatnonzero(digit.max(axis=0) > 50) for digit in (one, other))
    wide = [int(np.ptp(columns)) + 1 if len(columns) else 1 for columns in (left, right)]
    sheet = np.zeros((_SIDE, sum(wide) + 8), np.uint8)
    for digit, columns, start in ((one, left, 2), (other, right, 2 + wide[0] + gap)):
        places = start + columns - columns[:1]
        sheet[:, places] = np.maximum(sheet[:, places], digit[:, columns])
    side = max(_SIDE, sheet.shape[1] + 4)
    frame = np.zeros((side, side), np.uint8)
    down, across = (side - _SIDE) // 2, (side - sheet.shape[1]) // 2
    frame[down : down + _SIDE, across : across + sheet.shape[1]] = sheet
    return np.asarray(Image.fromarray(frame).resize((_SIDE, _SIDE), Image.Resampling.BOX))


# -------------------------------------------------------------------------------------------------------------- drawn


def _scribble(random: np.random.Generator) -> Pictures:
    """One curve through many places: too many turns for a digit."""
    places = random.uniform(0, 1, (int(random.integers(8, 24)), 2)) * [random.uniform(0.4, 1), 1]
    return in_mnists_form([smooth(places)], random.uniform(1.2, 3.6))


def _wander(random: np.random.Generator) -> Pictures:
    """A pen whose bend, not its direction, drifts: an absent-minded line, from a few turns to a tangle."""
    steps = int(random.integers(25, 200))
    bend = ndimage.gaussian_filter1d(random.standard_normal(steps), random.uniform(1, 6))
    heading = random.uniform(0, 2 * math.pi) + np.cumsum(random.uniform(0.2, 0.6) * bend / bend.std())
    curve = np.cumsum(np.stack([np.cos(heading), np.sin(heading)], axis=1), axis=0)
    return in_mnists_form([curve], random.uniform(1.2, 4))


def _ramble(random: np.random.Generator) -> Pictures:
    """A mouse pushed about: straight runs and sudden turns inside a frame."""
    places = np.clip(np.cumsum(random.standard_normal((int(random.integers(5, 40)), 2)), axis=0), -2, 2)
    return in_mnists_form([smooth(places) if random.random() < 0.3 else places], random.uniform(1.2, 4))


def _hatching(random: np.random.Generator) -> Pictures:
    """To and fro across the box, as a pen that is tried or a word that is struck out."""
    count = int(random.integers(7, 20))
    across = np.where(np.arange(count) % 2 == 0, 0.0, 1.0) + random.normal(0, 0.12, count)
    along = np.linspace(0, random.uniform(0.3, 1.2), count) + random.normal(0, 0.05, count)
    turn = random.uniform(0, math.pi)
    x, y = across * math.cos(turn) - along * math.sin(turn), across * math.sin(turn) + along * math.cos(turn)
    places = np.stack([x, y], axis=1)
    return in_mnists_form([smooth(places) if random.random() < 0.5 else places], random.uniform(1.2, 3.2))


def _coil(random: np.random.Generator) -> Pictures:
    """Loops laid over one another, drifting: a spiral, a spring, a flower."""
    turns = np.linspace(0, 2 * math.pi * random.uniform(2.7, 6), 120)
    reach = 1 + random.uniform(0, 1.2) * np.sin(random.uniform(0.2, 2.5) * turns) + random.uniform(0, 0.3) * turns
    drift = random.normal(0, 0.25, 2) * turns[:, None]
    curve = np.stack([reach * np.cos(turns) * random.uniform(0.5, 1), reach * np.sin(turns)], axis=1) + drift
    return in_mnists_form([curve], random.uniform(1.2, 2.6))


def _dot(random: np.random.Generator) -> Pictures:
    """A filled round, not so long that it could be a one."""
    sheet = Image.new("L", (_SIDE * _FINE, _SIDE * _FINE))
    tall = random.uniform(3, 24)
    wide = float(np.clip(tall * random.uniform(0.75, 1.5), 3, 26))
    x, y = 14 + random.normal(0, 1), 14 + random.normal(0, 1)
    box = [_FINE * value for value in (x - wide / 2, y - tall / 2, x + wide / 2, y + tall / 2)]
    pencil = ImageDraw.Draw(sheet)
    (pencil.ellipse if random.random() < 0.7 else pencil.rectangle)(box, fill=255)
    ink = ndimage.gaussian_filter(_averaged(sheet).astype(np.float64), random.uniform(0.1, 1.5)) / 255
    return _as_bytes(ink * random.uniform(0.4, 1))


def _dots(random: np.random.Generator) -> Pictures:
    """Several small rounds: a dotted line's worth, a colon, a spatter."""
    sheet = Image.new("L", (_SIDE * _FINE, _SIDE * _FINE))
    pencil = ImageDraw.Draw(sheet)
    for _ in range(int(random.integers(2, 12))):
        x, y, radius = *(_FINE * random.uniform(5, 23, 2)), _FINE * random.uniform(0.8, 3)
        pencil.ellipse([x - radius, y - radius, x + radius, y + radius], fill=int(random.uniform(120, 255)))
    return _averaged(sheet)


def _sign(random: np.random.Generator) -> Pictures:
    """Four to six straight or bent strokes between the nodes of a small grid: signs of no script."""
    nodes = np.stack(np.meshgrid([0, 0.5, 1], [0, 0.5, 1]), axis=2).reshape(-1, 2) + random.normal(0, 0.06, (9, 2))
    nodes[:, 0] *= random.uniform(0.5, 1.1)
    curves = []
    here = int(random.integers(9))
    for _ in range(int(random.integers(4, 7))):
        there = int(random.choice([node for node in range(9) if node != here]))
        bend = (nodes[here] + nodes[there]) / 2 + random.normal(0, 0.25, 2)
        stroke = [nodes[here], bend, nodes[there]] if random.random() < 0.4 else [nodes[here], nodes[there]]
        curves.append(smooth(np.stack(stroke)))
        here = there if random.random() < 0.6 else int(random.integers(9))
    return in_mnists_form(curves, random.uniform(1.4, 4))


def _glyph(random: np.random.Generator) -> Pictures:
    """A letter or sign in some hand: shaken, slanted, wide or narrow, its corners sharp or round."""
    width, slant = random.uniform(0.45, 1.1), random.normal(0, 0.23)
    turned, height = random.normal(0, 0.12), random.uniform(0.85, 1.15)
    curves = []
    for points, curved in strokes(GLYPHS[random.integers(len(GLYPHS))]):
        shaken = (points + random.normal(0, random.uniform(0.01, 0.06), points.shape)) @ [
            [width, turned],
            [slant, height],
        ]
        curves.append(smooth(shaken) if curved or random.random() < 0.15 else shaken)
    return in_mnists_form(curves, random.uniform(1.2, 4) * min(1, width + 0.2))


def _silhouette(random: np.random.Generator) -> Pictures:
    """A thing seen against an even ground, often the same to the left and to the right, large in its frame."""
    side = int(random.integers(_SIDE, 3 * _SIDE))
    corners = int(random.integers(4, 14))
    heights, reach = np.sort(random.uniform(0.04, 0.96, corners)), random.uniform(0.08, 0.48, (2, corners))
    left = reach[0]
    right = left + random.normal(0, 0.02, corners) if random.random() < 0.6 else reach[1]
    middle = 0.5 + random.uniform(-0.3, 0.3) * (heights - 0.5)
    outline = np.concatenate(
        [np.stack([middle - left, heights], axis=1), np.stack([middle + right, heights], axis=1)[::-1]]
    )
    if random.random() < 0.3:
        outline = smooth(outline)
    if random.random() < 0.25:
        outline = outline[:, ::-1]
    sheet = Image.new("L", (side * _FINE, side * _FINE))
    ImageDraw.Draw(sheet).polygon([tuple(side * _FINE * point) for point in outline], fill=255)
    shape = _averaged(sheet) / 255
    return dyed(shape, random) if random.random() < 0.5 else _as_bytes(shape * random.uniform(0.3, 1))


def _blot(random: np.random.Generator) -> Pictures:
    corners = int(random.integers(3, 9))
    angles, reach = np.sort(random.uniform(0, 2 * math.pi, corners)), random.uniform(4, 14, corners)
    outline = [(4 * (14 + r * math.cos(a)), 4 * (14 + r * math.sin(a))) for r, a in zip(reach, angles, strict=True)]
    sheet = Image.new("L", (_FINE * _SIDE, _FINE * _SIDE))
    ImageDraw.Draw(sheet).polygon(outline, fill=255)
    return dyed(_averaged(sheet) / 255, random)


def _patchwork(random: np.random.Generator) -> Pictures:
    """Few random squares, enlarged hard or softly."""
    side = int(random.integers(2, 20))
    squares = random.random((side, side)) ** random.uniform(0.5, 4)
    order = int(random.integers(0, 2))
    field = ndimage.zoom(squares, _SIDE / side, order=order, mode="nearest", grid_mode=True)
    return _as_bytes(field / max(field.max(), 1e-6))


def _loose_strokes(random: np.random.Generator) -> Pictures:
    """Four to eight straight strokes anywhere: too many for a digit."""
    sheet = Image.new("L", (_FINE * _SIDE, _FINE * _SIDE))
    pencil = ImageDraw.Draw(sheet)
    for _ in range(int(random.integers(4, 9))):
        ends = _FINE * random.uniform(4, 24, 4)
        pencil.line([float(end) for end in ends], fill=255, width=int(random.uniform(4, 12)))
    return _averaged(sheet)


def _grain(random: np.random.Generator) -> Pictures:
    """Grain on an even ground, from hardly any to nothing else, fine or coarse."""
    level, strength = random.uniform(0, 1) ** 2, random.uniform(0.02, 0.6)
    grain = random.standard_normal((_SIDE, _SIDE)) if random.random() < 0.5 else random.laplace(size=(_SIDE, _SIDE))
    if random.random() < 0.3:
        grain *= random.random((_SIDE, _SIDE)) < random.uniform(0.01, 0.3)
    return _as_bytes(level + strength * grain)


def _photograph(random: np.random.Generator) -> Pictures:
    """
    What photographs are like: power that falls with frequency (Field 1987), or things in front of each other.

    The latter are discs of many sizes, dropped one on another (the "dead leaves" of Lee, Mumford and Huang 2001).
    """
    side = _SIDE if random.random() < 0.5 else int(random.integers(_SIDE, 4 * _SIDE))
    if random.random() < 0.5:
        pace = np.hypot(*np.meshgrid(np.fft.fftfreq(side), np.fft.fftfreq(side)))
        spectrum = np.fft.fft2(random.standard_normal((side, side))) / (pace + 0.02) ** random.uniform(0.5, 2)
        return _stretched(np.fft.ifft2(spectrum).real, random)
    sheet = Image.new("L", (side * _FINE, side * _FINE), int(random.integers(256)))
    pencil = ImageDraw.Draw(sheet)
    for _ in range(int(random.integers(4, 60))):
        x, y = random.uniform(0, side * _FINE, 2)
        wide, tall = _FINE * side / 19 / random.uniform(0.05, 1, 2)
        pencil.ellipse([x - wide, y - tall, x + wide, y + tall], fill=int(random.integers(256)))
    field = ndimage.gaussian_filter(_averaged(sheet).astype(np.float64), random.uniform(0.1, 1))
    return _stretched(field, random)


DRAWN: dict[str, Callable[[np.random.Generator], Pictures]] = {
    "scribble": _scribble,
    "wander": _wander,
    "ramble": _ramble,
    "hatching": _hatching,
    "coil": _coil,
    "dot": _dot,
    "dots": _dots,
    "sign": _sign,
    "glyph": _glyph,
    "silhouette": _silhouette,
    "blot": _blot,
    "patchwork": _patchwork,
    "loose strokes": _loose_strokes,
    "grain": _grain,
    "photograph": _photograph,
}
_SHARES = {"glyph": 4, "scribble": 2, "wander": 2, "ramble": 2, "silhouette": 2, "photograph": 2}  # of others: 1
