"""
The novelty reader: a small network that says whether a picture is a digit at all.

It learns from digits (as they are, warped, written in other ways) and from negatives, and answers in the same run. None
of the pictures that it is measured with (`strangers.py`) is among them. Distances to the classes' Gaussians (Lee et al.
2018) were tried first and lost clearly. A small convolutional branch of its own, on the picture or on the first
pooling, was tried too: alone it tells letters apart worse, beside the head's input no better, for a tenth of the
network's work.
"""

import math
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn
from torch.nn import functional as F  # noqa: N812  its customary name

from training.data.mnist import LabelledDigits
from training.data.variants import variants
from training.data.warps import warped_digits, warped_pictures
from training.networks.fit import THREADS
from training.novelty.negatives import drawn, from_digits
from training.novelty.weights import Floats, NoveltyWeights, novelty_of

FLAGGED_SHARE = 0.01  # of the validation digits lie above the threshold
_HIDDEN = 32  # with 16 letters are told apart worse, with 64 hardly better; it costs a microsecond
_DIGITS = 40_000  # to learn from, at most
_EPOCHS = 12
_BATCH = 500
_LEARNING_RATE = 3e-3
_WEIGHT_DECAY = 1e-2
_METHOD = (
    "probability of being no digit, read from the head's input by one hidden layer that learnt from digits and from "
    "seeded non-digits (letters, signs, scribbles, dots, slabs, bars, silhouettes, blots, patchwork, grain, "
    "photograph-like fields; "
    "mirrored, turned, joined, overlaid and paired digits)"
)

FeaturesOf = Callable[[LabelledDigits], Floats]


def fit_novelty(
    features: FeaturesOf, train: LabelledDigits, validation: LabelledDigits, seed: int = 1
) -> NoveltyWeights:
    """
    Learn to tell digits from what is none, and set the threshold that flags 1 % of the validation digits.

    features: what the head reads for the images of a part, (count, F)
    """
    digits, negatives = _examples(train, seed)
    novelty = _learn(features(digits), features(negatives), seed)
    return replace(novelty, threshold=threshold_for(novelty_of(novelty, features(validation))))


def threshold_for(scores: NDArray[np.float64]) -> float:
    """Return the score above which 1 % of these digits lie."""
    return float(np.quantile(scores, 1 - FLAGGED_SHARE))


def _examples(train: LabelledDigits, seed: int) -> tuple[LabelledDigits, LabelledDigits]:
    random = np.random.default_rng(seed)
    sample = train[random.permutation(len(train))[:_DIGITS]]
    shown = [
        sample,
        warped_digits(sample, seed + 1),
        warped_digits(sample, seed + 2),
        variants(sample, len(sample) // 8, seed + 3),
    ]
    digits = LabelledDigits(
        np.concatenate([one.images for one in shown]), np.concatenate([one.labels for one in shown])
    )
    # Each is seen warped as well: that costs little beside drawing, and halves the letters that pass.
    negatives = np.concatenate([from_digits(sample, seed + 2), drawn(2 * len(sample), seed + 2, workers=THREADS)])
    negatives = np.concatenate([negatives, warped_pictures(negatives, seed + 4)])
    return digits, LabelledDigits(negatives, np.zeros(len(negatives), np.uint8))


def _learn(digits: Floats, negatives: Floats, seed: int) -> NoveltyWeights:
    torch.manual_seed(seed)
    # In 16 bits, or they would take a gigabyte.
    inputs = torch.cat([torch.from_numpy(part.astype(np.float16)) for part in (digits, negatives)])
    wanted = torch.cat([torch.zeros(len(digits)), torch.ones(len(negatives))])
    # Features differ in scale; a little is added so that constant ones do not become huge.
    sample = inputs[::3].float()
    middle, spread = sample.mean(0), sample.std(0) + 0.05
    reader = nn.Sequential(nn.Linear(inputs.shape[1], _HIDDEN), nn.ReLU(), nn.Linear(_HIDDEN, 1))
    optimizer = torch.optim.AdamW(reader.parameters(), _LEARNING_RATE, weight_decay=_WEIGHT_DECAY)
    steps = _EPOCHS * math.ceil(len(inputs) / _BATCH)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, _LEARNING_RATE, total_steps=steps)
    order = torch.Generator().manual_seed(seed)
    for _ in range(_EPOCHS):
        for chosen in torch.split(torch.randperm(len(inputs), generator=order), _BATCH):
            answers = reader((inputs[chosen].float() - middle) / spread)[:, 0]
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
        return NoveltyWeights(
            hidden=weights.T.contiguous().numpy(),
            hidden_bias=(hidden.bias - weights @ middle).numpy(),
            output=output.weight.T.contiguous().numpy(),
            output_bias=output.bias.numpy(),
            threshold=1.0,
            method=_METHOD,
        )
