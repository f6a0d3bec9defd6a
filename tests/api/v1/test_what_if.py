"""POST /v1/what-if, and `changes` elsewhere, against the ONNX file with its weights edited."""

import io
import json

import numpy as np
import pytest

from service.app import create_app
from service.lab import options
from service.lab.explain import options as explain_options
from service.settings import SHIPPED_MODELS, Settings
from tests.api.contract import DOCUMENT, OPERATIONS, check_answer, parameters_of
from tests.drawing import draw, encode, npy
from tests.networks import STRUCTURES, library_of

onnx = pytest.importorskip("onnx")

SHIPPED = sorted(path.parent for path in SHIPPED_MODELS.glob("*/*/passport.json"))


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    return tmp_path_factory.mktemp("models")


@pytest.fixture(scope="module")
def networks(models):
    return library_of(models)


@pytest.fixture(scope="module")
def laboratory(networks):
    return create_app(Settings(), networks).test_client()


@pytest.fixture(scope="module")
def images():
    return np.random.default_rng(0).random((4, 28, 28), np.float32)


def what_if(client, images, changes, **options):
    query = {"prepare": "none", "changes": json.dumps(changes)} | options
    answer = client.post("/v1/what-if", query_string=query, data=npy(images))
    assert answer.status_code == 200, answer.text
    return answer.json["results"]


def edited_file(path, edits):
    """A session on the model with some initialisers replaced."""
    import onnxruntime

    model = onnx.load(path)
    for tensor in model.graph.initializer:
        if tensor.name in edits:
            tensor.CopyFrom(onnx.numpy_helper.from_array(edits[tensor.name].astype(np.float32), tensor.name))
    return onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])


def random_changes(network, random):
    """A change of each kind, in random layers, and the weights that the file would then have."""
    changes, edits = [], {}
    for action in ("off", "scale", "replace"):
        layer = network.passport.convolutions[int(random.integers(len(network.passport.convolutions)))]
        names = [f"{layer.name}.{part}" for part in ("weight", "bias")]
        weights, biases = (edits.setdefault(name, network.weights[name].copy()) for name in names)
        k = int(random.integers(len(weights)))
        change = {"layer": layer.name, "filter": k, "action": action}
        if action == "replace":
            given = random.normal(size=weights.shape[1:]).astype(np.float32)
            change |= {"weights": (given[0] if len(given) == 1 else given).tolist(), "bias": 0.25}
            weights[k], biases[k] = given, 0.25
        else:
            factor = 0.0 if action == "off" else -1.5
            change |= {"factor": factor} if action == "scale" else {}
            weights[k], biases[k] = weights[k] * factor, biases[k] * factor
        changes.append(change)
    return changes, edits


@pytest.mark.parametrize("name", STRUCTURES)
def test_the_new_verdict_is_that_of_the_edited_file(models, networks, laboratory, images, name):
    network = networks.get(name)
    folder = next(models.glob(f"*/{name}/1"))
    changes, edits = random_changes(network, np.random.default_rng(len(name)))
    expected = edited_file(folder / "model.onnx", edits).run(["probabilities", "logits"], {"image": images[:, None]})
    for index, result in enumerate(what_if(laboratory, images, changes, model=name)):
        np.testing.assert_allclose(result["after"]["probabilities"], expected[0][index], atol=1e-6)
        np.testing.assert_allclose(result["after"]["logits"], expected[1][index], atol=1e-4)
        assert result["after"]["digit"] == expected[1][index].argmax()
        difference = np.subtract(result["after"]["logits"], result["before"]["logits"])
        np.testing.assert_allclose(result["difference"], difference, atol=1e-5)


