"""
The dearest requests that are accepted, looked for: for every call, by mutation guided by what they cost.

    python -m tests.hostile.dearest [MINUTES]      looks, prints a table, and adds to dearest.json what took a second

Options come from the structs of the service, so a new one is searched without being named here; pictures are made of
noise, gradients, blank paper and drawings of many sizes and formats. What is looked for is the most CPU and the most
bytes, and the most of either beyond the price: a request that costs more than it was priced at.
"""

import io
import json
import random
import sys
import time
import tracemalloc
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple, Union, get_args, get_origin
from urllib.parse import quote

import msgspec
import numpy as np
from PIL import Image

from service.api.http.codings import BODY
from service.app import create_app
from service.core.convolution import ACTIVATIONS, NORMALISATIONS, PAD_MODES, PADDINGS, POOL_KINDS
from service.core.presets import PRESETS
from service.door.wsgi import answer_of
from service.lab import options
from service.lab.prices import Account
from service.memory import give_back_large_blocks
from service.settings import Settings
from tests.api import declared
from tests.drawing import draw, encode, npy

FILE = Path(__file__).parent / "dearest.json"
CALLS = {
    path.format(name="gabor" if path.startswith("/v1/filters") else "digits", layer="conv4", index=0): kind
    for path, kind in declared.CALLS.items()
    if kind is not options.NoOptions
}
# Words that a struct has only as text, and numbers that stand where a text or a number may.
WORDS = {
    "pad_mode": PAD_MODES,
    "normalize": NORMALISATIONS,
    "activation": ACTIVATIONS,
    "padding": (*PADDINGS, 0, 3, 40),
    "kind": POOL_KINDS,
    "preset": [preset.name for preset in PRESETS],
    "layer": ["conv1", "conv2", "conv3", "conv4", "pool1"],
    "model": ["digits", "lecture"],
    "name": [None],
    "version": [None],
}
SIZES = (1, 2, 3, 7, 9, 28, 63, 64, 400, 1000, 20_000)
SIDES = (1, 4, 28, 28, 63, 128, 280, 512, 1024, 2048)
FORMATS = ("PNG", "JPEG", "WEBP", "GIF", "BMP", "AVIF", "TIFF")


