"""Options as clients write them: with a file name, part by part, with brackets; and what stays ambiguous is refused."""

import io
import itertools
import json
import random
from typing import Literal, get_args, get_origin
from urllib.parse import parse_qsl

import msgspec
import numpy as np
import pytest
from flask import Request

from service.api.http.convert import convert
from service.api.http.reading import read_options
from service.core.errors import InvalidOption
from service.lab.options import ClassifyOptions, FeatureMapOptions, PictureOptions
from tests.api import corpus
from tests.api.declared import CALLS
from tests.drawing import draw, encode, npy

SEVEN = encode(draw(7))
POSTS = [path for path, kind in CALLS.items() if issubclass(kind, PictureOptions)]
# A value of every option that may be a list; each is a value of its own, not a default.
LISTS = {
    "layers": ["conv1", "pool1"],
    "stride": [9, 8],
    "dilation": [2, 1],
    "padding": [1, 2, 0, 1],
    "patch_size": [5, 3],
    "window": [6, 3],
    "region": [10, 5, 60, 70],
    "filters": [0, 3],
    "changes": [{"layer": "conv1", "filter": 3, "action": "off"}, {"layer": "conv1", "filter": 1, "action": "off"}],
    "stages": [{"filters": [{"preset": "box"}]}, {"pool": {"size": 2}}],
}
BESIDE = {"window": {"method": "occlusion"}, ("/v1/explain", "stride"): {"method": "occlusion", "window": 12}}


def lists_of(path):
    """(name, value) of every option of a call that may be a list of several."""
    kind = CALLS[path]
    for name in [*kind.LISTS, *kind.STRUCTURES]:
        if path == "/v1/apply-filters" and name == "filters":
            yield name, [{"preset": "box"}, {"weights": [[1, -1]]}]
        elif name != "pool":
            yield name, LISTS[name]


EVERY_LIST = [(path, *each) for path in POSTS for each in lists_of(path)]


def others(path, name):
    """What the call wants beside an option, as text."""
    wanted = dict(corpus.WANTED.get(path, {})) if name not in {"filters", "changes", "stages"} else {}
    wanted |= BESIDE.get(name, {}) | BESIDE.get((path, name), {})
    if path == "/v1/what-if" and name != "changes":
        wanted["changes"] = LISTS["changes"]
    return {each: corpus.as_text(value) for each, value in wanted.items()}


def texts(value):
    return [json.dumps(each) if isinstance(each, dict) else str(each) for each in value]


WAYS = {
    "repeated": lambda name, value: [(name, each) for each in texts(value)],
    "in brackets": lambda name, value: [(f"{name}[]", each) for each in texts(value)],
    "numbered": lambda name, value: [(f"{name}[{i}]", each) for i, each in enumerate(texts(value))],
    "as JSON": lambda name, value: [(name, json.dumps(value))],
    "as JSON, with a line end": lambda name, value: [(name, json.dumps(value) + "\n")],
}


def form(pairs, file_names=None):
    """A multipart body of fields, each of them a file where `file_names` is given, with a picture among them."""
    data = {"image": [(io.BytesIO(SEVEN), "7.png")]}
    for name, value in pairs:
        each = (io.BytesIO(value.encode()), file_names) if file_names else value
        data.setdefault(name, []).append(each)
    return {"data": data}


PLACES = {
    "query": lambda pairs: {"data": SEVEN, "query_string": pairs},
    "form": form,
    "form of files": lambda pairs: form(pairs, "blob"),
}


@pytest.mark.parametrize(("path", "name", "value"), EVERY_LIST, ids=lambda each: each if isinstance(each, str) else "")
def test_a_list_is_that_list_in_every_way_that_clients_write_it(client, proof, path, name, value):
    beside = list(others(path, name).items())
    expected = client.post(path, data=SEVEN, query_string=[*beside, (name, corpus.as_text(value))])
    assert expected.status_code == 200, expected.text
    ways = list(itertools.product(WAYS.items(), PLACES.items()))
    for (way, write), (place, put) in ways if proof else random.Random(f"{path} {name}").sample(ways, 6):
        pairs = write(name, value)
        if place == "query":
            pairs = [(each, text.strip()) for each, text in pairs]
        answer = client.post(path, **put([*beside, *pairs]))
        assert answer.status_code == 200, (way, place, answer.text)
        assert answer.data == expected.data, (way, place)


@pytest.mark.parametrize(("path", "name", "value"), EVERY_LIST, ids=lambda each: each if isinstance(each, str) else "")
def test_a_list_in_two_places_is_given_twice(client, path, name, value):
    text = corpus.as_text(value)
    both = form([(name, text)]) | {"query_string": {name: text}}
    two_lists = {"data": SEVEN, "query_string": [(name, json.dumps(value))] * 2}
    for asked in (both, two_lists) if name in CALLS[path].STRUCTURES else (both,):
        refused = client.post(path, **asked)
        assert (refused.status_code, "given twice" in refused.json["detail"]) == (422, True), refused.text


