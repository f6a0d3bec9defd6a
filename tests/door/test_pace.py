"""Lines and lanes under a clock of the test's own: how long callers wait, and whether Retry-After is true."""

import random
from collections import deque
from concurrent.futures import Future
from math import ceil

import pytest

from service.api.http.application import Access, Json
from service.door import door as doors
from service.door.door import Door
from service.door.pace import LONGEST_RETRY_SECONDS
from service.lab.prices import QUICK_UNITS, HandedOver
from service.server.connection import Request
from service.settings import Settings

REFUSING_SECONDS = 0.00003  # that the loop takes to read a request and refuse it
BESIDE_SECONDS = 0.002  # and for what it does between two turns: other processes have the CPU as well


class Clock:
    """Time that passes only when something is done."""

    def __init__(self):
        self.now = 1000.0

    def __call__(self):
        return self.now


class App:
    """What the door asks of an application: every call takes its time on the clock, `seconds` of it."""

    limits = Settings()

    def __init__(self, clock, seconds):
        self.clock, self.seconds = clock, seconds
        self.first = []  # how long the first calls take, if not so long

    def access_of(self, _path):
        return Access.KEYED

    def enter_thread(self):
        pass

    def respond(self, environ, account):
        work = int(environ["QUERY_STRING"] or 0)
        if work > account.allowed:
            account.work += work
            raise HandedOver
        account.work += work
        self.clock.now += work * 1e-6 or (self.first.pop() if self.first else self.seconds)
        return Json(b"{}"), "/"


class Loop:
    def __init__(self):
        self.soon = deque()

    def call_soon(self, call, *given):
        self.soon.append((call, given))

    call_soon_threadsafe = call_soon

    def turn(self):
        for _ in range(len(self.soon)):
            call, given = self.soon.popleft()
            call(*given)


class Pool:
    """Threads that begin what is submitted in turn; `step` ends the one that would end next."""

    def __init__(self, clock, threads):
        self.clock, self.threads = clock, threads
        self.calls = deque()

    def submit(self, call, *given):
        future = Future()
        self.calls.append((future, call, given))
        return future

    def step(self):
        # So many share one core: each call takes its own time, and they end one after another.
        future, call, given = self.calls.popleft()
        future.set_result(call(*given))


class Server:
    slow = ()
    unsent_bytes = busy = 0
    max_connections = 2000

    def __init__(self):
        self.loop = Loop()


class Caller:
    """A connection that notes when it was answered, and how."""

    has_left = False

    def __init__(self, clock):
        self.clock, self.came, self.answered, self.status, self.retry_after = clock, clock.now, None, 0, None

    def answer(self, answer):
        self.answered, self.status = self.clock.now, answer.status
        lines = dict(line.split(b": ", 1) for line in answer.head.split(b"\r\n") if line)
        self.retry_after = int(lines.get(b"Retry-After", 0))


@pytest.fixture
def clock(monkeypatch):
    clock = Clock()
    monkeypatch.setattr(doors, "monotonic", clock)
    monkeypatch.setattr(doors, "perf_counter", clock)
    return clock


def opened(clock, seconds, **settings):
    door = Door(App(clock, seconds), Settings(**settings))
    door.open(Server())
    return door


def ask(door, clock, query=b"", body=b""):
    request, caller = Request("POST", b"/v1/classify?" + query, [], "1.1"), Caller(clock)
    request.started, request.body = clock.now, body
    door.respond(request, caller)
    if caller.status == 503:
        clock.now += REFUSING_SECONDS
    return caller


def crowd(door, clock, rate, seconds, chance):
    """Callers that come at their own times for so long, and then the line to its end."""
    callers, until, due = [], clock.now + seconds, clock.now
    while clock.now < until or door._waiting:
        while due <= clock.now and due < until:
            callers.append(ask(door, clock))
            callers[-1].came = due
            due += chance.expovariate(rate)
        door._server.loop.turn()
        clock.now += BESIDE_SECONDS
    return callers


