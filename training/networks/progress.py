"""How far a training has come, told on standard error: a bar on a terminal, and a line for every epoch elsewhere."""

import sys
import time
from types import TracebackType
from typing import Self

from tqdm import tqdm


class Progress:
    """Tells of each epoch as it ends; a line says what is left at the pace so far."""

    def __init__(self, epochs: int) -> None:
        self._epochs, self._started = epochs, time.perf_counter()
        self._bar = tqdm(total=epochs, unit="epoch", file=sys.stderr, disable=None)  # None: where it is no terminal

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._bar.close()

    def ended(self, epoch: int, loss: float, validation: float | None) -> None:
        """Tell that an epoch, counted from 1, has ended; validation: the share read right, where it was looked at."""
        right = "" if validation is None else f", validation {validation:.2%}"
        if not self._bar.disable:
            self._bar.set_postfix_str(f"loss {loss:.3f}{right}", refresh=False)
            self._bar.update()
            return
        each = (time.perf_counter() - self._started) / epoch
        told = f"epoch {epoch} of {self._epochs}: loss {loss:.3f}{right}, {each:.1f} s an epoch"
        left = f", {duration(each * (self._epochs - epoch))} left" if epoch < self._epochs else ""
        print(told + left, file=sys.stderr, flush=True)


def duration(seconds: float) -> str:
    """
    Return a time as a person says it.

    >>> duration(7.6), duration(75), duration(4000)
    ('8 s', '1 min 15 s', '1 h 6 min')
    """
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    return f"{whole // 60} min {whole % 60} s" if whole < 3600 else f"{whole // 3600} h {whole % 3600 // 60} min"
