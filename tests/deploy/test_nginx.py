"""nginx's configuration, with the real nginx in front of the real service."""

import gzip
import http.client
import json
import random
import re
import shutil
import socket
import ssl
import subprocess
import sys
import threading
import time

import pytest

from tests.deploy.proxy import check, configure, proxying, replace, require_nginx
from tests.drawing import draw, encode
from tests.serving import ROOT, free_port, serving

HEAD_SECONDS = 1


@pytest.fixture(scope="module")
def front(tmp_path_factory):
    """(port of nginx, port of the service behind it, nginx's log)."""
    require_nginx()
    folder, port = tmp_path_factory.mktemp("front"), free_port()
    changes = {"client_header_timeout 10s": f"client_header_timeout {HEAD_SECONDS}s"}
    with serving() as (behind, _):
        main = configure(folder, f"127.0.0.1:{port}", [f"127.0.0.1:{behind}"], changes)
        with proxying(main, port):
            yield port, behind, folder / "access.log"


def ask(port, path="/v1/classify", body=None, headers=None):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
    connection.request("GET" if body is None else "POST", path, body, headers or {})
    response = connection.getresponse()
    return response.status, response.headers, response.read()


def last_line(log, path):
    """The last line of the log about a path."""
    deadline = time.monotonic() + 5
    while time.monotonic() < deadline:
        lines = [json.loads(line) for line in log.read_text(encoding="utf-8").splitlines()]
        if found := [line for line in lines if line["path"] == path]:
            return found[-1]
        time.sleep(0.05)
    raise AssertionError(f"no line about {path}")


def test_nginx_likes_the_configuration(tmp_path):
    require_nginx()
    likes_it, words = check(configure(tmp_path, "127.0.0.1:9299", ["127.0.0.1:9298"]))
    assert likes_it, words
    assert "[warn]" not in words


def test_nginx_likes_the_example_with_tls_and_serves_it(tmp_path):
    require_nginx()
    openssl = shutil.which("openssl") or pytest.skip("openssl is not installed")
    port, plain = free_port(), free_port()
    main = configure(tmp_path, f"127.0.0.1:{plain}", ["127.0.0.1:9"], {"# include tls.conf;": "include tls.conf;"})
    tls = main.parent / "tls.conf"
    tls.write_text(tls.read_text(encoding="utf-8").replace("listen 8443", f"listen 127.0.0.1:{port}"), encoding="utf-8")
    certificate, key = main.parent / "certificate.pem", main.parent / "key.pem"
    subprocess.run(
        [openssl, "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=localhost", "-days", "1",
         "-keyout", str(key), "-out", str(certificate)],
        check=True, capture_output=True,
    )  # fmt: skip
    with proxying(main, port):
        context = ssl.create_default_context(cafile=str(certificate))
        context.check_hostname = False
        connection = http.client.HTTPSConnection("127.0.0.1", port, context=context, timeout=10)
        connection.request("GET", "/readyz")
        response = connection.getresponse()
        assert response.status == 502
        assert response.headers["Strict-Transport-Security"]
        context.set_alpn_protocols(["h2", "http/1.1"])
        with (
            socket.create_connection(("127.0.0.1", port)) as raw,
            context.wrap_socket(raw, server_hostname="localhost") as secured,
        ):
            assert secured.selected_alpn_protocol() == "h2"


def test_a_digit_is_read_through_nginx(front):
    status, headers, body = ask(front[0], body=encode(draw(3)))
    assert (status, json.loads(body)["results"][0]["digit"]) == (200, 3)
    assert "/" not in (headers["Server"] or "")


def test_a_picture_that_does_not_fit_into_memory_buffers_arrives_whole(front):
    body = encode(draw(7)) + b"\0" * 3_000_000
    status, _, content = ask(front[0], body=body)
    assert (status, json.loads(content)["results"][0]["digit"]) == (200, 7)


def test_a_large_answer_comes_through_whole(front):
    path = "/v1/apply-filters?padding=same&format=npz&filters=[{%22preset%22:%22box%22},{%22preset%22:%22sobel_x%22}]"
    body = encode(draw(3, 1000))
    direct, through = ask(front[1], path, body), ask(front[0], path, body)
    assert (direct[0], through[0]) == (200, 200)
    assert len(through[2]) > 8_000_000
    assert through[2] == direct[2]


