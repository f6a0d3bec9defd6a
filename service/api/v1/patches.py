"""POST /v1/patches: a picture cut into patches by a sliding window, as numbers and as the lecture draws it."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from flask import Blueprint, request

from service.api.http import writing
from service.api.http.application import Reply
from service.api.http.reading import read_posted
from service.api.http.sheets import text_of_range
from service.core.colour import to_grey
from service.core.convolution import PAD_MODES, Geometry, check_choice, check_pair, geometry, pad, patches
from service.core.digit import SIDE, PreparedDigit
from service.core.errors import InvalidOption
from service.core.ranges import to_levels, value_range
from service.core.sheets import GAP, Levels, spaced, stack
from service.core.snippets import SMALL_PICTURE, patches_snippet
from service.lab import prices, sizes
from service.lab.options import PatchesOptions
from service.lab.picture import Picture
from service.settings import Limits, Settings

# The side in pixels that a small patch is enlarged to: a digit's.
PATCH_SIDE = SIDE


@dataclass(frozen=True, slots=True)
class Cut:
    """A picture, (height, width), what was done to it first, and where the window stops on it."""

    image: np.ndarray
    places: Geometry
    prepared: PreparedDigit | None

    @property
    def padded_pixels(self) -> int:
        """Pixels of the picture with its padding."""
        (height, width), (top, left, bottom, right) = self.places.image, self.places.pads
        return (top + height + bottom) * (left + width + right)

    @property
    def numbers(self) -> int:
        """Numbers in all patches together."""
        return self.places.count * self.places.kernel[0] * self.places.kernel[1]

    def padded(self, options: PatchesOptions) -> np.ndarray:
        """The picture with its padding; without any it is the picture itself."""
        return pad(self.image, self.places.pads, options.pad_mode, options.pad_value)


def blueprint(settings: Settings) -> Blueprint:
    """The routes of this noun, given what they work with."""
    routes = Blueprint("patches", __name__)

    @routes.post("/v1/patches")
    def make_patches() -> Reply:
        """Cut every posted picture into patches."""
        posted = read_posted(request, PatchesOptions, settings)
        options = posted.options
        form = writing.choose_format(request, options.format, ("json", "png", "npz"))
        cuts = posted.each(lambda picture: _plan(picture, options), any_value=True)
        _charge(cuts, form, options, settings)
        if form == "npz":
            return writing.npz({f"{i}/patches": _in_a_row(cut, options) for i, cut in enumerate(cuts)})
        if form == "png":
            return _draw(cuts, options)
        return writing.json(writing.envelope([_write(cut, options) for cut in cuts]))

    return routes


def _plan(picture: Picture, options: PatchesOptions) -> Cut:
    check_choice("pad_mode", options.pad_mode, PAD_MODES)
    digit = picture.prepared() if options.prepare == "auto" else None
    image = to_grey(picture.pixels if digit is None else digit.image)
    size = check_pair("patch_size", options.patch_size, least=1)
    return Cut(image, geometry(image.shape, size, options.stride, 1, options.padding), digit)


def _charge(cuts: list[Cut], form: str, options: PatchesOptions, limits: Limits) -> None:
    """Charge the patches and their answer; raises what is refused of their size as well."""
    for cut in cuts:
        if cut.padded_pixels > limits.max_image_pixels:
            allowed = limits.max_image_pixels
            raise InvalidOption(f"padded, a picture may have {allowed} pixels, got {cut.padded_pixels}", "/padding")
    numbers, corners = sum(cut.numbers for cut in cuts), sum(cut.places.count for cut in cuts)
    read = sum(4 * (cut.image.size + cut.padded_pixels) for cut in cuts)
    prices.charge("filter", prices.STEP + len(cuts) * prices.PLAN + read * prices.CELL, read)
    if form == "json":
        sizes.check_numbers(numbers + 2 * corners, limits)
        work = len(cuts) * prices.RESULT + corners * prices.CORNER + numbers * prices.JSON_NUMBER_OUT
        written = sum(min(cut.image.size, SMALL_PICTURE) for cut in cuts) if options.snippet else 0
        work += written * prices.SNIPPET_NUMBER + (len(cuts) * prices.PREPARED_IMAGE if options.prepared_image else 0)
        prices.charge("write", work, (numbers + 8 * corners) * prices.JSON_NUMBER_BYTES)
    if form == "npz":
        sizes.check_bytes(4 * numbers, limits)
        prices.charge("write", len(cuts) * prices.NPZ_ARRAY + 4 * numbers * prices.NPZ_BYTE, 4 * numbers)
    if form == "png":
        colours = 3 if options.polarity == "diverging" else 1
        pixels = sum(_sheet_pixels(cut.places) for cut in cuts)
        sizes.check_bytes(colours * pixels, limits)
        prices.charge("draw", *prices.drawing(len(cuts), numbers, pixels, colours))


def _factor(places: Geometry) -> int:
    return max(1, PATCH_SIDE // max(places.kernel))


def _sheet_pixels(places: Geometry) -> int:
    factor = _factor(places)
    height, width = (GAP + n * (GAP + side * factor) for n, side in zip(places.patches, places.kernel, strict=True))
    return height * width


def _in_a_row(cut: Cut, options: PatchesOptions) -> np.ndarray:
    """(count, height, width), in reading order."""
    places = cut.places
    windows = patches(cut.padded(options), places.kernel, places.stride)
    return np.ascontiguousarray(windows.reshape(places.count, *places.kernel))


def _write(cut: Cut, options: PatchesOptions) -> dict[str, Any]:
    places = cut.places
    members: dict[str, Any] = {
        "grid": list(places.patches),
        "count": places.count,
        "unread": list(places.unread),
        "image": list(places.image),
        "patch_size": list(places.kernel),
        "stride": list(places.stride),
        "pads": list(places.pads),
        "corners": [places.corner(row, column) for row in range(places.rows) for column in range(places.columns)],
        "patches": _in_a_row(cut, options),
        "prepared": writing.prepared(cut.prepared, with_image=options.prepared_image),
    }
    if options.snippet:
        how = (places.kernel, places.stride, places.pads, options.pad_mode, options.pad_value)
        members["snippet"] = patches_snippet(options.snippet, cut.image, *how)
    return members


def _draw(cuts: list[Cut], options: PatchesOptions) -> Reply:
    sheets, ranges = [], []
    for cut in cuts:
        padded = cut.padded(options)
        lo, hi = _range(padded, options)
        sheets.append(_sheet(padded, cut.places, lo, hi, options))
        ranges.append((lo, hi))
    return writing.png(stack(sheets), text_of_range(ranges if len(ranges) > 1 else ranges[0], options))


def _range(values: np.ndarray, options: PatchesOptions) -> tuple[float, float]:
    if options.range == "fixed" and options.lo is None and options.hi is None:
        return 0.0, 1.0
    return value_range(values, options.range, options.lo, options.hi)


def _sheet(padded: np.ndarray, places: Geometry, lo: float, hi: float, options: PatchesOptions) -> Levels:
    """Draw the patches as they lie, apart; levels are made of the picture once, and cut."""
    levels = to_levels(padded, lo, hi, options.polarity).levels
    planes = levels.transpose(2, 0, 1) if levels.ndim == 3 else levels[None]
    tiles = patches(planes, places.kernel, places.stride).transpose(1, 2, 3, 4, 0)  # (rows, columns, h, w, colours)
    factor = _factor(places)
    prices.go_on()
    taller = tiles.repeat(factor, axis=2)
    prices.go_on()
    wider = taller.repeat(factor, axis=3)
    prices.go_on()
    sheet = spaced(wider)
    return sheet if levels.ndim == 3 else sheet[:, :, 0]
