"""
Fitting: warped digits in, a trained network out.

One epoch is one warped copy of the training part, made from the seed and the epoch's number. Adam changes the weights,
under the one-cycle schedule; a moving average of them is kept.
"""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812  its customary name
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from training.data.mnist import LabelledDigits, Mnist
from training.data.variants import variants
from training.data.warps import warped_copy
from training.knobs import Knobs
from training.networks.network import TrainableNetwork, folded_weights, in_16_bits, network_from
from training.networks.progress import Progress
from training.networks.snapshots import Watch, moments
from training.networks.structure import NamedWeights, Structure

THREADS = 2
_EVALUATION_BATCH = 1000
_SEEDS_APART = 100_003  # prime, so that the copies of one seed's epochs and another's never meet


@dataclass(frozen=True)
class Lesson:
    """
    What one epoch shows; every epoch of a run shows as many images.

    images: (count, 1, 28, 28) uint8   labels: (count,) int64
    answers: a teacher's logits, (count, 10), or None; a row of NaN where the teacher is not asked
    """

    images: Tensor
    labels: Tensor
    answers: Tensor | None = None


Epochs = Callable[[int], Lesson]  # by the epoch's number, from 0


@dataclass
class History:
    """What the learning curve draws: one entry per epoch, and one per look at the validation part."""

    train_loss: list[float] = field(default_factory=list)
    looked_at: list[int] = field(default_factory=list)
    validation_accuracy: list[float] = field(default_factory=list)
    seconds: float = 0.0
    images: int = 0  # that were shown


@dataclass(frozen=True)
class Fitted:
    """A trained network in evaluation mode, with its history."""

    network: TrainableNetwork
    history: History


def fit(
    structure: Structure,
    data: Mnist,
    knobs: Knobs,
    epochs: Epochs | None = None,
    threads: int = THREADS,
    start: NamedWeights | None = None,
    watch: Watch | None = None,
) -> Fitted:
    """
    Train a network of `structure` on data.train; data.validation is looked at, data.test never.

    epochs: gives each epoch's lesson; by default fresh warps without a teacher.
    start: folded weights to go on from; there is nothing left to normalise then, and the norms stay as they are
    watch: takes its snapshots on the way; the last is of the network that is returned
    """
    torch.set_num_threads(threads)
    torch.manual_seed(knobs.seed)
    network = TrainableNetwork(structure) if start is None else network_from(structure, start)
    network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    mean = get_ema_multi_avg_fn(1 - 1 / knobs.average_steps)  # type: ignore[no-untyped-call]
    average = AveragedModel(network, multi_avg_fn=mean, use_buffers=True)
    keep_norms = start is not None
    epochs = epochs or _fresh_warps(data.train, knobs)
    history = _run(network, average, data, knobs, epochs, keep_norms=keep_norms, watch=watch)
    kept: nn.Module = average.module if knobs.average else network
    kept.to(memory_format=torch.contiguous_format)  # type: ignore[call-overload]
    assert isinstance(kept, TrainableNetwork)
    if watch is not None:
        look_at(kept, history.images, watch)
    return Fitted(kept.eval(), history)


def accuracy(network: nn.Module, part: LabelledDigits) -> float:
    """Return the share of `part` that the network reads right, in 32 bits."""
    return float((logits_of(network, part).argmax(1) == part.labels).mean())


@torch.inference_mode()
def logits_of(network: nn.Module, part: LabelledDigits, precision: str = "float32") -> NDArray[np.float32]:
    """Return the network's logits for every image of `part`, (count, 10) float32."""
    network.eval()
    images = torch.from_numpy(part.as_network_input())
    with torch.autocast("cpu", torch.bfloat16, enabled=uses_bfloat16(precision)):
        answers = [network(batch) for batch in torch.split(images, _EVALUATION_BATCH)]
    return torch.cat(answers).float().numpy()


def look_at(network: TrainableNetwork, images: int, watch: Watch) -> None:
    """Keep a snapshot of a network that has seen so many images, measured as it is kept: in 16 bits."""
    weights = in_16_bits(folded_weights(network))
    watch.keep(images, weights, logits_of(network_from(network.structure, weights), watch.part))


def copy_seed(seed: int, epoch: int) -> int:
    """Return the seed of one epoch's warped copy; no two pairs of seed and epoch share one."""
    return seed * _SEEDS_APART + epoch


def _fresh_warps(train: LabelledDigits, knobs: Knobs) -> Epochs:
    lesson, warps = lesson_of(train), knobs.warps
    if warps is None:
        return lambda _: lesson
    return lambda epoch: Lesson(warped_copy(lesson.images, warps, copy_seed(knobs.seed, epoch)), lesson.labels)


def lesson_of(part: LabelledDigits) -> Lesson:
    """Return the images of a part with their labels."""
    return Lesson(as_bytes(part), torch.from_numpy(part.labels.astype(np.int64)))


