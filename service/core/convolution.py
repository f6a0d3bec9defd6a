"""
The lecture in NumPy: patches, correlation, activation and pooling, exact and readable.

An image is cut into patches by a window that moves in strides; every patch is multiplied by a kernel and summed; the
sums, laid out as the patches were, are a feature map; pooling keeps the gist of it. In letters, with P the padded
image, s the stride and d the dilation,

    Z[k,y,x] = b[k] + sum over c,i,j of W[k,c,i,j] * P[c, y*s + i*d, x*s + j*d]

This is what networks call convolution and mathematics calls cross-correlation; a true convolution turns the kernel
by 180 degrees first. Every faster path in the project is tested against this file.
"""

import math
import operator
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import ArrayLike, NDArray

from service.core.errors import InvalidImage, InvalidKernel, InvalidOption, did_you_mean, shown

PADDINGS = ("valid", "same", "full")
PADDING_SYNONYMS = {"crop": "valid", "pad": "same"}  # the lecture's words for them
ORIENTATIONS = ("correlation", "convolution")
POOL_KINDS = ("max", "avg", "min", "l2")
NORMALISATIONS = ("none", "sum", "l1", "l2", "zero_mean")

Pair = tuple[int, int]
Pads = tuple[int, int, int, int]
Padding = str | int | Sequence[int]


# --- where the patches lie -------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Geometry:
    """
    Where a sliding window stops on an image, and what it leaves unread.

    rows, columns: how many stops, which is also the size of the feature map; image, kernel: their sizes in cells
    (height, width), before padding and dilation; stride, dilation: cells down and across; pads: cells added at
    (top, left, bottom, right); unread: rows below and columns on the right, padding included, that the last window
    does not reach.
    """

    rows: int
    columns: int
    image: Pair
    kernel: Pair
    stride: Pair
    dilation: Pair
    pads: Pads
    unread: Pair

    @property
    def patches(self) -> Pair:
        """The grid of patches, (rows, columns)."""
        return self.rows, self.columns

    @property
    def count(self) -> int:
        """How many patches there are."""
        return self.rows * self.columns

    @property
    def reach(self) -> Pair:
        """Height and width in cells of the area one patch spans, the gaps of the dilation included."""
        return _reach(self.kernel, self.dilation)

    @property
    def multiply_adds(self) -> int:
        """Multiplications for one kernel over one channel."""
        return self.count * self.kernel[0] * self.kernel[1]

    def corner(self, row: int, column: int) -> Pair:
        """
        (y, x) of the top-left cell of the patch at (row, column), in cells of the unpadded image.

        >>> geometry((28, 28), (7, 7), stride=2, padding="same").corner(0, 1)
        (-2, 0)
        """
        return row * self.stride[0] - self.pads[0], column * self.stride[1] - self.pads[1]


def geometry(
    image_shape: Sequence[int],
    kernel_shape: Sequence[int],
    stride: int | Sequence[int] = 1,
    dilation: int | Sequence[int] = 1,
    padding: Padding = "valid",
) -> Geometry:
    """
    Work out where a window of kernel_shape stops on an image of image_shape, both (height, width).

    stride, dilation: one number, or (down, across), each at least 1.
    padding: "valid" or "crop" adds nothing; "same" or "pad" adds what makes ceil(size / stride) stops per axis, an
    odd cell going to the end (bottom, right), as ONNX's SAME_UPPER and TensorFlow do; "full" adds all that still
    overlaps the image; a number adds that many cells on every side; [t, l, b, r] says it side by side.

    Raises InvalidOption for a value out of range and InvalidKernel when the window does not fit the padded image.

    >>> lecture = geometry((28, 28), (7, 7), stride=2)
    >>> lecture.patches, lecture.count, lecture.unread
    ((11, 11), 121, (1, 1))
    >>> geometry((28, 28), (7, 7), stride=2, padding="same").count
    196
    >>> geometry((28, 28), (7, 7), stride=7).patches
    (4, 4)
    """
    height, width = _sizes(image_shape)
    kernel = check_pair("kernel size", kernel_shape, least=1)
    stride = check_pair("stride", stride, least=1)
    dilation = check_pair("dilation", dilation, least=1)
    reach = _reach(kernel, dilation)
    top, left, bottom, right = pads = resolve_pads((height, width), reach, stride, padding)

    free = height + top + bottom - reach[0], width + left + right - reach[1]
    if min(free) < 0:
        dilated = f" ({reach[0]} x {reach[1]} with its dilation)" if reach != kernel else ""
        raise InvalidKernel(
            f"the window must fit the padded image of {height + top + bottom} x {width + left + right}, "
            f"got {kernel[0]} x {kernel[1]}{dilated}"
        )
    (steps_down, unread_rows), (steps_across, unread_columns) = map(divmod, free, stride)
    return Geometry(
        rows=steps_down + 1,
        columns=steps_across + 1,
        image=(height, width),
        kernel=kernel,
        stride=stride,
        dilation=dilation,
        pads=pads,
        unread=(unread_rows, unread_columns),
    )


