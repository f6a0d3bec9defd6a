"""Adopted networks explained: shares that add up, what covering is worth, and what is refused, each with the reason."""

import base64
import io
import json

import numpy as np
import pytest
from onnx.reference import ReferenceEvaluator
from PIL import Image

from service.adopt.adoption import make_model
from service.adopt.asked import AdoptionOptions
from service.app import create_app
from service.core.inputs import fitted
from service.core.masking import RandomMasks, Windows
from service.lab.explain.methods import METHODS
from service.network.sessions import Network
from service.settings import SHIPPED_MODELS, Settings
from tests.adopt import traits
from tests.api.contract import check_adopted

# By name: the network, the layer that is explained unless another is named, and whether what follows is linear.
NETWORKS = {
    "colour": (traits.colour, "pool1", "global"),  # a mean and a linear layer
    "nets": (traits.squeeze_and_excite, "concat1", "global"),
    "plain": (traits.plain, "pool1", "global"),  # flattened into a linear layer
    "nhwc": (traits.nhwc, "pool1", "global"),  # flattened with the channels last
    "classes": (traits.maps_of_classes, "conv2", "global"),  # a map for each class
    "two": (traits.two_dense, "pool1", "gates"),
    "many": (traits.many_classes, "pool1", "global"),
}
OTHERS = {"signed": lambda: traits.plain(is_signed=True), "dense": traits.no_maps, "slow": traits.colour}


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    folder = tmp_path_factory.mktemp("models")
    (folder / "tiny").symlink_to(SHIPPED_MODELS / "tiny")
    for name, make in {**{name: make for name, (make, *_) in NETWORKS.items()}, **OTHERS}.items():
        place = folder / name / "1"
        place.mkdir(parents=True)
        file = folder / f"{name}.onnx"
        file.write_bytes(make().SerializeToString())
        make_model(AdoptionOptions(model=str(file), folder=str(place), name=name, version="1"))
    slow = folder / "slow" / "1" / "passport.json"
    passport = json.loads(slow.read_text())
    passport["cost"]["ms"] = {"lean": 30, "analysis": 50, "credit": 90}  # as a network of photographs takes
    slow.write_text(json.dumps(passport))
    return folder


@pytest.fixture(scope="module")
def client(models):
    return create_app(Settings(models=str(models), default_model="tiny")).test_client()


@pytest.fixture(scope="module")
def picture():
    return np.random.default_rng(5).integers(0, 256, (44, 52, 3)).astype(np.uint8)


def png(pixels):
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG")
    return file.getvalue()


def explained(client, picture, name, query):
    answer = client.post(f"/v1/explain?model={name}&{query}", data=png(picture))
    check_adopted(answer, "/v1/explain")
    return answer.json["results"][0]


def seen(models, name, picture):
    """The network, and what it reads of the picture: (1, channels, rows, columns)."""
    network = Network(models / name / "1")
    return network, fitted(picture, network.passport.input.shape).image[None]


@pytest.mark.parametrize("name", NETWORKS)
def test_the_shares_of_a_ledger_add_up_and_where_what_follows_is_linear_are_what_removal_costs(
    client, models, picture, name
):
    _, layer, exactness = NETWORKS[name]
    result = explained(client, picture, name, "method=ledger&target=1&rival=2&full=true")
    assert (result["layer"], result["exactness"]) == (layer, exactness)
    network, image = seen(models, name, picture)
    logits = network.classify(image).logits[0]
    assert result["classes"] == ([1, 2] if name == "many" else [0, 1, 2, 3])
    largest = float(np.abs(logits).max())
    full = np.array(result["shares"]["full"])
    for row, index in enumerate(result["classes"]):
        for shares in (result["shares"]["filters"][row], result["shares"]["places"][row]):
            assert result["base"][row] + np.sum(shares) == pytest.approx(logits[index], abs=1e-4 * largest)
    np.testing.assert_allclose(full.sum(axis=(2, 3)), result["shares"]["filters"], atol=1e-6 * largest)
    assert result["residual"] <= 1e-4 * largest
    margin = result["margin"]
    assert margin["value"] == pytest.approx(logits[1] - logits[2], abs=1e-5 * largest)
    assert margin["base"] + np.sum(margin["shares"]["filters"]) == pytest.approx(margin["value"], abs=1e-4 * largest)
    # Where it is linear, a filter that is switched off takes its share away: its map is zero then.
    convolutions = {each.name: each for each in network.passport.convolutions}
    if exactness == "global" and layer.startswith("pool") and "relu" in convolutions["conv1"].activation:
        for k in (0, 3):
            changes = [{"layer": "conv1", "filter": k, "action": "off"}]
            body = {"image": base64.b64encode(png(picture)).decode(), "changes": changes}
            (edited,) = client.post(f"/v1/what-if?model={name}&full=true", json=body).json["results"]
            for row, index in enumerate(result["classes"]):
                lost = logits[index] - edited["after"]["logits"][index]
                assert lost == pytest.approx(result["shares"]["filters"][row][k], abs=1e-4 * largest)


