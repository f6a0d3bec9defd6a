"""Cells of adopted networks: what a cell reads, computed anew, is the cell; over random geometries, beside PyTorch."""

import io
import json
import os

import numpy as np
import pytest
import torch
from torch.nn import functional

from service.adopt.adoption import make_model
from service.adopt.asked import AdoptionOptions, Numbers
from service.app import create_app
from service.lab.adopted import NO_CELLS, NOT_READ
from service.network.files import BadModel
from service.network.sessions import Network
from service.settings import Settings
from tests.adopt import traits
from tests.adopt.traits import CLASSES, Builder
from tests.api.contract import check_adopted

GEOMETRIES = 200 if os.environ.get("FILTERSCOPE_PROOF") else 14
SIDES = (11, 14)


def geometry(seed):
    """The operator, channels, attributes and filters of a random layer that reads maps of 11 x 14."""
    random = np.random.default_rng(seed)
    draw = lambda least, most: [int(each) for each in random.integers(least, most + 1, 2)]  # noqa: E731
    op = ("Conv", "Conv", "MaxPool", "AveragePool")[seed % 4]
    kernel, channels, filters = draw(1, 4), 6, 6
    given = {"kernel_shape": kernel, "strides": draw(1, 3)}
    if op == "Conv":
        given["group"] = int(random.choice([1, 2, 3, 6]))
        filters = given["group"] * int(random.integers(1, 4))
    if op != "AveragePool":
        given["dilations"] = draw(1, 2)
    how = ("pads", "SAME_UPPER", "SAME_LOWER", "VALID")[int(random.integers(0, 4))]
    if how == "pads":
        # Of a pooling less than its kernel, so that each of its windows has a cell that is no padding.
        most = [3, 3] if op == "Conv" else [size - 1 for size in kernel]
        given["pads"] = [int(random.integers(0, each + 1)) for each in (*most, *most)]
    else:
        given["auto_pad"], given["dilations"] = how, [1, 1]
        # No stride beyond the kernel: SAME would have it padded by less than nothing.
        given["strides"] = [min(pair) for pair in zip(given["strides"], kernel, strict=True)]
    if op != "Conv" and how == "pads":
        given["ceil_mode"] = int(random.integers(0, 2))
    if op == "AveragePool":
        given["count_include_pad"] = int(random.integers(0, 2))
        given.pop("dilations", None)
    return op, channels, given, filters


