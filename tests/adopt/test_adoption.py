"""Adopted networks against ONNX's reference evaluator, which shares no code with onnxruntime; and what is refused."""

import json
import subprocess
import sys

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper
from onnx.reference import ReferenceEvaluator

from service.adopt.adoption import make_model, probes
from service.adopt.asked import PRESETS, AdoptionOptions, Numbers, Refused
from service.adopt.pictures import Tried, choose, is_ahead
from service.adopt.work import answered
from service.network.sessions import Network
from service.pictures.codec import encode_png
from tests.adopt import traits
from tests.adopt.traits import ADOPTED, CLASSES, SIDE, Builder

PICTURES = 2


def asked_for(tmp_path, model, **more):
    file = tmp_path / "model.onnx"
    file.write_bytes(model if isinstance(model, bytes) else model.SerializeToString())
    folder = tmp_path / "one" / "1"
    folder.mkdir(parents=True)
    return AdoptionOptions(model=str(file), folder=str(folder), name="one", version="1", **more)


def adopted(tmp_path, model, **more):
    asked = asked_for(tmp_path, model, **more)
    return make_model(asked), Network(tmp_path / "one" / "1")


def fed(model, images, numbers=None):
    """The pictures as the file wants them, written anew: not as service/adopt lays them out."""
    dims = [dim.dim_value for dim in model.graph.input[0].type.tensor_type.shape.dim]
    if numbers is not None:
        images = numbers.of(images)
    if model.graph.input[0].type.tensor_type.elem_type == TensorProto.UINT8:
        images = np.floor(images * 255 + 0.5).astype(np.uint8)
    if len(dims) == 4 and dims[3] == images.shape[1]:
        return np.moveaxis(images, 1, 3)
    return images if len(dims) == 4 else images.reshape(len(images), *dims[1:])


def reference(model, images, names, numbers=None):
    """What the file answers by the reference evaluator, a picture at a time, and tensors of it by name."""
    weights = {each.name for each in model.graph.initializer}
    (name,) = [each.name for each in model.graph.input if each.name not in weights]
    watched = onnx.ModelProto()
    watched.CopyFrom(model)
    watched.graph.output.extend(onnx.ValueInfoProto(name=each) for each in names)
    evaluator = ReferenceEvaluator(watched)
    batch = max(model.graph.input[0].type.tensor_type.shape.dim[0].dim_value, 1)
    runs = [evaluator.run(None, {name: np.repeat(each[None], batch, axis=0)}) for each in fed(model, images, numbers)]
    arrays = [np.concatenate([one[:1] for one in each]) for each in zip(*runs, strict=True)]
    return arrays[: len(model.graph.output)], dict(zip(names, arrays[len(model.graph.output) :], strict=True))


def softmax(logits):
    power = np.exp(logits - logits.max(axis=1, keepdims=True))
    return power / power.sum(axis=1, keepdims=True)


@pytest.mark.parametrize("trait", ADOPTED)
def test_an_adopted_network_answers_what_its_file_answers_and_shows_its_maps(tmp_path, trait):
    make, more = ADOPTED[trait]
    model = make()
    described, network = adopted(tmp_path, model, **({"numbers": None} | more))
    images = probes(network.passport.input.shape)[:PICTURES]
    made = {name for node in model.graph.node for name in node.output}
    layers = [layer for layer in network.passport.layers if layer.op != "linear" and layer.source in made]
    numbers = Numbers() if "levels" in trait else None
    outputs, tensors = reference(model, images, [layer.source for layer in layers], numbers)
    answer = outputs[-1].reshape(PICTURES, CLASSES)

    verdicts, maps = network.analyse(images, list(network.passport.map_shapes()))
    lean = network.classify(images)
    for found in (verdicts, lean):
        np.testing.assert_allclose(found.probabilities, softmax(found.logits), atol=1e-6)
        if (answer >= 0).all() and np.allclose(answer.sum(axis=1), 1, atol=1e-4):
            np.testing.assert_allclose(found.probabilities, answer, atol=1e-5)
        elif np.allclose(np.exp(answer).sum(axis=1), 1, atol=1e-4):
            np.testing.assert_allclose(np.log(found.probabilities), answer, atol=1e-5)
        else:
            np.testing.assert_allclose(found.logits, answer, rtol=1e-5, atol=1e-5)
    for layer in layers:
        np.testing.assert_allclose(
            maps[layer.maps[0]], tensors[layer.source].reshape(maps[layer.maps[0]].shape), rtol=1e-4, atol=1e-5
        )
    assert described["checks"]["lean_difference"] <= 1e-5
    assert described["checks"]["analysis_difference"] <= 1e-5
    assert not any(tmp_path.glob("one/1/canonical*"))


