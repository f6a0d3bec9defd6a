"""shared/terms.js and the glossary, in a real browser: what a word means, where it stands."""

import re

from playwright.sync_api import expect

from tests.web.browsing import in_proof, needs_chromium

pytestmark = needs_chromium

VIEWS = ["network", "bench", "why", "what-if", "filters"]
# Words that nobody knows who has not met a network before; where one is a label or in a caption, it is explained there.
UNPLAIN = ["activation", "bias", "coherence", "logits", "margin", "pooling", "selectivity", "separable", "softmax"]


def test_every_word_that_is_marked_is_explained_and_every_explanation_is_used(run, visit):
    glossary = run("shared/glossary.js", "m.GLOSSARY")
    opened = visit(reduced_motion="reduce")
    opened.expected = ["404"]  # a model without a report on a data set
    page = opened.open("#pic=t:ones", wait_for=None)
    marked = set()
    for view in VIEWS:
        page.locator(f"#tab-{view}").click()
        expect(page.locator(f"#view-{view} .caption .term").first).to_be_visible()
        opened.rest()
        found = set(page.locator(".term").evaluate_all("all => all.map(word => word.dataset.term)"))
        words = page.locator(f"#view-{view}").locator(".caption, dt, .name, h2, th").all_inner_texts()
        for word in UNPLAIN:
            if any(re.search(rf"\b{word}\b", text) for text in words):
                assert word in found, f"{word} in {view}"
        marked |= found
    # Of the report on a data set, which not every model has.
    assert marked | {"silent", "selectivity", "d\u2032", "doubt"} == set(glossary)
    assert all(text.endswith(".") and text.count(".") <= 5 for text in glossary.values())


@in_proof
def test_a_word_is_explained_to_a_pointer_the_keys_and_a_finger_and_escape_ends_it(visit):
    opened = visit(reduced_motion="reduce")
    page = opened.open()
    word = page.locator("#view-network .caption .term").first
    box = page.locator("#explanation")
    expect(box).to_be_hidden()
    word.hover()
    expect(box).to_contain_text("The answers of one filter")
    box.hover()
    expect(box).to_be_visible()
    page.locator("#pad").hover()
    expect(box).to_be_hidden()
    word.focus()
    expect(box).to_be_visible()
    expect(word).to_have_accessible_description(re.compile("^The answers of one filter"))
    page.keyboard.press("Escape")
    expect(box).to_be_hidden()
    phone = visit(width=390, height=844, has_touch=True, is_mobile=True, reduced_motion="reduce")
    page = phone.open()
    page.locator("#view-network .caption .term").last.tap()
    box = page.locator("#explanation")
    expect(box).to_be_in_viewport(ratio=1)
    page.locator("#view-network h2").first.tap()
    expect(box).to_be_hidden()
