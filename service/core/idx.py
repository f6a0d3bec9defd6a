"""IDX, the format MNIST comes in: a header that gives the shape, and then the pixels."""

import gzip
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
    data = path.read_bytes()
    if data.startswith(b"\x1f\x8b"):
        try:
            data = gzip.decompress(data)
        except (EOFError, zlib.error) as error:
            raise ValueError(f"{path} is damaged: {error}") from None
    if len(data) < 16 or data[:4] != bytes([0, 0, UNSIGNED_BYTES, 3]):
        raise ValueError(f"{path} is no IDX file of pictures")
    shape = struct.unpack(">3I", data[4:16])
    if len(data) != 16 + shape[0] * shape[1] * shape[2]:
        raise ValueError(f"{path} should have {shape[0]} pictures of {shape[1]} x {shape[2]} and is of another length")
    return np.frombuffer(data, np.uint8, offset=16).reshape(shape)
