"""
What a request costs, known before it is worked on: the one price list, and the account that each request has.

A unit of work is a microsecond of one CPU of the machine that the units below were measured on; `python -m
tests.benchmarks prices` measures each of them again. Every step charges its price before it begins. A request whose
price passes a limit is refused there and then; one whose price passes what the event loop has time for is handed to a
thread; one whose client has left ends.

Outside a request, as in batch scoring, nothing is charged.
"""

import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from time import monotonic
from typing import NamedTuple

import numpy as np

from service.core.errors import InvalidInput, TooLarge
from service.lab.options import Change
from service.network.passport import DIGIT_SHAPE, Input
from service.network.sessions import Network, kept_with_network
from service.settings import Limits

# --- units ------------------------------------------------------------------------------------------------------------

# Reading. A number in JSON is made a Python object, checked, and made a number of an array.
JSON_NUMBER_IN = 0.12
JSON_LIST_IN, JSON_LIST_BYTES = 0.35, 232  # a list or object in it, made, and let go of
BYTE_IN = 0.0015  # looked at, split, or decoded from base64, a few times each
# Of a multipart body: each line of a part's head becomes two Python objects, and a line may have three bytes.
PART, PART_HEAD_BYTE = 25.0, 0.7
# Of a form: a field, and what is escaped in it: looked at, and where it is unusual made a Python object for a moment.
FIELD, ESCAPE_SOUGHT, ESCAPE = 2.0, 0.03, 0.25
TEXT_BYTE = 0.005  # of a picture as text: base64, in one of its alphabets, with or without line ends
UNPACKED_BYTE = 0.006  # of a gzip'd body

ARRAY, NUMBER = 12.0, 0.006  # a picture of numbers is checked for what is not finite, and brought to 0..1
LEVEL = 0.0008  # one of 0 to 255 as a byte, which is taken as it is

# Decoding a picture file: what opening it costs, and each of its parts, then each pixel, then each byte, for noise has
# many bytes a pixel.
FILE, FILE_PART = 45.0, 0.4
FILE_OF = {"AVIF": 800.0, "HEIC": 800.0, "TIFF": 80.0}  # more: what decoders make for each is mapped, and unmapped
PIXEL_OF = {
    "PNG": 0.012, "JPEG": 0.0015, "WEBP": 0.013, "WEBP lossless": 0.013, "GIF": 0.006, "BMP": 0.008, "AVIF": 0.012,
    "TIFF": 0.008, "HEIC": 0.02,
}  # fmt: skip
BYTE_OF = {
    "PNG": 0.003, "JPEG": 0.004, "WEBP": 0.035, "WEBP lossless": 0.004, "GIF": 0.002, "BMP": 0.001, "AVIF": 0.06,
    "TIFF": 0.003, "HEIC": 0.06,
}  # fmt: skip
PIXEL_OF["BMP in runs"], BYTE_OF["BMP in runs"] = PIXEL_OF["BMP"], 0.8  # runs are unpacked in Python
# The samples are looked at for the colour that is transparent, and those of 16 bits are decoded twice.
PIXEL_OF["PNG clear"], BYTE_OF["PNG clear"] = 0.026, BYTE_OF["PNG"]
# Of more than 24 bits a pixel, each byte of which may be filtered by the dearest way.
PIXEL_OF["PNG wide"], BYTE_OF["PNG wide"] = 0.018, BYTE_OF["PNG"]
# In several scans, its end missing.
PIXEL_OF["JPEG twice"], BYTE_OF["JPEG twice"] = 2 * PIXEL_OF["JPEG"], 0.02
# A JPEG in several scans is held as coefficients, gone over once a scan, and its bytes are dearer.
SCAN_PIXEL, SCAN_BYTE = 0.0008, 0.012

