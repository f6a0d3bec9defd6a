"""POST /v1/classify: every form an image can come in, and every way to get it wrong."""

import base64
import io

import numpy as np
import pytest

from tests.drawing import draw, encode, npy


def classify(client, data, content_type=None, query="", **options):
    return client.post(f"/v1/classify{query}", data=data, content_type=content_type, **options)


def digit_of(response):
    assert response.status_code == 200, response.text
    return response.json["results"][0]["digit"]


@pytest.mark.parametrize("digit", [1, 2, 3, 4, 7])
@pytest.mark.parametrize("dark_on_light", [True, False])
def test_a_drawn_digit_is_read_in_both_polarities(client, digit, dark_on_light):
    answer = classify(client, encode(draw(digit, dark_on_light=dark_on_light)))
    assert digit_of(answer) == digit
    assert answer.json["results"][0]["prepared"]["inverted"] is dark_on_light


@pytest.mark.parametrize(
    "kind", ["image/png", "application/octet-stream", None, "application/x-www-form-urlencoded", "image/x-whatever"]
)
def test_a_raw_body_is_sniffed_whatever_its_content_type_says(client, kind):
    assert digit_of(classify(client, encode(draw(3)), kind)) == 3


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP", "GIF", "BMP", "AVIF", "TIFF"])
def test_every_format_on_the_list_is_read(client, kind):
    assert digit_of(classify(client, encode(draw(7), kind))) == 7


def test_multipart_parts_named_image_make_a_batch_in_order(client):
    parts = [(io.BytesIO(encode(draw(digit))), f"{digit}.png") for digit in (4, 1, 7)]
    answer = client.post("/v1/classify", data={"image": parts})
    assert [result["digit"] for result in answer.json["results"]] == [4, 1, 7]


def test_json_takes_base64_data_urls_and_numbers(client):
    picture = base64.b64encode(encode(draw(2))).decode()
    images = [picture, f"data:image/png;base64,{picture}", draw(2, 60).tolist(), (draw(2, 60) / 255).tolist()]
    answer = client.post("/v1/classify", json={"images": images})
    assert [result["digit"] for result in answer.json["results"]] == [2, 2, 2, 2]


@pytest.mark.parametrize(
    ("shape", "count"),
    [((28, 28), 1), ((28, 28, 1), 1), ((28, 28, 3), 1), ((5, 28, 28), 5), ((2, 28, 28, 3), 2), ((3, 1, 28, 28), 3)],
)
def test_an_npy_body_has_one_picture_or_many(client, shape, count):
    seven = draw(7, 28, dark_on_light=False)
    grey_axes = seven.reshape([28 if size == 28 else 1 for size in shape])
    answer = classify(client, npy(np.broadcast_to(grey_axes, shape)), "application/x-npy", "?prepare=none")
    assert [result["digit"] for result in answer.json["results"]] == [7] * count


def test_a_batch_of_levels_has_the_numbers_of_its_pictures_one_by_one(client):
    batch = np.stack([draw(digit, 28, dark_on_light=False) for digit in (1, 2, 3, 4, 7)])
    one_by_one = [classify(client, npy(each), query="?prepare=none").json["results"][0] for each in batch]
    for order in "CF":
        for form in (np.asarray(batch, order=order), np.asarray(batch[:, None], order=order)):
            answer = classify(client, npy(form), query="?prepare=none")
            assert [result["digit"] for result in answer.json["results"]] == [1, 2, 3, 4, 7]
            for result, alone in zip(answer.json["results"], one_by_one, strict=True):
                np.testing.assert_allclose(result["logits"], alone["logits"], rtol=1e-5, atol=1e-5)


def test_a_batch_of_bytes_may_be_of_zeros_and_ones_and_is_held_to_it(client):
    batch = np.stack([draw(digit, 28, dark_on_light=False) > 127 for digit in (1, 7)]).astype(np.uint8)
    answer = classify(client, npy(batch), query="?prepare=none&scale=1")
    assert [result["digit"] for result in answer.json["results"]] == [1, 7]
    refused = classify(client, npy(batch * 2), query="?prepare=none&scale=1")
    assert refused.status_code == 422
    assert "0..1, got 2" in refused.json["detail"]


