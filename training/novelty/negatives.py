"""
Negatives: pictures that are no digits, from which the novelty reader learns.

Some are made from digits (mirrored, turned, cut and joined, laid over each other, written side by side), some are
drawn, at a digit's size (`drawn_kinds.py`) or large on paper (`on_paper.py`). None of the pictures that novelty is
measured with (`strangers.py`) is among them, and none is made in the same way.
"""

import contextlib
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context

import numpy as np
from PIL import Image

from service.core.digit import SIDE, prepare
from service.core.errors import InvalidImage
from training.data.mnist import LabelledDigits
from training.data.warps import warped_digits
from training.novelty.drawn_kinds import DRAWN, SHARES
from training.novelty.on_paper import ON_PAPER
from training.novelty.pen import Pictures

_AT_A_TIME = 4000  # pictures from one generator of random numbers


def from_digits(part: LabelledDigits, seed: int) -> Pictures:
    """
    Make what digits become when they are mirrored, turned, joined, overlaid or paired.

    returns: (about len(part), 28, 28) uint8
    """
    random = np.random.default_rng(seed)
    digits = warped_digits(part[random.permutation(len(part))], seed)
    share = len(part) // 4
    made = [
        _mirrored(digits[:share]),
        _turned(digits[share : 2 * share], random),
        _joined(digits[: 2 * share], random),
        _overlaid(digits[2 * share :]),
        _side_by_side(digits[: 2 * share], random),
    ]
    return np.concatenate(made).astype(np.uint8)


def drawn(count: int, seed: int, workers: int = 1) -> Pictures:
    """
    Draw `count` pictures, each kind in its turn, some kinds more often: (count, 28, 28) uint8.

    Every third one goes through the normaliser, as a posted picture does, and all that are on paper. However many
    processes work on it, the pictures of a seed are the same.
    """
    parts = [(seed, start, min(start + _AT_A_TIME, count)) for start in range(0, count, _AT_A_TIME)]
    if workers == 1 or len(parts) == 1:
        return np.concatenate([_drawn_part(part) for part in parts])
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
        return np.concatenate(list(pool.map(_drawn_part, parts)))


def _drawn_part(part: tuple[int, int, int]) -> Pictures:
    seed, start, end = part
    random = np.random.default_rng([seed, start])
    kinds = {**DRAWN, **ON_PAPER}
    draw = [name for name in kinds for _ in range(SHARES.get(name, 1))]
    names = [(draw[n % len(draw)], n // len(draw) % 3 == 2) for n in range(start, end)]
    return np.stack([_in_frame(kinds[name](random), prepared or name in ON_PAPER) for name, prepared in names])


def _in_frame(picture: Pictures, prepared: bool) -> Pictures:
    if prepared:
        with contextlib.suppress(InvalidImage):
            return prepare(picture).image
    return np.asarray(Image.fromarray(picture).resize((SIDE, SIDE), Image.Resampling.BOX))


def _mirrored(part: LabelledDigits) -> Pictures:
    """Mirror the digits that become nothing: a 0, 1 or 8 stays one, a 2 and a 5 become each other."""
    return part.images[np.isin(part.labels, [3, 4, 6, 7, 9])][:, :, ::-1]


def _turned(part: LabelledDigits, random: np.random.Generator) -> Pictures:
    """Turn the digits that become nothing by a quarter, to the left or to the right."""
    chosen = part.images[np.isin(part.labels, [2, 3, 4, 5, 6, 7, 9])]
    left = random.random(len(chosen)) < 0.5
    turned = [np.rot90(chosen[left], 1, (1, 2)), np.rot90(chosen[~left], -1, (1, 2))]
    return np.concatenate(turned).astype(np.uint8)


def _joined(part: LabelledDigits, random: np.random.Generator) -> Pictures:
    """Join the upper or left half of one digit to the other half of a different one."""
    one, other = part.images[0::2].copy(), part.images[1::2]
    count = min(len(one), len(other))
    one, other = one[:count], other[:count]
    upright = random.random(count) < 0.5
    one[upright, :, 14:] = other[upright, :, 14:]
    one[~upright, 14:] = other[~upright, 14:]
    different = part.labels[0::2][:count] != part.labels[1::2][:count]
    return np.compress(different, one, axis=0)


def _overlaid(part: LabelledDigits) -> Pictures:
    count = len(part) // 2
    one, other = part[:count], part[count : 2 * count]
    return np.compress(one.labels != other.labels, np.maximum(one.images, other.images), axis=0)


def _side_by_side(part: LabelledDigits, random: np.random.Generator) -> Pictures:
    """Write two digits beside each other, as in a number, in the box of one."""
    pairs = zip(part.images[0::2], part.images[1::2], strict=False)
    return np.stack([_pair(one, other, int(random.integers(-1, 4))) for one, other in pairs])


def _pair(one: Pictures, other: Pictures, gap: int) -> Pictures:
    """Put two digits side by side, `gap` pixels apart, and shrink them into the box: (28, 28)."""
    left, right = (np.flatnonzero(digit.max(axis=0) > 50) for digit in (one, other))
    wide = [int(np.ptp(columns)) + 1 if len(columns) else 1 for columns in (left, right)]
    sheet = np.zeros((SIDE, sum(wide) + 8), np.uint8)
    for digit, columns, start in ((one, left, 2), (other, right, 2 + wide[0] + gap)):
        places = start + columns - columns[:1]
        sheet[:, places] = np.maximum(sheet[:, places], digit[:, columns])
    side = max(SIDE, sheet.shape[1] + 4)
    frame = np.zeros((side, side), np.uint8)
    down, across = (side - SIDE) // 2, (side - sheet.shape[1]) // 2
    frame[down : down + SIDE, across : across + sheet.shape[1]] = sheet
    return np.asarray(Image.fromarray(frame).resize((SIDE, SIDE), Image.Resampling.BOX))
