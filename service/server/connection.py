"""
One connection: bytes in, requests handed on, answers out, in order.

    bytes -> Connection (httptools) -> Request -> handler.admit, handler.respond -> Answer -> bytes

What a peer can make a worker hold is bounded: the head of a request, its body, the requests sent ahead of their
answers, and the time each of them may take.
"""

import asyncio
import contextlib
import fcntl
import re
import select
import sys
import termios
import time
from collections import deque
from collections.abc import Sequence
from http import HTTPStatus
from typing import NamedTuple, Protocol, cast
from urllib.parse import unquote_to_bytes

import httptools

MAX_HEAD_BYTES = 65536  # of the request line and headers; also of anything else that brings no byte of a body nearer
MAX_HEADERS = 100
MAX_AHEAD = 100  # requests that a client may send on one connection before it has their answers
LINGER_SECONDS = 1.0  # how long a refused body is read on, and thrown away, so that its sender gets to see the answer
# A peer may take this long to take in an answer for each byte of it, beside the time it has for a body. A phone on a
# bad line takes in more; one that takes less holds memory that others need.
SECONDS_PER_BYTE = 1 / 50_000
SMALL_BODY_BYTES = 65536  # up to here one buffer for head and body is cheaper than two
HEAD_TOO_LONG = f"the head of a request may have {MAX_HEAD_BYTES} bytes, this has more"
STATUS_LINES = {status.value: f"HTTP/1.1 {status.value} {status.phrase}\r\n".encode() for status in HTTPStatus}
# Elsewhere than on Linux a peer that closes one side alone is not noticed.
CLOSED_BY_PEER = getattr(select, "POLLRDHUP", 0)
CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"
Buffer = bytes | memoryview


class Answer(NamedTuple):
    """An answer: `head` is its headers as lines, Content-Length among them; `body` is sent as it is, in parts."""

    status: int
    head: bytes
    body: Sequence[Buffer]


class Request:
    """
    One request.

    path: of the target, in its one canonical form; query: as it was sent; headers: names as they were sent
    head_bytes: how long the head is; hosts: how many headers of that name it has
    size: of the body in bytes, None when it is not known beforehand; most: bytes that its body may have
    held: bytes that room was made for; client: the peer's address
    started: of time.perf_counter(), when the head was complete

    >>> request = Request("GET", b"/a%20b?c=%20", [(b"Accept", b"a/b"), (b"accept", b"c/d")], "1.1")
    >>> request.path, request.query, request.header(b"accept"), request.header(b"host")
    (b'/a b', b'c=%20', b'a/b', None)
    >>> Request("GET", b"http://host/a", [], "1.1").path
    b'/a'
    """

    __slots__ = (
        *("body", "client", "head_bytes", "headers", "held", "keep_alive", "method", "most", "path", "query"),
        *("hosts", "size", "started", "version", "_first"),
    )

    def __init__(self, method: str, target: bytes, headers: list[tuple[bytes, bytes]], version: str) -> None:
        self.method = method
        self.path, self.query = _split(target)
        self.headers = headers
        self.version = version
        self.keep_alive = True
        self.client = ""
        self.body = b""
        self.held = 0
        self.most = 0
        self.started = time.perf_counter()
        head_bytes, first = len(target), dict[bytes, bytes]()
        names = [name.lower() for name, _ in headers]
        self.hosts = names.count(b"host")
        for name, (_, value) in zip(names, headers, strict=True):
            head_bytes += len(name) + len(value) + 4
            first.setdefault(name, value)
        self.head_bytes = head_bytes
        self._first = first
        size = first.get(b"content-length")
        self.size = None if size is None else int(size)

    def header(self, name: bytes) -> bytes | None:
        """The first header of that name, given in small letters."""
        return self._first.get(name)


_SLASHES = re.compile(rb"/+")
_ENCODED_SLASH = re.compile(rb"%2f", re.IGNORECASE)


