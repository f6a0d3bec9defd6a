"""Pictures as a network reads them: each made so or taken as it is, then all of them in one array."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from service.core.digit import PreparedDigit
from service.core.inputs import UNIT, FittedPicture, as_posted, fitted
from service.lab import prices
from service.lab.picture import Picture
from service.network.passport import Input

# One picture in the form that a network reads: a digit as it was found, the whole picture as it was brought to the
# size, or numbers taken as they are.
Readable = PreparedDigit | FittedPicture | np.ndarray
# A JPEG for a network that reads the whole picture is decoded at the smallest scale whose longer side is still so many
# times that of the network's.
SIDES_DECODED = 4


@dataclass(frozen=True, slots=True)
class Inputs:
    """
    Pictures in the form that a network reads.

    images: (n, channels, rows, columns) float32 from 0 to 1; prepared: what was done to each, None where it was taken
    as is
    """

    images: np.ndarray
    prepared: Sequence[PreparedDigit | FittedPicture | None]


def as_readable(picture: Picture, prepare: str, asked: Input) -> Readable:
    """
    Bring one picture to the form that a network reads.

    prepare: auto does what the network's passport says: finds the digit on it, or brings the whole of it to the size;
        none takes numbers of its size as they are
    raises: InvalidImage without a digit where one is to be found (auto) or of another size (none)
    """
    if prepare == "none":
        return as_posted(picture.pixels, asked.shape, asked.words)
    if asked.prepare == "digit":
        return picture.prepared()
    prices.charge_fitting(picture.pixels, asked)
    whole = fitted(picture.pixels, asked.shape, asked.fitting)
    return whole if picture.frame is None else whole.within(picture.frame)


def decoded_side(asked: Input, least: int) -> int:
    """How long the longer side of a JPEG must still be once it is decoded, and `least` for a digit."""
    return least if asked.prepare == "digit" else max(least, SIDES_DECODED * max(asked.size))


def all_inputs(found: Sequence[Readable], asked: Input) -> Inputs:
    """
    Lay into one array what `as_readable` returned of one picture or more.

    >>> all_inputs([np.zeros((28, 28), np.float32)] * 3, Input()).images.shape
    (3, 1, 28, 28)
    """
    images = [_numbers(each) for each in found]
    prepared = [None if isinstance(each, np.ndarray) else each for each in found]
    return Inputs((images[0] if len(images) == 1 else np.stack(images)).reshape(-1, *asked.shape), prepared)


def _numbers(found: Readable) -> np.ndarray:
    if isinstance(found, PreparedDigit):
        return UNIT.take(found.image)
    return found.image if isinstance(found, FittedPicture) else found
