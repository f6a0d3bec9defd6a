"""
Contact sheets: many small pictures laid out as one.

Tiles are enlarged by whole numbers and without smoothing, so that every cell of a map stays a square of its own level.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Levels = NDArray[np.uint8]

# The colour between tiles, chosen to be unlike either end of any scale.
GAP_LEVEL = 160
GAP = 2


def enlarge(tile: Levels, factor: int) -> Levels:
    """
    Make every cell factor x factor pixels.

    >>> enlarge(np.array([[1, 2]], np.uint8), 2)
    array([[1, 1, 2, 2],
           [1, 1, 2, 2]], dtype=uint8)
    """
    return tile.repeat(factor, axis=0).repeat(factor, axis=1)


def grid(tiles: Sequence[Levels], columns: int) -> Levels:
    """
    Lay tiles out in reading order, `columns` to a row, with gaps between and around them.

    tiles: all of one shape, (h, w) grey or (h, w, 3) colour
    returns: one picture of the same kind

    >>> grid([np.zeros((3, 3), np.uint8)] * 4, columns=2).shape
    (12, 12)
    """
    height, width, *colour = tiles[0].shape
    columns = min(columns, len(tiles))
    rows = -(-len(tiles) // columns)
    size = (GAP + rows * (height + GAP), GAP + columns * (width + GAP))
    sheet = np.full((*size, *colour), GAP_LEVEL, np.uint8)
    for index, tile in enumerate(tiles):
        top = GAP + index // columns * (height + GAP)
        left = GAP + index % columns * (width + GAP)
        sheet[top : top + height, left : left + width] = tile
    return sheet


def spaced(tiles: Levels) -> Levels:
    """
    Lay tiles out where they lie, with gaps between and around them.

    tiles: (rows, columns, h, w, colours)   returns: (height, width, colours)

    >>> spaced(np.ones((1, 2, 1, 1, 1), np.uint8))[:, :, 0]
    array([[160, 160, 160, 160, 160, 160, 160, 160],
           [160, 160, 160, 160, 160, 160, 160, 160],
           [160, 160,   1, 160, 160,   1, 160, 160],
           [160, 160, 160, 160, 160, 160, 160, 160],
           [160, 160, 160, 160, 160, 160, 160, 160]], dtype=uint8)
    """
    rows, columns, height, width, colours = tiles.shape
    cells = np.full((rows, height + GAP, columns, width + GAP, colours), GAP_LEVEL, np.uint8)
    cells[:, :height, :, :width] = tiles.transpose(0, 2, 1, 3, 4)
    sheet = cells.reshape(rows * (height + GAP), columns * (width + GAP), colours)
    return np.pad(sheet, ((GAP, 0), (GAP, 0), (0, 0)), constant_values=GAP_LEVEL)


def stack(sheets: Sequence[Levels]) -> Levels:
    """
    Put sheets below one another, the narrower ones filled up on the right.

    >>> stack([np.zeros((2, 3), np.uint8), np.zeros((1, 5), np.uint8)]).shape
    (3, 5)
    """
    width = max(sheet.shape[1] for sheet in sheets)
    return np.concatenate([_widen(sheet, width) for sheet in sheets])


def _widen(sheet: Levels, width: int) -> Levels:
    filled = np.full((sheet.shape[0], width, *sheet.shape[2:]), GAP_LEVEL, np.uint8)
    filled[:, : sheet.shape[1]] = sheet
    return filled
