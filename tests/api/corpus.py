"""
A corpus of calls and their answers: every route, every option in every value the contract names, every form of body,
and refusals of each kind. A change that should change no answer is held against it.

    python -m tests.api.corpus write          asks the service again and writes tests/api/corpus.json
    python -m tests.api.corpus bytes FILE     writes every answer whole, for two trees of one machine to be compared

The calls are made from openapi.yaml, so a new option is asked about without being named here. What is kept is the
structure of each answer and its numbers; long arrays are kept by shape, sum, norm and ends.
"""

import base64
import hashlib
import io
import json
import pickle
import sys
from pathlib import Path
from typing import NamedTuple
from urllib.parse import quote

import numpy as np
from PIL import Image

from tests.api.contract import OPERATIONS, call_of, operation, resolved, typed_options
from tests.api.declared import CALLS, struct_schemas
from tests.drawing import draw, encode, npy

FILE = Path(__file__).parent / "corpus.json"
# What a call cannot do without, besides a picture.
WANTED = {
    "/v1/apply-filters": {
        "filters": [{"preset": "diagonal_falling"}, {"model": "digits", "layer": "conv1", "filter": 2}]
    },
    "/v1/what-if": {"changes": [{"layer": "conv1", "filter": 3, "action": "off"}]},
}
# Options that mean something together alone.
TOGETHER = {
    "/v1/explain": [
        "method=cell&layer=conv2&filter=1&row=3&col=4",
        "method=ledger&full=true&rival=8",
        "method=rise&masks=40&seed=2&cells=5",
        "method=occlusion&window=6,3&stride=3&baseline=mean&score=margin&rival=5",
        "method=pixels&changes=" + quote('[{"layer":"conv1","filter":3,"action":"scale","factor":0.5}]'),
        "method=deciding-set&rival=5&score=margin",
    ],
    "/v1/classify": ["model=lecture&step=0", "model=lecture&step=24", "model=lecture&step=25"],
    "/v1/feature-maps": [
        "layers=conv1,pool2&filters=1,2&stats=true",
        "format=png&range=fixed&lo=0&hi=3&layers=conv2",
        "model=lecture&step=7&layers=conv1",
    ],
    "/v1/patches": ["patch_size=9,5&stride=3&padding=same&pad_mode=mirror&snippet=numpy", "format=png&stride=4"],
}
# Values that no schema names: of a model, of its layers, of filters.
GIVEN = {
    "model": ["digits"],
    "version": ["1"],
    "layer": ["conv1"],
    "layers": [["conv1.pre", "pool1"]],
    "pool": [{"kind": "max", "size": 2}],
    "changes": [[{"layer": "conv1", "filter": 3, "action": "off"}]],
    "stages": [[
        {"filters": [{"preset": "sobel_x"}, {"preset": "sobel_y"}], "activation": "abs"},
        {"pool": {"kind": "max", "size": 2}},
    ]],
}  # fmt: skip
FILTERS = {"/v1/feature-maps": [[0, 5]], "/v1/apply-filters": [[{"preset": "sobel"}]]}
# Answers that tell of the process: how often it was asked, since when, for how long.
OF_THE_PROCESS = ("/metrics", "/stats")
# The contract is in the repository already.
OF_THE_CONTRACT = ("/openapi.json",)
# Of one answer alone, or of the bytes that numbers become on one machine.
VOLATILE = {"date", "x-request-id", "server-timing", "content-length", "etag", "connection", "last-modified"}
LONG, FEW = 12, 2


class Call(NamedTuple):
    """One request of the corpus."""

    method: str
    target: str
    headers: dict
    body: bytes

    @property
    def name(self):
        """What it is, in a line."""
        said = self.headers.get("Content-Type", "")
        tail = hashlib.sha256(self.body).hexdigest()[:8] if self.body else ""
        accept = self.headers.get("Accept", "")
        return " ".join(filter(None, [self.method, self.target, said, accept, tail]))


def forms(members):
    """(headers, body) of a drawn 3 in every form a picture is taken in; members: options in JSON."""
    picture, small = encode(draw(3, 56)), draw(4, 28, dark_on_light=False)
    text = base64.b64encode(picture).decode()
    fields = "".join(
        f'--b\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{as_text(value)}\r\n'
        for name, value in members.items()
    ).encode()
    part = b'--b\r\nContent-Disposition: form-data; name="image"; filename="3.png"\r\n\r\n' + picture + b"\r\n"
    query = {"Content-Type": "image/png"}
    jpeg = io.BytesIO()
    Image.fromarray(draw(7, 120)).save(jpeg, "JPEG", quality=90)
    if not members:
        yield query, picture
        yield {"Content-Type": "application/octet-stream"}, jpeg.getvalue()
        yield {"Content-Type": "application/x-npy"}, npy(np.stack([small, draw(2, 28, dark_on_light=False)]))
        yield {"Content-Type": "application/x-npy"}, npy(small.astype(np.float32) / 255)
    yield {"Content-Type": "multipart/form-data; boundary=b"}, fields + part + part + b"--b--\r\n"
    as_json = {"Content-Type": "application/json"}
    yield as_json, json.dumps({"image": small.tolist()} | members).encode()
    yield as_json, json.dumps({"images": [text, f"data:image/png;base64,{text}"]} | members).encode()


