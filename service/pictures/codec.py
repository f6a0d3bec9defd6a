"""
Bytes in, pixels out; arrays in, PNG out. The one file that imports Pillow.

Only the formats below are ever opened: every other decoder of Pillow is out of reach, whatever the bytes say. Levels
are those of the file: profiles of colour, and what a PNG says of its gamma, are not applied.
"""

import ctypes
import io
import math
import struct
import warnings
import zlib
from collections.abc import Callable, Mapping
from contextlib import closing, suppress
from dataclasses import dataclass, replace
from typing import Any, NamedTuple, Protocol

import numpy as np
from PIL import (
    AvifImagePlugin,
    GifImagePlugin,
    Image,
    ImageFile,
    JpegImagePlugin,
    PngImagePlugin,
    TiffImagePlugin,
    UnidentifiedImageError,
    WebPImagePlugin,
)

try:
    import pi_heif
    import pi_heif.options
except ImportError:  # the extra `heic`
    pi_heif = None

from service.core.colour import is_grey
from service.core.digit import Frame
from service.core.errors import TooLarge, Unreadable, UnsupportedType
from service.pictures import bmp, boxes, gif, jpeg, kinds, png, tiff, webp
from service.pictures.header import Header, orientation
from service.pictures.kinds import SIGNATURES

__all__ = ["SIGNATURES", "PictureFile", "decode", "decode_in_frame", "encode_png", "open_file", "open_posted"]

# The reader of each; that of HEIC comes with the extra `heic`. Named here, so that each is imported before the first
# request.
READERS: dict[str, Any] = {
    "PNG": PngImagePlugin.PngImageFile,
    "JPEG": JpegImagePlugin.JpegImageFile,
    "WEBP": WebPImagePlugin.WebPImageFile,
    "WEBP lossless": WebPImagePlugin.WebPImageFile,
    "GIF": GifImagePlugin.GifImageFile,
    "AVIF": AvifImagePlugin.AvifImageFile,
    "TIFF": TiffImagePlugin.TiffImageFile,
}


if pi_heif is not None:
    READERS["HEIC"] = pi_heif.HeifImageFile
    # One thread, and nothing but the picture itself.
    pi_heif.options.DECODE_THREADS = 1
    pi_heif.options.THUMBNAILS = pi_heif.options.DEPTH_IMAGES = pi_heif.options.AUX_IMAGES = False
AvifImagePlugin.DEFAULT_MAX_THREADS = 1  # a worker has one core

# The pixel caps below are checked against the header, before anything is decoded. Pillow's own cap would also refuse
# pictures that ours allows (a large JPEG that is decoded at reduced size).
Image.MAX_IMAGE_PIXELS = None

# Pillow warns of each odd entry of a file, of which there can be thousands: on stderr, with nothing that says of which
# request, and Python remembers the text of each. What a picture cannot do without is refused in words anyway.
warnings.filterwarnings("ignore", module=r"PIL\.")


def _silence() -> None:
    """Have libtiff write nothing of a damaged file to stderr either."""
    library = ctypes.CDLL(Image.core.__file__)  # type: ignore[attr-defined]
    for name in ("TIFFSetErrorHandler", "TIFFSetWarningHandler"):
        if hasattr(library, name):
            getattr(library, name)(None)


_silence()

# A photograph for the digit reader is decoded at the smallest scale whose longer side is still this long: eight times
# cheaper than in full, and twice what the reader works on. In pixels. A large scan is brought to that scale in bands.
REDUCED_SIDE = 480
STEPS = (8, 4, 2)
# Of a JPEG whose end is missing: rows of the last blocks, and those that are smoothed with them.
LAST_ROWS = 24
BAND_PIXELS = 2**18
DECODED_BYTES = 2**27  # that a picture which is reduced may hold while it is decoded
BAND_BYTES = 32  # of each pixel of a band, while it is averaged
ROW_BYTES = 16  # that Pillow holds for each row, beside its pixels

# Values of EXIF's orientation (EXIF 3.0, 4.6.5.1.6): rows become columns; the upright picture's left, or top, is stored
# last.
SIDEWAYS, FROM_RIGHT, FROM_BELOW = {5, 6, 7, 8}, {2, 3, 6, 7}, {3, 4, 7, 8}
# Pillow's decoders raise any of these on damaged data.
_DAMAGED = (
    ArithmeticError,
    AssertionError,
    AttributeError,
    EOFError,
    LookupError,
    MemoryError,
    OSError,
    RuntimeError,
    SyntaxError,
    TypeError,
    ValueError,
    struct.error,
    zlib.error,
)
SIXTEEN_BIT_MODES = ("I;16", "I;16B", "I;16L", "I;16N", "I")
# What a picture that is decoded in full holds, a pixel: as it was decoded, twice, for a moment.
DECODED_PIXEL_BYTES = 8
# Where a colour is transparent: with opacity, and laid on a ground; grey of 16 bits becomes four floats, and three.
CLEAR_PIXEL_BYTES, CLEAR_DEEP_PIXEL_BYTES = 16, 32


