"""The bench: any filter slides, by hand or by itself, and what comes after it is a network of one's own."""

# The page writes a true minus and a times sign, and so do these tests.
# ruff: noqa: RUF001

import numpy as np
import pytest
from playwright.sync_api import expect
from scipy import signal

from tests.web.browsing import ask, in_proof, needs_chromium, some, written

pytestmark = needs_chromium

REACHED = """canvas => {
    const {data} = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height);
    return [...data].filter((_, i) => i % 4 === 3).map(alpha => alpha > 0);
}"""
PLACE = "document.querySelector('#view-bench .motion input[type=range]').valueAsNumber"


def reached(page):
    return page.locator("#view-bench .map-figure .grid-map canvas").evaluate(REACHED)


@pytest.fixture
def bench(visit):
    opened = visit(reduced_motion="reduce")
    opened.open("#view=bench")
    expect(opened.page.locator("#response-sum")).to_contain_text("✓")
    opened.rest()
    return opened


def test_the_window_is_dragged_on_the_picture_and_pointed_at_in_the_map(bench):
    page = bench.page
    weights = ask(bench.origin, "/v1/filters/diagonal_falling")["weights"]
    sums = signal.correlate(bench.seen(), weights, "valid")[::2, ::2]
    picture, grid = (
        page.locator(f"#view-bench {part}") for part in (".picture canvas", ".map-figure .grid-map canvas")
    )
    box = picture.bounding_box()
    cell = box["width"] / 28
    page.mouse.move(box["x"] + 14 * cell, box["y"] + 14 * cell)
    page.mouse.down()
    for row, column in [(3, 4), (10, 10), (0, 0), (6, 2)]:
        page.mouse.move(box["x"] + (2 * column + 3.5) * cell, box["y"] + (2 * row + 3.5) * cell, steps=3)
        expect(page.locator("#response-sum")).to_have_text(f"sum {written(sums[row, column])} ✓")
        assert page.evaluate(PLACE) == row * 11 + column
    page.mouse.up()
    page.mouse.move(box["x"] + cell, box["y"] + cell)
    assert page.evaluate(PLACE) == 6 * 11 + 2  # a pointer that is not down moves nothing
    box = grid.bounding_box()
    page.mouse.move(box["x"] + 8.5 * box["width"] / 11, box["y"] + 1.5 * box["height"] / 11)
    expect(page.locator("#response-sum")).to_have_text(f"sum {written(sums[1, 8])} ✓")


def test_cells_that_the_window_has_not_reached_are_left_out_of_the_map(bench):
    page = bench.page
    assert all(reached(page))
    step = page.get_by_role("button", name="Step", exact=True)
    for count in range(1, 4):
        step.click()
        expect(page.get_by_text(f"patch {count}, its corner")).to_be_visible()
        assert reached(page) == [place < count for place in range(121)]
    page.get_by_role("button", name="Whole map").click()
    expect(page.get_by_role("button", name="Whole map")).to_be_disabled()
    assert all(reached(page))


@in_proof
def test_playing_ends_with_the_whole_map_and_stops_in_a_view_that_is_not_open(visit):
    opened = visit()
    page = opened.open("#view=bench&bench=7,valid,linear,0,-1,1")
    expect(page.locator("#response-sum")).to_contain_text("✓")
    page.get_by_label("Speed").select_option("16")
    page.get_by_role("button", name="Play", exact=True).first.click()
    expect(page.get_by_role("button", name="Whole map")).to_be_disabled()
    assert page.evaluate(PLACE) == 15
    assert all(reached(page))
    page.get_by_label("Speed").select_option("1")
    page.locator(".motion").get_by_role("button", name="Play").click()
    expect(page.get_by_text("patch 2, its corner")).to_be_visible()
    page.get_by_role("tab", name="Network").click()
    page.wait_for_timeout(600)
    place = page.evaluate(PLACE)
    page.get_by_role("tab", name="Bench").click()
    expect(page.locator(".motion").get_by_role("button", name="Play")).to_be_visible()
    page.wait_for_timeout(600)
    assert page.evaluate(PLACE) == place


@in_proof
def test_where_less_motion_is_asked_for_nothing_plays_by_itself(bench):
    page = bench.page
    expect(page.locator(".motion").get_by_role("button", name="Play")).to_be_hidden()
    page.locator(".caption").get_by_role("button", name="Play").click()
    page.wait_for_timeout(600)
    assert page.evaluate(PLACE) == 0