def with_variants(lesson: Lesson, count: int, seed: int) -> Lesson:
    """Return the lesson with `count` of its digits shown once more in another way of writing, the teacher not asked."""
    digits = LabelledDigits(lesson.images[:, 0].numpy(), lesson.labels.numpy().astype(np.uint8))
    more = lesson_of(variants(digits, count, seed))
    answers = lesson.answers
    if answers is not None:
        answers = torch.cat([answers, torch.full((count, answers.shape[1]), torch.nan, dtype=answers.dtype)])
    return Lesson(torch.cat([lesson.images, more.images]), torch.cat([lesson.labels, more.labels]), answers)


def as_bytes(part: LabelledDigits) -> Tensor:
    """Return the images as a (count, 1, 28, 28) uint8 tensor."""
    return torch.from_numpy(part.images.copy())[:, None]


def _run(
    network: TrainableNetwork,
    average: AveragedModel,
    data: Mnist,
    knobs: Knobs,
    epochs: Epochs,
    *,
    keep_norms: bool,
    watch: Watch | None,
) -> History:
    lesson = epochs(0)
    steps = knobs.epochs * len(range(0, len(lesson.labels), knobs.batch_size))
    optimizer, schedule = _optimizer(network, knobs, steps)
    looks = set() if watch is None else set(moments(steps, watch.count)[:-1])
    order = torch.Generator().manual_seed(knobs.seed)
    kept = average.module if knobs.average else network
    history = History()
    done = 0
    started = time.perf_counter()
    with Progress(knobs.epochs) as progress:
        for epoch in range(1, knobs.epochs + 1):
            lesson = lesson if epoch == 1 else epochs(epoch - 1)
            losses = []
            network.train()
            if keep_norms:
                network.hold_norms()
            for chosen in _batches(len(lesson.labels), knobs.batch_size, order):
                if watch is not None and done in looks:
                    look_at(network, history.images, watch)
                loss = _loss(network, lesson, chosen, knobs)
                optimizer.zero_grad()
                loss.backward()  # type: ignore[no-untyped-call]
                optimizer.step()
                schedule.step()
                average.update_parameters(network)
                losses.append(float(loss.detach()))
                done += 1
                history.images += len(chosen)
            history.train_loss.append(float(np.mean(losses)))
            looked = epoch % knobs.validate_every == 0 or epoch == knobs.epochs
            if looked:
                history.looked_at.append(epoch)
                history.validation_accuracy.append(accuracy(kept, data.validation))
            progress.ended(epoch, history.train_loss[-1], history.validation_accuracy[-1] if looked else None)
    history.seconds = time.perf_counter() - started
    return history


def _optimizer(
    network: TrainableNetwork, knobs: Knobs, steps: int
) -> tuple[torch.optim.Optimizer, torch.optim.lr_scheduler.LRScheduler]:
    trainable = [parameter for parameter in network.parameters() if parameter.requires_grad]
    decayed = [parameter for parameter in trainable if parameter.ndim > 1]
    plain = [parameter for parameter in trainable if parameter.ndim <= 1]
    groups = [{"params": decayed, "weight_decay": knobs.weight_decay}, {"params": plain, "weight_decay": 0.0}]
    optimizer = torch.optim.AdamW(groups, lr=knobs.learning_rate, fused=True)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, knobs.learning_rate, total_steps=steps, pct_start=knobs.warm_up
    )
    return optimizer, schedule


def _batches(count: int, size: int, order: torch.Generator) -> Iterator[Tensor]:
    yield from torch.split(torch.randperm(count, generator=order), size)


def _loss(network: TrainableNetwork, lesson: Lesson, chosen: Tensor, knobs: Knobs) -> Tensor:
    inputs = (lesson.images[chosen].float() / 255).contiguous(memory_format=torch.channels_last)
    with torch.autocast("cpu", torch.bfloat16, enabled=uses_bfloat16(knobs.precision)):
        logits = network(inputs)
    logits = logits.float()
    from_labels = F.cross_entropy(
        logits, lesson.labels[chosen], reduction="none", label_smoothing=knobs.label_smoothing
    )
    if lesson.answers is None:
        return from_labels.mean()
    answers = lesson.answers[chosen].float()
    share = knobs.distil_share * (~answers[:, 0].isnan()).float()
    from_teacher = _distance(logits, answers.nan_to_num(), knobs.distil_temperature)
    return (share * from_teacher + (1 - share) * from_labels).mean()


def _distance(logits: Tensor, teacher: Tensor, temperature: float) -> Tensor:
    """Return how far each softened answer is from the teacher's, (count,) (Hinton, Vinyals and Dean 2015)."""
    ours = F.log_softmax(logits / temperature, dim=1)
    theirs = F.log_softmax(teacher / temperature, dim=1)
    return F.kl_div(ours, theirs, reduction="none", log_target=True).sum(1) * temperature**2


def uses_bfloat16(precision: str) -> bool:
    """Tell whether `precision` ("auto", "bfloat16" or "float32") means bfloat16 on this processor."""
    if precision == "auto":
        return bool(torch.ops.mkldnn._is_mkldnn_bf16_supported()) and _has_bfloat16_units()  # noqa: SLF001
    return precision == "bfloat16"


def _has_bfloat16_units() -> bool:
    return "bf16" in " ".join(name for name, there in torch.cpu.get_capabilities().items() if there is True)
