"""
Run the benchmarks: python -m tests.benchmarks [PART ...] (make bench)

The parts are cold, requests, answers, calls, adopted, beside, overload, filters, prices and growth; all of them unless
some are named. Prints the rows as they come, and writes build/bench/table.md and growth.png. With PAGE=1 in the
environment the tables of the parts that ran are also put into README.md of this folder.
"""

import os
import platform
import signal
import sys

os.environ["OMP_NUM_THREADS"] = os.environ["OPENBLAS_NUM_THREADS"] = "1"
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")

from tests.benchmarks import (
    adopted,
    answers,
    beside,
    cold,
    filters,
    growth,
    overload,
    prices,
    requests,
)  # read the lines above
from tests.benchmarks.page import PAGE, put
from tests.benchmarks.servers import wrk_is_there
from tests.benchmarks.table import HEAD, OUT, QUICK

# Servers start from compiled files, as those of an image do, whatever is in the environment and in the packages here:
# compiling all at every start takes as long again as the start, and some megabytes.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
os.environ["PYTHONPYCACHEPREFIX"] = str(OUT / "compiled")

PARTS = {
    "cold": cold.rows,
    "requests": requests.rows,
    "answers": answers.rows,
    "calls": answers.rows_in_process,
    "adopted": adopted.rows,
    "beside": beside.rows,
    "overload": overload.rows,
    "filters": filters.rows,
    "prices": prices.rows,
}
WITHOUT_WRK = {"cold", "calls", "adopted", "filters", "prices", "growth"}


def main(named):
    """Run the parts named, or all."""
    unknown = set(named) - {*PARTS, "growth"}
    if unknown:
        sys.exit(f"no such part: {', '.join(sorted(unknown))}; there are {', '.join(PARTS)} and growth")
    chosen = named or [*PARTS, "growth"]
    if not wrk_is_there() and set(chosen) - WITHOUT_WRK:
        print("wrk is not installed, so only the parts without a server are run; Debian has it: apt-get install wrk")
        chosen = [name for name in chosen if name in WITHOUT_WRK]
    OUT.mkdir(parents=True, exist_ok=True)
    where = f"{os.cpu_count()} cores, shared with the client; Python {platform.python_version()}"
    head = [f"{where}{'; a quick run' if QUICK else ''}.", "", HEAD]
    lines = list(head)
    print("\n".join(lines), flush=True)
    for name, measure in PARTS.items():
        if name in chosen:
            rows = []
            for row in measure():
                rows.append(str(row))
                print(row, flush=True)
            lines += rows
            keep(name, head + rows)
    if "growth" in chosen:
        grown = list(growth.plot())
        lines += ["", "How the cost grows:", "", *grown]
        print("\n".join(["", "How the cost grows:", "", *grown]), flush=True)
        keep("growth", [*head[:2], *grown])
    (OUT / "table.md").write_text("\n".join(lines) + "\n", encoding="utf-8")


def keep(part, lines):
    """Put what a part measured into the page, when that was asked for."""
    if os.environ.get("PAGE"):
        PAGE.write_text(put(PAGE.read_text(encoding="utf-8"), part, lines), encoding="utf-8")


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # so that the servers under test are stopped too
    main(sys.argv[1:])
