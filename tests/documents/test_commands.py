"""Every command that a page prints is run as a stranger runs it, and prints what the page says."""

import importlib.util
import json
import os
import re
import shutil
import signal
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

from tests.documents import counted
from tests.documents.answers import differences, is_printed, parse
from tests.documents.pages import PAGES, PROGRAMS, blocks, read, stray
from tests.documents.places import GROUP, LONG, PLACES, QUICK, needs_mnist, place, plain
from tests.documents.reader import Reader, copy, imported, install, lend, needed
from tests.serving import ROOT, free_port, serving, wait_until_ready
from training.data.mnist import find_mnist

BLOCKS = [block for page in PAGES for block in blocks(page, read(page))]
PYTHON = [block for block in BLOCKS if block.language == "python"]
JAVASCRIPT = [block for block in BLOCKS if block.language == "js"]
FENCED = [block for block in BLOCKS if block.language not in PROGRAMS and not block.is_inline]
# A command that the texts name several times is run once.
INLINE = list({block.commands: block for block in BLOCKS if block.is_inline}.values())
COMMANDS = sorted({plain(command) for block in FENCED + INLINE for command in block.commands})
STALE = "python -m tests.documents writes the answers again"


def runs(block):
    """Whether a test runs one of its commands."""
    return any(place(command) in {QUICK, LONG} for command in block.commands)


@pytest.fixture(scope="module")
def served(tmp_path_factory, proof):
    """A reader in a checkout with a server, started as the README says: by `make serve` itself when all is proved."""
    if not shutil.which("curl"):
        pytest.skip("curl is not installed")
    folder = tmp_path_factory.mktemp("served")
    checkout = copy(folder / "filterscope")
    if not proof:
        with serving() as (port, _):
            yield Reader(checkout, folder / "home", f"127.0.0.1:{port}")
        return
    port = free_port()
    reader = Reader(checkout, folder / "home", f"127.0.0.1:{port}")
    with (folder / "log").open("w", encoding="utf-8") as log:
        process = subprocess.Popen(
            ["make", "serve"], cwd=checkout, env=reader.environment(PORT=str(port)), start_new_session=True,
            stdout=log, stderr=log,
        )  # fmt: skip
    try:
        wait_until_ready(port, process, seconds=300)
        counted.RAN["make serve"] += 1
        yield reader
    finally:
        # make hands a signal on to no one.
        os.killpg(process.pid, signal.SIGTERM)
        process.wait(60)


@pytest.fixture
def reader(tmp_path):
    """A reader in a checkout of its own, where `make` has set the environments up."""
    checkout = copy(tmp_path / "filterscope")
    lend(checkout, ".venv", ".venv-test")
    return Reader(checkout, tmp_path / "home", "")


def test_the_pages_print_nothing_that_no_one_would_run_or_compare():
    assert {page: stray(read(page)) for page in PAGES} == {key: [] for key in PAGES}
    assert len(FENCED) >= 8
    assert len(INLINE) >= 30
    assert PYTHON
    assert JAVASCRIPT


@pytest.mark.parametrize("command", COMMANDS)
def test_every_printed_command_has_its_place(command):
    assert place(command), "say in tests/documents/places.py where it is run, or why it is not"


@pytest.mark.parametrize(("pattern", "where"), PLACES)
def test_every_place_is_for_a_command_that_is_printed(pattern, where):
    assert [command for command in COMMANDS if re.fullmatch(pattern, command, re.DOTALL)]


def test_what_is_said_to_be_a_group_of_make_proof_is_one():
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    verbs = [command.removeprefix("make ") for command in COMMANDS if place(command) == GROUP]
    assert verbs
    assert [verb for verb in verbs if not re.search(rf"= \$\(MAKE\) {verb}'", makefile)] == []


@pytest.mark.parametrize("command", [command for command in COMMANDS if place(command) not in {QUICK, LONG, None}])
def test_a_command_that_is_not_run_is_counted(command):
    leave_out(command, place(command))


def leave_out(command, reason):
    """Skip a command."""
    counted.SKIPPED[command] += 1
    pytest.skip(f"a printed command {reason}")


@pytest.mark.parametrize("block", [block for block in FENCED if runs(block)], ids=str)
def test_a_block_prints_what_the_page_says(request, block, proof):
    run(block, request, "served", proof)


@pytest.mark.parametrize("block", [block for block in INLINE if runs(block)], ids=str)
def test_a_command_within_a_text_succeeds(request, block, proof):
    run(block, request, "reader", proof)


@pytest.mark.parametrize("block", PYTHON, ids=str)
def test_a_block_of_python_prints_what_the_page_says(request, block, proof, tmp_path):
    (program,) = block.commands
    packages = needed(program)
    assert packages or not imported(program), "the block begins with a comment: # pip install, and what it needs"
    is_here = all(importlib.util.find_spec(name) for name in imported(program))
    if not (is_here or proof):
        leave_out(str(block), f"needs {' '.join(packages)}; {LONG} installs it")
    served = request.getfixturevalue("served")
    python = install(packages, tmp_path / "environment", served) if proof else sys.executable
    # Nothing is installed by make test: the package is found in the checkout.
    variables = {} if proof else {"PYTHONPATH": str(ROOT)}
    compare(block, [(str(block), served.run_python(program, python, **variables))])


@pytest.mark.parametrize("block", JAVASCRIPT, ids=str)
def test_a_block_of_javascript_prints_what_the_page_says(request, block):
    if not shutil.which("node"):
        leave_out(str(block), "needs Node.js")
    (program,) = block.commands
    compare(block, [(str(block), request.getfixturevalue("served").run_js(program))])


def run(block, request, fixture, proof):
    """Run those commands of a block that have their place here, and compare what they print."""
    here = [command for command in block.commands if place(command) in {QUICK, LONG}]
    if not proof and any(place(command) == LONG for command in here):
        for command in here:
            counted.SKIPPED[plain(command)] += 1
        pytest.skip(f"a printed command has its place in {LONG}")
    variables = {}
    if any(map(needs_mnist, here)):
        if find_mnist() is None:
            leave_out(here[0], "needs MNIST, which is absent")
        variables["FILTERSCOPE_MNIST"] = str(find_mnist())
    if here == ["make serve"]:
        fixture = "served"
    reader = request.getfixturevalue(fixture)
    assert fixture == "served" or not re.search("pip install", "".join(here)), "the environments of a text are lent"
    # The server was started by it.
    compare(block, [(command, reader.run(command, **variables)) for command in here if plain(command) != "make serve"])


def compare(block, outputs):
    """What a block printed is what is printed under it; what it drew is the picture below it."""
    counted.RAN.update(plain(command) for command, _ in outputs)
    printed = "".join(output.text for _, output in outputs)
    if block.answer:
        is_json = block.answer.kind == "json"
        assert is_json or is_printed(block.answer.text, printed), f"{STALE}:\n{printed}"
        assert not is_json or differences(parse(block.answer.text), json.loads(printed)) == [], STALE
    drawn = [path for _, output in outputs for path in output.files if path.suffix == ".png"]
    for path in drawn if block.picture else []:
        with Image.open(path) as got, Image.open(ROOT / block.picture) as shown:
            np.testing.assert_allclose(np.asarray(got, float), np.asarray(shown, float), atol=1, err_msg=STALE)
    counted.COMPARED.update(
        plain(command)
        for command, output in outputs
        if (block.answer and output.text) or (block.picture and output.files)
    )
