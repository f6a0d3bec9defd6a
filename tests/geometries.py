"""Random pictures, kernels and geometries, seeded, for tests that compare two ways to compute the same maps."""

import os
from dataclasses import dataclass
from typing import Any

import numpy as np

from service.core.convolution import PAD_MODES, Geometry, geometry
from service.core.errors import InvalidKernel


def sample_size(small, full):
    """How many cases to try: `full` under `make proof`."""
    return full if os.environ.get("FILTERSCOPE_PROOF") else small


@dataclass(frozen=True)
class Case:
    """One convolution; the arrays are float32."""

    image: np.ndarray  # (C, height, width)
    kernels: np.ndarray  # (K, C, kh, kw)
    biases: np.ndarray  # (K,)
    options: dict[str, Any]  # stride, dilation, padding, pad_mode, pad_value
    places: Geometry


def random_cases(seed, count, largest=40):
    """Yield `count` cases in which the kernel fits."""
    rng = np.random.default_rng(seed)
    while count:
        channels, kernels = int(rng.choice([1, 1, 3])), int(rng.integers(1, 6))
        height, width = (int(n) for n in rng.integers(1, largest, 2))
        kernel_shape = tuple(int(n) for n in rng.integers(1, 10, 2))
        paddings = (
            "valid",
            "crop",
            "same",
            "pad",
            "full",
            int(rng.integers(6)),
            [int(n) for n in rng.integers(0, 20, 4)],
        )
        options = {
            "stride": tuple(int(n) for n in rng.integers(1, 5, 2)),
            "dilation": tuple(int(n) for n in rng.choice([1, 1, 1, 2, 3], 2)),
            "padding": paddings[rng.integers(len(paddings))],
            "pad_mode": PAD_MODES[rng.integers(len(PAD_MODES))],
            "pad_value": float(rng.normal()),
        }
        try:
            places = geometry((height, width), kernel_shape, options["stride"], options["dilation"], options["padding"])
        except InvalidKernel:
            continue
        count -= 1
        yield Case(
            rng.random((channels, height, width), dtype=np.float32),
            rng.normal(size=(kernels, channels, *kernel_shape)).astype(np.float32),
            rng.normal(size=kernels).astype(np.float32),
            options,
            places,
        )
