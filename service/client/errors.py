"""What a call can end with other than an answer."""

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Self

from service.client.wire import Received

LONGEST_TEXT = 200  # of an answer that is no problem+json, such as a proxy's


class ClientError(Exception):
    """Any call that had no answer."""


class Unreachable(ClientError):
    """No answer came: nothing listens at the address, the connection was lost, or the time was over."""


class Unexpected(ClientError):
    """An answer came that is none of this service: a proxy's page, another program's, or more than the client takes."""


@contextmanager
def reading() -> Iterator[None]:
    """Make Unexpected of whatever is found wrong with an answer."""
    try:
        yield
    except ClientError:
        raise
    except Exception as error:  # no code of the caller runs here: all that fails is for what the answer holds
        raise Unexpected(
            f"the answer is none of this service: {type(error).__name__}: {str(error)[:LONGEST_TEXT]}"
        ) from error


class Refused(ClientError):
    """
    The service refused a request; as text, what was wanted and what came.

    status: of HTTP   title, detail: in words   problem: the name of its kind, such as "invalid-picture"
    errors: (pointer, detail) of each part of the request that is wrong
    pictures: the detail of each picture that cannot be used, by its place among those of the call
    """

    def __init__(
        self, status: int, title: str, detail: str, problem: str = "", errors: tuple[tuple[str, str], ...] = ()
    ) -> None:
        super().__init__(detail)
        self.status, self.title, self.detail, self.problem, self.errors = status, title, detail, problem, errors

    @classmethod
    def read(cls, answer: Received) -> Self:
        """Read what was answered: problem+json (RFC 9457), or whatever a proxy says in its place."""
        try:
            members = json.loads(answer.content)
            errors = tuple((str(each["pointer"]), str(each["detail"])) for each in members.get("errors", ()))
            problem = str(members.get("type", "")).partition("#")[2]
            return cls(answer.status, str(members["title"]), str(members["detail"]), problem, errors)
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
            text = " ".join(answer.content[:LONGEST_TEXT].decode(errors="replace").split())
            return cls(answer.status, "", f"answered {answer.status}: {text}")

    @property
    def pictures(self) -> dict[int, str]:
        """The detail of each picture that cannot be used, by its place."""
        found = ((re.fullmatch(r"/images/(\d+)(/.*)?", pointer), detail) for pointer, detail in self.errors)
        return {int(match[1]): detail for match, detail in found if match}

    @property
    def is_too_much(self) -> bool:
        """Whether fewer pictures in one request may be answered."""
        return not self.pictures and (self.status == 413 or self.problem == "too-much-work")

    def moved(self, places: int) -> "Refused":
        """The same refusal of pictures that lie so many places further on in the call."""
        errors = tuple(
            (re.sub(r"^/images/(\d+)", lambda match: f"/images/{int(match[1]) + places}", pointer), detail)
            for pointer, detail in self.errors
        )
        return Refused(self.status, self.title, self.detail, self.problem, errors)
