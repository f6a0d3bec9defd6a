"""
The door: between the server (server.py) and Flask.

It refuses by the head what need not be read, picks the lane, turns Flask's answer into bytes, and counts it. A quick
call runs at once on the event loop, a heavy one in a small bounded pool of threads, so that it holds up no probe and no
quick call. What there is no room for is answered 503 at once. Flask itself stays a plain WSGI application, which its
test client can drive.
"""

import io
import logging
import sys
from collections import deque
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache
from time import perf_counter
from typing import Any

from service.api.application import JSON_HEADERS, Json, Reply, Service
from service.api.errors import PROTOCOL, problem
from service.api.errors import answer as refusal_of
from service.api.reading import BODY
from service.core.errors import Busy, ServiceError, TooLarge, Unauthorized
from service.cors import Cors
from service.keys import Keys
from service.logs import ACCESS, access_line, request_id, trace_of
from service.metrics import Metrics
from service.record import Record, current
from service.server import Answer, Connection, Request, Server
from service.settings import Settings
from service.tracing import Tracing, is_configured

access = logging.getLogger(ACCESS)
log = logging.getLogger(__name__)

Environ = dict[str, Any]

# Calls whose cost grows with what the caller asks for, not only with the bytes sent.
HEAVY_PATHS = frozenset({b"/v1/apply-filters", b"/v1/explain", b"/v1/patches"})
# An option that makes a quick call a heavy one: the cards of a whole layer take a second.
HEAVY_OPTION = b"card="
METRICS = b"/metrics"
# For so long quick calls are answered in one turn of the event loop; the rest wait while it looks for what has come.
TURN_SECONDS = 0.005
# So many calls must wait before any is refused for it: one browser, with its six connections, never is.
LEAST_CROWD = 8
# Never refused for want of room: whoever runs the service must be able to see how it is.
PROBES = frozenset({b"/healthz", b"/readyz", METRICS, b"/v2/health/live", b"/v2/health/ready"})

TITLES = {400: "Bad Request", 408: "Request Timeout", 417: "Expectation Failed", 431: "Request Header Fields Too Large"}


