"""
The record of one request: who asked what, and where its time went.

The door opens one for every request it answers; the routes note their stages in it without knowing who reads it.
Outside a request, as in a test that calls a route's parts, notes go nowhere.
"""

from collections.abc import Iterable, Sequence
from contextvars import ContextVar
from time import perf_counter

# The stages of a request that are timed, in the order in which they are named in answers.
STAGES = ("decode", "prepare", "infer", "encode")


class Record:
    """
    One request.

    id: echoed as X-Request-ID; trace: (trace id, span id of the caller, flags) or None
    route: the matched rule, "" for none
    started: of time.perf_counter(), in seconds; seconds: from then to its answer
    stages: (name, started, seconds) in the order of their ends
    verdicts: (model, digits, novelty or None) of each run of a network that was asked for verdicts
    account: what its price was charged to; its text is a metric of Server-Timing
    """

    __slots__ = (
        "account",
        "id",
        "method",
        "path",
        "route",
        "seconds",
        "stages",
        "started",
        "status",
        "trace",
        "verdicts",
    )

    def __init__(
        self, request_id: str, trace: tuple[str, str, int] | None, method: str, path: str, started: float
    ) -> None:
        self.account: object = ""
        self.id = request_id
        self.trace = trace
        self.method = method
        self.path = path
        self.route = ""
        self.status = 0
        self.started = started
        self.seconds = 0.0
        self.stages: list[tuple[str, float, float]] = []
        self.verdicts: list[tuple[str, Sequence[int], Iterable[float] | None]] = []

    def timing(self) -> str:
        """
        The stages as the value of a Server-Timing header, in milliseconds.

        >>> record = Record("1", None, "GET", "/", 0.0)
        >>> record.stages += [("decode", 0.0, 0.00125), ("infer", 0.002, 0.0005)]
        >>> record.timing()
        'decode;dur=1.250, infer;dur=0.500'
        """
        return ", ".join([f"{name};dur={seconds * 1e3:.3f}" for name, _, seconds in self.stages])


current: ContextVar[Record | None] = ContextVar("record", default=None)


class Timed:
    """
    A stage of the current request, as a context manager: what runs within it is timed.

    >>> token = current.set(Record("1", None, "GET", "/", 0.0))
    >>> with Timed("infer"):
    ...     pass
    >>> current.get().stages[0][0]
    'infer'
    >>> current.reset(token)
    """

    __slots__ = ("_name", "_started")

    def __init__(self, name: str) -> None:
        self._name = name

    def __enter__(self) -> None:
        self._started = perf_counter()

    def __exit__(self, *_: object) -> None:
        seconds = perf_counter() - self._started
        record = current.get()
        if record is not None:
            record.stages.append((self._name, self._started, seconds))


def note(stage: str, started: float, seconds: float) -> None:
    """Note a stage: when it began, of time.perf_counter(), and how long it took, or its parts together."""
    record = current.get()
    if record is not None:
        record.stages.append((stage, started, seconds))


def note_verdicts(model: str, digits: Sequence[int], novelty: Iterable[float] | None) -> None:
    """Note what a network said of the pictures of the current request."""
    record = current.get()
    if record is not None:
        record.verdicts.append((model, digits, novelty))
