"""`quick` writes a model folder."""

import json


def test_quick_writes_a_model_folder_and_says_how_long_it_took(folder, tmp_path, monkeypatch, run):
    import training.data.mnist

    monkeypatch.setattr(training.data.mnist.load_mnist, "__defaults__", (100,))
    result = run("quick", "--data", folder, "--models", tmp_path)
    assert result.exit_code == 0, result.output
    passport = json.loads((tmp_path / "quick" / "1" / "passport.json").read_text())
    assert "novelty" not in passport
    assert passport["export"]["images"] == 100
    assert f"test {passport['accuracy']['test']:.2%} after " in result.output
