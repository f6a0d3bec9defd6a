"""The page in a real Chromium, as a person uses it."""

# The page writes a true minus, a dash and a times sign, and so do these tests.
# ruff: noqa: RUF001

import json
import re
import shutil
import subprocess
import sys

import numpy as np
import pytest
from playwright.sync_api import expect
from scipy import signal

from tests.drawing import draw, encode
from tests.web.browsing import ONE, SEVEN, ask, in_proof, needs_chromium, percent, softmax_of, some, written

pytestmark = needs_chromium


def bars(page):
    return page.locator("#bars .share").all_inner_texts()


def test_the_first_look_shows_a_three_and_its_maps_without_a_click(visit):
    page = visit().open()
    expect(page.locator("#confidence")).to_have_text("> 99.9 %")
    expect(page.locator("#sum")).to_contain_text("as the service computed")
    painted = page.locator(".layer .map canvas").evaluate_all("all => all.filter(canvas => canvas.width > 1).length")
    assert painted == page.locator(".layer .map").count() > 100


@pytest.mark.parametrize("motion", ["no-preference", "reduce"])
def test_the_example_is_drawn_whole_whatever_motion_is_asked_for(visit, motion):
    page = visit(reduced_motion=motion).open()
    expect(page.locator("#confidence")).to_have_text("> 99.9 %")
    expect(page.locator("#pad-hint")).to_have_text("An example. Draw over it.")
    expect(page.locator("#aside")).not_to_contain_text("may not be a digit")
    page.get_by_role("button", name="Example").click()
    expect(page.locator("#pad:not([aria-busy])")).to_be_visible()
    expect(page.locator("#confidence")).to_have_text("> 99.9 %")


@pytest.mark.parametrize("moment", ["while it is drawn", "when it is whole", "undone while it is drawn"])
def test_nothing_of_the_example_is_left_in_the_first_drawing(visit, moment):
    opened = visit()
    page = opened.open()
    page.get_by_role("button", name="Clear").click()
    opened.draw(SEVEN)
    expect(page.locator("#digit")).to_have_text("7")
    opened.rest()
    alone = opened.seen()
    page.get_by_role("button", name="Example").click()
    expect(page.locator("#pad-hint")).to_have_text("An example. Draw over it.")
    if moment == "when it is whole":
        expect(page.locator("#pad:not([aria-busy])")).to_be_visible()
    elif moment == "undone while it is drawn":
        page.get_by_role("button", name="Undo").click()
        page.get_by_role("button", name="Clear").click()
    opened.draw(SEVEN)
    expect(page.locator("#digit")).to_have_text("7")
    opened.rest()
    np.testing.assert_array_equal(opened.seen(), alone)


def test_a_digit_drawn_with_the_mouse_is_read_as_the_service_reads_it(visit, origin):
    opened = visit()
    page = opened.open()
    opened.draw(SEVEN)
    expect(page.locator("#digit")).to_have_text("7")
    opened.rest()
    expect(page.locator("#live")).to_contain_text("Reads as 7")
    [result] = ask(origin, "/v1/classify", {"image": opened.seen().tolist(), "prepare": "none"})["results"]
    assert bars(page) == [percent(share) for share in softmax_of(result, origin)]


def test_undoing_everything_leaves_the_sentence_for_an_empty_pad(visit):
    opened = visit()
    page = opened.open()
    opened.draw(ONE)
    expect(page.locator("#digit")).to_have_text("1")
    page.get_by_role("button", name="Undo").click()
    expect(page.locator("#aside")).to_contain_text("Nothing drawn yet")
    expect(page.locator("#digit")).to_have_text("–")
    assert bars(page) == [""] * 10


def test_a_file_is_read_and_its_own_bytes_are_what_is_sent(visit):
    page = visit().open()
    picture = encode(draw(4))
    with page.expect_request("**/v1/classify*") as sent:
        page.locator("input[type=file]").set_input_files(
            {"name": "four.png", "mimeType": "image/png", "buffer": picture}
        )
    assert sent.value.post_data_buffer == picture
    expect(page.locator("#digit")).to_have_text("4")


