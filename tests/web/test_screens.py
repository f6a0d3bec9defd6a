"""The page on every screen: nothing under the dock or cut off, what is opened in sight, and large when presented."""

import pytest
from playwright.sync_api import expect

from tests.web.browsing import PROOF, in_proof, needs_chromium

pytestmark = needs_chromium

VIEWS = ["network", "bench", "why", "what-if", "filters", "learn", "lecture"]
SCREENS = [(1440, 900), (1024, 768), (390, 844), (1920, 1080), (1366, 650), (844, 390), (768, 1024), (320, 640)]
PROJECTORS = [(1920, 1080), (1280, 720), (1024, 768)]

# What a person cannot see or reach: wider than the window, or under something that lies over it.
COVERED = """() => {
    const panel = document.querySelector('[role=tabpanel]:not([hidden])');
    const dock = document.getElementById('dock');
    const found = [];
    if (document.documentElement.scrollWidth > innerWidth) found.push(['page', document.documentElement.scrollWidth]);
    const box = dock.getBoundingClientRect();
    const edge = panel.getBoundingClientRect();
    if (box.height && box.top < edge.bottom - 1 && box.bottom > edge.top) found.push(['dock', box.top, edge.bottom]);
    for (const part of panel.querySelectorAll('button, select, input, canvas, h2, h3, p, figcaption, .legend')) {
        if (!part.checkVisibility({visibilityProperty: true})) continue;
        if (part.closest('.scroll, .maps, .digits, .unseen')) continue;
        const {left, right} = part.getBoundingClientRect();
        if (right > edge.right + 1 || left < edge.left - 1) found.push([part.className || part.tagName, left, right]);
    }
    return found;
}"""
SMALL = """least => {
    const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
    const found = [];
    while (walker.nextNode()) {
        const text = walker.currentNode.data.trim();
        const element = walker.currentNode.parentElement;
        const isSeen = element.checkVisibility({visibilityProperty: true}) && element.getClientRects().length;
        if (!text || !isSeen || element.closest('.unseen')) continue;
        const drawing = element.closest('svg');
        const scale = drawing ? drawing.getBoundingClientRect().width / drawing.viewBox.baseVal.width : 1;
        const size = parseFloat(getComputedStyle(element).fontSize) * scale;
        if (size < least - 0.01) found.push([text.slice(0, 20), size]);
    }
    return found;
}"""


def screen(page, width, height):
    page.set_viewport_size({"width": width, "height": height})
    page.evaluate("() => new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))")


def open_view(opened, view):
    page = opened.page
    page.locator(f"#tab-{view}").click()
    expect(page.locator(f"#view-{view} :is(canvas, .learning)").first).to_be_visible()
    opened.rest()


@pytest.fixture
def opened(visit):
    made = visit(reduced_motion="reduce")
    made.expected = ["404"]  # a model without a report on a data set
    made.open("#chain=max2,sobel_x")
    return made


def test_nothing_is_covered_or_cut_off_in_any_view_on_any_screen(opened):
    for view in VIEWS:
        open_view(opened, view)
        for width, height in SCREENS if PROOF else SCREENS[:3]:
            screen(opened.page, width, height)
            assert opened.page.evaluate(COVERED) == [], f"{view} at {width} x {height}"
        screen(opened.page, 1440, 900)


def test_what_acts_on_the_maps_stands_above_them_and_in_sight_with_its_outcome(opened):
    page = opened.page
    for width, height in [(1440, 900), (1920, 1080), (1366, 768), (1024, 768)][: 4 if PROOF else 1]:
        screen(page, width, height)
        page.get_by_role("button", name="Shift right").click()
        expect(page.get_by_text("Change of each layer")).to_be_in_viewport(ratio=1)
        controls, maps = (page.locator(f"#view-network {part}").bounding_box() for part in (".controls", ".layers"))
        assert controls["y"] + controls["height"] <= maps["y"]
        page.get_by_role("button", name="Back to the middle").click()
        expect(page.get_by_text("Change of each layer")).to_be_hidden()


def test_a_tab_brings_its_panel_into_view_and_the_picture_a_tap_away(visit):
    for width, height in [(390, 844), (768, 1024)] if PROOF else [(390, 844)]:
        made = visit(width=width, height=height, has_touch=True, is_mobile=True)
        made.expected = ["404"]  # a model without a report on a data set
        page = made.open()
        for view in [*VIEWS[1:], VIEWS[0]] if PROOF else ["bench", "lecture"]:
            page.locator(f"#tab-{view}").tap()
            expect(page.locator(f"#view-{view} :is(canvas, .learning)").first).to_be_visible()
            expect(page.locator(f"#view-{view}")).to_be_in_viewport()
            made.rest()
            assert 0 < page.locator(f"#view-{view}").bounding_box()["y"] <= 160, view
            expect(page.locator("#digit")).to_be_in_viewport(ratio=1)
        page.locator("#draw-again").tap()
        expect(page.locator("#pad")).to_be_in_viewport(ratio=1)