@pytest.mark.parametrize("wait", [0.5, 4.0])
@pytest.mark.parametrize("each", [0.0006, 0.001, 0.004])
def test_at_four_times_capacity_the_answered_waited_as_long_as_may_be_and_the_refused_were_told_at_once(
    clock, each, wait
):
    door = opened(clock, each, max_wait_seconds=wait)
    callers = crowd(door, clock, 4 / each, 3 * wait, random.Random(0))
    answered = [caller.answered - caller.came for caller in callers if caller.status == 200]
    refused = [caller.answered - caller.came for caller in callers if caller.status == 503]
    assert len(answered) + len(refused) == len(callers)
    assert 0.7 * wait < max(answered) < 1.2 * wait
    assert max(refused) < 0.02


@pytest.mark.parametrize("first", [[], [0.04], [0.008, 0.02]])
def test_a_class_with_canvases_that_waits_for_its_answers_is_answered_on_one_slow_core(clock, first):
    """Each of 64 sends again when it is answered; the wait is the default one, the worker may have just started."""
    door = opened(clock, 0.0045)
    door._app.first = list(first)
    asking, statuses = [ask(door, clock) for _ in range(64)], []
    while clock.now < 1010:
        door._server.loop.turn()
        clock.now += BESIDE_SECONDS / 2
        told = [caller for caller in asking if caller.answered is not None]
        statuses += [caller.status for caller in told]
        asking = [caller for caller in asking if caller.answered is None] + [ask(door, clock) for _ in told]
    assert len(statuses) > 1000
    assert set(statuses) == {200}


@pytest.mark.parametrize("seed", range(5))
def test_retry_after_says_when_the_line_will_be_done(clock, seed):
    chance = random.Random(seed)
    door = opened(clock, 0.01, max_wait_seconds=chance.uniform(2, 9))
    callers = crowd(door, clock, 400, 12, chance)
    refused = [caller for caller in callers if caller.status == 503]
    assert refused
    # Nobody comes after the last of them, so its line is done when the last call is.
    done = max(caller.answered for caller in callers) - refused[-1].answered
    assert 0.7 * done <= refused[-1].retry_after <= ceil(1.1 * done)
    assert len({caller.retry_after for caller in refused} - {1}) > 0


@pytest.mark.parametrize("seed", range(5))
def test_retry_after_of_the_heavy_lane_follows_the_price_of_what_waits_there(clock, seed):
    chance = random.Random(seed)
    door = opened(clock, 0.001, heavy_threads=2, heavy_waiting=8)
    pool = door._threads = Pool(clock, 2)
    price = chance.choice([100_000, 400_000, 1_500_000])
    callers = []
    for _ in range(60):
        callers.append(ask(door, clock, b"%d" % int(price * chance.uniform(0.5, 1.5))))
        door._server.loop.turn()
        if len(pool.calls) == 10 and chance.random() < 0.5:
            pool.step()
            door._server.loop.turn()
    refused = [caller for caller in callers if caller.status == 503]
    while pool.calls:
        pool.step()
        door._server.loop.turn()
    done = max(caller.answered for caller in callers if caller.status == 200) - refused[-1].answered
    assert 0.6 * done - 1 <= refused[-1].retry_after <= ceil(1.6 * done)
    assert price < QUICK_UNITS * 10 or refused[-1].retry_after > 2
    assert abs(door._heavy_work) < 1e-3


def test_retry_after_is_bounded(clock):
    door = opened(clock, 0.001, heavy_threads=1, heavy_waiting=100, max_work_units=10**9)
    door._threads = Pool(clock, 1)
    for _ in range(101):
        ask(door, clock, b"%d" % 10**7)
    door._threads.step()
    door._server.loop.turn()
    ask(door, clock, b"%d" % 10**7)
    assert ask(door, clock, b"%d" % 10**7).retry_after == LONGEST_RETRY_SECONDS


def test_a_caller_that_has_left_the_line_is_never_begun(clock):
    door = opened(clock, 0.01, max_wait_seconds=30)
    callers = [ask(door, clock) for _ in range(50)]
    for caller in callers[20:40]:
        caller.has_left = True
    while door._waiting:
        door._server.loop.turn()
    assert [caller.status for caller in callers[:20] + callers[40:]] == [200] * 30
    assert [caller.status for caller in callers[20:40]] == [503] * 20
    assert clock.now < 1000 + 31 * 0.01
