"""Several digits on a page: what is found, taken off, cut apart and chosen, without a network."""

from itertools import combinations, pairwise

import numpy as np
import pytest
from PIL import Image, ImageDraw

from service.core.digit.pieces import grown
from service.core.numbers import _Grid, find
from service.core.numbers import thresholds as at
from service.core.numbers.blobs import Blob, joined_blob, trimmed
from service.core.numbers.cuts import cut_up
from service.core.numbers.paths import Step, best_paths
from service.core.numbers.rows import mark_kind
from service.core.numbers.rules import Line
from service.core.numbers.seams import DIGIT_ROWS, Seams, padded, seam_picture
from tests.drawing import draw, draw_lines
from tests.hostile.peaks import stripes

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


@pytest.mark.parametrize("page", [PAGE, stripes(40)], ids=["numbers", "stripes"])
def test_what_blobs_hold_is_told_before_they_are_drawn(page):
    told = []
    found = find(page, charge=lambda *of: told.append(of))
    what, count, size = told[-1]
    assert (what, found.rules) == ("blobs", []) or {"lines", "blobs"} == {each[0] for each in told}
    assert count >= len(found.blobs) > 0
    assert size >= sum(blob.mask.size for blob in found.blobs) > 0
    with pytest.raises(ZeroDivisionError):
        find(page, charge=lambda _what, _count, size: size / 0)


def is_on_grid(blob, lines, height):
    """What a grid says of a blob, a line after another."""
    if blob.width < at.HAIR * height and blob.height > at.CELL_NARROW * height:
        return True
    near = np.zeros_like(blob.mask)
    ys, xs = np.mgrid[blob.top : blob.bottom, blob.left : blob.right]
    level, upright = (blob.top + blob.bottom) / 2, blob.middle
    for line in lines:
        off = line.at(upright) - level if line.is_level else line.at(level) - upright
        along, across, more = (xs, ys, at.GOES_ON * height) if line.is_level else (ys, xs, 3.0)
        if abs(off) > (blob.height if line.is_level else blob.width) + line.thick:
            continue
        if along.min() <= line.last + more and along.max() >= line.first - more:
            near |= np.abs(across - line.offset - line.slope * along) < line.thick / 2 + at.REST_OFF
    sides = sorted(
        (line for line in lines if not line.is_level and line.first < level < line.last),
        key=lambda line: line.at(level),
    )
    places = [side.at(level) for side in sides]
    steps = [b - a for a, b in pairwise(places) if b - a > at.CELL_NARROW * height]
    if len(steps) + 1 >= at.EVEN_SIDES:
        step = float(np.median(steps))
        even = np.mean([abs(each / step - round(each / step)) < at.UNEVEN for each in steps])
        if even > at.MOSTLY_EVEN and blob.height > at.CELL_NARROW * step:
            side = min(sides, key=lambda side: abs(side.at(level) - upright))
            away = round((upright - side.at(level)) / step)
            if away and abs(away) <= at.SIDES_MISSED:
                wanted = side.offset + side.slope * ys + away * step
                near |= np.abs(xs - wanted) < side.thick / 2 + max(at.REST_OFF, at.SIDE_OFF * step)
    return np.count_nonzero(blob.mask & near) > at.REST_SHARE * np.count_nonzero(blob.mask)


@pytest.mark.parametrize("seed", range(10))
def test_a_blob_is_held_against_all_lines_at_once_as_against_one_after_another(seed):
    random, said = np.random.default_rng(seed), set()
    height = float(random.uniform(10, 40))
    step = random.uniform(15, 50)
    lines = [
        Line(False, *sorted(random.uniform(0, 300, 2)), step * index + random.normal(0, 1), random.normal(0, 0.01), 3.0)
        for index in random.permutation(9)
    ]
    lines += [
        Line(True, *sorted(random.uniform(0, 300, 2)), random.uniform(0, 300), random.normal(0, 0.03), 3.0)
        for _ in range(4)
    ]
    for _ in range(200):
        kind, tall, wide = random.choice(lines), int(random.integers(1, 30)), int(random.integers(1, 30))
        place = random.uniform(0, 300)
        top, left = (kind.at(place), place) if kind.is_level else (place, kind.at(place) + step * random.integers(3))
        blob = Blob(int(top), int(left), random.random((tall, wide)) < 0.8)
        for chosen in (lines, lines[:9], []):
            wanted = is_on_grid(blob, chosen, height)
            assert bool(_Grid(chosen, height).has(blob)) == wanted
            said.add(wanted)
    assert said == {False, True}


