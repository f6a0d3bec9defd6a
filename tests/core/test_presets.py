"""Named filters against published tables and formulas."""

import math
import re

import numpy as np
import pytest
import scipy.ndimage
import scipy.special

from service.core.convolution import correlate
from service.core.errors import InvalidOption, NotFound
from service.core.kernels import MAX_SIDE
from service.core.presets import PRESETS, preset, rotate

NAMES = [kind.name for kind in PRESETS]
SIZED = [kind for kind in PRESETS if kind.size]
COMPASSES = [kind.name for kind in PRESETS if kind.angle and kind.angle.step]
# Their weights sum to 1; those of every other filter sum to 0, but for these waves under a bell curve.
KEEP_BRIGHTNESS = {"identity", "box", "gaussian", "binomial", "motion_blur", "sharpen", "unsharp", "emboss"}
SUM_TO_NEITHER = {"gabor"}


def test_the_lectures_diagonal_pair_is_plus_one_above_and_minus_one_below():
    falling, rising = preset("diagonal_falling").weights, preset("diagonal_rising").weights
    y, x = np.mgrid[:7, :7]
    np.testing.assert_array_equal(falling, np.sign(x - y))
    np.testing.assert_array_equal(rising, np.sign(6 - x - y))
    np.testing.assert_array_equal(rising, falling[:, ::-1])


# As the source of each, told in its declaration, prints them: OpenCV (getDerivKernels, Sobel, Scharr, Laplacian),
# ImageMagick (Prewitt, Kirsch, Frei-Chen, Roberts, LineDetection, Laplacian), GIMP (sharpen, emboss).
TABLES = {
    ("sobel", 0): [[-1, 0, 1], [-2, 0, 2], [-1, 0, 1]],
    ("sobel", 45): [[-2, -1, 0], [-1, 0, 1], [0, 1, 2]],
    ("sobel", 90): [[-1, -2, -1], [0, 0, 0], [1, 2, 1]],
    ("sobel", 180): [[1, 0, -1], [2, 0, -2], [1, 0, -1]],
    ("prewitt", 90): [[-1, -1, -1], [0, 0, 0], [1, 1, 1]],
    ("prewitt", 315): [[0, 1, 1], [-1, 0, 1], [-1, -1, 0]],
    ("scharr", 0): [[-3, 0, 3], [-10, 0, 10], [-3, 0, 3]],
    ("frei_chen", 0): [[-1, 0, 1], [-(2**0.5), 0, 2**0.5], [-1, 0, 1]],
    ("kirsch", 270): [[5, 5, 5], [-3, 0, -3], [-3, -3, -3]],
    ("kirsch", 225): [[5, 5, -3], [5, 0, -3], [-3, -3, -3]],
    ("roberts", 45): [[-1, 0], [0, 1]],
    ("roberts", 135): [[0, -1], [1, 0]],
    ("line", 0): [[-1, -1, -1], [2, 2, 2], [-1, -1, -1]],
    ("line", 45): [[2, -1, -1], [-1, 2, -1], [-1, -1, 2]],
    ("line", 90): [[-1, 2, -1], [-1, 2, -1], [-1, 2, -1]],
    ("line", 135): [[-1, -1, 2], [-1, 2, -1], [2, -1, -1]],
    ("laplacian", None): [[0, 1, 0], [1, -4, 1], [0, 1, 0]],
    ("laplacian_8", None): [[1, 1, 1], [1, -8, 1], [1, 1, 1]],
    ("sharpen", None): [[0, -1, 0], [-1, 5, -1], [0, -1, 0]],
    ("emboss", 45): [[-2, -1, 0], [-1, 1, 1], [0, 1, 2]],
    ("sobel_x", None): [[-1, 0, 1], [-2, 0, 2], [-1, 0, 1]],
    ("sobel_y", None): [[-1, -2, -1], [0, 0, 0], [1, 2, 1]],
}


@pytest.mark.parametrize(("name", "angle"), TABLES)
def test_a_fixed_filter_is_as_published(name, angle):
    np.testing.assert_allclose(preset(name, angle=angle).weights, TABLES[name, angle], rtol=1e-6)


@pytest.mark.parametrize("kind", [kind for kind in PRESETS if not kind.size], ids=lambda kind: kind.name)
def test_the_published_numbers_of_a_fixed_filter_stand_here_and_their_address_in_its_declaration(kind):
    assert kind.name in {name for name, _ in TABLES}, (
        f"TABLES wants the numbers of {kind.name} as {kind.source} has them"
    )
    assert re.search(r"https://\S+", kind.source), f"the source of {kind.name} wants an address: {kind.source}"


