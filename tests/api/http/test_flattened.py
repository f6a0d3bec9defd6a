"""Rows of 784 numbers: never one picture unasked, on every call that runs a network, in every form of numbers."""

import base64
import io
import itertools
import json
from math import prod

import numpy as np
import pytest

from service.api.http.numbers import Flattening
from service.core.errors import InvalidImage
from service.lab.options import NetworkOptions, PictureOptions
from service.network.passport import DIGIT_SHAPE
from tests.api import corpus
from tests.api.declared import CALLS
from tests.drawing import draw, encode, npy

SIDE = DIGIT_SHAPE[1:]
SIZE = prod(SIDE)
DIGITS = [3, 1, 7]
LEVELS = np.stack([draw(digit, SIDE[0], dark_on_light=False) for digit in DIGITS])
RUN_A_NETWORK = [path for path, kind in CALLS.items() if issubclass(kind, NetworkOptions)]
TAKE_A_PICTURE = [path for path, kind in CALLS.items() if issubclass(kind, PictureOptions)]
# Numbers as tables have them: digits as rows, or as columns, of as many axes as there are habits.
TABLES = {
    "rows": lambda digits: digits.reshape(len(digits), SIZE),
    "columns": lambda digits: digits.reshape(len(digits), SIZE).T,
    "rows of columns": lambda digits: digits.reshape(len(digits), SIZE, 1),
    "rows of rows": lambda digits: digits.reshape(len(digits), 1, SIZE),
    "a table of one": lambda digits: digits.reshape(1, len(digits), SIZE),
    "four axes": lambda digits: digits.reshape(len(digits), 1, 1, SIZE),
    "one vector": lambda digits: digits[0].ravel(),
    "one column": lambda digits: digits[0].reshape(SIZE, 1),
    "one row": lambda digits: digits[0].reshape(1, SIZE),
}
DTYPES = {"levels": np.uint8, "int64": np.int64, "fractions": np.float32, "Fortran's order": np.uint8}


def as_type(levels, name):
    array = (levels / 255).astype(np.float32) if name == "fractions" else levels.astype(DTYPES[name])
    return np.asfortranarray(array) if name.startswith("Fortran") else array


def part(array, name="image"):
    return {"data": {name: (io.BytesIO(npy(array)), "x.npy")}}


WRAPPERS = {
    "npy": lambda array: {"data": npy(array), "content_type": "application/x-npy"},
    "npy without a type": lambda array: {"data": npy(array)},
    "npy in a part": part,
    "npy in base64": lambda array: {"json": {"image": base64.b64encode(npy(array)).decode()}},
    "JSON": lambda array: {"json": {"image": array.tolist()}},
    "JSON, images": lambda array: {"json": {"images": array.tolist()}},
    "JSON in a field": lambda array: {"data": {"image": json.dumps(array.tolist())}},
}


def sampled(path, proof):
    """Every wrapper of numbers for one call, two for the others, which read by the same way; all under proof."""
    names = WRAPPERS if proof or path == "/v1/classify" else ("npy in a part", "JSON")
    return {name: WRAPPERS[name] for name in names}


def is_many(table, wrapper):
    """Whether it is 784 pictures of a number or three each: a list of pictures is no column."""
    return wrapper == "JSON, images" and table in {"columns", "one column"}


def post(client, path, wrapped, **options):
    wanted = {name: corpus.as_text(value) for name, value in corpus.WANTED.get(path, {}).items()}
    query = wanted | {name: corpus.as_text(value) for name, value in options.items()}
    return client.post(path, query_string=query, **wrapped)


def numbers_of(answer):
    """What an answer says of each picture, but for the last bits, which differ with the size of a batch."""
    assert answer.status_code == 200, answer.text
    return [json.dumps(rounded(result)) for result in answer.json["results"]]


def rounded(value):
    if isinstance(value, dict):
        return {name: rounded(each) for name, each in value.items()}
    if isinstance(value, list):
        return [rounded(each) for each in value]
    return f"{value:.3g}" if isinstance(value, float) and abs(value) > 1e-3 else type(value).__name__


@pytest.mark.parametrize("path", RUN_A_NETWORK)
@pytest.mark.parametrize("table", TABLES)
def test_a_call_on_a_network_asks_whether_rows_are_digits(client, proof, path, table):
    array = TABLES[table](LEVELS)
    count = array.size // SIZE
    for name, wrapper in sampled(path, proof).items():
        asked = post(client, path, wrapper(array))
        if is_many(table, name):
            assert asked.status_code == 413
            continue
        assert asked.status_code == 422, asked.text
        detail = asked.json["detail"]
        assert "flattened=true" in detail
        assert "flattened=false" in detail
        assert asked.json["errors"][0]["pointer"] == "/flattened"
        refused = post(client, path, wrapper(array), flattened=False)
        assert refused.status_code in {200, 422}
        if refused.status_code == 200:
            assert len(refused.json["results"]) in {1, count}
        else:
            assert refused.json["errors"][0]["pointer"] != "/flattened"


