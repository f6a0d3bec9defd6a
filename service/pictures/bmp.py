"""
BMP, all of it: Pillow reads fewer kinds than browsers show.

Headers are those of OS/2 (12 bytes, and 16 to 64) and of Windows (40, 52, 56, 108, 124), pixels have 1, 2, 4, 8, 16, 24
or 32 bits, in rows that go up or down, as they are or as runs (RLE4, RLE8, RLE24); masks may be any.
"""

import struct
from dataclasses import dataclass

import numpy as np

from service.core.errors import Unreadable, UnsupportedType
from service.pictures.header import Header, cut_short

# Runs are unpacked in Python: 1.5 s per million commands that paint nothing.
RLE_BYTES_PER_PIXEL = 2
RLE_SPARE_BYTES = 65536  # headers, colours, and commands of a small picture

FILE_HEADER = 14
OS2, OS2_LONGEST, WINDOWS, WITH_ALPHA, V4 = 12, 64, 40, 56, 108
PLAIN, RLE8, RLE4, MASKS, JPEG, PNG, ALPHA_MASKS = range(7)
RLE24 = 4  # in a header of OS/2
RUNS = {RLE8: 8, RLE4: 4}
_GREY = np.arange(256, dtype=np.uint8)[:, None]
MASKS_OF = {16: (0x7C00, 0x3E0, 0x1F, 0), 24: (0xFF0000, 0xFF00, 0xFF, 0), 32: (0xFF0000, 0xFF00, 0xFF, 0)}


@dataclass(slots=True)
class Bmp:
    """
    A BMP whose header has been read.

    start: where its pixels begin   bits: of a pixel   runs: bits of an index of a run, 0 where there are no runs
    masks: of red, green, blue and opacity   palette: (n, 3) uint8
    """

    data: bytes
    width: int
    height: int
    start: int
    bits: int
    runs: int
    goes_down: bool
    masks: tuple[int, int, int, int]
    palette: np.ndarray

    @property
    def header(self) -> Header:
        """What it has in common with other formats."""
        return Header(
            kind="BMP",
            width=self.width,
            height=self.height,
            file=lambda: self.data,
            held=24 if self.runs else 1,
            dear="in runs" if self.runs else "",
            depth=self.bits,
        )

    def decode(self) -> "BmpRows":
        """Get its rows ready; raises Unreadable where there are fewer bytes than pixels."""
        if self.runs:
            return self._unpacked()
        stride = (self.width * self.bits + 31) // 32 * 4
        # The last row may lack what rounds it up.
        needed = stride * (self.height - 1) + (self.width * self.bits + 7) // 8
        have = len(self.data) - self.start
        if have < needed:
            raise Unreadable(
                f"the picture is damaged or cut short: this BMP's pixels have {needed} bytes, {have} are there"
            )
        content = np.frombuffer(self.data, np.uint8, min(have, stride * self.height), self.start)
        if content.size < stride * self.height:
            content = np.pad(content, (0, stride * self.height - content.size))
        rows = content.reshape(self.height, stride)
        return BmpRows(self, rows if self.goes_down else rows[::-1], None)

    def _unpacked(self) -> "BmpRows":
        """The indices, or colours, that runs paint, and where they paint none."""
        shape = (self.height, self.width, 3) if self.runs == 24 else (self.height, self.width)
        rows, painted = np.zeros(shape, np.uint8), np.zeros(shape[:2], bool)
        _paint(self.data, self.start, self.runs, rows, painted)
        return BmpRows(self, rows if self.goes_down else rows[::-1], painted if self.goes_down else painted[::-1])


def read(data: bytes) -> Bmp:
    """
    Read the header of a BMP.

    raises: Unreadable, UnsupportedType
    """
    try:
        return _read(data)
    except struct.error:
        raise cut_short("BMP") from None


