"""The options of POST /v1/explain, and what is refused of them before the work."""

from typing import Annotated, ClassVar, Literal

from msgspec import Meta

from service.core.errors import InvalidOption
from service.lab.explain.methods import METHODS
from service.lab.explain.rules import check_baseline, check_classes, check_score
from service.lab.options import Change, NetworkOptions, Pair, Positive, Text, Whole
from service.network.sessions import Network

OF_METHODS = frozenset[str]().union(*(method.takes for method in METHODS.values()))


class ExplainOptions(NetworkOptions, frozen=True, kw_only=True):
    """POST /v1/explain; each method says which of them it takes."""

    LISTS: ClassVar = ("window", "stride")
    STRUCTURES: ClassVar = ("changes",)

    method: Literal[tuple(METHODS)] = "ledger"  # type: ignore[valid-type]
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


def check_options(network: Network, options: ExplainOptions) -> None:
    """
    Refuse, before the work, what a method does not take and what this network's structure does not allow.

    raises: InvalidOption, NotFound or NotPossible
    """
    method, defaults = METHODS[options.method], ExplainOptions()
    for name in sorted(OF_METHODS - method.takes):
        if getattr(options, name) != getattr(defaults, name):
            taking = [each.name for each in METHODS.values() if name in each.takes]
            raise InvalidOption(f"method={method.name} takes no {name}; these do: {', '.join(taking)}", f"/{name}")
    check_classes(network, options)
    check_baseline(method, options)
    if method.is_exact:
        check_score(options, [each.name for each in METHODS.values() if not each.is_exact])
    method.check(network, options)
