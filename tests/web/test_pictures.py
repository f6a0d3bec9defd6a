"""Pictures that come and go: files of every kind, what they take the place of, and how that comes back."""

import io
import struct
import zlib

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import expect

from tests.drawing import draw, encode
from tests.web.browsing import ONE, PROOF, SEVEN, in_proof, needs_chromium, some

pytestmark = needs_chromium


def file_of(content, name="picture.png"):
    return {"name": name, "mimeType": "image/png", "buffer": content}


def large(kind, side):
    """A 4 on a picture of so many pixels."""
    written = io.BytesIO()
    Image.fromarray(draw(4, 400)).convert("L").resize((side, side)).save(written, kind)
    return written.getvalue()


REPLACED = {
    "clear": lambda page: page.get_by_role("button", name="Clear").click(),
    "pattern": lambda page: page.get_by_label("Test pattern").select_option("rug"),
    "example": lambda page: page.get_by_role("button", name="Example").click(),
    "file": lambda page: page.locator("input[type=file]").set_input_files(file_of(encode(draw(4)))),
    "keys": lambda page: page.locator("#pad").press("Delete"),
}


@pytest.mark.parametrize("how", ["a square", *some(["clear", "pattern", "file", "keys"], 5)])
def test_undo_brings_the_untouched_example_back(visit, how):
    opened = visit()
    page = opened.open("")
    expect(page.locator(".step .grid-map canvas")).to_be_visible()
    opened.rest()
    example = opened.seen()
    if how == "a square":
        page.locator(".step .grid-map canvas").click(position={"x": 20, "y": 20})
    else:
        REPLACED[how](page)
    opened.rest()
    assert not np.array_equal(opened.seen(), example)
    page.get_by_role("button", name="Undo").click()
    expect(page.locator("#digit")).to_have_text("3")
    expect(page.locator("#pad-hint")).to_have_text("An example. Draw over it.")
    opened.rest()
    np.testing.assert_array_equal(opened.seen(), example)
    opened.draw(ONE)
    expect(page.locator("#digit")).to_have_text("1")


@pytest.mark.parametrize("how", some(sorted(REPLACED), 4, 2))
def test_whatever_takes_the_place_of_a_drawing_undo_brings_it_back_and_redo_takes_it_again(visit, how):
    opened = visit(reduced_motion="reduce")
    page = opened.open()
    opened.draw(SEVEN)
    expect(page.locator("#digit")).to_have_text("7")
    opened.rest()
    drawn = opened.seen()
    REPLACED[how](page)
    expect(page.locator("#digit")).not_to_have_text("7")
    after = page.locator("#digit").inner_text()
    page.get_by_role("button", name="Undo").click()
    expect(page.locator("#digit")).to_have_text("7")
    opened.rest()
    np.testing.assert_array_equal(opened.seen(), drawn)
    page.locator("#pad").press("Control+Shift+z")
    expect(page.locator("#digit")).to_have_text(after)
    page.locator("#pad").press("Control+z")
    expect(page.locator("#digit")).to_have_text("7")


@in_proof
def test_a_drawing_over_a_picture_is_a_new_one_and_undo_brings_the_picture_back(visit):
    opened = visit(reduced_motion="reduce")
    page = opened.open()
    REPLACED["file"](page)
    expect(page.locator("#digit")).to_have_text("4")
    opened.draw(ONE)
    expect(page.locator("#digit")).to_have_text("1")
    page.get_by_role("button", name="Undo").click()
    expect(page.locator("#digit")).to_have_text("4")


def bomb(side):
    """A PNG that says it has side x side pixels and has none."""
    header = struct.pack(">IIBBBBB", side, side, 8, 0, 0, 0, 0)
    chunk = struct.pack(">I", len(header)) + b"IHDR" + header + struct.pack(">I", zlib.crc32(b"IHDR" + header))
    return b"\x89PNG\r\n\x1a\n" + chunk


