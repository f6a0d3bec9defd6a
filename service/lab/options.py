"""
The options of every call, declared once and read the same way wherever they stand.

An option has one name as query parameter, form field and JSON member. In a query or form a list is comma-separated, a
structure is JSON text, a boolean is true or false. One given twice, or unknown to the call, is refused by name.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, ClassVar, Literal, TypeVar, get_args, get_origin

import msgspec
import orjson
from msgspec import Meta

from service.core.errors import InvalidOption, shown

# The largest whole number that every JSON reader keeps exact.
LARGEST_WHOLE = 2**53 - 1
Whole = Annotated[int, Meta(ge=0, le=LARGEST_WHOLE)]
Positive = Annotated[int, Meta(ge=1, le=LARGEST_WHOLE)]
# Every text is one of these: no pattern, and no message, ever meets a text without end.
Text = Annotated[str, Meta(max_length=200)]
# One number, or one for rows and one for columns; the core checks them where it uses them. The bound is far beyond any
# picture, and keeps what is computed from them within 64 bits.
Step = Annotated[int, Meta(ge=-(2**31), le=2**31 - 1)]
Pair = Step | list[Step]
Finite = Annotated[float, Meta(ge=-3.4e38, le=3.4e38)]
Version = Text | Annotated[int, Meta(ge=-LARGEST_WHOLE, le=LARGEST_WHOLE)]
# A filter's name becomes the name of a file in an npz, and part of a header.
Name = Annotated[str, Meta(min_length=1, max_length=80, pattern=r"^[^\x00-\x1f\x7f/\\]+\Z")]
# How values become levels in a picture of maps: `range`, `lo` and `hi`, `polarity`.
Range = Literal["layer", "map", "symmetric", "fixed"]
Polarity = Literal["light", "pencil", "diverging"]


class Options(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What every call takes. LISTS and STRUCTURES name the fields that text must be split or parsed for."""

    LISTS: ClassVar[tuple[str, ...]] = ()
    STRUCTURES: ClassVar[tuple[str, ...]] = ()

    format: Literal["json", "png", "npz"] | None = None


class PictureOptions(Options, frozen=True, kw_only=True):
    """What every call that takes a picture takes; a call on a network defaults to prepare=auto."""

    prepare: Literal["auto", "none"] = "auto"
    scale: Literal[1, 255] | None = None
    prepared_image: bool = False


class NetworkOptions(PictureOptions, frozen=True, kw_only=True):
    """What every call that runs a network takes."""

    model: Text | None = None
    version: Version | None = None


class ClassifyOptions(NetworkOptions, frozen=True, kw_only=True):
    """POST /v1/classify."""


