"""
Pictures of digits the way people make them: drawn, scanned, photographed, and badly.

Every picture is made from strokes: a few points per digit, shaken, slanted and joined by smooth curves, drawn with a
pen of some width, then put into a *scene*, which is what people's cameras and drawing programs do to it. One generator
decides all of it, so `picture(scene, digit, seed)` is always the same picture.

    >>> picture("ruled paper", 7, seed=1).shape[2]
    3
"""

import io
import zlib
from collections.abc import Callable

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

Picture = np.ndarray
Rng = np.random.Generator

# Where a pen goes, in a box of 1 x 1, y downwards: a digit has several ways of being written, a way several strokes.
WAYS: dict[int, list[list[list[tuple[float, float]]]]] = {
    0: [
        [
            [
                (0.5, 0.0),
                (0.12, 0.2),
                (0.05, 0.55),
                (0.2, 0.9),
                (0.5, 1.0),
                (0.82, 0.85),
                (0.93, 0.5),
                (0.83, 0.15),
                (0.5, 0.0),
            ]
        ],
        [
            [
                (0.6, 0.03),
                (0.3, 0.1),
                (0.12, 0.5),
                (0.25, 0.92),
                (0.5, 0.98),
                (0.8, 0.7),
                (0.85, 0.3),
                (0.62, 0.02),
                (0.45, 0.06),
            ]
        ],
    ],
    1: [
        [[(0.5, 0.0), (0.5, 0.5), (0.5, 1.0)]],
        [[(0.25, 0.25), (0.42, 0.14), (0.55, 0.0)], [(0.55, 0.0), (0.54, 0.5), (0.54, 1.0)]],
        [[(0.25, 0.22), (0.5, 0.0)], [(0.5, 0.0), (0.5, 0.97)], [(0.3, 0.98), (0.72, 0.98)]],
    ],
    2: [
        [
            [(0.1, 0.25), (0.25, 0.05), (0.55, 0.0), (0.82, 0.15), (0.8, 0.4), (0.5, 0.7), (0.1, 1.0)],
            [(0.1, 1.0), (0.9, 0.98)],
        ],
        [
            [
                (0.15, 0.2),
                (0.4, 0.0),
                (0.75, 0.08),
                (0.8, 0.35),
                (0.45, 0.75),
                (0.15, 0.95),
                (0.25, 0.82),
                (0.5, 0.9),
                (0.9, 1.0),
            ]
        ],
    ],
    3: [
        [
            [(0.12, 0.12), (0.45, 0.0), (0.8, 0.1), (0.8, 0.32), (0.42, 0.47)],
            [(0.42, 0.47), (0.85, 0.58), (0.9, 0.8), (0.55, 1.0), (0.1, 0.9)],
        ],
        [
            [(0.12, 0.02), (0.85, 0.02)],
            [(0.85, 0.02), (0.45, 0.4)],
            [(0.45, 0.4), (0.85, 0.55), (0.88, 0.82), (0.5, 1.0), (0.1, 0.88)],
        ],
    ],
    4: [
        [[(0.22, 0.02), (0.15, 0.3), (0.1, 0.55)], [(0.1, 0.55), (0.9, 0.52)], [(0.75, 0.05), (0.72, 0.5), (0.7, 1.0)]],
        [[(0.65, 0.0), (0.08, 0.65)], [(0.08, 0.65), (0.92, 0.65)], [(0.66, 0.0), (0.66, 1.0)]],
    ],
    5: [
        [
            [(0.2, 0.02), (0.18, 0.42)],
            [(0.18, 0.42), (0.5, 0.34), (0.85, 0.5), (0.85, 0.8), (0.5, 1.0), (0.1, 0.9)],
            [(0.2, 0.02), (0.85, 0.0)],
        ],
        [
            [(0.85, 0.0), (0.25, 0.03)],
            [(0.25, 0.03), (0.2, 0.45)],
            [(0.2, 0.45), (0.6, 0.38), (0.88, 0.65), (0.6, 0.97), (0.12, 0.93)],
        ],
    ],
    6: [
        [
            [
                (0.7, 0.0),
                (0.35, 0.25),
                (0.12, 0.65),
                (0.25, 0.95),
                (0.6, 1.0),
                (0.85, 0.8),
                (0.7, 0.55),
                (0.4, 0.55),
                (0.15, 0.75),
            ]
        ],
        [[(0.55, 0.0), (0.2, 0.35), (0.1, 0.75), (0.4, 1.0), (0.8, 0.88), (0.8, 0.62), (0.5, 0.5), (0.2, 0.62)]],
    ],
    7: [
        [[(0.1, 0.03), (0.88, 0.0)], [(0.88, 0.0), (0.6, 0.45), (0.4, 1.0)]],
        [[(0.1, 0.03), (0.88, 0.0)], [(0.88, 0.0), (0.55, 0.5), (0.4, 1.0)], [(0.3, 0.48), (0.8, 0.46)]],
    ],
    8: [
        [
            [
                (0.75, 0.12),
                (0.4, 0.0),
                (0.2, 0.2),
                (0.5, 0.46),
                (0.85, 0.75),
                (0.55, 1.0),
                (0.15, 0.85),
                (0.35, 0.55),
                (0.7, 0.35),
                (0.75, 0.12),
            ],
        ],
        [
            [(0.5, 0.0), (0.25, 0.1), (0.25, 0.35), (0.5, 0.46), (0.75, 0.35), (0.75, 0.1), (0.5, 0.0)],
            [(0.5, 0.46), (0.15, 0.6), (0.15, 0.88), (0.5, 1.0), (0.85, 0.88), (0.85, 0.6), (0.5, 0.46)],
        ],
    ],
    9: [
        [
            [(0.8, 0.2), (0.5, 0.0), (0.18, 0.15), (0.2, 0.42), (0.55, 0.48), (0.8, 0.2)],
            [(0.8, 0.2), (0.78, 0.6), (0.7, 1.0)],
        ],
        [
            [
                (0.75, 0.1),
                (0.4, 0.02),
                (0.2, 0.3),
                (0.45, 0.5),
                (0.75, 0.3),
                (0.77, 0.1),
                (0.75, 0.7),
                (0.45, 1.0),
                (0.2, 0.93),
            ]
        ],
    ],
}


