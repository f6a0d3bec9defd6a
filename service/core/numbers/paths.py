"""The best way to read a row of parts: which of them together are a digit, and which are none, by what each costs."""

from collections.abc import Mapping, Sequence
from typing import Generic, NamedTuple, TypeVar

Read = TypeVar("Read")


class Step(NamedTuple, Generic[Read]):
    """
    One way to read the parts from `first` to before `last`.

    cost: of it   read: what they are   digits: how many of them
    """

    first: int
    last: int
    cost: float
    read: Sequence[Read]
    digits: int = 1


class Path(NamedTuple, Generic[Read]):
    """A way to read a whole row: its cost, and what its steps read."""

    cost: float
    read: list[Read]


def best_paths(
    count: int, steps: Sequence[Step[Read]], shared: Mapping[int, float] | None = None, *, counted: bool = False
) -> dict[int, Path[Read]]:
    """
    Find the cheapest ways from part 0 to part `count`.

    shared: by part, what it costs that two steps of several parts each both have it, the one as its last, the other as
        its first
    counted: the cheapest for each number of digits, by it; otherwise the cheapest of all, by 0

    >>> best_paths(2, [Step(0, 1, 1.0, "1"), Step(1, 2, 0.5, "2"), Step(0, 2, 2.0, "0")])
    {0: Path(cost=1.5, read=['1', '2'])}
    >>> best_paths(2, [Step(0, 1, 1.0, "1"), Step(1, 2, 0.5, "2"), Step(0, 2, 2.0, "0")], counted=True)
    {1: Path(cost=2.0, read=['0']), 2: Path(cost=1.5, read=['1', '2'])}
    """
    shared = shared or {}
    # Of each end, by digits: the cheapest way to it, and the cheapest whose last step has several parts.
    ways: list[dict[int, Path[Read]]] = [{0: Path(0.0, [])}, *({} for _ in range(count))]
    several: list[dict[int, Path[Read]]] = [{} for _ in range(count + 1)]
    for step in sorted(steps, key=lambda step: (step.last, step.first)):
        is_several = step.last > step.first + 1
        before = list(ways[step.first].items())
        if is_several and step.first in shared:
            extra = shared[step.first]
            before += [(digits, Path(cost + extra, read)) for digits, (cost, read) in several[step.first + 1].items()]
        for digits, (cost, read) in before:
            now = digits + step.digits if counted else 0
            path = Path(cost + step.cost, [*read, *step.read])
            for ends in (ways, several) if is_several else (ways,):
                if now not in ends[step.last] or path.cost < ends[step.last][now].cost:
                    ends[step.last][now] = path
    return ways[count]