@pytest.mark.parametrize("name", ["colour", "plain", "many"])
def test_a_deciding_set_ends_the_lead_and_no_smaller_one_does(client, models, picture, name):
    result = explained(client, picture, name, "method=deciding-set")
    network, image = seen(models, name, picture)
    logits = network.classify(image).logits[0]
    best = np.argsort(-logits, kind="stable")
    assert result["classes"] == (best[:10].tolist() if name == "many" else [0, 1, 2, 3])
    shown = explained(client, picture, name, f"method=ledger&rival={result['filters']['rival']}")
    rows = [shown["classes"].index(index) for index in (result["target"], result["filters"]["rival"])]
    lead = np.subtract(*(np.array(shown["shares"]["filters"])[row] for row in rows))
    members = result["filters"]["members"]
    margin = logits[result["target"]] - logits[result["filters"]["rival"]]
    if result["filters"]["found"]:
        largest = np.sort(lead)[::-1]
        assert margin - lead[members].sum() <= 1e-6
        assert margin - largest[: len(members) - 1].sum() > 0  # the largest that are one fewer do not
    assert result["filters"]["label_after"] == network.passport.labels[result["filters"]["class_after"]]


def test_where_what_follows_is_not_linear_no_deciding_set_is_told(client, picture):
    answer = client.post("/v1/explain?model=two&method=deciding-set", data=png(picture))
    assert (answer.status_code, "linear for every picture" in answer.json["detail"]) == (409, True)
    assert "linear" in client.get("/v1/models/two").json["calls"]["POST /v1/explain?method=deciding-set"]
    # But at a layer that is followed by what is linear, in a network that has others.
    answer = client.post("/v1/explain?model=colour&method=deciding-set&layer=conv1", data=png(picture))
    assert (answer.status_code, "gates" in answer.json["detail"]) == (409, True)


@pytest.mark.parametrize("name", ["colour", "nets", "plain", "two", "classes"])
@pytest.mark.parametrize("variant", ["hirescam", "gradcam"])
def test_an_activation_map_is_made_of_gradients_at_its_layer(client, models, picture, name, variant):
    result = explained(client, picture, name, f"method=cam&variant={variant}&target=2")
    network, image = seen(models, name, picture)
    layer = network.passport.layer(result["layer"])
    maps = network.analyse(image, [layer.maps[-1]])[1][layer.maps[-1]][0].astype(np.float64)
    ledger = explained(client, picture, name, "method=ledger&full=true")
    full = np.array(ledger["shares"]["full"])[ledger["classes"].index(2)]
    if variant == "hirescam":
        np.testing.assert_allclose(result["raw"], full.sum(axis=0), atol=1e-5)
    else:
        gains = network.creditor.walk(image[0], np.eye(4)[[2]], [layer.name]).gains[layer.name][0]
        np.testing.assert_allclose(result["raw"], np.einsum("k,kij->ij", gains.mean(axis=(1, 2)), maps), atol=1e-5)
    assert np.shape(result["map"]) == network.passport.input.size
    assert np.min(result["map"]) >= 0


