"""
Offline training: MNIST in, a model folder out (`python -m training --help`).

PyTorch lives here and only here; nothing in `service` imports this package. The service is imported first, because
it is what switches onnxruntime's telemetry off.
"""

import service as _service  # noqa: F401
