"""POST /v1/classify."""

from typing import Any

import numpy as np
from flask import Blueprint, request

from service.api.http import writing
from service.api.http.application import Reply
from service.api.http.inputs import read_inputs
from service.api.http.reading import read_posted
from service.lab import prices
from service.lab.inputs import Inputs
from service.lab.options import ClassifyOptions
from service.lab.steps import told_step, weights_at
from service.lab.verdicts import describe_verdicts
from service.network.sessions import Library, Network, Verdicts
from service.observe.record import Timed, note_verdicts
from service.settings import Settings


def blueprint(library: Library, settings: Settings) -> Blueprint:
    """The routes of this noun, given what they work with."""
    routes = Blueprint("classify", __name__)

    @routes.post("/v1/classify")
    def classify() -> Reply:
        """Tell the class of every posted picture: the digit on it, or what an adopted network calls it."""
        posted = read_posted(request, ClassifyOptions, settings, library)
        options = posted.options
        form = writing.choose_format(request, options.format, ("json", "npz"))
        network = library.get(options.model, options.version)
        step = options.step
        prices.charge_step(network, step)
        prices.charge_verdicts(
            network, len(posted.sources), with_image=options.prepared_image, with_maps=step is not None
        )
        fed = weights_at(network, step, library)
        inputs = read_inputs(posted, network)
        with Timed("infer"):
            verdicts = network.analyse(inputs.images, [], fed)[0] if fed else network.classify(inputs.images)
        if step is None:  # what an unfinished network says is no verdict of the model
            note_verdicts(network.name, verdicts.classes, verdicts.novelty)
        if form == "npz":
            return writing.npz(_arrays(verdicts, network), network)
        return writing.json(_write(verdicts, inputs, network, options) | told_step(step))

    return routes


def _write(verdicts: Verdicts, inputs: Inputs, network: Network, options: ClassifyOptions) -> dict[str, Any]:
    results = describe_verdicts(verdicts, network, inputs.prepared, full=options.full)
    for result, picture in zip(results, inputs.prepared, strict=True):
        result["prepared"] = writing.prepared(picture, with_image=options.prepared_image)
    return writing.envelope(results, network)


def _arrays(verdicts: Verdicts, network: Network) -> dict[str, np.ndarray]:
    classes = verdicts.logits.argmax(axis=1)
    arrays = {"probabilities": verdicts.probabilities, "logits": verdicts.logits}
    if network.passport.is_adopted:
        return {"classes": classes} | arrays
    arrays = {"digits": classes} | arrays | {"classes": classes}
    arrays |= {"doubt": np.array(verdicts.doubts(network.passport), np.float32)}
    threshold = network.passport.novelty
    if verdicts.novelty is None or threshold is None:
        return arrays
    return arrays | {"novelty": verdicts.novelty, "is_digit": verdicts.novelty <= threshold.threshold}
