"""
Text where a picture's bytes were wanted: base64, a data: URL and rows of numbers are read; all else is named.

Clients make text of a picture in many ways, some of which lose it. What is left then tells what was done, and the
refusal says what to do instead.
"""

import binascii
import io
import re
from typing import Any

import orjson

from service.api.http.numbers import NPY_MAGIC, check_numbers_in
from service.core.errors import Unreadable, UnsupportedType, shown
from service.lab import prices
from service.pictures import kinds
from service.settings import Limits

UTF8_MARK, UTF16_MARKS = b"\xef\xbb\xbf", (b"\xff\xfe", b"\xfe\xff")
FILES = (*kinds.SIGNATURES, NPY_MAGIC)
LOOKED_AT = 512  # bytes that tell text from a file, and one text from another
_CONTROL = re.compile(rb"[\x00-\x08\x0e-\x1a\x1c-\x1f]")
_ITEMS = tuple(b"%c" % each for each in b'"[{-0123456789]')  # what the first of a list in JSON begins with
_URL_SAFE, _SPACES_ARE_PLUS = bytes.maketrans(b"-_", b"+/"), bytes.maketrans(b"-_ ", b"+/+")
_LINE_ENDS = b"\t\n\v\f\r"
_AROUND = b" \t\n\v\f\r\"'"
_DATA_URL = re.compile(rb"data:[^,]{0,200};base64\s*,", re.IGNORECASE)
# What is told by its first bytes is left to the decoder of pictures, which names it.
_FILE_OF_TEXT = re.compile(rb"%PDF|%!PS|<svg|<\?xml|P[1-6]\s|SIMPLE  =|\{\\rtf", re.IGNORECASE)

# What text shows itself to be, and what helps.
_NAMED: tuple[tuple[re.Pattern[bytes], str], ...] = (
    (
        re.compile(rb"data:\s*(,\s*)?$", re.IGNORECASE),
        "an empty canvas, 0 wide or 0 high, as a data: URL; draw on one that has a size",
    ),
    (re.compile(rb"data:", re.IGNORECASE), "a data: URL that is not base64; it is data:image/png;base64,..."),
    (
        re.compile(rb"\[object \w"),
        "JavaScript's text of an object; append the File or Blob itself to a FormData, or send it as the body",
    ),
    (re.compile(rb"blob:"), "a blob: address, which only its own page can read; fetch it there and send its bytes"),
    (
        re.compile(rb"(https?|ftp|file|content|s3|gs)?:?//[\w/]", re.IGNORECASE),
        "an address; this service fetches nothing: send the bytes of the picture",
    ),
    (re.compile(rb"b['\"]"), "Python's text of bytes; send the bytes, or base64.b64encode(data).decode()"),
    (
        re.compile(rb"<(!doctype html|html|head|body)", re.IGNORECASE),
        "an HTML page, as of a login or an error; send the picture's own bytes",
    ),
    (
        re.compile(
            rb"<(_io|PIL|class |FileStorage|InMemory|SimpleUploaded|UploadFile|tf\.|memory|generator|coroutine|func)"
            rb"|array\(|tensor\(|System\.Byte|\[B@|\[L[a-z]|#<|Resource id #"
        ),
        "a program's text of an object, not what is in it; send the bytes of the picture",
    ),
    (
        re.compile(rb"(undefined|null|none|nil|nan|true|false)$", re.IGNORECASE),
        "the text of a variable that holds no picture; it was not set, or not waited for",
    ),
)
_FILE_NAME = "a file's name; curl --data-binary @NAME, -F image=@NAME, or a form of multipart/form-data send the file"
_ENDINGS = (
    *(b".png", b".jpg", b".jpeg", b".jfif", b".webp", b".gif", b".bmp", b".heic", b".heif", b".avif"),
    *(b".tif", b".tiff", b".pdf", b".svg", b".npy", b".npz"),
)
_PATH = re.compile(rb"([A-Za-z]:\\|\.{0,2}[/\\]|~/)[^<>{}]")
LONGEST_PATH = 300


def is_text(data: bytes) -> bool:
    r"""
    Whether these are the first bytes of a text: no picture file has so few control characters.

    >>> is_text(b"data:image/png;base64,iVBOR"), is_text(b"\x89PNG\r\n\x1a\n\0\0\0\r")
    (True, False)
    """
    return not _CONTROL.search(data[:LOOKED_AT])


