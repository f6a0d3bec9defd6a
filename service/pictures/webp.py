"""WEBP: the size that its header gives."""

import struct

from service.pictures.header import Header, cut_short

# libwebp holds two canvases, as for an animation, and Pillow two more.
HELD = 16


def read(data: bytes) -> Header:
    """
    Read the header of a WEBP (RFC 9649).

    raises: Unreadable
    """
    kind = data[12:16]
    if data[8:12] != b"WEBP" or len(data) < 30:
        raise cut_short("WEBP")
    if kind == b"VP8X":
        width, height = (int.from_bytes(data[at : at + 3], "little") + 1 for at in (24, 27))
    elif kind == b"VP8L" and data[20] == 0x2F:
        bits = int.from_bytes(data[21:25], "little")
        width, height = (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
    elif kind == b"VP8 " and data[23:26] == b"\x9d\x01\x2a":
        width, height = (side & 0x3FFF for side in struct.unpack_from("<HH", data, 26))
    else:
        raise cut_short("WEBP")
    name = "WEBP lossless" if kind == b"VP8L" else "WEBP"
    return Header(kind=name, width=width, height=height, file=lambda: data, held=HELD)
