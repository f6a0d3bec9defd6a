"""Requests that no one would write by hand: never a 5xx, and always an answer that the contract declares."""

import base64
import io
import json
from urllib.parse import quote_plus, urlencode

import numpy as np
import orjson
import pytest
import schemathesis
from hypothesis import given, reject
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from schemathesis.checks import load_all_checks

from service.app import create_app
from service.core.convolution import ACTIVATIONS, NORMALISATIONS, PAD_MODES, POOL_KINDS
from service.core.presets import PRESETS
from service.settings import SHIPPED_MODELS, Settings
from tests.api.contract import DOCUMENT, OPERATIONS, call_of, check_answer, parameters_of
from tests.drawing import draw, encode, npy
from tests.fuzzing import fuzz


@pytest.fixture(scope="module")
def strict_app():
    """The service with low limits, so that many requests meet one, and none takes long."""
    limits = {
        "max_image_pixels": 20_000, "max_jpeg_pixels": 40_000, "max_filters": 4,
        "max_json_numbers_in": 10_000, "max_json_numbers_out": 50_000, "max_multiply_adds": 10_000_000,
        "max_masked_runs": 200, "max_answer_bytes": 2**20,
    }  # fmt: skip
    return create_app(Settings(models=str(SHIPPED_MODELS), **limits))


@pytest.fixture(scope="module")
def strict_client(strict_app):
    return strict_app.test_client()


# --- what the contract allows, and what it does not -------------------------------------------------------------------

PICTURES = [encode(draw(7, 40)), encode(np.dstack([draw(3, 33)] * 3), "JPEG"), npy(draw(4, 28) / 255), b"", b"{}"]
for media_type in ("image/*", "application/octet-stream", "application/x-npy"):
    schemathesis.openapi.media_type(media_type, st.sampled_from(PICTURES))
load_all_checks()
WITH_INPUT = [each for each in OPERATIONS if DOCUMENT["paths"][each[0]][each[1]].get("parameters")]


def modes(path, method):
    """What may be generated for a call: where all it takes is a text in its path, no input is of a wrong kind."""
    call = DOCUMENT["paths"][path][method]
    only_names = "requestBody" not in call and not parameters_of(path, method, "query")
    return [mode for mode in schemathesis.GenerationMode if mode.is_positive or not only_names]


@pytest.fixture(scope="module")
def contract(strict_app):
    return schemathesis.openapi.from_wsgi("/openapi.json", strict_app)


@st.composite
def generated(draw, cases):
    """Draw one of `cases`; those do not count of which schemathesis (4.32) cannot compare the bytes with a schema."""
    try:
        return draw(cases)
    except ValueError as error:
        if "Unsupported type: 'Binary'" not in str(error):
            raise
        return reject()


@pytest.mark.parametrize(
    ("path", "method", "mode"), [(*each, mode) for each in WITH_INPUT for mode in modes(*each)], ids=str
)
def test_generated_requests_get_the_answers_that_are_declared(contract, path, method, mode):
    call = contract[path][method]
    places = {name: place["example"] for name, place in parameters_of(path, method, "path").items()}
    cases = call.as_strategy(generation_mode=mode)
    if places and mode.is_positive:  # else hardly any request would get further than the name
        cases = cases | call.as_strategy(generation_mode=mode, path_parameters=places)
    # What the schema allows may still not fit together, such as a filter larger than the picture.
    unfit = [schemathesis.checks.positive_data_acceptance]

    @fuzz(25)
    @given(case=generated(cases))
    def request(case):
        response = case.call()
        assert response.status_code < 500, response.text
        case.validate_response(response, excluded_checks=unfit)

    request()


# --- bodies that are damaged ------------------------------------------------------------------------------------------

SEVEN = draw(7, 20)
BOUNDARY = "edge"


def multipart(*parts):
    return b"".join(b"--edge\r\n" + head + b"\r\n\r\n" + body + b"\r\n" for head, body in parts) + b"--edge--\r\n"


def file_part(data):
    return b'Content-Disposition: form-data; name="image"; filename="a.png"\r\nContent-Type: image/png', data


