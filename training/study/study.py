"""
How the shipped networks are made: teachers, their answers to a pool of warps, then students, seed by seed.

Every step leaves a file and is skipped when its file is there, so that a study broken off goes on after its last
finished network. Networks are kept in 16 bits; so are the answers, which the kept teachers give again in minutes, as
the seed gives the pool's pictures. No file but those pictures exceeds 1 MiB. Networks are trained side by side, one
thread each, which wastes less than two threads on one network. A student's numbers are measured on the 16-bit weights
that are kept, so that what is reported is what ships.
"""

import json
import time
from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_COMPLETED, Executor, Future, wait
from dataclasses import asdict, dataclass
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from training.data.mnist import VALIDATION_COUNT, Mnist, Part, load_mnist
from training.data.warps import warped_copy
from training.evaluation.plots import draw_learning_curve
from training.export.calibration import best_temperature, probabilities_at
from training.export.model_folder import Description, write_model_folder, write_passport
from training.knobs import DESCRIPTIONS, STRUCTURES, TEACHERS, Knobs, StudyKnobs
from training.networks.fit import (
    Epochs,
    History,
    Lesson,
    accuracy,
    as_bytes,
    copy_seed,
    fit,
    lesson_of,
    logits_of,
    with_variants,
)
from training.networks.network import Network, folded_weights, network_from
from training.networks.structure import Structure, Weights


@dataclass(frozen=True)
class Bench:
    """Where a study works: the digits, the networks to keep, what can be made again, and its knobs."""

    mnist: Path
    kept: Path
    scratch: Path
    knobs: StudyKnobs
    validation_count: int = VALIDATION_COUNT

    def data(self) -> Mnist:
        """Read the digits; every worker reads its own."""
        return load_mnist(self.mnist, self.validation_count)

    def teacher_file(self, name: str, seed: int) -> Path:
        """Return where a teacher is kept."""
        return self.kept / f"teacher-{name}-{seed}.npz"

    def answers_file(self, copy: int) -> Path:
        """Return where the teachers' answers to one copy of the pool are kept."""
        return self.scratch / f"answers-{copy:02d}.npy"

    def pictures_file(self, copy: int) -> Path:
        """Return where one copy of the pool lies."""
        return self.scratch / f"pictures-{copy:02d}.npy"

    def student_file(self, name: str, seed: int) -> Path:
        """Return where a student is kept."""
        return self.kept / f"student-{name}-{seed}.npz"


def run_study(bench: Bench, models: Path, pictures: Path, pool: Executor, say: Callable[[str], None] = print) -> None:
    """
    Run whatever is not done yet; after every student put the best seed so far into `models`, and draw its curve.

    pool: runs the steps, as many side by side as it has workers
    """
    bench.kept.mkdir(parents=True, exist_ok=True)
    bench.scratch.mkdir(parents=True, exist_ok=True)
    started = time.perf_counter()
    _all(pool, [(_make_pictures, (bench, copy)) for copy in range(bench.knobs.pool_copies)])
    _all(pool, [(_make_teacher, (bench, *teacher)) for teacher in bench.knobs.teachers])
    say("teachers: " + ", ".join(f"{row['file']} ({row['validation']:.2%})" for row in choose_teachers(bench)))
    _all(pool, [(_make_answers, (bench, copy)) for copy in range(bench.knobs.pool_copies)])
    students = [(name, epochs, seed) for seed in bench.knobs.seeds for name, epochs in bench.knobs.students]
    for name in _as_finished(pool, [(_make_student, (bench, *student)) for student in students]):
        passport = ship_best(bench, name, models)
        draw_learning_curve(_history(bench, passport), pictures / f"{name}-learning-curve.png")
        say(f"{name}: {_summary(passport)}; {(time.perf_counter() - started) / 3600:.2f} h so far")


def ship_best(bench: Bench, name: str, models: Path) -> dict[str, Any]:
    """
    Put the finished seed of `name` that is best on the validation part into `models`/`name`/1; return its passport.

    While the best seed stays the same, only the table of seeds in its passport is written again.
    """
    seeds = student_table(bench, name)
    best = max(seeds, key=lambda row: (row["validation"], -row["seed"]))
    tests = [row["test"] for row in seeds]
    notes = {
        "seeds": [{key: row[key] for key in ("seed", "validation", "test")} for row in seeds],
        "test_mean_of_seeds": round(float(np.mean(tests)), 6),
        "test_worst_seed": min(tests),
    }
    folder = models / name / "1"
    shipped = _shipped_passport(folder, best)
    if shipped is not None:
        shipped["accuracy"] |= notes
        write_passport(folder, shipped)
        return shipped
    structure, weights, _ = read_network(bench.student_file(name, best["seed"]))
    description = Description(name, "1", DESCRIPTIONS[name], best["seed"], best["recipe"], notes)
    network = network_from(structure, weights)
    return write_model_folder(network, bench.data(), description, folder).passport


def _shipped_passport(folder: Path, best: dict[str, Any]) -> dict[str, Any] | None:
    """Return the passport that is shipped, if it is of this very network."""
    path = folder / "passport.json"
    if not path.is_file():
        return None
    passport: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    same = passport["accuracy"]["seed"] == best["seed"] and passport["recipe"] == best["recipe"]
    return passport if same else None


def _history(bench: Bench, passport: dict[str, Any]) -> History:
    _, _, notes = read_network(bench.student_file(passport["name"], passport["accuracy"]["seed"]))
    return History(**notes["history"])


def student_table(bench: Bench, name: str) -> list[dict[str, Any]]:
    """Return one row per finished seed: seed, validation, test, seconds, recipe."""
    files = [bench.student_file(name, seed) for seed in bench.knobs.seeds]
    return [read_network(file)[2] for file in files if file.is_file()]


