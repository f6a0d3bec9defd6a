"""What gunicorn's master makes once for all workers: shared, of the last reload, and hurting no one."""

import hashlib
import os
import re
import shutil
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from service.observe.metrics_folder import VARIABLE, put_aside
from service.start.snapshot import guarded
from service.start.startup import can_share
from tests.serving import ROOT, serving

pytestmark = pytest.mark.skipif(not Path("/proc/self/smaps_rollup").exists(), reason="reads what Linux tells in /proc")

# Two models are made ready one after the other, as at a reload: what is alive of the first one then?
TWICE = """
import os, weakref
from service import app
from service.settings import Settings
from service.start import snapshot

def make():
    snapshot.keep(Settings())
    app.warm_for_workers()
    warmed, _ = app._warmed
    return [weakref.ref(each) for each in (warmed.app, warmed.library, *warmed.library.networks)]

first, second = make(), make()
print(sum(each() is not None for each in first), sum(each() is not None for each in second))
print(len(os.listdir("/proc/self/task")))
if os.fork() == 0:
    is_same = app.start_worker()._app is app._warmed[0].app
    snapshot.keep(Settings())  # other files than those that it was made of
    print(is_same, app.start_worker()._app is app._warmed[0].app, flush=True)
    os._exit(0)
os.wait()
"""


# The folder has a model that opens as little at the reload as it did at the start.
AGAIN = """
import os
from service import app
from service.network.files import BadModel
from service.settings import Settings
from service.start import snapshot

snapshot.keep(Settings.from_environ(os.environ))
try:
    app.try_start()
except BadModel:
    print("refused")
app.warm_for_workers()
app.try_start()
print("taken")
"""


@pytest.fixture(scope="module")
def workers():
    """The processes of a server with two workers: the master's, and theirs."""
    with serving(environ={"WORKERS": "2"}) as (_, process):
        children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
        yield process.pid, [int(child) for child in children]


def megabytes(pid, kind):
    found = re.search(rf"^{kind}:\s+(\d+) kB", Path(f"/proc/{pid}/smaps_rollup").read_text(), re.MULTILINE)
    return int(found[1]) / 1024


def test_most_of_what_a_worker_needs_is_in_memory_once_for_all_of_them(workers):
    for worker in workers[1]:
        assert megabytes(worker, "Private_Dirty") < megabytes(worker, "Shared_Dirty") / 2


def test_the_master_has_no_thread_that_a_fork_would_lose(workers):
    assert len(list(Path(f"/proc/{workers[0]}/task").iterdir())) == 1


@pytest.mark.skipif(
    not hasattr(os, "sched_getaffinity") or len(os.sched_getaffinity(0)) < 2, reason="on one CPU NumPy has one thread"
)
def test_a_master_with_more_threads_never_runs_onnxruntime_and_each_worker_starts_alone():
    with serving(environ={"OPENBLAS_NUM_THREADS": "2"}) as (_, process):
        assert "onnxruntime" not in Path(f"/proc/{process.pid}/maps").read_text()


def test_where_memory_ends_a_worker_goes_before_the_master(workers):
    scores = [int(Path(f"/proc/{pid}/oom_score").read_text()) for pid in (workers[0], *workers[1])]
    assert scores[0] < min(scores[1:])


def test_of_what_was_made_before_a_reload_nothing_stays_and_a_worker_takes_only_what_is_of_its_files(tmp_path):
    environ = os.environ | {"FILTERSCOPE_MODELS": str(ROOT / "models")}
    command = [sys.executable, "-c", TWICE]
    done = subprocess.run(command, cwd=ROOT, env=environ, capture_output=True, text=True, check=False)
    assert done.stdout.splitlines() == ["0 5", "1", "True False"], done.stderr


def test_a_model_that_could_not_be_opened_before_either_refuses_no_reload(tmp_path):
    for name in ("digits", "tiny"):
        shutil.copytree(ROOT / "models" / name, tmp_path / name)
    file, passport = (tmp_path / "tiny" / "1" / name for name in ("model.onnx", "passport.json"))
    before = hashlib.sha256(file.read_bytes()).hexdigest()
    file.write_bytes(b"no network".ljust(file.stat().st_size))
    said = passport.read_text(encoding="utf-8").replace(before, hashlib.sha256(file.read_bytes()).hexdigest())
    passport.write_text(said, encoding="utf-8")
    environ = os.environ | {"FILTERSCOPE_MODELS": str(tmp_path)}
    command = [sys.executable, "-c", AGAIN]
    done = subprocess.run(command, cwd=ROOT, env=environ, capture_output=True, text=True, check=False)
    assert done.stdout.split() == ["refused", "taken"], done.stderr


def test_a_process_with_a_thread_or_one_that_may_report_home_shares_nothing(monkeypatch):
    ask = "from service.start.startup import can_share; print(can_share())"
    for told, expected in (("1", "True"), ("0", "False")):
        environ = os.environ | {"ORT_DISABLE_TELEMETRY": told, "OPENBLAS_NUM_THREADS": "1"}
        command = [sys.executable, "-c", ask]
        done = subprocess.run(command, cwd=ROOT, env=environ, capture_output=True, text=True, check=False)
        assert done.stdout.strip() == expected, done.stderr
    monkeypatch.setenv("ORT_DISABLE_TELEMETRY", "1")
    going = threading.Event()
    thread = threading.Thread(target=going.wait)
    thread.start()
    try:
        assert not can_share()
    finally:
        going.set()
        thread.join()


def test_a_reload_that_the_master_cannot_make_ready_is_refused(monkeypatch):
    monkeypatch.setattr("service.start.snapshot._read_and_try", lambda _start: "")
    said, reloads = [], []

    class Log:
        @staticmethod
        def error(form, *values):
            said.append(form % values)

    def fail():
        raise MemoryError

    guarded(lambda: reloads.append(1), lambda: None, fail, Log)()
    assert (said, reloads) == (["not reloaded, what was served before still is: MemoryError"], [])
    guarded(lambda: reloads.append(1), lambda: None, lambda: None, Log)()
    assert (len(said), reloads) == (1, [1])


def test_what_is_counted_with_the_folder_put_aside_is_seen_by_no_other(monkeypatch):
    monkeypatch.setenv(VARIABLE, "/folder")
    with put_aside():
        assert VARIABLE not in os.environ
    assert os.environ[VARIABLE] == "/folder"
    monkeypatch.delenv(VARIABLE)
    with put_aside():
        pass
    assert VARIABLE not in os.environ
