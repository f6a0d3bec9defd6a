"""POST /v1/explain, against Captum, PyTorch's gradients, brute force and the service's own other answers."""

import json
from itertools import combinations
from math import factorial

import numpy as np
import pytest

from service.app import create_app
from service.lab.explain.methods import METHODS
from service.settings import SHIPPED_MODELS, Settings
from tests.drawing import draw, encode, npy
from tests.networks import STRUCTURES, as_torch, library_of

torch = pytest.importorskip("torch")
captum = pytest.importorskip("captum.attr")
torch.set_num_threads(1)  # these networks are too small to share, and waiting for each other costs more

SHIPPED = sorted(path.parent for path in SHIPPED_MODELS.glob("*/*/passport.json"))
RELU = ["overlap"]  # the structures whose activations are relu throughout, where LRP-0 is input x gradient


@pytest.fixture(scope="module")
def networks(tmp_path_factory):
    return library_of(tmp_path_factory.mktemp("models"))


@pytest.fixture(scope="module")
def laboratory(networks):
    """The service on one random network of every structure."""
    return create_app(Settings(), networks).test_client()


@pytest.fixture(scope="module")
def images():
    """Random ink on half of the paper, so that paper is there too."""
    random = np.random.default_rng(0)
    return (random.random((4, 28, 28), np.float32) * (random.random((4, 28, 28)) < 0.5)).astype(np.float32)


def explain(client, images, **options):
    query = {name: json.dumps(value) if isinstance(value, list | dict) else value for name, value in options.items()}
    answer = client.post("/v1/explain", query_string={"prepare": "none"} | query, data=npy(images))
    assert answer.status_code == 200, answer.text
    return answer.json["results"]


def refusal(client, **options):
    answer = client.post("/v1/explain", query_string=options, data=encode(draw(4)))
    return answer.status_code, answer.json.get("detail", "")


def as_tensor(images):
    return torch.from_numpy(images).double()[:, None]


def split_before_head(network, position=-2):
    """The network up to the head's input, and the head, as two callables."""
    whole = as_torch(network)
    body = torch.nn.Sequential(*list(whole)[: _head_start(whole)])
    tail = torch.nn.Sequential(*list(whole)[_head_start(whole) :])
    return body, tail


def _head_start(whole):
    kinds = [type(module) for module in whole]
    return (
        kinds.index(torch.nn.AdaptiveAvgPool2d)
        if torch.nn.AdaptiveAvgPool2d in kinds
        else kinds.index(torch.nn.Flatten)
    )


# --- ledger --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", STRUCTURES)
def test_the_ledger_is_captums_gradient_x_activation_and_its_integrated_gradients(networks, laboratory, images, name):
    body, tail = split_before_head(networks.get(name))
    read = body(as_tensor(images)).detach()
    for index, result in enumerate(explain(laboratory, images, model=name, full=True)):
        full = np.array(result["shares"]["full"])
        for target in (0, result["target"]):
            one = read[index : index + 1]
            for method in (captum.InputXGradient(tail), captum.IntegratedGradients(tail)):
                attribution = method.attribute(one, target=target)[0].detach().numpy()
                np.testing.assert_allclose(full[target], attribution, atol=1e-4)
        np.testing.assert_allclose(full.sum(axis=(2, 3)), result["shares"]["filters"], atol=1e-6)
        np.testing.assert_allclose(full.sum(axis=1), result["shares"]["places"], atol=1e-6)
        whole = np.array(result["base"]) + full.sum(axis=(1, 2, 3))
        np.testing.assert_allclose(whole, result["logits"], atol=1e-4)
        assert result["residual"] == pytest.approx(np.abs(whole - result["logits"]).max(), abs=1e-6)


@pytest.mark.parametrize("name", ["lecture", "overlap", "pooled"])
def test_a_filters_share_is_what_the_logits_lose_when_it_is_off(networks, laboratory, images, name):
    layer = networks.get(name).passport.convolutions[-1].name
    originals = explain(laboratory, images, model=name)
    for k in range(len(originals[0]["shares"]["filters"][0])):
        edited = explain(laboratory, images, model=name, changes=[{"layer": layer, "filter": k, "action": "off"}])
        for before, after in zip(originals, edited, strict=True):
            lost = np.array(before["logits"]) - after["logits"]
            np.testing.assert_allclose(np.array(before["shares"]["filters"])[:, k], lost, atol=1e-4)
            np.testing.assert_allclose(np.array(after["shares"]["filters"])[:, k], 0, atol=1e-12)


