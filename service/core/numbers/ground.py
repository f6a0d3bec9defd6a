"""
A page becomes ink: how much of it there is at every place, whatever the paper and the light.

The ground of a drawing is one level. That of a photograph is the mean of what is around, without the ink in it.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from service.core.digit.ink import filled, grey, reduced
from service.core.digit.pieces import BLANK, Mask, Plane, blank
from service.core.errors import InvalidImage
from service.core.numbers import thresholds as at


@dataclass(frozen=True, slots=True)
class Page:
    """
    A picture as ink.

    ink: (height, width) float32, 0 paper to 1 ink   mask: where there is ink
    factor: pixels of the picture, along each axis, that are one of `ink`   inverted: its ink is darker than its ground
    """

    ink: Plane
    mask: Mask
    factor: int
    inverted: bool


def page_of(picture: NDArray[Any], factor: int) -> Page:
    """
    Find the ink of a picture, looked at with `factor` x `factor` of its pixels as one.

    picture: what core.digit.ink.checked() returns   raises: InvalidImage where there is no ink
    """
    plane = grey(reduced(picture, factor))
    low, high = float(plane.min()), float(plane.max())
    if high - low < at.FAINTEST:
        raise blank(255 * (high - low))
    found = _on_one_level(plane, low, high)
    ink, noise, inverted = found if found is not None else _on_paper(plane)
    level = _stroke_level(ink, max(at.NOISE_TIMES * noise, at.FAINTEST))
    threshold = max(at.NOISE_TIMES * noise, at.INK_SHARE * level, at.FAINTEST)
    mask = ink > np.float32(threshold)
    return Page(np.minimum(ink * np.float32(1 / level), np.float32(1)), mask, factor, inverted)


def _on_one_level(plane: Plane, low: float, high: float) -> tuple[Plane, float, bool] | None:
    """The ink of a drawing, which has its ground on its lowest or highest level; None for all others."""
    levels = ((plane - np.float32(low)) * np.float32(255 / (high - low))).astype(np.uint8)
    counts = np.bincount(levels.ravel(), minlength=256)
    # A level on the edge of two may be counted as either.
    for ground, inverted in ((int(counts[:3].sum()), False), (int(counts[-3:].sum()), True)):
        if ground > at.CLEAN_GROUND * plane.size:
            return (np.float32(high) - plane if inverted else plane - np.float32(low)), 0.0, inverted
    return None


def _on_paper(plane: Plane) -> tuple[Plane, float, bool]:
    """The ink of a photograph or scan, the noise of its paper (a standard deviation), and whether ink is darker."""
    factor = -(-max(plane.shape) // at.GROUND_SIDE)
    small = reduced(plane, factor)
    window = max(3, round(max(small.shape) * at.GROUND_WINDOW)) | 1
    paper = _windowed(small, np.ones_like(small), window)
    for _ in range(at.GROUND_ROUNDS):
        rest = small - paper
        away = np.abs(rest - np.median(rest))
        scale = max(1.4826 * float(np.median(away)), 1 / 255)
        near = (away < at.PAPER_NEAR * scale).astype(np.float32)
        paper = _windowed(small, near, window)
    rest = small - paper
    rest -= np.median(rest)
    # Strokes are thin, and darker or lighter than paper; neither a shadow's edge nor a lamp's reflection is thin.
    size = max(3, round(max(small.shape) * at.STROKE_PART)) | 1
    dark = np.minimum(filled(small, size) - small, np.maximum(-rest, 0))
    light = np.minimum(filled(-small, size) + small, np.maximum(rest, 0))
    inverted = float((dark * dark).sum()) > float((light * light).sum())
    paper = filled(small, size) if inverted else -filled(-small, size)
    paper = np.asarray(_windowed(paper, np.ones_like(paper), max(3, size // 2 | 1)), np.float32)
    full = _enlarged(paper, plane.shape, factor)
    ink = (full - plane) / np.maximum(full, np.float32(at.DARKEST_PAPER)) if inverted else plane - full
    sample = ink[:: max(1, ink.shape[0] // 256), :: max(1, ink.shape[1] // 256)]
    middle = float(np.median(sample))
    noise = 1.4826 * float(np.median(np.abs(sample - middle)))
    return np.maximum(ink - np.float32(middle), np.float32(0)), noise, inverted


def _stroke_level(ink: Plane, least: float) -> float:
    """How strong the ink of strokes is: the level of the stronger half of what is no noise."""
    inked = ink[ink > np.float32(least)]
    if not inked.size:
        raise InvalidImage(BLANK)
    every = max(1, inked.size // 20000)
    return float(np.percentile(inked[::every], 75))


def _windowed(plane: Plane, weight: Plane, size: int) -> Plane:
    """The weighted mean of every size x size window, the window cut off at the rim; where no weight is, of all."""
    total, count = _sums(plane * weight, size), _sums(weight, size)
    whole = float((plane * weight).sum() / max(1.0, float(weight.sum())))
    # A window nearly without paper takes the mean of the page in.
    some = np.float32(0.02 * size * size)
    return np.asarray((total + some * whole) / (count + some), np.float32)


def _sums(plane: Plane, size: int) -> NDArray[np.float64]:
    """The sum of every size x size window."""
    half = size // 2
    total = np.asarray(plane, np.float64)
    for axis in (0, 1):
        sums = np.cumsum(np.pad(total, ((1, 0), (0, 0)) if axis == 0 else ((0, 0), (1, 0))), axis=axis)
        length = total.shape[axis]
        last = np.minimum(np.arange(length) + half + 1, length)
        first = np.maximum(np.arange(length) - half, 0)
        total = sums.take(last, axis=axis) - sums.take(first, axis=axis)
    return total


def _enlarged(small: Plane, shape: tuple[int, ...], factor: int) -> Plane:
    """Interpolate a plane reduced by `factor` back to `shape`, linearly."""
    for axis in (0, 1):
        place = np.clip((np.arange(shape[axis]) + 0.5) / factor - 0.5, 0, small.shape[axis] - 1)
        first = np.minimum(place.astype(np.intp), max(0, small.shape[axis] - 2))
        share = (place - first).astype(np.float32)
        share = share[:, None] if axis == 0 else share[None, :]
        after = np.minimum(first + 1, small.shape[axis] - 1)
        small = small.take(first, axis=axis) * (1 - share) + small.take(after, axis=axis) * share
    return small
