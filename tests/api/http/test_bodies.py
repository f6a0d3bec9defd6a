"""
One picture in every form, wrapper and coding that a client may send it in: the same verdict, whichever it is.

The combinations are generated: a form is what a client makes of a picture (a file, base64, a data: URL, rows of
numbers), a wrapper is where it puts it (the body, a part, a field, JSON), a coding is how it packs the body. What is no
picture goes through the same wrappers, and is refused by name in each.
"""

import base64
import binascii
import gzip
import io
import itertools
import json
import random
import zlib
from typing import NamedTuple
from urllib.parse import quote, quote_plus, unquote_to_bytes

import numpy as np
import pytest

from service.api.http import bodies, texts
from service.app import create_app
from service.settings import Settings
from tests.drawing import draw, encode, npy

LEVELS = draw(3, 28, dark_on_light=False)
SEEDED = 200  # combinations in `make test`, beside one of each form, wrapper and coding; `make proof` takes all


class Sent(NamedTuple):
    """A body as it goes out."""

    body: bytes
    kind: str | None = None
    coding: str | None = None


# --- forms: what clients make of a picture ----------------------------------------------------------------------------


def padding_off(text):
    return text.rstrip(b"=")


def url_safe(text):
    return text.translate(bytes.maketrans(b"+/", b"-_"))


def in_lines(end, length=76):
    return lambda text: end.join(text[i : i + length] for i in range(0, len(text), length))


BASE64 = {
    "base64": lambda text: text,
    "URL-safe": url_safe,
    "URL-safe, unpadded": lambda text: padding_off(url_safe(text)),
    "unpadded": padding_off,
    "in lines": in_lines(b"\r\n"),
    "in lines of 64": in_lines(b"\n", 64),
    "lines made spaces": in_lines(b" "),
    "with a last line end": lambda text: text + b"\n",
    "in quotes": lambda text: b'"' + text + b'"',
    "data:": lambda text: b"data:image/png;base64," + text,
    "DATA:": lambda text: b"DATA:IMAGE/PNG;BASE64," + text,
    "data: of no type": lambda text: b"data:;base64," + text,
    "data: with parameters": lambda text: b"data:image/png;name=a.png;charset=utf-8;base64," + text,
    "data: after a space": lambda text: b" data:image/png;base64," + text,
}
# Several files, so that base64 has both of the letters in which its alphabets differ, and each length of padding.
FILES = {
    "png": encode(draw(3)),
    "jpeg": encode(draw(3, 141), "JPEG", quality=91),
    "webp": encode(draw(3, 142), "WEBP", lossless=True),
    "gif": encode(draw(3, 143), "GIF"),
    "bmp": encode(draw(3, 60), "BMP"),
    "npy": npy(LEVELS),
}
LETTERS = b"".join(map(base64.b64encode, FILES.values()))
assert b"+" in LETTERS
assert b"/" in LETTERS
assert {len(data) % 3 for data in FILES.values()} == {0, 1, 2}

NUMBERS = {
    "levels": LEVELS.tolist(),
    "fractions": (LEVELS / 255).tolist(),
    "1 x 28 x 28": LEVELS[None].tolist(),
    "28 x 28 x 1": LEVELS[:, :, None].tolist(),
    "1 x 28 x 28 x 1": LEVELS[None, :, :, None].tolist(),
    "1 x 1 x 28 x 28": LEVELS[None, None].tolist(),
}
ROWS = {f"rows: {name}": json.dumps(rows).encode() for name, rows in NUMBERS.items()}
FORMS = (
    FILES
    | {
        f"{form} of {name}": make(base64.b64encode(data))
        for (form, make), (name, data) in itertools.product(BASE64.items(), FILES.items())
    }
    | ROWS
)


# --- wrappers: where clients put it -----------------------------------------------------------------------------------


def part(content, name=b'name="image"', file_name=b'; filename="3.png"', more=b""):
    head = b"--edge\r\nContent-Disposition: form-data; " + name + file_name + b"\r\n" + more + b"\r\n"
    return Sent(head + content + b"\r\n--edge--\r\n", "multipart/form-data; boundary=edge")


