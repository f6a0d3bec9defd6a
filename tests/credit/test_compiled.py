"""The walk back of every operator: its parts add up, and are what autograd finds in PyTorch with the gates held."""

import numpy as np
import pytest
from onnx.reference import ReferenceEvaluator

from service.credit.compiled import compile_credit
from service.credit.walk import NoCredit
from service.network.engine import opened
from tests.credit.operators import CLASSES, OPERATORS, SHAPE, network, picture

torch = pytest.importorskip("torch")
gated = pytest.importorskip("tests.credit.gated").gated

# What PyTorch has no such number for, or holds otherwise: steps have no slope.
STEPS = {"quantised", "rounded"}


def walked(model, image, seeds):
    compiled = compile_credit(model, {}, SHAPE)
    session = opened(compiled.model.SerializeToString())
    names = [output.name for output in session.get_outputs()]
    return dict(zip(names, session.run(names, {"image": image[None], "seed": seeds}), strict=True)), compiled


def evaluated(model, image):
    """What ONNX's reference evaluator says; of LRN onnxruntime, for the evaluator leaves a channel out (onnx 1.23)."""
    if any(node.op_type == "LRN" for node in model.graph.node):
        return opened(model.SerializeToString()).run(None, {"image": image[None]})
    return ReferenceEvaluator(model).run(None, {"image": image[None]})


def missing(parts, scores, image):
    """What the parts miss of each score, as a share of all of them."""
    pixels = (parts["gains/image"].astype(np.float64) * image).reshape(len(scores), -1)
    biases = np.array([array for name, array in parts.items() if name.startswith("biases/")], np.float64)
    size = np.abs(pixels).sum(axis=1) + np.abs(biases).sum(axis=0)
    return np.abs(scores - pixels.sum(axis=1) - biases.sum(axis=0)) / size


@pytest.mark.parametrize("seed", range(2))
@pytest.mark.parametrize("name", OPERATORS)
def test_the_parts_of_every_score_add_up(name, seed):
    model, _ = network(name, seed)
    image = picture(seed + 1)
    seeds = np.concatenate([np.eye(CLASSES), [[1, 0, -1, 0]]]).astype(np.float32)
    parts, _ = walked(model, image, seeds)
    (logits,) = evaluated(model, image)
    np.testing.assert_allclose(parts["logits"], logits, rtol=1e-5, atol=1e-5)
    assert missing(parts, seeds @ logits[0].astype(np.float64), image).max() <= 1e-5


@pytest.mark.parametrize("seed", range(2))
@pytest.mark.parametrize("name", [name for name in OPERATORS if name not in STEPS])
def test_its_gains_are_those_of_autograd_with_the_gates_held(name, seed):
    model, gates = network(name, seed)
    image = torch.tensor(picture(seed + 1)[None], dtype=torch.float64, requires_grad=True)
    logits = gated(model, image, gates)
    wanted = np.stack([
        torch.autograd.grad(logits[0, index], image, retain_graph=True)[0][0].numpy() for index in range(CLASSES)
    ])
    parts, _ = walked(model, picture(seed + 1), np.eye(CLASSES, dtype=np.float32))
    np.testing.assert_allclose(parts["logits"][0], logits[0].detach().numpy(), rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(parts["gains/image"], wanted, atol=2e-5 * np.abs(wanted).max())
