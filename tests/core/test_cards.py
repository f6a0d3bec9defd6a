"""Every figure of a filter card against brute force, numpy.linalg, numpy.fft or SciPy."""

import dataclasses
import json
import math

import numpy as np
import pytest
import scipy.fft
import scipy.optimize

from service.core.cards import filter_card, fit_gabors, spectrum
from service.core.convolution import correlate
from service.core.errors import InvalidKernel
from service.core.presets import PRESETS, preset
from tests.geometries import sample_size


def random_kernels(seed, count):
    rng = np.random.default_rng(seed)
    for _ in range(count):
        yield rng.normal(size=rng.integers(1, 9, 2)).astype(np.float32)


def test_the_output_range_is_exact_and_attained():
    rng = np.random.default_rng(1)
    for weights in random_kernels(1, sample_size(20, 300)):
        lo, hi = filter_card(weights, bias=0.5).output_range
        assert correlate((weights < 0).astype(float), weights, 0.5) == pytest.approx(lo, abs=1e-6)
        assert correlate((weights > 0).astype(float), weights, 0.5) == pytest.approx(hi, abs=1e-6)
        for _ in range(20):
            answer = float(correlate(rng.random(weights.shape), weights, 0.5)[0, 0])
            assert lo <= answer <= hi


def test_no_black_and_white_picture_of_3_by_3_leaves_the_range():
    weights = np.random.default_rng(2).normal(size=(3, 3))
    pictures = (np.arange(512)[:, None] >> np.arange(9)) & 1
    answers = pictures @ weights.ravel()
    np.testing.assert_allclose(filter_card(weights).output_range, (answers.min(), answers.max()), atol=1e-12)


def test_the_lectures_diagonal_has_the_figures_worked_out_by_hand():
    card = filter_card(preset("diagonal_falling").weights)
    assert card.output_range == (-21.0, 21.0)
    assert card.zero_sum
    assert card.orientation.angle == 45
    assert card.orientation.coherence == pytest.approx(0.50, abs=0.005)
    assert card.mean_frequency == pytest.approx(0.165, abs=0.0005)
    assert card.symmetry.diagonal == -1
    assert card.label == "edge"
    assert filter_card(preset("diagonal_rising").weights).orientation.angle == 135


def test_sums_norms_and_gain_are_numpys():
    for weights in random_kernels(3, 20):
        card, exact = filter_card(weights), weights.astype(np.float64)
        np.testing.assert_allclose(
            [card.sum, card.positive_sum + card.negative_sum, card.l1, card.l2, card.min, card.max],
            [
                exact.sum(),
                exact.sum(),
                np.linalg.norm(exact.ravel(), 1),
                np.linalg.norm(exact),
                exact.min(),
                exact.max(),
            ],
            atol=1e-12,
        )
        assert correlate(np.ones(weights.shape), weights) == pytest.approx(card.dc_gain)


def test_the_factors_are_the_nearest_column_times_row():
    for weights in random_kernels(4, 20):
        card = filter_card(weights)
        strengths = np.linalg.svd(weights.astype(float), compute_uv=False)
        rest = weights - np.outer(*card.factors)
        np.testing.assert_allclose(np.linalg.norm(rest) ** 2, (strengths[1:] ** 2).sum(), atol=1e-9)
        assert card.separability == pytest.approx(
            1 - np.linalg.norm(rest) ** 2 / np.linalg.norm(weights) ** 2, abs=1e-6
        )
        assert card.rank == np.linalg.matrix_rank(weights.astype(float), rtol=1e-6)


@pytest.mark.parametrize(
    ("name", "separability", "rank"), [("sobel", 1.0, 1), ("laplacian", 0.990, 2), ("gaussian", 1.0, 1)]
)
def test_known_filters_are_as_separable_as_they_are(name, separability, rank):
    card = filter_card(preset(name).weights)
    assert card.separability == pytest.approx(separability, abs=0.0005)
    assert card.rank == rank


