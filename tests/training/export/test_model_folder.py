"""A model folder is replaced by one that is right, or not at all."""

import numpy as np
import pytest

from training.data.mnist import load_mnist
from training.export import model_folder
from training.export.model_folder import Description, write_model_folder
from training.networks.network import TrainableNetwork
from training.networks.structure import Conv, Pool, Structure


def test_a_wrong_export_is_refused_and_the_former_folder_stays(tmp_path, folder, monkeypatch):
    network, data = TrainableNetwork(Structure((Conv(2, (5, 5), (2, 2)), Pool()))), load_mnist(folder, 100)
    place = tmp_path / "small" / "1"

    def write():
        return write_model_folder(network, data, Description("small", "1", "", 1), place, with_novelty=False)

    written = write()
    assert written.path == place
    before = {path.name: path.read_bytes() for path in place.iterdir()}
    assert set(before) == {"model.onnx", "analysis.onnx", "credit.onnx", "passport.json"}
    fold = model_folder.folded_weights
    monkeypatch.setattr(
        model_folder, "folded_weights", lambda _: {**fold(network), "head.bias": np.arange(10, dtype=np.float32)}
    )
    with pytest.raises(RuntimeError, match="should answer as PyTorch does"):
        write()
    assert {path.name: path.read_bytes() for path in place.iterdir()} == before
    assert [path.name for path in place.parent.iterdir()] == ["1"]
