"""The door under servers that are not ours: the same answers, keys, origins and counts, whoever runs it."""

import contextvars
import http.client
import io
import json
import re

import numpy as np
import pytest
from werkzeug.test import create_environ

from service.app import create_door
from service.door.wsgi import answer_of
from service.settings import Settings
from tests.drawing import draw, encode
from tests.serving import COMMAND, serving

KEY = "0123456789abcdef0123"
ORIGIN = "https://pages.example"
PICTURE = encode(draw(3))
MULTIPART = (
    b'--b\r\nContent-Disposition: form-data; name="image"; filename="3.png"\r\n\r\n' + PICTURE + b"\r\n"
    b'--b\r\nContent-Disposition: form-data; name="prepared_image"\r\n\r\ntrue\r\n--b--\r\n'
)
# Of one answer alone: when, by whom, how long.
VOLATILE = {"date", "server", "connection", "x-request-id", "server-timing", "transfer-encoding"}


def npy(array):
    file = io.BytesIO()
    np.save(file, array)
    return file.getvalue()


def calls():
    """(method, target, headers, body) of every kind of call and refusal."""
    key = {"Authorization": f"Bearer {KEY}"}
    yield from [
        ("POST", "/v1/classify", key, PICTURE),
        ("POST", "//v1/%63lassify/?prepared_image=true", key, PICTURE),
        ("POST", "/v1%2fclassify", key, PICTURE),
        ("POST", "/v1/classify", key | {"Content-Type": "multipart/form-data; boundary=b"}, MULTIPART),
        ("POST", "/v1/classify", key | {"Content-Type": "application/json"}, json.dumps({"image": [[0, 9], [9, 0]]})),
        ("POST", "/v1/feature-maps?format=npz", key | {"Content-Type": "application/x-npy"}, npy(np.eye(28))),
        ("POST", "/v1/apply-filters?filters=[{%22preset%22:%22sobel_x%22}]", key, PICTURE),
        ("POST", "/v1/patches?format=png", key, PICTURE),
        ("POST", "/v1/classify", key, b"no picture"),
        ("POST", "/v1/classify", key, b""),
        ("POST", "/v1/classify?model=none", key, PICTURE),
        ("POST", "/v1/classify", key, b"x" * 200_001),
        ("POST", "/v1/classify", {}, PICTURE),
        ("POST", "/v1/classify", {"Authorization": "Bearer wrong-wrong-wrong-wrong"}, PICTURE),
        ("POST", "/v1/classify", key | {"Origin": ORIGIN}, PICTURE),
        ("POST", "/v1/classify", key | {"Origin": "https://evil.example"}, PICTURE),
        ("OPTIONS", "/v1/classify", {"Origin": ORIGIN, "Access-Control-Request-Method": "POST"}, None),
        ("POST", "/v2/models/digits/infer", key, b'{"inputs": []}'),
        ("GET", "/v2/models/digits", key, None),
        ("GET", "/v1/models/digits/layers/conv1/filters/3?card=true", key, None),
        ("HEAD", "/v1/models", key, None),
        ("GET", "/v1/limits", key | {"If-None-Match": "*"}, None),
        ("DELETE", "/v1/classify", key, None),
        ("GET", "/nowhere", key, None),
        ("GET", "/nowhere", {}, None),
        *[
            ("GET", path, {}, None)
            for path in ("/", "/healthz", "/readyz/", "/docs", "/docs/problems", "/openapi.json")
        ],
    ]


def ask(port, method, target, headers, body):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    connection.request(method, target, body, headers)
    response = connection.getresponse()
    kept = {name.lower(): value for name, value in response.headers.items()}
    return response.status, kept, response.read()


@pytest.fixture(scope="module")
def environ(tmp_path_factory):
    file = tmp_path_factory.mktemp("keys") / "keys"
    file.write_text(KEY, encoding="ascii")
    return {
        "FILTERSCOPE_KEYS_FILE": str(file),
        "FILTERSCOPE_CORS_ORIGINS": ORIGIN,
        "FILTERSCOPE_MAX_BODY_BYTES": "200000",
    }


@pytest.fixture(scope="module")
def ours(environ):
    with serving(environ=environ) as (port, _):
        yield [ask(port, *call) for call in calls()]


