"""Whole pictures brought to what a network reads, against Pillow, and where their pixels lie in what was posted."""

import cv2
import numpy as np
import pytest
from PIL import Image

from service.core.colour import on_white, to_channels
from service.core.digit import Frame
from service.core.errors import InvalidImage
from service.core.inputs import Fitting, as_posted, fitted

PILLOW = {
    "bilinear": Image.Resampling.BILINEAR,
    "bicubic": Image.Resampling.BICUBIC,
    "nearest": Image.Resampling.NEAREST,
    "area": Image.Resampling.BOX,
}
SIZES = [(1, 1), (7, 300), (40, 50), (50, 40), (64, 64), (301, 33), (129, 257)]
WANTED = [(28, 28), (32, 20), (48, 192), (224, 224)]
FITTINGS = [
    Fitting("stretch"),
    Fitting("crop"),
    Fitting("crop", short_side=256),
    Fitting("crop", short_side=24, fill=0.25),
    Fitting("letterbox", fill=0.5),
]


def picture_of(size, channels, seed=0):
    random = np.random.default_rng(seed)
    shape = size if channels == 1 else (*size, channels)
    return random.random(shape, np.float32)


def by_pillow(plane, fitting, wanted):
    """The same by Pillow: resized whole, then cut or laid on a ground."""
    size, start = fitting.place(plane.shape, wanted)
    if size[0] * size[1] > 4e6:
        pytest.skip("Pillow makes all of it")
    whole = np.asarray(Image.fromarray(plane, "F").resize(size[::-1], PILLOW[fitting.resampling]))
    ground = np.full(wanted, fitting.fill, np.float32)
    rows, columns = (np.arange(side) + begin for side, begin in zip(wanted, start, strict=True))
    inside = np.ix_((rows >= 0) & (rows < size[0]), (columns >= 0) & (columns < size[1]))
    ground[inside] = whole.clip(0, 1)[np.ix_(rows[inside[0].ravel()], columns[inside[1].ravel()])]
    return ground


def between(fitting, size, wanted):
    """Where the nearest pixel is one of two: Pillow adds steps up, and so falls to either side."""
    made, start = fitting.place(size, wanted)
    ties = []
    for axis in (0, 1):
        centres = (np.arange(wanted[axis]) + start[axis] + 0.5) * size[axis] / made[axis]
        ties.append(np.abs(centres - np.rint(centres)) < 1e-6)
    return ties[0][:, None] | ties[1]


@pytest.mark.parametrize("fitting", FITTINGS, ids=lambda fitting: f"{fitting.fit}-{fitting.short_side}")
@pytest.mark.parametrize("resampling", sorted(PILLOW))
def test_a_picture_becomes_what_pillow_makes_of_it(fitting, resampling):
    asked = Fitting(fitting.fit, resampling, fitting.short_side, fitting.fill)
    for index, size in enumerate(SIZES):
        wanted = WANTED[index % 3]
        picture = picture_of(size, 3, index)
        found = fitted(picture, (3, *wanted), asked)
        for channel in range(3):
            wanted_plane = by_pillow(np.ascontiguousarray(picture[:, :, channel]), asked, wanted)
            clear = ~(between(asked, size, wanted) & (resampling == "nearest"))
            np.testing.assert_allclose(found.image[channel][clear], wanted_plane[clear], atol=2e-5)


def test_the_shorter_side_and_the_middle_are_those_of_torchvision():
    # Resize(256) and CenterCrop(224) of torchvision.transforms.functional, written out.
    for height, width in [(300, 400), (375, 500), (500, 333), (97, 1031)]:
        short, long = min(height, width), max(height, width)
        resized = (256, int(256 * long / short)) if height <= width else (int(256 * long / short), 256)
        start = tuple(round((side - 224) / 2.0) for side in resized)
        assert Fitting("crop", short_side=256).place((height, width), (224, 224)) == (resized, start)


def test_an_area_of_whole_pixels_is_the_mean_that_opencv_makes():
    picture = picture_of((96, 160), 1)
    found = fitted(picture, (1, 24, 32), Fitting(resampling="area"))
    np.testing.assert_allclose(found.image[0], cv2.resize(picture, (32, 24), interpolation=cv2.INTER_AREA), atol=1e-6)


