"""Digits with a stroke more: from their seed, in MNIST's form, each with the stroke that its name says."""

import contextlib

import numpy as np
import pytest
from scipy import ndimage

from training.data import variants as ways
from training.data.mnist import LabelledDigits
from training.data.variants import variants


def stems(count, lean=0.0):
    """Bars in MNIST's form, of rising width, as ones, sevens, twos, nines and zeros alike; lean: columns per row."""
    images = np.zeros((count, 28, 28), np.uint8)
    for number, image in enumerate(images):
        for row in range(4, 24):
            left = round(13 + lean * (14 - row))
            image[row, left : left + 2 + number % 2] = 255
    return images


def fives(count):
    """A stem with a bar at its top, and half a ring below, as MNIST's fives are."""
    images = np.zeros((count, 28, 28), np.uint8)
    images[:, 4:12, 9:11] = 255
    images[:, 4:6, 9:20] = 255
    images[:, 12:14, 9:18] = 255
    images[:, 12:24, 17:19] = 255
    images[:, 22:24, 8:19] = 255
    return images


@pytest.fixture(scope="module")
def part():
    images = [stems(60), stems(120), stems(60, 0.4), stems(60), fives(60), stems(60), stems(60)]
    labels = np.repeat([0, 1, 1, 2, 5, 7, 9], [60, 120, 60, 60, 60, 60, 60])
    return LabelledDigits(np.concatenate(images), labels.astype(np.uint8))


def leaning(part):
    return np.array([abs(image[4:8].argmax(1).mean() - image[20:24].argmax(1).mean()) > 2 for image in part.images])


def written(name, part, seed):
    """The digits of one way of writing, of two rounds of all ways."""
    order = [way.draw.__name__ for way in ways._WAYS for _ in range(way.share)]
    made = variants(part, 2 * len(order), seed)
    return made[np.flatnonzero(np.array(order * 2) == name)]


def ends(image):
    """Its columns of ink, row after row from the top of the ink: the first and the last of each."""
    rows = [np.flatnonzero(row > 100) for row in image]
    return [(row[0], row[-1]) for row in rows if len(row)]


def test_they_come_from_their_seed_with_a_label_each(part):
    one, again, other = variants(part, 50, 1), variants(part, 50, 1), variants(part, 50, 2)
    np.testing.assert_array_equal(one.images, again.images)
    assert (one.images != other.images).any()
    assert set(one.labels) == {0, 1, 2, 4, 5, 7, 9}


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
    upright = part[np.flatnonzero(~leaning(part))]
    made = variants(upright, 25, 5)
    wide = (made.images > 60).sum(2)
    flags = made.images[8:12]
    assert (wide[15:17, -9:].max(1) > 5).all()
    for image in flags:
        rows = np.flatnonzero(image.max(1) > 60)
        upper, lower = image[rows[0] : rows[0] + 10] > 60, image[rows[-1] - 3 : rows[-1]] > 60
        assert np.flatnonzero(upper.any(0))[0] < np.flatnonzero(lower.any(0))[0] - 1


@pytest.mark.parametrize("seed", [6, 7])
def test_a_wide_flag_falls_little_from_the_top_of_an_upright_stem(part, seed):
    made = written("_wide_flagged", part, seed)
    assert set(made.labels) == {1}
    for image in made.images:
        lefts = [left for left, _ in ends(image)]
        stem = int(np.median(lefts))
        reach, fall = stem - min(lefts), lefts.index(min(lefts))
        assert reach >= 2
        assert fall <= 1.5 + reach * 0.65  # 58 degrees from upright: 0.62 rows a column
        # A 7 has a bar half as long as its stem.
        assert reach < 0.6 * len(lefts)


def test_a_loop_closes_a_hole_low_on_the_left(part):
    for image in written("_looped", part, 8).images:
        inked = image > 40
        outside, _ = ndimage.label(~inked)
        holes = ~inked & (outside != outside[0, 0])
        rows, columns = np.nonzero(inked)
        low, left = rows > rows.max() - 9, columns.min()
        # A small loop of a thick pen is filled.
        assert holes.any() or (inked[rows[low].min() :].sum(1).max() >= 4)
        assert (columns[low].min() == left) or left < 13


def test_the_bar_of_an_open_4_rises_through_the_stem(part):
    made = written("_open_with_rising_bar", part, 9)
    assert set(made.labels) == {4}
    for image in made.images:
        rows, columns = np.nonzero(image > 100)
        left_low = rows[columns <= columns.min() + 2].max()
        right_high = rows[columns >= columns.max() - 1].min()
        assert right_high < left_low - 2  # it rises
        assert rows.max() > left_low + 2  # and the stem goes on below it


def test_the_bar_of_a_5_is_shorter_or_apart(part):
    made = written("_short_barred", part, 10)
    assert set(made.labels) == {5}
    for image in made.images:
        _, pieces = ndimage.label(image > 60, np.ones((3, 3)))
        top = max(last - first for first, last in ends(image)[:2])
        assert pieces == 2 or top < 9, "the bar is as it was: 10 columns, joined"


def test_a_y_shaped_7_is_open_at_its_top(part):
    made = written("_y_shaped", part, 11)
    assert set(made.labels) == {7}
    for image in made.images:
        upper = [np.flatnonzero(np.diff(np.flatnonzero(row > 100)) > 2).size for row in image[5:9]]
        assert max(upper) >= 1, "two arms, with paper between them"


def test_the_hook_of_a_9_leads_to_the_left_of_its_foot(part):
    made = written("_hooked", part, 12)
    assert set(made.labels) == {9}
    for image in made.images:
        found = ends(image)
        assert min(left for left, _ in found[-7:]) < np.median([left for left, _ in found[:8]]) - 2


def test_a_digit_that_cannot_be_written_that_way_is_passed_over(part):
    upright = LabelledDigits(
        np.concatenate([stems(400), part.images]), np.r_[np.ones(400), part.labels].astype(np.uint8)
    )
    for image in written("_y_shaped", upright, 13).images:
        rows, columns = np.nonzero(image > 100)
        foot = columns[rows > rows.max() - 3].mean()
        assert columns[rows < rows.min() + 3].max() > foot + 4, "its stem leans"


@pytest.mark.parametrize("seed", range(20))
def test_whatever_a_picture_holds_is_drawn_on_or_passed_over(seed):
    random = np.random.default_rng(seed)
    pictures = ndimage.gaussian_filter(random.normal(size=(1500, 28, 28)), (0, *random.uniform(0, 4, 2)))
    pictures *= (random.random((1500, 28, 1)) < random.uniform(0.2, 1)) * (
        random.random((1500, 1, 28)) < random.random()
    )
    strange = LabelledDigits(
        np.uint8(np.clip(pictures / (pictures.std() + 1e-9) * 150, 0, 255)),
        random.integers(0, 10, 1500).astype(np.uint8),
    )
    few = pytest.raises(ValueError, match="variants need more digits")
    with contextlib.nullcontext() if (strange.images > 100).any() else few:
        assert variants(strange, 20, seed).images.shape == (20, 28, 28)


def test_ways_without_a_digit_to_draw_on_are_passed_over(part):
    ones = part[np.flatnonzero(part.labels == 1)]
    made = variants(ones, 100, 1)
    assert len(made) == 100
    assert set(made.labels) == {1, 4, 7}


def test_too_few_digits_are_an_error(part):
    with pytest.raises(ValueError, match="500 variants need more digits"):
        variants(part, 500, 1)
    with pytest.raises(ValueError, match="1 variants need more digits"):
        variants(part[np.flatnonzero(part.labels == 3)], 1, 1)