def test_a_part_of_a_blob_holds_no_more_than_itself():
    part = trimmed(Blob(0, 0, np.pad(np.ones((3, 4), np.bool_), 50)))
    assert (part.top, part.left, part.mask.shape) == (50, 50, (3, 4))
    assert part.mask.base is None


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


def cells(gaps=(), ones=False):
    """Four digits in printed cells; gaps: of each (side, from, to), where a side is broken, as shares of its length."""
    page = np.pad(draw_lines(["4732" if not ones else "1111"], 60, gap=1.4), 60, constant_values=255)
    top, left, side = 60 + 6, 60 + 4, 84
    lines = [(left, y, left + 4 * side, y) for y in (top, top + side)]
    lines += [(left + side * place, top, left + side * place, top + side) for place in range(5)]
    page = with_lines(page, *lines, level=60).copy()
    for place, begin, end in gaps:
        x = left + side * place
        page[top + 3 + int(begin * side) : top - 2 + int(end * side), x - 3 : x + 4] = 255
    return page


@pytest.mark.parametrize("place", range(5))
@pytest.mark.parametrize("gap", [(0.0, 0.45), (0.55, 1.0), (0.0, 0.3), (0.3, 0.5)])
@pytest.mark.parametrize("ones", [False, True])
def test_the_rest_of_a_broken_side_is_no_digit(place, gap, ones):
    found = find(cells([(place, *gap)], ones=ones))
    tall = [blob for blob in found.blobs if blob.height > 20]
    assert len(tall) == 4
    assert min(blob.mask.sum() for blob in tall) > 200


@pytest.mark.parametrize("digits", ["77", "777", "737"])
def test_the_bars_of_digits_that_touch_are_no_rule(digits):
    page = draw_lines([digits], 60, gap=0.5)
    assert find(page).rules == []


def test_ones_that_reach_from_rule_to_rule_stay():
    page = draw_lines(["1471"], 60)
    width = page.shape[1]
    inked = np.flatnonzero((page < 128).any(axis=1))
    for y in (inked[0] - 2, inked[-1] + 2):
        page = with_lines(page, (0, int(y), width, int(y)), width=1)
    assert len([blob for blob in find(page).blobs if blob.height > 30]) == 4


def test_light_that_falls_off_changes_nothing():
    light = np.linspace(1, 0.35, PAGE.shape[1])[None, :]
    found = find((PAGE * light).astype(np.uint8))
    assert [len(line) for line in found.lines] == [3, 2]


def touching(digits, height=60, over=2):
    """Two drawn digits that lie on each other by some columns: their blob, its ink as a page, and each one's ink."""
    one, other = (draw(int(digit), height) < 128 for digit in digits)
    one, other = one[:, np.flatnonzero(one.any(axis=0))], other[:, np.flatnonzero(other.any(axis=0))]
    each = np.zeros((2, height, one.shape[1] + other.shape[1] - over), np.bool_)
    each[0, :, : one.shape[1]], each[1, :, one.shape[1] - over :] = one, other
    rows = np.flatnonzero(each.any(axis=(0, 2)))
    each = each[:, rows[0] : rows[-1] + 1]
    return Blob(0, 0, each.any(axis=0)), each


