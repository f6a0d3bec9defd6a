"""Answers in gzip: who takes them, which are, and what they say of themselves."""

import gzip
import random
import threading
import zlib

import pytest
from flask import Response, request, send_file
from werkzeug.test import Client

from service.api.http.application import Service
from service.api.http.caching import revalidated
from service.app import create_app, create_door
from service.door import coding
from service.door.coding import GZIP, LEAST_BYTES, MOST_KEPT_BYTES, Coder, compressed, takes_gzip
from service.lab.prices import Account, Ended
from service.server.connection import Answer, Request
from service.settings import Limits, Settings
from tests.doors import opened, post
from tests.drawing import draw, encode

LONG = "0123456789abcdef" * (LEAST_BYTES // 16)


@pytest.mark.parametrize(
    ("header", "takes"),
    [
        ("gzip", True), ("GZIP", True), ("x-gzip", True), ("deflate, gzip;q=1.0, *;q=0.5", True), ("*", True),
        ("gzip;q=0.001", True), ("br;q=1, gzip ; q=0.2", True), ("gzip, identity", True), ("*;q=0, gzip", True),
        ("", False), ("identity", False), ("br", False), ("gzip;q=0", False), ("gzip;q=0.000", False),
        ("gzip;q=0, *", False), ("*;q=0", False), ("identity, gzip;q=0.5", False), ("gzip;q=-1", False),
        ("gzip;q=nan", False), ("gzip;q=", False), ("gzip;q=2", False), ("notgzip", False), ("gzip;level=9", False),
    ],
)  # fmt: skip
def test_who_takes_gzip(header, takes):
    assert takes_gzip(header.encode()) is takes


# --- behind the server ------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    """Texts of many lengths, one that stays the same, one that parts are asked of, and one that is dear."""
    app = Service("texts", static_folder=None)
    file = tmp_path_factory.mktemp("files") / "long.txt"
    file.write_text(LONG * 9, encoding="ascii")

    @app.get("/text/<int:size>")
    def text(size):
        return Response((LONG * 9)[:size], mimetype=request.args.get("kind", "text/plain"))

    @app.get("/same")
    def same():
        return revalidated(Response(LONG, mimetype="application/json"))

    @app.get("/file")
    def parts():
        return send_file(file, conditional=True)

    with opened(app, Settings(), keep_alive=5) as server:
        yield server


def ask(server, path, *lines, method="GET"):
    """(status, headers, body) of one request, headers in small letters."""
    head = [f"{method} {path} HTTP/1.1", "Host: x", "Connection: close", *lines, "", ""]
    received = server.send("\r\n".join(head).encode())
    head, _, body = received.partition(b"\r\n\r\n")
    status, *lines = head.decode().split("\r\n")
    headers = {}
    for line in lines:
        name, _, value = line.partition(": ")
        headers[name.lower()] = f"{headers[name.lower()]}, {value}" if name.lower() in headers else value
    return int(status.split()[1]), headers, body


@pytest.mark.parametrize("size", [0, 1, LEAST_BYTES - 1, LEAST_BYTES, LEAST_BYTES + 1, 9 * LEAST_BYTES])
def test_large_answers_are_sent_in_gzip_to_who_asks_and_small_ones_never(server, size):
    status, headers, plain = ask(server, f"/text/{size}")
    _, coded, body = ask(server, f"/text/{size}", "Accept-Encoding: gzip")
    assert (status, len(plain), headers["content-length"]) == (200, size, str(size))
    assert "content-encoding" not in headers
    if size < LEAST_BYTES:
        assert body == plain
        assert "vary" not in headers
        assert "content-encoding" not in coded
    else:
        assert gzip.decompress(body) == plain
        assert (coded["content-encoding"], coded["content-length"]) == ("gzip", str(len(body)))
        assert headers["vary"] == coded["vary"] == "Accept-Encoding"
    head, as_head, nothing = ask(server, f"/text/{size}", "Accept-Encoding: gzip", method="HEAD")
    assert (head, nothing, as_head["content-length"]) == (200, b"", coded["content-length"])


@pytest.mark.parametrize("kind", ["image/png", "application/octet-stream", "application/zip", "video/webm"])
def test_what_does_not_shrink_is_sent_as_it_is(server, kind):
    _, headers, body = ask(server, f"/text/{LEAST_BYTES}?kind={kind}", "Accept-Encoding: gzip")
    assert "content-encoding" not in headers
    assert "vary" not in headers
    assert body == LONG.encode()


def test_each_form_has_a_tag_of_its_own_and_either_is_answered_304(server):
    gzipped = "Accept-Encoding: gzip"
    _, plain, _ = ask(server, "/same")
    _, coded, body = ask(server, "/same", gzipped)
    assert coded["etag"] == plain["etag"][:-1] + '-gzip"'
    assert gzip.decompress(body) == LONG.encode()
    for sent, lines, told in (
        (plain["etag"], [], plain["etag"]),
        (coded["etag"], [gzipped], coded["etag"]),
        (f'"x", W/{coded["etag"]}', [gzipped], coded["etag"]),
        (plain["etag"], [gzipped], plain["etag"]),
        ("*", [gzipped], plain["etag"]),
    ):
        for method in ("GET", "HEAD"):
            status, headers, body = ask(server, "/same", f"If-None-Match: {sent}", *lines, method=method)
            assert (status, headers["etag"], body) == (304, told, b"")
    # What is kept in gzip is of no use to who does not take it; what is no tag of ours is of none to anyone.
    for sent, lines in ((coded["etag"], []), ('"x-gzip"', [gzipped]), ('"-gzip"', [gzipped])):
        assert ask(server, "/same", f"If-None-Match: {sent}", *lines)[0] == 200


def test_a_304_varies_by_all_that_the_answer_it_stands_for_does():
    """A cache takes over the headers of a 304: without Accept-Encoding it would send what it has in gzip to anyone."""
    client = Client(create_door(Settings()))
    rules = [rule for rule in create_app().url_map.iter_rules() if not rule.arguments]
    paths = sorted(str(rule) for rule in rules if "GET" in rule.methods)
    unchanging = 0
    for path in paths:
        for accepted in ("gzip", "identity"):
            whole = client.get(path, headers={"Accept-Encoding": accepted})
            tag = whole.headers.get("ETag")
            if whole.status_code != 200 or tag is None:
                continue
            unchanging += 1
            short = client.get(path, headers={"Accept-Encoding": accepted, "If-None-Match": tag})
            assert short.status_code == 304
            varies, told = (", ".join(each.headers.getlist("Vary")).split(", ") for each in (whole, short))
            assert set(varies) <= set(told), path
            assert short.headers["Cache-Control"] == whole.headers["Cache-Control"]
    assert unchanging > 8


def test_what_stays_the_same_is_compressed_once(server, monkeypatch):
    ask(server, "/same", "Accept-Encoding: gzip")
    monkeypatch.setattr(coding, "compressed", None)
    status, headers, body = ask(server, "/same", "Accept-Encoding: gzip")
    assert (status, headers["content-encoding"]) == (200, "gzip")
    assert gzip.decompress(body) == LONG.encode()


def test_parts_are_of_the_answer_as_it_is(server):
    gzipped = "Accept-Encoding: gzip"
    status, headers, body = ask(server, "/file", gzipped, "Range: bytes=2-99999")
    assert (status, headers["content-range"]) == (206, f"bytes 2-99999/{9 * len(LONG)}")
    assert body == (LONG * 9)[2:100_000].encode()
    assert "content-encoding" not in headers
    status, headers, body = ask(server, "/file", gzipped)
    assert gzip.decompress(body) == LONG.encode() * 9
    assert "accept-ranges" not in headers
    status, _, body = ask(server, "/file", gzipped, "Range: bytes=2-9", f"If-Range: {headers['etag']}")
    assert (status, gzip.decompress(body)) == (200, LONG.encode() * 9)


def test_compressing_is_done_on_a_thread_of_its_own(server, monkeypatch):
    names = []

    def noted(*given):
        names.append(threading.current_thread().name)
        return compressed(*given)

    monkeypatch.setattr(coding, "compressed", noted)
    ask(server, f"/text/{LEAST_BYTES}", "Accept-Encoding: gzip")
    assert [name.partition("_")[0] for name in names] == ["coding"]


def test_an_answer_for_which_there_is_no_room_while_it_is_compressed_is_sent_as_it_is(server, monkeypatch):
    path = f"/text/{LEAST_BYTES}"
    asked = []
    monkeypatch.setattr(server.door, "hold", lambda count: asked.append(count) or count < 0)
    _, headers, body = ask(server, path, "Accept-Encoding: gzip")
    assert ("content-encoding" in headers, len(body), asked) == (False, LEAST_BYTES, [LEAST_BYTES])
    monkeypatch.setattr(server.door, "hold", lambda count: asked.append(count) or True)
    _, headers, _ = ask(server, path, "Accept-Encoding: gzip")
    assert headers["content-encoding"] == "gzip"
    assert asked[1:] == [LEAST_BYTES, -LEAST_BYTES]


def test_the_maps_of_a_digit_take_a_third_of_their_bytes_and_are_priced_for_it():
    picture = encode(draw(3, 280))
    with opened(create_app(Settings())) as server:
        head = b"Content-Type: image/png"
        plain = server.send(post(picture, b"/v1/feature-maps", head))
        coded = server.send(post(picture, b"/v1/feature-maps", head, b"Accept-Encoding: gzip"))
    heads, bodies = zip(*(each.split(b"\r\n\r\n", 1) for each in (plain, coded)), strict=True)
    assert gzip.decompress(bodies[1]) == bodies[0]
    assert len(bodies[1]) < len(bodies[0]) / 3
    prices = [int(head.partition(b'desc="')[2].split()[0]) for head in heads]
    assert prices[0] < prices[1] < 2 * prices[0] + 5000


def test_nothing_is_said_of_gzip_where_an_answer_is_refused(server):
    status, headers, _ = ask(server, "/nowhere", "Accept-Encoding: gzip")
    assert status == 404
    assert "vary" not in headers


# --- what it may cost -------------------------------------------------------------------------------------------------


def made(body, *lines):
    return Answer(200, b"".join(line + b"\r\n" for line in (b"Content-Type: text/plain", *lines)), (body,))


def wanting(path=b"/a"):
    return Request("GET", path, [(b"Accept-Encoding", b"gzip")], "1.1")


def test_who_may_spend_no_more_gets_the_answer_as_it_is():
    body = LONG.encode() * 64
    for limits, is_coded in (
        (Limits(), True),
        (Limits(max_work_units=5000), False),
        (Limits(max_request_bytes=10**6), False),
    ):
        account = Account(limits)
        work = account.work
        answer = Coder().in_full(wanting(), made(body), account)
        assert (b"Content-Encoding: gzip" in answer.head) is is_coded
        assert (account.work > work) is is_coded
        assert zlib.decompress(b"".join(answer.body), GZIP) == body if is_coded else answer.body == (body,)


def test_compressing_ends_when_the_client_has_left():
    pieces = []

    def go_on():
        pieces.append(1)
        if len(pieces) > 2:
            raise Ended

    answer = Coder().in_full(wanting(), made(LONG.encode() * 640), Account(Limits()), go_on)
    assert len(pieces) == 3
    assert b"Content-Encoding" not in answer.head


def test_what_is_kept_is_bounded():
    coder, body = Coder(), random.Random(0).randbytes(MOST_KEPT_BYTES // 8)
    for number in range(12):
        coder.in_full(wanting(b"/%d" % number), made(body, b'ETag: "a"'), Account(Limits()))
        assert 0 < coder._bytes <= MOST_KEPT_BYTES
    assert coder._bytes == sum(sum(map(len, parts)) for parts in coder._kept.values())
    assert (b"/11", b'"a') in coder._kept
    assert (b"/0", b'"a') not in coder._kept
