"""What is measured, as rows of a Markdown table."""

import os
import statistics
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
OUT = ROOT / "build" / "bench"
QUICK = bool(os.environ.get("QUICK"))


def pick(full, quick):
    """A number of rounds or seconds: for a whole run, or for a quick one."""
    return quick if QUICK else full


@dataclass
class Row:
    """One line: what was measured, what came out, what it is held against, and what that should be."""

    what: str
    ours: str
    beside: str
    ratio: str
    bar: str

    def __str__(self):
        return f"| {self.what} | {self.ours} | {self.beside} | {self.ratio} | {self.bar} |"


HEAD = "| what | Filterscope | beside it | ratio (lowest to highest round) | aim |\n|---|---|---|---|---|"


def median(values):
    return statistics.median(values)


def spread(ratios, digits=2):
    """The median of the rounds' ratios, and how far they lie apart."""
    text = f"{median(ratios):.{digits}f}"
    return text if len(ratios) == 1 else f"{text} ({min(ratios):.{digits}f} to {max(ratios):.{digits}f})"
