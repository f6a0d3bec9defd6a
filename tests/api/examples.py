"""
The examples of openapi.yaml, which are true: each is the answer to the call in its summary.

    python -m tests.api.examples      writes the options (declared.py) into openapi.yaml, asks the service again and
                                      writes its answers into it

A summary reads "GET /v1/limits"; or "POST /v1/classify", which posts the request's example of the same name; or
"POST /v1/classify with text/plain hello", which posts that. Any other summary is prose, and is not asked again. An
example may leave members of an object and the tail of a list out.
"""

import re
import textwrap
from pathlib import Path
from typing import NamedTuple

import yaml

import service.api
from tests.api.declared import Writer, nodes_of

CONTRACT = Path(service.api.__file__).parent / "openapi.yaml"
CALL = re.compile(r"(GET|POST) (/\S*)(?: with (\S+) (.*))?")
# What an example leaves out of a long answer.
KEPT_OF_A_LIST = {"layers": 2}
KEPT_OF_AN_OBJECT = {"passport": ["format", "labels", "accuracy"], "card": ["purpose", "figures", "chosen"]}


class Example(NamedTuple):
    """One example of an answer, where it stands, and the media type it is under."""

    path: tuple
    summary: str
    value: object
    media_type: str

    @property
    def status(self):
        """The status it is an example of."""
        return self.path[self.path.index("responses") + 1]


def load():
    """openapi.yaml, parsed."""
    return yaml.safe_load(CONTRACT.read_text(encoding="utf-8"))


def walk(node, path=()):
    """(path, node) of everything in a document."""
    yield path, node
    items = node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ()
    for key, child in items:
        yield from walk(child, (*path, key))


def of_answers(document):
    """Every example of an answer."""
    for path, node in walk(document):
        if "responses" in path[:-2] and path[-2] == "examples":
            yield Example(path, node["summary"], node["value"], path[-3])


def ask(client, document, example):
    """The answer of the service to the call that an example is of; None where its summary is prose."""
    found = CALL.fullmatch(example.summary)
    if not found:
        return None
    method, path, kind, body = found.groups()
    if method == "POST" and kind is None:
        return client.post(path, json=request_example(document, example))
    return client.open(path, method=method, data=body, content_type=kind)


def request_example(document, example):
    """The JSON that the request's example posts which has the name of an answer's."""
    content = document["paths"][example.path[1]]["post"]["requestBody"]["content"]
    request = content["application/json"]["examples"][example.path[-1]]
    return (resolve(document, request["$ref"]) if "$ref" in request else request)["value"]


def resolve(document, reference):
    """What a reference within the document leads to."""
    for step in reference.removeprefix("#/").split("/"):
        document = document[step]
    return document


def shorten(answer):
    """An answer without what examples leave out."""
    if isinstance(answer, list):
        return [shorten(item) for item in answer]
    if not isinstance(answer, dict):
        return answer
    return {name: shorten(_kept(name, value)) for name, value in answer.items()}


def _kept(name, value):
    if name in KEPT_OF_AN_OBJECT:
        return {key: value[key] for key in KEPT_OF_AN_OBJECT[name]}
    return value[: KEPT_OF_A_LIST[name]] if name in KEPT_OF_A_LIST else value


def write_options():
    """Write the options as their structs have them now into openapi.yaml."""
    text = Writer(load()).rewrite(CONTRACT.read_text(encoding="utf-8"))
    CONTRACT.write_text(text, encoding="utf-8")


def rewrite(client):
    """Write what the service answers now into openapi.yaml, and leave every other character as it is."""
    text, document = CONTRACT.read_text(encoding="utf-8"), load()
    nodes = dict(nodes_of(yaml.compose(text, yaml.SafeLoader)))
    spans = {}  # by where they begin: one that is referred to from several calls stands in one place
    for example in of_answers(document):
        answer = ask(client, document, example)
        if answer is not None:
            assert str(answer.status_code) == example.status or example.path[0] == "components", answer.text
            node = nodes[(*example.path, "value")]
            spans[node.start_mark.index] = (node.start_mark, node.end_mark.index, shorten(answer.json))
    for _, (start, end, value) in sorted(spans.items(), reverse=True):
        text = text[: start.index] + _as_flow(value, start.column) + text[end:]
    CONTRACT.write_text(text, encoding="utf-8")


def _as_flow(value, column):
    line = yaml.safe_dump(value, default_flow_style=True, sort_keys=False, width=float("inf"), allow_unicode=True)
    indent = " " * (column - len("value: ") + 2)
    # A line may end at any space: within a text that reads back as the space it was.
    lines = textwrap.wrap(line, 118 - len(indent), break_long_words=False, break_on_hyphens=False)
    text = f"\n{indent}".join(lines)
    assert yaml.safe_load(text) == value
    return text


if __name__ == "__main__":
    from service.app import create_app

    write_options()
    rewrite(create_app().test_client())