@pytest.mark.parametrize("name", ["lecture", "pooled"])
def test_the_shares_are_the_shapley_values_of_switching_filters_off(networks, laboratory, images, name):
    network, image = networks.get(name), images[:1]
    layer = network.passport.convolutions[-1]
    filters = layer.shape[0]

    def logits(present):
        off = [k for k in range(filters) if k not in present]
        edits = {f"{layer.name}.{part}": network.weights[f"{layer.name}.{part}"].copy() for part in ("weight", "bias")}
        for array in edits.values():
            array[off] = 0
        return network.analyse(image[:, None], [], edits)[0].logits[0].astype(np.float64)

    values = {each: logits(each) for size in range(filters + 1) for each in combinations(range(filters), size)}
    shapley = np.zeros((10, filters))
    for k in range(filters):
        for subset in (each for each in values if k not in each):
            weight = factorial(len(subset)) * factorial(filters - len(subset) - 1) / factorial(filters)
            shapley[:, k] += weight * (values[tuple(sorted((*subset, k)))] - values[subset])
    (result,) = explain(laboratory, image, model=name)
    np.testing.assert_allclose(result["shares"]["filters"], shapley, atol=1e-4)


def test_the_margin_is_the_difference_of_two_classes_and_defaults_to_the_strongest_other(laboratory, images):
    for options in ({"rival": 3, "target": 5}, {"score": "margin"}):
        for result in explain(laboratory, images, **options):
            margin, target = result["margin"], result["target"]
            rival, logits = margin["rival"], np.array(result["logits"])
            assert margin["value"] == pytest.approx(logits[target] - logits[rival], abs=1e-6)
            for part in ("filters", "places"):
                shares = np.array(result["shares"][part])
                np.testing.assert_allclose(margin["shares"][part], shares[target] - shares[rival], atol=1e-9)
            if "score" in options:
                assert rival == np.argsort(-logits)[1]


# --- pixels --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", STRUCTURES)
def test_pixel_credit_adds_up_to_the_logit_and_gives_paper_nothing(laboratory, images, name):
    for image, result in zip(
        images, explain(laboratory, images, model=name, method="pixels", rival=1, target=2, full=True), strict=True
    ):
        for part in (result, result["margin"]):
            shares = part["shares"]
            pixels, biases = np.array(shares["pixels"]), sum(shares["biases"].values())
            assert abs(part["residual"]) <= 1e-4
            assert part["head_bias"] + pixels.sum() + biases == pytest.approx(part["value"], abs=1e-4)
            assert (pixels[image == 0] == 0).all()
            assert (np.array(shares["full"])[:, image == 0] == 0).all()
            np.testing.assert_allclose(np.sum(shares["full"], axis=0), pixels, atol=1e-5)


@pytest.mark.parametrize("name", STRUCTURES)
def test_what_passes_through_the_filters_of_a_layer_is_the_score_less_the_biases_above(laboratory, images, name):
    for result in explain(laboratory, images, model=name, method="pixels"):
        shares, above = result["shares"], 0.0
        for layer, filters in shares["filters"].items():
            whole = result["head_bias"] + above + sum(filters)
            assert whole == pytest.approx(result["value"], abs=1e-4), layer
            above += shares["biases"][layer]


@pytest.mark.parametrize("name", RELU)
def test_with_relu_pixel_credit_is_captums_input_x_gradient(networks, laboratory, images, name):
    method = captum.InputXGradient(as_torch(networks.get(name)))
    for image, result in zip(images, explain(laboratory, images, model=name, method="pixels", target=4), strict=True):
        expected = method.attribute(as_tensor(image[None]), target=4)[0, 0].detach().numpy()
        np.testing.assert_allclose(result["shares"]["pixels"], expected, atol=1e-5)


@pytest.mark.parametrize("name", ["lecture", "deep", "overlap", "pooled"])
def test_pixel_credit_is_captums_layer_wise_relevance_propagation(networks, laboratory, images, name):
    from captum.attr._utils.lrp_rules import EpsilonRule

    whole = as_torch(networks.get(name))
    for image, result in zip(images, explain(laboratory, images, model=name, method="pixels", target=6), strict=True):
        for module in whole:  # Captum takes the rules off after each use
            module.rule = EpsilonRule(epsilon=1e-12)
        expected = captum.LRP(whole).attribute(as_tensor(image[None]), target=6)[0, 0].detach().numpy()
        np.testing.assert_allclose(result["shares"]["pixels"], expected, atol=1e-4)


