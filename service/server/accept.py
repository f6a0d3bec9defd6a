"""The connections of one worker: accepted in a fair share with the other workers, watched, and ended at the stop."""

import asyncio
import contextlib
import select
import socket
import ssl
from collections.abc import Sequence
from email.utils import formatdate
from operator import itemgetter
from typing import Any

from service.server.connection import Connection, Handler, Times
from service.server.loads import Loads

# At the stop an idle connection stays open for this long: a request may be on its way already.
IDLE_AT_STOP_SECONDS = 2.0
GIVE_WAY_SECONDS = 0.006  # for so long another worker with fewer connections is left to accept the next


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
                if _has_another(listener):
                    # The connection that makes room is closed within a millisecond.
                    self._pause(listener, 0.001 if self._make_room() else 0.05)
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
