"""Labelled pictures, tried in the usual forms: what a network was trained on cannot be told from its file."""

import math
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from service.adopt.asked import PRESETS, AdoptionOptions, Numbers, Refused
from service.adopt.build import laid_out
from service.adopt.canonical import Canonical, open_foreign, run_each
from service.core.errors import ServiceError
from service.lab.inputs import all_inputs, as_readable
from service.lab.picture import Picture
from service.network.passport import Input
from service.pictures import codec
from service.settings import Limits

FEWEST, MOST = 20, 2000
MOST_NUMBERS = 256 << 20  # of all their pictures: 1 GiB
PER_RUN = 16
AHEAD = 2.0  # standard errors by which one form must be ahead of another to be chosen
CHANCES = 3.0  # times chance, below which no form seems to be the right one


class Labelled(NamedTuple):
    """images: (n, channels, rows, columns) float32, 0 = black to 1 = white; classes: (n,) by index."""

    images: np.ndarray
    classes: np.ndarray


class Tried(NamedTuple):
    """
    One form on all pictures.

    right: (n,) whether each was right; confidence: the mean probability of what was told
    """

    numbers: Numbers
    right: np.ndarray
    confidence: float

    @property
    def share(self) -> float:
        """The share that was right."""
        return float(self.right.mean())

    @property
    def error(self) -> float:
        """The standard error of the share."""
        return math.sqrt(self.share * (1 - self.share) / len(self.right))

    def described(self) -> dict[str, object]:
        """As a passport keeps it."""
        told = {"right": round(self.share, 4), "error": round(self.error, 4), "confidence": round(self.confidence, 4)}
        return {"form": str(self.numbers), **told}


