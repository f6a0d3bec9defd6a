"""
Bytes in, pixels out; arrays in, PNG out. The one file that imports Pillow.

Only the formats below are ever opened: every other decoder of Pillow is out of reach, whatever the bytes say.
"""

import io
import struct
import warnings
import zlib
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass
from typing import Any

import numpy as np
from PIL import (
    BmpImagePlugin,
    GifImagePlugin,
    Image,
    ImageOps,
    JpegImagePlugin,
    PngImagePlugin,
    UnidentifiedImageError,
    WebPImagePlugin,
)

from service.core.digit import Frame
from service.core.errors import TooLarge, Unreadable, UnsupportedType
from service.pictures import anatomy

# Named by their plugins, so that each is registered before the first request. A JPEG may turn out to be an MPO, which
# several phones write; Pillow's JPEG plugin opens that itself.
FORMATS = tuple(
    plugin.format
    for plugin in (
        PngImagePlugin.PngImageFile,
        JpegImagePlugin.JpegImageFile,
        WebPImagePlugin.WebPImageFile,
        GifImagePlugin.GifImageFile,
        BmpImagePlugin.BmpImageFile,
    )
)
SIGNATURES = (b"\x89PNG", b"\xff\xd8\xff", b"RIFF", b"GIF8", b"BM")
NAMES = "PNG, JPEG, WEBP, GIF or BMP"

# The pixel caps below are checked against the header, before anything is decoded. Pillow's own cap would also refuse
# pictures that ours allows (a large JPEG that is decoded at reduced size).
Image.MAX_IMAGE_PIXELS = None

# Pillow warns of each odd entry of a file, of which there can be thousands: on stderr, with nothing that says of which
# request, and Python remembers the text of each. What a picture cannot do without is refused in words anyway.
warnings.filterwarnings("ignore", module=r"PIL\.")

# A photograph for the digit reader is decoded at the smallest scale whose longer side is still this long: eight times
# cheaper than in full, and twice what the reader works on. In pixels.
REDUCED_SIDE = 480

ORIENTATION_TAG = 0x0112
# Values of it (EXIF 3.0, 4.6.5.1.6): rows become columns; the upright picture's left, or top, is stored last.
SIDEWAYS, FROM_RIGHT, FROM_BELOW = {5, 6, 7, 8}, {2, 3, 6, 7}, {3, 4, 7, 8}
# Pillow's decoders raise any of these on damaged data.
_DAMAGED = (
    AssertionError,
    EOFError,
    IndexError,
    MemoryError,
    OSError,
    OverflowError,
    SyntaxError,
    ValueError,
    struct.error,
)
SIXTEEN_BIT_MODES = ("I;16", "I;16B", "I;16L", "I;16N", "I")


def decode(data: bytes, *, max_pixels: int, max_jpeg_pixels: int = 0, keep_alpha: bool = False) -> np.ndarray:
    """
    Decode the first frame of a picture, upright.

    data: the bytes of a PNG, JPEG (or MPO), WEBP, GIF or BMP file
    max_pixels: what the header may claim, width x height
    max_jpeg_pixels: when not 0, a JPEG may claim this many, and is decoded at reduced size (REDUCED_SIDE or more)
    keep_alpha: keep transparency as a fourth channel; otherwise it is laid over white, as on paper
    returns: uint8 (height, width) for grey, (height, width, 3) or (height, width, 4) for colour;
        float32 (height, width) in 0..1 for 16-bit grey
    raises: UnsupportedType, TooLarge, Unreadable

    >>> decode(encode_png(np.array([[0, 255]], np.uint8)), max_pixels=100)
    array([[  0, 255]], dtype=uint8)
    """
    return decode_in_frame(data, max_pixels, max_jpeg_pixels, keep_alpha=keep_alpha)[0]


def decode_in_frame(
    data: bytes, max_pixels: int, max_jpeg_pixels: int = 0, *, keep_alpha: bool = False
) -> tuple[np.ndarray, Frame | None]:
    """
    Decode as `decode` does, and say where the pixels lie in the posted picture; None where they are its own.

    raises: UnsupportedType, TooLarge, Unreadable
    """
    return open_file(data, max_pixels, max_jpeg_pixels, keep_alpha=keep_alpha).decode()


