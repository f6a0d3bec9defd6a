"""The fast filter engine beside OpenCV and SciPy: in process, on one thread, with the memory it needs."""

import os
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any

for threads in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
    os.environ[threads] = "1"

import cv2  # noqa: E402  # these read how many threads they may use when they are first imported
import numpy as np  # noqa: E402
import scipy.ndimage  # noqa: E402

from service.core.convolution import geometry  # noqa: E402
from service.network.bank import correlate_bank  # noqa: E402
from tests.benchmarks.table import ROOT, Row, pick  # noqa: E402

# (side of the picture, kernels, side of a kernel, stride)
CASES = ((1024, 8, 7, 1), (1024, 1, 3, 1), (1024, 8, 15, 1), (2048, 32, 7, 1), (1024, 8, 7, 2))
ROUNDS = pick(15, 5)


def make(side: int, kernels: int, kernel_side: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Return a picture (1, side, side) and a bank (kernels, 1, kernel_side, kernel_side), float32."""
    rng = np.random.default_rng(seed)
    return rng.random((1, side, side), dtype=np.float32), rng.normal(
        size=(kernels, 1, kernel_side, kernel_side)
    ).astype(np.float32)


def engine(image: np.ndarray, bank: np.ndarray, stride: int) -> Callable[[], Any]:
    """Return the call to measure; the first run, which may make a session, is not counted."""
    places = geometry(image.shape[1:], bank.shape[2:], stride, 1, "same")
    biases = np.zeros(len(bank), np.float32)
    return lambda: correlate_bank(image, bank, biases, places, "mirror")


def opencv(image: np.ndarray, bank: np.ndarray) -> Callable[[], Any]:
    """Return the same filters by filter2D, which has no stride and takes one kernel at a time."""
    cv2.setNumThreads(1)
    return lambda: [cv2.filter2D(image[0], cv2.CV_32F, kernel[0], borderType=cv2.BORDER_REFLECT_101) for kernel in bank]


def scipys(image: np.ndarray, bank: np.ndarray) -> Callable[[], Any]:
    """Return one of the filters by SciPy; the others take as long again."""
    return lambda: scipy.ndimage.correlate(image[0], bank[0, 0], mode="mirror")


def least_ms(calls: list[Callable[[], Any]], rounds: int) -> list[float]:
    """Time the calls in turn, so that a busy moment of the machine falls on all of them."""
    least = [float("inf")] * len(calls)
    for call in calls:
        call()
    for _ in range(rounds):
        for i, call in enumerate(calls):
            start = time.perf_counter()
            call()
            least[i] = min(least[i], (time.perf_counter() - start) * 1e3)
    return least


def peak_beside_answer(side: int, kernels: int, kernel_side: int, stride: int) -> float:
    """MiB that a fresh process grows by beyond the answer itself, as Linux counts them."""
    script = f"""
import re
from pathlib import Path
from tests.benchmarks.filters import engine, make
def memory(kind):
    return int(re.search(kind + r":\\s+(\\d+) kB", Path("/proc/self/status").read_text())[1]) / 1024
engine(*make(8, 1, 3), 1)()
call = engine(*make({side}, {kernels}, {kernel_side}), {stride})
Path("/proc/self/clear_refs").write_text("5")  # the peak from now on
before = memory("VmRSS")
answer = call()
print(memory("VmHWM") - before - answer.nbytes / 2**20)
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, cwd=ROOT)
    return max(float(done.stdout), 0.0)


def rows() -> list[Row]:
    """Every case beside its peers; SciPy's time is that of one kernel, times their number."""
    found = []
    for side, kernels, kernel_side, stride in CASES:
        image, bank = make(side, kernels, kernel_side)
        rounds = ROUNDS if side <= 1024 else max(ROUNDS // 4, 2)
        ours, theirs = least_ms([engine(image, bank, stride), opencv(image, bank)], rounds)
        slow = least_ms([scipys(image, bank)], 2)[0] * kernels
        memory = peak_beside_answer(side, kernels, kernel_side, stride)
        what = f"{kernels} of {kernel_side} x {kernel_side} on {side} x {side}"
        what += f", stride {stride}" if stride > 1 else ""
        beside = f"OpenCV {theirs:.2f} ms, SciPy {slow:.1f} ms"
        ratio = f"{ours / theirs:.2f}; {slow / ours:.0f} times faster than SciPy; {memory:.0f} MiB beside the answer"
        bar = "at most 1.3, or 1 ms more below 2 ms; 10 times; 64 MiB"
        found.append(Row(what, f"{ours:.2f} ms", beside, ratio, bar))
    return found
