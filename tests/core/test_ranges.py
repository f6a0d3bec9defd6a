"""Levels of a picture can be read back into values."""

import numpy as np
import pytest

from service.core.errors import InvalidOption
from service.core.ranges import DIVERGING, to_levels, value_range


def read_back(levels, lo, hi, polarity):
    """What a client does with the picture and the declared range."""
    if polarity == "diverging":
        levels = (levels[..., None, :] == DIVERGING).all(axis=-1).argmax(axis=-1)
    share = levels / 255.0
    return lo + (1 - share if polarity == "pencil" else share) * (hi - lo)


@pytest.mark.parametrize("polarity", ["light", "pencil", "diverging"])
@pytest.mark.parametrize("mode", ["layer", "symmetric"])
def test_a_picture_inverts_to_its_values_within_half_a_level(mode, polarity):
    maps = np.random.default_rng(1).normal(size=(3, 20, 20)).astype(np.float32)
    lo, hi = value_range(maps, mode)
    levels, clipped, degenerate = to_levels(maps, lo, hi, polarity)
    assert (levels.dtype, clipped, degenerate) == (np.uint8, 0.0, False)
    assert np.abs(read_back(levels, lo, hi, polarity) - maps).max() <= (hi - lo) / 510 * (1 + 1e-9)


def test_a_layers_range_is_shared_and_a_maps_own():
    maps = np.array([[[0.0, 1.0]], [[-5.0, 100.0]]])
    assert value_range(maps, "layer") == (-5.0, 100.0)
    assert value_range(maps[0], "map") == (0.0, 1.0)


@pytest.mark.parametrize(("values", "expected"), [([-3, 1], (-3, 3)), ([1, 4], (-4, 4)), ([0, 0], (0, 0))])
def test_a_symmetric_range_has_zero_in_its_middle(values, expected):
    assert value_range(values, "symmetric") == expected


def test_zero_is_white_in_a_diverging_picture_of_symmetric_range():
    levels = to_levels([0.0, -1.0, 1.0], -1, 1, "diverging").levels
    assert levels[0].tolist() == [247, 247, 247]
    assert levels[1][2] > levels[1][0]
    assert levels[2][0] > levels[2][2]


def test_pencil_is_dark_where_light_is_bright():
    values = np.linspace(0, 1, 11)
    np.testing.assert_array_equal(to_levels([0.0, 1.0], 0, 1, "pencil").levels, [255, 0])
    light, pencil = to_levels(values, 0, 1).levels, to_levels(values, 0, 1, "pencil").levels
    np.testing.assert_allclose(light.astype(int) + pencil, 255, atol=1)


def test_half_a_level_rounds_up():
    assert to_levels([0.5, 1.5, 2.49, 254.5], 0, 255).levels.tolist() == [1, 2, 2, 255]


def test_what_lies_beyond_a_fixed_range_is_clipped_and_counted():
    lo, hi = value_range([0.0], "fixed", -1, 1)
    levels, clipped, _ = to_levels([-2.0, -1.0, 0.0, 3.0], lo, hi)
    assert (levels.tolist(), clipped) == ([0, 0, 128, 255], 0.5)


@pytest.mark.parametrize("polarity", ["light", "pencil"])
def test_a_constant_map_is_mid_grey_and_says_so(polarity):
    levels, clipped, degenerate = to_levels(np.full((2, 2), 7.0), 7.0, 7.0, polarity)
    assert (levels == 128).all()
    assert (clipped, degenerate) == (0.0, True)


@pytest.mark.parametrize(
    ("mode", "lo", "hi"),
    [
        ("fixed", None, None),
        ("fixed", 0, None),
        ("fixed", 1, 1),
        ("fixed", 2, 1),
        ("fixed", 0, float("nan")),
        ("fixed", 0, float("inf")),
        ("layer", 0, None),
        ("map", None, 1),
        ("every", None, None),
    ],
)
def test_a_range_that_is_none_is_refused(mode, lo, hi):
    with pytest.raises(InvalidOption):
        value_range([0.0, 1.0], mode, lo, hi)


def test_an_unknown_polarity_is_refused():
    with pytest.raises(InvalidOption, match="light, pencil, diverging"):
        to_levels([0.0], 0, 1, "dark")
