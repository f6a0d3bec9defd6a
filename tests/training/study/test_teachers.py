"""Teachers are chosen once, and answer the pool."""

import json
from dataclasses import replace

import numpy as np
import torch

from training.data.mnist import load_mnist
from training.data.warps import warped_copy
from training.knobs import TEACHERS
from training.networks.network import TrainableNetwork, network_from
from training.study.kept_networks import read_network, save_network
from training.study.teachers import choose_teachers


def test_the_answers_are_the_chosen_teachers_mean_on_the_pools_warps(done):
    bench, _, _ = done
    part = load_mnist(bench.mnist, 60).train
    seed = bench.knobs.pool_seed * 100_003
    pictures = warped_copy(torch.from_numpy(part.images.copy())[:, None], bench.knobs.pool_warps, seed)
    np.testing.assert_array_equal(np.load(bench.pictures_file(0)), pictures)
    files = [bench.kept / f"{row['file']}.npz" for row in choose_teachers(bench)]
    with torch.no_grad():
        answers = [network_from(*read_network(file)[:2])(pictures.float() / 255).numpy() for file in files]
    mean = np.mean(answers, axis=0)
    # bfloat16 on the way, float16 in the file
    expected = mean - mean.mean(1, keepdims=True)
    np.testing.assert_allclose(np.load(bench.answers_file(0)), expected, atol=0.05 * np.abs(expected).max())


def test_a_late_copy_is_answered_by_the_first_students_as_well(done):
    bench, _, _ = done
    part = load_mnist(bench.mnist, 60).train
    (rough,), (clear,) = bench.rough, bench.clear
    for copy, warps, seed in (
        (rough, bench.knobs.rough_warps, bench.knobs.rough_seed),
        (clear, bench.knobs.light_warps, bench.knobs.clear_seed),
    ):
        pictures = warped_copy(torch.from_numpy(part.images.copy())[:, None], warps, seed * 100_003)
        np.testing.assert_array_equal(np.load(bench.pictures_file(copy)), pictures)
        files = [bench.kept / f"{row['file']}.npz" for row in choose_teachers(bench)]
        files += [bench.student_file("first", seed) for seed in bench.knobs.seeds]
        with torch.no_grad():
            mean = np.mean([network_from(*read_network(f)[:2])(pictures.float() / 255).numpy() for f in files], axis=0)
        expected = mean - mean.mean(1, keepdims=True)
        np.testing.assert_allclose(np.load(bench.answers_file(copy)), expected, atol=0.05 * np.abs(expected).max())


def test_the_choice_of_teachers_is_made_once_and_by_their_mean_answer(tmp_path, write_drawn_digits, done):
    write_drawn_digits(tmp_path / "digits", train_count=120, test_count=10)
    bench = replace(done[0], mnist=tmp_path / "digits", kept=tmp_path, scratch=tmp_path)
    for name, seed in bench.knobs.teachers:
        save_network(
            bench.teacher_file(name, seed), TEACHERS[name], TrainableNetwork(TEACHERS[name]), {"validation": seed / 10}
        )
    rows = choose_teachers(bench)
    assert 1 <= len(rows) <= 2
    assert json.loads((tmp_path / "teachers.json").read_text()) == rows
    bench.teacher_file(*bench.knobs.teachers[0]).unlink()
    assert choose_teachers(bench) == rows