# Making a digit of a picture: every pixel is read, then a smaller picture is looked at. What is not plain strokes on
# plain paper is looked at many times over, the more so the more its neighbours differ, up to a share of them: those on
# either side of the middle of its levels count in full, and half of those that differ at all. Of a small picture most
# of which is one level, the lowest or the highest, the ink is known at once.
DIGIT, DIGIT_PIXEL, WORK_PIXEL = 45.0, 0.0012, 0.012
UNPLAIN, UNPLAIN_PIXEL = 2300.0, 0.075
EVEN_SHARE, EVEN_SIDES = 0.4, ((40, 0.2), (64, 0.6))  # sides up to the first of each cost this part
BROKEN = 650.0  # ink of many pieces, seen from farther away until they hang together
THINNED = 45.0  # a pixel taken off all sides of a broad stroke, and what that breaks looked for
OPAQUE_PIXEL = 0.03  # a pixel of one that may be transparent, laid on a ground
# A number of a picture that is brought to a size as a whole, and one of what it becomes; and what they hold meanwhile.
WHOLE_PIXEL, WHOLE_BYTES = 0.0016, 12
FITTED_NUMBER, FITTED_BYTES = 0.0015, 8
# Unless it has that size already: the axes gone along, and each row and column that is made; by bicubic more.
FITTED, FITTED_LINE, DEAREST_RESAMPLING = 80.0, 1.2, 1.35
STROKES_FROM, GRAIN_FROM = 0.09, 0.26
WORK_SIDE = 256  # a larger picture is made smaller first

# Finding several digits: a page's ink, its rules and its pieces, for every pixel; then a digit found, made and chosen.
FIND, FIND_PIXEL = 900.0, 0.03
STROKED, STROKED_PIXEL = 2000.0, 0.1  # more where much of it may be lines, of which each is looked at
STROKED_FROM = 0.25  # the share of neighbours that differ from which all of that is charged
FOUND_DIGIT, FOUND_PIXEL = 260.0, 0.0025
# What may be a line, followed; and a piece of ink that it is held against.
LINE, LINE_PIECE = 90.0, 0.05
# A blob, which is held against lines and other blobs; and a pixel of its mask: of the blob, of what it may be together
# with its neighbours, and of a part of it.
BLOB, BLOB_PIXEL, BLOB_BYTES = 30.0, 0.001, 4
# A blob that may be several digits: where they touch, for each pixel of its picture, and the ways to cut it.
CUT_UP, CUT_UP_PIXEL = 1000.0, 0.45

# Running a network: a call, then each picture by the multiply-adds of the network; with all maps as outputs, more.
RUN, RUN_PICTURE, RUN_MULTIPLY_ADD = 25.0, 4.0, 1.1e-5
ANALYSIS = 2.2
MAP_CELL = 0.0006
# Of an adopted network: the memory of a map is mapped anew in each run; and the maps of several pictures are joined.
MAPPED_CELL, JOINED_CELL = 0.00025, 0.001
# The file with all maps of an adopted network, opened when it is first needed, and run once; and what it then holds.
OPENED, OPENED_BYTE, OPENED_TIMES = 3000.0, 0.006, 3
MASKED_PICTURE, MASKED_SCORE = 2.5, 3.0  # a mask is made and laid on; each score asked for is weighed with it

WEIGHT = 0.2  # of a kernel that was sent: read from its text, and checked
# Filters of the caller: a filter planned on a picture; a call of the engine; a map handed on, named and checked.
STEP, PLAN, BANK, MAP = 45.0, 15.0, 32.0, 6.0
MULTIPLY_ADD = 2e-5
DIRECT_MULTIPLY_ADD = 9e-5  # where the work is small, or the kernels are given with the picture
DILATED = 2.3  # dilated kernels are read from all over the memory
CELL = 0.0012  # written, checked and measured
BUILT_IN = 30.0  # a kernel's channel built into a session of its own, with the node that reads it
ACTIVATED_CELL = 0.012  # the dearest activation
# Pooling goes down the rows of a window and then across its columns: a call of NumPy and all cells, each time.
POOL_STEP, POOL_CELL = 1.4, 0.0004
# The Gabor fit of a filter card is a search, and the card of a channel has other sums beside.
CARD, CARD_CHANNEL, CARD_WEIGHT = 3000.0, 700.0, 25.0

# Writing.
JSON_NUMBER_OUT = 0.026  # a float of an array, found in memory and written; the time is spent with the interpreter held
JSON_NUMBER_BYTES = 24  # a float64 with its comma, at most
RESULT = 14.0  # the members of one picture's result, as dictionaries
LABEL = 2.0  # a class as text, most probable first
CORNER = 0.5  # a pair of numbers as a Python object, written
PRESET = 26.0  # a named filter, made and described
MODEL = 60.0  # a network, described
TEXT_BYTE_OUT = 0.003  # of what the network's folder says, written from dictionaries
MAP_OUT = 4.5  # one map's: its range, mean and names
SNIPPET, SNIPPET_NUMBER = 60.0, 0.35  # code is written number by number in Python
SNIPPET_NUMBER_BYTES = 40
COMPRESSED_BYTE, KEPT_COMPRESSED_BYTE = 0.01, 0.025  # of an answer; the second for those that are kept
NPZ_ARRAY, NPZ_BYTE = 12.0, 0.0007  # its checksum, and the copy where it is not contiguous
DRAWING, TILE = 200.0, 14.0  # a sheet, and a map drawn on it
DRAWN_PIXEL = 0.009  # laid out and deflated, for each of its colours
DRAWN_CELL = 0.03  # of the map, for each colour: noise does not shrink, but the pixels that a cell is enlarged to do
PREPARED_IMAGE = 45.0  # a PNG in the answer
PREPARED_NUMBER = 0.04  # of a picture that may be larger than a digit
RANKED, RANKED_CLASS = 8.0, 0.06  # the most probable classes of many
CHANGE = 9.0  # one edit of a network, applied
CHANGE_OUT = 0.9  # and repeated in a result
CHANGE_BYTES = 250  # there, as a dictionary and as text

