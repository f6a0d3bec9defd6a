"""Covering windows and random masks, against loops, PyTorch and the formulas of the papers."""

import numpy as np
import pytest

from service.core.errors import InvalidOption
from service.core.masking import count_windows, enlarge_smoothly, occlusion, random_masks, rise, windows


@pytest.mark.parametrize(
    ("window", "stride"), [((4, 4), (2, 2)), ((3, 5), (3, 2)), ((28, 28), (1, 1)), ((1, 1), (1, 1))]
)
def test_windows_cover_every_pixel_and_the_last_is_cut_at_the_border(window, stride):
    masks = windows(window, stride)
    expected = []
    for top in range(0, 28 - window[0] + stride[0], stride[0]):
        for left in range(0, 28 - window[1] + stride[1], stride[1]):
            mask = np.zeros((28, 28), bool)
            mask[top : top + window[0], left : left + window[1]] = True
            expected.append(mask)
    np.testing.assert_array_equal(masks, expected)
    assert len(masks) == count_windows(window, stride)
    assert masks.any(axis=0).all()


@pytest.mark.parametrize(("window", "stride"), [((29, 4), (1, 1)), ((4, 4), (5, 1)), ((4, 4), (1, 5))])
def test_a_window_that_does_not_fit_or_leaves_gaps_is_refused(window, stride):
    with pytest.raises(InvalidOption, match="must"):
        windows(window, stride)


def test_occlusion_is_the_mean_over_the_windows_that_cover_a_pixel():
    masks, drops = windows((5, 3), (2, 2)), np.random.default_rng(1).normal(size=count_windows((5, 3), (2, 2)))
    found = occlusion(masks, drops)
    for y, x in [(0, 0), (13, 13), (27, 27), (4, 26)]:
        assert found[y, x] == pytest.approx(drops[masks[:, y, x]].mean())


def test_grids_are_enlarged_as_pytorch_does():
    torch = pytest.importorskip("torch")
    grid = np.random.default_rng(2).random((3, 7, 7), np.float32)
    tensor = torch.nn.functional.interpolate(torch.from_numpy(grid)[None], size=(32, 32), mode="bilinear")
    np.testing.assert_allclose(enlarge_smoothly(grid, 32), tensor[0].numpy(), atol=1e-6)


def test_the_same_seed_gives_the_same_masks_and_another_seed_others():
    np.testing.assert_array_equal(random_masks(5, 7, 0.5, seed=3), random_masks(5, 7, 0.5, seed=3))
    assert (random_masks(5, 7, 0.5, seed=3) != random_masks(5, 7, 0.5, seed=4)).any()


def test_masks_show_the_share_of_cells_asked_for():
    masks = random_masks(4000, 7, 0.3, seed=0)
    assert masks.min() >= 0
    assert masks.max() <= 1
    assert masks.mean() == pytest.approx(0.3, abs=0.01)


def test_rise_is_the_papers_sum_and_its_error_the_standard_error_of_a_mean():
    masks, scores = random_masks(700, 5, 0.4, seed=1), np.random.default_rng(2).normal(3, 2, 700)
    found = rise(masks, scores, 0.4)
    terms = scores[:, None, None] * masks / 0.4
    np.testing.assert_allclose(found.estimate, terms.mean(axis=0), atol=1e-6)
    np.testing.assert_allclose(found.standard_error, terms.std(axis=0, ddof=1) / np.sqrt(700), rtol=1e-5)


def test_the_standard_error_shrinks_as_one_over_the_root_of_the_masks():
    errors = []
    for count in (500, 8000):
        masks = random_masks(count, 7, 0.5, seed=count)
        scores = masks[:, 10:18, 10:18].mean(axis=(1, 2)).astype(np.float64)
        errors.append(rise(masks, scores, 0.5).standard_error.mean())
    assert errors[0] / errors[1] == pytest.approx(4, rel=0.05)
