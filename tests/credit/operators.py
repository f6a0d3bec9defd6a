"""A tiny network for every rule: each hands its scores down through one operator, in one of its forms."""

import numpy as np
from onnx import TensorProto, helper
from onnx.reference import ReferenceEvaluator

from tests.adopt.traits import Builder

CHANNELS, ROWS, COLUMNS = SHAPE = (3, 12, 10)
CLASSES = 4


class Made(Builder):
    """A builder that knows which of the tensors it made are gates, to be held."""

    def __init__(self, seed):
        super().__init__(seed)
        self.gates = []
        self.add_as("x", "Identity", "image")

    def add_as(self, name, op, *inputs, **attributes):
        self.nodes.append(helper.make_node(op, list(inputs), [name], **attributes))
        return name

    def whole(self, *values):
        return self.constant(np.array(values, np.int64))

    def number(self, value):
        return self.constant(np.float32(value))

    def maps(self, filters=4, size=3, **attributes):
        """A convolution: maps below and above 0, (n, filters, 10, 8)."""
        return self.conv("x", filters, CHANNELS, size, **attributes)

    def gate(self, tensor):
        self.gates.append(tensor)
        return tensor

    def told(self, tensor, features):
        """The numbers of a tensor to the classes, each by a weight of its own."""
        flat = self.add("Flatten", tensor)
        self.add_as("logits", "Add", self.add("MatMul", flat, self.weight(features, CLASSES)), self.weight(CLASSES))

    def ending_in(self, name, opset):
        image = helper.make_tensor_value_info("image", TensorProto.FLOAT, ["n", *SHAPE])
        answer = helper.make_tensor_value_info(name, TensorProto.FLOAT, None)
        graph = helper.make_graph(self.nodes, "g", [image], [answer], self.weights)
        return helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=8)


def activation(op, **attributes):
    return lambda b: b.add(op, b.maps(), **attributes)


def pool(op, **attributes):
    return lambda b: b.add(op, b.add("Relu", b.maps()), **attributes)


def convolution(**attributes):
    return lambda b: b.conv(b.add("Relu", b.maps(6)), 6, 6, **attributes)


def joined(op, count=2):
    return lambda b: b.add(op, *(b.maps() for _ in range(count)))


def with_constant(op, value, *, is_first=False):
    def made(b):
        operands = [b.maps(), b.constant(np.float32(value))]
        return b.add(op, *(operands[::-1] if is_first else operands))

    return made


def swish(b):
    maps = b.maps()
    return b.add("Mul", maps, b.gate(b.add("Sigmoid", maps)))


def written_gelu(b):
    maps = b.maps()
    slope = b.add("Add", b.add("Erf", b.add("Div", maps, b.number(2**0.5))), b.number(1))
    return b.add("Mul", b.add("Mul", maps, b.gate(slope)), b.number(0.5))


def written_hardswish(b):
    maps = b.maps()
    slope = b.add("Clip", b.add("Add", maps, b.number(3)), b.number(0), b.number(6))
    return b.add("Div", b.add("Mul", b.gate(slope), maps), b.number(6))


def squeezed(b):
    """A gate for each filter, whose own layers have no credit."""
    maps = b.add("Relu", b.maps())
    mean = b.add("ReduceMean", maps, axes=[2, 3], keepdims=1)
    return b.add("Mul", b.gate(b.add("Sigmoid", b.conv(mean, 4, 4, 1))), maps)


def spatial(b):
    """A gate for each place, smaller than what it lets through and not made of it."""
    gate = b.gate(b.add("Sigmoid", b.maps(1)))
    return b.add("Mul", b.maps(), gate)


def linear_unit(b):
    """A gated linear unit: two maps alike, of which the squashed one is the gate."""
    return b.add("Mul", b.gate(b.add("Sigmoid", b.maps())), b.maps())


def square(b):
    maps = b.maps()
    b.gate(maps)
    return b.add("Mul", maps, maps)


def normalised(b):
    """A layer normalisation written out: the spread is held."""
    maps = b.maps()
    apart = b.add("Sub", maps, b.add("ReduceMean", maps, axes=[1, 2, 3], keepdims=1))
    variance = b.add("ReduceMean", b.add("Mul", apart, apart), axes=[1, 2, 3], keepdims=1)
    spread = b.gate(b.add("Sqrt", b.add("Add", variance, b.number(1e-5))))
    return b.add("Div", apart, spread)


def batch_norm(b):
    numbers = [b.weight(4), b.weight(4), b.weight(4), b.constant(b.random.uniform(0.5, 2, 4).astype(np.float32))]
    return b.add("BatchNormalization", b.maps(), *numbers, epsilon=1e-3)


def layer_norm(b):
    return b.add("LayerNormalization", b.maps(), b.weight(10, 8), b.weight(10, 8), axis=-2)


def instance_norm(b):
    return b.add("InstanceNormalization", b.maps(), b.weight(4), b.weight(4))