@pytest.mark.parametrize("kind", ["paste", "drop"])
def test_a_picture_can_be_pasted_and_dropped(visit, kind):
    page = visit().open()
    page.evaluate(
        """([kind, bytes]) => {
            const transfer = new DataTransfer();
            transfer.items.add(new File([new Uint8Array(bytes)], 'two.png', {type: 'image/png'}));
            const event = kind === 'paste'
                ? new ClipboardEvent('paste', {clipboardData: transfer, bubbles: true, cancelable: true})
                : new DragEvent('drop', {dataTransfer: transfer, bubbles: true, cancelable: true});
            document.body.dispatchEvent(event);
        }""",
        [kind, list(encode(draw(2)))],
    )
    expect(page.locator("#digit")).to_have_text("2")


def test_every_test_pattern_meets_the_filter_with_the_sum_that_scipy_finds(visit, origin):
    opened = visit()
    page = opened.open("#view=bench&bench=2,valid,linear,0,60,1")
    weights = ask(origin, "/v1/filters/diagonal_falling")["weights"]
    for name in ["zeros", "ones", "checkerboard", "falling", "rising", "rug"]:
        page.get_by_label("Test pattern").select_option(name)
        y, x = np.mgrid[:28, :28]
        ink = {"zeros": x < 0, "ones": x >= 0, "checkerboard": (x + y) % 2 == 1, "falling": x > y, "rising": x + y < 27}
        expect(page.locator("#seen")).to_be_visible()
        opened.rest()
        if name in ink:
            np.testing.assert_array_equal(opened.seen(), ink[name].astype(float))
        total = signal.correlate(opened.seen(), weights, "valid")[::2, ::2].ravel()[60]
        expect(page.locator("#response-sum")).to_have_text(f"sum {written(total)} ✓")


def test_shifting_the_digit_tells_what_each_layer_forgives(visit):
    opened = visit()
    page = opened.open()
    before = opened.seen()
    page.get_by_role("button", name="Shift right").click()
    expect(page.get_by_text("Change of each layer")).to_be_visible()
    np.testing.assert_array_equal(opened.seen(), np.roll(before, 1, axis=1))
    page.get_by_role("button", name="Back to the middle").click()
    expect(page.get_by_text("Change of each layer")).to_be_hidden()


def test_the_sum_in_the_dock_is_the_value_that_the_service_answers(visit, origin):
    opened = visit()
    page = opened.open()
    layers = [layer for layer in ask(origin, "/v1/models/digits")["layers"] if layer["op"] == "conv"]
    wanted = {
        "image": opened.seen().tolist(),
        "prepare": "none",
        "layers": [f"{layer['name']}.pre" for layer in layers],
    }
    answer = ask(origin, "/v1/feature-maps", wanted)["results"][0]["layers"]
    random = np.random.default_rng(5)
    for layer, maps in zip(layers, answer, strict=True):
        for _ in range(3):
            k, row, column = (int(random.integers(size)) for size in layer["shape"])
            cell = {"layer": layer["name"], "filter": k, "row": row, "column": column}
            page.evaluate("hash => { location.hash = hash; }", "#at={layer}/{filter}@{row},{column}".format(**cell))
            title = "{layer}, filter {filter}, row {row}, column {column}".format(**cell)
            expect(page.locator("#dock h2")).to_have_text(title)
            opened.rest()
            value = maps["filters"][k]["map"][row][column]
            # The title is that of the cell at once, the sum when the service has answered.
            for _ in range(50):
                total = sum_in_words(page)
                if abs(total - value) <= 6e-4:
                    break
                page.wait_for_timeout(100)
            np.testing.assert_allclose(total, value, atol=6e-4)


def sum_in_words(page):
    words = page.locator("#sum")
    expect(words).to_contain_text("as the service computed")
    return float(re.search(r"= (−?[\d.]+)", words.inner_text())[1].replace("−", "-"))


def test_a_click_pins_a_cell_and_escape_lets_it_go(visit):
    page = visit().open()
    tile = page.get_by_role("button", name="conv1, filter 7", exact=True)
    tile.click(position={"x": 10, "y": 20})
    expect(page.locator("#dock h2")).to_have_text(re.compile("^conv1, filter 7,"))
    title = page.locator("#dock h2").inner_text()
    page.get_by_role("button", name="conv1, filter 1", exact=True).hover()
    expect(page.locator("#dock h2")).to_have_text(title)
    page.locator("#dock").get_by_role("grid").focus()
    page.keyboard.press("ArrowDown")
    expect(page.locator("#dock h2")).not_to_have_text(title)
    page.keyboard.press("Escape")
    expect(page.get_by_role("button", name="Pin", exact=True)).to_have_attribute("aria-pressed", "false")


