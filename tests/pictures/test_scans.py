"""Scans: TIFF as it is drawn, what else its directory says, and large pages of any format brought to reduced size."""

import os
import struct
import subprocess
import sys
import zlib

import numpy as np
import pytest
from PIL import Image

from service.core.errors import ServiceError, TooLarge, Unreadable, UnsupportedType
from service.pictures import codec
from service.settings import Limits
from tests.drawing import draw, encode
from tests.pictures import files
from tests.serving import ROOT

TIMES = 30 if os.environ.get("FILTERSCOPE_PROOF") else 1
PIXELS = 4_194_304
MODES = {  # bits, photometric, samples
    "1-bit, white is 0": (1, 0, 1), "1-bit": (1, 1, 1), "2-bit": (2, 1, 1), "4-bit, white is 0": (4, 0, 1),
    "4-bit": (4, 1, 1), "grey, white is 0": (8, 0, 1), "grey": (8, 1, 1), "16-bit": (16, 1, 1),
    "16-bit, white is 0": (16, 0, 1), "RGB": (8, 2, 3), "RGBA": (8, 2, 4), "palette": (8, 3, 1),
    "palette of 16": (4, 3, 1),
}  # fmt: skip
PACKINGS = {1: bytes, 8: zlib.compress, 32946: zlib.compress}


def packbits(data):
    return b"".join(bytes([len(data[at : at + 128]) - 1]) + data[at : at + 128] for at in range(0, len(data), 128))


def directory(order, tags, place):
    """An IFD at `place`; tags: number -> (type, values)."""
    forms, after = {1: "B", 3: "H", 4: "I"}, place + 2 + 12 * len(tags) + 4
    entries, values = b"", b""
    for tag, (kind, numbers) in sorted(tags.items()):
        packed = struct.pack(f"{order}{len(numbers)}{forms[kind]}", *numbers)
        if len(packed) > 4:
            values += packed + bytes(len(packed) % 2)
            packed, after = struct.pack(order + "I", after), after + len(packed) + len(packed) % 2
        entries += struct.pack(order + "HHI", tag, kind, len(numbers)) + packed.ljust(4, b"\0")
    return struct.pack(order + "H", len(tags)) + entries + bytes(4) + values


def tiff(random, mode, *, compression=None, tile=None, more=()):
    """A TIFF of random samples; returns its bytes and what it shows, over white."""
    order = random.choice(["<", ">"])
    bits, photometric, samples = MODES[mode]
    width, height = (int(side) for side in random.integers(1, 60, 2))
    tile = bool(random.integers(2)) if tile is None else tile
    compression = int(random.choice([1, 8, 32773, 32946])) if compression is None else compression
    drawn = random.integers(0, 1 << bits, (height, width, samples))
    across, down = (16, 32) if tile else (width, int(random.integers(1, height + 1)))
    padded = np.pad(drawn, ((0, -height % down if tile else 0), (0, -width % across if tile else 0), (0, 0)))
    offsets, sizes, content = [], [], b""
    for top in range(0, height, down):
        for left in range(0, width, across):
            raw = packed_rows(padded[top : top + down, left : left + across], bits, order)
            part = packbits(raw) if compression == 32773 else PACKINGS[compression](raw)
            offsets.append(8 + len(content))
            sizes.append(len(part))
            content += part + bytes(len(part) % 2)
    tags = {
        256: (4, [width]), 257: (3, [height]), 258: (3, [bits] * samples), 259: (3, [compression]),
        262: (3, [photometric]), 277: (3, [samples]), **dict(more),
    }  # fmt: skip
    if samples == 4:
        tags[338] = (3, [2])
    palette = random.integers(0, 256, (3, 1 << bits)) if photometric == 3 else None
    if palette is not None:
        tags[320] = (3, (palette * 257).ravel().tolist())
    tags |= (
        {322: (3, [across]), 323: (3, [down]), 324: (4, offsets), 325: (4, sizes)}
        if tile else {273: (4, offsets), 278: (3, [down]), 279: (4, sizes)}
    )  # fmt: skip
    head = (b"II*\0" if order == "<" else b"MM\0*") + struct.pack(order + "I", 8 + len(content))
    return head + content + directory(order, tags, 8 + len(content)), look(drawn, bits, photometric, palette)


def packed_rows(samples, bits, order):
    if bits == 16:
        return samples.astype(order + "u2").tobytes()
    wide = (samples.reshape(len(samples), -1, 1) >> np.arange(bits - 1, -1, -1)) & 1
    return np.packbits(wide.reshape(len(samples), -1).astype(np.uint8), axis=1).tobytes()


