"""The corpus against the running server: a clear 4xx or a dropped connection, no worker lost, little more memory."""

import http.client
import json
import socket
import sys
import time
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.drawing import draw, encode
from tests.hostile.corpus import ALLOWED, CLASSIFY, HEAD, POSTS, REFUSED, SEVEN
from tests.serving import serving

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="memory is read from /proc")

TIMEOUT = 1.5  # seconds, for heads and bodies, so that the test need not wait for the real ones
PATIENCE = 20  # seconds until an answer is missing: what a refusal takes on a busy machine, and never near a hang
QUIET = 1.0  # seconds without another byte, after which an answer is complete; statuses() sees when it is not
MOST_GROWTH = 50e6  # bytes, of all workers together, over the whole corpus


def workers_of(process):
    return Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()


def memory_of(pids):
    """Bytes in use by processes, what they share counted once (PSS)."""
    lines = [Path(f"/proc/{pid}/smaps_rollup").read_text().split("\nPss:")[1].split()[0] for pid in pids]
    return 1024 * sum(map(int, lines))


def post(port, body, kind="image/png", path=CLASSIFY, headers=None):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE)
    try:
        connection.request("POST", path, body, {"Content-Type": kind, **(headers or {})})
        response = connection.getresponse()
        return response.status, response.getheader("Content-Type"), response.read()
    finally:
        connection.close()


def reads_a_digit(port):
    """Whether every worker (most likely: each request is a new connection) still does its work."""
    return all(json.loads(post(port, encode(draw(digit)))[2])["results"][0]["digit"] == digit for digit in (3, 7, 1, 4))


@pytest.fixture(scope="module")
def server():
    """Two workers as `make serve` starts them, and what is to be true after all tests of this file."""
    limits = {"FILTERSCOPE_BODY_TIMEOUT_SECONDS": str(TIMEOUT), "FILTERSCOPE_HEAD_TIMEOUT_SECONDS": str(TIMEOUT)}
    with serving(environ={"WORKERS": "2", **limits}) as (port, process):
        for _ in range(20):
            assert reads_a_digit(port)
        pids = workers_of(process)
        before = memory_of(pids)
        yield port, process
        time.sleep(2)
        grown = memory_of(pids) - before
        print(f"\nthe workers have grown by {grown / 1e6:.1f} MB, from {before / 1e6:.0f} MB")
        assert workers_of(process) == pids
        assert reads_a_digit(port)
        assert grown < MOST_GROWTH


@pytest.fixture(autouse=True)
def unharmed(server):
    """After each hostile request the same workers are there, and read a digit."""
    pids = workers_of(server[1])
    yield
    assert workers_of(server[1]) == pids
    assert reads_a_digit(server[0])


def exchange(port, data, *, pause=0.0, half_close=False):
    """Send bytes, read all that comes until the peer closes or falls silent; a reset is an end too."""
    received = b""
    with socket.create_connection(("127.0.0.1", port), timeout=PATIENCE) as raw:
        try:
            for piece in [data] if not pause else [data[i : i + 1] for i in range(len(data))]:
                raw.sendall(piece)
                time.sleep(pause)
            if half_close:
                raw.shutdown(socket.SHUT_WR)
        except OSError:
            pass  # refused before all was sent; the answer may be there
        try:
            while piece := raw.recv(65536):
                received += piece
                raw.settimeout(QUIET)
        except ConnectionError:
            pass
        except TimeoutError:  # an answer, and the connection is kept for the next request
            assert received, "neither an answer nor the end of the connection"
    return received


