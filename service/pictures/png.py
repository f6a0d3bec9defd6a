"""PNG: its header, and the chunks that its pixels need; all others are left out unread, whatever is in them."""

import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np

from service.core.errors import Unreadable
from service.pictures.header import Header, PartFile, count, cut_short, orientation

SIGNATURE = b"\x89PNG\r\n\x1a\n"
END = b"\0\0\0\0IEND\xaeB`\x82"
GREY, RGB, PALETTE = 0, 2, 3  # types of colour
CHANNELS = {GREY: 1, RGB: 3, PALETTE: 1, 4: 2, 6: 4}
MENDED_BYTES = 2**24  # of pixels
_HEADER = struct.Struct(">8s 4s4s II BBBBB I")


def read(data: bytes) -> Header:
    """
    Read a PNG up to its end; of an animated one, the picture that is shown where it is not animated.

    raises: Unreadable
    """
    if len(data) < _HEADER.size or data[8:16] != b"\0\0\0\rIHDR":
        raise cut_short("PNG")
    _, _, _, width, height, depth, colour, *ways, checksum = _HEADER.unpack_from(data)
    if zlib.crc32(data[12:29]) != checksum:
        raise Unreadable("the picture is damaged: the checksum of its header, a PNG's, is wrong")
    if colour not in CHANNELS:
        raise Unreadable(f"the picture is damaged: this PNG has colours of type {colour}, there are {sorted(CHANNELS)}")
    found = _KeptChunks()
    for kind, place, end in _chunks(data):
        found.parts += 1
        _take(found, data, kind, place, end)
    if not found.pixels:
        raise Unreadable("the picture is damaged or cut short: this PNG ends before its pixels")
    clear: tuple[int, ...] = ()
    kept: list[bytes] = []
    if colour == PALETTE:
        if not found.palette:
            raise Unreadable("the picture is damaged: this PNG has no palette, which its pixels are places in")
        kept = [found.palette, _fitting(found.transparency, found.palette)]
    else:
        clear = _clear(found.transparency[8:-4], colour, depth)
    is_plain = depth == 8 and not clear and not any(ways)
    # A whole picture in colour may be too much to hold.
    has_parts = depth >= 8 and not any(ways) and colour not in {GREY, PALETTE} and not (clear and depth == 16)
    return Header(
        kind="PNG",
        width=width,
        height=height,
        file=lambda: b"".join([data[: _HEADER.size], *kept, *(data[a:b] for a, b in found.pixels), END]),
        held=_held(colour, depth) * (2 if clear and colour == RGB and depth == 16 else 1),
        turn=orientation(found.exif) if found.exif else 1,
        depth=depth,
        clear=clear,
        dear="clear" if clear else "wide" if colour in CHANNELS and CHANNELS[colour] * depth > WIDE_BITS else "",
        colour=colour,
        parts=found.parts,
        stream=(lambda: b"".join([data[a + 8 : b - 4] for a, b in found.pixels])) if is_plain else None,
        part=_FilteredRows(data, found.pixels, width, depth, colour).part if has_parts else None,
    )


@dataclass(slots=True)
class _KeptChunks:
    """Chunks of a PNG that its pixels need; pixels: where they lie; exif: the content of one."""

    pixels: list[tuple[int, int]] = field(default_factory=list)
    palette: bytes = b""
    transparency: bytes = b""
    exif: bytes = b""
    parts: int = 0


def _chunks(data: bytes) -> Iterator[tuple[bytes, int, int]]:
    """Kind, begin and end of every chunk after the header, up to the end of the picture."""
    place, parts = _HEADER.size, 1
    while place + 8 <= len(data) and (kind := data[place + 4 : place + 8]) != b"IEND":
        parts = count(parts, "PNG")
        end = place + 12 + int.from_bytes(data[place : place + 4])
        yield kind, place, end
        place = end


def _take(found: _KeptChunks, data: bytes, kind: bytes, place: int, end: int) -> None:
    if kind == b"IDAT":
        found.pixels.append((place, end))
    elif kind == b"PLTE":
        found.palette = data[place:end]
    elif kind == b"tRNS" and not found.pixels and _is_sound(data, place, end):
        found.transparency = data[place:end]
    elif kind == b"eXIf" and _is_sound(data, place, end):
        found.exif = data[place + 8 : end - 4]


def _is_sound(data: bytes, place: int, end: int) -> bool:
    return zlib.crc32(data[place + 4 : end - 4]).to_bytes(4) == data[end - 4 : end]


