"""/v2, the Open Inference Protocol: every shape of it, and what real clients trip over."""

import base64
import gzip
import io
import json
import struct
import uuid
import zlib

import numpy as np
import onnxruntime
import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from service.app import create_app
from service.network.engine import one_thread
from service.settings import SHIPPED_MODELS, Settings
from tests.api.v2.protocol import SCHEMAS, check, refused
from tests.doors import opened, statuses
from tests.drawing import draw, encode, npy
from tests.networks import library_of

INFER = "/v2/models/digits/infer"
LENGTH = "Inference-Header-Content-Length"
RANDOM = np.random.default_rng(7)
ONE = RANDOM.random((1, 1, 28, 28), np.float32)
FIVE = RANDOM.random((5, 1, 28, 28), np.float32)


def tensor(images, **members):
    """The one input of a request, its numbers as one flat list unless told otherwise."""
    given = {"name": "image", "shape": list(images.shape), "datatype": "FP32", "data": images.ravel().tolist()}
    return {name: value for name, value in (given | members).items() if value is not None}


def ask(client, *inputs, path=INFER, **members):
    return client.post(path, json={"inputs": list(inputs), **members})


def binary(client, images, *, outputs=None, text=None, path=INFER, **members):
    """Post a tensor as bytes after the JSON."""
    request = {"inputs": [tensor(images, data=None, parameters={"binary_data_size": images.nbytes})], **members}
    if outputs is not None:
        request["outputs"] = outputs
    head = json.dumps(request).encode() if text is None else text
    return client.post(path, data=head + images.astype("<f4").tobytes(), headers={LENGTH: str(len(head))})


def take_apart(response):
    """(JSON, {output: its bytes}) of an answer in binary."""
    assert response.status_code == 200, response.text
    assert response.headers["Content-Type"] == "application/octet-stream"
    length = int(response.headers[LENGTH])
    members, tail = json.loads(response.data[:length]), response.data[length:]
    from jsonschema_rs import Draft202012Validator

    Draft202012Validator(SCHEMAS["infer"]).validate(members)
    pieces = {}
    for output in members["outputs"]:
        size = output.get("parameters", {}).get("binary_data_size", 0)
        pieces[output["name"]], tail = tail[:size], tail[size:]
    assert tail == b""
    return members, pieces


def arrays_of(response):
    """Every output of an answer in JSON, by name, in its shape."""
    outputs = check(response, "infer")["outputs"]
    return {output["name"]: np.array(output["data"], np.float32).reshape(output["shape"]) for output in outputs}


def oracle(images, *names, file="model.onnx"):
    """What plain onnxruntime gives for the shipped model."""
    session = onnxruntime.InferenceSession(str(SHIPPED_MODELS / "digits" / "1" / file), one_thread())
    return dict(zip(names, session.run(list(names), {"image": images}), strict=True))


def assert_close(answer, expected):
    assert list(answer) == list(expected)
    for name, array in expected.items():
        np.testing.assert_allclose(answer[name], array, rtol=1e-5, atol=1e-5, err_msg=name)


# --- what there is ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", ["/v2", "/v2/"])
def test_the_server_tells_its_name_release_and_extensions(client, path):
    metadata = check(client.get(path), "server")
    assert metadata["name"] == "filterscope"
    assert {"binary_tensor_data", "classification", "statistics"} <= set(metadata["extensions"])


def test_health_is_told_in_words_and_not_only_by_the_status(client):
    assert check(client.get("/v2/health/live"), "live") == {"live": True}
    assert check(client.get("/v2/health/ready"), "ready") == {"ready": True, "live": True}


@pytest.mark.parametrize("version", ["", "/versions/1"])
def test_a_model_tells_its_tensors_inner_maps_among_them(client, version):
    metadata = check(client.get(f"/v2/models/digits{version}"), "model")
    assert metadata["inputs"] == [{"name": "image", "datatype": "FP32", "shape": [-1, 1, 28, 28]}]
    shapes = {output["name"]: output["shape"] for output in metadata["outputs"]}
    assert list(shapes)[:3] == ["probabilities", "logits", "novelty"]
    assert shapes["logits"] == [-1, 10]
    assert shapes["novelty"] == [-1]
    layers = client.get("/v1/models/digits").json["layers"]
    assert {name: shape for name, shape in shapes.items() if name not in {"probabilities", "logits", "novelty"}} == {
        name: [-1, *layer["shape"]] for layer in layers for name in layer["maps"]
    }


def test_models_are_listed_and_each_is_ready(client):
    for name in check(client.get("/v2/models"), "models")["models"]:
        for path in (f"/v2/models/{name}/ready", f"/v2/models/{name}/versions/1/ready"):
            assert check(client.get(path), "model_ready") == {"name": name, "ready": True}


def test_the_configuration_has_the_shapes_without_the_batch(client):
    config = check(client.get("/v2/models/digits/config"), "config")
    assert config == check(client.get("/v2/models/digits/versions/1/config"), "config")
    assert config["max_batch_size"] == Settings().max_batch
    assert config["input"][0]["dims"] == [1, 28, 28]
    metadata = client.get("/v2/models/digits").json
    for output, told in zip(config["output"], metadata["outputs"], strict=True):
        assert output["name"] == told["name"]
        assert [-1, *output.get("reshape", {}).get("shape", output["dims"])] == told["shape"]


