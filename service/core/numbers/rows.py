"""
A line of blobs, what in it may be a digit, and the best way to read it.

A digit is a blob, several near ones (a five with its bar apart), or a part of one (where digits touch). Each that is
possible is a candidate; once a network has said what every one is, the cheapest path through the line is taken.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from service.core.digit.pieces import Plane
from service.core.numbers import thresholds as at
from service.core.numbers.blobs import Blob, joined_blob
from service.core.numbers.cuts import Cuts, cut_up
from service.core.numbers.paths import Path, Step, best_paths
from service.core.numbers.seams import Seams, padded, seam_picture

Span = tuple[int, int]


@dataclass(slots=True)
class Candidate:
    """
    A blob that may be a digit, and what a network said of it.

    touching: it was cut out of one that was more   apart: it is several blobs   usable: it could be made a digit
    digit, confidence, novelty, probabilities: the verdict, once there is one; no novelty is 0
    seams: what it costs that its ends are cut there and not elsewhere
    whose: (classes,), the ink of a blob that was cut up by whose it is, as one sees it who sees all of the blob
    """

    blob: Blob
    touching: bool = False
    apart: bool = False
    usable: bool = False
    digit: int = 0
    confidence: float = 0.0
    novelty: float = 0.0
    probabilities: NDArray[np.float32] = field(default_factory=lambda: np.zeros(0, np.float32))
    seams: float = 0.0
    whose: NDArray[np.float32] | None = None

    def cost(self, height: float) -> float:
        """How unlikely it is a digit of a line of that height, in pixels."""
        if not self.usable:
            return at.UNUSABLE
        novelty = min(max(self.novelty, 1e-6), 1 - 1e-6)
        odds = float(np.log(novelty / (1 - novelty))) + (at.STRANGE_APART if self.apart else 0.0)
        strange = min(max(odds, 0.0), at.STRANGEST)
        least = at.PART_LOW_FROM if self.touching else at.LOW_FROM
        low, wide = max(0.0, least - self.blob.height / height), max(0.0, self.blob.width / height - at.WIDE_FROM)
        tall = max(0.0, self.blob.height / height - at.TALL_FROM)
        unsure = -float(np.log(max(self.confidence, 1e-6)))
        of_shape = at.LOW * low + at.WIDE * wide + at.TALL * tall
        return at.DIGIT + at.UNSURE * unsure + at.STRANGE * strange + of_shape + self.cost_of_seams

    @property
    def cost_of_seams(self) -> float:
        """What of its cost is told by who sees all of the blob that it is cut out of: 0 where there is no such."""
        if self.whose is None:
            return 0.0
        return self.seams - at.WHOSE * float(np.log(max(self.whose[self.digit], at.LEAST_WHOSE)))


@dataclass(frozen=True, slots=True)
class Mark:
    """What is no digit, in its place: point, comma, dash, or `other`."""

    kind: str
    blob: Blob


@dataclass(slots=True)
class Row:
    """
    A line of blobs.

    blobs: left to right   kinds: what mark each of them is, if any   height: of its digits, in pixels
    candidates: by the span of blobs that each is
    restored: by blob, what it is together with the piece of a rule that lay on it
    cuts: of a blob that was cut up, its parts and their candidates
    """

    blobs: list[Blob]
    kinds: list[str | None]
    height: float
    candidates: dict[Span, Candidate]
    restored: dict[int, Candidate] = field(default_factory=dict)
    cuts: dict[int, tuple[list[Blob], dict[Span, Candidate]]] = field(default_factory=dict)

    def first_candidates(self) -> list[Candidate]:
        """All that may be a digit before anything is cut."""
        return [*self.candidates.values(), *self.restored.values()]

    def cut(self, ink: Plane, seams_of: Callable[[Plane], Seams], most: int) -> list[Candidate]:
        """
        Cut up what reads as no one digit.

        ink: (height, width) of the page, 0 to 1   seams_of: tells where digits touch, of core.numbers.seams' pictures
        most: how many candidates there may be in all   returns: the new ones
        """
        new: list[Candidate] = []
        for (first, last), candidate in self.candidates.items():
            if last != first + 1 or not _may_be_several(candidate, self.height):
                continue
            if len(new) >= most:
                break
            picture = seam_picture(candidate.blob, ink, min(self.height, candidate.blob.height))
            cuts = cut_up(candidate.blob, picture, seams_of(padded(picture)))
            spans = _spans(cuts, self.height)
            if len(cuts.parts) < 2 or len(new) + len(spans) > most:
                continue
            for whole in (candidate, self.restored.get(first, candidate)):
                whole.seams, whole.whose = _of_seams(cuts, 0, len(cuts.parts)), _whose(cuts, 0, len(cuts.parts))
            self.cuts[first] = cuts.parts, spans
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
        for index, (blob, kind) in enumerate(zip(self.blobs, self.kinds, strict=True)):
            broad = max(1.0, blob.width / (at.USUAL_WIDTH * self.height))
            cost = at.MARK if kind else at.NO_DIGIT * broad
            if index in self.cuts:
                cost += min(self._least_of_seams(index), at.NO_DIGIT_SEAMS * broad)
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

    def _least_of_seams(self, index: int) -> float:
        """What the digits of a blob that was cut up bear of seams: what is none shall not be taken for its lack."""
        best = _cut_paths(*self.cuts[index], self.height, counted=False).get(0)
        cut = np.inf if best is None else sum(each.cost_of_seams for each in best.read if isinstance(each, Candidate))
        return float(min(cut, self.candidates[index, index + 1].cost_of_seams))


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
        kinds = _mark_kinds(blobs, own)
        candidates = {}
        for first in range(len(blobs)):
            for last in range(first + 1, min(first + at.PIECES, len(blobs)) + 1):
                group = blobs[first:last]
                if last == first + 1:
                    if kinds[first] is None:
                        candidates[first, last] = Candidate(group[0])
                elif _may_be_one(group, own):
                    candidates[first, last] = Candidate(joined_blob(group), apart=True)
                else:
                    break
        whole = {place: Candidate(restored[index]) for place, index in enumerate(line) if index in restored}
        whole = {place: each for place, each in whole.items() if (place, place + 1) in candidates}
        rows.append(Row(blobs, kinds, own, candidates, whole))
    return rows


def mark_kind(blob: Blob, height: float, foot: float | None) -> str | None:
    """
    What a blob is that is too small for a digit: point, comma or dash; None for all others.

    height: of the line's digits, in pixels   foot: the row that the digits beside it stand on, where there are some
    """
    longer = max(blob.height, blob.width)
    hangs = (
        foot is not None and blob.bottom > foot + at.COMMA_BELOW * height and blob.top > foot - at.COMMA_ABOVE * height
    )
    if hangs and blob.height > at.COMMA_SLIM * blob.width and longer < at.COMMA * height:
        return "comma"
    if longer < at.POINT * height:
        return "point"
    if blob.height < at.DASH_LOW * height and blob.width > at.DASH_FLAT * blob.height:
        return "dash"
    return None


def _mark_kinds(blobs: Sequence[Blob], height: float) -> list[str | None]:
    """What each blob of a line is that is too small for a digit; they are in reading order."""
    whole = [blob for blob in blobs if blob.height > at.LOW_FROM * height]
    kinds = []
    for blob in blobs:
        beside = sorted(whole, key=lambda other: abs(other.middle - blob.middle))[:2]
        kinds.append(mark_kind(blob, height, float(np.mean([other.bottom for other in beside])) if beside else None))
    return kinds


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


def _spans(cuts: Cuts, height: float) -> dict[Span, Candidate]:
    """The candidates among joined neighbours of parts: those of a size that a digit has."""
    spans, parts = {}, cuts.parts
    for first in range(len(parts)):
        for last in range(first + 1, len(parts) + 1):
            blob = joined_blob(parts[first:last])
            if blob.width > at.WIDEST * height:
                break
            if (first, last) != (0, len(parts)) and blob.height > at.LOWEST * height:
                seams, whose = _of_seams(cuts, first, last), _whose(cuts, first, last)
                spans[first, last] = Candidate(blob, touching=True, seams=seams, whose=whose)
    return spans


def _of_seams(cuts: Cuts, first: int, last: int) -> float:
    """What it costs to cut before a part and before another, and not between them."""
    ends = [cuts.costs[place - 1] for place in (first, last) if 0 < place < len(cuts.parts)]
    inner = min(cuts.costs[first : last - 1], default=np.inf)
    return at.CUT_INK * sum(ends) / 2 + at.UNCUT * float(np.exp(-inner / at.UNCUT_INK))


def _whose(cuts: Cuts, first: int, last: int) -> NDArray[np.float32]:
    """The ink of joined parts by whose it is, as shares of all of it."""
    return np.asarray(cuts.classes[first:last].sum(axis=0) / max(float(cuts.ink[first:last].sum()), 1e-6))


def _may_be_several(candidate: Candidate, height: float) -> bool:
    """Whether a blob may be digits that touch: broad, and read as no one digit."""
    broad = candidate.blob.width / height
    cost = at.CUT_COST if broad > at.CUT_BROAD else at.CUT_COST_NARROW
    fits = at.CUT_FROM < broad < at.CUT_WIDEST and candidate.blob.height < at.CUT_TALLEST * height
    return fits and candidate.cost(height) > cost


def _may_be_one(group: Sequence[Blob], height: float) -> bool:
    """Whether neighbouring blobs may be the pieces of one digit."""
    whole = joined_blob(group)
    broadest = max(blob.width for blob in group)
    if whole.height > at.TALLEST * height or (whole.width > 1.15 * height and whole.width > 1.2 * broadest):
        return False
    shared = max(min(one.right, other.right) - max(one.left, other.left) for one, other in pairwise(group))
    narrowest, lowest = min(blob.width for blob in group), min(blob.height for blob in group)
    return shared > at.OVER * narrowest or (-shared < at.PART_NEAR * height and lowest < at.PART_LOW * height)
