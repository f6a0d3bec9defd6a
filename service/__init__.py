"""Filterscope: reads handwritten digits and shows how."""

import os

# onnxruntime 1.29 and later reports usage to its vendor unless this is set before its first import
# (its Privacy.md); every entry point imports this package first.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
# A worker process has one CPU; NumPy's own threads compete with the other workers (a photograph took four times
# longer).
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

__version__ = "0.1.0"
