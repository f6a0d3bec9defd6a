"""
Answers: JSON by orjson, npz by archive, PNG by pictures.

Results become dictionaries and bytes here and in the routes, and nowhere further in.
"""

import base64
import re
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

import numpy as np
import orjson
from flask import Request, Response, request

from service.api.http.application import HEADERS, InParts, Json
from service.api.http.npz import npz_chunks
from service.core.digit import PreparedDigit
from service.core.errors import NotAcceptable
from service.core.inputs import FittedPicture
from service.lab import prices
from service.lab.verdicts import preparation
from service.network.sessions import Network
from service.observe.record import Timed
from service.pictures.codec import encode_png

MEDIA_TYPES = {"json": "application/json", "png": "image/png", "npz": "application/x-npz"}
# Also understood in Accept; an npz is a zip.
SYNONYMS = {"application/zip": "npz", "application/octet-stream": "npz"}
NO_NAME = re.compile(r"[^A-Za-z0-9_.-]+")
# The ranges of a large batch are longer than clients and proxies take a header to be; its text chunk has them in full.
LONGEST_HEADER = 4096


def choose_format(request: Request, asked: str | None, available: Sequence[str]) -> str:
    """
    The format of the answer: `format=` beats Accept, and without either it is the first available.

    raises: NotAcceptable when the call has no such answer
    """
    if asked is not None:
        if asked not in available:
            raise NotAcceptable(f"this call answers {', '.join(available)}, got format={asked}", "/format")
        return asked
    if "HTTP_ACCEPT" not in request.environ:
        return available[0]
    offered = {MEDIA_TYPES[name]: name for name in available}
    offered |= {kind: name for kind, name in SYNONYMS.items() if name in available}
    best = request.accept_mimetypes.best_match(list(offered))
    if best is None:
        accept = request.headers["Accept"][:80]
        raise NotAcceptable(f"this call answers {', '.join(offered)}, got Accept: {accept}")
    return offered[best]


def json(members: Any) -> Json:
    """Write JSON; NumPy arrays become nested numbers, float32 with the fewest digits that read back the same."""
    with Timed("encode"):
        text = orjson.dumps(members, _in_row_order, orjson.OPT_SERIALIZE_NUMPY)
    return Json(text)


def _in_row_order(value: Any) -> Any:
    """Help orjson with what it cannot write itself: arrays that do not lie in memory as they are read."""
    if isinstance(value, np.ndarray):
        return np.ascontiguousarray(value)
    raise TypeError(f"no JSON for {type(value).__name__}")


def envelope(results: list[Any], network: Network | None = None) -> dict[str, Any]:
    """What every call on pictures answers: which network ran, if one did, and one result per picture."""
    if network is None:
        return {"results": results}
    return {"model": network.name, "version": network.version, "sha256": network.sha256, "results": results}


def npz(arrays: Mapping[str, np.ndarray], network: Network | None = None) -> InParts:
    """Write arrays by name, in chunks that are views of them: an answer may have 256 MiB."""
    body = npz_chunks(arrays)
    return InParts(_headers("npz", network, {}, sum(map(len, body))), body)


def png(levels: np.ndarray, text: Mapping[str, Any], network: Network | None = None) -> Response:
    """Write a picture; `text` goes into its text chunks, and as X-Filterscope-<Key> headers."""
    with Timed("encode"):
        content = encode_png(levels, text, prices.go_on)
    return Response(content, headers=_headers("png", network, text, len(content)))


@lru_cache(maxsize=256)
def file_name(path: str, kind: str) -> str:
    """
    The name under which the answer of a path is kept.

    >>> file_name("/v1/feature-maps", "npz"), file_name("/v1/models/digits/layers/conv1/filters/3", "png")
    ('feature-maps.npz', 'digits-conv1-filters-3.png')
    """
    words = [word for word in path.strip("/").split("/")[1:] if word not in {"models", "layers"}]
    return f"{NO_NAME.sub('_', '-'.join(words))}.{kind}"


def _headers(kind: str, network: Network | None, text: Mapping[str, Any], size: int) -> dict[str, str]:
    headers = dict(HEADERS)
    if network is not None:
        headers |= {"X-Filterscope-Model": f"{network.name}/{network.version}", "X-Filterscope-Sha256": network.sha256}
    headers |= {
        f"X-Filterscope-{key.title()}": str(value) for key, value in text.items() if len(str(value)) <= LONGEST_HEADER
    }
    headers["Content-Length"] = str(size)
    headers["Content-Disposition"] = f'inline; filename="{file_name(request.path, kind)}"'
    headers["Content-Type"] = MEDIA_TYPES[kind]
    return headers


def prepared(found: PreparedDigit | FittedPicture | None, *, with_image: bool) -> dict[str, Any] | None:
    """What was done to the posted picture; None where nothing was."""
    if found is None:
        return None
    return preparation(found) | ({"image": data_url(_levels(found))} if with_image else {})


def _levels(found: PreparedDigit | FittedPicture) -> np.ndarray:
    """What the network was given, as a picture: (rows, columns) or (rows, columns, 3) uint8."""
    if isinstance(found, PreparedDigit):
        return found.image
    levels: np.ndarray = np.rint(found.image * np.float32(255)).astype(np.uint8)
    return levels[0] if len(levels) == 1 else np.ascontiguousarray(levels.transpose(1, 2, 0))


def data_url(levels: np.ndarray) -> str:
    """A picture as a data: URL."""
    return "data:image/png;base64," + base64.b64encode(encode_png(levels)).decode("ascii")
