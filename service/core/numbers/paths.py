"""The best way to read a row of parts: which of them together are a digit, and which are none, by what each costs."""

from collections.abc import Mapping

import numpy as np

Span = tuple[int, int]


def best_path(
    count: int, steps: Mapping[Span, float], shared: Mapping[int, float] | None = None
) -> tuple[list[Span], float]:
    """
    Find the cheapest way from part 0 to part `count`.

    steps: the cost of reading the parts from `first` to before `last` as one thing, by (first, last)
    shared: by part, what it costs that two steps of several parts each both have it, the one as its last, the other as
        its first
    returns: the steps of the way, and its cost

    >>> best_path(2, {(0, 1): 1.0, (1, 2): 0.5, (0, 2): 2.0})
    ([(0, 1), (1, 2)], 1.5)
    >>> best_path(3, {(0, 2): 0.25, (1, 3): 0.25, (0, 1): 2.0, (2, 3): 2.0}, {1: 0.5})
    ([(0, 2), (1, 3)], 1.0)
    """
    shared = shared or {}
    # Of each end: the cheapest way to it, and the cheapest whose last step has several parts.
    ways: list[tuple[float, list[Span]]] = [(0.0, []), *[(np.inf, [])] * count]
    several: list[tuple[float, list[Span]]] = [(np.inf, [])] * (count + 1)
    by_end: list[list[tuple[int, float]]] = [[] for _ in range(count + 1)]
    for (first, last), cost in steps.items():
        by_end[last].append((first, cost))
    for last in range(1, count + 1):
        for first, cost in sorted(by_end[last]):
            before, path = ways[first]
            if last > first + 1 and first in shared:
                sharing, other = several[first + 1]
                if sharing + shared[first] < before:
                    before, path = sharing + shared[first], other
            total = before + cost
            if total < ways[last][0]:
                ways[last] = total, [*path, (first, last)]
            if last > first + 1 and total < several[last][0]:
                several[last] = total, [*path, (first, last)]
    cost, path = ways[count]
    return path, cost