def attention(b):
    tokens = b.add("Transpose", b.add("Reshape", b.maps(8), b.whole(0, 8, 80)), perm=[0, 2, 1])
    q, k, v = (b.add("MatMul", tokens, b.weight(8, 8)) for _ in range(3))
    seen = b.gate(b.add("Softmax", b.add("MatMul", q, b.add("Transpose", k, perm=[0, 2, 1])), axis=-1))
    mixed = b.add("MatMul", b.weight(80, 80), b.add("MatMul", seen, v))
    return b.add("Reshape", b.add("Transpose", mixed, perm=[0, 2, 1]), b.whole(0, 8, 10, 8))


def heads(b):
    """Products of matrices of several heads, the constant ones as well."""
    maps = b.add("Reshape", b.maps(8), b.whole(0, 4, 2, 80))
    return b.add("Reshape", b.add("MatMul", maps, b.weight(4, 80, 80)), b.whole(0, 8, 10, 8))


def split(b):
    first, _, last = b.add("Split", b.maps(6), b.whole(2, 1, 3), outputs=3, axis=1)
    return b.add("Concat", last, first, axis=1)


def shuffled(b):
    """Channels in another order, as ShuffleNet has them."""
    apart = b.add("Reshape", b.maps(6), b.whole(0, 2, 3, 10, 8))
    return b.add("Reshape", b.add("Transpose", apart, perm=[0, 2, 1, 3, 4]), b.whole(0, 6, 10, 8))


def moved(op, *constants, **attributes):
    return lambda b: b.add(op, b.maps(), *(b.constant(np.asarray(each)) for each in constants), **attributes)


def expanded(b):
    one = b.add("ReduceMean", b.maps(), axes=[3], keepdims=1)
    return b.add("Expand", one, b.whole(1, 4, 10, 5))


def with_token(b):
    return b.add("Concat", b.maps(), b.weight(1, 4, 2, 8), axis=2)


def quantised(b):
    scale, zero = b.number(0.02), b.constant(np.uint8(100))
    return b.add("DequantizeLinear", b.add("QuantizeLinear", b.maps(), scale, zero), scale, zero)


def rounded(b):
    levels = b.add("Cast", b.add("Mul", b.maps(), b.number(40)), to=TensorProto.INT32)
    return b.add("Mul", b.add("Cast", levels, to=TensorProto.FLOAT), b.number(0.025))


def dense(**attributes):
    """Of so many features, by the form of Gemm that is asked for."""

    def made(b):
        flat = b.add("Flatten", b.maps())
        bias = [b.weight(8, scale=0.5)] if attributes.pop("bias", True) else []
        shape = (8, 320) if attributes.get("transB") else (320, 8)
        hidden = b.add("Gemm", flat, b.weight(*shape), *bias, **attributes)
        return b.add("Reshape", hidden, b.whole(0, 8, 1, 1))

    return made


