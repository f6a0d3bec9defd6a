"""Picture files whose headers are read and whose pixels are not: small, whatever they claim."""

import io
import struct
import zlib
from contextlib import suppress

import numpy as np
import pytest
from PIL import Image

from service.core.errors import ServiceError, TooLarge
from service.pictures import codec
from service.pictures.header import MAX_ENTRIES
from tests.drawing import draw, encode
from tests.pictures import files
from tests.pictures.test_boxes import steps_of


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP", "GIF", "BMP", "AVIF", "TIFF"])
def test_a_file_is_opened_without_its_pixels_and_decoded_as_before(kind):
    data = encode(draw(3, 300), kind)
    file = codec.open_file(data, 100_000)
    assert (file.kind.split()[0], file.pixels) == (kind, 90_000)
    pixels, frame = file.decode()
    assert frame is None
    assert np.array_equal(pixels, codec.decode(data, max_pixels=100_000))


def mapped_bytes():
    with open("/proc/self/statm", encoding="ascii") as file:  # noqa: PTH123
        return int(file.read().split()[0]) * 4096


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP", "GIF", "BMP", "AVIF", "TIFF"])
def test_many_opened_files_hold_no_pixels(kind):
    """In address space, where room for pixels is made before they are written."""
    out = io.BytesIO()
    Image.new("RGB", (2000, 2000)).save(out, kind)
    codec.open_file(out.getvalue(), 4_000_000)
    try:
        before = mapped_bytes()
    except OSError:
        pytest.skip("this system has no /proc")
    opened = [codec.open_file(out.getvalue(), 4_000_000) for _ in range(16)]
    assert mapped_bytes() - before < 100_000_000  # their pixels have 192 million
    assert len(opened) == 16


def test_scans_of_a_jpeg_that_is_held_whole_are_counted():
    image = Image.fromarray(draw(3, 300))
    counts = []
    for progressive in (False, True):
        out = io.BytesIO()
        image.save(out, "JPEG", progressive=progressive)
        counts.append(codec.open_file(out.getvalue(), 100_000).scans)
    assert counts[0] == 0
    assert counts[1] > 1


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP", "GIF", "BMP", "AVIF", "TIFF", "PNG of any type", "BMP of any"])
def test_a_file_of_which_any_byte_is_another_is_pixels_or_a_refusal(kind):
    """As far as its header goes, and each byte for itself: names of parts, lengths, types, counts."""
    random = np.random.default_rng(6)
    for _ in range(10 if " of " in kind else 1):
        if " of " in kind:
            bits = int(random.choice([1, 2, 4, 8, 16, 24, 32]))
            data = files.png(random) if kind.startswith("PNG") else files.bmp(random, bits=bits)
        else:
            data = encode(draw(3, 40), kind)
        for place in range(min(len(data), 400)):
            changed = data[:place] + bytes([data[place] ^ int(random.integers(1, 256))]) + data[place + 1 :]
            with suppress(ServiceError):
                assert codec.decode(changed, max_pixels=20_000).size


def tiled_tiff(across, down, tiles, aside=0):
    """A TIFF one pixel high, of tiles beside each other that reach far below it; aside: entries of no use."""
    tile = zlib.compress(bytes(across * down))
    tags = [
        (256, [across * tiles]), (257, [1]), (258, [8]), (259, [8]), (262, [1]), (277, [1]), (322, [across]),
        (323, [down]), (324, [8 + index * len(tile) for index in range(tiles)]), (325, [len(tile)] * tiles),
    ]  # fmt: skip
    data = b"II*\0" + struct.pack("<I", 8 + tiles * len(tile)) + tile * tiles
    entries, values, after = b"", b"", len(data) + 2 + 12 * (len(tags) + aside) + 4
    for tag, numbers in tags:
        packed = struct.pack(f"<{len(numbers)}I", *numbers)
        if len(packed) > 4:
            packed, values, after = struct.pack("<I", after), values + packed, after + len(packed)
        entries += struct.pack("<HHI", tag, 4, len(numbers)) + packed
    entries += struct.pack("<HHII", 65000, 4, 1, 0) * aside
    return data + struct.pack("<H", len(tags) + aside) + entries + bytes(4) + values


def test_a_tiff_of_many_entries_is_read_in_few_steps():
    data = tiled_tiff(16, 16, 1, aside=65_000)
    assert codec.open_file(data, 1_000_000).pixels == 256
    assert steps_of(codec.open_file, data, 1_000_000) < 3 * MAX_ENTRIES


@pytest.mark.parametrize(("across", "down", "tiles"), [(16, 16, 1), (16, 4096, 3), (256, 256, 5), (16, 62_500, 2)])
def test_what_tiles_have_beyond_their_picture_counts_as_pixels(across, down, tiles):
    file = codec.open_file(tiled_tiff(across, down, tiles), 1_000_000)
    assert file.pixels == across * down * tiles
    assert file.held >= across * down
    assert file.decode()[0].shape == (1, across * tiles)


@pytest.mark.parametrize(("down", "tiles"), [(62_512, 2), (2_000_000, 1), (1_000_000, 50)])
def test_tiles_of_far_more_pixels_than_a_picture_may_have_are_refused(down, tiles):
    with pytest.raises(TooLarge, match=r"may have 2000000 pixels, these have \d+"):
        codec.open_file(tiled_tiff(16, down, tiles), 1_000_000)
