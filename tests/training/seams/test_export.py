"""The file of the seam network: what PyTorch and ONNX's reference evaluator say, and a passport that tells of it."""

import hashlib
import json

import numpy as np
import onnx
import torch
from onnx.reference import ReferenceEvaluator

from training.export.runner import open_session
from training.seams.export import seam_model, write_seams
from training.seams.knobs import SeamKnobs
from training.seams.network import SeamNetwork


def test_the_file_says_what_pytorch_and_the_reference_evaluator_say(tmp_path):
    torch.manual_seed(3)
    network = SeamNetwork((8, 8, 8))
    for module in network.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.running_mean.uniform_(-0.3, 0.3)
            module.running_var.uniform_(0.5, 2)
            torch.nn.init.uniform_(module.weight, 0.5, 1.5)
            torch.nn.init.uniform_(module.bias, -0.5, 0.5)
    network.eval()
    picture = np.random.default_rng(1).random((2, 1, 32, 48), np.float32)
    with torch.inference_mode():
        logits, classes = network(torch.from_numpy(picture))
    wanted = torch.sigmoid(logits).numpy(), torch.softmax(classes, 1).numpy()
    model = seam_model(network)
    ran = open_session(model.SerializeToString()).run(["seams", "classes"], {"picture": picture})
    evaluated = ReferenceEvaluator(model).run(["seams", "classes"], {"picture": picture})
    for one, two, three in zip(wanted, ran, evaluated, strict=True):
        np.testing.assert_allclose(two, one, atol=1e-5)
        np.testing.assert_allclose(three, one, atol=1e-5)
    write_seams(network, SeamKnobs(), tmp_path)
    passport = json.loads((tmp_path / "passport.json").read_text())
    content = (tmp_path / "model.onnx").read_bytes()
    assert onnx.load_model_from_string(content) == model
    assert passport["files"]["model.onnx"] == {"sha256": hashlib.sha256(content).hexdigest(), "bytes": len(content)}
    assert passport["recipe"]["composed"]["slant"] == SeamKnobs().composed.slant
