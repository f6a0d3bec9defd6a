"""Adopted networks beside those of ours, called as any client calls them."""

import base64
import hashlib
import io
import json
import shutil
from contextlib import suppress

import numpy as np
import onnx
import orjson
import pytest
from click.testing import CliRunner
from onnx import numpy_helper
from PIL import Image

from service.adopt.adoption import make_model
from service.adopt.asked import AdoptionOptions
from service.api.v1 import models as models_route
from service.app import create_app
from service.batch.digits import classify_files, open_network, open_reader
from service.commands.classify import classify
from service.core.inputs import Fitting, fitted
from service.lab import prices
from service.lab.verdicts import describe_verdicts
from service.network.files import BadModel
from service.network.folders import read_folders
from service.network.sessions import Library, Network
from service.settings import SHIPPED_MODELS, Limits, Settings
from tests.adopt import traits
from tests.adopt.test_adoption import reference
from tests.adopt.traits import SIDE
from tests.api.contract import REFUSED_BY_ADOPTED, SCHEMAS, check, check_adopted, check_answer

LABELS = ("round", "square", "long", "odd")
NETWORKS = {
    "nets": (traits.squeeze_and_excite, {"labels": LABELS}),
    "digitlike": (traits.plain, {"prepare": "digit"}),
    "colour": (traits.colour, {}),
    "many": (traits.many_classes, {"labels": tuple(f"kind {index}" for index in range(traits.MANY))}),
    "dense": (traits.no_maps, {}),
    "signed": (lambda: traits.plain(is_signed=True), {}),
    "large": (traits.large, {}),
    "nhwc": (traits.nhwc, {}),
    "residual": (traits.residual, {}),
    "made": (traits.made_filters, {}),
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


def npy(array):
    file = io.BytesIO()
    np.save(file, array)
    return file.getvalue()


def test_a_verdict_has_the_label_and_the_class_and_nothing_that_is_not_known(client, models, picture):
    (result,) = client.post("/v1/classify?model=nets", data=png(picture)).json["results"]
    found = fitted(picture, (1, SIDE, SIDE))
    verdicts = Network(models / "nets" / "1").classify(found.image[None])
    assert sorted(result) == ["class", "confidence", "label", "logits", "prepared", "probabilities", "top"]
    assert result["class"] == verdicts.classes[0]
    assert result["label"] == LABELS[result["class"]]
    np.testing.assert_allclose(result["probabilities"], verdicts.probabilities[0], rtol=1e-6)
    order = np.argsort(-verdicts.probabilities[0])
    assert [each["class"] for each in result["top"]] == order.tolist()
    assert [each["label"] for each in result["top"]] == [LABELS[index] for index in order]
    assert result["prepared"] == {"fit": "stretch", "box": [0, 0, 50, 40], "matrix": found.matrix.tolist()}
    arrays = np.load(io.BytesIO(client.post("/v1/classify?model=nets&format=npz", data=png(picture)).data))
    assert sorted(arrays) == ["classes", "logits", "probabilities"]
    assert arrays["classes"].tolist() == [result["class"]]


def test_of_many_classes_the_five_most_probable_are_named_and_the_numbers_come_where_asked(client, models, picture):
    (result,) = client.post("/v1/classify?model=many", data=png(picture)).json["results"]
    verdicts = Network(models / "many" / "1").classify(fitted(picture, (3, 24, 36)).image[None])
    best = np.argsort(-verdicts.probabilities[0])[:5].tolist()
    assert sorted(result) == ["class", "confidence", "label", "prepared", "top"]
    assert [(each["class"], each["label"]) for each in result["top"]] == [(index, f"kind {index}") for index in best]
    assert result["class"] == best[0]
    (full,) = client.post("/v1/classify?model=many&full=true", data=png(picture)).json["results"]
    np.testing.assert_allclose(full["logits"], verdicts.logits[0], rtol=1e-6)
    arrays = np.load(io.BytesIO(client.post("/v1/classify?model=many&format=npz", data=png(picture)).data))
    assert arrays["probabilities"].shape == (1, traits.MANY)


@pytest.mark.parametrize("fit", ["stretch", "crop", "letterbox"])
def test_the_passport_says_how_a_picture_of_another_size_and_colour_is_brought_to_the_network(
    models, picture, tmp_path, fit
):
    folder = tmp_path / "colour" / "1"
    shutil.copytree(models / "colour" / "1", folder)
    passport = json.loads((folder / "passport.json").read_text())
    asked = {"fit": fit, "filter": "bicubic", "fill": 0.5} | ({"short_side": 40} if fit == "crop" else {})
    passport["input"] |= asked
    (folder / "passport.json").write_text(json.dumps(passport))
    client = create_app(Settings(models=str(tmp_path), default_model="colour")).test_client()
    found = fitted(picture, (3, 32, 20), Fitting(fit, "bicubic", asked.get("short_side"), 0.5))
    wanted = Network(folder).classify(found.image[None])
    answer = client.post("/v1/classify?prepared_image=true", data=png(picture))
    (result,) = answer.json["results"]
    np.testing.assert_allclose(result["logits"], wanted.logits[0], rtol=1e-5)
    told = result["prepared"]
    assert (told["fit"], told["box"]) == (fit, list(found.box))
    np.testing.assert_allclose(told["matrix"], found.matrix)
    seen = np.asarray(Image.open(io.BytesIO(base64.b64decode(told["image"].partition(",")[2]))))
    np.testing.assert_array_equal(seen, np.rint(found.image.transpose(1, 2, 0) * 255))
    check_adopted(answer, "/v1/classify")
    # What the network was given, posted as it is, is answered the same: as a picture and as an array.
    for body in (found.image.transpose(1, 2, 0), found.image.transpose(1, 2, 0)[None]):
        answer = client.post("/v1/classify?prepare=none", data=npy(body), content_type="application/x-npy")
        np.testing.assert_allclose(answer.json["results"][0]["logits"], wanted.logits[0], rtol=1e-5)
        assert answer.json["results"][0]["prepared"] is None


def test_grey_is_all_three_channels_of_a_network_in_colour_and_colour_is_one_of_a_grey_one(client, models, picture):
    grey = np.asarray(Image.fromarray(picture).convert("L"))
    for name, posted, shape in (("colour", grey, (3, 32, 20)), ("nets", picture, (1, SIDE, SIDE))):
        (result,) = client.post(f"/v1/classify?model={name}", data=png(posted)).json["results"]
        wanted = Network(models / name / "1").classify(fitted(posted, shape).image[None])
        np.testing.assert_allclose(result["logits"], wanted.logits[0], rtol=1e-5)


def test_prepare_none_takes_the_size_of_the_network_alone(client, picture):
    answer = client.post("/v1/classify?model=colour&prepare=none", data=png(picture))
    assert answer.status_code == 422
    assert "a picture is 20 x 32 (0 black, 1 white), got 50 x 40" in answer.json["detail"]


def test_a_batch_is_a_row_each_and_lists_what_is_bad(client, picture):
    pictures = [base64.b64encode(png(each)).decode() for each in (picture, picture[:, ::-1], picture[:7])]
    results = client.post("/v1/classify?model=colour", json={"images": pictures}).json["results"]
    each = [client.post("/v1/classify?model=colour", json={"image": one}).json["results"][0] for one in pictures]
    for one, alone in zip(results, each, strict=True):
        np.testing.assert_allclose(one["logits"], alone["logits"], rtol=1e-5)
        assert one["prepared"] == alone["prepared"]
    answer = client.post("/v1/classify?model=colour", json={"images": [*pictures, "AAAA"]})
    assert [error["pointer"] for error in answer.json["errors"]] == ["/images/3"]


def test_reading_several_digits_needs_a_network_of_the_ten_digits(client, picture):
    answer = client.post("/v1/read?model=digitlike", data=png(picture))
    assert (answer.status_code, "ten digits" in answer.json["detail"]) == (409, True)


def test_a_network_that_reads_digits_is_given_the_digit_that_is_found(client, models):
    three = (SHIPPED_MODELS.parent / "tests" / "three.png").read_bytes()
    (result,) = client.post("/v1/classify?model=digitlike", data=three).json["results"]
    assert result["prepared"]["box"]
    assert client.post("/v1/classify?model=nets", data=three).json["results"][0]["prepared"]["fit"] == "stretch"


def test_its_maps_are_shown_and_are_those_of_the_protocol(client, picture):
    (result,) = client.post("/v1/feature-maps?model=nets&layers=mul2,concat1", data=png(picture)).json["results"]
    assert [(layer["name"], layer["op"], layer["shape"]) for layer in result["layers"]] == [
        ("mul2", "mul", [6, 13, 13]),
        ("concat1", "concat", [10, 13, 13]),
    ]
    image = fitted(picture, (1, SIDE, SIDE)).image[None]
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


def test_a_network_of_another_size_is_listed_with_it_and_the_protocol_takes_pictures_and_numbers(
    client, models, picture
):
    listed = {each["name"]: each for each in client.get("/v1/models").json["models"]}
    assert "kind" not in listed["tiny"]
    assert [listed["colour"][name] for name in ("input", "colour", "prepare", "classes")] == [
        [3, 32, 20], "rgb", "picture", traits.CLASSES,
    ]  # fmt: skip
    image = fitted(picture, (3, 32, 20)).image[None]
    wanted = Network(models / "colour" / "1").classify(image)
    numbers = {"name": "image", "datatype": "FP32", "shape": [1, 3, 32, 20], "data": image.ravel().tolist()}
    pictures = {"name": "image", "datatype": "BYTES", "shape": [1], "data": [base64.b64encode(png(picture)).decode()]}
    for tensor in (numbers, pictures):
        answer = client.post("/v2/models/colour/infer", json={"inputs": [tensor]}).json
        np.testing.assert_allclose(answer["outputs"][1]["data"], wanted.logits[0], rtol=1e-5)
    refused = client.post("/v2/models/colour/infer", json={"inputs": [numbers | {"data": [2.0] * image.size}]})
    assert "from 0, black, to 1, white, got 2" in refused.json["error"]


@pytest.mark.parametrize("query", ["", "&full=true&target=1&rival=2", "&score=margin"])
def test_its_pixels_are_explained_by_shares_that_add_up(client, models, picture, query):
    answer = client.post(f"/v1/explain?model=nets&method=pixels{query}", data=png(picture))
    check(answer.json, SCHEMAS["AdoptedExplanations"])
    (result,) = answer.json["results"]
    image = fitted(picture, (1, SIDE, SIDE)).image
    logits = Network(models / "nets" / "1").classify(image[None]).logits[0]
    seed = np.zeros(4)
    seed[result["target"]] = 1
    if "margin" in query:
        seed[result["rival"]] = -1
    assert (result["exactness"], result["class"], result["label"]) == (
        "gates",
        logits.argmax(),
        LABELS[logits.argmax()],
    )
    for part, score in (
        (result, seed @ logits),
        *([(result["margin"], logits[1] - logits[2])] if "rival" in query else []),
    ):
        shares = part["shares"]
        parts = [part["head_bias"], *shares["biases"].values(), *np.ravel(shares["pixels"])]
        assert part["value"] == pytest.approx(score, abs=1e-6)
        assert abs(part["residual"]) <= 1e-5 * np.abs(parts).sum()
        assert sum(parts) + part["residual"] == pytest.approx(score, abs=1e-6)
        assert set(shares["filters"]) == {"conv1", "conv2", "conv3"}
        if "full" in query:
            assert np.shape(shares["full"]) == (10, SIDE, SIDE)
            np.testing.assert_allclose(np.sum(shares["full"], axis=0), shares["pixels"], atol=1e-6)


def test_a_network_without_a_rule_says_for_which_operator(client, models, picture):
    reason = "signed/1: no rule for Sign"
    answer = client.post("/v1/explain?model=signed&method=pixels", data=png(picture))
    assert (answer.status_code, answer.json["detail"].startswith(reason)) == (409, True)
    assert client.get("/v1/models/signed").json["calls"]["POST /v1/explain?method=pixels"] == "no rule for Sign"


def damaged(models, folder, name, how):
    """A copy of one network whose walk back is not what its passport says."""
    shutil.copytree(models / name, folder / name)
    file, passport = folder / name / "1" / "credit.onnx", folder / name / "1" / "passport.json"
    told = json.loads(passport.read_text())
    if how == "absent":
        file.unlink()
    elif how == "changed":
        file.write_bytes(file.read_bytes()[:-1] + b"?")
    else:  # as its passport says, but no such graph
        other = b"nothing" if how == "no graph" else (models / "digitlike" / "1" / "credit.onnx").read_bytes()
        file.write_bytes(other)
        told["files"]["credit.onnx"] = {"sha256": hashlib.sha256(other).hexdigest(), "bytes": len(other)}
        passport.write_text(json.dumps(told))


@pytest.mark.parametrize(
    ("how", "words"),
    [
        ("absent", "credit.onnx: No such file"),
        ("changed", "credit.onnx: SHA-256 is "),
        ("no graph", "credit.onnx cannot be run: "),
        ("another's", "credit.onnx: "),
    ],
)
def test_a_damaged_walk_back_is_named_by_the_calls_that_need_it_and_no_other(
    models, tmp_path, picture, caplog, how, words
):
    (tmp_path / "models").mkdir()
    for name in ("nets", "tiny"):
        damaged(models, tmp_path / "models", name, how)
    client = create_app(Settings(models=str(tmp_path / "models"), default_model="tiny")).test_client()
    if how in {"absent", "changed"}:
        assert [record.message for record in caplog.records if words in record.message]
        assert words in client.get("/v1/models/nets").json["calls"]["POST /v1/explain?method=pixels"]
    answer = client.post("/v1/explain?model=nets&method=pixels", data=png(picture))
    assert (answer.status_code, words in answer.json["detail"]) == (409, True)
    assert client.post("/v1/classify?model=nets", data=png(picture)).status_code == 200
    # A network of ours has its walk back in NumPy too.
    (result,) = client.post("/v1/explain?method=pixels", data=png(picture)).json["results"]
    assert abs(result["residual"]) < 1e-4


def edited_file(model, tensor, change):
    """A file whose convolution that makes `tensor` has one filter changed, as POST /v1/what-if changes it."""
    edited = onnx.ModelProto()
    edited.CopyFrom(model)
    constants = {each.name: each for each in edited.graph.initializer}
    (reader,) = [each for each in edited.graph.node if tensor in each.output and each.op_type == "Conv"]
    for name in reader.input[1:]:
        array = numpy_helper.to_array(constants[name]).copy()
        array[change["filter"]] *= {"off": 0, "scale": change.get("factor")}[change["action"]]
        constants[name].CopyFrom(numpy_helper.from_array(array, name))
    return edited


@pytest.mark.parametrize("name", ["nets", "colour", "many", "nhwc", "residual"])
def test_what_if_answers_what_the_edited_file_answers(client, models, picture, name):
    make, _ = NETWORKS[name]
    passport = Network(models / name / "1").passport
    image = fitted(picture, passport.input.shape).image[None]
    layers = passport.convolutions
    assert {layer.groups for layer in layers} == ({1, 2, 6} if name == "nets" else {1})
    for layer in layers:
        for change in ({"action": "off"}, {"action": "scale", "factor": -1.5}):
            asked = {"layer": layer.name, "filter": layer.shape[0] - 1} | change
            body = {"image": base64.b64encode(png(picture)).decode(), "changes": [asked]}
            answer = client.post(f"/v1/what-if?model={name}&full=true", json=body)
            check_adopted(answer, "/v1/what-if")
            (result,) = answer.json["results"]
            told, _ = reference(edited_file(make(), layer.source, asked), image, [])
            after = np.array(result["after"]["probabilities" if name == "nhwc" else "logits"])
            np.testing.assert_allclose(after, told[-1].ravel(), rtol=1e-4, atol=1e-5)
            before = client.post(f"/v1/classify?model={name}&full=true", data=png(picture)).json["results"][0]
            np.testing.assert_allclose(result["before"]["logits"], before["logits"], rtol=1e-5, atol=1e-5)
            maps = client.post(f"/v1/feature-maps?model={name}&layers={layer.name}.pre", json=body).json["results"][0]
            if change["action"] == "off":
                assert not np.any(maps["layers"][0]["filters"][-1]["map"])


def test_of_a_network_that_branches_the_last_map_of_each_size_is_shown_and_others_by_name(client, picture):
    chain = client.post("/v1/feature-maps?model=colour", data=png(picture)).json["results"][0]
    assert [layer["name"] for layer in chain["layers"]] == ["conv1.act", "pool1", "pool2"]
    branching = client.post("/v1/feature-maps?model=nets", data=png(picture)).json["results"][0]
    assert [(layer["name"], layer["shape"][1:]) for layer in branching["layers"]] == [
        ("conv1.act", [26, 26]), ("concat1", [13, 13]), ("pool3", [1, 1]),
    ]  # fmt: skip
    layers = {layer["name"]: layer["source"] for layer in client.get("/v1/models/nets").json["layers"]}
    for name, shown in (("concat1", "concat1"), ("conv3", "conv3.act")):
        answer = client.post(f"/v1/feature-maps?model=nets&layers={layers[name]}", data=png(picture))
        assert [layer["name"] for layer in answer.json["results"][0]["layers"]] == [shown]


def test_the_maps_of_a_large_network_come_as_npz_and_sheet_or_a_few_as_json(client, models, picture):
    path = "/v1/feature-maps?model=large&layers=conv1"
    refused = client.post(path, data=png(picture))
    assert refused.status_code == 422
    assert "npz or png, or name fewer layers or filters" in refused.json["detail"]
    (result,) = client.post(f"{path}&filters=3,20", data=png(picture)).json["results"]
    arrays = np.load(io.BytesIO(client.post(f"{path}&format=npz", data=png(picture)).data))
    image = fitted(picture, (3, 224, 224)).image[None]
    network = Network(models / "large" / "1")
    assert network.pictures_per_run == 1  # of so large maps several leave the processor's cache
    wanted = network.analyse(image, ["conv1.act"])[1]["conv1.act"]
    np.testing.assert_allclose(arrays["conv1.act"], wanted, atol=1e-6)
    for index, each in zip((3, 20), result["layers"][0]["filters"], strict=True):
        np.testing.assert_allclose(each["map"], wanted[0, index], atol=1e-6)
    sheet = client.post(f"{path}&format=png", data=png(picture))
    width, height = Image.open(io.BytesIO(sheet.data)).size
    assert (width, height) >= (8 * 222, 3 * 222)


def test_two_adopted_networks_are_open_at_a_time_and_a_call_pays_for_opening(models, picture):
    library = Library.open(read_folders(models, "tiny").models, "tiny")
    client = create_app(Settings(models=str(models), default_model="tiny"), library).test_client()
    networks = {network.name: network for network in library.networks}
    assert networks["tiny"].bytes_to_open == 0
    assert all(networks[name].bytes_to_open for name in NETWORKS)  # nothing is opened at the start
    answers = {}
    for name in ("nets", "colour", "many"):
        answers[name] = [client.post(f"/v1/feature-maps?model={name}", data=png(picture)).data for _ in range(2)]
        assert answers[name][0] == answers[name][1]
    assert [bool(networks[name].bytes_to_open) for name in ("nets", "colour", "many")] == [True, False, False]
    assert client.post("/v1/feature-maps?model=nets", data=png(picture)).data == answers["nets"][0]
    assert [bool(networks[name].bytes_to_open) for name in ("nets", "colour", "many")] == [False, True, False]
    work = []
    for name in ("colour", "colour", "nets"):
        with prices.opened(prices.Account(Limits())) as account:
            prices.charge_analysis(networks[name], 1, ["conv1.act"])
        work.append(account.steps.get("open", 0))
        client.post(f"/v1/feature-maps?model={name}", data=png(picture))
    assert [bool(each) for each in work] == [True, False, False]


def test_an_analysis_file_that_is_not_that_of_the_passport_is_told_when_it_is_asked_for(models, picture, tmp_path):
    folder = tmp_path / "colour" / "1"
    shutil.copytree(models / "colour" / "1", folder)
    passport = json.loads((folder / "passport.json").read_text())
    passport["layers"][0]["shape"] = passport["layers"][1]["in_shape"] = [7, 30, 18]
    (folder / "passport.json").write_text(json.dumps(passport))
    client = create_app(Settings(models=str(tmp_path), default_model="colour")).test_client()
    assert client.post("/v1/classify", data=png(picture)).status_code == 200
    answer = client.post("/v1/feature-maps", data=png(picture))
    assert (answer.status_code, "its passport says" in answer.json["detail"]) == (409, True)


@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("/v1/explain?model=dense&method=cell&layer=conv1&filter=0&row=0&col=0", "no layer of it has maps"),
        ("/v1/explain?model=made&method=cell&layer=conv1&filter=0&row=0&col=0", "made as it runs"),
        ("/v1/explain?model=signed&method=ledger", "no rule for Sign"),
        ('/v1/what-if?model=dense&changes=[{"layer":"conv1","filter":0,"action":"off"}]', "no convolution"),
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
    grouped = client.get("/v1/models/nets/layers/conv3/filters?card=true").json
    assert np.shape(grouped["filters"][0]["weights"]) == (3, 3, 3)
    made = client.get("/v1/models/made/layers/conv1/filters")
    assert (made.status_code, "as the network runs" in made.json["detail"]) == (409, True)


def test_the_answers_are_those_of_the_contract(client, picture):
    for name in ("nets", "digitlike", "colour"):
        for path in ("/v1/classify", "/v1/feature-maps"):
            check_adopted(client.post(f"{path}?model={name}&prepared_image=true", data=png(picture)), path)
    for path in ("/v1/models", "/v1/models/{name}", "/v2/models/{name}", "/v2/models/{name}/config"):
        for name in NETWORKS:
            check_answer(client.get(path.replace("{name}", name)), path, "get")


def test_a_command_that_reads_several_digits_needs_a_network_of_them(models):
    with pytest.raises(BadModel, match="ten digits"):
        open_reader(models, "nets")


def test_files_are_classified_without_a_server_as_with_one(client, models, picture, tmp_path):
    path = tmp_path / "one.png"
    path.write_bytes(png(picture))
    for name in ("colour", "many", "digitlike"):
        (result,) = classify_files(open_network(models, name), [path], "auto", Limits())
        (wanted,) = client.post(f"/v1/classify?model={name}", data=png(picture)).json["results"]
        assert orjson.loads(orjson.dumps(result, option=orjson.OPT_SERIALIZE_NUMPY)) == {"name": str(path)} | wanted
    for form, words in (("--csv", "kind "), ("", "kind ")):
        ran = CliRunner().invoke(classify, [str(path), "--models", str(models), "--model", "many", *form.split()])
        assert (ran.exit_code, words in ran.output, len(ran.output) < 400) == (0, True, True)


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
            network.opened()
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