def test_where_tanh_flattens_two_sums_to_one_value_the_larger_sum_is_credited(tmp_path):
    from service.network.sessions import Library, Network
    from tests.networks import random_weights, write_model

    weights = random_weights(STRUCTURES["lecture"], 1)
    weights["conv1.weight"] *= 40
    network = Network(write_model(tmp_path, "lecture", STRUCTURES["lecture"], weights))
    image = (np.random.default_rng(1).random((1, 28, 28)) < 0.5).astype(np.float32)
    maps = network.analyse(image[:, None], ["conv1.act"])[1]["conv1.act"]
    assert (np.abs(maps) == 1).mean() > 0.3
    (result,) = explain(create_app(Settings(), Library([network], "lecture")).test_client(), image, method="pixels")
    # In float64 nothing is flattened: there the largest sum wins.
    windows = np.lib.stride_tricks.sliding_window_view(image[0].astype(np.float64), (7, 7))[::2, ::2]
    sums = np.einsum("yxij,kij->kyx", windows, weights["conv1.weight"][:, 0].astype(np.float64))
    sums += weights["conv1.bias"][:, None, None]
    head = weights["head.weight"][result["target"]].reshape(5, 5, 5).astype(np.float64)
    expected = np.zeros((28, 28))
    for k, row, column in np.ndindex(5, 5, 5):
        square = sums[k, 2 * row : 2 * row + 2, 2 * column : 2 * column + 2]
        y, x = np.unravel_index(square.argmax(), (2, 2))
        top, left = 2 * (2 * row + y), 2 * (2 * column + x)
        gain = np.tanh(square[y, x]) / square[y, x] * head[k, row, column]
        patch = image[0, top : top + 7, left : left + 7]
        expected[top : top + 7, left : left + 7] += gain * patch * weights["conv1.weight"][k, 0]
    np.testing.assert_allclose(result["shares"]["pixels"], expected, atol=1e-4)


# --- occlusion and rise --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("window", "stride", "baseline"), [([4, 4], [2, 2], "zero"), ([5, 3], [3, 3], 0.4), ([28, 1], [1, 1], 1.0)]
)
def test_occlusion_is_captums(networks, laboratory, images, window, stride, baseline):
    method = captum.Occlusion(as_torch(networks.get("deep")))
    options = {"model": "deep", "method": "occlusion", "target": 3, "baseline": baseline}
    options |= {"window": ",".join(map(str, window)), "stride": ",".join(map(str, stride))}
    expected = method.attribute(
        as_tensor(images),
        sliding_window_shapes=(1, *window),
        strides=(1, *stride),
        target=3,
        baselines=0 if baseline == "zero" else baseline,
        perturbations_per_eval=32,
    )
    found = [result["map"] for result in explain(laboratory, images, **options)]
    np.testing.assert_allclose(found, expected[:, 0].detach().numpy(), atol=1e-5)


def test_occlusion_explains_the_score_asked_for(laboratory, images):
    def found(**options):
        return np.array([result["map"] for result in explain(laboratory, images, method="occlusion", **options)])

    logit, rival = found(target=1), found(target=2)
    np.testing.assert_allclose(found(target=1, rival=2, score="margin"), logit - rival, atol=1e-5)
    added = explain(laboratory, images, method="occlusion", target=1, rival=2)
    np.testing.assert_allclose([result["margin"]["map"] for result in added], logit - rival, atol=1e-5)
    assert np.abs(found(target=1, score="probability")).max() <= 1


def test_what_covers_a_window_may_be_the_mean_or_the_blurred_picture(laboratory, networks):
    from scipy.ndimage import gaussian_filter

    image = draw(4, 28, dark_on_light=False).astype(np.float32) / 255
    blurred = gaussian_filter(image.astype(np.float64), 4, mode="nearest", truncate=9 / 4)
    for baseline, ground in (("mean", np.full((28, 28), image.mean())), ("blur", blurred)):
        options = {"method": "occlusion", "window": 28, "stride": 1, "target": 0, "baseline": baseline}
        (result,) = explain(laboratory, image[None], **options)
        scores = as_torch(networks.get())(
            torch.stack([torch.from_numpy(image).double(), torch.from_numpy(ground)])[:, None]
        )
        np.testing.assert_allclose(result["map"], float(scores[0, 0] - scores[1, 0]), atol=2e-3)


