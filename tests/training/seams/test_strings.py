"""Composed strings of touching digits: seeded, as the service sees them, with seams where two digits touch."""

import numpy as np
import pytest

from service.core.numbers.seams import STRIDE
from tests.drawing import draw
from training.data.mnist import LabelledDigits
from training.seams.knobs import StringKnobs
from training.seams.strings import PAPER, seam_strings, stroke_widths

DIGITS = (1, 2, 3, 4, 7)
DRAWN = LabelledDigits(np.array([255 - draw(digit, 28) for digit in DIGITS]), np.array(DIGITS, np.uint8))
CLEAN = StringKnobs(counts=(0.0, 1.0), gap_share=0.0, noise=0.0, blur_share=0.0, pen=1.0)


def test_strings_of_one_seed_are_the_same_and_of_two_are_not():
    one, same, other = (list(seam_strings(DRAWN, 3, seed, StringKnobs())) for seed in (1, 1, 2))
    for a, b in zip(one, same, strict=True):
        assert all(np.array_equal(x, y) for x, y in zip(a.__dict__.values(), b.__dict__.values(), strict=True))
    assert any(a.ink.shape != b.ink.shape or (a.ink != b.ink).any() for a, b in zip(one, other, strict=True))


@pytest.mark.parametrize("seed", range(4))
def test_a_string_is_a_picture_as_the_network_wants_it(seed):
    for string in seam_strings(DRAWN, 4, seed, StringKnobs()):
        assert string.ink.shape == string.seam.shape == string.classes.shape
        assert [side % STRIDE for side in string.ink.shape] == [0, 0]
        assert 0 <= string.ink.min() < string.ink.max() <= 1.001
        assert set(np.unique(string.classes)) <= {*DIGITS, PAPER}


@pytest.mark.parametrize("seed", range(4))
def test_two_digits_touch_at_a_seam_that_has_ink_of_both_beside_it(seed):
    for string in seam_strings(DRAWN, 4, seed, CLEAN):
        rows, columns = np.nonzero(string.seam > 0.3)
        assert len(rows)
        assert string.ink[rows, columns].min() > 0.05
        lone = StringKnobs(counts=(1.0,), noise=0.0)
        assert max(one.seam.max() for one in seam_strings(DRAWN, 2, seed, lone)) == 0
        assert len(set(np.unique(string.classes)) - {PAPER}) <= 2


def test_strokes_twice_as_wide_are_measured_so():
    bars = np.zeros((2, 28, 28), np.uint8)
    bars[0, 4:24, 12:16] = bars[1, 4:24, 10:18] = 255
    thin, thick = stroke_widths(LabelledDigits(bars, np.zeros(2, np.uint8)))
    assert 1.5 < thick / thin < 2.2
