"""
MNIST's form, recognised and made.

It is that of LeCun, Bottou, Bengio and Haffner, "Gradient-based learning applied to document recognition" (1998): the
digit's longer side becomes 20 pixels, anti-aliased, and its centre of mass is moved to the middle of 28 x 28 by whole
pixels.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from service.core.digit import thresholds as at
from service.core.digit.ink import panels_of, without_slopes
from service.core.digit.pieces import Mask, Plane, grown
from service.core.digit.thresholds import BROADEST, THINNEST

SIDE = 28  # the field a digit is placed in
BOX = 20  # the longer side of a digit's ink within it
MIDDLE = 14  # where the centre of mass goes, as the index of a pixel: MNIST's lie half a pixel past the field's middle
_PLACES = np.arange(SIDE, dtype=np.float32)
# What every pixel of a field weighs in its mass, and in the moments about its first row and column: (pixels, 3).
_MOMENTS = np.stack([np.ones(SIDE * SIDE), np.repeat(_PLACES, SIDE), np.tile(_PLACES, SIDE)], axis=1).astype(np.float32)
_BELOW_INK = bytes(range(at.DARKEST_AT_LEAST))  # levels too low to be the darkest of MNIST's ink
_UNMOVED = np.eye(3)
_UNMOVED.setflags(write=False)


@dataclass(frozen=True, slots=True)
class Frame:
    """
    Where the pixels of a picture that was decoded at reduced size lie in the posted one, both upright.

    step: how many posted pixels are one of them, along each axis; left, top: where the first of them begins;
    width, height: of the posted picture; all in posted pixels
    """

    step: int
    left: int
    top: int
    width: int
    height: int

    def outwards(self, box: tuple[int, int, int, int]) -> tuple[int, int, int, int]:
        """A box (x, y, width, height) of the picture, in posted pixels."""
        x, y, width, height = box
        left, top = max(0, self.left + self.step * x), max(0, self.top + self.step * y)
        right = min(self.width, self.left + self.step * (x + width))
        bottom = min(self.height, self.top + self.step * (y + height))
        return left, top, right - left, bottom - top

    @property
    def matrix(self) -> NDArray[np.float64]:
        """Takes (x, y, 1) of a pixel's centre in the picture to the posted one: (rows, columns) of (3, 3)."""
        # A pixel's centre is half a pixel from where it begins, posted or not.
        half = (self.step - 1) / 2
        return np.array([[self.step, 0, self.left + half], [0, self.step, self.top + half], [0, 0, 1]], np.float64)


@dataclass(frozen=True, slots=True)
class LeftOut:
    """
    What of a picture the digit does not show, each a share of 0 to 1, None where it was not asked.

    hairs: of the ink, what was taken off as crumbs and thin lines; of pictures of 28 x 28, and not where it is one
        line across the picture, dotted or not
    ink: of the inked area, what was dropped as another thing; of pictures up to SMALL pixels a side that were not
        mended, as is
    explained: of how the picture's levels differ, light apart, what the digit's ink explains (their squared
        correlation)
    """

    hairs: float | None = None
    ink: float | None = None
    explained: float | None = None

    @property
    def is_much(self) -> bool:
        """Tell whether what was left out says that the picture shows something else than this digit."""
        return (
            (self.hairs is not None and self.hairs > at.HAIRS_LEFT_OUT)
            or (self.ink is not None and self.ink > at.INK_LEFT_OUT)
            or (self.explained is not None and self.explained < at.LEAST_EXPLAINED)
        )


NOTHING_LEFT_OUT = LeftOut(0.0, 0.0, 1.0)
NOT_ASKED = LeftOut()


