"""
What a score owes to parts of the picture, found by covering them: occlusion and RISE.

Both treat the network as a box that answers scores, so they work for any score of any network, and cost a run per
mask. Neither adds up to the score as a ledger does.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from service.core.convolution import Pair
from service.core.errors import InvalidOption

Floats = NDArray[np.float64]

# Masks that are worked on at a time, so that thousands of them never lie side by side in float64; of large pictures
# fewer, that have so many pixels together.
BLOCK, PIXELS_AT_A_TIME = 500, 1 << 20
# Masks that have no more pixels than these together are made once and kept side by side.
PIXELS_SIDE_BY_SIDE = 1 << 24


def masks_at_a_time(size: Pair) -> int:
    """
    How many masks of (rows, columns) are worked on at a time.

    >>> masks_at_a_time((28, 28)), masks_at_a_time((224, 224))
    (500, 20)
    """
    return max(1, min(BLOCK, PIXELS_AT_A_TIME // (size[0] * size[1])))


def are_few(count: int, size: Pair) -> bool:
    """Whether so many masks of (rows, columns) are kept side by side."""
    return count * size[0] * size[1] <= PIXELS_SIDE_BY_SIDE


@dataclass(frozen=True)
class Windows:
    """
    Every place of a covering window on a picture of `size`, row by row; the last of each is cut at the border.

    window, stride: (down, across); a stride beyond the window would leave pixels that are never covered
    raises: InvalidOption for such a stride, or a window that does not fit

    The places are Captum's: ceil((side - window) / stride) + 1 to a row.

    >>> Windows((2, 2), (2, 2), (5, 5)).masks().shape
    (9, 5, 5)
    """

    window: Pair
    stride: Pair
    size: Pair

    def __post_init__(self) -> None:
        rows, columns = self.size
        if self.window[0] > rows or self.window[1] > columns:
            raise InvalidOption(
                f"the window must fit the picture of {columns} x {rows}, got {list(self.window)}", "/window"
            )
        if self.stride[0] > self.window[0] or self.stride[1] > self.window[1]:
            raise InvalidOption(
                f"the stride must not exceed the window {list(self.window)}, got {list(self.stride)}", "/stride"
            )

    def __len__(self) -> int:
        down, across = (
            -(-(side - size) // step) + 1 for side, size, step in zip(self.size, self.window, self.stride, strict=True)
        )
        return down * across

    @cached_property
    def _spans(self) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
        """What each place covers of the rows, (down, rows), and of the columns, (across, columns)."""
        found = []
        for side, size, step in zip(self.size, self.window, self.stride, strict=True):
            starts = np.arange(-(-(side - size) // step) + 1)[:, None] * step
            pixels = np.arange(side)
            found.append((pixels >= starts) & (pixels < starts + size))
        return found[0], found[1]

    def masks(self, start: int = 0, end: int | None = None) -> NDArray[np.bool_]:
        """The masks of these places, (places, rows, columns), True where covered."""
        down, across = self._spans
        place = np.arange(start, len(self) if end is None else min(end, len(self)))
        return np.asarray(down[place // len(across)][:, :, None] & across[place % len(across)][:, None, :])

    @cached_property
    def _kept(self) -> NDArray[np.bool_] | None:
        return self.masks() if are_few(len(self), self.size) else None

    def blocks(self) -> Iterator[NDArray[np.bool_]]:
        """The masks of all places, some at a time."""
        each = masks_at_a_time(self.size)
        for start in range(0, len(self), each):
            yield self.masks(start, start + each) if self._kept is None else self._kept[start : start + each]

    def worth(self, drops: Floats) -> Floats:
        """What each pixel is worth, as occlusion() says; drops: (places,)   returns: (rows, columns)."""
        if self._kept is not None:
            return occlusion(self._kept, drops)
        # A place covers some rows and some columns, so that its sum is one over rows of sums over columns.
        down, across = (span.astype(np.float64) for span in self._spans)
        total = down.T @ drops.reshape(len(down), len(across)) @ across
        return np.asarray(total / (down.sum(axis=0)[:, None] * across.sum(axis=0)))


def cover(image: NDArray[np.float32], masks: NDArray[np.bool_], baseline: NDArray[np.float32]) -> NDArray[np.float32]:
    """
    Copies of a picture, each covered by one mask.

    image, baseline: (channels, rows, columns)   masks: (n, rows, columns)   returns: (n, channels, rows, columns)
    """
    return np.where(masks[:, None], baseline, image)


def occlusion(masks: NDArray[np.bool_], drops: Floats) -> Floats:
    """
    What each pixel is worth: the mean, over the windows that cover it, of what the score loses under them.

    masks: (n, rows, columns)   drops: (n,), the score less the score covered   returns: (rows, columns)

    >>> occlusion(np.array([[[True, False]], [[True, True]]]), np.array([1.0, 3.0]))
    array([[2., 3.]])
    """
    covered = masks.astype(np.float64)
    return np.asarray(np.tensordot(drops, covered, 1) / covered.sum(axis=0))


# --- RISE ------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class RandomMasks:
    """
    Smooth random masks for pictures of `size`: coarse grids of ones and zeros, enlarged bilinearly, shifted at random.

    cells: to a side of the grid   keep: the probability of a one

    As in Petsiuk, Das and Saenko, "RISE", arXiv 1806.07421, section 3.2. The same seed gives the same masks.

    >>> [block.shape for block in RandomMasks(2, cells=7, keep=0.5, seed=1, size=(28, 20)).blocks()]
    [(2, 28, 20)]
    """

    count: int
    cells: int
    keep: float
    seed: int
    size: Pair

    def __len__(self) -> int:
        return self.count

    @property
    def _cell(self) -> Pair:
        """Rows and columns of one cell."""
        return -(-self.size[0] // self.cells), -(-self.size[1] // self.cells)

    @cached_property
    def _shifts(self) -> NDArray[np.int64]:
        """How far each grid is shifted, (count, 2): drawn after all grids, each number of which is one step."""
        generator = np.random.PCG64(self.seed)
        generator.advance(self.count * self.cells**2)
        down, across = self._cell
        most: int | list[int] = down if down == across else [down, across]
        return np.random.Generator(generator).integers(0, most, (self.count, 2))

    def _slices(self) -> Iterator[slice]:
        each = masks_at_a_time(self.size)
        return (slice(start, start + each) for start in range(0, self.count, each))

    @cached_property
    def _kept(self) -> NDArray[np.float32] | None:
        if not are_few(self.count, self.size):
            return None
        kept = np.empty((self.count, *self.size), np.float32)
        for chosen, made in zip(self._slices(), self._made(), strict=True):
            kept[chosen] = made
        return kept

    def _made(self) -> Iterator[NDArray[np.float32]]:
        generator, (down, across) = np.random.default_rng(self.seed), self._cell
        for chosen in self._slices():
            shifts = self._shifts[chosen]
            grid = generator.random((len(shifts), self.cells, self.cells)) < self.keep
            large = enlarge_smoothly(grid, ((self.cells + 1) * down, (self.cells + 1) * across))
            yield crop(large, shifts, self.size)

    def blocks(self) -> Iterator[NDArray[np.float32]]:
        """The masks, (n, rows, columns) at a time, 0 hides, 1 shows."""
        kept = self._kept
        return self._made() if kept is None else (kept[chosen] for chosen in self._slices())


def enlarge_smoothly(grid: NDArray[Any], size: Pair) -> NDArray[np.float32]:
    """
    Enlarge grids bilinearly, cell centres on cell centres, level beyond the outermost.

    grid: (n, cells, cells)   returns: (n, *size)
    """
    cells = grid.shape[1]
    down, across = (_reader(side, cells) for side in size)
    return np.asarray(down @ grid.astype(np.float32) @ across.T)


def _reader(side: int, cells: int) -> NDArray[np.float32]:
    """The matrix, (side, cells), that reads the cells at each pixel."""
    centres = (np.arange(side) + 0.5) * cells / side - 0.5
    matrix = np.stack([np.interp(centres, np.arange(cells), row) for row in np.eye(cells)], axis=1)
    return matrix.astype(np.float32)


def crop(large: NDArray[np.float32], shifts: NDArray[np.int64], size: Pair) -> NDArray[np.float32]:
    """Cut (rows, columns) out of each, from its own (row, column) on; large: (n, larger, larger)."""
    rows, columns = (shifts[:, axis, None] + np.arange(size[axis]) for axis in (0, 1))
    return np.asarray(large[np.arange(len(large))[:, None, None], rows[:, :, None], columns[:, None, :]])


@dataclass(frozen=True, slots=True)
class Saliency:
    """
    An estimate for every pixel, (rows, columns), and its standard error, which shrinks as 1 / sqrt(masks).

    Of several scores, (scores, rows, columns).
    """

    estimate: Floats
    standard_error: Floats


def rise(masks: RandomMasks, scores: Floats) -> Saliency:
    """
    The mean score of the masked pictures in which a pixel shows.

    masks: at least 2   scores: (n,), of the picture times each mask; or several, (scores, n), weighed while the masks
        are made once

    saliency = 1 / (n * keep) * sum over masks of score * mask (the paper's equation 6). Scores from which their mean
    is taken off give the same up to a constant, with less noise: the centred variant.

    >>> masks = RandomMasks(2, cells=2, keep=0.5, seed=0, size=(2, 2))
    >>> rise(masks, np.array([3.0, 1.0])).estimate.shape
    (2, 2)
    """
    count, keep = len(masks), masks.keep
    total, squares = (np.zeros((*scores.shape[:-1], *masks.size)) for _ in range(2))
    start = 0
    for each in masks.blocks():
        block, some = each.astype(np.float64), scores[..., start : start + len(each)]
        total += np.tensordot(some, block, 1)
        squares += np.tensordot(np.square(some), np.square(block), 1)
        start += len(each)
    mean = total / (count * keep)
    # The sample variance of score * mask / keep, of each pixel.
    variance = np.maximum(squares / keep**2 - count * mean**2, 0) / (count - 1)
    return Saliency(mean, np.sqrt(variance / count))
