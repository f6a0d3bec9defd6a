"""The drawing of ARCHITECTURE.md against the imports: an arrow that is not drawn fails."""

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

from service.core.digit import SIDE
from tests.architecture import ARROWS, NAMES, PACKAGES, PAGE, RESERVED, ROOT, SOURCES, part_of, written


def within(module, parts):
    return any(module == part or module.startswith(f"{part}.") for part in parts)


def imports_of(path):
    """Every module that a file imports, at any depth of its code, with its line."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield alias.name, node.lineno
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}:{node.lineno}: imports are written in full"
            for alias in node.names:
                inner = f"{node.module}.{alias.name}"
                yield inner if inner in NAMES else node.module, node.lineno


def wrong_imports(module, path):
    allowed, packages = ARROWS[part_of(module, ARROWS)], PACKAGES[part_of(module, PACKAGES)]
    for imported, line in imports_of(path):
        root = imported.partition(".")[0]
        if root in {"service", "training"}:
            # The package itself holds the release and nothing else.
            if imported != "service" and not within(imported, allowed):
                yield f"{path.relative_to(ROOT)}:{line}: {module} may not import {imported}"
        elif root not in sys.stdlib_module_names and root not in packages:
            yield f"{path.relative_to(ROOT)}:{line}: {module} may not import {root}"


# What runs on any network goes by its passport. Where a digit's shape is a unit, or what rows of numbers are where no
# network was named, it is by name.
OF_ANY_NETWORK = (
    "core/inputs.py", "core/masking.py", "core/ledger.py", "lab/inputs.py", "lab/verdicts.py", "lab/adopted.py",
    "lab/prices.py", "lab/explain/*.py", "network/*.py", "api/http/*.py", "api/v1/classify.py", "api/v1/explain.py",
    "api/v1/feature_maps.py", "api/v1/what_if.py", "api/v1/models.py", "api/v2/*.py", "adopt/*.py",
)  # fmt: skip
MAY_NAME_A_DIGIT = {
    "network/passport.py", "lab/prices.py", "lab/explain/methods.py", "api/http/reading.py", "adopt/adoption.py",
}  # fmt: skip


def test_what_runs_on_any_network_goes_by_its_passport_and_by_no_side_of_a_digit():
    named, numbers = set(), []
    for path in sorted(each for pattern in OF_ANY_NETWORK for each in (ROOT / "service").glob(pattern)):
        name = str(path.relative_to(ROOT / "service"))
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Name) and node.id in {"SIDE", "DIGIT_SHAPE"}:
                named.add(name)
            if isinstance(node, ast.Constant) and type(node.value) is int and node.value in {28, 784}:
                numbers.append(f"{name}:{node.lineno}")
    assert numbers == []
    assert named <= MAY_NAME_A_DIGIT


def test_the_side_of_a_digit_is_a_number_in_one_place():
    found = [
        f"{path.relative_to(ROOT)}:{node.lineno}"
        for path in sorted((ROOT / "service").rglob("*.py"))
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Constant) and type(node.value) is int and node.value == SIDE
    ]
    assert [place.partition(":")[0] for place in found] == ["service/core/digit/mnist_form.py"], found


@pytest.mark.parametrize("module", NAMES)
def test_every_import_is_an_arrow_of_the_drawing(module):
    assert list(wrong_imports(module, NAMES[module])) == []


@pytest.mark.parametrize(
    ("module", "line"),
    [
        ("service.core.sheets", "import onnxruntime"),
        ("service.core.sheets", "from service.pictures import codec"),
        ("service.core.sheets", "def late():\n    from flask import request"),
        ("service.network.bank", "import service.api.http.errors"),
        ("service.lab.filters", "from flask import request"),
        ("service.lab.filters", "import orjson"),
        ("service.lab.explain.methods", "from service.api.http import writing"),
        ("service.api.http.errors", "from PIL import Image"),
        ("service.api.http.errors", "from service.app import create_app"),
        ("service.api.http.errors", "from service.api.v1 import classify"),
        ("service.api.v1.classify", "from service.api.v2 import tensors"),
        ("service.door.door", "from service.api.v1 import classify"),
        ("service.server.accept", "from service.door.door import Door"),
        ("service.pictures.codec", "import training.data.mnist"),
        ("training.networks.fit", "from service.api.http.errors import slug"),
        ("training.networks.fit", "import onnxruntime"),
    ],
)
def test_an_arrow_that_is_not_drawn_would_be_seen(tmp_path, monkeypatch, module, line):
    monkeypatch.setitem(globals(), "ROOT", tmp_path)
    path = tmp_path / "module.py"
    path.write_text(line, encoding="utf-8")
    assert len(list(wrong_imports(module, path))) == 1


def test_every_part_of_the_drawing_exists():
    assert set(ARROWS) - set(NAMES) <= RESERVED
    assert set(PACKAGES) - set(NAMES) <= RESERVED


def test_the_page_shows_the_tree_and_the_arrows_as_they_are():
    page = PAGE.read_text(encoding="utf-8")
    assert written(page) == page, "python -m tests.architecture writes it again"


def names_of_a_module(path):
    """Functions at any depth, and methods as Class.method."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    yield from (node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef))
    for node in ast.walk(tree):
        if isinstance(node, ast.ClassDef):
            yield from (f"{node.name}.{each.name}" for each in node.body if isinstance(each, ast.FunctionDef))