@dataclass(frozen=True, slots=True)
class PreparedDigit:
    """
    A digit in MNIST's form, and how it got there.

    image: (28, 28) uint8, 0 paper, 255 ink
    inverted: the posted picture had dark ink on a light ground
    box: (x, y, width, height) of the ink in pixels of the picture; of the posted one, once within() its frame
    shift: (dx, dy), how far the centre of mass moved the digit from the middle of its box, in 28 x 28 pixels
    angle: degrees the digit was turned by; 0, the normaliser leaves slant to the network
    matrix: (3, 3) float64, takes (x, y, 1) of a pixel's centre in `image` to the pixel in the posted picture
    left_out: what of the picture was not used
    """

    image: NDArray[np.uint8]
    inverted: bool
    box: tuple[int, int, int, int]
    shift: tuple[float, float]
    angle: float
    matrix: NDArray[np.float64]
    left_out: LeftOut = NOT_ASKED

    def within(self, frame: Frame) -> "PreparedDigit":
        """The same digit, with its box and matrix in the pixels that were posted."""
        return replace(self, box=frame.outwards(self.box), matrix=frame.matrix @ self.matrix)


@dataclass(frozen=True, slots=True)
class Crop:
    """
    Which part of the posted picture a plane of ink shows.

    left, top, width, height: in posted pixels; factor: how many of them, along each axis, are one of the plane
    """

    left: int
    top: int
    width: int
    height: int
    factor: int


def already_mnist(picture: NDArray[Any]) -> PreparedDigit | None:
    """
    Return a picture that has MNIST's form already as it is, or moved by whole pixels; None for another.

    picture: of any shape and type; None for all but (28, 28) uint8

    MNIST's digits have ink 20 pixels long with grey edges, and a level of at least 254. Their centre of mass lies
    within half a pixel of the field's middle. Of its 60,000 training digits, 13 are different.
    """
    if picture.shape != (SIDE, SIDE) or picture.dtype != np.uint8:
        return None
    inverted = bool(picture[0, 0] == 255)
    digit: NDArray[np.uint8] = 255 - picture if inverted else picture
    # Looked at as bytes where that tells: most pictures posted are of this form, and a call on bytes costs a fifth of
    # one on an array.
    levels = digit.tobytes()
    if levels[0] or levels[SIDE - 1] or levels[-SIDE] or levels[-1] or not levels.translate(None, _BELOW_INK):
        return None
    (top, bottom), (left, right) = _extent(levels), _extent(digit.T.tobytes())
    if max(bottom - top, right - left) != BOX:
        return None
    # Whole numbers below 2^24, so exact.
    mass, down, across = digit.reshape(-1).astype(np.float32).dot(_MOMENTS).tolist()
    y, x = MIDDLE - down / mass, MIDDLE - across / mass
    dy, dx = (0 if abs(y) < at.CENTRED else round(y)), (0 if abs(x) < at.CENTRED else round(x))
    if SIDE * SIDE - levels.count(0) - levels.count(255) < BOX:
        return None  # drawn without grey edges, so not scaled to this size
    if dx or dy:
        dy, dx = min(max(dy, -top), SIDE - bottom), min(max(dx, -left), SIDE - right)
        digit = np.roll(digit, (dy, dx), axis=(0, 1))
    elif not inverted:
        digit = digit.copy()
    shift = (dx + (left + right) / 2 - SIDE / 2, dy + (top + bottom) / 2 - SIDE / 2)
    matrix = np.array([[1.0, 0.0, -dx], [0.0, 1.0, -dy], [0.0, 0.0, 1.0]]) if dx or dy else _UNMOVED
    return PreparedDigit(digit, inverted, (left, top, right - left, bottom - top), shift, 0.0, matrix, NOTHING_LEFT_OUT)


def _extent(levels: bytes) -> tuple[int, int]:
    """Return the first row with ink, and the one after the last."""
    return (SIDE * SIDE - len(levels.lstrip(b"\0"))) // SIDE, -(-len(levels.rstrip(b"\0")) // SIDE)