def as_text(value):
    """An option as a query or a form has it."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, list) and not any(isinstance(item, dict | list) for item in value):
        return ",".join(map(str, value))
    return json.dumps(value) if isinstance(value, dict | list) else str(value)


def values_of(schema):
    """Values that a schema names or allows, a few of each kind."""
    schema = resolved(schema)
    found = [*schema.get("enum", []), *schema.get("examples", [])]
    found += [schema[name] for name in ("const", "default", "example") if name in schema]
    for kind in ("oneOf", "anyOf"):
        found += [value for choice in schema.get(kind, []) for value in values_of(choice)]
    if not found:
        kinds = schema.get("type", [])
        for kind in [kinds] if isinstance(kinds, str) else kinds:
            found += {
                "boolean": [True, False],
                "integer": [schema.get("minimum", 0), 3],
                "number": [0.5],
                "string": ["x"],
                "array": [[value] for value in values_of(schema.get("items", {}))[:2]],
            }.get(kind, [])
    return found


def queries(path, method):
    """Every option of a call in each of its values, and in one that it cannot have."""
    for name, schema in typed_options(path, method).items():
        given = FILTERS[path] if name == "filters" else GIVEN.get(name, [])
        default = struct_schemas(CALLS[path])[name].get("default")
        values = [*given, *([] if default is None else [default]), *values_of(schema)]
        distinct = {as_text(value): value for value in values}
        yield from [(name, text) for text in distinct]
        yield name, "~"
        yield name, ""


def calls():
    """Every call of the corpus."""
    for path, method in OPERATIONS:
        target = call_of(path, method)
        if path.endswith(OF_THE_PROCESS + OF_THE_CONTRACT):
            continue
        if method == "get":
            yield Call("GET", target, {}, b"")
            yield Call("HEAD", target, {}, b"")
            yield Call("DELETE", target, {}, b"")
            yield Call("GET", target, {"Accept": "image/png"}, b"")
            for name, text in queries(path, method):
                yield Call("GET", f"{target}?{name}={quote(text)}", {}, b"")
            yield Call("GET", f"{target}?nonsense=1", {}, b"")
        elif path.startswith("/v1"):
            yield from posts(path)
        else:
            yield from protocol_posts(path, target)
    for name in ("digits", "tiny", "lecture", "none"):
        yield Call("GET", f"/v1/models/{name}", {}, b"")
        yield Call("GET", f"/v1/models/{name}/layers/conv1/filters/0?card=true", {}, b"")
        yield Call("GET", f"/v2/models/{name}/config", {}, b"")
        yield Call("POST", f"/v1/classify?model={name}", {}, encode(draw(7, 90)))
    yield Call("GET", "/nowhere", {}, b"")
    yield Call("POST", "//v1/%63lassify/", {}, encode(draw(7, 90)))


def posts(path):
    """A call on pictures in every form, option and refusal."""
    wanted = WANTED.get(path, {})
    start = "?" + "&".join(f"{name}={quote(as_text(value))}" for name, value in wanted.items()) if wanted else "?"
    for headers, body in forms({}):
        is_text = "json" in headers["Content-Type"] or "form" in headers["Content-Type"]
        yield Call("POST", path if is_text and not wanted else path + start, headers, body)
    for headers, body in forms(wanted | {"prepare": "auto"}):
        yield Call("POST", path, headers, body)
    picture, raw = encode(draw(3, 56)), {"Content-Type": "image/png"}
    for name, text in queries(path, "post"):
        kept = {key: value for key, value in wanted.items() if key != name}
        query = "&".join([*(f"{key}={quote(as_text(value))}" for key, value in kept.items()), f"{name}={quote(text)}"])
        yield Call("POST", f"{path}?{query}", raw, picture)
    for query in TOGETHER.get(path, []):
        yield Call("POST", f"{path}?{query}", raw, picture)
    for accept in ("application/json", "image/png", "application/x-npz", "text/html"):
        yield Call("POST", path + start, raw | {"Accept": accept}, picture)
    for headers, body in (
        (raw, picture[:40]),
        (raw, b""),
        ({"Content-Type": "text/plain"}, b"hello"),
        ({"Content-Type": "application/json"}, b'{"image": [[0, 1], [0]]}'),
        ({"Content-Type": "application/json"}, b'{"images": ["x", [[0]], 3]}'),
        ({"Content-Type": "application/json"}, b"{"),
        ({"Content-Type": "application/x-npy"}, npy(np.zeros((2, 28, 28)))),
        ({"Content-Type": "application/x-npy"}, npy(np.full((28, 28), np.nan))),
        ({"Content-Type": "multipart/form-data"}, b"--b--"),
    ):
        yield Call("POST", path + start, headers, body)
    yield Call("POST", f"{path}{start}&nonsense=1", raw, picture)
    yield Call("POST", f"{path}{start}&prepare=auto&prepare=auto", raw, picture)
    yield Call("GET", path, {}, b"")


def protocol_posts(path, target):
    """A call of the Open Inference Protocol, with the contract's own examples and what it refuses."""
    content = operation(path, "post").get("requestBody", {}).get("content", {})
    for media in content.values():
        for each in media.get("examples", {}).values():
            yield Call("POST", target, {}, json.dumps(resolved(each)["value"]).encode())
    yield Call("POST", target, {}, b"")
    yield Call("POST", target, {}, b"{")
    yield Call("POST", target, {}, b'{"inputs": [{"name": "image", "shape": [1, 2], "datatype": "FP32", "data": [1]}]}')


