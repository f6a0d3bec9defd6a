"""The layers of a canonical graph: which of its tensors are maps, what they are called, and what each layer reads."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

import msgspec
import numpy as np
from onnx import GraphProto, NodeProto, helper, numpy_helper

from service.network.passport import IMAGE, Layer

ACTIVATIONS = {
    "Relu", "Tanh", "Sigmoid", "LeakyRelu", "Clip", "Elu", "Selu", "Celu", "HardSigmoid", "HardSwish", "PRelu",
    "Softplus", "Softsign", "ThresholdedRelu", "Gelu", "Mish", "Sign",
}  # fmt: skip
POOLS = {
    "MaxPool": "maxpool",
    "AveragePool": "avgpool",
    "GlobalMaxPool": "globalmaxpool",
    "GlobalAveragePool": "globalavgpool",
}
JOINS = {"Add": "add", "Sum": "add", "Mul": "mul", "Concat": "concat"}
# What reads and makes maps, whatever was before; and the order of axes that Keras has them in.
LAYERS_OF_MAPS = {"Conv", *POOLS}
CHANNELS_LAST = [0, 2, 3, 1]
# Before the name of what a layer reads that is no map.
BETWEEN = "between/"
# What a layer's name begins with, by its operation; in order of the graph a number follows.
PREFIXES = {"maxpool": "pool", "avgpool": "pool", "globalmaxpool": "pool", "globalavgpool": "pool", "linear": "dense"}


class ReadTensor(NamedTuple):
    """A tensor of the graph that a layer reads, and its shape for one picture."""

    tensor: str
    shape: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class FoundLayer:
    """
    A layer, and the tensors of its maps by name.

    weights: the constants of a convolution that shows its filters
    read: the tensors that it reads, which its `layer.tensors` name; none where they are not all known
    """

    layer: Layer
    maps: Mapping[str, str]
    weights: Sequence[str] = ()
    read: Sequence[ReadTensor] = ()


@dataclass(slots=True)
class _Graph:
    """A graph with what is asked of it again and again."""

    graph: GraphProto
    shapes: Mapping[str, tuple[int, ...]]
    constants: Mapping[str, Any] = field(init=False)
    readers: dict[str, list[NodeProto]] = field(init=False, default_factory=dict)
    turned: set[str] = field(init=False, default_factory=set)

    def __post_init__(self) -> None:
        self.constants = {each.name: each for each in self.graph.initializer}
        for node in self.graph.node:
            for name in node.input:
                self.readers.setdefault(name, []).append(node)
            if _turns(node, self.turned):
                self.turned.update(node.output)

    def is_map(self, tensor: str) -> bool:
        """Whether a tensor holds (filters, rows, columns) of every picture, and not the channels last."""
        return len(self.shapes.get(tensor, ())) == 3 and tensor not in self.turned


def _turns(node: NodeProto, turned: set[str]) -> bool:
    """Whether a node makes numbers with the channels last: it lays them out so, or reads such and keeps their order."""
    if node.op_type == "Transpose":
        order = next((list(each.ints) for each in node.attribute if each.name == "perm"), [])
        return order == CHANNELS_LAST and node.input[0] not in turned
    return node.op_type not in LAYERS_OF_MAPS and bool(turned.intersection(node.input))


def candidates(graph: GraphProto) -> list[str]:
    """The tensors whose shapes are asked for: what the nodes of layers read and give."""
    kinds = {"Conv", "Gemm", "MatMul", "ReduceMean", *POOLS, *JOINS, *ACTIVATIONS}
    fixed = {each.name for each in graph.initializer}
    inputs = {each.name for each in graph.input}
    named = [
        name
        for node in graph.node
        if node.op_type in kinds
        for name in (*node.input[: None if node.op_type in JOINS else 2], *node.output[:1])
        if name
    ]
    return [name for name in dict.fromkeys(named) if name not in fixed and name not in inputs]


def find_layers(graph: GraphProto, shapes: Mapping[str, tuple[int, ...]]) -> list[FoundLayer]:
    """
    Name the layers of a graph that reads `image`, in its order.

    shapes: of tensors for one picture, without the axis of pictures
    """
    asked = _Graph(graph, shapes)
    counts: dict[str, int] = {}
    origins: dict[str, tuple[str, ...]] = {IMAGE: (IMAGE,)}
    found: list[FoundLayer] = []
    for node in graph.node:
        read = tuple(dict.fromkeys(name for tensor in node.input for name in origins.get(tensor, ())))
        layer = _layer(asked, node)
        if layer is not None:
            prefix = PREFIXES.get(layer["op"], layer["op"])
            counts[prefix] = counts.get(prefix, 0) + 1
            name = f"{prefix}{counts[prefix]}"
            one = _found(asked, node, Layer(name=name, reads=read, source=node.output[0], **layer))
            found.append(one)
            read = (name,)
        origins |= dict.fromkeys(node.output, read)
    return found


def with_tensors(
    graph: GraphProto,
    found: Sequence[FoundLayer],
    shapes: Mapping[str, tuple[int, ...]],
    told: Callable[[str], str],
) -> list[FoundLayer]:
    """
    The same layers, each with what it reads to the number, where that is no constant.

    shapes: of tensors for one picture; told: what a tensor was called in its file
    """
    asked = _Graph(graph, shapes)
    same = {node.output[0]: node.input[0] for node in graph.node if node.op_type == "Identity"}
    nodes = {name: node for node in graph.node for name in node.output}
    names = {IMAGE: IMAGE} | {tensor: name for one in found for name, tensor in one.maps.items()}
    known: list[FoundLayer] = []
    for one in found:
        read = _reading(asked, nodes[one.layer.source], one)
        tensors = tuple(names.get(_first(same, tensor), BETWEEN + told(tensor)) for tensor in read)
        layer = msgspec.structs.replace(one.layer, tensors=tensors)
        known.append(replace(one, layer=layer, read=[ReadTensor(tensor, shapes[tensor]) for tensor in read]))
    return known


def _reading(asked: _Graph, node: NodeProto, one: FoundLayer) -> Sequence[str]:
    """The tensors of a node that its maps are made of; none where they are not all of them, and its weights, known."""
    if not one.maps or (one.layer.op == "conv" and not one.weights):
        return ()
    read = list(node.input) if one.layer.op in JOINS.values() else node.input[:1]
    return read if all(asked.is_map(name) for name in read) else ()


def _first(same: Mapping[str, str], tensor: str) -> str:
    """The tensor that was handed on as this one."""
    while tensor in same:
        tensor = same[tensor]
    return tensor


def _found(asked: _Graph, node: NodeProto, layer: Layer) -> FoundLayer:
    if layer.op == "linear":
        return FoundLayer(layer, {})
    if layer.op != "conv":
        return FoundLayer(layer, {layer.name: node.output[0]})
    after = _activation(asked, node)
    pre, act = layer.maps
    weights = [name for name in node.input[1:] if name]
    is_shown = all(name in asked.constants for name in weights)
    return FoundLayer(layer, {pre: node.output[0], act: after or node.output[0]}, weights if is_shown else ())


def _activation(asked: _Graph, node: NodeProto) -> str:
    """The tensor behind the activation that alone reads a convolution, or nothing."""
    readers = asked.readers.get(node.output[0], [])
    if len(readers) == 1 and readers[0].op_type in ACTIVATIONS and asked.is_map(readers[0].output[0]):
        return str(readers[0].output[0])
    return ""


def _layer(asked: _Graph, node: NodeProto) -> dict[str, Any] | None:
    """What a passport says of a node, or None where it is no layer."""
    given = {each.name: helper.get_attribute_value(each) for each in node.attribute}
    read, made = node.input[0] if node.input else "", node.output[0]
    if node.op_type in {"Gemm", "MatMul"}:
        in_shape, shape = asked.shapes.get(read, ()), asked.shapes.get(made, ())
        is_dense = len(in_shape) == len(shape) == 1 and node.input[1] in asked.constants
        return {"op": "linear", "in_shape": in_shape, "shape": shape} if is_dense else None
    if not asked.is_map(made) or not asked.is_map(read):
        return None
    shapes = {"in_shape": asked.shapes[read], "shape": asked.shapes[made]}
    if node.op_type == "Conv":
        after = _activation(asked, node)
        reader = asked.readers[made][0].op_type.lower() if after else "linear"
        kernel = tuple(_constant_shape(asked, node, given)[-2:])
        return {"op": "conv", **shapes, **_geometry(shapes, given, kernel), "activation": reader,
                "groups": given.get("group", 1)}  # fmt: skip
    if node.op_type in POOLS:
        kernel = tuple(given.get("kernel_shape", shapes["in_shape"][1:]))
        counts = {"counts_padding": True} if given.get("count_include_pad") else {}
        return {"op": POOLS[node.op_type], **shapes, **_geometry(shapes, given, kernel), **counts}
    if node.op_type == "ReduceMean" and shapes["shape"] == (shapes["in_shape"][0], 1, 1):
        return {"op": "globalavgpool", **shapes, "kernel": shapes["in_shape"][1:]}
    is_join = node.op_type in JOINS and sum(asked.is_map(name) for name in node.input) > 1
    return {"op": JOINS[node.op_type], **shapes} if is_join else None


def _constant_shape(asked: _Graph, node: NodeProto, given: Mapping[str, Any]) -> Sequence[int]:
    weights = asked.constants.get(node.input[1])
    return tuple(given["kernel_shape"]) if weights is None else tuple(weights.dims)


def _geometry(
    shapes: Mapping[str, tuple[int, ...]], given: Mapping[str, Any], kernel: tuple[int, ...]
) -> dict[str, tuple[int, ...]]:
    """Kernel, stride, dilation and pads, those that the exporter left to be worked out included."""
    stride, dilation = tuple(given.get("strides", (1, 1))), tuple(given.get("dilations", (1, 1)))
    pads = tuple(given.get("pads", (0, 0, 0, 0)))
    same = given.get("auto_pad", b"NOTSET").decode()
    if same.startswith("SAME"):
        needed = [
            max(0, (made - 1) * step + (size - 1) * apart + 1 - read)
            for read, made, size, step, apart in zip(
                shapes["in_shape"][1:], shapes["shape"][1:], kernel, stride, dilation, strict=True
            )
        ]
        less = [each // 2 for each in needed]
        more = [each - half for each, half in zip(needed, less, strict=True)]
        pads = (*less, *more) if same == "SAME_UPPER" else (*more, *less)
    return {"kernel": kernel, "stride": stride, "dilation": dilation, "pads": pads}


def filters_of(graph: GraphProto, found: Sequence[FoundLayer]) -> Iterator[tuple[FoundLayer, np.ndarray, np.ndarray]]:
    """The layers that show their filters: weights (filters, channels of a group, rows, columns), biases (filters,)."""
    constants = {each.name: each for each in graph.initializer}
    for one in found:
        if one.weights:
            weights, *biases = (numpy_helper.to_array(constants[name]) for name in one.weights)
            yield one, weights, biases[0] if biases else np.zeros(len(weights), np.float32)
