"""`filterscope score`: many pictures, without a server."""

import os
import sys
import time
from pathlib import Path
from typing import Literal

import click

from service.commands.options import (
    UNUSABLE,
    chosen,
    model_option,
    models_option,
    on_a_line,
    prepare_option,
    read_settings,
)

# One part is seconds of work: little is lost when a run is cut short, and a million pictures are 250 files.
PICTURES_PER_PART = 4096
# Pictures that cannot be used and are shown; the file has them all.
SHOWN = 5


@click.command()
@click.argument("source", metavar="IN", type=click.Path(path_type=Path))
@click.argument("out", metavar="OUT", type=click.Path(path_type=Path))
@model_option
@models_option
@prepare_option
@click.option("--format", "form", type=click.Choice(["parquet", "csv"]), default="parquet", show_default=True)
@click.option("--workers", type=click.IntRange(min=1), help="Processes, or actors of Ray; one per CPU unless given.")
@click.option("--batch", type=click.IntRange(min=1), default=PICTURES_PER_PART, show_default=True,
              help="Pictures per part.")  # fmt: skip
@click.option("--column", help="Column of a Parquet file that has the bytes or paths of pictures.")
@click.option("--read", "several", is_flag=True, help="Read several digits in each picture, as POST /v1/read does.")
@click.option("--engine", type=click.Choice(["local", "ray"]), default="local", show_default=True,
              help="This machine, or Ray's cluster.")  # fmt: skip
def score(
    source: Path,
    out: Path,
    model: str | None,
    models: Path | None,
    prepare: str,
    form: Literal["parquet", "csv"],
    workers: int | None,
    batch: int,
    column: str | None,
    several: bool,  # click names it
    engine: str,
) -> None:
    """
    Classify the pictures of IN, a folder, a tar (also gzip'd) or Parquet, into the folder OUT.

    The same command goes on where a run was stopped. Pictures that cannot be used have their reason in the column
    `error`, and are listed in OUT/_unusable.csv; the status is 3 then.
    """
    from service.batch import job  # noqa: PLC0415  # its packages are an extra
    from service.batch.output import UNUSABLE_FILE  # noqa: PLC0415

    settings = read_settings()
    folder, name = chosen(models, model, settings)
    options = job.JobOptions(
        source=source, out=out, models=folder, model=name, prepare=prepare, form=form, batch=batch, workers=workers,
        engine=engine, column=column, read=several, limits=settings,
    )  # fmt: skip
    started = time.monotonic()
    try:
        done = job.run_job(
            options, len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
        )
    except KeyboardInterrupt:
        click.echo("The same command goes on from here.", err=True)
        raise
    seconds = time.monotonic() - started
    unusable = len(done.unusable)
    counts = f"{done.pictures} pictures in {out}, {done.before} of them from before, {unusable} unusable"
    click.echo(f"{counts}, {seconds:.1f} s")
    for bad in done.unusable[:SHOWN]:
        click.echo(f"{on_a_line(bad.name or str(bad.index))}: {bad.error}", err=True)
    if unusable:
        click.echo(f"{out / UNUSABLE_FILE} has all that could not be used", err=True)
        sys.exit(UNUSABLE)
