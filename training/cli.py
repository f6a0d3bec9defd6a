"""The command line: a command reads its options, calls one file, and says what came of it."""

import os
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import click

from service.network.files import BadModel
from training.data.mnist import DatasetError, cache_folder, fetch_mnist, find_or_fetch_mnist, load_mnist
from training.knobs import QUICK, QUICK_IMAGES, STRUCTURES, TAKES, Knobs, StudyKnobs

_CHECKOUT = Path(__file__).resolve().parents[1]
_BUILD = _CHECKOUT / "build"

part_option = click.option("--part", type=click.Choice(["test", "validation"]), default="test", show_default=True)
data_option = click.option(
    "--data",
    type=click.Path(path_type=Path),
    help="Folder of the four MNIST files. Otherwise FILTERSCOPE_MNIST, the cache folder, a folder `mnist` or "
    "`shared/mnist` beside or above the checkout; failing all, they are downloaded.",
)
models_option = click.option(
    "--models",
    type=click.Path(path_type=Path),
    default=_BUILD / "models",
    show_default="build/models",
    help="Folder the model folder is written into.",
)
pictures_option = click.option(
    "--pictures",
    type=click.Path(path_type=Path),
    default=_BUILD / "training",
    show_default="build/training",
    help="Folder for the PNGs.",
)
seed_option = click.option("--seed", type=int, default=1, show_default=True)


class _Commands(click.Group):
    """A group whose commands report a problem with the digits or a model folder as one line, not as a traceback."""

    def invoke(self, ctx: click.Context) -> object:
        from training.evaluation.score import BankError  # noqa: PLC0415  torch and onnxruntime load when needed

        try:
            return super().invoke(ctx)
        except (DatasetError, BadModel, BankError) as error:
            raise click.ClickException(str(error)) from error


@click.group(cls=_Commands)
def main() -> None:
    """Train, measure and export the networks that Filterscope serves."""


@main.command()
@click.option("--to", "folder", type=click.Path(path_type=Path), help="Folder to fill; by default the cache folder.")
def fetch(folder: Path | None) -> None:
    """Download MNIST, each file checked against its SHA-256."""
    target = folder or cache_folder()
    fetch_mnist(target)
    click.echo(f"MNIST is in {target}")


@main.command()
@data_option
@pictures_option
@seed_option
def samples(data: Path | None, pictures: Path, seed: int) -> None:
    """Draw a sheet of training digits with their labels, as they come and as pencil on paper."""
    from training.evaluation.plots import draw_samples  # noqa: PLC0415

    part = load_mnist(find_or_fetch_mnist(data)).train
    for pencil in (False, True):
        path = pictures / f"samples-{'pencil' if pencil else 'native'}.png"
        draw_samples(part, path, pencil=pencil, seed=seed)
        click.echo(f"seed {seed}: {path}")


@main.command()
@click.argument("name", type=click.Choice(sorted(STRUCTURES)), default="digits")
@data_option
@models_option
@pictures_option
@seed_option
@click.option("--epochs", type=click.IntRange(min=1), default=Knobs.epochs, show_default=True)
@click.option("--batch-size", type=click.IntRange(min=2), default=Knobs.batch_size, show_default=True)
@click.option("--learning-rate", type=float, default=Knobs.learning_rate, show_default=True)
@click.option("--validation-count", type=click.IntRange(min=1), default=10_000, show_default=True)
@click.option("--threads", type=click.IntRange(min=1), default=2, show_default=True)
def train(
    name: str,
    data: Path | None,
    models: Path,
    pictures: Path,
    seed: int,
    epochs: int,
    batch_size: int,
    learning_rate: float,
    validation_count: int,
    threads: int,
) -> None:
    """Train one network without a teacher and export it."""
    mnist = find_or_fetch_mnist(data)
    count = f"{epochs} epoch{'s' * (epochs > 1)}"
    took = f", which took {TAKES[name]} s on two quiet cores" if epochs == Knobs.epochs and name in TAKES else ""
    click.echo(f"{name}: {count} of MNIST's training digits, then its novelty and its files{took}")
    from training.study.train import Places, train_network  # noqa: PLC0415

    knobs = Knobs(seed=seed, epochs=epochs, batch_size=batch_size, learning_rate=learning_rate)
    places = Places(mnist, models, pictures)
    model = train_network(name, knobs, places, validation_count=validation_count, threads=threads)
    rates = model.passport["accuracy"]
    click.echo(f"seed {seed}: validation {rates['validation']:.2%}, test {rates['test']:.2%}")
    click.echo(f"{model.passport['parameters']} parameters in {model.path}; pictures in {pictures}")


@main.command()
@click.argument("folder", type=click.Path(path_type=Path))
@data_option
@pictures_option
@part_option
def evaluate(folder: Path, data: Path | None, pictures: Path, part: str) -> None:
    """Measure a model folder (models/digits/1) again."""
    from training.evaluation.evaluate import evaluate as run  # noqa: PLC0415
    from training.evaluation.plots import draw_confusion, draw_filters  # noqa: PLC0415

    digits = getattr(load_mnist(find_or_fetch_mnist(data)), part)
    result = run(folder, digits)
    measured = result.measurement
    click.echo(f"{result.passport['name']} {result.passport['version']}, {result.passport['parameters']} parameters")
    click.echo(f"{part}: {measured.accuracy:.2%} of {len(digits)} right, {measured.wrong} wrong")
    click.echo(f"expected calibration error: {measured.expected_calibration_error:.3%}")
    if result.flagged_share is not None:
        click.echo(f"flagged as no digit: {result.flagged_share:.2%}")
    click.echo(f"largest difference between model.onnx and analysis.onnx: {result.largest_difference:.1e}")
    name = result.passport["name"]
    draw_confusion(measured.confusion, pictures / f"{name}-confusion.png")
    draw_filters(result.first_filters, pictures / f"{name}-filters.png")
    click.echo(f"confusion matrix and filters: {pictures}")


