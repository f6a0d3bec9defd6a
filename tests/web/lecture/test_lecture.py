"""The lecture's nine steps in a real Chromium: each done as a visitor does it, and done wrong, on one page."""

# The page writes a true minus, a dash and a times sign, and so do these tests.
# ruff: noqa: RUF001

import base64
import json
import os
import re

import numpy as np
import pytest
from playwright.sync_api import expect

from tests.serving import ROOT
from tests.web.browsing import ONE, Visit, ask, needs_chromium
from tests.web.test_access import AXE, TAGS

pytestmark = needs_chromium
PROOF = os.environ.get("FILTERSCOPE_PROOF")
STEPS = range(1, 10)
PAIR = [{"preset": "diagonal_falling"}, {"preset": "diagonal_rising"}]


class Lecture(Visit):
    """The lecture, opened once and used by the tests of this file one after the other."""

    def rest(self):
        """Wait until every answer is there and nothing more is asked, by a page that has drawn since."""
        quiet = 0
        while quiet < 3:
            before = len(self.urls)
            self.page.wait_for_timeout(20)
            self.page.evaluate("new Promise(done => requestAnimationFrame(() => setTimeout(done, 20)))")
            quiet = quiet + 1 if len(self.urls) == before == self.ended else 0

    def step(self, number):
        """Go to a step as a visitor does."""
        self.dot(number).click()
        expect(self.page.locator("#step-title")).to_have_text(re.compile(f"^{number} "))
        expect(self.page.locator(".step > div")).to_be_visible()
        self.rest()
        return self.page.locator(".step")

    def dot(self, number):
        return self.page.locator(".path button").nth(number - 1)

    def is_done(self, number):
        """Whether a step is ticked, once everything is answered."""
        self.rest()
        return self.dot(number).get_attribute("class") == "done"

    def press(self, grid, row, column, rows, columns):
        """Press a cell of a map."""
        box = grid.bounding_box()
        x, y = (column + 0.5) * box["width"] / columns, (row + 0.5) * box["height"] / rows
        grid.click(position={"x": x, "y": y})

    def walk(self, grid, row, column):
        """Go to a cell with the arrow keys."""
        grid.focus()
        for key, times in (("Control+Home", 1), ("ArrowDown", row), ("ArrowRight", column)):
            for _ in range(times):
                self.page.keyboard.press(key)
        self.page.evaluate("new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))")

    def service(self, path, **members):
        """What the service says of the 28 x 28 that the network saw."""
        return ask(self.origin, path, {"image": self.seen().tolist(), "prepare": "none", **members})["results"][0]

    def maps(self, picture=None, **members):
        """The lecture's two filters over the digit, or over another picture."""
        image = self.seen() if picture is None else picture
        members = {"filters": PAIR, "stride": 2, "padding": "valid", **members}
        answer = ask(self.origin, "/v1/apply-filters", {"image": image.tolist(), "prepare": "none", **members})
        return [np.array(each["response"]) for each in answer["results"][0]["filters"]]


@pytest.fixture(scope="module")
def lecture(browser, origin):
    opened = Lecture(browser, origin)
    opened.expected = ["404"]  # a model without a report on a data set
    opened.open("")
    yield opened
    opened.close()


def choose(step, name):
    """Choose one of a group of radio buttons."""
    step.get_by_role("radio", name=name, exact=True).check()


def number_in(locator):
    """The last number of a text."""
    return float(re.findall(r"[−-]?\d+(?:\.\d+)?", locator.inner_text())[-1].replace("−", "-"))


