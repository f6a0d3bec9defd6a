"""POST /v1/patches, against PyTorch's unfold and the lecture's own figures."""

import io

import numpy as np
import pytest
from PIL import Image

from service.core.convolution import patches as cut
from service.core.sheets import GAP, GAP_LEVEL
from tests.drawing import draw, encode, npy


def post(client, image, **query):
    return client.post("/v1/patches", query_string=query, data=npy(image))


@pytest.fixture
def digit():
    return draw(4, 28, dark_on_light=False)


@pytest.mark.parametrize(
    ("query", "grid", "unread"),
    [
        ({}, [11, 11], [1, 1]),
        ({"padding": 1}, [12, 12], [1, 1]),
        ({"padding": "same"}, [14, 14], [0, 0]),
        ({"padding": "pad"}, [14, 14], [0, 0]),
        ({"stride": 7}, [4, 4], [0, 0]),
        ({"patch_size": 10, "stride": 1}, [19, 19], [0, 0]),
        ({"patch_size": "3,5", "stride": "2,4", "padding": "crop"}, [13, 6], [1, 3]),
    ],
)
def test_the_grid_is_the_lectures(client, digit, query, grid, unread):
    result = post(client, digit, **query).json["results"][0]
    assert (result["grid"], result["unread"]) == (grid, unread)
    assert result["count"] == grid[0] * grid[1] == len(result["patches"]) == len(result["corners"])


@pytest.mark.parametrize("seed", range(12))
def test_patches_are_those_of_pytorchs_unfold(client, seed):
    torch = pytest.importorskip("torch")
    random = np.random.default_rng(seed)
    size, stride = random.integers(1, 6, 2), random.integers(1, 4, 2)
    pads = [int(random.integers(0, 3)) for _ in range(4)]  # top, left, bottom, right
    image = random.normal(size=(random.integers(6, 15), random.integers(6, 15))).astype(np.float32)
    tensor = torch.nn.functional.pad(torch.from_numpy(image), (pads[1], pads[3], pads[0], pads[2]), value=0.5)
    unfolded = torch.nn.functional.unfold(tensor[None, None], tuple(map(int, size)), stride=tuple(map(int, stride)))
    expected = unfolded[0].T.reshape(-1, *size).numpy()
    query = {"patch_size": ",".join(map(str, size)), "stride": ",".join(map(str, stride))}
    query |= {"padding": ",".join(map(str, pads)), "pad_mode": "constant", "pad_value": 0.5}
    result = post(client, image, **query).json["results"][0]
    np.testing.assert_array_equal(np.array(result["patches"], np.float32), expected)
    arrays = np.load(io.BytesIO(post(client, image, **query, format="npz").data))
    np.testing.assert_array_equal(arrays["0/patches"], expected)


def test_a_corner_says_where_on_the_picture_a_patch_lies(client, digit):
    result = post(client, digit).json["results"][0]
    unit = digit / np.float32(255)
    for (y, x), patch in zip(result["corners"], result["patches"], strict=True):
        np.testing.assert_array_equal(np.array(patch, np.float32), unit[y : y + 7, x : x + 7])
    assert post(client, digit, padding=1).json["results"][0]["corners"][0] == [-1, -1]


def test_patches_laid_back_and_averaged_are_the_pixels_that_were_read(client, digit):
    result = post(client, digit, stride=3).json["results"][0]
    total, count = np.zeros((28, 28)), np.zeros((28, 28))
    for (y, x), patch in zip(result["corners"], result["patches"], strict=True):
        total[y : y + 7, x : x + 7] += patch
        count[y : y + 7, x : x + 7] += 1
    read = count > 0
    np.testing.assert_allclose(total[read] / count[read], (digit / 255)[read], atol=1e-6)


def test_in_the_core_patches_are_views_of_the_picture():
    picture = np.zeros((28, 28), np.float32)
    assert np.shares_memory(cut(picture, 7, 2), picture)


