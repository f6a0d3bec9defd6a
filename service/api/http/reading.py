"""
What was posted, read into pictures and options, whatever form it came in.

The forms: the raw bytes of a picture, multipart parts named `image`, JSON with `image` or `images`, and npy. Sizes are
checked before the work they would cause. Pictures leave here as pixels: uint8 0..255 or float32 0..1, (height, width),
(height, width, 3) or (height, width, 4).
"""

import binascii
import io
import tokenize
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from math import prod
from time import perf_counter
from typing import Annotated, Any, Generic, TypeVar

import msgspec
import numpy as np
import orjson
from flask import Request
from numpy.lib import format as npy
from werkzeug.datastructures import Headers
from werkzeug.exceptions import RequestEntityTooLarge
from werkzeug.sansio.multipart import Data, Epilogue, Field, File, MultipartDecoder, NeedData

from service.api.http.convert import convert, invalid_option
from service.core.errors import (
    InvalidImage,
    InvalidInput,
    InvalidOption,
    ServiceError,
    TooLarge,
    Unreadable,
    UnsupportedType,
    shown,
)
from service.lab import prices
from service.lab.options import Options, PictureOptions
from service.lab.picture import Picture
from service.observe.record import note
from service.pictures import codec
from service.settings import Limits

# Where the door leaves the body it has collected, so that it need not be read out of a stream again.
BODY = "filterscope.body"
NPY_MAGIC = b"\x93NUMPY"
# Content types that say nothing of the body: no type at all, "some bytes", and what curl --data-binary sends unasked.
UNTYPED = {"", "application/octet-stream", "application/x-www-form-urlencoded"}
# Before the content of a multipart part, in bytes; a browser writes some 150.
LONGEST_PART_HEAD = 8192
COLOUR_CHANNELS = {1, 3, 4}

Declared = TypeVar("Declared", bound=Options)
Sourced_co = TypeVar("Sourced_co", bound=PictureOptions, covariant=True)
Item = TypeVar("Item")
Result = TypeVar("Result")
# A picture as it was posted: the bytes of a file, one array of an npy batch, or whatever JSON held.
PostedPicture = bytes | np.ndarray | str | list[Any] | Any
# The same with its header read; a refusal is raised in its turn, when its picture is read.
Opened = codec.PictureFile | np.ndarray | list[Any] | ServiceError
Rows = list[list[float | list[float]]]
RowsOfLevels = list[list[Annotated[int, msgspec.Meta(ge=0, le=255)]]]
LARGEST_NUMBER = 3.4e38


@dataclass(frozen=True, slots=True)
class Posted(Generic[Sourced_co]):
    """What a call that takes pictures was posted: its pictures, still as they came, and its options."""

    sources: list[PostedPicture] | np.ndarray  # an array: one npy, its pictures along the first axis
    options: Sourced_co
    limits: Limits
    read: tuple[float, float]  # when reading began, of time.perf_counter(), and the seconds it took

    def levels(self) -> np.ndarray | None:
        """The pictures at once, (n, height, width) uint8, where they came so: as one npy of grey levels; else None."""
        levels = self.sources
        if not isinstance(levels, np.ndarray) or levels.dtype != np.uint8 or levels.ndim != 3:
            return None
        if self.options.scale == 1 or levels[0].size > self.limits.max_image_pixels:
            return None
        note("decode", *self.read)
        return levels

    def each(self, work: Callable[[Picture], Result], *, any_value: bool = False) -> list[Result]:
        """
        Decode every picture and do `work` to it.

        any_value: numbers may lie outside 0..1 (or 0..255), as filters do not mind
        raises: one of the refusals of core.errors; with several pictures, one error that lists every bad one
        """
        reader = _PictureReader(self.limits, self.options, any_value=any_value)
        started, reading = self.read
        began = perf_counter()
        before = reading

        def read_and_work(source: Opened) -> Result:
            nonlocal reading
            prices.go_on()
            since = perf_counter()
            picture = reader.read(source)
            reading += perf_counter() - since
            return work(picture)

        opened = [reader.opened(source) for source in self.sources]
        prices.charge("decode", *_price_of(opened))
        reading += perf_counter() - began
        results = each_picture(opened, read_and_work)
        note("decode", started, reading)
        note("prepare", began, perf_counter() - began - (reading - before))
        return results


