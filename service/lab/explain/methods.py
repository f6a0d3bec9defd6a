"""The methods of POST /v1/explain, each a function that explains one picture, and the list of them all."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import product
from math import prod
from typing import Any

import numpy as np

from service.core import masking
from service.core.convolution import correlate
from service.core.errors import NotPossible
from service.core.ledger import Floats, Ledger, activation_map, deciding_set, spread
from service.core.presets import preset
from service.lab import prices
from service.lab.explain.asked import Asked
from service.lab.explain.case import Case, verdicts_of
from service.lab.explain.cell import MapCell, windows_over, winner_of
from service.lab.explain.credit import exactness_at_picture, gains_at, of_classes, parts_of
from service.lab.explain.method import Method, of_maps
from service.lab.explain.rules import (
    cell_layer,
    check_cam,
    check_cell,
    check_layer,
    check_linear,
    check_masks,
    check_window,
    credited_layer,
    has_shares,
    pools_over,
    price_of_mask,
    read_masks,
    read_windows,
)
from service.lab.explain.tail import Tail, chosen_classes, count_classes, explained_shape, tail_of
from service.lab.verdicts import named_class
from service.network.passport import DIGIT_SHAPE, IMAGE, JOINS, Layer
from service.network.sessions import Network, Verdicts

NOTES = {
    "global": "a filter's share is its Shapley value, and what the logit loses when its map is set to the baseline",
    "gates": "shares add up on this picture, its gates held still; without a filter others would open and close",
}
ONLY_INK = "only ink is credited: a pixel of paper is 0, so its share is 0"
ONLY_LIGHT = "only light is credited: a pixel of black is 0, so its share is 0"
# Blurring as a baseline: wide enough that a stroke of a digit disappears.
BLUR_SIZE, BLUR_SIGMA = 19, 4.0


def explain_ledger(case: Case) -> dict[str, Any]:
    """Every logit as a base, the head's bias, plus exact shares per filter and per place."""
    tail = tail_of(case)
    entry = tail.ledger(case)
    members = _head(case) | {
        "layer": tail.layer.name,
        "receptive_field": _field(case, tail.layer),
        "baseline": case.options.baseline,
        "logits": case.logits,
        **_bases(case, tail),
        "base": entry.base,
        "shares": _shares(entry, full=case.options.full),
        "residual": entry.residual,
        "exactness": tail.exactness,
        "note": NOTES[tail.exactness],
    }
    return members | _margin(case, tail, entry)


def explain_pixels(case: Case) -> dict[str, Any]:
    """Exact credit of the target's logit, or of its margin over the rival, back to the ink."""
    members = _head(case) | {"logits": case.logits} | _credit(case, case.options.score)
    if _adds_margin(case):
        members["margin"] = {"rival": case.rival} | _credit(case, "margin")
    note = ONLY_LIGHT if case.network.passport.input.prepare == "picture" else ONLY_INK
    return members | {"exactness": exactness_at_picture(case.network), "note": note}


def explain_occlusion(case: Case) -> dict[str, Any]:
    """What the score loses when a window is covered, averaged over the windows that cover a pixel."""
    windows, ground = read_windows(case.network, case.options), _occluder(case)
    whole = verdicts_of(case.network, case.picture[None], case.overrides)
    covered = _verdicts_under(case, (masking.cover(case.picture, masks, ground) for masks in windows.blocks()))

    def explained(score: str) -> dict[str, Any]:
        value = float(_scores(case, whole, score)[0])
        return {"value": value, "map": windows.worth(value - _scores_of_all(case, covered, score))}

    members = _head(case) | {
        "logits": case.logits,
        "window": list(windows.window),
        "stride": list(windows.stride),
        "baseline": case.options.baseline,
        "count": len(windows),
    }
    return members | _explained(case, explained)


def explain_rise(case: Case) -> dict[str, Any]:
    """The mean score of randomly masked pictures in which a pixel shows, with its standard error."""
    masks = read_masks(case.network, case.options)
    whole = verdicts_of(case.network, case.picture[None], case.overrides)
    masked = _verdicts_under(case, (case.picture * block[:, None] for block in masks.blocks()))
    names = [case.options.score, *(["margin"] if _adds_margin(case) else [])]
    scores = [_scores_of_all(case, masked, name) for name in names]
    # Masks that are too many to keep are made again for this, once for all scores.
    found = masking.rise(masks, np.stack([variant for each in scores for variant in (each, each - each.mean())]))
    maps = [
        {"map": each, "standard_error": error} for each, error in zip(found.estimate, found.standard_error, strict=True)
    ]

    def explained(score: str) -> dict[str, Any]:
        plain, centred = maps[2 * names.index(score) :][:2]
        return {"value": float(_scores(case, whole, score)[0])} | plain | {"centred": centred}

    members = _head(case) | {"logits": case.logits}
    members |= {"masks": len(masks)} | {name: getattr(case.options, name) for name in ("cells", "keep", "seed")}
    return members | _explained(case, explained)


