"""Pages of other origins: named ones, exactly, and no one else."""

import base64

import pytest

from service.door.cors import EXPOSED, BadOrigin, Cors
from tests.api.contract import DOCUMENT
from tests.api.examples import walk
from tests.doors import opened
from tests.drawing import draw, encode

ORIGIN = b"https://pages.example"


def test_off_nothing_is_said_of_origins():
    cors = Cors.parse("")
    assert not cors
    assert cors.headers(ORIGIN) == cors.headers(None) == b""
    assert cors.preflight(ORIGIN, b"POST", None) is None


def test_a_named_origin_may_read_our_headers():
    cors = Cors.parse("https://pages.example,http://localhost:3000")
    lines = cors.headers(ORIGIN).decode().split("\r\n")
    assert lines == [
        "Access-Control-Allow-Origin: https://pages.example",
        f"Access-Control-Expose-Headers: {', '.join(EXPOSED)}",
        "Vary: Origin",
        "",
    ]
    assert {"X-Request-ID", "Server-Timing", "Retry-After"} <= set(EXPOSED)


@pytest.mark.parametrize(
    "origin",
    [b"null", b"https://pages.example.evil", b"https://PAGES.example", b"http://pages.example", b"*", b"",
     b"https://pages.example:443", b"https://sub.pages.example", b"https://pages.example\r\nX: y"],
)  # fmt: skip
def test_another_origin_gets_no_more_than_what_tells_caches_so(origin):
    cors = Cors.parse("https://pages.example")
    assert cors.headers(origin) == cors.headers(None) == b"Vary: Origin\r\n"
    assert cors.preflight(origin, b"POST", None) is None


def test_a_preflight_is_answered_for_what_the_service_takes():
    answer = dict(Cors([ORIGIN.decode()]).preflight(ORIGIN, b"POST", b"content-type,  AUTHORIZATION") or ())
    assert answer["Access-Control-Allow-Origin"] == "https://pages.example"
    assert "POST" in answer["Access-Control-Allow-Methods"]
    assert "Authorization" in answer["Access-Control-Allow-Headers"]
    assert "Access-Control-Allow-Credentials" not in answer


@pytest.mark.parametrize(
    ("method", "headers"), [(b"DELETE", None), (b"post", None), (b"POST", b"content-type, x-other"), (b"", b"")]
)
def test_a_preflight_for_anything_else_is_not(method, headers):
    assert Cors([ORIGIN.decode()]).preflight(ORIGIN, method, headers) is None


@pytest.mark.parametrize(
    "origin",
    ["*", "null", "pages.example", "https://pages.example/", "https://pages.example/path", "https://u@pages.example",
     "https://Pages.example", "ftp://pages.example", "https://pages.example:443", "http://pages.example:80",
     "https://*.example", "https://", "https://a:b", "https://a:99999", "https://[::1", "https://é.example",
     "https://a b", "https://a?b", "https://a#b"],
)  # fmt: skip
def test_what_no_browser_sends_is_refused_at_the_start(origin):
    with pytest.raises(BadOrigin):
        Cors([origin])


@pytest.mark.parametrize(
    "origin", ["https://a.example", "http://localhost:3000", "http://[::1]:8080", "http://127.0.0.1"]
)
def test_what_browsers_send_is_taken(origin):
    assert Cors([origin]).headers(origin.encode())


# --- every header of every answer -------------------------------------------------------------------------------------

# What a page may read of every answer (the fetch standard's CORS-safelisted response headers).
SAFELISTED = {
    "cache-control",
    "content-language",
    "content-length",
    "content-type",
    "expires",
    "last-modified",
    "pragma",
}
# What is said to the browser, a cache or the connection, and not to a page.
NOT_FOR_PAGES = {
    "connection", "content-encoding", "content-security-policy", "date", "location", "permissions-policy",
    "referrer-policy", "vary", "x-content-type-options",
}  # fmt: skip
INFER = b'{"inputs": [{"name": "image", "datatype": "BYTES", "shape": [1], "data": ["%s"]}]%s}'
BINARY = b', "parameters": {"binary_data_output": true}'