def read_options(request: Request, kind: type[Declared]) -> Declared:
    """Read the options of a call that takes no picture."""
    return convert(kind, _query(request), {})


def read_posted(request: Request, kind: type[Sourced_co], limits: Limits) -> Posted[Sourced_co]:
    """
    Read the body and the options of a call that takes pictures, and decode none of them yet.

    raises: one of the refusals of core.errors
    """
    started = perf_counter()
    sources, fields, members = _read_body(request, limits)
    options = convert(kind, [*_query(request), *fields], members)
    if not len(sources):
        raise InvalidImage("a picture is wanted, none was posted", "/image")
    if len(sources) > limits.max_batch:
        raise TooLarge(f"a request may have {limits.max_batch} pictures, got {len(sources)}", "/images")
    return Posted(sources, options, limits, (started, perf_counter() - started))


def _price_of(opened: Sequence[Opened]) -> tuple[float, int]:
    """What it costs to decode all of them, and the bytes that the largest of them holds meanwhile."""
    work, largest = 0.0, 0
    for each in opened:
        if isinstance(each, codec.PictureFile):
            work += prices.decoding(each.kind, each.pixels, len(each.data), each.scans)
            largest = max(largest, each.pixels)
        elif isinstance(each, np.ndarray):
            work += prices.ARRAY + each.size * prices.NUMBER
            largest = max(largest, each.size)
    return work, largest * prices.DECODED_PIXEL_BYTES


def each_picture(items: Iterable[Item], work: Callable[[Item], Result]) -> list[Result]:
    """
    Do the same to every picture of a request; all or nothing.

    raises: the error of the only picture, or the first error, listing every bad picture by its place in the batch
    """
    items = list(items)
    done: list[Result] = []
    refused: list[tuple[int, ServiceError]] = []
    for index, item in enumerate(items):
        try:
            result = work(item)
        except ServiceError as error:
            refused.append((index, error.bare()))
            done.clear()  # of no use any more
            continue
        if not refused:
            done.append(result)
    if not refused:
        return done
    first = refused[0][1]
    if len(items) == 1:
        raise type(first)(first.detail, first.pointer or "/image", first.problems)
    problems = [(f"/images/{index}", error.detail) for index, error in refused]
    listed = f"{len(refused)} of {len(items)} pictures cannot be used; the first: {first.detail}"
    raise type(first)(listed, problems[0][0], problems)


def _query(request: Request) -> list[tuple[str, str]]:
    if not request.environ.get("QUERY_STRING"):
        return []
    return [(name, value) for name, values in request.args.lists() for value in values]


Body = tuple[list[PostedPicture] | np.ndarray, list[tuple[str, str]], dict[str, Any]]


def _read_body(request: Request, limits: Limits) -> Body:
    """Split a body into its pictures, its form fields and its JSON members."""
    environ = request.environ
    kind = environ.get("CONTENT_TYPE", "").partition(";")[0].strip().lower()
    body = environ[BODY] if BODY in environ else request.get_data(cache=False)
    if kind == "multipart/form-data":
        return _read_multipart(body, request.mimetype_params.get("boundary", ""), limits)
    if kind == "application/json" or kind.endswith("+json"):
        return _read_json(body, limits)
    if kind == "application/x-npy":
        return _read_npy(body), [], {}
    if kind not in UNTYPED and not kind.startswith("image/"):
        raise UnsupportedType(_how_to_post(kind, request))
    if body.startswith(NPY_MAGIC):
        return _read_npy(body), [], {}
    if body.startswith(b"{"):
        return _read_json(body, limits)
    return ([body] if body else []), [], {}


def _how_to_post(kind: str, request: Request) -> str:
    line = f"curl --data-binary @digit.png -H 'Content-Type: image/png' {request.base_url}"
    wanted = "image/*, application/octet-stream, multipart/form-data, application/json or application/x-npy"
    return f"the content type may be {wanted}, got {kind[:80]!r}; this works: {line}"


