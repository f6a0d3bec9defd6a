"""One machine: a process per core, each with a network of its own."""

import multiprocessing
from collections.abc import Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool

from service.batch.errors import BadJob
from service.batch.output import Output
from service.batch.scoring import Recipe, Scorer
from service.batch.sources import Part

# Per process: one part in work, one waiting, so that none is idle and a stream of parts is not held in memory.
PARTS_PER_WORKER = 2

_scorer: Scorer
_output: Output


def run(parts: Iterable[Part], recipe: Recipe, output: Output, workers: int) -> Iterator[int]:
    """Score and write every part; yields the index of each when it is written, in no order."""
    # Spawned, not forked: onnxruntime and Arrow have threads that do not survive a fork.
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(workers, context, _start, (recipe, output)) as pool:
        waiting: set[Future[int]] = set()
        try:
            for part in parts:
                waiting.add(pool.submit(_work, part))
                if len(waiting) >= workers * PARTS_PER_WORKER:
                    done, waiting = wait(waiting, return_when=FIRST_COMPLETED)
                    yield from (future.result() for future in done)
            while waiting:
                done, waiting = wait(waiting, return_when=FIRST_COMPLETED)
                yield from (future.result() for future in done)
        except BrokenProcessPool as error:
            raise BadJob("a worker process was killed (out of memory?); the same command goes on from here") from error
        finally:
            pool.shutdown(wait=False, cancel_futures=True)


def _start(recipe: Recipe, output: Output) -> None:
    global _scorer, _output
    _scorer, _output = Scorer(recipe), output


def _work(part: Part) -> int:
    _output.write(part.index, _scorer.score(part))
    return part.index