# Ink, from how far down, across, and from the middle a pixel is; what is beside others is of 16 pixels.
SHAPES = {
    "round": lambda down, across, away, side: away < 0.2 * side,
    "rounds": lambda down, across, away, side: np.hypot(down % 16 - 8, across % 16 - 8) < 6,
    "rings": lambda down, across, away, side: abs(np.hypot(down % 16 - 8, across % 16 - 8) - 5) < 1,
    "circles": lambda down, across, away, side: away % 9 < 1,
    "dots": lambda down, across, away, side: (down % 5 == 0) & (across % 5 == 0),
    "columns": lambda down, across, away, side: across % 3 < 1,
    "slants": lambda down, across, away, side: (down + across) % 3 < 1,
    "chevrons": lambda down, across, away, side: (down + abs(across - side // 2)) % 9 < 1,
    "marks and slants": lambda down, across, away, side: np.where(
        across < side // 3, (down % 56 < 44) & (across % 56 < 38), (down + across) % 18 < 1
    ),
}


class Found(NamedTuple):
    """One request, and what it was found to cost."""

    call: str
    members: dict[str, Any]
    picture: dict[str, Any]
    status: int
    work: float
    held: int
    cpu: float
    peak: int

    @property
    def score(self):
        return max(self.cpu / 2e6, self.peak / 400e6, min(self.cpu / max(self.work, 5000), 4) / 4)


# --- what may be asked ------------------------------------------------------------------------------------------------


def value_of(kind, name, chance):
    """A value that a type allows; a struct becomes a dictionary of some of its members."""
    origin = get_origin(kind)
    if name in MAKERS:
        value = MAKERS[name](chance)
    elif name in WORDS:
        value = chance.choice(list(WORDS[name]))
    elif origin is Literal:
        value = chance.choice(get_args(kind))
    elif origin is Annotated or origin in {Union, type(int | str)}:
        kinds = get_args(kind)[:1] if origin is Annotated else get_args(kind)
        value = value_of(chance.choice([each for each in kinds if each is not type(None)]), name, chance)
    elif origin in {tuple, list}:
        count = chance.choice([1, 1, 2, 4, 16, 64]) if origin is tuple else 2
        value = [value_of(get_args(kind)[0], name.rstrip("s"), chance) for _ in range(count)]
    elif isinstance(kind, type) and issubclass(kind, msgspec.Struct):
        value = members_of(kind, chance)
    else:
        value = {bool: chance.random() < 0.7, int: chance.choice(SIZES), float: round(chance.uniform(-2, 2), 2)}.get(
            kind
        )
    return value


def kernel(chance):
    rows, columns = chance.choice([1, 2, 3, 9, 63]), chance.choice([1, 3, 9, 63])
    return [[chance.randint(-3, 3) for _ in range(columns)] for _ in range(rows)]


def changes(chance):
    count = chance.choice([1, 9, 300])
    return [{"layer": f"conv{1 + index % 4}", "filter": index % 4, "action": "off"} for index in range(count)]


MAKERS = {"weights": kernel, "changes": changes}


def members_of(struct, chance, share=0.12):
    """Some members of a struct, and all that it must have."""
    found = {}
    for field in msgspec.structs.fields(struct):
        if field.required or chance.random() < share:
            found[field.encode_name] = value_of(field.type, field.encode_name, chance)
    if struct is options.Filter:  # it comes from one of three places
        found = {"weights": kernel(chance)} if chance.random() < 0.7 else {"preset": "gaussian", "size": 63}
    if struct is options.ApplyFiltersOptions and "stages" not in found:
        found.setdefault("filters", value_of(tuple[options.Filter, ...], "filters", chance))
    return {name: value for name, value in found.items() if value is not None}


def picture_of(chance):
    return {
        "side": chance.choice(SIDES),
        "other": chance.choice([1, 1, 0.5, 0.01]),
        "kind": chance.choice(["noise", "weak noise", "blocks", "spiral", "blank", "drawn", "rows", *SHAPES]),
        "channels": chance.choice([1, 1, 3, 4]),
        "form": chance.choice(["npy", "npy", "multipart", "json", *FORMATS]),
        "count": chance.choice([1, 1, 1, 2, 8, 64, 256]),
    }


def pixels_of(picture):
    generator = np.random.default_rng(7)
    height = picture["side"]
    width = max(1, int(height * picture["other"]))
    shape = (height, width) if picture["channels"] == 1 else (height, width, picture["channels"])
    kind = picture["kind"]
    if kind == "noise":
        return generator.integers(0, 256, shape, dtype=np.uint8)
    if kind == "weak noise":
        return generator.integers(120, 126, shape, dtype=np.uint8)
    plane = np.full((height, width), 255, np.uint8)
    if kind == "blocks":
        small = generator.integers(0, 256, (height // 8 + 1, width // 8 + 1), dtype=np.uint8)
        plane = small.repeat(8, 0).repeat(8, 1)[:height, :width]
    elif kind == "spiral":
        for i in range(0, min(height, width) // 2, 4):
            plane[i, i : width - i] = plane[height - 1 - i, i : width - i] = 0
            plane[i : height - i, width - 1 - i] = plane[i + 2 : height - i, i] = 0
    elif kind == "rows":
        plane[::3] = 0
    elif kind in SHAPES:
        down, across = np.mgrid[:height, :width]
        away = np.hypot(down - height / 2, across - width / 2)
        plane[SHAPES[kind](down, across, away, min(height, width)).astype(bool)] = 0
    elif kind == "drawn":
        plane = np.asarray(Image.fromarray(draw(3, 280)).resize((width, height)))
    return plane if len(shape) == 2 else np.repeat(plane[:, :, None], shape[2], axis=2)


def body_of(picture):
    """(content type, bytes)."""
    pixels, form = pixels_of(picture), picture["form"]
    count = max(1, min(picture["count"], 2**25 // pixels.size))
    if form == "npy":
        return "application/x-npy", npy(np.stack([pixels] * count))
    if form == "json":
        return "application/json", json.dumps({"images": [pixels[:64, :64].tolist()] * min(count, 32)}).encode()
    if form in FORMATS and count == 1:
        kept = pixels if form != "JPEG" or pixels.ndim == 2 else pixels[:, :, :3]
        return "application/octet-stream", encode(np.ascontiguousarray(kept), form)
    file = encode(pixels, "WEBP" if form == "WEBP" else "PNG")
    head = b'--x\r\nContent-Disposition: form-data; name="image"; filename="1"\r\n\r\n'
    return "multipart/form-data; boundary=x", (head + file + b"\r\n") * min(
        count, 2**24 // len(file) + 1
    ) + b"--x--\r\n"


# --- what it costs ----------------------------------------------------------------------------------------------------


def asked(app, call, members, picture):
    """(status, account, CPU in microseconds) of one request."""
    query = "&".join(f"{name}={quote(text_of(value))}" for name, value in members.items())
    posts = issubclass(CALLS[call], options.PictureOptions)
    kind, body = body_of(picture) if posts else ("", b"")
    environ = {"REQUEST_METHOD": "POST" if posts else "GET", "PATH_INFO": call, "QUERY_STRING": query, BODY: body}
    environ |= {"CONTENT_TYPE": kind, "CONTENT_LENGTH": str(len(body)), "wsgi.input": io.BytesIO(body)}
    environ |= {"wsgi.input_terminated": True, "wsgi.url_scheme": "http"}
    account = Account(app.limits)
    since = time.thread_time()
    answer = answer_of(app.respond(environ, account)[0])
    return answer.status, account, (time.thread_time() - since) * 1e6


def text_of(value):
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, list) and all(isinstance(each, int | str) for each in value):
        return ",".join(map(str, value))
    return json.dumps(value) if isinstance(value, dict | list) else str(value)


def measured(app, call, members, picture, *, memory=False):
    status, account, cpu = asked(app, call, members, picture)
    if cpu > 5000 and cpu > account.work:  # what is done once, or the other processes of the machine
        status, account, again = asked(app, call, members, picture)
        cpu = min(cpu, again)
    peak = 0
    if memory and status == 200:
        tracemalloc.start()
        before, _ = tracemalloc.get_traced_memory()
        asked(app, call, members, picture)
        peak = tracemalloc.get_traced_memory()[1] - before
        tracemalloc.stop()
    return Found(call, members, picture, status, account.work, account.held, cpu, peak)


def mutated(found, chance):
    """The same request with some of it made anew."""
    picture = dict(found.picture)
    members = dict(found.members)
    if chance.random() < 0.5:
        name = chance.choice(sorted(picture))
        picture[name] = picture_of(chance)[name]
    else:
        new = members_of(CALLS[found.call], chance, 0.15)
        members |= new
        for name in list(members):
            if name not in new and chance.random() < 0.15:
                members.pop(name)
    return members, picture


def search(app, seconds, seed=0):
    """Look for so long; returns the worst of each call, the worst first."""
    chance = random.Random(seed)
    best: dict[str, list[Found]] = {call: [] for call in CALLS}
    until = time.monotonic() + seconds
    tried = 0
    while time.monotonic() < until:
        call = chance.choice(list(CALLS))
        kept = best[call]
        if kept and chance.random() < 0.7:
            members, picture = mutated(chance.choice(kept), chance)
        else:
            members, picture = members_of(CALLS[call], chance), picture_of(chance)
        found = measured(app, call, members, picture, memory=chance.random() < 0.1)
        tried += 1
        assert found.status < 500, found
        if found.status == 200:
            best[call] = sorted([*kept, found], key=lambda each: -each.score)[:6]
    print(f"{tried} requests tried")
    return {call: kept for call, kept in best.items() if kept}


def main(minutes):
    give_back_large_blocks()
    app = create_app(Settings())
    with app.app_context():
        best = search(app, 60 * minutes, seed=int(time.time()))
    print("| call | CPU ms | price | held MiB | peak MiB | request |\n|---|---|---|---|---|---|")
    for call, kept in best.items():
        worst = max(kept, key=lambda each: each.cpu)
        shown = json.dumps([worst.members, worst.picture])[:160]
        print(
            f"| {call} | {worst.cpu / 1e3:.0f} | {worst.work:.0f} | {worst.held >> 20} | {worst.peak >> 20} | {shown} |"
        )
    kept = json.loads(FILE.read_text(encoding="utf-8"))
    kept += [
        [each.call, each.members, each.picture] for several in best.values() for each in several[:1] if each.cpu > 1e6
    ]
    FILE.write_text("[\n" + ",\n".join(map(json.dumps, kept)) + "\n]\n", encoding="utf-8")
    limits = Settings()
    return max(max(each.cpu for each in several) for several in best.values()) > limits.max_work_units


if __name__ == "__main__":
    sys.exit(main(float(sys.argv[1]) if len(sys.argv) > 1 else 20))
