"""The live camera, with Chromium's own device that plays a file: a digit at a known place."""

import time

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import expect, sync_playwright

from tests.drawing import draw
from tests.web.browsing import CHROMIUM, needs_chromium

pytestmark = needs_chromium
WIDTH, HEIGHT, SIDE = 640, 480, 200
PLACES = [(60, 40), (380, 240)]  # left and top of the digit, one after the other
BOX = """box => [box.offsetLeft, box.offsetTop, box.offsetWidth, box.offsetHeight].map(
    value => value / document.getElementById('pad').clientWidth)"""


def film(path):
    """A video of a 4 that stands at one place for three seconds, then at another (YUV4MPEG2, no compression)."""
    digit = np.asarray(Image.fromarray(draw(4, SIDE)).convert("L"))
    grey = np.full((HEIGHT // 2, WIDTH // 2), 128, np.uint8).tobytes() * 2
    with path.open("wb") as file:
        file.write(f"YUV4MPEG2 W{WIDTH} H{HEIGHT} F10:1 Ip A1:1 C420jpeg\n".encode())
        for left, top in PLACES:
            paper = np.full((HEIGHT, WIDTH), 235, np.uint8)
            paper[top : top + SIDE, left : left + SIDE] = np.minimum(235, digit)
            for _ in range(30):
                file.write(b"FRAME\n" + paper.tobytes() + grey)


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    path = tmp_path_factory.mktemp("film") / "four.y4m"
    film(path)
    with sync_playwright() as playwright:
        device = ["--use-fake-ui-for-media-stream", "--use-fake-device-for-media-stream"]
        args = ["--no-sandbox", *device, f"--use-file-for-fake-video-capture={path}"]
        started = playwright.chromium.launch(executable_path=CHROMIUM, args=args)
        yield started
        started.close()


@pytest.fixture
def opened(visit):
    made = visit(permissions=["camera"])
    made.open("#view=network")
    return made


def classified(opened):
    return sum("/v1/classify" in url for url in opened.urls)


def test_the_camera_is_read_live_with_the_box_where_the_digit_is_and_stops(opened):
    page = opened.page
    before, start = classified(opened), time.monotonic()
    page.get_by_role("button", name="Camera").click()
    expect(page.locator("#digit")).to_have_text("4")
    box = page.locator("#camera .boxes span")
    ink = np.argwhere(np.asarray(Image.fromarray(draw(4, SIDE)).convert("L")) < 128)
    seen = set()
    while len(seen) < len(PLACES) and time.monotonic() < start + 30:
        found = np.array(box.evaluate(BOX)) * WIDTH - (0, (WIDTH - HEIGHT) / 2, 0, 0)
        for place in PLACES:
            expected = [*(ink.min(0)[::-1] + place), *(np.ptp(ink, 0)[::-1])]
            if np.allclose(found, expected, atol=10):
                seen.add(place)
        page.wait_for_timeout(60)
    assert seen == set(PLACES)
    maps = opened.canvas(".layer .map canvas")
    page.wait_for_function("before => document.querySelector('.layer .map canvas').toDataURL() !== before", arg=maps)
    assert classified(opened) - before <= 5 * (time.monotonic() - start) + 2
    page.get_by_role("button", name="Take it").click()
    expect(page.locator("#camera")).to_be_hidden()
    opened.rest()
    asked = classified(opened)
    page.wait_for_timeout(700)
    assert classified(opened) == asked
    expect(page.locator("#digit")).to_have_text("4")
    page.get_by_role("button", name="Undo").click()
    expect(page.locator("#digit")).to_have_text("3")


@pytest.mark.parametrize("how", ["hidden", "stopped"])
def test_the_camera_is_let_go_when_nobody_sees_it(opened, how):
    page = opened.page
    page.evaluate("""() => {
        const ask = navigator.mediaDevices.getUserMedia.bind(navigator.mediaDevices);
        navigator.mediaDevices.getUserMedia = async wanted => {
            window.filmed = await ask(wanted);
            return window.filmed;
        };
    }""")
    page.get_by_role("button", name="Camera").click()
    expect(page.locator("#digit")).to_have_text("4")
    if how == "hidden":
        page.evaluate("""() => {
            Object.defineProperty(document, 'hidden', {value: true, configurable: true});
            document.dispatchEvent(new Event('visibilitychange'));
        }""")
    else:
        page.keyboard.press("Escape")
        expect(page.locator("#digit")).to_have_text("3")
    expect(page.locator("#camera")).to_be_hidden()
    assert page.evaluate("window.filmed.getTracks().map(track => track.readyState)") == ["ended"]
    opened.rest()


def test_a_camera_that_is_refused_is_told(visit):
    page = visit().open()
    page.evaluate("""() => {
        navigator.mediaDevices.getUserMedia = () => Promise.reject(new DOMException('', 'NotAllowedError'));
    }""")
    page.get_by_role("button", name="Camera").click()
    expect(page.locator("#dialog")).to_contain_text("The camera cannot be used here (NotAllowedError)")
