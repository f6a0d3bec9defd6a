"""
The units of the price list, each measured on this machine beside the one declared; and random requests beside theirs.

    python -m tests.benchmarks.prices 1000    fails where a request's CPU is not 0.2 to 1.5 times its price
"""

import base64
import gzip
import io
import random
import sys
import time
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import orjson
from PIL import Image

from service.api.http.bodies import unescaped
from service.api.http.codings import inflate
from service.api.http.texts import read_text
from service.app import create_app
from service.core.convolution import geometry, pool
from service.core.digit import prepare
from service.core.inputs import fitted
from service.lab import cards, prices
from service.lab.picture import Picture
from service.memory import give_back_large_blocks
from service.network.bank import correlate_bank
from service.network.passport import Input
from service.network.sessions import Network
from service.pictures import codec
from service.settings import SHIPPED_MODELS, Limits, Settings
from tests.benchmarks.table import Row, pick, spread
from tests.hostile import dearest, peaks

ROUNDS = pick(5, 2)
SIDE = 1000
MACHINE_UNITS = 4400.0
LEAST, MOST = 0.2, 1.5  # what a request's CPU may be of its price


def least_units(call: Callable[[], Any]) -> float:
    """Return the least CPU of one call, in microseconds."""
    call()
    least = float("inf")
    for _ in range(ROUNDS):
        since = time.thread_time()
        call()
        least = min(least, time.thread_time() - since)
    return least * 1e6


def files() -> Iterator[tuple[str, bytes, codec.PictureFile]]:
    """Yield a picture of noise in every format."""
    noise = Image.fromarray(np.random.default_rng(0).integers(0, 256, (SIDE, SIDE, 3), dtype=np.uint8))
    for name, kind, how in (
        ("PNG", "PNG", {}),
        ("JPEG", "JPEG", {"quality": 90}),
        ("JPEG in scans", "JPEG", {"quality": 90, "progressive": True}),
        ("WEBP", "WEBP", {"quality": 80}),
        ("WEBP lossless", "WEBP", {"lossless": True}),
        ("GIF", "GIF", {}),
        ("BMP", "BMP", {}),
        ("AVIF", "AVIF", {"quality": 90, "speed": 9}),
        ("TIFF", "TIFF", {"compression": "tiff_lzw"}),
        ("TIFF in JPEG", "TIFF", {"compression": "jpeg"}),
    ):
        out = io.BytesIO()
        noise.save(out, kind, **how)
        yield name, out.getvalue(), codec.open_file(out.getvalue(), SIDE * SIDE)


def dear_files() -> Iterator[tuple[str, bytes, codec.PictureFile]]:
    """Yield what costs more than others of its kind: transparent colours, and photographs without their end."""
    noise = np.random.default_rng(0).integers(0, 256, (SIDE, SIDE, 3), dtype=np.uint8)
    out = io.BytesIO()
    Image.fromarray(noise).save(out, "JPEG", quality=90, progressive=True)
    deep = peaks.png(np.full((SIDE, SIDE, 3), 1000, np.uint16), (1, 2, 3))
    for name, data in (
        ("PNG with a transparent colour", peaks.png(noise, (1, 2, 3))),
        ("PNG of 16 bits with a transparent colour", deep),
        ("JPEG in scans without its end", out.getvalue()[:-2]),
    ):
        yield name, data, codec.open_file(data, SIDE * SIDE)