@dataclass(slots=True)  # frozen, it takes a microsecond more to make
class PictureFile:
    """
    A picture file whose header has been read, and whose pixels are still to be decoded.

    data: its bytes   kind: its format, "WEBP lossless" and "BMP in runs" being two of them
    pixels: width x height, as it claims   scans: how often its decoder goes over them beside once
    """

    data: bytes
    kind: str
    pixels: int
    scans: int
    _image: Image.Image | None
    _limits: tuple[int, int, bool]
    _plain: tuple[int, int, int] | None = None

    def decode(self) -> tuple[np.ndarray, Frame | None]:
        """Decode it, once; what `decode_in_frame` returns and raises."""
        max_pixels, max_jpeg_pixels, keep_alpha = self._limits
        if self._plain is not None and (plain := _plain_png(self.data, *self._plain)) is not None:
            return plain, None
        if self._image is None:
            anatomy.check(self.data, max_pixels)
        try:
            # Closing it frees its pixels.
            with closing(self._image or _open(self.data)) as image:
                _check_size(image, max_pixels, max_jpeg_pixels)
                frame = _reduce(image) if max_jpeg_pixels and image.format in {"JPEG", "MPO"} else None
                return _pixels(_upright(image), keep_alpha=keep_alpha), frame
        except _DAMAGED as error:
            raise _refusal_of(self.data, type(error), str(error)) from None


def open_file(data: bytes, max_pixels: int, max_jpeg_pixels: int = 0, *, keep_alpha: bool = False) -> PictureFile:
    """Read the header of a picture file; the arguments and errors are those of `decode`."""
    limits = max_pixels, max_jpeg_pixels, keep_alpha
    plain = _plain_head(data, max_pixels)
    if plain is not None:
        return PictureFile(data, "PNG", plain[0] * plain[1], 0, None, limits, plain)
    scans = anatomy.check(data, max_pixels)
    try:
        image = _open(data)
    except _DAMAGED as error:
        raise _refusal_of(data, type(error), str(error)) from None
    _check_size(image, max_pixels, max_jpeg_pixels)
    kind = "JPEG" if image.format == "MPO" else str(image.format)
    if kind == "WEBP" and data[12:16] == b"VP8L":
        kind = "WEBP lossless"
    elif kind == "BMP" and anatomy.is_run_length_encoded(data):
        kind = "BMP in runs"
    # Pillow makes room for all pixels of a WEBP when it opens one: a batch of them is opened one at a time.
    kept = None if image.format == "WEBP" else image
    return PictureFile(data, kind, image.width * image.height, scans, kept, limits)


def open_posted(data: bytes, max_pixels: int, max_jpeg_pixels: int, *, for_digit: bool) -> PictureFile:
    """
    Read the header of a picture file that was sent in to be used.

    for_digit: only a picture that becomes a digit may be a JPEG of up to max_jpeg_pixels, decoded at reduced size, and
        keeps its transparency: only the digit reader knows what to make of either
    raises: what `decode` raises
    """
    return open_file(data, max_pixels, max_jpeg_pixels if for_digit else 0, keep_alpha=for_digit)


def _refusal_of(data: bytes, kind: type[Exception], message: str) -> Unreadable | UnsupportedType:
    """What to say of a file that Pillow does not read."""
    if kind is not UnidentifiedImageError:
        return Unreadable(f"the picture is damaged or cut short: {message[:120]}")
    if data.startswith(SIGNATURES):
        return Unreadable("the picture is damaged or cut short: its header cannot be read")
    return UnsupportedType(f"not a picture this service reads: wanted {NAMES}, got {describe(data)}")


# Signature, header chunk and the head of the chunk after it, of the plainest PNG there is.
_PNG_HEAD = struct.Struct(">8s 8s II BBBBB I I4s")
_PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_PNG_END = b"\0\0\0\0IEND\xaeB`\x82"
_PLAIN_MODES = {0: ("L", 1), 2: ("RGB", 3)}  # by colour type


def _plain_head(data: bytes, max_pixels: int) -> tuple[int, int, int] | None:
    """The width, height and colour type of the plainest kind of PNG; None for every other file."""
    if not data.startswith(_PNG_SIGNATURE) or len(data) < _PNG_HEAD.size or not data.endswith(_PNG_END):
        return None
    _, header, width, height, depth, colour, *ways, check, length, kind = _PNG_HEAD.unpack_from(data)
    is_plain = header == b"\0\0\0\rIHDR" and kind == b"IDAT" and depth == 8 and colour in _PLAIN_MODES and not any(ways)
    if not is_plain or length != len(data) - 57 or zlib.crc32(data[12:29]) != check:
        return None
    return (width, height, colour) if 0 < width * height <= max_pixels else None


def _plain_png(data: bytes, width: int, height: int, colour: int) -> np.ndarray | None:
    """
    Decode a PNG of 8 bits, grey or RGB, that has a header, one chunk of pixels, an end and nothing else.

    That is what most programs write of a small picture. Pillow's inflating and unfiltering without the Python around
    them takes a third of the time. None for one that is damaged: Pillow then says how.
    """
    mode, channels = _PLAIN_MODES[colour]
    # What Image.load and Image.tobytes call; the test of this function sees it when Pillow changes them.
    pixels = Image.core.new(mode, (width, height))  # type: ignore[attr-defined]
    decoder = Image._getdecoder(mode, "zip", mode)  # noqa: SLF001
    decoder.setimage(pixels, (0, 0, width, height))
    if decoder.decode(data[_PNG_HEAD.size : -16]) != (-1, 0):
        return None
    encoder = Image._getencoder(mode, "raw", mode)  # noqa: SLF001
    encoder.setimage(pixels, (0, 0, width, height))
    levels = np.frombuffer(encoder.encode(width * height * channels)[2], np.uint8)
    return levels.reshape((height, width) if channels == 1 else (height, width, channels))


