"""
The kinds of drawn negative: scribbles, dots, letters, silhouettes, grain and others.

Each is a function of a generator of random numbers that draws one picture, of any size.
"""

import math
from collections.abc import Callable

import numpy as np
from PIL import Image, ImageDraw
from scipy import ndimage

from service.core.digit import SIDE
from training.novelty.glyphs import GLYPHS, strokes
from training.novelty.pen import FINE, Pictures, as_pixels, averaged, dyed, in_mnists_form, smooth, stretched


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
    sheet = Image.new("L", (SIDE * FINE, SIDE * FINE))
    tall = random.uniform(3, 24)
    wide = float(np.clip(tall * random.uniform(0.75, 1.5), 3, 26))
    x, y = 14 + random.normal(0, 1), 14 + random.normal(0, 1)
    box = [FINE * value for value in (x - wide / 2, y - tall / 2, x + wide / 2, y + tall / 2)]
    pencil = ImageDraw.Draw(sheet)
    (pencil.ellipse if random.random() < 0.7 else pencil.rectangle)(box, fill=255)
    ink = ndimage.gaussian_filter(averaged(sheet).astype(np.float64), random.uniform(0.1, 1.5)) / 255
    return as_pixels(ink * random.uniform(0.4, 1))


def _dots(random: np.random.Generator) -> Pictures:
    """Several small rounds: a dotted line's worth, a colon, a spatter."""
    sheet = Image.new("L", (SIDE * FINE, SIDE * FINE))
    pencil = ImageDraw.Draw(sheet)
    for _ in range(int(random.integers(2, 12))):
        x, y, radius = *(FINE * random.uniform(5, 23, 2)), FINE * random.uniform(0.8, 3)
        pencil.ellipse([x - radius, y - radius, x + radius, y + radius], fill=int(random.uniform(120, 255)))
    return averaged(sheet)


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
    side = int(random.integers(SIDE, 3 * SIDE))
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
    sheet = Image.new("L", (side * FINE, side * FINE))
    ImageDraw.Draw(sheet).polygon([tuple(side * FINE * point) for point in outline], fill=255)
    shape = averaged(sheet) / 255
    return dyed(shape, random) if random.random() < 0.5 else as_pixels(shape * random.uniform(0.3, 1))


def _blot(random: np.random.Generator) -> Pictures:
    corners = int(random.integers(3, 9))
    angles, reach = np.sort(random.uniform(0, 2 * math.pi, corners)), random.uniform(4, 14, corners)
    outline = [(4 * (14 + r * math.cos(a)), 4 * (14 + r * math.sin(a))) for r, a in zip(reach, angles, strict=True)]
    sheet = Image.new("L", (FINE * SIDE, FINE * SIDE))
    ImageDraw.Draw(sheet).polygon(outline, fill=255)
    return dyed(averaged(sheet) / 255, random)


def _patchwork(random: np.random.Generator) -> Pictures:
    """Few random squares, enlarged hard or softly."""
    side = int(random.integers(2, 20))
    squares = random.random((side, side)) ** random.uniform(0.5, 4)
    order = int(random.integers(0, 2))
    field = ndimage.zoom(squares, SIDE / side, order=order, mode="nearest", grid_mode=True)
    return as_pixels(field / max(field.max(), 1e-6))


def _loose_strokes(random: np.random.Generator) -> Pictures:
    """Four to eight straight strokes anywhere: too many for a digit."""
    sheet = Image.new("L", (FINE * SIDE, FINE * SIDE))
    pencil = ImageDraw.Draw(sheet)
    for _ in range(int(random.integers(4, 9))):
        ends = FINE * random.uniform(4, 24, 4)
        pencil.line([float(end) for end in ends], fill=255, width=int(random.uniform(4, 12)))
    return averaged(sheet)


def _grain(random: np.random.Generator) -> Pictures:
    """Grain on an even ground, from hardly any to nothing else, fine or coarse."""
    level, strength = random.uniform(0, 1) ** 2, random.uniform(0.02, 0.6)
    grain = random.standard_normal((SIDE, SIDE)) if random.random() < 0.5 else random.laplace(size=(SIDE, SIDE))
    if random.random() < 0.3:
        grain *= random.random((SIDE, SIDE)) < random.uniform(0.01, 0.3)
    return as_pixels(level + strength * grain)


def _photograph(random: np.random.Generator) -> Pictures:
    """
    What photographs are like: power that falls with frequency (Field 1987), or things in front of each other.

    The latter are discs of many sizes, dropped one on another (the "dead leaves" of Lee, Mumford and Huang 2001).
    """
    side = SIDE if random.random() < 0.5 else int(random.integers(SIDE, 4 * SIDE))
    if random.random() < 0.5:
        pace = np.hypot(*np.meshgrid(np.fft.fftfreq(side), np.fft.fftfreq(side)))
        spectrum = np.fft.fft2(random.standard_normal((side, side))) / (pace + 0.02) ** random.uniform(0.5, 2)
        return stretched(np.fft.ifft2(spectrum).real, random)
    sheet = Image.new("L", (side * FINE, side * FINE), int(random.integers(256)))
    pencil = ImageDraw.Draw(sheet)
    for _ in range(int(random.integers(4, 60))):
        x, y = random.uniform(0, side * FINE, 2)
        wide, tall = FINE * side / 19 / random.uniform(0.05, 1, 2)
        pencil.ellipse([x - wide, y - tall, x + wide, y + tall], fill=int(random.integers(256)))
    field = ndimage.gaussian_filter(averaged(sheet).astype(np.float64), random.uniform(0.1, 1))
    return stretched(field, random)


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
SHARES = {"glyph": 4, "scribble": 2, "wander": 2, "ramble": 2, "silhouette": 2, "photograph": 2, "broad-nibbed": 2}
