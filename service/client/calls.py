"""
Every call of the client, written once for both of its kinds.

A call is a generator of requests (see wire.py): it waits for nothing itself.
"""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import chain, islice
from typing import Any, Literal, TypeVar
from urllib.parse import quote

import numpy as np

from service.client.answers import (
    Explanation,
    FeatureMaps,
    Responses,
    Verdicts,
    WhatIf,
    network_of,
    read_json,
    read_npz,
    verdicts_of,
    with_arrays,
)
from service.client.errors import Refused, Unreachable, reading
from service.client.pictures import Part, Pictures, body, parts, size
from service.client.progress import Progress, told
from service.client.wire import Received, Request, Steps

Read = TypeVar("Read")
Prepare = Literal["auto", "none"]
# The name of a filter of GET /v1/filters, its weights, or its members as in the contract.
Filter = str | np.ndarray | Mapping[str, Any]
# An edit of a network, as in the contract: {"layer": "conv1", "filter": 3, "action": "off"}.
Change = Mapping[str, Any]
# A size or step: one number, or one for rows and one for columns.
Pair = int | Sequence[int]

STRUCTURES = {"filters", "changes", "pool", "stages"}
LONGEST_PAUSE = 30.0  # seconds, whatever Retry-After says
# Room in a body for the fields beside the pictures.
ROOM = 0.9


