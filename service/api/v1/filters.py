"""POST /v1/apply-filters, and GET /v1/filters: the caller's own filters, and named ones to start from."""

from collections.abc import Sequence
from math import prod
from typing import Any

import numpy as np
from flask import Blueprint, request

from service.api.http import writing
from service.api.http.application import Reply
from service.api.http.caching import revalidated
from service.api.http.reading import read_options, read_posted
from service.api.http.sheets import charge_drawing, draw_batch, draw_kernels, used_range
from service.core.convolution import check_pair
from service.core.presets import PRESETS, MadePreset, preset
from service.core.snippets import SMALL_PICTURE, SnippetFilter, SnippetStage, snippet
from service.lab import prices
from service.lab.cards import card, charge_cards, check_cards
from service.lab.chains import (
    Chain,
    PlannedStage,
    check_size,
    names_of,
    plan_chain,
    read_stages,
    receptive_field,
    run_chain,
)
from service.lab.filters import Plan
from service.lab.options import ApplyFiltersOptions, PresetListOptions, PresetOptions
from service.network.sessions import Library
from service.observe.record import Timed
from service.settings import Settings

# In an npz all responses stand once more as one array, in bytes up to a size at which that costs little.
BANK, LARGEST_BANK = "responses", 16 * 2**20


def blueprint(library: Library, settings: Settings) -> Blueprint:
    """The routes of this noun, given what they work with."""
    routes = Blueprint("filters", __name__)
    routes.after_request(revalidated)

    @routes.post("/v1/apply-filters")
    def apply_filters() -> Reply:
        """Answer the response of every posted picture to every filter."""
        posted = read_posted(request, ApplyFiltersOptions, settings)
        options = posted.options
        form = writing.choose_format(request, options.format, ("json", "png", "npz"))
        stages = read_stages(options, library, settings)
        if options.card:
            check_cards(each.weights for each in stages[-1].filters)
            charge_cards([each.weights for each in stages[-1].filters] if form == "json" else [])
        chains = posted.each(lambda picture: plan_chain(picture, stages, options, settings), any_value=True)
        check_size(chains, form, settings)
        _charge_answer(chains, form, options, settings)
        with Timed("infer"):
            answers = [run_chain(chain) for chain in chains]
        if form == "json":
            results = [_write(chain, maps, options) for chain, maps in zip(chains, answers, strict=True)]
            return writing.json(writing.envelope(results))
        named = [dict(zip(names_of(chain), maps, strict=True)) for chain, maps in zip(chains, answers, strict=True)]
        if form == "npz":
            arrays = {f"{i}/{name}": maps for i, each in enumerate(named) for name, maps in each.items()}
            return writing.npz(arrays | ({BANK: np.stack(answers)} if _bank_bytes(chains) else {}))
        batch = [{name: maps if maps.ndim == 3 else maps[None] for name, maps in each.items()} for each in named]
        return writing.png(*draw_batch(batch, options))

    @routes.get("/v1/filters")
    def presets() -> Reply:
        """List the named filters, with the parameters each takes and its weights at their defaults."""
        options = read_options(request, PresetListOptions)
        form = writing.choose_format(request, options.format, ("json", "png"))
        made = [preset(kind.name) for kind in PRESETS]
        prices.charge("write", len(made) * prices.PRESET)
        charge_cards([kernel.weights for kernel in made] if options.card and form == "json" else [])
        if form == "png":
            charge_drawing([[(1, *kernel.weights.shape) for kernel in made]], options, settings)
            return _draw_presets([kernel.weights for kernel in made], options)
        return writing.json({"filters": [_write_preset(kernel, with_card=options.card) for kernel in made]})

    @routes.get("/v1/filters/<name>")
    def one_preset(name: str) -> Reply:
        """Make a named filter of the size, angle and sigma asked for."""
        options = read_options(request, PresetOptions)
        form = writing.choose_format(request, options.format, ("json", "png", "npz"))
        kernel = preset(name, options.size, options.angle, options.sigma)
        prices.charge("write", prices.PRESET + kernel.weights.size * prices.JSON_NUMBER_OUT)
        charge_cards([kernel.weights] if options.card and form == "json" else [])
        if form == "png":
            charge_drawing([[(1, *kernel.weights.shape)]], options, settings)
            return writing.png(*draw_kernels([kernel.weights[None]], options, with_spectra=options.card))
        if form == "npz":
            return writing.npz({kernel.name: kernel.weights})
        return writing.json(_write_preset(kernel, with_card=options.card))

    return routes


def _bank_bytes(chains: Sequence[Chain]) -> int:
    """The bytes of all responses as one array; 0 where they have several shapes, or it would be large."""
    shapes = {shape for chain in chains for shape in chain.stages[-1].shapes}
    if len(shapes) != 1 or len({len(chain.stages[-1].shapes) for chain in chains}) != 1:
        return 0
    size = 4 * len(chains) * len(chains[0].stages[-1].shapes) * prod(next(iter(shapes)))
    return size if size <= LARGEST_BANK else 0


