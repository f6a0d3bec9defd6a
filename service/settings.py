"""
Everything an operator can set, read from the environment once.

Each field is the environment variable FILTERSCOPE_<FIELD IN CAPITALS>; `make settings` prints the table that the
README holds, and a test compares the two. Limits are published as they are by GET /v1/limits.
"""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

PREFIX = "FILTERSCOPE_"
Count = Annotated[int, Meta(ge=1)]
Seconds = Annotated[float, Meta(gt=0)]

SHIPPED_MODELS = Path(__file__).resolve().parent.parent / "models"


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
    max_json_numbers_in: Annotated[Count, "numbers in one JSON body"] = 262_144
    max_json_numbers_out: Annotated[Count, "numbers in one JSON answer"] = 1_000_000
    max_filters: Annotated[Count, "filters in one request"] = 64
    max_kernel_side: Annotated[Count, "rows or columns of one filter"] = 63
    max_multiply_adds: Annotated[Count, "multiply-adds of one apply-filters request"] = 20_000_000_000
    max_masked_runs: Annotated[Count, "runs of the network on masked pictures in one request"] = 20_000
    max_answer_bytes: Annotated[Count, "bytes of one npz or PNG answer"] = 256 * 2**20


class Settings(Limits, frozen=True, kw_only=True):
    """
    The limits, and how the process runs.

    >>> Settings.from_environ({"FILTERSCOPE_MAX_BATCH": "16"}).max_batch
    16
    >>> Settings.from_environ({"FILTERSCOPE_MAX_BATCH": "none"})
    Traceback (most recent call last):
        ...
    service.settings.BadSetting: FILTERSCOPE_MAX_BATCH: Expected `int`, got 'none'
    """

    models: Annotated[str, "folder of models, <name>/<version>/model.onnx"] = str(SHIPPED_MODELS)
    default_model: Annotated[str, "the model that answers when a request names none"] = "digits"
    mnist: Annotated[str, "folder of MNIST, for thumbnails in reports; none unless given"] = ""
    keys_file: Annotated[str, "file of bearer keys, one a line; no key is asked for unless given"] = ""
    cors_origins: Annotated[str, "origins whose pages may call, separated by commas; none unless given"] = ""
    access_log: Annotated[bool, "one line of JSON on standard output for every request"] = False
    log_format: Annotated[Literal["text", "json"], "how the service logs on standard error: text or json"] = "text"
    heavy_threads: Annotated[Count, "threads of a process for heavy calls"] = 2
    heavy_waiting: Annotated[int, Meta(ge=0), "heavy calls that may wait in a process; more are answered 503"] = 16
    quick_body_bytes: Annotated[Count, "a larger body is worked on in the heavy lane, so it holds up no one"] = 65536
    head_timeout_seconds: Annotated[Seconds, "a request head not complete after this time is dropped"] = 10.0
    body_timeout_seconds: Annotated[Seconds, "a body that is not complete after this time is dropped"] = 30.0
    max_held_bytes: Annotated[Count, "bytes of bodies, or of unread answers, a process holds at one time; else 503"] = (
        2**28
    )
    max_wait_seconds: Annotated[Seconds, "a quick call with more seconds of work before it is answered 503"] = 0.5

    @classmethod
    def from_environ(cls, environ: Mapping[str, str] = os.environ) -> "Settings":
        """Read FILTERSCOPE_* variables; BadSetting names the first that is wrong or unknown to no field."""
        given: dict[str, Any] = {}
        for field in msgspec.structs.fields(cls):
            variable = PREFIX + field.name.upper()
            if variable in environ:
                given[field.name] = _convert(variable, environ[variable], field.type)
        return cls(**given)

    def limits(self) -> dict[str, int]:
        """Every published limit, by name."""
        return {field.name: getattr(self, field.name) for field in msgspec.structs.fields(Limits)}


def _convert(variable: str, text: str, kind: Any) -> Any:
    try:
        return msgspec.convert(text.strip(), kind, strict=False)
    except msgspec.ValidationError as error:
        wanted = str(error).split(", got ")[0]
        raise BadSetting(f"{variable}: {wanted}, got {text[:80]!r}") from None


def table() -> str:
    """Every setting as the Markdown table of the README."""
    rows = [f"| `{variable}` | {default} | {meaning} |" for variable, default, meaning in describe()]
    return "\n".join(["| variable | default | meaning |", "|---|---|---|", *rows])


def describe() -> list[tuple[str, str, str]]:
    """(variable, default, meaning) of every setting, in order; the README's table is made from this."""
    rows = []
    for field in msgspec.structs.fields(Settings):
        meaning = next(extra for extra in field.type.__metadata__ if isinstance(extra, str))
        default = "models" if field.name == "models" else str(field.default)
        rows.append((PREFIX + field.name.upper(), default, meaning))
    return rows
