"""
AVIF and HEIC: pictures in boxes (ISO/IEC 14496-12 and 23008-12).

What is counted before a decoder sees them: the boxes, the items of the file, and what the AV1 or HEVC data of each item
claims, which need not be what the boxes say: sizes, and frames that are decoded and never shown.
"""

import struct
from collections.abc import Iterator
from dataclasses import dataclass, field

from service.core.errors import TooLarge, Unreadable, UnsupportedType
from service.pictures.header import Header, count, cut_short

# Pictures that one is put together from: a grid of tiles (48 for a photograph of a telephone), its transparency, a
# thumbnail.
MAX_ITEMS = 256
# Of one item: a still picture has one; one that is sent in layers, coarse first, has up to four.
MAX_FRAMES = 4
# Pixels that all items may have for each of the picture's: its colour, its transparency, a thumbnail, what a grid's
# tiles have beyond its rim. And some more, for small pictures have large tiles.
CLAIMED, CLAIMED_SPARE = 3, 2**18
CONTAINERS = {b"meta": 4, b"iprp": 0, b"ipco": 0}  # bytes before the boxes in them
MAX_DEPTH = 4
TAKEN = {b"ispe", b"iinf", b"iloc", b"idat", b"hvcC"}
SEQUENCE_HEADER, FRAME_HEADER, FRAME = 1, 3, 6  # kinds of OBU, AV1's units
SPS = 33  # of HEVC's units
# Bytes a pixel: planes of 16 bits, in which ten and twelve bits lie; colours as bytes, and as Pillow has them. Less
# where planes are of 8 bits, those of colour at half the size, as most photographs are; less still in grey.
HELD, HELD_PLAIN, HELD_GREY = 13, 10, 3


@dataclass(slots=True)
class _File:
    """What the boxes of a file say."""

    sizes: list[tuple[int, int]] = field(default_factory=list)
    kinds: dict[int, bytes] = field(default_factory=dict)  # by the item's number
    places: dict[int, list[tuple[int, int, int]]] = field(default_factory=dict)
    idat: bytes = b""
    films: list[int] = field(default_factory=list)
    settings: list[bytes] = field(default_factory=list)  # of HEVC
    parts: int = 0  # boxes, and what lies in them: pieces and units of all items
    bytes: int = 0  # of all items
    held: int = 0  # for each pixel, by the dearest of its items


def read(data: bytes, kind: str) -> Header:
    """
    Read the boxes of an AVIF or HEIC; of an animated one, the still picture beside.

    raises: Unreadable, UnsupportedType, TooLarge
    """
    file = _File()
    try:
        for name, place, end in _boxes(data, 0, len(data), file):
            _take(data, name, place, end, file)
        if not file.sizes or not file.kinds:
            if file.films:
                raise UnsupportedType(f"a film in {kind}, without a still picture: post one picture of it")
            raise cut_short(kind)
        width, height = max(file.sizes, key=lambda size: size[0] * size[1])
        claimed = _claimed_av1(data, file) if kind == "AVIF" else _claimed_hevc(data, file)
    except (struct.error, IndexError):
        raise cut_short(kind) from None
    allowed = CLAIMED * width * height + CLAIMED_SPARE
    if claimed > allowed:
        raise TooLarge(f"the parts of a {kind} of {width} x {height} may have {allowed} pixels, these have {claimed}")
    return Header(
        kind=kind,
        width=width,
        height=height,
        file=lambda: _still(data, file),
        held=file.held or HELD,
        parts=file.parts,
    )


def _boxes(data: bytes, place: int, end: int, file: _File, depth: int = 0) -> Iterator[tuple[bytes, int, int]]:
    """Kind, begin and end of the content of every box, those in containers too."""
    while place + 8 <= end:
        file.parts = count(file.parts, "AVIF or HEIC")
        size, name = int.from_bytes(data[place : place + 4]), data[place + 4 : place + 8]
        begin = place + 8
        if size == 1:
            size, begin = int.from_bytes(data[begin : begin + 8]), place + 16
        stop = end if size == 0 else place + size
        if size and (stop > end or stop < begin):
            stop = end  # cut short: the decoder says whether it matters
        if name == b"moov":
            file.films.append(place + 4)
        yield name, begin, stop
        if name in CONTAINERS and depth < MAX_DEPTH:
            yield from _boxes(data, begin + CONTAINERS[name], stop, file, depth + 1)
        place = stop


