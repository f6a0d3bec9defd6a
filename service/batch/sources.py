"""
Where the pictures of a job lie, cut into parts: a folder, a tar (gzip'd or not), or a Parquet file.

A part says where its pictures are rather than holding them, so that whichever process scores it reads them itself. Only
a gzip'd tar cannot be read from the middle: its parts hold the bytes.
"""

import hashlib
import itertools
import os
import stat
import tarfile
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import IO, Any, NamedTuple, TypeVar

import pyarrow as pa
import pyarrow.parquet as pq

from service.batch.errors import BadJob
from service.core.errors import did_you_mean

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


def open_source(path: Path, column: str | None, most: int) -> Source:
    """
    Find out what IN is, by its content.

    most: bytes of one picture; of a longer one no more is read
    raises: BadJob where it is nothing that can be read
    """
    path = path.absolute()
    try:
        if path.is_dir():
            return _open_folder(path, most)
        with path.open("rb") as file:
            magic = file.read(4)
        if magic == PARQUET_MAGIC:
            return _open_parquet(path, column, most)
        if magic.startswith(GZIP_MAGIC):
            return Source(lambda size: _stream_parts(path, size, most), None, _identity([path]), is_stream=True)
        return _open_tar(path, most)
    except (OSError, tarfile.TarError, pa.ArrowInvalid) as error:
        raise BadJob(f"{path}: a folder, a tar or Parquet is wanted: {error}") from error


def _read_all(file: IO[bytes], most: int) -> bytes | OSError:
    return _not_too_long(file.read(most + 1), most)


def _not_too_long(content: bytes, most: int) -> bytes | OSError:
    return content if len(content) <= most else OSError(f"a picture file may have {most} bytes, this has more")


# --- folder ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Files:
    """Pictures that are files of their own, by their names below a folder."""

    folder: str
    names: tuple[str | None, ...]
    most: int

    def __call__(self) -> list[FoundPicture]:
        """Read them; one that cannot be read keeps its place."""
        return [FoundPicture(name, _read_file(self.folder, name, self.most)) for name in self.names]


def _read_file(folder: str, name: str | None, most: int) -> bytes | OSError:
    if name is None:
        return OSError("no path is given")
    try:
        path = os.path.join(folder, name)  # noqa: PTH118 - a quarter of the time of a Path
        with open(path, "rb", opener=_open_at_once) as file:
            if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
                return OSError("is no file but a pipe, a device or a folder")
            return _read_all(file, most)
    except (OSError, ValueError) as error:  # a path with a NUL is a ValueError
        return OSError(getattr(error, "strerror", None) or str(error))


def _open_at_once(path: str, flags: int) -> int:
    """Open a file, and wait for no one to write into a pipe."""
    return os.open(path, flags | getattr(os, "O_NONBLOCK", 0))


def _open_folder(folder: Path, most: int) -> Source:
    entries = sorted(_walk(os.fspath(folder)))
    digest = hashlib.sha256(
        "".join(f"{name}\0{size}\0{changed}\0" for name, size, changed in entries).encode("utf-8", "surrogateescape")
    )
    names = [name for name, *_ in entries]

    def parts(size: int) -> Iterator[Part]:
        for index, chunk in enumerate(_chunks(names, size)):
            yield Part(index, index * size, Files(os.fspath(folder), chunk, most))

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
    most: int

    def __call__(self) -> list[FoundPicture]:
        """Read them where they lie."""
        with open(self.path, "rb") as file:  # noqa: PTH123 - as above
            return [FoundPicture(name, _read_at(file, offset, size, self.most)) for name, offset, size in self.members]


def _read_at(file: IO[bytes], offset: int, size: int, most: int) -> bytes | OSError:
    file.seek(offset)
    return file.read(size) if size <= most else _read_all(file, most)


@dataclass(frozen=True, slots=True)
class Held:
    """Pictures that had to be read on the way to their part."""

    pictures: tuple[FoundPicture, ...]

    def __call__(self) -> list[FoundPicture]:
        """Hand them out."""
        return list(self.pictures)


def _open_tar(path: Path, most: int) -> Source:
    with tarfile.open(path, "r:") as archive:
        members = [(member.name, member.offset_data, member.size) for member in archive if member.isreg()]

    def parts(size: int) -> Iterator[Part]:
        for index, chunk in enumerate(_chunks(members, size)):
            yield Part(index, index * size, Members(os.fspath(path), chunk, most))

    return Source(parts, len(members), _identity([path]))


def _stream_parts(path: Path, size: int, most: int) -> Iterator[Part]:
    first = 0
    try:
        for index, pictures in enumerate(_chunks(_stream(path, most), size)):
            yield Part(index, first, Held(pictures))
            first += len(pictures)
    except (tarfile.TarError, EOFError, OSError) as error:
        raise BadJob(f"{path}: damaged or cut short after {first} pictures: {error}") from error


def _stream(path: Path, most: int) -> Iterator[FoundPicture]:
    with tarfile.open(path, "r|gz") as archive:
        for member in archive:
            file = archive.extractfile(member) if member.isreg() else None
            if file is not None:
                yield FoundPicture(member.name, _read_all(file, most))
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
    most: int

    def __call__(self) -> list[FoundPicture]:
        """Read them; a row without a picture keeps its place."""
        values = _row_group(self.path, self.column, self.group)[self.start : self.stop].to_pylist()
        folder = os.path.dirname(self.path)  # noqa: PTH120 - as above
        return [_row_picture(folder, value, self.most) for value in values]


@lru_cache(maxsize=1)
def _row_group(path: str, column: str, group: int) -> pa.ChunkedArray:
    # The parts of one row group follow one another, so a process reads a group once.
    return pq.ParquetFile(path).read_row_group(group, columns=[column]).column(0)


def _row_picture(folder: str, value: Any, most: int) -> FoundPicture:
    if isinstance(value, dict):  # a picture as Hugging Face's datasets write it: its bytes, or a path
        name = value.get("path")
        content = value.get("bytes")
        return _row_picture(folder, name, most) if content is None else FoundPicture(name, _not_too_long(content, most))
    if isinstance(value, str):
        return FoundPicture(value, _read_file(folder, value, most))
    return FoundPicture(None, OSError("the row has no picture") if value is None else _not_too_long(value, most))


def _open_parquet(path: Path, column: str | None, most: int) -> Source:
    file = pq.ParquetFile(path)
    column = _find_column(path, file.schema_arrow, column)
    groups = [file.metadata.row_group(group).num_rows for group in range(file.metadata.num_row_groups)]

    def parts(size: int) -> Iterator[Part]:
        index = first = 0
        for group, count in enumerate(groups):
            for start in range(0, count, size):
                yield Part(
                    index,
                    first + start,
                    ParquetRows(os.fspath(path), column, group, start, min(start + size, count), most),
                )
                index += 1
            first += count

    return Source(parts, sum(groups), _identity([path]))


def _find_column(path: Path, schema: pa.Schema, column: str | None) -> str:
    if column is not None and column not in schema.names:
        meant = did_you_mean(column, schema.names)
        raise BadJob(f"{path}: there is no column {column!r}{meant}; there is: {', '.join(schema.names)}")
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
