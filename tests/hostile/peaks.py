"""
The most memory that one accepted request takes beside its body and its answer, measured: the dearest ever found.

    python -m tests.hostile.peaks [NAME...]      prints a line for each: its status, MiB at its peak, of its answer,
                                                 and charged; units of work; and for how many ms it held the
                                                 interpreter at a stretch, so that no probe was answered

Each is asked of the application itself, in a process that has answered every form of body before.
"""

import base64
import io
import json
import struct
import sys
import threading
import time
import zlib
from pathlib import Path

import numpy as np
from PIL import Image

from service.api.http.codings import BODY
from service.app import create_app
from service.door.coding import size_of
from service.door.wsgi import answer_of
from service.lab.prices import Account
from service.memory import give_back_large_blocks, give_back_what_is_free
from service.settings import Settings
from tests.drawing import draw, encode

MIB = 2**20
CLEAR_REFS = Path("/proc/self/clear_refs")  # what is written there sets the peak of a process back
FORM, JSON, BYTES = "application/x-www-form-urlencoded", "application/json", "application/octet-stream"


def noise(*shape):
    return np.random.default_rng(20).integers(0, 256, shape, dtype=np.uint8)


def png(samples, clear=None):
    """A PNG of samples, (height, width[, 3]) uint8 or uint16, without filters; clear: the colour that is none."""
    height, width = samples.shape[:2]
    rows = samples.astype(samples.dtype.newbyteorder(">")).view(np.uint8).reshape(height, -1)
    packer = zlib.compressobj(1)
    packed = b"".join([*(packer.compress(b"\0" + row.tobytes()) for row in rows), packer.flush()])
    colour = 2 if samples.ndim == 3 else 0
    head = struct.pack(">IIBBBBB", width, height, 8 * samples.dtype.itemsize, colour, 0, 0, 0)
    chunks = [(b"IHDR", head), (b"IDAT", packed), (b"IEND", b"")]
    if clear is not None:
        chunks.insert(1, (b"tRNS", struct.pack(f">{len(clear)}H", *clear)))
    parts = [
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data)) for kind, data in chunks
    ]
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)


def drawn(height, width):
    """A large scan of a digit, grey."""
    page = np.full((height, width), 250, np.uint8)
    side = min(height, width) // 2
    page[side // 2 : side // 2 + side, side // 2 : side // 2 + side] = np.asarray(
        Image.fromarray(draw(3, 280)).resize((side, side))
    )
    return page


def deep(*channels):
    """A scan of 4 megapixels and 16 bits; every pixel of one of its rows is transparent."""
    page = drawn(2048, 2048).astype(np.uint16) * 257
    page[5] = 1234
    return page if not channels else np.repeat(page[:, :, None], 3, axis=2)


def saved(image, kind, **how):
    out = io.BytesIO()
    image.save(out, kind, **how)
    return out.getvalue()


def colour(height, width):
    return np.repeat(drawn(height, width)[:, :, None], 3, axis=2)


def spaced(data, every):
    """Base64 with a space after so many letters."""
    text = base64.b64encode(data)
    if every is None:  # as a form leaves it where a + was not escaped
        return text.replace(b"+", b" ")
    return b" ".join(text[start : start + every] for start in range(0, len(text), every))


def wide(length):
    """A picture file of so many bytes: what follows a PNG's end is not read."""
    return encode(draw(3), "PNG") + noise(length).tobytes()


def stripes(every):
    """A page of small squares beside aslant lines of one pixel, each of which lies in a box as large as the others'."""
    down, across = np.mgrid[:1600, :1600]
    squares = (down % 56 < 44) & (across % 56 < 38) & (across < 520)
    return np.uint8(255) * ~(squares | ((across >= 560) & ((down + across) % every == 0)))


