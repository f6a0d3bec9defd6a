"""Java's own HTTP client as it comes: over plain HTTP it offers an upgrade to HTTP/2 with every first request."""

import json
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.drawing import draw, encode

ASK = Path(__file__).parent / "Ask.java"


def test_javas_client_with_its_defaults_is_answered_in_every_form_of_body(address, tmp_path):
    java = shutil.which("java") or pytest.skip("java is not installed (Debian: default-jdk-headless)")
    if shutil.which("javac") is None:
        pytest.skip("java is installed without its compiler (Debian: default-jdk-headless)")
    picture = tmp_path / "3.png"
    picture.write_bytes(encode(draw(3)))
    command = [java, str(ASK), f"http://{address}/v1/classify", str(picture)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert len(lines) == 30
    for line in lines:
        status, _, body = line.partition(" ")
        assert (status, json.loads(body)["results"][0]["digit"]) == ("200", 3)
