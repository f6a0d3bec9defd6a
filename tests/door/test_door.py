"""The door behind the server: who is let in, on which lane, and what there is no room for."""

import gc
import logging
import random
import re
import select
import socket
import threading
import time

import orjson
import pytest
from flask import Response, request

from service.api.http.application import Access, Service
from service.app import create_app
from service.door.cors import Cors
from service.door.door import PARSED
from service.door.keys import Keys
from service.lab.prices import QUICK_UNITS, charge, go_on
from service.observe.logs import ACCESS
from service.observe.metrics import Metrics
from service.observe.record import Timed, note_verdicts
from service.settings import Settings
from tests.doors import opened, post, read_all, statuses
from tests.drawing import draw, encode

PICTURE = encode(draw(3, 280))


@pytest.fixture(scope="module")
def served():
    """The service itself."""
    with opened(create_app(Settings())) as server:
        yield server


@pytest.fixture
def echo():
    """An application that tells what reached it, calls that take their time, and one that fails."""
    app = Service("echo", static_folder=None)
    app.gate, app.threads = threading.Event(), []

    @app.post("/echo")
    def tell():
        if "dear" in request.args:
            charge("card", 2 * QUICK_UNITS)
        app.threads.append(threading.current_thread().name)
        told = {"length": len(request.get_data()), "query": request.query_string.decode(), "path": request.path}
        headers = {name: value for name, value in request.headers.items() if name.startswith("X-")}
        told |= {"agent": request.headers.get("User-Agent", ""), "accept": request.headers.get("Accept", "")}
        return told | {"headers": headers, "proxy": request.environ.get("HTTP_PROXY", "")}

    @app.post("/v1/apply-filters")
    def block():
        charge("filter", 2 * QUICK_UNITS)
        app.threads.append(threading.current_thread().name)
        app.gate.wait(10)
        return {}

    @app.post("/slow")
    def slow():
        since = time.thread_time()
        while time.thread_time() < since + 0.06:
            pass
        return {}

    @app.get("/healthz", access=Access.PROBE)
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
        server.send(post(b"{}", b"/echo?dear=1"))
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


def test_calls_that_came_together_and_have_waited_too_long_are_answered_503_and_probes_never(echo):
    with opened(echo, Settings(max_wait_seconds=0.03)) as server:
        for _ in range(16):  # until it is known how long a call takes
            assert statuses(server.send(post(b"", b"/slow"))) == [200]
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


def crowd(server, count, body=b""):
    """Connections with a slow call each, all sent while the event loop is busy with the first."""
    raws = [server.connect(20) for _ in range(count)]
    time.sleep(0.05)
    for raw in raws:
        raw.sendall(post(body, b"/slow"))
        time.sleep(0.02 if raw is raws[0] else 0)
    return raws


def test_while_a_crowd_waits_in_line_probes_on_new_connections_are_answered(echo):
    with opened(echo, Settings(max_wait_seconds=30)) as server:
        raws = crowd(server, 16)
        assert statuses(server.send(b"GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")) == [200]
        assert server.door._waiting
        assert [statuses(read_all(raw)) for raw in raws] == [[200]] * 16


def test_who_comes_to_a_long_line_is_told_so_before_the_line_is_answered(echo):
    with opened(echo, Settings(max_wait_seconds=0.1)) as server:
        for _ in range(2):  # until it is known how long a call takes
            assert statuses(server.send(*[post(b"", b"/slow", close=False)] * 8, post(b"", b"/slow"))) == [200] * 9
        raws, codes, waiting = crowd(server, 20), [], []
        while raws:
            told, _, _ = select.select(raws, [], [], 10)
            waiting.append(len(server.door._waiting))
            answers = [read_all(raw) for raw in told]
            raws = [raw for raw in raws if raw not in told]
            codes.append({status for answer in answers for status in statuses(answer)})
            for answer in answers:
                if statuses(answer) == [503]:
                    assert b"Retry-After: 1\r\n" in answer
                    assert body_of(answer)["detail"] == "more requests than can be answered in time are waiting"
        last = max(turn for turn, several in enumerate(codes) if 503 in several)
        assert waiting[last] > 0
        assert codes[-1] == {200}


def test_bodies_that_wait_in_line_are_held_to_the_limit_of_bodies(echo):
    with opened(echo, Settings(max_wait_seconds=30, max_held_bytes=50_000)) as server:
        raws = crowd(server, 12, bytes(20_000))
        answers = [read_all(raw) for raw in raws]
        assert {tuple(statuses(answer)) for answer in answers} == {(200,), (503,)}
        assert "bytes of bodies" in next(body_of(each)["detail"] for each in answers if statuses(each) == [503])
        assert server.door._held_bytes == 0