@pytest.mark.parametrize("name", COMPASSES)
def test_a_full_turn_in_steps_comes_back_and_half_a_turn_does_not_before(name):
    step = next(kind for kind in PRESETS if kind.name == name).angle.step
    first = preset(name).weights
    turned = [rotate(first, i) for i in range(1, round(360 / step) + 1)]
    np.testing.assert_array_equal(turned[-1], first)
    assert any((other != first).any() for other in turned[:-1])


@pytest.mark.parametrize("name", [name for name in COMPASSES if name != "roberts"])
def test_two_steps_of_45_degrees_are_a_quarter_turn_of_the_whole_kernel(name):
    weights = preset(name).weights
    np.testing.assert_array_equal(rotate(weights, 2), np.rot90(weights, -1))


@pytest.mark.parametrize("angle", [0, 30, 45, 90, 200, 345])
def test_an_edge_filter_answers_most_to_brightness_rising_along_its_angle(angle):
    weights = preset("gaussian_edge", size=15, angle=angle, sigma=2.5).weights
    y, x = np.mgrid[-7:8, -7:8]
    directions = np.arange(0, 360, 5)
    answers = [
        (weights * (x * math.cos(math.radians(d)) + y * math.sin(math.radians(d)) > 0)).sum() for d in directions
    ]
    best = directions[int(np.argmax(answers))]
    assert abs((best - angle + 180) % 360 - 180) <= 10


@pytest.mark.parametrize("name", ["line", "ridge", "motion_blur"])
@pytest.mark.parametrize("angle", [0, 45, 90, 135])
def test_a_line_filter_answers_most_to_a_line_along_its_angle(name, angle):
    weights = preset(name, angle=angle).weights
    half = len(weights) // 2
    answers = {}
    for direction, (dx, dy) in {0: (1, 0), 45: (1, 1), 90: (0, 1), 135: (-1, 1)}.items():
        line = np.zeros(weights.shape)
        for i in range(-half, half + 1):
            line[half + i * dy, half + i * dx] = 1
        answers[direction] = (weights * line).sum()
    assert max(answers, key=answers.get) == angle


@pytest.mark.parametrize("name", sorted(set(NAMES) - SUM_TO_NEITHER))
def test_an_even_picture_keeps_its_brightness_or_gives_nothing(name):
    found = correlate(np.full((20, 20), 0.7), preset(name).weights)
    expected = 0.7 if name in KEEP_BRIGHTNESS else 0
    wanted = f"{name} sums to {preset(name).weights.sum():g}: KEEP_BRIGHTNESS is for 1, SUM_TO_NEITHER for neither"
    np.testing.assert_allclose(found, expected, atol=1e-6, err_msg=wanted)


@pytest.mark.parametrize(("size", "sigma"), [(7, 1.0), (5, 0.8), (21, 3.0)])
def test_a_gaussian_blurs_as_scipys(size, sigma):
    picture = np.random.default_rng(1).random((30, 30))
    radius = size // 2
    expected = scipy.ndimage.gaussian_filter(picture, sigma, mode="constant", truncate=radius / sigma)
    found = correlate(picture, preset("gaussian", size=size, sigma=sigma).weights, padding="same")
    np.testing.assert_allclose(found, expected, atol=1e-6)


@pytest.mark.parametrize("name", ["log", "gaussian_edge", "ridge"])
def test_a_derivative_of_a_bell_curve_is_scipys_up_to_its_scale(name):
    impulse = np.zeros((41, 41))
    impulse[20, 20] = 1
    expected = {
        "log": scipy.ndimage.gaussian_laplace(impulse, 3.0),
        "gaussian_edge": -scipy.ndimage.gaussian_filter(impulse, 3.0, order=(0, 1)),
        "ridge": -scipy.ndimage.gaussian_filter(impulse, 3.0, order=(2, 0)),
    }[name]
    weights = preset(name, size=41, sigma=3.0).weights
    similarity = (weights * expected).sum() / np.linalg.norm(weights) / np.linalg.norm(expected)
    assert similarity > 0.9999
    np.testing.assert_allclose(weights[weights > 0].sum(), 1, rtol=1e-5)


@pytest.mark.parametrize("size", [1, 2, 5, 8])
def test_a_binomial_is_pascals_triangle(size):
    row = scipy.special.binom(size - 1, np.arange(size))
    np.testing.assert_allclose(preset("binomial", size=size).weights, np.outer(row, row) / 4 ** (size - 1))