def test_the_first_look_is_step_one_in_few_requests_and_bytes_and_so_are_all_views(browser, origin):
    visit = Visit(browser, origin)
    session = visit.context.new_cdp_session(visit.page)
    session.send("Network.enable")
    sizes = []
    session.on("Network.loadingFinished", lambda event: sizes.append(event["encodedDataLength"]))
    page = visit.open("")
    expect(page.locator("#step-title")).to_have_text("1 A picture is numbers")
    expect(page.locator(".step .grid-map canvas").first).to_be_visible()
    visit.rest()
    asked = sorted(set(visit.urls))  # Chromium names the icon twice, and asks for it once
    assert len(asked) <= 30, asked
    assert sum(sizes) <= 120_000
    rooms = {url.split("/web/")[1].split("/")[0] for url in visit.urls if "/web/" in url}
    assert rooms.isdisjoint({"network", "window", "filter", "bench", "why", "what-if", "filters"})
    steps = {url.split("/")[-1] for url in visit.urls if "/web/lecture/" in url}
    assert steps == {"lecture.js", "parts.js", "pixels.js"}
    visit.expected = ["404"]  # a model without a report on a data set
    for tab in page.get_by_role("tab").all()[1:]:
        tab.click()
        expect(page.get_by_role("tabpanel").locator("canvas, .learning").first).to_be_visible()
        visit.rest()
    page.locator("#tab-lecture").click()
    for number in STEPS:
        page.locator(".path button").nth(number - 1).click()
        expect(page.locator(".step > div")).to_be_visible()
        visit.rest()
    assert sum(sizes) <= 350_000
    visit.close()


def test_one_a_number_is_changed_and_only_ink_on_paper_counts(lecture):
    step = lecture.step(1)
    grid = step.get_by_role("grid")
    levels = lecture.seen()
    row, column = np.argwhere(levels == 1)[0]
    lecture.press(grid, row, column, 28, 28)
    lecture.rest()
    assert lecture.seen()[row, column] == 0
    assert not lecture.is_done(1)
    row, column = np.argwhere(lecture.seen() == 0)[30]
    lecture.press(grid, row, column, 28, 28)
    expect(lecture.dot(1)).to_have_class("done")
    expect(lecture.page.locator(".said")).to_have_text("Done. Space goes on.")
    lecture.rest()
    assert lecture.seen()[row, column] == 1
    assert lecture.page.locator("#digit").inner_text() == str(lecture.service("/v1/classify")["digit"])
    step.get_by_role("button", name="Back to the digit").click()
    lecture.rest()
    np.testing.assert_array_equal(lecture.seen(), levels)


def test_two_the_stride_of_121_patches_is_found_and_196_is_not_it(lecture):
    step = lecture.step(2)
    for stride, padding, count in ((3, "left out", 64), (2, "filled with paper", 196)):
        choose(step, padding)
        choose(step, str(stride))
        expect(step.locator("#patch-count")).to_contain_text(f"= {count} patches")
        assert not lecture.is_done(2)
    expect(step.locator(".aside-box")).to_contain_text("the 196")
    choose(step, "left out")
    expect(step.locator("#patch-count")).to_have_text("11 × 11 = 121 patches")
    expect(lecture.dot(2)).to_have_class("done")
    expect(step.locator(".aside-box")).to_contain_text("14 − 3 = 11")
    expect(step.locator(".unread").first).to_be_visible()


def test_three_the_greatest_sum_is_found_with_the_keys_and_is_the_services(lecture):
    step = lecture.step(3)
    [sums, _] = lecture.maps()
    grid = step.get_by_role("grid")
    order = [np.unravel_index(place, sums.shape) for place in np.argsort(sums.ravel())]
    top, left = order[-1]
    # On its way along a row the frame may pass the greatest sum, and that would count.
    others = [(row, column) for row, column in order[:-1] if row != top or column < left]
    for row, column in (others[0], others[-1]):
        lecture.walk(grid, row, column)
        expect(step.locator("#lecture-sum")).to_contain_text("✓ the service has the same")
        assert number_in(step.locator("#lecture-sum")) == pytest.approx(sums[row, column], abs=0.006)
        assert not lecture.is_done(3)
    lecture.walk(grid, *order[-1])
    expect(lecture.dot(3)).to_have_class("done")
    expect(step.locator(".gauge .value")).to_have_text("100 %")


def test_four_the_map_is_filled_to_its_last_cell(lecture):
    step = lecture.step(4)
    slider = step.get_by_role("slider")
    step.get_by_role("button", name="Play").click()
    expect(slider).not_to_have_value("0")
    step.get_by_role("button", name="Pause").click()
    slider.fill("120")
    assert not lecture.is_done(4)
    step.get_by_role("button", name="ones").click()
    slider.press("End")
    expect(step.locator("p.formula")).to_contain_text("place 121 of 121, row 10, column 10: sum 0.00")
    expect(lecture.dot(4)).to_have_class("done")
    step.get_by_role("button", name="edge along \\").click()
    lecture.rest()
    [sums, _] = lecture.maps(np.triu(np.ones((28, 28)), 1))
    assert number_in(step.locator("p.formula")) == pytest.approx(sums[10, 10], abs=0.006)
    step.get_by_role("button", name="your digit").click()


