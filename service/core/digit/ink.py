"""
A picture becomes ink: 0 where there is paper, 1 in the middle of a stroke, whatever the pen, the paper and the light.

Which way ink differs from its ground is decided here (colour, polarity), and what the light did is taken back. A ground
of one level is subtracted. An uneven one is found by filling the strokes from around them (a morphological closing).
"""

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from service.core.colour import is_grey
from service.core.digit import thresholds as at
from service.core.digit.pieces import BLANK, Mask, Plane, blank
from service.core.digit.thresholds import FAINTEST, FEW, SMALL
from service.core.errors import InvalidImage

_LEVELS = np.arange(256.0)
LAID_AT_ONCE = 2**18  # samples, of pictures that may be transparent


@dataclass(frozen=True, slots=True)
class FoundInk:
    """
    The ink of a picture: of all of it, or of a window outside which there is none.

    plane: (rows, columns) float32, 0 paper to 1 ink
    inverted: the picture has dark ink   clean: its ground is of one level, so that all that differs is ink
    factor: how many pixels of the picture, along each axis, are one of the plane
    top, left: where the window begins   shape: (height, width) of a plane of all of it, in pixels of the plane
    is_drawn: no ink is at the picture's rim, where the rules of ruled paper end
    """

    plane: Plane
    inverted: bool
    clean: bool
    factor: int
    top: int
    left: int
    shape: tuple[int, ...]
    is_drawn: bool

    @property
    def is_whole(self) -> bool:
        """Tell whether the plane shows all of the picture."""
        return self.plane.shape == self.shape


def checked(picture: NDArray[Any]) -> NDArray[Any]:
    """
    Return a picture as uint8 (0 to 255) or float32 (0 to 1), nothing of it transparent.

    picture: (height, width), or (height, width, channels) with 1, 3 or 4 of them; uint8, bool or float
    returns: (height, width), or (height, width, 3 or 4); raises: InvalidImage for any other array
    """
    if picture.ndim == 3 and picture.shape[2] == 1:
        picture = picture[:, :, 0]
    if picture.ndim not in (2, 3) or (picture.ndim == 3 and picture.shape[2] not in (3, 4)) or picture.size == 0:
        raise InvalidImage(f"a picture is height x width, with 3 or 4 channels if coloured, got {picture.shape}")
    if picture.dtype != np.uint8:
        if picture.dtype.kind not in "fb":
            raise InvalidImage(f"a picture is uint8, bool or float, got {picture.dtype}")
        # Not copied as it mostly is: a large one with four channels has 64 MiB.
        if picture.dtype != np.float32 or not (np.isfinite(picture.min()) and np.isfinite(picture.max())):
            picture = np.nan_to_num(picture.astype(np.float32), copy=False, nan=0.0, posinf=1.0, neginf=0.0)
        if max(picture.shape) <= SMALL:  # 256 levels are enough to find ink by, and quicker
            picture = np.rint(np.clip(picture, 0, 1) * np.float32(255)).astype(np.uint8)
    if picture.ndim == 3 and picture.shape[2] == 4:
        picture = _opaque(picture)
    if picture.ndim == 3 and max(picture.shape) <= SMALL and is_grey(picture):
        picture = picture[:, :, 0]
    return picture


