"""`evaluate`: measures a model folder again, and holds it to what its passport says."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from service.network.sessions import Network
from training.data.mnist import LabelledDigits
from training.networks.measures import Measurement, measure


@dataclass(frozen=True)
class Evaluation:
    """What a model folder does on a labelled part."""

    passport: dict[str, Any]
    measurement: Measurement
    flagged_share: float | None  # of the digits, taken for no digit; None without a novelty output
    largest_difference: float  # between a probability of model.onnx and of analysis.onnx
    first_filters: NDArray[np.float32]  # the weights of the first convolution, (filters, 1, rows, columns)


def evaluate(folder: Path, part: LabelledDigits) -> Evaluation:
    """
    Run both files of a model folder over `part`, opened and checked as the service does.

    raises: BadModel when a file is missing or is not the one that the passport describes
    """
    network = Network(folder.resolve())
    images = part.as_network_input()
    answers, (shown, _) = network.classify(images), network.analyse(images, [])
    flagged = None
    if answers.novelty is not None and network.passport.novelty is not None:
        flagged = float((answers.novelty > network.passport.novelty.threshold).mean())
    return Evaluation(
        passport=network.passport.raw,
        measurement=measure(answers.probabilities, part.labels),
        flagged_share=flagged,
        largest_difference=float(np.abs(answers.probabilities - shown.probabilities).max()),
        first_filters=network.weights[f"{network.passport.convolutions[0].name}.weight"],
    )
