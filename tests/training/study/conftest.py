"""A whole study in miniature, run once."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from training.knobs import Knobs, StudentKnobs, StudyKnobs
from training.study.bench import Bench
from training.study.study import run_study

KNOBS = StudyKnobs(
    teachers=(("wide", 1), ("wide", 2)),
    teacher=Knobs(epochs=1, batch_size=20, average_steps=5),
    pool_copies=1,
    light_copies=1,
    rough_copies=1,
    clear_copies=1,
    students={
        "first": StudentKnobs(epochs=1, form="tiny"),
        "tiny": StudentKnobs(
            epochs=1, begins_as="first", polish_epochs=2, polish_variants=5, ships=2, ships_as="the one asked for"
        ),
        "lecture": StudentKnobs(epochs=1, polished=True, polish_variants=5, polish_epochs=1),
    },
    seeds=(1, 2),
    student=Knobs(batch_size=20, average_steps=5),
    polish=Knobs(batch_size=20, average_steps=5, learning_rate=1e-4),
)


@pytest.fixture(scope="session")
def done(tmp_path_factory, write_drawn_digits):
    """A study that has run: its bench, its folder, what it said."""
    folder = tmp_path_factory.mktemp("study")
    write_drawn_digits(folder / "digits", train_count=160, test_count=60)
    bench = Bench(folder / "digits", folder / "kept", folder / "scratch", KNOBS, validation_count=60)
    said = []
    with ThreadPoolExecutor(1) as pool:
        run_study(bench, folder / "models", folder / "pictures", pool, say=said.append)
    return bench, folder, said
