"""The lecture in NumPy, against PyTorch, SciPy and onnx's own evaluator."""

import math

import numpy as np
import pytest
import scipy.ndimage
import scipy.signal
import torch
from torch.nn import functional

from service.core import convolution
from service.core.convolution import (
    ACTIVATIONS,
    PAD_MODES,
    activate,
    activation,
    correlate,
    geometry,
    normalise,
    pad,
    patches,
    pool,
    pool_geometry,
)
from service.core.errors import InvalidImage, InvalidKernel, InvalidOption
from tests.geometries import random_cases, sample_size

SCIPY_MODES = {
    "zero": "grid-constant",
    "constant": "grid-constant",
    "replicate": "nearest",
    "mirror": "mirror",
    "symmetric": "reflect",
    "circular": "grid-wrap",
}


def scipy_pad(image, pads, mode, value):
    """The padded plane, cell by cell."""
    (top, left, bottom, right), (height, width) = pads, image.shape
    cells = np.mgrid[-top : height + bottom, -left : width + right]
    value = value if mode == "constant" else 0.0
    return scipy.ndimage.map_coordinates(image, cells, order=0, mode=SCIPY_MODES[mode], cval=value, prefilter=False)


# --- geometry --------------------------------------------------------------------------------------------------------


def test_the_lectures_patches_are_11_by_11_with_one_row_and_one_column_unread():
    places = geometry((28, 28), (7, 7), stride=2)
    assert (places.patches, places.count, places.unread) == ((11, 11), 121, (1, 1))


@pytest.mark.parametrize(
    ("stride", "padding", "grid"),
    [
        (7, "valid", (4, 4)),
        (2, [0, 0, 1, 1], (12, 12)),
        (2, "same", (14, 14)),
        (2, "pad", (14, 14)),
        (2, "crop", (11, 11)),
        (1, "full", (34, 34)),
        ((2, 7), 0, (11, 4)),
    ],
)
def test_the_grid_of_28_by_28_in_patches_of_7_by_7(stride, padding, grid):
    assert geometry((28, 28), (7, 7), stride, 1, padding).patches == grid


def test_same_has_the_odd_cell_at_the_end():
    assert geometry((28, 28), (7, 7), 2, 1, "same").pads == (2, 2, 3, 3)


def test_same_pads_as_onnx_does_with_same_upper():
    onnx = pytest.importorskip("onnx")
    from onnx.reference import ReferenceEvaluator

    for case in random_cases(11, sample_size(15, 300), largest=16):
        attributes = {"strides": case.options["stride"], "dilations": (1, 1), "auto_pad": "SAME_UPPER"}
        node = onnx.helper.make_node("Conv", ["x", "w", "b"], ["y"], **attributes)
        values = [onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, None) for name in "xwby"]
        graph = onnx.helper.make_graph([node], "conv", values[:3], values[3:])
        model = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 17)])
        (expected,) = ReferenceEvaluator(model).run(None, {"x": case.image[None], "w": case.kernels, "b": case.biases})
        found = correlate(case.image, case.kernels, case.biases, stride=case.options["stride"], padding="same")
        assert found.shape == expected.shape[1:]
        np.testing.assert_allclose(found, expected[0], atol=1e-4)


def test_rows_columns_and_unread_add_up_to_the_padded_image():
    for case in random_cases(12, sample_size(100, 3000)):
        places = case.places
        top, left, bottom, right = places.pads
        steps_down, steps_across = (places.rows - 1) * places.stride[0], (places.columns - 1) * places.stride[1]
        assert steps_down + places.reach[0] + places.unread[0] == places.image[0] + top + bottom
        assert steps_across + places.reach[1] + places.unread[1] == places.image[1] + left + right
        assert places.unread[0] < places.stride[0]
        assert places.unread[1] < places.stride[1]


