"""The knobs of the seam network: shares that are shares, and those that the shipped file was made with."""

import hashlib
import json
from dataclasses import asdict

import pytest

from service.core.numbers.seams import STRIDE
from service.network.seams import FOLDER
from training.seams.knobs import SeamKnobs


def test_shares_of_strings_add_up():
    assert sum(SeamKnobs().composed.counts) == pytest.approx(1)


def test_the_shipped_file_was_made_with_these_knobs():
    passport = json.loads((FOLDER / "passport.json").read_text())
    assert passport["recipe"] == json.loads(json.dumps(asdict(SeamKnobs())))
    content = (FOLDER / "model.onnx").read_bytes()
    assert passport["files"]["model.onnx"] == {"sha256": hashlib.sha256(content).hexdigest(), "bytes": len(content)}
    assert 2 ** len(SeamKnobs().channels) == STRIDE
