"""
What gunicorn's first process looks at before it forks, so that what is wrong ends the start there, with one line.

A worker that cannot start would write its reason between the lines of the other workers and of gunicorn. onnxruntime is
never imported here: what cannot be shared (`can_share`) is first made in a worker.
"""

import errno
import logging.config
import os
import socket
import sys
from collections.abc import Mapping, Sequence
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple, NoReturn

# What NumPy imports when it is first asked for: here once for all workers, so that no call waits for it.
import numpy.fft
import numpy.ma
import numpy.random  # noqa: F401

from service.core.idx import read_parts
from service.door.cors import BadOrigin, Cors
from service.door.keys import BadKeys, Keys
from service.observe import logs
from service.observe.tracing import is_configured
from service.settings import PREFIX, BadSetting, Process, Settings, naming, unknown
from service.start import snapshot

log = logging.getLogger(__name__)


class Start(NamedTuple):
    """What the service is started with."""

    process: Process
    settings: Settings


@cache
def begin() -> Start:
    """
    Read and check every setting, and what the settings lead to; end the process where one is wrong.

    Once in the life of a process, whose variables are what they are: gunicorn runs its configuration again at a reload,
    and whether to reload what has changed in files is for snapshot.py to say.
    """
    _configure_logs(os.environ)
    for line in unknown(os.environ):
        log.warning("%s", line)
    try:
        start = Start(Process.from_environ(os.environ), Settings.from_environ(os.environ))
        check(start, os.environ)
        snapshot.keep(start.settings)
    except BadSetting as error:
        refuse(str(error))
    return start


def check(start: Start, environ: Mapping[str, str]) -> None:
    """Raise the first BadSetting of those that show only when what they name is looked at; models are snapshot's."""
    settings = start.settings
    read_origins(settings)
    read_keys(settings)
    if settings.mnist:
        with naming("mnist", OSError, ValueError):
            read_parts(Path(settings.mnist))
    _check_host(start.process.host)
    if is_configured(environ) and not _is_there("opentelemetry.exporter.otlp.proto.http"):
        name = next(name for name in sorted(environ) if name.startswith("OTEL_EXPORTER_OTLP_") and environ[name])
        raise BadSetting(f"{name}: tracing needs what is not installed: pip install filterscope[otel]")


def check_addresses(addresses: Sequence[object], environ: Mapping[str, str]) -> None:
    """
    Refuse to start where this machine cannot listen on one of gunicorn's addresses: it would try again for 5 seconds.

    A process that was handed its sockets, by the one that it succeeds or by systemd, opens none.
    """
    if not environ.keys().isdisjoint({"GUNICORN_FD", "LISTEN_FDS"}):
        return
    for address in addresses:
        if not isinstance(address, tuple):
            continue  # the path of a socket, or one that is open already
        host, port = address[:2]
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        with socket.socket(family, socket.SOCK_STREAM) as listener:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                listener.bind((host, port))
            except OSError as error:
                taken = f"another program listens on {host}:{port}; end it, or choose another, as in PORT={port + 1}"
                is_taken = error.errno == errno.EADDRINUSE
                refuse(f"PORT: {port} is taken: {taken}" if is_taken else f"PORT: {host}:{port}: {error.strerror}")


def can_share() -> bool:
    """
    Whether workers may use what this process makes before it forks, the networks' sessions included.

    A session of one thread survives a fork, for it is memory and no more; threads do not. So this process must have no
    other thread, and onnxruntime begin none when it is imported, as it does where it may report home.
    """
    threads = Path("/proc/self/task")  # of Linux alone: on macOS what the system's own libraries hold survives no fork
    return threads.is_dir() and len(list(threads.iterdir())) == 1 and os.environ.get("ORT_DISABLE_TELEMETRY") == "1"


def refuse(line: str) -> NoReturn:
    """End the process with one line in the log and a status that says so."""
    log.critical("%s", " ".join(line.encode("utf-8", "backslashreplace").decode().split()))
    sys.exit(1)


def read_keys(settings: Settings) -> Keys | None:
    """The keys that are taken, None where none is asked for."""
    with naming("keys_file", BadKeys):
        return Keys.open(settings.keys_file) if settings.keys_file else None


def read_origins(settings: Settings) -> Cors:
    """The pages that may call."""
    with naming("cors_origins", BadOrigin):
        return Cors.parse(settings.cors_origins)


def _configure_logs(environ: Mapping[str, str]) -> None:
    """Log as the settings say, or, where those of the log are wrong themselves, as without them."""
    form = environ.get(f"{PREFIX}LOG_FORMAT", "").strip()
    try:
        level = Process.from_environ({"LOG_LEVEL": environ.get("LOG_LEVEL", "")}).log_level
    except BadSetting:
        level = Process().log_level
    logging.config.dictConfig(logs.logconfig(level, form if form in logs.FORMS else Settings().log_format))


def _check_host(host: str) -> None:
    """See whether this machine can listen there, on any port; gunicorn would try again for five seconds."""
    wanted = "HOST: a name or an address of this machine is wanted"
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, 0, type=socket.SOCK_STREAM)[0]
        with socket.socket(family, kind, protocol) as listener:
            listener.bind(address)
    except (OSError, UnicodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "no name"
        raise BadSetting(f"{wanted}, got {host[:80]!r}: {reason}") from None


def _is_there(package: str) -> bool:
    try:
        return find_spec(package) is not None
    except ModuleNotFoundError:
        return False
