"""What is no digit is told from what is one, by pictures made from a seed."""

import numpy as np
import pytest

from training.data.mnist import Part
from training.novelty import negatives
from training.novelty.glyphs import GLYPHS, strokes
from training.novelty.negatives import DRAWN, drawn, from_digits
from training.novelty.reader import fit_novelty, novelty_of
from training.novelty.strangers import KINDS


def drawn_part(count, seed):
    random = np.random.default_rng(seed)
    images = np.zeros((count, 28, 28), np.uint8)
    images[:, 6:22, 12:16] = random.integers(128, 256, (count, 16, 4))
    return Part(images, random.integers(0, 10, count, dtype=np.uint8))


def coarse(part):
    """A stand-in for a network's features: the picture in squares of 4 x 4."""
    return part.images.reshape(-1, 7, 4, 7, 4).mean((2, 4)).reshape(len(part), 49).astype(np.float32) / 255


@pytest.mark.parametrize("kind", KINDS)
def test_strangers_come_from_their_seed_and_hold_ink(kind):
    first, again, other = (KINDS[kind](12, seed) for seed in (1, 1, 2))
    assert first.shape == (12, 28, 28)
    assert first.dtype == np.uint8
    np.testing.assert_array_equal(first, again)
    assert (first != other).any()
    assert first.max((1, 2)).min() > 60, "every picture has something to see"


def test_one_digit_in_a_hundred_lies_above_the_threshold():
    validation = drawn_part(2000, 2)
    novelty = fit_novelty(coarse, drawn_part(800, 1), validation)
    flagged = novelty_of(novelty, coarse(validation)) > novelty.threshold
    assert flagged.mean() == pytest.approx(0.01, abs=0.001)


def test_what_was_never_seen_in_training_is_told_apart():
    novelty = fit_novelty(coarse, drawn_part(800, 1), drawn_part(500, 2))
    for kind in ("clothes", "textures"):
        pictures = KINDS[kind](100, 3)
        scores = novelty_of(novelty, coarse(Part(pictures, np.zeros(100, np.uint8))))
        assert (scores > novelty.threshold).mean() > 0.9, kind


def test_the_pictures_it_learns_from_come_from_their_seed():
    part = drawn_part(64, 3)
    np.testing.assert_array_equal(from_digits(part, 4), from_digits(part, 4))
    assert (from_digits(part, 4) != from_digits(part, 5)).any()
    np.testing.assert_array_equal(drawn(40, 4), drawn(40, 4))
    assert (drawn(40, 4) != drawn(40, 5)).any()


@pytest.mark.parametrize("kind", DRAWN)
def test_every_kind_of_drawn_negative_is_a_picture_with_something_in_it(kind):
    random = np.random.default_rng(6)
    pictures = [DRAWN[kind](random) for _ in range(20)]
    assert all(picture.dtype == np.uint8 and picture.ndim == 2 for picture in pictures)
    assert np.mean([np.ptp(picture) > 0 for picture in pictures]) > 0.9


def test_drawn_negatives_are_the_same_however_many_processes_draw(monkeypatch):
    monkeypatch.setattr(negatives, "_AT_A_TIME", 30)
    alone = drawn(70, 6)
    assert alone.shape == (70, 28, 28)
    np.testing.assert_array_equal(alone, drawn(70, 6, workers=2))


def test_every_glyph_is_strokes_within_its_box():
    for glyph in GLYPHS:
        for points, _ in strokes(glyph):
            assert len(points) >= 2, glyph
            assert (points >= 0).all(), glyph
            assert (points <= 1).all(), glyph
