"""The wheel of this checkout, and environments that it is installed into."""

import importlib.util
import re
import subprocess
import sys
from importlib.metadata import distribution
from pathlib import Path

import pytest

from tests.documents.reader import copy


def build(folder):
    """Build the wheel of what a clone of this checkout would have; who asks is skipped without the build backend."""
    if importlib.util.find_spec("hatchling") is None:
        pytest.skip("the build backend, hatchling, is not installed")
    command = [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", str(folder / "dist")]
    subprocess.run(command, cwd=copy(folder / "filterscope"), check=True, capture_output=True)
    return next((folder / "dist").glob("*.whl"))


def installed(folder, wheel):
    """Make an environment as a stranger does, with what the wheel needs from the registry; its programs' folder."""
    subprocess.run([sys.executable, "-m", "venv", folder], check=True)
    pip = [folder / "bin" / "python", "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    subprocess.run([*pip, wheel], check=True)
    return folder / "bin"


def unpacked(folder, wheel):
    """Make an environment that has the wheel and nothing that it needs; its programs' folder."""
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", folder], check=True)
    uv = [sys.executable, "-m", "uv", "pip", "install", "--quiet", "--offline", "--no-deps"]
    subprocess.run([*uv, "--python", folder / "bin" / "python", wheel], check=True)
    return folder / "bin"


def lend(folder, *packages):
    """Lend an environment packages of the tests' own, with what they need, and nothing else."""
    (target,) = (folder / "lib").glob("*/site-packages")
    for name in _with_needs(packages, set()):
        found = distribution(name)
        # A package, what lies beside it (numpy.libs), and what says that it is installed.
        tops = {Path(file).parts[0] for file in found.files if ".." not in Path(file).parts}
        for top in tops - {"__pycache__"}:
            if not (target / top).exists():
                (target / top).symlink_to(Path(found.locate_file(top)).resolve())


def _with_needs(packages, seen):
    for package in packages:
        name = re.match(r"[\w.-]+", package)[0]
        if name in seen or not _is_installed(name):
            continue
        seen.add(name)
        yield name
        needs = [need for need in distribution(name).requires or () if "extra ==" not in need]
        yield from _with_needs(needs, seen)


def _is_installed(name):
    try:
        return bool(distribution(name))
    except ImportError:  # a need of another Python or system
        return False
