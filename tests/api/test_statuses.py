"""Every status that a call was ever seen to answer is declared for it, with its form and its headers."""

import io
import json
from types import SimpleNamespace

import pytest
from flask import Response

from service.api.http.application import Access
from service.app import create_door
from service.door.wsgi import request_of, start_of
from service.settings import SHIPPED_MODELS, Settings
from tests.api import corpus
from tests.api.contract import DOCUMENT, OPERATIONS, call_of, check_answer, operation

# Answered before it is known which call is meant, or whatever the path: the introduction of the contract says so.
OF_EVERY_PATH = {"400", "405", "408", "413", "417", "501", "505"}


@pytest.fixture(scope="module")
def settings():
    return Settings(models=str(SHIPPED_MODELS))


@pytest.fixture(scope="module")
def door(settings):
    return create_door(settings)


@pytest.fixture(scope="module")
def keyed_door(settings, tmp_path_factory):
    file = tmp_path_factory.mktemp("keys") / "keys"
    file.write_text("0123456789abcdef\n", encoding="utf-8")
    return create_door(Settings(models=settings.models, keys_file=str(file)))


def environ_of(path, method, body=b"", **headers):
    return {
        "REQUEST_METHOD": method.upper(), "RAW_URI": path, "PATH_INFO": path, "QUERY_STRING": "", "SCRIPT_NAME": "",
        "SERVER_PROTOCOL": "HTTP/1.1", "CONTENT_LENGTH": str(len(body)), "wsgi.input": io.BytesIO(body),
    } | headers  # fmt: skip


def ask(door, path, method, body=b"", **headers):
    """What a door answers."""
    told = []
    whole = door(environ_of(path, method, body, **headers), lambda status, lines: told.extend([status, lines]))
    return Response(b"".join(whole), told[0], told[1])


def declared(path, method):
    return set(operation(path, method)["responses"])


@pytest.mark.parametrize(("path", "method"), OPERATIONS)
def test_what_is_answered_without_a_key_is_declared(keyed_door, path, method):
    answer = ask(keyed_door, call_of(path, method), method)
    assert (answer.status_code == 401) == ("401" in declared(path, method))
    assert (answer.status_code == 401) == ("security" not in operation(path, method)), "what is open wants no key"
    if answer.status_code == 401:
        check_answer(answer, path, method)
        assert answer.headers["WWW-Authenticate"] == "Bearer"


@pytest.mark.parametrize(("path", "method"), OPERATIONS)
def test_what_is_answered_to_a_long_header_is_declared(door, path, method):
    answer = ask(door, call_of(path, method), method, HTTP_ACCEPT="a/b," * 1000)
    assert answer.status_code == 431
    check_answer(answer, path, method)


@pytest.mark.parametrize(("path", "method"), OPERATIONS)
def test_what_is_answered_where_there_is_no_room_is_declared(door, monkeypatch, path, method):
    request = request_of(environ_of(call_of(path, method), method))
    never_refused = door._app.access_of(request.path) in {Access.PROBE, Access.METRICS}
    assert never_refused == ("503" not in declared(path, method))
    if not never_refused:
        full = SimpleNamespace(slow=True, unsent_bytes=door.settings.max_held_bytes + 1)
        monkeypatch.setattr(door, "_server", full, raising=False)
        answers = []
        door.respond(request, SimpleNamespace(answer=answers.append))
        status, lines = start_of(answers[0])
        answer = Response(b"".join(answers[0].body), status, lines)
        assert answer.status_code == 503
        check_answer(answer, path, method)
        assert int(answer.headers["Retry-After"]) >= 1


@pytest.mark.parametrize(("path", "method"), [each for each in OPERATIONS if each[1] == "get"])
def test_what_is_answered_to_who_has_it_already_is_declared(door, path, method):
    call = call_of(path, method)
    tag = ask(door, call, method).headers.get("ETag")
    answer = ask(door, call, method, HTTP_IF_NONE_MATCH=tag or '"none"')
    assert answer.status_code == (304 if tag else 200)
    assert (tag is not None) == ("304" in declared(path, method))


@pytest.mark.parametrize(("path", "method"), [each for each in OPERATIONS if each[1] == "post"])
def test_what_is_answered_to_a_body_over_the_limit_is_declared(door, path, method):
    answer = ask(door, call_of(path, method), method, CONTENT_LENGTH=str(door.max_body_bytes + 1))
    assert answer.status_code == 413
    check_answer(answer, path, method)


def test_every_status_of_the_corpus_is_declared():
    calls = {(call_of(path, method), method): (path, method) for path, method in OPERATIONS}
    seen = {}
    for name, kept in json.loads(corpus.FILE.read_text(encoding="utf-8")).items():
        method, target, *_ = name.split(" ")
        asked = (target.partition("?")[0], {"HEAD": "get"}.get(method, method.lower()))
        if asked in calls:
            seen.setdefault(calls[asked], set()).add(str(kept["status"]))
    assert len(seen) > 30
    assert not {each: statuses - declared(*each) for each, statuses in seen.items() if statuses - declared(*each)}


def test_the_introduction_says_what_every_path_may_be_answered():
    text = DOCUMENT["info"]["description"]
    assert not [status for status in OF_EVERY_PATH if status not in text]
