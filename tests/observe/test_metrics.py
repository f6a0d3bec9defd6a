"""Numbers for Prometheus: counted against Python's own sums, over processes, with and without a folder."""

import json
import os
import random
import re
import shutil
import subprocess
import sys
from bisect import bisect_left
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import yaml
from prometheus_client.parser import text_string_to_metric_families

from service.observe import metrics, metrics_folder
from service.observe.record import STAGES

ROOT = Path(__file__).resolve().parents[2]
MODELS = [("digits", "1", "ab12"), ("tiny", "2", "cd34")]


def python(code, **environ):
    """Run code in a process of its own: where the library keeps its values is decided when it is imported."""
    run = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, env={"PATH": "", **environ},
        capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip
    assert run.returncode == 0, run.stderr
    return run


def samples(page):
    """{(name, labels in order): value} of a page."""
    families = text_string_to_metric_families(page if isinstance(page, str) else page.decode())
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in families
        for sample in family.samples
    }


def value(page, name, **labels):
    return samples(page).get((name, tuple(sorted(labels.items()))), 0.0)


FILLED = """
import os, sys
from service.observe import metrics, metrics_folder
m = metrics.Metrics([("digits", "1", "ab12"), ("tiny", "2", "cd34")], 64)
m.answered("POST", "/v1/classify", 200, 0.0004)
m.stages([("decode", 0.0, 0.00002)])
m.verdicts("digits", [7, 7, 1], [0.25, 0.5, 0.75])
m.shed("heavy")
m.in_flight = 3
"""


# --- one process ------------------------------------------------------------------------------------------------------


@pytest.fixture
def counted(monkeypatch):
    monkeypatch.delenv(metrics_folder.VARIABLE, raising=False)
    own = metrics.Metrics(MODELS, 64)
    return own, {"pid": str(os.getpid())}


def test_requests_are_counted_in_the_buckets_that_hold_them(counted):
    own, pid = counted
    draw = random.Random(5)
    seconds = [10 ** draw.uniform(-5, 1.5) for _ in range(2000)] + list(metrics.REQUEST_SECONDS)
    for index, second in enumerate(seconds):
        own.answered("POST", "/v1/classify", 200, second)
        if index % 700 == 0:
            own.fold()
    page = own.page()
    labels = {
        "http_request_method": "POST",
        "http_route": "/v1/classify",
        "http_response_status_code": "200",
        **pid,
    }
    name = "http_server_request_duration_seconds"
    assert value(page, f"{name}_count", **labels) == len(seconds)
    assert value(page, f"{name}_sum", **labels) == pytest.approx(sum(seconds), rel=1e-12)
    for (sample, pairs), found in samples(page).items():
        if sample == f"{name}_bucket":
            bound = float(dict(pairs)["le"])
            assert found == sum(second <= bound for second in seconds), bound


def test_a_histogram_is_what_prometheus_own_observe_would_have_made(counted):
    from prometheus_client import CollectorRegistry, Histogram, generate_latest

    own, _ = counted
    registry = CollectorRegistry()
    oracle = Histogram(
        "filterscope_stage_duration_seconds", "", ["stage"], buckets=metrics.STAGE_SECONDS, registry=registry
    )
    for stage in STAGES:
        oracle.labels(stage)  # told from the start, as 0
    draw = random.Random(6)
    for _ in range(500):
        stage, seconds = draw.choice(["decode", "infer"]), 10 ** draw.uniform(-6, 0)
        own.stages([(stage, 0.0, seconds)])
        oracle.labels(stage).observe(seconds)
    found = {
        (name, tuple(pair for pair in labels if pair[0] != "pid")): number
        for (name, labels), number in samples(own.page()).items()
        if name.startswith("filterscope_stage")
    }
    assert found == pytest.approx(samples(generate_latest(registry)), rel=1e-9)
    assert len(found) == len(STAGES) * (len(metrics.STAGE_SECONDS) + 3)


