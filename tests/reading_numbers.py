"""
How many strings of digits are read right: of other people's pictures, and of strings composed of MNIST's test part.

    python -m tests.reading_numbers [--count N] [--first SEED] [--wrong] [STYLE ...]

Pictures of other people are looked for in a folder `numbers` or `shared/numbers` beside or above the checkout: a
`labels.csv` with the columns file, lines and style, and the files in `pictures`. Where they or MNIST are absent, that
is said. `exact` counts pictures of which every line is right, whatever was refused; `F1` is of digits in their order;
`answered` is the share of digits that are answered for, and `sure` the share of those that are right.
"""

import argparse
import csv
import os
import time
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # as the service has it: threads that wait are counted as work

import numpy as np

from service.batch.digits import open_network
from service.core.errors import ServiceError
from service.lab.options import ReadOptions
from service.lab.picture import Picture
from service.lab.read.reading import READ_SIDE, read_picture
from service.lab.read.telling import described
from service.pictures import codec
from service.settings import SHIPPED_MODELS, Settings
from tests.composing import KINDS, compose
from training.data.mnist import find_mnist, load_mnist

LIMITS = Settings(max_jpeg_pixels=200_000_000, max_image_pixels=50_000_000)


def find_pictures():
    """The folder of other people's pictures, or None."""
    above = Path(__file__).resolve().parents
    folders = [folder / name for folder in above for name in ("numbers", "shared/numbers")]
    return next((folder for folder in folders if (folder / "labels.csv").is_file()), None)


def pictures(folder):
    """(style, name, picture, lines) of other people's pictures."""
    with (folder / "labels.csv").open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            data = (folder / "pictures" / row["file"]).read_bytes()
            allowed = LIMITS.max_image_pixels, LIMITS.max_jpeg_pixels, LIMITS.max_scan_pixels
            opened = codec.open_posted(data, *allowed, for_digit=True, reduced_side=READ_SIDE)
            yield row["style"], row["file"], Picture(*opened.decode()), row["lines"].split("/")


def composed(digits, kind, count, first=0):
    """(kind, name, picture, lines) of composed strings."""
    for seed in range(first, first + count):
        picture, lines = compose(kind, digits, seed)
        yield f"{kind} (composed)", f"{kind} {seed}", Picture(picture), lines


def read(picture, network, **options):
    """What is read in a picture: the result of POST /v1/read, and its lines of digits, whatever was refused."""
    asked = ReadOptions(**options)
    try:
        result = described(read_picture(picture, network, asked, LIMITS), network, asked)
    except ServiceError as error:
        return None, [str(error.detail)]
    return result, lines_of(result)


def lines_of(result):
    """The lines of a result as digits, also those that are not answered for."""
    return [
        "".join(
            str(digit.get("best", digit["digit"]))
            for number in line["numbers"]
            for digit in (result["digits"][index] for index in result["numbers"][number]["digits"])
        )
        for line in result["lines"]
    ]


@dataclass
class Score:
    """Counts of one style."""

    pictures: int = 0
    exact: int = 0
    right: int = 0
    wanted: int = 0
    found: int = 0
    answered: int = 0
    sure: int = 0
    seconds: float = 0.0

    def add(self, wanted, got, result):
        """Count one picture."""
        self.pictures += 1
        self.exact += wanted == got
        text = "".join(wanted)
        self.wanted += len(text)
        if result is None:
            return
        pairs = matched(text, "".join(got))
        self.right += len(pairs)
        self.found += len(result["digits"])
        matches = {index for _, index in pairs}
        order = [index for line in result["lines"] for n in line["numbers"] for index in result["numbers"][n]["digits"]]
        for place, index in enumerate(order):
            if result["digits"][index]["digit"] is not None:
                self.answered += 1
                self.sure += place in matches

    def __str__(self):
        f1 = 2 * self.right / max(1, self.wanted + self.found)
        share, sure = self.answered / max(1, self.wanted), self.sure / max(1, self.answered)
        return (
            f"exact {self.exact:4d} of {self.pictures:4d} {self.exact / self.pictures:6.1%}   F1 {f1:.3f}   "
            f"answered {share:6.1%}, right {sure:6.1%}   {1e3 * self.seconds / self.pictures:5.0f} ms"
        )


