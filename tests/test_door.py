"""The door, driven as an asgi worker drives it."""

import asyncio
import threading
from dataclasses import dataclass, field

import orjson
import pytest
from flask import Flask, request

from service.door import Door
from service.settings import Settings


@dataclass
class Peer:
    """The other end of a connection: sends messages, remembers the answer."""

    messages: list
    pause_seconds: float = 0
    answer: list = field(default_factory=list)

    async def receive(self):
        await asyncio.sleep(self.pause_seconds)
        return self.messages.pop(0) if self.messages else {"type": "http.disconnect"}

    async def send(self, message):
        self.answer.append(message)

    @property
    def status(self):
        return self.answer[0]["status"]

    @property
    def headers(self):
        return {name.decode().lower(): value.decode() for name, value in self.answer[0]["headers"]}

    @property
    def body(self):
        return self.answer[1]["body"]


def chunk(body, *, more=False):
    return {"type": "http.request", "body": body, "more_body": more}


def scope(path="/echo", *, method="POST", headers=((b"transfer-encoding", b"chunked"),), query=b""):
    return {
        "type": "http",
        "method": method,
        "path": path,
        "query_string": query,
        "http_version": "1.1",
        "headers": list(headers),
        "client": ("127.0.0.1", 50000),
        "server": ("127.0.0.1", 8000),
    }


@pytest.fixture
def echo():
    """An application that tells what reached it, and one call that blocks until it is let go."""
    app = Flask("echo")
    app.gate, app.threads = threading.Event(), []

    @app.post("/echo")
    def tell():
        app.threads.append(threading.current_thread().name)
        told = {"length": len(request.get_data()), "query": request.query_string.decode(), "path": request.path}
        return told | {"agent": request.headers.get("User-Agent", ""), "accept": request.headers.get("Accept", "")}

    @app.post("/v1/apply-filters")
    def block():
        app.threads.append(threading.current_thread().name)
        app.gate.wait(10)
        return {}

    return app


def serve(app, peer, settings=None, **of_scope):
    asyncio.run(Door(app, settings or Settings())(scope(**of_scope), peer.receive, peer.send))
    return peer


def test_a_body_in_pieces_reaches_flask_whole_with_its_query_and_headers(echo):
    headers = [(b"transfer-encoding", b"chunked"), (b"user-agent", b"me"), (b"accept", b"a/b"), (b"accept", b"c/d")]
    peer = serve(echo, Peer([chunk(b"ab", more=True), chunk(b"cde")]), headers=headers, query=b"a=1%20")
    assert peer.status == 200
    assert orjson.loads(peer.body) == {
        "length": 5,
        "query": "a=1%20",
        "path": "/echo",
        "agent": "me",
        "accept": "a/b,c/d",
    }


def test_a_declared_length_over_the_limit_is_refused_before_anything_is_read(echo):
    peer = serve(echo, Peer([]), Settings(max_body_bytes=10), headers=[(b"content-length", b"11")])
    assert peer.status == 413
    assert peer.headers["connection"] == "close"
    assert b"10 bytes, this has 11" in peer.body


def test_an_undeclared_body_is_refused_when_it_passes_the_limit(echo):
    peer = Peer([chunk(b"x" * 6, more=True), chunk(b"x" * 6, more=True), chunk(b"read on and thrown away")])
    serve(echo, peer, Settings(max_body_bytes=10))
    assert peer.status == 413
    assert peer.messages == []


def test_a_peer_that_leaves_is_dropped_and_never_passed_on_as_a_short_body(echo):
    peer = serve(echo, Peer([chunk(b"half", more=True), {"type": "http.disconnect"}]))
    assert peer.answer == []
    assert echo.threads == []


def test_a_body_that_stalls_is_answered_408_and_the_connection_closed(echo):
    peer = serve(echo, Peer([chunk(b"", more=True)] * 9, pause_seconds=0.03), Settings(body_timeout_seconds=0.1))
    assert peer.status == orjson.loads(peer.body)["status"] == 408
    assert peer.headers["connection"] == "close"
    assert echo.threads == []


def test_quick_calls_run_on_the_event_loop_and_heavy_ones_in_threads(echo):
    echo.gate.set()
    serve(echo, Peer([chunk(b"small")]))
    serve(echo, Peer([chunk(b"x" * 100)]), Settings(quick_body_bytes=99))
    serve(echo, Peer([chunk(b"{}")]), path="/v1/apply-filters")
    names = [name.partition("_")[0] for name in echo.threads]
    assert names == ["MainThread", "heavy", "heavy"]


def test_a_full_heavy_lane_answers_503_at_once_and_quick_calls_go_on(echo):
    async def crowd():
        door = Door(echo, Settings(heavy_threads=1, heavy_waiting=1))
        heavy = [Peer([chunk(b"{}")]) for _ in range(3)]
        tasks = [asyncio.ensure_future(door(scope("/v1/apply-filters"), peer.receive, peer.send)) for peer in heavy]
        quick = Peer([chunk(b"quick")])
        await asyncio.wait_for(tasks[2], 5)
        await door(scope(), quick.receive, quick.send)
        echo.gate.set()
        await asyncio.gather(*tasks)
        return [peer.status for peer in heavy], quick.status, heavy[2]

    statuses, quick, refused = asyncio.run(crowd())
    assert statuses == [200, 200, 503]
    assert quick == 200
    assert refused.headers["retry-after"] == "1"
    assert orjson.loads(refused.body)["title"] == "Busy"


def test_a_path_of_any_language_arrives_as_it_was_sent(echo):
    peer = serve(echo, Peer([chunk(b"")]), path="/ziffer/é")
    assert peer.status == 404


def test_the_worker_is_told_when_the_service_has_started_and_stopped(echo):
    peer = Peer([{"type": "lifespan.startup"}, {"type": "lifespan.shutdown"}])
    asyncio.run(Door(echo, Settings())({"type": "lifespan"}, peer.receive, peer.send))
    assert [message["type"] for message in peer.answer] == ["lifespan.startup.complete", "lifespan.shutdown.complete"]