def test_every_layer_of_a_branching_network_has_its_name_and_what_it_reads(tmp_path):
    _, network = adopted(tmp_path, traits.squeeze_and_excite())
    layers = {layer.name: layer for layer in network.passport.layers}
    assert layers["mul2"].reads == ("mul1", "conv5")
    assert layers["concat1"].reads == ("mul2", "conv3")
    assert (layers["conv2"].groups, layers["conv3"].groups) == (6, 2)
    # Of groups, the weights that each filter has: for the channels of its own group.
    shapes = {name: array.shape for name, array in network.weights.items() if name.endswith("weight")}
    assert {name: shape[1] for name, shape in shapes.items()} == {
        "conv1.weight": 1, "conv2.weight": 1, "conv3.weight": 3, "conv4.weight": 6, "conv5.weight": 3,
    }  # fmt: skip


def test_branches_that_both_begin_at_the_picture_say_so_and_see_what_they_read(tmp_path):
    b = Builder()
    first = b.add("Relu", b.conv("x", 6, 1, 5, pads=[2, 2, 2, 2]))
    other = b.add("Relu", b.conv("x", 6, 1, 3, pads=[1, 1, 1, 1]))
    mean = b.add("Flatten", b.add("GlobalAveragePool", b.add("Add", first, other)))
    _, network = adopted(tmp_path, b.model(b.dense(mean, CLASSES, 6)))
    layers = {layer.name: layer for layer in network.passport.layers}
    assert (layers["conv1"].reads, layers["conv2"].reads) == (("image",), ("image",))
    assert not network.passport.is_chain
    assert [field.size for name in ("conv1", "conv2", "add1") for field in network.fields[name]] == [5, 5, 3, 3, 5, 5]
    (tmp_path / "chain").mkdir()
    _, network = adopted(tmp_path / "chain", traits.plain())
    assert network.passport.is_chain
    assert network.passport.layers[0].reads == ("image",)


def test_numbers_with_the_channels_last_are_no_maps(tmp_path):
    """Keras gates by sigmoid and takes means where it has the channels: they were shown as rows."""
    b = Builder()
    turned = b.add("Transpose", b.conv("x", 6, 1, pads=[1, 1, 1, 1]), perm=[0, 2, 3, 1])
    gated = b.add("Mul", turned, b.add("Sigmoid", turned))
    told = b.dense(b.add("ReduceMean", gated, axes=[1, 2], keepdims=0), CLASSES, 6)
    _, network = adopted(tmp_path, b.model(told))
    layers = [layer for layer in network.passport.layers if layer.op != "linear"]
    assert {layer.shape[0] for layer in layers} == {6}


def test_a_sum_is_a_layer_by_either_of_its_operators(tmp_path):
    _, network = adopted(tmp_path, traits.residual("Sum"))
    layer = network.passport.layer("add1")
    assert (layer.op, layer.reads, layer.shape) == ("add", ("pool1", "conv3"), (6, 13, 13))
    assert "add1" in network.passport.whole


@pytest.mark.parametrize(
    ("shape", "numbers"),
    [
        ((1, SIDE, SIDE), Numbers(invert=True, scale=255)),
        ((1, SIDE, SIDE), PRESETS["mnist"]),
        ((3, 32, 20), PRESETS["caffe"]),
        ((3, 32, 20), PRESETS["imagenet"]),
        ((3, 32, 20), Numbers(order="bgr", scale=2, mean=(1,))),
    ],
)
def test_the_numbers_that_a_network_was_trained_on_are_made_inside(tmp_path, shape, numbers):
    model = traits.plain() if shape[0] == 1 else traits.colour()
    _, network = adopted(tmp_path, model, numbers=numbers)
    images = probes(shape)[:PICTURES]
    outputs, _ = reference(model, images, [], numbers)
    np.testing.assert_allclose(network.classify(images).logits, outputs[0], rtol=1e-4, atol=1e-4)


