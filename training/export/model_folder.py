"""
The model folder: calibrated, exported, checked, measured, with its passport.

The temperature and the novelty's threshold are set on the validation part; the test part is measured once, at the end.
"""

import copy
import io
import shutil
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import torch
from numpy.typing import NDArray

from training.data.mnist import LabelledDigits, Mnist
from training.export.calibration import FittedCalibration, fit_calibration, probabilities_at, with_doubt
from training.export.credit import credit_of, describe_file, write_passport
from training.export.onnx_files import Export, analysis_model, check_weights, lean_model
from training.export.runner import InferenceSession, open_session, run_all
from training.networks.fit import logits_of
from training.networks.measures import Measurement, calibration_noise, measure
from training.networks.network import TrainableNetwork, folded_weights
from training.networks.snapshots import Snapshot, as_arrays
from training.networks.structure import (
    CLASS_COUNT,
    IMAGE_SHAPE,
    LABELS,
    Conv,
    ShapedLayer,
    Structure,
    head_input_shape,
    layers,
    parameter_count,
)
from training.novelty.weights import NoveltyWeights, strangeness_of

_BATCH = 250
_STRANGERS, _STRANGERS_SEED = 500, 1  # drawn of each kind to measure the novelty
_DOUBT = (
    "probabilities = (1 - doubt) softmax(logits / temperature) + doubt / 10, "
    "doubt = min(max(slope log(novelty / (1 - novelty)) + offset, 0), most)"
)
_LARGEST_DIFFERENCE = 1e-4  # of a probability between PyTorch and the exported file; above it the export is wrong


@dataclass(frozen=True)
class Description:
    """What a passport says that no measurement can."""

    name: str
    version: str
    text: str
    seed: int
    recipe: dict[str, Any] = field(default_factory=dict)
    accuracy_notes: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class ModelFolder:
    """A model folder and what was measured on it."""

    path: Path
    passport: dict[str, Any]
    test: Measurement


def write_model_folder(
    network: TrainableNetwork,
    data: Mnist,
    description: Description,
    folder: Path,
    *,
    with_novelty: bool = True,
    snapshots: Sequence[Snapshot] = (),
) -> ModelFolder:
    """
    Write a model folder's three ONNX files and passport.json, replacing what was there only when all is well.

    snapshots: of its training, measured on the validation part, the last of the network itself: history.npz
    Raises RuntimeError when the exported file disagrees with PyTorch on the test part.
    """
    network = network.eval()
    validation_logits = logits_of(network, data.validation)
    novelty = _fit_novelty(network, data) if with_novelty else None
    strangeness = None if novelty is None else strangeness_of(novelty, features_of(network, data.validation))
    calibration = fit_calibration(validation_logits, data.validation.labels, strangeness)
    export = Export(
        description.name,
        description.version,
        network.structure,
        folded_weights(network),
        calibration,
        novelty,
    )
    check_weights(export.structure, export.weights)
    lean, described = lean_model(export), describe_layers(network.structure)
    credit, credited = credit_of(lean, described)
    files = {"model.onnx": _bytes_of(lean), "analysis.onnx": _bytes_of(analysis_model(export)), "credit.onnx": credit}
    if snapshots:
        files["history.npz"] = _history(snapshots, len(data.validation), describe_file(files["model.onnx"])["sha256"])
    session = open_session(files["model.onnx"])
    probabilities = _checked_answers(session, network, export, data.test)
    test = measure(probabilities.exported, data.test.labels)
    passport = {
        "format": 1,
        "name": description.name,
        "version": description.version,
        "description": description.text,
        "labels": list(LABELS),
        "input": {"name": "image", "shape": list(IMAGE_SHAPE), "range": [0, 1], "paper": 0, "ink": 1},
        "layers": described,
        "parameters": parameter_count(network.structure),
        "accuracy": {
            "test": test.accuracy,
            "validation": float((validation_logits.argmax(1) == data.validation.labels).mean()),
            "split": data.split,
            "seed": description.seed,
            **description.accuracy_notes,
        },
        "calibration": _describe_calibration(calibration, test, probabilities.exported),
        **({} if novelty is None else {"novelty": _describe_novelty(novelty, session, data.test)}),
        "recipe": description.recipe,
        "export": {"max_probability_difference": probabilities.difference, "images": len(data.test)},
        "credit": credited,
        "files": {name: describe_file(content) for name, content in files.items()},
    }
    _write_folder(folder, files, passport)
    return ModelFolder(folder, passport, test)


@torch.inference_mode()
def features_of(network: TrainableNetwork, part: LabelledDigits) -> NDArray[np.float32]:
    """Return what the head reads for every image of `part`, (count, features)."""
    # Channels last, and few at a time: nearly twice as fast.
    network = copy.deepcopy(network).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    batches = torch.split(torch.from_numpy(part.as_network_input()), _BATCH)
    return torch.cat(
        [network.features(batch.contiguous(memory_format=torch.channels_last)) for batch in batches]
    ).numpy()


