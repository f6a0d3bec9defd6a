"""openapi.yaml against the service: routes, options, examples and real answers, each compared both ways."""

import base64
import copy
import gzip
import io
import re

import msgspec
import numpy as np
import pytest
from openapi_spec_validator import validate

from service import __version__
from service.api.http.errors import PROBLEMS, answer, slug
from service.core.convolution import ACTIVATIONS, NORMALISATIONS, PAD_MODES, PADDING_SYNONYMS, PADDINGS, POOL_KINDS
from service.core.errors import Busy
from service.lab import options
from service.lab.explain.options import ExplainOptions
from service.settings import Limits
from tests.api import examples
from tests.api.contract import (
    DOCUMENT,
    OPERATIONS,
    SCHEMAS,
    call_of,
    check,
    check_answer,
    operation,
    parameters_of,
    resolved,
    schema_of,
    validator,
)
from tests.drawing import draw, encode, npy

# Routes that serve files and no part of the contract.
FILES = {"/docs/<path:asset>", "/web/<path:name>"}
# What Flask adds to every route by itself; the contract says so once, in its description.
IMPLIED_METHODS = {"HEAD", "OPTIONS"}

OPTIONS_OF = {
    "/v1/classify": options.ClassifyOptions,
    "/v1/feature-maps": options.FeatureMapOptions,
    "/v1/apply-filters": options.ApplyFiltersOptions,
    "/v1/explain": ExplainOptions,
    "/v1/what-if": options.WhatIfOptions,
    "/v1/patches": options.PatchesOptions,
    "/v1/filters": options.PresetListOptions,
    "/v1/filters/{name}": options.PresetOptions,
    "/v1/models": options.NoOptions,
    "/v1/models/{name}": options.ModelOptions,
    "/v1/models/{name}/layers/{layer}/filters": options.LayerFilterOptions,
    "/v1/models/{name}/layers/{layer}/filters/{index}": options.LayerFilterOptions,
    "/v1/models/{name}/report": options.ReportOptions,
    "/v1/limits": options.NoOptions,
}
# Options whose words the core checks, where the struct says only `str`.
WORDS = {
    "pad_mode": PAD_MODES,
    "normalize": NORMALISATIONS,
    "activation": ACTIVATIONS,
    "padding": (*PADDINGS, *PADDING_SYNONYMS),
    "kind": POOL_KINDS,
}
# What a call cannot do without, besides a picture.
WANTED = {
    "/v1/apply-filters": '&filters=[{"preset":"box"}]',
    "/v1/what-if": '&changes=[{"layer":"conv1","filter":0,"action":"off"}]',
}
# The calls of the Open Inference Protocol, which have neither our options nor our problems.
PROTOCOL = {path for path, _ in OPERATIONS if path.startswith("/v2")}
# Only a server on a network can give these two.
STATUSES_OF_THE_DOOR = {"408", "503"}


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
    assert all(operation(*each)["summary"] for each in OPERATIONS)


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
    assert {name for name, each in declared.items() if schema_of(each)["type"] == "integer"} == numbers
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
    assert leaves(options.Options) <= set(OPTIONS_OF.values())
    assert {path for path, method in OPERATIONS if parameters_of(path, method, "query")} == set(OPTIONS_OF)


def struct_schemas(kind):
    """Per member, the JSON schema that msgspec gives for its type; null, which means absent, left out."""
    (_,), components = msgspec.json.schema_components([kind])
    members = {}
    for name, schema in components[kind.__name__]["properties"].items():
        wanted = [each for each in schema.get("anyOf", []) if each != {"type": "null"}]
        members[name] = wanted[0] if len(wanted) == 1 else {"anyOf": wanted} if wanted else dict(schema)
        members[name].pop("default", None)
        # No list and an empty one are the same.
        if schema.get("default") not in (None, ()):
            members[name]["default"] = schema["default"]
    return members


