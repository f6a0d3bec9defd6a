"""A kept network comes back as it was."""

import numpy as np

from training.knobs import TEACHERS
from training.networks.network import TrainableNetwork, folded_weights
from training.study.kept_networks import read_network, save_network


def test_a_kept_network_comes_back_with_its_notes(tmp_path):
    structure = TEACHERS["broad"]
    network = TrainableNetwork(structure).eval()
    save_network(tmp_path / "one.npz", structure, network, {"seed": 4})
    came, weights, notes = read_network(tmp_path / "one.npz")
    assert came == structure
    assert notes == {"seed": 4}
    for name, weight in folded_weights(network).items():
        np.testing.assert_array_equal(weights[name], weight.astype(np.float16))