class PixelLimits(NamedTuple):
    """
    How many pixels a picture may have, width x height, by its header.

    pixels: of one that is decoded in full; jpeg, scan: of a JPEG, and of a file of any other kind, that is decoded for
    the digit reader, at reduced size; 0 for none such; keep_alpha: transparency is kept as a fourth channel
    side: how long the longer side of what is reduced still is, at the least
    """

    pixels: int
    jpeg: int = 0
    scan: int = 0
    keep_alpha: bool = False
    side: int = REDUCED_SIDE

    def allowed(self, kind: str) -> int:
        """How many a picture of this kind may have."""
        return max(self.pixels, self.jpeg if kind == "JPEG" else self.scan)


def decode(
    data: bytes, *, max_pixels: int, max_jpeg_pixels: int = 0, max_scan_pixels: int = 0, keep_alpha: bool = False
) -> np.ndarray:
    """
    Decode the first frame of a picture, upright.

    data: the bytes of a PNG, JPEG (or MPO), WEBP, GIF, BMP, AVIF or TIFF file, or HEIC with the extra `heic`
    max_pixels: what the header may claim, width x height
    max_jpeg_pixels: when not 0, a JPEG may claim this many, and is decoded at reduced size (REDUCED_SIDE or more)
    max_scan_pixels: when not 0, any other file may claim this many; above max_pixels it is reduced as a JPEG is
    keep_alpha: for the digit reader: keep transparency as a fourth channel; otherwise it is laid over white, as on
        paper. Of a coloured picture that is grey throughout, it may be given one plane
    returns: uint8 (height, width) for grey, (height, width, 3) or (height, width, 4) for colour;
        float32 (height, width) in 0..1 for 16-bit grey
    raises: UnsupportedType, TooLarge, Unreadable

    >>> decode(encode_png(np.array([[0, 255]], np.uint8)), max_pixels=100)
    array([[  0, 255]], dtype=uint8)
    """
    return decode_in_frame(data, max_pixels, max_jpeg_pixels, max_scan_pixels, keep_alpha=keep_alpha)[0]


def decode_in_frame(
    data: bytes, max_pixels: int, max_jpeg_pixels: int = 0, max_scan_pixels: int = 0, *, keep_alpha: bool = False
) -> tuple[np.ndarray, Frame | None]:
    """
    Decode as `decode` does, and say where the pixels lie in the posted picture; None where they are its own.

    raises: UnsupportedType, TooLarge, Unreadable
    """
    return open_file(data, max_pixels, max_jpeg_pixels, max_scan_pixels, keep_alpha=keep_alpha).decode()


@dataclass(slots=True)  # frozen, it takes a microsecond more to make
class PictureFile:
    """
    A picture file whose header has been read, and whose pixels are still to be decoded.

    data: its bytes   kind: its format and what makes it dear, as prices know it: "WEBP lossless", "PNG clear" ...
    pixels: that its decoder unpacks: width x height, as it claims, or more   scans: how often it goes over them beside
        once   parts: that were counted on the way to them
    """

    data: bytes
    kind: str
    pixels: int
    scans: int
    _header: Header | None
    _limits: tuple[int, int, int, bool, int]
    _plain: tuple[int, int, int] | None = None
    parts: int = 0

    @property
    def held(self) -> int:
        """Bytes that decoding it holds."""
        return (
            self.pixels * DECODED_PIXEL_BYTES
            if self._header is None
            else _held(self._header, PixelLimits(*self._limits))
        )

    def decode(self) -> tuple[np.ndarray, Frame | None]:
        """Decode it, once; what `decode_in_frame` returns and raises."""
        if self._plain is not None:
            plain = _inflated(self.data[_PNG_HEAD.size : -16], *self._plain, for_digit=self._limits[3])
            if plain is not None:
                return plain, None
        limits = PixelLimits(*self._limits)
        return _decoded(self._header or _read_header(self.data, limits), limits)