def of_one_layer(seed):
    op, channels, given, filters = geometry(seed)
    b = Builder(seed)
    maps = b.add("Tanh", b.conv("x", channels, 3, 1))
    if op == "Conv":
        rows, columns = given["kernel_shape"]
        weights = [b.weight(filters, channels // given["group"], rows, columns), b.weight(filters, scale=0.3)]
        made = b.add(op, maps, *weights[: 1 + seed % 3], **given)
    else:
        made = b.add(op, maps, **given)
    told = b.dense(b.add("Flatten", b.add("GlobalAveragePool", made)), CLASSES, filters)
    return b.model(told, ("n", 3, *SIDES), opset=19, ir=9), made


def adopted(folder, model, **more):
    place = folder / "models" / "one" / "1"
    place.mkdir(parents=True)
    (folder / "net.onnx").write_bytes(model.SerializeToString())
    make_model(AdoptionOptions(model=str(folder / "net.onnx"), folder=str(place), name="one", version="1", **more))
    return create_app(Settings(models=str(folder / "models"), default_model="one")).test_client(), Network(place)


def ask(client, image, layer, place, query=""):
    file = io.BytesIO()
    np.save(file, np.ascontiguousarray(image.transpose(1, 2, 0)))
    where = f"layer={layer}&filter={place[0]}&row={place[1]}&col={place[2]}"
    answer = client.post(
        f"/v1/explain?prepare=none&method=cell&{where}{query}", data=file.getvalue(), content_type="application/x-npy"
    )
    check_adopted(answer, "/v1/explain")
    return answer.json["results"][0]


def places_of(shape, count, seed=0):
    random = np.random.default_rng(seed)
    corners = [(0, 0, 0), tuple(size - 1 for size in shape)]
    return corners + [tuple(int(random.integers(0, size)) for size in shape) for _ in range(count)]


def computed(cell):
    """The value before the activation, of what an answer shows alone."""
    patch = np.array(cell.get("patch", 0))
    if cell["op"] == "conv":
        return float((patch * np.array(cell["weights"])).sum()) + cell["bias"]
    if cell["op"] in {"maxpool", "globalmaxpool"}:
        return patch[np.array(cell["inside"])].max()
    if cell["op"] in {"avgpool", "globalavgpool"}:
        return patch.sum() / cell["divisor"]
    values = [each["value"] for each in cell["parts"]]
    return np.prod(values) if cell["op"] == "mul" else sum(values)


def pads_of(given, sides):
    """The padding that SAME asks for, by its definition in ONNX: each side becomes ceil(side / stride)."""
    how = given.get("auto_pad", "NOTSET")
    if not how.startswith("SAME"):
        return given.get("pads", [0] * 4)
    needed = [
        max(0, (-(-side // step) - 1) * step + size - side)
        for side, step, size in zip(sides, given["strides"], given["kernel_shape"], strict=True)
    ]
    less = [each // 2 for each in needed]
    more = [each - half for each, half in zip(needed, less, strict=True)]
    return less + more if how == "SAME_UPPER" else more + less


@pytest.mark.parametrize("seed", range(GEOMETRIES))
def test_the_window_of_a_cell_of_any_geometry_is_pytorchs_and_makes_the_cell(tmp_path, seed):
    model, made = of_one_layer(seed)
    client, network = adopted(tmp_path, model)
    (layer,) = [each for each in network.passport.layers if each.source == made]
    image = np.random.default_rng(seed).random((3, *SIDES)).astype(np.float32)
    maps = network.analyse(image[None], ["conv1.act", layer.maps[0]])[1]
    read, whole = torch.from_numpy(maps["conv1.act"]), maps[layer.maps[0]][0]
    op, channels, given, _ = geometry(seed)
    top, left, bottom, right = pads_of(given, SIDES)
    rows, columns = given["kernel_shape"]
    apart = given.get("dilations", [1, 1])
    # More at the end, where a pooling reads beyond its padding.
    padded = functional.pad(read, (left, right + 4, top, bottom + 4))
    unfolded = functional.unfold(padded, (rows, columns), dilation=tuple(apart), stride=tuple(given["strides"]))
    across = (padded.shape[3] - (columns - 1) * apart[1] - 1) // given["strides"][1] + 1
    windows = unfolded[0].reshape(channels, rows, columns, -1, across).numpy()
    for place in places_of(layer.shape, 4, seed):
        cell = ask(client, image, layer.name, place)
        k, row, column = place
        chosen = slice(*cell["channels"]) if op == "Conv" else slice(k, k + 1)
        np.testing.assert_allclose(
            np.array(cell["patch"]).reshape(-1, rows, columns), windows[chosen, :, :, row, column], atol=1e-7
        )
        assert cell["reads"] == "conv1.act"
        assert cell["corner"] == [row * given["strides"][0] - top, column * given["strides"][1] - left]
        scale = float(np.abs(whole).max())
        assert computed(cell) == pytest.approx(float(whole[place]), abs=1e-5 * scale)
        assert np.float32(cell["value"]) == whole[place]
        assert abs(cell["residual"]) <= 1e-5 * scale
        if op == "MaxPool":
            assert maps["conv1.act"][0][k, *cell["winner"]] == whole[place]
    if op == "Conv":
        weights = network.weights[f"{layer.name}.weight"]
        padded = functional.pad(read, (left, right, top, bottom))
        biases = network.weights[f"{layer.name}.bias"]
        how = (tuple(given["strides"]), 0, tuple(apart), given["group"])
        torchs = functional.conv2d(padded, torch.from_numpy(weights), torch.from_numpy(biases), *how)
        np.testing.assert_allclose(torchs[0].numpy(), whole, atol=1e-5 * scale)


def joined(how):
    """Maps that are added, multiplied by a gate of 1 x 1, or put one after another."""
    b = Builder(3)
    first = b.add("Relu", b.conv("x", 6, 3, pads=[1, 1, 1, 1]))
    other = b.add("Relu", b.conv(first, 6, 6, pads=[1, 1, 1, 1]))
    if how == "gate":
        made = b.add("Mul", b.add("Sigmoid", b.add("GlobalAveragePool", other)), first)
    elif how == "sum of three":
        made = b.add("Sum", first, other, b.conv(first, 6, 6, 1))
    elif how == "concat":
        made = b.add("Concat", first, b.conv(other, 4, 6, 1), first, axis=1)
    else:
        made = b.add("Concat", first, other, axis=2)
    filters = {"concat": 16}.get(how, 6)
    pooled = b.add("GlobalMaxPool", b.add("Relu", made))
    return b.model(b.dense(b.add("Flatten", pooled), CLASSES, filters), ("n", 3, *SIDES))


@pytest.mark.parametrize("how", ["gate", "sum of three", "concat", "concat of rows"])
def test_a_cell_of_joined_maps_has_its_parts(tmp_path, how):
    client, network = adopted(tmp_path, joined(how))
    (layer,) = [each for each in network.passport.layers if each.op in {"add", "mul", "concat"}]
    image = np.random.default_rng(2).random((3, *SIDES)).astype(np.float32)
    names = [*layer.tensors, layer.name]
    maps = {name: array[0] for name, array in network.analyse(image[None], names)[1].items()}
    for place in places_of(layer.shape, 12):
        cell = ask(client, image, layer.name, place)
        assert computed(cell) == pytest.approx(cell["value"], abs=1e-6)
        assert np.float32(cell["value"]) == maps[layer.name][place]
        for each in cell["parts"]:
            assert np.float32(each["value"]) == maps[each["reads"]][each["filter"], each["row"], each["col"]]
        assert len(cell["parts"]) == {"gate": 2, "sum of three": 3}.get(how, 1)


def test_what_a_layer_reads_that_is_no_map_is_named_as_the_file_names_it(tmp_path):
    client, network = adopted(tmp_path, traits.residual(), numbers=Numbers(scale=255, mean=(127.5,), std=(60,)))
    image = np.random.default_rng(2).random((1, 28, 28)).astype(np.float32)
    cell = ask(client, image, "conv1", (0, 3, 4))
    assert cell["reads"] == "between/x"
    # The numbers that it was trained on, and not those of the picture.
    np.testing.assert_allclose(cell["patch"], (image[0, 3:6, 4:7] * 255 - 127.5) / 60, atol=1e-5)
    cell = ask(client, image, "pool2", (1, 0, 0))
    assert cell["reads"] == "between/relu_7"
    assert (np.array(cell["patch"]) >= 0).all()
    assert set(network.passport.between) == {"between/x", "between/relu_7"}


def test_the_shares_of_all_cells_of_a_layer_are_its_ledger(tmp_path):
    client, network = adopted(tmp_path, traits.two_dense())
    image = np.random.default_rng(2).random((1, 28, 28)).astype(np.float32)
    file = io.BytesIO()
    np.save(file, image[0])
    ledger = client.post(
        "/v1/explain?prepare=none&method=ledger&full=true", data=file.getvalue(), content_type="application/x-npy"
    ).json["results"][0]
    full = np.array(ledger["shares"]["full"])
    for place in places_of(network.passport.layer("pool1").shape, 6):
        cell = ask(client, image, "pool1", place)
        assert (cell["classes"], cell["exactness"]) == (ledger["classes"], "gates")
        np.testing.assert_allclose(cell["shares"], full[:, *place], atol=1e-6)
    # Through the pooling above: a cell that lost in its window adds nothing.
    for place in places_of(network.passport.layer("conv1").shape, 12):
        cell = ask(client, image, "conv1", place)
        for above in cell["pooling"]:
            assert above["wins"] == (above["winner"] == list(place[1:]))
        if cell["pooling"] and not any(above["wins"] for above in cell["pooling"]):
            np.testing.assert_array_equal(cell["shares"], 0)


def test_with_changes_a_cell_is_the_edited_filters_and_its_shares_are_left_out(tmp_path):
    client, _ = adopted(tmp_path, traits.squeeze_and_excite())
    image = np.random.default_rng(2).random((1, 28, 28)).astype(np.float32)
    changes = [{"layer": "conv3", "filter": 1, "action": "scale", "factor": -2}]
    plain = ask(client, image, "conv3", (1, 4, 5))
    edited = ask(client, image, "conv3", (1, 4, 5), f"&changes={json.dumps(changes)}")
    np.testing.assert_allclose(edited["weights"], -2 * np.array(plain["weights"]), rtol=1e-6)
    assert edited["pre"] == pytest.approx(-2 * plain["pre"], rel=1e-5)
    assert computed(edited) == pytest.approx(edited["pre"], abs=1e-5)
    assert "shares" in plain
    assert "shares" not in edited


def test_a_layer_whose_weights_are_made_as_it_runs_is_refused_with_those_that_work(tmp_path):
    client, _ = adopted(tmp_path, traits.made_filters())
    answer = client.post("/v1/explain?method=cell&layer=conv1&filter=0&row=0&col=0", json={"image": [[0, 1]]})
    assert (answer.status_code, NOT_READ in answer.json["detail"]) == (409, True)
    assert answer.json["detail"].endswith("method=cell works at: pool1, pool2")


def test_a_network_adopted_before_cells_were_kept_answers_all_else(tmp_path):
    client, network = adopted(tmp_path, traits.plain())
    file = network.folder / "passport.json"
    passport = json.loads(file.read_text())
    del passport["between"]
    for layer in passport["layers"]:
        layer.pop("tensors", None)
        layer.pop("counts_padding", None)
    file.write_text(json.dumps(passport))
    client = create_app(Settings(models=str(tmp_path / "models"), default_model="one")).test_client()
    picture = io.BytesIO()
    np.save(picture, np.zeros((28, 28), np.float32))
    for method, status in (("cell&layer=conv1&filter=0&row=0&col=0", 409), ("pixels", 200), ("ledger", 200)):
        answer = client.post(f"/v1/explain?method={method}", data=picture.getvalue(), content_type="application/x-npy")
        assert answer.status_code == status
    assert NO_CELLS in client.get("/v1/models/one").json["calls"]["POST /v1/explain?method=cell"]


@pytest.mark.parametrize(
    ("member", "value"),
    [
        ("between", {"between/a": [6, 26]}),
        ("between", {"image": [1, 28, 28]}),
        ("between", {"between/a": [2**62, 2, 1]}),
        ("tensors", ["pool1"]),
        ("tensors", ["image", "image"]),
        ("tensors", ["nothing"]),
    ],
)
def test_a_passport_that_names_other_tensors_is_refused_at_the_start(tmp_path, member, value):
    _, network = adopted(tmp_path, traits.plain())
    file = network.folder / "passport.json"
    passport = json.loads(file.read_text())
    (passport if member == "between" else passport["layers"][0])[member] = value
    file.write_text(json.dumps(passport))
    with pytest.raises(BadModel, match=r"passport\.json"):
        Network(network.folder)
