"""
Everything the core can refuse, as one tree.

    ServiceError                   anything the service answers on purpose
    ├── Unreadable                 400  the bytes are not what they claim to be
    ├── Unauthorized               401  without one of the keys that this service asks for
    ├── NotFound                   404  no model, version, layer, filter or preset of that name
    ├── NotAcceptable              406  the answer does not exist in that format
    ├── NotPossible                409  this network's structure does not allow that method
    ├── TooLarge                   413  over a published limit on size
    ├── UnsupportedType            415  not a picture this service reads
    ├── UnsupportedCoding          415  packed in a way that this service does not unpack
    ├── InvalidInput               422  readable, but not allowed
    │   ├── InvalidImage
    │   ├── InvalidKernel
    │   └── InvalidOption
    └── Busy                       503  no room now

The statuses are given by `service/api/http/errors.py`; nothing in here knows HTTP.
A message says what was wanted and what came: "stride must be at least 1, got 0".
"""

import difflib
import reprlib
from collections.abc import Iterable, Sequence
from typing import Self


def shown(value: object) -> str:
    """
    Write what a caller sent into a message, shortened: it may be long, deeply nested, or a number without end.

    >>> shown([[1, 2], "x" * 1000])
    "[[1, 2], 'xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx...xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx']"
    >>> shown((10**5000, 28))
    '(a number of many digits, 28)'
    """
    return _SHORT.repr(value)[:LONGEST_SHOWN]


LONGEST_SHOWN = 120  # characters


def did_you_mean(name: object, candidates: Iterable[object]) -> str:
    """
    Ask whether the nearest of some names was meant, or the nearest ones where several are as near; "" where none is.

    >>> did_you_mean("sobl", ["sobel", "box"]), did_you_mean("conv9", ["conv1", "conv2"]), did_you_mean("x", ["box"])
    (' (did you mean sobel?)', ' (did you mean conv1 or conv2?)', '')
    """
    name = str(name)[:LONGEST_NAME]
    matcher = difflib.SequenceMatcher(b=name.casefold(), autojunk=False)
    likeness: dict[str, float] = {}
    for candidate in map(str, candidates):
        matcher.set_seq1(candidate.casefold())
        if candidate != name and matcher.real_quick_ratio() >= LIKE and matcher.quick_ratio() >= LIKE:
            likeness[candidate] = matcher.ratio()
    most = max(likeness.values(), default=0.0)
    nearest = [candidate for candidate, ratio in likeness.items() if ratio == most >= LIKE]
    return f" (did you mean {' or '.join(nearest)}?)" if 0 < len(nearest) <= MOST_MEANT else ""


LONGEST_NAME = 80  # characters of a name that are looked at and shown
LIKE, MOST_MEANT = 0.6, 3  # the share of letters that agree, as difflib has it; names that are asked about at most


class _Short(reprlib.Repr):
    def __init__(self) -> None:
        super().__init__()
        self.maxlevel, self.maxstring = 3, 78

    def repr_int(self, x: int, level: int) -> str:  # noqa: ARG002  # reprlib's signature
        # Python writes out no more than 4,300 digits.
        return "a number of many digits" if x.bit_length() > 256 else repr(x)


_SHORT = _Short()


class ServiceError(Exception):
    """
    A refusal with a reason a caller can act on.

    detail: one sentence; pointer: where in the request, as a JSON pointer ("/filters/0/weights") or an option's
    name ("/stride"); problems: further (pointer, detail) pairs when several things are wrong at once.
    """

    def __init__(self, detail: str, pointer: str = "", problems: Iterable[tuple[str, str]] = ()) -> None:
        super().__init__(detail)
        self.detail = detail
        self.pointer = pointer
        self.problems = tuple(problems)

    def bare(self) -> Self:
        """
        The same refusal without its traceback, to be kept: the frames that it went through hold decoded pictures.

        >>> InvalidImage("too small", "/image").bare().pointer
        '/image'
        """
        return type(self)(self.detail, self.pointer, self.problems)


class Unreadable(ServiceError):
    """The bytes are not what they claim to be."""


class Unauthorized(ServiceError):
    """Without one of the keys that this service asks for; the message never shows what came."""


class NotFound(ServiceError):
    """
    No such thing; the message lists what there is.

    >>> NotFound.among("layer", "conv9", ["conv1", "pool1"]).detail
    "there is no layer 'conv9' (did you mean conv1?); there is: conv1, pool1"
    """

    @classmethod
    def among(cls, kind: str, name: object, candidates: Sequence[object], pointer: str = "") -> "NotFound":
        """Build the error for `name`, listing the candidates."""
        listed = ", ".join(str(candidate) for candidate in candidates)
        meant = did_you_mean(name, candidates)
        return cls(f"there is no {kind} {str(name)[:LONGEST_NAME]!r}{meant}; there is: {listed}", pointer)


class NotAcceptable(ServiceError):
    """The answer does not exist in the format asked for."""


class NotPossible(ServiceError):
    """The structure of this network does not allow that method; the message names those it does."""


class TooLarge(ServiceError):
    """Over a published limit on size."""


class UnsupportedType(ServiceError):
    """Not a picture, or not a kind this service reads."""


class UnsupportedCoding(ServiceError):
    """Packed in a way that this service does not unpack."""


class InvalidInput(ServiceError):
    """Readable, but not allowed."""


class InvalidImage(InvalidInput):
    """A picture the call cannot use."""


class InvalidKernel(InvalidInput):
    """A filter the call cannot use."""


class InvalidOption(InvalidInput):
    """An option with a value outside what it may be."""


class Busy(ServiceError):
    """No room now; try again shortly."""
