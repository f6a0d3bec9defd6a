"""Every call of the client on adopted networks: an answer in its own type, or the refusal that the service gave."""

# ruff: noqa: E402  # without httpx there is nothing to import

import numpy as np
import pytest

httpx = pytest.importorskip("httpx", reason="httpx, the extra [client], is not installed")

from service.adopt.adoption import make_model
from service.adopt.asked import AdoptionOptions
from service.app import create_app
from service.client import Refused
from service.client.answers import verdicts_of
from service.client.calls import Calls
from service.settings import SHIPPED_MODELS, Settings
from tests.adopt import traits
from tests.client.in_process import client_of
from tests.serving import ROOT

THREE = ROOT / "tests" / "three.png"
LABELS = ("round", "square", "long", "odd")
NETWORKS = {"nets": traits.squeeze_and_excite, "plain": traits.plain, "dense": traits.no_maps, "colour": traits.colour}
SWITCHED_OFF = [{"layer": "conv1", "filter": 0, "action": "off"}]
# What each call that takes a network is asked.
ASKED = {
    "classify": lambda caller, name: caller.classify([THREE, THREE], model=name),
    "read": lambda caller, name: caller.read(THREE, model=name),
    "feature_maps": lambda caller, name: caller.feature_maps(THREE, model=name),
    "explain": lambda caller, name: caller.explain(THREE, "pixels", model=name),
    "what_if": lambda caller, name: caller.what_if(THREE, SWITCHED_OFF, model=name),
    "versions": lambda caller, name: caller.versions(name),
    "model": lambda caller, name: caller.model(name),
    "learnt_filters": lambda caller, name: caller.learnt_filters("conv1", name),
    "report": lambda caller, name: caller.report(name),
    "history": lambda caller, name: caller.history(name),
}
WITHOUT_NETWORK = {"apply_filters", "patches", "models", "filters", "filter", "limits", "ready"}


@pytest.fixture(scope="module")
def app(tmp_path_factory):
    folder = tmp_path_factory.mktemp("models")
    (folder / "tiny").symlink_to(SHIPPED_MODELS / "tiny")
    for name, make in NETWORKS.items():
        place = folder / name / "1"
        place.mkdir(parents=True)
        file = folder / f"{name}.onnx"
        file.write_bytes(make().SerializeToString())
        make_model(AdoptionOptions(model=str(file), folder=str(place), name=name, version="1", labels=LABELS))
    return create_app(Settings(models=str(folder), default_model="tiny"))


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize("call", ASKED)
def test_a_call_on_an_adopted_network_is_answered_or_refused_by_the_service(app, call, name):
    try:
        assert ASKED[call](client_of(app), name) is not None
    except Refused as refusal:
        status = refusal.status
    else:
        status = 200
    assert status in {200, 404, 409, 422}


def test_every_call_of_the_client_is_tried_on_them():
    calls = {name for name in vars(Calls) if not name.startswith("_")}
    assert calls == {*ASKED, *WITHOUT_NETWORK}


def test_verdicts_have_the_class_and_its_label(app):
    caller = client_of(app)
    verdicts = caller.classify([THREE, THREE], model="plain")
    answer = app.test_client().post("/v1/classify?model=plain", data=THREE.read_bytes()).json["results"][0]
    for verdict in verdicts:
        assert (verdict.class_, verdict.label) == (answer["class"], answer["label"])
        assert [each._asdict() for each in verdict.top] == [
            {"label": each["label"], "class_": each["class"], "confidence": each["confidence"]}
            for each in answer["top"]
        ]
        assert verdict.top[0][:2] == (verdict.label, verdict.class_)
        np.testing.assert_allclose(verdict.probabilities, answer["probabilities"], rtol=1e-6)
    assert verdicts.labels == (answer["label"],) * 2
    assert verdicts.classes.tolist() == [answer["class"]] * 2
    digits = caller.classify(THREE)
    assert (digits.labels, digits.classes.tolist(), digits[0].class_, digits[0].top) == (("3",), [3], 3, ())


@pytest.mark.parametrize("name", ["plain", "tiny"])
def test_what_a_network_does_not_tell_or_measure_is_none(app, name):
    verdicts = client_of(app).classify([THREE, THREE], model=name)
    answer = app.test_client().post(f"/v1/classify?model={name}", data=THREE.read_bytes()).json["results"][0]
    columns = {"digit": "digits", "doubt": "doubts", "novelty": "novelties", "is_digit": "are_digits"}
    for member, column in columns.items():
        values = [getattr(verdict, member) for verdict in verdicts]
        if member not in answer:
            assert (values, getattr(verdicts, column)) == ([None] * 2, None)
        else:
            assert values == pytest.approx([answer[member]] * 2, rel=1e-6)
            assert getattr(verdicts, column).tolist() == values
    assert len(verdicts) == 2


def test_an_edited_networks_verdicts_are_named_too(app):
    edited = client_of(app).what_if(THREE, SWITCHED_OFF, model="plain")
    for verdicts in (edited.before, edited.after):
        assert verdicts.labels[0] == LABELS[verdicts.classes[0]]


def test_its_explanations_have_arrays_that_add_up(app):
    (found,) = client_of(app).explain(THREE, "pixels", model="nets")
    parts = [found["head_bias"], *found["shares"]["biases"].values(), *found["shares"]["pixels"].ravel()]
    assert sum(parts) == pytest.approx(found["value"], abs=1e-5)


def test_where_an_answer_leaves_the_numbers_of_its_classes_out_they_are_none():
    results = [{"label": "stop", "class": 300, "confidence": 0.5, "top": []}] * 2
    verdicts = verdicts_of(results, {"model": "signs", "version": "1", "sha256": ""})
    assert verdicts.probabilities.shape == verdicts.logits.shape == (2, 0)
    assert [(each.class_, each.label, each.confidence) for each in verdicts] == [(300, "stop", 0.5)] * 2


def test_where_one_of_several_results_lacks_a_number_it_is_no_answer():
    whole = {"class": 1, "confidence": 0.5, "probabilities": [0.5, 0.5], "logits": [0, 0]}
    with pytest.raises(KeyError):
        verdicts_of([whole, {"class": 1, "confidence": 0.5}], {"model": "signs", "version": "1", "sha256": ""})
