"""GET / and its files: the playground, a client of the API like any other."""

import gzip
import hashlib
import re
from dataclasses import dataclass
from pathlib import Path

from flask import Blueprint, Response, request

from service.api.http.application import Access
from service.core.errors import NotFound

FOLDER = Path(__file__).resolve().parents[1] / "web"
# Nothing from outside, nothing inline, and no text that ever becomes markup.
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; connect-src 'self'; "
    "media-src 'self' blob:; base-uri 'none'; form-action 'none'; frame-ancestors 'self'; "
    "require-trusted-types-for 'script'"
)
HEADERS = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    # Asked again each time, answered 304: a new release is seen at once, and nothing is sent twice.
    "Cache-Control": "no-cache",
    "Vary": "Accept-Encoding",
}
# Of the page alone: no script or style has permissions of its own, or leads anywhere else.
PAGE_HEADERS = {
    "Referrer-Policy": "no-referrer",
    "Permissions-Policy": "camera=(self), geolocation=(), microphone=()",
}
# A comment that begins with /** has types, for the checker and for who works on the page. A visitor is not sent it.
DOCUMENTATION = re.compile(rb"^[ \t]*/\*\*(?:(?!\*/).)*\*/[ \t]*$", re.MULTILINE | re.DOTALL)
MEDIA_TYPES = {
    "html": "text/html; charset=utf-8",
    "css": "text/css; charset=utf-8",
    "js": "text/javascript; charset=utf-8",
    "svg": "image/svg+xml",
}


@dataclass(frozen=True, slots=True)
class Asset:
    """One file of the page, ready to send."""

    content: bytes
    compressed: bytes
    media_type: str
    etag: str


def blueprint() -> Blueprint:
    """The routes of the page."""
    routes = Blueprint("web", __name__)
    assets = read_assets()

    @routes.get("/", access=Access.OPEN)
    def page() -> Response:
        """Show the playground."""
        return _send(assets["index.html"], PAGE_HEADERS)

    @routes.get("/web/<path:name>", access=Access.OPEN)
    def asset(name: str) -> Response:
        """Serve one of the page's own files."""
        if name not in assets:
            raise NotFound(f"the page has no file {name[:80]!r}")
        return _send(assets[name])

    return routes


def read_assets(folder: Path = FOLDER) -> dict[str, Asset]:
    """
    Read the files of a folder and of the folders in it once, by their names in it ("numbers/npy.js").

    Only kinds with a known media type are served. A link is not, since it may lead outside. Scripts lose their /**
    comments, but no line, so that an error is told at the line where it is.
    """
    assets = {}
    for file in sorted(folder.rglob("*")):
        if file.suffix[1:] in MEDIA_TYPES and file.is_file() and not file.is_symlink():
            content = file.read_bytes()
            if file.suffix == ".js":
                content = DOCUMENTATION.sub(lambda found: b"\n" * found[0].count(b"\n"), content)
            etag = hashlib.sha256(content).hexdigest()[:20]
            asset = Asset(content, gzip.compress(content, 9, mtime=0), MEDIA_TYPES[file.suffix[1:]], etag)
            assets[file.relative_to(folder).as_posix()] = asset
    return assets


def _send(asset: Asset, more: dict[str, str] | None = None) -> Response:
    is_compressed = request.accept_encodings["gzip"] > 0
    response = Response(asset.compressed if is_compressed else asset.content, headers=HEADERS | (more or {}))
    response.headers["Content-Type"] = asset.media_type
    if is_compressed:
        response.headers["Content-Encoding"] = "gzip"
    # Two forms of one file are two representations, so each has its own tag.
    response.set_etag(f"{asset.etag}-gzip" if is_compressed else asset.etag)
    return response.make_conditional(request)  # type: ignore[return-value]
