"""
Picture files of every kind that browsers and scanners know, drawn here: well formed, of random pixels, seeded.

Written by hand where libraries write a few kinds only (PNG, BMP), else by Pillow and tifffile.
"""

import io
import struct
import zlib

import numpy as np
from PIL import Image

ADAM7 = [(0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2)]
PNG_DEPTHS = {0: (1, 2, 4, 8, 16), 2: (8, 16), 3: (1, 2, 4, 8), 4: (8, 16), 6: (8, 16)}
PNG_CHANNELS = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}


def chunk(kind, data=b"", *, is_sound=True):
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data) ^ (not is_sound))


# --- PNG --------------------------------------------------------------------------------------------------------------


def png(random, colour=None, depth=None, *, interlace=None, clear=None, aside=(), sizes=(1, 40)):
    """A PNG of any type of colour, depth and order of rows, with any filters; aside: chunks before its pixels."""
    colour = int(random.choice([*PNG_DEPTHS])) if colour is None else colour
    depth = int(random.choice(PNG_DEPTHS[colour])) if depth is None else depth
    interlace = bool(random.integers(2)) if interlace is None else interlace
    width, height = (int(side) for side in random.integers(*sizes, 2))
    levels = 1 << depth
    few = random.integers(0, levels, 3)  # so that a colour that is transparent is met
    samples = random.choice(few, (height, width, PNG_CHANNELS[colour])) if random.integers(2) else None
    if samples is None:
        samples = random.integers(0, levels, (height, width, PNG_CHANNELS[colour]))
    chunks = [chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, interlace)), *aside]
    if colour == 3:
        count = min(levels, 256)
        chunks.append(chunk(b"PLTE", random.integers(0, 256, 3 * count, np.uint8).tobytes()))
    if clear is None:
        clear = bool(random.integers(2))
    if clear and colour == 3:
        chunks.append(chunk(b"tRNS", random.integers(0, 256, int(random.integers(1, count + 1)), np.uint8).tobytes()))
    elif clear and colour in {0, 2}:
        chosen = samples[random.integers(height), random.integers(width)]
        chunks.append(chunk(b"tRNS", b"".join(int(each).to_bytes(2) for each in chosen)))
    raw = b"".join(
        _png_rows(random, samples[top::down, left::across], depth)
        for left, top, across, down in (ADAM7 if interlace else [(0, 0, 1, 1)])
    )
    packed = zlib.compress(raw, int(random.integers(0, 10)))
    cuts = sorted(random.integers(0, len(packed) + 1, int(random.integers(0, 3))))
    pieces = [packed[begin:end] for begin, end in zip([0, *cuts], [*cuts, len(packed)], strict=True)]
    chunks += [chunk(b"IDAT", piece) for piece in pieces] + [chunk(b"IEND")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunks)