def placed(
    ink: Plane,
    extent: tuple[int, int, int, int],
    crop: Crop,
    inverted: bool,
    fits: bool,
    thinning: Callable[[int], None] | None,
    narrowed: float,
    unused: LeftOut,
) -> PreparedDigit:
    """
    Scale the ink within `extent` to the box of 20 pixels and move its centre of mass to the middle.

    ink: (height, width) float32, 0 paper to 1 ink, the plane that `crop` describes
    extent: (top, bottom, left, right) of the digit in it, in its pixels, ends exclusive
    inverted: whether the posted picture had dark ink
    fits: the plane is a field of 28 x 28 with a digit of about MNIST's size, so it keeps its pixels
    thinning: where strokes bolder than MNIST's are brought to its breadth, told before of how many pixels
    narrowed: what `unstretched` returns, 1 for all but stretched digits
    unused: what of the picture was left out
    """
    y0, y1, x0, x1 = extent
    factor, left, top = crop.factor, crop.left, crop.top
    from_y, from_x = max(0, y0 - 1), max(0, x0 - 1)  # the soft edges of strokes lie outside the extent
    digit = ink[from_y : y1 + 1, from_x : x1 + 1]
    longer = max(y1 - y0, x1 - x0)
    middle_y, middle_x = (y0 + y1) / 2, (x0 + x1) / 2
    stroke = stroke_width(digit)
    step = 1.0 if fits else longer / BOX  # work pixels in one pixel of the field
    thin, bold = stroke < THINNEST * step, stroke > BROADEST * step
    if thin:  # a hairline gets wider, and its ends longer: leave room for that
        step = (longer - stroke) / (BOX - THINNEST)
    elif fits:  # whole pixels stay whole
        middle_y, middle_x = np.ceil(middle_y), np.ceil(middle_x)
    fine = at.FINE if bold and thinning is not None else 1
    step_x = step * narrowed
    down = _resampling(digit.shape[0], middle_y - from_y, step / fine, fine * SIDE, thin)
    across = _resampling(digit.shape[1], middle_x - from_x, step_x / fine, fine * SIDE, thin)
    field = np.asarray(down @ digit @ across.T, np.float32)
    if bold and thinning is not None:
        depth = round(fine * BOX * (stroke / step - BROADEST) / (2 * (BOX - BROADEST)))
        thinning(depth)
        thinned, taken = _thinned(field, depth)
        smaller = 1 - 2 * taken / (fine * BOX)
        shrinking = _resampling(fine * SIDE, fine * SIDE / 2, fine * smaller, SIDE, False)
        field = np.asarray(shrinking @ thinned @ shrinking.T, np.float32)
        step, step_x = step * smaller, step_x * smaller
    if thin:
        field *= at.THIN_GAIN / np.partition(field, -at.THIN_DARKEST, axis=None)[-at.THIN_DARKEST :].mean()
    np.minimum(np.maximum(field, np.float32(0), out=field), np.float32(1), out=field)
    mass, down, across = field.ravel().dot(_MOMENTS).tolist()
    dy = _step_aside(MIDDLE - down / mass, (y1 - y0) / step)
    dx = _step_aside(MIDDLE - across / mass, (x1 - x0) / step_x)
    image = np.zeros((SIDE, SIDE), np.uint8)
    image[max(0, dy) : SIDE + min(0, dy), max(0, dx) : SIDE + min(0, dx)] = field[
        max(0, -dy) : SIDE - max(0, dy), max(0, -dx) : SIDE - max(0, dx)
    ] * np.float32(255) + np.float32(0.5)
    # The centre of pixel i is i + 1/2 from the field's edge; what was the middle of the box is now at 14 + shift.
    matrix = np.array(
        [
            [factor * step_x, 0, left + factor * (middle_x + step_x * (0.5 - SIDE / 2 - dx)) - 0.5],
            [0, factor * step, top + factor * (middle_y + step * (0.5 - SIDE / 2 - dy)) - 0.5],
            [0, 0, 1],
        ]
    )
    width, height = min(factor * x1, crop.width) - factor * x0, min(factor * y1, crop.height) - factor * y0
    box = (left + factor * x0, top + factor * y0, width, height)
    return PreparedDigit(image, inverted, box, (float(dx), float(dy)), 0.0, matrix, unused)


