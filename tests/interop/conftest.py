"""
A real server for real clients, which run unchanged.

The clients need environments of their own: what they pin conflicts with what the service pins, and with one another.
The server is run by the project's own environment; SERVER_PYTHON names another one.
"""

import os
import shutil
import sys

import numpy as np
import pytest

from tests.drawing import draw
from tests.serving import ROOT, serving


def server_python():
    """The interpreter that has what the service needs."""
    candidates = [ROOT / name / "bin" / "python" for name in (".venv-test", ".venv")]
    found = [str(path) for path in candidates if path.exists()]
    return os.environ.get("SERVER_PYTHON") or (found[0] if found else sys.executable)


@pytest.fixture(scope="session")
def address():
    """host:port of a server with one worker, so that its statistics are those of all requests."""
    with serving(python=server_python()) as (port, _):
        yield f"127.0.0.1:{port}"


@pytest.fixture(scope="session")
def digits():
    """The digits that are drawn in `images`."""
    return [3, 1, 7, 4, 2]


@pytest.fixture(scope="session")
def images(digits):
    """(5, 1, 28, 28) float32 drawings, 0 = paper, 1 = ink."""
    levels = np.stack([draw(digit, 28, dark_on_light=False) for digit in digits])
    return (levels[:, None] / 255).astype(np.float32)


@pytest.fixture(scope="session")
def curl():
    return shutil.which("curl") or pytest.skip("curl is not installed")
