"""`filterscope read` and `filterscope score --read`: what POST /v1/read answers of the same bytes."""

import json

import pytest

from tests.commanding import filterscope
from tests.drawing import draw_lines, encode


@pytest.fixture
def files(tmp_path):
    """Two pages as files, and one that is no picture."""
    for name, lines in (("a", ["471", "32"]), ("b", ["274"])):
        (tmp_path / f"{name}.png").write_bytes(encode(draw_lines(lines, 60)))
    (tmp_path / "c.png").write_bytes(b"no picture")
    return sorted(tmp_path.glob("*.png"))


def test_every_line_of_digits_is_printed(files, capsys):
    assert filterscope("read", str(files[0])) == 0
    assert capsys.readouterr().out == "471\n32\n"
    assert filterscope("read", *map(str, files)) == 3
    said = capsys.readouterr()
    assert said.out == f"{files[0]}: 471\n{files[0]}: 32\n{files[1]}: 274\n"
    assert said.err.startswith(f"{files[2]}: not a picture")


def test_json_is_the_answer_of_the_call_with_the_names(files, client, capsys):
    assert filterscope("read", "--json", "--sure", "0.99", "--length", "2-3", *map(str, files[:2])) == 0
    printed = json.loads(capsys.readouterr().out)
    for path, result in zip(files, printed["results"], strict=False):
        (wanted,) = client.post("/v1/read?sure=0.99&length=2-3", data=path.read_bytes()).json["results"]
        assert result == {"name": str(path)} | wanted


def test_a_length_that_is_none_is_told(files, capsys):
    assert filterscope("read", "--length", "many", str(files[0])) == 1
    assert "length must be" in capsys.readouterr().err


@pytest.mark.parametrize("form", ["parquet", "csv"])
def test_many_pictures_are_read_into_rows(files, client, tmp_path, form):
    parquet, table = pytest.importorskip("pyarrow.parquet"), pytest.importorskip("pyarrow.csv")
    out = tmp_path / "out"
    source = tmp_path / "in"
    source.mkdir()
    for path in files:
        path.rename(source / path.name)
    assert filterscope("score", "--read", "--format", form, "--workers", "1", str(source), str(out)) == 3
    (part,) = out.glob(f"part-*.{form}")
    rows = (parquet.read_table if form == "parquet" else table.read_csv)(part).to_pylist()
    for row in rows[:2]:
        (wanted,) = client.post("/v1/read", data=(source / row["name"]).read_bytes()).json["results"]
        assert (str(row["text"]), row["complete"]) == (wanted["text"], wanted["complete"])
        assert (row["digits"], row["unused_small"]) == (len(wanted["digits"]), wanted["unused"]["small"])
    assert rows[2]["error"].startswith("not a picture")
