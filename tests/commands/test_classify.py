"""`filterscope classify`: what POST /v1/classify answers of the same bytes, as lines, JSON or CSV."""

import csv
import io
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from service.commands.main import main
from service.commands.options import UNUSABLE
from service.pictures.codec import encode_png
from service.settings import SHIPPED_MODELS
from tests.commanding import filterscope
from tests.serving import ROOT, bare_environ

THREE = ROOT / "tests" / "three.png"
# Every command that takes pictures as files.
READERS = sorted(name for name, each in main.commands.items() if any(one.name == "files" for one in each.params))
FORMS = [(name, []) for name in READERS] + [
    (name, [form])
    for name in READERS
    for form in ("--json", "--csv")
    if any(form in one.opts for one in main.commands[name].params)
]


@pytest.fixture
def files(tmp_path):
    """Drawings as files, by name."""
    random = np.random.default_rng(4)
    for index in range(4):
        (tmp_path / f"{index}.png").write_bytes(encode_png(random.integers(0, 256, (28, 28)).astype(np.uint8)))
    return [THREE, *sorted(tmp_path.glob("*.png"))]


def test_a_line_has_the_digit_and_the_name(files, client, capsys):
    assert filterscope("classify", *map(str, files)) == 0
    answers = [client.post("/v1/classify", data=path.read_bytes()).json["results"][0] for path in files]
    said = capsys.readouterr()
    assert said.out.splitlines() == [f"{one['digit']}  {path}" for one, path in zip(answers, files, strict=True)]
    unlike = [str(path) for one, path in zip(answers, files, strict=True) if not one["is_digit"]]
    assert [line.partition(": is unlike any digit")[0] for line in said.err.splitlines()] == unlike
    assert unlike


@pytest.mark.parametrize("command", READERS)
def test_names_of_any_characters_are_on_one_line_of_what_a_terminal_may_show(capsys, tmp_path, command):
    names = [tmp_path / f"a{chr(code)}b.png" for code in (*range(1, 32), 127, 0x9B, 0x85, 0x2028, 0x202E) if code != 47]
    for name in names:
        name.write_bytes(THREE.read_bytes())
    names.append(tmp_path / "none\n3  some.png")
    assert filterscope(command, *map(str, names)) == UNUSABLE
    said = capsys.readouterr()
    lines = said.out.splitlines() + said.err.splitlines()
    assert len(lines) == len(names)
    assert all(line.isprintable() for line in lines)


@pytest.mark.parametrize("command", READERS)
def test_a_file_without_end_is_read_as_far_as_a_request_may_be_long(capsys, monkeypatch, command):
    monkeypatch.setenv("FILTERSCOPE_MAX_BODY_BYTES", "200000")
    assert filterscope(command, "/dev/zero", str(THREE)) == UNUSABLE
    assert capsys.readouterr().err == "/dev/zero: a picture file may have 200000 bytes, this has more\n"


@pytest.mark.parametrize("options", [[], ["--model", "tiny"], ["--prepare", "none", "--model", "lecture"]])
def test_json_is_the_answer_of_the_call_with_the_names(files, client, capsys, options):
    pictures = files if "none" not in options else files[1:]
    assert filterscope("classify", "--json", *options, *map(str, pictures)) == 0
    printed = json.loads(capsys.readouterr().out)
    query = dict(zip((name.removeprefix("--") for name in options[::2]), options[1::2], strict=True))
    for path, result in zip(pictures, printed["results"], strict=True):
        answer = client.post("/v1/classify", data=path.read_bytes(), query_string=query).json
        (wanted,) = answer["results"]
        assert result == {"name": str(path)} | wanted
        assert list(result) == ["name", *wanted]
        assert {name: printed[name] for name in ("model", "version", "sha256")}.items() <= answer.items()


def test_a_table_has_a_row_for_each_file_also_for_those_that_cannot_be_used(files, capsys, tmp_path):
    bad = [str(tmp_path / "none.png"), str(ROOT / "LICENSE"), str(tmp_path)]
    assert filterscope("classify", "--csv", *bad, *map(str, files)) == UNUSABLE
    said = capsys.readouterr()
    rows = list(csv.DictReader(io.StringIO(said.out)))
    assert [row["name"] for row in rows] == [*bad, *map(str, files)]
    assert [bool(row["error"]) for row in rows] == [True] * 3 + [False] * 5
    assert [line for line in said.err.splitlines() if "unlike" not in line] == [
        f"{row['name']}: {row['error']}" for row in rows[:3]
    ]
    for row in rows[3:]:
        probabilities = [float(row[f"probability_{index}"]) for index in range(10)]
        assert float(row["confidence"]) == max(probabilities) == probabilities[int(row["digit"])]
        assert row["is_digit"] in {"true", "false"}


