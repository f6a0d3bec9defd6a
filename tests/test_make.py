"""`make`, met by someone whose machine is not ready."""

import os
import shutil
import subprocess

import pytest

from tests.serving import ROOT

PYTHON = """#!/bin/sh
case "$1" in
    -V) echo Python {version} ;;
    -c) exit {is_old} ;;
    -m) mkdir -p .venv/bin && cmp -s "$0" .venv/bin/python || cp "$0" .venv/bin/python ;;
esac
"""


def make(folder, *arguments, version, is_old):
    """Run make with a Python of that version, which does nothing; (status, what was said)."""
    if not shutil.which("make"):
        pytest.skip("make is not installed")
    for path in (ROOT / "Makefile", *ROOT.glob("*/requirements.txt")):
        copied = folder / path.relative_to(ROOT)
        copied.parent.mkdir(exist_ok=True)
        shutil.copy(path, copied)
    python = folder / "python"
    python.write_text(PYTHON.format(version=version, is_old=int(is_old)))
    python.chmod(0o755)
    # The tests are run by make themselves; what it tells a make below it would be said here.
    alone = {name: value for name, value in os.environ.items() if name not in {"MAKEFLAGS", "MAKELEVEL", "MFLAGS"}}
    done = subprocess.run(
        ["make", *arguments, "PYTHON=./python"], cwd=folder, env=alone, capture_output=True, text=True, check=False
    )
    return done.returncode, done.stdout


@pytest.mark.parametrize("verb", ["serve", "test"])
def test_a_python_that_is_too_old_is_named_before_anything_is_installed(tmp_path, verb):
    status, said = make(tmp_path, verb, version="3.10.12", is_old=True)
    assert status == 2
    (line,) = said.splitlines()
    assert line.startswith("Python 3.11 or later is needed, and ./python is Python 3.10.12")
    assert f"make PYTHON=python3.12 {verb}" in line
    assert not list(tmp_path.glob(".venv*"))


def test_serve_says_what_it_does(tmp_path):
    status, said = make(tmp_path, "serve", "PORT=8123", version="3.12.1", is_old=False)
    assert status == 0
    first, second = said.splitlines()
    assert first.startswith("Setting up .venv with Python 3.12.1: ")
    assert second == "Serving on http://127.0.0.1:8123 until Ctrl-C"
