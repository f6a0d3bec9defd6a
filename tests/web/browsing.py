"""
What the tests of the page share: a server of their own, a real Chromium, and a page that must not complain.

The browser is as it comes: what a test needs otherwise (reduced motion, a theme, a touch screen) it asks for.
"""

import json
import os
import random
import shutil
import urllib.request
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
import scipy.special
from playwright.sync_api import expect, sync_playwright

ROOT = Path(__file__).resolve().parents[2]
CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome", "chrome"))), None)
needs_chromium = pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on this machine: make browser installs one")
SLOW_MACHINE_MS = 15000
PROOF = bool(os.environ.get("FILTERSCOPE_PROOF"))
in_proof = pytest.mark.skipif(not PROOF, reason="tried under make proof")
expect.set_options(timeout=SLOW_MACHINE_MS)

# Strokes in hundredths of the pad, as a hand would draw them.
SEVEN = [[(24, 20), (45, 19), (74, 20), (64, 42), (54, 62), (46, 84)]]
ONE = [[(50, 16), (50, 50), (50, 84)]]


@contextmanager
def chromium():
    """Start a headless Chromium; where its sandbox cannot be set up, as in a container, without one."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield browser
        browser.close()


def some(cases, seed, count=1):
    """Every case under make proof, else a sample of them: the same in every process."""
    return list(cases) if PROOF else random.Random(seed).sample(list(cases), count)


class Visit:
    """
    A page that was opened, and everything it complained of.

    expected: parts of what the console may say, such as a refusal that the test brings about. An error that nothing
    caught is never expected.
    """

    def __init__(self, browser, origin, *, width=1440, height=900, theme="light", **options):
        self.origin = origin
        self.said, self.uncaught, self.urls, self.expected = [], [], [], []
        self.ended = 0
        self.context = browser.new_context(
            viewport={"width": width, "height": height}, color_scheme=theme, accept_downloads=True, **options
        )
        self.page = self.context.new_page()
        self.page.on("console", lambda said: said.type == "error" and self.said.append(said.text))
        self.page.on("pageerror", lambda error: self.uncaught.append(f"{error} {error.stack}"))
        self.page.on("request", lambda request: self.urls.append(request.url))
        self.page.on("requestfinished", self._count)
        self.page.on("requestfailed", self._count)

    def _count(self, _request):
        self.ended += 1

    def open(self, fragment="#view=network", wait_for="3"):
        """Open the page, and wait until the example is drawn and the page shows a verdict. "" opens the lecture."""
        self.page.goto(f"{self.origin}/{fragment}")
        expect(self.page.locator("#pad:not([aria-busy])")).to_be_visible()
        if wait_for is not None:
            expect(self.page.locator("#digit")).to_have_text(wait_for)
        return self.page

    def close(self):
        """Close the page and check what it left: no complaint, no request to anyone else."""
        self.context.close()
        complaints = self.complaints()
        if complaints:
            pytest.fail(f"the page complained {len(complaints)} times, first of: {complaints[:3]}")
        strangers = [url for url in self.urls if not url.startswith((self.origin + "/", "blob:", "data:"))]
        if strangers:
            pytest.fail(f"the page asked elsewhere: {strangers}")

    def complaints(self):
        """Every error that nothing caught, and what the console said that was not expected."""
        return self.uncaught + [text for text in self.said if not any(part in text for part in self.expected)]

    def draw(self, strokes):
        """Draw with mouse events."""
        box = self.page.locator("#pad").bounding_box()
        mouse = self.page.mouse
        for points in strokes:
            scaled = [(box["x"] + x * box["width"] / 100, box["y"] + y * box["height"] / 100) for x, y in points]
            mouse.move(*scaled[0])
            mouse.down()
            for x, y in scaled[1:]:
                mouse.move(x, y, steps=6)
            mouse.up()

    def rest(self):
        """Wait until every answer is there and nothing more is asked."""
        quiet = 0
        while quiet < 4:
            before = len(self.urls)
            self.page.wait_for_timeout(80)
            quiet = quiet + 1 if len(self.urls) == before == self.ended else 0

    def seen(self):
        """The 28 x 28 that the network saw, 0..1, read off the page's canvas."""
        pixels = self.page.evaluate(
            "() => [...document.getElementById('seen').getContext('2d').getImageData(0, 0, 28, 28).data]"
        )
        return (255 - np.array(pixels[::4], np.float64).reshape(28, 28)) / 255

    def canvas(self, selector):
        """What a canvas shows, to compare."""
        return self.page.locator(selector).first.evaluate("canvas => canvas.toDataURL()")


def ask(origin, path, members=None):
    """Ask the service directly, past the page."""
    body = None if members is None else json.dumps(members).encode()
    request = urllib.request.Request(origin + path, body, {"Content-Type": "application/json"} if body else {})
    with urllib.request.urlopen(request, timeout=30) as response:
        return json.load(response)


def softmax_of(verdict, origin, model="digits"):
    """The ten shares of a verdict's logits at the temperature of its network's passport, before any doubt."""
    temperature = ask(origin, f"/v1/models/{model}")["passport"]["calibration"]["temperature"]
    return scipy.special.softmax(np.array(verdict["logits"]) / temperature)


def written(value, places=3):
    """A number as the page writes it: with a true minus, and none before a zero."""
    text = f"{value:.{places}f}"
    return text.replace("-", "\u2212" if float(text) else "")


def percent(share):
    """A probability as the page writes it."""
    value = share * 100
    return "> 99.9 %" if value > 99.9 else "< 0.1 %" if value < 0.1 else f"{value:.1f} %"
