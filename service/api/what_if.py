"""POST /v1/what-if: the verdict of an edited network beside that of the trained one."""

from typing import Any

from flask import Blueprint, request

from service.api import writing
from service.api.application import Reply
from service.api.changes import check_finite, describe, read_changes
from service.api.digits import Digits, read_digits
from service.api.options import WhatIfOptions
from service.api.reading import read_posted
from service.network.sessions import Library, Network, Verdicts
from service.record import Stage
from service.settings import Settings


def blueprint(library: Library, settings: Settings) -> Blueprint:
    """The routes of this noun, given what they work with."""
    routes = Blueprint("what_if", __name__)

    @routes.post("/v1/what-if")
    def what_if() -> Reply:
        """Switch filters off, scale or replace them, and answer the verdict before and after."""
        posted = read_posted(request, WhatIfOptions, settings)
        options = posted.options
        writing.choose_format(request, options.format, ("json",))
        network = library.get(options.model, options.version)
        overrides = read_changes(network, options.changes)
        digits = read_digits(posted)
        # Both from the analysis session, so that nothing but the changes makes a difference.
        with Stage("infer"):
            before, _ = network.analyse(digits.images, [])
            after, _ = network.analyse(digits.images, [], overrides)
        check_finite(after, {})
        return writing.json(_write(network, digits, before, after, options))

    return routes


def _write(
    network: Network, digits: Digits, before: Verdicts, after: Verdicts, options: WhatIfOptions
) -> dict[str, Any]:
    results = [
        {
            "changes": describe(options.changes),
            "before": writing.verdict(before, index, network),
            "after": writing.verdict(after, index, network),
            "difference": after.logits[index] - before.logits[index],
            "prepared": writing.prepared(prepared, with_image=options.prepared_image),
        }
        for index, prepared in enumerate(digits.prepared)
    ]
    return writing.envelope(results, network)
