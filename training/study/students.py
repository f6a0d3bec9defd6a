"""Students: the networks that ship, fitted to the teachers' answers, then polished."""

from dataclasses import asdict
from typing import Any

import numpy as np
import torch

from training.knobs import STRUCTURES, WATCHED, Knobs
from training.networks.fit import Epochs, History, Lesson, accuracy, copy_seed, fit, lesson_of, with_variants
from training.networks.network import folded_weights, in_16_bits, network_from
from training.networks.snapshots import Watch, save_snapshots
from training.networks.structure import NamedWeights
from training.study.bench import Bench
from training.study.kept_networks import read_network, save_network
from training.study.teachers import choose_teachers


def make_student(bench: Bench, name: str, seed: int) -> str:
    """
    Train a student, and polish it if it is one of those; what is kept after either is not done again.

    One that was polished beside other variants than there are now is polished once more.
    """
    asked = bench.knobs.students[name]
    path = bench.student_file(name, seed)
    if not path.is_file():
        _learn(bench, name, seed)
    _, weights, notes = read_network(path)
    polished = notes["recipe"].get("polish", {"variants": None})
    if asked.polished and polished["variants"] != asked.polish_variants:
        _polish(bench, name, seed, weights, notes)
    return name


def _learn(bench: Bench, name: str, seed: int) -> None:
    asked, data = bench.knobs.students[name], bench.data()
    knobs = bench.knobs.student.with_(
        seed=seed,
        epochs=asked.epochs,
        learning_rate=asked.learning_rate,
        distil_temperature=asked.distil_temperature,
    )
    watch = Watch(data.validation) if name in WATCHED and not asked.polished else None
    light_from = round(asked.light_from * asked.epochs)
    lessons = _pool_epochs(bench, seed, asked.variants, light_from)
    fitted = fit(STRUCTURES[name], data, knobs, lessons, threads=1, watch=watch)
    if watch is not None:
        save_snapshots(bench.history_file(name, seed), watch.snapshots)
    recipe = _recipe(bench, knobs) | {"light_from": asked.light_from, "variants": asked.variants}
    _keep_student(bench, name, seed, folded_weights(fitted.network), recipe, fitted.history)


def _polish(bench: Bench, name: str, seed: int, weights: NamedWeights, notes: dict[str, Any]) -> None:
    asked = bench.knobs.students[name]
    knobs = bench.knobs.polish.with_(seed=seed, distil_temperature=asked.distil_temperature)
    lessons = _pool_epochs(bench, seed, asked.polish_variants)
    fitted = fit(STRUCTURES[name], bench.data(), knobs, lessons, threads=1, start=weights)
    polish = {
        "epochs": knobs.epochs,
        "learning_rate": knobs.learning_rate,
        "variants": asked.polish_variants,
        "share": asked.polish_share,
        "before": {part: notes[part] for part in ("validation", "test")},
    }
    if "polish" in notes["recipe"]:
        polish["earlier"] = notes["recipe"]["polish"]
    recipe, history = {**notes["recipe"], "polish": polish}, History(**notes["history"])
    history.seconds += fitted.history.seconds
    history.images += fitted.history.images
    polished, share = in_16_bits(folded_weights(fitted.network)), asked.polish_share
    mixed = {part: (1 - share) * weights[part] + share * polished[part] for part in weights}
    _keep_student(bench, name, seed, mixed, recipe, history)


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


def _pool_epochs(bench: Bench, seed: int, variants: int = 0, light_from: int | None = None) -> Epochs:
    """
    Return each epoch's lesson: a copy of the pool, for each seed from another one on, and digits written otherwise.

    light_from: the epoch from which the light copies are shown; None, never
    """
    labels = lesson_of(bench.data().train).labels
    heavy, light = bench.knobs.pool_copies, bench.knobs.light_copies

    def epoch_of(epoch: int) -> Lesson:
        is_light = light_from is not None and epoch >= light_from
        copy = heavy + (epoch + seed) % light if is_light else (epoch + seed) % heavy
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
