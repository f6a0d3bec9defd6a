"""The checks on a caller's own kernel."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from service.core.errors import InvalidKernel
from service.core.kernels import check_kernel


@pytest.mark.parametrize(
    ("weights", "message"),
    [
        ([[1, 2, 3], [1, 2, 3], [1, 2]], "one length, got 3, 3, 2"),
        ([[[1]], [[1], [2]]], "one number of rows, got 1, 2"),
        ([[[1, 2]], [[1]]], "one length, got 2, 1"),
        ([], "none of them empty"),
        ([[]], "none of them empty"),
        ([[1], []], "none of them empty"),
        ([[[]]], "finite numbers"),
        ([1, 2], "rows of numbers"),
        (3, "rows of numbers"),
        ("123", "rows of numbers"),
        (None, "rows of numbers"),
        ({"0": [1]}, "rows of numbers"),
        ([[[[1]]]], "finite numbers"),
        ([[1, "2"]], "finite numbers"),
        ([[1, None]], "finite numbers"),
        ([[1, True]], "finite numbers"),
        ([[1, [2]]], "finite numbers"),
        ([[1, math.nan]], "finite numbers"),
        ([[1, math.inf]], "finite numbers"),
        ([[1, 1e39]], "finite numbers"),
        ([[1, 10**400]], "finite numbers"),
        ([[1], 2], "rows of numbers"),
        ([[[1]], 2], "rows of numbers"),
        ([[0] * 64], "63 x 63 cells, got 1 x 64"),
        ([[0]] * 64, "63 x 63 cells, got 64 x 1"),
    ],
)
def test_a_kernel_that_is_none_is_refused_with_what_came(weights, message):
    with pytest.raises(InvalidKernel, match=message) as refusal:
        check_kernel(weights, pointer="/filters/2/weights")
    assert refusal.value.pointer == "/filters/2/weights"


def test_a_deeply_nested_kernel_is_refused():
    weights = [1]
    for _ in range(100_000):
        weights = [weights]
    with pytest.raises(InvalidKernel):
        check_kernel(weights)


@given(
    arrays.arrays(
        np.float32,
        arrays.array_shapes(min_dims=2, max_dims=3, max_side=9),
        elements=st.floats(width=32, allow_nan=False, allow_infinity=False),
    )
)
def test_any_finite_kernel_comes_through_unchanged_as_array_or_lists(weights):
    for sent in (weights, weights.tolist()):
        found = check_kernel(sent)
        assert found.dtype == np.float32
        np.testing.assert_array_equal(found, weights)


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=2), inner, max_size=2),
    max_leaves=12,
)


@given(anything)
def test_whatever_is_sent_is_a_kernel_or_refused(weights):
    try:
        found = check_kernel(weights)
    except InvalidKernel:
        return
    assert found.ndim in {2, 3}
    assert np.isfinite(found).all()
    np.testing.assert_array_equal(found, np.array(weights, np.float64).astype(np.float32))