def test_rise_weighs_the_very_masks_of_its_seed(networks, laboratory, images):
    from service.core.masking import RandomMasks

    options = {"method": "rise", "masks": 300, "cells": 6, "keep": 0.4, "seed": 9, "target": 7}
    (result,) = explain(laboratory, images[:1], **options)
    assert [result[name] for name in ("masks", "cells", "keep", "seed")] == [300, 6, 0.4, 9]
    masks = np.concatenate(list(RandomMasks(300, 6, 0.4, 9, (28, 28)).blocks()))
    scores = as_torch(networks.get())(as_tensor(images[:1] * masks))[:, 7].detach().numpy()
    terms = scores[:, None, None] * masks / 0.4
    np.testing.assert_allclose(result["map"], terms.mean(axis=0), atol=1e-4)
    np.testing.assert_allclose(result["standard_error"], terms.std(axis=0, ddof=1) / np.sqrt(300), atol=1e-4)
    centred = (scores - scores.mean())[:, None, None] * masks / 0.4
    np.testing.assert_allclose(result["centred"]["map"], centred.mean(axis=0), atol=1e-4)


def test_the_same_seed_answers_the_same_bytes(laboratory, images):
    def ask(seed):
        return laboratory.post(f"/v1/explain?method=rise&masks=50&prepare=none&seed={seed}", data=npy(images)).data

    assert ask(1) == ask(1) != ask(2)


# --- activation maps -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", STRUCTURES)
def test_gradcam_is_captums_before_its_cut(networks, laboratory, images, name):
    whole = as_torch(networks.get(name))
    method = captum.LayerGradCam(whole, whole[_head_start(whole) - 1])
    for image, result in zip(images, explain(laboratory, images, model=name, method="cam", target=8), strict=True):
        expected = method.attribute(as_tensor(image[None]), target=8)[0, 0].detach().numpy()
        np.testing.assert_allclose(result["raw"], expected, atol=1e-5)


@pytest.mark.parametrize("name", STRUCTURES)
def test_hirescam_is_captums_gradient_x_activation_summed_over_filters(networks, laboratory, images, name):
    whole = as_torch(networks.get(name))
    method = captum.LayerGradientXActivation(whole, whole[_head_start(whole) - 1])
    answers = explain(laboratory, images, model=name, method="cam", variant="hirescam", target=8)
    for image, result in zip(images, answers, strict=True):
        expected = method.attribute(as_tensor(image[None]), target=8)[0].sum(dim=0).detach().numpy()
        np.testing.assert_allclose(result["raw"], expected, atol=1e-5)


def test_cam_is_the_heads_weights_over_the_maps_where_the_head_reads_means(networks, laboratory, images):
    network = networks.get("means")
    maps = network.analyse(images[:, None], ["pool1"])[1]["pool1"]
    answers = explain(laboratory, images, model="means", method="cam", variant="cam", target=2)
    for own, result in zip(maps, answers, strict=True):
        expected = np.einsum("k,kij->ij", network.weights["head.weight"][2], own)
        np.testing.assert_allclose(result["raw"], expected, atol=1e-5)
        assert result["map"][0][0] == pytest.approx(max(0, expected[0, 0]), abs=1e-5)
        assert np.shape(result["map"]) == (28, 28)


# --- one cell ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", STRUCTURES)
def test_a_cell_is_the_sum_of_its_products_and_its_bias_as_served(networks, laboratory, images, name):
    network, random = networks.get(name), np.random.default_rng(3)
    maps = network.analyse(images[:1, None], list(network.passport.map_shapes()))[1]
    for layer in network.passport.layers[:-1]:
        for _ in range(3):
            k, row, col = (int(random.integers(size)) for size in layer.shape)
            options = {"layer": layer.name, "filter": k, "row": row, "col": col}
            (cell,) = explain(laboratory, images[:1], model=name, method="cell", **options)
            assert cell["value"] == pytest.approx(float(maps[layer.maps[-1]][0, k, row, col]))
            if layer.op != "conv":
                values = np.array(cell["patch"])[np.array(cell["inside"])]
                pooled = values.max() if layer.op == "maxpool" else values.mean()
                assert cell["value"] == pytest.approx(pooled, abs=1e-6)
                continue
            assert cell["pre"] == pytest.approx(float(maps[f"{layer.name}.pre"][0, k, row, col]))
            assert np.sum(cell["products"]) + cell["bias"] == pytest.approx(cell["pre"], abs=1e-5)
            np.testing.assert_allclose(np.multiply(cell["patch"], cell["weights"]), cell["products"], atol=1e-6)
            assert cell["sum"] == pytest.approx(np.sum(cell["products"]))
            assert abs(cell["residual"]) <= 1e-5
            assert (np.array(cell["patch"])[..., ~np.array(cell["inside"])] == 0).all()


