"""
The folder of results: one Parquet file per part, each there whole or not at all, and what the job was.

Names that begin with an underscore or a dot are passed over by everything that reads a folder of Parquet.
"""

import os
import uuid
from pathlib import Path

import msgspec
import pyarrow as pa
import pyarrow.parquet as pq

from service.batch.errors import BadJob

JOB_FILE, DONE_FILE = "_job.json", "_SUCCESS"


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


class Output(msgspec.Struct, frozen=True):
    """The folder, by its path: processes and machines that share it need nothing else."""

    folder: str

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
        return (Path(self.folder) / _name(index)).exists()

    def write(self, index: int, table: pa.Table) -> None:
        """Write a part; whoever looks sees all of it or nothing, however the process ends."""
        sink = pa.BufferOutputStream()
        pq.write_table(table, sink, compression="zstd")
        self._replace(_name(index), sink.getvalue().to_pybytes())

    def rows(self, index: int) -> tuple[int, int]:
        """(pictures, those that could not be used) of a part that is done."""
        errors = pq.read_table(Path(self.folder) / _name(index), columns=["error"]).column(0)
        return len(errors), len(errors) - errors.null_count

    def finish(self) -> None:
        """Mark the job as complete."""
        self._replace(DONE_FILE, b"")

    def _replace(self, name: str, content: bytes) -> None:
        unfinished = Path(self.folder) / f".{name}.{uuid.uuid4().hex}.unfinished"
        with unfinished.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        unfinished.replace(Path(self.folder) / name)


def _name(index: int) -> str:
    return f"part-{index:06d}.parquet"


def _check_same(path: Path, job: Job) -> None:
    try:
        found = msgspec.json.decode(path.read_bytes(), type=Job)
    except msgspec.DecodeError as error:
        raise BadJob(f"{path}: {error}") from error
    for field in Job.__struct_fields__:
        before, now = getattr(found, field), getattr(job, field)
        if before != now:
            raise BadJob(f"{path.parent}: holds another job: its {field} was {before}, now {now}; give another folder")
