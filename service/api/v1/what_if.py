"""POST /v1/what-if: the verdict of an edited network beside that of the trained one."""

from typing import Any

from flask import Blueprint, request

from service.api.http import writing
from service.api.http.application import Reply
from service.api.http.inputs import read_inputs
from service.api.http.reading import read_posted
from service.lab import prices
from service.lab.adopted import check_filters
from service.lab.changes import check_finite, describe_changes, read_changes
from service.lab.inputs import Inputs
from service.lab.options import WhatIfOptions
from service.lab.verdicts import describe_verdicts
from service.network.sessions import Library, Network, Verdicts
from service.observe.record import Timed
from service.settings import Settings


def blueprint(library: Library, settings: Settings) -> Blueprint:
    """The routes of this noun, given what they work with."""
    routes = Blueprint("what_if", __name__)

    @routes.post("/v1/what-if")
    def what_if() -> Reply:
        """Switch filters off, scale or replace them, and answer the verdict before and after."""
        posted = read_posted(request, WhatIfOptions, settings, library)
        options = posted.options
        writing.choose_format(request, options.format, ("json",))
        network = library.get(options.model, options.version)
        check_filters(network)
        count = len(posted.sources)
        prices.charge_analysis(network, count, (), times=2)
        prices.charge("write", 2 * prices.results(network, count, with_image=options.prepared_image))
        prices.charge_changes(options.changes, count)
        overrides = read_changes(network, options.changes)
        inputs = read_inputs(posted, network)
        # Both from the analysis session, so that nothing but the changes makes a difference.
        with Timed("infer"):
            before, _ = network.analyse(inputs.images, [])
            after, _ = network.analyse(inputs.images, [], overrides)
        check_finite(after, {})
        return writing.json(_write(network, inputs, before, after, options))

    return routes


def _write(
    network: Network, inputs: Inputs, before: Verdicts, after: Verdicts, options: WhatIfOptions
) -> dict[str, Any]:
    first, second = (
        describe_verdicts(verdicts, network, inputs.prepared, full=options.full) for verdicts in (before, after)
    )
    each = zip(first, second, inputs.prepared, strict=True)
    results = [
        {
            "changes": describe_changes(options.changes),
            "before": untouched,
            "after": changed,
            **({"difference": changed["logits"] - untouched["logits"]} if "logits" in changed else {}),
            "prepared": writing.prepared(prepared, with_image=options.prepared_image),
        }
        for untouched, changed, prepared in each
    ]
    return writing.envelope(results, network)
