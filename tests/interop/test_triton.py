"""Triton's Python client over HTTP, sync and aio, unchanged."""

import asyncio
import uuid

import numpy as np
import pytest

from tests.drawing import draw, encode

REASON = "tritonclient is not installed; `make interop` runs this in an environment of its own"
http = pytest.importorskip("tritonclient.http", reason=REASON)
aio = pytest.importorskip("tritonclient.http.aio", reason=REASON)
utils = pytest.importorskip("tritonclient.utils", reason=REASON)


@pytest.fixture
def client(address):
    with http.InferenceServerClient(address) as client:
        yield client


def tensor(images, *, binary=True, module=http, datatype="FP32"):
    made = module.InferInput("image", list(images.shape), datatype)
    made.set_data_from_numpy(images, binary_data=binary)
    return made


def requested(name, module=http, **options):
    return module.InferRequestedOutput(name, **options)


def test_health_and_metadata(client):
    assert client.is_server_live()
    assert client.is_server_ready()
    assert client.is_model_ready("digits")
    assert client.is_model_ready("digits", "1")
    assert not client.is_model_ready("letters")
    assert not client.is_model_ready("digits", "99")
    assert "binary_tensor_data" in client.get_server_metadata()["extensions"]
    metadata = client.get_model_metadata("digits", "1")
    assert metadata["inputs"] == [{"name": "image", "datatype": "FP32", "shape": [-1, 1, 28, 28]}]
    assert client.get_model_config("digits")["max_batch_size"] == 256


@pytest.mark.parametrize("binary_in", [True, False])
@pytest.mark.parametrize("binary_out", [True, False])
@pytest.mark.parametrize("packing", [None, "gzip", "deflate"])
@pytest.mark.parametrize("unpacking", [None, "gzip", "deflate"])
def test_every_form_of_request_and_answer(client, images, digits, binary_in, binary_out, packing, unpacking):
    result = client.infer(
        "digits",
        [tensor(images, binary=binary_in)],
        outputs=[requested("probabilities", binary_data=binary_out), requested("pool1", binary_data=binary_out)],
        request_id="one",
        model_version="1",
        request_compression_algorithm=packing,
        response_compression_algorithm=unpacking,
    )
    assert result.as_numpy("probabilities").argmax(axis=1).tolist() == digits
    assert result.as_numpy("pool1").shape == (5, *client.get_model_metadata("digits")["outputs"][5]["shape"][1:])
    assert (result.get_response()["id"], result.get_response()["model_version"]) == ("one", "1")


def test_without_outputs_the_client_asks_for_bytes_of_what_comes_by_default(client, images, digits):
    result = client.infer("digits", [tensor(images)])
    outputs = result.get_response()["outputs"]
    assert [output["name"] for output in outputs] == ["probabilities", "logits"]
    assert all(output["parameters"]["binary_data_size"] == 200 for output in outputs)
    assert result.as_numpy("logits").argmax(axis=1).tolist() == digits
    uuid.UUID(result.get_response()["id"])


def test_bytes_and_numbers_are_the_same_numbers(client, images):
    name = "conv1.act"
    one, other = (
        client.infer("digits", [tensor(images[:1], binary=binary)], outputs=[requested(name, binary_data=binary)])
        for binary in (True, False)
    )
    np.testing.assert_array_equal(one.as_numpy(name), other.as_numpy(name))


@pytest.mark.parametrize("binary", [True, False])
def test_classification(client, images, digits, binary):
    asked = [requested("probabilities", class_count=3, binary_data=binary)]
    top = client.infer("digits", [tensor(images)], outputs=asked).as_numpy("probabilities")
    assert top.shape == (5, 3)
    texts = [item.decode() if isinstance(item, bytes) else item for item in top[:, 0]]
    assert [int(text.split(":")[1]) for text in texts] == digits


def test_encoded_pictures(client, digits):
    pictures = np.array([encode(draw(digit)) for digit in digits], dtype=object)
    result = client.infer("digits", [tensor(pictures, datatype="BYTES")])
    assert result.as_numpy("probabilities").argmax(axis=1).tolist() == digits


