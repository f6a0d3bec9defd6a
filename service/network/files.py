"""The files of the models, read at one moment, so that what is checked is what is served."""

import stat
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

MODEL_FILE, ANALYSIS_FILE, PASSPORT_FILE = "model.onnx", "analysis.onnx", "passport.json"
CREDIT_FILE, REPORT_FILE = "credit.onnx", "report.json"
HISTORY_FILE = "history.npz"
CARD_FILE = "card.json"

LONGEST_REASON = 500


class BadModel(Exception):
    r"""
    A model that cannot be served, and why, in one line that begins with its folder.

    >>> BadModel("it is\nempty", Path("models/digits/1"))
    BadModel('models/digits/1: it is empty')
    """

    def __init__(self, reason: str, folder: Path | None = None) -> None:
        line = " ".join(reason.split())[:LONGEST_REASON]
        super().__init__(line if folder is None else f"{folder}: {line}")
        self.folder = folder

    def bare(self) -> "BadModel":
        """The same without what it was raised from: its traceback holds the files of the model."""
        other = BadModel(str(self))
        other.folder = self.folder
        return other

    def __reduce__(self) -> tuple[type[Exception], tuple[str]]:
        """Travel between processes as the line it is."""
        return BadModel, (str(self),)


class ModelFiles(NamedTuple):
    """One version of one model: where it was read, and the content of its files by name."""

    folder: Path
    contents: Mapping[str, bytes]

    def content(self, name: str) -> bytes:
        """The content of one of them; BadModel where it is missing."""
        if name not in self.contents:
            is_bare = name == PASSPORT_FILE and MODEL_FILE in self.contents
            how = f"; filterscope adopt {MODEL_FILE} --name NAME makes a model of an ONNX file" if is_bare else ""
            raise BadModel(f"{name}: No such file{how}", self.folder)
        return self.contents[name]


def read_folder(folder: Path) -> ModelFiles:
    """Read one folder, models/<name>/<version>; BadModel names a file that cannot be read."""
    contents = {}
    for name in (MODEL_FILE, ANALYSIS_FILE, CREDIT_FILE, PASSPORT_FILE, REPORT_FILE, HISTORY_FILE, CARD_FILE):
        path = folder / name
        try:
            # A pipe or a device would be read without end.
            if not stat.S_ISREG(path.stat().st_mode):
                raise BadModel(f"{name}: a file is wanted, this is something else", folder)
            contents[name] = path.read_bytes()
        except FileNotFoundError:
            continue
        except OSError as error:
            raise BadModel(f"{name}: {error.strerror}", folder) from error
    return ModelFiles(folder, contents)
