"""Printed cells: found by the lines around them, or told by how many there are; what lies in one is a digit or none."""

from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

import numpy as np

from service.core.numbers import Finding
from service.core.numbers import thresholds as at
from service.core.numbers.blobs import Blob, joined_blob
from service.core.numbers.rules import Line


class Cell(NamedTuple):
    """A cell, in pixels of the page, ends exclusive."""

    left: float
    top: float
    right: float
    bottom: float

    def holds(self, blob: Blob) -> bool:
        """Whether the middle of a blob lies in it."""
        return self.left <= blob.middle < self.right and self.top <= (blob.top + blob.bottom) / 2 < self.bottom


def framed_cells(rules: Sequence[Line], height: float) -> list[list[Cell]]:
    """The rows of cells that lines make, top to bottom; height: of a digit, in pixels."""
    levels = sorted((line for line in rules if line.is_level), key=lambda line: line.at((line.first + line.last) / 2))
    uprights = [line for line in rules if not line.is_level]
    rows = []
    for upper, lower in pairwise(levels):
        along = (max(upper.first, lower.first) + min(upper.last, lower.last)) / 2
        top, bottom = upper.at(along), lower.at(along)
        if not at.CELL_LEAST * height < bottom - top < at.CELL_MOST * height:
            continue
        middle = (top + bottom) / 2
        sides = sorted({round(line.at(middle)) for line in uprights if line.first < middle < line.last})
        row = []
        for left, right in pairwise(sides):
            if at.CELL_NARROW * height < right - left < at.CELL_MOST * height:
                across = (left + right) / 2
                row.append(Cell(left, upper.at(across), right, lower.at(across)))
        if row:
            rows.append(row)
    return rows


def equal_cells(blobs: Sequence[Blob], count: int) -> list[list[Cell]]:
    """So many cells of one width, over all that is there; none where nothing is."""
    if not blobs:
        return []
    left, right = min(blob.left for blob in blobs), max(blob.right for blob in blobs)
    top, bottom = min(blob.top for blob in blobs), max(blob.bottom for blob in blobs)
    # A digit is narrower than its cell, by about the space between two.
    margin = max(0.0, (right - left) / max(1, count) - (bottom - top)) / 4
    edges = np.linspace(left - margin, right + margin, count + 1).tolist()
    return [[Cell(a, top, b, bottom) for a, b in pairwise(edges)]]


def in_cells(finding: Finding, rows: Sequence[Sequence[Cell]]) -> Finding:
    """The same finding with one blob for each cell that has ink, and a line for each row of cells."""
    blobs: list[Blob] = []
    lines: list[list[int]] = []
    for row in rows:
        line = []
        for cell in row:
            inside = [blob for blob in finding.blobs if cell.holds(blob)]
            tallest = max((blob.height for blob in inside), default=0)
            whole = [blob for blob in inside if max(blob.height, blob.width) > at.CELL_CRUMB * tallest]
            if whole:
                line.append(len(blobs))
                blobs.append(joined_blob(whole))
        lines.append(line)
    return finding._replace(blobs=blobs, lines=lines, restored={})
