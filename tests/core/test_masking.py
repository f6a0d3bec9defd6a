"""Covering windows and random masks, against loops, PyTorch and the formulas of the papers."""

import numpy as np
import pytest

from service.core import masking
from service.core.errors import InvalidOption
from service.core.masking import RandomMasks, Windows, enlarge_smoothly, occlusion, rise

SIZE = (28, 28)


def random_masks(count, cells, keep, seed, size=SIZE):
    return np.concatenate(list(RandomMasks(count, cells, keep, seed, size).blocks()))


@pytest.mark.parametrize("size", [SIZE, (32, 41)])
@pytest.mark.parametrize(
    ("window", "stride"), [((4, 4), (2, 2)), ((3, 5), (3, 2)), ((28, 28), (1, 1)), ((1, 1), (1, 1))]
)
def test_windows_cover_every_pixel_and_the_last_is_cut_at_the_border(window, stride, size, monkeypatch):
    windows = Windows(window, stride, size)
    expected = []
    for top in range(0, size[0] - window[0] + stride[0], stride[0]):
        for left in range(0, size[1] - window[1] + stride[1], stride[1]):
            mask = np.zeros(size, bool)
            mask[top : top + window[0], left : left + window[1]] = True
            expected.append(mask)
    np.testing.assert_array_equal(windows.masks(), expected)
    assert len(windows) == len(expected)
    assert windows.masks().any(axis=0).all()
    # However many are laid side by side, they are the same, and so is what is found by them.
    drops = np.random.default_rng(1).normal(size=len(windows))
    worth = windows.worth(drops)
    windows = Windows(window, stride, size)
    monkeypatch.setattr(masking, "PIXELS_SIDE_BY_SIDE", 0)
    monkeypatch.setattr(masking, "PIXELS_AT_A_TIME", 7 * size[0] * size[1])
    blocks = list(windows.blocks())
    assert max(map(len, blocks)) <= 7
    np.testing.assert_array_equal(np.concatenate(blocks), expected)
    np.testing.assert_allclose(windows.worth(drops), worth, atol=1e-12)


@pytest.mark.parametrize(("window", "stride"), [((29, 4), (1, 1)), ((4, 4), (5, 1)), ((4, 4), (1, 5))])
def test_a_window_that_does_not_fit_or_leaves_gaps_is_refused(window, stride):
    with pytest.raises(InvalidOption, match="must"):
        Windows(window, stride, SIZE)


def test_occlusion_is_the_mean_over_the_windows_that_cover_a_pixel():
    windows = Windows((5, 3), (2, 2), SIZE)
    masks, drops = windows.masks(), np.random.default_rng(1).normal(size=len(windows))
    found = occlusion(masks, drops)
    for y, x in [(0, 0), (13, 13), (27, 27), (4, 26)]:
        assert found[y, x] == pytest.approx(drops[masks[:, y, x]].mean())


def test_grids_are_enlarged_as_pytorch_does():
    torch = pytest.importorskip("torch")
    grid = np.random.default_rng(2).random((3, 7, 7), np.float32)
    tensor = torch.nn.functional.interpolate(torch.from_numpy(grid)[None], size=(32, 48), mode="bilinear")
    np.testing.assert_allclose(enlarge_smoothly(grid, (32, 48)), tensor[0].numpy(), atol=1e-6)


def test_the_same_seed_gives_the_same_masks_and_another_seed_others():
    np.testing.assert_array_equal(random_masks(5, 7, 0.5, seed=3), random_masks(5, 7, 0.5, seed=3))
    assert (random_masks(5, 7, 0.5, seed=3) != random_masks(5, 7, 0.5, seed=4)).any()


def test_masks_show_the_share_of_cells_asked_for():
    masks = random_masks(4000, 7, 0.3, seed=0)
    assert masks.min() >= 0
    assert masks.max() <= 1
    assert masks.mean() == pytest.approx(0.3, abs=0.01)


@pytest.mark.parametrize("size", [SIZE, (40, 25)])
def test_rise_is_the_papers_sum_and_its_error_the_standard_error_of_a_mean(size, monkeypatch):
    asked, scores = RandomMasks(700, 5, 0.4, 1, size), np.random.default_rng(2).normal(3, 2, 700)
    masks = random_masks(700, 5, 0.4, 1, size)
    assert masks.shape == (700, *size)
    found = rise(asked, scores)
    assert [len(block) for block in asked.blocks()] == [500, 200]
    terms = scores[:, None, None] * masks / 0.4
    np.testing.assert_allclose(found.estimate, terms.mean(axis=0), atol=1e-6)
    np.testing.assert_allclose(found.standard_error, terms.std(axis=0, ddof=1) / np.sqrt(700), rtol=1e-5)
    # However many are made at a time, they are the same, and so is what is found by them.
    monkeypatch.setattr(masking, "PIXELS_AT_A_TIME", 7 * size[0] * size[1])
    monkeypatch.setattr(masking, "PIXELS_SIDE_BY_SIDE", 0)
    asked = RandomMasks(700, 5, 0.4, 1, size)
    np.testing.assert_array_equal(random_masks(700, 5, 0.4, 1, size), masks)
    np.testing.assert_allclose(rise(asked, scores).estimate, found.estimate, atol=1e-12)


@pytest.mark.parametrize("size", [SIZE, (40, 25)])
def test_masks_made_some_at_a_time_are_those_drawn_in_one_go(size, monkeypatch):
    monkeypatch.setattr(masking, "PIXELS_AT_A_TIME", 7 * size[0] * size[1])
    count, cells, generator = 20, 5, np.random.default_rng(3)
    grid = (generator.random((count, cells, cells)) < 0.4).astype(np.float32)
    down, across = (-(-side // cells) for side in size)
    shifts = generator.integers(0, down if down == across else [down, across], (count, 2))
    large = enlarge_smoothly(grid, ((cells + 1) * down, (cells + 1) * across))
    wanted = [each[y : y + size[0], x : x + size[1]] for each, (y, x) in zip(large, shifts, strict=True)]
    for side_by_side in (0, 1 << 24):
        monkeypatch.setattr(masking, "PIXELS_SIDE_BY_SIDE", side_by_side)
        np.testing.assert_array_equal(random_masks(count, cells, 0.4, 3, size), wanted)


def test_several_scores_are_weighed_as_each_alone():
    asked, scores = RandomMasks(700, 5, 0.4, 1, SIZE), np.random.default_rng(2).normal(3, 2, (3, 700))
    together = rise(asked, scores)
    for index, each in enumerate(scores):
        alone = rise(asked, each)
        np.testing.assert_allclose(together.estimate[index], alone.estimate, atol=1e-12)
        np.testing.assert_allclose(together.standard_error[index], alone.standard_error, rtol=1e-9)


def test_the_standard_error_shrinks_as_one_over_the_root_of_the_masks():
    errors = []
    for count in (500, 8000):
        asked = RandomMasks(count, 7, 0.5, count, SIZE)
        scores = random_masks(count, 7, 0.5, seed=count)[:, 10:18, 10:18].mean(axis=(1, 2)).astype(np.float64)
        errors.append(rise(asked, scores).standard_error.mean())
    assert errors[0] / errors[1] == pytest.approx(4, rel=0.05)
