"""GIF: its header up to its first picture; what follows is not read."""

import re
import struct

from service.pictures.header import Header, count, count_fill, cut_short

# What begins no block of a GIF; Pillow passes over it, a byte at a time in Python: 8 s for 30 MB.
_NO_BLOCK = re.compile(rb"[^!,;]*", re.DOTALL)
_IMAGE, _EXTENSION, _CONTROL = b",", b"!", 0xF9


def read(data: bytes) -> Header:
    """
    Read a GIF up to its first picture, which may be smaller than the canvas it is shown on.

    raises: Unreadable
    """
    place, parts, fill = 13, 0, 0
    if data[10:11] and data[10] & 128:
        place += 3 << ((data[10] & 7) + 1)
    kept, control = data[:place], b""
    while True:
        begin = place
        place = _NO_BLOCK.match(data, place).end()  # type: ignore[union-attr]  # it matches nothing too
        fill = count_fill(fill + place - begin, "GIF")
        begin = place
        if data[place : place + 1] != _EXTENSION:
            break
        # Pieces of up to 255 bytes, each with its length.
        place += 2
        while data[place : place + 1] not in {b"", b"\0"}:
            parts = count(parts, "GIF")
            place += 1 + data[place]
        parts = count(parts, "GIF")
        place += 1
        if data[begin + 1 : begin + 3] == bytes([_CONTROL, 4]):
            control = data[begin : begin + 7] + b"\0"
    if data[place : place + 1] != _IMAGE or len(data) < place + 10:
        raise cut_short("GIF")
    width, height = struct.unpack_from("<HH", data, 6)
    left, top, across, down = struct.unpack_from("<HHHH", data, place + 1)
    right, bottom = left + across, top + down
    # As browsers do, the canvas grows with a first picture that reaches beyond it.
    width, height = max(width, right), max(height, bottom)
    frame = (left, top, right, bottom)
    return Header(
        kind="GIF",
        width=width,
        height=height,
        file=lambda: kept + control + data[place:],
        held=1,
        parts=parts,
        frame=None if frame == (0, 0, width, height) else frame,
    )
