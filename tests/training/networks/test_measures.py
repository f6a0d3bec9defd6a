"""The numbers in a passport, against definitions written out the long way."""

import numpy as np
import pytest
import torch
from scipy.special import softmax

from training.networks.measures import (
    area_under_roc,
    balanced_temperature,
    best_temperature,
    calibration_noise,
    confusion_matrix,
    doubt_of,
    expected_calibration_error,
    measure,
    probabilities_at,
    with_doubt,
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


@pytest.mark.parametrize("true_temperature", [0.6, 1.0, 2.5])
def test_the_best_temperature_undoes_one_that_was_put_in(true_temperature):
    random = np.random.default_rng(3)
    honest = random.normal(0, 2, (20_000, 10))
    chances = softmax(honest, axis=1)
    labels = np.array([random.choice(10, p=row) for row in chances], np.uint8)
    found = best_temperature(honest * true_temperature, labels)
    assert found == pytest.approx(true_temperature, rel=0.05)


def test_the_best_temperature_is_where_autograd_finds_no_slope():
    random = np.random.default_rng(5)
    logits = random.normal(0, 3, (400, 10))
    labels = np.array([random.choice(10, p=row) for row in softmax(logits / 2, axis=1)], np.uint8)
    temperature = torch.tensor(best_temperature(logits, labels), dtype=torch.float64, requires_grad=True)
    target = torch.tensor(labels.astype(np.int64))
    torch.nn.functional.cross_entropy(torch.tensor(logits) / temperature, target).backward()
    assert abs(float(temperature.grad)) < 1e-4
    np.testing.assert_allclose(
        probabilities_at(logits, 1.7), torch.softmax(torch.tensor(logits) / 1.7, 1), rtol=1e-10, atol=1e-15
    )


def test_the_area_under_the_curve_is_the_share_of_pairs_in_order():
    random = np.random.default_rng(6)
    strangers, digits = random.integers(0, 30, 60).astype(float), random.integers(0, 20, 80).astype(float)
    pairs = [(s > d) + 0.5 * (s == d) for s in strangers for d in digits]
    assert area_under_roc(strangers, digits) == pytest.approx(np.mean(pairs))


def test_the_balanced_temperature_makes_answers_as_sure_as_they_are_right():
    random = np.random.default_rng(1)
    logits, doubt = random.normal(0, 6, (20_000, 10)), doubt_of(random.normal(-1, 1, 20_000), 1.0)
    chances = (1 - doubt[:, None]) * softmax(logits / 2, axis=1) + doubt[:, None] / 10
    labels = (chances.cumsum(1) < random.random((len(chances), 1))).sum(1).astype(np.uint8)
    temperature = balanced_temperature(logits, doubt, labels)
    assert temperature == pytest.approx(2, rel=0.05)
    mine = with_doubt(softmax(logits / temperature, axis=1), doubt)
    assert mine.max(1).mean() == pytest.approx((logits.argmax(1) == labels).mean(), abs=1e-9)
    np.testing.assert_allclose(mine.sum(1), 1)
    np.testing.assert_array_equal(mine.argmax(1), logits.argmax(1))


def test_answers_that_are_all_right_get_the_likeliest_temperature():
    logits = np.eye(10) * 8
    labels = np.arange(10, dtype=np.uint8)
    assert balanced_temperature(logits, np.zeros(10), labels) == best_temperature(logits, labels)


def test_where_doubt_is_full_nothing_is_sure():
    certain = np.eye(10)[:3]
    assert with_doubt(certain, doubt_of(np.array([1.0, 2.0, 900.0]), 1.0)).max() < 0.9


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
