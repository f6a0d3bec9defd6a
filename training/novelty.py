"""
Is it a digit at all? A small reader of the head's input answers in the same run.

It learns from digits (as they are and bent) and from pictures made here that are none: digits mirrored, turned, cut and
joined or laid over each other, blots, patchwork and loose strokes. None of the pictures that it is measured with
(`strangers.py`) is among them. Distances to the classes' Gaussians (Lee et al. 2018) were tried first and lost clearly.
"""

import math
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image, ImageDraw
from scipy import ndimage
from scipy.special import expit
from torch import nn
from torch.nn import functional as F  # noqa: N812  its customary name

from training.data import Part
from training.export import Novelty
from training.knobs import WarpKnobs
from training.warps import warped_copy

FLAGGED_SHARE = 0.01  # of the validation digits lie above the threshold
_HIDDEN = 16  # twice as many gain a tenth of a point and cost a microsecond
_EPOCHS = 8
_BATCH = 500
_LEARNING_RATE = 3e-3
_WEIGHT_DECAY = 1e-2
_SIDE = 28
_METHOD = (
    "probability of being no digit, read from the head's input by one hidden layer that learnt from digits and from "
    "seeded non-digits (mirrored, turned, joined and overlaid digits, blots, patchwork, loose strokes)"
)

Floats = NDArray[np.float32]
Pictures = NDArray[np.uint8]
Features = Callable[[Part], Floats]


def fit_novelty(features: Features, train: Part, validation: Part, seed: int = 1) -> Novelty:
    """
    Learn to tell digits from what is none, and set the threshold that flags 1 % of the validation digits.

    features: what the head reads for the images of a part, (count, F)
    """
    digits, strangers = _examples(train, seed)
    novelty = _learn(features(digits), features(strangers), seed)
    return replace(novelty, threshold=threshold_for(novelty_of(novelty, features(validation))))


def threshold_for(scores: NDArray[np.float64]) -> float:
    """Return the score above which 1 % of these digits lie."""
    return float(np.quantile(scores, 1 - FLAGGED_SHARE))


def novelty_of(novelty: Novelty, features: Floats) -> NDArray[np.float64]:
    """Return the score as the exported graph computes it: features (count, F) -> (count,), 0 digit to 1 none."""
    hidden = np.maximum(features.astype(np.float64) @ novelty.hidden + novelty.hidden_bias, 0)
    return np.asarray(expit(hidden @ novelty.output + novelty.output_bias)[:, 0])


def not_digits(train: Part, seed: int) -> Pictures:
    """Make pictures that are no digits, about as many as `train` has images: (count, 28, 28) uint8."""
    random = np.random.default_rng(seed)
    bent = _bent(train[random.permutation(len(train))], seed)
    share = len(train) // 4
    drawn = max(1, len(train) // 8)
    made = [
        _mirrored(bent[:share]),
        _turned(bent[share : 2 * share], random),
        _joined(bent[: 2 * share], random),
        _overlaid(bent[2 * share :]),
        np.stack([_blot(random) for _ in range(drawn)]),
        np.stack([_patchwork(random) for _ in range(drawn)]),
        np.stack([_loose_strokes(random) for _ in range(drawn)]),
    ]
    return np.concatenate(made).astype(np.uint8)


def dyed(shape: NDArray[np.float64], random: np.random.Generator) -> Pictures:
    """Give a silhouette (28, 28), 0 to 1, a shade, stripes and grain."""
    y, x = np.mgrid[0:_SIDE, 0:_SIDE]
    angle, pace = random.uniform(0, math.pi), random.uniform(0.1, 1.5)
    stripes = np.sin(pace * (x * math.cos(angle) + y * math.sin(angle)) + random.uniform(0, 6))
    shade = random.uniform(0.4, 0.9) + random.uniform(0, 0.4) * stripes + random.normal(0, 0.05, shape.shape)
    return np.asarray((255 * np.clip(shape * shade, 0, 1)).astype(np.uint8))


def _examples(train: Part, seed: int) -> tuple[Part, Part]:
    random = np.random.default_rng(seed)
    few = train[random.permutation(len(train))[:20_000]]
    digits = Part(np.concatenate([few.images, _bent(few, seed + 1).images]), np.tile(few.labels, 2))
    strangers = not_digits(few, seed + 2)
    return digits, Part(strangers, np.zeros(len(strangers), np.uint8))


def _learn(digits: Floats, strangers: Floats, seed: int) -> Novelty:
    torch.manual_seed(seed)
    inputs = torch.from_numpy(np.concatenate([digits, strangers]))
    wanted = torch.cat([torch.zeros(len(digits)), torch.ones(len(strangers))])
    # Features differ in scale; a little is added so that dead ones do not blow up.
    middle, spread = inputs.mean(0), inputs.std(0) + 0.05
    reader = nn.Sequential(nn.Linear(inputs.shape[1], _HIDDEN), nn.ReLU(), nn.Linear(_HIDDEN, 1))
    optimizer = torch.optim.AdamW(reader.parameters(), _LEARNING_RATE, weight_decay=_WEIGHT_DECAY)
    steps = _EPOCHS * math.ceil(len(inputs) / _BATCH)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, _LEARNING_RATE, total_steps=steps)
    order = torch.Generator().manual_seed(seed)
    for _ in range(_EPOCHS):
        for chosen in torch.split(torch.randperm(len(inputs), generator=order), _BATCH):
            answers = reader((inputs[chosen] - middle) / spread)[:, 0]
            loss = F.binary_cross_entropy_with_logits(answers, wanted[chosen])
            optimizer.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            optimizer.step()
            schedule.step()
    hidden, _, output = reader
    assert isinstance(hidden, nn.Linear)
    assert isinstance(output, nn.Linear)
    with torch.no_grad():  # the scaling is worked into the first layer
        weights = hidden.weight / spread
        return Novelty(
            hidden=weights.T.contiguous().numpy(),
            hidden_bias=(hidden.bias - weights @ middle).numpy(),
            output=output.weight.T.contiguous().numpy(),
            output_bias=output.bias.numpy(),
            threshold=1.0,
            method=_METHOD,
        )


