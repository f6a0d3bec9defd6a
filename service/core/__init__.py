"""The lecture and the digit reader in NumPy: no Flask, no onnxruntime, no Pillow."""
