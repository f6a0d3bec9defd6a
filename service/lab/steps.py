"""A network as it was at a step of its training: weights fed over the finished ones, as those of what-if are."""

from typing import Any

from service.lab.adopted import NO_HISTORY, check_own
from service.network.history import KeptTraining, no_history
from service.network.sessions import Library, Network

Fed = dict[str, Any]


def history_of(network: Network, library: Library, pointer: str = "/model") -> KeptTraining:
    """The kept training of a network; NotFound names the models that have one, NotPossible an adopted network."""
    check_own(network, NO_HISTORY)
    if network.history is None:
        raise no_history(
            f"{network.name}/{network.version}",
            [f"{each.name}/{each.version}" for each in library.networks if each.history],
            pointer,
        )
    return network.history


def weights_at(network: Network, step: int | None, library: Library) -> Fed:
    """
    The weights to feed for a step, by name; none where none is asked for.

    raises: NotFound where the training was not kept, InvalidOption where it has no such step
    """
    return {} if step is None else history_of(network, library, "/step").weights(step)


def told_step(step: int | None) -> dict[str, int]:
    """What an answer repeats of the step that was asked for."""
    return {} if step is None else {"step": step}