def resolve_pads(image_shape: Pair, reach: Pair, stride: Pair, padding: Padding) -> Pads:
    """
    Turn any spelling of `padding` into cells (top, left, bottom, right); see geometry() for the spellings.

    >>> resolve_pads((28, 28), (7, 7), (2, 2), "same")
    (2, 2, 3, 3)
    """
    if isinstance(padding, str):
        padding = PADDING_SYNONYMS.get(padding, padding)
        if padding == "valid":
            return 0, 0, 0, 0
        if padding == "full":
            return reach[0] - 1, reach[1] - 1, reach[0] - 1, reach[1] - 1
        if padding == "same":
            missing = [
                max((math.ceil(size / step) - 1) * step + span - size, 0)
                for size, span, step in zip(image_shape, reach, stride, strict=True)
            ]
            top, left = missing[0] // 2, missing[1] // 2
            return top, left, missing[0] - top, missing[1] - left
    else:
        sides: list[Any] = list(padding) if isinstance(padding, Sequence | np.ndarray) else [padding] * 4
        if len(sides) == 4 and all(_is_whole(side) and side >= 0 for side in sides):
            top, left, bottom, right = (operator.index(side) for side in sides)
            return top, left, bottom, right
    words = ", ".join((*PADDINGS, *PADDING_SYNONYMS))
    raise InvalidOption(
        f"padding must be one of {words}, a whole number of at least 0, or four of them [top, left, bottom, right], "
        f"got {shown(padding)}{did_you_mean(padding, (*PADDINGS, *PADDING_SYNONYMS))}",
        "/padding",
    )


def check_pair(name: str, value: object, *, least: int) -> Pair:
    """
    Read a whole number, or two of them, as (down, across); InvalidOption names the option otherwise.

    >>> check_pair("stride", 2, least=1), check_pair("stride", [1, 3], least=1)
    ((2, 2), (1, 3))
    """
    pair: list[Any] = list(value) if isinstance(value, Sequence | np.ndarray) else [value, value]
    if isinstance(value, str) or len(pair) != 2 or not all(_is_whole(part) for part in pair):
        wanted = f"{name} must be a whole number, or two of them [down, across]"
        raise InvalidOption(f"{wanted}, got {shown(value)}", _pointer(name))
    down, across = operator.index(pair[0]), operator.index(pair[1])
    if min(down, across) < least:
        raise InvalidOption(f"{name} must be at least {least}, got {min(down, across)}", _pointer(name))
    return down, across


# --- the border ------------------------------------------------------------------------------------------------------


NUMPY_PAD_MODES = {
    "zero": "constant",
    "constant": "constant",
    "replicate": "edge",
    "mirror": "reflect",
    "symmetric": "symmetric",
    "circular": "wrap",
}
PAD_MODES = tuple(NUMPY_PAD_MODES)


def pad(image: ArrayLike, pads: Pads, mode: str = "zero", value: float = 0.0) -> NDArray[Any]:
    """
    Surround the last two axes of `image` with cells.

    image: (..., height, width)   pads: (top, left, bottom, right)
    returns: (..., top + height + bottom, left + width + right)

    mode, for a row a b c d: zero; constant, which is `value`; replicate a a | a b c d | d d;
    mirror c b | a b c d | c b; symmetric b a | a b c d | d c; circular c d | a b c d | a b.
    Pads wider than the image go on mirroring or circling.

    >>> pad([[1, 2, 3]], (0, 2, 0, 2), "mirror")
    array([[3, 2, 1, 2, 3, 2, 1]])
    """
    image = np.asarray(image)
    check_choice("pad_mode", mode, PAD_MODES)
    top, left, bottom, right = pads
    widths = [(0, 0)] * (image.ndim - 2) + [(top, bottom), (left, right)]
    if mode == "constant":
        return np.pad(_as_floats(image), widths, constant_values=value)
    return np.pad(image, widths, mode=NUMPY_PAD_MODES[mode])  # type: ignore[call-overload, no-any-return]


# --- patches and correlation -----------------------------------------------------------------------------------------


