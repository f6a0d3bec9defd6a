"""POST /v1/explain: why the network decided as it did, in numbers that add up where its structure allows."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from flask import Blueprint, request

from service.api.http import writing
from service.api.http.application import Reply
from service.api.http.arrays import arrays_of
from service.api.http.inputs import read_inputs
from service.api.http.reading import read_posted
from service.core.errors import InvalidOption, NotPossible
from service.lab import prices, sizes
from service.lab.adopted import check_explained
from service.lab.changes import changed, check_finite, read_changes
from service.lab.explain.case import Case
from service.lab.explain.methods import METHODS
from service.lab.explain.options import ExplainOptions, check_options
from service.lab.explain.rules import check_work, credited_layer
from service.lab.inputs import Inputs
from service.network.sessions import Library, Network
from service.observe.record import Timed
from service.settings import Limits, Settings

# Of the work that a request may cause, what masked runs may be of it when fewer are named: reading the pictures, and
# running and writing each once, is work too.
SHARE_OF_RUNS = 0.9
# At most so many arrays of an explanation are in an npz; each costs the same however small it is.
ARRAYS = 32


def blueprint(library: Library, settings: Settings) -> Blueprint:
    """The routes of this noun, given what they work with."""
    routes = Blueprint("explain", __name__)

    @routes.post("/v1/explain")
    def explain() -> Reply:
        """Explain the verdict on every posted picture by the method asked for."""
        posted = read_posted(request, ExplainOptions, settings, library)
        options = posted.options
        form = writing.choose_format(request, options.format, ("json", "npz"))
        network = library.get(options.model, options.version)
        check_explained(network, options.method, edited=bool(options.changes))
        check_options(network, options)
        _charge(network, options, len(posted.sources), form, settings)
        overrides = read_changes(network, options.changes)
        mean_maps = _mean_maps(network, options)
        explained = METHODS[options.method].explain
        inputs = read_inputs(posted, network)
        results = []
        for case in _cases(network, options, inputs, overrides, mean_maps):
            prices.go_on()
            results.append(explained(case))
        if form == "npz":
            return writing.npz(arrays_of(results), network)
        whole = [result | _tail(inputs, index, options) for index, result in enumerate(results)]
        return writing.json(writing.envelope(whole, network))

    return routes


def _charge(network: Network, options: ExplainOptions, count: int, form: str, limits: Limits) -> None:
    """Charge the explanations and their answer; raises what is refused of their size as well."""
    method = METHODS[options.method]
    runs = method.runs(network, options) * count
    if runs > limits.max_masked_runs:
        pointer = "/masks" if "masks" in method.takes else "/stride"
        raise InvalidOption(
            f"a request may run the network on {limits.max_masked_runs} masked pictures, this needs {runs}", pointer
        )
    numbers = method.numbers(network, options) * count
    if form == "json":
        sizes.check_numbers(numbers, limits, "npz, or post fewer pictures")
    sizes.check_bytes(8 * numbers, limits)
    if method.is_exact:
        prices.charge_opening(network, walked=True)
    check_work(network, options, runs // count, SHARE_OF_RUNS * limits.max_work_units / count)
    if needs_maps(network, options):
        prices.charge_analysis(network, count, method.maps_of(network, options))
    else:
        prices.charge("run", prices.running(network, count))
    prices.charge("explain", count * method.price(network, options), method.held(network, options))
    prices.charge_changes(options.changes, count)
    if form == "npz":
        work = count * ARRAYS * prices.NPZ_ARRAY + 8 * numbers * prices.NPZ_BYTE
        prices.charge("write", work, 8 * numbers)
        return
    work = prices.results(network, count, with_image=options.prepared_image) + numbers * prices.JSON_NUMBER_OUT
    prices.charge("write", work, numbers * prices.JSON_NUMBER_BYTES)


def needs_maps(network: Network, options: ExplainOptions) -> bool:
    """Whether a network is run with its maps at hand; an adopted one is not where its verdict is enough."""
    return bool(METHODS[options.method].maps_of(network, options) or options.changes)


def _mean_maps(network: Network, options: ExplainOptions) -> np.ndarray | None:
    if options.baseline != "mean" or options.method == "occlusion":
        return None
    found = network.mean_maps
    if found is None:
        how = "filterscope adopt --report" if network.passport.is_adopted else "python -m training report"
        raise NotPossible(
            f"baseline=mean needs the mean maps of a dataset, and {network.name}/{network.version} has no report.json "
            f"({how} makes it); baseline=zero works",
            "/baseline",
        )
    if network.passport.is_adopted and (layer := credited_layer(network, options).name) != network.layer_of_means:
        raise NotPossible(
            f"baseline=mean is known at {network.layer_of_means}, not at {layer}; baseline=zero works", "/baseline"
        )
    return found


def _cases(
    network: Network,
    options: ExplainOptions,
    inputs: Inputs,
    overrides: dict[str, np.ndarray],
    mean_maps: np.ndarray | None,
) -> Sequence[Case]:
    """Run the network once over all pictures, and hand out each with the maps of its own."""
    names = METHODS[options.method].maps_of(network, options)
    with Timed("infer"):
        if needs_maps(network, options):
            verdicts, maps = network.analyse(inputs.images, names, overrides)
        else:
            verdicts, maps = network.classify(inputs.images), {}
    if overrides:
        check_finite(verdicts, maps)
    weights = overrides if network.passport.is_adopted else {**network.weights, **overrides}
    return [
        Case(
            network,
            options,
            inputs.images[i],
            {name: array[i] for name, array in maps.items()},
            weights,
            overrides,
            verdicts.logits[i],
            mean_maps,
        )
        for i in range(len(inputs.images))
    ]


def _tail(inputs: Inputs, index: int, options: ExplainOptions) -> dict[str, Any]:
    prepared = writing.prepared(inputs.prepared[index], with_image=options.prepared_image)
    return {**changed(options.changes), "prepared": prepared}
