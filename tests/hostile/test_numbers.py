"""Numbers and counts without end: each is refused in few words, before anything is made of them."""

import io
import json
import struct
import subprocess
import sys

import pytest
from PIL import Image
from werkzeug.datastructures import MultiDict

from service.api.v2 import tensors
from tests.api.contract import DOCUMENT, OPERATIONS, call_of, parameters_of, resolved
from tests.drawing import draw, encode
from tests.pictures.files import chunk
from tests.serving import ROOT

SEVEN = encode(draw(7))
# Beyond 32, 53 and 64 bits; as many digits as Python, and as msgspec, makes a number of; and more than each.
DIGITS = ["9" * count for count in (10, 17, 20, 310, 4000, 4096, 4299, 4301, 5000)]
HUGE = [*DIGITS, *("-" + digits for digits in DIGITS), "1" + "0" * 300 + ".5", "1e400", "1e-400", "nan", "-0"]
INFER = "/v2/models/digits/infer"


def refused(response):
    """An answer that is no fault of ours, and no longer than a few lines."""
    assert response.status_code < 500, response.text[:300]
    assert response.status_code == 200 or len(response.data) < 2500


def npy_of(shape, data=b"1234"):
    header = f"{{'descr': '<f4', 'fortran_order': False, 'shape': {shape}, }}\n".encode()
    return b"\x93NUMPY\1\0" + struct.pack("<H", len(header)) + header + data


@pytest.mark.parametrize("shape", [
    f"({'9' * 3000}, {'9' * 3000})", f"({'9' * 4200},)", f"(-{'9' * 4200}, 2)", f"({'9' * 4200}, 0)",
    f"({'9,' * 4000})", f"({'2,' * 4000})", f"({'0,' * 4000})", f"({'1,' * 60})", f"({'9' * 5000},)",
])  # fmt: skip
def test_an_npy_shape_of_any_digits_is_refused_in_few_words(client, shape):
    for call in ("/v1/classify", "/v1/apply-filters", "/v1/patches?prepare=auto"):
        answer = client.post(call, data=npy_of(shape))
        refused(answer)
        assert answer.status_code in {400, 422}
        assert len(answer.data) < 600


WITH_OPTIONS = [(path, method) for path, method in OPERATIONS if parameters_of(path, method, "query")]


@pytest.mark.parametrize(("path", "method"), WITH_OPTIONS)
def test_an_option_of_any_digits_is_answered_in_every_form(client, path, method):
    for name in parameters_of(path, method, "query"):
        for text in HUGE:
            if method == "get":
                refused(client.get(call_of(path, method), query_string={name: text}))
                continue
            refused(client.post(call_of(path, method), query_string={name: text}, data=SEVEN))
            form = MultiDict([("image", (io.BytesIO(SEVEN), "a.png")), (name, text)])
            refused(client.post(call_of(path, method), data=form))
            body = f'{{"image": [[0, 9], [9, 0]], "{name}": {text}}}'
            refused(client.post(call_of(path, method), data=body, content_type="application/json"))


def members(schema, path=()):
    """The path to every number in what the contract lets a client post."""
    schema = resolved(schema)
    kinds = schema.get("type")
    if {"integer", "number"} & set([kinds] if isinstance(kinds, str) else kinds or []):
        yield path
    for part in [*schema.get("anyOf", []), *schema.get("oneOf", [])]:
        yield from members(part, path)
    for name, part in schema.get("properties", {}).items():
        yield from members(part, (*path, name))
    if "items" in schema:
        yield from members(schema["items"], (*path, 0))


def wrapped(path, text):
    """JSON with a number at a path, and nothing else."""
    for step in reversed(path):
        text = f"[{text}]" if step == 0 else f'{{"{step}": {text}}}'
    return text


STRUCTURES = ["Filters", "Changes", "Pool", "Stages", "Picture"]


@pytest.mark.parametrize("structure", [name for name in STRUCTURES if name in DOCUMENT["components"]["schemas"]])
def test_a_number_of_any_digits_within_a_structure_is_answered(client, structure):
    name = {"Picture": "image"}.get(structure, structure.lower())
    paths = set(members(DOCUMENT["components"]["schemas"][structure]))
    assert paths
    calls = [
        call_of(path, method) for path, method in OPERATIONS
        if method == "post" and path.startswith("/v1")
        and (name == "image" or name in parameters_of(path, method, "query"))
    ]  # fmt: skip
    assert calls
    for call in calls:
        for path in sorted(paths, key=str):
            for text in HUGE:
                body = f'{{"{name}": {wrapped(path, text)}{"" if name == "image" else _PICTURE}}}'
                refused(client.post(call, data=body, content_type="application/json"))


_PICTURE = ', "image": [[0, 9], [9, 0]]'


