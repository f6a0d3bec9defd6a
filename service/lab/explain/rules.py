"""What POST /v1/explain refuses before the work: values no method can use, and what a structure does not allow."""

from collections.abc import Sequence

from service.core.convolution import check_pair
from service.core.digit import SIDE
from service.core.errors import InvalidOption, NotFound, NotPossible
from service.core.masking import windows
from service.lab.changes import check_filter
from service.lab.explain.asked import Asked
from service.lab.explain.method import Method
from service.network.passport import Layer
from service.network.sessions import Network


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


def check_cell(network: Network, options: Asked) -> None:
    """Raise InvalidOption or NotFound unless the options name one cell of one map."""
    for name in ("layer", "filter", "row", "col"):
        if getattr(options, name) is None:
            raise InvalidOption(f"method=cell must have layer, filter, row and col; {name} is missing", f"/{name}")
    layer = cell_layer(network, options)
    filters, rows, columns = layer.shape
    check_filter(layer.name, options.filter or 0, filters, "/filter")
    for name, count in (("row", rows), ("col", columns)):
        if getattr(options, name) >= count:
            raise InvalidOption(f"{name} of {layer.name} is 0 to {count - 1}, got {getattr(options, name)}", f"/{name}")


def cell_layer(network: Network, options: Asked) -> Layer:
    """The layer of the cell asked for; conv1, conv1.pre and conv1.act are the same one."""
    asked = options.layer or ""
    layers = network.passport.layers[:-1]
    for layer in layers:
        if asked in {layer.name, *layer.maps}:
            return layer
    raise NotFound.among("layer", asked, [layer.name for layer in layers], "/layer")


def check_window(_network: Network, options: Asked) -> None:
    """Raise InvalidOption where the covering window or its stride does not fit."""
    read_window(options)


def check_masks(_network: Network, options: Asked) -> None:
    """Raise InvalidOption for masks of a grid that cannot be, or too few to know an error by."""
    if not 2 <= options.cells <= SIDE:
        raise InvalidOption(f"cells must be 2 to {SIDE}, got {options.cells}", "/cells")
    if options.masks < 2:
        raise InvalidOption(f"masks must be at least 2, got {options.masks}", "/masks")


def read_window(options: Asked) -> tuple[tuple[int, int], tuple[int, int]]:
    """The covering window of an occlusion and its stride, (down, across) each; InvalidOption where they do not fit."""
    window = check_pair("window", options.window, least=1)
    stride = check_pair("stride", options.stride, least=1)
    if stride[0] > window[0] or stride[1] > window[1] or max(window) > SIDE:
        windows(window, stride)  # says what is wrong
    return window, stride
