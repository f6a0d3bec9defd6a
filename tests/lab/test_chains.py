"""`stages`, `card` and `snippet` of POST /v1/apply-filters, against PyTorch and against their own code, run."""

import io
import json

import msgspec
import numpy as np
import pytest

from service.app import create_app
from service.core.convolution import ACTIVATIONS, PAD_MODES, POOL_KINDS
from service.lab.options import ApplyFiltersOptions, Stage
from service.network.sessions import Library
from service.settings import Settings
from tests.drawing import draw, npy
from tests.networks import random_network


def post(client, image, **options):
    body = {"image": np.asarray(image).tolist(), "scale": 1} | options
    return client.post("/v1/apply-filters", json=body)


def responses(client, image, **options):
    answer = post(client, image, **options)
    assert answer.status_code == 200, answer.text
    return [np.array(each["response"]) for each in answer.json["results"][0]["filters"]]


@pytest.fixture
def digit():
    return draw(4, 28, dark_on_light=False) / np.float32(255)


def lecture_by_hand(weights):
    """The lecture's network as a caller builds it: filters, tanh, pooling, and the head as ten filters of full size."""
    filters = [{"weights": kernel[0].tolist(), "bias": float(bias)} for kernel, bias in _pairs(weights, "conv1")]
    head = weights["head.weight"].reshape(10, -1, 5, 5)
    classes = [
        {"weights": kernel.tolist(), "bias": float(bias), "name": str(digit)}
        for digit, (kernel, bias) in enumerate(zip(head, weights["head.bias"], strict=True))
    ]
    return [
        {"filters": filters, "stride": 2},
        {"activation": "tanh"},
        {"pool": {"kind": "max", "size": 2}},
        {"filters": classes},
    ]


def _pairs(weights, layer):
    return zip(weights[f"{layer}.weight"], weights[f"{layer}.bias"], strict=True)


def test_the_lectures_network_built_by_hand_gives_its_logits(tmp_path, digit):
    network = random_network(tmp_path, "lecture", 2)
    client = create_app(Settings(), Library([network], "lecture")).test_client()
    answer = post(client, digit, stages=lecture_by_hand(network.weights)).json["results"][0]
    logits = client.post("/v1/classify?prepare=none", data=npy(digit)).json["results"][0]["logits"]
    found = [each["response"][0][0] for each in answer["filters"]]
    np.testing.assert_allclose(found, logits, atol=1e-4)
    assert [each["name"] for each in answer["filters"]] == [str(n) for n in range(10)]
    described = client.get("/v1/models/lecture").json["layers"]
    conv, pool, head = described
    steps = answer["stages"]
    assert [step["shape"] for step in steps] == [conv["shape"], conv["shape"], pool["shape"], [10, 1, 1]]
    assert [step["parameters"] for step in steps] == [conv["parameters"], 0, 0, head["parameters"]]
    assert [step["multiply_adds"] for step in steps] == [conv["multiply_adds"], 0, 0, head["multiply_adds"]]
    assert steps[0]["receptive_field"] == conv["receptive_field"]
    assert steps[2]["receptive_field"] == pool["receptive_field"]
    assert steps[0]["geometry"]["patches"] == [11, 11]


def test_a_chain_of_one_stage_is_a_call_without_stages(client, digit):
    step = {"filters": [{"preset": "box", "size": 3}, {"weights": [[1, -1], [0, 2]]}], "padding": "same"}
    step |= {"activation": "tanh", "pool": {"kind": "avg", "size": 2}, "stride": 2}
    alone, chained = responses(client, digit, **step), responses(client, digit, stages=[step])
    for one, other in zip(alone, chained, strict=True):
        np.testing.assert_array_equal(one, other)


def test_each_step_reads_what_the_last_one_gave(client, digit):
    first = {"filters": [{"weights": [[1, 2, 0]]}, {"weights": [[0, -1, 1]]}], "activation": "relu"}
    second = {"filters": [{"weights": [[1, -1]]}], "channels": "each", "pool": {"size": 2}}
    (chained,) = responses(client, digit, stages=[first, second])
    for own, answer in zip(responses(client, digit, **first), chained, strict=True):
        (expected,) = responses(client, own, filters=second["filters"], pool=second["pool"])
        np.testing.assert_allclose(answer, expected, atol=1e-6)


