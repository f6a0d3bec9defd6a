"""
What is counted of requests, for Prometheus: one page over all worker processes.

A request is counted in plain lists, which costs a fraction of a microsecond a number. Once a second `fold` carries what
has been counted since the last time into prometheus-client's values, which lie in files that all processes map: the
folder PROMETHEUS_MULTIPROC_DIR, best in memory (metrics_folder.py). Where no folder can be written, every worker has
its own numbers, and a page shows those of the worker that was asked, with its process as the label `pid`.

Counting and folding are done on one thread, that of the event loop.
"""

import fcntl
import logging
import os
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from service.observe.record import STAGES

if TYPE_CHECKING:
    from prometheus_client import Histogram
    from prometheus_client.metrics_core import Metric
    from prometheus_client.registry import CollectorRegistry
from service.observe.metrics_folder import _locked, _reserve

log = logging.getLogger(__name__)


REQUEST_SECONDS = (
    *(0.0001, 0.00025, 0.0005, 0.00075, 0.001, 0.0015, 0.0025, 0.005, 0.0075, 0.01),
    *(0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0),
)
STAGE_SECONDS = (0.00001, 0.000025, 0.00005, *REQUEST_SECONDS)
BATCH_SIZES = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024)
# A probability; the thresholds of the shipped models lie between 0.5 and 0.7.
NOVELTIES = (0.001, 0.01, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.99, 0.999, 1.0)

# Why a request was refused for want of room.
SHED = ("answers", "bodies", "heavy", "late")

OTHER = "_OTHER"  # OpenTelemetry's word for a method that HTTP does not know
METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PATCH", "TRACE", "CONNECT"})
NO_ROUTE = "unmatched"
# Kinds of answers (method, route, status) with series of their own. A client can bring about every kind there is, by
# asking each route in each wrong way; those beyond are counted by their status alone.
MOST_KINDS = 240
# Names that come from our own code, not from clients: a bound against our own faults.
MOST_NAMES = 64
# Classes of a network that are counted each for itself: each is a series.
MOST_CLASSES = 100


class _Distribution:
    """Counts of numbers between bounds, and their sum, since they were last folded."""

    __slots__ = ("bounds", "counts", "total")

    def __init__(self, bounds: Sequence[float]) -> None:
        self.bounds = bounds
        self.counts = [0] * (len(bounds) + 1)
        self.total = 0.0

    def add(self, number: float) -> None:
        self.counts[bisect_left(self.bounds, number)] += 1
        self.total += number

    def fold_into(self, histogram: "Histogram") -> None:
        # Histogram.observe takes one number at a time and compares it with all bounds. What it adds to is added here.
        for index, count in enumerate(self.counts):
            if count:
                histogram._buckets[index].inc(count)  # noqa: SLF001
                self.counts[index] = 0
        histogram._sum.inc(self.total)  # noqa: SLF001
        self.total = 0.0