class Calls:
    """The calls, each a generator of requests."""

    def __init__(self, retries: int) -> None:
        self._retries = retries
        self._limits: dict[str, int] | None = None

    # --- on pictures -------------------------------------------------------------------------------------------------

    def classify(
        self,
        pictures: Pictures,
        *,
        model: str | None = None,
        version: str | int | None = None,
        step: int | None = None,
        prepare: Prepare | None = None,
        scale: Literal[1, 255] | None = None,
        progress: Progress = False,
    ) -> Steps[Verdicts]:
        """
        Read the digit on every picture, or with an adopted network tell its class.

        pictures: one, or an iterable of any length: a path, the bytes of a file, an array or a Pillow picture; an array
            (N,H,W) or (N,H,W,C) is N pictures, and rows of 784 numbers are `rows.reshape(-1, 28, 28)`. uint8 is 0
            (black) to 255, float 0 to 1
        step: of its training, as `history` lists them; the network as it was then
        prepare: "auto" finds the digit on any picture, or brings it to the size of an adopted network; "none" takes
            28 x 28, or that size, as it is, 0 for paper and 1 for ink
        progress: True for a bar, or a function of (done, in all)
        returns: of an adopted network its class, its label and the most probable ones are `verdict.class_`,
            `verdict.label` and `verdict.top`; `digit`, `doubt`, `novelty` and `is_digit` are None
        raises: Refused, Unreachable; TypeError or ValueError for what is no picture

        >>> verdicts = client.classify(["tests/three.png", "tests/three.png"])
        >>> verdicts.digits, verdicts.probabilities.shape, verdicts[0].is_digit
        (array([3, 3]), (2, 10), True)
        >>> client.classify(np.zeros((1000, 28, 28), np.uint8), prepare="none").digits.shape
        (1000,)
        """
        options = {"model": model, "version": version, "step": step, "prepare": prepare, "scale": scale, "full": True}
        answers = yield from self._post("classify", pictures, options, read_json, progress)
        with reading():
            return verdicts_of([result for answer in answers for result in answer["results"]], answers[0])

    def read(
        self,
        pictures: Pictures,
        *,
        expect: Literal["digits", "number", "decimal"] | None = None,
        length: int | str | None = None,
        group: bool | None = None,
        region: Sequence[int] | None = None,
        layout: Literal["auto", "line", "lines", "cells"] | None = None,
        cells: int | None = None,
        turn: Literal["auto", 0, 90, 180, 270] | None = None,
        sure: float | None = None,
        alternatives: int | None = None,
        probabilities: bool | None = None,
        model: str | None = None,
        version: str | int | None = None,
        scale: Literal[1, 255] | None = None,
        progress: Progress = False,
    ) -> Steps[list[Mapping[str, Any]]]:
        """
        Read several digits in every picture, as numbers in lines.

        length: digits of a number, as 9 or "6-10"   region: x, y, width and height in posted pixels
        sure: a digit with less confidence is not answered for; the rest as in the contract, or as in `classify`
        returns: for each picture its result, as the contract has it, with arrays for lists of numbers
        raises: as `classify`

        >>> (page,) = client.read("tests/numbers.png")
        >>> page["text"].splitlines(), [digit["digit"] for digit in page["digits"]]
        (['471', '32'], [4, 7, 1, 3, 2])
        """
        part = None if region is None else list(region)
        options = {"expect": expect, "length": length, "group": group, "region": part, "layout": layout,
                   "cells": cells, "turn": turn, "sure": sure, "alternatives": alternatives,
                   "probabilities": probabilities, "model": model, "version": version, "scale": scale}  # fmt: skip
        answers = yield from self._post("read", pictures, options, read_json, progress)
        return [with_arrays(result) for answer in answers for result in answer["results"]]

    def feature_maps(
        self,
        pictures: Pictures,
        layers: str | Sequence[str] | None = None,
        *,
        filters: Sequence[int] | None = None,
        changes: Sequence[Change] = (),
        model: str | None = None,
        version: str | int | None = None,
        step: int | None = None,
        prepare: Prepare | None = None,
        scale: Literal[1, 255] | None = None,
        progress: Progress = False,
    ) -> Steps[FeatureMaps]:
        """
        Show what every filter of the network responded to.

        layers: names of layers or maps, conv1 meaning conv1.act; every activation and pooling unless given
        filters: indices of filters; changes: edits of the network first; the rest as in `classify`
        returns: arrays of (n, filters, rows, columns) by the name of the map
        raises: as `classify`

        >>> maps = client.feature_maps("tests/three.png", layers=["conv1", "pool1"], filters=[0, 5])
        >>> {name: array.shape for name, array in maps.items()}
        {'conv1.act': (1, 2, 24, 24), 'pool1': (1, 2, 12, 12)}
        >>> int(maps.logits.argmax())
        3
        """
        named = [layers] if isinstance(layers, str) else layers
        options = {"layers": named, "filters": None if filters is None else list(map(int, filters)), "model": model,
                   "version": version, "step": step, "prepare": prepare, "scale": scale,
                   "changes": list(changes) or None, "format": "npz"}  # fmt: skip
        answers = yield from self._post("feature-maps", pictures, options, _maps_and_network, progress)
        with reading():
            maps = {name: np.concatenate([arrays[name] for arrays, _ in answers]) for name in answers[0][0]}
            return FeatureMaps(maps, maps.pop("logits"), *answers[0][1])

    def apply_filters(
        self,
        pictures: Pictures,
        filters: Filter | Sequence[Filter] | None = None,
        *,
        stride: Pair | None = None,
        dilation: Pair | None = None,
        padding: str | int | Sequence[int] | None = None,
        pad_mode: str | None = None,
        pad_value: float | None = None,
        orientation: Literal["correlation", "convolution"] | None = None,
        normalize: str | None = None,
        channels: Literal["grey", "each"] | None = None,
        activation: str | None = None,
        pool: Mapping[str, Any] | None = None,
        stages: Sequence[Mapping[str, Any]] | None = None,
        prepare: Prepare | None = None,
        scale: Literal[1, 255] | None = None,
        progress: Progress = False,
    ) -> Steps[Responses]:
        """
        Apply filters to pictures of any size.

        filters: one or several, each a name of `filters()`, an array (rows, columns) or (channels, rows, columns), or
            the members of the contract, such as {"preset": "gaussian", "sigma": 2}
        the rest: as in POST /v1/apply-filters
        returns: arrays of (n, rows, columns) by the name of the filter
        raises: as `classify`

        >>> responses = client.apply_filters("tests/three.png", ["sobel_x", np.ones((3, 3)) / 9], prepare="auto")
        >>> {name: array.shape for name, array in responses.items()}
        {'sobel_x': (1, 26, 26), 'filter_1': (1, 26, 26)}
        >>> responses.array.shape
        (1, 2, 26, 26)
        """
        options: dict[str, Any] = {
            "filters": None if filters is None else _filters(filters), "stride": stride, "dilation": dilation,
            "padding": padding, "pad_mode": pad_mode, "pad_value": pad_value, "orientation": orientation,
            "normalize": normalize, "channels": channels, "activation": activation, "pool": pool,
            "stages": None if stages is None else [_stage(stage) for stage in stages],
            "prepare": prepare, "scale": scale, "format": "npz",
        }  # fmt: skip
        answers = yield from self._post("apply-filters", pictures, options, read_npz, progress)
        with reading():
            return Responses(tuple(chain.from_iterable(map(_per_picture, answers))))

    def patches(
        self,
        pictures: Pictures,
        patch_size: Pair | None = None,
        *,
        stride: Pair | None = None,
        padding: str | int | Sequence[int] | None = None,
        pad_mode: str | None = None,
        pad_value: float | None = None,
        prepare: Prepare | None = None,
        scale: Literal[1, 255] | None = None,
        progress: Progress = False,
    ) -> Steps[list[np.ndarray]]:
        """
        Cut pictures into patches by a sliding window; 7 x 7 in strides of 2 unless told otherwise.

        returns: for each picture (count, rows, columns) float32, in reading order
        raises: as `classify`

        >>> [patches.shape for patches in client.patches("tests/three.png", 7, stride=2, prepare="auto")]
        [(121, 7, 7)]
        """
        options = {"patch_size": patch_size, "stride": stride, "padding": padding, "pad_mode": pad_mode,
                   "pad_value": pad_value, "prepare": prepare, "scale": scale, "format": "npz"}  # fmt: skip
        answers = yield from self._post("patches", pictures, options, read_npz, progress)
        with reading():
            return [arrays["patches"] for answer in answers for arrays in _per_picture(answer)]

    def explain(
        self,
        pictures: Pictures,
        method: str | None = None,
        *,
        target: int | None = None,
        rival: int | None = None,
        score: Literal["logit", "margin", "probability"] | None = None,
        baseline: float | Literal["zero", "mean", "blur"] | None = None,
        full: bool | None = None,
        layer: str | None = None,
        filter: int | None = None,  # noqa: A002  # the contract's name
        row: int | None = None,
        col: int | None = None,
        variant: Literal["gradcam", "hirescam", "cam"] | None = None,
        window: Pair | None = None,
        stride: Pair | None = None,
        masks: int | None = None,
        cells: int | None = None,
        keep: float | None = None,
        seed: int | None = None,
        changes: Sequence[Change] = (),
        model: str | None = None,
        version: str | int | None = None,
        prepare: Prepare | None = None,
        scale: Literal[1, 255] | None = None,
        progress: Progress = False,
    ) -> Steps[list[Explanation]]:
        """
        Say why the network decided as it did, for each picture.

        method: ledger unless given; which of the options it takes, the contract says, POST /v1/explain
        raises: as `classify`

        >>> (ledger,) = client.explain("tests/three.png", rival=8)
        >>> ledger["target"], ledger["shares"]["filters"].shape, ledger["shares"]["places"].shape
        (3, (10, 28), (10, 4, 4))
        >>> sums = ledger["base"] + ledger["shares"]["filters"].sum(axis=1)
        >>> np.allclose(sums, ledger["logits"], atol=1e-5)
        True
        """
        options: dict[str, Any] = {
            "method": method, "target": target, "rival": rival, "score": score, "baseline": baseline, "full": full,
            "layer": layer, "filter": filter, "row": row, "col": col, "variant": variant, "window": window,
            "stride": stride, "masks": masks, "cells": cells, "keep": keep, "seed": seed,
            "changes": list(changes) or None, "model": model, "version": version, "prepare": prepare, "scale": scale,
        }  # fmt: skip
        # One at a time: many masks for one picture are as much as a request may ask for.
        answers = yield from self._post("explain", pictures, options, read_json, progress, most=1)
        with reading():
            return [Explanation(with_arrays(result)) for answer in answers for result in answer["results"]]

    def what_if(
        self,
        pictures: Pictures,
        changes: Sequence[Change],
        *,
        model: str | None = None,
        version: str | int | None = None,
        prepare: Prepare | None = None,
        scale: Literal[1, 255] | None = None,
        progress: Progress = False,
    ) -> Steps[WhatIf]:
        """
        Edit a network, and compare its verdicts with those of the trained one.

        changes: {"layer", "filter", "action"} each, the action off, scale (with "factor") or replace (with "weights")
        raises: as `classify`

        >>> switched_off = [{"layer": "conv1", "filter": 3, "action": "off"}]
        >>> what = client.what_if("tests/three.png", switched_off)
        >>> what.before.digits, what.after.digits, what.difference.shape
        (array([3]), array([3]), (1, 10))
        """
        options = {"changes": list(changes), "model": model, "version": version, "prepare": prepare, "scale": scale,
                   "full": True}  # fmt: skip
        answers = yield from self._post("what-if", pictures, options, read_json, progress)
        with reading():
            results = [result for answer in answers for result in answer["results"]]
            before, after = (
                verdicts_of([result[name] | {"prepared": result["prepared"]} for result in results], answers[0])
                for name in ("before", "after")
            )
            return WhatIf(before, after, np.array([result.get("difference", []) for result in results], np.float32))

    # --- what there is -----------------------------------------------------------------------------------------------

    def models(self) -> Steps[list[dict[str, Any]]]:
        """
        List every version of every model.

        >>> [(model["name"], model["version"]) for model in client.models()]
        [('digits', '1'), ('lecture', '1'), ('tiny', '1')]
        """
        found = yield from self._get("/v1/models")
        with reading():
            return list(found["models"])

    def versions(self, model: str) -> Steps[list[str]]:
        """
        List the versions of a model, the oldest first.

        raises: Refused, of status 404, where there is no such model

        >>> client.versions("digits")
        ['1']
        """
        yield from self._get(f"/v1/models/{quote(model, safe='')}")
        found = yield from self.models()
        with reading():
            return [each["version"] for each in found if each["name"] == model]

    def model(self, name: str, *, version: str | int | None = None) -> Steps[dict[str, Any]]:
        """
        Describe a model: its layers, and its passport.

        >>> [layer["name"] for layer in client.model("lecture")["layers"]]
        ['conv1', 'pool1', 'head']
        """
        found = yield from self._get(f"/v1/models/{quote(name, safe='')}", version=version)
        with reading():
            return dict(found)

    def learnt_filters(
        self, layer: str, model: str, *, version: str | int | None = None, step: int | None = None
    ) -> Steps[np.ndarray]:
        """
        Give the filters that a layer has learnt: (filters, channels, rows, columns) float32.

        step: those that it had at a step of its training, of `history`

        >>> client.learnt_filters("conv1", "digits").shape
        (16, 1, 5, 5)
        >>> client.learnt_filters("conv1", "lecture", step=0).shape
        (20, 1, 7, 7)
        """
        path = f"/v1/models/{quote(model, safe='')}/layers/{quote(layer, safe='')}/filters"
        answer = yield from self._ask(Request("GET", path, _query({"version": version, "step": step, "format": "npz"})))
        with reading():
            return read_npz(answer)[f"{layer}.weight"]

    def history(self, model: str, *, version: str | int | None = None) -> Steps[list[dict[str, Any]]]:
        """
        List the kept steps of a model's training: `step`, `images` seen, `loss` and `accuracy` of each.

        >>> steps = client.history("lecture")
        >>> len(steps), steps[0]["images"], steps[-1]["accuracy"] > 0.98
        (25, 0, True)
        """
        found = yield from self._get(f"/v1/models/{quote(model, safe='')}/history", version=version)
        with reading():
            return list(found["steps"])

    def report(
        self, model: str, *, version: str | int | None = None, layer: str | None = None
    ) -> Steps[dict[str, Any]]:
        """
        Give what each filter of a model does over a whole data set.

        >>> client.report("tiny")["data"]["part"]
        'test'
        """
        path = f"/v1/models/{quote(model, safe='')}/report"
        found = yield from self._get(path, version=version, layer=layer)
        with reading():
            return dict(found)

    def filters(self) -> Steps[dict[str, np.ndarray]]:
        """
        Give the weights of the named filters, as they are without parameters.

        >>> client.filters()["diagonal_falling"].shape
        (7, 7)
        """
        found = yield from self._get("/v1/filters")
        with reading():
            return {each["name"]: np.array(each["weights"], np.float32) for each in found["filters"]}

    def filter(
        self, name: str, *, size: int | None = None, angle: float | None = None, sigma: float | None = None
    ) -> Steps[np.ndarray]:
        """
        Make a named filter of a size, angle or sigma; its weights.

        >>> client.filter("gaussian", size=9, sigma=2).shape
        (9, 9)
        """
        found = yield from self._get(f"/v1/filters/{quote(name, safe='')}", size=size, angle=angle, sigma=sigma)
        with reading():
            return np.array(found["weights"], np.float32)

    def limits(self) -> Steps[dict[str, int]]:
        """
        List every limit on a request; asked for once.

        >>> client.limits()["max_batch"]
        256
        """
        if self._limits is None:
            found = yield from self._get("/v1/limits")
            with reading():
                self._limits = {str(name): int(limit) for name, limit in found.items()}
        return dict(self._limits)

    def ready(self) -> Steps[bool]:
        """
        Whether the service is there, and its models are loaded.

        >>> client.ready()
        True
        """
        try:
            answer = yield Request("GET", "/readyz")
        except Unreachable:
            return False
        return answer.status == 200

    # --- the way there and back --------------------------------------------------------------------------------------

    def _get(self, path: str, **options: Any) -> Steps[Any]:
        answer = yield from self._ask(Request("GET", path, _query(options)))
        with reading():
            return read_json(answer)

    def _post(
        self,
        call: str,
        pictures: Pictures,
        options: Mapping[str, Any],
        read: Callable[[Received], Read],
        progress: Progress,
        most: int | None = None,
    ) -> Steps[list[Read]]:
        """
        Post pictures in as many requests as they need, at most so many in one; what was read of each answer, in order.
        """
        found, total = parts(pictures)
        fields = {
            name: json.dumps(_plain(options[name]))
            for name in STRUCTURES & options.keys()
            if _is_structure(options[name])
        }
        query = _query({name: value for name, value in options.items() if name not in fields})
        answers: list[Read] = []
        first = list(islice(found, 2))
        if not first:
            raise ValueError("a picture is wanted, none was given")
        limits = (yield from self.limits()) if len(first) > 1 and most != 1 else {}
        with told(progress, total) as tell:
            done, largest = 0, None
            for batch in _batches(chain(first, found), limits, most):
                waiting = _cut(batch, largest or len(batch))
                while waiting:
                    now = waiting.pop(0)
                    content, media_type = body(now, fields)
                    try:
                        answer = yield from self._ask(Request("POST", f"/v1/{call}", query, content, media_type))
                    except Refused as refusal:
                        if not refusal.is_too_much or len(now) == 1:
                            raise refusal.moved(done) from None
                        largest = -(-len(now) // 2)
                        waiting[:0] = _cut(now, largest)
                        continue
                    with reading():
                        answers.append(read(answer))
                    done += len(now)
                    tell(len(now))
        return answers

    def _ask(self, request: Request) -> Steps[Received]:
        """
        Send a request until it is answered, or has been sent so often that it is given up.

        Every call may be sent again: none changes anything.
        """
        pause = 0.0
        for left in range(self._retries, -1, -1):
            answer = yield Request(
                request.method, request.path, request.query, request.content, request.media_type, pause
            )
            if answer.status and answer.status < 300:
                return answer
            if answer.status not in {0, 503} or not left:
                break
            pause = _pause(answer)
        if not answer.status:
            raise Unreachable(answer.content.decode(errors="replace"))
        raise Refused.read(answer)


def _pause(answer: Received) -> float:
    try:
        # In this order, for what is no number is not larger than 0.
        return min(max(0.0, float(answer.headers.get("retry-after", 1))), LONGEST_PAUSE)
    except ValueError:  # a date
        return 1.0


def _batches(found: Iterator[Part], limits: Mapping[str, int], most: int | None) -> Iterator[list[Part]]:
    """Cut pictures into the batches of requests, by their number and their bytes."""
    most = most or min(limits.get("max_batch", 1), max(limits.get("max_parts", 1) - len(STRUCTURES), 1))
    room = ROOM * limits.get("max_body_bytes", 0)
    batch: list[Part] = []
    taken = 0
    for part in found:
        if batch and (len(batch) == most or taken + size(part) > room):
            yield batch
            batch, taken = [], 0
        batch.append(part)
        taken += size(part)
    yield batch


def _cut(batch: Sequence[Part], largest: int) -> list[Sequence[Part]]:
    return [batch[start : start + largest] for start in range(0, len(batch), largest)]


def _query(options: Mapping[str, Any]) -> dict[str, str]:
    return {name: _text(_plain(value)) for name, value in options.items() if value is not None}


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, list):
        return ",".join(map(_text, value))
    return json.dumps(value) if isinstance(value, dict) else str(value)


