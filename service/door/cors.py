"""
Answers to pages of other origins (CORS, as WHATWG's fetch standard has it): to those that are named, exactly.

No cookies and no credentials of the browser are used, so none are allowed; a key travels in a header of the page's own.
"""

from collections.abc import Iterable
from urllib.parse import urlsplit

METHODS = ("GET", "HEAD", "POST", "OPTIONS")
# What a page may send besides what every page may.
HEADERS = (
    *("Authorization", "Content-Type", "Content-Encoding", "If-None-Match"),
    *("Inference-Header-Content-Length", "X-Request-ID", "traceparent", "tracestate"),
)
# What a page may read besides what every page may.
EXPOSED = (
    *("Accept-Encoding", "Allow", "Content-Disposition", "ETag", "Inference-Header-Content-Length", "Retry-After"),
    *("Server-Timing", "WWW-Authenticate", "X-Filterscope-Model", "X-Filterscope-Polarity", "X-Filterscope-Range"),
    *("X-Filterscope-Range-Mode", "X-Filterscope-Sha256", "X-Request-ID"),
)
MAX_AGE_SECONDS = 600

VARY = b"Vary: Origin\r\n"


class BadOrigin(ValueError):
    """An origin that no browser would send; the message says what was wanted."""


class Cors:
    r"""
    The origins whose pages may call.

    >>> cors = Cors.parse("https://one.example, http://localhost:3000")
    >>> cors.preflight(b"https://two.example", b"POST", b"content-type") is None
    True
    >>> cors.headers(b"https://two.example")
    b'Vary: Origin\r\n'
    """

    def __init__(self, origins: Iterable[str]) -> None:
        self._lines: dict[bytes, bytes] = {}
        self._allowed = {name.lower() for name in HEADERS}
        for origin in origins:
            check_origin(origin)
            lines = f"Access-Control-Allow-Origin: {origin}\r\nAccess-Control-Expose-Headers: {', '.join(EXPOSED)}\r\n"
            self._lines[origin.encode()] = lines.encode() + VARY
        # Off, answers say nothing of origins: a cache may give one answer to all.
        self._others = VARY if self._lines else b""

    @classmethod
    def parse(cls, text: str) -> "Cors":
        """Read origins separated by commas, as a setting has them; raises BadOrigin."""
        return cls(part.strip() for part in text.split(",") if part.strip())

    def __bool__(self) -> bool:
        return bool(self._lines)

    def headers(self, origin: bytes | None) -> bytes:
        """The lines to add to an answer to a request of that origin."""
        return self._others if origin is None else self._lines.get(origin, self._others)

    def preflight(self, origin: bytes, method: bytes, headers: bytes | None) -> list[tuple[str, str]] | None:
        """
        Answer a page that asks before it calls; None where the call would not be allowed.

        method, headers: the values of Access-Control-Request-Method and -Headers
        """
        if origin not in self._lines or method.decode("latin-1") not in METHODS:
            return None
        asked = (name.strip().lower() for name in (headers or b"").decode("latin-1").split(","))
        if not all(name in self._allowed for name in asked if name):
            return None
        return [
            ("Access-Control-Allow-Origin", origin.decode()),
            ("Access-Control-Allow-Methods", ", ".join(METHODS)),
            ("Access-Control-Allow-Headers", ", ".join(HEADERS)),
            ("Access-Control-Max-Age", str(MAX_AGE_SECONDS)),
            ("Vary", "Origin, Access-Control-Request-Method, Access-Control-Request-Headers"),
        ]


def check_origin(origin: str) -> None:
    """Refuse what is not an origin as browsers send it: scheme, host and, where it is not the usual one, port."""
    wanted = "an origin is like https://pages.example or http://localhost:3000, with no path"
    try:
        parts = urlsplit(origin)
        port = parts.port
    except ValueError:
        raise BadOrigin(f"{wanted}; got {origin[:80]!r}") from None
    usual = {"http": 80, "https": 443}
    host = f"[{parts.hostname}]" if parts.hostname and ":" in parts.hostname else parts.hostname
    normal = f"{parts.scheme}://{host}" + (f":{port}" if port is not None else "")
    if (
        origin != normal
        or not host
        or not origin.isascii()
        or any(sign in host for sign in " *")
        or parts.scheme not in usual
    ):
        raise BadOrigin(f"{wanted}; got {origin[:80]!r}")
    if port == usual[parts.scheme]:
        raise BadOrigin(f"browsers leave port {port} out of {parts.scheme} origins; got {origin[:80]!r}")
