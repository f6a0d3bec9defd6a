"""
Any picture of one digit becomes what MNIST is: light ink on black, in a box of 20 pixels, centred by mass in 28 x 28.

A network trained on MNIST has only ever seen that form, so nearly everything that makes it fail on a photo or a drawing
can be undone before it looks. `prepare` takes these steps, and none of them depends on the network:

    picture -> one plane of grey -> ink (0 paper, 1 ink) -> the strokes that are the digit -> 28 x 28
              ink.py                                strokes.py, small_pictures.py       mnist_form.py

What each step decides by is in thresholds.py, every number with its why.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from service.core.digit.ink import (
    FoundInk,
    checked,
    clean_ink,
    drawn_ink,
    full_strength,
    grey,
    ink_of,
    is_busy,
    reduced,
)
from service.core.digit.mnist_form import (
    NOT_ASKED,
    SIDE,
    Crop,
    Frame,
    LeftOut,
    PreparedDigit,
    already_mnist,
    left_out,
    placed,
    stroke_width,
    unstretched,
)
from service.core.digit.pieces import NOBODY, Mask, Told, extent_of, grown
from service.core.digit.small_pictures import outline_filled, without_hairs, without_impulses
from service.core.digit.strokes import cut_out, digit_strokes, is_in_corner, is_sheet, painted_over
from service.core.digit.thresholds import (
    CLOSER_BELOW,
    DRAWN_BESIDE,
    FEW,
    INKED,
    KEPT,
    MOSTLY_INK,
    SHEET_STROKE,
    SMALL,
    WORK_SIDE,
)
from service.core.errors import InvalidImage

LOOKS = 2  # how often a picture is looked at again, from nearer

__all__ = ["SIDE", "Frame", "LeftOut", "PreparedDigit", "Told", "already_mnist", "prepare"]


def prepare(picture: NDArray[Any], told: Told = NOBODY) -> PreparedDigit:
    """
    Find the digit in `picture` and bring it into MNIST's form.

    picture: (height, width) grey, (height, width, 3) RGB or (height, width, 4) RGBA; uint8 is 0 to 255, bool and float
        are 0 to 1; 0 is black
    told: who is told of the work before it is done; of the parts looked at, all of the picture is the first
    raises: InvalidImage when there is no ink, or the array is not a picture

    >>> import numpy as np
    >>> picture = np.full((60, 40), 255, np.uint8)
    >>> picture[10:50, 18:22] = 0  # a one, in black
    >>> prepared = prepare(picture)
    >>> prepared.inverted, prepared.box
    (True, (18, 10, 4, 40))
    >>> prepared.image[14]
    array([  0,   0,   0,   0,   0,   0,   0,   0,   0,   0,   0,   0,   0,
           255, 255,   0,   0,   0,   0,   0,   0,   0,   0,   0,   0,   0,
             0,   0], dtype=uint8)
    """
    picture = checked(picture)
    return already_mnist(picture) or _prepared(picture, 0, 0, told, looks=LOOKS)


def _ink_found(picture: NDArray[Any]) -> FoundInk:
    """Find the ink of a picture."""
    factor = max(1, -(-max(picture.shape[:2]) // WORK_SIDE))
    drawn = drawn_ink(picture, factor)
    if drawn is not None and not is_busy(drawn.plane):
        return drawn
    ink, inverted, clean = clean_ink(picture) or ink_of(grey(reduced(picture, factor)))
    while is_busy(ink):
        # Grain: seen from farther away there is less of it, and what it costs to look at is bounded.
        ink, factor = full_strength(reduced(ink, 2)), 2 * factor
    return FoundInk(ink, inverted, clean, factor, 0, 0, ink.shape, is_drawn=False)


def _beside(picture: NDArray[Any], thing: Mask, factor: int, told: Told) -> NDArray[Any] | None:
    """Return a picture without the thing, (rows, columns), that lies in its corner, if something is drawn beside it."""
    rest = painted_over(picture, thing, factor)
    try:
        found = _ink_found(rest)
        ink, mask = digit_strokes(found.plane, found, told)
    except InvalidImage:
        return None
    return rest if np.count_nonzero(mask) > DRAWN_BESIDE * np.count_nonzero(ink > INKED) else None


def _on_sheet(
    picture: NDArray[Any],
    mask: Mask,
    factor: int,
    place: tuple[int, int],
    told: Told,
    *,
    looks: int,
) -> PreparedDigit | None:
    """Prepare what is written on a sheet of paper on a table, the mask of (rows, columns), if a pen wrote it."""
    y0, y1, x0, x1 = extent_of(mask)
    sheet = cut_out(picture[y0 * factor : y1 * factor, x0 * factor : x1 * factor], mask[y0:y1, x0:x1], factor)
    try:
        on_it = _prepared(sheet, place[0] + x0 * factor, place[1] + y0 * factor, told, looks=looks)
    except InvalidImage:
        return None
    return on_it if stroke_width(on_it.image * np.float32(1 / 255)) < SHEET_STROKE else None


def _prepared(picture: NDArray[Any], left: int, top: int, told: Told, *, looks: int) -> PreparedDigit:
    """Prepare a picture that is the part at (left, top) of the posted one; `looks` says how often to look closer."""
    told.looked(picture)
    seen = _ink_found(picture)
    ink, factor = seen.plane, seen.factor
    if FEW <= max(ink.shape) <= SMALL:
        cleaned = without_impulses(ink)
        ink = cleaned if cleaned.max() > MOSTLY_INK else ink
    found = ink
    if picture.shape[:2] == (SIDE, SIDE):
        ink = outline_filled(without_hairs(ink))
    swept = ink
    ink, mask = digit_strokes(ink, seen, told)
    rest = _beside(picture, mask, factor, told) if looks and seen.is_whole and is_in_corner(mask) else None
    if rest is not None:  # the thing in the corner is so dark that the pen looks like paper
        return _prepared(rest, left, top, told, looks=looks - 1)
    extent = y0, y1, x0, x1 = extent_of(mask)
    size = max(y1 - y0, x1 - x0)
    window = picture[seen.top * factor :, seen.left * factor :]
    place = (left + seen.left * factor, top + seen.top * factor)
    if looks and is_sheet(mask[y0:y1, x0:x1], seen.shape):
        on_it = _on_sheet(window, mask, factor, place, told, looks=looks - 1)
        if on_it is not None and on_it.inverted != seen.inverted:
            return on_it
    if looks and factor > 1 and size < WORK_SIDE // CLOSER_BELOW:
        # A small digit in a large picture. The margin keeps enough paper to judge its light by.
        margin = size // 2 + 4
        y0, x0 = max(0, seen.top + y0 - margin) * factor, max(0, seen.left + x0 - margin) * factor
        y1, x1 = (seen.top + y1 + margin) * factor, (seen.left + x1 + margin) * factor
        return _prepared(picture[y0:y1, x0:x1], left + x0, top + y0, told, looks=0)
    unused = NOT_ASKED
    if looks == LOOKS and max(picture.shape[:2]) <= SMALL:
        # What was mended does not show as it was posted: noise, outlines, a box around the digit.
        mended = found is not seen.plane or ink is not swept
        mended = mended or (swept is not found and float(swept.sum()) > float(found.sum()))
        plane = None if mended else grey(reduced(picture, 1))
        unused = left_out(plane, found, swept, mask & (ink > 0), clean=seen.clean)
    narrowed = unstretched(mask, extent)
    if (y1 - y0, x1 - x0) != mask.shape:
        mask = grown(mask)
    fits = picture.shape[:2] == (SIDE, SIDE) and KEPT[0] <= max(y1 - y0, x1 - x0) <= KEPT[1]
    if not fits:
        ink = ink * mask
    crop = Crop(*place, window.shape[1], window.shape[0], factor)
    # On a sheet a stroke stays as broad as it is: its breadth tells whether a pen made it.
    thins = not fits and narrowed == 1 and looks != LOOKS - 1
    return placed(
        ink,
        extent,
        crop,
        seen.inverted,
        fits=fits,
        thinning=told.thinned if thins else None,
        narrowed=narrowed,
        unused=unused,
    )