def test_five_a_place_is_found_where_the_two_edges_oppose(lecture):
    step = lecture.step(5)
    first, second = lecture.maps()
    most = max(np.abs(first).max(), np.abs(second).max())
    strong = (np.abs(first) >= 0.2 * most) & (np.abs(second) >= 0.2 * most)
    alike, opposed = (np.argwhere(strong & (sign * first * second > 0))[0] for sign in (1, -1))
    grid = step.get_by_role("grid").first
    lecture.press(grid, *alike, 11, 11)
    expect(step.locator("#pair-words")).to_have_text("Here both have the same sign.")
    assert not lecture.is_done(5)
    lecture.press(grid, *opposed, 11, 11)
    expect(lecture.dot(5)).to_have_class("done")
    shown = [number_in(step.locator("p.big").nth(i)) for i in (0, 1)]
    assert shown == pytest.approx([first[tuple(opposed)], second[tuple(opposed)]], abs=0.006)
    step.get_by_role("button", name="zeros").click()
    expect(step.locator("#pair-words")).to_contain_text("Nothing but zeros")
    step.get_by_role("button", name="your digit").click()


def test_six_a_filter_is_painted_that_sees_upright_edges(lecture):
    step = lecture.step(6)
    grid = step.get_by_role("grid")
    step.get_by_role("button", name="all 0").click()
    expect(step.locator("#own-words")).to_have_text("It answers neither.")
    box = grid.bounding_box()

    def stroke(column):
        x = box["x"] + (column + 0.5) * box["width"] / 7
        lecture.page.mouse.move(x, box["y"] + 4)
        lecture.page.mouse.down()
        lecture.page.mouse.move(x, box["y"] + box["height"] - 4, steps=2)
        lecture.page.mouse.up()

    stroke(5)
    expect(step.locator("#own-words")).to_contain_text("both alike")
    assert not lecture.is_done(6)
    choose(step, "−1 orange")
    stroke(1)
    expect(step.locator("#own-words")).to_have_text("It sees upright edges.")
    expect(lecture.dot(6)).to_have_class("done")
    for i, value in enumerate(("7", "0")):
        expect(step.locator(".gauge .value").nth(i)).to_have_text(value)
    step.get_by_role("button", name="turn it").click()
    expect(step.locator("#own-words")).to_contain_text("level edges")


def test_seven_a_shift_changes_the_map_more_than_the_logits(lecture):
    step = lecture.step(7)
    assert not lecture.is_done(7)
    lecture.press(step.get_by_role("grid").nth(1), 1, 2, 5, 5)
    [sums], [most] = lecture.maps(filters=PAIR[:1]), lecture.maps(filters=PAIR[:1], pool={"kind": "max", "size": 2})
    assert f"the greatest is {most[1, 2]:.2f}".replace("-", "−") in step.locator("#pool-words").inner_text()
    step.get_by_role("button", name="right", exact=True).click()
    lecture.rest()
    moved = np.pad(lecture.seen(), ((0, 0), (0, 1)))[:, 1:]  # what is shown is the shifted one
    before, after = lecture.maps(moved, filters=PAIR[:1])[0], lecture.maps(filters=PAIR[:1])[0]
    np.testing.assert_allclose(before, sums, atol=1e-5)
    share = np.linalg.norm(after - before) / np.linalg.norm(before)
    gauges = step.locator(".gauge .value")
    assert number_in(gauges.nth(0)) == pytest.approx(100 * share, rel=0.01)
    posted = [{"image": each.tolist(), "prepare": "none"} for each in (moved, lecture.seen())]
    logits = [np.array(ask(lecture.origin, "/v1/classify", each)["results"][0]["logits"]) for each in posted]
    assert number_in(gauges.nth(3)) == pytest.approx(
        100 * np.linalg.norm(logits[1] - logits[0]) / np.linalg.norm(logits[0]), rel=0.01
    )
    assert share < 0.5
    assert not lecture.is_done(7)
    step.get_by_role("button", name="right", exact=True).click()
    expect(lecture.dot(7)).to_have_class("done")
    step.get_by_role("button", name="back to the middle").click()


