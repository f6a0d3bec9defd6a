"""A reader with a fresh checkout, a shell, and nothing of ours in its environment."""

import itertools
import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

from tests.serving import ROOT

ADDRESS = "127.0.0.1:8000"
# How this machine reaches a package registry is the machine's own affair.
KEPT = re.compile(r"PIP_\w+|(?:https?|no)_proxy|SSL_CERT_\w+", re.IGNORECASE)
SECONDS = 900
# The first bytes of the kinds of files that commands write.
KINDS = {".png": b"\x89PNG\r\n", ".npz": b"PK\x03\x04", ".npy": b"\x93NUMPY", ".json": b"{"}


class Output(NamedTuple):
    """What a command printed, and the files it was told to write."""

    text: str
    files: tuple[Path, ...]


def copy(folder):
    """A copy of what a clone of this checkout would have, changes included; returns the folder."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT, capture_output=True, check=False,
    )  # fmt: skip
    if listed.returncode:  # an unpacked archive
        shutil.copytree(ROOT, folder, ignore=shutil.ignore_patterns(".*", "__pycache__", "build"))
        return folder
    for name in filter(None, listed.stdout.decode().split("\0")):
        if (ROOT / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, folder / name)
    return folder


def lend(folder, *names):
    """Give a checkout environments as if `make` had just set them up there; they are those that the tests run in."""
    for name in names:
        (folder / name).mkdir()
        for path in Path(sys.prefix).iterdir():
            if path.name != "ready":
                (folder / name / path.name).symlink_to(path)
        (folder / name / "ready").touch()


class Reader:
    """
    Runs commands in a checkout, as printed but for the address.

    origin: host:port of the server that is asked instead of the printed one
    given: the reader's own pictures, `pictures/`
    """

    def __init__(self, checkout, home, origin):
        self.checkout, self.home, self.origin = checkout, home, origin
        home.mkdir(exist_ok=True)
        # Observes, and changes nothing that is printed on standard output.
        (home / ".curlrc").write_text('silent\nshow-error\nwrite-out = "%{stderr}%{http_code}"\n', encoding="ascii")
        (checkout / "pictures").mkdir(exist_ok=True)
        shutil.copy(ROOT / "tests" / "three.png", checkout / "pictures")

    def environment(self, **more):
        """The variables of a new login, and `more`."""
        python = Path(sys.base_prefix) / "bin"
        kept = {name: value for name, value in os.environ.items() if KEPT.fullmatch(name)}
        path = f"{python}:/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin"
        return kept | {"PATH": path, "HOME": str(self.home), "LANG": "C.UTF-8"} | more

    def run(self, command, **variables):
        """Run a command; an Output, or AssertionError with what it said."""
        done = subprocess.run(
            ["bash", "-c", command.replace(ADDRESS, self.origin)],
            cwd=self.checkout, env=self.environment(**variables), capture_output=True, text=True, timeout=SECONDS,
            check=False,
        )  # fmt: skip
        assert done.returncode == 0, f"{command}\nended with status {done.returncode}\n{done.stdout}\n{done.stderr}"
        files = tuple(self.checkout / name for name in written(command))
        for path in files:
            assert path.read_bytes().startswith(KINDS[path.suffix]), f"{path.name} is not what its name says"
        if command.startswith("curl "):
            status = int(done.stderr[-3:])
            is_refusal = f'"status":{status}' in done.stdout
            assert status < 400 or is_refusal, f"{command}\nwas answered {status}: {done.stdout}"
        return Output(done.stdout, files)

    def run_python(self, program, python, **variables):
        """Run a block of Python; an Output, or AssertionError."""
        path = self.home / "block.py"
        path.write_text(program.replace(ADDRESS, self.origin), encoding="utf-8")
        return self.run(f"{shlex.quote(str(python))} {shlex.quote(str(path))}", **variables)

    def run_js(self, program):
        """Run a block of JavaScript as a module of Node.js; an Output, or AssertionError."""
        path = self.home / "block.mjs"
        path.write_text(program.replace(ADDRESS, self.origin), encoding="utf-8")
        return self.run(f"node {shlex.quote(str(path))}")


def written(command):
    """
    The names of the files that a curl command writes.

    >>> written("curl -s http://127.0.0.1/a -o a.png")
    ['a.png']
    """
    words = shlex.split(command, comments=True)
    return [name for option, name in itertools.pairwise(words) if option in {"-o", "--output"}]


def needed(program):
    """
    What a block of Python says to install.

    >>> needed("# pip install 'tritonclient[http]' numpy\\nimport numpy")
    ['tritonclient[http]', 'numpy']
    """
    return [word for line in re.findall(r"^# pip install (.*)$", program, re.MULTILINE) for word in shlex.split(line)]


def imported(program):
    """The top-level modules that a block of Python imports and the standard library has not."""
    found = set(re.findall(r"^\s*(?:import|from) (\w+)", program, re.MULTILINE))
    return found - sys.stdlib_module_names


def install(packages, folder, reader):
    """Make an environment that has packages, and nothing else; its interpreter."""
    reader.run(f"python3 -m venv {folder}")
    reader.run(f"{folder}/bin/pip install --quiet {shlex.join(packages)}")
    return folder / "bin" / "python"
