"""What a method of explaining is: its function, what it takes, what it refuses, and how much of it there is to do."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from service.core.digit import SIDE

if TYPE_CHECKING:
    from service.lab.explain.case import Case
    from service.lab.explain.options import ExplainOptions
    from service.network.sessions import Network


def nothing_more(_network: "Network", _options: "ExplainOptions") -> None:
    """Refuse nothing beside what every method refuses."""


def no_runs(_options: "ExplainOptions") -> int:
    """No run of the network on a masked picture."""
    return 0


def of_maps(_network: "Network", _options: "ExplainOptions") -> int:
    """Four maps of the picture's size, at most."""
    return 4 * SIDE * SIDE


@dataclass(frozen=True, slots=True)
class Method:
    """
    One method of POST /v1/explain.

    explain: explains one picture   takes: the options that it takes beside those that all take
    is_exact: its numbers are a closed formula of the weights and maps; otherwise they are measured, by masking
    check: raises InvalidOption, NotFound or NotPossible, before the work
    runs: of the network on masked copies of one picture   numbers: at most, in the answer for one picture
    """

    name: str
    explain: Callable[["Case"], dict[str, Any]]
    takes: frozenset[str]
    is_exact: bool
    check: Callable[["Network", "ExplainOptions"], None] = nothing_more
    runs: Callable[["ExplainOptions"], int] = no_runs
    numbers: Callable[["Network", "ExplainOptions"], int] = of_maps
