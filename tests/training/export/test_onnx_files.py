"""The two exported files compute what PyTorch computes, map by map, over random networks of every allowed kind."""

import json
from dataclasses import replace

import numpy as np
import onnx
import pytest
import torch
from onnx import numpy_helper
from onnx.reference import ReferenceEvaluator
from scipy.special import logit, softmax

from tests.networks import output_names
from tests.training.random_networks import SEEDS, random_network, random_structure
from training.export.calibration import FittedCalibration
from training.export.onnx_files import Export, analysis_model, check_weights, lean_model
from training.export.runner import open_session, run_all
from training.networks.network import folded_weights
from training.networks.structure import Conv, Pool, Structure, feature_count, layers, parameter_count
from training.novelty.weights import NoveltyWeights, novelty_of

CALIBRATION = FittedCalibration(temperature=1.3, slope=0.7, offset=0.1, most=0.3)


def random_novelty(structure, random):
    features = feature_count(structure)
    return NoveltyWeights(
        hidden=random.normal(0, features**-0.5, (features, 5)).astype(np.float32),
        hidden_bias=random.normal(size=5).astype(np.float32),
        output=random.normal(size=(5, 1)).astype(np.float32),
        output_bias=random.normal(size=1).astype(np.float32),
        threshold=0.5,
        method="random",
    )


@pytest.fixture(params=SEEDS)
def case(request):
    random = np.random.default_rng(request.param)
    structure = random_structure(random)
    network = random_network(structure, request.param)
    export = Export("case", "3", structure, folded_weights(network), CALIBRATION, random_novelty(structure, random))
    return network, export, random.random((3, 1, 28, 28)).astype(np.float32)


def torch_maps(export, images):
    """The maps from the folded weights, by torch.nn.functional alone."""
    functional = torch.nn.functional
    activations = {"relu": torch.relu, "tanh": torch.tanh, "linear": lambda x: x}
    poolings = {"maxpool": functional.max_pool2d, "avgpool": functional.avg_pool2d}
    maps, x = {}, torch.from_numpy(images).double()
    weights = {name: torch.from_numpy(array).double() for name, array in export.weights.items()}
    counts = {"conv": 0, "pool": 0}
    for stage in export.structure.stages:
        kind = "conv" if isinstance(stage, Conv) else "pool"
        counts[kind] += 1
        name = f"{kind}{counts[kind]}"
        if kind == "conv":
            weight, bias = weights[f"{name}.weight"], weights[f"{name}.bias"]
            x = maps[f"{name}.pre"] = functional.conv2d(x, weight, bias, stage.stride, stage.pads)
            x = maps[f"{name}.act"] = activations[stage.activation](x)
        else:
            x = maps[name] = poolings[stage.kind](x, stage.kernel, stage.stride, stage.pads)
    features = x.flatten(1) if export.structure.reduce == "flatten" else x.mean((2, 3))
    return maps, features, features @ weights["head.weight"].T + weights["head.bias"]


def test_both_files_answer_as_the_unfolded_network_does(case):
    network, export, images = case
    with torch.no_grad():
        logits = network(torch.from_numpy(images)).numpy()
        features = network.features(torch.from_numpy(images)).numpy()
    for model in (lean_model(export), analysis_model(export)):
        answers = run_all(open_session(model.SerializeToString()), images, ["probabilities", "logits", "novelty"])
        np.testing.assert_allclose(answers["logits"], logits, rtol=1e-4, atol=1e-4)
        novelty = novelty_of(export.novelty, features)
        doubt = np.clip(0.7 * logit(novelty) + 0.1, 0, 0.3)[:, None]
        expected = (1 - doubt) * softmax(logits / 1.3, axis=1) + doubt / 10
        np.testing.assert_allclose(answers["probabilities"], expected, atol=1e-5)
        np.testing.assert_allclose(answers["novelty"], novelty_of(export.novelty, features), rtol=1e-4, atol=1e-3)


