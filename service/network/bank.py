"""
The fast engine for callers' filters: onnxruntime's Conv, one tile of the maps at a time.

`correlate_bank` answers what `core.convolution.correlate` answers, in float32. The padded picture is never made: every
tile is cut out of the picture with the border it needs, so that beside the answer itself a few megabytes are enough,
whatever the size of the picture.

Small work goes through a session that takes the kernels as an input. More work is worth a session of its own, with the
kernels built in, because only such a one uses onnxruntime's fastest convolution. That one computes 16 channels at
once, each with a kernel of its own, where a picture has one or three. So a tile is cut into 16 bands of rows, which are
passed off as 16 channels, all with the same kernel: every lane of the processor is busy, no patch is ever gathered,
and the 16 maps that come out are, one below the other, the rows of one.
"""

import math
from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache

import numpy as np
import onnxruntime as ort
from numpy.lib.stride_tricks import as_strided
from numpy.typing import ArrayLike, NDArray

from service.core.convolution import PAD_MODES, Geometry, Pair, check_choice

Floats = NDArray[np.float32]
Indices = NDArray[np.intp]
BankArrays = tuple[Floats, Floats]  # kernels (K, C, kh, kw) and biases (K,)
Border = tuple[str, float]  # pad_mode and pad_value; zero is a constant of 0

CONSTANT = ("zero", "constant")

LANES = 16  # channels that are computed at once with AVX-512; elsewhere fewer, which divide it
TILE_CELLS = 1 << 18  # of a map: 1 MiB, which stays in a core's cache; smaller tiles only add calls
TILE_COLUMNS = 2048  # wider maps are cut, so that 16 rows of a very wide one are no larger than a tile
READ_CELLS = 1 << 22  # that the bands of a tile may read: 16 MiB, many only with large kernels or long strides
BUILT_IN_BYTES = 1 << 20  # of kernels, once per lane, in one session; a larger bank is split
KEPT_BYTES = 1 << 18  # of kernels, once per lane, in a session that is kept for the next call
SMALL_WORK = 1 << 24  # in multiply-adds: takes about as long as making a session, half a millisecond
BAND_CHANNELS = 4  # of a picture at most; more, as of maps, make a session of as many nodes for each kernel
PAGE_CELLS = 1024  # 4 KiB: what lies so far apart shares the few places that a core's first cache has for it
SPARE_COLUMNS = 4  # of a map, computed and thrown away, so that its sixteen bands do not lie so far apart
FEW = 4  # kernels whose answers are worth the copy that this takes; those of more leave the cache before it
GATHERING = 6  # kernels' worth of time that gathering the patches takes, where they are gathered


class Scratch:
    """Memory for one tile after the other: fresh memory would cost a page fault for every 4 KiB of each."""

    def __init__(self) -> None:
        self._cells = np.empty(0, np.float32)

    def shaped(self, *shape: int) -> Floats:
        """Give an array of that shape, its content undefined; the one given before is no longer to be used."""
        count = math.prod(shape)
        if self._cells.size < count:
            self._cells = np.empty(count, np.float32)
        return self._cells[:count].reshape(shape)


