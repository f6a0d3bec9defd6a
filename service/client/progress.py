"""How far a call on many pictures has come."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

# True for a bar of tqdm, where it is installed; or a function of (pictures done, pictures in all, None if not known).
Progress = bool | Callable[[int, int | None], object]


@contextmanager
def told(progress: Progress, total: int | None) -> Iterator[Callable[[int], object]]:
    """Give the function that is called with the number of pictures that have just been done."""
    if callable(progress):
        done = 0

        def count(more: int) -> None:
            nonlocal done
            done += more
            progress(done, total)

        yield count
        return
    bar = _bar(total) if progress else None
    if bar is None:
        yield lambda _more: None
        return
    with bar:
        yield bar.update


def _bar(total: int | None) -> Any:
    try:
        from tqdm.auto import tqdm  # noqa: PLC0415  # need not be there
    except ModuleNotFoundError:
        return None
    return tqdm(total=total, unit=" pictures")