# Of each: the call, the content type, and what makes the body.
CASES = {
    "png 16 rgb clear": ("/v1/classify", BYTES, lambda: png(deep(3), (1234,) * 3)),
    "png 16 rgb clear, filtered": (
        "/v1/patches?patch_size=63&stride=63&format=png", BYTES, lambda: png(deep(3), (1234,) * 3)
    ),
    "png 16 grey clear": ("/v1/classify", BYTES, lambda: png(deep(), (1234,))),
    "png 8 rgb clear": ("/v1/classify", BYTES, lambda: png(colour(2048, 2048), (250,) * 3)),
    "form %25": ("/v1/classify", FORM, lambda: b"image=" + b"%25" * 1_600_000),
    "form %41": ("/v1/classify", FORM, lambda: b"image=" + b"".join(b"%%%02X" % each for each in wide(1_200_000))),
    "form long": ("/v1/classify", FORM, lambda: b"image=" + base64.b64encode(wide(23_000_000)).replace(b"+", b"%2B")),
    "base64 lines of spaces": ("/v1/classify", "", lambda: spaced(wide(24_000_000), 76)),
    "base64 spaces for plus": ("/v1/classify", "", lambda: spaced(wide(24_000_000), None)),
    "base64 in json": (
        "/v1/classify", JSON, lambda: json.dumps({"image": spaced(wide(24_000_000), 76).decode()}).encode()
    ),
    "within another, blobs": ("/v1/read", BYTES, lambda: png(stripes(18))),
    "within another, more blobs": ("/v1/read", BYTES, lambda: png(stripes(6))),
    "lines that touch nothing": ("/v1/read", BYTES, lambda: png(np.uint8(255) * ~(np.mgrid[:1600, :1600][0] % 2 < 1))),
    "masks of many cells": ("/v1/explain?method=rise&masks=20000&cells=28", BYTES, lambda: encode(draw(3), "PNG")),
    "png 36 MP colour": ("/v1/classify", BYTES, lambda: png(colour(6000, 6000))),
    "png 36 MP 16 bits": ("/v1/classify", BYTES, lambda: png(colour(6000, 6000).astype(np.uint16) * 257)),
    "tiff 36 MP colour": (
        "/v1/classify", BYTES, lambda: saved(Image.fromarray(colour(6000, 6000)), "TIFF", compression="tiff_lzw")
    ),
    "png 36 MP colour, read": ("/v1/read", BYTES, lambda: png(colour(6000, 6000))),
    "webp 7.6 MP": ("/v1/classify", BYTES, lambda: saved(Image.fromarray(colour(2750, 2750)), "WEBP", method=0)),
    "avif 12 MP": ("/v1/classify", BYTES, lambda: saved(Image.fromarray(colour(3000, 4000)), "AVIF", speed=10)),
    "avif 36 MP grey": ("/v1/classify", BYTES, lambda: saved(Image.fromarray(drawn(6000, 6000)), "AVIF", speed=10)),
    "jpeg 50 MP in scans": (
        "/v1/classify", BYTES, lambda: saved(Image.fromarray(colour(7000, 7000)), "JPEG", progressive=True)
    ),
}  # fmt: skip


class Waiting(threading.Thread):
    """A thread that wants the interpreter again and again; longest: that it waited for it, in seconds of CPU."""

    def __init__(self):
        super().__init__(daemon=True)
        self._is_over, self.longest = threading.Event(), 0.0

    def run(self):
        before = time.process_time()
        while not self._is_over.wait(0.001):
            now = time.process_time()  # of this process alone, however many others the machine has
            self.longest, before = max(self.longest, now - before), now

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *error):
        self._is_over.set()
        self.join()


def memory(name):
    status = Path("/proc/self/status").read_text(encoding="ascii")
    return next(int(line.split()[1]) for line in status.splitlines() if line.startswith(name)) * 1024


def measured(app, call, kind, body):
    """(status, bytes at the peak beside body and answer, bytes of the answer, the account)."""
    path, _, query = call.partition("?")
    environ = {"REQUEST_METHOD": "POST", "PATH_INFO": path, "QUERY_STRING": query, BODY: body, "CONTENT_TYPE": kind}
    environ |= {"CONTENT_LENGTH": str(len(body)), "wsgi.input": io.BytesIO(b"")}
    environ |= {"wsgi.input_terminated": True, "wsgi.url_scheme": "http"}
    account = Account(app.limits)
    give_back_what_is_free()
    CLEAR_REFS.write_text("5", encoding="ascii")
    before = memory("VmRSS")
    answer = answer_of(app.respond(environ, account)[0])
    peak = memory("VmHWM") - before
    size = size_of(answer)
    return answer.status, peak - size, size, account


def main(names):
    give_back_large_blocks()
    app = create_app(Settings())
    small = encode(draw(3), "PNG")
    with app.app_context():
        for call, _, _ in CASES.values():
            measured(app, call, BYTES, small)
        for name in names or CASES:
            call, kind, make = CASES[name]
            body = make()
            with Waiting() as waiting:
                status, peak, length, account = measured(app, call, kind, body)
            found = (
                name,
                status,
                round(peak / MIB),
                round(length / MIB),
                round(account.held / MIB),
                round(account.work),
                round(1000 * waiting.longest),
            )
            print(json.dumps(found), flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
