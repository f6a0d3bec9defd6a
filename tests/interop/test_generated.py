"""
Clients that other people's generators make from the contract: generated, type-checked strictly or compiled, and used.

Each program (in clients/) posts a file, asks for maps as JSON and as npz, applies filters, explains and edits. The
generators of Python are in an environment of their own, those of TypeScript in .venv-node: `make interop` makes both.
"""

import json
import os
import shutil
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest

from tests.drawing import draw, encode
from tests.serving import ROOT

PROGRAMS = Path(__file__).parent / "clients"
NODE = ROOT / ".venv-node" / "node_modules"
PYTHON_TOOLS = Path(sys.executable).parent
SAYS = ["classify 3", "feature-maps 2", "npz 80", "apply-filters 2", "explain 10"]
TYPESCRIPT = {
    "strict": True, "target": "es2022", "module": "nodenext",
    "moduleResolution": "nodenext", "lib": ["es2022", "dom", "dom.iterable"], "types": ["node"], "outDir": "out",
}  # fmt: skip


def run(*command, folder):
    """What a command wrote; it must succeed."""
    environ = os.environ | {"PATH": f"{PYTHON_TOOLS}:{os.environ['PATH']}"}
    done = subprocess.run(command, cwd=folder, env=environ, capture_output=True, text=True, timeout=600, check=False)
    assert done.returncode == 0, (done.stdout + done.stderr)[-4000:]
    return done.stdout


@pytest.fixture(scope="module")
def contract(address, tmp_path_factory):
    """The contract as the service gives it, in a file."""
    with urllib.request.urlopen(f"http://{address}/openapi.json", timeout=30) as response:
        document = json.load(response)
    file = tmp_path_factory.mktemp("contract") / "openapi.json"
    file.write_text(json.dumps(document), encoding="utf-8")
    return file


@pytest.fixture(scope="module")
def picture(tmp_path_factory):
    file = tmp_path_factory.mktemp("picture") / "3.png"
    file.write_bytes(encode(draw(3)))
    return file


@pytest.fixture
def node(tmp_path):
    """A folder for a program in TypeScript; node(name) is the command of an installed tool."""
    if shutil.which("node") is None or not NODE.exists():
        pytest.skip("Node.js or .venv-node is absent: make interop installs the packages where there is npm")
    (tmp_path / "node_modules").symlink_to(NODE)
    (tmp_path / "package.json").write_text('{"type": "module"}', encoding="utf-8")
    (tmp_path / "tsconfig.json").write_text(
        json.dumps({"compilerOptions": TYPESCRIPT, "include": ["**/*.ts"], "exclude": ["node_modules"]}),
        encoding="utf-8",
    )
    return lambda name: str(NODE / ".bin" / name)


def says(text):
    """The program used every call; the digit of an edited network is its own affair."""
    lines = text.splitlines()
    assert lines[:-1] == SAYS
    assert lines[-1].startswith("what-if ")


def test_openapi_typescript_with_openapi_fetch(node, contract, picture, address, tmp_path):
    run(node("openapi-typescript"), contract, "-o", "schema.d.ts", folder=tmp_path)
    shutil.copy(PROGRAMS / "fetch.ts", tmp_path)
    run(node("tsc"), "-p", ".", folder=tmp_path)
    says(run("node", "out/fetch.js", address, picture, folder=tmp_path))


def test_hey_api(node, contract, picture, address, tmp_path):
    settings = {"input": str(contract), "output": {"path": "hey", "importFileExtension": ".js"}}
    (tmp_path / "openapi-ts.config.mjs").write_text(f"export default {json.dumps(settings)};", encoding="utf-8")
    run(node("openapi-ts"), "-f", "openapi-ts.config.mjs", folder=tmp_path)
    shutil.copy(PROGRAMS / "hey.ts", tmp_path)
    run(node("tsc"), "-p", ".", folder=tmp_path)
    says(run("node", "out/hey.js", address, picture, folder=tmp_path))


def test_openapi_python_client(contract, picture, address, tmp_path):
    tool = PYTHON_TOOLS / "openapi-python-client"
    if not tool.exists():
        pytest.skip("openapi-python-client is not installed; `make interop` runs this in an environment of its own")
    run(tool, "generate", "--path", contract, "--output-path", "client", folder=tmp_path)
    package = tmp_path / "client"
    shutil.copy(PROGRAMS / "use.py", package)
    # It declares a variable twice where two members have one type; nothing that is used depends on that.
    mypy = (sys.executable, "-m", "mypy", "--strict", "--disable-error-code", "no-redef")
    run(*mypy, "use.py", "filterscope_client", folder=package)
    says(run(sys.executable, "use.py", address, picture, folder=package))


@pytest.fixture(scope="module")
def generator():
    tool = PYTHON_TOOLS / "openapi-generator-cli"
    return tool if tool.exists() else pytest.skip("openapi-generator-cli is not installed; `make interop` installs it")


def test_openapi_generator_typescript_fetch(generator, node, contract, picture, address, tmp_path):
    words = ("-g", "typescript-fetch", "--additional-properties", "importFileExtension=.js")
    run(generator, "generate", "-i", contract, *words, "-o", "made", folder=tmp_path)
    shutil.copy(PROGRAMS / "generator.ts", tmp_path)
    run(node("tsc"), "-p", ".", folder=tmp_path)
    says(run("node", "out/generator.js", address, picture, folder=tmp_path))
