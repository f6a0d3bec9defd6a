"""
The lecture's training step, in NumPy and in full: one layer of filters, and how each learns.

This file explains; PyTorch trains (its autograd is what the tests hold these gradients against). The network
multiplies every patch of the image by a filter and sums. tanh bends the sum, and a 2 x 2 pooling keeps the largest of
four. One linear layer and a softmax read the result.

    images n -> patches (n, rows, columns, size, size) -> responses (n, filters, rows, columns)
             -> pooled (n, filters, rows / 2, columns / 2) -> probabilities (n, 10)
"""

from dataclasses import dataclass

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

Array = NDArray[np.float64]

POOL = 2


@dataclass(frozen=True)
class LectureNetwork:
    """filters: (filters, size, size)   bias: (filters,)   head: (10, filters * pooled places)   head_bias: (10,)."""

    filters: Array
    bias: Array
    head: Array
    head_bias: Array
    stride: int = 2


@dataclass(frozen=True)
class Forward:
    """What the forward pass saw, in the shapes of the drawing above; the backward pass needs all of it."""

    patches: Array
    responses: Array
    pooled: Array
    probabilities: Array


@dataclass(frozen=True)
class Gradients:
    """How the loss changes with each weight, in the shapes of the network's own arrays, and the loss itself."""

    filters: Array
    bias: Array
    head: Array
    head_bias: Array
    loss: float


def new_network(
    seed: int, filter_count: int = 20, size: int = 7, stride: int = 2, image_side: int = 28
) -> LectureNetwork:
    """
    Return a network of small random weights.

    >>> new_network(seed=1).head.shape  # 11 x 11 patches, pooled to 5 x 5, for each of 20 filters
    (10, 500)
    """
    random = np.random.default_rng(seed)
    places = ((image_side - size) // stride + 1) // POOL
    features = filter_count * places * places
    return LectureNetwork(
        filters=random.normal(0, 1 / size, (filter_count, size, size)),
        bias=np.zeros(filter_count),
        head=random.normal(0, 1 / np.sqrt(features), (10, features)),
        head_bias=np.zeros(10),
        stride=stride,
    )


def training_step(
    network: LectureNetwork, images: Array, labels: NDArray[np.integer], learning_rate: float
) -> tuple[LectureNetwork, float]:
    """
    Take one step downhill, and return the improved network with the loss before the step.

    images: (count, 28, 28), 0 = paper, 1 = ink   labels: (count,)
    """
    slope = gradients(network, images, labels)
    improved = LectureNetwork(
        filters=network.filters - learning_rate * slope.filters,
        bias=network.bias - learning_rate * slope.bias,
        head=network.head - learning_rate * slope.head,
        head_bias=network.head_bias - learning_rate * slope.head_bias,
        stride=network.stride,
    )
    return improved, slope.loss


def forward(network: LectureNetwork, images: Array) -> Forward:
    """Look at every patch, and read the result: images (count, rows, columns)."""
    patches = cut_patches(images, network.filters.shape[1], network.stride)
    sums = np.einsum("nyxij,kij->nkyx", patches, network.filters) + network.bias[:, None, None]
    responses = np.tanh(sums)
    pooled = _fours(responses).max((3, 5))
    logits = pooled.reshape(len(images), -1) @ network.head.T + network.head_bias
    return Forward(patches, responses, pooled, _softmax(logits))


def cut_patches(images: Array, size: int, stride: int) -> Array:
    """
    Slide a window over each image: (count, rows, columns) -> (count, patch rows, patch columns, size, size).

    >>> cut_patches(np.zeros((1, 28, 28)), size=7, stride=2).shape  # the lecture's 121 patches
    (1, 11, 11, 7, 7)
    """
    return sliding_window_view(images, (size, size), axis=(1, 2))[:, ::stride, ::stride]


def gradients(network: LectureNetwork, images: Array, labels: NDArray[np.integer]) -> Gradients:
    """
    Follow the error back from the answer to each weight.

    A filter meets every patch, so its gradient is a sum over all patches: each patch, weighted by how much the loss
    would change if the filter's response there were larger.
    """
    seen = forward(network, images)
    count = len(labels)
    blame = (seen.probabilities - np.eye(10)[labels]) / count  # of each logit, (n, 10)
    blame_of_pooled = (blame @ network.head).reshape(seen.pooled.shape)
    blame_of_responses = _only_the_largest(seen.responses, blame_of_pooled)
    blame_of_sums = blame_of_responses * (1 - seen.responses**2)  # the slope of tanh
    return Gradients(
        filters=np.einsum("nkyx,nyxij->kij", blame_of_sums, seen.patches),  # the sum over all patches
        bias=blame_of_sums.sum((0, 2, 3)),
        head=blame.T @ seen.pooled.reshape(count, -1),
        head_bias=blame.sum(0),
        loss=float(-np.log(seen.probabilities[np.arange(count), labels]).mean()),
    )


def _fours(responses: Array) -> Array:
    """Return the pooling's squares: (n, k, rows / 2, 2, columns / 2, 2); an odd last row or column is not read."""
    n, k, rows, columns = responses.shape
    rows, columns = rows // POOL, columns // POOL
    return responses[:, :, : rows * POOL, : columns * POOL].reshape(n, k, rows, POOL, columns, POOL)


def _only_the_largest(responses: Array, blame_of_pooled: Array) -> Array:
    """
    Hand each square's blame to its largest response: the other three were not read.

    Of equal ones, as on blank paper, it is the first: each would be blamed for the others, too.
    """
    fours = _fours(responses).swapaxes(3, 4)
    n, k, rows, columns = fours.shape[:4]
    largest = fours.reshape(n, k, rows, columns, POOL * POOL).argmax(-1)
    shared = (np.arange(POOL * POOL) == largest[..., None]) * blame_of_pooled[..., None]
    blame = np.zeros_like(responses)
    square = shared.reshape(n, k, rows, columns, POOL, POOL).swapaxes(3, 4)
    blame[:, :, : rows * POOL, : columns * POOL] = square.reshape(n, k, rows * POOL, columns * POOL)
    return blame


def _softmax(logits: Array) -> Array:
    powers = np.exp(logits - logits.max(1, keepdims=True))
    return np.asarray(powers / powers.sum(1, keepdims=True))
