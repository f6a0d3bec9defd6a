"""Weights counted, by layer and against dense layers: the lecture's figures come out of the same code."""

import numpy as np
import pytest

from service.network.passport import Layer, dense_parameters
from tests.networks import STRUCTURES, as_torch, random_network


def test_the_lectures_dense_network_has_15910_weights():
    assert dense_parameters(28 * 28, 20) + dense_parameters(20, 10) == 785 * 20 + 21 * 10 == 15_910


def test_twenty_shared_filters_of_10_x_10_and_their_means_need_2230():
    conv = Layer(name="conv1", op="conv", in_shape=(1, 28, 28), shape=(20, 19, 19), kernel=(10, 10))
    head = Layer(name="head", op="linear", in_shape=(20, 19, 19), shape=(10,), reduce="mean")
    assert np.prod(conv.shape[1:]) == 361
    assert np.prod(conv.shape) == 7_220
    assert conv.parameters + head.parameters == 101 * 20 + 21 * 10 == 2_230


def test_two_filters_of_7_x_7_stand_for_a_dense_layer_of_189728_weights():
    conv = Layer(name="conv1", op="conv", in_shape=(1, 28, 28), shape=(2, 11, 11), kernel=(7, 7), stride=(2, 2))
    assert conv.parameters == 98 + 2
    assert conv.dense_parameters == 189_728 + 242
    assert conv.multiply_adds == 2 * 121 * 49


@pytest.mark.parametrize("name", STRUCTURES)
def test_parameters_are_those_that_pytorch_counts(tmp_path, name):
    pytest.importorskip("torch")
    network = random_network(tmp_path, name, 0)
    counted = sum(parameter.numel() for parameter in as_torch(network).parameters())
    assert sum(layer.parameters for layer in network.passport.layers) == counted


def test_the_catalogue_sets_each_layer_beside_a_dense_one(client):
    for layer in client.get("/v1/models/digits").json["layers"]:
        cells_in, cells_out = np.prod(layer["in_shape"]), np.prod(layer["shape"])
        assert layer["dense"] == {"parameters": (cells_in + 1) * cells_out, "multiply_adds": cells_in * cells_out}
