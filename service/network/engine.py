"""How onnxruntime is asked to run a network here."""

from collections.abc import Callable, Hashable
from threading import Lock
from typing import Generic, TypeVar

import onnxruntime

Kept = TypeVar("Kept")
# Of adopted networks so many have what lies beside their verdict open at a time: they may be many, and large.
MOST_OPEN = 2


class LastUsed(Generic[Kept]):
    """What is open of the owners that were asked last, in this process; what was not used for longest gives way."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._kept: dict[Hashable, Kept] = {}

    def __contains__(self, owner: object) -> bool:
        return owner in self._kept

    def of(self, owner: Hashable, open_it: Callable[[], Kept]) -> Kept:
        """What is open of an owner, opened if it is not yet."""
        with self._lock:
            found = self._kept.pop(owner) if owner in self._kept else open_it()
            self._kept[owner] = found
            if len(self._kept) > MOST_OPEN:
                del self._kept[next(iter(self._kept))]
        return found


def one_thread() -> onnxruntime.SessionOptions:
    """
    Session options for a worker process: it has one CPU, the other workers have the others.

    onnxruntime would size its pool from the host, not from the container; for these networks one thread is also the
    fastest.
    """
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    options.execution_mode = onnxruntime.ExecutionMode.ORT_SEQUENTIAL
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.add_session_config_entry("session.inter_op.allow_spinning", "0")
    options.log_severity_level = 3
    return options


def opened(model: bytes) -> onnxruntime.InferenceSession:
    """Open a network. raises: what onnxruntime raises, which has no common base but Exception."""
    return onnxruntime.InferenceSession(model, one_thread(), providers=["CPUExecutionProvider"])