def test_a_browser_with_its_six_connections_is_never_answered_503(echo):
    with opened(echo, Settings(max_wait_seconds=0.01)) as server:
        raws = [server.connect() for _ in range(6)]
        for raw in raws:
            raw.sendall(post(b"", b"/slow", close=False) + post(b"", b"/slow"))
        assert [statuses(read_all(raw)) for raw in raws] == [[200, 200]] * 6


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


# --- what every answer says, and what is counted -------------------------------------------------------------------


def head_of(received):
    lines = received.partition(b"\r\n\r\n")[0].decode().split("\r\n")[1:]
    return {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}


def test_an_answer_has_the_callers_request_id_or_a_new_one_a_refusal_too(echo):
    with opened(echo, Settings(max_body_bytes=10)) as server:
        own = head_of(server.send(post(b"", b"/echo", b"x-request-id: order-66")))
        new = [head_of(server.send(post(b"")))["x-request-id"] for _ in range(2)]
        refused = head_of(server.send(post(b"x" * 11, b"/echo", b"X-Request-ID: order-67")))
        unsafe = head_of(server.send(post(b"", b"/echo", b"X-Request-ID: a b<c>")))
    assert own["x-request-id"] == "order-66"
    assert refused["x-request-id"] == "order-67"
    assert len({*new, unsafe["x-request-id"], "a b<c>"}) == 4


def test_stages_are_told_in_server_timing_and_counted(echo):
    @echo.post("/staged")
    def staged():
        with Timed("infer"):
            time.sleep(0.01)
        note_verdicts("digits", [3], [0.25])
        return {}

    metrics = Metrics([], 0)
    with opened(echo, metrics=metrics) as server:
        timing = head_of(server.send(post(b"", b"/staged")))["server-timing"]
        server.send(post(b"", b"/echo"))
        server.send(post(b"", b"/nowhere"))
    stage, price = timing.split(", ", 1)
    assert 10 <= float(stage.removeprefix("infer;dur=")) < 1000
    assert re.fullmatch(r'price;dur=\d+\.\d{3};desc="\d+ units, \d+ bytes"', price)
    page = metrics.page().decode()
    for name, *labels in (
        ("http_server_request_duration_seconds_count", 'response_status_code="200"', 'http_route="/staged"'),
        ("http_server_request_duration_seconds_count", 'response_status_code="404"', 'http_route="unmatched"'),
        ("filterscope_stage_duration_seconds_count", 'stage="infer"'),
        ("filterscope_predictions_total", 'digit="3"', 'model="digits"'),
    ):
        lines = [line for line in page.splitlines() if line.startswith(f"{name}{{")]
        (found,) = [line for line in lines if all(label in line for label in labels)]
        assert found.endswith(" 1.0")


def test_what_is_shed_is_counted_by_its_reason(echo):
    metrics = Metrics([], 0)
    with opened(echo, Settings(heavy_threads=1, heavy_waiting=0), metrics=metrics) as server, server.connect() as first:
        first.sendall(post(b"{}", b"/v1/apply-filters"))
        time.sleep(0.05)
        assert statuses(server.send(post(b"{}", b"/v1/apply-filters"))) == [503]
        echo.gate.set()
        read_all(first)
    assert re.search(r'filterscope_requests_shed_total\{.*reason="heavy".*\} 1\.0', metrics.page().decode())


KEY = b"Authorization: Bearer 0123456789abcdef0123"


@pytest.fixture
def keys(tmp_path):
    file = tmp_path / "keys"
    file.write_text("# ours\n0123456789abcdef0123\nanother-key-0123456789\n", encoding="ascii")
    return Keys.open(file)


def test_a_call_without_a_key_is_refused_before_its_body_is_read(echo, keys):
    with opened(echo, keys=keys) as server:
        refused = server.send(b"POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n")
        wrong = server.send(post(b"", b"/echo", b"Authorization: Bearer 0123456789abcdef0124"))
        assert statuses(refused) == statuses(wrong) == [401]
        assert head_of(refused)["www-authenticate"] == "Bearer"
        assert b"0123456789abcdef" not in refused + wrong
        assert (b"is no key of this service" in refused, b"is no key of this service" in wrong) == (False, True)
        assert echo.threads == []
        assert statuses(server.send(post(b"", b"/echo", KEY))) == [200]
        assert statuses(server.send(b"GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")) == [200]


