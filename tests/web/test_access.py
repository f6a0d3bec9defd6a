"""The page for everyone: keys alone, a finger on a phone, a screen reader, both themes; checked by axe-core."""

# The page writes a true minus, a dash and a times sign, and so do these tests.
# ruff: noqa: RUF001

import os
import re
from pathlib import Path

import axe_playwright_python
import pytest
from playwright.sync_api import expect

from tests.web.browsing import ask, needs_chromium, percent, softmax_of

pytestmark = needs_chromium

# A script tag would be refused by the page's own policy, so the text is evaluated.
AXE = (Path(axe_playwright_python.__file__).parent / "axe.min.js").read_text(encoding="utf-8")
TAGS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]
VIEWS = ["network", "bench", "why", "what-if", "filters", "learn", "lecture"]
LOOKS = [(1440, "light"), (390, "dark"), (1024, "dark"), (1440, "dark"), (390, "light"), (1024, "light")]


@pytest.mark.parametrize(("width", "theme"), LOOKS if os.environ.get("FILTERSCOPE_PROOF") else LOOKS[:2])
def test_axe_finds_nothing_serious_in_any_view(visit, width, theme):
    opened = visit(width=width, theme=theme)
    opened.expected = ["404"]  # a model without a report on a data set
    page = opened.open("#change=conv1/2:off&at=conv2/5@3,4")
    for view in VIEWS if width == 1440 or os.environ.get("FILTERSCOPE_PROOF") else ("network", "why"):
        page.locator(f"#tab-{view}").click()
        expect(page.get_by_role("tabpanel").locator("canvas, .learning").first).to_be_visible()
        page.wait_for_timeout(300)
        assert serious_findings(page) == []


def serious_findings(page):
    page.evaluate(f"{AXE}; null")
    found = page.evaluate("tags => axe.run(document, {runOnly: tags})", TAGS)
    return [
        (each["id"], [node["target"] for node in each["nodes"]][:3])
        for each in found["violations"]
        if each["impact"] in {"serious", "critical"}
    ]


def test_a_digit_can_be_drawn_and_read_with_the_keys_alone(visit, origin):
    opened = visit()
    page = opened.open()
    for _ in range(40):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.id") == "pad":
            break
    expect(page.locator("#pad")).to_be_focused()
    page.keyboard.press("Delete")
    expect(page.locator("#digit")).to_have_text("–")
    for _ in range(9):
        page.keyboard.press("ArrowUp")
    page.keyboard.down("Shift")
    for _ in range(18):
        page.keyboard.press("ArrowDown")
    page.keyboard.up("Shift")
    opened.rest()
    expect(page.locator("#digit")).to_have_text("1")
    [result] = ask(origin, "/v1/classify", {"image": opened.seen().tolist(), "prepare": "none"})["results"]
    assert page.locator("#bars .share").nth(1).inner_text() == percent(softmax_of(result, origin)[1])
    page.keyboard.press("Control+z")
    expect(page.locator("#digit")).to_have_text("–")


def test_tabs_maps_and_cells_are_reached_with_the_keys_alone(visit):
    page = visit().open()
    page.get_by_role("tab", name="Network").focus()
    page.keyboard.press("ArrowRight")
    expect(page.get_by_role("tab", name="Bench")).to_be_focused()
    expect(page.get_by_role("tabpanel")).to_have_id("view-bench")
    page.keyboard.press("Home")
    expect(page.get_by_role("tab", name="Lecture")).to_be_focused()
    page.keyboard.press("ArrowRight")
    expect(page.get_by_role("tab", name="Network")).to_be_focused()
    page.get_by_role("button", name="conv1, filter 0", exact=True).focus()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowDown")
    columns = "getComputedStyle(document.activeElement.parentElement).gridTemplateColumns.split(' ').length"
    below = page.evaluate(columns) + 1
    expect(page.get_by_role("button", name=f"conv1, filter {below}", exact=True)).to_be_focused()
    page.keyboard.press("Enter")
    grid = page.locator("#dock").get_by_role("grid")
    expect(grid).to_be_focused()
    page.keyboard.press("Control+Home")
    page.keyboard.press("ArrowRight")
    expect(grid.get_by_role("gridcell")).to_have_accessible_name(re.compile("row 0, column 1, "))
    page.keyboard.press("PageDown")
    expect(page.locator("#dock h2")).to_have_text(f"conv1, filter {below + 1}, row 0, column 1")


