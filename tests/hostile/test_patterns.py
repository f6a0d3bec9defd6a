"""No regular expression takes more steps than a text is long, and no text of a caller is without end."""

import ast
import io
import re
import signal
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest

from service.core.errors import LONGEST_SHOWN, shown
from service.lab import options
from service.lab.explain import options as explain_options
from tests.drawing import draw, encode

ROOT = Path(__file__).resolve().parent.parent.parent
SOURCES = sorted([*ROOT.glob("service/**/*.py"), *ROOT.glob("training/**/*.py")])
METHODS = {"match", "fullmatch", "search", "findall", "finditer", "sub", "split"}


def is_re(node, names):
    """Whether a node is re.<one of names>."""
    return (
        isinstance(node, ast.Attribute)
        and node.attr in names
        and isinstance(node.value, ast.Name)
        and node.value.id == "re"
    )


def methods_of(tree, call):
    """By which methods a compiled expression is used in its file; by any, where that is not seen."""
    names = {
        target.id
        for node in ast.walk(tree)
        if isinstance(node, ast.Assign) and node.value is call
        for target in node.targets
        if isinstance(target, ast.Name)
    }
    used = {
        node.func.attr
        for node in ast.walk(tree)
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and isinstance(node.func.value, ast.Name)
        and node.func.value.id in names
    }
    return used & METHODS or METHODS


def patterns():
    """(file and line, pattern, flags, methods) of every regular expression."""
    for path in SOURCES:
        tree = ast.parse(path.read_text(encoding="utf-8"))
        for node in ast.walk(tree):
            if not isinstance(node, ast.Call):
                continue
            place = f"{path.relative_to(ROOT)}:{node.lineno}"
            flags = sum({getattr(re, each.attr) for each in ast.walk(node) if is_re(each, re.RegexFlag.__members__)})
            for given in node.keywords:
                if given.arg == "pattern":  # of a type of msgspec, which searches for it
                    yield place, given.value, flags, {"search"}
            if is_re(node.func, {"compile"}):
                yield place, node.args[0], flags, methods_of(tree, node)
            elif is_re(node.func, METHODS):
                yield place, node.args[0], flags, {node.func.attr}


FOUND = list(patterns())


def killed(pattern, flags, methods):
    """Whether a process runs out of its CPU seconds over the near misses of a pattern."""
    asked = repr((pattern, int(flags), sorted(methods)))
    done = subprocess.run(
        [sys.executable, "-m", "tests.hostile.near_misses"], input=asked, text=True, cwd=ROOT, capture_output=True,
        check=False,
    )  # fmt: skip
    assert done.returncode in {0, -signal.SIGXCPU, -signal.SIGKILL}, done.stderr
    return done.returncode != 0


def test_the_patterns_are_found():
    assert len(FOUND) > 8
    imports = [node for path in SOURCES for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))]
    assert not [node for node in imports if isinstance(node, ast.ImportFrom) and node.module == "re"]


@pytest.mark.parametrize(("place", "pattern", "flags", "methods"), FOUND, ids=[each[0] for each in FOUND])
def test_a_pattern_takes_no_more_steps_than_its_text_is_long(place, pattern, flags, methods):
    assert isinstance(pattern, ast.Constant), f"{place}: a pattern is written out, so that it can be looked at"
    assert not killed(pattern.value, flags, methods)


@pytest.mark.parametrize(
    ("pattern", "method"),
    [
        (r"\s*(\w+)\s*(?:\(\s*([^()]*?)\s*\))?\s*", "fullmatch"),  # the cube
        (rb"\xff+[^\x00\xd0-\xd7\xff]", "search"),  # the square: every start goes over all that follows
        (r"([a-z]+,?)*;", "match"),  # two to its power
    ],
)
def test_a_pattern_that_takes_more_is_found_out(pattern, method):
    assert killed(pattern, 0, {method})


# --- the texts and numbers of options ---------------------------------------------------------------------------------