BODY_TYPES = (
    *(None, "image/png", "image/jpeg", "application/octet-stream", "application/x-www-form-urlencoded"),
    *("text/plain", "text/plain;charset=UTF-8", "application/binary", "binary/octet-stream", "*/*"),
)
BOM = b"\xef\xbb\xbf"
FILE_NAMES = {
    "none": b"",
    "empty": b'; filename=""',
    "UTF-8": '; filename="größe 数字.png"'.encode(),
    "latin-1": '; filename="größe.png"'.encode("latin-1"),
    "CP1252": '; filename="„drei“.png"'.encode("cp1252"),
    "GBK": '; filename="数字.png"'.encode("gbk"),
    "Shift-JIS that ends with a backslash": '; filename="表"'.encode("shift-jis"),
    "RFC 5987": b"; filename=\"gr_e.png\"; filename*=UTF-8''gr%C3%B6%C3%9Fe.png",
    "RFC 5987 alone, in latin-1": b"; filename*=iso-8859-1'de'gr%F6%DFe.png",
    "RFC 5987 in no encoding there is": b"; filename*=klingon''%FF%FE",
    "quotes, escaped": b'; filename="a\\"b.png"',
    "quotes, as browsers have them": b'; filename="a%22b.png"',
    "a path of Windows": b'; filename="C:\\fakepath\\3.png"',
    "unquoted": b"; filename=3.png",
    "of a thousand letters": b'; filename="' + b"a" * 1000 + b'"',
}
PARTS = {
    **{f"part, file name {name}": (lambda data, n=n: part(data, file_name=n)) for name, n in FILE_NAMES.items()},
    "part, file name first": lambda data: part(data, 'filename="größe.png"'.encode("latin-1"), b'; name="image"'),
    "part of base64": lambda data: part(data, more=b"Content-Transfer-Encoding: base64\r\n"),
    "part of no known type": lambda data: part(data, more=b"Content-Type: application/x-unknown\r\n"),
    **{
        f"part named {name}": (lambda data, n=name: part(data, b'name="%b"' % n.encode()))
        for name in ("image[]", "images", "images[]", "image[0]")
    },
    "part, boundary after a space": lambda data: part(data)._replace(kind="multipart/form-data; boundary= edge"),
    "part, boundary in quotes": lambda data: part(data)._replace(kind='multipart/form-data; boundary="edge"'),
}


def in_json(data, name="image", wrap=lambda value: value):
    text = data.decode()
    value = json.loads(text) if text.startswith("[") else text
    return Sent(json.dumps({name: wrap(value)}).encode(), "application/json")


def typed(make, kind):
    return lambda data: make(data)._replace(kind=kind)


TEXTS = {
    "field": lambda data: Sent(b"image=" + quote_plus(data).encode(), "application/x-www-form-urlencoded"),
    "field of curl -d": lambda data: Sent(b"image=" + quote(data).encode(), "application/x-www-form-urlencoded"),
    "field among others": lambda data: Sent(
        b"prepare=auto&image=" + quote_plus(data).encode() + b"&",
        "application/x-www-form-urlencoded; charset=UTF-8",
    ),
    "field without a type": lambda data: Sent(b"images%5B%5D=" + quote_plus(data).encode()),
    "JSON": in_json,
    "JSON in a list": lambda data: in_json(data, "images", lambda value: [value]),
    "JSON as text": typed(in_json, "text/plain;charset=UTF-8"),
    "JSON without a type": typed(in_json, None),
    "JSON of another name": typed(in_json, "application/vnd.api+json"),
    "JSON with a mark": lambda data: Sent(BOM + in_json(data).body, "application/json"),
    "JSON in UTF-16": lambda data: Sent(in_json(data).body.decode().encode("utf-16"), "application/json"),
    "JSON in indented lines": lambda data: Sent(
        json.dumps(json.loads(in_json(data).body), indent=1).encode(), "application/json"
    ),
    "text with a mark": lambda data: Sent(BOM + data, "text/plain"),
}
WRAPPERS = {f"body as {kind}": (lambda data, kind=kind: Sent(data, kind)) for kind in BODY_TYPES} | PARTS | TEXTS


def fits(form, wrapper):
    """Whether a client can put it there: a file is no text, and rows that are a whole body are no object of JSON."""
    if form in FILES:
        return wrapper not in TEXTS
    return not (form in ROWS and (wrapper.startswith("body") or wrapper == "text with a mark"))


# --- codings: how clients pack it -------------------------------------------------------------------------------------


def raw_deflate(data):
    packing = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    return packing.compress(data) + packing.flush()