def picture(scene: str, digit: int, seed: int) -> Picture:
    """Return a uint8 picture of `digit`: (height, width) grey, or with 3 or 4 channels."""
    rng = np.random.default_rng([seed, digit, zlib.crc32(scene.encode())])  # a scene more changes no other's pictures
    return SCENES[scene](rng, digit)


# ---------------------------------------------------------------------------------------------------------- strokes


def strokes(rng: Rng, digit: int) -> list[np.ndarray]:
    """Return the strokes of a digit as dense curves within about 1 x 1, as one hand might write it."""
    way = WAYS[digit][rng.integers(len(WAYS[digit]))]
    shake = 0.03
    turn, slant = np.deg2rad(rng.normal(0, 4)), rng.normal(0.12, 0.12)
    width = rng.uniform(0.5, 0.85)
    drift = {}  # points that two strokes share move together
    curves = []
    for stroke in way:
        points = np.array([np.array(point) + drift.setdefault(point, rng.normal(0, shake, 2)) for point in stroke])
        curve = _smooth(points)
        x, y = (curve[:, 0] - 0.5) * width, curve[:, 1] - 0.5
        x = x - slant * y
        curves.append(np.stack([x * np.cos(turn) - y * np.sin(turn), x * np.sin(turn) + y * np.cos(turn)], axis=1))
    return curves


def _smooth(points: np.ndarray, steps: int = 12) -> np.ndarray:
    """Join points by a Catmull-Rom spline."""
    padded = np.concatenate([2 * points[:1] - points[1:2], points, 2 * points[-1:] - points[-2:-1]])
    t = np.linspace(0, 1, steps, endpoint=False)[:, None]
    pieces = []
    for a, b, c, d in zip(padded, padded[1:], padded[2:], padded[3:], strict=False):
        pieces.append(0.5 * (2 * b + (c - a) * t + (2 * a - 5 * b + 4 * c - d) * t**2 + (3 * b - a - 3 * c + d) * t**3))
    return np.concatenate([*pieces, points[-1:]])


def ink(
    rng: Rng,
    digit: int,
    size: tuple[int, int],
    height: float,
    pen: float,
    centre: tuple[float, float] | None = None,
    extra: Callable[[ImageDraw.ImageDraw, float], None] | None = None,
    curves: list[np.ndarray] | None = None,
) -> np.ndarray:
    """
    Draw a digit's ink, 0 to 1, on (width, height) pixels.

    height: of the digit in pixels; pen: width of the line as a share of that height; centre: in pixels
    curves: its strokes, where they are not the digit's as they come
    """
    oversampled = 4 if max(size) <= 128 else 2
    canvas = Image.new("L", (size[0] * oversampled, size[1] * oversampled))
    drawing = ImageDraw.Draw(canvas)
    middle = np.array(centre if centre is not None else (size[0] / 2, size[1] / 2))
    line = max(1.0, pen * height * oversampled)
    for curve in strokes(rng, digit) if curves is None else curves:
        path = (curve * height + middle) * oversampled
        _draw(drawing, path, line)
    if extra is not None:
        extra(drawing, oversampled)
    return np.asarray(canvas.reduce(oversampled), np.float32) / 255


def _draw(drawing: ImageDraw.ImageDraw, path: np.ndarray, width: float) -> None:
    """Draw a path with a round pen."""
    drawing.line([tuple(point) for point in path], fill=255, width=max(1, round(width)), joint="curve")
    if width > 2:
        radius = width / 2
        for x, y in (path[0], path[-1]):
            drawing.ellipse([x - radius, y - radius, x + radius, y + radius], fill=255)


# ------------------------------------------------------------------------------------------------- what a camera does


def light(rng: Rng, size: tuple[int, int], strength: float = 0.35) -> np.ndarray:
    """Return uneven light, about 0.5 to 1: a slope, a soft fall towards the corners, a broad shadow."""
    y, x = np.mgrid[0 : size[1], 0 : size[0]] / max(size) - 0.5
    angle = rng.uniform(0, 2 * np.pi)
    slope = x * np.cos(angle) + y * np.sin(angle)
    corner = (x - rng.uniform(-0.3, 0.3)) ** 2 + (y - rng.uniform(-0.3, 0.3)) ** 2
    field = 1 + strength * slope * rng.uniform(0.3, 1) - strength * corner * rng.uniform(0.2, 1)
    return (field / field.max() * rng.uniform(0.65, 1)).astype(np.float32)