def test_a_kernel_is_typed_with_the_keys_alone(visit):
    page = visit().open("#view=bench&k=3x3:0,0,0,0,0,0,0,0,0:0")
    page.locator(".kernel [data-index='0']").focus()
    page.keyboard.press("ArrowRight")
    page.keyboard.type("1.5")
    page.keyboard.press("ArrowDown")
    page.keyboard.type("-2")
    cells = page.locator(".kernel").get_by_role("gridcell")
    expect(cells.nth(1)).to_have_accessible_name("row 0, column 1, 1.5")
    expect(cells.nth(4)).to_have_accessible_name("row 1, column 1, -2")


def test_single_keys_can_be_switched_off_and_stay_so(visit):
    page = visit(reduced_motion="reduce").open("")
    for is_on in (False, True):
        page.get_by_role("button", name="Keys and help").click()
        page.get_by_role("checkbox", name=re.compile("^P and Space act on the page")).set_checked(is_on)
        page.get_by_role("button", name="Close").click()
        page.reload()
        expect(page.locator("#step-title")).to_have_text(re.compile("^1 "))
        page.evaluate("document.activeElement.blur()")
        page.keyboard.press("p")
        expect(page.locator("html[data-big]")).to_have_count(int(is_on))
        page.keyboard.press(" ")
        expect(page.locator("#step-title")).to_have_text(re.compile("^2 " if is_on else "^1 "))


def test_no_view_scrolls_sideways_on_the_narrowest_phone(visit):
    opened = visit(width=320, height=640)
    opened.expected = ["404"]  # a model without a report on a data set
    page = opened.open()
    for view in VIEWS:
        page.locator(f"#tab-{view}").click()
        page.wait_for_timeout(300)
        assert page.evaluate("document.documentElement.scrollWidth") <= 320, view


def test_a_finger_draws_on_a_phone(visit):
    opened = visit(width=390, height=844, has_touch=True, is_mobile=True)
    page = opened.open()
    page.locator("#pad").scroll_into_view_if_needed()
    box = page.locator("#pad").bounding_box()
    session = opened.context.new_cdp_session(page)
    x = box["x"] + box["width"] / 2
    session.send("Input.dispatchTouchEvent", {"type": "touchStart", "touchPoints": [{"x": x, "y": box["y"] + 40}]})
    for step in range(1, 12):
        point = {"x": x, "y": box["y"] + 40 + step * (box["height"] - 80) / 11}
        session.send("Input.dispatchTouchEvent", {"type": "touchMove", "touchPoints": [point]})
    session.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})
    expect(page.locator("#digit")).to_have_text("1")


def test_the_theme_can_be_changed_and_is_kept_in_the_address(visit):
    page = visit(theme="light").open()
    ground = "getComputedStyle(document.documentElement).backgroundColor"
    light = page.evaluate(ground)
    page.get_by_role("button", name="Light or dark").click()
    expect(page.locator("html")).to_have_attribute("data-theme", "dark")
    assert page.evaluate(ground) != light
    page.wait_for_timeout(900)
    page.reload()
    expect(page.locator("html")).to_have_attribute("data-theme", "dark")


def test_a_page_at_rest_asks_nothing(visit):
    opened = visit()
    page = opened.open()
    page.wait_for_timeout(1500)
    asked = len(opened.urls)
    page.wait_for_timeout(2500)
    assert len(opened.urls) == asked