def test_integers_above_one_are_levels_and_everything_else_is_a_fraction(client):
    levels = draw(7, 28, dark_on_light=False)
    forms = [levels.tolist(), levels.astype(float).tolist(), (levels / 255).tolist()]
    logits = [
        client.post("/v1/classify", json={"image": form, "prepare": "none"}).json["results"][0]["logits"]
        for form in forms
    ]
    np.testing.assert_allclose(logits[1], logits[0], atol=1e-5)
    np.testing.assert_allclose(logits[2], logits[0], atol=1e-5)


def test_scale_says_what_the_numbers_mean(client):
    faint = np.zeros((28, 28), int)
    faint[4:24, 13:15] = 1
    as_fractions = client.post("/v1/classify", json={"image": faint.tolist(), "prepare": "none"}).json
    as_levels = client.post("/v1/classify", json={"image": faint.tolist(), "prepare": "none", "scale": 255}).json
    assert as_fractions["results"][0]["logits"] != as_levels["results"][0]["logits"]


def test_an_answer_says_which_network_ran_and_adds_up(client):
    answer = classify(client, encode(draw(3))).json
    result = answer["results"][0]
    assert (answer["model"], answer["version"]) == ("digits", "1")
    assert len(answer["sha256"]) == 64
    assert sum(result["probabilities"]) == pytest.approx(1, abs=1e-5)
    assert result["confidence"] == max(result["probabilities"])
    assert int(np.argmax(result["logits"])) == result["digit"] == 3


def test_the_picture_the_network_saw_comes_back_without_loss(client):
    posted = encode(draw(4))
    result = classify(client, posted, query="?prepared_image=true").json["results"][0]
    image = result["prepared"]["image"]
    again = client.post("/v1/classify", json={"image": image, "prepare": "none"}).json["results"][0]
    assert again["logits"] == result["logits"]


def test_transparent_paper_and_white_paper_are_the_same_to_the_reader(client):
    digit = draw(3)
    alpha = np.dstack([np.zeros((*digit.shape, 3), np.uint8), 255 - digit])
    assert digit_of(classify(client, encode(alpha))) == 3


def test_exif_orientation_is_obeyed(client):
    from PIL import Image

    exif = Image.Exif()
    exif[0x0112] = 6  # turn by 90 degrees clockwise to show it
    turned = np.rot90(draw(4))
    assert digit_of(classify(client, encode(np.ascontiguousarray(turned), "JPEG", exif=exif))) == 4


def test_sixteen_bit_cmyk_palette_and_animated_pictures_are_read(client):
    from PIL import Image

    digit = draw(7)
    deep = encode(digit.astype(np.uint16) * 257)
    colour = Image.fromarray(digit).convert("RGB")
    cmyk, palette, animated = io.BytesIO(), io.BytesIO(), io.BytesIO()
    colour.convert("CMYK").save(cmyk, "JPEG")
    colour.quantize(8).save(palette, "PNG")
    Image.fromarray(digit).save(animated, "GIF", save_all=True, append_images=[Image.fromarray(draw(1))])
    for data in (deep, cmyk.getvalue(), palette.getvalue(), animated.getvalue()):
        assert digit_of(classify(client, data)) == 7


def test_npz_holds_the_verdicts_of_the_whole_batch(client):
    batch = np.stack([draw(7, 28, dark_on_light=False), draw(1, 28, dark_on_light=False)])
    answer = classify(client, npy(batch), query="?prepare=none&format=npz")
    arrays = np.load(io.BytesIO(answer.data))
    assert arrays["digits"].tolist() == [7, 1]
    assert arrays["probabilities"].shape == arrays["logits"].shape == (2, 10)


