"""What is drawn on paper for the normaliser: large, seen by it as ink, no 1, and the same from a seed for good."""

import numpy as np
import pytest

from service.core.digit import prepare
from service.core.errors import InvalidImage
from tests.training.novelty.test_drawn_kinds import digest_of
from training.novelty.on_paper import ON_PAPER

DIGESTS = {
    "slab": "ba0affdd987656d2",
    "bars": "53f91263e312f275",
    "broad-nibbed": "48d306ccdfe0521b",
}


@pytest.mark.parametrize("kind", ON_PAPER)
def test_every_kind_is_more_than_a_digits_picture_and_the_normaliser_finds_ink_in_most(kind):
    random = np.random.default_rng(7)
    pictures = [ON_PAPER[kind](random) for _ in range(30)]
    assert all(picture.dtype == np.uint8 and min(picture.shape) > 28 for picture in pictures)
    found = 0
    for picture in pictures:
        try:
            found += prepare(picture).image.max() > 128
        except InvalidImage:
            continue
    assert found >= 24


def test_a_single_bar_lies():
    random, lying = np.random.default_rng(8), 0
    for _ in range(60):
        ink = ink_of(ON_PAPER["bars"](random))
        rows, columns = np.nonzero(ink)
        tall, wide = np.ptp(rows) + 1, np.ptp(columns) + 1
        fill = ink.sum() / (tall * wide)
        # One bar of any direction: two beside each other leave paper in their box, and so does one aslant.
        if fill > 0.75:
            assert wide > tall
            lying += 1
    assert lying > 5


def test_the_broad_nib_is_broader_on_upright_strokes():
    random = np.random.default_rng(9)
    upright, level = [], []
    for _ in range(60):
        ink = ink_of(ON_PAPER["broad-nibbed"](random))
        upright += runs(ink)  # across upright strokes: rows
        level += runs(ink.T)
    assert np.quantile(upright, 0.5) > np.quantile(level, 0.25)
    assert np.quantile(level, 0.1) < np.quantile(upright, 0.5) / 2


def ink_of(picture):
    """What differs from the commonest level by half of what differs most."""
    away = np.abs(picture.astype(float) - np.median(picture))
    return away > away.max() / 2


def runs(ink):
    """The lengths of all runs of ink along the rows."""
    padded = np.pad(ink, ((0, 0), (1, 1))).astype(np.int8)
    steps = np.diff(padded, axis=1)
    return (np.argwhere(steps == -1)[:, 1] - np.argwhere(steps == 1)[:, 1]).tolist()


@pytest.mark.parametrize("kind", ON_PAPER)
def test_a_seed_draws_the_pictures_that_it_always_drew(kind):
    random = np.random.default_rng(6)
    assert digest_of([ON_PAPER[kind](random) for _ in range(20)]) == DIGESTS[kind]
