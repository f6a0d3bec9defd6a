"""From a fitted network to a model folder: calibrated, written as ONNX, checked, with its passport."""
