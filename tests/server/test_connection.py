"""The protocol: what comes in over a connection, in every order and at every pace, and what goes back."""

import contextlib
import random
import socket
import struct
import time

import pytest
from flask import request

from service.api.http.application import Access, Service
from service.lab.prices import QUICK_UNITS, charge
from service.server import loads
from service.server.connection import MAX_AHEAD, MAX_HEAD_BYTES
from service.server.loads import Loads
from service.settings import Settings
from tests.doors import opened, post, read_all, statuses

LARGE = 30_000_000
PATIENT = Settings(max_wait_seconds=30)  # refuses no one because the machine is slow


@pytest.fixture(scope="module")
def app():
    """Echoes its body; can answer much."""
    app = Service("echo", static_folder=None)

    @app.route("/echo", methods=["GET", "POST"])
    def echo():
        return request.get_data() or b"nothing"

    @app.post("/large")
    def large():
        return b"x" * LARGE

    @app.get("/healthz", access=Access.PROBE)
    def healthz():
        return b"alive"

    @app.post("/v1/patches")
    def heavy():
        charge("filter", 2 * QUICK_UNITS)
        time.sleep(0.2)
        return b"heavy"

    return app


@pytest.fixture(scope="module")
def server(app):
    with opened(app) as server:
        yield server


def bodies(received):
    return [part.partition(b"\r\n\r\n")[2] for part in received.split(b"HTTP/1.1 ")[1:]]


def test_requests_sent_ahead_are_answered_in_order_a_heavy_one_among_them(server):
    ahead = [post(b"one", close=False), post(b"", b"/v1/patches", close=False), post(b"three", close=False)]
    received = server.send(b"".join(ahead) + post(b"four"))
    assert bodies(received) == [b"one", b"heavy", b"three", b"four"]


def test_a_request_byte_by_byte_is_understood(server):
    with server.connect() as raw:
        raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for byte in post(b"slowly"):
            raw.sendall(bytes([byte]))
        assert bodies(read_all(raw)) == [b"slowly"]


def test_more_requests_ahead_than_allowed_end_the_connection_after_those_allowed(server):
    received = server.send(post(b"x", close=False) * (MAX_AHEAD + 50))
    assert set(statuses(received)) == {200}
    assert MAX_AHEAD <= len(statuses(received)) <= MAX_AHEAD + 1
    assert received.count(b"Connection: close") == 1


def test_a_half_closed_connection_gets_all_its_answers(server):
    received = server.send(post(b"one", close=False) + post(b"two", close=False), half_close=True)
    assert bodies(received) == [b"one", b"two"]


def test_100_continue_is_sent_before_the_body_and_a_refusal_instead_of_it(app):
    expecting = b"POST /echo HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nConnection: close\r\nContent-Length: "
    with opened(app, Settings(max_body_bytes=10)) as server:
        with server.connect() as raw:
            raw.sendall(expecting + b"5\r\n\r\n")
            assert raw.recv(100) == b"HTTP/1.1 100 Continue\r\n\r\n"
            raw.sendall(b"hello")
            assert bodies(read_all(raw)) == [b"hello"]
        assert statuses(server.send(expecting + b"11\r\n\r\n")) == [413]
        assert statuses(server.send(expecting.replace(b"100-continue", b"magic") + b"5\r\n\r\n")) == [417]


def test_http_1_0_ends_the_connection_unless_asked_to_keep_it(server):
    assert bodies(server.send(b"GET /echo HTTP/1.0\r\n\r\n")) == [b"nothing"]
    with server.connect() as raw:
        raw.sendall(b"GET /echo HTTP/1.0\r\nConnection: keep-alive\r\n\r\n")
        assert b"Connection: keep-alive\r\n" in raw.recv(65536)
        raw.sendall(b"GET /echo HTTP/1.0\r\n\r\n")
        assert bodies(read_all(raw)) == [b"nothing"]


