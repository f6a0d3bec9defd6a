"""
Clients that post digits and count what comes back; a program of its own, so that it can run on another host.

    python -m tests.deploy.load http://127.0.0.1:8080 --clients 6 --seconds 5

Prints one JSON object: answered (requests answered right), failed (how, and how often), slowest (seconds). It stops by
itself, or earlier at SIGTERM, when every request that has been sent is answered.
"""

import argparse
import http.client
import json
import signal
import threading
import time
from collections import Counter
from urllib.parse import urlsplit

from tests.drawing import draw, encode

DIGITS = (1, 2, 3, 4, 7)
# One call in so many goes to the lane of heavy calls.
HEAVY_EVERY = 10
HEAVY = "/v1/apply-filters?filters=[{%22preset%22:%22box%22}]"
PAUSE_SECONDS = 0.005


class Client:
    """One keep-alive connection that asks again and again, never the same request twice."""

    def __init__(self, url, number):
        address = urlsplit(url)
        self._connection = http.client.HTTPConnection(address.hostname, address.port, timeout=60)
        self._bodies = [(digit, encode(draw(digit))) for digit in DIGITS]
        self._count = number
        self.answered, self.failed, self.slowest = 0, Counter(), 0.0

    def run(self, until, stop):
        while time.monotonic() < until and not stop.is_set():
            began = time.monotonic()
            trouble = self._ask()
            self.slowest = max(self.slowest, time.monotonic() - began)
            if trouble:
                self.failed[trouble] += 1
            else:
                self.answered += 1
            time.sleep(PAUSE_SECONDS)
        self._connection.close()

    def _ask(self):
        """What was wrong with the answer to one request; None when nothing was."""
        self._count += 1
        digit, body = self._bodies[self._count % len(DIGITS)]
        is_heavy = self._count % HEAVY_EVERY == 0
        try:
            self._connection.request("POST", HEAVY if is_heavy else "/v1/classify", body)
            response = self._connection.getresponse()
            content = response.read()
        except (OSError, http.client.HTTPException) as error:
            self._connection.close()
            return f"{type(error).__name__}: {error}"
        if response.status != 200:
            return f"{response.status}: {content[:200].decode('utf-8', 'replace')}"
        result = json.loads(content)["results"][0]
        if not is_heavy and result["digit"] != digit:
            return f"a {digit} was read as {result['digit']}"
        return None


def load(url, clients, seconds):
    """Let so many clients ask for so long; what the module prints, as a dictionary."""
    until, stop = time.monotonic() + seconds, threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    people = [Client(url, number) for number in range(clients)]
    threads = [threading.Thread(target=person.run, args=(until, stop)) for person in people]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return {
        "answered": sum(person.answered for person in people),
        "failed": dict(sum((person.failed for person in people), Counter())),
        "slowest": round(max(person.slowest for person in people), 3),
    }


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("url")
    parser.add_argument("--clients", type=int, default=6)
    parser.add_argument("--seconds", type=float, default=5)
    given = parser.parse_args()
    print(json.dumps(load(given.url, given.clients, given.seconds)))
