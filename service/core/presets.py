"""
Named filters, made to the caller's size, angle and sigma.

Angles are in degrees from the x axis, clockwise on the screen because y points down: 0 is right, 90 down. For an edge
filter the angle is the direction in which brightness rises; for a line or a blur it is the direction it runs along,
so that 45 is a backslash. Weights are laid on as they are written (correlation).

The source of its numbers, or of the formula that makes them, stands in the declaration of each.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from service.core.errors import InvalidOption, NotFound, shown
from service.core.kernels import MAX_SIDE, Weights, as_number

SIGMA_LEAST, SIGMA_MOST = 0.3, 32.0  # cells; beyond, a kernel of at most 63 cells is a dot, or flat

Exact = NDArray[np.floating]  # float64


@dataclass(frozen=True, slots=True)
class Size:
    """The side of a square kernel, in cells."""

    default: int
    least: int = 1
    odd: bool = False  # where the kernel must have a cell in its middle

    def check(self, value: object, filter_name: str, pointer: str) -> int:
        """Read a size, or raise InvalidOption."""
        size = as_number(value)
        if size % 1 == 0 and self.least <= size <= MAX_SIDE and (size % 2 or not self.odd):
            return int(size)
        kind = "an odd number" if self.odd else "a whole number"
        wanted = f"{kind} from {self.least} to {MAX_SIDE}"
        raise InvalidOption(f"size of {filter_name} must be {wanted}, got {shown(value)}", f"{pointer}/size")

    def describe(self) -> dict[str, Any]:
        """Say which sizes are allowed."""
        return {"default": self.default, "least": self.least, "most": MAX_SIDE, "odd": self.odd}

    def around(self, sigma: float) -> int:
        """Take in three sigmas to either side of the middle cell, as far as sizes go."""
        return min(max(2 * math.ceil(3 * min(sigma, MAX_SIDE)) + 1, self.least), MAX_SIDE)


@dataclass(frozen=True, slots=True)
class Angle:
    """A direction, in degrees; with a step, only whole steps away from the default."""

    default: float = 0.0
    step: float | None = None

    def check(self, value: object, filter_name: str, pointer: str) -> float:
        """Read an angle into 0..360, or raise InvalidOption."""
        angle = as_number(value)
        if math.isfinite(angle) and not (self.step and (angle - self.default) % self.step):
            return angle % 360
        steps = f", {self.default:g} or whole steps of {self.step:g} from there" if self.step else ""
        wanted = f"a number of degrees{steps}"
        raise InvalidOption(f"angle of {filter_name} must be {wanted}, got {shown(value)}", f"{pointer}/angle")

    def describe(self) -> dict[str, Any]:
        """Say which angles are allowed."""
        return {"default": self.default, "step": self.step}


@dataclass(frozen=True, slots=True)
class Sigma:
    """The width of a bell curve, in cells; without a default it follows from the size."""

    default: float | None = None

    def check(self, value: object, filter_name: str, pointer: str) -> float:
        """Read a sigma, or raise InvalidOption."""
        sigma = as_number(value)
        if SIGMA_LEAST <= sigma <= SIGMA_MOST:
            return sigma
        wanted = f"a number from {SIGMA_LEAST:g} to {SIGMA_MOST:g}"
        raise InvalidOption(f"sigma of {filter_name} must be {wanted}, got {shown(value)}", f"{pointer}/sigma")

    def describe(self) -> dict[str, Any]:
        """Say which sigmas are allowed."""
        return {"default": self.default, "least": SIGMA_LEAST, "most": SIGMA_MOST}


@dataclass(frozen=True, slots=True)
class Preset:
    """A named filter, the parameters it takes, and the source of its numbers or of the formula that makes them."""

    name: str
    description: str
    make: Callable[..., Exact]
    source: str = field(kw_only=True)
    size: Size | None = None
    angle: Angle | None = None
    sigma: Sigma | None = None

    @property
    def rules(self) -> dict[str, Size | Angle | Sigma]:
        """The parameters it takes, by name."""
        every = {"size": self.size, "angle": self.angle, "sigma": self.sigma}
        return {name: rule for name, rule in every.items() if rule is not None}


@dataclass(frozen=True, slots=True)
class MadePreset:
    """A named filter, made: weights (rows, columns), float32, and the parameters it was made with."""

    preset: Preset
    weights: Weights
    parameters: dict[str, float]

    @property
    def name(self) -> str:
        """The preset's name."""
        return self.preset.name

    @property
    def description(self) -> str:
        """One sentence on what the filter answers to."""
        return self.preset.description

    def describe(self) -> dict[str, Any]:
        """Name, description, source, what it takes, what it was made with, and the weights."""
        return {
            "name": self.name,
            "description": self.description,
            "source": self.preset.source,
            "shape": list(self.weights.shape),
            "parameters": {
                name: {"value": self.parameters[name]} | rule.describe() for name, rule in self.preset.rules.items()
            },
            "weights": self.weights,
        }


