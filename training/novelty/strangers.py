"""
Strangers: pictures that are no digits, with which novelty is measured and never trained.

No other data set is at hand, so these stand in for one: letters in the faces that matplotlib brings along, bent like
handwriting; clothes as textured silhouettes; scribbles; textures like those of photographs; noise. Letters that look
like digits (O, I, l, S, Z, q, b, g and their kin) are left out, since no reader could tell them apart.
"""

from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont
from scipy import ndimage

from service.core.digit import SIDE
from training.data.mnist import LabelledDigits
from training.data.warps import warped_pictures
from training.knobs import WarpKnobs
from training.networks.measures import area_under_roc
from training.novelty.pen import FINE, Pictures, dyed

LETTERS = "ACEFHKMNPRUVWXacdefhkmnrtuvwx"
_FACES = ("DejaVuSans", "DejaVuSans-Oblique", "DejaVuSerif", "DejaVuSerif-Italic", "DejaVuSansMono", "STIXGeneral")


def letters(count: int, seed: int) -> Pictures:
    """Return letters in a 20-pixel box, centred by mass and bent as handwriting is: (count, 28, 28), 255 = ink."""
    random = np.random.default_rng(seed)
    faces = [ImageFont.truetype(str(_face_file(name)), 80) for name in _FACES]
    drawn = [_glyph(str(random.choice(list(LETTERS))), faces[random.integers(len(faces))]) for _ in range(count)]
    knobs = WarpKnobs(bend_pixels=1.2, shift_pixels=0.5, faint_share=0.0, noise_share=0.0, blur_share=0.3)
    return warped_pictures(np.stack(drawn), seed, knobs)


def clothes(count: int, seed: int) -> Pictures:
    """Return shirts, trousers, dresses, bags and shoes as textured silhouettes that fill the frame."""
    random = np.random.default_rng(seed)
    shapes = (_shirt, _trousers, _dress, _bag, _shoe)
    return np.stack([dyed(shapes[random.integers(len(shapes))](random), random) for _ in range(count)])


def scribbles(count: int, seed: int) -> Pictures:
    """Return one long wandering stroke each."""
    random = np.random.default_rng(seed)
    return np.stack([_scribble(random) for _ in range(count)])


def textures(count: int, seed: int) -> Pictures:
    """Return what a patch of a photograph looks like: noise smoothed at some scale, stretched to the full range."""
    random = np.random.default_rng(seed)
    return np.stack([_texture(random) for _ in range(count)])


def noise(count: int, seed: int) -> Pictures:
    """Return grain: even, or salt and pepper of some density."""
    random = np.random.default_rng(seed)
    even = random.integers(0, 256, (count, SIDE, SIDE))
    grains = 255 * (random.random((count, SIDE, SIDE)) < random.uniform(0.1, 0.6, (count, 1, 1)))
    return np.where(random.random((count, 1, 1)) < 0.5, even, grains).astype(np.uint8)


KINDS: dict[str, Callable[[int, int], Pictures]] = {
    "letters": letters,
    "clothes": clothes,
    "scribbles": scribbles,
    "textures": textures,
    "noise": noise,
}


def areas_by_kind(
    novelty_of: Callable[[LabelledDigits], NDArray[np.float32]], digits: LabelledDigits, count: int = 500, seed: int = 1
) -> dict[str, float]:
    """
    Return, for each kind of stranger, the chance that one scores higher than a digit (the area under the ROC curve).

    novelty_of: the score of each image of a part, (count,)
    """
    scores = novelty_of(digits)
    nothing = np.zeros(count, np.uint8)
    return {
        kind: area_under_roc(novelty_of(LabelledDigits(draw(count, seed), nothing)), scores)
        for kind, draw in KINDS.items()
    }


def _face_file(name: str) -> Path:
    import matplotlib as mpl  # noqa: PLC0415  its import takes a second on a busy machine; for letters alone

    return Path(mpl.get_data_path()) / "fonts" / "ttf" / f"{name}.ttf"


