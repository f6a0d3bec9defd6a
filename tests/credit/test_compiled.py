"""The walk back of every operator: its parts add up, and are what autograd finds in PyTorch with the gates held."""

import numpy as np
import pytest
from onnx.reference import ReferenceEvaluator

from service.credit.compiled import compile_credit
from service.credit.walk import NoCredit
from service.network.engine import opened
from tests.credit.operators import CLASSES, OPERATORS, SHAPE, Made, network, picture

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
    """What ONNX's reference evaluator says; of LRN onnxruntime, for it goes over pictures, not channels (1.23)."""
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
    wanted = np.stack(
        [torch.autograd.grad(logits[0, index], image, retain_graph=True)[0][0].numpy() for index in range(CLASSES)]
    )
    parts, _ = walked(model, picture(seed + 1), np.eye(CLASSES, dtype=np.float32))
    np.testing.assert_allclose(parts["logits"][0], logits[0].detach().numpy(), rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(parts["gains/image"], wanted, atol=2e-5 * np.abs(wanted).max())


# Where onnx 1.23's evaluator is wrong: groups of a transposed convolution, places of a maximum over whole maps, LRN.
ODD_IN_EVALUATOR = {"conv, groups", "maxpool, global", "lrn"}


@pytest.mark.parametrize("name", [name for name in OPERATORS if name not in ODD_IN_EVALUATOR])
def test_onnx_s_reference_evaluator_finds_in_the_graph_what_onnxruntime_does(name):
    model, _ = network(name)
    seeds = np.eye(CLASSES, dtype=np.float32)
    parts, compiled = walked(model, picture(1), seeds)
    found = ReferenceEvaluator(compiled.model).run(list(parts), {"image": picture(1)[None], "seed": seeds})
    for each, (_, wanted) in zip(found, parts.items(), strict=True):
        np.testing.assert_allclose(each, wanted, rtol=1e-4, atol=1e-5 * max(np.abs(wanted).max(), 1))


REFUSED = {
    "Sign": lambda b: b.add("Sign", b.maps()),
    "Floor": lambda b: b.add("Floor", b.maps()),
    "Mul: two maps": lambda b: b.add("Mul", b.maps(), b.maps()),
    "MatMul: two maps": lambda b: b.add("MatMul", b.maps(4, 3), b.add("Transpose", b.maps(4), perm=[0, 1, 3, 2])),
    "Div: a constant": lambda b: b.add("Div", b.number(1), b.add("Sigmoid", b.maps())),
    "Softmax": lambda b: b.add("Softmax", b.maps()),
    "Pad: with another number": lambda b: b.add("Pad", b.maps(), b.whole(0, 0, 1, 1, 0, 0, 1, 1), b.number(2)),
    "Resize: only the nearest": lambda b: b.add(
        "Resize", b.maps(), "", b.constant(np.float32([1, 1, 2, 2])), mode="linear"
    ),
    "Transpose: the axis of the pictures": lambda b: b.add(
        "Transpose", b.add("Relu", b.add("Transpose", b.maps(), perm=[1, 0, 2, 3])), perm=[1, 0, 2, 3]
    ),
    "Reshape: the axis of the pictures": lambda b: b.add("Reshape", b.maps(), b.whole(4, 10, 8, 1)),
    "Conv: its filters are made of the picture": lambda b: b.add("Conv", "image", b.add("Slice", "image", *(
        b.whole(*each) for each in ((0, 0), (3, 3), (2, 3))
    ))),
    "LSTM": lambda b: b.add("LSTM", b.add("Squeeze", b.maps(1), b.whole(0)), b.weight(1, 8, 8), b.weight(1, 8, 2),
                            hidden_size=2, outputs=1),
}  # fmt: skip


@pytest.mark.parametrize("why", REFUSED)
def test_an_operator_without_a_rule_is_named(monkeypatch, why):
    monkeypatch.setitem(OPERATORS, why, REFUSED[why])
    b = Made(0)
    tensor = OPERATORS[why](b)
    shape = opened(b.ending_in(tensor, 17).SerializeToString()).run(None, {"image": picture(0)[None]})[0].shape
    b.told(b.add("Reshape", tensor, b.whole(1, -1)), int(np.prod(shape)))
    with pytest.raises(NoCredit) as refused:
        compile_credit(b.ending_in("logits", 17), {}, SHAPE)
    assert str(refused.value).startswith(f"no rule for {why}")


def test_a_picture_that_only_gates_read_has_no_credit():
    b = Made(0)
    gate = b.add("Sigmoid", b.add("GlobalAveragePool", b.maps()))
    b.told(b.add("Mul", b.constant(np.zeros((1, 4, 1, 1), np.float32)), gate), 4)
    parts, _ = walked(b.ending_in("logits", 17), picture(0), np.eye(CLASSES, dtype=np.float32))
    assert not parts["gains/image"].any()
