"""Every shipped model is what its passport says: files, structure, numbers, measured again."""

import json
import os
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import numpy_helper

from service.network.files import BadModel
from service.network.sessions import Network
from tests.networks import output_names
from training.data.mnist import LabelledDigits
from training.evaluation.evaluate import evaluate
from training.export.runner import open_session, run_all
from training.networks.measures import expected_calibration_error
from training.novelty.strangers import KINDS, areas_by_kind

MODELS = Path(__file__).resolve().parents[3] / "models"
FOLDERS = sorted(path.parent for path in MODELS.glob("*/*/passport.json"))
PARAMETER_LIMITS = {"digits": 25_000, "tiny": 5_994}
BARS = {"digits": 0.993, "tiny": 0.99, "lecture": 0.97}
# The least chance that a stranger scores higher than a digit.
AREAS = {"letters": 0.985, "clothes": 0.99, "scribbles": 0.985, "textures": 0.99, "noise": 0.99}
SAMPLE = None if os.environ.get("FILTERSCOPE_PROOF") else 1000


@pytest.fixture(params=FOLDERS, ids=lambda folder: f"{folder.parent.name}-{folder.name}")
def folder(request):
    return request.param


@pytest.fixture(scope="module")
def digits(mnist_test):
    if SAMPLE is None:
        return mnist_test
    return mnist_test[np.random.default_rng(28).choice(len(mnist_test), SAMPLE, replace=False)]


def read_passport(folder):
    """What a model says about itself, its files checked."""
    return Network(folder).passport.raw


def initialisers(path):
    return {one.name: numpy_helper.to_array(one) for one in onnx.load(path).graph.initializer}


def test_the_default_model_is_shipped():
    assert MODELS / "digits" / "1" in FOLDERS


def test_the_passport_names_the_folder_and_describes_its_files(folder):
    passport = read_passport(folder)
    assert (passport["name"], passport["version"]) == (folder.parent.name, folder.name)
    assert passport["format"] == 1
    assert passport["labels"] == [str(digit) for digit in range(10)]
    for name, described in passport["files"].items():
        assert (folder / name).stat().st_size == described["bytes"]


def test_the_parameters_are_counted_again_from_the_file(folder):
    passport = read_passport(folder)
    for name in ("model.onnx", "analysis.onnx"):
        arrays = initialisers(folder / name)
        counted = sum(array.size for key, array in arrays.items() if key.endswith((".weight", ".bias")))
        assert counted == passport["parameters"]
    assert passport["parameters"] <= PARAMETER_LIMITS.get(passport["name"], 30_000)


def test_the_layers_of_the_passport_are_the_maps_of_the_file(folder):
    passport = read_passport(folder)
    session = open_session(folder / "analysis.onnx")
    names = output_names(session)
    answers = ["probabilities", "logits"] + (["novelty"] if "novelty" in passport else [])
    assert output_names(open_session(folder / "model.onnx")) == answers
    maps = []
    image = np.random.default_rng(1).random((1, 1, 28, 28)).astype(np.float32)
    for layer in passport["layers"][:-1]:
        mine = [f"{layer['name']}.pre", f"{layer['name']}.act"] if layer["op"] == "conv" else [layer["name"]]
        for came in session.run(mine, {"image": image}):
            assert list(came.shape[1:]) == layer["shape"]
        maps += mine
    assert names[: len(answers) + len(maps)] == answers + maps
    assert all(name.startswith("weights/") for name in names[len(answers) + len(maps) :])


def test_both_files_agree_with_each_other_and_with_the_reference(folder):
    from onnx.reference import ReferenceEvaluator

    images = np.random.default_rng(2).random((4, 1, 28, 28)).astype(np.float32)
    lean = open_session(folder / "model.onnx")
    names = output_names(lean)
    ours = run_all(lean, images, names)
    shown = run_all(open_session(folder / "analysis.onnx"), images, names)
    reference = ReferenceEvaluator(onnx.load(folder / "model.onnx")).run(names, {"image": images})
    for name, expected in zip(names, reference, strict=True):
        np.testing.assert_allclose(ours[name], shown[name], rtol=1e-4, atol=1e-5, err_msg=name)
        np.testing.assert_allclose(ours[name], expected, rtol=1e-4, atol=1e-4, err_msg=name)


def test_accuracy_measured_again_is_what_the_passport_says(folder, digits):
    result = evaluate(folder, digits)
    stated = result.passport["accuracy"]["test"]
    measured = result.measurement.accuracy
    if SAMPLE is None:
        assert measured == pytest.approx(stated, abs=1.5e-4), "one image may fall the other way on another processor"
    else:
        # Four standard errors of a sample of this size.
        assert abs(measured - stated) < 4 * np.sqrt(stated * (1 - stated) / SAMPLE)
    assert stated >= BARS.get(result.passport["name"], 0.97)
    assert result.largest_difference < 1e-4


