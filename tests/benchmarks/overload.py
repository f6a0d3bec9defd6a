"""
More than the service can take: what becomes of those it answers, and how soon it answers the others 503.

An open loop, as crowds are: requests come at their own times whether or not others have been answered, and a latency
counts from the moment a request was due. Capacity is measured first, by clients that each wait for their answer.
"""

import asyncio
import random
from collections import deque

import httptools
import numpy as np
import uvloop

from tests.benchmarks import payloads
from tests.benchmarks.servers import KEY, running
from tests.benchmarks.table import Row, median, pick, spread

ROUNDS = pick(3, 1)
SECONDS = pick(8, 3)
CLOSED_CLIENTS = 32
CONNECTIONS = 1800  # more than have their turn within the longest wait
TIMES = (1, 2, 4)
CLASSIFY = "/v1/classify"


def rows():
    """Goodput and latencies at capacity and beyond, as medians of rounds, each against capacity in the same round."""
    posted = payloads.drawings()
    seen, capacities = {times: [] for times in TIMES}, []
    with running("Filterscope", CLASSIFY, posted) as server:
        requests = [_request(body, posted.content_type) for body in posted.bodies]

        def crowd(seconds, rate, connections):
            server.wait_for_rest()  # until the crowd before has left
            before = server.cpu_seconds()
            seen = uvloop.run(_crowd(server.port, requests, seconds, rate, connections))
            seen.cpu_seconds = server.cpu_seconds() - before
            return seen

        crowd(1, None, CLOSED_CLIENTS)
        for _ in range(ROUNDS):
            capacities.append(crowd(SECONDS, None, CLOSED_CLIENTS))
            for times in TIMES:
                seen[times].append(crowd(SECONDS, times * capacities[-1].rate, CONNECTIONS))
    what = f"capacity: PNGs of 280 x 280, {CLOSED_CLIENTS} clients that wait for their answers"
    p99 = median([each.p99(200) for each in capacities])
    yield Row(what, f"{median([each.rate for each in capacities]):.0f} a second", f"p99 {p99:.0f} ms", "", "")
    for times, crowds in seen.items():
        least = "at least 0.9" if times > 1 else ""
        goodput = [crowd.rate / capacity.rate for crowd, capacity in zip(crowds, capacities, strict=True)]
        offered = median([crowd.offered for crowd in crowds])
        what = f"{times} times capacity: answered, the crowd on the same cores"
        yield Row(what, f"of {offered:.0f} a second", "capacity", spread(goodput), least)
        worth = [crowd.worth / capacity.worth for crowd, capacity in zip(crowds, capacities, strict=True)]
        yield Row("answered for each CPU second of the service", "", "at capacity", spread(worth), least)
        answered, refused = (median([crowd.p99(status) for crowd in crowds]) for status in (200, 503))
        yield Row("p99 of those answered", f"{answered:.0f} ms", f"at capacity {p99:.0f} ms", "", "")
        if times > 1:
            yield Row("p99 of those answered 503", f"{refused:.0f} ms", "", "", "at most 50 ms")
    slowest = max(max(crowd.probes) for crowds in seen.values() for crowd in crowds)
    yield Row("slowest probe meanwhile", f"{slowest:.0f} ms", "", "", "at most 100 ms")


class Seen:
    """Milliseconds that answers of each status took, and that probes took, over some seconds."""

    def __init__(self, seconds):
        self.seconds = seconds
        self.cpu_seconds = 0.0
        self.taken, self.probes = {}, []

    @property
    def rate(self):
        return len(self.taken.get(200, ())) / self.seconds

    @property
    def worth(self):
        return len(self.taken.get(200, ())) / self.cpu_seconds

    @property
    def offered(self):
        return sum(map(len, self.taken.values())) / self.seconds

    def p99(self, status):
        taken = self.taken.get(status)
        return float(np.percentile(taken, 99)) if taken else 0.0


class _Client(asyncio.Protocol):
    """A kept connection with one request at a time."""

    def __init__(self, crowd):
        self._crowd = crowd
        self._due = 0.0

    def connection_made(self, transport):
        self._transport = transport
        self._parser = httptools.HttpResponseParser(self)
        self._crowd.idle(self)

    def connection_lost(self, _error):
        self._crowd.lost()

    def data_received(self, data):
        self._parser.feed_data(data)

    def send(self, request, due):
        self._due = due
        self._transport.write(request)

    def on_message_complete(self):
        self._crowd.answered(self._parser.get_status_code(), self._due)
        self._crowd.idle(self)


class _Crowd:
    """Requests due at times of their own, each sent over the first connection that is free."""

    def __init__(self, requests, seconds, rate):
        self._loop = asyncio.get_running_loop()
        self._requests, self._rate, self._random = requests, rate, random.Random(0)
        self._free, self._due = deque(), deque()
        self._end = self._loop.time() + seconds
        self._next = self._loop.time()
        self.seen = Seen(seconds)
        self.done = self._loop.create_future()

    def start(self):
        """Let requests become due, from now to the end."""
        now = self._loop.time()
        if now >= self._end:
            self.done.cancelled() or self.done.set_result(None)
            return
        while self._next <= now:
            self._due.append(self._next)
            self._next += self._random.expovariate(self._rate)
        while self._due and self._free:
            self._send(self._free.popleft(), self._due.popleft())
        self._loop.call_later(0.001, self.start)

    def _send(self, client, due):
        client.send(self._random.choice(self._requests), due)

    def idle(self, client):
        now = self._loop.time()
        if now >= self._end:
            return
        if self._rate is None:
            self._send(client, now)
        elif self._due:
            self._send(client, self._due.popleft())
        else:
            self._free.append(client)

    def answered(self, status, due):
        now = self._loop.time()
        if now < self._end:
            self.seen.taken.setdefault(status, []).append((now - due) * 1e3)

    def lost(self):
        if self._loop.time() < self._end and not self.done.done():
            self.done.set_exception(ConnectionError("the service closed a connection"))


async def _crowd(port, requests, seconds, rate, connections):
    """Seen: what `connections` see of requests at `rate` a second; without a rate each sends when it is answered."""
    loop = asyncio.get_running_loop()
    crowd = _Crowd(requests, seconds, rate)
    made = [await loop.create_connection(lambda: _Client(crowd), "127.0.0.1", port) for _ in range(connections)]
    if rate is None:
        loop.call_later(seconds, crowd.done.set_result, None)
    else:
        crowd.start()
    probing = asyncio.create_task(_probe(port, crowd.seen.probes))
    await crowd.done
    probing.cancel()
    for transport, _ in made:
        transport.close()
    return crowd.seen


async def _probe(port, waited):
    """Ask for /readyz ten times a second, each time on a new connection, and note the milliseconds that each took."""
    loop = asyncio.get_running_loop()
    while True:
        start = loop.time()
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"GET /readyz HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
        await reader.read()
        waited.append((loop.time() - start) * 1e3)
        writer.close()
        await asyncio.sleep(0.1)


def _request(body, kind):
    head = f"POST {CLASSIFY} HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer {KEY}\r\nContent-Type: {kind}\r\n"
    return f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body
