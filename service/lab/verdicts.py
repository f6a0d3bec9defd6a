"""What is told of a picture and its verdict, as members of an answer, whoever answers."""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from service.core.digit import PreparedDigit
from service.core.inputs import FittedPicture
from service.network.sessions import Network, Verdicts

# Of more classes than these an answer has the numbers of each only where it is asked to be full.
MANY_CLASSES = 100
# Of an adopted network, so many classes are told by their names, the most probable first.
TOP = 5


def describe_verdicts(
    verdicts: Verdicts,
    network: Network,
    prepared: Sequence[PreparedDigit | FittedPicture | None],
    *,
    full: bool = False,
) -> list[dict[str, Any]]:
    """
    Every picture's verdict; `confidence` is the probability of `class`.

    What was left out may say that it is no digit. full: with the numbers of each class, however many there are
    """
    if network.passport.is_adopted:
        return list(_of_adopted(verdicts, network, full=full))
    labels = network.passport.labels
    each = zip(
        verdicts.classes, verdicts.probabilities, verdicts.logits, verdicts.doubts(network.passport), strict=True
    )
    members: list[dict[str, Any]] = [
        {
            "digit": index,
            "label": labels[index],
            "class": index,
            "confidence": probabilities[index],
            "probabilities": probabilities,
            "logits": logits,
            "doubt": doubt,
        }
        for index, probabilities, logits, doubt in each
    ]
    threshold = network.passport.novelty
    if verdicts.novelty is not None and threshold is not None:
        for one, novelty, picture in zip(members, verdicts.novelty, prepared, strict=True):
            is_much = isinstance(picture, PreparedDigit) and picture.left_out.is_much
            one["novelty"] = novelty
            one["is_digit"] = bool(novelty <= threshold.threshold) and not is_much
    return members


def has_numbers(network: Network, *, full: bool) -> bool:
    """Whether an answer has the numbers of each class."""
    return full or len(network.passport.labels) <= MANY_CLASSES


def named_class(network: Network, index: int, name: str = "") -> dict[str, Any]:
    """
    A class as an answer names it, and where it is a digit, as that too; name: before each, as in `after`.
    """
    after = f"_{name}" if name else ""
    members = {f"label{after}": network.passport.labels[index], f"class{after}": index}
    return members if network.passport.is_adopted else {f"digit{after}": index} | members


def _of_adopted(verdicts: Verdicts, network: Network, *, full: bool) -> Iterator[dict[str, Any]]:
    """What is known of a network of which neither novelty nor calibration is."""
    labels = network.passport.labels
    for index, probabilities, logits in zip(verdicts.classes, verdicts.probabilities, verdicts.logits, strict=True):
        best = _most_probable(probabilities)
        members = {
            "label": labels[index],
            "class": index,
            "confidence": probabilities[index],
            "top": [{"label": labels[one], "class": one, "confidence": probabilities[one]} for one in best],
        }
        yield members | ({"probabilities": probabilities, "logits": logits} if has_numbers(network, full=full) else {})


def _most_probable(probabilities: np.ndarray) -> list[int]:
    """
    The most probable classes, the first of several alike first; of many, no more than these are put in order.

    >>> _most_probable(np.array([0.1, 0.2, 0.1, 0.1, 0.3, 0.1, 0.1]))
    [4, 1, 0, 2, 3]
    """
    least = np.partition(probabilities, -TOP)[-TOP] if len(probabilities) > TOP else probabilities.min()
    among = np.flatnonzero(~(probabilities < least))  # with those that are no numbers, which come last
    return [int(index) for index in among[np.argsort(-probabilities[among], kind="stable")[:TOP]]]


def preparation(found: PreparedDigit | FittedPicture) -> dict[str, Any]:
    """What was done to a picture to bring it to the form that a network reads."""
    if isinstance(found, FittedPicture):
        return {"fit": found.fit, "box": list(found.box), "matrix": np.ascontiguousarray(found.matrix)}
    left = found.left_out
    return {
        "inverted": found.inverted,
        "box": list(found.box),
        "shift": list(found.shift),
        "angle": found.angle,
        "matrix": np.ascontiguousarray(found.matrix),
        "left_out": {"hairs": left.hairs, "ink": left.ink, "explained": left.explained},
    }