def _thinned(field: Plane, depth: int) -> tuple[Plane, int]:
    """
    Take up to `depth` pixels off all sides of ink, as long as nothing breaks, opens or vanishes.

    field: (side, side) float32, 0 paper to 1 ink
    returns: (side, side), the minimum over about an octagon, and how many pixels were taken
    """
    holes = pieces_less_holes(field > at.MOSTLY_INK)
    for taken in range(depth):
        inner = field.copy()
        np.minimum(inner[1:], field[:-1], out=inner[1:])
        np.minimum(inner[:-1], field[1:], out=inner[:-1])
        across = inner if taken % 2 else field  # a square, then a cross
        sides = inner.copy()
        np.minimum(sides[:, 1:], across[:, :-1], out=sides[:, 1:])
        np.minimum(sides[:, :-1], across[:, 1:], out=sides[:, :-1])
        mask = sides > at.MOSTLY_INK
        if not mask.any() or pieces_less_holes(mask) != holes:
            return field, taken
        field = sides
    return field, depth


def pieces_less_holes(mask: Mask) -> int:
    """Return how many pieces a mask, (height, width), has less its holes: counted by its corners (Gray, 1971)."""
    padded = np.pad(mask, 1)
    a, b, c, d = padded[:-1, :-1], padded[:-1, 1:], padded[1:, :-1], padded[1:, 1:]
    odd = a ^ b ^ c ^ d
    most = (a & b) | (c & d)
    across = (a == d) & (b == c) & (a != b)
    three = np.count_nonzero(odd & most)
    return int(np.count_nonzero(odd) - 2 * three - 2 * np.count_nonzero(across)) // 4


def left_out(plane: Plane | None, ink: Plane, swept: Plane, kept: Mask, *, clean: bool) -> LeftOut:
    """
    Tell what of a small picture its digit leaves out; nothing is asked where that is a line across the digit.

    plane: (height, width) float32, the picture in grey, None where it was mended
    ink: of that shape, all that was found   swept: the ink without hairs and crumbs   kept: where the digit is
    clean: the ground is of one level; panels, or light that changes smoothly, are not what a digit should explain
    """
    hairs = None if ink.shape != (SIDE, SIDE) else 0.0
    if hairs is not None and swept is not ink:
        hairs = max(0.0, 1 - float(swept.sum()) / float(ink.sum()))
    if hairs and _is_line(ink - swept > at.INKED, kept):
        return NOT_ASKED
    if plane is None:
        return LeftOut(hairs)
    inked = swept > at.INKED
    dropped = np.count_nonzero(inked > kept) / np.count_nonzero(inked)
    shown = swept * grown(kept)
    if not clean:
        panels = panels_of(plane, float(np.ptp(plane)))
        plane = without_slopes(plane if panels is None else np.abs(plane - panels))
        shown = without_slopes(shown)
    levels = plane - np.float32(plane.sum() / plane.size)
    shown -= np.float32(shown.sum() / shown.size)
    both = float(np.vdot(levels, levels)) * float(np.vdot(shown, shown))
    explained = min(1.0, float(np.vdot(levels, shown)) ** 2 / both) if both > 0 else 0.0
    return LeftOut(hairs, dropped, explained)


def _is_line(taken: Mask, kept: Mask) -> bool:
    """
    Tell whether what was taken off a digit is one line, dotted or not, that goes on beside it.

    taken, kept: (rows, columns). A letter's serifs and thin strokes lie above one another.
    """
    columns, places = np.flatnonzero(taken.any(axis=0)), np.flatnonzero(kept.any(axis=0))
    crossed = taken[:, columns]
    deep = len(crossed) - crossed[::-1].argmax(axis=0) - crossed.argmax(axis=0)
    beside = np.count_nonzero((columns < places[0]) | (columns > places[-1]))
    thin = np.count_nonzero(deep < at.LINE_DEEP)
    return bool(beside >= at.HAIR_LENGTH and thin >= at.LINE_MOST * len(deep))


