"""From posted pictures to what a network reads: what classify, feature-maps, explain and what-if share."""

from service.api.http.reading import Posted
from service.core.colour import to_unit
from service.core.digit import SIDE
from service.core.inputs import as_input
from service.lab import prices
from service.lab.digits import Digits, all_digits, as_digit
from service.lab.options import PictureOptions


def read_digits(posted: Posted[PictureOptions]) -> Digits:
    """
    Bring every posted picture to 28 x 28; see lab.digits.as_digit().

    raises: InvalidImage, and what decoding raises
    """
    how = posted.options.prepare
    batch = posted.levels() if how == "none" else None
    if batch is not None and batch.shape[1:] == (SIDE, SIDE):
        prices.charge("decode", prices.numbers(batch))
        # A batch of levels is taken at once: one picture at a time takes ten times as long.
        return Digits(as_input(to_unit(batch)), [None] * len(batch))
    return all_digits(posted.each(lambda picture: as_digit(picture, how)))
