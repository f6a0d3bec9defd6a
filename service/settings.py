"""
Everything an operator can set, read from the environment once.

Each field is the environment variable FILTERSCOPE_<FIELD IN CAPITALS>; `make settings` prints the table that
deploy/settings.md holds, and a test compares the two. Limits are published as they are by GET /v1/limits.
"""

import difflib
import os
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

PREFIX = "FILTERSCOPE_"
LARGEST_COUNT = 2**53 - 1  # limits are published, and JSON readers know whole numbers up to this one
Count = Annotated[int, Meta(ge=1, le=LARGEST_COUNT)]
Seconds = Annotated[float, Meta(gt=0)]
# What Kubernetes puts into a container beside a Service of the name filterscope, or one that begins with it.
OF_KUBERNETES = re.compile(r"FILTERSCOPE_(\w+_)?(SERVICE_HOST|SERVICE_PORT(_\w+)?|PORT(_\d+_(TCP|UDP|SCTP)(_\w+)?)?)")

PACKAGE = Path(__file__).resolve().parent


def _shipped(folder: str, name: str) -> Path:
    """Where something that is shipped lies: within the package once it is installed, else in its checkout."""
    installed = PACKAGE / name
    return installed if installed.exists() else PACKAGE.parent / folder / name


SHIPPED_MODELS = _shipped("", "models")
GUNICORN_SETTINGS = _shipped("deploy", "gunicorn.conf.py")


def find_models() -> str:
    """The folder `models` of the folder the process runs in, where it holds a model; else the one that is shipped."""
    here = Path.cwd() / "models"
    return str(here if any(here.glob("*/*/passport.json")) else SHIPPED_MODELS)


class BadSetting(ValueError):
    """A setting with a value it cannot have; the message is the one line that names it."""


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """
    What one request may ask for; checked before the work, published by GET /v1/limits.

    >>> Limits().max_batch
    256
    """

    max_body_bytes: Annotated[Count, "bytes of one request body"] = 32 * 2**20
    max_batch: Annotated[Count, "pictures in one request"] = 256
    max_parts: Annotated[Count, "parts of one multipart body"] = 300
    max_image_pixels: Annotated[Count, "pixels of one picture (width x height)"] = 4_194_304
    max_jpeg_pixels: Annotated[Count, "pixels of one JPEG that prepare=auto decodes at reduced size"] = 50_000_000
    max_scan_pixels: Annotated[Count, "pixels of one file of another kind that prepare=auto reduces"] = 36_000_000
    max_json_numbers_in: Annotated[Count, "numbers in one JSON body"] = 262_144
    max_json_numbers_out: Annotated[Count, "numbers in one JSON answer"] = 1_000_000
    max_filters: Annotated[Count, "filters in one request"] = 64
    max_kernel_side: Annotated[Count, "rows or columns of one filter"] = 63
    max_multiply_adds: Annotated[Count, "multiply-adds of one apply-filters request"] = 20_000_000_000
    max_digits: Annotated[Count, "pieces of one picture that may be a digit, of POST /v1/read"] = 2000
    max_masked_runs: Annotated[Count, "runs of the network on masked pictures in one request"] = 20_000
    max_answer_bytes: Annotated[Count, "bytes of one npz or PNG answer"] = 256 * 2**20
    max_work_units: Annotated[Count, "units of work of one request, each about a microsecond of CPU"] = 2_000_000
    max_request_bytes: Annotated[Count, "bytes held for one request at a time, its answer included"] = 384 * 2**20


class Settings(Limits, frozen=True, kw_only=True):
    """
    The limits, and how the process runs.

    >>> Settings.from_environ({"FILTERSCOPE_MAX_BATCH": "16"}).max_batch
    16
    >>> Settings.from_environ({"FILTERSCOPE_MAX_BATCH": "none"})
    Traceback (most recent call last):
        ...
    service.settings.BadSetting: FILTERSCOPE_MAX_BATCH: a whole number from 1 to 9007199254740991 is wanted, got 'none'
    """

    models: Annotated[
        str,
        "folder of models, <name>/<version>/model.onnx; by default ./models where it holds one, else the shipped ones",
    ] = msgspec.field(default_factory=find_models)
    default_model: Annotated[str, "the model that answers when a request names none"] = "digits"
    mnist: Annotated[str, "folder of MNIST, for thumbnails in reports; none unless given"] = ""
    keys_file: Annotated[str, "file of bearer keys, one a line; no key is asked for unless given"] = ""
    cors_origins: Annotated[str, "origins whose pages may call, separated by commas; none unless given"] = ""
    access_log: Annotated[bool, "one line of JSON on standard output for every request"] = False
    log_format: Annotated[Literal["text", "json"], "how the service logs on standard error: text or json"] = "text"
    heavy_threads: Annotated[Count, "threads of a process for heavy calls"] = 2
    heavy_waiting: Annotated[
        int, Meta(ge=0, le=LARGEST_COUNT), "heavy calls that may wait in a process; more are answered 503"
    ] = 16
    quick_body_bytes: Annotated[Count, "a larger body is worked on in the heavy lane, so it holds up no one"] = 65536
    head_timeout_seconds: Annotated[Seconds, "a request head not complete after this time is dropped"] = 10.0
    body_timeout_seconds: Annotated[Seconds, "a body that is not complete after this time is dropped"] = 30.0
    max_held_bytes: Annotated[Count, "bytes of bodies, or of unread answers, a process holds at one time; else 503"] = (
        256 * 2**20
    )
    max_wait_seconds: Annotated[Seconds, "a quick call with more seconds of work before it is answered 503"] = 0.5

    @classmethod
    def from_environ(cls, environ: Mapping[str, str] = os.environ) -> "Settings":
        """Read FILTERSCOPE_* variables; BadSetting names the first that is wrong, or two that contradict each other."""
        settings: Settings = _read(cls, environ, PREFIX)
        if settings.max_held_bytes < settings.max_body_bytes:
            raise BadSetting(
                f"{PREFIX}MAX_HELD_BYTES: at least {PREFIX}MAX_BODY_BYTES, {settings.max_body_bytes}, is wanted, or "
                f"the largest bodies would never find room; got {settings.max_held_bytes}"
            )
        return settings

    def limits(self) -> dict[str, int]:
        """Every published limit, by name."""
        return {field.name: getattr(self, field.name) for field in msgspec.structs.fields(Limits)}


