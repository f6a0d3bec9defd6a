"""GET /v1/models: the networks, their layers, and the filters they have learnt."""

from math import prod
from typing import Any

import numpy as np
from flask import Blueprint, request

from service.api.http import writing
from service.api.http.application import Reply
from service.api.http.caching import revalidated
from service.api.http.reading import read_options
from service.api.http.sheets import KERNEL_TILE_SIDE, draw_kernels
from service.core.cards import SPECTRUM_SIZE
from service.core.errors import NotFound
from service.lab import prices, sizes
from service.lab.adopted import calls_of
from service.lab.cards import card, charge_cards
from service.lab.options import LayerFilterOptions, ModelOptions, NoOptions
from service.lab.steps import history_of, told_step, weights_at
from service.network.history import KeptStep
from service.network.passport import Field, Layer, Passport, receptive_fields
from service.network.sessions import Library, Network, filter_weights
from service.settings import Limits


def blueprint(library: Library, limits: Limits) -> Blueprint:
    """The routes of this noun, given what they work with."""
    routes = Blueprint("models", __name__)
    routes.after_request(revalidated)

    @routes.get("/v1/models")
    def models() -> Reply:
        """List every version of every model."""
        writing.choose_format(request, read_options(request, NoOptions).format, ("json",))
        prices.charge("write", len(library.networks) * prices.MODEL)
        return writing.json({"models": [_summary(network, library) for network in library.networks]})

    @routes.get("/v1/models/<name>")
    def model(name: str) -> Reply:
        """Describe one model: its layers and its passport."""
        options = read_options(request, ModelOptions)
        writing.choose_format(request, options.format, ("json",))
        prices.charge("write", prices.MODEL)
        return writing.json(_describe(library.get(name, options.version)))

    @routes.get("/v1/models/<name>/layers/<layer>/filters")
    def layer_filters(name: str, layer: str) -> Reply:
        """Show every filter of one layer."""
        options = read_options(request, LayerFilterOptions)
        network = library.get(name, options.version)
        return _answer_filters(network, layer, None, options, library, limits)

    @routes.get("/v1/models/<name>/layers/<layer>/filters/<int:index>")
    def layer_filter(name: str, layer: str, index: int) -> Reply:
        """Show one filter of one layer."""
        options = read_options(request, LayerFilterOptions)
        network = library.get(name, options.version)
        return _answer_filters(network, layer, index, options, library, limits)

    @routes.get("/v1/models/<name>/history")
    def history(name: str) -> Reply:
        """Tell the kept steps of a model's training."""
        options = read_options(request, ModelOptions)
        writing.choose_format(request, options.format, ("json",))
        network = library.get(name, options.version)
        kept = history_of(network, library)
        prices.charge("write", len(kept.steps) * len(KeptStep._fields) * prices.JSON_NUMBER_OUT)
        members = {"model": network.name, "version": network.version, "sha256": network.sha256}
        measured = {"part": kept.part, "count": kept.count}
        return writing.json(members | measured | {"steps": [step._asdict() for step in kept.steps]})

    return routes


