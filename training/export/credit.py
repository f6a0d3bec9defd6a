"""The third file of a model folder, credit.onnx: its walk back, compiled from the lean one."""

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import onnx

from service.credit.compiled import compile_credit
from service.network.files import CREDIT_FILE, MODEL_FILE, PASSPORT_FILE

_HEAD = ("logits",)


def credit_of(model: onnx.ModelProto, layers: Sequence[dict[str, Any]]) -> tuple[bytes, dict[str, Any]]:
    """
    Compile the walk back of a lean model; returns the file and what its passport says of it.

    layers: the passport's
    """
    maps = {layer["name"]: _maps(layer) for layer in layers}
    compiled = compile_credit(model, maps, layers[0]["in_shape"])
    return compiled.model.SerializeToString(deterministic=True), compiled.told


def add_credit(folder: Path) -> Path:
    """Write credit.onnx into a model folder, and into its passport what it can; returns its path."""
    passport = json.loads((folder / PASSPORT_FILE).read_text(encoding="utf-8"))
    content, told = credit_of(onnx.load(folder / MODEL_FILE), passport["layers"])
    path = folder / CREDIT_FILE
    path.write_bytes(content)
    files = passport.pop("files") | {CREDIT_FILE: describe_file(content)}
    write_passport(folder, passport | {"credit": told, "files": files})
    return path


def write_passport(folder: Path, passport: dict[str, Any]) -> None:
    """Write `folder`/passport.json, in one stroke."""
    partial = folder / ".passport.json.partial"
    partial.write_text(json.dumps(passport, indent=2) + "\n", encoding="utf-8")
    partial.replace(folder / PASSPORT_FILE)


def describe_file(content: bytes) -> dict[str, Any]:
    """Return what a passport says of a file."""
    return {"sha256": hashlib.sha256(content).hexdigest(), "bytes": len(content)}


def _maps(layer: dict[str, Any]) -> Sequence[str]:
    if layer["op"] == "linear":
        return _HEAD
    return (f"{layer['name']}.pre", f"{layer['name']}.act") if layer["op"] == "conv" else (layer["name"],)
