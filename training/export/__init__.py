"""
From a fitted network to a model folder: calibrated, written as ONNX, checked, with its passport.

Words:

    model folder     model.onnx, analysis.onnx, credit.onnx and passport.json, as the service reads them
    lean, analysis   the file that answers and no more, and its twin that gives every inner map and weight
    credit           the file that walks back from a score to the picture
    passport         what a model says of itself: layers, labels, accuracy, calibration, the digests of its files
    temperature      what logits are divided by, so that answers are as sure as they are right
    doubt            how far probabilities are drawn towards an even share, by the strangeness of the picture
"""