@pytest.mark.parametrize("content", some([b"hello, I am a text", b"", bytes(3_000_000), bomb(8000)], 1), ids=len)
def test_a_file_that_is_no_picture_is_refused_here_in_plain_words_and_the_drawing_stays(visit, content):
    opened = visit(reduced_motion="reduce")
    page = opened.open()
    opened.draw(SEVEN)
    expect(page.locator("#digit")).to_have_text("7")
    opened.rest()
    asked = len(opened.urls)
    page.locator("input[type=file]").set_input_files(file_of(content))
    expect(page.locator("#notice")).to_contain_text("This file is no picture that can be read here")
    opened.rest()
    assert not any("/v1/classify" in url for url in opened.urls[asked:])
    expect(page.locator("#digit")).to_have_text("7")


LARGE = [("PNG", 2300), ("TIFF", 300), ("JPEG", 2300), ("AVIF", 300)]


@pytest.mark.parametrize(("kind", "side"), LARGE if PROOF else LARGE[:1])
def test_a_picture_that_only_the_browser_takes_is_made_one_that_the_service_takes(visit, kind, side):
    try:
        content = large(kind, side)
    except (KeyError, OSError):
        pytest.skip(f"Pillow writes no {kind} here")
    page = visit(reduced_motion="reduce").open()
    page.locator("input[type=file]").set_input_files(file_of(content))
    if kind == "TIFF":
        expect(page.locator("#notice")).to_contain_text("This file is no picture that can be read here")
    else:
        expect(page.locator("#digit")).to_have_text("4")


@in_proof
def test_the_box_of_a_large_photo_is_where_the_digit_is(visit):
    opened = visit(reduced_motion="reduce")
    page = opened.open()
    canvas = Image.new("L", (1600, 1200), 255)
    canvas.paste(Image.fromarray(draw(4, 400)).convert("L"), (1000, 700))
    written = io.BytesIO()
    canvas.save(written, "JPEG")
    page.locator("input[type=file]").set_input_files(file_of(written.getvalue()))
    expect(page.locator("#digit")).to_have_text("4")
    opened.rest()
    blue = page.locator("#pad").evaluate("""canvas => {
        const {data} = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height);
        const found = [];
        for (let i = 0; i < data.length; i += 4)
            if (data[i + 2] > data[i] + 60) found.push([i / 4 % canvas.width, Math.floor(i / 4 / canvas.width)]);
        return found.map(place => place.map(value => value / canvas.width * 1600));
    }""")
    (left, top), (right, bottom) = np.min(blue, 0), np.max(blue, 0) - (0, 200)
    assert 1000 <= left < right <= 1400
    assert 900 <= top < bottom + 200 <= 1300


def test_ink_in_two_pieces_is_said_to_be_so_where_it_is_no_digit(visit):
    opened = visit(reduced_motion="reduce")
    page = opened.open()
    four = [[(8, 20), (6, 55), (30, 55)], [(26, 30), (26, 85)]]
    two = [[(55, 30), (70, 18), (86, 30), (80, 50), (56, 82), (92, 82)]]
    opened.draw([*four, *two])
    expect(page.locator("#aside")).to_contain_text("This may not be one digit: its ink is in 2 pieces.")
    page.get_by_role("button", name="Clear").click()
    opened.draw(SEVEN)
    expect(page.locator("#aside")).not_to_contain_text("pieces")


@in_proof
def test_the_cell_that_is_explained_is_one_of_the_digit_at_hand(visit):
    opened = visit(reduced_motion="reduce")
    page = opened.open()
    cell = page.locator("#dock h2").inner_text()
    for strokes in [ONE, SEVEN]:
        page.get_by_role("button", name="Clear").click()
        opened.draw(strokes)
        opened.rest()
        layer, filter_, row, column = (
            part.split()[-1] for part in page.locator("#dock h2").inner_text().replace("conv1", "x conv1").split(",")
        )
        assert layer == "conv1"
        best = page.evaluate("""async () => {
            const boxes = [...document.querySelectorAll('.layer .map.current')];
            return boxes.map(box => box.getAttribute('aria-label'));
        }""")
        assert best == [f"conv1, filter {filter_}"]
        value = page.locator("#dock figcaption").first.inner_text()
        assert not value.startswith("its map: 0 "), (cell, row, column)


def test_the_example_is_asked_about_once_when_it_is_whole(visit):
    opened = visit()
    opened.open()
    opened.rest()
    for path, most in [("/v1/classify", 1), ("/v1/feature-maps", 1), ("/v1/explain", 1)]:
        assert sum(path in url for url in opened.urls) == most, path