def _verdicts_under(case: Case, pictures: Iterable[np.ndarray]) -> list[Verdicts]:
    """The verdicts on masked copies of a picture, which come some at a time."""
    found = []
    for some in pictures:
        prices.go_on()
        found.append(verdicts_of(case.network, some, case.overrides))
    return found


def explain_cam(case: Case) -> dict[str, Any]:
    """A class activation map at the head's input, in closed form: raw, and drawn over the picture."""
    tail = tail_of(case)
    rows, columns = _centres(case, tail.layer)

    def explained(score: str) -> dict[str, Any]:
        weights = tail.of_score(case, score)
        if case.options.variant == "cam" and case.network.passport.is_adopted:
            _check_means(weights)
        raw = activation_map(weights, tail.maps, case.options.variant)
        return {"raw": raw, "map": spread(np.maximum(raw, 0), rows, columns, case.network.passport.input.size)}

    members = _head(case) | {
        "variant": case.options.variant,
        "layer": tail.layer.name,
        "receptive_field": _field(case, tail.layer),
        "logits": case.logits,
        "exactness": tail.exactness,
    }
    return members | _explained(case, explained)


def _check_means(weights: Floats) -> None:
    """Raise NotPossible unless each filter weighs the same at every place."""
    if not np.allclose(weights, weights[:, :1, :1], rtol=1e-4, atol=1e-6 * float(np.abs(weights).max())):
        raise NotPossible(
            "variant=cam is defined where what follows reads the mean of each map, and here places weigh differently; "
            "these work: variant=hirescam, variant=gradcam, method=ledger",
            "/variant",
        )


def explain_cell(case: Case) -> dict[str, Any]:
    """How one cell of a map came to its value, and what it added to each class."""
    layer = cell_layer(case.network, case.options)
    cell = case.cell(layer, tuple(int(getattr(case.options, name)) for name in ("filter", "row", "col")))
    members = _head(case) | {
        "layer": layer.name,
        "op": layer.op,
        **dict(zip(("filter", "row", "col"), cell.place, strict=True)),
        "receptive_field": {"box": _seen(case, layer, cell)},
        **_read_by(case, cell),
        "logits": case.logits,
    }
    if layer.op == "conv":
        members |= _sum_of_products(case, cell)
    elif layer.op in JOINS:
        members |= _joined(case, cell)
    else:
        members |= _pooled(case, cell)
    value = case.maps[layer.maps[-1]][cell.place]
    if case.network.passport.is_adopted:
        above = pools_over(case.network, layer)
        members |= {"pooling": _pooling_of(case, above, cell)} if above else {}
        return members | {"value": value} | _shares_of_cell(case, cell)
    after = case.network.passport.layers[case.network.passport.layers.index(layer) + 1]
    if after.op in {"maxpool", "avgpool"}:
        members["pooling"] = _pooling_of(case, [after], cell)
    gains = gains_at(case, layer.name)
    return members | {"value": value, "shares": gains[:, *cell.place] * float(value) + 0.0}


def explain_deciding_set(case: Case) -> dict[str, Any]:
    """The smallest sets of filters, and of places, without which the target no longer leads."""
    tail = tail_of(case, rivals=True)
    entry, target = tail.ledger(case), tail.row(case.target)
    rivals = None if case.options.rival is None else [tail.row(case.options.rival)]
    members = _head(case) | {
        "layer": tail.layer.name,
        "receptive_field": _field(case, tail.layer),
        "baseline": case.options.baseline,
        "logits": case.logits,
        **({"classes": list(tail.classes)} if case.network.passport.is_adopted else {}),
        "exactness": tail.exactness,
    }
    for name, shares in (("filters", entry.filters), ("places", entry.places)):
        flat = shares.reshape(len(shares), -1)
        found = deciding_set(entry.base, flat, entry.logits, target, rivals)
        after = entry.logits - flat[:, found.members].sum(axis=1)
        indices: list[Any] = found.members
        if name == "places":
            indices = [[int(i) for i in np.unravel_index(m, shares.shape[1:])] for m in found.members]
        lead = flat[target] - flat[found.rival]
        members[name] = {
            "rival": tail.classes[found.rival],
            "margin": found.margin,
            "found": found.found,
            "size": len(indices),
            "members": indices,
            "shares": lead[found.members],
            "margins_after": found.margins_after,
            "logits_after": after,
            **named_class(case.network, tail.classes[int(after.argmax())], "after"),
        }
    return members


