"""What novelty is measured with: pictures from their seed, of every kind."""

import numpy as np
import pytest

from training.novelty.strangers import KINDS


@pytest.mark.parametrize("kind", KINDS)
def test_strangers_come_from_their_seed_and_hold_ink(kind):
    first, again, other = (KINDS[kind](12, seed) for seed in (1, 1, 2))
    assert first.shape == (12, 28, 28)
    assert first.dtype == np.uint8
    np.testing.assert_array_equal(first, again)
    assert (first != other).any()
    assert first.max((1, 2)).min() > 60, "every picture has something to see"
