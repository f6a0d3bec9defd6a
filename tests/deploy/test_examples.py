"""The examples, each run as its README says, against a server and from an origin of their own."""

import ast
import functools
import http.server
import json
import os
import re
import shutil
import subprocess
import threading
from pathlib import Path

import pytest

from tests.serving import ROOT, serving
from tests.web.browsing import SLOW_MACHINE_MS, chromium, needs_chromium

EXAMPLES = ROOT / "deploy" / "examples"
PICTURE = ROOT / "tests" / "three.png"
ADDRESS = "http://127.0.0.1:8000"
# Where packages of npm are: what NODE_PATH says, those of `make interop`, those of Debian.
NODE_FOLDERS = [
    *os.environ.get("NODE_PATH", "").split(os.pathsep),
    ROOT / ".venv-node/node_modules",
    "/usr/share/nodejs",
]


@pytest.fixture
def folder(tmp_path):
    """A folder of the reader's with a picture in it."""
    shutil.copy(PICTURE, tmp_path / "picture.png")
    return tmp_path


@pytest.fixture
def origin(folder):
    """The origin of pages in the reader's folder."""
    handler = functools.partial(_Silent, directory=folder)
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


class _Silent(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_arguments):
        pass


@pytest.fixture
def service(origin):
    """The address of a server that answers pages of that origin."""
    with serving(environ={"FILTERSCOPE_CORS_ORIGINS": origin}) as (port, _):
        yield f"http://127.0.0.1:{port}"


def take(name, folder, service):
    """Copy an example into the reader's folder, as it is but for the address."""
    text = (EXAMPLES / name).read_text(encoding="utf-8")
    assert text.count(ADDRESS) == 1
    path = folder / name
    path.write_text(text.replace(ADDRESS, service), encoding="utf-8")
    return path


def only_in_a_proof(proof):
    if not proof:
        pytest.skip("make proof runs the examples that need a runtime of their own")


def test_every_example_is_in_the_list():
    listed = re.findall(r"^\| \[(.*?)\]", (EXAMPLES / "README.md").read_text(encoding="utf-8"), re.MULTILINE)
    assert sorted(listed) == sorted(path.name for path in EXAMPLES.iterdir() if path.name != "README.md")


# --- a notebook ------------------------------------------------------------------------------------------------------


def run_cells(notebook, names):
    """Run the cells of a notebook one after another, and yield the value that each would show."""
    for cell in notebook["cells"]:
        if cell["cell_type"] != "code":
            continue
        body = ast.parse("".join(cell["source"])).body
        shown = body.pop() if isinstance(body[-1], ast.Expr) else None
        exec(compile(ast.Module(body, []), "a cell", "exec"), names)
        if shown is not None:
            yield eval(compile(ast.Expression(shown.value), "a cell", "eval"), names)


def test_the_notebook_goes_through_the_lecture(app, monkeypatch):
    for package in ("httpx", "matplotlib"):
        pytest.importorskip(package, reason=f"{package} is not installed")
    from service import client
    from tests.client.in_process import client_of

    monkeypatch.chdir(ROOT)
    monkeypatch.setattr(client, "Client", lambda address: client_of(app, address=address))
    notebook = json.loads((EXAMPLES / "lecture.ipynb").read_text(encoding="utf-8"))
    assert all(cell.get("outputs", []) == [] for cell in notebook["cells"]), "answers are not kept in it"
    shown = list(run_cells(notebook, {}))
    assert shown[0] == (3, 1.0)
    assert sum(hasattr(value, "_repr_png_") for value in shown) == 2


# --- pages -----------------------------------------------------------------------------------------------------------


@needs_chromium
def test_the_page_of_another_origin_reads_a_picture_and_a_drawing(proof, folder, origin, service):
    only_in_a_proof(proof)
    page_file = take("page.html", folder, service)
    assert len(page_file.read_text().splitlines()) <= 60
    (folder / "no-picture.png").write_bytes(b"no picture")
    with chromium() as browser:
        page = browser.new_page()
        page.set_default_timeout(SLOW_MACHINE_MS)
        page.goto(f"{origin}/page.html")
        verdict, maps = page.locator("#verdict"), page.locator("#maps")
        page.set_input_files("#file", folder / "picture.png")
        maps.wait_for(state="visible")
        assert verdict.text_content() == "3, 100.0 %"
        assert re.fullmatch(r"The maps of conv1, from 0 to [\d.]+", maps.get_attribute("alt"))
        page.wait_for_function("document.getElementById('maps').naturalWidth > 100")
        page.set_input_files("#file", folder / "no-picture.png")
        maps.wait_for(state="hidden")
        assert verdict.text_content().startswith("not a picture this service reads")
        box = page.locator("#pad").bounding_box()
        page.mouse.move(box["x"] + 140, box["y"] + 50)
        page.mouse.down()
        page.mouse.move(box["x"] + 140, box["y"] + 230, steps=8)
        page.mouse.up()
        maps.wait_for(state="visible")
        assert verdict.text_content().startswith("1, ")