def shadow(rng: Rng, size: tuple[int, int], softness: tuple[float, float] = (0.02, 0.15)) -> np.ndarray:
    """Return 1 in the light and less behind the edge of a shadow, as a hand or a phone throws it."""
    y, x = np.mgrid[0 : size[1], 0 : size[0]] / max(size) - 0.5
    angle = rng.uniform(0, 2 * np.pi)
    edge = (x * np.cos(angle) + y * np.sin(angle) - rng.uniform(-0.25, 0.25)) / rng.uniform(*softness)
    return (1 - rng.uniform(0.25, 0.5) / (1 + np.exp(-np.clip(edge, -30, 30)))).astype(np.float32)


def photo(
    rng: Rng, paper: np.ndarray, ink_share: np.ndarray, pen: np.ndarray, lit: np.ndarray, blur: float = 0.6
) -> Picture:
    """Lay ink on paper, light it, and take it with a camera: blur, noise, JPEG. Colours are RGB in 0..1."""
    share = ink_share[:, :, None]
    scene = (paper * (1 - share) + pen * share) * lit[:, :, None]
    image = Image.fromarray((np.clip(scene, 0, 1) * 255).astype(np.uint8)).filter(ImageFilter.GaussianBlur(blur))
    noisy = np.asarray(image, np.float32) + rng.standard_normal(scene.shape, np.float32) * np.float32(rng.uniform(1, 5))
    return jpeg(np.clip(noisy, 0, 255).astype(np.uint8), int(rng.integers(60, 95)))


def jpeg(pixels: Picture, quality: int) -> Picture:
    """Return what JPEG leaves of a picture."""
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "JPEG", quality=quality)
    return np.asarray(Image.open(file))


def _photo_size(rng: Rng) -> tuple[int, int]:
    longer = int(rng.integers(240, 560))
    return (longer, int(longer * 0.75)) if rng.random() < 0.5 else (int(longer * 0.75), longer)


PENS = np.array(
    [[0.1, 0.1, 0.12], [0.12, 0.15, 0.45], [0.55, 0.12, 0.12], [0.1, 0.35, 0.2], [0.3, 0.3, 0.32]], np.float32
)


def _pen(rng: Rng) -> np.ndarray:
    return np.clip(PENS[rng.integers(len(PENS))] + rng.normal(0, 0.03, 3), 0, 1)


def _paper(rng: Rng) -> np.ndarray:
    return np.clip(np.array([0.93, 0.92, 0.88]) + rng.normal(0, 0.03, 3), 0, 1)


def _place(rng: Rng, size: tuple[int, int], height: float) -> tuple[float, float]:
    """Choose a middle for a digit so that it stays inside the picture."""
    margin = 0.62 * height
    return tuple(rng.uniform(min(margin, side / 2), max(side - margin, side / 2)) for side in size)  # type: ignore[return-value]


def _grey(share: np.ndarray, paper: float, ink_level: float) -> Picture:
    return np.rint(255 * (paper + (ink_level - paper) * share)).astype(np.uint8)


# ----------------------------------------------------------------------------------------------------------- scenes


def light_on_dark(rng: Rng, digit: int) -> Picture:
    side = int(rng.choice([28, 64, 200, 280]))
    height = side * rng.uniform(0.45, 0.8)
    share = ink(rng, digit, (side, side), height, rng.uniform(0.07, 0.16), _place(rng, (side, side), height))
    return _grey(share, 0, 1)


def dark_on_light(rng: Rng, digit: int) -> Picture:
    return 255 - light_on_dark(rng, digit)


def hairline(rng: Rng, digit: int) -> Picture:
    side = int(rng.choice([28, 100, 280, 500]))
    return _grey(ink(rng, digit, (side, side), side * rng.uniform(0.5, 0.85), 1.2 / side), 1, 0)


def marker(rng: Rng, digit: int) -> Picture:
    side = int(rng.choice([28, 64, 280]))
    return _grey(ink(rng, digit, (side, side), side * rng.uniform(0.5, 0.7), rng.uniform(0.17, 0.24)), 1, 0)


def pale(rng: Rng, digit: int) -> Picture:
    side = int(rng.choice([28, 64, 280]))
    share = ink(rng, digit, (side, side), side * rng.uniform(0.4, 0.8), rng.uniform(0.06, 0.12))
    return _grey(share, *((1.0, 0.8) if rng.random() < 0.5 else (0.0, 0.15)))


def on_nothing(rng: Rng, digit: int) -> Picture:
    side = int(rng.choice([28, 100, 280]))
    share = ink(rng, digit, (side, side), side * rng.uniform(0.5, 0.8), rng.uniform(0.06, 0.14))
    level = rng.choice([0, 255])
    behind = rng.choice([0, 255])  # what programs store where nothing is visible
    picture = np.empty((side, side, 4), np.uint8)
    picture[:, :, :3] = np.where(share > 0, level, behind)[:, :, None]
    picture[:, :, 3] = np.rint(255 * share)
    return picture


def coloured(rng: Rng, digit: int) -> Picture:
    """Ink and paper of about the same lightness, told apart by colour."""
    size = _photo_size(rng)
    pairs = [
        ((0.95, 0.9, 0.3), (0.85, 0.3, 0.75)),
        ((0.55, 0.8, 0.95), (0.9, 0.45, 0.3)),
        ((0.95, 0.95, 0.93), (0.95, 0.85, 0.1)),
    ]
    paper, pen = pairs[rng.integers(len(pairs))]
    height = min(size) * rng.uniform(0.5, 0.8)
    share = ink(rng, digit, size, height, rng.uniform(0.06, 0.12), _place(rng, size, height))
    return photo(rng, np.array(paper), share, np.array(pen), light(rng, size, 0.15))


