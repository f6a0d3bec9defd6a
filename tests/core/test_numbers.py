"""Several digits on a page: what is found, taken off, cut apart and chosen, without a network."""

from itertools import combinations, pairwise

import numpy as np
import pytest
from PIL import Image, ImageDraw

from service.core.numbers import find
from service.core.numbers.blobs import Blob, joined_blob
from service.core.numbers.cuts import cut_up
from service.core.numbers.paths import Step, best_paths
from tests.drawing import draw, draw_lines

PAGE = draw_lines(["471", "32"], 60)


def with_lines(page, *lines, level=120, width=2):
    """A page with lines drawn over it, each from (x, y) to (x, y)."""
    image = Image.fromarray(page)
    pencil = ImageDraw.Draw(image)
    for line in lines:
        pencil.line(line, fill=level, width=width)
    return np.asarray(image)


def test_every_digit_is_found_once_and_lies_in_its_line():
    found = find(PAGE)
    assert [len(line) for line in found.lines] == [3, 2]
    assert [blob.left for line in found.lines for blob in (found.blobs[index] for index in line)] == sorted(
        blob.left for blob in found.blobs[:3]
    ) + sorted(blob.left for blob in found.blobs[3:])


@pytest.mark.parametrize("slope", [-0.08, -0.03, 0.0, 0.02, 0.08])
@pytest.mark.parametrize("where", [0.4, 0.97])
def test_a_rule_of_any_slope_is_taken_off_and_digits_stay_whole(slope, where):
    page = draw_lines(["47137"], 60)
    width = page.shape[1]
    y = 15 + 60 * where
    found = find(with_lines(page, (0, y - slope * width / 2, width, y + slope * width / 2)))
    assert len(found.rules) == 1
    assert len([blob for blob in found.blobs if blob.height > 30]) == 5
    assert abs(found.rules[0].slope - slope) < 0.01


@pytest.mark.parametrize("angle", [-5, -2, 0, 3, 5])
def test_a_row_of_cells_is_taken_off(angle):
    page = np.pad(draw_lines(["4732"], 60, gap=1.4), 60, constant_values=255)
    top, left, side = 60 + 6, 60 + 4, 84
    lines = [(left, y, left + 4 * side, y) for y in (top, top + side)]
    lines += [(left + side * place, top, left + side * place, top + side) for place in range(5)]
    image = Image.fromarray(with_lines(page, *lines, level=60)).rotate(angle, Image.Resampling.BICUBIC, fillcolor=255)
    found = find(np.asarray(image))
    assert len(found.rules) == 7
    assert [blob for blob in found.blobs if blob.height > 65] == []
    assert len([blob for blob in found.blobs if blob.height > 30]) == 4


def test_light_that_falls_off_changes_nothing():
    light = np.linspace(1, 0.35, PAGE.shape[1])[None, :]
    found = find((PAGE * light).astype(np.uint8))
    assert [len(line) for line in found.lines] == [3, 2]


@pytest.mark.parametrize("digits", ["47", "32", "74"])
def test_digits_that_touch_are_among_the_parts_of_a_cut(digits):
    one, other = (draw(int(digit), 60) < 128 for digit in digits)
    one, other = one[:, np.flatnonzero(one.any(axis=0))], other[:, np.flatnonzero(other.any(axis=0))]
    mask = np.zeros((60, one.shape[1] + other.shape[1] - 2), np.bool_)
    mask[:, : one.shape[1]] |= one
    mask[:, one.shape[1] - 2 :] |= other
    parts = cut_up(Blob(0, 0, mask), 60)
    assert joined_blob(parts).mask.sum() == mask[np.flatnonzero(mask.any(axis=1))].sum()
    halves = [joined_blob(parts[:count]).mask.sum() for count in range(1, len(parts))]
    assert min(abs(half - one.sum()) for half in halves) < 0.15 * one.sum()


@pytest.mark.parametrize("seed", range(20))
def test_the_best_path_is_the_best_of_all_there_are(seed):
    rng = np.random.default_rng(seed)
    count = int(rng.integers(1, 6))
    steps = [
        Step(first, last, float(rng.uniform(0, 3)), [(first, last)])
        for first in range(count)
        for last in range(first + 1, count + 1)
    ]
    by_span = {(step.first, step.last): step.cost for step in steps}
    every = {}
    for size in range(count):
        for inner in combinations(range(1, count), size):
            edges = (0, *inner, count)
            cost = sum(by_span[span] for span in pairwise(edges))
            every[size + 1] = min(every.get(size + 1, np.inf), cost)
    paths = best_paths(count, steps, counted=True)
    assert {size: path.cost for size, path in paths.items()} == pytest.approx(every)
    assert best_paths(count, steps)[0].cost == pytest.approx(min(every.values()))


def test_the_work_grows_with_the_digits_and_no_faster():
    blobs = [len(find(draw_lines(["4732"] * rows, 40)).blobs) for rows in (2, 4, 8)]
    assert blobs == [8, 16, 32]
