"""`filterscope score`: the numbers of POST /v1/classify from every kind of source, whatever interrupts it."""

import csv
import gzip
import io
import os
import signal
import subprocess
import sys
import tarfile
import time
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image, ImageDraw

from service.adopt.adoption import make_model
from service.adopt.asked import AdoptionOptions
from service.app import create_app
from service.commands.options import UNUSABLE
from service.settings import Settings
from tests.adopt import traits
from tests.commanding import filterscope

ROOT = Path(__file__).resolve().parents[2]


def drawing(random, kind):
    """The bytes of a few strokes, in one of the formats."""
    side = int(random.integers(28, 120))
    image = Image.new("RGB", (side, side), "white")
    points = [tuple(point) for point in random.uniform(side * 0.2, side * 0.8, (4, 2))]
    ImageDraw.Draw(image).line(points, fill="black", width=max(2, side // 12))
    out = io.BytesIO()
    image.save(out, kind)
    return out.getvalue()


@pytest.fixture(scope="module")
def pictures():
    """Pictures by name, among them some that cannot be used; the names are in the order of the results."""
    random = np.random.default_rng(5)
    found = {f"a/{index:03d}.{kind.lower()}": drawing(random, kind)
             for index, kind in enumerate(["PNG", "JPEG", "GIF", "BMP", "WEBP"] * 8)}  # fmt: skip
    blank = io.BytesIO()
    Image.new("L", (28, 28), 255).save(blank, "PNG")
    found |= {"b/blank.png": blank.getvalue(), "b/cut.png": found["a/000.png"][:40], "b/empty.png": b"",
              "b/words.txt": b"not a picture", "ä.png": found["a/005.png"]}  # fmt: skip
    return found


def write_tar(path, pictures):
    with tarfile.open(path, "w") as archive:
        for name, content in pictures.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))


def write_folder(folder, pictures):
    for name, content in pictures.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)


@pytest.fixture(scope="module")
def sources(pictures, tmp_path_factory):
    """The same pictures in every form a job takes."""
    base = tmp_path_factory.mktemp("sources")
    write_folder(base / "folder", pictures)
    write_tar(base / "pictures.tar", pictures)
    (base / "pictures.tar.gz").write_bytes(gzip.compress((base / "pictures.tar").read_bytes()))
    contents, names = list(pictures.values()), list(pictures)
    pq.write_table(pa.table({"label": range(len(names)), "image": contents}), base / "bytes.parquet", row_group_size=17)
    structs = [{"bytes": content, "path": name} for name, content in pictures.items()]
    pq.write_table(pa.table({"image": structs}), base / "structs.parquet")
    pq.write_table(pa.table({"path": [f"folder/{name}" for name in names]}), base / "paths.parquet")
    return base


FORMS = ("folder", "pictures.tar", "pictures.tar.gz", "bytes.parquet", "structs.parquet", "paths.parquet")


def score(source, out, *options):
    return filterscope("score", str(source), str(out), "--workers", "1", "--batch", "8", *options)


def answers(client, pictures, query=""):
    return [client.post(f"/v1/classify{query}", data=content, content_type="image/png") for content in pictures]


@pytest.mark.parametrize("form", FORMS)
def test_every_form_has_the_numbers_of_a_post(client, pictures, sources, tmp_path, form):
    assert score(sources / form, tmp_path / "out") == UNUSABLE
    rows = pq.read_table(tmp_path / "out").to_pylist()
    assert [row["index"] for row in rows] == list(range(len(pictures)))
    if form != "bytes.parquet":
        assert [row["name"].removeprefix("folder/") for row in rows] == list(pictures)
    bad = 0
    for row, answer in zip(rows, answers(client, pictures.values()), strict=True):
        assert (row["model"], row["version"]) == ("digits", "1")
        if answer.status_code != 200:
            bad += 1
            assert row["error"]
            assert {row[name] for name in ("digit", "confidence", "probabilities", "novelty", "is_digit")} == {None}
            continue
        (result,) = answer.json["results"]
        assert row["error"] is None
        assert (row["digit"], row["is_digit"]) == (result["digit"], result["is_digit"])
        for name in ("confidence", "probabilities", "novelty"):
            assert np.array_equal(np.float32(row[name]), np.float32(result[name])), name
    assert bad == 4