def preset(
    name: str, size: int | None = None, angle: float | None = None, sigma: float | None = None, pointer: str = ""
) -> MadePreset:
    """
    Make a named filter; a parameter left out has the preset's default, and a sigma without one follows from the size.

    pointer: where the filter stands in the request, for the errors.

    Raises NotFound for another name, InvalidOption for a parameter the filter does not take or a value it cannot have.

    >>> preset("sobel", angle=90).weights
    array([[-1., -2., -1.],
           [ 0.,  0.,  0.],
           [ 1.,  2.,  1.]], dtype=float32)
    >>> preset("gaussian", sigma=1).parameters
    {'sigma': 1.0, 'size': 7}
    """
    kind = _BY_NAME.get(name) if isinstance(name, str) else None
    if kind is None:
        raise NotFound.among("filter", name, list(_BY_NAME), f"{pointer}/preset")
    given = {"size": size, "angle": angle, "sigma": sigma}
    for option, value in given.items():
        if value is not None and option not in kind.rules:
            takes = " and ".join(kind.rules) or "no parameters"
            raise InvalidOption(f"{name} takes {takes}, got {option}", f"{pointer}/{option}")

    parameters: dict[str, float] = {}
    if kind.sigma and sigma is not None:
        parameters["sigma"] = kind.sigma.check(sigma, name, pointer)
    if kind.size:
        default_size = kind.size.around(parameters["sigma"]) if "sigma" in parameters else kind.size.default
        parameters["size"] = kind.size.check(default_size if size is None else size, name, pointer)
    if kind.angle:
        parameters["angle"] = kind.angle.check(kind.angle.default if angle is None else angle, name, pointer)
    if kind.sigma and sigma is None:
        parameters["sigma"] = kind.sigma.default or sigma_of_size(int(parameters["size"]))
    return MadePreset(kind, kind.make(**parameters).astype(np.float32), parameters)


def sigma_of_size(size: int) -> float:
    """
    Choose the sigma of a bell curve that fills `size` cells, as OpenCV's getGaussianKernel does.

    >>> sigma_of_size(7)
    1.4
    """
    return round(0.3 * ((size - 1) * 0.5 - 1) + 0.8, 9)


# --- how the named ones are made -------------------------------------------------------------------------------------


def rotate(kernel: ArrayLike, steps: int) -> NDArray[Any]:
    """
    Turn a 3 x 3 or 2 x 2 kernel clockwise, moving every outer cell `steps` places along the rim.

    A step is 45 degrees of a 3 x 3 kernel, and 90 of a 2 x 2 one.

    >>> rotate([[1, 2, 3], [8, 0, 4], [7, 6, 5]], 1)
    array([[8, 1, 2],
           [7, 0, 3],
           [6, 5, 4]])
    """
    turned = np.array(kernel)
    last = len(turned) - 1
    clockwise = (
        [(0, x) for x in range(last)]
        + [(y, last) for y in range(last)]
        + [(last, x) for x in range(last, 0, -1)]
        + [(y, 0) for y in range(last, 0, -1)]
    )
    rim = tuple(np.transpose(clockwise))
    turned[rim] = np.roll(turned[rim], steps)
    return turned


