"""
The server: a gunicorn worker that speaks HTTP/1.1 by httptools on one event loop, and knows nothing of Flask.

gunicorn keeps what it is good at: the sockets, the processes, their signals. Within a worker a request passes through
as little code as possible, for on a call this small every piece of code touched costs more than what it computes: a
parser in C calls back, the whole request goes to the handler (the door) in one call, and one write answers it.

    bytes -> Connection (httptools) -> Request -> handler.admit, handler.respond -> Answer -> bytes

A connection's requests are answered one after another, in order. What a peer can make a worker hold is bounded: the
head of a request, its body, the requests sent ahead of their answers, and the time each of them may take.
"""

import asyncio
import contextlib
import fcntl
import mmap
import os
import re
import resource
import select
import signal
import socket
import ssl
import sys
import termios
import time
from collections import deque
from collections.abc import Sequence
from email.utils import formatdate
from http import HTTPStatus
from operator import itemgetter
from pathlib import Path
from types import FrameType
from typing import Any, NamedTuple, Protocol, cast
from urllib.parse import unquote_to_bytes

import httptools
import uvloop
from gunicorn.sock import ssl_context
from gunicorn.workers.base import Worker

MAX_HEAD_BYTES = 65536  # of the request line and headers; also of anything else that brings no byte of a body nearer
MAX_HEADERS = 100
MAX_AHEAD = 100  # requests that a client may send on one connection before it has their answers
LINGER_SECONDS = 1.0  # how long a refused body is read on, and thrown away, so that its sender gets to see the answer
# At the stop an idle connection stays open for this long: a request may be on its way already.
IDLE_AT_STOP_SECONDS = 2.0
GIVE_WAY_SECONDS = 0.006  # for so long another worker with fewer connections is left to accept the next
SPARE_DESCRIPTORS = 16  # that no connection is given: for files that a request, a page of counts or a log opens
# A peer may take this long to take in an answer for each byte of it, beside the time it has for a body. A phone on a
# bad line takes in more; one that takes less holds memory that others need.
SECONDS_PER_BYTE = 1 / 50_000
SMALL_BODY_BYTES = 65536  # up to here one buffer for head and body is cheaper than two