def test_eight_the_weights_are_counted(lecture):
    step = lecture.step(8)
    expect(step).to_contain_text("784 × 20 + 20 + 20 × 10 + 10 = 15,910")
    assert 784 * 20 + 20 + 20 * 10 + 10 == 15910
    expect(step).to_contain_text("= 6,010; the service counts 6,010")
    size, stride = step.get_by_role("spinbutton").all()
    size.fill("9")
    expect(step.locator("#shared-count")).to_contain_text("= 1,850 weights")
    assert not lecture.is_done(8)
    size.fill("10")
    stride.fill("1")
    expect(step.locator("#shared-count")).to_have_text("20 × 10 × 10 + 20 + 20 × 10 + 10 = 2,230 weights")
    expect(step.locator("#map-count")).to_contain_text("20 maps of 19 × 19 = 7,220 numbers")
    expect(step).to_contain_text("of 10 × 10 at stride 1, not of 7 × 7 at stride 2")
    expect(lecture.dot(8)).to_have_class("done")
    assert 20 * 10 * 10 + 20 + 20 * 10 + 10 == 2230
    assert 20 * 19 * 19 == 7220


def test_nine_the_ball_falls_elsewhere_without_the_pegs_that_decide(lecture):
    step = lecture.step(9)
    verdict, sums = step.locator("#machine-verdict"), step.locator(".sums td")
    image = (np.array(doubtful(), np.float64) / 255).reshape(28, 28).tolist()
    asked = {"image": image, "prepare": "none", "method": "deciding-set"}
    [whole] = ask(lecture.origin, "/v1/explain", asked)["results"]
    members = whole["filters"]["members"]
    assert 1 <= len(members) <= 3
    expect(verdict).to_have_text(re.compile(f"^It falls into {whole['target']};"))
    expect(step.locator("#machine-check")).to_contain_text("✓")
    others = [int(peg) for peg in step.locator("[data-peg]").evaluate_all("all => all.map(peg => peg.dataset.peg)")]
    step.get_by_role("button", name=f"peg {next(peg for peg in others if peg not in members)}, on").click()
    lecture.rest()
    if ask_off(lecture, image, [next(peg for peg in others if peg not in members)])["digit"] == whole["target"]:
        assert not lecture.is_done(9)
    step.get_by_role("button", name="All pegs on").click()
    step.get_by_role("button", name="Which pegs decide?").click()
    expect(step.locator("#machine-help")).to_contain_text(", ".join(map(str, members)))
    for member in members:
        step.get_by_role("button", name=f"peg {member}, on").click()
    after = ask_off(lecture, image, members)
    expect(verdict).to_contain_text(f"falls into {after['digit']};")
    assert after["digit"] != whole["target"]
    shown = [float(text.replace("−", "-")) for text in sums.all_inner_texts()[1:]]
    np.testing.assert_allclose(shown, after["logits"], atol=0.06)
    expect(step.locator("#machine-check")).to_contain_text("✓ The service has the same ten sums.")
    expect(lecture.dot(9)).to_have_class("done")
    said = {"sums (logits)": "all pushes together", "e to the sum": "e to the", "shares (softmax)": "Of 100 balls"}
    for kind, words in said.items():
        choose(step, kind)
        expect(step.locator("#machine-formula")).to_contain_text(words)
        if kind != "sums (logits)":
            check_written(step.locator("#machine-formula").inner_text())
    step.get_by_role("button", name="Drop the ball").click()
    expect(step.locator("tr.ahead").first).to_be_attached()
    step.get_by_role("button", name="your digit").click()
    expect(verdict).to_have_text(re.compile("^It falls into 3;"))