def rotated(kind, **more):
    from PIL import Image

    exif = Image.Exif()
    exif[0x0112] = 6
    return encode(SEVEN, kind, exif=exif, **more)


def animated(kind):
    from PIL import Image

    out = io.BytesIO()
    Image.fromarray(SEVEN).save(out, kind, save_all=True, append_images=[Image.fromarray(SEVEN.T)])
    return out.getvalue()


def palette(kind, **more):
    from PIL import Image

    out = io.BytesIO()
    Image.fromarray(SEVEN).convert("P").save(out, kind, **more)
    return out.getvalue()


IN_BASE64 = base64.b64encode(encode(SEVEN)).decode()
IN_JSON = orjson.dumps({"image": IN_BASE64, "prepare": "none"})
SOUND = {
    "image/png": [
        encode(SEVEN), rotated("PNG"), palette("PNG", transparency=3), encode(SEVEN.astype(np.uint16) * 257),
        encode(np.dstack([SEVEN] * 4)), animated("PNG"),
    ],
    "image/jpeg": [encode(SEVEN, "JPEG"), rotated("JPEG", progressive=True), encode(np.dstack([SEVEN] * 3), "JPEG")],
    "image/gif": [encode(SEVEN, "GIF"), animated("GIF"), palette("GIF", transparency=0)],
    "image/webp": [encode(SEVEN, "WEBP"), encode(SEVEN, "WEBP", lossless=True), animated("WEBP"), rotated("WEBP")],
    "image/bmp": [encode(SEVEN, "BMP"), palette("BMP"), encode(np.dstack([SEVEN] * 3), "BMP")],
    "image/tiff": [
        encode(SEVEN, "TIFF"), encode(SEVEN, "TIFF", compression="tiff_lzw"), rotated("TIFF", compression="jpeg"),
        encode(SEVEN > 99, "TIFF", compression="group4"), palette("TIFF"),
    ],
    "image/avif": [encode(SEVEN, "AVIF"), rotated("AVIF"), encode(np.dstack([SEVEN] * 4), "AVIF"), animated("AVIF")],
    "application/x-npy": [npy(SEVEN), npy(np.stack([SEVEN / 255] * 2)), npy(np.asfortranarray(SEVEN, ">i4"))],
    f"multipart/form-data; boundary={BOUNDARY}": [
        multipart(file_part(encode(SEVEN)), file_part(npy(SEVEN))),
        multipart(file_part(encode(SEVEN)), (b'Content-Disposition: form-data; name="prepare"', b"none")),
        multipart((b'Content-Disposition: form-data; name="image"', f"data:image/png;base64,{IN_BASE64}".encode())),
        multipart((b'Content-Disposition: form-data; filename="\xe9\x5c"; name="images[]"', IN_BASE64.encode())),
    ],
    "application/json": [
        IN_JSON, b'{"images":[[[0,1],[1,0]],[[[9,0,7]]]],"scale":255}', b'{"image":[[0.5,1e-9],[1,0]],"format":"json"}',
        b"\xef\xbb\xbf" + IN_JSON, b'{"image":[[[[0],[255]]]],"flattened":false}',
        orjson.dumps({"images": SEVEN.reshape(1, 1, 400).tolist(), "flattened": True}),
    ],
    "application/x-www-form-urlencoded": [
        f"prepare=none&image={quote_plus(IN_BASE64)}".encode(), f"image=data:image/png;base64,{IN_BASE64}".encode(),
        b"image%5B%5D=[[0,1],[1,0]]&scale=1&layers[]=conv1&stride[0]=2&filters=%5B%5D",
    ],
    "text/plain": [
        f"data:image/png;base64,{IN_BASE64}".encode(), base64.urlsafe_b64encode(encode(SEVEN)),
        f"data:;base64,{IN_BASE64}".encode("utf-16"), base64.encodebytes(npy(SEVEN)), b"[object File]", b"three.png",
    ],
}  # fmt: skip
KINDS = [*SOUND, None, "application/octet-stream", "image/heic", "text/html"]
# What decoders trip over: nothing, everything, the ends of the signed and unsigned ranges.
PROVOCATIONS = [
    b"\0\0\0\0",
    b"\xff\xff\xff\xff",
    b"\x7f\xff\xff\xff",
    b"\x80\0\0\0",
    b"\0\0",
    b"\xff\xff",
    b"\0",
    b"\xff",
    b"-1",
    b"1e9",
]