def answers(door, **more):
    """(call, status, headers, body) of every call; door: a WSGI application; more: of its environ."""
    for call in calls():
        path, _, query = call.target.partition("?")
        environ = {
            "REQUEST_METHOD": call.method, "RAW_URI": call.target, "PATH_INFO": path, "QUERY_STRING": query,
            "SCRIPT_NAME": "", "SERVER_PROTOCOL": "HTTP/1.1", "CONTENT_LENGTH": str(len(call.body)),
            "wsgi.input": io.BytesIO(call.body), **more,
        }  # fmt: skip
        for name, value in call.headers.items():
            upper = name.upper().replace("-", "_")
            environ[upper if upper == "CONTENT_TYPE" else f"HTTP_{upper}"] = value
        told = []
        body = b"".join(door(environ, lambda status, headers, told=told: told.extend([status, headers])))
        headers: dict[str, str] = {}
        for name, value in told[1]:
            lower = name.lower()
            if lower not in VOLATILE:
                headers[lower] = f"{headers[lower]}, {value}" if lower in headers else value
        yield call, int(told[0][:3]), headers, body


def kept_of(status, headers, body):
    """What the corpus keeps of an answer."""
    kind = headers.get("content-type", "").partition(";")[0]
    return {"status": status, "headers": dict(sorted(headers.items())), "body": _kept_of_body(kind, body)}


def _kept_of_body(kind, body):
    if not body:
        return None
    if kind.endswith("json"):
        return _shortened(json.loads(body))
    if kind == "application/x-npz":
        with np.load(io.BytesIO(body)) as file:
            return {name: _of_array(file[name]) for name in file}
    if kind == "image/png":
        with Image.open(io.BytesIO(body)) as image:
            return {"mode": image.mode, "size": list(image.size), "text": sorted(image.text)}
    return {"begins": body[:40].decode("latin-1")}  # a page or a file of it, which has tests of its own


def _shortened(value):
    if isinstance(value, dict):
        return {name: _shortened(member) for name, member in value.items()}
    if isinstance(value, list) and value:
        array = _as_array(value)
        if array is not None and array.size > LONG:
            return _of_array(array)
        most = FEW if isinstance(value[0], dict | list) else LONG
        return [_shortened(item) for item in value[:most]] + ([f"{len(value)} in all"] if len(value) > most else [])
    if isinstance(value, str) and len(value) > 400:
        return {"length": len(value), "begins": value[:60]}
    return value


def _as_array(value):
    """Nested rows of numbers as an array; None for anything else."""
    try:
        array = np.array(value)
    except ValueError:
        return None
    return array if array.dtype.kind in "iuf" else None


def _of_array(array):
    if array.dtype.kind not in "iufb":
        return {"shape": list(array.shape), "type": array.dtype.kind}
    flat = array.astype(np.float64).ravel()
    ends = [float(flat[0]), float(flat[-1])] if flat.size else []
    return {"shape": list(array.shape), "sum": float(flat.sum()), "norm": float(np.linalg.norm(flat)), "ends": ends}


def main(words):
    """Write the corpus again, or every answer whole."""
    from service.app import create_door

    found = list(answers(create_door()))
    if words[:1] == ["write"]:
        kept = {call.name: kept_of(*answer) for call, *answer in found}
        FILE.write_text(json.dumps(kept, indent=0, sort_keys=True) + "\n", encoding="utf-8")
    else:
        whole = {call.name: answer for call, *answer in found}
        Path(words[1]).write_bytes(pickle.dumps(whole))
    print(f"{len(found)} calls, {len({call.name for call, *_ in found})} of them different")


if __name__ == "__main__":
    main(sys.argv[1:])
