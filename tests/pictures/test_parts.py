"""Files that cost more than their pixels are refused before a decoder sees them; honest ones pass."""

import io
import struct
import subprocess
import sys
import zlib

import numpy as np
import pytest
from PIL import Image

from service.core.errors import TooLarge, Unreadable, UnsupportedType
from service.pictures import codec, png, tiff
from service.pictures.jpeg import read
from tests.drawing import encode
from tests.pictures import files
from tests.pictures.files import chunk
from tests.serving import ROOT

PIXELS = 4_194_304


def written(kind, side=28, mode="L", **options):
    out = io.BytesIO()
    levels = np.random.default_rng(5).integers(0, 256, (side, side, len(mode)), np.uint8).squeeze()
    Image.fromarray(levels, mode).save(out, kind, **options)
    return out.getvalue()


def with_chunks(kind, count):
    plain = written("PNG")
    return plain[:33] + chunk(kind) * count + plain[33:]


def with_scans(count, side=64):
    """A progressive JPEG whose last scan comes `count` times."""
    jpeg = written("JPEG", side, progressive=True)
    last = jpeg[jpeg.rfind(b"\xff\xda") : -2]
    return jpeg[:-2] + last * count + jpeg[-2:]


def with_comments(count):
    jpeg = written("JPEG")
    return jpeg[:2] + b"\xff\xfe\0\2" * count + jpeg[2:]


def gif_with_blocks(count):
    gif = written("GIF")
    place = 13 + (3 << ((gif[10] & 7) + 1))
    return gif[:place] + b"!\xfe" + b"\1a" * count + b"\0" + gif[place:]


def rle_bmp(commands, side=28):
    header = struct.pack("<IiiHHIIiiII", 40, side, side, 1, 8, 1, 0, 0, 0, 256, 0)
    return b"BM" + struct.pack("<IHHI", 0, 0, 0, 1078) + header + bytes(1024) + b"\0\2\0\0" * commands + b"\0\1"


@pytest.mark.parametrize("data", [
    written("PNG"), written("PNG", mode="RGB"), written("JPEG", 300, "RGB"), written("JPEG", 300, progressive=True),
    written("JPEG", 300, "RGB", progressive=True, subsampling=0), written("GIF"), written("BMP"), written("WEBP"),
    written("JPEG", 40, exif=b"Exif\0\0" + written("JPEG", 8)), with_scans(20), with_chunks(b"prVt", 9000),
    gif_with_blocks(9000), with_comments(9000),
])  # fmt: skip
def test_honest_files_pass(data):
    codec.decode(data, max_pixels=PIXELS)


@pytest.mark.parametrize("begin", [b"\xff\xd8\xff", b"\x89PNG", b"GIF8", b"BM", b"\xff\xd8\xff\xda", b"II*\0", b"RIFF"])
@pytest.mark.parametrize("more", [0, 1, 20, 60])
def test_a_file_that_ends_in_its_header_is_refused_as_such(begin, more):
    with pytest.raises((Unreadable, UnsupportedType), match=r"damaged or cut short|not a picture|header of 0 bytes"):
        codec.open_file(begin + bytes(more), PIXELS)


@pytest.mark.parametrize(("data", "says"), [
    (with_chunks(b"prVt", 20_000), "10000 parts, this PNG"), (with_chunks(b"IDAT", 20_000), "10000 parts, this PNG"),
    (with_comments(20_000), "10000 parts, this JPEG"), (gif_with_blocks(20_000), "10000 parts, this GIF"),
    (with_scans(100), "32 scans"), (rle_bmp(100_000), "run-length encoded BMP of 28 x 28"),
])  # fmt: skip
def test_files_of_many_parts_are_refused(data, says):
    with pytest.raises(Unreadable, match=says):
        codec.decode(data, max_pixels=PIXELS)