@pytest.mark.parametrize("polarity", ["pencil", "light"])
def test_the_picture_reads_back_to_the_patches(client, digit, polarity):
    answer = post(client, digit, format="png", polarity=polarity)
    assert answer.headers["X-Filterscope-Range"] == "[0.0,1.0]"
    sheet = np.asarray(Image.open(io.BytesIO(answer.data)))
    step = 4 * 7 + GAP  # a patch of 7 is drawn at 4 pixels to a cell
    assert sheet.shape == (GAP + 11 * step, GAP + 11 * step)
    assert (sheet[:GAP] == GAP_LEVEL).all()
    cells = sheet[GAP:, GAP:].reshape(11, step, 11, step)
    assert (cells[:, 28:] == GAP_LEVEL).all()
    assert (cells[:, :, :, 28:] == GAP_LEVEL).all()
    drawn = cells[:, :28:4, :, :28:4].transpose(0, 2, 1, 3)
    levels = 255 - drawn if polarity == "pencil" else drawn
    np.testing.assert_array_equal(levels, cut(digit, 7, 2))


def test_a_batch_is_one_sheet_and_diverging_is_in_colour(client, digit):
    one = np.asarray(Image.open(io.BytesIO(post(client, digit, format="png", polarity="diverging").data)))
    two = np.asarray(Image.open(io.BytesIO(post(client, np.stack([digit, digit]), format="png").data)))
    assert one.shape[2] == 3
    assert two.shape[0] == 2 * one.shape[0]


def test_the_range_may_be_the_pictures_own(client):
    image = np.linspace(-3, 5, 28 * 28, dtype=np.float32).reshape(28, 28)
    assert post(client, image, format="png", range="layer").headers["X-Filterscope-Range"] == "[-3.0,5.0]"
    assert post(client, image, format="png", range="symmetric").headers["X-Filterscope-Range"] == "[-5.0,5.0]"
    assert post(client, image, format="png", lo=0, hi=2).headers["X-Filterscope-Range"] == "[0.0,2.0]"


def test_colour_is_cut_as_grey_and_a_picture_may_be_prepared_first(client):
    colour = np.stack([draw(4, 140)] * 3, axis=-1)
    assert post(client, colour, stride=7).json["results"][0]["grid"] == [20, 20]
    prepared = client.post("/v1/patches?prepare=auto", data=encode(draw(4, 140))).json["results"][0]
    assert (prepared["image"], prepared["grid"]) == ([28, 28], [11, 11])
    assert prepared["prepared"]["inverted"] is True


@pytest.mark.parametrize(
    ("query", "says"),
    [
        ({"patch_size": 0}, "at least 1"),
        ({"patch_size": 29}, "28 x 28"),
        ({"stride": 0}, "at least 1"),
        ({"padding": "wide"}, "valid, same, full"),
        ({"padding": -1}, "at least 0"),
        ({"padding": 10**8, "stride": 10**8}, "4194304 pixels"),
        ({"pad_mode": "wrap"}, "circular"),
        ({"patch_size": "7,7,7"}, "two of them"),
        ({"patch_size": 20, "stride": 1, "padding": 500}, "npz"),
        ({"range": "map"}, "layer, symmetric, fixed"),
        ({"range": "fixed", "lo": 1, "format": "png"}, "hi"),
    ],
)
def test_a_wrong_option_is_answered_with_what_it_may_be(client, digit, query, says):
    answer = post(client, digit, **query)
    assert answer.status_code == 422, answer.text
    assert says in answer.json["detail"]


def test_a_sheet_of_too_many_patches_is_refused_before_it_is_drawn(client):
    answer = post(client, np.zeros((1000, 1000), np.uint8), patch_size=60, stride=1, format="png")
    assert answer.status_code == 413


@pytest.mark.parametrize("library", ["numpy", "torch"])
@pytest.mark.parametrize("pad_mode", ["zero", "constant", "replicate", "mirror", "symmetric", "circular"])
def test_the_code_cuts_the_same_patches(client, library, pad_mode):
    pytest.importorskip(library)
    image = np.random.default_rng(4).random((9, 11), np.float32)
    query = {"patch_size": "4,3", "stride": "2,3", "padding": "1,2,3,0", "pad_mode": pad_mode, "pad_value": -2}
    result = post(client, image, snippet=library, **query).json["results"][0]
    names = {}
    exec(result["snippet"], names)
    np.testing.assert_allclose(np.asarray(names["patches"]), result["patches"], atol=1e-7)
    np.testing.assert_allclose(np.asarray(names["cut"](image)), result["patches"], atol=1e-7)


def test_code_for_a_large_picture_leaves_the_picture_to_the_caller(client):
    result = post(client, np.zeros((100, 100), np.uint8), snippet="numpy", stride=20).json["results"][0]
    assert "patches = cut(image)" not in result["snippet"]
