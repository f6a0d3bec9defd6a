"""The real server, started for a test or a benchmark: gunicorn with the project's own configuration."""

import os
import socket
import subprocess
import sys
import time
import urllib.request
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
COMMAND = ("--config", "deploy/gunicorn.conf.py")


def bare_environ():
    """The variables of this process without settings of the service, such as the tests' own FILTERSCOPE_PROOF."""
    return {name: value for name, value in os.environ.items() if not name.startswith("FILTERSCOPE_")}


def free_port():
    """A port that nothing listens on."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


@contextmanager
def serving(*command, environ=None, python=sys.executable, log=None):
    """
    Run gunicorn with one worker until the block ends; yields (port, process).

    command: its arguments, with {port} filled in; the project's configuration unless given
    log: a file for what it writes on standard error
    python: of the environment that has what the service needs
    """
    port = free_port()
    filled = [part.format(port=port) for part in command or COMMAND]
    environment = os.environ | {"PORT": str(port), "WORKERS": "1", "LOG_LEVEL": "warning"} | (environ or {})
    process = subprocess.Popen([python, "-m", "gunicorn", *filled], cwd=ROOT, env=environment, stderr=log)
    try:
        wait_until_ready(port, process)
        yield port, process
    finally:
        process.terminate()
        process.wait(30)


def wait_until_ready(port, process, seconds=60):
    """Wait for the first answer of /readyz."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise RuntimeError(f"the server stopped at once, with status {process.returncode}")
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/readyz", timeout=1):
                return
        except OSError:
            time.sleep(0.1)
    raise TimeoutError(f"the server was not ready within {seconds} seconds")
