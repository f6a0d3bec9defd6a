"""The checks on a kernel that a caller sent, and what every kernel is."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from service.core.errors import InvalidKernel, shown

FLOAT32_MAX = float(np.finfo(np.float32).max)
MAX_SIDE = 63  # cells; the same as the default limit on a caller's own kernel

Weights = NDArray[np.float32]


def check_kernel(weights: object, max_side: int = MAX_SIDE, pointer: str = "") -> Weights:
    """
    Make a kernel out of what a caller sent: rows of numbers, or channels of rows of numbers.

    weights: nested lists or an array   max_side: cells
    returns: (rows, columns) or (channels, rows, columns), float32

    Raises InvalidKernel where rows differ in length, are empty or too long, or hold anything but finite numbers.

    >>> check_kernel([[1, 0], [0, 1]]).shape
    (2, 2)
    >>> check_kernel([[1, 2, 3], [1, 2, 3], [1, 2]])
    Traceback (most recent call last):
    service.core.errors.InvalidKernel: kernel rows must have one length, got 3, 3, 2
    """
    try:
        return _check_kernel(weights.tolist() if isinstance(weights, np.ndarray) else weights, max_side)
    except InvalidKernel as problem:
        raise InvalidKernel(problem.detail, pointer) from None


def _check_kernel(weights: object, max_side: int) -> Weights:
    has_channels = _depth(weights) == 3
    channels: Any = weights if has_channels else [weights]
    for rows in channels:
        _check_rows(rows, max_side)
    heights = [len(rows) for rows in channels]
    if len(set(heights)) > 1:
        raise InvalidKernel(f"kernel channels must have one number of rows, got {_list(heights)}")
    widths = [len(row) for rows in channels for row in rows]
    if len(set(widths)) > 1:
        raise InvalidKernel(f"kernel rows must have one length, got {_list(widths)}")
    numbers = [value for rows in channels for row in rows for value in row]
    if not _are_float32(numbers):
        wrong = next((value for value in numbers if not math.isfinite(_as_float32(value))), None)
        if wrong is not None or None in numbers:
            raise InvalidKernel(f"kernel weights must be finite numbers (float32), got {shown(wrong)}")
    shape = (len(channels), heights[0], widths[0])
    array = np.array(numbers, np.float64).astype(np.float32).reshape(shape)
    return array if has_channels else array[0]


def _check_rows(rows: object, max_side: int) -> None:
    if not (isinstance(rows, list | tuple) and rows and all(isinstance(row, list | tuple) and row for row in rows)):
        raise InvalidKernel(
            "a kernel must be rows of numbers, [[1, 0], [0, 1]], or channels of rows, none of them empty, "
            f"got {shown(rows)}"
        )
    height, width = len(rows), max(len(row) for row in rows)
    if max(height, width) > max_side:
        raise InvalidKernel(f"a kernel may have {max_side} x {max_side} cells, got {height} x {width}")


def _depth(value: object) -> int:
    """How many lists lie around the first number; 3 at most are counted."""
    depth = 0
    while depth < 3 and isinstance(value, list | tuple) and value:
        depth, value = depth + 1, value[0]
    return depth


def _are_float32(numbers: list[Any]) -> bool:
    """Whether all are numbers that float32 holds, surely; looked at one by one they take five times as long."""
    if not set(map(type, numbers)) <= {int, float}:
        return False
    try:
        most = np.abs(np.array(numbers, np.float64)).max()
    except OverflowError:
        return False
    return bool(most <= FLOAT32_MAX)


def _as_float32(value: object) -> float:
    """Read a number, or NaN where it is none or more than float32 holds."""
    number = as_number(value)
    return number if abs(number) <= FLOAT32_MAX else math.nan


def _list(lengths: Sequence[int]) -> str:
    return ", ".join(map(str, lengths[:10])) + (", ..." if len(lengths) > 10 else "")


def as_number(value: object) -> float:
    """Read a real number, or NaN."""
    is_number = isinstance(value, int | float | np.integer | np.floating) and not isinstance(value, bool)
    try:
        return float(value) if is_number else math.nan  # type: ignore[arg-type]
    except OverflowError:
        return math.nan
