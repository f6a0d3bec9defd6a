"""
How the cost grows with the batch, the picture, the number of filters and their size, drawn and put in numbers.

The step of the filters between 16 and 64 MiB of answer is that of the memory: glibc gives back what has 32 MiB or more,
so the kernel clears every page of such an answer anew, 0.1 ms for a MiB where 0.02 are enough below.
"""

import time

import matplotlib as mpl
import numpy as np

from service.app import create_app
from service.settings import Settings
from tests.benchmarks import filters, payloads
from tests.benchmarks.table import OUT, pick
from tests.drawing import draw, encode

mpl.use("Agg")
from matplotlib import pyplot as plt  # reads where to draw when it is imported

ROUNDS = pick(9, 3)
LINEAR = 1.15  # an exponent up to here is called linear: one doubling then costs at most a tenth more than twice


def sweeps():
    """
    Per name: what one step of the axis is called, sizes, the work of each in units of the axis, and a call for each.
    """
    client = create_app(Settings()).test_client()

    def classify(data, kind, query=""):
        answer = client.post(f"/v1/classify{query}", data=data, content_type=kind)
        if answer.status_code != 200:
            raise RuntimeError(answer.text)

    def batches(count):
        posted = payloads.batch(count)
        return lambda: classify(posted.bodies[0], posted.content_type, "?prepare=none")

    def pictures(side):
        data = encode(draw(3, side))
        return lambda: classify(data, "image/png")

    def filtered(side=512, kernels=8, kernel_side=7):
        return filters.engine(*filters.make(side, kernels, kernel_side), 1)

    sides, several = [28, 56, 112, 256, 512, 1024, 2048], [1, 2, 4, 8, 16, 32, 64]
    kernel_sides = [1, 3, 5, 7, 11, 15, 21, 31, 45, 63]
    counts = [1, 4, 16, 64, 256]
    return {
        "digits in a batch": (counts, counts, [batches(n) for n in counts]),
        "pixels of a picture, classify": (sides, [n * n for n in sides], [pictures(n) for n in sides]),
        "pixels of a picture, filters": (sides, [n * n for n in sides], [filtered(side=n) for n in sides]),
        "kernels": (several, several, [filtered(kernels=n) for n in several]),
        "cells of a kernel": (
            kernel_sides,
            [n * n for n in kernel_sides],
            [filtered(kernel_side=n) for n in kernel_sides],
        ),
    }


def exponents(work, times):
    """By which power the time grows from each size to the next."""
    return np.diff(np.log(times)) / np.diff(np.log(work))


def describe(work, times):
    """The exponent over the larger half, where fixed costs no longer count, and the steps that are not linear."""
    half = len(work) // 2
    overall = np.polyfit(np.log(work[half:]), np.log(times[half:]), 1)[0]
    steep = [
        f"{work[i]} to {work[i + 1]} ({power:.2f})" for i, power in enumerate(exponents(work, times)) if power > LINEAR
    ]
    return overall, f"not linear: {', '.join(steep)}" if steep else "linear or better throughout"


def plot():
    """Draw every sweep to build/bench/growth.png; returns a line of text for each."""
    lines = []
    figure, panels = plt.subplots(1, 5, figsize=(20, 4), layout="constrained")
    for panel, (name, (_, work, calls)) in zip(panels, sweeps().items(), strict=True):
        times = [_least_cpu_ms(call) for call in calls]
        overall, remark = describe(work, times)
        lines.append(f"- {name}: {times[0]:.2f} to {times[-1]:.2f} ms of CPU, exponent {overall:.2f}; {remark}")
        panel.loglog(work, times, "o-", label=f"measured, exponent {overall:.2f}")
        panel.loglog(work, [times[-1] * n / work[-1] for n in work], ":", label="linear")
        panel.set(xlabel=name, ylabel="CPU, ms")
        panel.legend()
    figure.savefig(OUT / "growth.png", dpi=90)
    return lines


def _least_cpu_ms(call):
    call()
    least = float("inf")
    for _ in range(ROUNDS):
        start = time.process_time()
        call()
        repeats = 1 if time.process_time() - start > 0.01 else 20
        start = time.process_time()
        for _ in range(repeats):
            call()
        least = min(least, (time.process_time() - start) / repeats * 1e3)
    return least