def one_operator(op, shape=("n", 1, SIDE, SIDE), made=("n", CLASSES), domain="", **attributes):
    b = Builder()
    return b.model(b.add(op, "x", domain=domain, **attributes), shape, shapes=[made])


def external():
    model = traits.plain()
    tensor = model.graph.initializer[0]
    tensor.data_location = TensorProto.EXTERNAL
    tensor.ClearField("raw_data")
    tensor.external_data.add(key="location", value="../../etc/passwd")
    return model


def two_inputs():
    model = traits.plain()
    model.graph.input.append(helper.make_tensor_value_info("mask", TensorProto.FLOAT, ["n", 1]))
    return model


def looped():
    body = helper.make_graph(
        [helper.make_node("Identity", [name], [f"{name}_"]) for name in ("go", "a")],
        "body",
        [
            helper.make_tensor_value_info("i", TensorProto.INT64, []),
            helper.make_tensor_value_info("go", TensorProto.BOOL, []),
            helper.make_tensor_value_info("a", TensorProto.FLOAT, None),
        ],
        [
            helper.make_tensor_value_info("go_", TensorProto.BOOL, []),
            helper.make_tensor_value_info("a_", TensorProto.FLOAT, None),
        ],
    )
    b = Builder()
    times, go = b.constant(np.int64(3)), b.constant(np.bool_(1))
    told = b.dense(b.add("Flatten", b.add("Loop", times, go, after_loop(b), body=body)), CLASSES, 6 * 169)
    return b.model(told)


def after_loop(b):
    return traits.after_conv(b)


def halves():
    model = traits.plain()
    for tensor in model.graph.initializer:
        tensor.CopyFrom(numpy_helper.from_array(numpy_helper.to_array(tensor).astype(np.float16), tensor.name))
    return model


def later_ir():
    model = traits.plain()
    model.ir_version = 99
    return model


def two_classifiers():
    b = Builder()
    flat = b.add("Flatten", traits.after_conv(b))
    return b.model([b.dense(flat, CLASSES, 1014), b.dense(flat, CLASSES, 1014)])


def infinite():
    b = Builder()
    told = b.dense(b.add("Flatten", traits.after_conv(b)), CLASSES, 1014)
    return b.model(b.add("Div", told, b.constant(np.float32(0))))


def bomb():
    b = Builder()
    filled = b.add("ConstantOfShape", b.constant(np.array([1 << 14, 1 << 20])))
    return b.model(b.add("Add", filled, b.add("ReduceMean", "x", axes=[1, 2, 3], keepdims=0)))


# What the one line must say, and what is asked for beside the file.
REFUSED = {
    "empty": (lambda: b"", "no operator", {}),
    "a text": (lambda: b"not a network at all", "not an ONNX file", {}),
    "cut short": (lambda: traits.plain().SerializeToString()[:1000], "cut short", {}),
    "weights elsewhere": (external, "1 weights lie in ../../etc/passwd", {}),
    "another library's operators": (lambda: one_operator("QGemm", domain="com.microsoft"), "QGemm 1", {}),
    "two inputs": (two_inputs, "2 inputs (x, mask)", {}),
    "no picture": (lambda: one_operator("Relu", ("n", 2), ("n", 2)), "four axes", {}),
    "a row of other numbers": (traits.flat, "784 numbers are", {"size": (28, 29)}),
    "16 channels": (lambda: one_operator("Flatten", ("n", 16, 8, 8)), "1 or 3 channels", {}),
    "an answer that is a picture": (lambda: one_operator("Relu", made=("n", 1, SIDE, SIDE)), "a picture: ", {}),
    "one number": (lambda: one_operator("ReduceMean", axes=[1, 2, 3], keepdims=0), "[n, classes]", {}),
    "free sides": (lambda: traits.colour(("n", 3, "h", "w")), "--size 224x224", {}),
    "another size": (traits.plain, "fixes its size", {"size": (32, 32)}),
    "too large": (lambda: traits.colour(("n", 3, "h", "w")), "1 to 512 pixels", {"size": (4096, 4096)}),
    "a loop": (looped, "Loop: ", {}),
    "16 bits": (halves, "16 bits", {}),
    "a later version": (later_ir, "onnxruntime cannot open it", {}),
    "a batch that cannot be freed": (traits.baked_batch, "batch of 2 is baked in", {}),
    "sigmoids": (lambda: traits.ending("Sigmoid"), "sigmoid of each class", {}),
    "two that tell classes": (two_classifiers, "2 outputs tell classes", {}),
    "no such output": (traits.plain, "--output y", {"output": "y"}),
    "too few labels": (traits.plain, "4 classes, 3 labels", {"labels": ("a", "b", "c")}),
    "not finite": (infinite, "not finite", {}),
    "means of other channels": (traits.plain, "--mean must be", {"numbers": PRESETS["imagenet"]}),
    "a digit of another size": (traits.colour, "--prepare digit", {"prepare": "digit"}),
    "no folder of pictures": (traits.plain, "--check /nowhere", {"check": "/nowhere"}),
    "a short side too short": (traits.plain, "--short-side 20: 28 x 28", {"fit": "crop", "short_side": 20}),
    "no references": (traits.plain, "--reference", {"reference": "/nowhere"}),
}  # fmt: skip


