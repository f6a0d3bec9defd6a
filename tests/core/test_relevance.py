"""One layer's rule at a time, against PyTorch's gradients; whole networks are in tests/api/v1/test_explain.py."""

import numpy as np
import pytest

from service.core.relevance import ConvPass, PoolPass, gain, walk_back

torch = pytest.importorskip("torch")
functional = torch.nn.functional


@pytest.mark.parametrize("seed", range(8))
def test_a_linear_convolution_hands_down_its_gradient(seed):
    random = np.random.default_rng(seed)
    channels, filters, height, width = (int(n) for n in random.integers((1, 1, 6, 6), (4, 5, 12, 12)))
    kernel, stride = random.integers(1, 5, 2), random.integers(1, 4, 2)
    pads = [int(random.integers(0, size)) for size in kernel]
    weights, biases = random.normal(size=(filters, channels, *kernel)), random.normal(size=filters)
    image = torch.tensor(random.normal(size=(1, channels, height, width)), requires_grad=True)
    pre = functional.conv2d(image, torch.tensor(weights), torch.tensor(biases), tuple(map(int, stride)), pads)
    gains = random.normal(size=(3, *pre.shape[1:]))
    computed = ConvPass(
        "conv1", weights, biases, tuple(map(int, stride)), (pads[0], pads[1], pads[0], pads[1]), "linear",
        pre.detach().numpy()[0], (channels, height, width),
    )  # fmt: skip
    credit = walk_back(gains, [computed])
    for n in range(3):
        (gradient,) = torch.autograd.grad(pre, image, torch.tensor(gains[n : n + 1]), retain_graph=True)
        np.testing.assert_allclose(credit.gains[n], gradient[0].numpy(), atol=1e-12)
        whole = credit.shares(image.detach().numpy()[0])[n].sum() + credit.biases["conv1"][n].sum()
        np.testing.assert_allclose(whole, (gains[n] * computed.pre).sum())
        np.testing.assert_allclose(credit.filters["conv1"][n].sum(), (gains[n] * computed.pre).sum())


@pytest.mark.parametrize("kind", ["max", "avg"])
@pytest.mark.parametrize("seed", range(8))
def test_a_pooling_hands_down_its_gradient_overlapping_and_padded(kind, seed):
    random = np.random.default_rng(seed)
    size, stride = (tuple(map(int, random.integers(1, 4, 2))) for _ in range(2))
    pads = [int(random.integers(0, side // 2 + 1)) for side in size]
    before = torch.tensor(random.normal(size=(1, 2, 9, 8)), requires_grad=True)
    if kind == "max":
        after = functional.max_pool2d(before, size, stride, pads)
    else:
        after = functional.avg_pool2d(before, size, stride, pads, count_include_pad=False)
    gains = random.normal(size=after.shape)
    (gradient,) = torch.autograd.grad(after, before, torch.tensor(gains))
    computed = PoolPass("pool1", kind, size, stride, (*pads, *pads), before.detach().numpy()[0])
    np.testing.assert_allclose(walk_back(gains, [computed]).gains, gradient.numpy(), atol=1e-12)


def test_of_equal_cells_the_first_in_reading_order_wins_as_in_pytorch():
    before = torch.ones((1, 1, 4, 4), dtype=torch.float64, requires_grad=True)
    (gradient,) = torch.autograd.grad(functional.max_pool2d(before, 2).sum(), before)
    computed = PoolPass("pool1", "max", (2, 2), (2, 2), (0, 0, 0, 0), np.ones((1, 4, 4)))
    np.testing.assert_array_equal(walk_back(np.ones((1, 1, 2, 2)), [computed]).gains, gradient.numpy())


@pytest.mark.parametrize("activation", ["relu", "tanh", "linear"])
def test_the_gain_times_the_sum_is_the_activation(activation):
    sums = np.array([-30.0, -1.0, -1e-300, 0.0, 1e-300, 1e-8, 2.0, 30.0])
    apply = {"relu": torch.relu, "tanh": torch.tanh, "linear": lambda x: x}[activation]
    np.testing.assert_allclose(gain(activation, sums) * sums, apply(torch.tensor(sums)).numpy(), rtol=1e-12)
