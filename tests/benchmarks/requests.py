"""
What one request costs: CPU microseconds of the server's processes, beside a Flask service as people write it.

    python -m tests.benchmarks.requests [requests per row]

CPU time is read from /proc, so the client's own speed does not matter; both servers are measured in turns within the
same minute, with one worker each. The naive server neither prepares nor checks a picture, nor limits a request.
"""

import contextlib
import http.client
import json
import os
import statistics
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from service.core.digit import prepare
from tests.drawing import draw, encode, npy
from tests.serving import ROOT, serving

ROUNDS = 5
TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK")


@dataclass
class Row:
    """One kind of request: where each server takes it, and what is posted."""

    name: str
    path: str
    body: bytes
    content_type: str
    naive_path: str | None = None
    share: float = 1.0  # of the number of requests per row, for the slow ones


def rows():
    digit = prepare(draw(3)).image  # in MNIST's form, as the pictures are that other servers are measured with
    picture = encode(digit)
    numbers = json.dumps({"image": digit.tolist()}).encode()
    boundary = b"----digit"
    multipart = b"\r\n".join(
        [
            b"--" + boundary,
            b'Content-Disposition: form-data; name="image"; filename="3.png"',
            b"Content-Type: image/png",
            b"",
            picture,
            b"--" + boundary + b"--",
            b"",
        ]
    )
    form = f"multipart/form-data; boundary={boundary.decode()}"
    photo = encode(np.asarray(draw(3, 2000)), "JPEG")
    batch = npy(np.repeat(digit[None], 256, 0))
    return [
        Row("PNG", "/v1/classify", picture, "image/png", "/png"),
        Row("JSON numbers", "/v1/classify", numbers, "application/json", "/json"),
        Row("multipart", "/v1/classify", multipart, form, "/multipart"),
        Row("drawing of 280 x 280", "/v1/classify", encode(draw(3, 280)), "image/png", "/png", 0.5),
        Row("photograph, 4 megapixels", "/v1/classify", photo, "image/jpeg", "/png", 0.05),
        Row("256 digits as npy", "/v1/classify?prepare=none", batch, "application/x-npy", None, 0.02),
        Row("feature maps as npz", "/v1/feature-maps?format=npz", picture, "image/png", None, 0.5),
        Row("feature maps as JSON", "/v1/feature-maps", picture, "image/png", None, 0.5),
    ]


@contextlib.contextmanager
def one_worker(*command, **environ):
    """Start a server; yields (port, pid of its worker)."""
    with serving(*command, environ={"LOG_LEVEL": "error"} | environ) as (port, process):
        children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
        yield port, int(children[0])


def cpu_seconds(pid):
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS_PER_SECOND


def measure(port, pid, path, row, count):
    """CPU microseconds of the worker, and median wall milliseconds, per request."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    walls = []
    before = cpu_seconds(pid)
    for _ in range(count):
        start = time.perf_counter()
        connection.request("POST", path, row.body, {"Content-Type": row.content_type})
        response = connection.getresponse()
        response.read()
        walls.append(time.perf_counter() - start)
        assert response.status == 200, response.status
    return (cpu_seconds(pid) - before) / count * 1e6, statistics.median(walls) * 1e3


def main(count=1000):
    naive = [
        "--log-level",
        "error",
        "--bind",
        "127.0.0.1:{port}",
        "--worker-class",
        "sync",
        "tests.benchmarks.naive:app",
    ]
    model = str(ROOT / "models/digits/1/model.onnx")
    print(f"CPU microseconds per request, median of {ROUNDS} rounds of up to {count} requests, one worker")
    print(f"{'':26}{'Filterscope':>12}{'naive Flask':>12}{'ratio':>8}{'p50 ms':>8}")
    with (
        one_worker() as (port, pid),
        one_worker(*naive, NAIVE_MODEL=model) as (naive_port, naive_pid),
    ):
        for row in rows():
            per_round = max(5, int(count * row.share))
            ours, theirs, walls = [], [], []
            for _ in range(ROUNDS):
                cost, wall = measure(port, pid, row.path, row, per_round)
                ours.append(cost)
                walls.append(wall)
                if row.naive_path:
                    theirs.append(measure(naive_port, naive_pid, row.naive_path, row, per_round)[0])
            line = f"{row.name:26}{statistics.median(ours):12.0f}"
            if theirs:
                ratios = [other / own for own, other in zip(ours, theirs, strict=True)]
                line += f"{statistics.median(theirs):12.0f}{statistics.median(ratios):8.2f}"
            else:
                line += f"{'':20}"
            print(line + f"{statistics.median(walls):8.2f}", flush=True)


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
