"""The seam network: any size, pictures alone as together, and a pixel that knows of the digits beside it."""

import pytest
import torch

from training.seams.network import SeamNetwork


@pytest.fixture
def network():
    torch.manual_seed(1)
    return SeamNetwork((6, 8, 8)).eval()


@pytest.mark.parametrize("size", [(8, 8), (32, 8), (40, 72), (16, 200)])
def test_every_pixel_has_an_answer(network, size):
    seam, classes = network(torch.rand(2, 1, *size))
    assert seam.shape == (2, 1, *size)
    assert classes.shape == (2, 10, size[0] // 2, size[1] // 2)


def test_pictures_are_read_alone_as_together(network):
    pictures = torch.rand(3, 1, 32, 48)
    together = network(pictures)[0]
    for place in range(3):
        torch.testing.assert_close(network(pictures[place : place + 1])[0][0], together[place], atol=1e-5, rtol=1e-4)


def test_a_pixel_sees_a_digit_to_either_side(network):
    picture = torch.rand(1, 1, 32, 128, requires_grad=True)
    network(picture)[0][0, 0, 16, 64].backward()
    seen = picture.grad[0, 0].abs().sum(dim=0) > 0
    assert seen[64 - 32 : 64 + 32].all()