CODINGS = {
    "none": (lambda data: data, None),
    "identity": (lambda data: data, "identity"),
    "gzip": (gzip.compress, "gzip"),
    "GZip": (gzip.compress, "X-GZip"),
    "deflate": (zlib.compress, "deflate"),
    "deflate without a head": (raw_deflate, "deflate"),
    "twice": (lambda data: gzip.compress(zlib.compress(data)), "deflate, gzip"),
    "thrice, with nothing between": (
        lambda data: gzip.compress(gzip.compress(gzip.compress(data))),
        "gzip,, identity ,gzip, gzip",
    ),
}

COMBINED = [each for each in itertools.product(FORMS, WRAPPERS, CODINGS) if fits(*each[:2])]


def sample():
    """A seeded sample of the combinations, in which each form, each wrapper and each coding stands."""
    shuffled = random.Random(20).sample(COMBINED, len(COMBINED))
    first = {(place, each[place]): each for each in reversed(shuffled) for place in range(3)}
    return list(dict.fromkeys([*first.values(), *shuffled[:SEEDED]]))


def send(client, sent, path="/v1/classify", coding="none"):
    pack, named = CODINGS[coding]
    headers = {} if named is None else {"Content-Encoding": named}
    return client.post(path, data=pack(sent.body), content_type=sent.kind, headers=headers)


@pytest.fixture(scope="module")
def expected(app):
    """The verdict of each file and of the numbers, posted as what they are."""
    client = app.test_client()
    answers = {name: client.post("/v1/classify", data=data) for name, data in FILES.items()}
    answers["rows"] = answers["npy"]
    return {name: answer.json["results"][0] for name, answer in answers.items()}


def test_a_picture_has_one_verdict_however_it_is_sent(client, expected, proof):
    combinations = COMBINED if proof else sample()
    wrong = []
    for form, wrapper, coding in combinations:
        answer = send(client, WRAPPERS[wrapper](FORMS[form]), coding=coding)
        name = next(each for each in expected if each in form.split(" of ")[-1])
        if answer.status_code != 200:
            wrong.append((form, wrapper, coding, answer.json["detail"]))
        elif [_numbers(each) for each in answer.json["results"]] != [_numbers(expected[name])]:
            wrong.append((form, wrapper, coding, "another verdict"))
    assert wrong == []


def _numbers(result):
    return result["digit"], np.round(result["logits"], 3).tolist(), result["prepared"]["box"]


# --- what is no picture, through the same wrappers --------------------------------------------------------------------

NAMED = {
    "JavaScript's text": ["[object File]", "[object Blob]", "[object HTMLCanvasElement]", "[object Promise]"],
    "an address": ["https://example.org/3.png", "http://localhost/3", "file:///srv/3.png", "//cdn.example.org/3.png"],
    "a blob: address": ["blob:https://example.org/0b6e-4c"],
    "a file's name": ["three.png", "@three.png", "D:\\me\\three.PNG", "./a b/three.jpeg", "~/three.webp"],
    "a path": ["C:\\fakepath\\three", "/mnt/usb/three", "../three", "~/three"],
    "Python's text of bytes": [repr(FILES["png"][:30]), repr(base64.b64encode(FILES["png"])), repr(b"it's")],
    "a program's text": [
        *("<_io.BufferedReader name='3.png'>", "<PIL.Image.Image image mode=L size=28x28 at 0x7F>", "array([[0, 0]])"),
        *("System.Byte[]", "[B@6d06d69c", "[Ljava.lang.Object;@1b", "Resource id #3", "#<File:0x00007f>"),
    ],
    "holds no picture": ["undefined", "null", "None", "NaN", "false"],
    "an empty canvas": ["data:,", "data:", " data:, "],
    "that is not base64": ["data:image/png,%89PNG", "data:image/svg+xml;utf8,<svg/>"],
    "an HTML page": ["<!DOCTYPE html><title>Log in</title>", "<html>", "<HTML lang=en>"],
}
TEXT_WRAPPERS = {
    name: wrapper
    for name, wrapper in WRAPPERS.items()
    if name in {"body as None", "body as text/plain", "body as image/png", "part, file name UTF-8", *TEXTS}
    or name == "part, file name none"
}


