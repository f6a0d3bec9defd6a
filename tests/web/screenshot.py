"""
The README's picture of the page, taken again.

    python -m tests.web.screenshot      writes tests/web/playground.webp; needs Chromium

The file says in its EXIF data which network it shows, and a test compares that with the network that ships.
"""

import io
import json
import urllib.request

from PIL import ExifTags, Image

from tests.serving import ROOT, serving
from tests.web.browsing import Visit, chromium

PICTURE = ROOT / "tests" / "web" / "playground.webp"
CELL = "conv2/5@3,8"


def take(origin):
    """The page with one cell pinned, as the bytes of a PNG."""
    with chromium() as browser:
        visit = Visit(browser, origin, width=1280, height=860, reduced_motion="reduce")
        page = visit.open(f"#v=1&at={CELL}")
        page.wait_for_load_state("networkidle")
        taken = page.screenshot()
        visit.close()
    return taken


def shown(path):
    """The SHA-256 of the network that a picture of the page shows."""
    with Image.open(path) as picture:
        return picture.getexif()[ExifTags.Base.ImageDescription]


if __name__ == "__main__":
    with serving() as (port, _):
        served = f"http://127.0.0.1:{port}"
        picture = Image.open(io.BytesIO(take(served))).convert("RGB")
        with urllib.request.urlopen(f"{served}/v1/models/digits") as answer:
            model = json.load(answer)
    exif = picture.getexif()
    exif[ExifTags.Base.ImageDescription] = model["sha256"]
    picture.save(PICTURE, lossless=True, method=6, exif=exif)
    print(f"{PICTURE.relative_to(ROOT)}: {PICTURE.stat().st_size} bytes")
