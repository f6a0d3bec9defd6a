"""GET /v1/models and below, and the routes of operations."""

import io

import numpy as np
import pytest
from PIL import Image

from service.settings import Limits


def test_every_model_is_listed_and_one_is_the_default(client):
    models = client.get("/v1/models").json["models"]
    assert [model["name"] for model in models if model["default"]] == ["digits"]
    for model in models:
        described = client.get(f"/v1/models/{model['name']}?version={model['version']}").json
        assert described["passport"]["files"]["model.onnx"]["sha256"] == model["sha256"] == described["sha256"]
        assert sum(layer["parameters"] for layer in described["layers"]) == model["parameters"]


def test_parameters_counted_from_the_layers_are_those_of_the_passport(client):
    for model in client.get("/v1/models").json["models"]:
        described = client.get(f"/v1/models/{model['name']}?version={model['version']}").json
        assert model["parameters"] == described["passport"]["parameters"]


def test_a_receptive_field_is_exactly_the_pixels_that_change_a_cell(client):
    """Nudge every pixel of a blank picture: only those inside the field may move the cell, and its corners do."""
    layers = [layer for layer in client.get("/v1/models/digits").json["layers"] if layer["op"] == "conv"][:2]
    nudged = np.zeros((28 * 28 + 1, 28, 28), np.float32)
    nudged.reshape(785, 784)[1:] = np.eye(784, dtype=np.float32)
    names = ",".join(f"{layer['name']}.pre" for layer in layers)
    parts = []
    for start in range(0, 785, 256):
        out = io.BytesIO()
        np.save(out, nudged[start : start + 256])
        query = f"/v1/feature-maps?prepare=none&format=npz&layers={names}"
        parts.append(np.load(io.BytesIO(client.post(query, data=out.getvalue()).data)))
    for layer in layers:
        maps = np.concatenate([part[f"{layer['name']}.pre"] for part in parts])
        row, column = layer["shape"][1] // 2, layer["shape"][2] // 2
        moved = np.abs(maps[1:, :, row, column] - maps[0, :, row, column]).max(axis=1).reshape(28, 28) > 0
        field = layer["receptive_field"]
        top, left = (field["start"][axis] + place * field["jump"][axis] for axis, place in enumerate((row, column)))
        rows, columns = np.nonzero(moved)
        assert top <= rows.min()
        assert rows.max() < top + field["size"][0]
        assert left <= columns.min()
        assert columns.max() < left + field["size"][1]


def test_learnt_filters_come_as_numbers_as_npz_and_as_a_picture(client):
    answer = client.get("/v1/models/digits/layers/conv1/filters").json
    arrays = np.load(io.BytesIO(client.get("/v1/models/digits/layers/conv1/filters?format=npz").data))
    for one in answer["filters"]:
        np.testing.assert_array_equal(np.array(one["weights"], np.float32), arrays["conv1.weight"][one["index"], 0])
        assert np.float32(one["bias"]) == arrays["conv1.bias"][one["index"]]
    one = client.get("/v1/models/digits/layers/conv1/filters/3").json["filters"]
    assert one == [answer["filters"][3]]
    picture = client.get("/v1/models/digits/layers/conv2/filters?format=png&range=symmetric&polarity=diverging")
    assert Image.open(io.BytesIO(picture.data)).mode == "RGB"


@pytest.mark.parametrize(
    ("path", "status", "says"),
    [
        ("/v1/models/letters", 404, "digits"),
        ("/v1/models/digits?version=7", 404, "1"),
        ("/v1/models/digits/layers/conv9/filters", 404, "conv1"),
        ("/v1/models/digits/layers/pool1/filters", 404, "conv1"),
        ("/v1/models/digits/layers/conv1/filters/99", 404, "0 to"),
        ("/v1/filters/nope", 404, "sobel"),
        ("/v1/filters/sobel?size=4", 422, "sobel takes angle"),
        ("/v1/filters/gaussian?size=64", 422, "63"),
        ("/v1/nothing", 404, "/docs"),
    ],
)
def test_a_name_that_is_not_there_is_answered_with_those_that_are(client, path, status, says):
    answer = client.get(path)
    assert answer.status_code == status
    assert answer.mimetype == "application/problem+json"
    assert says in answer.json["detail"]


def test_the_limits_are_published_as_they_are(client):
    assert client.get("/v1/limits").json == {name: getattr(Limits(), name) for name in Limits.__struct_fields__}


def test_the_probes_answer(client):
    assert client.get("/healthz").json["status"] == "ok"
    assert {"name": "digits", "version": "1"} in client.get("/readyz").json["models"]


def test_the_documentation_loads_nothing_from_elsewhere(client):
    page = client.get("/docs")
    assert "http" not in page.text.replace("<!doctype html>", "")
    assert "default-src 'none'" in page.headers["Content-Security-Policy"]
    for asset in ("swagger-ui.css", "swagger-ui-bundle.js", "start.js", "favicon-32x32.png"):
        assert client.get(f"/docs/{asset}").status_code == 200
    assert client.get("/docs/../settings.py").status_code == 404
    assert client.get("/openapi.json").json["openapi"].startswith("3.1")
    assert 'id="too-large"' in client.get("/docs/problems").text


def test_a_wrong_method_says_which_are_right(client):
    answer = client.get("/v1/classify")
    assert answer.status_code == 405
    assert "POST" in answer.json["detail"]
    assert "POST" in answer.headers["Allow"]
