"""
Relevance: a score credited back through the layers, down to the ink.

At the head's input the shares of the ledger are exact. Each layer below hands its credit down by one rule, chosen so
that nothing is lost or made:

    pooling      an average gives every real cell of its window an equal part, a maximum gives all to the winner
                 (the first in reading order, where several are equal)
    activation   phi(Z) is written g * Z with the gain g = phi(Z) / Z: for relu the gate 0 or 1, for tanh tanh(Z) / Z
    convolution  Z[k] = b[k] + sum of W * input: each product is a share of its input cell, b[k] is the bias's own

so that at every layer, with G the gains multiplied up from the head,

    y_c = d_c + sum over cells of G_c * activation + what the biases of the layers in between added

and at the picture, where the activation is the ink itself, every pixel has its credit and paper has none. This is
layer-wise relevance propagation with the rule LRP-0 (Bach et al., doi 10.1371/journal.pone.0130140), which for relu is
input x gradient (Shrikumar et al., arXiv 1605.01713).
"""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from service.core.convolution import Pads, Pair, pad, patches

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class ConvPass:
    """
    A convolution as it was computed once.

    weights: (K, C, kh, kw)   biases: (K,)   pre: (K, rows, columns), before the activation   in_shape: (C, H, W)
    """

    name: str
    weights: NDArray[np.floating]
    biases: NDArray[np.floating]
    stride: Pair
    pads: Pads
    activation: str
    pre: NDArray[np.floating]
    in_shape: tuple[int, int, int]


@dataclass(frozen=True, slots=True)
class PoolPass:
    """
    A pooling as it was computed once.

    kind: max or avg   before: (K, H, W), what it read; for a maximum, anything that this rises with tells the winner
    """

    name: str
    kind: str
    size: Pair
    stride: Pair
    pads: Pads
    before: NDArray[np.floating]


LayerPass = ConvPass | PoolPass


@dataclass(frozen=True, slots=True)
class Credit:
    """
    What a walk back through the layers found, for each of n scores.

    gains: (n, C, H, W); times what stands at those cells it is each cell's share
    filters: per convolution passed, the share (n, K) of each filter; what it handed down and its bias's own
    biases: per convolution passed, the share (n, K) of each filter's bias
    """

    gains: Floats
    filters: dict[str, Floats]
    biases: dict[str, Floats]

    def shares(self, cells: ArrayLike) -> Floats:
        """Each cell's share of each score; cells: (C, H, W)   returns: (n, C, H, W)."""
        return self.gains * np.asarray(cells, np.float64)


def walk_back(gains: Floats, passes: Iterable[LayerPass]) -> Credit:
    """
    Credit n scores back through layers, the last first.

    gains: (n, K, h, w) at the output of the first pass given: at the head's input they are its weights

    >>> conv = ConvPass("conv1", np.array([[[[2.0]]]]), np.array([0.5]), (1, 1), (0, 0, 0, 0), "relu",
    ...                  pre=np.array([[[6.5]]]), in_shape=(1, 1, 1))
    >>> credit = walk_back(np.ones((1, 1, 1, 1)), [conv])
    >>> credit.shares([[[3.0]]]), credit.filters, credit.biases
    (array([[[[6.]]]]), {'conv1': array([[6.5]])}, {'conv1': array([[0.5]])})
    """
    filters: dict[str, Floats] = {}
    biases: dict[str, Floats] = {}
    for each in passes:
        if isinstance(each, PoolPass):
            gains = _behind_pool(gains, each)
        else:
            gated = gains * gain(each.activation, each.pre)
            filters[each.name] = np.einsum("nkij,kij->nk", gated, each.pre)
            biases[each.name] = gated.sum(axis=(2, 3)) * each.biases
            gains = _behind_convolution(gated, each)
    return Credit(gains, filters, biases)


def gain(activation: str, pre: ArrayLike) -> Floats:
    """
    phi(Z) / Z of every cell: the slope of the straight line from the origin to the activation's graph.

    At Z = 0 it is 0 for relu, as PyTorch has it, and the slope itself, 1, for tanh: either way the share is 0.

    >>> gain("relu", [-2.0, 0.0, 3.0]), gain("tanh", [0.0])
    (array([0., 0., 1.]), array([1.]))
    """
    z = np.asarray(pre, np.float64)
    if activation == "relu":
        return (z > 0).astype(np.float64)
    if activation == "tanh":
        return np.divide(np.tanh(z), z, out=np.ones_like(z), where=z != 0)
    return np.ones_like(z)


def winners(computed: PoolPass) -> NDArray[np.intp]:
    """
    Which cell of each window a maximum took, counted in reading order within the window, padding included.

    returns: (K, rows, columns)
    """
    windows = patches(pad(computed.before, computed.pads, "constant", -np.inf), computed.size, computed.stride)
    return np.asarray(windows.reshape(*windows.shape[:3], -1).argmax(axis=-1))


def _behind_pool(gains: Floats, computed: PoolPass) -> Floats:
    height, width = computed.size
    if computed.kind == "max":
        cells = np.arange(height * width)[:, None, None]
        parts = (winners(computed)[:, None] == cells).astype(np.float64)  # (K, kh*kw, rows, columns)
    else:
        real = patches(pad(np.ones(computed.before.shape[1:]), computed.pads), computed.size, computed.stride)
        counted = real.reshape(*real.shape[:2], -1).transpose(2, 0, 1)  # (kh*kw, rows, columns)
        parts = (counted / counted.sum(axis=0))[None]
    handed = gains[:, :, None] * parts  # (n, K, kh*kw, rows, columns)
    rows, columns = gains.shape[2:]
    windows = handed.reshape(*gains.shape[:2], height, width, rows, columns)
    return _lay_back(windows, computed.before.shape[1:], computed.stride, computed.pads)


def _behind_convolution(gated: Floats, computed: ConvPass) -> Floats:
    count, filters, rows, columns = gated.shape
    weights = computed.weights.astype(np.float64).reshape(filters, -1)  # (K, C*kh*kw)
    handed = weights.T @ gated.reshape(count, filters, -1)  # (n, C*kh*kw, rows*columns)
    windows = handed.reshape(count, *computed.weights.shape[1:], rows, columns)
    return _lay_back(windows, computed.in_shape[1:], computed.stride, computed.pads)


def _lay_back(windows: Floats, shape: tuple[int, ...], stride: Pair, pads: Pads) -> Floats:
    """
    Add patches up where they were cut from; what fell on padding is dropped.

    windows: (n, C, kh, kw, rows, columns)   shape: (H, W)   returns: (n, C, H, W)
    """
    count, channels, height, width, rows, columns = windows.shape
    (top, left, bottom, right), (down, across) = pads, stride
    laid = np.zeros((count, channels, top + shape[0] + bottom, left + shape[1] + right))
    for y in range(height):
        for x in range(width):
            laid[:, :, y : y + rows * down : down, x : x + columns * across : across] += windows[:, :, y, x]
    return laid[:, :, top : top + shape[0], left : left + shape[1]]
