"""Answers that are files: named, and with the numbers of the same answer in JSON."""

import io
import json

import numpy as np
import pytest

from service.api.v1 import filters
from service.lab.explain.methods import METHODS
from tests.drawing import draw, encode, npy
from tests.routes import calls

BATCH = npy(np.stack([draw(digit, 28) for digit in (1, 4, 7)]))
ASKED = {
    "ledger": {"rival": 8, "full": "true"},
    "pixels": {"rival": 8},
    "rise": {"masks": 4},
    "occlusion": {"window": 14, "stride": 7},
    "cell": {"layer": "conv1", "filter": 0, "row": 3, "col": 4},
}


def arrays_of(answer):
    assert answer.status_code == 200, answer.text
    return dict(np.load(io.BytesIO(answer.data)))


def numbers(value, name=""):
    """(path, number) of every number within an answer in JSON; of a list its places are left out of the path."""
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from numbers(inner, f"{name}/{key}" if name else key)
    elif isinstance(value, list):
        for inner in value:
            yield from numbers(inner, name)
    elif isinstance(value, int | float):
        yield name, float(value)


@pytest.mark.parametrize("method", METHODS)
def test_an_explanation_as_npz_has_every_number_of_it(client, method):
    query = {"method": method, "prepare": "none", **ASKED.get(method, {})}
    results = client.post("/v1/explain", query_string=query, data=BATCH).json["results"]
    answer = client.post("/v1/explain", query_string=query | {"format": "npz"}, data=BATCH)
    arrays = arrays_of(answer)
    assert answer.headers["X-Filterscope-Model"] == "digits/1"
    for place, result in enumerate(results):
        wanted = {}
        for name, number in numbers({key: value for key, value in result.items() if key != "prepared"}):
            wanted.setdefault(name, []).append(number)
        for name, values in wanted.items():
            found = arrays[name][place] if name in arrays else arrays[f"{place}/{name}"]
            np.testing.assert_allclose(np.ravel(found).astype(float), values, rtol=1e-6, err_msg=name)


def test_more_numbers_than_json_may_have_are_answered_as_npz(app, client):
    query = {"method": "pixels", "full": "true", "prepare": "none"}
    many = npy(np.repeat(draw(3, 28)[None], 40, axis=0))
    refused = client.post("/v1/explain", query_string=query, data=many)
    assert refused.status_code == 422
    assert "npz" in refused.json["detail"]
    assert arrays_of(client.post("/v1/explain", query_string=query | {"format": "npz"}, data=many))["target"].shape == (
        40,
    )


@pytest.mark.parametrize(("channels", "axes"), [("grey", 4), ("each", 5)])
def test_all_responses_of_one_shape_are_one_array_as_well(client, channels, axes):
    random = np.random.default_rng(2)
    pictures = npy(random.random((3, 9, 8, 3), dtype=np.float32))
    query = {"filters": json.dumps([{"preset": "sobel_x"}, {"preset": "box", "size": 3}]), "channels": channels}
    arrays = arrays_of(client.post("/v1/apply-filters", query_string=query | {"format": "npz"}, data=pictures))
    bank = arrays.pop("responses")
    assert (bank.ndim, bank.shape[:2]) == (axes, (3, 2))
    for place in range(3):
        for index, name in enumerate(("sobel_x", "box")):
            assert np.array_equal(bank[place, index], arrays[f"{place}/{name}"])


def test_responses_of_several_shapes_and_large_ones_are_not(client, monkeypatch):
    two = json.dumps([{"preset": "sobel_x"}, {"preset": "box", "size": 5}])
    query = {"filters": two, "format": "npz"}
    assert list(arrays_of(client.post("/v1/apply-filters", query_string=query, data=BATCH)))[:2] == [
        "0/sobel_x",
        "0/box",
    ]
    one = {"filters": json.dumps([{"preset": "sobel_x"}]), "format": "npz"}
    sizes = {"image": [(io.BytesIO(encode(draw(3, side))), f"{side}") for side in (28, 40)]}
    for data in (BATCH, sizes):
        monkeypatch.setattr(filters, "LARGEST_BANK", 4 * 3 * 26 * 26 - 1)
        assert "responses" not in arrays_of(client.post("/v1/apply-filters", query_string=one, data=data))
    monkeypatch.setattr(filters, "LARGEST_BANK", 4 * 3 * 26 * 26)
    assert arrays_of(client.post("/v1/apply-filters", query_string=one, data=BATCH))["responses"].shape == (
        3,
        1,
        26,
        26,
    )


def test_every_file_says_its_name_and_nothing_else_does(client):
    named = {}
    for call in (call for call in calls() if call.path.startswith("/v1/")):
        for form in ("json", "npz", "png"):
            separator = "&" if "?" in call.path else "?"
            path = call.path if "format=" in call.path else f"{call.path}{separator}format={form}"
            options = {"data": call.body, "content_type": call.media_type} if call.body is not None else {}
            answer = client.open(path, method="GET" if call.body is None else "POST", **options)
            kind = {"application/x-npz": "npz", "image/png": "png"}.get(answer.mimetype)
            if answer.status_code != 200 or kind is None:
                assert "Content-Disposition" not in answer.headers, path
                continue
            named[answer.headers["Content-Disposition"]] = kind
    assert all(
        header.startswith('inline; filename="') and header.endswith(f'.{kind}"') for header, kind in named.items()
    )
    assert {'inline; filename="explain.npz"', 'inline; filename="digits-conv1-filters-0.png"'} <= set(named)
