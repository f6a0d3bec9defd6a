"""shared/dom.js, in a real browser: elements and their text."""

import re

from playwright.sync_api import expect

from tests.web.browsing import needs_chromium

pytestmark = needs_chromium


def test_each_part_of_a_caption_in_brackets_is_a_link_that_does_the_act_of_its_turn(run):
    text, links, terms, done = run(
        "shared/dom.js",
        """(() => {
            const done = [];
            const root = m.caption(given, () => done.push("a"), () => done.push("b"));
            const texts = (all) => [...all].map((each) => each.textContent);
            const links = [...root.querySelectorAll(".link")];
            links.toReversed().forEach((link) => link.click());
            return [root.textContent, texts(links), texts(root.querySelectorAll(".term")), done];
        })()""",
        "Try [one], a {word}, or [two].",
    )
    assert text == "Try one, a word, or two."
    assert terms == ["word"]
    assert links == ["one", "two"]
    assert done == ["b", "a"]


def test_every_caption_has_as_many_links_as_its_view_has_acts_for(run, visit):
    captions = run("shared/words.js", "m.CAPTIONS")
    page = visit().open()
    for view, text in captions.items():
        page.locator(f"#tab-{view}").click()
        caption = page.locator(f"#view-{view} .caption").first
        expect(caption).to_have_text(re.sub(r"[\[\]{}]", "", text))
        assert caption.locator("button.link").count() == text.count("[")
        assert caption.locator("button.term").count() == text.count("{")
        for link in caption.locator("button.link").all():
            link.click()
