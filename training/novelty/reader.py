"""
Is it a digit at all? A small reader of the head's input answers in the same run.

It learns from digits (as they are, bent, written in other ways) and from pictures that are none (`negatives.py`). None
of those that it is measured with (`strangers.py`) is among them. Distances to the classes' Gaussians (Lee et al. 2018)
were tried first and lost clearly. A small convolutional branch of its own, on the picture or on the first pooling, was
tried too: alone it tells letters apart worse, beside the head's input no better, for a tenth of the network's work.
"""

import math
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.special import expit
from torch import nn
from torch.nn import functional as F  # noqa: N812  its customary name

from training.data.mnist import Part
from training.data.variants import variants
from training.export.onnx_files import Novelty
from training.networks.fit import THREADS
from training.novelty.negatives import bent, bent_digits, drawn, from_digits

FLAGGED_SHARE = 0.01  # of the validation digits lie above the threshold
_HIDDEN = 32  # with 16 letters are told apart worse, with 64 hardly better; it costs a microsecond
_DIGITS = 40_000  # to learn from, at most
_EPOCHS = 12
_BATCH = 500
_LEARNING_RATE = 3e-3
_WEIGHT_DECAY = 1e-2
_METHOD = (
    "probability of being no digit, read from the head's input by one hidden layer that learnt from digits and from "
    "seeded non-digits (letters, signs, scribbles, dots, silhouettes, blots, patchwork, grain, photograph-like fields; "
    "mirrored, turned, joined, overlaid and paired digits)"
)

Floats = NDArray[np.float32]
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
    return np.asarray(expit(strangeness_of(novelty, features)))


def strangeness_of(novelty: Novelty, features: Floats) -> NDArray[np.float64]:
    """Return the score before its sigmoid, of any range: features (count, F) -> (count,)."""
    hidden = np.maximum(features.astype(np.float64) @ novelty.hidden + novelty.hidden_bias, 0)
    return np.asarray((hidden @ novelty.output + novelty.output_bias)[:, 0])


def _examples(train: Part, seed: int) -> tuple[Part, Part]:
    random = np.random.default_rng(seed)
    few = train[random.permutation(len(train))[:_DIGITS]]
    shown = [few, bent_digits(few, seed + 1), bent_digits(few, seed + 2), variants(few, len(few) // 8, seed + 3)]
    digits = Part(np.concatenate([one.images for one in shown]), np.concatenate([one.labels for one in shown]))
    # Each is seen bent as well: that costs little beside drawing, and halves the letters that pass.
    strangers = np.concatenate([from_digits(few, seed + 2), drawn(2 * len(few), seed + 2, workers=THREADS)])
    strangers = np.concatenate([strangers, bent(strangers, seed + 4)])
    return digits, Part(strangers, np.zeros(len(strangers), np.uint8))


def _learn(digits: Floats, strangers: Floats, seed: int) -> Novelty:
    torch.manual_seed(seed)
    # In 16 bits, or they would take a gigabyte.
    inputs = torch.cat([torch.from_numpy(part.astype(np.float16)) for part in (digits, strangers)])
    wanted = torch.cat([torch.zeros(len(digits)), torch.ones(len(strangers))])
    # Features differ in scale; a little is added so that dead ones do not blow up.
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
        return Novelty(
            hidden=weights.T.contiguous().numpy(),
            hidden_bias=(hidden.bias - weights @ middle).numpy(),
            output=output.weight.T.contiguous().numpy(),
            output_bias=output.bias.numpy(),
            threshold=1.0,
            method=_METHOD,
        )
