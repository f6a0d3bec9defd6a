"""shared/dom.js, in a real browser: elements and their text."""

from tests.web.browsing import needs_chromium

pytestmark = needs_chromium


def test_each_part_of_a_caption_in_brackets_is_a_link_that_does_the_act_of_its_turn(run):
    text, links, done = run(
        "shared/dom.js",
        """(() => {
            const done = [];
            const root = m.caption(given, () => done.push("a"), () => done.push("b"));
            const links = [...root.querySelectorAll("button")];
            links.toReversed().forEach((link) => link.click());
            return [root.textContent, links.map((link) => link.textContent), done];
        })()""",
        "Try [one], or [two].",
    )
    assert text == "Try one, or two."
    assert links == ["one", "two"]
    assert done == ["b", "a"]


def test_every_caption_has_as_many_links_as_its_view_has_acts_for(run, visit):
    captions = run("shared/words.js", "m.CAPTIONS")
    page = visit().open()
    for view, text in captions.items():
        page.locator(f"#tab-{view}").click()
        caption = page.locator(f"#view-{view} .caption").first
        assert caption.text_content() == text.replace("[", "").replace("]", "")
        assert caption.locator("button").count() == text.count("[")
        for link in caption.locator("button").all():
            link.click()
