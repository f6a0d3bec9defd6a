"""
`report`: what every filter of a model does over a whole set of digits, as report.json.

Statistics alone, no pictures. With A[n,k,i,j] a layer's maps after the activation, m[n,k] their mean over the places
and a[n,k] their largest value:

    zeros        the share of cells at 0 (APoZ, Hu et al., arXiv 1607.03250)
    selectivity  (mu_max - mu_rest) / (mu_max + mu_rest) of the class means mu of m, relu only (Morcos et al., arXiv
                 1803.06959); d_prime is the distance of the favourite class from the others in standard deviations.
                 Neither says that a filter matters (Leavitt and Morcos, arXiv 2003.01262): see `off` beside them
    precision    share of the most frequent class among the images with the largest a
    off          what switching the filter off does to the accuracy, overall and per class (Zhou et al., 1806.02891)
    r2           how much of A the layer's other filters explain linearly
"""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.cluster.hierarchy import fcluster, linkage
from scipy.spatial.distance import squareform

from service.core.ledger import Floats, head_weights
from service.network.files import REPORT_FILE
from service.network.passport import Layer, receptive_fields
from service.network.sessions import Network
from training.data.mnist import LabelledDigits

TOP = 9  # images kept per filter, at either end
PRECISION_AT = 100
PERCENTILES = (1, 5, 25, 50, 75, 95, 99)
DEAD = 1e-6  # of the layer's largest activation
SATURATED = 0.99
CLUSTER_DISTANCE = 0.5  # 1 - |cosine| at which average linkage is cut
_BATCH = 500

Maps = NDArray[np.float32]
Labels = NDArray[np.integer[Any]]
Say = Callable[[str], object]


def write_report(folder: Path, part: LabelledDigits, part_name: str, say: Say = print) -> Path:
    """Build the report of a model folder over `part` and write it there; returns its path."""
    report = build_report(Network(folder.resolve()), part, part_name, say)
    path = folder / REPORT_FILE
    path.write_text(json.dumps(report, separators=(",", ":")) + "\n", encoding="utf-8")
    return path


def build_report(network: Network, part: LabelledDigits, part_name: str, say: Say = print) -> dict[str, Any]:
    """Return the report as what goes into JSON."""
    images, labels = part.as_network_input(), part.labels
    passport = network.passport
    logits = _run(network, images, [])[0]
    right = logits.argmax(1) == labels
    last = passport.layers[-2]
    layers = []
    for layer in passport.convolutions:
        say(f"{layer.name}: {layer.shape[0]} filters over {len(images)} digits")
        layers.append(_report_layer(network, layer, images, labels, right))
    head_input = _run(network, images, [last.maps[-1]])[1][last.maps[-1]]
    report = {
        "format": 1,
        "model": network.name,
        "version": network.version,
        "sha256": network.sha256,
        "data": {"name": "MNIST", "part": part_name, "images": len(images), "classes": _counts(labels)},
        "accuracy": float(right.mean()),
        "accuracy_per_class": _per_class(right, labels),
        "head_input": {
            "layer": last.name,
            "shape": list(last.shape),
            "filters": _ledgers(network, head_input, logits, labels),
        },
        "head_input_mean": head_input.mean(axis=0, dtype=np.float64),
        "layers": layers,
    }
    rounded: dict[str, Any] = _rounded(report)
    return rounded


def _report_layer(
    network: Network, layer: Layer, images: Maps, labels: Labels, right: NDArray[np.bool_]
) -> dict[str, Any]:
    name = f"{layer.name}.act"
    maps = _run(network, images, [name])[1][name]
    means = maps.mean(axis=(2, 3), dtype=np.float64)  # (n, k)
    largest = maps.reshape(*maps.shape[:2], -1)
    places, peaks = largest.argmax(axis=2), largest.max(axis=2)
    fields = receptive_fields(network.passport.layers)[layer.name]
    weights = network.weights[f"{layer.name}.weight"].reshape(layer.shape[0], -1).astype(np.float64)
    cosine, covariance = _cosine(weights), _covariance(maps)
    clusters = _clusters(cosine)
    determination = _determination(covariance)
    filters = [
        {
            "index": k,
            **_activation(maps[:, k], layer.activation),
            "dead": bool(np.abs(maps[:, k]).max() <= DEAD * np.abs(maps).max()),
            **_classes(means[:, k], labels, layer.activation),
            **_extremes(peaks[:, k], places[:, k], labels, layer.shape[2]),
            "r2": determination[k],
            "cluster": clusters[k],
            "off": _switched_off(network, layer.name, k, images, labels, right),
        }
        for k in range(layer.shape[0])
    ]
    return {
        "name": layer.name,
        "shape": list(layer.shape),
        "activation": layer.activation,
        "receptive_field": {part: [getattr(field, part) for field in fields] for part in ("size", "jump", "start")},
        "precision_at": PRECISION_AT,
        "filters": filters,
        "cosine": cosine,
        "correlation": _correlation(covariance),
        "effective_rank": _effective_rank(covariance),
        "cluster_distance": CLUSTER_DISTANCE,
    }