# --- parts of the answers --------------------------------------------------------------------------------------------


def _head(case: Case) -> dict[str, Any]:
    """What every explanation says first: of what it is one."""
    members: dict[str, Any] = {"method": case.options.method, "target": case.target}
    members |= named_class(case.network, case.told)
    members["score"] = case.options.score
    if case.rival is not None:
        members["rival"] = case.rival
    return members


def _field(case: Case, layer: Layer) -> dict[str, Any]:
    """Where the places of a layer lie on the picture, in pixels; those of some see all of it."""
    fields = case.network.fields.get(layer.name)
    if fields is None:
        return {"size": list(case.network.passport.input.size), "jump": [0, 0], "start": [0, 0]}
    return {name: [getattr(field, name) for field in fields] for name in ("size", "jump", "start")}


def _centres(case: Case, layer: Layer) -> tuple[list[float], list[float]]:
    """The y of each row of a layer's map and the x of each column, in pixels; evenly, where each sees all of it."""
    fields, places = case.network.fields.get(layer.name), layer.shape[1:]
    if fields is not None:
        rows, columns = ([field.centre(i) for i in range(count)] for field, count in zip(fields, places, strict=True))
    else:
        sides = zip(case.network.passport.input.size, places, strict=True)
        rows, columns = ([(i + 0.5) * side / count - 0.5 for i in range(count)] for side, count in sides)
    return rows, columns


def _bases(case: Case, tail: Tail) -> dict[str, Any]:
    """What a ledger says of its rows: of one of ours the head's bias, of an adopted one the class of each."""
    if case.network.passport.is_adopted:
        return {"classes": list(tail.classes)}
    return {"head_bias": case.weights["head.bias"]}


def _shares(entry: Ledger, *, full: bool) -> dict[str, Any]:
    members = {"filters": entry.filters, "places": entry.places}
    return members | {"full": entry.shares} if full else members


def _margin(case: Case, tail: Tail, entry: Ledger) -> dict[str, Any]:
    if case.rival is None:
        return {}
    lead = entry.margin(tail.row(case.target), tail.row(case.rival))
    shares = {name: each[0] for name, each in _shares(lead, full=case.options.full).items()}
    members = {"rival": case.rival, "value": lead.logits[0], "base": lead.base[0], "shares": shares}
    return {"margin": members | {"residual": lead.residual}}


def _explained(case: Case, explained: Callable[[str], dict[str, Any]]) -> dict[str, Any]:
    """The score asked for, explained; and where a rival is named beside it, the margin as well."""
    members = explained(case.options.score)
    return members | {"margin": {"rival": case.rival} | explained("margin")} if _adds_margin(case) else members


def _adds_margin(case: Case) -> bool:
    return case.rival is not None and case.options.score != "margin"


def _credit(case: Case, score: str) -> dict[str, Any]:
    parts = parts_of(case, score, full=case.options.full)
    value = of_classes(case, case.logits, score)
    shares: dict[str, Any] = {
        "pixels": _per_pixel(parts.pixels[None])[0],
        "biases": dict(parts.biases),
        "filters": dict(parts.filters),
    }
    if parts.per_filter is not None:
        shares["full"] = _per_pixel(parts.per_filter)
        if len(parts.pixels) > 1:
            shares["channels"] = parts.pixels
    residual = value - parts.head_bias - float(parts.pixels.sum()) - sum(parts.biases.values())
    return {"value": value, "head_bias": parts.head_bias, "shares": shares, "residual": residual}


def _per_pixel(shares: Floats) -> Floats:
    """What each pixel has of n scores, all of its channels; (n, channels, rows, columns) becomes (n, rows, columns)."""
    return shares[:, 0] if shares.shape[1] == 1 else shares.sum(axis=1)


def _scores(case: Case, verdicts: Verdicts, score: str) -> Floats:
    """One score of each picture, (n,)."""
    values = (verdicts.probabilities if score == "probability" else verdicts.logits).astype(np.float64)
    own = values[:, case.target]
    return own - values[:, case.rival] if score == "margin" and case.rival is not None else own


