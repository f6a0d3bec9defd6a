"""The numbers in a passport, against definitions written out the long way."""

import numpy as np
import pytest
from scipy.special import softmax

from training.networks.measures import (
    area_under_roc,
    calibration_noise,
    confusion_matrix,
    expected_calibration_error,
    measure,
)


def random_answers(seed, count=500):
    random = np.random.default_rng(seed)
    return softmax(random.normal(0, 2, (count, 10)), axis=1), random.integers(0, 10, count, dtype=np.uint8)


@pytest.mark.parametrize("seed", range(4))
def test_calibration_error_is_the_weighted_gap_of_fifteen_bins(seed):
    probabilities, labels = random_answers(seed)
    confidence, right = probabilities.max(1), probabilities.argmax(1) == labels
    expected = 0.0
    for index in range(15):
        inside = (confidence > index / 15) & (confidence <= (index + 1) / 15)
        if inside.any():
            expected += inside.mean() * abs(right[inside].mean() - confidence[inside].mean())
    assert expected_calibration_error(probabilities, labels) == pytest.approx(expected, abs=1e-12)


def test_confusion_and_accuracy_count_what_was_answered():
    probabilities, labels = random_answers(7)
    measured = measure(probabilities, labels)
    answers = probabilities.argmax(1)
    for label in range(10):
        for answer in range(10):
            assert measured.confusion[label, answer] == sum(
                1 for is_, said in zip(labels, answers, strict=True) if (is_, said) == (label, answer)
            )
    assert measured.wrong == round((1 - measured.accuracy) * len(labels))
    assert confusion_matrix(answers, labels).sum() == len(labels)


def test_the_area_under_the_curve_is_the_share_of_pairs_in_order():
    random = np.random.default_rng(6)
    strangers, digits = random.integers(0, 30, 60).astype(float), random.integers(0, 20, 80).astype(float)
    pairs = [(s > d) + 0.5 * (s == d) for s in strangers for d in digits]
    assert area_under_roc(strangers, digits) == pytest.approx(np.mean(pairs))


def test_chance_alone_is_the_calibration_error_of_answers_whose_labels_follow_them():
    random = np.random.default_rng(3)
    probabilities = softmax(random.normal(0, 4, (3000, 10)), axis=1)
    mean, highest = calibration_noise(probabilities)
    drawn = [
        expected_calibration_error(
            probabilities, np.array([random.choice(10, p=row) for row in probabilities], np.uint8)
        )
        for _ in range(40)
    ]
    assert np.mean(drawn) == pytest.approx(mean, rel=0.1)
    assert highest > mean
