"""
Pictures as numbers: npy arrays and rows in JSON, and digits that lie flattened in them.

Data sets of digits are often tables: a row of 784 numbers is 28 x 28 pixels. Such a table could also be one picture,
784 wide. Which of the two it is, the caller says (`flattened`); it is never guessed.
"""

import io
import tokenize
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from math import prod
from typing import Any

import numpy as np
from numpy.lib import format as npy

from service.core.errors import InvalidImage, TooLarge, Unreadable, shown
from service.lab import prices
from service.settings import Limits

NPY_MAGIC = b"\x93NUMPY"
USUAL_HEAD_BYTES = 128  # of an npy file: NumPy fills every short header up to this
COLOUR_CHANNELS = {1, 3, 4}
INSTEAD = "post npy or a picture file"
OTHER_COMMAS = 4096  # of JSON, that separate no numbers of a picture
MOST_NPY_AXES = 32  # NumPy has no more in every version that is supported
MOST_AXES = 8  # that are looked for in nested lists


@dataclass(frozen=True, slots=True)
class Flattening:
    """
    Whether rows of numbers are digits.

    side: (rows, columns) of a digit; given: `flattened` as the caller gave it, None where not
    is_asked: whether the call refuses what could be either, where the caller did not say
    """

    side: tuple[int, int]
    given: bool | None
    is_asked: bool

    def digits(self, shape: Sequence[int]) -> int:
        """
        How many digits lie flattened in numbers of that shape; 0 where they are a picture, or pictures.

        raises: InvalidImage where the caller must say, or said what cannot be

        >>> Flattening((28, 28), given=True, is_asked=True).digits((50, 784))
        50
        >>> Flattening((28, 28), given=None, is_asked=True).digits((50, 28, 28))
        0
        """
        if self.given is False or (self.given is None and not self.is_asked):
            return 0
        size = prod(self.side)
        count = _count(shape, size)
        if self.given and count:
            return count
        side = f"{self.side[0]} x {self.side[1]}"
        if (labelled := _count(shape, size + 1, columns=False)) and not count:
            raise InvalidImage(
                f"numbers of shape {shown(tuple(shape))} look like {labelled} rows of a label and {size} pixels; leave "
                f"the column of labels out and give flattened=true, or flattened=false if they are one picture",
                "/flattened",
            )
        if self.given:
            raise InvalidImage(
                f"flattened=true is for rows of {size} numbers, each {side}, got shape {shown(tuple(shape))}",
                "/flattened",
            )
        if count:
            raise InvalidImage(
                f"numbers of shape {shown(tuple(shape))} may be {count} flattened {side} or one picture; give "
                f"flattened=true to read {count}, flattened=false to read one picture, or the shape ({count}, "
                f"{self.side[0]}, {self.side[1]})",
                "/flattened",
            )
        return 0


def _count(shape: Sequence[int], size: int, *, columns: bool = True) -> int:
    """How many vectors of that size there are in a shape, as its rows or, if there are no such rows, its columns."""
    if len(shape) > 2 and shape[-1] in COLOUR_CHANNELS - {1}:
        return 0
    axes = [axis for axis in shape if axis != 1]
    if len(axes) not in {1, 2}:
        return 0
    if axes[-1] == size:
        return axes[0] if len(axes) == 2 else 1
    return axes[1] if columns and len(axes) == 2 and axes[0] == size else 0


# --- npy --------------------------------------------------------------------------------------------------------------


def read_npy(body: bytes) -> np.ndarray:
    """Read an npy file, never unpickling; raises Unreadable or InvalidImage."""
    try:
        head = body[:USUAL_HEAD_BYTES]
        # What is usual is known by its bytes: NumPy has Python parse it, which takes as long as reading a digit.
        is_usual = head[6:8] == b"\1\0" and int.from_bytes(head[8:10], "little") == USUAL_HEAD_BYTES - 10
        shape, is_fortran, dtype, start = _usual_header(head) if is_usual else _header(body)
    except (ValueError, SyntaxError, TypeError, EOFError, RecursionError, MemoryError, tokenize.TokenError) as error:
        # NumPy tokenizes a header that is no Python literal, in case Python 2 wrote it.
        raise Unreadable(f"the npy header cannot be read: {str(error)[:120]}") from None
    if dtype.kind not in "buif" or dtype.itemsize > 8:
        raise InvalidImage(
            f"npy numbers are bool, integers or floats of at most 64 bits, got {str(dtype)[:40]}", "/image"
        )
    data = memoryview(body)[start:]
    if len(shape) > MOST_NPY_AXES or any(type(size) is not int for size in shape):  # True is a number to NumPy's reader
        raise Unreadable(f"the shape of an npy body is up to {MOST_NPY_AXES} whole numbers, got {shown(shape)}")
    count = prod(shape)
    if any(size < 0 for size in shape) or count * dtype.itemsize != len(data):
        raise Unreadable(
            f"an npy body of shape {shown(shape)} and type {dtype} has {shown(count * dtype.itemsize)} bytes, "
            f"got {len(data)}"
        )
    if not count:
        raise InvalidImage(f"a picture has at least one number, got shape {shown(shape)}", "/image")
    return np.frombuffer(data, dtype).reshape(shape, order="F" if is_fortran else "C")


