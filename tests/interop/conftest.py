"""
A real server for real clients, which run unchanged.

The clients need environments of their own: what they pin conflicts with what the service pins, and with one another.
The server is run by the project's own environment; SERVER_PYTHON names another one.
"""

import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import numpy as np
import pytest

from tests.drawing import draw

ROOT = Path(__file__).resolve().parent.parent.parent


def server_python():
    """The interpreter that has what the service needs."""
    candidates = [ROOT / name / "bin" / "python" for name in (".venv-test", ".venv")]
    found = [str(path) for path in candidates if path.exists()]
    return os.environ.get("SERVER_PYTHON") or (found[0] if found else sys.executable)


@pytest.fixture(scope="session")
def address(tmp_path_factory):
    """host:port of a server with one worker, so that its statistics are those of all requests."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port = listener.getsockname()[1]
    log = tmp_path_factory.mktemp("server") / "log"
    command = [server_python(), "-m", "gunicorn", "--config", "deploy/gunicorn.conf.py"]
    with log.open("wb") as out:
        environ = os.environ | {"PORT": str(port), "WORKERS": "1"}
        process = subprocess.Popen(command, cwd=ROOT, env=environ, stdout=out, stderr=out)
    try:
        wait_until_ready(port, process, log)
        yield f"127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(30)


def wait_until_ready(port, process, log, seconds=60):
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        assert process.poll() is None, log.read_text()
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/v2/health/ready", timeout=1):
                return
        except OSError:
            time.sleep(0.1)
    pytest.fail("the server was not ready in time")


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
