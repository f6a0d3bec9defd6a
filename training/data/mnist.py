"""
MNIST: found, fetched, checked and split.

The handwritten digits come as four IDX files, gzipped or plain.
"""

import gzip
import hashlib
import os
import sys
import urllib.error
import urllib.request
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from service.core import idx

MIRRORS = (
    "https://ossci-datasets.s3.amazonaws.com/mnist/",
    "https://storage.googleapis.com/cvdf-datasets/mnist/",
)

# SHA-256 of the unpacked files: mirrors pack the same bytes differently.
CHECKSUMS = {
    "train-images-idx3-ubyte": "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
    "train-labels-idx1-ubyte": "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
    "t10k-images-idx3-ubyte": "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
    "t10k-labels-idx1-ubyte": "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
}

VALIDATION_COUNT = 10_000
_DOWNLOAD_TIMEOUT_SECONDS = 30
_CHUNK_BYTES = 1 << 16


class DatasetError(Exception):
    """The digits are missing, truncated or not what they claim to be; the message names the file and the remedy."""


@dataclass(frozen=True)
class LabelledDigits:
    """
    Digits with their labels.

    images: (count, 28, 28) uint8, 0 = paper, 255 = ink   labels: (count,) uint8, 0 to 9
    """

    images: NDArray[np.uint8]
    labels: NDArray[np.uint8]

    def __post_init__(self) -> None:
        if self.images.ndim != 3 or self.labels.ndim != 1:
            raise DatasetError(
                f"images need 3 axes and labels 1, got shapes {self.images.shape} and {self.labels.shape}"
            )
        if len(self.images) != len(self.labels):
            raise DatasetError(f"every image needs one label, got {len(self.images)} images, {len(self.labels)} labels")
        if len(self.labels) and int(self.labels.max()) > 9:
            raise DatasetError(f"labels are the digits 0 to 9, got {int(self.labels.max())}")

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, chosen: slice | NDArray[np.intp]) -> "LabelledDigits":
        return LabelledDigits(self.images[chosen], self.labels[chosen])

    def as_network_input(self) -> NDArray[np.float32]:
        """
        Return the images as the network takes them: (count, 1, 28, 28) float32, 0 = paper, 1 = ink.

        >>> LabelledDigits(np.full((1, 28, 28), 255, np.uint8), np.zeros(1, np.uint8)).as_network_input().max()
        np.float32(1.0)
        """
        return self.images[:, None].astype(np.float32) / np.float32(255)


@dataclass(frozen=True)
class Mnist:
    """The lecture's split: the training file but for its end to learn from, its end to choose on, the test file."""

    train: LabelledDigits
    validation: LabelledDigits
    test: LabelledDigits

    @property
    def split(self) -> dict[str, int]:
        """How many images each part has, as the passport states it."""
        return {"train": len(self.train), "validation": len(self.validation), "test": len(self.test)}


def find_mnist(explicit: str | os.PathLike[str] | None = None) -> Path | None:
    """
    Return the folder that holds the four files, or None.

    Looked for in this order: `explicit` (what `--data` says), the environment's FILTERSCOPE_MNIST, the user's cache
    folder, a folder `mnist` or `shared/mnist` beside or above the checkout. A folder that was named and lacks a file is
    a DatasetError, never passed over in silence.
    """
    named = explicit or os.environ.get("FILTERSCOPE_MNIST")
    if named:
        folder = Path(named).expanduser()
        missing = _missing_files(folder)
        if missing:
            raise DatasetError(f"{folder} should hold the four MNIST files, gzipped or plain; missing: {missing}")
        return folder
    return next((folder for folder in _usual_folders() if not _missing_files(folder)), None)


def cache_folder() -> Path:
    """Return where downloaded files are kept: XDG_CACHE_HOME or ~/.cache, then filterscope/mnist."""
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "filterscope" / "mnist"


def find_or_fetch_mnist(explicit: str | os.PathLike[str] | None = None) -> Path:
    """Return the folder of the four files, downloading them into the user's cache folder when there is none."""
    folder = find_mnist(explicit)
    if folder is not None:
        return folder
    fetch_mnist(cache_folder())
    return cache_folder()


