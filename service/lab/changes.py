"""A network edited by the caller: filters switched off, scaled or replaced, as weights fed over the trained ones."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from service.core.errors import InvalidKernel, InvalidOption, NotFound, NotPossible
from service.core.kernels import check_kernel
from service.lab import prices
from service.lab.options import Change
from service.network.sessions import Network, Verdicts, filter_weights

Overrides = dict[str, np.ndarray]

# In one request; far more than the filters of any network here.
MAX_CHANGES = 1024


def read_changes(network: Network, changes: Sequence[Change], fed: Mapping[str, np.ndarray] | None = None) -> Overrides:
    """
    Make the weights to feed over the trained ones, by name; several changes of one filter apply in order.

    fed: weights that are fed already, such as those of a step of training; the changes are made to them

    off: weights and bias become 0, hence the filter's map as well; scale: both are multiplied by `factor`;
    replace: `weights` takes the place of the filter's own, and `bias` of its bias where it is given
    raises: NotFound for no such layer or filter; InvalidOption or InvalidKernel, pointing into `changes`
    """
    if len(changes) > MAX_CHANGES:
        raise InvalidOption(f"changes is a list of at most {MAX_CHANGES}, got {len(changes)}", "/changes")
    overrides: Overrides = dict(fed or {})
    edited: set[str] = set()
    for index, change in enumerate(changes):
        pointer = f"/changes/{index}"
        weights, biases = filter_weights(network, change.layer, f"{pointer}/layer", fed)
        if f"{change.layer}.weight" not in network.takes_weights:
            raise NotPossible(
                f"{change.layer}: adopted so that it cannot be edited: adopt it again", f"{pointer}/layer"
            )
        check_filter(change.layer, change.filter, len(weights), f"{pointer}/filter")
        _check_members(change, pointer)
        if change.layer not in edited:
            edited.add(change.layer)
            overrides |= {f"{change.layer}.weight": weights.copy(), f"{change.layer}.bias": biases.copy()}
        _apply(change, overrides[f"{change.layer}.weight"], overrides[f"{change.layer}.bias"], pointer)
    return overrides


def check_filter(layer: str, filter_index: int, count: int, pointer: str) -> None:
    """Raise NotFound unless the layer has that filter."""
    if filter_index >= count:
        raise NotFound(f"there is no filter {filter_index} in {layer}; there is: 0 to {count - 1}", pointer)


def check_finite(verdicts: Verdicts, maps: Mapping[str, np.ndarray]) -> None:
    """Raise InvalidOption where changes made a network overflow."""
    for name, array in {**maps, "logits": verdicts.logits}.items():
        if not np.isfinite(array).all():
            raise InvalidOption(
                f"with these changes {name} is beyond 32-bit floats; smaller numbers are wanted", "/changes"
            )


def changed(changes: Sequence[Change]) -> dict[str, Any]:
    """What a call that may be made without changes answers of them: nothing where there are none."""
    return {"changes": describe_changes(changes)} if changes else {}


def describe_changes(changes: Sequence[Change]) -> list[dict[str, Any]]:
    """The changes as an answer repeats them, without the caller's weights."""
    described = []
    for change in changes:
        members: dict[str, Any] = {"layer": change.layer, "filter": change.filter, "action": change.action}
        if change.factor is not None:
            members["factor"] = change.factor
        described.append(members)
    return described


def _check_members(change: Change, pointer: str) -> None:
    """Each action has its members, and no other's."""
    taken: dict[str, tuple[str, ...]] = {"off": (), "scale": ("factor",), "replace": ("weights", "bias")}
    for name in ("factor", "weights", "bias"):
        if getattr(change, name) is not None and name not in taken[change.action]:
            raise InvalidOption(f"action {change.action} takes no {name}", f"{pointer}/{name}")
    wanted = {"scale": "factor", "replace": "weights"}.get(change.action)
    if wanted is not None and getattr(change, wanted) is None:
        raise InvalidOption(f"action {change.action} must have {wanted}, got none", f"{pointer}/{wanted}")


def _apply(change: Change, weights: np.ndarray, biases: np.ndarray, pointer: str) -> None:
    k = change.filter
    if change.action == "replace":
        weights[k] = _replacement(change, weights.shape[1:], pointer)
        biases[k] = biases[k] if change.bias is None else change.bias
        return
    factor = np.float32(0 if change.factor is None else change.factor)
    with np.errstate(over="ignore", invalid="ignore"):
        weights[k] *= factor
        biases[k] *= factor
    if not (np.isfinite(weights[k]).all() and np.isfinite(biases[k])):
        raise InvalidOption(f"a weight scaled by {change.factor:g} is beyond 32-bit floats", f"{pointer}/factor")


def _replacement(change: Change, shape: tuple[int, ...], pointer: str) -> np.ndarray:
    prices.charge_weights(change.weights)
    given = check_kernel(change.weights, max(shape[1:]), f"{pointer}/weights")
    given = given[None] if given.ndim == 2 else given
    if given.shape != shape:
        wanted = " x ".join(map(str, shape[1:] if shape[0] == 1 else shape))
        came = " x ".join(map(str, np.shape(change.weights or [])))
        raise InvalidKernel(f"a filter of {change.layer} has {wanted} weights, got {came}", f"{pointer}/weights")
    return given
