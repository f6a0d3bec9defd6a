"""
Minutes of mixed traffic at half of capacity: does memory grow, do descriptors leak, does any call fail?

    python -m tests.soak [MINUTES]

Writes build/soak/samples.csv and soak.png, prints a table, and ends with status 1 when memory grows, a descriptor is
lost or an answer is a 5xx. Half capacity is measured first, by as many clients as workers asking without a pause.
"""

import csv
import http.client
import itertools
import random
import sys
import threading
import time
from collections import Counter
from pathlib import Path

import numpy as np
from scipy import stats

from tests.drawing import draw, encode, npy
from tests.serving import ROOT, serving

OUT = ROOT / "build" / "soak"
WORKERS = 2
WARM_UP = 0.25  # of the time, whose memory does not count
SAMPLE_SECONDS = 1.0
# A slope is a leak when it is surely above nothing and would matter: in MB an hour.
MOST_MB_PER_HOUR = 20.0

FORM = b'--b\r\nContent-Disposition: form-data; name="image"; filename="a.png"\r\n\r\n%b\r\n--b--\r\n'
BOX = "?filters=[{%22preset%22:%22box%22}]"


def calls():
    """(weight, method, path, body, content type): mostly digits, some of everything, some of it wrong."""
    digits = [encode(draw(digit, side)) for digit in (1, 2, 3, 4, 7) for side in (28, 64, 200)]
    photo = encode(np.dstack([draw(4, 900)] * 3), "JPEG")
    noise = encode(np.random.default_rng(2).integers(0, 256, (200, 200), np.uint8))
    mixed = [(8, "POST", "/v1/classify", digit, "image/png") for digit in digits]
    return [
        *mixed,
        (10, "POST", "/v1/classify", photo, "image/jpeg"),
        (10, "POST", "/v1/classify", FORM % digits[0], "multipart/form-data; boundary=b"),
        (10, "POST", "/v1/classify", npy(np.stack([draw(3, 28)] * 32)), "application/x-npy"),
        (10, "POST", "/v1/feature-maps?layers=conv1", digits[3], "image/png"),
        (5, "POST", "/v1/feature-maps?format=png", digits[6], "image/png"),
        (5, "POST", "/v1/explain", digits[9], "image/png"),
        (5, "POST", "/v1/apply-filters" + BOX, noise, "image/png"),
        (5, "GET", "/v1/filters", None, ""),
        (5, "GET", "/healthz", None, ""),
        (5, "POST", "/v1/classify", digits[0][:60], "image/png"),
        (5, "POST", "/v1/classify", b"%PDF-1.7", "application/pdf"),
        (2, "POST", "/v1/apply-filters", digits[0], "image/png"),
    ]


class Client(threading.Thread):
    """One kept connection, its calls at a rate, or one after another."""

    def __init__(self, port, seed, end, period, counts):
        super().__init__(daemon=True)
        self._port, self._end, self._period, self._counts = port, end, period, counts
        self._random = random.Random(seed)
        self._calls = calls()

    def run(self):
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=30)
        due = time.monotonic()
        weights = [weight for weight, *_ in self._calls]
        while time.monotonic() < self._end:
            _, method, path, body, kind = self._random.choices(self._calls, weights)[0]
            try:
                connection.request(method, path, body, {"Content-Type": kind} if kind else {})
                response = connection.getresponse()
                response.read()
                self._counts[response.status] += 1
            except (OSError, http.client.HTTPException) as error:
                self._counts[type(error).__name__] += 1
                connection.close()
            if self._random.random() < 0.01:  # some clients come and go
                connection.close()
            due += self._random.expovariate(1 / self._period) if self._period else 0
            time.sleep(max(0.0, due - time.monotonic()) if self._period else 0)
        connection.close()


def run(port, seconds, clients, period, watch=lambda: None):
    """Traffic for some time; the count of each status."""
    counts = [Counter() for _ in range(clients)]
    end = time.monotonic() + seconds
    threads = [Client(port, seed, end, period, counts[seed]) for seed in range(clients)]
    for thread in threads:
        thread.start()
    while time.monotonic() < end:
        watch()
        time.sleep(SAMPLE_SECONDS)
    for thread in threads:
        thread.join(60)
    return sum(counts, Counter())


def workers_of(process):
    return Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()


