"""From posted pictures to what a network reads: what classify, feature-maps, explain and what-if share."""

from service.api.http.reading import Posted
from service.core.colour import to_unit
from service.lab import prices
from service.lab.inputs import Inputs, all_inputs, as_readable, decoded_side
from service.lab.options import PictureOptions
from service.network.sessions import Network
from service.pictures.codec import REDUCED_SIDE


def read_inputs(posted: Posted[PictureOptions], network: Network) -> Inputs:
    """
    Bring every posted picture to the form that the network reads; see lab.inputs.as_readable().

    raises: InvalidImage, and what decoding raises
    """
    asked, how = network.passport.input, posted.options.prepare
    batch = posted.levels() if how == "none" else None
    if batch is not None and (1, *batch.shape[1:]) == asked.shape:
        prices.charge("decode", prices.numbers(batch))
        # A batch of levels is taken at once: one picture at a time takes ten times as long.
        return Inputs(to_unit(batch).reshape(-1, *asked.shape), [None] * len(batch))
    side = decoded_side(asked, REDUCED_SIDE)
    return all_inputs(posted.each(lambda picture: as_readable(picture, how, asked), decoded_side=side), asked)
