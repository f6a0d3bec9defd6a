"""Fitting the seam network: composed strings in, a trained network out."""

import time
from collections.abc import Callable, Sequence

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F  # noqa: N812  its customary name
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from training.data.mnist import LabelledDigits
from training.networks.fit import uses_bfloat16
from training.seams.knobs import SeamKnobs
from training.seams.network import SeamNetwork
from training.seams.strings import PAPER, SeamString, seam_strings

Batch = tuple[Tensor, Tensor, Tensor]


def fit_seams(digits: LabelledDigits, knobs: SeamKnobs, say: Callable[[str], object] = print) -> SeamNetwork:
    """Train a seam network on strings composed of `digits`."""
    torch.set_num_threads(1)  # two wait for each other longer than they work, on maps as small as these
    torch.manual_seed(knobs.seed)
    started = time.perf_counter()
    strings = sorted(
        seam_strings(digits, knobs.strings, knobs.seed, knobs.composed), key=lambda string: string.ink.shape[::-1]
    )
    say(f"{len(strings)} strings after {time.perf_counter() - started:.0f} s")
    network = SeamNetwork(knobs.channels).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    mean = get_ema_multi_avg_fn(1 - 1 / knobs.average_steps)  # type: ignore[no-untyped-call]
    average = AveragedModel(network, multi_avg_fn=mean, use_buffers=True)
    optimizer = torch.optim.AdamW(network.parameters(), lr=knobs.learning_rate, weight_decay=knobs.weight_decay)
    size = knobs.batch_size
    steps = knobs.epochs * (len(strings) // size)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, knobs.learning_rate, total_steps=steps, pct_start=knobs.warm_up
    )
    rng = np.random.default_rng(knobs.seed)
    for epoch in range(knobs.epochs):
        losses = []
        # Strings of one width are shown together, another choice of them in every epoch.
        shift = int(rng.integers(size))
        for place in rng.permutation(len(strings) // size):
            first = min(place * size + shift, len(strings) - size)
            loss = _loss(network, stacked(strings[first : first + size]), knobs)
            optimizer.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            optimizer.step()
            schedule.step()
            average.update_parameters(network)
            losses.append(float(loss.detach()))
        say(f"epoch {epoch + 1}: loss {np.mean(losses):.4f} after {time.perf_counter() - started:.0f} s")
    kept = average.module
    assert isinstance(kept, SeamNetwork)
    return kept.eval()


def stacked(strings: Sequence[SeamString]) -> Batch:
    """Strings as one batch, each with paper at its ends until all are as large as the largest."""
    rows, columns = (max(string.ink.shape[axis] for string in strings) for axis in (0, 1))
    pads = [[(0, rows - s.ink.shape[0]), (0, columns - s.ink.shape[1])] for s in strings]
    ink = np.array([np.pad(s.ink, pad) for s, pad in zip(strings, pads, strict=True)])
    seam = np.array([np.pad(s.seam, pad) for s, pad in zip(strings, pads, strict=True)])
    classes = np.array([np.pad(s.classes, pad, constant_values=PAPER) for s, pad in zip(strings, pads, strict=True)])
    return torch.from_numpy(ink)[:, None], torch.from_numpy(seam)[:, None], torch.from_numpy(classes.astype(np.int64))


def _loss(network: SeamNetwork, batch: Batch, knobs: SeamKnobs) -> Tensor:
    ink, seam, classes = batch
    with torch.autocast("cpu", torch.bfloat16, enabled=uses_bfloat16(knobs.precision)):
        logits, whose = network(ink.contiguous(memory_format=torch.channels_last))
    logits, whose = logits.float(), whose.float()
    weight = torch.clamp(ink, min=knobs.paper_weight)
    pull = torch.tensor(knobs.seam_weight)
    from_seams = F.binary_cross_entropy_with_logits(logits, seam, weight, reduction="sum", pos_weight=pull)
    from_seams = from_seams / weight.sum()
    coarse = classes[:, ::2, ::2]
    return from_seams + knobs.classes_share * F.cross_entropy(whose, coarse, ignore_index=PAPER)
