"""Students learn from the teachers' answers, then are polished."""

from dataclasses import replace

import numpy as np

from training.data.mnist import load_mnist
from training.knobs import STRUCTURES
from training.networks.fit import logits_of
from training.networks.network import network_from
from training.study.kept_networks import read_network
from training.study.students import make_student


def test_a_polished_student_goes_on_from_where_it_was(done):
    bench, _, _ = done
    for seed in bench.knobs.seeds:
        notes = read_network(bench.student_file("lecture", seed))[2]
        polish = notes["recipe"]["polish"]
        assert (polish["epochs"], polish["variants"]) == (1, 5)
        assert notes["recipe"]["epochs"] == 1
        # Few small steps move few answers: it did not begin anew.
        assert abs(notes["test"] - polish["before"]["test"]) < 0.2


def test_one_that_begins_as_another_is_its_seed_polished_on_the_late_copies(done):
    bench, _, _ = done
    for seed in bench.knobs.seeds:
        first = read_network(bench.student_file("first", seed))
        structure, weights, notes = read_network(bench.student_file("tiny", seed))
        assert first[0] == structure == STRUCTURES["tiny"]
        polish = notes["recipe"]["polish"]
        assert (polish["epochs"], polish["copies"]) == (2, [1, 1])
        assert polish["before"]["test"] == first[2]["test"]
        moved = np.concatenate([(weights[part] - first[1][part]).ravel() for part in weights])
        assert 0 < np.abs(moved).max() < 0.05, "a few small steps"


def test_one_polished_beside_other_variants_is_polished_once_more(done):
    bench, _, _ = done
    place = bench.student_file("lecture", 2)
    before = place.read_bytes()
    make_student(bench, "lecture", 2)
    assert place.read_bytes() == before, "nothing is done again"
    asked = {"lecture": replace(bench.knobs.students["lecture"], polish_variants=7)}
    more = replace(bench, knobs=replace(bench.knobs, students=asked))
    make_student(more, "lecture", 2)
    notes = read_network(place)[2]
    place.write_bytes(before)
    assert notes["recipe"]["polish"]["variants"] == 7
    assert notes["recipe"]["polish"]["earlier"]["variants"] == 5


def test_students_are_structures_that_ship(done):
    bench, _, _ = done
    structure, weights, _ = read_network(bench.student_file("lecture", 1))
    assert structure == STRUCTURES["lecture"]
    logits = logits_of(network_from(structure, weights), load_mnist(bench.mnist, 60).test)
    assert np.isfinite(logits).all()