@pytest.mark.parametrize("body", [b"", b"{}", b'{"ready": true}', b'{"ready": false}', b"  \n"])
def test_the_repository_index_needs_no_body(client, body):
    index = check(client.post("/v2/repository/index", data=body), "index")
    listed = [(model["name"], model["version"]) for model in client.get("/v1/models").json["models"]]
    assert [(model["name"], model["version"]) for model in index] == listed
    assert {model["state"] for model in index} == {"READY"}


def test_loading_a_loaded_model_succeeds_and_unloading_is_refused(client):
    for body in (b"", b"{}", b'{"parameters": {}}'):
        assert client.post("/v2/repository/models/digits/load", data=body).status_code == 200
        refused(client.post("/v2/repository/models/digits/unload", data=body), 400, "digits stays loaded")
    assert client.get("/v2/models/digits/ready").status_code == 200
    config = {"parameters": {"config": "{}", "file:1/model.onnx": "AAAA"}}
    refused(client.post("/v2/repository/models/digits/load", json=config), 400, "takes no parameters")
    for verb in ("load", "unload"):
        refused(client.post(f"/v2/repository/models/letters/{verb}"), 404, "letters", "digits")


# --- inference in JSON ------------------------------------------------------------------------------------------------


def nested(images):
    return images.tolist()


def flat(images):
    return images.ravel().tolist()


@pytest.mark.parametrize("form", [nested, flat])
@pytest.mark.parametrize("images", [ONE, FIVE])
def test_numbers_in_json_may_be_nested_or_flat(client, form, images):
    answer = ask(client, tensor(images, data=form(images)))
    assert_close(arrays_of(answer), oracle(images, "probabilities", "logits"))


def test_a_batch_larger_than_one_run_is_answered_whole_and_in_order(client):
    images = RANDOM.random((70, 1, 28, 28), np.float32)
    answer = ask(client, tensor(images), outputs=[{"name": "logits"}, {"name": "pool1"}])
    assert_close(arrays_of(answer), oracle(images, "logits") | oracle(images, "pool1", file="analysis.onnx"))


def test_the_input_is_never_prepared(client):
    blank = np.zeros((1, 1, 28, 28), np.float32)
    for images in (blank, 1 - blank):
        assert_close(arrays_of(ask(client, tensor(images))), oracle(images, "probabilities", "logits"))
    as_posted = client.post("/v1/classify?prepare=none", data=npy(FIVE)).json["results"]
    logits = arrays_of(ask(client, tensor(FIVE)))["logits"]
    np.testing.assert_array_equal(logits, np.array([result["logits"] for result in as_posted], np.float32))


def test_an_answer_names_the_model_and_its_version_and_has_the_numbers_flat(client):
    answer = check(ask(client, tensor(FIVE), path="/v2/models/digits/versions/1/infer"), "infer")
    assert (answer["model_name"], answer["model_version"]) == ("digits", "1")
    assert [output["name"] for output in answer["outputs"]] == ["probabilities", "logits"]
    for output in answer["outputs"]:
        assert (output["shape"], output["datatype"], len(output["data"])) == ([5, 10], "FP32", 50)


@pytest.mark.parametrize("name", ["42", "", "a/b c", "数字"])
def test_an_id_comes_back(client, name):
    assert check(ask(client, tensor(ONE), id=name), "infer")["id"] == name


@pytest.mark.parametrize("given", [{}, {"id": None}])
def test_a_request_without_an_id_is_given_one(client, given):
    ids = {check(ask(client, tensor(ONE), **given), "infer")["id"] for _ in range(3)}
    assert len(ids) == 3
    for name in ids:
        uuid.UUID(name)


def test_members_that_the_protocol_does_not_know_are_passed_over(client):
    given = {"model_name": "whatever", "parameters": {"sequence_id": 3}, "priority": 1, "outputs": []}
    image = tensor(ONE, content_type="np", parameters={"content_type": "np"})
    assert_close(arrays_of(ask(client, image, **given)), oracle(ONE, "probabilities", "logits"))


@pytest.mark.parametrize("shape", [[1.0, 1.0, 28.0, 28.0], [1, 1.0, 28, 28.0]])
def test_a_shape_may_be_of_numbers_that_are_whole_but_not_integers(client, shape):
    body = json.dumps({"inputs": [tensor(ONE, shape=shape)]})
    assert "1.0" in body
    assert_close(arrays_of(client.post(INFER, data=body)), oracle(ONE, "probabilities", "logits"))


@pytest.mark.parametrize(
    "kind", [None, "application/json", "application/octet-stream", "text/plain", "multipart/form-data", "image/png"]
)
def test_the_content_type_says_nothing(client, kind):
    body = json.dumps({"inputs": [tensor(ONE)]})
    answer = client.post(INFER, data=body, content_type=kind)
    assert_close(arrays_of(answer), oracle(ONE, "probabilities", "logits"))
    head = json.dumps({"inputs": [tensor(ONE, data=None, parameters={"binary_data_size": 3136})]}).encode()
    answer = client.post(INFER, data=head + ONE.tobytes(), headers={LENGTH: str(len(head))}, content_type=kind)
    assert_close(arrays_of(answer), oracle(ONE, "probabilities", "logits"))


