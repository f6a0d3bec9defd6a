"""`box` and `matrix` are in the pixels that were posted, whatever size, form and turn the picture was decoded at."""

import base64
import io
import json

import numpy as np
import pytest
from PIL import Image

from service.app import create_app
from service.pictures import codec
from service.pictures.header import ORIENTATION_TAG
from service.settings import SHIPPED_MODELS, Settings
from tests.drawing import draw, encode

# Turned by these, a stored picture is upright; each undoes what Pillow does for that value of EXIF's orientation.
STORED = {
    1: None, 2: Image.Transpose.FLIP_LEFT_RIGHT, 3: Image.Transpose.ROTATE_180, 4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE, 6: Image.Transpose.ROTATE_90, 7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_270,
}  # fmt: skip
# Width and height, and how many posted pixels a JPEG of that size has for one that is decoded.
SIZES = {(470, 333): 1, (1001, 771): 2, (1600, 1203): 2, (1203, 1999): 4, (3203, 2405): 4, (3999, 3001): 8}
CALLS = {
    "/v1/classify": {},
    "/v1/feature-maps?layers=pool1": {},
    "/v1/explain?method=cam": {},
    "/v1/what-if": {"changes": []},
    "/v1/apply-filters?prepare=auto": {"filters": [{"preset": "box"}]},
    "/v1/patches?prepare=auto": {},
}


@pytest.fixture(scope="module")
def roomy():
    """The service where a PNG may be as large as a JPEG."""
    return create_app(Settings(models=str(SHIPPED_MODELS), max_image_pixels=20_000_000)).test_client()


def drawn(width, height, seed):
    """A digit of any size at any place of a sheet, black on white; and its (left, top, right, bottom)."""
    random = np.random.default_rng(seed)
    side = int(min(width, height) * random.uniform(0.3, 0.8))
    left, top = int(random.integers(0, width - side)), int(random.integers(0, height - side))
    sheet = np.full((height, width), 255, np.uint8)
    sheet[top : top + side, left : left + side] = draw(int(random.choice([2, 3, 4, 7])), side)
    rows, columns = np.flatnonzero((sheet < 128).any(axis=1)), np.flatnonzero((sheet < 128).any(axis=0))
    return sheet, (columns[0], rows[0], columns[-1] + 1, rows[-1] + 1)


def written(sheet, kind, turn=1, **options):
    """The bytes of a file that shows `sheet` when it is turned upright."""
    image = Image.fromarray(sheet)
    exif = Image.Exif()
    exif[ORIENTATION_TAG] = turn
    out = io.BytesIO()
    (image if turn == 1 else image.transpose(STORED[turn])).save(out, kind, exif=exif, **options)
    return out.getvalue()


def posted(client, call, data):
    body = {"image": base64.b64encode(data).decode(), "prepared_image": True, **CALLS[call]}
    answer = client.post(call, json=body)
    assert answer.status_code == 200, answer.json
    return answer.json["results"][0]["prepared"]


def corners(prepared):
    x, y, width, height = prepared["box"]
    return np.array([x, y, x + width, y + height])


def agreement(prepared, sheet):
    """The correlation of the 28 x 28 picture with the ink that `matrix` says each pixel comes from."""
    encoded = prepared["image"].partition(",")[2]
    digit = np.asarray(Image.open(io.BytesIO(base64.b64decode(encoded)))).astype(float)
    matrix = np.array(prepared["matrix"])
    half_x, half_y = matrix[0, 0] / 2, matrix[1, 1] / 2
    sums = np.pad(np.cumsum(np.cumsum(255.0 - sheet, axis=0), axis=1), ((1, 0), (1, 0)))
    height, width = sheet.shape

    def ink(x, y):
        x0, x1 = np.clip(np.round([x - half_x + 0.5, x + half_x + 0.5]).astype(int), 0, width)
        y0, y1 = np.clip(np.round([y - half_y + 0.5, y + half_y + 0.5]).astype(int), 0, height)
        return sums[y1, x1] - sums[y0, x1] - sums[y1, x0] + sums[y0, x0]

    seen = [[ink(*(matrix @ [column, row, 1])[:2]) for column in range(28)] for row in range(28)]
    return float(np.corrcoef(digit.ravel(), np.ravel(seen))[0, 1])


