"""The last step before a network: a picture brought to the numbers from 0 to 1 that it reads, whole or as it came."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import lru_cache
from math import floor
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from service.core.colour import to_channels, to_grey
from service.core.digit import Frame
from service.core.errors import InvalidImage

# Level / 255 for every level, as float32: one look-up instead of a conversion and a division.
UNIT = np.arange(256, dtype=np.float32) / np.float32(255)

Floats = NDArray[np.floating]
Fit = Literal["stretch", "crop", "letterbox"]
Resampling = Literal["bilinear", "bicubic", "nearest", "area"]
# Rows of a picture that are made at a time: each reads a band of the posted one alone, not all of it.
ROWS_AT_A_TIME = 16
# The weights of an axis of this length take 130 kB.
LONGEST_KEPT = 2048


@dataclass(frozen=True, slots=True)
class Fitting:
    """
    How a whole picture of any size becomes one of (rows, columns).

    fit: stretch gives it that size, whatever becomes of its sides; crop makes it as small as still covers that size, or
        its shorter side `short_side` long, and takes the middle; letterbox makes it as large as still fits, and lays it
        on the middle of a ground of `fill`, 0 = black to 1 = white
    resampling: how pixels are made of others, as Pillow's BILINEAR, BICUBIC, NEAREST and BOX do it
    """

    fit: Fit = "stretch"
    resampling: Resampling = "bilinear"
    short_side: int | None = None
    fill: float = 0.0

    def place(self, size: tuple[int, int], wanted: tuple[int, int]) -> tuple[tuple[int, int], tuple[int, int]]:
        """
        The size that a picture of `size` is brought to, and where in that the wanted size begins: (rows, columns) each.

        >>> Fitting("crop", short_side=256).place((300, 400), (224, 224))
        ((256, 341), (16, 58))
        >>> Fitting("letterbox").place((300, 400), (224, 224))
        ((168, 224), (-28, 0))
        """
        if self.fit == "stretch":
            return wanted, (0, 0)
        (height, width), (rows, columns) = size, wanted
        if self.fit == "letterbox":
            scale = min(rows / height, columns / width)
            made = (max(1, round(height * scale)), max(1, round(width * scale)))
            return made, (-((rows - made[0]) // 2), -((columns - made[1]) // 2))
        if self.short_side is not None:
            # The longer side is cut off to a whole number, and the middle rounded, as torchvision has it.
            short = min(height, width)
            made = (self.short_side * height // short, self.short_side * width // short)
        else:
            scale = max(rows / height, columns / width)
            made = (max(rows, round(height * scale)), max(columns, round(width * scale)))
        return made, (round((made[0] - rows) / 2), round((made[1] - columns) / 2))


STRETCHED = Fitting()


@dataclass(frozen=True, slots=True)
class FittedPicture:
    """
    A whole picture in the form that a network reads, and where its pixels lie in the posted one.

    image: (channels, rows, columns) float32, 0 = black, 1 = white
    box: (x, y, width, height) of what is seen of the picture, in its pixels
    matrix: (3, 3) float64, takes (x, y, 1) of a pixel's centre in `image` to the pixel in the picture
    """

    image: NDArray[np.float32]
    fit: Fit
    box: tuple[int, int, int, int]
    matrix: NDArray[np.float64]

    def within(self, frame: Frame) -> "FittedPicture":
        """The same, with its box and matrix in the pixels that were posted."""
        return replace(self, box=frame.outwards(self.box), matrix=frame.matrix @ self.matrix)


def as_posted(picture: np.ndarray, shape: tuple[int, ...], words: str) -> NDArray[np.float32]:
    """
    Take a picture as it is (prepare=none): of the size that a network reads, (channels, rows, columns).

    words: what 0 and 1 stand for
    returns: (rows, columns) float32 for one channel, else (3, rows, columns); raises: InvalidImage for another size
    """
    channels, rows, columns = shape
    if picture.shape[:2] != (rows, columns):
        size = f"{picture.shape[1]} x {picture.shape[0]}"
        raise InvalidImage(
            f"with prepare=none a picture is {columns} x {rows} ({words}), got {size}; prepare=auto takes any"
        )
    return to_grey(picture) if channels == 1 else _channels(picture, channels)


def fitted(picture: np.ndarray, shape: tuple[int, ...], fitting: Fitting = STRETCHED) -> FittedPicture:
    """
    Bring a whole picture to the channels and size that a network reads.

    picture: (height, width), (height, width, 3) or (height, width, 4), uint8 0..255 or float32 0..1; transparency is
        laid over white
    shape: (channels, rows, columns), one channel or three

    >>> fitted(np.array([[0, 255]], np.uint8), (1, 1, 4)).image.round(2)
    array([[[0.  , 0.25, 0.75, 1.  ]]], dtype=float32)
    """
    channels, *wanted = shape
    planes = _channels(picture, channels)
    size = (planes.shape[1], planes.shape[2])
    made, start = fitting.place(size, (wanted[0], wanted[1]))
    spans = [_Span(*axis) for axis in zip(size, made, start, wanted, strict=True)]
    if made == size == (wanted[0], wanted[1]) and start == (0, 0):
        image = np.ascontiguousarray(planes)
    else:
        down, across = (_Kernel(fitting.resampling, span) for span in spans)
        seen = across.along(down.along(planes).swapaxes(1, 2)).swapaxes(1, 2)
        image = np.full(shape, fitting.fill, np.float32)
        rows, columns = (slice(span.first, span.first + span.count) for span in spans)
        np.clip(seen, 0, 1, out=image[:, rows, columns])
    (top, height), (left, width) = (span.read() for span in spans)
    matrix = np.array([[spans[1].step, 0, spans[1].origin], [0, spans[0].step, spans[0].origin], [0, 0, 1]])
    return FittedPicture(image, fitting.fit, (left, top, width, height), matrix)


def _channels(picture: np.ndarray, channels: int) -> NDArray[np.float32]:
    planes: np.ndarray = to_grey(picture)[None] if channels == 1 else to_channels(picture)
    return np.broadcast_to(planes, (channels, *planes.shape[1:]))


@dataclass(frozen=True, slots=True)
class _Span:
    """
    One axis: of `size` cells `made` are made, and `wanted` of these are taken from `start` on, outside where negative.
    """

    size: int
    made: int
    start: int
    wanted: int

    @property
    def step(self) -> float:
        """How many cells are one of those that are made."""
        return self.size / self.made

    @property
    def origin(self) -> float:
        """Where the centre of the first that is taken lies, in cells whose centres are whole numbers."""
        return (self.start + 0.5) * self.step - 0.5

    @property
    def first(self) -> int:
        """The first that is taken and not outside."""
        return max(0, -self.start)

    @property
    def count(self) -> int:
        """How many are taken and not outside."""
        return min(self.wanted, self.made - self.start) - self.first

    def read(self) -> tuple[int, int]:
        """The first cell that they stand for, and how many cells."""
        start = self.start + self.first
        first = floor(start * self.step)
        end = -floor(-(start + self.count) * self.step)
        return first, min(self.size, end) - first


def _triangle(x: Floats) -> Floats:
    return np.asarray(np.maximum(0, 1 - np.abs(x)))


def _cubic(x: Floats) -> Floats:
    """Keys's cubic with a = -0.5 (doi 10.1109/TASSP.1981.1163711)."""
    x = np.abs(x)
    near, far = (1.5 * x - 2.5) * x * x + 1, ((-0.5 * x + 2.5) * x - 4) * x + 2
    return np.asarray(np.where(x < 1, near, np.where(x < 2, far, 0)))


