"""POST /v1/classify."""

from typing import Any

import numpy as np
from flask import Blueprint, request

from service.api.http import writing
from service.api.http.application import Reply
from service.api.http.digits import read_digits
from service.api.http.reading import read_posted
from service.lab import prices
from service.lab.digits import Digits
from service.lab.options import ClassifyOptions
from service.lab.verdicts import describe_verdicts
from service.network.sessions import Library, Network, Verdicts
from service.observe.record import Timed, note_verdicts
from service.settings import Settings


def blueprint(library: Library, settings: Settings) -> Blueprint:
    """The routes of this noun, given what they work with."""
    routes = Blueprint("classify", __name__)

    @routes.post("/v1/classify")
    def classify() -> Reply:
        """Read the digit on every posted picture."""
        posted = read_posted(request, ClassifyOptions, settings, library)
        options = posted.options
        form = writing.choose_format(request, options.format, ("json", "npz"))
        network = library.get(options.model, options.version)
        prices.charge_verdicts(network, len(posted.sources), with_image=options.prepared_image)
        digits = read_digits(posted, network)
        with Timed("infer"):
            verdicts = network.classify(digits.images)
        note_verdicts(network.name, verdicts.digits, verdicts.novelty)
        if form == "npz":
            return writing.npz(_arrays(verdicts, network), network)
        return writing.json(_write(verdicts, digits, network, with_image=options.prepared_image))

    return routes


def _write(verdicts: Verdicts, digits: Digits, network: Network, *, with_image: bool) -> dict[str, Any]:
    results = describe_verdicts(verdicts, network, digits.prepared)
    for result, digit in zip(results, digits.prepared, strict=True):
        result["prepared"] = writing.prepared(digit, with_image=with_image)
    return writing.envelope(results, network)


def _arrays(verdicts: Verdicts, network: Network) -> dict[str, np.ndarray]:
    if network.passport.is_adopted:
        classes = verdicts.logits.argmax(axis=1)
        return {"classes": classes, "probabilities": verdicts.probabilities, "logits": verdicts.logits}
    arrays = {"digits": verdicts.logits.argmax(axis=1), "probabilities": verdicts.probabilities}
    arrays |= {"logits": verdicts.logits, "doubt": np.array(verdicts.doubts(network.passport), np.float32)}
    threshold = network.passport.novelty
    if verdicts.novelty is None or threshold is None:
        return arrays
    return arrays | {"novelty": verdicts.novelty, "is_digit": verdicts.novelty <= threshold.threshold}
