"""The ONNX file of the seam network, every name in it ours, and its passport."""

import hashlib
import json
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

import numpy as np
import onnx
import torch
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper
from torch import nn

from training.export.onnx_files import IR_VERSION, OPSET
from training.networks.structure import CLASS_COUNT, NamedWeights
from training.seams.knobs import SeamKnobs
from training.seams.network import SeamNetwork


class _Draft:
    """Nodes and weights as they are laid down, in order."""

    def __init__(self) -> None:
        self.nodes: list[onnx.NodeProto] = []
        self.weights: NamedWeights = {}

    def convolved(self, conv: nn.Conv2d, norm: nn.BatchNorm2d | None, name: str, source: str) -> str:
        """A convolution with its norm folded in, computed in 64 bits, and rectified if there is a norm."""
        weight = conv.weight.detach().double()
        bias = torch.zeros(len(weight)).double() if conv.bias is None else conv.bias.detach().double()
        if norm is not None:
            assert norm.running_mean is not None
            assert norm.running_var is not None
            scale = norm.weight.detach().double() / torch.sqrt(norm.running_var.double() + norm.eps)
            weight = weight * scale[:, None, None, None]
            bias = norm.bias.detach().double() - norm.running_mean.double() * scale
        self.weights |= {f"{name}.weight": _float32(weight), f"{name}.bias": _float32(bias)}
        assert not isinstance(conv.padding, str)
        (rows, columns), (spread, _), (stride, _) = conv.padding, conv.dilation, conv.stride
        made = helper.make_node(
            "Conv",
            [source, f"{name}.weight", f"{name}.bias"],
            [f"{name}.pre" if norm is not None else name],
            name,
            kernel_shape=list(conv.kernel_size),
            strides=[stride, stride],
            dilations=[spread, spread],
            pads=[rows, columns, rows, columns],
        )
        self.nodes.append(made)
        if norm is not None:
            self.nodes.append(helper.make_node("Relu", [f"{name}.pre"], [name], f"{name} relu"))
        return name

    def blocks(self, stage: nn.Sequential, name: str, source: str) -> str:
        """The blocks of one stage."""
        for number, (conv, norm) in enumerate(_convolutions(stage), start=1):
            source = self.convolved(conv, norm, f"{name}.{number}", source)
        return source

    def added(self, fine: str, coarse: str, name: str) -> str:
        """Maps with others of half their size."""
        self.weights["twice"] = np.array([1, 1, 2, 2], np.float32)
        large = helper.make_node(
            "Resize", [coarse, "", "twice"], [f"{name}.large"], f"{name} enlarge", mode="nearest",
            coordinate_transformation_mode="asymmetric", nearest_mode="floor",
        )  # fmt: skip
        self.nodes += [large, helper.make_node("Add", [fine, f"{name}.large"], [name], f"{name} add")]
        return name


def seam_model(network: SeamNetwork) -> onnx.ModelProto:
    """
    Return the file.

    picture [n,1,rows,columns], 0 to 1 -> seams of that shape, 0 to 1, and classes [n,10,rows / 2,columns / 2]
    """
    graph = _Draft()
    first = graph.blocks(network.down1, "down1", "picture")
    second = graph.blocks(network.down2, "down2", first)
    third = graph.blocks(network.down3, "down3", second)
    coarse = graph.added(second, graph.convolved(network.side2, None, "side2", third), "both2")
    coarse = graph.blocks(nn.Sequential(network.up2), "up2", coarse)
    fine = graph.added(first, graph.convolved(network.side1, None, "side1", coarse), "both1")
    fine = graph.blocks(nn.Sequential(network.up1), "up1", fine)
    head = graph.convolved(network.seam, None, "seam", fine)
    graph.nodes.append(helper.make_node("DepthToSpace", [head], ["logits"], "pixels", blocksize=2, mode="CRD"))
    graph.nodes.append(helper.make_node("Sigmoid", ["logits"], ["seams"], "sigmoid"))
    whose = graph.convolved(network.classes, None, "whose", fine)
    graph.nodes.append(helper.make_node("Softmax", [whose], ["classes"], "softmax", axis=1))
    shape = ("n", 1, "rows", "columns")
    made = helper.make_graph(
        graph.nodes,
        "seams",
        [helper.make_tensor_value_info("picture", TensorProto.FLOAT, shape)],
        [
            helper.make_tensor_value_info("seams", TensorProto.FLOAT, shape),
            helper.make_tensor_value_info(
                "classes", TensorProto.FLOAT, ("n", CLASS_COUNT, "half_rows", "half_columns")
            ),
        ],
        [numpy_helper.from_array(array, name) for name, array in graph.weights.items()],
    )
    model = helper.make_model(
        made, producer_name="filterscope", opset_imports=[helper.make_opsetid("", OPSET)], ir_version=IR_VERSION
    )
    onnx.checker.check_model(model, full_check=True)
    return model


def write_seams(network: SeamNetwork, knobs: SeamKnobs, folder: Path) -> None:
    """Write model.onnx and passport.json into a folder."""
    model = seam_model(network)
    content = model.SerializeToString()
    parameters = sum(int(np.prod(each.dims)) for each in model.graph.initializer if each.name != "twice")
    passport = {
        "format": 1,
        "name": "seams",
        "description": "Tells, of every pixel of touching digits, how likely two of them touch there.",
        "input": {"name": "picture", "shape": [1, "rows", "columns"], "range": [0, 1], "paper": 0, "ink": 1},
        "parameters": parameters,
        "recipe": asdict(knobs),
        "files": {"model.onnx": {"sha256": hashlib.sha256(content).hexdigest(), "bytes": len(content)}},
    }
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "model.onnx").write_bytes(content)
    (folder / "passport.json").write_text(json.dumps(passport, indent=2) + "\n", encoding="utf-8")


def _convolutions(stage: nn.Module) -> Iterator[tuple[nn.Conv2d, nn.BatchNorm2d]]:
    parts = [part for part in stage.modules() if isinstance(part, nn.Conv2d | nn.BatchNorm2d)]
    for conv, norm in zip(parts[::2], parts[1::2], strict=True):
        assert isinstance(conv, nn.Conv2d)
        assert isinstance(norm, nn.BatchNorm2d)
        yield conv, norm


def _float32(tensor: torch.Tensor) -> NDArray[np.float32]:
    return np.ascontiguousarray(tensor.numpy().astype(np.float32))