def test_every_inner_map_is_answered_when_it_is_named_and_only_then(client):
    named = [output["name"] for output in client.get("/v2/models/digits").json["outputs"]]
    answer = arrays_of(ask(client, tensor(FIVE[:2]), outputs=[{"name": name} for name in named]))
    assert_close(answer, oracle(FIVE[:2], *named, file="analysis.onnx"))
    assert "conv1.act" in named


def test_outputs_come_in_the_order_they_are_named(client):
    named = ["pool1", "logits", "conv1.pre", "novelty", "probabilities"]
    assert list(arrays_of(ask(client, tensor(ONE), outputs=[{"name": name} for name in named]))) == named


def test_a_network_without_novelty_has_no_such_output_and_every_structure_is_served(tmp_path):
    library = library_of(tmp_path)
    client = create_app(Settings(), library).test_client()
    for network in library.networks:
        metadata = check(client.get(f"/v2/models/{network.name}"), "model")
        named = [output["name"] for output in metadata["outputs"]]
        assert "novelty" not in named
        answer = ask(
            client, tensor(FIVE), path=f"/v2/models/{network.name}/infer", outputs=[{"name": n} for n in named]
        )
        verdicts, maps = network.analyse(FIVE, named[2:])
        assert_close(arrays_of(answer), {"probabilities": verdicts.probabilities, "logits": verdicts.logits} | maps)


# --- inference with bytes ---------------------------------------------------------------------------------------------


def test_bytes_in_and_numbers_out(client):
    assert_close(arrays_of(binary(client, FIVE)), oracle(FIVE, "probabilities", "logits"))


@pytest.mark.parametrize("as_bytes", [True, False])
def test_bytes_out_for_the_whole_request(client, as_bytes):
    parameters = {"binary_data_output": True}
    post = binary(client, FIVE, parameters=parameters) if as_bytes else ask(client, tensor(FIVE), parameters=parameters)
    members, pieces = take_apart(post)
    arrays = {name: np.frombuffer(piece, "<f4").reshape(5, 10) for name, piece in pieces.items()}
    assert_close(arrays, oracle(FIVE, "probabilities", "logits"))
    assert all("data" not in output for output in members["outputs"])