def check(prepared, reference, sheet, box):
    """As near the drawn box, and the box found on the PNG, as the size that ink is looked for at allows."""
    cell = 2 * max(sheet.shape) / 256 + 1
    assert abs(corners(prepared) - box).max() <= cell
    assert abs(corners(prepared) - corners(reference)).max() <= cell
    height, width = sheet.shape
    ends = np.array([[0, 0, 1], [27, 27, 1], [0, 27, 1]]).T
    apart = np.array(prepared["matrix"]) @ ends - np.array(reference["matrix"]) @ ends
    # The shift to the centre of mass is whole pixels of the 28, so it may be one more or less.
    assert abs(apart).max() <= cell + prepared["matrix"][1][1]
    assert agreement(prepared, sheet) > 0.95
    assert agreement(reference, sheet) > 0.95
    left, top, right, bottom = corners(prepared)
    assert 0 <= left < right <= width
    assert 0 <= top < bottom <= height


@pytest.mark.parametrize("size", SIZES, ids=str)
def test_a_jpeg_has_the_box_and_matrix_of_the_same_picture_as_png(roomy, proof, size):
    for seed in range(20 if proof else 3):
        sheet, box = drawn(*size, seed)
        reference = posted(roomy, "/v1/classify", encode(sheet))
        check(posted(roomy, "/v1/classify", encode(sheet, "JPEG", quality=95)), reference, sheet, box)


@pytest.mark.parametrize("turn", STORED)
def test_a_turned_jpeg_has_them_in_the_pixels_of_the_upright_picture(roomy, turn):
    for size in [(1001, 771), (1203, 1999)]:
        sheet, box = drawn(*size, turn)
        reference = posted(roomy, "/v1/classify", encode(sheet))
        check(posted(roomy, "/v1/classify", written(sheet, "PNG", turn)), reference, sheet, box)
        check(posted(roomy, "/v1/classify", written(sheet, "JPEG", turn, quality=95)), reference, sheet, box)


@pytest.mark.parametrize("call", CALLS)
def test_every_call_answers_them_so(roomy, call):
    sheet, box = drawn(1600, 1203, 5)
    reference = posted(roomy, call, encode(sheet))
    check(posted(roomy, call, encode(sheet, "JPEG", quality=95)), reference, sheet, box)


@pytest.mark.parametrize("form", ["raw", "part", "base64", "data URL"])
def test_every_form_of_a_body_does(roomy, form):
    sheet, box = drawn(1600, 1203, 6)
    data = encode(sheet, "JPEG", quality=95)
    text = base64.b64encode(data).decode()
    body = {
        "raw": {"data": data},
        "part": {"data": {"image": (io.BytesIO(data), "a.jpg")}},
        "base64": {"json": {"image": text}},
        "data URL": {"json": {"image": f"data:image/jpeg;base64,{text}"}},
    }[form]
    answer = roomy.post("/v1/classify?prepared_image=true", **body)
    reference = posted(roomy, "/v1/classify", encode(sheet))
    check(json.loads(answer.data)["results"][0]["prepared"], reference, sheet, box)


@pytest.mark.parametrize(("size", "step"), SIZES.items(), ids=str)
@pytest.mark.parametrize("turn", STORED)
def test_a_frame_says_where_each_decoded_pixel_was(size, step, turn):
    width, height = size
    # Levels that rise across and down, so that each tells its place.
    for axis, length in ((1, width), (0, height)):
        ramp = np.linspace(0, 255, length)
        sheet = np.broadcast_to(ramp if axis else ramp[:, None], (height, width)).round().astype(np.uint8)
        data = written(sheet, "JPEG", turn, quality=100)
        pixels, frame = codec.decode_in_frame(data, 1000, 20_000_000)
        if step == 1:
            assert frame is None
            continue
        assert (frame.step, frame.width, frame.height) == (step, width, height)
        assert -step < min(frame.left, frame.top) <= 0
        begins = frame.left if axis else frame.top
        centres = begins + step * (np.arange(pixels.shape[axis]) + 0.5) - 0.5
        found = pixels.mean(axis=1 - axis) * (length - 1) / 255
        inner = slice(2, -2)  # at an edge a pixel stands for less than `step` of them
        assert abs(found - centres)[inner].max() <= 2 * length / 255
        assert abs((found - centres)[inner].mean()) < 0.2 + step / 8