def phone(rng: Rng, digit: int) -> Picture:
    size = _photo_size(rng)
    height = min(size) * rng.uniform(0.35, 0.8)
    share = ink(rng, digit, size, height, rng.uniform(0.03, 0.1), _place(rng, size, height))
    return photo(rng, _paper(rng), share, _pen(rng), light(rng, size, 0.6))


def shadowed(rng: Rng, digit: int) -> Picture:
    size = _photo_size(rng)
    height = min(size) * rng.uniform(0.4, 0.8)
    share = ink(rng, digit, size, height, rng.uniform(0.04, 0.1), _place(rng, size, height))
    return photo(rng, _paper(rng), share, _pen(rng), light(rng, size) * shadow(rng, size))


def small_in_photo(rng: Rng, digit: int) -> Picture:
    size = (600, 800) if rng.random() < 0.5 else (800, 600)
    height = min(size) * rng.uniform(0.08, 0.2)
    share = ink(rng, digit, size, height, rng.uniform(0.06, 0.12), _place(rng, size, height))
    return photo(rng, _paper(rng), share, _pen(rng), light(rng, size))


def _lined(rng: Rng, size: tuple[int, int], spacing: float, squared: bool) -> np.ndarray:
    """Return the lines of ruled or squared paper, 0 to 1, a little turned."""
    y, x = np.mgrid[0 : size[1], 0 : size[0]]
    angle = np.deg2rad(rng.normal(0, 2))
    width = max(1.0, spacing * rng.uniform(0.015, 0.04))
    along = [y * np.cos(angle) - x * np.sin(angle)]
    if squared:
        along.append(x * np.cos(angle) + y * np.sin(angle))
    lines = np.zeros(size[::-1], np.float32)
    for axis in along:
        away = np.abs((axis + rng.uniform(0, spacing)) % spacing - spacing / 2)
        lines = np.maximum(lines, np.clip(width / 2 + 0.5 - away, 0, 1))
    return lines


def _on_lines(rng: Rng, digit: int, *, squared: bool, dark: bool = False) -> Picture:
    size = _photo_size(rng)
    height = min(size) * rng.uniform(0.4, 0.75)
    share = ink(rng, digit, size, height, rng.uniform(0.05, 0.1), _place(rng, size, height))
    spacing = height * (rng.uniform(0.25, 0.5) if squared else rng.uniform(0.35, 1.1))
    lines = _lined(rng, size, spacing, squared)[:, :, None] * (rng.uniform(0.7, 1) if dark else rng.uniform(0.3, 0.8))
    rule = np.array([0.3, 0.35, 0.5]) * rng.uniform(0.6, 1.2) if dark else np.array([0.55, 0.65, 0.8])
    paper = _paper(rng) * (1 - lines) + rule * lines
    return photo(rng, paper, share, _pen(rng) * 0.8, light(rng, size))


def ruled_paper(rng: Rng, digit: int) -> Picture:
    return _on_lines(rng, digit, squared=False)


def squared_paper(rng: Rng, digit: int) -> Picture:
    return _on_lines(rng, digit, squared=True)


def dark_rules(rng: Rng, digit: int) -> Picture:
    """Lines about as dark as the pen."""
    return _on_lines(rng, digit, squared=False, dark=True)


def dark_squares(rng: Rng, digit: int) -> Picture:
    return _on_lines(rng, digit, squared=True, dark=True)


def framed(rng: Rng, digit: int) -> Picture:
    """A digit in the box of a form, the box drawn in ink as dark as the digit's."""
    side = int(rng.choice([64, 150, 300]))
    inset = side * rng.uniform(0.02, 0.1)

    def box(drawing: ImageDraw.ImageDraw, scale: float) -> None:
        corners = [inset * scale, inset * scale, (side - inset) * scale, (side - inset) * scale]
        drawing.rectangle(corners, outline=255, width=max(1, round(side * scale * 0.012)))

    share = ink(
        rng, digit, (side, side), (side - 2 * inset) * rng.uniform(0.5, 0.75), rng.uniform(0.05, 0.1), extra=box
    )
    return _grey(share, rng.uniform(0.85, 1), rng.uniform(0, 0.2))


def underlined(rng: Rng, digit: int) -> Picture:
    side = int(rng.choice([100, 280]))
    height = side * rng.uniform(0.4, 0.6)

    def line(drawing: ImageDraw.ImageDraw, scale: float) -> None:
        y = (side / 2 + height * rng.uniform(0.58, 0.68)) * scale
        ends = side * rng.uniform(0.1, 0.2) * scale, side * rng.uniform(0.8, 0.9) * scale
        drawing.line(
            [(ends[0], y), (ends[1], y + rng.normal(0, 0.02) * side * scale)],
            fill=255,
            width=round(0.06 * height * scale),
        )

    return _grey(ink(rng, digit, (side, side), height, 0.06, extra=line), 1, 0)


