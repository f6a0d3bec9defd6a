"""
What follows a layer, as a sum over its maps: a class's score is a base, and weights times what stands in the maps.

Of a network of ours it is the linear layer that ends it. Of an adopted one it is what its walk back finds behind a
layer: the same numbers for every picture where all of it is linear, else those that this picture's gates make.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from service.core.ledger import Floats, Ledger, ledger
from service.lab.explain.asked import Asked
from service.lab.explain.case import Case
from service.lab.explain.rules import credited_layer
from service.network.passport import Layer
from service.network.sessions import Network

# Of more classes than these an adopted network's scores are not all explained, but those that are asked about.
EVERY_CLASS = 10


@dataclass(frozen=True, slots=True)
class Tail:
    """
    What follows a layer, for some classes.

    layer: the one explained; maps: (filters, rows, columns), its map on this picture   classes: of each row, by index
    weights: (n, filters, rows, columns)   base: (n,)   exactness: `global` or `gates`
    """

    layer: Layer
    maps: np.ndarray
    classes: Sequence[int]
    weights: Floats
    base: Floats
    exactness: str

    def row(self, index: int) -> int:
        """The row of a class."""
        return self.classes.index(index)

    def ledger(self, case: Case) -> Ledger:
        """The score of each of its classes, as a sum."""
        baseline = case.mean_maps if case.options.baseline == "mean" else None
        return ledger(self.weights, self.base, self.maps, case.logits[list(self.classes)], baseline)

    def of_score(self, case: Case, score: str) -> Floats:
        """The weights of one score, (filters, rows, columns)."""
        own = self.weights[self.row(case.target)]
        is_margin = score == "margin" and case.rival is not None
        return np.asarray(own - self.weights[self.row(case.rival or 0)]) if is_margin else own


def tail_of(case: Case, *, rivals: bool = False) -> Tail:
    """
    What follows the layer that is explained.

    rivals: with the classes that the target could lose its lead to
    raises: NotPossible where an adopted network is not walked back
    """
    if not case.network.passport.is_adopted:
        classes = range(len(case.logits))
        return Tail(case.last, case.head_input, classes, case.head, case.weights["head.bias"], "global")
    layer = credited_layer(case.network, case.options)
    chosen = chosen_classes(case, rivals=rivals)
    seeds = np.eye(len(case.logits), dtype=np.float32)[chosen]
    found = case.network.creditor.walk(case.picture, seeds, [layer.name])
    base = found.bases.get(layer.name, np.zeros(len(chosen)))
    credit = case.network.passport.credit
    exactness = "gates" if credit is None else credit.exactness[layer.name]
    weights = found.gains[layer.name].astype(np.float64)
    return Tail(layer, case.maps[layer.maps[-1]], chosen, weights, base.astype(np.float64), exactness)


def count_classes(network: Network, options: Asked, *, rivals: bool = False) -> int:
    """How many classes tail_of() is for, at most."""
    most = len(network.passport.labels)
    if not network.passport.is_adopted or most <= EVERY_CLASS:
        return most
    return EVERY_CLASS if rivals and options.rival is None else 2


def explained_shape(network: Network, options: Asked) -> tuple[int, int, int]:
    """The (filters, rows, columns) of the maps that tail_of() is for."""
    filters, rows, columns = (
        credited_layer(network, options).shape if network.passport.is_adopted else network.passport.head.in_shape
    )
    return filters, rows, columns


def chosen_classes(case: Case, *, rivals: bool = False) -> list[int]:
    """All classes, or of many the target, its rival, and the most probable others where those are wanted."""
    if len(case.logits) <= EVERY_CLASS:
        return list(range(len(case.logits)))
    chosen = [case.target] if case.rival is None else [case.target, case.rival]
    if rivals and case.options.rival is None:
        best = np.argsort(-case.logits, kind="stable")[:EVERY_CLASS].tolist()
        chosen += [index for index in best if index not in chosen]
    return chosen[:EVERY_CLASS]