def describe_layers(structure: Structure) -> list[dict[str, Any]]:
    """
    Return the passport's list of layers.

    >>> describe_layers(Structure((Conv(4, (5, 5)),)))[-1]
    {'name': 'head', 'op': 'linear', 'reduce': 'flatten', 'in_shape': [4, 24, 24], 'shape': [10]}
    """
    head = {
        "name": "head",
        "op": "linear",
        "reduce": structure.reduce,
        "in_shape": list(head_input_shape(structure)),
        "shape": [CLASS_COUNT],
    }
    return [*(_describe_layer(layer) for layer in layers(structure)), head]


@dataclass(frozen=True)
class _Answers:
    exported: NDArray[np.float32]
    difference: float


def _describe_layer(layer: ShapedLayer) -> dict[str, Any]:
    stage = layer.stage
    described = {
        "name": layer.name,
        "op": "conv" if isinstance(stage, Conv) else stage.kind,
        "kernel": list(stage.kernel),
        "stride": list(stage.stride),
        "pads": [*stage.pads, *stage.pads],
        "in_shape": list(layer.in_shape),
        "shape": list(layer.shape),
    }
    return described | {"activation": stage.activation} if isinstance(stage, Conv) else described


def _fit_novelty(network: TrainableNetwork, data: Mnist) -> NoveltyWeights:
    from training.novelty.reader import fit_novelty  # noqa: PLC0415  `quick` has no novelty, and no second to spare

    return fit_novelty(lambda part: features_of(network, part), data.train, data.validation)


def _describe_novelty(novelty: NoveltyWeights, session: InferenceSession, test: LabelledDigits) -> dict[str, Any]:
    from training.novelty.strangers import areas_by_kind  # noqa: PLC0415  as above

    def score(part: LabelledDigits) -> NDArray[np.float32]:
        return run_all(session, part.as_network_input(), ["novelty"])["novelty"]

    return {
        "threshold": novelty.threshold,
        "method": novelty.method,
        "flagged_share_of_test": float((score(test) > novelty.threshold).mean()),
        "area_under_roc": {
            **areas_by_kind(score, test, _STRANGERS, _STRANGERS_SEED),
            "drawn": {"count": _STRANGERS, "seed": _STRANGERS_SEED},
        },
    }


def _describe_calibration(
    calibration: FittedCalibration, test: Measurement, probabilities: NDArray[np.float32]
) -> dict[str, Any]:
    mean, highest = calibration_noise(probabilities)
    line = {"slope": calibration.slope, "offset": calibration.offset, "most": calibration.most, "formula": _DOUBT}
    return {
        "temperature": calibration.temperature,
        **({"doubt": line} if calibration.most else {}),
        "ece_test": test.expected_calibration_error,
        "ece_of_perfect_calibration": {"mean": mean, "percentile_95": highest},
    }


def _checked_answers(
    session: InferenceSession, network: TrainableNetwork, export: Export, part: LabelledDigits
) -> _Answers:
    exported = run_all(session, part.as_network_input(), ["probabilities"])["probabilities"]
    expected = probabilities_at(logits_of(network, part), export.calibration.temperature)
    if export.novelty is not None:
        strangeness = strangeness_of(export.novelty, features_of(network, part))
        line = export.calibration.slope * strangeness + export.calibration.offset
        expected = with_doubt(expected, np.clip(line, 0, export.calibration.most))
    difference = float(np.abs(exported - expected).max())
    if difference > _LARGEST_DIFFERENCE:
        raise RuntimeError(
            f"the exported file should answer as PyTorch does within {_LARGEST_DIFFERENCE:g}, got {difference:g}"
        )
    return _Answers(exported, difference)


def _history(snapshots: Sequence[Snapshot], count: int, sha256: str) -> bytes:
    """Return history.npz, as service/network/history.py reads it."""
    content = io.BytesIO()
    told = {"part": np.array("validation"), "count": np.array(count), "sha256": np.array(sha256)}
    np.savez(content, **as_arrays(snapshots), **told)  # type: ignore[arg-type]
    return content.getvalue()


def _bytes_of(model: onnx.ModelProto) -> bytes:
    return bytes(model.SerializeToString(deterministic=True))


def _write_folder(folder: Path, files: dict[str, bytes], passport: dict[str, Any]) -> None:
    """Write beside the place and then take it, so that a reader never meets half a model."""
    partial = folder.with_name(f".{folder.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    for name, content in files.items():
        (partial / name).write_bytes(content)
    write_passport(partial, passport)
    former = folder.with_name(f".{folder.name}.former")
    shutil.rmtree(former, ignore_errors=True)
    if folder.exists():
        folder.replace(former)
    partial.replace(folder)
    shutil.rmtree(former, ignore_errors=True)
