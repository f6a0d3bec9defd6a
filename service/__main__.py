"""`python -m service score IN OUT`: classify many pictures without a server."""

import argparse
import os
import sys
import time
from pathlib import Path

from service.settings import BadSetting, Settings, unknown

EXTRAS = {
    "pyarrow": ("score", "pyarrow tqdm"),
    "tqdm": ("score", "pyarrow tqdm"),
    "ray": ("cluster", "'ray[data]' tqdm"),
}
# One part is seconds of work: little is lost when a run is cut short, and a million pictures are 250 files.
PICTURES_PER_PART = 4096


def main(arguments: list[str] | None = None) -> int:
    """Run a command; returns the exit status."""
    try:
        settings = Settings.from_environ()
    except BadSetting as error:
        return _refuse(str(error))
    for line in unknown():
        _say(line)
    options = _parser(settings).parse_args(arguments)
    try:
        from service.batch.errors import BadJob  # noqa: PLC0415 - its packages are an extra
        from service.batch.job import JobOptions, run_job  # noqa: PLC0415
    except ModuleNotFoundError as error:
        return _refuse(_missing(error))
    request = JobOptions(
        source=options.source, out=options.out, models=options.models, model=options.model, prepare=options.prepare,
        batch=options.batch, workers=options.workers, engine=options.engine, column=options.column, limits=settings,
    )  # fmt: skip
    started = time.monotonic()
    try:
        done = run_job(
            request, len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
        )
    except (BadJob, OSError) as error:
        return _refuse(str(error))
    except ModuleNotFoundError as error:
        return _refuse(_missing(error))
    except KeyboardInterrupt:
        return _refuse("stopped; the same command goes on from here")
    seconds = time.monotonic() - started
    sys.stdout.write(
        f"{done.pictures} pictures in {options.out}, {done.before} of them from before, {done.unusable} unusable, "
        f"{seconds:.1f} s\n"
    )
    return 0


def _parser(settings: Settings) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m service", description=__doc__)
    command = parser.add_subparsers(required=True).add_parser("score", help="classify a folder, a tar or Parquet")
    command.add_argument("source", metavar="IN", type=Path, help="a folder of pictures, a tar (also gzip'd), Parquet")
    command.add_argument("out", metavar="OUT", type=Path, help="the folder of Parquet to write, or to go on with")
    command.add_argument("--model", default=settings.default_model, help="default: %(default)s")
    command.add_argument("--models", type=Path, default=Path(settings.models), help="folder of models")
    command.add_argument("--workers", type=_count, help="processes, or actors of Ray; default: one per CPU")
    command.add_argument("--prepare", choices=("auto", "none"), default="auto", help="as in POST /v1/classify")
    command.add_argument("--batch", type=_count, default=PICTURES_PER_PART, help="pictures per part (%(default)s)")
    command.add_argument("--column", help="column of a Parquet file with the bytes or paths of pictures")
    command.add_argument("--engine", choices=("local", "ray"), default="local", help="this machine, or Ray's cluster")
    return parser


def _count(text: str) -> int:
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError(f"must be at least 1, got {value}")
    return value


def _missing(error: ModuleNotFoundError) -> str:
    name = (error.name or "").partition(".")[0]
    if name not in EXTRAS:
        raise error
    extra, packages = EXTRAS[name]
    return f"{name} is missing; the extra [{extra}] has it: {sys.executable} -m pip install {packages}"


def _refuse(line: str) -> int:
    _say(line)
    return 1


def _say(line: str) -> None:
    sys.stderr.write(f"python -m service: {line}\n")


if __name__ == "__main__":
    sys.exit(main())
