"""POST /v1/apply-filters and GET /v1/filters, against PyTorch and SciPy."""

import io
import json

import numpy as np
import pytest

from tests.drawing import draw, encode, npy


def apply(client, image, **options):
    body = {"image": image.tolist() if isinstance(image, np.ndarray) else image, **options}
    return client.post("/v1/apply-filters", json=body)


def result_of(response):
    assert response.status_code == 200, response.text
    return response.json["results"][0]


def test_the_lectures_numbers_come_out(client):
    falling = {"preset": "diagonal_falling"}
    result = result_of(apply(client, np.eye(28), filters=[falling], stride=2))
    geometry = result["geometry"]
    assert (geometry["patches"], geometry["count"], geometry["unread"]) == ([11, 11], 121, [1, 1])
    assert result["filters"][0]["shape"] == [11, 11]
    padded = result_of(apply(client, np.eye(28), filters=[falling], stride=2, padding="pad"))["geometry"]
    assert padded["patches"] == [14, 14]
    assert result_of(apply(client, np.eye(28), filters=[falling], stride=7))["geometry"]["patches"] == [4, 4]


def geometries(count, seed):
    """Random pictures, banks and options that fit together."""
    generator = np.random.default_rng(seed)
    for _ in range(count):
        height, width = (int(size) for size in generator.integers(12, 40, 2))  # so that pooling by 2 fits
        kernel = [int(size) for size in generator.integers(1, 6, 2)]
        yield {
            "image": generator.normal(size=(height, width)).astype(np.float32),
            "kernels": generator.normal(size=(int(generator.integers(1, 4)), *kernel)).astype(np.float32),
            "biases": generator.normal(size=3),
            "stride": [int(step) for step in generator.integers(1, 4, 2)],
            "dilation": [int(gap) for gap in generator.integers(1, 3, 2)],
            "padding": [int(side) for side in generator.integers(0, 4, 4)],
            "pad_mode": str(generator.choice(["zero", "replicate", "mirror", "circular"])),
        }


def test_responses_are_what_pytorch_computes_over_random_geometries(client, proof):
    torch = pytest.importorskip("torch")
    modes = {"zero": "constant", "replicate": "replicate", "mirror": "reflect", "circular": "circular"}
    for case in geometries(300 if proof else 40, seed=11):
        filters = [
            {"weights": kernel.tolist(), "bias": bias}
            for kernel, bias in zip(case["kernels"], case["biases"], strict=False)
        ]
        options = {name: case[name] for name in ("stride", "dilation", "padding", "pad_mode")}
        pool = {"kind": "avg", "size": 2}
        result = result_of(
            apply(client, case["image"], filters=filters, activation="tanh", pool=pool, scale=1, **options)
        )
        top, left, bottom, right = case["padding"]
        image = torch.from_numpy(case["image"])[None, None]
        padded = torch.nn.functional.pad(image, (left, right, top, bottom), modes[case["pad_mode"]])
        bank = torch.from_numpy(case["kernels"])[:, None]
        biases = torch.tensor(case["biases"][: len(bank)], dtype=torch.float32)
        maps = torch.nn.functional.conv2d(padded, bank, biases, case["stride"], 0, case["dilation"])
        expected = torch.nn.functional.avg_pool2d(torch.tanh(maps), 2)[0].numpy()
        for answered, wanted in zip(result["filters"], expected, strict=True):
            np.testing.assert_allclose(answered["response"], wanted, atol=2e-5)
            assert answered["shape"] == list(wanted.shape)


def test_convolution_turns_the_kernel_and_correlation_does_not(client):
    from scipy import signal

    image, kernel = np.zeros((7, 7)), np.arange(1.0, 10).reshape(3, 3)
    image[3, 3] = 1
    for orientation, oracle in (("correlation", signal.correlate2d), ("convolution", signal.convolve2d)):
        result = result_of(
            apply(client, image, filters=[{"weights": kernel.tolist()}], orientation=orientation, padding="full")
        )
        np.testing.assert_allclose(result["filters"][0]["response"], oracle(image, kernel, "full"), atol=1e-6)


