"""How the page and its files are served."""

import gzip
import posixpath
import re
from pathlib import Path

import pytest

from service.api.web import MEDIA_TYPES, read_assets

WEB = Path(__file__).resolve().parents[2] / "service" / "web"
FILES = sorted(
    file.relative_to(WEB).as_posix() for file in WEB.rglob("*") if file.is_file() and file.name != "types.d.ts"
)


def policy(response):
    directives = (part.split() for part in response.headers["Content-Security-Policy"].split(";"))
    return {words[0]: words[1:] for words in directives}


def test_the_page_is_served_at_the_root_with_a_policy_that_allows_nothing_from_outside(client):
    response = client.get("/")
    assert response.status_code == 200
    assert response.mimetype == "text/html"
    rules = policy(response)
    assert rules["default-src"] == ["'none'"]
    assert rules["script-src"] == rules["style-src"] == rules["connect-src"] == ["'self'"]
    assert rules["frame-ancestors"] == ["'self'"]
    assert rules["require-trusted-types-for"] == ["'script'"]
    assert not any("unsafe" in word for words in rules.values() for word in words)


@pytest.mark.parametrize("name", FILES)
def test_every_file_is_served_as_what_it_is(client, name):
    response = client.get(f"/web/{name}", headers={"Accept-Encoding": "identity"})
    assert response.status_code == 200
    if not name.endswith(".js"):
        assert response.data == (WEB / name).read_bytes()
    assert response.content_type == MEDIA_TYPES[name.rpartition(".")[2]]
    assert response.headers["X-Content-Type-Options"] == "nosniff"
    assert policy(response)


def test_a_file_is_sent_compressed_to_whom_reads_that_and_each_form_has_its_own_tag(client):
    plain = client.get("/web/network/network.js", headers={"Accept-Encoding": "identity"})
    small = client.get("/web/network/network.js", headers={"Accept-Encoding": "gzip, br"})
    assert "Content-Encoding" not in plain.headers
    assert small.headers["Content-Encoding"] == "gzip"
    assert gzip.decompress(small.data) == plain.data
    assert small.headers["ETag"] != plain.headers["ETag"]
    assert small.headers["Vary"] == "Accept-Encoding"


def test_a_file_that_the_browser_has_is_not_sent_again(client):
    first = client.get("/")
    again = client.get("/", headers={"If-None-Match": first.headers["ETag"]})
    assert again.status_code == 304
    assert again.data == b""
    assert again.headers["ETag"] == first.headers["ETag"]
    assert client.get("/", headers={"If-None-Match": '"another"'}).status_code == 200


@pytest.mark.parametrize(
    "name",
    [
        *("missing.js", "../settings.py", "..%2fsettings.py", "%2e%2e/app.py", "/etc/passwd", ""),
        *("network", "network/", "network/../../settings.py", "network/../playground.js", "network//network.js"),
    ],
)
def test_nothing_else_is_served(client, name):
    assert client.get(f"/web/{name}").status_code in {404, 308}