# What is charged to every request, for its head, its route and its answer's head.
CALL = 120.0

# --- an account -------------------------------------------------------------------------------------------------------

QUICK_UNITS = 20_000  # of work that the event loop does itself: so long a probe, and other calls, may wait for it
LOOK_SECONDS = 0.05  # between two looks at whether the client is still there
# After so long from when it came a call ends wherever it is: proxies give up on it after a minute.
LONGEST_SECONDS = 60.0

# What to ask for instead, by the step that costs the most.
ADVICE = {
    "read": "send fewer numbers and parts, or npy or picture files",
    "decode": "send fewer or smaller pictures",
    "prepare": "send fewer or smaller pictures, or pictures with less noise",
    "find": "send fewer or smaller pictures",
    "open": "ask for a verdict alone: this service lets a request hold too little to look into this network",
    "run": "send fewer pictures; for one of them, this service lets a request do too little for this network",
    "explain": "send fewer pictures, or ask for fewer masks or windows",
    "filter": "ask for fewer or smaller filters, fewer stages, or send fewer or smaller pictures",
    "pool": "ask for a smaller window of the pooling, or a longer stride",
    "card": "ask for the cards of fewer filters",
    "write": "ask for npz, or for fewer maps, or without a snippet, or send fewer pictures",
    "draw": "ask for npz, or for fewer maps, or send fewer pictures",
    "change": "send fewer changes, or fewer pictures",
}


class TooDear(InvalidInput):
    """More work than a request may cause."""


class HandedOver(BaseException):
    """More work than the event loop has time for: the call begins again on a thread. No handler of errors sees it."""


class Ended(BaseException):
    """The client has left, or the call's time is over: it ends here. No handler of errors sees it."""


class Account:
    """
    What one request has been charged so far.

    work: in units; held: in bytes, the answer included; steps: units by step
    allowed: units that may be charged on this thread before the call is handed over
    has_left: whether the client has gone, looked at now
    """

    __slots__ = ("_ends", "_has_left", "_look", "_moment", "allowed", "held", "limits", "steps", "work")

    def __init__(
        self, limits: Limits, *, allowed: float = math.inf, has_left: Callable[[], bool] | None = None
    ) -> None:
        self.limits = limits
        self.work = CALL
        self.held = 0
        self.steps: dict[str, float] = {}
        self.allowed = min(allowed, limits.max_work_units)
        self._has_left = has_left
        self._look = 0.0
        self._moment = 0
        self._ends = monotonic() + LONGEST_SECONDS if has_left is not None else math.inf

    def charge(self, step: str, work: float, held: int = 0) -> None:
        """Charge a step before it begins; raises TooDear, TooLarge, HandedOver or Ended."""
        self.work += work
        self.steps[step] = self.steps.get(step, 0.0) + work
        if held:
            self.held += held
            if self.held > self.limits.max_request_bytes:
                self._refuse_bytes(step)
        if self.work > self.allowed:
            self._stop()
        if self._has_left is not None:
            self.go_on()

    def more_for_a_moment(self, held: int) -> int:
        """
        The bytes to charge for what a step holds only while it lasts: those beyond what another held so before.
        """
        more = max(0, held - self._moment)
        self._moment += more
        return more

    def may_bear(self, step: str, work: float, held: int) -> bool:
        """Charge a step that may as well be left out, wherever it is done; False where it would pass a limit."""
        limits = self.limits
        if self.work + work > limits.max_work_units or self.held + held > limits.max_request_bytes:
            return False
        self.work += work
        self.held += held
        self.steps[step] = self.steps.get(step, 0.0) + work
        return True

    def go_on(self) -> None:
        """Raise Ended where the client has left, or the call's time is over."""
        if self._has_left is None:
            return
        now = monotonic()
        if now >= self._look:
            self._look = now + LOOK_SECONDS
            if now > self._ends or self._has_left():
                raise Ended

    def _stop(self) -> None:
        limit = self.limits.max_work_units
        if self.work <= limit:
            raise HandedOver
        dearest = max(self.steps, key=self.steps.__getitem__)
        raise TooDear(
            f"a request may cost {limit} units of work (microseconds of CPU), this costs {math.ceil(self.work)} or "
            f"more, most of it to {dearest}; {ADVICE[dearest]}"
        )

    def _refuse_bytes(self, step: str) -> None:
        raise TooLarge(
            f"the work on a request may hold {self.limits.max_request_bytes} bytes, its answer included, this holds "
            f"{self.held} or more; {ADVICE[step]}"
        )

    def __str__(self) -> str:
        """As a metric of Server-Timing: the price in milliseconds, and in words."""
        work = math.ceil(self.work)
        return f'price;dur={work / 1000:.3f};desc="{work} units, {self.held} bytes"'


