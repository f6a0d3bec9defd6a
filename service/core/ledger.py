"""
The ledger of a decision: what each filter, at each place, added to each class.

The last layer of every network here is linear, so with Q the maps it reads, V its weights and d its bias, a class's
score is an exact sum,

    y_c = d_c + sum over k,i,j of C[c,k,i,j],    C[c,k,i,j] = V[c,k,i,j] * Q[k,i,j]

No gradient and no sampling are needed. Because the sum is additive, many named methods fall together in C: it is
gradient x activation, DeepLIFT and integrated gradients from zero, HiResCAM before its sum over filters; the share of
filter k, the sum of C over its places, is what the score loses when the filter is switched off there, and its Shapley
value in the game whose players are the filters (Lundberg and Lee, arXiv 1705.07874, for linear models). With another
baseline B in place of zero, shares are V * (Q - B) and d grows by the sum of V * B.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Ledger:
    """
    Every class's score as a sum.

    base: (classes,), what a class has before any filter adds to it: the head's bias, plus the baseline's sum
    shares: (classes, filters, rows, columns)   logits: (classes,), as the network gave them
    """

    base: Floats
    shares: Floats
    logits: Floats

    @property
    def filters(self) -> Floats:
        """What each filter added to each class, (classes, filters)."""
        return np.asarray(self.shares.sum(axis=(2, 3)))

    @property
    def places(self) -> Floats:
        """What each place added to each class, (classes, rows, columns)."""
        return np.asarray(self.shares.sum(axis=1))

    @property
    def residual(self) -> float:
        """The largest difference, over the classes, between a logit and the sum that explains it."""
        return float(np.abs(self.logits - self.base - self.shares.sum(axis=(1, 2, 3))).max())

    def margin(self, target: int, rival: int) -> "Ledger":
        """The ledger of the one score by which `target` leads `rival`: the difference of their two ledgers."""
        return Ledger(
            (self.base[target] - self.base[rival])[None],
            (self.shares[target] - self.shares[rival])[None],
            (self.logits[target] - self.logits[rival])[None],
        )


def head_weights(weight: ArrayLike, shape: Sequence[int], reduce: str = "flatten") -> Floats:
    """
    Lay a head's weights out over the maps it reads.

    weight: (classes, filters * rows * columns) for flatten, in C order; (classes, filters) for mean
    shape: (filters, rows, columns)   returns: (classes, filters, rows, columns)

    >>> head_weights([[6.0]], (1, 1, 2), "mean")  # a mean over two places gives each half of the weight
    array([[[[3., 3.]]]])
    """
    flat = np.asarray(weight, np.float64)
    filters, rows, columns = shape
    if reduce == "mean":
        each = flat.reshape(len(flat), filters, 1, 1) / (rows * columns)
        return np.broadcast_to(each, (len(flat), filters, rows, columns))
    return flat.reshape(len(flat), filters, rows, columns)


def ledger(
    weights: Floats, bias: ArrayLike, maps: ArrayLike, logits: ArrayLike, baseline: ArrayLike | None = None
) -> Ledger:
    """
    Write one decision out as a sum.

    weights: (classes, filters, rows, columns), as head_weights() gives them   bias, logits: (classes,)
    maps: (filters, rows, columns), what the head read   baseline: of the same shape, zero unless given

    >>> entry = ledger(np.array([[[[2.0, 1.0]]]]), [0.5], [[[3.0, 4.0]]], [10.5])
    >>> entry.filters, entry.places, entry.residual
    (array([[10.]]), array([[[6., 4.]]]), 0.0)
    """
    read = np.asarray(maps, np.float64)
    base = np.asarray(bias, np.float64)
    if baseline is not None:
        absent = np.asarray(baseline, np.float64)
        base = base + np.einsum("ckij,kij->c", weights, absent)
        read = read - absent
    return Ledger(base, weights * read, np.asarray(logits, np.float64))


# --- the smallest set that decides -----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class DecidingSet:
    """
    The smallest set of shares without which a class no longer leads.

    rival: the class that then draws level   margin: the lead, all shares present
    members: indices, the largest share of the lead first   margins_after: the lead once each is gone as well, in order
    found: False when the lead outlives every share that makes it, because the base alone gives it
    """

    rival: int
    margin: float
    members: list[int]
    margins_after: list[float]
    found: bool


def deciding_set(
    base: Floats, shares: Floats, logits: ArrayLike, target: int, rivals: Sequence[int] | None = None
) -> DecidingSet:
    """
    Find the smallest set of shares whose removal ends the lead of `target` over one of the rivals.

    base, logits: (classes,)   shares: (classes, n), per filter or per place
    rivals: every other class unless given; then the rival for which the set is smallest is the one answered, and of
        several the one that is then furthest ahead

    The lead over one rival is itself a sum of shares, so taking the largest away first is not a heuristic: no smaller
    set can take away as much.

    >>> found = deciding_set(np.zeros(2), np.array([[3.0, 1.0, 2.0], [1.0, 1.0, 1.5]]), [6.0, 3.5], target=0)
    >>> found.members, found.margins_after
    ([0, 2], [0.5, 0.0])
    """
    candidates = [c for c in range(len(base)) if c != target] if rivals is None else rivals
    scores = np.asarray(logits, np.float64)
    found = [_deciding_set(base, shares, scores, target, rival) for rival in candidates]
    return min(found, key=lambda each: (not each.found, len(each.members), (each.margins_after or [each.margin])[-1]))


def _deciding_set(base: Floats, shares: Floats, logits: Floats, target: int, rival: int) -> DecidingSet:
    lead = shares[target] - shares[rival]
    order = np.argsort(-lead, kind="stable")
    order = order[lead[order] > 0]
    margin = float(logits[target] - logits[rival])
    # Summed from what remains, so that what is left when all is gone is the base alone, free of rounding.
    gone = np.cumsum(lead[order])
    after = base[target] - base[rival] + lead.sum() - gone
    enough = int(np.searchsorted(-after, 0.0)) + 1 if len(after) and after[-1] <= 0 else len(after)
    if margin <= 0:
        return DecidingSet(rival, margin, [], [], found=True)
    members, margins = order[:enough], after[:enough]
    found = bool(len(margins) and margins[-1] <= 0)
    return DecidingSet(rival, margin, [int(k) for k in members], [float(m) for m in margins], found)


# --- class activation maps -------------------------------------------------------------------------------------------

CAM_VARIANTS = ("gradcam", "hirescam", "cam")


def activation_map(weights: Floats, maps: ArrayLike, variant: str) -> Floats:
    """
    A class activation map at the maps the head reads, signed: not yet cut at zero, nor rescaled.

    weights: (filters, rows, columns), the head's for one class   maps: of the same shape   returns: (rows, columns)
    hirescam: sum over k of V[k] * Q[k], the exact shares of the places (Draelos and Carin, arXiv 2011.08891)
    gradcam: each filter weighed by the mean of V[k], the gradient there (Selvaraju et al., arXiv 1610.02391)
    cam: each filter weighed by its weight in a head that reads means (Zhou et al., arXiv 1512.04150), which is rows *
        columns * V[k]; defined only where V[k] is the same at every place

    >>> V, Q = np.array([[[1.0, 3.0]]]), np.array([[[1.0, 1.0]]])
    >>> activation_map(V, Q, "hirescam"), activation_map(V, Q, "gradcam")
    (array([[1., 3.]]), array([[2., 2.]]))
    """
    read = np.asarray(maps, np.float64)
    if variant == "hirescam":
        return np.asarray((weights * read).sum(axis=0))
    alpha = weights.mean(axis=(1, 2)) if variant == "gradcam" else weights.sum(axis=(1, 2))
    return np.asarray(np.einsum("k,kij->ij", alpha, read))


def spread(cells: Floats, rows: Sequence[float], columns: Sequence[float], size: tuple[int, int]) -> Floats:
    """
    Draw a coarse map over the picture: linear between the centres of its cells, level beyond the outermost.

    cells: (h, w)   rows, columns: the y of each row's centre and the x of each column's, in pixels
    returns: (rows, columns) of `size`

    >>> spread(np.array([[0.0, 1.0]]), [1], [0, 2], (3, 3))
    array([[0. , 0.5, 1. ],
           [0. , 0.5, 1. ],
           [0. , 0.5, 1. ]])
    """
    down, across = _between(rows, size[0]), _between(columns, size[1])
    return np.asarray(down @ cells @ across.T)


def _between(centres: Sequence[float], side: int) -> NDArray[Any]:
    """The (side, len(centres)) matrix that reads any pixel from the cells to either side of it."""
    identity = np.eye(len(centres))
    pixels = np.arange(side)
    return np.stack([np.interp(pixels, centres, row) for row in identity], axis=1)
