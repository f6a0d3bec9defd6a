"""POST /v1/feature-maps, against PyTorch doing the same layer by layer."""

import io

import numpy as np
import pytest

from service.network.passport import Passport
from service.settings import SHIPPED_MODELS
from tests.drawing import draw, encode, npy

MODELS = sorted(path.parent for path in SHIPPED_MODELS.glob("*/*/passport.json"))


def post(client, digit, query=""):
    return client.post(f"/v1/feature-maps{query}", data=encode(draw(digit)))


def layer_by_layer(passport, weights, images):
    """Every map and the logits, by PyTorch."""
    import torch
    from torch.nn import functional

    tensor, maps = torch.from_numpy(images), {}
    for layer in passport.layers:
        top, left, bottom, right = layer.pads
        if layer.op == "conv":
            padded = functional.pad(tensor, (left, right, top, bottom))
            kernel, bias = (torch.from_numpy(weights[f"{layer.name}.{part}"]) for part in ("weight", "bias"))
            tensor = functional.conv2d(padded, kernel, bias, stride=layer.stride)
            maps[f"{layer.name}.pre"] = tensor
            tensor = {"relu": torch.relu, "tanh": torch.tanh, "linear": lambda x: x}[layer.activation](tensor)
            maps[f"{layer.name}.act"] = tensor
        elif layer.op == "linear":
            flat = tensor.mean(dim=(2, 3)) if layer.reduce == "mean" else tensor.flatten(1)
            logits = flat @ torch.from_numpy(weights["head.weight"]).T + torch.from_numpy(weights["head.bias"])
        else:
            pool = functional.max_pool2d if layer.op == "maxpool" else functional.avg_pool2d
            maps[layer.name] = tensor = pool(tensor, layer.kernel, layer.stride, (top, left))
    return {name: found.numpy() for name, found in maps.items()}, logits.numpy()


@pytest.mark.parametrize("folder", MODELS, ids=lambda folder: folder.parent.name)
def test_every_map_is_what_pytorch_computes_from_the_served_weights(app, client, folder, proof):
    pytest.importorskip("torch")
    passport = Passport.read(folder / "passport.json")
    layers = [layer.name for layer in passport.convolutions]
    weights = {}
    for name in layers:
        answer = client.get(f"/v1/models/{passport.name}/layers/{name}/filters?format=npz&version={passport.version}")
        weights |= dict(np.load(io.BytesIO(answer.data)))
    from service.network.sessions import Network

    weights |= {name: array for name, array in Network(folder).weights.items() if name.startswith("head.")}
    generator = np.random.default_rng(7)
    images = generator.random((64 if proof else 8, 28, 28), np.float32)
    images[0] = 0
    query = f"?model={passport.name}&version={passport.version}&prepare=none&format=npz"
    everything = ",".join(passport.map_shapes())
    answer = client.post(f"/v1/feature-maps{query}&layers={everything}", data=npy(images))
    served = np.load(io.BytesIO(answer.data))
    expected, logits = layer_by_layer(passport, weights, images[:, None])
    assert set(served.files) == {*expected, "logits"}
    for name, maps in expected.items():
        np.testing.assert_allclose(served[name], maps, atol=1e-5, err_msg=name)
    np.testing.assert_allclose(served["logits"], logits, atol=1e-4)


def test_the_default_is_every_activation_and_pool_in_network_order(client):
    answer = post(client, 3).json
    names = [layer["name"] for layer in answer["results"][0]["layers"]]
    described = client.get("/v1/models/digits").json["layers"]
    assert names == [m for layer in described for m in layer["maps"] if not m.endswith(".pre")]


def test_json_npz_and_a_selection_of_filters_agree(client):
    everything = post(client, 3, "?layers=conv1,pool1").json["results"][0]["layers"]
    some = post(client, 3, "?layers=conv1,pool1&filters=5,2&stats=true").json["results"][0]["layers"]
    arrays = np.load(io.BytesIO(post(client, 3, "?layers=conv1,pool1&format=npz").data))
    for whole, part in zip(everything, some, strict=True):
        assert (part["shape"][0], part["total"]) == (2, whole["total"])
        assert part["range"] == whole["range"]
        assert [one["index"] for one in part["filters"]] == [5, 2]
        for one in part["filters"]:
            assert one["map"] == whole["filters"][one["index"]]["map"]
            values = arrays[whole["name"]][0, one["index"]]
            np.testing.assert_array_equal(np.array(one["map"], np.float32), values)
            assert one["max"] == pytest.approx(float(values.max()))
            assert one["std"] == pytest.approx(float(values.std()), rel=1e-4)
            assert values[tuple(one["argmax"])] == values.max()
            assert one["zeros"] == pytest.approx(float((values == 0).mean()))


