"""A picture to explain, with everything the network did on its way to the verdict."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from service.core.ledger import Floats, head_weights
from service.core.relevance import ConvPass, LayerPass, PoolPass
from service.lab.changes import Overrides
from service.lab.explain.asked import Asked
from service.lab.explain.cell import MapCell
from service.network.passport import IMAGE, Layer
from service.network.sessions import Network, Verdicts


@dataclass(frozen=True, slots=True)
class Case:
    """
    One picture to explain, and the network, edited or not, as it ran on it.

    picture: (channels, rows, columns)   maps: by name, (filters, rows, columns); every one, of an adopted network those
        that the method needs   weights: every weight by name, edits included; of an adopted network those alone
    logits, probabilities: (classes,)   mean_maps: the mean over a dataset of what the head reads, where it is known
    """

    network: Network
    options: Asked
    picture: np.ndarray
    maps: Mapping[str, np.ndarray]
    weights: Mapping[str, np.ndarray]
    overrides: Overrides
    logits: np.ndarray
    mean_maps: np.ndarray | None

    @property
    def told(self) -> int:
        """The verdict."""
        return int(self.logits.argmax())

    @property
    def target(self) -> int:
        """The class to explain: the verdict unless asked otherwise."""
        return self.told if self.options.target is None else self.options.target

    @property
    def rival(self) -> int | None:
        """The class to compare with; for a margin without one, the strongest other class."""
        if self.options.rival is not None or self.options.score != "margin":
            return self.options.rival
        others = self.logits.astype(np.float64)
        others[self.target] = -np.inf
        return int(others.argmax())

    @property
    def last(self) -> Layer:
        """The layer that the head reads."""
        return self.network.passport.layers[-2]

    @property
    def head_input(self) -> np.ndarray:
        """What the head reads, (filters, rows, columns)."""
        return self.maps[self.last.maps[-1]]

    @property
    def head(self) -> Floats:
        """The head's weights, (classes, filters, rows, columns)."""
        head = self.network.passport.head
        return head_weights(self.weights["head.weight"], head.in_shape, head.reduce)

    def passes(self, down_to: str | None = None) -> Iterator[LayerPass]:
        """The layers below the head, the last first, down to but without the one named."""
        layers = self.network.passport.layers[:-1]
        for index in reversed(range(len(layers))):
            if layers[index].name == down_to:
                return
            yield self.computed(layers[index])

    def read(self, name: str) -> np.ndarray:
        """A tensor that a layer reads, (channels, height, width): a map, another that was kept, or the picture."""
        return self.picture if name == IMAGE else self.maps[name]

    def cell(self, layer: Layer, place: tuple[int, ...]) -> MapCell:
        """A cell of a layer's map, (filter, row, column), with what the layer reads."""
        k, row, column = place
        sources = [self.read(name) for name in self.network.passport.tensors_of(layer)]
        if layer.op != "conv":
            return MapCell(layer, (k, row, column), sources)
        own = self.weights if f"{layer.name}.weight" in self.weights else self.network.weights
        weights, biases = (own[f"{layer.name}.{part}"] for part in ("weight", "bias"))
        return MapCell(layer, (k, row, column), sources, weights[k], biases[k])

    def told_by(self, pool: Layer) -> np.ndarray:
        """
        What tells the winner of a maximum, (channels, height, width).

        Every activation of our networks rises with its sum, so the largest sum wins a maximum too; and where tanh has
        flattened two sums to one value, the sums still tell them apart.
        """
        (name,) = self.network.passport.tensors_of(pool)
        sums = f"{name.removesuffix('.act')}.pre"
        return self.maps[sums] if sums in self.maps and not self.network.passport.is_adopted else self.read(name)

    def computed(self, layer: Layer) -> LayerPass:
        """One layer as it was computed on this picture."""
        if layer.op == "conv":
            weights, biases = (self.weights[f"{layer.name}.{part}"] for part in ("weight", "bias"))
            channels, height, width = layer.in_shape
            return ConvPass(
                layer.name,
                weights,
                biases,
                layer.stride,
                layer.pads,
                layer.activation,
                self.maps[f"{layer.name}.pre"],
                (channels, height, width),
            )
        kind = layer.op.removesuffix("pool")
        return PoolPass(layer.name, kind, layer.kernel, layer.stride, layer.pads, self.told_by(layer))


def verdicts_of(network: Network, images: np.ndarray, overrides: Overrides) -> Verdicts:
    """The verdicts of a network, edited or not."""
    return network.analyse(images, [], overrides)[0] if overrides else network.classify(images)
