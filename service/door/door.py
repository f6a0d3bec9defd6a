"""
The door: between the server (service/server/) and Flask.

It refuses by the head what need not be read, turns Flask's answer into bytes, and counts it. A call begins on the event
loop, and charges what it is about to do (lab/prices.py). One that comes to more than the loop has time for begins again
in a small bounded pool of threads, before that work. So it delays no probe and no quick call, whatever its path. What
there is no room for is answered 503 at once. Flask itself stays a plain WSGI application, which its test client can
drive.

The door is a WSGI application too. Under another server than ours it does all the same, but for the lanes: which thread
a call runs on, and how many wait, that server then decides.
"""

import logging
import threading
from collections import deque
from collections.abc import Callable, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from contextvars import copy_context
from functools import lru_cache, partial
from http import HTTPStatus
from time import monotonic, perf_counter
from typing import Any

from service.api.http.application import Access, Service
from service.api.http.errors import PROTOCOL, is_protocol, problem
from service.api.http.errors import answer as refusal_of
from service.core.errors import Busy, ServiceError, TooLarge, Unauthorized
from service.door.coding import Coder, is_large, size_of, takes_gzip, with_own_tags
from service.door.cors import Cors
from service.door.keys import Keys
from service.door.pace import Pace, retry_after
from service.door.wsgi import Environ, answer_of, environ_of, read_body, request_of, start_of
from service.lab.prices import LOOK_SECONDS, QUICK_UNITS, Account, Ended, HandedOver
from service.observe.logs import ACCESS, access_line, request_id, trace_of
from service.observe.metrics import Metrics
from service.observe.record import Record, current
from service.observe.tracing import Tracing, is_configured
from service.server.accept import Server
from service.server.connection import Answer, Connection, Request
from service.settings import Settings

access = logging.getLogger(ACCESS)
log = logging.getLogger(__name__)

# What is open without a key takes no body; some clients send a little with anything.
MAX_KEYLESS_BODY_BYTES = 4096
# Headers that are taken apart by patterns, which may take as many steps as the square of their length.
PARSED = (b"accept", b"accept-encoding", b"content-type", b"if-none-match", b"if-modified-since", b"range")
MAX_PARSED_BYTES = 2048
TEND_SECONDS = 1.0  # under another server: between two looks at what was counted and at the keys
# For so long quick calls are answered in one turn of the event loop; the rest wait while it looks for what has come.
TURN_SECONDS = 0.005
MAX_QUICK_SECONDS = 0.04  # no quick call takes longer where it has the CPU to itself
# So many calls must wait before any is refused for it: one browser, with its six connections, never is.
LEAST_CROWD = 8
# A line is as long as so much of the longest wait: the rate falls when many begin to come, and are refused.
SLACK = 0.85

# Answers of quick calls that may wait to be compressed; further ones are sent as they are.
MOST_CODED_AT_ONCE = 16

LEFT = "the client has closed its side of the connection, or the call has taken a minute"

