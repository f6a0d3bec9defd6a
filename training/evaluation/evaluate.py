"""`python -m training evaluate`: measures any model folder again, and holds it to what its passport says."""

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from training.data.mnist import Part
from training.export.runner import open_session, output_names, run_all
from training.networks.measures import Measurement, measure


class ModelFolderError(Exception):
    """A model folder lacks a file, or a file is not the one its passport describes."""


@dataclass(frozen=True)
class Evaluation:
    """What a model folder does on a labelled part."""

    passport: dict[str, Any]
    measurement: Measurement
    flagged_share: float | None  # of the digits, taken for no digit; None without a novelty output
    largest_difference: float  # between a probability of model.onnx and of analysis.onnx


def read_passport(folder: Path) -> dict[str, Any]:
    """Return the passport, having checked that both files are the ones it describes."""
    path = folder / "passport.json"
    if not path.is_file():
        raise ModelFolderError(f"{folder} should hold a passport.json, model.onnx and analysis.onnx")
    passport: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    for name, expected in passport["files"].items():
        if not (folder / name).is_file():
            raise ModelFolderError(f"{folder} lacks {name}")
        came = hashlib.sha256((folder / name).read_bytes()).hexdigest()
        if came != expected["sha256"]:
            raise ModelFolderError(f"{folder / name} should have SHA-256 {expected['sha256']}, got {came}")
    return passport


def evaluate(folder: Path, part: Part) -> Evaluation:
    """Run both files of a model folder over `part`."""
    passport = read_passport(folder)
    lean, analysis = open_session(folder / "model.onnx"), open_session(folder / "analysis.onnx")
    images = part.as_network_input()
    answers = run_all(lean, images, output_names(lean))
    shown = run_all(analysis, images, ["probabilities"])["probabilities"]
    flagged = None
    if "novelty" in answers:
        flagged = float((answers["novelty"] > passport["novelty"]["threshold"]).mean())
    return Evaluation(
        passport=passport,
        measurement=measure(answers["probabilities"], part.labels),
        flagged_share=flagged,
        largest_difference=float(np.abs(answers["probabilities"] - shown).max()),
    )


def first_filters(folder: Path) -> NDArray[np.float32]:
    """Return the weights of the first convolution as the analysis file gives them, (filters, 1, rows, columns)."""
    blank = np.zeros((1, 1, 28, 28), np.float32)
    return run_all(open_session(folder / "analysis.onnx"), blank, ["weights/conv1.weight"])["weights/conv1.weight"]
