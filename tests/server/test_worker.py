"""The real server: gunicorn, its worker and the door, over real sockets."""

import ast
import http.client
import json
import os
import re
import resource
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import threading
import time
from argparse import Namespace
from pathlib import Path

import numpy as np
import pytest

from service.server.loads import Loads
from service.server.worker import replace_when_ready
from tests.drawing import draw, encode
from tests.serving import COMMAND, ROOT, free_port, serving

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="gunicorn needs a POSIX system")


@pytest.fixture(scope="module")
def server():
    """A server of its own for this file: (port, process)."""
    limits = {"FILTERSCOPE_BODY_TIMEOUT_SECONDS": "1.5", "FILTERSCOPE_MAX_BODY_BYTES": "2000000"}
    with serving(environ=limits) as started:
        yield started


def post(port, body, path="/v1/classify", headers=None):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
    connection.request("POST", path, body, headers or {})
    response = connection.getresponse()
    return response.status, dict(response.getheaders()), response.read()


def send_raw(port, data, seconds=5):
    with socket.create_connection(("127.0.0.1", port), timeout=seconds) as raw:
        raw.sendall(data)
        received = b""
        while piece := raw.recv(65536):
            received += piece
        return received


def test_a_digit_posted_over_http_is_read(server):
    status, headers, body = post(server[0], encode(draw(3)))
    assert status == 200
    assert headers["Content-Type"] == "application/json"
    assert json.loads(body)["results"][0]["digit"] == 3


def test_one_connection_serves_many_requests(server):
    connection = http.client.HTTPConnection("127.0.0.1", server[0], timeout=20)
    for digit in (1, 7, 4, 2):
        connection.request("POST", "/v1/classify", encode(draw(digit)))
        assert json.loads(connection.getresponse().read())["results"][0]["digit"] == digit


def test_large_bodies_one_after_another_on_one_connection_all_arrive(server):
    connection = http.client.HTTPConnection("127.0.0.1", server[0], timeout=20)
    body = encode(np.random.default_rng(1).integers(0, 255, (300, 300), np.uint8))
    assert len(body) > 80_000
    for _ in range(40):
        connection.request("POST", "/v1/apply-filters?filters=[{%22preset%22:%22box%22}]&stride=50", body)
        response = connection.getresponse()
        assert (response.status, response.read()[:11]) == (200, b'{"results":')


def test_a_chunked_body_is_read_whole(server):
    picture = encode(draw(7))
    pieces = (picture[start : start + 50] for start in range(0, len(picture), 50))
    status, _, body = post(server[0], pieces)
    assert status == 200
    assert json.loads(body)["results"][0]["digit"] == 7


def test_a_413_reaches_a_client_that_is_still_sending(server):
    head = b"POST /v1/classify HTTP/1.1\r\nHost: x\r\nContent-Length: 50000000\r\n\r\n"
    answer = send_raw(server[0], head + b"x" * 100_000)
    assert answer.startswith(b"HTTP/1.1 413 ")
    assert b"2000000 bytes, this has 50000000" in answer


def test_a_stalled_body_is_dropped_after_the_published_time_and_others_are_served_meanwhile(server):
    with socket.create_connection(("127.0.0.1", server[0]), timeout=10) as raw:
        raw.sendall(b"POST /v1/classify HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\nhalf")
        status, _, _ = post(server[0], encode(draw(1)))
        assert status == 200
        answer = raw.recv(65536)
    assert answer.startswith(b"HTTP/1.1 408 ")


def test_a_half_closed_connection_is_dropped_and_costs_nothing(server):
    with socket.create_connection(("127.0.0.1", server[0]), timeout=10) as raw:
        raw.sendall(b"POST /v1/classify HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\nhalf")
        raw.shutdown(socket.SHUT_WR)
        assert not raw.recv(65536).startswith(b"HTTP/1.1 200")
    assert post(server[0], encode(draw(1)))[0] == 200


def test_malformed_requests_are_refused_and_the_worker_lives(server):
    for data in (
        b"nonsense\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: -5\r\n\r\n",
        b"GET /\x00 HTTP/1.1\r\n\r\n",
    ):
        assert not send_raw(server[0], data).startswith(b"HTTP/1.1 2")
    assert post(server[0], encode(draw(1)))[0] == 200


def test_sighup_reloads_and_keeps_answering(server):
    port, process = server
    process.send_signal(signal.SIGHUP)
    for _ in range(40):
        assert post(port, encode(draw(2)))[0] == 200
        time.sleep(0.05)


def models_of(port):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
    connection.request("GET", "/readyz")
    return [f"{model['name']}/{model['version']}" for model in json.loads(connection.getresponse().read())["models"]]


def wait_for(condition, seconds=20):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.1)


def workers_of(process):
    return set(Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split())