@pytest.mark.parametrize("what", REFUSED)
def test_what_cannot_be_adopted_is_refused_in_one_line_that_says_why(tmp_path, what):
    make, words, more = REFUSED[what]
    with pytest.raises(Refused) as refused:
        make_model(asked_for(tmp_path, make(), **more))
    line = str(refused.value)
    assert words in line, line
    assert "\n" not in line
    assert "onnxruntime::" not in line
    assert len(line) <= 400


def mutated(data, random):
    """Bytes changed, cut out or doubled."""
    data = bytearray(data)
    for _ in range(int(random.integers(1, 6))):
        at, size = int(random.integers(len(data))), int(random.integers(1, 40))
        how = int(random.integers(4))
        if how == 0:
            data[at] = int(random.integers(256))
        elif how == 1:
            del data[at : at + size]
        elif how == 2:
            data[at:at] = data[at : at + size]
        else:
            data[at] ^= 1 << int(random.integers(8))
    return bytes(data)


LOOK = """
import json, pathlib, shutil, sys
from service.adopt.work import answered, hold
hold(4 << 30, 120)
from service.adopt.asked import AdoptionOptions
for file in sorted(pathlib.Path(sys.argv[1]).glob("*.onnx")):
    folder = file.with_suffix("") / "one" / "1"
    folder.mkdir(parents=True)
    told = answered(AdoptionOptions(model=str(file), folder=str(folder), name="one", version="1"))
    print(json.dumps([file.name, told.get("refused")]), flush=True)
"""


def test_damaged_files_are_adopted_or_refused_and_end_nothing(tmp_path, proof):
    random = np.random.default_rng(26)
    sound = [make().SerializeToString() for make, _ in ADOPTED.values()]
    count = 2000 if proof else 60
    for index in range(count):
        data = mutated(sound[int(random.integers(len(sound)))], random)
        (tmp_path / f"{index:04}.onnx").write_bytes(data)
    done = subprocess.run(
        [sys.executable, "-c", LOOK, str(tmp_path)], capture_output=True, text=True, check=False, timeout=600
    )
    told = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("[")]
    assert done.returncode == 0, (len(told), done.stderr[-500:])
    assert len(told) == count
    refused = [line for _, line in told if line is not None]
    assert len(refused) > count / 5
    assert all(line and "\n" not in line for line in refused)


def test_what_a_child_may_take_is_held(tmp_path):
    asked = asked_for(tmp_path, bomb())
    assert "memory" in answered(asked)["refused"]


def tried(right, numbers):
    return Tried(numbers, np.array(right, bool), 0.9)


def test_a_form_is_chosen_only_when_it_is_ahead_by_two_standard_errors(tmp_path):
    asked = asked_for(tmp_path, traits.plain())
    ahead, behind = Numbers(), Numbers(scale=255)
    clear = [tried([1] * 90 + [0] * 10, ahead), tried([1] * 50 + [0] * 50, behind)]
    assert choose(clear, asked) == ahead
    close = [tried([1] * 82 + [0] * 18, ahead), tried([0] + [1] * 80 + [0] * 19, behind)]
    assert not is_ahead(*close)
    with pytest.raises(Refused, match="do not tell these forms apart"):
        choose(close, asked)
    # Forms of which one is never right where the other is not, but too seldom.
    same = [tried([1] * 50, ahead), tried([1] * 50, behind)]
    with pytest.raises(Refused, match="do not tell these forms apart"):
        choose(same, asked)