def _charge_answer(chains: Sequence[Chain], form: str, options: ApplyFiltersOptions, settings: Settings) -> None:
    """Charge the answer in the form that was asked for."""
    if form == "png":
        shapes = [[shape if len(shape) == 3 else (1, *shape) for shape in chain.stages[-1].shapes] for chain in chains]
        charge_drawing(shapes, options, settings)
        return
    if form == "npz":
        bank = _bank_bytes(chains)
        prices.charge("write", bank * (prices.NPZ_BYTE + prices.CELL / 4), bank)
    for chain in chains:
        last = chain.stages[-1]
        maps = len(last.shapes)
        if form == "npz":
            size = 4 * sum(prod(shape) for shape in last.shapes)
            prices.charge("write", maps * prices.NPZ_ARRAY + size * prices.NPZ_BYTE)
            continue
        weights = sum(each.weights.size for each in last.ready.filters)
        numbers = sum(prod(shape) for shape in last.shapes) + weights
        work = prices.RESULT + maps * 3 * prices.MAP_OUT + numbers * (prices.JSON_NUMBER_OUT + 3 * prices.CELL)
        work += len(options.stages) * prices.STEP + (prices.PREPARED_IMAGE if options.prepared_image else 0)
        prices.charge("write", work, numbers * prices.JSON_NUMBER_BYTES)
        if options.snippet:
            written = sum(stage.parameters for stage in chain.stages) + min(chain.image.size, SMALL_PICTURE)
            prices.charge(
                "write", prices.SNIPPET + written * prices.SNIPPET_NUMBER, written * prices.SNIPPET_NUMBER_BYTES
            )


def _write_preset(kernel: MadePreset, *, with_card: bool) -> dict[str, Any]:
    members = kernel.describe()
    return members | {"card": card(kernel.weights)} if with_card else members


def _write(chain: Chain, answers: Sequence[np.ndarray], options: ApplyFiltersOptions) -> dict[str, Any]:
    last = chain.stages[-1]
    shared = _shared_range(answers, options)
    filters = []
    for index, (name, maps) in enumerate(zip(names_of(chain), answers, strict=True)):
        members: dict[str, Any] = {
            "name": name,
            "shape": list(maps.shape),
            "min": maps.min(),
            "max": maps.max(),
            "mean": np.float32(maps.mean(dtype=np.float64)),
            "range": shared or _own_range(maps, options),
        }
        if last.plans:
            members |= _write_filter(last, index, with_card=options.card)
        filters.append(members | {"response": maps})
    result: dict[str, Any] = {"filters": filters}
    if last.plans:
        result["geometry"] = _write_geometry(last.plans[0])
    if options.stages:
        result["stages"] = [_write_stage(chain, index) for index in range(len(chain.stages))]
    if options.snippet:
        result["snippet"] = snippet(options.snippet, [_as_code(stage) for stage in chain.stages], chain.image)
    return result | {"prepared": writing.prepared(chain.prepared, with_image=options.prepared_image)}


def _as_code(planned: PlannedStage) -> SnippetStage:
    asked = planned.ready.asked
    pooled = planned.pooled or next((plan.pooled for plan in planned.plans), None)
    return SnippetStage(
        [
            SnippetFilter(each.name, each.weights, each.bias, plan.places.pads)
            for each, plan in zip(planned.ready.filters, planned.plans, strict=True)
        ],
        check_pair("stride", asked.stride, least=1),
        check_pair("dilation", asked.dilation, least=1),
        asked.pad_mode,
        asked.pad_value,
        asked.channels == "each",
        asked.activation,
        (asked.pool.kind, pooled.kernel, pooled.stride) if asked.pool and pooled else None,
    )


def _write_filter(planned: PlannedStage, index: int, *, with_card: bool) -> dict[str, Any]:
    ready, plan = planned.ready.filters[index], planned.plans[index]
    members: dict[str, Any] = {"weights": ready.weights, "bias": ready.bias}
    if with_card:
        members["card"] = card(ready.weights, ready.bias)
    return members | ({"geometry": _write_geometry(plan)} if plan.places != planned.plans[0].places else {})


def _write_stage(chain: Chain, index: int) -> dict[str, Any]:
    """What one stage of a chain made of the picture, in size."""
    stage = chain.stages[index]
    rows, columns = receptive_field(chain.stages[: index + 1])
    members: dict[str, Any] = {
        "shape": list(stage.out_shape),
        "parameters": stage.parameters,
        "multiply_adds": stage.multiply_adds,
        "receptive_field": {name: [getattr(rows, name), getattr(columns, name)] for name in ("size", "jump", "start")},
    }
    return members | ({"geometry": _write_geometry(stage.plans[0])} if stage.plans else {})


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


def _draw_presets(kernels: Sequence[np.ndarray], options: PresetListOptions) -> Reply:
    return writing.png(*draw_batch([{str(i): weights[None] for i, weights in enumerate(kernels)}], options))