def test_the_window_counts_patches_and_shows_the_unread_edge(visit):
    page = visit().open("#view=bench")
    for window, counts, edge in [
        ("7,2,valid", "11 × 11 = 121 patches of 7 × 7", "1 row and 1 column at the edge are never read"),
        ("7,2,same", "14 × 14 = 196 patches of 7 × 7", "every pixel is read"),
        ("5,1,valid", "24 × 24 = 576 patches of 5 × 5", ""),
    ]:
        page.evaluate("hash => { location.hash = hash; }", f"#view=window&win=diagonal_falling,{window},0")
        expect(page.locator("#view-bench .counts h2")).to_have_text(counts)
        expect(page.locator("#view-bench .counts p")).to_contain_text(edge)
    page.get_by_role("button", name="Step", exact=True).click()
    expect(page.get_by_text("patch 2, its corner")).to_be_visible()


def test_an_edited_kernel_gives_the_response_that_scipy_finds(visit):
    opened = visit()
    page = opened.open("#view=bench&bench=1,valid,linear,0,-1,1&k=3x3:0,0,0,0,1,0,0,0,0:0")
    with page.expect_response("**/v1/apply-filters") as answered:
        page.locator(".kernel [data-index='5']").click()
        page.keyboard.type("-2.5")
    opened.rest()
    sent = json.loads(answered.value.request.post_data)
    assert sent["filters"][0]["weights"][1][2] in {0, 1, -2, -2.5}
    kernel = np.array([[0, 0, 0], [0, 1, -2.5], [0, 0, 0]])
    expected = signal.correlate(opened.seen(), kernel, "valid")
    grid = page.get_by_role("grid", name="response")
    for row, column in [(12, 12), (5, 14), (20, 9)]:
        canvas = grid.locator("canvas")
        box = canvas.bounding_box()
        canvas.hover(position={"x": (column + 0.5) * box["width"] / 26, "y": (row + 0.5) * box["height"] / 26})
        expect(page.locator("#response-sum")).to_have_text(f"sum {written(expected[row, column])} ✓")


def test_a_learnt_filter_in_the_editor_answers_as_its_layer_does(visit, origin):
    opened = visit()
    page = opened.open("#at=conv1/6@3,3")

    def of_the_learnt_size(response):
        return (
            "/v1/apply-filters" in response.url
            and len(json.loads(response.request.post_data)["filters"][0]["weights"]) == 5
        )

    with page.expect_response(of_the_learnt_size) as answered:
        page.get_by_role("button", name="Edit this filter").click()
    response = np.array(answered.value.json()["results"][0]["filters"][0]["response"])
    wanted = {"image": opened.seen().tolist(), "prepare": "none", "layers": ["conv1.pre"], "filters": [6]}
    [layer] = ask(origin, "/v1/feature-maps", wanted)["results"][0]["layers"]
    np.testing.assert_allclose(response, layer["filters"][0]["map"], atol=1e-5)


def test_a_filter_put_into_the_network_changes_the_verdict_as_what_if_says(visit, origin):
    opened = visit()
    page = opened.open("#view=bench&bench=1,valid,linear,0,-1,1&k=5x5:" + ",".join(["8"] * 25) + ":3")
    before = bars(page)
    page.get_by_role("button", name="Put it into the network").click()
    expect(page.locator("#outcome")).to_contain_text("With your filter as conv1/0")
    change = {"layer": "conv1", "filter": 0, "action": "replace", "weights": [[8] * 5] * 5, "bias": 3}
    [result] = ask(origin, "/v1/what-if", {"image": opened.seen().tolist(), "prepare": "none", "changes": [change]})[
        "results"
    ]
    expect(page.locator("#digit")).to_have_text(str(result["after"]["digit"]))
    assert bars(page) == [percent(share) for share in softmax_of(result["after"], origin)] != before
    page.get_by_role("button", name="Take it out").click()
    expect(page.locator("#digit")).to_have_text("3")
    assert bars(page) == before


