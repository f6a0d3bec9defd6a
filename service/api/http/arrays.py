"""Results as arrays by name: what an answer in JSON says in numbers, for one that is npz."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np


def arrays_of(results: Sequence[Mapping[str, Any]]) -> dict[str, np.ndarray]:
    """
    Gather the numbers of n results, named by their path in JSON.

    returns: per name one array (n, ...) where all results have it in one shape, else one for each, `<place>/<name>`

    >>> found = arrays_of([
    ...     {"digit": 3, "note": "a", "shares": {"filters": np.zeros((10, 4))}, "cells": [{"row": 1}, {"row": 2}]},
    ...     {"digit": 8, "note": "b", "shares": {"filters": np.zeros((10, 4))}, "cells": [{"row": 5}]},
    ... ])
    >>> {name: array.shape for name, array in found.items()}
    {'digit': (2,), 'shares/filters': (2, 10, 4), '0/cells/row': (2,), '1/cells/row': (1,)}
    """
    each = [dict(_numbers("", result)) for result in results]
    arrays: dict[str, np.ndarray] = {}
    for name in dict.fromkeys(name for found in each for name in found):
        values = [found.get(name) for found in each]
        if len({None if value is None else value.shape for value in values}) == 1:
            arrays[name] = np.stack([value for value in values if value is not None])
        else:
            arrays |= {f"{place}/{name}": value for place, value in enumerate(values) if value is not None}
    return arrays


def _numbers(name: str, value: Any) -> Iterator[tuple[str, np.ndarray]]:
    if isinstance(value, Mapping):
        for key, inner in value.items():
            yield from _numbers(f"{name}/{key}" if name else key, inner)
    elif isinstance(value, list | tuple) and value and all(isinstance(inner, Mapping) for inner in value):
        for key in value[0]:
            yield from _numbers(f"{name}/{key}", [inner.get(key) for inner in value])
    elif isinstance(value, list | tuple | int | float | np.ndarray | np.generic):
        try:
            array = np.asarray(value)
        except ValueError:  # ragged
            return
        if array.dtype.kind in "biuf":
            yield name, array