class Process(msgspec.Struct, frozen=True, kw_only=True):
    """
    What gunicorn is given: HOST, PORT, WORKERS and LOG_LEVEL, each as if it were not there where it is empty.

    >>> Process.from_environ({"PORT": "8080", "HOST": "::1", "WORKERS": ""}).address
    '[::1]:8080'
    """

    host: str = "127.0.0.1"
    port: Annotated[int, Meta(ge=1, le=65535)] = 8000
    workers: Annotated[int, Meta(ge=1, le=1024)] | None = None
    log_level: Literal["debug", "info", "warning", "error", "critical"] = "info"

    @classmethod
    def from_environ(cls, environ: Mapping[str, str] = os.environ) -> "Process":
        """Read them; BadSetting names the first that is wrong."""
        given = {name: value for name, value in environ.items() if value.strip()}
        if "LOG_LEVEL" in given:
            given["LOG_LEVEL"] = given["LOG_LEVEL"].lower()
        process: Process = _read(cls, given, "")
        return process

    @property
    def address(self) -> str:
        """Where to listen, as gunicorn's `bind` has it."""
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


def unknown(environ: Mapping[str, str] = os.environ) -> list[str]:
    """
    A line for every variable that begins as a setting does and is none.

    >>> unknown({"FILTERSCOPE_MAX_BACH": "3", "FILTERSCOPE_SERVICE_HOST": "10.0.0.1"})
    ['FILTERSCOPE_MAX_BACH is no setting and changes nothing; is FILTERSCOPE_MAX_BATCH meant?']
    """
    known = {name.upper(): PREFIX + name.upper() for name in Settings.__struct_fields__}
    meant = {name.upper(): name.upper() for name in Process.__struct_fields__} | known
    lines = []
    for variable in sorted(environ):
        name = variable.removeprefix(PREFIX)
        if variable.startswith(PREFIX) and name not in known and not OF_KUBERNETES.fullmatch(variable):
            near = difflib.get_close_matches(name, meant, 1)
            hint = f"; is {meant[near[0]]} meant?" if near else ""
            lines.append(f"{variable[:80]} is no setting and changes nothing{hint}")
    return lines


@contextmanager
def naming(field: str, *errors: type[Exception]) -> Iterator[None]:
    """Raise one of these errors as the BadSetting of a field of Settings."""
    try:
        yield
    except errors as error:
        raise BadSetting(f"{PREFIX}{field.upper()}: {error}") from None


def _read(kind: Any, environ: Mapping[str, str], prefix: str) -> Any:
    given: dict[str, Any] = {}
    for field in msgspec.structs.fields(kind):
        variable = prefix + field.name.upper()
        if variable in environ:
            given[field.name] = _convert(variable, environ[variable], field.type)
    return kind(**given)


def _convert(variable: str, text: str, kind: Any) -> Any:
    # "none" and "null" are words of msgspec for the None of an optional type, and no number that could be given.
    wanted = _wanted(msgspec.inspect.type_info(kind))
    try:
        value = msgspec.convert(text.strip(), kind, strict=False)
    except (msgspec.ValidationError, UnicodeError):
        value = None
    if value is None:
        raise BadSetting(f"{variable}: {wanted} is wanted, got {text[:80]!r}")
    return value


def _wanted(kind: Any) -> str:
    """
    A type of msgspec in words.

    >>> _wanted(msgspec.inspect.type_info(Seconds)), _wanted(msgspec.inspect.type_info(Literal["text", "json"]))
    ('a number above 0', 'json or text')
    """
    inspect = msgspec.inspect
    if isinstance(kind, inspect.UnionType):
        return _wanted(next(each for each in kind.types if not isinstance(each, inspect.NoneType)))
    if isinstance(kind, inspect.LiteralType):
        return " or ".join(map(str, kind.values))
    if isinstance(kind, inspect.BoolType):
        return "true or false"
    if isinstance(kind, inspect.FloatType):
        return f"a number above {kind.gt:g}"
    if isinstance(kind, inspect.IntType):
        return f"a whole number from {kind.ge} to {kind.le}"
    return "text"


def table() -> str:
    """Every setting as the Markdown table of deploy/settings.md."""
    rows = [f"| `{variable}` | {default} | {meaning} |" for variable, default, meaning in describe()]
    return "\n".join(["| variable | default | meaning |", "|---|---|---|", *rows])


def describe() -> list[tuple[str, str, str]]:
    """(variable, default, meaning) of every setting, in order; the table of deploy/settings.md is made from this."""
    rows = []
    for field in msgspec.structs.fields(Settings):
        meaning = next(extra for extra in field.type.__metadata__ if isinstance(extra, str))
        default = "models" if field.name == "models" else str(field.default)
        rows.append((PREFIX + field.name.upper(), default, meaning))
    return rows