def test_the_ball_lands_on_the_margin_and_the_smallest_set_flips_it(visit, origin):
    opened = visit()
    page = opened.open("#view=why&target=3&rival=8")
    expect(page.locator("#view-why h2")).to_contain_text("3 leads 8 by")
    [result] = ask(origin, "/v1/classify", {"image": opened.seen().tolist(), "prepare": "none"})["results"]
    margin = result["logits"][3] - result["logits"][8]
    lead = float(page.locator("#view-why h2").inner_text().rsplit(" ", 1)[1])
    np.testing.assert_allclose(lead, margin, atol=6e-3)
    terms = page.locator("#ledger-sum").inner_text().split(" = ")[0]
    numbers = [
        float(sign.replace("− ", "-").replace("+ ", "").replace("−", "-"))
        for sign in re.findall(r"(?:[+−] )?−?\d+\.\d+", terms)
    ]
    np.testing.assert_allclose(sum(numbers), margin, atol=0.005 * len(numbers))
    page.get_by_role("button", name="Smallest set that flips it", exact=True).click()
    page.get_by_role("button", name="Switch them off").click()
    expect(page.locator("#view-why h2")).to_contain_text("it reads 8 rather than 3")
    expect(page.locator("#digit")).not_to_have_text("3")


@pytest.mark.parametrize("is_told", [True, False])
def test_every_percentage_is_the_softmax_of_its_logit_and_doubt_is_told_apart(visit, origin, is_told):
    opened = visit()
    page = opened.page
    verdicts = []

    def with_doubt(route):
        answer = route.fetch().json()
        for verdict in answer["results"]:
            best = softmax_of(verdict, origin)[verdict["digit"]]
            verdict.pop("doubt", None)
            if is_told:
                verdict["doubt"] = (best - verdict["confidence"]) / (best - 0.1)
            verdicts.append(verdict)
        route.fulfill(json=answer)

    page.route("**/v1/classify*", with_doubt)
    opened.open("#view=what-if&pic=t:ones", wait_for=None)
    expect(page.locator("#view-what-if tbody tr")).to_have_count(10)
    opened.rest()
    verdict = verdicts[-1]
    shares = [percent(share) for share in softmax_of(verdict, origin)]
    assert bars(page) == shares
    assert page.locator("#view-what-if tbody tr td:nth-child(3)").all_inner_texts() == shares
    assert page.locator("#view-what-if tbody tr td:nth-child(4)").all_inner_texts() == [
        written(logit, 2) for logit in verdict["logits"]
    ]
    expect(page.locator("#confidence")).to_have_text(percent(verdict["confidence"]))
    if is_told:
        assert verdict["doubt"] > 0.05
        expect(page.locator("#aside")).to_contain_text("Confidence, after doubt.")
        expect(page.locator("#doubt .share")).to_have_text(percent(verdict["doubt"]))
        expect(page.locator("#doubt")).to_contain_text("given back evenly, because the picture is unlike a digit")
    else:
        expect(page.locator("#doubt")).to_be_hidden()


def test_with_filters_off_all_of_why_is_about_the_changed_network(visit):
    opened = visit()
    page = opened.open("#view=why&target=3&rival=8")
    page.get_by_role("button", name="Smallest set that flips it", exact=True).click()
    page.get_by_role("button", name="Switch them off").click()
    expect(page.locator("#view-why h2")).to_contain_text("it reads 8 rather than 3")
    opened.rest()
    lead = re.search(r"by (−?[\d.]+)", page.locator("#view-why h2").inner_text())[1]
    expect(page.get_by_text("biases")).to_contain_text(f"= {lead};")
    assert page.evaluate("document.documentElement.scrollWidth") <= 1440


def test_switching_filters_off_shows_before_and_after(visit, origin):
    opened = visit()
    page = opened.open("#view=what-if")
    switch = page.get_by_role("switch", name="conv1, filter 2", exact=True)
    switch.click()
    expect(switch).to_have_attribute("aria-checked", "false")
    change = {"layer": "conv1", "filter": 2, "action": "off"}
    [result] = ask(origin, "/v1/what-if", {"image": opened.seen().tolist(), "prepare": "none", "changes": [change]})[
        "results"
    ]
    expect(page.locator("#view-what-if tbody tr").nth(3)).to_contain_text(written(result["after"]["logits"][3], 2))


