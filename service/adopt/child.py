"""The command's side of an adoption: the file is looked at from outside alone, and opened by a child with limits."""

import os
import signal
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import msgspec

from service.adopt.asked import AdoptionOptions, Refused
from service.adopt.place import check_free, check_name, made_aside, put
from service.settings import PACKAGE

MOST_BYTES = 256 << 20
# What the child may take.
MEMORY_BYTES, CPU_SECONDS, WALL_SECONDS = 4 << 30, 120, 600


def adopt(asked: AdoptionOptions, models: Path, *, dry_run: bool = False) -> dict[str, Any]:
    """
    Adopt a file into models/<name>/<version>/, or only say what would come of it.

    returns: what the network is, with `folder`, where it lies; None there after a dry run
    raises: Refused; ModuleNotFoundError without the extra [adopt]
    """
    if find_spec("onnx") is None:
        raise ModuleNotFoundError("onnx", name="onnx")
    _check_file(Path(asked.model))
    check_name(asked.name)
    check_free(models, asked.name, asked.version)
    with made_aside(models, asked.name, asked.version) as folder:
        described = _ask(msgspec.structs.replace(asked, folder=str(folder)))
        described["folder"] = None if dry_run else str(put(folder, models))
    return described


def _check_file(path: Path) -> None:
    if not path.is_file():
        raise Refused(f"{path}: there is no such file")
    size = path.stat().st_size
    if size > MOST_BYTES:
        raise Refused(f"{path}: {size >> 20} MiB: at most {MOST_BYTES >> 20} are taken")


def _ask(asked: AdoptionOptions) -> dict[str, Any]:
    environ = dict(os.environ)
    environ["PYTHONPATH"] = os.pathsep.join(filter(None, (str(PACKAGE.parent), environ.get("PYTHONPATH"))))
    # One thread each: their stacks count as memory.
    environ |= dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1")
    command = [sys.executable, "-P", "-m", "service.adopt.work", str(MEMORY_BYTES), str(CPU_SECONDS)]
    try:
        done = subprocess.run(  # noqa: S603  # this very Python
            command,
            input=msgspec.json.encode(asked),
            capture_output=True,
            timeout=WALL_SECONDS,
            env=environ,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise Refused(f"{asked.model}: it took more than {WALL_SECONDS} s") from None
    try:
        told: dict[str, Any] = msgspec.json.decode(done.stdout, type=dict)
    except msgspec.DecodeError:
        raise Refused(f"{asked.model}: {_how_it_ended(done)}") from None
    if "refused" in told:
        raise Refused(f"{asked.model}: {told['refused']}")
    adopted: dict[str, Any] = told["adopted"]
    return adopted


def _how_it_ended(done: subprocess.CompletedProcess[bytes]) -> str:
    """Why a child said nothing."""
    if done.returncode == -signal.SIGXCPU:
        return f"it took more than {CPU_SECONDS} s of CPU: a smaller network or --size is wanted"
    if done.returncode < 0:
        name = signal.Signals(-done.returncode).name
        return f"opening it ended the process ({name}): it is damaged, or needs more than {MEMORY_BYTES >> 20} MiB"
    lines = done.stderr.decode(errors="replace").strip().splitlines()
    return f"it could not be opened: {lines[-1] if lines else f'status {done.returncode}'}"
