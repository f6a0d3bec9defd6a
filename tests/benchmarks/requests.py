"""One digit per request: beside a bare FastAPI and a naive Flask server, at several numbers of connections."""

import contextlib

from tests.benchmarks import payloads
from tests.benchmarks.servers import WORKERS, running
from tests.benchmarks.table import Row, median, pick, spread

STARTS = pick(3, 1)
ROUNDS = pick(8, 3)
SECONDS = pick(3, 1)
CLASSIFY = "/v1/classify"

PNG_PATHS = {"Filterscope": CLASSIFY, "FastAPI": "/png", "Flask": "/png"}
# Per kind of request and number of connections: the servers that are loaded with it, and where.
LOADS = {
    ("PNG", 1): {"Filterscope": CLASSIFY, "FastAPI": "/png"},
    ("PNG", 8): {"Filterscope": CLASSIFY, "FastAPI": "/png"},
    ("PNG", 32): PNG_PATHS,
    ("JSON", 32): {"Filterscope": CLASSIFY, "FastAPI": "/json"},
    ("multipart", 32): {"Filterscope": CLASSIFY, "Flask": "/multipart"},
    ("drawing", 32): {"Filterscope": CLASSIFY, "FastAPI": "/png"},
}


def rows():
    """Measure starts and memory of every server alone, then every load, the servers taking turns."""
    kinds = {"PNG": payloads.pngs(), "JSON": payloads.numbers(), "multipart": payloads.forms()}
    kinds["drawing"] = payloads.drawings()
    seen, starts, memory = {}, {}, {}
    for number in range(1 + STARTS):
        for name, path in PNG_PATHS.items():
            with running(name, path, kinds["PNG"]) as server:
                if not number:
                    continue  # the first start compiles what it imports
                server.load(path, kinds["PNG"], 8, 1)
                starts.setdefault(name, []).append(server.start_seconds)
                memory.setdefault(name, []).append(server.pss_mb())
    with contextlib.ExitStack() as stack:
        servers = {name: stack.enter_context(running(name, path, kinds["PNG"])) for name, path in PNG_PATHS.items()}
        for name, path in PNG_PATHS.items():
            servers[name].load(path, kinds["PNG"], 8, 1)
        for number in range(ROUNDS):
            for (kind, connections), paths in LOADS.items():
                # Who comes second finds a warmer machine, so they swap places from round to round.
                for name, path in list(paths.items())[:: -1 if number % 2 else 1]:
                    load = servers[name].load(path, kinds[kind], connections, SECONDS)
                    seen.setdefault((name, kind, connections), []).append(load)
    return _compared(seen, starts, memory)


def _compared(seen, starts, memory):
    found = []
    for connections in (1, 8, 32):
        ours, theirs = (seen[name, "PNG", connections] for name in ("Filterscope", "FastAPI"))
        what = f"PNG classify, {connections} connection{'s' if connections > 1 else ''}"
        found.append(_rates(what, ours, theirs, "FastAPI", f"at least {1.35 if connections == 1 else 1.5}"))
        if connections == 32:
            found.append(_costs("CPU of it", ours, theirs, "FastAPI", "at most 0.65"))
            found.append(_costs("CPU of it", ours, seen["Flask", "PNG", 32], "Flask", ""))
            found.append(_slowest(ours, theirs, "FastAPI"))
    for kind, peer, bar in (("JSON", "FastAPI", "at least 1.1"), ("multipart", "Flask", "at least 2")):
        ours, theirs = seen["Filterscope", kind, 32], seen[peer, kind, 32]
        found.append(_rates(f"{kind}, 32 connections", ours, theirs, peer, bar))
        found.append(_costs("CPU of it", ours, theirs, peer, ""))
    ours, theirs = seen["Filterscope", "drawing", 32], seen["FastAPI", "drawing", 32]
    what = "PNG of 280 x 280 made a digit first (FastAPI: only shrunk), 32 connections"
    found += [_rates(what, ours, theirs, "FastAPI", ""), _costs("CPU of it", ours, theirs, "FastAPI", "at most 1.4")]
    found.append(_slowest(ours, theirs, "FastAPI"))
    ours, theirs = starts["Filterscope"], starts["FastAPI"]
    ratios = [a / b for a, b in zip(ours, theirs, strict=True)]
    what = f"start to the first answer, {WORKERS} workers"
    found.append(Row(what, f"{median(ours):.2f} s", f"FastAPI {median(theirs):.2f} s", spread(ratios), "at most 0.7 s"))
    ours, theirs = memory["Filterscope"], memory["FastAPI"]
    ratios = [a / b for a, b in zip(ours, theirs, strict=True)]
    what = "memory (PSS) of all processes after load"
    found.append(Row(what, f"{median(ours):.0f} MB", f"FastAPI {median(theirs):.0f} MB", spread(ratios), "at most 150"))
    return found


def _rates(what, ours, theirs, peer, bar):
    ratios = [a.rate / b.rate for a, b in zip(ours, theirs, strict=True)]
    rates = [median([load.rate for load in loads]) for loads in (ours, theirs)]
    texts = [f"{rate:.0f}{_refused(loads)}" for rate, loads in zip(rates, (ours, theirs), strict=True)]
    return Row(what, f"{texts[0]} a second", f"{peer} {texts[1]}", spread(ratios), bar)


def _slowest(ours, theirs, peer):
    ratios = [a.p99 / b.p99 for a, b in zip(ours, theirs, strict=True)]
    p99 = [f"{median([load.p99 for load in loads]):.1f} ms" for loads in (ours, theirs)]
    return Row("p99 of it", p99[0], f"{peer} {p99[1]}", spread(ratios), "at most 1")


def _refused(loads):
    """How many were answered 503, where any were; the rate counts those that were answered."""
    share = sum(load.refused for load in loads) / len(loads)
    return f" ({share:.1%} refused)" if share else ""


def _costs(what, ours, theirs, peer, bar):
    ratios = [a.cpu_us / b.cpu_us for a, b in zip(ours, theirs, strict=True)]
    costs = [median([load.cpu_us for load in loads]) for loads in (ours, theirs)]
    return Row(what, f"{costs[0]:.0f} us", f"{peer} {costs[1]:.0f} us", spread(ratios), bar)
