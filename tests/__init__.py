"""The tests, and what measures: NumPy computes on one core, as in a worker: its threads would wait for each other."""

import os

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