def calls(app):
    """(method, path and query, body, headers): every route, in every format, refused in every way."""
    picture = encode(draw(7))
    for rule in app.url_map.iter_rules():
        path = rule.rule
        for place, value in PLACES.items():
            path = path.replace(place, value)
        assert "<" not in path, path
        for method in sorted((rule.methods or set()) | {"PUT"}):
            for query in ("", *(f"?format={form}" for form in ("json", "png", "npz", "gif")), "?card=true", "?none=1"):
                yield method, path + query, picture if method == "POST" else b"", []
    changes = "[{%22layer%22:%22conv1%22,%22filter%22:0,%22action%22:%22off%22}]"
    for form in ("json", "npz", "png"):
        yield "POST", f"/v1/feature-maps?changes={changes}&format={form}", picture, []
        yield "POST", f"/v1/what-if?changes={changes}&format={form}", picture, []
        yield "POST", f"/v1/apply-filters?filters=[{{%22preset%22:%22box%22}}]&format={form}", picture, []
    for more in (b"", BINARY):
        yield "POST", "/v2/models/digits/infer", INFER % (base64.b64encode(picture), more), []
    yield "GET", "/v1/limits", b"", [b"If-None-Match: *"]
    yield "GET", "/", b"", [b"Accept-Encoding: gzip"]
    yield "POST", "/v1/classify", b"hello", []
    yield "POST", "/v1/classify", b"", [b"Content-Length: 99999999999"]
    yield "GET", "/nowhere", b"", []
    yield "GET", "/v1/limits HTTP/9", b"", []


PLACES = {
    "<path:asset>": "start.js", "<path:name>": "playground.js", "<layer>": "conv1", "<version>": "1",
    "<int:index>": "0", "/v1/filters/<name>": "/v1/filters/sobel", "<name>": "digits",
}  # fmt: skip


def headers_of(received):
    """The status and the names of the headers of the first answer in what came back."""
    head, _, _ = received.partition(b"\r\n\r\n")
    first, *lines = head.split(b"\r\n")
    return int(first.split()[1]), {line.partition(b":")[0].decode().lower() for line in lines}


def test_a_page_may_read_every_header_that_any_answer_has(app):
    sent, statuses = set(), set()
    with opened(app, cors=Cors([ORIGIN.decode()])) as one:
        for method, target, body, headers in calls(app):
            lines = [
                f"{method} {target} HTTP/1.1".encode(),
                b"Host: x",
                b"Connection: close",
                b"Origin: " + ORIGIN,
                *headers,
            ]
            if not any(line.startswith(b"Content-Length") for line in headers):
                lines.append(b"Content-Length: %d" % len(body))
            status, names = headers_of(one.send(b"\r\n".join([*lines, b"", body])))
            statuses.add(status)
            sent |= names
    assert {200, 304, 400, 404, 405, 406, 413, 415, 422} <= statuses
    ours = {name for name in sent if not name.startswith("access-control-")} - SAFELISTED - NOT_FOR_PAGES
    assert ours <= {name.lower() for name in EXPOSED}
    # Those that only a busy service, one with keys, or one sent a coding it does not read sends.
    unseen = {name.lower() for name in EXPOSED} - ours
    assert unseen <= {"retry-after", "www-authenticate", "server-timing", "accept-encoding"}


def test_a_page_may_read_every_header_that_the_contract_declares():
    declared = {
        name.lower()
        for path, node in walk(DOCUMENT)
        if path and path[-1] == "headers" and path[-2:] != ("components", "headers") and isinstance(node, dict)
        for name in node
    }
    assert "x-filterscope-range" in declared
    assert declared - SAFELISTED - NOT_FOR_PAGES <= {name.lower() for name in EXPOSED}
