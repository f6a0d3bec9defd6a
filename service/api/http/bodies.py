"""
A body taken apart into pictures, still as they came, and options: whatever form it came in.

The first bytes decide before the content type does: a picture file is one whatever its type says. Only what is text is
read as a form or as JSON, or named for what it is.
"""

import io
import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote_to_bytes

import numpy as np
import orjson
from flask import Request
from werkzeug.datastructures import Headers
from werkzeug.exceptions import RequestEntityTooLarge
from werkzeug.sansio.multipart import Data, Epilogue, Field, File, MultipartDecoder, NeedData

from service.api.http.codings import read_inflated
from service.api.http.convert import option_of
from service.api.http.numbers import NPY_MAGIC, check_numbers_in, read_npy
from service.api.http.texts import (
    LOOKED_AT,
    is_base64,
    is_file,
    is_file_of_text,
    is_json,
    is_text,
    refusal_of,
    without_mark,
)
from service.core.errors import InvalidImage, InvalidInput, InvalidOption, TooLarge, Unreadable, UnsupportedType, shown
from service.lab import prices
from service.settings import Limits

# Content types that say nothing of the body: no type at all, "some bytes", and what curl --data-binary sends unasked.
UNTYPED = {"", "application/octet-stream", "application/x-www-form-urlencoded"}
# The names of a part or field that is a picture, without the brackets that some clients add to each of several.
PICTURE_NAMES = {"image", "images"}
# Before the content of a multipart part, in bytes; a browser writes some 150.
LONGEST_PART_HEAD = 8192
_FIELD = re.compile(rb"[A-Za-z_][\w.\-]{0,79}(?:(?:%5[Bb]|\[)\w{0,20}(?:%5[Dd]|\]))?=")
_BOUNDARY = re.compile(r'boundary\s*=\s*(?:"([^"]{1,200})"|([^\s";,]{1,200}))', re.IGNORECASE)
# Of a head that is not UTF-8: what is not ASCII, with the byte that may belong to it, which may be a backslash.
_NOT_ASCII = re.compile(rb"[\x80-\xff]+[\x40-\x7e]?")

# A picture as it was posted: the bytes of a file, text, or whatever JSON held.
PostedPicture = bytes | str | list[Any] | Any


@dataclass(slots=True)
class Body:
    """
    What was in a body.

    sources: its pictures, still as they came; an array: one npy, whose pictures are still to be told apart
    fields: name and value of every field of a form; members: those of JSON that are no pictures
    """

    sources: list[PostedPicture] | np.ndarray = field(default_factory=list)
    fields: list[tuple[str, str]] = field(default_factory=list)
    members: dict[str, Any] = field(default_factory=dict)


def taken_apart(request: Request, limits: Limits, options: Collection[str]) -> Body:
    """
    Take a request's body apart; options: the names that its call has.

    raises: one of the refusals of core.errors
    """
    body = read_inflated(request, limits.max_body_bytes)
    if is_file(body):
        return Body(read_npy(body) if body.startswith(NPY_MAGIC) else [body])
    kind = request.environ.get("CONTENT_TYPE", "").partition(";")[0].strip().lower()
    if kind == "multipart/form-data":
        return _read_multipart(body, request.environ["CONTENT_TYPE"], limits, options)
    if kind == "application/x-npy":
        return Body(read_npy(body))
    text = without_mark(body)
    if kind == "application/json" or kind.endswith("+json"):
        return _read_json(text, limits)
    other = "" if kind in UNTYPED or kind.startswith("image/") else _how_to_post(kind, request)
    if text and is_text(text) and not is_file_of_text(text):
        return _read_text(text, limits, options, other)
    if other:
        raise UnsupportedType(other)
    return Body([body] if body else [])