def _fitting(transparency: bytes, palette: bytes) -> bytes:
    """The tRNS chunk of a picture with a palette, if it has no more entries than that."""
    return transparency if 0 < len(transparency) - 12 <= (len(palette) - 12) // 3 else b""


def _clear(content: bytes, colour: int, depth: int) -> tuple[int, ...]:
    if colour not in {GREY, RGB} or len(content) != 2 * CHANNELS[colour]:
        return ()
    mask = (1 << depth) - 1
    return tuple(sample & mask for (sample,) in struct.iter_unpack(">H", content))


def _held(colour: int, depth: int) -> int:
    # Pillow keeps colour, and grey with transparency, in four bytes a pixel.
    if colour not in {GREY, PALETTE}:
        return 4
    return 2 if depth == 16 else 1


WIDE_BITS = 24  # of a pixel, beyond which unpacking and filters cost more
PIECE_BYTES = 2**16  # of the packed pixels, unpacked at a time


class _FilteredRows:
    """
    A coloured PNG of 8 or 16 bits, its rows one after another, as files of some rows each.

    Rows are unpacked and stay filtered: a file of some of them, not packed, has the row above them first. Filters work
    on each byte of a pixel for itself, so that the higher bytes of 16 bits are a picture of 8, as it is shown.
    """

    def __init__(self, data: bytes, chunks: list[tuple[int, int]], width: int, depth: int, colour: int) -> None:
        self._width, self._colour, self._depth = width, colour, depth
        self._row = 1 + width * CHANNELS[colour] * depth // 8
        self._packed = (
            data[at : min(at + PIECE_BYTES, end - 4)]
            for begin, end in chunks
            for at in range(begin + 8, end - 4, PIECE_BYTES)
        )
        self._unpacker = zlib.decompressobj()

    def part(self, top: int, bottom: int, above: bytes) -> PartFile:
        """Rows from top to bottom; above: the row above them as it was decoded, of 8 bits."""
        raw = self._unpacked((bottom - top) * self._row)
        if self._depth == 16:
            rows = np.frombuffer(raw, np.uint8).reshape(-1, self._row)
            raw = np.concatenate([rows[:, :1], rows[:, 1::2]], axis=1).tobytes()
        skip = min(top, 1)
        packed = zlib.compress(bytes(skip) + above * skip + raw, 0)
        head = struct.pack(">4sIIBBBBB", b"IHDR", self._width, bottom - top + skip, 8, self._colour, 0, 0, 0)
        pixels = struct.pack(">I", len(packed)) + b"IDAT" + packed + bytes(4)
        return PartFile(
            b"".join([SIGNATURE, struct.pack(">I", 13), head, zlib.crc32(head).to_bytes(4), pixels, END]), skip
        )

    def _unpacked(self, size: int) -> bytes:
        found, left = [], size
        try:
            while left:
                packed = self._unpacker.unconsumed_tail or next(self._packed, b"")
                # What comes after the end is kept by zlib, and copied for each piece.
                if self._unpacker.eof or not packed:
                    raise Unreadable("the picture is damaged or cut short: this PNG ends before its last rows")
                found.append(self._unpacker.decompress(packed, left))
                left -= len(found[-1])
        except zlib.error as error:
            raise Unreadable(f"the picture is damaged or cut short: {error}") from None
        return b"".join(found)


def mended(file: bytes, header: Header) -> bytes:
    """
    Pack the pixels anew where only their checksum is wrong, or their window; what is missing stays so.

    file: as `read` left it   raises: Unreadable where nothing can be unpacked
    """
    *_, interlace, _ = _HEADER.unpack_from(file)
    chunks = [(kind, file[begin:end]) for kind, begin, end in _chunks(file)]
    stream = b"".join(chunk[8:-4] for kind, chunk in chunks if kind == b"IDAT")
    bits = header.depth * CHANNELS.get(header.colour, 4)
    passes = 7 if interlace else 1  # each has its own rows, of whole bytes
    most = (header.width * bits // 8 + 1 + 1) * header.height + passes * (header.width + header.height) * 2
    if most > MENDED_BYTES:
        raise Unreadable("the picture is damaged, and too large to be mended")
    try:
        raw = zlib.decompressobj(-15).decompress(stream[2:], most)
    except zlib.error as error:
        raise Unreadable(f"the picture is damaged or cut short: {error}") from None
    packed = zlib.compress(raw, 0)
    kept = [chunk for kind, chunk in chunks if kind != b"IDAT"]
    pixels = struct.pack(">I", len(packed)) + b"IDAT" + packed + bytes(4)
    return b"".join([file[: _HEADER.size], *kept, pixels, END])