def test_of_every_map_the_least_the_greatest_and_the_mean_value_are_told(client):
    pictures = npy(np.stack([draw(3), draw(7)]))
    arrays = np.load(io.BytesIO(client.post("/v1/feature-maps?format=npz", data=pictures).data))
    for query, filters in (("", slice(None)), ("?filters=9,4,11", [9, 4, 11]), ("?stats=true", slice(None))):
        results = client.post(f"/v1/feature-maps{query}", data=pictures).json["results"]
        for picture, result in enumerate(results):
            for layer in result["layers"]:
                values = arrays[layer["name"]][picture, filters]
                told = np.array([[one[key] for key in ("min", "max", "mean")] for one in layer["filters"]], np.float32)
                exact = values.min((1, 2)), values.max((1, 2)), values.mean((1, 2), np.float64).astype(np.float32)
                np.testing.assert_array_equal(told, np.stack(exact, 1), err_msg=layer["name"])


def test_a_layer_name_means_its_activation(client):
    names = [layer["name"] for layer in post(client, 3, "?layers=conv1,conv1.pre").json["results"][0]["layers"]]
    assert names == ["conv1.pre", "conv1.act"]


@pytest.mark.parametrize("polarity", ["light", "pencil"])
def test_a_sheet_can_be_read_back_to_the_values_within_half_a_level(client, polarity):
    from PIL import Image

    query = f"?layers=conv1.pre&filters=3&range=fixed&lo=-4&hi=4&polarity={polarity}"
    values = np.array(post(client, 3, query).json["results"][0]["layers"][0]["filters"][0]["map"])
    answer = post(client, 3, f"{query}&format=png")
    assert answer.mimetype == "image/png"
    sheet = Image.open(io.BytesIO(answer.data))
    assert sheet.text["range"] == answer.headers["X-Filterscope-Range"] == '{"conv1.pre":[-4.0,4.0]}'
    factor = 56 // len(values)
    levels = np.asarray(sheet)[2 : 2 + factor * len(values) : factor, 2 : 2 + factor * len(values) : factor] / 255
    fraction = 1 - levels if polarity == "pencil" else levels
    np.testing.assert_allclose(fraction * 8 - 4, np.clip(values, -4, 4), atol=8 / 510 + 1e-6)


def test_a_batch_is_a_row_of_the_sheet_per_picture(client):
    from PIL import Image

    batch = npy(np.stack([draw(digit, 28, dark_on_light=False) for digit in (1, 7, 3)]))
    one = client.post("/v1/feature-maps?format=png&prepare=none", data=npy(draw(1, 28, dark_on_light=False)))
    three = client.post("/v1/feature-maps?format=png&prepare=none", data=batch)
    heights = [Image.open(io.BytesIO(answer.data)).height for answer in (one, three)]
    assert heights[1] == 3 * heights[0]


@pytest.mark.parametrize(
    ("query", "status", "says"),
    [
        ("?layers=conv9", 404, "conv1.act"),
        ("?layers=head", 404, "conv1.act"),
        ("?layers=conv1&filters=99", 422, "0 to"),
        ("?layers=conv1&filters=1,1", 422, "different"),
        ("?layers=conv1,conv1.act", 422, "twice"),
        ("?layers=conv1&filters=-1", 422, ">= 0"),
        ("?format=gif", 422, "json, png, npz"),
        ("?range=fixed", 422, "lo"),
        ("?polarity=dark", 422, "light, pencil, diverging"),
    ],
)
def test_a_wrong_option_is_answered_with_what_it_may_be(client, query, status, says):
    answer = post(client, 3, query)
    assert answer.status_code == status, answer.text
    assert says in answer.json["detail"]


def test_too_many_numbers_for_json_are_refused_before_the_work_and_npz_is_named(client):
    batch = npy(np.zeros((256, 28, 28), np.uint8))
    answer = client.post("/v1/feature-maps?prepare=none", data=batch)
    assert answer.status_code == 422
    assert "npz" in answer.json["detail"]
