"""The compiled walk back of a network of ours is the one in NumPy."""

import json
import shutil

import numpy as np
import pytest

from service.core.ledger import head_weights
from service.core.relevance import walk_back
from service.lab.explain.case import Case
from service.network.sessions import Network
from service.settings import SHIPPED_MODELS
from tests.networks import STRUCTURES, random_weights, write_model
from training.export.credit import add_credit

SHIPPED = ("digits", "tiny", "lecture")


def strokes(random, count):
    """Pictures that are paper in most places."""
    return np.clip(random.normal(-0.5, 1, (count, 1, 28, 28)), 0, 1).astype(np.float32)


def both(network, image, weights, seeds, added=None):
    """The walk in NumPy, from weights at what the head reads, and the compiled one."""
    verdicts, maps = network.analyse(image[None], list(network.passport.map_shapes()))
    maps = {name: each[0] for name, each in maps.items()}
    case = Case(network, None, image, maps, network.weights, {}, verdicts.logits[0], None)
    layers = [layer.name for layer in network.passport.layers[:-1]]
    return walk_back(weights, case.passes()), network.creditor.walk(image, seeds, layers, added), case


def assert_same(found, wanted):
    assert np.abs(found - wanted).max() <= 1e-5 * max(1, np.abs(wanted).max())


@pytest.fixture(scope="module", params=[*SHIPPED, *STRUCTURES])
def network(request, tmp_path_factory):
    name = request.param
    if name in SHIPPED:
        return Network(SHIPPED_MODELS / name / "1")
    folder = tmp_path_factory.mktemp("models")
    return Network(write_model(folder, name, STRUCTURES[name], random_weights(STRUCTURES[name], 5)))


def test_it_finds_what_the_walk_in_numpy_finds_for_every_class(network):
    passport = network.passport
    head = head_weights(network.weights["head.weight"], passport.head.in_shape, passport.head.reduce)
    for image in strokes(np.random.default_rng(1), 4):
        wanted, found, case = both(network, image, head, np.eye(10))
        assert_same(found.gains["image"], wanted.gains)
        assert list(found.filters) == list(wanted.filters)
        for name, filters in wanted.filters.items():
            assert_same(found.filters[name], filters)
            assert_same(found.biases[name], wanted.biases[name].sum(axis=1))
        assert set(found.biases) == {*wanted.filters, "head"}
        for layer in passport.layers[:-1]:
            # Of a window whose cells are all 0 either cell may have won: a share is compared, not a gain.
            cells = case.maps[layer.maps[-1]]
            shares = found.gains[layer.name] * cells
            assert_same(shares, walk_back(head, case.passes(layer.name)).shares(cells))
            assert_same(found.bases[layer.name] + shares.sum(axis=(1, 2, 3)), case.logits)


def test_gains_may_be_let_in_where_the_head_reads(network):
    random = np.random.default_rng(2)
    added = random.normal(size=(3, *network.passport.head.in_shape))
    (image,) = strokes(random, 1)
    wanted, found, _ = both(network, image, added, np.zeros((3, 10)), added)
    assert_same(found.gains["image"], wanted.gains)


def test_only_a_linear_network_needs_no_gate(network):
    layers = network.passport.layers[:-1]
    for index, layer in enumerate(layers):
        behind = layers[index + 1 :]
        is_linear = all(each.op != "maxpool" and each.activation == "linear" for each in behind)
        assert network.passport.credit.exactness[layer.name] == ("global" if is_linear else "gates")
    assert network.passport.whole == tuple(layer.name for layer in layers)


def test_a_folder_without_one_is_given_one(tmp_path):
    shutil.copytree(SHIPPED_MODELS / "tiny" / "1", tmp_path / "tiny" / "1")
    folder = tmp_path / "tiny" / "1"
    before = json.loads((folder / "passport.json").read_text())
    content = (folder / "credit.onnx").read_bytes()
    (folder / "credit.onnx").unlink()
    without = {name: value for name, value in before.items() if name != "credit"}
    without["files"] = {name: value for name, value in before["files"].items() if name != "credit.onnx"}
    (folder / "passport.json").write_text(json.dumps(without))
    assert Network(folder).creditor.fault
    assert add_credit(folder) == folder / "credit.onnx"
    assert (folder / "credit.onnx").read_bytes() == content
    assert json.loads((folder / "passport.json").read_text()) == before
    assert not Network(folder).creditor.fault
