"""
Negatives on paper: slabs, bars and letters drawn large, which go through the normaliser as a posted picture does.

What it leaves of them is unlike what is drawn at the size of a digit. It opens hairlines away, so that of a letter with
thin strokes the thick ones stay; it takes a shaded thing for ink on a ground.
"""

import math
from collections.abc import Callable
from itertools import pairwise

import numpy as np
from PIL import Image, ImageDraw
from scipy import ndimage

from training.novelty.glyphs import GLYPHS, strokes
from training.novelty.pen import FINE, Floats, Pictures, Points, as_pixels, averaged, smooth

_LEAST, _MOST = 40, 72  # pixels of a picture's side


def _slab(random: np.random.Generator) -> Pictures:
    """One filled block or two that touch, too wide for a 1."""
    side = int(random.integers(_LEAST, _MOST))
    tall = side * random.uniform(0.3, 0.7)
    wide = tall * random.uniform(0.42, 1.1)
    share = _block(side, (0.5, 0.5), wide, tall, random.normal(0, 0.15))
    if random.random() < 0.4:
        place = (0.5 + random.normal(0, 0.2), 0.5 + random.normal(0, 0.2))
        other = _block(
            side, place, wide * random.uniform(0.4, 1.2), tall * random.uniform(0.3, 1), random.normal(0, 0.2)
        )
        share = np.maximum(share, other * random.uniform(0.5, 1))
    return _on_paper(share, random)


def _bars(random: np.random.Generator) -> Pictures:
    """One bar that lies, or two or three beside each other in any direction; one that stands is a 1."""
    side = int(random.integers(_LEAST, _MOST))
    count = int(random.choice([1, 2, 3], p=[0.5, 0.3, 0.2]))
    turn = random.uniform(math.radians(62), math.radians(118)) if count == 1 else random.uniform(0, math.pi)
    tall = side * random.uniform(0.35, 0.6)
    wide = tall * random.uniform(0.08, 0.3 / count)
    apart = wide * random.uniform(1.8, 3.5)
    share = np.zeros((side, side))
    for number in range(count):
        beside = (number - (count - 1) / 2) * apart / side
        place = (0.5 + beside * math.cos(turn), 0.5 + beside * math.sin(turn))
        bar = _block(side, place, wide, tall * random.uniform(0.7, 1), turn + random.normal(0, 0.05))
        share = np.maximum(share, bar)
    return _on_paper(share, random)


def _broad_nibbed(random: np.random.Generator) -> Pictures:
    """A letter or sign whose upright strokes are broad and whose level ones are thin, as of type or a broad nib."""
    side = int(random.integers(_LEAST, _MOST))
    sheet = Image.new("L", (side * FINE, side * FINE))
    pencil, box = ImageDraw.Draw(sheet), FINE * side * random.uniform(0.4, 0.65)
    width, slant = box * random.uniform(0.5, 0.95), random.normal(0, 0.12)
    broad = box * random.uniform(0.1, 0.24)
    thin = broad * random.uniform(0.08, 0.5)
    corner = np.array([(FINE * side - width) / 2, (FINE * side - box) / 2])
    for points, curved in strokes(GLYPHS[random.integers(len(GLYPHS))]):
        shaken = points + random.normal(0, 0.015, points.shape)
        curve = (smooth(shaken) if curved else _stepped(shaken)) @ [[width, 0], [-slant * box, box]] + corner
        _draw_with_nib(pencil, curve, broad, thin)
    return _on_paper(averaged(sheet) / 255, random)


ON_PAPER: dict[str, Callable[[np.random.Generator], Pictures]] = {
    "slab": _slab,
    "bars": _bars,
    "broad-nibbed": _broad_nibbed,
}


def _block(side: int, place: tuple[float, ...], wide: float, tall: float, turn: float) -> Floats:
    """Return a filled rectangle turned by radians, its middle at a share of the side: (side, side), 0 to 1."""
    across = np.array([math.cos(turn), math.sin(turn)]) * wide / 2
    along = np.array([-math.sin(turn), math.cos(turn)]) * tall / 2
    middle = np.array(place) * side
    corners = [middle + across + along, middle + across - along, middle - across - along, middle - across + along]
    sheet = Image.new("L", (side * FINE, side * FINE))
    ImageDraw.Draw(sheet).polygon([tuple(FINE * corner) for corner in corners], fill=255)
    return np.asarray(averaged(sheet) / 255)


def _stepped(points: Points) -> Points:
    """Return points (count, 2) with others on the straight lines between them."""
    steps = np.linspace(0, 1, 8, endpoint=False)[:, None]
    lines = [one + (other - one) * steps for one, other in pairwise(points)]
    return np.concatenate([*lines, points[-1:]])


def _draw_with_nib(pencil: ImageDraw.ImageDraw, curve: Points, broad: float, thin: float) -> None:
    """Draw a curve (count, 2) as wide as its direction has it: `broad` where it runs up or down, `thin` where level."""
    for start, end in pairwise(curve):
        length = math.hypot(*(end - start))
        width = thin + (broad - thin) * abs(end[1] - start[1]) / length if length else thin
        pencil.line([tuple(start), tuple(end)], fill=255, width=max(1, round(width)))
        radius = width / 2
        pencil.ellipse([*(end - radius), *(end + radius)], fill=255)


def _on_paper(share: Floats, random: np.random.Generator) -> Pictures:
    """Put ink (rows, columns), 0 to 1, on paper that is shaded and grainy; some of it light on dark."""
    rows, columns = share.shape
    down, right = np.linspace(-1, 1, rows)[:, None], np.linspace(-1, 1, columns)
    light = random.uniform(0.6, 0.95) + random.normal(0, 0.04) * down + random.normal(0, 0.04) * right
    soft = ndimage.gaussian_filter(share, random.uniform(0.1, 1.2))
    picture = light - soft * random.uniform(0.25, 0.6) + random.normal(0, random.uniform(0, 0.015), share.shape)
    return as_pixels(1 - picture if random.random() < 0.25 else picture)