def look(drawn, bits, photometric, palette):
    if palette is not None:
        return palette.T[drawn[:, :, 0]] / 255
    unit = drawn / ((1 << bits) - 1)
    if photometric == 0:
        unit = 1 - unit
    if unit.shape[2] == 4:
        return unit[:, :, :3] * unit[:, :, 3:] + 1 - unit[:, :, 3:]
    return unit.squeeze(axis=2) if unit.shape[2] == 1 else unit


def in_unit(pixels):
    return pixels if pixels.dtype == np.float32 else pixels / 255


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("seed", range(6 * TIMES))
def test_a_tiff_is_read_as_it_was_drawn(mode, seed):
    data, drawn = tiff(np.random.default_rng(seed), mode)
    pixels = in_unit(codec.decode(data, max_pixels=PIXELS))
    assert pixels.shape == drawn.shape
    assert np.abs(pixels - drawn).max() < 0.6 / 255


@pytest.mark.parametrize("compression", ["group3", "group4", "tiff_ccitt", "tiff_lzw", "tiff_deflate", "packbits"])
@pytest.mark.parametrize("seed", range(4 * TIMES))
def test_a_page_of_ink_is_read_whatever_it_is_packed_by(compression, seed):
    random = np.random.default_rng(seed)
    page = np.asarray(
        Image.fromarray(draw(int(random.choice([2, 3, 4, 7])), int(random.integers(9, 200)))).convert("1")
    )
    data = encode(page, "TIFF", compression=compression)
    assert np.array_equal(codec.decode(data, max_pixels=PIXELS), page * np.uint8(255))


def test_opencv_reads_the_same_of_a_tiff_in_jpeg():
    cv2 = pytest.importorskip("cv2", reason="no OpenCV here: tests/requirements.txt has it")
    for seed in range(10 * TIMES):
        random = np.random.default_rng(seed)
        soft = Image.fromarray(random.integers(0, 256, (6, 8, 3), np.uint8)).resize((80, 50))
        data = encode(np.asarray(soft if seed % 2 else soft.convert("L")), "TIFF", compression="jpeg")
        theirs = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR_RGB)
        ours = codec.decode(data, max_pixels=PIXELS)
        assert np.abs((ours if ours.ndim == 3 else ours[:, :, None]).astype(int) - theirs).max() <= 3


def test_only_the_first_page_is_read_and_a_ring_of_pages_does_not_matter():
    data, drawn = tiff(np.random.default_rng(3), "grey", compression=1, tile=False)
    order = "<" if data[:2] == b"II" else ">"
    (place,) = struct.unpack_from(order + "I", data, 4)
    (entries,) = struct.unpack_from(order + "H", data, place)
    ring = bytearray(data)
    ring[place + 2 + 12 * entries :][:4] = b"ring"
    ring[place + 2 + 12 * entries : place + 6 + 12 * entries] = struct.pack(order + "I", place)
    assert np.array_equal(in_unit(codec.decode(bytes(ring), max_pixels=PIXELS)), drawn)


@pytest.mark.parametrize("turn", range(1, 9))
def test_a_tiff_is_turned_upright(turn):
    data, drawn = tiff(np.random.default_rng(4), "grey", more={274: (3, [turn])}.items())
    image = Image.fromarray((drawn * 255).round().astype(np.uint8))
    image.getexif()[274] = turn
    from PIL import ImageOps

    assert np.array_equal(codec.decode(data, max_pixels=PIXELS), np.asarray(ImageOps.exif_transpose(image)))


@pytest.mark.parametrize(("tags", "error", "says"), [
    ({322: (4, [65536]), 323: (4, [65536]), 324: (4, [8]), 325: (4, [9])}, TooLarge, "tiles of a TIFF may have"),
    ({273: (4, [8] * 9000), 279: (4, [60_000] * 9000), 278: (3, [1]), 257: (3, [9000])}, Unreadable, "the file has"),
    ({273: (4, [8] * 11_000)}, Unreadable, "10000 parts"), ({257: (3, [50]), 278: (3, [1])}, Unreadable, "are listed"),
    ({259: (3, [34712])}, UnsupportedType, "has JPEG 2000"), ({259: (3, [50001])}, UnsupportedType, "has WEBP"),
    ({258: (3, [32])}, UnsupportedType, "1, 2, 4, 8 or 16 bits"), ({339: (3, [3])}, UnsupportedType, "as npy"),
    ({256: (4, [2**32 - 1]), 278: (4, [1])}, TooLarge, "may have"), ({256: (3, [0])}, Unreadable, "cut short"),
    ({277: (3, [60_000])}, UnsupportedType, "in grey, RGB"),
])  # fmt: skip
def test_a_tiff_that_costs_more_than_its_pixels_or_is_of_another_kind_is_refused(tags, error, says):
    given = {256: (3, [28]), 257: (3, [28]), 258: (3, [8]), 259: (3, [1]), 262: (3, [1]), 273: (4, [8]),
             277: (3, [1]), 278: (3, [28]), 279: (4, [784])} | tags  # fmt: skip
    data = b"II*\0" + struct.pack("<I", 8 + 60_000) + bytes(60_000) + directory("<", given, 60_008)
    with pytest.raises(error, match=says):
        codec.open_file(data, PIXELS)


