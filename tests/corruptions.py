"""
Fifteen ways in which a digit gets spoilt, as MNIST-C has them, made from a seed.

The kinds and their strengths are those of Mu and Gilmer, "MNIST-C" (2019, arXiv 1906.02337; github.com/google-research/
mnist-c), so that figures can be held against those published for it; the pictures are not its own. None of this is seen
in training.

    python -m tests.corruptions            the table of every shipped network over the whole test part, a few minutes
"""

import sys
from collections.abc import Callable, Iterator
from itertools import pairwise

import numpy as np
from scipy import ndimage
from skimage import feature
from tqdm import tqdm

from service.core.digit import prepare
from tests.networks import read
from training.data.mnist import find_mnist, load_mnist

Pictures = np.ndarray  # (count, 28, 28), 0 paper to 1 ink
Rng = np.random.Generator

_SIDE = 28
_CHUNK = 100  # the fog of a picture is made of 256 x 256 numbers
_MIDDLE = np.full(2, (_SIDE - 1) / 2)
_PEN = 2.3  # pixels, up and down, in which a line fades out


def corrupted(kind: str, images: np.ndarray, seed: int) -> np.ndarray:
    """Spoil digits (count, 28, 28) uint8; the same seed spoils them in the same way."""
    rng = np.random.default_rng([seed, list(KINDS).index(kind)])
    chunks = [images[start : start + _CHUNK] / 255 for start in range(0, len(images), _CHUNK)]
    spoilt = np.concatenate([KINDS[kind](chunk, rng) for chunk in chunks])
    return np.rint(255 * np.clip(spoilt, 0, 1)).astype(np.uint8)


# ---------------------------------------------------------------------------------------------------- noise and blur


def _shot_noise(pictures: Pictures, rng: Rng) -> Pictures:
    """Three photons make full ink."""
    return rng.poisson(3 * pictures) / 3


def _impulse_noise(pictures: Pictures, rng: Rng) -> Pictures:
    """Of the pixels 17 % are black or white."""
    hit, white = rng.random(pictures.shape) < 0.17, rng.random(pictures.shape) < 0.5
    return np.where(hit, white, pictures)


def _glass_blur(pictures: Pictures, rng: Rng) -> Pictures:
    """Between two blurs, every pixel may change places twice with its neighbour above or to the left."""
    spoilt = _blurred(pictures, 0.7)
    every = np.arange(len(spoilt))
    for _ in range(2):
        for y in range(_SIDE - 1, 1, -1):
            for x in range(_SIDE - 1, 1, -1):
                moved = rng.random(len(spoilt)) < 0.5
                up, left = moved * rng.integers(0, 2, (2, len(spoilt)))
                here = spoilt[:, y, x].copy()
                spoilt[:, y, x] = spoilt[every, y - up, x - left]
                spoilt[every, y - up, x - left] = here
    return _blurred(spoilt, 0.7)


def _motion_blur(pictures: Pictures, rng: Rng) -> Pictures:
    """A hand that moves by up to ten pixels, at first fast, at most 45 degrees off the level."""
    angles = np.radians(rng.uniform(-45, 45, len(pictures)))[:, None, None]
    shares = np.exp(-(np.arange(21) ** 2) / (2 * 3**2))
    y, x = np.mgrid[0:_SIDE, 0:_SIDE]
    every = np.arange(len(pictures))[:, None, None]
    spoilt = np.zeros_like(pictures)
    for step, share in enumerate(shares / shares.sum()):
        down, right = (np.rint(step * part(angles)).astype(int) for part in (np.sin, np.cos))
        spoilt += share * pictures[every, np.clip(y + down, 0, _SIDE - 1), np.clip(x + right, 0, _SIDE - 1)]
    return spoilt


def _blurred(pictures: Pictures, sigma: float) -> Pictures:
    return ndimage.gaussian_filter(pictures, (0, sigma, sigma), mode="nearest")


# ----------------------------------------------------------------------------------------------------------- geometry