def test_each_output_decides_for_itself_and_over_the_whole_request(client):
    outputs = [
        {"name": "logits"},
        {"name": "probabilities", "parameters": {"binary_data": False}},
        {"name": "pool1", "parameters": {"binary_data": True}},
    ]
    expected = oracle(FIVE, "logits", "probabilities", "pool1", file="analysis.onnx")
    for whole, in_bytes in ((True, ["logits", "pool1"]), (False, ["pool1"])):
        parameters = {"binary_data_output": whole}
        members, pieces = take_apart(ask(client, tensor(FIVE), outputs=outputs, parameters=parameters))
        assert [name for name, piece in pieces.items() if piece] == in_bytes
        for output in members["outputs"]:
            raw = np.frombuffer(pieces[output["name"]], "<f4")
            numbers = raw if output["name"] in in_bytes else np.array(output["data"])
            np.testing.assert_allclose(numbers.reshape(output["shape"]), expected[output["name"]], rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("spaces", range(4))
def test_bytes_are_read_wherever_they_begin(client, spaces):
    text = json.dumps({"inputs": [tensor(ONE, data=None, parameters={"binary_data_size": 3136})]}).encode()
    assert_close(arrays_of(binary(client, ONE, text=text + b" " * spaces)), oracle(ONE, "probabilities", "logits"))


def test_a_body_without_json_is_one_image_and_every_output_is_bytes(client):
    members, pieces = take_apart(client.post(INFER, data=ONE.tobytes(), headers={LENGTH: "0"}))
    arrays = {name: np.frombuffer(piece, "<f4").reshape(1, 10) for name, piece in pieces.items()}
    assert_close(arrays, oracle(ONE, "probabilities", "logits"))
    assert members["model_name"] == "digits"
    refused(client.post(INFER, data=FIVE.tobytes(), headers={LENGTH: "0"}), 400, "3136", "15680")


# --- classification ---------------------------------------------------------------------------------------------------


def strings(piece):
    """The elements of a BYTES tensor."""
    found = []
    while piece:
        (length,) = struct.unpack_from("<I", piece)
        found.append(piece[4 : 4 + length].decode())
        piece = piece[4 + length :]
    return found


@pytest.mark.parametrize("name", ["probabilities", "logits"])
@pytest.mark.parametrize(("count", "given"), [(1, 1), (3, 3), (10, 10), (99, 10)])
@pytest.mark.parametrize("as_bytes", [True, False])
def test_classification_gives_the_highest_classes_with_score_index_and_label(client, name, count, given, as_bytes):
    outputs = [{"name": name, "parameters": {"classification": count, "binary_data": as_bytes}}]
    answer = ask(client, tensor(FIVE), outputs=outputs)
    if as_bytes:
        members, pieces = take_apart(answer)
        found = strings(pieces[name])
    else:
        members = check(answer, "infer")
        found = members["outputs"][0]["data"]
    assert (members["outputs"][0]["shape"], members["outputs"][0]["datatype"]) == ([5, given], "BYTES")
    scores = oracle(FIVE, name)[name]
    for row, texts in zip(scores, np.array(found).reshape(5, given), strict=True):
        parts = [text.split(":") for text in texts]
        order = np.argsort(-row)[:given]
        assert [int(index) for _, index, _ in parts] == order.tolist()
        assert [label for *_, label in parts] == [str(index) for index in order]
        np.testing.assert_allclose([np.float32(score) for score, *_ in parts], row[order], rtol=1e-5, atol=1e-7)


def test_no_classes_asked_for_is_no_classification(client):
    answer = ask(client, tensor(ONE), outputs=[{"name": "logits", "parameters": {"classification": 0}}])
    assert_close(arrays_of(answer), oracle(ONE, "logits"))


# --- encoded pictures -------------------------------------------------------------------------------------------------

PICTURES = [encode(draw(3)), encode(draw(7, 200), "JPEG"), encode(draw(4, dark_on_light=False)), npy(draw(1, 60))]


def packed(elements):
    return b"".join(struct.pack("<I", len(element)) + element for element in elements)


def pictures_tensor(elements, *, shape=None, **members):
    return {"name": "image", "shape": shape or [len(elements)], "datatype": "BYTES", **members}


def classified(client):
    images = [base64.b64encode(picture).decode() for picture in PICTURES]
    results = client.post("/v1/classify", json={"images": images}).json["results"]
    assert [result["digit"] for result in results] == [3, 7, 4, 1]
    return {name: np.array([result[name] for result in results], np.float32) for name in ("probabilities", "logits")}


@pytest.mark.parametrize("shape", [[4], [4, 1]])
@pytest.mark.parametrize("form", ["base64", "data url", "nested", "bytes", "base64 as bytes"])
def test_encoded_pictures_are_read_as_classify_reads_them(client, shape, form):
    texts = [base64.b64encode(picture).decode() for picture in PICTURES]
    if form == "nested" and len(shape) == 2:
        answer = ask(client, pictures_tensor(PICTURES, shape=shape, data=[[text] for text in texts]))
    elif form in {"base64", "data url", "nested"}:
        head = "data:image/png;base64," if form == "data url" else ""
        answer = ask(client, pictures_tensor(PICTURES, shape=shape, data=[head + text for text in texts]))
    else:
        tail = packed(PICTURES if form == "bytes" else [text.encode() for text in texts])
        image = pictures_tensor(PICTURES, shape=shape, parameters={"binary_data_size": len(tail)})
        head = json.dumps({"inputs": [image]}).encode()
        answer = client.post(INFER, data=head + tail, headers={LENGTH: str(len(head))})
    assert_close(arrays_of(answer), classified(client))


def test_a_bad_picture_refuses_the_batch_and_says_why(client):
    good = base64.b64encode(PICTURES[0]).decode()
    blank = base64.b64encode(encode(np.full((30, 30), 255, np.uint8))).decode()
    answer = ask(client, pictures_tensor([1, 2], data=[good, blank]))
    refused(answer, 400, "1 of 2 pictures", "ink")
    refused(ask(client, pictures_tensor([1], data=["!"])), 400, "base64")
    tail = packed([b"%PDF-1.7 \xff"])
    head = json.dumps({"inputs": [pictures_tensor([1], parameters={"binary_data_size": len(tail)})]}).encode()
    refused(client.post(INFER, data=head + tail, headers={LENGTH: str(len(head))}), 400, "PNG, JPEG", "25 50 44 46")


# --- compressed bodies ------------------------------------------------------------------------------------------------


def raw_deflate(data):
    packer = zlib.compressobj(wbits=-15)
    return packer.compress(data) + packer.flush()


@pytest.mark.parametrize(
    ("coding", "pack"),
    [("gzip", gzip.compress), ("x-gzip", gzip.compress), ("deflate", zlib.compress), ("deflate", raw_deflate),
     ("GZIP", gzip.compress), ("identity", bytes)],
)  # fmt: skip
@pytest.mark.parametrize("as_bytes", [True, False])
def test_a_compressed_body_is_unpacked_and_the_header_counts_unpacked_bytes(client, coding, pack, as_bytes):
    parameters = {"binary_data_size": 3136} if as_bytes else {}
    head = json.dumps({"inputs": [tensor(ONE, data=None if as_bytes else flat(ONE), parameters=parameters)]}).encode()
    headers = {"Content-Encoding": coding} | ({LENGTH: str(len(head))} if as_bytes else {})
    body = pack(head + (ONE.tobytes() if as_bytes else b""))
    assert_close(arrays_of(client.post(INFER, data=body, headers=headers)), oracle(ONE, "probabilities", "logits"))


def test_answers_are_not_compressed_unasked(client):
    for headers in ({}, {"Accept-Encoding": "gzip, deflate, br"}):
        assert "Content-Encoding" not in client.get("/v2/models/digits", headers=headers).headers


@pytest.mark.parametrize(
    ("coding", "body", "status", "says"),
    [
        ("gzip", b"no gzip", 400, ["not gzip"]),
        ("deflate", b"no deflate", 400, ["not deflate"]),
        ("gzip", b"", 400, ["cut short"]),
        ("gzip", gzip.compress(b"{}" * 50, mtime=0)[:-9], 400, ["cut short"]),
        ("gzip", gzip.compress(b"{}", mtime=0) + b"more", 400, ["4 bytes follow"]),
        ("gzip", gzip.compress(b"{}", mtime=0) * 2, 400, ["bytes follow"]),
        ("br", b"{}", 400, ["gzip", "deflate", "'br'"]),
        ("gzip, gzip", gzip.compress(b"{}", mtime=0), 400, ["not gzip"]),
        ("gzip, br", gzip.compress(b"{}", mtime=0), 400, ["'br'"]),
    ],
)
def test_a_compressed_body_that_cannot_be_unpacked_is_refused(client, coding, body, status, says):
    for path in (INFER, "/v2/repository/index"):
        refused(client.post(path, data=body, headers={"Content-Encoding": coding}), status, *says)


@pytest.mark.parametrize("path", [INFER, "/v1/classify"])
@pytest.mark.parametrize(
    ("coding", "pack"),
    [
        ("gzip", gzip.compress),
        ("deflate", zlib.compress),
        ("gzip, gzip, deflate", lambda data: zlib.compress(gzip.compress(gzip.compress(data)))),
    ],
)
def test_a_bomb_is_unpacked_no_further_than_the_limit(coding, pack, path):
    client = create_app(Settings(max_body_bytes=100_000)).test_client()
    bomb = pack(b" " * 50_000_000)
    assert len(bomb) < 100_000
    import tracemalloc

    tracemalloc.start()
    answer = client.post(path, data=bomb, headers={"Content-Encoding": coding})
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert answer.status_code == 413
    said = answer.json.get("error") or answer.json["detail"]
    assert "100000" in said
    assert "unpacked" in said
    assert peak < 5_000_000
    largest = pack(b" " * 100_000)
    refused(client.post(INFER, data=largest, headers={"Content-Encoding": coding}), 400, "not JSON")


# --- refusals ---------------------------------------------------------------------------------------------------------

IMAGE = tensor(ONE)
SMALL = {"name": "image", "shape": [1, 1, 28, 28], "datatype": "FP32"}
REFUSALS = [
    # the body, what the message says
    (b"", ["not JSON"]),
    (b"{", ["not JSON", LENGTH]),
    (b"[]", ["array"]),
    (b"{}", ["inputs"]),
    (b'{"inputs": {}}', ["inputs"]),
    (b'{"inputs": []}', ["image", "none"]),
    (b'{"inputs": [1]}', ["inputs[0]"]),
    (b'{"inputs": ' + b"[" * 100_000, ["inputs[0]"]),
    (b'{"parameters": {"a": ' + b"[" * 100_000 + b"]" * 100_000 + b"}}", ["JSON"]),
    (b'\xff{"inputs": []}', ["JSON"]),
    ({"inputs": [IMAGE, IMAGE]}, ["image, image"]),
    ({"inputs": [IMAGE | {"name": "picture"}]}, ["one input, image", "picture"]),
    ({"inputs": [{"name": "image", "datatype": "FP32", "data": [0]}]}, ["shape"]),
    ({"inputs": [IMAGE | {"shape": [1, 28, 28]}]}, ["[-1, 1, 28, 28]", "[1, 28, 28]"]),
    ({"inputs": [IMAGE | {"shape": [1, 784]}]}, ["[1, 784]"]),
    ({"inputs": [IMAGE | {"shape": []}]}, ["[]"]),
    ({"inputs": [IMAGE | {"shape": [-1, 1, 28, 28]}]}, ["-1"]),
    ({"inputs": [IMAGE | {"shape": [1.5, 1, 28, 28]}]}, ["1.5"]),
    ({"inputs": [IMAGE | {"shape": ["1", 1, 28, 28]}]}, ["shape[0]"]),
    ({"inputs": [IMAGE | {"shape": [True, 1, 28, 28]}]}, ["shape[0]"]),
    ({"inputs": [IMAGE | {"shape": [1e300, 1, 28, 28]}]}, ["256"]),
    ({"inputs": [IMAGE | {"shape": [0, 1, 28, 28], "data": []}]}, ["at least 1"]),
    ({"inputs": [IMAGE | {"shape": 28}]}, ["shape"]),
    ({"inputs": [IMAGE | {"datatype": "UINT8"}]}, ["FP32", "UINT8"]),
    ({"inputs": [IMAGE | {"datatype": "fp32"}]}, ["FP32", "fp32"]),
    ({"inputs": [IMAGE | {"datatype": "FP16"}]}, ["FP32", "FP16"]),
    ({"inputs": [IMAGE | {"datatype": 5}]}, ["datatype"]),
    ({"inputs": [SMALL]}, ["neither"]),
    ({"inputs": [IMAGE | {"parameters": {"binary_data_size": 3136}}]}, ["both"]),
    ({"inputs": [SMALL | {"parameters": {"binary_data_size": 3136}}]}, ["3136", "0 bytes follow", LENGTH]),
    ({"inputs": [SMALL | {"parameters": {"binary_data_size": "x"}}]}, ["x"]),
    ({"inputs": [SMALL | {"parameters": {"binary_data_size": False}}]}, ["False"]),
    ({"inputs": [SMALL | {"parameters": {"binary_data_size": -1}}]}, ["-1"]),
    ({"inputs": [SMALL | {"parameters": {"binary_data_size": 0}}]}, ["3136 bytes, got 0"]),
    ({"inputs": [SMALL | {"parameters": {"shared_memory_region": "a"}}]}, ["shared memory"]),
    ({"inputs": [IMAGE | {"data": flat(ONE)[:-1]}]}, ["784", "783"]),
    ({"inputs": [IMAGE | {"data": []}]}, ["784", "0"]),
    ({"inputs": [IMAGE | {"data": None}]}, ["data"]),
    ({"inputs": [IMAGE | {"data": 5}]}, ["0 levels"]),
    ({"inputs": [IMAGE | {"data": "text"}]}, ["0 levels"]),
    ({"inputs": [IMAGE | {"data": [flat(ONE)]}]}, ["2 levels"]),
    ({"inputs": [IMAGE | {"data": [nested(ONE)]}]}, ["5 levels"]),
    ({"inputs": [IMAGE | {"data": [[[[0]]]]}]}, ["[1, 1, 28, 28]", "[1, 1, 1, 1]"]),
    ({"inputs": [IMAGE | {"data": [[[[0, 0], [0]]]]}]}, ["differ in length"]),
    ({"inputs": [IMAGE | {"data": [*flat(ONE)[1:], "0"]}]}, ["data of image", "str"]),
    ({"inputs": [IMAGE | {"data": [*flat(ONE)[1:], None]}]}, ["data of image", "null"]),
    ({"inputs": [IMAGE | {"data": [*flat(ONE)[1:], True]}]}, ["data of image", "bool"]),
    ({"inputs": [IMAGE | {"data": [*flat(ONE)[1:], [0]]}]}, ["data of image", "array"]),
    ({"inputs": [IMAGE | {"data": [*flat(ONE)[1:], 1.001]}]}, ["0", "1", "1.001"]),
    ({"inputs": [IMAGE | {"data": [*flat(ONE)[1:], -0.5]}]}, ["-0.5"]),
    ({"inputs": [IMAGE | {"data": [*flat(ONE)[1:], 1e300]}]}, ["1e+300"]),
    (json.dumps({"inputs": [IMAGE]}).replace("[0.", "[1e999, 0.").encode(), ["out of range"]),
    (json.dumps({"inputs": [IMAGE]}).replace("[0.", "[NaN, 0.").encode(), ["JSON"]),
    (b'{"inputs": [{"name": "image", "shape": [' + b"9" * 5000 + b'], "datatype": "FP32"}]}', []),
    ({"inputs": [IMAGE], "id": 5}, ["id"]),
    (b'{"id": "\\ud800", "inputs": []}', ["JSON"]),
    ({"inputs": [IMAGE], "parameters": [1]}, ["parameters"]),
    ({"inputs": [IMAGE], "parameters": {"binary_data_output": "yes"}}, ["binary_data_output", "yes"]),
    ({"inputs": [IMAGE], "outputs": [{"name": "conv9"}]}, ["conv9", "probabilities, logits"]),
    ({"inputs": [IMAGE], "outputs": [{}]}, ["name"]),
    ({"inputs": [IMAGE], "outputs": [{"name": "logits"}] * 2}, ["once", "logits, logits"]),
    ({"inputs": [IMAGE], "outputs": [{"name": "logits", "parameters": {"binary_data": 1}}]}, ["binary_data", "1"]),
    ({"inputs": [IMAGE], "outputs": [{"name": "logits", "parameters": {"classification": -1}}]}, ["-1"]),
    ({"inputs": [IMAGE], "outputs": [{"name": "logits", "parameters": {"classification": "3"}}]}, ["3"]),
    ({"inputs": [IMAGE], "outputs": [{"name": "pool1", "parameters": {"classification": 3}}]}, ["pool1"]),
    ({"inputs": [IMAGE], "outputs": [{"name": "logits", "parameters": {"shared_memory_region": "a"}}]}, ["memory"]),
    ({"inputs": [pictures_tensor([1], data=[5])]}, ["data of image", "int"]),
    ({"inputs": [pictures_tensor([1], data=["a", "b"])]}, ["[1] has 1", "2"]),
    ({"inputs": [pictures_tensor([1], shape=[1, 2], data=["a", "b"])]}, ["[1, 2]"]),
    ({"inputs": [pictures_tensor([1], data=["\ud800"])]}, ["JSON"]),
]  # fmt: skip


@pytest.mark.parametrize(("body", "says"), REFUSALS, ids=[str(number) for number in range(len(REFUSALS))])
def test_bad_input_gets_a_clear_answer(client, body, says):
    answer = client.post(INFER, data=body if isinstance(body, bytes) else json.dumps(body))
    refused(answer, answer.status_code, *says)
    assert answer.status_code in {400, 413}


TWO_ELEMENTS = packed([PICTURES[0], PICTURES[1]])
BINARY_REFUSALS = [
    # the tensor without its size, what follows, the value of the header or None for the true one, what is said
    (SMALL, ONE.tobytes()[:-4], None, ["3136 bytes, got 3132"]),
    (SMALL, FIVE.tobytes(), None, ["3136 bytes, got 15680"]),
    (SMALL, (ONE + 1).tobytes(), None, ["from 0, paper, to 1, ink"]),
    (SMALL, np.full_like(ONE, np.nan).tobytes(), None, ["nan"]),
    (SMALL, np.full_like(ONE, np.inf).tobytes(), None, ["inf"]),
    (SMALL, np.full_like(ONE, -np.inf).tobytes(), None, ["-inf"]),
    (SMALL, ONE.tobytes(), "x", [LENGTH, "'x'"]),
    (SMALL, ONE.tobytes(), "-1", [LENGTH, "'-1'"]),
    (SMALL, ONE.tobytes(), "", [LENGTH]),
    (SMALL, ONE.tobytes(), "100000", [LENGTH, "100000"]),
    (SMALL, ONE.tobytes(), "9" * 5000, [LENGTH]),
    (SMALL, ONE.tobytes(), "²", [LENGTH]),
    (SMALL, ONE.tobytes(), "10", ["JSON"]),
    (SMALL, ONE.tobytes(), "0", ["3136 bytes, got"]),
    (pictures_tensor([1, 2]), TWO_ELEMENTS[:-1], None, ["follow"]),
    (pictures_tensor([1, 2]), TWO_ELEMENTS + b"\0\0", None, ["4 bytes, got 2"]),
    (pictures_tensor([1, 2]), TWO_ELEMENTS + packed([b""]), None, ["2 elements, got 3"]),
    (pictures_tensor([1]), b"\xff\xff\xff\xff", None, ["4294967295", "0 follow"]),
    (pictures_tensor([1]), packed([b""]), None, []),
]


@pytest.mark.parametrize(("image", "tail", "length", "says"), BINARY_REFUSALS)
def test_bad_bytes_get_a_clear_answer(client, image, tail, length, says):
    head = json.dumps({"inputs": [image | {"parameters": {"binary_data_size": len(tail)}}]}).encode()
    headers = {LENGTH: str(len(head)) if length is None else length}
    refused(client.post(INFER, data=head + tail, headers=headers), 400, *says)


def test_bytes_that_no_tensor_claims_are_refused(client):
    head = json.dumps({"inputs": [IMAGE]}).encode()
    refused(client.post(INFER, data=head + b"more", headers={LENGTH: str(len(head))}), 400, "4 bytes follow")
    image = SMALL | {"parameters": {"binary_data_size": 3136}}
    head = json.dumps({"inputs": [image]}).encode()
    answer = client.post(INFER, data=head + ONE.tobytes() + b"more", headers={LENGTH: str(len(head))})
    refused(answer, 400, "3136", "3140 bytes follow")


@pytest.mark.parametrize("rest", ["", "/ready", "/config", "/stats", "/infer"])
def test_an_unknown_model_or_version_is_a_404_on_every_path(client, rest):
    method = client.post if rest == "/infer" else client.get
    refused(method(f"/v2/models/letters{rest}"), 404, "letters", "digits")
    refused(method(f"/v2/models/digits/versions/99{rest}"), 404, "99", "there is: 1")


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/v2/none", 404), ("GET", "/v2/models/digits/none", 404), ("GET", "/v2//health/live", 404),
        ("POST", "/v2/health/ready", 405), ("GET", INFER, 405), ("GET", "/v2/repository/index", 405),
        ("DELETE", "/v2", 405), ("PUT", "/v2/", 405), ("GET", "/v2/systemsharedmemory/status", 404),
    ],
)  # fmt: skip
def test_what_is_not_there_is_refused_in_the_protocols_words(client, method, path, status):
    answer = client.open(path, method=method)
    refused(answer, status)
    assert ("Allow" in answer.headers) == (status == 405)


