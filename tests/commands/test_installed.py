"""The wheel in an environment of its own, used from a folder that knows nothing of the checkout."""

import json
import os
import re
import shutil
import subprocess
import sys
import tomllib
import urllib.request
import zipfile
from pathlib import Path

import pytest

from service import __version__
from service.settings import PREFIX
from tests import wheels
from tests.serving import ROOT, bare_environ, free_port, wait_until_ready

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
EXTRAS = sorted(PROJECT["optional-dependencies"])


@pytest.fixture(scope="module")
def programs(wheel, tmp_path_factory, proof):
    """The wheel installed: what it needs comes from the registry when all is proved, else from the tests' own."""
    folder = tmp_path_factory.mktemp("installed") / "environment"
    if proof:
        return wheels.installed(folder, f"{wheel}[score]")
    found = wheels.unpacked(folder, wheel)
    wheels.lend(folder, *PROJECT["dependencies"], *PROJECT["optional-dependencies"]["score"])
    return found


@pytest.fixture
def run(programs, tmp_path):
    """Run `filterscope` in an empty folder."""

    def filterscope(*arguments, **options):
        command = [programs / "filterscope", *arguments]
        return subprocess.run(
            command, cwd=tmp_path, env=bare_environ(), capture_output=True, text=True, check=False, **options
        )

    return filterscope


def test_the_wheel_has_all_that_serves_and_nothing_else(wheel):
    names = {name for name in zipfile.ZipFile(wheel).namelist() if ".dist-info/" not in name}
    listed = subprocess.run(
        ["git", "ls-files", "service", "models"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    if listed.returncode:
        pytest.skip("not a checkout")
    kept = [
        name for name in listed.stdout.splitlines() if (ROOT / name).is_file() and Path(name).parent.name != "models"
    ]
    wanted = {name if name.startswith("service/") else f"service/{name}" for name in kept}
    assert wanted - names == set()
    assert {name.partition("/")[0] for name in names} == {"service"}
    assert "service/gunicorn.conf.py" in names


def test_the_wheel_says_what_it_is(wheel):
    assert wheel.name == f"filterscope-{__version__}-py3-none-any.whl"
    with zipfile.ZipFile(wheel) as archive:
        (metadata,) = (name for name in archive.namelist() if name.endswith("/METADATA"))
        text = archive.read(metadata).decode()
    assert sorted(re.findall(r"^Provides-Extra: (.*)$", text, re.MULTILINE)) == EXTRAS
    assert "License-Expression: Apache-2.0" in text


def test_it_classifies_from_any_folder(run):
    picture = ROOT / "tests" / "three.png"
    done = run("classify", str(picture))
    assert (done.returncode, done.stdout) == (0, f"3  {picture}\n"), done.stderr
    assert run("--version").stdout == f"filterscope {__version__}\n"


def test_it_scores_from_any_folder(run, tmp_path, proof):
    if not proof:
        pytest.skip("make proof scores with the wheel; tests/batch does with the checkout")
    (tmp_path / "pictures").mkdir()
    shutil.copy(ROOT / "tests" / "three.png", tmp_path / "pictures")
    done = run("score", "pictures", "results", "--format", "csv", "--workers", "1")
    assert done.returncode == 0, done.stderr
    assert '0,"three.png",3,' in (tmp_path / "results" / "part-000000.csv").read_text()


def test_it_serves_from_any_folder(programs, tmp_path):
    port = free_port()
    # Files of the caller's that must not stand in for the service's packages.
    for name in ("service.py", "gunicorn.py"):
        (tmp_path / name).write_text("raise SystemExit('the file of the caller was run')")
    command = [programs / "filterscope", "serve", "--port", str(port), "--workers", "1"]
    process = subprocess.Popen(command, cwd=tmp_path, env=bare_environ(), stderr=subprocess.DEVNULL)
    try:
        wait_until_ready(port, process)
        picture = (ROOT / "tests" / "three.png").read_bytes()
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/v1/classify", data=picture) as answer:
            assert json.load(answer)["results"][0]["digit"] == 3
        for path in ("/", "/docs", "/openapi.json"):
            with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}") as answer:
                assert answer.status == 200
    finally:
        process.terminate()
        process.wait(30)


def test_what_the_server_takes_beside_its_options_goes_to_gunicorn(run, proof):
    if not proof:
        pytest.skip("make proof starts it with gunicorn's own options")
    done = run("serve", "--workers", "1", "--check-config")
    assert (done.returncode, done.stdout) == (0, ""), done.stderr
    assert run("serve", "--port", "0").returncode == 2


@pytest.mark.parametrize("extra", EXTRAS)
def test_every_extra_resolves(wheel, extra, proof, tmp_path):
    if not proof:
        pytest.skip("make proof asks the registry for the extras")
    environ = {name: value for name, value in os.environ.items() if not name.startswith(PREFIX)}
    command = [
        sys.executable,
        "-m",
        "pip",
        "install",
        "--dry-run",
        "--quiet",
        "--target",
        tmp_path,
        f"{wheel}[{extra}]",
    ]
    subprocess.run(command, env=environ, check=True)
