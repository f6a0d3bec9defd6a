"""What an adopted network answers and what it does not, with the reason: calls refuse by it, and adopting tells it."""

from service.core.errors import NotPossible
from service.network.passport import IMAGE
from service.network.sessions import Network

# What is told of an adopted network in place of a call's answer.
# The methods that go by the walk back, and those of them that need a layer that all of it goes through, or one behind
# which all is linear.
WALKED, SUMMED, LINEAR = ("pixels", "cam", "ledger", "deciding-set"), ("ledger", "deciding-set"), "deciding-set"
NOT_WHOLE = "no layer of it has all that its scores are made of"
NOT_LINEAR = "no layer of it is followed by what is linear for every picture"
NO_CELLS = "what its layers read was not kept: adopt it again, and method=cell works"
NOT_READ = "its weights are made as it runs, or what it reads is a constant, or more than could be kept"
NO_CELL = f"of every layer, {NOT_READ}"
NOT_EDITED = "an adopted network is walked back with its own weights alone: with changes method=occlusion and rise work"
NO_FILTERS = "it has no convolution whose filters are constant"
NO_MAPS = "no layer of it has maps"
NO_HISTORY = "of an adopted network no training was kept: it has no steps, and answers as it is without one"
NO_REPORT = "no report was made of it: adopt it with --report FOLDER, of labelled pictures"
NO_DIGITS = "reading several needs a network of the ten digits, labelled 0 to 9 and adopted with --prepare digit"


def calls_of(network: Network) -> dict[str, str]:
    """Every call that runs an adopted network: nothing where it works, else why not."""
    passport = network.passport
    return {
        "POST /v1/classify": "",
        "POST /v1/feature-maps": "" if passport.map_shapes() else NO_MAPS,
        "POST /v2/models/NAME/infer": "",
        "GET /v1/models/NAME/layers/LAYER/filters": "" if passport.convolutions else NO_FILTERS,
        "POST /v1/explain?method=occlusion, rise": "",
        **{f"POST /v1/explain?method={method}": explained_fault(network, method) for method in (*WALKED, "cell")},
        "POST /v1/what-if, and changes": "" if passport.convolutions else NO_FILTERS,
        "GET /v1/models/NAME/report": NO_REPORT if network.report is None else "",
        "POST /v1/read": "" if passport.reads_digits else NO_DIGITS,
        "GET /v1/models/NAME/history, and step": NO_HISTORY,
    }


def check_maps(network: Network) -> None:
    """Raise NotPossible where a network has no maps."""
    if not network.passport.map_shapes():
        raise NotPossible(f"{network.name}/{network.version}: {NO_MAPS}; classify and /v2 work", "/model")


def check_filters(network: Network) -> None:
    """Raise NotPossible where a network has no filters to edit."""
    if not network.passport.convolutions:
        raise NotPossible(f"{network.name}/{network.version}: {NO_FILTERS}; classify and /v2 work", "/model")


def check_digits(network: Network) -> None:
    """Raise NotPossible for a network that does not tell digits."""
    if not network.passport.reads_digits:
        raise NotPossible(f"{network.name}/{network.version}: {NO_DIGITS}; classify works", "/model")


def explained_fault(network: Network, method: str) -> str:
    """Why an adopted network's decision is not explained by a method, or nothing."""
    if method == "cell":
        return _cells_fault(network)
    if method not in WALKED:
        return ""
    if fault := network.creditor.fault:
        return fault
    credit = network.passport.credit
    if credit is None or not set(credit.exactness) - {IMAGE}:
        return NO_MAPS if method != "pixels" else ""
    if method in SUMMED and not network.passport.whole:
        return NOT_WHOLE
    is_linear = any(credit.exactness[name] == "global" for name in network.passport.whole)
    return NOT_LINEAR if method == LINEAR and not is_linear else ""


def _cells_fault(network: Network) -> str:
    passport = network.passport
    if not passport.map_shapes():
        return NO_MAPS
    if passport.between is None:
        return NO_CELLS
    return "" if any(layer.tensors for layer in passport.layers) else NO_CELL


def check_explained(network: Network, method: str, *, edited: bool) -> None:
    """Raise NotPossible where an adopted network's decision is not explained by that method."""
    if not network.passport.is_adopted:
        return
    if fault := explained_fault(network, method):
        working = ["classify", *(["feature-maps"] if network.passport.map_shapes() else [])]
        working += [f"method={each}" for each in (*WALKED, "cell", "occlusion") if not explained_fault(network, each)]
        works = f"{', '.join(working)} and method=rise work"
        raise NotPossible(f"{network.name}/{network.version}: {fault}; {works}", "/method")
    if edited and method in WALKED:
        raise NotPossible(f"{network.name}/{network.version}: {NOT_EDITED}", "/changes")


def check_own(network: Network, reason: str, pointer: str = "/model") -> None:
    """Raise NotPossible, with that reason, for an adopted network."""
    if network.passport.is_adopted:
        raise NotPossible(f"{network.name}/{network.version}: {reason}", pointer)


def check_reported(network: Network) -> None:
    """Raise NotPossible for an adopted network that no report was made of."""
    if network.passport.is_adopted and network.report is None:
        raise NotPossible(f"{network.name}/{network.version}: {NO_REPORT}", "/model")
