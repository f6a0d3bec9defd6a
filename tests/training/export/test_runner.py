"""A model file is run in batches."""

import numpy as np

from service.settings import SHIPPED_MODELS
from training.export import runner
from training.export.runner import open_session, run_all


def test_batches_of_any_size_give_every_image_its_own_answer(monkeypatch):
    images = np.random.default_rng(1).random((7, 1, 28, 28)).astype(np.float32)
    path = SHIPPED_MODELS / "tiny" / "1" / "model.onnx"
    session = open_session(path)
    alone = np.concatenate([session.run(["logits"], {"image": image[None]})[0] for image in images])
    for size in (1, 3, 7, 100):
        monkeypatch.setattr(runner, "_BATCH", size)
        for opened in (session, open_session(path.read_bytes())):
            np.testing.assert_allclose(run_all(opened, images, ["logits"])["logits"], alone, atol=1e-5)