def _answer_filters(
    network: Network, layer: str, index: int | None, options: LayerFilterOptions, library: Library, limits: Limits
) -> Reply:
    form = writing.choose_format(request, options.format, ("json", "png", "npz"))
    prices.charge_opening(network)
    prices.charge_step(network, options.step)
    weights, biases = filter_weights(network, layer, fed=weights_at(network, options.step, library))
    if index is not None and index >= len(weights):
        raise NotFound(f"there is no filter {index} in {layer}; there is: 0 to {len(weights) - 1}", "/filter")
    chosen = range(len(weights)) if index is None else [index]
    size = weights[0].size * len(chosen)
    if options.card and form == "json":
        charge_cards(weights[list(chosen)])
    if form == "json":
        sizes.check_numbers(size, limits, "npz or png, or for one filter")
    sizes.check_bytes(4 * size, limits)
    prices.charge("write", len(chosen) * prices.MAP_OUT + size * prices.JSON_NUMBER_OUT)
    if form == "png":
        tiles = len(chosen) * weights.shape[1]
        spectra = len(chosen) * SPECTRUM_SIZE**2 if options.card else 0
        colours = 3 if options.polarity == "diverging" else 1
        pixels = tiles * KERNEL_TILE_SIDE**2 + spectra
        sizes.check_bytes(pixels * colours, limits)
        prices.charge("draw", *prices.drawing(tiles, size + spectra, pixels, colours))
        levels, text = draw_kernels([weights[i] for i in chosen], options, with_spectra=options.card)
        return writing.png(levels, text, network)
    if form == "npz":
        arrays = {f"{layer}.weight": weights[list(chosen)], f"{layer}.bias": biases[list(chosen)]}
        return writing.npz(arrays, network)
    filters = [_write_filter(i, weights[i], biases[i], with_card=options.card) for i in chosen]
    members = {"model": network.name, "version": network.version, "sha256": network.sha256, "layer": layer}
    return writing.json(members | told_step(options.step) | {"filters": filters})


def _write_filter(index: int, weights: np.ndarray, bias: np.floating[Any], *, with_card: bool) -> dict[str, Any]:
    flat = weights[0] if len(weights) == 1 else weights
    members: dict[str, Any] = {"index": index, "weights": np.ascontiguousarray(flat), "bias": bias}
    if with_card:
        members["card"] = card(flat, float(bias))
    return members


def _summary(network: Network, library: Library) -> dict[str, Any]:
    raw = network.passport.raw
    members = {
        "name": network.name,
        "version": network.version,
        "default": network is library.get(),
        "description": raw.get("description", ""),
        "parameters": network.passport.parameters,
        "accuracy": raw.get("accuracy", {}),
        "sha256": network.sha256,
    }
    if not network.passport.is_adopted:
        return members
    asked = network.passport.input
    return members | {
        "kind": "image-classifier",
        "input": list(asked.shape),
        "colour": asked.colour,
        "prepare": asked.prepare,
        "classes": len(network.passport.labels),
    }


def _describe(network: Network) -> dict[str, Any]:
    passport = network.passport
    fields = receptive_fields(passport.layers)
    return {
        "name": network.name,
        "version": network.version,
        "sha256": network.sha256,
        "layers": [_write_layer(passport, layer, fields.get(layer.name)) for layer in passport.layers],
        "passport": passport.raw,
        **({} if network.card is None else {"card": network.card}),
        **({"calls": calls_of(network)} if passport.is_adopted else {}),
    }


def _write_layer(passport: Passport, layer: Layer, field: tuple[Field, Field] | None) -> dict[str, Any]:
    members: dict[str, Any] = {
        "name": layer.name,
        "op": layer.op,
        "maps": list(layer.maps),
        "in_shape": list(layer.in_shape),
        "shape": list(layer.shape),
        "parameters": layer.parameters,
        "multiply_adds": layer.multiply_adds,
        "dense": {"parameters": layer.dense_parameters, "multiply_adds": prod(layer.in_shape) * prod(layer.shape)},
    }
    if passport.is_adopted:
        members |= {"reads": list(layer.reads), "source": layer.source}
    if layer.op == "conv":
        members["activation"] = layer.activation
    if field is None:
        if layer.op == "linear":
            members["reduce"] = layer.reduce
        members["receptive_field"] = {"size": list(passport.input.shape[1:]), "jump": [0, 0], "start": [0, 0]}
        return members
    rows, columns = field
    return members | {
        "kernel": list(layer.kernel),
        "stride": list(layer.stride),
        "pads": list(layer.pads),
        "receptive_field": {
            "size": [rows.size, columns.size],
            "jump": [rows.jump, columns.jump],
            "start": [rows.start, columns.start],
        },
    }
