"""The best way to read a row of parts: which of them together are a digit, and which are none, by what each costs."""

from collections.abc import Mapping, Sequence

import numpy as np


def best_path(count: int, steps: Mapping[tuple[int, int], float]) -> tuple[list[tuple[int, int]], float]:
    """
    Find the cheapest way from part 0 to part `count`.

    steps: the cost of reading the parts from `first` to before `last` as one thing, by (first, last)
    returns: the steps of the way, and its cost

    >>> best_path(2, {(0, 1): 1.0, (1, 2): 0.5, (0, 2): 2.0})
    ([(0, 1), (1, 2)], 1.5)
    """
    total = [0.0, *[np.inf] * count]
    came = [0] * (count + 1)
    by_end: list[list[tuple[int, float]]] = [[] for _ in range(count + 1)]
    for (first, last), cost in steps.items():
        by_end[last].append((first, cost))
    for last in range(1, count + 1):
        for first, cost in sorted(by_end[last]):
            if total[first] + cost < total[last]:
                total[last], came[last] = total[first] + cost, first
    path = []
    last = count
    while last:
        path.append((came[last], last))
        last = came[last]
    return path[::-1], float(total[count])


def spans(parts: int, widths: Sequence[Sequence[float]], least: float, most: float) -> list[tuple[int, int]]:
    """Which of so many parts, from one to before another, are wide enough together and not too wide for a digit."""
    return [
        (first, last)
        for first in range(parts)
        for last in range(first + 1, parts + 1)
        if least <= widths[first][last - 1] <= most
    ]
