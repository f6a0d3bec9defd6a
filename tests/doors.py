"""A door behind the real server, in this process: an event loop in a thread, real sockets, times in hundredths."""

import asyncio
import contextlib
import socket
import threading
from contextlib import contextmanager
from dataclasses import dataclass

import uvloop

from service.door.door import Door
from service.server.accept import Server
from service.server.connection import Times
from service.settings import Settings

TICK_SECONDS = 0.02


@dataclass
class Opened:
    """A server that runs: where, and its parts."""

    port: int
    door: Door
    server: Server
    loop: asyncio.AbstractEventLoop
    stop: asyncio.Event

    def stop_soon(self):
        self.loop.call_soon_threadsafe(self.stop.set)

    def connect(self, seconds=5):
        return socket.create_connection(("127.0.0.1", self.port), timeout=seconds)

    def send(self, *parts, pause_seconds=0.0, half_close=False):
        """Send parts one after another and return everything that comes back until the connection ends."""
        with self.connect() as raw:
            for index, part in enumerate(parts):
                if index and pause_seconds:
                    threading.Event().wait(pause_seconds)
                raw.sendall(part)
            if half_close:
                raw.shutdown(socket.SHUT_WR)
            return read_all(raw)


def read_all(raw):
    received = b""
    with contextlib.suppress(ConnectionResetError):
        while piece := raw.recv(65536):
            received += piece
    return received


def post(body=b"", path=b"/echo", *headers, close=True):
    """A whole request."""
    lines = [b"POST " + path + b" HTTP/1.1", b"Host: x", b"Content-Length: %d" % len(body), *headers]
    if close:
        lines.append(b"Connection: close")
    return b"\r\n".join([*lines, b"", body])


def statuses(received):
    """The status of every answer in what came back."""
    return [int(part[:3]) for part in received.split(b"HTTP/1.1 ")[1:]]


@contextmanager
def opened(app, settings=None, *, keep_alive=30.0, head=30.0, body=30.0, connections=1000, graceful=5.0, **of_door):
    """Serve `app` until the block ends; the times are those of `Times`, in seconds; of_door: what else a door takes."""
    settings = settings or Settings()
    door = Door(app, settings, **of_door)
    listener = socket.create_server(("127.0.0.1", 0), backlog=128)
    port = listener.getsockname()[1]
    ready = threading.Event()
    parts = []

    async def serve():
        loop = asyncio.get_running_loop()
        server = Server(door, Times(keep_alive, head, body), connections, loop)
        stop = asyncio.Event()
        door.open(server)
        server.listen([listener])
        parts.append(Opened(port, door, server, loop, stop))
        ready.set()
        while not stop.is_set():
            server.tick()
            door.tick()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(stop.wait(), TICK_SECONDS)
        await server.stop(graceful)
        door.close()

    thread = threading.Thread(target=uvloop.run, args=(serve(),))
    thread.start()
    assert ready.wait(10)
    try:
        yield parts[0]
    finally:
        if not parts[0].loop.is_closed():
            with contextlib.suppress(RuntimeError):  # it has ended in between
                parts[0].stop_soon()
        thread.join(20)
    assert not thread.is_alive()
