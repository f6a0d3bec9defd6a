"""
Rules for what computes: each hands its gains down by the numbers that it multiplied with, held still.

What is linear for every picture needs nothing more. Elsewhere a gate is held: y = gate * x + constant, with the gate as
it was for this picture. Every constant adds a term, so that nothing is lost:

    score = sum over the picture of gain * number + sum of the terms

For relu, maxima and averages the gains are the gradient; for the rest they are what Shrikumar et al. call the rescale
rule of DeepLIFT from zero (arXiv 1704.02685), and where a map multiplies another the one that is a gate is held.
"""

from collections.abc import Iterable, Sequence

import numpy as np
from onnx import NodeProto

from service.credit import moves
from service.credit.moves import Rule, alone, laid
from service.credit.walk import Walk

# What rises everywhere, and so may be put behind a maximum: where it has flattened two numbers to one, these still
# tell which was larger.
RISING = {"Tanh", "Sigmoid", "Softsign"}
# What a map is multiplied with to let through a part of it.
GATES = {"Sigmoid", "HardSigmoid", "Softmax", "Tanh"}
# Below it a slope is not (y - y0) / x, whose rounding would show, but the tangent's; or, of what bends there, that of
# its Taylor series: up to where, and the slope's factors of 1, x, x^2, ...
NEAR_ZERO = 1e-3
SERIES = {"Sigmoid": (0.1, (1 / 4, 0.0, -1 / 48)), "Softplus": (0.1, (1 / 2, 1 / 8, 0.0, -1 / 192))}

# --- layers ----------------------------------------------------------------------------------------------------------


def behind_conv(walk: Walk, node: NodeProto, gains: list[str]) -> None:
    """A convolution's products, each to its input."""
    read, weights, *biases = node.input
    if weights in walk.of_picture:
        raise walk.refused("its filters are made of the picture")
    if biases and biases[0]:
        _owe_per_filter(walk, gains[0], biases[0])
    geometry = _Geometry(walk, node, walk.shapes[weights][2:])
    handed = walk.add("ConvTranspose", gains[0], weights, group=walk.attribute("group", 1), **geometry.back)
    walk.give(read, handed)