@main.command()
@click.argument("folder", type=click.Path(path_type=Path))
@data_option
@part_option
def report(folder: Path, data: Path | None, part: str) -> None:
    """Write report.json into a model folder: what every filter does over a whole part."""
    from training.evaluation.report import write_report  # noqa: PLC0415

    digits = getattr(load_mnist(find_or_fetch_mnist(data)), part)
    click.echo(f"{part}: {write_report(folder, digits, part, say=click.echo)}")


@main.command()
@click.argument("folder", type=click.Path(path_type=Path))
def credit(folder: Path) -> None:
    """Write credit.onnx into a model folder: its walk back from a score to the picture."""
    from training.export.credit import add_credit  # noqa: PLC0415

    click.echo(add_credit(folder))


@main.command()
@click.argument("folder", type=click.Path(path_type=Path))
@data_option
@part_option
def card(folder: Path, data: Path | None, part: str) -> None:
    """Write card.json into a model folder: what it is for, how well it reads, and where it fails."""
    from training.evaluation.card import write_card  # noqa: PLC0415

    digits = getattr(load_mnist(find_or_fetch_mnist(data)), part)
    click.echo(f"{part}: {write_card(folder, digits, part)}")


@main.command()
@click.argument("filters", type=click.Path(path_type=Path))
@data_option
@click.option(
    "--models",
    type=click.Path(path_type=Path),
    default=_CHECKOUT / "models",
    show_default="models",
    help="Folder of models, for filters that one has learnt.",
)
def score(filters: Path, data: Path | None, models: Path) -> None:
    """
    Fit a linear read-out to the answers of a bank of filters, and say how many digits it reads right.

    FILTERS is a JSON file, such as [{"preset": "sobel_x"}, {"model": "digits", "layer": "conv1", "filter": 3}].
    """
    from training.evaluation.score import pixels, read_bank  # noqa: PLC0415
    from training.evaluation.score import score as run  # noqa: PLC0415

    bank = read_bank(filters, models)
    mnist = load_mnist(find_or_fetch_mnist(data))
    click.echo(f"{len(bank.filters)} filters, {bank.parameters} parameters, {bank.feature_count} features")
    for name, features in (("these filters", bank.features), ("pixels alone", pixels)):
        found = run(features, mnist)
        click.echo(f"{name}: test {found.test:.2%}, validation {found.validation:.2%}, train {found.train:.2%}")


@main.command()
@data_option
@models_option
@seed_option
def quick(data: Path | None, models: Path, seed: int) -> None:
    """Train a network that reads 99 %, in less than a minute."""
    mnist = find_or_fetch_mnist(data)
    click.echo(f"quick: {QUICK.epochs} epochs of {QUICK_IMAGES} digits, about {TAKES['quick']} s on two quiet cores")
    from training.study.quick import quick as run  # noqa: PLC0415

    result = run(mnist, models, seed)
    rate = result.model.passport["accuracy"]["test"]
    spent = f"{result.seconds:.1f} s ({result.core_seconds:.1f} s of cores)"
    click.echo(f"seed {seed}: test {rate:.2%} after {spent}, reading and writing included")
    click.echo(f"{result.model.passport['parameters']} parameters in {result.model.path}")


@main.command()
@data_option
@click.option(
    "--to",
    "folder",
    type=click.Path(path_type=Path),
    default=_BUILD / "seams",
    show_default="build/seams",
    help="Folder that model.onnx and passport.json are written into; the service's own is service/network/seams.",
)
@seed_option
def seams(data: Path | None, folder: Path, seed: int) -> None:
    """Train the network that says where digits touch."""
    from training.seams.export import write_seams  # noqa: PLC0415
    from training.seams.fit import fit_seams  # noqa: PLC0415
    from training.seams.knobs import SeamKnobs  # noqa: PLC0415

    knobs = SeamKnobs(seed=seed)
    network = fit_seams(load_mnist(find_or_fetch_mnist(data)).train, knobs, say=click.echo)
    write_seams(network, knobs, folder)
    click.echo(f"seed {seed}: {folder}")


@main.command()
@data_option
@models_option
@click.option(
    "--kept",
    type=click.Path(path_type=Path),
    default=_CHECKOUT / "training" / "study" / "kept",
    show_default="training/study/kept",
    help="Folder of teachers and students; a study goes on from what it finds there.",
)
@click.option(
    "--scratch",
    type=click.Path(path_type=Path),
    default=_BUILD / "study",
    show_default="build/study",
    help="Folder for what can be made again: the pool of warps (half a gigabyte) and the teachers' answers to it.",
)
@pictures_option
@click.option("--workers", type=click.IntRange(min=1), default=os.cpu_count() or 1, help="Networks trained at a time.")
def study(data: Path | None, models: Path, kept: Path, scratch: Path, pictures: Path, workers: int) -> None:
    """Make the shipped networks: teachers, their answers, students. Hours; it can be broken off and resumed."""
    from training.study.bench import Bench  # noqa: PLC0415
    from training.study.study import run_study  # noqa: PLC0415

    bench = Bench(find_or_fetch_mnist(data), kept, scratch, StudyKnobs())
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
        run_study(bench, models, pictures, pool, say=click.echo)