def _read(data: bytes) -> Bmp:
    start, size = struct.unpack_from("<II", data, 10)
    if size == OS2:
        width, height, planes, bits = struct.unpack_from("<HHHH", data, 18)
        compression = colours = 0
    elif OS2 < size < WINDOWS or size in {WINDOWS, 42, 46, 48, 52, WITH_ALPHA, 60, OS2_LONGEST, V4, 124}:
        width, height, planes, bits = struct.unpack_from("<iiHH", data, 18)
        # A short header of OS/2 ends early; what it lacks is 0.
        rest = data[30 : FILE_HEADER + size].ljust(24, b"\0")
        compression, _, _, _, colours = struct.unpack_from("<IIIII", rest)
    else:
        raise UnsupportedType(f"a BMP with a header of {size} bytes is none of those that this service reads")
    goes_down, height = height < 0, abs(height)
    is_os2 = size < WINDOWS or size in {42, 46, 48, 60, OS2_LONGEST}
    runs = _runs(compression, bits, is_os2=is_os2)
    if width < 1 or not height or planes != 1 or (runs and goes_down):
        raise cut_short("BMP")
    if runs and len(data) > (allowed := width * height * RLE_BYTES_PER_PIXEL + RLE_SPARE_BYTES):
        raise Unreadable(f"a run-length encoded BMP of {width} x {height} may have {allowed} bytes, got {len(data)}")
    after = FILE_HEADER + size
    masks = MASKS_OF.get(bits, (0, 0, 0, 0))
    if not runs and compression in {MASKS, ALPHA_MASKS}:
        count = 4 if compression == ALPHA_MASKS or size >= WITH_ALPHA else 3
        masks = (*struct.unpack_from(f"<{count}I", data, FILE_HEADER + WINDOWS), 0)[:4]
        after = max(after, FILE_HEADER + WINDOWS + 4 * count)
    palette = _palette(data, after, start, bits, colours, size) if bits <= 8 else np.zeros((0, 3), np.uint8)
    return Bmp(data, width, height, start or after, bits, runs, goes_down, masks, palette)


def _runs(compression: int, bits: int, *, is_os2: bool) -> int:
    """Bits of an index of a run; 0 where the pixels are not packed. raises: UnsupportedType."""
    if compression in RUNS and RUNS[compression] == bits:
        return bits
    if is_os2 and compression == RLE24 and bits == 24:
        return 24
    is_plain = compression == PLAIN and bits in {1, 2, 4, 8, 16, 24, 32}
    if is_plain or (compression in {MASKS, ALPHA_MASKS} and bits in {16, 32} and not is_os2):
        return 0
    inside = {JPEG: " holds a JPEG", PNG: " holds a PNG"}.get(compression, "")
    raise UnsupportedType(
        f"this kind of BMP{inside} is not read (compression {compression}, {bits} bits a pixel): save it as PNG"
    )


def _palette(data: bytes, place: int, start: int, bits: int, colours: int, size: int) -> np.ndarray:
    """Colours as (n, 3) uint8, as many as there is room for, black where there are none."""
    entry = 3 if size == OS2 else 4
    count = min(colours or 1 << bits, 1 << bits)
    room = max(0, min(len(data), start or len(data)) - place) // entry
    count = min(count, room)
    palette = np.zeros((1 << bits, 3), np.uint8)
    read = np.frombuffer(data, np.uint8, count * entry, place) if count else np.zeros(0, np.uint8)
    palette[:count] = read.reshape(count, entry)[:, 2::-1]
    return palette


