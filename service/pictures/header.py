"""What the header of a picture file says, and the limits that the readers of all formats share."""

import struct
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, NamedTuple

from service.core.errors import Unreadable

# Segments of a JPEG, chunks of a PNG, blocks of a GIF, strips of a TIFF, boxes of an AVIF. A PNG of 32 MB in libpng's
# chunks of 8 KB has 4,096.
MAX_PARTS = 10_000
# Between the segments of a JPEG, or the blocks of a GIF, there is nothing to see; some writers leave a few zeros there.
MAX_FILL_BYTES = 4096

ORIENTATION_TAG = 0x0112
SHORT = 3  # of EXIF's and TIFF's types of values: 16 bits
# Entries of a directory of EXIF or a TIFF that are looked at. They are sorted by tag, and those wanted come early.
MAX_ENTRIES = 512


@dataclass(slots=True, kw_only=True)  # frozen, it takes a microsecond more to make
class Header:
    """
    What is known of a picture file before its pixels are decoded.

    kind: its format, "WEBP lossless" being one of them   width, height: in pixels, as they are stored
    file: makes the bytes that its decoder is given: of some formats only the parts that the pixels need
    held: bytes that its decoder holds for each pixel
    turn: how it is turned upright, EXIF's orientation, 1 to 8
    scans: how often its decoder goes over all pixels beside once
    is_buffered: its decoder holds all of it, as coefficients, until it has seen all scans
    dear: what makes it dearer than others: unpacked in Python ("in runs"), decoded "twice", "clear" or "wide"
    depth: bits of a sample of a PNG, TIFF or BMP
    clear: the samples of the colour of a PNG that is transparent, if one is
    stream: makes the packed pixels of a PNG of 8 bits whose rows follow each other   colour: its type of colour
    is_inverted: white is 0, which its decoder does not heed
    parts: segments, chunks, blocks or boxes that were counted on the way to its pixels
    unpacked: pixels that its decoder unpacks, where they are more: of tiles that reach beyond the picture
    frame: (left, top, right, bottom) of the part of the picture that the file has, None for all of it
    part: makes the file of some of its rows; None where all are unpacked at once
    part_rows: each part but the last has a multiple of so many rows
    """

    kind: str
    width: int
    height: int
    file: Callable[[], bytes]
    held: int
    turn: int = 1
    scans: int = 0
    is_buffered: bool = False
    dear: Literal["", "in runs", "twice", "clear", "wide"] = ""
    depth: int = 8
    clear: tuple[int, ...] = ()
    stream: Callable[[], bytes] | None = None
    colour: int = 0
    is_inverted: bool = False
    parts: int = 0
    unpacked: int = 0
    frame: tuple[int, int, int, int] | None = None
    part: "Callable[[int, int, bytes], PartFile] | None" = None
    part_rows: int = 1


class PartFile(NamedTuple):
    """
    The file of some rows of a picture, asked for from its top to its end: (top, bottom, the bytes of the row above).

    skip: how many rows it has before those that were asked for
    """

    file: bytes
    skip: int


def count(parts: int, kind: str) -> int:
    """Count one part more; raises Unreadable where a file has too many."""
    if parts >= MAX_PARTS:
        raise Unreadable(f"a picture file may have {MAX_PARTS} parts, this {kind} has more")
    return parts + 1


def count_fill(fill: int, kind: str) -> int:
    """Raise Unreadable where there are too many bytes between a file's parts."""
    if fill > MAX_FILL_BYTES:
        raise Unreadable(f"a {kind} may have {MAX_FILL_BYTES} bytes between its parts, this has more")
    return fill


def cut_short(kind: str) -> Unreadable:
    """Return the refusal of a file whose header cannot be read."""
    return Unreadable(f"the picture is damaged or cut short: its header, a {kind}'s, cannot be read")


def orientation(exif: bytes) -> int:
    r"""
    Find how a picture is turned upright, 1 to 8, in its EXIF data; 1 where nothing there can be read.

    >>> orientation(b"II*\0\x08\0\0\0\1\0\x12\1\3\0\1\0\0\0\6\0\0\0"), orientation(b"garbage")
    (6, 1)
    """
    if exif.startswith(b"Exif\0"):
        exif = exif[6:]  # the byte that fills it up may be any
    order = {b"II*\0": "<", b"MM\0*": ">"}.get(exif[:4])
    if order is None:
        return 1
    try:
        (place,) = struct.unpack_from(order + "I", exif, 4)
        (entries,) = struct.unpack_from(order + "H", exif, place)
        for at in range(place + 2, place + 2 + 12 * min(entries, MAX_ENTRIES), 12):
            tag, kind, values, value = struct.unpack_from(order + "HHIH", exif, at)
            if tag == ORIENTATION_TAG:
                return value if kind == SHORT and values == 1 and 1 <= value <= 8 else 1
    except struct.error:
        pass
    return 1