class Change(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One edit of a network: a filter of a convolution switched off, scaled, or replaced."""

    layer: Text
    filter: Whole
    action: Literal["off", "scale", "replace"]
    factor: Finite | None = None
    weights: list[Any] | None = None
    bias: Finite | None = None


class FeatureMapOptions(NetworkOptions, frozen=True, kw_only=True):
    """POST /v1/feature-maps; `filters` are indices."""

    LISTS: ClassVar = ("layers", "filters")
    STRUCTURES: ClassVar = ("changes",)

    layers: tuple[Text, ...] | None = None
    filters: tuple[Whole, ...] | None = None
    stats: bool = False
    changes: tuple[Change, ...] = ()
    range: Range = "layer"
    lo: Finite | None = None
    hi: Finite | None = None
    polarity: Polarity = "light"


class WhatIfOptions(NetworkOptions, frozen=True, kw_only=True):
    """POST /v1/what-if."""

    STRUCTURES: ClassVar = ("changes",)

    changes: tuple[Change, ...]


class ExplainOptions(NetworkOptions, frozen=True, kw_only=True):
    """POST /v1/explain; which of them a method takes is said in explain/rules.py."""

    LISTS: ClassVar = ("window", "stride")
    STRUCTURES: ClassVar = ("changes",)

    method: Literal["ledger", "pixels", "occlusion", "rise", "cam", "cell", "deciding-set"] = "ledger"
    target: Whole | None = None
    rival: Whole | None = None
    score: Literal["logit", "margin", "probability"] = "logit"
    baseline: float | Literal["zero", "mean", "blur"] = "zero"
    full: bool = False
    layer: Text | None = None
    filter: Whole | None = None
    row: Whole | None = None
    col: Whole | None = None
    variant: Literal["gradcam", "hirescam", "cam"] = "gradcam"
    window: Pair = 4
    stride: Pair = 2
    masks: Positive = 1000
    cells: Positive = 7
    keep: Annotated[float, Meta(gt=0, lt=1)] = 0.5
    seed: Whole = 0
    changes: tuple[Change, ...] = ()


class Pool(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Pooling after the filters; the stride is the size unless given."""

    kind: Text = "max"
    size: Pair = 2
    stride: Pair | None = None


class Filter(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One filter: weights, or a preset and its parameters, or one that a model has learnt."""

    weights: list[Any] | None = None
    name: Name | None = None
    bias: Finite = 0.0
    preset: Text | None = None
    size: Positive | None = None
    angle: Finite | None = None
    sigma: Finite | None = None
    model: Text | None = None
    version: Version | None = None
    layer: Text | None = None
    filter: Whole | None = None


class Stage(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One step of a chain: filters, then an activation, then a pooling, each of them optional."""

    filters: tuple[Filter, ...] = ()
    stride: Pair = 1
    dilation: Pair = 1
    padding: Text | Step | list[Step] = "valid"
    pad_mode: Text = "zero"
    pad_value: Finite = 0.0
    orientation: Literal["correlation", "convolution"] = "correlation"
    normalize: Text = "none"
    channels: Literal["grey", "each"] = "grey"
    activation: Text = "linear"
    pool: Pool | None = None


class ApplyFiltersOptions(PictureOptions, frozen=True, kw_only=True):
    """POST /v1/apply-filters; `stages` is a chain of such steps, in place of one."""

    STRUCTURES: ClassVar = ("filters", "pool", "stages")
    LISTS: ClassVar = ("stride", "dilation", "padding")

    filters: tuple[Filter, ...] = ()
    prepare: Literal["auto", "none"] = "none"
    stride: Pair = 1
    dilation: Pair = 1
    padding: Text | Step | list[Step] = "valid"
    pad_mode: Text = "zero"
    pad_value: Finite = 0.0
    orientation: Literal["correlation", "convolution"] = "correlation"
    activation: Text = "linear"
    pool: Pool | None = None
    normalize: Text = "none"
    channels: Literal["grey", "each"] = "grey"
    stages: tuple[Stage, ...] = ()
    card: bool = False
    snippet: Literal["numpy", "torch"] | None = None
    range: Range = "layer"
    lo: Finite | None = None
    hi: Finite | None = None
    polarity: Polarity = "light"


class PatchesOptions(PictureOptions, frozen=True, kw_only=True):
    """POST /v1/patches; drawn as the lecture does unless told otherwise: ink dark on white, 0..1."""

    LISTS: ClassVar = ("patch_size", "stride", "padding")

    prepare: Literal["auto", "none"] = "none"
    patch_size: Pair = 7
    stride: Pair = 2
    padding: Text | Step | list[Step] = "valid"
    pad_mode: Text = "zero"
    pad_value: Finite = 0.0
    snippet: Literal["numpy", "torch"] | None = None
    range: Literal["layer", "symmetric", "fixed"] = "fixed"
    lo: Finite | None = None
    hi: Finite | None = None
    polarity: Polarity = "pencil"


class PresetListOptions(Options, frozen=True, kw_only=True):
    """GET /v1/filters."""

    card: bool = False
    range: Range = "layer"
    lo: Finite | None = None
    hi: Finite | None = None
    polarity: Polarity = "light"


class PresetOptions(PresetListOptions, frozen=True, kw_only=True):
    """GET /v1/filters/{name}."""

    size: Positive | None = None
    angle: Finite | None = None
    sigma: Finite | None = None


class LayerFilterOptions(Options, frozen=True, kw_only=True):
    """GET /v1/models/{m}/layers/{l}/filters and .../{k}."""

    version: Version | None = None
    card: bool = False
    range: Range = "layer"
    lo: Finite | None = None
    hi: Finite | None = None
    polarity: Polarity = "light"


class ModelOptions(Options, frozen=True, kw_only=True):
    """GET /v1/models/{m}."""

    version: Version | None = None


class ReportOptions(ModelOptions, frozen=True, kw_only=True):
    """GET /v1/models/{m}/report."""

    layer: Text | None = None
    thumbnails: bool = True


class NoOptions(Options, frozen=True, kw_only=True):
    """The calls that take nothing but a format."""


Declared = TypeVar("Declared", bound=Options)


# Characters of a query parameter or form field that is no structure; a list of all the filters of a layer has a tenth.
LONGEST_TEXT = 4096
# What each call takes when it is given no options at all, as most calls are.
_DEFAULTS: dict[type[Options], Options] = {}


def convert(kind: type[Declared], text: Sequence[tuple[str, str]], members: Mapping[str, Any]) -> Declared:
    """
    Make the options of one call out of what was posted.

    text: name and value of every query parameter and form field; members: the JSON members that are not pictures
    raises: InvalidOption, naming the option, what it may be and what came

    >>> convert(FeatureMapOptions, [("layers", "conv1,pool1")], {"stats": True}).layers
    ('conv1', 'pool1')
    """
    given: dict[str, Any] = dict(members)
    if not text and not given and kind in _DEFAULTS:
        return _DEFAULTS[kind]  # type: ignore[return-value]
    for name, value in text:
        if name in given:
            raise InvalidOption(f"the option {name[:80]!r} is given twice", f"/{name[:80]}")
        given[name] = _parse_text(kind, name, value)
    for name in given:
        if name not in kind.__struct_fields__:
            raise _unknown(name, "", kind)
    try:
        options = msgspec.convert(given, kind, strict=False)
    except msgspec.ValidationError as error:
        raise explain(error, given, kind) from None
    if not given:
        _DEFAULTS[kind] = options
    for name, value in text:
        if value.lower() == "null":
            _refuse_null(kind, options, name, value)
    return options


def _refuse_null(kind: type[Options], options: Options, name: str, value: str) -> None:
    """Text has no null, but msgspec takes the word for one where nothing but numbers or choices may stand."""
    field = next(field for field in msgspec.structs.fields(kind) if field.encode_name == name)
    if getattr(options, field.name) is not None:
        return
    try:
        msgspec.convert({name: "no null"}, msgspec.defstruct("Text", [(name, field.type)]), strict=False)
    except msgspec.ValidationError as error:
        refusal = explain(error, {name: value}, kind)
        raise InvalidOption(refusal.detail.replace(" | null", ""), refusal.pointer) from None


def _parse_text(kind: type[Options], name: str, value: str) -> Any:
    if name in kind.STRUCTURES:
        try:
            return orjson.loads(value)
        except orjson.JSONDecodeError as error:
            raise InvalidOption(f"{name} must be JSON text here: {error}", f"/{name}") from None
    if len(value) > LONGEST_TEXT:
        raise InvalidOption(f"{name[:80]} may have {LONGEST_TEXT} characters, got {len(value)}", f"/{name[:80]}")
    if name in kind.LISTS:
        return _parse_list(value, always=name in {"layers", "filters"})
    return value


def _parse_list(value: str, *, always: bool) -> Any:
    parts = [int(part) if re.fullmatch(r"\s*-?\d{1,9}\s*", part) else part for part in value.split(",")]
    return parts if always or len(parts) > 1 else parts[0]


def explain(error: msgspec.ValidationError, given: Any, kind: type[msgspec.Struct] | None = None) -> InvalidOption:
    """Turn msgspec's message into ours: what was wanted, what came, and where as a JSON pointer."""
    text = str(error)
    # The path comes last and names only what is declared; the words before it may quote the caller's.
    message, found, path = text.rpartition(" - at `$")
    if not found:
        message, path = text, ""
    steps = re.findall(r"\.(\w+)|\[(\d+|\.\.\.)\]", path)
    pointer, value, known = "", given, True
    for name, index in steps:
        step: Any = name or (int(index) if index.isdecimal() else index)
        pointer += f"/{step}"
        known = known and ((isinstance(value, dict) and step in value) or (isinstance(value, list) and step != "..."))
        value = value[step] if known else None
    if message.startswith(_UNKNOWN):
        return _unknown(message[len(_UNKNOWN) : -1], pointer, None if steps else kind)
    missing = re.fullmatch(r"Object missing required field `(.*)`", message)
    if missing:
        return InvalidOption(f"{missing[1]} is missing", f"{pointer}/{missing[1]}")
    choices = _choices(kind, steps) if message.startswith("Invalid enum value") else ""
    wanted = choices or message[0].lower() + message[1:]
    if "matching regex" in message:
        wanted = "must be without slashes and control characters"
    came = f", got {shown(value)}" if known and steps else ""
    return InvalidOption(f"{pointer.lstrip('/') or 'the options'}: {wanted.split(', got ')[0]}{came}", pointer)


_UNKNOWN = "Object contains unknown field `"


def _unknown(name: str, pointer: str, kind: type[msgspec.Struct] | None) -> InvalidOption:
    """Refuse a name that no option has; kind: those there are, where the message is to list them."""
    there_is = ", ".join(field.encode_name for field in msgspec.structs.fields(kind)) if kind else ""
    hint = f"; this call takes: {there_is}" if there_is else ""
    return InvalidOption(f"there is no option {name[:80]!r}{hint}", f"{pointer}/{name[:80]}")


def _choices(kind: type[msgspec.Struct] | None, steps: list[tuple[str, str]]) -> str:
    # msgspec says that a value is none of the choices, but not what the choices are.
    declared: Any = kind
    for name, _ in steps:
        declared = _member(declared, name)
    literals = [declared, *get_args(declared)]
    values = next((get_args(literal) for literal in literals if get_origin(literal) is Literal), ())
    return f"must be one of {', '.join(map(str, values))}" if values else ""


def _member(declared: Any, name: str) -> Any:
    """The type of a struct's member of that name, or of a list's items where there is none."""
    for kind in (declared, *get_args(declared)):
        if isinstance(kind, type) and issubclass(kind, msgspec.Struct) and name:
            return next((field.type for field in msgspec.structs.fields(kind) if field.encode_name == name), None)
    return declared if name else next(iter(get_args(declared)), None)