def _scores_of_all(case: Case, some: Sequence[Verdicts], score: str) -> Floats:
    return np.concatenate([_scores(case, verdicts, score) for verdicts in some])


def _occluder(case: Case) -> np.ndarray:
    asked = case.options.baseline
    if asked == "blur":
        return _blurred(case.picture)
    if asked == "mean":
        return np.stack([np.full_like(channel, float(channel.mean())) for channel in case.picture])
    return np.full_like(case.picture, 0.0 if isinstance(asked, str) else asked)


def _blurred(picture: np.ndarray) -> np.ndarray:
    """A picture under a Gaussian as wide, for its sides, as that of a digit; (channels, rows, columns)."""
    wide = max(picture.shape[1:]) / DIGIT_SHAPE[1]
    if wide == 1:
        kernel = preset("gaussian", BLUR_SIZE, sigma=BLUR_SIGMA).weights
        made = [correlate(channel, kernel, padding="same", pad_mode="replicate") for channel in picture]
        return np.stack(made).astype(np.float32)
    # Along one axis after the other, which takes a fraction of the work of a window so wide.
    reach = round(wide * (BLUR_SIZE // 2))
    steps = np.arange(-reach, reach + 1)
    weights = np.exp(-np.square(steps / (wide * BLUR_SIGMA)) / 2)
    for axis in (1, 2):
        last = picture.shape[axis] - 1
        taken = (picture.take((np.arange(last + 1) + step).clip(0, last), axis) for step in steps)
        picture = sum(weight * one for weight, one in zip(weights / weights.sum(), taken, strict=True))
    return picture.astype(np.float32)


def _seen(case: Case, layer: Layer, cell: MapCell) -> list[int]:
    """What a cell sees of the picture: x, y, width and height, in pixels."""
    fields = case.network.fields.get(layer.name)
    if fields is None:
        return [0, 0, *reversed(case.network.passport.input.size)]
    rows, columns = fields
    return [columns.first(cell.place[2]), rows.first(cell.place[1]), columns.size, rows.size]


def _read_by(case: Case, cell: MapCell) -> dict[str, Any]:
    """What a cell of a convolution or pooling reads, and where that begins."""
    layer, names = cell.layer, case.network.passport.tensors_of(cell.layer)
    if layer.op in JOINS:
        return {}
    members: dict[str, Any] = {"reads": names[0], "corner": list(cell.corner)}
    return members | {"dilation": list(layer.dilation)} if case.network.passport.is_adopted else members


def _sum_of_products(case: Case, cell: MapCell) -> dict[str, Any]:
    total, pre = float(cell.products.sum()), case.maps[f"{cell.layer.name}.pre"][cell.place]
    members = {
        "patch": _flat(cell.window),
        "inside": cell.inside,
        "weights": _flat(cell.weights),
        "products": _flat(cell.products),
        "sum": total,
        "bias": cell.bias,
        "pre": pre,
        "residual": float(pre) - total - float(cell.bias),
        "activation": cell.layer.activation,
    }
    return members | {"channels": list(cell.channels)} if case.network.passport.is_adopted else members


def _flat(channels: np.ndarray) -> np.ndarray:
    """As filters are answered everywhere: without the axis of channels where there is one."""
    return np.ascontiguousarray(channels[0] if len(channels) == 1 else channels)


def _pooled(case: Case, cell: MapCell) -> dict[str, Any]:
    members: dict[str, Any] = {"patch": cell.window[0], "inside": cell.inside}
    if cell.layer.op.endswith("maxpool"):
        winner = winner_of(cell, case.told_by(cell.layer))
        members |= {} if winner is None else {"winner": list(winner)}
    elif case.network.passport.is_adopted:
        members["divisor"] = cell.divisor
    return members | _missing(case, cell)


def _joined(case: Case, cell: MapCell) -> dict[str, Any]:
    names = case.network.passport.tensors_of(cell.layer)
    return {
        "parts": [
            {"reads": names[each.tensor], **dict(zip(("filter", "row", "col"), each.place, strict=True)),
             "value": each.value}
            for each in cell.joined
        ]
    } | _missing(case, cell)  # fmt: skip


def _missing(case: Case, cell: MapCell) -> dict[str, Any]:
    """Of an adopted network, what it made of a cell less what is made of it here."""
    if not case.network.passport.is_adopted:
        return {}
    return {"residual": float(case.maps[cell.layer.name][cell.place]) - cell.total}


def _shares_of_cell(case: Case, cell: MapCell) -> dict[str, Any]:
    """What a cell of an adopted network added to classes, where credit is known to go through its layer."""
    passport, classes = case.network.passport, chosen_classes(case)
    credit = passport.credit
    if credit is None or not has_shares(case.network, case.options) or not case.network.creditor.can_walk():
        return {}
    seeds = np.eye(len(case.logits), dtype=np.float32)[classes]
    gains = case.network.creditor.walk(case.picture, seeds, [cell.layer.name]).gains[cell.layer.name]
    value = float(case.maps[cell.layer.maps[-1]][cell.place])
    shares = gains[:, *cell.place].astype(np.float64) * value + 0.0
    return {"classes": classes, "shares": shares, "exactness": credit.exactness[cell.layer.name]}


def _pooling_of(case: Case, pools: Sequence[Layer], cell: MapCell) -> list[dict[str, Any]]:
    """The windows of poolings that read this cell, and for a maximum whether it won."""
    k, row, column = cell.place
    found = []
    for pool in pools:
        for r, c in product(*windows_over(pool, row, column)):
            members: dict[str, Any] = {
                "layer": pool.name,
                "row": r,
                "col": c,
                "value": case.maps[pool.name][k, r, c],
            }
            if pool.op.endswith("maxpool"):
                winner = winner_of(case.cell(pool, (k, r, c)), case.told_by(pool))
                members |= {} if winner is None else {"winner": list(winner), "wins": winner == (row, column)}
            found.append(members)
    return found


# --- all methods -----------------------------------------------------------------------------------------------------


def _windows(network: Network, options: Asked) -> int:
    return len(read_windows(network, options))


def _masks(network: Network, options: Asked) -> int:
    return len(read_masks(network, options))


def _price_of_masking(network: Network, options: Asked) -> float:
    runs = METHODS[options.method].runs(network, options)
    return 400.0 + prices.running(network, 1) + prices.RUN + runs * price_of_mask(network, options)


def _price_of_walk(network: Network, scores: int) -> float:
    """Credit so many scores back through all layers in NumPy."""
    multiply_adds = sum(layer.multiply_adds for layer in network.passport.layers[:-1])
    layers = len(network.passport.layers)
    return layers * 25.0 + scores * multiply_adds * 0.00025


def _price_of_credit(network: Network, options: Asked, scores: int) -> float:
    """Credit so many scores back, by the compiled walk back unless the network is edited."""
    passport = network.passport
    if passport.cost is not None:
        return 60.0 + 1000 * scores * (passport.cost.ms.credit or 0.0)
    if options.changes or network.creditor.fault:
        return _price_of_walk(network, scores)
    multiply_adds = sum(layer.multiply_adds for layer in passport.layers[:-1])
    return 70.0 + len(passport.layers) * 5.0 + scores * multiply_adds * 0.000045


def _price_of_pixels(network: Network, options: Asked) -> float:
    scores = 1 + (_filters_of_head(network) if options.full else 0)
    shown = 2 if options.rival is not None and options.score == "logit" else 1
    return shown * _price_of_credit(network, options, scores)


def _price_of_cell(network: Network, options: Asked) -> float:
    """Its window, those of poolings over it, and what it adds to classes."""
    scores = count_classes(network, options)
    if not network.passport.is_adopted:
        return 350.0 + _price_of_credit(network, options, scores)
    walked = _price_of_credit(network, options, scores) if has_shares(network, options) else 0.0
    windows = sum(count * (30.0 + 0.03 * prod(pool.kernel)) for pool, count in _windows_over_cell(network, options))
    return 150.0 + walked + windows + 0.03 * _numbers_of_cell(network, options)


def _windows_over_cell(network: Network, options: Asked) -> Iterator[tuple[Layer, int]]:
    """The poolings that read the map of a cell of an adopted network, and in how many windows the cell is."""
    for pool in pools_over(network, cell_layer(network, options)):
        yield pool, prod(map(len, windows_over(pool, options.row or 0, options.col or 0)))


def _numbers_of_cell(network: Network, options: Asked) -> int:
    if not network.passport.is_adopted:
        return of_maps(network, options)
    layer = cell_layer(network, options)
    read = layer.in_shape[0] // layer.groups if layer.op == "conv" else 1
    windows = sum(6 * count for _, count in _windows_over_cell(network, options))
    return (3 * read + 1) * prod(layer.kernel) + windows + 2 * len(network.passport.labels)


def _maps_of_cell(network: Network, options: Asked) -> Sequence[str]:
    layer = cell_layer(network, options)
    read = [name for name in layer.tensors if name != IMAGE]
    over = [name for pool in pools_over(network, layer) for name in pool.maps]
    return list(dict.fromkeys([*read, *layer.maps, *over]))


def _filters_of_head(network: Network) -> int:
    """How many filters the layer has whose pixels full=true shows one by one."""
    passport = network.passport
    if not passport.is_adopted:
        return passport.head.in_shape[0]
    return passport.layer(passport.whole[-1]).shape[0] if passport.whole else 0


def _price_of_tail(network: Network, options: Asked, *, rivals: bool = False) -> float:
    """A few sums over the maps that are explained, for each class; of an adopted network walked back to them first."""
    classes, cells = count_classes(network, options, rivals=rivals), prod(explained_shape(network, options))
    walked = _price_of_credit(network, options, classes) if network.passport.is_adopted else 0.0
    return 60.0 + walked + cells * classes * (0.008 if options.full else 0.003)


def _price_of_deciding_set(network: Network, options: Asked) -> float:
    filters, rows, columns = explained_shape(network, options)
    sums = 0.01 * count_classes(network, options, rivals=True) * (filters + rows * columns)
    if network.passport.is_adopted:
        return 250.0 + _price_of_tail(network, options, rivals=True) + sums
    return 250.0 + sums


def _numbers_of_ledger(network: Network, options: Asked) -> int:
    filters, rows, columns = explained_shape(network, options)
    cells = filters * rows * columns if options.full else filters + rows * columns
    return (count_classes(network, options) + 1) * cells


def _numbers_of_deciding_set(network: Network, options: Asked) -> int:
    filters, rows, columns = explained_shape(network, options)
    return of_maps(network, options) + network.passport.is_adopted * 4 * (filters + 2 * rows * columns)


def _numbers_of_cam(network: Network, options: Asked) -> int:
    places = prod(explained_shape(network, options)[1:])
    return of_maps(network, options) + network.passport.is_adopted * 2 * places


def _explained_map(network: Network, options: Asked) -> Sequence[str]:
    return credited_layer(network, options).maps[-1:]


def _numbers_of_pixels(network: Network, options: Asked) -> int:
    filters = _filters_of_head(network) if options.full else 0
    channels = network.passport.input.shape[0] if options.full and network.passport.is_adopted else 0
    return 2 * prod(network.passport.input.size) * (1 + filters + channels)


_SCORE = frozenset({"target", "rival", "score"})
METHODS = {
    method.name: method
    for method in (
        Method(
            "ledger",
            explain_ledger,
            _SCORE | {"baseline", "full", "layer"},
            is_exact=True,
            check=check_layer,
            numbers=_numbers_of_ledger,
            price=_price_of_tail,
            maps=_explained_map,
        ),
        Method(
            "pixels",
            explain_pixels,
            _SCORE | {"full"},
            is_exact=True,
            numbers=_numbers_of_pixels,
            price=_price_of_pixels,
        ),
        Method(
            "occlusion",
            explain_occlusion,
            _SCORE | {"baseline", "window", "stride"},
            is_exact=False,
            check=check_window,
            runs=_windows,
            price=_price_of_masking,
        ),
        Method(
            "rise",
            explain_rise,
            _SCORE | {"masks", "cells", "keep", "seed"},
            is_exact=False,
            check=check_masks,
            runs=_masks,
            price=_price_of_masking,
        ),
        Method(
            "cam",
            explain_cam,
            _SCORE | {"variant", "layer"},
            is_exact=True,
            check=check_cam,
            numbers=_numbers_of_cam,
            price=_price_of_tail,
            maps=_explained_map,
        ),
        Method(
            "cell",
            explain_cell,
            frozenset({"target", "layer", "filter", "row", "col"}),
            is_exact=True,
            check=check_cell,
            numbers=_numbers_of_cell,
            price=_price_of_cell,
            maps=_maps_of_cell,
        ),
        Method(
            "deciding-set",
            explain_deciding_set,
            frozenset({"target", "rival", "baseline", "layer"}),
            is_exact=True,
            check=check_linear,
            numbers=_numbers_of_deciding_set,
            price=_price_of_deciding_set,
            maps=_explained_map,
        ),
    )
}
