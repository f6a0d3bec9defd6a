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
MIDDLE = 14  # where the centre of mass goes, as the index of a pixel: so it is in MNIST, half a pixel past the middle
_PLACES = np.arange(SIDE)
KEPT = (18, 22)  # a digit drawn in a field of 28 x 28 in about MNIST's size keeps its pixels: scaling would only blur them
THINNEST = 1.5  # a thinner stroke, in 28 x 28 pixels, is widened: 85 % of MNIST's are wider
BLANK = "a digit needs ink, this picture is blank"


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
    """Return the picture as uint8 or float32, (height, width) or (height, width, 3 or 4) with nothing transparent."""
    if picture.ndim == 3 and picture.shape[2] == 1:
        picture = picture[:, :, 0]
    if picture.ndim not in (2, 3) or (picture.ndim == 3 and picture.shape[2] not in (3, 4)) or picture.size == 0:
        raise InvalidImage(f"a picture is height x width, with 3 or 4 channels if coloured, got {picture.shape}")
    if picture.dtype != np.uint8:
        if picture.dtype.kind not in "fb":
            raise InvalidImage(f"a picture is uint8, bool or float, got {picture.dtype}")
        picture = np.nan_to_num(picture.astype(np.float32), nan=0.0, posinf=1.0, neginf=0.0)
    if picture.ndim == 3 and picture.shape[2] == 4:
        picture = _opaque(picture)
    if picture.ndim == 3 and max(picture.shape) <= GROUND_SIDE and _is_grey(picture):
        picture = picture[:, :, 0]
    return picture


def _is_grey(picture: NDArray[np.generic]) -> bool:
    red, green, blue = picture[:, :, 0], picture[:, :, 1], picture[:, :, 2]
    return np.array_equal(red, green) and np.array_equal(green, blue)


