"""
The fast engine for callers' filters: onnxruntime's Conv, one tile of the maps at a time.

`correlate_bank` answers what `core.convolution.correlate` answers, in float32. The padded picture is never made: every
tile is cut out of the picture with the border it needs, and its maps are written where they belong in the answer. So
beside the answer itself a few megabytes are enough, whatever the size of the picture.

Small work goes through a session that takes the kernels as an input. For more it pays to make a session with the
kernels built in, because only then does onnxruntime use its fastest convolution, which computes 16 kernels at once.
A bank rarely has 16; so several rows of each map are computed as if they were further kernels: the same weights, each
one stride lower in a patch that is a little taller (`rows_per_block`, `stack_rows`).
"""

import math
from collections.abc import Iterator
from functools import lru_cache

import numpy as np
import onnxruntime as ort
from numpy.typing import NDArray

from service.core.convolution import PAD_MODES, Geometry, Pair, check_choice

Floats = NDArray[np.float32]

TILE_CELLS = 1 << 18  # of all maps together: 1 MiB, which stays in a core's cache; smaller tiles only add calls
TILE_COLUMNS = 4096  # wider pictures are cut, so that one row of a very wide one is no larger than a tile
LANES = 16  # kernels computed at once, with AVX-512; elsewhere fewer, which divide it
SMALL_WORK = 1 << 22  # in multiply-adds: takes about as long as making a session, 0.5 ms
MAX_KEPT_BYTES = 1 << 16  # of kernels built into a session that is kept for the next call


def correlate_bank(
    image: Floats,
    kernels: Floats,
    biases: Floats,
    geometry: Geometry,
    pad_mode: str = "zero",
    pad_value: float = 0.0,
) -> Floats:
    """
    Slide every kernel of a bank over a picture; the kernels are laid on as they are written (correlation).

    image: (C, height, width)   kernels: (K, C, kh, kw)   biases: (K,)   geometry: of that picture and those kernels
    pad_mode, pad_value: see core.convolution.pad()
    returns: (K, rows, columns), float32

    >>> from service.core.convolution import geometry
    >>> digit, kernels, biases = np.ones((1, 28, 28)), np.ones((2, 1, 7, 7)), np.zeros(2)
    >>> correlate_bank(digit, kernels, biases, geometry((28, 28), (7, 7), stride=2)).shape
    (2, 11, 11)
    """
    check_choice("pad_mode", pad_mode, PAD_MODES)
    image = np.asarray(image, np.float32)
    kernels, biases = np.ascontiguousarray(kernels, np.float32), np.ascontiguousarray(biases, np.float32)
    maps = np.empty((len(kernels), geometry.rows, geometry.columns), np.float32)

    # Where rows of a patch lie some cells apart, a patch reads every so-manieth row of the picture only. Those rows
    # make a picture of their own, to be read without a dilation down, which keeps its tiles low.
    (stride_down, stride_across), (apart, dilation_across) = geometry.stride, geometry.dilation
    phases, stride_down = apart // math.gcd(stride_down, apart), stride_down // math.gcd(stride_down, apart)

    work = geometry.multiply_adds * kernels.shape[0] * kernels.shape[1]
    is_small = work <= SMALL_WORK
    block = 1 if is_small else rows_per_block(len(kernels), geometry.kernel[0], stride_down)
    strides, dilations = (block * stride_down, stride_across), (1, dilation_across)
    if is_small:
        session, bank = _session(strides, dilations), {"kernels": kernels, "biases": biases}
    else:
        stacked, repeated = stack_rows(kernels, block, stride_down), np.repeat(biases, block)
        make = _session if stacked.nbytes <= MAX_KEPT_BYTES else _session.__wrapped__
        session, bank = make(strides, dilations, stacked.shape, stacked.tobytes(), repeated.tobytes()), {}

    for phase in range(min(phases, geometry.rows)):
        phase_maps = maps[:, phase::phases]
        for rows, columns in _tiles(phase_maps.shape, block):
            target = phase_maps[:, rows, columns]
            blocks = math.ceil(target.shape[1] / block)  # what the last one has too much is left out below
            height = (blocks * block - 1) * stride_down + geometry.kernel[0]
            width = (target.shape[2] - 1) * stride_across + geometry.reach[1]
            top, left = geometry.corner(phase + rows.start * phases, columns.start)
            reads = range(top, top + height * apart, apart), range(left, left + width)
            tile = padded_tile(image, *reads, pad_mode, pad_value)
            (answer,) = session.run(None, {"image": tile[None], **bank})
            answer = answer.reshape(len(kernels), block, blocks, -1)
            for row in range(block):
                wanted = target[:, row::block]
                wanted[:] = answer[:, row, : wanted.shape[1]]
    return maps


