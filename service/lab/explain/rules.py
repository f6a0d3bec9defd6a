"""What POST /v1/explain refuses before the work: values no method can use, and what a structure does not allow."""

from collections.abc import Iterator, Sequence

from service.core.convolution import Pair, check_pair
from service.core.errors import InvalidOption, NotFound, NotPossible
from service.core.masking import RandomMasks, Windows
from service.lab import prices
from service.lab.adopted import NOT_READ
from service.lab.changes import check_filter
from service.lab.explain.asked import Asked
from service.lab.explain.method import Method
from service.network.passport import IMAGE, Layer
from service.network.sessions import Network

# Of the sides of a picture: a window is a seventh of them, a stride half of that; and so many random masks.
WINDOWS, STRIDES, MASKS = 7, 14, 1000
FEWEST_MASKS = 2  # to know an error by
# Where the caller does not say how many, a network that takes long is run on fewer: so much work, in lab/prices.py's.
UNASKED_WORK = 1_000_000


def check_classes(network: Network, options: Asked) -> None:
    """Raise InvalidOption unless target and rival are two classes of the network."""
    labels = network.passport.labels
    for name in ("target", "rival"):
        index = getattr(options, name)
        if index is not None and index >= len(labels):
            raise InvalidOption(f"{name} is a class, 0 to {len(labels) - 1}, got {index}", f"/{name}")
    if options.target is not None and options.target == options.rival:
        raise InvalidOption(f"rival must be another class than the target, got {options.rival} for both", "/rival")


def check_baseline(method: Method, options: Asked) -> None:
    """Raise InvalidOption for a baseline that the method has not."""
    if method.is_exact and options.baseline not in {"zero", "mean"}:
        raise InvalidOption(f"baseline of method={options.method} is zero or mean, got {options.baseline}", "/baseline")
    if isinstance(options.baseline, float) and not 0 <= options.baseline <= 1:
        raise InvalidOption(
            f"baseline is zero, mean, blur or a number between 0 (paper) and 1 (ink), got {options.baseline}",
            "/baseline",
        )


def check_score(options: Asked, measured: Sequence[str]) -> None:
    """Raise NotPossible, naming the methods that measure, for a score that is no sum of shares."""
    if options.score == "probability":
        raise NotPossible(
            "a probability is not a sum of shares, so no exact method explains it; score=logit and score=margin work "
            "with every method, score=probability with: " + ", ".join(measured),
            "/score",
        )


def check_cam(network: Network, options: Asked) -> None:
    """Class activation maps are at the head's input; the first of them needs a head that reads means."""
    if network.passport.is_adopted:
        credited_layer(network, options)
        return
    check_layer(network, options)
    if options.variant == "cam" and not _reads_means(network):
        raise NotPossible(
            "variant=cam is defined for a head that reads the mean of each map, and this network's head reads every "
            "place; these work: variant=hirescam, variant=gradcam, method=ledger",
            "/variant",
        )


def check_layer(network: Network, options: Asked) -> None:
    """Raise NotFound or NotPossible for another layer than the one that the head reads: what follows must be linear."""
    passport = network.passport
    if passport.is_adopted:
        _check_whole(network, options)
        return
    last = passport.layers[-2]
    if options.layer is None or options.layer in {last.name, *last.maps}:
        return
    names = [layer.name for layer in passport.layers[:-1]]
    if options.layer.partition(".")[0] not in names:
        raise NotFound.among("layer", options.layer, names, "/layer")
    raise NotPossible(
        f"after {options.layer} this network is not linear, so what its filters add does not add up to the score; "
        f"method={options.method} works at {last.name}, which the head reads; for {options.layer} these work: "
        "method=pixels (its filters' parts of the credit), method=cell, and POST /v1/what-if",
        "/layer",
    )


def check_linear(network: Network, options: Asked) -> None:
    """The same where what follows must be linear for every picture, so that taking parts away can be foreseen."""
    check_layer(network, options)
    credit = network.passport.credit
    layer = credited_layer(network, options).name if network.passport.is_adopted else ""
    if layer and credit is not None and credit.exactness[layer] != "global":
        raise NotPossible(
            f"after {layer} this network is not linear: the shares of its filters hold for this picture with its gates "
            "held still, and taking some away would open and close others; these work: method=ledger, POST /v1/what-if",
            "/layer",
        )


