"""`filterscope adopt` as it is called: what it writes, what it says, and what is seen of it meanwhile."""

import json
import resource
import shutil

import numpy as np
import pytest

from service.adopt import child, place
from service.adopt.asked import AdoptionOptions, Refused
from service.network.folders import read_folders
from service.settings import SHIPPED_MODELS
from tests.adopt import traits
from tests.commanding import filterscope


@pytest.fixture
def models(tmp_path):
    """A folder of models that has one of ours, and a network of someone else's beside it."""
    (tmp_path / "net.onnx").write_bytes(traits.nhwc().SerializeToString())
    shutil.copytree(SHIPPED_MODELS / "tiny", tmp_path / "models" / "tiny")
    return tmp_path / "models"


def seen(models):
    """The names and versions that a start or a reload would find; nothing may be wrong with them."""
    found = read_folders(models, "tiny")
    assert found.problems == []
    return [(files.folder.parent.name, files.folder.name) for files in found.models]


def test_a_network_is_adopted_again_as_a_further_version_and_taken_out(models, capsys):
    file = str(models.parent / "net.onnx")
    assert filterscope("adopt", file, "--name", "mine", "--models", str(models), "--labels", "a,b,c,d") == 0
    said = capsys.readouterr()
    assert f"adopted as {models}/mine/1; model=mine" in said.out
    assert "POST /v1/classify: works" in said.out
    assert "credited back to the picture with gates held still, and without them behind pool1, to " in said.out
    assert "POST /v1/explain?method=pixels: works" in said.out
    assert "POST /v1/explain?method=occlusion, rise: works" in said.out
    assert said.err.startswith("Warning: the file does not say which numbers it was trained on")

    assert filterscope("adopt", file, "--name", "mine", "--models", str(models), "--preset", "raw", "--json") == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["folder"], told["numbers"]["scale"]) == (f"{models}/mine/2", 255)
    # Measured finer than the ticks of a process whose CPU time is limited: what a call costs is known by it.
    assert all(cost > 0 for cost in told["cost"]["ms"].values())
    assert seen(models) == [("mine", "1"), ("mine", "2"), ("tiny", "1")]
    assert sorted(path.name for path in models.iterdir()) == ["mine", "tiny"]

    before = (models / "mine" / "1" / "passport.json").read_bytes()
    assert filterscope("adopt", file, "--name", "mine", "--version", "1", "--models", str(models)) == 1
    assert "is there already and is not overwritten" in capsys.readouterr().err
    assert (models / "mine" / "1" / "passport.json").read_bytes() == before

    for version, left in (("1", [("mine", "2"), ("tiny", "1")]), ("2", [("tiny", "1")])):
        assert filterscope("adopt", "--remove", "--name", "mine", "--version", version, "--models", str(models)) == 0
        assert seen(models) == left
    assert filterscope("adopt", "--remove", "--name", "tiny", "--version", "1", "--models", str(models)) == 1
    assert seen(models) == [("tiny", "1")]


@pytest.mark.parametrize(
    ("options", "said_of_it", "kept"),
    [
        (["--fit", "crop", "--short-side", "32"], "cut out of the middle of 32 pixels on its shorter side (bilinear)",
         {"fit": "crop", "short_side": 32, "filter": "bilinear"}),
        (["--fit", "letterbox", "--fill", "0.5", "--filter", "bicubic"], "laid whole on a ground of 0.5 (bicubic)",
         {"fit": "letterbox", "fill": 0.5, "filter": "bicubic"}),
    ],
)  # fmt: skip
def test_how_a_picture_is_brought_to_the_network_is_said_and_kept(models, capsys, options, said_of_it, kept):
    file = str(models.parent / "net.onnx")
    assert filterscope("adopt", file, "--name", "mine", "--models", str(models), *options) == 0
    assert f"a picture is {said_of_it}\n" in capsys.readouterr().out
    told = json.loads((models / "mine" / "1" / "passport.json").read_text())["input"]
    assert kept.items() <= told.items()


def test_a_file_that_is_refused_leaves_nothing_behind(models, capsys):
    file = models.parent / "net.onnx"
    file.write_bytes(file.read_bytes()[:500])
    assert filterscope("adopt", str(file), "--name", "mine", "--models", str(models)) == 1
    said = capsys.readouterr()
    assert said.err == f"Error: {file}: not an ONNX file, or one that is cut short (500 bytes): export it again\n"
    assert [path.name for path in models.iterdir()] == ["tiny"]


@pytest.mark.parametrize(
    "arguments",
    [
        ["--name", "a"],
        ["net.onnx", "--name", "a", "--size", "48"],
        ["net.onnx", "--name", "a", "--mean", "x"],
        ["net.onnx", "--name", "a", "--labels", "one"],
        ["net.onnx", "--name", "a", "--preset", "raw", "--scale", "1"],
        ["net.onnx", "--name", "a", "--fit", "squeeze"],
        ["net.onnx", "--name", "a", "--short-side", "256"],
        ["net.onnx", "--name", "a", "--fit", "crop", "--fill", "0.5"],
        ["net.onnx", "--name", "a", "--prepare", "digit", "--fit", "crop"],
        ["net.onnx", "--name", "a", "--remove"],
        ["net.onnx"],
    ],
)
def test_a_call_that_is_wrong_is_answered_with_its_usage(models, capsys, arguments):
    assert filterscope("adopt", *arguments, "--models", str(models)) == 2
    assert "Usage: filterscope adopt" in capsys.readouterr().err


