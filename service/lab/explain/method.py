"""What a method of explaining is: its function, what it takes, what it refuses, and how much of it there is to do."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from service.core.digit import SIDE
from service.lab.explain.asked import Asked
from service.lab.explain.case import Case
from service.network.sessions import Network


def nothing_more(_network: Network, _options: Asked) -> None:
    """Refuse nothing beside what every method refuses."""


def no_runs(_options: Asked) -> int:
    """No run of the network on a masked picture."""
    return 0


def of_maps(_network: Network, _options: Asked) -> int:
    """Four maps of the picture's size, at most."""
    return 4 * SIDE * SIDE


# A mask, for a while with what it is made of, and the scores of the picture under it.
MASKED_BYTES = 4 * (4 * SIDE * SIDE + 64)


def few_sums(network: Network, options: Asked) -> float:
    """In units of lab/prices.py, for one picture: a few sums over what the head reads."""
    filters, rows, columns = network.passport.head.in_shape
    cells = filters * rows * columns * len(network.passport.labels)
    return 60.0 + cells * (0.008 if options.full else 0.003)


@dataclass(frozen=True, slots=True)
class Method:
    """
    One method of POST /v1/explain.

    explain: explains one picture   takes: the options that it takes beside those that all take
    is_exact: its numbers are a closed formula of the weights and maps; otherwise they are measured, by masking
    check: raises InvalidOption, NotFound or NotPossible, before the work
    runs: of the network on masked copies of one picture   numbers: at most, in the answer for one picture
    price: of one picture, in units of lab/prices.py, without its run through the network and its answer
    """

    name: str
    explain: Callable[[Case], dict[str, Any]]
    takes: frozenset[str]
    is_exact: bool
    check: Callable[[Network, Asked], None] = nothing_more
    runs: Callable[[Asked], int] = no_runs
    numbers: Callable[[Network, Asked], int] = of_maps
    price: Callable[[Network, Asked], float] = few_sums

    def held(self, network: Network, options: Asked) -> int:
        """Bytes held for one picture while it is explained: the masked pictures, and what the answer has."""
        return self.runs(options) * MASKED_BYTES + 8 * self.numbers(network, options)
