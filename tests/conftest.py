"""What every test may ask for, and what the last lines of a run say."""

import os
from collections import Counter

import pytest

from service.app import create_app
from service.settings import SHIPPED_MODELS, Settings
from tests import fuzzing, wheels
from tests.documents import counted
from training.data.mnist import find_mnist, load_mnist


@pytest.fixture(scope="session")
def app():
    """The whole service on the shipped models, with default settings."""
    return create_app(Settings(models=str(SHIPPED_MODELS)))


@pytest.fixture
def client(app):
    return app.test_client()


@pytest.fixture(scope="session")
def proof():
    """True under `make proof`: sweep everything, not a seeded sample."""
    return bool(os.environ.get("FILTERSCOPE_PROOF"))


@pytest.fixture(scope="session")
def wheel(tmp_path_factory):
    """The wheel of this checkout; who asks for it is skipped where the build backend is not installed."""
    return wheels.build(tmp_path_factory.mktemp("wheel"))


@pytest.fixture(scope="session")
def mnist_test():
    """MNIST's test part; who asks for it is skipped where there is none."""
    folder = find_mnist()
    if folder is None:
        pytest.skip("MNIST is absent: no folder of its four files was found")
    return load_mnist(folder).test


def pytest_report_header():
    return f"MNIST: {find_mnist() or 'absent, the tests that need it are skipped'}"


# What the tests of one process count. In a parallel run
# every process sends its counts to the one that prints the last lines.
COUNTS = (fuzzing.RAN, fuzzing.FOUND, counted.RAN, counted.COMPARED, counted.SKIPPED)


def pytest_sessionfinish(session):
    if hasattr(session.config, "workeroutput"):
        session.config.workeroutput["counts"] = [dict(counter) for counter in COUNTS]


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node):
    for counter, counts in zip(COUNTS, getattr(node, "workeroutput", {}).get("counts", ()), strict=False):
        counter.update(counts)


def pytest_terminal_summary(terminalreporter):
    skipped = terminalreporter.stats.get("skipped", [])
    terminalreporter.write_line(f"MNIST: {find_mnist() or 'absent'}")
    for line in fuzzing.summary():
        terminalreporter.write_line(line)
    reasons = Counter(str(report.longrepr[2]) for report in skipped if isinstance(report.longrepr, tuple))
    for reason, count in sorted(reasons.items()):
        terminalreporter.write_line(f"skipped {count}: {reason.removeprefix('Skipped: ')}")
    for line in counted.summary():
        terminalreporter.write_line(line)
