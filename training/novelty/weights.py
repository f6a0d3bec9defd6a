"""The novelty reader's weights, and the score that they give."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit

Floats = NDArray[np.float32]


@dataclass(frozen=True)
class NoveltyWeights:
    """
    How unlike a digit a picture is, 0 to 1, read from the head's input by one hidden layer.

    hidden: (features, units)   hidden_bias: (units,)   output: (units, 1)   output_bias: (1,)
    threshold: above it a picture is not taken for a digit   method: one sentence for the passport
    """

    hidden: NDArray[np.float32]
    hidden_bias: NDArray[np.float32]
    output: NDArray[np.float32]
    output_bias: NDArray[np.float32]
    threshold: float
    method: str


def novelty_of(novelty: NoveltyWeights, features: Floats) -> NDArray[np.float64]:
    """Return the score as the exported graph computes it: features (count, F) -> (count,), 0 digit to 1 none."""
    return np.asarray(expit(strangeness_of(novelty, features)))


def strangeness_of(novelty: NoveltyWeights, features: Floats) -> NDArray[np.float64]:
    """Return the score before its sigmoid, of any range: features (count, F) -> (count,)."""
    hidden = np.maximum(features.astype(np.float64) @ novelty.hidden + novelty.hidden_bias, 0)
    return np.asarray((hidden @ novelty.output + novelty.output_bias)[:, 0])