def test_the_walks_of_the_page_name_what_there_is():
    page = PAGE.read_text(encoding="utf-8")
    walks = page[page.index("<!-- walks") : page.index("<!-- end of walks")]
    rows = re.findall(r"^\| `([\w/]+\.py)` \| (`.*?`) \|", walks, re.MULTILINE)
    assert len(rows) > 20
    for file, functions in rows:
        there = set(names_of_a_module(ROOT / "service" / file))
        assert set(re.findall(r"`([\w.]+)`", functions)) <= there, file


def test_the_service_has_few_loose_files_and_every_folder_of_it_is_a_part():
    assert len(list((ROOT / "service").glob("*.py"))) <= 6
    folders = {name for name, path in NAMES.items() if path.name == "__init__.py" and name.count(".") == 1}
    assert {name for name in folders if name.startswith("service.")} <= set(ARROWS)


@pytest.mark.parametrize("module", [name for name in NAMES if name != "service.pictures.codec"])
def test_only_the_codec_decodes_a_picture(module):
    assert "Image.open" not in NAMES[module].read_text(encoding="utf-8")


def test_one_place_prepares_a_digit_for_calls_and_for_batches():
    found = [
        name
        for name, path in NAMES.items()
        if name.startswith("service.")
        and re.search(r"core\.digit import .*\bprepare\b", path.read_text(encoding="utf-8"))
    ]
    assert found == ["service.lab.picture"]


@pytest.mark.parametrize("module", [name for name in NAMES if name.startswith("service")])
def test_nothing_is_imported_by_a_name_made_at_run_time(module):
    calls = [node.func for node in ast.walk(ast.parse(NAMES[module].read_text())) if isinstance(node, ast.Call)]
    assert not {"import_module", "__import__", "exec", "eval"} & {
        call.id if isinstance(call, ast.Name) else call.attr
        for call in calls
        if isinstance(call, ast.Name | ast.Attribute)
    }


def test_every_module_says_what_it_is():
    paths = [*SOURCES, *ROOT.glob("tests/**/*.py"), *ROOT.glob("deploy/*.py")]
    trees = {path: ast.parse(path.read_text(encoding="utf-8")) for path in paths}
    assert [path for path, tree in trees.items() if tree.body and not ast.get_docstring(tree)] == []


def test_the_page_has_no_python():
    assert list((ROOT / "service" / "web").rglob("*.py")) == []


# --- onnxruntime stays silent ----------------------------------------------------------------------------------------

WATCH = """
import os, sys, threading
seen = []
def watch(event, args):
    if event == "import" and args[0] == "onnxruntime":
        seen.append(("telemetry", os.environ.get("ORT_DISABLE_TELEMETRY")))
    elif event.startswith("socket."):
        seen.append(("socket", event))
    elif event == "open" and isinstance(args[1], str) and set(args[1]) & set("wax+"):
        seen.append(("written", args[0]))
sys.addaudithook(watch)
import {module}
assert seen and set(seen) == {{("telemetry", "1")}}, seen
assert threading.active_count() == 1
if os.path.isdir("/proc/self/task"):
    assert len(os.listdir("/proc/self/task")) == 1, "a native thread was started"
    links = [os.path.join("/proc/self/fd", name) for name in os.listdir("/proc/self/fd")]
    open_files = [os.readlink(link) for link in links if os.path.islink(link)]
    assert not [name for name in open_files if name.startswith("socket:")], open_files
print("silent")
"""


