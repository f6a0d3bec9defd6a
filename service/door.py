"""
The door: gunicorn's asgi worker in front, Flask behind.

It counts a body while it arrives and refuses it at the limit, drops a peer that leaves or stalls, and picks the lane:
a quick call runs at once on the event loop, a heavy one in a small bounded pool of threads, so that it holds up no
probe and no quick call. When the pool is full a heavy call is answered 503 before Flask is entered. Flask itself stays
a plain WSGI application, which its test client can drive.
"""

import asyncio
import contextlib
import io
import sys
from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from flask import Flask, Response

from service.api.errors import answer, problem
from service.api.reading import BODY
from service.core.errors import Busy, ServiceError, TooLarge
from service.settings import Settings

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Environ = dict[str, Any]
Answer = tuple[int, list[tuple[bytes, bytes]], bytes]

# Calls whose cost grows with what the caller asks for, not only with the bytes sent.
HEAVY_PATHS = frozenset({"/v1/apply-filters", "/v1/explain", "/v1/patches"})
# An option that makes a quick call a heavy one: the cards of a whole layer take a second.
HEAVY_OPTIONS = (b"card=",)

# How long a refused body is read on, and thrown away, so that its sender gets to see the answer.
LINGER_SECONDS = 1.0


class Gone(Exception):
    """The peer left before its request was complete."""


class Stalled(Exception):
    """The body did not arrive in time."""


class Door:
    """An ASGI application around a Flask application."""

    def __init__(self, app: Flask, settings: Settings) -> None:
        self._app = app
        self._settings = settings
        self._threads = ThreadPoolExecutor(settings.heavy_threads, thread_name_prefix="heavy")
        self._heavy_in_flight = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection's next request, or the worker's start and stop."""
        if scope["type"] == "lifespan":
            await self._live(receive, send)
        elif scope["type"] == "http":
            await self._serve(scope, receive, send)

    async def _live(self, receive: Receive, send: Send) -> None:
        await receive()
        await send({"type": "lifespan.startup.complete"})
        await receive()
        self._threads.shutdown(wait=False, cancel_futures=True)
        await send({"type": "lifespan.shutdown.complete"})

    async def _serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        is_unread = False
        try:
            body = await self._read_body(scope, receive)
            status, headers, content = await self._answer(scope, body)
        except Gone:
            return
        except Stalled:
            seconds = self._settings.body_timeout_seconds
            detail = f"the body must be complete within {seconds:g} seconds, it was not"
            status, headers, content = _write(problem(408, "Request Timeout", detail, path=scope["path"]), close=True)
        except ServiceError as error:
            is_unread = isinstance(error, TooLarge)
            status, headers, content = _write(answer(error, scope["path"]), close=is_unread)
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": content})
        if is_unread:
            await _discard(receive)

    async def _read_body(self, scope: Scope, receive: Receive) -> bytes:
        limit = self._settings.max_body_bytes
        has_body = False
        for name, value in scope["headers"]:
            if name == b"content-length":
                has_body = True
                if int(value) > limit:
                    raise TooLarge(f"a request body may have {limit} bytes, this has {int(value)}")
            elif name == b"transfer-encoding":
                has_body = True
        if not has_body:
            return b""
        try:
            async with asyncio.timeout(self._settings.body_timeout_seconds):
                return await _collect(receive, limit)
        except TimeoutError:
            raise Stalled from None

    async def _answer(self, scope: Scope, body: bytes) -> Answer:
        environ = _environ(scope, body)
        if not self._is_heavy(scope, body):
            return call(self._app, environ)
        if self._heavy_in_flight >= self._settings.heavy_threads + self._settings.heavy_waiting:
            raise Busy("as many heavy calls as there is room for are being worked on")
        self._heavy_in_flight += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(self._threads, call, self._app, environ)
        finally:
            self._heavy_in_flight -= 1

    def _is_heavy(self, scope: Scope, body: bytes) -> bool:
        if scope["path"] in HEAVY_PATHS or len(body) > self._settings.quick_body_bytes:
            return True
        if any(option in scope["query_string"] for option in HEAVY_OPTIONS):
            return True
        # A small packed body may hold a large one.
        return any(name == b"content-encoding" for name, _ in scope["headers"])


def _write(response: Response, *, close: bool) -> Answer:
    headers = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in response.headers]
    # What is still on its way would be read as the next request, so the connection ends here.
    if close:
        headers.append((b"Connection", b"close"))
    return response.status_code, headers, response.get_data()


async def _discard(receive: Receive) -> None:
    """Read on for a while: a connection closed on bytes that are still coming takes the answer with it."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(LINGER_SECONDS):
            while (message := await receive())["type"] == "http.request" and message.get("more_body", False):
                pass


async def _collect(receive: Receive, limit: int) -> bytes:
    chunks, size, more = [], 0, True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise Gone
        chunk, more = message.get("body", b""), message.get("more_body", False)
        size += len(chunk)
        if size > limit:
            raise TooLarge(f"a request body may have {limit} bytes, this has more")
        chunks.append(chunk)
    return chunks[0] if len(chunks) == 1 else b"".join(chunks)


def _environ(scope: Scope, body: bytes) -> Environ:
    """The WSGI form (PEP 3333) of an ASGI request whose body is here."""
    server, client = scope.get("server") or ("", 0), scope.get("client") or ("", 0)
    environ: Environ = {
        "REQUEST_METHOD": scope["method"],
        "SCRIPT_NAME": "",
        "PATH_INFO": scope["path"].encode("utf-8", "surrogateescape").decode("latin-1"),
        "QUERY_STRING": scope["query_string"].decode("latin-1"),
        "SERVER_NAME": str(server[0]),
        "SERVER_PORT": str(server[1]),
        "SERVER_PROTOCOL": f"HTTP/{scope['http_version']}",
        "REMOTE_ADDR": str(client[0]),
        "CONTENT_LENGTH": str(len(body)),
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": scope.get("scheme", "http"),
        "wsgi.input": io.BytesIO(body),
        BODY: body,
        "wsgi.input_terminated": True,
        "wsgi.errors": sys.stderr,
        "wsgi.multithread": True,
        "wsgi.multiprocess": True,
        "wsgi.run_once": False,
    }
    for raw_name, raw_value in scope["headers"]:
        name, value = raw_name.decode("latin-1").upper().replace("-", "_"), raw_value.decode("latin-1")
        if name == "CONTENT_TYPE":
            environ[name] = value
        elif name not in {"CONTENT_LENGTH", "TRANSFER_ENCODING"}:
            key = f"HTTP_{name}"
            environ[key] = f"{environ[key]},{value}" if key in environ else value
    return environ


def call(app: Flask, environ: Environ) -> Answer:
    """Run a WSGI application once and collect its answer."""
    start: list[Any] = []

    def start_response(status: str, headers: list[tuple[str, str]], _exc_info: Any = None) -> Callable[[bytes], object]:
        start[:] = status, headers
        return _write_is_not_used

    chunks: Iterable[bytes] = app.wsgi_app(environ, start_response)
    try:
        content = b"".join(chunks)
    finally:
        close = getattr(chunks, "close", None)
        if close is not None:
            close()
    status, headers = start
    return (
        int(status[:3]),
        [(name.encode("latin-1"), value.encode("latin-1")) for name, value in headers],
        content,
    )


def _write_is_not_used(_: bytes) -> None:
    raise NotImplementedError("Flask answers by iterable")
