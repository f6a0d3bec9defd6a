"""The card of a model: its figures are those that a loop over the digits finds, and it is of one file alone."""

import json

import numpy as np
import pytest
from PIL import Image
from scipy.stats import binomtest

from service.app import create_app
from service.core.digit import prepare
from service.network.files import BadModel
from service.network.sessions import Library, Network
from service.settings import SHIPPED_MODELS, Settings
from tests.drawing import STROKES, draw
from tests.networks import random_network
from training.data.mnist import LabelledDigits
from training.evaluation.card import half_width, make_card, write_card

KNOWN = sorted(STROKES)


@pytest.fixture(scope="module")
def part():
    """Drawn digits with wrong labels among them, so that there is something to confuse."""
    random = np.random.default_rng(1)
    images = np.stack([draw(KNOWN[number % len(KNOWN)], 28, dark_on_light=False) for number in range(60)])
    shown = np.array([KNOWN[number % len(KNOWN)] for number in range(60)])
    images = np.clip(images * random.uniform(0.7, 1, (60, 1, 1)), 0, 255).astype(np.uint8)
    return LabelledDigits(images, ((shown + (np.arange(60) % 7 == 0)) % 10).astype(np.uint8))


@pytest.fixture(scope="module")
def digits_card(part):
    network = Network(SHIPPED_MODELS / "digits" / "1")
    return network, make_card(network, part, "test")


def test_its_figures_are_what_a_loop_finds(digits_card, part):
    network, card = digits_card
    right, pairs = 0, {}
    for image, label in zip(part.as_network_input(), part.labels, strict=True):
        (answer,) = network.classify(image[None]).classes
        right += answer == label
        if answer != label:
            pairs[int(label), answer] = pairs.get((int(label), answer), 0) + 1
    first = card["figures"][0]
    assert (first["value"], first["of"]) == (pytest.approx(right / 60, abs=1e-6), 60)
    told = {(one["digit"], one["read_as"]): one["count"] for one in card["confuses"]}
    assert len(told) == min(5, len(pairs))
    assert all(pairs[pair] == count for pair, count in told.items())
    assert sorted(told.values(), reverse=True) == sorted(pairs.values(), reverse=True)[:5]


def test_what_is_turned_is_prepared_as_a_posted_picture_is(digits_card, part):
    network, card = digits_card
    upside_down = next(one for one in card["failures"] if one["name"] == "upside down")
    right = 0
    for picture, label in zip(part.images, part.labels, strict=True):
        image = prepare(np.asarray(Image.fromarray(picture).rotate(180))).image
        (answer,) = network.classify((image / np.float32(255))[None, None].astype(np.float32)).classes
        right += answer == label
    assert upside_down["value"] == pytest.approx(right / 60, abs=1e-6)
    assert 0 <= upside_down["wrong_and_sure"] <= 1 - upside_down["value"]


@pytest.mark.parametrize(("right", "count"), [(0, 50), (37, 60), (9969, 10_000), (10_000, 10_000)])
def test_the_error_is_half_of_wilsons_interval(right, count):
    interval = binomtest(right, count).proportion_ci(0.95, "wilson")
    assert half_width(right / count, count) == pytest.approx((interval.high - interval.low) / 2, rel=1e-3)


def test_a_card_is_answered_beside_the_passport_and_only_of_its_own_file(tmp_path, part):
    place = random_network(tmp_path, "overlap", 0).folder
    write_card(place, part, "test")
    client = create_app(Settings(), Library([Network(place)], "overlap")).test_client()
    told = client.get("/v1/models/overlap").json
    assert told["card"] == json.loads((place / "card.json").read_text())
    assert told["card"]["purpose"] == ""
    assert told["card"]["data"] == "not told"
    other = json.loads((place / "card.json").read_text()) | {"sha256": "0" * 64}
    (place / "card.json").write_text(json.dumps(other))
    assert Network(place).card is None
    for wrong in ("[1]", "{", '{"a": 1e999}'):
        (place / "card.json").write_text(wrong)
        with pytest.raises(BadModel, match=r"card\.json"):
            Network(place)