@dataclass(slots=True)
class BmpRows:
    """The rows of a BMP, upright: as bytes of the file, or unpacked."""

    bmp: Bmp
    rows: np.ndarray
    painted: np.ndarray | None

    def close(self) -> None:
        """Let go of what is held; here nothing is."""

    def band(self, top: int, bottom: int) -> np.ndarray:
        """
        Return some rows as pixels.

        returns: uint8 (bottom - top, width), or that with 3 channels, or with 4 where something is transparent
        """
        bmp, rows = self.bmp, self.rows[top:bottom]
        if self.painted is not None:
            pixels = rows if bmp.runs == 24 else _coloured(rows, bmp.palette)
            pixels = pixels.copy()
            pixels[~self.painted[top:bottom]] = 0  # what is not painted is black, as browsers show it
            return pixels
        if bmp.bits <= 8:
            return _coloured(_indices(rows, bmp.bits)[:, : bmp.width], bmp.palette)
        if bmp.bits == 24:
            return rows[:, : 3 * bmp.width].reshape(len(rows), bmp.width, 3)[:, :, ::-1]
        words = np.ascontiguousarray(rows[:, : bmp.width * bmp.bits // 8]).view(f"<u{bmp.bits // 8}")
        pixels = np.stack([_channel(words, mask) for mask in bmp.masks[:3]], axis=2)
        return _with_alpha(pixels, _channel(words, bmp.masks[3])) if bmp.masks[3] else pixels


def _indices(rows: np.ndarray, bits: int) -> np.ndarray:
    if bits == 8:
        return rows
    shifts = np.arange(8 - bits, -1, -bits, dtype=np.uint8)
    indices: np.ndarray = (rows[:, :, None] >> shifts & ((1 << bits) - 1)).reshape(len(rows), -1)
    return indices


def _coloured(indices: np.ndarray, palette: np.ndarray) -> np.ndarray:
    """Colours of indices; grey, (height, width), where the palette is the grey of black and white, or of 256 levels."""
    if len(palette) == 256 and (palette == _GREY).all():
        return indices
    colours = np.take(palette, indices, axis=0)  # four times faster than by an index
    return colours[:, :, 0] if len(palette) == 2 and (palette == _GREY[::255]).all() else colours


def _channel(words: np.ndarray, mask: int) -> np.ndarray:
    """What lies under a mask, brought to 0..255; of more than 8 bits the highest."""
    if not mask:
        return np.zeros(words.shape, np.uint8)
    shift = (mask & -mask).bit_length() - 1
    bits = mask.bit_length() - shift
    values = (words & words.dtype.type(mask & int(np.iinfo(words.dtype).max))) >> words.dtype.type(shift)
    if bits >= 8:
        high: np.ndarray = (values >> words.dtype.type(bits - 8)).astype(np.uint8)
        return high
    levels: np.ndarray = np.rint(np.arange(1 << bits) * (255 / ((1 << bits) - 1))).astype(np.uint8)
    channel: np.ndarray = levels[values]
    return channel


def _with_alpha(pixels: np.ndarray, alpha: np.ndarray) -> np.ndarray:
    return np.dstack([pixels, alpha] if pixels.ndim == 3 else [pixels] * 3 + [alpha])


def _paint(data: bytes, place: int, bits: int, rows: np.ndarray, painted: np.ndarray) -> None:
    """Do what the commands of runs say; what lies outside of the picture is left out."""
    height, width = painted.shape
    x = y = 0
    wide = bits // 8 or 1  # bytes of a colour
    while y < height and place + 1 < len(data):
        count, value = data[place], data[place + 1]
        place += 2
        if count:  # as many of one colour, or of two that take turns
            if bits == 24:
                colour = np.frombuffer(data[place - 1 : place + 2].ljust(3, b"\0")[::-1], np.uint8)
                place += 2
            else:
                colour = np.frombuffer(_run(value, count, bits), np.uint8)[: max(0, width - x)]
            end = min(x + count, width)
            rows[y, x:end], painted[y, x:end] = colour, True
            x = end
        elif value == 0:  # the next row
            x, y = 0, y + 1
        elif value == 1:
            return
        elif value == 2:  # a step
            if place + 1 >= len(data):
                return
            x, y = min(x + data[place], width), y + data[place + 1]
            place += 2
        else:  # as many as they are
            size = value * wide if bits >= 8 else (value + 1) // 2
            content = np.frombuffer(data[place : place + size], np.uint8)
            place += size + size % 2
            if bits == 24:
                colours = content[: content.size // 3 * 3].reshape(-1, 3)[:, ::-1]
            elif bits == 8:
                colours = content
            else:
                colours = np.stack([content >> 4, content & 15], axis=1).reshape(-1)[:value]
            end = min(x + len(colours), width)
            rows[y, x:end], painted[y, x:end] = colours[: end - x], True
            x = min(x + value, width)


def _run(value: int, count: int, bits: int) -> bytes:
    if bits == 8:
        return bytes([value]) * count
    return (bytes([value >> 4, value & 15]) * (count // 2 + 1))[:count]
