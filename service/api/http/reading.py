"""
What was posted, read into pictures and options, whatever form it came in.

The forms: the raw bytes of a picture, parts or fields of a form named `image`, JSON with `image` or `images`, and npy;
`bodies.py` takes them apart. Sizes are checked before the work they would cause. Pictures leave here as pixels: uint8
0..255 or float32 0..1, (height, width), (height, width, 3) or (height, width, 4).
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from time import perf_counter
from typing import Annotated, Any, Generic, TypeVar
from urllib.parse import parse_qsl

import msgspec
import numpy as np
from flask import Request

from service.api.http.bodies import PostedPicture, taken_apart
from service.api.http.convert import convert, invalid_option
from service.api.http.numbers import (
    COLOUR_CHANNELS,
    NPY_MAGIC,
    Flattening,
    check_count,
    pictures_of_npy,
    pictures_of_rows,
    read_npy,
)
from service.api.http.texts import mangled, read_text, what_it_is
from service.core.errors import InvalidImage, InvalidOption, ServiceError, TooLarge, Unreadable, shown
from service.lab import prices
from service.lab.options import NetworkOptions, Options, PictureOptions
from service.lab.picture import Picture
from service.lab.prices import TooDear
from service.network.passport import DIGIT_SHAPE
from service.network.sessions import Library, Network
from service.observe.record import note
from service.pictures import codec
from service.pictures.header import MAX_PARTS
from service.settings import Limits

Declared = TypeVar("Declared", bound=Options)
Sourced_co = TypeVar("Sourced_co", bound=PictureOptions, covariant=True)
Item = TypeVar("Item")
Result = TypeVar("Result")
# One picture: the bytes of a file, an array, or rows of JSON; a refusal is raised in its turn, when it is read.
Taken = bytes | np.ndarray | list[Any] | ServiceError
# The same with its header read.
Opened = codec.PictureFile | np.ndarray | list[Any] | ServiceError
Rows = list[list[float | list[float]]]
RowsOfLevels = list[list[Annotated[int, msgspec.Meta(ge=0, le=255)]]]
LARGEST_NUMBER = 3.4e38
LONGEST_KEPT = 256  # characters of a plain query whose options are kept for those who ask the same


@dataclass(frozen=True, slots=True)
class Posted(Generic[Sourced_co]):
    """What a call that takes pictures was posted: its pictures, not yet decoded, and its options."""

    sources: list[Taken] | np.ndarray  # an array: one npy, its pictures along the first axis
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

    def each(
        self,
        work: Callable[[Picture], Result],
        *,
        any_value: bool = False,
        decoded_side: int = codec.REDUCED_SIDE,
    ) -> list[Result]:
        """
        Decode every picture and do `work` to it.

        any_value: numbers may lie outside 0..1 (or 0..255), as filters do not mind
        decoded_side: a JPEG for the digit reader is decoded at the smallest scale whose longer side is this long
        raises: one of the refusals of core.errors; with several pictures, one error that lists every bad one
        """
        reader = _PictureReader(self.limits, self.options, any_value=any_value, decoded_side=decoded_side)
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
    return _options(request, kind)


def read_posted(
    request: Request, kind: type[Sourced_co], limits: Limits, library: Library | None = None
) -> Posted[Sourced_co]:
    """
    Read the body and the options of a call that takes pictures, and decode none of them yet.

    library: of the networks, for a call that runs one
    raises: one of the refusals of core.errors
    """
    started = perf_counter()
    body = taken_apart(request, limits, kind.__struct_fields__)
    try:
        options = _options(request, kind, body.members, body.fields)
    except InvalidOption as refusal:
        # The wrong name may be that of the picture.
        if isinstance(body.sources, np.ndarray) or body.sources:
            raise
        raise InvalidOption(f"{refusal.detail}; and no picture came: {_HOW_TO_POST}", refusal.pointer) from None
    sources = _taken(body.sources, options, limits, library)
    if not len(sources):
        raise InvalidImage("a picture is wanted, none was posted", "/image")
    if len(sources) > limits.max_batch:
        raise TooLarge(f"a request may have {limits.max_batch} pictures, got {len(sources)}", "/images")
    return Posted(sources, options, limits, (started, perf_counter() - started))


_HOW_TO_POST = "it is the body, a form's part named image, or the member image of a JSON body"


def _price_of(opened: Sequence[Opened]) -> tuple[float, int]:
    """What it costs to decode all of them, and the bytes that the largest of them holds meanwhile."""
    work, largest = 0.0, 0
    for each in opened:
        if isinstance(each, codec.PictureFile):
            work += prices.decoding(each.kind, each.pixels, len(each.data), each.scans)
            largest = max(largest, each.held)
        elif isinstance(each, np.ndarray):
            work += prices.numbers(each)
            largest = max(largest, each.size * codec.DECODED_PIXEL_BYTES)
    return work, largest


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
        except TooDear:
            raise  # of the whole request
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


def _options(
    request: Request,
    kind: type[Declared],
    members: Mapping[str, Any] | None = None,
    fields: Sequence[tuple[str, str]] = (),
) -> Declared:
    query = request.environ.get("QUERY_STRING") or ""
    if escapes := query.count("%"):
        prices.charge("read", escapes * (prices.ESCAPE_SOUGHT + prices.ESCAPE))
    elif query and not members and not fields and len(query) <= LONGEST_KEPT and query.isascii():
        return _options_of(kind, query)  # type: ignore[return-value]
    pairs = [(name, value) for name, values in request.args.lists() for value in values] if query else []
    return convert(kind, pairs, members or {}, fields)


@lru_cache(maxsize=256)  # a page asks again and again in the same words
def _options_of(kind: type[Options], query: str) -> Options:
    return convert(kind, parse_qsl(query, keep_blank_values=True), {})


def _taken(
    sources: list[PostedPicture] | np.ndarray, options: PictureOptions, limits: Limits, library: Library | None
) -> list[Taken] | np.ndarray:
    if isinstance(sources, list) and len(sources) == 1:
        first = sources[0]
        if isinstance(first, bytes) and not first.startswith(NPY_MAGIC):
            return [first]  # one picture file, as most is: there is nothing to tell apart
    network = None
    if library is not None and isinstance(options, NetworkOptions):
        network = library.get(options.model, options.version)
    return told_apart(sources, options, limits, network)


def told_apart(
    sources: Sequence[PostedPicture] | np.ndarray, options: PictureOptions, limits: Limits, network: Network | None
) -> list[Taken] | np.ndarray:
    """
    The pictures among what was posted, each for itself; what is wrong with one is kept, and raised in its turn.

    network: that the call runs, None for one that runs none: rows as long as its picture are then asked about
    raises: InvalidImage where it must be said whether rows of numbers are digits
    """
    side = DIGIT_SHAPE[1:] if network is None else network.passport.input.shape[1:]
    flat = Flattening((side[0], side[1]), options.flattened, is_asked=network is not None)
    if isinstance(sources, np.ndarray):
        return pictures_of_npy(sources, flat)
    # Of texts that may be rows of numbers, all together: each becomes Python objects that are held until the end.
    texts = [source for source in sources if isinstance(source, str)]
    commas, lists = (sum(text.count(mark) for text in texts) for mark in (",", "["))
    check_count(commas, lists, "pictures as text", limits)
    taken: list[Taken] = []
    for source in sources:
        try:
            taken += _pictures_of(source, flat, limits)
        except TooDear:
            raise
        except ServiceError as error:
            if error.pointer == "/flattened":
                raise
            taken.append(error.bare())
    return taken


def _pictures_of(source: PostedPicture, flat: Flattening, limits: Limits) -> Sequence[Taken]:
    if isinstance(source, str):
        source = read_text(source.encode("utf-8", "replace"), limits)
    if isinstance(source, bytes):
        return _one_npy(source, flat) if source.startswith(NPY_MAGIC) else [source]
    named = what_it_is(source)
    if isinstance(source, list) and not named:
        return pictures_of_rows(source, flat)
    raise InvalidImage(f"a picture in JSON is base64, a data: URL or rows of numbers, got {named}")


def _one_npy(data: bytes, flat: Flattening) -> list[np.ndarray]:
    arrays = pictures_of_npy(read_npy(data), flat)
    if len(arrays) != 1 and not flat.given:
        raise InvalidImage(f"an npy file in a part or in base64 is one picture, got {len(arrays)}")
    return [np.asarray(array) for array in arrays]


class _PictureReader:
    """Turns one source into pixels, under the limits and options of one call."""

    def __init__(self, limits: Limits, options: PictureOptions, *, any_value: bool, decoded_side: int) -> None:
        self._decoded_side = decoded_side
        self._limits = limits
        self._scale = options.scale
        self._any_value = any_value
        self._for_digit = options.prepare == "auto"

    def opened(self, source: Taken) -> Opened:
        """Look at a source as far as its price needs it; what is wrong with it is kept."""
        if not isinstance(source, bytes):
            return source
        opened: Opened
        try:
            opened = self._file(source)
            parts = opened.parts
        except ServiceError as error:
            how = mangled(source)
            opened = Unreadable(f"the picture is damaged: {how}") if how else error.bare()
            parts = min(len(source) // 2, MAX_PARTS)  # no part is smaller
        if parts:
            prices.charge("decode", parts * prices.FILE_PART)
        return opened

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
        allowed = (limits.max_image_pixels, limits.max_jpeg_pixels, limits.max_scan_pixels)
        return codec.open_posted(data, *allowed, for_digit=self._for_digit, reduced_side=self._decoded_side)

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
                hint = "; scale=255 says that they lie in 0..255" if scale == 1 and low >= 0 and high <= 255 else ""
                raise InvalidImage(f"a picture's numbers must lie in 0..{scale}, got {low if low < 0 else high}{hint}")
        elif float(np.abs(array).max()) > LARGEST_NUMBER:
            raise InvalidImage(f"a picture's numbers must fit 32-bit floats, got one beyond {LARGEST_NUMBER:.2g}")
        elif array.ndim == 3 and array.shape[2] == 4 and not 0 <= array[:, :, 3].min() <= array[:, :, 3].max() <= scale:
            raise InvalidImage(f"a picture's opacity, its fourth channel, must lie in 0..{scale}")
        values = array.astype(np.float32)
        return values if scale == 1 else values / np.float32(255)


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