def _shear(pictures: Pictures, rng: Rng) -> Pictures:
    return _warped(pictures, (np.array([[np.cos(0.4), 0], [side * np.sin(0.4), 1]]) for side in _sides(rng)))


def _rotate(pictures: Pictures, rng: Rng) -> Pictures:
    """By 0.4 radian, to either side."""
    c, s = np.cos(0.4), np.sin(0.4)
    return _warped(pictures, (np.array([[c, side * s], [-side * s, c]]) for side in _sides(rng)))


def _scale(pictures: Pictures, rng: Rng) -> Pictures:
    """To seven tenths of its size."""
    del rng
    return ndimage.affine_transform(
        pictures, np.diag([1, 1 / 0.7, 1 / 0.7]), np.r_[0, _MIDDLE - _MIDDLE / 0.7], order=1
    )


def _translate(pictures: Pictures, rng: Rng) -> Pictures:
    """By three pixels in both directions; what leaves the frame is lost."""
    moves = 3 * rng.choice([-1, 1], (len(pictures), 2))
    return np.stack([ndimage.shift(picture, move, order=0) for picture, move in zip(pictures, moves, strict=True)])


def _warped(pictures: Pictures, matrices: Iterator[np.ndarray]) -> Pictures:
    """Look every pixel up at `matrix` times its place seen from the middle."""
    return np.stack(
        [
            ndimage.affine_transform(picture, matrix, _MIDDLE - matrix @ _MIDDLE, order=1)
            for picture, matrix in zip(pictures, matrices, strict=False)
        ]
    )


def _sides(rng: Rng) -> Iterator[int]:
    while True:
        yield int(rng.choice([-1, 1]))


# --------------------------------------------------------------------------------------------------- light and weather


def _brightness(pictures: Pictures, rng: Rng) -> Pictures:
    del rng
    return np.minimum(pictures + 0.5, 1)


def _stripe(pictures: Pictures, rng: Rng) -> Pictures:
    """The left and the right quarter are inverted."""
    del rng
    spoilt = pictures.copy()
    for quarter in (slice(0, 7), slice(21, 28)):
        spoilt[:, :, quarter] = 1 - spoilt[:, :, quarter]
    return spoilt


def _fog(pictures: Pictures, rng: Rng) -> Pictures:
    """Three times as much fog as ink, then brought back to the range."""
    most = pictures.max(axis=(1, 2), keepdims=True)
    return (pictures + 3 * _clouds(len(pictures), rng)) * most / (most + 3)


def _clouds(count: int, rng: Rng) -> Pictures:
    """Cut a corner out of a cloudy sky whose unevenness falls by 1.4 squared from one scale to the next, 0 to 1."""
    side = 256
    sky, step, uneven = np.zeros((count, side, side)), side, 1.0
    while step > 1:
        half = step // 2
        corners = sky[:, ::step, ::step]
        middles = (corners + np.roll(corners, -1, 1) + np.roll(corners, -1, 2) + np.roll(corners, (-1, -1), (1, 2))) / 4
        middles += uneven * rng.uniform(-1, 1, corners.shape)
        across = (corners + np.roll(corners, -1, 2) + middles + np.roll(middles, 1, 1)) / 4
        down = (corners + np.roll(corners, -1, 1) + middles + np.roll(middles, 1, 2)) / 4
        sky[:, half::step, half::step] = middles
        sky[:, ::step, half::step] = across + uneven * rng.uniform(-1, 1, corners.shape)
        sky[:, half::step, ::step] = down + uneven * rng.uniform(-1, 1, corners.shape)
        step, uneven = half, uneven / 1.4**2
    sky -= sky.min(axis=(1, 2), keepdims=True)
    return sky[:, :_SIDE, :_SIDE] / sky.max(axis=(1, 2), keepdims=True)


def _spatter(pictures: Pictures, rng: Rng) -> Pictures:
    """Mud, a quarter grey, where blurred grain is above its middle over some width."""
    wet = _blurred(rng.normal(0.65, 0.3, pictures.shape), 1) > 0.65
    mud = _blurred(wet.astype(float), 1.5)
    mud[mud < 0.8] = 0
    return pictures * (1 - mud) + mud * 63 / 255


