"""The files of the models, read at one moment, so that what is checked is what is served."""

from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

MODEL_FILE, ANALYSIS_FILE, PASSPORT_FILE = "model.onnx", "analysis.onnx", "passport.json"
REPORT_FILE = "report.json"


class BadModel(Exception):
    """A model folder that cannot be served, and why."""


class ModelFiles(NamedTuple):
    """One version of one model: where it was read, and the content of its files by name."""

    folder: Path
    contents: Mapping[str, bytes]

    def content(self, name: str) -> bytes:
        """The content of one of them; BadModel where it is missing."""
        if name not in self.contents:
            raise BadModel(f"{self.folder / name}: No such file")
        return self.contents[name]


def read_folder(folder: Path) -> ModelFiles:
    """Read one folder, models/<name>/<version>; BadModel names a file that cannot be read."""
    contents = {}
    for name in (MODEL_FILE, ANALYSIS_FILE, PASSPORT_FILE, REPORT_FILE):
        path = folder / name
        try:
            contents[name] = path.read_bytes()
        except FileNotFoundError:
            continue
        except OSError as error:
            raise BadModel(f"{path}: {error.strerror}") from error
    return ModelFiles(folder, contents)


def read_folders(root: Path) -> list[ModelFiles]:
    """Read models/<name>/<version>/ for every name and version that has a passport."""
    return [read_folder(passport.parent) for passport in sorted(root.glob(f"*/*/{PASSPORT_FILE}"))]
