"""
Any picture of one digit becomes what MNIST is: light ink on black, in a box of 20 pixels, centred by mass in 28 x 28.

A network trained on MNIST has only ever seen that form, so nearly everything that makes it fail on a photo or a drawing
can be undone before it looks. `prepare` takes these steps, and none of them depends on the network:

    picture -> one plane of grey -> ink (0 paper, 1 ink) -> the strokes that are the digit -> 28 x 28

The form itself is that of LeCun, Bottou, Bengio and Haffner, "Gradient-based learning applied to document
recognition" (1998): the digit's longer side becomes 20 pixels, anti-aliased, and its centre of mass is moved to the
middle of the field by whole pixels.
"""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from service.core.errors import InvalidImage

Plane = NDArray[np.float32]
Mask = NDArray[np.bool_]

SIDE = 28  # the field a digit is placed in
BOX = 20  # the longer side of a digit's ink within it
WORK_SIDE = 256  # ink is looked for at this size at most: a stroke of a digit is then still several pixels wide
GROUND_SIDE = 64  # the light on the paper changes slowly, so it is estimated on a smaller copy
FAINTEST = 3 / 255  # a picture whose levels differ by less has no ink
KEPT = (16, 22)  # a digit drawn in a field of 28 x 28 in about MNIST's size keeps its pixels: scaling would only blur them
THINNEST, THICKEST = (
    1.5,
    4.2,
)  # stroke width in 28 x 28 pixels; 90 % of MNIST's lie within 1.3 and 3.0, all but 1 in 200 below 4.2
ADMISSIBLE = "a digit needs ink, this picture is blank"


@dataclass(frozen=True, slots=True)
class PreparedDigit:
    """
    A digit in MNIST's form, and how it got there.

    image: (28, 28) uint8, 0 paper, 255 ink
    inverted: the posted picture had dark ink on a light ground
    box: (x, y, width, height) of the ink in posted pixels
    shift: (dx, dy), how far the centre of mass moved the digit from the middle of its box, in 28 x 28 pixels
    angle: degrees the digit was turned by; 0, the normaliser leaves slant to the network
    matrix: (3, 3) float64, takes (x, y, 1) of a pixel's centre in `image` to the pixel in the posted picture
    """

    image: NDArray[np.uint8]
    inverted: bool
    box: tuple[int, int, int, int]
    shift: tuple[float, float]
    angle: float
    matrix: NDArray[np.float64]


def prepare(picture: NDArray[np.generic]) -> PreparedDigit:
    """
    Find the digit in `picture` and bring it into MNIST's form.

    picture: (height, width) grey, (height, width, 3) RGB or (height, width, 4) RGBA; uint8 is 0 to 255, bool and float
        are 0 to 1; 0 is black
    raises: InvalidImage when there is no ink, or the array is not a picture

    >>> picture = np.full((60, 40), 255, np.uint8)
    >>> picture[10:50, 18:22] = 0  # a one, in black
    >>> prepared = prepare(picture)
    >>> prepared.inverted, prepared.box
    (True, (18, 10, 4, 40))
    >>> prepared.image[14]
    array([  0,   0,   0,   0,   0,   0,   0,   0,   0,   0,   0,   0,   0,
           255, 255,   0,   0,   0,   0,   0,   0,   0,   0,   0,   0,   0,
             0,   0], dtype=uint8)
    """
    picture = _checked(picture)
    if picture.shape == (SIDE, SIDE):
        untouched = _already_mnist(picture)
        if untouched is not None:
            return untouched
    return _prepared(picture, 0, 0, may_look_closer=True)


# ---------------------------------------------------------------------------------------------------------- reading


