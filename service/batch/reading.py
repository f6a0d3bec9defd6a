"""Several digits in each picture, read without a server: what POST /v1/read answers for the same bytes."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import msgspec

from service.batch.digits import content_of, decoded, printable
from service.batch.errors import BadJob
from service.core.errors import ServiceError
from service.lab.options import ReadOptions
from service.lab.read import asked
from service.lab.read.reading import READ_SIDE, read_picture
from service.lab.read.telling import described
from service.network.sessions import Network
from service.settings import Limits


def options_of(sure: float, length: str | None, expect: str) -> ReadOptions:
    """The options of POST /v1/read that go with files; raises BadJob where one is wrong."""
    options = msgspec.convert({"sure": sure, "length": length, "expect": expect}, ReadOptions)
    try:
        asked.check_asked(options)
    except ServiceError as error:
        raise BadJob(error.detail) from None
    return options


def numbers_in(content: bytes, network: Network, options: ReadOptions, limits: Limits) -> dict[str, Any]:
    """
    Read the digits in one picture.

    content: the bytes of a picture file
    returns: one element of the `results` of POST /v1/read
    raises: one of the refusals of core.errors
    """
    picture = decoded(content, limits, for_digit=True, reduced_side=READ_SIDE)
    return described(read_picture(picture, network, options, limits), network, options)


def read_files(
    network: Network, paths: Sequence[Path], options: ReadOptions, limits: Limits
) -> Iterator[dict[str, Any]]:
    """
    Yield one result for each file, in order, as POST /v1/read answers it and with its `name`.

    paths: `-` is standard input; of a file that cannot be used the result has `name` and `error` alone
    """
    for path in paths:
        name = {"name": printable(str(path))}
        try:
            yield name | numbers_in(content_of(path, limits.max_body_bytes), network, options, limits)
        except ServiceError as error:
            yield name | {"error": error.detail}
        except OSError as error:
            yield name | {"error": error.strerror or str(error)}
