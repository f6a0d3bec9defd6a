"""
Many machines: the same parts as tasks of Ray Data, scored by actors that each hold one network.

Every machine sees IN, OUT and the models under the same paths. An actor writes its part itself and answers with the
index alone, so what passes through Ray is as small as the list of parts; a part lost with its machine is done again
elsewhere, and replaces the same file with the same bytes.
"""

import os
import pickle
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # Ray reports usage to its vendor unless told not to

import numpy as np
import ray
import ray.data

from service.batch.output import Output
from service.batch.scoring import Recipe, Scorer
from service.batch.sources import Part

CHECKOUT = Path(__file__).resolve().parents[2]


class _Actor:
    def __init__(self, recipe: Recipe, output: Output) -> None:
        self._scorer, self._output = Scorer(recipe), output

    def __call__(self, batch: dict[str, Any]) -> dict[str, Any]:
        parts = [pickle.loads(part) for part in batch["part"]]  # noqa: S301 - pickled by run(), below
        for part in parts:
            self._output.write(part.index, self._scorer.score(part))
        return {"index": np.array([part.index for part in parts])}


def run(parts: Iterable[Part], recipe: Recipe, output: Output, workers: int | None) -> Iterator[int]:
    """
    Score and write every part on the cluster that RAY_ADDRESS names, or on one started here for the job.

    workers: actors, each with one CPU; None for one per CPU of the cluster
    yields the index of each part when it is written, in no order
    """
    paths = os.pathsep.join(filter(None, (str(CHECKOUT), os.environ.get("PYTHONPATH"))))
    mine = not ray.is_initialized()
    if mine:
        ray.init(log_to_driver=False, runtime_env={"env_vars": {"PYTHONPATH": paths, "OPENBLAS_NUM_THREADS": "1"}})
    try:
        items = [{"part": pickle.dumps(part)} for part in parts]
        if not items:
            return
        ray.data.DataContext.get_current().enable_progress_bars = False
        most = min(workers or int(ray.cluster_resources().get("CPU", 1)), len(items))
        scored = ray.data.from_items(items, override_num_blocks=len(items)).map_batches(
            _Actor, fn_constructor_args=(recipe, output), batch_size=1, num_cpus=1,
            # A pool that may shrink: a machine that fails takes its CPUs with it.
            compute=ray.data.ActorPoolStrategy(min_size=1, max_size=most),
        )  # fmt: skip
        for row in scored.iter_rows():
            yield int(row["index"])
    finally:
        if mine:
            ray.shutdown()