def test_kernels_of_different_sizes_answer_each_its_own_geometry(client):
    filters = [{"weights": [[1, 2], [3, 4]]}, {"weights": [[1, 0, -1]]}, {"weights": [[1, 1], [1, 1]], "name": "box"}]
    result = result_of(apply(client, np.eye(10), filters=filters))
    assert [one["shape"] for one in result["filters"]] == [[9, 9], [10, 8], [9, 9]]
    assert [one["name"] for one in result["filters"]] == ["filter_0", "filter_1", "box"]
    assert result["filters"][1]["geometry"]["kernel"] == [1, 3]


def test_colour_is_seen_as_grey_or_channel_by_channel_or_summed(client):
    generator = np.random.default_rng(5)
    colour = generator.random((12, 10, 3)).astype(np.float32)
    flat = generator.normal(size=(3, 3)).astype(np.float32)
    deep = generator.normal(size=(3, 3, 3)).astype(np.float32)
    from service.core.convolution import correlate

    grey = result_of(apply(client, colour, filters=[{"weights": flat.tolist()}]))["filters"][0]["response"]
    np.testing.assert_allclose(grey, correlate(colour @ [0.299, 0.587, 0.114], flat), atol=1e-5)
    each = result_of(apply(client, colour, filters=[{"weights": flat.tolist()}], channels="each"))["filters"][0]
    assert each["shape"] == [3, 10, 8]
    for channel in range(3):
        np.testing.assert_allclose(each["response"][channel], correlate(colour[..., channel], flat), atol=1e-5)
    summed = result_of(apply(client, colour, filters=[{"weights": deep.tolist()}]))["filters"][0]["response"]
    np.testing.assert_allclose(summed, correlate(colour.transpose(2, 0, 1), deep), atol=1e-5)


def test_a_learnt_filter_answers_what_the_network_itself_responds(client):
    posted = draw(3, 28, dark_on_light=False)
    maps = client.post("/v1/feature-maps?prepare=none&layers=conv1.pre", data=npy(posted)).json["results"][0]["layers"][
        0
    ]
    learnt = {"model": "digits", "layer": "conv1", "filter": 2}
    layer = client.get("/v1/models/digits").json["layers"][0]
    result = result_of(apply(client, posted, filters=[learnt], stride=layer["stride"], padding=layer["pads"]))
    np.testing.assert_allclose(result["filters"][0]["response"], maps["filters"][2]["map"], atol=1e-5)


def test_filters_ride_in_a_query_a_form_and_json_alike(client):
    picture, filters = encode(draw(4, 40)), [{"preset": "sobel", "angle": 90}]
    by_query = client.post(
        "/v1/apply-filters", data=picture, query_string={"filters": json.dumps(filters), "stride": "2,3"}
    )
    by_form = client.post(
        "/v1/apply-filters",
        data={"image": (io.BytesIO(picture), "4.png"), "filters": json.dumps(filters), "stride": "2,3"},
    )
    by_json = apply(client, draw(4, 40), filters=filters, stride=[2, 3])
    assert result_of(by_query) == result_of(by_form) == result_of(by_json)


def test_npz_holds_every_response_of_every_picture(client):
    batch = npy(np.stack([draw(1, 28), draw(7, 28)]))
    filters = json.dumps([{"preset": "gaussian"}, {"preset": "gaussian", "sigma": 2}])
    answer = client.post("/v1/apply-filters", data=batch, query_string={"filters": filters, "format": "npz"})
    arrays = np.load(io.BytesIO(answer.data))
    assert arrays.files == ["0/gaussian", "0/gaussian_2", "1/gaussian", "1/gaussian_2"]


def test_a_sheet_has_a_row_per_picture(client):
    from PIL import Image

    filters = json.dumps([{"preset": "sobel"}])
    one = client.post("/v1/apply-filters", data=encode(draw(1, 28)), query_string={"filters": filters, "format": "png"})
    two = client.post(
        "/v1/apply-filters", data=npy(np.stack([draw(1, 28)] * 2)), query_string={"filters": filters, "format": "png"}
    )
    assert Image.open(io.BytesIO(two.data)).height == 2 * Image.open(io.BytesIO(one.data)).height


