"""Cells of an adopted network, computed anew from what their layers read: tried before they are offered."""

from collections.abc import Iterator, Sequence
from dataclasses import replace

import msgspec
import numpy as np
from onnx import ModelProto

from service.adopt.build import between
from service.adopt.canonical import open_foreign, run_foreign
from service.adopt.layers import FoundLayer, filters_of
from service.lab.explain.cell import MapCell, Place
from service.network.passport import IMAGE

# What a cell computed anew may miss, as a share of what it is made of: rounding of 32 bits.
MISSED, LEAST = 1e-5, float(np.finfo(np.float32).tiny)
# Cells of each layer that are tried, beside those of its corners.
TRIED = 8


def within_bytes(found: Sequence[FoundLayer], most: int) -> list[FoundLayer]:
    """The same layers; without what they read where that and all maps of a picture are more bytes."""
    maps = sum(int(np.prod(one.layer.shape)) for one in found for _ in one.maps)
    further = sum(int(np.prod(read.shape)) for read in between(found).values())
    if 4 * (maps + further) <= most:
        return list(found)
    kept = set(between(found))
    return [_unread(one) if kept.intersection(one.layer.tensors) else one for one in found]


def with_true_cells(
    analysis: bytes, lean: ModelProto, found: Sequence[FoundLayer], images: np.ndarray
) -> list[FoundLayer]:
    """
    The same layers; without what they read where a cell that is computed anew of it is not that of the map.

    images: (n, channels, rows, columns), the first of which is tried
    """
    names = {name for one in found if one.layer.tensors for name in (*one.layer.tensors, one.layer.maps[0])}
    wanted = sorted(names - {IMAGE})
    if not wanted:
        return list(found)
    # All at once: a run computes all of them, whichever are asked for.
    arrays = dict(zip(wanted, run_foreign(open_foreign(analysis), wanted, {IMAGE: images[:1]}), strict=True))
    arrays[IMAGE] = images
    filters = {one.layer.name: constants for one, *constants in filters_of(lean.graph, found)}
    return [one if _is_true(one, filters, arrays) else _unread(one) for one in found]


def _is_true(one: FoundLayer, filters: dict[str, list[np.ndarray]], arrays: dict[str, np.ndarray]) -> bool:
    layer = one.layer
    if not layer.tensors:
        return True
    sources = [arrays[name][0] for name in layer.tensors]
    for place in _places(layer.shape):
        cell = MapCell(layer, place, sources)
        if layer.name in filters:
            weights, biases = filters[layer.name]
            cell = replace(cell, weights=weights[place[0]], bias=biases[place[0]])
        missed = abs(float(arrays[layer.maps[0]][0][place]) - cell.total)
        if not missed <= MISSED * cell.size + LEAST:
            return False
    return True


def _places(shape: tuple[int, ...]) -> Iterator[Place]:
    """The corners of the first and the last map, and some cells between, the same each time."""
    filters, rows, columns = shape
    for k in {0, filters - 1}:
        yield from ((k, row, column) for row in {0, rows - 1} for column in {0, columns - 1})
    for k, row, column in np.random.default_rng(1).integers(0, shape, (TRIED, 3)).tolist():
        yield k, row, column


def _unread(one: FoundLayer) -> FoundLayer:
    return replace(one, layer=msgspec.structs.replace(one.layer, tensors=()), read=())
