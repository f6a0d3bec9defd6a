"""
Offline training: MNIST in, a model folder out (`python -m training --help`).

PyTorch lives here and only here; nothing in `service` imports this package. The service is imported first, because it
is what switches onnxruntime's telemetry off.
"""

import os

import service as _service  # noqa: F401

# Two threads meet hundreds of times a second. By default the one that is there first spins for milliseconds, which on a
# busy machine keeps the other from ever arriving: measured five times the processor time for the same training.
os.environ.setdefault("GOMP_SPINCOUNT", "2000")