# What is charged goes to this account; a token of its `set` gives back to `reset` the one before.
current: ContextVar[Account | None] = ContextVar("account", default=None)


@contextmanager
def opened(account: Account) -> Iterator[Account]:
    """Charge to this account whatever is charged within the block."""
    token = current.set(account)
    try:
        yield account
    finally:
        current.reset(token)


def charge(step: str, work: float, held: int = 0) -> None:
    """
    Charge a step of the current request before it begins; nothing outside a request.

    work: in units; held: in bytes
    raises: TooDear or TooLarge over a limit; HandedOver on the event loop; Ended where the client has left

    >>> with opened(Account(Limits(max_work_units=1000))) as account:
    ...     charge("draw", 500.5)
    >>> str(account)
    'price;dur=0.621;desc="621 units, 0 bytes"'
    """
    account = current.get()
    if account is not None:
        account.charge(step, work, held)


def is_charging() -> bool:
    """Whether an account is open: outside a request nothing is charged, and a price need not be worked out."""
    return current.get() is not None


def go_on() -> None:
    """Raise Ended where the client of the current request has left; cheap enough for every turn of a loop."""
    account = current.get()
    if account is not None:
        account.go_on()


# --- prices -----------------------------------------------------------------------------------------------------------


def decoding(kind: str, pixels: int, size: int, scans: int) -> float:
    """
    Decode a picture file. size: in bytes; scans: that it is gone over in, beside once.

    >>> round(decoding("PNG", 28 * 28, 500, 0))
    56
    """
    work = FILE + FILE_OF.get(kind, 0.0) + pixels * PIXEL_OF[kind] + size * BYTE_OF[kind]
    return work + scans * pixels * SCAN_PIXEL + size * SCAN_BYTE if scans else work


def numbers(array: np.ndarray) -> float:
    """Bring the numbers of a picture, or of several, to what the core takes."""
    each = LEVEL if array.dtype == np.uint8 else NUMBER
    return ARRAY + int(array.size) * each