def canonical_path(path: bytes) -> bytes:
    """
    One form for all spellings of a path, for whoever looks at it: keys, lanes, routes, counts.

    Percent signs are undone but for an encoded slash, which separates nothing (RFC 3986, section 2.2), so that no route
    has it; a row of slashes is one; a slash at the end says nothing.

    >>> canonical_path(b"//v1/%63lassify/"), canonical_path(b"/v1%2fclassify"), canonical_path(b"//")
    (b'/v1/classify', b'/v1%2Fclassify', b'/')
    """
    if b"%" in path:
        path = b"%2F".join([unquote_to_bytes(part) for part in _ENCODED_SLASH.split(path)])
    if b"//" in path or path[:1] != b"/":
        path = _SLASHES.sub(b"/", b"/" + path)
    return path if path[-1:] != b"/" else path[:-1] or b"/"


def _split(target: bytes) -> tuple[bytes, bytes]:
    path, _, query = target.partition(b"?")
    if not path.startswith(b"/"):  # a proxy is sent the whole address, OPTIONS may ask about *
        _, scheme, rest = path.partition(b"://")
        path = b"/" + rest.partition(b"/")[2] if scheme else path
    return canonical_path(path), query.partition(b"#")[0]


def _framing_fault(request: Request) -> tuple[int, str] | None:
    """What RFC 9112 has refused although the parser takes it: (status, detail), or None."""
    if request.version not in {"1.1", "1.0", "0.9"}:
        return 505, f"versions 1.1 and 1.0 of HTTP are spoken here, got {request.version[:8]}"
    if request.hosts > 1 or (not request.hosts and request.version == "1.1"):
        return 400, f"a request has one Host, this has {request.hosts}"
    coding = request.header(b"transfer-encoding")
    if coding is not None:
        if request.version == "1.0":
            return 400, "a request of HTTP/1.0 has no Transfer-Encoding"
        if coding.strip().lower() != b"chunked":
            return 501, f"the one Transfer-Encoding that is read here is chunked, got {coding[:40]!r}"
    return None


class Handler(Protocol):
    """What answers requests: the door."""

    def admit(self, request: Request) -> Answer | None:
        """Refuse a request by its head alone, before its body is read; None lets it in, and `request.most` is set."""

    def respond(self, request: Request, connection: "Connection") -> None:
        """Answer a whole request by one call of `connection.answer`, now or later, on the event loop."""

    def refuse(self, request: Request | None, status: int, detail: str) -> Answer:
        """The answer to what the protocol does not allow; `request` as far as it was understood."""

    def hold(self, count: int) -> bool:
        """Make room for bytes of a body (or give it back, when negative); False when there is none."""


class Times(NamedTuple):
    """How long a peer may take, in seconds: between two requests, for a head, for a body, to take in an answer."""

    keep_alive: float
    head: float
    body: float


class Owner(Protocol):
    """What a connection belongs to, the server that accepted it; now: of its loop, in seconds; date: a header."""

    handler: Handler
    loop: asyncio.AbstractEventLoop
    now: float
    date: bytes
    is_stopping: bool
    slow: set["Connection"]

    def joined(self, connection: "Connection") -> None:
        """Note a connection that has been made."""

    def left(self, connection: "Connection") -> None:
        """Note a connection that has ended."""


