"""Where an adopted network goes: models/<name>/<version>/, there whole or not at all, whatever reads it meanwhile."""

import os
import re
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec

from service.adopt.asked import Refused
from service.network.files import PASSPORT_FILE
from service.network.passport import Passport, is_version

# Whoever lists the models leaves out what begins with a dot.
HIDDEN = ".adopting-"
NAME = re.compile(r"[A-Za-z][A-Za-z0-9_-]{0,63}")


def check_name(name: str) -> None:
    """Raise Refused for a name that is none for a model."""
    if not NAME.fullmatch(name):
        raise Refused(f"--name {name[:80]!r}: a letter, then up to 63 letters, digits, - and _")


def next_version(models: Path, name: str) -> str:
    """One more than the highest version there is."""
    place = models / name
    versions = [int(path.name) for path in place.iterdir() if is_version(path.name)] if place.is_dir() else []
    return str(max(versions, default=0) + 1)


def check_free(models: Path, name: str, version: str) -> None:
    """Raise Refused where that version is there already, or is no version."""
    if not is_version(version):
        raise Refused(f"--version {version[:80]!r}: a number such as 1 or 12 is wanted")
    if os.path.lexists(models / name / version):
        raise Refused(f"{models / name / version} is there already and is not overwritten: leave --version out")


@contextmanager
def made_aside(models: Path, name: str, version: str) -> Iterator[Path]:
    """Hand out a folder that no one lists, to write a version into; it is gone at the end unless it was `put`."""
    try:
        models.mkdir(parents=True, exist_ok=True)
        aside = Path(tempfile.mkdtemp(prefix=HIDDEN, dir=models))
    except OSError as error:
        raise Refused(f"{models}: {error.strerror}: name a folder that can be written to, --models DIR") from error
    try:
        folder = aside / name / version
        folder.mkdir(parents=True)
        yield folder
    finally:
        shutil.rmtree(aside, ignore_errors=True)


def put(folder: Path, models: Path) -> Path:
    """Move what was written aside to its place, in one step. raises: Refused where something is there by now."""
    name, version = folder.parent.name, folder.name
    for path in folder.iterdir():
        path.chmod(0o644)
        with path.open("rb") as written:
            os.fsync(written.fileno())
    check_free(models, name, version)
    try:
        if not (models / name).exists():
            # With its name's folder: an empty one would be a model without a version to who lists it now.
            folder.parent.rename(models / name)
        else:
            folder.rename(models / name / version)
    except OSError as error:
        raise Refused(f"{models / name / version}: {error.strerror}") from error
    return models / name / version


def remove(models: Path, name: str, version: str) -> Path:
    """Take a version out that was adopted, in one step. raises: Refused."""
    check_name(name)
    folder = models / name / version
    if not is_version(version) or not folder.is_dir():
        raise Refused(f"there is no {folder}")
    try:
        is_adopted = Passport.read(folder / PASSPORT_FILE).is_adopted
    except (OSError, ValueError, msgspec.MsgspecError) as error:
        raise Refused(f"{folder}: it cannot be told that it was adopted: {error}") from error
    if not is_adopted:
        raise Refused(f"{folder} was not adopted, and is not removed")
    aside = Path(tempfile.mkdtemp(prefix=HIDDEN, dir=models))
    try:
        is_last = [path for path in folder.parent.iterdir() if path != folder] == []
        (folder.parent if is_last else folder).rename(aside / name)
    except OSError as error:
        raise Refused(f"{folder}: {error.strerror}") from error
    finally:
        shutil.rmtree(aside, ignore_errors=True)
    return folder
