"""
gunicorn's settings: one worker per CPU, each with its own onnxruntime sessions.

    gunicorn --config deploy/gunicorn.conf.py

HOST, PORT, WORKERS and LOG_LEVEL are read from the environment; every other setting of the service is FILTERSCOPE_*.
"""

import os
from contextlib import suppress
from pathlib import Path
from typing import Any

from service import logs, metrics, snapshot
from service.server import Loads
from service.settings import BadSetting, Settings


def available_cpus() -> int:
    """CPUs this process may use: its affinity, and the quota of its cgroup where there is one."""
    count = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    try:
        quota, period = Path("/sys/fs/cgroup/cpu.max").read_text(encoding="ascii").split()
    except (OSError, ValueError):
        return count
    return count if quota == "max" else max(1, min(count, int(quota) // int(period)))


wsgi_app = "service.app:create_door()"
worker_class = "service.server.DoorWorker"
workers = int(os.environ.get("WORKERS") or available_cpus())
bind = [f"{os.environ.get('HOST') or '127.0.0.1'}:{os.environ.get('PORT') or '8000'}"]

# Sessions must be made after the fork: onnxruntime does not survive one.
preload_app = False
# Longer than a load balancer keeps its idle connections, so that it is the balancer that closes them.
keepalive = 75
# A worker that does not beat for this long is replaced.
timeout = 60
graceful_timeout = 30
# Heartbeats in memory where the system has it: a slow disk must not look like a stuck worker.
worker_tmp_dir = "/dev/shm" if Path("/dev/shm").is_dir() else None  # noqa: S108  # not a predictable file, a folder
# Nothing listens but the service.
control_socket_disable = True
logconfig_dict = logs.logconfig(
    os.environ.get("LOG_LEVEL") or "info", os.environ.get("FILTERSCOPE_LOG_FORMAT") or "text"
)


def start() -> None:
    """Do what a worker does to start, in a child of the master that is to try it."""
    from service.app import create_door  # noqa: PLC0415  # never in the master: onnxruntime does not survive a fork

    # It answers no one, so it has nothing to count, and no one would remove its counts.
    os.environ.pop(metrics.VARIABLE, None)
    create_door()


def on_starting(server: Any) -> None:
    """Read what the workers will start from, let SIGHUP reload only what they can, and make room for their counts."""
    metrics.prepare_folder()
    with suppress(BadSetting):  # the first worker names it
        snapshot.keep(Settings.from_environ(os.environ))
    server.reload = snapshot.guarded(server.reload, start, server.log)


def child_exit(_server: Any, worker: Any) -> None:
    """Keep what a worker has counted, not what it had in flight."""
    metrics.forget(worker.pid)
    Loads.forget(worker.age)


def on_exit(_server: Any) -> None:
    """Remove the counts."""
    metrics.remove_folder()