def test_a_path_that_only_begins_alike_is_not_the_protocols(client):
    assert client.get("/v2x").mimetype == "application/problem+json"


def test_a_failure_of_the_service_is_told_in_the_protocols_words(app, monkeypatch):
    from service.api.v2 import inference

    def fail(*_):
        raise ZeroDivisionError

    monkeypatch.setattr(inference, "_answer", fail)
    refused(ask(app.test_client(), tensor(ONE)), 500, "ours")


# --- limits -----------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def low():
    """The service with low limits."""
    limits = {"max_batch": 3, "max_body_bytes": 60_000, "max_json_numbers_in": 1000, "max_json_numbers_out": 3000}
    return create_app(Settings(**limits, max_answer_bytes=50_000)).test_client()


def test_a_batch_over_the_limit_is_refused_by_its_shape(low):
    refused(binary(low, FIVE), 413, "3 pictures", "got 5")
    claimed = SMALL | {"shape": [10**15, 1, 28, 28], "parameters": {"binary_data_size": 0}}
    refused(low.post(INFER, json={"inputs": [claimed]}), 413, "3 pictures", str(10**15))
    refused(ask(low, pictures_tensor(PICTURES, data=["AAAA"] * 4)), 413, "3 pictures", "got 4")
    assert binary(low, FIVE[:3]).status_code == 200