def specked(rng: Rng, digit: int) -> Picture:
    side = int(rng.choice([64, 150, 300]))
    height = side * rng.uniform(0.4, 0.7)

    def dirt(drawing: ImageDraw.ImageDraw, scale: float) -> None:
        for _ in range(int(rng.integers(3, 15))):
            x, y, radius = rng.uniform(0, side), rng.uniform(0, side), side * rng.uniform(0.004, 0.014)
            drawing.ellipse(
                [(x - radius) * scale, (y - radius) * scale, (x + radius) * scale, (y + radius) * scale], fill=255
            )

    return _grey(
        ink(rng, digit, (side, side), height, rng.uniform(0.07, 0.12), _place(rng, (side, side), height), dirt), 1, 0
    )


def at_the_border(rng: Rng, digit: int) -> Picture:
    """A digit drawn as large as its picture, or pushed into a corner of it."""
    side = int(rng.choice([28, 64, 280]))
    share = ink(rng, digit, (2 * side, 2 * side), side * rng.uniform(0.5, 0.95), rng.uniform(0.07, 0.14))
    rows, columns = np.nonzero(share.max(axis=1) > 0.5)[0], np.nonzero(share.max(axis=0) > 0.5)[0]
    y0 = rows[0] if rng.random() < 0.5 else max(0, rows[-1] + 1 - side)
    x0 = columns[0] if rng.random() < 0.5 else max(0, columns[-1] + 1 - side)
    return _grey(share[y0 : y0 + side, x0 : x0 + side], 1, 0)


def _filled(rng: Rng, digit: int, pen: tuple[float, float] = (0.09, 0.17)) -> np.ndarray:
    share = ink(rng, digit, (300, 300), 220, rng.uniform(*pen))
    rows, columns = np.nonzero(share.max(axis=1) > 0.5)[0], np.nonzero(share.max(axis=0) > 0.5)[0]
    return share[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]


def _fitted(share: np.ndarray, side: int) -> np.ndarray:
    scale = side / max(share.shape)
    height, width = (max(1, round(length * scale)) for length in share.shape)
    small = np.asarray(
        Image.fromarray(np.rint(255 * share).astype(np.uint8)).resize((width, height), Image.Resampling.BOX), np.float32
    )
    fitted = np.zeros((side, side), np.float32)
    top, left = (side - height) // 2, (side - width) // 2
    fitted[top : top + height, left : left + width] = small / 255
    return fitted


def filling_16(rng: Rng, digit: int) -> Picture:
    return _grey(_fitted(_filled(rng, digit), 16), 0, 1)


def filling_8(rng: Rng, digit: int) -> Picture:
    return _grey(_fitted(_filled(rng, digit), 8), 0, 1)


def binary_32(rng: Rng, digit: int) -> Picture:
    return _grey((_fitted(_filled(rng, digit), 32) > 0.5).astype(np.float32), 0, 1)


def stretched_16(rng: Rng, digit: int) -> Picture:
    whole = Image.fromarray(np.rint(255 * _filled(rng, digit)).astype(np.uint8))
    return np.where(np.asarray(whole.resize((16, 16), Image.Resampling.BOX)) > 127, 255, 0).astype(np.uint8)


def blackboard(rng: Rng, digit: int) -> Picture:
    size = _photo_size(rng)
    height = min(size) * rng.uniform(0.4, 0.75)
    share = ink(rng, digit, size, height, rng.uniform(0.05, 0.1), _place(rng, size, height))
    grain = np.clip(rng.normal(0.8, 0.25, share.shape), 0, 1)
    return photo(
        rng, np.array([0.15, 0.22, 0.18]), share * grain, np.array([0.9, 0.9, 0.85]), light(rng, size, 0.6), 0.8
    )


def out_of_focus(rng: Rng, digit: int) -> Picture:
    size = _photo_size(rng)
    height = min(size) * rng.uniform(0.45, 0.75)
    share = ink(rng, digit, size, height, rng.uniform(0.06, 0.11), _place(rng, size, height))
    return photo(rng, _paper(rng), share, _pen(rng), light(rng, size), 0.035 * height)


def broken_pen(rng: Rng, digit: int) -> Picture:
    """Strokes with gaps: a pen that skips, a five whose bar stands apart."""
    side = 280
    share = ink(rng, digit, (side, side), side * rng.uniform(0.5, 0.7), rng.uniform(0.06, 0.1))
    for _ in range(3):
        y, x = (rng.uniform(0.25, 0.75) * side for _ in range(2))
        angle = rng.uniform(0, np.pi)
        rows, columns = np.mgrid[0:side, 0:side]
        across = np.abs((columns - x) * np.cos(angle) + (rows - y) * np.sin(angle))
        near = np.hypot(columns - x, rows - y) < 0.15 * side
        share = np.where((across < 0.012 * side) & near, 0, share)
    return _grey(share, 1, 0.1)


def paper_on_a_table(rng: Rng, digit: int) -> Picture:
    """The sheet does not fill the photo: a strip of table along one or two sides."""
    size = _photo_size(rng)
    height = min(size) * rng.uniform(0.35, 0.6)
    middle = (size[0] * rng.uniform(0.45, 0.55), size[1] * rng.uniform(0.45, 0.55))
    share = ink(rng, digit, size, height, rng.uniform(0.05, 0.1), middle)
    y, x = np.mgrid[0 : size[1], 0 : size[0]]
    angle = np.deg2rad(rng.choice([0, 90, 180, 270]) + rng.normal(0, 4))
    away = (x - size[0] / 2) * np.cos(angle) + (y - size[1] / 2) * np.sin(angle)
    reach = size[0] / 2 * abs(np.cos(angle)) + size[1] / 2 * abs(np.sin(angle))
    table = (away > reach * rng.uniform(0.8, 0.95)).astype(np.float32)[:, :, None]
    paper = _paper(rng) * (1 - table) + np.array([0.45, 0.3, 0.2]) * rng.uniform(0.4, 1.1) * table
    return photo(rng, paper, share * (1 - table[:, :, 0]), _pen(rng), light(rng, size))


