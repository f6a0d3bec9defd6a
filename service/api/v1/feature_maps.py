"""POST /v1/feature-maps: what every filter of the network responded to."""

from collections.abc import Mapping, Sequence
from functools import lru_cache
from itertools import accumulate
from math import prod
from typing import Any

import numpy as np
from flask import Blueprint, request

from service.api.http import writing
from service.api.http.application import Reply
from service.api.http.inputs import read_inputs
from service.api.http.reading import read_posted
from service.api.http.sheets import charge_drawing, draw_batch, used_range
from service.core.errors import InvalidOption, NotFound, shown
from service.lab import prices, sizes
from service.lab.adopted import check_filters, check_maps
from service.lab.changes import changed, check_finite, read_changes
from service.lab.inputs import Inputs
from service.lab.options import FeatureMapOptions
from service.lab.steps import told_step, weights_at
from service.network.passport import Passport
from service.network.sessions import Library, Network, Verdicts, kept_with_network
from service.observe.record import Timed, note_verdicts
from service.settings import Settings

MapsByLayer = dict[str, np.ndarray]


def blueprint(library: Library, settings: Settings) -> Blueprint:
    """The routes of this noun, given what they work with."""
    routes = Blueprint("feature_maps", __name__)

    @routes.post("/v1/feature-maps")
    def feature_maps() -> Reply:
        """Answer the maps of the chosen layers, for every posted picture."""
        posted = read_posted(request, FeatureMapOptions, settings, library)
        options = posted.options
        form = writing.choose_format(request, options.format, ("json", "png", "npz"))
        network = library.get(options.model, options.version)
        check_maps(network)
        if options.changes:
            check_filters(network)
        names = _chosen(network, options.layers)
        filters = _choose_filters(network.passport, names, options.filters)
        _charge(network, names, filters, len(posted.sources), form, options, settings)
        prices.charge_step(network, options.step)
        overrides = read_changes(network, options.changes, weights_at(network, options.step, library))
        inputs = read_inputs(posted, network)
        with Timed("infer"):
            verdicts, maps = network.analyse(inputs.images, names, overrides)
        if options.step is None:  # what an unfinished network says is no verdict of the model
            note_verdicts(network.name, verdicts.classes, verdicts.novelty)
        if overrides:
            check_finite(verdicts, maps)
        if form == "npz":
            chosen = maps if filters is None else {name: array[:, filters] for name, array in maps.items()}
            return writing.npz({**chosen, "logits": verdicts.logits}, network)
        if form == "png":
            batch = [{name: array[i] for name, array in maps.items()} for i in range(len(inputs.images))]
            levels, text = draw_batch(batch, options, filters)
            return writing.png(levels, text, network)
        return writing.json(_write(network, inputs, verdicts, maps, filters, options) | told_step(options.step))

    return routes


def choose_maps(passport: Passport, asked: Sequence[str] | None) -> list[str]:
    """
    The maps that `layers` asks for, in network order: conv1 means conv1.act; without it every .act and pool.

    Of a network whose layers branch, those without it are the last map of each size: of hundreds they show the most.
    The names that an adopted network's file has for its layers do as well.
    raises: NotFound, listing the candidates; InvalidOption for none, or one asked for twice
    """
    shapes = passport.map_shapes()
    if asked is None:
        shown = [name for name in shapes if not name.endswith(".pre")]
        return shown if passport.is_chain else [last for last in shown if last in _last_of_each_size(shapes).values()]
    if not asked:
        raise InvalidOption("layers is a list of at least one layer or map, got none", "/layers")
    known = {layer.source: layer.maps[-1] for layer in passport.layers if layer.source and layer.maps}
    chosen = [f"{name}.act" if f"{name}.act" in shapes else known.get(name, name) for name in asked]
    for name, map_name in zip(asked, chosen, strict=True):
        if map_name not in shapes:
            raise NotFound.among("layer or map", name, list(shapes), "/layers")
        if chosen.count(map_name) > 1:
            raise InvalidOption(f"layers names {map_name} twice", "/layers")
    return [name for name in shapes if name in chosen]


def _last_of_each_size(shapes: Mapping[str, tuple[int, ...]]) -> dict[tuple[int, ...], str]:
    return {shape[1:]: name for name, shape in shapes.items() if not name.endswith(".pre")}


def _choose_filters(passport: Passport, names: Sequence[str], asked: Sequence[int] | None) -> list[int] | None:
    if asked is None:
        return None
    for name in names:
        count = passport.map_shapes()[name][0]
        lacking = [index for index in asked if index >= count]
        if lacking:
            raise InvalidOption(f"{name} has filters 0 to {count - 1}, got {lacking[0]}", "/filters")
    if len(set(asked)) < len(asked) or not asked:
        raise InvalidOption(f"filters is a list of different indices, got {shown(list(asked))}", "/filters")
    return list(asked)


@kept_with_network  # most ask for the same
def _chosen(network: Network, asked: tuple[str, ...] | None) -> tuple[str, ...]:
    return tuple(choose_maps(network.passport, asked))


@kept_with_network
def _sizes(
    network: Network, names: tuple[str, ...], filters: int | None
) -> tuple[list[tuple[int, int, int]], int, int]:
    """Of maps by name, of which so many filters are chosen: their shapes, how many they are, and all their cells."""
    every = [network.passport.map_shapes()[name] for name in names]
    shapes = [(shape[0] if filters is None else filters, shape[1], shape[2]) for shape in every]
    return shapes, sum(shape[0] for shape in shapes), sum(prod(shape) for shape in shapes)


