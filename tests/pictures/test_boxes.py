"""AVIF and HEIC: what their data claims is counted, whatever their boxes say."""

import base64
import io
import os
import struct
import sys
from contextlib import suppress

import numpy as np
import pytest
from PIL import Image

from service.core.errors import ServiceError, TooLarge, Unreadable
from service.pictures import boxes, codec
from service.pictures.header import MAX_PARTS
from tests.drawing import draw, encode

TIMES = 30 if os.environ.get("FILTERSCOPE_PROOF") else 1
PIXELS = 4_194_304
SMALL = encode(draw(3, 28), "AVIF")
LARGE = encode(np.zeros((2000, 2000), np.uint8), "AVIF", speed=10)


def with_size(data, width, height):
    """The same with another size in its boxes."""
    place = data.index(b"ispe")
    return data[: place + 8] + struct.pack(">II", width, height) + data[place + 16 :]


def with_item(data, content):
    """The same with other bytes as its first item: at the end, where its iloc is made to point."""
    place = data.index(b"iloc") + 4
    begin = data.index(b"mdat") + 4
    at = data.index(struct.pack(">I", begin), place)
    return data[:at] + struct.pack(">II", len(data), len(content)) + data[at + 8 :] + content


def item_of(data):
    return data[data.index(b"mdat") + 4 :]


def test_an_avif_that_says_less_in_its_boxes_than_in_its_data_is_refused():
    assert codec.open_file(LARGE, PIXELS).pixels == 4_000_000
    with pytest.raises(TooLarge, match=r"an AVIF of 28 x 28 may have \d+ pixels, these have 4000000|of a AVIF"):
        codec.open_file(with_size(LARGE, 28, 28), PIXELS)


def test_frames_that_are_decoded_and_never_shown_are_counted():
    item = item_of(SMALL)
    assert codec.decode(with_item(SMALL, item), max_pixels=PIXELS).shape == (28, 28)
    with pytest.raises(Unreadable, match=r"4 frames .* has 100"):
        codec.open_file(with_item(SMALL, item * 100), PIXELS)


@pytest.mark.parametrize("count", [300, 60_000])
def test_items_are_counted(count):
    place = SMALL.index(b"iinf")
    with pytest.raises(Unreadable, match=f"256 items, this has {count}"):
        codec.open_file(SMALL[: place + 8] + struct.pack(">H", count) + SMALL[place + 10 :], PIXELS)


def test_boxes_are_counted_and_may_lie_in_each_other_without_end():
    many = SMALL + struct.pack(">I4s", 8, b"free") * 20_000
    with pytest.raises(Unreadable, match="10000 parts"):
        codec.open_file(many, PIXELS)
    nested = b""
    for _ in range(3000):
        nested = struct.pack(">I4s", len(nested) + 8, b"ipco") + nested
    assert codec.open_file(SMALL + nested, PIXELS).pixels == 784


def box(kind, content):
    return struct.pack(">I4s", len(content) + 8, kind) + content


def of_items(random, brand, kind):
    """A file of many items, whose lists come as one box or many, that lie over each other or do not."""
    begin = box(b"ftyp", brand + bytes(4) + brand)
    unit = {b"av01": b"\x12\0", b"hvc1": bytes(4)}[kind]
    data = unit * int(random.choice([10, 9000]))
    count, declared = int(random.choice([1, 50, 200, 1000])), int(random.choice([1, 50]))
    entries = [box(b"infe", struct.pack(">IHH4sB", 2 << 24, index, 0, kind, 0)) for index in range(count)]
    items = box(b"iinf", bytes(4) + struct.pack(">H", declared) + b"".join(entries))
    step = len(data) // count if random.integers(2) else 0
    places = [
        struct.pack(">HHHII", index, 0, 1, len(begin) + 8 + index * step, step or len(data)) for index in range(count)
    ]
    each = int(random.choice([1, 100]))
    lists = [
        box(b"iloc", struct.pack(">IBBH", 0, 0x44, 0, len(places[at : at + each])) + b"".join(places[at : at + each]))
        for at in range(0, count, each)
    ]
    sets = box(b"hvcC", bytes(22) + b"\1" + struct.pack(">BH", 0, 256) + struct.pack(">HH", 2, 0) * 256)
    shared = box(
        b"iprp", box(b"ipco", box(b"ispe", struct.pack(">III", 0, 28, 28)) + sets * int(random.choice([1, 90])))
    )
    return begin + box(b"mdat", data) + box(b"meta", bytes(4) + items + b"".join(lists) + shared)


