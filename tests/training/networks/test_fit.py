"""Training learns, and comes from its seed."""

from training.data.mnist import load_mnist
from training.knobs import Knobs
from training.networks.fit import accuracy, fit, uses_bfloat16
from training.networks.structure import Conv, Pool, Structure


def test_training_learns_and_a_seed_gives_the_same_network_again(folder):
    data = load_mnist(folder, 100)
    structure = Structure((Conv(4, (5, 5), (2, 2)), Pool()))
    knobs = Knobs(epochs=6, batch_size=20, average_steps=20, validate_every=100, precision="float32", seed=5)
    first, again = (fit(structure, data, knobs, threads=1) for _ in range(2))
    assert accuracy(first.network, data.test) > 0.6, "chance is 0.1"
    assert first.history.train_loss == again.history.train_loss
    assert first.history.train_loss[-1] < first.history.train_loss[0]


def test_the_precision_is_the_one_asked_for_or_found_out():
    assert uses_bfloat16("bfloat16")
    assert not uses_bfloat16("float32")
    assert uses_bfloat16("auto") in {True, False}
