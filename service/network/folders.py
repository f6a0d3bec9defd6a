"""
The folder of models, models/<name>/<version>/: which of them can be served as far as their files tell.

Nothing here runs onnxruntime, so that gunicorn's first process can say what is wrong before anything is opened.
"""

from collections.abc import Iterable
from itertools import islice
from pathlib import Path
from typing import NamedTuple

from service.network.files import MODEL_FILE, PASSPORT_FILE, BadModel, ModelFiles, read_folder
from service.network.passport import is_version, read_passport

# What file systems and Kubernetes' volumes put beside the models.
NO_MODELS = ("lost+found", ".")


class Found(NamedTuple):
    """The models whose files are right, and what is wrong with the others."""

    models: list[ModelFiles]
    problems: list[BadModel]


def read_folders(root: Path, default: str) -> Found:
    """
    Read every model below a folder; one that is wrong is among the problems and the others are served.

    raises: BadModel where the folder cannot be read, or where `default` is not among what can be served: see
    `check_default`
    """
    found = Found([], [])
    for name in _entries(root):
        try:
            versions = _entries(name)
        except BadModel as problem:
            found.problems.append(problem.bare())
            continue
        if not versions:
            wanted = f"a model is a folder NAME/VERSION with {MODEL_FILE} and {PASSPORT_FILE}"
            found.problems.append(BadModel(f"there is no version in it; {wanted}", name))
        for version in versions:
            try:
                files = read_folder(version)
                read_passport(files)
            except BadModel as problem:
                found.problems.append(problem.bare())
            else:
                found.models.append(files)
    check_default(default, [files.folder for files in found.models], found.problems, root)
    return found


def check_default(default: str, served: Iterable[Path], problems: Iterable[BadModel], root: Path | None = None) -> None:
    """
    Raise the BadModel that keeps the default model from being served.

    That is the problem of its newest version: an older one must not answer in its place unnoticed.
    """
    newest: dict[str, int] = {}
    for folder in served:
        newest[folder.parent.name] = max(int(folder.name), newest.get(folder.parent.name, 0))
    for problem in problems:
        bad = problem.folder
        if bad is None or default not in (bad.name, bad.parent.name):
            continue
        if default not in newest or (is_version(bad.name) and int(bad.name) >= newest[default]):
            raise problem
    if not newest and root is not None:
        raise BadModel(f"there is no model in it that can be served{_how(problems)}", root)
    if default not in newest:
        listed = ", ".join(sorted(newest)) or "no model"
        how = "FILTERSCOPE_DEFAULT_MODEL, or --model of a command, names another"
        raise BadModel(f"the default model {default!r} is not among: {listed}; {how}")


def _is_note(path: Path) -> bool:
    try:
        return bool(path.suffix) and path.is_file()
    except OSError:
        return False


def _how(problems: Iterable[BadModel]) -> str:
    return "".join(f"; {problem}" for problem in islice(problems, 1))


def _entries(folder: Path) -> list[Path]:
    """List what should be a model or a version; files with an extension are someone's notes."""
    try:
        paths = sorted(folder.iterdir())
    except OSError as error:
        raise BadModel(error.strerror or "it cannot be read", folder) from error
    return [path for path in paths if not path.name.startswith(NO_MODELS) and not _is_note(path)]
