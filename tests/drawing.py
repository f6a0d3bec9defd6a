"""Small pictures of digits, drawn here, so that the tests need no one's data."""

import io

import numpy as np
from PIL import Image, ImageDraw

# Strokes on a square of 100 x 100, as a hand would write them.
STROKES = {
    1: [[(50, 12), (50, 88)]],
    2: [[(28, 32), (32, 18), (50, 12), (68, 20), (70, 36), (50, 60), (26, 88), (74, 88)]],
    3: [[(28, 18), (50, 12), (70, 24), (64, 42), (46, 48), (66, 54), (74, 70), (56, 88), (28, 82)]],
    4: [[(60, 12), (24, 62), (78, 62)], [(60, 12), (60, 90)]],
    7: [[(24, 14), (76, 14), (44, 88)]],
}


def draw(digit, side=140, *, pen=0.09, dark_on_light=True):
    """A picture of a digit as uint8 (side, side), black on white unless told otherwise."""
    large = Image.new("L", (side * 4, side * 4), 255 if dark_on_light else 0)
    pencil = ImageDraw.Draw(large)
    ink, scale, width = (0 if dark_on_light else 255), side * 4 / 100, int(side * 4 * pen)
    for stroke in STROKES[digit]:
        points = [(x * scale, y * scale) for x, y in stroke]
        pencil.line(points, fill=ink, width=width, joint="curve")
        for x, y in points:
            pencil.ellipse((x - width / 2, y - width / 2, x + width / 2, y + width / 2), fill=ink)
    return np.asarray(large.resize((side, side), Image.Resampling.BOX))


def encode(levels, kind="PNG", **options):
    """The bytes of a picture file."""
    out = io.BytesIO()
    Image.fromarray(levels).save(out, kind, **options)
    return out.getvalue()


def npy(array):
    """The bytes of an npy file."""
    out = io.BytesIO()
    np.save(out, array, allow_pickle=False)
    return out.getvalue()


def draw_lines(lines, side=100, *, gap=0.8, pen=0.09):
    """A page of digits, black on white, uint8: lines of them, each digit `side` high, `gap` sides from the last."""
    step, margin = round(side * gap), side // 4
    width = 2 * margin + side + step * (max(map(len, lines)) - 1)
    page = np.full((2 * margin + round(1.15 * side) * len(lines), width), 255, np.uint8)
    for row, line in enumerate(lines):
        for place, digit in enumerate(line):
            y, x = margin + round(1.15 * side) * row, margin + step * place
            part = page[y : y + side, x : x + side]
            np.minimum(part, draw(int(digit), side, pen=pen), out=part)
    return page
