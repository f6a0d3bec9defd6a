"""POST /v1/read: what it promises, over drawn material and over strings composed of MNIST's digits."""

import base64
import io

import numpy as np
import pytest
from PIL import Image, ImageDraw

from service.app import create_app
from service.settings import SHIPPED_MODELS, Settings
from tests.composing import compose
from tests.drawing import draw, draw_lines, encode, npy
from tests.reading_numbers import lines_of, matched, told_lines

LINES = ["4713", "32", "274"]
PAGE = draw_lines(LINES, 60)
TEXT = "\n".join(LINES)


def read(client, picture, **query):
    answer = client.post("/v1/read", data=picture, query_string=query)
    assert answer.status_code == 200, answer.text
    (result,) = answer.json["results"]
    return result


def test_lines_numbers_and_digits_point_at_each_other(client):
    result = read(client, encode(PAGE))
    assert result["text"] == TEXT
    assert result["complete"]
    assert [line["numbers"] for line in result["lines"]] == [[0], [1], [2]]
    assert [number["value"] for number in result["numbers"]] == LINES
    for index, number in enumerate(result["numbers"]):
        assert [result["digits"][digit]["number"] for digit in number["digits"]] == [index] * len(number["digits"])
        x, y, width, height = number["box"]
        for left, top, wide, high in (result["digits"][digit]["box"] for digit in number["digits"]):
            assert x <= left <= left + wide <= x + width
            assert y <= top <= top + high <= y + height
            assert (PAGE[top : top + high, left : left + wide] < 128).any()


@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_picture_that_its_exif_turns_reads_as_upright(client, orientation):
    image = Image.fromarray(PAGE)
    stored = {2: 0, 3: 3, 4: 1, 5: 5, 6: 2, 7: 6, 8: 4}
    if orientation in stored:
        # Each is its own inverse, or that of the other quarter turn.
        image = image.transpose(Image.Transpose(stored[orientation]))
    exif = Image.Exif()
    exif[0x0112] = orientation
    out = io.BytesIO()
    image.save(out, "PNG", exif=exif)
    upright, result = read(client, encode(PAGE)), read(client, out.getvalue())
    assert result["text"] == TEXT
    assert [digit["box"] for digit in result["digits"]] == [digit["box"] for digit in upright["digits"]]


