"""openapi.yaml against the service: routes, options, examples and real answers, each compared both ways."""

import base64
import copy
import gzip
import io
import re
from collections import Counter
from typing import Literal

import msgspec
import numpy as np
import pytest
import yaml
from openapi_spec_validator import validate

from service import __version__
from service.api.http.errors import PROBLEMS, answer, slug
from service.core.convolution import ACTIVATIONS, PADDING_SYNONYMS, PADDINGS
from service.core.errors import Busy
from service.lab import options
from service.settings import Limits
from tests.api import corpus, declared, examples
from tests.api.contract import (
    DOCUMENT,
    OPERATIONS,
    REFUSED_BY_ADOPTED,
    SCHEMAS,
    call_of,
    check,
    check_answer,
    operation,
    parameters_of,
    resolved,
    typed_options,
    validator,
)
from tests.api.declared import CALLS as OPTIONS_OF
from tests.api.declared import STRUCTURES, WORDS, Writer, struct_schemas
from tests.drawing import draw, encode, npy

# Routes that serve files and no part of the contract.
FILES = {"/docs/<path:asset>", "/web/<path:name>"}
# What Flask adds to every route by itself; the contract says so once, in its description.
IMPLIED_METHODS = {"HEAD", "OPTIONS"}

# What a call cannot do without, besides a picture.
WANTED = {
    "/v1/apply-filters": '&filters=[{"preset":"box"}]',
    "/v1/what-if": '&changes=[{"layer":"conv1","filter":0,"action":"off"}]',
}
# The calls of the Open Inference Protocol, which have neither our options nor our problems.
PROTOCOL = {path for path, _ in OPERATIONS if path.startswith("/v2")}
# Given before a call is reached: test_statuses.py asks for them.
STATUSES_OF_THE_DOOR = {"401", "408", "431", "503"}


# --- the document --------------------------------------------------------------------------------------------------


def test_the_contract_is_valid_openapi():
    validate(DOCUMENT)
    assert DOCUMENT["openapi"].startswith("3.1")


def test_the_contract_that_is_served_is_this_file_with_the_release_of_the_service(client):
    served = client.get("/openapi.json").json
    assert served["info"].pop("version") == __version__
    expected = copy.deepcopy(DOCUMENT)
    del expected["info"]["version"]
    assert served == expected


def test_every_component_is_used():
    used = {node for path, node in examples.walk(DOCUMENT) if path and path[-1] == "$ref"}
    # Security schemes are named by themselves, not by a reference.
    used |= {f"#/components/securitySchemes/{name}" for choice in DOCUMENT["security"] for name in choice}
    for kind, components in DOCUMENT["components"].items():
        assert {f"#/components/{kind}/{name}" for name in components} <= used


def test_every_call_has_a_name_a_tag_and_a_sentence():
    names = [operation(*each)["operationId"] for each in OPERATIONS]
    assert len(set(names)) == len(names)
    tags = {tag["name"] for tag in DOCUMENT["tags"]}
    assert {tag for each in OPERATIONS for tag in operation(*each)["tags"]} == tags
    assert all(operation(*each)["summary"] and operation(*each)["description"] for each in OPERATIONS)


def test_every_call_but_one_can_succeed():
    refused = {path for path, method in OPERATIONS if "200" not in operation(path, method)["responses"]}
    assert refused == {"/v2/repository/models/{name}/unload"}


def test_every_route_is_in_the_contract_and_back(app):
    rules = [rule for rule in app.url_map.iter_rules() if rule.rule not in FILES]
    routes = {(_as_path(rule.rule), method.lower()) for rule in rules for method in rule.methods - IMPLIED_METHODS}
    assert routes == set(OPERATIONS)


@pytest.mark.parametrize(("path", "method"), OPERATIONS)
def test_every_place_in_a_path_is_declared(app, path, method):
    rule = next(rule.rule for rule in app.url_map.iter_rules() if _as_path(rule.rule) == path)
    declared = parameters_of(path, method, "path")
    assert set(declared) == set(re.findall(r"{(\w+)}", path))
    numbers = set(re.findall(r"<int:(\w+)>", rule))
    assert {name for name, each in declared.items() if each["schema"]["type"] == "integer"} == numbers
    assert all(each["required"] for each in declared.values())


def _as_path(rule):
    return re.sub(r"<(?:\w+:)?(\w+)>", r"{\1}", rule)


def test_the_contract_says_what_number_comes_next():
    assert "`/v2`" in DOCUMENT["info"]["description"]
    assert "`/v3`" in DOCUMENT["info"]["description"]


def test_every_limit_is_described():
    assert list(SCHEMAS["Limits"]["properties"]) == [field.name for field in msgspec.structs.fields(Limits)]
    assert SCHEMAS["Limits"]["required"] == list(SCHEMAS["Limits"]["properties"])


def test_every_kind_of_problem_is_described():
    table = re.findall(r"\| `/docs/problems#([\w-]+)` \| (\d+) \|", SCHEMAS["Problem"]["description"])
    assert table == [(slug(title), str(status)) for status, title, _ in PROBLEMS.values()]


# --- options -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("path", "method"), [each for each in OPERATIONS if each[0] in OPTIONS_OF])
def test_the_options_a_call_takes_are_its_parameters(client, path, method):
    body = {"data": encode(draw(7))} if method == "post" else {}
    refusal = client.open(f"{call_of(path, method)}?nonsense=1", method=method, **body)
    takes = refusal.json["detail"].partition("this call takes: ")[2].split(", ")
    fields = [field.name for field in msgspec.structs.fields(OPTIONS_OF[path])]
    assert takes == fields
    assert set(parameters_of(path, method, "query")) == set(fields)


def test_every_kind_of_options_belongs_to_a_call():
    def leaves(kind):
        return {kind} if not kind.__subclasses__() else set().union(*map(leaves, kind.__subclasses__()))

    # One that others are made from is a call's own where it is named here.
    ours = {kind for kind in leaves(options.Options) if kind is not WithOneMore}
    assert ours <= set(OPTIONS_OF.values())
    assert {path for path, method in OPERATIONS if parameters_of(path, method, "query")} == set(OPTIONS_OF)