def _checked(picture: NDArray[np.generic]) -> NDArray[np.generic]:
    """Return the picture as uint8 or float32 of 2 or 3 axes, grey where all channels agree, transparency gone."""
    if picture.ndim == 3 and picture.shape[2] == 1:
        picture = picture[:, :, 0]
    if picture.ndim not in (2, 3) or (picture.ndim == 3 and picture.shape[2] not in (3, 4)) or picture.size == 0:
        raise InvalidImage(f"a picture is height x width, with 3 or 4 channels if coloured, got {picture.shape}")
    if picture.dtype != np.uint8:
        if picture.dtype.kind not in "fb":
            raise InvalidImage(f"a picture is uint8, bool or float, got {picture.dtype}")
        picture = np.nan_to_num(picture.astype(np.float32), nan=0.0, posinf=1.0, neginf=0.0)
    if picture.ndim == 3:
        if picture.shape[2] == 4:
            picture = _opaque(picture)
        if (
            picture.ndim == 3
            and np.array_equal(picture[:, :, 0], picture[:, :, 1])
            and np.array_equal(picture[:, :, 1], picture[:, :, 2])
        ):
            picture = picture[:, :, 0]
    return picture


def _opaque(picture: NDArray[np.generic]) -> NDArray[np.generic]:
    """
    Lay an RGBA picture on a ground that its ink stands out from.

    Drawing programs save strokes on nothing: black ink on transparent black, white on transparent white. So where the
    visible pixels all look alike, the ground is whichever of black and white is further from them; where they differ
    among themselves, they contain their own ground, and the most common of their levels continues it.
    """
    colour, alpha = picture[:, :, :3], picture[:, :, 3]
    top = 255 if picture.dtype == np.uint8 else 1.0
    if (alpha == top).all():
        return colour
    share = alpha.astype(np.float32) / top
    visible = share > 0.5
    if not visible.any():
        visible = share > 0
        if not visible.any():
            raise InvalidImage(f"{ADMISSIBLE}: every pixel is transparent")
    levels = colour[visible].astype(np.float32) / top
    spread = float(levels.std(axis=0).max())
    common = np.median(levels, axis=0)
    ground = common if spread > 0.15 else np.full(3, float(common.mean() < 0.5), np.float32)
    laid: Plane = share[:, :, None] * (colour.astype(np.float32) / top) + (1 - share[:, :, None]) * ground.astype(
        np.float32
    )
    return laid


def _already_mnist(picture: NDArray[np.generic]) -> PreparedDigit | None:
    """
    Return a picture that has MNIST's form already, as it is.

    All but 13 of MNIST's 60,000 training digits have ink 20 pixels long, and all have their centre of mass within half a
    pixel of the field's middle and a level of at least 254: no other picture is likely to do all three.
    """
    digit = picture if picture.dtype == np.uint8 else np.rint(np.clip(picture, 0, 1) * np.float32(255)).astype(np.uint8)
    inverted = bool(digit[0, 0] == 255)
    if inverted:
        digit = 255 - digit
    if digit[0, 0] or digit[0, -1] or digit[-1, 0] or digit[-1, -1] or digit.max() < 250:
        return None
    down, across = digit.sum(axis=1, dtype=np.int32), digit.sum(axis=0, dtype=np.int32)
    rows, columns = down.nonzero()[0], across.nonzero()[0]
    top, left, height, width = (
        int(rows[0]),
        int(columns[0]),
        int(rows[-1] - rows[0]) + 1,
        int(columns[-1] - columns[0]) + 1,
    )
    if max(height, width) != BOX:
        return None
    mass = float(down.sum())
    y, x = float(down @ _PLACES) / mass, float(across @ _PLACES) / mass
    if abs(y - 14) > 0.53 or abs(x - 14) > 0.53:
        return None
    shift = (left + width / 2 - 14.0, top + height / 2 - 14.0)
    return PreparedDigit(digit.copy(), inverted, (left, top, width, height), shift, 0.0, np.eye(3))


_PLACES = np.arange(SIDE)


# --------------------------------------------------------------------------------------------------------- the steps


