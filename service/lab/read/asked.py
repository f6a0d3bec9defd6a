"""What may be asked of a reading, and what is refused before the work."""

import re

from service.core.errors import InvalidOption, shown
from service.lab.options import ReadOptions

LENGTH = re.compile(r"(\d{1,4})(?:-(\d{1,4}))?")


def check_asked(options: ReadOptions) -> None:
    """Refuse, before the work, options that no picture goes with; raises InvalidOption."""
    wanted_length(options.length)
    if options.cells is not None and options.layout != "cells":
        raise InvalidOption(f"cells goes with layout=cells, got layout={options.layout}", "/cells")


def wanted_length(length: str | int | None) -> tuple[int, int] | None:
    """
    The least and the most digits of a number, as `length` says.

    raises: InvalidOption

    >>> wanted_length("6-10"), wanted_length(9)
    ((6, 10), (9, 9))
    """
    if length is None:
        return None
    found = LENGTH.fullmatch(str(length))
    least, most = (int(found[1]), int(found[2] or found[1])) if found else (0, 0)
    if not 1 <= least <= most:
        came = shown(str(length))
        raise InvalidOption(f"length must be a number of digits, as 9, or from and to, as 6-10, got {came}", "/length")

    return least, most