class _Geometry:
    """Kernel, strides, dilations and pads of a node that goes over its input in windows, those left to it included."""

    def __init__(self, walk: Walk, node: NodeProto, kernel: Sequence[int]) -> None:
        sides = len(kernel)
        read, made = (walk.shapes[name][2:] for name in (node.input[0], node.output[0]))
        self.kernel = list(kernel)
        self.strides = list(walk.attribute("strides", [1] * sides))
        self.dilations = list(walk.attribute("dilations", [1] * sides))
        reach = [(size - 1) * apart + 1 for size, apart in zip(kernel, self.dilations, strict=True)]
        ends = [(count - 1) * step + size for count, step, size in zip(made, self.strides, reach, strict=True)]
        needed = [end - size for end, size in zip(ends, read, strict=True)]
        same = walk.attribute("auto_pad", b"NOTSET").decode()
        if same.startswith("SAME"):
            whole = [max(0, each) for each in needed]
            self.begin = [each // 2 if same == "SAME_UPPER" else each - each // 2 for each in whole]
        else:
            self.begin = list(walk.attribute("pads", [0] * 2 * sides))[:sides]
        # What the last window reads beyond the input; below 0 it does not reach its end.
        self.end = [each - begin for each, begin in zip(needed, self.begin, strict=True)]

    @property
    def back(self) -> dict[str, list[int]]:
        """The attributes of the transposed convolution that goes the same way back."""
        return {
            "strides": self.strides,
            "dilations": self.dilations,
            "pads": [*self.begin, *(max(0, each) for each in self.end)],
            "output_padding": [max(0, -each) for each in self.end],
        }


def _owe_per_filter(walk: Walk, gains: str, constant: str) -> None:
    """Note what a constant of each filter, (K,), adds."""
    shape = walk.shapes[walk.at.output[0]]
    sums = walk.summed(gains, range(2, len(shape)), is_kept=False)
    walk.owe_sum(walk.add("Mul", sums, constant), 2)


def behind_gemm(walk: Walk, node: NodeProto, gains: list[str]) -> None:
    """A dense layer's products, each to its input."""
    read, weights, *biases = node.input
    if weights in walk.of_picture or walk.attribute("transA", 0):
        raise walk.refused("only a map times constants is handed down")
    if biases and biases[0]:
        factor = walk.attribute("beta", 1.0)
        each = gains[0] if factor == 1 else walk.add("Mul", gains[0], walk.constant(factor))
        walk.owe(each, biases[0])
    back = {"transB": 1 - walk.attribute("transB", 0), "alpha": walk.attribute("alpha", 1.0)}
    walk.give(read, walk.add("Gemm", gains[0], weights, **back))


def behind_matmul(walk: Walk, node: NodeProto, gains: list[str]) -> None:
    """Products with constants, or with a map that is a gate, such as attention: that one is held."""
    left, right = node.input
    gate = None
    if walk.of_picture.issuperset(node.input):
        gate = next((name for name in node.input if _is_softmax(walk, name)), None)
        if gate is None:
            raise walk.refused("two maps are multiplied, neither of which is a gate")
    if right == gate or right not in walk.of_picture:
        if len(walk.shapes[right]) < 2:
            raise walk.refused("with a row of numbers")
        handed = walk.add("MatMul", gains[0], _turned(walk, right))
        walk.give(left, _fitting(walk, handed, left, right), is_gate=gate is not None)
    else:
        if len(walk.shapes[left]) < 2:
            raise walk.refused("with a row of numbers")
        handed = walk.add("MatMul", _turned(walk, left), gains[0])
        walk.give(right, _fitting(walk, handed, right, left), is_gate=gate is not None)


def _turned(walk: Walk, tensor: str) -> str:
    axes = list(range(len(walk.shapes[tensor])))
    return walk.add("Transpose", tensor, perm=[*axes[:-2], axes[-1], axes[-2]])


def _fitting(walk: Walk, handed: str, tensor: str, other: str) -> str:
    """Sums over the axes along which a factor of a product of matrices was spread."""
    shape, beside = walk.shapes[tensor], walk.shapes[other]
    if len(beside) > len(shape):
        raise walk.refused("the axis of the pictures is joined with another")
    whole = (1,) * (len(shape) - len(beside)) + tuple(beside)
    return walk.summed(handed, [axis for axis in range(1, len(shape) - 2) if shape[axis] == 1 < whole[axis]])


def _is_softmax(walk: Walk, tensor: str) -> bool:
    return walk.made_by(walk.origin(tensor, "Reshape", "Dropout", "Transpose")) == "Softmax"


def behind_maxpool(walk: Walk, node: NodeProto, gains: list[str]) -> None:
    """All to the winner of each window, the first in reading order."""
    read, shape = node.input[0], walk.shapes[node.input[0]]
    before = walk.makers[read][1].input[0] if walk.made_by(read) in RISING else read
    given = {each.name: each for each in node.attribute if each.name != "storage_order"}
    if node.op_type == "GlobalMaxPool":
        _, places = walk.add_all("MaxPool", [before], 2, kernel_shape=shape[2:])
    else:
        _, places = walk.add_all("MaxPool", [before], 2)
        walk.nodes[-1].attribute.extend(given.values())
    count = int(np.prod(walk.shapes[node.output[0]]))
    flat, at = walk.shaped(gains[0], [count]), walk.shaped(places, [count])
    walk.give(read, laid(walk, flat, at, shape), is_gate=True)


def behind_avgpool(walk: Walk, node: NodeProto, gains: list[str]) -> None:
    """An equal part to each cell that was counted."""
    read, shape, made = node.input[0], walk.shapes[node.input[0]], walk.shapes[node.output[0]]
    geometry = _Geometry(walk, node, walk.attribute("kernel_shape"))
    parts = walk.add("Mul", gains[0], walk.constant(_part_of_each(walk, node, geometry)))
    each = walk.add("Reshape", parts, walk.whole(-1, 1, *made[2:]))
    window = walk.constant(np.ones((1, 1, *geometry.kernel)))
    walk.give(read, walk.shaped(walk.add("ConvTranspose", each, window, **geometry.back), shape[1:]))


def _part_of_each(walk: Walk, node: NodeProto, geometry: _Geometry) -> np.ndarray:
    """What each window gives to each of its cells, (1, 1, rows, columns): the reciprocal of how many it counts."""
    read, made = (walk.shapes[name] for name in (node.input[0], node.output[0]))
    # Of cells that are 1 a window makes the share of those it counts that are real.
    share = alone(walk, node, np.ones((1, 1, *read[2:]), np.float32)).astype(np.float64)
    real = np.ones((1, 1))
    for axis, count in enumerate(made[2:]):
        first = np.arange(count)[:, None] * geometry.strides[axis] - geometry.begin[axis]
        cells = first + np.arange(geometry.kernel[axis]) * geometry.dilations[axis]
        inside = ((cells >= 0) & (cells < read[2 + axis])).sum(axis=1)
        real = real[..., None] * inside
    return np.asarray(share / real[0])


def behind_mean(walk: Walk, node: NodeProto, gains: list[str]) -> None:
    """An equal part to each cell: of a global average, of a mean or of a sum over axes."""
    shape = walk.shapes[node.input[0]]
    axes = list(range(2, len(shape))) if node.op_type == "GlobalAveragePool" else _axes(walk, node, len(shape))
    if 0 in axes:
        raise walk.refused("over the axis of the pictures")
    count = 1 if node.op_type == "ReduceSum" else int(np.prod([shape[axis] for axis in axes]))
    spread = np.full([shape[axis] if axis in axes else 1 for axis in range(len(shape))], 1 / count)
    whole = walk.shaped(gains[0], [1 if axis in axes else shape[axis] for axis in range(1, len(shape))])
    walk.give(node.input[0], walk.add("Mul", whole, walk.constant(spread)))


def _axes(walk: Walk, node: NodeProto, count: int) -> list[int]:
    """The axes that a node goes over, from its attribute or, in later opsets, its second input."""
    given = walk.attribute("axes")
    if given is None and len(node.input) > 1 and node.input[1]:
        given = walk.known(1).tolist()
    return [axis % count for axis in (range(count) if given is None else given)]


# --- one number at a time ---------------------------------------------------------------------------------------------


def behind_pointwise(walk: Walk, node: NodeProto, gains: list[str]) -> None:
    """
    An activation, y = y0 + gate * x: the gate is the slope from where it cuts the axis, (0, y0), to where it is.
    """
    read, made = node.input[0], node.output[0]
    if node.op_type == "Relu":
        gate = walk.add("Cast", walk.add("Greater", read, walk.constant(0)), to=1)
    else:
        before, at_zero, after = _around_zero(walk, node)
        reach, series = SERIES.get(node.op_type, (NEAR_ZERO, ((after - before) / (2 * NEAR_ZERO),)))
        if at_zero == 0:
            is_near, above = walk.add("Equal", read, walk.constant(0)), made
        else:
            is_near = walk.add("Less", walk.add("Abs", read), walk.constant(reach))
            above = walk.add("Sub", made, walk.constant(at_zero))
            walk.owe(gains[0], walk.number(at_zero))
        slope = walk.constant(series[-1])
        for factor in series[-2::-1]:
            slope = walk.add("Add", walk.add("Mul", slope, read), walk.constant(factor))
        safe = walk.add("Where", is_near, walk.constant(1), read)
        gate = walk.add("Where", is_near, slope, walk.add("Div", above, safe))
    walk.give(read, walk.add("Mul", gains[0], gate), is_gate=True)


def _around_zero(walk: Walk, node: NodeProto) -> tuple[float, float, float]:
    """What an activation makes of three numbers around 0."""
    if node.op_type in {"PRelu", "LRN"}:
        # Of each channel another, and 0 at 0.
        return -NEAR_ZERO, 0.0, NEAR_ZERO
    low, middle, high = alone(walk, node, np.array([[-NEAR_ZERO, 0, NEAR_ZERO]], np.float32)).astype(np.float64)[0]
    return float(low), float(middle), float(high)


def behind_dequantise(walk: Walk, node: NodeProto, gains: list[str]) -> None:
    """Numbers that were rounded to few levels, back as numbers: both steps are one activation."""
    read, made = walk.origin(node.input[0]), node.output[0]
    if walk.made_by(read) != "QuantizeLinear":
        raise walk.refused("what it reads was not quantised just before")
    source = walk.makers[read][1].input[0]
    is_zero = walk.add("Equal", source, walk.constant(0))
    safe = walk.add("Where", is_zero, walk.constant(1), source)
    gate = walk.add("Where", is_zero, walk.constant(1), walk.add("Div", made, safe))
    walk.give(source, walk.add("Mul", gains[0], gate), is_gate=True)


def behind_cast(walk: Walk, node: NodeProto, gains: list[str]) -> None:
    """Numbers that were cut off to whole ones, back as numbers: what was cut off is a term."""
    read, made = walk.origin(node.input[0]), node.output[0]
    if walk.made_by(read) != "Cast":
        if walk.attribute("to") != 1:
            raise walk.refused("to another type than float32")
        walk.give(read, gains[0])
        return
    source = walk.makers[read][1].input[0]
    each = walk.add("Mul", gains[0], walk.add("Sub", made, source))
    walk.owe_sum(each, len(walk.shapes[made]))
    walk.give(source, gains[0], is_gate=True)


# --- arithmetic -------------------------------------------------------------------------------------------------------


def behind_add(walk: Walk, node: NodeProto, gains: list[str]) -> None:
    """A sum: to each map all of it; a constant adds a term."""
    factor = 1 / len(node.input) if node.op_type == "Mean" else 1
    for index, name in enumerate(node.input):
        sign = -1 if node.op_type == "Sub" and index == 1 else factor
        each = gains[0] if sign == 1 else walk.add("Mul", gains[0], walk.constant(sign))
        if name in walk.of_picture:
            walk.give_part(name, each)
        else:
            walk.owe(each, name)


def behind_negative(walk: Walk, node: NodeProto, gains: list[str]) -> None:
    """The same with the other sign."""
    walk.give(node.input[0], walk.add("Neg", gains[0]))


def behind_multiply(walk: Walk, node: NodeProto, gains: list[str]) -> None:
    """A product with constants, or with a map that is a gate: that one is held."""
    kept, gate = node.input
    is_gate = walk.of_picture.issuperset(node.input)
    if is_gate:
        kept, gate = _without_gate(walk, kept, gate)
    elif kept not in walk.of_picture:
        kept, gate = gate, kept
    walk.give_part(kept, walk.add("Mul", gains[0], gate), is_gate=is_gate)


def _without_gate(walk: Walk, one: str, other: str) -> tuple[str, str]:
    """Which of two maps is let through, and which is the gate: the one made of the other, the smaller, the squashed."""
    for kept, gate in ((one, other), (other, one)):
        if walk.descends(gate, kept):
            return kept, gate
    sizes = [int(np.prod(walk.shapes[name])) for name in (one, other)]
    if sizes[0] != sizes[1]:
        return (one, other) if sizes[0] > sizes[1] else (other, one)
    squashed = [walk.made_by(name) in GATES for name in (one, other)]
    if squashed[0] == squashed[1]:
        raise walk.refused("two maps are multiplied, neither of which is a gate")
    return (other, one) if squashed[0] else (one, other)


def behind_divide(walk: Walk, node: NodeProto, gains: list[str]) -> None:
    """A quotient: what divides is held, as in a normalisation."""
    kept, by = node.input
    if kept not in walk.of_picture:
        raise walk.refused("a constant is divided by a map")
    walk.give_part(kept, walk.add("Div", gains[0], by), is_gate=by in walk.of_picture)


def behind_larger(walk: Walk, node: NodeProto, gains: list[str]) -> None:
    """The larger, or the smaller, of several: all to the first of those that it is."""
    made = node.output[0]
    left = gains[0]
    for index, name in enumerate(node.input):
        here = left
        if index < len(node.input) - 1:
            is_it = walk.add("Equal", name, made)
            zero = walk.constant(0)
            here, left = walk.add("Where", is_it, left, zero), walk.add("Where", is_it, zero, left)
        if name in walk.of_picture:
            walk.give_part(name, here, is_gate=True)
        else:
            walk.owe(here, name)


# --- normalisations ---------------------------------------------------------------------------------------------------


def behind_batch_norm(walk: Walk, node: NodeProto, gains: list[str]) -> None:
    """A factor and an addend for each filter, neither of them of the picture."""
    if walk.attribute("training_mode", 0):
        raise walk.refused("in training")
    scale, bias, mean_of, variance = (walk.known(index).astype(np.float64) for index in range(1, 5))
    factor = scale / np.sqrt(variance + walk.attribute("epsilon", 1e-5))
    _owe_per_filter(walk, gains[0], walk.number(bias - factor * mean_of))
    spread = walk.constant(factor.reshape(-1, *[1] * (len(walk.shapes[node.input[0]]) - 2)))
    walk.give(node.input[0], walk.add("Mul", gains[0], spread))


def behind_centred_norm(walk: Walk, node: NodeProto, gains: list[str]) -> None:
    """Numbers less their mean, divided by their spread, which is held: over a layer's last axes, or over each map."""
    read, shape = node.input[0], walk.shapes[node.input[0]]
    is_layer = node.op_type == "LayerNormalization"
    first = int(walk.attribute("axis", -1)) % len(shape) if is_layer else 2
    axes = list(range(first, len(shape)))
    if first == 0:
        raise walk.refused("over the axis of the pictures")
    ones = (1,) * (len(shape) - 2)
    scale, *bias = (walk.number(walk.known(index).reshape(walk.known(index).shape if is_layer else (1, -1, *ones)))
                    for index in range(1, len(node.input)) if node.input[index])  # fmt: skip
    count = walk.constant(1 / np.prod([shape[axis] for axis in axes]))

    def centred(numbers: str) -> str:
        return walk.add("Sub", numbers, walk.add("Mul", walk.summed(numbers, axes), count))

    apart = centred(read)
    variance = walk.add("Mul", walk.summed(walk.add("Mul", apart, apart), axes), count)
    spread = walk.add("Sqrt", walk.add("Add", variance, walk.constant(walk.attribute("epsilon", 1e-5))))
    for each in bias:
        walk.owe(gains[0], each)
    scaled = walk.add("Div", walk.add("Mul", gains[0], scale), spread)
    walk.give(read, centred(scaled), is_gate=True)


def _all(rule: Rule, *operators: str) -> Iterable[tuple[str, Rule]]:
    return ((operator, rule) for operator in operators)


RULES: dict[str, Rule] = {
    **moves.RULES,
    "Conv": behind_conv,
    "Gemm": behind_gemm,
    "MatMul": behind_matmul,
    "AveragePool": behind_avgpool,
    "DequantizeLinear": behind_dequantise,
    "Cast": behind_cast,
    "Neg": behind_negative,
    "Mul": behind_multiply,
    "Div": behind_divide,
    "BatchNormalization": behind_batch_norm,
    **dict(_all(behind_maxpool, "MaxPool", "GlobalMaxPool")),
    **dict(_all(behind_mean, "GlobalAveragePool", "ReduceMean", "ReduceSum")),
    **dict(_all(behind_add, "Add", "Sub", "Sum", "Mean")),
    **dict(_all(behind_larger, "Max", "Min")),
    **dict(_all(behind_centred_norm, "LayerNormalization", "InstanceNormalization")),
    **dict(
        _all(
            behind_pointwise,
            *("Relu", "LeakyRelu", "PRelu", "Clip", "ThresholdedRelu", "Elu", "Selu", "Celu", "Gelu", "Mish"),
            *("Tanh", "Sigmoid", "HardSigmoid", "HardSwish", "Softplus", "Softsign", "Erf", "Abs", "LRN"),
        )
    ),
}