def test_the_shares_of_all_cells_of_a_layer_are_its_filters_credit(networks, laboratory, images):
    layer = networks.get("overlap").passport.layer("conv2")
    (pixels,) = explain(laboratory, images[:1], model="overlap", method="pixels", target=3)
    _, rows, columns = layer.shape
    total = 0.0
    for row in range(rows):
        for col in range(columns):
            options = {"layer": "conv2", "filter": 1, "row": row, "col": col}
            (cell,) = explain(laboratory, images[:1], model="overlap", method="cell", **options)
            total += cell["shares"][3]
    assert total == pytest.approx(pixels["shares"]["filters"]["conv2"][1], abs=1e-6)


def test_a_cell_says_what_the_pooling_above_made_of_it(networks, laboratory, images):
    network = networks.get("lecture")
    maps = network.analyse(images[:1, None], ["conv1.act", "pool1"])[1]
    wins = 0
    for row in (4, 5):
        for col in (6, 7):
            options = {"layer": "conv1.act", "filter": 2, "row": row, "col": col}
            (cell,) = explain(laboratory, images[:1], method="cell", **options)
            (pooling,) = cell["pooling"]
            assert (pooling["layer"], pooling["row"], pooling["col"]) == ("pool1", 2, 3)
            assert pooling["value"] == pytest.approx(float(maps["pool1"][0, 2, 2, 3]))
            assert pooling["wins"] == (pooling["winner"] == [row, col])
            wins += pooling["wins"]
            assert cell["receptive_field"]["box"] == [2 * col, 2 * row, 7, 7]
            np.testing.assert_allclose(cell["patch"], images[0, 2 * row : 2 * row + 7, 2 * col : 2 * col + 7])
            assert pooling["wins"] or cell["shares"] == [0] * 10
    assert wins == 1


# --- the deciding set ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["lecture", "overlap", "pooled"])
def test_without_the_deciding_set_the_verdict_is_another(networks, laboratory, images, name):
    layer = networks.get(name).passport.convolutions[-1].name
    found = 0
    for image, result in zip(images, explain(laboratory, images, model=name, method="deciding-set"), strict=True):
        filters = result["filters"]
        if not filters["found"]:
            continue
        found += 1
        for members, decides in ((filters["members"], True), (filters["members"][:-1], False)):
            changes = [{"layer": layer, "filter": k, "action": "off"} for k in members]
            query = {"prepare": "none", "model": name, "changes": json.dumps(changes)}
            after = laboratory.post("/v1/what-if", query_string=query, data=npy(image)).json["results"][0]["after"]
            assert (after["digit"] != result["target"]) == decides
        np.testing.assert_allclose(
            np.diff([filters["margin"], *filters["margins_after"]]), -np.array(filters["shares"]), atol=1e-5
        )
    assert found


# --- over the digits of MNIST, on the shipped networks -------------------------------------------------------------


