"""GET /v1/models/{m}/report, and what the service does with a report."""

import base64
import gzip
import io
import struct

import numpy as np
import pytest
from PIL import Image

from service.app import create_app
from service.network.sessions import Library, Network
from service.settings import BadSetting, Settings
from tests.drawing import npy
from tests.networks import random_network


@pytest.fixture(scope="module")
def part():
    from training.data.mnist import LabelledDigits

    random = np.random.default_rng(1)
    return LabelledDigits(
        random.integers(0, 256, (60, 28, 28)).astype(np.uint8), random.integers(0, 10, 60).astype(np.uint8)
    )


@pytest.fixture(scope="module")
def reported(part, tmp_path_factory):
    """A folder of one model with its report, and one of the pictures it is of."""
    from training.evaluation.report import write_report

    models = tmp_path_factory.mktemp("models")
    random_network(models, "overlap", 0)
    write_report(models / "0" / "overlap" / "1", part, "test", say=lambda _: None)
    mnist = tmp_path_factory.mktemp("mnist")
    header = bytes([0, 0, 8, 3]) + struct.pack(">3I", *part.images.shape)
    (mnist / "t10k-images-idx3-ubyte.gz").write_bytes(gzip.compress(header + part.images.tobytes()))
    return models / "0", mnist


@pytest.fixture
def laboratory(reported):
    models, _ = reported
    return create_app(Settings(), Library([Network(models / "overlap" / "1")], "overlap")).test_client()


def test_the_report_is_served_as_it_was_written(reported, laboratory):
    models, _ = reported
    served = laboratory.get("/v1/models/overlap/report").json
    assert served.pop("thumbnails") == {}
    assert served == Network(models / "overlap" / "1").report


def test_one_layer_can_be_asked_for(laboratory):
    served = laboratory.get("/v1/models/overlap/report?layer=conv2").json
    assert [layer["name"] for layer in served["layers"]] == ["conv2"]
    refused = laboratory.get("/v1/models/overlap/report?layer=pool1")
    assert refused.status_code == 404
    assert "conv1, conv2" in refused.json["detail"]


def test_where_the_pictures_are_at_hand_the_top_images_come_along(reported, part):
    models, mnist = reported
    library = Library([Network(models / "overlap" / "1")], "overlap")
    client = create_app(Settings(mnist=str(mnist)), library).test_client()
    served = client.get("/v1/models/overlap/report").json
    named = {entry["image"] for layer in served["layers"] for each in layer["filters"] for entry in each["top"]}
    assert {int(number) for number in served["thumbnails"]} == named
    number, url = next(iter(served["thumbnails"].items()))
    picture = Image.open(io.BytesIO(base64.b64decode(url.partition(",")[2])))
    np.testing.assert_array_equal(np.asarray(picture), part.images[int(number)])
    assert "thumbnails" not in client.get("/v1/models/overlap/report?thumbnails=false").json


def test_a_folder_without_the_pictures_is_named_at_the_start(tmp_path, reported):
    models, _ = reported
    library = Library([Network(models / "overlap" / "1")], "overlap")
    with pytest.raises(BadSetting, match=r"FILTERSCOPE_MNIST.*t10k-images"):
        create_app(Settings(mnist=str(tmp_path)), library)
    (tmp_path / "t10k-images-idx3-ubyte").write_bytes(b"\0\0\x08\x03 cut short")
    with pytest.raises(BadSetting, match="FILTERSCOPE_MNIST"):
        create_app(Settings(mnist=str(tmp_path)), library)


def test_without_a_report_the_answer_says_how_to_make_one(tmp_path):
    network = random_network(tmp_path, "deep", 0)
    client = create_app(Settings(), Library([network], "deep")).test_client()
    answer = client.get("/v1/models/deep/report")
    assert answer.status_code == 404
    assert "python -m training report models/deep/1" in answer.json["detail"]
    assert client.get("/v1/models/nothing/report").status_code == 404


def test_with_a_report_shares_may_be_counted_from_the_mean(laboratory, part, reported):
    """The Shapley value for the mean of a dataset as baseline: the expected logit, and what each filter adds to it."""
    models, _ = reported
    network = Network(models / "overlap" / "1")
    images = part.images[:3] / np.float32(255)
    answer = laboratory.post("/v1/explain?baseline=mean&prepare=none&rival=2&target=1", data=npy(images)).json
    _, maps = network.analyse(part.as_network_input(), ["conv2.act"])
    head = network.weights["head.weight"].reshape(10, *network.passport.head.in_shape).astype(np.float64)
    shares = np.einsum("ckij,nkij->nck", head, maps["conv2.act"].astype(np.float64))
    for index, result in enumerate(answer["results"]):
        assert result["baseline"] == "mean"
        np.testing.assert_allclose(result["shares"]["filters"], shares[index] - shares.mean(axis=0), atol=2e-3)
        np.testing.assert_allclose(result["base"], network.weights["head.bias"] + shares.mean(axis=0).sum(1), atol=2e-3)
        assert result["residual"] <= 1e-4
        assert result["margin"]["residual"] <= 1e-4
    decides = laboratory.post("/v1/explain?method=deciding-set&baseline=mean&prepare=none", data=npy(images[0]))
    assert decides.status_code == 200


@pytest.mark.parametrize(
    "path",
    [
        "/v1/models",
        "/v1/models/overlap",
        "/v1/models/overlap/layers/conv1/filters",
        "/v1/models/overlap/layers/conv1/filters/2?format=png",
        "/v1/models/overlap/report",
        "/v1/filters",
        "/v1/filters/box?size=3",
        "/v1/limits",
        "/openapi.json",
    ],
)
def test_what_stays_the_same_is_told_apart_by_its_etag_and_not_sent_twice(laboratory, path):
    first = laboratory.get(path)
    assert first.status_code == 200
    again = laboratory.get(path, headers={"If-None-Match": first.headers["ETag"]})
    assert (again.status_code, again.data) == (304, b"")
    assert again.headers["ETag"] == first.headers["ETag"]
    other = laboratory.get(path, headers={"If-None-Match": '"another"'})
    assert (other.status_code, other.data) == (200, first.data)


def test_refusals_and_answers_about_pictures_have_no_etag(laboratory):
    assert "ETag" not in laboratory.get("/v1/models/nothing").headers
    posted = laboratory.post("/v1/classify?prepare=none", data=npy(np.zeros((28, 28), np.uint8)))
    assert (posted.status_code, "ETag" in posted.headers, posted.headers["Cache-Control"]) == (200, False, "no-store")