@pytest.mark.parametrize(
    ("path", "is_compressed"),
    [("/v1/feature-maps", True), ("/v1/feature-maps?format=npz", True), ("/v1/classify", False)],
)
def test_large_answers_are_compressed_for_who_asks_and_small_ones_never(front, path, is_compressed):
    body = encode(draw(3))
    plain = ask(front[0], path, body)
    status, headers, packed = ask(front[0], path, body, {"Accept-Encoding": "gzip"})
    assert status == plain[0] == 200
    assert "Content-Encoding" not in plain[1]
    assert (headers["Content-Encoding"] == "gzip") == is_compressed
    assert (gzip.decompress(packed) if is_compressed else packed) == plain[2]
    if is_compressed:
        assert "Accept-Encoding" in headers["Vary"]
        assert len(packed) < len(plain[2]) / 2


@pytest.mark.parametrize(("path", "kind"), [("/v1/classify", "problem+json"), ("/v2/models/digits/infer", "json")])
def test_a_body_above_the_limit_is_refused_while_it_is_still_being_sent(front, path, kind):
    with socket.create_connection(("127.0.0.1", front[0]), timeout=10) as raw:
        raw.sendall(f"POST {path} HTTP/1.1\r\nHost: x\r\nContent-Length: 33554433\r\n\r\n".encode() + b"x" * 100_000)
        answer = b""
        while b"this has more" not in answer and (piece := raw.recv(65536)):
            answer += piece
    head, _, body = answer.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 413 ")
    assert f"Content-Type: application/{kind}".encode() in head
    problem = json.loads(body)
    said = problem["error"] if kind == "json" else problem["detail"]
    assert said == "a request body may have 33554432 bytes, this has more"
    assert kind == "json" or (problem["status"], problem["type"]) == (413, "about:blank")


def test_a_body_at_the_limit_reaches_the_service(front):
    status, _, body = ask(front[0], body=encode(draw(1)).ljust(33554432, b"\0"))
    assert (status, json.loads(body)["results"][0]["digit"]) == (200, 1)


def test_a_head_that_never_ends_is_dropped_and_others_are_served_meanwhile(front):
    with socket.create_connection(("127.0.0.1", front[0]), timeout=10) as raw:
        raw.sendall(b"POST /v1/classify HTTP/1.1\r\nHost: x\r\n")
        until = time.monotonic() + 5 * HEAD_SECONDS
        with pytest.raises(OSError, match=r"Broken pipe|reset by peer"):  # noqa: PT012  # a slow loris is a loop
            while time.monotonic() < until:
                raw.sendall(b"X-Slow: loris\r\n")
                assert ask(front[0], "/readyz")[0] == 200
                time.sleep(0.2)


def test_a_refusal_of_the_service_is_passed_on_as_it_is(front):
    status, headers, body = ask(front[0], body=b"no picture")
    direct = ask(front[1], body=b"no picture")
    assert (status, body) == (direct[0], direct[2])
    assert headers["Content-Type"] == direct[1]["Content-Type"] == "application/problem+json"


def raw_answer(port, target, *headers, method=b"GET", body=b""):
    """What comes back for a target that is sent as it stands."""
    lines = [method + b" " + target + b" HTTP/1.1", b"Host: x", b"Connection: close", *headers]
    with socket.create_connection(("127.0.0.1", port), timeout=20) as raw:
        raw.sendall(b"\r\n".join([*lines, b"", body]))
        received = b""
        while piece := raw.recv(65536):
            received += piece
    return received


@pytest.mark.parametrize("seed", range(150))
def test_metrics_are_not_for_everyone_however_their_path_is_spelt(front, seed):
    chance = random.Random(seed)
    letters = [
        chance.choice([b"%%%02x", b"%%%02X"]) % one if chance.random() < 0.15 else bytes([one]) for one in b"metrics"
    ]
    noise = [b"", b"", b"/", b"//", b"/.", b"/x/..", b"/%2e", b"%2f", b";", b"?", b"#", b"/x/%2e%2e", b"%00", b"/\\.."]
    target = b"/" + chance.choice(noise).lstrip(b"/") + b"/" * chance.choice([0, 0, 1, 2]) + b"".join(letters)
    target += b"".join(chance.choices(noise, k=chance.choice([0, 1, 1, 2])))
    if chance.random() < 0.2:
        target = b"http://x" + target
    assert b"# HELP" not in raw_answer(front[0], target), target
    assert b"# HELP" in raw_answer(front[1], b"/metrics")


def test_the_plainest_spellings_of_the_path_of_metrics_are_closed(front):
    for path in ("/metrics", "/metrics/", "//metrics", "/metrics//", "/%6detrics/"):
        assert ask(front[0], path)[0] == 404, path


