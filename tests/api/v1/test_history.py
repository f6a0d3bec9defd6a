"""GET /v1/models/{m}/history, and `step` elsewhere, against the ONNX file with the weights of that step."""

import io

import numpy as np
import pytest

from service.api.v1 import classify, feature_maps
from service.app import create_app
from service.lab import prices
from service.network.files import BadModel
from service.network.sessions import Library, Network
from service.settings import Settings
from tests.api.v1.test_what_if import edited_file
from tests.drawing import npy
from tests.networks import STRUCTURES, random_weights, write_model
from training.networks.snapshots import Snapshot, as_arrays

STEPS = 4


def kept_steps(structure, finished):
    """Random steps of a training that ended in the finished weights, all of which 16 bits hold."""
    every = [random_weights(structure, seed) for seed in range(1, STEPS)]
    every = [{name: array.astype(np.float16).astype(np.float32) for name, array in one.items()} for one in every]
    return [
        Snapshot(1000 * number, 2.5 / (number + 1), 0.2 * number, weights)
        for number, weights in enumerate([*every, finished])
    ]


def write_history(place, snapshots, **others):
    arrays = as_arrays(snapshots) | {"part": np.array("validation"), "count": np.array(500)}
    arrays["sha256"] = np.array(Network(place).sha256)
    np.savez(place / "history.npz", **(arrays | others))


@pytest.fixture(scope="module", params=["deep", "means"])
def watched(request, tmp_path_factory):
    """A model folder with the steps of its training, and one without."""
    models, structure = tmp_path_factory.mktemp("models"), STRUCTURES[request.param]
    finished = {
        name: array.astype(np.float16).astype(np.float32) for name, array in random_weights(structure, 9).items()
    }
    place = write_model(models, "watched", structure, finished)
    snapshots = kept_steps(structure, finished)
    write_history(place, snapshots)
    other = write_model(models, "other", structure, random_weights(structure, 3))
    library = Library([Network(place), Network(other)], "other")
    return create_app(Settings(), library).test_client(), place, snapshots


IMAGES = np.random.default_rng(0).random((3, 28, 28), np.float32)


def post(client, path, **options):
    answer = client.post(path, query_string={"prepare": "none", "model": "watched"} | options, data=npy(IMAGES))
    assert answer.status_code == 200, answer.text
    return answer


def test_the_steps_are_told_in_order(watched):
    client, place, snapshots = watched
    told = client.get("/v1/models/watched/history").json
    assert (told["model"], told["part"], told["count"]) == ("watched", "validation", 500)
    assert told["sha256"] == Network(place).sha256
    assert told["steps"] == [
        {"step": number, "images": one.images, "loss": one.loss, "accuracy": one.accuracy}
        for number, one in enumerate(snapshots)
    ]


@pytest.mark.parametrize("step", range(STEPS))
def test_a_step_answers_what_its_weights_answer(watched, step):
    client, place, snapshots = watched
    file = edited_file(place / "analysis.onnx", snapshots[step].weights)
    names = ["probabilities", "logits", "conv1.act"]
    probabilities, logits, maps = file.run(names, {"image": IMAGES[:, None]})
    answer = post(client, "/v1/classify", step=step).json
    assert answer["step"] == step
    for one, mine, scores in zip(answer["results"], probabilities, logits, strict=True):
        np.testing.assert_allclose(one["probabilities"], mine, atol=1e-6)
        np.testing.assert_allclose(one["logits"], scores, rtol=1e-4, atol=1e-4)
        assert one["digit"] == scores.argmax()
    with np.load(io.BytesIO(post(client, "/v1/feature-maps", step=step, layers="conv1", format="npz").data)) as arrays:
        np.testing.assert_allclose(arrays["conv1.act"], maps, rtol=1e-4, atol=1e-4)
        np.testing.assert_allclose(arrays["logits"], logits, rtol=1e-4, atol=1e-4)
    told = post(client, "/v1/feature-maps", step=step, layers="conv1").json
    assert told["step"] == step


@pytest.mark.parametrize("step", range(STEPS))
def test_the_filters_of_a_step_are_its_weights(watched, step):
    client, _, snapshots = watched
    url = f"/v1/models/watched/layers/conv1/filters?step={step}&format=npz"
    with np.load(io.BytesIO(client.get(url).data)) as arrays:
        for name, array in arrays.items():
            np.testing.assert_array_equal(array, snapshots[step].weights[name])
    one = client.get(f"/v1/models/watched/layers/conv1/filters/1?step={step}").json
    assert one["step"] == step
    np.testing.assert_allclose(one["filters"][0]["weights"], snapshots[step].weights["conv1.weight"][1, 0])
    assert client.get(f"/v1/models/watched/layers/conv1/filters?step={step}&format=png").mimetype == "image/png"


def test_the_last_step_is_the_network_itself(watched):
    client, _, _ = watched
    finished = post(client, "/v1/classify").json
    last = post(client, "/v1/classify", step=STEPS - 1).json
    assert "step" not in finished
    for one, other in zip(finished["results"], last["results"], strict=True):
        np.testing.assert_allclose(one["logits"], other["logits"], rtol=1e-4, atol=1e-4)


