"""curl, as anyone would try the protocol."""

import base64
import gzip
import json
import subprocess

import numpy as np
import pytest

from tests.drawing import draw, encode


@pytest.fixture
def fetch(curl, address):
    """(status, headers, body) of a curl command on a path of the server."""

    def run(path, *options, body=None):
        sending = [] if body is None else ["--data-binary", "@-"]
        command = [curl, "--silent", "--show-error", "--include", "--http1.1", *sending, *options]
        done = subprocess.run([*command, f"http://{address}{path}"], input=body, capture_output=True, check=True)
        head, _, content = done.stdout.partition(b"\r\n\r\n")
        first, *lines = head.decode().split("\r\n")
        return int(first.split()[1]), dict(line.lower().split(": ", 1) for line in lines), content

    return run


def test_health_without_a_body(fetch):
    for path in ("/v2", "/v2/", "/v2/health/live", "/v2/health/ready", "/v2/models/digits/ready"):
        status, headers, body = fetch(path)
        assert (status, headers["content-type"]) == (200, "application/json"), path
        assert json.loads(body)


def test_an_empty_post(fetch):
    for options in (["-X", "POST"], ["--data", ""]):
        status, _, body = fetch("/v2/repository/index", *options)
        assert status == 200
        assert {"name": "digits", "version": "1", "state": "READY", "reason": ""} in json.loads(body)


def test_a_picture_as_a_bytes_tensor(fetch):
    data = base64.b64encode(encode(draw(3))).decode()
    top = [{"name": "probabilities", "parameters": {"classification": 1}}]
    image = {"name": "image", "shape": [1], "datatype": "BYTES", "data": [data]}
    status, headers, body = fetch(
        "/v2/models/digits/infer", body=json.dumps({"inputs": [image], "outputs": top}).encode()
    )
    assert (status, headers["content-type"]) == (200, "application/json")
    assert json.loads(body)["outputs"][0]["data"][0].endswith(":3:3")


def test_a_raw_image(fetch, images, digits):
    options = ["-H", "Inference-Header-Content-Length: 0"]
    status, headers, body = fetch("/v2/models/digits/infer", *options, body=images[0].tobytes())
    assert (status, headers["content-type"]) == (200, "application/octet-stream")
    length = int(headers["inference-header-content-length"])
    assert [output["name"] for output in json.loads(body[:length])["outputs"]] == ["probabilities", "logits"]
    assert np.frombuffer(body[length:], "<f4").reshape(2, 10).argmax(axis=1).tolist() == [digits[0]] * 2


def test_a_compressed_batch_in_the_heavy_lane(fetch, images):
    many = np.repeat(images, 40, axis=0)
    image = {"name": "image", "shape": list(many.shape), "datatype": "FP32", "data": many.ravel().tolist()}
    body = json.dumps({"inputs": [image]}).encode()
    for options, sent in (([], body), (["-H", "Content-Encoding: gzip"], gzip.compress(body, 1))):
        status, _, answer = fetch("/v2/models/digits/infer", *options, body=sent)
        assert status == 200
        assert json.loads(answer)["outputs"][0]["shape"] == [200, 10]


@pytest.mark.parametrize(
    ("path", "options", "status"),
    [("/v2/none", [], 404), ("/v2/models/digits/infer", [], 405), ("/v2", ["-X", "DELETE"], 405)],
)
def test_refusals_have_one_member(fetch, path, options, status):
    answered, headers, body = fetch(path, *options)
    assert (answered, headers["content-type"]) == (status, "application/json")
    assert list(json.loads(body)) == ["error"]


def test_a_body_over_the_limit_is_refused_before_it_is_sent(fetch):
    # As it does with large bodies, curl asks first whether to send it ("Expect: 100-continue").
    status, headers, body = fetch("/v2/models/digits/infer", body=b" " * 34_000_000)
    assert (status, headers["content-type"]) == (413, "application/json")
    assert "33554432 bytes" in json.loads(body)["error"]


@pytest.mark.parametrize("path", ["/v1/classify", "/v1/feature-maps?layers=pool1&stats=true"])
def test_curl_that_offers_http_2_has_its_body_read(curl, address, path):
    picture = encode(draw(3))
    answers = []
    for version in ("--http1.1", "--http2"):
        for framing in ([], ["--header", "Transfer-Encoding: chunked"], ["--header", "Expect: 100-continue"]):
            command = [curl, "--silent", "--show-error", version, *framing, "--data-binary", "@-"]
            # Two on one connection: what is left of the first would be read as the second.
            command += [f"http://{address}{path}", "--next", "--silent", version, f"http://{address}/v1/limits"]
            done = subprocess.run(command, input=picture, capture_output=True, check=False)
            if version == "--http2" and b"not support" in done.stderr:
                pytest.skip("this curl is built without HTTP/2")
            answers.append(done.stdout)
    assert json.loads(answers[0].partition(b"}{")[0] + b"}")["results"]
    assert set(answers) == {answers[0]}