def steps_of(function, *args):
    """How many calls a function makes, of Python's functions and of C's; its refusal is no matter."""
    steps = 0

    def count(_frame, event, _arg):
        nonlocal steps
        steps += event in {"call", "c_call"}

    sys.setprofile(count)
    try:
        with suppress(ServiceError):
            function(*args)
    finally:
        sys.setprofile(None)
    return steps


@pytest.mark.parametrize(("brand", "kind"), [(b"avif", b"av01"), (b"heic", b"hvc1")])
def test_items_are_read_in_few_steps_however_they_lie_over_each_other(brand, kind):
    for seed in range(30 * TIMES):
        data = of_items(np.random.default_rng(seed), brand, kind)
        assert steps_of(boxes.read, data, {b"avif": "AVIF", b"heic": "HEIC"}[brand]) < 25 * MAX_PARTS, seed


@pytest.mark.parametrize("mode", ["L", "RGB"])
@pytest.mark.parametrize(("width", "height"), [(1, 1), (16, 16), (33, 65), (640, 3), (1000, 777)])
def test_the_size_in_the_data_is_found(mode, width, height):
    out = io.BytesIO()
    Image.new(mode, (width, height), 7).save(out, "AVIF", speed=10)
    data = out.getvalue()
    item = item_of(data)
    file = boxes._File()
    assert boxes._claimed_of_units(item, file) == width * height
    assert file.held == (boxes.HELD_GREY if mode == "L" else boxes.HELD_PLAIN)


def test_of_an_animated_avif_the_still_picture_is_read():
    out = io.BytesIO()
    frames = [Image.fromarray(draw(digit, 60)) for digit in (3, 7, 4)]
    frames[0].save(out, "AVIF", save_all=True, append_images=frames[1:], quality=95)
    first = codec.decode(out.getvalue(), max_pixels=PIXELS)
    grey = first if first.ndim == 2 else first[:, :, 0]
    assert np.abs(grey.astype(int) - draw(3, 60)).max() < 60


def test_any_damage_to_an_avif_is_an_answer():
    for seed in range(300 * TIMES):
        random = np.random.default_rng(seed)
        data = bytearray(SMALL)
        for _ in range(int(random.integers(1, 5))):
            data[random.integers(len(data))] = random.integers(256)
        if seed % 5 == 0:
            del data[random.integers(20, len(data)) :]
        try:
            pixels = codec.decode(bytes(data), max_pixels=20_000)
        except ServiceError:
            continue
        assert 0 < pixels.shape[0] * pixels.shape[1] <= 20_000