class Door:
    """
    What the server hands requests to: a Flask application behind limits.

    metrics: where requests are counted; keys: who may call, None for everyone; cors: which pages may
    """

    def __init__(
        self,
        app: Service,
        settings: Settings,
        metrics: Metrics | None = None,
        keys: Keys | None = None,
        cors: Cors | None = None,
    ) -> None:
        self.settings = settings
        self.max_body_bytes = settings.max_body_bytes
        self._app = app
        self._metrics = metrics or Metrics([], 0)
        self._keys = keys
        self._cors = cors or Cors([])
        self._tracing: Tracing | None = None
        self._threads = ThreadPoolExecutor(
            settings.heavy_threads, thread_name_prefix="heavy", initializer=app.enter_thread
        )
        # Reading the counts of all processes takes some milliseconds, and must be possible when all else is full.
        self._scraped = ThreadPoolExecutor(1, thread_name_prefix="metrics", initializer=app.enter_thread)
        self._heavy_in_flight = 0
        self._held_bytes = 0
        self._waiting: deque[tuple[Request, Connection]] = deque()
        self._usual_seconds = 0.0  # that a quick call has taken lately
        self._turn_seconds = 0.0
        self._is_turn_noted = False
        self._server: Server

    def __call__(self, environ: Environ, start_response: Any) -> Iterable[bytes]:
        """Be a plain WSGI application, for any other server: Flask's own, without lanes."""
        return self._app(environ, start_response)

    # --- the life of the worker ---------------------------------------------------------------------------------------

    def open(self, server: Server) -> None:
        """Begin: `server` will hand on requests from now on."""
        self._server = server
        self._metrics.limit = server.max_connections
        self._app.enter_thread()
        if is_configured():
            self._tracing = Tracing()

    def tick(self) -> None:
        """Once a second."""
        self._metrics.in_flight = self._server.busy
        self._metrics.fold()
        if self._keys is not None:
            self._keys.refresh()

    def close(self) -> None:
        """End: no request will come any more."""
        for threads in (self._threads, self._scraped):
            threads.shutdown(wait=False, cancel_futures=True)
        self._metrics.in_flight = 0
        self._metrics.fold()
        if self._tracing is not None:
            self._tracing.close()

    # --- requests -----------------------------------------------------------------------------------------------------

    def admit(self, request: Request) -> Answer | None:
        """Refuse by the head alone, before a body is read."""
        if request.size is not None and request.size > self.max_body_bytes:
            detail = f"a request body may have {self.max_body_bytes} bytes, this has {request.size}"
            return self._refusal(request, TooLarge(detail))
        # A page asks with OPTIONS whether it may call, and browsers send no key with that.
        if self._keys is not None and request.method != "OPTIONS":
            path = request.path.decode("latin-1")
            if not self._keys.is_open(path) and not self._keys.allows(request.header(b"authorization")):
                detail = "a key is wanted, as in the header Authorization: Bearer <key>"
                return self._refusal(request, Unauthorized(detail))
        return None

    def refuse(self, request: Request | None, status: int, detail: str) -> Answer:
        """Answer what the protocol or its times do not allow, in the words of the path it was sent to."""
        if request is None:
            request = Request("", b"/", [], "1.1")
        if status == 413:
            return self._refusal(request, TooLarge(detail))
        if status == 503:
            return self._refusal(request, Busy(detail), "bodies")
        record = _record_of(request)
        return self._finished(request, record, _answer(problem(status, TITLES[status], detail, path=record.path)))

    def hold(self, count: int) -> bool:
        """Make room for the bytes of a body, or give it back."""
        if count > 0 and self._held_bytes + count > self.settings.max_held_bytes:
            return False
        self._held_bytes += count
        return True

    def respond(self, request: Request, connection: Connection) -> None:
        """Answer a whole request: now, or from a thread of the heavy lane."""
        if request.path == METRICS:
            self._metrics.fold()
            self._respond_from(self._scraped, request, connection)
        elif self._is_heavy(request):
            self._respond_later(request, connection)
        elif request.path in PROBES or (not self._waiting and self._turn_seconds < TURN_SECONDS):
            self._respond_now(request, connection)
        else:
            self._respond_in_turn(request, connection)

    def _respond_now(self, request: Request, connection: Connection) -> None:
        if not self._is_turn_noted:
            self._is_turn_noted = True
            self._server.loop.call_soon(self._begin_turn)
        began = perf_counter()
        record = _record_of(request)
        answer = self._run(request, record)
        connection.answer(self._dressed(request, record, answer))
        self._count(request, record, answer)
        took = perf_counter() - began
        self._turn_seconds += took
        # An average over the last eight or so. The clock also runs while another process has the CPU, hence the most.
        self._usual_seconds += (min(took, self.settings.max_wait_seconds) - self._usual_seconds) / 8

    def _respond_in_turn(self, request: Request, connection: Connection) -> None:
        count = len(self._waiting)
        if count >= LEAST_CROWD and count * self._usual_seconds > self.settings.max_wait_seconds:
            error = Busy("more requests than can be answered in time are waiting")
            connection.answer(self._refusal(request, error, "late"))
        elif not request.held and not self.hold(len(request.body)):
            error = Busy("as many bytes of bodies as there is room for are waiting")
            connection.answer(self._refusal(request, error, "bodies"))
        else:
            request.held = request.held or len(request.body)
            self._waiting.append((request, connection))

    def _begin_turn(self) -> None:
        """
        Begin a turn of the event loop with those that wait.

        Quick calls are answered as they come in. When more come together than can be answered in a moment, the others
        wait in line, and between two moments the loop sees to probes, new connections, and those for whom the line is
        too long: they are told at once to come again, which costs a twentieth of an answer.
        """
        self._is_turn_noted = False
        self._turn_seconds = 0.0
        while self._waiting and self._turn_seconds < TURN_SECONDS:
            self._respond_now(*self._waiting.popleft())

    def _respond_later(self, request: Request, connection: Connection) -> None:
        if self._heavy_in_flight >= self.settings.heavy_threads + self.settings.heavy_waiting:
            error = Busy("as many heavy calls as there is room for are being worked on")
            connection.answer(self._refusal(request, error, "heavy"))
            return
        if self._server.unsent_bytes > self.settings.max_held_bytes:
            error = Busy("as many bytes of answers as there is room for wait for their readers")
            connection.answer(self._refusal(request, error, "answers"))
            return
        self._heavy_in_flight += 1
        self._respond_from(self._threads, request, connection)

    def _respond_from(self, threads: ThreadPoolExecutor, request: Request, connection: Connection) -> None:
        loop = self._server.loop
        record = _record_of(request)
        future = threads.submit(self._run, request, record)

        def done() -> None:
            if threads is self._threads:
                self._heavy_in_flight -= 1
            connection.answer(self._finished(request, record, future.result()))

        future.add_done_callback(lambda _: loop.call_soon_threadsafe(done))

    def _is_heavy(self, request: Request) -> bool:
        if request.path in HEAVY_PATHS or len(request.body) > self.settings.quick_body_bytes:
            return True
        # A small packed body may hold a large one.
        return HEAVY_OPTION in request.query or request.header(b"content-encoding") is not None

    def _run(self, request: Request, record: Record) -> Answer:
        """Have Flask answer; on whatever thread."""
        current.set(record)
        try:
            if self._cors and request.method == "OPTIONS" and (allowed := self._preflight(request)):
                return allowed
            reply, record.route = self._app.respond(_environ(request, record.path))
            return _answer(reply)
        except Exception:  # whatever it was, the connection must be answered
            log.exception("%s %s failed", request.method, record.path)
            detail = "the service failed on this request; the fault is ours and has been logged"
            return _answer(problem(500, "Internal error", detail, path=record.path))

    def _preflight(self, request: Request) -> Answer | None:
        origin, method = request.header(b"origin"), request.header(b"access-control-request-method")
        if origin is None or method is None:
            return None
        lines = self._cors.preflight(origin, method, request.header(b"access-control-request-headers"))
        if lines is None:
            return None
        return Answer(204, "".join(f"{name}: {value}\r\n" for name, value in lines).encode(), ())

    def _refusal(self, request: Request, error: ServiceError, shed: str = "") -> Answer:
        record = _record_of(request)
        if shed:
            self._metrics.shed(shed)
            answer = _come_again(error.detail, is_protocol=record.path.startswith(PROTOCOL))
        else:
            answer = _answer(refusal_of(error, record.path))
        return self._finished(request, record, answer)

    def _finished(self, request: Request, record: Record, answer: Answer) -> Answer:
        dressed = self._dressed(request, record, answer)
        self._count(request, record, answer)
        return dressed

    def _dressed(self, request: Request, record: Record, answer: Answer) -> Answer:
        """Add to an answer what each says of its request."""
        record.seconds = perf_counter() - record.started
        lines = f"X-Request-ID: {record.id}\r\n"
        if record.stages:
            lines += f"Server-Timing: {record.timing()}\r\n"
        head = answer.head + lines.encode("latin-1")
        if self._cors and answer.status != 204:
            head += self._cors.headers(request.header(b"origin"))
        return Answer(answer.status, head, answer.body)

    def _count(self, request: Request, record: Record, answer: Answer) -> None:
        """Count, log and trace a request, once its answer is on its way; on the event loop."""
        record.status = answer.status
        metrics = self._metrics
        metrics.answered(record.method, record.route, answer.status, record.seconds)
        for name, _, took in record.stages:
            metrics.stage(name, took)
        for verdicts in record.verdicts:
            metrics.verdicts(*verdicts)
        if self.settings.access_log:
            access.info(access_line(record, sum(map(len, answer.body)), request.client))
        if self._tracing is not None:
            self._tracing.export(record)


