"""Filterscope: reads handwritten digits and shows how."""

import os

# onnxruntime 1.29 and later reports usage to its vendor unless this is set before its first import
# (its Privacy.md); every entry point imports this package first.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")

__version__ = "0.2.0"
