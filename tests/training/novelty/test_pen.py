"""The pen that draws what is no digit."""

import numpy as np
import pytest
from scipy.interpolate import CubicHermiteSpline

from training.novelty.pen import in_mnists_form, smooth


def test_a_curve_is_the_catmull_rom_spline_through_its_points():
    points = np.random.default_rng(4).random((6, 2))
    curve = smooth(points, steps=10)
    # The same as the cubic Hermite spline whose slopes are half the way between a point's neighbours.
    padded = np.concatenate([2 * points[:1] - points[1:2], points, 2 * points[-1:] - points[-2:-1]])
    spline = CubicHermiteSpline(np.arange(6), points, (padded[2:] - padded[:-2]) / 2)
    np.testing.assert_allclose(curve, spline(np.arange(51) / 10), atol=1e-12)


@pytest.mark.parametrize("pen", [1.5, 4.0])
def test_a_pen_draws_as_wide_as_it_is(pen):
    upright = in_mnists_form([np.array([[0.0, 0.0], [0.0, 1.0]])], pen) / 255
    assert upright[14].sum() == pytest.approx(pen, abs=0.3)
    assert upright.sum(0).max() <= 20.5
