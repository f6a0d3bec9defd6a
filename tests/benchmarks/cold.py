"""The first call of every route in a fresh worker beside its tenth: is a worker that says it is ready also warm?"""

import contextlib
import http.client
import time
from pathlib import Path

from tests.benchmarks.table import Row, median, pick
from tests.routes import calls
from tests.serving import serving

STARTS = pick(5, 2)
TIMES = 10
AIM_MS = 5


def rows():
    """Measure starts and memory, then every route's first and tenth call, each route's as the first of some worker."""
    asked, starts, memory = list(calls()), [], []
    slower = {str(call): [] for call in asked}
    with serving():
        pass  # the first start compiles what it imports
    for number in range(STARTS):
        began = time.perf_counter()
        with serving() as (port, process):
            starts.append(time.perf_counter() - began)
            memory.append(_pss_mb(process.pid))
            with contextlib.closing(http.client.HTTPConnection("127.0.0.1", port, timeout=60)) as connection:
                # Each worker is asked in another order: what several routes have in common falls to each of them.
                turn = number * len(asked) // STARTS
                for call in asked[turn:] + asked[:turn]:
                    taken = [_milliseconds(connection, call) for _ in range(TIMES)]
                    slower[str(call)].append((taken[0], taken[-1]))
    yield Row("start to ready, one worker", f"{median(starts):.2f} s", "", "", "")
    yield Row("memory (PSS) of a worker that has answered no one yet", f"{median(memory):.1f} MB", "", "", "")
    for name, taken in sorted(slower.items(), key=lambda item: -_difference(item[1])):
        first, tenth = (median(each) for each in zip(*taken, strict=True))
        aim = f"at most {AIM_MS} ms"
        yield Row(f"first {name}", f"{first:.1f} ms", f"tenth {tenth:.1f} ms", f"+{_difference(taken):.1f} ms", aim)


def _difference(taken):
    return median([first - tenth for first, tenth in taken])


def _milliseconds(connection, call):
    began = time.perf_counter()
    method, headers = ("GET", {}) if call.body is None else ("POST", {"Content-Type": call.media_type})
    connection.request(method, call.path, call.body, headers)
    connection.getresponse().read()
    return (time.perf_counter() - began) * 1e3


def _pss_mb(master):
    worker = Path(f"/proc/{master}/task/{master}/children").read_text().split()[0]
    lines = Path(f"/proc/{worker}/smaps_rollup").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("Pss:")) / 1024