@pytest.mark.parametrize("chosen", some(["named/gaussian", "named/sobel_x", "learnt/conv1/6", "named/gabor"], 3))
def test_any_filter_slides(bench, chosen):
    page = bench.page
    page.get_by_label("Filter", exact=True).select_option(chosen)
    kind, *place = chosen.split("/")
    if kind == "named":
        weights, bias = ask(bench.origin, f"/v1/filters/{place[0]}")["weights"], 0
    else:
        [found] = ask(bench.origin, f"/v1/models/digits/layers/conv1/filters/{place[1]}")["filters"]
        weights, bias = found["weights"], found["bias"]
    expect(page.locator(".kernel [role=gridcell]")).to_have_count(np.size(weights))
    bench.rest()
    expect(page.get_by_label("Filter", exact=True)).to_have_value(chosen)
    stride = 1 if kind == "learnt" else 2
    sums = signal.correlate(bench.seen(), weights, "valid")[::stride, ::stride] + bias
    row, column = divmod(page.evaluate(PLACE), sums.shape[1])
    np.testing.assert_allclose(np.abs(sums[row, column]), np.abs(sums).max(), atol=1e-6)
    expect(page.locator("#response-sum")).to_contain_text(f"{written(sums[row, column])} ✓")


def test_steps_after_the_filter_are_a_network_of_ones_own(bench):
    page = bench.page
    add = page.get_by_label("Add a step")
    for step in ["max2", "sobel_x", "avg3"]:
        add.select_option(step)
    bench.rest()
    diagonal, sobel = (ask(bench.origin, f"/v1/filters/{name}")["weights"] for name in ("diagonal_falling", "sobel_x"))
    first = signal.correlate(bench.seen(), diagonal, "valid")[::2, ::2]
    pooled = first[:10, :10].reshape(5, 2, 5, 2).max((1, 3))
    second = signal.correlate(pooled, sobel, "valid")
    expected = [pooled, second, second.mean(keepdims=True)]
    for index, values in enumerate(expected):
        grid = page.get_by_role("grid", name=f"step {index + 1}")
        canvas = grid.locator("canvas")
        canvas.scroll_into_view_if_needed()
        box = canvas.bounding_box()
        row, column = values.shape[0] - 1, values.shape[1] // 2
        canvas.hover(
            position={"x": (column + 0.5) * box["width"] / values.shape[1], "y": box["height"] - 2},
        )
        expect(page.get_by_text(f"Step {index + 1}, row {row}, column {column}:")).to_be_visible()
        said = page.get_by_text(f"Step {index + 1}, row").inner_text().split(": ")[1].split(" ")[0]
        np.testing.assert_allclose(float(said.replace("−", "-")), values[row, column], rtol=6e-3, atol=1e-3)
    page.get_by_role("button", name="Remove the last step").click()
    expect(page.get_by_role("grid", name="step 3")).to_have_count(0)
    bench.rest()
    page.wait_for_timeout(600)
    assert "chain=max2,sobel_x" in page.url


@in_proof
def test_the_cells_that_a_pooled_one_comes_from_are_framed_in_the_map(bench):
    page = bench.page
    page.get_by_label("Add a step").select_option("max2")
    bench.rest()
    canvas = page.get_by_role("grid", name="step 1").locator("canvas")
    canvas.scroll_into_view_if_needed()
    box = canvas.bounding_box()
    canvas.hover(position={"x": 1.5 * box["width"] / 5, "y": 3.5 * box["height"] / 5})
    frame = page.locator(".map-figure .frame.second")
    expect(frame).to_be_visible()
    grid = page.locator(".map-figure .grid-map canvas").bounding_box()
    inner = frame.bounding_box()
    cell = grid["width"] / 11
    found = [(inner["x"] - grid["x"]) / cell, (inner["y"] - grid["y"]) / cell, inner["width"] / cell]
    np.testing.assert_allclose(found, [2, 6, 2], atol=0.15)


LINKS = [
    ("view=window", "11 × 11 = 121 patches of 7 × 7", ""),
    ("view=window&win=box,3,2,same,6", "14 × 14 = 196 patches of 3 × 3", "named/box"),
    ("view=filter&k=3x3:1,0,-1,2,0,-2,1,0,-1:0", "26 × 26 = 676 patches of 3 × 3", ""),
    ("view=filter&k=1x2:1,-1:0&kopt=2,full,relu,2,1", "14 × 15 = 210 patches of 1 × 2", ""),
]


@pytest.mark.parametrize(("link", "patches", "filter_"), some(LINKS, 2))
def test_a_link_from_before_there_was_a_bench_opens_it(visit, link, patches, filter_):
    page = visit(reduced_motion="reduce").open(f"#v=1&{link}")
    expect(page.get_by_role("tabpanel")).to_have_id("view-bench")
    expect(page.locator("#view-bench .counts h2")).to_have_text(patches)
    expect(page.get_by_label("Filter", exact=True)).to_have_value(filter_)
    expect(page.locator("#notice")).to_be_hidden()
    if "kopt" in link:
        expect(page.get_by_role("grid", name="step 1")).to_be_visible()


@in_proof
def test_a_number_out_of_bounds_says_them_and_goes_away(bench):
    page = bench.page
    field = page.get_by_label("Stride", exact=True)
    field.fill("99")
    expect(page.locator(".field", has=field)).to_contain_text("1 to 14")
    expect(page.locator(".counts h2")).to_have_text("11 × 11 = 121 patches of 7 × 7")
    field.press("Tab")
    expect(field).to_have_value("2")
    expect(field).not_to_have_attribute("aria-invalid", "true")
