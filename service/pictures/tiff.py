"""
TIFF: its first page, as scanners and fax machines write it (TIFF 6.0, 1992).

Its directory is read here and written anew with the tags that the pixels need and nothing else, so that the decoder
meets one page, strips or tiles within the file, and none of what else a TIFF may point to.
"""

import struct
from dataclasses import dataclass
from itertools import accumulate

from service.core.errors import TooLarge, Unreadable, UnsupportedType
from service.pictures.header import MAX_ENTRIES, MAX_PARTS, ORIENTATION_TAG, Header, PartFile, cut_short
from service.pictures.jpeg import MAX_SCANS

WIDTH, HEIGHT, BITS, COMPRESSION, PHOTOMETRIC, FILL_ORDER = 256, 257, 258, 259, 262, 266
STRIPS, SAMPLES, ROWS, STRIP_SIZES, PLANES = 273, 277, 278, 279, 284
TILE_WIDTH, TILE_HEIGHT, TILES, TILE_SIZES, EXTRA, FORMAT, TABLES = 322, 323, 324, 325, 338, 339, 347
GROUP3, GROUP4, PREDICTOR, COLOURS, SUBSAMPLING, POSITIONING, RANGE = 292, 293, 317, 320, 530, 531, 532
KEPT = {
    WIDTH, HEIGHT, BITS, COMPRESSION, PHOTOMETRIC, FILL_ORDER, STRIPS, SAMPLES, ROWS, STRIP_SIZES, PLANES, TILE_WIDTH,
    TILE_HEIGHT, TILES, TILE_SIZES, EXTRA, FORMAT, TABLES, GROUP3, GROUP4, PREDICTOR, COLOURS, SUBSAMPLING,
    POSITIONING, RANGE,
}  # fmt: skip
LISTS = {BITS, STRIPS, STRIP_SIZES, TILES, TILE_SIZES, EXTRA, FORMAT, TABLES, COLOURS, SUBSAMPLING, RANGE}
# Types of values: how struct has them, and how many bytes each is.
TYPE_SHORT, TYPE_LONG = 3, 4
TYPES = {1: "B", 2: "B", 3: "H", 4: "I", 5: "II", 6: "b", 7: "B", 8: "h", 9: "i"}
NONE, CCITT, FAX3, FAX4, LZW, JPEG, DEFLATE, PACKBITS, OLD_DEFLATE = 1, 2, 3, 4, 5, 7, 8, 32773, 32946
READ = {NONE, CCITT, FAX3, FAX4, LZW, JPEG, DEFLATE, PACKBITS, OLD_DEFLATE}
NAMES = {6: "old-style JPEG", 34712: "JPEG 2000", 34925: "LZMA", 50000: "zstd", 50001: "WEBP", 34661: "JBIG"}
WHITE_IS_ZERO, BLACK_IS_ZERO, RGB, PALETTE, CMYK, YCBCR = 0, 1, 2, 3, 5, 6
MAX_SAMPLES = 5
MAX_TABLES_BYTES = 2**16  # four tables of each kind, with 16 bits a number and all codes, have less than a tenth


@dataclass(slots=True)
class _Entry:
    kind: int
    values: tuple[int, ...]


