"""Students: the networks that ship, fitted to the teachers' answers, then polished."""

from dataclasses import asdict
from typing import Any

import numpy as np
import torch

from training.knobs import STRUCTURES, Knobs
from training.networks.fit import Epochs, History, Lesson, accuracy, copy_seed, fit, lesson_of, with_variants
from training.networks.network import folded_weights, network_from
from training.networks.structure import NamedWeights
from training.study.bench import Bench
from training.study.kept_networks import in_16_bits, read_network, save_network
from training.study.teachers import choose_teachers


def make_student(bench: Bench, name: str, epochs: int, seed: int) -> str:
    """Train a student and polish it; what is kept after either is not done again."""
    path = bench.student_file(name, seed)
    if not path.is_file():
        knobs = bench.knobs.student.with_(seed=seed, epochs=epochs)
        fitted = fit(STRUCTURES[name], bench.data(), knobs, _pool_epochs(bench, seed), threads=1)
        _keep_student(bench, name, seed, folded_weights(fitted.network), _recipe(bench, knobs), fitted.history)
    _, weights, notes = read_network(path)
    if name in bench.knobs.polished and "polish" not in notes["recipe"]:
        knobs = bench.knobs.polish.with_(seed=seed)
        epochs_of = _pool_epochs(bench, seed, bench.knobs.polish_variants)
        fitted = fit(STRUCTURES[name], bench.data(), knobs, epochs_of, threads=1, start=weights)
        polish = {
            "epochs": knobs.epochs,
            "learning_rate": knobs.learning_rate,
            "variants": bench.knobs.polish_variants,
            "share": bench.knobs.polish_share,
            "before": {part: notes[part] for part in ("validation", "test")},
        }
        recipe, history = {**notes["recipe"], "polish": polish}, History(**notes["history"])
        history.seconds += fitted.history.seconds
        polished, share = in_16_bits(folded_weights(fitted.network)), bench.knobs.polish_share
        mixed = {part: (1 - share) * weights[part] + share * polished[part] for part in weights}
        _keep_student(bench, name, seed, mixed, recipe, history)
    return name


def _keep_student(
    bench: Bench, name: str, seed: int, weights: NamedWeights, recipe: dict[str, Any], history: History
) -> None:
    data = bench.data()
    kept = network_from(STRUCTURES[name], in_16_bits(weights))
    notes = {
        "seed": seed,
        "validation": accuracy(kept, data.validation),
        "test": accuracy(kept, data.test),
        "seconds": history.seconds,
        "recipe": recipe,
        "history": asdict(history),
    }
    save_network(bench.student_file(name, seed), STRUCTURES[name], kept, notes)


def _pool_epochs(bench: Bench, seed: int, variants: int = 0) -> Epochs:
    labels = lesson_of(bench.data().train).labels

    def epoch_of(epoch: int) -> Lesson:
        copy = (epoch + seed) % bench.knobs.pool_copies
        pictures, answers = np.load(bench.pictures_file(copy)), np.load(bench.answers_file(copy))
        lesson = Lesson(torch.from_numpy(pictures), labels, torch.from_numpy(answers))
        return with_variants(lesson, variants, copy_seed(seed, epoch)) if variants else lesson

    return epoch_of


def _recipe(bench: Bench, knobs: Knobs) -> dict[str, Any]:
    pool = {"copies": bench.knobs.pool_copies, "seed": bench.knobs.pool_seed}
    return {**knobs.as_recipe(), "teachers": choose_teachers(bench), "pool": pool}


def student_table(bench: Bench, name: str) -> list[dict[str, Any]]:
    """Return one row per finished seed: seed, validation, test, seconds, recipe."""
    files = [bench.student_file(name, seed) for seed in bench.knobs.seeds]
    return [read_network(file)[2] for file in files if file.is_file()]