@pytest.mark.parametrize(
    "options",
    [
        {"stride": 0},
        {"stride": -1},
        {"stride": 1.5},
        {"stride": True},
        {"stride": "2"},
        {"stride": [1, 2, 3]},
        {"stride": [1, 0]},
        {"stride": None},
        {"dilation": 0},
        {"dilation": [1]},
        {"padding": "some"},
        {"padding": -1},
        {"padding": [1, 2]},
        {"padding": [0, 0, 0, -1]},
        {"padding": [0, 0, 0, 0.5]},
        {"padding": True},
        {"padding": None},
    ],
)
def test_a_geometry_option_out_of_range_is_refused_by_name(options):
    (name,) = options
    with pytest.raises(InvalidOption, match=name) as refusal:
        geometry((28, 28), (7, 7), **options)
    assert refusal.value.pointer == f"/{name}"


def test_a_kernel_larger_than_the_padded_image_is_refused_with_both_sizes():
    with pytest.raises(InvalidKernel, match="6 x 7, got 3 x 8"):
        geometry((4, 5), (3, 8), padding=1)
    with pytest.raises(InvalidKernel, match="9 x 9 with its dilation"):
        geometry((8, 8), (3, 3), dilation=4)


def test_a_patchs_corner_is_where_its_first_cell_was_read():
    image = np.arange(30.0).reshape(5, 6)
    places = geometry(image.shape, (2, 2), (2, 3))
    windows = patches(image, (2, 2), (2, 3))
    for row in range(places.rows):
        for column in range(places.columns):
            assert image[places.corner(row, column)] == windows[row, column, 0, 0]


# --- the border ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("mode", "expected"),
    [
        ("zero", [0, 0, 1, 2, 3, 4, 0, 0]),
        ("constant", [9, 9, 1, 2, 3, 4, 9, 9]),
        ("replicate", [1, 1, 1, 2, 3, 4, 4, 4]),
        ("mirror", [3, 2, 1, 2, 3, 4, 3, 2]),
        ("symmetric", [2, 1, 1, 2, 3, 4, 4, 3]),
        ("circular", [3, 4, 1, 2, 3, 4, 1, 2]),
    ],
)
def test_each_pad_mode_says_what_lies_outside(mode, expected):
    np.testing.assert_array_equal(pad([[1, 2, 3, 4]], (0, 2, 0, 2), mode, 9), [expected])


@pytest.mark.parametrize("mode", PAD_MODES)
def test_padding_agrees_with_scipy_also_where_it_is_wider_than_the_image(mode):
    rng = np.random.default_rng(21)
    for _ in range(sample_size(20, 500)):
        image, pads = rng.random(rng.integers(1, 8, 2)), tuple(rng.integers(0, 20, 4))
        np.testing.assert_array_equal(pad(image, pads, mode, 0.25), scipy_pad(image, pads, mode, 0.25))


def test_padding_leaves_leading_axes_alone():
    image = np.arange(24.0).reshape(2, 3, 4)
    padded = pad(image, (1, 0, 0, 2), "mirror")
    np.testing.assert_array_equal(padded[1], pad(image[1], (1, 0, 0, 2), "mirror"))


def test_an_integer_image_takes_a_fractional_border():
    assert pad([[1]], (0, 1, 0, 0), "constant", 0.5).tolist() == [[0.5, 1.0]]


def test_an_unknown_pad_mode_is_refused_with_the_known_ones():
    with pytest.raises(InvalidOption, match=r"zero, constant.*got 'reflect'"):
        pad([[1]], (0, 0, 0, 0), "reflect")


# --- patches and correlation -----------------------------------------------------------------------------------------


def test_patches_are_views_of_the_image():
    image = np.random.default_rng(31).random((28, 28))
    windows = patches(image, 7, stride=2)
    assert np.shares_memory(windows, image)
    assert not windows.flags.writeable
    np.testing.assert_array_equal(windows[3, 4], image[6:13, 8:15])