def _open(data: bytes) -> Image.Image:
    # Straight to the reader of the commonest format: looking through the list costs as much as decoding a digit.
    if data.startswith(b"\x89PNG"):
        return PngImagePlugin.PngImageFile(io.BytesIO(data))
    return Image.open(io.BytesIO(data), formats=FORMATS)


def describe(data: bytes) -> str:
    """Say what a body seems to be, for the message that refuses it."""
    if not data:
        return "an empty body"
    start = " ".join(f"{byte:02x}" for byte in data[:8])
    return f"{len(data)} bytes that begin with {start}"


def _check_size(image: Image.Image, max_pixels: int, max_jpeg_pixels: int) -> None:
    width, height = image.size
    allowed = max(max_pixels, max_jpeg_pixels) if image.format in {"JPEG", "MPO"} else max_pixels
    if width * height > allowed:
        raise TooLarge(f"a picture may have {allowed} pixels, this {image.format} has {width} x {height}")


def _reduce(image: Image.Image) -> Frame | None:
    """Have a JPEG decoded at an eighth, a quarter or half of its size, where it is large."""
    # draft() keeps at least the size it is given, on both axes; it only reads the header.
    width, height = image.size
    scale = REDUCED_SIDE / max(width, height)
    drafted = image.draft(None, (max(1, int(width * scale)), max(1, int(height * scale)))) if scale < 1 else None
    if drafted is None or image.size == (width, height):
        return None
    step = round(width / drafted[1][2])
    # The last pixel of a row or column may reach beyond the picture. Turned upright, it may be the first.
    beyond_x, beyond_y = width - step * image.width, height - step * image.height
    turn = _turn(image)
    if turn in SIDEWAYS:
        width, height, beyond_x, beyond_y = height, width, beyond_y, beyond_x
    return Frame(step, beyond_x if turn in FROM_RIGHT else 0, beyond_y if turn in FROM_BELOW else 0, width, height)


def _turn(image: Image.Image) -> int:
    # getexif() parses EXIF even where there is none to parse, which costs more than a small picture.
    return image.getexif().get(ORIENTATION_TAG, 1) if "exif" in image.info else 1


def _upright(image: Image.Image) -> Image.Image:
    return image if _turn(image) == 1 else ImageOps.exif_transpose(image)


def _pixels(image: Image.Image, *, keep_alpha: bool) -> np.ndarray:
    if image.mode == "L" and "transparency" not in image.info:
        return np.frombuffer(image.tobytes(), np.uint8).reshape(image.height, image.width)
    if image.mode in SIXTEEN_BIT_MODES:
        return np.asarray(image).astype(np.float32) / np.float32(65535)
    if image.mode == "F":
        raise Unreadable("a picture of floating point pixels: post the numbers themselves as npy or JSON")
    if image.mode == "1":
        return np.asarray(image.convert("L"))
    if image.has_transparency_data:
        return _transparent(image, keep_alpha=keep_alpha)
    return np.asarray(image if image.mode == "RGB" else image.convert("RGB"))


def _transparent(image: Image.Image, *, keep_alpha: bool) -> np.ndarray:
    rgba = image.convert("RGBA")
    if rgba.getchannel("A").getextrema() == (255, 255):
        return np.asarray(rgba.convert("RGB"))
    if keep_alpha:
        return np.asarray(rgba)
    paper = Image.new("RGBA", rgba.size, (255, 255, 255, 255))
    return np.asarray(Image.alpha_composite(paper, rgba).convert("RGB"))


def encode_png(levels: np.ndarray, text: Mapping[str, Any] | None = None) -> bytes:
    """
    Write a PNG.

    levels: uint8 (height, width) or (height, width, 3); text: key and value of text chunks
    returns: the bytes of the file

    >>> encode_png(np.zeros((2, 2), np.uint8))[1:4]
    b'PNG'
    """
    chunks = PngImagePlugin.PngInfo()
    for key, value in (text or {}).items():
        chunks.add_text(key, str(value))
    out = io.BytesIO()
    # Level 1 is five times faster than the default on feature maps, and the file a tenth larger.
    Image.fromarray(levels).save(out, "PNG", pnginfo=chunks, compress_level=1)
    return out.getvalue()