def check_written(formula):
    """Hold a formula to itself: computed from the numbers that it shows, its left side is its right side."""
    plain = formula.replace("−", "-").replace(" × 10^", "e")
    of, over, result = map(float, re.search(r"([-\d.e]+) ÷ ([-\d.e]+\b).*? = ([-\d.e]+\d)", plain).groups())
    value = np.exp(of / over) if "e to the" in formula else of / over
    # A power of ten is shown with two digits, another power of e with three or more; a share with four places.
    near = {"rtol": 0.05 if "^" in formula else 2e-3} if "e to the" in formula else {"rtol": 0, "atol": 6e-5}
    np.testing.assert_allclose(value, result, **near)


def ask_off(lecture, image, filters):
    changes = [{"layer": "conv4", "filter": each, "action": "off"} for each in filters]
    answer = ask(lecture.origin, "/v1/what-if", {"image": image, "prepare": "none", "changes": changes})
    return answer["results"][0]["after"]


def doubtful():
    """The levels of the digit in doubt, out of the page's file."""
    text = (ROOT / "service" / "web" / "lecture" / "figures.js").read_text(encoding="utf-8")
    return list(base64.b64decode(re.search(r'DOUBTFUL =\s+"([^"]+)"', text)[1]))


def test_the_figures_were_measured_on_the_networks_that_ship():
    text = (ROOT / "service" / "web" / "lecture" / "figures.js").read_text(encoding="utf-8")
    for name, sha256 in json.loads(re.search(r"MEASURED_ON = (\{.*\});", text)[1]).items():
        passport = json.loads((ROOT / "models" / name / "1" / "passport.json").read_text(encoding="utf-8"))
        assert passport["files"]["model.onnx"]["sha256"] == sha256, f"{name}: python -m tests.web.lecture.figures"


def test_space_goes_on_and_back_and_means_itself_on_a_button(lecture):
    lecture.step(1)
    page = lecture.page
    title = page.locator("#step-title")
    expect(title).to_be_focused()
    for number in range(2, 10):
        page.keyboard.press("Space")
        expect(title).to_have_text(re.compile(f"^{number} "))
    page.keyboard.press("Space")
    expect(title).to_have_text(re.compile("^9 "))
    page.keyboard.press("Shift+Space")
    expect(title).to_have_text(re.compile("^8 "))
    page.locator("#theme").focus()
    page.keyboard.press("Space")
    expect(title).to_have_text(re.compile("^8 "))
    page.keyboard.press("Space")
    page.go_back()
    expect(title).to_have_text(re.compile("^9 "))


class Keys(Lecture):
    """The lecture for who has no pointer."""

    def press(self, *names):
        for name in names:
            self.page.keyboard.press(name)

    def to(self, selector, key="Tab"):
        """Press Tab until an element is focused."""
        for _ in range(60):
            if self.page.evaluate("selector => document.activeElement.matches(selector)", selector):
                return
            self.press(key)
        pytest.fail(f"{key} does not reach {selector}")

    def cell(self, row, column):
        """Go to a cell of the map that is focused."""
        self.press("Control+Home", *["ArrowDown"] * row, *["ArrowRight"] * column)

    def paint(self, column):
        """Paint a column of the filter that is focused."""
        for row in range(7):
            self.cell(row, column)
            self.press("Enter")

    def on(self, number):
        """See that a step is done, and go on."""
        expect(self.dot(number)).to_have_class("done")
        self.to(".turn .main", "Shift+Tab")
        self.press("Enter")
        expect(self.page.locator("#step-title")).to_be_focused()
        expect(self.page.locator(".step > div")).to_be_visible()
        self.rest()


