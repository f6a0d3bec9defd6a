"""One cell of a map, computed anew: the window, or the cells of several maps, that it reads, and what comes of them."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import NamedTuple

import numpy as np

from service.core.ledger import Floats
from service.network.passport import JOINS, Layer, joined_axis

Place = tuple[int, int, int]


class JoinedCell(NamedTuple):
    """A cell that is added, multiplied or taken over: of the tensor of that number, where in it, and its value."""

    tensor: int
    place: Place
    value: float


@dataclass(frozen=True)
class MapCell:
    """
    One cell of a layer's map.

    place: filter, row and column   sources: (channels, rows, columns) each, what the layer reads: several to be joined
    weights, bias: of a convolution's filter, (channels of its group, kernel rows, kernel columns)
    """

    layer: Layer
    place: Place
    sources: Sequence[np.ndarray]
    weights: np.ndarray = field(default_factory=lambda: np.zeros(0))
    bias: float = 0.0

    @property
    def corner(self) -> tuple[int, int]:
        """Row and column of the first cell of its window, negative within the padding."""
        (down, across), pads = self.layer.stride, self.layer.pads
        return self.place[1] * down - pads[0], self.place[2] * across - pads[1]

    @property
    def channels(self) -> tuple[int, int]:
        """The first channel that it reads, and the one after the last."""
        if self.layer.op != "conv":
            return self.place[0], self.place[0] + 1
        each = self.layer.in_shape[0] // self.layer.groups
        first = self.place[0] // (self.layer.shape[0] // self.layer.groups) * each
        return first, first + each

    @cached_property
    def inside(self) -> np.ndarray:
        """(kernel rows, kernel columns), False where a cell of its window is padding."""
        rows, columns = self._lines
        height, width = self.layer.in_shape[1:]
        return np.logical_and.outer((rows >= 0) & (rows < height), (columns >= 0) & (columns < width))

    @cached_property
    def window(self) -> np.ndarray:
        """(channels, kernel rows, kernel columns), 0 where that is padding."""
        rows, columns = self._lines
        height, width = self.layer.in_shape[1:]
        read = self.sources[0][slice(*self.channels)][:, rows.clip(0, height - 1)][:, :, columns.clip(0, width - 1)]
        return np.ascontiguousarray(np.where(self.inside, read, read.dtype.type(0)))

    @cached_property
    def products(self) -> Floats:
        """Of a convolution, what it sums: as its weights."""
        return np.asarray(self.window.astype(np.float64) * self.weights)

    @property
    def divisor(self) -> int:
        """Of an average, by how many cells it divides: those of its window, the padding where that counts."""
        if not self.layer.counts_padding:
            return int(self.inside.sum())
        _, _, bottom, right = self.layer.pads
        (rows, columns), (height, width) = self._lines, self.layer.in_shape[1:]
        return int((rows < height + bottom).sum() * (columns < width + right).sum())

    @property
    def winner(self) -> tuple[int, int] | None:
        """Of a maximum, row and column of the cell that it took, the first in reading order of several."""
        return winner_of(self, self.sources[0])

    @property
    def joined(self) -> list[JoinedCell]:
        """The cells that are added or multiplied, or the one that is taken over."""
        shapes = [source.shape for source in self.sources]
        axis = joined_axis(self.layer, shapes) if self.layer.op == "concat" else None
        if axis is None:
            places = [
                tuple(0 if size == 1 else at for at, size in zip(self.place, shape, strict=True)) for shape in shapes
            ]
            return [self._joined(index, place) for index, place in enumerate(places)]
        start = 0
        for index, shape in enumerate(shapes):
            if self.place[axis] < start + shape[axis]:
                at = self.place[axis] - start
                return [self._joined(index, (*self.place[:axis], at, *self.place[axis + 1 :]))]
            start += shape[axis]
        return []

    @property
    def total(self) -> float:
        """Its value, before an activation, computed anew in 64 bits."""
        if self.layer.op == "conv":
            return float(self.products.sum()) + self.bias
        if self.layer.op in JOINS:
            values = [each.value for each in self.joined]
            return float(np.prod(values) if self.layer.op == "mul" else np.sum(values))
        read = self.window[0][self.inside].astype(np.float64)
        if not read.size:
            return 0.0
        return float(read.max() if self.layer.op.endswith("maxpool") else read.sum() / self.divisor)

    @property
    def size(self) -> float:
        """The sum of what it is made of, each without its sign: what rounding is a share of."""
        if self.layer.op == "conv":
            return float(np.abs(self.products).sum()) + abs(self.bias)
        if self.layer.op in JOINS:
            values = np.abs([each.value for each in self.joined])
            return float(np.prod(values) if self.layer.op == "mul" else np.sum(values))
        return float(np.abs(self.window).max(initial=0.0))

    def _joined(self, index: int, place: tuple[int, ...]) -> JoinedCell:
        filter_, row, column = place
        return JoinedCell(index, (filter_, row, column), float(self.sources[index][place]))

    @property
    def _lines(self) -> tuple[np.ndarray, np.ndarray]:
        """The rows and the columns of its window, in what it reads; some may be padding."""
        starts = zip(self.corner, self.layer.kernel, self.layer.dilation, strict=True)
        rows, columns = (start + apart * np.arange(count) for start, count, apart in starts)
        return rows, columns


def winner_of(cell: MapCell, before: np.ndarray) -> tuple[int, int] | None:
    """
    Which cell of its window a maximum took, as row and column; None where all of them are padding.

    before: (channels, rows, columns), what tells the winner: what the layer reads, or what that rises with
    """
    telling = MapCell(cell.layer, cell.place, [before])
    if not telling.inside.any():
        return None
    levels = np.where(telling.inside, telling.window[0], -np.inf)
    down, across = divmod(int(levels.argmax()), cell.layer.kernel[1])
    (top, left), (row_step, column_step) = cell.corner, cell.layer.dilation
    return top + down * row_step, left + across * column_step


def windows_over(pool: Layer, row: int, column: int) -> tuple[list[int], list[int]]:
    """The rows, and the columns, of the cells of a pooling whose windows hold a cell of what it reads."""
    return list(_windows_over_line(pool, 0, row)), list(_windows_over_line(pool, 1, column))


def _windows_over_line(pool: Layer, axis: int, at: int) -> Iterator[int]:
    stride, apart, before = pool.stride[axis], pool.dilation[axis], pool.pads[axis]
    reach = (pool.kernel[axis] - 1) * apart
    for index in range(max(0, -(-(at + before - reach) // stride)), (at + before) // stride + 1):
        if index < pool.shape[1 + axis] and (at + before - index * stride) % apart == 0:
            yield index
