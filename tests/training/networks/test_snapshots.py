"""Snapshots: taken from the random beginning to the end, measured as they are kept, and without a trace in training."""

import numpy as np
import pytest

from training.data.mnist import load_mnist
from training.knobs import STRUCTURES, Knobs
from training.networks.fit import accuracy, fit
from training.networks.network import folded_weights, in_16_bits, network_from
from training.networks.snapshots import Watch, moments, read_snapshots, save_snapshots

KNOBS = Knobs(epochs=2, batch_size=25, average_steps=5, validate_every=5)


@pytest.fixture(scope="module")
def watched(folder):
    data = load_mnist(folder, 100)
    watch = Watch(data.validation, 6)
    return data, watch, fit(STRUCTURES["lecture"], data, KNOBS, watch=watch)


@pytest.mark.parametrize("count", [2, 6, 24])
@pytest.mark.parametrize("steps", [1, 2, 5, 25, 1000, 12_240])
def test_looks_are_at_steps_of_their_own_from_none_to_all(steps, count):
    taken = moments(steps, count)
    assert (taken[0], taken[-1]) == (0, steps)
    assert (np.diff(taken) > 0).all()
    assert len(taken) == min(steps, count) + 1


def test_what_was_seen_grows_from_nothing_to_all(watched):
    data, watch, fitted = watched
    seen = [one.images for one in watch.snapshots]
    assert (seen[0], seen[-1]) == (0, KNOBS.epochs * len(data.train))
    assert len(seen) == 7
    assert fitted.history.images == seen[-1]


def test_the_last_is_the_network_itself_and_each_is_measured_as_it_is_kept(watched):
    data, watch, fitted = watched
    for name, array in in_16_bits(folded_weights(fitted.network)).items():
        np.testing.assert_array_equal(watch.snapshots[-1].weights[name], array)
    for one in watch.snapshots[::3]:
        again = network_from(STRUCTURES["lecture"], one.weights)
        assert accuracy(again, data.validation) == one.accuracy
    assert watch.snapshots[-1].loss < watch.snapshots[0].loss


def test_training_that_is_watched_ends_where_it_would_have(watched):
    data, _, fitted = watched
    alone = folded_weights(fit(STRUCTURES["lecture"], data, KNOBS).network)
    for name, array in folded_weights(fitted.network).items():
        np.testing.assert_array_equal(array, alone[name])


def test_snapshots_are_read_as_they_were_saved(watched, tmp_path):
    _, watch, _ = watched
    save_snapshots(tmp_path / "history.npz", watch.snapshots)
    for one, again in zip(watch.snapshots, read_snapshots(tmp_path / "history.npz"), strict=True):
        assert (one.images, one.loss, one.accuracy) == (again.images, again.loss, again.accuracy)
        for name, array in one.weights.items():
            np.testing.assert_array_equal(again.weights[name], array)


def test_25_snapshots_of_the_lectures_network_are_small(watched, tmp_path):
    _, watch, _ = watched
    save_snapshots(tmp_path / "history.npz", (watch.snapshots * 4)[:25])
    assert (tmp_path / "history.npz").stat().st_size < 400_000
