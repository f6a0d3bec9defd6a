"""POST /v1/read: several digits in one picture."""

from typing import Any

import numpy as np
from flask import Blueprint, request

from service.api.http import writing
from service.api.http.application import Reply
from service.api.http.reading import read_posted
from service.lab.adopted import check_digits
from service.lab.options import ReadOptions
from service.lab.picture import Picture
from service.lab.read.asked import check_asked
from service.lab.read.reading import READ_SIDE, Reading, charge_results, read_picture
from service.lab.read.telling import described, picture_of_reading
from service.network.sessions import Library, Network
from service.observe.record import note_verdicts
from service.settings import Settings


def blueprint(library: Library, settings: Settings) -> Blueprint:
    """The routes of this noun, given what they work with."""
    routes = Blueprint("read", __name__)

    @routes.post("/v1/read")
    def read() -> Reply:
        """Read the digits in every posted picture."""
        posted = read_posted(request, ReadOptions, settings, library)
        options = posted.options
        form = writing.choose_format(request, options.format, ("json", "png"))
        network = library.get(options.model, options.version)
        check_asked(options)
        check_digits(network)

        def work(picture: Picture) -> Any:
            reading = read_picture(picture, network, options, settings)
            _note(reading, network)
            if form == "png":
                return picture_of_reading(reading, picture, network, options)
            charge_results(reading, network, with_image=options.prepared_image)
            result = described(reading, network, options)
            for told, digit in zip(result["digits"], reading.digits, strict=True):
                told["prepared"] = writing.prepared(digit.prepared, with_image=options.prepared_image)
            return result

        results = posted.each(work, decoded_side=READ_SIDE)
        if form == "png":
            return writing.png(_stacked(results), {}, network)
        return writing.json(writing.envelope(results, network))

    return routes


def _note(reading: Reading, network: Network) -> None:
    digits = [each.candidate for each in reading.digits]
    knows_novelty = network.passport.novelty is not None
    novelty = [each.novelty for each in digits] if knows_novelty else None
    note_verdicts(network.name, [each.digit for each in digits], novelty)


def _stacked(pictures: list[np.ndarray]) -> np.ndarray:
    """Pictures below each other, on one sheet."""
    width = max(picture.shape[1] for picture in pictures)
    return np.concatenate(
        [np.pad(each, ((0, 0), (0, width - each.shape[1]), (0, 0)), constant_values=255) for each in pictures]
    )
