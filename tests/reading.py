"""
How many digits are read right, over all the material there is, and what each rule of the normaliser is worth.

    python -m tests.reading                 every material: what is read, and what the plainest preparation makes of it
    python -m tests.reading --rules         each rule switched off in turn: what it had gained and lost
    python -m tests.reading --rules --page  writes that into the normaliser's page

Materials are made from seeds, from MNIST's test part, and from a folder of one's own with labels.csv (file,label) and
the pictures that it names. They are kept in build/reading, for drawing them takes longer than reading them.
"""

import argparse
import contextlib
import csv
import functools
import hashlib
import json
import multiprocessing
import os
import pickle
import pkgutil
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from unittest import mock

import numpy as np
from PIL import Image, ImageFilter, ImageFont, ImageOps

from service.core.digit import prepare
from service.core.digit.ink import _skewed_dark
from service.core.errors import InvalidImage
from service.settings import SHIPPED_MODELS
from tests import corruptions, gauntlet
from tests.benchmarks.page import put
from tests.serving import ROOT
from training.data.mnist import find_mnist, load_mnist
from training.export.runner import open_session, run_all

Picture = np.ndarray
Labelled = list[tuple[Picture, int]]
NONE = -1  # the label of what is no digit
CACHE = ROOT / "build" / "reading"
PAGE, BY = ROOT / "service" / "core" / "digit" / "README.md", "python -m tests.reading --rules --page"
STROKES = (-8, -4, 0, 5, 8, 12, 16, 20)  # passes that thicken a canvas' stroke: 5 to 32 % of the digit's height


# ------------------------------------------------------------------------------------------------------- redrawn digits


def redrawn(digit: Picture, size: int, thick: int = 0, *, turn: float = 0.0) -> np.ndarray:
    """
    Draw a digit of MNIST again with crisp edges: (side, side), 0 to 1, side = 1.4 size.

    size: of its 20 pixels, in pixels; thick: passes of a 3 x 3 maximum at size 200, below 0 of a minimum
    """
    large = Image.fromarray(digit).resize((280, 280), Image.Resampling.BICUBIC).filter(ImageFilter.GaussianBlur(4))
    crisp = Image.fromarray(np.uint8(np.clip((np.asarray(large) / 255 - 0.5) * 4 + 0.5, 0, 1) * 255))
    for _ in range(abs(thick)):
        crisp = crisp.filter(ImageFilter.MaxFilter(3) if thick > 0 else ImageFilter.MinFilter(3))
    crisp = crisp.rotate(turn, Image.Resampling.BICUBIC) if turn else crisp
    side = round(1.4 * size)
    return np.asarray(crisp.resize((side, side), Image.Resampling.LANCZOS), np.float32) / 255


def canvas(digit: Picture, thick: int) -> Picture:
    """Draw a digit dark on a clean white canvas, 200 of 280 pixels high."""
    return np.uint8(255 * (1 - redrawn(digit, 200, thick)))


def photo(digit: Picture, rng: np.random.Generator, *, thick: int = 0, turn: float = 0.0, blur: float = 0.7) -> Picture:
    """Photograph a digit, 120 of 320 pixels high, on evenly lit paper."""
    share, scene = redrawn(digit, 120, thick, turn=turn), np.zeros((320, 320), np.float32)
    top, left = (round((320 - len(share)) / 2 + rng.uniform(-36, 36)) for _ in range(2))
    scene[top : top + len(share), left : left + len(share)] = share
    soft = Image.fromarray(np.uint8(205 - 110 * scene)).filter(ImageFilter.GaussianBlur(blur))
    noisy = np.asarray(soft, np.float32) + rng.normal(0, 2.5, scene.shape)
    return gauntlet.jpeg(np.clip(noisy, 0, 255).astype(np.uint8), 92)


def bitmap(digit: Picture, size: int, level: float) -> Picture:
    """Draw a digit with ink of this level, dithered to black and white."""
    grey = Image.fromarray(np.uint8(255 * (1 - level * redrawn(digit, size, 0))))
    return np.asarray(grey.convert("1").convert("L"))