def _take(data: bytes, name: bytes, place: int, end: int, file: _File) -> None:
    content = data[place:end] if name in TAKEN else b""
    if name == b"ispe":
        file.sizes.append(struct.unpack_from(">II", content, 4))
    elif name == b"iinf":
        _take_items(content, file)
    elif name == b"iloc":
        _take_places(data, content, file)
    elif name == b"idat":
        file.idat = content
    elif name == b"hvcC":
        file.settings.append(content)


def _take_items(content: bytes, file: _File) -> None:
    is_wide = content[0] > 0
    (items,) = struct.unpack_from(">I" if is_wide else ">H", content, 4)
    _check_items(items)
    for name, begin, end in _boxes(content, 8 if is_wide else 6, len(content), file):
        if name == b"infe":
            entry = content[begin:end]
            number, _, kind = struct.unpack_from(">IH4s" if entry[0] > 2 else ">HH4s", entry, 4)
            file.kinds[number] = kind
            _check_items(len(file.kinds))


def _check_items(items: int) -> None:
    if items > MAX_ITEMS:
        raise Unreadable(f"a picture may be put together from {MAX_ITEMS} items, this has {items}")


def _take_places(data: bytes, content: bytes, file: _File) -> None:
    """Where each item's bytes lie (ISO/IEC 14496-12, 8.11.3): over each other, if so, but not more than all of them."""
    version = content[0]
    offset_size, length_size, base_size = content[4] >> 4, content[4] & 15, content[5] >> 4
    index_size = content[5] & 15 if version else 0
    wide = 4 if version > 1 else 2
    at = 6 + wide
    items = int.from_bytes(content[6:at])
    _check_items(items)

    def take(size: int) -> int:
        nonlocal at
        if at + size > len(content):
            raise IndexError
        at += size
        return int.from_bytes(content[at - size : at])

    for _ in range(items):
        number = take(wide)
        method = take(2) & 15 if version else 0
        take(2)
        base = take(base_size)
        pieces: list[tuple[int, int, int]] = []
        for _ in range(take(2)):
            file.parts = count(file.parts, "AVIF or HEIC")
            take(index_size)
            offset, length = base + take(offset_size), take(length_size)
            source = file.idat if method == 1 else data
            pieces.append((method, offset, length or len(source)))
            file.bytes += length or len(source)
        file.places[number] = pieces
    if file.bytes > 2 * len(data) + 2**16:
        raise Unreadable(f"the items of this picture have {file.bytes} bytes, the file has {len(data)}")


def _content(data: bytes, file: _File, number: int) -> bytes:
    pieces = file.places.get(number, [])
    return b"".join((file.idat if method == 1 else data)[offset : offset + length] for method, offset, length in pieces)


def _check_frames(frames: int) -> None:
    if frames > MAX_FRAMES:
        raise Unreadable(f"a picture of a file may have {MAX_FRAMES} frames that it is made from, this has {frames}")


# --- AV1 (its specification of 2019, 5.3 to 5.5) ----------------------------------------------------------------------


def _claimed_av1(data: bytes, file: _File) -> int:
    claimed = 0
    for number, kind in file.kinds.items():
        if kind == b"av01":
            claimed += _claimed_of_units(_content(data, file, number), file)
    return claimed


def _claimed_of_units(content: bytes, file: _File) -> int:
    place, pixels, frames = 0, 0, 0
    while place < len(content):
        file.parts = count(file.parts, "AVIF")
        head = content[place]
        kind, has_extension, has_size = head >> 3 & 15, head >> 2 & 1, head >> 1 & 1
        place += 1 + has_extension
        size = len(content) - place
        if has_size:
            size, place = _leb128(content, place)
        if kind == SEQUENCE_HEADER:
            width, height, held = _sequence(_Bits(content[place : place + min(size, 512)]))
            file.held = max(file.held, held)
            pixels = max(pixels, width * height)
        frames += kind in {FRAME_HEADER, FRAME}
        place += size
    _check_frames(frames)
    return pixels * max(frames, 1)


def _leb128(content: bytes, place: int) -> tuple[int, int]:
    value = 0
    for index in range(8):
        byte = content[place + index]
        value |= (byte & 127) << (7 * index)
        if byte < 128:
            return value, place + index + 1
    raise IndexError


class _Bits:
    """Reads numbers of so many bits; IndexError beyond the end."""

    def __init__(self, content: bytes) -> None:
        self._value, self._left = int.from_bytes(content), 8 * len(content)

    def take(self, bits: int) -> int:
        if bits > self._left:
            raise IndexError
        self._left -= bits
        return self._value >> self._left & ((1 << bits) - 1)

    def exponential(self) -> int:
        """Return a number in Exp-Golomb code."""
        zeros = 0
        while not self.take(1):
            zeros += 1
            if zeros > 32:
                raise IndexError
        return (1 << zeros) - 1 + self.take(zeros)