# What lies between a convolution and the classes, by its name.
OPERATORS = {
    "conv": convolution(),
    "conv, strides and pads": convolution(strides=[2, 3], pads=[1, 0, 2, 1]),
    "conv, dilated": convolution(dilations=[2, 3]),
    "conv, groups": convolution(group=3, pads=[1, 1, 1, 1]),
    "conv, depthwise": convolution(group=6, strides=[2, 2]),
    "conv, SAME_UPPER": convolution(auto_pad="SAME_UPPER", strides=[2, 2]),
    "conv, SAME_LOWER": convolution(size=4, auto_pad="SAME_LOWER", strides=[3, 2]),
    "conv, without bias": convolution(bias=False),
    "gemm": dense(),
    "gemm, transposed": dense(transB=1, alpha=0.5, beta=2.0),
    "gemm, without bias": dense(bias=False),
    "matmul, heads": heads,
    "attention": attention,
    "maxpool": pool("MaxPool", kernel_shape=[2, 2], strides=[2, 2]),
    "maxpool, overlapping": pool("MaxPool", kernel_shape=[3, 3], strides=[1, 2], pads=[1, 1, 1, 1]),
    "maxpool, ceil": pool("MaxPool", kernel_shape=[3, 3], strides=[2, 3], ceil_mode=1),
    "maxpool, dilated": pool("MaxPool", kernel_shape=[2, 3], dilations=[3, 2]),
    "maxpool, global": pool("GlobalMaxPool"),
    "maxpool of tanh": lambda b: b.add("MaxPool", b.add("Tanh", b.maps()), kernel_shape=[2, 2], strides=[2, 2]),
    "avgpool": pool("AveragePool", kernel_shape=[2, 2], strides=[2, 2]),
    "avgpool, padded": pool("AveragePool", kernel_shape=[3, 3], strides=[2, 1], pads=[1, 1, 1, 1]),
    "avgpool, with its padding": pool("AveragePool", kernel_shape=[3, 2], pads=[1, 1, 1, 1], count_include_pad=1),
    "avgpool, ceil": pool("AveragePool", kernel_shape=[3, 3], strides=[2, 3], ceil_mode=1),
    "mean": pool("ReduceMean", axes=[2], keepdims=1),
    "sum": lambda b: b.add("ReduceSum", b.maps(), b.whole(-1), keepdims=1),
    "sum, an axis less": lambda b: b.add("Unsqueeze", b.add("ReduceSum", b.maps(), b.whole(1), keepdims=0), b.whole(1)),
    "relu": activation("Relu"),
    "leaky relu": activation("LeakyRelu", alpha=0.2),
    "prelu": lambda b: b.add("PRelu", b.maps(), b.weight(4, 1, 1)),
    "clip": lambda b: b.add("Clip", b.maps(), b.number(0), b.number(0.4)),
    "clip, not from 0": lambda b: b.add("Clip", b.maps(), b.number(0.1), b.number(0.5)),
    "elu": activation("Elu"),
    "selu": activation("Selu"),
    "celu": activation("Celu", alpha=0.7),
    "thresholded relu": activation("ThresholdedRelu", alpha=0.3),
    "tanh": activation("Tanh"),
    "sigmoid": activation("Sigmoid"),
    "hard sigmoid": activation("HardSigmoid"),
    "hard swish": activation("HardSwish"),
    "gelu": activation("Gelu"),
    "gelu, by tanh": activation("Gelu", approximate="tanh"),
    "mish": activation("Mish"),
    "mean, its axes an input": lambda b: b.add("ReduceMean", b.maps(), b.whole(2, 3), keepdims=1),
    "split in halves": lambda b: b.add("Sub", *b.add("Split", b.maps(), outputs=2, axis=1, num_outputs=2)),
    "softplus": activation("Softplus"),
    "softsign": activation("Softsign"),
    "erf": activation("Erf"),
    "abs": activation("Abs"),
    "lrn": lambda b: b.add("LRN", b.maps(6), size=3, alpha=0.5, beta=0.75, bias=2.0),
    "swish, written out": swish,
    "gelu, written out": written_gelu,
    "hard swish, written out": written_hardswish,
    "squeeze and excite": squeezed,
    "gate of places": spatial,
    "gated linear unit": linear_unit,
    "square": square,
    "add": joined("Add"),
    "sum of several": joined("Sum", 3),
    "mean of several": joined("Mean", 3),
    "difference": joined("Sub"),
    "larger": joined("Max", 3),
    "smaller": joined("Min"),
    "larger than a constant": with_constant("Max", 0.1),
    "smaller than a constant": with_constant("Min", 0.1, is_first=True),
    "constant added": with_constant("Add", np.arange(4).reshape(4, 1, 1) / 10),
    "constant less a map": with_constant("Sub", 0.3, is_first=True),
    "map less a constant": with_constant("Sub", np.arange(8) / 20),
    "constant times a map": with_constant("Mul", np.arange(1, 5).reshape(1, 4, 1, 1), is_first=True),
    "map by a constant": with_constant("Div", np.arange(1, 11).reshape(10, 1)),
    "negative": activation("Neg"),
    "batch norm": batch_norm,
    "layer norm": layer_norm,
    "instance norm": instance_norm,
    "layer norm, written out": normalised,
    "concatenated": lambda b: b.add("Concat", b.maps(2), b.maps(3), axis=1),
    "concatenated with constants": with_token,
    "split": split,
    "channels shuffled": shuffled,
    "slice": moved("Slice", [1, 0], [9, 7], [2, 3], [2, 1]),
    "slice, backwards": moved("Slice", [-1, 5], [-11, 0], [2, 3], [-1, -2]),
    "gather": moved("Gather", [2, 0, 0], axis=1),
    "tile": moved("Tile", [1, 1, 2, 1]),
    "depth to space": moved("DepthToSpace", blocksize=2),
    "space to depth": moved("SpaceToDepth", blocksize=2),
    "pad": moved("Pad", [0, 0, 1, 2, 0, 1, 0, 3]),
    "pad, reflected": moved("Pad", [0, 0, 1, 2, 0, 0, 0, 3], mode="reflect"),
    "pad, edges": moved("Pad", [0, 0, 1, 2, 0, 0, 0, 3], mode="edge"),
    "resize": lambda b: b.add("Resize", b.maps(), "", b.constant(np.float32([1, 1, 2, 3])), mode="nearest"),
    "expand": expanded,
    "dropout": activation("Dropout"),
    "squeeze": lambda b: b.add("Unsqueeze", b.add("Squeeze", b.maps(1), b.whole(1)), b.whole(2)),
    "quantised": quantised,
    "rounded": rounded,
}  # fmt: skip

# What has its form, or is there at all, only from a later opset on.
LATER = {
    "quantised": 19,
    "gelu": 20,
    "gelu, by tanh": 20,
    "mish": 18,
    "mean, its axes an input": 18,
    "split in halves": 18,
}


def network(name, seed=0, opset=None):
    """The ONNX file of one of them, its only layer `conv1`'s tensors aside, and the tensors that are gates."""
    opset = opset or LATER.get(name, 17)
    b = Made(seed)
    tensor = OPERATORS[name](b)
    (found,) = ReferenceEvaluator(b.ending_in(tensor, opset)).run(None, {"image": picture(0)[None]})
    b.told(tensor, found.size)
    return b.ending_in("logits", opset), b.gates


def picture(seed):
    """A third of it 0, as paper is."""
    return np.clip(np.random.default_rng(seed).uniform(-0.5, 1, SHAPE), 0, 1).astype(np.float32)
