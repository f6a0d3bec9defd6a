"""From the values of a map to the levels of a picture, with the range declared, so that pictures can be compared."""

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from service.core.convolution import check_choice
from service.core.errors import InvalidOption

MODES = ("layer", "map", "symmetric", "fixed")
POLARITIES = ("light", "pencil", "diverging")


class ScaledLevels(NamedTuple):
    """levels: uint8; clipped: the share of values beyond the range; degenerate: the range is a single value."""

    levels: NDArray[np.uint8]
    clipped: float
    degenerate: bool


def value_range(
    maps: ArrayLike, mode: str = "layer", lo: float | None = None, hi: float | None = None
) -> tuple[float, float]:
    """
    Choose the (lo, hi) that a picture of `maps` shows.

    mode: "layer" and "map" reach from the least to the greatest value, of a whole layer or of the one map given;
    "symmetric" reaches as far to either side of zero; "fixed" is the caller's lo and hi.

    Raises InvalidOption for another mode, or a fixed range that is none.

    >>> value_range([[-1.0, 3.0]]), value_range([[-1.0, 3.0]], "symmetric"), value_range([[-1.0, 3.0]], "fixed", 0, 1)
    ((-1.0, 3.0), (-3.0, 3.0), (0.0, 1.0))
    """
    check_choice("range", mode, MODES)
    if mode == "fixed":
        if lo is None or hi is None or not (np.isfinite([lo, hi]).all() and lo < hi):
            raise InvalidOption(f"range=fixed must have numbers lo and hi, lo below hi, got lo={lo}, hi={hi}", "/lo")
        return float(lo), float(hi)
    if lo is not None or hi is not None:
        raise InvalidOption(f"lo and hi belong to range=fixed, got range={mode}", "/lo" if lo is not None else "/hi")
    values = np.asarray(maps)
    least, most = float(values.min()), float(values.max())
    if mode == "symmetric":
        return -max(-least, most), max(-least, most)
    return least, most


def to_levels(values: ArrayLike, lo: float, hi: float, polarity: str = "light") -> ScaledLevels:
    """
    Map lo..hi to the levels 0..255, rounding half up; what lies beyond is clipped.

    polarity: "light" is bright where values are high; "pencil" is dark there, on white paper; "diverging" is blue
    below the middle of the range and red above it.
    returns: levels of the shape of `values`, for diverging with a last axis of 3 (red, green, blue). A range of a
    single value, as a constant map has, gives the middle level everywhere.

    >>> to_levels([0.0, 0.5, 1.0, 2.0], 0, 1)
    ScaledLevels(levels=array([  0, 128, 255, 255], dtype=uint8), clipped=0.25, degenerate=False)
    """
    check_choice("polarity", polarity, POLARITIES)
    values = np.asarray(values)
    degenerate = not hi > lo
    cells, levels, outside = values.reshape(-1), np.empty(values.size, np.uint8), 0
    for start in range(0, values.size, AT_ONCE):
        some = cells[start : start + AT_ONCE].astype(np.float64)
        outside += int(np.count_nonzero((some < lo) | (some > hi)))
        share = np.full(some.shape, 0.5) if degenerate else np.clip((some - lo) / (hi - lo), 0, 1)
        if polarity == "pencil" and not degenerate:
            share = 1 - share
        levels[start : start + AT_ONCE] = np.floor(share * 255 + 0.5)
    shaped = levels.reshape(values.shape)
    drawn = DIVERGING[shaped] if polarity == "diverging" else shaped
    return ScaledLevels(drawn, outside / max(1, values.size), degenerate)


AT_ONCE = 2**18  # cells: as float64, a large picture is many times as large as its levels


def _diverging_colours() -> NDArray[np.uint8]:
    """
    Make the colour of each level: blue, to white at 128 (where zero lies in a symmetric range), to red.

    No two levels share a colour, so that a picture can be read back into values.
    """
    blue, white, red = np.array([[33, 80, 172], [247, 247, 247], [178, 24, 43]], np.float64)
    side = (np.arange(256) - 128)[:, None] / 128  # (256, 1), from -1 to almost 1
    colours = white + np.where(side < 0, -side * (blue - white), side * (red - white))
    return np.asarray(np.floor(colours + 0.5), np.uint8)


DIVERGING = _diverging_colours()  # (256, 3)
