"""What is told of a picture and its verdict, as members of an answer, whoever answers."""

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import numpy as np

from service.core.digit import PreparedDigit
from service.network.sessions import Network, Verdicts


def describe_verdicts(
    verdicts: Verdicts, network: Network, prepared: Sequence[PreparedDigit | None]
) -> list[dict[str, Any]]:
    """
    Every picture's verdict; `confidence` is the probability of `digit`, of an adopted network of `class`.

    What was left out may say that it is no digit.
    """
    if network.passport.is_adopted:
        labels = network.passport.labels
        return [
            {
                "label": labels[index],
                "class": index,
                "confidence": probabilities[index],
                "probabilities": probabilities,
                "logits": logits,
            }
            for index, probabilities, logits in zip(
                verdicts.digits, verdicts.probabilities, verdicts.logits, strict=True
            )
        ]
    each = zip(verdicts.digits, verdicts.probabilities, verdicts.logits, verdicts.doubts(network.passport), strict=True)
    members: list[dict[str, Any]] = [
        {
            "digit": digit,
            "confidence": probabilities[digit],
            "probabilities": probabilities,
            "logits": logits,
            "doubt": doubt,
        }
        for digit, probabilities, logits, doubt in each
    ]
    threshold = network.passport.novelty
    if verdicts.novelty is not None and threshold is not None:
        for one, novelty, digit in zip(members, verdicts.novelty, prepared, strict=True):
            one["novelty"] = novelty
            one["is_digit"] = bool(novelty <= threshold.threshold) and not (digit and digit.left_out.is_much)
    return members


def preparation(digit: PreparedDigit) -> dict[str, Any]:
    """What was done to a picture to make it a digit as the networks know them."""
    return {
        "inverted": digit.inverted,
        "box": list(digit.box),
        "shift": list(digit.shift),
        "angle": digit.angle,
        "matrix": np.ascontiguousarray(digit.matrix),
        "left_out": asdict(digit.left_out),
    }
