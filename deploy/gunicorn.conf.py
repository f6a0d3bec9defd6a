"""
gunicorn's settings: one worker per CPU, all of them forked from a master that has opened and warmed the networks.

    gunicorn --config deploy/gunicorn.conf.py

HOST, PORT, WORKERS and LOG_LEVEL are read from the environment; every other setting of the service is FILTERSCOPE_*.
A wrong one ends the start with one line that names it.
"""

import gc
import os
from pathlib import Path
from typing import Any

# Before NumPy is imported: a worker has one CPU; NumPy's own threads compete with the other workers (a photograph took
# four times longer).
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

from service.network.files import BadModel
from service.observe import logs, metrics_folder
from service.server.loads import Loads
from service.server.worker import replace_when_ready
from service.settings import BadSetting
from service.start import snapshot, startup


def available_cpus() -> int:
    """CPUs this process may use: its affinity, and the quota of its cgroup where there is one."""
    count = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    try:
        quota, period = Path("/sys/fs/cgroup/cpu.max").read_text(encoding="ascii").split()
    except (OSError, ValueError):
        return count
    return count if quota == "max" else max(1, min(count, int(quota) // int(period)))


process, settings = startup.begin()

wsgi_app = "service.app:start_worker()"
worker_class = "service.server.worker.DoorWorker"
workers = process.workers or available_cpus()
bind = [process.address]

# A door is made after the fork, for it has threads; what can be shared is made before (when_ready).
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
logconfig_dict = logs.logconfig(process.log_level, settings.log_format)


def start() -> None:
    """Do what a worker does to start, in a child of the master that is to try it."""
    from service.app import try_start  # noqa: PLC0415  # never in a master that cannot share it

    # It answers no one, so it has nothing to count, and no one would remove its counts.
    os.environ.pop(metrics_folder.VARIABLE, None)
    try_start()


def share() -> None:
    """Do in the master, for all workers, what each would do to start; where it cannot be shared they do it."""
    if startup.can_share():
        from service.app import warm_for_workers  # noqa: PLC0415  # imported where it is shared

        warm_for_workers()


def stop_once(server: Any) -> None:
    """Let the stop for a worker that could not start be no other, raised from within it, when a second could not."""
    stop = server.stop

    def stop_whatever_ends(graceful: bool = True) -> None:  # as gunicorn calls it
        server.WORKER_BOOT_ERROR = -1  # a status that no process has
        stop(graceful)

    server.stop = stop_whatever_ends


def on_starting(server: Any) -> None:
    """Make room for the workers' counts, and let SIGHUP reload only what they can start from."""
    if server.cfg.workers < 1:  # as --workers may say
        startup.refuse(f"--workers: a whole number of at least 1 is wanted, got {server.cfg.workers}")
    if not server.cfg.reuse_port:
        startup.check_addresses(server.cfg.address, os.environ)
    metrics_folder.prepare_folder()
    stop_once(server)
    server.reload = snapshot.guarded(server.reload, start, share, server.log)
    replace_when_ready(server)
    # What is here is the workers' too, page for page, as long as no collector writes to it.
    gc.collect()
    gc.freeze()


def when_ready(server: Any) -> None:
    """Start, as far as workers can share it, now that the sockets are open: whoever connects waits, and is answered."""
    try:
        share()
    except (BadSetting, BadModel) as error:
        server.log.critical("%s", error)
        server.halt(exit_status=1)


def child_exit(_server: Any, worker: Any) -> None:
    """Keep what a worker has counted, not what it had in flight."""
    metrics_folder.forget(worker.pid)
    Loads.forget(worker.age)


def on_exit(_server: Any) -> None:
    """Remove the counts."""
    metrics_folder.remove_folder()
