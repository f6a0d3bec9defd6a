"""Negatives come from their seed, whoever draws them, and stay what they were."""

import hashlib

import numpy as np

from training.data.mnist import LabelledDigits
from training.novelty import negatives
from training.novelty.negatives import drawn, from_digits


def drawn_part(count, seed):
    random = np.random.default_rng(seed)
    images = np.zeros((count, 28, 28), np.uint8)
    images[:, 6:22, 12:16] = random.integers(128, 256, (count, 16, 4))
    return LabelledDigits(images, random.integers(0, 10, count, dtype=np.uint8))


def test_the_pictures_it_learns_from_come_from_their_seed():
    part = drawn_part(64, 3)
    np.testing.assert_array_equal(from_digits(part, 4), from_digits(part, 4))
    assert (from_digits(part, 4) != from_digits(part, 5)).any()
    np.testing.assert_array_equal(drawn(40, 4), drawn(40, 4))
    assert (drawn(40, 4) != drawn(40, 5)).any()


def test_drawn_negatives_are_the_same_however_many_processes_draw(monkeypatch):
    monkeypatch.setattr(negatives, "_AT_A_TIME", 30)
    alone = drawn(70, 6)
    assert alone.shape == (70, 28, 28)
    np.testing.assert_array_equal(alone, drawn(70, 6, workers=2))


def test_a_seed_makes_the_negatives_that_it_always_made():
    assert digest_of(drawn(300, 4)) == "b5e873c06998b059"
    assert digest_of(from_digits(drawn_part(64, 3), 4)) == "3058b514268d607f"


def digest_of(pictures):
    return hashlib.sha256(pictures.tobytes() + str(pictures.shape).encode()).hexdigest()[:16]