def sample(pids):
    """Bytes in use (PSS) and open descriptors that are no connections, of all workers together."""
    memory = files = 0
    for pid in pids:
        memory += int(Path(f"/proc/{pid}/smaps_rollup").read_text().split("\nPss:")[1].split()[0]) * 1024
        for descriptor in Path(f"/proc/{pid}/fd").iterdir():
            files += descriptor.is_symlink()
    return memory, files


def slope(hours, values):
    """The slope of a line through samples by least squares, and half of its 95 % interval.

    Neighbouring samples are alike, so the interval is made from means of twenty stretches.
    """
    stretches = min(20, len(hours))
    x = np.array([part.mean() for part in np.array_split(hours, stretches)])
    y = np.array([part.mean() for part in np.array_split(values, stretches)])
    fit = stats.linregress(x, y)
    return fit.slope, fit.stderr * stats.t.ppf(0.975, stretches - 2)


def plot(samples, counted_from, path):
    import matplotlib as mpl

    mpl.use("Agg")
    import matplotlib.pyplot as plt

    hours, memory, files = np.array(samples).T
    figure, (above, below) = plt.subplots(2, sharex=True, figsize=(8, 5), layout="constrained")
    above.plot(hours * 60, memory / 1e6)
    above.axvline(counted_from * 60, linestyle=":", color="grey")
    above.set(ylabel="PSS of all workers, MB", ylim=(0, None))
    below.plot(hours * 60, files)
    below.set(ylabel="descriptors", xlabel="minutes", ylim=(0, None))
    figure.savefig(path, dpi=120)


def main(minutes):
    OUT.mkdir(parents=True, exist_ok=True)
    with serving(environ={"WORKERS": str(WORKERS)}) as (port, process):
        run(port, 5, WORKERS, 0)
        started = time.monotonic()
        capacity = run(port, 10, 2 * WORKERS, 0).total() / (time.monotonic() - started)
        pids, samples = workers_of(process), []
        idle_files = sample(pids)[1]
        began = time.monotonic()
        clients = 8

        def watch():
            samples.append(((time.monotonic() - began) / 3600, *sample(pids)))

        counts = run(port, minutes * 60, clients, clients / (capacity / 2), watch)
        is_same = workers_of(process) == pids
        time.sleep(3)
        files_after = sample(pids)[1]
    hours, memory, files = np.array(samples).T
    counted = hours >= WARM_UP * hours[-1]
    growth, margin = slope(hours[counted], memory[counted] / 1e6)
    file_growth, file_margin = slope(hours[counted], files[counted])
    failed = {status: count for status, count in counts.items() if not isinstance(status, int) or status >= 500}
    verdicts = {
        "no 5xx, no failed connection": not failed,
        "memory is flat": growth - margin <= 0 or growth <= MOST_MB_PER_HOUR,
        "descriptors are flat": files_after <= idle_files + 2,
        "no worker was lost": is_same,
    }
    rate = counts.total() / (minutes * 60)
    rows = [
        ("time", f"{minutes:g} min, the first {WARM_UP:.0%} warm-up"),
        ("traffic", f"{rate:.0f} requests/s of {capacity:.0f} that it takes, {counts.total():,} in all"),
        ("answers", ", ".join(f"{status}: {count:,}" for status, count in sorted(counts.items(), key=str))),
        ("memory", f"{memory[counted][0] / 1e6:.1f} to {memory[counted][-1] / 1e6:.1f} MB, {WORKERS} workers"),
        ("slope", f"{growth:+.1f} MB/h, 95 % {growth - margin:+.1f} to {growth + margin:+.1f}"),
        ("descriptors", f"{idle_files} before, {files.min():.0f} to {files.max():.0f} under load, {files_after} after"),
        ("their slope", f"{file_growth:+.0f} +- {file_margin:.0f} an hour"),
        *((name, "yes" if holds else "NO") for name, holds in verdicts.items()),
    ]  # fmt: skip
    with (OUT / "samples.csv").open("w", newline="") as file:
        csv.writer(file).writerows(itertools.chain([("hours", "pss_bytes", "descriptors")], samples))
    plot(samples, WARM_UP * hours[-1], OUT / "soak.png")
    table = "\n".join(f"{name:<30}{value}" for name, value in rows)
    (OUT / "soak.txt").write_text(table + "\n")
    print(table)
    return 0 if all(verdicts.values()) else 1


if __name__ == "__main__":
    sys.exit(main(float(sys.argv[1]) if len(sys.argv) > 1 else 10.0))
