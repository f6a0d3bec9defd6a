"""Tiny networks of every kind that exporters write, with seeded weights, as ONNX files: one for each trait."""

import numpy as np
from onnx import TensorProto, helper, numpy_helper

SIDE = 28
CLASSES, MANY = 4, 200


class Builder:
    """A graph under construction: each call appends a node and gives the name of what it makes."""

    def __init__(self, seed=0):
        self.random = np.random.default_rng(seed)
        self.nodes, self.weights = [], []

    def weight(self, *shape, scale=None):
        scale = scale or 1 / np.sqrt(max(np.prod(shape[1:]), 1))
        return self.constant(self.random.normal(0, scale, shape).astype(np.float32))

    def constant(self, array):
        name = f"w{len(self.weights)}"
        self.weights.append(numpy_helper.from_array(np.asarray(array), name))
        return name

    def add(self, op, *inputs, outputs=1, domain="", **attributes):
        names = [f"{op.lower()}_{len(self.nodes)}" + (f"_{i}" if i else "") for i in range(outputs)]
        self.nodes.append(helper.make_node(op, list(inputs), names, domain=domain, **attributes))
        return names[0] if outputs == 1 else names

    def conv(self, x, out, channels, size=3, *, bias=True, **attributes):
        groups = attributes.get("group", 1)
        weights = [self.weight(out, channels // groups, size, size)]
        weights += [self.weight(out, scale=0.3)] if bias else []
        return self.add("Conv", x, *weights, kernel_shape=[size, size], **attributes)

    def dense(self, x, out, features):
        return self.add("Gemm", x, self.weight(out, features), self.weight(out, scale=0.5), transB=1)

    def model(self, outputs, shape=("n", 1, SIDE, SIDE), *, opset=17, ir=8, kind=TensorProto.FLOAT, shapes=None):
        outputs = [outputs] if isinstance(outputs, str) else outputs
        shapes = shapes or [("n", CLASSES)] * len(outputs)
        told = [helper.make_tensor_value_info(n, TensorProto.FLOAT, s) for n, s in zip(outputs, shapes, strict=True)]
        inputs = [helper.make_tensor_value_info("x", kind, shape)]
        if ir < 4:
            inputs += [helper.make_tensor_value_info(w.name, w.data_type, w.dims) for w in self.weights]
        graph = helper.make_graph(self.nodes, "g", inputs, told, self.weights)
        imports = [helper.make_opsetid("", opset)]
        imports += [helper.make_opsetid(domain, 1) for domain in sorted({n.domain for n in self.nodes} - {""})]
        return helper.make_model(graph, opset_imports=imports, ir_version=ir, producer_name="tests")


def after_conv(b, x="x", channels=1, filters=6):
    """Convolution, relu and pooling: what most networks begin with; (n, filters, 13, 13) from 28 x 28."""
    return b.add("MaxPool", b.add("Relu", b.conv(x, filters, channels)), kernel_shape=[2, 2], strides=[2, 2])


def plain(*, is_signed=False, **form):
    b = Builder()
    maps = b.add("Sign", after_conv(b)) if is_signed else after_conv(b)
    return b.model(b.dense(b.add("Flatten", maps), CLASSES, 6 * 13 * 13), **form)


def nhwc():
    """As tf2onnx writes it: a transpose first, softmax last, and numbers flattened with the channels last."""
    b = Builder()
    x = b.add("Transpose", "x", perm=[0, 3, 1, 2])
    maps = b.add("Transpose", after_conv(b, x), perm=[0, 2, 3, 1])
    flat = b.add("Reshape", maps, b.constant(np.array([-1, 6 * 13 * 13])))
    told = b.add("Add", b.add("MatMul", flat, b.weight(6 * 13 * 13, CLASSES)), b.weight(CLASSES))
    return b.model(b.add("Softmax", told, axis=-1), ("n", SIDE, SIDE, 1))


def fixed_batch(batch=1, target=(1, -1), **form):
    b = Builder()
    flat = b.add("Reshape", after_conv(b), b.constant(np.array(target)))
    return b.model(b.dense(flat, CLASSES, 6 * 13 * 13), (batch, 1, SIDE, SIDE), shapes=[(batch, CLASSES)], **form)


def baked_batch():
    """A batch in an addend, which cannot be freed."""
    b = Builder()
    flat = b.add("Flatten", after_conv(b))
    told = b.dense(flat, CLASSES, 6 * 13 * 13)
    return b.model(b.add("Expand", told, b.constant(np.array([2, CLASSES]))), (2, 1, SIDE, SIDE), shapes=[(2, CLASSES)])


def old_weights_as_inputs(ir=3, opset=8):
    """As CNTK wrote it."""
    b = Builder()
    maps = b.add("Relu", b.add("Add", b.conv("x", 5, 1, 5, bias=False, auto_pad="SAME_UPPER"), b.weight(5, 1, 1)))
    maps = b.add("MaxPool", maps, kernel_shape=[3, 3], strides=[3, 3], auto_pad="NOTSET", pads=[0, 0, 0, 0])
    flat = b.add("Reshape", maps, b.constant(np.array([1, 5 * 81])))
    told = b.add("Add", b.add("MatMul", flat, b.weight(5 * 81, CLASSES)), b.weight(1, CLASSES))
    return b.model(told, (1, 1, SIDE, SIDE), shapes=[(1, CLASSES)], ir=ir, opset=opset)


def ending(last, **attributes):
    b = Builder()
    told = b.dense(b.add("Flatten", after_conv(b)), CLASSES, 6 * 13 * 13)
    return b.model(b.add(last, told, **attributes))


def written_softmax():
    b = Builder()
    power = b.add("Exp", b.dense(b.add("Flatten", after_conv(b)), CLASSES, 6 * 13 * 13))
    total = b.add("ReduceSum", power, b.constant(np.array([1])), keepdims=1)
    return b.model(b.add("Div", power, total))


def maps_of_classes(last="Softmax"):
    """A convolution to one map for each class and their means, of four axes to the end, as SqueezeNet has it."""
    b = Builder()
    told = b.add("GlobalAveragePool", b.conv(after_conv(b), CLASSES, 6, 1))
    return b.model(b.add(last, told, axis=1), shapes=[("n", CLASSES, 1, 1)])


def residual(join="Add"):
    b = Builder()
    first = after_conv(b)
    again = b.conv(b.add("Relu", b.conv(first, 6, 6, pads=[1, 1, 1, 1])), 6, 6, pads=[1, 1, 1, 1])
    maps = b.add("Relu", b.add(join, first, again))
    return b.model(b.dense(b.add("Flatten", b.add("ReduceMean", maps, axes=[2, 3], keepdims=1)), CLASSES, 6))


def squeeze_and_excite():
    """Depthwise and grouped convolutions, h-swish, a gate from the mean of each map, and concatenation."""
    b = Builder()
    deep = b.conv(after_conv(b), 6, 6, group=6, pads=[1, 1, 1, 1])
    deep = b.add("HardSwish", deep)
    gate = b.conv(b.add("Relu", b.conv(b.add("GlobalAveragePool", deep), 3, 6, 1)), 6, 3, 1)
    gated = b.add("Mul", deep, b.add("HardSigmoid", gate))
    both = b.add("Concat", gated, b.conv(deep, 4, 6, 3, group=2, pads=[1, 1, 1, 1]), axis=1)
    return b.model(b.dense(b.add("Flatten", b.add("GlobalAveragePool", both)), CLASSES, 10))


def normalised():
    """A batch norm that is not folded, dropout, and clipped activations."""
    b = Builder()
    norm = [b.weight(6), b.weight(6), b.weight(6), b.constant(b.random.uniform(0.5, 2, 6).astype(np.float32))]
    maps = b.add("BatchNormalization", b.conv("x", 6, 1, dilations=[2, 2]), *norm)
    clipped = b.add("Clip", maps, b.constant(np.float32(0)), b.constant(np.float32(6)))
    pooled = b.add("AveragePool", clipped, kernel_shape=[3, 3], strides=[2, 2], ceil_mode=1)
    return b.model(b.dense(b.add("Dropout", b.add("Flatten", pooled)), CLASSES, 6 * 12 * 12))


def overlapping():
    b = Builder()
    maps = b.add("Tanh", b.conv("x", 6, 1, 4, auto_pad="SAME_LOWER", strides=[2, 2]))
    pooled = b.add("MaxPool", maps, kernel_shape=[3, 3], strides=[2, 2], pads=[1, 1, 1, 1])
    hidden = b.add("Relu", b.dense(b.add("Flatten", pooled), 8, 6 * 49))
    return b.model(b.dense(hidden, CLASSES, 8))


def no_maps():
    b = Builder()
    hidden = b.add("Relu", b.dense(b.add("Flatten", "x"), 8, SIDE * SIDE))
    return b.model(b.dense(hidden, CLASSES, 8))


def flat():
    b = Builder()
    return b.model(b.dense(b.add("Relu", b.dense("x", 8, SIDE * SIDE)), CLASSES, 8), ("n", SIDE * SIDE))


def rows():
    b = Builder()
    x = b.add("Unsqueeze", "x", b.constant(np.array([1])))
    return b.model(b.dense(b.add("Flatten", after_conv(b, x)), CLASSES, 6 * 13 * 13), ("n", SIDE, SIDE))


def levels():
    b = Builder()
    x = b.add("Div", b.add("Cast", "x", to=TensorProto.FLOAT), b.constant(np.float32(255)))
    flat = b.add("Flatten", after_conv(b, x))
    return b.model(b.dense(flat, CLASSES, 6 * 13 * 13), kind=TensorProto.UINT8)


def colour(shape=("n", 3, 32, 20), *, is_signed=False):
    b = Builder()
    maps = after_conv(b, channels=3)
    maps = b.add("Sign", maps) if is_signed else maps
    return b.model(b.dense(b.add("Flatten", b.add("GlobalAveragePool", maps)), CLASSES, 6), shape)


def two_dense():
    """Two dense layers with a relu between, so that what follows the maps is linear for no two pictures alike."""
    b = Builder()
    hidden = b.add("Relu", b.dense(b.add("Flatten", after_conv(b)), 16, 6 * 13 * 13))
    return b.model(b.dense(hidden, CLASSES, 16))


def many_classes(shape=("n", 3, 24, 36)):
    """More classes than 8 bits count, and weights so large that they differ."""
    b = Builder()
    mean = b.add("Flatten", b.add("GlobalAveragePool", after_conv(b, channels=3)))
    told = b.add("Gemm", mean, b.weight(MANY, 6, scale=20), b.weight(MANY, scale=0.5), transB=1)
    return b.model(told, shape, shapes=[("n", MANY)])


def large():
    """As large as most networks of photographs; its first maps are more numbers than an answer in JSON may have."""
    b = Builder()
    mean = b.add("Flatten", b.add("GlobalAveragePool", after_conv(b, channels=3, filters=24)))
    return b.model(b.dense(mean, CLASSES, 24), ("n", 3, 224, 224))


def photographs(side=224, classes=1000):
    """
    A network of 2.2 M parameters for photographs, of the blocks of MobileNetV2 (arXiv 1801.04381): maps are widened,
    filtered one by one, and made few again, beside the way past them.
    """
    b = Builder(1)

    def clipped(x, out, channels, size=3, **attributes):
        sums = b.conv(x, out, channels, size, **attributes)
        return b.add("Clip", sums, b.constant(np.float32(0)), b.constant(np.float32(6)))

    x, channels = clipped("x", 32, 3, strides=[2, 2], pads=[1, 1, 1, 1]), 32
    for wider, out, count, stride in (
        (1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 3, 2), (6, 64, 4, 2), (6, 96, 2, 1), (6, 160, 2, 2), (6, 320, 1, 1),
    ):  # fmt: skip
        for index in range(count):
            step, wide = stride if index == 0 else 1, channels * wider
            deep = clipped(x, wide, channels, 1) if wider > 1 else x
            deep = clipped(deep, wide, wide, group=wide, strides=[step, step], pads=[1, 1, 1, 1])
            deep = b.conv(deep, out, wide, 1)
            x = b.add("Add", x, deep) if (step, channels) == (1, out) else deep
            channels = out
    mean = b.add("GlobalAveragePool", b.add("Relu", b.conv(x, 640, channels, 1)))
    told = b.dense(b.add("Flatten", mean), classes, 640)
    return b.model(told, ("n", 3, side, side), shapes=[("n", classes)])


def made_filters():
    """A convolution whose filters are made of the picture."""
    b = Builder()
    scale = b.add("ReduceMean", "x", axes=[0, 1, 2, 3], keepdims=1)
    maps = b.add("Conv", "x", b.add("Mul", b.weight(6, 1, 3, 3), scale), kernel_shape=[3, 3])
    return b.model(b.dense(b.add("Flatten", b.add("GlobalAveragePool", maps)), CLASSES, 6), (1, 1, SIDE, SIDE))


def attention(*, has_token=False):
    """A patch embedding and one head of attention, as a vision transformer has them, with its token for one picture."""
    b = Builder()
    patches = b.add("Reshape", b.conv("x", 8, 1, 7, strides=[7, 7]), b.constant(np.array([0, 8, 16])))
    tokens = b.add("Transpose", patches, perm=[0, 2, 1])
    tokens = b.add("Concat", b.weight(1, 1, 8), tokens, axis=1) if has_token else tokens
    q, k, v = (b.add("MatMul", tokens, b.weight(8, 8)) for _ in range(3))
    seen = b.add("Softmax", b.add("MatMul", q, b.add("Transpose", k, perm=[0, 2, 1])), axis=-1)
    mean = b.add("ReduceMean", b.add("MatMul", seen, v), axes=[1], keepdims=0)
    return b.model(b.dense(mean, CLASSES, 8), (1 if has_token else "n", 1, SIDE, SIDE))


def quantised():
    """In the QDQ form."""
    b = Builder()
    scale, zero = b.constant(np.float32(0.02)), b.constant(np.uint8(0))
    x = b.add("DequantizeLinear", b.add("QuantizeLinear", "x", scale, zero), scale, zero)
    return b.model(b.dense(b.add("Flatten", after_conv(b, x)), CLASSES, 6 * 13 * 13), opset=19, ir=9)


def two_outputs():
    """The classes, and the features before them with a shape that is declared wrongly."""
    b = Builder()
    features = b.add("Relu", b.dense(b.add("Flatten", after_conv(b)), 8, 6 * 13 * 13))
    told = b.add("LogSoftmax", b.dense(features, CLASSES, 8), axis=1)
    return b.model([features, told], shapes=[(128, 8), ("n", CLASSES)])


def brightness(scale=255):
    """Tells the mean brightness, in quarters of `scale`: right on numbers of that scale alone."""
    b = Builder()
    centres = np.float32([1, 3, 5, 7]) / 8 * scale
    mean = b.add("Flatten", b.add("GlobalAveragePool", "x"))
    told = b.add("Mul", mean, b.constant(2 * centres[None]))
    return b.model(b.add("Sub", told, b.constant(centres[None] ** 2)))


# By trait: the network, and what is asked for beside its file.
ADOPTED = {
    "plain": (plain, {}),
    "opset 8": (lambda: plain(opset=8), {}),
    "opset 13": (lambda: plain(opset=13), {}),
    "opset 20": (lambda: plain(opset=20, ir=9), {}),
    "nhwc": (nhwc, {}),
    "batch of 1": (fixed_batch, {}),
    "batch of 1 in both places": (lambda: fixed_batch(target=(1, 6 * 13 * 13)), {}),
    "batch of 3": (lambda: fixed_batch(3, (3, -1)), {}),
    "weights as inputs": (old_weights_as_inputs, {}),
    "opset 7": (lambda: old_weights_as_inputs(opset=7), {}),
    "softmax": (lambda: ending("Softmax", axis=1), {}),
    "log softmax": (lambda: ending("LogSoftmax", axis=1), {}),
    "softmax written out": (written_softmax, {}),
    "maps of classes": (maps_of_classes, {}),
    "logits of four axes": (lambda: maps_of_classes("LogSoftmax"), {}),
    "residual": (residual, {}),
    "residual, by Sum": (lambda: residual("Sum"), {}),
    "squeeze and excite": (squeeze_and_excite, {}),
    "normalised": (normalised, {}),
    "overlapping": (overlapping, {}),
    "no maps": (no_maps, {}),
    "a row of numbers": (flat, {"size": (SIDE, SIDE)}),
    "rows": (rows, {}),
    "levels": (levels, {}),
    "colour": (colour, {}),
    "colour, free": (lambda: colour(("n", 3, "h", "w")), {"size": (24, 40)}),
    "colour, all free": (lambda: colour(("n", "c", "h", "w")), {"size": (24, 40)}),
    "sign": (lambda: colour(is_signed=True), {}),
    "attention": (attention, {}),
    "attention, one by one": (lambda: attention(has_token=True), {}),
    "quantised, QDQ": (quantised, {}),
    "two outputs": (two_outputs, {"labels": ("a", "b", "c", "d")}),
}  # fmt: skip