def test_a_chain_can_be_had_as_npz_and_as_a_picture(client, digit):
    stages = [{"filters": [{"preset": "box"}, {"preset": "laplacian_4"}], "padding": "same"}, {"pool": {"size": 4}}]
    known = {each["name"] for each in client.get("/v1/filters").json["filters"]}
    stages[0]["filters"] = [{"preset": name, "name": f"my {name}"} for name in sorted(known)[:2]]
    numbers = responses(client, digit, stages=stages)
    arrays = np.load(io.BytesIO(post(client, digit, stages=stages, format="npz").data))
    names = [f"0/my {name}" for name in sorted(known)[:2]]
    assert arrays.files == [*names, "responses"]
    for name, expected in zip(names, numbers, strict=True):
        np.testing.assert_allclose(arrays[name], expected, rtol=1e-6)
    assert post(client, digit, stages=stages, format="png").mimetype == "image/png"


def test_stages_may_be_json_text_in_the_query(client, digit):
    stages = json.dumps([{"pool": {"size": 7}}])
    answer = client.post("/v1/apply-filters", query_string={"stages": stages}, data=npy(digit)).json["results"][0]
    assert [each["name"] for each in answer["filters"]] == ["image"]
    np.testing.assert_allclose(answer["filters"][0]["response"], digit.reshape(4, 7, 4, 7).max(axis=(1, 3)), atol=1e-6)


@pytest.mark.parametrize(
    ("stages", "status", "pointer", "says"),
    [
        ([{"filters": [{"preset": "nothing"}]}], 404, "/stages/0", "nothing"),
        ([{}, {"filters": [{"weights": [[1, "x"]]}]}], 422, "/stages/1/filters/0", "stage 1"),
        ([{"pool": {"size": 30}}], 422, "/stages/0/pool", "30"),
        ([{"activation": "soft"}], 422, "/stages/0/activation", "relu"),
        (
            [{"filters": [{"weights": [[1]]}] * 2}, {"filters": [{"weights": [[1]]}]}],
            422,
            "/stages/1/filters/0",
            "2 maps",
        ),
        ([{"filters": [{"weights": [[1]]}, {"weights": [[1, 1]]}]}, {}], 422, "/stages/0/filters", "one size"),
        ([{"filters": [{"weights": [[[1]], [[1]]]}]}], 422, "/stages/0/filters/0", "2 channels"),
        ([{"filters": [{"weights": [[3e38]]}]}, {"activation": "square"}], 422, "/stages/1", "overflows"),
        ([{"filters": [{"weights": [[-1]]}]}, {"activation": "elu(1e300)"}], 422, "/stages/1", "overflows"),
        ([{"colour": 1}], 422, "/stages/0/colour", "colour"),
        ([{}] * 17, 422, "/stages", "1 to 16"),
    ],
)
def test_a_wrong_step_is_pointed_at(client, digit, stages, status, pointer, says):
    answer = post(client, digit, stages=stages)
    assert answer.status_code == status, answer.text
    assert answer.json["errors"][0]["pointer"].startswith(pointer)
    assert says in answer.json["detail"]


def test_what_belongs_in_a_stage_is_refused_beside_the_stages(client, digit):
    answer = post(client, digit, stages=[{}], stride=2)
    assert answer.status_code == 422
    assert "stride" in answer.json["detail"]


def test_the_work_of_a_whole_chain_is_counted_before_it_is_done(client):
    wide = {"filters": [{"weights": np.ones((63, 63)).tolist()}], "padding": "same"}
    large = np.zeros((1500, 1500), np.uint8)
    query = {"stages": json.dumps([wide] * 3), "format": "npz"}
    answer = client.post("/v1/apply-filters", query_string=query, data=npy(large))
    assert answer.status_code == 422
    assert "multiply-adds" in answer.json["detail"]


