"""The accuracy that reaches a caller: MNIST's test digits posted as pictures, against the same digits fed as arrays."""

import numpy as np
import pytest

from tests.drawing import encode, npy


@pytest.fixture(scope="module")
def digits(mnist_test, proof):
    test = mnist_test
    chosen = np.arange(len(test.labels)) if proof else np.random.default_rng(3).choice(len(test.labels), 600, False)
    return test.images[chosen], test.labels[chosen]


def read_as_arrays(client, images, model):
    read = []
    for start in range(0, len(images), 256):
        answer = client.post(f"/v1/classify?prepare=none&model={model}", data=npy(images[start : start + 256]))
        read += [result["digit"] for result in answer.json["results"]]
    return np.array(read)


def read_as_pictures(client, images, model):
    answers = (client.post(f"/v1/classify?model={model}", data=encode(image)) for image in images)
    return np.array([answer.json["results"][0]["digit"] for answer in answers])


def test_any_picture_of_a_test_digit_is_read_as_well_as_the_digit_itself(client, digits, record_property):
    images, labels = digits
    for model in {listed["name"] for listed in client.get("/v1/models").json["models"]}:
        as_arrays = (read_as_arrays(client, images, model) == labels).mean()
        as_pictures = (read_as_pictures(client, images, model) == labels).mean()
        inverted = (read_as_pictures(client, 255 - images, model) == labels).mean()
        record_property(f"accuracy of {model}", tuple(map(float, (as_arrays, as_pictures, inverted))))
        assert as_pictures >= as_arrays - 0.0005
        assert inverted >= as_arrays - 0.001
