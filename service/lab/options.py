"""
The options of every call but explain's, which are beside its methods: declared once, read the same way everywhere.

An option has one name as query parameter, form field and JSON member. In a query or form a list is comma-separated, a
structure is JSON text, a boolean is true or false. One given twice, or unknown to the call, is refused by name.
"""

from typing import Annotated, Any, ClassVar, Literal

import msgspec
from msgspec import Meta

# The largest whole number that every JSON reader keeps exact.
LARGEST_WHOLE = 2**53 - 1
Whole = Annotated[int, Meta(ge=0, le=LARGEST_WHOLE)]
Positive = Annotated[int, Meta(ge=1, le=LARGEST_WHOLE)]
# Every text is one of these: no pattern, and no message, ever meets a text without end.
Text = Annotated[str, Meta(max_length=200)]
# One number, or one for rows and one for columns; the core checks them where it uses them. The bound is far beyond any
# picture, and keeps what is computed from them within 64 bits.
Int32 = Annotated[int, Meta(ge=-(2**31), le=2**31 - 1)]
PerAxis = Int32 | list[Int32]
Finite = Annotated[float, Meta(ge=-3.4e38, le=3.4e38)]
Version = Text | Annotated[int, Meta(ge=-LARGEST_WHOLE, le=LARGEST_WHOLE)]
# A filter's name becomes the name of a file in an npz, and part of a header.
Name = Annotated[str, Meta(min_length=1, max_length=80, pattern=r"^[^\x00-\x1f\x7f/\\]+\Z")]
# How values become levels in a picture of maps: `range`, `lo` and `hi`, `polarity`.
Range = Literal["layer", "map", "symmetric", "fixed"]
Polarity = Literal["light", "pencil", "diverging"]

# An example of `changes`.
CHANGES = '[{"layer": "conv1", "filter": 3, "action": "off"}]'


class Options(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """
    What every call takes. LISTS and STRUCTURES name the fields that text must be split or parsed for.

    STRUCTURES has an example of each, shown to those who send something else.
    """

    LISTS: ClassVar[tuple[str, ...]] = ()
    STRUCTURES: ClassVar[dict[str, str]] = {}

    format: Literal["json", "png", "npz"] | None = None


class PictureOptions(Options, frozen=True, kw_only=True):
    """What every call that takes a picture takes; a call on a network defaults to prepare=auto."""

    prepare: Literal["auto", "none"] = "auto"
    scale: Literal[1, 255] | None = None
    flattened: bool | None = None
    prepared_image: bool = False


class NetworkOptions(PictureOptions, frozen=True, kw_only=True):
    """What every call that runs a network takes."""

    model: Text | None = None
    version: Version | None = None


class ClassifyOptions(NetworkOptions, frozen=True, kw_only=True):
    """POST /v1/classify; `full` has the numbers of each class, however many there are."""

    full: bool = False

    step: Whole | None = None


class ReadOptions(NetworkOptions, frozen=True, kw_only=True):
    """POST /v1/read; `region` is x, y, width and height in posted pixels."""

    LISTS: ClassVar = ("region",)

    prepare: Literal["auto"] = "auto"
    expect: Literal["digits", "number", "decimal"] = "digits"
    length: Version | None = None
    group: bool = True
    region: Annotated[list[Whole], Meta(min_length=4, max_length=4)] | None = None
    layout: Literal["auto", "line", "lines", "cells"] = "auto"
    cells: Annotated[int, Meta(ge=1, le=100)] | None = None
    turn: Literal["auto", "0", "90", "180", "270"] = "auto"
    sure: Annotated[float, Meta(ge=0, le=1)] = 0.9
    alternatives: Annotated[int, Meta(ge=0, le=20)] = 0
    probabilities: bool = False


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
    STRUCTURES: ClassVar = {"changes": CHANGES}

    layers: tuple[Text, ...] | None = None
    filters: tuple[Whole, ...] | None = None
    stats: bool = False
    changes: tuple[Change, ...] = ()
    range: Range = "layer"
    lo: Finite | None = None
    hi: Finite | None = None
    polarity: Polarity = "light"
    step: Whole | None = None


class WhatIfOptions(NetworkOptions, frozen=True, kw_only=True):
    """POST /v1/what-if."""

    STRUCTURES: ClassVar = {"changes": CHANGES}

    changes: tuple[Change, ...]
    full: bool = False


class Pool(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Pooling after the filters; the stride is the size unless given."""

    kind: Text = "max"
    size: PerAxis = 2
    stride: PerAxis | None = None


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
    stride: PerAxis = 1
    dilation: PerAxis = 1
    padding: Text | Int32 | list[Int32] = "valid"
    pad_mode: Text = "zero"
    pad_value: Finite = 0.0
    orientation: Literal["correlation", "convolution"] = "correlation"
    normalize: Text = "none"
    channels: Literal["grey", "each"] = "grey"
    activation: Text = "linear"
    pool: Pool | None = None


class ApplyFiltersOptions(PictureOptions, frozen=True, kw_only=True):
    """POST /v1/apply-filters; `stages` is a chain of such steps, in place of one."""

    STRUCTURES: ClassVar = {
        "filters": '[{"preset": "sobel_x"}]',
        "pool": '{"kind": "max", "size": 2}',
        "stages": '[{"filters": [{"preset": "sobel_x"}], "activation": "relu"}]',
    }
    LISTS: ClassVar = ("stride", "dilation", "padding")

    filters: tuple[Filter, ...] = ()
    prepare: Literal["auto", "none"] = "none"
    stride: PerAxis = 1
    dilation: PerAxis = 1
    padding: Text | Int32 | list[Int32] = "valid"
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
    patch_size: PerAxis = 7
    stride: PerAxis = 2
    padding: Text | Int32 | list[Int32] = "valid"
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
    step: Whole | None = None


class ModelOptions(Options, frozen=True, kw_only=True):
    """GET /v1/models/{m} and .../history."""

    version: Version | None = None


class ReportOptions(ModelOptions, frozen=True, kw_only=True):
    """GET /v1/models/{m}/report."""

    layer: Text | None = None
    thumbnails: bool = True


class NoOptions(Options, frozen=True, kw_only=True):
    """The calls that take nothing but a format."""
