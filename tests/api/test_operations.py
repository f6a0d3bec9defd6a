"""The pages that are written by hand: markup of HTML's own, and no word lost in it."""

from html.parser import HTMLParser

import pytest

from service.api.http.errors import PROBLEMS

# HTML's elements, without those that embed anything else.
TAGS = {
    "a", "abbr", "article", "aside", "b", "body", "br", "button", "canvas", "caption", "code", "datalist", "dd",
    "details", "dialog", "div", "dl", "dt", "em", "fieldset", "figcaption", "figure", "footer", "form", "h1", "h2",
    "h3", "head", "header", "hr", "html", "i", "img", "input", "kbd", "label", "legend", "li", "link", "main", "meta",
    "meter", "nav", "noscript", "ol", "optgroup", "option", "output", "p", "progress", "script", "search", "section",
    "select", "small", "span", "strong", "sub", "summary", "sup", "table", "tbody", "td", "template", "textarea",
    "th", "thead", "time", "title", "tr", "ul", "video",
}  # fmt: skip


class Page(HTMLParser):
    """A page, taken apart."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.text = set(), ""
        self.feed(text)

    def handle_starttag(self, tag, attrs):  # noqa: ARG002  # the parser's signature
        self.tags.add(tag)

    def handle_data(self, data):
        self.text += data


def pages(app):
    client = app.test_client()
    for rule in app.url_map.iter_rules():
        if "GET" in rule.methods and not rule.arguments:
            answer = client.get(rule.rule)
            if answer.mimetype == "text/html":
                yield rule.rule, answer.get_data(as_text=True)


def test_every_page_has_elements_of_html_alone(app):
    found = {path: Page(text).tags - TAGS for path, text in pages(app)}
    assert {"/", "/docs", "/docs/problems"} <= set(found)
    assert not set.union(*found.values()), found


@pytest.mark.parametrize("kind", PROBLEMS)
def test_the_page_of_problems_says_every_word(client, kind):
    status, title, meaning = PROBLEMS[kind]
    text = Page(client.get("/docs/problems").get_data(as_text=True)).text
    assert f"{status} {title}" in text
    assert meaning in text