def _table(rows: ArrayLike) -> Callable[[], Exact]:
    """Make a filter that is the same for everyone."""
    return lambda: np.array(rows, np.float64)


def _compass(rows: ArrayLike, angle_of_rows: float = 0.0) -> Callable[[float], Exact]:
    """Make a filter that is turned along its rim; `rows` are what it is at angle_of_rows."""
    degrees_per_step = 360 / (4 * (len(np.array(rows)) - 1))
    return lambda angle: rotate(np.array(rows, np.float64), round((angle - angle_of_rows) / degrees_per_step))


def _places(size: int) -> tuple[Exact, Exact]:
    """Give x (1, size) and y (size, 1) of every cell, from the middle of the kernel, in cells."""
    places = np.arange(size) - (size - 1) / 2
    return places[None, :], places[:, None]


def _turned(size: int, angle: float) -> tuple[Exact, Exact]:
    """Give every cell's place along a direction, and across it, both (size, size)."""
    x, y = _places(size)
    cosine, sine = math.cos(math.radians(angle)), math.sin(math.radians(angle))
    return x * cosine + y * sine, y * cosine - x * sine


def _bell(size: int, sigma: float) -> Exact:
    x, y = _places(size)
    return np.asarray(np.exp(-(x**2 + y**2) / (2 * sigma**2)))


def _balanced(weights: Exact, bell: Exact) -> Exact:
    """Make weights under a bell curve sum to 0, by taking some of the bell off, and the positive ones to 1."""
    weights = weights * bell
    weights -= bell * (weights.sum() / bell.sum())
    return np.asarray(weights / weights[weights > 0].sum())