def in_16_bits(weights: Weights) -> Weights:
    """Round weights to what 16 bits hold."""
    return {name: array.astype(np.float16).astype(np.float32) for name, array in weights.items()}


def save_network(path: Path, structure: Structure, network: Network, notes: dict[str, Any]) -> None:
    """Keep folded weights in 16 bits, with the structure's name and notes as JSON."""
    arrays: dict[str, Any] = {name: array.astype(np.float16) for name, array in folded_weights(network).items()}
    partial = path.with_suffix(".partial.npz")
    np.savez_compressed(partial, notes=np.array(json.dumps(notes)), structure=np.array(_name_of(structure)), **arrays)
    partial.replace(path)


def read_network(path: Path) -> tuple[Structure, Weights, dict[str, Any]]:
    """Read what `save_network` kept: the structure, its weights as float32, the notes."""
    with np.load(path) as kept:
        weights = {name: kept[name].astype(np.float32) for name in kept.files if name not in ("notes", "structure")}
        return _structure_named(str(kept["structure"])), weights, json.loads(str(kept["notes"]))


def _make_pictures(bench: Bench, copy: int) -> None:
    path = bench.pictures_file(copy)
    if path.is_file():
        return
    torch.set_num_threads(1)
    knobs = bench.knobs
    images = warped_copy(as_bytes(bench.data().train), knobs.pool_warps, copy_seed(knobs.pool_seed, copy))
    _save_array(path, images.numpy())


def _make_teacher(bench: Bench, name: str, seed: int) -> None:
    path = bench.teacher_file(name, seed)
    if path.is_file():
        return
    data = bench.data()
    fitted = fit(TEACHERS[name], data, bench.knobs.teacher.with_(seed=seed), threads=1)
    notes = {
        "seed": seed,
        "validation": accuracy(fitted.network, data.validation),
        "seconds": fitted.history.seconds,
    }
    save_network(path, TEACHERS[name], fitted.network, notes)


def choose_teachers(bench: Bench) -> list[dict[str, Any]]:
    """
    Return the teachers whose mean answer is likeliest on the validation part, out of every choice of them.

    Each row names the file and its accuracy on the validation part; the choice is kept, so that answers made before
    and after an interruption come from the same teachers.
    """
    path = bench.kept / "teachers.json"
    if not path.is_file():
        validation = bench.data().validation
        files = [bench.teacher_file(*teacher) for teacher in bench.knobs.teachers]
        logits = {file: logits_of(network_from(*read_network(file)[:2]), validation) for file in files}
        choices = [choice for size in range(1, len(files) + 1) for choice in combinations(files, size)]
        best = min(choices, key=lambda choice: _surprise([logits[file] for file in choice], validation))
        rows = [{"file": file.stem, "validation": read_network(file)[2]["validation"]} for file in best]
        path.write_text(json.dumps(rows, indent=2) + "\n", encoding="utf-8")
    chosen: list[dict[str, Any]] = json.loads(path.read_text(encoding="utf-8"))
    return chosen


def _surprise(logits: list[NDArray[np.float32]], part: Part) -> float:
    """Return the mean of -log p(label) under the mean of these logits, at its own best temperature."""
    mean = np.mean(logits, axis=0)
    chances = probabilities_at(mean, best_temperature(mean, part.labels))
    return float(-np.log(chances[np.arange(len(part)), part.labels]).mean())


def _make_answers(bench: Bench, copy: int) -> None:
    path = bench.answers_file(copy)
    if path.is_file():
        return
    torch.set_num_threads(1)
    pictures = Part(np.load(bench.pictures_file(copy))[:, 0], bench.data().train.labels)
    files = [bench.kept / f"{row['file']}.npz" for row in choose_teachers(bench)]
    teachers = [network_from(*read_network(file)[:2]) for file in files]
    for teacher in teachers:
        teacher.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    answers = np.mean([logits_of(teacher, pictures, "auto") for teacher in teachers], axis=0)
    _save_array(path, (answers - answers.mean(1, keepdims=True)).astype(np.float16))


def _make_student(bench: Bench, name: str, epochs: int, seed: int) -> str:
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
    bench: Bench, name: str, seed: int, weights: Weights, recipe: dict[str, Any], history: History
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


def _summary(passport: dict[str, Any]) -> str:
    rates = passport["accuracy"]
    return (
        f"{len(rates['seeds'])} seeds, mean on test {rates['test_mean_of_seeds']:.4%}, worst "
        f"{rates['test_worst_seed']:.4%}; shipped seed {rates['seed']}: validation {rates['validation']:.4%}, "
        f"test {rates['test']:.4%}, {passport['parameters']} parameters"
    )


def _all(pool: Executor, tasks: list[tuple[Callable[..., Any], tuple[Any, ...]]]) -> None:
    for future in [pool.submit(function, *arguments) for function, arguments in tasks]:
        future.result()


def _as_finished(pool: Executor, tasks: list[tuple[Callable[..., str], tuple[Any, ...]]]) -> Iterator[str]:
    waiting: set[Future[str]] = {pool.submit(function, *arguments) for function, arguments in tasks}
    while waiting:
        done, waiting = wait(waiting, return_when=FIRST_COMPLETED)
        yield from (future.result() for future in done)


def _save_array(path: Path, array: NDArray[Any]) -> None:
    partial = path.with_suffix(".partial.npy")
    np.save(partial, array)
    partial.replace(path)


def _name_of(structure: Structure) -> str:
    return next(name for name, known in {**STRUCTURES, **TEACHERS}.items() if known == structure)


def _structure_named(name: str) -> Structure:
    return {**STRUCTURES, **TEACHERS}[name]