def _opaque(picture: NDArray[Any]) -> NDArray[Any]:
    """
    Lay an RGBA picture, (height, width, 4), on a ground that its ink stands out from.

    Drawing programs save strokes on nothing: black ink on transparent black, white on transparent white. So where the
    visible pixels all look alike, the ground is whichever of black and white is further from them; where they differ
    among themselves, they contain their own ground, and the most common of their levels continues it.
    """
    alpha = picture[:, :, 3]
    top = 255 if picture.dtype == np.uint8 else 1
    if alpha.min() == top:
        return picture
    every = max(1, round((alpha.size / at.SAMPLED) ** 0.5))  # enough pixels to know the colours by
    sample = picture[::every, ::every]
    visible = sample[:, :, 3] > at.VISIBLE * top
    if not visible.any():
        visible = sample[:, :, 3] > 0
        if not visible.any():
            raise InvalidImage(f"{BLANK}: every pixel is transparent")
    common, spread = _common(sample, visible)
    if spread < at.ONE_COLOUR * top:
        common = np.full(3, top * float(common.mean() < top / 2))
    ground = common.astype(np.float32) if top == 1 else np.rint(common).astype(np.uint16)
    rows = max(1, LAID_AT_ONCE // picture[0].size)
    parts = range(0, len(picture), rows)  # of a large picture the products would be many times as large
    has_one_plane = bool(np.ptp(ground) == 0) and all(is_grey(picture[start : start + rows]) for start in parts)
    channels = 1 if has_one_plane else 3
    opaque = np.empty((*alpha.shape, channels), picture.dtype)
    for start in parts:
        _lay(picture[start : start + rows], ground, opaque[start : start + rows])
    return opaque[:, :, 0] if has_one_plane else opaque


def _common(sample: NDArray[Any], visible: Mask) -> tuple[NDArray[Any], float]:
    """The median of the visible colours of (rows, columns, 4), (3,), and how far they spread (standard deviation)."""
    if sample.dtype != np.uint8:
        levels = sample[visible][:, :3]
        return np.median(levels, axis=0), float(levels.std(axis=0).max())
    common, spread = np.empty(3), 0.0
    for channel in range(3):
        # Counted, 256 levels take a fifth of the time that sorting does.
        counts = np.bincount(sample[:, :, channel][visible], minlength=256)
        upto, count = counts.cumsum(), int(counts.sum())
        common[channel] = np.searchsorted(upto, ((count + 1) // 2, count // 2 + 1)).mean()
        mean = counts @ _LEVELS / count
        spread = max(spread, float(counts @ (_LEVELS - mean) ** 2 / count) ** 0.5)
    return common, spread


def _lay(picture: NDArray[Any], ground: NDArray[Any], opaque: NDArray[Any]) -> None:
    """Lay an RGBA picture, (height, width, 4), on one colour: into (height, width, 1 or 3)."""
    alpha = picture[:, :, 3]
    share = alpha.astype(np.uint16) if picture.dtype == np.uint8 else alpha
    rest = (255 if picture.dtype == np.uint8 else 1) - share
    for channel in range(opaque.shape[2]):  # each by itself: several times faster
        laid = picture[:, :, channel] * share
        laid += rest * ground[channel]  # of 255 * 255 at most, so that 16 bits are enough
        if picture.dtype == np.uint8:
            laid += 127
            laid //= 255
        opaque[:, :, channel] = laid


def reduced(picture: NDArray[Any], factor: int) -> Plane:
    """
    Average blocks of factor x factor pixels.

    picture: (height, width), or (height, width, 3 or 4); uint8, 0 to 255, or float32, 0 to 1
    returns: (height // factor, width // factor), or that with 3 channels, float32, 0 to 1
    """
    scale = np.float32(1 / 255 if picture.dtype == np.uint8 else 1)
    if factor == 1:
        return (picture if picture.ndim == 2 else picture[:, :, :3]) * scale
    height, width = (max(1, side // factor) for side in picture.shape[:2])
    down, across = (min(factor, side) for side in picture.shape[:2])
    channels = picture.shape[2] if picture.ndim == 3 else 1
    # Of 256 rows at most, the sums are 256 * 255 at most.
    kind = (np.uint16 if down < 257 else np.uint32) if picture.dtype == np.uint8 else np.float32
    total = (
        picture[: height * down].reshape(height, down, -1).sum(axis=1, dtype=kind)
    )  # rows first: they are contiguous
    blocks = (
        total[:, : width * across * channels].astype(np.float32, copy=False).reshape(height * width, across * channels)
    )
    sums = np.tile(np.eye(channels, min(channels, 3), dtype=np.float32), (across, 1)) * (scale / (down * across))
    reduced: Plane = (blocks @ sums.astype(np.float32)).reshape(height, width, -1)
    return reduced if channels > 1 else reduced[:, :, 0]


def grey(plane: Plane) -> Plane:
    """
    Return one plane, (height, width): the colour direction in which the ink differs most from its ground.

    plane: (height, width), which comes back as it is, or (height, width, 3); float32, 0 to 1
    """
    if plane.ndim == 2:
        return plane
    small = reduced(plane, -(-max(plane.shape) // SMALL)).reshape(-1, 3)
    first, second, third = small.T
    most, least = np.maximum(np.maximum(first, second), third), np.minimum(np.minimum(first, second), third)
    if (most - least).max() < FAINTEST:
        return np.ascontiguousarray(plane[:, :, 1])
    away = small - np.median(small, axis=0).astype(np.float32)
    weight = (away * away).sum(axis=1, keepdims=True)
    _, axes = np.linalg.eigh((away * weight).T @ away)
    direction = axes[:, -1]
    direction = direction * (np.sign(direction.sum()) or 1.0) / np.abs(direction).sum()
    grey: Plane = plane @ direction.astype(np.float32)
    return grey


def clean_ink(picture: NDArray[Any]) -> tuple[Plane, bool, bool] | None:
    """
    Return what `ink_of` does, at once, for a small picture on one exact level, the lowest or the highest.

    picture: of any shape and type; None for all but (height, width) uint8, at most SMALL a side, with such a ground
    raises: InvalidImage where there is no ink
    """
    if picture.ndim == 3 or picture.dtype != np.uint8 or max(picture.shape) > SMALL:
        return None
    counts = np.bincount(picture.ravel(), minlength=256)
    levels = counts.nonzero()[0]
    low, high, ground = int(levels[0]), int(levels[-1]), int(counts.argmax())
    if high - low < 255 * FAINTEST:
        raise blank(high - low)
    at_corners = _level_of_corners(picture, (low, high))
    is_drawn = max(picture.shape) < FEW or counts[low] + counts[high] > at.DRAWN * picture.size
    if at_corners is not None and is_drawn:
        ground = at_corners  # its digit fills it, and may be most of it
    elif (
        ground not in (low, high)
        or counts[ground] < at.CLEAN_GROUND * picture.size
        or counts[low + high - ground] > at.CLEAN_INK * counts[ground]
    ):
        return None
    inverted = ground == high
    ink = (ground - picture if inverted else picture - ground) * np.float32(1 / (high - low))
    return (ink if max(ink.shape) < FEW else _scaled(ink, ink > at.MOSTLY_INK)), inverted, True


def _level_of_corners(picture: NDArray[np.uint8], ends: tuple[int, int]) -> int | None:
    """Return at which end of its levels most corners of a small picture are; None for others, and for panels."""
    if max(picture.shape) > at.COMPACT:
        return None
    top, bottom, left, right = (line.tobytes() for line in (picture[0], picture[-1], picture[:, 0], picture[:, -1]))
    for first, last, *sides in ((top, bottom, left, right), (left, right, top, bottom)):
        if first == last and not _is_even(first) and all(map(_is_even, sides)):
            return None
    corners = [top[0], top[-1], bottom[0], bottom[-1]]
    near = at.CORNER_COVERED * (ends[1] - ends[0]) if max(picture.shape) < FEW else 0
    alike = ((end, sum(abs(corner - end) <= near for corner in corners)) for end in ends)
    return next((end for end, count in alike if count >= at.GROUND_CORNERS), None)


def _is_even(line: bytes, level: int | None = None) -> bool:
    """Tell whether all levels of a line are one, or are this one."""
    return line.count(line[0] if level is None else level) == len(line)


def drawn_ink(picture: NDArray[Any], factor: int) -> FoundInk | None:
    """
    Find what `ink_of` finds in a larger picture whose rim, and most of the rest, is on one exact level.

    Pages with a canvas post such drawings. Their ground has not to be looked for, nor what lies on it but around the
    ink, which is a third of the work.

    picture: of any shape and type; None for all but (height, width) uint8, more than SMALL a side, with such a ground
    factor: how many pixels, along each axis, are averaged to one
    """
    ground = _even_ground(picture)
    if ground is None or min(picture.shape) < factor:
        return None
    inverted = int(picture.max()) == ground
    farthest = np.minimum if inverted else np.maximum
    columns = (farthest.reduce(picture, axis=0) != ground).nonzero()[0]
    rows = (farthest.reduce(picture[:, columns[0] : columns[-1] + 1], axis=1) != ground).nonzero()[0]
    shape = (picture.shape[0] // factor, picture.shape[1] // factor)
    (top, bottom), (left, right) = _window((rows, columns), factor, shape)
    part = picture[top * factor : bottom * factor, left * factor : right * factor]
    plane = reduced(ground - part if inverted else part - ground, factor)
    if float(plane.sum()) < FAINTEST * (max(shape) // SMALL) ** 2:
        return None  # from farther away there is nothing
    around = shape[0] * shape[1] - plane.size
    levels = (plane * np.float32(255 / float(plane.max()))).astype(np.uint8)
    counts = _histogram(levels)
    counts[0] += around
    if counts[0] < at.CLEAN_GROUND * counts.sum():
        return None  # all may be ink, of one level: the plane lacks what the factor leaves over
    threshold = _otsu(counts)
    if not _of_one_level(counts[: threshold + 1]):
        return None
    return FoundInk(_scaled(plane, levels > threshold, around), inverted, True, factor, top, left, shape, is_drawn=True)


def _even_ground(picture: NDArray[Any]) -> int | None:
    """Return the level of a larger picture's rim, if it is one level and no other is lower, or none is higher."""
    if picture.ndim == 3 or picture.dtype != np.uint8 or max(picture.shape) <= SMALL:
        return None
    level, rim = int(picture[0, 0]), (picture[0], picture[-1], picture[:, 0], picture[:, -1])
    if not all(_is_even(line.tobytes(), level) for line in rim):
        return None
    low, high = int(picture.min()), int(picture.max())
    return level if level in (low, high) and low < high else None


def _window(
    inked: tuple[NDArray[np.intp], NDArray[np.intp]], factor: int, shape: tuple[int, int]
) -> list[tuple[int, int]]:
    """
    Return which rows and which columns of a plane, (first, end) each, hold all ink and some paper around it.

    All of them, where ink comes so near to the rim that it may be cut off.

    inked: the rows and the columns of the picture that have ink   factor: how many of them are one of the plane
    shape: (height, width) of the plane; the longer side of the window is more than SMALL, as the plane's is
    """
    spans = []
    for lines, side in zip(inked, shape, strict=True):
        first, end = int(lines[0]) // factor, -(-(int(lines[-1]) + 1) // factor)
        margin = at.RIM + 2
        if first < margin or end > side - margin:
            return [(0, whole) for whole in shape]
        spans.append((first - margin, end + margin))
    if max(end - first for first, end in spans) <= SMALL:
        longer = int(shape[1] > shape[0])
        first = min(spans[longer][0], shape[longer] - SMALL - 1)
        spans[longer] = (first, first + SMALL + 1)
    return spans


def ink_of(plane: Plane) -> tuple[Plane, bool, bool]:
    """
    Return how much ink there is at every place, whether it is darker than its ground, and whether that is of one level.

    plane: (height, width) float32, 0 black to 1 white   returns: (height, width) float32, 0 paper to 1 ink
    raises: InvalidImage where there is no ink
    """
    factor = -(-max(plane.shape) // SMALL)
    small = reduced(plane, factor)
    low, high = float(small.min()), float(small.max())
    if high - low < FAINTEST:
        raise blank(255 * (high - low))
    scaled = (small - low) * np.float32(255 / (high - low))
    levels = scaled.astype(np.uint8)
    counts = np.bincount(levels.ravel(), minlength=256)
    threshold = _otsu(counts)
    light = levels > threshold
    inverted = _ground_is_light(light)
    clean = _of_one_level(counts[threshold + 1 :] if inverted else counts[: threshold + 1])
    panels = panels_of(plane, high - low)
    if panels is not None:
        inverted, clean = float(panels.mean()) > (low + high) / 2, False
        ink = np.abs(plane - panels)
    elif max(plane.shape) >= FEW and not clean and _uneven(scaled if inverted else 255 - scaled):
        inverted = _strokes_are_dark(small)
        paper = _enlarged(_paper(small, inverted), plane.shape, factor)
        ink = np.maximum(
            (paper - plane) / np.maximum(paper, at.DARKEST_PAPER) if inverted else plane - paper, np.float32(0)
        )
    else:
        paper_level = np.float32(low + float(np.median(scaled[light if inverted else ~light])) * (high - low) / 255)
        ink = np.maximum(paper_level - plane if inverted else plane - paper_level, np.float32(0))
    return full_strength(ink), inverted, clean


def full_strength(ink: Plane) -> Plane:
    """
    Scale ink so that a stroke's middle is 1 and the paper's noise is 0.

    ink: (height, width) float32, 0 or more in any unit   returns: (height, width), 0 to 1
    raises: InvalidImage where there is none
    """
    top = float(ink.max())
    if top <= 0:
        raise InvalidImage(BLANK)
    levels = (ink * np.float32(255 / top)).astype(np.uint8)
    counts = _histogram(levels)
    if counts.max() == levels.size:  # a raster, seen from so far away that its dots are one grey
        raise blank(255 * float(np.ptp(ink)))
    return _scaled(ink, levels > _otsu(counts))


def _histogram(levels: NDArray[np.uint8]) -> NDArray[np.intp]:
    """
    Return how many of (height, width) are of each level, (256,).

    What is of the first one's level, as most paper is, is counted by what it leaves: a row of equal levels is counted
    slowly, for each has to wait for the one before.

    >>> _histogram(np.array([[0, 0, 3]], np.uint8))[:4]
    array([2, 0, 0, 1])
    """
    flat = levels.ravel()
    others = flat[flat != flat[0]]
    counts = np.bincount(others, minlength=256)
    counts[flat[0]] = flat.size - others.size
    return counts


def is_busy(ink: Plane) -> bool:
    """
    Tell whether ink, (height, width), is a grain of so many parts that no digit is, in a picture that is not small.

    What is looked for in ink costs time for every run of inked pixels in a row; a photo of a digit has few.
    """
    if max(ink.shape) <= SMALL or min(ink.shape) < 2:
        return False
    mask = ink[:: at.BUSY_ROWS] > at.INKED
    return int(np.count_nonzero(mask[:, 1:] > mask[:, :-1])) > at.BUSY * mask.size


def _scaled(ink: Plane, strokes: Mask, around: int = 0) -> Plane:
    """Scale ink, (height, width), from what is not strokes (0) to what is (1); `around` it are so many pixels of 0."""
    count, total, inked = int(np.count_nonzero(strokes)), float(ink.sum()), float(ink.sum(where=strokes))
    level = inked / count
    if level < FAINTEST:
        raise blank(255 * level)
    noise = float(total - inked) / max(1, ink.size + around - count)
    low = min(at.NOISE_CUT * noise, at.NOISE_CUT_MOST * level)
    if max(ink.shape) < FEW:
        low, level = 0.0, float(ink.max())
    scaled: Plane = ink - np.float32(low)
    scaled *= np.float32(1 / (level - low))
    return np.minimum(np.maximum(scaled, np.float32(0), out=scaled), np.float32(1), out=scaled)


def _otsu(counts: NDArray[np.intp]) -> int:
    """Return the level that divides a histogram, (256,), into its two most different halves (Otsu, 1979)."""
    below = counts.cumsum()[:-1]
    sums = (counts * _LEVELS).cumsum()
    size = int(counts.sum())
    total, above = sums[-1], size - below
    between = (below * (total / size) - sums[:-1]) ** 2 / np.maximum(below * above, 1)
    return int(between[below * above > 0].argmax() + np.flatnonzero(below)[0])


def _ground_is_light(light: Mask) -> bool:
    """Decide which of two classes is the ground: there is more of it, and it fills the rim."""
    rim = np.concatenate((light[0], light[-1], light[:, 0], light[:, -1]))
    return float(light.mean()) * at.GROUND_AREA + float(rim.mean()) > at.GROUND_EVEN


def panels_of(plane: Plane, contrast: float) -> Plane | None:
    """
    Return the ground of a picture made of upright or level panels, as (1, width) or (height, 1), None for all others.

    plane: (height, width) float32   contrast: between its lowest and its highest level

    The digit may be dark on one panel and light on the next. Both ends of every panel lie on the picture's rim, so the
    rim says how light each is.
    """
    for first, last in ((plane[:1], plane[-1:]), (plane[:, :1], plane[:, -1:])):
        lowest, highest = first.min(), first.max()
        if not highest - lowest > at.PANELS_APART * contrast:
            continue
        between = np.minimum(first - lowest, highest - first)  # nothing is between the two levels of panels
        uneven = max(float(np.abs(first - last).max()), float(between.max()))
        if uneven < at.PANEL_EVEN * contrast:
            return (first + last) * np.float32(0.5)
    return None


def _uneven(scaled: Plane) -> bool:
    """
    Tell whether a light ground, 0 to 255, is brighter in one part of the picture than in another.

    Where the picture's rim is of one level, so is the paper: what is darker within is ink, however broad, and only what
    is brighter is light. Elsewhere the brightest pixels of sixteen parts are held against each other.
    """
    height, width = (side // 4 for side in scaled.shape)
    if not (height and width):
        return False
    brightest = scaled[: 4 * height, : 4 * width].reshape(4, height, 4, width).max(axis=1).max(axis=2)
    rim = np.concatenate((scaled[0], scaled[-1], scaled[:, 0], scaled[:, -1]))
    lowest, middle, highest = np.quantile(rim, at.RIM_SPREAD)
    if highest - lowest < at.UNEVEN:
        return float(brightest.max() - middle) > at.UNEVEN
    return float(np.ptp(brightest)) > at.UNEVEN


def _of_one_level(ground: NDArray[np.intp]) -> bool:
    """
    Tell whether nearly all of a ground, a histogram, is on one level exactly, as no photograph of paper is.

    What is broad there is ink, not a shadow: a filled round should not become its outline, which reads as a 0.
    """
    return int(ground.max()) > at.ONE_LEVEL * int(ground.sum())


def _strokes_are_dark(small: Plane) -> bool:
    """
    Tell whether ink is darker than an uneven ground.

    In a photo, a pen's strokes are what is thin: neither a shadow's edge nor a lamp's reflection is. Where nothing much
    is thin, the strokes are a marker's or the picture is tiny; then ink is what there is less of.
    """
    side = max(small.shape)
    if side < SMALL // 2:
        return _skewed_dark(small)
    dark, light = _thin(small, side // at.PEN_PART | 1)
    little = dark + light < at.LITTLE_THIN * sum(_thin(small, side // at.MARKER_PART | 1))
    undecided = abs(dark - light) < at.THIN_ALIKE * (dark + light)
    return _skewed_dark(small) if little or undecided else dark > light


def _thin(small: Plane, size: int) -> tuple[float, float]:
    """Return how much there is, in squares, of dark and of light that is narrower than `size`."""
    dark, light = filled(small, size) - small, filled(-small, size) + small
    return float((dark * dark).sum()), float((light * light).sum())


def _skewed_dark(small: Plane) -> bool:
    """Tell whether ink is darker than its ground: what a smooth surface leaves over is mostly on the ink's side."""
    return float(((small - _smooth_surface(small)) ** 3).sum()) < 0


def _smooth_surface(small: Plane) -> Plane:
    """Return the quadratic surface through most of the picture, fitted with what lies off it counting less and less."""
    basis = _surface(*small.shape)
    values = small.ravel()
    weight = np.ones_like(values)
    surface = values
    for _ in range(at.SURFACE_ROUNDS):
        weighted = basis * weight
        surface = np.linalg.lstsq(weighted @ basis.T, weighted @ values, rcond=None)[0].astype(np.float32) @ basis
        rest = values - surface
        scale = at.SURFACE_SCALE * np.median(np.abs(rest)) + at.SURFACE_LEAST
        weight = 1 / (1 + (rest / scale) ** 2)
    return surface.reshape(small.shape)


def without_slopes(plane: Plane) -> Plane:
    """Return a small plane, (height, width), less the quadratic surface that lies nearest to it."""
    basis = _even_surface(*plane.shape)
    return plane - (basis @ (plane.ravel() @ basis)).reshape(plane.shape)


@lru_cache(maxsize=64)
def _even_surface(height: int, width: int) -> Plane:
    """Return a basis of the quadratic surfaces, (height * width, 6), its columns orthogonal and of length 1."""
    return np.linalg.qr(_surface(height, width).T).Q


@lru_cache(maxsize=64)
def _surface(height: int, width: int) -> Plane:
    """Return the six terms of a quadratic surface at every place, (6, height * width)."""
    y, x = np.meshgrid(np.linspace(-1, 1, height), np.linspace(-1, 1, width), indexing="ij")
    return np.stack([np.ones_like(x), x, y, x * x, x * y, y * y]).reshape(6, -1).astype(np.float32)


def _paper(small: Plane, inverted: bool) -> Plane:
    """
    Return the ground with its strokes filled in: a closing for dark ink, an opening for light.

    Strokes as broad as a marker's are filled. But if what is broader than a pen's has no edge, it is no stroke:
    a lens' spot, a soft shadow. Then a pen's are filled, and the rest is light on the paper.
    """
    dark = small if inverted else -small
    # Filling overestimates: a slope at the picture's rim as it is, a shadow's edge beside a smooth surface. Not both.
    surface = _smooth_surface(dark)
    rest = dark - surface
    narrow, paper = (
        np.minimum(filled(dark, size), surface + filled(rest, size))
        for size in (max(3, round(max(small.shape) * part)) | 1 for part in (at.PEN_FILLED, at.FILLED_PART))
    )
    if _has_no_edge(paper - narrow):
        paper = narrow
    ground: Plane = paper if inverted else -paper
    return ground


def _has_no_edge(relief: Plane) -> bool:
    """Tell whether what stands out of a plane, (height, width), goes over into it softly, where it is half as high."""
    half = relief > relief.max() / 2
    steps = [np.abs(np.diff(relief, axis=axis))[np.diff(half, axis=axis)] for axis in (0, 1)]
    edge = np.concatenate(steps)
    return len(edge) > 0 and float(edge.mean()) < at.EDGE * float(relief.max())


def filled(plane: Plane, size: int) -> Plane:
    """Return the closing of (height, width) by size x size: what is dark and narrower is filled from around."""
    return -_windowed_maximum(-_windowed_maximum(plane, size), size)


def _windowed_maximum(plane: Plane, size: int) -> Plane:
    """Return the maximum of every size x size window, the picture continued by its edge."""
    for axis in (0, 1):
        plane = plane.take(_continued(plane.shape[axis], size // 2), axis=axis)
        covered = 1
        while covered < size:  # windows double in size: a maximum of maxima
            step = min(covered, size - covered)
            ahead, behind = [slice(None), slice(None)], [slice(None), slice(None)]
            ahead[axis], behind[axis] = slice(step, None), slice(None, -step)
            plane = np.maximum(plane[tuple(ahead)], plane[tuple(behind)])
            covered += step
    return plane


@lru_cache(maxsize=256)
def _continued(length: int, beyond: int) -> NDArray[np.intp]:
    """Return the place of each pixel of a row, (length + 2 * beyond,), that is continued by its ends."""
    return np.clip(np.arange(-beyond, length + beyond), 0, length - 1)


def _enlarged(small: Plane, shape: tuple[int, ...], factor: int) -> Plane:
    """Interpolate a plane reduced by `factor` back to `shape`, linearly."""
    if small.shape == shape:
        return small
    down, across = (_interpolation(shape[axis], small.shape[axis], factor) for axis in (0, 1))
    return np.asarray(down @ small @ across.T, np.float32)


@lru_cache(maxsize=32)
def _interpolation(large: int, small: int, factor: int) -> Plane:
    """Return (large, small): weights of linear interpolation between the centres of blocks."""
    place = np.clip((np.arange(large) + 0.5) / factor - 0.5, 0, small - 1)
    weights = np.maximum(1 - np.abs(place[:, None] - np.arange(small)), 0)
    return np.asarray(weights, np.float32)