def test_the_files_of_a_folder_are_known_by_their_names_in_it_and_nothing_outside_is_among_them(tmp_path):
    folder = tmp_path / "web"
    for name in ("index.html", "a/b.js", "a/c/d.css", "a/notes.md", "a/types.d.ts", "a/e.js/f.svg"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(name)
    (tmp_path / "outside.js").write_text("secret")
    (folder / "link.js").symlink_to(tmp_path / "outside.js")
    (folder / "up").symlink_to(tmp_path, target_is_directory=True)
    assets = read_assets(folder)
    assert set(assets) == {"index.html", "a/b.js", "a/c/d.css", "a/e.js/f.svg"}
    assert all(asset.content.decode() == name for name, asset in assets.items())


@pytest.mark.parametrize("name", [name for name in FILES if name.endswith(".js")])
def test_a_script_is_served_line_by_line_as_it_is_but_for_comments_with_types(client, name):
    lines = (WEB / name).read_text(encoding="utf-8").splitlines()
    served = client.get(f"/web/{name}").text.splitlines()
    assert len(served) == len(lines)
    text = (WEB / name).read_text(encoding="utf-8")
    comments = [(start.start(), text.index("*/", start.end()) + 2) for start in re.finditer(r"/\*\*", text)]
    at = 0
    for line, sent in zip(lines, served, strict=True):
        whole = any(start <= at + len(line) - len(line.lstrip()) and at + len(line) <= end for start, end in comments)
        assert sent == ("" if whole else line)
        at += len(line) + 1


def imports_of(name, *, later=False):
    text = (WEB / name).read_text(encoding="utf-8")
    pattern = r'"(\.\.?/[a-z/-]+\.js)"' if later else r'^import [^;]*? from "(\.\.?/[a-z/-]+\.js)";'
    paths = re.findall(pattern, text, re.MULTILINE | re.DOTALL)
    return {posixpath.normpath(posixpath.join(posixpath.dirname(name), path)) for path in paths}


def test_what_the_first_view_needs_is_preloaded_and_nothing_more():
    page = (WEB / "index.html").read_text(encoding="utf-8")
    needed, waiting = set(), ["playground.js"]
    while waiting:
        new = imports_of(waiting.pop()) - needed
        needed |= new
        waiting += new
    assert set(re.findall(r'modulepreload" href="/web/([a-z/-]+\.js)"', page)) == needed


# Which room may use which, beside itself. playground.js joins them all.
BASE = {"numbers": set(), "state": {"numbers"}, "shared": {"numbers", "state"}}
VIEWS = {"rail", "lecture", "network", "bench", "why", "what-if", "filters", "learn"}
USES = BASE | {view: set(BASE) for view in VIEWS}


def test_a_room_uses_only_those_below_it_and_no_view_another_and_each_main_file_says_what_its_room_is_for():
    scripts = [name for name in FILES if name.endswith(".js") and name != "playground.js"]
    assert {posixpath.dirname(name) for name in scripts} == set(USES)
    for name in scripts:
        room = posixpath.dirname(name)
        used = {posixpath.dirname(path) for path in imports_of(name, later=True)}
        assert used <= USES[room] | {room}, name
        assert (WEB / name).read_text(encoding="utf-8").startswith("// "), f"{name}: nothing says what it is"
    for room in USES:
        mains = [name for name in scripts if (WEB / name).read_text(encoding="utf-8").startswith(f"// {room}/ ")]
        assert [posixpath.dirname(name) for name in mains] == [room]


def test_every_script_is_used_and_only_one_of_them_fetches():
    scripts = [name for name in FILES if name.endswith(".js")]
    used = set().union({"playground.js"}, *(imports_of(name, later=True) for name in scripts))
    assert used == set(scripts)
    fetching = [
        name
        for name in scripts
        if re.search(r"\bfetch\(", re.sub(r"`[^`]*`", "", (WEB / name).read_text(encoding="utf-8")))
    ]
    assert fetching == ["state/api.js"]


@pytest.mark.parametrize("name", FILES)
def test_no_file_names_another_host_or_writes_markup_from_text(name):
    text = (WEB / name).read_text(encoding="utf-8")
    hosts = set(re.findall(r"https?://([\w.-]+)", text))
    assert hosts <= {"www.w3.org"}  # the name of SVG's elements, which is never fetched
    assert not re.search(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(|new Function|\bstyle=", text)


# Where a digit's size and the ten of them are what is told of: the lecture, learning, and the reading of numbers.
OF_DIGITS = ("lecture/", "learn/", "rail/number.js")
# Pixels of the page and bytes of a file that happen to be as many.
NO_SIDES = {("network/network.js", "const BETWEEN = 28;"), ("numbers/npy.js", "28, true)")}
# The passport's own word, and the name of an element.
NAMES = {("state/kind.js", 'input.prepare ?? "digit"'), ("rail/verdict.js", '["verdict", "digit",')}
# Sentences: those of digits are chosen where a network reads digits, in words.js or by the glossary's OF_CLASSES.
SENTENCES = ("shared/words.js", "shared/glossary.js", "shared/sharing.js")
BY_KIND = re.compile(r"isDigits|isOfDigits|is_digit|of-digits|\beither\(")


def code_of(name):
    """The lines of a script without their comments."""
    text = re.sub(
        r"/\*.*?\*/", lambda found: "\n" * found[0].count("\n"), (WEB / name).read_text("utf-8"), flags=re.DOTALL
    )
    return [re.sub(r"(^|\s)//.*", "", line) for line in text.splitlines()]


def speaks_of_digits(line):
    """Whether a line has a text with the word digit in it, and no choice by the kind of the network."""
    texts = re.findall(r"\"[^\"]*\"|`[^`]*`", line)
    return any(re.search(r"\bdigits?\b", text, re.IGNORECASE) for text in texts) and not BY_KIND.search(line)


def found_in(lines, name):
    """The lines that have a digit's side, count ten classes, or speak of digits whatever the network is."""
    for number, line in enumerate(lines, 1):
        is_side = re.search(r"(?<![\w.#-])(28|784)(?![\w.%])", line)
        if is_side and not any(name == file and part in line for file, part in NO_SIDES):
            yield f"{name}:{number}: {line.strip()}"
        is_named = any(name == file and part in line for file, part in NAMES)
        if re.search(r"length: 10\b", line) or (name not in SENTENCES and speaks_of_digits(line) and not is_named):
            yield f"{name}:{number}: {line.strip()}"


def test_no_script_but_those_on_digits_has_their_side_their_count_or_their_name():
    scripts = [name for name in FILES if name.endswith(".js") and not name.startswith(OF_DIGITS)]
    assert [found for name in scripts for found in found_in(code_of(name), name)] == []


def test_a_side_a_count_and_a_name_of_digits_are_found():
    wrong = ["paint(seen, 28, 28);", "Array.from({ length: 10 }, row)", 'make("h2", {}, "ten digits")']
    assert len(list(found_in(wrong, "rail/verdict.js"))) == 3
    assert list(found_in(['make("h2", {}, kind.isDigits ? "ten digits" : "classes")'], "rail/verdict.js")) == []