def _header(data: bytes) -> tuple[tuple[int, ...], bool, np.dtype, int]:
    """Read the header of an npy file: the shape, whether columns come first, the type, and where the numbers begin."""
    stream = io.BytesIO(data)
    version = npy.read_magic(stream)
    read_header = {(1, 0): npy.read_array_header_1_0, (2, 0): npy.read_array_header_2_0}.get(version)
    if read_header is None:
        raise Unreadable(f"npy version 1.0 or 2.0 is read, got {version[0]}.{version[1]}")
    return *read_header(stream), stream.tell()


_usual_header = lru_cache(maxsize=64)(_header)


def pictures_of_npy(array: np.ndarray, flat: Flattening) -> np.ndarray:
    """The pictures of an npy file along the first axis, (n, height, width[, channels]); raises InvalidImage."""
    if count := flat.digits(array.shape):
        rows = array.reshape([axis for axis in array.shape if axis != 1])
        is_columns = rows.ndim == 2 and rows.shape[1] != prod(flat.side)
        return (rows.T if is_columns else rows).reshape(count, *flat.side)
    shape, axes = array.shape, array.ndim
    is_colour = axes in {3, 4} and shape[-1] in COLOUR_CHANNELS
    if axes == 2 or (axes == 3 and is_colour):
        return array[None]
    if axes == 3 or (axes == 4 and is_colour):
        return array
    if axes == 4 and shape[1] == 1:
        return array[:, 0]
    wanted = "(H,W), (H,W,C), (N,H,W), (N,H,W,C) or (N,1,H,W) with 1, 3 or 4 channels C"
    raise InvalidImage(f"the shape of an npy body is {wanted}, got {shown(shape)}", "/image")


# --- JSON -------------------------------------------------------------------------------------------------------------


def check_numbers_in(text: bytes, what: str, limits: Limits, instead: str = INSTEAD) -> None:
    """
    Refuse JSON of too many numbers, or of too many lists and objects, before they are made.

    Numbers are separated by commas, so a text without more commas has no more numbers either; the rest of the
    allowance is for options. Lists within each other need no comma.
    """
    commas, lists = text.count(b","), text.count(b"[") + text.count(b"{")
    check_count(commas, lists, what, limits, instead)
    work = commas * prices.JSON_NUMBER_IN + lists * prices.JSON_LIST_IN + len(text) * prices.BYTE_IN
    prices.charge("read", work, lists * prices.JSON_LIST_BYTES)


def check_count(commas: int, lists: int, what: str, limits: Limits, instead: str = INSTEAD) -> None:
    """Refuse text of JSON with so many commas, or lists and objects; raises TooLarge."""
    allowed = limits.max_json_numbers_in
    if commas > allowed + OTHER_COMMAS:
        raise TooLarge(f"{what} may have {allowed} numbers, got about {commas}; {instead}")
    if lists > allowed + OTHER_COMMAS:
        raise TooLarge(f"{what} may have {allowed} lists and objects, got about {lists}; {instead}")


def pictures_of_rows(rows: list[Any], flat: Flattening) -> list[list[Any]]:
    """
    The pictures of nested lists, each as rows: one, or as many as lie flattened in them.

    Axes of length 1 around a picture are taken off, as an npy file may have them.
    raises: InvalidImage

    >>> pictures_of_rows([[[0, 1], [1, 0]]], Flattening((28, 28), given=None, is_asked=True))
    [[[0, 1], [1, 0]]]
    """
    shape = _shape_of(rows)
    if flat.digits(shape):
        return [_folded(row, flat.side) for row in _flat_rows(rows, prod(flat.side))]
    while len(rows) == 1 and (len(shape) > 3 or (len(shape) == 3 and shape[-1] not in COLOUR_CHANNELS)):
        rows, shape = rows[0], shape[1:]
    if len(shape) > 3 or (len(shape) == 3 and shape[-1] not in COLOUR_CHANNELS):
        raise InvalidImage(
            f"a picture is H x W numbers, or H x W x 3 for colour, got shape {shown(tuple(shape))}; several are "
            '{"images": [...]}'
        )
    return [rows]


def _shape_of(rows: Any) -> list[int]:
    """The shape that nested lists seem to have, by the first of each."""
    shape: list[int] = []
    while isinstance(rows, list) and len(shape) < MOST_AXES:
        shape.append(len(rows))
        rows = rows[0] if rows else None
    return shape


def _flat_rows(rows: list[Any], size: int) -> list[list[Any]]:
    """Rows of `size` numbers, from lists of which `Flattening.digits` said so."""
    rows = _squeezed(rows)
    if not any(isinstance(row, list) for row in rows):
        rows = [rows]
    lengths = {len(row) if isinstance(row, list) else 0 for row in rows}
    if len(rows) == size and len(lengths) == 1 and size not in lengths:
        rows = [list(column) for column in zip(*rows, strict=True)]
        lengths = {len(row) for row in rows}
    if lengths != {size}:
        raise InvalidImage(f"every flattened picture has {size} numbers, got rows of {shown(sorted(lengths))}")
    return rows


def _squeezed(value: list[Any], axes: int = MOST_AXES) -> list[Any]:
    """Nested lists without those that hold a single list or number."""
    if axes and any(isinstance(each, list) for each in value):
        value = [_squeezed(each, axes - 1) if isinstance(each, list) else each for each in value]
        if all(isinstance(each, list) and len(each) == 1 for each in value):
            value = [each[0] for each in value]
    return value[0] if len(value) == 1 and isinstance(value[0], list) else value


def _folded(row: list[Any], side: tuple[int, int]) -> list[Any]:
    return [row[start : start + side[1]] for start in range(0, len(row), side[1])]
