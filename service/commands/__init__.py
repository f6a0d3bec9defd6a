"""The command line, `filterscope`: a command reads its options, calls inwards, and says what came of it."""

import os

# Before NumPy is imported: a process that reads pictures has one CPU, or leaves the others to the processes beside it.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
