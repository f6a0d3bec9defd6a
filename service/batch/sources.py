"""
Where the pictures of a job lie, cut into parts: a folder, a tar (gzip'd or not), or a Parquet file.

A part says where its pictures are rather than holding them, so that whichever process scores it reads them itself. Only
a gzip'd tar cannot be read from the middle: its parts hold the bytes.
"""

import hashlib
import itertools
import os
import tarfile
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import pyarrow as pa
import pyarrow.parquet as pq

from service.batch.errors import BadJob

Item = TypeVar("Item")
GZIP_MAGIC, PARQUET_MAGIC = b"\x1f\x8b", b"PAR1"
# Looked for in this order; --column names another.
PICTURE_COLUMNS, PATH_COLUMNS = ("image", "bytes", "picture", "png", "data"), ("path", "file", "filename", "file_name")


class FoundPicture(NamedTuple):
    """One picture as it was found: its name, and its bytes or why they could not be read."""

    name: str | None
    content: bytes | OSError


@dataclass(frozen=True, slots=True)
class Part:
    """A run of pictures that is scored, written and skipped as a whole; `first` is the index of the first of them."""

    index: int
    first: int
    read: Callable[[], list[FoundPicture]]


@dataclass(frozen=True)
class Source:
    """
    The pictures of a job.

    parts: makes the parts in order; total: how many pictures, where that is known before they are read
    identity: changes when the pictures do; is_stream: parts hold bytes and are made by reading everything before them
    """

    parts: Callable[[int], Iterator[Part]]
    total: int | None
    identity: str
    is_stream: bool = False


def open_source(path: Path, column: str | None = None) -> Source:
    """Find out what IN is, by its content; BadJob where it is nothing that can be read."""
    path = path.absolute()
    try:
        if path.is_dir():
            return _open_folder(path)
        with path.open("rb") as file:
            magic = file.read(4)
        if magic == PARQUET_MAGIC:
            return _open_parquet(path, column)
        if magic.startswith(GZIP_MAGIC):
            return Source(lambda size: _stream_parts(path, size), None, _identity([path]), is_stream=True)
        return _open_tar(path)
    except (OSError, tarfile.TarError, pa.ArrowInvalid) as error:
        raise BadJob(f"{path}: a folder, a tar or Parquet is wanted: {error}") from error


# --- folder ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Files:
    """Pictures that are files of their own, by their names below a folder."""

    folder: str
    names: tuple[str | None, ...]

    def __call__(self) -> list[FoundPicture]:
        """Read them; one that cannot be read keeps its place."""
        return [FoundPicture(name, _read_file(self.folder, name)) for name in self.names]


def _read_file(folder: str, name: str | None) -> bytes | OSError:
    if name is None:
        return OSError("no path is given")
    try:
        with open(os.path.join(folder, name), "rb") as file:  # noqa: PTH118, PTH123 - a quarter of the time of a Path
            return file.read()
    except (OSError, ValueError) as error:  # a path with a NUL is a ValueError
        return OSError(getattr(error, "strerror", None) or str(error))


def _open_folder(folder: Path) -> Source:
    entries = sorted(_walk(os.fspath(folder)))
    digest = hashlib.sha256(
        "".join(f"{name}\0{size}\0{changed}\0" for name, size, changed in entries).encode("utf-8", "surrogateescape")
    )
    names = [name for name, *_ in entries]

    def parts(size: int) -> Iterator[Part]:
        for index, chunk in enumerate(_chunks(names, size)):
            yield Part(index, index * size, Files(os.fspath(folder), chunk))

    return Source(parts, len(names), digest.hexdigest())


def _walk(folder: str, below: str = "") -> Iterator[tuple[str, int, int]]:
    """(name below the folder, bytes, time of change) of every file that is not hidden, at any depth."""
    with os.scandir(folder) as entries:
        for entry in entries:
            if entry.name.startswith("."):
                continue
            if entry.is_dir(follow_symlinks=False):
                yield from _walk(entry.path, f"{below}{entry.name}/")
            elif not entry.is_dir():
                # A dangling link is a picture that cannot be read, not the end of the job.
                found = entry.stat(follow_symlinks=entry.is_file())
                yield below + entry.name, found.st_size, found.st_mtime_ns


# --- tar -------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Members:
    """Pictures inside an uncompressed tar: (name, offset, bytes) of each."""

    path: str
    members: tuple[tuple[str, int, int], ...]

    def __call__(self) -> list[FoundPicture]:
        """Read them where they lie."""
        with open(self.path, "rb") as file:  # noqa: PTH123 - as above
            return [FoundPicture(name, _read_at(file, offset, size)) for name, offset, size in self.members]


def _read_at(file: Any, offset: int, size: int) -> bytes:
    file.seek(offset)
    content: bytes = file.read(size)
    return content


