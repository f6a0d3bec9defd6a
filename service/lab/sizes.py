"""How large an answer would be, checked before the work that makes it."""

from collections.abc import Iterable

from service.core.errors import InvalidOption, TooLarge
from service.settings import Limits


def check_numbers(count: int, limits: Limits, others: str = "npz and png") -> None:
    """Refuse, before the work, a JSON answer of more numbers than the limit."""
    if count > limits.max_json_numbers_out:
        allowed = limits.max_json_numbers_out
        raise InvalidOption(
            f"an answer in JSON may have {allowed} numbers, this would have {count}; ask for format={others}", "/format"
        )


def check_bytes(count: int, limits: Limits) -> None:
    """Refuse, before the work, a binary answer of more bytes than the limit."""
    if count > limits.max_answer_bytes:
        raise TooLarge(f"an answer may have {limits.max_answer_bytes} bytes, this would have {count}")


def numbered(names: Iterable[str]) -> list[str]:
    """
    Make names unique by numbering the repeated ones.

    >>> numbered(["box", "sobel", "box"])
    ['box', 'sobel', 'box_2']
    """
    seen: dict[str, int] = {}
    unique = []
    for name in names:
        seen[name] = seen.get(name, 0) + 1
        unique.append(name if seen[name] == 1 else f"{name}_{seen[name]}")
    return unique