def _prepared(picture: NDArray[np.generic], left: int, top: int, *, may_look_closer: bool) -> PreparedDigit:
    """Prepare a picture that is the part at (left, top) of the posted one."""
    factor = max(1, -(-max(picture.shape[:2]) // WORK_SIDE))
    plane = _grey(_reduced(picture, factor))
    ink, inverted = _ink(plane)
    ink, mask = _digit_strokes(ink)
    y0, y1, x0, x1 = _extent(mask)
    if may_look_closer and factor > 1 and max(y1 - y0, x1 - x0) < WORK_SIDE // 4:
        # A small digit in a large picture: look again, closer. The margin keeps enough paper to judge its light by.
        margin = max(y1 - y0, x1 - x0) // 2 + 4
        y0, x0 = max(0, y0 - margin) * factor, max(0, x0 - margin) * factor
        y1, x1 = (y1 + margin) * factor, (x1 + margin) * factor
        return _prepared(picture[y0:y1, x0:x1], left + x0, top + y0, may_look_closer=False)
    ink = np.where(_grown(mask), ink, np.float32(0))
    narrowed = _unstretched(mask)
    fits = picture.shape[:2] == (SIDE, SIDE) and KEPT[0] <= max(y1 - y0, x1 - x0) <= KEPT[1]
    return _placed(ink, (y0, y1, x0, x1), factor, left, top, inverted, fits, narrowed)


def _reduced(picture: NDArray[np.generic], factor: int) -> Plane:
    """Average blocks of factor x factor pixels; float32 in 0..1."""
    scale = np.float32(1 / 255 if picture.dtype == np.uint8 else 1.0)
    if factor == 1:
        return picture * scale  # type: ignore[no-any-return]
    height, width = (max(1, side // factor) for side in picture.shape[:2])
    rows, columns = min(factor, picture.shape[0]), min(factor, picture.shape[1])
    total = np.zeros((height, *picture.shape[1:]), (np.uint16 if factor < 257 else np.uint32) if picture.dtype == np.uint8 else np.float32)
    for row in range(rows):  # whole rows first: those are contiguous
        total += picture[row : row + (height - 1) * factor + 1 : factor]
    total = total[:, : width * columns].reshape(height, width, columns, *picture.shape[2:])
    reduced: Plane = total.sum(axis=2, dtype=np.float32) * (scale / np.float32(rows * columns))
    return reduced


def _grey(plane: Plane) -> Plane:
    """Return (height, width): the colour direction in which the ink differs most from its ground."""
    if plane.ndim == 2:
        return plane
    flat = plane.reshape(-1, 3)
    away = flat - np.median(flat[:: max(1, len(flat) // 4096)], axis=0).astype(np.float32)
    weight = (away * away).sum(axis=1, keepdims=True)
    _, axes = np.linalg.eigh((away * weight).T @ away)
    direction = axes[:, -1]
    direction = direction * (np.sign(direction.sum()) or 1.0) / np.abs(direction).sum()
    grey: Plane = (flat @ direction.astype(np.float32)).reshape(plane.shape[:2])
    return grey


def _ink(plane: Plane) -> tuple[Plane, bool]:
    """Return how much ink there is at every place, 0 to about 1, and whether it is darker than its ground."""
    factor = -(-max(plane.shape) // GROUND_SIDE)
    small = _reduced(plane, factor)
    low, high = float(small.min()), float(small.max())
    if high - low < FAINTEST:
        raise InvalidImage(f"{ADMISSIBLE}: its levels differ by {255 * (high - low):.1f} of 255")
    scaled = (small - low) * np.float32(255 / (high - low))
    levels = scaled.astype(np.uint8)
    light = levels > _otsu(levels)
    inverted = _ground_is_light(light)
    if max(plane.shape) >= 20 and _uneven(scaled if inverted else 255 - scaled):
        inverted = _skewed_dark(small)
        paper = _enlarged(_paper(small, inverted), plane.shape, factor)
        ink = np.maximum(
            (paper - plane) / np.maximum(paper, np.float32(0.05)) if inverted else plane - paper, np.float32(0)
        )
    else:
        paper_level = np.float32(low + float(np.median(scaled[light if inverted else ~light])) * (high - low) / 255)
        ink = np.maximum(paper_level - plane if inverted else plane - paper_level, np.float32(0))
    return _full_strength(ink), inverted


def _full_strength(ink: Plane) -> Plane:
    """Scale ink so that a stroke's middle is 1 and the paper's noise is 0."""
    top = float(ink.max())
    if top <= 0:
        raise InvalidImage(ADMISSIBLE)
    levels = (ink * np.float32(255 / top)).astype(np.uint8)
    threshold = _otsu(levels)
    strokes = levels > threshold
    level = float(ink[strokes].mean())
    if level < FAINTEST:
        raise InvalidImage(f"{ADMISSIBLE}: its levels differ by {255 * level:.1f} of 255")
    noise = float(ink[~strokes].mean())
    low = min(1.5 * noise, 0.4 * level)
    if max(ink.shape) < 20:  # so few pixels that grey is how much of one a stroke covers
        low, level = low / 2, top
    scaled: Plane = np.clip((ink - np.float32(low)) * np.float32(1 / (level - low)), 0, 1)
    return scaled


def _otsu(levels: NDArray[np.uint8]) -> int:
    """Return the level that divides a histogram into its two most different halves (Otsu, 1979)."""
    counts = np.bincount(levels.ravel(), minlength=256)
    below = counts.cumsum()[:-1]
    sums = (counts * _LEVELS).cumsum()
    total, above = sums[-1], levels.size - below
    between = (below * (total / levels.size) - sums[:-1]) ** 2 / np.maximum(below * above, 1)
    return int(between[below * above > 0].argmax() + np.flatnonzero(below)[0])


_LEVELS = np.arange(256.0)


def _ground_is_light(light: Mask) -> bool:
    """Decide which of two classes is the ground: there is more of it, it fills the picture's rim, and strokes divide it."""
    rim = np.concatenate((light[0], light[-1], light[:, 0], light[:, -1]))
    score = float(light.mean()) * 2 + float(rim.mean()) - 1.5
    if abs(score) < 0.6:
        # A digit that fills its picture. Its strokes hang together, the ground between them falls into parts.
        score += 0.3 * (_parts(light) - _parts(~light))
    return score > 0


def _parts(mask: Mask) -> int:
    """Count the pieces of a mask that are more than specks."""
    area = _pieces(mask).area
    return int((area > 0.02 * mask.size).sum())


def _uneven(scaled: Plane) -> bool:
    """Tell whether a light ground, 0 to 255, is brighter in one part of the picture than in another."""
    height, width = (side // 4 for side in scaled.shape)
    if not (height and width):
        return False
    brightest = scaled[: 4 * height, : 4 * width].reshape(4, height, 4, width).max(axis=(1, 3))
    return float(np.ptp(brightest)) > 30


def _skewed_dark(small: Plane) -> bool:
    """Tell whether ink is darker than an uneven ground: what a smooth surface leaves over is mostly on the ink's side."""
    basis = _surface(*small.shape)
    values = small.ravel()
    weight = np.ones_like(values)
    rest = values
    for _ in range(4):
        weighted = basis * weight
        rest = values - np.linalg.lstsq(weighted @ basis.T, weighted @ values, rcond=None)[0].astype(np.float32) @ basis
        scale = np.float32(1.5) * np.median(np.abs(rest)) + np.float32(1e-6)
        weight = 1 / (1 + (rest / scale) ** 2)
    return float((rest**3).sum()) < 0


@lru_cache(maxsize=64)
def _surface(height: int, width: int) -> Plane:
    """Return the six terms of a quadratic surface at every place, (6, height * width)."""
    y, x = np.meshgrid(np.linspace(-1, 1, height), np.linspace(-1, 1, width), indexing="ij")
    return np.stack([np.ones_like(x), x, y, x * x, x * y, y * y]).reshape(6, -1).astype(np.float32)


def _paper(small: Plane, inverted: bool) -> Plane:
    """Return the ground with its strokes filled in: a closing for dark ink, an opening for light."""
    plane = small if inverted else -small
    size = max(3, round(max(small.shape) * 0.2)) | 1
    closed = -_windowed_maximum(-_windowed_maximum(plane, size), size)
    return closed if inverted else -closed


def _windowed_maximum(plane: Plane, size: int) -> Plane:
    """Return the maximum of every size x size window, the picture continued by its edge."""
    for axis in (0, 1):
        widths = [(0, 0), (0, 0)]
        widths[axis] = (size // 2, size // 2)
        plane = np.pad(plane, widths, mode="edge")
        covered = 1
        while covered < size:  # windows double in size: a maximum of maxima
            step = min(covered, size - covered)
            ahead, behind = [slice(None), slice(None)], [slice(None), slice(None)]
            ahead[axis], behind[axis] = slice(step, None), slice(None, -step)
            plane = np.maximum(plane[tuple(ahead)], plane[tuple(behind)])
            covered += step
    return plane


def _enlarged(small: Plane, shape: tuple[int, ...], factor: int) -> Plane:
    """Interpolate a plane reduced by `factor` back to `shape`, linearly."""
    if small.shape == shape:
        return small
    return _interpolation(shape[0], small.shape[0], factor) @ small @ _interpolation(shape[1], small.shape[1], factor).T


@lru_cache(maxsize=32)
def _interpolation(large: int, small: int, factor: int) -> Plane:
    """Return (large, small): weights of linear interpolation between the centres of blocks."""
    place = np.clip((np.arange(large) + 0.5) / factor - 0.5, 0, small - 1)
    return np.maximum(0, 1 - np.abs(place[:, None] - np.arange(small))).astype(np.float32)


# ---------------------------------------------------------------------------------------------------------- strokes


def _digit_strokes(ink: Plane) -> tuple[Plane, Mask]:
    """Return the ink and where the digit's strokes are: its pieces kept; specks, frames and the table's edge dropped."""
    for _ in range(3):
        mask = ink > np.float32(0.4)
        pieces = _pieces(mask)
        around = _surrounds(pieces, mask)
        if not around.any():
            break
        rest = np.where(_grown(_painted(pieces, around, mask.shape)), np.float32(0), ink)
        try:
            ink = _full_strength(rest)  # a dark table had made the pen look pale
        except InvalidImage:
            break
    if len(pieces.area) > 1:
        keep = _belongs(pieces)
        if not keep.all():
            mask = _painted(pieces, keep, mask.shape)
    return ink, _without_base_line(mask)


@dataclass(frozen=True, slots=True)
class _Pieces:
    """The connected pieces of a mask: label of every run of pixels, and each piece's area and extent."""

    start: NDArray[np.intp]  # (runs,) places in the mask, rows joined with one empty place between
    stop: NDArray[np.intp]
    label: NDArray[np.intp]
    area: NDArray[np.intp]  # (pieces,)
    top: NDArray[np.intp]
    bottom: NDArray[np.intp]
    left: NDArray[np.intp]
    right: NDArray[np.intp]


def _pieces(mask: Mask) -> _Pieces:
    """Label the 8-connected pieces of a mask, working on runs of pixels instead of pixels."""
    height, width = mask.shape
    stride = width + 1
    padded = np.zeros(height * stride + 1, np.int8)
    padded[1:].reshape(height, stride)[:, :width] = mask
    change = np.diff(padded)
    start, stop = np.nonzero(change == 1)[0], np.nonzero(change == -1)[0]
    if len(stop) < len(start):
        stop = np.append(stop, height * stride)
    # A run touches those of the next row that begin before it ends and end after it begins, give or take a diagonal.
    first = np.searchsorted(stop, start + stride, side="left")
    last = np.searchsorted(start, stop + stride, side="right")
    count = np.maximum(last - first, 0)
    above = np.repeat(np.arange(len(start)), count)
    below = np.arange(count.sum()) - np.repeat(count.cumsum() - count, count) + np.repeat(first, count)
    label = np.arange(len(start))
    while True:
        least = np.minimum(label[above], label[below])
        joined = label.copy()
        np.minimum.at(joined, label[above], least)
        np.minimum.at(joined, label[below], least)
        joined = joined[joined]
        if np.array_equal(joined, label):
            break
        label = joined
    _, label = np.unique(label, return_inverse=True)
    order = np.argsort(label, kind="stable")
    heads = np.searchsorted(label[order], np.arange(label.max() + 1))
    row, column = start // stride, start % stride
    return _Pieces(
        start,
        stop,
        label,
        np.add.reduceat((stop - start)[order], heads),
        np.minimum.reduceat(row[order], heads),
        np.maximum.reduceat(row[order], heads) + 1,
        np.minimum.reduceat(column[order], heads),
        np.maximum.reduceat((stop - start + column)[order], heads),
    )


def _surrounds(pieces: _Pieces, mask: Mask) -> Mask:
    """
    Return for each piece whether it is what lies around a digit instead of one.

    That is the table beside the sheet, or a line along the picture's rim: it stays in the outer fifth of the picture,
    is long, and reaches a corner. Or a box drawn around the digit: it has corners and encloses something tall.
    """
    height, width = mask.shape
    tall, wide = pieces.bottom - pieces.top, pieces.right - pieces.left
    touches_side = (pieces.left <= 1).astype(np.int8) + (pieces.right >= width - 1)
    touches_end = (pieces.top <= 1).astype(np.int8) + (pieces.bottom >= height - 1)
    longer, shorter = np.maximum(tall, wide), np.minimum(tall, wide)
    long = (tall > 0.5 * height) | (wide > 0.5 * width) | ((longer > 0.3 * min(height, width)) & (longer > 3 * shorter))
    strip = (touches_side + touches_end >= 2) & long & (touches_side > 0) & (touches_end > 0)
    if strip.any():
        strip &= _rim_share(pieces, mask.shape) > 0.9
    thin_strip = ((touches_side == 2) & (touches_end > 0) & (tall < 0.25 * height)) | (
        (touches_end == 2) & (touches_side > 0) & (wide < 0.25 * width)
    )
    around: Mask = strip | thin_strip
    if len(pieces.area) == 1:
        return around & thin_strip
    for piece in np.flatnonzero((tall > 0.3 * height) & (wide > 0.3 * width) & ~around):
        inside = (pieces.top > pieces.top[piece]) & (pieces.bottom < pieces.bottom[piece])
        inside &= (pieces.left > pieces.left[piece]) & (pieces.right < pieces.right[piece])
        if (inside & (tall > 0.3 * tall[piece])).any():
            around[piece] = _has_corners(_painted(pieces, np.arange(len(tall)) == piece, mask.shape))
    return around if not around.all() else around & False


def _rim_share(pieces: _Pieces, shape: tuple[int, ...]) -> NDArray[np.float64]:
    """Return for each piece which share of it lies in the outer fifth of the picture."""
    height, width = shape
    deep_y, deep_x = height // 5, width // 5
    row, column = pieces.start // (width + 1), pieces.start % (width + 1)
    length = pieces.stop - pieces.start
    middle = np.minimum(column + length, width - deep_x) - np.maximum(column, deep_x)
    inner = np.where((row >= deep_y) & (row < height - deep_y), np.maximum(middle, 0), 0)
    share: NDArray[np.float64] = 1 - np.bincount(pieces.label, weights=inner) / pieces.area
    return share


def _has_corners(mask: Mask) -> bool:
    """Tell whether a shape has ink in at least three corners of its extent, as a box has and a round digit has not."""
    top, bottom, left, right = _extent(mask)
    shape = mask[top:bottom, left:right]
    y, x = max(1, (bottom - top) // 7), max(1, (right - left) // 7)
    return sum(bool(corner.any()) for corner in (shape[:y, :x], shape[:y, -x:], shape[-y:, :x], shape[-y:, -x:])) >= 3


def _belongs(pieces: _Pieces) -> Mask:
    """Return for each piece whether it is part of the digit: large, or not small and near the largest; not a rule."""
    main = int(pieces.area.argmax())
    tall, wide = pieces.bottom - pieces.top, pieces.right - pieces.left
    beside = np.maximum(pieces.left - pieces.right[main], pieces.left[main] - pieces.right)
    above = np.maximum(pieces.top - pieces.bottom[main], pieces.top[main] - pieces.bottom)
    gap = np.maximum(beside, above)
    size = max(int(tall[main]), int(wide[main]))
    share = pieces.area / pieces.area[main]
    keep: Mask = ((gap < 0.3 * size) & (share > 0.08)) | ((gap < size) & (share > 0.3))
    # A rule under or over a digit is flat, and sticks out on both sides of it.
    flat = (wide > 4 * tall) & (above > -tall)
    others = keep & ~flat
    if others.any():
        left, right = pieces.left[others].min(), pieces.right[others].max()
        out = np.minimum(left - pieces.left, pieces.right - right)
        keep &= ~(flat & (out > 0.08 * wide))
    keep[main] |= not keep.any()
    return keep


def _without_base_line(mask: Mask) -> Mask:
    """
    Erase the line a digit stands on where the line touches it.

    Such a line is thin, and sticks out on both sides of everything above it. Only what is no thicker than the line goes,
    so that the digit keeps its own strokes.
    """
    y0, y1, x0, x1 = _extent(mask)
    height, width = y1 - y0, x1 - x0
    band = max(1, round(0.12 * height))
    if width < 8 or height < 4 * band or width < 0.4 * height:
        return mask
    rest = mask[y0 : y1 - band, x0:x1].any(axis=0).nonzero()[0]
    left, right = int(rest[0]), int(rest[-1]) + 1
    if left < 0.22 * width or width - right < 0.22 * width:
        return mask
    line = mask[y1 - band : y1, x0:x1]
    thickness = line.sum(axis=0)
    beside = np.concatenate((thickness[1 : left - 1], thickness[right + 1 : -1]))
    if not len(beside) or beside.max() > 0.12 * height or beside.min() == 0:
        return mask
    first = line.argmax(axis=0)  # where the line begins in each column
    hanging = mask[y1 - band - 1, x0:x1] & (first == 0)  # a stroke of the digit comes down into the line here
    cut = mask.copy()
    cut[y1 - band : y1, x0:x1] &= hanging
    return cut


def _painted(pieces: _Pieces, keep: Mask, shape: tuple[int, ...]) -> Mask:
    """Return the mask of the pieces to keep."""
    height, width = shape
    change = np.zeros(height * (width + 1) + 1, np.int8)
    kept = keep[pieces.label]
    change[pieces.start[kept]] += 1
    change[pieces.stop[kept]] -= 1
    return change.cumsum(dtype=np.int8)[:-1].reshape(height, width + 1)[:, :width] > 0


def _grown(mask: Mask) -> Mask:
    """Return the mask and the pixels next to it, so that a stroke keeps its soft edge."""
    grown = mask.copy()
    grown[1:] |= mask[:-1]
    grown[:-1] |= mask[1:]
    wide = grown.copy()
    wide[:, 1:] |= grown[:, :-1]
    wide[:, :-1] |= grown[:, 1:]
    return wide


def _extent(mask: Mask) -> tuple[int, int, int, int]:
    """Return (top, bottom, left, right) of what is set, ends exclusive."""
    rows, columns = mask.any(axis=1).nonzero()[0], mask.any(axis=0).nonzero()[0]
    return int(rows[0]), int(rows[-1]) + 1, int(columns[0]), int(columns[-1]) + 1


# ---------------------------------------------------------------------------------------------------------- placing


def _placed(
    ink: Plane, extent: tuple[int, int, int, int], factor: int, left: int, top: int, inverted: bool, fits: bool, narrowed: float
) -> PreparedDigit:
    """Scale the ink within `extent` to the box of 20 pixels and move its centre of mass to the middle."""
    y0, y1, x0, x1 = extent
    crop = ink[y0:y1, x0:x1]
    longer = max(y1 - y0, x1 - x0)
    stroke = _stroke_width(crop)
    step = 1.0 if fits else longer / BOX  # work pixels in one pixel of the field
    spread = max(0.0, 1 - stroke / step / THINNEST)
    if spread:  # a hairline gets wider, and its ends longer: leave room for that
        step = (longer + (THINNEST * step - stroke)) / BOX
    step_x = step * narrowed
    down, across = _resampling(y1 - y0, step, spread), _resampling(x1 - x0, step_x, spread)
    field = down @ crop @ across.T
    if spread:
        field *= np.float32(
            1
            / max(
                0.05, float(np.partition(field[field > 0.02], -20)[-20:].mean()) if (field > 0.02).sum() > 20 else 0.5
            )
        ) * np.float32(1.2)
    np.clip(field, 0, 1, out=field)
    mass = float(field.sum())
    dy = round(14 - float(field.sum(axis=1) @ _CENTRES) / mass)
    dx = round(14 - float(field.sum(axis=0) @ _CENTRES) / mass)
    image = np.zeros((SIDE, SIDE), np.uint8)
    levels = (field * np.float32(255) + np.float32(0.5)).astype(np.uint8)
    image[max(0, dy) : SIDE + min(0, dy), max(0, dx) : SIDE + min(0, dx)] = levels[
        max(0, -dy) : SIDE - max(0, dy), max(0, -dx) : SIDE - max(0, dx)
    ]
    # Pixel i of the field has its centre at i + 1/2; the box's middle lies at 14 + shift.
    scale = step * factor
    matrix = np.array(
        [
            [scale * narrowed, 0, left + factor * (x0 + x1) / 2 + scale * narrowed * (0.5 - 14 - dx) - 0.5],
            [0, scale, top + factor * (y0 + y1) / 2 + scale * (0.5 - 14 - dy) - 0.5],
            [0, 0, 1],
        ]
    )
    box = (left + factor * x0, top + factor * y0, factor * (x1 - x0), factor * (y1 - y0))
    return PreparedDigit(image, inverted, box, (float(dx), float(dy)), 0.0, matrix)


_CENTRES = np.arange(SIDE, dtype=np.float32) + np.float32(0.5)


def _unstretched(mask: Mask) -> float:
    """
    Return by how much to narrow a digit that was stretched to fill a square, 1 for all others.

    Data sets of digits stretched in both directions exist; it is their ones that suffer, which become slabs.
    """
    height, width = mask.shape
    if max(height, width) > 64 or not 0.8 < width / height < 1.25:
        return 1.0
    y0, y1, x0, x1 = _extent(mask)
    if y1 - y0 < 0.8 * height or x1 - x0 < 0.8 * width:
        return 1.0
    shape = mask[y0:y1]
    strokes = np.count_nonzero(shape[:, 1:] > shape[:, :-1], axis=1) + shape[:, 0]
    stroke = float(np.median(shape.sum(axis=1)))
    if stroke < 0.38 * width or (strokes == 1).mean() < 0.9:
        return 1.0
    return stroke / height * BOX / 3.2


def _stroke_width(ink: Plane) -> float:
    """Return the mean width of the strokes, in pixels: twice their area over the length of their outline."""
    outline = float(np.abs(np.diff(ink, axis=0)).sum() + np.abs(np.diff(ink, axis=1)).sum())
    outline += float(ink[0].sum() + ink[-1].sum() + ink[:, 0].sum() + ink[:, -1].sum())
    # An outline counted in steps along the axes is 4/pi times as long as it is, on average over all directions.
    return 2 * float(ink.sum()) / outline


@lru_cache(maxsize=512)
def _resampling(length: int, step: float, spread: float) -> Plane:
    """
    Return (28, length): weights that lay `length` pixels around the middle of the field, `step` of them to a pixel.

    Shrinking averages over areas; enlarging interpolates smoothly; `spread` widens by a Gaussian.
    """
    place = (np.arange(SIDE) + 0.5 - SIDE / 2) * step + length / 2
    if spread:
        sigma = 0.62 * step
        weights = np.exp(-0.5 * ((np.arange(length) + 0.5 - place[:, None]) / sigma) ** 2) / (
            sigma * np.sqrt(2 * np.pi)
        )
    elif step >= 1:
        edges = np.arange(length)
        weights = (
            np.clip(
                np.minimum(place[:, None] + step / 2, edges + 1) - np.maximum(place[:, None] - step / 2, edges), 0, None
            )
            / step
        )
    else:
        away = np.abs(np.arange(length) + 0.5 - place[:, None])
        weights = np.where(
            away < 1, (1.5 * away - 2.5) * away**2 + 1, np.where(away < 2, ((2.5 - 0.5 * away) * away - 4) * away + 2, 0)
        )
    return weights.astype(np.float32)
