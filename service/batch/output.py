"""
The folder of results: one file per part, Parquet or CSV, each there whole or not at all, and what the job was.

Names that begin with an underscore or a dot are passed over by everything that reads a folder of Parquet.
"""

import csv
import io
import os
import uuid
from collections.abc import Sequence
from dataclasses import astuple, dataclass, fields
from pathlib import Path
from typing import Literal

import msgspec
import pyarrow as pa
import pyarrow.compute
import pyarrow.csv
import pyarrow.parquet as pq

from service.batch.errors import BadJob

JOB_FILE, DONE_FILE, UNUSABLE_FILE = "_job.json", "_SUCCESS", "_unusable.csv"
Format = Literal["parquet", "csv"]


@dataclass(frozen=True, order=True, slots=True)
class Unusable:
    """A picture that could not be used, and why."""

    index: int
    name: str | None
    error: str


class Job(msgspec.Struct, frozen=True, kw_only=True):
    """What decides every byte of the results; a folder holds the results of one."""

    source: str
    pictures: str
    model: str
    version: str
    sha256: str
    prepare: str
    batch: int
    limits: dict[str, int]
    column: str | None
    read: bool = False
    format: Format = "parquet"


class Output(msgspec.Struct, frozen=True):
    """The folder, by its path, and the form of its files: processes and machines that share it need nothing else."""

    folder: str
    form: Format

    def begin(self, job: Job) -> None:
        """Make the folder, or go on in it; BadJob where it holds something else."""
        folder = Path(self.folder)
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / JOB_FILE
        if path.exists():
            _check_same(path, job)
        elif any(folder.iterdir()):
            raise BadJob(f"{folder}: is not empty and holds no job to go on with; give another folder")
        else:
            self._replace(JOB_FILE, msgspec.json.format(msgspec.json.encode(job)))
        for left in folder.glob(".*.unfinished"):
            left.unlink(missing_ok=True)

    def has(self, index: int) -> bool:
        """Whether a part is done."""
        return self._path(index).exists()

    def write(self, index: int, table: pa.Table) -> None:
        """Write a part; whoever looks sees all of it or nothing, however the process ends."""
        sink = pa.BufferOutputStream()
        if self.form == "csv":
            pa.csv.write_csv(_flat(table), sink)
        else:
            pq.write_table(table, sink, compression="zstd")
        self._replace(self._path(index).name, sink.getvalue().to_pybytes())

    def rows(self, index: int) -> tuple[int, list[Unusable]]:
        """How many pictures a part that is done has, and those that could not be used."""
        names = [field.name for field in fields(Unusable)]
        if self.form == "csv":
            table = pa.csv.read_csv(
                self._path(index),
                parse_options=pa.csv.ParseOptions(newlines_in_values=True),
                convert_options=pa.csv.ConvertOptions(
                    include_columns=names,
                    column_types={"index": pa.int64(), "name": pa.string(), "error": pa.string()},
                    strings_can_be_null=True,
                    null_values=[""],
                    quoted_strings_can_be_null=False,
                ),
            )
        else:
            table = pq.read_table(self._path(index), columns=names)
        bad = table.filter(pa.compute.is_valid(table.column("error")))
        return len(table), [Unusable(**row) for row in bad.to_pylist()]

    def finish(self, unusable: Sequence[Unusable]) -> None:
        """List the pictures that could not be used, where there are some, and mark the job as complete."""
        if unusable:
            text = io.StringIO(newline="")
            rows = [field.name for field in fields(Unusable)], *map(astuple, unusable)
            csv.writer(text, lineterminator="\n").writerows(rows)
            self._replace(UNUSABLE_FILE, text.getvalue().encode())
        self._replace(DONE_FILE, b"")

    def _path(self, index: int) -> Path:
        return Path(self.folder) / f"part-{index:06d}.{self.form}"

    def _replace(self, name: str, content: bytes) -> None:
        unfinished = Path(self.folder) / f".{name}.{uuid.uuid4().hex}.unfinished"
        with unfinished.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        unfinished.replace(Path(self.folder) / name)


def _flat(table: pa.Table) -> pa.Table:
    """Give each class a column of its own, where a cell would hold a list."""
    place = table.schema.get_field_index("probabilities")
    if place < 0:
        return table
    lists = table.column(place).combine_chunks()
    classes = lists.type.list_size
    columns, names = table.columns, table.column_names
    columns[place : place + 1] = [pa.compute.list_element(lists, index) for index in range(classes)]
    names[place : place + 1] = [f"probability_{index}" for index in range(classes)]
    return pa.table(columns, names)


def _check_same(path: Path, job: Job) -> None:
    try:
        found = msgspec.json.decode(path.read_bytes(), type=Job)
    except msgspec.DecodeError as error:
        raise BadJob(f"{path}: {error}") from error
    for field in Job.__struct_fields__:
        before, now = getattr(found, field), getattr(job, field)
        if before != now:
            raise BadJob(f"{path.parent}: holds another job: its {field} was {before}, now {now}; give another folder")