def _opaque(picture: NDArray[np.generic]) -> NDArray[np.generic]:
    """
    Lay an RGBA picture on a ground that its ink stands out from.

    Drawing programs save strokes on nothing: black ink on transparent black, white on transparent white. So where the
    visible pixels all look alike, the ground is whichever of black and white is further from them; where they differ
    among themselves, they contain their own ground, and the most common of their levels continues it.
    """
    alpha = picture[:, :, 3]
    top = 255 if picture.dtype == np.uint8 else 1
    if alpha.min() == top:
        return picture
    every = max(1, round((alpha.size / 65536) ** 0.5))  # enough pixels to know the colours by
    sample = picture[::every, ::every].astype(np.float32) / np.float32(top)
    visible = sample[:, :, 3] > 0.5
    if not visible.any():
        visible = sample[:, :, 3] > 0
        if not visible.any():
            raise InvalidImage(f"{BLANK}: every pixel is transparent")
    levels = sample[visible][:, :3]
    common = np.median(levels, axis=0)
    if float(levels.std(axis=0).max()) < 0.15:
        common = np.full(3, float(common.mean() < 0.5))
    wide = np.uint16 if top == 255 else np.float32
    colour, share = picture[:, :, :3].astype(wide), alpha.astype(wide)[:, :, None]
    ground = np.rint(common * top).astype(wide) if top == 255 else common.astype(wide)
    laid = colour * share + ground * (wide(top) - share)
    return (laid // 255).astype(np.uint8) if top == 255 else laid


def _already_mnist(picture: NDArray[np.generic]) -> PreparedDigit | None:
    """
    Return a picture that has MNIST's form already as it is, or moved by whole pixels.

    All but 13 of MNIST's 60,000 training digits have ink 20 pixels long with grey edges, a level of at least 254, and
    their centre of mass within half a pixel of the field's middle.
    """
    digit = picture if picture.dtype == np.uint8 else np.rint(np.clip(picture, 0, 1) * np.float32(255)).astype(np.uint8)
    inverted = bool(digit[0, 0] == 255)
    if inverted:
        digit = 255 - digit
    if digit[0, 0] or digit[0, -1] or digit[-1, 0] or digit[-1, -1] or digit.max() < 250:
        return None
    down, across = digit.sum(axis=1, dtype=np.int32), digit.sum(axis=0, dtype=np.int32)
    rows, columns = down.nonzero()[0], across.nonzero()[0]
    top, left, bottom, right = int(rows[0]), int(columns[0]), int(rows[-1]) + 1, int(columns[-1]) + 1
    if max(bottom - top, right - left) != BOX:
        return None
    mass = float(down.sum())
    y, x = MIDDLE - float(down @ _PLACES) / mass, MIDDLE - float(across @ _PLACES) / mass
    dy, dx = (0 if abs(y) < 0.53 else round(y)), (0 if abs(x) < 0.53 else round(x))
    if np.count_nonzero((digit > 0) & (digit < 255)) < BOX:
        return None  # drawn without grey edges, so not scaled to this size
    if dx or dy:
        dy, dx = min(max(dy, -top), SIDE - bottom), min(max(dx, -left), SIDE - right)
        digit = np.roll(digit, (dy, dx), axis=(0, 1))
    elif not inverted:
        digit = digit.copy()
    shift = (dx + (left + right) / 2 - 14, dy + (top + bottom) / 2 - 14)
    matrix = np.array([[1.0, 0.0, -dx], [0.0, 1.0, -dy], [0.0, 0.0, 1.0]])
    return PreparedDigit(digit, inverted, (left, top, right - left, bottom - top), shift, 0.0, matrix)


# --------------------------------------------------------------------------------------------------------- the steps


def _prepared(picture: NDArray[np.generic], left: int, top: int, *, may_look_closer: bool) -> PreparedDigit:
    """Prepare a picture that is the part at (left, top) of the posted one."""
    factor = max(1, -(-max(picture.shape[:2]) // WORK_SIDE))
    ink, inverted = _clean_ink(picture) or _ink(_grey(_reduced(picture, factor)))
    if max(ink.shape) <= GROUND_SIDE:
        cleaned = _without_impulses(ink)
        ink = cleaned if cleaned.max() > 0.5 else ink
    if picture.shape[:2] == (SIDE, SIDE):
        ink = _outline_filled(_without_hairs(ink))
    ink, mask = _digit_strokes(ink)
    y0, y1, x0, x1 = _extent(mask)
    if may_look_closer and factor > 1 and max(y1 - y0, x1 - x0) < WORK_SIDE // 4:
        # A small digit in a large picture: look again, closer. The margin keeps enough paper to judge its light by.
        margin = max(y1 - y0, x1 - x0) // 2 + 4
        y0, x0 = max(0, y0 - margin) * factor, max(0, x0 - margin) * factor
        y1, x1 = (y1 + margin) * factor, (x1 + margin) * factor
        return _prepared(picture[y0:y1, x0:x1], left + x0, top + y0, may_look_closer=False)
    narrowed = _unstretched(mask, (y0, y1, x0, x1))
    if (y1 - y0, x1 - x0) != mask.shape:
        mask = _grown(mask)
    fits = picture.shape[:2] == (SIDE, SIDE) and KEPT[0] <= max(y1 - y0, x1 - x0) <= KEPT[1]
    if not fits:
        ink = ink * mask
    return _placed(ink, (y0, y1, x0, x1), factor, left, top, inverted, fits, narrowed)


def _reduced(picture: NDArray[np.generic], factor: int) -> Plane:
    """Average blocks of factor x factor pixels; float32 in 0..1, without an alpha channel."""
    scale = np.float32(1 / 255 if picture.dtype == np.uint8 else 1)
    if factor == 1:
        return (picture if picture.ndim == 2 else picture[:, :, :3]) * scale  # type: ignore[no-any-return]
    height, width = (max(1, side // factor) for side in picture.shape[:2])
    down, across = (min(factor, side) for side in picture.shape[:2])
    channels = picture.shape[2] if picture.ndim == 3 else 1
    kind = (np.uint16 if down < 257 else np.uint32) if picture.dtype == np.uint8 else np.float32
    total = picture[: height * down].reshape(height, down, -1).sum(axis=1, dtype=kind)  # rows first: they are contiguous
    blocks = total[:, : width * across * channels].astype(np.float32).reshape(height * width, across * channels)
    sums = np.tile(np.eye(channels, min(channels, 3), dtype=np.float32), (across, 1)) * (scale / (down * across))
    reduced: Plane = (blocks @ sums.astype(np.float32)).reshape(height, width, -1)
    return reduced if channels > 1 else reduced[:, :, 0]


def _grey(plane: Plane) -> Plane:
    """Return (height, width): the colour direction in which the ink differs most from its ground."""
    if plane.ndim == 2:
        return plane
    small = _reduced(plane, -(-max(plane.shape) // GROUND_SIDE)).reshape(-1, 3)
    if np.ptp(small, axis=1).max() < FAINTEST:
        return np.ascontiguousarray(plane[:, :, 1])
    away = small - np.median(small, axis=0).astype(np.float32)
    weight = (away * away).sum(axis=1, keepdims=True)
    _, axes = np.linalg.eigh((away * weight).T @ away)
    direction = axes[:, -1]
    direction = direction * (np.sign(direction.sum()) or 1.0) / np.abs(direction).sum()
    grey: Plane = plane @ direction.astype(np.float32)
    return grey


def _clean_ink(picture: NDArray[np.generic]) -> tuple[Plane, bool] | None:
    """Return what `_ink` does, at once, for a small picture whose ground is exactly one level, the lowest or highest."""
    if picture.ndim == 3 or picture.dtype != np.uint8 or max(picture.shape) > GROUND_SIDE:
        return None
    counts = np.bincount(picture.ravel(), minlength=256)
    levels = counts.nonzero()[0]
    low, high, ground = int(levels[0]), int(levels[-1]), int(counts.argmax())
    if high - low < 255 * FAINTEST:
        raise InvalidImage(f"{BLANK}: its levels differ by {high - low} of 255")
    other = low + high - ground
    if ground not in (low, high) or counts[ground] < 0.4 * picture.size or counts[other] > 0.5 * counts[ground]:
        return None
    inverted = ground == high
    ink = (ground - picture if inverted else picture - ground) * np.float32(1 / (high - low))
    return _scaled(ink, ink > np.float32(0.5)), inverted


def _ink(plane: Plane) -> tuple[Plane, bool]:
    """Return how much ink there is at every place, 0 to about 1, and whether it is darker than its ground."""
    factor = -(-max(plane.shape) // GROUND_SIDE)
    small = _reduced(plane, factor)
    low, high = float(small.min()), float(small.max())
    if high - low < FAINTEST:
        raise InvalidImage(f"{BLANK}: its levels differ by {255 * (high - low):.1f} of 255")
    scaled = (small - low) * np.float32(255 / (high - low))
    levels = scaled.astype(np.uint8)
    light = levels > _otsu(levels)
    inverted = _ground_is_light(light)
    panels = _panels(plane, high - low)
    if panels is not None:
        inverted = float(panels.mean()) > (low + high) / 2
        ink = np.abs(plane - panels)
    elif max(plane.shape) >= 20 and _uneven(scaled if inverted else 255 - scaled):
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
        raise InvalidImage(BLANK)
    levels = (ink * np.float32(255 / top)).astype(np.uint8)
    threshold = _otsu(levels)
    strokes = levels > threshold
    return _scaled(ink, strokes)


def _scaled(ink: Plane, strokes: Mask) -> Plane:
    """Scale ink from what is not strokes (0) to what is (1)."""
    count, total, inked = np.count_nonzero(strokes), float(ink.sum()), float(ink.sum(where=strokes))
    level = inked / count
    if level < FAINTEST:
        raise InvalidImage(f"{BLANK}: its levels differ by {255 * level:.1f} of 255")
    noise = (total - inked) / max(1, ink.size - count)
    low = min(1.5 * noise, 0.4 * level)
    if max(ink.shape) < 20:  # so few pixels that grey is how much of one a stroke covers
        low, level = 0.0, float(ink.max())
    scaled: Plane = np.clip((ink - np.float32(low)) * np.float32(1 / (level - low)), 0, 1)
    return scaled


def _without_impulses(ink: Plane) -> Plane:
    """
    Remove single wrong pixels where there are several: each is held between the ranks of its eight neighbours.

    Only small pictures need it: in others a pixel is averaged away.
    """
    mask = ink > np.float32(0.5)
    joined = np.zeros_like(mask)
    joined[1:] |= mask[:-1]
    joined[:-1] |= mask[1:]
    joined[:, 1:] |= mask[:, :-1]
    joined[:, :-1] |= mask[:, 1:]
    if np.count_nonzero(mask & ~joined) < 5:
        return ink
    for _ in range(2):
        height, width = ink.shape
        padded = np.pad(ink, 1)
        around = np.stack([padded[y : y + height, x : x + width] for y in range(3) for x in range(3) if (y, x) != (1, 1)])
        around.partition((1, 6), axis=0)
        ink = np.clip(ink, around[1], around[6])
    return ink


def _without_hairs(ink: Plane) -> Plane:
    """
    Remove what runs beyond the digit in a picture of 28 x 28: crumbs, or else a thin line.

    An ink wider than a digit can be in MNIST's field is first rid of its small pieces. If it is as wide as before, an
    opening by 2 x 2 pixels removes what is thinner than two; it is used where that makes the ink clearly less wide and
    leaves most of it.
    """
    width = _width(ink)
    if width <= KEPT[1]:
        return ink
    swept = _without_crumbs(ink)
    if _width(swept) <= KEPT[1]:
        return swept
    least = np.minimum(ink[1:], ink[:-1])
    least = np.pad(np.minimum(least[:, 1:], least[:, :-1]), 1)
    opened = np.maximum(least[1:], least[:-1])
    opened = np.maximum(opened[:, 1:], opened[:, :-1])
    if _width(opened, 0.7) > width - 3 or opened.sum() < 0.5 * ink.sum():
        return ink
    return _without_crumbs(np.maximum(opened - np.float32(0.2), 0) * np.float32(1 / 0.8))


def _width(ink: Plane, level: float = 0.4) -> int:
    columns = (ink > np.float32(level)).any(axis=0).nonzero()[0]
    return int(columns[-1] - columns[0]) + 1 if len(columns) else 0


def _without_crumbs(ink: Plane) -> Plane:
    """Remove the pieces that are small beside the largest."""
    mask = ink > np.float32(0.4)
    pieces = _pieces(mask)
    crumbs = pieces.area < 0.12 * pieces.area.max(initial=0)
    return np.where(_grown(_painted(pieces, crumbs, ink.shape)), np.float32(0), ink) if crumbs.any() else ink


def _outline_filled(ink: Plane) -> Plane:
    """
    Fill strokes of which only the outline is drawn, in a picture without greys.

    What a line encloses is found as in filling a polygon: a way out in any of eight directions crosses an odd number of
    lines. It is an outline if nearly every pixel of it borders what it encloses, and that is long and thin.
    """
    if np.count_nonzero((ink > np.float32(0.1)) & (ink < np.float32(0.9))):
        return ink
    line = ink > np.float32(0.5)
    count = int(line.sum())
    if 2 * count > 1.05 * _outline_length(line):
        return ink
    inside = (_odd_ways_out(line) >= 5) & ~line
    enclosed, border = int(inside.sum()), _outline_length(inside)
    runs = np.concatenate((_runs(line)[:, -1], _runs(line.T)[:, -1]))
    drawn_on_both_sides = np.count_nonzero((runs > 0) & (runs % 2 == 0)) > 0.5 * np.count_nonzero(runs)
    is_outline = (
        0.4 * count < enclosed < 1.5 * count
        and border**2 > 58 * enclosed
        and drawn_on_both_sides
        and np.count_nonzero(_grown(inside) & line) > 0.93 * count
    )
    return (line | inside).astype(np.float32) if is_outline else ink


def _odd_ways_out(line: Mask) -> NDArray[np.intp]:
    """Count for every place in how many of eight directions an odd number of lines is crossed on the way out."""
    height, width = line.shape
    ways = np.zeros(line.shape, np.intp)
    ways += _odd_sides(line)
    ways += _odd_sides(line.T).T
    for turned in (line, line[:, ::-1]):
        # Rows moved one further each, so that a diagonal becomes a column.
        moved = np.zeros(height * (width + height + 1), np.bool_)
        moved.reshape(height, -1)[:, :width] = turned
        columns = moved[: height * (width + height)].reshape(height, -1)
        sides = np.zeros(moved.shape, np.intp)
        sides[: height * (width + height)] = _odd_sides(columns.T).T.ravel()
        diagonal = sides.reshape(height, -1)[:, :width]
        ways += diagonal if turned is line else diagonal[:, ::-1]
    return ways


def _odd_sides(line: Mask) -> NDArray[np.intp]:
    """Return in how many of the two directions along a row an odd number of lines is crossed."""
    crossed = _runs(line)
    return (crossed & 1) + ((crossed[:, -1:] - crossed) & 1)


def _runs(mask: Mask) -> NDArray[np.intp]:
    """Return how many runs of set pixels have begun in each row so far."""
    begun = mask.copy()
    begun[:, 1:] &= ~mask[:, :-1]
    return begun.cumsum(axis=1)


def _outline_length(mask: Mask) -> int:
    """Return how many sides of pixels separate what is set from what is not."""
    inner = np.count_nonzero(mask[1:] != mask[:-1]) + np.count_nonzero(mask[:, 1:] != mask[:, :-1])
    return inner + int(mask[0].sum() + mask[-1].sum() + mask[:, 0].sum() + mask[:, -1].sum())


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


def _panels(plane: Plane, contrast: float) -> Plane | None:
    """
    Return the ground of a picture made of upright or level panels, as (1, width) or (height, 1), None for all others.

    The digit may be dark on one panel and light on the next. Both ends of every panel lie on the picture's rim, so the
    rim says how light each is.
    """
    for first, last in ((plane[:1], plane[-1:]), (plane[:, :1], plane[:, -1:])):
        steps = float(np.ptp(first))
        if steps > 0.5 * contrast and float(np.abs(first - last).max()) < 0.1 * contrast:
            return (first + last) / 2  # type: ignore[no-any-return]
    return None


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
        if not mask.any():
            raise InvalidImage(BLANK)
        if max(mask.shape) <= 40 and _hangs_together(mask):
            return ink, mask
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


def _hangs_together(mask: Mask) -> bool:
    """Tell whether ink covers every row and column of its extent: then no piece lies far from the others."""
    rows, columns = mask.any(axis=1).nonzero()[0], mask.any(axis=0).nonzero()[0]
    return len(rows) > 0 and int(rows[-1] - rows[0]) < len(rows) and int(columns[-1] - columns[0]) < len(columns)


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
    from_y, from_x = max(0, y0 - 1), max(0, x0 - 1)  # the soft edges of strokes lie outside the extent
    crop = ink[from_y : y1 + 1, from_x : x1 + 1]
    longer = max(y1 - y0, x1 - x0)
    middle_y, middle_x = (y0 + y1) / 2, (x0 + x1) / 2
    stroke = _stroke_width(crop)
    step = 1.0 if fits else longer / BOX  # work pixels in one pixel of the field
    thin = stroke < THINNEST * step
    if thin:  # a hairline gets wider, and its ends longer: leave room for that
        step = (longer + (THINNEST * step - stroke)) / BOX
    elif fits:  # whole pixels stay whole
        middle_y, middle_x = np.ceil(middle_y), np.ceil(middle_x)
    step_x = step * narrowed
    down = _resampling(crop.shape[0], middle_y - from_y, step, thin)
    across = _resampling(crop.shape[1], middle_x - from_x, step_x, thin)
    field = down @ crop @ across.T
    if thin:
        field *= np.float32(1.2) / np.partition(field, -20, axis=None)[-20:].mean()
    np.clip(field, 0, 1, out=field)
    mass = float(field.sum())
    dy = round(MIDDLE - float(field.sum(axis=1) @ _PLACES) / mass)
    dx = round(MIDDLE - float(field.sum(axis=0) @ _PLACES) / mass)
    image = np.zeros((SIDE, SIDE), np.uint8)
    image[max(0, dy) : SIDE + min(0, dy), max(0, dx) : SIDE + min(0, dx)] = (
        field[max(0, -dy) : SIDE - max(0, dy), max(0, -dx) : SIDE - max(0, dx)] * np.float32(255) + np.float32(0.5)
    )
    # The centre of pixel i is i + 1/2 from the field's edge; what was the middle of the box is now at 14 + shift.
    matrix = np.array(
        [
            [factor * step_x, 0, left + factor * (middle_x + step_x * (0.5 - SIDE / 2 - dx)) - 0.5],
            [0, factor * step, top + factor * (middle_y + step * (0.5 - SIDE / 2 - dy)) - 0.5],
            [0, 0, 1],
        ]
    )
    box = (left + factor * x0, top + factor * y0, factor * (x1 - x0), factor * (y1 - y0))
    return PreparedDigit(image, inverted, box, (float(dx), float(dy)), 0.0, matrix)


def _unstretched(mask: Mask, extent: tuple[int, int, int, int]) -> float:
    """
    Return by how much to narrow a digit that was stretched to fill a square, 1 for all others.

    Data sets of digits stretched in both directions exist; it is their ones that suffer, which become slabs.
    """
    height, width = mask.shape
    if max(height, width) > 64 or not 0.8 < width / height < 1.25:
        return 1.0
    y0, y1, x0, x1 = extent
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
    outline = float(np.abs(ink[1:] - ink[:-1]).sum() + np.abs(ink[:, 1:] - ink[:, :-1]).sum())
    outline += float(ink[0].sum() + ink[-1].sum() + ink[:, 0].sum() + ink[:, -1].sum())
    # An outline counted in steps along the axes is 4/pi times as long as it is, on average over all directions.
    return 2 * float(ink.sum()) / outline


@lru_cache(maxsize=256)
def _resampling(length: int, middle: float, step: float, thin: bool) -> Plane:
    """
    Return (28, length): weights that lay `length` pixels over the field, `middle` in its middle, `step` to a pixel.

    Shrinking averages over areas, enlarging interpolates by cubics (Keys, 1981), and thin strokes are spread by a
    Gaussian.
    """
    place = (np.arange(SIDE)[:, None] + (0.5 - SIDE / 2)) * step + middle
    pixel = np.arange(length)
    away = np.abs(pixel + 0.5 - place)
    if thin:
        sigma = 0.62 * step
        weights = np.exp(-0.5 * (away / sigma) ** 2) / (sigma * np.sqrt(2 * np.pi))
    elif step >= 1:
        overlap = np.minimum(place + step / 2, pixel + 1) - np.maximum(place - step / 2, pixel)
        weights = np.maximum(overlap, 0) / step
    else:
        near, far = (1.5 * away - 2.5) * away**2 + 1, ((2.5 - 0.5 * away) * away - 4) * away + 2
        weights = np.where(away < 1, near, np.where(away < 2, far, 0))
    return weights.astype(np.float32)