def spelt(path, chance):
    """Another spelling of the same path and query: more slashes, letters by their numbers, the whole address."""
    path, mark, query = path.partition(b"?")
    parts = [b"".join(_spelt_letter(letter, chance) for letter in part) for part in path.split(b"/")[1:]]
    path = b"".join(b"/" * chance.choice([1, 1, 1, 2, 5]) + part for part in parts) + b"/" * chance.choice([0, 0, 1, 3])
    query = b"".join(letter if letter in b"=&" else _spelt_letter(letter[0], chance) for letter in _letters(query))
    start = b"http://host" if chance.random() < 0.2 else b""
    return start + path + mark + query


def _letters(text):
    return [text[index : index + 1] for index in range(len(text))]


def _spelt_letter(letter, chance):
    return b"%%%02x" % letter if chance.random() < 0.2 else bytes([letter])


@pytest.mark.parametrize("seed", range(60))
def test_a_path_in_another_spelling_has_the_same_lane_route_and_answer_and_asks_for_the_same_key(echo, keys, seed):
    chance = random.Random(seed)
    echo.gate.set()
    metrics = Metrics([], 0)
    with opened(echo, keys=keys, metrics=metrics) as server:
        for path, route, lane in (
            (b"/echo", "/echo", "quick"),
            (b"/echo?dear=true", "/echo", "heavy"),
            (b"/v1/apply-filters", "/v1/apply-filters", "heavy"),
        ):
            target = spelt(path, chance)
            assert statuses(server.send(post(b"", target))) == [401], target
            assert statuses(server.send(post(b"", target, KEY))) == [200], target
            assert ("heavy" in echo.threads[-1]) == (lane == "heavy"), target
            assert f'http_route="{route}"' in metrics.page().decode()
        probe = b"GET " + spelt(b"/healthz", chance) + b" HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
        assert statuses(server.send(probe)) == [200], probe
    assert "unmatched" not in re.findall(r'http_route="[^"]*",[^}]*status_code="200"', metrics.page().decode())


def test_an_encoded_slash_separates_nothing_and_no_spelling_leads_around_the_key(echo, keys):
    with opened(echo, keys=keys) as server:
        for path in (b"/v1%2fapply-filters", b"/v1%2Fapply-filters", b"/%2fecho", b"/healthz%2f", b"/ech%256f"):
            assert statuses(server.send(post(b"", path, KEY))) == [404], path
        for path in (b"//healthz/../echo", b"/web/../echo", b"/web/%2e%2e/echo", b"/docs/..%2fecho", b"/healthz;/echo"):
            assert statuses(server.send(post(b"", path)))[0] in {401, 404}, path
    assert echo.threads == []


def test_pages_of_named_origins_may_call_and_read_refusals(echo, keys):
    origin = b"Origin: https://pages.example"
    asks = b"Access-Control-Request-Method: POST\r\nAccess-Control-Request-Headers: authorization"
    with opened(echo, keys=keys, cors=Cors(["https://pages.example"])) as server:
        preflight = server.send(
            b"OPTIONS /echo HTTP/1.1\r\nHost: x\r\nConnection: close\r\n" + origin + b"\r\n" + asks + b"\r\n\r\n"
        )
        called, refused = server.send(post(b"", b"/echo", KEY, origin)), server.send(post(b"", b"/echo", origin))
        other = server.send(post(b"", b"/echo", KEY, b"Origin: https://evil.example"))
        none = server.send(post(b"", b"/echo", KEY))
    assert statuses(preflight) == [204]
    assert head_of(preflight)["access-control-allow-origin"] == "https://pages.example"
    assert "content-length" not in head_of(preflight)
    assert statuses(called) + statuses(refused) == [200, 401]
    for answer in (called, refused):
        assert head_of(answer)["access-control-allow-origin"] == "https://pages.example"
    for answer in (other, none):
        assert "access-control-allow-origin" not in head_of(answer)
        assert head_of(answer)["vary"] == "Origin"


def test_an_access_line_tells_of_a_request_and_nothing_of_its_key(echo, keys, caplog):
    trace = b"traceparent: 00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
    logging.getLogger(ACCESS).propagate = True
    with caplog.at_level("INFO", ACCESS), opened(echo, Settings(access_log=True), keys=keys) as server:
        server.send(post(b"hello", b"/echo?secret=1", KEY, trace))
    (line,) = [orjson.loads(record.message) for record in caplog.records if record.name == ACCESS]
    assert (line["method"], line["path"], line["route"], line["status"]) == ("POST", "/echo", "/echo", 200)
    assert line["trace_id"] == "4bf92f3577b34da6a3ce929d0e0e4736"
    assert "0123456789abcdef" not in caplog.text
    assert "secret" not in caplog.text


