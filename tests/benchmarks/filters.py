"""
The fast filter engine beside OpenCV and SciPy, in one process and on one thread: python -m tests.benchmarks.filters

Prints a table of milliseconds, the least of several rounds in which each takes its turn, and the memory the engine
needs beside its answer. With --plot FILE.png it also draws how the cost grows with the picture, the number of kernels
and their size. OpenCV is compared where opencv-python-headless is installed.
"""

import argparse
import os
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

for threads in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
    os.environ[threads] = "1"

import numpy as np  # noqa: E402  # reads how many threads it may use when it is first imported
import scipy.ndimage  # noqa: E402

from service.core.convolution import geometry  # noqa: E402
from service.network.bank import correlate_bank  # noqa: E402

try:
    import cv2
except ImportError:
    cv2 = None

# (side of the picture, kernels, side of a kernel, stride)
CASES = (
    (1024, 8, 7, 1),
    (1024, 1, 3, 1),
    (1024, 8, 15, 1),
    (2048, 32, 7, 1),
    (1024, 8, 7, 2),
    (1024, 1, 7, 1),
    (1024, 8, 3, 1),
    (1024, 1, 15, 1),
    (512, 8, 7, 1),
    (28, 8, 7, 2),
)


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
    root = Path(__file__).parents[2]
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, cwd=root)
    return max(float(done.stdout), 0.0)


def print_table(rounds: int) -> None:
    """Print every case beside its peers."""
    print(" picture        kernels stride    engine    OpenCV  times     SciPy  times   MiB")
    for side, kernels, kernel_side, stride in CASES:
        image, bank = make(side, kernels, kernel_side)
        calls = [engine(image, bank, stride)] + ([opencv(image, bank)] if cv2 else [])
        ours, *peer = least_ms(calls, rounds if side <= 1024 else max(rounds // 4, 2))
        beside = peer[0] if peer else float("nan")
        slow = least_ms([scipys(image, bank)], 1)[0] * kernels
        memory = peak_beside_answer(side, kernels, kernel_side, stride)
        name = f"{kernels} of {kernel_side} x {kernel_side}"
        print(
            f"{side:>8} {name:>14} {stride:>6} {ours:9.2f} {beside:9.2f} {ours / beside:6.2f} "
            f"{slow:9.1f} {slow / ours:6.0f} {memory:5.0f}",
            flush=True,
        )


def growth(rounds: int) -> dict[str, tuple[list[int], list[float]]]:
    """Measure ms against one size at a time, the others being 512, 8 and 7."""
    sweeps = {
        "side of the picture": ([64, 128, 256, 512, 1024, 2048], lambda n: (n, 8, 7)),
        "kernels": ([1, 2, 4, 8, 16, 32, 64], lambda n: (512, n, 7)),
        "side of a kernel": ([1, 3, 5, 7, 11, 15, 21, 31, 45, 63], lambda n: (512, 8, n)),
    }
    return {
        name: (sizes, [least_ms([engine(*make(*case(size)), 1)], rounds)[0] for size in sizes])
        for name, (sizes, case) in sweeps.items()
    }


def plot_growth(file: Path, rounds: int) -> None:
    """Draw growth() on logarithmic axes, each beside the line of as much time for as much work."""
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot as plt

    figure, panels = plt.subplots(1, 3, figsize=(12, 4), layout="constrained")
    for panel, (name, (sizes, times)) in zip(panels, growth(rounds).items(), strict=True):
        power = 1 if name == "kernels" else 2
        panel.loglog(sizes, times, "o-", label="measured")
        panel.loglog(sizes, [times[-1] * (n / sizes[-1]) ** power for n in sizes], ":", label="as the work grows")
        panel.set(xlabel=name, ylabel="ms")
        panel.legend()
    figure.savefig(file, dpi=120)


def main(arguments: Sequence[str] | None = None) -> None:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=15, help="how often each is timed (default %(default)s)")
    parser.add_argument("--plot", type=Path, metavar="FILE.png", help="draw how the cost grows")
    options = parser.parse_args(arguments)
    print_table(options.rounds)
    if options.plot:
        plot_growth(options.plot, options.rounds)


if __name__ == "__main__":
    main()