def test_on_a_phone_a_tab_folds_the_pad_to_a_bar_and_draw_brings_it_back(visit):
    page = visit(width=390, height=844, has_touch=True, is_mobile=True).open("")
    parts = page.locator("#pad, .pad-tools, #bars")
    expect(page.locator("#pad")).to_be_visible()
    page.locator("#tab-why").tap()
    for part in parts.all():
        expect(part).to_be_hidden()
    assert page.locator("#verdict").bounding_box()["height"] <= 96
    expect(page.locator("#digit")).to_have_text("3")
    for step, is_folded in (("Draw", False), ("Fold", True), ("Draw", False)):
        page.get_by_role("button", name=step, exact=True).tap()
        for part in parts.all():
            expect(part).to_be_visible(visible=not is_folded)
    expect(page.locator("#pad")).to_be_in_viewport(ratio=1)


def test_the_table_of_what_if_is_whole_on_a_phone(opened):
    open_view(opened, "what-if")
    for width in (390, 360):
        screen(opened.page, width, 844)
        hidden = opened.page.locator("#view-what-if table").evaluate(
            "table => table.offsetWidth - table.parentElement.clientWidth"
        )
        assert hidden <= 0, width


def test_picture_products_and_map_fit_one_screen(opened):
    open_view(opened, "bench")
    page = opened.page
    for width, height in [(1920, 1080), (1440, 900), (1366, 650), (390, 844)]:
        screen(page, width, height)
        page.locator("#tab-bench").click()
        for part in [".picture canvas", ".products svg", ".map-figure .grid-map canvas"]:
            expect(page.locator(f"#view-bench {part}")).to_be_in_viewport(ratio=1)


@in_proof
def test_tabs_that_have_no_room_say_so(opened):
    page = opened.page
    for width, side in [(1440, None), (320, "more-right")]:
        screen(page, width, 800)
        has_room = page.locator("#tabs").evaluate("tabs => tabs.scrollWidth <= tabs.clientWidth")
        assert has_room == (side is None)
        classes = page.locator("#tabs").get_attribute("class").split()
        assert [name for name in classes if name.startswith("more")] == ([side] if side else [])
    page.locator("#tab-filters").click()
    expect(page.locator("#tab-filters")).to_be_in_viewport(ratio=1)
    expect(page.locator("#tabs")).to_have_class("tabs more-left")


@pytest.mark.parametrize(("width", "height"), PROJECTORS if PROOF else PROJECTORS[:1])
def test_nothing_is_small_when_the_page_is_presented(opened, width, height):
    page = opened.page
    screen(page, width, height)
    page.keyboard.press("p")
    expect(page.locator("#present")).to_have_attribute("aria-pressed", "true")
    for view in VIEWS if PROOF else ("network", "bench", "lecture"):
        open_view(opened, view)
        assert page.evaluate(SMALL, 16) == [], view
        assert page.evaluate(COVERED) == [], view
    open_view(opened, "bench")
    assert page.locator(".products text").count() == page.locator(".kernel [role=gridcell]").count() == 49
    page.keyboard.press("p")
    expect(page.locator("html")).not_to_have_attribute("data-big", "")


@in_proof
def test_the_letter_p_is_typed_where_letters_are_typed(opened):
    opened.page.locator("#tab-bench").click()
    opened.page.get_by_label("Filter", exact=True).focus()
    opened.page.keyboard.press("p")
    expect(opened.page.locator("html")).not_to_have_attribute("data-big", "")


def test_on_a_narrow_screen_bars_and_tools_stand_beside_the_pad_and_leave_no_gap(opened):
    screen(opened.page, 768, 1024)
    pad, bars, tools = (opened.page.locator(part).bounding_box() for part in (".pad-box", "#bars", "#pad-tools"))
    right, bottom = pad["x"] + pad["width"], pad["y"] + pad["height"]
    assert bars["x"] >= right
    assert tools["x"] >= right
    assert bars["y"] == pytest.approx(pad["y"], abs=2)
    assert tools["y"] + tools["height"] == pytest.approx(bottom, abs=8)
    assert opened.page.locator("#verdict").bounding_box()["y"] - bottom < 24