# A large answer is encoded in one piece by the first and in several by the second; the third has no threads.
@pytest.mark.parametrize("worker", [("-k", "gthread", "--threads", "4"), ("-k", "sync")])
def test_every_call_is_answered_as_by_our_own_worker(environ, ours, worker):
    with serving(*COMMAND, *worker, environ=environ) as (port, _):
        for call, own in zip(calls(), ours, strict=True):
            other = ask(port, *call)
            if call[0] == "HEAD":
                own[1].pop("content-length", None)
                other[1].pop("content-length", None)
            assert other[0] == own[0], call[:3]
            assert without_volatile(other[1]) == without_volatile(own[1]), call[:3]
            assert other[2] == own[2], call[:3]
            assert ("server-timing" in other[1]) == ("server-timing" in own[1])
            assert re.fullmatch("[0-9a-f]{32}", other[1]["x-request-id"])
        counted = ask(port, "GET", "/metrics", {}, None)[2].decode()
    counts = re.findall(r'duration_seconds_count\{.*code="200",http_route="/v1/classify".*\} (\S+)', counted)
    classify = ("/v1/classify", "//v1/%63lassify")
    answered = [call for call, own in zip(calls(), ours, strict=True) if call[0] == "POST" and own[0] == 200]
    assert sum(map(float, counts)) == sum(call[1].startswith(classify) for call in answered) > 3


@pytest.mark.parametrize(
    "path",
    [
        "/v1/classify",
        "/v1/feature-maps",
        "/v1/feature-maps?format=npz",
        "/v1/feature-maps?format=png&layers=conv1",
        "/v1/patches?format=npz",
        "/v1/classify?size=9",
    ],
)
def test_the_door_sends_what_flask_would_send(app, client, path):
    environ = create_environ(path, method="POST", data=PICTURE)
    with app.app_context():
        status, head, body = answer_of(app.respond(environ)[0])
    by_flask = client.post(path, data=PICTURE)
    lines = [tuple(line.split(": ", 1)) for line in head.decode("latin-1").splitlines()]
    assert (status, sorted(lines)) == (by_flask.status_code, sorted(by_flask.headers))
    assert b"".join(body) == by_flask.data


def without_volatile(headers):
    return {name: value for name, value in headers.items() if name not in VOLATILE}


def called(door, environ, body=b""):
    """Call a door as PEP 3333 has it, without a server."""
    told = []
    rest = {"wsgi.input": io.BytesIO(body), "SERVER_PROTOCOL": "HTTP/1.1", "QUERY_STRING": "", "SCRIPT_NAME": ""}
    answer = b"".join(door(rest | environ, lambda status, headers: told.extend([status, dict(headers)])))
    return told[0], told[1], answer


@pytest.fixture(scope="module")
def door():
    return create_door(Settings(max_body_bytes=100_000))


def test_a_body_cut_short_and_one_without_end_are_refused(door):
    head = {"REQUEST_METHOD": "POST", "PATH_INFO": "/v1/classify"}
    assert called(door, head | {"CONTENT_LENGTH": "9"}, b"half")[0] == "400 Bad Request"
    endless = {"wsgi.input": io.BytesIO(b"x" * 1_000_000), "wsgi.input_terminated": True}
    assert called(door, head | endless)[0] == "413 Request Entity Too Large"
    assert endless["wsgi.input"].tell() == 100_001


def test_a_service_below_a_prefix_is_found_by_the_path_within_it(door):
    below = {"REQUEST_METHOD": "GET", "SCRIPT_NAME": "/digits", "PATH_INFO": "/healthz", "RAW_URI": "/digits/healthz"}
    status, headers, body = called(door, below)
    assert (status, headers["Content-Type"], json.loads(body)["status"]) == ("200 OK", "application/json", "ok")


@pytest.mark.parametrize("path", ["/healthz", "/docs/swagger-ui.css", "/web/state/api.js", "/v1/models/digits/report"])
def test_a_call_in_a_context_of_its_own_is_answered_as_adapters_of_asgi_make_it(door, path):
    environ = {"REQUEST_METHOD": "GET", "PATH_INFO": path}
    statuses = {contextvars.copy_context().run(called, door, dict(environ))[0] for _ in range(3)}
    assert statuses == {"200 OK"}
