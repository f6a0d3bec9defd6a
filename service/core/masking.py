"""
What a score owes to parts of the picture, found by covering them: occlusion and RISE.

Both treat the network as a box that answers scores, so they work for any score of any network, and cost a run per
mask. Neither adds up to the score as a ledger does.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from service.core.convolution import Pair
from service.core.digit import SIDE
from service.core.errors import InvalidOption

Floats = NDArray[np.float64]

# Masks that are worked on at a time, so that thousands of them never lie side by side in float64.
BLOCK = 500


def windows(window: Pair, stride: Pair, side: int = SIDE) -> NDArray[np.bool_]:
    """
    Every place of a covering window, row by row; the last of a row or column is cut at the border.

    window, stride: (down, across); a stride beyond the window would leave pixels that are never covered
    returns: (places, side, side), True where covered

    The places are Captum's: ceil((side - window) / stride) + 1 to a row.

    >>> windows((2, 2), (2, 2), side=5).shape
    (9, 5, 5)
    """
    if max(window) > side:
        raise InvalidOption(f"the window must fit the picture of {side} x {side}, got {list(window)}", "/window")
    if stride[0] > window[0] or stride[1] > window[1]:
        raise InvalidOption(f"the stride must not exceed the window {list(window)}, got {list(stride)}", "/stride")
    rows, columns = (_spans(side, size, step) for size, step in zip(window, stride, strict=True))
    return (rows[:, None, :, None] & columns[None, :, None, :]).reshape(-1, side, side)


def count_windows(window: Pair, stride: Pair, side: int = SIDE) -> int:
    """How many places windows() has."""
    down, across = (-(-(side - size) // step) + 1 for size, step in zip(window, stride, strict=True))
    return down * across


def _spans(side: int, size: int, step: int) -> NDArray[np.bool_]:
    starts = np.arange(-(-(side - size) // step) + 1)[:, None] * step
    pixels = np.arange(side)
    return (pixels >= starts) & (pixels < starts + size)


def cover(image: NDArray[np.float32], masks: NDArray[np.bool_], baseline: NDArray[np.float32]) -> NDArray[np.float32]:
    """
    Copies of a picture, each covered by one mask.

    image, baseline: (side, side)   masks: (n, side, side)   returns: (n, 1, side, side)
    """
    return np.where(masks, baseline, image)[:, None]


def occlusion(masks: NDArray[np.bool_], drops: Floats) -> Floats:
    """
    What each pixel is worth: the mean, over the windows that cover it, of what the score loses under them.

    masks: (n, side, side)   drops: (n,), the score less the score covered   returns: (side, side)

    >>> occlusion(np.array([[[True, False]], [[True, True]]]), np.array([1.0, 3.0]))
    array([[2., 3.]])
    """
    covered = masks.astype(np.float64)
    return np.asarray(np.tensordot(drops, covered, 1) / covered.sum(axis=0))


# --- RISE ------------------------------------------------------------------------------------------------------------


def random_masks(count: int, cells: int, keep: float, seed: int, side: int = SIDE) -> NDArray[np.float32]:
    """
    Smooth random masks: a coarse grid of ones and zeros, enlarged bilinearly and shifted at random.

    cells: to a side of the grid   keep: the probability of a one   returns: (count, side, side), 0 hides, 1 shows

    As in Petsiuk, Das and Saenko, "RISE", arXiv 1806.07421, section 3.2. The same seed gives the same masks.

    >>> random_masks(2, cells=7, keep=0.5, seed=1).shape
    (2, 28, 28)
    """
    generator = np.random.default_rng(seed)
    grid = (generator.random((count, cells, cells)) < keep).astype(np.float32)
    cell = -(-side // cells)
    shifts = generator.integers(0, cell, (count, 2))
    return crop(enlarge_smoothly(grid, (cells + 1) * cell), shifts, side)


def enlarge_smoothly(grid: NDArray[np.float32], side: int) -> NDArray[np.float32]:
    """
    Enlarge grids bilinearly, cell centres on cell centres, level beyond the outermost.

    grid: (n, cells, cells)   returns: (n, side, side)
    """
    cells = grid.shape[1]
    centres = (np.arange(side) + 0.5) * cells / side - 0.5
    matrix = np.stack([np.interp(centres, np.arange(cells), row) for row in np.eye(cells)], axis=1)
    reader = matrix.astype(np.float32)  # (side, cells)
    return np.asarray(reader @ grid @ reader.T)


def crop(large: NDArray[np.float32], shifts: NDArray[np.int64], side: int) -> NDArray[np.float32]:
    """Cut (side, side) out of each, from its own (row, column) on; large: (n, larger, larger)."""
    steps = np.arange(side)
    rows, columns = (shifts[:, axis, None] + steps for axis in (0, 1))
    return np.asarray(large[np.arange(len(large))[:, None, None], rows[:, :, None], columns[:, None, :]])


@dataclass(frozen=True, slots=True)
class Saliency:
    """An estimate for every pixel, (side, side), and its standard error, which shrinks as 1 / sqrt(masks)."""

    estimate: Floats
    standard_error: Floats


def rise(masks: NDArray[np.float32], scores: Floats, keep: float) -> Saliency:
    """
    The mean score of the masked pictures in which a pixel shows.

    masks: (n, side, side), n at least 2   scores: (n,), of the picture times each mask

    saliency = 1 / (n * keep) * sum over masks of score * mask (the paper's equation 6). Scores from which their mean
    is taken off give the same up to a constant, with less noise: the centred variant.

    >>> found = rise(np.array([[[1.0, 0.0]], [[0.0, 1.0]]], np.float32), np.array([3.0, 1.0]), keep=0.5)
    >>> found.estimate, found.standard_error
    (array([[3., 1.]]), array([[3., 1.]]))
    """
    count, shape = len(masks), masks.shape[1:]
    total, squares = np.zeros(shape), np.zeros(shape)
    for start in range(0, count, BLOCK):
        block = masks[start : start + BLOCK].astype(np.float64)
        total += np.tensordot(scores[start : start + BLOCK], block, 1)
        squares += np.tensordot(np.square(scores[start : start + BLOCK]), np.square(block), 1)
    mean = total / (count * keep)
    # The sample variance of score * mask / keep, of each pixel.
    variance = np.maximum(squares / keep**2 - count * mean**2, 0) / (count - 1)
    return Saliency(mean, np.sqrt(variance / count))