@st.composite
def damaged(make):
    """A sound body with bytes changed, cut out, cut off, repeated or joined to another's; and its type, or not."""
    kind = make(st.sampled_from(list(SOUND)))
    body = bytearray(make(st.sampled_from(SOUND[kind])))
    for _ in range(make(st.integers(0, 5))):
        place = make(st.integers(0, max(len(body) - 1, 0)))
        # Most of what can go wrong is in the first bytes of a file.
        place = place if make(st.booleans()) else place % 64
        match make(st.sampled_from(["change", "overwrite", "cut out", "cut off", "repeat", "insert", "join"])):
            case "change":
                body[place : place + 1] = bytes([make(st.integers(0, 255))])
            case "overwrite":
                provocation = make(st.sampled_from(PROVOCATIONS))
                body[place : place + len(provocation)] = provocation
            case "cut out":
                del body[place : place + make(st.integers(1, 40))]
            case "cut off":
                del body[place:]
            case "repeat":
                body[place:place] = body[place : place + make(st.integers(1, 60))]
            case "insert":
                body[place:place] = make(st.binary(max_size=12))
            case "join":
                body[place:] = make(st.sampled_from(SOUND[make(st.sampled_from(list(SOUND)))]))
    return bytes(body), make(st.sampled_from([kind, kind, None]) | st.sampled_from(KINDS))


BODIES = damaged() | st.tuples(st.binary(max_size=200), st.sampled_from(KINDS))
OFF = 'changes=[{"layer":"conv1","filter":0,"action":"off"}]'
SOBEL = 'filters=[{"preset":"sobel"}]'
QUERIES = {
    "/v1/classify": ["", "?prepare=none", "?prepared_image=true", "?scale=255"],
    "/v1/feature-maps": ["?layers=pool1", "?format=png&layers=pool1"],
    "/v1/explain": ["", "?method=pixels"],
    "/v1/what-if": [f"?{OFF}"],
    "/v1/patches": ["", "?format=png"],
    "/v1/apply-filters": [f"?{SOBEL}{more}" for more in ("", "&prepare=auto", "&format=png", "&channels=each")],
}  # fmt: skip


DAMAGED = [
    ("/v1/classify", 700), ("/v1/apply-filters", 500), ("/v1/feature-maps", 60), ("/v1/explain", 60),
    ("/v1/what-if", 60), ("/v1/patches", 60),
]  # fmt: skip


@pytest.mark.parametrize(("path", "count"), DAMAGED)
def test_damaged_bodies_are_answered_or_refused(strict_client, path, count):
    @fuzz(count)
    @given(posted=BODIES, query=st.sampled_from(QUERIES[path]))
    def request(posted, query):
        body, kind = posted
        response = strict_client.post(path + query, data=body, content_type=kind)
        assert response.status_code < 500, response.text
        check_answer(response, path, "post")

    request()


# --- numbers and options at their ends -------------------------------------------------------------------------------


def mostly(usual, *ends):
    """The usual nine times of ten, and else one of the ends: with many options, most requests are still answered."""
    return st.integers(0, 9).flatmap(lambda draw: st.one_of(*ends) if draw == 9 else usual)


def some(**options):
    """Any choice of options, few of them at once."""
    members = [st.tuples(st.just(name), values) for name, values in options.items()]
    return st.lists(st.one_of(members), max_size=4, unique_by=lambda member: member[0]).map(dict)


