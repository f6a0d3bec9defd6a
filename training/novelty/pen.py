"""A pen and its ink: how the curves and shapes that a seed gives become pictures like MNIST's."""

import math

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from service.core.digit import SIDE

Pictures = NDArray[np.uint8]
Floats = NDArray[np.float64]
Points = NDArray[np.float64]

FINE = 4  # shapes are drawn four times as large and averaged down, for soft edges
_BOX = 20  # the longer side of a drawing's ink, as of MNIST's digits
_SHARP = 0.4  # radians; where a path turns by more, its pen leaves a notch


def smooth(points: Points, steps: int = 6) -> Points:
    """Join points (count, 2) by a Catmull-Rom spline."""
    before, after = 2 * points[:1] - points[1:2], 2 * points[-1:] - points[-2:-1]
    padded = np.concatenate([before, points, after])
    t = np.linspace(0, 1, steps, endpoint=False)[:, None]
    a, b, c, d = (padded[shift : shift + len(points) - 1, None] for shift in range(4))
    curve = b + 0.5 * t * (c - a + t * (2 * a - 5 * b + 4 * c - d + t * (3 * (b - c) + d - a)))
    return np.concatenate([curve.reshape(-1, 2), points[-1:]])


def _turns(path: Points) -> Floats:
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
    sheet = Image.new("L", (SIDE * FINE, SIDE * FINE))
    pencil, width = ImageDraw.Draw(sheet), pen * FINE
    for curve in curves:
        path = ((curve - middle) * scale + SIDE / 2) * FINE
        pencil.line(path.ravel().tolist(), fill=255, width=round(width))
        # Pillow's own round joints are drawn in Python, at every point of a smooth curve too.
        for x, y in (path[0], *path[1:-1][_turns(path) > _SHARP], path[-1]):
            pencil.ellipse([x - width / 2, y - width / 2, x + width / 2, y + width / 2], fill=255)
    ink = np.asarray(sheet.reduce(FINE))
    places = np.arange(SIDE)
    mass = float(ink.sum(dtype=np.int64))
    down = round(SIDE / 2 - float(ink.sum(axis=1) @ places) / mass)
    right = round(SIDE / 2 - float(ink.sum(axis=0) @ places) / mass)
    down, right = (int(np.clip(step, -3, 3)) for step in (down, right))  # the box leaves four pixels on each side
    return np.roll(ink, (down, right), axis=(0, 1))


def dyed(shape: Floats, random: np.random.Generator) -> Pictures:
    """Give a silhouette (rows, columns), 0 to 1, a shade, stripes and grain."""
    y, x = np.mgrid[0 : shape.shape[0], 0 : shape.shape[1]]
    angle, pace = random.uniform(0, math.pi), random.uniform(0.1, 1.5)
    stripes = np.sin(pace * (x * math.cos(angle) + y * math.sin(angle)) + random.uniform(0, 6))
    shade = random.uniform(0.4, 0.9) + random.uniform(0, 0.4) * stripes + random.normal(0, 0.05, shape.shape)
    return as_pixels(shape * shade)


def as_pixels(shape: Floats) -> Pictures:
    """Return numbers of 0 to 1, clipped to that, as pixels."""
    return np.asarray((255 * np.clip(shape, 0, 1)).astype(np.uint8))


def stretched(field: Floats, random: np.random.Generator) -> Pictures:
    """Bring a field of any range to pixels, with some of the range lost at either end."""
    low, high = np.quantile(field, [random.uniform(0, 0.3), random.uniform(0.8, 1)])
    return as_pixels((field - low) / max(high - low, 1e-6))


def averaged(sheet: Image.Image) -> Pictures:
    """Return a sheet that was drawn `FINE` times as large, as pixels of its real size."""
    return np.asarray(sheet.reduce(FINE))
