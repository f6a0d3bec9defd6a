"""Pictures as a network reads them: each made a digit or taken as it is, then all of them in one array."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from service.core.digit import PreparedDigit
from service.core.inputs import UNIT, as_input, as_posted, brought_to
from service.lab import prices
from service.lab.picture import Picture
from service.network.passport import DIGIT_SHAPE

# A picture of one digit in MNIST's form, as it was found, or (28, 28) float32 taken as it is.
Digit = PreparedDigit | np.ndarray


@dataclass(frozen=True, slots=True)
class Digits:
    """
    Pictures in the form the networks were trained on.

    images: (n, 1, 28, 28) float32, 0 = paper, 1 = ink; prepared: what was done to each, None where it was taken as is
    """

    images: np.ndarray
    prepared: Sequence[PreparedDigit | None]


def as_digit(picture: Picture, prepare: str) -> Digit:
    """
    Bring one picture to 28 x 28.

    prepare: auto finds the digit in any picture; none takes 28 x 28 numbers as they are, 0 = paper, 1 = ink; picture
        brings the whole of it to 28 x 28, 0 = black, 1 = white, as some adopted networks read it
    raises: InvalidImage without ink (auto) or of another size (none)
    """
    if prepare == "picture":
        prices.charge("prepare", *prices.bringing(picture.pixels))
        whole: np.ndarray = brought_to(picture.pixels, DIGIT_SHAPE)[0]
        return whole
    return picture.prepared() if prepare == "auto" else as_posted(picture.pixels)


def all_digits(found: Sequence[Digit]) -> Digits:
    """
    Lay into one array what `as_digit` returned of one picture or more.

    >>> all_digits([np.zeros((28, 28), np.float32)] * 3).images.shape
    (3, 1, 28, 28)
    """
    images = [UNIT.take(each.image) if isinstance(each, PreparedDigit) else each for each in found]
    prepared = [each if isinstance(each, PreparedDigit) else None for each in found]
    return Digits(as_input(images[0] if len(images) == 1 else np.stack(images)), prepared)
