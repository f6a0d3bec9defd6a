"""ONNX graphs in PyTorch, in double precision, with what is held still detached: autograd is the second opinion."""

import math

import numpy as np
import torch
from onnx import helper, numpy_helper

functional = torch.nn.functional

PHI = {
    "LeakyRelu": lambda x, given: functional.leaky_relu(x, given.get("alpha", 0.01)),
    "Elu": lambda x, given: functional.elu(x, given.get("alpha", 1.0)),
    "Selu": lambda x, _: functional.selu(x),
    "Celu": lambda x, given: functional.celu(x, given.get("alpha", 1.0)),
    "ThresholdedRelu": lambda x, given: torch.where(x > given.get("alpha", 1.0), x, 0.0),
    "Tanh": lambda x, _: torch.tanh(x),
    "Sigmoid": lambda x, _: torch.sigmoid(x),
    "HardSigmoid": lambda x, given: torch.clamp(given.get("alpha", 0.2) * x + given.get("beta", 0.5), 0, 1),
    "HardSwish": lambda x, _: functional.hardswish(x),
    "Softplus": lambda x, _: functional.softplus(x),
    "Softsign": lambda x, _: functional.softsign(x),
    "Erf": lambda x, _: torch.erf(x),
    "Gelu": lambda x, given: functional.gelu(x, approximate=given.get("approximate", b"none").decode()),
    "Mish": lambda x, _: functional.mish(x),
    "Abs": lambda x, _: torch.abs(x),
    "Relu": lambda x, _: torch.relu(x),
    "Sqrt": lambda x, _: torch.sqrt(x),
    "Neg": lambda x, _: -x,
}
HELD = set(PHI) - {"Sqrt", "Neg"}
PAIRS = {"Add": torch.add, "Sub": torch.sub, "Mul": torch.mul, "Div": torch.div, "MatMul": torch.matmul}


def held(phi, x):
    """phi(x) as y0 + gate * x, the gate still."""
    still = x.detach()
    zero = phi(torch.zeros_like(still))
    gate = torch.where(still == 0, 1.0, (phi(still) - zero) / torch.where(still == 0, 1.0, still))
    return zero + gate * x


def windows(x, node, given, kernel):
    """Pads of a node that goes over its input in windows: (top, left, bottom, right), those for ceil_mode included."""
    strides, dilations = given.get("strides", [1, 1]), given.get("dilations", [1, 1])
    pads = list(given.get("pads", [0, 0, 0, 0]))
    reach = [(size - 1) * apart + 1 for size, apart in zip(kernel, dilations, strict=True)]
    for axis in (0, 1):
        side = x.shape[2 + axis]
        if given.get("auto_pad", b"NOTSET").startswith(b"SAME"):
            whole = max(0, (math.ceil(side / strides[axis]) - 1) * strides[axis] + reach[axis] - side)
            less, more = whole // 2, whole - whole // 2
            pads[axis], pads[axis + 2] = (less, more) if given["auto_pad"] == b"SAME_UPPER" else (more, less)
        elif given.get("ceil_mode"):
            over = (side + pads[axis] + pads[axis + 2] - reach[axis]) % strides[axis]
            last = side + pads[axis] + pads[axis + 2] - reach[axis] - over + strides[axis]
            # A window that begins in the padding behind the end is not made.
            if over and last < side + pads[axis]:
                pads[axis + 2] += strides[axis] - over
    return strides, dilations, pads


def padded(x, pads, value):
    return functional.pad(x, (pads[1], pads[3], pads[0], pads[2]), value=value)


