"""
Rules for what only lays numbers out anew: each gain goes back to where its number came from.

Nothing is held for that, so they hold for every picture.
"""

from collections.abc import Callable

import numpy as np
from onnx import ModelProto, NodeProto, TensorProto, helper, numpy_helper

from service.credit.walk import Walk, run_once

Rule = Callable[[Walk, NodeProto, list[str]], None]
# Numbers of single precision count so far.
MOST_PLACES = 1 << 24


def behind_reshape(walk: Walk, node: NodeProto, gains: list[str]) -> None:
    """The same numbers in another form."""
    walk.give(node.input[0], walk.shaped(gains[0], walk.shapes[node.input[0]][1:]))


def behind_identity(walk: Walk, node: NodeProto, gains: list[str]) -> None:
    """The same numbers in the same form."""
    walk.give(node.input[0], gains[0])


def behind_transpose(walk: Walk, node: NodeProto, gains: list[str]) -> None:
    """The axes in another order."""
    axes = len(walk.shapes[node.input[0]])
    order = list(walk.attribute("perm", range(axes)[::-1]))
    if order[0] != 0:
        raise walk.refused("the axis of the pictures is moved")
    walk.give(node.input[0], walk.add("Transpose", gains[0], perm=[int(each) for each in np.argsort(order)]))


def behind_concat(walk: Walk, node: NodeProto, gains: list[str]) -> None:
    """Several maps one after the other; constant ones add a term of their own."""
    made = walk.shapes[node.output[0]]
    axis = int(walk.attribute("axis")) % len(made)
    if axis == 0:
        raise walk.refused("along the axis of the pictures")
    sizes = [walk.shapes[name][axis] for name in node.input]
    parts = walk.add_all("Split", [gains[0], walk.whole(*sizes)], len(sizes), axis=axis) if sizes[1:] else gains
    for name, part in zip(node.input, parts, strict=True):
        if name in walk.of_picture:
            walk.give(name, part)
        else:
            walk.owe_sum(walk.add("Mul", part, name), len(made))


def behind_split(walk: Walk, node: NodeProto, gains: list[str]) -> None:
    """One map cut into several."""
    axis = int(walk.attribute("axis", 0)) % len(walk.shapes[node.input[0]])
    if axis == 0:
        raise walk.refused("along the axis of the pictures")
    parts = [part or walk.zeros(walk.shapes[name][1:]) for name, part in zip(node.output, gains, strict=True) if name]
    walk.give(node.input[0], walk.add("Concat", *parts, axis=axis))


def behind_expand(walk: Walk, node: NodeProto, gains: list[str]) -> None:
    """Numbers copied along axes."""
    walk.give_part(node.input[0], gains[0])


def moved(walk: Walk, node: NodeProto, gains: list[str]) -> None:
    """
    Any other choice of numbers: where each comes from is found by moving the numbers of the places themselves.

    A place that takes none, such as padding, is 0 here, and so may be no other constant.
    """
    read, made = walk.shapes[node.input[0]], walk.shapes[node.output[0]]
    size = int(np.prod(read))
    if size >= MOST_PLACES:
        raise walk.refused(f"{size} numbers are too many")
    if read[:1] != (1,) or made[:1] != (1,):
        raise walk.refused("the axis of the pictures is joined with another")
    places = np.arange(1, size + 1, dtype=np.float32).reshape(read)
    came = np.rint(alone(walk, node, places)).astype(np.int64).ravel()
    kept = np.flatnonzero(came > 0)
    flat = walk.shaped(gains[0], [int(np.prod(made))])
    if len(kept) < len(came):
        flat = walk.add("Gather", flat, walk.constant(kept, np.int64), axis=1)
    at = walk.constant(came[kept][None] - 1, np.int64)
    walk.give(node.input[0], laid(walk, flat, at, read))


def laid(walk: Walk, flat: str, places: str, shape: tuple[int, ...]) -> str:
    """
    Add numbers, (n, m), up at places, (1, m), of a tensor of that shape, (1, ...), in reading order.
    """
    size = int(np.prod(shape))
    spread = walk.add("Expand", places, walk.add("Shape", flat))
    sums = walk.add("ScatterElements", walk.zeros([size]), spread, flat, axis=1, reduction="add")
    return sums if shape[1:] == (size,) else walk.shaped(sums, shape[1:])


def alone(walk: Walk, node: NodeProto, values: np.ndarray) -> np.ndarray:
    """What a node alone makes of other numbers than the picture's, the rest of what it reads being constants."""
    rest = {index: walk.known(index) for index, name in enumerate(node.input) if index and name}
    mini = ModelProto(ir_version=walk.model.ir_version, opset_import=walk.model.opset_import)
    names = ["x", *(f"k{index}" if index in rest else "" for index in range(1, len(node.input)))]
    one = helper.make_node(node.op_type, names, ["y"])
    one.attribute.extend(node.attribute)
    mini.graph.name = "alone"
    mini.graph.node.append(one)
    mini.graph.input.append(helper.make_tensor_value_info("x", TensorProto.FLOAT, values.shape))
    mini.graph.initializer.extend(numpy_helper.from_array(array, f"k{index}") for index, array in rest.items())
    return run_once(mini, ["y"], {"x": values})[0]


def behind_pad(walk: Walk, node: NodeProto, gains: list[str]) -> None:
    """A frame of zeros, of another number, or of the map's own."""
    mode = walk.attribute("mode", b"constant").decode()
    is_other = len(node.input) > 2 and node.input[2] and walk.known(2).any()
    if mode == "constant" and is_other:
        raise walk.refused("with another number than 0")
    moved(walk, node, gains)


def behind_resize(walk: Walk, node: NodeProto, gains: list[str]) -> None:
    """Numbers copied to a finer grid."""
    if walk.attribute("mode", b"nearest") != b"nearest":
        raise walk.refused("only the nearest number is taken back")
    moved(walk, node, gains)


RULES: dict[str, Rule] = {
    **dict.fromkeys(("Reshape", "Flatten", "Squeeze", "Unsqueeze"), behind_reshape),
    **dict.fromkeys(("Identity", "Dropout"), behind_identity),
    **dict.fromkeys(("Slice", "Gather", "Tile", "DepthToSpace", "SpaceToDepth"), moved),
    "Transpose": behind_transpose,
    "Concat": behind_concat,
    "Split": behind_split,
    "Expand": behind_expand,
    "Pad": behind_pad,
    "Resize": behind_resize,
}
