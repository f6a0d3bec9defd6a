"""Every link of every page leads somewhere: to a file that there is, and to a heading that it has."""

import posixpath
import re
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest

from tests.documents.pages import ALL_PAGES, FENCE, FOLDERS, read
from tests.serving import ROOT

LINK = re.compile(r"\]\(\s*<?([^)>\s]+)")
DEFINITION = re.compile(r"^\[[^\]]+\]:\s*(\S+)", re.MULTILINE)
# A page of ours named in code, settings or comments, with a heading or without.
NAMED = re.compile(rf"(?<![\w/.-])((?:(?:{'|'.join(FOLDERS)})/[\w./-]+|[A-Z]{{6,}})\.md)\b(#[\w-]+)?")
SOURCES = {".py", ".js", ".ts", ".yaml", ".yml", ".toml", ".conf", ".service", ".json", ""}


def links(text):
    """
    The targets of a page's links and pictures, those within code left out.

    >>> links("[a](b.md#c) ![d](e.png) `[f](g)`\\n```\\n[h](i)\\n```\\n[j]: k.md\\n")
    ['b.md#c', 'e.png', 'k.md']
    """
    prose = re.sub(r"`[^`\n]*`", "", FENCE.sub("", text))
    return LINK.findall(prose) + DEFINITION.findall(prose)


def anchors(text):
    """
    The anchors of a page's headings, as GitHub makes them.

    >>> sorted(anchors("# A page, with `code`\\n## Twice\\n## Twice\\n### [Linked](x.md) & more\\n"))
    ['a-page-with-code', 'linked--more', 'twice', 'twice-1']
    """
    found = []
    for heading in re.findall(r"^#{1,6} +(.*?)(?: +#+)?$", FENCE.sub("", text), re.MULTILINE):
        words = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading).lower()
        slug = re.sub(r"[^\w\- ]", "", words).replace(" ", "-")
        repeated = found.count(slug)
        found += [slug, f"{slug}-{repeated}"] if repeated else [slug]
    return set(found)


def target(page, link):
    """
    The path, from the root, that a link of a page leads to.

    >>> target("deploy/README.md", "../README.md#start"), target("deploy/README.md", "#tls")
    ('README.md', 'deploy/README.md')
    """
    path = unquote(urlsplit(link).path)
    return posixpath.normpath(posixpath.join(posixpath.dirname(page), path)) if path else page


def fault(page, link):
    """What is wrong with a link of a page, or an empty text."""
    parts = urlsplit(link)
    if parts.scheme:
        return "" if parts.scheme == "https" else f"{link} is not https"
    path = target(page, link)
    if path.startswith("..") or not (ROOT / path).exists():
        return f"{link}: there is no {path}"
    if parts.fragment and parts.fragment not in (anchors(read(path)) if path.endswith(".md") else ()):
        return f"{link}: {path} has no such heading"
    return ""


@pytest.mark.parametrize("page", ALL_PAGES)
def test_every_link_leads_somewhere(page):
    assert [wrong for wrong in (fault(page, link) for link in links(read(page))) if wrong] == []


@pytest.mark.parametrize("link", ["nowhere.md", "README.md#nowhere", "#nowhere", "../outside.md", "http://a.example"])
def test_a_link_that_leads_nowhere_is_found(link):
    assert fault("README.md", link)


def test_every_page_is_reached_from_the_readme():
    reached, waiting = set(), ["README.md"]
    while waiting:
        page = waiting.pop()
        reached.add(page)
        named = (target(page, link) for link in links(read(page)) if not urlsplit(link).scheme)
        waiting += [other for other in named if other.endswith(".md") and other not in reached]
    assert set(ALL_PAGES) - reached == set()


def sources():
    """Every file of ours that is no page and may name one: code, settings, comments."""
    for folder in FOLDERS:
        for path in sorted((ROOT / folder).rglob("*")):
            is_ours = path.is_file() and path.suffix in SOURCES and "node_modules" not in path.parts
            if is_ours and path != Path(__file__):  # this file names pages that there are not
                yield path
    yield from (ROOT / name for name in ("Makefile", "pyproject.toml"))


def test_every_page_that_a_file_names_is_there_with_its_heading():
    wrong, count = [], 0
    for path in sources():
        for name, fragment in NAMED.findall(path.read_text(encoding="utf-8", errors="replace")):
            count += 1
            if fault("README.md", name + fragment):  # from the root
                wrong.append(f"{path.relative_to(ROOT)}: {name}{fragment}")
    assert count > 20
    assert wrong == []