def _box(x: Floats) -> Floats:
    return ((x > -0.5) & (x <= 0.5)).astype(np.float64)


# Of each resampling: its kernel, and how far that reaches.
_KERNELS: dict[str, tuple[Callable[[Floats], Floats], float]] = {
    "bilinear": (_triangle, 1.0),
    "bicubic": (_cubic, 2.0),
    "area": (_box, 0.5),
}


@dataclass(frozen=True, slots=True)
class _Kernel:
    """A resampling along one axis. Each cell is a mean, weighed by a kernel as wide as what it stands for."""

    resampling: Resampling
    span: _Span

    def along(self, planes: NDArray[np.float32]) -> NDArray[np.float32]:
        """Resample the second axis: (channels, size, others) becomes (channels, count, others)."""
        span = self.span
        if (span.made, span.first, span.count) == (span.size, 0, span.size):
            return planes
        if self.resampling == "nearest":
            cells = (np.arange(span.count) + span.start + span.first + 0.5) * span.step
            return np.asarray(planes[:, np.floor(cells).astype(np.intp).clip(0, span.size - 1)])
        made = np.empty((len(planes), span.count, planes.shape[2]), np.float32)
        kept = _bands_of if span.size <= LONGEST_KEPT else _bands_of.__wrapped__
        for begin, low, weights in kept(self.resampling, span):
            rows, cells = weights.shape
            np.matmul(weights, planes[:, low : low + cells], out=made[:, begin : begin + rows])
        return made


@lru_cache(maxsize=16)
def _bands_of(resampling: Resampling, span: _Span) -> list[tuple[int, int, NDArray[np.float32]]]:
    """
    Along one axis, what makes some cells at a time: the first made, the first read, and the weights (made, read).

    Pictures that come together are mostly of one size, so those of the last sizes are kept.
    """
    kernel, reach = _KERNELS[resampling]
    wide = max(span.step, 1.0)
    centres = (np.arange(span.count) + span.start + span.first + 0.5) * span.step
    # The cells that each of these reads; one on a border falls to the side that Pillow lets it fall to.
    lows = (centres - reach * wide + 0.5).astype(np.intp).clip(0)
    highs = (centres + reach * wide + 0.5).astype(np.intp).clip(0, span.size)
    near = lows[:, None] + np.arange(int((highs - lows).max()))
    each = kernel((near - centres[:, None] + 0.5) * (1 / wide))
    each *= near < highs[:, None]
    each /= each.sum(axis=1, keepdims=True)
    bands = []
    for begin in range(0, span.count, ROWS_AT_A_TIME):
        some = slice(begin, begin + ROWS_AT_A_TIME)
        low, high = int(lows[begin]), int(highs[some][-1])
        columns = near[some] - low
        # What lies beyond the last cell has no weight, and is laid into a column that is cut off.
        weights = np.zeros((len(columns), high - low + 1), np.float32)
        weights[np.arange(len(columns))[:, None], columns.clip(max=high - low)] = each[some]
        bands.append((begin, low, np.ascontiguousarray(weights[:, :-1])))
    return bands
