"""What a method of explaining is: its function, what it takes, what it refuses, and how much of it there is to do."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import prod
from typing import Any

from service.core.masking import are_few, masks_at_a_time
from service.lab.explain.asked import Asked
from service.lab.explain.case import Case
from service.network.sessions import Network

# That a walk back holds for each cell of the maps: measured of a network of 224 x 224, the engine's arena included.
WALKED_BYTES = 16


def nothing_more(_network: Network, _options: Asked) -> None:
    """Refuse nothing beside what every method refuses."""


def no_runs(_network: Network, _options: Asked) -> int:
    """No run of the network on a masked picture."""
    return 0


def no_maps(_network: Network, _options: Asked) -> Sequence[str]:
    """No map of the network beside its verdict."""
    return ()


def of_maps(network: Network, _options: Asked) -> int:
    """Four maps of the picture's size, at most."""
    return 4 * prod(network.passport.input.size)


@dataclass(frozen=True, slots=True)
class Method:
    """
    One method of POST /v1/explain.

    explain: explains one picture   takes: the options that it takes beside those that all take
    is_exact: its numbers are a closed formula of the weights and maps; otherwise they are measured, by masking
    check: raises InvalidOption, NotFound or NotPossible, before the work
    runs: of the network on masked copies of one picture   numbers: at most, in the answer for one picture
    price: of one picture, in units of lab/prices.py, without its run through the network and its answer
    maps: of an adopted network, those that it needs; of one of ours every method has all
    """

    name: str
    explain: Callable[[Case], dict[str, Any]]
    takes: frozenset[str]
    is_exact: bool
    price: Callable[[Network, Asked], float]
    check: Callable[[Network, Asked], None] = nothing_more
    runs: Callable[[Network, Asked], int] = no_runs
    numbers: Callable[[Network, Asked], int] = of_maps
    maps: Callable[[Network, Asked], Sequence[str]] = no_maps

    def maps_of(self, network: Network, options: Asked) -> list[str]:
        """The maps that go with the verdict on each picture."""
        return list(self.maps(network, options) if network.passport.is_adopted else network.passport.map_shapes())

    def held(self, network: Network, options: Asked) -> int:
        """Bytes held for one picture while it is explained: the masked pictures, and what the answer has."""
        pixels, numbers = prod(network.passport.input.size), prod(network.passport.input.shape)
        runs, size = self.runs(network, options), network.passport.input.size
        # Masks that are kept; some for a while with what they are made of and laid on, or twice in 64 bits; and the
        # scores of the picture under each.
        kept = runs * pixels if are_few(runs, size) else 0
        some = min(runs, masks_at_a_time(size)) * (5 * pixels + numbers)
        held = 4 * (kept + some + runs * 64) + 8 * self.numbers(network, options)
        if self.is_exact and network.passport.is_adopted:
            # The walk back runs the network again, and holds gains beside its maps.
            held += WALKED_BYTES * sum(prod(shape) for shape in network.passport.inner_shapes().values())
        return held