ENDS = st.sampled_from([1e-45, 1e30, -1e30, 3.4e38, -3.4e38, 3.5e38, 1e300]) | st.floats(
    allow_nan=False, allow_infinity=False
)
NUMBERS = mostly(st.integers(-9, 9) | st.floats(-2, 2, width=32), ENDS)
WHOLE = mostly(st.integers(0, 4), st.sampled_from([-1, 9, 63, 64, 65536, 2**31 - 1, 2**31, 2**63, 10**20]))
PAIRS = mostly(WHOLE | st.lists(WHOLE, min_size=2, max_size=2), st.lists(WHOLE, max_size=5))
STEPS = mostly(st.integers(1, 4) | st.lists(st.integers(1, 4), min_size=2, max_size=2), PAIRS)
TYPES = ["bool", "u1", "i1", "<u2", ">i4", "<i8", "<u8", "<f2", "<f4", ">f8"]


@st.composite
def pictures(make):
    """An npy body: any type of number, any number of axes, any value."""
    sides = st.integers(3, 12)
    usual = st.tuples(sides, sides) | st.tuples(sides, sides, st.sampled_from([1, 3, 4]))
    shape = make(mostly(usual, st.lists(st.integers(0, 9), max_size=5).map(tuple)))
    return npy(make(arrays.arrays(make(st.sampled_from(TYPES)), shape)))


def rows(numbers):
    return st.tuples(st.integers(1, 3), st.integers(1, 3)).flatmap(
        lambda shape: st.lists(
            st.lists(numbers, min_size=shape[1], max_size=shape[1]), min_size=shape[0], max_size=shape[0]
        )
    )


RAGGED = st.lists(st.lists(NUMBERS, max_size=3), max_size=3)
WEIGHTS = mostly(rows(NUMBERS), RAGGED, st.lists(rows(NUMBERS), max_size=4), st.lists(RAGGED, max_size=2))
NAMES = st.text(min_size=1, max_size=80) | st.sampled_from(["数字", "a\0b", "\r\nX: y", "../../a", '"', "con.npy"])
FILTERS = st.one_of(
    st.fixed_dictionaries({"weights": WEIGHTS}, optional={"name": NAMES, "bias": NUMBERS}),
    st.tuples(st.sampled_from([preset.name for preset in PRESETS]), some(size=WHOLE, angle=NUMBERS, sigma=NUMBERS)).map(
        lambda named: {"preset": named[0], **named[1]}
    ),
    st.fixed_dictionaries(
        {"layer": mostly(st.just("conv1"), st.sampled_from(["conv2", "pool1", "head", ""])), "filter": WHOLE},
        optional={"model": st.just("digits"), "version": st.sampled_from([1, "1", 2]), "bias": NUMBERS},
    ),
)
DRAWING = {
    "format": st.sampled_from(["json", "png", "npz"]),
    "range": st.sampled_from(["layer", "map", "symmetric"]),
    "fixed": st.tuples(NUMBERS, NUMBERS),
    "polarity": st.sampled_from(["light", "pencil", "diverging"]),
}


def with_fixed_range(options):
    """lo and hi, which without range=fixed would be refused every time."""
    lo, hi = options.pop("fixed", (None, None))
    return options if lo is None else {**options, "range": "fixed", "lo": lo, "hi": hi}


STEP = {
    "stride": STEPS,
    "dilation": STEPS,
    "padding": mostly(st.sampled_from(["valid", "same", "full", "crop", "pad"]) | st.integers(0, 5), PAIRS),
    "pad_mode": st.sampled_from(PAD_MODES),
    "pad_value": NUMBERS,
    "orientation": st.sampled_from(["correlation", "convolution"]),
    "activation": mostly(st.sampled_from(ACTIVATIONS), st.sampled_from(["elu(1e300)", "leaky_relu(-5)", "relu(nan)"])),
    "pool": some(kind=st.sampled_from(POOL_KINDS), size=STEPS, stride=STEPS),
    "normalize": st.sampled_from(NORMALISATIONS),
    "channels": st.sampled_from(["grey", "each"]),
}
AROUND = {
    "prepare": st.sampled_from(["none", "auto"]),
    "scale": st.sampled_from([1, 255]),
    "card": st.booleans(),
    "snippet": st.sampled_from(["numpy", "torch"]),
    **DRAWING,
}


