"""A whole study in miniature: teachers, their answers, students, the shipped folder; and going on after a break."""

import json
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from training.data.mnist import load_mnist
from training.data.warps import warped_copy
from training.evaluation.evaluate import evaluate
from training.knobs import STRUCTURES, TEACHERS, Knobs, StudyKnobs
from training.networks.fit import logits_of
from training.networks.network import Network, folded_weights, network_from
from training.study.bench import Bench
from training.study.kept_networks import read_network, save_network
from training.study.study import run_study
from training.study.teachers import choose_teachers

KNOBS = StudyKnobs(
    teachers=(("wide", 1), ("wide", 2)),
    teacher=Knobs(epochs=1, batch_size=20, average_steps=5),
    pool_copies=1,
    students=(("lecture", 1),),
    seeds=(1, 2),
    student=Knobs(batch_size=20, average_steps=5),
    polished=("lecture",),
    polish=Knobs(epochs=1, batch_size=20, average_steps=5, learning_rate=1e-4),
    polish_variants=5,
)


@pytest.fixture(scope="module")
def done(tmp_path_factory, write_drawn_digits):
    folder = tmp_path_factory.mktemp("study")
    write_drawn_digits(folder / "digits", train_count=160, test_count=60)
    bench = Bench(folder / "digits", folder / "kept", folder / "scratch", KNOBS, validation_count=60)
    said = []
    with ThreadPoolExecutor(1) as pool:
        run_study(bench, folder / "models", folder / "pictures", pool, say=said.append)
    return bench, folder, said


def test_the_best_seed_on_validation_ships_with_the_table_of_all(done):
    bench, folder, said = done
    result = evaluate(folder / "models" / "lecture" / "1", load_mnist(bench.mnist, 60).test)
    rates = result.passport["accuracy"]
    assert [row["seed"] for row in rates["seeds"]] == [1, 2]
    assert rates["validation"] == max(row["validation"] for row in rates["seeds"])
    shipped = next(row for row in rates["seeds"] if row["seed"] == rates["seed"])
    assert rates["test"] == shipped["test"] == result.measurement.accuracy
    assert result.passport["recipe"]["teachers"] == choose_teachers(bench)
    assert said[-1].startswith("lecture: 2 seeds, mean on test ")
    assert (folder / "pictures" / "lecture-learning-curve.png").is_file()


def test_a_polished_student_goes_on_from_where_it_was(done):
    bench, _, _ = done
    for seed in KNOBS.seeds:
        notes = read_network(bench.student_file("lecture", seed))[2]
        polish = notes["recipe"]["polish"]
        assert (polish["epochs"], polish["variants"]) == (1, 5)
        assert notes["recipe"]["epochs"] == 1
        # Few small steps move few answers: it did not begin anew.
        assert abs(notes["test"] - polish["before"]["test"]) < 0.2


def test_what_a_later_run_needs_is_kept_in_16_bits_under_a_mebibyte(done):
    bench, _, _ = done
    answers = np.load(bench.answers_file(0))
    assert answers.dtype == np.float16
    assert answers.shape == (100, 10)
    assert 50_000 * 10 * answers.itemsize + 1000 < 2**20, "of the whole training part as well"
    for teacher in KNOBS.teachers:
        file = bench.teacher_file(*teacher)
        assert file.stat().st_size < 2**20
        with np.load(file) as kept:
            assert kept["conv1.weight"].dtype == np.float16


def test_the_answers_are_the_chosen_teachers_mean_on_the_pools_warps(done):
    import torch

    bench, _, _ = done
    part = load_mnist(bench.mnist, 60).train
    seed = KNOBS.pool_seed * 100_003
    pictures = warped_copy(torch.from_numpy(part.images.copy())[:, None], KNOBS.pool_warps, seed)
    np.testing.assert_array_equal(np.load(bench.pictures_file(0)), pictures)
    files = [bench.kept / f"{row['file']}.npz" for row in choose_teachers(bench)]
    with torch.no_grad():
        answers = [network_from(*read_network(file)[:2])(pictures.float() / 255).numpy() for file in files]
    mean = np.mean(answers, axis=0)
    # bfloat16 on the way, float16 in the file
    expected = mean - mean.mean(1, keepdims=True)
    np.testing.assert_allclose(np.load(bench.answers_file(0)), expected, atol=0.05 * np.abs(expected).max())


def test_a_study_goes_on_from_what_is_there(done):
    bench, folder, _ = done
    before = {path: path.stat().st_mtime_ns for path in folder.rglob("*.np*")}
    bench.student_file("lecture", 2).unlink()
    with ThreadPoolExecutor(1) as pool:
        run_study(bench, folder / "models", folder / "pictures", pool, say=lambda _: None)
    after = {path: path.stat().st_mtime_ns for path in folder.rglob("*.np*")}
    changed = {path for path in before if before[path] != after[path]}
    assert changed == {bench.student_file("lecture", 2)}


def test_a_kept_network_comes_back_with_its_notes(tmp_path):
    structure = TEACHERS["broad"]
    network = Network(structure).eval()
    save_network(tmp_path / "one.npz", structure, network, {"seed": 4})
    came, weights, notes = read_network(tmp_path / "one.npz")
    assert came == structure
    assert notes == {"seed": 4}
    for name, weight in folded_weights(network).items():
        np.testing.assert_array_equal(weights[name], weight.astype(np.float16))


def test_the_choice_of_teachers_is_made_once_and_by_their_mean_answer(tmp_path, write_drawn_digits):
    write_drawn_digits(tmp_path / "digits", train_count=120, test_count=10)
    bench = Bench(tmp_path / "digits", tmp_path, tmp_path, KNOBS, validation_count=60)
    for name, seed in KNOBS.teachers:
        save_network(bench.teacher_file(name, seed), TEACHERS[name], Network(TEACHERS[name]), {"validation": seed / 10})
    rows = choose_teachers(bench)
    assert 1 <= len(rows) <= 2
    assert json.loads((tmp_path / "teachers.json").read_text()) == rows
    bench.teacher_file(*KNOBS.teachers[0]).unlink()
    assert choose_teachers(bench) == rows


def test_students_are_structures_that_ship(done):
    bench, _, _ = done
    structure, weights, _ = read_network(bench.student_file("lecture", 1))
    assert structure == STRUCTURES["lecture"]
    logits = logits_of(network_from(structure, weights), load_mnist(bench.mnist, 60).test)
    assert np.isfinite(logits).all()