@pytest.mark.parametrize("text", HUGE)
def test_a_number_of_any_digits_is_answered_by_the_protocol(client, text):
    image = '"name": "image", "datatype": "FP32"'
    for body in (
        f'{{"inputs": [{{{image}, "shape": {text}, "data": [1]}}]}}',
        f'{{"inputs": [{{{image}, "shape": [{text}], "data": [1]}}]}}',
        f'{{"inputs": [{{{image}, "shape": [1, 1, {text}, 28], "data": [1]}}]}}',
        f'{{"inputs": [{{{image}, "shape": [{text}, 1, 28, 28], "data": [1]}}]}}',
        f'{{"inputs": [{{{image}, "shape": [{text}, {text}, {text}, {text}], "data": [1]}}]}}',
        f'{{"inputs": [{{{image}, "shape": [1, 1, 28, 28], "data": [{text}]}}]}}',
        f'{{"inputs": [{{{image}, "shape": [1, 1, 28, 28], "parameters": {{"binary_data_size": {text}}}}}]}}',
        f'{{"inputs": [], "outputs": [{{"name": "logits", "parameters": {{"classification": {text}}}}}]}}',
        f'{{"inputs": [], "parameters": {{"binary_data_output": {text}}}}}',
        f'{{"parameters": {{"a": {text}}}}}',
    ):
        refused(client.post(INFER, data=body))
        refused(client.post("/v2/repository/models/digits/load", data=body))
    refused(client.post(INFER, data=b"{}", headers={"Inference-Header-Content-Length": text}))


# --- counts, before lists are made ------------------------------------------------------------------------------------


def tensor(datatype, shape, **more):
    return {"inputs": [{"name": "image", "shape": shape, "datatype": datatype, **more}]}


def infer_of_bytes(client, elements):
    head = json.dumps(tensor("BYTES", [1], parameters={"binary_data_size": len(elements)})).encode()
    return client.post(INFER, data=head + elements, headers={"Inference-Header-Content-Length": str(len(head))})


@pytest.mark.parametrize("how", ["bytes", "texts", "numbers", "nested"])
def test_more_elements_than_the_shape_says_are_never_made(client, monkeypatch, how):
    count = 200_000
    shape = [1, 1, 28, 28]
    post = {
        "bytes": lambda: infer_of_bytes(client, bytes(4 * count)),
        "texts": lambda: client.post(INFER, json=tensor("BYTES", [1], data=[""] * count)),
        "numbers": lambda: client.post(INFER, json=tensor("FP32", shape, data=[0.5] * count)),
        "nested": lambda: client.post(INFER, json=tensor("FP32", shape, data=[[[[0.5]] * count]])),
    }[how]
    made = []
    unpack, decode = tensors.unpack_elements, tensors.decode_json

    def watched_unpack(packed):
        for element in unpack(packed):
            made.append(element)
            yield element

    def watched_decode(decoder, text, what):
        found = decode(decoder, text, what)
        if what != "the request":
            made.extend(found if len(found) > 1 else found[0][0])
        return found

    monkeypatch.setattr(tensors, "unpack_elements", watched_unpack)
    monkeypatch.setattr(tensors, "decode_json", watched_decode)
    answer = post()
    assert answer.status_code == 400
    assert "has 1 elements" in answer.json["error"] or "has 784 elements" in answer.json["error"]
    assert len(made) <= 2


# --- what Pillow says -------------------------------------------------------------------------------------------------


def png_with_odd_entries(count=9000, size=70_000):
    """A PNG whose EXIF has entries that each lead past its end."""
    entries = b"".join(struct.pack("<HHLL", 0x1000 + i, 7, size, 8) for i in range(count))
    exif = b"II*\0" + struct.pack("<L", 8) + struct.pack("<H", count) + entries + b"\0\0\0\0"
    return SEVEN[:33] + chunk(b"eXIf", exif) + SEVEN[33:]


def test_no_picture_makes_a_process_write_of_it(tmp_path):
    path = tmp_path / "odd.png"
    path.write_bytes(png_with_odd_entries())
    code = """
import sys
from pathlib import Path
from service.app import create_app
from service.settings import SHIPPED_MODELS, Settings
client = create_app(Settings(models=str(SHIPPED_MODELS))).test_client()
print(client.post("/v1/classify", data=Path(sys.argv[1]).read_bytes()).json["results"][0]["digit"])
"""
    done = subprocess.run(
        [sys.executable, "-W", "default", "-c", code, path], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stdout == "7\n"
    assert done.stderr == ""


def damaged_tiff():
    data = encode(draw(7), "TIFF", compression="tiff_deflate")
    return data[:30] + bytes(20) + data[50:]


def test_no_damaged_scan_makes_a_process_write_of_it():
    code = """
import sys
from service.pictures import codec
codec.decode(sys.stdin.buffer.read(), max_pixels=10**6)
"""
    done = subprocess.run(
        [sys.executable, "-c", code], input=damaged_tiff(), cwd=ROOT, capture_output=True, check=False
    )
    assert b"Unreadable" in done.stderr
    assert b"ZIPDecode" not in done.stderr


def test_the_picture_is_one_that_pillow_warns_of():
    # Where no filter of the service stands before it, as pytest has it.
    with pytest.warns(UserWarning, match="Corrupt EXIF|larger than file"):
        assert Image.open(io.BytesIO(png_with_odd_entries(3))).getexif() is not None
