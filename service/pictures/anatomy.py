"""
What a picture file is made of, looked at before a decoder sees it: bytes in, a refusal or nothing out.

A decoder's cost is bounded by the number of pixels only for honest files. A JPEG that comes in several scans is held
whole, as coefficients, and gone over once a scan; a file of millions of empty segments, chunks or blocks makes Pillow
keep a list of millions.
"""

import re
from collections.abc import Iterator

from service.core.errors import TooLarge, Unreadable

# Segments of a JPEG, chunks of a PNG, blocks of a GIF. A PNG of 32 MB in libpng's chunks of 8 KB has 4,096.
MAX_PARTS = 10_000
# libjpeg writes a progressive JPEG in 10. A hundred bytes can be a scan of every block of the picture, 40 ms for the
# largest.
MAX_SCANS = 32
# Pillow goes over what lies between the segments of a JPEG, or the blocks of a GIF, a byte at a time in Python: 8 s for
# 30 MB.
MAX_FILL_BYTES = 4096
# Pillow unpacks a run-length encoded BMP in Python: 1.5 s per million commands that paint nothing.
RLE_BYTES_PER_PIXEL = 2
RLE_SPARE_BYTES = 65536  # headers, colours, and commands of a small picture
# Samples of a JPEG in several scans, two bytes each, for every pixel that a picture may have: a photograph of
# four times the pixels with its colour at half resolution.
BUFFERED_SAMPLES_PER_PIXEL = 6

# Fill bytes may stand before a marker; its own 0xFF is the last of them. To match them all would take the square of
# their number where no marker follows.
_NEXT_MARKER = re.compile(rb"\xff[^\x00\xd0-\xd7\xff]", re.DOTALL)
# What begins no block of a GIF; Pillow passes over it.
_NO_BLOCK = re.compile(rb"[^!,;]*", re.DOTALL)
_FRAMES = frozenset({*range(0xC0, 0xD0)} - {0xC4, 0xC8, 0xCC})  # what begins a frame; of these, those in one scan:
_SEQUENTIAL = frozenset({0xC0, 0xC1})
_SCAN, _END = 0xDA, 0xD9
_ALONE = frozenset({0x01, *range(0xD0, 0xD9)})  # markers without a length


def check(data: bytes, max_pixels: int) -> int:
    r"""
    Refuse a file that would cost more than its pixels.

    data: the bytes of a picture file of any kind; one that is damaged passes, its decoder will say how
    max_pixels: what a picture that is decoded in full may have, width x height
    returns: how often its decoder goes over all pixels beside once: the scans of a JPEG that is held whole, else 0
    raises: TooLarge, Unreadable

    >>> check(b"GIF89a" + bytes(7) + b"!\xfe" + b"\1 " * 20_000, 100)
    Traceback (most recent call last):
        ...
    service.core.errors.Unreadable: a picture file may have 10000 parts, this GIF has more
    """
    if data.startswith(b"\xff\xd8"):
        return _check_jpeg(data, max_pixels * BUFFERED_SAMPLES_PER_PIXEL)
    if data.startswith(b"\x89PNG"):
        _check_png(data)
    elif data.startswith(b"GIF8"):
        _check_gif(data)
    elif data.startswith(b"BM"):
        _check_bmp(data)
    return 0


def is_run_length_encoded(data: bytes) -> bool:
    """Whether a BMP is one that Pillow unpacks in Python."""
    return data[30:34] in {b"\1\0\0\0", b"\2\0\0\0"}


def _count(parts: int, kind: str) -> int:
    if parts >= MAX_PARTS:
        raise Unreadable(f"a picture file may have {MAX_PARTS} parts, this {kind} has more")
    return parts + 1


def _count_fill(fill: int, kind: str) -> int:
    if fill > MAX_FILL_BYTES:
        raise Unreadable(f"a {kind} may have {MAX_FILL_BYTES} bytes between its parts, this has more")
    return fill


