"""Servers under test: started, loaded by wrk, and their processes' time and memory read from /proc."""

import contextlib
import http.client
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from tests.benchmarks.table import ROOT
from tests.serving import free_port

MODEL = ROOT / "models/digits/1/model.onnx"
TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK")
WORKERS = 2
# Every request of every server carries it; the service, as it would be run in the open, asks for it.
KEY = "a-key-for-benchmarks-only"

COMMANDS = {
    "Filterscope": ["-m", "gunicorn", "--config", "deploy/gunicorn.conf.py"],
    "FastAPI": [
        *("-m", "uvicorn", "tests.benchmarks.fast:app", "--loop", "uvloop", "--http", "httptools"),
        *("--workers", str(WORKERS), "--port", "{port}", "--log-level", "warning", "--no-access-log"),
    ],
    "Flask": [
        *("-m", "gunicorn", "--worker-class", "sync", "--workers", str(WORKERS), "--bind", "127.0.0.1:{port}"),
        *("--log-level", "error", "tests.benchmarks.naive:app"),
    ],
}  # fmt: skip


@dataclass
class Load:
    """
    What wrk saw: requests answered a second, latencies in milliseconds, the servers' CPU microseconds per request, and
    the share of requests that were refused.
    """

    rate: float
    p50: float
    p99: float
    cpu_us: float
    refused: float


class Server:
    """A running server: its port, and every process of its session."""

    def __init__(self, port, process):
        self.port = port
        self._process = process
        self.start_seconds = 0.0

    def pids(self):
        every = [int(path.name) for path in Path("/proc").iterdir() if path.name.isdigit()]
        return [pid for pid in every if _session(pid) == self._process.pid]

    def cpu_seconds(self):
        return sum(_cpu_ticks(pid) for pid in self.pids()) / TICKS_PER_SECOND

    def wait_for_rest(self):
        """Return when every process has started and does nothing any more."""
        spent = -1.0
        while (now := self.cpu_seconds()) > spent + 0.01:
            spent = now
            time.sleep(0.25)

    def pss_mb(self):
        return sum(_pss_kb(pid) for pid in self.pids()) / 1024

    def post(self, path, body, content_type):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        with contextlib.closing(connection):
            connection.request("POST", path, body, {"Content-Type": content_type, "Authorization": f"Bearer {KEY}"})
            response = connection.getresponse()
            return response.status, response.read()

    def load(self, path, posted, connections, seconds):
        """Run wrk against one path; posted: what to post in turn."""
        before, out = self.cpu_seconds(), Path(tempfile.mkstemp(suffix=".json")[1])
        with posted.file() as bodies:
            environment = os.environ | {"BODIES": bodies, "CONTENT_TYPE": posted.content_type, "KEY": KEY}
            environment["OUT"] = str(out)
            script = Path(__file__).with_name("post.lua")
            command = ["wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "--timeout", "30s", "-s", str(script)]
            command.append(f"http://127.0.0.1:{self.port}{path}")
            subprocess.run(command, env=environment, check=True, stdout=subprocess.DEVNULL)
        seen = json.loads(out.read_text())
        out.unlink()
        spent, answered = self.cpu_seconds() - before, seen["requests"] - seen["refused"]
        if seen["errors"] or not answered:
            raise RuntimeError(f"of {seen['requests']} requests to {path} {answered} were answered")
        rate = answered / seen["us"] * 1e6
        refused = seen["refused"] / seen["requests"]
        return Load(rate, seen["p50"] / 1e3, seen["p99"] / 1e3, spent / answered * 1e6, refused)


@dataclass
class Posted:
    """Bodies of one kind, posted in turn."""

    bodies: list[bytes]
    content_type: str

    @contextlib.contextmanager
    def file(self):
        """The bodies in a file, each after its length, as post.lua reads them."""
        with tempfile.NamedTemporaryFile(suffix=".bodies") as file:
            for body in self.bodies:
                file.write(b"%d\n%s" % (len(body), body))
            file.flush()
            yield file.name


@contextlib.contextmanager
def running(name, ready_path, sample, **environ):
    """Start one of COMMANDS and wait for its first real answer; yields the Server."""
    port = free_port()
    command = [sys.executable, *(part.format(port=port) for part in COMMANDS[name])]
    environment = os.environ | {
        "PORT": str(port), "WORKERS": str(WORKERS), "LOG_LEVEL": "error", "PEER_MODEL": str(MODEL),
        "OMP_NUM_THREADS": "1", "ORT_DISABLE_TELEMETRY": "1", **environ,
    }  # fmt: skip
    with tempfile.NamedTemporaryFile("w", suffix=".keys") as keys:
        keys.write(f"{KEY}\n")
        keys.flush()
        environment["FILTERSCOPE_KEYS_FILE"] = keys.name
        start = time.perf_counter()
        process = subprocess.Popen(command, cwd=ROOT, env=environment, start_new_session=True)
        server = Server(port, process)
        try:
            _wait(server, process, ready_path, sample)
            server.start_seconds = time.perf_counter() - start
            server.wait_for_rest()  # or all connections would be the first worker's
            yield server
        finally:
            process.terminate()
            process.wait(30)


def _wait(server, process, path, sample):
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and process.poll() is None:
        with contextlib.suppress(OSError, http.client.HTTPException):
            status, answer = server.post(path, sample.bodies[0], sample.content_type)
            if status == 200:
                return
            raise RuntimeError(f"{path} answered {status}: {answer[:200]!r}")
        time.sleep(0.01)
    raise RuntimeError("the server did not start")


def wrk_is_there():
    return shutil.which("wrk") is not None


def _stat(pid):
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()


def _session(pid):
    try:
        return int(_stat(pid)[3])
    except OSError:
        return -1


def _cpu_ticks(pid):
    try:
        fields = _stat(pid)
    except OSError:
        return 0
    return int(fields[11]) + int(fields[12])


def _pss_kb(pid):
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    except OSError:
        return 0
    return next(int(line.split()[1]) for line in lines if line.startswith("Pss:"))