def credited_layer(network: Network, options: Asked) -> Layer:
    """
    The layer of an adopted network whose maps are explained: the last with places that all credit goes through.

    raises: NotFound for one that is not there; NotPossible for one that no credit goes through, or where there is none
    """
    passport = network.passport
    credited = {} if passport.credit is None else passport.credit.exactness
    layers = {layer.name: layer for layer in passport.layers}
    if options.layer is None:
        needs = {"global"} if options.method == "deciding-set" else {"global", "gates"}
        found = [layers[name] for name in passport.whole if credited[name] in needs]
        if not found:
            listed = [name for name in credited if name != IMAGE]
            raise NotPossible(
                f"no layer of this network has all that its scores are made of; name one of these for method=cam: "
                f"{', '.join(listed[-8:]) or 'none'}; method=pixels works",
                "/layer",
            )
        return next((layer for layer in reversed(found) if layer.shape[1:] != (1, 1)), found[-1])
    for layer in passport.layers:
        if options.layer in {layer.name, layer.source, *layer.maps} and layer.maps:
            break
    else:
        raise NotFound.among("layer", options.layer, [name for name in credited if name != IMAGE], "/layer")
    if layer.name not in credited:
        raise NotPossible(
            f"no credit of a score goes through {layer.name}; it does through: {', '.join(credited)}", "/layer"
        )
    return layer


def _check_whole(network: Network, options: Asked) -> None:
    layer = credited_layer(network, options)
    if layer.name not in network.passport.whole:
        raise NotPossible(
            f"a part of the scores goes past {layer.name}, so that what its filters add is not all; method="
            f"{options.method} works at {', '.join(network.passport.whole) or 'no layer'}, method=cam at {layer.name}",
            "/layer",
        )


def _reads_means(network: Network) -> bool:
    head = network.passport.head
    return head.reduce == "mean" or head.in_shape[1:] == (1, 1)


def check_cell(network: Network, options: Asked) -> None:
    """Raise InvalidOption or NotFound unless the options name one cell of one map."""
    for name in ("layer", "filter", "row", "col"):
        if getattr(options, name) is None:
            raise InvalidOption(f"method=cell must have layer, filter, row and col; {name} is missing", f"/{name}")
    layer = cell_layer(network, options)
    if network.passport.is_adopted and not layer.tensors:
        working = [each.name for each in network.passport.layers if each.tensors]
        raise NotPossible(f"{layer.name}: {NOT_READ}; method=cell works at: {', '.join(working)}", "/layer")
    filters, rows, columns = layer.shape
    check_filter(layer.name, options.filter or 0, filters, "/filter")
    for name, count in (("row", rows), ("col", columns)):
        if getattr(options, name) >= count:
            raise InvalidOption(f"{name} of {layer.name} is 0 to {count - 1}, got {getattr(options, name)}", f"/{name}")


def cell_layer(network: Network, options: Asked) -> Layer:
    """The layer of the cell asked for; conv1, conv1.pre and conv1.act are the same one."""
    asked, layers = options.layer or "", _having_maps(network)
    for layer in layers:
        if asked in {layer.name, *layer.maps} or (layer.source and asked == layer.source):
            return layer
    raise NotFound.among("layer", asked, [layer.name for layer in layers], "/layer")


def pools_over(network: Network, layer: Layer) -> list[Layer]:
    """The poolings of an adopted network that read the map of a layer, whole as it is."""
    return [each for each in network.passport.layers if each.op.endswith("pool") and each.tensors == layer.maps[-1:]]


def has_shares(network: Network, options: Asked) -> bool:
    """Whether it is known what a cell of an adopted network adds to classes: of one that is not edited."""
    credit = network.passport.credit
    is_walked = credit is not None and not network.creditor.fault and not options.changes
    return is_walked and credit is not None and cell_layer(network, options).name in credit.exactness


def _having_maps(network: Network) -> list[Layer]:
    return [layer for layer in network.passport.layers if layer.maps]


def check_window(network: Network, options: Asked) -> None:
    """Raise InvalidOption where the covering window or its stride does not fit."""
    read_windows(network, options)


