"""`quick` writes a model folder."""

import json
import subprocess
import sys

import numpy as np
import torch

from training.data.mnist import LabelledDigits
from training.study.quick import lessons_of


def test_quick_writes_a_model_folder_and_says_how_long_it_took(folder, tmp_path, monkeypatch, run):
    import training.data.mnist

    monkeypatch.setattr(training.data.mnist.load_mnist, "__defaults__", (100,))
    result = run("quick", "--data", folder, "--models", tmp_path)
    assert result.exit_code == 0, result.output
    passport = json.loads((tmp_path / "quick" / "1" / "passport.json").read_text())
    assert "novelty" not in passport
    assert passport["export"]["images"] == 100
    assert f"test {passport['accuracy']['test']:.2%} after " in result.output
    assert result.output.startswith("quick: 2 epochs of ")


def test_lessons_go_on_where_the_one_before_ended():
    images = np.arange(10, dtype=np.uint8)[:, None, None].repeat(28, 1).repeat(28, 2)
    lessons = lessons_of(LabelledDigits(images, np.arange(10, dtype=np.uint8)), 4)
    shown = [lessons(epoch).images[:, 0, 0, 0].tolist() for epoch in range(3)]
    assert shown == [[0, 1, 2, 3], [4, 5, 6, 7], [8, 9, 0, 1]]
    assert torch.equal(lessons(1).labels, torch.tensor([4, 5, 6, 7]))
    assert len(lessons_of(LabelledDigits(images, np.arange(10, dtype=np.uint8)), 99)(0).labels) == 10


def test_what_quick_has_no_use_for_is_not_imported():
    """Each of them takes a part of a second, of the few that there are."""
    code = "import sys, training.study.quick; print(*sorted(sys.modules))"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert not {"matplotlib", "scipy.stats", "scipy.optimize", "scipy.ndimage"} & set(loaded)