def labelled(folder, random):
    for label, brightness in zip("abcd", (32, 96, 160, 224), strict=True):
        (folder / label).mkdir(parents=True)
        for index in range(8):
            pixels = np.clip(random.normal(brightness, 8, (20, 24)), 0, 255).astype(np.uint8)
            (folder / label / f"{index}.png").write_bytes(encode_png(pixels))
    return str(folder)


@pytest.mark.parametrize(("scale", "form"), [(255, "0..255"), (1, "0..1")])
def test_labelled_pictures_tell_what_a_network_was_trained_on(tmp_path, scale, form):
    folder = labelled(tmp_path / "pictures", np.random.default_rng(1))
    described, network = adopted(tmp_path, traits.brightness(scale), check=folder, labels=tuple("abcd"))
    assert described["numbers"]["form"] == form
    assert described["warnings"] == []
    white = np.full((1, 1, SIDE, SIDE), 0.9, np.float32)
    assert network.classify(white).classes == [3]
    shares = {each["form"]: each["right"] for each in described["checks"]["pictures"]["tried"]}
    assert shares[form] == 1
    assert max(share for each, share in shares.items() if each != form) < 0.6


def framed(folder, random):
    """Wide pictures whose middle alone tells the class: on either side lies another's brightness."""
    for label, brightness in zip("abcd", (32, 96, 160, 224), strict=True):
        (folder / label).mkdir(parents=True)
        for index in range(8):
            pixels = random.normal(255 - brightness, 8, (20, 60))
            pixels[:, 20:40] = random.normal(brightness, 8, (20, 20))
            (folder / label / f"{index}.png").write_bytes(encode_png(np.clip(pixels, 0, 255).astype(np.uint8)))
    return str(folder)


@pytest.mark.parametrize(("fit", "is_right"), [("crop", True), ("stretch", False), ("letterbox", False)])
def test_labelled_pictures_are_brought_to_the_network_as_posted_ones_will_be(tmp_path, fit, is_right):
    folder = framed(tmp_path / "pictures", np.random.default_rng(1))
    more = {"check": folder, "labels": tuple("abcd"), "numbers": Numbers(scale=255), "fit": fit}
    try:
        described, network = adopted(tmp_path, traits.brightness(255), **more)
    except Refused:
        assert not is_right
        return
    shares = {each["form"]: each["right"] for each in described["checks"]["pictures"]["tried"]}
    assert (shares["0..255"] == 1) == is_right
    assert network.passport.input.fitting.fit == described["input"]["fit"] == fit


def test_labelled_pictures_speak_against_a_form_that_was_given(tmp_path):
    folder = labelled(tmp_path / "pictures", np.random.default_rng(1))
    asked = asked_for(tmp_path, traits.brightness(255), check=folder, labels=tuple("abcd"), numbers=Numbers())
    warnings = make_model(asked)["warnings"]
    assert "0..255 gives 1.00" in warnings[0]
    assert "less than 3 times chance" in warnings[1]


@pytest.mark.parametrize("is_right", [True, False])
def test_answers_that_came_with_a_file_are_compared(tmp_path, is_right):
    model, folder = traits.nhwc(), tmp_path / "test_data_set_0"
    folder.mkdir()
    images = probes((1, SIDE, SIDE))[:1]
    (answer,), _ = reference(model, images, [])
    answer = answer if is_right else answer + 0.01
    for name, array in (("input_0", fed(model, images)), ("output_0", answer)):
        (folder / f"{name}.pb").write_bytes(numpy_helper.from_array(array).SerializeToString())
    asked = asked_for(tmp_path, model, reference=str(tmp_path))
    if is_right:
        assert make_model(asked)["checks"]["reference"]["difference"] < 1e-5
        return
    with pytest.raises(Refused, match="its answers differ by"):
        make_model(asked)