@pytest.mark.parametrize(
    "module", ["service.network.sessions", "service.network.bank", "service.app", "training.export.runner"]
)
def test_onnxruntime_is_told_to_be_silent_before_it_is_imported_and_is(tmp_path, module):
    environment = {
        "PATH": "",
        "HOME": str(tmp_path),
        "XDG_CACHE_HOME": str(tmp_path / "cache"),
        "TMPDIR": str(tmp_path),
        "OPENBLAS_NUM_THREADS": "1",  # NumPy's own threads are not what this looks for
        "PYTHONDONTWRITEBYTECODE": "1",
    }
    run = subprocess.run(
        [sys.executable, "-c", WATCH.format(module=module)],
        cwd=ROOT, env=environment, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert (run.returncode, run.stdout) == (0, "silent\n"), run.stderr
    assert list(tmp_path.rglob("*")) == []


# --- the repository speaks of the project alone ----------------------------------------------------------------------

# In brackets so that this file does not find itself.
MACHINE_PATHS = rb"(?<![\w.])/(?:wor[k]|hom[e]/\w+|Use[r]s/\w+|roo[t]|tm[p])/"
REGISTRIES = (
    rb"pyp[i]\.org|pythonhoste[d]|download\.pytorc[h]|npmj[s]|anacond[a]\.org"
    rb"|(?<!emit)-index-ur[l]|(?<!emit-)find-link[s]"
)


def files_of_the_repository():
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    try:
        listed = subprocess.run(command, cwd=ROOT, capture_output=True, check=True).stdout.decode()
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("not a checkout")
    return [ROOT / name for name in listed.split("\0") if name and (ROOT / name).is_file()]


@pytest.mark.parametrize(("pattern", "what"), [(MACHINE_PATHS, "a path of one machine"), (REGISTRIES, "a registry")])
def test_no_file_names_what_only_one_machine_has(pattern, what):
    found = {
        f"{path.relative_to(ROOT)}: {match[0].decode(errors='replace')}"
        for path in files_of_the_repository()
        for match in re.finditer(pattern, path.read_bytes())
    }
    assert sorted(found) == [], what


def test_no_link_is_committed():
    # A link holds a path, and what it leads to may be on one machine only: no file of the project has to be one.
    try:
        listed = subprocess.run(["git", "ls-files", "-s"], cwd=ROOT, capture_output=True, check=True).stdout.decode()
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("not a checkout")
    assert [line for line in listed.splitlines() if line.startswith("120000")] == []


# --- a test lies beside what it tests --------------------------------------------------------------------------------


def test_every_folder_of_tests_is_one_of_the_code_or_a_group():
    groups = {"benchmarks", "cluster", "deploy", "documents", "hostile", "interop", "web", "training"}
    for path in sorted((ROOT / "tests").rglob("test_*.py")):
        parts = path.relative_to(ROOT / "tests").parts[:-1]
        if parts and parts[0] not in groups:
            assert (ROOT / "service" / Path(*parts)).is_dir(), path


# --- one word for one thing ------------------------------------------------------------------------------------------

# Names that stand in several files all the same, each with the reason.
DOUBLED = {
    "Floats": "an array of numbers, in the precision that its file computes with",
    "Pool": "a pooling: as the contract's schema of that name, and beside Conv in the structures of training",
}


def names_with_definitions(tree):
    """(name, definition) of each public class and type alias of a module; a class has its place for a definition."""
    for node in tree.body:
        if isinstance(node, ast.ClassDef):
            yield node.name, object()
        elif isinstance(node, ast.Assign | ast.AnnAssign) and node.value is not None:
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            for target in targets:
                if isinstance(target, ast.Name) and re.fullmatch(r"[A-Z]\w*[a-z]\w*", target.id):
                    yield target.id, ast.unparse(node.value)


def doubled_names(modules):
    """Public names of classes and type aliases that mean two things, with the modules that define them."""
    defined = {}
    for module, path in modules.items():
        for name, definition in names_with_definitions(ast.parse(path.read_text(encoding="utf-8"))):
            defined.setdefault(name, {}).setdefault(definition, []).append(module)
    return {
        name: sorted(module for places in found.values() for module in places)
        for name, found in defined.items()
        if len(found) > 1
    }


# The client is read by who writes another program, beside nothing of ours: its names are that program's.
OURS = {module: path for module, path in NAMES.items() if not module.startswith("service.client")}


def test_a_name_of_a_class_or_type_means_one_thing():
    found = doubled_names(OURS)
    assert {name: places for name, places in found.items() if name not in DOUBLED} == {}
    assert set(DOUBLED) <= set(found), "no longer doubled"


def imported_bare(modules):
    """Public functions whose name two modules define, each with the imports that take it without its module."""
    trees = {module: ast.parse(path.read_text(encoding="utf-8")) for module, path in modules.items()}
    defined = {}
    for module, tree in trees.items():
        for node in tree.body:
            if isinstance(node, ast.FunctionDef) and not node.name.startswith("_") and not node.decorator_list:
                defined.setdefault(node.name, []).append(module)
    doubled = {name for name, places in defined.items() if len(places) > 1}
    for module, tree in trees.items():
        for node in ast.walk(tree):
            if isinstance(node, ast.ImportFrom) and (node.module or "") in trees:
                for alias in node.names:
                    if (
                        alias.name in doubled
                        and alias.asname is None
                        and alias.name in {name for name, places in defined.items() if node.module in places}
                    ):
                        yield f"{module} imports {alias.name} of {node.module}; also of {defined[alias.name]}"


def test_a_function_whose_name_stands_twice_is_called_with_its_module():
    assert list(imported_bare(OURS)) == []


def test_a_name_of_two_meanings_would_be_seen(tmp_path):
    texts = {
        "one": "class Stage: ...\nPair = tuple[int, int]\ndef decode(): ...",
        "two": "class Stage: ...\nPair = tuple[int, int]\ndef decode(): ...\ndef other(): ...",
        "three": "Pair = list[int]\nfrom two import decode, other",
    }
    modules = {name: tmp_path / f"{name}.py" for name in texts}
    for name, path in modules.items():
        path.write_text(texts[name], encoding="utf-8")
    assert doubled_names(modules) == {"Stage": ["one", "two"], "Pair": ["one", "three", "two"]}
    assert list(imported_bare(modules)) == ["three imports decode of two; also of ['one', 'two']"]
