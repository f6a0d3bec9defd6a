"""state/address.js, in a real browser: the links to a view."""

import numpy as np

from tests.web.browsing import needs_chromium

pytestmark = needs_chromium


def test_a_link_brings_back_every_choice_that_it_was_made_from(run):
    state = {
        "picture": {"kind": "strokes", "strokes": [[[0.2, 0.4], [1, 0], [0.6, 0.8]], [[0, 0.2]]]},
        "model": "digits@1", "view": "why", "moment": 12, "part": 1,
        "at": {"layer": "conv1", "filter": 3, "row": 4, "column": 7}, "pinned": True,
        "scale": "viridis", "range": "map", "before": True, "shift": [-2, 1],
        "kernel": {"rows": 1, "columns": 3, "cells": ["-1.25", "0", "1e-3"], "bias": "0.5"}, "named": None,
        "bench": {
            "stride": 2, "padding": "full", "activation": "relu", "flip": True, "place": 6, "isWhole": False,
        },
        "chain": ["max2", "sobel_x", "own", "avg3"],
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