def rows_per_block(kernel_count: int, kernel_height: int, stride_down: int) -> int:
    """
    Choose how many rows of the map to compute as if they were kernels.

    B rows need patches of (kh - s) + B*s rows and fill K*B lanes, rounded up to whole groups of lanes. The cost of
    one cell is the one times the other over B.

    >>> [rows_per_block(count, 7, 1) for count in (1, 3, 8, 16, 32)]
    [16, 5, 2, 1, 1]
    """

    def cost(block: int) -> float:
        return (kernel_height - stride_down + block * stride_down) * math.ceil(kernel_count * block / LANES) / block

    return min(range(1, LANES + 1), key=cost)


def stack_rows(kernels: Floats, block: int, stride_down: int) -> Floats:
    """
    Lay every kernel `block` times into a taller patch, each time one stride lower.

    kernels: (K, C, kh, kw)   returns: (K * block, C, (block - 1) * stride_down + kh, kw)

    >>> stack_rows(np.ones((1, 1, 1, 1), np.float32), 2, 1)[:, 0, :, 0]
    array([[1., 0.],
           [0., 1.]], dtype=float32)
    """
    count, channels, height, width = kernels.shape
    patch_height = (block - 1) * stride_down + height
    stacked = np.zeros((count, block, channels, patch_height, width), np.float32)
    for row in range(block):
        stacked[:, row, :, row * stride_down : row * stride_down + height] = kernels
    return stacked.reshape(count * block, channels, patch_height, width)


