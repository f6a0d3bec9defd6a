"""POST /v1/apply-filters, and GET /v1/filters: the caller's own filters, and named ones to start from."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from flask import Blueprint, Response, request

from service.api import writing
from service.api.applying import Kernel, Plan, check_size, read_and_plan, read_kernels, respond
from service.api.caching import revalidated
from service.api.options import ApplyFiltersOptions, PresetListOptions, PresetOptions
from service.api.pictures_of_maps import draw_batch, draw_kernels, used_range
from service.api.reading import read_options, read_posted
from service.core.cards import filter_card
from service.core.kernels import PRESETS, preset
from service.network.sessions import Library
from service.settings import Settings


def blueprint(library: Library, settings: Settings) -> Blueprint:
    """The routes of this noun, given what they work with."""
    routes = Blueprint("filters", __name__)
    routes.after_request(revalidated)

    @routes.post("/v1/apply-filters")
    def apply_filters() -> Response:
        """Answer the response of every posted picture to every filter."""
        posted = read_posted(request, ApplyFiltersOptions, settings)
        options = posted.options
        form = writing.choose_format(request, options.format, ("json", "png", "npz"))
        kernels = read_kernels(options, library, settings)
        images, plans = read_and_plan(posted, kernels)
        check_size(plans, form, settings)
        answers = [respond(image, kernels, each, options) for image, each in zip(images, plans, strict=True)]
        if form == "npz":
            arrays = {
                f"{i}/{k.name}": maps for i, each in enumerate(answers) for k, maps in zip(kernels, each, strict=True)
            }
            return writing.npz(arrays)
        if form == "png":
            return writing.png(*draw_batch([_by_name(kernels, each) for each in answers], options))
        results = [_write(kernels, planned, maps, options) for planned, maps in zip(plans, answers, strict=True)]
        return writing.json(writing.envelope(results))

    @routes.get("/v1/filters")
    def presets() -> Response:
        """List the named filters, with the parameters each takes and its weights at their defaults."""
        options = read_options(request, PresetListOptions)
        form = writing.choose_format(request, options.format, ("json", "png"))
        made = [preset(kind.name) for kind in PRESETS]
        if form == "png":
            return _draw_presets([kernel.weights for kernel in made], options)
        return writing.json({"filters": [kernel.describe() for kernel in made]})

    @routes.get("/v1/filters/<name>")
    def one_preset(name: str) -> Response:
        """Make a named filter of the size, angle and sigma asked for."""
        options = read_options(request, PresetOptions)
        form = writing.choose_format(request, options.format, ("json", "png", "npz"))
        kernel = preset(name, options.size, options.angle, options.sigma)
        if form == "png":
            return writing.png(*draw_kernels([kernel.weights[None]], options))
        if form == "npz":
            return writing.npz({kernel.name: kernel.weights})
        members = kernel.describe()
        return writing.json(members | {"card": filter_card(kernel.weights)} if options.card else members)

    return routes


def _by_name(kernels: Sequence[Kernel], answers: Sequence[np.ndarray]) -> dict[str, np.ndarray]:
    return {k.name: maps if maps.ndim == 3 else maps[None] for k, maps in zip(kernels, answers, strict=True)}


def _write(
    kernels: Sequence[Kernel], plans: Sequence[Plan], answers: Sequence[np.ndarray], options: ApplyFiltersOptions
) -> dict[str, Any]:
    filters = []
    shared = _shared_range(answers, options)
    for kernel, plan, maps in zip(kernels, plans, answers, strict=True):
        members: dict[str, Any] = {
            "name": kernel.name,
            "shape": list(maps.shape),
            "min": maps.min(),
            "max": maps.max(),
            "mean": np.float32(maps.mean(dtype=np.float64)),
            "range": shared or _own_range(maps, options),
            "weights": kernel.weights,
            "bias": kernel.bias,
        }
        if plan.places != plans[0].places:
            members["geometry"] = _write_geometry(plan)
        filters.append(members | {"response": maps})
    return {"filters": filters, "geometry": _write_geometry(plans[0])}


def _shared_range(answers: Sequence[np.ndarray], options: ApplyFiltersOptions) -> Any:
    """One range for all responses to a picture, unless each map has its own."""
    if options.range == "map":
        return None
    return used_range(np.concatenate([maps.ravel() for maps in answers])[None, None], options)


def _own_range(maps: np.ndarray, options: ApplyFiltersOptions) -> Any:
    ranges = used_range(maps if maps.ndim == 3 else maps[None], options)
    return ranges if maps.ndim == 3 else ranges[0]


def _write_geometry(plan: Plan) -> dict[str, Any]:
    places = plan.places
    members: dict[str, Any] = {
        "image": list(places.image),
        "kernel": list(places.kernel),
        "patches": list(places.patches),
        "count": places.count,
        "unread": list(places.unread),
        "pads": list(places.pads),
        "stride": list(places.stride),
        "dilation": list(places.dilation),
    }
    if plan.pooled is not None:
        members["pooled"] = {"shape": list(plan.pooled.patches), "unread": list(plan.pooled.unread)}
    return members


def _draw_presets(kernels: Sequence[np.ndarray], options: PresetListOptions) -> Response:
    return writing.png(*draw_batch([{str(i): weights[None] for i, weights in enumerate(kernels)}], options))