def test_an_activation_map_of_means_is_for_networks_that_read_means(client, picture):
    assert explained(client, picture, "colour", "method=cam&variant=cam")["variant"] == "cam"
    answer = client.post("/v1/explain?model=plain&method=cam&variant=cam", data=png(picture))
    assert (answer.status_code, "places weigh differently" in answer.json["detail"]) == (409, True)


def test_a_layer_that_a_part_of_the_credit_passes_by_has_activation_maps_but_no_ledger(client, picture):
    assert explained(client, picture, "nets", "method=cam&variant=hirescam&layer=mul2")["layer"] == "mul2"
    answer = client.post("/v1/explain?model=nets&method=ledger&layer=mul2", data=png(picture))
    assert (answer.status_code, "goes past mul2" in answer.json["detail"]) == (409, True)
    assert client.post("/v1/explain?model=nets&method=cam&layer=none", data=png(picture)).status_code == 404


def test_the_pixels_of_a_network_in_colour_have_what_their_channels_have(client, models, picture):
    result = explained(client, picture, "colour", "method=pixels&full=true")
    assert np.shape(result["shares"]["pixels"]) == (32, 20)
    np.testing.assert_allclose(np.sum(result["shares"]["channels"], axis=0), result["shares"]["pixels"], atol=1e-6)
    network, image = seen(models, "colour", picture)
    gains = network.creditor.walk(image[0], np.eye(4)[[result["target"]]]).gains["image"][0]
    np.testing.assert_allclose(result["shares"]["channels"], gains * image[0], atol=1e-6)
    assert "light" in result["note"]


@pytest.mark.parametrize("name", ["colour", "signed"])
@pytest.mark.parametrize("baseline", ["zero", "mean", "blur", "0.5"])
def test_occlusion_is_brute_force(client, models, picture, name, baseline):
    result = explained(client, picture, name, f"method=occlusion&baseline={baseline}&target=1&score=probability")
    network, image = seen(models, name, picture)
    rows, columns = network.passport.input.size
    window, stride = ([round(side / parts) for side in (rows, columns)] for parts in (7, 14))
    assert (result["window"], result["stride"]) == (window, stride)
    own = image[0]
    if baseline == "blur":
        sigma = 4 * max(rows, columns) / 28
        reach = round(9 * max(rows, columns) / 28)
        weights = np.exp(-np.square(np.arange(-reach, reach + 1) / sigma) / 2)
        weights /= weights.sum()
        padded = np.pad(own, ((0, 0), (reach, reach), (reach, reach)), "edge")
        ground = np.zeros_like(own)
        for y in range(2 * reach + 1):
            for x in range(2 * reach + 1):
                ground += weights[y] * weights[x] * padded[:, y : y + rows, x : x + columns]
    else:
        levels = {"zero": 0.0, "mean": own.mean(axis=(1, 2), keepdims=True)}
        ground = np.broadcast_to(levels.get(baseline, 0.5), own.shape).astype(np.float32)
    value = network.classify(image).probabilities[0, 1]
    total, count = np.zeros((rows, columns)), np.zeros((rows, columns))
    for top in range(0, rows - window[0] + stride[0], stride[0]):
        for left in range(0, columns - window[1] + stride[1], stride[1]):
            place = (slice(top, top + window[0]), slice(left, left + window[1]))
            covered = own.copy()
            covered[:, *place] = ground[:, *place]
            total[place] += value - network.classify(covered[None]).probabilities[0, 1]
            count[place] += 1
    assert result["value"] == pytest.approx(value)
    np.testing.assert_allclose(result["map"], total / count, atol=1e-5)


def test_rise_weighs_the_masks_of_its_seed(client, models, picture):
    result = explained(client, picture, "colour", "method=rise&masks=120&cells=5&seed=3&target=2")
    network, image = seen(models, "colour", picture)
    masks = np.concatenate(list(RandomMasks(120, 5, 0.5, 3, (32, 20)).blocks()))
    logits = network.classify(image * masks[:, None]).logits[:, 2].astype(np.float64)
    terms = logits[:, None, None] * masks / 0.5
    np.testing.assert_allclose(result["map"], terms.mean(axis=0), atol=1e-5)
    assert explained(client, picture, "colour", "method=rise")["masks"] == 1000


