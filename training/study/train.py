"""`train`: one network without a teacher, from the digits to a model folder and its plots."""

from dataclasses import dataclass
from pathlib import Path

from training.data.mnist import VALIDATION_COUNT, load_mnist
from training.evaluation.plots import draw_confusion, draw_filters, draw_learning_curve
from training.export.model_folder import Description, ModelFolder, write_model_folder
from training.knobs import DESCRIPTIONS, STRUCTURES, WATCHED, Knobs
from training.networks.fit import THREADS, fit
from training.networks.network import folded_weights, network_from
from training.networks.snapshots import Watch


@dataclass(frozen=True)
class Places:
    """Where a run reads and writes."""

    mnist: Path
    models: Path
    pictures: Path


def train_network(
    name: str, knobs: Knobs, places: Places, *, validation_count: int = VALIDATION_COUNT, threads: int = THREADS
) -> ModelFolder:
    """Train the structure called `name`, write `models`/`name`/1, draw what was learnt."""
    data = load_mnist(places.mnist, validation_count)
    watch = Watch(data.validation) if name in WATCHED else None
    fitted = fit(STRUCTURES[name], data, knobs, threads=threads, watch=watch)
    recipe = {**knobs.as_recipe(), "training_seconds": round(fitted.history.seconds, 1)}
    description = Description(name, "1", DESCRIPTIONS[name], knobs.seed, recipe)
    snapshots = watch.snapshots if watch else ()
    network = network_from(STRUCTURES[name], snapshots[-1].weights) if snapshots else fitted.network
    model = write_model_folder(network, data, description, places.models / name / "1", snapshots=snapshots)
    draw_learning_curve(fitted.history, places.pictures / f"{name}-learning-curve.png")
    draw_confusion(model.test.confusion, places.pictures / f"{name}-confusion.png")
    draw_filters(folded_weights(network)["conv1.weight"], places.pictures / f"{name}-filters.png")
    return model