def _read_multipart(body: bytes, boundary: str, limits: Limits) -> Body:
    if not boundary:
        raise Unreadable("the multipart content type has no boundary")
    sources: list[PostedPicture] = []
    fields: list[tuple[str, str]] = []
    for name, is_file, content in _parts(body, boundary, limits):
        if name == "image":
            sources.append(content if is_file else _bytes_or_text(content))
        elif is_file:
            raise InvalidOption(
                f"pictures are parts named 'image', got a file in a part named {name[:80]!r}", f"/{name[:80]}"
            )
        else:
            _check_numbers(content, "a form field", limits)
            fields.append((name, _text(content, name)))
    return sources, fields, {}


class _Parts(MultipartDecoder):
    """werkzeug's decoder, which makes two Python objects of every header of a part, however many there are."""

    def _parse_headers(self, data: bytes | bytearray) -> Headers:
        if len(data) > LONGEST_PART_HEAD:
            raise ValueError(f"the head of a part may have {LONGEST_PART_HEAD} bytes, got {len(data)}")
        prices.charge("read", prices.PART + len(data) * prices.PART_HEAD_BYTE)
        return super()._parse_headers(data)


def _parts(body: bytes, boundary: str, limits: Limits) -> Iterator[tuple[str, bool, bytes]]:
    """(name, whether it is a file, content) of every part."""
    decoder = _Parts(boundary.encode("latin-1", "replace"), max_parts=limits.max_parts)
    try:
        decoder.receive_data(body)
        decoder.receive_data(None)
        name, is_file = "", False
        chunks: list[bytes] = []
        while not isinstance(event := decoder.next_event(), Epilogue | NeedData):
            if isinstance(event, Field | File):
                name, is_file, chunks = event.name or "", isinstance(event, File), []
            elif isinstance(event, Data):
                chunks.append(event.data)
                if not event.more_data:
                    yield name, is_file, b"".join(chunks)
    except RequestEntityTooLarge:
        raise TooLarge(f"a multipart body may have {limits.max_parts} parts, this has more") from None
    except (ValueError, KeyError) as error:
        raise Unreadable(f"the multipart body is damaged: {str(error)[:120]}") from None


def _text(content: bytes, name: str) -> str:
    try:
        return content.decode()
    except UnicodeDecodeError:
        raise InvalidOption(f"{name[:80]} must be text", f"/{name[:80]}") from None


def _bytes_or_text(content: bytes) -> PostedPicture:
    # A part without a file name: some clients send the file's bytes so, others base64 or a data: URL.
    if content.startswith((*codec.SIGNATURES, NPY_MAGIC)):
        return content
    return _text(content, "image")


def _read_json(body: bytes, limits: Limits) -> Body:
    _check_numbers(body, "a JSON body", limits)
    try:
        members = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise Unreadable(f"the body is not JSON: {error}") from None
    if not isinstance(members, dict):
        raise InvalidInput(f'a JSON body is an object such as {{"image": ...}}, got {type(members).__name__}')
    if "image" in members and "images" in members:
        raise InvalidImage("give image or images, not both", "/images")
    images = [members.pop("image")] if "image" in members else members.pop("images", [])
    if not isinstance(images, list):
        raise InvalidImage(f"images is a list of pictures, got {type(images).__name__}", "/images")
    if len(images) > limits.max_batch:
        raise TooLarge(f"a request may have {limits.max_batch} pictures, got {len(images)}", "/images")
    return images, [], members


def _check_numbers(text: bytes, what: str, limits: Limits) -> None:
    """
    Refuse JSON of too many numbers before they are made.

    Numbers are separated by commas, so a text without more commas has no more numbers either; the rest of the
    allowance is for options.
    """
    numbers, allowed = text.count(b","), limits.max_json_numbers_in
    if numbers > allowed + 4096:
        raise TooLarge(f"{what} may have {allowed} numbers, got about {numbers}; post npy or a picture file")
    prices.charge("read", numbers * prices.JSON_NUMBER_IN + len(text) * prices.BYTE_IN)


def _from_base64(text: str) -> bytes:
    if text.startswith("data:"):
        head, comma, text = text.partition(",")
        if not comma or not head.endswith(";base64"):
            raise Unreadable("a data: URL must be base64: data:image/png;base64,...")
    try:
        return binascii.a2b_base64(text.translate(_WHITESPACE).encode("ascii"), strict_mode=True)
    except (binascii.Error, UnicodeEncodeError) as error:
        raise Unreadable(f"the picture is not base64: {str(error)[:80]}") from None


