"""
`card`: writes card.json into a model folder: what the model is for, how well it reads, and where it is known to fail.

Every figure is measured again, on files opened and checked as the service does; what the passport tells of training and
of the choice of the seed is put into sentences. GET /v1/models/NAME answers the card.
"""

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from service.core.digit import prepare
from service.core.errors import InvalidImage
from service.network.files import CARD_FILE
from service.network.sessions import Network
from training.data.mnist import LabelledDigits
from training.knobs import PURPOSES
from training.networks.measures import measure

TURNS = {"upside down": 180, "turned 45 degrees to the left": 45, "turned 45 degrees to the right": -45}
_TURNED = 2000  # digits, of each turn
_CONFUSIONS = 5  # that are told


def write_card(folder: Path, part: LabelledDigits, name: str) -> Path:
    """
    Measure a model folder on a part of this name, and write its card.

    raises: BadModel when a file is missing or is not the one that the passport describes
    """
    place = folder / CARD_FILE
    partial = place.with_suffix(".partial")
    partial.write_text(json.dumps(make_card(Network(folder.resolve()), part, name), indent=1) + "\n", encoding="utf-8")
    partial.replace(place)
    return place


def make_card(network: Network, part: LabelledDigits, name: str) -> dict[str, Any]:
    """Return the card of a network, measured on a part of this name."""
    told = network.passport.raw
    answers = network.classify(part.as_network_input())
    measured = measure(answers.probabilities, part.labels)
    figures = [_share(f"read right, of the {name} part", measured.accuracy, len(part))]
    if answers.novelty is not None and network.passport.novelty is not None:
        flagged = float((answers.novelty > network.passport.novelty.threshold).mean())
        figures.append(_share(f"taken for no digit, of the {name} part", flagged, len(part)))
    return {
        "format": 1,
        "model": network.name,
        "version": network.version,
        "sha256": network.sha256,
        "purpose": PURPOSES.get(network.name, told.get("description", "")),
        "data": _data(told),
        "figures": figures,
        "calibration": {
            "expected_calibration_error": round(measured.expected_calibration_error, 6),
            "by_chance_alone": told.get("calibration", {}).get("ece_of_perfect_calibration", {}),
        },
        "confuses": _confusions(measured.confusion),
        "failures": [_turned(network, part[:_TURNED], what, degrees) for what, degrees in TURNS.items()],
        "chosen": _chosen(told),
    }


def half_width(share: float, count: int) -> float:
    """
    Return how far a share of so many may be off: half of its 95 % interval (Wilson 1927).

    >>> round(half_width(0.99, 10_000), 4), round(half_width(1.0, 100), 3)
    (0.002, 0.018)
    """
    z = 1.96
    return z / (1 + z * z / count) * math.sqrt(share * (1 - share) / count + (z / (2 * count)) ** 2)


def _share(name: str, share: float, count: int) -> dict[str, Any]:
    return {"name": name, "value": round(share, 6), "error": round(half_width(share, count), 6), "of": count}


def _confusions(confusion: NDArray[np.int64]) -> list[dict[str, int]]:
    wrong = confusion.copy()
    np.fill_diagonal(wrong, 0)
    largest = np.argsort(-wrong, axis=None, kind="stable")[:_CONFUSIONS]
    pairs = [divmod(int(place), len(wrong)) for place in largest]
    return [
        {"digit": digit, "read_as": other, "count": int(wrong[digit, other]), "of": int(confusion[digit].sum())}
        for digit, other in pairs
        if wrong[digit, other]
    ]


def _turned(network: Network, part: LabelledDigits, what: str, degrees: int) -> dict[str, Any]:
    """Measure digits that were turned, each prepared as a posted picture is."""
    images, labels = [], []
    for picture, label in zip(part.images, part.labels, strict=True):
        turned = Image.fromarray(picture).rotate(degrees, Image.Resampling.BILINEAR)
        try:
            images.append(prepare(np.asarray(turned)).image)
        except InvalidImage:
            continue
        labels.append(label)
    prepared = LabelledDigits(np.stack(images), np.array(labels, np.uint8))
    answers = network.classify(prepared.as_network_input())
    right = np.array(answers.classes) == prepared.labels
    sure = answers.probabilities.max(1) > 0.9
    if answers.novelty is not None and network.passport.novelty is not None:
        sure &= answers.novelty <= network.passport.novelty.threshold
    return {
        **_share(what, float(right.sum()) / len(part), len(part)),
        "wrong_and_sure": round(float((sure & ~right).sum()) / len(part), 6),
    }


def _data(told: dict[str, Any]) -> str:
    split = told.get("accuracy", {}).get("split", {})
    if not split:
        return "not told"
    recipe = told.get("recipe", {})
    bent = f"bent at random in {recipe['pool']['copies']} copies" if "pool" in recipe else "bent anew in every epoch"
    how = bent if recipe.get("warps") else "as they are"
    return (
        f"MNIST: {split['train']:,} digits to learn from, {how}; {split['validation']:,} to choose on; "
        f"{split['test']:,} to measure with"
    )


def _chosen(told: dict[str, Any]) -> str:
    rates = told.get("accuracy", {})
    seeds = rates.get("seeds", [])
    if len(seeds) < 2:
        return f"one run, of seed {rates.get('seed', 'unknown')}; the test part chose nothing"
    how = rates.get("chosen", f"the best of {len(seeds)} on the validation part")
    return (
        f"seed {rates['seed']}, {how} ({rates['validation']:.2%}); on the test part they read "
        f"{rates['test_mean_of_seeds']:.2%} on average, the worst {rates['test_worst_seed']:.2%}"
    )
