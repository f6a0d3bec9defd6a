"""A small set of digits that the tests of training draw for themselves, and a network trained on it."""

import gzip
import struct

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image, ImageDraw, ImageFont

from training.cli import main


@pytest.fixture(scope="session")
def write_drawn_digits():
    """A function (folder, train_count, test_count) -> folder, which then holds the four IDX files."""
    return _write_drawn_digits


@pytest.fixture(scope="session")
def folder(tmp_path_factory, write_drawn_digits):
    """A folder of 700 digits to learn from and 100 to test with."""
    return write_drawn_digits(tmp_path_factory.mktemp("digits"), train_count=700, test_count=100)


@pytest.fixture(scope="session")
def run():
    """The command line: run("train", "lecture", ...) -> what it printed, and its exit status."""
    return lambda *arguments: CliRunner().invoke(main, [str(argument) for argument in arguments])


@pytest.fixture(scope="session")
def trained(folder, run, tmp_path_factory):
    """One epoch of the lecture's network: what the command printed, and where it wrote."""
    out = tmp_path_factory.mktemp("out")
    common = ("--data", folder, "--models", out / "models", "--pictures", out / "pictures", "--seed", 3)
    few = ("--epochs", 1, "--validation-count", 100, "--batch-size", 20, "--threads", 1)
    result = run("train", "lecture", *common, *few)
    return result, out


def _drawn_digits(count, seed):
    """Digits in Pillow's own face, each a little elsewhere and of another size."""
    random = np.random.default_rng(seed)
    labels = random.integers(0, 10, count, dtype=np.uint8)
    images = np.zeros((count, 28, 28), np.uint8)
    for image, label in zip(images, labels, strict=True):
        sheet = Image.new("L", (28, 28))
        place = tuple(random.uniform(12, 16, 2))
        face = ImageFont.load_default(size=float(random.uniform(18, 24)))
        ImageDraw.Draw(sheet).text(place, str(label), fill=255, font=face, anchor="mm")
        image[:] = np.asarray(sheet)
    return images, labels


def _write_drawn_digits(folder, train_count, test_count):
    folder.mkdir(parents=True, exist_ok=True)
    for prefix, count, seed in (("train", train_count, 1), ("t10k", test_count, 2)):
        images, labels = _drawn_digits(count, seed)
        for name, array in ((f"{prefix}-images-idx3-ubyte", images), (f"{prefix}-labels-idx1-ubyte", labels)):
            header = bytes([0, 0, 8, array.ndim]) + struct.pack(f">{array.ndim}I", *array.shape)
            (folder / f"{name}.gz").write_bytes(gzip.compress(header + array.tobytes()))
    return folder
