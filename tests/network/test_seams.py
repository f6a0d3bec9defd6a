"""The network that says where digits touch: as ONNX's reference evaluator has it, and open before a caller waits."""

import numpy as np
import onnx
import pytest
from onnx.reference import ReferenceEvaluator

from service.app import create_app
from service.network import seams
from service.network.sessions import Library, Network
from service.settings import SHIPPED_MODELS, Settings
from service.start.warming import warm


@pytest.mark.parametrize("size", [(32, 40), (40, 88)])
def test_it_says_what_the_reference_evaluator_says(size):
    picture = np.random.default_rng(2).random(size, np.float32)
    found = seams.seams_of(picture)
    model = onnx.load(seams.FOLDER / "model.onnx")
    seam, classes = ReferenceEvaluator(model).run(["seams", "classes"], {"picture": picture[None, None]})
    np.testing.assert_allclose(found.seam, seam[0, 0], atol=1e-5)
    np.testing.assert_allclose(found.classes, classes[0], atol=1e-5)
    np.testing.assert_allclose(found.classes.sum(axis=0), 1, atol=1e-5)


def test_it_is_open_before_a_worker_listens():
    seams._session.cache_clear()
    library = Library([Network(SHIPPED_MODELS / "digits" / "1")], "digits")
    warm(create_app(Settings(), library), library.get())
    assert seams._session.cache_info().currsize == 1
