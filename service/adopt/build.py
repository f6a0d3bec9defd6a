"""The two files that are served, built around a canonical graph: pictures from 0 to 1 in, verdicts and maps out."""

from collections.abc import Mapping, Sequence

import numpy as np
import onnx
from onnx import ModelProto, NodeProto, TensorProto, helper

from service.adopt.asked import Numbers
from service.adopt.canonical import LEAST_PROBABILITY, Canonical, fixed, node, open_foreign, run_foreign
from service.adopt.foreign import ForeignModel
from service.adopt.layers import BETWEEN, FoundLayer, ReadTensor, candidates, filters_of, find_layers, with_tensors
from service.network.passport import IMAGE
from service.network.sessions import WEIGHTS

# Before every name of the network's own, so that none of ours is among them.
WITHIN = "net/"
# Before those that make of a picture the numbers that it wants.
NUMBERS = "numbers/"
# An operator, what it takes beside what came before it, and its attributes.
GraphStep = tuple[str, np.ndarray | None, dict[str, object]]


def laid_out(source: ForeignModel, numbers: np.ndarray) -> np.ndarray:
    """Numbers, (n, channels, rows, columns), as a network wants them laid out."""
    found = numbers.transpose(0, 2, 3, 1) if source.layout == "nhwc" else numbers
    found = np.ascontiguousarray(found.reshape(len(found), *source.input_shape(1)[1:]))
    return np.clip(np.rint(found), 0, 255).astype(np.uint8) if source.is_levels else found


def wrapped(canonical: Canonical, numbers: Numbers) -> ModelProto:
    """`image`, float32 (n, channels, rows, columns) from 0 to 1, in; `probabilities` and `logits` out."""
    lean = ModelProto()
    lean.CopyFrom(canonical.model)
    graph = lean.graph
    _rename(graph)
    own = list(graph.node)
    del graph.node[:]
    graph.node.extend([*_before(canonical.source, numbers, graph), *own, *_after(canonical, graph)])
    del graph.input[:]
    del graph.output[:]
    graph.input.append(
        helper.make_tensor_value_info(IMAGE, TensorProto.FLOAT, [canonical.batch, *canonical.source.shape])
    )
    for name in ("probabilities", "logits"):
        graph.output.append(
            helper.make_tensor_value_info(name, TensorProto.FLOAT, [canonical.batch, canonical.classes])
        )
    graph.name = "network"
    lean.doc_string = graph.doc_string = ""
    _describe(lean, canonical.source)
    return lean


def find_maps(lean: ModelProto, probe: np.ndarray) -> list[FoundLayer]:
    """The layers of a lean model, their shapes found by running it on one picture, (1, channels, rows, columns)."""
    names = candidates(lean.graph)
    read = _with_outputs(lean, names)
    arrays = run_foreign(open_foreign(read), names, {IMAGE: probe})
    shapes = {name: array.shape[1:] for name, array in zip(names, arrays, strict=True) if array.dtype.kind == "f"}
    found = find_layers(lean.graph, shapes)
    return with_tensors(lean.graph, found, shapes, source_name)


def with_maps(lean: ModelProto, found: Sequence[FoundLayer]) -> ModelProto:
    """
    The same with every map as an output, and the filters that it shows as outputs `weights/...` and as inputs.

    An input that is not fed has the network's own weights.
    """
    analysis = ModelProto()
    analysis.CopyFrom(lean)
    graph = analysis.graph
    outputs: dict[str, str] = {name: tensor for one in found for name, tensor in one.maps.items()}
    outputs |= {name: tensor for name, (tensor, _) in between(found).items()}
    convolutions = {node.output[0]: node for node in graph.node if node.op_type == "Conv"}
    for one, weights, biases in filters_of(lean.graph, found):
        names = [f"{one.layer.name}.weight", f"{one.layer.name}.bias"]
        for name, array in zip(names, (weights, biases), strict=True):
            graph.initializer.append(fixed(name, array))
            graph.input.append(helper.make_tensor_value_info(name, TensorProto.FLOAT, array.shape))
            outputs[WEIGHTS + name] = name
        reader = convolutions[one.layer.source]
        reader.input[:] = [reader.input[0], *names]
    _drop_unread(graph)
    for name, tensor in outputs.items():
        graph.node.append(node("Identity", [tensor], name))
    return _with_outputs(analysis, list(outputs))


def between(found: Sequence[FoundLayer]) -> dict[str, ReadTensor]:
    """What layers read that is no map, by name."""
    return {
        name: read
        for one in found
        for name, read in zip(one.layer.tensors, one.read, strict=True)
        if name.startswith(BETWEEN)
    }


