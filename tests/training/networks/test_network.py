"""A network and its folded weights compute the same."""

import numpy as np
import pytest
import torch

from tests.training.random_networks import SEEDS, random_network, random_structure
from training.networks.network import folded_weights, network_from


@pytest.mark.parametrize("seed", SEEDS)
def test_a_network_rebuilt_from_its_folded_weights_answers_the_same(seed):
    random = np.random.default_rng(seed)
    structure = random_structure(random)
    network, images = random_network(structure, seed), random.random((3, 1, 28, 28)).astype(np.float32)
    weights = folded_weights(network)
    rebuilt = network_from(structure, weights)
    with torch.no_grad():
        expected, came = network(torch.from_numpy(images)), rebuilt(torch.from_numpy(images))
    np.testing.assert_allclose(came, expected, rtol=1e-4, atol=1e-4)
    for name, weight in folded_weights(rebuilt).items():
        np.testing.assert_allclose(weight, weights[name], rtol=1e-6, err_msg=name)