# A three of 48 x 48, as a telephone would write it.
HEIC_THREE = base64.b64decode(
    "AAAAHGZ0eXBoZWl4AAAAAG1pZjFoZWl4bWlhZgAAAXVtZXRhAAAAAAAAACFoZGxyAAAAAAAAAABwaWN0AAAAAAAAAAAAAAAAAAAAACJpbG9jAAAA"
    "AERAAAEAAQAAAAABmQABAAAAAAAAA4wAAAAjaWluZgAAAAAAAQAAABVpbmZlAgAAAAABAABodmMxAAAAAA5waXRtAAAAAAABAAAA9WlwcnAAAADV"
    "aXBjbwAAAHBodmNDAQQIAAAAn/gAAAAAHvAA/Pz4+AAADwNgAAEAF0ABDAH//wQIAAADAJ/4AAADAAAeugJAYQABACVCAQEECAAAAwCf+AAAAwAA"
    "HsCCBBZbq5Ka5sCAAAAMgAAAAwCEYgABAAZEAcFzwIkAAAATY29scm5jbHgAAQANAAaAAAAAFGlzcGUAAAAAAAAAQAAAAEAAAAAoY2xhcAAAADAA"
    "AAABAAAAMAAAAAH////wAAAAAv////AAAAACAAAADnBpeGkAAAAAAQgAAAAYaXBtYQAAAAAAAAABAAEFgQIDBYQAAAOUbWRhdAAAA4goAa4McPDR"
    "3vdfwo7JZvhB6DxjAh/beN7vXSSbsap3+UyXTGzOq2EW6DcpmNUbZ3sICZgGLQPSsVwInuRDTcKNhUsDFuloLWDe2hASnO544n5D30nCfyLyMK+Z"
    "f3oMDwPNDbWhyDJyiOzWWqhkywp6gl2Yrg0sYuxaQqL+/sViraqGe5S/fIZb7CyWwiHav4QLwGunoavMqDIcz/L5GmrWhDExOt6BvxU0VYU4sGWv"
    "RxHYSXWV8u/soEQMUtixHdA61Us8tuE78Gvlc+3vViCQjB/TiVhqs1oVzaT/NkqKWfO+GHsioCxH5eGF0TkXvysNzR7afbL4J3Hrrj+iJtfsd0bk"
    "2afJOjHPi5rbXb5EMrGGXKttLvxEgrwU+ao3a4YPmwennU94xNtBAxYHYgvqP/kDQUqIL5j+T4NcgFypER4OypHVhEUpuL+/6xjr4P3lJMw4cQum"
    "b2oLUgeM7ZfeKTrv5GOiCb8+RGGhFmvvSsfNieKtkNHpNzPdp0ytqczubJPt4CrpCHEwJGLUmjZk3p9s7e/d5Vd/ONAGCEL1t2sYa4QLaqEFALqc"
    "39ejVFj+2yXLMeaFBigZF60aYIArRB75v6RS1MIJz0A7kRlx4kbsCWutvfDLpLfZxyqYg6QUa/6k2xiDkxC/+oQIB7Zbklrijy+7nZBupT9JIym8"
    "OvQCwrjgPiNua5WOF279peQxwUM7pCFTOeExIjCMm/cDyDNCOP3aZy1JlooWpVK8df9E09m24n44yPjq6QiRjgvjKYk+WGiQOEq7mpiWtJXCcaC5"
    "8Jkb1YnCtfy/RhMdyWZhxv30IimVSJpbfgf8vVs8yVawmhzNnAk+h500ztbbc2cOq805eL5laeOw7Ti+5Pw1oetOZv43vnrAnxnMk619xpGeng0Y"
    "vbskw7+PjxPQCVCJ6Y2CgDPYVl45wliO1UDtAQf/uNc23jBm+0j7vC9V6Ibr0jl/lK9qiVTq8xSmt/1LqxerTKHHKmlYl3PE7xuf6Qimr2CpsRMp"
    "ajXvCuoe/5u37he0XH0I+fyyWWgFPhsPFJvoxS+pyv47OchnLQrRL7ZZwdCEn8JKADUq34PxgAGAH0yYjqjAh2ecQrEjEi0JDi9DlEP2RqAkwuHK"
    "8iyQhmK/hL7H1Z7o2MgZ6L+8w8bSfVoOotNbSRCFpa/9XIAKQ4noT00OZGpsf0peHFb+NcPKI0Fo"
)


@pytest.fixture
def heic():
    if "HEIC" not in codec.READERS:
        pytest.skip("pi-heif is not installed: tests/requirements.txt has it")
    return HEIC_THREE


def test_a_heic_is_read(heic):
    pixels = codec.decode(heic, max_pixels=PIXELS)
    assert pixels.shape[:2] == (48, 48)
    grey = pixels if pixels.ndim == 2 else pixels[:, :, 0]
    assert np.abs(grey.astype(int) - draw(3, 48)).mean() < 6


def test_a_heic_of_more_frames_or_another_size_is_refused(heic):
    place = heic.index(b"mdat") + 4
    unit = heic[place:]
    assert codec.open_file(heic, PIXELS).kind == "HEIC"
    with pytest.raises(Unreadable, match="4 frames"):
        boxes._check_units(unit * 9, boxes._File())
    with pytest.raises(TooLarge, match="may have 100 pixels"):
        codec.open_file(heic, 100)


def test_any_damage_to_a_heic_is_an_answer(heic):
    for seed in range(100 * TIMES):
        random = np.random.default_rng(seed)
        data = bytearray(heic)
        for _ in range(int(random.integers(1, 5))):
            data[random.integers(12, len(data))] = random.integers(256)
        try:
            codec.decode(bytes(data), max_pixels=20_000)
        except ServiceError:
            continue
