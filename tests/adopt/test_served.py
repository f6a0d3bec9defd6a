"""Adopted networks beside those of ours, called as any client calls them."""

import io
import json
import shutil
from contextlib import suppress

import numpy as np
import orjson
import pytest
from PIL import Image

from service.adopt.adoption import make_model
from service.adopt.asked import AdoptionOptions
from service.api.v1 import models as models_route
from service.app import create_app
from service.batch.digits import open_network
from service.core.inputs import brought_to
from service.lab import prices
from service.lab.verdicts import describe_verdicts
from service.network.files import BadModel
from service.network.sessions import Library, Network
from service.settings import SHIPPED_MODELS, Limits, Settings
from tests.adopt import traits
from tests.adopt.traits import SIDE
from tests.api.contract import REFUSED_BY_ADOPTED, SCHEMAS, check, check_answer

LABELS = ("round", "square", "long", "odd")
NETWORKS = {
    "nets": (traits.squeeze_and_excite, {"labels": LABELS}),
    "digitlike": (traits.plain, {"prepare": "digit"}),
    "colour": (traits.colour, {}),
    "dense": (traits.no_maps, {}),
}


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    folder = tmp_path_factory.mktemp("models")
    (folder / "tiny").symlink_to(SHIPPED_MODELS / "tiny")
    for name, (make, more) in NETWORKS.items():
        place = folder / name / "1"
        place.mkdir(parents=True)
        file = folder / f"{name}.onnx"
        file.write_bytes(make().SerializeToString())
        make_model(AdoptionOptions(model=str(file), folder=str(place), name=name, version="1", **more))
    return folder


@pytest.fixture(scope="module")
def client(models):
    return create_app(Settings(models=str(models), default_model="tiny")).test_client()


@pytest.fixture(scope="module")
def picture():
    random = np.random.default_rng(3)
    return random.integers(0, 256, (40, 50, 3)).astype(np.uint8)


def png(pixels):
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG")
    return file.getvalue()


def test_a_verdict_has_the_label_and_the_class_and_nothing_that_is_not_known(client, models, picture):
    (result,) = client.post("/v1/classify?model=nets", data=png(picture)).json["results"]
    verdicts = Network(models / "nets" / "1").classify(brought_to(picture, (1, SIDE, SIDE))[None])
    assert sorted(result) == ["class", "confidence", "label", "logits", "prepared", "probabilities"]
    assert result["class"] == verdicts.digits[0]
    assert result["label"] == LABELS[result["class"]]
    np.testing.assert_allclose(result["probabilities"], verdicts.probabilities[0], rtol=1e-6)
    assert result["prepared"] is None
    arrays = np.load(io.BytesIO(client.post("/v1/classify?model=nets&format=npz", data=png(picture)).data))
    assert sorted(arrays) == ["classes", "logits", "probabilities"]
    assert arrays["classes"].tolist() == [result["class"]]


def test_a_network_that_reads_digits_is_given_the_digit_that_is_found(client, models):
    three = (SHIPPED_MODELS.parent / "tests" / "three.png").read_bytes()
    (result,) = client.post("/v1/classify?model=digitlike", data=three).json["results"]
    assert result["prepared"]["box"]
    assert client.post("/v1/classify?model=nets", data=three).json["results"][0]["prepared"] is None


def test_its_maps_are_shown_and_are_those_of_the_protocol(client, picture):
    (result,) = client.post("/v1/feature-maps?model=nets&layers=mul2,concat1", data=png(picture)).json["results"]
    assert [(layer["name"], layer["op"], layer["shape"]) for layer in result["layers"]] == [
        ("mul2", "mul", [6, 13, 13]),
        ("concat1", "concat", [10, 13, 13]),
    ]
    image = brought_to(picture, (1, SIDE, SIDE))[None]
    answer = client.post(
        "/v2/models/nets/infer",
        json={
            "inputs": [{"name": "image", "datatype": "FP32", "shape": list(image.shape), "data": image.tolist()}],
            "outputs": [{"name": "concat1"}, {"name": "probabilities", "parameters": {"classification": 1}}],
        },
    ).json["outputs"]
    maps = np.array([each["map"] for each in result["layers"][1]["filters"]])
    np.testing.assert_allclose(np.array(answer[0]["data"]).reshape(maps.shape), maps, atol=1e-6)
    assert answer[1]["data"][0].rpartition(":")[2] in LABELS
    sheet = client.post("/v1/feature-maps?model=nets&format=png", data=png(picture))
    assert sheet.mimetype == "image/png"


def test_a_network_of_another_size_is_listed_and_waits_and_the_protocol_runs_it(client, models, picture):
    listed = {each["name"]: each for each in client.get("/v1/models").json["models"]}
    assert "kind" not in listed["tiny"]
    assert listed["nets"]["waits"] is None
    assert listed["colour"]["input"] == [3, 32, 20]
    for path in ("/v1/classify", "/v1/feature-maps"):
        answer = client.post(f"{path}?model=colour", data=png(picture))
        assert answer.status_code == 409
        assert answer.json["detail"] == listed["colour"]["waits"]
        assert "POST /v2/models/colour/infer takes its numbers" in answer.json["detail"]
    image = brought_to(picture, (3, 32, 20))[None]
    tensor = {"name": "image", "datatype": "FP32", "shape": [1, 3, 32, 20], "data": image.ravel().tolist()}
    answer = client.post("/v2/models/colour/infer", json={"inputs": [tensor]}).json
    wanted = Network(models / "colour" / "1").classify(image)
    np.testing.assert_allclose(answer["outputs"][1]["data"], wanted.logits[0], rtol=1e-6)
    tensor = {"name": "image", "datatype": "BYTES", "shape": [1], "data": ["iVBORw0KGgo="]}
    refused = client.post("/v2/models/colour/infer", json={"inputs": [tensor]})
    assert (refused.status_code, "so far" in refused.json["error"]) == (400, True)