def test_the_nine_are_done_with_the_keys_alone(browser, origin):
    keys = Keys(browser, origin, reduced_motion="reduce")
    page, grid = keys.open(""), ".step [role='grid']"
    keys.to(grid)
    keys.press("Control+Home", "Enter")
    keys.on(1)
    keys.to("[name='lecture-stride']")
    keys.press("ArrowRight", "ArrowRight", "ArrowRight")
    keys.on(2)
    falling, rising = keys.maps()
    keys.to(grid)
    keys.cell(*np.unravel_index(falling.argmax(), falling.shape))
    keys.on(3)
    keys.to("input[type='range']")
    keys.press("End")
    keys.on(4)
    weaker, most = np.minimum(abs(falling), abs(rising)), max(abs(falling).max(), abs(rising).max())
    keys.to(grid)
    keys.cell(*np.argwhere((falling * rising < 0) & (weaker >= 0.2 * most))[-1])
    keys.on(5)
    keys.to("[name='lecture-brush']")
    keys.to(".step .link")  # all 0
    keys.press("Enter")
    keys.to(grid, "Shift+Tab")
    keys.paint(5)
    keys.to("[name='lecture-brush']")
    keys.press("ArrowRight")
    keys.to(grid, "Shift+Tab")
    keys.paint(1)
    keys.on(6)
    keys.to("[aria-label='right']")
    keys.press("Enter", "Enter")
    keys.on(7)
    keys.to("input[type='number']")
    keys.press("Control+a", "1", "0")
    keys.on(8)
    keys.to(".step .controls button:last-child")
    keys.press("Enter")
    keys.rest()
    order = page.locator("[data-peg]").evaluate_all("all => all.map(peg => peg.dataset.peg)")
    for peg in sorted(re.findall(r"\d+", page.locator("#machine-help").inner_text())[1:-1], key=order.index):
        keys.to(f"[data-peg='{peg}']")
        keys.press("Enter")
    expect(keys.dot(9)).to_have_class("done")
    keys.close()


def test_leaving_keeps_the_state(lecture):
    step = lecture.step(2)
    choose(step, "4")
    lecture.page.locator("#tab-why").click()
    expect(lecture.page.locator("#ledger-sum")).to_be_visible()
    expect(lecture.page).to_have_url(re.compile("view=why"))
    lecture.page.keyboard.press("Space")
    lecture.page.locator("#tab-lecture").click()
    expect(lecture.page.locator("#step-title")).to_have_text("2 Cut it into patches")
    expect(step.locator("#patch-count")).to_have_text("6 × 6 = 36 patches")


def test_a_worksheet_of_the_nine_questions_is_printed_with_the_digit(lecture):
    lecture.step(1)
    page = lecture.page
    page.evaluate("window.print = () => { window.printed = true; }")
    page.get_by_role("button", name="Print the nine questions").click()
    page.wait_for_function("window.printed")
    page.emulate_media(media="print")
    expect(page.locator(".worksheet li")).to_have_count(9)
    expect(page.locator(".worksheet canvas")).to_be_visible()
    expect(page.locator(".worksheet figcaption")).to_have_text("The network reads this as 3.")
    # The last question has the numbers of the digit in doubt, so that its answer is what step 9 shows.
    numbers = re.findall(r"\d+\.\d+", page.locator(".worksheet li").last.inner_text())
    image = (np.array(doubtful(), np.float64) / 255).reshape(28, 28).tolist()
    [read] = ask(lecture.origin, "/v1/classify", {"image": image, "prepare": "none"})["results"]
    second, first = sorted(read["logits"])[-2:]
    temperature = ask(lecture.origin, "/v1/models/digits")["passport"]["calibration"]["temperature"]
    assert numbers == [f"{first:.1f}", f"{second:.1f}", f"{temperature:.2f}"]
    expect(page.locator("#pad")).not_to_be_visible()
    expect(page.locator(".lecture")).not_to_be_visible()
    page.emulate_media(media="screen")


def findings(page):
    """What axe-core finds in the lecture; not in the rail, which is checked beside the other views."""
    if not page.evaluate("'axe' in window"):
        page.evaluate(f"{AXE}; null")
    found = page.evaluate("tags => axe.run('#view-lecture', {runOnly: tags})", TAGS)
    return [(each["id"], [node["target"] for node in each["nodes"]][:3]) for each in found["violations"]]


@pytest.mark.parametrize(("width", "theme"), [(1440, "light"), (390, "dark"), (768, "light")])
def test_every_step_fits_its_screen_and_axe_finds_nothing(lecture, width, theme):
    lecture.page.emulate_media(color_scheme=theme)
    lecture.page.set_viewport_size({"width": width, "height": 900})
    for number in STEPS:
        lecture.dot(number).click()
        expect(lecture.page.locator("#step-title")).to_have_text(re.compile(f"^{number} "))
        assert lecture.page.evaluate("document.documentElement.scrollWidth") <= width, number
        assert len(re.findall(r"[\w’]+", lecture.page.locator(".say").inner_text())) <= 25, number
        if PROOF or (width == 1440 and number % 2) or (width == 390 and not number % 2):
            lecture.rest()
            assert findings(lecture.page) == [], number
    lecture.page.set_viewport_size({"width": 1440, "height": 900})


