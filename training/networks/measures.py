"""Numbers about a network's answers: accuracy, confusion, calibration, and how well strangers are told apart."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import brentq, minimize_scalar
from scipy.special import log_softmax, softmax
from scipy.stats import rankdata

BIN_COUNT = 15
MOST_DOUBT = 0.12  # caps a probability at 1 - 0.9 * 0.12 = 0.892
DOUBT_SLOPE = 0.2  # per unit of strangeness: steep, since every digit it reaches is made less sure than it should be
_TEMPERATURES = 0.5, 5.0  # between which one is looked for

Floats = NDArray[np.float32] | NDArray[np.float64]


@dataclass(frozen=True)
class Measurement:
    """What one run over a labelled part gave."""

    accuracy: float
    expected_calibration_error: float
    confusion: NDArray[np.int64]  # (10, 10), row = label, column = answer

    @property
    def wrong(self) -> int:
        """How many images were read wrong."""
        return int(self.confusion.sum() - np.trace(self.confusion))


def measure(probabilities: Floats, labels: NDArray[np.uint8]) -> Measurement:
    """Measure answers, probabilities (count, 10), against labels (count,)."""
    return Measurement(
        accuracy=float((probabilities.argmax(1) == labels).mean()),
        expected_calibration_error=expected_calibration_error(probabilities, labels),
        confusion=confusion_matrix(probabilities.argmax(1), labels),
    )


def confusion_matrix(answers: NDArray[np.intp], labels: NDArray[np.uint8]) -> NDArray[np.int64]:
    """
    Count what was answered for what it was: (10, 10), row = label, column = answer.

    >>> confusion_matrix(np.array([7, 1]), np.array([7, 7], np.uint8))[7]
    array([0, 1, 0, 0, 0, 0, 0, 1, 0, 0])
    """
    counts = np.zeros((10, 10), np.int64)
    np.add.at(counts, (labels, answers), 1)
    return counts


def expected_calibration_error(probabilities: Floats, labels: NDArray[np.uint8], bin_count: int = BIN_COUNT) -> float:
    """
    Return how far confidence and accuracy lie apart, in bins of equal width weighted by their images (Guo et al. 2017).

    Ten answers given with 0.9 of which nine are right are perfectly calibrated:

    >>> sure = np.full((10, 10), 0.1 / 9); sure[:, 0] = 0.9
    >>> round(expected_calibration_error(sure, np.array([0] * 9 + [5], np.uint8)), 12)
    0.0
    """
    return _binned_gap(probabilities.max(1).astype(np.float64), probabilities.argmax(1) == labels, bin_count)


def _binned_gap(confidence: NDArray[np.float64], right: NDArray[np.bool_], bin_count: int) -> float:
    # Bins are open below and closed above, as in the paper.
    bins = np.clip(np.ceil(confidence * bin_count).astype(int) - 1, 0, bin_count - 1)
    gaps = np.bincount(bins, weights=right - confidence, minlength=bin_count)
    return float(np.abs(gaps).sum() / len(right))


def best_temperature(logits: Floats, labels: NDArray[np.uint8]) -> float:
    """
    Return the temperature T for which softmax(logits / T) gives the labels the highest likelihood.

    logits: (count, 10)   labels: (count,)
    """

    def loss(log_temperature: float) -> float:
        scaled = log_softmax(logits.astype(np.float64) / np.exp(log_temperature), axis=1)
        return float(-scaled[np.arange(len(labels)), labels].mean())

    return float(np.exp(minimize_scalar(loss, bounds=(-3, 3), method="bounded", options={"xatol": 1e-5}).x))


def probabilities_at(logits: Floats, temperature: float) -> NDArray[np.float64]:
    """Return softmax(logits / temperature), in 64 bits."""
    return np.asarray(softmax(logits.astype(np.float64) / temperature, axis=1))


def with_doubt(certain: Floats, doubt: Floats) -> NDArray[np.float64]:
    """
    Draw probabilities (count, classes) towards an even share, by doubt (count,) between 0 and 1; their order stays.

    >>> with_doubt(np.array([[1.0, 0.0]]), np.array([0.5]))
    array([[0.75, 0.25]])
    """
    return np.asarray(certain + doubt[:, None] * (1 / certain.shape[1] - certain))


def doubt_of(strangeness: Floats, at: float) -> NDArray[np.float64]:
    """
    Return the doubt (count,) of pictures by their strangeness (count,): MOST_DOUBT from `at` upwards, falling to none.

    >>> doubt_of(np.array([3.0, 1.0, 0.7, -5.0]), at=1.0).round(2)
    array([0.12, 0.12, 0.06, 0.  ])
    """
    return np.asarray(np.clip(DOUBT_SLOPE * (strangeness - at) + MOST_DOUBT, 0, MOST_DOUBT))


def balanced_temperature(logits: Floats, doubt: Floats, labels: NDArray[np.uint8]) -> float:
    """
    Return the temperature at which answers with this doubt are on average as sure as they are right.

    Where no temperature does that (all are right, say), it is the likeliest one.

    logits: (count, 10)   doubt, labels: (count,)
    """
    right = float((logits.argmax(1) == labels).mean())

    def too_sure(temperature: float) -> float:
        return float(with_doubt(probabilities_at(logits, temperature), doubt).max(1).mean()) - right

    low, high = _TEMPERATURES
    if too_sure(low) <= 0 or too_sure(high) >= 0:
        return best_temperature(logits, labels)
    return float(brentq(too_sure, low, high))


def calibration_noise(probabilities: Floats, seed: int = 1, rounds: int = 500) -> tuple[float, float]:
    """
    Return what the calibration error would be of answers like these that are perfectly calibrated: mean, 95th of 100.

    A part has only so many images, so chance alone keeps each bin's accuracy off its confidence. Labels are drawn by
    the confidences themselves, `rounds` times.
    """
    random = np.random.default_rng(seed)
    confidence = probabilities.max(1).astype(np.float64)
    errors = [_binned_gap(confidence, random.random(len(confidence)) < confidence, BIN_COUNT) for _ in range(rounds)]
    return float(np.mean(errors)), float(np.quantile(errors, 0.95))


def area_under_roc(strangers: Floats, digits: Floats) -> float:
    """
    Return the chance that a stranger's score lies above a digit's, ties counting half.

    >>> area_under_roc(np.array([3.0, 4.0]), np.array([1.0, 3.0]))
    0.875
    """
    ranks = rankdata(np.concatenate([strangers, digits]))
    wins = ranks[: len(strangers)].sum() - len(strangers) * (len(strangers) + 1) / 2
    return float(wins / (len(strangers) * len(digits)))
