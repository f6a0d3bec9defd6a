"""Structures that cannot be are refused."""

import pytest

from training.networks.structure import Conv, Pool, Structure, layers


def test_what_cannot_be_built_is_refused():
    with pytest.raises(ValueError, match="does not fit maps of 28 x 28"):
        layers(Structure((Conv(2, (29, 3)),)))
    with pytest.raises(ValueError, match="takes no padding"):
        Pool("avgpool", (3, 3), (1, 1), (1, 1))