def test_a_proxy_that_passes_offers_of_other_protocols_on_gives_each_client_its_own_answer(tmp_path):
    """As ingress controllers do by default: what is left of one client's body would be read as another's request."""
    require_nginx()
    port = free_port()
    with serving() as (behind, _):
        main = configure(tmp_path, f"127.0.0.1:{port}", [f"127.0.0.1:{behind}"])
        offers = 'proxy_set_header Upgrade $http_upgrade;\nproxy_set_header Connection "upgrade";'
        replace(main.parent / "service.conf", {'proxy_set_header Connection "";': offers})
        inner = b"GET /openapi.json HTTP/1.1\r\nHost: x\r\nX-Request-ID: smuggled\r\n\r\n"
        with proxying(main, port):
            for _ in range(20):
                length = b"Content-Length: %d" % len(inner)
                attacked = raw_answer(port, b"/v1/classify", length, b"Upgrade: websocket", method=b"POST", body=inner)
                assert attacked.startswith(b"HTTP/1.1 415 ")
                victim = raw_answer(port, b"/healthz", b"X-Request-ID: mine")
                assert b"X-Request-ID: mine\r\n" in victim
                assert b"smuggled" not in victim
                # Its text may be shown as what was no picture; it is nobody's header.
                assert b"X-Request-ID: smuggled" not in attacked.partition(b"\r\n\r\n")[0]


class Echo:
    """Something that answers with the head of the request it was sent."""

    def __init__(self):
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]

    def answer_one(self):
        connection, _ = self.listener.accept()
        with connection:
            head = connection.recv(65536)
            length = str(len(head)).encode()
            connection.sendall(
                b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: " + length + b"\r\n\r\n" + head
            )


@pytest.mark.parametrize(
    ("sent", "passed"), [("mine-1.2:3_4", True), ("x" * 128, True), ("x" * 129, False), ('a"b', False), ("", False)]
)
def test_the_ids_of_a_request_reach_the_service_and_the_log(tmp_path, sent, passed):
    require_nginx()
    echo, port = Echo(), free_port()
    threading.Thread(target=echo.answer_one, daemon=True).start()
    trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    with proxying(configure(tmp_path, f"127.0.0.1:{port}", [f"127.0.0.1:{echo.port}"]), port):
        headers = {"X-Request-ID": sent, "traceparent": trace, "Authorization": "Bearer secret"}
        _, _, head = ask(port, "/v1/limits?key=secret", headers=headers)
    got = dict(line.split(": ", 1) for line in head.decode().split("\r\n")[1:] if line)
    assert got["traceparent"] == trace
    assert got["Authorization"] == "Bearer secret"
    assert got["X-Request-ID"] == sent if passed else re.fullmatch("[0-9a-f]{32}", got["X-Request-ID"])
    line = last_line(tmp_path / "access.log", "/v1/limits")
    assert (line["request_id"], line["traceparent"], line["status"]) == (got["X-Request-ID"], trace, 200)
    assert "secret" not in (tmp_path / "access.log").read_text(encoding="utf-8")


def test_a_service_that_stops_under_load_behind_nginx_loses_no_request(tmp_path, proof):
    if not proof:
        pytest.skip("an instance behind nginx is stopped under load by make proof")
    require_nginx()
    port = free_port()
    # Both share the CPUs with the clients, so a wait tells nothing of them.
    patient = {"FILTERSCOPE_MAX_WAIT_SECONDS": "60"}
    with serving(environ=patient) as (first, stopped), serving(environ=patient) as (second, _):
        main = configure(tmp_path, f"127.0.0.1:{port}", [f"127.0.0.1:{first}", f"127.0.0.1:{second}"])
        with proxying(main, port):
            command = [sys.executable, "-m", "tests.deploy.load", f"http://127.0.0.1:{port}", "--seconds", "4"]
            clients = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
            time.sleep(2)
            stopped.terminate()
            stopped.wait(40)
            output, _ = clients.communicate(timeout=60)
    counted = json.loads(output)
    lines = [json.loads(line) for line in (tmp_path / "access.log").read_text(encoding="utf-8").splitlines()]
    served = [{line["upstream"].split(", ")[-1] for line in part} for part in (lines[:50], lines[-50:])]
    assert counted["failed"] == {}
    assert counted["answered"] > 100
    assert served == [{f"127.0.0.1:{first}", f"127.0.0.1:{second}"}, {f"127.0.0.1:{second}"}]
