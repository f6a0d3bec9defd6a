"""The one file of training that runs onnxruntime: a model file in, its answers out."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from onnxruntime import InferenceSession, SessionOptions  # the package itself has switched its telemetry off

__all__ = ["InferenceSession", "open_session", "output_names", "run_all"]

_BATCH = 1000


def open_session(model: Path | bytes, threads: int = 1) -> InferenceSession:
    """Open a model file, or its bytes, as the service does: sequential, without spinning."""
    options = SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 3  # a weight that is also an input is meant to be one
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    source = model if isinstance(model, bytes) else str(model)
    return InferenceSession(source, options, providers=["CPUExecutionProvider"])


def run_all(session: InferenceSession, images: NDArray[np.float32], names: list[str]) -> dict[str, NDArray[np.float32]]:
    """
    Run every image, in batches, and return the named outputs.

    images: (count, 1, 28, 28), 0 = paper, 1 = ink
    """
    parts = [session.run(names, {"image": images[start : start + _BATCH]}) for start in range(0, len(images), _BATCH)]
    return {name: np.concatenate(chunks) for name, *chunks in zip(names, *parts, strict=True)}


def output_names(session: InferenceSession) -> list[str]:
    """Return the names of what a session gives, in its order."""
    return [output.name for output in session.get_outputs()]