def _run(
    network: Network, images: Maps, names: list[str], overrides: dict[str, Any] | None = None
) -> tuple[Maps, dict[str, Maps]]:
    """Logits (n, classes) and maps (n, k, rows, columns) of every image, the maps in one piece each."""
    shapes = network.passport.map_shapes()
    maps = {name: np.empty((len(images), *shapes[name]), np.float32) for name in names}
    logits = np.empty((len(images), len(network.passport.labels)), np.float32)
    for start in range(0, len(images), _BATCH):
        chosen = slice(start, start + _BATCH)
        verdicts, found = network.analyse(images[chosen], names, overrides)
        logits[chosen] = verdicts.logits
        for name in names:
            maps[name][chosen] = found[name]
    return logits, maps


# --- one filter ------------------------------------------------------------------------------------------------------


def _activation(maps: Maps, activation: str) -> dict[str, Any]:
    """maps: (n, rows, columns), one filter's."""
    found: dict[str, Any] = {
        "mean": maps.mean(dtype=np.float64),
        "std": maps.std(dtype=np.float64),
        "min": maps.min(),
        "max": maps.max(),
        "percentiles": dict(zip(map(str, PERCENTILES), np.percentile(maps, PERCENTILES), strict=True)),
        "zeros": (maps == 0).mean(),
    }
    return found | {"saturated": (np.abs(maps) > SATURATED).mean()} if activation == "tanh" else found


def _classes(means: Floats, labels: Labels, activation: str) -> dict[str, Any]:
    """means: (n,), the filter's mean response to each image."""
    present = [c for c in range(10) if (labels == c).any()]
    class_means = np.array([means[labels == c].mean() if c in present else 0.0 for c in range(10)])
    favourite = max(present, key=lambda c: class_means[c])
    own, others = means[labels == favourite], means[labels != favourite]
    highest, rest = class_means[favourite], class_means[[c for c in present if c != favourite]].mean()
    spread = np.sqrt((own.var() + others.var()) / 2)
    found: dict[str, Any] = {
        "class_means": class_means,
        "favourite": favourite,
        "d_prime": (own.mean() - others.mean()) / spread if spread > 0 else 0.0,
    }
    if activation == "relu":
        found["selectivity"] = (highest - rest) / (highest + rest) if highest + rest > 0 else 0.0
    return found


def _extremes(peaks: Maps, places: NDArray[np.integer[Any]], labels: Labels, columns: int) -> dict[str, Any]:
    """The images with the largest and the smallest peaks, ties by their number; peaks, places: (n,)."""
    order = np.argsort(-peaks, kind="stable")
    most_frequent = np.bincount(labels[order[:PRECISION_AT]], minlength=10)

    def entry(n: int) -> dict[str, Any]:
        row, column = divmod(int(places[n]), columns)
        return {"image": n, "label": labels[n], "value": peaks[n], "row": row, "col": column}

    return {
        "precision": most_frequent.max() / min(PRECISION_AT, len(peaks)),
        "top": [entry(int(n)) for n in order[:TOP]],
        "bottom": [entry(int(n)) for n in np.argsort(peaks, kind="stable")[:TOP]],
    }


def _switched_off(
    network: Network, layer: str, k: int, images: Maps, labels: Labels, right: NDArray[np.bool_]
) -> dict[str, Any]:
    """What the accuracy gains (or, below zero, loses) when the filter's weights and bias are 0."""
    overrides = {name: network.weights[name].copy() for name in (f"{layer}.weight", f"{layer}.bias")}
    for array in overrides.values():
        array[k] = 0
    return _change(_run(network, images, [], overrides)[0], labels, right)


def _change(logits: NDArray[np.floating[Any]], labels: Labels, right: NDArray[np.bool_]) -> dict[str, Any]:
    now = logits.argmax(1) == labels
    return {
        "accuracy": now.mean() - right.mean(),
        "per_class": np.subtract(_per_class(now, labels), _per_class(right, labels)),
    }