def cut(digit: Picture) -> np.ndarray:
    """Return a digit large and crisp, cut to its ink, 0 to 1."""
    share = redrawn(digit, 200)
    rows, columns = np.flatnonzero((share > 0.5).any(axis=1)), np.flatnonzero((share > 0.5).any(axis=0))
    return share[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]


def shrunk(share: np.ndarray, height: int, width: int) -> np.ndarray:
    """Average ink, 0 to 1, to this size."""
    image = Image.fromarray(np.uint8(255 * share)).resize((width, height), Image.Resampling.BOX)
    return np.asarray(image, np.float32) / 255


def fitted(digit: Picture, side: int) -> np.ndarray:
    """Shrink a digit so that its longer side fills a square."""
    share, field = cut(digit), np.zeros((side, side), np.float32)
    height, width = (max(1, round(length * side / max(share.shape))) for length in share.shape)
    top, left = (side - height) // 2, (side - width) // 2
    field[top : top + height, left : left + width] = shrunk(share, height, width)
    return field


def two_levels(share: np.ndarray) -> Picture:
    """Return ink in black and white, light on black."""
    return np.where(share > 0.45, np.uint8(255), np.uint8(0))


def counted_8(digit: Picture) -> Picture:
    """Return 8 x 8 as scikit-learn's digits have it: of 32 x 32 in two levels, how many of 4 x 4 are ink."""
    return np.rint(255 * (fitted(digit, 32) > 0.5).reshape(8, 4, 8, 4).mean(axis=(1, 3))).astype(np.uint8)


# ------------------------------------------------------------------------------------------------------------ materials


