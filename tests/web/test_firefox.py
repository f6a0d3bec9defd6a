"""The page in a real Firefox, under make proof: drawn on, read, every view, and trained."""

import json

import pytest

from tests.serving import serving
from tests.web.browsing import SEVEN, ask, in_proof
from tests.web.firefox import FIREFOX, firefox
from tests.web.test_number import FOUR, TWO
from tests.web.test_screens import COVERED, SCREENS

pytestmark = [
    in_proof,
    pytest.mark.skipif(FIREFOX is None, reason="no Firefox on this machine: make browser installs one"),
]
VIEWS = ["lecture", "network", "bench", "why", "what-if", "filters", "learn"]
EXPECTED = ["404"]  # a model without a report, or without the steps of its training
PAINTED = """[...document.querySelectorAll('[role=tabpanel]:not([hidden]) canvas')]
    .filter(canvas => canvas.checkVisibility() && canvas.width > 1).length"""


@pytest.fixture(scope="module")
def page():
    with serving() as (port, _), firefox() as started:
        started.origin = f"http://127.0.0.1:{port}"
        started.resize(1440, 900)
        yield started


@pytest.fixture(autouse=True)
def nothing_is_complained_of(page):
    page.complaints.clear()
    yield
    page.evaluate("new Promise(done => setTimeout(done, 100))")
    assert [text for text in page.complaints if not any(part in text for part in EXPECTED)] == []


def text(selector):
    return f"document.querySelector({json.dumps(selector)}).innerText"


def opened(page, fragment=""):
    page.open("about:blank")
    page.open(f"{page.origin}/{fragment}")
    page.wait_for(f"{text('#digit')} === '3' && !document.querySelector('#pad[aria-busy]')")


def draw(page, strokes):
    box = page.evaluate("document.getElementById('pad').getBoundingClientRect().toJSON()")
    page.draw(
        [[(box["x"] + x * box["width"] / 100, box["y"] + y * box["height"] / 100) for x, y in s] for s in strokes]
    )


def test_the_example_and_a_drawing_are_read_as_the_service_reads_them(page):
    opened(page)
    draw(page, SEVEN)
    page.wait_for(f"{text('#digit')} === '7'")
    page.evaluate("new Promise(done => setTimeout(done, 500))")
    drawn = "document.getElementById('seen').getContext('2d').getImageData(0, 0, 28, 28).data"
    seen = page.evaluate(f"[...{drawn}].filter((_, i) => i % 4 === 0)")
    image = [[(255 - seen[28 * row + column]) / 255 for column in range(28)] for row in range(28)]
    [result] = ask(page.origin, "/v1/classify", {"image": image, "prepare": "none"})["results"]
    assert result["digit"] == 7
    assert result["is_digit"]


def test_every_view_is_painted_and_nothing_in_it_is_covered_or_cut_off(page):
    opened(page)
    for view in VIEWS:
        page.click(f"#tab-{view}")
        page.wait_for(f"!document.getElementById('view-{view}').hidden")
        if view == "learn":
            page.wait_for("document.querySelector('#view-learn .learning')?.innerText.includes('earn')")
        else:
            page.wait_for(PAINTED)
        for width, height in SCREENS:
            page.resize(width, height)
            page.evaluate("new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))")
            assert page.evaluate(f"({COVERED})()") == [], f"{view} at {width} x {height}"
        page.resize(1440, 900)


def test_a_number_is_read_and_a_digit_of_it_opened(page):
    opened(page, "#view=network")
    draw(page, [*FOUR, *TWO])
    page.wait_for("document.getElementById('number-text')?.innerText === '42'")
    page.click(".part")
    page.wait_for(f"{text('#digit')} === '4'")


def test_a_network_is_trained(page):
    opened(page, "#view=learn")
    page.wait_for("document.querySelector('#training button') !== null")
    page.click("#training button.main")
    page.wait_for("parseFloat(document.getElementById('training-said').innerText.split(': ')[1]) >= 80", 120)
    page.click("#training button.main")


def test_a_step_of_the_lecture_is_ticked_off(page):
    opened(page, "#step=4")
    page.wait_for("[...document.querySelectorAll('.step button')].some(each => each.innerText.includes('Play'))")
    page.evaluate(
        "[...document.querySelectorAll('.step button')].find(each => each.innerText.includes('Play')).click()"
    )
    page.wait_for("document.querySelectorAll('.path button')[3].className === 'done'", 90)
