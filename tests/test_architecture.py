"""The drawing of ARCHITECTURE.md against the imports: an arrow that is not drawn fails."""

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
SOURCES = sorted([*ROOT.glob("service/**/*.py"), *ROOT.glob("training/**/*.py")])
NAMES = {".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"): path for path in SOURCES}

# Per part, the parts of the project that it may import. A part is a module or package; the longest name counts.
ARROWS = {
    "service": set(),
    "service.settings": set(),
    "service.core": {"service.core"},
    "service.memory": set(),
    "service.anatomy": {"service.core"},
    "service.pictures": {"service.core", "service.anatomy"},
    "service.network": {"service.network", "service.core"},
    "service.api": {
        "service.api",
        "service.network",
        "service.pictures",
        "service.core",
        "service.metrics",
        "service.record",
        "service.settings",
    },
    "service.record": set(),
    "service.server": set(),
    "service.metrics": {"service.record"},
    "service.logs": {"service.record"},
    "service.keys": set(),
    "service.cors": set(),
    "service.tracing": {"service.record"},
    "service.wsgi": {
        "service.api.application",
        "service.api.reading",
        "service.core.errors",
        "service.server",
    },
    "service.door": {
        "service.wsgi",
        "service.metrics",
        "service.logs",
        "service.keys",
        "service.cors",
        "service.tracing",
        "service.api.application",
        "service.api.errors",
        "service.core.errors",
        "service.record",
        "service.server",
        "service.settings",
    },
    "service.snapshot": {"service.network.files", "service.network.folders", "service.settings"},
    "service.startup": {
        "service.snapshot",
        "service.logs",
        "service.keys",
        "service.cors",
        "service.tracing",
        "service.core.idx",
        "service.settings",
    },
    "service.warming": {
        "service.api.application",
        "service.api.explaining",
        "service.api.reading",
        "service.network.sessions",
        "service.pictures",
    },
    "service.app": {
        "service.memory",
        "service.snapshot",
        "service.warming",
        "service.startup",
        "service.metrics",
        "service.api",
        "service.network",
        "service.door",
        "service.core",
        "service.settings",
    },
    "service.batch": {"service.batch", "service.core", "service.network", "service.pictures", "service.settings"},
    "service.__main__": {"service.batch", "service.settings"},
    "training": {"training", "service.core", "service.network", "service.pictures"},
}
# Per part, the packages of others that it may import besides the standard library.
PACKAGES = {
    "service": set(),
    "service.settings": {"msgspec"},
    "service.core": {"numpy"},
    "service.memory": set(),
    "service.anatomy": set(),
    "service.pictures": {"numpy", "PIL"},
    "service.network": {"numpy", "onnxruntime", "msgspec"},
    "service.api": {"numpy", "flask", "werkzeug", "msgspec", "orjson", "yaml"},
    "service.record": set(),
    "service.metrics": {"numpy", "prometheus_client"},
    "service.logs": {"orjson", "pythonjsonlogger"},
    "service.keys": set(),
    "service.cors": set(),
    "service.tracing": {"opentelemetry"},
    "service.server": {"httptools", "uvloop", "gunicorn"},
    "service.wsgi": set(),
    "service.door": set(),
    "service.snapshot": set(),
    "service.startup": {"numpy"},
    "service.warming": {"numpy"},
    "service.app": {"numpy", "flask"},
    "service.batch": {"numpy", "msgspec", "pyarrow", "tqdm"},
    "service.batch.cluster": {"numpy", "ray"},
    "service.__main__": set(),
    # Training draws with Pillow; what it decodes, it decodes as the service does.
    "training": {"numpy", "scipy", "PIL", "torch", "onnx", "matplotlib", "tqdm", "click"},
    # Runs a file that has just been exported and is not a model folder yet.
    "training.export.runner": {"numpy", "onnxruntime"},
}


def part_of(module, parts):
    """The part that a module belongs to, the longest of those that contain it."""
    return max((part for part in parts if module == part or module.startswith(f"{part}.")), key=len)


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


@pytest.mark.parametrize("module", NAMES)
def test_every_import_is_an_arrow_of_the_drawing(module):
    assert list(wrong_imports(module, NAMES[module])) == []


@pytest.mark.parametrize(
    ("module", "line"),
    [
        ("service.core.sheets", "import onnxruntime"),
        ("service.core.sheets", "from service import pictures"),
        ("service.core.sheets", "def late():\n    from flask import request"),
        ("service.network.bank", "import service.api.errors"),
        ("service.api.errors", "from PIL import Image"),
        ("service.api.errors", "from service.app import create_app"),
        ("service.door", "from service.api import classify"),
        ("service.pictures", "import training.data.mnist"),
        ("training.networks.fit", "from service.api.errors import slug"),
        ("training.networks.fit", "import onnxruntime"),
    ],
)
def test_an_arrow_that_is_not_drawn_would_be_seen(tmp_path, monkeypatch, module, line):
    monkeypatch.setitem(globals(), "ROOT", tmp_path)
    path = tmp_path / "module.py"
    path.write_text(line, encoding="utf-8")
    assert len(list(wrong_imports(module, path))) == 1


def test_every_part_of_the_drawing_exists():
    assert set(ARROWS) <= set(NAMES)
    assert set(PACKAGES) <= set(NAMES)


@pytest.mark.parametrize("module", [name for name in NAMES if name != "service.pictures"])
def test_only_pictures_decodes_a_picture(module):
    assert "Image.open" not in NAMES[module].read_text(encoding="utf-8")


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