def test_a_body_over_the_limit_is_refused(low):
    answer = low.post(INFER, data=b" " * 60_001)
    refused(answer, 413, "60000")
    refused(low.post("/v2/repository/index", data=b" " * 60_001), 413, "60000")


def test_more_numbers_in_json_than_the_limit_are_refused_and_bytes_are_not_counted(low):
    refused(low.post(INFER, data=b"[" + b"0," * 5200 + b"0]"), 413, "1000 numbers", "5200", "bytes")
    commas = np.frombuffer(b",,,," * 784 * 3, "<f4").reshape(3, 1, 28, 28)
    assert 0 < commas.max() < 1
    assert binary(low, commas).status_code == 200


def test_more_numbers_out_than_the_limit_are_refused_before_the_work_and_bytes_have_their_own(low):
    outputs = [{"name": "conv1.act"}]
    refused(ask(low, tensor(ONE), outputs=outputs), 400, "3000 numbers", "9216", "binary_data")
    outputs = [{"name": "conv1.act", "parameters": {"binary_data": True}}]
    assert take_apart(ask(low, tensor(ONE), outputs=outputs))[1]["conv1.act"]
    refused(binary(low, FIVE[:2], outputs=outputs), 413, "50000 bytes", "73728")


@pytest.mark.parametrize("path", [INFER, "/v2/models/letters/infer"])
def test_what_the_door_refuses_below_v2_it_refuses_in_the_protocols_words(app, path):
    head = f"POST {path} HTTP/1.1\r\nHost: x\r\nContent-Length: ".encode()
    with opened(app, Settings(max_body_bytes=10), body=0.1) as server:
        answers = server.send(head + b"11\r\n\r\n"), server.send(head + b"5\r\n\r\nhalf")
    for answer, status in zip(answers, (413, 408), strict=True):
        assert statuses(answer) == [status]
        assert b"\r\nContent-Type: application/json\r\n" in answer
        assert list(json.loads(answer.partition(b"\r\n\r\n")[2])) == ["error"]