def _read_text(text: bytes, limits: Limits, options: Collection[str], other: str) -> Body:
    """Read text whose type says nothing, or nothing that helps; `other`: what to say of a type that is not known."""
    if is_json(text):
        return _read_json(text, limits)
    if _is_form(text):
        return _read_form(text, limits, options)
    if is_base64(text):
        return Body([text.decode("latin-1")])
    if text.startswith(b"--") and b"form-data" in text[:LOOKED_AT]:
        raise Unreadable("a multipart body wants its Content-Type, with the boundary; leave that header to the client")
    raise refusal_of(text, other)


def _how_to_post(kind: str, request: Request) -> str:
    line = f"curl --data-binary @digit.png -H 'Content-Type: image/png' {request.base_url}"
    wanted = "image/*, application/octet-stream, multipart/form-data, application/json or application/x-npy"
    return f"the content type may be {wanted}, got {kind[:80]!r}; this works: {line}"


# --- forms ------------------------------------------------------------------------------------------------------------


def _is_form(text: bytes) -> bool:
    """Whether a text begins as a field with a value; base64 may end with = and nothing after it."""
    name = _FIELD.match(text)
    if name is None:
        return False
    return bool(text[name.end() : name.end() + 4].strip(b"=\r\n ")) or name[0][:-1] in {b"image", b"images"}


def _read_form(text: bytes, limits: Limits, options: Collection[str]) -> Body:
    """A form as application/x-www-form-urlencoded."""
    count = text.count(b"&") + 1
    if count > limits.max_parts:
        raise TooLarge(f"a form may have {limits.max_parts} fields, this has {count}")
    prices.charge("read", count * prices.FIELD + len(text) * prices.BYTE_IN)
    body = Body()
    for each in text.strip().split(b"&"):
        name, _, value = each.partition(b"=")
        if each:
            _add(
                body,
                unescaped(name).decode("utf-8", "replace"),
                unescaped(value),
                limits,
                options,
                has_file_name=False,
            )
    return body


def unescaped(text: bytes) -> bytes:
    r"""
    Decode a name or a value of a form.

    >>> unescaped(b"data%3aimage/png%3Bbase64%2CiVB+%2B%E6")
    b'data:image/png;base64,iVB +\xe6'
    """
    text = text.replace(b"+", b" ")
    if b"%" not in text:
        return text
    prices.charge("read", text.count(b"%") * prices.ESCAPE_SOUGHT)
    # Those of base64 and data: URLs at once: of the others each becomes a Python object for a moment.
    for escaped, byte in _ESCAPES:
        text = text.replace(escaped, byte)
    escapes = text.count(b"%")
    if not escapes:
        return text
    prices.charge("read", escapes * prices.ESCAPE)
    found, start = io.BytesIO(), 0
    while start < len(text):
        prices.go_on()
        stop = start + UNESCAPED_AT_ONCE
        cut = text.find(b"%", stop - 2, stop)  # an escape that would be cut belongs to the next piece
        stop = cut if cut > start else stop
        found.write(unquote_to_bytes(text[start:stop]))
        start = stop
    return found.getvalue()


UNESCAPED_AT_ONCE = 2**16  # bytes: so many objects are held at a time, however many escapes there are
# None of these bytes is a part of another escape.
_ESCAPES = tuple(
    (form, byte)
    for byte in (b"+", b"/", b"=", b":", b";", b",")
    for form in sorted({b"%%%02X" % byte[0], b"%%%02x" % byte[0]})
)


def _read_multipart(body: bytes, kind: str, limits: Limits, options: Collection[str]) -> Body:
    found = _BOUNDARY.search(kind)
    if found is None:
        hint = "leave that header to the client, which knows the boundary it wrote"
        raise Unreadable(f"the multipart content type has no boundary; {hint}")
    read = Body()
    for name, has_file_name, content in _parts(body, found[1] or found[2], limits):
        _add(read, name, content, limits, options, has_file_name=has_file_name)
    return read