def open_file(
    data: bytes,
    max_pixels: int,
    max_jpeg_pixels: int = 0,
    max_scan_pixels: int = 0,
    *,
    keep_alpha: bool = False,
    reduced_side: int = REDUCED_SIDE,
) -> PictureFile:
    """Read the header of a picture file; the arguments and errors are those of `decode`."""
    asked = (max_pixels, max_jpeg_pixels, max_scan_pixels, keep_alpha, reduced_side)
    plain = _plain_head(data, max_pixels)
    if plain is not None:
        return PictureFile(data, "PNG", plain[0] * plain[1], 0, None, asked, plain)
    limits = PixelLimits(*asked)
    header = _read_header(data, limits)
    pixels = header.width * header.height
    if not pixels:
        raise Unreadable(f"the picture is damaged: it has {header.width} x {header.height} pixels")
    allowed, name = limits.allowed(header.kind), header.kind.split()[0]
    if pixels > allowed:
        raise TooLarge(f"a picture may have {allowed} pixels, this {name} has {header.width} x {header.height}")
    if _step(header, limits) > 1 and (held := _held(header, limits)) > DECODED_BYTES:
        raise TooLarge(
            f"a picture may hold {DECODED_BYTES} bytes while it is decoded, this {name} of {header.width} x "
            f"{header.height} holds {held}: send it with fewer than {int(pixels * DECODED_BYTES / held)} pixels, or as "
            "a JPEG, or a page as a PNG or TIFF in grey"
        )
    kind = f"{header.kind} {header.dear}" if header.dear else header.kind
    unpacked = max(pixels, header.unpacked)
    return PictureFile(data, kind, unpacked, header.scans, header, limits, parts=header.parts)


def open_posted(
    data: bytes,
    max_pixels: int,
    max_jpeg_pixels: int,
    max_scan_pixels: int,
    *,
    for_digit: bool,
    reduced_side: int = REDUCED_SIDE,
) -> PictureFile:
    """
    Read the header of a picture file that was sent in to be used.

    for_digit: only a picture that becomes a digit may be larger than max_pixels, decoded at reduced size, and keeps its
        transparency: only the digit reader knows what to make of either
    reduced_side: how long the longer side of such a one still is, in pixels, at the least
    raises: what `decode` raises
    """
    large = (max_jpeg_pixels, max_scan_pixels) if for_digit else (0, 0)
    return open_file(data, max_pixels, *large, keep_alpha=for_digit, reduced_side=reduced_side)


def _read_header(data: bytes, limits: PixelLimits) -> Header:
    kind = kinds.kind_of(data)
    if kind is None:
        raise UnsupportedType(f"not a picture this service reads: wanted {kinds.NAMES}, got {kinds.describe(data)}")
    if kind == "BMP":
        return bmp.read(data).header
    if kind not in READERS:
        raise UnsupportedType(
            f"a HEIC, as telephones write it, is read only where the extra `heic` is installed: save it as JPEG, or as "
            f"another of {kinds.NAMES}"
        )
    if kind == "JPEG":
        return jpeg.read(data, limits.pixels * jpeg.BUFFERED_SAMPLES_PER_PIXEL)
    if kind == "TIFF":
        return tiff.read(data, limits.allowed(kind))
    return _HEADERS[kind](data) if kind in _HEADERS else boxes.read(data, kind)


_HEADERS: dict[str, Callable[[bytes], Header]] = {"PNG": png.read, "WEBP": webp.read, "GIF": gif.read}


def _held(header: Header, limits: PixelLimits) -> int:
    pixels, step = max(header.width * header.height, header.unpacked), _step(header, limits)
    if step == 1:
        clear = CLEAR_DEEP_PIXEL_BYTES if header.depth == 16 and len(header.clear) == 1 else CLEAR_PIXEL_BYTES
        least = clear if header.clear else DECODED_PIXEL_BYTES
        return pixels * max(least, header.held) + header.height * ROW_BYTES
    reduced = pixels // step**2 * DECODED_PIXEL_BYTES
    if header.kind == "JPEG":
        return reduced + header.is_buffered * pixels * 2 * 3
    band = max(BAND_PIXELS, header.width * step) * BAND_BYTES
    rows = header.height if header.part is None else min(header.height, _rows_of_part(header, step))
    pixels = pixels * rows // header.height
    # What a decoder holds beside the pixels is gone when they are averaged.
    averaged = pixels * min(header.held, DECODED_PIXEL_BYTES) + reduced + band
    return max(pixels * header.held, averaged) + header.height * ROW_BYTES