def note_on_a_table(rng: Rng, digit: int) -> Picture:
    """A small sheet, turned, on a darker table that fills most of the photo."""
    size = _photo_size(rng)
    side = min(size) * rng.uniform(0.45, 0.7)
    middle = (size[0] * rng.uniform(0.4, 0.6), size[1] * rng.uniform(0.4, 0.6))
    share = ink(rng, digit, size, side * rng.uniform(0.4, 0.65), rng.uniform(0.06, 0.1), middle)
    y, x = np.mgrid[0 : size[1], 0 : size[0]]
    angle = np.deg2rad(rng.normal(0, 8))
    across = (x - middle[0]) * np.cos(angle) + (y - middle[1]) * np.sin(angle)
    down = (y - middle[1]) * np.cos(angle) - (x - middle[0]) * np.sin(angle)
    sheet = ((np.abs(across) < side / 2) & (np.abs(down) < side / 2)).astype(np.float32)[:, :, None]
    paper = _paper(rng) * sheet + np.array([0.45, 0.3, 0.2]) * rng.uniform(0.3, 1) * (1 - sheet)
    return photo(rng, paper, share * sheet[:, :, 0], _pen(rng), light(rng, size))


def sharp_shadow(rng: Rng, digit: int) -> Picture:
    size = _photo_size(rng)
    share = ink(rng, digit, size, min(size) * rng.uniform(0.4, 0.8), rng.uniform(0.04, 0.08))
    return photo(rng, _paper(rng), share, _pen(rng), light(rng, size) * shadow(rng, size, (0.003, 0.006)))


def whiteboard(rng: Rng, digit: int) -> Picture:
    """A grey board with the reflection of a lamp on it."""
    size = _photo_size(rng)
    height = min(size) * rng.uniform(0.3, 0.7)
    share = ink(rng, digit, size, height, rng.uniform(0.05, 0.1), _place(rng, size, height))
    y, x = np.mgrid[0 : size[1], 0 : size[0]]
    away = np.hypot(x - rng.uniform(0, size[0]), y - rng.uniform(0, size[1])) / (min(size) * rng.uniform(0.1, 0.25))
    shine = 0.5 * np.exp(-(away**2))[:, :, None] * (1 - 0.6 * share[:, :, None])
    taken = photo(rng, np.array([0.7, 0.72, 0.75]), share, _pen(rng), light(rng, size))
    return np.clip(taken + 255 * shine, 0, 255).astype(np.uint8)


def beside_another(rng: Rng, digit: int) -> Picture:
    """Part of the next digit is in the picture too."""
    size = (420, 300)
    share = ink(rng, digit, size, 170, 0.07)
    other = (210 + rng.choice([-1, 1]) * rng.uniform(195, 215), 150.0)
    share = np.maximum(share, ink(rng, int(rng.integers(10)), size, 170, 0.07, other))
    return photo(rng, _paper(rng), share, _pen(rng), light(rng, size))


def night(rng: Rng, digit: int) -> Picture:
    """Too little light: dark and full of noise."""
    size = _photo_size(rng)
    height = min(size) * rng.uniform(0.35, 0.8)
    share = ink(rng, digit, size, height, rng.uniform(0.05, 0.1), _place(rng, size, height))[:, :, None]
    scene = (_paper(rng) * (1 - share) + _pen(rng) * share) * light(rng, size, 0.7)[:, :, None] * rng.uniform(0.25, 0.5)
    return np.clip(255 * scene + rng.normal(0, rng.uniform(6, 14), scene.shape), 0, 255).astype(np.uint8)


def any_stroke(rng: Rng, digit: int) -> Picture:
    """A clean canvas, and any pen from a fine one to the broadest brush."""
    side = int(rng.choice([64, 140, 280]))
    return _grey(ink(rng, digit, (side, side), side * rng.uniform(0.45, 0.65), rng.uniform(0.05, 0.26)), 1, 0)


def dithered(rng: Rng, digit: int) -> Picture:
    """Pale ink in black and white, the error handed on to the neighbours, as Pillow does unasked."""
    side = int(rng.choice([32, 56, 112, 224]))
    share = ink(rng, digit, (side, side), side * rng.uniform(0.65, 0.8), rng.uniform(0.08, 0.12))
    grey = Image.fromarray(_grey(share, 1, 1 - rng.uniform(0.4, 1)))
    return np.asarray(grey.convert("1").convert("L"))


def halftone(rng: Rng, digit: int) -> Picture:
    """Ink as a printer's raster: dots whose size is how dark it is."""
    side = int(rng.choice([112, 224]))
    share = ink(rng, digit, (side, side), side * rng.uniform(0.65, 0.8), rng.uniform(0.09, 0.14)) * rng.uniform(
        0.35, 0.8
    )
    pitch = side / rng.uniform(28, 45)
    y, x = np.mgrid[0:side, 0:side] * (np.pi / pitch)
    raster = 0.5 + 0.25 * (np.cos(x + y) + np.cos(x - y))
    return np.where(share > raster, 0, 255).astype(np.uint8)