STRUCTS = [
    each
    for each in [*vars(options).values(), explain_options.ExplainOptions]
    if isinstance(each, type) and issubclass(each, msgspec.Struct)
]


def types_within(node):
    """Every type that a type is made of."""
    if isinstance(node, msgspec.inspect.Type):
        yield node
    inner = getattr(node, "__struct_fields__", ())
    for each in [node] if isinstance(node, list | tuple) else []:
        for item in each:
            yield from types_within(item)
    for name in inner:
        value = getattr(node, name)
        if isinstance(value, msgspec.inspect.Type | msgspec.inspect.Field | list | tuple):
            yield from types_within(value)


@pytest.mark.parametrize("struct", STRUCTS, ids=lambda struct: struct.__name__)
def test_every_text_and_whole_number_among_the_options_has_an_end(struct):
    for each in types_within(msgspec.inspect.type_info(struct)):
        if isinstance(each, msgspec.inspect.StrType):
            assert each.max_length is not None, each
            assert each.max_length <= 200
        if isinstance(each, msgspec.inspect.IntType):
            assert each.ge is not None, each
            assert each.le is not None, each


def test_a_long_text_is_refused_in_words(client):
    members = {"image": [[1, 2], [3, 4]], "filters": [{"weights": [[1]]}], "activation": "relu(" + " " * 1000}
    refused = client.post("/v1/apply-filters", json=members)
    assert refused.status_code == 422
    assert refused.json["detail"].startswith("activation: must be text of length <= 200, got 'relu(  ")
    assert len(refused.data) < 600


def test_a_long_list_or_number_in_a_form_or_query_is_refused_before_it_is_read(client):
    picture = encode(draw(7))
    for name, text in {"layers": "," * 5000, "filters": "1," * 5000, "lo": "1" * 5000}.items():
        refused = client.post(f"/v1/feature-maps?{name}={text}", data=picture)
        assert refused.status_code == 422
        assert f"{name} may have 4096 characters, got " in refused.json["detail"]


def test_a_form_field_may_have_no_more_numbers_than_a_body(client):
    filters = "[" + "1," * 300_000 + "1]"
    fields = {"image": (io.BytesIO(encode(draw(7))), "a.png"), "filters": filters}
    refused = client.post("/v1/apply-filters", data=fields)
    assert refused.status_code == 413
    assert "a form field may have 262144 numbers" in refused.json["detail"]


@pytest.mark.parametrize("head", [b"a:b\r\n" * 5000, b"Content-Disposition: form-data; " + b"a=b;" * 5000])
def test_the_head_of_a_part_has_an_end(client, head):
    body = b"--edge\r\n" + head + b"\r\n\r\n" + encode(draw(7)) + b"\r\n--edge--\r\n"
    refused = client.post("/v1/classify", data=body, content_type="multipart/form-data; boundary=edge")
    assert refused.status_code == 400
    assert "the head of a part may have 8192 bytes, got 2" in refused.json["detail"]


@pytest.mark.parametrize(
    "name", ["x` - at `$.filters[9]", "x` - at `$[" + "1" * 5000 + "]", "x` - at `$.", "`", "x" * 100_000]
)
def test_a_name_that_no_option_has_is_refused_whatever_it_is(client, name):
    members = {"image": [[1, 2], [3, 4]], "filters": [{"weights": [[1]]}], name: 1}
    inner = {"image": [[1, 2], [3, 4]], "filters": [{"weights": [[1]], name: 1}]}
    for posted, pointer in ((members, ""), (inner, "/filters/0")):
        refused = client.post("/v1/apply-filters", json=posted)
        assert refused.status_code == 422
        assert refused.json["errors"][0]["pointer"] == f"{pointer}/{name[:80]}"
        assert len(refused.data) < 2000


def test_whatever_is_shown_is_short():
    deep = []
    for _ in range(5000):
        deep = [deep]
    for value in ("x" * 10**6, [1] * 10**6, 10**5000, [[10**5000] * 3] * 99, {"a": 10**5000}, deep, float("nan"), None):
        assert len(shown(value)) <= LONGEST_SHOWN