def test_probabilities_are_the_softmax_of_the_logits_drawn_together_by_the_doubt(folder, digits):
    from scipy.special import logit, softmax

    calibration = read_passport(folder)["calibration"]
    images = digits.as_network_input()
    answers = run_all(open_session(folder / "model.onnx"), images, ["probabilities", "logits", "novelty"])
    novelty = answers["novelty"].astype(np.float64).clip(1e-7, 1 - 1e-7)
    line = calibration["doubt"]
    doubt = np.clip(line["slope"] * logit(novelty) + line["offset"], 0, line["most"])[:, None]
    certain = softmax(answers["logits"].astype(np.float64) / calibration["temperature"], axis=1)
    np.testing.assert_allclose(answers["probabilities"], (1 - doubt) * certain + doubt / 10, atol=2e-4)
    np.testing.assert_array_equal(answers["probabilities"].argmax(1), answers["logits"].argmax(1))
    if SAMPLE is None:
        error = expected_calibration_error(answers["probabilities"], digits.labels)
        assert error == pytest.approx(calibration["ece_test"], abs=2e-4)


def test_what_is_in_full_doubt_is_never_sure(folder):
    line = read_passport(folder)["calibration"]["doubt"]
    threshold = 1 / (1 + np.exp(-(line["most"] - line["offset"]) / line["slope"]))
    session = open_session(folder / "model.onnx")
    for kind, draw in KINDS.items():
        images = draw(200, 9)[:, None].astype(np.float32) / 255
        answers = run_all(session, images, ["probabilities", "novelty"])
        strange = answers["novelty"] > threshold
        assert strange.any(), kind
        assert answers["probabilities"][strange].max() < 0.9, kind


def test_few_digits_are_flagged_and_noise_is(folder, digits):
    result = evaluate(folder, digits)
    if result.flagged_share is None:
        pytest.skip("this network has no novelty output")
    assert result.flagged_share < 0.03
    noise = np.random.default_rng(3).random((200, 1, 28, 28)).astype(np.float32)
    scores = run_all(open_session(folder / "model.onnx"), noise, ["novelty"])["novelty"]
    assert (scores > result.passport["novelty"]["threshold"]).mean() > 0.95


def test_strangers_are_told_from_digits_as_the_passport_says(folder, digits):
    stated = read_passport(folder)["novelty"]["area_under_roc"]
    session = open_session(folder / "model.onnx")

    def score(part):
        return run_all(session, part.as_network_input(), ["novelty"])["novelty"]

    for kind, area in areas_by_kind(score, digits, 200, seed=2).items():
        assert stated[kind] > AREAS[kind]
        assert area > stated[kind] - 0.01, kind


def test_a_file_that_was_changed_is_refused(tmp_path):
    import shutil

    nothing = LabelledDigits(np.zeros((1, 28, 28), np.uint8), np.zeros(1, np.uint8))
    copy = tmp_path / "digits" / "1"
    shutil.copytree(MODELS / "digits" / "1", copy)
    evaluate(copy, nothing)
    (copy / "model.onnx").write_bytes((copy / "model.onnx").read_bytes() + b"\0")
    with pytest.raises(BadModel, match="SHA-256 is"):
        evaluate(copy, nothing)
    (copy / "model.onnx").unlink()
    with pytest.raises(BadModel, match=r"model\.onnx: No such file"):
        evaluate(copy, nothing)
    with pytest.raises(BadModel, match=r"passport\.json: No such file"):
        evaluate(tmp_path, nothing)


def test_a_model_folder_may_be_named_from_inside_it(monkeypatch):
    monkeypatch.chdir(MODELS / "digits" / "1")
    blank = LabelledDigits(np.zeros((1, 28, 28), np.uint8), np.zeros(1, np.uint8))
    assert evaluate(Path(), blank).passport["name"] == "digits"


def test_seeds_are_reported_and_the_shipped_one_is_best_on_validation_or_says_of_what_it_is_best(folder):
    rates = json.loads((folder / "passport.json").read_text(encoding="utf-8"))["accuracy"]
    if "seeds" not in rates:
        pytest.skip("this network was trained alone")
    best = max(row["validation"] for row in rates["seeds"])
    shipped = next(row for row in rates["seeds"] if row["seed"] == rates["seed"])
    assert shipped["validation"] == best or rates["chosen"].startswith("the best on the validation part among those")
    assert rates["test_mean_of_seeds"] == pytest.approx(np.mean([row["test"] for row in rates["seeds"]]))
    assert rates["test_worst_seed"] == min(row["test"] for row in rates["seeds"])
