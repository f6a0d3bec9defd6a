"""
IDX, the format MNIST comes in.

A header (two zero bytes, one byte for the type of the numbers, one for how many axes follow, the axes as big-endian
32-bit integers) and then the numbers themselves.
"""

import gzip
import math
import struct
import zlib
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

UNSIGNED_BYTES = 0x08
# The file that holds the pictures of each part of MNIST a report may be of.
PARTS = {"test": "t10k-images-idx3-ubyte"}


def read_parts(folder: Path) -> dict[str, NDArray[np.uint8]]:
    """The pictures of each part of MNIST, from its folder; raises as `read_images`, and ValueError for no such file."""
    found = {}
    for part, name in PARTS.items():
        paths = [path for path in (folder / name, folder / f"{name}.gz") if path.is_file()]
        if not paths:
            raise ValueError(f"{folder} should hold {name}.gz")
        found[part] = read_images(paths[0])
    return found


def read_images(path: Path) -> NDArray[np.uint8]:
    """
    Read a file of pictures, gzipped or plain: (count, height, width), 0 = paper, 255 = ink.

    raises: OSError when it cannot be read, ValueError when it is not such a file
    """
    images = read_idx(path)
    if images.ndim != 3:
        raise ValueError(f"{path} should hold pictures, which take 3 axes, got {images.ndim}")
    return images


def read_idx(path: Path) -> NDArray[np.uint8]:
    """
    Read a file of unsigned bytes, gzipped or plain, of any number of axes.

    raises: OSError when it cannot be read, ValueError when it is not such a file
    """
    return parse_idx(_unpacked(path), str(path))


def parse_idx(content: bytes, source: str) -> NDArray[np.uint8]:
    """
    Turn the bytes of an IDX file into an array; `source` is named in errors.

    raises: ValueError that says what was wanted and what came

    >>> parse_idx(bytes([0, 0, 8, 1, 0, 0, 0, 3, 7, 8, 9]), "three labels")
    array([7, 8, 9], dtype=uint8)
    """
    if len(content) < 4 or content[:2] != b"\0\0":
        raise ValueError(f"{source} is not an IDX file: it should begin with two zero bytes, got {content[:4]!r}")
    kind, axis_count = content[2], content[3]
    if kind != UNSIGNED_BYTES:
        raise ValueError(f"{source} should hold unsigned bytes (type 0x08), got type {kind:#04x}")
    header_bytes = 4 + 4 * axis_count
    if len(content) < header_bytes:
        raise ValueError(f"{source} is truncated: its header alone takes {header_bytes} bytes, got {len(content)}")
    shape = struct.unpack(f">{axis_count}I", content[4:header_bytes])
    wanted = header_bytes + math.prod(shape)
    if len(content) != wanted:
        problem = "truncated" if len(content) < wanted else "too long"
        raise ValueError(f"{source} is {problem}: shape {shape} takes {wanted} bytes, got {len(content)}")
    return np.frombuffer(content, np.uint8, offset=header_bytes).reshape(shape)


def _unpacked(path: Path) -> bytes:
    content = path.read_bytes()
    if not content.startswith(b"\x1f\x8b"):
        return content
    try:
        return gzip.decompress(content)
    except EOFError as error:
        raise ValueError(f"{path} is truncated: the gzip stream ends too early") from error
    except (gzip.BadGzipFile, zlib.error) as error:
        raise ValueError(f"{path} is corrupt: {error}") from error
