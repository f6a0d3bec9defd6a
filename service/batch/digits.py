"""What classifies without a server: a network by its name, and pictures as POST /v1/classify reads them."""

import sys
from collections.abc import Iterator, Sequence
from math import prod
from pathlib import Path
from typing import Any

import numpy as np

from service.core.errors import ServiceError, TooLarge
from service.lab.adopted import NO_DIGITS
from service.lab.inputs import Inputs, Readable, all_inputs, as_readable, decoded_side
from service.lab.picture import Picture
from service.lab.verdicts import describe_verdicts, preparation
from service.network.files import BadModel
from service.network.folders import read_folders
from service.network.passport import Input
from service.network.sessions import Network
from service.pictures import codec
from service.settings import Limits

# Files are read, and told of, in turns of so many, or of fewer that hold so many numbers: 32 MiB.
FILES_PER_TURN, NUMBERS_PER_TURN = 256, 1 << 23


def open_network(models: Path, name: str) -> Network:
    """Open the newest version of one model of a folder; BadModel where there is none that can be opened."""
    found = [files for files in read_folders(models, name).models if files.folder.parent.name == name]
    return Network(max(found, key=lambda files: int(files.folder.name)))


def open_reader(models: Path, name: str) -> Network:
    """The same for one that is to read several digits in a picture; BadModel where it knows no digits."""
    network = open_network(models, name)
    if not network.passport.reads_digits:
        raise BadModel(NO_DIGITS, network.folder)
    return network


def readable(content: bytes, prepare: str, asked: Input, limits: Limits) -> Readable:
    """
    Read one picture.

    content: the bytes of a picture file; prepare: see lab.inputs.as_readable()
    raises: one of the refusals of core.errors
    """
    side = decoded_side(asked, codec.REDUCED_SIDE)
    return as_readable(decoded(content, limits, for_digit=prepare == "auto", reduced_side=side), prepare, asked)


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
    asked = network.passport.input
    for start in range(0, len(paths), pictures_at_once(asked)):
        turn = paths[start : start + pictures_at_once(asked)]
        read = [_read_file(path, prepare, asked, limits) for path in turn]
        usable = [one for one in read if not isinstance(one, str)]
        verdicts = iter(_describe(network, all_inputs(usable, asked)) if usable else ())
        for path, one in zip(turn, read, strict=True):
            name = {"name": printable(str(path))}
            if isinstance(one, str):
                yield name | {"error": one}
            else:
                yield name | next(verdicts) | {"prepared": None if isinstance(one, np.ndarray) else preparation(one)}


def pictures_at_once(asked: Input) -> int:
    """How many pictures are held at a time, as a network reads them: so many, or fewer large ones."""
    return max(1, min(FILES_PER_TURN, NUMBERS_PER_TURN // prod(asked.shape)))


def _describe(network: Network, inputs: Inputs) -> list[dict[str, Any]]:
    return describe_verdicts(network.classify(inputs.images), network, inputs.prepared)


def _read_file(path: Path, prepare: str, asked: Input, limits: Limits) -> Readable | str:
    """Read the picture of a file, or say why it cannot be used."""
    try:
        return readable(content_of(path, limits.max_body_bytes), prepare, asked, limits)
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
