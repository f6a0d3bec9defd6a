"""The parts of the page that need no page: imported by a real browser, checked against NumPy and Pillow."""

import base64
import io

import numpy as np
import pytest
from PIL import Image

from tests.web.browsing import needs_chromium

pytestmark = needs_chromium


@pytest.fixture
def run(visit):
    """Import a module of the page and call one expression with it."""
    page = visit().open()

    def call(module, expression, argument=None):
        return page.evaluate(
            f"async (given) => {{ const m = await import('/web/{module}'); return {expression}; }}", argument
        )

    return call


def test_numbers_travel_between_the_page_and_numpy_unchanged(run):
    random = np.random.default_rng(3)
    arrays = {
        "a": random.normal(size=(2, 3, 4)).astype("f4"),
        "b": random.integers(0, 99, 5),
        "c/d.act": random.random(7),
    }
    out = io.BytesIO()
    np.savez(out, **arrays)
    expression = (
        "Object.fromEntries(Object.entries(m.readNpz(new Uint8Array(given).buffer))"
        ".map(([name, {shape, data}]) => [name, [shape, [...data]]]))"
    )
    read = run("numbers/npy.js", expression, list(out.getvalue()))
    for name, array in arrays.items():
        shape, values = read[name]
        np.testing.assert_array_equal(np.array(values).reshape(shape), array)
    levels = random.integers(0, 256, (28, 28), dtype=np.uint8)
    written = run("numbers/npy.js", "[...m.writeNpy(new Uint8Array(given), [28, 28])]", levels.ravel().tolist())
    np.testing.assert_array_equal(np.load(io.BytesIO(bytes(written))), levels)


@pytest.mark.parametrize("writer", ["pngUrl", "shortPngUrl"])
def test_the_pictures_in_copied_code_are_lossless(run, writer):
    levels = np.random.default_rng(4).integers(0, 256, (31, 17), dtype=np.uint8)
    url = run("numbers/npy.js", f"await m.{writer}(new Uint8Array(given), 17, 31)", levels.ravel().tolist())
    picture = Image.open(io.BytesIO(base64.b64decode(url.partition(",")[2])))
    assert picture.mode == "L"
    np.testing.assert_array_equal(np.asarray(picture), levels)


def test_a_link_brings_back_every_choice_that_it_was_made_from(run):
    state = {
        "picture": {"kind": "strokes", "strokes": [[[0.2, 0.4], [1, 0], [0.6, 0.8]], [[0, 0.2]]]},
        "model": "digits@1", "view": "why",
        "at": {"layer": "conv1", "filter": 3, "row": 4, "column": 7}, "pinned": True,
        "scale": "viridis", "range": "map", "before": True, "shift": [-2, 1],
        "sliding": {"preset": "box", "size": 5, "stride": 3, "padding": "same", "place": 6},
        "kernel": {"rows": 1, "columns": 3, "cells": ["-1.25", "0", "1e-3"], "bias": "0.5"},
        "response": {"stride": 2, "padding": "full", "activation": "relu", "pool": 3, "flip": True},
        "changes": [
            {"layer": "conv1", "filter": 2, "action": "off"},
            {"layer": "conv2", "filter": 1, "action": "scale", "factor": -0.5},
            {"layer": "conv1", "filter": 0, "action": "replace", "weights": [[1, 2.5], [-3, 0]], "bias": 0.25},
        ],
        "target": 3, "rival": 8, "hide": ["code", "bars"], "big": True, "theme": "dark",
    }  # fmt: skip
    expression = "await m.read('#' + await m.write({...(await import('/web/state/state.js')).DEFAULTS, ...given}))"
    answer = run("state/address.js", expression, state)
    assert answer["problems"] == []
    assert answer["state"] == state


def test_damaged_links_are_never_used_and_never_an_error(run):
    random = np.random.default_rng(6)
    whole = "#v=1&pic=s:AAMzZv8Ambw&k=1x2:1,2:0&change=conv1/2:off;conv1/0:1x1:5:0&win=box,5,3,same,6&at=conv1/3@4,7"
    for _ in range(60):
        damaged = list(whole)
        for place in random.integers(1, len(whole), 3):
            damaged[place] = chr(int(random.integers(33, 126)))
        answer = run("state/address.js", "await m.read(given)", "".join(damaged))
        assert set(answer) == {"state", "problems"}


def test_both_diverging_scales_have_paper_in_the_middle_and_grow_apart_from_it(run):
    for theme, paper in [("light", 0xF7), ("dark", 0x15)]:
        words = np.array(run("numbers/scales.js", "[...m.colourTable('diverging', given)]", theme), np.uint32)
        colours = words.view(np.uint8).reshape(256, 4)[:, :3].astype(float)
        assert abs(colours[127:129, 0].mean() - paper) <= 3
        linear = np.where(colours <= 10.31, colours / 3294.6, ((colours / 255 + 0.055) / 1.055) ** 2.4)
        lightness = linear @ [0.2126, 0.7152, 0.0722]
        away = np.diff(lightness)
        assert (away[:126] > 0).all() == (theme == "light")
        assert (away[129:] < 0).all() == (theme == "light")
