"""Pages of other origins: named ones, exactly, and no one else."""

import pytest

from service.cors import EXPOSED, BadOrigin, Cors

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
