"""One job from beginning to end: plan, go on where a run stopped, score, finish."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tqdm import tqdm

from service.batch import local
from service.batch.digits import open_network, open_reader
from service.batch.errors import BadJob
from service.batch.output import Format, Job, Output, Unusable
from service.batch.scoring import Recipe
from service.batch.sources import Part, Source, open_source
from service.network.sessions import Network
from service.settings import Limits


@dataclass(frozen=True, kw_only=True)
class JobOptions:
    """What was asked for on the command line."""

    source: Path
    out: Path
    models: Path
    model: str
    prepare: str
    form: Format
    batch: int
    workers: int | None
    engine: str
    column: str | None
    read: bool
    limits: Limits


@dataclass(frozen=True)
class Summary:
    """What a run did: pictures in the results, how many were done before it, and those that could not be used."""

    pictures: int
    before: int
    unusable: list[Unusable]


def run_job(options: JobOptions, cores: int) -> Summary:
    """Do the job, or what is left of it; BadJob says in one line what stops it."""
    network = (open_reader if options.read else open_network)(options.models, options.model)
    source = open_source(options.source, options.column, options.limits.max_body_bytes)
    if source.is_stream and options.engine == "ray":
        raise BadJob(f"{options.source}: a gzip'd tar cannot be read from the middle; unpack it for --engine ray")
    output = Output(str(options.out.absolute()), options.form)
    output.begin(_describe(options, source, network))
    folder = options.models.absolute() / network.name / network.version
    recipe = Recipe(str(folder), options.prepare, options.limits, options.read)
    counted = before = 0
    unusable: list[Unusable] = []
    done: list[int] = []

    def left() -> Iterator[Part]:
        for part in source.parts(options.batch):
            if output.has(part.index):
                done.append(part.index)
            else:
                yield part

    with tqdm(total=source.total, unit=" pictures", smoothing=0.1) as bar:
        for index in _engine(options, left(), recipe, output, cores):
            pictures, bad = output.rows(index)
            counted += pictures
            unusable += bad
            bar.update(pictures)
        for index in done:
            pictures, bad = output.rows(index)
            counted, before = counted + pictures, before + pictures
            unusable += bad
            bar.update(pictures)
    unusable.sort()
    output.finish(unusable)
    return Summary(counted, before, unusable)


def _engine(options: JobOptions, parts: Iterator[Part], recipe: Recipe, output: Output, cores: int) -> Iterator[int]:
    if options.engine == "local":
        return local.run(parts, recipe, output, options.workers or cores)
    from service.batch import cluster  # noqa: PLC0415 - only who asks for Ray needs to have it

    return cluster.run(parts, recipe, output, options.workers)


def _describe(options: JobOptions, source: Source, network: Network) -> Job:
    return Job(
        source=str(options.source),
        pictures=source.identity,
        model=network.name,
        version=network.version,
        sha256=network.sha256,
        prepare=options.prepare,
        format=options.form,
        batch=options.batch,
        limits={
            name: getattr(options.limits, name) for name in ("max_image_pixels", "max_jpeg_pixels", "max_scan_pixels")
        },
        column=options.column,
        read=options.read,
    )
