"""What is posted: digits in MNIST's form, drawings, a photograph, a batch, a large picture with filters."""

import json

import numpy as np
from PIL import Image

from tests.benchmarks.servers import Posted
from tests.drawing import STROKES, draw, draw_lines, encode, npy

BOUNDARY = b"----digit"


def digits():
    """Drawn digits in MNIST's form, (28, 28) uint8: what model servers are usually measured with."""
    pens = (0.1, 0.12, 0.14, 0.16)
    return [_in_mnists_form(digit, pen, side) for digit in STROKES for pen in pens for side in (120, 140)]


def _in_mnists_form(digit, pen, side):
    """The ink 20 pixels long with grey edges, its darkest black, its centre of mass in the middle."""
    large = draw(digit, side, pen=pen, dark_on_light=False)
    rows, columns = np.flatnonzero(large.any(axis=1)), np.flatnonzero(large.any(axis=0))
    ink = Image.fromarray(large[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1])
    scale = 20 / max(ink.size)
    ink = np.asarray(ink.resize([max(1, round(length * scale)) for length in ink.size], Image.Resampling.BOX))
    ink = np.clip(ink.astype(int) * 255 // ink.max(), 0, 255)
    middle = [float(ink.sum(axis=axis) @ np.arange(ink.shape[1 - axis])) / ink.sum() for axis in (1, 0)]
    field = np.zeros((28, 28), np.uint8)
    top, left = (min(max(0, round(14 - place)), 28 - length) for place, length in zip(middle, ink.shape, strict=True))
    field[top : top + ink.shape[0], left : left + ink.shape[1]] = ink
    return field


def drawings(side=280):
    """Digits as a page with a canvas posts them: somewhere on it, black on white, in no one's form."""
    pens = (0.05, 0.07, 0.09, 0.11)
    return Posted([encode(draw(digit, side, pen=pen)) for digit in STROKES for pen in pens], "image/png")


def pngs():
    return Posted([encode(digit) for digit in digits()], "image/png")


def numbers():
    return Posted([json.dumps({"image": digit.tolist()}).encode() for digit in digits()], "application/json")


def forms():
    head = b'Content-Disposition: form-data; name="image"; filename="3.png"\r\nContent-Type: image/png\r\n\r\n'
    bodies = [b"--%b\r\n%b%b\r\n--%b--\r\n" % (BOUNDARY, head, encode(digit), BOUNDARY) for digit in digits()]
    return Posted(bodies, f"multipart/form-data; boundary={BOUNDARY.decode()}")


def batch(count=256):
    several = np.array(digits())
    return Posted([npy(np.resize(several, (count, 28, 28)))], "application/x-npy")


def inputs(count=256):
    """The batch as a network reads it."""
    return np.resize(np.array(digits()), (count, 1, 28, 28)).astype(np.float32) / 255


def photograph(width=4000, height=3000):
    """A digit on paper in uneven light, 12 megapixels, as a phone saves it."""
    rng = np.random.default_rng(0)
    paper = np.full((height, width), 205, np.float32)
    side = height * 2 // 3
    top, left = (height - side) // 2, (width - side) // 2
    paper[top : top + side, left : left + side] *= np.asarray(draw(3, side, pen=0.06), np.float32) / 400 + 0.36
    light = np.linspace(1.1, 0.75, width)[None] * np.linspace(1, 0.9, height)[:, None]
    grain = rng.normal(0, 4, (height, width))
    colours = [np.clip(paper * light * tint + grain, 0, 255) for tint in (1.0, 0.97, 0.9)]
    return Posted([encode(np.stack(colours, axis=2).astype(np.uint8), "JPEG", quality=90)], "image/jpeg")


def page_of_digits():
    """Twenty digits in four lines on a page of one megapixel, as a scanner saves it."""
    page = draw_lines(["13247", "72431", "41327", "27134"], 200, gap=0.85)
    rows, columns = ((max(1000 - side, 0) // 2, -(-max(1000 - side, 0) // 2)) for side in page.shape)
    return Posted([encode(np.pad(page, (rows, columns), constant_values=255), "JPEG", quality=90)], "image/jpeg")


def large_picture(side=2048):
    rng = np.random.default_rng(1)
    smooth = np.asarray(draw(2, side), np.float32) * 0.8 + rng.normal(20, 6, (side, side))
    return Posted([encode(np.clip(smooth, 0, 255).astype(np.uint8))], "image/png")


def filters_query(count=8, side=7):
    """The query of apply-filters with kernels of one's own."""
    kernels = np.random.default_rng(2).normal(size=(count, side, side)).round(2)
    text = json.dumps([{"weights": kernel.tolist()} for kernel in kernels], separators=(",", ":"))
    return (
        f"filters={text}".replace('"', "%22")
        .replace("[", "%5B")
        .replace("]", "%5D")
        .replace("{", "%7B")
        .replace("}", "%7D")
    )