REFUSALS = [
    # body, content type, query, status, what the detail says
    (b"", None, "", 422, "none was posted"),
    (b"hello", None, "", 415, "PNG, JPEG, WEBP, GIF, BMP, AVIF or TIFF"),
    (b"hello", "text/plain", "", 415, "curl --data-binary"),
    (b"hello this is text", None, "", 415, "got the text 'hello this is text'"),
    (b'{"image":"abcdabcdabcdabcd"}', "application/json", "", 415, "got the text 'abcdabcdabcdabcd'"),
    (b'{"images":"three"}', "application/json", "", 422, "got 'three'; one picture is image"),
    (b'{"picture":[[0, 1]]}', "application/json", "", 422, "the member image of a JSON body"),
    (b"%PDF-1.7", "image/png", "", 415, "25 50 44 46"),
    (encode(draw(1))[:60], None, "", 400, "cut short"),
    (encode(draw(1))[:-90] + b"\0" * 90, None, "", 400, "damaged"),
    (b"{", "application/json", "", 400, "not JSON"),
    (b"[]", "application/json", "", 422, "an object"),
    (b'{"image":[[1,2],[3]]}', "application/json", "", 422, "lengths 2, 1"),
    (b'{"image":[["a"]]}', "application/json", "", 422, "'a'"),
    (b'{"image":[[NaN]]}', "application/json", "", 400, "not JSON"),
    (b'{"image":"!!"}', "application/json", "", 400, "base64"),
    (b'{"image":5}', "application/json", "", 422, "got int"),
    (b'{"image":[[0.5,-0.5]]}', "application/json", "", 422, "got -0.5"),
    (b'{"image":[[0.5,1.5]]}', "application/json", "", 422, "got 1.5"),
    (b'{"images":[]}', "application/json", "", 422, "none was posted"),
    (b'{"image":[[0]],"images":[]}', "application/json", "", 422, "not both"),
    (npy(np.full((28, 28), np.nan)), None, "", 422, "finite"),
    (npy(np.zeros((28, 28))), None, "", 422, "ink"),
    (npy(np.zeros((2, 3, 4, 5, 6))), None, "", 422, "(2, 3, 4, 5, 6)"),
    (npy(np.zeros((28, 28), complex)), None, "", 422, "complex128"),
    (npy(np.zeros((28, 28)))[:-8], None, "", 400, "6272 bytes, got 6264"),
    (npy(np.zeros((14, 14))), None, "?prepare=none", 422, "14 x 14"),
    (encode(draw(1)), None, "?model=letters", 404, "there is: digits"),
    (encode(draw(1)), None, "?model=digits&version=99", 404, "version of digits '99'"),
    (encode(draw(1)), None, "?prepare=maybe", 422, "auto, none"),
    (encode(draw(1)), None, "?stride=2", 422, "no option 'stride'"),
    (encode(draw(1)), None, "?prepare=auto&prepare=none", 422, "twice"),
    (encode(draw(1)), None, "?scale=null", 422, "scale: must be one of 1, 255, got 'null'"),
    (encode(draw(1)), None, "?format=NULL", 422, "must be one of json, png, npz, got 'NULL'"),
    (encode(draw(1)), None, "?model=null", 404, "no model 'null'"),
    (encode(draw(1)), None, "?format=png", 406, "json, npz"),
]


@pytest.mark.parametrize(("body", "kind", "query", "status", "says"), REFUSALS)
def test_bad_input_gets_a_clear_answer(client, body, kind, query, status, says):
    answer = classify(client, body, kind, query)
    assert answer.status_code == status, answer.text
    assert answer.mimetype == "application/problem+json"
    assert answer.json["status"] == status
    assert says in answer.json["detail"]


def test_an_accept_header_that_cannot_be_met_is_refused(client):
    answer = client.post("/v1/classify", data=encode(draw(1)), headers={"Accept": "text/csv"})
    assert answer.status_code == 406


def test_a_batch_is_all_or_nothing_and_lists_every_bad_picture(client):
    good = base64.b64encode(encode(draw(1))).decode()
    answer = client.post("/v1/classify", json={"images": [good, "AAAA", good, [[0, 0], [0, 0]]]})
    assert answer.status_code in {415, 422}
    assert [problem["pointer"] for problem in answer.json["errors"]] == ["/images/1", "/images/3"]


def test_a_pickle_inside_npy_is_never_opened(client):
    out = io.BytesIO()
    np.save(out, np.array([{"a": 1}], dtype=object), allow_pickle=True)
    answer = classify(client, out.getvalue())
    assert answer.status_code == 422
    assert "object" in answer.json["detail"]


def test_an_image_bomb_is_refused_by_its_header(client):
    import struct
    import zlib

    def chunk(name, data):
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    header = struct.pack(">IIBBBBB", 20000, 20000, 8, 0, 0, 0, 0)
    bomb = (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + chunk(b"IDAT", zlib.compress(b"\0" * 1000))
        + chunk(b"IEND", b"")
    )
    answer = classify(client, bomb)
    assert answer.status_code == 413
    assert "20000 x 20000" in answer.json["detail"]
