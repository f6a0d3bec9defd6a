"""A network as the Open Inference Protocol sees it: its tensors, its configuration, and what it was asked."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from service.api.v2.statistics import Statistics
from service.network.sessions import Network

INPUT = "image"
# What is answered to a request that names no outputs.
DEFAULT_OUTPUTS = ("probabilities", "logits")


@dataclass(frozen=True, slots=True)
class Served:
    """
    One version of one model.

    versions: every version there is of the model; outputs: the shape of every output for one picture, by name;
    maps: which of them are inner maps; statistics: what this process was asked
    """

    network: Network
    versions: Sequence[str]
    outputs: dict[str, tuple[int, ...]]
    maps: frozenset[str]
    statistics: Statistics = field(default_factory=Statistics)

    @classmethod
    def of(cls, network: Network, versions: Sequence[str]) -> "Served":
        """Ask a network for its outputs by running it once."""
        verdicts = network.classify(network.passport.input.blank())
        classes = verdicts.logits.shape[1:]
        outputs = {"probabilities": classes, "logits": classes}
        if verdicts.novelty is not None:
            outputs["novelty"] = ()
        maps = network.passport.map_shapes()
        return cls(network, versions, outputs | maps, frozenset(maps))

    @property
    def image_shape(self) -> list[int]:
        """The shape of one picture: (channels, rows, columns)."""
        return list(self.network.passport.input.shape)

    def metadata(self) -> dict[str, Any]:
        """The tensors, with -1 for the number of pictures."""
        return {
            "name": self.network.name,
            "versions": self.versions,
            "platform": "onnx_onnxv1",
            "inputs": [{"name": INPUT, "datatype": "FP32", "shape": [-1, *self.image_shape]}],
            "outputs": [
                {"name": name, "datatype": "FP32", "shape": [-1, *shape]} for name, shape in self.outputs.items()
            ],
        }

    def config(self, max_batch: int) -> dict[str, Any]:
        """The same in the words of Triton's configuration, whose shapes are those for one picture."""
        return {
            "name": self.network.name,
            "platform": "onnxruntime_onnx",
            "backend": "onnxruntime",
            "version_policy": {"specific": {"versions": [int(self.network.version)]}},
            "max_batch_size": max_batch,
            "input": [{"name": INPUT, "data_type": "TYPE_FP32", "dims": self.image_shape}],
            "output": [_output_config(name, shape) for name, shape in self.outputs.items()],
            "default_model_filename": "model.onnx",
        }

    def counts(self) -> dict[str, Any]:
        """What this process was asked of it."""
        return {"name": self.network.name, "version": self.network.version} | self.statistics.as_members()


def _output_config(name: str, shape: tuple[int, ...]) -> dict[str, Any]:
    members: dict[str, Any] = {"name": name, "data_type": "TYPE_FP32", "dims": list(shape)}
    # There, a tensor has an axis at least; one number for each picture is said so.
    return members if shape else members | {"dims": [1], "reshape": {"shape": []}}