APPLICATION = """
import { createRoot } from "react-dom/client";
import { Digit } from "./Digit.jsx";
const file = (name) => fetch(name).then((answer) => answer.blob());
const [picture, damaged] = await Promise.all([file("picture.png"), file("no-picture.png")]);
createRoot(document.getElementById("root")).render(<><Digit picture={picture} /><Digit picture={damaged} /></>);
"""


@needs_chromium
def test_the_component_shows_a_verdict_and_a_refusal(proof, folder, origin, service):
    only_in_a_proof(proof)
    folders = [str(folder) for folder in NODE_FOLDERS if folder]
    bundler = shutil.which("esbuild") or shutil.which(
        "esbuild", path=os.pathsep.join(f"{each}/.bin" for each in folders)
    )
    if bundler is None or not any(Path(each, "react-dom").is_dir() for each in folders):
        pytest.skip("React or esbuild is not installed (Debian: node-react-dom, esbuild)")
    take("Digit.jsx", folder, service)
    (folder / "no-picture.png").write_bytes(b"no picture")
    (folder / "main.jsx").write_text(APPLICATION, encoding="utf-8")
    (folder / "index.html").write_text('<div id="root"></div><script type="module" src="main.js"></script>')
    command = [
        bundler,
        "main.jsx",
        "--bundle",
        "--format=esm",
        "--jsx=automatic",
        "--outfile=main.js",
        "--log-level=error",
    ]
    subprocess.run(command, cwd=folder, env=os.environ | {"NODE_PATH": os.pathsep.join(folders)}, check=True)
    with chromium() as browser:
        page = browser.new_page()
        page.set_default_timeout(SLOW_MACHINE_MS)
        page.goto(f"{origin}/index.html")
        page.locator("figure meter").nth(9).wait_for()
        assert page.locator("figcaption").text_content() == "3, 100.0 %"
        assert page.get_by_role("alert").text_content().startswith("not a picture this service reads")


# --- programs --------------------------------------------------------------------------------------------------------

PROGRAMS = {
    "read.R": (
        ["Rscript"],
        "r-base-core, r-cran-httr2, r-cran-jsonlite",
        ["3, 100.0 %", "conv1.act: 16 maps of 24 x 24"],
    ),
    "Read.java": (["java"], "default-jdk-headless", ["3, 100.0 %", "the maps of conv1 are in maps.png"]),
    "read.go": (["go", "run"], "golang-go", ["picture.png: 3, 100.0 %"]),
}


@pytest.mark.parametrize("name", PROGRAMS)
def test_a_program_reads_a_picture_and_tells_a_refusal(proof, folder, service, name):
    only_in_a_proof(proof)
    command, debian, wanted = PROGRAMS[name]
    path = f"{os.environ['PATH']}{os.pathsep}/usr/lib/go/bin"
    program = shutil.which(command[0], path=path)
    if program is None:
        pytest.skip(f"{command[0]} is not installed (Debian: {debian})")
    take(name, folder, service)
    environ = os.environ | {"GOCACHE": str(folder / "cache"), "GOTOOLCHAIN": "local", "LC_ALL": "C.UTF-8"}

    def run(picture):
        line = [program, *command[1:], name, picture]
        return subprocess.run(line, cwd=folder, env=environ, capture_output=True, text=True, check=False, timeout=300)

    done = run("picture.png")
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[: len(wanted)] == wanted
    if (folder / "maps.png").exists():
        assert (folder / "maps.png").read_bytes().startswith(b"\x89PNG")
    (folder / "no-picture.png").write_bytes(b"no picture")
    refused = run("no-picture.png")
    assert refused.returncode != 0
    assert "not a picture this service reads" in refused.stderr