# --- large pages ------------------------------------------------------------------------------------------------------


def page(width=2403, height=3203):
    sheet = np.full((height, width), 255, np.uint8)
    sheet[900:2100, 400:1600] = draw(3, 1200)
    return sheet


KINDS = {
    "PNG": {}, "WEBP": {"lossless": True, "method": 0, "quality": 0}, "GIF": {}, "BMP": {},
    "TIFF": {"compression": "tiff_lzw"}, "AVIF": {"speed": 10},
}  # fmt: skip


@pytest.mark.parametrize("kind", KINDS)
def test_a_large_page_is_averaged_as_blocks_of_its_pixels(kind):
    sheet = page()
    pixels, frame = codec.decode_in_frame(encode(sheet, kind, **KINDS[kind]), 10**6, 0, 10**7)
    grey = pixels if pixels.ndim == 2 else pixels[:, :, 0]
    assert (frame.step, frame.width, frame.height) == (4, 2403, 3203)
    whole = np.pad(sheet.astype(float), ((0, 1), (0, 1)), mode="edge").reshape(801, 4, 601, 4).mean(axis=(1, 3))
    assert grey.shape == whole.shape
    assert np.abs(grey - whole).max() <= (1 if kind != "AVIF" else 40)


@pytest.mark.parametrize("kind", [*KINDS, "JPEG"])
def test_a_grey_page_at_600_dpi_is_read_as_all_but_a_webp(kind):
    data, limits = encode(np.full((7016, 4960), 255, np.uint8), kind, **KINDS.get(kind, {})), Limits()

    def opened():
        return codec.open_file(data, limits.max_image_pixels, limits.max_jpeg_pixels, limits.max_scan_pixels)

    if kind == "WEBP":
        with pytest.raises(TooLarge, match=r"fewer than 8\d{6} pixels"):
            opened()
    else:
        assert opened().held <= codec.DECODED_BYTES


@pytest.mark.parametrize("kind", KINDS)
def test_a_scan_is_read_at_its_place_as_a_jpeg_of_it_is(kind, client):
    sheet = page()
    said = [
        client.post("/v1/classify", data=encode(sheet, each, **KINDS.get(each, {}))).json["results"][0]
        for each in (kind, "JPEG")
    ]
    assert [each["digit"] for each in said] == [3, 3]
    assert np.abs(np.subtract(said[0]["prepared"]["box"], said[1]["prepared"]["box"])).max() <= 8


def test_strokes_on_nothing_keep_their_colour_when_they_are_averaged():
    ink = 255 - page(2000, 2400)
    strokes = np.dstack([np.zeros_like(ink)] * 3 + [ink])
    strokes[ink == 0, :3] = 255  # what is not there is white, and must not be mixed in
    pixels, _ = codec.decode_in_frame(encode(strokes), 10**6, 0, 10**7, keep_alpha=True)
    assert pixels.shape == (600, 500, 4)
    assert pixels[pixels[:, :, 3] > 0][:, :3].max() == 0


def test_a_scan_above_its_limit_and_a_picture_for_filters_are_refused():
    data = encode(np.zeros((1200, 1000), np.uint8))
    for large in (0, 1_100_000):
        with pytest.raises(TooLarge, match="this PNG has 1000 x 1200"):
            codec.open_file(data, 10**6, 10**8, large)


READ_HEADER = codec._read_header


def same_as_whole(data, monkeypatch):
    """Hold a picture that is decoded in parts of few rows to what it is when all is decoded at once: how many parts."""
    monkeypatch.setattr(codec, "BAND_PIXELS", 400)
    parts, found = [], []

    def counted(*asked):
        header = READ_HEADER(*asked)
        part = header.part
        header.part = part and (lambda *rows: parts.append(rows) or part(*rows))
        return header

    def whole(*asked):
        header = READ_HEADER(*asked)
        header.part = None
        return header

    for reader in (counted, whole):
        monkeypatch.setattr(codec, "_read_header", reader)
        file = codec.open_file(data, 100, 0, 10**6, keep_alpha=True, reduced_side=20)
        found.append(file.decode()[0])
    assert found[0].dtype == found[1].dtype
    np.testing.assert_array_equal(*found)
    return len(parts)