@pytest.mark.parametrize("form", FORMS)
def test_of_a_picture_longer_than_a_request_may_be_no_more_is_read(pictures, sources, tmp_path, monkeypatch, form):
    most = sorted(map(len, pictures.values()))[-3]
    monkeypatch.setenv("FILTERSCOPE_MAX_BODY_BYTES", str(most))
    assert score(sources / form, tmp_path / "out") == UNUSABLE
    for row, content in zip(pq.read_table(tmp_path / "out").to_pylist(), pictures.values(), strict=True):
        assert ("bytes, this has more" in (row["error"] or "")) == (len(content) > most)


def test_a_pipe_or_a_device_in_a_folder_is_a_picture_that_cannot_be_used(tmp_path):
    folder = tmp_path / "folder"
    write_folder(folder, {"3.png": (ROOT / "tests" / "three.png").read_bytes()})
    os.mkfifo(folder / "pipe.png")
    (folder / "zero.png").symlink_to("/dev/zero")
    assert score(folder, tmp_path / "out") == UNUSABLE
    rows = pq.read_table(tmp_path / "out").to_pylist()
    assert [(row["name"], row["digit"]) for row in rows] == [("3.png", 3), ("pipe.png", None), ("zero.png", None)]
    assert all("no file but a pipe" in row["error"] for row in rows[1:])


def test_prepare_none_and_another_model_are_those_of_a_post(client, pictures, sources, tmp_path):
    assert score(sources / "folder", tmp_path / "out", "--prepare", "none", "--model", "tiny") == UNUSABLE
    rows = pq.read_table(tmp_path / "out").to_pylist()
    for row, answer in zip(rows, answers(client, pictures.values(), "?prepare=none&model=tiny"), strict=True):
        assert row["model"] == "tiny"
        assert (row["error"] is None) == (answer.status_code == 200)
        if answer.status_code == 200:
            assert np.array_equal(
                np.float32(row["probabilities"]), np.float32(answer.json["results"][0]["probabilities"])
            )


def contents(out):
    return {path.name: path.read_bytes() for path in out.iterdir()}


@pytest.mark.parametrize("form", ["folder", "pictures.tar.gz", "bytes.parquet"])
def test_a_second_run_does_only_what_is_missing(sources, tmp_path, capsys, form):
    out = tmp_path / "out"
    assert score(sources / form, out) == UNUSABLE
    whole = contents(out)
    kept = out / "part-000000.parquet"
    changed = kept.stat().st_mtime_ns
    missing = out / "part-000002.parquet"
    left = 45 - pq.read_metadata(missing).num_rows
    missing.unlink()
    (out / ".part-000003.parquet.0.unfinished").write_bytes(b"half")
    capsys.readouterr()
    assert score(sources / form, out) == UNUSABLE
    assert contents(out) == whole
    assert kept.stat().st_mtime_ns == changed
    assert "45 pictures" in (said := capsys.readouterr().out)
    assert f"{left} of them from before" in said


def test_a_job_that_is_killed_goes_on_to_the_same_bytes(tmp_path):
    random = np.random.default_rng(6)
    pictures = {f"{index:05d}.png": drawing(random, "PNG") for index in range(500)}
    write_tar(tmp_path / "many.tar", pictures)
    command = [sys.executable, "-m", "service", "score", str(tmp_path / "many.tar")]
    options = ["--batch", "5", "--workers", "2"]
    cut, whole = tmp_path / "cut", tmp_path / "whole"
    run = subprocess.Popen([*command, str(cut), *options], cwd=ROOT, stderr=subprocess.DEVNULL, start_new_session=True)
    while not list(cut.glob("part-*")):
        assert run.poll() is None
        time.sleep(0.01)
    os.killpg(run.pid, signal.SIGKILL)
    run.wait()
    assert 0 < len(list(cut.glob("part-*"))) < 100
    for out in (cut, whole):
        subprocess.run([*command, str(out), *options], cwd=ROOT, check=True, capture_output=True)
    assert contents(cut) == contents(whole)


