"""Bad models of every kind: each is named by its folder, with a reason, in one line, and the others are served."""

import copy
import hashlib
import json
import os
import re
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from service.app import create_app
from service.lab.explain.methods import METHODS
from service.network.files import BadModel, ModelFiles, read_folder
from service.network.folders import read_folders
from service.network.sessions import Library, Network
from service.settings import SHIPPED_MODELS, Settings
from tests.drawing import draw, encode
from tests.networks import STRUCTURES, random_weights, write_model
from tests.server.test_worker import is_up, models_of, wait_for, workers_of
from tests.serving import COMMAND, ROOT, bare_environ, free_port, serving

TINY = SHIPPED_MODELS / "tiny" / "1"
VALUES = [
    None, True, 0, 1, -1, 7, 1.5, 10**30, "", "0", "conv1", "a\nb", "\u00e9", [], [0], [1, 2, 3], {}, {"a": 1}, [[[]]],
]  # fmt: skip


@pytest.fixture(scope="module")
def tiny():
    return read_folder(TINY)


# --- mutations of a passport and a report -------------------------------------------------------------------------


def places(node, path=()):
    """The path to everything within a JSON document."""
    if path:
        yield path
    children = node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ()
    for key, child in children:
        # Of long lists, such as a report's filters, the first few stand for all.
        if not isinstance(key, int) or key < 12:
            yield from places(child, (*path, key))


def mutate(document, random):
    """The same document with one to three places left out, doubled, or given another value."""
    document = copy.deepcopy(document)
    for _ in range(random.integers(1, 4)):
        every = list(places(document))
        if not every:
            break
        *way, last = every[random.integers(len(every))]
        node = document
        for step in way:
            node = node[step]
        match random.integers(5):
            case 0:
                del node[last]
            case 1 if isinstance(node, list):
                node.insert(last, copy.deepcopy(node[last]))
            case 2 if isinstance(node[last], int | float) and not isinstance(node[last], bool):
                node[last] += int(random.integers(-2, 3))
            case 3:
                other = every[random.integers(len(every))]
                value = document
                for step in other[:1]:
                    value = value[step] if step in value or isinstance(step, int) else None
                node[last] = copy.deepcopy(value)
            case _:
                node[last] = copy.deepcopy(VALUES[random.integers(len(VALUES))])
    return document


def spoil(text, random):
    """The bytes of a file cut short, emptied, changed here and there, or of something else."""
    data = bytearray(text)
    match random.integers(5):
        case 0:
            return bytes(data[: random.integers(len(data))])
        case 1:
            return b""
        case 2:
            return random.bytes(int(random.integers(1, 2000)))
        case 3:
            return b"[" * int(random.integers(90, 100_000))
    for _ in range(random.integers(1, 8)):
        data[random.integers(len(data))] = random.integers(256)
    return bytes(data)


def changed(files, **contents):
    """The same files with others in their place, by name with _ for the dot."""
    return ModelFiles(files.folder, files.contents | {name.replace("_", "."): text for name, text in contents.items()})


def answers(network):
    """The statuses of one call of every kind to a service of that network alone."""
    client = create_app(Settings(), Library([network], network.name)).test_client()
    name, picture = network.name, encode(draw(3))
    paths = ["/v1/models", f"/v1/models/{name}", f"/v1/models/{name}/report", "/readyz"]
    paths += [f"/v1/models/{name}/layers/{layer.name}/filters" for layer in network.passport.convolutions]
    paths += [f"/v2/models/{name}", f"/v2/models/{name}/config"]
    statuses = {path: client.get(path).status_code for path in paths}
    posts = ["/v1/classify", "/v1/feature-maps", *(f"/v1/explain?method={method}" for method in METHODS)]
    return statuses | {path: client.post(path, data=picture).status_code for path in posts}


def is_told(problem, folder):
    line = str(problem)
    return line.startswith(f"{folder}: ") and len(line) > len(f"{folder}: ") and "\n" not in line


def test_a_good_model_answers_every_call_but_that_for_a_cell_which_no_one_named(tiny):
    found = answers(Network(tiny))
    assert found.pop("/v1/explain?method=cell") == 422
    assert set(found.values()) == {200}


def check_mutant(files):
    """Whether it is refused; one that is taken must answer every call."""
    try:
        network = Network(files)
    except BadModel as problem:
        assert is_told(problem, files.folder), problem  # noqa: PT017
        return True
    assert max(answers(network).values()) < 500
    return False


def test_whatever_is_changed_in_a_passport_the_model_is_refused_by_its_folder_or_answers_every_call(tiny, proof):
    random = np.random.default_rng(3)
    passport = json.loads(tiny.content("passport.json"))
    refused = [
        check_mutant(changed(tiny, passport_json=json.dumps(mutate(passport, random)).encode()))
        for _ in range(3000 if proof else 150)
    ]
    assert 0 < sum(refused) < len(refused)


def test_whatever_is_changed_in_a_report_the_same_holds(tiny, proof):
    random = np.random.default_rng(4)
    report = json.loads(tiny.content("report.json"))
    for _ in range(500 if proof else 25):
        check_mutant(changed(tiny, report_json=json.dumps(mutate(report, random)).encode()))


