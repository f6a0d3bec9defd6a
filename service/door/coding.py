"""
Answers in gzip, for those who ask: large ones alone, at a level that costs little.

An answer of less than 16 KB is some packets anyway, and compressing it would cost quick calls more than it gains. PNG
is compressed already. An answer in gzip has an ETag of its own, for it is another sequence of bytes (RFC 9110, section
8.8.3); the routes, which know nothing of codings, see the tags that they gave.
"""

import re
import threading
import zlib
from collections import OrderedDict
from collections.abc import Callable
from functools import lru_cache
from http import HTTPStatus

from service.lab.prices import COMPRESSED_BYTE, KEPT_COMPRESSED_BYTE, Account, Ended
from service.server.connection import Answer, Request

LEAST_BYTES = 16384
LEVEL, LEVEL_KEPT = 3, 6
GZIP = 16 + zlib.MAX_WBITS  # zlib's word for it
PIECE_BYTES = 2**18  # compressed at a time, some milliseconds, in which the interpreter is free
MOST_KEPT_BYTES = 2**23
SUFFIX = b"-gzip"
VARY = b"Vary: Accept-Encoding\r\n"

_SHRINKS = re.compile(
    rb"^Content-Type: (?:application/(?:json|problem\+json|x-npz)|text/|image/svg\+xml)", re.MULTILINE | re.IGNORECASE
)
_VARIES = re.compile(rb"^Vary:[^\n]*accept-encoding", re.MULTILINE | re.IGNORECASE)
_CODED = re.compile(rb"^Content-Encoding:", re.MULTILINE | re.IGNORECASE)
_TAG = re.compile(rb'^ETag: ((?:W/)?"[^"\r\n]*)"', re.MULTILINE | re.IGNORECASE)
# What is said of the bytes as they were: their number, and that parts of them may be asked for.
_OF_BYTES = re.compile(rb"^(?:Content-Length|Accept-Ranges):[^\n]*\n", re.MULTILINE | re.IGNORECASE)
_SENT_TAG = re.compile(r'((?:W/)?"[^"]*)-gzip"')


@lru_cache(256)
def takes_gzip(accept_encoding: bytes | None) -> bool:
    """
    Whether a header Accept-Encoding (RFC 9110, section 12.5.3) takes gzip, and prefers nothing as it is.

    >>> [takes_gzip(each) for each in (b"br, gzip;q=0.5", b"*", b"gzip;q=0, *", b"identity, gzip;q=0.1", b"br", None)]
    [True, True, False, False, False, False]
    """
    if accept_encoding is None:
        return False
    weights: dict[bytes, float] = {}
    for part in accept_encoding.lower().split(b","):
        name, _, parameter = part.partition(b";")
        weights[name.strip()] = _weight(parameter.strip())
    gzip = weights.get(b"gzip", weights.get(b"x-gzip", weights.get(b"*", 0.0)))
    return gzip > 0 and gzip >= weights.get(b"identity", 0.0)


def _weight(parameter: bytes) -> float:
    """The number of q=; 1 where there is none, 0 for what is no weight."""
    if not parameter:
        return 1.0
    found = re.fullmatch(rb"q=(0(?:\.\d{0,3})?|1(?:\.0{0,3})?)", parameter)
    return float(found[1]) if found else 0.0


def size_of(answer: Answer) -> int:
    """The bytes of an answer's body."""
    body = answer.body
    return len(body[0]) if len(body) == 1 else sum(map(len, body))


def is_large(answer: Answer) -> bool:
    """Whether an answer has so many bytes that compressing may gain something."""
    return size_of(answer) >= LEAST_BYTES


def shrinks(answer: Answer) -> bool:
    """Whether a large answer is a whole one, of a kind that compressing makes smaller, and not compressed already."""
    is_whole = answer.status != HTTPStatus.PARTIAL_CONTENT
    return is_whole and bool(_SHRINKS.search(answer.head)) and not _CODED.search(answer.head)


def compressed(answer: Answer, go_on: Callable[[], None], level: int = LEVEL) -> Answer:
    r"""
    The same answer in gzip; on any thread, as zlib lets the interpreter go.

    go_on: called between pieces; what it raises ends the work

    >>> head = b'Content-Type: text/plain\r\nETag: "ab"\r\nContent-Length: 40000\r\n'
    >>> coded = compressed(Answer(200, head, (b"a" * 40000,)), lambda: None)
    >>> coded.head.split(b"\r\n")[:3], zlib.decompress(b"".join(coded.body), GZIP) == b"a" * 40000
    ([b'Content-Type: text/plain', b'ETag: "ab-gzip"', b'Content-Encoding: gzip'], True)
    """
    packer = zlib.compressobj(level, zlib.DEFLATED, GZIP)
    body = []
    for part in answer.body:
        view = memoryview(part).cast("B")
        for start in range(0, len(view), PIECE_BYTES):
            go_on()
            body.append(packer.compress(view[start : start + PIECE_BYTES]))
    body.append(packer.flush())
    return _in_gzip(answer, [piece for piece in body if piece])


