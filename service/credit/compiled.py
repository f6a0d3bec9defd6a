"""
A network's walk back as a graph of its own, so that it needs no autograd: onnxruntime alone runs it.

From `image`, (1, channels, rows, columns), and `seed`, (n, classes), which says of which logits each of n scores is
made, it finds the numbers by which the scores come apart. service/network/credit.py reads them.
"""

from collections.abc import Callable, Mapping, Sequence
from functools import reduce
from typing import Any, NamedTuple

import numpy as np
from onnx import ModelProto, NodeProto, TensorProto, helper, numpy_helper, version_converter

from service.credit.rules import RULES
from service.credit.walk import NoCredit, Walk
from service.network.passport import IMAGE

# Bumped when a rule changes: a graph that was made by other rules says so.
RULES_VERSION = "1"
# The oldest opset that has what the rules add, and what older graphs are converted to.
OLDEST_OPSET, CONVERTED_TO = 16, 17
STANDARD = ("", "ai.onnx")
MOST_NODES = 10_000
SEED, ADDED, LOGITS = "seed", "added", "logits"


class CompiledCredit(NamedTuple):
    """
    The graph of a walk back, and what is known of it.

    exactness: of `image`, and of each layer with maps that credit goes through: `global` where what follows is linear
    whatever the picture, `gates` where gates were held as this picture had them
    whole: those layers that all of the credit goes through, in network order
    """

    model: ModelProto
    exactness: dict[str, str]
    whole: tuple[str, ...]

    @property
    def told(self) -> dict[str, Any]:
        """What a passport says of it."""
        return {"rules": RULES_VERSION, "exactness": self.exactness, "whole": list(self.whole)}


def compile_credit(
    model: ModelProto,
    layers: Mapping[str, Sequence[str]],
    image: Sequence[int],
    told: Callable[[str], str] = str,
) -> CompiledCredit:
    """
    Compile the walk back of a network, whose input is `image` and whose scores are `logits`, (n, classes).

    layers: by name, the tensors of their maps in order: what its operator makes, and what the next layer reads
    image: (channels, rows, columns); told: what the constants are called that a tensor of no layer is made with
    raises: NoCredit, with the operator that has no rule
    """
    forward = _cut(_current(model))
    if len(forward.graph.node) > MOST_NODES:
        raise NoCredit(f"{len(forward.graph.node)} operators: at most {MOST_NODES} are walked back")
    walk = Walk(forward, IMAGE, LOGITS, {tensors[0]: name for name, tensors in layers.items()}, image)
    if len(walk.shapes[LOGITS]) != 2 or walk.shapes[LOGITS][0] != 1:
        raise NoCredit(f"its logits have the shape {list(walk.shapes[LOGITS])}")
    shown = {tensors[-1]: name for name, tensors in layers.items() if len(walk.shapes.get(tensors[-1], ())) == 4}
    filters = {tensors[0]: name for name, tensors in layers.items() if len(tensors) > 1}
    _hand_down(walk, shown, filters)
    passed = {name: tensor for tensor, name in shown.items() if tensor in walk.given}
    through = _through(walk)
    whole = tuple(name for name, tensor in passed.items() if tensor in through)
    _sum_terms(walk, {name: passed[name] for name in whole}, told)
    if whole:
        _let_in(walk, whole[-1])
    words = {name: "gates" if walk.gated[tensor] else "global" for name, tensor in [(IMAGE, IMAGE), *passed.items()]}
    return CompiledCredit(_built(walk, passed, whole), words, whole)


def _hand_down(walk: Walk, shown: Mapping[str, str], filters: Mapping[str, str]) -> None:
    """
    Hand the scores' gains down, an operator after the other, the last first.

    shown, filters: by tensor, the layer whose gains, and whose filters' shares, the graph gives
    """
    walk.begin(NodeProto(), is_gated=False)
    walk.give(LOGITS, SEED)
    for node in reversed(walk.graph.node):
        gains = [_collected(walk, name, shown) if name in walk.given else "" for name in node.output]
        if not any(gains):
            continue
        walk.begin(node, is_gated=any(walk.gated.get(name, False) for name in node.output))
        if node.op_type not in RULES or node.domain not in STANDARD:
            raise walk.refused()
        if node.output[0] in filters:
            each = walk.add("Mul", gains[0], node.output[0])
            walk.name(walk.summed(each, [2, 3], is_kept=False), f"filters/{filters[node.output[0]]}")
        RULES[node.op_type](walk, node, gains)
    if IMAGE not in walk.given:
        raise NoCredit("no credit reaches the picture: all ways to it are gates")
    walk.name(_collected(walk, IMAGE, {}), f"gains/{IMAGE}")


def _collected(walk: Walk, tensor: str, shown: Mapping[str, str]) -> str:
    """All that was handed down to a tensor, added up."""
    given = walk.given[tensor]
    gains = given[0] if len(given) == 1 else walk.add("Sum", *given)
    return walk.name(gains, f"gains/{shown[tensor]}") if tensor in shown else gains


