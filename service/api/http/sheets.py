"""Maps and filters drawn as contact sheets, with the range of values they were drawn with."""

import json
from collections.abc import Sequence
from math import isqrt
from typing import Any

import numpy as np

from service.core.cards import spectrum
from service.core.ranges import to_levels, value_range
from service.core.sheets import GAP, Levels, enlarge, grid, stack
from service.lab import prices, sizes
from service.lab.options import (
    ApplyFiltersOptions,
    FeatureMapOptions,
    LayerFilterOptions,
    PatchesOptions,
    PresetListOptions,
    PresetOptions,
)
from service.settings import Limits

# Tiles to a row, and the side in pixels that a small tile is enlarged to.
COLUMNS = 8
TILE_SIDE = 56
KERNEL_TILE_SIDE = 84


# The options that say how values become levels: range, lo, hi and polarity.
Drawing = FeatureMapOptions | ApplyFiltersOptions | PresetListOptions | PresetOptions | LayerFilterOptions


def used_range(
    maps: np.ndarray, options: Drawing, chosen: Sequence[int] | None = None
) -> tuple[float, float] | list[tuple[float, float]]:
    """
    The range of values that a picture of maps shows: one, or one per map.

    maps: (filters, rows, columns), all of a layer's, whichever are `chosen`: the scale must not change with the choice
    """
    if options.range == "map":
        return [value_range(one, "map", options.lo, options.hi) for one in (maps if chosen is None else maps[chosen])]
    return value_range(maps, options.range, options.lo, options.hi)


def draw_maps(
    maps: np.ndarray,
    options: Drawing,
    chosen: Sequence[int] | None = None,
    *,
    side: int = TILE_SIDE,
    columns: int | None = None,
) -> tuple[Levels, Any]:
    """
    Draw a sheet of one layer's maps, or of those that are chosen.

    maps: (filters, rows, columns)   returns: the sheet, and the range or ranges it was drawn with
    """
    ranges = used_range(maps, options, chosen)
    shown = maps if chosen is None else maps[chosen]
    each = ranges if isinstance(ranges, list) else [ranges] * len(shown)
    factor = max(1, side // max(maps.shape[1:]))
    tiles = [
        enlarge(to_levels(one, lo, hi, options.polarity).levels, factor)
        for one, (lo, hi) in zip(shown, each, strict=True)
    ]
    return grid(tiles, columns or columns_of(len(tiles))), ranges


def columns_of(count: int) -> int:
    """
    How many tiles a row of a sheet has; many tiles lie in a square.

    >>> columns_of(20), columns_of(1000)
    (8, 32)
    """
    return COLUMNS if count <= COLUMNS**2 else isqrt(count - 1) + 1


def charge_drawing(shapes: Sequence[Sequence[Sequence[int]]], options: Drawing, limits: Limits) -> None:
    """
    Charge a sheet that `draw_batch` will draw. shapes: per picture those of its maps, (filters, rows, columns) each.

    raises: TooLarge for a sheet of more bytes than an answer may have, and what `charge` raises
    """
    tiles, cells, height, width = 0, 0, 0, 0
    for picture in shapes:
        for count, rows, columns in picture:
            factor = max(1, TILE_SIDE // max(rows, columns))
            most = columns_of(count)
            down, across = -(-count // most), min(count, most)
            tiles, cells = tiles + count, cells + count * rows * columns
            height += GAP + down * (rows * factor + GAP)
            width = max(width, GAP + across * (columns * factor + GAP))
    colours = 3 if options.polarity == "diverging" else 1
    sizes.check_bytes(height * width * colours, limits)
    prices.charge("draw", *prices.drawing(tiles, cells, height * width, colours))


def draw_batch(
    batch: Sequence[dict[str, np.ndarray]], options: Drawing, chosen: Sequence[int] | None = None
) -> tuple[Levels, dict[str, str]]:
    """
    Draw a row per picture, and in it a sheet per layer.

    batch: per picture the maps (filters, rows, columns) by name; chosen: the filters to show, all unless given
    returns: the whole sheet, and the text that goes with it: the ranges by name, per picture
    """
    rows, ranges = [], []
    for maps in batch:
        drawn = {name: draw_maps(stacked, options, chosen) for name, stacked in maps.items()}
        rows.append(stack([sheet for sheet, _ in drawn.values()]))
        ranges.append({name: used for name, (_, used) in drawn.items()})
    return stack(rows), text_of_range(ranges if len(ranges) > 1 else ranges[0], options)


def draw_kernels(
    kernels: Sequence[np.ndarray], options: Drawing, *, with_spectra: bool = False
) -> tuple[Levels, dict[str, str]]:
    """
    Draw filters, (channels, rows, columns) each: a tile per channel, a row per filter where there are several.

    with_spectra: below them the gain of each filter at every frequency, in the same order, from 0 to its greatest
    """
    channels = len(kernels[0])
    tiles = np.concatenate(kernels)
    sheet, used = draw_maps(tiles, options, side=KERNEL_TILE_SIDE, columns=channels if channels > 1 else None)
    if not with_spectra:
        return sheet, text_of_range(used, options)
    spectra = [spectrum(kernel) for kernel in kernels]
    drawn = [to_levels(gain, 0, gain.max(), options.polarity).levels for gain in spectra]
    ranges = {"weights": used, "spectra": [(0.0, float(gain.max())) for gain in spectra]}
    return stack([sheet, grid(drawn, COLUMNS)]), text_of_range(ranges, options)


def text_of_range(ranges: Any, options: Drawing | PatchesOptions) -> dict[str, str]:
    """What a picture of values says of how it was drawn."""
    return {
        # In ASCII whatever filters are called, because it becomes a header.
        "range": json.dumps(ranges, separators=(",", ":")),
        "range-mode": options.range,
        "polarity": options.polarity,
    }
