"""What answers of other kinds cost, beside the bare computation within them: batches, feature maps, a photograph."""

import io
import json
import subprocess
import sys
import time
from functools import partial

import numpy as np
import onnxruntime
import orjson
from flask import Response
from PIL import Image
from werkzeug.test import create_environ

from service.app import create_app
from service.settings import Settings
from tests.benchmarks import payloads
from tests.benchmarks.servers import MODEL, WORKERS, running
from tests.benchmarks.table import ROOT, Row, median, pick, spread

ROUNDS = pick(5, 2)
SECONDS = pick(3, 1)
CLASSIFY = "/v1/classify"
REDUCED_SIDE = 480
REDUCED = "decoding at reduced size"
# What is posted alone: what it is, what it is held against, and how many times as long it may take.
COMPARED = {
    "npz": ("feature maps of all layers as npz", "a classify", "at most 1.5"),
    "json": ("feature maps as JSON", "analysis run and orjson", "at most 2"),
    "photograph": ("12-megapixel JPEG", REDUCED, "at most 1.3"),
    "small": ("1-megapixel JPEG", REDUCED, "at most 1.5"),
    "page": ("1-megapixel JPEG, 20 digits read", "decoding it", ""),
}


def rows():
    """Measure each against its bare counterpart within the same round."""
    pngs, batch = payloads.pngs(), payloads.batch()
    pictures = {"photograph": payloads.photograph(), "small": payloads.photograph(1155, 866)}
    page = payloads.page_of_digits()
    bare = Bare()
    seen = {}

    def note(name, value):
        seen.setdefault(name, []).append(value)

    with running("Filterscope", CLASSIFY, pngs) as server:
        server.load(CLASSIFY, pngs, 8, 1)
        for _ in range(ROUNDS):
            note("batch", server.load(f"{CLASSIFY}?prepare=none", batch, 2, SECONDS).rate * 256)
            note("bare batch", raw_images_per_second(SECONDS))
            note("classify", server.load(CLASSIFY, pngs, 1, SECONDS))
            note("npz", server.load("/v1/feature-maps?format=npz", pngs, 1, SECONDS))
            note("json", server.load("/v1/feature-maps", pngs, 1, SECONDS))
            note("bare json", bare.least_us(bare.maps_as_json))
            for name, posted in pictures.items():
                note(name, server.load(CLASSIFY, posted, 1, SECONDS))
                note(f"bare {name}", bare.least_us(lambda posted=posted: reduced(posted.bodies[0])))
            note("page", server.load("/v1/read", page, 1, SECONDS))
            note("bare page", bare.least_us(lambda: reduced(page.bodies[0], None)))
    return _compared(seen)


def rows_in_process():
    """The same with no server: calls of the service and of what they are held against, in turn, on one thread."""
    pngs, batch, photograph = payloads.pngs(), payloads.batch(), payloads.photograph()
    small, page = payloads.photograph(1155, 866), payloads.page_of_digits()
    bare, service = Bare(), create_app(Settings())
    classify, npz, json_maps, batches, decoded, decoded_small, pages = (
        respond(service, path, posted)
        for path, posted in (
            (CLASSIFY, pngs),
            ("/v1/feature-maps?format=npz", pngs),
            ("/v1/feature-maps", pngs),
            (f"{CLASSIFY}?prepare=none", batch),
            (CLASSIFY, photograph),
            (CLASSIFY, small),
            ("/v1/read", page),
        )
    )
    for what, ours, beside, theirs, bar in (
        ("256 uint8 digits as npy, prepare=none", batches, "onnxruntime", bare.run_batch, "at most 1.18"),
        ("feature maps of all layers as npz", npz, "a classify", classify, "at most 1.5"),
        ("feature maps as JSON", json_maps, "analysis run and orjson", bare.maps_as_json, "at most 2"),
        ("12-megapixel JPEG", decoded, REDUCED, partial(reduced, photograph.bodies[0]), "at most 1.3"),
        ("1-megapixel JPEG", decoded_small, REDUCED, partial(reduced, small.bodies[0]), "at most 1.5"),
        ("1-megapixel JPEG, 20 digits read", pages, "decoding it", partial(reduced, page.bodies[0], None), ""),
    ):
        rounds = [in_turn_us(ours, theirs, SECONDS / 2) for _ in range(ROUNDS)]
        own, other = (median(values) for values in zip(*rounds, strict=True))
        ratios = [a / b for a, b in rounds]
        yield Row(f"{what}, in process", f"{own:.0f} us", f"{beside} {other:.0f} us", spread(ratios), bar)