def test_every_map_agrees_with_torch_and_with_onnxs_own_reference(case):
    _, export, images = case
    model = analysis_model(export)
    session = open_session(model.SerializeToString())
    names = [name for name in output_names(session) if not name.startswith("weights/")]
    ours = run_all(session, images, names)
    reference = dict(zip(names, ReferenceEvaluator(model).run(names, {"image": images}), strict=True))
    maps, _, logits = torch_maps(export, images)
    assert names == ["probabilities", "logits", "novelty", *maps], "maps come in network order after the answers"
    for name in names:
        np.testing.assert_allclose(ours[name], reference[name], rtol=1e-4, atol=1e-4, err_msg=name)
    for name, expected in {**maps, "logits": logits}.items():
        np.testing.assert_allclose(ours[name], expected, rtol=1e-4, atol=1e-4, err_msg=name)


def test_an_overridden_weight_equals_the_edited_file(case):
    _, export, images = case
    session = open_session(analysis_model(export).SerializeToString())
    random = np.random.default_rng(9)
    for name, weight in export.weights.items():
        edited = (weight + random.normal(0, 0.2, weight.shape)).astype(np.float32)
        other = replace(export, weights={**export.weights, name: edited})
        fed = session.run(["logits", f"weights/{name}"], {"image": images, name: edited})
        np.testing.assert_array_equal(fed[1], edited)
        filed = run_all(open_session(lean_model(other).SerializeToString()), images, ["logits"])["logits"]
        np.testing.assert_allclose(fed[0], filed, rtol=1e-4, atol=1e-4, err_msg=name)


def test_every_weight_is_given_back_and_can_be_fed(case):
    _, export, images = case
    session = open_session(analysis_model(export).SerializeToString())
    names = [f"weights/{name}" for name in export.weights]
    for name, came in zip(export.weights, session.run(names, {"image": images[:1]}), strict=True):
        np.testing.assert_array_equal(came, export.weights[name])
    fed = {value.name for value in session.get_overridable_initializers()}
    assert fed == set(export.weights)
    assert [value.name for value in session.get_inputs()] == ["image"]


def test_the_files_promise_what_the_readers_rely_on(case):
    _, export, _ = case
    lean, analysis = lean_model(export), analysis_model(export)
    for model in (lean, analysis):
        assert 17 <= model.opset_import[0].version <= 20
        assert model.ir_version <= 10
        properties = {entry.key: entry.value for entry in model.metadata_props}
        assert (properties["name"], properties["version"]) == ("case", "3")
        aliases = json.loads(properties["aliases"])
        for layer in layers(export.structure):
            assert aliases[layer.name] == (layer.name if isinstance(layer.stage, Pool) else f"{layer.name}.act")
        initialisers = {one.name: numpy_helper.to_array(one) for one in model.graph.initializer}
        counted = sum(array.size for name, array in initialisers.items() if name.split(".")[-1] in ("weight", "bias"))
        assert counted == parameter_count(export.structure)
    assert [value.name for value in lean.graph.output] == ["probabilities", "logits", "novelty"]
    assert [value.name for value in lean.graph.input] == ["image"]


def test_without_novelty_there_is_no_such_output():
    structure = Structure((Conv(2, (3, 3)), Pool()))
    model = lean_model(Export("plain", "1", structure, folded_weights(random_network(structure, 1))))
    assert [value.name for value in model.graph.output] == ["probabilities", "logits"]
    onnx.checker.check_model(model, full_check=True)


def test_weights_that_do_not_fit_the_structure_are_refused():
    structure = Structure((Conv(2, (3, 3)), Pool()))
    weights = folded_weights(random_network(structure, 1))
    check_weights(structure, weights)
    with pytest.raises(ValueError, match=r"head\.bias"):
        check_weights(structure, {name: array for name, array in weights.items() if name != "head.bias"})
    with pytest.raises(ValueError, match="needs weights"):
        check_weights(structure, {**weights, "conv1.weight": weights["conv1.weight"][:, :, :2]})
