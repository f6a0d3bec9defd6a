"""MLServer's `mlserver infer` command, unchanged: a file of requests in, a file of answers out."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

REASON = "mlserver is not installed; `make interop` runs this in an environment of its own"
pytest.importorskip("mlserver", reason=REASON)
COMMAND = Path(sys.executable).parent / "mlserver"


def infer(address, folder, requests, *options):
    """The answers to these requests, in the order of the requests."""
    given, answered = folder / "requests.jsonl", folder / "answers.jsonl"
    given.write_text("".join(json.dumps(request) + "\n" for request in requests))
    command = [COMMAND, "infer", "-u", address, "-m", "digits", "-i", given, "-o", answered, *options]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    answers = [json.loads(line) for line in answered.read_text().splitlines()]
    return sorted(answers, key=lambda answer: answer["parameters"]["batch_index"])


def request(image, **members):
    tensor = {"name": "image", "shape": list(image.shape), "datatype": "FP32", "data": image.ravel().tolist()}
    return {"inputs": [tensor], **members}


@pytest.mark.parametrize("binary", [(), ("--binary-data",)])
@pytest.mark.parametrize("batch_size", ["1", "3"])
def test_a_file_of_requests(address, tmp_path, images, digits, binary, batch_size):
    requests = [request(images[index : index + 1], id=f"r{index}") for index in range(len(digits))]
    answers = infer(address, tmp_path, requests, "--batch-size", batch_size, *binary)
    assert [answer["id"] for answer in answers] == ["r0", "r1", "r2", "r3", "r4"]
    for answer, digit in zip(answers, digits, strict=True):
        assert answer["model_name"] == "digits"
        outputs = {output["name"]: output for output in answer["outputs"]}
        assert outputs["probabilities"]["shape"] == [1, 10]
        assert int(np.argmax(outputs["probabilities"]["data"])) == digit


@pytest.mark.parametrize("binary", [(), ("--binary-data",)])
def test_a_request_that_names_its_outputs(address, tmp_path, images, binary):
    (answer,) = infer(address, tmp_path, [request(images[:1], outputs=[{"name": "pool1"}])], *binary)
    assert [output["name"] for output in answer["outputs"]] == ["pool1"]


def test_a_refusal_is_written_beside_the_answers(address, tmp_path, images):
    good, bad = infer(address, tmp_path, [request(images[:1]), request(images[:1] + 1)], "--retries", "1")
    assert good["outputs"]
    assert "from 0, paper, to 1, ink" in bad["error"]["msg"]
