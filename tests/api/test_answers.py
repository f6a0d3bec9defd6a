"""Every answer of the corpus is as it was: its structure exactly, its numbers to 1e-5."""

import gzip
import json
import math

import pytest

from service.app import create_door
from service.door.coding import LEAST_BYTES
from tests.api import corpus


def differences(old, new, path=""):
    """Where two kept answers differ, a line each."""
    if isinstance(old, dict) and isinstance(new, dict):
        for name in old.keys() | new.keys():
            if name not in old or name not in new:
                yield f"{path}/{name}: only {'now' if name in new else 'before'}"
            else:
                yield from differences(old[name], new[name], f"{path}/{name}")
    elif isinstance(old, list) and isinstance(new, list) and len(old) == len(new):
        for index, (one, other) in enumerate(zip(old, new, strict=True)):
            yield from differences(one, other, f"{path}/{index}")
    elif is_number(old) and is_number(new):
        if not math.isclose(old, new, rel_tol=1e-5, abs_tol=1e-5):
            yield f"{path}: {old} before, {new} now"
    elif type(old) is not type(new) or old != new:
        yield f"{path}: {str(old)[:80]!r} before, {str(new)[:80]!r} now"


def is_number(value):
    return isinstance(value, int | float) and not isinstance(value, bool)


def test_every_answer_is_as_it_was():
    """After a change that is meant, `python -m tests.api.corpus write` and a look at what it changed."""
    before = json.loads(corpus.FILE.read_text(encoding="utf-8"))
    now = {
        call.name: json.loads(json.dumps(corpus.kept_of(*answer))) for call, *answer in corpus.answers(create_door())
    }
    assert now.keys() == before.keys()
    found = [f"{name}{line}" for name in now for line in differences(before[name], now[name], " ")]
    assert not found, "\n".join(found[:20])


def test_every_answer_is_the_same_in_gzip_and_only_large_ones_are():
    door, smaller = create_door(), []
    in_gzip = corpus.answers(door, HTTP_ACCEPT_ENCODING="gzip, br")
    for plain, coded in zip(corpus.answers(door), in_gzip, strict=True):
        call, status, headers, body = plain
        _, _, other, sent = coded
        is_coded = other.pop("content-encoding", "") == "gzip"
        assert (coded[1], other) == (status, headers), call.name
        if call.target.partition("?")[0] in {
            "/",
            "/web/app.js",
        }:  # the page's own files are compressed as they are read
            continue
        large = len(body) >= LEAST_BYTES and headers["content-type"] != "image/png"
        assert is_coded == (large and "octet" not in headers["content-type"]) or call.method == "HEAD", call.name
        assert ("Accept-Encoding" in headers.get("vary", "")) == is_coded, call.name
        if is_coded and sent:
            assert gzip.decompress(sent) == body, call.name
            smaller.append(len(sent) / len(body))
    assert len(smaller) > 50
    assert max(smaller) < 0.6


def test_nothing_of_the_corpus_is_a_failure_of_ours():
    before = json.loads(corpus.FILE.read_text(encoding="utf-8"))
    assert {answer["status"] for answer in before.values()} >= {200, 400, 404, 405, 406, 409, 415, 422}
    assert max(answer["status"] for answer in before.values()) < 500


@pytest.mark.parametrize(
    ("old", "new"),
    [({"a": 1}, {"b": 1}), ([1], [1, 2]), (1.0, 1.001), (True, 1), ("a", "b"), (None, 0), ({"a": [0.5]}, {"a": [0.6]})],
)
def test_a_difference_is_seen(old, new):
    assert list(differences(old, new))
    assert not list(differences(old, old))
