"""
Filters, activation, pooling, filters again: the stages of POST /v1/apply-filters, each reading the last one's maps.

A call without `stages` is a chain of one stage.
"""

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np

from service.core.colour import to_channels
from service.core.convolution import Geometry, activation
from service.core.digit import PreparedDigit
from service.core.errors import InvalidOption, ServiceError
from service.lab import prices, sizes
from service.lab.filters import (
    Plan,
    ReadyFilter,
    check_filters_fit,
    check_finite_response,
    finish,
    plan_filters,
    pool_places,
    read_filters,
    respond,
)
from service.lab.options import ApplyFiltersOptions, Stage
from service.lab.picture import Picture
from service.network.bank import is_direct
from service.network.passport import Field
from service.network.sessions import Library
from service.settings import Limits

MAX_STAGES = 16
# What a stage may hand on; channels=each multiplies them.
MAX_MAPS = 4096
# What a stage gives in place of ApplyFiltersOptions, which then must leave it at its default.
OF_A_STAGE = Stage.__struct_fields__


@dataclass(frozen=True, slots=True)
class ReadyStage:
    """One stage of a chain: what was asked for, its filters ready to use, and where it stands in the request."""

    asked: Stage
    filters: list[ReadyFilter]
    pointer: str


@dataclass(frozen=True, slots=True)
class PlannedStage:
    """
    What one stage will do to one picture, known before it is done.

    plans: one per filter, none for a stage without; pooled: where such a stage's pooling stops
    in_shape: (channels, height, width)   shapes: of each answer
    """

    ready: ReadyStage
    plans: list[Plan]
    pooled: Geometry | None
    in_shape: tuple[int, int, int]
    shapes: list[tuple[int, ...]]

    @property
    def out_shape(self) -> tuple[int, int, int]:
        """(maps, rows, columns) of the answers as the next stage reads them."""
        rows, columns = self.shapes[0][-2:]
        return sum(shape[0] if len(shape) == 3 else 1 for shape in self.shapes), rows, columns

    @property
    def multiply_adds(self) -> int:
        """Multiplications, each with its addition."""
        return sum(plan.multiply_adds for plan in self.plans)

    @property
    def parameters(self) -> int:
        """Weights and biases."""
        return sum(each.weights.size + 1 for each in self.ready.filters)

    @property
    def numbers(self) -> int:
        """Numbers before the pooling, of which there are most."""
        return sum(plan.maps_out * plan.places.count for plan in self.plans) or int(np.prod(self.in_shape))


@dataclass(frozen=True, slots=True)
class Chain:
    """One picture, (channels, height, width), what was done to it first, and all that will be done to it."""

    image: np.ndarray
    prepared: PreparedDigit | None
    stages: list[PlannedStage]


def read_stages(options: ApplyFiltersOptions, library: Library, limits: Limits) -> list[ReadyStage]:
    """
    Make every stage of a request ready.

    raises: InvalidOption, InvalidKernel or NotFound, pointing at the stage and filter
    """
    if not options.stages:
        own = Stage(**{name: getattr(options, name) for name in OF_A_STAGE})
        activation(own.activation)
        return [ReadyStage(own, read_filters(own, library, limits), "")]
    defaults = Stage()
    for name in OF_A_STAGE:
        if getattr(options, name) != getattr(defaults, name):
            raise InvalidOption(f"with stages, {name} is given in each stage, got one beside them", f"/{name}")
    if len(options.stages) > MAX_STAGES:
        raise InvalidOption(f"stages is a list of 1 to {MAX_STAGES}, got {len(options.stages)}", "/stages")
    ready = []
    for index, stage in enumerate(options.stages):
        pointer = f"/stages/{index}"
        with _pointing_at(pointer):
            activation(stage.activation)
            filters = read_filters(stage, library, limits) if stage.filters else []
        ready.append(ReadyStage(stage, filters, pointer))
    return ready