def _sequence(bits: _Bits) -> tuple[int, int, int]:
    """Width and height of the largest frame that a sequence header allows, and how much is held for a pixel at most."""
    profile = bits.take(3)
    bits.take(1)
    is_reduced = bool(bits.take(1))  # the header of a still picture, mostly
    if is_reduced:
        bits.take(5)
    else:
        _skip_operating_points(bits)
    wide, high = bits.take(4) + 1, bits.take(4) + 1
    width, height = bits.take(wide) + 1, bits.take(high) + 1
    if not is_reduced or profile:
        return width, height, HELD
    bits.take(6)
    has_high_depth, is_grey = bits.take(1), bits.take(1)
    return width, height, HELD if has_high_depth else HELD_GREY if is_grey else HELD_PLAIN


def _skip_operating_points(bits: _Bits) -> None:
    delay = 0
    if bits.take(1):  # timing
        bits.take(64)
        if bits.take(1):
            bits.exponential()
        if bits.take(1):  # the decoder's model
            delay = bits.take(5) + 1
            bits.take(42)
    has_display_delay = bits.take(1)
    for _ in range(bits.take(5) + 1):
        bits.take(12)
        if bits.take(5) > 7:
            bits.take(1)
        if delay and bits.take(1):
            bits.take(2 * delay + 1)
        if has_display_delay and bits.take(1):
            bits.take(4)


# --- HEVC (ITU-T H.265, 7.3) ------------------------------------------------------------------------------------------


def _claimed_hevc(data: bytes, file: _File) -> int:
    items = [number for number, kind in file.kinds.items() if kind == b"hvc1"]
    for number in items:
        _check_units(_content(data, file, number), file)
    sizes = [
        _picture_size(unit) for each in file.settings for unit in _settings_of(each, file) if unit[0] >> 1 & 63 == SPS
    ]
    return len(items) * max((width * height for width, height in sizes), default=0)


def _settings_of(content: bytes, file: _File) -> Iterator[bytes]:
    """The parameter sets in hvcC (ISO/IEC 14496-15, 8.3.3)."""
    place = 23
    is_plain = content[16] & 3 <= 1 and not content[17] & 7 and not content[18] & 7  # which colours, and bits beyond 8
    file.held = max(file.held, HELD_PLAIN if is_plain else HELD)
    for _ in range(content[22]):
        (units,) = struct.unpack_from(">H", content, place + 1)
        place += 3
        for _ in range(min(units, MAX_ITEMS)):
            file.parts = count(file.parts, "HEIC")
            (size,) = struct.unpack_from(">H", content, place)
            yield content[place + 2 : place + 2 + max(size, 1)]
            place += 2 + size


def _check_units(content: bytes, file: _File) -> None:
    """Refuse an item of more than one frame, or one whose size is said only within."""
    place, frames = 0, 0
    while place + 6 < len(content):
        file.parts = count(file.parts, "HEIC")
        kind = content[place + 4] >> 1 & 63
        if kind == SPS:
            raise UnsupportedType("a HEIC that says its size among its pixels is not read: save it as JPEG")
        frames += kind < 32 and content[place + 6] >> 7
        place += 4 + int.from_bytes(content[place : place + 4])
    _check_frames(frames)


def _picture_size(unit: bytes) -> tuple[int, int]:
    bits = _Bits(unit[2:256].replace(b"\0\0\3", b"\0\0"))
    bits.take(4)
    layers = bits.take(3)
    bits.take(1 + 96)
    present = [(bits.take(1), bits.take(1)) for _ in range(layers)]
    bits.take(2 * (8 - layers) if layers else 0)
    for has_profile, has_level in present:
        bits.take(88 * has_profile + 8 * has_level)
    bits.exponential()
    if bits.exponential() == 3:
        bits.take(1)
    return bits.exponential(), bits.exponential()


def _still(data: bytes, file: _File) -> bytes:
    """The file without its film; nothing moves, as the boxes say where in the file things lie."""
    if not file.films:
        return data
    changed = bytearray(data)
    for place in file.films:
        changed[place : place + 4] = b"free"
    size = min(int.from_bytes(data[:4]), 256)
    for at in (8, *range(16, size - 3, 4)):
        if changed[at : at + 4] == b"avis":
            changed[at : at + 4] = b"avif"
    return bytes(changed)