def _plain(value: Any) -> Any:
    """Make what JSON has of NumPy's values."""
    if isinstance(value, np.ndarray | np.generic):
        return value.tolist()
    if isinstance(value, Mapping):
        return {name: _plain(inner) for name, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(inner) for inner in value]
    return value


def _is_structure(value: Any) -> bool:
    """Whether an option does not fit a query; the indices of filters do."""
    return isinstance(value, Mapping) or (
        isinstance(value, Sequence) and any(isinstance(each, Mapping) for each in value)
    )


def _filters(filters: Filter | Sequence[Filter]) -> list[Mapping[str, Any]]:
    several = [filters] if isinstance(filters, str | np.ndarray | Mapping) else filters
    return [_filter(each) for each in several]


def _stage(given: Mapping[str, Any]) -> Mapping[str, Any]:
    return {**given, "filters": _filters(given["filters"])} if given.get("filters") else given


def _filter(given: Filter) -> Mapping[str, Any]:
    if isinstance(given, str):
        return {"preset": given}
    return given if isinstance(given, Mapping) else {"weights": given}


def _maps_and_network(answer: Received) -> tuple[dict[str, np.ndarray], tuple[str, str, str]]:
    return read_npz(answer), network_of(answer)


def _per_picture(arrays: Mapping[str, np.ndarray]) -> list[dict[str, np.ndarray]]:
    """Sort arrays that are named `<place of the picture>/<name>`, and leave others, as the contract may add some."""
    found: dict[int, dict[str, np.ndarray]] = {}
    for name, array in arrays.items():
        place, _, own = name.partition("/")
        if place.isdecimal() and own:
            found.setdefault(int(place), {})[own] = array
    return [found[place] for place in sorted(found)]