def test_whatever_becomes_of_a_file_the_model_is_refused_by_its_folder_or_answers_every_call(tiny, proof):
    random = np.random.default_rng(5)
    passport = json.loads(tiny.content("passport.json"))
    for _ in range(400 if proof else 40):
        name = ["model.onnx", "analysis.onnx", "passport.json", "report.json"][random.integers(4)]
        spoilt = spoil(tiny.content(name), random)
        contents = {name: spoilt}
        if name in passport["files"]:
            digest = {"sha256": hashlib.sha256(spoilt).hexdigest(), "bytes": len(spoilt)}
            contents["passport.json"] = json.dumps(passport | {"files": passport["files"] | {name: digest}}).encode()
        check_mutant(ModelFiles(tiny.folder, tiny.contents | contents))


def test_files_of_two_models_are_no_model(tmp_path):
    structure = STRUCTURES["lecture"]
    one, other = (write_model(tmp_path / str(seed), "a", structure, random_weights(structure, seed)) for seed in (1, 2))
    passports = [json.loads((place / "passport.json").read_text()) for place in (one, other)]
    passports[0]["files"]["analysis.onnx"] = passports[1]["files"]["analysis.onnx"]
    (one / "passport.json").write_text(json.dumps(passports[0]))
    shutil.copy(other / "analysis.onnx", one / "analysis.onnx")
    with pytest.raises(BadModel, match=re.escape(f"{one}: model.onnx and analysis.onnx differ by ")):
        Network(one)


# --- folders that are wrong ---------------------------------------------------------------------------------------


def no_passport(place):
    (place / "passport.json").unlink()


def no_analysis(place):
    (place / "analysis.onnx").unlink()


def empty(place):
    for file in place.iterdir():
        file.unlink()


def not_json(place):
    (place / "passport.json").write_text("name: bad")


def another_input(place):
    passport = json.loads((place / "passport.json").read_text())
    (place / "passport.json").write_text(json.dumps(passport | {"input": {"shape": [3, 32, 32]}}))


def another_sha(place):
    with (place / "model.onnx").open("ab") as file:
        file.write(b"\n")


def another_version(place):
    place.rename(place.with_name("7"))


def no_number(place):
    place.rename(place.with_name("latest"))


def a_file_instead(place):
    shutil.rmtree(place)
    place.write_bytes(b"model")


def leads_nowhere(place):
    shutil.rmtree(place)
    place.symlink_to("gone")


def no_version(place):
    shutil.rmtree(place)


def one_level_up(place):
    for file in place.iterdir():
        file.rename(place.parent / file.name)
    place.rmdir()


def a_pipe_instead(place):
    (place / "model.onnx").unlink()
    os.mkfifo(place / "model.onnx")


def a_folder_instead(place):
    (place / "passport.json").unlink()
    (place / "passport.json").mkdir()


def unreadable(place):
    (place / "model.onnx").chmod(0)


def closed(place):
    place.parent.chmod(0)


WRONG = [
    no_passport, no_analysis, empty, not_json, another_input, another_sha, another_version, no_number, a_file_instead,
    leads_nowhere, no_version, one_level_up, a_pipe_instead, a_folder_instead, unreadable, closed,
]  # fmt: skip


@pytest.fixture
def models(tmp_path):
    """A folder of two good models, `tiny` and `bad`, which is good as yet."""
    folder = tmp_path / "models"
    shutil.copytree(TINY, folder / "tiny" / "1")
    structure = STRUCTURES["lecture"]
    write_model(folder, "bad", structure, random_weights(structure, 1))
    yield folder
    (folder / "bad").chmod(0o700)


@pytest.mark.parametrize("make_wrong", WRONG)
def test_a_wrong_folder_is_named_with_a_reason_and_the_others_are_served(models, make_wrong):
    assert read_folders(models, "bad").problems == []
    if make_wrong in {unreadable, closed} and os.geteuid() == 0:
        pytest.skip("root may read everything")
    make_wrong(models / "bad" / "1")
    found = read_folders(models, "tiny")
    (problem,) = found.problems
    assert is_told(problem, problem.folder)
    assert problem.folder.is_relative_to(models / "bad")
    assert [network.name for network in Library.open(found.models, "tiny").networks] == ["tiny"]
    with pytest.raises(BadModel, match=re.escape(str(models / "bad"))):
        read_folders(models, "bad")


@pytest.mark.parametrize(
    ("given", "told"),
    [
        (
            {"shape": [3, 32, 32]},
            "input.shape must be [1, 28, 28], a digit as the normaliser makes it; it says [3, 32, 32]",
        ),
        ({"shape": [28, 28]}, "input.shape must be [1, 28, 28], a digit as the normaliser makes it; it says [28, 28]"),
        ({"shape": ["n", 28, 28]}, "Expected `int`, got `str` - at `$.input.shape[0]`"),
        ([1, 28, 28], "Expected `object`, got `array` - at `$.input`"),
    ],
)
def test_a_passport_with_another_input_is_refused_with_the_shape_it_gives_and_the_one_wanted(models, given, told):
    place = models / "bad" / "1"
    passport = json.loads((place / "passport.json").read_text())
    (place / "passport.json").write_text(json.dumps(passport | {"input": given}))
    (problem,) = read_folders(models, "tiny").problems
    assert str(problem) == f"{place}: passport.json: {told}"