def test_patches_are_what_torch_unfolds():
    for case in random_cases(32, sample_size(30, 500)):
        stride, dilation = case.options["stride"], case.options["dilation"]
        if min(n - r for n, r in zip(case.places.image, case.places.reach, strict=True)) < 0:
            continue
        windows = patches(case.image, case.places.kernel, stride, dilation)
        columns = functional.unfold(torch.tensor(case.image)[None], case.places.kernel, dilation, 0, stride)
        expected = columns[0].reshape(len(case.image), *case.places.kernel, *windows.shape[1:3])
        np.testing.assert_array_equal(windows, expected.permute(0, 3, 4, 1, 2))


def test_correlate_agrees_with_torch_and_scipys_borders():
    for case in random_cases(33, sample_size(150, 5000)):
        mode, value = case.options["pad_mode"], case.options["pad_value"]
        padded = np.stack([scipy_pad(plane, case.places.pads, mode, value) for plane in case.image.astype(float)])
        expected = functional.conv2d(
            torch.tensor(padded)[None],
            torch.tensor(case.kernels.astype(float)),
            torch.tensor(case.biases.astype(float)),
            case.options["stride"],
            0,
            case.options["dilation"],
        )[0].numpy()
        found = correlate(case.image, case.kernels, case.biases, **case.options)
        assert found.shape == (len(case.kernels), *case.places.patches)
        np.testing.assert_allclose(found, expected, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize(("orientation", "oracle"), [("correlation", "correlate2d"), ("convolution", "convolve2d")])
@pytest.mark.parametrize("padding", ["valid", "full"])
def test_both_orientations_agree_with_scipy(orientation, oracle, padding):
    rng = np.random.default_rng(34)
    for _ in range(20):
        kernel_shape = rng.integers(1, 7, 2)
        image, kernel = rng.random(kernel_shape + rng.integers(0, 12, 2)), rng.normal(size=kernel_shape)
        expected = getattr(scipy.signal, oracle)(image, kernel, padding)
        found = correlate(image, kernel, padding=padding, orientation=orientation)
        np.testing.assert_allclose(found, expected, atol=1e-12)


@pytest.mark.parametrize("mode", PAD_MODES)
def test_same_with_an_odd_kernel_agrees_with_scipys_image_filter(mode):
    rng = np.random.default_rng(35)
    image, kernel = rng.random((9, 12)), rng.normal(size=(5, 3))
    value = 0.5 if mode == "constant" else 0.0
    expected = scipy.ndimage.correlate(image, kernel, mode=SCIPY_MODES[mode], cval=value)
    found = correlate(image, kernel, padding="same", pad_mode=mode, pad_value=value)
    np.testing.assert_allclose(found, expected, atol=1e-12)


def test_an_impulse_gives_a_convolutions_kernel_back_and_a_correlations_turned():
    impulse, kernel = np.zeros((5, 5)), np.arange(1.0, 10).reshape(3, 3)
    impulse[2, 2] = 1
    np.testing.assert_array_equal(correlate(impulse, kernel, orientation="convolution"), kernel)
    np.testing.assert_array_equal(correlate(impulse, kernel), kernel[::-1, ::-1])


def test_correlate_is_linear_even_and_moves_with_the_picture():
    rng = np.random.default_rng(36)
    one, other, kernel = rng.random((12, 12)), rng.random((12, 12)), rng.normal(size=(3, 4))
    both = correlate(2 * one - 3 * other, kernel)
    np.testing.assert_allclose(both, 2 * correlate(one, kernel) - 3 * correlate(other, kernel), atol=1e-12)
    np.testing.assert_allclose(correlate(np.full((5, 5), 0.5), kernel, 1.0), 0.5 * kernel.sum() + 1)
    np.testing.assert_allclose(correlate(one[4:], kernel, stride=2), correlate(one, kernel, stride=2)[2:])


@pytest.mark.parametrize(
    ("image", "kernel", "maps"),
    [
        ((9, 8), (3, 2), (7, 7)),
        ((9, 8), (4, 3, 2), (4, 7, 7)),
        ((3, 9, 8), (3, 3, 2), (7, 7)),
        ((3, 9, 8), (4, 3, 3, 2), (4, 7, 7)),
    ],
)
def test_a_bank_has_one_axis_more_than_the_image(image, kernel, maps):
    assert correlate(np.ones(image), np.ones(kernel)).shape == maps


@pytest.mark.parametrize(
    ("image", "kernel", "error"),
    [
        ((9,), (3,), InvalidImage),
        ((0, 9), (3, 3), InvalidImage),
        ((9, 9), (3,), InvalidKernel),
        ((9, 9), (1, 1, 3, 3), InvalidKernel),
        ((3, 9, 9), (2, 3, 3), InvalidKernel),
        ((9, 9), (0, 3), InvalidKernel),
    ],
)
def test_shapes_that_do_not_go_together_are_refused(image, kernel, error):
    with pytest.raises(error):
        correlate(np.ones(image), np.ones(kernel))


@pytest.mark.parametrize("how", ["sum", "l1", "l2", "zero_mean"])
def test_a_normalised_kernel_has_what_it_was_normalised_to(how):
    kernel = np.random.default_rng(37).normal(size=(3, 4, 5)).astype(np.float32) + 1
    result = normalise(kernel, how)
    measure = {
        "sum": np.sum,
        "l1": lambda w: np.abs(w).sum(),
        "l2": np.linalg.norm,
        "zero_mean": lambda w: w.mean() + 1,
    }
    assert result.dtype == np.float32
    np.testing.assert_allclose(measure[how](result.astype(float)), 1, atol=1e-6)


@pytest.mark.parametrize(
    ("kernel", "how"), [([[-1, 1]], "sum"), ([[0.1, 0.2, -0.3]], "sum"), ([[0]], "l1"), ([[0]], "l2")]
)
def test_a_kernel_is_not_divided_by_nothing(kernel, how):
    with pytest.raises(InvalidKernel, match=how):
        normalise(np.float32(kernel), how)


# --- activation ------------------------------------------------------------------------------------------------------

TORCH_ACTIVATIONS = {
    "linear": lambda x: x,
    "relu": torch.relu,
    "leaky_relu": lambda x: functional.leaky_relu(x, 0.2),
    "tanh": torch.tanh,
    "sigmoid": torch.sigmoid,
    "abs": torch.abs,
    "square": torch.square,
    "softplus": functional.softplus,
    "elu": lambda x: functional.elu(x, 0.2),
    "hard_tanh": functional.hardtanh,
    "threshold": lambda x: functional.threshold(x, 0.2, 0.0),
}


@pytest.mark.parametrize("name", ACTIVATIONS)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_an_activation_is_torchs_and_keeps_the_precision(name, dtype):
    x = np.linspace(-9, 9, 721, dtype=dtype).reshape(7, 103)
    found = activate(name, x, 0.2)
    expected = TORCH_ACTIVATIONS[name](torch.tensor(x)).numpy()
    assert found.dtype == dtype
    np.testing.assert_allclose(found, expected, rtol=1e-5 if dtype == np.float32 else 1e-9, atol=1e-7)


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("name", sorted(set(ACTIVATIONS) - {"square"}))
def test_an_activation_is_finite_for_the_largest_values(name):
    assert np.isfinite(activate(name, np.array([-1e30, 0, 1e30], np.float32))).all()


def test_an_activation_may_carry_its_number():
    np.testing.assert_allclose(activate("leaky_relu(0.5)", [-4.0]), [-2.0])
    np.testing.assert_allclose(activate(" elu ( 2 ) ", [-1.0]), [2 * math.expm1(-1)])


@pytest.mark.parametrize(
    "text", ["swish", "relu(1)", "elu()", "elu(x)", "elu(nan)", "elu(1e999)", "elu(1", "", None, 3]
)
def test_an_activation_that_is_none_is_refused(text):
    with pytest.raises(InvalidOption) as refusal:
        activation(text)
    assert refusal.value.pointer == "/activation"


# --- pooling ---------------------------------------------------------------------------------------------------------

TORCH_POOLS = {
    "max": lambda x, pads, **how: functional.max_pool2d(functional.pad(x, pads, value=-math.inf), **how),
    "min": lambda x, pads, **how: -functional.max_pool2d(functional.pad(-x, pads, value=-math.inf), **how),
    "l2": lambda x, pads, kernel_size, stride: functional.lp_pool2d(functional.pad(x, pads), 2.0, kernel_size, stride),
}


def random_pools(seed, count):
    rng = np.random.default_rng(seed)
    while count:
        size, stride = (tuple(int(n) for n in rng.integers(1, 6, 2)) for _ in "ab")
        pads = [int(rng.integers(0, size[i % 2])) for i in range(4)]
        maps = rng.normal(size=(2, *rng.integers(1, 20, 2)))
        if any(maps.shape[1 + i] + pads[i] + pads[i + 2] < size[i] for i in (0, 1)):
            continue
        count -= 1
        yield maps, size, stride, pads


@pytest.mark.parametrize("kind", ["max", "min", "l2"])
def test_pooling_agrees_with_torch(kind):
    for maps, size, stride, pads in random_pools(41, sample_size(40, 2000)):
        top, left, bottom, right = pads
        expected = TORCH_POOLS[kind](torch.tensor(maps), (left, right, top, bottom), kernel_size=size, stride=stride)
        np.testing.assert_allclose(pool(maps, kind, size, stride, pads), expected, atol=1e-12)


@pytest.mark.parametrize("count_include_pad", [True, False])
def test_average_pooling_agrees_with_torch_for_both_ways_of_counting_padding(count_include_pad):
    for maps, size, stride, pads in random_pools(42, sample_size(40, 2000)):
        symmetric = [min(pads[0], size[0] // 2), min(pads[1], size[1] // 2)]  # all that torch can do
        if any(maps.shape[1 + i] + 2 * symmetric[i] < size[i] for i in (0, 1)):
            continue
        expected = functional.avg_pool2d(
            torch.tensor(maps), size, stride, symmetric, count_include_pad=count_include_pad
        )
        found = pool(maps, "avg", size, stride, symmetric * 2, count_include_pad=count_include_pad)
        np.testing.assert_allclose(found, expected, atol=1e-12)


def test_the_stride_of_a_pool_is_its_size_unless_given():
    assert pool(np.ones((11, 11)), "max", 2).shape == (5, 5)
    assert pool(np.ones((11, 11)), "max", 2, 1).shape == (10, 10)
    assert pool_geometry((11, 11), 2).unread == (1, 1)


def test_pooling_keeps_the_precision():
    assert pool(np.ones((4, 4), np.float32), "avg", 2).dtype == np.float32


@pytest.mark.parametrize(
    ("size", "stride", "padding"),
    [(5, None, 0), ((1, 5), None, 0), (0, None, 0), (2, 0, 0), (2, None, 2), (2, None, [0, 0, 0, 2]), ("2", None, 0)],
)
def test_a_pool_that_cannot_be_is_refused(size, stride, padding):
    with pytest.raises(InvalidOption):
        pool(np.ones((4, 4)), "max", size, stride, padding)


def test_an_unknown_kind_of_pool_is_refused_with_the_known_ones():
    with pytest.raises(InvalidOption, match="max, avg, min, l2"):
        pool(np.ones((4, 4)), "median", 2)


def test_the_words_of_the_options_are_public():
    assert set(convolution.PADDING_SYNONYMS.values()) <= set(convolution.PADDINGS)
    for word in (*convolution.PADDINGS, *convolution.PADDING_SYNONYMS):
        assert geometry((9, 9), (3, 3), 1, 1, word).rows >= 7