def _step(header: Header, limits: PixelLimits) -> int:
    """How many pixels, along each axis, become one for the digit reader."""
    width, height = header.width, header.height
    is_reduced = limits.jpeg > 0 if header.kind == "JPEG" else width * height > limits.pixels
    if not is_reduced:
        return 1
    if header.kind == "JPEG":
        # As its decoder has it: at least the size that it is given, on both axes.
        scale = limits.side / max(width, height)
        most = min(side // max(1, int(side * scale)) for side in (width, height)) if scale < 1 else 1
    else:
        most = max(width, height) // limits.side
    return next((step for step in STEPS if most >= step), 1)


def _refusal_of(kind: type[Exception], message: str) -> Unreadable:
    """What to say of a file that its decoder does not read."""
    if kind is UnidentifiedImageError or not message:
        return Unreadable("the picture is damaged or cut short: its header cannot be read")
    return Unreadable(f"the picture is damaged or cut short: {message[:120]}")


class _Rows(Protocol):
    """A picture that is decoded, as far as its rows can be had as pixels."""

    def band(self, top: int, bottom: int) -> np.ndarray:
        """Rows as uint8 or float32, with 3 channels if coloured, with 4 where something is transparent."""

    def close(self) -> None:
        """Let go of what is held."""


def _decoded(header: Header, limits: PixelLimits) -> tuple[np.ndarray, Frame | None]:
    step = _step(header, limits)
    if header.stream is not None and step == 1 and header.colour in _PLAIN_MODES:
        pixels = _inflated(header.stream(), header.width, header.height, header.colour, for_digit=limits.keep_alpha)
        if pixels is not None:
            return _finished(pixels, header, limits), None
    is_whole = step == 1 or header.kind == "JPEG"
    if header.part is not None and not is_whole:
        return _finished(_in_parts(header, step), header, limits), _frame(header, step)
    if header.kind == "BMP":
        rows: _Rows = bmp.read(header.file()).decode()
    else:
        rows = _by_pillow(header, step)
    with closing(rows):
        if is_whole and header.clear:
            pixels = _put_together(rows, header)
        else:
            pixels = rows.band(0, header.height) if is_whole else _in_bands(rows, header, step)
    return _finished(pixels, header, limits), None if step == 1 else _frame(header, step)


def _finished(pixels: np.ndarray, header: Header, limits: PixelLimits) -> np.ndarray:
    """Transparency kept where there is any and it is asked for, and the picture upright."""
    if pixels.ndim == 3 and pixels.shape[2] == 4:
        if pixels[:, :, 3].min() == (255 if pixels.dtype == np.uint8 else 1):
            pixels = _colours(pixels)
        elif not limits.keep_alpha:
            pixels = _on_paper(pixels)
    return pixels if header.turn == 1 and pixels.flags.c_contiguous else _upright(pixels, header.turn)


def _colours(pixels: np.ndarray) -> np.ndarray:
    """The first three channels of (height, width, 4)."""
    colours = np.empty((*pixels.shape[:2], 3), pixels.dtype)
    for channel in range(3):  # each by itself: four times faster
        colours[:, :, channel] = pixels[:, :, channel]
    return colours


def _in_bands(rows: _Rows, header: Header, step: int) -> np.ndarray:
    """A picture brought to a smaller scale, (height / step, width / step), a band of rows at a time."""
    each = _rows_of_band(header, step)
    return _stacked(
        [_averaged(rows.band(top, min(top + each, header.height)), step) for top in range(0, header.height, each)]
    )


def _in_parts(header: Header, step: int) -> np.ndarray:
    """The same, each part of the file decoded for itself."""
    assert header.part is not None
    parts, above, each = [], b"", _rows_of_part(header, step)
    for top in range(0, header.height, each):
        bottom = min(top + each, header.height)
        file, skip = header.part(top, bottom, above)
        height = bottom - top + skip
        of_part = replace(header, height=height, depth=8, file=_given(file), part=None, stream=None)
        with closing(_by_pillow(of_part, step)) as rows:
            above = rows.image.crop((0, height - 1, header.width, height)).tobytes()
            parts.append(_in_bands(_Below(rows, skip), replace(of_part, height=bottom - top), step))
    return _stacked(parts)


def _given(file: bytes) -> Callable[[], bytes]:
    return lambda: file


def _rows_of_band(header: Header, step: int) -> int:
    return max(1, BAND_PIXELS // (header.width * step)) * step


def _rows_of_part(header: Header, step: int) -> int:
    """Of about as many pixels as a band; those of strips or tiles, and those that become one, stay together."""
    least = math.lcm(step, header.part_rows)
    return -(-_rows_of_band(header, step) // least) * least


@dataclass(slots=True)
class _Below:
    """The rows of a picture from one on."""

    rows: _Rows
    skip: int

    def band(self, top: int, bottom: int) -> np.ndarray:
        return self.rows.band(top + self.skip, bottom + self.skip)

    def close(self) -> None:
        self.rows.close()


def _stacked(bands: list[np.ndarray]) -> np.ndarray:
    """Bands one below the other, (height, width[, channels]): grey repeated, opacity added where one has it."""
    channels = max(band.shape[2] if band.ndim == 3 else 1 for band in bands)
    pixels = np.concatenate([_with_channels(band, channels) for band in bands])
    return pixels[:, :, 0] if channels == 1 else pixels


def _put_together(rows: _Rows, header: Header) -> np.ndarray:
    """A whole picture, of which each band needs several times its memory on the way."""
    pixels: np.ndarray | None = None
    each = max(1, BAND_PIXELS // header.width)
    for top in range(0, header.height, each):
        band = rows.band(top, min(top + each, header.height))
        if pixels is None:
            pixels = np.empty((header.height, *band.shape[1:]), band.dtype)
        elif band.ndim > pixels.ndim or band.shape[2:] > pixels.shape[2:]:  # the first with anything transparent
            whole = np.empty((header.height, *band.shape[1:]), band.dtype)
            whole[:top] = _with_channels(pixels[:top], band.shape[2])
            pixels = whole
        pixels[top : top + each] = band if band.ndim == pixels.ndim == 2 else _with_channels(band, pixels.shape[2])
    assert pixels is not None
    return pixels


def _with_channels(band: np.ndarray, channels: int) -> np.ndarray:
    """(height, width, channels): grey repeated, opacity added."""
    band = band if band.ndim == 3 else band[:, :, None]
    if band.shape[2] == 1 and channels > 1:
        band = np.repeat(band, 3, axis=2)
    if band.shape[2] == 3 and channels == 4:
        full = 255 if band.dtype == np.uint8 else 1
        band = np.concatenate([band, np.full_like(band[:, :, :1], full)], axis=2)
    return band


def _averaged(band: np.ndarray, step: int) -> np.ndarray:
    """The means of step x step pixels, those of the rim of fewer; colours count as much as they are opaque."""
    height, width = band.shape[:2]
    values = band.reshape(height, width, -1)
    top = 255 if band.dtype == np.uint8 else 1
    counts = _sums(np.ones((height, 1, 1), np.uint8), step, 1) * _sums(np.ones((1, width, 1), np.uint8), 1, step)
    means: np.ndarray
    if values.shape[2] == 4 and values[:, :, 3].min() < top:
        alpha = values[:, :, 3].astype(np.float32)
        laid = [_sums((values[:, :, each] * alpha)[:, :, None], step, step) for each in range(3)]
        shown = _sums(alpha[:, :, None], step, step)
        colours = [each / np.maximum(shown, np.float32(1e-9)) for each in laid]
        means = np.concatenate([*colours, shown / counts], axis=2)
    else:
        means = _sums(values, step, step) / counts
    if band.dtype == np.uint8:
        means = np.rint(means).astype(np.uint8)
    return means


def _sums(values: np.ndarray, down: int, across: int) -> np.ndarray:
    """Sums of blocks of (height, width, channels), those of the rim of fewer pixels, as float32."""
    height, width, channels = values.shape
    if height % down or width % across:
        values = np.pad(values, ((0, -height % down), (0, -width % across), (0, 0)))
    # Of 8 rows, the sums of uint8 are 8 * 255. Rows first: they are contiguous.
    kind = np.uint16 if values.dtype == np.uint8 else np.float32
    rows = values.reshape(-1, down, values.shape[1] * channels).sum(axis=1, dtype=kind)
    blocks = rows.reshape(len(rows), -1, across, channels)
    sums: np.ndarray = blocks[:, :, 0].astype(np.float32)
    for each in range(1, across):
        sums += blocks[:, :, each]
    return sums


def _on_paper(pixels: np.ndarray) -> np.ndarray:
    """Transparency laid over white: (height, width, 3) uint8, (height, width) float32 where it was grey of 16 bits."""
    if pixels.dtype == np.float32:
        grey: np.ndarray = pixels[:, :, 0] * pixels[:, :, 3] + (1 - pixels[:, :, 3])
        return grey
    alpha = pixels[:, :, 3].astype(np.uint16)
    paper = (255 - alpha) * np.uint16(255) + np.uint16(128)
    laid = np.empty((*alpha.shape, 3), np.uint8)
    for channel in range(3):  # each by itself: five times faster
        levels = pixels[:, :, channel] * alpha
        levels += paper
        levels += levels >> 8  # with this, a shift divides by 255 and rounds
        laid[:, :, channel] = levels >> 8
    return laid


def _upright(pixels: np.ndarray, turn: int) -> np.ndarray:
    if turn in SIDEWAYS:
        pixels = pixels.swapaxes(0, 1)
    if turn in FROM_RIGHT:
        pixels = pixels[:, ::-1]
    if turn in FROM_BELOW:
        pixels = pixels[::-1]
    return np.ascontiguousarray(pixels)


def _frame(header: Header, step: int) -> Frame:
    # The last pixel of a row or column may reach beyond the picture. Turned upright, it may be the first.
    width, height = header.width, header.height
    beyond_x, beyond_y = width - step * -(-width // step), height - step * -(-height // step)
    if header.turn in SIDEWAYS:
        width, height, beyond_x, beyond_y = height, width, beyond_y, beyond_x
    left = beyond_x if header.turn in FROM_RIGHT else 0
    return Frame(step, left, beyond_y if header.turn in FROM_BELOW else 0, width, height)


# --- Pillow -----------------------------------------------------------------------------------------------------------


@dataclass(slots=True)
class _Pillow:
    """A picture that Pillow has decoded; low: the lower bytes of its samples, where they are of 16 bits in RGB."""

    image: Image.Image
    header: Header
    low: Image.Image | None = None

    def close(self) -> None:
        # Closed, a file lets its pixels go.
        self.image.close()
        if self.low is not None:
            self.low.close()

    def band(self, top: int, bottom: int) -> np.ndarray:
        image, header = self.image, self.header
        if bottom - top < image.height:
            image = image.crop((0, top, image.width, min(bottom, image.height)))
        try:
            pixels = _pixels(image)
        except MemoryError:
            raise
        except _DAMAGED as error:
            raise _refusal_of(type(error), str(error)) from None
        if header.is_inverted and pixels.dtype == np.float32:
            return np.float32(1) - pixels
        if header.clear:
            pixels = _with_clear(pixels, self._samples(image, top, bottom), header)
        if header.frame:
            pixels = _with_nothing_around(pixels, header.frame, top)
        return pixels

    def _samples(self, image: Image.Image, top: int, bottom: int) -> np.ndarray:
        """Samples as the file has them, (height, width[, 3])."""
        if image.mode in SIXTEEN_BIT_MODES:
            return np.asarray(image)
        depth = self.header.depth
        levels = np.asarray(image.convert("L") if image.mode == "1" else image)
        if depth < 8:
            return levels // np.uint8(255 // ((1 << depth) - 1))
        if self.low is None:
            return levels
        low = np.asarray(self.low.crop((0, top, image.width, min(bottom, self.low.height))))
        words: np.ndarray = levels.astype(np.uint16) << 8 | low
        return words


def _by_pillow(header: Header, step: int) -> _Pillow:
    file = header.file()
    try:
        return _loaded(header, file, step)
    except _DAMAGED as error:
        damage = type(error), str(error)  # its traceback would keep the pixels
    try:
        if header.kind == "PNG" and step == 1:
            return _loaded(header, png.mended(file, header), step)
        if header.kind == "JPEG" and jpeg.is_cut(file) and _has_all_rows(header, file, step):
            return _loaded(header, file + jpeg.END, step)
    except _DAMAGED:
        pass
    raise _refusal_of(*damage)


def _loaded(header: Header, file: bytes, step: int) -> _Pillow:
    image = _opened(header, file, step)
    image.load()
    low = _low_bytes(file) if header.clear and header.depth == 16 and image.mode == "RGB" else None
    return _Pillow(image, header, low)


def _opened(header: Header, file: bytes, step: int) -> ImageFile.ImageFile:
    image: ImageFile.ImageFile = READERS[header.kind](io.BytesIO(file))
    if header.kind in {"AVIF", "HEIC"}:
        # Its header says what the largest of its parts has.
        if image.width * image.height > header.width * header.height:
            raise Unreadable("the picture is damaged: it is larger than its parts")
        header.width, header.height = image.size
    elif image.size != (header.width, header.height):
        raise Unreadable("the picture is damaged: its header says two sizes")
    if header.kind in {"AVIF", "WEBP", "WEBP lossless"} and "exif" in image.info:
        header.turn = orientation(image.info["exif"])
    if header.kind == "JPEG" and step > 1:
        # draft() keeps at least the size it is given, on both axes.
        image.draft(None, (image.width // step, image.height // step))
    return image


def _low_bytes(file: bytes) -> Image.Image:
    """The lower bytes of 16-bit samples: to Pillow, the higher ones of samples that are stored the other way round."""
    image = PngImagePlugin.PngImageFile(io.BytesIO(file))
    image.tile = [tile._replace(args="RGB;16L") for tile in image.tile]
    image.load()
    return image


def _has_all_rows(header: Header, file: bytes, step: int) -> bool:
    """Tell whether no more than the last blocks of a JPEG are missing."""
    if header.is_buffered:
        return jpeg.ends_in_a_refinement(file)
    # What is decoded is the same on any ground.
    on_black, on_white = (_rows_on(level, header, file, step) for level in (0, 255))
    same = (on_black == on_white).reshape(len(on_black), -1).all(axis=1)
    return bool(same[: len(same) - LAST_ROWS // step].all())


def _rows_on(level: int, header: Header, file: bytes, step: int) -> np.ndarray:
    with closing(_opened(header, file, step)) as image:
        image.im = Image.core.fill(image.mode, image.size, level if image.mode == "L" else (level,) * 4)  # type: ignore[attr-defined]
        with suppress(OSError):
            image.load()
        # A file that is not loaded to its end would be loaded again.
        image.tile = []
        return np.asarray(image)


def _pixels(image: Image.Image) -> np.ndarray:
    if image.mode == "L" and "transparency" not in image.info:
        return np.frombuffer(image.tobytes(), np.uint8).reshape(image.height, image.width)
    if image.mode in SIXTEEN_BIT_MODES:
        return np.asarray(image).astype(np.float32) / np.float32(65535)
    if image.mode == "1":
        return np.asarray(image.convert("L"))
    if image.has_transparency_data:
        return np.asarray(image.convert("RGBA"))
    return np.asarray(image if image.mode == "RGB" else image.convert("RGB"))


def _with_clear(pixels: np.ndarray, samples: np.ndarray, header: Header) -> np.ndarray:
    """Pixels with opacity, (height, width, 4), where some have the colour that stands for none."""
    clear = np.equal(samples, np.array(header.clear, samples.dtype))  # one, or three
    if samples.ndim == 3:
        clear = clear.all(axis=2)
    return _with_opacity(pixels, ~clear) if clear.any() else pixels


def _with_nothing_around(pixels: np.ndarray, frame: tuple[int, int, int, int], top: int) -> np.ndarray:
    left, above, right, below = frame
    inside = np.zeros(pixels.shape[:2], bool)
    inside[max(above - top, 0) : max(below - top, 0), left:right] = True
    return _with_opacity(pixels, inside)


def _with_opacity(pixels: np.ndarray, is_opaque: np.ndarray) -> np.ndarray:
    colours = pixels[:, :, :3] if pixels.ndim == 3 else np.repeat(pixels[:, :, None], 3, axis=2)
    full = (
        pixels[:, :, 3]
        if pixels.ndim == 3 and pixels.shape[2] == 4
        else pixels.dtype.type(1 if pixels.dtype == np.float32 else 255)
    )
    return np.dstack([colours, np.where(is_opaque, full, pixels.dtype.type(0))])


# --- the plainest PNG -------------------------------------------------------------------------------------------------

# Signature, header chunk and the head of the chunk after it, of the plainest PNG there is.
_PNG_HEAD = struct.Struct(">8s 8s II BBBBB I I4s")
PIECE_BYTES = 2**23  # of a PNG, packed at a time: a tenth of a second at most
_PLAIN_MODES = {0: "L", 2: "RGB", 6: "RGBA"}  # by colour type
OPAQUE = 0xFF000000  # the least that a pixel without transparency is, as a number of 32 bits


def _plain_head(data: bytes, max_pixels: int) -> tuple[int, int, int] | None:
    """The width, height and colour type of the plainest kind of PNG; None for every other file."""
    if not data.startswith(png.SIGNATURE) or len(data) < _PNG_HEAD.size or not data.endswith(png.END):
        return None
    _, header, width, height, depth, colour, *ways, check, length, kind = _PNG_HEAD.unpack_from(data)
    is_plain = (
        header == b"\0\0\0\rIHDR" and kind == b"IDAT" and depth == 8 and colour in {png.GREY, png.RGB} and not any(ways)
    )
    if not is_plain or length != len(data) - 57 or zlib.crc32(data[12:29]) != check:
        return None
    return (width, height, colour) if 0 < width * height <= max_pixels else None


def _inflated(stream: bytes, width: int, height: int, colour: int, *, for_digit: bool) -> np.ndarray | None:
    """
    Decode the packed pixels of a PNG of 8 bits, whose rows follow each other; None where they are damaged.

    for_digit: a coloured picture that is grey throughout, as a page with a canvas posts it, is one plane
    returns: (height, width), (height, width, 3), or with a fourth channel where something is transparent

    Most programs write small pictures so. Pillow's inflating and unfiltering without the Python around them takes a
    third of the time.
    """
    mode = _PLAIN_MODES[colour]
    # What Image.load and Image.tobytes call; the test of this function sees it when Pillow changes them.
    pixels = Image.core.new(mode, (width, height))  # type: ignore[attr-defined]
    decoder = Image._getdecoder(mode, "zip", mode)  # noqa: SLF001
    decoder.setimage(pixels, (0, 0, width, height))
    if decoder.decode(stream) != (-1, 0):
        return None

    def written(layout: str) -> bytes:
        encoder = Image._getencoder(mode, "raw", layout)  # noqa: SLF001
        encoder.setimage(pixels, (0, 0, width, height))
        whole: bytes = encoder.encode(width * height * 4)[2]
        return whole

    if mode == "L":
        return np.frombuffer(written("L"), np.uint8).reshape(height, width)
    # One number a pixel, opacity in its highest byte: what holds of all of them is seen in one pass.
    if mode == "RGBA" or for_digit:
        words = np.frombuffer(written("RGBX" if mode == "RGB" else "RGBA"), "<u4")
        colours = words.view(np.uint8).reshape(height, width, 4)
        if words.min() < OPAQUE:
            return colours
        if for_digit and is_grey(colours):
            return words.astype(np.uint8).reshape(height, width)
    return np.frombuffer(written("RGB"), np.uint8).reshape(height, width, 3)


def encode_png(
    levels: np.ndarray, text: Mapping[str, Any] | None = None, go_on: Callable[[], None] = lambda: None
) -> bytes:
    """
    Write a PNG.

    levels: uint8 (height, width) or (height, width, 3); text: key and value of text chunks
    go_on: called between pieces of a large one; what it raises ends the work
    returns: the bytes of the file

    >>> encode_png(np.zeros((2, 2), np.uint8))[1:4]
    b'PNG'
    """
    chunks = PngImagePlugin.PngInfo()
    for key, value in (text or {}).items():
        chunks.add_text(key, str(value))
    # Level 1 is five times faster than the default on feature maps, and the file a tenth larger.
    if levels.size <= PIECE_BYTES:
        out = io.BytesIO()
        Image.fromarray(levels).save(out, "PNG", pnginfo=chunks, compress_level=1)
        return out.getvalue()
    # Pillow would write all of it in one call.
    header = struct.pack(">II5B", levels.shape[1], levels.shape[0], 8, {2: 0, 3: 2}[levels.ndim], 0, 0, 0)
    parts = [png.SIGNATURE, *_chunk(b"IHDR", header)]
    for kind, content, *_ in chunks.chunks:
        parts += _chunk(kind, content)
    packer = zlib.compressobj(1)
    rows = max(1, PIECE_BYTES // levels[0].size)
    for start in range(0, len(levels), rows):
        go_on()
        parts += _chunk(b"IDAT", packer.compress(_filtered(levels, start, start + rows).data))
    return b"".join([*parts, *_chunk(b"IDAT", packer.flush()), *_chunk(b"IEND", b"")])


def _filtered(levels: np.ndarray, start: int, stop: int) -> np.ndarray:
    """Rows of a picture as PNG packs them: after the number of a filter, 2, what each has more than the row above."""
    rows = levels[start:stop].reshape(len(levels[start:stop]), -1)
    filtered = np.empty((len(rows), rows.shape[1] + 1), np.uint8)
    filtered[:, 0] = 2
    above = levels[start - 1].reshape(-1) if start else np.zeros(rows.shape[1], np.uint8)
    np.subtract(rows[0], above, out=filtered[0, 1:])
    np.subtract(rows[1:], rows[:-1], out=filtered[1:, 1:])
    return filtered


def _chunk(kind: bytes, content: bytes) -> list[bytes]:
    """A chunk of a PNG, in parts."""
    return [struct.pack(">I", len(content)), kind, content, struct.pack(">I", zlib.crc32(content, zlib.crc32(kind)))]
