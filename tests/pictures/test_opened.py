"""Picture files whose headers are read and whose pixels are not: small, whatever they claim."""

import io

import numpy as np
import pytest
from PIL import Image

from service.pictures import codec
from tests.drawing import draw, encode


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