@pytest.mark.parametrize("subsampling", [0, 1, 2])
@pytest.mark.parametrize(("width", "height"), [(16, 16), (33, 65), (100, 7), (1, 1)])
def test_the_samples_of_a_frame_are_those_that_its_planes_have(width, height, subsampling):
    out = io.BytesIO()
    Image.new("YCbCr", (width, height)).save(out, "JPEG", subsampling=subsampling, progressive=True)
    across, down = {0: (1, 1), 1: (2, 1), 2: (2, 2)}[subsampling]
    samples = width * height + 2 * (-(-width // across)) * (-(-height // down))
    read(out.getvalue(), samples)
    with pytest.raises(TooLarge, match=f"has {samples};"):
        read(out.getvalue(), samples - 1)


@pytest.mark.parametrize(("options", "is_refused"), [
    ({"progressive": True, "subsampling": 0}, True), ({"progressive": True, "subsampling": 2}, True),
    ({"subsampling": 0}, False),
])  # fmt: skip
def test_a_jpeg_of_50_megapixels_is_refused_if_it_is_held_whole_and_else_costs_little(tmp_path, options, is_refused):
    path = tmp_path / "large.jpg"
    Image.new("RGB", (7071, 7071), (128, 90, 10)).save(path, quality=50, **options)
    code = """
import resource, sys
from service.pictures import codec
from service.core.errors import TooLarge
data = open(sys.argv[1], "rb").read()
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
try:
    print(codec.decode(data, max_pixels=4194304, max_jpeg_pixels=50_000_000).shape)
except TooLarge as error:
    print("refused:", error)
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
"""
    done = subprocess.run([sys.executable, "-c", code, path], cwd=ROOT, capture_output=True, text=True, check=True)
    said, kib = done.stdout.splitlines()
    assert said.startswith("refused: a JPEG in several scans") == is_refused
    assert int(kib) < 50 * 1024


def test_a_scan_of_fewer_components_than_the_frame_is_one_of_several():
    data = bytearray(written("JPEG", 64, "RGB"))
    place = data.find(b"\xff\xda")
    data[place + 4] = 1
    with pytest.raises(TooLarge):
        read(bytes(data), 100)


@pytest.mark.parametrize("place", ["before the first segment", "before the scan", "and nothing else"])
def test_a_jpeg_has_few_bytes_between_its_segments(place):
    jpeg = written("JPEG", 64)
    at = {"before the first segment": 2, "before the scan": jpeg.find(b"\xff\xda")}.get(place)
    few, many = (b"\xff" * count for count in (4000, 5000))
    if at is None:
        with pytest.raises(Unreadable, match="4096 bytes between its parts"):
            codec.decode(jpeg[:2] + many, max_pixels=PIXELS)
        return
    assert codec.decode(jpeg[:at] + few + jpeg[at:], max_pixels=PIXELS).shape == (64, 64)
    with pytest.raises(Unreadable, match="4096 bytes between its parts"):
        codec.decode(jpeg[:at] + many + jpeg[at:], max_pixels=PIXELS)


def test_a_gif_has_few_bytes_between_its_blocks():
    gif = written("GIF", 40)
    at = 13 + (3 << ((gif[10] & 7) + 1) if gif[10] & 128 else 0)
    assert codec.decode(gif[:at] + bytes(4000) + gif[at:], max_pixels=PIXELS).shape == (40, 40)
    comment = b"!\xfe\x01x\0"
    for junk in (bytes(5000), bytes(3000) + comment + bytes(3000)):
        with pytest.raises(Unreadable, match="4096 bytes between its parts"):
            codec.decode(gif[:at] + junk + gif[at:], max_pixels=PIXELS)


def test_texts_that_unpack_to_gigabytes_are_left_packed():
    text = chunk(b"zTXt", b"a\0\0" + zlib.compress(bytes(2**20), 9) * 8)
    png = written("PNG")
    header = codec.open_file(png[:33] + text * 160 + png[33:], PIXELS)
    assert np.array_equal(header.decode()[0], codec.decode(png, max_pixels=PIXELS))
    assert b"zTXt" not in header._header.file()


def test_what_follows_the_end_of_a_png_s_pixels_is_not_looked_at():
    """zlib keeps what comes after its end, and copies all of it for each piece."""
    end = files.chunk(b"IDAT", zlib.compress(bytes(100)))
    head = files.chunk(b"IHDR", struct.pack(">IIBBBBB", 3000, 3000, 8, 2, 0, 0, 0))
    data = b"".join([png.SIGNATURE, head, end, files.chunk(b"IDAT", bytes(300)) * 500, files.chunk(b"IEND")])
    header = png.read(data)
    pieces = []
    rows = header.part.__self__
    rows._packed = (pieces.append(piece) or piece for piece in rows._packed)
    with pytest.raises(Unreadable, match="before its last rows"):
        header.part(0, 8, b"")
    assert len(pieces) <= 2


@pytest.mark.parametrize("kind", [6, 8, 9])
def test_no_negative_number_of_a_tiff_s_directory_gets_further(kind):
    """Every tag in turn, of each type that has a sign: refused, or as it was where the tag is not read."""
    whole = encode(np.random.default_rng(1).integers(0, 255, (70, 60, 3), np.uint8), "TIFF", tiffinfo={278: 16})
    (place,) = struct.unpack_from("<I", whole, 4)
    (count,) = struct.unpack_from("<H", whole, place)
    refused = 0
    for at in range(place + 2, place + 2 + 12 * count, 12):
        changed = bytearray(whole)
        struct.pack_into("<HIi", changed, at + 2, kind, 1, -(2**31) if kind == 9 else -1)
        try:
            tiff.read(bytes(changed), 10**6).file()
        except Unreadable:
            refused += 1
    assert refused >= 8


def test_the_tables_of_a_tiff_s_jpegs_have_the_size_of_tables():
    picture = encode(np.zeros((64, 64, 3), np.uint8), "TIFF", compression="jpeg")
    assert tiff.read(picture, 10**6).file()
    (place,) = struct.unpack_from("<I", picture, 4)
    (count,) = struct.unpack_from("<H", picture, place)
    tags = [struct.unpack_from("<H", picture, place + 2 + 12 * each)[0] for each in range(count)]
    changed = bytearray(picture + bytes(2**17))
    struct.pack_into("<II", changed, place + 2 + 12 * tags.index(tiff.TABLES) + 4, 2**17, len(picture))
    with pytest.raises(Unreadable, match="65536 bytes, these have 131072"):
        tiff.read(bytes(changed), 10**6)
