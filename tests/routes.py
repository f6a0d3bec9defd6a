"""One call of every route, and of each form in which pictures are posted and answers given."""

import json
from base64 import b64encode
from typing import NamedTuple

import numpy as np

from service.lab.explain.methods import METHODS
from tests.api import examples
from tests.drawing import draw, encode, npy

FORM = "multipart/form-data; boundary=x"
# What a method wants beside its name, or has less to do with.
OF_METHODS = {"rise": "&masks=20", "cell": "&layer=conv1&filter=1&row=3&col=3"}
SOBEL = "filters=[{%22preset%22:%22sobel_x%22}]"

# Files and forms that the contract does not name, and a path that there is not.
BESIDE = (
    *("/v1/filters/sobel_y?card=true", "/v1/models/{name}/layers/conv1/filters/0?card=true"),
    *("/docs/swagger-ui-bundle.js", "/docs/", "/web/app.js", "/nowhere"),
)


class Call(NamedTuple):
    """A call; no body means a GET."""

    path: str
    body: bytes | None = None
    media_type: str = ""

    def __str__(self):
        return f"POST {self.path} {self.media_type.partition(';')[0]}" if self.media_type else f"GET {self.path}"


def form(*parts):
    """A multipart body with pictures as its parts."""
    head = b'--x\r\nContent-Disposition: form-data; name="image"; filename="1"\r\n\r\n'
    return b"".join(head + part + b"\r\n" for part in parts) + b"--x--\r\n"


def calls(model="digits"):
    """Every call, each with a drawing of its own."""
    png, canvas, jpeg = (
        encode(draw(3)),
        encode(draw(2, 280, dark_on_light=False)),
        encode(draw(4, 280), "JPEG"),
    )
    encoded = b64encode(png).decode()
    numbers = np.round(1 - draw(7, 28) / 255, 3).tolist()
    tensor = {"name": "image", "shape": [1, 1, 28, 28], "datatype": "FP32", "data": np.ravel(numbers).tolist()}
    change = {"layer": "conv1", "filter": 1, "action": "off"}
    posts = [
        ("/v1/classify", png, "image/png"),
        ("/v1/classify", canvas, "image/png"),
        ("/v1/classify", jpeg, "image/jpeg"),
        ("/v1/classify", {"images": [encoded]}),
        ("/v1/classify", {"image": numbers}),
        ("/v1/classify", npy(draw(1, 28)), "application/x-npy"),
        ("/v1/classify", form(png, canvas), FORM),
        ("/v1/classify", b"no picture", "image/png"),
        ("/v1/read", png, "image/png"),
        ("/v1/read?format=png", jpeg, "image/jpeg"),
        *((f"/v1/feature-maps?format={kind}", png, "image/png") for kind in ("json", "npz", "png")),
        *((f"/v1/patches?patch_size=7&stride=50&format={kind}", png, "image/png") for kind in ("json", "npz", "png")),
        *((f"/v1/apply-filters?{SOBEL}&format={kind}", png, "image/png") for kind in ("json", "npz", "png")),
        *((f"/v1/explain?method={name}{OF_METHODS.get(name, '')}", png, "image/png") for name in METHODS),
        ("/v1/what-if", {"image": encoded, "changes": [change]}),
        (f"/v2/models/{model}/infer", {"inputs": [tensor]}),
        (f"/v2/models/{model}/versions/1/infer", {"inputs": [tensor]}),
        ("/v2/repository/index", {}),
        (f"/v2/repository/models/{model}/load", {}),
        (f"/v2/repository/models/{model}/unload", {}),
    ]
    for path, body, *kind in posts:
        yield Call(path, body, *kind) if kind else Call(path, json.dumps(body).encode(), "application/json")
    for path in dict.fromkeys([*_gets(model), *(path.format(name=model) for path in BESIDE)]):
        yield Call(path)


def _gets(model):
    """Every GET of the contract, its places filled in."""
    places = {"name": model, "layer": "conv1", "index": 0, "version": 1}
    for path, item in examples.load()["paths"].items():
        if "get" in item:
            own = {"/v1/filters/{name}": "sobel_y", "/v1/models/{name}/history": "lecture"}
            yield path.format(**places | {"name": own.get(path, model)})