def _record_of(request: Request) -> Record:
    trace = trace_of(request.header(b"traceparent"))
    path = request.path.decode("latin-1")
    return Record(request_id(request.header(b"x-request-id")), trace, request.method, path, request.started)


# The WSGI name of a header (PEP 3333), None for one that is not passed on. A name with an underscore could pass for
# another; Proxy would become HTTP_PROXY, which programs take for a setting.
_NAMES: dict[bytes, str | None] = {}
_MOST_NAMES = 500


def _wsgi_name(name: bytes) -> str | None:
    text = name.decode("latin-1").upper().replace("-", "_")
    if b"_" in name or text in {"CONTENT_LENGTH", "TRANSFER_ENCODING", "PROXY"}:
        wsgi = None
    else:
        wsgi = text if text == "CONTENT_TYPE" else f"HTTP_{text}"
    if len(_NAMES) < _MOST_NAMES:
        _NAMES[name] = wsgi
    return wsgi


def _environ(request: Request, path: str) -> Environ:
    """The WSGI form (PEP 3333) of a request."""
    body = request.body
    environ: Environ = {
        "REQUEST_METHOD": request.method,
        "SCRIPT_NAME": "",
        "PATH_INFO": path,
        "QUERY_STRING": request.query.decode("latin-1"),
        "SERVER_NAME": "",
        "SERVER_PORT": "0",
        "SERVER_PROTOCOL": f"HTTP/{request.version}",
        "REMOTE_ADDR": request.client,
        "CONTENT_LENGTH": str(len(body)),
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": "http",
        "wsgi.input": io.BytesIO(body),
        BODY: body,
        "wsgi.input_terminated": True,
        "wsgi.errors": sys.stderr,
        "wsgi.multithread": True,
        "wsgi.multiprocess": True,
        "wsgi.run_once": False,
    }
    for name, value in request.headers:
        key = _NAMES[name] if name in _NAMES else _wsgi_name(name)
        if key is not None:
            text = value.decode("latin-1")
            environ[key] = f"{environ[key]},{text}" if key in environ else text
    return environ


_JSON_LINES = "".join(f"{name}: {value}\r\n" for name, value in JSON_HEADERS.items()).encode()


@lru_cache
def _come_again(detail: str, *, is_protocol: bool) -> Answer:
    """What a request is told for which there is no room; kept, since those who are many should cost little."""
    return _answer(refusal_of(Busy(detail), PROTOCOL if is_protocol else "/"))


def _answer(response: Reply) -> Answer:
    """What Flask answered, as bytes."""
    if isinstance(response, Json):
        return Answer(200, b"%bContent-Length: %d\r\n" % (_JSON_LINES, len(response)), (response,))
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
