"""A network of someone else's, an ONNX file, made a model folder: `filterscope adopt`; a child alone opens the file."""