def read_labelled(asked: AdoptionOptions, shape: tuple[int, int, int], labels: Sequence[str]) -> Labelled:
    """Read FOLDER/<label>/<picture>, each brought to the network's size. raises: Refused."""
    files = labelled_files("--check", Path(asked.check or ""), labels)
    if len(files) < FEWEST:
        raise Refused(f"--check {asked.check}: {len(files)} pictures in folders of labels; {FEWEST} or more are wanted")
    most = min(MOST, MOST_NUMBERS // math.prod(shape))
    if len(files) > most:
        files = [files[index] for index in sorted(np.random.default_rng(0).choice(len(files), most, replace=False))]
    wanted = Input(
        shape=shape,
        prepare=asked.prepare,
        fit=asked.fit,
        filter=asked.filter,
        short_side=asked.short_side,
        fill=asked.fill,
    )
    images = np.stack([read_picture_file("--check", path, wanted) for path, _ in files])
    return Labelled(images, np.array([index for _, index in files]))


def labelled_files(option: str, folder: Path, labels: Sequence[str]) -> list[tuple[Path, int]]:
    """The files of FOLDER/<label>/, each with its class. raises: Refused, naming the option."""
    return list(_files(option, folder, labels))


def _files(option: str, folder: Path, labels: Sequence[str]) -> Iterator[tuple[Path, int]]:
    try:
        places = sorted(path for path in folder.iterdir() if path.is_dir() and not path.name.startswith("."))
    except OSError as error:
        raise Refused(f"{option} {folder}: {error.strerror}") from error
    for place in places:
        if place.name in labels:
            index = labels.index(place.name)
        elif place.name.isascii() and place.name.isdecimal() and int(place.name[:9]) < len(labels):
            index = int(place.name)
        else:
            listed = ", ".join(labels[:8])
            raise Refused(f"{option} {folder}: its folder {place.name[:80]!r} is no label; there is: {listed}, ...")
        yield from ((path, index) for path in sorted(place.iterdir()) if path.is_file() and path.name[0] != ".")


def read_picture_file(option: str, path: Path, wanted: Input) -> np.ndarray:
    """A picture as a network reads it, (channels, rows, columns). raises: Refused, naming the option."""
    limits = Limits()
    try:
        file = codec.open_posted(path.read_bytes(), limits.max_image_pixels, 0, 0, for_digit=False)
        found = all_inputs([as_readable(Picture(*file.decode()), "auto", wanted)], wanted)
        return np.asarray(found.images[0])
    except (ServiceError, OSError) as error:
        raise Refused(f"{option}: {path}: {error}") from error


def try_forms(canonical: Canonical, labelled: Labelled, asked: AdoptionOptions) -> list[Tried]:
    """Try every usual form, and what was asked for, which is then the first."""
    session = open_foreign(canonical.model)
    forms = list(dict.fromkeys([*([asked.numbers] if asked.numbers else []), *usual(canonical.source.shape[0])]))
    tried, image = [], canonical.source.image
    for numbers in forms:
        told = [
            run_each(session, [canonical.output], image, laid_out(canonical.source, numbers.of(some)), canonical.batch)[
                0
            ]
            for some in np.array_split(labelled.images, math.ceil(len(labelled.images) / PER_RUN))
        ]
        answers = np.concatenate([each.reshape(len(each), -1) for each in told]).astype(np.float64)
        best = answers.argmax(axis=1)
        tried.append(Tried(numbers, best == labelled.classes, _confidence(answers, canonical.answers)))
    return tried


def usual(channels: int) -> list[Numbers]:
    """The forms that networks are usually trained on."""
    plain = [Numbers(), Numbers(scale=255), Numbers(scale=2, mean=(1,))]
    if channels == 1:
        grey = [*plain, PRESETS["mnist"]]
        return [*grey, *(Numbers(invert=True, scale=each.scale, mean=each.mean, std=each.std) for each in grey)]
    colour = [*plain, PRESETS["imagenet"], PRESETS["caffe"]]
    return [
        *colour,
        *(Numbers(order="rgb" if each.order == "bgr" else "bgr", scale=each.scale, mean=each.mean, std=each.std)
          for each in colour),
    ]  # fmt: skip


def choose(tried: Sequence[Tried], asked: AdoptionOptions) -> Numbers:
    """
    The form that was asked for, or the one that is ahead of every other by two standard errors.

    raises: Refused where none was asked for and none is
    """
    if asked.numbers is not None:
        return asked.numbers
    best, *others = sorted(tried, key=lambda each: -each.share)
    close = [other for other in others if not is_ahead(best, other)]
    if close:
        listed = "; ".join(f"{each.numbers}: {each.share:.2f}" for each in (best, *close[:3]))
        raise Refused(
            f"--check: {len(best.right)} pictures do not tell these forms apart ({listed}): say which with --scale, "
            "--mean, --std, --colour and --invert, or give more pictures"
        )
    return best.numbers


def is_ahead(one: Tried, other: Tried) -> bool:
    """Whether one form is right more often than another by two standard errors, on the same pictures."""
    apart = one.right.astype(float) - other.right
    error = apart.std() / math.sqrt(len(apart))
    return bool(apart.mean() > AHEAD * error)


def warnings_of(tried: Sequence[Tried], chosen: Numbers, classes: int) -> Iterator[str]:
    """What the pictures say against the form that was chosen."""
    mine = next(each for each in tried if each.numbers == chosen)
    best = max(tried, key=lambda each: each.share)
    if is_ahead(best, mine):
        yield (
            f"--check: {mine.share:.2f} right at confidence {mine.confidence:.2f} as given ({mine.numbers}); "
            f"{best.numbers} gives {best.share:.2f}"
        )
    if mine.share < CHANCES / classes:
        yield f"--check: only {mine.share:.2f} right, less than {CHANCES:g} times chance: are the labels in its order?"


def _confidence(answers: np.ndarray, kind: str) -> float:
    if kind in {"softmax", "probabilities"}:
        return float(answers.max(axis=1).mean())
    return float((1 / np.exp(answers - answers.max(axis=1, keepdims=True)).sum(axis=1)).mean())
