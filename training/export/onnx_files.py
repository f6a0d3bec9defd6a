"""
The two ONNX files of a network, every name in them ours.

Two files come from one description: the lean one answers and nothing else, so that the runtime may fuse what it likes;
the analysis one gives out every inner map, and takes and returns every weight.
"""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from training.export.calibration import UNCALIBRATED, FittedCalibration
from training.networks.structure import (
    CLASS_COUNT,
    IMAGE_SHAPE,
    Conv,
    NamedWeights,
    Pool,
    ShapedLayer,
    Structure,
    feature_count,
    layers,
)
from training.novelty.weights import NoveltyWeights

OPSET = 17  # the newest in which every operation used takes its axes as attributes
IR_VERSION = 8  # what opset 17 came with; onnxruntime reads it since 1.12

_ACTIVATIONS = {"relu": "Relu", "tanh": "Tanh", "linear": "Identity"}
_POOLINGS = {"maxpool": "MaxPool", "avgpool": "AveragePool"}


@dataclass(frozen=True)
class Export:
    """Everything the two files are made from."""

    name: str
    version: str
    structure: Structure
    weights: NamedWeights
    calibration: FittedCalibration = UNCALIBRATED
    novelty: NoveltyWeights | None = None


def lean_model(export: Export) -> onnx.ModelProto:
    """Return the network that answers: image [n,1,28,28] -> probabilities [n,10], logits [n,10] (and novelty [n])."""
    return _model(export, outputs=_answers(export), inputs=[_image()])


def analysis_model(export: Export) -> onnx.ModelProto:
    """
    Return the same network with its working shown.

    After the answers come every map in network order, then `weights/<initialiser>`; each weight is also an input whose
    default is the trained value, so that a caller can feed another.
    """
    weights = export.weights.items()
    maps = [_float_value(name, ("n", *layer.shape)) for layer in layers(export.structure) for name in map_names(layer)]
    copies = [_float_value(f"weights/{name}", array.shape) for name, array in weights]
    inputs = [_image(), *(_float_value(name, array.shape) for name, array in weights)]
    show = [helper.make_node("Identity", [name], [f"weights/{name}"], f"show {name}") for name in export.weights]
    return _model(export, outputs=[*_answers(export), *maps, *copies], inputs=inputs, extra_nodes=show)


def map_names(layer: ShapedLayer) -> list[str]:
    """
    Return the names of the maps a layer gives.

    >>> [map_names(layer) for layer in layers(Structure((Conv(4, (5, 5)), Pool())))]
    [['conv1.pre', 'conv1.act'], ['pool1']]
    """
    return [f"{layer.name}.pre", f"{layer.name}.act"] if isinstance(layer.stage, Conv) else [layer.name]


def _model(
    export: Export,
    outputs: list[onnx.ValueInfoProto],
    inputs: list[onnx.ValueInfoProto],
    extra_nodes: Sequence[onnx.NodeProto] = (),
) -> onnx.ModelProto:
    graph = helper.make_graph(
        [*_nodes(export), *extra_nodes],
        export.name,
        inputs,
        outputs,
        [numpy_helper.from_array(array, name) for name, array in _initialisers(export).items()],
    )
    model = helper.make_model(
        graph,
        producer_name="filterscope",
        opset_imports=[helper.make_opsetid("", OPSET)],
        ir_version=IR_VERSION,
    )
    aliases = {layer.name: map_names(layer)[-1] for layer in layers(export.structure)}
    helper.set_model_props(
        model, {"name": export.name, "version": export.version, "aliases": json.dumps(aliases, separators=(",", ":"))}
    )
    onnx.checker.check_model(model, full_check=True)
    return model


def _nodes(export: Export) -> Iterator[onnx.NodeProto]:
    current = "image"
    for layer in layers(export.structure):
        yield from _layer_nodes(layer, current)
        current = map_names(layer)[-1]
    if export.structure.reduce == "flatten":
        yield helper.make_node("Flatten", [current], ["features"], "flatten", axis=1)
    else:
        yield helper.make_node("ReduceMean", [current], ["features"], "mean", axes=[2, 3], keepdims=0)
    yield helper.make_node("Gemm", ["features", "head.weight", "head.bias"], ["logits"], "head", transB=1)
    yield helper.make_node("Div", ["logits", "temperature"], ["scaled"], "calibrate")
    if export.novelty is None:
        yield helper.make_node("Softmax", ["scaled"], ["probabilities"], "softmax", axis=1)
        return
    yield helper.make_node("Softmax", ["scaled"], ["certain"], "softmax", axis=1)
    yield from _novelty_nodes(export.calibration)


