"""One digit per request: beside a bare FastAPI and a naive Flask server, at several numbers of connections."""

from tests.benchmarks import payloads
from tests.benchmarks.servers import WORKERS, running
from tests.benchmarks.table import Row, median, pick, spread

ROUNDS = pick(5, 2)
SECONDS = pick(4, 1)
CLASSIFY = "/v1/classify"

# (server, kind of request, path, connections)
LOADS = [
    *(("Filterscope", "PNG", CLASSIFY, connections) for connections in (1, 8, 32)),
    *(("Filterscope", kind, CLASSIFY, 32) for kind in ("JSON", "multipart")),
    *(("FastAPI", "PNG", "/png", connections) for connections in (1, 8, 32)),
    ("FastAPI", "JSON", "/json", 32),
    ("Flask", "PNG", "/png", 32),
    ("Flask", "multipart", "/multipart", 32),
]


def rows():
    """Measure every load once a round, one server after the other, each started anew."""
    kinds = {"PNG": payloads.pngs(), "JSON": payloads.numbers(), "multipart": payloads.forms()}
    seen, starts, memory = {}, {}, {}
    for _ in range(ROUNDS):
        for name in ("Filterscope", "FastAPI", "Flask"):
            path = CLASSIFY if name == "Filterscope" else "/png"
            with running(name, path, kinds["PNG"]) as server:
                starts.setdefault(name, []).append(server.start_seconds)
                server.load(path, kinds["PNG"], 8, 1)
                for load in LOADS:
                    if load[0] == name:
                        _, kind, where, connections = load
                        key = name, kind, connections
                        seen.setdefault(key, []).append(server.load(where, kinds[kind], connections, SECONDS))
                memory.setdefault(name, []).append(server.pss_mb())
    return _compared(seen, starts, memory)


def _compared(seen, starts, memory):
    found = []
    for connections in (1, 8, 32):
        ours, theirs = (seen[name, "PNG", connections] for name in ("Filterscope", "FastAPI"))
        what = f"PNG classify, {connections} connection{'s' if connections > 1 else ''}"
        found.append(_rates(what, ours, theirs, "FastAPI", "at least 1.25"))
        if connections == 32:
            found.append(_costs("CPU of it", ours, theirs, "FastAPI", "at most 0.75"))
            found.append(_costs("CPU of it", ours, seen["Flask", "PNG", 32], "Flask", ""))
            ratios = [a.p99 / b.p99 for a, b in zip(ours, theirs, strict=True)]
            p99 = [f"{median([load.p99 for load in loads]):.1f} ms" for loads in (ours, theirs)]
            found.append(Row("p99 of it", p99[0], f"FastAPI {p99[1]}", spread(ratios), "at most 1"))
    for kind, peer, bar in (("JSON", "FastAPI", "at least 1.1"), ("multipart", "Flask", "at least 2")):
        ours, theirs = seen["Filterscope", kind, 32], seen[peer, kind, 32]
        found.append(_rates(f"{kind}, 32 connections", ours, theirs, peer, bar))
        found.append(_costs("CPU of it", ours, theirs, peer, ""))
    ours, theirs = starts["Filterscope"], starts["FastAPI"]
    ratios = [a / b for a, b in zip(ours, theirs, strict=True)]
    what = f"start to the first answer, {WORKERS} workers"
    found.append(Row(what, f"{median(ours):.2f} s", f"FastAPI {median(theirs):.2f} s", spread(ratios), "at most 1.0 s"))
    ours, theirs = memory["Filterscope"], memory["FastAPI"]
    ratios = [a / b for a, b in zip(ours, theirs, strict=True)]
    what = "memory (PSS) of all processes after load"
    found.append(Row(what, f"{median(ours):.0f} MB", f"FastAPI {median(theirs):.0f} MB", spread(ratios), "at most 1"))
    return found


def _rates(what, ours, theirs, peer, bar):
    ratios = [a.rate / b.rate for a, b in zip(ours, theirs, strict=True)]
    rates = [median([load.rate for load in loads]) for loads in (ours, theirs)]
    return Row(what, f"{rates[0]:.0f} a second", f"{peer} {rates[1]:.0f}", spread(ratios), bar)


def _costs(what, ours, theirs, peer, bar):
    ratios = [a.cpu_us / b.cpu_us for a, b in zip(ours, theirs, strict=True)]
    costs = [median([load.cpu_us for load in loads]) for loads in (ours, theirs)]
    return Row(what, f"{costs[0]:.0f} us", f"{peer} {costs[1]:.0f} us", spread(ratios), bar)
