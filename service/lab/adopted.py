"""What an adopted network answers and what it does not, with the reason: calls refuse by it, and adopting tells it."""

from service.core.errors import NotPossible
from service.network.passport import DIGIT_SHAPE
from service.network.sessions import Network

# What is told of an adopted network in place of a call's answer.
NOT_EXPLAINED = "of an adopted network only method=pixels explains so far; classify, feature-maps and /v2 work too"
# The methods that go by the walk back alone, which every network may have.
EXPLAINED = ("pixels",)
NO_FILTERS = "it has no convolution whose filters are constant"
NO_MAPS = "no layer of it has maps"
NO_HISTORY = "of an adopted network no training was kept: classify, feature-maps and /v2 work"
NO_REPORT = "an adopted network has no dataset report: classify, feature-maps and /v2 work"
NO_DIGITS = "it does not tell the ten digits of pictures made digits, as reading several in a picture needs"


def calls_of(network: Network) -> dict[str, str]:
    """Every call that runs an adopted network: nothing where it works, else why not."""
    passport = network.passport
    return {
        "POST /v1/classify": "",
        "POST /v1/feature-maps": "" if passport.map_shapes() else NO_MAPS,
        "POST /v2/models/NAME/infer": "",
        "GET /v1/models/NAME/layers/LAYER/filters": "" if passport.convolutions else NO_FILTERS,
        "POST /v1/explain?method=pixels": _no_walk_back(network),
        "POST /v1/explain, by other methods": NOT_EXPLAINED,
        "POST /v1/what-if, and changes": "" if passport.convolutions else NO_FILTERS,
        "GET /v1/models/NAME/report": NO_REPORT,
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


def check_explained(network: Network, method: str) -> None:
    """Raise NotPossible where an adopted network's decision is not explained by that method."""
    if not network.passport.is_adopted:
        return
    if method not in EXPLAINED:
        raise NotPossible(f"{network.name}/{network.version}: {NOT_EXPLAINED}", "/method")
    if fault := _no_walk_back(network):
        raise NotPossible(f"{network.name}/{network.version}: {fault}; classify, feature-maps and /v2 work", "/method")


def _no_walk_back(network: Network) -> str:
    """Why no score of an adopted network is walked back to a picture, or nothing where it is."""
    if network.passport.input.shape != DIGIT_SHAPE:
        return f"{NOT_EXPLAINED}, and of pictures of 28 x 28 in grey"
    return network.creditor.fault


def check_own(network: Network, reason: str, pointer: str = "/model") -> None:
    """Raise NotPossible, with that reason, for an adopted network."""
    if network.passport.is_adopted:
        raise NotPossible(f"{network.name}/{network.version}: {reason}", pointer)
