"""`quick`: 99 % on the test part in the fewest seconds on two cores."""

import time
from dataclasses import dataclass
from pathlib import Path

import torch

from training.data.mnist import LabelledDigits, load_mnist
from training.export.model_folder import Description, ModelFolder, write_model_folder
from training.knobs import DESCRIPTIONS, QUICK, QUICK_IMAGES, QUICK_STRUCTURE
from training.networks.fit import Epochs, Lesson, fit, lesson_of


@dataclass(frozen=True)
class Quick:
    """The model folder; from reading the digits to the written files, seconds of the clock and of all cores."""

    model: ModelFolder
    seconds: float
    core_seconds: float


def lessons_of(train: LabelledDigits, count: int) -> Epochs:
    """Return lessons of at most `count` images each, one going on where the one before ended."""
    lesson = lesson_of(train)
    count = min(count, len(train))

    def epoch_of(epoch: int) -> Lesson:
        chosen = torch.arange(epoch * count, (epoch + 1) * count) % len(train)
        return Lesson(lesson.images[chosen], lesson.labels[chosen])

    return epoch_of


def quick(mnist: Path, models: Path, seed: int) -> Quick:
    """Train the small network of the quick recipe and write `models`/quick/1."""
    started, started_cores = time.perf_counter(), time.process_time()
    data = load_mnist(mnist)
    knobs = QUICK.with_(seed=seed)
    fitted = fit(QUICK_STRUCTURE, data, knobs, lessons_of(data.train, QUICK_IMAGES))
    description = Description("quick", "1", DESCRIPTIONS["quick"], seed, knobs.as_recipe())
    folder = models / "quick" / "1"
    model = write_model_folder(fitted.network, data, description, folder, with_novelty=False)
    return Quick(model, time.perf_counter() - started, time.process_time() - started_cores)