def dashed(rng: Rng, digit: int) -> Picture:
    """Strokes in dashes or in dots, as of a worn stamp or a template to trace."""
    side = int(rng.choice([64, 140, 280]))
    height, pen = side * rng.uniform(0.55, 0.75), rng.uniform(0.05, 0.09)
    gap = pen * rng.uniform(1.6, 2.2)
    dash = gap * rng.uniform(0.01, 1.2)
    curves = [part for curve in strokes(rng, digit) for part in _dashes(curve, dash, gap)]
    return _grey(ink(rng, digit, (side, side), height, pen, curves=curves), 1, 0)


def _dashes(curve: np.ndarray, dash: float, gap: float) -> list[np.ndarray]:
    """Cut a curve into parts of length `dash`, `gap` apart."""
    along = np.concatenate(([0], np.hypot(*np.diff(curve, axis=0).T).cumsum()))
    starts = np.arange(0, along[-1], dash + gap)
    places = [np.linspace(start, min(start + dash, along[-1]), 6) for start in starts]
    return [np.stack([np.interp(place, along, curve[:, axis]) for axis in (0, 1)], axis=1) for place in places]


def line_dropout(rng: Rng, digit: int) -> Picture:
    """A scanner or printer that loses rows, or columns: every few, or some of all."""
    side = int(rng.choice([32, 64, 140, 280]))
    share = ink(rng, digit, (side, side), side * rng.uniform(0.55, 0.75), rng.uniform(0.08, 0.12))
    pitch = max(3, round(side * rng.uniform(0.03, 0.1)))
    lost = np.arange(side) % pitch < max(1, pitch * rng.uniform(0.2, 0.5))
    if rng.random() < 0.4:
        lost = rng.random(side) < rng.uniform(0.1, 0.35)
    share = np.where(lost[:, None] if rng.random() < 0.7 else lost, 0, share)
    return _grey(share, 1, 0)


def leaving(rng: Rng, digit: int) -> Picture:
    """A scanned cell with a digit too large for it: up to a tenth of it is lost at one side."""
    side = int(rng.choice([64, 140, 280]))
    share = ink(rng, digit, (2 * side, 2 * side), side * rng.uniform(0.6, 0.9), rng.uniform(0.05, 0.1))
    rows, columns = np.flatnonzero(share.max(axis=1) > 0.5), np.flatnonzero(share.max(axis=0) > 0.5)
    out = rng.uniform(0.02, 0.1) * len(rows)
    top = round(rows[0] + out if rng.random() < 0.5 else rows[-1] + 1 - out - side)
    left = round((columns[0] + columns[-1] - side) / 2)
    if rng.random() < 0.5:
        top, left = round((rows[0] + rows[-1] - side) / 2), round(columns[0] + rng.uniform(0.02, 0.07) * len(columns))
    return _grey(share[top : top + side, left : left + side], rng.uniform(0.85, 1), rng.uniform(0, 0.3))


def faint_pencil(rng: Rng, digit: int) -> Picture:
    """Hard pencil a few levels darker than its paper, in a photo with dark corners and a lens' bright spot."""
    size = (378, 504) if rng.random() < 0.5 else (504, 378)
    height = min(size) * rng.uniform(0.5, 0.75)
    share = ink(rng, digit, size, height, rng.uniform(0.008, 0.02), _place(rng, size, height))
    y, x = np.mgrid[0 : size[1], 0 : size[0]]
    u, v = x / size[0] - 0.5, y / size[1] - 0.5
    spot = np.exp(-((u - rng.normal(0, 0.05)) ** 2 + (v - rng.normal(0, 0.1)) ** 2) / 0.008)
    level = 170 - rng.uniform(50, 120) * (u**2 + v**2) ** 1.2 - rng.uniform(0, 8) * spot
    if rng.random() < 0.3:
        level[: rng.integers(4, 20), : rng.integers(60, 140)] = 40  # a thing that lies on the corner
    taken = level - rng.uniform(8, 16) * share + rng.normal(0, rng.uniform(0.5, 1.3), share.shape)
    return np.clip(taken, 0, 255).astype(np.uint8)