def patches(
    image: NDArray[Any],
    patch_size: int | Sequence[int],
    stride: int | Sequence[int] = 1,
    dilation: int | Sequence[int] = 1,
) -> NDArray[Any]:
    """
    Cut `image` into patches: a view of its memory, not a copy.

    image: (..., height, width), already padded   patch_size: one number, or (height, width)
    returns: (..., rows, columns, patch_height, patch_width), read-only

    Raises what geometry() raises.

    >>> digit = np.zeros((28, 28))
    >>> windows = patches(digit, 7, stride=2)
    >>> windows.shape, np.shares_memory(windows, digit)
    ((11, 11, 7, 7), True)
    """
    size = check_pair("patch_size", patch_size, least=1)
    places = geometry(image.shape[-2:], size, stride, dilation)
    every_place = sliding_window_view(image, places.reach, axis=(-2, -1))
    (down, across), (gap_down, gap_across) = places.stride, places.dilation
    return every_place[..., ::down, ::across, ::gap_down, ::gap_across]


def correlate(
    image: ArrayLike,
    kernel: ArrayLike,
    bias: ArrayLike = 0.0,
    *,
    stride: int | Sequence[int] = 1,
    dilation: int | Sequence[int] = 1,
    padding: Padding = "valid",
    pad_mode: str = "zero",
    pad_value: float = 0.0,
    orientation: str = "correlation",
) -> NDArray[np.float64]:
    """
    Slide a kernel over an image and sum the products at every stop; computed in float64.

    A kernel has as many axes as the image, and a bank of kernels one more:

    image (height, width):     kernel (kh, kw),    or bank (K, kh, kw)
    image (C, height, width):  kernel (C, kh, kw), or bank (K, C, kh, kw); the channels are summed

    bias: a number, or K of them.   returns: (rows, columns), or (K, rows, columns) for a bank
    orientation: "correlation" lays the kernel on as it is written; "convolution" turns it by 180 degrees first.
    stride, dilation, padding: see geometry(); pad_mode, pad_value: see pad().

    Raises InvalidImage, InvalidKernel or InvalidOption.

    >>> correlate([[0, 0, 0], [0, 3, 0], [0, 0, 0]], np.eye(2))
    array([[3., 0.],
           [0., 3.]])
    """
    image = _as_image(image)
    bank = _as_bank(kernel, image.ndim)  # (K, [C,] kh, kw)
    if image.ndim == 3 and bank.shape[1] != image.shape[0]:
        raise InvalidKernel(f"the kernel must have the image's {image.shape[0]} channels, got {bank.shape[1]}")
    check_choice("orientation", orientation, ORIENTATIONS)
    if orientation == "convolution":
        bank = bank[..., ::-1, ::-1]

    places = geometry(image.shape[-2:], bank.shape[-2:], stride, dilation, padding)
    padded = pad(image, places.pads, pad_mode, pad_value)
    windows = patches(padded, places.kernel, places.stride, places.dilation)  # ([C,] rows, columns, kh, kw)
    axes = "yxij,kij->kyx" if image.ndim == 2 else "cyxij,kcij->kyx"
    maps: NDArray[np.float64] = np.einsum(axes, windows, bank, optimize=True)
    maps += np.asarray(bias, dtype=np.float64).reshape(-1, 1, 1)
    is_single = np.ndim(kernel) == image.ndim
    return maps[0] if is_single else maps


def normalise(kernel: ArrayLike, how: str = "none") -> NDArray[Any]:
    """
    Scale a kernel, all its channels together: none; sum, l1, l2 (divided by that); zero_mean (its mean taken off).

    Raises InvalidKernel where that would divide by nothing, as with the sum of an edge filter.

    >>> normalise([[1, 2, 1]], "sum")
    array([[0.25, 0.5 , 0.25]])
    """
    weights = np.asarray(kernel)
    check_choice("normalize", how, NORMALISATIONS)
    if how == "none":
        return weights
    weights = _as_floats(weights)
    exact = weights.astype(np.float64)
    if how == "zero_mean":
        return np.asarray(exact - exact.mean(), weights.dtype)
    size = float(np.abs(exact).sum())
    divisor = {"sum": float(exact.sum()), "l1": size, "l2": float(np.linalg.norm(exact))}[how]
    if abs(divisor) <= 1e-6 * size:  # a sum this small is rounding, not weight
        raise InvalidKernel(f"normalize={how} must have something to divide by, but the {how} of the kernel is 0")
    return np.asarray(exact / divisor, weights.dtype)


# --- activation ------------------------------------------------------------------------------------------------------


def _sigmoid(x: NDArray[Any]) -> NDArray[Any]:
    result: NDArray[Any] = np.exp(-np.logaddexp(0, -x))  # 1 / (1 + exp(-x)) without its overflow
    return result