@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="reads /proc for the workers' numbers")
def test_a_bad_model_is_refused_at_reload_and_the_old_one_serves_on_whatever_happens_to_its_worker(tmp_path):
    models = tmp_path / "models"
    shutil.copytree(ROOT / "models" / "tiny", models / "tiny")
    log = tmp_path / "log"
    environ = {"FILTERSCOPE_MODELS": str(models), "FILTERSCOPE_DEFAULT_MODEL": "tiny", "LOG_LEVEL": "info"}
    with log.open("wb") as file, serving(environ=environ, log=file) as (port, process):
        new = models / "tiny" / "2"
        shutil.copytree(models / "tiny" / "1", new)
        (new / "model.onnx").write_bytes(b"not a model")
        (models / "tiny" / "1" / "analysis.onnx").write_bytes(b"nor this")
        before = workers_of(process)
        process.send_signal(signal.SIGHUP)
        wait_for(lambda: "not reloaded" in log.read_text())
        assert "SHA-256" in log.read_text()
        assert workers_of(process) == before
        os.kill(int(before.pop()), signal.SIGKILL)
        wait_for(lambda: workers_of(process) and workers_of(process) != before)
        wait_for(lambda: is_up(port))
        assert models_of(port) == ["tiny/1"]
        assert post(port, encode(draw(3)))[0] == 200

        shutil.rmtree(models / "tiny")
        shutil.copytree(ROOT / "models" / "tiny", models / "tiny")
        (models / "tiny" / "1").rename(new)
        passport = json.loads((new / "passport.json").read_text())
        (new / "passport.json").write_text(json.dumps(passport | {"version": "2"}))
        process.send_signal(signal.SIGHUP)
        wait_for(lambda: models_of(port) == ["tiny/2"])


@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="reads /proc for the workers' numbers")
def test_the_trial_of_a_reload_leaves_no_counts_behind(tmp_path):
    with serving(environ={"PROMETHEUS_MULTIPROC_DIR": str(tmp_path)}) as (port, process):
        for _ in range(2):
            before = workers_of(process)
            process.send_signal(signal.SIGHUP)
            wait_for(lambda before=before: workers_of(process) and not workers_of(process) & before)
        wait_for(lambda: is_up(port))
        counted_by = {path.stem.rpartition("_")[2] for path in tmp_path.glob("*/*.db")}
        assert counted_by - {"ended"} == workers_of(process)


def is_up(port):
    try:
        return bool(models_of(port))
    except OSError:
        return False


def test_a_worker_told_to_stop_while_it_starts_stops(tmp_path):
    environ = os.environ | {"PORT": str(free_port()), "WORKERS": "1"}
    for pause_seconds in (0.15, 0.3, 0.45):
        process = subprocess.Popen([sys.executable, "-m", "gunicorn", *COMMAND], cwd=ROOT, env=environ)
        time.sleep(pause_seconds)
        began = time.monotonic()
        process.terminate()
        process.wait(20)
        assert time.monotonic() - began < 10


@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="reads /proc for the workers' numbers")
def test_with_a_certificate_calls_are_answered_over_tls(tmp_path):
    openssl = shutil.which("openssl") or pytest.skip("openssl is not installed")
    certificate, key, port = str(tmp_path / "certificate.pem"), str(tmp_path / "key.pem"), free_port()
    subprocess.run(
        [openssl, "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=localhost", "-days", "1",
         "-keyout", key, "-out", certificate],
        check=True, capture_output=True,
    )  # fmt: skip
    process = subprocess.Popen(
        [sys.executable, "-m", "gunicorn", *COMMAND, "--certfile", certificate, "--keyfile", key],
        cwd=ROOT, env=os.environ | {"PORT": str(port), "WORKERS": "1", "LOG_LEVEL": "warning"},
    )  # fmt: skip
    context = ssl.create_default_context(cafile=certificate)
    context.check_hostname = False
    try:
        deadline = time.monotonic() + 60
        while (status := https_status(port, context)) is None and time.monotonic() < deadline:
            assert process.poll() is None
            time.sleep(0.1)
        assert status == 200
    finally:
        process.terminate()
        process.wait(30)


def https_status(port, context):
    """What /readyz answers over TLS, None where nothing listens yet."""
    connection = http.client.HTTPSConnection("127.0.0.1", port, context=context, timeout=10)
    try:
        connection.request("GET", "/readyz")
    except ConnectionRefusedError:
        return None
    return connection.getresponse().status


def test_connections_leave_a_worker_the_descriptors_that_answering_and_counting_need():
    """From before its first request on, so that whatever is opened late has none."""
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (60, limits[1]))
    try:
        started = serving(environ={"WORKERS": "1"})
        port, process = started.__enter__()
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, limits)
    try:
        before = workers_of(process)
        crowd = [socket.create_connection(("127.0.0.1", port)) for _ in range(100)]
        time.sleep(0.3)
        for method, path, body, status in (
            ("POST", "/v1/classify", encode(draw(3)), 200),
            ("GET", "/docs/swagger-ui.css", None, 200),
            ("GET", "/metrics", None, 200),
            ("GET", "/nowhere", None, 404),
        ):
            late = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
            late.request(method, path, body)
            response = late.getresponse()
            assert response.status == status, (path, response.read())
            response.read()
        time.sleep(2.5)  # two looks at what was counted
        for raw in crowd:
            raw.close()
        wait_for(lambda: is_up(port))
        assert workers_of(process) == before
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
        connection.request("GET", "/metrics")
        page = connection.getresponse().read().decode()
        assert re.search(r'duration_seconds_count\{.*code="200",http_route="/v1/classify".*\} 1\.0', page)
    finally:
        started.__exit__(None, None, None)


