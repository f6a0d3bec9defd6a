"""The walk back from a score to the picture, compiled: a second ONNX graph beside a network's own."""
