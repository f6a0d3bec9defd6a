"""People's clients with their defaults, and their habits: a picture posted in every way that each of them offers."""

import asyncio
import base64
import gzip
import io
import json
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.drawing import draw, encode

THREE = encode(draw(3))
BASE64 = base64.b64encode(THREE).decode()
URL = f"data:image/png;base64,{BASE64}"
EDIT = [{"layer": "conv1", "filter": 0, "action": "off"}]
LATIN1 = "größe.png".encode("latin-1")
POST = Path(__file__).parent / "clients" / "post.mjs"


def reads_three(answer):
    result = answer["results"][0]
    return (result.get("before") or result)["digit"] == 3


def part(content, name, file_name):
    head = b'--b\r\nContent-Disposition: form-data; name="%s"; filename="%s"\r\n\r\n' % (name, file_name)
    return head + content + b"\r\n--b--\r\n"


def ways(client):
    """The same keywords in requests and httpx: (name, path, keywords) of each way."""
    more = "content" if client == "httpx" else "data"
    structure = {"image": ("3.png", THREE), "changes": ("blob", json.dumps(EDIT), "application/json")}
    lists = {"layers": ["conv1", "pool1"]}
    yield "bytes", "/v1/classify", {more: THREE}
    yield "bytes in pieces", "/v1/classify", {more: iter([THREE[:100], THREE[100:]])}
    yield "a file", "/v1/classify", {"files": {"image": io.BytesIO(THREE)}}
    yield "a file with a name", "/v1/classify", {"files": {"image": ("größe 数字.png", THREE, "image/png")}}
    yield "base64 as a file", "/v1/classify", {"files": {"image": ("3.b64", BASE64)}}
    yield "a form", "/v1/classify", {"data": {"image": URL}}
    yield "a form of base64", "/v1/classify", {"data": {"image": BASE64, "model": "digits"}}
    yield "text", "/v1/classify", {more: URL}
    yield "JSON", "/v1/classify", {"json": {"image": BASE64}}
    yield "JSON as text", "/v1/classify", {more: json.dumps({"image": BASE64})}
    yield "gzip", "/v1/classify", {more: gzip.compress(THREE), "headers": {"Content-Encoding": "gzip"}}
    yield "a structure as a file", "/v1/what-if", {"files": structure}
    yield "a list in the query", "/v1/feature-maps", {"params": lists, "files": {"image": THREE}}
    yield "a list in a form", "/v1/feature-maps", {"data": lists, "files": {"image": THREE}}
    headers = {"Content-Type": "multipart/form-data; boundary=b"}
    yield "an old client's name", "/v1/classify", {more: part(THREE, b"image", LATIN1), "headers": headers}


def check(name, path, status, answer):
    assert status == 200, (name, answer)
    if path == "/v1/feature-maps":
        assert [layer["name"] for layer in answer["results"][0]["layers"]] == ["conv1.act", "pool1"], name
    else:
        assert reads_three(answer), name


@pytest.mark.parametrize("client", ["requests", "httpx"])
def test_a_picture_is_read_in_every_way_of_a_python_client(address, client):
    library = pytest.importorskip(client, reason=f"{client} is not installed in this environment")
    for name, path, keywords in ways(client):
        answer = library.post(f"http://{address}{path}", timeout=60, **keywords)
        check(name, path, answer.status_code, answer.json())


def test_a_picture_is_read_in_every_way_of_aiohttp(address):
    aiohttp = pytest.importorskip("aiohttp", reason="aiohttp is not installed in this environment")

    def form(*fields):
        data = aiohttp.FormData()
        for field, value, *more in fields:
            data.add_field(field, value, **dict(more))
        return data

    def calls():
        yield "bytes", "/v1/classify", {"data": THREE}
        yield "a file", "/v1/classify", {"data": {"image": io.BytesIO(THREE)}}
        yield "a form", "/v1/classify", {"data": {"image": URL}}
        yield "text", "/v1/classify", {"data": URL}
        yield "JSON", "/v1/classify", {"json": {"image": BASE64}}
        yield "JSON, compressed", "/v1/classify", {"json": {"image": BASE64}, "compress": "gzip"}
        yield "bytes, deflated", "/v1/classify", {"data": THREE, "compress": True}
        named = form(("image", THREE, ("filename", "größe 数字.png")))
        yield "a file with a name", "/v1/classify", {"data": named}
        changes = ("changes", json.dumps(EDIT), ("filename", "c.json"), ("content_type", "application/json"))
        yield "a structure as a file", "/v1/what-if", {"data": form(("image", THREE, ("filename", "3")), changes)}
        yield "a list", "/v1/feature-maps", {"data": THREE, "params": [("layers", "conv1"), ("layers", "pool1")]}

    async def post_all():
        async with aiohttp.ClientSession() as session:
            for name, path, keywords in calls():
                async with session.post(f"http://{address}{path}", **keywords) as answer:
                    check(name, path, answer.status, await answer.json())

    asyncio.run(post_all())