def read(data: bytes, max_pixels: int) -> Header:
    """
    Read the first directory of a TIFF.

    max_pixels: that it may have; its tiles, which are unpacked whole, twice as many, for what is beyond its rim
    raises: Unreadable, UnsupportedType, TooLarge
    """
    order = "<" if data[:2] == b"II" else ">"
    try:
        tags = _directory(data, order)
    except struct.error:
        raise cut_short("TIFF") from None
    width, height = _one(tags, WIDTH, 0), _one(tags, HEIGHT, 0)
    if not width or not height:
        raise cut_short("TIFF")
    bits, samples = _check_samples(tags)
    parts, unpacked = _check_parts(tags, width, height, len(data), max_pixels)
    # One more than one a strip: those of a JPEG in several scans, which libtiff holds whole.
    scans = data.count(b"\xff\xda") // parts - 1 if _one(tags, COMPRESSION, NONE) == JPEG else 0
    if scans >= MAX_SCANS:
        raise Unreadable(f"a JPEG may have {MAX_SCANS} scans, those of this TIFF have more")
    # Pillow takes grey of 16 bits as it is, or not at all, where white is 0.
    is_inverted = bits == 16 and _one(tags, PHOTOMETRIC, WHITE_IS_ZERO) == WHITE_IS_ZERO
    kept = {tag: tags[tag] for tag in KEPT & set(tags)}
    # A whole picture in colour may be too much to hold.
    has_parts = samples * bits > 8 and (TILE_SIZES if TILES in tags else STRIP_SIZES) in tags
    if is_inverted:
        kept[PHOTOMETRIC] = _Entry(TYPE_SHORT, (BLACK_IS_ZERO,))
    return Header(
        kind="TIFF",
        width=width,
        height=height,
        file=lambda: _rewritten(data, order, dict(sorted(kept.items()))),
        # Pillow's pixels, and a strip of bytes beside, that may be all of them.
        held=((2 if bits == 16 else 1) * 2 if samples == 1 else 8 * (bits // 8 or 1)) + (6 if scans > 0 else 0),
        scans=max(scans, 0),
        turn=turn if 1 <= (turn := _one(tags, ORIENTATION_TAG, 1)) <= 8 else 1,
        depth=bits,
        is_inverted=is_inverted,
        parts=parts,
        unpacked=unpacked,
        part=_Strips(data, order, kept).part if has_parts else None,
        part_rows=_one(tags, TILE_HEIGHT if TILES in tags else ROWS, height),
    )


def _directory(data: bytes, order: str) -> dict[int, _Entry]:
    (place,) = struct.unpack_from(order + "I", data, 4)
    (entries,) = struct.unpack_from(order + "H", data, place)
    tags: dict[int, _Entry] = {}
    for at in range(place + 2, place + 2 + 12 * min(entries, MAX_ENTRIES), 12):
        tag, kind, count = struct.unpack_from(order + "HHI", data, at)
        if tag in tags or tag not in KEPT | {ORIENTATION_TAG} or kind not in TYPES:
            continue
        form = TYPES[kind]
        size = struct.calcsize("=" + form) * count
        if count > MAX_PARTS and tag != TABLES:
            raise Unreadable(f"a picture file may have {MAX_PARTS} parts, this TIFF has {count}")
        if tag == TABLES and count > MAX_TABLES_BYTES:
            raise Unreadable(f"the tables of a TIFF's JPEGs may have {MAX_TABLES_BYTES} bytes, these have {count}")
        if size > len(data):
            raise cut_short("TIFF")
        begin = at + 8 if size <= 4 else struct.unpack_from(order + "I", data, at + 8)[0]
        values = struct.unpack_from(f"{order}{count * len(form)}{form[0]}", data, begin)
        if min(values, default=0) < 0:
            raise Unreadable(f"the numbers of a TIFF's directory are 0 or more, tag {tag} has {min(values)}")
        tags[tag] = _Entry(kind, values if tag in LISTS else values[: len(form)])
    return tags


def _one(tags: dict[int, _Entry], tag: int, otherwise: int) -> int:
    return tags[tag].values[0] if tag in tags and tags[tag].values else otherwise


def _check_samples(tags: dict[int, _Entry]) -> tuple[int, int]:
    """Bits of a sample, and samples of a pixel."""
    compression = _one(tags, COMPRESSION, NONE)
    if compression not in READ:
        name = NAMES.get(compression, f"the number {compression}")
        raise UnsupportedType(
            f"a TIFF is read without compression, or with LZW, deflate, PackBits, CCITT group 3 or 4, or JPEG; this "
            f"has {name}: save it as PNG"
        )
    bits, samples = _one(tags, BITS, 1), _one(tags, SAMPLES, 1)
    given = tags[BITS].values if BITS in tags else (1,)
    forms = tags[FORMAT].values if FORMAT in tags else (1,)
    if set(given) != {bits} or bits not in {1, 2, 4, 8, 16} or set(forms) != {1}:
        raise UnsupportedType(
            "a TIFF of whole numbers of 1, 2, 4, 8 or 16 bits is read, this has others: post its numbers as npy"
        )
    photometric = _one(tags, PHOTOMETRIC, WHITE_IS_ZERO)
    if photometric not in {WHITE_IS_ZERO, BLACK_IS_ZERO, RGB, PALETTE, CMYK, YCBCR} or not 1 <= samples <= MAX_SAMPLES:
        raise UnsupportedType(
            "a TIFF in grey, RGB, CMYK, YCbCr or with a palette is read, this is another: save it as PNG"
        )
    if _one(tags, PLANES, 1) != 1 and samples > 1:
        raise UnsupportedType("a TIFF whose colours lie in planes of their own is not read: save it as PNG")
    return bits, samples


def _check_parts(tags: dict[int, _Entry], width: int, height: int, size: int, max_pixels: int) -> tuple[int, int]:
    """Count strips or tiles, and their pixels; refuse too many of either, or more bytes than the file has."""
    is_tiled = TILES in tags
    offsets, sizes = (tags.get(tag) for tag in ((TILES, TILE_SIZES) if is_tiled else (STRIPS, STRIP_SIZES)))
    across, down = (
        (_one(tags, TILE_WIDTH, 0), _one(tags, TILE_HEIGHT, 0))
        if is_tiled
        else (width, min(_one(tags, ROWS, height), height))
    )
    if not offsets or not across or not down:
        raise cut_short("TIFF")
    wanted = -(-width // across) * -(-height // down)
    unpacked = wanted * across * down if is_tiled else width * height
    if unpacked > (allowed := 2 * max(max_pixels, 2**16)):
        raise TooLarge(f"the strips or tiles of a TIFF may have {allowed} pixels, these have {unpacked}")
    if len(offsets.values) < wanted:
        raise Unreadable(
            f"this TIFF of {width} x {height} has {wanted} strips or tiles, {len(offsets.values)} are listed"
        )
    if sizes is None:
        if _one(tags, COMPRESSION, NONE) != NONE:
            raise cut_short("TIFF")
        return wanted, unpacked
    if len(sizes.values) < wanted:
        raise cut_short("TIFF")
    # Strips may lie over each other, so that few bytes are unpacked often.
    if sum(sizes.values[:wanted]) > size:
        raise Unreadable(f"the strips of this TIFF have {sum(sizes.values[:wanted])} bytes, the file has {size}")
    return wanted, unpacked


class _Strips:
    """A TIFF as files of some of its strips, or rows of tiles, each."""

    def __init__(self, data: bytes, order: str, tags: dict[int, _Entry]) -> None:
        self._data, self._order, self._tags = data, order, tags
        self._is_tiled = TILES in tags
        self._offsets, self._sizes = (TILES, TILE_SIZES) if self._is_tiled else (STRIPS, STRIP_SIZES)
        height = _one(tags, HEIGHT, 0)
        self._rows = _one(tags, TILE_HEIGHT, height) if self._is_tiled else _one(tags, ROWS, height)
        self._across = -(-_one(tags, WIDTH, 0) // _one(tags, TILE_WIDTH, 1)) if self._is_tiled else 1

    def part(self, top: int, bottom: int, _above: bytes) -> PartFile:
        """Rows from top, where a strip or tile begins, to bottom."""
        chosen = slice(top // self._rows * self._across, -(-bottom // self._rows) * self._across)
        offsets, sizes = self._tags[self._offsets].values[chosen], self._tags[self._sizes].values[chosen]
        strips = [self._data[offset : offset + size] for offset, size in zip(offsets, sizes, strict=True)]
        ends = list(accumulate(map(len, strips), initial=8))
        tags = self._tags | {
            HEIGHT: _Entry(TYPE_LONG, (bottom - top,)),
            self._offsets: _Entry(TYPE_LONG, tuple(ends[:-1])),
            self._sizes: _Entry(TYPE_LONG, sizes),
        }
        return PartFile(_rewritten(b"".join([self._data[:8], *strips]), self._order, dict(sorted(tags.items()))), 0)


def _rewritten(data: bytes, order: str, tags: dict[int, _Entry]) -> bytes:
    """The file with a directory of these tags at its end, so that what they point to stays where it is."""
    place = len(data) + len(data) % 2
    after = place + 2 + 12 * len(tags) + 4
    entries, values = [], []
    for tag, entry in tags.items():
        form = TYPES[entry.kind]
        packed = struct.pack(f"{order}{len(entry.values)}{form[0]}", *entry.values)
        count = len(entry.values) // len(form)
        if len(packed) > 4:
            packed += bytes(len(packed) % 2)
            values.append(packed)
            packed, after = struct.pack(order + "I", after), after + len(packed)
        entries.append(struct.pack(order + "HHI", tag, entry.kind, count) + packed.ljust(4, b"\0"))
    head = data[:4] + struct.pack(order + "I", place)
    directory = struct.pack(order + "H", len(tags)) + b"".join(entries) + bytes(4)
    return b"".join([head, data[8:], bytes(len(data) % 2), directory, *values])
