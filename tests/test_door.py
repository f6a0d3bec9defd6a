"""The door behind the server: who is let in, on which lane, and what there is no room for."""

import threading
import time

import orjson
import pytest
from flask import Response, request

from service.api.application import Service
from service.settings import Settings
from tests.doors import opened, post, read_all, statuses


@pytest.fixture
def echo():
    """An application that tells what reached it, calls that take their time, and one that fails."""
    app = Service("echo", static_folder=None)
    app.gate, app.threads = threading.Event(), []

    @app.post("/echo")
    def tell():
        app.threads.append(threading.current_thread().name)
        told = {"length": len(request.get_data()), "query": request.query_string.decode(), "path": request.path}
        headers = {name: value for name, value in request.headers.items() if name.startswith("X-")}
        told |= {"agent": request.headers.get("User-Agent", ""), "accept": request.headers.get("Accept", "")}
        return told | {"headers": headers, "proxy": request.environ.get("HTTP_PROXY", "")}

    @app.post("/v1/apply-filters")
    def block():
        app.threads.append(threading.current_thread().name)
        app.gate.wait(10)
        return {}

    @app.post("/slow")
    def slow():
        since = time.thread_time()
        while time.thread_time() < since + 0.06:
            pass
        return {}

    @app.get("/healthz")
    def healthz():
        return {}

    @app.post("/chunks")
    def chunks():
        view = memoryview(b"0123456789")
        return Response([b"ab", view[2:5], b""])

    @app.post("/fails")
    def fails():
        raise RuntimeError("on purpose")

    return app


def body_of(received):
    return orjson.loads(received.partition(b"\r\n\r\n")[2])


def test_query_headers_and_a_body_in_pieces_reach_flask(echo):
    head = (
        b"POST /ech%6f?a=1%20 HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\nUser-Agent: me\r\nAccept: a/b\r\n"
        b"accept: c/d\r\nX-One: 1\r\nX_Two: 2\r\nProxy: evil\r\nConnection: close\r\n\r\n"
    )
    with opened(echo) as server:
        received = server.send(head, b"2\r\nab\r\n", b"3;ext=1\r\ncde\r\n0\r\nX-Trailer: 1\r\n\r\n", pause_seconds=0.03)
    assert statuses(received) == [200]
    assert body_of(received) == {
        "length": 5,
        "query": "a=1%20",
        "path": "/echo",
        "agent": "me",
        "accept": "a/b,c/d",
        "headers": {"X-One": "1"},
        "proxy": "",
    }


def test_a_declared_length_over_the_limit_is_refused_before_anything_is_read(echo):
    with opened(echo, Settings(max_body_bytes=10)) as server:
        received = server.send(b"POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 11\r\n\r\n")
    assert statuses(received) == [413]
    assert b"Connection: close" in received
    assert b"10 bytes, this has 11" in received
    assert echo.threads == []


def test_an_undeclared_body_is_refused_when_it_passes_the_limit(echo):
    head = b"POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
    with opened(echo, Settings(max_body_bytes=10)) as server:
        received = server.send(head, *[b"6\r\nxxxxxx\r\n"] * 5)
        assert server.door._held_bytes == 0
    assert statuses(received) == [413]
    assert echo.threads == []


def test_bodies_that_wait_have_a_limit_together_and_room_is_given_back(echo):
    head = b"POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n"
    with opened(echo, Settings(max_held_bytes=150)) as server, server.connect() as first:
        first.sendall(head + b"x" * 90)
        time.sleep(0.1)
        second = server.send(head + b"x" * 90)
        assert statuses(second) == [503]
        assert b"Retry-After: 1" in second
        assert server.door._held_bytes == 90
        first.sendall(b"x" * 10)
        assert first.recv(65536).startswith(b"HTTP/1.1 200 ")
        assert server.door._held_bytes == 0


def test_a_peer_that_leaves_is_dropped_and_never_passed_on_as_a_short_body(echo):
    with opened(echo) as server:
        received = server.send(b"POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\nhalf", half_close=True)
        assert received == b""
        assert server.door._held_bytes == 0
    assert echo.threads == []


def test_quick_calls_run_on_the_event_loop_and_heavy_ones_in_threads(echo):
    echo.gate.set()
    with opened(echo, Settings(quick_body_bytes=99)) as server:
        server.send(post(b"small"))
        server.send(post(b"x" * 100))
        server.send(post(b"{}", b"/v1/apply-filters"))
        server.send(post(b"{}", b"/echo?card=1"))
        server.send(post(b"{}", b"/echo", b"content-encoding: gzip"))
    assert [name.startswith("heavy") for name in echo.threads] == [False, True, True, True, True]


def test_a_full_heavy_lane_answers_503_at_once_and_quick_calls_go_on(echo):
    with opened(echo, Settings(heavy_threads=1, heavy_waiting=1)) as server:
        waiting = [server.connect() for _ in range(2)]
        for raw in waiting:
            raw.sendall(post(b"{}", b"/v1/apply-filters"))
            time.sleep(0.05)
        refused = server.send(post(b"{}", b"/v1/apply-filters"))
        assert statuses(refused) == [503]
        assert b"\r\nRetry-After: 1\r\n" in refused
        assert statuses(server.send(post(b"quick"))) == [200]
        echo.gate.set()
        assert [statuses(read_all(raw)) for raw in waiting] == [[200], [200]]


def test_calls_that_came_together_and_have_waited_too_long_are_told_to_come_again_and_probes_never(echo):
    with opened(echo, Settings(max_wait_seconds=0.1)) as server:
        raws = [server.connect() for _ in range(12)]
        time.sleep(0.1)
        blocker = server.connect()
        blocker.sendall(post(b"", b"/slow"))
        for raw in raws[:-1]:
            raw.sendall(post(b"", b"/slow"))
        raws[-1].sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        answers = [read_all(raw) for raw in raws]
        codes = [statuses(answer) for answer in answers]
        assert codes[-1] == [200]
        assert [200] in codes[:-1]
        assert [503] in codes[:-1]
        assert all(b"Retry-After: 1" in answer for answer in answers if statuses(answer) == [503])
        blocker.close()


def test_an_answer_in_parts_is_sent_whole_with_its_length(echo):
    with opened(echo) as server:
        received = server.send(post(b"", b"/chunks"))
    assert b"Content-Length: 5\r\n" in received
    assert received.endswith(b"\r\n\r\nab234")


def test_a_failure_is_answered_500_and_the_connection_lives(echo):
    with opened(echo) as server:
        received = server.send(post(b"", b"/fails", close=False) + post(b"after"))
    assert statuses(received) == [500, 200]
    assert b"on purpose" not in received


def test_hooks_that_would_be_left_out_are_refused(echo):
    echo.before_request(lambda: None)
    with pytest.raises(AssertionError):
        echo.enter_thread()
