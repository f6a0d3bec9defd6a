"""gunicorn's worker class: the event loop, its signals, and what is done once a second."""

import asyncio
import contextlib
import os
import resource
import signal
import sys
import time
from pathlib import Path
from types import FrameType
from typing import Any

import uvloop
from gunicorn.sock import ssl_context
from gunicorn.workers.base import Worker

from service.server.accept import Server
from service.server.connection import Times
from service.server.loads import Loads

OOM_SCORE = Path("/proc/self/oom_score_adj")  # of Linux
MORE_SCORE = 100  # thousandths of the memory that a process counts as holding more, where one is to be ended

START_SECONDS = 30  # for so long a new worker is waited for before an old one is stopped
SPARE_DESCRIPTORS = 16  # that no connection is given: for files that a request, a page of counts or a log opens


def replace_when_ready(arbiter: Any) -> None:
    """
    Have gunicorn stop old workers only when those that replace them are at work; in the master.

    gunicorn forks the new ones and stops the old at once, so that no one accepts until the new ones have loaded.
    """
    manage = arbiter.manage_workers

    def manage_when_ready() -> None:
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline:
            ages = sorted(worker.age for worker in arbiter.WORKERS.values())
            newest = ages[len(ages) - arbiter.num_workers :] if len(ages) > arbiter.num_workers else []
            if all(map(Loads.is_at_work, newest)):
                break
            arbiter.reap_workers()  # one that cannot start is no more waited for
            time.sleep(0.05)
        manage()

    arbiter.manage_workers = manage_when_ready


def free_descriptors() -> int:
    """How many files and connections this process may open beside those that it has open."""
    return resource.getrlimit(resource.RLIMIT_NOFILE)[0] - sum(1 for _ in Path("/dev/fd").iterdir())


def _go_first_when_memory_ends() -> None:
    """Let the system end this worker before the master, which holds all that workers share, and replaces them."""
    with contextlib.suppress(OSError, ValueError):
        OOM_SCORE.write_text(str(min(1000, int(OOM_SCORE.read_text()) + MORE_SCORE)))


class DoorWorker(Worker):  # type: ignore[misc]  # gunicorn has no types
    """gunicorn's `worker_class`: its application is a door (see door.py), made after the fork."""

    _loop: asyncio.AbstractEventLoop
    _stop: asyncio.Event
    _is_hasty = False
    _has_failed = False

    def init_process(self) -> None:
        """Set up the event loop, then what every worker sets up."""
        self._stop = asyncio.Event()
        # Until the loop takes them: a worker told to stop while it starts would otherwise not hear of it.
        signal.signal(signal.SIGTERM, lambda _number, _frame: self._stop_soon())
        _go_first_when_memory_ends()
        self._loop = uvloop.new_event_loop()
        asyncio.set_event_loop(self._loop)
        super().init_process()

    def init_signals(self) -> None:
        """Leave behind the master's."""
        for number in self.SIGNALS:
            if number != signal.SIGTERM:
                signal.signal(number, signal.SIG_DFL)
        signal.signal(signal.SIGWINCH, signal.SIG_IGN)
        signal.signal(signal.SIGABRT, self._abort)

    def _take_signals(self) -> None:
        """Take signals on the event loop, where they interrupt nothing."""
        self._loop.add_signal_handler(signal.SIGTERM, self._stop_soon)
        self._loop.add_signal_handler(signal.SIGINT, self._stop_now)
        self._loop.add_signal_handler(signal.SIGQUIT, self._stop_now)
        self._loop.add_signal_handler(signal.SIGUSR1, self.log.reopen_files)

    def _stop_soon(self) -> None:
        self.alive = False
        self._stop.set()

    def _stop_now(self) -> None:
        self._is_hasty = True
        self._stop_soon()

    def _abort(self, _number: int, _frame: FrameType | None) -> None:
        self.cfg.worker_abort(self)
        sys.exit(1)

    def run(self) -> None:
        """Serve until told to stop."""
        try:
            self._loop.run_until_complete(self._serve())
        finally:
            self._loop.close()

    async def _serve(self) -> None:
        self._take_signals()
        door = self.wsgi
        times = Times(self.cfg.keepalive, door.settings.head_timeout_seconds, door.settings.body_timeout_seconds)
        most = min(self.cfg.worker_connections, max(1, free_descriptors() - SPARE_DESCRIPTORS))
        server = Server(door, times, most, self._loop, Loads(self.age))
        door.open(server)
        server.listen([listener.sock for listener in self.sockets], ssl_context(self.cfg) if self.cfg.is_ssl else None)
        while self.alive and self.ppid == os.getppid():
            self.notify()
            self._tick(server, door)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._stop.wait(), 1.0)
        beat = self._loop.create_task(self._beat())
        await server.stop(0.0 if self._is_hasty else self.cfg.graceful_timeout)
        beat.cancel()
        door.close()

    def _tick(self, *parts: Any) -> None:
        """Let every part do what it does once a second; one that fails, as without a descriptor, ends no worker."""
        try:
            for part in parts:
                part.tick()
            self._has_failed = False
        except Exception:
            if not self._has_failed:
                self.log.exception("what is done once a second has failed; it is tried again each second")
            self._has_failed = True

    async def _beat(self) -> None:
        while True:
            self.notify()
            await asyncio.sleep(1.0)