def test_a_reloaded_address_shows_the_same_again_and_back_goes_back(visit):
    opened = visit()
    page = opened.open()
    opened.draw(SEVEN)
    expect(page.locator("#digit")).to_have_text("7")
    page.get_by_role("tab", name="Bench").click()
    page.get_by_label("Filter", exact=True).select_option("named/sobel_x")
    expect(page.get_by_label("Rows")).to_have_value("3")
    opened.rest()
    page.wait_for_timeout(600)
    response, seen = opened.canvas("#view-bench .map-figure canvas"), opened.canvas("#seen")
    assert "view=bench" in page.url
    assert "pic=s:" in page.url
    page.reload()
    expect(page.locator("#digit")).to_have_text("7")
    expect(page.get_by_label("Rows")).to_have_value("3")
    opened.rest()
    assert opened.canvas("#seen") == seen
    assert opened.canvas("#view-bench .map-figure canvas") == response
    page.get_by_role("tab", name="Why").click()
    expect(page.locator("#view-why h2")).to_contain_text("7 leads")
    page.go_back()
    expect(page.locator("#view-bench")).to_be_visible()


def test_what_does_not_fit_in_a_link_is_named_and_the_rest_is_used(visit):
    page = visit().open("#view=window&scale=rainbow&pic=t:<b>&win=diagonal_falling,9,3,valid,0")
    expect(page.locator("#notice")).to_contain_text("scale, pic could not be used")
    expect(page.locator("#view-bench .counts h2")).to_contain_text("patches of 9 × 9")


def refuse(page, path, status, detail, headers=None):
    problem = {"type": "about:blank", "title": "Refused", "status": status, "detail": detail}
    headers = {"Content-Type": "application/problem+json"} | (headers or {})
    page.route(f"**{path}*", lambda route: route.fulfill(status=status, headers=headers, body=json.dumps(problem)))


@pytest.mark.parametrize(
    ("path", "view", "status", "words"),
    [
        ("/v1/explain", "why", 409, "This network does not answer that. only a linear head"),
        ("/v1/apply-filters", "bench", 422, "only a linear head"),
        ("/v1/apply-filters", "bench", 503, "The service is busy"),
        ("/v1/feature-maps", "network", 429, "The service is busy"),
    ],
)
def test_a_refusal_is_told_in_words_where_it_happened(visit, path, view, status, words):
    opened = visit()
    opened.expected = ["Failed to load resource"]
    refuse(opened.page, path, status, "only a linear head", {"Retry-After": "1"})
    page = opened.open(f"#view={view}")
    expect(page.locator(f"#view-{view} .standing")).to_contain_text(words)


def test_a_wanted_key_is_asked_for_and_never_put_into_the_address(visit):
    opened = visit()
    opened.expected = ["Failed to load resource"]
    refuse(opened.page, "/v1/classify", 401, "a key is wanted")
    page = opened.open(wait_for="–")
    page.get_by_label("Key", exact=True).fill("s3cret")
    page.unroute("**/v1/classify*")
    with page.expect_request("**/v1/classify*") as sent:
        page.get_by_role("button", name="Use").click()
    assert sent.value.headers["authorization"] == "Bearer s3cret"
    expect(page.locator("#digit")).to_have_text("3")
    page.wait_for_timeout(700)
    assert "s3cret" not in page.url


def test_a_service_that_goes_away_leaves_the_drawing_and_is_asked_again(visit):
    opened = visit()
    opened.expected = ["Failed to load resource"]
    page = opened.open()
    page.route("**/v1/classify*", lambda route: route.abort())
    opened.draw(ONE)
    expect(page.locator("#rail-notes")).to_contain_text("The service does not answer. Your drawing is kept")
    page.unroute("**/v1/classify*")
    expect(page.locator("#digit")).to_have_text("1")
    expect(page.get_by_text("The service does not answer")).to_have_count(0)