# --------------------------------------------------------------------------------------------------- lines and outlines


def _dotted_line(pictures: Pictures, rng: Rng) -> Pictures:
    """From edge to edge, two columns of ink after two of none."""
    inked = np.arange(_SIDE) % 4 >= 2
    heights = rng.integers(0, 27, (len(pictures), 2))
    return pictures + np.stack([_line((0, left), (27, right)) * inked for left, right in heights])


def _zigzag(pictures: Pictures, rng: Rng) -> Pictures:
    """From the second column to the 25th, nearly level, in teeth four columns long that reach two to either side."""
    spoilt = pictures.copy()
    for picture in spoilt:
        top = rng.integers(0, 27)
        rise = rng.integers(-5, 5)
        long = np.hypot(23, rise)
        teeth = np.arange(2, long, 4)
        along = np.r_[0, teeth, long]
        aside = np.r_[0, 2 * (-1) ** np.arange(len(teeth)), 0]
        columns, rows = 2 + (23 * along - rise * aside) / long, top + (rise * along + 23 * aside) / long
        for start, end in pairwise(zip(columns, rows, strict=True)):
            picture[:] = np.minimum(picture + _line(start, end), 1)
    return spoilt


def _line(start: tuple[float, float], end: tuple[float, float]) -> np.ndarray:
    """Draw from one (column, row) to another further right: (28, 28), full in the middle, fading up and down."""
    columns, rows = np.arange(_SIDE), np.arange(_SIDE)[:, None]
    middle = start[1] + (columns - start[0]) * (end[1] - start[1]) / (end[0] - start[0])
    ink = np.clip(1 + np.log(1 - np.clip(np.abs(rows - middle) / _PEN, 0, 1 - 1e-9)), 0, 1)
    return ink * ((columns >= np.floor(start[0])) & (columns < np.ceil(end[0])))


def _canny_edges(pictures: Pictures, rng: Rng) -> Pictures:
    """Nothing is left but outlines."""
    del rng
    return np.stack([feature.canny(picture) for picture in pictures]).astype(float)


KINDS: dict[str, Callable[[Pictures, Rng], Pictures]] = {
    "shot_noise": _shot_noise,
    "impulse_noise": _impulse_noise,
    "glass_blur": _glass_blur,
    "motion_blur": _motion_blur,
    "shear": _shear,
    "scale": _scale,
    "rotate": _rotate,
    "brightness": _brightness,
    "translate": _translate,
    "stripe": _stripe,
    "fog": _fog,
    "spatter": _spatter,
    "dotted_line": _dotted_line,
    "zigzag": _zigzag,
    "canny_edges": _canny_edges,
}


def main() -> None:
    """Print the share read right of every kind: as the service prepares pictures, and of the pictures as they are."""
    folder = find_mnist()
    if folder is None:
        sys.exit("MNIST was not found: name its folder in FILTERSCOPE_MNIST")
    test = load_mnist(folder).test
    models = ["digits", "tiny", "lecture"]
    columns = [(model, prepared) for model in models for prepared in (True, False)]
    shares = []
    for kind in tqdm(KINDS, unit="kind", file=sys.stderr, disable=None):
        spoilt = corrupted(kind, test.images, seed=1)
        seen = {True: np.stack([prepare(image).image for image in spoilt]), False: spoilt}
        shares.append([100 * np.mean(read(model, seen[way]) == test.labels) for model, way in columns])
    heads = "".join(f"{model + ('' if way else ', raw'):>14}" for model, way in columns)
    print(f"{'':14}{heads}")
    for kind, row in [*zip(KINDS, shares, strict=True), ("mean of 15", np.mean(shares, axis=0))]:
        print(f"{kind:14}" + "".join(f"{share:14.2f}" for share in row))


if __name__ == "__main__":
    main()
