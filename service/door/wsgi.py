"""
Requests and answers in the form that Flask, and every WSGI server, knows them in (PEP 3333), and back.

The door hands a request of its own server to Flask as an environ. Under any other server it is given an environ, and
makes a request of it, so that both go the same way.
"""

import io
import sys
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any
from urllib.parse import quote_from_bytes

from service.api.http.application import JSON_HEADERS, InParts, Json, Reply
from service.api.http.codings import BODY
from service.core.errors import TooLarge, Unreadable
from service.server.connection import Answer, Request

Environ = dict[str, Any]

# The WSGI name of a header, None for one that is not passed on. A name with an underscore could pass for another; Proxy
# would become HTTP_PROXY, which programs take for a setting.
_NAMES: dict[bytes, str | None] = {}
_MAX_NAMES = 500
# What is the same in every environ.
_OF_ALL: Environ = {
    "SCRIPT_NAME": "",
    "SERVER_NAME": "",
    "SERVER_PORT": "0",
    "wsgi.version": (1, 0),
    "wsgi.url_scheme": "http",
    "wsgi.input_terminated": True,
    "wsgi.errors": sys.stderr,
    "wsgi.multithread": True,
    "wsgi.multiprocess": True,
    "wsgi.run_once": False,
}
_JSON_LINES = "".join(f"{name}: {value}\r\n" for name, value in JSON_HEADERS.items()).encode()


def _wsgi_name(name: bytes) -> str | None:
    text = name.decode("latin-1").upper().replace("-", "_")
    if b"_" in name or text in {"CONTENT_LENGTH", "TRANSFER_ENCODING", "PROXY"}:
        wsgi = None
    else:
        wsgi = text if text == "CONTENT_TYPE" else f"HTTP_{text}"
    if len(_NAMES) < _MAX_NAMES:
        _NAMES[name] = wsgi
    return wsgi


def environ_of(request: Request, path: str) -> Environ:
    """The WSGI form of a request; path: its own, as text."""
    body = request.body
    environ = {
        **_OF_ALL,
        "REQUEST_METHOD": request.method,
        "PATH_INFO": path,
        "QUERY_STRING": request.query.decode("latin-1"),
        "SERVER_PROTOCOL": f"HTTP/{request.version}",
        "REMOTE_ADDR": request.client,
        "CONTENT_LENGTH": str(len(body)),
        "wsgi.input": io.BytesIO(body),
        BODY: body,
    }
    for name, value in request.headers:
        key = _NAMES[name] if name in _NAMES else _wsgi_name(name)
        if key is not None:
            text = value.decode("latin-1")
            environ[key] = f"{environ[key]},{text}" if key in environ else text
    return environ


def request_of(environ: Mapping[str, Any]) -> Request:
    """
    The head of a request that another server took in; its body is still to be read (`read_body`).

    The target is read as it was sent where the server tells it: an encoded slash is no other slash.

    >>> request_of({"REQUEST_METHOD": "GET", "PATH_INFO": "//a b/", "QUERY_STRING": "c=1", "HTTP_X_Y": "z"}).path
    b'/a b'
    """
    target = "" if environ.get("SCRIPT_NAME") else environ.get("RAW_URI") or environ.get("REQUEST_URI") or ""
    if not target:
        target = quote_from_bytes(environ.get("PATH_INFO", "").encode("latin-1"), safe="/:@!$&'()*+,;=~")
        if query := environ.get("QUERY_STRING"):
            target += f"?{query}"
    headers = [
        (name.removeprefix("HTTP_").replace("_", "-").lower().encode("latin-1"), str(value).encode("latin-1"))
        for name, value in environ.items()
        if name.startswith("HTTP_") or (name in {"CONTENT_TYPE", "CONTENT_LENGTH"} and value)
    ]
    version = environ.get("SERVER_PROTOCOL", "HTTP/1.1").removeprefix("HTTP/")
    request = Request(environ["REQUEST_METHOD"], target.encode("latin-1"), headers, version)
    request.client = environ.get("REMOTE_ADDR") or ""
    return request


def read_body(environ: Mapping[str, Any], size: int | None, limit: int) -> bytes:
    """
    Read the body of a request that another server took in; raises TooLarge, and Unreadable for one cut short.

    size: in bytes as it was declared, None where it was not; limit: in bytes
    """
    stream = environ["wsgi.input"]
    if size is None:
        body: bytes = stream.read(limit + 1) if environ.get("wsgi.input_terminated") else b""
        if len(body) > limit:
            raise TooLarge(f"a request body may have {limit} bytes, this has more")
        return body
    body = stream.read(size) if size else b""
    if len(body) != size:
        raise Unreadable(f"the body was to have {size} bytes, it ended after {len(body)}")
    return body


def answer_of(response: Reply) -> Answer:
    """What Flask answered, as bytes."""
    if isinstance(response, Json):
        return Answer(200, b"%bContent-Length: %d\r\n" % (_JSON_LINES, len(response)), (response,))
    if isinstance(response, InParts):
        head = "".join([f"{name}: {value}\r\n" for name, value in response.headers.items()])
        return Answer(200, head.encode("latin-1"), response.body)
    status = response.status_code
    body = response.response
    if not isinstance(body, list | tuple):  # a file that is passed through
        body = list(response.iter_encoded())
        response.close()
    # The server gives every answer its Date; Flask gives it to some.
    lines = [f"{name}: {value}\r\n" for name, value in response.headers if name != "Date"]
    if status in {204, 304}:
        body = ()
    elif "Content-Length" not in response.headers:
        lines.append(f"Content-Length: {sum(map(len, body))}\r\n")
    return Answer(status, "".join(lines).encode("latin-1"), body)


def start_of(answer: Answer) -> tuple[str, list[tuple[str, str]]]:
    r"""
    What WSGI's `start_response` takes: the status line and the headers.

    >>> start_of(Answer(200, b"A: b\r\nC: d: e\r\n", ()))
    ('200 OK', [('A', 'b'), ('C', 'd: e')])
    """
    lines = answer.head.decode("latin-1").split("\r\n")
    headers = [(name, value) for name, _, value in (line.partition(": ") for line in lines if line)]
    return f"{answer.status} {HTTPStatus(answer.status).phrase}", headers
