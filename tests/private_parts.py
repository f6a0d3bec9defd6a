"""
What of other packages is private and used all the same, found in the syntax trees of service, training and deploy.

A name with one underscore before it is private (PEP 8), and a release may change it without a word. It is another
package's where no file of ours defines it, or where it is reached through `super()`.
"""

import ast
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
FOLDERS = ("service", "training", "deploy")
# Named with an underscore and public, says Python's documentation.
PUBLIC = {"_replace", "_asdict", "_make", "_fields", "_exit"}
# Private without an underscore: (object, name).
UNMARKED = {("Image", "core")}
# What gunicorn's hooks are given; whatever is set on it is its own.
ARBITER = "server"
# Modules that their package's documentation does not name.
UNDOCUMENTED = {"gunicorn.sock", "prometheus_client.mmap_dict", "prometheus_client.values"}


def is_private(name):
    return name.startswith("_") and not name.startswith("__") and name not in PUBLIC


def sources():
    """Every file of ours and its tree."""
    for folder in FOLDERS:
        for path in sorted((ROOT / folder).rglob("*.py")):
            yield path, ast.parse(path.read_text(encoding="utf-8"))


def defined(tree):
    """Every name that a file gives to something: functions, classes, variables, attributes, parameters."""
    for node in ast.walk(tree):
        match node:
            case ast.FunctionDef() | ast.AsyncFunctionDef() | ast.ClassDef():
                yield node.name
            case ast.Name(ctx=ast.Store()):
                yield node.id
            case ast.Attribute(ctx=ast.Store(), value=ast.Name("self")):
                yield node.attr
            case ast.arg():
                yield node.arg


def uses(tree, ours):
    """The private names of other packages that a file uses."""
    for node in ast.walk(tree):
        match node:
            case ast.Attribute(value=ast.Call(func=ast.Name("super")), attr=name) if is_private(name):
                yield name
            case ast.Attribute(attr=name) if is_private(name) and name not in ours:
                yield name
            case ast.Attribute(value=ast.Name(owner), attr=name) if (owner, name) in UNMARKED:
                yield name
            case ast.Attribute(value=ast.Name(owner), attr=name, ctx=ast.Store()) if owner == ARBITER:
                yield name
            case ast.Call(func=ast.Name("getattr" | "setattr" | "hasattr"), args=[_, ast.Constant(str(name)), *_]):
                if is_private(name) and name not in ours:
                    yield name
            case ast.ImportFrom(module=module, names=names):
                is_ours = module.partition(".")[0] in FOLDERS
                yield from (alias.name for alias in names if is_private(alias.name) and not is_ours)
                yield from (part for part in module.split(".") if is_private(part) and not is_ours)
                yield from UNDOCUMENTED & {module, *(f"{module}.{alias.name}" for alias in names)}
            case ast.Import(names=names):
                yield from (part for alias in names for part in alias.name.split(".") if is_private(part))


def found():
    """Every use: (file, name)."""
    trees = dict(sources())
    ours = {name for tree in trees.values() for name in defined(tree)}
    return {(str(path.relative_to(ROOT)), name) for path, tree in trees.items() for name in uses(tree, ours)}


if __name__ == "__main__":
    for place, name in sorted(found()):
        print(f"{place}: {name}")