def filling_any(rng: Rng, digit: int) -> Picture:
    """A picture of 12 to 40 pixels a side that its digit fills; grey or in two levels, either way round."""
    share = _fitted(_filled(rng, digit), int(rng.integers(12, 41)))
    if rng.random() < 0.5:
        rows, columns = np.flatnonzero(share.max(axis=1) > 0.2), np.flatnonzero(share.max(axis=0) > 0.2)
        share = share[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    share = (share > 0.5).astype(np.float32) if rng.random() < 0.5 else share
    return _grey(share, *((0, 1) if rng.random() < 0.5 else (1, 0)))


def stretched_any(rng: Rng, digit: int) -> Picture:
    """A digit stretched both ways to fill a square of 14 to 40 pixels."""
    whole = Image.fromarray(np.rint(255 * _filled(rng, digit, (0.06, 0.14))).astype(np.uint8))
    side = int(rng.integers(14, 41))
    share = np.asarray(whole.resize((side, side), Image.Resampling.BOX), np.float32) / 255
    share = (share > 0.45).astype(np.float32) if rng.random() < 0.7 else share
    return _grey(share, *((0, 1) if rng.random() < 0.5 else (1, 0)))


def wide_bars(rng: Rng, digit: int) -> Picture:
    """The level strokes drawn far too wide: the foot of a two, the bar of a four, five or seven."""
    curves = strokes(rng, digit)
    for curve in curves:
        if np.ptp(curve[:, 1]) < 0.25 * np.ptp(curve[:, 0]):
            middle = curve[:, 0].mean()
            curve[:, 0] = middle + (curve[:, 0] - middle) * rng.uniform(1.2, 1.7)
    side = int(rng.choice([140, 280, 700]))
    return _grey(
        ink(rng, digit, (side, side), side * rng.uniform(0.45, 0.6), rng.uniform(0.04, 0.08), curves=curves), 1, 0.1
    )


def dotted_squares(rng: Rng, digit: int) -> Picture:
    """Squared paper, some of whose lines are dotted."""
    size = (600, 600)
    height = rng.uniform(180, 420)
    share = ink(rng, digit, size, height, rng.uniform(0.06, 0.1), _place(rng, size, height))
    pitch, dot, level = rng.integers(9, 15), rng.integers(4, 7), rng.uniform(95, 130)
    lines = np.full(size, 175.0)
    for column in range(int(rng.integers(20, 90)), 600, 90):
        for row in range(0, 600, int(pitch)):
            lines[row : row + dot, column : column + 4] = level
    for each in range(int(rng.integers(20, 200)), 600, 280):
        lines[each : each + 4], lines[:, each : each + 4] = 110, 110
    turned = Image.fromarray(lines.astype(np.uint8)).rotate(rng.normal(0, 1), Image.Resampling.BICUBIC, fillcolor=175)
    paper = np.asarray(turned.filter(ImageFilter.GaussianBlur(1.2)), np.float32)
    taken = paper * (1 - rng.uniform(0.5, 0.7) * share) + rng.normal(0, rng.uniform(1, 4), share.shape)
    return np.clip(taken, 0, 255).astype(np.uint8)


def beside_an_edge(rng: Rng, digit: int) -> Picture:
    """The table, or one rule, along the upper rim of a photo."""
    size = (326, int(rng.integers(330, 700)))
    height = size[0] * rng.uniform(0.6, 0.85)
    share = ink(rng, digit, size, height, rng.uniform(0.03, 0.06), (size[0] / 2, size[1] / 2 + 10))
    level = 165 - 105 * share + rng.normal(0, 1.5, share.shape)
    edge = rng.uniform(4, 10) - rng.uniform(0, 6) * np.arange(size[0]) / size[0]
    rows = np.arange(size[1])[:, None]
    if rng.random() < 0.5:
        level = 60 + (level - 60) / (1 + np.exp(-np.clip((rows - edge) / 1.6, -30, 30)))
    else:
        level = np.where(np.abs(rows - 15 - edge) < 1.5, 100, level)
    return np.clip(level, 0, 255).astype(np.uint8)


def grey_strokes(rng: Rng, digit: int) -> Picture:
    """A small scan in which some strokes are much paler than others."""
    side = int(rng.choice([16, 28, 40]))
    height, pen = side * rng.uniform(0.75, 0.9), rng.uniform(0.06, 0.1)
    parts = [part for curve in strokes(rng, digit) for part in np.array_split(curve, max(1, len(curve) // 20))]
    share = np.zeros((side, side), np.float32)
    levels = rng.uniform(0.35, 1, len(parts))
    levels[rng.integers(len(parts))] = 1
    for part, level in zip(parts, levels, strict=True):
        share = np.maximum(share, level * ink(rng, digit, (side, side), height, pen, curves=[part]))
    return _grey(share, *((0, 1) if rng.random() < 0.5 else (1, 0)))


SCENES: dict[str, Callable[[Rng, int], Picture]] = {
    "light on dark": light_on_dark,
    "dark on light": dark_on_light,
    "hairline": hairline,
    "marker": marker,
    "pale": pale,
    "on nothing": on_nothing,
    "coloured": coloured,
    "phone": phone,
    "shadow": shadowed,
    "small in a photo": small_in_photo,
    "ruled paper": ruled_paper,
    "squared paper": squared_paper,
    "frame": framed,
    "underlined": underlined,
    "specks": specked,
    "at the border": at_the_border,
    "filling 16": filling_16,
    "filling 8": filling_8,
    "binary 32": binary_32,
    "stretched 16": stretched_16,
    "blackboard": blackboard,
    "out of focus": out_of_focus,
    "broken pen": broken_pen,
    "paper on a table": paper_on_a_table,
    "dark rules": dark_rules,
    "dark squares": dark_squares,
    "note on a table": note_on_a_table,
    "sharp shadow": sharp_shadow,
    "whiteboard": whiteboard,
    "beside another": beside_another,
    "night": night,
    "any stroke": any_stroke,
    "dithered": dithered,
    "halftone": halftone,
    "dashed": dashed,
    "line dropout": line_dropout,
    "leaving": leaving,
    "faint pencil": faint_pencil,
    "filling any": filling_any,
    "stretched any": stretched_any,
    "wide bars": wide_bars,
    "dotted squares": dotted_squares,
    "beside an edge": beside_an_edge,
    "grey strokes": grey_strokes,
}
