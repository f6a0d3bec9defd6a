"""
Which part may import which, and what ARCHITECTURE.md says of it.

    python -m tests.architecture      writes the tree and the table of imports into ARCHITECTURE.md again

The tree is the files as they are, each with the first sentence of its docstring; the table is ARROWS and PACKAGES, to
which tests/test_architecture.py holds every import. So the page cannot say what is not so.
"""

import ast
import re
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "ARCHITECTURE.md"
SOURCES = sorted([*ROOT.glob("service/**/*.py"), *ROOT.glob("training/**/*.py")])
NAMES = {".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"): path for path in SOURCES}

# Per part, the parts of the project that it may import. A part is a module or package; the longest name counts.
ARROWS = {
    "service": set(),
    "service.settings": set(),
    "service.memory": set(),
    "service.core": {"service.core"},
    "service.pictures": {"service.pictures", "service.core"},
    "service.network": {"service.network", "service.core"},
    "service.lab": {"service.lab", "service.network", "service.core", "service.settings"},
    "service.observe": {"service.observe"},
    "service.server": {"service.server"},
    "service.api.http": {
        *("service.api.http", "service.lab", "service.network", "service.pictures", "service.core"),
        *("service.observe.record", "service.settings"),
    },
    "service.api.v1": {
        *("service.api.v1", "service.api.http", "service.lab", "service.network", "service.core"),
        *("service.observe.record", "service.settings"),
    },
    "service.api.v2": {
        *("service.api.v2", "service.api.http", "service.lab", "service.network", "service.pictures", "service.core"),
        *("service.observe.record", "service.settings"),
    },
    "service.api": {
        *("service.api.http", "service.lab", "service.network", "service.core", "service.observe.metrics"),
        "service.settings",
    },
    "service.door": {
        *("service.door", "service.server", "service.observe", "service.core.errors", "service.settings"),
        *("service.api.http.application", "service.api.http.errors", "service.api.http.codings", "service.lab.prices"),
    },
    "service.start": {
        *("service.start", "service.api.http.application", "service.api.http.codings", "service.lab.explain"),
        *("service.door.keys", "service.door.cors", "service.network", "service.pictures", "service.core"),
        *("service.observe", "service.settings"),
    },
    "service.app": {
        *("service.start", "service.door", "service.api", "service.network", "service.observe", "service.memory"),
        "service.settings",
    },
    "service.batch": {
        *("service.batch", "service.lab", "service.network", "service.pictures", "service.core", "service.settings"),
    },
    # A client knows the service by its contract alone.
    "service.client": {"service.client"},
    "service.credit": {"service.credit", "service.network"},
    "service.adopt": {
        *("service.adopt", "service.credit", "service.lab", "service.network", "service.pictures", "service.core"),
        "service.settings",
    },
    "service.commands": {
        *("service.commands", "service.batch", "service.adopt", "service.network", "service.settings"),
        *("service.lab", "service.core"),
    },
    "service.__main__": {"service.commands"},
    "training": {
        *("training", "service.credit", "service.lab", "service.network", "service.pictures", "service.core"),
        "service.settings",
    },
}
# Per part, the packages of others that it may import besides the standard library.
PACKAGES = {
    "service": set(),
    "service.settings": {"msgspec"},
    "service.memory": set(),
    "service.core": {"numpy"},
    "service.pictures": {"numpy", "PIL", "pi_heif"},
    "service.network": {"numpy", "onnxruntime", "msgspec"},
    "service.lab": {"numpy", "msgspec"},
    "service.observe": {"numpy", "prometheus_client", "orjson", "pythonjsonlogger", "opentelemetry"},
    "service.server": {"httptools", "uvloop", "gunicorn"},
    "service.api": {"numpy", "flask", "werkzeug", "msgspec", "orjson", "yaml"},
    "service.door": set(),
    "service.start": {"numpy"},
    "service.app": set(),
    "service.batch": {"numpy", "msgspec", "pyarrow", "tqdm"},
    "service.batch.cluster": {"numpy", "ray"},
    "service.client": {"numpy", "httpx", "matplotlib", "tqdm"},
    "service.credit": {"numpy", "onnx", "onnxruntime"},
    "service.adopt": {"numpy", "onnx", "onnxruntime", "msgspec"},
    "service.commands": {"click", "gunicorn", "msgspec", "orjson"},
    "service.__main__": set(),
    # Training draws with Pillow; what it decodes, it decodes as the service does.
    "training": {"numpy", "scipy", "PIL", "torch", "onnx", "matplotlib", "tqdm", "click", "msgspec"},
    # Runs a file that has just been exported and is not a model folder yet.
    "training.export.runner": {"numpy", "onnxruntime"},
}
# Rooms that are to be built; their arrows are drawn.
RESERVED: set[str] = set()


def part_of(module, parts):
    """The part that a module belongs to, the longest of those that contain it."""
    return max((part for part in parts if module == part or module.startswith(f"{part}.")), key=len)


def sentence_of(path):
    """The first sentence of a module's docstring, on one line."""
    text = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or ""
    return re.split(r"(?<=[a-z`)\]])\.(?:\s|$)|\n\n", text.strip(), maxsplit=1)[0].replace("\n", " ").rstrip(".")


def tree(folder, depth=0):
    """The lines that show a folder of Python: its files, then its folders, each with its sentence."""
    indent = "  " * depth
    files = [path for path in sorted(folder.glob("*.py")) if path.name != "__init__.py"]
    lines = [(f"{indent}{folder.name}/", sentence_of(folder / "__init__.py"))]
    lines += [(f"{indent}  {path.name}", sentence_of(path)) for path in files]
    for inner in sorted(path for path in folder.iterdir() if (path / "__init__.py").exists()):
        lines += tree(inner, depth + 1)
    return lines


def drawing():
    """The tree as the page has it."""
    lines = tree(ROOT / "service") + tree(ROOT / "training")
    width = max(len(name) for name, _ in lines) + 2
    return "\n".join(["```", *(f"{name:{width}}{sentence}".rstrip() for name, sentence in lines), "```"])


def table():
    """Which part may import which, as the page has it."""
    rows = ["| part | may import, of ours | of others |", "|---|---|---|"]
    for part, allowed in ARROWS.items():
        ours = ", ".join(sorted(name.removeprefix("service.") for name in allowed - {part})) or "nothing"
        others = ", ".join(sorted(PACKAGES[part_of(part, PACKAGES)], key=str.lower)) or "nothing"
        rows.append(f"| `{part}`{' (to come)' if part in RESERVED else ''} | {ours} | {others} |")
    return "\n".join(rows)


def written(page):
    """The page with what is written by this module as it is now."""
    for name, content in (("tree", drawing()), ("imports", table())):
        begin, end = f"<!-- {name}: written by python -m tests.architecture -->", f"<!-- end of {name} -->"
        before, found, rest = page.partition(begin)
        assert found, f"ARCHITECTURE.md has no {begin}"
        page = before + begin + "\n" + content + "\n" + end + rest.partition(end)[2]
    return page


if __name__ == "__main__":
    PAGE.write_text(written(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