def statuses(received):
    """The status of every answer, its body passed over as its length says."""
    found = []
    while received:
        head, end, received = received.partition(b"\r\n\r\n")
        assert end, head
        found.append(int(head.split()[1]))
        lengths = [line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")]
        length = int(lengths[0].partition(b":")[2])
        assert len(received) >= length
        received = received[length:]
    return found


@pytest.mark.parametrize("name", POSTS)
def test_a_hostile_body_is_refused_in_words(server, name):
    make, kind, path, headers = POSTS[name]
    status, answered, body = post(server[0], make(), kind, path, headers)
    assert 400 <= status < 500, body[:300]
    said = json.loads(body)
    if path.startswith("/v2"):
        assert said["error"]
    else:
        assert answered == "application/problem+json"
        assert len(said["detail"]) > 10


@pytest.mark.parametrize("name", REFUSED)
def test_hostile_bytes_are_refused_or_the_connection_is_dropped(server, name):
    received = exchange(server[0], REFUSED[name])
    told = {*range(400, 500), 501, 505}  # 501 and 505: a coding, or a version of HTTP, that is not spoken here
    assert not received or statuses(received)[-1] in told, received[:300]
    assert set(statuses(received)) <= told | {100, 200}


@pytest.mark.parametrize("name", ALLOWED)
def test_odd_but_allowed_requests_are_answered(server, name):
    data, count = ALLOWED[name]
    assert statuses(exchange(server[0], data)) == [200] * count


@pytest.mark.parametrize("sent", [0, 1, 20, len(HEAD), len(HEAD) + 30])
def test_a_stalled_request_is_dropped(server, sent):
    whole = HEAD + b"Content-Length: 1000\r\n\r\n" + SEVEN[:30]
    if sent == 0:
        pytest.skip("a connection that says nothing is idle, and may be until keepalive")
    assert [status for status in statuses(exchange(server[0], whole[:sent])) if status != 408] == []


@pytest.mark.parametrize("start", [b"", HEAD + b"Content-Length: 1000\r\n\r\n"], ids=["head", "body"])
def test_a_slow_loris_is_dropped_however_busy_it_looks(server, start):
    with socket.create_connection(("127.0.0.1", server[0]), timeout=PATIENCE) as raw:
        raw.sendall(start or HEAD)
        raw.settimeout(0.2)
        deadline, received = time.monotonic() + PATIENCE, None
        while received is None and time.monotonic() < deadline:
            try:
                raw.sendall(b"A" if start else b"A: b\r\n")
                received = raw.recv(65536)
            except TimeoutError:
                continue
            except ConnectionError:
                received = b""
    assert received is not None, "the connection was kept"
    assert not received or statuses(received) == [408]


def test_half_closed_connections_are_answered_if_the_request_is_whole_and_else_dropped(server):
    whole = HEAD + b"Content-Length: %d\r\n\r\n" % len(SEVEN) + SEVEN
    assert statuses(exchange(server[0], whole, half_close=True)) == [200]
    for cut in (1, 40, len(HEAD), len(whole) - 1):
        assert all(400 <= status < 500 for status in statuses(exchange(server[0], whole[:cut], half_close=True)))


def test_connections_reset_in_the_middle_cost_nothing(server):
    for size in (1, 100, len(HEAD) + 60):
        for _ in range(30):
            raw = socket.create_connection(("127.0.0.1", server[0]), timeout=PATIENCE)
            raw.sendall((HEAD + b"Content-Length: 99999\r\n\r\n" + SEVEN)[:size])
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
            raw.close()


def test_a_flood_of_connections_keeps_no_one_out(server):
    with ExitStack() as stack:
        for turn in range(800):
            raw = stack.enter_context(socket.create_connection(("127.0.0.1", server[0]), timeout=PATIENCE))
            if turn % 2:
                raw.sendall(HEAD[: turn % len(HEAD)])
        assert reads_a_digit(server[0])


def test_answers_that_no_one_takes_are_not_made_without_end(server):
    picture = encode(draw(7, 28))
    path = b"/v1/feature-maps?layers=conv1&format=json"
    request = b"POST %b HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % (path, len(picture)) + picture
    before = memory_of(workers_of(server[1]))
    with ExitStack() as stack:
        for _ in range(10):
            raw = stack.enter_context(socket.create_connection(("127.0.0.1", server[0]), timeout=PATIENCE))
            raw.setblocking(False)
            for _ in range(200):
                try:
                    raw.send(request)
                except BlockingIOError:
                    break
        assert reads_a_digit(server[0])
        assert memory_of(workers_of(server[1])) - before < MOST_GROWTH
