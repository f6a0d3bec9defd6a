"""openapi.yaml as the tests read it: its calls, and what an answer must be to keep it."""

import copy
from functools import cache

from jsonschema_rs import Draft202012Validator  # on a batch of maps a hundred times faster than jsonschema

from tests.api import examples

DOCUMENT = examples.load()
SCHEMAS = DOCUMENT["components"]["schemas"]
OPERATIONS = [(path, method) for path, item in DOCUMENT["paths"].items() for method in item]

# Of each call that an adopted network may refuse, a path and query for which a network of tests/adopt/ does.
REFUSED_BY_ADOPTED = {
    "/v1/read": "/v1/read?model=colour",
    "/v1/feature-maps": "/v1/feature-maps?model=dense",
    "/v1/explain": "/v1/explain?model=signed",
    "/v1/what-if": '/v1/what-if?model=dense&changes=[{"layer":"conv1","filter":0,"action":"off"}]',
    "/v1/apply-filters": '/v1/apply-filters?filters=[{"model":"made","layer":"conv1","filter":0}]',
    "/v1/models/{name}/layers/{layer}/filters": "/v1/models/made/layers/conv1/filters",
    "/v1/models/{name}/layers/{layer}/filters/{index}": "/v1/models/made/layers/conv1/filters/0",
    "/v1/models/{name}/report": "/v1/models/nets/report",
    "/v1/models/{name}/history": "/v1/models/nets/history",
}


def resolved(node):
    """What a node stands for, where it is a reference."""
    while "$ref" in node:
        node = examples.resolve(DOCUMENT, node["$ref"])
    return node


def operation(path, method):
    return DOCUMENT["paths"][path][method]


def parameters_of(path, method, place):
    parameters = [resolved(parameter) for parameter in operation(path, method).get("parameters", [])]
    return {parameter["name"]: parameter for parameter in parameters if parameter["in"] == place}


def typed_options(path, method):
    """The schema of every option of a call: of a POST that of the JSON member, which is typed."""
    options = parameters_of(path, method, "query")
    if method == "get":
        return {name: parameter["schema"] for name, parameter in options.items()}
    members = resolved(operation(path, method)["requestBody"]["content"]["application/json"]["schema"])["properties"]
    return {name: members[name] for name in options}


def call_of(path, method):
    """A path whose places are filled in with their examples."""
    places = parameters_of(path, method, "path")
    return path.format(**{name: place["example"] for name, place in places.items()})


def closed(schema):
    """The schema, refusing members that it does not name: clients ignore those, but the contract must know them."""
    schema = copy.deepcopy(schema)
    for _, node in examples.walk(schema):
        if isinstance(node, dict) and isinstance(node.get("properties"), dict):
            node.setdefault("additionalProperties", False)
    return schema


CLOSED_COMPONENTS = {"schemas": closed(SCHEMAS)}


def validator(schema):
    return Draft202012Validator({**closed(schema), "components": CLOSED_COMPONENTS})


def check(value, schema):
    """The value is what the schema says, and nothing besides."""
    validator(schema).validate(value)


def check_adopted(response, path):
    """The answer of a call that is posted pictures is what the contract says of an adopted network."""
    assert response.status_code == 200, response.text
    declared = operation(path, "post")["responses"]["200"]["content"]["application/json"]
    check(response.json, resolved(declared["x-adopted-schema"]))


def check_answer(response, path, method):
    """The answer has a status, a type, headers and a shape that the contract declares for this call."""
    declared = operation(path, method)["responses"]
    status = str(response.status_code)
    assert status in declared, response.text
    answer = resolved(declared[status])
    assert not [name for name, header in answer.get("headers", {}).items()
                if resolved(header).get("required") and name not in response.headers]  # fmt: skip
    if "content" not in answer:
        assert not response.data
        return
    assert response.mimetype in answer["content"]
    for name in response.headers.keys():  # noqa: SIM118  # these headers iterate as pairs
        assert not name.startswith("X-Filterscope") or name in answer["headers"]
    if response.mimetype.endswith("json"):
        _validator_of_answer(path, method, status, response.mimetype).validate(response.json)


@cache
def _validator_of_answer(path, method, status, mimetype):
    return validator(resolved(operation(path, method)["responses"][status])["content"][mimetype]["schema"])
