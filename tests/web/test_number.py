"""Several digits on the pad or in a file: read as a number, each with its box, and each to be opened in every view."""

import io
import json
import re

import numpy as np
import pytest
from PIL import Image, ImageOps
from playwright.sync_api import expect

from tests.drawing import draw
from tests.web.browsing import ONE, SEVEN, ask, needs_chromium, percent

pytestmark = needs_chromium
FOUR = [[(8, 30), (5, 58), (34, 58)], [(28, 32), (28, 80)]]
TWO = [[(56, 40), (66, 28), (80, 34), (80, 48), (58, 78), (90, 78)]]
BOXES = "all => all.map(box => [box.offsetLeft, box.offsetTop, box.offsetWidth, box.offsetHeight])"


def parts(page):
    return page.get_by_role("group", name="The digits of the number").get_by_role("button")


def reads(opened):
    return sum("/v1/read" in url for url in opened.urls)


def test_a_drawn_number_is_read_once_the_pen_rests_and_a_digit_of_it_opens_in_every_view(visit, origin):
    opened = visit()
    page = opened.open()
    opened.draw(FOUR)
    opened.draw(TWO)
    expect(page.locator("#number-text")).to_have_text("42")
    assert reads(opened) < len(FOUR + TWO)
    expect(page.locator("#live")).to_have_text("A number of 2 digits: 4 2.")
    # All of it is no digit: the first opens by itself.
    expect(parts(page).first).to_have_attribute("aria-pressed", "true")
    expect(page.locator("#digit")).to_have_text("4")
    pad = page.locator("#pad").bounding_box()["width"]
    boxes = np.array(page.locator(".boxes span").evaluate_all(BOXES)) / pad * 100
    for (left, top, width, height), strokes in zip(boxes, (FOUR, TWO), strict=True):
        points = np.concatenate(strokes)
        pen = 110 / 28
        expected = [*(points.min(0) - pen), *(np.ptp(points, 0) + 2 * pen)]
        np.testing.assert_allclose([left, top, width, height], expected, atol=2.5)
    for index, digit in enumerate("42"):
        parts(page).nth(index).click()
        expect(page.locator("#digit")).to_have_text(digit)
        expect(page.locator(".boxes span").nth(index)).to_have_class(re.compile("chosen"))
        opened.rest()
        [result] = ask(origin, "/v1/classify", {"image": opened.seen().tolist(), "prepare": "none"})["results"]
        assert result["is_digit"]
        expect(parts(page).nth(index)).to_have_accessible_name(
            f"Digit {index + 1} of 2: {digit}, {percent(result['confidence'])}"
        )
        assert page.evaluate("document.querySelector('.layer.end canvas').toDataURL()") == opened.canvas("#seen")
    page.wait_for_timeout(600)
    page.reload()
    expect(page.locator("#digit")).to_have_text("2")
    parts(page).last.click()
    expect(page.locator("#aside")).to_contain_text("its ink is in")
    opened.draw(ONE)
    expect(page.locator("#several")).to_be_hidden()


def test_a_single_digit_stays_as_it_is(visit):
    opened = visit()
    page = opened.open()
    opened.draw(SEVEN)
    expect(page.locator("#digit")).to_have_text("7")
    page.wait_for_timeout(900)
    opened.rest()
    assert reads(opened) == 1
    expect(page.locator("#several")).to_be_hidden()


@pytest.mark.parametrize(("status", "words"), [(413, "4 MB are allowed"), (422, "the ink fills the picture")])
def test_a_refused_reading_is_told_until_another_picture_is_drawn(visit, status, words):
    opened = visit()
    opened.expected = ["Failed to load resource"]
    page = opened.open()
    problem = {"title": "Refused", "status": status, "detail": words}
    page.route("**/v1/read*", lambda route: route.fulfill(status=status, body=json.dumps(problem)))
    opened.draw(FOUR)
    told = page.locator("#several-problem")
    expect(told).to_have_text(f"It was not read as a number of several digits: {words}")
    page.unroute("**/v1/read*")
    opened.draw(TWO)
    expect(told).to_have_count(0)
    expect(page.locator("#number-text")).to_have_text("42")


def test_a_scribble_in_pieces_is_no_number(visit):
    opened = visit()
    page = opened.open()
    opened.draw(
        [[(10 + 4 * i, 20 + 50 * (i % 2)) for i in range(10)], [(60 + 4 * i, 90 - 60 * (i % 2)) for i in range(8)]]
    )
    with page.expect_response("**/v1/read*") as answered:
        pass
    [result] = answered.value.json()["results"]
    assert {digit["digit"] for digit in result["digits"]} == {None}
    opened.rest()
    expect(page.locator("#several")).to_be_hidden()


def test_a_photographed_number_has_a_box_around_each_digit_and_marks_what_is_not_sure(visit, origin):
    sheet = Image.new("L", (640, 360), 235)
    for i, digit in enumerate((2, 7, 4)):
        tile = Image.fromarray(draw(digit, 120)).convert("L")
        sheet.paste(20, (60 + 150 * i, 140), ImageOps.invert(tile))
    letter = Image.new("L", (120, 120), 0)
    for offset in range(10):  # no digit: a cross
        for step in range(90):
            letter.putpixel((15 + step, min(119, 10 + step + offset)), 255)
            letter.putpixel((15 + step, max(0, 100 - step + offset)), 255)
    sheet.paste(20, (510, 130), letter)
    written = io.BytesIO()
    sheet.save(written, "PNG")
    opened = visit()
    page = opened.open()
    with page.expect_response("**/v1/read*") as answered:
        page.locator("input[type=file]").set_input_files(
            {"name": "number.png", "mimeType": "image/png", "buffer": written.getvalue()}
        )
    [result] = answered.value.json()["results"]
    expect(page.locator("#number-text")).to_have_text(result["text"])
    assert re.match("274", result["text"])
    scale = page.locator("#pad").bounding_box()["width"] / 640
    boxes = np.array(page.locator(".boxes span").evaluate_all(BOXES)) / scale
    told = np.add([digit["box"] for digit in result["digits"]], [0, (640 - 360) / 2, 0, 0])
    np.testing.assert_allclose(boxes, told, atol=3)
    unsure = [digit["digit"] is None for digit in result["digits"]]
    for part, is_unsure in zip(parts(page).all(), unsure, strict=False):
        assert ("unsure" in part.get_attribute("class")) == is_unsure == ("?" in part.inner_text())
    parts(page).nth(1).click()
    expect(page.locator("#digit")).to_have_text("7")
    page.get_by_role("button", name="Undo").click()
    expect(page.locator("#several")).to_be_hidden()


@pytest.mark.parametrize("width", [390])
def test_on_a_phone_a_digit_of_a_number_is_opened_with_the_pad_folded(visit, width):
    opened = visit(width=width, height=844, has_touch=True, is_mobile=True)
    page = opened.open("")
    opened.draw(FOUR)
    opened.draw(TWO)
    expect(page.locator("#number-text")).to_have_text("42")
    page.locator("#tab-lecture").tap()
    expect(page.locator("#pad")).to_be_hidden()
    parts(page).first.tap()
    expect(page.locator("#digit")).to_have_text("4")
