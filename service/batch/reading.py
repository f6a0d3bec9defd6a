"""Several digits in each picture, read without a server: what POST /v1/read answers for the same bytes."""

import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import msgspec

from service.batch.errors import BadJob
from service.core.errors import ServiceError
from service.lab.options import ReadOptions
from service.lab.picture import Picture
from service.lab.read import asked
from service.lab.read.reading import READ_SIDE, read_picture
from service.lab.read.telling import described
from service.network.sessions import Network
from service.pictures import codec
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
    allowed = (limits.max_image_pixels, limits.max_jpeg_pixels, limits.max_scan_pixels)
    file = codec.open_posted(content, *allowed, for_digit=True, reduced_side=READ_SIDE)
    return described(read_picture(Picture(*file.decode()), network, options, limits), network, options)


def read_files(
    network: Network, paths: Sequence[Path], options: ReadOptions, limits: Limits
) -> Iterator[dict[str, Any]]:
    """
    Yield one result for each file, in order, as POST /v1/read answers it and with its `name`.

    paths: `-` is standard input; of a file that cannot be used the result has `name` and `error` alone
    """
    for path in paths:
        name = {"name": str(path)}
        try:
            content = sys.stdin.buffer.read() if str(path) == "-" else path.read_bytes()
            yield name | numbers_in(content, network, options, limits)
        except ServiceError as error:
            yield name | {"error": error.detail}
        except OSError as error:
            yield name | {"error": error.strerror or str(error)}
