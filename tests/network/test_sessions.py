"""`doubt` and the formula of `probabilities`: the contract's numbers follow from one another."""

import io
import math

import numpy as np
import pytest

from service.network.passport import Doubt
from tests.drawing import STROKES, draw, npy
from tests.networks import library_of

MODELS = ["digits", "tiny", "lecture"]


def pictures():
    """(n, 28, 28): digits, what is none, and all that lies between one and the other."""
    random = np.random.default_rng(3)
    digits = [draw(digit, 28, pen=pen, dark_on_light=False) / 255 for digit in STROKES for pen in (0.05, 0.09, 0.2)]
    others = [random.random((28, 28)), random.random((28, 28)) > 0.9, np.zeros((28, 28)), np.ones((28, 28))]
    others += [np.roll(each[::-1], 5, axis=1) for each in digits[::2]]
    others += [np.kron(random.random((7, 7)) > 0.5, np.ones((4, 4))) for _ in range(4)]
    mixed = [
        share * other + (1 - share) * digit for digit in digits for other in others[:8] for share in (0.2, 0.4, 0.7)
    ]
    return np.array([*digits, *others, *mixed], np.float32).clip(0, 1)


PICTURES = pictures()


def expected(logits, doubt, temperature):
    """The contract's formula, in float64."""
    scaled = np.asarray(logits, np.float64) / temperature
    odds = np.exp(scaled - scaled.max(axis=-1, keepdims=True))
    share = np.asarray(doubt, np.float64)[..., None]
    return (1 - share) * odds / odds.sum(axis=-1, keepdims=True) + share / odds.shape[-1]


def temperature_of(client, model):
    return client.get(f"/v1/models/{model}").json["passport"]["calibration"]["temperature"]


def ask(client, call, batch, **more):
    results = client.post(call, data=npy(batch), query_string={"prepare": "none", **more}).json["results"]
    assert len(results) == len(batch)
    return results


def check(verdicts, temperature):
    columns = {name: np.array([each[name] for each in verdicts]) for name in ("logits", "doubt", "probabilities")}
    calculated = expected(columns["logits"], columns["doubt"], temperature)
    np.testing.assert_allclose(columns["probabilities"], calculated, rtol=0, atol=1e-6)
    return columns["doubt"]


@pytest.mark.parametrize("model", MODELS)
def test_probabilities_follow_from_logits_temperature_and_doubt(client, model):
    temperature = temperature_of(client, model)
    starts = range(0, len(PICTURES), 200)
    doubt = np.concatenate(
        [check(ask(client, "/v1/classify", PICTURES[at : at + 200], model=model), temperature) for at in starts]
    )
    most = client.get(f"/v1/models/{model}").json["passport"]["calibration"]["doubt"]["most"]
    # None of the three kinds is missing, so that the formula is tried all along its line.
    assert (doubt == 0).sum() > 5
    assert (doubt == most).sum() > 5
    assert ((doubt > 0.01 * most) & (doubt < 0.99 * most)).sum() > 3
    arrays = np.load(
        io.BytesIO(client.post(f"/v1/classify?prepare=none&format=npz&model={model}", data=npy(PICTURES[:200])).data)
    )
    np.testing.assert_allclose(arrays["doubt"], doubt[:200], atol=1e-7)
    assert arrays["doubt"].dtype == np.float32


@pytest.mark.parametrize("model", MODELS)
def test_they_do_so_before_and_after_changes(client, model):
    changes = '[{"layer":"conv1","filter":0,"action":"off"},{"layer":"conv1","filter":1,"action":"scale","factor":3}]'
    temperature = temperature_of(client, model)
    results = ask(client, "/v1/what-if", PICTURES[::7], model=model, changes=changes)
    before, after = (check([each[when] for each in results], temperature) for when in ("before", "after"))
    assert (before != after).any()


def test_a_network_that_measures_no_novelty_has_no_doubt(tmp_path):
    for network in library_of(tmp_path).networks:
        verdicts = network.classify(PICTURES[:40, None])
        assert verdicts.doubts(network.passport) == [0.0] * 40
        np.testing.assert_allclose(verdicts.probabilities, expected(verdicts.logits, [0.0] * 40, 1.0), atol=1e-6)


def test_doubt_is_a_line_of_the_novelty_s_logit_between_its_ends():
    doubt = Doubt(slope=0.2, offset=-0.55, most=0.12)
    logits = np.linspace(-40, 40, 8001)
    found = [doubt.of(float(1 / (1 + np.exp(-each)))) for each in logits]
    np.testing.assert_allclose(found, np.clip(0.2 * logits - 0.55, 0, 0.12), atol=1e-9)
    assert [doubt.of(novelty) for novelty in (0.0, 1.0, -1e-9, 1.0000001)] == [0, 0.12, 0, 0.12]


@pytest.mark.parametrize("slope", [0.2, 7.0, 1e-4, 0.0, -0.3])
@pytest.mark.parametrize("offset", [-0.55, -6.0, 0.0, 0.4])
def test_doubt_is_its_formula_to_the_bit_where_it_begins_too(slope, offset):
    doubt = Doubt(slope=slope, offset=offset, most=0.12)
    begins = 1 / (1 + math.exp(min(max(offset / slope, -40), 40))) if slope else 0.5
    near = [begins * (1 + sign * 10.0**power) for power in range(-16, 0) for sign in (-1, 1)]
    for novelty in [*near, *np.random.default_rng(0).random(200).tolist(), 5e-324, 1 - 2**-53]:
        if 0 < novelty < 1:
            line = slope * (math.log(novelty) - math.log1p(-novelty)) + offset
            assert doubt.of(novelty) == min(max(line, 0.0), 0.12)