def check_member(name, declared, expected):
    """A declared option has the default, the choices, the type and the bounds of the struct's."""
    declared = resolved(declared)
    assert declared.get("default") == expected.get("default"), name
    words = expected.get("enum") or WORDS.get(name)
    if words is not None and name == "format":
        assert set(declared["enum"]) <= set(words)
    elif words is not None:
        assert sorted(_words(declared), key=str) == sorted(words, key=str), name
    for bound in ("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "minLength", "maxLength", "type"):
        is_bounded = "anyOf" in declared or (bound == "maxLength" and "enum" in declared)
        if bound in expected and not is_bounded:
            assert declared.get(bound) == expected[bound], (name, bound)


def _words(schema):
    return [word for part in [schema, *schema.get("anyOf", [])] for word in part.get("enum", [])]


@pytest.mark.parametrize(("path", "method"), [each for each in OPERATIONS if each[0] in OPTIONS_OF])
def test_every_parameter_has_the_default_and_choices_of_the_option(path, method):
    expected = struct_schemas(OPTIONS_OF[path])
    for name, parameter in parameters_of(path, method, "query").items():
        check_member(name, schema_of(parameter), expected[name])
        assert not parameter.get("required")
        is_text = name in OPTIONS_OF[path].STRUCTURES
        assert ("content" in parameter) == is_text
        if name in OPTIONS_OF[path].LISTS:
            assert (parameter["style"], parameter["explode"]) == ("form", False)


@pytest.mark.parametrize(
    ("path", "method"), [each for each in OPERATIONS if each[1] == "post" and each[0] in OPTIONS_OF]
)
def test_every_option_is_also_a_form_field_and_a_json_member(path, method):
    kind = OPTIONS_OF[path]
    content = operation(path, method)["requestBody"]["content"]
    assert set(content) == {
        "image/*", "application/octet-stream", "multipart/form-data", "application/json", "application/x-npy",
    }  # fmt: skip
    query = {name: schema_of(each) for name, each in parameters_of(path, method, "query").items()}
    members = dict(content["application/json"]["schema"]["properties"])
    assert resolved(members.pop("image")) == SCHEMAS["Picture"]
    assert resolved(members.pop("images")) == SCHEMAS["Pictures"]
    assert members == query

    fields = dict(content["multipart/form-data"]["schema"]["properties"])
    assert fields.pop("image")["type"] == "array"
    for name, schema in fields.items():
        if name not in (*kind.LISTS, *kind.STRUCTURES):
            assert schema == query[name]
            continue
        text = resolved(schema)
        assert text["type"] == "string"
        default = resolved(query[name]).get("default")
        assert text.get("default") == (None if default is None else str(default))
        assert text.get("contentSchema", query[name]) == query[name]
    assert set(fields) == set(query)


@pytest.mark.parametrize(
    ("kind", "schema"),
    [(options.Filter, "Filter"), (options.Pool, "Pool"), (options.Change, "Change"), (options.Stage, "Stage")],
)
def test_every_structure_has_the_members_of_its_struct(kind, schema):
    expected = struct_schemas(kind)
    assert set(SCHEMAS[schema]["properties"]) == set(expected)
    for name, declared in SCHEMAS[schema]["properties"].items():
        check_member(name, declared, expected[name])


@pytest.mark.parametrize(("path", "method"), [each for each in OPERATIONS if each[0] in OPTIONS_OF])
def test_a_format_that_is_not_declared_is_refused(client, path, method):
    declared = resolved(schema_of(parameters_of(path, method, "query")["format"]))["enum"]
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
    ("/v1/models/{name}/report", "", None, None, {}, 200),
    ("/v1/models/{name}/report", "?layer=conv1&thumbnails=false", None, None, {}, 200),
    ("/v1/models/{name}/report", "?layer=conv9", None, None, {}, 404),
    ("/v1/models/{name}/report", "?format=npz", None, None, {}, 406),
    ("/v1/models/{name}/report", "?thumbnails=perhaps", None, None, {}, 422),
    ("/v1/limits", "", None, None, {}, 200),
    ("/v1/limits", "?format=npz", None, None, {}, 406),
    ("/v1/limits", "?all=true", None, None, {}, 422),
    *((path, "", None, None, {}, 200) for path, method in OPERATIONS if path in PROTOCOL and method == "get"),
    *((path, "", *call) for path in PROTOCOL if path.endswith("/infer") for call in INFER_CALLS),
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
        | {("/v1/filters/{name}", "404")}
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
