"""The tests of training are laid out as training is."""

from pathlib import Path

import pytest

TESTS = Path(__file__).parent
TRAINING = TESTS.parents[1] / "training"
MODULES = [path.relative_to(TRAINING) for path in sorted(TRAINING.rglob("*.py")) if not path.name.startswith("__")]
# Tested against the exported graph, which computes the same.
ELSEWHERE = {Path("novelty/weights.py"): Path("export/test_onnx_files.py")}


@pytest.mark.parametrize("module", MODULES, ids=str)
def test_a_module_is_tested_by_the_file_of_its_name(module):
    assert (TESTS / ELSEWHERE.get(module, module.with_name(f"test_{module.name}"))).is_file()


def test_every_file_of_tests_is_named_after_a_module():
    tested = {module.with_name(f"test_{module.name}") for module in MODULES} | {Path("test_layout.py")}
    assert {path.relative_to(TESTS) for path in TESTS.rglob("test_*.py")} <= tested
