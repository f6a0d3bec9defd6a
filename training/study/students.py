"""Students: the networks that ship, fitted to the teachers' answers, then polished."""

from collections.abc import Callable
from dataclasses import asdict
from typing import Any

import numpy as np
import torch

from training.knobs import WATCHED, Knobs
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

    One that was polished beside other variants than there are now is polished once more. One that begins as another
    is that other's seed, polished on the late copies.
    """
    asked = bench.knobs.students[name]
    path = bench.student_file(name, seed)
    if not path.is_file() and asked.begins_as is None:
        _learn(bench, name, seed)
    begun = path if path.is_file() or asked.begins_as is None else bench.student_file(asked.begins_as, seed)
    _, weights, notes = read_network(begun)
    if begun != path:
        _polish(bench, name, seed, weights, notes)
        return name
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
    heavy, light = [bench.heavy], [bench.light]
    lessons = _lessons(bench, seed, lambda epoch: light if epoch >= light_from else heavy, asked.variants)
    fitted = fit(bench.form(name), data, knobs, lessons, threads=1, watch=watch)
    if watch is not None:
        save_snapshots(bench.history_file(name, seed), watch.snapshots)
    recipe = _recipe(bench, knobs) | {"light_from": asked.light_from, "variants": asked.variants}
    _keep_student(bench, name, seed, folded_weights(fitted.network), recipe, fitted.history)


def _polish(bench: Bench, name: str, seed: int, weights: NamedWeights, notes: dict[str, Any]) -> None:
    asked = bench.knobs.students[name]
    knobs = bench.knobs.polish.with_(seed=seed, epochs=asked.polish_epochs, distil_temperature=asked.distil_temperature)
    pools = [bench.heavy] if asked.begins_as is None else [bench.rough, bench.clear]
    lessons = _lessons(bench, seed, lambda _: pools, asked.polish_variants)
    fitted = fit(bench.form(name), bench.data(), knobs, lessons, threads=1, start=weights)
    polish = {
        "epochs": knobs.epochs,
        "learning_rate": knobs.learning_rate,
        "variants": asked.polish_variants,
        "share": asked.polish_share,
        "copies": [len(pool) for pool in pools],
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
    kept = network_from(bench.form(name), in_16_bits(weights))
    notes = {
        "seed": seed,
        "validation": accuracy(kept, data.validation),
        "test": accuracy(kept, data.test),
        "seconds": history.seconds,
        "recipe": recipe,
        "history": asdict(history),
    }
    save_network(bench.student_file(name, seed), bench.form(name), kept, notes)


def _lessons(bench: Bench, seed: int, pools_of: Callable[[int], list[range]], variants: int) -> Epochs:
    """
    Return each epoch's lesson: a copy, for each seed from another one on, and digits written otherwise.

    pools_of: the copies that are shown, each row of them by turns, by the epoch's number
    """
    labels = lesson_of(bench.data().train).labels

    def epoch_of(epoch: int) -> Lesson:
        pools = pools_of(epoch)
        copies = pools[epoch % len(pools)]
        copy = copies[(epoch // len(pools) + seed) % len(copies)]
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