# What the core checks, where the struct says only `str`, and the contract more than a list of words.
CHECKED = WORDS | {"activation": ACTIVATIONS, "padding": (*PADDINGS, *PADDING_SYNONYMS)}
POSTS = [path for path, method in OPERATIONS if method == "post" and path in OPTIONS_OF]


def test_the_options_are_as_their_structs_have_them():
    text = examples.CONTRACT.read_text(encoding="utf-8")
    assert Writer(DOCUMENT).rewrite(text) == text, "stale: python -m tests.api.examples writes the options again"


class WithOneMore(options.ClassifyOptions, frozen=True, kw_only=True):
    """A call that takes an option more than its contract knows."""

    kept_ink: Literal["all", "most"] = "all"


def test_an_option_more_is_written_without_a_hand(monkeypatch):
    monkeypatch.setitem(declared.CALLS, "/v1/classify", WithOneMore)
    written = yaml.load(Writer(DOCUMENT).rewrite(examples.CONTRACT.read_text(encoding="utf-8")), declared.LOADER)
    assert written["paths"]["/v1/classify"]["post"]["parameters"][-1] == {"$ref": "#/components/parameters/KeptInk"}
    assert written["components"]["parameters"]["KeptInk"] == {
        "name": "kept_ink", "in": "query", "description": "Default: `all`.",
        "schema": {"$ref": "#/components/schemas/KeptInk"},
    }  # fmt: skip
    assert written["components"]["schemas"]["KeptInk"] == {"type": "string", "enum": ["all", "most"]}
    assert "kept_ink" in written["components"]["schemas"]["ClassifyJson"]["properties"]
    again = Writer(written)
    assert again.parameters["KeptInk"] == written["components"]["parameters"]["KeptInk"]


@pytest.mark.parametrize("path", ["/v1/apply-filters", "/v1/limits"])
def test_the_options_of_a_new_call_are_written_without_a_hand(path):
    ((method, call),) = DOCUMENT["paths"][path].items()
    listed = "parameters:" + "".join(f"\n        - $ref: '{each['$ref']}'" for each in call["parameters"])
    text = examples.CONTRACT.read_text(encoding="utf-8")
    start = text.index(f"{listed}\n", text.index(f"\n  {path}:\n"))
    new = text[:start] + "parameters: []" + text[start + len(listed) :]
    written = yaml.load(Writer(yaml.load(new, declared.LOADER)).rewrite(new), declared.LOADER)
    parameters = [examples.resolve(written, each["$ref"]) for each in written["paths"][path][method]["parameters"]]
    for parameter in parameters:
        known = parameters_of(path, method, "query")[parameter["name"]]
        assert resolved_in(written, parameter["schema"]) == resolved(known["schema"])
    assert [each["name"] for each in parameters] == [field.name for field in msgspec.structs.fields(OPTIONS_OF[path])]


def resolved_in(document, node):
    return examples.resolve(document, node["$ref"]) if "$ref" in node else node


