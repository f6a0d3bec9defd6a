"""How onnxruntime is asked to run a network here."""

import onnxruntime


def one_thread() -> onnxruntime.SessionOptions:
    """
    Session options for a worker process: it has one CPU, the other workers have the others.

    onnxruntime would size its pool from the host, not from the container; for these networks one thread is also the
    fastest.
    """
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    options.execution_mode = onnxruntime.ExecutionMode.ORT_SEQUENTIAL
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.add_session_config_entry("session.inter_op.allow_spinning", "0")
    options.log_severity_level = 3
    return options


def opened(model: bytes) -> onnxruntime.InferenceSession:
    """Open a network. raises: what onnxruntime raises, which has no common base but Exception."""
    return onnxruntime.InferenceSession(model, one_thread(), providers=["CPUExecutionProvider"])