def _add(
    body: Body, name: str, content: bytes, limits: Limits, options: Collection[str], *, has_file_name: bool
) -> None:
    """Add a part or field to what was read: a picture, or an option whether or not it has a file name."""
    option = option_of(name)
    if option in PICTURE_NAMES:
        assert isinstance(body.sources, list)
        body.sources.append(_as_source(content))
    elif has_file_name and option not in options:
        raise InvalidOption(
            f"pictures are parts named 'image', got a file in a part named {name[:80]!r}", f"/{name[:80]}"
        )
    else:
        check_numbers_in(content, "a form field", limits)
        body.fields.append((name, _text(content, name)))


def _as_source(content: bytes) -> PostedPicture:
    """A part with a file's bytes, whether or not it has a file name; or text, which some clients send in its place."""
    if is_file(content):
        return content
    text = without_mark(content)
    return content if not is_text(text) or is_file_of_text(text) else text.decode("utf-8", "replace")


def _text(content: bytes, name: str) -> str:
    try:
        return without_mark(content).decode().strip("\r\n")
    except UnicodeDecodeError:
        raise InvalidOption(f"{name[:80]} must be text", f"/{name[:80]}") from None


class _Parts(MultipartDecoder):
    """werkzeug's decoder, which makes two Python objects of every header of a part, however many there are."""

    def _parse_headers(self, data: bytes | bytearray) -> Headers:
        if len(data) > LONGEST_PART_HEAD:
            raise ValueError(f"the head of a part may have {LONGEST_PART_HEAD} bytes, got {len(data)}")
        prices.charge("read", prices.PART + len(data) * prices.PART_HEAD_BYTE)
        try:
            data.decode()
        except UnicodeDecodeError:
            # A file name in the encoding of the client's system; it is not used, and names of fields are ASCII.
            data = _NOT_ASCII.sub(b"_", data)
        return super()._parse_headers(data)


def _parts(body: bytes, boundary: str, limits: Limits) -> Iterator[tuple[str, bool, bytes]]:
    """(name, whether it has a file name, content) of every part."""
    decoder = _Parts(boundary.encode("latin-1", "replace"), max_parts=limits.max_parts)
    try:
        decoder.receive_data(body)
        decoder.receive_data(None)
        name, has_file_name = "", False
        chunks: list[bytes] = []
        while not isinstance(event := decoder.next_event(), Epilogue | NeedData):
            if isinstance(event, Field | File):
                name, has_file_name, chunks = event.name or "", isinstance(event, File), []
            elif isinstance(event, Data):
                chunks.append(event.data)
                if not event.more_data:
                    yield name, has_file_name, b"".join(chunks)
    except RequestEntityTooLarge:
        raise TooLarge(f"a multipart body may have {limits.max_parts} parts, this has more") from None
    except (ValueError, KeyError) as error:
        raise Unreadable(f"the multipart body is damaged: {str(error)[:120]}") from None


# --- JSON -------------------------------------------------------------------------------------------------------------


def _read_json(text: bytes, limits: Limits) -> Body:
    check_numbers_in(text, "a JSON body", limits)
    try:
        members = orjson.loads(text)
    except orjson.JSONDecodeError as error:
        raise Unreadable(f"the body is not JSON: {error}") from None
    if isinstance(members, str):
        members = {"image": members}
    if not isinstance(members, dict):
        raise InvalidInput(f'a JSON body is an object such as {{"image": ...}}, got {type(members).__name__}')
    if "image" in members and "images" in members:
        raise InvalidImage("give image or images, not both", "/images")
    images = [members.pop("image")] if "image" in members else _list_of_images(members.pop("images", []))
    if len(images) > limits.max_batch:
        raise TooLarge(f"a request may have {limits.max_batch} pictures, got {len(images)}", "/images")
    return Body(images, members=members)


def _list_of_images(images: Any) -> list[Any]:
    if not isinstance(images, list):
        raise InvalidImage(f"images is a list of pictures, got {shown(images)}; one picture is image", "/images")
    # Numbers are one picture, flattened.
    return [images] if images and isinstance(images[0], int | float) else images
