"""
The network that says where digits touch: beside the networks that read digits, and none of them.

`model.onnx` and its passport are made by `python -m training seams`.
"""

from functools import cache
from pathlib import Path

import numpy as np
import onnxruntime

from service.core.numbers.seams import Seams
from service.network.engine import opened

FOLDER = Path(__file__).resolve().parent


def seams_of(picture: np.ndarray) -> Seams:
    """
    Tell of every pixel how likely two digits touch there, and whose ink it is.

    picture: float32 (rows, columns), what core.numbers.seams.seam_picture() returns, padded
    """
    seam, classes = _session().run(["seams", "classes"], {"picture": picture[None, None]})
    return Seams(seam[0, 0], classes[0])


@cache
def _session() -> onnxruntime.InferenceSession:
    """The network, opened when it is first asked."""
    return opened((FOLDER / "model.onnx").read_bytes())