_WHITESPACE = dict.fromkeys(map(ord, " \t\r\n"))


def _read_npy(body: bytes) -> np.ndarray:
    """Read an npy body, never unpickling; its pictures lie along the first axis: (n, height, width[, channels])."""
    array = _npy_array(body)
    shape, axes = array.shape, array.ndim
    is_colour = axes in {3, 4} and shape[-1] in COLOUR_CHANNELS
    if axes == 2 or (axes == 3 and is_colour):
        return array[None]
    if axes == 3 or (axes == 4 and is_colour):
        return array
    if axes == 4 and shape[1] == 1:
        return array[:, 0]
    wanted = "(H,W), (H,W,C), (N,H,W), (N,H,W,C) or (N,1,H,W) with 1, 3 or 4 channels C"
    raise InvalidImage(f"the shape of an npy body is {wanted}, got {shown(shape)}", "/image")


def _npy_array(body: bytes) -> np.ndarray:
    stream = io.BytesIO(body)
    try:
        version = npy.read_magic(stream)
        read_header = {(1, 0): npy.read_array_header_1_0, (2, 0): npy.read_array_header_2_0}.get(version)
        if read_header is None:
            raise Unreadable(f"npy version 1.0 or 2.0 is read, got {version[0]}.{version[1]}")
        shape, is_fortran, dtype = read_header(stream)
    except (ValueError, SyntaxError, TypeError, EOFError, RecursionError, MemoryError, tokenize.TokenError) as error:
        # NumPy tokenizes a header that is no Python literal, in case Python 2 wrote it.
        raise Unreadable(f"the npy header cannot be read: {str(error)[:120]}") from None
    if dtype.kind not in "buif" or dtype.itemsize > 8:
        raise InvalidImage(
            f"npy numbers are bool, integers or floats of at most 64 bits, got {str(dtype)[:40]}", "/image"
        )
    count = prod(shape)
    data = memoryview(body)[stream.tell() :]
    if any(size < 0 for size in shape) or count * dtype.itemsize != len(data):
        raise Unreadable(
            f"an npy body of shape {shown(shape)} and type {dtype} has {shown(count * dtype.itemsize)} bytes, "
            f"got {len(data)}"
        )
    if not count:
        raise InvalidImage(f"a picture has at least one number, got shape {shown(shape)}", "/image")
    return np.frombuffer(data, dtype).reshape(shape, order="F" if is_fortran else "C")


