"""Teachers: trained on the digits, chosen by their mean answer, asked about a pool of warps."""

import json
from itertools import combinations
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from training.data.mnist import LabelledDigits
from training.data.warps import warped_copy
from training.export.calibration import best_temperature, probabilities_at
from training.knobs import TEACHERS
from training.networks.fit import accuracy, as_bytes, copy_seed, fit, logits_of
from training.networks.network import network_from
from training.study.bench import Bench, save_array
from training.study.kept_networks import read_network, save_network


def make_pictures(bench: Bench, copy: int) -> None:
    """Warp the training part once more for the pool, unless that copy is there."""
    path = bench.pictures_file(copy)
    if path.is_file():
        return
    torch.set_num_threads(1)
    knobs = bench.knobs
    copies, warps, seed = next(
        kind
        for kind in (
            (bench.heavy, knobs.pool_warps, knobs.pool_seed),
            (bench.light, knobs.light_warps, knobs.light_seed),
            (bench.rough, knobs.rough_warps, knobs.rough_seed),
            (bench.clear, knobs.light_warps, knobs.clear_seed),
        )
        if copy in kind[0]
    )
    images = warped_copy(as_bytes(bench.data().train), warps, copy_seed(seed, copies.index(copy)))
    save_array(path, images.numpy())


def make_teacher(bench: Bench, name: str, seed: int) -> None:
    """Train a teacher on the digits and keep it, unless it is kept already."""
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


def _surprise(logits: list[NDArray[np.float32]], part: LabelledDigits) -> float:
    """Return the mean of -log p(label) under the mean of these logits, at its own best temperature."""
    mean = np.mean(logits, axis=0)
    chances = probabilities_at(mean, best_temperature(mean, part.labels))
    return float(-np.log(chances[np.arange(len(part)), part.labels]).mean())


def make_answers(bench: Bench, copy: int) -> None:
    """
    Keep the chosen teachers' mean logits for one copy of the pool, (count, 10) float16, each row with mean 0.

    Of a late copy, rough or clear, every seed of the students that others begin as is asked as well.
    """
    path = bench.answers_file(copy)
    if path.is_file():
        return
    torch.set_num_threads(1)
    pictures = LabelledDigits(np.load(bench.pictures_file(copy))[:, 0], bench.data().train.labels)
    files = [bench.kept / f"{row['file']}.npz" for row in choose_teachers(bench)]
    if copy >= bench.light.stop:
        files += [bench.student_file(name, seed) for name in bench.begun for seed in bench.knobs.seeds]
    teachers = [network_from(*read_network(file)[:2]) for file in files]
    for teacher in teachers:
        teacher.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    answers = np.mean([logits_of(teacher, pictures, "auto") for teacher in teachers], axis=0)
    save_array(path, (answers - answers.mean(1, keepdims=True)).astype(np.float16))
