"""
Requests that mean harm, by kind: what is posted as a body, and what is sent as bytes.

Everything is made here, from a few lines each; nothing of it is a file. Bodies are made when they are asked for, as
some are large.
"""

import gzip
import io
import json
import pickle
import struct
import zipfile
import zlib
from typing import Any, NamedTuple

import numpy as np
from PIL import Image

from tests.drawing import draw, encode, npy
from tests.pictures.files import chunk
from tests.pictures.test_parts import gif_with_blocks, rle_bmp, with_chunks, with_comments, with_scans

SEVEN = encode(draw(7))
CLASSIFY, APPLY, INFER = "/v1/classify", "/v1/apply-filters", "/v2/models/digits/infer"
PNG, JSON, NPY, TYPELESS = "image/png", "application/json", "application/x-npy", "application/octet-stream"


class Post(NamedTuple):
    """A whole, well-formed request whose content is hostile; any 4xx is right."""

    make: Any  # () -> bytes
    kind: str = TYPELESS
    path: str = CLASSIFY
    headers: dict[str, str] | None = None


# --- pictures ---------------------------------------------------------------------------------------------------------


def flat_png(width, height, colour=0, depth=8):
    """A true picture of one level, packed a thousand times smaller than it is."""
    channels = {0: 1, 2: 3, 6: 4}[colour]
    packing = zlib.compressobj(9)
    row = bytes(1 + width * channels * depth // 8)
    packed = b"".join([*(packing.compress(row) for _ in range(height)), packing.flush()])
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", packed) + chunk(b"IEND")


def more_pixels_than_the_header_says():
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", 28, 28, 8, 0, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", zlib.compress(bytes(2**27), 9)[:-1000]) + chunk(b"IEND")


def profile_bomb():
    return SEVEN[:33] + chunk(b"iCCP", b"icc\0\0" + zlib.compress(bytes(2**27), 9)) + SEVEN[33:]


def jpeg(side, **options):
    out = io.BytesIO()
    Image.new("RGB", (side, side), (200, 90, 10)).save(out, "JPEG", **options)
    return out.getvalue()


def patched(data, place, new):
    return data[:place] + new + data[place + len(new) :]


def wide_jpeg():
    data = jpeg(16)
    return patched(data, data.find(b"\xff\xc0") + 5, b"\xff\xff\xff\xff")


def wide_webp():
    data = encode(draw(7), "WEBP", lossless=True)
    return patched(data, 21, b"\xff\xff\xff\x0f")