@pytest.mark.parametrize("path", POSTS)
def test_what_is_no_list_is_given_once_and_without_brackets(client, path):
    kind = CALLS[path]
    for name in sorted(set(kind.__struct_fields__) - {name for name, _ in lists_of(path)}):
        for put in PLACES.values():
            refused = client.post(path, **put([(name, "1"), (name, "1")]))
            assert (refused.status_code, "given twice" in refused.json["detail"]) == (422, True), refused.text
            if name not in kind.STRUCTURES:
                refused = client.post(path, **put([(f"{name}[]", "1")]))
                assert refused.status_code == 422, refused.text
                assert "no option" in refused.json["detail"] or "part named" in refused.json["detail"]


@pytest.mark.parametrize("path", POSTS)
def test_an_option_may_have_a_file_name_and_a_file_may_not_be_an_option(client, path):
    beside = others(path, "")
    for kind in ("text/plain", "application/json", "application/octet-stream"):
        data = {name: (io.BytesIO(b"\xef\xbb\xbf" + text.encode()), "k.json", kind) for name, text in beside.items()}
        data["prepared_image"] = (io.BytesIO(b"true\r\n"), "blob", kind)
        answer = client.post(path, data=data | {"image": (io.BytesIO(SEVEN), "7.png")})
        assert answer.status_code == 200, answer.text
        refused = client.post(path, data={"file": (io.BytesIO(SEVEN), "7.png")})
        assert (refused.status_code, "named 'image', got a file" in refused.json["detail"]) == (422, True)
        refused = client.post(path, data={"scale": (io.BytesIO(SEVEN), "7.png")})
        assert (refused.status_code, refused.json["detail"]) == (422, "scale must be text")


# --- near misses -----------------------------------------------------------------------------------------------------

KINDS = {kind.__name__: kind for kind in CALLS.values()}


def misspelt(name, chance):
    """A name with one letter left out, doubled, or in the place of its neighbour."""
    place = chance.randrange(len(name) - 1)
    letters = chance.choice(["", name[place] * 2, name[place + 1] + name[place]])
    return name[:place] + letters + name[place + (2 if letters[:1] == name[place + 1] else 1) :]


def refused(kind, query, members=()):
    with pytest.raises(InvalidOption) as refusal:
        convert(kind, query, dict(members))
    return refusal.value.detail


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_a_misspelt_option_is_asked_about(kind):
    kind, chance = KINDS[kind], random.Random(18)
    for name in kind.__struct_fields__:
        wrong = misspelt(name, chance)
        if len(name) < 5 or wrong in kind.__struct_fields__:
            continue
        for detail in (refused(kind, [(wrong, "1")]), refused(kind, [], {wrong: 1})):
            assert f"did you mean {name}" in detail or f" or {name}" in detail, detail


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_a_misspelt_choice_is_asked_about_and_true_and_false_are_told(kind):
    kind, chance = KINDS[kind], random.Random(18)
    for field in msgspec.structs.fields(kind):
        inner = [field.type, *get_args(field.type)]
        for literal in (each for each in inner if get_origin(each) is Literal):
            for choice in (each for each in get_args(literal) if isinstance(each, str) and len(each) > 4):
                wrong = misspelt(choice, chance)
                if wrong not in get_args(literal):
                    # Of line and lines either is near enough.
                    assert f"did you mean {choice[:4]}" in refused(kind, [(field.name, wrong)])
        if bool in inner:
            for word in ("yes", "On", "2"):
                assert refused(kind, [(field.name, word)]) == f"{field.name}: must be true or false, got {word!r}"


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_a_structure_as_a_bare_word_is_answered_with_an_example_that_is_taken(kind):
    kind = KINDS[kind]
    for name, example in kind.STRUCTURES.items():
        for detail in (
            refused(kind, [(name, "max")]),
            refused(kind, [(name, '"max"')]),
            refused(kind, [], {name: "max"}),
            refused(kind, [], {name: ["max"]}),
        ):
            assert example in detail
            assert "max" in detail
        assert convert(kind, [(name, example)], {}) == convert(kind, [], {name: json.loads(example)})


def test_a_misspelt_member_of_a_structure_is_asked_about():
    detail = refused(CALLS["/v1/apply-filters"], [("stages", '[{"filters": [{"preset": "box", "sise": 3}]}]')])
    assert detail.startswith("there is no option 'sise' (did you mean size?); stages/0/filters/0 takes: weights, name")


@pytest.mark.parametrize("path", POSTS)
def test_a_wrong_option_beside_an_array_without_axes_is_refused(client, path):
    refused = client.post(f"{path}?filtres=1", data=npy(np.array(1.0)))
    assert (refused.status_code, "no option 'filtres'" in refused.json["detail"]) == (422, True), refused.text


def read_or_refused(read, *given):
    try:
        return read(*given)
    except InvalidOption as refusal:
        return refusal.detail, refusal.pointer


@pytest.mark.parametrize(
    "query",
    [
        "scale=255&format=npz",
        "model=a&model=b",
        "full=true",
        "stats=true",
        "scale=",
        "model=%C3%A4+b",
        "model=a+b&",
        "=&&x",
        300 * "x",
    ],
)
def test_a_query_that_came_before_is_read_as_at_first(query):
    pairs = parse_qsl(query, keep_blank_values=True)
    for kind in (ClassifyOptions, FeatureMapOptions) * 2:
        found = read_or_refused(read_options, Request({"QUERY_STRING": query}), kind)
        assert found == read_or_refused(convert, kind, pairs, {})
