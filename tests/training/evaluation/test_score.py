"""The read-out of a bank of filters, against a ridge fitted by least squares and the service's own responses."""

import json

import numpy as np
import pytest

from service.lab.options import ApplyFiltersOptions
from tests.networks import random_network
from training.data.mnist import LabelledDigits, Mnist
from training.evaluation.score import MAX_FEATURES, PENALTIES, BankError, pixels, read_bank, score


def some_digits(count, seed):
    """Blurred patterns of their class, in noise: told apart well, and not perfectly."""
    random = np.random.default_rng(seed)
    patterns = np.random.default_rng(0).random((10, 28, 28))
    labels = random.integers(0, 10, count).astype(np.uint8)
    noisy = 0.35 * patterns[labels] + 0.65 * random.random((count, 28, 28))
    return LabelledDigits((255 * noisy).astype(np.uint8), labels)


@pytest.fixture(scope="module")
def digits():
    return Mnist(some_digits(700, 1), some_digits(150, 2), some_digits(150, 3))


def bank_of(tmp_path, models=None, **members):
    path = tmp_path / "filters.json"
    path.write_text(json.dumps(members))
    return read_bank(path, models or tmp_path)


BANK = {
    "filters": [{"weights": [[1, -1], [2, 0]], "bias": 0.2}, {"preset": "diagonal_falling"}, {"weights": [[0, 1, 0]]}],
    "stride": 3,
    "padding": "same",
    "pad_mode": "replicate",
    "activation": "tanh",
    "orientation": "convolution",
    "pool": {"kind": "avg", "size": 2},
}


def test_a_bank_gives_what_the_service_answers(tmp_path, client):
    bank, images = bank_of(tmp_path, **BANK), some_digits(3, 4).images
    assert set(BANK) <= set(ApplyFiltersOptions.__struct_fields__)
    features = bank.features(images / 255)
    body = {"images": images.tolist(), **BANK}
    for own, result in zip(features, client.post("/v1/apply-filters", json=body).json["results"], strict=True):
        served = np.concatenate([np.ravel(each["response"]) for each in result["filters"]])
        # Filters of one shape come together here, so the order differs.
        np.testing.assert_allclose(np.sort(own), np.sort(served), atol=1e-5)
    assert features.shape == (3, bank.feature_count)
    assert bank.parameters == 5 + 50 + 4


def test_the_read_out_is_the_ridge_that_least_squares_finds(digits):
    found = score(pixels, digits)
    assert found.features == 784
    assert found.penalty in PENALTIES
    centre = lambda part: part.images.reshape(len(part), -1) / 255 - digits.train.images.reshape(700, -1).mean(0) / 255  # noqa: E731
    x, y = centre(digits.train), np.eye(10)[digits.train.labels]
    penalty = found.penalty * x.var(axis=0).mean() * len(x)
    stacked = np.vstack([x, np.sqrt(penalty) * np.eye(784)])
    weights = np.linalg.lstsq(stacked, np.vstack([y - y.mean(0), np.zeros((784, 10))]), rcond=None)[0]
    for part, accuracy in (
        (digits.train, found.train),
        (digits.validation, found.validation),
        (digits.test, found.test),
    ):
        answers = (centre(part) @ weights + y.mean(0)).argmax(axis=1)
        assert accuracy == pytest.approx((answers == part.labels).mean(), abs=1.5 / len(part))
    assert found.test > 0.5


def test_filters_that_see_nothing_read_nothing(digits, tmp_path):
    blind = bank_of(tmp_path, filters=[{"weights": [[0.0]]}], pool={"size": 4})
    assert score(blind.features, digits).test < 0.3


def test_a_models_own_filters_can_be_scored(tmp_path):
    network = random_network(tmp_path, "lecture", 0)
    every = bank_of(tmp_path, tmp_path / "0", filters=[{"model": "lecture", "layer": "conv1"}], stride=2)
    one = bank_of(tmp_path, tmp_path / "0", filters=[{"model": "lecture", "layer": "conv1", "filter": 3}], stride=2)
    image = some_digits(1, 5)
    _, maps = network.analyse(image.as_network_input(), ["conv1.pre"])
    np.testing.assert_allclose(every.features(image.images / 255)[0], maps["conv1.pre"].ravel(), atol=1e-5)
    np.testing.assert_allclose(one.features(image.images / 255)[0], maps["conv1.pre"][0, 3].ravel(), atol=1e-5)


@pytest.mark.parametrize(
    ("members", "says"),
    [
        ({}, "at least one filter"),
        ({"filters": []}, "at least one filter"),
        ({"filters": [{"colour": 1}]}, "weights"),
        ({"filters": [{"name": "nothing"}]}, "a preset"),
        ({"filters": [{"preset": "nothing"}]}, "nothing"),
        ({"filters": [{"weights": [[1], [2, 3]]}]}, "length"),
        ({"filters": [{"weights": [[[1]], [[2]]]}]}, "grey"),
        ({"filters": [{"weights": [[1]]}], "steps": 2}, "steps"),
        ({"filters": [{"weights": [[1]]}], "stride": 0}, "stride"),
        ({"filters": [{"weights": [[1]]}], "activation": "soft"}, "relu"),
        ({"filters": [{"weights": [[1]]}] * 20}, str(MAX_FEATURES)),
        ({"filters": [{"weights": [[1]]}], "pool": {}}, "size"),
    ],
)
def test_a_file_that_is_no_bank_is_refused_with_a_reason(tmp_path, members, says):
    with pytest.raises(BankError, match=says):
        bank_of(tmp_path, **members)


def test_the_command_says_how_the_filters_fare_beside_the_pixels(tmp_path, monkeypatch, digits):
    from click.testing import CliRunner

    from training import cli

    path = tmp_path / "filters.json"
    path.write_text(json.dumps(BANK))
    monkeypatch.setattr(cli, "find_or_fetch_mnist", lambda _: tmp_path)
    monkeypatch.setattr(cli, "load_mnist", lambda _: digits)
    said = CliRunner().invoke(cli.main, ["score", str(path)]).output
    assert said.startswith("3 filters, 59 parameters")
    assert "these filters: test" in said
    assert "pixels alone: test" in said
    path.write_text("[")
    assert "cannot be read" in CliRunner().invoke(cli.main, ["score", str(path)]).output