def _ledgers(network: Network, maps: Maps, logits: Maps, labels: Labels) -> list[dict[str, Any]]:
    """
    Per filter that the head reads: its part in the verdicts, and the accuracy with its map at the mean.

    Both from the exact shares C, (n, classes, filters), without running the network again.
    """
    head = network.passport.head
    weights = head_weights(network.weights["head.weight"], head.in_shape, head.reduce)
    shares = np.einsum("ckij,nkij->nck", weights, maps, optimize=True)
    right, verdicts = logits.argmax(1) == labels, logits.argmax(1)
    own = np.abs(shares[np.arange(len(shares)), verdicts])  # (n, filters)
    parts = (own / own.sum(axis=1, keepdims=True).clip(1e-12)).mean(axis=0)
    mean = shares.mean(axis=0)
    return [
        {
            "index": k,
            "part": parts[k],
            "mean_shares": mean[:, k],
            "at_zero": _change(logits - shares[:, :, k], labels, right),
            "at_mean": _change(logits - shares[:, :, k] + mean[:, k], labels, right),
        }
        for k in range(len(parts))
    ]


# --- filters among themselves ----------------------------------------------------------------------------------------


def _cosine(weights: Floats) -> Floats:
    """weights: (k, numbers)   returns: (k, k)."""
    lengths = np.linalg.norm(weights, axis=1, keepdims=True)
    unit = np.divide(weights, lengths, out=np.zeros_like(weights), where=lengths > 0)
    return np.asarray(unit @ unit.T)


def _covariance(maps: Maps) -> Floats:
    """Of the filters' responses over all images and places; maps: (n, k, rows, columns)   returns: (k, k)."""
    filters = maps.shape[1]
    total, products = np.zeros(filters), np.zeros((filters, filters))
    for start in range(0, len(maps), _BATCH):
        cells = maps[start : start + _BATCH].transpose(1, 0, 2, 3).reshape(filters, -1).astype(np.float64)
        total += cells.sum(axis=1)
        products += cells @ cells.T
    count = maps.size / filters
    return np.asarray(products / count - np.outer(total, total) / count**2)


def _correlation(covariance: Floats) -> Floats:
    deviation = np.sqrt(covariance.diagonal().clip(0))
    both = np.outer(deviation, deviation)
    return np.divide(covariance, both, out=np.zeros_like(covariance), where=both > 0)


def _determination(covariance: Floats) -> list[float | None]:
    """R squared of each filter from the others; None where a filter never varies."""
    found: list[float | None] = []
    for k, variance in enumerate(covariance.diagonal()):
        others = np.delete(np.arange(len(covariance)), k)
        if variance <= 0 or not len(others):
            found.append(None)
            continue
        towards = covariance[k, others]
        slopes = np.linalg.lstsq(covariance[np.ix_(others, others)], towards, rcond=1e-10)[0]
        found.append(float(slopes @ towards / variance))
    return found


def _effective_rank(covariance: Floats) -> float:
    """How many directions the responses spread over: exp of the entropy of the normalised eigenvalues."""
    eigenvalues = np.linalg.eigvalsh(covariance).clip(0)
    shares = eigenvalues[eigenvalues > 0] / eigenvalues.sum()
    return float(np.exp(-(shares * np.log(shares)).sum()))


def _clusters(cosine: Floats) -> list[int]:
    """Filters alike up to sign, by average linkage on 1 - |cosine|; numbered in order of first appearance."""
    if len(cosine) < 2:
        return [0] * len(cosine)
    distance = 1 - np.abs(cosine).clip(0, 1)
    np.fill_diagonal(distance, 0)
    joined = fcluster(linkage(squareform(distance, checks=False), "average"), CLUSTER_DISTANCE, "distance")
    numbers: dict[int, int] = {}
    return [numbers.setdefault(int(name), len(numbers)) for name in joined]


# --- numbers ---------------------------------------------------------------------------------------------------------


def _counts(labels: Labels) -> list[int]:
    return [int(count) for count in np.bincount(labels, minlength=10)]


def _per_class(right: NDArray[np.bool_], labels: Labels) -> list[float]:
    return [float(right[labels == c].mean()) if (labels == c).any() else 0.0 for c in range(10)]


def _rounded(value: Any) -> Any:
    """To five digits, which is more than any of these statistics is good for, as plain JSON values."""
    if isinstance(value, dict):
        return {key: _rounded(item) for key, item in value.items()}
    if isinstance(value, np.ndarray):
        return _rounded(value.tolist())
    if isinstance(value, list):
        return [_rounded(item) for item in value]
    if isinstance(value, np.integer):
        return int(value)
    return float(f"{value:.5g}") if isinstance(value, float | np.floating) else value
