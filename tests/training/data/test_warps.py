"""Augmentation does what its numbers say, and nothing when they say nothing."""

import dataclasses

import numpy as np
import pytest
import torch
from PIL import Image
from scipy import ndimage

from training.data.warps import draw_warps, no_warps, warp, warped_copy
from training.knobs import WarpKnobs


def smooth_pictures(count, side=28, seed=0):
    """Blobs away from the border, smooth enough that bilinear resampling is close to any other."""
    random = np.random.default_rng(seed)
    pictures = np.zeros((count, side, side))
    pictures[:, 9:19, 9:19] = random.random((count, 10, 10))
    return np.clip(ndimage.gaussian_filter(pictures, (0, 1, 1)), 0, 1).astype(np.float32)


def bend(pictures, **changes):
    warps = dataclasses.replace(no_warps(len(pictures)), **changes)
    return warp(torch.from_numpy(pictures)[:, None], warps, torch.Generator().manual_seed(0))[:, 0].numpy()


def test_the_identity_changes_nothing():
    pictures = np.random.default_rng(1).random((5, 28, 28)).astype(np.float32)
    np.testing.assert_allclose(bend(pictures), pictures, atol=1e-5)


def test_an_offset_of_whole_pixels_moves_the_picture_by_as_many():
    pictures = smooth_pictures(3)
    moved = bend(pictures, offset=torch.tensor([[2.0, -3.0]] * 3))
    np.testing.assert_allclose(moved, np.roll(pictures, (3, -2), axis=(1, 2)), atol=1e-5)


@pytest.mark.parametrize("seed", range(6))
def test_an_affine_warp_agrees_with_scipys(seed):
    random = np.random.default_rng(seed)
    pictures = smooth_pictures(2, seed=seed)
    matrix = np.eye(2) + random.uniform(-0.3, 0.3, (2, 2))
    offset = random.uniform(-2, 2, 2)
    bent = bend(
        pictures,
        matrix=torch.tensor(matrix, dtype=torch.float32).expand(2, 2, 2),
        offset=torch.tensor(offset, dtype=torch.float32).expand(2, 2),
    )
    rows_first = matrix[::-1, ::-1]
    middle = np.full(2, 13.5)
    expected = [
        ndimage.affine_transform(p, rows_first, middle - rows_first @ middle + offset[::-1], order=1) for p in pictures
    ]
    np.testing.assert_allclose(bent, expected, atol=1e-4)


def test_each_image_of_a_batch_is_bent_by_its_own_warp():
    pictures = smooth_pictures(4)
    warps = draw_warps(4, WarpKnobs(noise_share=0), torch.Generator().manual_seed(5))
    together = warp(torch.from_numpy(pictures)[:, None], warps, torch.Generator())
    for index in range(4):
        alone = warp(
            torch.from_numpy(pictures[index : index + 1])[:, None], warps[index : index + 1], torch.Generator()
        )
        np.testing.assert_allclose(alone, together[index : index + 1], atol=1e-6)


def test_a_wave_moves_rows_sideways_by_its_height():
    pictures = np.tile(np.linspace(0.2, 0.8, 28, dtype=np.float32), (1, 28, 1))
    wave = torch.zeros(1, 2, 3)
    wave[0, 0] = torch.tensor([1.5, 0.3, 0.4])
    bent = bend(pictures, wave=wave)[0]
    step = pictures[0, 0, 1] - pictures[0, 0, 0]
    y = np.arange(28) - 13.5
    sway = 1.5 * np.sin(0.3 * y + 0.4)
    np.testing.assert_allclose(bent[:, 14], pictures[0, 0, 14] + sway * step, atol=1e-4)


def test_the_thickest_stroke_is_a_dilation_and_the_thinnest_an_erosion():
    pictures = smooth_pictures(2, seed=3)
    plus = ndimage.generate_binary_structure(2, 1)
    thick = [ndimage.grey_dilation(picture, footprint=plus) for picture in pictures]
    np.testing.assert_allclose(bend(pictures, stroke=torch.ones(2)), thick, atol=1e-5)
    thin = np.array([ndimage.grey_erosion(picture, footprint=plus, mode="nearest") for picture in pictures])
    strongest = thin.max((1, 2))
    assert strongest.min() > 0.25, "the pictures are meant to survive thinning"
    expected = thin * (pictures.max((1, 2)) / strongest)[:, None, None]
    np.testing.assert_allclose(bend(pictures, stroke=-torch.ones(2)), expected, atol=1e-5)


