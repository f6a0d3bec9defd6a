"""What POST /v1/explain refuses before the work: what a method does not take, and what a structure does not allow."""

from service.core.convolution import check_pair
from service.core.digit import SIDE
from service.core.errors import InvalidOption, NotFound, NotPossible
from service.core.masking import count_windows, windows
from service.lab.changes import check_filter
from service.lab.options import ExplainOptions
from service.network.passport import Layer
from service.network.sessions import Network

EXACT = ("ledger", "pixels", "cam", "cell", "deciding-set")
MEASURED = ("occlusion", "rise")

# The options that each method takes beside those that all take.
TAKEN = {
    "ledger": {"target", "rival", "score", "baseline", "full", "layer"},
    "pixels": {"target", "rival", "score", "full"},
    "occlusion": {"target", "rival", "score", "baseline", "window", "stride"},
    "rise": {"target", "rival", "score", "masks", "cells", "keep", "seed"},
    "cam": {"target", "rival", "score", "variant", "layer"},
    "cell": {"target", "layer", "filter", "row", "col"},
    "deciding-set": {"target", "rival", "baseline", "layer"},
}
OF_METHODS = set().union(*TAKEN.values())


def check_options(network: Network, options: ExplainOptions) -> None:
    """
    Refuse, before the work, what a method does not take and what this network's structure does not allow.

    raises: InvalidOption, NotFound or NotPossible
    """
    defaults = ExplainOptions()
    for name in sorted(OF_METHODS - TAKEN[options.method]):
        if getattr(options, name) != getattr(defaults, name):
            taking = [method for method, taken in TAKEN.items() if name in taken]
            raise InvalidOption(f"method={options.method} takes no {name}; these do: {', '.join(taking)}", f"/{name}")
    _check_classes(network, options)
    _check_baseline(options)
    if options.method in EXACT:
        _check_structure(network, options)
    if options.method == "cell":
        _check_cell(network, options)
    if options.method == "occlusion":
        read_window(options)
    if options.method == "rise" and not 2 <= options.cells <= SIDE:
        raise InvalidOption(f"cells must be 2 to {SIDE}, got {options.cells}", "/cells")
    if options.method == "rise" and options.masks < 2:
        raise InvalidOption(f"masks must be at least 2, got {options.masks}", "/masks")


def runs_needed(options: ExplainOptions) -> int:
    """How often the network must run on masked copies of one picture."""
    if options.method == "rise":
        return options.masks
    return count_windows(*read_window(options)) if options.method == "occlusion" else 0


def numbers_in_answer(network: Network, options: ExplainOptions) -> int:
    """The numbers, at most, in the answer for one picture."""
    filters, rows, columns = network.passport.head.in_shape
    classes, pixels = len(network.passport.labels), SIDE * SIDE
    if options.method == "ledger":
        cells = filters * rows * columns if options.full else filters + rows * columns
        return (classes + 1) * cells
    if options.method == "pixels":
        return 2 * pixels * (1 + (filters if options.full else 0))
    return 4 * pixels


def _check_classes(network: Network, options: ExplainOptions) -> None:
    labels = network.passport.labels
    for name in ("target", "rival"):
        index = getattr(options, name)
        if index is not None and index >= len(labels):
            raise InvalidOption(f"{name} is a class, 0 to {len(labels) - 1}, got {index}", f"/{name}")
    if options.target is not None and options.target == options.rival:
        raise InvalidOption(f"rival must be another class than the target, got {options.rival} for both", "/rival")


def _check_baseline(options: ExplainOptions) -> None:
    if options.method in EXACT and options.baseline not in {"zero", "mean"}:
        raise InvalidOption(f"baseline of method={options.method} is zero or mean, got {options.baseline}", "/baseline")
    if isinstance(options.baseline, float) and not 0 <= options.baseline <= 1:
        raise InvalidOption(
            f"baseline is zero, mean, blur or a number between 0 (paper) and 1 (ink), got {options.baseline}",
            "/baseline",
        )


def _check_structure(network: Network, options: ExplainOptions) -> None:
    """The answers that are exact only where what follows is linear, or where the head reads means."""
    if options.score == "probability":
        raise NotPossible(
            "a probability is not a sum of shares, so no exact method explains it; score=logit and score=margin work "
            "with every method, score=probability with: " + ", ".join(MEASURED),
            "/score",
        )
    if options.method != "cell":
        _check_layer(network, options)
    if options.method == "cam" and options.variant == "cam" and not _reads_means(network):
        raise NotPossible(
            "variant=cam is defined for a head that reads the mean of each map, and this network's head reads every "
            "place; these work: variant=hirescam, variant=gradcam, method=ledger",
            "/variant",
        )


def _check_layer(network: Network, options: ExplainOptions) -> None:
    passport = network.passport
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


def _reads_means(network: Network) -> bool:
    head = network.passport.head
    return head.reduce == "mean" or head.in_shape[1:] == (1, 1)


def _check_cell(network: Network, options: ExplainOptions) -> None:
    for name in ("layer", "filter", "row", "col"):
        if getattr(options, name) is None:
            raise InvalidOption(f"method=cell must have layer, filter, row and col; {name} is missing", f"/{name}")
    layer = cell_layer(network, options)
    filters, rows, columns = layer.shape
    check_filter(layer.name, options.filter or 0, filters, "/filter")
    for name, count in (("row", rows), ("col", columns)):
        if getattr(options, name) >= count:
            raise InvalidOption(f"{name} of {layer.name} is 0 to {count - 1}, got {getattr(options, name)}", f"/{name}")


def cell_layer(network: Network, options: ExplainOptions) -> Layer:
    """The layer of the cell asked for; conv1, conv1.pre and conv1.act are the same one."""
    asked = options.layer or ""
    layers = network.passport.layers[:-1]
    for layer in layers:
        if asked in {layer.name, *layer.maps}:
            return layer
    raise NotFound.among("layer", asked, [layer.name for layer in layers], "/layer")


def read_window(options: ExplainOptions) -> tuple[tuple[int, int], tuple[int, int]]:
    """The covering window of an occlusion and its stride, (down, across) each; InvalidOption where they do not fit."""
    window = check_pair("window", options.window, least=1)
    stride = check_pair("stride", options.stride, least=1)
    if stride[0] > window[0] or stride[1] > window[1] or max(window) > SIDE:
        windows(window, stride)  # says what is wrong
    return window, stride
