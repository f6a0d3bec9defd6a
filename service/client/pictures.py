"""Pictures in any form, as the bodies of requests."""

import io
import os
import secrets
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import numpy as np

# A last axis of so many is colour, as in the contract.
CHANNELS = {1, 3, 4}
# Modes of Pillow that PNG has.
PNG_MODES = {"1", "L", "LA", "P", "RGB", "RGBA", "I;16"}


@runtime_checkable
class Drawn(Protocol):
    """A picture of Pillow, which need not be installed."""

    mode: str

    def save(self, fp: Any, format: str) -> Any:  # noqa: A002  # Pillow's names
        """Write it."""

    def convert(self, mode: str) -> Any:
        """Turn it into another mode."""


# A path, the bytes of a picture file, an array, or a picture of Pillow.
Picture = str | os.PathLike[str] | bytes | bytearray | memoryview | np.ndarray | Drawn
Pictures = Picture | Iterable[Picture]
# A picture on its way: the bytes of a file, or an array of (height, width) or (height, width, channels).
Part = bytes | np.ndarray


def parts(pictures: Pictures) -> tuple[Iterator[Part], int | None]:
    """
    Hand out pictures one by one, files being read in their turn; and how many there are, where that is known.

    raises: TypeError for what is no picture, ValueError for an array of another shape, OSError

    >>> found, count = parts(np.zeros((5, 28, 28), np.uint8))
    >>> count, next(found).shape
    (5, (28, 28))
    """
    if hasattr(pictures, "__array__") and not isinstance(pictures, Drawn):
        each = _arrays(np.asarray(pictures))
        return iter(each), len(each)
    if isinstance(pictures, str | os.PathLike | bytes | bytearray | memoryview | Drawn):
        return iter([_part(pictures)]), 1
    if not isinstance(pictures, Iterable):
        raise _wrong(pictures)
    count = len(pictures) if isinstance(pictures, Sequence) else None
    return map(_part, pictures), count


def _part(picture: Picture) -> Part:
    if isinstance(picture, str | os.PathLike):
        return Path(picture).read_bytes()
    if isinstance(picture, bytes | bytearray | memoryview):
        return bytes(picture)
    if isinstance(picture, Drawn):
        file = io.BytesIO()
        (picture if picture.mode in PNG_MODES else picture.convert("RGB")).save(file, "PNG")
        return file.getvalue()
    if not hasattr(picture, "__array__"):
        raise _wrong(picture)
    arrays = _arrays(np.asarray(picture))
    if len(arrays) != 1:
        raise ValueError(f"a list has one picture in each place, got an array of {len(arrays)}")
    return arrays[0]


def _wrong(picture: object) -> TypeError:
    wanted = "a path, the bytes of a file, an array or a Pillow picture, or an iterable of those"
    return TypeError(f"a picture is {wanted}, got {type(picture).__name__}")


def _arrays(array: np.ndarray) -> list[np.ndarray]:
    """Split an array into pictures by the rules of the contract."""
    if array.dtype.kind not in "buif":
        raise TypeError(f"a picture's numbers are bool, integers or floats, got {array.dtype}")
    if array.dtype.itemsize > 4 and array.dtype.kind == "f":
        array = array.astype(np.float32)  # what the service computes with
    is_colour = array.ndim in {3, 4} and array.shape[-1] in CHANNELS
    if array.ndim == 2 or (array.ndim == 3 and is_colour):
        return [array]
    if array.ndim == 3 or (array.ndim == 4 and is_colour):
        return list(array)
    if array.ndim == 4 and array.shape[1] == 1:
        return list(array[:, 0])
    raise ValueError(f"pictures are (H,W), (H,W,C), (N,H,W), (N,H,W,C) or (N,1,H,W), got {array.shape}")


def size(part: Part) -> int:
    """About how many bytes a picture takes in a body."""
    return (len(part) if isinstance(part, bytes) else part.nbytes) + 512


def body(batch: Sequence[Part], fields: Mapping[str, str]) -> tuple[bytes, str]:
    """
    Write pictures, and fields of a form where there are some, as one body; and its media type.

    Arrays of one shape are one npy, a file alone is its bytes, anything else is multipart.
    """
    if not fields:
        if len(batch) == 1 and isinstance(batch[0], bytes):
            return batch[0], "application/octet-stream"
        arrays = [part for part in batch if isinstance(part, np.ndarray)]
        if len(arrays) == len(batch) and _are_alike(arrays):
            return _npy(np.stack(arrays)), "application/x-npy"
    boundary = secrets.token_hex(16)
    chunks = [_head(boundary, name, "") + value.encode() for name, value in fields.items()]
    for index, part in enumerate(batch):
        content = part if isinstance(part, bytes) else _npy(part)
        chunks.append(_head(boundary, "image", f'; filename="{index}"') + content)
    return b"".join([*chunks, f"\r\n--{boundary}--\r\n".encode()]), f"multipart/form-data; boundary={boundary}"


def _are_alike(arrays: Sequence[np.ndarray]) -> bool:
    first = arrays[0]
    # Beside each other, narrow grey pictures would look like the rows of a coloured one.
    is_clear = first.ndim == 3 or first.shape[1] not in CHANNELS
    return is_clear and all(each.shape == first.shape and each.dtype == first.dtype for each in arrays)


def _npy(array: np.ndarray) -> bytes:
    file = io.BytesIO()
    np.save(file, array, allow_pickle=False)
    return file.getvalue()


def _head(boundary: str, name: str, more: str) -> bytes:
    return f'\r\n--{boundary}\r\nContent-Disposition: form-data; name="{name}"{more}\r\n\r\n'.encode()
