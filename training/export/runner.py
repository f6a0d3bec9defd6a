"""The one file of training that runs onnxruntime: a model file in, its answers out."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from onnxruntime import InferenceSession  # the package itself has switched its telemetry off

from service.network.engine import one_thread

__all__ = ["InferenceSession", "open_session", "run_all"]

_BATCH = 1000


def open_session(model: Path | bytes) -> InferenceSession:
    """Open a model file, or its bytes, with the service's own options: one thread, without spinning."""
    source = model if isinstance(model, bytes) else str(model)
    return InferenceSession(source, one_thread(), providers=["CPUExecutionProvider"])


def run_all(session: InferenceSession, images: NDArray[np.float32], names: list[str]) -> dict[str, NDArray[np.float32]]:
    """
    Run every image, in batches, and return the named outputs.

    images: (count, 1, 28, 28), 0 = paper, 1 = ink
    """
    parts = [session.run(names, {"image": images[start : start + _BATCH]}) for start in range(0, len(images), _BATCH)]
    return {name: np.concatenate(chunks) for name, *chunks in zip(names, *parts, strict=True)}