class _PictureReader:
    """Turns one source into pixels, under the limits and options of one call."""

    def __init__(self, limits: Limits, options: PictureOptions, *, any_value: bool) -> None:
        self._limits = limits
        self._scale = options.scale
        self._any_value = any_value
        self._for_digit = options.prepare == "auto"

    def opened(self, source: PostedPicture) -> Opened:
        """Look at a source as far as its price needs it; what is wrong with it is kept."""
        try:
            if isinstance(source, str):
                source = _from_base64(source)
            if isinstance(source, bytes):
                return _one_npy(source) if source.startswith(NPY_MAGIC) else self._file(source)
            if isinstance(source, (np.ndarray, list)):
                return source
            wanted = "base64, a data: URL or rows of numbers"
            raise InvalidImage(f"a picture in JSON is {wanted}, got {type(source).__name__}")
        except ServiceError as error:
            return error.bare()

    def read(self, source: Opened) -> Picture:
        if isinstance(source, codec.PictureFile):
            return Picture(*source.decode())
        if isinstance(source, np.ndarray):
            return Picture(self._numbers(source, is_npy=True))
        if isinstance(source, list):
            return Picture(self._numbers(self._from_lists(source), is_npy=False))
        raise source.bare()

    def _file(self, data: bytes) -> codec.PictureFile:
        limits = self._limits
        return codec.open_posted(data, limits.max_image_pixels, limits.max_jpeg_pixels, for_digit=self._for_digit)

    def _numbers(self, array: np.ndarray, *, is_npy: bool) -> np.ndarray:
        if array.ndim == 3 and array.shape[2] == 1:
            array = array[:, :, 0]
        is_colour = array.ndim == 3 and array.shape[2] in COLOUR_CHANNELS
        if (array.ndim != 2 and not is_colour) or not array.size:
            raise InvalidImage(f"a picture is H x W numbers, or H x W x 3 for colour, got shape {shown(array.shape)}")
        if array.shape[0] * array.shape[1] > self._limits.max_image_pixels:
            size = f"{array.shape[1]} x {array.shape[0]}"
            raise TooLarge(f"a picture may have {self._limits.max_image_pixels} pixels, got {size}")
        if array.dtype.kind == "f" and not np.isfinite(array).all():
            place = [int(index) for index in np.argwhere(~np.isfinite(array))[0]]
            raise InvalidImage(f"a picture's numbers must be finite, got {array[tuple(place)]} at {place}")
        return self._to_unit(array, self._scale or _guess_scale(array, is_npy=is_npy))

    def _from_lists(self, rows: list[Any]) -> np.ndarray:
        levels = _from_rows_of_levels(rows)
        if levels is not None:
            return levels
        try:
            # Only numbers pass, so that NumPy is never asked to make room for strings or objects.
            array = np.array(msgspec.convert(rows, Rows), np.float64)
        except msgspec.ValidationError as error:
            raise InvalidImage(f"a picture is rows of numbers: {invalid_option(error, rows).detail}") from None
        except ValueError:
            raise InvalidImage(_what_is_ragged(rows)) from None
        if array.size > self._limits.max_json_numbers_in:
            allowed = self._limits.max_json_numbers_in
            raise TooLarge(f"a JSON body may have {allowed} numbers, got {array.size}; post npy or a picture file")
        return array

    def _to_unit(self, array: np.ndarray, scale: int) -> np.ndarray:
        """Bring numbers of 0..scale to uint8 0..255 where that loses nothing, else to float32 0..1."""
        if array.dtype == np.uint8 and scale == 255:
            return array
        if not self._any_value:
            low, high = array.min(), array.max()
            if low < 0 or high > scale:
                raise InvalidImage(f"a picture's numbers must lie in 0..{scale}, got {low if low < 0 else high}")
        elif float(np.abs(array).max()) > LARGEST_NUMBER:
            raise InvalidImage(f"a picture's numbers must fit 32-bit floats, got one beyond {LARGEST_NUMBER:.2g}")
        elif array.ndim == 3 and array.shape[2] == 4 and not 0 <= array[:, :, 3].min() <= array[:, :, 3].max() <= scale:
            raise InvalidImage(f"a picture's opacity, its fourth channel, must lie in 0..{scale}")
        values = array.astype(np.float32)
        return values if scale == 1 else values / np.float32(255)


def _one_npy(data: bytes) -> np.ndarray:
    arrays = _read_npy(data)
    if len(arrays) != 1:
        raise InvalidImage(f"an npy file in a part or in base64 is one picture, got {len(arrays)}")
    return np.asarray(arrays[0])


def _guess_scale(array: np.ndarray, *, is_npy: bool) -> int:
    """0-255 when every number is whole and one exceeds 1; npy says by its type: uint8 is 0-255, floats are 0-1."""
    if is_npy and array.dtype.kind not in "iu":
        return 1
    if is_npy and array.dtype == np.uint8:
        return 255
    is_whole = array.dtype.kind in "iu" or bool((array == np.floor(array)).all())
    return 255 if array.max() > 1 and is_whole else 1


def _from_rows_of_levels(rows: list[Any]) -> np.ndarray | None:
    """Rows of whole numbers from 0 to 255 as uint8, in a quarter of the time that numbers of any kind take; or None."""
    try:
        checked = msgspec.convert(rows, RowsOfLevels)
    except msgspec.ValidationError:
        return None
    height, width = len(checked), len(checked[0]) if checked else 0
    levels = b"".join(map(bytes, checked))
    if not width or any(len(row) != width for row in checked):
        return None
    return np.frombuffer(levels, np.uint8).reshape(height, width)


def _what_is_ragged(rows: list[Any]) -> str:
    lengths = [len(row) if isinstance(row, list) else 0 for row in rows]
    shown = ", ".join(map(str, lengths[:8])) + (", ..." if len(lengths) > 8 else "")
    return f"a picture's rows must have one length and hold only numbers, got lengths {shown}"