@dataclass(frozen=True, slots=True)
class Held:
    """Pictures that had to be read on the way to their part."""

    pictures: tuple[FoundPicture, ...]

    def __call__(self) -> list[FoundPicture]:
        """Hand them out."""
        return list(self.pictures)


def _open_tar(path: Path) -> Source:
    with tarfile.open(path, "r:") as archive:
        members = [(member.name, member.offset_data, member.size) for member in archive if member.isreg()]

    def parts(size: int) -> Iterator[Part]:
        for index, chunk in enumerate(_chunks(members, size)):
            yield Part(index, index * size, Members(os.fspath(path), chunk))

    return Source(parts, len(members), _identity([path]))


def _stream_parts(path: Path, size: int) -> Iterator[Part]:
    first = 0
    try:
        for index, pictures in enumerate(_chunks(_stream(path), size)):
            yield Part(index, first, Held(pictures))
            first += len(pictures)
    except (tarfile.TarError, EOFError, OSError) as error:
        raise BadJob(f"{path}: damaged or cut short after {first} pictures: {error}") from error


def _stream(path: Path) -> Iterator[FoundPicture]:
    with tarfile.open(path, "r|gz") as archive:
        for member in archive:
            file = archive.extractfile(member) if member.isreg() else None
            if file is not None:
                yield FoundPicture(member.name, file.read())
            archive.members = []  # type: ignore[attr-defined]  # else it keeps every header it has seen


def _chunks(items: Iterable[Item], size: int) -> Iterator[tuple[Item, ...]]:
    iterator = iter(items)
    while chunk := tuple(itertools.islice(iterator, size)):
        yield chunk


def _identity(paths: Iterable[Path]) -> str:
    """Name, size and time of change of files, as a digest."""
    found = [(path.name, path.stat().st_size, path.stat().st_mtime_ns) for path in paths]
    return hashlib.sha256(repr(found).encode()).hexdigest()


# --- Parquet ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class ParquetRows:
    """Pictures in rows of one row group of a Parquet file, as bytes or as paths beside it."""

    path: str
    column: str
    group: int
    start: int
    stop: int

    def __call__(self) -> list[FoundPicture]:
        """Read them; a row without a picture keeps its place."""
        values = _row_group(self.path, self.column, self.group)[self.start : self.stop].to_pylist()
        folder = os.path.dirname(self.path)  # noqa: PTH120 - as above
        return [_row_picture(folder, value) for value in values]


@lru_cache(maxsize=1)
def _row_group(path: str, column: str, group: int) -> pa.ChunkedArray:
    # The parts of one row group follow one another, so a process reads a group once.
    return pq.ParquetFile(path).read_row_group(group, columns=[column]).column(0)


def _row_picture(folder: str, value: Any) -> FoundPicture:
    if isinstance(value, dict):  # a picture as Hugging Face's datasets write it: its bytes, or a path
        name = value.get("path")
        return FoundPicture(name, value["bytes"]) if value.get("bytes") is not None else _row_picture(folder, name)
    if isinstance(value, str):
        return FoundPicture(value, _read_file(folder, value))
    return FoundPicture(None, OSError("the row has no picture") if value is None else value)


def _open_parquet(path: Path, column: str | None) -> Source:
    file = pq.ParquetFile(path)
    column = _find_column(path, file.schema_arrow, column)
    groups = [file.metadata.row_group(group).num_rows for group in range(file.metadata.num_row_groups)]

    def parts(size: int) -> Iterator[Part]:
        index = first = 0
        for group, count in enumerate(groups):
            for start in range(0, count, size):
                yield Part(
                    index, first + start, ParquetRows(os.fspath(path), column, group, start, min(start + size, count))
                )
                index += 1
            first += count

    return Source(parts, sum(groups), _identity([path]))


def _find_column(path: Path, schema: pa.Schema, column: str | None) -> str:
    if column is not None and column not in schema.names:
        raise BadJob(f"{path}: there is no column {column!r}; there is: {', '.join(schema.names)}")
    candidates = [column] if column is not None else [*PICTURE_COLUMNS, *PATH_COLUMNS]
    for name in candidates:
        if name in schema.names and _holds_pictures(schema.field(name).type):
            return name
    kinds = ", ".join(f"{field.name} ({field.type})" for field in schema)
    raise BadJob(f"{path}: a column of picture bytes or of paths is wanted (--column names it), got: {kinds}")


def _holds_pictures(kind: pa.DataType) -> bool:
    if pa.types.is_struct(kind):
        return bool(kind.get_field_index("bytes") >= 0)
    tests = (pa.types.is_binary, pa.types.is_large_binary, pa.types.is_string, pa.types.is_large_string)
    return any(test(kind) for test in tests)
