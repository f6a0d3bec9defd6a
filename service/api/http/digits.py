"""From posted pictures to what a network reads: what classify, feature-maps, explain and what-if share."""

from service.api.http.reading import Posted
from service.core.colour import to_unit
from service.core.digit import SIDE
from service.core.inputs import as_input
from service.lab import prices
from service.lab.adopted import check_picture
from service.lab.digits import Digits, all_digits, as_digit
from service.lab.options import PictureOptions
from service.network.sessions import Network


def read_digits(posted: Posted[PictureOptions], network: Network) -> Digits:
    """
    Bring every posted picture to 28 x 28, as the network reads it; see lab.digits.as_digit().

    raises: InvalidImage, and what decoding raises; NotPossible where the network reads another size
    """
    check_picture(network)
    how: str = posted.options.prepare
    if how == "auto" and network.passport.input.prepare == "picture":
        how = "picture"
    batch = posted.levels() if how == "none" else None
    if batch is not None and batch.shape[1:] == (SIDE, SIDE):
        prices.charge("decode", prices.numbers(batch))
        # A batch of levels is taken at once: one picture at a time takes ten times as long.
        return Digits(as_input(to_unit(batch)), [None] * len(batch))
    return all_digits(posted.each(lambda picture: as_digit(picture, how)))