@pytest.mark.parametrize(
    ("path", "words"),
    [
        *((f"/v1/explain?model=nets&method={method}", "not explained yet") for method in ("ledger", "rise", "cell")),
        ('/v1/what-if?model=nets&changes=[{"layer":"conv1","filter":0,"action":"off"}]', "not edited yet"),
        ('/v1/feature-maps?model=nets&changes=[{"layer":"conv1","filter":0,"action":"off"}]', "not edited yet"),
        ("/v1/feature-maps?model=dense", "no layer of it has maps"),
    ],
)
def test_what_an_adopted_network_does_not_answer_is_409_with_the_reason(client, picture, path, words):
    answer = client.post(path, data=png(picture))
    assert answer.status_code == 409
    assert words in answer.json["detail"]


@pytest.mark.parametrize("path", REFUSED_BY_ADOPTED)
def test_each_refusal_keeps_the_contract(client, picture, path):
    query = REFUSED_BY_ADOPTED[path]
    method = "get" if "models/" in path else "post"
    answer = client.open(query, method=method, data=png(picture) if method == "post" else None)
    assert answer.status_code == 409
    check_answer(answer, path, method)


def test_what_is_described_is_what_is_answered(client, picture):
    described = client.get("/v1/models/nets").json
    assert {layer["name"]: layer["reads"] for layer in described["layers"]}["concat1"] == ["mul2", "conv3"]
    assert described["calls"]["POST /v1/classify"] == ""
    assert client.get("/v1/models/nets/report").status_code == 409
    first = client.get("/v1/models/nets/layers/conv1/filters").json
    assert np.shape(first["filters"][0]["weights"]) == (3, 3)
    grouped = client.get("/v1/models/nets/layers/conv2/filters")
    assert (grouped.status_code, "grouped" in grouped.json["detail"]) == (409, True)


def test_the_answers_are_those_of_the_contract(client, picture):
    check(client.post("/v1/classify?model=nets", data=png(picture)).json, SCHEMAS["AdoptedClassifications"])
    for path, query in (("/v1/feature-maps", ""), ("/v1/explain", "")):
        check_answer(client.post(f"{path}?model=nets{query}", data=png(picture)), path, "post")
    for path in ("/v1/models", "/v1/models/{name}", "/v2/models/{name}", "/v2/models/{name}/config"):
        for name in NETWORKS:
            check_answer(client.get(path.replace("{name}", name)), path, "get")


def test_commands_that_read_digits_refuse_an_adopted_network(models):
    with pytest.raises(BadModel, match="it is adopted"):
        open_network(models, "nets")


ODD = (
    None,
    True,
    -1,
    0,
    1,
    3,
    10**9,
    2**70,
    0.5,
    "",
    "conv1",
    "image",
    "x" * 5000,
    [],
    [1],
    [0, 0, 0],
    [1, 28],
    {},
    {"a": 1},
)


def places_of(value, place=()):
    """The place of every member of a JSON document."""
    yield place
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, item in items:
        yield from places_of(item, (*place, key))


def changed_at(value, place, odd):
    if not place:
        return odd
    copy = dict(value) if isinstance(value, dict) else list(value)
    copy[place[0]] = changed_at(value[place[0]], place[1:], odd)
    return copy


def test_a_passport_that_contradicts_itself_or_its_files_is_named_and_never_breaks_a_start(models, tmp_path, proof):
    folder = tmp_path / "nets" / "1"
    shutil.copytree(models / "nets" / "1", folder)
    passport = json.loads((folder / "passport.json").read_text())
    places = sorted(places_of(passport), key=str)
    random = np.random.default_rng(2)
    problems = []
    for index in range(3000 if proof else 150):
        changed = passport
        for _ in range(1 + index % 3):
            place, odd = places[int(random.integers(len(places)))], ODD[int(random.integers(len(ODD)))]
            with suppress(LookupError, TypeError):  # another change took that place away
                changed = changed_at(changed, place, odd)
        (folder / "passport.json").write_text(json.dumps(changed))
        try:
            network = Network(folder)
        except BadModel as problem:
            problems.append(str(problem))
        else:
            # What is read must be usable: priced, run and described.
            with prices.opened(prices.Account(Limits())):
                prices.charge_verdicts(network, 1, with_image=False)
            assert describe_verdicts(network.classify(network.passport.input.blank()), network, [None])
            described = [models_route._describe(network), models_route._summary(network, Library([network], "nets"))]
            assert orjson.dumps(described)
    assert len(problems) > 40
    assert not [problem for problem in problems if "\n" in problem]


@pytest.mark.parametrize(
    "members",
    [
        {"in_shape": [10**9, 10**9, 10**9]},
        {"kernel": [10**9, 10**9]},
        {"stride": [4096, 4096]},
        {"dilation": [2**40, 1]},
        {"pads": [2**62, 0, 0, 0]},
    ],
)
def test_a_layer_without_measure_is_refused_or_described(models, tmp_path, members):
    folder = tmp_path / "nets" / "1"
    shutil.copytree(models / "nets" / "1", folder)
    passport = json.loads((folder / "passport.json").read_text())
    passport["layers"] = [layer | members if layer["op"] != "linear" else layer for layer in passport["layers"]]
    (folder / "passport.json").write_text(json.dumps(passport))
    with suppress(BadModel):
        assert orjson.dumps(models_route._describe(Network(folder)))