def _in_gzip(answer: Answer, body: list[bytes]) -> Answer:
    head = with_suffix(_OF_BYTES.sub(b"", answer.head))
    return Answer(
        answer.status, b"%bContent-Encoding: gzip\r\nContent-Length: %d\r\n" % (head, sum(map(len, body))), body
    )


def with_suffix(head: bytes) -> bytes:
    """A head with the ETag of the answer in gzip."""
    return _TAG.sub(rb'ETag: \1-gzip"', head)


def tag_of(answer: Answer) -> bytes | None:
    """The ETag of an answer, as it stands in its head without the last quote."""
    found = _TAG.search(answer.head)
    return found[1] if found else None


def with_own_tags(if_none_match: str) -> str:
    """
    The tags that a client has kept, and beside those of answers in gzip the tags that the routes know them by.

    >>> with_own_tags('"ab-gzip", W/"c"')
    '"ab-gzip", W/"c", "ab"'
    """
    return ", ".join([if_none_match, *(f'{tag}"' for tag in _SENT_TAG.findall(if_none_match))])


class Coder:
    """
    Brings answers into the form that their clients take.

    Those that have an ETag stay the same: the contract, the files of /docs, the list of models. They are compressed
    once, and better than others; those made last are kept, up to so many bytes in all.
    """

    def __init__(self) -> None:
        self._kept: OrderedDict[tuple[bytes, bytes], list[bytes]] = OrderedDict()
        self._bytes = 0
        self._lock = threading.Lock()

    def at_once(self, request: Request, answer: Answer) -> tuple[Answer, bool]:
        """What takes no time: the answer as it may be sent, and whether it is still to be compressed (`in_full`)."""
        takes = takes_gzip(request.header(b"accept-encoding"))
        if answer.status == HTTPStatus.NOT_MODIFIED:
            tag, sent = tag_of(answer), request.header(b"if-none-match")
            is_coded = takes and tag is not None and sent is not None and tag + SUFFIX + b'"' in sent
            head = with_suffix(answer.head) if is_coded else answer.head
            # Caches take over what is said here of the answer that they keep.
            return answer._replace(head=head if _VARIES.search(head) else head + VARY), False
        if not is_large(answer) or not shrinks(answer):
            return answer, False
        answer = answer._replace(head=answer.head + VARY)
        if not takes:
            return answer, False
        tag = tag_of(answer)
        body = None if tag is None else self._kept.get((request.path, tag))
        return (answer, True) if body is None else (_in_gzip(answer, body), False)

    def in_full(
        self, request: Request, answer: Answer, account: Account, go_on: Callable[[], None] | None = None
    ) -> Answer:
        """The same with whatever time it takes, on any thread; as it is where the request may cost no more."""
        answer, is_to_be_coded = self.at_once(request, answer)
        return self.coded(request, answer, account, go_on) if is_to_be_coded else answer

    def coded(
        self, request: Request, answer: Answer, account: Account, go_on: Callable[[], None] | None = None
    ) -> Answer:
        """An answer of `at_once` in gzip; as it is where the request may cost no more, or `go_on` ends the work."""
        tag, size = tag_of(answer), size_of(answer)
        each = COMPRESSED_BYTE if tag is None else KEPT_COMPRESSED_BYTE
        if not account.may_bear("compress", size * each, size):
            return answer
        try:
            found = compressed(answer, go_on or account.go_on, LEVEL if tag is None else LEVEL_KEPT)
        except Ended:  # no one is there to see in what form it comes
            return answer
        if tag is not None:
            self._keep((request.path, tag), [bytes(part) for part in found.body])
        return found

    def _keep(self, key: tuple[bytes, bytes], body: list[bytes]) -> None:
        size = sum(map(len, body))
        if size > MOST_KEPT_BYTES // 4:
            return
        with self._lock:
            if key not in self._kept:
                self._kept[key] = body
                self._bytes += size
            while self._bytes > MOST_KEPT_BYTES:
                _, oldest = self._kept.popitem(last=False)
                self._bytes -= sum(map(len, oldest))