def left_to_the_collector(call):
    """What `call`, made a few times, leaves in cycles of references, by the names of its types."""
    call()
    gc.collect()
    gc.disable()
    try:
        for _ in range(3):
            call()
        time.sleep(0.1)
        gc.set_debug(gc.DEBUG_SAVEALL)
        gc.collect()
        return {type(thing).__name__ for thing in gc.garbage}
    finally:
        gc.set_debug(0)
        gc.garbage.clear()
        gc.enable()


OF_A_REQUEST = {"Future", "Answer", "Request", "DoorRequest", "Record", "Response", "Connection", "ndarray", "Image"}


@pytest.mark.parametrize(
    ("path", "body"),
    [
        (b"/v1/apply-filters?filters=[{%22preset%22:%22sobel_x%22}]", PICTURE),
        (b"/v1/apply-filters?filters=[{%22preset%22:%22none%22}]", PICTURE),
        (b"/v1/apply-filters?format=png&filters=[{%22weights%22:[[NaN]]}]", PICTURE),
        (b"/v1/classify", PICTURE),
        (b"/v1/classify", b"no picture"),
        (b"/v1/classify", PICTURE[:100]),
        (b"/v1/classify?model=none", PICTURE),
        (b"/v1/classify", b'{"images": [[[0, 0]], [[0, 0]], [[1, "a"]]]}'),
        (b"/v1/feature-maps?format=npz", PICTURE),
        (b"/v1/explain?method=occlusion", PICTURE),
        (b"/v1/patches?format=png", PICTURE),
        (
            b"/v2/models/digits/infer",
            b'{"inputs": [{"name": "image", "datatype": "BYTES", "shape": [1], "data": ["x"]}]}',
        ),
        (b"/v1/models", PICTURE),
        (b"/nowhere", PICTURE),
    ],
)
def test_a_request_is_let_go_as_soon_as_it_is_answered(served, path, body):
    """Without the cyclic collector: what only it would find is memory kept until it comes."""
    kind = [b"Content-Type: application/json"] if body[:1] == b"{" else []
    assert not left_to_the_collector(lambda: served.send(post(body, path, *kind))) & OF_A_REQUEST


def test_hooks_that_would_be_left_out_are_refused(echo):
    echo.before_request(lambda: None)
    with pytest.raises(AssertionError):
        echo.enter_thread()


@pytest.mark.parametrize("name", [name.decode() for name in PARSED])
def test_a_header_that_would_be_taken_apart_is_no_longer_than_that_costs(served, name):
    """In one line or in many: they are joined before they are taken apart."""
    for lines in ([f"{name}: a/b{' ' * 60_000}x"], [f"{name}: a/b{' ' * 1000}x"] * 4):
        received = served.send(post(PICTURE, b"/v1/classify", *[line.encode() for line in lines]))
        assert statuses(received) == [431]
        assert f"the header {name} may have 2048 bytes".encode() in received


# --- work that is stopped ---------------------------------------------------------------------------------------------


@pytest.fixture
def steps():
    """An application with one dear call, which takes 100 steps and notes each; and how many began."""
    app = Service("steps", static_folder=None)
    app.begun, app.done = [], []

    @app.post("/dear")
    def dear():
        charge("filter", 2 * QUICK_UNITS)
        app.begun.append(request.query_string)
        for step in range(100):
            go_on()
            time.sleep(0.01)
            app.done.append(step)
        return {}

    return app


def until(is_so, seconds=5):
    deadline = time.monotonic() + seconds
    while not is_so() and time.monotonic() < deadline:
        time.sleep(0.01)
    return is_so()


@pytest.mark.parametrize("leave", [socket.SHUT_RDWR, socket.SHUT_WR, None])
def test_a_call_whose_client_leaves_ends_and_one_that_waits_never_begins(steps, leave):
    with opened(steps, Settings(heavy_threads=1)) as server:
        first, second = server.connect(), server.connect()
        first.sendall(post(b"", b"/dear?1"))
        assert until(lambda: steps.done)
        second.sendall(post(b"", b"/dear?2"))
        assert until(lambda: server.door._heavy_in_flight == 2)
        for raw in (second, first):
            if leave is None:
                raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")  # a reset
                raw.close()
            else:
                raw.shutdown(leave)
        assert until(lambda: server.door._heavy_in_flight == 0)
        assert steps.begun == [b"1"]
        assert len(steps.done) < 100
        assert statuses(server.send(post(b"", b"/dear?3"))) == [200]
    assert steps.begun == [b"1", b"3"]
