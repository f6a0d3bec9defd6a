"""What is asked of an adoption, and how one ends that cannot be: both travel between the command and its child."""

import math
from collections.abc import Sequence
from typing import Literal

import msgspec
import numpy as np

from service.core.inputs import Fit, Fitting, Resampling

LONGEST_REASON = 400

Layout = Literal["auto", "nchw", "nhwc", "rows", "flat"]


class Refused(Exception):
    r"""
    A file that is not adopted, and why and what to do, in one line.

    >>> Refused("it is\nempty")
    Refused('it is empty')
    """

    def __init__(self, reason: str) -> None:
        super().__init__(" ".join(reason.split())[:LONGEST_REASON])


class Numbers(msgspec.Struct, frozen=True, kw_only=True):
    """
    How a picture, 0 = black to 1 = white, becomes the numbers that a network was trained on.

    In this order: channels in `order`; 1 - x where `invert`; times scale; minus mean; divided by std; then laid out.
    """

    order: Literal["rgb", "bgr"] = "rgb"
    invert: bool = False
    scale: float = 1.0
    mean: tuple[float, ...] | None = None
    std: tuple[float, ...] | None = None

    def of(self, images: np.ndarray) -> np.ndarray:
        """
        The numbers of pictures.

        images: (n, channels, rows, columns) float32   returns: the same

        >>> Numbers(scale=255, mean=(100,)).of(np.ones((1, 1, 1, 1), np.float32)).item()
        155.0
        """
        found = images[:, ::-1] if self.order == "bgr" else images
        found = 1 - found if self.invert else found
        found = found * np.float32(self.scale)
        found = found if self.mean is None else found - _per_channel(self.mean)
        found = found if self.std is None else found / _per_channel(self.std)
        return np.ascontiguousarray(found, np.float32)

    def fault(self, channels: int) -> str:
        """What keeps them from being used on pictures of so many channels, or nothing."""
        if not math.isfinite(self.scale) or self.scale == 0:
            return f"--scale must be a number other than 0, got {self.scale:g}"
        for name, values in (("mean", self.mean), ("std", self.std)):
            if values is not None and len(values) not in {1, channels}:
                return f"--{name} must be one number, or one for each of {channels} channels, got {len(values)}"
            if values is not None and not all(math.isfinite(value) for value in values):
                return f"--{name} must be finite numbers"
        if self.std is not None and 0 in self.std:
            return "--std must have no 0"
        return "the order bgr needs three channels" if self.order == "bgr" and channels != 3 else ""

    def __str__(self) -> str:
        """
        In words.

        >>> str(Numbers(order="bgr", scale=255)), str(Numbers(scale=2, mean=(1,)))
        ('0..255, bgr', '-1..1')
        """
        words = "-1..1" if (self.scale, self.mean, self.std) == (2, (1,), None) else f"0..{self.scale:g}"
        for name, values in (("mean", self.mean), ("std", self.std)):
            if values is not None and words != "-1..1":
                words += f", {name} {' '.join(f'{value:g}' for value in values)}"
        words += ", dark as light" if self.invert else ""
        return words + (", bgr" if self.order == "bgr" else "")


def _per_channel(values: Sequence[float]) -> np.ndarray:
    return np.array(values, np.float32).reshape(1, -1, 1, 1)


PRESETS = {
    "raw": Numbers(scale=255),
    "mnist": Numbers(mean=(0.1307,), std=(0.3081,)),
    "cifar10": Numbers(mean=(0.4914, 0.4822, 0.4465), std=(0.247, 0.2435, 0.2616)),
    "imagenet": Numbers(mean=(0.485, 0.456, 0.406), std=(0.229, 0.224, 0.225)),
    "caffe": Numbers(order="bgr", scale=255, mean=(103.939, 116.779, 123.68)),
}


class AdoptionOptions(msgspec.Struct, frozen=True, kw_only=True):
    """
    One adoption.

    model: the file; folder: where what is made of it is written; size: (rows, columns) where the file leaves them free
    numbers: None where they were not said; fit, filter, short_side, fill: see core.inputs.Fitting
    check, reference, report: folders, of labelled pictures to try forms on, of known answers, and of labelled pictures
        on which it is told what filters respond to
    """

    model: str
    folder: str
    name: str
    version: str
    labels: tuple[str, ...] | None = None
    size: tuple[int, int] | None = None
    layout: Layout = "auto"
    output: str | None = None
    numbers: Numbers | None = None
    prepare: Literal["digit", "picture"] = "picture"
    fit: Fit = "stretch"
    filter: Resampling = "bilinear"
    short_side: int | None = None
    fill: float = 0.0
    check: str | None = None
    reference: str | None = None
    report: str | None = None

    @property
    def fitting(self) -> Fitting:
        """How a whole picture is brought to what the network reads."""
        return Fitting(self.fit, self.filter, self.short_side, self.fill)