def no_seams(picture):
    return Seams(np.zeros_like(picture), np.zeros((10, len(picture) // 2, picture.shape[1] // 2), np.float32))


@pytest.mark.parametrize("digits", ["47", "32", "74"])
def test_digits_that_touch_are_among_the_parts_of_a_cut(digits):
    blob, (one, _) = touching(digits)
    picture = seam_picture(blob, blob.mask.astype(np.float32), blob.height)
    cuts = cut_up(blob, picture, no_seams(padded(picture)))
    assert joined_blob(cuts.parts).mask.sum() == blob.mask.sum()
    halves = [joined_blob(cuts.parts[:count]).mask.sum() for count in range(1, len(cuts.parts))]
    assert min(abs(half - one.sum()) for half in halves) < 0.15 * one.sum()


@pytest.mark.parametrize("digits", ["47", "32", "74", "71", "23", "44"])
@pytest.mark.parametrize("over", [1, 3, 5])
def test_the_cheapest_cut_runs_through_the_seam_and_gives_each_digit_its_own_ink(digits, over):
    blob, each = touching(digits, over=over)
    picture = seam_picture(blob, blob.mask.astype(np.float32), blob.height)
    near = np.logical_and.reduce([grown(grown(mask)) for mask in each]) & blob.mask
    seam = padded(seam_picture(blob, near.astype(np.float32), blob.height))
    cuts = cut_up(blob, picture, no_seams(padded(picture))._replace(seam=seam))
    place = int(np.argmin(cuts.costs)) + 1
    for parts, mask in ((cuts.parts[:place], each[0]), (cuts.parts[place:], each[1])):
        part = joined_blob(parts)
        found = np.zeros_like(mask)
        found[part.top : part.bottom, part.left : part.right] = part.mask
        assert (found & mask).sum() > 0.85 * (found | mask).sum()


def test_ink_is_shared_out_by_whose_it_is():
    blob, each = touching("47")
    picture = seam_picture(blob, blob.mask.astype(np.float32), blob.height)
    classes = np.zeros((10, *(side // 2 for side in padded(picture).shape)), np.float32)
    half = each[0].any(axis=0).sum() * picture.shape[1] // blob.width // 2
    classes[4, :, :half], classes[7, :, half:] = 1, 1
    cuts = cut_up(blob, picture, Seams(np.zeros_like(padded(picture)), classes))
    assert cuts.ink.sum() == pytest.approx(picture.sum(), rel=1e-4)
    assert cuts.classes[:, [4, 7]].sum() == pytest.approx(picture.sum(), rel=1e-4)
    assert cuts.classes[0].argmax() == 4
    assert cuts.classes[-1].argmax() == 7


@pytest.mark.parametrize("shape", [(32, 20), (47, 61), (200, 90), (9, 300)])
@pytest.mark.parametrize("height", [20, 32, 77])
def test_a_seam_picture_has_its_digits_at_one_height_and_keeps_the_mean_of_its_ink(shape, height):
    mask = np.ones(shape, np.bool_)
    ink = np.random.default_rng(height).random(shape).astype(np.float32)
    picture = seam_picture(Blob(0, 0, mask), ink, height)
    assert picture.shape == tuple(max(1, round(side * DIGIT_ROWS / height)) for side in shape)
    assert picture.mean() == pytest.approx(ink.mean(), abs=0.03)


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


def box(left, top, width, height):
    return Blob(top, left, np.ones((height, width), np.bool_))


@pytest.mark.parametrize(
    ("blob", "kind"),
    [
        (box(0, 90, 10, 10), "point"),
        (box(0, 40, 10, 12), "point"),  # a raised one
        (box(0, 90, 8, 26), "comma"),
        (box(0, 95, 12, 40), "comma"),  # a long one
        (box(0, 60, 8, 40), None),  # a low one of the digits
        (box(0, 0, 8, 100), None),
        (box(0, 0, 8, 26), "point"),  # an apostrophe
        (box(0, 50, 40, 10), "dash"),
    ],
)
@pytest.mark.parametrize("scale", [0.3, 1.0, 3.0])
def test_marks_are_told_by_their_size_and_by_where_the_digits_stand(blob, kind, scale):
    mask = np.ones([max(1, round(scale * side)) for side in blob.mask.shape], np.bool_)
    assert mark_kind(Blob(round(scale * blob.top), 0, mask), 100 * scale, 100 * scale) == kind