class Connection(asyncio.Protocol):
    """
    One connection, from its first byte to its last.

    asyncio calls connection_made, connection_lost, data_received, eof_received, pause_writing and resume_writing;
    httptools calls the methods that begin with on_.
    """

    def __init__(self, owner: "Owner") -> None:
        self._owner = owner
        self._handler = owner.handler
        self._parser = httptools.HttpRequestParser(self)
        self._transport: asyncio.Transport = cast("asyncio.Transport", None)
        self._client = ""
        self._target = b""
        self._headers: list[tuple[bytes, bytes]] = []
        self._chunks: list[bytes] = []
        self._size = 0
        self._unproductive = 0
        self._reading: Request | None = None  # whose body is on its way
        self._ahead: deque[Request] = deque()
        self._current: Request | None = None  # whose answer is being made
        self._since = owner.now
        self._in_head = False
        self._is_last = False  # no further request is read
        self._unsent = 0  # bytes that the peer had not taken in when they were last looked at
        self._unsent_at_first = 0
        self._unsent_since = 0.0  # when it began to be slow
        self._is_paused = False  # more is buffered than asyncio wants to be written to

    # --- what asyncio calls -------------------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        peer = transport.get_extra_info("peername")
        self._client = str(peer[0]) if isinstance(peer, tuple) else ""
        self._owner.joined(self)

    def connection_lost(self, _error: Exception | None) -> None:
        self._owner.left(self)
        self._is_last = True
        self._drop_reading()
        self._drop_ahead()
        del self._parser  # the two refer to each other

    def data_received(self, data: bytes) -> None:
        if self._is_last:
            return
        self._unproductive += len(data)
        try:
            self._feed(data)
        except httptools.HttpParserError as error:
            if not self._is_last:
                self._refuse(400, f"the request is not HTTP/1.1: {error}")
        if self._unproductive > MAX_HEAD_BYTES and not self._is_last and (self._in_head or self._reading):
            if self._in_head:
                self._refuse(431, HEAD_TOO_LONG)
            else:
                self._refuse(400, "the body has more about itself than of itself")
        if self._ahead:
            self._next()

    def _feed(self, data: bytes) -> None:
        """
        Parse what came.

        Another protocol that a request offers is not taken, so the request stands as it is, its body too (RFC 9110,
        section 7.8). httptools takes every offer and leaves the body unread: such a head is parsed again without it.
        """
        while data and not self._is_last:
            parser = self._parser
            try:
                parser.feed_data(data)
                data = b""
            except httptools.HttpParserUpgrade as upgrade:
                self._parser = httptools.HttpRequestParser(self)
                data = self._head_without_offer(parser) + data[upgrade.args[0] :]
                if parser.get_method() == b"CONNECT":
                    self._is_last = True  # what follows is meant for a tunnel, and there is none

    def _head_without_offer(self, parser: httptools.HttpRequestParser) -> bytes:
        first = b"%b %b HTTP/%b" % (parser.get_method(), self._target, parser.get_http_version().encode())
        lines = [name + b": " + value for name, value in self._headers if name.lower() != b"upgrade"]
        return b"\r\n".join([first, *lines, b"", b""])

    def eof_received(self) -> bool:
        """A peer may close its side and still wait for its answers; half a request is dropped."""
        self._is_last = True
        self._drop_reading()
        return self._owes

    def pause_writing(self) -> None:
        self._is_paused = True
        self._watch()
        self._transport.pause_reading()  # what a peer sends ahead waits with the peer

    def resume_writing(self) -> None:
        self._is_paused = False
        self._unwatch()
        self._go_on()

    # --- what httptools calls -----------------------------------------------------------------------------------------

    def on_message_begin(self) -> None:
        self._target = b""
        self._headers = []
        self._in_head = True
        self._since = self._owner.now

    def on_url(self, part: bytes) -> None:
        self._target += part

    def on_header(self, name: bytes, value: bytes) -> None:
        if self._in_head:  # after it they are trailers, which no one here reads
            self._headers.append((name, value.rstrip(b" \t")))  # blanks around a value are none of it (RFC 9110, 5.5)

    def on_headers_complete(self) -> None:
        parser = self._parser
        self._in_head = False
        method = parser.get_method()
        is_tunnel = method == b"CONNECT"
        if parser.should_upgrade() and not is_tunnel:
            # It comes again, without its offer; what is left out then is counted now.
            if len(self._target) + sum(len(name) + len(value) + 4 for name, value in self._headers) > MAX_HEAD_BYTES:
                self._refuse(431, HEAD_TOO_LONG)
            return
        request = Request(method.decode(), self._target, self._headers, parser.get_http_version())
        request.keep_alive = parser.should_keep_alive() and not is_tunnel
        request.client = self._client
        self._reading = request
        if self._is_last:
            return
        self._unproductive = 0
        self._look_at_head(request)

    def _look_at_head(self, request: Request) -> None:
        expected = request.header(b"expect")
        if request.head_bytes > MAX_HEAD_BYTES:
            self._refuse(431, HEAD_TOO_LONG)
        elif len(self._headers) > MAX_HEADERS:
            self._refuse(431, f"a request may have {MAX_HEADERS} headers, this has {len(self._headers)}")
        elif wrong := _framing_fault(request):
            self._refuse(*wrong)
        elif (refusal := self._handler.admit(request)) is not None:
            self._send_refusal(refusal)
        elif expected is not None:
            if expected.lower() != b"100-continue":
                self._refuse(417, f"the one expectation that can be met is 100-continue, got {expected[:40]!r}")
            elif not self._owes and request.version != "1.0":
                self._transport.write(CONTINUE)

    def on_body(self, part: bytes) -> None:
        request = self._reading
        if self._is_last or request is None:
            return
        self._unproductive = 0
        size = len(part)
        self._size += size
        if self._size > request.most:
            self._refuse(413, f"a request body may have {request.most} bytes, this has more")
            return
        if self._chunks or size != request.size:
            # A body that is here in one piece is on its way already; only what waits needs room.
            if not self._handler.hold(size):
                self._refuse(503, "as many bytes of bodies as there is room for are being read")
                return
            request.held += size
        self._chunks.append(part)

    def on_message_complete(self) -> None:
        request, chunks = self._reading, self._chunks
        if self._is_last or request is None:
            return
        self._unproductive = 0
        self._since = self._owner.now
        if len(self._ahead) >= MAX_AHEAD:
            self._is_last = True  # what is here is answered, then the connection ends, as HTTP allows
            self._drop_reading()
            return
        if chunks:
            request.body = chunks[0] if len(chunks) == 1 else b"".join(chunks)
            self._chunks = []
            self._size = 0
        self._reading = None
        self._ahead.append(request)

    # --- answers ------------------------------------------------------------------------------------------------------

    def _next(self) -> None:
        if self._current is not None or not self._ahead or self._is_paused:
            return
        self._current = request = self._ahead.popleft()
        self._handler.respond(request, self)
        if self._owes and not self._is_last:
            self._transport.pause_reading()  # what a peer sends ahead waits with the peer

    def answer(self, answer: Answer) -> None:
        """Send the answer to the request that was handed on; called once for each, on the event loop."""
        request, self._current = self._current, None
        transport = self._transport
        if request is None:
            return
        self._let_go(request)
        if transport.is_closing():
            return
        self._since = self._owner.now
        is_last = self._is_last or self._owner.is_stopping
        ends = not request.keep_alive or (is_last and not self._ahead)
        self._write(request, answer, ends=ends)
        if ends:
            self._is_last = True
            self._drop_ahead()
            transport.close()
        else:
            self._go_on()

    def _go_on(self) -> None:
        if self._current is not None or self._is_paused:
            return
        if self._ahead:
            # One request a turn: a client with many in its queue does not delay the others.
            self._owner.loop.call_soon(self._next)
        elif not self._is_last and not self._transport.is_reading():
            self._transport.resume_reading()

    def _write(self, request: Request | None, answer: Answer, *, ends: bool) -> None:
        if ends:
            connection = b"Connection: close\r\n"
        elif request is not None and request.version == "1.0":
            connection = b"Connection: keep-alive\r\n"
        else:
            connection = b""
        head = b"".join((STATUS_LINES[answer.status], answer.head, connection, self._owner.date))
        body: Sequence[Buffer] = () if request is not None and request.method == "HEAD" else answer.body
        if len(body) == 1 and len(body[0]) <= SMALL_BODY_BYTES:
            self._transport.write(head + body[0])
        elif body:
            self._transport.writelines([head, *body])
        else:
            self._transport.write(head)

    def _refuse(self, status: int, detail: str) -> None:
        self._send_refusal(self._handler.refuse(self._reading, status, detail))

    def _send_refusal(self, refusal: Answer) -> None:
        """Answer and end the connection: what is still on its way would be read as the next request."""
        self._is_last = True
        request = self._reading
        self._drop_reading()
        if self._owes:
            # Answers go out in order; a client that sends ahead finds the connection closed after those it is owed.
            return
        self._write(request, refusal, ends=True)
        # A connection closed on bytes that are still coming takes the answer with it: read on for a while.
        if self._transport.can_write_eof():
            self._transport.write_eof()
        self._owner.loop.call_later(LINGER_SECONDS, self._transport.close)

    def _let_go(self, request: Request) -> None:
        """Give back the room of a request that is answered, or never will be; every request ends here."""
        if request.held:
            self._handler.hold(-request.held)
            request.held = 0

    def _drop_reading(self) -> None:
        request, self._reading = self._reading, None
        self._chunks = []
        self._size = 0
        if request is not None:
            self._let_go(request)

    def _drop_ahead(self) -> None:
        while self._ahead:
            self._let_go(self._ahead.popleft())

    # --- once a second ------------------------------------------------------------------------------------------------

    def check(self, now: float, times: Times) -> None:
        """End what takes longer than it may."""
        waited = now - self._since
        if not self._is_paused:  # a peer may leave unread less than asyncio makes a pause of
            if not self._transport.get_write_buffer_size():
                self._unwatch()
            elif not self._unsent:
                self._watch()
        if self._unsent:
            unsent = self._pending()
            taken = self._unsent_at_first - unsent
            if unsent < self._unsent:
                self._unsent, self._since = unsent, now
            if waited > times.body or now - self._unsent_since > times.body + taken * SECONDS_PER_BYTE:
                self._transport.abort()
        elif not self._owes and not self._transport.is_closing():
            self._check_reading(waited, times)

    def _watch(self) -> None:
        """Begin to look at how much of its answers the peer takes in."""
        self._unsent = self._unsent_at_first = self._pending()
        self._since = self._unsent_since = self._owner.now
        self._owner.slow.add(self)

    def _unwatch(self) -> None:
        if self._unsent:
            self._unsent = 0
            self._since = self._owner.now
            self._owner.slow.discard(self)

    def _pending(self) -> int:
        """How many bytes of answers the peer has yet to take in, those that the system has in its keeping included."""
        count = self._transport.get_write_buffer_size()
        with contextlib.suppress(OSError, AttributeError):  # a connection through TLS has no such number
            queue = fcntl.ioctl(self._transport.get_extra_info("socket").fileno(), termios.TIOCOUTQ, bytes(4))
            count += int.from_bytes(queue, sys.byteorder)
        return count

    def _check_reading(self, waited: float, times: Times) -> None:
        if self._is_last:
            if waited > times.body:
                self._transport.abort()
        elif self._in_head:
            if waited > times.head:
                self._refuse(408, f"the head of a request must be complete within {times.head:g} seconds, it was not")
        elif self._reading is not None:
            if waited > times.body:
                self._refuse(408, f"the body must be complete within {times.body:g} seconds, it was not")
        elif waited > times.keep_alive:
            self.close()

    @property
    def _owes(self) -> bool:
        """Whether an answer is being made, or a whole request waits for its own."""
        return self._current is not None or bool(self._ahead)

    @property
    def has_left(self) -> bool:
        """
        Whether the peer has closed its side, or all is over: asked of the system, now, on any thread.

        Reading is paused while an answer is owed, so the end of what a peer sends is not seen otherwise.
        """
        if self._transport.is_closing():
            return True
        looked = select.poll()
        try:
            looked.register(self._transport.get_extra_info("socket").fileno(), CLOSED_BY_PEER)
            return bool(looked.poll(0))
        except (OSError, ValueError, AttributeError):  # it has ended in between
            return True

    @property
    def is_idle(self) -> bool:
        """Nothing of a request is here, and nothing of an answer."""
        return not (self._current or self._ahead or self._reading or self._in_head or self._unsent)

    @property
    def unsent_bytes(self) -> int:
        """How much of its answers the peer has not taken in."""
        return self._transport.get_write_buffer_size() if self._unsent else 0

    @property
    def idle_since(self) -> float | None:
        """Since when nothing is here but perhaps a part of a head, and all is taken in; None while there is more."""
        if self._current or self._ahead or self._reading or self._transport.is_closing():
            return None
        return None if self._transport.get_write_buffer_size() else self._since

    def close(self) -> None:
        """Close without more ado; what was written is still sent, in the time that a body has."""
        self._since = self._owner.now
        self._transport.close()