def test_a_class_that_waits_for_its_answers_is_answered_and_no_one_is_sent_away():
    """Of clients that each wait for an answer before they send again, with canvases as front ends post them."""
    clients, rounds = 64, 4
    canvas = encode(draw(3, 280))
    statuses = []

    def pupil(port):
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        for _ in range(rounds):
            connection.request("POST", "/v1/classify", canvas)
            response = connection.getresponse()
            response.read()
            statuses.append(response.status)

    # The default wait is tried under a clock of its own in tests/door/test_pace.py: this machine may be busy.
    with serving(environ={"WORKERS": "2", "FILTERSCOPE_MAX_WAIT_SECONDS": "5"}) as (port, _):
        pupils = [threading.Thread(target=pupil, args=(port,)) for _ in range(clients)]
        for each in pupils:
            each.start()
        for each in pupils:
            each.join()
    assert statuses == [200] * clients * rounds


@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="reads /proc for the workers' numbers")
def test_at_a_reload_the_old_workers_accept_until_the_new_ones_do():
    """Some worker accepts at every moment: connections opened one after another never wait for a start."""
    with serving(environ={"WORKERS": "2"}) as (port, process):
        before = workers_of(process)
        seen, waits = set(), []
        process.send_signal(signal.SIGHUP)
        deadline = time.monotonic() + 30
        while workers_of(process) & before or len(workers_of(process)) != 2:
            assert time.monotonic() < deadline
            began = time.monotonic()
            assert models_of(port)
            waits.append(time.monotonic() - began)
            seen.add(len(workers_of(process)))
        assert len(waits) > 10  # no answer waited for as long as a start takes
        assert 4 in seen  # old and new were there together


def test_old_workers_are_stopped_when_all_that_replace_them_are_at_work():
    """With an arbiter as gunicorn's: workers by number, the oldest of which `manage_workers` stops."""

    class Arbiter:
        num_workers, looks = 2, 0

        def __init__(self, ages):
            self.WORKERS = {age: Namespace(age=age) for age in ages}
            self.stopped_after = None

        def manage_workers(self):
            self.stopped_after = self.looks

        def reap_workers(self):
            self.looks += 1
            if self.looks == 2:
                Loads(904)
            if self.looks == 4:
                Loads(903)

    try:
        for ages, looks in (([901, 902, 903, 904], 4), ([901, 902, 903, 904], 0), ([901, 902], 0), ([], 0)):
            arbiter = Arbiter(ages)
            replace_when_ready(arbiter)
            arbiter.manage_workers()
            assert arbiter.stopped_after == looks
    finally:
        for age in (903, 904):
            Loads.forget(age)


def test_a_body_that_is_on_its_way_when_the_service_is_told_to_stop_is_answered():
    body = encode(draw(3, 280))
    head = f"POST /v1/classify HTTP/1.1\r\nHost: x\r\nContent-Length: {len(body)}\r\n\r\n".encode()
    with serving() as (port, process), socket.create_connection(("127.0.0.1", port), timeout=20) as raw:
        raw.sendall(head + body[:100])
        time.sleep(0.2)
        process.terminate()
        time.sleep(0.5)
        raw.sendall(body[100:])
        received = b""
        while piece := raw.recv(65536):
            received += piece
        process.wait(20)
    assert received.startswith(b"HTTP/1.1 200 ")
    assert b"Connection: close\r\n" in received
    assert json.loads(received.partition(b"\r\n\r\n")[2])["results"][0]["digit"] == 3
    assert process.returncode == 0


def test_nothing_but_a_date_or_a_log_line_looks_at_the_clock_on_the_wall():
    """So a clock that jumps, either way, changes no time-out, no lane and no count."""
    wall = {"time.time", "datetime.now", "datetime.utcnow", "datetime.today", "time.localtime", "time.gmtime"}
    found = set()
    for path in (ROOT / "service").rglob("*.py"):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        imported = {
            alias.asname or alias.name: f"{node.module}.{alias.name}"
            for node in ast.walk(tree)
            if isinstance(node, ast.ImportFrom)
            for alias in node.names
        }
        for node in ast.walk(tree):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name | ast.Attribute):
                called = ast.unparse(node.func)
                if imported.get(called, called) in wall:
                    found.add(str(path.relative_to(ROOT)))
    assert found <= {"service/observe/logs.py", "service/observe/tracing.py"}