@pytest.mark.parametrize("seed", range(20 * TIMES))
@pytest.mark.parametrize(("colour", "depth", "clear"), [(2, 8, False), (2, 8, True), (2, 16, False), (4, 8, False),
                                                        (4, 16, False), (6, 8, False), (6, 16, False)])  # fmt: skip
def test_a_png_that_is_decoded_in_parts_is_what_it_is_as_a_whole(colour, depth, clear, seed, monkeypatch):
    data = files.png(np.random.default_rng(seed), colour, depth, interlace=False, clear=clear, sizes=(60, 90))
    assert same_as_whole(data, monkeypatch) > 1


@pytest.mark.parametrize("mode", ["16-bit", "16-bit, white is 0", "RGB", "RGBA"])
@pytest.mark.parametrize("seed", range(8 * TIMES))
def test_a_tiff_that_is_decoded_in_parts_is_what_it_is_as_a_whole(mode, seed, monkeypatch):
    random = np.random.default_rng(seed)
    parts, tried = 0, 0
    while parts < 2 and tried < 20:  # one of a single strip is a single part
        data, drawn = tiff(random, mode)
        if drawn.shape[0] > 20 and drawn.shape[1] > 20:
            parts, tried = same_as_whole(data, monkeypatch), tried + 1
    assert parts > 1


def test_a_png_that_ends_within_its_rows_is_refused_in_parts_as_it_is_whole():
    data = files.png(np.random.default_rng(2), 2, 8, interlace=False, clear=False, sizes=(60, 90))
    for cut in (data[: len(data) // 2], data.replace(data[len(data) // 2 :][:9], bytes(9))):
        with pytest.raises(Unreadable, match="damaged or cut short"):
            codec.open_file(cut, 100, 0, 10**6, reduced_side=20).decode()


def test_what_would_hold_too_much_while_it_is_decoded_is_refused_with_how_large_it_may_be():
    data = encode(np.zeros((4000, 4000), np.uint8), "WEBP", lossless=True, method=0, quality=0)
    with pytest.raises(TooLarge, match=r"134217728 bytes .* this WEBP of 4000 x 4000 .* fewer than \d{7} pixels"):
        codec.open_file(data, PIXELS, 0, 36_000_000)


MEASURE = """
import sys
from service.pictures import codec
from service.settings import Limits
data, limits = open(sys.argv[1], "rb").read(), Limits()
codec.decode(open("tests/three.png", "rb").read(), max_pixels=10**6)
peak = lambda: next(int(line.split()[1]) for line in open("/proc/self/status") if line.startswith("VmHWM")) * 1024
open("/proc/self/clear_refs", "w").write("5")
before = peak()
file = codec.open_file(data, limits.max_image_pixels, 0, limits.max_scan_pixels, keep_alpha=True)
pixels, frame = file.decode()
print(peak() - before, file.held, frame.step, *pixels.shape[:2])
"""


@pytest.mark.skipif(not os.path.exists("/proc/self/clear_refs"), reason="no /proc to measure memory by")  # noqa: PTH110
@pytest.mark.parametrize("kind", ["PNG", "TIFF", *(["GIF", "AVIF", "BMP"] if TIMES > 1 else [])])
def test_a4_at_600_dpi_in_grey_fits_into_what_a_request_may_hold(kind, tmp_path):
    levels = np.full((7016, 4960), 250, np.uint8)
    levels[2000:4400, 1200:3600] = draw(3, 2400)
    image = Image.fromarray(levels if kind != "BMP" else levels > 99)  # a BMP of 8 bits is longer than a body
    path = tmp_path / "page"
    image.save(path, kind, **{"PNG": {"compress_level": 1}, "TIFF": {"compression": "packbits"}}.get(kind, KINDS[kind]))
    done = subprocess.run([sys.executable, "-c", MEASURE, path], cwd=ROOT, capture_output=True, text=True, check=True)
    peak, held, step, height, width = map(int, done.stdout.split())
    assert (step, height, width) == (8, 877, 620)
    assert peak < held + 8 * 2**20
    # Compose and Kubernetes give a request 192 MiB.
    assert held < 192 * 2**20 < Limits().max_request_bytes


def test_any_damage_to_a_tiff_is_an_answer():
    for seed in range(400 * TIMES):
        random = np.random.default_rng(seed)
        data = bytearray(tiff(random, str(random.choice([*MODES])))[0])
        for _ in range(int(random.integers(1, 5))):
            data[random.integers(4, len(data))] = random.integers(256)
        try:
            pixels = codec.decode(bytes(data), max_pixels=20_000)
        except ServiceError:
            continue
        assert 0 < pixels.shape[0] * pixels.shape[1] <= 20_000
