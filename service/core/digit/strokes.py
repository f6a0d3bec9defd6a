"""
Which of the ink is the digit: pieces that belong together stay, what people's paper and cameras add goes.

That is specks, ruled and squared lines, the box of a form, the table beside the sheet, an underline, another digit that
the picture cuts off.
"""

from itertools import pairwise
from statistics import median
from typing import Any

import numpy as np
from numpy.typing import NDArray

from service.core.digit import thresholds as at
from service.core.digit.ink import FoundInk, full_strength
from service.core.digit.mnist_form import pieces_less_holes, stroke_width
from service.core.digit.pieces import (
    BLANK,
    NOBODY,
    Mask,
    Pieces,
    Plane,
    Runs,
    Told,
    extent_of,
    filled_lines,
    grown,
    joined,
    painted,
    pieces_of,
)
from service.core.digit.thresholds import SMALL
from service.core.errors import InvalidImage

# (turns, 2, 2): each a rotation of (x, y).
_TURNS = np.array([[[c, s], [-s, c]] for c, s in ((np.cos(turn), np.sin(turn)) for turn in np.deg2rad(at.SHEET_TURNS))])
_SLOPES = tuple(np.tan(np.deg2rad(at.RULE_SLOPES)))


def digit_strokes(ink: Plane, found: FoundInk, told: Told = NOBODY) -> tuple[Plane, Mask]:
    """
    Return the ink, and where the digit's strokes are in it: specks, frames and the table's edge are dropped.

    ink: (height, width) float32, 0 paper to 1 ink   found: how it was found   told: of broken ink, before it is joined
    returns: (height, width), rules removed, and a mask of that shape
    raises: InvalidImage where there is no ink
    """
    # What ends before the rim of a drawing is no rule, be it ever so straight and long: a 1, the foot of a 2.
    may_be_ruled = max(ink.shape) > SMALL and not found.is_drawn
    for _ in range(at.ROUNDS):
        mask = ink > at.INKED
        if not mask.any():
            raise InvalidImage(BLANK)
        if max(mask.shape) <= at.COMPACT and _hangs_together(mask):
            return ink, _with_faint_ink(ink, mask) if found.clean else mask
        pieces = pieces_of(mask)
        around = _surrounds(pieces, mask, found.shape)
        if around.any():
            rest = np.where(grown(painted(pieces, around, mask.shape)), np.float32(0), ink)
            try:
                ink = full_strength(rest)  # a dark table had made the pen look pale
            except InvalidImage:
                break
        elif may_be_ruled:
            may_be_ruled = False
            cleaned = _without_rules(ink)
            if cleaned is ink:
                break
            ink = cleaned
        else:
            break
    if found.clean:
        mask, pieces = _unbroken(ink, mask, pieces, told)
    keep = _belongs(pieces, mask.shape)
    return ink, _without_base_line(mask if keep.all() else painted(pieces, keep, mask.shape))


def _unbroken(ink: Plane, mask: Mask, pieces: Pieces, told: Told) -> tuple[Mask, Pieces]:
    """Return a mask with the paler ink that its strokes go on as, and the pieces that its parts make together."""
    whole = _with_faint_ink(ink, mask)
    if whole is not mask:
        pieces = pieces_of(whole)
    if len(pieces.area) > 1:
        # What paler ink joins is one, be it less than is worth having.
        pieces = joined(pieces, _covering(pieces, pieces.start, ink > at.FAINTLY_INKED), mask.shape)
    return whole, _joined(pieces, whole, told)


def _covering(pieces: Pieces, place: Runs, cover: Mask) -> NDArray[np.intp]:
    """
    Return for each piece, (pieces,), the piece of `cover` that it lies in.

    place: (runs,), where in the cover, (rows, columns), each run begins: row * (columns + 1) + column
    """
    covering = pieces_of(cover)
    of_piece = np.zeros(len(pieces.area), np.intp)
    of_piece[pieces.label] = covering.label[np.searchsorted(covering.start, place, side="right") - 1]
    return of_piece


