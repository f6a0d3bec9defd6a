"""
How fast the work that waits is done, and so how long a further call would wait, and when to ask again.

The rate is measured where callers feel it, by the clock: what a lane gets done is also what the other lane, those who
are refused, and other processes leave it.
"""

from math import ceil

LONGEST_RETRY_SECONDS = 60  # what will be in a minute is not known


class Pace:
    """
    What a lane gets done a second, as a mean over what it did lately.

    The work of a lane is counted in calls or in units, whichever is known of it while it waits.

    over: how many of the last notes count, in the beginning all   least: notes from which the rate is known: the first
        calls of a process take many times as long as others

    >>> pace = Pace(over=8)
    >>> pace.note(4, 0.002)
    >>> pace.seconds(1000)
    0.5
    """

    def __init__(self, over: int, least: int = 1) -> None:
        self._over, self._least = over, least
        self._notes = 0
        self._work = self._seconds = 0.0

    def note(self, work: float, seconds: float) -> None:
        """Note that so much work took so long, from when the work before was done."""
        self._notes = min(self._notes + 1, self._over)
        self._work += (work - self._work) / self._notes
        self._seconds += (seconds - self._seconds) / self._notes

    def seconds(self, work: float) -> float:
        """In how many seconds so much work will be done; 0 while nothing is known."""
        return work * self._seconds / self._work if self._work and self._notes >= self._least else 0.0

    @property
    def usual(self) -> float:
        """How much work is usually done at a time."""
        return self._work


def retry_after(seconds: float) -> int:
    """
    What the header Retry-After says where the work that waits takes so long: whole seconds, at least 1.

    >>> retry_after(0.02), retry_after(1.2), retry_after(3600)
    (1, 2, 60)
    """
    return min(max(1, ceil(seconds)), LONGEST_RETRY_SECONDS)