def test_changes_are_made_to_the_filters_of_the_step(watched):
    client, place, snapshots = watched
    edits = {name: array.copy() for name, array in snapshots[1].weights.items()}
    edits["conv1.weight"][2] *= -0.5
    edits["conv1.bias"][2] *= -0.5
    (expected,) = edited_file(place / "analysis.onnx", edits).run(["logits"], {"image": IMAGES[:, None]})
    change = '[{"layer":"conv1","filter":2,"action":"scale","factor":-0.5}]'
    answer = post(client, "/v1/feature-maps", step=1, changes=change, layers="conv1").json
    np.testing.assert_allclose([one["logits"] for one in answer["results"]], expected, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("path", ["/v1/classify", "/v1/feature-maps", "/v1/models/watched/layers/conv1/filters"])
def test_a_step_that_there_is_not_is_refused(watched, path):
    client, _, _ = watched
    method = "GET" if path.endswith("filters") else "POST"
    model = "" if path.endswith("filters") else "&model=watched"
    for step, said in ((STEPS, f"step is 0 to {STEPS - 1}, got {STEPS}"), (-1, "-1"), ("late", "step")):
        answer = client.open(f"{path}?step={step}{model}", method=method, data=npy(IMAGES) if model else None)
        assert answer.status_code == 422
        assert said in answer.json["detail"]
        assert answer.json["errors"][0]["pointer"] == "/step"


def test_a_model_whose_training_was_not_kept_says_which_was(watched):
    client, _, _ = watched
    for answer in (
        client.get("/v1/models/other/history"),
        client.post("/v1/classify?model=other&step=0", data=npy(IMAGES)),
        client.get("/v1/models/other/layers/conv1/filters?step=0"),
    ):
        assert answer.status_code == 404
        assert answer.json["detail"] == "the training of other/1 was not kept; these have: watched/1"


def test_steps_are_no_versions(watched):
    client, _, _ = watched
    assert [model["version"] for model in client.get("/v1/models").json["models"]] == ["1", "1"]
    assert client.get("/v2/models/watched").json["versions"] == ["1"]
    assert client.post("/v1/classify?model=watched&version=0", data=npy(IMAGES)).status_code == 404


def test_what_an_unfinished_network_says_is_not_counted_as_the_models(watched, monkeypatch):
    client, _, _ = watched
    noted = []
    for module in (classify, feature_maps):
        monkeypatch.setattr(module, "note_verdicts", lambda name, *_: noted.append(name))
    for path in ("/v1/classify", "/v1/feature-maps"):
        post(client, path, step=0)
    assert noted == []
    for path in ("/v1/classify", "/v1/feature-maps"):
        post(client, path)
    assert noted == ["watched", "watched"]


def test_a_step_costs_a_run_with_maps_and_its_weights(watched, monkeypatch):
    client, _, _ = watched
    charged = []
    monkeypatch.setattr(prices.Account, "charge", lambda _, *asked: charged.append(asked))
    post(client, "/v1/classify")
    plain = sum(asked[1] for asked in charged)
    charged.clear()
    post(client, "/v1/classify", step=2)
    assert "change" in [asked[0] for asked in charged]
    assert sum(asked[1] for asked in charged) > plain


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"loss": np.zeros(3)}, "loss must be 4 finite numbers"),
        ({"loss": np.full(4, np.nan)}, "loss must be 4 finite numbers"),
        ({"conv1.bias": np.zeros((4, 1), np.float16)}, "conv1.bias must be 4 finite arrays"),
        ({"extra": np.zeros(4, np.float16)}, "it must have the weights"),
        ({"images": np.zeros(1)}, "2 to 100 steps are wanted, these are 1"),
        ({"images": np.array([None] * 4)}, "allow_pickle"),
    ],
)
def test_a_history_that_is_none_of_the_model_is_named_at_the_start(tmp_path, wrong, said):
    structure = STRUCTURES["lecture"]
    finished = {
        name: array.astype(np.float16).astype(np.float32) for name, array in random_weights(structure, 9).items()
    }
    place = write_model(tmp_path, "watched", structure, finished)
    write_history(place, kept_steps(structure, finished), **wrong)
    with pytest.raises(BadModel, match=rf"history\.npz: .*{said}"):
        Network(place)


def test_a_history_that_ends_elsewhere_is_refused_and_one_of_another_file_is_passed_over(tmp_path):
    structure = STRUCTURES["lecture"]
    finished = {
        name: array.astype(np.float16).astype(np.float32) for name, array in random_weights(structure, 9).items()
    }
    place = write_model(tmp_path, "watched", structure, finished)
    write_history(place, kept_steps(structure, finished)[:-1])
    with pytest.raises(BadModel, match="of its last step must be that of the model"):
        Network(place)
    (place / "history.npz").write_bytes(b"PK\x03\x04 and no more")
    with pytest.raises(BadModel, match=r"history\.npz"):
        Network(place)
    (place / "history.npz").unlink()
    write_history(place, kept_steps(structure, finished), sha256=np.array("0" * 64))
    assert Network(place).history is None