def test_a_network_that_takes_long_is_run_on_fewer_masks_and_too_many_are_refused_with_what_can_be(client, picture):
    result = explained(client, picture, "slow", "method=rise")
    assert 20 <= result["masks"] <= 33  # of 30 ms each in a second
    assert explained(client, picture, "slow", "method=occlusion")["count"] <= 33
    answer = client.post("/v1/explain?model=slow&method=rise&masks=1000", data=png(picture))
    assert (answer.status_code, answer.json["errors"][0]["pointer"]) == (422, "/masks")
    assert "1000 runs at 30" in answer.json["detail"]
    can = int(answer.json["detail"].rpartition("masks=")[2].partition(" ")[0])
    assert client.post(f"/v1/explain?model=slow&method=rise&masks={can - 1}", data=png(picture)).status_code == 200
    answer = client.post("/v1/explain?model=slow&method=occlusion&window=2&stride=1", data=png(picture))
    assert (answer.status_code, answer.json["errors"][0]["pointer"]) == (422, "/stride")
    said = answer.json["detail"].rpartition(": ")[2].split(" ")
    query = "&".join(said[:2])
    assert explained(client, picture, "slow", f"method=occlusion&{query}")["count"] == int(said[5].strip("("))


def test_windows_are_a_seventh_of_the_sides_and_four_pixels_of_a_digit(client):
    three = (SHIPPED_MODELS.parent / "tests" / "three.png").read_bytes()
    (result,) = client.post("/v1/explain?method=occlusion", data=three).json["results"]
    assert (result["window"], result["stride"], result["count"]) == ([4, 4], [2, 2], 169)
    assert len(Windows((4, 4), (2, 2), (28, 28))) == 169


@pytest.mark.parametrize("name", ["signed", "dense"])
def test_a_network_without_a_walk_back_or_maps_is_explained_by_covering_and_by_the_cells_that_it_has(
    client, picture, name
):
    calls = client.get(f"/v1/models/{name}").json["calls"]
    assert (calls["POST /v1/explain?method=cell"] == "") == (name == "signed")
    for method in METHODS:
        more = {"rise": "&masks=50", "cell": "&layer=conv1&filter=0&row=0&col=0"}.get(method, "")
        answer = client.post(f"/v1/explain?model={name}&method={method}{more}", data=png(picture))
        reason = calls.get(f"POST /v1/explain?method={method}", "")
        assert answer.status_code == (409 if reason else 200), method
        assert not reason or reason in answer.json["detail"]
        if not reason:
            check_adopted(answer, "/v1/explain")
    assert calls["POST /v1/explain?method=occlusion, rise"] == ""


def test_an_edited_network_is_explained_by_covering_alone(client, models, picture):
    body = {
        "image": base64.b64encode(png(picture)).decode(),
        "changes": [{"layer": "conv1", "filter": 0, "action": "off"}],
    }
    answer = client.post("/v1/explain?model=colour&method=ledger", json=body)
    assert (answer.status_code, answer.json["errors"][0]["pointer"]) == (409, "/changes")
    answer = client.post("/v1/explain?model=colour&method=occlusion", json=body)
    check_adopted(answer, "/v1/explain")
    (edited,) = client.post("/v1/what-if?model=colour", json=body).json["results"]
    np.testing.assert_allclose(answer.json["results"][0]["logits"], edited["after"]["logits"], rtol=1e-5)


def test_logits_of_an_explanation_are_those_of_the_file(client, models, picture):
    _, image = seen(models, "two", picture)
    told = ReferenceEvaluator(traits.two_dense()).run(None, {"x": image})[0]
    np.testing.assert_allclose(explained(client, picture, "two", "method=ledger")["logits"], told[0], atol=1e-5)