# --- statistics -------------------------------------------------------------------------------------------------------


def test_statistics_count_what_this_process_was_asked():
    client = create_app(Settings()).test_client()
    (before,) = check(client.get("/v2/models/digits/stats"), "statistics")["model_stats"]
    assert (before["inference_count"], before["last_inference"], before["batch_stats"]) == (0, 0, [])
    for images in (ONE, FIVE, FIVE):
        assert binary(client, images).status_code == 200
    refused(ask(client, IMAGE | {"data": []}), 400)
    (after,) = check(client.get("/v2/models/digits/versions/1/stats"), "statistics")["model_stats"]
    assert (after["name"], after["version"]) == ("digits", "1")
    assert (after["inference_count"], after["execution_count"]) == (11, 3)
    stats = after["inference_stats"]
    assert {name: each["count"] for name, each in stats.items()} == {
        "success": 3, "fail": 1, "queue": 0, "compute_input": 3, "compute_infer": 3, "compute_output": 3,
        "cache_hit": 0, "cache_miss": 0,
    }  # fmt: skip
    stages = [stats[f"compute_{stage}"]["ns"] for stage in ("input", "infer", "output")]
    assert min(stages) > 0
    assert sum(stages) == stats["success"]["ns"]
    assert [(each["batch_size"], each["compute_infer"]["count"]) for each in after["batch_stats"]] == [(1, 1), (5, 2)]
    every = {each["name"]: each for each in check(client.get("/v2/models/stats"), "statistics")["model_stats"]}
    assert every["digits"] == after
    assert set(every) == set(client.get("/v2/models").json["models"])


