"""Bearer keys: who is let in, what a wrong file says, and that no key is ever shown."""

import logging

import pytest

from service.api.http.application import Access, Service
from service.api.http.errors import answer
from service.core.errors import Unauthorized
from service.door.keys import MOST_BYTES, MOST_KEYS, BadKeys, Keys

FIRST, SECOND = "first-key-0123456789", "second.key~0123456789=="


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "keys"
    path.write_text(f"# of the lab\n{FIRST}\n\n  {SECOND}\r\n", encoding="ascii")
    return path


@pytest.mark.parametrize("header", [f"Bearer {FIRST}", f"bearer {SECOND}", f"BEARER  {FIRST} "])
def test_a_key_of_the_file_is_taken(file, header):
    assert Keys.open(file).allows(header.encode())


@pytest.mark.parametrize(
    "header",
    [
        None, b"", b"Bearer", b"Bearer ", f"Bearer {FIRST}x".encode(), f"Bearer {FIRST[:-1]}".encode(), FIRST.encode(),
        f"Basic {FIRST}".encode(), b"Bearer # of the lab", f"Bearer {FIRST.upper()}".encode(), b"Bearer \xff\x00",
        f"Bearer {FIRST} {SECOND}".encode(), f"Bearer\t{FIRST}".encode(), b"Bearer " + b"a" * 100_000,
    ],
)  # fmt: skip
def test_nothing_else_is_taken(file, header):
    assert not Keys.open(file).allows(header)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (f"{FIRST}\nshort-secret", "line 2: a key has at least 16 characters, this has 12"),
        ("secret" * 100, "line 1: a key has at most 512 characters, this has 600"),
        (f"#\n\n{FIRST}:secret", "line 3: a key is made of letters"),
        ("secret secret secret", "line 1: a key is made of letters"),
        ("# secret\n\n", "there is no key in it"),
        ("\n".join(f"secret-{number:09d}" for number in range(MOST_KEYS + 1)), "1000 keys are taken, this has 1001"),
        ("#" * (MOST_BYTES + 1), "this has more"),
    ],
)  # fmt: skip
def test_a_wrong_file_is_refused_with_the_line_and_the_reason_and_without_the_key(tmp_path, text, reason):
    path = tmp_path / "keys"
    path.write_text(text, encoding="ascii")
    with pytest.raises(BadKeys) as refused:
        Keys.open(path)
    assert str(path) in str(refused.value)
    assert reason in str(refused.value)
    assert "secret" not in str(refused.value)


def test_a_missing_file_and_a_folder_are_refused(tmp_path):
    for path in (tmp_path / "none", tmp_path):
        with pytest.raises(BadKeys, match=str(path)):
            Keys.open(path)


def test_as_many_keys_as_are_allowed_are_all_taken(tmp_path):
    path = tmp_path / "keys"
    path.write_text("\n".join(f"key-{number:020d}" for number in range(MOST_KEYS)), encoding="ascii")
    keys = Keys.open(path)
    assert all(keys.allows(f"Bearer key-{number:020d}".encode()) for number in range(MOST_KEYS))


def test_a_changed_file_is_read_again(file):
    keys = Keys.open(file)
    replacement = file.with_name("new")
    replacement.write_text("third-key-0123456789", encoding="ascii")
    replacement.replace(file)
    keys.refresh()
    assert keys.allows(b"Bearer third-key-0123456789")
    assert not keys.allows(f"Bearer {FIRST}".encode())


def test_a_file_that_becomes_wrong_or_vanishes_leaves_the_keys_and_is_reported_once(file, caplog):
    keys = Keys.open(file)
    with caplog.at_level(logging.INFO):
        file.write_text("short-secret", encoding="ascii")
        keys.refresh()
        keys.refresh()
        assert len(caplog.records) == 1
        file.unlink()
        for _ in range(3):
            keys.refresh()
        assert len(caplog.records) == 2
        assert keys.allows(f"Bearer {FIRST}".encode())
        file.write_text(SECOND, encoding="ascii")
        keys.refresh()
    assert keys.allows(f"Bearer {SECOND}".encode())
    assert not keys.allows(f"Bearer {FIRST}".encode())
    assert "secret" not in caplog.text
    assert FIRST not in caplog.text
    assert SECOND not in caplog.text


def test_the_digests_of_two_processes_differ(file):
    assert set(Keys.open(file)._digests).isdisjoint(Keys.open(file)._digests)


OPEN = {"/", "/openapi.json", "/docs", "/docs/problems", "/docs/x", "/web/state/api.js"}
PROBES = {"/healthz", "/readyz", "/v2/health/live", "/v2/health/ready"}


@pytest.mark.parametrize("path", sorted(OPEN))
def test_the_page_needs_no_key(app, path):
    assert app.access_of(path.encode()) is Access.OPEN


@pytest.mark.parametrize("path", sorted(PROBES))
def test_watchers_need_no_key_and_are_always_answered(app, path):
    assert app.access_of(path.encode()) is Access.PROBE
    assert app.access_of(b"/metrics") is Access.METRICS


@pytest.mark.parametrize(
    "path", ["/v1/classify", "/v1/limits", "/v2", "/v2/models/digits/infer", "/webs", "//", "/none", "/docsx", "/\xff"]
)
def test_everything_else_needs_one(app, path):
    assert app.access_of(path.encode("latin-1")) is Access.KEYED


def test_a_new_route_needs_a_key_and_waits_in_line_unless_it_says_otherwise():
    app = Service("new", static_folder=None)
    app.add_url_rule("/new", "new", dict)
    app.add_url_rule("/new/<path:name>", "below", lambda name: {"name": name})
    app.add_url_rule("/shown", "shown", dict, access=Access.OPEN)
    paths = (b"/new", b"/new/file", b"/shown")
    assert [app.access_of(path) for path in paths] == [Access.KEYED, Access.KEYED, Access.OPEN]


def test_a_path_with_a_parameter_cannot_be_open_unless_it_is_a_folder():
    app = Service("new", static_folder=None)
    app.add_url_rule("/models/<name>/secret", "new", lambda name: {"name": name}, access=Access.OPEN)
    with pytest.raises(AssertionError, match="all of a folder"):
        app.access_of(b"/models/digits")


def test_a_refusal_says_what_is_wanted():
    refused = answer(Unauthorized("a key is wanted, Authorization: Bearer <key>, none came"), "/v1/classify")
    assert (refused.status_code, refused.headers["WWW-Authenticate"]) == (401, "Bearer")
    assert refused.mimetype == "application/problem+json"
    assert refused.get_json()["type"] == "/docs/problems#unauthorized"
    below = answer(Unauthorized("a key is wanted"), "/v2/models/digits/infer")
    assert (below.status_code, below.headers["WWW-Authenticate"]) == (401, "Bearer")
    assert below.get_json() == {"error": "a key is wanted"}
