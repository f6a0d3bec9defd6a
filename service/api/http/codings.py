"""
A body as it was sent, unpacked where it came in a content coding (RFC 9110, 8.4): gzip or deflate.

It stops at the largest body that is allowed, however small the packed one was; each coding of a chain has its price.
"""

import zlib

from flask import Request

from service.core.errors import TooLarge, Unreadable, UnsupportedCoding
from service.lab import prices

# Where the door leaves the body it has collected, so that it need not be read out of a stream again.
BODY = "filterscope.body"
# zlib's name for the form that each coding has.
CODINGS = {"gzip": zlib.MAX_WBITS | 16, "x-gzip": zlib.MAX_WBITS | 16, "deflate": zlib.MAX_WBITS}
ACCEPTED = "gzip, deflate"
MOST_CODINGS = 3  # one upon another; a client and two proxies
MOST_UNPACKED = 1032  # bytes that deflate makes of one


def read_inflated(request: Request, max_bytes: int) -> bytes:
    """
    The body of a request, unpacked where it came as gzip or deflate.

    raises: TooLarge above max_bytes, before more than that is unpacked; Unreadable, UnsupportedCoding
    """
    environ = request.environ  # looked up once: what a route has as `request` finds the current one each time
    body: bytes = environ[BODY] if BODY in environ else request.get_data(cache=False)
    named = environ.get("HTTP_CONTENT_ENCODING")
    return unpacked(body, named, max_bytes) if named else body


def unpacked(body: bytes, named: str, max_bytes: int) -> bytes:
    """
    Unpack a body by its Content-Encoding, which names codings in the order in which they were applied.

    >>> unpacked(zlib.compress(zlib.compress(b"ten")), "deflate, Deflate", 100)
    b'ten'
    """
    codings = [coding for each in named.lower().split(",") if (coding := each.strip()) not in {"", "identity"}]
    unknown = [coding for coding in codings if coding not in CODINGS]
    if unknown:
        raise UnsupportedCoding(f"a body may come with Content-Encoding {ACCEPTED} or none, got {unknown[0][:80]!r}")
    if len(codings) > MOST_CODINGS:
        raise UnsupportedCoding(f"a body may be packed {MOST_CODINGS} times, this is {len(codings)} times")
    for coding in reversed(codings):
        body = inflate(body, coding, max_bytes)
    return body


def inflate(body: bytes, coding: str, max_bytes: int) -> bytes:
    """
    Unpack a body, and stop at max_bytes.

    >>> inflate(zlib.compress(b"ten zeros " * 10), "deflate", 100) == b"ten zeros " * 10
    True
    >>> inflate(zlib.compress(b"ten zeros " * 10), "deflate", 99)
    Traceback (most recent call last):
        ...
    service.core.errors.TooLarge: a request body may have 99 bytes, this has more when it is unpacked
    """
    form = CODINGS[coding]
    # Some clients send deflate without the header that RFC 9110 asks for.
    if coding == "deflate" and not (body[:1] and body[0] & 15 == 8 and int.from_bytes(body[:2]) % 31 == 0):
        form = -zlib.MAX_WBITS
    unpacking = zlib.decompressobj(form)
    # At most: what a byte becomes is known only afterwards.
    prices.charge("read", min(max_bytes, len(body) * MOST_UNPACKED) * prices.UNPACKED_BYTE)
    try:
        found = unpacking.decompress(body, max_bytes + 1)
    except zlib.error as error:
        raise Unreadable(f"the body is not {coding}, as its Content-Encoding says: {error}") from None
    if len(found) > max_bytes:
        raise TooLarge(f"a request body may have {max_bytes} bytes, this has more when it is unpacked")
    if not unpacking.eof:
        raise Unreadable(f"the {coding} body is cut short: it ends after {len(found)} unpacked bytes")
    if unpacking.unused_data:
        raise Unreadable(f"{len(unpacking.unused_data)} bytes follow the {coding} body")
    return found
