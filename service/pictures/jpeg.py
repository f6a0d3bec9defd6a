"""JPEG: its header, what makes its decoding dear, and the segments that its pixels need."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from service.core.errors import TooLarge, Unreadable, UnsupportedType
from service.pictures.header import Header, count, count_fill, cut_short, orientation

# libjpeg writes a progressive JPEG in 10. A hundred bytes can be a scan of every block of the picture, 40 ms for the
# largest.
MAX_SCANS = 32
# Samples of a JPEG in several scans, two bytes each, for every pixel that a picture may have: a photograph of
# four times the pixels with its colour at half resolution.
BUFFERED_SAMPLES_PER_PIXEL = 6

# Fill bytes may stand before a marker; its own 0xFF is the last of them. To match them all would take the square of
# their number where no marker follows.
_NEXT_MARKER = re.compile(rb"\xff[^\x00\xd0-\xd7\xff]", re.DOTALL)
_FRAMES = frozenset({*range(0xC0, 0xD0)} - {0xC4, 0xC8, 0xCC})  # what begins a frame; of these, those in one scan:
_SEQUENTIAL = frozenset({0xC0, 0xC1})
_SCAN, _END = 0xDA, 0xD9
_ALONE = frozenset({0x01, *range(0xD0, 0xD9)})  # markers without a length
_START, END = b"\xff\xd8", b"\xff\xd9"
# Segments that say nothing of the pixels: those of applications, and comments. Of two libjpeg takes the colours from,
# if they are whole.
_ASIDE = frozenset({*range(0xE0, 0xF0), 0xFE})
_OF_COLOUR = {0xE0: (b"JFIF\0", 14), 0xEE: (b"Adobe", 12)}
_EXIF = 0xE1


def read(data: bytes, max_samples: int) -> Header:
    """
    Read a JPEG up to its pixels, and count its scans.

    max_samples: of one in several scans, which is held whole
    raises: TooLarge, Unreadable, UnsupportedType
    """
    found = _Found()
    for marker, place, segment in _segments(data):
        found.parts += 1
        if marker == _SCAN and found.frame:
            _count_scan(found, place, segment, max_samples)
            if not found.is_held:
                break  # all of the picture is in this scan, and libjpeg refuses a file in which another follows it
        elif not found.begin:
            _take(found, marker, segment)
    frame = found.frame
    if len(frame) < 6 or not found.begin:
        raise cut_short("JPEG")
    if frame[0] != 8:
        raise UnsupportedType(f"a JPEG of 8 bits a sample is read, this has {frame[0]}: save it as PNG")
    return Header(
        kind="JPEG",
        width=int.from_bytes(frame[3:5]),
        height=int.from_bytes(frame[1:3]),
        file=lambda: b"".join([*found.kept, data[found.begin :]]),
        held=1 if found.components == 1 else 4,
        turn=orientation(found.exif) if found.exif else 1,
        # One whose end is missing is decoded three times; one that is held whole, twice.
        scans=found.scans * (1 + is_cut(data)) if found.is_held else 2 * is_cut(data),
        dear="twice" if found.is_held and is_cut(data) else "",
        is_buffered=found.is_held,
        parts=found.parts,
    )


@dataclass(slots=True)
class _Found:
    """What the segments of a JPEG say. begin: where its first scan does; is_held: its decoder holds all of it."""

    kept: list[bytes] = field(default_factory=lambda: [_START])
    frame: bytes = b""
    exif: bytes = b""
    begin: int = 0
    components: int = 0
    samples: int = 0
    scans: int = 0
    parts: int = 0
    is_sequential: bool = True
    is_held: bool = False


def _take(found: _Found, marker: int, segment: bytes) -> None:
    if marker in _FRAMES and not found.frame:
        found.frame, found.is_sequential = segment, marker in _SEQUENTIAL
        found.components, found.samples = samples_of(segment)
    if marker == _EXIF and segment.startswith(b"Exif\0") and not found.exif:
        found.exif = segment
    if _is_needed(marker, segment):
        found.kept.append(b"\xff" + bytes([marker]) + (len(segment) + 2).to_bytes(2) + segment)


def _count_scan(found: _Found, place: int, segment: bytes, max_samples: int) -> None:
    found.scans, found.begin = found.scans + 1, found.begin or place
    found.is_held = found.scans > 1 or not found.is_sequential or segment[:1] != bytes([found.components & 255])
    if found.is_held and found.samples > max_samples:
        raise TooLarge(
            f"a JPEG in several scans (a progressive one) may have {max_samples} samples, as it is held whole, "
            f"this has {found.samples}; save it as a baseline JPEG, or smaller"
        )
    if found.is_held and found.scans > MAX_SCANS:
        raise Unreadable(f"a JPEG may have {MAX_SCANS} scans, this has more")


def _is_needed(marker: int, segment: bytes) -> bool:
    if marker not in _ASIDE:
        return True
    begins, length = _OF_COLOUR.get(marker, (b"", 0))
    return length > 0 and segment.startswith(begins) and len(segment) >= length


def _segments(data: bytes) -> Iterator[tuple[int, int, bytes]]:
    """Marker, place and content of every segment of a JPEG that has any (ITU-T T.81, annex B), up to its end."""
    place, parts, fill, in_scans = 2, 0, 0, False
    while True:
        found = _NEXT_MARKER.search(data, place)
        if not in_scans:  # there a scan's own bytes lie between
            fill = count_fill(fill + (found.start() if found else len(data)) - place, "JPEG")
        if not found:
            return
        begin, marker, place = found.start(), data[found.end() - 1], found.end()
        parts = count(parts, "JPEG")
        if marker == _END:
            return
        if marker not in _ALONE:
            length = int.from_bytes(data[place : place + 2])  # it counts itself
            yield marker, begin, data[place + 2 : place + length]
            place += max(length, 2)
            in_scans = in_scans or marker == _SCAN


def samples_of(segment: bytes) -> tuple[int, int]:
    """Count the components of a frame, and the samples in all of them."""
    height, width = int.from_bytes(segment[1:3]), int.from_bytes(segment[3:5])
    factors = [(byte >> 4, byte & 15) for byte in segment[7::3]]
    across, down = max((x for x, _ in factors), default=1) or 1, max((y for _, y in factors), default=1) or 1
    return len(factors), sum(-(-width * x // across) * -(-height * y // down) for x, y in factors)


def is_cut(file: bytes) -> bool:
    """Tell whether the end of a JPEG is missing."""
    return file.rfind(END) < file.rfind(b"\xff\xda")


def ends_in_a_refinement(file: bytes) -> bool:
    """Tell whether the last scan of a progressive JPEG only adds a bit to samples that are there already."""
    place = file.rfind(b"\xff\xda")
    segment = file[place + 4 : place + 2 + int.from_bytes(file[place + 2 : place + 4])]
    return len(segment) > 3 and segment[-1] >> 4 > 0