def _bent(part: Part, seed: int) -> Part:
    bent = warped_copy(torch.from_numpy(part.images.copy())[:, None], WarpKnobs(), seed)
    return Part(bent[:, 0].numpy(), part.labels)


def _mirrored(part: Part) -> Pictures:
    """Mirror the digits that become nothing: a 0, 1 or 8 stays one, a 2 and a 5 become each other."""
    return part.images[np.isin(part.labels, [3, 4, 6, 7, 9])][:, :, ::-1]


def _turned(part: Part, random: np.random.Generator) -> Pictures:
    """Turn the digits that become nothing by a quarter, to the left or to the right."""
    chosen = part.images[np.isin(part.labels, [2, 3, 4, 5, 6, 7, 9])]
    left = random.random(len(chosen)) < 0.5
    turned = [np.rot90(chosen[left], 1, (1, 2)), np.rot90(chosen[~left], -1, (1, 2))]
    return np.concatenate(turned).astype(np.uint8)


def _joined(part: Part, random: np.random.Generator) -> Pictures:
    """Join the upper or left half of one digit to the other half of a different one."""
    one, other = part.images[0::2].copy(), part.images[1::2]
    count = min(len(one), len(other))
    one, other = one[:count], other[:count]
    upright = random.random(count) < 0.5
    one[upright, :, 14:] = other[upright, :, 14:]
    one[~upright, 14:] = other[~upright, 14:]
    different = part.labels[0::2][:count] != part.labels[1::2][:count]
    return np.compress(different, one, axis=0)


def _overlaid(part: Part) -> Pictures:
    count = len(part) // 2
    one, other = part[:count], part[count : 2 * count]
    return np.compress(one.labels != other.labels, np.maximum(one.images, other.images), axis=0)


def _blot(random: np.random.Generator) -> Pictures:
    corners = int(random.integers(3, 9))
    angles, reach = np.sort(random.uniform(0, 2 * math.pi, corners)), random.uniform(4, 14, corners)
    outline = [(4 * (14 + r * math.cos(a)), 4 * (14 + r * math.sin(a))) for r, a in zip(reach, angles, strict=True)]
    sheet = Image.new("L", (4 * _SIDE, 4 * _SIDE))
    ImageDraw.Draw(sheet).polygon(outline, fill=255)
    return dyed(np.asarray(sheet.resize((_SIDE, _SIDE), Image.Resampling.BOX)) / 255, random)


def _patchwork(random: np.random.Generator) -> Pictures:
    """Few random squares, enlarged hard or softly."""
    side = int(random.integers(2, 20))
    squares = random.random((side, side)) ** random.uniform(0.5, 4)
    order = int(random.integers(0, 2))
    field = ndimage.zoom(squares, _SIDE / side, order=order, mode="nearest", grid_mode=True)
    return np.asarray((255 * np.clip(field / max(field.max(), 1e-6), 0, 1)).astype(np.uint8))


def _loose_strokes(random: np.random.Generator) -> Pictures:
    """Four to eight straight strokes anywhere: too many for a digit."""
    sheet = Image.new("L", (4 * _SIDE, 4 * _SIDE))
    pencil = ImageDraw.Draw(sheet)
    for _ in range(int(random.integers(4, 9))):
        ends = 4 * random.uniform(4, 24, 4)
        pencil.line([float(end) for end in ends], fill=255, width=int(random.uniform(4, 12)))
    return np.asarray(sheet.resize((_SIDE, _SIDE), Image.Resampling.BOX))
