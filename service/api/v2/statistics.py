"""What each model was asked in this process, counted as Triton's statistics extension shows it."""

import threading
import time
from typing import Any, NamedTuple


class Marks(NamedTuple):
    """When the stages of one inference began and ended, in nanoseconds of time.perf_counter_ns()."""

    started: int
    read: int
    ran: int
    written: int


class Statistics:
    """
    The counts of one version of one model.

    A process counts for itself, since it started: with several workers each call is answered by one of them, and
    /metrics adds them up.

    >>> statistics = Statistics()
    >>> statistics.succeeded(4, Marks(0, 10, 30, 35))
    >>> statistics.as_members()["inference_stats"]["compute_infer"]
    {'count': 1, 'ns': 20}
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._last_inference_ms = 0
        self._failures = self._failed_ns = 0
        # Per size of batch: how many requests, and the nanoseconds of reading, running and writing them.
        self._batches: dict[int, list[int]] = {}

    def succeeded(self, batch_size: int, marks: Marks) -> None:
        """Count a request that was answered."""
        with self._lock:
            self._last_inference_ms = time.time_ns() // 1_000_000
            counts = self._batches.setdefault(batch_size, [0, 0, 0, 0])
            counts[0] += 1
            counts[1] += marks.read - marks.started
            counts[2] += marks.ran - marks.read
            counts[3] += marks.written - marks.ran

    def failed(self, nanoseconds: int) -> None:
        """Count a request that was refused."""
        with self._lock:
            self._failures += 1
            self._failed_ns += nanoseconds

    def as_members(self) -> dict[str, Any]:
        """The counts, under the names of the extension; nothing is queued for a model and nothing cached."""
        with self._lock:
            batches = {size: tuple(counts) for size, counts in sorted(self._batches.items())}
            failures, failed_ns, last_ms = self._failures, self._failed_ns, self._last_inference_ms
        requests, *stages = (sum(counts) for counts in zip(*batches.values(), strict=True)) if batches else (0, 0, 0, 0)
        nothing = _duration(0, 0)
        return {
            "last_inference": last_ms,
            "inference_count": sum(size * counts[0] for size, counts in batches.items()),
            "execution_count": requests,
            "inference_stats": {
                "success": _duration(requests, sum(stages)),
                "fail": _duration(failures, failed_ns),
                "queue": nothing,
                **_stages(requests, *stages),
                "cache_hit": nothing,
                "cache_miss": nothing,
            },
            "response_stats": {},
            "batch_stats": [{"batch_size": size, **_stages(*counts)} for size, counts in batches.items()],
            "memory_usage": [],
        }


def _stages(count: int, reading: int, running: int, writing: int) -> dict[str, Any]:
    return {
        "compute_input": _duration(count, reading),
        "compute_infer": _duration(count, running),
        "compute_output": _duration(count, writing),
    }


def _duration(count: int, nanoseconds: int) -> dict[str, int]:
    return {"count": count, "ns": nanoseconds}