def preparing(pixels: np.ndarray) -> float:
    """
    Make a digit of a picture, (height, width[, channels]), priced by the places where neighbours differ.

    >>> preparing(np.zeros((28, 28), np.uint8)) < preparing(np.eye(28, dtype=np.uint8)) < 1200
    True
    """
    height, width = int(pixels.shape[0]), int(pixels.shape[1])
    factor = max(1, -(-max(height, width) // WORK_SIDE))
    work: float = height * width / factor**2
    low, high = pixels.min(), pixels.max()
    middle = pixels.dtype.type(low / 2 + high / 2)
    # Of neighbours, the share of those that differ, in the picture as it is looked at.
    grain, stroke = _changing(pixels) * factor, _changing(pixels, middle) * factor
    unplain: float = min(1.0, max(grain / GRAIN_FROM, stroke / STROKES_FROM))
    part = next((part for side, part in EVEN_SIDES if max(height, width) <= side), 1.0)
    if part < 1 and max(np.count_nonzero(pixels == low), np.count_nonzero(pixels == high)) > EVEN_SHARE * pixels.size:
        unplain *= part
    read = int(pixels.size) * DIGIT_PIXEL + (height * width * OPAQUE_PIXEL if pixels.shape[2:] == (4,) else 0.0)
    return DIGIT + read + work * WORK_PIXEL + unplain * (UNPLAIN + work * UNPLAIN_PIXEL)


def charge_joining(_pieces: int) -> None:
    """Charge that broken ink is joined, before it is: however large, few cells of it are looked at."""
    charge("prepare", BROKEN)


def charge_thinning(depth: int) -> None:
    """Charge that a broad stroke is thinned, before it is: so many pixels off all its sides, unless it breaks."""
    charge("prepare", depth * THINNED)


def charge_fitting(pixels: np.ndarray, asked: Input) -> None:
    """Charge that a whole picture, (height, width[, channels]), is brought to what a network reads."""
    account = current.get()
    if account is not None:
        count, made, size = int(pixels.size), math.prod(asked.shape), pixels.shape[:2]
        work = ARRAY + count * WHOLE_PIXEL + made * FITTED_NUMBER
        if asked.fitting.place((size[0], size[1]), asked.size) != (size, (0, 0)):
            lines = FITTED + sum(asked.size) * FITTED_LINE
            work += lines * (DEAREST_RESAMPLING if asked.filter == "bicubic" else 1.0)
        if pixels.shape[2:] == (4,):
            work += size[0] * size[1] * OPAQUE_PIXEL
        account.charge("prepare", work, made * FITTED_BYTES + account.more_for_a_moment(count * WHOLE_BYTES))


def _changing(pixels: np.ndarray, above: np.generic | None = None) -> float:
    """The share of neighbours that differ, or of those of which one is above that, along the axis where more do."""
    width = pixels.shape[1]
    flat = pixels.reshape(-1)  # whose comparison takes a third of the time
    channels = int(flat.size) // (pixels.shape[0] * width)
    return max(_differing(flat, step, above) for step in (channels, channels * width))


def _differing(flat: np.ndarray, step: int, above: np.generic | None) -> float:
    """The share of samples that differ from the one `step` further, or of which only one is above that."""
    differ, neighbours = 0, int(flat.size) - step
    for start in range(0, neighbours, AT_ONCE):
        some = flat[start : start + AT_ONCE + step]
        some = some if above is None else some > above
        differ += int(np.count_nonzero(some[step:] != some[:-step]))
    return float(differ / max(neighbours, 1))


AT_ONCE = 2**20  # samples of a picture that are compared together


def finding(pixels: np.ndarray) -> float:
    """Find several digits in a picture, (height, width[, channels]), until each is looked at."""
    count: int = pixels.shape[0] * pixels.shape[1]
    middle = pixels.dtype.type(pixels.min() / 2 + pixels.max() / 2)
    stroked: float = min(1.0, _changing(pixels, middle) / STROKED_FROM)
    return FIND + count * FIND_PIXEL + stroked * (STROKED + count * STROKED_PIXEL)


def charge_found(what: str, count: int, size: int) -> None:
    """
    Charge what was found on a page, before it is looked at.

    what: "lines", each of which is held against all of `size`; or "blobs", whose masks have so many pixels in all:
        those of another picture are gone by then
    """
    account = current.get()
    if account is None:
        return
    if what == "lines":
        account.charge("find", count * LINE + size * LINE_PIECE)
    else:
        account.charge("find", count * BLOB + size * BLOB_PIXEL, account.more_for_a_moment(size * BLOB_BYTES))


def cutting(picture: np.ndarray) -> float:
    """Find where digits touch in a blob, of which this is the picture for it, and cut it up."""
    return CUT_UP + int(picture.size) * CUT_UP_PIXEL


class _Each(NamedTuple):
    """What one picture costs of a network: read, read with its maps at hand, its verdict written, and it drawn."""

    read: float
    read_with_maps: float
    written: float
    drawn: float


@kept_with_network
def _each_of(network: Network) -> _Each:
    passport = network.passport
    cells = sum(math.prod(shape) for shape in passport.map_shapes().values())
    written = RESULT + 2 * len(passport.labels) * JSON_NUMBER_OUT
    if passport.cost is not None:
        lean, analysis = (max(RUN_PICTURE, 1000 * each) for each in (passport.cost.ms.lean, passport.cost.ms.analysis))
        image = PREPARED_IMAGE + math.prod(passport.input.shape) * PREPARED_NUMBER
        mapped = MAPPED_CELL * sum(math.prod(shape) for shape in passport.inner_shapes().values())
        return _Each(lean, max(lean, analysis) + mapped, written + RANKED + len(passport.labels) * RANKED_CLASS, image)
    read = RUN_PICTURE + sum(layer.multiply_adds for layer in passport.layers) * RUN_MULTIPLY_ADD
    return _Each(read, read * ANALYSIS + cells * MAP_CELL, written, PREPARED_IMAGE)


def running(network: Network, count: int, *, with_maps: bool = False) -> float:
    """Run a network on so many pictures; with_maps: with its maps at hand, or with edited weights."""
    each = _each_of(network)
    return RUN + count * (each.read_with_maps if with_maps else each.read)


def masking(asked: Input, scores: int, makings: int = 1, cells: int = 0) -> float:
    """
    A mask made so often, laid on a picture of that shape, and so many scores weighed with it; without the run.

    cells: to a side of the grid that it is enlarged from
    """
    pixels, numbers = math.prod(asked.size), math.prod(asked.shape)
    larger = pixels / math.prod(DIGIT_SHAPE), numbers / math.prod(DIGIT_SHAPE)
    made = MASKED_PICTURE * max(larger) + 2 * cells * pixels * MULTIPLY_ADD
    return makings * made + scores * MASKED_SCORE * larger[0]


def charge_analysis(network: Network, count: int, maps: Sequence[str], times: int = 1) -> None:
    """Charge running a network with its maps at hand on so many pictures, `times` over; maps: those that are kept."""
    charge_opening(network)
    shapes = network.passport.inner_shapes()
    kept = count * sum(math.prod(shapes[name]) for name in maps)
    held = 4 * kept
    joined = 0.0
    if network.passport.is_adopted:
        joined = kept * JOINED_CELL if count > 1 else 0.0
        # Every inner map is an output, and so held as long as a run lasts, whichever are asked for.
        held += 4 * min(count, network.pictures_per_run) * sum(map(math.prod, shapes.values()))
    charge("run", times * running(network, count, with_maps=True) + joined, held)


def charge_opening(network: Network, *, walked: bool = False) -> None:
    """Charge opening what a network's maps and weights are read from, or its walk back, where it is not open."""
    size = network.creditor.bytes_to_open if walked else network.bytes_to_open
    if size and network.passport.is_adopted:
        charge("open", OPENED + size * OPENED_BYTE, OPENED_TIMES * size)


def results(network: Network, count: int, *, with_image: bool) -> float:
    """Write the verdicts of so many pictures; with_image: each with the picture that the network saw."""
    each = _each_of(network)
    return count * (each.written + each.drawn if with_image else each.written)


def charge_verdicts(network: Network, count: int, *, with_image: bool, with_maps: bool = False) -> None:
    """Charge what `running` and `results` say of so many pictures, in one go."""
    account = current.get()
    if account is not None:
        each = _each_of(network)
        account.charge("run", RUN + count * (each.read_with_maps if with_maps else each.read))
        account.charge("write", count * (each.written + each.drawn if with_image else each.written))


def charge_step(network: Network, step: int | None) -> None:
    """Charge the weights of a step of training, widened to 32 bits."""
    if step is not None:
        charge("change", network.passport.parameters * CELL)


def charge_changes(changes: Sequence[Change], count: int) -> None:
    """Charge the edits of a network, which are made once and repeated in each of so many results."""
    if changes:
        charge("change", len(changes) * (CHANGE + count * CHANGE_OUT), len(changes) * count * CHANGE_BYTES)


def charge_weights(weights: object) -> None:
    """Charge a kernel that was sent, nested lists of numbers, before it is checked."""
    charge("read", _numbers_in(weights) * WEIGHT)


def _numbers_in(value: object) -> int:
    """How many numbers there are in lists of lists, of which all are as deep as the first, or the first none."""
    if not isinstance(value, list | tuple):
        return 1
    return sum(map(_numbers_in, value)) if value and isinstance(value[0], list | tuple) else len(value)


def pooling(kind: str, cells: float, size: tuple[int, int], stride: tuple[int, int]) -> float:
    """Pool maps of so many cells in all: rows are combined first, then columns of what is left of them."""
    height, width = size
    steps = (height + width) * POOL_STEP + (height * cells + width * cells) / stride[0] * POOL_CELL + cells * CELL
    return steps * (2 if kind == "avg" else 1)


def drawing(tiles: int, cells: int, pixels: int, colours: int) -> tuple[float, int]:
    """Draw so many maps, of so many cells in all, as a PNG of so many pixels; the price, and the bytes held."""
    return DRAWING + tiles * TILE + (pixels * DRAWN_PIXEL + cells * DRAWN_CELL) * colours, 4 * pixels * colours
