"""What an adopted network answers and what it does not, with the reason: calls refuse by it, and adopting tells it."""

from service.core.errors import NotPossible
from service.network.passport import DIGIT_SHAPE, Passport
from service.network.sessions import Network

# What is told of an adopted network in place of a call's answer.
NOT_EXPLAINED = "an adopted network's decision is not explained yet: classify, feature-maps and /v2 work"
NOT_CHANGED = "an adopted network is not edited yet: its maps without changes, classify and /v2 work"
NO_MAPS = "no layer of it has maps"
NO_REPORT = "an adopted network has no dataset report: classify, feature-maps and /v2 work"


def waits_for(passport: Passport) -> str:
    """Why pictures cannot be posted to a network yet, or nothing where they can."""
    if passport.input.shape == DIGIT_SHAPE:
        return ""
    reads, taken = (" x ".join(map(str, shape)) for shape in (passport.input.shape, DIGIT_SHAPE))
    return (
        f"{passport.name}/{passport.version} reads {reads} numbers, and posted pictures become {taken} so far; "
        f"POST /v2/models/{passport.name}/infer takes its numbers"
    )


def calls_of(passport: Passport) -> dict[str, str]:
    """Every call that runs an adopted network: nothing where it works, else why not."""
    waits = waits_for(passport)
    shown = "" if passport.map_shapes() else NO_MAPS
    return {
        "POST /v1/classify": waits,
        "POST /v1/feature-maps": waits or shown,
        "POST /v2/models/NAME/infer": "",
        "GET /v1/models/NAME/layers/LAYER/filters": "" if passport.convolutions else "it has no convolution",
        "POST /v1/explain": NOT_EXPLAINED,
        "POST /v1/what-if, and changes": NOT_CHANGED,
        "GET /v1/models/NAME/report": NO_REPORT,
    }


def check_picture(network: Network) -> None:
    """Raise NotPossible where no posted picture becomes what the network reads."""
    if waits := waits_for(network.passport):
        raise NotPossible(waits, "/model")


def check_maps(network: Network) -> None:
    """Raise NotPossible where a network has no maps, or no posted picture becomes what it reads."""
    check_picture(network)
    if not network.passport.map_shapes():
        raise NotPossible(f"{network.name}/{network.version}: {NO_MAPS}; classify and /v2 work", "/model")


def check_own(network: Network, reason: str, pointer: str = "/model") -> None:
    """Raise NotPossible, with that reason, for an adopted network."""
    if network.passport.is_adopted:
        raise NotPossible(f"{network.name}/{network.version}: {reason}", pointer)
