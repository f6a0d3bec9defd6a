"""A whole study in miniature: teachers, their answers, students, the shipped folder; and going on after a break."""

import json
from concurrent.futures import ThreadPoolExecutor

from training.data.mnist import load_mnist
from training.evaluation.evaluate import evaluate
from training.study.study import run_study
from training.study.teachers import choose_teachers


def test_the_best_seed_on_validation_ships_with_the_table_of_all(done):
    bench, folder, said = done
    result = evaluate(folder / "models" / "lecture" / "1", load_mnist(bench.mnist, 60).test)
    rates = result.passport["accuracy"]
    assert [row["seed"] for row in rates["seeds"]] == [1, 2]
    assert rates["validation"] == max(row["validation"] for row in rates["seeds"])
    shipped = next(row for row in rates["seeds"] if row["seed"] == rates["seed"])
    assert rates["test"] == shipped["test"] == result.measurement.accuracy
    assert result.passport["recipe"]["teachers"] == choose_teachers(bench)
    assert any(line.startswith("lecture: 2 seeds, mean on test ") for line in said)
    assert (folder / "pictures" / "lecture-learning-curve.png").is_file()


def test_the_seed_that_the_knobs_name_ships_and_its_passport_says_why(done):
    folder = done[1]
    rates = json.loads((folder / "models" / "tiny" / "1" / "passport.json").read_text())["accuracy"]
    assert (rates["seed"], rates["chosen"]) == (2, "the one asked for")
    assert not (folder / "models" / "first").exists()


def test_a_study_goes_on_from_what_is_there(done):
    bench, folder, _ = done
    before = {path: path.stat().st_mtime_ns for path in folder.rglob("*.np*")}
    bench.student_file("lecture", 2).unlink()
    with ThreadPoolExecutor(1) as pool:
        run_study(bench, folder / "models", folder / "pictures", pool, say=lambda _: None)
    after = {path: path.stat().st_mtime_ns for path in folder.rglob("*.np*")}
    changed = {path for path in before if before[path] != after[path]}
    assert changed == {bench.student_file("lecture", 2)}