HEAD_TOO_LONG = f"the head of a request may have {MAX_HEAD_BYTES} bytes, this has more"
STATUS_LINES = {status.value: f"HTTP/1.1 {status.value} {status.phrase}\r\n".encode() for status in HTTPStatus}
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
    head_bytes: how long the head is; size: of the body in bytes, None when it is not known beforehand; most: bytes that
    its body may have; held: bytes that room was made for; client: the peer's address; started: of time.perf_counter(),
    when the head was complete

    >>> request = Request("GET", b"/a%20b?c=%20", [(b"Accept", b"a/b"), (b"accept", b"c/d")], "1.1")
    >>> request.path, request.query, request.header(b"accept"), request.header(b"host")
    (b'/a b', b'c=%20', b'a/b', None)
    >>> Request("GET", b"http://host/a", [], "1.1").path
    b'/a'
    """

    __slots__ = (
        *("body", "client", "head_bytes", "headers", "held", "keep_alive", "method", "most", "path", "query"),
        *("size", "started", "version", "_first"),
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
        self.head_bytes = len(target)
        self._first: dict[bytes, bytes] = {}
        for name, value in headers:
            self.head_bytes += len(name) + len(value) + 4
            self._first.setdefault(name.lower(), value)
        size = self._first.get(b"content-length")
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
    if request.version not in {"1.1", "1.0"}:
        return 505, f"versions 1.1 and 1.0 of HTTP are spoken here, got {request.version[:8]}"
    hosts = sum(name.lower() == b"host" for name, _ in request.headers)
    if hosts > 1 or (not hosts and request.version == "1.1"):
        return 400, f"a request has one Host, this has {hosts}"
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


class Connection(asyncio.Protocol):
    """
    One connection, from its first byte to its last.

    asyncio calls connection_made, connection_lost, data_received, eof_received, pause_writing and resume_writing;
    httptools calls the methods that begin with on_.
    """

    def __init__(self, server: "Server") -> None:
        self._server = server
        self._handler = server.handler
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
        self._since = server.now
        self._in_head = False
        self._is_last = False  # no further request is read
        self._unsent = 0  # bytes that the peer had not taken in when they were last looked at
        self._unsent_at_first = 0
        self._unsent_since = 0.0  # when it began to be slow

    # --- what asyncio calls -------------------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        peer = transport.get_extra_info("peername")
        self._client = str(peer[0]) if isinstance(peer, tuple) else ""
        self._server.joined(self)

    def connection_lost(self, _error: Exception | None) -> None:
        self._server.left(self)
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
        self._unsent = self._unsent_at_first = self._pending()
        self._since = self._unsent_since = self._server.now
        self._server.slow.add(self)

    def resume_writing(self) -> None:
        self._unsent = 0
        self._since = self._server.now
        self._server.slow.discard(self)
        self._go_on()

    # --- what httptools calls -----------------------------------------------------------------------------------------

    def on_message_begin(self) -> None:
        self._target = b""
        self._headers = []
        self._in_head = True
        self._since = self._server.now

    def on_url(self, part: bytes) -> None:
        self._target += part

    def on_header(self, name: bytes, value: bytes) -> None:
        if self._in_head:  # after it they are trailers, which no one here reads
            self._headers.append((name, value))

    def on_headers_complete(self) -> None:
        parser = self._parser
        self._in_head = False
        method = parser.get_method()
        is_tunnel = method == b"CONNECT"
        if parser.should_upgrade() and not is_tunnel:
            return  # it comes again, without its offer
        request = Request(method.decode(), self._target, self._headers, parser.get_http_version())
        request.keep_alive = parser.should_keep_alive() and not is_tunnel
        request.client = self._client
        self._reading = request
        if self._is_last:
            return
        self._unproductive = 0
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
        self._since = self._server.now
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
        if self._current is not None or not self._ahead or self._unsent:
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
        self._since = self._server.now
        is_last = self._is_last or self._server.is_stopping
        ends = not request.keep_alive or (is_last and not self._ahead)
        self._write(request, answer, ends=ends)
        if ends:
            self._is_last = True
            self._drop_ahead()
            transport.close()
        else:
            self._go_on()

    def _go_on(self) -> None:
        if self._current is not None or self._unsent:
            return
        if self._ahead:
            # One request a turn: a client with many in its queue holds up no other.
            self._server.loop.call_soon(self._next)
        elif not self._is_last and not self._transport.is_reading():
            self._transport.resume_reading()

    def _write(self, request: Request | None, answer: Answer, *, ends: bool) -> None:
        if ends:
            connection = b"Connection: close\r\n"
        elif request is not None and request.version == "1.0":
            connection = b"Connection: keep-alive\r\n"
        else:
            connection = b""
        head = b"".join((STATUS_LINES[answer.status], answer.head, connection, self._server.date))
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
        self._server.loop.call_later(LINGER_SECONDS, self._transport.close)

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
        if self._unsent:
            unsent = self._pending()
            taken = self._unsent_at_first - unsent
            if unsent < self._unsent:
                self._unsent, self._since = unsent, now
            if waited > times.body or now - self._unsent_since > times.body + taken * SECONDS_PER_BYTE:
                self._transport.abort()
        elif not self._owes:
            self._check_reading(waited, times)

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
            self._transport.close()

    @property
    def _owes(self) -> bool:
        """Whether an answer is being made, or a whole request waits for its own."""
        return self._current is not None or bool(self._ahead)

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
        """Since when nothing of a request is here but perhaps a part of a head; None while there is more."""
        return None if self._current or self._ahead or self._reading or self._unsent else self._since

    def close(self) -> None:
        """Close without more ado; what was written is still sent."""
        self._transport.close()


# How many connections each worker has, and one more; 0 where there is no worker. Then, for each, the second of the
# system's clock in which it last said that it is at work. gunicorn's master imports this module before it forks, so
# that these pages are theirs together.
_WORKERS = 1024
_PAGES = memoryview(mmap.mmap(-1, 2 * 4 * _WORKERS)).cast("i")
_LOADS, _SEEN = _PAGES[:_WORKERS], _PAGES[_WORKERS:]
SILENT_SECONDS = 3  # a worker that has said nothing for longer is stopped or stuck, and takes no connection


class Loads:
    """How many connections this worker has, and whether another has fewer; age: gunicorn's number of the worker."""

    def __init__(self, age: int) -> None:
        self._place = age % _WORKERS
        self.tell(0)
        self.live()

    def tell(self, count: int) -> None:
        """Say how many connections this worker has."""
        _LOADS[self._place] = count + 1

    def live(self) -> None:
        """Say that this worker is at work; once a second."""
        _SEEN[self._place] = int(time.monotonic())

    def are_lower_elsewhere(self) -> bool:
        """Whether another worker has fewer: any fewer while they are few, an eighth fewer when they are many."""
        own, loads = _LOADS[self._place], _LOADS.tolist()
        enough = own - own // 8
        if own <= 1 or min(filter(None, loads)) >= enough:
            return False
        at_least = _SEEN[self._place] - SILENT_SECONDS
        return any(0 < load < enough and _SEEN[place] >= at_least for place, load in enumerate(loads))

    @staticmethod
    def forget(age: int) -> None:
        """Take out a worker that has ended; in the master."""
        _LOADS[age % _WORKERS] = 0

    @staticmethod
    def is_at_work(age: int) -> bool:
        """Whether a worker has loaded all it needs and takes connections; in the master."""
        return _LOADS[age % _WORKERS] > 0


