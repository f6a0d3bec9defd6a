"""One machine: a process per core, each with a network of its own."""

import multiprocessing
import signal
from collections.abc import Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from types import FrameType
from typing import Self

from service.batch.errors import BadJob, Stopped
from service.batch.output import Output
from service.batch.scoring import Recipe, Scorer
from service.batch.sources import Part

# Per process: one part in work, one waiting, so that none is idle and a stream of parts is not held in memory.
PARTS_PER_WORKER = 2
# How long a signal may wait for someone to look whether it has come.
LOOK_SECONDS = 0.2

_scorer: Scorer
_output: Output


def run(parts: Iterable[Part], recipe: Recipe, output: Output, workers: int) -> Iterator[int]:
    """Score and write every part; yields the index of each when it is written, in no order."""
    # Spawned, not forked: onnxruntime and Arrow have threads that do not survive a fork.
    context = multiprocessing.get_context("spawn")
    with _Signals() as signals, ProcessPoolExecutor(workers, context, _start, (recipe, output)) as pool:
        waiting: set[Future[int]] = set()
        try:
            for part in parts:
                with _blocked():
                    waiting.add(pool.submit(_work, part))
                while len(waiting) >= workers * PARTS_PER_WORKER:
                    done, waiting = wait(waiting, LOOK_SECONDS, FIRST_COMPLETED)
                    yield from (future.result() for future in done)
                    signals.look()
            while waiting:
                done, waiting = wait(waiting, LOOK_SECONDS, FIRST_COMPLETED)
                yield from (future.result() for future in done)
                signals.look()
        except BrokenProcessPool as error:
            raise BadJob("a worker process was killed (out of memory?); the same command goes on from here") from error
        finally:
            # Waited for: Python wakes its thread up at the end, by a pipe that the thread may be closing.
            pool.shutdown(wait=True, cancel_futures=True)


class _Signals:
    """
    Ctrl-C, and a supervisor's word to end: noted when they come, and obeyed between two parts.

    Raised wherever the process is when they come, one was lost now and then, and the job went on.
    """

    def __enter__(self) -> Self:
        self._came = 0
        self._before = {number: signal.signal(number, self._note) for number in (signal.SIGINT, signal.SIGTERM)}
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def look(self) -> None:
        """Raise Stopped where one has come."""
        if self._came:
            raise Stopped(self._came)

    def _note(self, number: int, _frame: FrameType | None) -> None:
        self._came = number


@contextmanager
def _blocked() -> Iterator[None]:
    """
    Keep Ctrl-C from the processes that are started here: they finish the part that they are at, without a traceback.

    A terminal sends it to all processes of a job, and a process begins with the signals blocked that its parent has.
    """
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _start(recipe: Recipe, output: Output) -> None:
    global _scorer, _output
    _scorer, _output = Scorer(recipe), output


def _work(part: Part) -> int:
    _output.write(part.index, _scorer.score(part))
    return part.index
