"""
What is written about the service and its requests: JSON lines or text, with the id of the request they belong to.

A key never gets here: no header is logged, an access line has the path without its query, and what looks like a bearer
token in a message is left out of it.
"""

import logging
import os
import re
from datetime import UTC, datetime
from itertools import count
from time import time
from typing import Any

import orjson
from pythonjsonlogger.orjson import OrjsonFormatter

from service.observe.record import Record, current

FORMS = ("json", "text")
ACCESS = "service.access"

# --- the ids of a request -----------------------------------------------------------------------------------------

_SAFE_ID = re.compile(rb"[A-Za-z0-9._:+/=@-]{1,128}")
_TRACE_PARENT = re.compile(rb"([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?", re.DOTALL)


class _Ids:
    """Ids that no other process makes: 64 random bits, then a number."""

    def __init__(self) -> None:
        self.begin()

    def begin(self) -> None:
        """Draw the random half; again in every process that is forked."""
        self.prefix = os.urandom(8).hex()
        self.numbers = count()

    def next(self) -> str:
        return f"{self.prefix}{next(self.numbers):016x}"


_ids = _Ids()
os.register_at_fork(after_in_child=_ids.begin)


def request_id(given: bytes | None) -> str:
    r"""
    The caller's id where it is short and safe to repeat, in a header or a log, else a new one of 32 hex digits.

    >>> request_id(b"order-66"), len(request_id(b"two\r\nlines")), request_id(None) == request_id(None)
    ('order-66', 32, False)
    """
    if given is not None and _SAFE_ID.fullmatch(given):
        return given.decode("ascii")
    return _ids.next()


def trace_of(traceparent: bytes | None) -> tuple[str, str, int] | None:
    """
    Read a traceparent header (W3C Trace Context): trace id, the caller's span id, flags; None where it is none.

    >>> trace_of(b"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01")
    ('4bf92f3577b34da6a3ce929d0e0e4736', '00f067aa0ba902b7', 1)
    """
    match = None if traceparent is None else _TRACE_PARENT.fullmatch(traceparent)
    if match is None:
        return None
    version, trace_id, span_id, flags, more = match.groups()
    # A later version may say more; this one may not.
    if version == b"ff" or (version == b"00" and more) or not trace_id.strip(b"0") or not span_id.strip(b"0"):
        return None
    return trace_id.decode("ascii"), span_id.decode("ascii"), int(flags, 16)


# --- access lines -----------------------------------------------------------------------------------------------------


def access_line(record: Record, size: int, client: str) -> str:
    """One answered request as a line of JSON; size: bytes of the answer's body; client: address."""
    line: dict[str, Any] = {
        "time": _utc(time()),
        "request_id": record.id,
        "client": client,
        "method": record.method,
        "path": record.path[:500],
        "route": record.route,
        "status": record.status,
        "seconds": round(record.seconds, 6),
        "bytes": size,
    }
    if record.trace:
        line["trace_id"] = record.trace[0]
    if record.stages:
        line["stages"] = {}
        for name, _, took in record.stages:
            line["stages"][name] = round(line["stages"].get(name, 0.0) + took, 6)
    try:
        return orjson.dumps(line).decode()
    except orjson.JSONEncodeError:  # a path with what UTF-8 has no form for
        line["path"] = record.path[:500].encode("utf-8", "replace").decode()
        return orjson.dumps(line).decode()


def _utc(seconds: float) -> str:
    """
    A time of time.time() as RFC 3339 has it, in UTC.

    >>> _utc(0.25)
    '1970-01-01T00:00:00.250Z'
    """
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds")[:-6] + "Z"


# --- gunicorn's logging -----------------------------------------------------------------------------------------------


class _OfRequest(logging.Filter):
    """Gives a log record the ids of the request during which it was written."""

    def filter(self, record: logging.LogRecord) -> bool:
        request = current.get()
        record.request_id = request.id if request is not None else ""
        record.trace_id = request.trace[0] if request is not None and request.trace else ""
        return True


_KEY = re.compile(r"(bearer\s+)[A-Za-z0-9\-._~+/]{8,}=*", re.IGNORECASE)


def _without_keys(text: str) -> str:
    """
    A text with what looks like a bearer token left out.

    >>> _without_keys("got b'Authorization: Bearer 0123456789abcdef'")
    "got b'Authorization: Bearer [key]'"
    """
    return _KEY.sub(r"\1[key]", text)


class _Json(OrjsonFormatter):
    def __init__(self) -> None:
        fields = {"levelname": "level", "name": "logger"}
        super().__init__("%(levelname)s %(name)s %(message)s %(process)d", rename_fields=fields)

    def add_fields(self, log_data: dict[str, Any], record: logging.LogRecord, message_dict: dict[str, Any]) -> None:
        super().add_fields(log_data, record, message_dict)
        log_data["time"] = _utc(record.created)
        for name in ("request_id", "trace_id"):
            if not log_data.get(name):
                log_data.pop(name, None)

    def format(self, record: logging.LogRecord) -> str:
        return _without_keys(super().format(record))


class _Text(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        request = getattr(record, "request_id", "")
        line = super().format(record)
        head = f"{_utc(record.created)} {record.process} {record.levelname.lower()} {record.name}"
        return _without_keys(f"{head} [{request}] {line}" if request else f"{head} {line}")


def logconfig(level: str, form: str) -> dict[str, Any]:
    """
    Make gunicorn's `logconfig_dict`: everything to standard error, access lines to standard output as they are.

    level: as logging names it, in any case; form: one of FORMS; raises ValueError for another
    """
    if form not in FORMS:
        raise ValueError(f"a log is written as {' or '.join(FORMS)}, got {form[:80]!r}")
    handlers = {"handlers": ["lines"], "level": level.upper(), "propagate": False}
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "filters": {"of_request": {"()": _OfRequest}},
        "formatters": {"lines": {"()": _Json if form == "json" else _Text}, "bare": {"format": "%(message)s"}},
        "handlers": {
            "lines": {
                "class": "logging.StreamHandler",
                "stream": "ext://sys.stderr",
                "formatter": "lines",
                "filters": ["of_request"],
            },
            "bare": {"class": "logging.StreamHandler", "stream": "ext://sys.stdout", "formatter": "bare"},
        },
        "root": {"handlers": ["lines"], "level": level.upper()},
        "loggers": {
            "gunicorn.error": handlers,
            "gunicorn.access": handlers,
            ACCESS: {"handlers": ["bare"], "level": "INFO", "propagate": False},
        },
    }