def test_verdicts_are_counted_by_digit_novelty_and_batch(counted):
    own, pid = counted
    draw = np.random.default_rng(7)
    batches = [(draw.integers(0, 10, size).tolist(), draw.random(size, np.float32)) for size in (1, 1, 3, 256, 300)]
    for digits, novelty in batches:
        own.verdicts("digits", digits, novelty)
    own.verdicts("tiny", [4], None)
    page = own.page()
    for digit, count in Counter(digit for digits, _ in batches for digit in digits).items():
        assert value(page, "filterscope_predictions_total", model="digits", digit=str(digit), **pid) == count
    assert value(page, "filterscope_predictions_total", model="tiny", digit="4", **pid) == 1
    numbers = np.concatenate([novelty for _, novelty in batches]).astype(np.float64)
    assert value(page, "filterscope_novelty_count", model="digits", **pid) == len(numbers)
    assert value(page, "filterscope_novelty_sum", model="digits", **pid) == pytest.approx(numbers.sum(), rel=1e-12)
    assert value(page, "filterscope_novelty_bucket", model="digits", le="0.5", **pid) == (numbers <= 0.5).sum()
    assert value(page, "filterscope_novelty_count", model="tiny", **pid) == 0
    assert value(page, "filterscope_batch_size_count", model="digits", **pid) == len(batches)
    assert value(page, "filterscope_batch_size_sum", model="digits", **pid) == 561
    assert value(page, "filterscope_batch_size_bucket", model="digits", le="2.0", **pid) == 2


def test_what_is_shed_and_in_flight_and_which_networks_answer(counted):
    own, pid = counted
    for _ in range(3):
        own.shed("heavy")
    own.shed("time")
    own.in_flight += 2
    page = own.page()
    assert value(page, "filterscope_requests_shed_total", reason="heavy", **pid) == 3
    assert value(page, "filterscope_requests_shed_total", reason="time", **pid) == 1
    assert value(page, "filterscope_requests_in_flight", **pid) == 2
    assert value(page, "filterscope_requests_in_flight_limit", **pid) == 64
    for model, version, sha256 in MODELS:
        assert value(page, "filterscope_model_info", model=model, version=version, sha256=sha256, **pid) == 1
    own.in_flight -= 2
    assert value(own.page(), "filterscope_requests_in_flight", **pid) == 0
    assert value(own.page(), "filterscope_requests_shed_total", reason="heavy", **pid) == 3


def test_no_client_can_add_a_label(counted):
    own, pid = counted
    for number in range(1000):
        own.answered(f"BREW{number}", "", 404, 0.001)
        own.answered("GET", f"/{number}", 200, 0.001)
        own.shed(str(number))
        own.stages([(str(number), 0.0, 0.001)])
        own.verdicts(str(number), [0], None)
    page = own.page()
    routes = {dict(labels)["http_route"] for (name, labels) in samples(page) if name.startswith("http_server")}
    assert len(routes) == metrics.MOST_KINDS
    name = "http_server_request_duration_seconds_count"
    unknown = {"http_request_method": "_OTHER", "http_route": "unmatched", "http_response_status_code": "404", **pid}
    assert value(page, name, **unknown) == 1000
    found = samples(page)
    assert sum(number for (sample, _), number in found.items() if sample == name) == 2000
    for label, sample in (
        ("reason", "filterscope_requests_shed_total"),
        ("stage", "filterscope_stage_duration_seconds_count"),
        ("model", "filterscope_predictions_total"),
    ):
        of = [(dict(labels)[label], number) for (other, labels), number in found.items() if other == sample]
        assert len({name for name, _ in of}) == metrics.MOST_NAMES + 1
        assert sum(number for _, number in of) == 1000


def test_the_buckets_begin_at_a_hundred_microseconds_and_rise():
    assert metrics.REQUEST_SECONDS[0] == 0.0001
    for bounds in (metrics.REQUEST_SECONDS, metrics.STAGE_SECONDS, metrics.BATCH_SIZES, metrics.NOVELTIES):
        assert list(bounds) == sorted(set(bounds))
        assert bisect_left(bounds, bounds[0]) == 0