@pytest.mark.parametrize("path", TAKE_A_PICTURE)
def test_flattened_digits_are_read_as_they_are_unflattened(client, proof, path):
    expected = {
        count: numbers_of(post(client, path, WRAPPERS["npy"](LEVELS[:count]), prepare="auto")) for count in (1, 3)
    }
    dtypes = DTYPES if proof or path == "/v1/classify" else ("levels",)
    for table, dtype, wrapper in itertools.product(TABLES, dtypes, sampled(path, proof)):
        if is_many(table, wrapper):
            continue
        array = TABLES[table](as_type(LEVELS, dtype))
        answer = post(client, path, WRAPPERS[wrapper](array), flattened=True, prepare="auto")
        count = 3 if array.size > SIZE else 1
        assert numbers_of(answer) == expected[count], (table, dtype, wrapper)


@pytest.mark.parametrize("path", RUN_A_NETWORK)
def test_a_column_of_labels_is_named(client, proof, path):
    labelled = np.column_stack([DIGITS, LEVELS.reshape(len(DIGITS), SIZE)])
    for array, wrapper in itertools.product((labelled, labelled[0], labelled[:1]), sampled(path, proof).values()):
        for options in ({}, {"flattened": True}):
            refused = post(client, path, wrapper(array), **options)
            assert refused.status_code == 422
            assert "labels" in refused.json["detail"], refused.json["detail"]


@pytest.mark.parametrize("path", sorted(set(TAKE_A_PICTURE) - set(RUN_A_NETWORK)))
def test_a_call_without_a_network_takes_any_size_unasked(client, path):
    array = TABLES["rows"](LEVELS)
    for prepare in ("none", "auto"):
        answer = post(client, path, WRAPPERS["npy"](array), prepare=prepare, padding=14, stride=28)
        assert answer.status_code == 200
        assert len(answer.json["results"]) == 1


@pytest.mark.parametrize("path", RUN_A_NETWORK)
def test_a_file_is_never_asked_about(client, path):
    wide = encode(np.kron(draw(3, 28), np.ones((28, 28), np.uint8)))  # 784 x 784
    for options in ({}, {"flattened": True}, {"flattened": False}):
        answer = post(client, path, {"data": wide}, **options)
        assert answer.status_code == 200
        assert len(answer.json["results"]) == 1


def test_what_cannot_be_flattened_digits_is_refused_where_it_is_said_to_be(client):
    for array in (LEVELS, LEVELS[0], np.zeros((3, 100)), np.zeros(783)):
        for wrapper in ("npy", "JSON", "npy in base64"):
            refused = post(client, "/v1/classify", WRAPPERS[wrapper](array), flattened=True)
            assert refused.status_code == 422
            assert "flattened=true is for rows of 784 numbers" in refused.json["detail"]


def test_more_flattened_digits_than_a_batch_may_have_are_refused(client):
    answer = post(client, "/v1/classify", WRAPPERS["npy"](np.zeros((257, SIZE), np.uint8)), flattened=True)
    assert (answer.status_code, "257" in answer.json["detail"]) == (413, True)


def test_rows_of_different_lengths_are_no_flattened_digits(client):
    rows = LEVELS.reshape(3, SIZE).tolist()
    rows[1] = rows[1][:-1]
    refused = client.post("/v1/classify", json={"image": rows, "flattened": True})
    assert (refused.status_code, "rows of [783, 784]" in refused.json["detail"]) == (422, True)


def test_an_element_of_the_protocol_is_never_a_table_taken_for_a_picture(client):
    for table in ("rows", "one row", "one column"):
        data = base64.b64encode(npy(TABLES[table](LEVELS))).decode()
        tensor = {"name": "image", "shape": [1], "datatype": "BYTES", "data": [data]}
        refused = client.post("/v2/models/digits/infer", json={"inputs": [tensor]})
        assert (refused.status_code, "or the shape" in refused.json["error"]) == (400, True), refused.text


@pytest.mark.parametrize("side", [(28, 28), (32, 32), (8, 12)])
def test_the_size_of_a_row_is_that_of_the_network_that_reads_it(side):
    asked = Flattening(side, given=None, is_asked=True)
    told = Flattening(side, given=True, is_asked=True)
    size = prod(side)
    for shape in ((5, size), (size, 5), (5, size, 1), (size,)):
        with pytest.raises(InvalidImage, match=f"{side[0]} x {side[1]}"):
            asked.digits(shape)
        assert told.digits(shape) == (1 if shape == (size,) else 5)
    assert asked.digits((5, size - 1)) == 0
    assert asked.digits((5, *side)) == 0
    assert asked.digits((2, 5, size)) == 0