def materials(count: int, handwriting: Path | None) -> Iterator[tuple[str, Callable[[], Labelled]]]:
    """Every material by name, with the function that makes it."""
    folder = find_mnist()
    if folder is not None:
        test = load_mnist(folder).test
        some = np.random.default_rng(5).permutation(len(test))[:count]
        digits = list(zip(test.images[some], test.labels[some].tolist(), strict=True))

        def each(draw: Callable[[Picture], Picture]) -> Callable[[], Labelled]:
            return lambda: [(draw(digit), label) for digit, label in digits]

        yield "MNIST", lambda: list(zip(test.images, test.labels.tolist(), strict=True))
        for kind in corruptions.KINDS:
            yield (
                f"MNIST-C {kind}",
                lambda kind=kind: list(
                    zip(corruptions.corrupted(kind, test.images[some], 1), test.labels[some].tolist(), strict=True)
                ),
            )
        for thick in STROKES:
            yield f"canvas {thick:+d}", each(lambda digit, thick=thick: canvas(digit, thick))
        for name, how in {
            "even": {},
            "thick 8": {"thick": 8},
            "thick 16": {"thick": 16},
            "turn -30": {"turn": 30},
            "turn 30": {"turn": -30},
            "blur 6": {"blur": 6},
            "blur 10": {"blur": 10},
        }.items():
            rng = np.random.default_rng(1)
            yield f"photo {name}", each(lambda digit, how=how, rng=rng: photo(digit, rng, **how))
        for side in (23, 40, 80, 160):
            yield f"dither {round(1.4 * side)}", each(lambda digit, side=side: bitmap(digit, side, 0.4))
        yield "fill 16 grey", each(lambda digit: np.uint8(255 * fitted(digit, 16)))
        yield "fill 32", each(lambda digit: two_levels(fitted(digit, 32)))
        yield "fill 8", each(counted_8)
        yield "stretch 16", each(lambda digit: two_levels(shrunk(cut(digit), 16, 16)))
        yield "stretch 28", each(lambda digit: 255 - two_levels(shrunk(cut(digit), 28, 28)))
    for scene in gauntlet.SCENES:
        yield (
            f"scene {scene}",
            lambda scene=scene: [(gauntlet.picture(scene, n % 10, 70_000 + n // 10), n % 10) for n in range(count)],
        )
    if handwriting is not None:
        with (handwriting / "labels.csv").open(encoding="utf-8") as file:
            rows = [(row["file"], int(row["label"])) for row in csv.DictReader(file)]
        for part in sorted({name.partition("/")[0] for name, _ in rows}):
            yield (
                f"handwriting {part}",
                lambda part=part: [
                    (decoded(handwriting / name), label) for name, label in rows if name.startswith(part + "/")
                ],
            )
    yield from no_digits(count)


def no_digits(count: int) -> Iterator[tuple[str, Callable[[], Labelled]]]:
    """What is no digit: its share is that of what passes as one, surely."""
    from training.novelty import strangers

    def each(pictures: np.ndarray) -> Labelled:
        return [(picture, NONE) for picture in pictures]

    yield "no digit: letters", lambda: each(strangers.letters(3 * count, 8))
    yield "no digit: clothes", lambda: each(strangers.clothes(3 * count, 8))
    yield "no digit: typeset", lambda: [(typeset(seed), NONE) for seed in range(3 * count)]


def typeset(seed: int) -> Picture:
    """Set a letter unlike digits in some face, so that it fills 28 x 28."""
    from training.novelty import strangers

    rng = np.random.default_rng([9, seed])
    faces = [str(strangers._face_file(name)) for name in (*strangers._FACES, "DejaVuSerif-Bold", "DejaVuSans-Bold")]
    face = ImageFont.truetype(faces[rng.integers(len(faces))], 80)
    letter = str(rng.choice(list("AEFHKMNRUVWXYPT")))
    left, top, right, bottom = face.getbbox(letter)
    image = Image.new("L", (right - left, bottom - top))
    from PIL import ImageDraw

    ImageDraw.Draw(image).text((-left, -top), letter, font=face, fill=255)
    scale = 28 / max(image.size)
    small = image.resize([max(1, round(side * scale)) for side in image.size], Image.Resampling.BOX)
    field = Image.new("L", (28, 28))
    field.paste(small, ((28 - small.width) // 2, (28 - small.height) // 2))
    return np.asarray(field)


def decoded(path: Path) -> Picture:
    """Return a picture file as the service decodes it, upright."""
    from service.pictures import codec

    return codec.decode(path.read_bytes(), max_pixels=1 << 26, max_jpeg_pixels=1 << 26, keep_alpha=True)


def kept(name: str, make: Callable[[], Labelled]) -> Labelled:
    """Make a material, or take it from where it was kept."""
    code = b"".join(Path(module.__file__).read_bytes() for module in (gauntlet, corruptions))
    code += Path(__file__).read_bytes().partition(b"- redrawn digits")[2].partition(b"# ---- reading")[0]
    path = CACHE / hashlib.sha256(code + name.encode()).hexdigest()[:24]
    with contextlib.suppress(FileNotFoundError):
        return pickle.loads(path.read_bytes())
    made = make()
    CACHE.mkdir(parents=True, exist_ok=True)
    path.write_bytes(pickle.dumps(made))
    return made


# ---- reading ---------------------------------------------------------------------------------------------------------


def plain(picture: Picture) -> Picture:
    """
    Prepare a picture in the plainest way: its ground is its rim's level, its ink what differs, averaged and centred.

    A soft blur, a hundredth of its side, joins what is dithered.
    """
    grey = Image.fromarray(picture).convert("RGBA" if picture.ndim == 3 and picture.shape[2] == 4 else "RGB")
    flat = Image.new("RGBA", grey.size, "white")
    flat.alpha_composite(grey.convert("RGBA"))
    soft = ImageOps.grayscale(flat.convert("RGB")).filter(ImageFilter.GaussianBlur(max(grey.size) / 100))
    levels = np.asarray(soft, np.float32)
    rim = np.median(np.concatenate((levels[0], levels[-1], levels[:, 0], levels[:, -1])))
    ink = np.abs(levels - rim)
    ink /= max(float(ink.max()), 1e-6)
    rows, columns = np.flatnonzero((ink > 0.25).any(axis=1)), np.flatnonzero((ink > 0.25).any(axis=0))
    out = np.zeros((28, 28), np.uint8)
    if not len(rows):
        return out
    box = ink[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    height, width = (max(1, round(side * 20 / max(box.shape))) for side in box.shape)
    small = shrunk(box, height, width)
    down, across = small.sum(axis=1) @ np.arange(height), small.sum(axis=0) @ np.arange(width)
    top = min(max(round(14 - float(down / small.sum())), 0), 28 - height)
    left = min(max(round(14 - float(across / small.sum())), 0), 28 - width)
    out[top : top + height, left : left + width] = np.uint8(255 * np.clip(small / small.max(), 0, 1))
    return out


def prepared(picture: Picture) -> tuple[Picture, float]:
    """Return the digit in MNIST's form, and whether what was left out of it leaves it a digit: 1, or 0."""
    try:
        digit = prepare(picture)
    except InvalidImage:
        return np.zeros((28, 28), np.uint8), 0.0
    left_out = getattr(digit, "left_out", None)
    return digit.image, float(left_out is None or not left_out.is_much)


@functools.cache
def network(model: str = "digits") -> tuple[object, float]:
    """A shipped network's session, and from which novelty on a picture is no digit."""
    folder = SHIPPED_MODELS / model / "1"
    threshold = json.loads((folder / "passport.json").read_text(encoding="utf-8"))["novelty"]["threshold"]
    return open_session(folder / "model.onnx"), threshold


def verdicts(images: list[Picture]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """What the network reads in 28 x 28 pictures, how surely, and whether it takes them for digits."""
    session, threshold = network()
    batch = np.asarray(images, np.float32)[:, None] / np.float32(255)
    out = run_all(session, batch, ["logits", "probabilities", "novelty"])
    probabilities = out["probabilities"]
    return out["logits"].argmax(axis=1), probabilities.max(axis=1), out["novelty"].ravel() <= threshold


def right(material: Labelled, way: Callable[[Picture], object], processes: int) -> np.ndarray:
    """
    Return for each picture whether it is read right; for what is no digit, whether it does not pass as one.

    way: `prepared` or `plain`
    """
    pictures = [picture for picture, _ in material]
    if processes > 1:
        # Forked, so that rules that are switched off here are off there.
        with multiprocessing.get_context("fork").Pool(processes) as pool:
            seen = pool.map(way, pictures, chunksize=max(1, len(pictures) // 20))
    else:
        seen = [way(picture) for picture in pictures]
    labels = np.array([label for _, label in material])
    return is_right([one if isinstance(one, tuple) else (one, 1.0) for one in seen], labels)


def off(value: object) -> Callable[..., object]:
    """A rule that answers the same whatever it is asked."""
    return lambda *_, **__: value


def same(first: object, *_: object) -> object:
    """A rule that leaves what it is given."""
    return first


HERE = "service.core.digit"
RULES: dict[str, dict[str, object]] = {
    "MNIST's form": {f"{HERE}.already_mnist": off(None)},
    "clean ground": {f"{HERE}.clean_ink": off(None), f"{HERE}.drawn_ink": off(None)},
    "impulses": {f"{HERE}.without_impulses": same},
    "hairs": {f"{HERE}.without_hairs": same},
    "outlines": {f"{HERE}.outline_filled": same},
    "sheet on a table": {f"{HERE}.is_sheet": off(False)},
    "a closer look": {f"{HERE}.CLOSER_BELOW": 10**9},
    "keeps MNIST's size": {f"{HERE}.KEPT": (99, 0)},
    "no bold stroke on a sheet": {f"{HERE}.SHEET_STROKE": 99.0},
    "stretched ones": {f"{HERE}.unstretched": off(1.0)},
    "panels": {f"{HERE}.ink.panels_of": off(None)},
    "uneven light": {f"{HERE}.ink._uneven": off(False)},
    "ground of one level": {f"{HERE}.ink._of_one_level": off(False)},
    "faint ink": {f"{HERE}.strokes._with_faint_ink": lambda _, mask, *__: mask},
    "thin is ink": {f"{HERE}.ink._strokes_are_dark": _skewed_dark},
    "noise is cut": {f"{HERE}.thresholds.NOISE_CUT": 0.0},
    "what lies around": {f"{HERE}.strokes._surrounds": lambda pieces, *_: np.zeros(len(pieces.area), bool)},
    "ruled paper": {f"{HERE}.strokes._without_rules": same},
    "broken ink": {f"{HERE}.strokes._joined": same},
    "pieces apart": {f"{HERE}.strokes._belongs": lambda pieces, *_: np.ones(len(pieces.area), bool)},
    "base line": {f"{HERE}.strokes._without_base_line": same},
    "hairlines widened": {f"{HERE}.mnist_form.THINNEST": 0.0},
    "bold strokes thinned": {f"{HERE}.mnist_form.BROADEST": 99.0},
    "a thing in the corner": {f"{HERE}.is_in_corner": off(False)},
    "soft spots": {f"{HERE}.ink._has_no_edge": off(False)},
}


@contextlib.contextmanager
def without(rule: str) -> Iterator[None]:
    """Switch a rule off."""
    with contextlib.ExitStack() as stack:
        for target, value in RULES[rule].items():
            stack.enter_context(mock.patch(target, value))
        yield


def chosen(names: list[str], words: list[str] | None) -> list[str]:
    """Choose the names with one of the words; all of them, where there are none."""
    return [name for name in names if not words or any(word in name for word in words)]


def alike(one: object, other: object) -> bool:
    """Tell whether a rule answered the same as when it is off."""
    if isinstance(one, np.ndarray) and isinstance(other, np.ndarray):
        return one is other or np.array_equal(one, other)
    if isinstance(one, tuple) and isinstance(other, tuple):
        return len(one) == len(other) and all(map(alike, one, other))
    return one is other or (isinstance(one, bool | int | float) and one == other)


@contextlib.contextmanager
def watched(rules: list[str], acted: set[str]) -> Iterator[None]:
    """Note which rules answer anything else than they would if they were off; a number is noted always."""

    def watching(rule: str, usual: Callable[..., object], instead: Callable[..., object]) -> Callable[..., object]:
        def answer(*given: object, **named: object) -> object:
            told = usual(*given, **named)
            if rule not in acted and not alike(told, instead(*given, **named)):
                acted.add(rule)
            return told

        return answer

    with contextlib.ExitStack() as stack:
        for rule in rules:
            for target, instead in RULES[rule].items():
                if callable(instead):
                    usual = pkgutil.resolve_name(target)
                    stack.enter_context(mock.patch(target, watching(rule, usual, instead)))
                else:
                    acted.add(rule)
        yield


def prepared_without(rules: list[str], picture: Picture) -> tuple[tuple[Picture, float], dict[str, tuple]]:
    """Prepare a picture, and again without each of the rules that had a say in it; kept is what differs."""
    acted: set[str] = set()
    with watched(rules, acted):
        usual = prepared(picture)
    others = {}
    for rule in sorted(acted):
        with without(rule):
            other = prepared(picture)
        if not (np.array_equal(other[0], usual[0]) and other[1] == usual[1]):
            others[rule] = other
    return usual, others


def is_right(seen: list[tuple[Picture, float]], labels: np.ndarray) -> np.ndarray:
    """Tell of prepared pictures whether each is read right; of what is no digit, whether it does not pass as one."""
    whole = np.array([one[1] for one in seen]) > 0
    read, sure, is_digit = verdicts([one[0] for one in seen])
    return np.where(labels == NONE, ~(whole & is_digit & (sure > 0.9)), read == labels)


def print_rules(makers: dict[str, Callable[[], Labelled]], rules: list[str], options: argparse.Namespace) -> None:
    """
    Switch each rule off in turn: print how many pictures it had won and lost, and of which materials.

    A picture is prepared again only without the rules that had a say in it, and read again only where that shows.
    """
    gained: dict[str, dict[str, tuple[int, int]]] = {rule: {} for rule in rules}
    count = 0
    with multiprocessing.get_context("fork").Pool(options.processes) as pool:
        for name, make in makers.items():
            material = kept(f"{name} {options.count}", make)
            some = np.random.default_rng(3).permutation(len(material))[: options.sample]
            labels = np.array([material[n][1] for n in some])
            seen = pool.map(functools.partial(prepared_without, rules), [material[n][0] for n in some], chunksize=5)
            usual = is_right([one for one, _ in seen], labels)
            count += len(some)
            for rule in rules:
                where = [n for n, (_, others) in enumerate(seen) if rule in others]
                if where:
                    other = is_right([seen[n][1][rule] for n in where], labels[where])
                    gain, loss = int((usual[where] & ~other).sum()), int((other & ~usual[where]).sum())
                    if gain or loss:
                        gained[rule][name] = (gain, loss)
            print(f"{name}: {int(usual.sum())} of {len(some)}", file=sys.stderr, flush=True)
    lines = [
        f"Of {count} pictures, what is read right only with a rule, and only without it:",
        "",
        "| rule | with | without | most |",
        "|---|---|---|---|",
    ]
    for rule, table in gained.items():
        gain, loss = np.sum([(0, 0), *table.values()], axis=0)
        told = sorted(table.items(), key=lambda item: (item[1][1] - item[1][0], item[0]))
        most = [*told[:3], *[each for each in told[3:] if each[1][1] > each[1][0]]]
        lines.append(f"| {rule} | {gain} | {loss} | {', '.join(f'{name} +{m} -{n}' for name, (m, n) in most)} |")
    print("\n".join(lines))
    if options.page:
        PAGE.write_text(put(PAGE.read_text(encoding="utf-8"), "rules", lines, BY), encoding="utf-8")


def print_table(makers: dict[str, Callable[[], Labelled]], options: argparse.Namespace) -> None:
    """Print what is read of each material, beside the plainest preparation and what was read before."""
    before = json.loads(options.beside.read_text()) if options.beside else {}
    shares = {}
    print(f"{'':28}{'count':>7}{'right':>7}{'%':>8}{'plain':>8}{'before':>8}")
    for name, make in makers.items():
        material = kept(f"{name} {options.count}", make)
        ours = right(material, prepared, options.processes)
        shares[name] = share = 100 * float(ours.mean())
        control = np.nan if options.no_plain else 100 * right(material, plain, options.processes).mean()
        was = before.get(name, np.nan)
        numbers = f"{len(ours):7d}{int(ours.sum()):7d}{share:8.2f}{control:8.2f}{was:8.2f}"
        print(f"{name:28}{numbers}{' <' if share < was - 1e-9 else ''}", flush=True)
    for group in ("MNIST-C", "canvas", "scene", "handwriting", "no digit"):
        inside = [name for name in shares if name.startswith(group)]
        if inside:
            was = np.mean([before.get(name, np.nan) for name in inside])
            print(f"mean of {group:34}{np.mean([shares[name] for name in inside]):8.2f}{'':8}{was:8.2f}")
    if options.save:
        options.save.write_text(json.dumps(shares, indent=1))


def main() -> None:
    """Print the table that was asked for."""
    parser = argparse.ArgumentParser(prog="python -m tests.reading", description=__doc__.splitlines()[1])
    parser.add_argument(
        "--rules", nargs="*", metavar="WORD", help="switch rules off: all, or those with one of the words"
    )
    parser.add_argument("--page", action="store_true", help="write what rules are worth into the normaliser's page")
    parser.add_argument("--only", nargs="+", metavar="WORD", help="of the materials those with one of the words")
    parser.add_argument("--count", type=int, default=200, help="pictures of each kind")
    parser.add_argument("--sample", type=int, default=200, help="pictures of each kind that rules are tried on")
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--no-plain", action="store_true", help="leave the plainest preparation out")
    parser.add_argument("--save", type=Path, help="keep the table in this file")
    parser.add_argument("--beside", type=Path, help="print a table that was kept beside it")
    named = os.environ.get("FILTERSCOPE_HANDWRITING")
    parser.add_argument("--handwriting", type=Path, default=Path(named) if named else None)
    options = parser.parse_args()
    makers = dict(materials(options.count, options.handwriting))
    makers = {name: makers[name] for name in chosen(list(makers), options.only)}
    if options.rules is not None:
        print_rules(makers, chosen(list(RULES), options.rules), options)
    else:
        print_table(makers, options)


if __name__ == "__main__":
    main()