def _step_aside(wanted: float, length: float) -> int:
    """Return by how many whole pixels to move ink of this length, so that none of it leaves the field."""
    room = max(0, int((SIDE - length) / 2))
    return min(max(round(wanted), -room), room)


def unstretched(mask: Mask, extent: tuple[int, int, int, int]) -> float:
    """
    Return by how much to narrow a digit that was stretched to fill a square, 1 for all others.

    mask: (height, width), where its strokes are   extent: (top, bottom, left, right) of them, in pixels

    Data sets of digits stretched in both directions exist; it is their ones that suffer, which become slabs.
    """
    height, width = mask.shape
    if max(height, width) > at.STRETCHED_SIDE or not at.STRETCHED_FROM < width / height < at.STRETCHED_TO:
        return 1.0
    y0, y1, x0, x1 = extent
    if y1 - y0 < at.STRETCHED_SPAN * height or x1 - x0 < at.STRETCHED_SPAN * width:
        return 1.0
    shape = mask[y0:y1]
    strokes = np.count_nonzero(shape[:, 1:] > shape[:, :-1], axis=1) + shape[:, 0]
    stroke = float(np.median(shape.sum(axis=1)))
    if stroke < at.STRETCHED_STROKE * width or (strokes == 1).mean() < at.STRETCHED_SINGLE:
        return 1.0
    if _off_a_line(shape) > at.STRETCHED_STRAIGHT * width:
        return 1.0  # a bold digit with bows, such as a 3
    return float(stroke / height * BOX / at.ONE_WIDTH)


def _off_a_line(shape: Mask) -> float:
    """Return how far the middles of the rows of a shape, (rows, columns), lie off their line: the mean, in pixels."""
    middle = (shape @ np.arange(shape.shape[1])) / np.maximum(shape.sum(axis=1), 1)
    middle -= middle.mean()
    row = np.arange(len(shape)) - (len(shape) - 1) / 2
    slope = (row @ middle) / max(row @ row, 1)
    return float(np.abs(middle - slope * row).mean())


def stroke_width(ink: Plane) -> float:
    """
    Return the mean width of strokes, in pixels: twice their area over the length of their outline.

    ink: (height, width) float32, 0 to 1
    """
    outline = float(np.abs(ink[1:] - ink[:-1]).sum() + np.abs(ink[:, 1:] - ink[:, :-1]).sum())
    # An outline counted in steps along the axes is 4/pi times as long as it is, on average over all directions.
    return 2 * float(ink.sum()) / outline


@lru_cache(maxsize=256)
def _resampling(length: int, middle: float, step: float, side: int, thin: bool) -> Plane:
    """
    Return (side, length): weights that lay `length` pixels over a field, `middle` in its middle, `step` to a pixel.

    Shrinking averages over areas, enlarging interpolates by cubics (Keys, 1981), and thin strokes are spread by a
    Gaussian.
    """
    place = (np.arange(side)[:, None] + (0.5 - side / 2)) * step + middle
    pixel = np.arange(length)
    away = np.abs(pixel + 0.5 - place)
    if thin:
        sigma = at.THIN_SPREAD * step
        weights = np.exp(-0.5 * (away / sigma) ** 2) / (sigma * np.sqrt(2 * np.pi))
    elif step >= 1:
        overlap = np.minimum(place + step / 2, pixel + 1) - np.maximum(place - step / 2, pixel)
        weights = np.maximum(overlap, 0) / step
    else:
        weights = _cubic(away)
    resampling: Plane = weights.astype(np.float32)
    return resampling


def _cubic(away: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the weights of pixels at these distances, in pixels: Keys' cubic with a = -1/2, 0 from 2 pixels on."""
    near, far = (1.5 * away - 2.5) * away**2 + 1, ((2.5 - 0.5 * away) * away - 4) * away + 2
    weights: NDArray[np.float64] = np.where(away < 1, near, np.where(away < 2, far, 0))
    return weights