def load_mnist(folder: str | os.PathLike[str], validation_count: int = VALIDATION_COUNT) -> Mnist:
    """
    Read the four files of `folder` and split them; the last `validation_count` of the training file validate.

    Raises DatasetError for a file that is missing, truncated, corrupt or not in the IDX format.
    """
    folder = Path(folder)
    both = LabelledDigits(
        read_mnist_file(folder, "train-images-idx3-ubyte"), read_mnist_file(folder, "train-labels-idx1-ubyte")
    )
    test = LabelledDigits(
        read_mnist_file(folder, "t10k-images-idx3-ubyte"), read_mnist_file(folder, "t10k-labels-idx1-ubyte")
    )
    if len(both) <= validation_count:
        raise DatasetError(f"the training file needs more than {validation_count} images, got {len(both)}")
    cut = len(both) - validation_count
    return Mnist(train=both[:cut], validation=both[cut:], test=test)


def read_mnist_file(folder: str | os.PathLike[str], name: str) -> NDArray[np.uint8]:
    """
    Read the IDX file `name` (or `name`.gz) of `folder`: (count, ...) uint8.

    Raises DatasetError that says what was wanted and what came.
    """
    path = _file_of(Path(folder), name)
    if path is None:
        raise DatasetError(f"{folder} lacks {name} or {name}.gz; `python -m training fetch` downloads it")
    try:
        return idx.read_idx(path)
    except (OSError, ValueError) as error:
        raise DatasetError(str(error)) from error


def fetch_mnist(folder: Path, mirrors: Sequence[str] = MIRRORS, *, progress: bool = True) -> None:
    """
    Download the four files into `folder`, each checked before it takes its name; those already there are checked too.

    Raises DatasetError when no mirror gives a file with the right checksum.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for name, checksum in CHECKSUMS.items():
        target = folder / f"{name}.gz"
        if target.is_file() and _checksum_matches(target.read_bytes(), checksum):
            continue
        packed = _download_from_any(mirrors, f"{name}.gz", checksum, progress=progress)
        partial = target.with_suffix(".part")
        partial.write_bytes(packed)
        partial.replace(target)


def _usual_folders() -> list[Path]:
    checkout = Path(__file__).resolve().parents[2]
    beside_and_above = [above / name for above in checkout.parents for name in ("mnist", "shared/mnist")]
    return [cache_folder(), *beside_and_above]


def _missing_files(folder: Path) -> str:
    return ", ".join(name for name in CHECKSUMS if _file_of(folder, name) is None)


def _file_of(folder: Path, name: str) -> Path | None:
    return next((path for path in (folder / f"{name}.gz", folder / name) if path.is_file()), None)


def _checksum_matches(packed: bytes, checksum: str) -> bool:
    try:
        return hashlib.sha256(gzip.decompress(packed)).hexdigest() == checksum
    except (EOFError, gzip.BadGzipFile, zlib.error):
        return False


def _download_from_any(mirrors: Sequence[str], name: str, checksum: str, *, progress: bool) -> bytes:
    problems = []
    for mirror in mirrors:
        try:
            packed = _download(mirror + name, progress=progress)
        except (urllib.error.URLError, OSError, ValueError) as error:
            problems.append(f"{mirror}: {error}")
            continue
        if _checksum_matches(packed, checksum):
            return packed
        problems.append(f"{mirror}: {len(packed)} bytes with another checksum than expected")
    raise DatasetError(f"no mirror gave {name}; " + "; ".join(problems))


def _download(url: str, *, progress: bool) -> bytes:
    with urllib.request.urlopen(url, timeout=_DOWNLOAD_TIMEOUT_SECONDS) as answer:  # noqa: S310  our own mirrors
        total = int(answer.headers.get("Content-Length") or 0) or None
        name = url.rsplit("/", 1)[-1]
        with tqdm(total=total, desc=name, unit="B", unit_scale=True, disable=not progress, file=sys.stderr) as bar:
            chunks = []
            while chunk := answer.read(_CHUNK_BYTES):
                chunks.append(chunk)
                bar.update(len(chunk))
    return b"".join(chunks)