def test_a_separable_filter_is_its_factors():
    card = filter_card(preset("sobel").weights)
    column, row = card.factors
    np.testing.assert_allclose(np.outer(column, row), preset("sobel").weights, atol=1e-12)


@pytest.mark.parametrize(
    ("weights", "horizontal", "vertical", "point", "diagonal"),
    [
        ([[1, 2, 1], [2, 4, 2], [1, 2, 1]], 1, 1, 1, 1),
        ([[-1, 0, 1], [-2, 0, 2], [-1, 0, 1]], -1, 1, -1, 0),
        ([[0, 1], [-1, 0]], 0, 0, -1, -1),
        ([[1, 1, -1, -1]], -1, 1, -1, None),
    ],
)
def test_a_mirror_shows_the_same_the_negative_or_neither(weights, horizontal, vertical, point, diagonal):
    symmetry = filter_card(weights).symmetry
    assert dataclasses.astuple(symmetry) == pytest.approx((horizontal, vertical, point, diagonal))


def test_the_spectrum_is_the_gain_for_stripes():
    weights = preset("gabor", size=9).weights.astype(float)
    np.testing.assert_allclose(
        spectrum(weights), np.abs(scipy.fft.fftshift(scipy.fft.fft2(weights, (64, 64)))), atol=1e-9
    )
    y, x = np.mgrid[:64, :64]
    for down, across in ((0, 5), (9, 0), (7, -12)):
        stripes = np.cos(2 * np.pi * (down * y + across * x) / 64)
        answer = correlate(stripes, weights, padding="same", pad_mode="circular")
        gain = np.sqrt(2 * np.mean(answer**2))
        assert spectrum(weights)[32 + down, 32 + across] == pytest.approx(gain, rel=1e-9)


@pytest.mark.parametrize("angle", [0, 20, 45, 90, 110, 135, 170])
def test_edges_and_lines_report_the_angle_they_were_made_with(angle):
    ridge = filter_card(preset("ridge", size=21, angle=angle, sigma=3).weights)
    edge = filter_card(preset("gaussian_edge", size=21, angle=angle, sigma=3).weights)
    assert abs((ridge.orientation.angle - angle + 90) % 180 - 90) < 0.5
    assert abs((edge.orientation.angle - angle) % 180 - 90) < 0.5
    assert (ridge.label, edge.label) == ("line", "edge")


@pytest.mark.parametrize("name", ["identity", "box", "gaussian", "binomial", "laplacian", "laplacian_8", "log", "dog"])
def test_a_filter_alike_in_all_directions_has_no_orientation(name):
    assert filter_card(preset(name).weights).orientation is None


@pytest.mark.parametrize(
    ("label", "names"),
    [
        ("low-pass", ["box", "gaussian", "binomial", "motion_blur"]),
        (
            "edge",
            [
                "diagonal_rising",
                "edge_vertical",
                "sobel",
                "prewitt",
                "scharr",
                "kirsch",
                "roberts",
                "gabor_odd",
                "emboss",
            ],
        ),
        ("line", ["line", "ridge", "gabor"]),
        ("blob", ["laplacian", "laplacian_8", "log", "dog"]),
        ("mixed", ["identity"]),
    ],
)
def test_known_filters_are_called_what_they_are(label, names):
    assert {name: filter_card(preset(name).weights).label for name in names} == dict.fromkeys(names, label)


def gabor(size, theta, wavelength, sigma, gamma, psi, amplitude):
    rows, columns = size
    y, x = np.mgrid[:rows, :columns].astype(float)
    y, x = y - (rows - 1) / 2, x - (columns - 1) / 2
    cosine, sine = math.cos(math.radians(theta)), math.sin(math.radians(theta))
    along, across = x * cosine + y * sine, y * cosine - x * sine
    bell = np.exp(-(along**2 + (gamma * across) ** 2) / (2 * sigma**2))
    return amplitude * bell * np.cos(2 * np.pi * along / wavelength + math.radians(psi))


