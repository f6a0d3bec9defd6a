"""The real commands, run end to end on a small drawn set of digits."""

import json

import numpy as np
import pytest
from PIL import Image

from training.data.mnist import CHECKSUMS


def test_evaluate_measures_what_train_wrote_into_the_passport(trained, folder, monkeypatch, run):
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


def test_a_problem_with_the_digits_is_one_line(tmp_path, run):
    result = run("train", "lecture", "--data", tmp_path / "nothing", "--models", tmp_path)
    assert result.exit_code == 1
    assert result.output.startswith("Error: ")
    assert "missing: " + next(iter(CHECKSUMS)) in result.output
    assert "Traceback" not in result.output


@pytest.mark.parametrize("command", ["evaluate", "report"])
def test_a_model_folder_without_a_passport_is_one_line(folder, tmp_path, monkeypatch, command, run):
    import training.data.mnist

    monkeypatch.setattr(training.data.mnist.load_mnist, "__defaults__", (100,))
    result = run(command, tmp_path, "--data", folder)
    assert result.exit_code == 1
    assert result.output == f"Error: {tmp_path}: passport.json: No such file\n"
