"""What may be asked of an explanation, whatever its method."""

from typing import Annotated, ClassVar, Literal

from msgspec import Meta

from service.lab.options import CHANGES, Change, NetworkOptions, PerAxis, Positive, Text, Whole


class Asked(NetworkOptions, frozen=True, kw_only=True):
    """The options of POST /v1/explain; each method says which of them it takes."""

    LISTS: ClassVar = ("window", "stride")
    STRUCTURES: ClassVar = {"changes": CHANGES}

    method: Text = "ledger"
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
    window: PerAxis | None = None
    stride: PerAxis | None = None
    masks: Positive | None = None
    cells: Positive = 7
    keep: Annotated[float, Meta(gt=0, lt=1)] = 0.5
    seed: Whole = 0
    changes: tuple[Change, ...] = ()
