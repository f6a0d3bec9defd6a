"""A network on its way to be walked back: what is known of its tensors, and the nodes that the rules add."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import onnxruntime
from numpy.typing import ArrayLike
from onnx import GraphProto, ModelProto, NodeProto, TensorProto, ValueInfoProto, helper, numpy_helper

from service.network.engine import one_thread

# Before every name that is made here, so that none of a network's own is among them.
MADE = "credit/"
# What looks at the form of a tensor, and not at what stands in it.
OF_FORM = {"Shape", "Size", "ConstantOfShape"}


class NoCredit(Exception):
    """A network whose scores cannot be credited back to the picture, and why, in one line."""


@dataclass(frozen=True, slots=True)
class Term:
    """
    What constants of one place add to each score.

    tensor: (scores,); made: what they are added in, by the node of that index; name: of the layer, or nothing
    """

    tensor: str
    made: str
    index: int
    name: str


@dataclass(slots=True)
class Walk:
    """
    One network, of which every tensor is known for one picture, and the graph of its walk back under construction.

    A tensor of the picture has the shape (1, ...); what is credited to it, its gain for each of n scores, (n, ...).

    image, scores: the tensors where the walk ends and begins; picture: (channels, rows, columns)
    names: of terms, by the tensor that a node makes
    values: what stands in the tensors that are not made of the picture; shapes: of every tensor
    given, gated, givers: what was handed down to each tensor, whether a gate was held on the way, and from where
    named: what the graph gives out
    """

    model: ModelProto
    image: str
    scores: str
    names: Mapping[str, str]
    picture: Sequence[int]
    shapes: dict[str, tuple[int, ...]] = field(init=False)
    values: dict[str, np.ndarray] = field(init=False)
    makers: dict[str, tuple[int, NodeProto]] = field(init=False)
    of_picture: set[str] = field(init=False)
    nodes: list[NodeProto] = field(init=False, default_factory=list)
    added: list[TensorProto] = field(init=False, default_factory=list)
    given: dict[str, list[str]] = field(init=False, default_factory=dict)
    gated: dict[str, bool] = field(init=False, default_factory=dict)
    givers: dict[str, list[str]] = field(init=False, default_factory=dict)
    terms: list[Term] = field(init=False, default_factory=list)
    named: list[str] = field(init=False, default_factory=list)
    at: NodeProto = field(init=False, default_factory=NodeProto)
    _is_gated: bool = field(init=False, default=False)

    def __post_init__(self) -> None:
        graph = self.model.graph
        self.makers = {name: (index, node) for index, node in enumerate(graph.node) for name in node.output if name}
        self.of_picture = {self.image}
        for node in graph.node:
            if node.op_type not in OF_FORM and self.of_picture.intersection(node.input):
                self.of_picture.update(filter(None, node.output))
        names = [name for node in graph.node for name in node.output if name]
        shape = (1, *self.picture)
        arrays = run_once(self.model, names, {self.image: np.full(shape, 0.5, np.float32)})
        found = dict(zip(names, arrays, strict=True))
        found |= {each.name: numpy_helper.to_array(each) for each in graph.initializer}
        self.shapes = {name: array.shape for name, array in found.items()} | {self.image: shape}
        self.values = {name: array for name, array in found.items() if name not in self.of_picture}

    @property
    def graph(self) -> GraphProto:
        """The network's own graph."""
        return self.model.graph

    # --- what is known of the node at which the walk is ---------------------------------------------------------------

    def begin(self, node: NodeProto, *, is_gated: bool) -> None:
        """Be at a node; is_gated: whether a gate was held between it and the scores."""
        self.at, self._is_gated = node, is_gated

    def attribute(self, name: str, default: Any = None) -> Any:
        """An attribute of the node."""
        for each in self.at.attribute:
            if each.name == name:
                return helper.get_attribute_value(each)
        return default

    def known(self, index: int) -> np.ndarray:
        """The constant that the node reads as its input of that index. raises: NoCredit where it is none."""
        if self.at.input[index] in self.of_picture:
            raise self.refused("what it reads beside a map is made of the picture too")
        return self.values[self.at.input[index]]

    def refused(self, why: str = "") -> NoCredit:
        """There is no rule for the node, and why."""
        return NoCredit(f"no rule for {self.at.op_type}{why and ': '}{why}")

    def origin(self, tensor: str, *through: str) -> str:
        """The tensor that another one is but in name, or laid out anew by some operators."""
        while self.made_by(tensor) in {"Identity", *through}:
            tensor = self.makers[tensor][1].input[0]
        return tensor

    def behind(self, tensor: str) -> set[int]:
        """The nodes that a tensor is made by, by index."""
        waiting, found = [tensor], set()
        while waiting:
            index, node = self.makers.get(waiting.pop(), (-1, NodeProto()))
            if index >= 0 and index not in found:
                found.add(index)
                waiting.extend(node.input)
        return found

    def descends(self, tensor: str, other: str) -> bool:
        """Whether a tensor is made of another one."""
        waiting, seen = [tensor], set()
        first = self.makers[other][0] if other in self.makers else -1
        while waiting:
            name = waiting.pop()
            if name == other:
                return True
            index, node = self.makers.get(name, (-1, NodeProto()))
            if index > first and index not in seen:
                seen.add(index)
                waiting.extend(node.input)
        return False

    def made_by(self, tensor: str) -> str:
        """The operator that makes a tensor; nothing where it is an input or a constant."""
        return self.makers[tensor][1].op_type if tensor in self.makers else ""

    # --- what a rule adds ---------------------------------------------------------------------------------------------

    def add(self, op: str, *inputs: str, **attributes: object) -> str:
        """Add a node of one output; its name."""
        return self.add_all(op, inputs, 1, **attributes)[0]

    def add_all(self, op: str, inputs: Sequence[str], outputs: int, **attributes: object) -> list[str]:
        """Add a node of several outputs; their names."""
        names = [f"{MADE}{len(self.nodes)}" + (f"/{index}" if index else "") for index in range(outputs)]
        self.nodes.append(helper.make_node(op, list(inputs), names, name=names[0], **attributes))  # type: ignore[arg-type]
        return names

    def constant(self, value: ArrayLike, kind: type = np.float32) -> str:
        """Add a constant; its name."""
        name = f"{MADE}constant/{len(self.added)}"
        self.added.append(numpy_helper.from_array(np.ascontiguousarray(np.asarray(value, kind)), name))
        return name

    def number(self, value: ArrayLike) -> str:
        """Add a constant of which the walk knows, as it does of the network's own; its name."""
        name = self.constant(value)
        self.values[name] = np.asarray(value, np.float32)
        self.shapes[name] = self.values[name].shape
        return name

    def whole(self, *values: int) -> str:
        """Add a constant of whole numbers, as shapes and axes are."""
        return self.constant(values, np.int64)

    def shaped(self, gains: str, shape: Sequence[int]) -> str:
        """The same numbers as (n, *shape)."""
        return self.add("Reshape", gains, self.whole(-1, *shape))

    def zeros(self, shape: Sequence[int]) -> str:
        """Zeros, (n, *shape)."""
        count = self.add("Shape", "seed", start=0, end=1)
        whole = self.add("Concat", count, self.whole(*shape), axis=0)
        return self.add("ConstantOfShape", whole)

    def summed(self, gains: str, axes: Sequence[int], *, is_kept: bool = True) -> str:
        """Sums over axes."""
        return self.add("ReduceSum", gains, self.whole(*axes), keepdims=int(is_kept)) if axes else gains

    def name(self, tensor: str, name: str) -> str:
        """Give a tensor out under a name; the name."""
        self.nodes.append(helper.make_node("Identity", [tensor], [name], name=name))
        self.named.append(name)
        return name

    # --- where a rule hands credit to ---------------------------------------------------------------------------------

    def give(self, tensor: str, gains: str, *, is_gate: bool = False) -> None:
        """Hand gains, (n, ...), down to a tensor; is_gate: whether something was held still for that."""
        if self.shapes[tensor][:1] != (1,):
            raise self.refused("the axis of the pictures is joined with another")
        self.given.setdefault(tensor, []).append(gains)
        # Of several outputs of a node the others are of it as the first is.
        self.givers.setdefault(tensor, []).extend(name for name in self.at.output if name in self.given)
        self.gated[tensor] = self.gated.get(tensor, False) or self._is_gated or is_gate

    def give_part(self, tensor: str, gains: str, *, is_gate: bool = False) -> None:
        """The same to a tensor that was spread over the node's first output: what its copies have is added up."""
        self.give(tensor, self._gathered(gains, self.shapes[tensor]), is_gate=is_gate)

    def owe(self, gains: str, constant: str) -> None:
        """Note what a constant, of a shape that spreads over the node's first output, adds to each score."""
        if not self.values[constant].any():
            return
        made = self.shapes[self.at.output[0]]
        shape = (1,) * (len(made) - len(self.shapes[constant])) + self.shapes[constant]
        each = self.add("Mul", self._gathered(gains, shape), constant)
        self.owe_sum(each, len(made))

    def owe_sum(self, parts: str, axes: int) -> None:
        """Note what constants add to each score, in parts, (n, ...) of so many axes."""
        if axes > 1:
            parts = self.summed(parts, range(1, axes), is_kept=False)
        output = self.at.output[0]
        # A constant that is added by an operator of its own belongs to the layer before it.
        before = (name for name in self.at.input if name in self.of_picture)
        name = next((self.names[each] for each in (output, *before) if each in self.names), "")
        self.terms.append(Term(parts, output, self.makers[output][0], name))

    def _gathered(self, gains: str, shape: Sequence[int]) -> str:
        """Sums over the axes along which a tensor of that shape was spread over the node's first output."""
        made = self.shapes[self.at.output[0]]
        if len(shape) != len(made):
            raise self.refused("the axis of the pictures is joined with another")
        axes = [axis for axis in range(1, len(made)) if shape[axis] == 1 < made[axis]]
        return self.summed(gains, axes)


def run_once(model: ModelProto, names: Sequence[str], feed: Mapping[str, np.ndarray]) -> list[np.ndarray]:
    """Run a graph for tensors of it, whose types onnxruntime finds itself. raises: NoCredit."""
    more = ModelProto()
    more.CopyFrom(model)
    del more.graph.output[:]
    more.graph.output.extend(ValueInfoProto(name=name) for name in names)
    try:
        session = onnxruntime.InferenceSession(
            more.SerializeToString(), one_thread(), providers=["CPUExecutionProvider"]
        )
        return list(session.run(list(names), dict(feed)))
    except Exception as error:  # onnxruntime's exceptions have no common base but this
        raise NoCredit(f"onnxruntime cannot run it: {error}") from error
