"""The table of ARCHITECTURE.md against the syntax trees: private parts of other packages, each with its guard."""

import ast

import pytest

from tests.private_parts import ROOT, found, uses

PAGE = (ROOT / "ARCHITECTURE.md").read_text(encoding="utf-8")
TABLE = PAGE.partition("<!-- private parts:")[2].partition("<!-- end of private parts -->")[0]
ROWS = [[cell.strip().strip("`") for cell in line.strip("|").split(" | ")] for line in TABLE.splitlines()[3:]]


def test_every_private_part_that_is_used_is_in_the_table_and_no_other():
    assert sorted(found()) == sorted((row[0], row[1]) for row in ROWS)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: f"{row[0]} {row[1]}")
def test_the_test_that_would_notice_is_there(row):
    file, _, name = row[-1].partition("::")
    tree = ast.parse((ROOT / file).read_text(encoding="utf-8"))
    assert name in {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}


@pytest.mark.parametrize(
    ("line", "name"),
    [
        ("np._core", "_core"),
        ("session._sess.run(None)", "_sess"),
        ("from flask.globals import _cv_app", "_cv_app"),
        ("from numpy._core import multiarray", "_core"),
        ("import PIL._imaging", "_imaging"),
        ("getattr(session, '_sess')", "_sess"),
        ("class A(B):\n    def f(self):\n        return super()._parse()", "_parse"),
        ("pixels = Image.core.new()", "core"),
        ("server.stop = stop", "stop"),
        ("from prometheus_client import values", "prometheus_client.values"),
    ],
)
def test_a_private_part_is_found_however_it_is_reached(line, name):
    assert list(uses(ast.parse(line), {"_parse"})) == [name]


@pytest.mark.parametrize("line", ["self._ours", "row._replace(a=1)", "os._exit(0)", "from service.a import _b"])
def test_what_is_ours_or_public_is_not(line):
    assert list(uses(ast.parse(line), {"_ours"})) == []