# --- several processes ------------------------------------------------------------------------------------------------


def test_a_page_has_the_numbers_of_all_processes_and_keeps_those_of_ended_ones(tmp_path):
    code = f"""
import os, json
from service.observe import metrics, metrics_folder
folder = metrics_folder.prepare_folder()
def child():
    ends, goes = os.pipe(), os.pipe()
    pid = os.fork()
    if pid == 0:
        exec({FILLED!r}, globals())
        m.fold()
        os.write(ends[1], b"1")
        os.read(goes[0], 1)
        os._exit(0)
    os.read(ends[0], 1)
    return pid, goes[1]
first, second, third = child(), child(), child()
def page():
    # A process of its own asks, as each page is asked of a worker.
    out, into = os.pipe()
    pid = os.fork()
    if pid == 0:
        own = metrics.Metrics([], 0)
        text = own.page()
        os.write(into, len(text).to_bytes(4, "big") + text)
        os._exit(0)
    with os.fdopen(out, "rb") as file:
        text = file.read(int.from_bytes(file.read(4), "big")).decode()
    os.waitpid(pid, 0)
    metrics_folder.forget(pid)
    return text
def end(child):
    os.write(child[1], b"1")
    os.waitpid(child[0], 0)
    metrics_folder.forget(child[0])
    metrics_folder.forget(child[0])
pages = [page()]
end(first)
pages.append(page())
end(second)
end(third)
pages.append(page())
files = sorted(os.listdir(folder))
metrics_folder.remove_folder()
print(json.dumps({{"pages": pages, "files": files, "left": os.path.exists(folder)}}))
"""
    answer = json.loads(python(code, PROMETHEUS_MULTIPROC_DIR=str(tmp_path / "new" / "folder")).stdout)
    request = {"http_request_method": "POST", "http_route": "/v1/classify", "http_response_status_code": "200"}
    for page, living in zip(answer["pages"], (3, 2, 0), strict=True):
        assert value(page, "http_server_request_duration_seconds_count", **request) == 3
        assert value(page, "http_server_request_duration_seconds_bucket", le="0.00025", **request) == 0
        assert value(page, "http_server_request_duration_seconds_bucket", le="0.0005", **request) == 3
        assert value(page, "http_server_request_duration_seconds_sum", **request) == pytest.approx(0.0012)
        assert value(page, "filterscope_predictions_total", model="digits", digit="7") == 6
        assert value(page, "filterscope_requests_shed_total", reason="heavy") == 3
        assert (
            value(
                page,
                "filterscope_requests_in_flight",
            )
            == 3 * living
        )
        assert value(page, "filterscope_requests_in_flight_limit") == 64 * living
        assert value(page, "filterscope_model_info", model="tiny", version="2", sha256="cd34") == bool(living)
    databases = [name for name in answer["files"] if name.endswith(".db")]
    assert databases == ["counter_ended.db", "histogram_ended.db"]
    assert answer["left"] is False


def test_a_folder_that_no_one_uses_any_more_is_removed_and_one_in_use_is_not(tmp_path):
    left = tmp_path / f"{metrics_folder.FOLDER_PREFIX}left"
    left.mkdir()
    (left / metrics_folder.IN_USE).touch()
    (left / "counter_1.db").write_bytes(b"1")
    others = tmp_path / "mine"
    others.mkdir()
    code = """
import os, subprocess, sys
from service.observe import metrics, metrics_folder
folder = metrics_folder.prepare_folder()
print(folder, flush=True)
if len(sys.argv) < 2:
    again = [sys.executable, "-c", sys.orig_argv[2], "second"]
    subprocess.run(again, env={**os.environ, metrics_folder.VARIABLE: str(folder.parent)}, check=True)
    assert folder.is_dir()
"""
    first, second = python(code, PROMETHEUS_MULTIPROC_DIR=str(tmp_path)).stdout.split()
    assert first != second
    assert not left.exists()
    assert others.exists()


