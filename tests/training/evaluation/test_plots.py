"""What is plotted can be seen."""

import numpy as np
from PIL import Image


def test_what_was_learnt_is_drawn(trained):
    _, out = trained
    for name in ("lecture-learning-curve", "lecture-confusion", "lecture-filters"):
        with Image.open(out / "pictures" / f"{name}.png") as picture:
            assert picture.format == "PNG"
            low, high = picture.convert("L").getextrema()
            assert low < high, f"{name} is blank"


def test_samples_are_drawn_as_they_are_and_as_pencil(folder, tmp_path, monkeypatch, run):
    import training.data.mnist

    monkeypatch.setattr(training.data.mnist.load_mnist, "__defaults__", (100,))
    result = run("samples", "--data", folder, "--pictures", tmp_path)
    assert result.exit_code == 0, result.output
    native = np.asarray(Image.open(tmp_path / "samples-native.png").convert("L")).astype(int)
    pencil = np.asarray(Image.open(tmp_path / "samples-pencil.png").convert("L")).astype(int)
    middle = (slice(40, -40), slice(40, -40))
    assert native[middle].mean() < 100
    assert pencil[middle].mean() > 155