@pytest.mark.parametrize("named", NAMED)
def test_what_is_no_picture_is_named_wherever_it_stands(client, named):
    for text, wrapper in itertools.product(NAMED[named], TEXT_WRAPPERS):
        if text.startswith("[") and wrapper in TEXTS:
            sent = Sent(json.dumps({"image": text}).encode(), "application/json")
        else:
            sent = TEXT_WRAPPERS[wrapper](text.encode())
        answer = send(client, sent)
        assert answer.status_code == 415, (text, wrapper, answer.text)
        assert named in answer.json["detail"], (text, wrapper, answer.json["detail"])
        assert len(answer.json["detail"]) < 500


@pytest.mark.parametrize(
    ("value", "says"),
    [
        ({"type": "Buffer", "data": [137, 80]}, "Buffer of Node"),
        ({"0": 137, "1": 80}, "typed array"),
        ([{"0": 0.5}, {"0": 1}], "typed array"),
        ([base64.b64encode(FILES["png"]).decode()], "a list of texts"),
        (list(FILES["png"]), "the bytes of a file as a list"),
        (list(FILES["npy"]), "the bytes of a file as a list"),
        ({"data": 1}, "an object"),
        (None, "NoneType"),
        (np.zeros((3, 28, 28)).tolist(), "several are"),
        ((LEVELS * 0.99).tolist(), "scale=255"),
        ("", "empty"),
    ],
)
def test_what_json_holds_instead_of_a_picture_is_named(client, value, says):
    for name, each in (("image", value), ("images", [value])):
        answer = client.post("/v1/classify", json={name: each})
        assert answer.status_code in {400, 415, 422}
        assert says in answer.json["detail"], answer.json["detail"]


@pytest.mark.parametrize(
    ("lose", "says"),
    [
        (lambda data: data.translate(None, b"\r\n\0"), "--data-binary"),
        (lambda data: data.replace(b"\r\n", b"\n"), "--data-binary"),
        (lambda data: data.decode("utf-8", "replace").encode(), "as bytes"),
        (lambda data: data.decode("latin-1").encode(), "as bytes"),
    ],
)
@pytest.mark.parametrize("wrapper", ["body as None", "body as image/png", "part, file name UTF-8"])
def test_a_file_that_was_sent_as_text_is_told_what_it_lost(client, lose, says, wrapper):
    answer = send(client, WRAPPERS[wrapper](lose(FILES["png"])))
    assert answer.status_code == 400
    assert says in answer.json["detail"]


def test_a_plus_that_a_form_made_a_space_is_a_plus_again(client, expected):
    for name, data in FILES.items():
        text = base64.b64encode(data)
        for sent in (b"image=" + text, b"image=data:image/png;base64," + text):
            answer = client.post("/v1/classify", data=sent, content_type="application/x-www-form-urlencoded")
            assert answer.json["results"][0]["logits"] == pytest.approx(expected[name]["logits"], abs=1e-3)


def test_a_multipart_body_without_its_header_is_told_to_leave_it_to_the_client(client):
    sent = part(b"text")
    for kind in ("multipart/form-data", "application/octet-stream", None):
        answer = client.post("/v1/classify", data=sent.body, content_type=kind)
        assert answer.status_code == 400
        assert "leave that header to the client" in answer.json["detail"]


def test_a_form_has_pictures_and_options_in_any_order(client):
    three, seven = (quote_plus(base64.b64encode(encode(draw(digit)))) for digit in (3, 7))
    body = f"image={three}&prepared_image=true&image={seven}&model=tiny"
    answer = client.post("/v1/classify", data=body, content_type="application/x-www-form-urlencoded")
    assert [each["digit"] for each in answer.json["results"]] == [3, 7]
    assert answer.json["model"] == "tiny"
    assert "image" in answer.json["results"][0]["prepared"]


# --- codings that are refused -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", ["/v1/classify", "/v1/patches", "/v2/models/digits/infer"])
@pytest.mark.parametrize("coding", ["br", "zstd", "compress", "gzip, br", "utf-8", "x" * 1000, "gzip," * 3 + "gzip"])
def test_a_coding_that_is_not_read_is_refused_with_those_that_are(client, path, coding):
    answer = client.post(path, data=FILES["png"], headers={"Content-Encoding": coding})
    assert answer.status_code == (400 if path.startswith("/v2") else 415)
    assert answer.headers["Accept-Encoding"] == "gzip, deflate"
    said = answer.json.get("detail") or answer.json["error"]
    assert "gzip, deflate" in said or "packed 3 times" in said