def _layer_nodes(layer: ShapedLayer, source: str) -> Iterator[onnx.NodeProto]:
    stage = layer.stage
    places: dict[str, Any] = {"kernel_shape": stage.kernel, "strides": stage.stride, "pads": stage.pads + stage.pads}
    if isinstance(stage, Pool):
        yield helper.make_node(_POOLINGS[stage.kind], [source], [layer.name], layer.name, **places)
        return
    pre, act = map_names(layer)
    yield helper.make_node("Conv", [source, f"{layer.name}.weight", f"{layer.name}.bias"], [pre], layer.name, **places)
    yield helper.make_node(_ACTIVATIONS[stage.activation], [pre], [act], f"{layer.name} activation")


def _novelty_nodes(calibration: FittedCalibration) -> Iterator[onnx.NodeProto]:
    """
    Yield the novelty and, from the same sum, the doubt that draws the probabilities towards a tenth each.

    In as few steps as can be, since each costs time: HardSigmoid is the line between 0 and 1, the doubt as
    a share of its most; one Gemm is most * (a tenth - probability).
    """
    most = calibration.most or 1.0
    line = {"alpha": calibration.slope / most, "beta": calibration.offset / most}
    steps: list[tuple[str, list[str], str, dict[str, float]]] = [
        ("Gemm", ["features", "novelty.hidden", "novelty.hidden_bias"], "novelty.sums", {}),
        ("Relu", ["novelty.sums"], "novelty.units", {}),
        ("Gemm", ["novelty.units", "novelty.output", "novelty.output_bias"], "novelty.logit", {}),
        ("Sigmoid", ["novelty.logit"], "novelty.column", {}),
        ("Squeeze", ["novelty.column", "novelty.axis"], "novelty", {}),
        ("HardSigmoid", ["novelty.logit"], "doubt.share", line),
        ("Gemm", ["certain", "doubt.pull", "doubt.even"], "doubt.most", {}),
        ("Mul", ["doubt.most", "doubt.share"], "doubt.drawn", {}),
        ("Add", ["certain", "doubt.drawn"], "probabilities", {}),
    ]
    for kind, inputs, output, attributes in steps:
        node = helper.make_node(kind, inputs, [output], f"compute {output}")
        node.attribute.extend(helper.make_attribute(name, value) for name, value in attributes.items())
        yield node


def _initialisers(export: Export) -> dict[str, NDArray[Any]]:
    calibration, novelty = export.calibration, export.novelty
    named: dict[str, NDArray[Any]] = {**export.weights, "temperature": np.array(calibration.temperature, np.float32)}
    if novelty is not None:
        named |= {
            "novelty.hidden": novelty.hidden,
            "novelty.hidden_bias": novelty.hidden_bias,
            "novelty.output": novelty.output,
            "novelty.output_bias": novelty.output_bias,
            "novelty.axis": np.array([1], np.int64),
            "doubt.pull": (-calibration.most * np.eye(CLASS_COUNT)).astype(np.float32),
            "doubt.even": np.full(CLASS_COUNT, calibration.most / CLASS_COUNT, np.float32),
        }
    return named


def _answers(export: Export) -> list[onnx.ValueInfoProto]:
    answers = [_float_value("probabilities", ("n", CLASS_COUNT)), _float_value("logits", ("n", CLASS_COUNT))]
    return answers if export.novelty is None else [*answers, _float_value("novelty", ("n",))]


def _image() -> onnx.ValueInfoProto:
    return _float_value("image", ("n", *IMAGE_SHAPE))


def _float_value(name: str, shape: Sequence[int | str]) -> onnx.ValueInfoProto:
    return helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)


def check_weights(structure: Structure, weights: NamedWeights) -> None:
    """Raise ValueError unless `weights` holds exactly the arrays that `structure` needs, in their shapes."""
    wanted: dict[str, tuple[int, ...]] = {}
    for layer in layers(structure):
        if isinstance(layer.stage, Conv):
            wanted[f"{layer.name}.weight"] = (layer.stage.filters, layer.in_shape[0], *layer.stage.kernel)
            wanted[f"{layer.name}.bias"] = (layer.stage.filters,)
    wanted |= {"head.weight": (CLASS_COUNT, feature_count(structure)), "head.bias": (CLASS_COUNT,)}
    came = {name: array.shape for name, array in weights.items()}
    if came != wanted:
        raise ValueError(f"the structure needs weights {wanted}, got {came}")