def test_a_picture_is_read_in_every_way_of_curl(address, curl, tmp_path):
    picture, text, changes = tmp_path / "größe.png", tmp_path / "b64.txt", tmp_path / "changes.json"
    wrapped, named = tmp_path / "lines.txt", tmp_path / "named.bin"
    picture.write_bytes(THREE)
    text.write_text(BASE64)
    wrapped.write_bytes(base64.encodebytes(THREE))
    changes.write_text(json.dumps(EDIT) + "\n")
    named.write_bytes(part(THREE, b"image", LATIN1))
    packed = tmp_path / "3.png.gz"
    packed.write_bytes(gzip.compress(THREE))
    calls = {
        "--data-binary": ("/v1/classify", "--data-binary", f"@{picture}"),
        "-T": ("/v1/classify", "-X", "POST", "-T", picture),
        "-F": ("/v1/classify", "-F", f"image=@{picture}"),
        "-F of text": ("/v1/classify", "-F", f"image=<{text}"),
        "-F of a file of text": ("/v1/classify", "-F", f"image=@{text}"),
        "-F of lines": ("/v1/classify", "-F", f"image=@{wrapped}"),
        "-F, encoded": ("/v1/classify", "-F", f"image=@{picture};encoder=base64"),
        "-d": ("/v1/classify", "-d", f"image={URL}"),
        "-d of a file of text": ("/v1/classify", "-d", f"@{wrapped}"),
        "--data-urlencode": ("/v1/classify", "--data-urlencode", f"image={URL}"),
        "--data-urlencode of a file": ("/v1/classify", "--data-urlencode", f"image@{text}"),
        "gzip": ("/v1/classify", "--data-binary", f"@{packed}", "-H", "Content-Encoding: gzip"),
        "a structure from a file": ("/v1/what-if", "-F", f"image=@{picture}", "-F", f"changes=@{changes}"),
        "a list": ("/v1/feature-maps", "-F", f"image=@{picture}", "-F", "layers=conv1", "-F", "layers=pool1"),
        "an old client's name": (
            "/v1/classify", "--data-binary", f"@{named}", "-H", "Content-Type: multipart/form-data; boundary=b",
        ),
    }  # fmt: skip
    for name, (path, *options) in calls.items():
        command = [curl, "--silent", "--show-error", *map(str, options), f"http://{address}{path}"]
        done = subprocess.run(command, capture_output=True, check=True)
        answer = json.loads(done.stdout)
        check(name, path, answer.get("status", 200), answer)
    lost = subprocess.run(
        [curl, "--silent", "-d", f"@{picture}", f"http://{address}/v1/classify"], capture_output=True, check=True
    )
    assert "--data-binary keeps them" in json.loads(lost.stdout)["detail"]


def test_a_picture_is_read_in_every_way_of_fetch(address, tmp_path):
    node = shutil.which("node") or pytest.skip("Node.js is not installed")
    picture = tmp_path / "3.png"
    picture.write_bytes(THREE)
    done = subprocess.run([node, POST, address, picture], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    answers = {name: (status, answer) for name, status, answer in map(json.loads, done.stdout.splitlines())}
    status, answer = answers.pop("a text that was not awaited")
    assert (status, "append the File or Blob itself" in answer["detail"]) == (415, True)
    assert len(answers) == 12
    for name, (status, answer) in answers.items():
        path = "/v1/feature-maps" if name == "a list part by part" else "/v1/classify"
        check(name, path, status, answer)
