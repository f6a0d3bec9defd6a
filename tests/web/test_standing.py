"""
Every view, after every step, with every request of that step refused, lost or late.

The oracle is the same page with nothing wrong: whatever a page shows without a mark, a page that was opened anew in the
end state shows as well. So no answer of one picture can stand beside the verdict on another.
"""

import contextlib
import json
import os
import random
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Error

from tests.web.browsing import SLOW_MACHINE_MS, needs_chromium

pytestmark = needs_chromium

VIEWS = ["network", "bench", "why", "what-if", "filters", "learn", "lecture"]
PROOF = bool(os.environ.get("FILTERSCOPE_PROOF"))
WIDTHS = [1440, 1024, 768, 390] if PROOF else [1440, 390]
FAULTS = ["503", "422", "offline", "slow"]
SAMPLE = 1000 if PROOF else 1  # faults that are tried in each view
STEPS_TRIED = 5 if PROOF else 2  # of each view, after it was opened
SEVEN = "s:AAY9M3MwvTOja4qeddY"
ONE = "s:AAOAKYCAgNY"
EDIT = ";".join(["conv1/2:off", *(f"conv4/{k}:off" for k in range(28))])
NO_REPORT = "No report on a data set"
STEPS = {
    "opened": {"pic": SEVEN},
    "drawn": {"pic": ONE},
    "edited": {"pic": SEVEN, "change": EDIT},
    "shifted": {"pic": SEVEN, "shift": "2,1"},
}

# Everything that is shown without a mark: canvases with their size, and texts.
SURVEY = """() => {
    const panel = document.querySelector('[role=tabpanel]:not([hidden])');
    const parts = [panel, ...['verdict', 'bars', 'dock'].map(id => document.getElementById(id))];
    const isShown = element => element.checkVisibility({visibilityProperty: true, opacityProperty: true})
        && element.getClientRects().length > 0;
    const isMarked = element => element.closest('[data-standing], .hatched') !== null;
    const found = {shown: [], marks: 0, canvases: 0};
    for (const part of parts) {
        for (const canvas of part.querySelectorAll('canvas')) {
            if (!isShown(canvas)) continue;
            if (isMarked(canvas)) { found.marks += 1; continue; }
            found.canvases += 1;
            found.shown.push(`${canvas.toDataURL()} ${canvas.clientWidth} wide`);
        }
        const walker = document.createTreeWalker(part, NodeFilter.SHOW_TEXT);
        while (walker.nextNode()) {
            const element = walker.currentNode.parentElement;
            const isMade = element.closest('.standing, .todo, .caption, select, #aside, #outcome') !== null;
            if (!isMade && isShown(element) && !isMarked(element)) found.shown.push(walker.currentNode.data.trim());
        }
    }
    const sentence = panel.querySelector('.standing:not([hidden])');
    found.sentence = sentence ? sentence.innerText : '';
    found.notice = document.querySelector('#notice:not([hidden])')?.innerText ?? '';
    found.aside = document.getElementById('aside').innerText;
    return found;
}"""


def address(view, picture, **more):
    parts = {"v": 1, "pic": picture, "view": view, "at": "conv1/3@10,9"} | more
    return "#" + "&".join(f"{key}={value}" for key, value in parts.items())


class Walk:
    """A page on which one request at a time can be made to fail."""

    def __init__(self, opened):
        self.opened, self.page = opened, opened.page
        self.path, self.fault, self.held = None, None, []
        self.asked = set()
        self.page.route("**/v1/**", self.answer)
        self.page.clock.install()

    def answer(self, route):
        path = urlsplit(route.request.url).path
        self.asked.add(path)
        if path != self.path:
            route.continue_()
        elif self.fault == "offline":
            route.abort()
        elif self.fault == "slow":
            self.held.append(route)
        else:
            problem = {"title": "Refused", "status": int(self.fault), "detail": "refused by the test"}
            route.fulfill(status=int(self.fault), content_type="application/problem+json", body=json.dumps(problem))

    def go(self, fragment):
        """Open an address: at first as a visitor does, later on the page that is open."""
        self.asked.clear()
        if self.page.url.startswith(self.opened.origin):
            self.page.evaluate("hash => { location.hash = hash; }", fragment)
        else:
            self.page.goto(f"{self.opened.origin}/{fragment}")

    def step(self, view, step):
        """Do one step, from the seven in this view."""
        if step == "cleared":
            self.asked.clear()
            self.page.get_by_role("button", name="Clear").click()
        elif step == "another network":
            self.asked.clear()
            self.page.locator("#model").select_option("lecture@1")
        else:
            more = dict(STEPS[step])
            self.go(address(view, more.pop("pic"), **more))

    def settle(self):
        """Wait until every answer is there, however long the page meant to rest before it asks again."""
        self.page.clock.fast_forward(4000)
        self.opened.rest()

    def heal(self):
        self.path = None
        for route in self.held:
            with contextlib.suppress(Error):  # the page may have given it up
                route.continue_()
        self.held.clear()

    def survey(self):
        return self.page.evaluate(SURVEY)

    def sideways(self):
        """The widths of window at which the page scrolls sideways, and how wide it is there."""
        wide = {}
        for width in WIDTHS:
            self.page.set_viewport_size({"width": width, "height": 900})
            self.page.evaluate("() => new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))")
            scrolled = self.page.evaluate("document.documentElement.scrollWidth")
            if scrolled > width:
                wide[width] = scrolled
        self.page.set_viewport_size({"width": WIDTHS[0], "height": 900})
        return wide