ADDRESSES = {
    "": "lecture",
    "#step=4": "lecture",
    "#theme=dark": "lecture",
    "#v=2&pic=s:AAMzZv8Ambw&shift=1,0": "lecture",
    "#view=why": "why",
    "#v=1&pic=s:AAMzZv8Ambw": "network",
    "#at=conv2/5@3,8": "network",
}


def test_an_address_opens_what_it_named_when_it_was_written(lecture):
    read = "async all => Promise.all(all.map(async text => (await m(text)).state.view))".replace(
        "m(text)", "(await import('/web/state/address.js')).read(text)"
    )
    assert lecture.page.evaluate(read, list(ADDRESSES)) == list(ADDRESSES.values())
    lecture.page.evaluate("location.hash = '#step=4'")
    expect(lecture.page.locator("#step-title")).to_have_text("4 Slide it")


def test_a_finger_swipes_to_the_next_step_and_one_that_does_not_come_is_asked_for_again(browser, origin):
    visit = Visit(browser, origin, width=390, height=844, has_touch=True, is_mobile=True, reduced_motion="reduce")
    visit.expected = ["Failed to load resource"]
    page = visit.open("#step=4")
    page.route("**/lecture/pair.js", lambda route: route.abort())
    session = visit.context.new_cdp_session(page)
    expect(page.locator("#step-title")).to_have_text("4 Slide it")
    box = page.locator(".say").bounding_box()
    for kind, x in (("touchStart", 300), ("touchMove", 200), ("touchMove", 90)):
        session.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": [{"x": x, "y": box["y"] + 8}]})
    session.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})
    expect(page.locator("#step-title")).to_have_text("5 Two opposing edges")
    expect(page.locator(".step")).to_contain_text("this step has not come")
    page.unroute("**/lecture/pair.js")
    page.get_by_role("button", name="Try again").click()
    expect(page.locator("#pair-words")).to_be_visible()
    visit.close()


def test_the_pegs_are_those_of_every_network_that_ships(lecture):
    step = lecture.step(9)
    step.get_by_role("button", name="a digit in doubt").click()
    for model in ("lecture@1", "tiny@1", "digits@1"):
        lecture.page.locator("#model").select_option(model)
        lecture.rest()
        expect(step.locator("#machine-verdict")).to_have_text(re.compile("^It falls"))
        expect(step.locator("#machine-check")).to_have_text("✓ The service has the same ten sums.")
        step.locator("[data-peg]").last.click()
        expect(step.locator("#machine-verdict")).to_contain_text("With 1 of")
        expect(step.locator("#machine-check")).to_have_text("✓ The service has the same ten sums.")
        assert step.locator(".face canvas").count() == 8


def test_nothing_is_said_of_a_digit_that_is_gone(lecture):
    lecture.page.get_by_role("button", name="Clear").click()
    for number in (1, 2, 3, 5, 7):
        lecture.step(number)
        expect(lecture.page.locator("#view-lecture .standing")).to_contain_text("Nothing drawn yet")
        said = lecture.page.locator(".step :is(.formula, .big, .gauge, .loupe svg)")
        assert [each for each in said.all() if each.inner_text().strip() and each.is_visible()] == [], number
    lecture.page.get_by_role("button", name="Example").click()
    expect(lecture.page.locator("#digit")).to_have_text("3")


def test_another_digit_unticks_nothing_and_fills_every_step(lecture):
    lecture.step(3)
    lecture.draw(ONE)
    expect(lecture.page.locator("#digit")).to_have_text("1")
    lecture.rest()
    [sums, _] = lecture.maps()
    lecture.walk(lecture.page.locator(".step").get_by_role("grid"), 5, 5)
    assert number_in(lecture.page.locator("#lecture-sum")) == pytest.approx(sums[5, 5], abs=0.006)