def test_head_has_the_length_and_no_body(server):
    received = server.send(b"HEAD /echo HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
    assert b"Content-Length: 7\r\n" in received
    assert received.endswith(b"\r\n\r\n")


OFFERS = (
    (b"Connection: Upgrade, HTTP2-Settings", b"Upgrade: h2c", b"HTTP2-Settings: AAMAAABkAARAAAAAAAIAAAAA"),
    (b"Upgrade: websocket", b"connection: keep-alive, upgrade"),
    (b"Connection: Upgrade", b"Upgrade: TLS/1.0, h2c", b"Upgrade: websocket"),
)
# The body of a request is itself one, so that a server that does not read it as a body is found out.
INNER = b"POST /echo HTTP/1.1\r\nHost: inner\r\nContent-Length: 8\r\n\r\nsmuggled"


def framed(body, draw, *headers, path=b"/echo"):
    """A request with that body, framed in one of the ways there are."""
    lines = [b"POST " + path + b" HTTP/1.1", b"Host: x", *draw.sample(headers, len(headers))]
    if draw.random() < 0.5:
        return b"\r\n".join([*lines, b"Content-Length: %d" % len(body), b"", body])
    cuts = sorted(draw.sample(range(1, len(body)), 2))
    chunks = [body[start:end] for start, end in zip([0, *cuts], [*cuts, len(body)], strict=True)]
    coded = b"".join(b"%x\r\n%b\r\n" % (len(chunk), chunk) for chunk in chunks) + b"0\r\n\r\n"
    return b"\r\n".join([*lines, b"Transfer-Encoding: chunked", b"", coded])


@pytest.mark.parametrize("seed", range(40))
def test_a_request_that_offers_another_protocol_is_answered_as_without_the_offer(server, seed):
    draw = random.Random(seed)
    bodies_sent = [draw.choice([INNER, b"one", b"x" * 100_000]) for _ in range(draw.randint(1, 3))]
    expects = (b"Expect: 100-continue",) if draw.random() < 0.3 else ()
    sent = b"".join(framed(body, draw, *draw.choice(OFFERS), *expects) for body in bodies_sent) + post(b"next")
    cuts = sorted(draw.sample(range(1, len(sent)), draw.randint(0, 3)))
    parts = [sent[start:end] for start, end in zip([0, *cuts], [*cuts, len(sent)], strict=True)]
    received = server.send(*parts, pause_seconds=0.01)
    received = received.replace(b"HTTP/1.1 100 Continue\r\n\r\n", b"")
    assert bodies(received) == [*bodies_sent, b"next"]


def test_an_offer_without_a_body_is_answered_and_what_follows_too(server):
    offers = [b"\r\n".join([b"GET /echo HTTP/1.1", b"Host: x", *offer, b"", b""]) for offer in OFFERS]
    assert bodies(server.send(*offers, post(b"next"), pause_seconds=0.01)) == [b"nothing"] * 3 + [b"next"]
    assert bodies(server.send(offers[0] * (MAX_AHEAD - 1) + post(b"next"))) == [b"nothing"] * (MAX_AHEAD - 1) + [
        b"next"
    ]


def test_what_follows_a_request_for_a_tunnel_is_never_read_as_a_request(server):
    for head in (b"CONNECT x:80 HTTP/1.1\r\nHost: x\r\n", b"CONNECT /echo HTTP/1.1\r\nHost: x\r\n"):
        for length in (b"", b"Content-Length: %d\r\n" % len(INNER)):
            received = server.send(head + length + b"\r\n" + INNER)
            assert len(statuses(received)) == 1
            assert b"smuggled" not in received


@pytest.mark.parametrize("seed", range(12))
def test_room_for_bodies_is_given_back_whatever_becomes_of_a_request(app, seed):
    draw = random.Random(seed)
    with opened(app, Settings(max_held_bytes=300_000, max_body_bytes=60_000), body=0.4, head=0.4) as server:
        for _ in range(25):
            sent = b""
            for _ in range(draw.choice([1, 3, MAX_AHEAD + 3])):
                body = bytes(draw.choice([1, 500, 20_000, 70_000]) + 3)
                sent += draw.choice([
                    post(body, b"/echo", close=draw.random() < 0.1),
                    post(b"", b"/v1/patches", close=False),
                    framed(body, draw, *draw.choice(OFFERS), path=draw.choice([b"/echo", b"/v1/patches"])),
                    b"nonsense\r\n\r\n",
                ])  # fmt: skip
            sent = sent[: draw.choice([len(sent), len(sent) // 2, draw.randrange(1, len(sent))])]
            with server.connect() as raw, contextlib.suppress(OSError):
                raw.settimeout(0.3)
                raw.sendall(sent)
                if draw.random() < 0.3:
                    raw.recv(65536)
                if draw.random() < 0.5:  # goes away with a reset, whatever is on its way
                    raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        deadline = time.monotonic() + 20
        while time.monotonic() < deadline and (server.server.connections or server.door._heavy_in_flight):
            time.sleep(0.02)
        assert not server.server.connections
        assert server.door._held_bytes == 0
        assert bodies(server.send(framed(b"a body in pieces", draw) + post(b"next")))[-1] == b"next"


@pytest.mark.parametrize(
    ("data", "status"),
    [
        (b"nonsense\r\n\r\n", 400),
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 400),  # TLS
        (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 400),
        (b"POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: -5\r\n\r\n", 400),
        (b"POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 1e3\r\n\r\n", 400),
        (b"POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999999999999999999\r\n\r\n", 400),
        (b"POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\nabc", 400),
        (b"POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400),
        (b"POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", 400),
        (b"GET /echo HTTP/1.1\r\nHost: x\r\nA: b\x00c\r\n\r\n", 400),
        (b"GET /\x00 HTTP/1.1\r\n\r\n", 400),
        (b"GET /echo HTTP/1.1\r\nHost: x\r\n" + b"A: b\r\n" * 200 + b"\r\n", 431),
        (b"GET /echo HTTP/1.1\r\nHost: x\r\nA: " + b"b" * (MAX_HEAD_BYTES + 1), 431),
        (b"GET /echo HTTP/1.1\r\nHost: x\r\nA: " + b"b" * MAX_HEAD_BYTES + b"\r\n\r\n", 431),
        (b"GET /" + b"a" * (MAX_HEAD_BYTES + 1), 431),
        (b"POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n1;" + b"x" * 500_000, 400),
    ],
)
def test_what_is_not_http_is_refused_and_the_connection_closed(server, data, status):
    received = server.send(data)
    assert statuses(received) == [status]
    assert b"application/problem+json" in received
    assert bodies(server.send(post(b"still here"))) == [b"still here"]


def test_a_refusal_waits_for_the_answers_before_it(server):
    received = server.send(post(b"", b"/v1/patches", close=False) + b"nonsense\r\n\r\n")
    assert bodies(received) == [b"heavy"]


def test_heads_and_bodies_that_stall_are_dropped_and_idle_connections_closed(app):
    with opened(app, keep_alive=0.2, head=0.4, body=0.6) as server:
        began = time.monotonic()
        with server.connect() as idle, server.connect() as head, server.connect() as body:
            head.sendall(b"POST /echo HTTP/1.1\r\nHos")
            body.sendall(b"POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\nhalf")
            assert read_all(idle) == b""
            assert time.monotonic() - began > 0.15
            assert statuses(read_all(head)) == [408]
            assert time.monotonic() - began > 0.35
            assert statuses(read_all(body)) == [408]
            assert time.monotonic() - began > 0.55


def test_a_head_fed_slowly_has_no_longer_than_one_that_stalls(app):
    with opened(app, head=0.3) as server, server.connect() as raw:
        raw.sendall(b"GET /echo HTTP/1.1\r\n")
        began = time.monotonic()
        received = b""
        raw.settimeout(0.05)
        while time.monotonic() - began < 3 and not received:
            raw.sendall(b"A: b\r\n")
            try:
                received = raw.recv(65536)
            except TimeoutError:
                continue
        assert statuses(received) == [408]


def test_a_peer_that_takes_no_answer_is_dropped_after_the_time_for_bodies(app):
    with opened(app, body=0.3) as server, server.connect() as raw:
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        raw.sendall(post(b"", b"/large"))
        deadline = time.monotonic() + 5
        while not server.server.connections and time.monotonic() < deadline:
            time.sleep(0.01)
        while server.server.connections and time.monotonic() < deadline:
            time.sleep(0.02)
        assert not server.server.connections


def test_a_slow_but_steady_reader_gets_a_large_answer_whole(app):
    with opened(app, body=0.3) as server, server.connect() as raw:
        raw.sendall(post(b"", b"/large"))
        count = 0
        while piece := raw.recv(1_000_000):
            count += len(piece)
            time.sleep(0.01)
    assert count > LARGE


def test_answers_that_no_one_reads_have_a_limit_together(app):
    with opened(app, Settings(max_held_bytes=1_000_000)) as server, server.connect() as raw:
        raw.sendall(post(b"", b"/large"))
        deadline = time.monotonic() + 5
        while server.server.unsent_bytes < 1_000_000 and time.monotonic() < deadline:
            time.sleep(0.01)
        refused = server.send(post(b"", b"/v1/patches"))
        assert statuses(refused) == [503]
        assert b"wait for their readers" in refused
        assert statuses(server.send(post(b"quick"))) == [503]
        assert statuses(server.send(b"GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")) == [200]
        assert len(read_all(raw)) > LARGE
        assert bodies(server.send(post(b"quick"))) == [b"quick"]
        assert bodies(server.send(post(b"", b"/v1/patches"))) == [b"heavy"]


def test_a_reader_so_slow_that_only_the_systems_buffers_empty_is_not_taken_for_one_that_has_stopped(app):
    with opened(app, body=0.4) as server, server.connect() as raw:
        raw.sendall(post(b"", b"/large"))
        time.sleep(0.2)
        for _ in range(30):  # 3 MB in 1.2 seconds, less than the system holds
            raw.recv(100_000)
            time.sleep(0.04)
        assert server.server.connections


def test_of_connections_beyond_the_limit_the_one_that_is_idle_for_longest_gives_way(app):
    with opened(app, connections=3) as server:
        first, second, working = server.connect(), server.connect(), server.connect()
        for raw in (second, first):
            raw.sendall(post(b"x", close=False))
            assert raw.recv(65536)
            time.sleep(0.1)
        working.sendall(post(b"", b"/v1/patches", close=False) * 3)
        time.sleep(0.05)
        with server.connect() as late:
            late.sendall(post(b"late"))
            assert bodies(read_all(late)) == [b"late"]
        assert read_all(second) == b""
        first.sendall(post(b"still here"))
        assert bodies(read_all(first)) == [b"still here"]
        assert working.recv(65536)
        for raw in (first, second, working):
            raw.close()


def test_a_crowd_of_idle_connections_or_of_heads_that_never_end_keeps_no_one_out(app):
    with opened(app, connections=20) as server:
        idle = [server.connect() for _ in range(30)]
        for raw in idle[::2]:
            raw.sendall(b"GET /echo HTTP/1.1\r\nA: ")
        for _ in range(30):
            assert bodies(server.send(post(b"in"))) == [b"in"]
        assert len(server.server.connections) <= 20
        for raw in idle:
            raw.close()


def test_connections_beyond_the_limit_wait_for_room_while_all_are_at_work(app):
    with opened(app, connections=2) as server:
        busy = [server.connect() for _ in range(2)]
        for raw in busy:
            raw.sendall(post(b"", b"/v1/patches"))
        time.sleep(0.05)
        with server.connect() as third:
            third.sendall(post(b"third"))
            time.sleep(0.05)
            assert len(server.server.connections) == 2
            assert bodies(read_all(third)) == [b"third"]
        assert [bodies(read_all(raw)) for raw in busy] == [[b"heavy"]] * 2


def test_a_reader_at_a_trickle_is_ended_after_the_time_that_an_answer_of_its_size_has(app):
    with opened(app, body=0.3) as server, server.connect() as raw:
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        raw.sendall(post(b"", b"/large"))
        deadline = time.monotonic() + 10
        time.sleep(0.1)
        while server.server.connections and time.monotonic() < deadline:
            with contextlib.suppress(OSError):
                raw.recv(500)  # always a little, at 10 kB a second
            time.sleep(0.05)
        assert not server.server.connections


@pytest.mark.parametrize(
    ("head", "status"),
    [
        (b"GET /echo HTTP/1.1\r\n\r\n", 400),
        (b"GET /echo HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n", 400),
        (b"GET /echo HTTP/2.0\r\nHost: a\r\n\r\n", 505),
        (b"POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip, chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n", 501),
        (b"POST /echo HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n", 400),
        (b"GET /echo HTTP/1.0\r\n\r\n", 200),
        (b"POST /echo HTTP/1.0\r\nContent-Length: 3\r\nExpect: 100-continue\r\n\r\nabc", 200),
    ],
)
def test_heads_that_the_protocol_forbids_are_refused_and_one_of_http_1_0_is_never_told_to_continue(
    server, head, status
):
    assert statuses(server.send(head)) == [status]


def test_a_worker_that_is_stopped_is_not_waited_for():
    worker, stopped = Loads(901), Loads(902)  # of no worker in this process
    try:
        worker.tell(5)
        Loads.forget(0)  # the servers of other tests
        assert worker.are_lower_elsewhere()
        loads._SEEN[902] -= 60
        assert not worker.are_lower_elsewhere()
        stopped.live()
        assert worker.are_lower_elsewhere()
    finally:
        Loads.forget(901)
        Loads.forget(902)


@pytest.mark.parametrize(
    ("own", "other", "gives_way"),
    [(5, 5, False), (5, 4, True), (3, 9, False), (1, 0, True), (0, 0, False), (40, 36, False), (40, 30, True)],
)
def test_a_worker_gives_way_to_another_with_fewer_connections(own, other, gives_way):
    worker, another = Loads(901), Loads(902)  # of no worker in this process
    try:
        worker.tell(own)
        another.tell(other)
        Loads.forget(0)  # the servers of other tests
        assert worker.are_lower_elsewhere() == gives_way
        Loads.forget(902)
        assert not worker.are_lower_elsewhere()
    finally:
        Loads.forget(901)
        Loads.forget(902)


def test_a_crowd_that_connects_while_the_server_is_busy_is_let_in_faster_than_it_is_answered():
    app, seen = Service("crowd", static_folder=None), []

    @app.get("/")
    def count():
        seen.append(len(server.server.connections))
        time.sleep(0.3 if len(seen) == 1 else 0.001)
        return b"."

    with opened(app, PATIENT) as server:
        raws = [server.connect()]
        raws[0].sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        time.sleep(0.1)
        raws += [server.connect() for _ in range(64)]
        for raw in raws[1:]:
            raw.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        for raw in raws:
            assert statuses(raw.recv(65536)) == [200]
        for raw in raws:
            raw.close()
    assert seen[0] == 1
    assert seen[40] >= 55  # one a turn would be 41


def test_a_worker_does_not_leave_a_crowd_waiting_for_another_that_never_comes(app):
    another = Loads(902)  # of no worker in this process: it has no connection, and takes none
    try:
        with opened(app, PATIENT) as server:
            raws = [server.connect() for _ in range(60)]
            for raw in raws:
                raw.sendall(post(b"here"))
            assert [bodies(read_all(raw)) for raw in raws] == [[b"here"]] * 60
            assert server.server._loads.are_lower_elsewhere() or not server.server.connections
    finally:
        another.forget(902)


def test_a_stopping_server_answers_what_was_sent_and_what_had_just_connected(app):
    with opened(app) as server:
        heavy, idle, ahead = server.connect(), server.connect(), server.connect()
        heavy.sendall(post(b"", b"/v1/patches", close=False))
        ahead.sendall(post(b"one", b"/v1/patches", close=False) + post(b"two", close=False))
        time.sleep(0.05)
        late = server.connect()
        server.stop_soon()
        time.sleep(0.05)
        idle.sendall(post(b"on its way", close=False))
        late.sendall(post(b"late", close=False))
        assert bodies(read_all(heavy)) == [b"heavy"]
        assert bodies(read_all(ahead)) == [b"heavy", b"two"]
        answer = read_all(idle)
        assert bodies(answer) == [b"on its way"]
        assert b"Connection: close\r\n" in answer
        assert bodies(read_all(late)) == [b"late"]
        with pytest.raises(ConnectionRefusedError):
            server.connect()


def test_a_peer_that_leaves_a_little_unread_is_dropped_too(app):
    """Less than asyncio makes a pause of, beside what the system holds."""
    with opened(app, keep_alive=0.4, body=0.4) as server:
        raw = socket.socket()
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
        raw.connect(("127.0.0.1", server.port))
        raw.sendall(post(b"first", close=False))
        deadline = time.monotonic() + 10
        while not server.server.connections and time.monotonic() < deadline:
            time.sleep(0.01)
        (connection,) = server.server.connections
        still = 0  # looks at which something was left: the system takes more for a while
        while still < 10:
            assert time.monotonic() < deadline
            left = connection._transport.get_write_buffer_size()
            still = still + 1 if left else 0
            if not left:
                raw.sendall(post(b"x" * 9_000, close=False))
            time.sleep(0.005)
        assert not connection._is_paused
        while server.server.connections and time.monotonic() < deadline:
            time.sleep(0.02)
        assert not server.server.connections
        raw.close()


def test_reading_is_paused_behind_an_answer_that_is_not_taken_in(app):
    with opened(app, Settings(max_held_bytes=5_000_000)) as server, server.connect() as raw:
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        raw.sendall(post(b"", b"/large", close=False))
        deadline = time.monotonic() + 5
        while not server.server.slow and time.monotonic() < deadline:
            time.sleep(0.01)
        raw.settimeout(0.5)
        with contextlib.suppress(TimeoutError):
            for _ in range(50):
                raw.sendall(post(bytes(200_000), close=False))
        time.sleep(0.1)
        assert server.door._held_bytes < 1_000_000


def test_blanks_around_the_value_of_a_header_are_none_of_it(server):
    head = (
        b"POST /echo HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 2\r\nExpect: 100-continue \t\r\n\r\n"
    )
    received = server.send(head + b"ab").replace(b"HTTP/1.1 100 Continue\r\n\r\n", b"")
    assert bodies(received) == [b"ab"]


def test_an_offer_counts_in_the_length_of_its_head(server):
    head = b"GET /echo HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: " + b"x" * MAX_HEAD_BYTES + b"\r\n\r\n"
    assert statuses(server.send(head)) == [431]
