"""`train` writes a model folder."""

import json


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