def _glyph(letter: str, face: ImageFont.FreeTypeFont) -> Pictures:
    sheet = Image.new("L", (200, 200))
    ImageDraw.Draw(sheet).text((100, 100), letter, fill=255, font=face, anchor="mm")
    cut = sheet.crop(sheet.getbbox())
    scale = 20 / max(cut.size)
    small = cut.resize((max(1, round(cut.width * scale)), max(1, round(cut.height * scale))), Image.Resampling.BOX)
    return _centred_by_mass(np.asarray(small))


def _centred_by_mass(ink: Pictures) -> Pictures:
    y, x = ndimage.center_of_mass(ink)
    top = int(np.clip(round(13.5 - y), 0, SIDE - ink.shape[0]))
    left = int(np.clip(round(13.5 - x), 0, SIDE - ink.shape[1]))
    framed = np.zeros((SIDE, SIDE), np.uint8)
    framed[top : top + ink.shape[0], left : left + ink.shape[1]] = ink
    return framed


def _silhouette(points: list[tuple[float, float]], random: np.random.Generator) -> NDArray[np.float64]:
    """Fill an outline given in pixels, each corner a little elsewhere: (28, 28), 0 to 1."""
    sheet = Image.new("L", (SIDE * FINE, SIDE * FINE))
    moved = [tuple(FINE * (np.array(point) + random.normal(0, 0.6, 2))) for point in points]
    ImageDraw.Draw(sheet).polygon(moved, fill=255)
    return np.asarray(sheet.resize((SIDE, SIDE), Image.Resampling.BOX)) / 255


def _mirrored(half: list[tuple[float, float]]) -> list[tuple[float, float]]:
    return half + [(SIDE - x, y) for x, y in reversed(half)]


def _shirt(random: np.random.Generator) -> NDArray[np.float64]:
    sleeve = random.uniform(10, 26)
    return _silhouette(_mirrored([(11, 2), (7, 3), (2, sleeve), (6, sleeve + 1), (8, 10), (8, 26)]), random)


def _trousers(random: np.random.Generator) -> NDArray[np.float64]:
    return _silhouette(_mirrored([(8, 1), (6, 27), (12, 27), (13.5, random.uniform(7, 12))]), random)


def _dress(random: np.random.Generator) -> NDArray[np.float64]:
    return _silhouette(_mirrored([(11, 1), (10, 10), (random.uniform(4, 8), 27)]), random)


def _bag(random: np.random.Generator) -> NDArray[np.float64]:
    top = random.uniform(8, 14)
    body = _silhouette(_mirrored([(3, top), (2, 26)]), random)
    handle = _silhouette([(8, top), (9, 3), (19, 3), (20, top), (18, top), (17, 5), (11, 5), (10, top)], random)
    return np.maximum(body, handle)


def _shoe(random: np.random.Generator) -> NDArray[np.float64]:
    shaft = random.uniform(4, 14)
    return _silhouette([(1, 22), (2, 17), (14, 14), (18, shaft), (26, shaft), (27, 22)], random)


def _scribble(random: np.random.Generator) -> Pictures:
    steps = random.integers(60, 160)
    turns = np.cumsum(random.normal(0, 0.5, steps))
    path = np.cumsum(np.stack([np.cos(turns), np.sin(turns)], 1) * random.uniform(1, 2), axis=0)
    low, high = path.min(0), path.max(0)
    path = 4 + 20 * (path - low) / np.maximum(high - low, 1e-6)
    sheet = Image.new("L", (SIDE * FINE, SIDE * FINE))
    pen = int(random.uniform(1.2, 2.6) * FINE)
    ImageDraw.Draw(sheet).line([tuple(point * FINE) for point in path], fill=255, width=pen, joint="curve")
    return np.asarray(sheet.resize((SIDE, SIDE), Image.Resampling.BOX))


def _texture(random: np.random.Generator) -> Pictures:
    field = ndimage.gaussian_filter(random.normal(size=(SIDE, SIDE)), random.uniform(0.7, 5))
    low, high = field.min(), field.max()
    return np.asarray((255 * (field - low) / (high - low)).astype(np.uint8))