def correlate_bank(
    image: ArrayLike,
    kernels: ArrayLike,
    biases: ArrayLike,
    geometry: Geometry,
    pad_mode: str = "zero",
    pad_value: float = 0.0,
    go_on: Callable[[], None] = lambda: None,
) -> Floats:
    """
    Slide every kernel of a bank over a picture; the kernels are laid on as they are written (correlation).

    image: (C, height, width)   kernels: (K, C, kh, kw)   biases: (K,)   geometry: of that picture and those kernels
    pad_mode, pad_value: see core.convolution.pad()
    go_on: called between tiles of the maps; what it raises ends the work
    returns: (K, rows, columns), float32

    >>> from service.core.convolution import geometry
    >>> digit, kernels, biases = np.ones((1, 28, 28)), np.ones((2, 1, 7, 7)), np.zeros(2)
    >>> correlate_bank(digit, kernels, biases, geometry((28, 28), (7, 7), stride=2)).shape
    (2, 11, 11)
    """
    check_choice("pad_mode", pad_mode, PAD_MODES)
    picture = np.asarray(image, np.float32)
    bank = np.ascontiguousarray(kernels, np.float32), np.ascontiguousarray(biases, np.float32)
    count, channels = bank[0].shape[:2]
    maps = np.empty((count, geometry.rows, geometry.columns), np.float32)

    border = pad_mode, pad_value if pad_mode == "constant" else 0.0
    band_rows = 0 if is_direct(geometry, count, channels) else _band_rows(geometry, channels)
    if not band_rows:
        _correlate_directly(picture, bank, geometry, border, maps, go_on)
    else:
        at_once = max(BUILT_IN_BYTES // (LANES * bank[0][0].nbytes), 1)
        for first in range(0, count, at_once):
            some = slice(first, first + at_once)
            _correlate_in_bands(picture, (bank[0][some], bank[1][some]), geometry, border, band_rows, maps[some], go_on)
    return maps


def is_direct(geometry: Geometry, count: int, channels: int) -> bool:
    """Whether so many kernels of so many channels are given with the picture, not built into a session of their own."""
    work = (count + GATHERING) * channels * geometry.multiply_adds
    return work <= SMALL_WORK or channels > BAND_CHANNELS or not _band_rows(geometry, channels)


def _correlate_directly(
    picture: Floats, bank: BankArrays, geometry: Geometry, border: Border, maps: Floats, go_on: Callable[[], None]
) -> None:
    """Fill `maps` by a session that is given the kernels."""
    session = _session_for_any(geometry.stride, geometry.dilation)
    scratch = Scratch()
    tile_columns = _tile_columns(geometry, len(picture))
    for rows, columns in _tiles(geometry, tile_columns, max(TILE_CELLS // (len(maps) * tile_columns), 1)):
        go_on()
        tile = padded_bands(picture, *_reads(geometry, rows, columns), border, scratch=scratch)
        feeds = {"image": tile.swapaxes(0, 1), "kernels": bank[0], "biases": bank[1]}
        maps[:, rows, columns] = session.run(None, feeds)[0][0]


def _correlate_in_bands(
    picture: Floats,
    bank: BankArrays,
    geometry: Geometry,
    border: Border,
    band_rows: int,
    maps: Floats,
    go_on: Callable[[], None],
) -> None:
    """Fill `maps` by a session with the kernels built in, sixteen bands of rows at once."""
    kernels, biases = bank
    is_kept = LANES * kernels.nbytes <= KEPT_BYTES
    make = _session_with if is_kept else _session_with.__wrapped__
    session = make(geometry.stride, geometry.dilation, kernels.shape, kernels.tobytes(), biases.tobytes())
    binding = session.io_binding()
    band_scratch, answer_scratch = Scratch(), Scratch()
    for rows, columns in _tiles(geometry, _tile_columns(geometry, len(picture)), LANES * band_rows, LANES):
        go_on()
        band = (rows.stop - rows.start) // LANES
        target = maps[:, rows, columns]
        # Of a tile as wide as the map the answer is written where it belongs; else it is put there afterwards.
        is_aligned = band * target.shape[2] % PAGE_CELLS == 0
        is_aside = not target[0].flags.c_contiguous or (is_aligned and len(maps) <= FEW)
        spare = SPARE_COLUMNS if is_aside and is_aligned else 0
        reads = _reads(geometry, rows, slice(columns.start, columns.stop + spare))
        bands = padded_bands(picture, *reads, border, LANES, band * geometry.stride[0], band_scratch)

        answers = answer_scratch.shaped(*target.shape[:2], target.shape[2] + spare) if is_aside else target
        for i, channel in enumerate(bands):
            binding.bind_cpu_input(f"image{i}", channel[None])
        for i, answer in enumerate(answers):
            shape = 1, LANES, band, answer.shape[1]
            binding.bind_output(f"map{i}", "cpu", 0, np.float32, shape, answer.ctypes.data)
        session.run_with_iobinding(binding)
        if is_aside:
            target[:] = answers[..., : target.shape[2]]


def _band_rows(geometry: Geometry, channels: int) -> int:
    """Choose how many rows of the map a band has; 0 where there is no room for sixteen bands of a single row."""
    columns = _tile_columns(geometry, channels)
    width = (columns - 1) * geometry.stride[1] + geometry.reach[1]
    readable_rows = READ_CELLS // (channels * LANES * width)
    if geometry.rows < LANES or readable_rows < geometry.reach[0]:
        return 0
    return max(min(TILE_CELLS // (LANES * columns), (readable_rows - geometry.reach[0]) // geometry.stride[0] + 1), 1)


def _tile_columns(geometry: Geometry, channels: int) -> int:
    """Cut wide maps evenly, and more narrowly where kernels are so tall that the bands would read too much."""
    readable = max(READ_CELLS // (2 * channels * LANES * geometry.reach[0]), 256)
    return math.ceil(geometry.columns / math.ceil(geometry.columns / min(TILE_COLUMNS, readable)))


def _tiles(geometry: Geometry, columns: int, most: int, least: int = 1) -> Iterator[tuple[slice, slice]]:
    """
    Cut a map into tiles of so many columns, and of at most `most` rows, a multiple of `least`.

    Rows that are left over at the end make a tile with some that were in the one before.
    """
    for left in range(0, geometry.columns, columns):
        across = slice(left, min(left + columns, geometry.columns))
        top = 0
        while geometry.rows - top >= least:
            rows = min(most, (geometry.rows - top) // least * least)
            yield slice(top, top + rows), across
            top += rows
        if top < geometry.rows:
            yield slice(geometry.rows - least, geometry.rows), across


def _reads(geometry: Geometry, rows: slice, columns: slice) -> tuple[range, range]:
    """Say which rows and columns of the picture, in its own cells, a tile of the map reads."""
    top, left = geometry.corner(rows.start, columns.start)
    bottom, right = geometry.corner(rows.stop - 1, columns.stop - 1)
    return range(top, bottom + geometry.reach[0]), range(left, right + geometry.reach[1])


# --- the border ------------------------------------------------------------------------------------------------------


def padded_bands(
    picture: Floats,
    rows: range,
    columns: range,
    border: Border,
    count: int = 1,
    step: int = 0,
    scratch: Scratch | None = None,
) -> Floats:
    """
    Cut rows and columns out of a padded picture, without padding it, in `count` bands that begin `step` rows apart.

    picture: (C, height, width)   rows, columns: in cells of the picture, which may lie outside of it
    returns: (C, count, rows of a band, columns)

    >>> picture = np.float32([[[1, 2], [3, 4], [5, 6]]])
    >>> padded_bands(picture, range(3), range(-1, 2), ("replicate", 0), count=2, step=1)
    array([[[[1., 1., 2.], [3., 3., 4.]],
            [[3., 3., 4.], [5., 5., 6.]]]], dtype=float32)
    """
    mode, value = border
    width = picture.shape[2]
    shape = len(picture), count, len(rows) - (count - 1) * step, len(columns)
    bands = (scratch or Scratch()).shaped(*shape)
    x0, x1 = _inside(columns, width)
    for first, last, is_inside in ((x0, x1, True), (0, x0, False), (x1, len(columns), False)):
        part, beneath = slice(first, last), columns[first:last]
        if first == last:
            continue
        if mode in CONSTANT and not is_inside:
            bands[..., part] = value
            continue
        if not is_inside and mode != "circular" and last - first < x1 - x0:
            # What such a border repeats lies beside it, and is here already.
            bands[..., part] = bands.take(source_cells(beneath, width, mode) - columns.start, axis=3)
            continue
        cells = slice(beneath.start, beneath.stop) if is_inside else source_cells(beneath, width, mode)
        for some in _runs(rows, picture.shape[1], count, step) if is_inside else [range(count)]:
            read = rows[some.start * step : (some.stop - 1) * step + shape[2]]
            lines = _padded_lines(picture, read, cells, border)  # (C, rows, columns of the part)
            channel, down, across = lines.strides
            bands[:, some.start : some.stop, :, part] = as_strided(
                lines, (len(picture), len(some), shape[2], lines.shape[2]), (channel, step * down, down, across)
            )
    return bands


def _runs(rows: range, height: int, count: int, step: int) -> list[range]:
    """Part the bands into those that begin above the picture, those within it, and those that end below it."""
    if count == 1:
        return [range(1)]
    depth = len(rows) - (count - 1) * step
    above = min(max(-(rows.start // step), 0), count)
    below = min(max((height - depth - rows.start) // step + 1, above), count)
    return [run for run in (range(above), range(above, below), range(below, count)) if run]


def _padded_lines(picture: Floats, rows: range, cells: slice | Indices, border: Border) -> Floats:
    """Take rows, which may lie outside of the picture, of some of its columns; a view where it can be."""
    mode, value = border
    height = picture.shape[1]
    y0, y1 = _inside(rows, height)
    inner = picture[:, rows.start + y0 : rows.start + y1, cells]
    if inner.shape[1] == len(rows):
        return inner
    if mode in CONSTANT:
        lines = np.full((len(picture), len(rows), inner.shape[2]), value, np.float32)
        lines[:, y0:y1] = inner
        return lines
    return picture[:, :, cells][:, source_cells(rows, height, mode)]


def _inside(places: range, size: int) -> tuple[int, int]:
    """Say from which to which of the places, by index, lie on an axis of `size` cells."""
    first = min(max(-places.start, 0), len(places))
    return first, min(max(size - places.start, first), len(places))


def source_cells(places: range, size: int, pad_mode: str) -> Indices:
    """
    Say which cell of an axis of `size` cells a border repeats at each place.

    >>> source_cells(range(-2, 6), 4, "symmetric")
    array([1, 0, 0, 1, 2, 3, 3, 2])
    """
    cells = np.arange(places.start, places.stop)
    if pad_mode == "replicate":
        return cells.clip(0, size - 1)
    if pad_mode == "circular":
        return cells % size
    if pad_mode == "symmetric":
        cells %= 2 * size
        return np.minimum(cells, 2 * size - 1 - cells)
    cells %= max(2 * size - 2, 1)  # mirror does not repeat the end cells; a single cell mirrors itself
    return np.minimum(cells, 2 * size - 2 - cells) if size > 1 else cells


# --- the sessions ----------------------------------------------------------------------------------------------------


@lru_cache(maxsize=16)  # callers choose strides and kernels, so the number of sessions must be bounded
def _session_for_any(stride: Pair, dilation: Pair) -> ort.InferenceSession:
    """Make the session that is given the kernels."""
    return _make_session(model_for_any(stride, dilation))


@lru_cache(maxsize=16)
def _session_with(
    stride: Pair, dilation: Pair, shape: tuple[int, ...], kernels: bytes, biases: bytes
) -> ort.InferenceSession:
    """Make the session with these kernels built in."""
    bank = np.frombuffer(kernels, np.float32).reshape(shape), np.frombuffer(biases, np.float32)
    return _make_session(model_with(stride, dilation, *bank))


def _make_session(model: bytes) -> ort.InferenceSession:
    options = ort.SessionOptions()
    options.intra_op_num_threads = 1  # processes scale, not threads
    options.inter_op_num_threads = 1
    options.enable_mem_pattern = False  # it would remember a plan for every shape any caller ever used
    _share_arena()
    options.add_session_config_entry("session.use_env_allocators", "1")
    options.log_severity_level = 3
    return ort.InferenceSession(model, options, providers=["CPUExecutionProvider"])


@lru_cache(maxsize=1)
def _share_arena() -> None:
    """Let all these sessions keep memory between runs in one place; each would keep that of its largest tile."""
    memory = ort.OrtMemoryInfo("Cpu", ort.OrtAllocatorType.ORT_ARENA_ALLOCATOR, 0, ort.OrtMemType.DEFAULT)
    ort.create_and_register_allocator(memory, None)


# --- their models, written by hand -----------------------------------------------------------------------------------

# The service does without the onnx package, and so few nodes need little of its format. The numbers are the fields of
# https://github.com/onnx/onnx/blob/main/onnx/onnx.proto


def model_for_any(stride: Pair, dilation: Pair) -> bytes:
    """
    Write the model of one Conv that is given the kernels.

    inputs: image (1, C, height, width), kernels (K, C, kh, kw), biases (K,)   output: maps (1, K, rows, columns)
    """
    inputs = [
        _declare("image", 1, "C", "height", "width"),
        _declare("kernels", "K", "C", "kh", "kw"),
        _declare("biases", "K"),
    ]
    node = _conv(["image", "kernels", "biases"], "maps", stride, dilation, 1)
    return _model([node], inputs, [_declare("maps", 1, "K", "rows", "columns")])


def model_with(stride: Pair, dilation: Pair, kernels: Floats, biases: Floats) -> bytes:
    """
    Write the model of a bank of kernels, each laid on sixteen pictures at once.

    kernels: (K, C, kh, kw)   biases: (K,)
    inputs: image0, image1, ... of every channel, (1, 16, height, width)
    outputs: map0, map1, ... of every kernel, (1, 16, rows, columns)
    """
    nodes, constants = [], []
    for k, (kernel, bias) in enumerate(zip(kernels, biases, strict=True)):
        terms = [f"map{k}"] if len(kernel) == 1 else [f"map{k}/channel{c}" for c in range(len(kernel))]
        constants.append(_constant(f"bias{k}", np.full(LANES, bias, np.float32)))
        for c, plane in enumerate(kernel):
            constants.append(_constant(f"kernel{k}/{c}", np.broadcast_to(plane, (LANES, 1, *plane.shape))))
            inputs = [f"image{c}", f"kernel{k}/{c}", f"bias{k}"]
            nodes.append(_conv(inputs[: 3 if c == 0 else 2], terms[c], stride, dilation, LANES))
        sums = [terms[0], *(f"map{k}/to{c}" for c in range(1, len(terms) - 1)), f"map{k}"]
        nodes += [_node("Add", [sums[c - 1], terms[c]], sums[c]) for c in range(1, len(terms))]
    return _model(
        nodes,
        [_declare(f"image{c}", 1, LANES, "height", "width") for c in range(kernels.shape[1])],
        [_declare(f"map{k}", 1, LANES, "rows", "columns") for k in range(len(kernels))],
        constants,
    )


def _model(
    nodes: Sequence[bytes], inputs: Sequence[bytes], outputs: Sequence[bytes], constants: Sequence[bytes] = ()
) -> bytes:
    parts = [(1, nodes), (5, constants), (11, inputs), (12, outputs)]
    graph = b"".join(_field(number, part) for number, some in parts for part in some) + _field(2, "correlate_bank")
    return _field(1, 8) + _field(7, graph) + _field(8, _field(2, 17))  # IR version 8, operator set 17


def _conv(inputs: Sequence[str], output: str, stride: Pair, dilation: Pair, group: int) -> bytes:
    grouped = _field(5, _field(1, "group") + _field(3, group) + _field(20, 2))  # type 2: an integer
    return _node("Conv", inputs, output) + _integers("strides", stride) + _integers("dilations", dilation) + grouped


def _integers(name: str, values: Sequence[int]) -> bytes:
    return _field(5, _field(1, name) + b"".join(_field(8, value) for value in values) + _field(20, 7))  # 7: a list


def _node(operator: str, inputs: Sequence[str], output: str) -> bytes:
    return b"".join(_field(1, name) for name in inputs) + _field(2, output) + _field(4, operator)


def _declare(name: str, *axes: int | str) -> bytes:
    """Declare a tensor of floats; axes of a known size are numbers, the others have a name."""
    shape = b"".join(_field(1, _field(1 if isinstance(axis, int) else 2, axis)) for axis in axes)
    return _field(1, name) + _field(2, _field(1, _field(1, 1) + _field(2, shape)))


def _constant(name: str, values: Floats) -> bytes:
    sizes = b"".join(_field(1, size) for size in values.shape)
    return sizes + _field(2, 1) + _field(8, name) + _field(9, values.tobytes())


def _field(number: int, value: int | str | bytes) -> bytes:
    """Write one protobuf field: its number and kind, then an integer, or a length and that many bytes."""
    if isinstance(value, int):
        return _varint(number << 3) + _varint(value)
    data = value.encode() if isinstance(value, str) else value
    return _varint(number << 3 | 2) + _varint(len(data)) + data


def _varint(value: int) -> bytes:
    """Seven bits to a byte, the lowest first; the top bit says that more follow."""
    encoded = bytearray()
    while value > 0x7F:
        encoded.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*encoded, value])