def test_the_table_of_values_has_the_numbers_of_parquet(sources, tmp_path):
    assert score(sources / "folder", tmp_path / "parquet") == UNUSABLE
    assert score(sources / "folder", tmp_path / "csv", "--format", "csv") == UNUSABLE
    kept = pq.read_table(tmp_path / "parquet").to_pylist()
    rows = [
        row for path in sorted((tmp_path / "csv").glob("part-*.csv")) for row in csv.DictReader(path.open(newline=""))
    ]
    assert len(rows) == len(kept)
    for row, whole in zip(rows, kept, strict=True):
        probabilities = [row.pop(f"probability_{index}") for index in range(10)]
        for name in ("confidence", "novelty"):
            assert (np.float32(row[name]) if row[name] else None) == whole[name], name
        wanted = whole["probabilities"] or []
        assert [np.float32(each) for each in probabilities if each] == wanted
        for name in ("index", "name", "digit", "is_digit", "model", "version", "error"):
            assert row[name] == (
                "" if whole[name] is None else str(whole[name]).lower() if name == "is_digit" else str(whole[name])
            )
    assert (tmp_path / "csv" / "_unusable.csv").read_bytes() == (tmp_path / "parquet" / "_unusable.csv").read_bytes()


@pytest.mark.parametrize("form", ["csv", "parquet"])
def test_what_cannot_be_used_is_listed_with_its_reason(sources, tmp_path, capsys, form):
    out = tmp_path / "out"
    assert score(sources / "pictures.tar", out, "--format", form) == UNUSABLE
    listed = list(csv.DictReader((out / "_unusable.csv").open(newline="")))
    assert [row["name"] for row in listed] == ["b/blank.png", "b/cut.png", "b/empty.png", "b/words.txt"]
    said = capsys.readouterr().err
    for row in listed:
        assert f"{row['name']}: {row['error']}\n" in said
    assert score(sources / "pictures.tar", out, "--format", form) == UNUSABLE, "also where nothing is left to do"


def test_where_every_picture_can_be_used_nothing_is_listed(tmp_path):
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "one.png").write_bytes((ROOT / "tests" / "three.png").read_bytes())
    assert score(tmp_path / "in", tmp_path / "out") == 0
    assert {path.name for path in (tmp_path / "out").iterdir()} == {"_job.json", "_SUCCESS", "part-000000.parquet"}


@pytest.mark.parametrize(("number", "is_for_all"), [(signal.SIGINT, True), (signal.SIGTERM, False)])
def test_a_signal_ends_a_job_without_a_traceback(tmp_path, proof, number, is_for_all):
    if number == signal.SIGTERM and not proof:
        pytest.skip("make proof tries the second signal as well")
    picture = (ROOT / "tests" / "three.png").read_bytes()
    write_tar(tmp_path / "many.tar", {f"{index:05d}.png": picture for index in range(3000)})
    command = [sys.executable, "-m", "service", "score", str(tmp_path / "many.tar"), str(tmp_path / "out")]
    run = subprocess.Popen(
        [*command, "--batch", "1", "--workers", "2"],
        cwd=ROOT,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    while not list(tmp_path.glob("out/part-*")):
        assert run.poll() is None
        time.sleep(0.01)
    # A terminal sends Ctrl-C to all processes of a job; a supervisor tells the first one to end.
    (os.killpg if is_for_all else os.kill)(run.pid, number)
    said = run.communicate(timeout=60)[1]
    assert run.returncode == 128 + number, said
    assert "Traceback" not in said
    assert "leaked" not in said
    assert said.splitlines()[-2:] == ["The same command goes on from here.", "Stopped."]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--model", "nine"], "nine"),
        (["--batch", "9"], "its batch was 8, now 9"),
        (["--prepare", "none"], "its prepare was auto, now none"),
    ],
)
def test_what_cannot_be_done_is_one_line(sources, tmp_path, capsys, arguments, said):
    out = tmp_path / "out"
    assert score(sources / "pictures.tar", out) == UNUSABLE
    capsys.readouterr()
    assert score(sources / "pictures.tar", out, *arguments) == 1
    line = capsys.readouterr().err
    assert said in line
    assert line.count("\n") == 1


