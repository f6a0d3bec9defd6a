"""The server and the browser of the tests of the page; per file, so that no event loop outlives it."""

import pytest

from tests.serving import serving
from tests.web.browsing import Visit, chromium


@pytest.fixture(scope="module")
def origin():
    with serving() as (port, _):
        yield f"http://127.0.0.1:{port}"


@pytest.fixture(scope="module")
def browser():
    with chromium() as started:
        yield started


@pytest.fixture
def visit(browser, origin):
    """Open pages: visit(width=390); each is checked when the test is over."""
    visits = []

    def make(**options):
        visits.append(Visit(browser, origin, **options))
        return visits[-1]

    yield make
    for each in visits:
        each.close()


@pytest.fixture
def run(visit):
    """Import a module of the page in a real browser and call one expression with it, as `m`, and what is `given`."""
    page = visit().open()

    def call(module, expression, argument=None):
        return page.evaluate(
            f"async (given) => {{ const m = await import('/web/{module}'); return {expression}; }}", argument
        )

    return call
