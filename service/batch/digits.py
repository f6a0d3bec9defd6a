"""What classifies without a server: a network by its name, and pictures as POST /v1/classify reads them."""

import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from service.core.digit import PreparedDigit
from service.core.errors import ServiceError, TooLarge
from service.lab.digits import Digit, Digits, all_digits, as_digit
from service.lab.picture import Picture
from service.lab.verdicts import describe_verdicts, preparation
from service.network.files import BadModel
from service.network.folders import read_folders
from service.network.sessions import Network
from service.pictures import codec
from service.settings import Limits

# Files are read, and told of, in turns of so many.
FILES_PER_TURN = 256


def open_network(models: Path, name: str) -> Network:
    """Open the newest version of one model of a folder; BadModel where there is none that can be opened."""
    found = [files for files in read_folders(models, name).models if files.folder.parent.name == name]
    network = Network(max(found, key=lambda files: int(files.folder.name)))
    if network.passport.is_adopted:
        raise BadModel(
            "it is adopted, and this command reads digits: POST /v1/classify and /v2 of the service run it",
            network.folder,
        )
    return network


def read_digit(content: bytes, prepare: str, limits: Limits) -> Digit:
    """
    Read one picture.

    content: the bytes of a picture file; prepare: see lab.digits.as_digit()
    raises: one of the refusals of core.errors
    """
    return as_digit(decoded(content, limits, for_digit=prepare == "auto"), prepare)


def decoded(content: bytes, limits: Limits, *, for_digit: bool, reduced_side: int = codec.REDUCED_SIDE) -> Picture:
    """Decode the bytes of a picture file within the limits; for the arguments see pictures.codec.open_posted()."""
    allowed = (limits.max_image_pixels, limits.max_jpeg_pixels, limits.max_scan_pixels)
    file = codec.open_posted(content, *allowed, for_digit=for_digit, reduced_side=reduced_side)
    return Picture(*file.decode())


def classify_files(network: Network, paths: Sequence[Path], prepare: str, limits: Limits) -> Iterator[dict[str, Any]]:
    """
    Yield one result for each file, in order, as POST /v1/classify answers it and with its `name`.

    paths: `-` is standard input; of a file that cannot be used the result has `name` and `error` alone
    """
    for start in range(0, len(paths), FILES_PER_TURN):
        turn = paths[start : start + FILES_PER_TURN]
        read = [_read_file(path, prepare, limits) for path in turn]
        usable = [one for one in read if not isinstance(one, str)]
        verdicts = iter(_describe(network, all_digits(usable)) if usable else ())
        for path, one in zip(turn, read, strict=True):
            name = {"name": printable(str(path))}
            if isinstance(one, str):
                yield name | {"error": one}
            else:
                yield name | next(verdicts) | {"prepared": preparation(one) if isinstance(one, PreparedDigit) else None}


def _describe(network: Network, digits: Digits) -> list[dict[str, Any]]:
    return describe_verdicts(network.classify(digits.images), network, digits.prepared)


def _read_file(path: Path, prepare: str, limits: Limits) -> Digit | str:
    """Read the digit of a file, or say why there is none."""
    try:
        return read_digit(content_of(path, limits.max_body_bytes), prepare, limits)
    except ServiceError as error:
        return error.detail
    except OSError as error:
        return error.strerror or str(error)


def content_of(path: Path, most: int) -> bytes:
    """The bytes of a file, `-` being standard input; TooLarge above so many bytes: some files have no end."""
    if str(path) == "-":
        content = sys.stdin.buffer.read(most + 1)
    else:
        with path.open("rb") as file:
            content = file.read(most + 1)
    if len(content) > most:
        raise TooLarge(f"a picture file may have {most} bytes, this has more")
    return content


def printable(text: str) -> str:
    """Make a name valid UTF-8: a file's name may be any bytes."""
    return text.encode("utf-8", "backslashreplace").decode()
