"""
MNIST: found, fetched, checked and split.

The handwritten digits come as four IDX files, gzipped or plain: a header (two zero bytes, one byte for the type of the
numbers, one for how many axes follow, the axes as big-endian 32-bit integers) and then the numbers themselves.
"""

import gzip
import hashlib
import math
import os
import struct
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
_UNSIGNED_BYTES = 0x08
_DOWNLOAD_TIMEOUT_SECONDS = 30
_CHUNK_BYTES = 1 << 16


class DatasetError(Exception):
    """The digits are missing, truncated or not what they claim to be; the message names the file and the remedy."""


@dataclass(frozen=True)
class Part:
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

    def __getitem__(self, chosen: slice | NDArray[np.intp]) -> "Part":
        return Part(self.images[chosen], self.labels[chosen])

    def as_network_input(self) -> NDArray[np.float32]:
        """
        Return the images as the network takes them: (count, 1, 28, 28) float32, 0 = paper, 1 = ink.

        >>> Part(np.full((1, 28, 28), 255, np.uint8), np.zeros(1, np.uint8)).as_network_input().max()
        np.float32(1.0)
        """
        return self.images[:, None].astype(np.float32) / np.float32(255)


@dataclass(frozen=True)
class Mnist:
    """The lecture's split: the training file but for its end to learn from, its end to choose on, the test file."""

    train: Part
    validation: Part
    test: Part

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
    both = Part(read_idx(folder, "train-images-idx3-ubyte"), read_idx(folder, "train-labels-idx1-ubyte"))
    test = Part(read_idx(folder, "t10k-images-idx3-ubyte"), read_idx(folder, "t10k-labels-idx1-ubyte"))
    if len(both) <= validation_count:
        raise DatasetError(f"the training file needs more than {validation_count} images, got {len(both)}")
    cut = len(both) - validation_count
    return Mnist(train=both[:cut], validation=both[cut:], test=test)


def read_idx(folder: str | os.PathLike[str], name: str) -> NDArray[np.uint8]:
    """
    Read the IDX file `name` (or `name`.gz) of `folder`: (count, ...) uint8.

    Raises DatasetError that says what was wanted and what came.
    """
    path = _file_of(Path(folder), name)
    if path is None:
        raise DatasetError(f"{folder} lacks {name} or {name}.gz; `python -m training fetch` downloads it")
    return parse_idx(_unpacked(path), str(path))


def parse_idx(content: bytes, source: str) -> NDArray[np.uint8]:
    """
    Turn the bytes of an IDX file into an array; `source` is named in errors.

    >>> parse_idx(bytes([0, 0, 8, 1, 0, 0, 0, 3, 7, 8, 9]), "three labels")
    array([7, 8, 9], dtype=uint8)
    """
    if len(content) < 4 or content[:2] != b"\0\0":
        raise DatasetError(f"{source} is not an IDX file: it should begin with two zero bytes, got {content[:4]!r}")
    kind, axis_count = content[2], content[3]
    if kind != _UNSIGNED_BYTES:
        raise DatasetError(f"{source} should hold unsigned bytes (type 0x08), got type {kind:#04x}")
    header_bytes = 4 + 4 * axis_count
    if len(content) < header_bytes:
        raise DatasetError(f"{source} is truncated: its header alone takes {header_bytes} bytes, got {len(content)}")
    shape = struct.unpack(f">{axis_count}I", content[4:header_bytes])
    wanted = header_bytes + math.prod(shape)
    if len(content) != wanted:
        problem = "truncated" if len(content) < wanted else "too long"
        raise DatasetError(f"{source} is {problem}: shape {shape} takes {wanted} bytes, got {len(content)}")
    return np.frombuffer(content, np.uint8, offset=header_bytes).reshape(shape)


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


def _unpacked(path: Path) -> bytes:
    content = path.read_bytes()
    if path.suffix != ".gz":
        return content
    try:
        return gzip.decompress(content)
    except EOFError as error:
        raise DatasetError(f"{path} is truncated: the gzip stream ends too early") from error
    except (gzip.BadGzipFile, zlib.error) as error:
        raise DatasetError(f"{path} is corrupt: {error}") from error


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
