"""From posted pictures to what a network reads: the step that classify, feature-maps, explain and what-if share."""

from dataclasses import dataclass

import numpy as np

from service.api.http.reading import Posted
from service.core.colour import to_grey, to_unit
from service.core.digit import SIDE, PreparedDigit
from service.core.inputs import UNIT, as_input, of_size
from service.lab import prices
from service.lab.options import PictureOptions
from service.lab.picture import Picture


@dataclass(frozen=True, slots=True)
class Digits:
    """
    Pictures in the form the networks were trained on.

    images: (n, 1, 28, 28) float32, 0 = paper, 1 = ink; prepared: what was done to each, None where it was taken as is
    """

    images: np.ndarray
    prepared: list[PreparedDigit | None]


def read_digits(posted: Posted[PictureOptions]) -> Digits:
    """
    Bring every posted picture to 28 x 28.

    prepare=auto finds the digit in any picture; prepare=none takes 28 x 28 numbers as they are, 0 = paper, 1 = ink
    raises: InvalidImage without ink (auto) or of another size (none), and what decoding raises
    """
    if posted.options.prepare == "auto":
        prepared = posted.each(Picture.prepared)
        levels = prepared[0].image if len(prepared) == 1 else np.array([digit.image for digit in prepared])
        return Digits(as_input(UNIT[levels]), list(prepared))
    batch = posted.levels()
    if batch is not None and batch.shape[1:] == (SIDE, SIDE):
        prices.charge("decode", batch.size * prices.NUMBER)
        # A batch of levels is taken at once: one picture at a time takes ten times as long.
        return Digits(as_input(to_unit(batch)), [None] * len(batch))
    pictures = posted.each(lambda picture: of_size(picture.pixels))
    return Digits(as_input(np.concatenate([to_grey(each) for each in pictures])), [None] * len(pictures))