def test_maps_that_multiply_from_step_to_step_are_refused_before_they_are_made(client):
    step = {"filters": [{"weights": [[1]]}] * 64, "channels": "each"}
    answer = post(client, [[0.5]], stages=[step, step, step, {"pool": {"size": 1}}])
    assert answer.status_code == 422
    assert "4096 maps" in answer.json["detail"]


def test_a_callers_filter_has_its_card_where_asked_for(client, digit):
    filters = [{"weights": [[-1, 0, 1], [-2, 0, 2], [-1, 0, 1]], "bias": 0.5}]
    (found,) = post(client, digit, filters=filters, card=True).json["results"][0]["filters"]
    assert found["card"]["output_range"] == [-3.5, 4.5]
    (plain,) = post(client, digit, filters=filters).json["results"][0]["filters"]
    assert "card" not in plain


@pytest.mark.parametrize(
    "filters",
    [[{"weights": np.ones((60, 60)).tolist()}] * 8, [{"weights": np.ones((3, 1, 1)).tolist()}] * 50],
)
def test_cards_that_would_cost_too_much_are_refused_before_they_are_made(client, filters):
    colour = np.zeros((64, 64, 3)) if np.ndim(filters[0]["weights"]) == 3 else np.zeros((64, 64))
    answer = post(client, colour, filters=filters, card=True)
    assert answer.status_code == 422
    assert "cards may be made of 16384 weights in 128 channels" in answer.json["detail"]


def test_every_named_filter_has_its_card_where_asked_for(client):
    from service.core.cards import filter_card

    listed = client.get("/v1/filters?card=true").json["filters"]
    assert all(each["card"]["shape"] == each["shape"] for each in listed)
    expected = filter_card(np.array(listed[3]["weights"], np.float32))
    assert listed[3]["card"]["l2"] == pytest.approx(expected.l2)
    assert "card" not in client.get("/v1/filters").json["filters"][0]


# --- snippets ------------------------------------------------------------------------------------------------------


def run_code(code):
    names = {}
    exec(code, names)
    return names


def check_snippet(client, image, library, **options):
    result = post(client, image, snippet=library, **options)
    assert result.status_code == 200, result.text
    result = result.json["results"][0]
    names = run_code(result["snippet"])
    picture = np.asarray(image, np.float32)
    picture = picture[None] if picture.ndim == 2 else picture.transpose(2, 0, 1)
    computed = names["respond"](picture)
    served = [np.array(each["response"]) for each in result["filters"]]
    assert len(computed) == len(served)
    for own, expected in zip(computed, served, strict=True):
        assert own.shape == expected.shape
        scale = max(1.0, np.abs(expected).max())
        np.testing.assert_allclose(np.asarray(own) / scale, expected / scale, atol=1e-5)
    return names


def random_step(random, *, colour):
    count = int(random.integers(1, 4))
    shapes = [tuple(int(n) for n in random.integers(1, 5, 2)) for _ in range(count)]
    if colour:
        shapes = [(3, *shape) if random.random() < 0.4 else shape for shape in shapes]
    step = {
        "filters": [
            {"weights": random.normal(size=shape).tolist(), "bias": float(random.normal())} for shape in shapes
        ],
        "stride": [int(n) for n in random.integers(1, 3, 2)],
        "dilation": [int(n) for n in random.integers(1, 3, 2)],
        "padding": [int(n) for n in random.integers(0, 9, 4)] if random.random() < 0.5 else "same",
        "pad_mode": str(random.choice(PAD_MODES)),
        "pad_value": float(random.normal()),
        "orientation": str(random.choice(["correlation", "convolution"])),
        "normalize": str(random.choice(["none", "l2"])),
        "activation": str(random.choice(ACTIVATIONS)),
        "channels": str(random.choice(["grey", "each"])),
    }
    if random.random() < 0.6:
        window = [int(n) for n in random.integers(1, 3, 2)]
        step["pool"] = {"kind": str(random.choice(POOL_KINDS)), "size": window, "stride": window[::-1]}
    return step