def test_blur_is_the_binomial_kernels():
    pictures = smooth_pictures(2, seed=4)
    row = np.array([1, 4, 6, 4, 1]) / 16
    expected = ndimage.convolve(pictures, np.outer(row, row)[None], mode="constant")
    np.testing.assert_allclose(bend(pictures, blur=torch.ones(2)), expected, atol=1e-5)


@pytest.mark.parametrize("side", [14, 11])
def test_a_coarse_grid_averages_down_and_enlarges_again(side):
    """At 14 the cells are blocks of 2 x 2; at 11 they overlap by whole pixels, as adaptive pooling has them."""
    pictures = smooth_pictures(2, seed=6)
    starts = [(28 * cell // side, -(-28 * (cell + 1) // side)) for cell in range(side)]
    few = np.array(
        [[[p[a:b, c:d].mean() for c, d in starts] for a, b in starts] for p in pictures.astype(np.float64)], np.float32
    )
    expected = [np.asarray(Image.fromarray(one).resize((28, 28), Image.Resampling.BILINEAR)) for one in few]
    np.testing.assert_allclose(bend(pictures, coarse=torch.full((2,), side)), expected, atol=1e-5)


def test_each_picture_goes_through_its_own_grid_and_the_others_stay_what_they_were():
    images = torch.from_numpy((smooth_pictures(60) * 255).astype(np.uint8))[:, None]
    fine, coarse = (WarpKnobs(noise_share=0, coarse_share=share) for share in (0, 0.5))
    sides = draw_warps(60, coarse, torch.Generator().manual_seed(8)).coarse
    assert 15 < (sides > 0).sum() < 45
    assert 10 <= sides[sides > 0].min() < 12
    assert 16 < sides.max() <= 18
    same = (warped_copy(images, fine, 8) == warped_copy(images, coarse, 8)).all((1, 2, 3))
    assert torch.equal(same, sides == 0)


def test_a_faint_pen_and_soft_edges_scale_and_bend_the_ink():
    pictures = smooth_pictures(2, seed=5)
    bent = bend(pictures, gamma=torch.full((2,), 2.0), ink=torch.full((2,), 0.5))
    np.testing.assert_allclose(bent, 0.5 * pictures**2, atol=1e-5)


def test_a_seed_makes_the_same_copy_again_and_another_seed_another():
    images = torch.from_numpy((smooth_pictures(7) * 255).astype(np.uint8))[:, None]
    first, again, other = (warped_copy(images, WarpKnobs(), seed) for seed in (3, 3, 4))
    assert first.dtype == torch.uint8
    assert first.shape == images.shape
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


def test_what_is_drawn_stays_within_the_knobs_bounds():
    knobs = WarpKnobs()
    warps = draw_warps(4000, knobs, torch.Generator().manual_seed(2))
    assert warps.offset.abs().max() <= knobs.shift_pixels
    assert warps.wave[:, :, 0].abs().max() <= knobs.bend_pixels
    assert warps.noise.max() <= knobs.noise
    assert 0.5 <= warps.ink.min() <= warps.ink.max() <= 1
    assert (warps.stroke > 0).float().mean() == pytest.approx(knobs.thick_share, abs=0.05)
    assert (warps.stroke < 0).float().mean() == pytest.approx(knobs.thin_share, abs=0.05)
    largest = np.exp(knobs.scale + knobs.common_scale) ** 2
    size = torch.linalg.det(warps.matrix)
    assert 1 / largest <= size.min() <= size.max() <= largest


def test_knobs_of_zero_draw_the_identity():
    still = WarpKnobs(**{knob.name: 0.0 for knob in dataclasses.fields(WarpKnobs)})
    images = torch.from_numpy(np.random.default_rng(0).integers(0, 256, (6, 1, 28, 28), dtype=np.uint8))
    assert torch.equal(warped_copy(images, still, seed=1), images)
