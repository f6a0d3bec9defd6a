"""Measures of answers: accuracy, confusion, calibration error, area under the ROC curve."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

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
    return _binned_gap(probabilities.max(1).astype(np.float64), probabilities.argmax(1) == labels, bin_count)


def _binned_gap(confidence: NDArray[np.float64], right: NDArray[np.bool_], bin_count: int) -> float:
    # Bins are open below and closed above, as in the paper.
    bins = np.clip(np.ceil(confidence * bin_count).astype(int) - 1, 0, bin_count - 1)
    gaps = np.bincount(bins, weights=right - confidence, minlength=bin_count)
    return float(np.abs(gaps).sum() / len(right))


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
    ordered = np.sort(digits, axis=None)
    below, not_above = (np.searchsorted(ordered, strangers, side) for side in ("left", "right"))
    return float((below + not_above).sum() / (2 * len(strangers) * len(digits)))
