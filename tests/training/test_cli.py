"""The real commands, run end to end on a small drawn set of digits."""

import json

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image

from training.cli import main
from training.data.mnist import CHECKSUMS, load_mnist
from training.knobs import STRUCTURES, Knobs, StudyKnobs
from training.networks.fit import accuracy, fit
from training.networks.structure import Conv, Pool, Structure


@pytest.fixture(scope="module")
def folder(tmp_path_factory, write_drawn_digits):
    return write_drawn_digits(tmp_path_factory.mktemp("digits"), train_count=700, test_count=100)


def run(*arguments):
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


@pytest.fixture(scope="module")
def trained(folder, tmp_path_factory):
    out = tmp_path_factory.mktemp("out")
    common = ("--data", folder, "--models", out / "models", "--pictures", out / "pictures", "--seed", 3)
    few = ("--epochs", 1, "--validation-count", 100, "--batch-size", 20, "--threads", 1)
    result = run("train", "lecture", *common, *few)
    return result, out


def test_one_epoch_writes_a_model_folder_and_says_what_it_reached(trained):
    result, out = trained
    assert result.exit_code == 0, result.output
    passport = json.loads((out / "models" / "lecture" / "1" / "passport.json").read_text())
    assert passport["accuracy"]["split"] == {"train": 600, "validation": 100, "test": 100}
    assert passport["accuracy"]["seed"] == 3
    assert passport["recipe"]["epochs"] == 1
    assert passport["export"]["max_probability_difference"] < 1e-5
    assert passport["parameters"] == 6010
    assert f"seed 3: validation {passport['accuracy']['validation']:.2%}" in result.output


def test_what_was_learnt_is_drawn(trained):
    _, out = trained
    for name in ("lecture-learning-curve", "lecture-confusion", "lecture-filters"):
        with Image.open(out / "pictures" / f"{name}.png") as picture:
            assert picture.format == "PNG"
            low, high = picture.convert("L").getextrema()
            assert low < high, f"{name} is blank"


def test_evaluate_measures_what_train_wrote_into_the_passport(trained, folder, monkeypatch):
    import training.data.mnist

    _, out = trained
    # The drawn set is smaller than the split that evaluate takes for granted.
    monkeypatch.setattr(training.data.mnist.load_mnist, "__defaults__", (100,))
    result = run("evaluate", out / "models" / "lecture" / "1", "--data", folder, "--pictures", out / "again")
    assert result.exit_code == 0, result.output
    passport = json.loads((out / "models" / "lecture" / "1" / "passport.json").read_text())
    assert f"test: {passport['accuracy']['test']:.2%} of 100 right" in result.output
    for drawing in ("confusion", "filters"):
        once, again = (out / where / f"lecture-{drawing}.png" for where in ("pictures", "again"))
        np.testing.assert_array_equal(np.asarray(Image.open(once)), np.asarray(Image.open(again)))


def test_samples_are_drawn_as_they_are_and_as_pencil(folder, tmp_path, monkeypatch):
    import training.data.mnist

    monkeypatch.setattr(training.data.mnist.load_mnist, "__defaults__", (100,))
    result = run("samples", "--data", folder, "--pictures", tmp_path)
    assert result.exit_code == 0, result.output
    native = np.asarray(Image.open(tmp_path / "samples-native.png").convert("L")).astype(int)
    pencil = np.asarray(Image.open(tmp_path / "samples-pencil.png").convert("L")).astype(int)
    middle = (slice(40, -40), slice(40, -40))
    assert native[middle].mean() < 100
    assert pencil[middle].mean() > 155


def test_quick_writes_a_model_folder_and_says_how_long_it_took(folder, tmp_path, monkeypatch):
    import training.data.mnist

    monkeypatch.setattr(training.data.mnist.load_mnist, "__defaults__", (100,))
    result = run("quick", "--data", folder, "--models", tmp_path)
    assert result.exit_code == 0, result.output
    passport = json.loads((tmp_path / "quick" / "1" / "passport.json").read_text())
    assert "novelty" not in passport
    assert passport["export"]["images"] == 100
    assert f"test {passport['accuracy']['test']:.2%} after " in result.output


def test_a_problem_with_the_digits_is_one_line(tmp_path):
    result = run("train", "lecture", "--data", tmp_path / "nothing", "--models", tmp_path)
    assert result.exit_code == 1
    assert result.output.startswith("Error: ")
    assert "missing: " + next(iter(CHECKSUMS)) in result.output
    assert "Traceback" not in result.output


@pytest.mark.parametrize("command", ["evaluate", "report"])
def test_a_model_folder_without_a_passport_is_one_line(folder, tmp_path, monkeypatch, command):
    import training.data.mnist

    monkeypatch.setattr(training.data.mnist.load_mnist, "__defaults__", (100,))
    result = run(command, tmp_path, "--data", folder)
    assert result.exit_code == 1
    assert result.output == f"Error: {tmp_path}/passport.json: No such file\n"


def test_training_learns_and_a_seed_gives_the_same_network_again(folder):
    data = load_mnist(folder, 100)
    structure = Structure((Conv(4, (5, 5), (2, 2)), Pool()))
    knobs = Knobs(epochs=6, batch_size=20, average_steps=20, validate_every=100, precision="float32", seed=5)
    first, again = (fit(structure, data, knobs, threads=1) for _ in range(2))
    assert accuracy(first.network, data.test) > 0.6, "chance is 0.1"
    assert first.history.train_loss == again.history.train_loss
    assert first.history.train_loss[-1] < first.history.train_loss[0]


def test_every_shipped_structure_keeps_its_weight_budget():
    from training.networks.structure import parameter_count

    assert parameter_count(STRUCTURES["digits"]) <= 25_000
    assert parameter_count(STRUCTURES["tiny"]) <= 5_994
    assert STRUCTURES["lecture"].stages[0] == Conv(20, (7, 7), (2, 2), activation="tanh")


def test_the_study_trains_nothing_on_the_test_part_and_names_each_network_once():
    knobs = StudyKnobs()
    assert len(set(knobs.teachers)) == len(knobs.teachers)
    assert {name for name, _ in knobs.students} <= set(STRUCTURES)
