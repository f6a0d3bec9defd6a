"""The step written out in NumPy is the one that autograd takes."""

import numpy as np
import pytest
import torch

from training.networks.lecture import cut_patches, forward, gradients, new_network, training_step


def torch_twin(network):
    tensors = [torch.tensor(array, requires_grad=True) for array in (network.filters, network.bias)]
    tensors += [torch.tensor(array, requires_grad=True) for array in (network.head, network.head_bias)]
    return tensors


def torch_loss(network, tensors, images, labels):
    filters, bias, head, head_bias = tensors
    responses = torch.tanh(
        torch.nn.functional.conv2d(torch.tensor(images)[:, None], filters[:, None], bias, stride=network.stride)
    )
    pooled = torch.nn.functional.max_pool2d(responses, 2)
    logits = pooled.flatten(1) @ head.T + head_bias
    return torch.nn.functional.cross_entropy(logits, torch.tensor(labels)), logits


@pytest.mark.parametrize(
    ("side", "size", "stride", "filter_count"),
    [(28, 7, 2, 20), (28, 5, 1, 4), (13, 3, 2, 3), (16, 4, 3, 5), (9, 6, 1, 2)],
)
def test_every_gradient_is_autograds(side, size, stride, filter_count):
    random = np.random.default_rng(side * 100 + size)
    network = new_network(seed=size, filter_count=filter_count, size=size, stride=stride, image_side=side)
    images, labels = random.random((6, side, side)), random.integers(0, 10, 6)
    images[3:, : side // 2] = 0  # blank paper, where all responses are equal
    tensors = torch_twin(network)
    loss, logits = torch_loss(network, tensors, images, labels)
    loss.backward()
    ours = gradients(network, images, labels)
    assert ours.loss == pytest.approx(float(loss.detach()), rel=1e-12)
    np.testing.assert_allclose(
        forward(network, images).probabilities, torch.softmax(logits, 1).detach(), rtol=1e-10, atol=1e-14
    )
    for name, tensor in zip(("filters", "bias", "head", "head_bias"), tensors, strict=True):
        np.testing.assert_allclose(getattr(ours, name), tensor.grad, rtol=1e-9, atol=1e-12, err_msg=name)


def test_a_filters_gradient_is_the_sum_over_all_patches_one_by_one():
    random = np.random.default_rng(8)
    network = new_network(seed=3, filter_count=2, size=7, stride=2)
    image, label = random.random((1, 28, 28)), np.array([4])
    patches = cut_patches(image, 7, 2)[0]
    assert patches.shape == (11, 11, 7, 7)
    tensors = torch_twin(network)
    sums = torch.nn.functional.conv2d(torch.tensor(image)[:, None], tensors[0][:, None], tensors[1], stride=2)
    sums.retain_grad()
    logits = torch.nn.functional.max_pool2d(torch.tanh(sums), 2).flatten(1) @ tensors[2].T + tensors[3]
    torch.nn.functional.cross_entropy(logits, torch.tensor(label)).backward()
    one_by_one = np.zeros((2, 7, 7))
    for row in range(11):
        for column in range(11):
            for index in range(2):
                one_by_one[index] += float(sums.grad[0, index, row, column]) * patches[row, column]
    np.testing.assert_allclose(gradients(network, image, label).filters, one_by_one, rtol=1e-10, atol=1e-14)


def test_a_step_moves_every_weight_against_its_gradient():
    random = np.random.default_rng(2)
    network = new_network(seed=1, filter_count=3)
    images, labels = random.random((4, 28, 28)), random.integers(0, 10, 4)
    slope = gradients(network, images, labels)
    improved, loss = training_step(network, images, labels, learning_rate=0.25)
    assert loss == slope.loss
    for name in ("filters", "bias", "head", "head_bias"):
        np.testing.assert_allclose(
            getattr(improved, name), getattr(network, name) - 0.25 * getattr(slope, name), rtol=1e-12, err_msg=name
        )


def test_steps_learn_to_tell_bars_from_rings():
    random = np.random.default_rng(4)
    images = np.zeros((40, 28, 28))
    labels = np.arange(40) % 2
    for image, label in zip(images, labels, strict=True):
        left = random.integers(6, 12)
        image[6:22, left : left + 3] = 1
        if label:
            image[6:22, left + 7 : left + 10] = 1
            image[6:9, left : left + 10] = 1
            image[19:22, left : left + 10] = 1
    network = new_network(seed=1, filter_count=4)
    for _ in range(40):
        network, loss = training_step(network, images, labels, learning_rate=0.2)
    answers = forward(network, images).probabilities.argmax(1)
    np.testing.assert_array_equal(answers, labels)
    assert loss < 0.5