def test_a_request_body_made_without_a_client_and_an_answer_read_without_one(client, images, digits):
    body, length = http.InferenceServerClient.generate_request_body([tensor(images)])
    response = client._post("v2/models/digits/infer", body, {"Inference-Header-Content-Length": length}, None)
    result = http.InferenceServerClient.parse_response_body(
        response.read(), header_length=int(response.get("Inference-Header-Content-Length"))
    )
    assert result.as_numpy("logits").argmax(axis=1).tolist() == digits


def test_many_at_once(client, images, digits):
    pending = [client.async_infer("digits", [tensor(images)]) for _ in range(20)]
    for each in pending:
        assert each.get_result().as_numpy("logits").argmax(axis=1).tolist() == digits


def test_the_repository(client):
    index = client.get_model_repository_index()
    assert {"name": "digits", "version": "1", "state": "READY", "reason": ""} in index
    client.load_model("digits")
    with pytest.raises(utils.InferenceServerException, match="stays loaded"):
        client.unload_model("digits")
    with pytest.raises(utils.InferenceServerException, match="there is no model 'letters'"):
        client.load_model("letters")


def test_statistics(client, images):
    def count():
        (stats,) = client.get_inference_statistics("digits", "1")["model_stats"]
        return stats["inference_count"], stats["inference_stats"]["success"]["count"]

    before = count()
    client.infer("digits", [tensor(images)])
    assert count() == (before[0] + 5, before[1] + 1)
    assert {stats["name"] for stats in client.get_inference_statistics()["model_stats"]} >= {"digits"}


@pytest.mark.parametrize(
    ("model", "make", "status", "says"),
    [
        ("letters", tensor, 404, "there is no model 'letters'"),
        ("digits", lambda images: tensor(images[:, 0]), 400, "got FP32 \\[5, 28, 28\\]"),
        ("digits", lambda images: tensor(images + 1), 400, "from 0, paper, to 1, ink"),
        ("digits", lambda images: tensor(images.astype(np.float16), datatype="FP16"), 400, "got FP16"),
        ("digits", lambda images: tensor(np.repeat(images, 60, axis=0)), 413, "256 pictures, got 300"),
    ],
)
def test_refusals_arrive_as_the_clients_own_error_with_our_words(client, images, model, make, status, says):
    with pytest.raises(utils.InferenceServerException, match=says) as caught:
        client.infer(model, [make(images)])
    assert caught.value.status() == str(status)


def test_shared_memory_is_refused_clearly(client):
    with pytest.raises(utils.InferenceServerException, match="nothing at /v2/systemsharedmemory"):
        client.get_system_shared_memory_status()
    image = http.InferInput("image", [1, 1, 28, 28], "FP32")
    image.set_shared_memory("region", 3136)
    with pytest.raises(utils.InferenceServerException, match="no shared memory"):
        client.infer("digits", [image])


def test_the_client_on_asyncio(address, images, digits):
    async def ask():
        async with aio.InferenceServerClient(address) as client:
            assert await client.is_server_live()
            assert await client.is_server_ready()
            assert await client.is_model_ready("digits")
            assert (await client.get_model_metadata("digits"))["platform"] == "onnx_onnxv1"
            assert await client.get_model_repository_index()
            assert await client.get_inference_statistics("digits")
            for binary in (True, False):
                for packing in (None, "gzip", "deflate"):
                    result = await client.infer(
                        "digits",
                        [tensor(images, binary=binary, module=aio)],
                        outputs=[requested("logits", aio, binary_data=binary)],
                        request_compression_algorithm=packing,
                        response_compression_algorithm=packing,
                    )
                    assert result.as_numpy("logits").argmax(axis=1).tolist() == digits
            many = [client.infer("digits", [tensor(images, module=aio)]) for _ in range(20)]
            for result in await asyncio.gather(*many):
                assert result.as_numpy("probabilities").argmax(axis=1).tolist() == digits
            with pytest.raises(utils.InferenceServerException, match="there is no model 'letters'"):
                await client.infer("letters", [tensor(images, module=aio)])

    asyncio.run(ask())
