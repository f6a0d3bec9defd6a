"""The client with networks of someone else's: labels and arrays, whatever their size, colour and classes."""

import numpy as np
import pytest

from service.adopt.adoption import make_model
from service.adopt.asked import AdoptionOptions
from service.app import create_app
from service.settings import SHIPPED_MODELS, Settings
from tests.adopt import traits
from tests.client.in_process import client_of


@pytest.fixture(scope="module")
def app(tmp_path_factory):
    folder = tmp_path_factory.mktemp("models")
    (folder / "tiny").symlink_to(SHIPPED_MODELS / "tiny")
    for name, make, count in (("few", traits.colour, traits.CLASSES), ("many", traits.many_classes, traits.MANY)):
        place = folder / name / "1"
        place.mkdir(parents=True)
        (folder / f"{name}.onnx").write_bytes(make().SerializeToString())
        labels = tuple(f"kind {index}" for index in range(count))
        make_model(AdoptionOptions(
            model=str(folder / f"{name}.onnx"), folder=str(place), name=name, version="1", labels=labels
        ))  # fmt: skip
    return create_app(Settings(models=str(folder), default_model="tiny"))


@pytest.fixture(scope="module")
def pictures():
    return list(np.random.default_rng(6).integers(0, 256, (3, 40, 30, 3)).astype(np.uint8))


@pytest.mark.parametrize(("name", "count"), [("few", traits.CLASSES), ("many", traits.MANY)])
def test_verdicts_are_labels_and_arrays_whatever_the_number_of_classes(app, pictures, name, count):
    verdicts = client_of(app).classify(pictures, model=name)
    assert verdicts.probabilities.shape == verdicts.logits.shape == (3, count)
    np.testing.assert_array_equal(verdicts.classes, verdicts.logits.argmax(axis=1))
    assert verdicts.labels == tuple(f"kind {index}" for index in verdicts.classes)
    for verdict in verdicts:
        assert verdict.label == f"kind {verdict.class_}"
        assert (verdict.novelty, verdict.is_digit) == (None, None)
        assert verdict.prepared["fit"] == "stretch"


def test_maps_edits_and_explanations_are_arrays_of_its_own_size(app, pictures):
    client = client_of(app)
    maps = client.feature_maps(pictures, model="few")
    assert {name: array.shape for name, array in maps.items()} == {
        "conv1.act": (3, 6, 30, 18), "pool1": (3, 6, 15, 9), "pool2": (3, 6, 1, 1),
    }  # fmt: skip
    what = client.what_if(pictures[:1], [{"layer": "conv1", "filter": 0, "action": "off"}], model="many")
    assert what.difference.shape == (1, traits.MANY)
    np.testing.assert_allclose(what.after.logits - what.before.logits, what.difference, atol=1e-4)
    (found,) = client.explain(pictures[0], "occlusion", model="few")
    assert found["map"].shape == (32, 20)
    (found,) = client.explain(pictures[0], "ledger", model="few")
    assert (found["shares"]["places"].shape, found["exactness"]) == ((4, 15, 9), "global")
    assert client.learnt_filters("conv1", "few").shape == (6, 3, 3, 3)