def unfolded(x, kernel, strides, dilations):
    found = functional.unfold(x, kernel, dilations, 0, strides)
    sides = [(x.shape[2 + axis] - (kernel[axis] - 1) * dilations[axis] - 1) // strides[axis] + 1 for axis in (0, 1)]
    return found.reshape(len(x), x.shape[1], math.prod(kernel), *sides)


def maxpool(x, node, given):
    kernel = given.get("kernel_shape", x.shape[2:])
    strides, dilations, pads = windows(x, node, given, kernel)
    cells = unfolded(padded(x, pads, -1e30), kernel, strides, dilations)
    # The first of several equal ones in reading order, as argmax of NumPy has it.
    first = torch.from_numpy(cells.detach().numpy().argmax(axis=2))[:, :, None]
    return cells.gather(2, first)[:, :, 0]


def avgpool(x, node, given):
    kernel = given.get("kernel_shape", x.shape[2:])
    strides, dilations, pads = windows(x, node, given, kernel)
    own = list(given.get("pads", [0, 0, 0, 0]))
    counted = torch.ones_like(x)
    if given.get("count_include_pad"):
        counted = padded(counted, own, 1.0)
        counted = padded(counted, [wide - each for wide, each in zip(pads, own, strict=True)], 0.0)
    else:
        counted = padded(counted, pads, 0.0)
    sums, counts = (unfolded(each, kernel, strides, dilations).sum(2) for each in (padded(x, pads, 0.0), counted))
    return sums / counts


def conv(x, weights, bias, node, given):
    strides, dilations, pads = windows(x, node, given, weights.shape[2:])
    return functional.conv2d(padded(x, pads, 0.0), weights, bias, strides, 0, dilations, given.get("group", 1))


def normal(x, axes, scale, bias, epsilon):
    apart = x - x.mean(axes, keepdim=True)
    spread = torch.sqrt((apart**2).mean(axes, keepdim=True) + epsilon).detach()
    return apart / spread * scale + bias


def lrn(x, given):
    size = given["size"]
    squares = functional.pad(x**2, (0, 0, 0, 0, (size - 1) // 2, size // 2))
    around = sum(squares[:, k : k + x.shape[1]] for k in range(size))
    below = (given.get("bias", 1.0) + given["alpha"] / size * around) ** given["beta"]
    return x / below.detach()


def sliced(x, starts, ends, axes, steps):
    """By NumPy's own slices, on the places of the numbers."""
    places = np.arange(x.numel()).reshape(x.shape)
    index = [slice(None)] * x.ndim
    for start, end, axis, step in zip(starts, ends, axes, steps, strict=True):
        beyond = step < 0 and end < -x.shape[axis]
        index[axis] = slice(int(start), None if beyond else int(end), int(step))
    return x.reshape(-1)[torch.from_numpy(places[tuple(index)].copy())]


def framed(x, pads, mode):
    places = np.arange(1, x.numel() + 1).reshape(x.shape)
    wide = [(int(a), int(b)) for a, b in zip(pads[: x.ndim], pads[x.ndim :], strict=True)]
    found = torch.from_numpy(np.pad(places, wide, {"constant": "constant", "reflect": "reflect", "edge": "edge"}[mode]))
    return torch.cat([torch.zeros(1, dtype=x.dtype), x.reshape(-1)])[found]


def blocks(x, size, *, is_deep):
    """Depth to space (DCR), or back."""
    n, c, h, w = x.shape
    if is_deep:
        return (
            x.reshape(n, c, h // size, size, w // size, size)
            .permute(0, 3, 5, 1, 2, 4)
            .reshape(n, c * size**2, h // size, w // size)
        )
    return (
        x.reshape(n, size, size, c // size**2, h, w)
        .permute(0, 3, 4, 1, 5, 2)
        .reshape(n, c // size**2, h * size, w * size)
    )


def compute(node, given, inputs):
    """What one node makes, as a list of tensors."""
    op, (x, *rest) = node.op_type, inputs
    numbers = [each if each is None else each.detach().numpy() for each in rest]
    if op == "Split":
        sizes = numbers[0].tolist() if numbers else x.shape[given["axis"]] // given["num_outputs"]
        return list(torch.split(x, sizes, given["axis"]))
    simple = {
        "Sum": lambda: sum(rest, x),
        "Mean": lambda: sum(rest, x) / len(inputs),
        "Max": lambda: torch.stack(torch.broadcast_tensors(*inputs)).max(0).values,
        "Min": lambda: torch.stack(torch.broadcast_tensors(*inputs)).min(0).values,
        "ReduceMean": lambda: x.mean(
            numbers[0].tolist() if numbers else given["axes"], keepdim=bool(given.get("keepdims", 1))
        ),
        "ReduceSum": lambda: x.sum(numbers[0].tolist(), keepdim=bool(given.get("keepdims", 1))),
        "Identity": lambda: x,
        "Dropout": lambda: x,
        "Flatten": lambda: x.reshape(len(x), -1),
        "PRelu": lambda: torch.where(x > 0, x, rest[0] * x),
        "Clip": lambda: held(lambda each: torch.clamp(each, *(float(number) for number in numbers)), x),
        "Softmax": lambda: torch.softmax(x, given.get("axis", -1)),
        "LRN": lambda: lrn(x, given),
        "Conv": lambda: conv(x, rest[0], rest[1] if len(rest) > 1 else None, node, given),
        "MaxPool": lambda: maxpool(x, node, given),
        "GlobalMaxPool": lambda: maxpool(x, node, given),
        "AveragePool": lambda: avgpool(x, node, given),
        "GlobalAveragePool": lambda: x.mean((2, 3), keepdim=True),
        "Gemm": lambda: (
            given.get("alpha", 1.0) * x @ (rest[0].T if given.get("transB") else rest[0])
            + (given.get("beta", 1.0) * rest[1] if len(rest) > 1 else 0)
        ),
        "BatchNormalization": lambda: functional.batch_norm(
            x, rest[2], rest[3], rest[0], rest[1], eps=given["epsilon"]
        ),
        "LayerNormalization": lambda: normal(x, list(range(given["axis"], 0)), *rest, 1e-5),
        "InstanceNormalization": lambda: normal(x, [2, 3], *(each.reshape(1, -1, 1, 1) for each in rest), 1e-5),
        "Reshape": lambda: x.reshape([x.shape[i] if side == 0 else int(side) for i, side in enumerate(numbers[0])]),
        "Transpose": lambda: x.permute(given["perm"]),
        "Concat": lambda: torch.cat(inputs, given["axis"]),
        "Squeeze": lambda: x.squeeze(int(numbers[0][0])),
        "Unsqueeze": lambda: x.unsqueeze(int(numbers[0][0])),
        "Expand": lambda: x.expand(np.broadcast_shapes(x.shape, tuple(numbers[0]))),
        "Tile": lambda: x.repeat(*numbers[0].tolist()),
        "Gather": lambda: x[:, numbers[0].tolist()],
        "Slice": lambda: sliced(x, *numbers),
        "Pad": lambda: framed(x, numbers[0], given.get("mode", b"constant").decode()),
        "Resize": lambda: x.repeat_interleave(int(numbers[1][2]), 2).repeat_interleave(int(numbers[1][3]), 3),
        "DepthToSpace": lambda: blocks(x, given["blocksize"], is_deep=False),
        "SpaceToDepth": lambda: blocks(x, given["blocksize"], is_deep=True),
    }
    for ops, of in ((HELD, lambda: held(lambda each: PHI[op](each, given), x)), (PHI, lambda: PHI[op](x, given))):
        if op in ops:
            return [of()]
    return [PAIRS[op](x, rest[0]) if op in PAIRS else simple[op]()]


def gated(model, image, gates=()):
    """
    The logits of a graph, for autograd: the tensors named are held still, and every activation's slope.

    image: (1, channels, rows, columns), of double precision
    """
    tensors = {each.name: torch.tensor(numpy_helper.to_array(each)) for each in model.graph.initializer}
    tensors = {name: each.double() if each.is_floating_point() else each for name, each in tensors.items()}
    tensors |= {"": None, "image": image}
    for node in model.graph.node:
        given = {each.name: helper.get_attribute_value(each) for each in node.attribute}
        inputs = [tensors[name] for name in node.input]
        if node.op_type in {"Mul", "MatMul", "Div"} and set(gates).intersection(node.input):
            # Of a square one of the two alike is held.
            held_one = max(index for index, name in enumerate(node.input) if name in gates)
            inputs[held_one] = inputs[held_one].detach()
        for name, made in zip(node.output, compute(node, given, inputs), strict=True):
            tensors[name] = made
    return tensors["logits"]