@pytest.mark.parametrize(
    ("body", "coding", "status", "says"),
    [
        (FILES["png"], "gzip", 400, "not gzip"),
        (gzip.compress(FILES["png"])[:-9], "gzip", 400, "cut short"),
        (gzip.compress(FILES["png"]) + b"more", "gzip", 400, "follow"),
        (gzip.compress(FILES["png"]), "deflate", 400, "not deflate"),
        (b"", "gzip", 400, "cut short"),
        (gzip.compress(b"", mtime=0), "gzip", 422, "none was posted"),
    ],
)
def test_a_body_that_is_not_what_its_coding_says_is_refused(client, body, coding, status, says):
    answer = client.post("/v1/classify", data=body, headers={"Content-Encoding": coding})
    assert (answer.status_code, says in answer.json["detail"]) == (status, True), answer.json["detail"]


@pytest.mark.parametrize("coding", ["gzip", "deflate", "gzip, deflate"])
def test_what_is_unpacked_has_its_price_before_it_is(coding):
    client = create_app(Settings(max_work_units=20_000)).test_client()
    pack = {"gzip": gzip.compress, "deflate": zlib.compress}
    body = bytes(10_000_000)
    for each in coding.split(", "):
        body = pack[each](body)
    refused = client.post("/v1/classify", data=body, headers={"Content-Encoding": coding})
    assert (refused.status_code, "most of it to read" in refused.json["detail"]) == (422, True)


@pytest.mark.parametrize("body", [b"image=" + b"%41" * 200_000, b"image=" + b"%" * 900_000, b"A" * 9_000_000])
def test_what_is_text_has_its_price_before_it_is_read(body):
    client = create_app(Settings(max_work_units=20_000)).test_client()
    refused = client.post("/v1/classify", data=body)
    assert (refused.status_code, "most of it to read" in refused.json["detail"]) == (422, True)


def test_the_texts_of_a_form_have_together_as_many_numbers_as_a_body_of_json(client):
    rows = "[[" + "0.5," * 100_000 + "0]]"
    refused = client.post("/v1/classify", data={"image": [rows] * 3})
    assert (refused.status_code, "262144 numbers, got about 300000" in refused.json["detail"]) == (413, True)


def test_parts_and_fields_of_the_same_name_keep_their_order(client):
    pictures = [(io.BytesIO(encode(draw(digit))), f"{digit}.png") for digit in (4, 1)]
    answer = client.post("/v1/classify", data={"image[]": pictures})
    assert [each["digit"] for each in answer.json["results"]] == [4, 1]


# --- in pieces -------------------------------------------------------------------------------------------------------


def decoded(text, at_once, monkeypatch):
    monkeypatch.setattr(texts, "DECODED_AT_ONCE", at_once)
    try:
        return texts._from_base64(text)
    except binascii.Error:
        return None


def test_base64_in_pieces_is_what_it_is_as_a_whole(monkeypatch):
    chance = random.Random(5)
    good = 0
    for _ in range(3000):
        data = chance.randbytes(chance.randrange(60))
        text = base64.b64encode(data).decode()
        right = chance.random() < 0.5
        if right:
            text = text.replace("+", chance.choice("+-")).replace("/", chance.choice("/_")).rstrip(chance.choice("=."))
        else:
            place = chance.randrange(len(text) + 1)
            text = text[:place] + chance.choice(["=", "==", "A", " ", "\n", "*", "\r\n"]) + text[place:]
        text = text.strip().encode()
        whole = decoded(text, 10**6, monkeypatch)
        assert decoded(text, chance.randrange(1, 20), monkeypatch) == whole, text
        assert whole == data or not right
        good += whole is not None
    assert 1500 < good < 3000


def test_a_form_in_pieces_is_unescaped_as_a_whole_is(monkeypatch):
    chance = random.Random(6)
    for _ in range(3000):
        pieces = ["%", "%4", "%41", "%25", "%2B", "%zz", "%%", "a", "+", "=", "%c3%a9", "\xe9"]
        text = "".join(chance.choices(pieces, k=chance.randrange(30))).encode("latin-1")
        monkeypatch.setattr(bodies, "UNESCAPED_AT_ONCE", 10**6)
        whole = bodies.unescaped(text)
        monkeypatch.setattr(bodies, "UNESCAPED_AT_ONCE", chance.randrange(3, 20))
        assert bodies.unescaped(text) == whole, text
        assert whole == unquote_to_bytes(text.replace(b"+", b" ")), text
