"""The training that can be watched: each kept step as the service answers it, on the digit at hand."""

import json
import shutil

import numpy as np
import pytest
from playwright.sync_api import expect

from service.settings import SHIPPED_MODELS
from tests.api.v1.test_history import STEPS, kept_steps, write_history
from tests.networks import STRUCTURES, random_weights, write_model
from tests.serving import serving
from tests.web.browsing import SEVEN, ask, needs_chromium, percent

pytestmark = needs_chromium


@pytest.fixture(scope="module")
def origin(tmp_path_factory):
    """A service whose network "lecture" is small and random, and has the steps of a training."""
    models = tmp_path_factory.mktemp("models")
    shutil.copytree(SHIPPED_MODELS / "digits", models / "digits")
    structure = STRUCTURES["lecture"]
    finished = {
        name: array.astype(np.float16).astype(np.float32) for name, array in random_weights(structure, 9).items()
    }
    write_history(write_model(models, "lecture", structure, finished), kept_steps(structure, finished))
    with serving(environ={"FILTERSCOPE_MODELS": str(models)}) as (port, _):
        yield f"http://127.0.0.1:{port}"


def asked(opened, step):
    """What the service answers of a step, past the page."""
    members = {"image": opened.seen().tolist(), "prepare": "none", "model": "lecture", "step": step}
    return ask(opened.origin, "/v1/classify", members)["results"][0]


def check(opened, step):
    page = opened.page
    expect(page.locator("#watch-said")).to_contain_text(f"Step {step} of {STEPS - 1}: {1000 * step:,} pictures seen")
    opened.rest()
    verdict = asked(opened, step)
    share = percent(verdict["probabilities"][verdict["digit"]])
    expect(page.locator("#watch-reads")).to_have_text(f"It reads your digit as {verdict['digit']}, {share}")
    assert page.locator("#view-learn .bars .share").all_inner_texts() == [percent(p) for p in verdict["probabilities"]]
    expect(page.locator(".trail li.here")).to_have_text(str(verdict["digit"]))
    return verdict["digit"]


def tiles(page, lane):
    return page.locator(f"figure[data-lane='learn/{lane}'] canvas").evaluate_all("all => all.map(c => c.toDataURL())")


def test_each_step_shows_its_filters_its_maps_and_what_it_read(visit):
    opened = visit()
    page = opened.open("#view=learn")
    slider = page.get_by_label("Step of the training")
    digits, filters = [check(opened, 0)], [tiles(page, "filters")]
    slider.focus()
    for step in range(1, STEPS):
        page.keyboard.press("ArrowRight")
        digits.append(check(opened, step))
        filters.append(tiles(page, "filters"))
        maps = tiles(page, "maps")
        assert len(maps) == len(filters[-1]) == 5
        assert filters[-1] != filters[-2]
    assert page.locator(".trail li").all_inner_texts() == [str(digit) for digit in digits]
    opened.draw(SEVEN)
    expect(page.locator("#digit")).to_have_text("7")
    check(opened, STEPS - 1)
    assert tiles(page, "maps") != maps
    assert tiles(page, "filters") == filters[-1]
    assert page.locator(".trail li").all_inner_texts()[:-1] == ["·"] * (STEPS - 1)
    page.wait_for_timeout(600)
    page.reload()
    check(opened, STEPS - 1)
    page.get_by_role("button", name="Play").click()
    expect(page.locator("#watch-said")).to_contain_text(f"Step {STEPS - 1} of")
    expect(page.locator(".trail")).not_to_contain_text("·")


def test_where_no_training_was_kept_the_page_says_so_and_trains(visit):
    opened = visit()
    opened.expected = ["404"]
    opened.page.route("**/v1/models/lecture/history*", no_history)
    page = opened.open("#view=learn")
    expect(page.locator("#view-learn")).to_contain_text("This service has not kept the training")
    expect(page.get_by_role("button", name="Train", exact=True)).to_be_visible()
    expect(page.get_by_label("Step of the training")).to_be_hidden()


def no_history(route):
    problem = {"title": "Not found", "status": 404, "detail": "of lecture/1 no training was kept"}
    route.fulfill(status=404, content_type="application/problem+json", body=json.dumps(problem))