_ACTIVATIONS: dict[str, Callable[..., NDArray[Any]]] = {
    "linear": lambda x: x,
    "relu": lambda x: np.maximum(x, 0),
    "leaky_relu": lambda x, slope: np.where(x >= 0, x, slope * x),
    "tanh": np.tanh,
    "sigmoid": _sigmoid,
    "abs": np.abs,
    "square": np.square,
    "softplus": lambda x: np.logaddexp(0, x),  # log(1 + exp(x)) without its overflow
    "elu": lambda x, scale: np.where(x >= 0, x, scale * np.expm1(np.minimum(x, 0))),
    "hard_tanh": lambda x: np.clip(x, -1, 1),
    "threshold": lambda x, level: np.where(x > level, x, 0),
}
ACTIVATIONS = tuple(_ACTIVATIONS)
# For the three that take a number, the number when none is given: PyTorch's, and for threshold the middle of 0..1.
ACTIVATION_PARAMETERS = {"leaky_relu": 0.01, "elu": 1.0, "threshold": 0.5}


def activation(text: str) -> tuple[str, float | None]:
    """
    Read "relu", "leaky_relu" or "leaky_relu(0.2)" as a name and its number (None where the name takes none).

    Raises InvalidOption for anything else.

    >>> activation("leaky_relu(0.2)"), activation("elu"), activation("tanh")
    (('leaky_relu', 0.2), ('elu', 1.0), ('tanh', None))
    """
    name, number = _name_and_number(text)
    check_choice("activation", name, ACTIVATIONS)
    assert isinstance(name, str)
    if number is None:
        return name, ACTIVATION_PARAMETERS.get(name)
    if name not in ACTIVATION_PARAMETERS:
        raise InvalidOption(f"activation {name} takes no number, got {shown(text)}", "/activation")
    try:
        parameter = float(number)
    except ValueError:
        parameter = math.nan
    if not math.isfinite(parameter):
        raise InvalidOption(f"activation {name} takes a finite number, got {shown(text)}", "/activation")
    return name, parameter


def _name_and_number(text: object) -> tuple[object, str | None]:
    """The two parts of "name(number)"; all of the text where it has not that form."""
    if not isinstance(text, str):
        return text, None
    name, bracket, number = text.strip().partition("(")
    if not bracket:
        return name, None
    return (name.rstrip(), number[:-1]) if number.endswith(")") else (text, None)


def activate(name: str, x: ArrayLike, parameter: float | None = None) -> NDArray[Any]:
    """
    Apply an activation function to every cell; floats keep their precision.

    linear x; relu max(x, 0); leaky_relu(a) x or a*x below 0; tanh; sigmoid 1/(1+exp(-x)); abs; square;
    softplus log(1+exp(x)); elu(a) x or a*(exp(x)-1) below 0; hard_tanh x clipped to -1..1;
    threshold(t) x where x > t, else 0.

    name: may carry its number, "elu(0.5)"; `parameter` beats it.   Raises InvalidOption for another name.

    >>> activate("leaky_relu(0.5)", [-2.0, 3.0])
    array([-1.,  3.])
    """
    name, default = activation(name)
    x = _as_floats(x)
    if default is None:
        return _ACTIVATIONS[name](x)
    return _ACTIVATIONS[name](x, x.dtype.type(default if parameter is None else parameter))


# --- pooling ---------------------------------------------------------------------------------------------------------


def pool(
    maps: ArrayLike,
    kind: str,
    size: int | Sequence[int],
    stride: int | Sequence[int] | None = None,
    padding: Padding = "valid",
    *,
    count_include_pad: bool = False,
    go_on: Callable[[], None] = lambda: None,
) -> NDArray[Any]:
    """
    Keep one number per window of every map: its max, min, avg, or l2, the root of the sum of squares.

    maps: (..., height, width)   returns: (..., rows, columns)
    stride: the window's size unless given.   padding: as in geometry(), each side smaller than the window. Padding
    never wins a max or min, and counts in an average only with count_include_pad. A window that does not fit at the
    end is left unread (no "ceil mode").   go_on: called between steps; what it raises ends the work

    Raises InvalidOption.

    >>> pool([[1, 2, 5], [3, 4, 6]], "max", 2)
    array([[4.]])
    """
    check_choice("pool", kind, POOL_KINDS)
    maps = _as_floats(maps)
    places = pool_geometry(maps.shape[-2:], size, stride, padding)
    if kind == "max":
        return _reduce_windows(np.maximum, _surround(maps, places.pads, -np.inf), places, go_on)
    if kind == "min":
        return _reduce_windows(np.minimum, _surround(maps, places.pads, np.inf), places, go_on)
    if kind == "l2":
        squares = _reduce_windows(np.add, _surround(np.square(maps), places.pads, 0), places, go_on)
        np.sqrt(squares, out=squares)
        return squares
    means = _reduce_windows(np.add, _surround(maps, places.pads, 0), places, go_on)
    cells = np.ones(places.image, maps.dtype)
    means /= _reduce_windows(np.add, _surround(cells, places.pads, float(count_include_pad)), places, go_on)
    return means


