"""Numbers about a network's answers: accuracy, confusion, calibration, and how well strangers are told apart."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize_scalar
from scipy.special import log_softmax, softmax
from scipy.stats import rankdata

BIN_COUNT = 15

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
    confidence = probabilities.max(1).astype(np.float64)
    right = probabilities.argmax(1) == labels
    # Bins are open below and closed above, as in the paper.
    bins = np.clip(np.ceil(confidence * bin_count).astype(int) - 1, 0, bin_count - 1)
    gaps = np.bincount(bins, weights=right - confidence, minlength=bin_count)
    return float(np.abs(gaps).sum() / len(labels))


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


def area_under_roc(strangers: Floats, digits: Floats) -> float:
    """
    Return the chance that a stranger's score lies above a digit's, ties counting half.

    >>> area_under_roc(np.array([3.0, 4.0]), np.array([1.0, 3.0]))
    0.875
    """
    ranks = rankdata(np.concatenate([strangers, digits]))
    wins = ranks[: len(strangers)].sum() - len(strangers) * (len(strangers) + 1) / 2
    return float(wins / (len(strangers) * len(digits)))
