"""/docs as it opens: every call, in every form of body, executed with what the page has filled in."""

import os
import random
from urllib.parse import unquote, urlsplit

import pytest

from tests.api.contract import DOCUMENT, OPERATIONS, call_of, operation, parameters_of
from tests.api.declared import SUCH_AS, WANTED
from tests.drawing import draw, encode, npy
from tests.web.browsing import Visit, needs_chromium

pytestmark = needs_chromium
DIGIT = draw(7, 28, dark_on_light=False)
FILES = {
    "multipart/form-data": ("7.png", "image/png", encode(draw(7, 28))),
    "image/*": ("7.png", "image/png", encode(draw(7, 28))),
    "application/octet-stream": ("7.png", "image/png", encode(draw(7, 28))),
    "application/x-npy": ("7.npy", "application/x-npy", npy(DIGIT)),
}
TENSOR = ("image.bin", "application/octet-stream", (DIGIT.astype("<f4") / 255).tobytes())
# A call that answers nothing but a refusal, by what it is.
REFUSES = {"unloadModel": 400}


def executions():
    """(path, method, form of body, example) of everything the page can execute without a key being pressed."""
    for path, method in OPERATIONS:
        content = operation(path, method).get("requestBody", {}).get("content", {None: {}})
        for kind, media in content.items():
            for example in media.get("examples", [None]):
                yield path, method, kind, example


class Call:
    """One call of the page, opened."""

    def __init__(self, visit, path, method):
        self.visit, self.path, self.method = visit, path, method
        self.declared = operation(path, method)
        tag = self.declared["tags"][0].replace(" ", "_")
        self.place = visit.page.locator(f"[id='operations-{tag}-{self.declared['operationId']}']")
        self.title = self.place.locator(".opblock-summary-control")
        self.title.click()
        self.body = self.place.locator(".opblock-section-request-body")

    def close(self):
        """Fold it up: the page draws all that is open at each key that is pressed."""
        self.title.click()

    def choose(self, kind, example):
        """Take a form of body, and of JSON one of the examples."""
        forms = self.body.locator("select.content-type")
        if forms.input_value() != kind:
            forms.select_option(kind)
        if example is not None and self.body.locator("select.examples-select-element").count():
            self.body.locator("select.examples-select-element").select_option(example)

    def give_file(self, kind):
        name, media_type, content = TENSOR if self.path.startswith("/v2") else FILES[kind]
        self.body.locator("input[type=file]").set_input_files({"name": name, "mimeType": media_type, "buffer": content})

    def fill(self, name, text):
        self.place.locator(f"tr[data-param-name='{name}'] input").fill(text)

    def execute(self):
        """The answer to what the page sends; the page shows its status."""
        call = call_of(self.path, self.method)

        def is_answer(response):
            return response.request.method == self.method.upper() and urlsplit(response.url).path == call

        with self.visit.page.expect_response(is_answer) as answered:
            self.place.locator("button.execute").click()
        answer = answered.value
        shown = self.place.locator(".live-responses-table .response-col_status")
        shown.get_by_text(str(answer.status)).first.wait_for()
        return answer


@pytest.fixture(scope="module")
def docs(browser, origin):
    """The page, opened once for all calls, and the calls that were executed on it."""
    visit = Visit(browser, origin)
    yield visit, set()
    visit.close()


@pytest.fixture
def opened(docs):
    """Open one call: opened(path, method). A call that was executed before is opened on the page as it comes anew."""
    visit, executed = docs
    calls = []

    def open_call(path, method):
        if not executed or (path, method) in executed:
            visit.page.goto(f"{visit.origin}/docs")
            executed.clear()
        executed.add((path, method))
        calls.append(Call(visit, path, method))
        return calls[-1]

    yield open_call
    for call in calls:
        call.close()
    complaints = visit.complaints()
    visit.said, visit.uncaught, visit.expected = [], [], []
    assert complaints == []


def chosen():
    """Every execution under make proof; else of each call that posts one form, and every third of the others."""
    every = list(executions())
    if os.environ.get("FILTERSCOPE_PROOF"):
        return every
    chance = random.Random(19)
    posted = {}
    for each in every:
        posted.setdefault(each[:2], []).append(each)
    return [chance.choice(forms) for index, forms in enumerate(posted.values()) if len(forms) > 1 or index % 3 == 0]


@pytest.mark.parametrize(("path", "method", "kind", "example"), chosen())
def test_every_call_executes_as_the_page_has_filled_it_in(opened, path, method, kind, example):
    call = opened(path, method)
    wanted = WANTED.get(path)
    if kind is not None:
        call.choose(kind, example)
    is_file = kind not in {None, "application/json"}
    if is_file:
        call.give_file(kind)
    if is_file and path.startswith("/v2"):
        call.fill("Inference-Header-Content-Length", "0")
    if is_file and wanted and kind != "multipart/form-data":
        # The query is empty until the reader fills it in, and the refusal says what to write there.
        call.visit.expected.append("422")
        refusal = call.execute()
        assert refusal.status == 422
        assert wanted in refusal.json()["detail"]
        description = parameters_of(path, method, "query")[wanted]["description"]
        call.fill(wanted, SUCH_AS.search(description)[1])
    expected = REFUSES.get(call.declared["operationId"], 200)
    call.visit.expected.append(str(expected))
    answer = call.execute()
    assert answer.status == expected, answer.text()[:500]
    if path in {"/v1/feature-maps", "/v1/explain"}:
        assert all("changes" not in result for result in answer.json()["results"])
    if path == "/v1/what-if":
        # The edit is one that the reader sees: in the form, the example or the query.
        seen = call.place.locator(".curl-command").inner_text()
        assert all(f'"{change["action"]}"' in _plain(seen) for change in answer.json()["results"][0]["changes"])


def _plain(command):
    return unquote(command).replace("\\", "")


def test_the_calls_are_in_sight_as_the_page_opens(visit):
    opened = visit()
    page = opened.page
    page.goto(f"{opened.origin}/docs")
    first = page.locator(".opblock").first
    first.wait_for()
    assert first.bounding_box()["y"] < 400
    # The long description is there, and the page leads to it.
    page.get_by_role("button", name="How pictures, options and answers are written").click()
    title = page.get_by_text(DOCUMENT["info"]["description"].splitlines()[0][:40])
    assert 0 <= title.bounding_box()["y"] < 900
