"""
Offline training: MNIST in, a model folder out (`python -m training --help`).

How a network is made, and where:

    data         MNIST is found, read and split; warps and variants augment it
    networks     a structure becomes a network, which is fitted to the digits; lecture.py shows one step in full
    novelty      the reader that tells digits from other pictures learns beside it
    export       the network is calibrated, written as ONNX, checked and measured: a model folder
    evaluation   a model folder, or a bank of filters, is measured again
    study        the recipes: one network alone (train), the quick one, the shipped ones with teachers (study)
    seams        the network that says where digits touch: the strings it learns from, its training, its file

knobs.py has every number that was chosen; cli.py has the commands. Each folder imports from those above it.

PyTorch lives here and only here; nothing in `service` imports this package. The service is imported first, because it
switches onnxruntime's telemetry off.
"""

import os

import service as _service  # noqa: F401

# GOMP is the OpenMP library that PyTorch's threads wait in. Two threads wait for each other hundreds of times a second.
# By default the first one there spins for milliseconds, and on a busy machine keeps the other from running: the same
# training then took five times the processor time.
os.environ.setdefault("GOMP_SPINCOUNT", "2000")