def is_file(data: bytes) -> bool:
    """Whether bytes begin as a picture or npy file does; a text may begin with the same letters."""
    return data.startswith(FILES) and (data[0] >= 0x80 or not is_text(data))


def without_mark(data: bytes) -> bytes:
    """Text without a byte order mark, in UTF-8."""
    if data.startswith(UTF8_MARK):
        return data[len(UTF8_MARK) :]
    if data.startswith(UTF16_MARKS):
        return data.decode("utf-16", "replace").encode()
    return data


def is_json(text: bytes) -> bool:
    """
    Whether a text begins as an object or a list in JSON.

    >>> is_json(b' [[0, 1]]'), is_json(b"[object File]"), is_json(b"[B@6d06d69c")
    (True, False, False)
    """
    start = text[:LOOKED_AT].lstrip()
    return start.startswith(b"{") or (start.startswith(b"[") and start[1:].lstrip().startswith(_ITEMS))


def is_file_of_text(text: bytes) -> bool:
    """Whether a text is a file of a kind that is told by its first bytes, such as a PDF."""
    return _FILE_OF_TEXT.match(text) is not None


def read_text(text: bytes, limits: Limits) -> bytes | list[Any]:
    r"""
    The picture in a text, as the bytes of its file or as rows of numbers.

    raises: Unreadable for damaged base64, UnsupportedType for what is no picture, naming it

    >>> read_text(b"DATA:image/png;BASE64,iVBORw0KGgo", Limits())
    b'\x89PNG\r\n\x1a\n'
    >>> read_text(b"[[0, 1]]", Limits())
    [[0, 1]]
    """
    prices.charge("read", len(text) * prices.TEXT_BYTE)
    text = without_mark(text).strip(_AROUND)
    if is_json(text):
        return _rows(text, limits)
    if is_file_of_text(text):
        return text
    url = _DATA_URL.match(text)
    if len(text) == (url.end() if url else 0):
        raise UnsupportedType("a picture is wanted, got an empty text")
    try:
        data = _from_base64(text[url.end() :] if url else text)
    except binascii.Error as error:
        if named := name_of(text):
            raise UnsupportedType(f"a picture is wanted, got {_quoted(text)}: {named}") from None
        raise Unreadable(f"the picture is not base64: {_why(text, str(error))}") from None
    if not url and not is_file(data) and (named := name_of(text)):
        raise UnsupportedType(f"a picture is wanted, got {_quoted(text)}: {named}")
    # Words of letters alone are base64 too, and their caller never saw the bytes that they stand for.
    if not url and not is_file(data) and not kinds.is_known(data) and not mangled(data):
        came = f"the text {_quoted(text)}, as base64 {kinds.describe(data)}"
        raise UnsupportedType(f"not a picture this service reads: wanted {kinds.NAMES}, got {came}")
    return data


def is_base64(text: bytes) -> bool:
    """Whether a text may be a picture in base64 or a data: URL, to look at its beginning."""
    start = text.strip(_AROUND)[:LOOKED_AT]
    if start[:5].lower() == b"data:":
        return True
    return len(start) > 15 and not start.translate(None, _BASE64_AND_SPACE)


_BASE64_AND_SPACE = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/-_= \t\r\n"


def name_of(text: bytes) -> str:
    """What a text that is no picture shows itself to be, and what helps; "" where it shows nothing."""
    start = text[:LOOKED_AT].strip()
    for pattern, says in _NAMED:
        if pattern.match(start):
            return says
    if len(start) > LONGEST_PATH or b"\n" in start:
        return ""
    if start.lower().endswith(_ENDINGS):
        return _FILE_NAME
    return "a path, not what is at it; send the file itself" if _PATH.match(start) else ""


def refusal_of(text: bytes, otherwise: str = "") -> UnsupportedType:
    """What to say of a body of text that is no picture; `otherwise`: where it shows nothing of itself."""
    named = name_of(text)
    if otherwise and not named:
        return UnsupportedType(otherwise)
    came = f"not a picture this service reads: wanted {kinds.NAMES}, got the text {_quoted(text)}"
    return UnsupportedType(f"{came}: {named}" if named else came, "/image")


