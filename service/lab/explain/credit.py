"""
A score credited back to the picture: by the network's compiled walk back, or by the one in NumPy.

NumPy walks the networks of this service where they are edited, or have no credit.onnx; see core/relevance.py.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from service.core.errors import NotPossible
from service.core.ledger import Floats
from service.core.relevance import walk_back
from service.lab.explain.case import Case
from service.network.passport import IMAGE
from service.network.sessions import Network


@dataclass(frozen=True, slots=True)
class Parts:
    """
    What one score is made of.

    pixels: (channels, rows, columns)   head_bias: what the last layer's own bias adds, where it is linear
    biases: of every other layer   filters: of each convolution, (filters,)
    per_filter: (filters, channels, rows, columns), the pixels of each filter that the head reads, if that was asked
    """

    pixels: Floats
    head_bias: float
    biases: Mapping[str, float]
    filters: Mapping[str, Floats]
    per_filter: Floats | None = None


def is_compiled(case: Case) -> bool:
    """Whether the compiled walk back is that of the network as it ran: it knows the trained weights alone."""
    return not case.overrides and (case.network.passport.is_adopted or case.network.creditor.can_walk())


def exactness_at_picture(network: Network) -> str:
    """`global` where the credit of the picture's pixels needs no gate, else `gates`."""
    if network.passport.credit is not None and network.passport.credit.exactness:
        return network.passport.credit.exactness[IMAGE]
    layers = network.passport.layers
    is_linear = all(layer.op != "maxpool" and layer.activation == "linear" for layer in layers)
    return "global" if is_linear else "gates"


def parts_of(case: Case, score: str, *, full: bool) -> Parts:
    """Credit the target's logit, or its margin over the rival, back. raises: NotPossible."""
    return _compiled(case, score, full=full) if is_compiled(case) else _walked(case, score, full=full)


def gains_at(case: Case, layer: str) -> Floats:
    """The gains of a layer's map for each class, (classes, filters, rows, columns). raises: NotPossible."""
    if not is_compiled(case):
        return walk_back(case.head, case.passes(layer)).gains
    seeds = np.eye(len(case.logits))
    return np.asarray(case.network.creditor.walk(case.picture, seeds, [layer]).gains[layer], np.float64)


def of_classes(case: Case, per_class: np.ndarray, score: str) -> float:
    """The target's number, or for a margin what it has more than the rival's."""
    return float(_seed(case, score) @ per_class.astype(np.float64))


def _seed(case: Case, score: str) -> Floats:
    """How much of each logit a score has, (classes,)."""
    seed = np.zeros(len(case.logits))
    seed[case.target] = 1
    if score == "margin" and case.rival is not None:
        seed[case.rival] = -1
    return seed


def _compiled(case: Case, score: str, *, full: bool) -> Parts:
    creditor, head = case.network.creditor, case.network.passport.layers[-1:]
    last = case.network.passport.whole[-1:]
    if full and not last:
        raise NotPossible("full=true needs a layer that all credit goes through, and this network has none", "/full")
    found = creditor.walk(case.picture, _seed(case, score)[None], last if full else ())
    biases = {name: float(each[0]) for name, each in found.biases.items()}
    of_head = biases.pop(head[0].name, 0.0) if head and head[0].op == "linear" else 0.0
    if "head.bias" in case.weights:
        of_head = of_classes(case, case.weights["head.bias"], score)
    filters = {name: each[0].astype(np.float64) for name, each in found.filters.items()}
    per_filter = None
    if full:
        (gains,) = (found.gains[name][0] for name in last)
        alone = gains[None] * np.eye(len(gains), dtype=np.float32)[:, :, None, None]
        each = creditor.walk(case.picture, np.zeros((len(gains), len(case.logits))), added=alone)
        per_filter = each.gains[IMAGE] * case.picture.astype(np.float64)
    return Parts(found.gains[IMAGE][0] * case.picture.astype(np.float64), of_head, biases, filters, per_filter)


def _walked(case: Case, score: str, *, full: bool) -> Parts:
    head = np.einsum("c,ckij->kij", _seed(case, score), case.head)
    weights = head[None]
    if full:
        weights = np.concatenate([weights, head[None] * np.eye(len(head))[:, :, None, None]])
    credit = walk_back(weights, case.passes())
    pixels = credit.shares(case.picture)
    return Parts(
        pixels[0],
        of_classes(case, case.weights["head.bias"], score),
        {name: float(each[0].sum()) for name, each in credit.biases.items()},
        {name: each[0] for name, each in credit.filters.items()},
        pixels[1:] if full else None,
    )