def joined(parts):
    """One dictionary of several."""
    return {name: value for part in parts for name, value in part.items()}


BANK = st.fixed_dictionaries({"filters": st.lists(FILTERS, min_size=1, max_size=3)})
STAGE = st.tuples(BANK | st.just({}), some(**STEP)).map(joined)
STAGES = st.fixed_dictionaries(
    {"stages": mostly(st.lists(STAGE, min_size=1, max_size=3), st.lists(STAGE, max_size=20))}
)
APPLYING = st.tuples(BANK, some(**STEP, **AROUND)).map(joined).map(with_fixed_range) | st.tuples(
    STAGES, some(**AROUND)
).map(joined).map(with_fixed_range)


@fuzz(600)
@given(body=pictures(), options=APPLYING)
def test_any_filter_on_any_numbers_is_answered_or_refused(strict_client, body, options):
    texts = {name: value if isinstance(value, str) else json.dumps(value) for name, value in options.items()}
    texts |= {
        name: ",".join(map(str, options[name]))
        for name in ("stride", "dilation", "padding")
        if isinstance(options.get(name), list)
    }
    response = strict_client.post(f"/v1/apply-filters?{urlencode(texts)}", data=body)
    assert response.status_code < 500, response.text
    check_answer(response, "/v1/apply-filters", "post")


MAPS = some(
    layers=st.lists(st.sampled_from(["conv1", "conv1.pre", "conv2.act", "pool1", "pool2"]), max_size=2)
    | st.just(["head"]),
    filters=st.lists(WHOLE, max_size=3),
    stats=st.booleans(),
    prepare=st.sampled_from(["none", "auto"]),
    prepared_image=st.booleans(),
    changes=st.deferred(lambda: CHANGES),
    **DRAWING,
).map(with_fixed_range)


@fuzz(150)
@given(picture=arrays.arrays("f8", (28, 28), elements=st.sampled_from([0, 0, 0, 1, 0.5, 1e-300])), options=MAPS)
def test_any_choice_of_maps_is_answered_or_refused(strict_client, picture, options):
    response = strict_client.post("/v1/feature-maps", json={"image": picture.tolist(), **options})
    assert response.status_code < 500, response.text
    check_answer(response, "/v1/feature-maps", "post")


CHANGES = st.lists(
    st.tuples(
        st.fixed_dictionaries(
            {
                "layer": mostly(st.just("conv1"), st.sampled_from(["conv2", "pool1", "head", "conv9"])),
                "filter": WHOLE,
                "action": st.sampled_from(["off", "scale"]),
            }
        ),
        some(factor=NUMBERS),
    ).map(lambda change: change[0] | (change[1] if change[0]["action"] == "scale" else {}))
    | st.fixed_dictionaries(
        {
            "layer": st.just("conv1"),
            "filter": WHOLE,
            "action": st.just("replace"),
            "weights": mostly(st.lists(st.lists(NUMBERS, min_size=5, max_size=5), min_size=5, max_size=5), WEIGHTS),
        },
        optional={"bias": NUMBERS},
    ),
    max_size=3,
)
CLASSES = mostly(st.integers(0, 9), st.sampled_from([-1, 10, 2**63]))
OF_METHODS = {
    "ledger": {"full": st.booleans(), "baseline": st.sampled_from(["zero", "mean"]), "score": st.just("margin")},
    "pixels": {"full": st.booleans(), "score": st.just("margin")},
    "occlusion": {"baseline": st.sampled_from(["zero", "mean", "blur", 0.5, 2]), "window": STEPS, "stride": STEPS},
    "rise": {"masks": st.integers(0, 20), "cells": mostly(st.integers(2, 28), WHOLE), "keep": NUMBERS, "seed": WHOLE},
    "cam": {"variant": st.sampled_from(["gradcam", "hirescam", "cam"]), "layer": st.sampled_from(["pool1", "conv3"])},
    "deciding-set": {"baseline": st.sampled_from(["zero", "mean"])},
}
EXPLAINING = st.sampled_from(list(OF_METHODS)).flatmap(
    lambda method: some(target=CLASSES, rival=CLASSES, changes=CHANGES, **OF_METHODS[method]).map(
        lambda options: {"method": method, **options}
    )
) | st.fixed_dictionaries(
    {
        "method": st.just("cell"),
        "layer": st.sampled_from(["conv1", "pool1", "conv2", "conv2.pre", "head"]),
        "filter": WHOLE,
        "row": WHOLE,
        "col": WHOLE,
    },
    optional={"target": CLASSES, "changes": CHANGES},
)
INK = arrays.arrays("f8", (28, 28), elements=st.sampled_from([0, 0, 0, 1, 0.5, 1e-300]))