def _png_rows(random, samples, depth):
    if not samples.size:
        return b""
    height, _, channels = samples.shape
    if depth == 16:
        rows = samples.astype(">u2").reshape(height, -1).view(np.uint8)
    else:
        bits = samples.reshape(height, -1, 1) >> np.arange(depth - 1, -1, -1) & 1
        rows = np.packbits(bits.reshape(height, -1).astype(np.uint8), axis=1)
    step = max(1, depth * channels // 8)
    out, above = [], np.zeros(rows.shape[1], int)
    for row in rows.astype(int):
        kind = int(random.integers(5))
        left, corner = (np.concatenate([np.zeros(step, int), line])[: len(row)] for line in (row, above))
        guess = {0: 0 * row, 1: left, 2: above, 3: (left + above) // 2, 4: _paeth(left, above, corner)}[kind]
        out.append(bytes([kind]) + ((row - guess) % 256).astype(np.uint8).tobytes())
        above = row
    return b"".join(out)


def _paeth(left, above, corner):
    guess = left + above - corner
    a, b, c = (abs(guess - each) for each in (left, above, corner))
    return np.where((a <= b) & (a <= c), left, np.where(b <= c, above, corner))


# What may be wrong in a PNG, or odd, without anything to see: chunks that its pixels do not need.
ASIDE = {
    **{
        f"{name}, wrong checksum": chunk(name.encode(), content, is_sound=False)
        for name, content in {
            "tEXt": b"a\0b", "iTXt": b"a\0\0\0\0\0b", "zTXt": b"a\0\0" + zlib.compress(b"b"), "gAMA": bytes(4),
            "cHRM": bytes(32), "sRGB": b"\0", "pHYs": bytes(9), "tIME": bytes(7), "iCCP": b"a\0\0", "bKGD": bytes(2),
            "eXIf": b"II*\0\x08\0\0\0\1\0\x12\1\3\0\1\0\0\0\6\0\0\0", "iDOT": bytes(28), "vpAg": bytes(9),
        }.items()
    },
    **{f"{name}, too short": chunk(name.encode(), b"\0") for name in ("gAMA", "cHRM", "pHYs", "tIME", "acTL", "sBIT")},
    **{f"{name}, empty": chunk(name.encode()) for name in ("sRGB", "iCCP", "tEXt", "zTXt", "iTXt", "eXIf", "hIST")},
    "iCCP, unknown method": chunk(b"iCCP", b"a\0\1x"),
    "iCCP, not deflated": chunk(b"iCCP", b"a\0\0xyz"),
    "iCCP, no end of its name": chunk(b"iCCP", b"a" * 90),
    "zTXt of 3 MB": chunk(b"zTXt", b"a\0\0" + zlib.compress(bytes(3_000_000))),
    "iTXt of 3 MB": chunk(b"iTXt", b"a\0\1\0\0\0" + zlib.compress(bytes(3_000_000))),
    "iCCP of 3 MB": chunk(b"iCCP", b"a\0\0" + zlib.compress(bytes(3_000_000))),
    "eXIf of garbage": chunk(b"eXIf", b"garbage"),
    "eXIf that ends early": chunk(b"eXIf", b"MM\0*\0\0\0\x08\0\x09\1\x12"),
}  # fmt: skip


# --- BMP --------------------------------------------------------------------------------------------------------------

# Header, bits and masks of red, green, blue and opacity.
BMP_KINDS = [
    *((size, bits, None) for size in (40, 108, 124) for bits in (1, 2, 4, 8, 16, 24, 32)),
    *((12, bits, None) for bits in (1, 4, 8, 24)), *((64, bits, None) for bits in (1, 4, 8, 24)),
    *((size, 16, masks) for size in (40, 52, 56, 108, 124) for masks in (
        (0xF800, 0x7E0, 0x1F, 0), (0x7C00, 0x3E0, 0x1F, 0), (0xF00, 0xF0, 0xF, 0))),
    *((size, 32, masks) for size in (40, 52, 56, 108, 124) for masks in (
        (0xFF0000, 0xFF00, 0xFF, 0), (0xFF, 0xFF00, 0xFF0000, 0), (0xFF000000, 0xFF0000, 0xFF00, 0),
        (0x3FF00000, 0xFFC00, 0x3FF, 0), (0xF8000000, 0x7C00000, 0x3E0000, 0))),
    *((size, bits, masks) for size in (56, 108, 124) for bits, masks in (
        (16, (0x7C00, 0x3E0, 0x1F, 0x8000)), (16, (0xF00, 0xF0, 0xF, 0xF000)),
        (32, (0xFF0000, 0xFF00, 0xFF, 0xFF000000)))),
]  # fmt: skip


def bmp(random, size=40, bits=24, masks=None, *, goes_down=None, is_run=False, sizes=(1, 40)):
    """A BMP with a header of so many bytes."""
    width, height = (int(side) for side in random.integers(*sizes, 2))
    goes_down = bool(random.integers(2)) and size != 12 and not is_run if goes_down is None else goes_down
    colours = b""
    if bits <= 8:
        palette = random.integers(0, 256, (1 << bits, 4), np.uint8)
        palette[:, 3] = 0
        colours = palette[:, :3].tobytes() if size == 12 else palette.tobytes()
    if is_run:
        pixels = _runs(random, width, height, bits)
    else:
        stride = (width * bits + 31) // 32 * 4
        pixels = random.integers(0, 256, stride * height, np.uint8).tobytes()
    compression = {4: 2, 8: 1, 24: 4}[bits] if is_run else 3 if masks else 0
    if size == 12:
        head = struct.pack("<IHHHH", 12, width, height, 1, bits)
    else:
        head = struct.pack("<IiiHHIIiiII", size, width, -height if goes_down else height, 1, bits, compression,
                           len(pixels), 0, 0, 0, 0)  # fmt: skip
        if masks and size == 40:
            colours = struct.pack("<III", *masks[:3])
        elif size >= 52 and size != 64:
            head += struct.pack("<IIII", *(masks or (0, 0, 0, 0)))
        head = head[: max(size, 40)].ljust(size, b"\0")
    start = 14 + len(head) + len(colours)
    return b"BM" + struct.pack("<IHHI", start + len(pixels), 0, 0, start) + head + colours + pixels


def _runs(random, width, height, bits):
    """Commands that paint a picture, some of it not at all; each stays within its row."""
    out = []
    for _ in range(height):
        left = width
        while left:
            count = int(random.integers(1, min(left, 60) + 1))
            kind = int(random.integers(5))
            if kind == 0 and count >= 3:
                size = {4: (count + 1) // 2, 8: count, 24: 3 * count}[bits]
                out.append(bytes([0, count]) + random.integers(0, 256, size, np.uint8).tobytes() + bytes(size % 2))
            elif kind == 1:
                out.append(bytes([0, 2, count, 0]))
            elif kind == 2 and not random.integers(4):
                break
            else:
                out.append(bytes([count]) + random.integers(0, 256, 3 if bits == 24 else 1, np.uint8).tobytes())
            left -= count
        out.append(b"\0\0")
    return b"".join(out) + b"\0\1"


# --- GIF --------------------------------------------------------------------------------------------------------------


def gif(random, *, canvas=None, transparent=None, interlace=None, background=None, sizes=(1, 40)):
    """A GIF whose first frame lies anywhere on its canvas, or beyond it."""
    width, height = (int(side) for side in random.integers(*sizes, 2))
    image = Image.fromarray(random.integers(0, 16, (height, width), np.uint8), "P")
    image.putpalette(random.integers(0, 256, 48, np.uint8).tobytes())
    out = io.BytesIO()
    interlace = int(random.integers(2)) if interlace is None else interlace
    options = {} if not (random.integers(2) if transparent is None else transparent) else {"transparency": 3}
    image.save(out, "GIF", interlace=interlace, optimize=False, **options)
    data = bytearray(out.getvalue())
    if canvas is None:
        canvas = (width + int(random.integers(0, 30)), height + int(random.integers(0, 30)))
    data[6:10] = struct.pack("<HH", *canvas)
    data[11] = int(random.integers(16)) if background is None else background
    place = data.index(b",", 13 + 3 * (2 << (data[10] & 7)))
    while struct.unpack_from("<HHHH", data, place + 1) != (0, 0, width, height):
        place = data.index(b",", place + 1)
    left, top = (int(random.integers(max(0, room - side) + 1)) for room, side in zip(canvas, image.size, strict=True))
    data[place + 1 : place + 5] = struct.pack("<HH", left, top)
    return bytes(data)


# --- others, by libraries ---------------------------------------------------------------------------------------------


def smooth(random, sizes=(1, 60), channels=3):
    """Soft colours, which JPEG and its like change little: (height, width, channels) uint8."""
    width, height = (int(side) for side in random.integers(*sizes, 2))
    coarse = random.integers(0, 256, (height // 8 + 2, width // 8 + 2, 4), np.uint8)
    soft = Image.fromarray(coarse, "RGBA").resize((width, height), Image.Resampling.BICUBIC)
    return np.asarray(soft)[:, :, :channels].squeeze(axis=2 if channels == 1 else ())


def exif(turn):
    data = Image.Exif()
    data[0x0112] = turn
    return data.tobytes()


def jpeg(random, **options):
    channels = int(random.choice([1, 3]))
    image = Image.fromarray(np.ascontiguousarray(smooth(random, channels=channels)))
    out = io.BytesIO()
    options = {"progressive": bool(random.integers(2)), "subsampling": int(random.integers(3)), "quality": 92,
               "optimize": bool(random.integers(2)), "exif": exif(int(random.integers(1, 9)))} | options  # fmt: skip
    image.save(out, "JPEG", **options)
    return out.getvalue()


def by_pillow(random, kind, channels=(1, 3, 4), **options):
    """A file in grey, RGB or RGBA."""
    channels = int(random.choice(channels))
    pixels = np.ascontiguousarray(smooth(random, channels=channels))
    out = io.BytesIO()
    Image.fromarray(pixels).save(out, kind, **options)
    return out.getvalue()
