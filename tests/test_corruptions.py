"""Spoilt digits are read: fifteen kinds of MNIST-C's, none of which training has seen, through the normaliser."""

import re
from pathlib import Path

import numpy as np
import pytest

from service.core.digit import prepare
from tests.corruptions import KINDS, corrupted
from tests.networks import read

# What was measured on the whole test part, in per cent: models/README.md holds the table of every network.
SHARES = {
    "shot_noise": 95.3,
    "impulse_noise": 98.0,
    "glass_blur": 95.5,
    "motion_blur": 98.8,
    "shear": 99.3,
    "scale": 99.7,
    "rotate": 98.9,
    "brightness": 99.6,
    "translate": 99.7,
    "stripe": 97.8,
    "fog": 99.3,
    "spatter": 97.0,
    "dotted_line": 98.7,
    "zigzag": 90.7,
    "canny_edges": 92.4,
}
MEANS = {"digits": 97.0, "tiny": 96.5, "lecture": 94.0}  # over the kinds, on the whole test part


@pytest.fixture(scope="module")
def digits(mnist_test, proof):
    return mnist_test if proof else mnist_test[np.random.default_rng(15).choice(len(mnist_test), 100, replace=False)]


@pytest.fixture(scope="module")
def spoilt(digits):
    """Every kind of the digits, as the normaliser gives them."""
    return {kind: np.stack([prepare(one).image for one in corrupted(kind, digits.images, seed=1)]) for kind in KINDS}


@pytest.mark.parametrize("kind", KINDS)
def test_each_kind_is_read_as_well_as_was_measured(kind, digits, spoilt):
    share, wanted = np.mean(read("digits", spoilt[kind]) == digits.labels), SHARES[kind] / 100
    assert share > wanted - 0.003 - 3 * np.sqrt(wanted * (1 - wanted) / len(digits.labels))


@pytest.mark.parametrize("model", MEANS)
def test_the_mean_of_the_kinds_is_what_was_measured(model, digits, spoilt, proof):
    shares = {kind: 100 * np.mean(read(model, pictures) == digits.labels) for kind, pictures in spoilt.items()}
    mean = np.mean(list(shares.values()))
    assert mean >= MEANS[model] - (0 if proof else 2), shares


@pytest.mark.parametrize(("digit", "other"), [(6, 9), (9, 6)])
def test_upside_down_a_six_and_a_nine_are_each_other_as_was_measured(mnist_test, proof, digit, other):
    page = (Path(__file__).parents[1] / "models" / "README.md").read_text(encoding="utf-8")
    counts = re.search(r"first (\d+) test sixes (\d+) are.* nines (\d+) are", " ".join(page.split()))
    total, measured = int(counts[1]), int(counts[2 if digit == 6 else 3])
    images = mnist_test.images[mnist_test.labels == digit][:total]
    images = images if proof else images[np.random.default_rng(6).choice(total, 60, replace=False)]
    answers = read("digits", np.stack([prepare(image[::-1, ::-1] / 255).image for image in images]))
    assert abs(np.mean(answers == other) - measured / total) < (0.005 if proof else 0.12)


@pytest.mark.parametrize("kind", KINDS)
def test_a_kind_comes_from_its_seed_and_spoils(kind):
    images = np.zeros((4, 28, 28), np.uint8)
    images[:, 6:22, 12:16] = 200
    first, again = corrupted(kind, images, seed=1), corrupted(kind, images, seed=1)
    np.testing.assert_array_equal(first, again)
    assert (first != images).any(axis=(1, 2)).all()
    if kind not in ("scale", "brightness", "stripe", "canny_edges"):
        assert (first != corrupted(kind, images, seed=2)).any()