CHANGES = {
    "doubled": lambda page: page.repeat(2, axis=0).repeat(2, axis=1),
    "inverted": lambda page: 255 - page,
    "margin": lambda page: np.pad(page, ((40, 90), (150, 30)), constant_values=255),
    "grey paper": lambda page: 90 + page // 3,
    "colour": lambda page: np.stack([page, 255 - (255 - page) // 3, page // 2 + 128], axis=2).astype(np.uint8),
    "transparent": lambda page: np.dstack([np.zeros((*page.shape, 3), np.uint8), 255 - page]),
}


@pytest.mark.parametrize("change", CHANGES)
def test_what_paper_and_pen_do_changes_no_text(client, change):
    assert read(client, encode(CHANGES[change](PAGE)))["text"] == TEXT


@pytest.mark.parametrize("turn", [90, 180, 270])
def test_turn_is_undone_and_boxes_lie_in_what_was_posted(client, turn):
    turned = np.ascontiguousarray(np.rot90(PAGE, -turn // 90))
    result = read(client, encode(turned), turn=turn)
    assert result["text"] == TEXT
    for x, y, width, height in (digit["box"] for digit in result["digits"]):
        ink = turned[y : y + height, x : x + width] < 200
        assert all(edge.any() for edge in (ink[0], ink[-1], ink[:, 0], ink[:, -1]))


@pytest.mark.parametrize("line", range(3))
def test_the_region_of_a_line_gives_that_line(client, line):
    whole = read(client, encode(PAGE))
    x, y, width, height = whole["lines"][line]["box"]
    region = [max(0, x - 4), max(0, y - 4), width + 8, height + 8]
    result = read(client, encode(PAGE), region=",".join(map(str, region)))
    assert result["text"] == LINES[line]
    digits = [digit for number in whole["lines"][line]["numbers"] for digit in whole["numbers"][number]["digits"]]
    wanted = np.array([whole["digits"][index]["box"] for index in digits])
    assert np.abs(np.array([digit["box"] for digit in result["digits"]]) - wanted).max() <= 1


@pytest.mark.parametrize("turn", [0, 90])
def test_a_digits_verdict_is_that_of_classify_on_its_picture(client, turn):
    result = read(client, encode(np.rot90(PAGE, -turn // 90)), prepared_image="true", probabilities="true", turn=turn)
    for digit in result["digits"]:
        picture = base64.b64decode(digit["prepared"]["image"].partition(",")[2])
        levels = np.asarray(Image.open(io.BytesIO(picture)))
        (verdict,) = client.post("/v1/classify?prepare=none", data=npy(levels)).json["results"]
        assert digit["probabilities"] == verdict["probabilities"]
        assert (digit["novelty"], digit["is_digit"]) == (verdict["novelty"], verdict["is_digit"])
        # The matrix leads from the middle of that picture's ink to the digit's box.
        y, x = np.argwhere(levels > 128).mean(axis=0)
        at_x, at_y, _ = np.array(digit["prepared"]["matrix"]) @ (x, y, 1)
        left, top, width, height = digit["box"]
        assert left - 2 <= at_x <= left + width + 2
        assert top - 2 <= at_y <= top + height + 2


@pytest.mark.parametrize("digit", [1, 2, 3, 4, 7])
@pytest.mark.parametrize("side", [28, 140, 600])
def test_a_picture_of_one_digit_is_read_as_classify_does(client, digit, side):
    picture = encode(draw(digit, side))
    (one,) = read(client, picture, probabilities="true")["digits"]
    (verdict,) = client.post("/v1/classify", data=picture).json["results"]
    assert one["probabilities"] == verdict["probabilities"]
    assert one["prepared"] == verdict["prepared"]


@pytest.mark.parametrize(("digits", "gap"), [("22", 0.52), ("33", 0.5), ("73", 0.54), ("72", 0.5)])
def test_digits_that_touch_say_so(client, digits, gap):
    result = read(client, encode(draw_lines([digits], 100, gap=gap)))
    assert lines_of(result) == [digits]
    assert [digit["touching"] for digit in result["digits"]] == [True, True]


def test_empty_and_crossed_cells_are_marks(client):
    side = 80
    page = Image.new("L", (side * 6, side * 2), 255)
    pencil = ImageDraw.Draw(page)
    for place in range(5):
        left = side // 2 + side * place
        pencil.rectangle((left, side // 2, left + side, side // 2 + side), outline=80, width=2)
        if place in {0, 2, 4}:
            page.paste(Image.fromarray(draw(4 if place else 3, 56)), (left + 12, side // 2 + 12))
        elif place == 1:
            for ends in ((12, 12, 68, 68), (68, 12, 12, 68)):
                pencil.line([left + ends[0], side // 2 + ends[1], left + ends[2], side // 2 + ends[3]], fill=0, width=4)
    result = read(client, encode(np.asarray(page)))
    assert "".join(lines_of(result)) == "344"
    assert [(mark["kind"], mark["after"]) for mark in result["marks"]] == [("crossed", 0), ("empty", 1)]
    told = read(client, encode(np.asarray(page)), layout="cells", cells=5)
    assert "".join(lines_of(told)) == "344"


def test_a_length_chooses_and_never_invents(client):
    result = read(client, encode(draw_lines(["4732"], 60)), length="9")
    assert lines_of(result) == ["4732"]
    assert (result["numbers"][0]["accepted"], result["numbers"][0]["reason"]) == (False, "length")
    assert not result["complete"]
    assert read(client, encode(draw_lines(["4732"], 60)), length="3-4")["complete"]


def test_a_point_is_part_of_a_decimal(client):
    page = draw_lines(["47"], 60, gap=1.1)
    page[60:70, 73:83] = 0
    assert read(client, encode(page))["text"].replace(" ", "") == "47"
    assert read(client, encode(page), expect="decimal")["numbers"][0]["value"] == "4.7"


@pytest.mark.parametrize("scale", [1, 2])
def test_a_comma_is_one_and_divides_no_number(client, scale):
    page = draw_lines(["47"], 60, gap=1.1)
    for row in range(24):
        page[62 + row, 78 - row // 3 : 84 - row // 3] = 0
    picture = encode(page.repeat(scale, axis=0).repeat(scale, axis=1))
    assert [mark["kind"] for mark in read(client, picture)["marks"]] == ["comma"]
    assert read(client, picture, expect="decimal")["numbers"][0]["value"] == "4,7"


def test_what_is_not_sure_keeps_its_place(client):
    result = read(client, encode(draw_lines(["473"], 60)), sure="1")
    unsure = [digit for digit in result["digits"] if digit["digit"] is None]
    assert len(result["digits"]) == len(result["text"]) == 3
    for digit in unsure:
        assert digit["reason"] == "unsure"
    assert "".join(str(digit.get("best", digit["digit"])) for digit in result["digits"]) == "473"
    assert result["text"].count("?") == len(unsure)


def test_alternatives_are_the_next_best_strings(client):
    (number,) = read(client, encode(draw_lines(["473"], 60)), alternatives=3)["numbers"]
    shares = [each["probability"] for each in number["alternatives"]]
    assert shares == sorted(shares, reverse=True)
    assert len({number["text"], *(each["text"] for each in number["alternatives"])}) == 4


def test_more_digits_than_the_limit_are_refused_before_the_network_runs(monkeypatch):
    app = create_app(Settings(models=str(SHIPPED_MODELS), max_digits=8))
    monkeypatch.setattr("service.network.sessions.Network.classify", None)
    answer = app.test_client().post("/v1/read", data=encode(PAGE))
    assert answer.status_code == 422
    assert "8 digits (max_digits), this has 9" in answer.json["detail"]


@pytest.mark.parametrize("share", [0.5, 0.02, 0.004])
def test_noise_is_refused_before_the_work(monkeypatch, share):
    app = create_app(Settings(models=str(SHIPPED_MODELS)))
    monkeypatch.setattr("service.core.numbers.lines_of", None)
    monkeypatch.setattr("service.network.sessions.Network.classify", None)
    noise = np.where(np.random.default_rng(6).random((1500, 1500)) < share, 0, 255).astype(np.uint8)
    answer = app.test_client().post("/v1/read", data=npy(noise))
    assert answer.status_code == 422


@pytest.mark.parametrize(
    ("query", "pointer"),
    [
        ({"region": "0,0,5000,10"}, "/region"),
        ({"cells": "4"}, "/cells"),
        ({"length": "many"}, "/length"),
        ({"prepare": "none"}, "/prepare"),
    ],
)
def test_an_option_that_goes_with_nothing_is_refused(client, query, pointer):
    answer = client.post("/v1/read", data=encode(PAGE), query_string=query)
    assert answer.status_code == 422
    assert answer.json["errors"][0]["pointer"] == pointer


def test_paper_without_ink_is_refused_and_lines_alone_are_none(client):
    assert client.post("/v1/read", data=encode(np.full((80, 90), 255, np.uint8))).status_code == 422
    ruled = np.full((200, 300), 255, np.uint8)
    ruled[40::40] = 90
    result = read(client, encode(ruled))
    assert (result["text"], result["complete"], result["digits"]) == ("", False, [])


def test_a_drawn_answer_is_the_picture_with_frames(client):
    answer = client.post("/v1/read?format=png", data=encode(PAGE))
    drawn = np.asarray(Image.open(io.BytesIO(answer.data)))
    assert drawn.shape == (*PAGE.shape, 3)
    x, y, width, _ = read(client, encode(PAGE))["digits"][0]["box"]
    assert (drawn[y - 2, x : x + width] != PAGE[y - 2, x : x + width, None]).any()


# Of strings composed of MNIST's test part: the share that is read right, whole, at least.
EXACT = {"spaced": 0.95, "close": 0.9, "uneven": 0.85, "ruled": 0.85, "cells": 0.75, "page": 0.8, "touching": 0.7}


@pytest.mark.parametrize("kind", EXACT)
def test_composed_strings_are_read(client, mnist_test, proof, kind):
    count = 100 if proof else 8
    right = sure = answered = wanted = 0
    lines_told = []
    for seed in range(count):
        picture, lines = compose(kind, mnist_test, seed)
        result = read(client, npy(picture))
        got = lines_of(result)
        lines_told += told_lines(result, lines)
        right += got == lines
        wanted += sum(map(len, lines))
        matches = {place for _, place in matched("".join(lines), "".join(got))}
        is_told = [each["digit"] is not None for each in result["digits"]]
        answered += sum(is_told)
        sure += sum(place in matches for place, each in enumerate(is_told) if each)
    assert right >= EXACT[kind] * count - (0 if proof else 2)
    assert sure >= (0.97 if proof else 0.9) * answered
    assert answered >= (0.4 if kind == "touching" else 0.8) * wanted
    # How sure a line is said to be, against how often it is right.
    assert abs(np.mean(lines_told, axis=0) @ (1, -1)) < (0.08 if proof else 0.25)
