"""
Touching digits, composed of MNIST's by a seed, and where they touch.

The digits of one string are written with one pen at one slant, as far as MNIST has such: it does not name its writers,
so digits with strokes of one width are taken. They are slid together until they touch, or a little farther.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from service.core.digit.pieces import Mask, Plane, extent_of, grown, painted, pieces_of
from service.core.numbers.blobs import Blob, trimmed
from service.core.numbers.seams import padded, seam_picture
from training.data.mnist import LabelledDigits
from training.seams.knobs import StringKnobs

PAPER = 255  # in `classes`: no digit's ink


@dataclass(frozen=True)
class SeamString:
    """
    A blob of touching digits as the network sees it.

    ink: (rows, columns) float32, 0 to 1   seam: of that shape, how much of each pixel lies where two digits touch
    classes: of that shape, uint8: whose ink it is, 0 to 9, or PAPER
    """

    ink: Plane
    seam: Plane
    classes: NDArray[np.uint8]


def seam_strings(digits: LabelledDigits, count: int, seed: int, knobs: StringKnobs) -> Iterator[SeamString]:
    """Compose `count` strings; the same for the same digits, seed and knobs."""
    ranked = np.argsort(stroke_widths(digits), kind="stable")
    for index in range(count):
        yield _string(np.random.default_rng([seed, index]), digits, ranked, knobs)


def stroke_widths(digits: LabelledDigits) -> NDArray[np.float64]:
    """How wide the strokes of each digit are, in pixels: its ink for each pixel of its edge, twice."""
    inked = np.pad(digits.images > 127, ((0, 0), (1, 1), (1, 1)))
    inner = inked[:, 2:, 1:-1] & inked[:, :-2, 1:-1] & inked[:, 1:-1, 2:] & inked[:, 1:-1, :-2]
    area = np.count_nonzero(inked, axis=(1, 2))
    edge = area - np.count_nonzero(inked[:, 1:-1, 1:-1] & inner, axis=(1, 2))
    return np.asarray(2 * area / np.maximum(edge, 1), np.float64)


def _string(
    rng: np.random.Generator, digits: LabelledDigits, ranked: NDArray[np.intp], knobs: StringKnobs
) -> SeamString:
    count = int(rng.choice(len(knobs.counts), p=knobs.counts)) + 1
    height = float(np.exp(rng.uniform(*np.log(knobs.heights))))
    slant, aspect = rng.normal(0, knobs.slant), rng.uniform(*knobs.aspects)
    smallest, offset = 1 - rng.uniform(0, knobs.size), rng.uniform(0, knobs.offset)
    near = max(1, int(knobs.pen * len(ranked)))
    pen = int(rng.integers(len(ranked)))
    canvas = np.zeros((round(3 * height), round((count + 1) * 2.5 * height)), np.float32)
    layers, labels = [], []
    x = round(height)
    for place in range(count):
        index = int(ranked[np.clip(pen + rng.integers(-near, near + 1), 0, len(ranked) - 1)])
        ink = _drawn(digits.images[index], height * rng.uniform(smallest, 1), slant + rng.normal(0, 0.05), aspect)
        bottom = 2.2 * height + height * rng.uniform(-offset, offset)
        top = int(np.clip(bottom - len(ink), 0, len(canvas) - len(ink)))
        if place:
            x = _touching(canvas[top : top + len(ink)], ink, x)
            more = rng.uniform(0, knobs.farther) * height if rng.random() < knobs.farther_share else 0.0
            x = max(0, x - round(more) + (int(rng.integers(1, 3)) if rng.random() < knobs.gap_share else 0))
        layer = np.zeros_like(canvas)
        layer[top : top + len(ink), x : x + ink.shape[1]] = ink
        canvas = np.maximum(canvas, layer)
        layers.append(layer)
        labels.append(int(digits.labels[index]))
        x += ink.shape[1]
    return _as_seen(rng, canvas, layers, labels, height, knobs)


def _drawn(image: NDArray[np.uint8], height: float, slant: float, aspect: float) -> Plane:
    """One digit's ink, slanted, cut to its extent, its longer side `height` pixels."""
    picture = Image.fromarray(image)
    if abs(slant) > 0.02:
        matrix = (1, slant, -slant * image.shape[0] / 2, 0, 1, 0)
        picture = picture.transform(picture.size, Image.Transform.AFFINE, matrix, Image.Resampling.BICUBIC)
    levels = np.asarray(picture)
    top, bottom, left, right = extent_of(levels > 60)
    cut = picture.crop((left, top, right, bottom))
    scale = height / max(cut.size)
    size = max(2, round(cut.size[0] * scale * aspect)), max(2, round(cut.size[1] * scale))
    return np.asarray(cut.resize(size, Image.Resampling.BICUBIC), np.float32) / np.float32(255)


def _touching(there: Plane, ink: Plane, x: int) -> int:
    """The column at which `ink`, slid to the left, first lies on what is there by two pixels; x where it never does."""
    taken, own = there > 0.5, ink > 0.5
    for left in range(x + 3, max(0, x - ink.shape[1]), -1):
        if np.count_nonzero(taken[:, left : left + ink.shape[1]] & own) >= 2:
            return left
    return x


def _as_seen(
    rng: np.random.Generator, ink: Plane, layers: list[Plane], labels: list[int], height: float, knobs: StringKnobs
) -> SeamString:
    """The largest blob of a string as the service would see it."""
    seen = ink
    if rng.random() < knobs.blur_share:
        seen = _blurred(seen, rng.uniform(0, 1))
    seen = seen ** np.float32(np.exp(rng.uniform(-knobs.gamma, knobs.gamma)))
    seen = np.clip(seen + rng.normal(0, rng.uniform(0, knobs.noise), seen.shape).astype(np.float32), 0, 1)
    mask = _largest(seen > rng.uniform(*knobs.thresholds))
    blob = trimmed(Blob(0, 0, mask))
    scale = blob.height * rng.uniform(knobs.lower, 1)
    rounds = max(1, round(knobs.seam * height))
    near = sum(_grown_by(layer > 0.4, rounds).astype(np.int32) for layer in layers)
    owner = np.array(layers).argmax(axis=0)
    picture = padded(seam_picture(blob, seen, scale))
    seam = padded(seam_picture(blob, (mask & (near > 1)).astype(np.float32), scale))
    shares = [
        padded(seam_picture(blob, (mask & (owner == place)).astype(np.float32), scale)) for place in range(len(layers))
    ]
    whose = np.array(labels, np.uint8)[np.array(shares).argmax(axis=0)]
    classes = np.where(np.array(shares).max(axis=0) > 0.4, whose, np.uint8(PAPER))
    return SeamString(picture, seam, classes)


def _largest(mask: Mask) -> Mask:
    pieces = pieces_of(mask)
    return painted(pieces, pieces.area == pieces.area.max(), mask.shape)


def _grown_by(mask: Mask, rounds: int) -> Mask:
    for _ in range(rounds):
        mask = grown(mask)
    return mask


def _blurred(plane: Plane, strength: float) -> Plane:
    """Each pixel mixed with its neighbours across and down."""
    side = np.float32(strength / 3)
    for axis in (0, 1):
        plane = plane * (1 - 2 * side) + side * (np.roll(plane, 1, axis) + np.roll(plane, -1, axis))
    return np.asarray(plane, np.float32)
