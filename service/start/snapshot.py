"""
What every worker starts from: the models' files, read by gunicorn's master, and read anew when it is told to reload.

A worker that is replaced opens the files that the other workers opened, whatever has been put in their place since. At
a start a model that is wrong is named in a warning and left out, unless it is the default. At a reload no model may be
wrong that was not so before, and a child of the master first opens the new ones as a worker would. Where it cannot, one
line says why and nothing is reloaded. The master itself opens only what such a child has opened.
"""

import logging
import os
import signal
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from service.network.files import BadModel, ModelFiles
from service.network.folders import Found, read_folders
from service.settings import PREFIX, BadSetting, Settings

log = logging.getLogger(__name__)

# A new model that has not been opened after this time is taken for one that cannot be.
CHECK_SECONDS = 60

_kept: Found | None = None
_keeper: int | None = None


def keep(settings: Settings) -> None:
    """
    Read the models for the workers to come, and warn of those that are wrong.

    raises: BadSetting where there is no model to answer a request that names none
    """
    global _kept, _keeper  # what a master hands its workers through the fork
    _kept, _keeper = read(settings), os.getpid()
    for problem in _kept.problems:
        log.warning("not served: %s", problem)


def read(settings: Settings) -> Found:
    """Read the models that are in their folder now; BadSetting where the default is not among them."""
    try:
        return read_folders(Path(settings.models), settings.default_model)
    except BadModel as error:
        # A problem has its folder; that no folder has the default model's name is what the setting says.
        field = "default_model" if error.folder is None else "models"
        raise BadSetting(f"{PREFIX}{field.upper()}: {error}") from None


def kept() -> list[ModelFiles] | None:
    """What the master has read; None in a process that has no such master, as in a test."""
    return None if _kept is None else _kept.models


def problems() -> list[BadModel]:
    """What is wrong with the models that the master has read."""
    return [] if _kept is None else _kept.problems


def is_keeper() -> bool:
    """Whether this process is the master itself, which is to start nothing but at gunicorn's --check-config."""
    return _keeper == os.getpid()


def guarded(
    reload: Callable[[], None], start: Callable[[], object], renew: Callable[[], object], log: Any
) -> Callable[[], None]:
    """
    Make gunicorn's `reload` one that reloads only what a worker can start from.

    start: what a worker does to start, called in a child of its own
    renew: what the master itself then does for the workers to come; log: gunicorn's
    """

    def reload_if_it_starts() -> None:
        global _kept  # noqa: PLW0603
        before = _kept
        problem = _read_and_try(start) or _problem_of(renew)
        if problem:
            _kept = before
            log.error("not reloaded, what was served before still is: %s", problem)
        else:
            reload()

    return reload_if_it_starts


def _problem_of(renew: Callable[[], object]) -> str:
    try:
        renew()
    except Exception as error:  # noqa: BLE001  # whatever it is, the old ones go on
        return f"{error}" or type(error).__name__
    return ""


def _read_and_try(start: Callable[[], object]) -> str:
    """Read the models and start from them in a child; returns what was wrong, or nothing."""
    global _kept  # noqa: PLW0603
    known = set() if _kept is None else {str(problem) for problem in _kept.problems}
    try:
        _kept = read(Settings.from_environ(os.environ))
    except Exception as error:  # noqa: BLE001  # whatever it is, the old ones go on
        return str(error)
    for problem in _kept.problems:
        if str(problem) not in known:
            return str(problem)
    reading, writing = os.pipe()
    child = os.fork()
    if not child:
        _try(start, writing)
    os.close(writing)
    with os.fdopen(reading, "rb") as told:
        said = told.read(10_000).decode(errors="replace")
    with suppress(ChildProcessError):  # gunicorn may have seen it end
        os.waitpid(child, 0)
    return "" if said == "ok" else said or "the new models could not be opened"


def _try(start: Callable[[], object], writing: int) -> None:
    for number in (signal.SIGALRM, signal.SIGTERM, signal.SIGINT):
        signal.signal(number, signal.SIG_DFL)
    signal.alarm(CHECK_SECONDS)
    try:
        start()
        said = "ok"
    except BaseException as error:  # noqa: BLE001  # it is told through the pipe, then the child is gone
        said = f"{error}" or type(error).__name__
    os.write(writing, said.encode(errors="replace")[:9_000])
    os._exit(0)
