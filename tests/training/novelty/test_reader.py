"""What is no digit is told from what is one, by pictures made from a seed."""

import numpy as np
import pytest

from training.data.mnist import LabelledDigits
from training.novelty.reader import fit_novelty
from training.novelty.strangers import KINDS
from training.novelty.weights import novelty_of


def drawn_part(count, seed):
    random = np.random.default_rng(seed)
    images = np.zeros((count, 28, 28), np.uint8)
    images[:, 6:22, 12:16] = random.integers(128, 256, (count, 16, 4))
    return LabelledDigits(images, random.integers(0, 10, count, dtype=np.uint8))


def coarse(part):
    """A stand-in for a network's features: the picture in squares of 4 x 4."""
    return part.images.reshape(-1, 7, 4, 7, 4).mean((2, 4)).reshape(len(part), 49).astype(np.float32) / 255


def test_one_digit_in_a_hundred_lies_above_the_threshold():
    validation = drawn_part(2000, 2)
    novelty = fit_novelty(coarse, drawn_part(800, 1), validation)
    flagged = novelty_of(novelty, coarse(validation)) > novelty.threshold
    assert flagged.mean() == pytest.approx(0.01, abs=0.001)


def test_what_was_never_seen_in_training_is_told_apart():
    novelty = fit_novelty(coarse, drawn_part(800, 1), drawn_part(500, 2))
    for kind in ("clothes", "textures"):
        pictures = KINDS[kind](100, 3)
        scores = novelty_of(novelty, coarse(LabelledDigits(pictures, np.zeros(100, np.uint8))))
        assert (scores > novelty.threshold).mean() > 0.9, kind
