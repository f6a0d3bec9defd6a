"""The options of POST /v1/explain, and what is refused of them before the work."""

from typing import Literal

from service.core.errors import InvalidOption
from service.lab.explain.asked import Asked
from service.lab.explain.methods import METHODS
from service.lab.explain.rules import check_baseline, check_classes, check_score
from service.network.sessions import Network

OF_METHODS = frozenset[str]().union(*(method.takes for method in METHODS.values()))


class ExplainOptions(Asked, frozen=True, kw_only=True):
    """POST /v1/explain, by one of the methods there are."""

    method: Literal[tuple(METHODS)] = "ledger"  # type: ignore[valid-type]


def check_options(network: Network, options: ExplainOptions) -> None:
    """
    Refuse, before the work, what a method does not take and what this network's structure does not allow.

    raises: InvalidOption, NotFound or NotPossible
    """
    method, defaults = METHODS[options.method], ExplainOptions()
    for name in sorted(OF_METHODS - method.takes):
        if getattr(options, name) != getattr(defaults, name):
            taking = [each.name for each in METHODS.values() if name in each.takes]
            raise InvalidOption(f"method={method.name} takes no {name}; these do: {', '.join(taking)}", f"/{name}")
    check_classes(network, options)
    check_baseline(method, options)
    if method.is_exact:
        check_score(options, [each.name for each in METHODS.values() if not each.is_exact])
    method.check(network, options)
