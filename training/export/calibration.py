"""Calibration: temperature and doubt make probabilities as sure as they are right."""

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import log_softmax, softmax

MOST_DOUBT = 0.12  # caps a probability at 1 - 0.9 * 0.12 = 0.892
DOUBT_SLOPE = 0.2  # per unit of strangeness: steep, since every digit it reaches is made less sure than it should be
_TEMPERATURES = 0.5, 5.0  # between which one is looked for
# Of the validation digits so many are made less sure than 0.9. Of those that novelty flags, three times as many, nearly
# all are read right: to doubt all of them would cost half of the calibration error that is allowed.
_DOUBTED_SHARE = 0.003

Floats = NDArray[np.float32] | NDArray[np.float64]


@dataclass(frozen=True)
class FittedCalibration:
    """
    How logits become probabilities: (1 - doubt) softmax(logits / temperature) + doubt / 10.

    doubt = slope x + offset, no less than 0 and no more than `most`; x is the novelty before its sigmoid. Without a
    novelty there is no doubt.
    """

    temperature: float = 1.0
    slope: float = 0.0
    offset: float = 0.0
    most: float = 0.0


UNCALIBRATED = FittedCalibration()


def fit_calibration(logits: Floats, labels: NDArray[np.uint8], strangeness: Floats | None) -> FittedCalibration:
    """
    Set the temperature and the doubt on the validation part.

    logits: (count, 10)   labels: (count,)   strangeness: (count,), or None for a network without a novelty
    """
    if strangeness is None:
        return FittedCalibration(best_temperature(logits, labels))
    at = float(np.quantile(strangeness, 1 - _DOUBTED_SHARE))
    temperature = balanced_temperature(logits, doubt_of(strangeness, at), labels)
    return FittedCalibration(temperature, DOUBT_SLOPE, MOST_DOUBT - DOUBT_SLOPE * at, MOST_DOUBT)


def best_temperature(logits: Floats, labels: NDArray[np.uint8]) -> float:
    """
    Return the temperature T for which softmax(logits / T) gives the labels the highest likelihood.

    logits: (count, 10)   labels: (count,)
    """

    def loss(log_temperature: float) -> float:
        scaled = log_softmax(logits.astype(np.float64) / np.exp(log_temperature), axis=1)
        return float(-scaled[np.arange(len(labels)), labels].mean())

    return math.exp(_lowest(loss, -3, 3))


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
    return _crossing(too_sure, low, high)


# SciPy has both of these; to import them from it takes as long as a fifth of `quick`.
def _lowest(of: Callable[[float], float], low: float, high: float) -> float:
    """Return where a function with one valley is lowest, within 1e-5: golden sections (Kiefer 1953)."""
    part = (math.sqrt(5) - 1) / 2
    inner, outer = high - part * (high - low), low + part * (high - low)
    at_inner, at_outer = of(inner), of(outer)
    while high - low > 1e-5:
        if at_inner < at_outer:
            high, outer, at_outer = outer, inner, at_inner
            inner = high - part * (high - low)
            at_inner = of(inner)
        else:
            low, inner, at_inner = inner, outer, at_outer
            outer = low + part * (high - low)
            at_outer = of(outer)
    return (low + high) / 2


def _crossing(of: Callable[[float], float], low: float, high: float) -> float:
    """Return where a function that is above 0 at `low` and below it at `high` crosses it, within 1e-12: bisection."""
    while high - low > 1e-12:
        middle = (low + high) / 2
        low, high = (middle, high) if of(middle) > 0 else (low, middle)
    return (low + high) / 2
