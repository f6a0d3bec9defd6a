"""KServe's InferenceRESTClient, unchanged."""

import asyncio
import base64

import numpy as np
import pytest

from tests.drawing import draw, encode

REASON = "kserve is not installed; `make interop` runs this in an environment of its own"
kserve = pytest.importorskip("kserve", reason=REASON)


def asked(address, question):
    """Run `question(client, base_url)` to its end."""

    async def run():
        async with kserve.InferenceRESTClient(kserve.RESTConfig(protocol="v2")) as client:
            return await question(client, f"http://{address}")

    return asyncio.run(run())


def tensor(array, *, binary, datatype="FP32"):
    made = kserve.InferInput("image", list(array.shape), datatype)
    made.set_data_from_numpy(array, binary_data=binary)
    return made


def test_health(address):
    async def question(client, url):
        assert await client.is_server_live(url)
        assert await client.is_server_ready(url)
        assert await client.is_model_ready(url, "digits")
        assert not await client.is_model_ready(url, "letters")

    asked(address, question)


@pytest.mark.parametrize("binary_in", [True, False])
@pytest.mark.parametrize("binary_out", [True, False])
def test_a_request_object(address, images, digits, binary_in, binary_out):
    request = kserve.InferRequest(
        "digits",
        [tensor(images, binary=binary_in)],
        request_id="one",
        request_outputs=[kserve.protocol.infer_type.RequestedOutput("probabilities", {"binary_data": binary_out})],
    )
    result = asked(address, lambda client, url: client.infer(url, request, model_name="digits"))
    # The client reads no version out of an answer.
    assert (result.model_name, result.id) == ("digits", "one")
    (output,) = result.outputs
    assert output.shape == [5, 10]
    assert output.as_numpy().argmax(axis=1).tolist() == digits


def test_a_dictionary(address, images, digits):
    image = {"name": "image", "shape": list(images.shape), "datatype": "FP32", "data": images.tolist()}
    request = {"inputs": [image], "outputs": [{"name": "logits"}, {"name": "pool2"}]}
    result = asked(address, lambda client, url: client.infer(url, request, model_name="digits"))
    assert [output.name for output in result.outputs] == ["logits", "pool2"]
    assert result.outputs[0].as_numpy().argmax(axis=1).tolist() == digits
    assert result.id


@pytest.mark.parametrize("binary", [True, False])
def test_encoded_pictures(address, digits, binary):
    files = [encode(draw(digit)) for digit in digits]
    elements = files if binary else [base64.b64encode(file) for file in files]
    pictures = tensor(np.array(elements, dtype=object), binary=binary, datatype="BYTES")
    request = kserve.InferRequest("digits", [pictures])
    result = asked(address, lambda client, url: client.infer(url, request, model_name="digits"))
    assert result.outputs[0].as_numpy().argmax(axis=1).tolist() == digits


def test_a_refusal_arrives_with_our_words(address, images):
    import httpx

    request = kserve.InferRequest("digits", [tensor(images + 1, binary=True)])
    with pytest.raises(httpx.HTTPStatusError, match=r"from 0, paper, to 1, ink.*'400 "):
        asked(address, lambda client, url: client.infer(url, request, model_name="digits"))
    with pytest.raises(httpx.HTTPStatusError, match=r"there is no model 'letters'.*'404 "):
        asked(address, lambda client, url: client.infer(url, request, model_name="letters"))
