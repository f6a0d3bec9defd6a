"""
`study`: makes the shipped networks, step by step: teachers, their answers, students.

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
from pathlib import Path
from typing import Any

import numpy as np

from training.evaluation.plots import draw_learning_curve
from training.export.credit import write_passport
from training.export.model_folder import Description, write_model_folder
from training.knobs import DESCRIPTIONS
from training.networks.fit import History
from training.networks.network import network_from
from training.networks.snapshots import read_snapshots
from training.study.bench import Bench
from training.study.kept_networks import read_network
from training.study.students import make_student, student_table
from training.study.teachers import choose_teachers, make_answers, make_pictures, make_teacher


def run_study(bench: Bench, models: Path, pictures: Path, pool: Executor, say: Callable[[str], None] = print) -> None:
    """
    Run whatever is not done yet; after every student put the best seed so far into `models`, and draw its curve.

    pool: runs the steps, as many side by side as it has workers
    """
    bench.kept.mkdir(parents=True, exist_ok=True)
    bench.scratch.mkdir(parents=True, exist_ok=True)
    started = time.perf_counter()
    first, late = [*bench.heavy, *bench.light], [*bench.rough, *bench.clear]
    _all(pool, [(make_pictures, (bench, copy)) for copy in [*first, *late]])
    _all(pool, [(make_teacher, (bench, *teacher)) for teacher in bench.knobs.teachers])
    say("teachers: " + ", ".join(f"{row['file']} ({row['validation']:.2%})" for row in choose_teachers(bench)))
    _all(pool, [(make_answers, (bench, copy)) for copy in first])
    _all(pool, [(make_student, (bench, name, seed)) for name in bench.begun for seed in bench.knobs.seeds])
    _all(pool, [(make_answers, (bench, copy)) for copy in late])
    shipped = [name for name in bench.knobs.students if name not in bench.begun]
    students = [(name, seed) for seed in bench.knobs.seeds for name in shipped]
    for name in _as_finished(pool, [(make_student, (bench, *student)) for student in students]):
        passport = ship_best(bench, name, models)
        draw_learning_curve(_history(bench, passport), pictures / f"{name}-learning-curve.png")
        say(f"{name}: {_summary(passport)}; {(time.perf_counter() - started) / 3600:.2f} h so far")


def ship_best(bench: Bench, name: str, models: Path) -> dict[str, Any]:
    """
    Put the finished seed of `name` that is best on the validation part into `models`/`name`/1; return its passport.

    Where the knobs name the seed that ships, it is that one, as soon as it is finished.

    While the best seed stays the same, only the table of seeds in its passport is written again.
    """
    seeds = student_table(bench, name)
    asked = bench.knobs.students[name]
    best = max(seeds, key=lambda row: (row["seed"] == asked.ships, row["validation"], -row["seed"]))
    tests = [row["test"] for row in seeds]
    notes = {
        "seeds": [{key: row[key] for key in ("seed", "validation", "test")} for row in seeds],
        "test_mean_of_seeds": round(float(np.mean(tests)), 6),
        "test_worst_seed": min(tests),
    }
    if best["seed"] == asked.ships:
        notes["chosen"] = asked.ships_as
    folder = models / name / "1"
    shipped = _shipped_passport(folder, best)
    if shipped is not None:
        shipped["accuracy"] |= notes
        write_passport(folder, shipped)
        return shipped
    structure, weights, _ = read_network(bench.student_file(name, best["seed"]))
    description = Description(name, "1", DESCRIPTIONS[name], best["seed"], best["recipe"], notes)
    network = network_from(structure, weights)
    history = bench.history_file(name, best["seed"])
    snapshots = read_snapshots(history) if history.is_file() else []
    return write_model_folder(network, bench.data(), description, folder, snapshots=snapshots).passport


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
