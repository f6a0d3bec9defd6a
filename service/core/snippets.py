"""
Code that computes a response again, in NumPy or PyTorch, and needs nothing of this project.

A snippet has the kernels and the geometry written out, and defines respond(image), which takes a picture (channels,
height, width) and returns the responses in order. Where the picture is small it is written out too, and `responses`
is computed at the end.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from service.core.colour import LUMA
from service.core.convolution import NUMPY_PAD_MODES, Pads, Pair, activation

LIBRARIES = ("numpy", "torch")
# A picture of at most this many numbers is written into the snippet.
SMALL_PICTURE = 3 * 32 * 32


@dataclass(frozen=True, slots=True)
class SnippetFilter:
    """weights: (rows, columns) or (channels, rows, columns), as they are laid on (correlation)."""

    name: str
    weights: NDArray[np.float32]
    bias: float
    pads: Pads


@dataclass(frozen=True, slots=True)
class SnippetStage:
    """One stage: filters (or none), then the activation, then the pooling: (kind, size, stride), or none."""

    filters: Sequence[SnippetFilter]
    stride: Pair
    dilation: Pair
    pad_mode: str
    pad_value: float
    each_channel: bool
    activation: str
    pool: tuple[str, Pair, Pair] | None


def snippet(library: str, stages: Sequence[SnippetStage], image: NDArray[np.float32]) -> str:
    """
    Write the code.

    library: "numpy" or "torch"   image: (channels, height, width), as the filters saw it

    >>> stage = SnippetStage([SnippetFilter("sum", np.ones((2, 2), np.float32), 0.5, (0, 0, 0, 0))], (1, 1), (1, 1),
    ...                    "zero", 0.0, False, "relu", None)
    >>> names = {}
    >>> exec(snippet("numpy", [stage], np.ones((1, 2, 2), np.float32)), names)
    >>> names["responses"]
    [array([[4.5]])]
    """
    write = {"numpy": _NumPy, "torch": _PyTorch}[library](len(image))
    last = len(stages) - 1
    body = [line for number, stage in enumerate(stages) for line in write.stage(number, stage, is_last=number == last)]
    filters = [line for number, stage in enumerate(stages) for line in _filters(number, stage)]
    used = {name for stage in stages for name in _helpers(stage)}
    helpers = [text for name, text in write.helpers.items() if name in used]
    parts = [write.imports.strip(), *filters, *(f"\n{text.strip()}\n" for text in helpers), "", "def respond(image):"]
    parts += [f'    """image: ({image.shape[0]}, {image.shape[1]}, {image.shape[2]}), 0 black, 1 white."""', *body]
    if image.size <= SMALL_PICTURE:
        parts += ["", "", f"image = {write.array.format(_literal(image))}", "responses = respond(image)"]
    return "\n".join(parts) + "\n"


def patches_snippet(
    library: str, image: NDArray[np.float32], size: Pair, stride: Pair, pads: Pads, pad_mode: str, pad_value: float
) -> str:
    """
    Write the code that cuts a picture into patches: cut(image) gives (count, rows, columns).

    image: (height, width)

    >>> names = {}
    >>> exec(patches_snippet("numpy", np.eye(3, dtype=np.float32), (2, 2), (1, 1), (0, 0, 0, 0), "zero", 0.0), names)
    >>> names["patches"].shape
    (4, 2, 2)
    """
    write = {"numpy": _NumPy, "torch": _PyTorch}[library](1)
    mode = write.modes[pad_mode]
    border = f", constant_values={pad_value if pad_mode == 'constant' else 0.0}" if mode == "constant" else ""
    top, left, bottom, right = pads
    lines = [write.imports, "", "", "def cut(image):"]
    lines += [f'    """image: ({image.shape[0]}, {image.shape[1]}), 0 black, 1 white."""']
    lines += [f"    padded = np.pad(image, (({top}, {bottom}), ({left}, {right})), mode={mode!r}{border})"]
    lines += [line.format(size=tuple(size), stride=tuple(stride)) for line in write.cut]
    if image.size <= SMALL_PICTURE:
        lines += ["", "", f"image = np.array({_literal(image)})", "patches = cut(image)"]
    return "\n".join(lines) + "\n"


def _helpers(stage: SnippetStage) -> list[str]:
    return (["correlate"] if stage.filters else []) + (["pool"] if stage.pool else [])


def _filters(number: int, stage: SnippetStage) -> list[str]:
    """The filters of a stage as a list: name, weights, bias, padding (top, left, bottom, right)."""
    if not stage.filters:
        return []
    rows = [
        f"    ({each.name!r}, {_literal(each.weights)}, {np.float32(each.bias)!s}, {tuple(each.pads)}),"
        for each in stage.filters
    ]
    return ["", f"FILTERS_{number} = [  # name, weights, bias, cells added (top, left, bottom, right)", *rows, "]"]


def _literal(array: NDArray[np.float32]) -> str:
    """Nested lists of the shortest decimals that read back as the same float32."""
    if array.ndim == 0:
        return str(array[()])
    return "[" + ", ".join(_literal(part) for part in array) + "]"


class _NumPy:
    """The lines of a snippet in NumPy; channels: of the picture."""

    imports = "import numpy as np"
    array = "np.array({})"
    helpers: ClassVar[dict[str, str]] = {
        "correlate": '''
def correlate(maps, weights, bias, pads, stride, dilation, mode, value):
    """maps: (channels, height, width), weights: (channels, rows, columns), summed over channels."""
    top, left, bottom, right = pads
    border = {"constant_values": value} if mode == "constant" else {}
    padded = np.pad(maps, ((0, 0), (top, bottom), (left, right)), mode=mode, **border)
    reach = [(size - 1) * gap + 1 for size, gap in zip(weights.shape[1:], dilation)]
    windows = np.lib.stride_tricks.sliding_window_view(padded, reach, axis=(1, 2))
    windows = windows[:, :: stride[0], :: stride[1], :: dilation[0], :: dilation[1]]
    return np.einsum("cyxij,cij->yx", windows, weights) + bias
''',
        "pool": '''
def pool(maps, reduce, size, stride):
    """maps: (..., height, width); one number per window."""
    windows = np.lib.stride_tricks.sliding_window_view(maps, size, axis=(-2, -1))
    return reduce(windows[..., :: stride[0], :: stride[1], :, :])
''',
    }
    modes: ClassVar[dict[str, str]] = NUMPY_PAD_MODES
    activations: ClassVar[dict[str, str]] = {
        "relu": "np.maximum(x, 0)",
        "leaky_relu": "np.where(x >= 0, x, {0} * x)",
        "tanh": "np.tanh(x)",
        "sigmoid": "np.exp(-np.logaddexp(0, -x))",
        "abs": "np.abs(x)",
        "square": "np.square(x)",
        "softplus": "np.logaddexp(0, x)",
        "elu": "np.where(x >= 0, x, {0} * np.expm1(np.minimum(x, 0)))",
        "hard_tanh": "np.clip(x, -1, 1)",
        "threshold": "np.where(x > {0}, x, 0)",
    }
    pools: ClassVar[dict[str, str]] = {
        "max": "lambda x: x.max(axis=(-2, -1))",
        "min": "lambda x: x.min(axis=(-2, -1))",
        "avg": "lambda x: x.mean(axis=(-2, -1))",
        "l2": "lambda x: np.sqrt(np.square(x).sum(axis=(-2, -1)))",
    }
    cut: ClassVar[list[str]] = [
        "    windows = np.lib.stride_tricks.sliding_window_view(padded, {size})",
        "    return windows[:: {stride}[0], :: {stride}[1]].reshape(-1, *{size})",
    ]
    join = "np.concatenate([answer.reshape(-1, *answer.shape[-2:]) for answer in answers])"
    grey = "np.tensordot({}, {}, 1)[None]"
    stack = "np.stack([{} for plane in {}])"
    start = "np.asarray(image, float)"

    def __init__(self, channels: int) -> None:
        self._channels = channels

    def stage(self, number: int, stage: SnippetStage, *, is_last: bool) -> list[str]:
        source = "maps" if number else self.start
        lines = [f"    maps = {source}"] if not number else []
        lines += self._correlate(number, stage) if stage.filters else ["    answers = list(maps)"]
        name, parameter = activation(stage.activation)
        if name != "linear":
            applied = self.activations[name].format(parameter)
            lines.append(f"    answers = [{applied} for x in answers]")
        if stage.pool is not None:
            kind, size, stride = stage.pool
            lines.append(f"    answers = [pool(x, {self.pools[kind]}, {size}, {stride}) for x in answers]")
        return [*lines, "    return answers" if is_last else f"    maps = {self.join}"]

    def _correlate(self, number: int, stage: SnippetStage) -> list[str]:
        """Filters with channels sum over them; the others see grey, or each channel."""
        value = stage.pad_value if stage.pad_mode == "constant" else 0.0
        how = f"bias, pads, {stage.stride}, {stage.dilation}, {self.modes[stage.pad_mode]!r}, {value}"
        over_all = f"correlate(maps, {self.array.format('weights')}, {how})"
        over_one = f"correlate({{}}, {self.array.format('[weights]')}, {how})"
        axes = {each.weights.ndim for each in stage.filters}
        lines, seen = [], "maps"
        if 2 in axes and number == 0 and self._channels > 1 and not stage.each_channel:
            lines, seen = [f"    grey = {self.grey.format([round(float(part), 3) for part in LUMA], 'maps')}"], "grey"
        flat = over_one.format(seen)
        if stage.each_channel:
            flat = self.stack.format(over_one.format("plane[None]"), "maps")
        call = {2: flat, 3: over_all}[max(axes)]
        if len(axes) > 1:
            call = f"{over_all} if np.ndim(weights) == 3 else {flat}"
        source = f"        for _, weights, bias, pads in FILTERS_{number}"
        return [*lines, "    answers = [", f"        {call}", source, "    ]"]


class _PyTorch(_NumPy):
    """The same in PyTorch."""

    imports = "import numpy as np\nimport torch\nfrom torch.nn import functional"
    array = "torch.tensor({}, dtype=torch.float64)"
    helpers: ClassVar[dict[str, str]] = {
        "correlate": '''
def correlate(maps, weights, bias, pads, stride, dilation, mode, value):
    """maps: (channels, height, width), weights: (channels, rows, columns), summed over channels."""
    top, left, bottom, right = pads
    if mode == "constant":
        padded = functional.pad(maps, (left, right, top, bottom), value=value)
    else:  # functional.pad has not every mode, and wants borders narrower than the picture
        rows, columns = (np.pad(np.arange(n), p, mode) for n, p in zip(maps.shape[1:], [(top, bottom), (left, right)]))
        padded = maps[:, torch.from_numpy(rows)][:, :, torch.from_numpy(columns)]
    return functional.conv2d(padded[None], weights[None], stride=stride, dilation=dilation)[0, 0] + bias
''',
        "pool": '''
def pool(maps, reduce, size, stride):
    """maps: (..., height, width); one number per window."""
    pooled = reduce(maps.reshape(1, -1, *maps.shape[-2:]), size, stride)[0]
    return pooled.reshape(*maps.shape[:-2], *pooled.shape[-2:])
''',
    }
    activations: ClassVar[dict[str, str]] = {
        "relu": "functional.relu(x)",
        "leaky_relu": "functional.leaky_relu(x, {0})",
        "tanh": "torch.tanh(x)",
        "sigmoid": "torch.sigmoid(x)",
        "abs": "x.abs()",
        "square": "x.square()",
        "softplus": "functional.softplus(x)",
        "elu": "functional.elu(x, {0})",
        "hard_tanh": "functional.hardtanh(x)",
        "threshold": "functional.threshold(x, {0}, 0)",
    }
    pools: ClassVar[dict[str, str]] = {
        "max": "functional.max_pool2d",
        "min": "lambda x, *window: -functional.max_pool2d(-x, *window)",
        "avg": "functional.avg_pool2d",
        "l2": "lambda x, *window: torch.sqrt(functional.avg_pool2d(x.square(), *window, divisor_override=1))",
    }
    cut: ClassVar[list[str]] = [
        "    columns = functional.unfold(torch.from_numpy(padded)[None, None], {size}, stride={stride})",
        "    return columns[0].T.reshape(-1, *{size})",
    ]
    join = "torch.cat([answer.reshape(-1, *answer.shape[-2:]) for answer in answers])"
    grey = "torch.tensordot(torch.tensor({}, dtype=torch.float64), {}, 1)[None]"
    stack = "torch.stack([{} for plane in {}])"
    start = "torch.as_tensor(image, dtype=torch.float64)"