def _drop_unread(graph: onnx.GraphProto) -> None:
    """Take out constants that no node reads any more."""
    read = {name for each in graph.node for name in each.input}
    kept = [each for each in graph.initializer if each.name in read]
    del graph.initializer[:]
    graph.initializer.extend(kept)


def source_name(tensor: str) -> str:
    """
    What a tensor was called in the file as it came.

    >>> source_name("net/conv2d/Relu")
    'conv2d/Relu'
    """
    return tensor.removeprefix(WITHIN)


def named_before(tensor: str) -> bool:
    """Whether a tensor is one of those that the network's numbers are made in."""
    return tensor.startswith(NUMBERS)


def _rename(graph: onnx.GraphProto) -> None:
    for each in (*graph.initializer, *graph.input):
        each.name = WITHIN + each.name
    for each in graph.sparse_initializer:
        each.values.name = WITHIN + each.values.name
    for each in graph.node:
        each.input[:] = [WITHIN + name if name else "" for name in each.input]
        each.output[:] = [WITHIN + name if name else "" for name in each.output]


def _before(source: ForeignModel, numbers: Numbers, graph: onnx.GraphProto) -> list[NodeProto]:
    """The nodes that make of `image` what the network wants."""
    nodes, before = [], IMAGE
    steps = [*_arithmetic(numbers), *_laying_out(source), ("Identity", None, {})]
    for index, (op, constant, attributes) in enumerate(steps, 1):
        after = WITHIN + source.image if index == len(steps) else f"{NUMBERS}{index}"
        inputs = [before]
        if constant is not None:
            graph.initializer.append(fixed(f"{NUMBERS}of/{index}", constant))
            inputs.append(f"{NUMBERS}of/{index}")
        nodes.append(node(op, inputs, after, **attributes))
        before = after
    return nodes


def _arithmetic(numbers: Numbers) -> list[GraphStep]:
    """What Numbers.of does."""
    steps: list[GraphStep] = []
    if numbers.order == "bgr":
        steps.append(("Gather", np.array([2, 1, 0]), {"axis": 1}))
    if numbers.invert:
        steps += [("Neg", None, {}), ("Add", _number(1), {})]
    if numbers.scale != 1:
        steps.append(("Mul", _number(numbers.scale), {}))
    for op, values in (("Sub", numbers.mean), ("Div", numbers.std)):
        if values is not None:
            steps.append((op, np.array(values, np.float32).reshape(1, -1, 1, 1), {}))
    return steps


def _laying_out(source: ForeignModel) -> list[GraphStep]:
    """What `laid_out` does."""
    steps: list[GraphStep] = []
    if source.layout == "nhwc":
        steps.append(("Transpose", None, {"perm": [0, 2, 3, 1]}))
    elif source.layout != "nchw":
        target = [0 if side == "n" else side for side in source.input_shape("n")]
        steps.append(("Reshape", np.array(target, np.int64), {}))
    if source.is_levels:
        # Half a level is added, for a cast cuts off.
        steps += [("Add", _number(0.5), {}), ("Cast", None, {"to": TensorProto.UINT8})]
    return steps


def _number(value: float) -> np.ndarray:
    return np.array([value], np.float32)


def _after(canonical: Canonical, graph: onnx.GraphProto) -> list[NodeProto]:
    """The nodes that make logits and probabilities of what the network tells."""
    logits = WITHIN + canonical.logits
    if canonical.answers != "probabilities":
        return [node("Flatten", [logits], "logits", axis=1), node("Softmax", ["logits"], "probabilities", axis=1)]
    graph.initializer.append(fixed("least", _number(LEAST_PROBABILITY)))
    return [
        node("Flatten", [logits], "told", axis=1),
        node("Max", ["told", "least"], "above"),
        node("Log", ["above"], "logits"),
        node("Softmax", ["logits"], "probabilities", axis=1),
    ]


def _with_outputs(model: ModelProto, names: Sequence[str]) -> ModelProto:
    """The same with further outputs, whose types onnxruntime finds itself."""
    more = ModelProto()
    more.CopyFrom(model)
    more.graph.output.extend(onnx.ValueInfoProto(name=name) for name in names)
    return more


def _describe(model: ModelProto, source: ForeignModel) -> None:
    """Say in ONNX's own words what the picture is."""
    del model.metadata_props[:]
    words: Mapping[str, str] = {
        "Image.BitmapPixelFormat": "Gray8" if source.shape[0] == 1 else "Rgb8",
        "Image.NominalPixelRange": "Normalized_0_1",
        "Image.ColorSpaceGamma": "SRGB",
    }
    for key, value in words.items():
        model.metadata_props.add(key=key, value=value)