def _identity(size: int) -> Exact:
    weights = np.zeros((size, size))
    weights[size // 2, size // 2] = 1
    return weights


def _box(size: int) -> Exact:
    return np.full((size, size), 1 / size**2)


def _gaussian(size: int, sigma: float) -> Exact:
    bell = _bell(size, sigma)
    return np.asarray(bell / bell.sum())


def _binomial(size: int) -> Exact:
    row = np.array([math.comb(size - 1, i) for i in range(size)], np.float64) / 2 ** (size - 1)
    return np.outer(row, row)


def _motion_blur(size: int, angle: float) -> Exact:
    along, across = _turned(size, angle)
    line = np.clip(1 - np.abs(across), 0, 1) * (np.abs(along) <= size / 2)  # a line one cell wide, smooth at its edges
    return np.asarray(line / line.sum())


def _laplacian_of_gaussian(size: int, sigma: float) -> Exact:
    x, y = _places(size)
    return _balanced((x**2 + y**2) / sigma**2 - 2, _bell(size, sigma))


def _difference_of_gaussians(size: int, sigma: float) -> Exact:
    return _gaussian(size, sigma) - _gaussian(size, 1.6 * sigma)  # 1.6: nearest to the Laplacian (Marr, Hildreth 1980)


def _gaussian_edge(size: int, angle: float, sigma: float) -> Exact:
    along, _ = _turned(size, angle)
    return _balanced(along, _bell(size, sigma))


def _ridge(size: int, angle: float, sigma: float) -> Exact:
    _, across = _turned(size, angle)
    return _balanced(1 - across**2 / sigma**2, _bell(size, sigma))


def _gabor(size: int, angle: float, sigma: float, phase: float = 0.0) -> Exact:
    # Wavelength and aspect of the receptive fields found in the visual cortex: a bandwidth of one octave, half as
    # narrow across the waves as along them (Daugman 1985; Petkov, Kruizinga 1997).
    wavelength, aspect = sigma / 0.56, 0.5
    along, across = _turned(size, angle)
    bell = np.exp(-(along**2 + (aspect * across) ** 2) / (2 * sigma**2))
    return np.asarray(bell * np.cos(2 * math.pi * along / wavelength + phase))


def _gabor_odd(size: int, angle: float, sigma: float) -> Exact:
    return _gabor(size, angle, sigma, phase=-math.pi / 2)


def _unsharp(size: int, sigma: float) -> Exact:
    return 2 * _identity(size) - _gaussian(size, sigma)


def _diagonal_falling(size: int) -> Exact:
    x, y = _places(size)
    return np.sign(x - y)


def _diagonal_rising(size: int) -> Exact:
    return _diagonal_falling(size)[:, ::-1]


def _edge_vertical(size: int) -> Exact:
    return np.sign(_places(size)[0]).repeat(size, axis=0)


def _edge_horizontal(size: int) -> Exact:
    return _edge_vertical(size).T


_SOBEL = [[-1, 0, 1], [-2, 0, 2], [-1, 0, 1]]
_PREWITT = [[-1, 0, 1], [-1, 0, 1], [-1, 0, 1]]
_SCHARR = [[-3, 0, 3], [-10, 0, 10], [-3, 0, 3]]
_FREI_CHEN = np.array([[-1, 0, 1], [-math.sqrt(2), 0, math.sqrt(2)], [-1, 0, 1]])
_KIRSCH = [[-3, -3, 5], [-3, 0, 5], [-3, -3, 5]]
_ROBERTS = [[-1, 0], [0, 1]]
_LINE = [[-1, -1, -1], [2, 2, 2], [-1, -1, -1]]
_LAPLACIAN = [[0, 1, 0], [1, -4, 1], [0, 1, 0]]
_LAPLACIAN_8 = [[1, 1, 1], [1, -8, 1], [1, 1, 1]]
_SHARPEN = [[0, -1, 0], [-1, 5, -1], [0, -1, 0]]
_EMBOSS = [[-2, -1, 0], [-1, 1, 1], [0, 1, 2]]

_ODD = Size(3, odd=True)
_PATCH = Size(7, least=2)  # the lecture's patches; a single cell has no two sides
_EIGHTHS, _QUARTERS = Angle(step=45), Angle(45, step=90)

# Where the numbers, or the formula that makes them, are published.
_OPENCV = "OpenCV: https://docs.opencv.org/4.x/d4/d86/group__imgproc__filter.html"
_IMAGEMAGICK = "ImageMagick: https://usage.imagemagick.org/convolve/"
_GIMP = "GIMP: https://docs.gimp.org/2.10/en/gimp-filter-convolution-matrix.html"
_GABOR = "Daugman 1985, https://doi.org/10.1364/JOSAA.2.001160; Petkov and Kruizinga 1997"
_MARR = "Marr and Hildreth 1980, https://doi.org/10.1098/rspb.1980.0020"
_BELL_CURVE = "the definition: a derivative of a bell curve, brought to a sum of 0"
_LECTURE = "the lecture on convolution that the page at / holds"

PRESETS = (
    Preset(
        "identity",
        "leaves the picture as it is",
        _identity,
        _ODD,
        source="the definition: a picture correlated with it is the picture",
    ),
    Preset(
        "diagonal_falling",
        "the lecture's edge along \\, bright above it and dark below",
        _diagonal_falling,
        _PATCH,
        source=_LECTURE,
    ),
    Preset(
        "diagonal_rising",
        "the lecture's edge along /, bright above it and dark below",
        _diagonal_rising,
        _PATCH,
        source=_LECTURE,
    ),
    Preset(
        "edge_horizontal",
        "an edge that runs across, bright below it and dark above",
        _edge_horizontal,
        _PATCH,
        source=_LECTURE,
    ),
    Preset(
        "edge_vertical",
        "an edge that runs down, bright right of it and dark left",
        _edge_vertical,
        _PATCH,
        source=_LECTURE,
    ),
    Preset("box", "blurs evenly: the mean of the patch", _box, Size(3), source=_OPENCV),
    Preset("gaussian", "blurs with a bell curve", _gaussian, Size(7), sigma=Sigma(), source=_OPENCV),
    Preset(
        "binomial",
        "blurs with Pascal's triangle, nearly a bell curve",
        _binomial,
        Size(3),
        source="the definition: rows of Pascal's triangle",
    ),
    Preset(
        "motion_blur",
        "blurs along a line, as a moving camera does",
        _motion_blur,
        Size(9, odd=True),
        Angle(),
        source="the definition: a line one cell wide, smooth at its edges",
    ),
    Preset("sobel_x", "brightness rising to the right: sobel at 0 degrees", _table(_SOBEL), source=_OPENCV),
    Preset("sobel_y", "brightness rising downwards: sobel at 90 degrees", _table(rotate(_SOBEL, 2)), source=_OPENCV),
    Preset(
        "sobel",
        "brightness rising in a direction, weighted 1 2 1 across",
        _compass(_SOBEL),
        angle=_EIGHTHS,
        source=_OPENCV,
    ),
    Preset(
        "prewitt",
        "brightness rising in a direction, weighted evenly",
        _compass(_PREWITT),
        angle=_EIGHTHS,
        source=_IMAGEMAGICK,
    ),
    Preset(
        "scharr",
        "brightness rising in a direction, weighted 3 10 3",
        _compass(_SCHARR),
        angle=_EIGHTHS,
        source=_OPENCV,
    ),
    Preset(
        "frei_chen",
        "brightness rising in a direction, weighted 1 1.41 1",
        _compass(_FREI_CHEN),
        angle=_EIGHTHS,
        source=_IMAGEMAGICK,
    ),
    Preset(
        "kirsch",
        "an edge brighter in one direction than all around",
        _compass(_KIRSCH),
        angle=_EIGHTHS,
        source=_IMAGEMAGICK,
    ),
    Preset(
        "roberts",
        "brightness rising along a diagonal, in 2 x 2",
        _compass(_ROBERTS, 45),
        angle=_QUARTERS,
        source=_IMAGEMAGICK,
    ),
    Preset(
        "gaussian_edge",
        "brightness rising in any direction: first derivative of a bell curve",
        _gaussian_edge,
        Size(7, least=2),
        Angle(),
        Sigma(),
        source=_BELL_CURVE,
    ),
    Preset("line", "a bright line of one cell", _compass(_LINE), angle=_EIGHTHS, source=_IMAGEMAGICK),
    Preset(
        "ridge",
        "a bright line in any direction: second derivative of a bell curve, negated",
        _ridge,
        Size(7, least=3),
        Angle(),
        Sigma(),
        source=_BELL_CURVE,
    ),
    Preset(
        "gabor",
        "waves under a bell curve, a crest in the middle",
        _gabor,
        Size(15),
        Angle(),
        Sigma(),
        source=_GABOR,
    ),
    Preset(
        "gabor_odd",
        "waves under a bell curve, rising in the middle",
        _gabor_odd,
        Size(15, 2),
        Angle(),
        Sigma(),
        source=_GABOR,
    ),
    Preset(
        "laplacian",
        "second derivative, from 4 neighbours: dots, both sides of edges",
        _table(_LAPLACIAN),
        source=_OPENCV,
    ),
    Preset("laplacian_8", "second derivative, from 8 neighbours", _table(_LAPLACIAN_8), source=_IMAGEMAGICK),
    Preset(
        "log",
        "Laplacian of a bell curve: dark blobs",
        _laplacian_of_gaussian,
        Size(9, 3),
        sigma=Sigma(1.4),
        source=_BELL_CURVE,
    ),
    Preset(
        "dog",
        "difference of bell curves: bright blobs",
        _difference_of_gaussians,
        Size(9, 3),
        sigma=Sigma(1.0),
        source=_MARR,
    ),
    Preset("sharpen", "lifts every cell from its 4 neighbours", _table(_SHARPEN), source=_GIMP),
    Preset(
        "unsharp",
        "sharpens by what a bell curve would blur",
        _unsharp,
        Size(7, odd=True),
        sigma=Sigma(),
        source="the definition: twice the picture less a bell curve's blur of it",
    ),
    Preset(
        "emboss",
        "light falling on a relief, brightness kept",
        _compass(_EMBOSS, 45),
        angle=Angle(45, step=45),
        source=_GIMP,
    ),
)
_BY_NAME = {kind.name: kind for kind in PRESETS}