def what_it_is(value: Any) -> str:
    """
    Name a value in JSON that is no picture, and say what helps; "" for a list that may be rows of numbers.

    >>> what_it_is({"type": "Buffer", "data": [137, 80]})
    "a Buffer of Node; send its toString('base64')"
    >>> what_it_is([[0, 1]])
    ''
    """
    if isinstance(value, dict):
        if value.get("type") == "Buffer":
            return "a Buffer of Node; send its toString('base64')"
        return "a typed array as an object; send it as Array.from(...), or base64" if "0" in value else "an object"
    if not isinstance(value, list):
        return type(value).__name__
    if _begins_a_file(value):
        return "the bytes of a file as a list of numbers; send them as base64, or as the body"
    first = next(iter(value), None)
    if isinstance(first, str):
        return 'a list of texts; one picture is the text itself, several are {"images": [...]}'
    return f"a list of this: {what_it_is(first)}" if isinstance(first, dict) else ""


def _begins_a_file(values: list[Any]) -> bool:
    start = values[:16]
    return (
        bool(start)
        and all(isinstance(each, int) and 0 <= each <= 255 for each in start)
        and bytes(start).startswith(FILES)
    )


def mangled(data: bytes) -> str:
    r"""
    How a damaged picture file came to be so, where its first bytes show it; else "".

    >>> mangled(b"\x89PNG\x1aIHDR")
    'its line ends are gone, as curl -d and --data-ascii take them away; --data-binary keeps them'
    """
    if data.startswith((b"\x89PNG\x1a", b"\x89PNG\n\x1a", b"\x89PNG\r\r\n", b"\x89PNG\r\n\x1a\r")):
        return "its line ends are gone, as curl -d and --data-ascii take them away; --data-binary keeps them"
    if data.startswith((b"\xef\xbf\xbdPNG", b"\xc2\x89PNG", b"\xef\xbf\xbd\xef\xbf\xbd", b"\xc3\xbf\xc3\x98")):
        return "it was read as text and written as UTF-8; read the file as bytes"
    return ""


def _rows(text: bytes, limits: Limits) -> list[Any]:
    check_numbers_in(text, "a picture in JSON", limits)
    try:
        rows = orjson.loads(text)
    except orjson.JSONDecodeError as error:
        raise Unreadable(f"the picture is not JSON: {error}") from None
    if not isinstance(rows, list):
        raise UnsupportedType(f"a picture in JSON is base64, a data: URL or rows of numbers, got {what_it_is(rows)}")
    return rows


def _from_base64(text: bytes) -> bytes:
    """Decode base64 in either alphabet, with or without its padding and line ends; raises binascii.Error."""
    letters, left_out = (_URL_SAFE, _LINE_ENDS + b" ") if _is_in_lines(text) else (_SPACES_ARE_PLUS, _LINE_ENDS)
    found, rest, end = io.BytesIO(), b"", len(text) - len(text[-4:]) + len(text[-4:].rstrip(b"="))
    for start in range(0, end, DECODED_AT_ONCE):
        prices.go_on()
        whole = len(rest) // 4 * 4
        if rest[:whole].endswith(b"="):
            raise binascii.Error("Excess data after padding")
        found.write(binascii.a2b_base64(rest[:whole], strict_mode=True))
        rest = rest[whole:] + text[start : min(start + DECODED_AT_ONCE, end)].translate(letters, left_out)
    if missing := -len(rest) % 4:
        if missing == 3:
            raise binascii.Error("it is short of a character")
        rest += b"=" * missing
    found.write(binascii.a2b_base64(rest, strict_mode=True))
    return found.getvalue()


DECODED_AT_ONCE = 2**20  # bytes: a text of any length is translated and decoded in pieces


def _is_in_lines(text: bytes) -> bool:
    """
    Whether the spaces in base64 are the ends of lines; else a form made them of a + that was not escaped.

    >>> _is_in_lines(b"AAAA AAAA AA=="), _is_in_lines(b"AA AAAAA AA=")
    (True, False)
    """
    length, spaces = text.find(b" "), text.count(b" ")
    if length < 4 or length % 4 or (len(text) - spaces) % 4:
        return False
    ends = text[length :: length + 1]  # where lines of that length end
    return ends.count(b" ") == len(ends) == spaces


def _quoted(text: bytes) -> str:
    return shown(text[:LOOKED_AT].decode("utf-8", "replace"))


def _why(text: bytes, error: str) -> str:
    what = error[:80]
    if b"%" in text[:LOOKED_AT] or b"%" in text[-3:]:
        return f"it is percent-encoded, got {_quoted(text)}"
    hint = "; it is cut short, or characters of it were lost on the way" if "short" in what or "padding" in what else ""
    return f"{what}{hint}" if is_base64(text) else f"{what}, got {_quoted(text)}"