def test_a_gabor_is_found_again():
    rng = np.random.default_rng(5)
    for _ in range(sample_size(8, 100)):
        made = {
            "theta": rng.uniform(0, 180),
            "wavelength": rng.uniform(4, 8),
            "sigma": rng.uniform(1.5, 3),
            "gamma": rng.uniform(0.5, 1.5),
            "psi": rng.uniform(-180, 180),
            "amplitude": rng.uniform(0.2, 5),
        }
        size = tuple(rng.integers(9, 16, 2))
        (found,) = fit_gabors(gabor(size, **made)[None])
        again = gabor(size, found.theta, found.wavelength, found.sigma, found.gamma, found.psi, found.amplitude)
        np.testing.assert_allclose(again, gabor(size, **made), atol=1e-3 * made["amplitude"])
        assert found.r_squared > 0.9999
        assert 0 <= found.theta < 180


def test_the_gabor_of_a_noisy_filter_is_as_good_as_a_global_search_finds():
    rng = np.random.default_rng(6)
    for _ in range(sample_size(2, 20)):
        weights = gabor((7, 7), rng.uniform(0, 180), 5.0, 2.0, 0.8, 40, 1.0) + 0.3 * rng.normal(size=(7, 7))

        def left_over(place, weights=weights):
            waves = [gabor((7, 7), place[0], *np.exp(place[1:]), psi, 1.0).ravel() for psi in (0, 90)]
            basis = np.linalg.qr(np.transpose(waves))[0]
            return np.square(weights.ravel()).sum() - np.square(basis.T @ weights.ravel()).sum()

        bounds = [(0, 180), *(tuple(map(math.log, pair)) for pair in ((2, 28), (0.5, 14), (0.25, 4)))]
        search = scipy.optimize.differential_evolution(left_over, bounds, rng=1, maxiter=15, popsize=8)
        expected = 1 - search.fun / np.square(weights).sum()
        (found,) = fit_gabors(weights[None])
        assert found.r_squared >= expected - 0.01


def test_a_gabors_r_squared_is_the_share_it_explains():
    weights = preset("diagonal_falling").weights
    found = filter_card(weights).gabor
    model = gabor((7, 7), found.theta, found.wavelength, found.sigma, found.gamma, found.psi, found.amplitude)
    assert found.r_squared == pytest.approx(1 - np.square(weights - model).sum() / np.square(weights).sum(), abs=1e-6)


def test_a_filter_of_channels_has_a_card_for_each_and_totals():
    weights = np.random.default_rng(7).normal(size=(3, 5, 4))
    card = filter_card(weights, bias=-1.0)
    assert [channel.sum for channel in card.channels] == pytest.approx(weights.sum(axis=(1, 2)))
    assert card.sum == pytest.approx(weights.sum())
    lo, hi = (sum(channel.output_range[i] for channel in card.channels) - 1 for i in (0, 1))
    assert card.output_range == pytest.approx((lo, hi))
    assert card.channels[1] == filter_card(weights[1])
    assert (card.rank, card.factors, card.gabor) == (None, None, None)
    assert card.shape == (3, 5, 4)


@pytest.mark.parametrize("shape", [(1, 1), (3, 3), (2, 5, 5)])
def test_a_filter_of_zeros_has_a_card_without_what_zeros_do_not_have(shape):
    card = filter_card(np.zeros(shape))
    assert (card.zero_sum, card.l1, card.orientation, card.symmetry, card.rank, card.gabor) == (
        True,
        0,
        None,
        None,
        None,
        None,
    )
    assert card.output_range == (0, 0)


@pytest.mark.parametrize("shape", [(3,), (1, 1, 3, 3), (0, 3), (65, 3)])
def test_what_is_no_filter_gets_no_card(shape):
    with pytest.raises(InvalidKernel):
        filter_card(np.ones(shape))


@pytest.mark.parametrize("name", [kind.name for kind in PRESETS])
def test_a_card_is_written_as_plain_json_of_finite_numbers(name):
    text = json.dumps(dataclasses.asdict(filter_card(preset(name).weights)), allow_nan=False)
    assert json.loads(text)["shape"] == list(preset(name).weights.shape)