def _through(walk: Walk) -> set[str]:
    """The tensors that all credit goes through on its way to the picture: those that dominate it."""
    above: dict[str, str] = {}
    depth = {LOGITS: 0}
    # Whoever hands down to a tensor is made after it.
    for tensor, givers in sorted(walk.givers.items(), key=lambda each: -walk.makers.get(each[0], (-1,))[0]):
        if tensor == LOGITS:
            continue
        found = reduce(lambda one, other: _meeting(one, other, above, depth), givers)
        above[tensor], depth[tensor] = found, depth[found] + 1
    tensors, tensor = set(), IMAGE
    while tensor in above:
        tensor = above[tensor]
        tensors.add(tensor)
    return tensors


def _meeting(one: str, other: str, above: Mapping[str, str], depth: Mapping[str, int]) -> str:
    """The nearest tensor that all ways to either go through."""
    while one != other:
        if depth[one] >= depth[other]:
            one = above[one]
        else:
            other = above[other]
    return one


def _sum_terms(walk: Walk, whole: Mapping[str, str], told: Callable[[str], str]) -> None:
    """Add the terms up: those of each name, and for each layer that all credit goes through those behind it."""
    names: dict[str, list[str]] = {}
    for term in walk.terms:
        names.setdefault(term.name or told(term.made), []).append(term.tensor)
    for name, tensors in names.items():
        walk.name(_sum_of(walk, tensors), f"biases/{name}")
    for layer, tensor in whole.items():
        before = walk.behind(tensor)
        walk.name(_sum_of(walk, [term.tensor for term in walk.terms if term.index not in before]), f"base/{layer}")


def _sum_of(walk: Walk, tensors: Sequence[str]) -> str:
    return walk.add("Sum", *tensors) if tensors else walk.zeros([])


def _let_in(walk: Walk, layer: str) -> None:
    """Take further gains in at a layer, as the input `added`, which is 0 unless it is fed."""
    at = next(index for index, node in enumerate(walk.nodes) if node.output[0] == f"gains/{layer}")
    walk.nodes[at].CopyFrom(helper.make_node("Add", [walk.nodes[at].input[0], ADDED], [f"gains/{layer}"]))
    walk.added.append(numpy_helper.from_array(np.zeros((1, 1, 1, 1), np.float32), ADDED))


def _built(walk: Walk, passed: Mapping[str, str], whole: Sequence[str]) -> ModelProto:
    """The network's own nodes, then those of the walk."""
    built = ModelProto()
    built.CopyFrom(walk.model)
    graph = built.graph
    graph.name = "credit"
    graph.node.extend(walk.nodes)
    graph.initializer.extend(walk.added)
    classes, image = walk.shapes[LOGITS][1], walk.shapes[IMAGE]
    del graph.input[:]
    graph.input.append(helper.make_tensor_value_info(IMAGE, TensorProto.FLOAT, image))
    graph.input.append(helper.make_tensor_value_info(SEED, TensorProto.FLOAT, ["n", classes]))
    if whole:
        added = ["m", *(f"added{axis}" for axis in range(1, 4))]
        graph.input.append(helper.make_tensor_value_info(ADDED, TensorProto.FLOAT, added))
    del graph.output[:]
    graph.output.append(helper.make_tensor_value_info(LOGITS, TensorProto.FLOAT, [1, classes]))
    for name in walk.named:
        kind, _, of = name.partition("/")
        tensor = {"gains": passed.get(of, IMAGE), "filters": passed.get(of, IMAGE)}.get(kind)
        shape = [] if tensor is None else list(walk.shapes[tensor][1 : 4 if kind == "gains" else 2])
        graph.output.append(helper.make_tensor_value_info(name, TensorProto.FLOAT, ["n", *shape]))
    built.producer_name, built.doc_string = "filterscope", ""
    del built.metadata_props[:]
    built.metadata_props.add(key="credit.rules", value=RULES_VERSION)
    return built


def _current(model: ModelProto) -> ModelProto:
    """The same of an opset that has what the rules add."""
    opset = next((each.version for each in model.opset_import if each.domain in STANDARD), 1)
    if opset >= OLDEST_OPSET:
        return model
    try:
        return version_converter.convert_version(model, CONVERTED_TO)
    except Exception as error:  # of C++, whose errors have no common base
        raise NoCredit(f"opset {opset} is old, and converting it failed: {error}") from error


def _cut(model: ModelProto) -> ModelProto:
    """What of a network its logits are made of."""
    cut = ModelProto()
    cut.CopyFrom(model)
    wanted, kept = {LOGITS}, []
    for node in reversed(model.graph.node):
        if wanted.intersection(node.output):
            wanted.update(node.input)
            kept.append(node)
    del cut.graph.node[:]
    cut.graph.node.extend(reversed(kept))
    weights = [each for each in model.graph.initializer if each.name in wanted]
    del cut.graph.initializer[:]
    cut.graph.initializer.extend(weights)
    del cut.graph.value_info[:]
    return cut