def _has_another(listener: socket.socket) -> bool:
    """Whether a connection waits to be accepted."""
    looked = select.poll()
    looked.register(listener, select.POLLIN)
    return bool(looked.poll(0))


class Server:
    """The connections of one worker, and the listening sockets it shares with the other workers."""

    def __init__(
        self,
        handler: Handler,
        times: Times,
        max_connections: int,
        loop: asyncio.AbstractEventLoop,
        loads: "Loads | None" = None,
    ) -> None:
        self.handler = handler
        self.loop = loop
        self.connections: dict[Connection, None] = {}  # in the order of their arrival
        self.slow: set[Connection] = set()  # whose peers have answers to take in
        self.is_stopping = False
        self.now = loop.time()
        self.date = b""
        self._times = times
        self.max_connections = max_connections
        self._listeners: list[socket.socket] = []
        self._ssl: ssl.SSLContext | None = None
        self._loads = loads or Loads(0)
        self._lead = 0  # how many may be accepted although another worker has fewer connections
        self._arriving = 0  # accepted, and not joined yet
        self._tasks: set[asyncio.Task[Any]] = set()
        self.tick()

    def listen(self, listeners: Sequence[socket.socket], context: ssl.SSLContext | None = None) -> None:
        """Accept connections from now on."""
        self._ssl = context
        for listener in listeners:
            listener.setblocking(False)
            self._listeners.append(listener)
            self.loop.add_reader(listener.fileno(), self._accept, listener)

    def _accept(self, listener: socket.socket) -> None:
        # A fair share: while another worker holds fewer connections, pause for GIVE_WAY_SECONDS, so that a client with
        # few connections finds all workers at work. Then accept up to a quarter more than it has: it may be busy, and a
        # crowd should not wait for it. What workers tell of themselves may be a turn of the event loop old.
        for _ in range(1 + len(self.connections) // 2):
            if not self._loads.are_lower_elsewhere():
                self._lead = 0
            elif self._lead:
                self._lead -= 1
            else:
                self._lead = 1 + len(self.connections) // 4
                self._pause(listener, GIVE_WAY_SECONDS)
                return
            if len(self.connections) + self._arriving >= self.max_connections:
                if not _has_another(listener):
                    return
                if not self._make_room():
                    self._pause(listener, 0.05)
                    return
            try:
                connection, _ = listener.accept()
            except ConnectionAbortedError:
                continue
            except (BlockingIOError, InterruptedError):  # none is left
                return
            except OSError:  # no descriptors are left: those in use will be given back
                self._pause(listener, 0.5)
                return
            self._take(connection)

    def _make_room(self) -> bool:
        """Close the connection that has been idle for longest, so that a new one gets in; False where none is."""
        idle = [(since, each) for each in self.connections if (since := each.idle_since) is not None]
        if not idle:
            return False
        _, longest = min(idle, key=itemgetter(0))  # the first to arrive of those that are alike
        self.left(longest)
        longest.close()
        return True

    def joined(self, connection: Connection) -> None:
        """Note a connection that has been made."""
        self.connections[connection] = None
        self._arriving -= 1
        self._tell_load()

    def left(self, connection: Connection) -> None:
        """Note a connection that has ended."""
        self.connections.pop(connection, None)
        self.slow.discard(connection)
        self._tell_load()

    def _tell_load(self) -> None:
        self._loads.tell(len(self.connections) + self._arriving)

    def _take(self, connection: socket.socket) -> None:
        connection.setblocking(False)
        if connection.family != socket.AF_UNIX:
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        made = self.loop.connect_accepted_socket(lambda: Connection(self), connection, ssl=self._ssl)
        task = self.loop.create_task(made)
        self._tasks.add(task)
        self._arriving += 1
        self._tell_load()
        task.add_done_callback(self._arrived)

    def _arrived(self, task: "asyncio.Task[Any]") -> None:
        self._tasks.discard(task)
        if task.cancelled() or task.exception():  # a peer that fails at TLS, or has left, is ignored
            self._arriving -= 1
            self._tell_load()

    def _pause(self, listener: socket.socket, seconds: float) -> None:
        """Accept nothing for a while."""
        self.loop.remove_reader(listener.fileno())
        self.loop.call_later(seconds, self._listen_again, listener)

    def _listen_again(self, listener: socket.socket) -> None:
        if not self.is_stopping:
            self.loop.add_reader(listener.fileno(), self._accept, listener)

    def tick(self) -> None:
        """Once a second: what the time is, and who has taken too long."""
        self.now = self.loop.time()
        self.date = f"Date: {formatdate(usegmt=True)}\r\n\r\n".encode()
        self._loads.live()
        for connection in list(self.connections):
            connection.check(self.now, self._times)

    @property
    def busy(self) -> int:
        """How many connections have a request on its way in, in work, or an answer on its way out."""
        return sum(not connection.is_idle for connection in self.connections)

    @property
    def unsent_bytes(self) -> int:
        """How much of all answers the peers have not taken in."""
        return sum(connection.unsent_bytes for connection in self.slow)

    async def stop(self, seconds: float) -> None:
        """Answer every request on a connection that was accepted, then close them all."""
        for listener in self._listeners:
            self.loop.remove_reader(listener.fileno())
            with contextlib.suppress(OSError):
                while True:  # who has connected already is served
                    self._take(listener.accept()[0])
        for listener in self._listeners:
            listener.close()
        self.is_stopping = True
        deadline = self.loop.time() + seconds
        idle_until = min(deadline, self.loop.time() + IDLE_AT_STOP_SECONDS)
        while (self.connections or self._tasks) and self.loop.time() < deadline:
            self.tick()
            if self.loop.time() >= idle_until:
                for connection in list(self.connections):
                    if connection.is_idle:
                        connection.close()
            await asyncio.sleep(0.05)
        for connection in list(self.connections):
            connection.close()


def free_descriptors() -> int:
    """How many files and connections this process may open beside those that it has open."""
    return resource.getrlimit(resource.RLIMIT_NOFILE)[0] - sum(1 for _ in Path("/dev/fd").iterdir())


class DoorWorker(Worker):  # type: ignore[misc]  # gunicorn has no types
    """gunicorn's `worker_class`: its application is a door (see door.py), made after the fork."""

    _loop: asyncio.AbstractEventLoop
    _stop: asyncio.Event
    _is_hasty = False
    _has_failed = False

    def init_process(self) -> None:
        """Set up the event loop, then what every worker sets up."""
        self._stop = asyncio.Event()
        # Until the loop takes them: a worker told to stop while it starts would otherwise not hear of it.
        signal.signal(signal.SIGTERM, lambda _number, _frame: self._stop_soon())
        self._loop = uvloop.new_event_loop()
        asyncio.set_event_loop(self._loop)
        super().init_process()

    def init_signals(self) -> None:
        """Leave behind the master's."""
        for number in self.SIGNALS:
            if number != signal.SIGTERM:
                signal.signal(number, signal.SIG_DFL)
        signal.signal(signal.SIGWINCH, signal.SIG_IGN)
        signal.signal(signal.SIGABRT, self._abort)

    def _take_signals(self) -> None:
        """Take signals on the event loop, where they interrupt nothing."""
        self._loop.add_signal_handler(signal.SIGTERM, self._stop_soon)
        self._loop.add_signal_handler(signal.SIGINT, self._stop_now)
        self._loop.add_signal_handler(signal.SIGQUIT, self._stop_now)
        self._loop.add_signal_handler(signal.SIGUSR1, self.log.reopen_files)

    def _stop_soon(self) -> None:
        self.alive = False
        self._stop.set()

    def _stop_now(self) -> None:
        self._is_hasty = True
        self._stop_soon()

    def _abort(self, _number: int, _frame: FrameType | None) -> None:
        self.cfg.worker_abort(self)
        sys.exit(1)

    def run(self) -> None:
        """Serve until told to stop."""
        try:
            self._loop.run_until_complete(self._serve())
        finally:
            self._loop.close()

    async def _serve(self) -> None:
        self._take_signals()
        door = self.wsgi
        times = Times(self.cfg.keepalive, door.settings.head_timeout_seconds, door.settings.body_timeout_seconds)
        most = min(self.cfg.worker_connections, max(1, free_descriptors() - SPARE_DESCRIPTORS))
        server = Server(door, times, most, self._loop, Loads(self.age))
        door.open(server)
        server.listen([listener.sock for listener in self.sockets], ssl_context(self.cfg) if self.cfg.is_ssl else None)
        while self.alive and self.ppid == os.getppid():
            self.notify()
            self._tick(server, door)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._stop.wait(), 1.0)
        beat = self._loop.create_task(self._beat())
        await server.stop(0.0 if self._is_hasty else self.cfg.graceful_timeout)
        beat.cancel()
        door.close()

    def _tick(self, *parts: Any) -> None:
        """Let every part do what it does once a second; one that fails, as without a descriptor, ends no worker."""
        try:
            for part in parts:
                part.tick()
            self._has_failed = False
        except Exception:
            if not self._has_failed:
                self.log.exception("what is done once a second has failed; it is tried again each second")
            self._has_failed = True

    async def _beat(self) -> None:
        while True:
            self.notify()
            await asyncio.sleep(1.0)