@pytest.mark.parametrize("fitting", FITTINGS, ids=lambda fitting: f"{fitting.fit}-{fitting.short_side}")
@pytest.mark.parametrize("size", [(90, 130), (300, 200), (20, 31)])
def test_the_matrix_leads_back_to_the_posted_pixels_and_the_box_has_what_is_seen(fitting, size):
    height, width = size
    down, across = np.mgrid[:height, :width].astype(np.float32)
    wanted = (44, 60)
    images = [fitted(ramp / max(size), (1, *wanted), fitting) for ramp in (across, down)]
    x, y, wide, high = images[0].box
    assert 0 <= x < x + wide <= width
    assert 0 <= y < y + high <= height
    rows, columns = np.mgrid[: wanted[0], : wanted[1]]
    back = images[0].matrix @ np.stack([columns.ravel(), rows.ravel(), np.ones(rows.size)])
    inside = (back[0] > 3) & (back[0] < width - 4) & (back[1] > 3) & (back[1] < height - 4)
    assert inside.sum() > 100
    for axis, found in enumerate(images):
        # A ramp tells where a pixel comes from; where it is made smaller the mean of a ramp is its middle.
        middle = (back[axis] > 0.05 * size[1 - axis]) & (back[axis] < 0.95 * size[1 - axis]) & inside
        np.testing.assert_allclose(found.image.ravel()[middle] * max(size), back[axis][middle], atol=0.06)
    # The box is all that is not the ground, and no more than a pixel wider.
    seen = (back[0] > -0.5) & (back[0] < width - 0.5) & (back[1] > -0.5) & (back[1] < height - 0.5)
    assert abs(back[0][seen].min() - x) <= max(images[0].matrix[0, 0], 1)
    assert abs(back[1][seen].max() - (y + high - 1)) <= max(images[0].matrix[1, 1], 1)


def test_a_picture_that_was_decoded_at_a_smaller_scale_leads_back_to_the_posted_one():
    found = fitted(picture_of((50, 80), 1), (1, 10, 10), Fitting("crop"))
    framed = found.within(Frame(step=4, left=0, top=0, width=318, height=199))
    x, y, wide, high = found.box
    assert framed.box == (4 * x, 4 * y, min(4 * wide, 318 - 4 * x), min(4 * high, 199 - 4 * y))
    corner = np.array([-0.5, -0.5, 1])
    np.testing.assert_allclose((framed.matrix @ corner)[:2] + 0.5, 4 * ((found.matrix @ corner)[:2] + 0.5))


@pytest.mark.parametrize(("size", "shape"), [((1, 4_000_000), (3, 8, 8)), ((4_000_000, 1), (1, 8, 8))])
@pytest.mark.parametrize("fit", ["stretch", "crop", "letterbox"])
def test_a_line_of_pixels_is_a_picture_like_any_other(size, shape, fit):
    found = fitted(np.full(size, 255, np.uint8), shape, Fitting(fit, short_side=8 if fit == "crop" else None))
    assert found.image.shape == shape
    assert found.image.max() == 1


def test_what_is_taken_as_it_is_has_the_channels_of_the_network():
    grey, colour = picture_of((4, 6), 1), picture_of((4, 6), 3)
    np.testing.assert_array_equal(as_posted(grey, (1, 4, 6), ""), grey)
    np.testing.assert_array_equal(as_posted(grey, (3, 4, 6), ""), np.stack([grey] * 3))
    np.testing.assert_array_equal(as_posted(colour, (3, 4, 6), ""), colour.transpose(2, 0, 1))
    with pytest.raises(InvalidImage, match=r"a picture is 6 x 4 \(0 black, 1 white\), got 4 x 6"):
        as_posted(grey.T, (1, 4, 6), "0 black, 1 white")


@pytest.mark.parametrize("shape", [(1, 1, 3), (20, 32, 3), (375, 500, 3), (2, 90_000, 3), (300, 400, 4)])
def test_channels_are_the_levels_over_255_laid_over_white(shape):
    levels = np.random.default_rng(5).integers(0, 256, shape).astype(np.uint8)
    unit = levels.astype(np.float32) / np.float32(255)
    expected = on_white(unit).transpose(2, 0, 1)
    for picture in (levels, np.asfortranarray(levels), unit):
        found = to_channels(picture)
        assert (found.dtype, found.flags.c_contiguous) == (np.float32, True)
        np.testing.assert_array_equal(found, expected)
