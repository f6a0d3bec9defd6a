"""The temperature and the doubt, against autograd, known answers and definitions."""

import numpy as np
import pytest
import torch
from scipy.special import softmax

from training.export.calibration import balanced_temperature, best_temperature, doubt_of, probabilities_at, with_doubt


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