GIF = encode(draw(7), "GIF")
BMP = encode(draw(7), "BMP")
PICTURES = {
    "png of 100 megapixels": Post(lambda: flat_png(10_000, 10_000), PNG),
    "png that claims 4 gigapixels": Post(lambda: patched(SEVEN, 16, b"\0\0\xff\xff\0\0\xff\xff"), PNG),
    "png that claims 2^31 rows": Post(lambda: patched(SEVEN, 20, b"\x80\0\0\0"), PNG),
    "png of no pixels": Post(lambda: patched(SEVEN, 16, bytes(8)), PNG),
    "png with more pixels than it says, cut": Post(more_pixels_than_the_header_says, PNG),
    "png of endless chunks": Post(lambda: with_chunks(b"prVt", 1_000_000), PNG),
    "png of endless empty data": Post(lambda: with_chunks(b"IDAT", 1_000_000), PNG),
    "png cut short": Post(lambda: SEVEN[:-40], PNG),
    "png that is all header": Post(lambda: SEVEN[:33], PNG),
    "png with a chunk longer than the file": Post(lambda: patched(SEVEN[:-100], 33, b"\x7f\xff\xff\xff"), PNG),
    "jpeg of 50 megapixels, progressive": Post(lambda: jpeg(7071, quality=20, progressive=True), "image/jpeg"),
    "jpeg of 100 megapixels": Post(lambda: jpeg(10_000, quality=20), "image/jpeg"),
    "jpeg that claims 4 gigapixels": Post(wide_jpeg, "image/jpeg"),
    "jpeg of 5,000 scans": Post(lambda: with_scans(5000, 256), "image/jpeg"),
    "jpeg of endless comments": Post(lambda: with_comments(4_000_000), "image/jpeg"),
    "jpeg cut short": Post(lambda: jpeg(400)[:300], "image/jpeg"),
    "gif that claims 4 gigapixels": Post(lambda: patched(GIF, 6, b"\xff\xff\xff\xff"), "image/gif"),
    "gif with a frame larger than itself": Post(
        lambda: patched(patched(GIF, 6, b"\xff\x0f\xff\x0f"), GIF.find(b",\0\0\0\0") + 5, b"\xff\xff\xff\xff"),
        "image/gif",
    ),
    "gif of a million comments": Post(lambda: gif_with_blocks(1_000_000), "image/gif"),
    "gif cut short": Post(lambda: GIF[:40], "image/gif"),
    "bmp that claims 4 gigapixels": Post(lambda: patched(BMP, 18, b"\xff\xff\0\0\xff\xff\0\0"), "image/bmp"),
    "bmp of negative width": Post(lambda: patched(BMP, 18, b"\xff\xff\xff\xff"), "image/bmp"),
    "bmp that paints nothing": Post(lambda: rle_bmp(2_000_000), "image/bmp"),
    "webp that claims 268 megapixels": Post(wide_webp, "image/webp"),
    "webp cut short": Post(lambda: encode(draw(7), "WEBP")[:60], "image/webp"),
    "fits": Post(lambda: b"SIMPLE  =                    T".ljust(2880)),
    "fits, packed": Post(lambda: gzip.compress(b"SIMPLE  =                    T".ljust(2880))),
    "pdf": Post(lambda: b"%PDF-1.7\n1 0 obj<</Length 99999999999>>stream\n"),
    "eps": Post(lambda: b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9999999 9999999\n%%EndComments\n"),
    "svg": Post(lambda: b'<svg xmlns="http://www.w3.org/2000/svg"><image href="file:///etc/passwd"/></svg>'),
    "xml of a billion laughs": Post(lambda: b'<!DOCTYPE a [<!ENTITY b "bb"><!ENTITY c "&b;&b;">]><a>&c;</a>'),
    "ico": Post(lambda: b"\0\0\1\0\1\0\0\0\0\0\1\0\x20\0\xff\xff\xff\x7f\x16\0\0\0"),
    "tiff": Post(lambda: b"II*\0\xff\xff\xff\xff"),
    "jpeg 2000": Post(lambda: b"\0\0\0\x0cjP  \r\n\x87\n" + bytes(64)),
    "psd": Post(lambda: b"8BPS\0\1" + bytes(8) + b"\0\3\0\0\xff\xff\0\0\xff\xff\0\x08\0\3"),
    "elf": Post(lambda: b"\x7fELF\2\1\1" + bytes(64)),
    "zip": Post(lambda: b"PK\3\4" + bytes(64)),
    "nothing": Post(lambda: b"", PNG),
    "null bytes": Post(lambda: bytes(1_000_000), PNG),
    "a polyglot: npy, then png": Post(lambda: b"\x93NUMPY\1\0" + SEVEN),
    "a polyglot: pdf, then png": Post(lambda: b"%PDF-1.4\n" + SEVEN),
    "a polyglot: JSON, then png": Post(lambda: b'{"image":"' + SEVEN),
    "a polyglot: gif that is a script": Post(lambda: b"GIF89a/*" + bytes(20) + b"*/=1;alert(1)//", "image/gif"),
}  # fmt: skip

# --- numbers ----------------------------------------------------------------------------------------------------------


def npy_of(header, data=b""):
    text = header.encode().ljust(118) + b"\n"
    return b"\x93NUMPY\1\0" + struct.pack("<H", len(text)) + text + data


def npy_header(shape, descr="'<f4'"):
    return f"{{'descr': {descr}, 'fortran_order': False, 'shape': {shape}, }}"


def npz_bomb():
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as packed:
        packed.writestr("x.npy", npy_of(npy_header("(4096, 4096)")) + bytes(2**26))
    return out.getvalue()


def pickled():
    """What np.load(allow_pickle=True) would run."""
    text = npy_header("(1,)", "'|O'").encode().ljust(117) + b"\n"
    return b"\x93NUMPY\1\0" + struct.pack("<H", len(text)) + text + pickle.dumps(np.array([print], object))


def parts(count, name=b"image"):
    part = b'--b\r\nContent-Disposition: form-data; name="' + name + b'"; filename="a"\r\n\r\nx\r\n'
    return part * count + b"--b--\r\n"


FORM = "multipart/form-data; boundary=b"
URLENCODED = "application/x-www-form-urlencoded"


def tensor(shape, data="[0]", datatype="FP32"):
    return f'{{"inputs":[{{"name":"image","shape":{shape},"datatype":"{datatype}","data":{data}}}]}}'.encode()


def numbers(*values):
    return f'{{"image":[[{",".join(values)}]]}}'.encode()


NUMBERS = {
    "npy of a huge shape": Post(lambda: npy_of(npy_header("(4294967296, 4294967296)")), NPY),
    "npy whose shape wraps to nothing": Post(lambda: npy_of(npy_header("(2**32, 2**32, 1)")), NPY),
    "npy whose product is 2^64": Post(lambda: npy_of(npy_header("(4611686018427387904, 4)")), NPY),
    "npy of negative shape": Post(lambda: npy_of(npy_header("(-1, -28)"), bytes(112)), NPY),
    "npy of 60 axes": Post(lambda: npy_of(npy_header(str((1,) * 30)), bytes(4)), NPY),
    "npy that is a pickle": Post(pickled, NPY),
    "npy of records": Post(lambda: npy_of(npy_header("(1,)", "[('a', '<f4')]"), bytes(4)), NPY),
    "npy with a header of brackets": Post(lambda: b"\x93NUMPY\1\0" + struct.pack("<H", 60_000) + b"(" * 60_000, NPY),
    "npy with a header of 4 GB": Post(lambda: b"\x93NUMPY\2\0\xff\xff\xff\xff" + b" " * 1000, NPY),
    "npy cut short": Post(lambda: npy(draw(7))[:200], NPY),
    "npy of NaN": Post(lambda: npy(np.full((28, 28), np.nan)), NPY),
    "npy of infinity": Post(lambda: npy(np.full((28, 28), np.inf)), NPY),
    "npz bomb": Post(npz_bomb, NPY),
    "JSON 100,000 deep": Post(lambda: b'{"image":' + b"[" * 100_000, JSON),
    "JSON 100,000 deep and closed": Post(lambda: b'{"image":' + b"[" * 100_000 + b"]" * 100_000 + b"}", JSON),
    "JSON of objects 50,000 deep": Post(lambda: b'{"a":' * 50_000 + b"1" + b"}" * 50_000, JSON),
    "JSON of 8 million numbers": Post(lambda: b'{"image":[[' + b"0," * 8_000_000 + b"0]]}", JSON),
    "JSON of a million images": Post(lambda: b'{"images":[' + b"[]," * 260_000 + b"[]]}", JSON),
    "JSON of NaN": Post(lambda: numbers("NaN"), JSON),
    "JSON of Infinity": Post(lambda: numbers("Infinity", "-Infinity"), JSON),
    "JSON of 1e999": Post(lambda: numbers("1e999"), JSON),
    "JSON of a whole number of 100,000 digits": Post(lambda: numbers("9" * 100_000), JSON),
    "JSON of 2^64": Post(lambda: numbers(str(2**64)), JSON),
    "JSON with a lone surrogate": Post(lambda: b'{"image":"\\ud800"}', JSON),
    "JSON that is not UTF-8": Post(lambda: b'{"image":"\xff\xfe"}', JSON),
    "JSON of null bytes": Post(lambda: b'{"image":"\0\0"}', JSON),
    "base64 of nothing much": Post(lambda: b'{"image":"' + b"A" * 5_000_000 + b'"}', JSON),
    "a file of this machine": Post(lambda: b'{"image":"file:///etc/passwd"}', JSON),
    "an address to fetch": Post(lambda: b'{"image":"http://169.254.169.254/latest/meta-data"}', JSON),
    "10,000 parts": Post(lambda: parts(10_000), FORM),
    "10,000 options": Post(lambda: parts(10_000, b"scale"), FORM),
    "no boundary": Post(lambda: parts(1), "multipart/form-data"),
    "another boundary": Post(lambda: parts(1), "multipart/form-data; boundary=c"),
    "a part that never ends": Post(lambda: parts(1)[:-9], FORM),
    "a part with a head of 1 MB": Post(lambda: b"--b\r\nContent-Disposition: " + b"a" * 1_000_000, FORM),
    "a kernel of 2,000 x 2,000": Post(
        lambda: json.dumps({"image": [[0] * 9] * 9, "filters": [{"weights": [[1] * 500] * 500}]}).encode(), JSON, APPLY
    ),
    "a Gaussian of 10^9": Post(
        lambda: SEVEN, PNG, APPLY + "?filters=[{%22preset%22:%22gaussian%22,%22size%22:1000000001}]"
    ),
    "10,000 filters": Post(
        lambda: json.dumps({"image": [[0] * 9] * 9, "filters": [{"preset": "box"}] * 10_000}).encode(), JSON, APPLY
    ),
    "a kernel of NaN": Post(lambda: SEVEN, PNG, APPLY + "?filters=[{%22weights%22:[[NaN]]}]"),
    "a padding of 10^12": Post(lambda: SEVEN, PNG, APPLY + "?filters=[{%22preset%22:%22box%22}]&padding=1000000000000"),
    "a stride of nothing": Post(lambda: SEVEN, PNG, APPLY + "?filters=[{%22preset%22:%22box%22}]&stride=0"),
    "a query of 50,000 options": Post(lambda: SEVEN, PNG, CLASSIFY + "?" + "a=1&" * 10_000),
    "a model outside the folder": Post(lambda: SEVEN, PNG, CLASSIFY + "?model=../../../../etc/passwd"),
    "a tensor of a huge shape": Post(lambda: tensor("[1,1,4611686018427387904,4]"), JSON, INFER),
    "a tensor of an infinite shape": Post(lambda: tensor("[1,1,1e999,28]"), JSON, INFER),
    "a tensor of negative shape": Post(lambda: tensor("[1,1,-28,-28]"), JSON, INFER),
    "a tensor of NaN": Post(lambda: tensor("[1,1,28,28]", "[" + ",".join(["NaN"] * 784) + "]"), JSON, INFER),
    "a tensor 100,000 deep": Post(lambda: tensor("[1,1,28,28]", "[" * 100_000 + "]" * 100_000), JSON, INFER),
    "a tensor of an unknown type": Post(lambda: tensor("[1,1,28,28]", datatype="BYTES\\u0000"), JSON, INFER),
    "a length of JSON beyond the body": Post(
        lambda: b"{}", TYPELESS, INFER, {"Inference-Header-Content-Length": "999999999999"}
    ),
    "a negative length of JSON": Post(lambda: b"{}", TYPELESS, INFER, {"Inference-Header-Content-Length": "-1"}),
    "gzip bomb": Post(lambda: gzip.compress(bytes(2**28)), JSON, INFER, {"Content-Encoding": "gzip"}),
    "deflate bomb": Post(lambda: zlib.compress(bytes(2**28)), JSON, INFER, {"Content-Encoding": "deflate"}),
    "gzip cut short": Post(lambda: gzip.compress(b"{}" * 999)[:20], JSON, INFER, {"Content-Encoding": "gzip"}),
    "gzip twice": Post(lambda: gzip.compress(b"{}"), JSON, INFER, {"Content-Encoding": "gzip, gzip"}),
    "gzip bomb of a picture": Post(lambda: gzip.compress(bytes(2**28)), PNG, CLASSIFY, {"Content-Encoding": "gzip"}),
    "gzip bomb in three": Post(
        lambda: gzip.compress(gzip.compress(gzip.compress(bytes(2**28), 9), 9), 9), PNG, CLASSIFY,
        {"Content-Encoding": "gzip, gzip, gzip"},
    ),
    "hundreds of codings": Post(lambda: b"x", PNG, CLASSIFY, {"Content-Encoding": "gzip," * 380}),
    "gzip of base64 without end": Post(
        lambda: gzip.compress(b"A" * 2**25), "text/plain", CLASSIFY, {"Content-Encoding": "gzip"}
    ),
    "a form of escapes": Post(lambda: b"image=" + b"%41" * 10_000_000, URLENCODED),
    "a form of percent signs": Post(lambda: b"image=" + b"%" * 10_000_000, URLENCODED),
    "a form of spaces": Post(lambda: b"image=" + b"+" * 30_000_000, URLENCODED),
    "a form of millions of fields": Post(lambda: b"image=a" + b"&" * 30_000_000, URLENCODED),
    "a form with a list without end": Post(lambda: b"layers=" + b"[" * 1_000_000 + b"&image=a", URLENCODED),
    "a data: URL that is all head": Post(lambda: b"data:" + b"a" * 30_000_000, "text/plain"),
    "JSON in UTF-16 without end": Post(lambda: b"\xff\xfe" + b"[\0" * 10_000_000, JSON),
    "JSON within JSON": Post(lambda: json.dumps({"image": "[" * 1_000_000}).encode(), JSON),
    "rows of numbers in 200 parts": Post(
        lambda: (b'--b\r\nContent-Disposition: form-data; name="image"\r\n\r\n[[' + b"0.5," * 70_000 + b"0]]\r\n") * 200
        + b"--b--\r\n", FORM,
    ),
    "flattened rows within lists": Post(
        lambda: json.dumps({"image": [[[[[[[[1]]]]]]]] * 784, "flattened": True}).encode(), JSON
    ),
    "an unknown coding": Post(lambda: b"{}", JSON, INFER, {"Content-Encoding": "x" * 1000}),
}  # fmt: skip

POSTS = PICTURES | NUMBERS

# --- bytes on a socket ------------------------------------------------------------------------------------------------

HEAD = b"POST /v1/classify HTTP/1.1\r\nHost: x\r\nContent-Type: image/png\r\n"
WHOLE = HEAD + b"Content-Length: %d\r\n\r\n" % len(SEVEN) + SEVEN
GET = b"GET /healthz HTTP/1.1\r\nHost: x\r\n"
CHUNKED = HEAD + b"Transfer-Encoding: chunked\r\n\r\n"
LENGTH = b"Content-Length: %d\r\n" % len(SEVEN)
ONE_CHUNK = b"%x\r\n" % len(SEVEN) + SEVEN + b"\r\n"

# Each must be answered by a 4xx, or by nothing, and the connection ended.
REFUSED = {
    "nonsense": b"nonsense\r\n\r\n",
    "binary nonsense": bytes(range(256)) * 4,
    "TLS hello": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(range(256)) * 2,
    "HTTP/2 preface": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\4\0\0\0\0\0",
    "HTTP/9.9": b"GET /healthz HTTP/9.9\r\nHost: x\r\n\r\n",
    "an unknown method": b"BREW /healthz HTTP/1.1\r\nHost: x\r\n\r\n",
    "a method of 70,000 letters": b"A" * 70_000 + b" / HTTP/1.1\r\n\r\n",
    "a target of 70,000 letters": b"GET /" + b"a" * 70_000 + b" HTTP/1.1\r\nHost: x\r\n\r\n",
    "a target of null bytes": b"GET /\0\0 HTTP/1.1\r\nHost: x\r\n\r\n",
    "a target with a space": b"GET /health z HTTP/1.1\r\nHost: x\r\n\r\n",
    "a target that climbs": b"GET /../../../etc/passwd HTTP/1.1\r\nHost: x\r\n\r\n",
    "a target that climbs in percent signs": b"GET /%2e%2e/%2e%2e/etc/passwd HTTP/1.1\r\nHost: x\r\n\r\n",
    "bad percent signs": b"GET /%zz%/%u1234 HTTP/1.1\r\nHost: x\r\n\r\n",
    "overlong UTF-8": b"GET /%c0%ae%c0%ae/%ff%fe HTTP/1.1\r\nHost: x\r\n\r\n",
    "CONNECT": b"CONNECT example.org:443 HTTP/1.1\r\nHost: x\r\n\r\n",
    "an absolute target elsewhere": b"GET http://169.254.169.254/latest HTTP/1.1\r\nHost: x\r\n\r\n",
    "a header of 400,000 letters": GET + b"A: " + b"a" * 400_000 + b"\r\n\r\n",
    "5,000 headers": GET + b"".join(b"A%d: b\r\n" % i for i in range(5000)) + b"\r\n",
    "a header without a colon": GET + b"A b\r\n\r\n",
    "a header without a name": GET + b": b\r\n\r\n",
    "a space before the colon": GET + b"Content-Length : 5\r\n\r\nhello",
    "a null byte in a header": GET + b"A: b\0c\r\n\r\n",
    "a lone CR in a header": GET + b"A: b\rC: d\r\n\r\n",
    "a folded header": GET + b"A: b\r\n folded\r\n\r\n",
    "a folded length": HEAD + b"Content-Length:\r\n 5\r\n\r\nhello",
    "two lengths": HEAD + LENGTH + b"Content-Length: 3\r\n\r\n" + SEVEN,
    "two lengths in one": HEAD + b"Content-Length: 5, 6\r\n\r\nhello",
    "a negative length": HEAD + b"Content-Length: -5\r\n\r\nhello",
    "a signed length": HEAD + b"Content-Length: +5\r\n\r\nhello",
    "a hexadecimal length": HEAD + b"Content-Length: 0x5\r\n\r\nhello",
    "an empty length": HEAD + b"Content-Length:\r\n\r\nhello",
    "a length of 10^30": HEAD + b"Content-Length: 1" + b"0" * 30 + b"\r\n\r\nhello",
    "a length of 2^64 + 5": HEAD + b"Content-Length: 18446744073709551621\r\n\r\nhello",
    "a length of 10 GB": HEAD + b"Content-Length: 10000000000\r\n\r\nhello",
    "a length too short": HEAD + b"Content-Length: 40\r\n\r\n" + SEVEN,
    "chunks and a length": HEAD + LENGTH + b"Transfer-Encoding: chunked\r\n\r\n" + SEVEN,
    "chunks and a length, the other way round": HEAD + b"Transfer-Encoding: chunked\r\n" + LENGTH + b"\r\n" + ONE_CHUNK,
    "an unknown transfer coding": HEAD + b"Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
    "gzip after chunks": HEAD + b"Transfer-Encoding: chunked, gzip\r\n\r\n0\r\n\r\n",
    "chunks that are not quite": HEAD + b"Transfer-Encoding:\x0bchunked\r\n\r\n0\r\n\r\n",
    "chunks, and identity": HEAD + b"Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n0\r\n\r\n",
    "a chunk of a bad size": CHUNKED + b"xyz\r\nhello\r\n0\r\n\r\n",
    "a chunk of a negative size": CHUNKED + b"-5\r\nhello\r\n0\r\n\r\n",
    "a chunk of 2^64 + 5": CHUNKED + b"10000000000000005\r\nhello\r\n0\r\n\r\n",
    "a chunk of 2^60": CHUNKED + b"fffffffffffffff\r\nhello",
    "a chunk longer than its size": CHUNKED + b"2\r\nhello\r\n0\r\n\r\n",
    "a chunk without a size": CHUNKED + b"\r\nhello\r\n0\r\n\r\n",
    "an extension of 200,000 letters": CHUNKED + b"5;" + b"a" * 200_000 + b"\r\nhello\r\n0\r\n\r\n",
    "endless chunks of one byte with extensions": CHUNKED + (b"1;" + b"e" * 70_000 + b"\r\nx\r\n") * 4 + b"0\r\n\r\n",
    "trailers of 200,000 letters": CHUNKED + b"5\r\nhello\r\n0\r\n" + b"A: b\r\n" * 33_000 + b"\r\n",
    "a length as a trailer": CHUNKED + b"5\r\nhello\r\n0\r\nContent-Length: 1\r\n\r\n",
    "bare line feeds in chunks": CHUNKED + b"5\nhello\n0\n\n",
    "an expectation that cannot be met": HEAD + b"Expect: 200-ok\r\nContent-Length: 5\r\n\r\nhello",
    "a Host with a null byte": b"GET /healthz HTTP/1.1\r\nHost: x\0y\r\n\r\n",
}  # fmt: skip

# Each is odd, and HTTP allows it: the last answer must be the one that the same request has when it is plain.
ALLOWED = {
    "an absolute target": (b"GET http://x/healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", 1),
    "HTTP/0.9": (b"GET /healthz\r\n\r\n", 1),
    "blank lines before": (b"\r\n\r\n" + GET + b"Connection: close\r\n\r\n", 1),
    "an upgrade to HTTP/2": (GET + b"Connection: Upgrade, HTTP2-Settings, close\r\nUpgrade: h2c\r\n\r\n", 1),
    "50 requests at once": (WHOLE * 49 + WHOLE.replace(b"Host: x", b"Host: x\r\nConnection: close"), 50),
    "extensions and trailers": (
        CHUNKED.replace(b"Host: x", b"Host: x\r\nConnection: close")
        + b"%x;a=b\r\n" % len(SEVEN) + SEVEN + b"\r\n0\r\nA: b\r\n\r\n", 1,
    ),
    "leading zeros in a length": (
        HEAD + b"Connection: close\r\nContent-Length: %020d\r\n\r\n" % len(SEVEN) + SEVEN, 1,
    ),
    "two equal requests, a GET with a body first": (
        GET + b"Content-Length: 5\r\n\r\nhello" + GET + b"Connection: close\r\n\r\n", 2,
    ),
}  # fmt: skip
