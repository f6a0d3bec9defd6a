"""The walk back of an adopted network: compiled where every operator has a rule, and tried before it is offered."""

import time
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import onnxruntime
from onnx import ModelProto

from service.adopt.asked import Refused
from service.adopt.build import named_before, source_name
from service.adopt.canonical import (
    MOST_BYTES,
    TOLERANCE,
    Canonical,
    difference,
    milliseconds,
    open_foreign,
    run_foreign,
)
from service.adopt.layers import FoundLayer
from service.credit.compiled import CompiledCredit, compile_credit
from service.credit.walk import NoCredit
from service.network.credit import BASE, BIASES, GAINS, LOGITS, SEED
from service.network.files import ANALYSIS_FILE, CREDIT_FILE
from service.network.passport import IMAGE

# What is missing of a score at most: as a share of all its parts; and of the largest logit, at a layer.
RESIDUAL, LAYER_RESIDUAL = 1e-5, 1e-4
MOST_SCORES, ENOUGH_SECONDS = 8, 5.0


class Credited(NamedTuple):
    """What a passport says: of what can be credited, of what a walk costs in milliseconds, and of what was checked."""

    told: dict[str, Any]
    cost: dict[str, float]
    checks: dict[str, float]


def credited_files(
    files: dict[str, bytes], lean: ModelProto, found: Sequence[FoundLayer], canonical: Canonical, images: np.ndarray
) -> Credited:
    """
    Add credit.onnx to the files of a network, where it can be made; what the passport says of it.

    images: (n, channels, rows, columns), on which its sums are tried
    """
    try:
        compiled = _compiled(lean, found, canonical)
        data = _checked(compiled.model.SerializeToString())
        session = open_foreign(data)
        checks = _tried(session, files[ANALYSIS_FILE], compiled, found, images)
    except (NoCredit, Refused) as reason:
        return Credited({"refused": " ".join(str(reason).split())[:300]}, {}, {})
    except MemoryError:
        return Credited({"refused": "walking it back needs more memory than adopting may take"}, {}, {})
    files[CREDIT_FILE] = data
    feed = {IMAGE: images[:1], SEED: np.eye(1, canonical.classes, dtype=np.float32)}
    names = [output.name for output in session.get_outputs() if not output.name.startswith((GAINS, BASE))]
    cost = milliseconds(lambda: run_foreign(session, [*names, GAINS + IMAGE], feed))
    return Credited(compiled.told, {"credit": cost}, checks)


def _checked(data: bytes) -> bytes:
    if len(data) > MOST_BYTES:
        raise NoCredit(f"its walk back has {len(data) >> 20} MiB: at most {MOST_BYTES >> 20} are taken")
    return data


def _compiled(lean: ModelProto, found: Sequence[FoundLayer], canonical: Canonical) -> CompiledCredit:
    if canonical.answers == "probabilities":
        raise NoCredit("it answers probabilities, and no softmax was found that they come from")
    layers = {one.layer.name: tuple(one.maps.values()) or (one.layer.source,) for one in found}

    def told(tensor: str) -> str:
        return "numbers" if named_before(tensor) else source_name(tensor)

    return compile_credit(lean, layers, canonical.source.shape, told)


def _tried(
    session: onnxruntime.InferenceSession,
    analysis: bytes,
    compiled: CompiledCredit,
    found: Sequence[FoundLayer],
    images: np.ndarray,
) -> dict[str, float]:
    """Add the parts of some scores of each picture up. raises: NoCredit where they miss the score."""
    maps = open_foreign(analysis)
    names = [output.name for output in session.get_outputs()]
    shown = {one.layer.name: list(one.maps)[-1] for one in found if one.layer.name in compiled.whole}
    whole, layers, started = [0.0], [0.0], time.perf_counter()
    for image in images[:, None]:
        logits, *values = run_foreign(maps, [LOGITS, *shown.values()], {IMAGE: image})
        classes = logits.shape[1]
        seeds = np.eye(classes, dtype=np.float32)[np.argsort(-logits[0])[: MOST_SCORES // 2]]
        seeds = np.concatenate([seeds, np.eye(classes, dtype=np.float32)[: MOST_SCORES // 2]])
        parts = dict(zip(names, run_foreign(session, names, {IMAGE: image, SEED: seeds}), strict=True))
        if difference(parts[LOGITS], logits) > TOLERANCE:
            raise NoCredit(f"its walk back computes other logits, by {difference(parts[LOGITS], logits):.2g}")
        scores = seeds.astype(np.float64) @ logits[0]
        pixels = parts[GAINS + IMAGE].astype(np.float64) * image
        biases = [array.astype(np.float64) for name, array in parts.items() if name.startswith(BIASES)]
        size = np.abs(pixels).sum(axis=(1, 2, 3)) + sum(map(np.abs, biases))
        whole.append(_missing(scores - pixels.sum(axis=(1, 2, 3)) - sum(biases), size))
        for (name, _), value in zip(shown.items(), values, strict=True):
            sums = (parts[GAINS + name].astype(np.float64) * value).sum(axis=(1, 2, 3)) + parts[BASE + name]
            layers.append(_missing(scores - sums, np.abs(logits).max()))
        if time.perf_counter() - started > ENOUGH_SECONDS:
            break
    for missing, most in ((max(whole), RESIDUAL), (max(layers), LAYER_RESIDUAL)):
        if not missing <= most:
            raise NoCredit(f"its parts miss the score by {missing:.2g} of them: at most {most:g} is rounding")
    return {"credit_residual": max(whole), "layer_residual": max(layers)}


def _missing(apart: np.ndarray, size: np.ndarray) -> float:
    """The largest of what is missing, as a share; infinite where it is no number."""
    share = float((np.abs(apart) / np.maximum(size, np.finfo(np.float32).tiny)).max())
    return share if np.isfinite(share) else np.inf