@pytest.mark.parametrize("folder", SHIPPED, ids=lambda folder: f"{folder.parent.name}/{folder.name}")
def test_over_the_test_digits_ledger_and_pixel_credit_leave_no_residual(client, folder, proof, mnist_test):
    images = mnist_test.images
    chosen = images if proof else images[:: len(images) // 48]
    for start in range(0, len(chosen), 64):
        batch = chosen[start : start + 64]
        for method in ("ledger", "pixels"):
            query = {"method": method, "model": folder.parent.name, "version": folder.name}
            for result in explain(client, batch, **query):
                assert abs(result["residual"]) <= 1e-4


@pytest.mark.parametrize("folder", SHIPPED, ids=lambda folder: f"{folder.parent.name}/{folder.name}")
def test_over_the_test_digits_pixel_credit_and_occlusion_are_captums(client, folder, proof, mnist_test):
    from captum.attr._utils.lrp_rules import EpsilonRule

    from service.network.sessions import Network

    images = mnist_test.as_network_input()[:: 100 if proof else 2500]
    network = Network(folder)
    whole = as_torch(network)

    def logits(batch):
        """The network as it is served: in float32, as its answers are."""
        return torch.from_numpy(network.classify(np.ascontiguousarray(batch.numpy())).logits).double()

    query = {"model": folder.parent.name, "version": folder.name, "target": 3}
    credited = explain(client, images[:, 0], method="pixels", **query)
    covered = explain(client, images[:, 0], method="occlusion", **query)
    for image, pixels, occlusion in zip(images, credited, covered, strict=True):
        tensor = torch.from_numpy(image[None]).double()
        for module in whole:
            module.rule = EpsilonRule(epsilon=1e-12)
        expected = captum.LRP(whole).attribute(tensor, target=3)[0, 0].detach().numpy()
        np.testing.assert_allclose(pixels["shares"]["pixels"], expected, atol=1e-4)
        window = {"sliding_window_shapes": (1, 4, 4), "strides": (1, 2, 2), "perturbations_per_eval": 64}
        expected = captum.Occlusion(logits).attribute(torch.from_numpy(image[None]), target=3, baselines=0, **window)
        np.testing.assert_allclose(occlusion["map"], expected[0, 0].numpy(), atol=1e-5)


# --- refusals ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "status", "says"),
    [
        ({"method": "magic"}, 422, ", ".join(METHODS)),
        ({"method": "ledger", "window": 3}, 422, "occlusion"),
        ({"target": 10}, 422, "0 to 9"),
        ({"target": 3, "rival": 3}, 422, "another"),
        ({"method": "ledger", "baseline": "blur"}, 422, "zero or mean"),
        ({"method": "occlusion", "baseline": 2}, 422, "between 0"),
        ({"method": "occlusion", "window": 3, "stride": 4}, 422, "stride"),
        ({"method": "occlusion", "window": 30}, 422, "28 x 28"),
        ({"method": "rise", "masks": 1}, 422, "at least 2"),
        ({"method": "rise", "masks": 10**6}, 422, "20000"),
        ({"method": "rise", "keep": 1}, 422, "keep"),
        ({"method": "rise", "keep": "nan"}, 422, "keep"),
        ({"method": "rise", "seed": 10**25}, 422, "seed"),
        ({"method": "rise", "cells": 29}, 422, "2 to 28"),
        ({"method": "cell", "layer": "conv1", "filter": 0, "row": 0}, 422, "col is missing"),
        ({"method": "cell", "layer": "head", "filter": 0, "row": 0, "col": 0}, 404, "conv1, pool1"),
        ({"method": "cell", "layer": "conv1", "filter": 99, "row": 0, "col": 0}, 404, "0 to"),
        ({"method": "cell", "layer": "conv1", "filter": 0, "row": 99, "col": 0}, 422, "0 to"),
        ({"method": "ledger", "layer": "conv9"}, 404, "conv1, pool1"),
        ({"method": "ledger", "score": "probability"}, 409, "occlusion, rise"),
        ({"format": "png"}, 406, "json"),
        ({"changes": '[{"layer":"conv1","filter":0,"action":"turn"}]'}, 422, "off, scale, replace"),
    ],
)
def test_a_wrong_option_is_answered_with_what_it_may_be(laboratory, options, status, says):
    came, detail = refusal(laboratory, **options)
    assert (came, says in detail) == (status, True), detail


def test_what_a_structure_does_not_allow_is_answered_with_what_it_does(laboratory):
    status, detail = refusal(laboratory, model="deep", method="ledger", layer="conv1")
    assert status == 409
    assert all(word in detail for word in ("not linear", "conv3", "method=pixels", "what-if"))
    status, detail = refusal(laboratory, model="deep", method="cam", variant="cam")
    assert status == 409
    assert all(word in detail for word in ("mean", "hirescam", "gradcam"))
    status, detail = refusal(laboratory, model="deep", baseline="mean")
    assert status == 409
    assert "python -m training report" in detail


def test_an_answer_of_too_many_numbers_is_refused_before_the_work(client):
    answer = client.post(
        "/v1/explain?method=pixels&full=true&prepare=none", data=npy(np.zeros((256, 28, 28), np.uint8))
    )
    assert answer.status_code == 422
    assert "fewer pictures" in answer.json["detail"]


def test_a_prepared_picture_says_how_the_pixels_lie_on_it(client):
    result = client.post("/v1/explain?method=pixels&prepared_image=true", data=encode(draw(4))).json["results"][0]
    assert result["prepared"]["image"].startswith("data:image/png")
    assert np.shape(result["prepared"]["matrix"]) == (3, 3)
