"""One job from beginning to end: plan, go on where a run stopped, score, finish."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tqdm import tqdm

from service.batch import local
from service.batch.errors import BadJob
from service.batch.output import Job, Output
from service.batch.scoring import Recipe
from service.batch.sources import Part, Source, open_source
from service.core.errors import NotFound
from service.network.files import BadModel
from service.network.folders import read_folders
from service.network.sessions import Library, Network
from service.settings import Limits


@dataclass(frozen=True, kw_only=True)
class Request:
    """What was asked for on the command line."""

    source: Path
    out: Path
    models: Path
    model: str
    prepare: str
    batch: int
    workers: int | None
    engine: str
    column: str | None
    limits: Limits


@dataclass(frozen=True)
class Summary:
    """What a run did: pictures in the results, those of them that could not be used, and those done before it."""

    pictures: int
    unusable: int
    before: int


def score(request: Request, cores: int) -> Summary:
    """Do the job, or what is left of it; BadJob says in one line what stops it."""
    network = _find_network(request)
    source = open_source(request.source, request.column)
    if source.is_stream and request.engine == "ray":
        raise BadJob(f"{request.source}: a gzip'd tar cannot be read from the middle; unpack it for --engine ray")
    output = Output(str(request.out.absolute()))
    output.begin(_describe(request, source, network))
    folder = request.models.absolute() / network.name / network.version
    recipe = Recipe(str(folder), request.prepare, request.limits)
    counted = before = unusable = 0
    done: list[int] = []

    def left() -> Iterator[Part]:
        for part in source.parts(request.batch):
            if output.has(part.index):
                done.append(part.index)
            else:
                yield part

    with tqdm(total=source.total, unit=" pictures", smoothing=0.1) as bar:
        for index in _engine(request, left(), recipe, output, cores):
            pictures, bad = output.rows(index)
            counted, unusable = counted + pictures, unusable + bad
            bar.update(pictures)
        for index in done:
            pictures, bad = output.rows(index)
            counted, unusable, before = counted + pictures, unusable + bad, before + pictures
            bar.update(pictures)
    output.finish()
    return Summary(counted, unusable, before)


def _engine(request: Request, parts: Iterator[Part], recipe: Recipe, output: Output, cores: int) -> Iterator[int]:
    if request.engine == "local":
        return local.run(parts, recipe, output, request.workers or cores)
    from service.batch import cluster  # noqa: PLC0415 - only who asks for Ray needs to have it

    return cluster.run(parts, recipe, output, request.workers)


def _find_network(request: Request) -> Network:
    try:
        return Library.open(read_folders(request.models, request.model).models, request.model).get(request.model)
    except (BadModel, NotFound) as error:
        raise BadJob(str(error)) from error


def _describe(request: Request, source: Source, network: Network) -> Job:
    return Job(
        source=str(request.source),
        pictures=source.identity,
        model=network.name,
        version=network.version,
        sha256=network.sha256,
        prepare=request.prepare,
        batch=request.batch,
        limits={name: getattr(request.limits, name) for name in ("max_image_pixels", "max_jpeg_pixels")},
        column=request.column,
    )
