"""The types of the page's scripts, as TypeScript's checker reads them."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
WEB = ROOT / "service" / "web"
HERE = ROOT / "tests" / "web"
CHECKER = HERE / "node_modules" / "typescript" / "bin" / "tsc"
NODE = shutil.which("node")
needs_checker = pytest.mark.skipif(
    NODE is None or not CHECKER.is_file(), reason="no Node.js or no checker here: make checker installs the latter"
)


def errors_in(folder):
    """Check a folder that has service/web and tests/web/tsconfig.json; what the checker finds, a line each."""
    command = [NODE, CHECKER, "--project", folder / "tests" / "web", "--pretty", "false"]
    return subprocess.run(command, capture_output=True, text=True, check=False).stdout.splitlines()


@needs_checker
def test_the_page_has_no_error_of_type():
    assert errors_in(ROOT) == []


@needs_checker
def test_the_checker_finds_a_member_that_is_not_there_a_wrong_kind_and_an_argument_without_a_type(tmp_path):
    shutil.copytree(WEB, tmp_path / "service" / "web")
    (tmp_path / "tests" / "web").mkdir(parents=True)
    shutil.copy(HERE / "tsconfig.json", tmp_path / "tests" / "web")
    (tmp_path / "service" / "web" / "why" / "wrong.js").write_text(
        """/** @import { Context } from "../shared/types.d.ts" */
/** @import { Model } from "../state/types.d.ts" */

/** @type {(context: Context, model: Model) => void} */
export function draw(context, { state, data }) {
  context.sett({ pinned: true });
  context.set({ pinned: "yes" });
  if (state.slidding || data.mapz) context.redraw();
}

export function later(untyped) {
  return untyped;
}
"""
    )
    found = [line.partition("wrong.js(")[2].partition(",")[0] for line in errors_in(tmp_path) if "error TS" in line]
    assert found == ["6", "7", "8", "8", "11"]


def test_no_script_is_left_unchecked_and_every_exception_says_why():
    for file in WEB.rglob("*.*s"):
        lines = file.read_text(encoding="utf-8").splitlines()
        assert not any(re.search(r"@ts-(nocheck|ignore|expect-error)", line) for line in lines), file
        for before, line in zip(["", *lines], lines, strict=False):
            if re.search(r"[{:<|] ?any\b", line):
                assert before.lstrip().startswith(("//", "/** ")), f"{file}: nothing says why this may be anything"