@pytest.fixture
def walk(visit):
    walks = []

    def begin():
        opened = visit()
        opened.expected = ["Failed to load resource"]
        walks.append(Walk(opened))
        return walks[-1]

    yield begin
    for each in walks:
        each.heal()


def whole(fresh, view, step):
    """What a page that is opened anew in the end state of a step shows."""
    fresh.page.goto("about:blank")
    if step == "cleared":
        fresh.go(address(view, SEVEN))
        fresh.settle()
        fresh.step(view, step)
    else:
        more = {"pic": SEVEN, "model": "lecture@1"} if step == "another network" else dict(STEPS[step])
        fresh.go(address(view, more.pop("pic"), **more))
    fresh.settle()
    seen = fresh.survey()
    return seen, set(fresh.asked)


def is_told(found):
    """Where something is marked or nothing is shown, the open view says why, or what to do."""
    return bool(found["sentence"] or found["notice"]) if found["marks"] or not found["canvases"] else True


def check(page, allowed, where):
    """Nothing unmarked but what the whole page shows, at the latest when the page has had its time."""
    strange, found = ["nothing yet"], {}
    for _ in range(SLOW_MACHINE_MS // 150):
        found = page.survey()
        strange = [text for text in found["shown"] if text not in allowed and not text.startswith(NO_REPORT)]
        if not strange and is_told(found):
            break
        page.page.wait_for_timeout(150)
    assert [text[:80] for text in strange[:5]] == [], f"shown without a mark: {where}"
    assert is_told(found), f"a stage without a word: {where}"
    return found


@pytest.mark.parametrize("view", VIEWS)
def test_nothing_old_is_shown_as_if_it_were_new_whatever_fails(walk, view):
    chance = random.Random(view)
    later = [*list(STEPS)[1:], "cleared", "another network"]
    steps = ["opened", *sorted(chance.sample(later, STEPS_TRIED), key=later.index)]
    fresh = walk()
    wholes = {step: whole(fresh, view, step) for step in steps}
    fresh.page.close()
    wanted = {step: set(seen["shown"]) for step, (seen, _) in wholes.items()}
    page = walk()
    page.go(address(view, SEVEN))
    page.settle()
    asked = {"opened": set(page.asked)}
    for step in steps[1:]:
        page.step(view, step)
        page.settle()
        asked[step] = set(page.asked)
        check(page, wanted[step], f"{view}, {step}")
        assert page.sideways() == {}, f"{view}, {step}"
        if step == "another network":
            page.page.locator("#model").select_option("digits@1")
            page.settle()
        page.go(address(view, SEVEN))
        page.settle()
        check(page, wanted["opened"], f"{view}, {step} and back")
    faults = [(step, path, fault) for step in steps for path in sorted(asked[step]) for fault in FAULTS]
    for step, path, fault in chance.sample(faults, min(SAMPLE, len(faults))):
        where = f"{view}, {step}, {path} {fault}"
        if step == "opened":
            page.page.close()
            page = walk()
        page.path, page.fault = path, fault
        page.step(view, step)
        page.page.wait_for_timeout(200)
        page.page.clock.fast_forward(700)
        is_network = step == "another network" and path.startswith("/v1/models/lecture") and "layers" not in path
        found = check(page, wanted[step] | (wanted["opened"] if is_network else set()), where)
        if step != "cleared":
            assert "Nothing drawn" not in found["aside"] + found["sentence"], where
            assert page.page.locator("#verdict[data-standing=old] #aside:not(:text('before'))").count() == 0, where
        assert page.sideways() == {}, where
        page.heal()
        page.settle()
        if fault != "422":
            check(page, wanted[step], f"{where}, and over")
        page.page.locator("#model").select_option("digits@1")
        page.go(address(view, SEVEN))
        page.settle()
        check(page, wanted["opened"], f"{where}, and back")