@fuzz(250)
@given(picture=INK, options=EXPLAINING, prepare=st.sampled_from(["none", "none", "auto"]))
def test_any_explanation_is_given_or_refused(strict_client, picture, options, prepare):
    response = strict_client.post("/v1/explain", json={"image": picture.tolist(), "prepare": prepare, **options})
    assert response.status_code < 500, response.text
    check_answer(response, "/v1/explain", "post")


@fuzz(150)
@given(picture=INK, changes=CHANGES)
def test_any_edit_of_the_network_is_answered_or_refused(strict_client, picture, changes):
    body = {"image": picture.tolist(), "prepare": "none", "changes": changes}
    response = strict_client.post("/v1/what-if", json=body)
    assert response.status_code < 500, response.text
    check_answer(response, "/v1/what-if", "post")


CUTTING = some(
    patch_size=STEPS,
    stride=STEPS,
    padding=mostly(st.sampled_from(["valid", "same", "full", "crop", "pad"]) | st.integers(0, 5), PAIRS),
    pad_mode=st.sampled_from(PAD_MODES),
    pad_value=NUMBERS,
    prepare=st.sampled_from(["none", "auto"]),
    format=DRAWING["format"],
    range=st.sampled_from(["layer", "symmetric"]),
    fixed=DRAWING["fixed"],
    polarity=DRAWING["polarity"],
).map(with_fixed_range)


@fuzz(250)
@given(body=pictures(), options=CUTTING)
def test_any_cut_into_patches_is_answered_or_refused(strict_client, body, options):
    texts = {name: ",".join(map(str, value)) if isinstance(value, list) else value for name, value in options.items()}
    response = strict_client.post(f"/v1/patches?{urlencode(texts)}", data=body)
    assert response.status_code < 500, response.text
    check_answer(response, "/v1/patches", "post")


# --- everything around the body ---------------------------------------------------------------------------------------

HEADERS = st.fixed_dictionaries(
    {},
    optional={
        "Accept": st.sampled_from(["*/*", "image/*", "application/zip;q=0", "image/png;q=x", ",,;", "text/html"])
        | st.text(st.characters(min_codepoint=32, max_codepoint=255), max_size=30),
        "Content-Type": st.sampled_from(
            ["multipart/form-data", "multipart/form-data; boundary=", "/", ";", "image/", "a+json"]
        )
        | st.text(st.characters(min_codepoint=32, max_codepoint=255), max_size=30),
        "Content-Encoding": st.just("gzip"),
        "Range": st.just("bytes=0-3"),
        "If-None-Match": st.just("*"),
        "X-HTTP-Method-Override": st.just("DELETE"),
    },
)
QUERY_TEXT = st.text(st.sampled_from('abfilters=&%;,[]{}"+é\0 0123/\\'), max_size=60) | st.text(max_size=20)


@fuzz(400)
@given(place=st.sampled_from(OPERATIONS), query=QUERY_TEXT, headers=HEADERS)
def test_any_query_and_headers_are_answered_or_refused(strict_client, place, query, headers):
    path, method = place
    url = f"{call_of(path, method)}?{urlencode({'x': query})[2:] if query.isascii() else query}"
    body = {"data": PICTURES[0]} if method == "post" else {}
    response = strict_client.open(url, method=method, headers=headers, **body)
    assert response.status_code < 500, response.text
    check_answer(response, path, method)
