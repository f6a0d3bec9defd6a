"""
Filters, activation, pooling, filters again: the steps of POST /v1/apply-filters, each reading the last one's maps.

A call without `stages` is a chain of one step.
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
    Kernel,
    Plan,
    check_filters_fit,
    check_finite_response,
    finish,
    plan_filters,
    pool_places,
    read_kernels,
    respond,
)
from service.lab.options import ApplyFiltersOptions, Stage
from service.lab.picture import Picture
from service.network.bank import is_direct
from service.network.passport import Field
from service.network.sessions import Library
from service.settings import Limits

MAX_STAGES = 16
# What a step may hand on; channels=each multiplies them.
MAX_MAPS = 4096
# What a stage gives in place of ApplyFiltersOptions, which then must leave it at its default.
OF_A_STAGE = Stage.__struct_fields__


@dataclass(frozen=True, slots=True)
class Step:
    """One step of a chain: what was asked for, its filters ready to use, and where it stands in the request."""

    stage: Stage
    kernels: list[Kernel]
    pointer: str


@dataclass(frozen=True, slots=True)
class PlannedStep:
    """
    What one step will do to one picture, known before it is done.

    plans: one per filter, none for a step without; pooled: where such a step's pooling stops
    in_shape: (channels, height, width)   shapes: of each answer
    """

    step: Step
    plans: list[Plan]
    pooled: Geometry | None
    in_shape: tuple[int, int, int]
    shapes: list[tuple[int, ...]]

    @property
    def out_shape(self) -> tuple[int, int, int]:
        """(maps, rows, columns) of the answers as the next step reads them."""
        rows, columns = self.shapes[0][-2:]
        return sum(shape[0] if len(shape) == 3 else 1 for shape in self.shapes), rows, columns

    @property
    def multiply_adds(self) -> int:
        """Multiplications, each with its addition."""
        return sum(plan.multiply_adds for plan in self.plans)

    @property
    def parameters(self) -> int:
        """Weights and biases."""
        return sum(kernel.weights.size + 1 for kernel in self.step.kernels)

    @property
    def numbers(self) -> int:
        """Numbers before the pooling, of which there are most."""
        return sum(plan.maps_out * plan.places.count for plan in self.plans) or int(np.prod(self.in_shape))


@dataclass(frozen=True, slots=True)
class Chain:
    """One picture, (channels, height, width), what was done to it first, and all that will be done to it."""

    image: np.ndarray
    prepared: PreparedDigit | None
    steps: list[PlannedStep]


def read_steps(options: ApplyFiltersOptions, library: Library, limits: Limits) -> list[Step]:
    """
    Make every step of a request ready.

    raises: InvalidOption, InvalidKernel or NotFound, pointing at the step and filter
    """
    if not options.stages:
        own = Stage(**{name: getattr(options, name) for name in OF_A_STAGE})
        activation(own.activation)
        return [Step(own, read_kernels(own, library, limits), "")]
    defaults = Stage()
    for name in OF_A_STAGE:
        if getattr(options, name) != getattr(defaults, name):
            raise InvalidOption(f"with stages, {name} is given in each stage, got one beside them", f"/{name}")
    if len(options.stages) > MAX_STAGES:
        raise InvalidOption(f"stages is a list of 1 to {MAX_STAGES}, got {len(options.stages)}", "/stages")
    steps = []
    for index, stage in enumerate(options.stages):
        pointer = f"/stages/{index}"
        with _pointing_at(pointer):
            activation(stage.activation)
            kernels = read_kernels(stage, library, limits) if stage.filters else []
        steps.append(Step(stage, kernels, pointer))
    return steps


def plan_chain(picture: Picture, steps: Sequence[Step], options: ApplyFiltersOptions, limits: Limits) -> Chain:
    """
    Work out what a chain will do to a picture.

    raises: InvalidKernel or InvalidOption where a filter or a pooling does not fit
    """
    prices.charge("filter", sum(prices.STEP + len(step.kernels) * prices.PLAN for step in steps))
    digit = picture.prepared() if options.prepare == "auto" else None
    image = to_channels(picture.pixels if digit is None else digit.image)
    planned: list[PlannedStep] = []
    channels, height, width = image.shape
    for index, step in enumerate(steps):
        with _pointing_at(step.pointer):
            found = _plan_step(step, (channels, height, width), is_first=index == 0, limits=limits)
            if step is not steps[-1] and len({shape[-2:] for shape in found.shapes}) > 1:
                raise InvalidOption("the maps that the next step reads must be of one size", "/filters")
            if found.out_shape[0] > MAX_MAPS:
                raise InvalidOption(f"a step may give {MAX_MAPS} maps, this gives {found.out_shape[0]}", "/filters")
        planned.append(found)
        channels, height, width = found.out_shape
    return Chain(image, digit, planned)


def _plan_step(step: Step, shape: tuple[int, int, int], *, is_first: bool, limits: Limits) -> PlannedStep:
    stage = step.stage
    if not step.kernels:
        pooled = pool_places(stage.pool, shape[1:]) if stage.pool else None
        answers = [pooled.patches if pooled else shape[1:]] * shape[0]
        return PlannedStep(step, [], pooled, shape, list(answers))
    check_filters_fit(step.kernels, shape[0], is_first=is_first, channels=stage.channels)
    plans = plan_filters(shape, step.kernels, stage, limits)
    shapes: list[tuple[int, ...]] = []
    for kernel, plan in zip(step.kernels, plans, strict=True):
        places = (plan.pooled or plan.places).patches
        is_each = stage.channels == "each" and kernel.weights.ndim == 2
        shapes.append((shape[0], *places) if is_each else places)
    return PlannedStep(step, plans, None, shape, shapes)


def check_size(chains: Sequence[Chain], form: str, limits: Limits) -> None:
    """Refuse, before the work, a request over the limits on work or on the size of its answer."""
    every = [step for chain in chains for step in chain.steps]
    work = sum(step.multiply_adds for step in every)
    if work > limits.max_multiply_adds:
        raise InvalidOption(
            f"a request may need {limits.max_multiply_adds} multiply-adds, this needs {work}", "/filters"
        )
    if form == "json":
        sizes.check_numbers(sum(_numbers_in_json(chain) for chain in chains), limits)
    sizes.check_bytes(4 * sum(step.numbers for step in every), limits)
    for chain in chains:
        _charge_chain(chain)


def _numbers_in_json(chain: Chain) -> int:
    """Numbers in the answer for one picture: the responses, and the weights that made them."""
    last = chain.steps[-1]
    return sum(math.prod(shape) for shape in last.shapes) + sum(kernel.weights.size for kernel in last.step.kernels)


def _charge_chain(chain: Chain) -> None:
    """Charge all steps of one picture; held are the picture, its answers, and what is between two steps."""
    answers = 4 * sum(math.prod(shape) for shape in chain.steps[-1].shapes)
    between = 4 * max(planned.numbers for planned in chain.steps)
    prices.charge("filter", 0.0, 4 * chain.image.size + answers + between)
    for planned in chain.steps:
        stage = planned.step.stage
        work = sum(_price_of_bank(planned, bank) for bank in _banks(planned))
        of_cells = planned.numbers * (prices.CELL if stage.activation == "linear" else prices.ACTIVATED_CELL)
        prices.charge("filter", work + of_cells + planned.out_shape[0] * prices.MAP)
        if stage.pool is not None:
            places = [plan.pooled for plan in planned.plans] or [planned.pooled]
            cells = planned.numbers / len(places)
            for pooled in places:
                if pooled is not None:
                    prices.charge("pool", prices.pooling(stage.pool.kind, cells, pooled.kernel, pooled.stride))


def _banks(planned: PlannedStep) -> list[list[Plan]]:
    """The plans of kernels of one shape, which run together."""
    banks: dict[tuple[int, ...], list[Plan]] = {}
    for kernel, plan in zip(planned.step.kernels, planned.plans, strict=True):
        banks.setdefault(kernel.weights.shape, []).append(plan)
    return list(banks.values())


def _price_of_bank(planned: PlannedStep, bank: Sequence[Plan]) -> float:
    """Run kernels of one shape, once or on every map."""
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
    """The answers of the last step, (rows, columns) each, or (channels, rows, columns) with channels=each."""
    maps = chain.image
    answers: list[np.ndarray] = []
    for planned in chain.steps:
        step = planned.step
        prices.go_on()
        with _pointing_at(step.pointer):
            if step.kernels:
                answers = respond(maps, step.kernels, planned.plans, step.stage)
            else:
                # What overflows is refused below, in words.
                with np.errstate(over="ignore", invalid="ignore"):
                    answers = list(finish(maps, step.stage))
                check_finite_response(answers)
        if planned is not chain.steps[-1]:
            maps = np.concatenate([answer.reshape(-1, *answer.shape[-2:]) for answer in answers])
    return answers


def names_of(chain: Chain) -> list[str]:
    """What the answers are called: after the last filters they passed."""
    channels = len(chain.image)
    names = ["image"] if channels == 1 else [f"channel_{i}" for i in range(channels)]
    for planned in chain.steps:
        if not planned.step.kernels:
            continue
        names = []
        for kernel, shape in zip(planned.step.kernels, planned.shapes, strict=True):
            is_last = planned is chain.steps[-1] or len(shape) == 2
            names += [kernel.name] if is_last else [f"{kernel.name}_{i}" for i in range(shape[0])]
    return names


def receptive_field(planned: Sequence[PlannedStep]) -> tuple[Field, Field]:
    """
    The pixels that one cell of the last of these steps can see, down and across.

    Filters of several sizes in one step see what the widest of them do; see network.passport.receptive_fields().
    """
    found = (Field(1, 1, 0), Field(1, 1, 0))
    for step in planned:
        for places in (_places_of_filters(step), [plan.pooled for plan in step.plans[:1]] or [step.pooled]):
            stops = [each for each in places if each is not None]
            if stops:
                found = (_widened(found[0], stops, 0), _widened(found[1], stops, 1))
    return found


def _places_of_filters(step: PlannedStep) -> list[Geometry | None]:
    return [plan.places for plan in step.plans]


def _widened(before: Field, stops: Sequence[Geometry], axis: int) -> Field:
    first = min(-each.pads[axis] for each in stops)
    last = max(each.reach[axis] - each.pads[axis] for each in stops)
    size = before.size + (last - first - 1) * before.jump
    return Field(size, before.jump * stops[0].stride[axis], before.start + first * before.jump)


@contextmanager
def _pointing_at(pointer: str) -> Iterator[None]:
    """Say in which step a refusal arose."""
    try:
        yield
    except ServiceError as error:
        if not pointer:
            raise
        number = pointer.rpartition("/")[2]
        raise type(error)(f"stage {number}: {error.detail}", f"{pointer}{error.pointer}") from error