def test_where_no_folder_can_be_written_every_process_shows_its_own(tmp_path):
    missing = tmp_path / "file"
    missing.write_text("not a folder")
    code = f"""
from service.observe import metrics, metrics_folder
assert metrics_folder.prepare_folder() is None
assert {metrics_folder.VARIABLE!r} not in metrics.os.environ
{FILLED}
metrics_folder.forget(os.getpid())
print(m.page().decode())
metrics_folder.remove_folder()
"""
    run = python(code, PROMETHEUS_MULTIPROC_DIR=str(missing))
    assert str(missing) in run.stderr
    (pid,) = {dict(labels)["pid"] for _, labels in samples(run.stdout)}
    assert value(run.stdout, "filterscope_predictions_total", model="digits", digit="7", pid=pid) == 2


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no device that is always full")
def test_a_worker_that_finds_no_room_in_the_folder_shows_its_own(tmp_path):
    code = f"""
import errno, os
from service.observe import metrics, metrics_folder
metrics_folder.prepare_folder()
def full(*_):
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
os.posix_fallocate = full
{FILLED}
print(m.page().decode())
"""
    run = python(code, PROMETHEUS_MULTIPROC_DIR=str(tmp_path))
    assert "No space left on device" in run.stderr
    assert {dict(labels).get("pid") for _, labels in samples(run.stdout)} != {None}
    assert value(run.stdout, "filterscope_requests_shed_total", reason="heavy", pid=next(iter(
        {dict(labels)["pid"] for _, labels in samples(run.stdout)}
    ))) == 1  # fmt: skip


def test_a_worker_without_room_leaves_nothing_that_others_cannot_read(tmp_path):
    code = f"""
import errno, os
from service.observe import metrics, metrics_folder
folder = metrics_folder.prepare_folder()
pid = os.fork()
if pid == 0:
    def full(*_):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    os.posix_fallocate = full
    metrics.Metrics([], 0)
    os._exit(0)
os.waitpid(pid, 0)
{FILLED}
print(m.page().decode())
"""
    page = python(code, PROMETHEUS_MULTIPROC_DIR=str(tmp_path)).stdout
    assert value(page, "filterscope_requests_shed_total", reason="heavy") == 1


def test_the_room_of_a_worker_and_of_those_that_have_ended_is_enough_for_every_series(tmp_path, app):
    """A file that grew later would end its process on a full disk (SIGBUS)."""
    longest = max((rule.rule for rule in app.url_map.iter_rules()), key=len)
    code = f"""
import os, struct
from service.observe import metrics, metrics_folder
folder = metrics_folder.prepare_folder()
def child(first):
    pid = os.fork()
    if pid:
        assert os.waitpid(pid, 0)[1] == 0
        return pid
    models = [(f"{{n:040d}}", "1", "ab" * 32) for n in range(metrics.MOST_NAMES)]
    m = metrics.Metrics(models, 64)
    for number in range(2 * metrics.MOST_KINDS):
        m.answered("OPTIONS", {longest!r} + str(first + number), 500 + number % 3, 0.001)
    for status in range(400, 430):
        m.answered("BREW", "", status, 0.001)
    for number in range(2 * metrics.MOST_NAMES):
        m.stages([(f"stage{{number}}", 0.0, 0.001)])
    for name, _, _ in models:
        m.verdicts(name, list(range(10)), [0.5] * 10)
    m.page()
    for kind, size in metrics_folder.FILE_BYTES.items():
        assert os.path.getsize(f"{{folder}}/{{kind}}_{{os.getpid()}}.db") == size, kind
    os._exit(0)
for first in (0, 10_000):  # which have few kinds in common
    metrics_folder.forget(child(first))
    ended = f"{{folder}}/histogram_{{metrics_folder.ENDED}}.db"
    with open(ended, "rb") as file:
        used = struct.unpack("i", file.read(4))[0]
    print(used, os.path.getsize(ended), os.stat(ended).st_blocks * 512)
metrics_folder.remove_folder()
"""
    run = python(code, PROMETHEUS_MULTIPROC_DIR=str(tmp_path))
    assert run.stderr == ""
    (first, *_), (second, size, allocated) = (list(map(int, line.split())) for line in run.stdout.splitlines())
    assert second > 1.5 * first
    assert second <= size <= allocated