def test_another_source_and_a_folder_of_other_things_are_refused(sources, tmp_path, capsys):
    (tmp_path / "mine.txt").write_text("mine")
    assert score(sources / "folder", tmp_path) == 1
    assert "is not empty" in capsys.readouterr().err
    assert score(sources / "absent", tmp_path / "out") == 1
    assert score(Path(__file__), tmp_path / "out") == 1
    assert score(sources / "bytes.parquet", tmp_path / "out", "--column", "nine") == 1
    assert "there is: label, image" in capsys.readouterr().err


def test_a_gzipped_tar_that_is_cut_short_says_where(sources, tmp_path, capsys):
    cut = tmp_path / "cut.tar.gz"
    whole = (sources / "pictures.tar.gz").read_bytes()
    cut.write_bytes(whole[: len(whole) // 2])
    assert score(cut, tmp_path / "out") == 1
    assert "cut short after" in capsys.readouterr().err


@pytest.mark.parametrize(("package", "extra"), [("pyarrow", "score"), ("tqdm", "score"), ("ray", "cluster")])
def test_a_missing_package_is_one_line_that_names_the_extra(sources, tmp_path, package, extra):
    code = f"import sys; sys.modules[{package!r}] = None; from service.commands.main import main; main()"
    command = [sys.executable, "-c", code, "score", str(sources / "folder"), str(tmp_path / "out"), "--engine", "ray"]
    run = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert run.returncode == 1
    assert run.stderr.splitlines()[-1].startswith(f"Error: {package} is missing; the extra [{extra}]")
    assert f"{sys.executable} -m pip install " in run.stderr.splitlines()[-1]
    assert "Traceback" not in run.stderr


def test_scoring_imports_neither_flask_nor_torch():
    code = "import service.batch.job, sys; assert not {'flask', 'torch', 'ray'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True)


# --- networks of someone else's ------------------------------------------------------------------------------------


@pytest.mark.parametrize(("name", "make"), [("few", traits.colour), ("many", traits.many_classes)])
def test_an_adopted_network_scores_labels_and_indices_as_the_service_answers_them(tmp_path, pictures, name, make):
    folder = tmp_path / "models" / name / "1"
    folder.mkdir(parents=True)
    (tmp_path / "net.onnx").write_bytes(make().SerializeToString())
    count = traits.MANY if name == "many" else traits.CLASSES
    labels = tuple(f"kind {index}" for index in range(count))
    make_model(
        AdoptionOptions(model=str(tmp_path / "net.onnx"), folder=str(folder), name=name, version="1", labels=labels)
    )
    chosen = dict(list(pictures.items())[:12]) | {key: pictures[key] for key in ("b/cut.png", "b/words.txt")}
    write_folder(tmp_path / "pictures", chosen)
    options = ["--models", str(tmp_path / "models"), "--model", name]
    assert score(tmp_path / "pictures", tmp_path / "out", *options) == UNUSABLE
    parts = sorted((tmp_path / "out").glob("part-*"))
    rows = pa.concat_tables([pq.read_table(part) for part in parts]).to_pylist()
    client = create_app(Settings(models=str(tmp_path / "models"), default_model=name)).test_client()
    for row, content in zip(rows, chosen.values(), strict=True):
        answer = client.post("/v1/classify?full=true", data=content, content_type="image/png")
        if answer.status_code != 200:
            assert row["error"]
            assert row["class"] is row["label"] is row["confidence"] is None
            continue
        (result,) = answer.json["results"]
        assert (row["label"], row["class"]) == (result["label"], result["class"])
        assert row["confidence"] == np.float32(result["confidence"])
        assert ("probabilities" in row) == (name == "few")
        if name == "few":
            np.testing.assert_array_equal(np.float32(row["probabilities"]), np.float32(result["probabilities"]))
    if name == "many":
        assert max(row["class"] for row in rows if row["class"] is not None) > 127  # more than 8 bits have
    assert score(tmp_path / "pictures", tmp_path / "csv", *options, "--format", "csv") == UNUSABLE
    with next((tmp_path / "csv").glob("part-*.csv")).open() as file:
        first = next(csv.DictReader(file))
    assert (first["label"], int(first["class"])) == (rows[0]["label"], rows[0]["class"])
    assert ("probability_3" in first) == (name == "few")