def respond(service, path, posted):
    """A call that answers what was posted, as the server's worker has it answered."""
    kept = create_environ(path, method="POST", content_type=posted.content_type, data=posted.bodies[0])

    def call():
        reply, _ = service.respond(kept | {"wsgi.input": io.BytesIO(posted.bodies[0])})
        if isinstance(reply, Response) and reply.status_code != 200:
            raise RuntimeError(reply.get_data()[:200])
        return reply

    return call


def in_turn_us(ours, theirs, seconds):
    """Microseconds of the median call of either, called in turn so that a busy moment falls on both."""
    taken, end = ([], []), time.perf_counter() + seconds
    ours(), theirs()
    while time.perf_counter() < end:
        for calls, call in zip(taken, (ours, theirs), strict=True):
            start = time.perf_counter()
            call()
            calls.append((time.perf_counter() - start) * 1e6)
    return median(taken[0]), median(taken[1])


def _compared(seen):
    ratios = [a / b for a, b in zip(seen["batch"], seen["bare batch"], strict=True)]
    rates = [f"{median(seen[name]):.0f}" for name in ("batch", "bare batch")]
    found = [
        Row(
            "256 uint8 digits as npy, prepare=none, 2 clients",
            f"{rates[0]} digits a second",
            f"onnxruntime in {WORKERS} processes {rates[1]}",
            spread(ratios),
            "at least 0.85",
        )
    ]
    times = {name: [load.p50 * 1e3 for load in seen[name]] for name in ("classify", *COMPARED)}
    costs = {name: [load.cpu_us for load in seen[name]] for name in times}
    for name, (what, beside, bar) in COMPARED.items():
        for kind, measured in (("p50", times), ("CPU", costs)):
            against = measured["classify"] if name == "npz" else seen[f"bare {name}"]
            ratios = [a / b for a, b in zip(measured[name], against, strict=True)]
            ours, theirs = (f"{median(values):.0f} us" for values in (measured[name], against))
            found.append(Row(f"{what}, {kind}", ours, f"{beside} {theirs}", spread(ratios), bar))
    return found


def reduced(data, side=REDUCED_SIDE):
    """A JPEG's pixels, decoded at the smallest scale at which it is no less than `side` pixels long; None: in full."""
    with Image.open(io.BytesIO(data)) as image:
        if side is not None:
            image.draft(None, tuple(int(length * side / max(image.size)) for length in image.size))
        return np.asarray(image)


class Bare:
    """The computation within an answer, with nothing around it, in this process and on one thread."""

    def __init__(self):
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        options.log_severity_level = 3
        file = MODEL.with_name("analysis.onnx")
        self._session = onnxruntime.InferenceSession(file, options, providers=["CPUExecutionProvider"])
        self._lean = onnxruntime.InferenceSession(MODEL, options, providers=["CPUExecutionProvider"])
        self._images = payloads.inputs()
        names = [output.name for output in self._session.get_outputs()]
        self._maps = [name for name in names if name.endswith(".act") or name.startswith("pool")]
        self._image = payloads.digits()[0][None, None].astype(np.float32) / 255

    def maps_as_json(self):
        arrays = self._session.run([*self._maps, "logits"], {"image": self._image})
        return orjson.dumps(dict(zip(self._maps, arrays, strict=False)), option=orjson.OPT_SERIALIZE_NUMPY)

    def run_batch(self):
        return self._lean.run(None, {"image": self._images})

    @staticmethod
    def least_us(work, seconds=0.5):
        """Microseconds of the median call, repeated for a while."""
        taken, end = [], time.perf_counter() + seconds
        while time.perf_counter() < end:
            start = time.perf_counter()
            work()
            taken.append((time.perf_counter() - start) * 1e6)
        return median(taken)


def raw_images_per_second(seconds):
    """Digits that one-thread processes of onnxruntime classify together, one process per worker, in batches of 256."""
    command = [sys.executable, "-m", "tests.benchmarks.answers", str(seconds)]
    processes = [subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE) for _ in range(WORKERS)]
    return sum(json.loads(process.communicate()[0]) for process in processes)


def _run_for(seconds):
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(MODEL, options, providers=["CPUExecutionProvider"])
    images = payloads.inputs()
    session.run(None, {"image": images})
    count, start = 0, time.perf_counter()
    while time.perf_counter() < start + seconds:
        session.run(None, {"image": images})
        count += 256
    return count / (time.perf_counter() - start)


if __name__ == "__main__":
    print(_run_for(float(sys.argv[1])))
