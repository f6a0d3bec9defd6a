"""`train`: one network without a teacher, from the digits to a model folder and its plots."""

from dataclasses import dataclass
from pathlib import Path

from training.data.mnist import VALIDATION_COUNT, load_mnist
from training.evaluation.plots import draw_confusion, draw_filters, draw_learning_curve
from training.export.model_folder import Description, ModelFolder, write_model_folder
from training.knobs import DESCRIPTIONS, STRUCTURES, Knobs
from training.networks.fit import THREADS, fit
from training.networks.network import folded_weights


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
    fitted = fit(STRUCTURES[name], data, knobs, threads=threads)
    recipe = {**knobs.as_recipe(), "training_seconds": round(fitted.history.seconds, 1)}
    description = Description(name, "1", DESCRIPTIONS[name], knobs.seed, recipe)
    model = write_model_folder(fitted.network, data, description, places.models / name / "1")
    draw_learning_curve(fitted.history, places.pictures / f"{name}-learning-curve.png")
    draw_confusion(model.test.confusion, places.pictures / f"{name}-confusion.png")
    draw_filters(folded_weights(fitted.network)["conv1.weight"], places.pictures / f"{name}-filters.png")
    return model
