"""The tests of training are laid out as training is."""

import ast
from pathlib import Path

import pytest

TESTS = Path(__file__).parent
TRAINING = TESTS.parents[1] / "training"
MODULES = [path.relative_to(TRAINING) for path in sorted(TRAINING.rglob("*.py")) if not path.name.startswith("__")]
# Tested against the exported graph, which computes the same.
ELSEWHERE = {Path("novelty/weights.py"): Path("export/test_onnx_files.py")}
# In the order in which a network is made.
FOLDERS = ["data", "networks", "novelty", "export", "evaluation", "study", "seams"]


@pytest.mark.parametrize("module", MODULES, ids=str)
def test_a_module_is_tested_by_the_file_of_its_name(module):
    assert (TESTS / ELSEWHERE.get(module, module.with_name(f"test_{module.name}"))).is_file()


def test_every_file_of_tests_is_named_after_a_module():
    tested = {module.with_name(f"test_{module.name}") for module in MODULES} | {Path("test_layout.py")}
    assert {path.relative_to(TESTS) for path in TESTS.rglob("test_*.py")} <= tested


def imported(module):
    """The folders of training that a module imports from."""
    for node in ast.walk(ast.parse((TRAINING / module).read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module.startswith("training."):
            yield node.module.split(".")[1]


@pytest.mark.parametrize("module", [module for module in MODULES if len(module.parts) > 1], ids=str)
def test_a_folder_imports_from_itself_those_before_it_and_the_knobs(module):
    assert set(imported(module)) <= {"knobs", *FOLDERS[: FOLDERS.index(module.parts[0]) + 1]}


def test_the_folders_are_in_the_order_that_the_page_of_training_gives():
    listed = ast.get_docstring(ast.parse((TRAINING / "__init__.py").read_text(encoding="utf-8")))
    assert [line.split()[0] for line in listed.splitlines() if line.startswith("    ")] == FOLDERS
    assert {path.parent.name for path in TRAINING.glob("*/__init__.py")} == set(FOLDERS)
