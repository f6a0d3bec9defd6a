"""Pictures from bytes: the short way through Pillow against the long one, and what goes the long way."""

import io
import struct
import zlib

import numpy as np
import pytest
from PIL import Image

from service.core.errors import ServiceError
from service.pictures import codec
from tests.drawing import draw
from tests.pictures.files import chunk


def png(levels, **options):
    out = io.BytesIO()
    Image.fromarray(levels).save(out, "PNG", **options)
    return out.getvalue()


def without_a_shortcut(data, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr(codec, "_inflated", lambda *_, **__: None)
        return outcome(data)


def outcome(data):
    try:
        return codec.decode(data, max_pixels=100_000).tolist()
    except ServiceError as error:
        return type(error), error.detail


@pytest.mark.parametrize("seed", range(40))
def test_a_plain_png_is_decoded_as_pillow_decodes_it(seed, monkeypatch):
    random = np.random.default_rng(seed)
    height, width = random.integers(1, 70, 2)
    shape = (height, width) if seed % 2 else (height, width, 3)
    smooth = np.cumsum(random.integers(0, 3, shape), axis=1)  # so that every filter of PNG is used
    levels = (random.integers(0, 256, shape) if seed % 3 else smooth).astype(np.uint8)
    data = png(levels, compress_level=int(random.integers(0, 10)))
    assert codec._plain_head(data, 100_000) is not None
    assert codec.decode(data, max_pixels=100_000).tolist() == levels.tolist()
    assert without_a_shortcut(data, monkeypatch) == levels.tolist()


@pytest.mark.parametrize("for_digit", [False, True])
@pytest.mark.parametrize("opacity", ["none stored", "full", "full but for one pixel", "any"])
@pytest.mark.parametrize("colours", ["grey", "grey but for one pixel", "any"])
def test_a_plain_coloured_png_loses_only_what_says_nothing(colours, opacity, for_digit, monkeypatch):
    random = np.random.default_rng(len(colours) * len(opacity))
    levels = random.integers(0, 255, (37, 23, 4)).astype(np.uint8)
    if colours != "any":
        levels[:, :, :3] = levels[:, :, :1]
        levels[20, 11, 2] += colours != "grey"
    if opacity != "any":
        levels[:, :, 3] = 255
        levels[9, 22, 3] -= opacity == "full but for one pixel"
    data = png(levels[:, :, :3] if opacity == "none stored" else levels)
    monkeypatch.setattr(codec, "_by_pillow", None)
    decoded = codec.decode(data, max_pixels=1000, keep_alpha=for_digit)
    is_opaque = opacity in {"none stored", "full"}
    if not for_digit and not is_opaque:
        paper = Image.new("RGBA", (23, 37), "white")
        paper.alpha_composite(Image.fromarray(levels))
        assert np.abs(decoded.astype(int) - np.asarray(paper.convert("RGB"))).max() <= 1
    elif for_digit and is_opaque and colours == "grey":
        assert np.array_equal(decoded, levels[:, :, 0])
    else:
        assert np.array_equal(decoded, levels[:, :, : 3 if is_opaque else 4])


@pytest.mark.parametrize("seed", range(300))
def test_a_damaged_png_has_the_same_outcome_either_way(seed, monkeypatch):
    random = np.random.default_rng(seed)
    data = bytearray(png(draw(int(random.choice([1, 2, 3, 4, 7])))))
    for _ in range(random.integers(1, 4)):
        data[random.integers(8, len(data))] = random.integers(256)
    if seed % 4 == 0:
        del data[random.integers(len(data)) :]
    assert outcome(bytes(data)) == without_a_shortcut(bytes(data), monkeypatch)


def test_what_is_more_than_plain_goes_the_long_way():
    grey = draw(4, 28)
    out = io.BytesIO()
    Image.fromarray(grey).convert("P").save(out, "PNG")
    bits = io.BytesIO()
    Image.fromarray(grey > 99).save(bits, "PNG")
    interlaced = bytearray(png(grey))
    interlaced[28] = 1
    interlaced[29:33] = struct.pack(">I", zlib.crc32(bytes(interlaced[12:29])))
    with_text = png(grey)[:33] + chunk(b"tEXt", b"a\0b") + png(grey)[33:]
    transparent = png(np.dstack([grey] * 4))
    for data in (out.getvalue(), bits.getvalue(), transparent, bytes(interlaced), with_text, png(grey) + b"x"):
        assert codec._plain_head(data, 100_000) is None
    assert codec.decode(with_text, max_pixels=784).tolist() == grey.tolist()


def test_a_plain_png_over_the_limit_is_refused_by_its_header():
    header = struct.pack(">IIBBBBB", 60_000, 60_000, 8, 0, 0, 0, 0)
    bomb = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"\0" * 10**6))
    with pytest.raises(codec.TooLarge, match="60000 x 60000"):
        codec.decode(bomb + chunk(b"IEND", b""), max_pixels=4_000_000)


@pytest.mark.parametrize("shape", [(3000, 2900), (1700, 1700, 3), (2, 2**23), (2**22 + 1, 2)])
def test_a_large_png_is_written_in_pieces_and_ends_where_it_is_told_to(shape):
    levels = np.random.default_rng(0).integers(0, 7, shape, dtype=np.uint8)
    pieces = []
    written = codec.encode_png(levels, {"range": "IDAT", "polarity": "\u2014"}, lambda: pieces.append(1))
    with Image.open(io.BytesIO(written)) as image:
        image.load()
        assert image.text == {"range": "IDAT", "polarity": "\u2014"}
        np.testing.assert_array_equal(np.asarray(image), levels)
    assert len(pieces) >= 2

    def stop():
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        codec.encode_png(levels, go_on=stop)