@pytest.mark.parametrize("library", ["numpy", "torch"])
@pytest.mark.parametrize("seed", range(12))
def test_the_code_computes_the_response_again(client, library, seed):
    pytest.importorskip(library)
    random = np.random.default_rng(seed)
    colour = seed % 2 == 1
    image = random.random((14, 15, 3) if colour else (14, 15)).astype(np.float32)
    names = check_snippet(client, image, library, **random_step(random, colour=colour))
    np.testing.assert_allclose(np.asarray(names["image"]).reshape(-1)[:3], image.reshape(14 * 15, -1)[:3, 0], atol=1e-7)


@pytest.mark.parametrize("library", ["numpy", "torch"])
@pytest.mark.parametrize("name", ACTIVATIONS)
def test_every_activation_has_its_code(client, library, name):
    pytest.importorskip(library)
    image = np.linspace(-4, 4, 49, dtype=np.float32).reshape(7, 7)
    names = [name, f"{name}(0.3)"] if name in {"leaky_relu", "elu", "threshold"} else [name]
    for each in names:
        check_snippet(client, image, library, filters=[{"weights": [[1]]}], activation=each)


@pytest.mark.parametrize("library", ["numpy", "torch"])
def test_a_chain_has_its_code_too(tmp_path, digit, library):
    pytest.importorskip(library)
    network = random_network(tmp_path, "lecture", 2)
    client = create_app(Settings(), Library([network], "lecture")).test_client()
    check_snippet(client, digit, library, stages=lecture_by_hand(network.weights))
    mixed = [
        {"filters": [{"weights": [[1, 2]]}, {"weights": [[0, 1]]}], "channels": "each", "pool": {"size": 2}},
        {"filters": [{"weights": [[[1]], [[-1]]], "name": 'it\'s "both" ☃'}], "activation": "abs"},
    ]
    check_snippet(client, digit, library, stages=mixed)


def test_a_large_picture_is_left_for_the_caller_to_give(client):
    image = np.zeros((100, 100), np.float32)
    names = check_snippet(client, image, "numpy", filters=[{"preset": "box"}])
    assert "responses" not in names


def test_a_prepared_picture_is_written_out_as_the_filters_saw_it(client):
    body = {"image": draw(4, 140).tolist(), "prepare": "auto", "snippet": "numpy", "filters": [{"preset": "box"}]}
    result = client.post("/v1/apply-filters", json=body).json["results"][0]
    assert result["prepared"]["inverted"] is True
    (computed,) = run_code(result["snippet"])["responses"]
    np.testing.assert_allclose(computed, result["filters"][0]["response"], atol=1e-6)


def test_the_picture_of_a_card_has_the_spectrum_below_the_weights(client):
    from PIL import Image

    from service.core.cards import spectrum

    weights = np.array(client.get("/v1/models/digits/layers/conv1/filters/3").json["filters"][0]["weights"])
    answer = client.get("/v1/models/digits/layers/conv1/filters/3?format=png&card=true")
    plain = np.asarray(Image.open(io.BytesIO(client.get("/v1/models/digits/layers/conv1/filters/3?format=png").data)))
    both = np.asarray(Image.open(io.BytesIO(answer.data)))
    np.testing.assert_array_equal(both[: len(plain), : plain.shape[1]], plain)
    gain = spectrum(weights)
    drawn = both[len(plain) + 2 : len(plain) + 66, 2:66] / 255
    np.testing.assert_allclose(drawn * gain.max(), gain, atol=gain.max() / 510 + 1e-6)
    spectra = json.loads(answer.headers["X-Filterscope-Range"])["spectra"]
    assert spectra == [[0.0, pytest.approx(gain.max())]]
    assert client.get("/v1/filters/box?format=png&card=true").mimetype == "image/png"


def test_a_stage_declares_its_options_as_the_call_of_one_stage_does():
    # Written twice: a struct of msgspec has one base with fields, and the call has its pictures' already.
    of_the_call = {field.name: field for field in msgspec.structs.fields(ApplyFiltersOptions)}
    for field in msgspec.structs.fields(Stage):
        same = of_the_call[field.name]
        assert (field.type, field.default) == (same.type, same.default), field.name
