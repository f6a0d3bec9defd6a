"""The walk back of an adopted network: what it tells adds up for every picture, and where there is none it says why."""

import numpy as np
import pytest

from service.adopt.adoption import make_model, probes
from service.adopt.asked import AdoptionOptions
from service.network.sessions import Network
from tests.adopt.traits import ADOPTED, CLASSES, large

REFUSED = {
    "sign": "no rule for Sign",
    "softmax written out": "it answers probabilities, and no softmax was found that they come from",
}
# Of these the gates are held: their credit is no gradient, as that of relu, maxima and averages is.
HELD = {"squeeze and excite", "overlapping", "levels", "attention", "attention, one by one", "quantised, QDQ"}
# Where a layer lies that all credit goes through, and nothing behind it needs a gate.
LINEAR_HEADS = {"plain", "nhwc", "maps of classes", "residual", "squeeze and excite", "colour", "levels", "rows"}


def adopted(folder, trait):
    make, more = ADOPTED[trait]
    place = folder / "one" / "1"
    place.mkdir(parents=True)
    file = folder / "model.onnx"
    file.write_bytes(make().SerializeToString())
    described = make_model(AdoptionOptions(model=str(file), folder=str(place), name="one", version="1", **more))
    return described, Network(place)


@pytest.mark.parametrize("trait", [trait for trait in ADOPTED if trait not in REFUSED])
def test_the_credit_of_a_picture_and_of_each_whole_layer_adds_up(tmp_path, trait):
    described, network = adopted(tmp_path, trait)
    passport = network.passport
    assert described["credit"]["exactness"]["image"] == passport.credit.exactness["image"]
    seeds = np.eye(len(passport.labels))
    random = np.random.default_rng(4)
    for image in random.random((3, *passport.input.shape), np.float32) ** 2:
        walked = network.creditor.walk(image, seeds, passport.whole)
        verdicts, maps = network.analyse(image[None], list(passport.map_shapes()))
        logits = verdicts.logits[0].astype(np.float64)
        pixels = (walked.gains["image"].astype(np.float64) * image).reshape(len(seeds), -1)
        biases = np.array(list(walked.biases.values()), np.float64)
        size = np.abs(pixels).sum(axis=1) + np.abs(biases).sum(axis=0)
        assert (np.abs(logits - pixels.sum(axis=1) - biases.sum(axis=0)) <= 1e-5 * size).all()
        assert set(walked.bases) == set(passport.whole)
        for name in passport.whole:
            cells = maps[passport.layer(name).maps[-1]][0]
            sums = (walked.gains[name].astype(np.float64) * cells).sum(axis=(1, 2, 3)) + walked.bases[name]
            assert np.abs(logits - sums).max() <= 1e-4 * np.abs(logits).max()
        assert {name: each.shape for name, each in walked.filters.items()} == {
            name: (len(seeds), passport.layer(name).shape[0]) for name in walked.filters
        }
    assert ("global" in [passport.credit.exactness[name] for name in passport.whole]) >= (trait in LINEAR_HEADS)


@pytest.mark.parametrize("trait", ["residual", "squeeze and excite"])
def test_scores_that_are_walked_back_a_few_at_a_time_are_those_of_one_run(tmp_path, monkeypatch, trait):
    _, network = adopted(tmp_path, trait)
    image = np.random.default_rng(4).random(network.passport.input.shape, np.float32)
    whole, seeds = network.passport.whole[-1:], np.eye(len(network.passport.labels))
    added = np.random.default_rng(5).random((4, *network.passport.layer(whole[0]).shape), np.float32)
    for further in (None, added):
        at_once = network.creditor.walk(image, seeds, whole, further)
        for few in (1, 3):
            monkeypatch.setattr(network.creditor, "_per_run", few)
            parts = network.creditor.walk(image, seeds, whole, further)
            np.testing.assert_array_equal(parts.logits, at_once.logits)
            for name in ("gains", "filters", "biases", "bases"):
                one, other = getattr(parts, name), getattr(at_once, name)
                assert set(one) == set(other)
                for key, array in one.items():
                    np.testing.assert_allclose(array, other[key], rtol=1e-4, atol=1e-6)
        monkeypatch.setattr(network.creditor, "_per_run", 100)


def test_a_run_walks_no_more_scores_than_their_gains_have_room_for(tmp_path):
    (tmp_path / "small").mkdir()
    assert adopted(tmp_path / "small", "residual")[1].creditor._per_run >= CLASSES
    place = tmp_path / "one" / "1"
    place.mkdir(parents=True)
    (tmp_path / "net.onnx").write_bytes(large().SerializeToString())
    make_model(AdoptionOptions(model=str(tmp_path / "net.onnx"), folder=str(place), name="one", version="1"))
    assert 1 <= Network(place).creditor._per_run < CLASSES


@pytest.mark.parametrize("trait", [trait for trait in ADOPTED if trait not in {*REFUSED, *HELD}])
def test_without_held_gates_the_gains_are_what_small_changes_of_the_picture_do(tmp_path, trait):
    _, network = adopted(tmp_path, trait)
    shape = network.passport.input.shape
    random = np.random.default_rng(5)
    image = random.random(shape, np.float32)
    gains = network.creditor.walk(image, np.eye(len(network.passport.labels))).gains["image"]
    step, largest, seen = np.float32(2**-8), np.abs(gains).max(), 0
    places = random.permutation(image.size)[:60]
    shifted = np.repeat(image[None], 3 * len(places), axis=0).reshape(3, len(places), -1)
    for index, place in enumerate(places):
        shifted[0, index, place] -= step
        shifted[2, index, place] += step
    logits = network.classify(shifted.reshape(-1, *shape)).logits.reshape(3, len(places), -1)
    rounding = float(4 * np.finfo(np.float32).eps * np.abs(logits).max() / step)
    below, above = (logits[1] - logits[0]) / step, (logits[2] - logits[1]) / step
    for index, place in enumerate(places):
        # Where a relu or a winner changes within the step there are two slopes.
        if np.abs(above[index] - below[index]).max() < 1e-3 * largest + 2 * rounding:
            seen += 1
            found = gains.reshape(len(gains), -1)[:, place]
            np.testing.assert_allclose(found, (above[index] + below[index]) / 2, atol=2e-3 * largest + rounding)
    assert seen > len(places) / 2


@pytest.mark.parametrize("trait", REFUSED)
def test_without_a_rule_the_network_is_adopted_and_says_what_keeps_it(tmp_path, trait):
    described, network = adopted(tmp_path, trait)
    assert described["credit"] == {"refused": REFUSED[trait]}
    assert network.creditor.fault == REFUSED[trait]
    assert not (tmp_path / "one" / "1" / "credit.onnx").exists()
    assert network.classify(probes(network.passport.input.shape)).logits.shape == (8, 4)


def test_few_graphs_of_adopted_networks_stay_open_and_a_closed_one_opens_again(tmp_path):
    _, first = adopted(tmp_path, "plain")
    networks = [first, *(Network(tmp_path / "one" / "1") for _ in range(3))]
    image = probes(first.passport.input.shape)[0]
    walked = [network.creditor.walk(image, np.eye(4)).gains["image"] for network in networks]
    assert [not network.creditor.bytes_to_open for network in networks] == [False, False, True, True]
    again = first.creditor.walk(image, np.eye(4)).gains["image"]
    assert [not network.creditor.bytes_to_open for network in networks] == [True, False, False, True]
    for each in (*walked, again):
        np.testing.assert_array_equal(each, walked[0])
