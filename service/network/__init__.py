"""Everything that runs on onnxruntime: the trained networks, and the engine for callers' filters."""