def check_masks(network: Network, options: Asked) -> None:
    """Raise InvalidOption for masks of a grid that cannot be, or too few to know an error by."""
    most = min(network.passport.input.size)
    if not 2 <= options.cells <= most:
        raise InvalidOption(f"cells must be 2 to {most}, got {options.cells}", "/cells")
    if options.masks is not None and options.masks < FEWEST_MASKS:
        raise InvalidOption(f"masks must be at least {FEWEST_MASKS}, got {options.masks}", "/masks")


def read_windows(network: Network, options: Asked) -> Windows:
    """The covering windows of an occlusion; InvalidOption where they do not fit."""
    size = network.passport.input.size
    if options.window is None and options.stride is None:
        return _usual_windows(network, options)
    window = check_pair("window", _parts(size, WINDOWS) if options.window is None else options.window, least=1)
    stride = _least(_parts(size, STRIDES), window) if options.stride is None else options.stride
    return Windows(window, check_pair("stride", stride, least=1), size)


def read_masks(network: Network, options: Asked) -> RandomMasks:
    """The random masks of a RISE; of a network that takes long, fewer where none were asked for."""
    masks = options.masks
    if masks is None:
        affordable = int(UNASKED_WORK / price_of_mask(network, options)) if network.passport.is_adopted else MASKS
        masks = max(FEWEST_MASKS, min(MASKS, affordable))
    return RandomMasks(masks, options.cells, options.keep, options.seed, network.passport.input.size)


def price_of_mask(network: Network, options: Asked) -> float:
    """In units of lab/prices.py: a mask made, laid on, run, and weighed with each score."""
    scores = 2 if options.rival is not None and options.score != "margin" else 1
    run = prices.running(network, 1, with_maps=bool(options.changes)) - prices.RUN
    if options.method != "rise":
        return run + prices.masking(network.passport.input, scores)
    # Too many masks to keep are made for the verdicts, and again for their weighing.
    makings = 2 if network.passport.is_adopted else 1
    return run + prices.masking(network.passport.input, scores, makings, options.cells)


def check_work(network: Network, options: Asked, runs: int, allowed: float) -> None:
    """
    Raise InvalidOption for more masked runs of an adopted network than may be worked on, with what may.

    allowed: units of work, of one picture
    """
    each = price_of_mask(network, options)
    if not runs or not network.passport.is_adopted or runs * each <= allowed:
        return
    few = int(allowed / each)
    asks = f"{runs} runs at {each / 1000:.3g} ms are {runs * each / 1e6:.3g} s of work for a picture"
    allows = f"{allowed / 1e6:.3g} s are allowed"
    if options.method == "rise":
        instead = f"masks={few} can be done" if few >= FEWEST_MASKS else "none can be done"
        raise InvalidOption(f"{asks}, {allows}: {instead}", "/masks")
    found = next((windows for windows in _coarser(network.passport.input.size) if len(windows) <= few), None)
    instead = "none can be done" if found is None else (
        f"window={_comma(found.window)} stride={_comma(found.stride)} can be done ({len(found)} runs)"
    )  # fmt: skip
    raise InvalidOption(f"{asks}, {allows}: {instead}", "/stride")


def _usual_windows(network: Network, options: Asked) -> Windows:
    """A seventh of the sides in steps of half of that; of a network that takes long, coarser ones."""
    each = price_of_mask(network, options) if network.passport.is_adopted else 0.0
    found = list(_coarser(network.passport.input.size))
    return next((windows for windows in found if len(windows) * each <= UNASKED_WORK), found[-1])


def _coarser(size: Pair) -> Iterator[Windows]:
    """Windows, each with fewer places than the one before."""
    for parts, steps in ((WINDOWS, STRIDES), (WINDOWS, WINDOWS), (5, 5), (4, 4), (3, 3), (2, 2)):
        window = _parts(size, parts)
        yield Windows(window, _least(_parts(size, steps), window), size)


def _parts(size: Pair, parts: int) -> Pair:
    return max(1, round(size[0] / parts)), max(1, round(size[1] / parts))


def _least(one: Pair, other: Pair) -> Pair:
    return min(one[0], other[0]), min(one[1], other[1])


def _comma(pair: Pair) -> str:
    return f"{pair[0]},{pair[1]}"