def plan_chain(picture: Picture, stages: Sequence[ReadyStage], options: ApplyFiltersOptions, limits: Limits) -> Chain:
    """
    Work out what a chain will do to a picture.

    raises: InvalidKernel or InvalidOption where a filter or a pooling does not fit
    """
    prices.charge("filter", sum(prices.STEP + len(stage.filters) * prices.PLAN for stage in stages))
    digit = picture.prepared() if options.prepare == "auto" else None
    image = to_channels(picture.pixels if digit is None else digit.image)
    planned: list[PlannedStage] = []
    channels, height, width = image.shape
    for index, stage in enumerate(stages):
        with _pointing_at(stage.pointer):
            found = _plan_stage(stage, (channels, height, width), is_first=index == 0, limits=limits)
            if stage is not stages[-1] and len({shape[-2:] for shape in found.shapes}) > 1:
                raise InvalidOption("the maps that the next step reads must be of one size", "/filters")
            if found.out_shape[0] > MAX_MAPS:
                raise InvalidOption(f"a step may give {MAX_MAPS} maps, this gives {found.out_shape[0]}", "/filters")
        planned.append(found)
        channels, height, width = found.out_shape
    return Chain(image, digit, planned)


def _plan_stage(ready: ReadyStage, shape: tuple[int, int, int], *, is_first: bool, limits: Limits) -> PlannedStage:
    asked = ready.asked
    if not ready.filters:
        pooled = pool_places(asked.pool, shape[1:]) if asked.pool else None
        answers = [pooled.patches if pooled else shape[1:]] * shape[0]
        return PlannedStage(ready, [], pooled, shape, list(answers))
    check_filters_fit(ready.filters, shape[0], is_first=is_first, channels=asked.channels)
    plans = plan_filters(shape, ready.filters, asked, limits)
    shapes: list[tuple[int, ...]] = []
    for each, plan in zip(ready.filters, plans, strict=True):
        places = (plan.pooled or plan.places).patches
        is_each = asked.channels == "each" and each.weights.ndim == 2
        shapes.append((shape[0], *places) if is_each else places)
    return PlannedStage(ready, plans, None, shape, shapes)


def check_size(chains: Sequence[Chain], form: str, limits: Limits) -> None:
    """Refuse, before the work, a request over the limits on work or on the size of its answer."""
    every = [stage for chain in chains for stage in chain.stages]
    work = sum(stage.multiply_adds for stage in every)
    if work > limits.max_multiply_adds:
        raise InvalidOption(
            f"a request may need {limits.max_multiply_adds} multiply-adds, this needs {work}", "/filters"
        )
    if form == "json":
        sizes.check_numbers(sum(_numbers_in_json(chain) for chain in chains), limits)
    sizes.check_bytes(4 * sum(stage.numbers for stage in every), limits)
    for chain in chains:
        _charge_chain(chain)


def _numbers_in_json(chain: Chain) -> int:
    """Numbers in the answer for one picture: the responses, and the weights that made them."""
    last = chain.stages[-1]
    return sum(math.prod(shape) for shape in last.shapes) + sum(each.weights.size for each in last.ready.filters)


def _charge_chain(chain: Chain) -> None:
    """Charge all stages of one picture; held are the picture, its answers, and what is between two stages."""
    answers = 4 * sum(math.prod(shape) for shape in chain.stages[-1].shapes)
    between = 4 * max(planned.numbers for planned in chain.stages)
    prices.charge("filter", 0.0, 4 * chain.image.size + answers + between)
    for planned in chain.stages:
        asked = planned.ready.asked
        work = sum(_price_of_bank(planned, bank) for bank in _banks(planned))
        of_cells = planned.numbers * (prices.CELL if asked.activation == "linear" else prices.ACTIVATED_CELL)
        prices.charge("filter", work + of_cells + planned.out_shape[0] * prices.MAP)
        if asked.pool is not None:
            places = [plan.pooled for plan in planned.plans] or [planned.pooled]
            cells = planned.numbers / len(places)
            for pooled in places:
                if pooled is not None:
                    prices.charge("pool", prices.pooling(asked.pool.kind, cells, pooled.kernel, pooled.stride))


