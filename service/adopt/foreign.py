"""The file as it came: parsed, and refused where it is no network that reads one picture and tells its class."""

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import onnx
from onnx import ModelProto, NodeProto, TensorProto, ValueInfoProto

from service.adopt.asked import AdoptionOptions, Refused
from service.network.passport import CHANNELS, MOST_SIDE

STANDARD = ("", "ai.onnx")
# onnxruntime computes what is of this opset or later; others are converted to one that all exporters know.
OLDEST_OPSET, CONVERTED_TO = 8, 17
SIXTEEN_BITS = (TensorProto.FLOAT16, TensorProto.BFLOAT16)
MOST_NODES = 50_000


class ForeignModel(NamedTuple):
    """
    A network that can be adopted, its batch freed and its sizes set.

    image: the name of its one input; layout: nchw, nhwc, rows (n, rows, columns) or flat (n, numbers)
    shape: (channels, rows, columns); is_levels: whether it wants whole numbers, uint8; batch: the one baked in, or None
    """

    model: ModelProto
    image: str
    layout: str
    shape: tuple[int, int, int]
    is_levels: bool
    batch: int | None

    def input_shape(self, count: int | str) -> list[int | str]:
        """The shape of its input for so many pictures."""
        channels, rows, columns = self.shape
        return {
            "nchw": [count, channels, rows, columns],
            "nhwc": [count, rows, columns, channels],
            "rows": [count, rows, columns],
            "flat": [count, channels * rows * columns],
        }[self.layout]


def read_source(data: bytes, asked: AdoptionOptions) -> ForeignModel:
    """Parse a file and free its batch. raises: Refused."""
    model = _parse(data)
    for fault in _faults(model):
        raise Refused(fault)
    model = _current(model)
    graph = model.graph
    _drop_fixed_inputs(graph)
    if len(graph.input) != 1:
        named = ", ".join(each.name for each in graph.input[:8])
        raise Refused(
            f"{len(graph.input)} inputs ({named}): a network that reads one picture and nothing else is wanted"
        )
    image = graph.input[0]
    kind = image.type.tensor_type.elem_type
    if kind not in {TensorProto.FLOAT, TensorProto.UINT8}:
        raise Refused(f"input {image.name} is {_type_name(kind)}: export it with float32 or uint8 numbers")
    layout, shape, batch = _read_shape(image, graph.node, {each.name: each for each in graph.initializer}, asked)
    source = ForeignModel(model, image.name, layout, shape, kind == TensorProto.UINT8, batch)
    _free(source)
    return source


def _parse(data: bytes) -> ModelProto:
    try:
        model = onnx.load_model_from_string(data)
    except Exception as error:  # of protobuf, whose errors have no common base
        raise Refused(f"not an ONNX file, or one that is cut short ({len(data)} bytes): export it again") from error
    if not model.graph.node:
        raise Refused(f"no operator in it ({len(data)} bytes): a network as an ONNX file is wanted")
    return model


def _faults(model: ModelProto) -> Iterator[str]:
    """What keeps any file from being adopted, whatever it computes; the first is what counts."""
    outside = [tensor for tensor in _tensors(model.graph) if tensor.data_location == TensorProto.EXTERNAL]
    if outside:
        place = next((entry.value for entry in outside[0].external_data if entry.key == "location"), "another file")
        yield (
            f"{len(outside)} weights lie in {place[:80]}, which is not read: make one file of the two, "
            "onnx.save(onnx.load('model.onnx'), 'one.onnx')"
        )
    own = {function.domain for function in model.functions}
    nodes = list(_nodes(model.graph))
    if len(nodes) > MOST_NODES:
        yield f"{len(nodes)} operators: at most {MOST_NODES} are taken"
    foreign = Counter((node.domain, node.op_type) for node in nodes if node.domain not in {*STANDARD, *own})
    if foreign:
        listed = ", ".join(f"{name} {count}" for (_, name), count in foreign.most_common(4))
        yield (
            f"operators of {next(iter(foreign))[0]} ({listed}): only ONNX's own are taken; export before quantising, "
            "or in the QDQ form, or without the library's own operators"
        )
    halves = sum(tensor.data_type in SIXTEEN_BITS for tensor in _tensors(model.graph))
    if halves:
        yield f"{halves} weights of 16 bits: export it with float32 weights"


def _current(model: ModelProto) -> ModelProto:
    """The same with functions written out, of an opset that onnxruntime computes."""
    if model.functions:
        from onnx import inliner  # noqa: PLC0415  # few files need it

        try:
            model = inliner.inline_local_functions(model)
        except Exception as error:
            raise Refused(f"its functions cannot be written out: {error}") from error
    opset = next((each.version for each in model.opset_import if each.domain in STANDARD), 1)
    if opset < OLDEST_OPSET:
        from onnx import version_converter  # noqa: PLC0415

        try:
            model = version_converter.convert_version(model, CONVERTED_TO)
        except Exception as error:
            raise Refused(f"opset {opset} is old, and converting it failed: {error}; export it again") from error
    model.ClearField("training_info")
    model.ir_version = max(model.ir_version, 8)
    return model


def _drop_fixed_inputs(graph: onnx.GraphProto) -> None:
    """Weights that are named as inputs too, as old files have them, are weights alone."""
    fixed = {each.name for each in graph.initializer}
    kept = [each for each in graph.input if each.name not in fixed]
    del graph.input[:]
    graph.input.extend(kept)