def told_lines(result, wanted):
    """(confidence, whether it is right) of every line, where there are as many as are wanted."""
    if result is None or len(result["lines"]) != len(wanted):
        return []
    told = zip(result["lines"], lines_of(result), wanted, strict=True)
    return [
        (float(np.prod([result["numbers"][number]["confidence"] for number in line["numbers"]])), got == text)
        for line, got, text in told
    ]


def calibration_error(told, bins=10):
    """
    By how much confidence differs from the share that is right: the mean over bins, by how many are in each.

    >>> calibration_error([(0.9, True), (0.95, True), (0.3, False), (0.2, True)])
    0.3125
    """
    total = 0.0
    for index in range(bins):
        inside = [each for each in told if index <= min(bins * each[0], bins - 1e-9) < index + 1]
        if inside:
            total += abs(sum(confidence for confidence, _ in inside) - sum(right for _, right in inside))
    return round(total / len(told), 4)


def matched(one, other):
    """
    (place in one, place in other) of a longest common subsequence.

    >>> matched("1234", "1934")
    [(0, 0), (2, 2), (3, 3)]
    """
    table = [[0] * (len(other) + 1) for _ in range(len(one) + 1)]
    for i in range(len(one) - 1, -1, -1):
        for j in range(len(other) - 1, -1, -1):
            table[i][j] = table[i + 1][j + 1] + 1 if one[i] == other[j] else max(table[i + 1][j], table[i][j + 1])
    i = j = 0
    pairs = []
    while i < len(one) and j < len(other):
        if one[i] == other[j]:
            pairs.append((i, j))
            i, j = i + 1, j + 1
        elif table[i + 1][j] >= table[i][j + 1]:
            i += 1
        else:
            j += 1
    return pairs


def main():
    """Measure, and print a line for each style."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[1])
    parser.add_argument("styles", nargs="*", help="only these styles and kinds")
    parser.add_argument("--count", type=int, default=100, help="of composed strings of each kind")
    parser.add_argument("--first", type=int, default=0, help="seed of the first of each kind")
    parser.add_argument("--wrong", action="store_true", help="print what is read wrong")
    asked = parser.parse_args()
    network = open_network(SHIPPED_MODELS, "digits")
    folder, mnist = find_pictures(), find_mnist()
    material = list(pictures(folder)) if folder else []
    if mnist:
        digits = load_mnist(mnist).test
        kinds = [kind for kind in KINDS if not asked.styles or kind in asked.styles]
        material += [each for kind in kinds for each in composed(digits, kind, asked.count, asked.first)]
    scores, told = defaultdict(Score), []
    for style, name, picture, wanted in material:
        if asked.styles and style.split()[0] not in asked.styles:
            continue
        began = time.process_time()
        result, got = read(picture, network)
        scores[style].seconds += time.process_time() - began
        scores[style].add(wanted, got, result)
        told += told_lines(result, wanted) if "composed" in style else []
        if asked.wrong and got != wanted:
            print(f"{name:14} {'/'.join(wanted)} -> {'/'.join(got)}")
    if told:
        sure = [right for confidence, right in told if confidence >= 0.95]
        print(
            f"confidence of composed lines: calibration error {calibration_error(told):.3f} of {len(told)}; of those "
            f"said to be 0.95 or more {sum(sure) / max(1, len(sure)):.1%} are right"
        )
    for style, score in scores.items():
        print(f"{style:20} {score}")
    print("" if folder else "skipped: other people's pictures are absent", "" if mnist else "skipped: MNIST is absent")


if __name__ == "__main__":
    main()