def measures() -> Iterator[tuple[str, float, float]]:
    """Yield what is priced, its price, and what it costs."""
    generator = np.random.default_rng(0)
    for name, data, file in (*files(), *dear_files()):
        declared = prices.decoding(file.kind, file.pixels, len(data), file.scans)
        yield f"decode {name}", declared, least_units(lambda data=data: codec.decode(data, max_pixels=SIDE * SIDE))
    escaped = b"%41" * 10**5
    each = prices.ESCAPE_SOUGHT + prices.ESCAPE
    yield "100,000 escapes of a form", each * 10**5, least_units(lambda: unescaped(escaped))
    text = base64.b64encode(b"\x89PNG\r\n\x1a\n" + generator.bytes(3 * 10**6))
    yield "4 MB of base64", len(text) * prices.TEXT_BYTE, least_units(lambda: read_text(text, Limits()))
    packed = gzip.compress(bytes(10**7))
    yield "10 MB of gzip", 10**7 * prices.UNPACKED_BYTE, least_units(lambda: inflate(packed, "gzip", 10**7))
    for side in (28, 64, 256, 1024):
        noise = generator.integers(0, 256, (side, side), dtype=np.uint8)
        yield f"prepare noise of {side}", prices.preparing(noise), least_units(lambda noise=noise: prepare(noise))
    for side in (28, 64, 256):
        down, across = np.mgrid[:side, :side]
        solid = np.where(np.hypot(down - side / 2, across - side / 2) < side / 4, 0, 255).astype(np.uint8)
        with prices.opened(prices.Account(Limits())) as account:
            Picture(solid).prepared()
        found = least_units(lambda solid=solid: Picture(solid).prepared())
        yield f"prepare a round of {side}", account.steps["prepare"], found
    for side, asked in ((64, 32), (64, 224), (1000, 224)):
        noise, reads = generator.integers(0, 256, (side, side, 3), dtype=np.uint8), Input(shape=(3, asked, asked))
        with prices.opened(prices.Account(Limits(max_work_units=10**9))) as account:
            prices.charge_fitting(noise, reads)
        found = least_units(lambda noise=noise, reads=reads: fitted(noise, reads.shape, reads.fitting))
        yield f"bring a picture of {side} to {asked}", account.steps["prepare"], found
    for folder in sorted(SHIPPED_MODELS.glob("*/*")):
        network = Network(folder)
        images, maps = generator.random((32, 1, 28, 28), np.float32), list(network.passport.map_shapes())
        name = f"{network.name} on 32 pictures"
        yield f"run {name}", prices.running(network, 32), least_units(lambda n=network, i=images: n.classify(i))
        declared = prices.running(network, 32, with_maps=True)
        yield f"analyse {name}", declared, least_units(lambda n=network, i=images, m=maps: n.analyse(i, m))
    image, biases = generator.random((1, SIDE, SIDE), np.float32), np.zeros(8, np.float32)
    for rows in (3, 15):
        bank, places = generator.random((8, 1, rows, rows), np.float32), geometry((SIDE, SIDE), (rows, rows))
        declared = prices.BANK + places.multiply_adds * 8 * prices.MULTIPLY_ADD + SIDE * SIDE * 9 * prices.CELL
        found = least_units(lambda bank=bank, places=places: correlate_bank(image, bank, biases, places))
        yield f"8 kernels of {rows} x {rows}", declared, found
    for kind in ("max", "avg"):
        declared = prices.pooling(kind, SIDE * SIDE, (9, 9), (1, 1))
        yield f"pool 9 x 9 {kind}", declared, least_units(lambda kind=kind: pool(image, kind, 9, 1))
    numbers = generator.random(10**6).astype(np.float32)
    found = least_units(lambda: orjson.dumps(numbers, option=orjson.OPT_SERIALIZE_NUMPY))
    yield "a million numbers as JSON", 10**6 * prices.JSON_NUMBER_OUT, found
    levels = generator.integers(0, 256, (SIDE, SIDE), dtype=np.uint8)
    yield (
        "a million cells drawn",
        prices.drawing(1, SIDE**2, SIDE**2, 1)[0],
        least_units(lambda: codec.encode_png(levels)),
    )


def unit_us() -> float:
    """Return the microseconds of a unit on this machine now, by work that took MACHINE_UNITS once."""
    levels = np.random.default_rng(0).random(2**17)

    def work() -> None:
        np.sort(levels)
        orjson.dumps(levels, option=orjson.OPT_SERIALIZE_NUMPY)
        sum(number * number for number in range(2**16))

    return least_units(work) / MACHINE_UNITS


def requests(count: int, seed: int = 0) -> Iterator[tuple[float, float, tuple[Any, ...]]]:
    """Yield the price, the CPU in microseconds, and what was asked, of so many random requests that are accepted."""
    give_back_large_blocks()  # as a worker does
    app = create_app(Settings())
    with app.app_context():
        while count:
            chance = random.Random(seed := seed + 1)
            call = chance.choice(list(dearest.CALLS))
            asked = call, dearest.members_of(dearest.CALLS[call], chance), dearest.picture_of(chance)
            taken = []
            for _ in range(3):
                cards._card.cache_clear()  # a card is priced as if it were new
                status, account, cpu = dearest.asked(app, *asked)
                taken.append(cpu)
                if status != 200 or cpu > 300_000:
                    break
            if status == 200:
                count -= 1
                yield account.work, min(taken), asked


def rows() -> Iterator[Row]:
    """Yield a row for each unit, then one for random requests."""
    for what, declared, found in measures():
        yield Row(f"price: {what}", f"{found:.0f} us", f"{declared:.0f} units", f"{found / declared:.2f}", "0.2 to 1.5")
    unit = unit_us()
    found = [cpu / work / unit for work, cpu, _ in requests(pick(1000, 100))]
    inside = sum(LEAST <= ratio <= MOST for ratio in found) / len(found)
    what = f"{len(found)} random requests that are accepted, a unit being {unit:.2f} us now"
    yield Row(what, f"{inside:.1%} inside", "their prices", spread(found), f"{LEAST} to {MOST}")


def main(count: int) -> bool:
    """Print the requests whose prices are not true; whether they are more than one in fifty, or one is too dear."""
    before = unit_us()
    found = list(requests(count))
    unit = (before + unit_us()) / 2
    told = [(cpu / work / unit, cpu, work, asked) for work, cpu, asked in found]
    wrong = sorted((each for each in told if not LEAST <= each[0] <= MOST), key=lambda each: each[0])
    for ratio, cpu, work, asked in wrong:
        print(f"{ratio:.2f}: {cpu:.0f} us, {work:.0f} units: {str(asked)[:400]}")
    dearest_us = max(cpu for _, cpu, _ in found)
    print(f"{count - len(wrong)} of {count} inside, a unit is {unit:.2f} us now, the dearest took {dearest_us:.0f} us")
    return len(wrong) > count / 50 or dearest_us > Settings().max_work_units * unit


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1])))