def _joined(pieces: Pieces, mask: Mask, told: Told) -> Pieces:
    """
    Return the pieces of broken ink as what they make together, all others as they are.

    Dots and dashes are no digits. What they draw is seen from farther away, where a cell is as large as a pixel of a
    network's picture: what touches there is one, or else what nearly does.
    """
    total = int(pieces.area.sum())
    if len(pieces.area) < at.BROKEN_PIECES or pieces.area.max() > at.BROKEN * total:
        return pieces
    told.joined(len(pieces.area))
    top, bottom, left, right = extent_of(mask)
    cell = max(1, -(-max(bottom - top, right - left) // at.BROKEN_CELLS))
    row = (pieces.start // (mask.shape[1] + 1) - top) // cell + at.BROKEN_REACH
    column = (pieces.start % (mask.shape[1] + 1) - left) // cell + at.BROKEN_REACH
    far = _coarse(mask[top:bottom, left:right], cell)
    for _ in range(at.BROKEN_REACH + 1):
        of_piece = _covering(pieces, row * (far.shape[1] + 1) + column, far)
        if np.bincount(of_piece, weights=pieces.area).max() > at.BROKEN_WHOLE * total:
            return joined(pieces, of_piece, mask.shape)
        far = grown(far)
    return pieces


def _coarse(mask: Mask, cell: int) -> Mask:
    """Return which cells of a mask, cell x cell pixels, have something, in a margin to grow into."""
    height, width = (-(-side // cell) for side in mask.shape)
    padded = np.zeros((height * cell, width * cell), np.bool_)
    padded[: mask.shape[0], : mask.shape[1]] = mask
    return np.pad(padded.reshape(height, cell, width, cell).any(axis=(1, 3)), at.BROKEN_REACH)


def _with_faint_ink(ink: Plane, mask: Mask) -> Mask:
    """
    Return a mask and the paler ink that goes on where its strokes end; the mask itself (`is`) where there is none.

    A stroke's soft edge is pale as well: what goes on is farther from the mask than a quarter of a stroke's width.
    """
    faint = ink > at.FAINTLY_INKED
    reach = grown(mask)
    beyond = faint & ~reach
    if not beyond.any():
        return mask
    for _ in range(min(at.FAINT_REACH, round(float(stroke_width(mask.astype(np.float32))) / 4)) - 1):
        reach = grown(reach)
    beyond &= ~reach
    if not 0 < np.count_nonzero(beyond) < at.FAINT_SHARE * np.count_nonzero(mask):
        return mask
    pieces = pieces_of(faint)
    keep = np.zeros(len(pieces.area), np.bool_)
    starts = mask.ravel()
    place = pieces.start // (mask.shape[1] + 1) * mask.shape[1] + pieces.start % (mask.shape[1] + 1)
    inked = np.concatenate(([0], starts.cumsum()))
    keep[pieces.label[inked[place + pieces.stop - pieces.start] > inked[place]]] = True
    return painted(pieces, keep, mask.shape) & (grown(beyond) | mask)


def _hangs_together(mask: Mask) -> bool:
    """Tell whether ink covers every row and column of its extent: then no piece lies far from the others."""
    rows, columns = filled_lines(mask)
    return len(rows) > 0 and int(rows[-1] - rows[0]) < len(rows) and int(columns[-1] - columns[0]) < len(columns)


def _surrounds(pieces: Pieces, mask: Mask, shape: tuple[int, ...]) -> Mask:
    """
    Return for each piece whether it is what lies around a digit instead of one.

    That is the table beside the sheet, or a line along the picture's rim: it stays in the outer fifth of the picture,
    is long, and reaches a corner. Or a box drawn around the digit: it has corners and encloses something tall.

    shape: (height, width) of the picture's plane; the mask is all of it, or holds all but its outer lines
    """
    height, width = shape
    if len(pieces.area) == 1 and pieces.top[0] > at.RIM and pieces.left[0] > at.RIM:
        return np.zeros(1, np.bool_)  # most drawings
    tall, wide = pieces.bottom - pieces.top, pieces.right - pieces.left
    touches_side = (pieces.left <= at.RIM).astype(np.int8) + (pieces.right >= width - at.RIM)
    touches_end = (pieces.top <= at.RIM).astype(np.int8) + (pieces.bottom >= height - at.RIM)
    longer, shorter = np.maximum(tall, wide), np.minimum(tall, wide)
    long = (tall > at.LONG_PART * height) | (wide > at.LONG_PART * width)
    long |= (longer > at.LONG_SHORT_PART * min(height, width)) & (longer > at.LONG_TIMES * shorter)
    strip = (touches_side + touches_end >= 2) & long & (touches_side > 0) & (touches_end > 0)
    if strip.any():
        strip &= _rim_share(pieces, mask.shape) > at.STRIP_IN_RIM
    thin_strip: Mask = ((touches_side == 2) & (touches_end > 0) & (tall < at.STRIP_DEEP * height)) | (
        (touches_end == 2) & (touches_side > 0) & (wide < at.STRIP_DEEP * width)
    )
    around = strip | thin_strip
    if len(pieces.area) == 1:
        return thin_strip
    for piece in np.flatnonzero((tall > at.BOX_PART * height) & (wide > at.BOX_PART * width) & ~around):
        inside = (pieces.top > pieces.top[piece]) & (pieces.bottom < pieces.bottom[piece])
        inside &= (pieces.left > pieces.left[piece]) & (pieces.right < pieces.right[piece])
        if (inside & (tall > at.BOXED_PART * tall[piece])).any():
            around[piece] = _has_corners(painted(pieces, np.arange(len(tall)) == piece, mask.shape))
    return np.zeros_like(around) if around.all() else around


def is_in_corner(mask: Mask) -> bool:
    """Tell whether all that is set in a mask, (height, width), is one piece in a corner of the picture's rim."""
    if max(mask.shape) <= SMALL:
        return False
    top, bottom, left, right = extent_of(mask)
    height, width = mask.shape
    if (top > at.RIM and bottom < height - at.RIM) or (left > at.RIM and right < width - at.RIM):
        return False
    pieces = pieces_of(mask)
    return len(pieces.area) == 1 and float(_rim_share(pieces, mask.shape)[0]) > at.STRIP_IN_RIM


def painted_over(picture: NDArray[Any], thing: Mask, factor: int) -> NDArray[Any]:
    """
    Return a picture that is continued over a thing in it: every column, or every row, from where the thing ends.

    A thing that covers a whole column and a whole row is left.

    picture: (height, width), or (height, width, channels), of any type, in posted pixels
    thing: (rows, columns), `factor` posted pixels each, grown by two before; returns: as `picture`
    """
    height, width = picture.shape[:2]
    large = grown(grown(thing)).repeat(factor, axis=0).repeat(factor, axis=1)[:height, :width]
    covered = np.pad(large, ((0, height - large.shape[0]), (0, width - large.shape[1])))
    if covered.all(axis=0).any():
        if covered.all(axis=1).any():
            return picture
        return painted_over(picture.swapaxes(0, 1), thing.T, factor).swapaxes(0, 1)
    rows = np.arange(len(covered))[:, None]
    before = np.maximum.accumulate(np.where(covered, -len(covered), rows))
    after = np.minimum.accumulate(np.where(covered, 2 * len(covered), rows)[::-1])[::-1]
    nearest = np.where(rows - before < after - rows, before, after)
    continued: NDArray[Any] = np.take_along_axis(picture, nearest.reshape(nearest.shape + (1,) * (picture.ndim - 2)), 0)
    return continued


def _rim_share(pieces: Pieces, shape: tuple[int, ...]) -> NDArray[np.float64]:
    """Return for each piece which share of it lies in the outer fifth of the picture."""
    height, width = shape
    deep_y, deep_x = height // at.RIM_PART, width // at.RIM_PART
    row, column = pieces.start // (width + 1), pieces.start % (width + 1)
    length = pieces.stop - pieces.start
    middle = np.minimum(column + length, width - deep_x) - np.maximum(column, deep_x)
    inner = np.where((row >= deep_y) & (row < height - deep_y), np.maximum(middle, 0), 0)
    share: NDArray[np.float64] = 1 - np.bincount(pieces.label, weights=inner) / pieces.area
    return share


def _rim_length(pieces: Pieces, shape: tuple[int, ...]) -> NDArray[np.float64]:
    """Return for each piece how many of its pixels lie on the picture's rim; a corner may count twice."""
    height, width = shape
    row, column = pieces.start // (width + 1), pieces.start % (width + 1)
    length = pieces.stop - pieces.start
    on_rim = np.where((row == 0) | (row == height - 1), length, 0) + (column == 0) + (column + length == width)
    rim = np.zeros(len(pieces.area), np.float64)
    np.add.at(rim, pieces.label, on_rim)
    return rim


def _has_corners(mask: Mask) -> bool:
    """Tell whether a shape has ink in at least three corners of its extent, as a box has and a round digit has not."""
    top, bottom, left, right = extent_of(mask)
    shape = mask[top:bottom, left:right]
    y, x = max(1, (bottom - top) // at.CORNER_PART), max(1, (right - left) // at.CORNER_PART)
    corners = (shape[:y, :x], shape[:y, -x:], shape[-y:, :x], shape[-y:, -x:])
    return sum(bool(corner.any()) for corner in corners) >= at.CORNERS


def _belongs(pieces: Pieces, shape: tuple[int, ...]) -> Mask:
    """
    Return for each piece whether it is part of the digit: large, or not small and near the largest.

    Beside a digit that is whole, what the picture cuts off is another one. A rule below or above is none of it either.
    """
    if len(pieces.area) == 1:
        return np.ones(1, np.bool_)
    height, width = shape
    cut = (pieces.top == 0) | (pieces.left == 0) | (pieces.bottom == height) | (pieces.right == width)
    tall, wide = pieces.bottom - pieces.top, pieces.right - pieces.left
    leaves = cut & (_rim_length(pieces, shape) < at.LEAVES * np.maximum(tall, wide))
    weight = np.where(leaves, at.LEAVING, np.where(cut, at.CUT_OFF, 1.0))
    main = int((pieces.area * weight).argmax())
    beside = np.maximum(pieces.left - pieces.right[main], pieces.left[main] - pieces.right)
    above = np.maximum(pieces.top - pieces.bottom[main], pieces.top[main] - pieces.bottom)
    gap = np.maximum(beside, above)
    size = max(int(tall[main]), int(wide[main]))
    share = pieces.area / pieces.area[main]
    keep: Mask = ((gap < at.NEAR * size) & (share > at.NEAR_SHARE)) | ((gap < size) & (share > at.FAR_SHARE))
    if not cut[main]:
        keep &= ~cut | (leaves & (gap < at.NEAR_LEAVING * size))
    # A rule under or over a digit is flat, and sticks out on both sides of it.
    flat = (wide > at.FLAT_TIMES * tall) & (above > -tall)
    others = keep & ~flat
    if others.any():
        left, right = pieces.left[others].min(), pieces.right[others].max()
        out = np.minimum(left - pieces.left, pieces.right - right)
        keep &= ~(flat & (out > at.FLAT_OUT * wide))
    keep[main] |= not keep.any()
    return keep


def _without_base_line(mask: Mask) -> Mask:
    """
    Erase the line a digit stands on where the line touches it.

    Such a line is thin, and sticks out on both sides of everything above it. Where a stroke comes down into it, the
    ink stays: the digit keeps its own strokes. A two's foot may stick out as well, but goes on to the right of the
    stroke that it ends, which encloses nothing.
    """
    y0, y1, x0, x1 = extent_of(mask)
    height, width = y1 - y0, x1 - x0
    band = max(1, round(at.BASE_DEEP * height))
    if width < at.BASE_WIDTH or height < at.BASE_BANDS * band or width < at.BASE_BROAD * height:
        return mask
    shape = mask[y0:y1, x0:x1]
    slope = _slope_of_base(shape, band)
    if slope is None:
        return mask
    level = _sheared(np.pad(shape, ((width, width), (0, 0))), slope)
    foot = int(np.flatnonzero(level.any(axis=1))[-1]) + 1
    above, line = level[: foot - band], level[foot - band : foot]
    rest = np.flatnonzero(above.any(axis=0))
    if not len(rest):
        return mask
    left, right = int(rest[0]), int(rest[-1]) + 1
    out = min(left, width - right)
    if out < at.BASE_OUT * width and (out < at.BASE_OUT_LEAST * width or _may_have_foot(above)):
        return mask
    thickness = line.sum(axis=0)
    beside = np.concatenate((thickness[1 : left - 1], thickness[right + 1 : -1]))
    if not len(beside) or beside.max() > at.BASE_DEEP * height or beside.min() == 0:
        return mask
    first = line.argmax(axis=0)  # where the line begins in each column
    line &= above[-1] & (first == 0)  # a stroke of the digit comes down into the line here
    cut = mask.copy()
    cut[y0:y1, x0:x1] = _sheared(level, slope, back=True)[width:-width]
    return cut


def _slope_of_base(shape: Mask, deep: int) -> float | None:
    """
    Return by how much a line under a shape, (rows, columns), falls to the right, rows per column; None without one.

    It is the lowest ink of every column, and that lies straight, up to `deep` rows.
    """
    lowest = len(shape) - shape[::-1].argmax(axis=0)
    ends = max(1, round(at.BASE_ENDS * len(lowest)))
    slope = (median(lowest[-ends:].tolist()) - median(lowest[:ends].tolist())) / (len(lowest) - ends)
    return slope if abs(slope) <= at.BASE_SLOPE and np.ptp(lowest - slope * np.arange(len(lowest))) <= deep else None


def _may_have_foot(above: Mask) -> bool:
    """
    Tell whether what stands on a line, (rows, columns), may be a two without its foot.

    A hole as small as a cell is what a pen left out.
    """
    touching = np.flatnonzero(above[-1])
    if len(touching) and float(touching.mean()) > at.BASE_MIDDLE * above.shape[1]:
        return False
    closed = above.copy()
    closed[-1] = True
    return pieces_less_holes(_coarse(closed, -(-max(closed.shape) // at.BROKEN_CELLS))) > 0


def _without_rules(ink: Plane) -> Plane:
    """
    Remove the lines of ruled and squared paper: thin, straight, from one side of the picture to the other.

    Where a stroke crosses a rule it is darker than the rule or as dark; there the ink stays, or a gap no wider than the
    rule is left.
    """
    level = _without_level_rules(ink)
    upright = _without_level_rules(level.T)
    cleaned = level if upright.base is level or upright is level else upright.T
    return cleaned if np.count_nonzero(cleaned > at.INKED) > at.RULES_LEAVE * ink.size else ink


def _without_level_rules(ink: Plane) -> Plane:
    """
    Remove the rules that are about level.

    ink: (height, width) float32, 0 to 1; it comes back as it is (`is`) where there are none   returns: the same

    1. A picture with nothing at its left or right end has no rules.
    2. The slope is found on the plane halved and cut to marks: sheared by which slope are most rows nearly full, from
       end to end?
    3. The whole plane is sheared by that slope. The median of each row is its rule, which is taken off where no stroke
       crosses it. Many such rows on end are broader than a rule, and stay.
    """
    height, width = ink.shape
    half = ink[: height // 2 * 2, : width // 2 * 2]
    ends = max(at.RULE_ENDS_LEAST, width // at.RULE_ENDS)
    if not ((half[:, : 2 * ends] > at.RULE_MARKED).any() and (half[:, -2 * ends :] > at.RULE_MARKED).any()):
        return ink
    half = np.maximum(half[::2], half[1::2])
    marked = np.maximum(half[:, ::2], half[:, 1::2]) > at.RULE_MARKED
    best, slope = 0.0, None
    for candidate in _SLOPES:
        moved = _sheared(marked, candidate)
        covered = moved.mean(axis=1)
        covered *= moved[:, :ends].any(axis=1) & moved[:, -ends:].any(axis=1)
        score = float(np.maximum(covered - at.RULE_COVERS, 0).sum())
        if score > best:
            best, slope = score, candidate
    if slope is None:
        return ink
    moved = _sheared(ink, slope)
    level = np.median(moved, axis=1)
    covered = (moved > at.RULE_LEVEL).mean(axis=1) > at.RULE_ROW
    rule = covered & ~_windowed_all(covered, max(at.RULE_THICK_LEAST, height // at.RULE_THICK))
    level = np.where(rule, level, np.float32(0))[:, None]
    cleared = np.where(moved < level + at.RULE_CROSSED, np.maximum(moved - at.RULE_TAKEN * level, 0), moved)
    return _sheared(cleared, slope, back=True)


def _windowed_all(row: Mask, size: int) -> Mask:
    """Return which places lie in a run of at least `size` that are set."""
    edges = np.flatnonzero(np.diff(np.concatenate(([False], row, [False])).astype(np.int8)))
    long = np.zeros_like(row)
    for start, stop in zip(edges[::2], edges[1::2], strict=True):
        long[start:stop] = stop - start >= size
    return long


def _sheared(plane: NDArray[Any], slope: float, *, back: bool = False) -> NDArray[Any]:
    """Move each column up or down by whole pixels, so that lines of this slope become level; rows wrap around."""
    height, width = plane.shape
    steps = np.rint((np.arange(width) - width / 2) * slope).astype(np.intp)
    sheared = np.empty_like(plane)
    edges = [0, *(np.flatnonzero(np.diff(steps)) + 1).tolist(), width]
    for left, right in pairwise(edges):  # neighbouring columns move alike
        step = int(-steps[left] if back else steps[left]) % height
        sheared[: height - step, left:right] = plane[step:, left:right]
        sheared[height - step :, left:right] = plane[:step, left:right]
    return sheared


def is_sheet(shape: Mask, picture_shape: tuple[int, ...]) -> bool:
    """
    Tell whether a shape is a sheet of paper, not strokes: with its holes filled about a rectangle, and mostly set.

    shape: (rows, columns), what is set, cut to its extent   picture_shape: (height, width) of the whole mask
    """
    height, width = shape.shape
    if max(picture_shape) <= SMALL or min(height, width) < at.SHEET_PART * max(picture_shape):
        return False
    if not at.SHEET_FROM < height / width < at.SHEET_TO:
        return False
    left, right = shape.argmax(axis=1), width - shape[:, ::-1].argmax(axis=1)
    rows = np.flatnonzero(shape.any(axis=1))
    if len(rows) < height:
        left, right = left[rows], right[rows]
    filled = int((right - left).sum())
    if np.count_nonzero(shape) <= at.SHEET_PAPER * filled:
        return False  # as strokes are, so that no box has to be found
    outline = np.concatenate((left, right, rows, rows), dtype=np.float64).reshape(2, -1)
    turned = _TURNS @ outline
    boxes = np.prod(np.ptp(turned, axis=-1), axis=-1)
    return bool(filled > at.SHEET_FILLS * boxes.min())


def cut_out(part: NDArray[Any], sheet: Mask, factor: int) -> NDArray[Any]:
    """
    Return the part of a picture that shows a sheet, with what lies beside the sheet painted in its colour.

    part: (height, width), or (height, width, channels), of any type, in posted pixels
    sheet: (rows, columns), `factor` posted pixels each; returns: as `part`, at most rows * factor by columns * factor
    """
    across = np.maximum.accumulate(sheet, axis=1) & np.maximum.accumulate(sheet[:, ::-1], axis=1)[:, ::-1]
    down = np.maximum.accumulate(sheet) & np.maximum.accumulate(sheet[::-1])[::-1]
    beside = grown(grown(np.pad(~(across & down), 1, constant_values=True)))[1:-1, 1:-1]
    beside = beside.repeat(factor, axis=0).repeat(factor, axis=1)[: part.shape[0], : part.shape[1]]
    part = part[: beside.shape[0], : beside.shape[1]].copy()
    every = max(1, round((beside.size / at.SAMPLED) ** 0.5))
    sample = part[::every, ::every][~beside[::every, ::every]]
    part[beside] = np.median(sample, axis=0) if len(sample) else 0
    return part
