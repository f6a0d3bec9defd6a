"""
A line of blobs, what in it may be a digit, and the best way to read it.

A digit is a blob, several near ones (a five with its bar apart), or a part of one (where digits touch). Each that is
possible is a candidate; once a network has said what every one is, the cheapest path through the line is taken.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from service.core.numbers import thresholds as at
from service.core.numbers.blobs import Blob, joined_blob
from service.core.numbers.cuts import cut_up
from service.core.numbers.paths import Path, Step, best_paths

Span = tuple[int, int]


@dataclass(slots=True)
class Candidate:
    """
    A blob that may be a digit, and what a network said of it.

    touching: it was cut out of one that was more   usable: it could be made a digit
    digit, confidence, novelty, probabilities: the verdict, once there is one; no novelty is 0
    """

    blob: Blob
    touching: bool = False
    usable: bool = False
    digit: int = 0
    confidence: float = 0.0
    novelty: float = 0.0
    probabilities: NDArray[np.float32] = field(default_factory=lambda: np.zeros(0, np.float32))

    def cost(self, height: float) -> float:
        """How unlikely it is a digit of a line of that height, in pixels."""
        if not self.usable:
            return at.UNUSABLE
        novelty = min(max(self.novelty, 1e-6), 1 - 1e-6)
        strange = min(max(float(np.log(novelty / (1 - novelty))), 0.0), at.STRANGEST)
        least = at.PART_LOW_FROM if self.touching else at.LOW_FROM
        low, wide = max(0.0, least - self.blob.height / height), max(0.0, self.blob.width / height - at.WIDE_FROM)
        tall = max(0.0, self.blob.height / height - at.TALL_FROM)
        unsure = -float(np.log(max(self.confidence, 1e-6)))
        return at.DIGIT + at.UNSURE * unsure + at.STRANGE * strange + at.LOW * low + at.WIDE * wide + at.TALL * tall


@dataclass(frozen=True, slots=True)
class Mark:
    """What is no digit, in its place: point, dash, or `other`."""

    kind: str
    blob: Blob


@dataclass(slots=True)
class Row:
    """
    A line of blobs.

    blobs: left to right   height: of its digits, in pixels
    candidates: by the span of blobs that each is
    restored: by blob, what it is together with the piece of a rule that lay on it
    cuts: of a blob that was cut up, its parts and their candidates
    """

    blobs: list[Blob]
    height: float
    candidates: dict[Span, Candidate]
    restored: dict[int, Candidate] = field(default_factory=dict)
    cuts: dict[int, tuple[list[Blob], dict[Span, Candidate]]] = field(default_factory=dict)

    def first_candidates(self) -> list[Candidate]:
        """All that may be a digit before anything is cut."""
        return [*self.candidates.values(), *self.restored.values()]

    def cut(self, most: int) -> list[Candidate]:
        """Cut up what reads as no one digit, into at most so many candidates in all; returns the new ones."""
        new: list[Candidate] = []
        for (first, last), candidate in self.candidates.items():
            if last != first + 1 or not _may_be_several(candidate, self.height):
                continue
            parts = cut_up(candidate.blob, min(self.height, candidate.blob.height))
            spans = _spans(parts, self.height)
            if len(parts) < 2 or len(new) + len(spans) > most:
                continue
            self.cuts[first] = parts, spans
            new += spans.values()
        return new

    def path(self, length: tuple[int, int] | None = None) -> list[Candidate | Mark]:
        """
        The best way to read it, left to right: digits and what is none.

        length: the least and the most digits that it should have: a way that has them is taken where there is one that
            costs little more
        """
        counted = length is not None
        steps: list[Step[Candidate | Mark]] = []
        for index, blob in enumerate(self.blobs):
            kind = mark_kind(blob, self.height)
            broad = max(1.0, blob.width / (at.USUAL_WIDTH * self.height))
            cost = at.MARK if kind else at.NO_DIGIT * broad
            steps.append(Step(index, index + 1, cost, [Mark(kind or "other", blob)], 0))
        for (first, last), candidate in self.candidates.items():
            apart = sum(max(0, b.left - a.right) for a, b in pairwise(self.blobs[first:last])) / self.height
            steps.append(Step(first, last, candidate.cost(self.height) + at.APART * apart, [candidate]))
        for index, candidate in self.restored.items():
            steps.append(Step(index, index + 1, candidate.cost(self.height) + at.RESTORED, [candidate]))
        for index, (parts, spans) in self.cuts.items():
            paths = _cut_paths(parts, spans, self.height, counted=counted)
            steps += [Step(index, index + 1, path.cost + at.CUT, path.read, size) for size, path in paths.items()]
        paths = best_paths(len(self.blobs), steps, counted=counted)
        if not paths:
            return []
        best = min(paths.values(), key=lambda path: path.cost)
        if length is not None:
            wanted = [path for size, path in paths.items() if length[0] <= size <= length[1]]
            of_length = min(wanted, key=lambda path: path.cost, default=best)
            best = of_length if of_length.cost < best.cost + at.LENGTH else best
        return best.read


def rows_of(
    all_blobs: Sequence[Blob], lines: Sequence[Sequence[int]], height: float, restored: Mapping[int, Blob]
) -> list[Row]:
    """
    The lines of a page, each with its first candidates.

    lines: of each the indices of its blobs   height: of a digit of the page, in pixels
    restored: some of the blobs with the piece of a rule that lay on each
    """
    rows = []
    for line in lines:
        blobs = [all_blobs[index] for index in line]
        tall = [blob.height for blob in blobs if blob.height > 0.5 * height]
        own = float(np.median(tall)) if tall else height
        candidates = {}
        for first in range(len(blobs)):
            for last in range(first + 1, min(first + at.PIECES, len(blobs)) + 1):
                group = blobs[first:last]
                if last == first + 1:
                    if mark_kind(group[0], own) is None:
                        candidates[first, last] = Candidate(group[0])
                elif _may_be_one(group, own):
                    candidates[first, last] = Candidate(joined_blob(group))
                else:
                    break
        whole = {place: Candidate(restored[index]) for place, index in enumerate(line) if index in restored}
        whole = {place: each for place, each in whole.items() if (place, place + 1) in candidates}
        rows.append(Row(blobs, own, candidates, whole))
    return rows


def mark_kind(blob: Blob, height: float) -> str | None:
    """What a blob is that is too small for a digit: point or dash; None for all others."""
    if max(blob.height, blob.width) < at.POINT * height:
        return "point"
    if blob.height < at.DASH_LOW * height and blob.width > at.DASH_FLAT * blob.height:
        return "dash"
    return None


def _cut_paths(
    parts: list[Blob], spans: Mapping[Span, Candidate], height: float, *, counted: bool
) -> dict[int, Path[Candidate | Mark]]:
    """The best digits that a blob may be cut into; by how many they are, where that is `counted`."""
    steps: list[Step[Candidate | Mark]] = [
        Step(first, last, candidate.cost(height), [candidate]) for (first, last), candidate in spans.items()
    ]
    for index, part in enumerate(parts):
        lost = at.LOST + at.LOST_INK * float(np.count_nonzero(part.mask)) / height**2
        steps.append(Step(index, index + 1, lost, [], 0))
    # A stroke that two digits have in common is given to both.
    narrow = {index: at.SHARED for index, part in enumerate(parts) if part.width < at.SHARED_WIDTH * height}
    return best_paths(len(parts), steps, narrow, counted=counted)


def _spans(parts: list[Blob], height: float) -> dict[Span, Candidate]:
    """The candidates among joined neighbours of parts: those of a size that a digit has."""
    spans = {}
    for first in range(len(parts)):
        for last in range(first + 1, len(parts) + 1):
            blob = joined_blob(parts[first:last])
            if blob.width > at.WIDEST * height:
                break
            if (first, last) != (0, len(parts)) and blob.height > at.LOWEST * height:
                spans[first, last] = Candidate(blob, touching=True)
    return spans


def _may_be_several(candidate: Candidate, height: float) -> bool:
    """Whether a blob may be digits that touch: broad, and read as no one digit."""
    broad = candidate.blob.width / height
    cost = at.CUT_COST if broad > at.CUT_BROAD else at.CUT_COST_NARROW
    return at.CUT_FROM < broad < at.CUT_WIDEST and candidate.cost(height) > cost


def _may_be_one(group: Sequence[Blob], height: float) -> bool:
    """Whether neighbouring blobs may be the pieces of one digit."""
    whole = joined_blob(group)
    broadest = max(blob.width for blob in group)
    if whole.height > at.TALLEST * height or (whole.width > 1.15 * height and whole.width > 1.2 * broadest):
        return False
    shared = max(min(one.right, other.right) - max(one.left, other.left) for one, other in pairwise(group))
    narrowest, lowest = min(blob.width for blob in group), min(blob.height for blob in group)
    return shared > at.OVER * narrowest or (-shared < at.PART_NEAR * height and lowest < at.PART_LOW * height)
