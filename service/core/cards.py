"""
The filter card: what can be said of a filter before it has seen a picture.

Every figure is a closed formula of the weights, except for the Gabor fit, which is a search. Directions are in degrees
from the x axis, clockwise on the screen because y points down: a backslash lies at 45.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from service.core.errors import InvalidKernel

SPECTRUM_SIZE = 64  # frequencies per axis; no kernel of the service is larger
ROUNDING = 1e-6  # of a sum of float32 weights, against the sum of their sizes

Floats = NDArray[Any]  # float64


@dataclass(frozen=True, slots=True)
class Symmetry:
    """
    How a filter looks in a mirror: 1 the same, -1 its negative, and in between the correlation of the two.

    horizontal: left and right exchanged; vertical: top and bottom; point: both, a turn by 180 degrees;
    diagonal: rows and columns, for a square filter.
    """

    horizontal: float
    vertical: float
    point: float
    diagonal: float | None


@dataclass(frozen=True, slots=True)
class Orientation:
    """
    The direction along which a filter's edge or line runs, from 0 to 180 degrees, and how strictly.

    coherence: 0 when it answers to all directions alike, 1 when to a single one.
    """

    angle: float
    coherence: float


@dataclass(frozen=True, slots=True)
class Gabor:
    """
    The wave under a bell curve that is most like a filter.

        amplitude * exp(-(a^2 + (gamma * b)^2) / (2 sigma^2)) * cos(2 pi a / wavelength + psi)

    with a the place along theta and b across it, in cells from the middle. theta: the direction the wave runs in, at
    right angles to its stripes, 0 to 180 degrees; psi in degrees; r_squared: the share of the sum of squared weights
    that it explains.
    """

    theta: float
    wavelength: float
    sigma: float
    gamma: float
    psi: float
    amplitude: float
    r_squared: float


@dataclass(frozen=True, slots=True)
class FilterCard:
    """
    One filter, described.

    positive_sum, negative_sum: of the weights of that sign; l1, l2: their norms; zero_sum: whether they cancel out.
    output_range: least and greatest answer, bias included, to a picture within 0..1; both are attained.
    dc_gain: the answer to an even picture of 1, without the bias.
    rank, separability, factors: how near it is to one column times one row; separability is the share of its squared
    weights that `factors` (column, row) reproduce, 1 for a separable filter.
    orientation: None where no direction stands out at all.
    mean_frequency: of its power spectrum, in cycles per cell, 0.5 being the finest stripes.
    label: low-pass, edge, line, blob or mixed; see label_of().
    channels: a card each, for a filter of several; then rank, separability, factors and gabor stand there alone.
    """

    shape: tuple[int, ...]
    sum: float
    positive_sum: float
    negative_sum: float
    l1: float
    l2: float
    min: float
    max: float
    zero_sum: bool
    output_range: tuple[float, float]
    dc_gain: float
    symmetry: Symmetry | None
    rank: int | None
    separability: float | None
    factors: tuple[list[float], list[float]] | None
    orientation: Orientation | None
    mean_frequency: float | None
    gabor: Gabor | None
    label: str
    channels: tuple["FilterCard", ...] = ()


def filter_card(weights: ArrayLike, bias: float = 0.0) -> FilterCard:
    """
    Describe a filter.

    weights: (rows, columns) or (channels, rows, columns), each side at most 64

    Raises InvalidKernel for another shape.

    >>> card = filter_card([[-1, 0, 1], [-2, 0, 2], [-1, 0, 1]])
    >>> card.output_range, card.rank, card.orientation.angle, card.label
    ((-4.0, 4.0), 1, 90.0, 'edge')
    """
    planes = _as_planes(weights)
    gabors = fit_gabors(planes)
    if len(planes) == 1:
        return _describe(planes, bias, np.shape(weights), gabors[0])
    channels = tuple(
        _describe(plane[None], 0.0, plane.shape, gabor) for plane, gabor in zip(planes, gabors, strict=True)
    )
    return _describe(planes, bias, planes.shape, None, channels)


def spectrum(weights: ArrayLike) -> NDArray[np.float64]:
    """
    The gain of a filter at every frequency: how it enlarges or dampens stripes of each direction and width.

    returns: (64, 64), no stripes in the middle at (32, 32), frequency growing by 1/64 cycle per cell; channels are
    added as powers.

    >>> float(spectrum([[1, 1]])[32, 32]), round(float(spectrum([[1, 1]])[32, 0]), 9)
    (2.0, 0.0)
    """
    return np.sqrt(_power(_as_planes(weights)))


def label_of(dc_share: float, mean_frequency: float, coherence: float, point_symmetry: float) -> str:
    """
    Name a filter by rule.

    dc_share, |sum| / l1, is at least a half: "low-pass" if the mean frequency is below 0.3 cycles per cell, otherwise
    "mixed", as is the filter that passes everything, at 0.38. It is less: "edge" or "line" if a direction stands out
    (coherence 0.2 or more), an edge being one that changes its sign when turned by 180 degrees; without a direction
    "blob" if it looks much the same when turned, otherwise "mixed".

    >>> label_of(0.0, 0.2, 0.5, -1.0), label_of(0.0, 0.2, 0.5, 1.0), label_of(1.0, 0.1, 0.0, 1.0)
    ('edge', 'line', 'low-pass')
    """
    if dc_share >= 0.5:
        return "low-pass" if mean_frequency < 0.3 else "mixed"
    if coherence >= 0.2:
        return "edge" if point_symmetry < 0 else "line"
    return "blob" if point_symmetry >= 0.5 else "mixed"


def _describe(
    planes: Floats, bias: float, shape: tuple[int, ...], gabor: Gabor | None, channels: tuple[FilterCard, ...] = ()
) -> FilterCard:
    """Fill in the card of planes (C, rows, columns)."""
    total, size = float(planes.sum()), float(np.abs(planes).sum())
    positive, negative = float(planes[planes > 0].sum()), float(planes[planes < 0].sum())
    is_empty = size == 0
    symmetry = None if is_empty else _symmetry(planes)
    mean_frequency = None if is_empty else _mean_frequency(planes)
    orientation = None if is_empty else _orientation(planes)
    label = "mixed"
    if symmetry is not None and mean_frequency is not None:
        coherence = orientation.coherence if orientation else 0.0
        label = label_of(abs(total) / size, mean_frequency, coherence, symmetry.point)
    rank, separability, factors = (None, None, None) if channels or is_empty else _separate(planes[0])
    return FilterCard(
        shape=tuple(shape),
        sum=total,
        positive_sum=positive,
        negative_sum=negative,
        l1=size,
        l2=float(np.sqrt(np.square(planes).sum())),
        min=float(planes.min()),
        max=float(planes.max()),
        zero_sum=abs(total) <= ROUNDING * size,
        output_range=(bias + negative, bias + positive),
        dc_gain=total,
        symmetry=symmetry,
        rank=rank,
        separability=separability,
        factors=factors,
        orientation=orientation,
        mean_frequency=mean_frequency,
        gabor=gabor,
        label=label,
        channels=channels,
    )


def _as_planes(weights: ArrayLike) -> Floats:
    planes = np.array(weights, np.float64)
    if planes.ndim not in {2, 3} or planes.size == 0 or max(planes.shape[-2:]) > SPECTRUM_SIZE:
        side = SPECTRUM_SIZE
        raise InvalidKernel(f"a card is made of (channels,) rows, columns up to {side} x {side}, got {planes.shape}")
    return planes if planes.ndim == 3 else planes[None]


def _symmetry(planes: Floats) -> Symmetry:
    power = np.square(planes).sum()
    is_square = planes.shape[1] == planes.shape[2]
    return Symmetry(
        horizontal=float((planes * planes[:, :, ::-1]).sum() / power),
        vertical=float((planes * planes[:, ::-1]).sum() / power),
        point=float((planes * planes[:, ::-1, ::-1]).sum() / power),
        diagonal=float((planes * planes.swapaxes(1, 2)).sum() / power) if is_square else None,
    )


def _separate(plane: Floats) -> tuple[int, float, tuple[list[float], list[float]]]:
    """Find the column and the row whose product comes nearest (Eckart, Young 1936)."""
    columns, strengths, rows = np.linalg.svd(plane, full_matrices=False)
    column, row = columns[:, 0] * math.sqrt(strengths[0]), rows[0] * math.sqrt(strengths[0])
    if column[np.abs(column).argmax()] < 0:  # the sign is free: let the column's largest be positive
        column, row = -column, -row
    rank = int((strengths > ROUNDING * strengths[0]).sum())
    separability = float(strengths[0] ** 2 / np.square(strengths).sum())
    return rank, separability, (column.tolist(), row.tolist())


# --- the spectrum ----------------------------------------------------------------------------------------------------


def _power(planes: Floats) -> Floats:
    """The power of all channels together at every frequency, none in the middle."""
    transformed = np.fft.fft2(planes, (SPECTRUM_SIZE, SPECTRUM_SIZE))
    power = (transformed.real**2 + transformed.imag**2).sum(axis=0)
    return np.fft.fftshift(power)


def _frequencies() -> tuple[Floats, Floats]:
    """Cycles per cell, across (1, 64) and down (64, 1)."""
    steps = np.fft.fftshift(np.fft.fftfreq(SPECTRUM_SIZE))
    return steps[None, :], steps[:, None]


def _mean_frequency(planes: Floats) -> float:
    across, down = _frequencies()
    power = _power(planes)
    return float((power * np.hypot(across, down)).sum() / power.sum())


def _orientation(planes: Floats) -> Orientation | None:
    """
    Average the directions of the spectrum, doubled so that opposite ones add up, weighted by their power.

    That is the direction in which brightness changes; an edge or a line runs at right angles to it.
    """
    across, down = _frequencies()
    power = _power(planes)
    power[SPECTRUM_SIZE // 2, SPECTRUM_SIZE // 2] = 0  # an even picture has no direction,
    power[0], power[:, 0] = 0, 0  # and the finest stripes have two: on a grid of cells they are their own mirror image
    if power.sum() <= ROUNDING**2 * np.square(planes).sum():
        return None
    mean = (power * np.exp(2j * np.arctan2(down, across))).sum() / power.sum()
    if abs(mean) < ROUNDING:
        return None
    normal = math.degrees(np.angle(mean)) / 2
    return Orientation(angle=round(normal + 90, 6) % 180, coherence=float(abs(mean)))


# --- the Gabor fit ---------------------------------------------------------------------------------------------------

# A Gabor has six numbers. Two of them, amplitude and phase, follow from the other four by least squares; those four,
# (theta, log wavelength, log sigma, log gamma), are looked for on a grid and then refined.
_STARTS = 3  # best places of the grid to refine
_STEPS = 20  # of Levenberg and Marquardt's method; most have arrived after 10
_GRID_CELLS = 400  # of a larger filter, enough to choose where to start
_RIDGE = 1e-9 * np.eye(2)  # keeps the least squares solvable where a wave has no sine on its few cells


def fit_gabors(planes: ArrayLike) -> list[Gabor | None]:
    """
    Find the Gabor function nearest to each of several filters of one size.

    planes: (count, rows, columns)
    returns: one each, or None for a filter of zeros or of no more cells than a Gabor has parameters
    """
    planes = np.asarray(planes, np.float64)
    count, rows, columns = planes.shape
    if rows * columns <= 6:
        return [None] * count
    x, y = np.arange(columns) - (columns - 1) / 2, np.arange(rows) - (rows - 1) / 2
    cells = np.tile(x, rows), y.repeat(columns)
    targets = planes.reshape(count, -1)  # (count, cells)
    lowest, highest = _bounds(max(rows, columns))

    starts = _best_of_grid(targets, cells, lowest, highest)  # (count, _STARTS, 4)
    repeated = targets.repeat(_STARTS, axis=0)
    refined, errors = _refine(repeated, starts.reshape(-1, 4), cells, lowest, highest)
    best = errors.reshape(count, _STARTS).argmin(axis=1)
    chosen = refined.reshape(count, _STARTS, 4)[np.arange(count), best]
    coefficients, residuals = _project(targets, chosen, cells)
    return [
        _gabor(*numbers) if np.any(numbers[0]) else None
        for numbers in zip(targets, chosen, coefficients, residuals, strict=True)
    ]


def _gabor(target: Floats, place: Floats, coefficients: Floats, residual: Floats) -> Gabor:
    wavelength, sigma, gamma = np.exp(place[1:])
    cosine, sine = coefficients  # amplitude * cos(psi), -amplitude * sin(psi)
    half_turns, theta = divmod(round(math.degrees(place[0]), 6), 180)
    psi = math.degrees(math.atan2(-sine, cosine))
    return Gabor(
        theta=theta,
        wavelength=float(wavelength),
        sigma=float(sigma),
        gamma=float(gamma),
        psi=-psi if half_turns % 2 else psi,  # looked at from its other end a wave runs backwards
        amplitude=float(math.hypot(cosine, sine)),
        r_squared=float(1 - np.square(residual).sum() / np.square(target).sum()),
    )


def _bounds(side: int) -> tuple[Floats, Floats]:
    """Least and greatest of the four: beyond, neither waves nor bells can be told apart on so few cells."""
    lowest = np.array([-np.inf, math.log(2), math.log(0.5), math.log(0.25)])
    highest = np.array([np.inf, math.log(4 * side), math.log(2 * side), math.log(4)])
    return lowest, highest


def _grid(lowest: Floats, highest: Floats) -> Iterator[Floats]:
    """Give places of the four, (90, 4) at a time: those of one direction."""
    for theta in np.arange(12) * math.pi / 12:
        scales = np.meshgrid(
            *(np.linspace(lowest[i], highest[i], steps) for i, steps in ((1, 6), (2, 5), (3, 3))), indexing="ij"
        )
        flat = [np.full(scales[0].size, theta), *(scale.ravel() for scale in scales)]
        yield np.stack(flat, axis=1)


def _best_of_grid(targets: Floats, cells: tuple[Floats, Floats], lowest: Floats, highest: Floats) -> Floats:
    """Try every place of the grid on every target, on some of its cells; returns (count, _STARTS, 4)."""
    # At random, though always the same ones: regular gaps between the cells would take fine waves for coarse ones.
    sample = np.random.default_rng(0).permutation(targets.shape[1])[:_GRID_CELLS]
    sampled, some_cells = targets[:, sample].T, (cells[0][sample], cells[1][sample])
    places, explained = [], []
    for some in _grid(lowest, highest):
        basis = _basis(some, some_cells)  # (places, 2, cells)
        onto = basis @ sampled  # (places, 2, count)
        gram = basis @ basis.swapaxes(1, 2) + _RIDGE
        explained.append((onto * np.linalg.solve(gram, onto)).sum(axis=1))
        places.append(some)
    order = np.concatenate(explained).argsort(axis=0)[: -_STARTS - 1 : -1]  # (_STARTS, count)
    return np.concatenate(places)[order.T]


def _refine(
    targets: Floats, places: Floats, cells: tuple[Floats, Floats], lowest: Floats, highest: Floats
) -> tuple[Floats, Floats]:
    """
    Descend from every place at once by Levenberg and Marquardt's method, with numeric derivatives.

    returns: the places (count, 4), and the sum of squares left at each (count,)
    """
    residuals = _project(targets, places, cells)[1]
    errors = np.square(residuals).sum(axis=1)
    damping = np.full(len(places), 1e-2)
    for _ in range(_STEPS):
        nudged = (places[:, None] + 1e-5 * np.eye(4)).reshape(-1, 4)
        moved = _project(targets.repeat(4, axis=0), nudged, cells)[1].reshape(len(places), 4, -1)
        slopes = (moved - residuals[:, None]) / 1e-5  # (count, 4, cells)
        curvature = slopes @ slopes.swapaxes(1, 2)
        diagonal = np.diagonal(curvature, axis1=1, axis2=2)
        damped = curvature + np.eye(4) * (damping[:, None, None] * diagonal[:, :, None] + 1e-12)
        steps = np.linalg.solve(damped, -slopes @ residuals[:, :, None])[:, :, 0]
        tried = np.clip(places + steps, lowest, highest)
        tried_residuals = _project(targets, tried, cells)[1]
        tried_errors = np.square(tried_residuals).sum(axis=1)
        better = tried_errors < errors
        places = np.where(better[:, None], tried, places)
        residuals = np.where(better[:, None], tried_residuals, residuals)
        errors = np.where(better, tried_errors, errors)
        damping = np.where(better, damping / 5, damping * 5).clip(1e-9, 1e9)
    return places, errors


def _project(targets: Floats, places: Floats, cells: tuple[Floats, Floats]) -> tuple[Floats, Floats]:
    """Fit each target's amplitude and phase by least squares; returns (count, 2), and what is left (count, cells)."""
    basis = _basis(places, cells)  # (count, 2, cells)
    gram = basis @ basis.swapaxes(1, 2) + _RIDGE
    coefficients = np.linalg.solve(gram, basis @ targets[:, :, None])  # (count, 2, 1)
    return coefficients[:, :, 0], targets - (coefficients * basis).sum(axis=1)


def _basis(places: Floats, cells: tuple[Floats, Floats]) -> Floats:
    """The cosine and sine wave of each place, (count, 2, cells)."""
    x, y = cells
    theta, wavelength, sigma, gamma = places[:, :1], *(np.exp(places[:, i, None]) for i in (1, 2, 3))
    along = x * np.cos(theta) + y * np.sin(theta)
    across = y * np.cos(theta) - x * np.sin(theta)
    bell = np.exp(-(along**2 + (gamma * across) ** 2) / (2 * sigma**2))
    wave = 2 * np.pi * along / wavelength
    return np.stack([bell * np.cos(wave), bell * np.sin(wave)], axis=1)
