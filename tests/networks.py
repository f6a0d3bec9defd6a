"""
Networks of every structure the service allows, with random weights, as model folders: what an oracle is held to.

And what the shipped networks read, past the service.
"""

import hashlib
import json

import numpy as np

from service.network.sessions import Library, Network
from service.settings import SHIPPED_MODELS
from training.export.credit import credit_of
from training.export.model_folder import describe_layers
from training.export.onnx_files import Export, analysis_model, lean_model
from training.export.runner import open_session, run_all
from training.networks.structure import CLASS_COUNT, Conv, Pool, Structure, feature_count, layers

STRUCTURES = {
    "lecture": Structure((Conv(5, (7, 7), (2, 2), activation="tanh"), Pool())),
    "deep": Structure((Conv(4, (5, 5)), Pool(), Conv(5, (3, 3)), Pool("avgpool"), Conv(6, (3, 3), pads=(1, 1)))),
    "means": Structure((Conv(6, (3, 5), (2, 1)), Conv(5, (2, 2), activation="tanh"), Pool()), "mean"),
    "overlap": Structure((Conv(4, (4, 3), pads=(2, 1)), Pool("maxpool", (3, 3), (2, 2), (1, 1)), Conv(3, (3, 3)))),
    "linear": Structure((Conv(3, (6, 6), (3, 3), activation="linear"), Pool("avgpool", (3, 2), (1, 2)))),
    "pooled": Structure((Pool("avgpool"), Conv(7, (3, 3), activation="tanh"), Pool("maxpool", (4, 4), (4, 4)))),
}


def random_weights(structure, seed):
    """Weights large enough that every rule has something to do, biases included."""
    random, weights = np.random.default_rng(seed), {}
    for layer in layers(structure):
        if isinstance(layer.stage, Conv):
            shape = (layer.shape[0], layer.in_shape[0], *layer.stage.kernel)
            scale = 1.5 / np.sqrt(np.prod(shape[1:]))
            weights[f"{layer.name}.weight"] = random.normal(0, scale, shape).astype(np.float32)
            weights[f"{layer.name}.bias"] = random.normal(0, 0.3, shape[0]).astype(np.float32)
    features = feature_count(structure)
    weights["head.weight"] = random.normal(0, 1, (CLASS_COUNT, features)).astype(np.float32)
    weights["head.bias"] = random.normal(0, 1, CLASS_COUNT).astype(np.float32)
    return weights


def write_model(folder, name, structure, weights, version="1", *, is_credited=True):
    """A model folder as training writes them: folder/<name>/<version>/."""
    export = Export(name, version, structure, weights)
    lean, described = lean_model(export), describe_layers(structure)
    files = {"model.onnx": lean.SerializeToString(), "analysis.onnx": analysis_model(export).SerializeToString()}
    credited = {}
    if is_credited:
        files["credit.onnx"], credited["credit"] = credit_of(lean, described)
    passport = {
        "format": 1,
        "name": name,
        "version": version,
        "labels": [str(digit) for digit in range(CLASS_COUNT)],
        "layers": described,
        **credited,
        "files": {
            file: {"sha256": hashlib.sha256(data).hexdigest(), "bytes": len(data)} for file, data in files.items()
        },
    }
    place = folder / name / version
    place.mkdir(parents=True)
    for file, data in files.items():
        (place / file).write_bytes(data)
    (place / "passport.json").write_text(json.dumps(passport))
    return place


def random_network(folder, name, seed):
    """A network of one of STRUCTURES with random weights."""
    structure = STRUCTURES[name]
    return Network(write_model(folder / str(seed), name, structure, random_weights(structure, seed)))


def library_of(folder):
    """One network of every structure, the first the default."""
    networks = [random_network(folder, name, seed) for seed, name in enumerate(STRUCTURES)]
    return Library(networks, networks[0].name)


def as_torch(network):
    """The same network in PyTorch, from the weights it serves: image (n, 1, 28, 28) -> logits, in float64."""
    import torch
    from torch import nn

    activations = {"relu": nn.ReLU, "tanh": nn.Tanh, "linear": nn.Identity}
    modules = []
    for layer in network.passport.layers:
        pads = layer.pads[:2]
        if layer.op == "conv":
            weight, bias = (torch.from_numpy(network.weights[f"{layer.name}.{part}"]) for part in ("weight", "bias"))
            conv = nn.Conv2d(layer.in_shape[0], layer.shape[0], layer.kernel, layer.stride, pads)
            conv.weight.data, conv.bias.data = weight, bias
            modules += [conv, activations[layer.activation]()]
        elif layer.op == "maxpool":
            modules.append(nn.MaxPool2d(layer.kernel, layer.stride, pads))
        elif layer.op == "avgpool":
            modules.append(nn.AvgPool2d(layer.kernel, layer.stride, pads, count_include_pad=False))
    head = network.passport.head
    if head.reduce == "mean":
        modules.append(nn.AdaptiveAvgPool2d(1))
    weight, bias = (torch.from_numpy(network.weights[f"head.{part}"]) for part in ("weight", "bias"))
    linear = nn.Linear(weight.shape[1], weight.shape[0])
    linear.weight.data, linear.bias.data = weight, bias
    return nn.Sequential(*modules, nn.Flatten(), linear).double().eval()


def output_names(session):
    """The names of what an onnxruntime session gives, in its order."""
    return [output.name for output in session.get_outputs()]


def read(model, images):
    """What a shipped network reads in pictures (count, 28, 28) uint8, as they are."""
    session = open_session(SHIPPED_MODELS / model / "1" / "model.onnx")
    batch = np.asarray(images, np.float32)[:, None] / np.float32(255)
    return run_all(session, batch, ["logits"])["logits"].argmax(axis=1)