def _banks(planned: PlannedStage) -> list[list[Plan]]:
    """The plans of filters of one shape, which run together."""
    banks: dict[tuple[int, ...], list[Plan]] = {}
    for each, plan in zip(planned.ready.filters, planned.plans, strict=True):
        banks.setdefault(each.weights.shape, []).append(plan)
    return list(banks.values())


def _price_of_bank(planned: PlannedStage, bank: Sequence[Plan]) -> float:
    """Run filters of one shape, once or on every map."""
    plan, calls = bank[0], bank[0].maps_out
    multiply_adds = sum(each.multiply_adds for each in bank)
    unit = prices.MULTIPLY_ADD
    work = calls * prices.BANK
    if is_direct(plan.places, len(bank), plan.channels_in):
        unit = prices.DIRECT_MULTIPLY_ADD
    else:
        work += calls * len(bank) * plan.channels_in * prices.BUILT_IN
    if max(plan.places.dilation) > 1:
        unit *= prices.DILATED
    read = calls * plan.channels_in * math.prod(planned.in_shape[1:])
    return work + multiply_adds * unit + read * prices.CELL


def run_chain(chain: Chain) -> list[np.ndarray]:
    """The answers of the last stage, (rows, columns) each, or (channels, rows, columns) with channels=each."""
    maps = chain.image
    answers: list[np.ndarray] = []
    for planned in chain.stages:
        ready = planned.ready
        prices.go_on()
        with _pointing_at(ready.pointer):
            if ready.filters:
                answers = respond(maps, ready.filters, planned.plans, ready.asked)
            else:
                # What overflows is refused below, in words.
                with np.errstate(over="ignore", invalid="ignore"):
                    answers = list(finish(maps, ready.asked))
                check_finite_response(answers)
        if planned is not chain.stages[-1]:
            maps = np.concatenate([answer.reshape(-1, *answer.shape[-2:]) for answer in answers])
    return answers


def names_of(chain: Chain) -> list[str]:
    """What the answers are called: after the last filters they passed."""
    channels = len(chain.image)
    names = ["image"] if channels == 1 else [f"channel_{i}" for i in range(channels)]
    for planned in chain.stages:
        if not planned.ready.filters:
            continue
        names = []
        for each, shape in zip(planned.ready.filters, planned.shapes, strict=True):
            is_last = planned is chain.stages[-1] or len(shape) == 2
            names += [each.name] if is_last else [f"{each.name}_{i}" for i in range(shape[0])]
    return names


def receptive_field(planned: Sequence[PlannedStage]) -> tuple[Field, Field]:
    """
    The pixels that one cell of the last of these stages can see, down and across.

    Filters of several sizes in one stage see what the widest of them do; see network.passport.receptive_fields().
    """
    found = (Field(1, 1, 0), Field(1, 1, 0))
    for stage in planned:
        for places in (_places_of_filters(stage), [plan.pooled for plan in stage.plans[:1]] or [stage.pooled]):
            stops = [each for each in places if each is not None]
            if stops:
                found = (_widened(found[0], stops, 0), _widened(found[1], stops, 1))
    return found


def _places_of_filters(stage: PlannedStage) -> list[Geometry | None]:
    return [plan.places for plan in stage.plans]


def _widened(before: Field, stops: Sequence[Geometry], axis: int) -> Field:
    first = min(-each.pads[axis] for each in stops)
    last = max(each.reach[axis] - each.pads[axis] for each in stops)
    size = before.size + (last - first - 1) * before.jump
    return Field(size, before.jump * stops[0].stride[axis], before.start + first * before.jump)


@contextmanager
def _pointing_at(pointer: str) -> Iterator[None]:
    """Say in which stage a refusal arose."""
    try:
        yield
    except ServiceError as error:
        if not pointer:
            raise
        number = pointer.rpartition("/")[2]
        raise type(error)(f"stage {number}: {error.detail}", f"{pointer}{error.pointer}") from error