def check_member(name, schema, expected):
    """A declared option has the choices, the type and the bounds of the struct's, and says the default."""
    default = expected.get("default")
    if default is not None and name != "format":
        said = re.search(r"Default: `(.*)`\.$", schema["description"])[1]
        assert said == (f"{default:g}" if isinstance(default, float) else str(default).lower()), name
    schema = resolved(schema)
    words = expected.get("enum") or CHECKED.get(name)
    if words is not None and name == "format":
        assert set(schema["enum"]) <= set(words)
    elif words is not None:
        assert sorted(_words(schema), key=str) == sorted(words, key=str), name
    for bound in ("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "minLength", "maxLength", "type"):
        is_bounded = "anyOf" in schema or (bound == "maxLength" and "enum" in schema)
        if bound in expected and not is_bounded:
            assert schema.get(bound) == expected[bound], (name, bound)


def _words(schema):
    return [word for part in [schema, *schema.get("anyOf", [])] for word in part.get("enum", [])]


@pytest.mark.parametrize("path", POSTS)
def test_every_member_has_the_type_and_choices_of_the_option(path):
    expected = struct_schemas(OPTIONS_OF[path])
    typed = typed_options(path, "post")
    assert set(typed) == set(expected)
    for name, schema in typed.items():
        check_member(name, schema, expected[name])


@pytest.mark.parametrize(("path", "method"), [each for each in OPERATIONS if each[0] in OPTIONS_OF])
def test_no_parameter_is_sent_unasked(path, method):
    kind = OPTIONS_OF[path]
    for name, parameter in parameters_of(path, method, "query").items():
        assert not {"required", "example", "examples", "content"} & set(parameter)
        assert not {"default", "example", "examples"} & set(resolved(parameter["schema"]))
        # Text alone: what has structure is JSON text, and what has several types is text.
        assert "anyOf" not in resolved(parameter["schema"])
        if name in kind.STRUCTURES:
            assert parameter["schema"] == {"type": "string"}
        if "array" in parameter["schema"].values():
            assert (parameter["style"], parameter["explode"]) == ("form", False)
        assert declared.by_hand(parameter["description"]), f"{name} of {path} wants a description"


@pytest.mark.parametrize("path", POSTS)
def test_every_form_of_body_is_declared_the_one_with_files_first(path):
    content = operation(path, "post")["requestBody"]["content"]
    assert list(content) == [
        "multipart/form-data", "application/json", "image/*", "application/octet-stream", "application/x-npy",
    ]  # fmt: skip
    form = dict(resolved(content["multipart/form-data"]["schema"])["properties"])
    assert form.pop("image")["items"] == {"type": "string", "format": "binary"}
    assert {name: schema["type"] for name, schema in form.items()} == dict.fromkeys(
        OPTIONS_OF[path].STRUCTURES, "string"
    )
    members = resolved(content["application/json"]["schema"])["properties"]
    assert resolved(members["image"]) == SCHEMAS["Picture"]
    assert resolved(members["images"]) == SCHEMAS["Pictures"]


@pytest.mark.parametrize("name", STRUCTURES)
def test_every_structure_has_the_members_of_its_struct(name):
    expected = struct_schemas(STRUCTURES[name])
    assert set(SCHEMAS[name]["properties"]) == set(expected)
    for member, schema in SCHEMAS[name]["properties"].items():
        check_member(member, schema, expected[member])


PLACE_OF_A_CELL = {"method": "cell", "layer": "conv1", "filter": 1, "row": 3, "col": 4}
# Options that mean nothing alone.
BESIDE = {
    ("/v1/explain", "score"): {"method": "pixels"},
    ("/v1/explain", "variant"): {"method": "cam"},
    **{("/v1/explain", name): {"method": "occlusion"} for name in ("window", "stride")},
    **{("/v1/explain", name): {"method": "rise"} for name in ("masks", "cells", "keep", "seed")},
    **{("/v1/explain", name): PLACE_OF_A_CELL for name in ("layer", "filter", "row", "col")},
    ("/v1/read", "cells"): {"layout": "cells"},
    **{(path, "step"): {"model": "lecture"} for path in ("/v1/classify", "/v1/feature-maps")},
    **{(path, name): {"range": "fixed", "lo": -1, "hi": 2} for path in OPTIONS_OF for name in ("lo", "hi")},
}
# Where the schema names no value that a call can have.
VALUES = {
    "version": ["1"], "lo": [-1], "hi": [2], "masks": [20], "cells": [5], "row": [3], "col": [4], "seed": [3],
    "window": [5, [6, 3]], "stride": [3, [2, 1]], "dilation": [2, [1, 2]], "patch_size": [5, [3, 4]],
    "region": [[10, 5, 60, 70], [0, 0, 1, 1]], "length": [1, "2-4"],
}  # fmt: skip
EVERY_OPTION = [(path, name) for path in POSTS for name in typed_options(path, "post")]


def values(path, name):
    """Values of an option, at most three of them."""
    if name == "filters":
        return corpus.FILTERS[path]
    given = VALUES.get(name) or corpus.GIVEN.get(name) or corpus.values_of(typed_options(path, "post")[name])
    return given[:3]


@pytest.mark.parametrize(("path", "name"), EVERY_OPTION)
def test_an_option_means_the_same_in_a_query_a_form_and_json(client, path, name):
    others = corpus.WANTED.get(path, {}) if name != "stages" else {}
    answered = 0
    for value in values(path, name):
        members = others | BESIDE.get((path, name), {}) | {name: value}
        text = {option: corpus.as_text(each) for option, each in members.items()}
        picture = encode(draw(7))
        in_json = client.post(path, json={"image": base64.b64encode(picture).decode()} | members)
        in_query = client.post(path, data=picture, query_string=text)
        in_form = client.post(path, data=text | {"image": (io.BytesIO(picture), "7.png")})
        assert in_query.status_code == in_form.status_code == in_json.status_code, in_query.text + in_json.text
        assert in_query.data == in_form.data == in_json.data
        answered += in_json.status_code == 200
    assert answered


@pytest.mark.parametrize(
    ("path", "query", "repeated"),
    [
        ("/v1/feature-maps", "layers=conv1,pool1&filters=0,3", "layers=conv1&layers=pool1&filters=0&filters=3"),
        ("/v1/patches", "patch_size=5,3&stride=9", "patch_size=5&patch_size=3&stride=9"),
        ("/v1/explain", "method=occlusion&window=6,3", "method=occlusion&window=6&window=3"),
    ],
)
def test_a_list_may_come_part_by_part(client, path, query, repeated):
    answers = [client.post(f"{path}?{each}", data=SEVEN) for each in (query, repeated)]
    assert [answer.status_code for answer in answers] == [200, 200]
    assert answers[0].data == answers[1].data


@pytest.mark.parametrize("path", [path for path in POSTS if OPTIONS_OF[path].STRUCTURES])
def test_a_structure_that_a_form_leaves_empty_is_not_given(client, path):
    wanted = {name: corpus.as_text(value) for name, value in corpus.WANTED.get(path, {}).items()}
    empty = dict.fromkeys(set(OPTIONS_OF[path].STRUCTURES) - set(wanted), "")
    answers = [
        client.post(path, data=wanted | more | {"image": (io.BytesIO(encode(draw(7))), "7.png")})
        for more in ({}, empty)
    ]
    assert [answer.status_code for answer in answers] == [200, 200]
    assert answers[0].data == answers[1].data


# --- what other people's tools make of it ---------------------------------------------------------------------------


def schemas_of_the_document():
    """(path, schema) of everything that is a schema, and no example."""
    for path, node in examples.walk(DOCUMENT):
        if isinstance(node, dict) and not {"example", "examples", "value", "mapping"} & set(map(str, path[:-1])):
            is_schema = path[-1:] in {("schema",), ("items",), ("additionalProperties",)} or (
                path[-2:-1] in {("properties",), ("anyOf",), ("oneOf",)}
            )
            if is_schema or (path[:2] == ("components", "schemas") and len(path) == 3):
                yield path, node


ALL_SCHEMAS = list(schemas_of_the_document())


def test_every_schema_says_its_type():
    # What a tensor's data holds depends on its shape.
    free = {("components", "schemas", "InferRequest")}
    untyped = ["/".join(map(str, path)) for path, node in ALL_SCHEMAS
               if not {"type", "$ref", "anyOf", "oneOf"} & set(node) and path[:3] not in free]  # fmt: skip
    assert not untyped
    assert not [path for path, node in ALL_SCHEMAS if "array" in _types(node) and "items" not in node]


def _types(node):
    kinds = node.get("type", [])
    return [kinds] if isinstance(kinds, str) else kinds


def test_every_body_of_bytes_is_typed_as_one():
    contents = [(path, node) for path, node in examples.walk(DOCUMENT) if path[-1:] == ("content",)]
    found = [
        (path, kind, media["schema"])
        for path, node in contents
        for kind, media in node.items()
        if kind.startswith("image/") or kind.rpartition("/")[2] in {"octet-stream", "x-npy", "x-npz"}
    ]
    assert len(found) > 20
    assert not [each for each in found if (each[2]["type"], each[2]["format"]) != ("string", "binary")]


def test_no_choice_is_between_rules_instead_of_schemas():
    for path, node in ALL_SCHEMAS:
        for choice in [*node.get("oneOf", []), *node.get("anyOf", [])]:
            assert {"type", "$ref"} & set(choice), path


def test_a_choice_among_lists_is_one_of_whole_lists_with_names():
    """A number-or-list within a list is a class of its own for each number; a list without a name has no class."""
    for path, node in ALL_SCHEMAS:
        choices = [resolved(choice) for choice in node.get("anyOf", [])]
        assert not [choice for choice in node.get("anyOf", []) if "array" in _types(choice)], path
        lists = [choice for choice in choices if "array" in _types(choice)]
        in_a_list = path[-1] == "items" and len(path) > 4
        assert not (in_a_list and lists), path


def test_the_files_of_a_form_have_no_least_number():
    """That they are required says it; of a bound on files a generator makes code that does not compile."""
    for name in (name for name in SCHEMAS if name.endswith("Form")):
        assert "image" in SCHEMAS[name]["required"]
        assert set(SCHEMAS[name]["properties"]["image"]) == {"description", "type", "items"}


# Of the packages that a client imports whole: a schema of one of these names hides theirs, or is hidden.
TAKEN = {"Channels", "File", "List", "Locale", "Objects", "Path", "Pipe", "Type", "Array", "Object", "String", "Number"}


def test_no_schema_has_the_name_of_what_a_client_imports():
    assert not TAKEN & set(SCHEMAS)


def test_no_request_has_a_default():
    """A generator makes a member with a default a member that must be given; the description says the default."""
    asked = [*STRUCTURES, *(name for name in SCHEMAS if name.endswith(("Json", "Request", "Form")))]
    assert len(asked) > 10
    for name in asked:
        assert not [path for path, node in examples.walk(SCHEMAS[name]) if path[-1:] == ("default",) and node != {}]


def test_every_set_of_words_has_one_name():
    sets = Counter(tuple(sorted(schema["enum"])) for schema in SCHEMAS.values() if "enum" in schema)
    assert set(sets.values()) == {1}


VERBS = {
    *("apply", "check", "classify", "compare", "compute", "cut", "explain"),
    *("get", "infer", "list", "load", "read", "show", "unload"),
}


def test_every_name_of_a_call_begins_with_a_verb():
    names = [operation(*each)["operationId"] for each in OPERATIONS]
    assert {re.match(r"[a-z]+", name)[0] for name in names} == VERBS
    assert all(re.fullmatch(r"[a-z]+([A-Z][a-z]+)*", name) for name in names)


def test_every_explanation_is_told_by_its_method():
    explanation = SCHEMAS["Explanation"]
    assert explanation["discriminator"]["propertyName"] == "method"
    mapping = explanation["discriminator"]["mapping"]
    wanted = "the mapping and the oneOf of Explanation in openapi.yaml want a schema for each method, in this order"
    assert list(mapping) == SCHEMAS["Method"]["enum"], wanted
    assert set(mapping.values()) == {choice["$ref"] for choice in explanation["oneOf"]}
    for method, reference in mapping.items():
        assert examples.resolve(DOCUMENT, reference)["properties"]["method"] == {"type": "string", "const": method}


def test_an_example_of_an_answer_is_the_answer_to_the_example_of_that_name():
    for path in (path for path, method in OPERATIONS if method == "post"):
        content = operation(path, "post").get("requestBody", {}).get("content", {})
        asked = {name for media in content.values() for name in media.get("examples", {})}
        answers = operation(path, "post")["responses"].get("200", {}).get("content", {})
        for media in answers.values():
            for name, example in media.get("examples", {}).items():
                assert name not in asked or " with " not in example["summary"], (path, name)


@pytest.mark.parametrize(("path", "method"), [each for each in OPERATIONS if each[0] in OPTIONS_OF])
def test_a_format_that_is_not_declared_is_refused(client, path, method):
    declared = resolved(parameters_of(path, method, "query")["format"]["schema"])["enum"]
    body = {"data": encode(draw(7))} if method == "post" else {}
    for form in ("json", "png", "npz"):
        response = client.open(f"{call_of(path, method)}?format={form}{WANTED.get(path, '')}", method=method, **body)
        assert response.status_code == (200 if form in declared else 406), response.text
        check_answer(response, path, method)


@pytest.mark.parametrize("text", ["relu", "leaky_relu(0.2)", "elu(-1)", "threshold(+0.25)"])
def test_an_activation_that_the_contract_allows_is_allowed(client, text):
    check(text, SCHEMAS["Activation"])
    body = {"image": [[0, 1]], "filters": [{"weights": [[1]]}], "activation": text}
    assert client.post("/v1/apply-filters", json=body).status_code == 200


@pytest.mark.parametrize("text", ["swish", "relu(1)", "elu(x)", "elu()"])
def test_an_activation_that_the_contract_does_not_know_is_refused(client, text):
    assert not validator(SCHEMAS["Activation"]).is_valid(text)
    body = {"image": [[0, 1]], "filters": [{"weights": [[1]]}], "activation": text}
    assert client.post("/v1/apply-filters", json=body).status_code == 422


# --- examples ------------------------------------------------------------------------------------------------------


def examples_with_schemas():
    """(path, value, schema) of every example and default of the document."""
    for path, node in examples.walk(DOCUMENT):
        if not isinstance(node, dict):
            continue
        schema = node.get("schema")
        if schema is not None and "example" in node:
            yield (*path, "example"), node["example"], schema
        if schema is not None and "examples" in node:
            for name, example in node["examples"].items():
                yield (*path, name), resolved(example)["value"], schema
        is_schema = "type" in node or "anyOf" in node
        if is_schema and isinstance(node.get("examples"), list):
            for value in node["examples"]:
                yield (*path, "examples"), value, node
        if is_schema and "default" in node and not isinstance(node["default"], dict):
            yield (*path, "default"), node["default"], node


ALL_EXAMPLES = list(examples_with_schemas())


@pytest.mark.parametrize(
    ("path", "value", "schema"), ALL_EXAMPLES, ids=["/".join(map(str, e[0])) for e in ALL_EXAMPLES]
)
def test_every_example_is_an_example_of_its_schema(path, value, schema):
    check(value, schema)


TRUE_EXAMPLES = [example for example in examples.of_answers(DOCUMENT) if examples.CALL.fullmatch(example.summary)]


def test_every_json_answer_on_version_one_has_an_example_that_is_asked_again():
    asked = {example.path[1] for example in TRUE_EXAMPLES if example.path[0] == "paths"}
    assert asked >= {path for path, _ in OPERATIONS if path.startswith("/v1")} - {
        "/v1/filters",  # as /v1/filters/{name}, some thirty times
        "/v1/models/{name}/layers/{layer}/filters",  # as .../{index}, for every filter
        "/v1/models/{name}/report",  # hundreds of numbers per filter
    }


@pytest.mark.parametrize("example", TRUE_EXAMPLES, ids=lambda example: f"{example.path[-1]}: {example.summary[:60]}")
def test_every_example_of_an_answer_is_what_the_service_answers(client, example):
    response = examples.ask(client, DOCUMENT, example)
    assert response.mimetype == example.media_type
    if example.path[0] == "paths":
        assert str(response.status_code) == example.status
    stale = "the example in openapi.yaml is stale: python -m tests.api.examples writes it again"
    assert_holds(response.json, example.value, stale)


def assert_holds(answer, example, message):
    """The answer has all that the example has; an example may leave members and the tail of a list out."""
    if isinstance(example, dict):
        assert isinstance(answer, dict), message
        for name, value in example.items():
            assert name in answer, message
            assert_holds(answer[name], value, message)
    elif isinstance(example, list):
        assert isinstance(answer, list), message
        assert len(answer) >= len(example), message
        for got, wanted in zip(answer, example, strict=False):
            assert_holds(got, wanted, message)
    elif isinstance(example, float):
        np.testing.assert_allclose(answer, example, rtol=1e-3, atol=1e-5, err_msg=message)
    else:
        assert answer == example, message


# --- real answers --------------------------------------------------------------------------------------------------

SEVEN = encode(draw(7))
PHOTO = encode(np.dstack([draw(7), draw(4), draw(1)]))
BATCH = npy(np.stack([draw(7, 28, dark_on_light=False), draw(1, 28, dark_on_light=False)]))
TWO_FILTERS = '[{"preset":"sobel"},{"weights":[[[1]],[[0]],[[0]]],"name":"red"},{"layer":"conv1","filter":0}]'
BOX = 'filters=[{"preset":"box"}]'
OFF = 'changes=[{"layer":"conv1","filter":0,"action":"off"}]'
SCALED = 'changes=[{"layer":"conv1","filter":1,"action":"scale","factor":-2}]'
STAGES = '[{"filters":[{"preset":"sobel_x"},{"preset":"sobel_y"}],"activation":"abs"},{"pool":{"kind":"avg"}}]'
NO_CSV = {"Accept": "text/csv"}
JSON = "application/json"

ONE_IMAGE = draw(7, 28, dark_on_light=False).astype("<f4") / 255
AS_TENSOR = {"name": "image", "shape": [1, 1, 28, 28], "datatype": "FP32", "data": ONE_IMAGE.ravel().tolist()}
AS_PICTURE = {"name": "image", "shape": [1], "datatype": "BYTES", "data": [base64.b64encode(PHOTO).decode()]}
TOP = [{"name": "probabilities", "parameters": {"classification": 2}}, {"name": "pool1"}]
GZIP = {"Content-Encoding": "gzip"}
BOMB = gzip.compress(bytes(Limits().max_body_bytes + 1))
# body, its type, further headers, status
INFER_CALLS = [
    (msgspec.json.encode({"inputs": [AS_TENSOR]}), JSON, {}, 200),
    (msgspec.json.encode({"id": "a", "inputs": [AS_PICTURE], "outputs": TOP}), JSON, {}, 200),
    (gzip.compress(msgspec.json.encode({"inputs": [AS_TENSOR]})), None, GZIP, 200),
    (ONE_IMAGE.tobytes(), "application/octet-stream", {"Inference-Header-Content-Length": "0"}, 200),
    (msgspec.json.encode({"inputs": [AS_TENSOR, AS_TENSOR]}), JSON, {}, 400),
    (msgspec.json.encode({"inputs": [AS_TENSOR | {"shape": [257, 1, 28, 28]}]}), JSON, {}, 413),
    (BOMB, None, GZIP, 413),
]

# path of the contract, query, body, its type, further headers, status
CALLS = [
    ("/v1/classify", "", SEVEN, None, {}, 200),
    ("/v1/classify", "?prepared_image=true", PHOTO, "image/png", {}, 200),
    ("/v1/classify", "?prepare=none", BATCH, "application/x-npy", {}, 200),
    ("/v1/classify", "?prepare=none&format=npz&model=digits&version=1", BATCH, None, {}, 200),
    ("/v1/classify", "", SEVEN[:80], None, {}, 400),
    ("/v1/classify", "?model=letters", SEVEN, None, {}, 404),
    ("/v1/classify", "", SEVEN, None, NO_CSV, 406),
    ("/v1/classify", "", npy(np.zeros((257, 2, 2), np.uint8)), None, {}, 413),
    ("/v1/classify", "", b"hello", "text/plain", {}, 415),
    ("/v1/classify", "?colour=red", SEVEN, None, {}, 422),
    ("/v1/read", "", SEVEN, None, {}, 200),
    ("/v1/read", "?prepared_image=true&alternatives=2&probabilities=true&expect=decimal", PHOTO, "image/png", {}, 200),
    ("/v1/read", "?format=png&sure=1", PHOTO, None, {}, 200),
    ("/v1/read", "?turn=90&length=2&region=0,0,28,28&sure=0.99", SEVEN, None, {}, 200),
    ("/v1/read", "", SEVEN[:80], None, {}, 400),
    ("/v1/read", "?model=letters", SEVEN, None, {}, 404),
    ("/v1/read", "", SEVEN, None, NO_CSV, 406),
    ("/v1/read", "", npy(np.zeros((3000, 3000), np.uint8)), None, {}, 413),
    ("/v1/read", "", b"%PDF-1.7", None, {}, 415),
    ("/v1/read", "?region=0,0,2000,20", SEVEN, None, {}, 422),
    ("/v1/feature-maps", "", SEVEN, None, {}, 200),
    ("/v1/feature-maps", "?stats=true&layers=conv1.pre,pool1&filters=0,3&range=map", PHOTO, None, {}, 200),
    ("/v1/feature-maps", "?prepare=none&format=png&polarity=diverging&range=symmetric", BATCH, None, {}, 200),
    ("/v1/feature-maps", f"?prepare=none&format=npz&{OFF}", BATCH, None, {}, 200),
    ("/v1/feature-maps", "", b"{", JSON, {}, 400),
    ("/v1/feature-maps", "?layers=conv9", SEVEN, None, {}, 404),
    ("/v1/feature-maps", "", SEVEN, None, NO_CSV, 406),
    ("/v1/feature-maps", "", npy(np.zeros((3000, 3000), np.uint8)), None, {}, 413),
    ("/v1/feature-maps", "", b"%PDF-1.7", None, {}, 415),
    ("/v1/feature-maps", "?filters=99", SEVEN, None, {}, 422),
    ("/v1/apply-filters", f"?filters={TWO_FILTERS}", PHOTO, None, {}, 200),
    ("/v1/apply-filters", f"?{BOX}&channels=each&range=map&stride=9,11&padding=0,1,2,3", PHOTO, None, {}, 200),
    ("/v1/apply-filters", f"?{BOX}&prepare=auto&pool={{}}&activation=abs&stride=2&padding=same", SEVEN, None, {}, 200),
    ("/v1/apply-filters", f"?filters={TWO_FILTERS}&format=png&polarity=pencil", PHOTO, None, {}, 200),
    ("/v1/apply-filters", f"?{BOX}&format=npz&orientation=convolution&normalize=l1", BATCH, None, {}, 200),
    ("/v1/apply-filters", f"?stages={STAGES}&card=true&snippet=numpy", PHOTO, None, {}, 200),
    ("/v1/apply-filters", '?stages=[{"pool":{}}]&snippet=torch&prepare=auto&prepared_image=true', SEVEN, None, {}, 200),
    ("/v1/apply-filters", f"?{BOX}", SEVEN[:-30], None, {}, 400),
    ("/v1/apply-filters", '?filters=[{"preset":"sobble"}]', SEVEN, None, {}, 404),
    ("/v1/apply-filters", f"?{BOX}", SEVEN, None, NO_CSV, 406),
    ("/v1/apply-filters", f"?{BOX}", npy(np.zeros((3000, 3000), np.uint8)), None, {}, 413),
    ("/v1/apply-filters", f"?{BOX}", b"", "application/pdf", {}, 415),
    ("/v1/apply-filters", f"?{BOX}&stride=0", SEVEN, None, {}, 422),
    ("/v1/apply-filters", '?filters=[{"weights":[[1,2],[3]]}]', SEVEN, None, {}, 422),
    ("/v1/explain", "", SEVEN, None, {}, 200),
    ("/v1/explain", "?rival=1&full=true&prepared_image=true", PHOTO, None, {}, 200),
    ("/v1/explain", f"?prepare=none&{OFF}", BATCH, None, {}, 200),
    ("/v1/explain", "?method=pixels", SEVEN, None, {}, 200),
    ("/v1/explain", "?method=pixels&rival=1&full=true", SEVEN, None, {}, 200),
    ("/v1/explain", "?method=occlusion&window=7,9&stride=3", SEVEN, None, {}, 200),
    ("/v1/explain", "?method=occlusion&score=probability&baseline=0.5&window=9&stride=9&rival=3", SEVEN, None, {}, 200),
    ("/v1/explain", "?method=rise&masks=20&cells=4&keep=0.4&seed=3&rival=3", SEVEN, None, {}, 200),
    ("/v1/explain", "?method=cam&variant=hirescam&rival=4", SEVEN, None, {}, 200),
    ("/v1/explain", "?method=cell&layer=conv1&filter=1&row=10&col=9", SEVEN, None, {}, 200),
    ("/v1/explain", "?method=cell&layer=pool1&filter=1&row=5&col=9", SEVEN, None, {}, 200),
    ("/v1/explain", "?method=cell&layer=conv2&filter=1&row=5&col=1&target=2", SEVEN, None, {}, 200),
    ("/v1/explain", "?method=deciding-set", SEVEN, None, {}, 200),
    ("/v1/explain", "?method=deciding-set&rival=0&target=1", SEVEN, None, {}, 200),
    ("/v1/explain", "?score=margin&method=pixels", SEVEN, None, {}, 200),
    ("/v1/explain", "", b"{", JSON, {}, 400),
    ("/v1/explain", "?layer=conv9", SEVEN, None, {}, 404),
    ("/v1/explain", "?format=png", SEVEN, None, {}, 406),
    ("/v1/explain", "?score=probability", SEVEN, None, {}, 409),
    ("/v1/explain", "", npy(np.zeros((257, 2, 2), np.uint8)), None, {}, 413),
    ("/v1/explain", "", b"hello", None, {}, 415),
    ("/v1/explain", "?method=rise&window=3", SEVEN, None, {}, 422),
    ("/v1/what-if", f"?{OFF}", SEVEN, None, {}, 200),
    ("/v1/what-if", f"?{SCALED}&prepared_image=true", PHOTO, None, {}, 200),
    ("/v1/what-if", f"?{OFF}", SEVEN[:80], None, {}, 400),
    ("/v1/what-if", "?changes=[{%22layer%22:%22conv9%22,%22filter%22:0,%22action%22:%22off%22}]", SEVEN, None, {}, 404),
    ("/v1/what-if", f"?{OFF}", SEVEN, None, NO_CSV, 406),
    ("/v1/what-if", f"?{OFF}", npy(np.zeros((257, 2, 2), np.uint8)), None, {}, 413),
    ("/v1/what-if", f"?{OFF}", b"hello", None, {}, 415),
    ("/v1/what-if", "", SEVEN, None, {}, 422),
    ("/v1/patches", "", BATCH, None, {}, 200),
    ("/v1/patches", "?patch_size=3,5&stride=20&padding=2&pad_mode=mirror&prepare=auto", PHOTO, None, {}, 200),
    ("/v1/patches", "?format=png&polarity=diverging&range=symmetric", BATCH, None, {}, 200),
    ("/v1/patches", "?format=npz", BATCH, None, {}, 200),
    ("/v1/patches", "", SEVEN[:80], None, {}, 400),
    ("/v1/patches", "", BATCH, None, NO_CSV, 406),
    ("/v1/patches", "", npy(np.zeros((3000, 3000), np.uint8)), None, {}, 413),
    ("/v1/patches", "", b"hello", None, {}, 415),
    ("/v1/patches", "?patch_size=900", SEVEN, None, {}, 422),
    ("/v1/filters", "", None, None, {}, 200),
    ("/v1/filters", "?format=png&polarity=diverging", None, None, {}, 200),
    ("/v1/filters", "", None, None, NO_CSV, 406),
    ("/v1/filters", "?range=fixed&format=png", None, None, {}, 422),
    ("/v1/filters/{name}", "?card=true", None, None, {}, 200),
    ("/v1/filters/{name}", "?size=5&sigma=0.8&format=png", None, None, {}, 200),
    ("/v1/filters/{name}", "?format=npz", None, None, {}, 200),
    ("/v1/filters/{name}", "", None, None, NO_CSV, 406),
    ("/v1/filters/{name}", "?size=0", None, None, {}, 422),
    ("/v1/models", "", None, None, {}, 200),
    ("/v1/models", "?format=png", None, None, {}, 406),
    ("/v1/models", "?version=1", None, None, {}, 422),
    ("/v1/models/{name}", "", None, None, {}, 200),
    ("/v1/models/{name}", "?version=99", None, None, {}, 404),
    ("/v1/models/{name}", "?format=png", None, None, {}, 406),
    ("/v1/models/{name}", "?format=gif", None, None, {}, 422),
    ("/v1/models/{name}/layers/{layer}/filters", "?card=true", None, None, {}, 200),
    ("/v1/models/{name}/layers/{layer}/filters", "?format=png", None, None, {}, 200),
    ("/v1/models/{name}/layers/{layer}/filters", "?format=npz&version=1", None, None, {}, 200),
    ("/v1/models/{name}/layers/{layer}/filters", "?version=99", None, None, {}, 404),
    ("/v1/models/{name}/layers/{layer}/filters", "", None, None, NO_CSV, 406),
    ("/v1/models/{name}/layers/{layer}/filters", "?lo=1&format=png", None, None, {}, 422),
    ("/v1/models/{name}/layers/{layer}/filters/{index}", "?card=true", None, None, {}, 200),
    ("/v1/models/{name}/layers/{layer}/filters/{index}", "?format=png", None, None, {}, 200),
    ("/v1/models/{name}/layers/{layer}/filters/{index}", "?format=npz", None, None, {}, 200),
    ("/v1/models/{name}/layers/{layer}/filters/{index}", "?version=99", None, None, {}, 404),
    ("/v1/models/{name}/layers/{layer}/filters/{index}", "", None, None, NO_CSV, 406),
    ("/v1/models/{name}/layers/{layer}/filters/{index}", "?card=perhaps", None, None, {}, 422),
    ("/v1/classify", "?model=lecture&step=3", SEVEN, None, {}, 200),
    ("/v1/feature-maps", "?model=lecture&step=0&layers=conv1", SEVEN, None, {}, 200),
    ("/v1/models/{name}/layers/{layer}/filters", "?step=1", None, None, {}, 404),
    ("/v1/models/{name}/history", "", None, None, {}, 200),
    ("/v1/models/{name}/history", "?version=99", None, None, {}, 404),
    ("/v1/models/{name}/history", "?format=npz", None, None, {}, 406),
    ("/v1/models/{name}/history", "?step=1", None, None, {}, 422),
    ("/v1/models/{name}/report", "", None, None, {}, 200),
    ("/v1/models/{name}/report", "?layer=conv1&thumbnails=false", None, None, {}, 200),
    ("/v1/models/{name}/report", "?layer=conv9", None, None, {}, 404),
    ("/v1/models/{name}/report", "?format=npz", None, None, {}, 406),
    ("/v1/models/{name}/report", "?thumbnails=perhaps", None, None, {}, 422),
    ("/v1/limits", "", None, None, {}, 200),
    ("/v1/limits", "?format=npz", None, None, {}, 406),
    ("/v1/limits", "?all=true", None, None, {}, 422),
    *((path, "", None, None, {}, 200) for path, method in OPERATIONS if path in PROTOCOL and method == "get"),
    *((path, "", *call) for path in sorted(PROTOCOL) if path.endswith("/infer") for call in INFER_CALLS),
    ("/v2/repository/index", "", b"", None, {}, 200),
    ("/v2/repository/index", "", b'{"ready":true}', JSON, {}, 200),
    ("/v2/repository/index", "", b"{", JSON, {}, 400),
    ("/v2/repository/index", "", BOMB, None, GZIP, 413),
    ("/v2/repository/models/{name}/load", "", b"{}", JSON, {}, 200),
    ("/v2/repository/models/{name}/load", "", b'{"parameters":{"config":"{}"}}', JSON, {}, 400),
    ("/v2/repository/models/{name}/load", "", BOMB, None, GZIP, 413),
    ("/v2/repository/models/{name}/unload", "", b"", None, {}, 400),
    ("/healthz", "", None, None, {}, 200),
    ("/readyz", "", None, None, {}, 200),
    ("/metrics", "", None, None, {}, 200),
    ("/", "", None, None, {}, 200),
    ("/openapi.json", "", None, None, {}, 200),
    ("/docs", "", None, None, {}, 200),
    ("/docs/problems", "", None, None, {}, 200),
]  # fmt: skip


@pytest.mark.parametrize(
    ("path", "query", "body", "kind", "headers", "status"), CALLS, ids=[f"{c[0]}{c[1]} {c[5]}"[:90] for c in CALLS]
)
def test_a_real_answer_keeps_the_contract(client, path, query, body, kind, headers, status):
    method = "get" if body is None else "post"
    response = client.open(
        f"{call_of(path, method)}{query}", method=method, data=body, content_type=kind, headers=headers
    )
    assert response.status_code == status, response.text
    check_answer(response, path, method)


def test_every_status_that_a_call_declares_is_one_it_gives():
    given = (
        {(path, "304") for path in UNCHANGING}
        | {(path, str(status)) for path, *_, status in CALLS}
        | {(path, "409") for path in REFUSED_BY_ADOPTED}
        | {("/v1/filters/{name}", "404"), ("/v2/repository/models/{name}/unload", "413")}
        | {(path, "404") for path, _ in OPERATIONS if path in PROTOCOL and "{name}" in path}
    )
    declared = {(path, status) for path, method in OPERATIONS for status in operation(path, method)["responses"]}
    assert given == {(path, status) for path, status in declared if status not in STATUSES_OF_THE_DOOR}


def test_a_named_filter_that_there_is_not_keeps_the_contract(client):
    response = client.get("/v1/filters/sobble")
    assert response.status_code == 404
    check_answer(response, "/v1/filters/{name}", "get")


@pytest.mark.parametrize(
    ("path", "method"), [each for each in OPERATIONS if "{name}" in each[0] and each[0] in PROTOCOL]
)
def test_a_model_that_there_is_not_keeps_the_contract(client, path, method):
    response = client.open(path.format(name="letters", version=1), method=method)
    assert response.status_code == 404
    check_answer(response, path, method)


UNCHANGING = [path for path, method in OPERATIONS if "304" in operation(path, method)["responses"]]


@pytest.mark.parametrize("path", UNCHANGING)
def test_an_answer_that_has_not_changed_is_not_sent_again(client, path):
    call = call_of(path, "get")
    tag = client.get(call).headers["ETag"]
    response = client.get(call, headers={"If-None-Match": tag})
    assert response.status_code == 304
    check_answer(response, path, "get")


def test_every_named_filter_keeps_the_contract(client):
    for listed in client.get("/v1/filters").json["filters"]:
        response = client.get(f"/v1/filters/{listed['name']}")
        check_answer(response, "/v1/filters/{name}", "get")
        assert response.json == listed


def test_all_forms_of_a_picture_in_json_are_those_of_the_contract(client):
    text = base64.b64encode(SEVEN).decode()
    for picture in (text, f"data:image/png;base64,{text}", draw(7, 40).tolist(), np.dstack([draw(7, 40)] * 3).tolist()):
        check(picture, SCHEMAS["Picture"])
        assert client.post("/v1/classify", json={"image": picture}).json["results"][0]["digit"] == 7


def test_a_form_with_every_option_as_text_keeps_the_contract(client):
    form = {
        "image": [(io.BytesIO(SEVEN), "seven.png"), (io.BytesIO(PHOTO), "photo.png")],
        "filters": TWO_FILTERS.replace('{"weights":[[[1]],[[0]],[[0]]],"name":"red"},', ""),
        "pool": '{"kind":"avg","size":[2,3]}',
        "stride": "4,5", "dilation": "2", "padding": "1,2,3,4", "pad_mode": "constant", "pad_value": "0.5",
        "prepare": "none", "prepared_image": "false",
    }  # fmt: skip
    response = client.post("/v1/apply-filters", data=form)
    assert response.status_code == 200, response.text
    check_answer(response, "/v1/apply-filters", "post")
    geometry = response.json["results"][1]["geometry"]
    assert (geometry["stride"], geometry["dilation"], geometry["pads"]) == ([4, 5], [2, 2], [1, 2, 3, 4])


def test_a_refusal_for_want_of_room_keeps_the_contract():
    refusal = answer(Busy("no room"))
    assert refusal.status_code == 503
    assert int(refusal.headers["Retry-After"]) >= 1
    check(refusal.json, SCHEMAS["Problem"])


@pytest.mark.parametrize(("path", "method"), OPERATIONS)
def test_another_method_is_a_problem_that_says_which_there_are(client, path, method):
    wrong = "GET" if method == "post" else "POST"
    response = client.open(call_of(path, method), method=wrong)
    assert response.status_code == 405
    assert method.upper() in response.headers["Allow"]
    assert response.mimetype == ("application/json" if path in PROTOCOL else "application/problem+json")
    check(response.json, SCHEMAS["Refusal" if path in PROTOCOL else "Problem"])


@pytest.mark.parametrize(
    "path", ["/v1", "/v1/", "/v1/none", "/v1/models/digits/layers/conv1/filters/-1", "/v3/classify"]
)
def test_an_unknown_path_is_a_problem(client, path):
    response = client.get(path)
    assert response.status_code == 404
    assert response.mimetype == "application/problem+json"
    check(response.json, SCHEMAS["Problem"])