@pytest.mark.parametrize("folder", SHIPPED, ids=lambda folder: f"{folder.parent.name}/{folder.name}")
def test_over_the_test_digits_the_verdict_is_that_of_the_edited_file(app, client, folder, proof, mnist_test):
    from service.network.sessions import Network

    part = mnist_test
    images = part.as_network_input() if proof else part.as_network_input()[::200]
    changes, edits = random_changes(Network(folder), np.random.default_rng(8))
    session, different = edited_file(folder / "model.onnx", edits), 0
    for start in range(0, len(images), 100):
        batch = images[start : start + 100]
        expected = session.run(["logits"], {"image": batch})[0]
        found = what_if(client, batch[:, 0], changes, model=folder.parent.name, version=folder.name)
        np.testing.assert_allclose([result["after"]["logits"] for result in found], expected, atol=1e-4)
        different += sum(result["after"]["logits"] != result["before"]["logits"] for result in found)
    assert different == len(images)


def test_without_changes_nothing_changes(laboratory, images):
    for result in what_if(laboratory, images, []):
        assert result["before"] == result["after"]
        assert result["difference"] == [0] * 10


@pytest.mark.parametrize("name", STRUCTURES)
def test_a_filter_switched_off_answers_nothing_anywhere(networks, laboratory, images, name):
    for layer in networks.get(name).passport.convolutions:
        changes = json.dumps([{"layer": layer.name, "filter": 1, "action": "off"}])
        query = {"prepare": "none", "model": name, "changes": changes, "format": "npz", "layers": layer.name}
        maps = np.load(io.BytesIO(laboratory.post("/v1/feature-maps", query_string=query, data=npy(images)).data))
        act = maps[f"{layer.name}.act"]
        assert (act[:, 1] == 0).all()
        assert (act[:, 0] != 0).any()


def test_replacing_a_filter_keeps_its_bias_unless_another_is_given(networks, laboratory, images):
    bias = float(networks.get().weights["conv1.bias"][0])
    for given, expected in (({}, bias), ({"bias": 2.0}, 2.0)):
        change = {"layer": "conv1", "filter": 0, "action": "replace", "weights": np.zeros((7, 7)).tolist()} | given
        query = {"prepare": "none", "changes": json.dumps([change]), "layers": "conv1.pre"}
        answer = laboratory.post("/v1/feature-maps", query_string=query, data=npy(images[0])).json
        chosen = answer["results"][0]["layers"][0]["filters"][0]
        assert (chosen["min"], chosen["max"]) == pytest.approx((expected, expected))


def test_changes_of_one_filter_apply_in_order_and_the_trained_network_stays_as_it_was(laboratory, images):
    scale = {"layer": "conv1", "filter": 2, "action": "scale", "factor": 3}
    undo = scale | {"factor": 1 / 3}
    (original,) = what_if(laboratory, images[:1], [])
    (there_and_back,) = what_if(laboratory, images[:1], [scale, undo])
    np.testing.assert_allclose(there_and_back["after"]["logits"], original["before"]["logits"], atol=1e-5)
    (changed,) = what_if(laboratory, images[:1], [scale])
    assert changed["after"]["logits"] != original["before"]["logits"]
    assert what_if(laboratory, images[:1], [])[0] == original


def test_an_explanation_of_the_edited_network_explains_its_own_logits(laboratory, images):
    changes = [{"layer": "conv1", "filter": 1, "action": "scale", "factor": 2}]
    after = what_if(laboratory, images[:1], changes)[0]["after"]
    for method in ("ledger", "pixels", "occlusion", "cam", "deciding-set"):
        query = {"prepare": "none", "method": method, "changes": json.dumps(changes)}
        result = laboratory.post("/v1/explain", query_string=query, data=npy(images[0])).json["results"][0]
        np.testing.assert_allclose(result["logits"], after["logits"], atol=1e-5)
        assert result.get("residual", 0) == pytest.approx(0, abs=1e-4)
        assert result["changes"] == [{"layer": "conv1", "filter": 1, "action": "scale", "factor": 2}]


