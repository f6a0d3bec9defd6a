"""Digits with a stroke more: from their seed, in MNIST's form, each with the stroke that its name says."""

import numpy as np
import pytest

from training.data.mnist import LabelledDigits
from training.data.variants import variants


def stems(count, lean=0.0):
    """Upright bars in MNIST's form, of rising width, as ones, sevens and zeros alike."""
    images = np.zeros((count, 28, 28), np.uint8)
    for number, image in enumerate(images):
        image[4:24, 13 : 15 + number % 2] = 255
    return images


@pytest.fixture(scope="module")
def part():
    return LabelledDigits(np.concatenate([stems(60)] * 3), np.repeat([0, 1, 7], 60).astype(np.uint8))


def test_they_come_from_their_seed_with_a_label_each(part):
    one, again, other = variants(part, 50, 1), variants(part, 50, 1), variants(part, 50, 2)
    np.testing.assert_array_equal(one.images, again.images)
    assert (one.images != other.images).any()
    assert set(one.labels) == {0, 1, 4, 7}


def test_all_are_in_mnists_form(part):
    for image in variants(part, 100, 3).images.astype(float):
        rows, columns = np.flatnonzero(image.max(1) > 60), np.flatnonzero(image.max(0) > 60)
        assert 19 <= max(np.ptp(rows), np.ptp(columns)) + 1 <= 21
        places = np.arange(28)
        for axis in (0, 1):
            assert abs(image.sum(1 - axis) @ places / image.sum() - 14) < 1.0


def test_a_crossed_stem_has_a_bar_to_both_sides_of_its_middle(part):
    both = variants(part, 25, 4)
    for image in both.images[both.labels == 7][:4]:
        rows = np.flatnonzero(image.max(1) > 100)
        stem = int(np.median(image.argmax(1)[rows]))
        middle = image[rows[0] + 6 : rows[-1] - 4]
        assert middle[:, stem - 3].max() > 60
        assert middle[:, stem + 4].max() > 60


def test_a_serif_is_under_the_stem_and_a_flag_left_of_its_top(part):
    made = variants(part, 25, 5)
    wide = (made.images > 60).sum(2)
    flags = made.images[8:12]
    assert (wide[15:17, -9:].max(1) > 5).all()
    for image in flags:
        rows = np.flatnonzero(image.max(1) > 60)
        upper, lower = image[rows[0] : rows[0] + 10] > 60, image[rows[-1] - 3 : rows[-1]] > 60
        assert np.flatnonzero(upper.any(0))[0] < np.flatnonzero(lower.any(0))[0] - 1


def test_too_few_digits_are_an_error(part):
    with pytest.raises(ValueError, match="more images of the digit 1"):
        variants(part, 500, 1)
