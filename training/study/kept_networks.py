"""Kept networks: weights in 16 bits with notes, one .npz file each."""

import json
from pathlib import Path
from typing import Any

import numpy as np

from training.knobs import STRUCTURES, TEACHERS
from training.networks.network import TrainableNetwork, folded_weights
from training.networks.structure import NamedWeights, Structure


def save_network(path: Path, structure: Structure, network: TrainableNetwork, notes: dict[str, Any]) -> None:
    """Keep folded weights in 16 bits, with the structure's name and notes as JSON."""
    arrays: dict[str, Any] = {name: array.astype(np.float16) for name, array in folded_weights(network).items()}
    partial = path.with_suffix(".partial.npz")
    np.savez_compressed(partial, notes=np.array(json.dumps(notes)), structure=np.array(_name_of(structure)), **arrays)
    partial.replace(path)


def read_network(path: Path) -> tuple[Structure, NamedWeights, dict[str, Any]]:
    """Read what `save_network` kept: the structure, its weights as float32, the notes."""
    with np.load(path) as kept:
        weights = {name: kept[name].astype(np.float32) for name in kept.files if name not in ("notes", "structure")}
        return _structure_named(str(kept["structure"])), weights, json.loads(str(kept["notes"]))


def _name_of(structure: Structure) -> str:
    return next(name for name, known in {**STRUCTURES, **TEACHERS}.items() if known == structure)


def _structure_named(name: str) -> Structure:
    return {**STRUCTURES, **TEACHERS}[name]