TITLES = {status: HTTPStatus(status).phrase for status in (400, 408, 417, 431, 501, 505)}


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
        # Compressing is quick, and must not wait for calls that are not.
        self._coders = ThreadPoolExecutor(1, thread_name_prefix="coding")
        self._coding = 0  # answers that are compressed, or wait for it
        self._coder = Coder()
        self._heavy_in_flight = 0
        self._held_bytes = 0
        self._waiting: deque[tuple[Request, Connection]] = deque()
        # In calls, over a tenth of a second of turns: another process that has the CPU for a moment shortens no line.
        self._quick = Pace(over=16, least=16)
        self._heavy = Pace(over=8)  # in units
        self._heavy_work = 0.0  # in flight, in units
        self._heavy_since = 0.0  # when a heavy call was last done, or came to an empty lane
        self._turn_seconds = 0.0
        self._turn_began = 0.0
        self._turn_calls = 0
        self._was_line = False  # at the beginning of this turn
        self._is_turn_noted = False
        self._server: Server
        # Counting is not for several threads at once; those of another server share it.
        self._lock = threading.RLock()
        self._calls = 0  # being answered, under another server
        self._tended = monotonic()

    # --- under another server -----------------------------------------------------------------------------------------

    def __call__(self, environ: Environ, start_response: Any) -> Iterable[bytes]:
        """Be a WSGI application, on any thread of any server: all that a door does, without lanes."""
        request = request_of(environ)
        with self._lock:
            self._tend_when_due()
            self._calls += 1
        try:
            # In a context of its own: the thread is another server's, and knows nothing of requests afterwards.
            answer = copy_context().run(self._answer_alone, request, environ)
        finally:
            with self._lock:
                self._calls -= 1
        start_response(*start_of(answer))
        return () if request.method == "HEAD" else tuple(map(bytes, answer.body))

    def _answer_alone(self, request: Request, environ: Environ) -> Answer:
        with self._app.app_context():
            return self.admit(request) or self._answer_whole(request, environ)

    def _answer_whole(self, request: Request, environ: Environ) -> Answer:
        try:
            request.body = read_body(environ, request.size, request.most)
        except ServiceError as error:
            return self._refusal(request, error)
        if self._app.access_of(request.path) is Access.METRICS:
            self._tend()
        record, account = _record_of(request), Account(self.settings)
        answer = self._coder.in_full(request, self._run(request, record, account), account)
        return self._finished(request, record, answer)

    def _tend_when_due(self) -> None:
        if monotonic() >= self._tended + TEND_SECONDS:
            self._tended = monotonic()
            self._metrics.in_flight = self._calls
            self._tend()

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
        self._tend()

    def _tend(self) -> None:
        """Let others see what was counted, and see whether the keys are others."""
        with self._lock:
            self._metrics.fold()
            if self._keys is not None:
                self._keys.refresh()

    def close(self) -> None:
        """End: no request will come any more."""
        for threads in (self._threads, self._scraped, self._coders):
            threads.shutdown(wait=False, cancel_futures=True)
        self._metrics.in_flight = 0
        with self._lock:
            self._metrics.fold()
        if self._tracing is not None:
            self._tracing.close()

    # --- requests -----------------------------------------------------------------------------------------------------

    def admit(self, request: Request) -> Answer | None:
        """Refuse by the head alone, before a body is read."""
        request.most = self.max_body_bytes
        if request.head_bytes > MAX_PARSED_BYTES and (name := _too_long_to_parse(request)):
            detail = f"the header {name} may have {MAX_PARSED_BYTES} bytes, this has more"
            return self.refuse(request, 431, detail)
        # A page asks with OPTIONS whether it may call, and browsers send no key with that.
        if self._keys is not None and not self._keys.allows(request.header(b"authorization")):
            if request.method != "OPTIONS" and self._app.access_of(request.path) is Access.KEYED:
                detail = "a key is wanted, as in the header Authorization: Bearer <key>"
                if request.header(b"authorization"):
                    detail += "; what came in that header is no key of this service"
                return self._refusal(request, Unauthorized(detail))
            request.most = min(request.most, MAX_KEYLESS_BODY_BYTES)
        if request.size is not None and request.size > request.most:
            detail = f"a request body may have {request.most} bytes, this has {request.size}"
            return self._refusal(request, TooLarge(detail))
        return None

    def refuse(self, request: Request | None, status: int, detail: str) -> Answer:
        """Answer what the protocol or its times do not allow, in the words of the path it was sent to."""
        if request is None:
            request = Request("", b"/", [], "1.1")
        if status == 413:
            return self._refusal(request, TooLarge(detail))
        if status == 503:
            return self._shed(request, detail, "bodies")
        record = _record_of(request)
        return self._finished(request, record, answer_of(problem(status, TITLES[status], detail, path=record.path)))

    def hold(self, count: int) -> bool:
        """Make room for bytes of a body, or of an answer that waits to be compressed, or give it back."""
        if count > 0 and self._held_bytes + count > self.settings.max_held_bytes:
            return False
        self._held_bytes += count
        return True

    def respond(self, request: Request, connection: Connection) -> None:
        """Answer a whole request: now, or from a thread of the heavy lane."""
        allowed = self._app.access_of(request.path)
        if allowed is Access.METRICS:
            self._metrics.fold()
            self._respond_scraped(request, connection)
        elif allowed is Access.PROBE:
            self._respond_now(request, connection)
        elif self._server.slow and self._server.unsent_bytes > self.settings.max_held_bytes:
            detail = "as many bytes of answers as there is room for wait for their readers"
            connection.answer(self._shed(request, detail, "answers"))
        elif self._is_large(request):
            self._respond_later(request, connection)
        elif not self._waiting and self._turn_seconds < TURN_SECONDS:
            self._respond_now(request, connection)
        else:
            self._respond_in_turn(request, connection)

    def _note_turn(self) -> None:
        if not self._is_turn_noted:
            self._is_turn_noted = True
            self._server.loop.call_soon(self._begin_turn)

    def _respond_now(self, request: Request, connection: Connection) -> None:
        self._note_turn()
        began = perf_counter()
        record = _record_of(request)
        account = Account(self.settings, allowed=QUICK_UNITS)
        try:
            answer = self._run(request, record, account)
        except HandedOver:
            self._turn_seconds += perf_counter() - began
            self._respond_later(request, connection, account.work)
            return
        is_to_be_coded = False
        if is_large(answer) or answer.status == HTTPStatus.NOT_MODIFIED:
            answer, is_to_be_coded = self._coder.at_once(request, answer)
        if is_to_be_coded and self._coding < MOST_CODED_AT_ONCE and self.hold(size_of(answer)):
            self._respond_coded(request, connection, record, account, answer)
        else:
            connection.answer(self._dressed(request, record, answer))
            self._count(request, record, answer)
        took = perf_counter() - began
        self._turn_seconds += took
        self._turn_calls += 1
        if not self._was_line:
            # The clock also runs while another process has the CPU, hence the bound.
            self._quick.note(1, min(took, MAX_QUICK_SECONDS))

    def _respond_in_turn(self, request: Request, connection: Connection) -> None:
        count = len(self._waiting)
        if count >= LEAST_CROWD and self._quick.seconds(count) > self.settings.max_wait_seconds * SLACK:
            connection.answer(self._shed(request, "more requests than can be answered in time are waiting", "late"))
        elif not request.held and not self.hold(len(request.body)):
            connection.answer(self._shed(request, "as many bytes of bodies as there is room for are waiting", "bodies"))
        else:
            request.held = request.held or len(request.body)
            self._waiting.append((request, connection))

    def _begin_turn(self) -> None:
        """
        Begin a turn of the event loop with those that wait.

        Quick calls are answered as they come in. When more come together than can be answered in a moment, the others
        wait in line, and between two moments the loop sees to probes, new connections, and those for whom the line is
        too long: they are answered 503 with Retry-After at once, which costs a twentieth of an answer.
        """
        self._is_turn_noted = False
        now, calls = monotonic(), self._turn_calls
        if self._was_line and calls:
            # From turn to turn, since between them the loop did what it does beside: that is what callers wait for.
            self._quick.note(calls, min(now - self._turn_began, calls * MAX_QUICK_SECONDS))
        self._turn_began, self._turn_calls, self._was_line = now, 0, bool(self._waiting)
        self._turn_seconds = 0.0
        while self._waiting and self._turn_seconds < TURN_SECONDS:
            request, connection = self._waiting.popleft()
            if perf_counter() - request.started > LOOK_SECONDS and connection.has_left:
                connection.answer(self._finished(request, _record_of(request), _busy(LEFT, 1, in_protocol=False)))
            else:
                self._respond_now(request, connection)
        if self._waiting:
            self._note_turn()

    def _respond_later(self, request: Request, connection: Connection, work: float = 0.0) -> None:
        """Answer from a thread of the heavy lane; work: that the call costs at least, in units, 0 for one unknown."""
        if self._heavy_in_flight >= self.settings.heavy_threads + self.settings.heavy_waiting:
            detail = "as many heavy calls as there is room for are being worked on"
            connection.answer(self._shed(request, detail, "heavy"))
            return
        if not self._heavy_in_flight:
            self._heavy_since = monotonic()
        self._heavy_in_flight += 1
        work = max(work, self._heavy.usual)
        self._heavy_work += work
        record, account = _record_of(request), Account(self.settings, has_left=lambda: connection.has_left)

        def done(answer: Answer) -> None:
            now = monotonic()
            self._heavy_in_flight -= 1
            self._heavy_work -= work
            self._heavy.note(account.work, now - self._heavy_since)
            self._heavy_since = now
            connection.answer(self._finished(request, record, answer))

        self._on_thread(self._threads, partial(self._run_unless_left, request, record, account), done)

    def _respond_scraped(self, request: Request, connection: Connection) -> None:
        record, account = _record_of(request), Account(self.settings, has_left=lambda: connection.has_left)

        def done(answer: Answer) -> None:
            connection.answer(self._finished(request, record, answer))

        self._on_thread(self._scraped, partial(self._run_unless_left, request, record, account), done)

    def _respond_coded(
        self, request: Request, connection: Connection, record: Record, account: Account, answer: Answer
    ) -> None:
        """Send the answer of a quick call, which has been made room for, compressed on a thread of its own."""
        self._coding += 1
        size = size_of(answer)

        def go_on() -> None:
            if connection.has_left:
                raise Ended

        def done(answer: Answer) -> None:
            self._coding -= 1
            self.hold(-size)
            connection.answer(self._finished(request, record, answer))

        self._on_thread(self._coders, partial(self._coder.coded, request, answer, account, go_on), done)

    def _on_thread(
        self, threads: ThreadPoolExecutor, work: Callable[[], Answer], done: Callable[[Answer], None]
    ) -> None:
        loop = self._server.loop
        # The future is handed on, not closed over: a cycle with it would keep the answer until the collector comes.
        threads.submit(work).add_done_callback(lambda worked: loop.call_soon_threadsafe(_hand_back, worked, done))

    def _is_large(self, request: Request) -> bool:
        """Whether looking at the body may take long already; a small packed body may hold a large one."""
        return len(request.body) > self.settings.quick_body_bytes or request.header(b"content-encoding") is not None

    def _run_unless_left(self, request: Request, record: Record, account: Account) -> Answer:
        """Have Flask answer, on a thread of a pool; a call whose client has left ends, or never begins."""
        try:
            account.go_on()
            return self._coder.in_full(request, self._run(request, record, account), account)
        except Ended:
            return _busy(LEFT, 1, in_protocol=is_protocol(record.path))

    def _run(self, request: Request, record: Record, account: Account) -> Answer:
        """Have Flask answer; on whatever thread. Raises HandedOver or Ended where the account says so."""
        current.set(record)
        try:
            if self._cors and request.method == "OPTIONS" and (allowed := self._preflight(request)):
                return allowed
            record.account = account
            environ = environ_of(request, record.path)
            if "HTTP_IF_NONE_MATCH" in environ and takes_gzip(request.header(b"accept-encoding")):
                environ["HTTP_IF_NONE_MATCH"] = with_own_tags(environ["HTTP_IF_NONE_MATCH"])
            reply, record.route = self._app.respond(environ, account)
            return answer_of(reply)
        except Exception:  # whatever it was, the connection must be answered
            log.exception("%s %s failed", request.method, record.path)
            detail = "the service failed on this request; the fault is ours and has been logged"
            return answer_of(problem(500, "Internal error", detail, path=record.path))

    def _preflight(self, request: Request) -> Answer | None:
        origin, method = request.header(b"origin"), request.header(b"access-control-request-method")
        if origin is None or method is None:
            return None
        lines = self._cors.preflight(origin, method, request.header(b"access-control-request-headers"))
        if lines is None:
            return None
        return Answer(204, "".join(f"{name}: {value}\r\n" for name, value in lines).encode(), ())

    def _refusal(self, request: Request, error: ServiceError) -> Answer:
        record = _record_of(request)
        return self._finished(request, record, answer_of(refusal_of(error, record.path)))

    def _shed(self, request: Request, detail: str, reason: str) -> Answer:
        """Refuse for want of room; reason: one of observe.metrics.SHED."""
        record = _record_of(request)
        with self._lock:
            self._metrics.shed(reason)
        seconds = retry_after(self._seconds_of_work(reason))
        return self._finished(request, record, _busy(detail, seconds, in_protocol=is_protocol(record.path)))

    def _seconds_of_work(self, reason: str) -> float:
        """In how many seconds what stands in the way will be done."""
        if reason == "answers":  # whoever takes in nothing is ended then
            return self.settings.body_timeout_seconds
        quick, heavy = self._quick.seconds(len(self._waiting)), self._heavy.seconds(self._heavy_work)
        if reason == "heavy":
            return heavy
        return quick if reason == "late" else max(quick, heavy)

    def _finished(self, request: Request, record: Record, answer: Answer) -> Answer:
        dressed = self._dressed(request, record, answer)
        self._count(request, record, answer)
        return dressed

    def _dressed(self, request: Request, record: Record, answer: Answer) -> Answer:
        """Add to an answer what each says of its request."""
        record.seconds = perf_counter() - record.started
        timing = f"Server-Timing: {record.timing()}, {record.account}\r\n" if record.stages else ""
        head = answer.head + f"X-Request-ID: {record.id}\r\n{timing}".encode("latin-1")
        if self._cors and answer.status != 204:
            head += self._cors.headers(request.header(b"origin"))
        return Answer(answer.status, head, answer.body)

    def _count(self, request: Request, record: Record, answer: Answer) -> None:
        """Count, log and trace a request, once its answer is on its way."""
        record.status = answer.status
        metrics = self._metrics
        with self._lock:
            metrics.answered(record.method, record.route, answer.status, record.seconds)
            metrics.stages(record.stages)
            for verdicts in record.verdicts:
                metrics.verdicts(*verdicts)
        if self.settings.access_log:
            access.info(access_line(record, sum(map(len, answer.body)), request.client))
        if self._tracing is not None:
            self._tracing.export(record)


def _hand_back(worked: Future[Answer], done: Callable[[Answer], None]) -> None:
    done(worked.result())


def _too_long_to_parse(request: Request) -> str:
    """The first of PARSED that is longer than any client makes it, all lines of it together; "" where none is."""
    for name in PARSED:
        if sum(len(value) for key, value in request.headers if key.lower() == name) > MAX_PARSED_BYTES:
            return name.decode()
    return ""


def _record_of(request: Request) -> Record:
    trace = trace_of(request.header(b"traceparent"))
    path = request.path.decode("latin-1")
    return Record(request_id(request.header(b"x-request-id")), trace, request.method, path, request.started)


@lru_cache
def _busy(detail: str, seconds: int, *, in_protocol: bool) -> Answer:
    """The answer to a request for which there is no room; kept, since those who are many should cost little."""
    return answer_of(refusal_of(Busy(detail), PROTOCOL if in_protocol else "/", seconds))