def _charge(
    network: Network,
    names: tuple[str, ...],
    filters: Sequence[int] | None,
    count: int,
    form: str,
    options: FeatureMapOptions,
    settings: Settings,
) -> None:
    """Charge the maps and their answer; raises what is refused of its size as well."""
    shapes, maps, cells = _sizes(network, names, None if filters is None else len(filters))
    maps, cells = count * maps, count * cells
    if form == "json":
        sizes.check_numbers(cells, settings, "npz or png, or name fewer layers or filters")
    sizes.check_bytes(cells * 4, settings)
    prices.charge_analysis(network, count, names)
    prices.charge_changes(options.changes, count)
    if form == "png":
        charge_drawing([shapes] * count, options, settings)
    elif form == "npz":
        prices.charge("write", len(names) * prices.NPZ_ARRAY + cells * 4 * prices.NPZ_BYTE)
    else:
        each = prices.JSON_NUMBER_OUT + prices.CELL * (4 if options.stats else 2)
        work = prices.results(network, count, with_image=options.prepared_image) + maps * prices.MAP_OUT + cells * each
        prices.charge("write", work, cells * prices.JSON_NUMBER_BYTES)


def _write(
    network: Network,
    inputs: Inputs,
    verdicts: Verdicts,
    maps: MapsByLayer,
    filters: Sequence[int] | None,
    options: FeatureMapOptions,
) -> dict[str, Any]:
    results = []
    for picture, prepared in enumerate(inputs.prepared):
        layers = _write_layers(network, {name: array[picture] for name, array in maps.items()}, filters, options)
        results.append(
            {
                **changed(options.changes),
                "layers": layers,
                "logits": verdicts.logits[picture],
                "prepared": writing.prepared(prepared, with_image=options.prepared_image),
            }
        )
    return writing.envelope(results, network)


def _write_layers(
    network: Network, maps: MapsByLayer, filters: Sequence[int] | None, options: FeatureMapOptions
) -> list[dict[str, Any]]:
    shown = maps if filters is None else {name: array[filters] for name, array in maps.items()}
    measured = _measured(list(shown.values()))
    written = []
    for (name, of_layer), values in zip(shown.items(), measured, strict=True):
        layer = network.passport.layer(name.partition(".")[0])
        indices = range(len(of_layer)) if filters is None else filters
        written.append(
            {
                "name": name,
                "op": layer.op,
                "shape": list(of_layer.shape),
                "total": layer.shape[0],
                "range": used_range(maps[name], options, filters),
                "filters": _write_filters(indices, of_layer, values, with_stats=options.stats),
            }
        )
    return written


def _measured(layers: Sequence[np.ndarray]) -> list[np.ndarray]:
    """
    The least, the greatest and the mean value of every map: (3, filters) float32 per layer.

    layers: of one picture, (filters, rows, columns) each; measured all at once, since one layer at a time takes three
        times as long, and one map at a time thirty
    """
    parts, starts, cells = _places(tuple([array.shape for array in layers]))
    values = np.concatenate([array.reshape(-1) for array in layers])
    mean = np.add.reduceat(values.astype(np.float64), starts) / cells
    every = np.array([np.minimum.reduceat(values, starts), np.maximum.reduceat(values, starts), mean], np.float32)
    return [every[:, part] for part in parts]


@lru_cache(maxsize=64)
def _places(shapes: tuple[tuple[int, int, int], ...]) -> tuple[list[slice], np.ndarray, np.ndarray]:
    """Where each layer's maps stand among all; where each map begins among all cells, and how many it has."""
    counts = [filters for filters, _, _ in shapes]
    cells = np.repeat([rows * columns for _, rows, columns in shapes], counts)
    ends = list(accumulate(counts))
    return [slice(end - count, end) for count, end in zip(counts, ends, strict=True)], np.cumsum(cells) - cells, cells


def _write_filters(
    indices: Sequence[int], maps: np.ndarray, measured: np.ndarray, *, with_stats: bool
) -> list[dict[str, Any]]:
    if not with_stats:
        return [
            {"index": index, "min": least, "max": most, "mean": middle, "map": one}
            for index, least, most, middle, one in zip(indices, *measured, maps, strict=True)
        ]
    values = maps.reshape(len(maps), -1)
    exact = values.astype(np.float64)
    away = exact - exact.mean(axis=1)[:, None]
    std = np.sqrt(np.einsum("ij,ij->i", away, away) / values.shape[1]).tolist()
    l2 = np.sqrt(np.einsum("ij,ij->i", exact, exact)).tolist()
    zeros = ((values == 0).sum(axis=1) / values.shape[1]).tolist()
    places = [divmod(place, maps.shape[2]) for place in values.argmax(axis=1).tolist()]
    return [
        {
            "index": index, "min": least, "max": most, "mean": middle, "std": spread, "l2": length, "zeros": share,
            "argmax": place, "map": one,
        }
        for index, least, most, middle, spread, length, share, place, one
        in zip(indices, *measured, std, l2, zeros, places, maps, strict=True)
    ]  # fmt: skip