def test_a_worker_without_room_starts_where_the_master_has_added_up_counts_before(tmp_path):
    code = """
import errno, os
from service.observe import metrics, metrics_folder
metrics_folder.prepare_folder()
def child(work):
    pid = os.fork()
    if pid == 0:
        work()
        os._exit(0)
    assert os.waitpid(pid, 0)[1] == 0
    metrics_folder.forget(pid)
def without_room():
    def full(*_):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    os.posix_fallocate = full
    m = metrics.Metrics([], 0)
    m.shed("heavy")
    print(m.page().decode(), flush=True)
child(lambda: metrics.Metrics([], 0))
child(without_room)
"""
    page = python(code, PROMETHEUS_MULTIPROC_DIR=str(tmp_path)).stdout
    assert re.search(r'filterscope_requests_shed_total\{pid="\d+",reason="heavy"\} 1\.0', page)


def test_nothing_is_said_of_workers_that_ended_before_they_had_counted_anything(tmp_path):
    code = """
import os
from service.observe import metrics, metrics_folder
metrics_folder.prepare_folder()
for _ in range(3):
    pid = os.fork()
    if pid == 0:
        metrics.Metrics([], 0)
        os._exit(0)
    assert os.waitpid(pid, 0)[1] == 0
    metrics_folder.forget(pid)
"""
    assert python(code, PROMETHEUS_MULTIPROC_DIR=str(tmp_path)).stderr == ""


def test_a_damaged_file_of_an_ended_worker_costs_its_counts_and_no_more(tmp_path, monkeypatch, caplog):
    monkeypatch.setenv(metrics_folder.VARIABLE, str(tmp_path))
    for kind in ("counter", "histogram"):
        (tmp_path / f"{kind}_{metrics_folder.ENDED}.db").write_bytes(bytes(64))
        (tmp_path / f"{kind}_77.db").write_bytes(b"\xff\xff\x00\x00" + b"\x01" * 60)
    metrics_folder.forget(77)
    assert "the counts of worker 77 are lost" in caplog.text
    assert [path.name for path in tmp_path.glob("*_77.db")] == []
    metrics_folder.forget(78)


# --- the dashboard and the alerts ask for what there is ---------------------------------------------------------------


def exposed():
    """{name of a series: names of its labels} of everything that is exposed, and of what Prometheus adds itself."""
    own = metrics.Metrics(MODELS, 64)
    own.answered("POST", "/v1/classify", 200, 0.0004)
    own.stages([("decode", 0.0, 0.00002)])
    own.verdicts("digits", [7], [0.25])
    own.shed("heavy")
    found = {}
    for name, labels in samples(own.page()):
        found.setdefault(name, {"instance", "job"}).update(key for key, _ in labels if key != "pid")
    return {**found, "up": {"instance", "job"}}


def dashboard():
    return json.loads((ROOT / "deploy" / "grafana" / "filterscope.json").read_text(encoding="utf-8"))


def alerts():
    text = (ROOT / "deploy" / "prometheus" / "alerts.yaml").read_text(encoding="utf-8")
    return [rule for group in yaml.safe_load(text)["groups"] for rule in group["rules"]]


def queries():
    for panel in dashboard()["panels"]:
        for target in panel.get("targets", ()):
            yield panel["title"], target["expr"]
    for rule in alerts():
        yield rule["alert"], rule["expr"]


FUNCTIONS = {
    *("sum", "max", "rate", "increase", "histogram_quantile", "absent"),
    *("by", "and", "or", "ignoring", "group_left"),
}