def pool_geometry(
    map_shape: Sequence[int],
    size: int | Sequence[int],
    stride: int | Sequence[int] | None = None,
    padding: Padding = "valid",
) -> Geometry:
    """
    Where the windows of a pooling stop; raises InvalidOption where one would see padding only, or does not fit.

    >>> pool_geometry((11, 11), 2).patches
    (5, 5)
    """
    size = check_pair("pool size", size, least=1)
    try:
        places = geometry(map_shape, size, size if stride is None else stride, 1, padding)
    except InvalidKernel as problem:
        raise InvalidOption(f"pool size: {problem.detail}", "/pool") from None
    top, left, bottom, right = places.pads
    if max(top, bottom) >= size[0] or max(left, right) >= size[1]:
        raise InvalidOption(
            f"the padding of a pool must be smaller than its window of {size[0]} x {size[1]}, got {list(places.pads)}",
            "/pool",
        )
    return places


def _reduce_windows(
    combine: np.ufunc, padded: NDArray[Any], places: Geometry, go_on: Callable[[], None]
) -> NDArray[Any]:
    """Combine the cells of every window, down its columns and then across: height + width steps, not their product."""
    (height, width), (down, across) = places.kernel, places.stride
    below, beside = (places.rows - 1) * down + 1, (places.columns - 1) * across + 1
    strips: NDArray[Any] = padded[..., 0:below:down, :].copy()
    for offset in range(1, height):
        go_on()
        combine(strips, padded[..., offset : offset + below : down, :], out=strips)
    pooled: NDArray[Any] = strips[..., 0:beside:across].copy()
    for offset in range(1, width):
        go_on()
        combine(pooled, strips[..., offset : offset + beside : across], out=pooled)
    return pooled


def _surround(maps: NDArray[Any], pads: Pads, value: float) -> NDArray[Any]:
    return pad(maps, pads, "constant", value) if any(pads) else maps


# --- checks ----------------------------------------------------------------------------------------------------------


def check_choice(name: str, value: object, choices: Sequence[str]) -> None:
    """Raise InvalidOption unless `value` is one of `choices`."""
    if not isinstance(value, str) or value not in choices:
        wanted = f"{name} must be one of {', '.join(choices)}"
        raise InvalidOption(f"{wanted}, got {shown(value)}{did_you_mean(value, choices)}", _pointer(name))


def _as_floats(array: ArrayLike) -> NDArray[Any]:
    """Keep the precision of floats; make everything else float64."""
    array = np.asarray(array)
    return array if array.dtype.kind == "f" else array.astype(np.float64)


def _as_image(image: ArrayLike) -> NDArray[np.float64]:
    array = np.asarray(image, dtype=np.float64)
    if array.ndim not in {2, 3} or array.size == 0:
        raise InvalidImage(f"an image must be (height, width) or (channels, height, width), got {array.shape}")
    return array


def _as_bank(kernel: ArrayLike, image_axes: int) -> NDArray[np.float64]:
    """Give a single kernel the leading axis of a bank."""
    array = np.asarray(kernel, dtype=np.float64)
    if array.ndim not in {image_axes, image_axes + 1} or array.size == 0:
        raise InvalidKernel(
            f"on an image of {image_axes} axes a kernel must have {image_axes}, and a bank {image_axes + 1}, "
            f"got {array.shape}"
        )
    return array if array.ndim == image_axes + 1 else array[None]


def _sizes(shape: Sequence[int]) -> Pair:
    height, width = (operator.index(size) for size in shape)
    if min(height, width) < 1:
        raise InvalidImage(f"an image must have at least one cell, got {height} x {width}")
    return height, width


def _reach(kernel: Pair, dilation: Pair) -> Pair:
    return (kernel[0] - 1) * dilation[0] + 1, (kernel[1] - 1) * dilation[1] + 1


def _is_whole(value: object) -> bool:
    return isinstance(value, int | np.integer) and not isinstance(value, bool)


def _pointer(name: str) -> str:
    """Where in the request the option stands: "/stride", or "/pool" for "pool size"."""
    return "/" + name.split(maxsplit=1)[0]
