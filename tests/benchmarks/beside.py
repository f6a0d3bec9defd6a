"""Quick calls beside heavy ones: what a client that posts large pictures does to the others, and to the probes."""

import contextlib
import http.client
import threading
import time
from concurrent.futures import ThreadPoolExecutor

from tests.benchmarks import payloads
from tests.benchmarks.servers import running
from tests.benchmarks.table import Row, median, pick, spread

ROUNDS = pick(3, 1)
SECONDS = pick(6, 3)
CLASSIFY = "/v1/classify"


def rows():
    """Measure p99 of classify at 8 connections alone and beside one heavy client, and probes beside both."""
    pngs, large = payloads.pngs(), payloads.large_picture()
    heavy = f"/v1/apply-filters?format=npz&{payloads.filters_query()}"
    idle, busy, probes, served = [], [], [], []
    with running("Filterscope", CLASSIFY, pngs) as server:
        server.load(CLASSIFY, pngs, 8, 1)
        for _ in range(ROUNDS):
            idle.append(server.load(CLASSIFY, pngs, 8, SECONDS).p99)
            with (
                _repeating(lambda: _answered(server, heavy, large)) as answered,
                _repeating(lambda: _probe(server.port), pause=0.02) as waited,
            ):
                busy.append(server.load(CLASSIFY, pngs, 8, SECONDS).p99)
            served.append(len(answered))
            probes.append(max(waited) * 1e3)
    ratios = [a / b for a, b in zip(busy, idle, strict=True)]
    what = "classify at 8 connections beside one client posting 2048 x 2048 with 8 kernels 7 x 7, p99"
    return [
        Row(what, f"{median(busy):.1f} ms", f"alone {median(idle):.1f} ms", spread(ratios, 1), "below 5"),
        Row("slowest probe meanwhile", f"{max(probes):.0f} ms", "", "", "at most 100 ms"),
        Row("heavy calls answered meanwhile", f"{median(served) / SECONDS:.1f} a second", "", "", ""),
    ]


def _answered(server, path, posted):
    start = time.perf_counter()
    status, answer = server.post(path, posted.bodies[0], posted.content_type)
    if status != 200:
        raise RuntimeError(f"apply-filters answered {status}: {answer[:200]!r}")
    return time.perf_counter() - start


def _probe(port):
    start = time.perf_counter()
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    with contextlib.closing(connection):
        connection.request("GET", "/healthz")
        connection.getresponse().read()
    return time.perf_counter() - start


@contextlib.contextmanager
def _repeating(work, pause=0.0):
    """Do something over and over until the block ends; yields the list of what it returned."""
    stop, returned = threading.Event(), []

    def run():
        while not stop.is_set():
            returned.append(work())
            time.sleep(pause)

    with ThreadPoolExecutor(1) as thread:
        running_on = thread.submit(run)
        try:
            yield returned
        finally:
            stop.set()
    running_on.result()  # raises what the work raised