def wrong_names(expression, series):
    """What a PromQL expression asks for that there is not: series, and labels in selectors and groupings."""
    for name, selector in re.findall(r"\b([a-z_]+)\{([^}]*)\}", expression):
        labels = set(re.findall(r"(\w+)\s*(?:=~|!~|!=|=)", re.sub(r'"[^"]*"', '""', selector)))
        yield from (f"{name}: {label}" for label in labels - series.get(name, set()) - {"le"})
    bare = re.sub(r"\{[^}]*\}|\[[^\]]*\]", "", expression)
    grouped = re.findall(r"\b(?:by|ignoring)\s*\(([^)]*)\)", bare)
    bare = re.sub(r"\b(?:by|ignoring)\s*\([^)]*\)", "", bare)
    names = set(re.findall(r"\b[a-z_]+\b", bare)) - FUNCTIONS
    yield from names - set(series)
    labels = set().union(*(series.get(name, set()) for name in names))
    yield from ({label.strip() for part in grouped for label in part.split(",")} - labels)


@pytest.mark.parametrize(("title", "expression"), list(queries()))
def test_every_series_and_label_that_is_asked_for_is_exposed(monkeypatch, title, expression):
    monkeypatch.delenv(metrics_folder.VARIABLE, raising=False)
    assert list(wrong_names(expression, exposed())) == []


@pytest.mark.parametrize(
    "expression",
    [
        'sum(rate(filterscope_request_total{instance="a"}[5m]))',
        'sum(rate(filterscope_requests_shed_total{cause="a"}[5m]))',
        "sum by (cause) (rate(filterscope_requests_shed_total[5m]))",
    ],
)
def test_what_is_not_exposed_would_be_seen(monkeypatch, expression):
    monkeypatch.delenv(metrics_folder.VARIABLE, raising=False)
    assert len(list(wrong_names(expression, exposed()))) >= 1


def test_every_series_is_on_the_dashboard(monkeypatch):
    monkeypatch.delenv(metrics_folder.VARIABLE, raising=False)
    text = " ".join(expression for _, expression in queries())
    families = {re.sub(r"_(bucket|sum|count)$", "", name) for name in exposed()} - {"up"}
    assert {name for name in families if name not in text} == set()


def test_bounds_in_queries_are_bounds_of_buckets():
    bounds = re.findall(r'filterscope_novelty_bucket\{[^}]*le="([^"]+)"', " ".join(text for _, text in queries()))
    assert bounds
    assert {float(bound) for bound in bounds} <= set(map(float, metrics.NOVELTIES))


def test_the_dashboard_is_whole():
    panels = dashboard()["panels"]
    assert len({panel["id"] for panel in panels}) == len(panels)
    sources = {target["datasource"]["uid"] for panel in panels for target in panel.get("targets", ())}
    assert sources == {"prometheus"}
    cells = [
        (x, y)
        for box in (panel["gridPos"] for panel in panels)
        for x in range(box["x"], box["x"] + box["w"])
        for y in range(box["y"], box["y"] + box["h"])
    ]
    assert len(set(cells)) == len(cells), "panels overlap"
    assert max(x for x, _ in cells) == 23
    assert all(panel["description"] for panel in panels if panel["type"] != "row")


def test_every_alert_says_what_is_wrong_and_what_to_do():
    for rule in alerts():
        assert rule["annotations"]["summary"]
        assert rule["annotations"]["runbook"].startswith(f"deploy/README.md#{rule['alert'].lower()}: ")
        assert rule["labels"]["severity"] in {"page", "ticket"}
        assert rule["for"]


@pytest.mark.skipif(shutil.which("promtool") is None, reason="promtool (Debian: prometheus) is not installed")
def test_promtool_finds_no_fault_in_the_alerts_nor_in_a_page(monkeypatch):
    monkeypatch.delenv(metrics_folder.VARIABLE, raising=False)
    rules = ROOT / "deploy" / "prometheus" / "alerts.yaml"
    checked = subprocess.run(["promtool", "check", "rules", str(rules)], capture_output=True, text=True, check=False)
    assert checked.returncode == 0, checked.stderr
    own = metrics.Metrics(MODELS, 64)
    own.verdicts("digits", [1], [0.5])
    linted = subprocess.run(["promtool", "check", "metrics"], input=own.page(), capture_output=True, check=False)
    assert linted.returncode == 0, linted.stderr.decode()