@pytest.mark.parametrize(
    ("change", "status", "says"),
    [
        ({"layer": "conv9", "filter": 0, "action": "off"}, 404, "conv1"),
        ({"layer": "pool1", "filter": 0, "action": "off"}, 404, "no filters; these have: conv1"),
        ({"layer": "conv1", "filter": 99, "action": "off"}, 404, "0 to 4"),
        ({"layer": "conv1", "filter": -1, "action": "off"}, 422, ">= 0"),
        ({"layer": "conv1", "filter": 0, "action": "turn"}, 422, "off, scale, replace"),
        ({"layer": "conv1", "filter": 0, "action": "off", "factor": 2}, 422, "takes no factor"),
        ({"layer": "conv1", "filter": 0, "action": "scale"}, 422, "must have factor"),
        ({"layer": "conv1", "filter": 0, "action": "replace"}, 422, "must have weights"),
        ({"layer": "conv1", "filter": 0, "action": "replace", "weights": [[1, 2], [3, 4]]}, 422, "7 x 7"),
        ({"layer": "conv1", "filter": 0, "action": "replace", "weights": [[1], [3, 4]]}, 422, "kernel"),
        ({"layer": "conv1", "filter": 0, "action": "scale", "factor": 1e39}, 422, "factor"),
        ({"layer": "conv1", "filter": 0, "action": "off", "colour": "red"}, 422, "colour"),
        ({"filter": 0, "action": "off"}, 422, "layer is missing"),
    ],
)
def test_a_change_that_cannot_be_made_is_refused_and_pointed_at(laboratory, change, status, says):
    body = {"image": draw(4, 28).tolist(), "changes": [change]}
    for path in ("/v1/what-if", "/v1/feature-maps", "/v1/explain"):
        answer = laboratory.post(path, json=body)
        assert answer.status_code == status, answer.text
        assert says in answer.json["detail"]
        assert answer.json["errors"][0]["pointer"].startswith("/changes/0")


def test_changes_that_make_the_network_overflow_are_refused_not_answered_with_nothing(client):
    changes = [{"layer": f"conv{n}", "filter": 0, "action": "scale", "factor": 1e30} for n in (1, 2)]
    for path in ("/v1/what-if", "/v1/feature-maps", "/v1/explain"):
        answer = client.post(path, query_string={"changes": json.dumps(changes)}, data=encode(draw(4)))
        assert answer.status_code in {200, 422}
        assert "null" not in answer.text
        if answer.status_code == 422:
            assert "32-bit" in answer.json["detail"]


def test_a_list_of_too_many_changes_is_refused(laboratory):
    body = {"image": draw(4, 28).tolist(), "changes": [{"layer": "conv1", "filter": 0, "action": "off"}] * 2000}
    answer = laboratory.post("/v1/what-if", json=body)
    assert answer.status_code == 422
    assert "at most 1024" in answer.json["detail"]


METHODS = DOCUMENT["components"]["schemas"]["Method"]["enum"]
OF_A_CELL = {"cell": {"layer": "conv1", "filter": 1, "row": 3, "col": 4}}
TAKES_CHANGES = [path for path, method in OPERATIONS if "changes" in parameters_of(path, method, "query")]


@pytest.mark.parametrize(
    ("path", "method"), [(path, None) for path in TAKES_CHANGES] + [("/v1/explain", method) for method in METHODS]
)
def test_every_call_that_takes_changes_repeats_them(client, path, method):
    changes = [
        {"layer": "conv1", "filter": 0, "action": "off"},
        {"layer": "conv2", "filter": 2, "action": "scale", "factor": 0.5},
    ]
    body = {"images": [draw(7, 28).tolist(), draw(3, 28).tolist()], "changes": changes}
    body |= {} if method is None else {"method": method} | OF_A_CELL.get(method, {})
    answer = client.post(path, json=body)
    assert answer.status_code == 200, answer.json
    assert [result["changes"] for result in answer.json["results"]] == [changes] * 2
    check_answer(answer, path, "post")
    if path != "/v1/what-if":
        unchanged = client.post(path, json=body | {"changes": []})
        assert all("changes" not in result for result in unchanged.json["results"])


def test_the_calls_that_take_changes_are_those_whose_options_do():
    assert {"/v1/feature-maps", "/v1/explain", "/v1/what-if"} <= set(TAKES_CHANGES)
    known = vars(options) | {"ExplainOptions": explain_options.ExplainOptions}
    declared = {name for name, kind in known.items() if "changes" in getattr(kind, "__struct_fields__", ())}
    assert len(declared) == len(TAKES_CHANGES)