BAD_FILTERS = [
    ([], 422, "1 to 64"),
    ([{}], 422, "weights, a preset"),
    ([{"weights": [[1]], "preset": "box"}], 422, "weights and preset"),
    ([{"weights": [[1, 2, 3], [4, 5, 6], [7, 8]]}], 422, "3, 3, 2"),
    ([{"weights": [[1, "x"]]}], 422, "x"),
    ([{"weights": []}], 422, "got"),
    ([{"weights": [[[[1]]]]}], 422, "got"),
    ([{"weights": np.ones((64, 1)).tolist()}], 422, "63"),
    ([{"weights": np.ones((11, 11)).tolist()}], 422, "11 x 11"),
    ([{"weights": np.ones((2, 3, 3)).tolist()}], 422, "2 channels"),
    ([{"preset": "nonsense"}], 404, "sobel"),
    ([{"preset": "box", "sigma": 3}], 422, "sigma"),
    ([{"model": "nope", "layer": "conv1", "filter": 0}], 404, "digits"),
    ([{"layer": "pool1", "filter": 0}], 404, "conv1"),
    ([{"layer": "conv1", "filter": 999}], 422, "0 to"),
    ([{"weights": [[1]], "name": "a"}, {"weights": [[2]], "name": "a"}], 422, "two filters"),
    ([{"weights": [[1]]}] * 65, 422, "1 to 64"),
    ([{"weight": [[1]]}], 422, "weight"),
]


@pytest.mark.parametrize(("filters", "status", "says"), BAD_FILTERS)
def test_a_bad_filter_is_refused_with_what_was_wanted(client, filters, status, says):
    answer = apply(client, np.eye(10), filters=filters)
    assert answer.status_code == status, answer.text
    assert says in answer.json["detail"]
    assert answer.json["errors"][0]["pointer"].startswith(
        ("/filters", "/image", "/size", "/sigma", "/model", "/preset")
    )


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"stride": 0}, "at least 1, got 0"),
        ({"stride": [1, 2, 3]}, "got [1, 2, 3]"),
        ({"dilation": 10}, "11 x 11"),
        ({"padding": -1}, "got -1"),
        ({"padding": "some"}, "valid, same, full"),
        ({"pad_mode": "wrap"}, "circular"),
        ({"activation": "swish"}, "relu"),
        ({"normalize": "sum", "filters": [{"weights": [[1, -1]]}]}, "sum of the kernel is 0"),
        ({"pool": {"kind": "mean"}}, "max, avg"),
        ({"pool": {"size": 40}}, "40"),
        ({"orientation": "left"}, "correlation, convolution"),
        ({"range": "fixed"}, "lo"),
        ({"range": "fixed", "lo": 1, "hi": 1}, "lo"),
    ],
)
def test_a_bad_option_is_refused_with_what_was_wanted(client, options, says):
    answer = apply(client, np.eye(10), **{"filters": [{"weights": np.ones((2, 2)).tolist()}], **options})
    assert answer.status_code == 422, answer.text
    assert says in answer.json["detail"]


def test_work_beyond_the_limit_is_refused_before_it_is_done(client):
    filters = json.dumps([{"preset": "box", "size": 63}] * 64)
    picture = npy(np.zeros((2000, 2000), np.uint8))
    answer = client.post("/v1/apply-filters", data=picture, query_string={"filters": filters, "format": "npz"})
    assert answer.status_code == 422
    assert "multiply-adds" in answer.json["detail"]


def test_every_named_filter_is_listed_and_made(client):
    listed = client.get("/v1/filters").json["filters"]
    assert {"sobel", "gaussian", "gabor", "diagonal_falling", "diagonal_rising"} <= {one["name"] for one in listed}
    for one in listed:
        made = client.get(f"/v1/filters/{one['name']}").json
        assert made["weights"] == one["weights"]
        assert client.get(f"/v1/filters/{one['name']}?format=png").mimetype == "image/png"


def test_a_card_comes_with_a_filter_that_asks_for_one(client):
    assert client.get("/v1/filters/sobel?card=true").json["card"]["zero_sum"] is True
    learnt = client.get("/v1/models/digits/layers/conv1/filters/0?card=true").json["filters"][0]
    assert learnt["card"]["sum"] == pytest.approx(float(np.sum(learnt["weights"])), abs=1e-4)