@pytest.mark.parametrize(("reader", "form"), FORMS)
def test_a_name_may_be_any_bytes(tmp_path, reader, form):
    names = [b"\xff.png", b'a,"b\nc.png', "ä.png".encode()]
    for name in names:
        Path(os.fsdecode(bytes(tmp_path) + b"/" + name)).write_bytes(THREE.read_bytes())
    command = [sys.executable, "-m", "service", reader, *form, *(bytes(tmp_path) + b"/" + name for name in names)]
    environ = bare_environ() | {"PYTHONUTF8": "1", "PYTHONIOENCODING": "utf-8:strict"}
    done = subprocess.run(command, cwd=ROOT, env=environ, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.decode().count("ä.png") == 1


def test_more_files_than_are_read_in_a_turn_keep_their_order(monkeypatch, files, capsys):
    monkeypatch.setattr("service.batch.digits.FILES_PER_TURN", 2)
    filterscope("classify", *map(str, files[::-1]))
    in_turns = capsys.readouterr().out
    monkeypatch.undo()
    filterscope("classify", *map(str, files[::-1]))
    assert in_turns == capsys.readouterr().out != ""


def test_a_picture_may_come_by_standard_input():
    command = [sys.executable, "-m", "service", "classify", "-"]
    done = subprocess.run(
        command, cwd=ROOT, input=THREE.read_bytes(), env=bare_environ(), capture_output=True, check=True
    )
    assert done.stdout == b"3  -\n"


def test_what_is_wrong_with_the_models_is_one_line(capsys, monkeypatch, tmp_path):
    for options in (["--models", str(tmp_path)], ["--model", "nine"]):
        assert filterscope("classify", *options, str(THREE)) == 1
        assert capsys.readouterr().err.count("\n") == 1
    monkeypatch.setenv("FILTERSCOPE_MAX_BATCH", "many")
    assert filterscope("classify", str(THREE)) == 1
    assert capsys.readouterr().err.startswith("Error: FILTERSCOPE_MAX_BATCH: ")


def test_neither_classifying_nor_help_waits_for_flask():
    for arguments, absent in (
        (["--help"], {"flask", "numpy", "onnxruntime"}),
        (["classify", str(THREE)], {"flask", "pyarrow"}),
    ):
        code = (
            "import sys\nfrom service.commands.main import main\ntry:\n    main(sys.argv[1:])\n"
            f"except SystemExit:\n    print(sorted({absent} & set(sys.modules)))"
        )
        command = [sys.executable, "-c", code, *arguments]
        done = subprocess.run(command, cwd=ROOT, env=bare_environ(), capture_output=True, text=True, check=True)
        assert done.stdout.splitlines()[-1] == "[]"


def test_the_shipped_models_are_used_where_the_folder_has_none_of_its_own(monkeypatch, tmp_path):
    from service.settings import Settings

    monkeypatch.chdir(tmp_path)
    assert Settings.from_environ({}).models == str(SHIPPED_MODELS)
    (tmp_path / "models" / "blog" / "1").mkdir(parents=True)
    assert Settings.from_environ({}).models == str(SHIPPED_MODELS)
    (tmp_path / "models" / "blog" / "1" / "passport.json").touch()
    assert Settings.from_environ({}).models == str(tmp_path / "models")
    assert Settings.from_environ({"FILTERSCOPE_MODELS": "elsewhere"}).models == "elsewhere"


WATCH = """
import os, runpy, sys
found = []
sys.addaudithook(lambda event, args: event == "import" and args[0] == "numpy" and not found
                 and found.append(os.environ.get("OPENBLAS_NUM_THREADS")))
sys.argv[:] = sys.argv[1:]
try:
    runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)
except SystemExit:
    print(found)
"""


@pytest.mark.parametrize(
    "arguments",
    [["gunicorn", "--config", "deploy/gunicorn.conf.py", "--check-config"], ["service", "classify", str(THREE)]],
)
def test_every_process_that_reads_pictures_keeps_numpy_to_one_thread(arguments):
    environ = {name: value for name, value in bare_environ().items() if name != "OPENBLAS_NUM_THREADS"}
    command = [sys.executable, "-c", WATCH, *arguments]
    done = subprocess.run(command, cwd=ROOT, env=environ, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "['1']", done.stderr