@pytest.mark.parametrize("name", ["", "../up", ".hidden", "a/b", "1", "x" * 65, "a b"])
def test_a_name_that_is_none_is_refused_before_anything_is_opened(models, capsys, name):
    assert filterscope("adopt", "/nowhere.onnx", "--name", name, "--models", str(models)) == 1
    assert "--name" in capsys.readouterr().err


@pytest.mark.parametrize("has_version", [False, True])
def test_nothing_half_written_is_ever_seen(models, has_version):
    if has_version:
        shutil.copytree(models / "tiny", models / "mine")
        (models / "mine" / "1" / "passport.json").write_bytes(
            (models / "tiny" / "1" / "passport.json").read_bytes().replace(b'"tiny"', b'"mine"', 1)
        )
    before = seen(models)
    version = place.next_version(models, "mine")
    with place.made_aside(models, "mine", version) as folder:
        for file in ("model.onnx", "analysis.onnx", "passport.json"):
            assert seen(models) == before
            content = (models / "tiny" / "1" / file).read_bytes()
            content = content.replace(b'"tiny"', b'"mine"', 1).replace(
                b'"version": "1"', b'"version": "%b"' % version.encode()
            )
            (folder / file).write_bytes(content)
        assert seen(models) == before
        place.put(folder, models)
        assert seen(models) == sorted([*before, ("mine", version)])
    assert seen(models) == sorted([*before, ("mine", version)])
    assert not list(models.glob(".*"))


def test_a_child_that_takes_too_long_or_ends_is_told_of_in_one_line(models, monkeypatch):
    asked = AdoptionOptions(model=str(models.parent / "net.onnx"), folder="", name="mine", version="1")
    monkeypatch.setattr(child, "WALL_SECONDS", 0.05)
    with pytest.raises(Refused, match="took more than"):
        child.adopt(asked, models)
    for status, words in ((-24, "120 s of CPU"), (-11, "SIGSEGV"), (1, "nothing said")):
        ended = child.subprocess.CompletedProcess([], status, b"", b"nothing said")
        monkeypatch.setattr(child.subprocess, "run", lambda *_, ended=ended, **__: ended)
        with pytest.raises(Refused, match=words):
            child.adopt(asked, models)
    assert seen(models) == [("tiny", "1")]


def wide(filters, layers, side):
    """A network that is small as a file, and takes what its size asks for."""
    b = traits.Builder()
    maps = b.add("Tile", "x", b.constant(np.array([1, filters, 1, 1])))
    for _ in range(layers):
        maps = b.conv(maps, filters, filters, pads=[1, 1, 1, 1], group=1)
    told = b.dense(b.add("Flatten", b.add("GlobalAveragePool", maps)), traits.CLASSES, filters)
    return b.model(told, ("n", 1, side, side))


def adopted_by_a_child(models, model, monkeypatch, **limits):
    file = models.parent / "asks.onnx"
    file.write_bytes(model.SerializeToString())
    for name, limit in limits.items():
        monkeypatch.setattr(child, name, limit)
    started = resource.getrusage(resource.RUSAGE_CHILDREN)
    with pytest.raises(Refused) as refused:
        child.adopt(AdoptionOptions(model=str(file), folder="", name="asks", version="1"), models)
    ended = resource.getrusage(resource.RUSAGE_CHILDREN)
    assert seen(models) == [("tiny", "1")]
    assert not list(models.glob(".*"))
    return str(refused.value), ended.ru_utime + ended.ru_stime - started.ru_utime - started.ru_stime


def test_a_network_that_computes_too_long_is_ended_and_told_of(models, monkeypatch):
    reason, spent = adopted_by_a_child(models, wide(64, 40, 256), monkeypatch, CPU_SECONDS=4)
    assert "it took more than 4 s of CPU: a smaller network or --size is wanted" in reason
    assert 3 < spent < 8


def test_a_network_that_needs_too_much_memory_is_refused_or_ended_and_told_of(models, monkeypatch):
    # Maps of 1 GiB, of which two do not fit.
    reason, _ = adopted_by_a_child(models, wide(1024, 1, 512), monkeypatch, MEMORY_BYTES=3 << 29)
    assert "memory" in reason or "allocate" in reason or "MiB" in reason
    assert "\n" not in reason


def test_a_network_within_its_limits_is_adopted_by_the_same_child(models, monkeypatch):
    monkeypatch.setattr(child, "MEMORY_BYTES", 3 << 29)
    described = child.adopt(
        AdoptionOptions(model=str(models.parent / "net.onnx"), folder="", name="fits", version="1"), models
    )
    assert described["credit"]["exactness"]["image"] == "gates"
