"""
The figures of the lecture that no call of the service answers, measured again.

    python -m tests.web.lecture.figures      writes service/web/lecture/figures.js; needs MNIST

- A read-out (`training score`) on twenty filters that were made by hand, on the twenty that the lecture's network
  learnt, and on the bare pixels: the same places, the same tanh and pooling, so that only the filters differ.
- A drawn digit that the network doubts: of many drawings from a seed, the first that is read as a digit, with little
  confidence, and that one to three filters of the last layer decide.
"""

import base64
import io
import json
import tempfile
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

from service.network.sessions import Network
from tests.serving import ROOT, serving
from tests.web.browsing import ask
from training.data.mnist import find_mnist, load_mnist
from training.evaluation.score import pixels, read_bank, score

PLACE = ROOT / "service" / "web" / "lecture" / "figures.js"
MODELS = ROOT / "models"
WAY = {"stride": 2, "padding": "valid", "activation": "tanh", "pool": {"kind": "max", "size": 2}}
# Twenty filters of 7 x 7 that a person would choose: edges and strokes in every direction, spots, and the whole patch.
ANGLES = (0, 45, 90, 135)
MADE = [
    *({"preset": name} for name in ("diagonal_falling", "diagonal_rising", "edge_horizontal", "edge_vertical")),
    *({"preset": "gaussian_edge", "angle": angle} for angle in ANGLES),
    *({"preset": "ridge", "angle": angle} for angle in ANGLES),
    *({"preset": name, "size": 7, "angle": angle} for name in ("gabor", "gabor_odd") for angle in (0, 90)),
    *({"preset": name, "size": 7} for name in ("gaussian", "box", "log", "unsharp")),
]
SEED, DRAWINGS = 24, 4000
# A 3 that closes more or less to an 8, and a 4 that closes more or less to a 9: hundredths of the pad.
SHAPES = [
    ([(30, 22), (44, 14), (60, 17), (66, 28), (60, 40), (46, 46), (64, 52), (70, 66), (62, 80), (44, 85), (29, 78)],
     [(34, 36), (44, 14), (60, 17), (66, 28), (60, 40), (48, 48), (64, 54), (70, 66), (62, 80), (44, 85), (34, 64)]),
    ([(34, 16), (32, 34), (36, 48), (52, 50), (66, 44), (68, 16), (67, 44), (66, 60), (65, 76), (64, 88)],
     [(48, 14), (34, 22), (33, 38), (46, 48), (62, 42), (66, 20), (67, 44), (66, 60), (62, 76), (56, 88)]),
]  # fmt: skip


def scores():
    """The accuracy of three read-outs on the test part of MNIST, and the networks' own."""
    data = load_mnist(find_mnist())
    learnt = [{"model": "lecture", "layer": "conv1"}]
    with tempfile.TemporaryDirectory() as folder:
        found = {}
        for name, filters in (("made", MADE), ("learnt", learnt)):
            path = Path(folder) / f"{name}.json"
            path.write_text(json.dumps({"filters": filters, **WAY}))
            bank = read_bank(path, MODELS)
            assert len(bank.filters) == 20, name
            found[name] = measured(score(bank.features, data))
    found["pixels"] = measured(score(pixels, data))
    return found


def measured(one):
    """A score as the page shows it."""
    return {"features": one.features, "test": round(one.test, 4)}


def drawings():
    """Drawings between two digits, in an order that the seed says: (112, 112), 255 = paper."""
    random = np.random.default_rng(SEED)
    for _ in range(DRAWINGS):
        first, second = SHAPES[random.integers(len(SHAPES))]
        share = random.uniform(0.2, 0.8)
        points = (1 - share) * np.array(first) + share * np.array(second) + random.normal(0, 1.5, (len(first), 2))
        yield drawn(smooth(points))


def smooth(points, steps=12):
    """A curve through the points (Catmull and Rom's)."""
    ends = np.concatenate([points[:1], points, points[-1:]])
    curve = []
    for a, b, c, d in zip(ends, ends[1:], ends[2:], ends[3:], strict=False):
        parts = (2 * b, c - a, 2 * a - 5 * b + 4 * c - d, 3 * b - a - 3 * c + d)
        curve += [np.polynomial.polynomial.polyval(t, parts) / 2 for t in np.linspace(0, 1, steps, endpoint=False)]
    return [*curve, points[-1]]


def drawn(points, side=112, finer=4):
    """A stroke with the width of the page's pen."""
    image = Image.new("L", (side * finer, side * finer), 255)
    pencil, width = ImageDraw.Draw(image), 2.2 / 28 * side * finer
    scaled = [tuple(point * side * finer / 100) for point in points]
    pencil.line(scaled, fill=0, width=round(width), joint="curve")
    for x, y in (scaled[0], scaled[-1]):
        pencil.ellipse((x - width / 2, y - width / 2, x + width / 2, y + width / 2), fill=0)
    return np.asarray(image.resize((side, side), Image.Resampling.BOX))


def doubtful(origin):
    """The first drawing that is as doubtful as the lecture wants it: as the network saw it, 28 x 28, 255 = ink."""
    for number, picture in enumerate(drawings()):
        posted = {"image": picture.tolist(), "prepared_image": True}
        [verdict] = ask(origin, "/v1/classify", posted)["results"]
        if not verdict["is_digit"] or not 0.5 < verdict["confidence"] < 0.75:
            continue
        image = verdict["prepared"]["image"]
        [found] = ask(origin, "/v1/explain", {"image": image, "prepare": "none", "method": "deciding-set"})["results"]
        deciding = found["filters"]
        if deciding["found"] and deciding["size"] in {2, 3}:
            levels = np.asarray(Image.open(io.BytesIO(base64.b64decode(image.partition(",")[2]))).convert("L"))
            return number, levels
    raise LookupError("no drawing is doubtful enough: try another seed")


def write():
    """Measure everything, and write the file."""
    with serving() as (port, _):
        number, levels = doubtful(f"http://127.0.0.1:{port}")
    sha256 = {name: Network((MODELS / name / "1").resolve()).passport.raw["files"]["model.onnx"]["sha256"]
              for name in ("digits", "lecture")}  # fmt: skip
    lines = [
        "// Figures that were measured: `python -m tests.web.lecture.figures` writes this file, and no hand does.",
        "",
        "// The networks that they were measured on, by the SHA-256 of their files.",
        f"export const MEASURED_ON = {json.dumps(sha256)};",
        "",
        "// The share of 10,000 test digits that a read-out tells apart, and how many numbers it reads.",
        f"export const SCORES = {json.dumps(scores())};",
        "",
        "// The filters that were made by hand, as the service takes them.",
        f"export const MADE = {json.dumps(MADE)};",
        "",
        f"// A digit in doubt: drawing {number} of seed {SEED}, 28 x 28 levels in base64, 255 = ink.",
        f'export const DOUBTFUL =\n  "{base64.b64encode(levels.tobytes()).decode()}";',
        "",
    ]
    PLACE.write_text("\n".join(lines), encoding="utf-8")


if __name__ == "__main__":
    write()
    print(f"{PLACE.relative_to(ROOT)}: {PLACE.stat().st_size} bytes")