def test_the_help_shows_the_card_of_the_network(visit, client):
    opened = visit(reduced_motion="reduce")
    page = opened.open("#view=network")
    card = client.get("/v1/models/digits").json["card"]
    page.locator("#help").click()
    expect(page.locator("#dialog-title")).to_have_text("Keys")
    said = page.locator("dialog").inner_text()
    assert card["purpose"] in said
    assert card["chosen"] in said
    for one in [*card["figures"], *card["failures"]]:
        assert f"{100 * one['value']:.2f} ± {100 * one['error']:.2f} %" in said
    for one in card["confuses"]:
        assert f"{one['digit']} as {one['read_as']} ({one['count']} of {one['of']})" in said


RUNS = {"curl": ["bash", "-c"], "Python": [sys.executable, "-c"], "JavaScript": ["node", "--input-type=module", "-e"]}


def run_code(page, language, name):
    """Run what a panel gives to take away, as it is; what it prints."""
    if not shutil.which(RUNS[language][0]):
        pytest.skip(f"no {RUNS[language][0]} here to run {language}")
    page.get_by_text("Take away").click()
    page.get_by_role("button", name=f"{language} of {name}", exact=True).click()
    expect(page.locator("#dialog-title")).to_have_text(f"{name}, as {language}")
    code = page.locator("dialog pre").inner_text()
    page.get_by_role("button", name="Close").click()
    if language == "JavaScript":
        code = code.replace("console.log(answer)", "console.log(JSON.stringify(answer))")
    done = subprocess.run([*RUNS[language], code], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr[-600:]
    return json.loads(done.stdout)


@pytest.mark.parametrize("language", some(sorted(RUNS), 1))
def test_the_code_of_a_panel_runs_and_agrees_with_it(visit, language):
    opened = visit(reduced_motion="reduce")
    page = opened.open("#view=what-if&change=conv1/2:off;conv2/3:x0.5")
    expect(page.locator("#after")).to_contain_text("3")
    opened.rest()
    shown = page.locator("#view-what-if tbody tr td:nth-child(4)").all_inner_texts()
    after = run_code(page, language, "what-if")["results"][0]["after"]
    assert [written(logit, 2) for logit in after["logits"]] == shown


EVERY = {
    "network": ["verdict", "feature maps"], "bench": ["response", "patches", "your network"], "why": ["ledger"],
    "filters": ["filters"],
}  # fmt: skip


@in_proof
@pytest.mark.parametrize("view", sorted(EVERY))
def test_the_code_of_every_panel_runs(visit, view):
    opened = visit(reduced_motion="reduce")
    opened.expected = ["404"]  # a model without a report on a data set
    page = opened.open(f"#view={view}&chain=max2,sobel_x")
    expect(page.locator(f"#view-{view} canvas").first).to_be_visible()
    opened.rest()
    page.get_by_text("Take away").click()
    expect(page.locator("#take-menu [role=group]").first).to_be_visible()
    names = [group.get_attribute("aria-label") for group in page.locator("#take-menu [role=group]").all()]
    assert names == list(dict.fromkeys(["verdict", *EVERY[view]]))
    page.keyboard.press("Escape")
    expect(page.locator("#take-menu")).to_be_hidden()
    for name in EVERY[view]:
        for language in sorted(RUNS):
            assert run_code(page, language, name), f"{name}, {language}"


def test_the_maps_can_be_taken_away_as_files(visit):
    page = visit().open()
    for format_name, start in [("png", b"\x89PNG"), ("npz", b"PK"), ("json", b"{")]:
        page.locator("#take").evaluate("menu => { menu.open = true; }")
        with page.expect_download() as given:
            page.get_by_role("button", name=f"Download feature maps as {format_name}").click()
        assert given.value.path().read_bytes().startswith(start)


def test_every_view_opens_and_says_something(visit):
    opened = visit()
    opened.expected = ["404"]  # a model without a report on a data set
    page = opened.open()
    for name in ["Bench", "Why", "What if", "Filters", "Network"]:
        page.get_by_role("tab", name=name).click()
        panel = page.get_by_role("tabpanel")
        expect(panel).to_have_count(1)
        expect(panel.locator("canvas").first).to_be_visible()
        page.wait_for_timeout(200)
        assert panel.locator(".problem:visible").count() == 0