def _tiles(shape: tuple[int, ...], block: int) -> Iterator[tuple[slice, slice]]:
    """Cut maps of `shape`, (K, rows, columns), into tiles of whole blocks of rows."""
    count, all_rows, all_columns = shape
    columns = math.ceil(all_columns / math.ceil(all_columns / TILE_COLUMNS))
    rows = max(TILE_CELLS // (count * columns * block), 1) * block
    for left in range(0, all_columns, columns):
        for top in range(0, all_rows, rows):
            yield slice(top, min(top + rows, all_rows)), slice(left, min(left + columns, all_columns))


# --- the border ------------------------------------------------------------------------------------------------------


def padded_tile(image: Floats, rows: range, columns: range, pad_mode: str, pad_value: float) -> Floats:
    """
    Cut the cells of `rows` and `columns` out of a padded picture, without padding it.

    image: (C, height, width)   rows, columns: in cells of that picture, which may lie outside of it; columns step by 1
    returns: (C, len(rows), len(columns))

    >>> padded_tile(np.float32([[[1, 2, 3]]]), range(1), range(-2, 4), "replicate", 0)
    array([[[1., 1., 1., 2., 3., 3.]]], dtype=float32)
    """
    height, width = image.shape[1:]
    inner_rows, inner_columns = _inside(rows, height), _inside(columns, width)
    tile_rows, tile_columns = rows[inner_rows], columns[inner_columns]
    inner = image[:, tile_rows.start : tile_rows.stop : rows.step, tile_columns.start : tile_columns.stop]
    if inner.shape[1:] == (len(rows), len(columns)):
        return np.ascontiguousarray(inner)

    tile = np.empty((len(image), len(rows), len(columns)), np.float32)
    tile[:, inner_rows, inner_columns] = inner
    everything = slice(None)
    for down, across in (
        (slice(inner_rows.start), everything),
        (slice(inner_rows.stop, None), everything),
        (inner_rows, slice(inner_columns.start)),
        (inner_rows, slice(inner_columns.stop, None)),
    ):
        if not (rows[down] and columns[across]):
            continue
        if pad_mode in {"zero", "constant"}:
            tile[:, down, across] = pad_value if pad_mode == "constant" else 0
        else:
            sources = source_cells(rows[down], height, pad_mode), source_cells(columns[across], width, pad_mode)
            tile[:, down, across] = image[:, sources[0][:, None], sources[1]]
    return tile


def _inside(places: range, size: int) -> slice:
    """Say which of the places, by index, lie on an axis of `size` cells."""
    first = min(max(math.ceil(-places.start / places.step), 0), len(places))
    last = min(max(math.ceil((size - places.start) / places.step), first), len(places))
    return slice(first, last)


def source_cells(places: range, size: int, pad_mode: str) -> NDArray[np.intp]:
    """
    Say which cell of an axis of `size` cells a border repeats at each place.

    >>> source_cells(range(-2, 6), 4, "symmetric")
    array([1, 0, 0, 1, 2, 3, 3, 2])
    """
    cells = np.arange(places.start, places.stop, places.step)
    if pad_mode == "replicate":
        return cells.clip(0, size - 1)
    if pad_mode == "circular":
        return cells % size
    if pad_mode == "symmetric":
        cells %= 2 * size
        return np.minimum(cells, 2 * size - 1 - cells)
    period = max(2 * size - 2, 1)  # mirror does not repeat the end cells; a single cell mirrors itself
    cells %= period
    return np.minimum(cells, period - cells) if size > 1 else cells


# --- the session -----------------------------------------------------------------------------------------------------


@lru_cache(maxsize=32)  # callers choose strides and kernels, so their number must be bounded
def _session(
    strides: Pair, dilations: Pair, shape: tuple[int, ...] = (), kernels: bytes = b"", biases: bytes = b""
) -> ort.InferenceSession:
    """Make the session of one Conv, with kernels of that shape built in, or none."""
    options = ort.SessionOptions()
    options.intra_op_num_threads = 1  # processes scale, not threads
    options.inter_op_num_threads = 1
    options.enable_mem_pattern = False  # it would remember a plan for every shape any caller ever used
    options.enable_cpu_mem_arena = False  # it would keep the largest tile ever, once per session
    options.log_severity_level = 3
    model = conv_model(strides, dilations, shape, kernels, biases)
    return ort.InferenceSession(model, options, providers=["CPUExecutionProvider"])


# --- the model, written by hand --------------------------------------------------------------------------------------


def conv_model(
    strides: Pair, dilations: Pair, shape: tuple[int, ...] = (), kernels: bytes = b"", biases: bytes = b""
) -> bytes:
    """
    Write the ONNX file of one Conv node; kernels (of `shape`) and biases are built in, or inputs when there are none.

    Written by hand because the service does without the onnx package, and because one node needs so little of the
    format: https://github.com/onnx/onnx/blob/main/onnx/onnx.proto, from which the field numbers come.
    """
    node = (
        b"".join(_field(1, name) for name in ("image", "kernels", "biases"))
        + _field(2, "maps")
        + _field(4, "Conv")
        + _field(5, _ints_attribute("strides", strides))
        + _field(5, _ints_attribute("dilations", dilations))
    )
    if kernels:
        bank = _field(5, _float_constant("kernels", shape, kernels))
        bank += _field(5, _float_constant("biases", shape[:1], biases))
    else:
        bank = _field(11, _float_tensor("kernels", "K", "C", "kh", "kw")) + _field(11, _float_tensor("biases", "K"))
    graph = (
        _field(1, node)
        + _field(2, "correlate_bank")
        + _field(11, _float_tensor("image", 1, shape[1] if kernels else "C", "H", "W"))
        + bank
        + _field(12, _float_tensor("maps", 1, "K", "rows", "columns"))
    )
    return _field(1, 8) + _field(7, graph) + _field(8, _field(2, 17))  # IR 8, opset 17


def _ints_attribute(name: str, values: Pair) -> bytes:
    return _field(1, name) + b"".join(_field(8, value) for value in values) + _field(20, 7)  # 7: a list of integers


def _float_tensor(name: str, *axes: int | str) -> bytes:
    """Declare a tensor; axes of a known size are numbers, the others have a name."""
    shape = b"".join(_field(1, _field(1 if isinstance(axis, int) else 2, axis)) for axis in axes)
    return _field(1, name) + _field(2, _field(1, _field(1, 1) + _field(2, shape)))  # element type 1: float


def _float_constant(name: str, shape: tuple[int, ...], values: bytes) -> bytes:
    return b"".join(_field(1, size) for size in shape) + _field(2, 1) + _field(8, name) + _field(9, values)


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