# --- requests that no one would write by hand -------------------------------------------------------------------------

SOUND = [
    json.dumps(
        {"inputs": [tensor(ONE)], "outputs": [{"name": "logits", "parameters": {"classification": 2}}]}
    ).encode(),
    json.dumps({"id": "1", "inputs": [pictures_tensor([1], data=[base64.b64encode(PICTURES[0]).decode()])]}).encode(),
    json.dumps({"inputs": [SMALL | {"parameters": {"binary_data_size": 3136}}]}).encode() + ONE.tobytes(),
    gzip.compress(json.dumps({"inputs": [tensor(ONE)]}).encode()),
]
JSONS = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=8,
)
PARAMETERS = JSONS | st.fixed_dictionaries(
    {}, optional=dict.fromkeys(["binary_data_size", "classification", "binary_data", "shared_memory_region"], JSONS)
)
INPUTS = st.fixed_dictionaries(
    {"name": st.just("image") | JSONS, "shape": st.just([1, 1, 28, 28]) | JSONS},
    optional={"datatype": st.sampled_from(["FP32", "BYTES"]) | JSONS, "data": JSONS, "parameters": PARAMETERS},
)
OUTPUTS = st.fixed_dictionaries({"name": st.sampled_from(["logits", "pool1"]) | JSONS, "parameters": PARAMETERS})
REQUESTS = st.fixed_dictionaries(
    {"inputs": st.lists(INPUTS | st.just(tensor(ONE)), max_size=2) | JSONS},
    optional={"outputs": st.lists(OUTPUTS, max_size=2) | JSONS, "parameters": PARAMETERS, "id": JSONS},
).map(lambda request: json.dumps(request).encode())


@st.composite
def damaged(make):
    body = bytearray(make(st.sampled_from(SOUND)))
    for _ in range(make(st.integers(0, 4))):
        place = make(st.integers(0, len(body)))
        body[place : place + make(st.integers(0, 9))] = make(st.binary(max_size=9))
    return bytes(body)


@hypothesis_settings(max_examples=400, deadline=None, derandomize=True, database=None)
@given(
    body=damaged() | REQUESTS | st.binary(max_size=60),
    length=st.none() | st.integers(0, 200).map(str) | st.text(max_size=5).filter(lambda text: text.isprintable()),
    coding=st.sampled_from(["", "", "", "gzip", "deflate"]),
)
def test_whatever_is_posted_is_answered_or_refused_in_the_protocols_words(app, body, length, coding):
    headers = {} if length is None else {LENGTH: length.encode("latin-1", "replace").decode("latin-1")}
    headers |= {"Content-Encoding": coding} if coding else {}
    for path in (INFER, "/v2/repository/index", "/v2/repository/models/digits/load"):
        answer = app.test_client().post(path, data=io.BytesIO(body), headers=headers)
        if answer.status_code != 200:
            assert answer.status_code in {400, 413}
            refused(answer, answer.status_code)