@pytest.mark.parametrize("angle", [0, 30, 90, 135])
@pytest.mark.parametrize(("name", "psi"), [("gabor", 0.0), ("gabor_odd", -math.pi / 2)])
def test_a_gabor_follows_opencvs_formula(name, psi, angle):
    sigma, size = 2.0, 11
    y, x = np.mgrid[-5:6, -5:6]
    cosine, sine = math.cos(math.radians(angle)), math.sin(math.radians(angle))
    turned_x, turned_y = x * cosine + y * sine, -x * sine + y * cosine
    bell = np.exp(-(turned_x**2 + 0.25 * turned_y**2) / (2 * sigma**2))
    expected = bell * np.cos(2 * np.pi * turned_x * 0.56 / sigma + psi)
    np.testing.assert_allclose(preset(name, size, angle, sigma).weights, expected, atol=1e-6)


def test_unsharp_takes_off_what_the_blur_adds():
    picture = np.random.default_rng(2).random((20, 20))
    blurred = correlate(picture, preset("gaussian", 5, sigma=1.2).weights, padding="same")
    found = correlate(picture, preset("unsharp", 5, sigma=1.2).weights, padding="same")
    np.testing.assert_allclose(found, picture + (picture - blurred), atol=1e-6)


def test_a_sigma_without_a_size_chooses_one_that_holds_three_sigmas():
    assert preset("gaussian", sigma=2).weights.shape == (13, 13)
    assert preset("gaussian", sigma=32).weights.shape == (63, 63)
    assert preset("dog", sigma=0.3).weights.shape == (3, 3)


@pytest.mark.parametrize("kind", SIZED, ids=lambda kind: kind.name)
def test_a_sized_filter_takes_every_size_it_says_and_no_other(kind):
    for size in range(-1, MAX_SIDE + 3):
        is_allowed = kind.size.least <= size <= MAX_SIDE and (size % 2 == 1 or not kind.size.odd)
        if is_allowed:
            weights = preset(kind.name, size=size).weights
            assert weights.shape == (size, size)
            assert np.isfinite(weights).all()
            assert weights.any()
        else:
            with pytest.raises(InvalidOption, match="size"):
                preset(kind.name, size=size)


@pytest.mark.parametrize("name", NAMES)
def test_a_filter_describes_itself_and_what_it_takes(name):
    made = preset(name)
    members = made.describe()
    assert members["name"] == name
    assert members["description"]
    assert members["source"] == made.preset.source
    assert len(members["source"]) > 10
    assert members["shape"] == list(made.weights.shape)
    assert made.weights.dtype == np.float32
    assert list(members["parameters"]) == [p for p in ("size", "angle", "sigma") if p in made.parameters]
    values = {parameter: rule["value"] for parameter, rule in members["parameters"].items()}
    np.testing.assert_array_equal(preset(name, **values).weights, made.weights)


@pytest.mark.parametrize(
    ("name", "options", "parameter"),
    [
        ("sobel_x", {"angle": 45}, "angle"),
        ("sobel", {"size": 5}, "size"),
        ("sobel", {"angle": 30}, "angle"),
        ("sobel", {"angle": math.inf}, "angle"),
        ("roberts", {"angle": 0}, "angle"),
        ("gaussian", {"angle": 0}, "angle"),
        ("gaussian", {"sigma": 0}, "sigma"),
        ("gaussian", {"sigma": -1}, "sigma"),
        ("gaussian", {"sigma": math.nan}, "sigma"),
        ("gaussian", {"sigma": 1e9}, "sigma"),
        ("gaussian", {"sigma": 10**400}, "sigma"),
        ("gaussian", {"size": 64}, "size"),
        ("gaussian", {"size": 2.5}, "size"),
        ("gaussian", {"size": True}, "size"),
        ("gaussian", {"size": "7"}, "size"),
        ("identity", {"size": 4}, "size"),
    ],
)
def test_a_parameter_that_is_not_taken_or_out_of_range_is_refused_by_name(name, options, parameter):
    with pytest.raises(InvalidOption, match=parameter) as refusal:
        preset(name, **options, pointer="/filters/0")
    assert refusal.value.pointer == f"/filters/0/{parameter}"


@pytest.mark.parametrize("name", ["sobel_z", "", None, 7])
def test_an_unknown_filter_is_not_found_and_the_known_ones_are_listed(name):
    with pytest.raises(NotFound, match="diagonal_falling"):
        preset(name)