def _read_shape(
    image: ValueInfoProto, nodes: Sequence[NodeProto], weights: dict[str, TensorProto], asked: AdoptionOptions
) -> tuple[str, tuple[int, int, int], int | None]:
    """Find the layout, (channels, rows, columns), and the batch that is baked in."""
    if not image.type.tensor_type.HasField("shape"):
        raise Refused(f"input {image.name} has no shape: export it with one, [n, channels, rows, columns]")
    dims = [dim.dim_value if dim.dim_value > 0 else None for dim in image.type.tensor_type.shape.dim]
    said = "[" + ", ".join("n" if dim is None else str(dim) for dim in dims) + "]"
    name = f"input {image.name} is {said}"
    layout = _layout(dims, _channels_read(image.name, nodes, weights), asked) or ""
    if not layout:
        more = "; where a row of numbers is a picture, say which, as in --size 28x28" if len(dims) == 2 else ""
        raise Refused(f"{name}: a picture has four axes, [n, channels, rows, columns], and 1 or 3 channels{more}")
    channels, rows, columns = _sides(layout, dims, asked)
    channels = channels or _channels_read(image.name, nodes, weights)
    if channels not in CHANNELS:
        raise Refused(
            f"{name}: a picture has 1 channel (grey) or 3 (colour), this has {channels or 'an unknown number'}"
        )
    if asked.size is not None and (rows or asked.size[0], columns or asked.size[1]) != asked.size:
        raise Refused(f"{name}: it fixes its size, --size {asked.size[0]}x{asked.size[1]} is another")
    if rows is None or columns is None:
        if asked.size is None:
            raise Refused(f"{name}: rows and columns are free; say them, as in --size 224x224")
        rows, columns = asked.size
    if not 1 <= min(rows, columns) <= max(rows, columns) <= MOST_SIDE:
        raise Refused(f"{name}: sides are 1 to {MOST_SIDE} pixels, these are {rows} x {columns}")
    if layout == "flat" and dims[1] not in {None, rows * columns}:
        raise Refused(f"{name}: say which picture the {dims[1]} numbers are, as in --size 28x28")
    return layout, (channels, rows, columns), dims[0]


def _layout(dims: Sequence[int | None], channels: int | None, asked: AdoptionOptions) -> str | None:
    """How the picture lies in its input; None where it is none."""
    axes = {2: ("flat",), 3: ("rows",), 4: ("nchw", "nhwc")}.get(len(dims), ())
    if asked.layout != "auto" or not axes:
        return asked.layout if asked.layout in axes else None
    if len(axes) == 1:
        # A row of numbers is a picture only where someone says so.
        return axes[0] if axes[0] == "rows" or asked.size is not None else None
    if dims[1] in CHANNELS:
        return "nchw"
    if dims[3] in CHANNELS:
        return "nhwc"
    return "nchw" if dims[1] is None and channels in CHANNELS else None


def _sides(
    layout: str, dims: Sequence[int | None], asked: AdoptionOptions
) -> tuple[int | None, int | None, int | None]:
    """(channels, rows, columns), None for each that is free."""
    if layout == "flat":
        return 1, *(asked.size or (None, None))
    if layout == "rows":
        return 1, dims[1], dims[2]
    return (dims[1], dims[2], dims[3]) if layout == "nchw" else (dims[3], dims[1], dims[2])


def _channels_read(image: str, nodes: Sequence[NodeProto], weights: dict[str, TensorProto]) -> int | None:
    """How many channels the first convolution reads, where it reads the input itself."""
    for node in nodes:
        if node.op_type == "Conv" and node.input[0] == image and node.input[1] in weights:
            groups = next((each.i for each in node.attribute if each.name == "group"), 1)
            return int(weights[node.input[1]].dims[1]) * groups
    return None


def _free(source: ForeignModel) -> None:
    """Leave the number of pictures free, set what else of the input is known, and forget what was said of the rest."""
    graph = source.model.graph
    kind = graph.input[0].type.tensor_type.elem_type
    graph.input[0].CopyFrom(onnx.helper.make_tensor_value_info(source.image, kind, source.input_shape("n")))
    del graph.value_info[:]
    for output in graph.output:
        output.type.tensor_type.ClearField("shape")


def _graphs(graph: onnx.GraphProto) -> Iterator[onnx.GraphProto]:
    yield graph
    for node in graph.node:
        for attribute in node.attribute:
            for inner in (*([attribute.g] if attribute.HasField("g") else []), *attribute.graphs):
                yield from _graphs(inner)


def _nodes(graph: onnx.GraphProto) -> Iterator[NodeProto]:
    for each in _graphs(graph):
        yield from each.node


def _tensors(graph: onnx.GraphProto) -> Iterator[TensorProto]:
    """Every constant of a graph, wherever it is kept."""
    for each in _graphs(graph):
        yield from each.initializer
        for sparse in each.sparse_initializer:
            yield from (sparse.values, sparse.indices)
        for node in each.node:
            for attribute in node.attribute:
                if attribute.HasField("t"):
                    yield attribute.t
                yield from attribute.tensors


def _type_name(kind: int) -> str:
    return TensorProto.DataType.Name(kind).lower() if kind in TensorProto.DataType.values() else f"of type {kind}"