def _check_jpeg(data: bytes, max_samples: int) -> int:
    scans, samples, components = 0, 0, 0
    is_sequential = True
    for marker, segment in _segments(data):
        if marker in _FRAMES and not components:
            is_sequential = marker in _SEQUENTIAL
            components, samples = _frame(segment)
        elif marker == _SCAN:
            scans += 1
            is_buffered = scans > 1 or not is_sequential or segment[:1] != bytes([components & 255])
            if is_buffered and samples > max_samples:
                raise TooLarge(
                    f"a JPEG in several scans (a progressive one) may have {max_samples} samples, as it is held whole, "
                    f"this has {samples}; save it as a baseline JPEG, or smaller"
                )
            if not is_buffered:
                return 0  # all of the picture is in this scan, and libjpeg refuses a file in which another follows it
            if scans > MAX_SCANS:
                raise Unreadable(f"a JPEG may have {MAX_SCANS} scans, this has more")
    return scans


def _segments(data: bytes) -> Iterator[tuple[int, bytes]]:
    """The marker and content of every segment of a JPEG that has any (ITU-T T.81, annex B), up to its end."""
    place, parts, fill, in_scans = 2, 0, 0, False
    while True:
        found = _NEXT_MARKER.search(data, place)
        if not in_scans:  # there a scan's own bytes lie between
            fill = _count_fill(fill + (found.start() if found else len(data)) - place, "JPEG")
        if not found:
            return
        marker, place = data[found.end() - 1], found.end()
        parts = _count(parts, "JPEG")
        if marker == _END:
            return
        if marker not in _ALONE:
            length = int.from_bytes(data[place : place + 2])  # it counts itself
            yield marker, data[place + 2 : place + length]
            place += max(length, 2)
            in_scans = in_scans or marker == _SCAN


def _frame(segment: bytes) -> tuple[int, int]:
    """The number of components of a frame, and of samples in all of them."""
    height, width = int.from_bytes(segment[1:3]), int.from_bytes(segment[3:5])
    factors = [(byte >> 4, byte & 15) for byte in segment[7::3]]
    across, down = max((x for x, _ in factors), default=1) or 1, max((y for _, y in factors), default=1) or 1
    return len(factors), sum(-(-width * x // across) * -(-height * y // down) for x, y in factors)


def _check_png(data: bytes) -> None:
    place, parts = 8, 0
    while place < len(data) and data[place + 4 : place + 8] != b"IEND":  # what follows it is not read
        parts = _count(parts, "PNG")
        place += 12 + int.from_bytes(data[place : place + 4])


def _check_gif(data: bytes) -> None:
    # Up to the first picture: what follows it is not read. Then come pieces of up to 255 bytes, each with its length.
    place, parts = 13, 0
    if data[10:11] and data[10] & 128:
        place += 3 << ((data[10] & 7) + 1)
    fill = 0
    while True:
        begins = place
        place = _NO_BLOCK.match(data, place).end()  # type: ignore[union-attr]  # it matches nothing too
        fill = _count_fill(fill + place - begins, "GIF")
        if data[place : place + 1] != b"!":
            return
        place += 2
        while data[place : place + 1] not in {b"", b"\0"}:
            parts = _count(parts, "GIF")
            place += 1 + data[place]
        parts = _count(parts, "GIF")
        place += 1


def _check_bmp(data: bytes) -> None:
    # BITMAPINFOHEADER: sides at 18 and 22, the kind of compression at 30; 1 and 2 are run lengths.
    width, height = (abs(int.from_bytes(data[at : at + 4], "little", signed=True)) for at in (18, 22))
    allowed = width * height * RLE_BYTES_PER_PIXEL + RLE_SPARE_BYTES
    if is_run_length_encoded(data) and len(data) > allowed:
        raise Unreadable(f"a run-length encoded BMP of {width} x {height} may have {allowed} bytes, got {len(data)}")
