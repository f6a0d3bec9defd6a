"""numbers/npy.js, in a real browser, against NumPy and Pillow."""

import base64
import io

import numpy as np
import pytest
from PIL import Image

from tests.web.browsing import needs_chromium

pytestmark = needs_chromium


def test_numbers_travel_between_the_page_and_numpy_unchanged(run):
    random = np.random.default_rng(3)
    arrays = {
        "a": random.normal(size=(2, 3, 4)).astype("f4"),
        "b": random.integers(0, 99, 5),
        "c/d.act": random.random(7),
    }
    out = io.BytesIO()
    np.savez(out, **arrays)
    expression = (
        "Object.fromEntries(Object.entries(m.readNpz(new Uint8Array(given).buffer))"
        ".map(([name, {shape, data}]) => [name, [shape, [...data]]]))"
    )
    read = run("numbers/npy.js", expression, list(out.getvalue()))
    for name, array in arrays.items():
        shape, values = read[name]
        np.testing.assert_array_equal(np.array(values).reshape(shape), array)
    levels = random.integers(0, 256, (28, 28), dtype=np.uint8)
    written = run("numbers/npy.js", "[...m.writeNpy(new Uint8Array(given), [28, 28])]", levels.ravel().tolist())
    np.testing.assert_array_equal(np.load(io.BytesIO(bytes(written))), levels)


@pytest.mark.parametrize("writer", ["pngUrl", "shortPngUrl"])
def test_the_pictures_in_copied_code_are_lossless(run, writer):
    levels = np.random.default_rng(4).integers(0, 256, (31, 17), dtype=np.uint8)
    url = run("numbers/npy.js", f"await m.{writer}(new Uint8Array(given), 17, 31)", levels.ravel().tolist())
    picture = Image.open(io.BytesIO(base64.b64decode(url.partition(",")[2])))
    assert picture.mode == "L"
    np.testing.assert_array_equal(np.asarray(picture), levels)
