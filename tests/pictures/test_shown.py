"""What a browser shows is read, and as it shows it: Chromium decodes the same files."""

import os

import numpy as np
import pytest

from service.core.errors import ServiceError
from service.pictures import codec
from tests.pictures import files
from tests.pictures.oracles import browser_decoder, in_colour
from tests.web.browsing import needs_chromium

TIMES = 40 if os.environ.get("FILTERSCOPE_PROOF") else 1
# Sixteen bits are brought to eight by cutting here, by rounding there; a screen has whole levels.
NEAR = 2
# Colours at half resolution are enlarged in more than one way.
NEAR_ENLARGED = 40

pytestmark = needs_chromium


@pytest.fixture(scope="module")
def shown():
    with browser_decoder() as decoder:
        yield decoder


def compare(shown, named, near=NEAR):
    """Every file is read as it is shown; one that is not shown may be read or refused."""
    names, data = zip(*named, strict=True)
    wrong, seen = [], 0
    for name, file, wanted in zip(names, data, shown(data), strict=True):
        if wanted is None:
            continue
        seen += 1
        try:
            got = in_colour(codec.decode(file, max_pixels=10**6))
        except ServiceError as error:
            wrong.append((name, error.detail))
            continue
        if got.shape != wanted.shape or np.abs(got.astype(int) - wanted).max() > near:
            wrong.append((name, got.shape, wanted.shape))
    assert not wrong
    return seen


def seeds(count, first=0):
    return [np.random.default_rng(seed) for seed in range(first, first + count * TIMES)]


def test_png_of_any_depth_colour_order_and_transparency(shown):
    assert compare(shown, [(index, files.png(random)) for index, random in enumerate(seeds(60))]) == 60 * TIMES


@pytest.mark.parametrize("is_clear", [False, True])
def test_png_of_every_kind(shown, is_clear):
    kinds = [(colour, depth) for colour, depths in files.PNG_DEPTHS.items() for depth in depths]
    named = [(kind, files.png(random, *kind, clear=is_clear)) for random in seeds(2) for kind in kinds]
    assert compare(shown, named) == len(named)


def test_png_with_flaws_in_chunks_that_its_pixels_do_not_need(shown):
    named = [
        (name, files.png(random, 0, 8, aside=[aside])) for random in seeds(1) for name, aside in files.ASIDE.items()
    ]
    assert compare(shown, named) == len(named)


def test_bmp_of_every_kind(shown):
    named = [(kind, files.bmp(random, *kind)) for random in seeds(2) for kind in files.BMP_KINDS]
    assert compare(shown, named) == len(named)


def test_bmp_of_runs(shown):
    kinds = [(40, 8), (40, 4), (108, 8), (64, 24), (64, 8), (64, 4)]
    named = [(kind, files.bmp(random, *kind, is_run=True)) for random in seeds(5) for kind in kinds]
    assert compare(shown, named) == len(named)


def test_gif_whose_first_frame_lies_anywhere_on_its_canvas_or_beyond(shown):
    named = [(index, files.gif(random)) for index, random in enumerate(seeds(30))]
    named += [(index, files.gif(random, canvas=(5, 7))) for index, random in enumerate(seeds(10))]
    assert compare(shown, named) == len(named)


def test_jpeg_turned_and_in_scans(shown):
    assert compare(shown, [(index, files.jpeg(random)) for index, random in enumerate(seeds(40))]) == 40 * TIMES


@pytest.mark.parametrize("is_lossless", [False, True])
def test_webp(shown, is_lossless):
    named = [(i, files.by_pillow(random, "WEBP", lossless=is_lossless)) for i, random in enumerate(seeds(20))]
    assert compare(shown, named) == len(named)


def test_avif_turned(shown):
    # Without transparency, of which Chromium 150 shows other levels than were drawn.
    made = {"subsampling": "4:4:4", "quality": 80}
    named = [
        (i, files.by_pillow(random, "AVIF", (1, 3), exif=files.exif(int(random.integers(1, 9))), **made))
        for i, random in enumerate(seeds(15))
    ]
    assert compare(shown, named) == len(named)


@pytest.mark.parametrize("subsampling", ["4:2:0", "4:2:2"])
def test_avif_of_colour_at_half_resolution(shown, subsampling):
    named = [
        (i, files.by_pillow(random, "AVIF", (1, 3), subsampling=subsampling)) for i, random in enumerate(seeds(10))
    ]
    assert compare(shown, named, NEAR_ENLARGED) == len(named)


def test_damaged_files_are_read_as_shown_or_refused(shown):
    """What Chromium shows of a damaged file in full, we show alike, or refuse."""
    kinds = {"png": files.png, "bmp": files.bmp, "gif": files.gif, "jpeg": files.jpeg}
    named = []
    for random in seeds(15):
        for name, make in kinds.items():
            data = bytearray(make(random))
            for _ in range(int(random.integers(1, 3))):
                data[random.integers(len(data))] = random.integers(256)
            named.append((name, bytes(data)))
    wrong = []
    for (name, file), wanted in zip(named, shown([file for _, file in named]), strict=True):
        try:
            got = in_colour(codec.decode(file, max_pixels=10**6))
        except ServiceError:
            continue
        if wanted is not None and (got.shape != wanted.shape or np.abs(got.astype(int) - wanted).max() > NEAR):
            wrong.append((name, file[:40], got.shape, wanted.shape))
    assert not wrong