def test_what_is_no_model_is_left_alone(models):
    (models / "README.md").write_text("ours")
    (models / "tiny" / "notes.txt").write_text("good")
    (models / "lost+found").mkdir()
    (models / "tiny" / ".2").mkdir()
    (models / "..data").symlink_to(".")
    assert read_folders(models, "tiny").problems == []


def test_a_bad_newest_version_of_the_default_ends_the_start_and_a_bad_older_one_does_not(models):
    shutil.copytree(TINY, models / "tiny" / "2")
    with pytest.raises(BadModel, match="its passport says 'tiny' version '1'"):
        read_folders(models, "tiny")
    passport = json.loads((TINY / "passport.json").read_text())
    (models / "tiny" / "2" / "passport.json").write_text(json.dumps(passport | {"version": "2"}))
    no_passport(models / "tiny" / "1")
    assert [files.folder.name for files in read_folders(models, "tiny").models] == ["1", "2"]
    assert len(read_folders(models, "tiny").problems) == 1


# --- the real server ----------------------------------------------------------------------------------------------


def not_to_be_opened(place):
    """Make a model's files such that only onnxruntime can tell that they are wrong."""
    (place / "model.onnx").write_bytes(b"no model")
    passport = json.loads((place / "passport.json").read_text())
    passport["files"]["model.onnx"]["sha256"] = hashlib.sha256(b"no model").hexdigest()
    (place / "passport.json").write_text(json.dumps(passport))


def environ_of(models, default="tiny", **more):
    return {"FILTERSCOPE_MODELS": str(models), "FILTERSCOPE_DEFAULT_MODEL": default, "LOG_LEVEL": "warning"} | more


@pytest.mark.skipif(sys.platform == "win32", reason="gunicorn needs a POSIX system")
@pytest.mark.parametrize("arguments", [[], ["--check-config"]])
def test_a_default_model_that_no_worker_can_open_ends_the_start_without_a_traceback(models, arguments):
    not_to_be_opened(models / "bad" / "1")
    environ = bare_environ() | environ_of(models, "bad", PORT=str(free_port()), WORKERS="2")
    command = [sys.executable, "-m", "gunicorn", *COMMAND, *arguments]
    done = subprocess.run(command, cwd=ROOT, env=environ, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode != 0
    assert "Traceback" not in done.stderr
    told = [line for line in done.stderr.splitlines() if f"FILTERSCOPE_MODELS: {models}/bad/1: model.onnx: " in line]
    assert 1 <= len(told) <= (1 if arguments else 2)
    if arguments:
        assert done.stderr.splitlines() == told


@pytest.mark.skipif(sys.platform == "win32", reason="gunicorn needs a POSIX system")
@pytest.mark.parametrize("make_wrong", [no_passport, not_to_be_opened])
def test_the_others_are_served_and_a_reload_is_asked_about_every_model(models, tmp_path, make_wrong):
    make_wrong(models / "bad" / "1")
    log = tmp_path / "log"
    with log.open("wb") as file, serving(environ=environ_of(models), log=file) as (port, _):
        assert models_of(port) == ["tiny/1"]
        warnings = [line for line in log.read_text().splitlines() if f"not served: {models}/bad/1: " in line]
        assert len(warnings) == 1
        assert "Traceback" not in log.read_text()
        environ = bare_environ() | environ_of(models, PORT=str(port))
        command = [sys.executable, "-m", "gunicorn", *COMMAND, "--check-config"]
        asked = subprocess.run(command, cwd=ROOT, env=environ, capture_output=True, text=True, timeout=60, check=False)
        assert asked.returncode == 1
        assert f"critical service.app {models}/bad/1: " in asked.stderr


@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="reads /proc for the workers' numbers")
def test_a_model_that_was_bad_before_keeps_no_good_one_from_a_reload(models, tmp_path):
    no_passport(models / "bad" / "1")
    log = tmp_path / "log"
    with log.open("wb") as file, serving(environ=environ_of(models), log=file) as (port, process):
        shutil.copytree(TINY, models / "tiny" / ".2")
        passport = json.loads((TINY / "passport.json").read_text())
        (models / "tiny" / ".2" / "passport.json").write_text(json.dumps(passport | {"version": "2"}))
        (models / "tiny" / ".2").rename(models / "tiny" / "2")
        before = workers_of(process)
        process.send_signal(signal.SIGHUP)
        wait_for(lambda: not workers_of(process) & before and is_up(port))
        assert models_of(port) == ["tiny/1", "tiny/2"]
        (models / "tiny" / "3").mkdir()
        process.send_signal(signal.SIGHUP)
        wait_for(lambda: "not reloaded" in log.read_text())
        assert f"{models}/tiny/3: passport.json: No such file" in log.read_text()
        assert models_of(port) == ["tiny/1", "tiny/2"]
