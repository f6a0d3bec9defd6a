"""How many connections each worker has: one page of memory that gunicorn's master and its workers share."""

import mmap
import time

# How many connections each worker has, and one more; 0 where there is no worker. Then, for each, the second of the
# system's clock in which it last said that it is at work. gunicorn's master imports this module before it forks, so
# that these pages are theirs together.
_WORKERS = 1024
_PAGES = memoryview(mmap.mmap(-1, 2 * 4 * _WORKERS)).cast("i")
_LOADS, _SEEN = _PAGES[:_WORKERS], _PAGES[_WORKERS:]
SILENT_SECONDS = 3  # a worker that has said nothing for longer is stopped or stuck, and takes no connection


class Loads:
    """How many connections this worker has, and whether another has fewer; age: gunicorn's number of the worker."""

    def __init__(self, age: int) -> None:
        self._place = age % _WORKERS
        self.tell(0)
        self.live()

    def tell(self, count: int) -> None:
        """Say how many connections this worker has."""
        _LOADS[self._place] = count + 1

    def live(self) -> None:
        """Say that this worker is at work; once a second."""
        _SEEN[self._place] = int(time.monotonic())

    def are_lower_elsewhere(self) -> bool:
        """Whether another worker has fewer: any fewer while they are few, an eighth fewer when they are many."""
        own, loads = _LOADS[self._place], _LOADS.tolist()
        enough = own - own // 8
        if own <= 1 or min(filter(None, loads)) >= enough:
            return False
        at_least = _SEEN[self._place] - SILENT_SECONDS
        return any(0 < load < enough and _SEEN[place] >= at_least for place, load in enumerate(loads))

    @staticmethod
    def forget(age: int) -> None:
        """Take out a worker that has ended; in the master."""
        _LOADS[age % _WORKERS] = 0

    @staticmethod
    def is_at_work(age: int) -> bool:
        """Whether a worker has loaded all it needs and takes connections; in the master."""
        return _LOADS[age % _WORKERS] > 0
