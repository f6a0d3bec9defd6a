"""
The first calls of a worker, which it makes itself before it listens, so that no caller waits for what is done once.

Done once are imports that libraries put off until they are needed, sessions and tables that are kept, and whatever
Pillow, NumPy and onnxruntime set up on first use. The calls go the way of the door's (`Service.respond`), with no
record open and no door, so that none of them is counted, logged or traced. Left to the first caller is what is about
documents or takes long because much is asked: the contract as JSON, the cards of a layer.
"""

from collections.abc import Iterator
from io import BytesIO
from typing import Any, NamedTuple

import numpy as np

from service.api.http.application import Ready, Service
from service.api.http.codings import BODY
from service.lab.explain.methods import METHODS
from service.network.sessions import Network
from service.pictures.codec import encode_png

DRAWING_SIDE = 140  # small enough to be quick, and large enough that it must be made a digit first
BOUNDARY = "warm"
PNG, JSON, NPY, FORM = "image/png", "application/json", "application/x-npy", f"multipart/form-data; boundary={BOUNDARY}"


class Call(NamedTuple):
    """One call: its path, options included, and what is posted to it, as what; None for a GET."""

    path: str
    body: bytes | None = None
    media_type: str = ""


def warm(app: Service, network: Network) -> dict[Call, int]:
    """Make every call; returns the status of each answer, for tests."""
    with app.app_context():
        return {call: _status(app, call) for call in calls(network)}


def calls(network: Network) -> Iterator[Call]:
    """Name one call of every kind that has something to do for the first time."""
    first = network.passport.convolutions[0].name if network.passport.convolutions else ""
    grey = _drawing()
    drawing = encode_png(grey)
    touching = encode_png(np.minimum(grey, np.roll(grey, 30, axis=1)))  # two digits in one, so that they are cut apart
    pixels = str((255 - grey[::5, ::5]).tolist()).encode()
    npy = BytesIO()
    np.save(npy, grey)
    part = f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="image"; filename="1.png"\r\n\r\n'.encode()

    yield Call("/v1/classify", drawing, PNG)
    yield Call("/v1/classify", b'{"images": [%b]}' % pixels, JSON)
    yield Call("/v1/classify", npy.getvalue(), NPY)
    yield Call("/v1/classify", b"%b%b\r\n--%b--\r\n" % (part, drawing, BOUNDARY.encode()), FORM)
    yield Call("/v1/classify", b"", PNG)  # a refusal
    for form in ("json", "png"):
        yield Call(f"/v1/read?format={form}", touching, PNG)
    for form in ("json", "npz", "png"):
        yield Call(f"/v1/feature-maps?layers={first}&format={form}", drawing, PNG)
        yield Call(f"/v1/patches?patch_size=7&stride=35&format={form}", drawing, PNG)
        yield Call(f"/v1/apply-filters?filters=[{{%22preset%22:%22sobel_x%22}}]&format={form}", drawing, PNG)
    for method in METHODS:
        options = {
            "rise": "&masks=4",
            "occlusion": "&window=14&stride=14",
            "cell": f"&layer={first}&filter=0&row=0&col=0",
        }
        yield Call(f"/v1/explain?method={method}{options.get(method, '')}", drawing, PNG)
    change = b'[{"layer": "%b", "filter": 0, "action": "off"}]' % first.encode()
    yield Call("/v1/what-if", b'{"image": %b, "changes": %b}' % (pixels, change), JSON)
    model = f"models/{network.name}"
    for path in (
        *("/v1/filters", "/v1/filters/sobel_x", "/v1/models", f"/v1/{model}", f"/v1/{model}/report"),
        *(f"/v1/{model}/layers/{first}/filters", "/v1/limits", "/healthz", "/readyz", "/", "/web/state/api.js"),
        *(
            "/docs",
            "/docs/problems",
            "/docs/swagger-ui.css",
            "/v2",
            "/v2/models",
            f"/v2/{model}",
            f"/v2/{model}/config",
        ),
        *("/v2/health/ready", "/v2/models/stats", "/metrics", "/none"),
    ):
        yield Call(path)


def _drawing() -> np.ndarray:
    """Draw a seven as a pen on paper has it: uint8 (DRAWING_SIDE, DRAWING_SIDE), black on white."""
    down, across = np.mgrid[:DRAWING_SIDE, :DRAWING_SIDE]
    bar = (abs(down - 35) < 6) & (abs(across - 70) < 31)
    stroke = (abs(across - 95 + (down - 35) * 0.5) < 7) & (abs(down - 70) < 40)
    return np.where(bar | stroke, 20, 235).astype(np.uint8)


def _status(app: Service, call: Call) -> int:
    path, _, query = call.path.partition("?")
    body = call.body or b""
    environ: dict[str, Any] = {
        "REQUEST_METHOD": "GET" if call.body is None else "POST",
        "PATH_INFO": path,
        "QUERY_STRING": query,
        "CONTENT_TYPE": call.media_type,
        "CONTENT_LENGTH": str(len(body)),
        "wsgi.input": BytesIO(body),
        "wsgi.input_terminated": True,
        "wsgi.url_scheme": "http",
        BODY: body,
    }
    answer, _ = app.respond(environ)
    if isinstance(answer, Ready):
        return 200
    if not isinstance(answer.response, list | tuple):  # a file that is passed through
        answer.response = list(answer.iter_encoded())
        answer.close()
    return answer.status_code
