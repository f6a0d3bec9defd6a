"""The pages as a reader sees them: blocks of commands, what is printed under them, and commands within the text."""

import posixpath
import re
import shlex
import textwrap
from dataclasses import dataclass

from tests.serving import ROOT

FOLDERS = ("service", "models", "training", "tests", "deploy")
ALL_PAGES = sorted(
    path.relative_to(ROOT).as_posix()
    for found in (ROOT.glob("*.md"), *((ROOT / folder).rglob("*.md") for folder in FOLDERS))
    for path in found
    if "node_modules" not in path.parts
)
# What has changed, and what there is: neither tells a reader to run anything.
PAGES = tuple(page for page in ALL_PAGES if page not in {"CHANGELOG.md", "ARCHITECTURE.md"})
COMMANDS = {"", "sh"}
PROGRAMS = {"python", "js"}
ANSWERS = {"json", "text"}
FENCE = re.compile(r"^( *)```(\w*)\n(.*?)^ *```$", re.MULTILINE | re.DOTALL)
# Code in a text is a command when it has a second word and its first is a program's name or path.
INLINE = re.compile(r"(?:[A-Z_]+=\S* )*\.?[a-z][\w./-]* \S.*")


@dataclass(frozen=True)
class Answer:
    """What a page prints under a block: its kind (json, text), itself, and where it stands in the page."""

    kind: str
    text: str
    span: tuple[int, int]


@dataclass(frozen=True)
class Block:
    """
    Commands that a page prints together, run one after another; a program (`python`, `js`) is one.

    answer: what is printed right under it, or None
    picture: the path, from the root, of the picture that the page shows before its next block, or None
    is_inline: it stands in the text, so that its line breaks mean nothing
    """

    page: str
    line: int
    language: str
    commands: tuple[str, ...]
    answer: Answer | None = None
    picture: str | None = None
    is_inline: bool = False

    def __str__(self):
        return f"{self.page}:{self.line}: {self.commands[0].splitlines()[0][:60]}"


def read(page):
    """The text of a page."""
    return (ROOT / page).read_text(encoding="utf-8")


def blocks(page, text):
    """
    Every block of a page, in its order.

    >>> for block in blocks("page", "Run `make it` and\\n```\\na \\\\\\n b  # c\\nd\\n```\\n```json\\n{}\\n```\\n"):
    ...     print(block.line, block.commands, block.answer and block.answer.kind)
    1 ('make it',) None
    2 ('a \\\\\\n b  # c', 'd') json
    """
    fences = list(FENCE.finditer(text))
    found = []
    for index, fence in enumerate(fences):
        language = fence[2]
        if language in ANSWERS:
            continue
        following = fences[index + 1 : index + 2]
        answer = next((_answer(after) for after in following if _is_under(text, fence, after)), None)
        rest = fences[index + (2 if answer else 1) :]
        shown = re.search(r"!\[[^\]]*\]\(([^)]+)\)", text[fence.end() : rest[0].start() if rest else len(text)])
        body = textwrap.dedent(fence[3])
        found.append(
            Block(
                page,
                _line(text, fence.start()),
                language,
                (body,) if language in PROGRAMS else tuple(split(body)),
                answer,
                shown and posixpath.normpath(posixpath.join(posixpath.dirname(page), shown[1])),
            )
        )
    return sorted([*found, *_inline(page, text)], key=lambda block: block.line)


def _answer(fence):
    return Answer(fence[2], textwrap.dedent(fence[3]), fence.span(3))


def _is_under(text, fence, after):
    return after[2] in ANSWERS and not text[fence.end() : after.start()].strip()


def _line(text, position):
    return text.count("\n", 0, position) + 1


def _inline(page, text):
    prose = FENCE.sub(lambda fence: re.sub(r"[^\n]", " ", fence[0]), text)
    for code in re.finditer(r"`([^`]+)`", prose):
        words = " ".join(code[1].split())
        if INLINE.fullmatch(words):
            yield Block(page, _line(text, code.start()), "", (words,), is_inline=True)


def split(body):
    """The commands of a block: a line, and those after it while it ends in a backslash or within quotes."""
    command = ""
    for line in body.splitlines():
        command = f"{command}\n{line}" if command else line
        if command.strip() and not command.endswith("\\") and _is_whole(command):
            yield command
            command = ""
    assert not command.strip(), f"a command that does not end: {command}"


def _is_whole(command):
    try:
        shlex.split(command, comments=True)
    except ValueError:
        return False
    return True


def stray(text):
    """What no one would run or compare: answers to nothing, and code that is indented instead of fenced."""
    fences = list(FENCE.finditer(text))
    lonely = [
        fence[0]
        for before, fence in zip([None, *fences], fences, strict=False)
        if fence[2] == "json" and not (before and before[2] not in ANSWERS and _is_under(text, before, fence))
    ]
    prose = FENCE.sub("", text)
    indented = re.findall(r"^\n((?: {4}|\t).*)$", prose, re.MULTILINE)
    unknown = [fence[2] for fence in fences if fence[2] not in COMMANDS | ANSWERS | PROGRAMS]
    return lonely + indented + unknown