class Metrics:
    """
    The numbers of one process.

    in_flight, limit: requests that are being answered now, and that may be; whoever answers them says so
    """

    content_type: str

    def __init__(self, models: Iterable[tuple[str, str, str]], limit: int) -> None:
        """
        Begin to count; in a worker, after the fork.

        models: (name, version, SHA-256 of the file) of each network; limit: requests that may be in flight
        """
        self.in_flight = 0
        self.limit = limit
        self._requests: dict[tuple[str, str, int], _Distribution] = {}
        self._stages = {stage: _Distribution(STAGE_SECONDS) for stage in STAGES}
        self._batches: dict[str, _Distribution] = {}
        self._novelties: dict[str, _Distribution] = {}
        self._digits: dict[str, defaultdict[int, int]] = {}
        self._shed = dict.fromkeys(SHED, 0)
        self._folder = _reserve()
        # Where the values lie is decided when the library is imported, and that is known only now. The master, which
        # adds up the counts of ended workers, may have imported it where there still was a folder.
        import prometheus_client as client  # noqa: PLC0415
        from prometheus_client import values  # noqa: PLC0415
        from prometheus_client.multiprocess import MultiProcessCollector  # noqa: PLC0415

        if (values.ValueClass is values.MutexValue) != (self._folder is None):
            values.ValueClass = values.get_value_class()
        client.disable_created_metrics()
        self.content_type = client.CONTENT_TYPE_LATEST
        self._generate = client.generate_latest
        own = client.CollectorRegistry()
        self._page = client.CollectorRegistry()
        if self._folder is None:
            self._page.register(_OfThisProcess(own))
        else:
            MultiProcessCollector(self._page, str(self._folder))
        self._request_seconds = client.Histogram(
            "http_server_request_duration_seconds",
            "Time from a request's complete head to its answer.",
            ["http_request_method", "http_route", "http_response_status_code"],
            buckets=REQUEST_SECONDS,
            registry=own,
        )
        self._stage_seconds = client.Histogram(
            "filterscope_stage_duration_seconds",
            "Time a request spent in a stage: decode, prepare, infer, encode.",
            ["stage"],
            buckets=STAGE_SECONDS,
            registry=own,
        )
        self._batch_size = client.Histogram(
            "filterscope_batch_size", "Pictures in one request.", ["model"], buckets=BATCH_SIZES, registry=own
        )
        self._novelty = client.Histogram(
            "filterscope_novelty", "How unlike a digit pictures were.", ["model"], buckets=NOVELTIES, registry=own
        )
        self._predictions = client.Counter(
            "filterscope_predictions", "Digits that were read.", ["model", "digit"], registry=own
        )
        self._shed_requests = client.Counter(
            "filterscope_requests_shed", "Requests refused for want of room.", ["reason"], registry=own
        )
        self._in_flight = client.Gauge(
            "filterscope_requests_in_flight", "Requests being answered.", registry=own, multiprocess_mode="livesum"
        )
        self._limit_in_flight = client.Gauge(
            "filterscope_requests_in_flight_limit",
            "Requests that may be in flight, of all processes.",
            registry=own,
            multiprocess_mode="livesum",
        )
        self._model = client.Gauge(
            "filterscope_model_info",
            "The networks that answer; always 1.",
            ["model", "version", "sha256"],
            registry=own,
            multiprocess_mode="livemax",
        )
        for name, version, sha256 in models:
            self._model.labels(name, version, sha256).set(1)
        # Series that are there from the start: a rate needs a 0 to begin with, and every file is open by now, so that
        # counting goes on when no descriptor is left.
        for reason in SHED:
            self._shed_requests.labels(reason)
        for stage in STAGES:
            self._stage_seconds.labels(stage)
        self.fold()

    # --- counting, on the event loop ----------------------------------------------------------------------------------

    def answered(self, method: str, route: str, status: int, seconds: float) -> None:
        """Count an answer; route: the rule that matched, "" for none."""
        try:
            distribution = self._requests[method, route, status]
        except KeyError:
            distribution = self._new_request(method, route, status)
        distribution.counts[bisect_left(REQUEST_SECONDS, seconds)] += 1
        distribution.total += seconds

    def _new_request(self, method: str, route: str, status: int) -> _Distribution:
        if method not in METHODS:
            method = OTHER
        if len(self._requests) >= MOST_KINDS and (method, route, status) not in self._requests:
            method, route = OTHER, ""
        return self._requests.setdefault((method, route, status), _Distribution(REQUEST_SECONDS))

    def stages(self, stages: Iterable[tuple[str, float, float]]) -> None:
        """Count the times of the stages of a request: (name, started, seconds)."""
        for name, _, seconds in stages:
            try:
                distribution = self._stages[name]
            except KeyError:
                distribution = self._stages.setdefault(_bounded(name, self._stages), _Distribution(STAGE_SECONDS))
            distribution.counts[bisect_left(STAGE_SECONDS, seconds)] += 1
            distribution.total += seconds

    def verdicts(self, model: str, digits: Sequence[int], novelty: Iterable[float] | np.ndarray | None) -> None:
        """Count what a network said of the pictures of one request; novelty: of each, where the network tells it."""
        try:
            counts = self._digits[model]
        except KeyError:
            model = _bounded(model, self._digits)
            counts = self._digits.setdefault(model, defaultdict(int))
            self._batches.setdefault(model, _Distribution(BATCH_SIZES))
            self._novelties.setdefault(model, _Distribution(NOVELTIES))
        for digit in digits:
            counts[min(digit, MOST_CLASSES)] += 1
        self._batches[model].add(len(digits))
        if novelty is not None:
            novelties = self._novelties[model]
            # A sum of float32 would lose what is added to it; Python's own numbers are also the faster ones here.
            for number in novelty.tolist() if isinstance(novelty, np.ndarray) else novelty:
                novelties.counts[bisect_left(NOVELTIES, number)] += 1
                novelties.total += number

    def shed(self, reason: str) -> None:
        """Count a request that was refused for want of room."""
        if reason not in self._shed:
            reason = _bounded(reason, self._shed)
        self._shed[reason] = self._shed.get(reason, 0) + 1

    # --- once a second ------------------------------------------------------------------------------------------------

    def fold(self) -> None:
        """Carry what was counted since the last time into what all processes see."""
        for (method, route, status), distribution in self._requests.items():
            if any(distribution.counts):
                distribution.fold_into(self._request_seconds.labels(method, route or NO_ROUTE, str(status)))
        for histogram, distributions in (
            (self._stage_seconds, self._stages),
            (self._batch_size, self._batches),
            (self._novelty, self._novelties),
        ):
            for label, distribution in distributions.items():
                if any(distribution.counts):
                    distribution.fold_into(histogram.labels(label))
        for reason, count in self._shed.items():
            if count:
                self._shed_requests.labels(reason).inc(count)
                self._shed[reason] = 0
        self._fold_digits()
        self._in_flight.set(self.in_flight)
        self._limit_in_flight.set(self.limit)

    def _fold_digits(self) -> None:
        for model, counts in self._digits.items():
            for digit, count in counts.items():
                if count:
                    self._predictions.labels(model, str(digit) if digit < MOST_CLASSES else OTHER).inc(count)
                    counts[digit] = 0

    def page(self) -> bytes:
        """The numbers of all processes in Prometheus' text form, of the type `content_type`; counted up to now."""
        self.fold()
        return self.text()

    def text(self) -> bytes:
        """
        The same as they were last folded; from any thread.

        With a hundred kinds of requests this takes tens of milliseconds, too many for the event loop.
        """
        with _locked(self._folder, fcntl.LOCK_SH):
            return self._generate(self._page)


def _bounded(name: str, known: Mapping[str, Any]) -> str:
    return name if name in known or len(known) < MOST_NAMES else OTHER


class _OfThisProcess:
    """A registry whose samples say which process they are of."""

    def __init__(self, registry: "CollectorRegistry") -> None:
        self._registry = registry

    def collect(self) -> Iterator["Metric"]:
        pid = str(os.getpid())
        for metric in self._registry.collect():
            metric.samples = [sample._replace(labels={**sample.labels, "pid": pid}) for sample in metric.samples]
            yield metric
