"""What goes over the wire and comes back, whichever library carries it."""

from collections.abc import Generator, Mapping
from dataclasses import dataclass, field
from typing import TypeVar

Result = TypeVar("Result")


@dataclass(frozen=True)
class Request:
    """One request; `pause` seconds are waited before it is sent."""

    method: str
    path: str
    query: Mapping[str, str] = field(default_factory=dict)
    content: bytes = b""
    media_type: str = ""
    pause: float = 0.0


@dataclass(frozen=True)
class Received:
    """An answer; `status` is 0 where the connection was lost before it came, and `content` then says how."""

    status: int
    headers: Mapping[str, str]
    content: bytes


# A call: it hands out requests, is handed the answers, and returns its result. It waits for nothing itself, so that it
# serves a client that blocks and one that is awaited.
Steps = Generator[Request, Received, Result]
