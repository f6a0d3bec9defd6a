"""
Bearer keys from a file, one a line: who holds one of them may call.

The file is read again when it changes. A changed file that is wrong is reported once, and the keys there were go on
being taken. Keys are kept as digests alone and appear in no message.

Open without a key, for whoever watches over the service and for the page that asks for the key, are the routes that
say so themselves: the probes, /metrics, the page and its files, the contract and the documentation. The numbers of
/metrics tell how much is asked and which digits are read, never who asked or what was sent: let the proxy in front keep
it inside, as deploy/nginx does.
"""

import hmac
import logging
import os
import re
from hashlib import blake2b
from pathlib import Path

log = logging.getLogger(__name__)

LEAST_CHARACTERS = 16
MOST_CHARACTERS = 512
MOST_KEYS = 1000
MOST_BYTES = MOST_KEYS * (MOST_CHARACTERS + 2) * 2
# What a bearer token may be made of (RFC 6750, section 2.1).
TOKEN = re.compile(rb"[A-Za-z0-9\-._~+/]+=*")

NO_DIGEST = bytes(32)  # as long as any: every key is compared whole
Stamp = tuple[int, int, int]


class BadKeys(ValueError):
    """A file that holds no keys; the message names the file, the line and the reason, never a key."""


class Keys:
    """The keys that are taken now."""

    def __init__(self, path: Path) -> None:
        self._path = path
        # The time of a lookup by these digests tells nothing of the keys: a caller cannot compute a digest.
        self._secret = os.urandom(32)
        self._digests: dict[bytes, bytes] = {}
        self._stamp: Stamp | None = None
        self._complaint = ""

    @classmethod
    def open(cls, path: str | Path) -> "Keys":
        """Read a file of keys: one a line, empty lines and those that begin with # left out; raises BadKeys."""
        keys = cls(Path(path))
        keys._stamp = keys._look()
        keys._digests = keys._read()
        return keys

    def allows(self, authorization: bytes | None) -> bool:
        """Whether the value of an Authorization header holds one of the keys, in a time independent of which."""
        if authorization is None or authorization[:7].lower() != b"bearer ":
            return False
        digest = self._digest(authorization[7:].strip(b" "))
        return hmac.compare_digest(self._digests.get(digest[:16], NO_DIGEST), digest)

    def refresh(self) -> None:
        """Read the file again if it is another than before; once a second."""
        try:
            stamp = self._look()
            if stamp == self._stamp:
                return
            # Noted first: a file that is wrong is not read again until it changes once more.
            self._stamp = stamp
            self._digests = self._read()
            log.info("read %d keys from %s", len(self._digests), self._path)
            self._complaint = ""
        except BadKeys as error:
            if str(error) != self._complaint:
                self._complaint = str(error)
                log.error("%s; the keys there were go on being taken", error)  # noqa: TRY400  # one line

    def _look(self) -> Stamp:
        try:
            status = self._path.stat()
        except OSError as error:
            raise BadKeys(f"{self._path}: {error.strerror}") from None
        return status.st_mtime_ns, status.st_ino, status.st_size

    def _read(self) -> dict[bytes, bytes]:
        try:
            with self._path.open("rb") as file:
                text = file.read(MOST_BYTES + 1)
        except OSError as error:
            raise BadKeys(f"{self._path}: {error.strerror}") from None
        if len(text) > MOST_BYTES:
            raise BadKeys(f"{self._path}: a file of keys may have {MOST_BYTES} bytes, this has more")
        digests = {}
        for number, line in enumerate(text.splitlines(), 1):
            key = line.strip()
            if not key or key.startswith(b"#"):
                continue
            if reason := _fault(key):
                raise BadKeys(f"{self._path}, line {number}: {reason}")
            digest = self._digest(key)
            digests[digest[:16]] = digest
        if not digests:
            raise BadKeys(f"{self._path}: there is no key in it")
        if len(digests) > MOST_KEYS:
            raise BadKeys(f"{self._path}: at most {MOST_KEYS} keys are taken, this has {len(digests)}")
        return digests

    def _digest(self, key: bytes) -> bytes:
        return blake2b(key, digest_size=32, key=self._secret).digest()


def _fault(key: bytes) -> str:
    """
    What is wrong with a key, in words that do not show it.

    >>> _fault(b"0123456789abcdef"), _fault(b"0123456789")
    ('', 'a key has at least 16 characters, this has 10')
    """
    if len(key) < LEAST_CHARACTERS:
        return f"a key has at least {LEAST_CHARACTERS} characters, this has {len(key)}"
    if len(key) > MOST_CHARACTERS:
        return f"a key has at most {MOST_CHARACTERS} characters, this has {len(key)}"
    if not TOKEN.fullmatch(key):
        return "a key is made of letters, digits and - . _ ~ + / with = at its end alone, this has something else"
    return ""
