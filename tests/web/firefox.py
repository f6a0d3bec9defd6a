"""
A headless Firefox, driven by WebDriver BiDi (https://w3c.github.io/webdriver-bidi/), which it speaks itself.

Playwright's own client of BiDi asks for more than a Firefox ESR knows, so here is what the tests need: commands over
one WebSocket (RFC 6455), with the standard library alone.
"""

import base64
import json
import os
import re
import shutil
import socket
import struct
import subprocess
import tempfile
import time
from contextlib import contextmanager

FIREFOX = next(filter(None, map(shutil.which, ("firefox", "firefox-esr"))), None)
STARTS_WITHIN = 120
ANSWERS_WITHIN = 120
LISTENS = re.compile(r"WebDriver BiDi listening on ws://127\.0\.0\.1:(\d+)")


class Socket:
    """The client's side of a WebSocket: texts out, texts in."""

    def __init__(self, port, path):
        self.socket = socket.create_connection(("127.0.0.1", port), ANSWERS_WITHIN)
        key = base64.b64encode(os.urandom(16)).decode()
        lines = [
            f"GET {path} HTTP/1.1",
            f"Host: 127.0.0.1:{port}",
            "Upgrade: websocket",
            "Connection: Upgrade",
            f"Sec-WebSocket-Key: {key}",
            "Sec-WebSocket-Version: 13",
        ]
        self.socket.sendall(("\r\n".join(lines) + "\r\n\r\n").encode())
        self.file = self.socket.makefile("rb")
        status = self.file.readline()
        if b" 101 " not in status:
            raise ConnectionError(f"Firefox took no WebSocket: {status!r}")
        while self.file.readline() not in {b"\r\n", b""}:
            pass

    def send(self, text):
        data = text.encode()
        size = len(data)
        head = bytes([0x81, 0x80 | size]) if size < 126 else struct.pack(">BBH", 0x81, 0xFE, size)
        if size > 0xFFFF:
            head = struct.pack(">BBQ", 0x81, 0xFF, size)
        mask = os.urandom(4)
        masked = bytes(byte ^ mask[i % 4] for i, byte in enumerate(data))
        self.socket.sendall(head + mask + masked)

    def receive(self):
        """The next text, whole; a ping is answered and nothing more comes of it."""
        parts, is_last = [], False
        while not is_last:
            first, second = self.file.read(2)
            is_last, kind, size = bool(first & 0x80), first & 0x0F, second & 0x7F
            if size == 126:
                (size,) = struct.unpack(">H", self.file.read(2))
            elif size == 127:
                (size,) = struct.unpack(">Q", self.file.read(8))
            data = self.file.read(size)
            if kind == 8:
                raise ConnectionError("Firefox closed the WebSocket")
            if kind in {0, 1}:
                parts.append(data)
            else:
                is_last = False
        return b"".join(parts).decode()

    def close(self):
        self.file.close()
        self.socket.close()


class Firefox:
    """One page of a Firefox. `complaints` are the errors that its console and its scripts told."""

    def __init__(self, channel):
        self.channel, self.number, self.complaints = channel, 0, []
        self.command("session.new", capabilities={})
        self.command("session.subscribe", events=["log.entryAdded"])
        [tree] = self.command("browsingContext.getTree", maxDepth=0)["contexts"]
        self.context = tree["context"]

    def command(self, method, **params):
        """Send a command and wait for its answer; what comes between is looked at."""
        self.number += 1
        self.channel.send(json.dumps({"id": self.number, "method": method, "params": params}))
        while True:
            told = json.loads(self.channel.receive())
            if told["type"] == "event":
                entry = told["params"]
                if told["method"] == "log.entryAdded" and entry["level"] == "error":
                    self.complaints.append(entry["text"])
            elif told.get("id") == self.number:
                if told["type"] == "error":
                    raise RuntimeError(f"{method}: {told['error']}: {told['message']}")
                return told["result"]

    def resize(self, width, height):
        viewport = {"width": width, "height": height}
        self.command("browsingContext.setViewport", context=self.context, viewport=viewport)

    def open(self, url):
        self.command("browsingContext.navigate", context=self.context, url=url, wait="complete")

    def evaluate(self, expression):
        """The value of an expression, or of what it promises, as JSON carries it."""
        wrapped = f"(async () => JSON.stringify(await ({expression})) ?? 'null')()"
        target = {"context": self.context}
        answer = self.command("script.evaluate", expression=wrapped, target=target, awaitPromise=True)
        if answer["type"] == "exception":
            raise RuntimeError(answer["exceptionDetails"]["text"])
        return json.loads(answer["result"]["value"])

    def wait_for(self, expression, seconds=60):
        """Wait until an expression is true."""
        deadline = time.monotonic() + seconds
        while not (found := self.evaluate(expression)):
            if time.monotonic() > deadline:
                raise TimeoutError(f"never true in {seconds} s: {expression}")
            time.sleep(0.1)
        return found

    def click(self, selector):
        self.evaluate(f"void document.querySelector({json.dumps(selector)}).scrollIntoView({{block: 'center'}})")
        box = f"document.querySelector({json.dumps(selector)}).getBoundingClientRect().toJSON()"
        place = self.evaluate(box)
        point = (place["x"] + place["width"] / 2, place["y"] + place["height"] / 2)
        self.draw([[point]])

    def draw(self, strokes):
        """Press the mouse at the first point of each stroke, move it through the others, and let it go."""
        actions = []
        for points in strokes:
            moves = [{"type": "pointerMove", "x": round(x), "y": round(y), "duration": 60} for x, y in points]
            down, up = {"type": "pointerDown", "button": 0}, {"type": "pointerUp", "button": 0}
            actions += [moves[0], down, *moves[1:], up]
        pointer = {"type": "pointer", "id": "mouse", "parameters": {"pointerType": "mouse"}, "actions": actions}
        self.command("input.performActions", context=self.context, actions=[pointer])


@contextmanager
def firefox():
    """Start a Firefox with a profile of its own, and end it."""
    with tempfile.TemporaryDirectory() as profile, tempfile.TemporaryFile("w+") as told:
        command = [FIREFOX, "--headless", "--no-remote", "--profile", profile, "--remote-debugging-port", "0"]
        process = subprocess.Popen(
            [*command, "about:blank"], stdout=told, stderr=told, env=os.environ | {"HOME": profile}
        )
        try:
            channel = Socket(port_of(process, told), "/session")
            yield Firefox(channel)
            channel.close()
        finally:
            process.terminate()
            process.wait(30)


def port_of(process, told):
    """The port that Firefox says it listens on."""
    deadline = time.monotonic() + STARTS_WITHIN
    while time.monotonic() < deadline and process.poll() is None:
        told.seek(0)
        if found := LISTENS.search(told.read()):
            return int(found[1])
        time.sleep(0.2)
    told.seek(0)
    raise TimeoutError(f"Firefox said nothing of BiDi: {told.read()[-500:]}")
