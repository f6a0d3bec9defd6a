"""
The canonical form: a graph of few operators, as onnxruntime's own basic optimiser leaves it, with its answer found.

The optimiser folds constants, batch norms and dropout, and gives ONNX's own operators back. What it leaves is frozen
here and served from then on, so that the names of layers do not change with a later onnxruntime.
"""

import math
import re
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from statistics import median
from typing import Literal, NamedTuple

import numpy as np
import onnx
import onnxruntime
from onnx import ModelProto, NodeProto, TensorProto, helper, numpy_helper

from service.adopt.asked import AdoptionOptions, Refused
from service.adopt.foreign import ForeignModel
from service.network.engine import one_thread
from service.network.passport import MOST_CLASSES

# The files that are written may be as large; a small file may unfold into more.
MOST_BYTES = 256 << 20
# Between answers of which only rounding may differ, as a share of the largest.
TOLERANCE = 1e-4
SUBGRAPHS = ("Loop", "If", "Scan", "SequenceMap")
# What only lays numbers out anew, so that softmax may lie before it.
LAYING_OUT = ("Identity", "Reshape", "Flatten", "Squeeze", "Unsqueeze", "Dropout")
LEAST_PROBABILITY = 1e-30
RUNS, LONG_RUN_SECONDS = 5, 0.5

Arrays = Mapping[str, np.ndarray]


Answers = Literal["logits", "logsoftmax", "softmax", "probabilities"]


class Canonical(NamedTuple):
    """
    A graph whose one input still wants its own numbers, and where its answer is.

    output: as it came; logits: the tensor whose softmax the probabilities are, or the probabilities themselves
    answers: what `output` tells: logits, log probabilities or probabilities, those by softmax or not
    batch: `n`, any number of pictures, or 1, where that is baked in
    """

    model: ModelProto
    source: ForeignModel
    output: str
    logits: str
    answers: Answers
    classes: int
    batch: int | str


def canonical_of(source: ForeignModel, asked: AdoptionOptions, numbers: np.ndarray) -> Canonical:
    """
    Bring a network to its canonical form and find its answer.

    numbers: (n, ...), as its input wants them, of at least three different pictures
    raises: Refused
    """
    model = _optimised(source.model, Path(asked.folder))
    if odd := sorted({node.op_type for node in model.graph.node if node.op_type in SUBGRAPHS}):
        raise Refused(f"{', '.join(odd)}: a network that takes the same way for every picture is wanted")
    model, found, batch = _with_free_batch(model, source, numbers)
    output = _choose_output(found, asked)
    logits, answers = _before_softmax(model, output)
    answer = found[output].reshape(len(numbers), -1)
    if not np.isfinite(answer).all():
        raise Refused(f"output {output} is not finite on pictures: the numbers it wants are others, or it is damaged")
    if answers == "logits" and (answer >= 0).all() and np.allclose(answer.sum(axis=1), 1, atol=1e-3):
        answers = "probabilities"
    elif answers == "logits" and _producer(model, output, LAYING_OUT).op_type == "Sigmoid":
        raise Refused(
            f"output {output} is a sigmoid of each class by itself: probabilities that add up to 1 are wanted"
        )
    return Canonical(model, source, output, logits, answers, answer.shape[1], batch)


def open_foreign(model: ModelProto | bytes) -> onnxruntime.InferenceSession:
    """Open a network that came from someone. raises: Refused, with onnxruntime's reason."""
    data = model if isinstance(model, bytes) else model.SerializeToString()
    try:
        return onnxruntime.InferenceSession(data, one_thread(), providers=["CPUExecutionProvider"])
    except Exception as error:  # onnxruntime's exceptions have no common base but this
        raise Refused(f"onnxruntime cannot open it: {plain(f'{error}')}") from error


def run_each(
    session: onnxruntime.InferenceSession, names: Sequence[str], feed: str, arrays: np.ndarray, batch: int | str
) -> list[np.ndarray]:
    """Run a network that came from someone on all of `arrays`: at once, or one by one where its batch is 1."""
    if batch == "n":
        return run_foreign(session, names, {feed: arrays})
    runs = [run_foreign(session, names, {feed: each[None]}) for each in arrays]
    return [np.concatenate(each) for each in zip(*runs, strict=True)]


def run_foreign(session: onnxruntime.InferenceSession, names: Sequence[str] | None, feed: Arrays) -> list[np.ndarray]:
    """Run a network that came from someone. raises: Refused, with onnxruntime's reason."""
    try:
        return list(session.run(names, feed))
    except Exception as error:  # the same
        raise Refused(f"onnxruntime cannot run it: {plain(f'{error}')}") from error


def plain(reason: str) -> str:
    """
    Give onnxruntime's reason without what is about onnxruntime.

    >>> plain("[ONNXRuntimeError] : 1 : FAIL : /a/b.cc:12 onnxruntime::F() bad axis")
    'bad axis'
    """
    text = re.sub(r"\[ONNXRuntimeError\] : \d+ : \w+ : ", "", reason)
    return " ".join(word for word in text.split() if not _is_of_its_code(word))[:300]


def _is_of_its_code(word: str) -> bool:
    """Whether a word names a place or a function of onnxruntime's source."""
    return word.startswith("onnxruntime::") or bool(re.match(r"[^:]*[.](cc|h):\d+$", word))


def _optimised(model: ModelProto, folder: Path) -> ModelProto:
    options = one_thread()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_BASIC
    path = folder / "canonical.onnx"
    options.optimized_model_filepath = str(path)
    try:
        onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
        optimised = onnx.load_model(path)
    except Exception as error:  # onnxruntime's exceptions have no common base but this
        raise Refused(f"onnxruntime cannot open it: {plain(f'{error}')}") from error
    finally:
        path.unlink(missing_ok=True)
    del optimised.graph.value_info[:]
    return optimised


def _with_free_batch(
    model: ModelProto, source: ForeignModel, numbers: np.ndarray
) -> tuple[ModelProto, dict[str, np.ndarray], int | str]:
    """
    The network that answers three pictures as it answers each of them, and its answers to all of `numbers`.

    A Reshape to a batch that was baked in is freed. Where more depends on a batch of 1, pictures are run one by one;
    what depends on another is refused. returns: the network, its answers by output, and `n` or 1
    """
    baked = source.batch or 1
    reasons = []
    one_by_one: tuple[ModelProto, dict[str, np.ndarray], int | str] | None = None
    for candidate in filter(None, (model, _reshaped(model, baked))):
        names = [output.name for output in candidate.graph.output]
        try:
            session = open_foreign(candidate)
            singles = [run_foreign(session, names, {source.image: each[None]}) for each in numbers]
            found = {name: np.concatenate(each) for name, *each in zip(names, *singles, strict=True) if each[0].ndim}
            if source.batch == 1:
                one_by_one = one_by_one or (candidate, found, 1)
            several = run_foreign(session, names, {source.image: numbers[:3]})
        except Refused as reason:
            reasons.append(str(reason))
            continue
        apart = max(
            (difference(array, found[name][:3]) for name, array in zip(names, several, strict=True) if name in found),
            default=0.0,
        )
        if apart <= TOLERANCE:
            return candidate, found, "n"
        reasons.append(f"its answers to three pictures differ from those to each by {apart:.2g}")
    if one_by_one is not None:
        return one_by_one
    baked_in = (
        f"; a batch of {source.batch} is baked in: export it with a free one (dynamic axes)" if source.batch else ""
    )
    raise Refused(f"{reasons[0]}{baked_in}")


def _reshaped(model: ModelProto, batch: int) -> ModelProto | None:
    """The same with every constant target of a Reshape that begins with the baked batch freed; None without one."""
    freed = ModelProto()
    freed.CopyFrom(model)
    constants = {each.name: each for each in freed.graph.initializer}
    is_other = False
    for index, node in enumerate(freed.graph.node):
        if node.op_type != "Reshape" or node.input[1] not in constants or node.input[0] in constants:
            continue
        target = numpy_helper.to_array(constants[node.input[1]]).copy()
        if target.size and target[0] == batch:
            target[0] = 0 if -1 in target else -1
            name = f"{node.input[1]}/free/{index}"
            freed.graph.initializer.append(numpy_helper.from_array(target, name))
            node.input[1] = name
            is_other = True
    return freed if is_other else None


def difference(found: np.ndarray, wanted: np.ndarray) -> float:
    """The largest difference, as a share of the largest number, or of 1 where that is less."""
    if found.shape != wanted.shape:
        return math.inf
    if np.array_equal(found, wanted, equal_nan=found.dtype.kind == "f"):
        return 0.0
    with np.errstate(invalid="ignore"):
        apart = np.abs(found.astype(np.float64) - wanted).max(initial=0)
    share = float(apart / max(1.0, float(np.abs(wanted.astype(np.float64)).max(initial=0))))
    return share if math.isfinite(share) else math.inf


def _choose_output(found: Arrays, asked: AdoptionOptions) -> str:
    """The output that tells the classes; Refused where that cannot be known."""
    shapes = {name: _classes(array) for name, array in found.items()}
    listed = ", ".join(f"{name} [n, {', '.join(map(str, array.shape[1:]))}]" for name, array in found.items())
    if asked.output is not None:
        if shapes.get(asked.output) is None:
            raise Refused(f"--output {asked.output} is not among the outputs that tell classes; there is: {listed}")
        return asked.output
    usable = [name for name, classes in shapes.items() if classes is not None]
    if len(usable) > 1 and asked.labels is not None:
        usable = [name for name in usable if shapes[name] == len(asked.labels)] or usable
    if len(usable) == 1:
        return usable[0]
    if usable:
        raise Refused(f"{len(usable)} outputs tell classes: name one, as in --output {usable[0]}; there is: {listed}")
    of_pictures = any(array.ndim == 4 for array in found.values())
    is_picture = "a picture: " if of_pictures else ""
    raise Refused(f"outputs {listed}: {is_picture}a classifier gives [n, classes], 2 to {MOST_CLASSES} of them")


def _classes(array: np.ndarray) -> int | None:
    """How many classes an output tells; None where it tells none."""
    sides = [side for side in array.shape[1:] if side != 1]
    is_one = array.dtype.kind == "f" and len(sides) == 1 and 2 <= sides[0] <= MOST_CLASSES
    return sides[0] if is_one else None


def _producer(model: ModelProto, tensor: str, through: Sequence[str]) -> NodeProto:
    """The node that makes a tensor, found through nodes of some kinds; an empty one where it is an input."""
    made = {output: node for node in model.graph.node for output in node.output}
    node: NodeProto = made.get(tensor, NodeProto())
    while node.op_type in through and node.input[0] in made:
        node = made[node.input[0]]
    return node


def _before_softmax(model: ModelProto, output: str) -> tuple[str, Answers]:
    last = _producer(model, output, LAYING_OUT)
    if last.op_type == "Softmax":
        return last.input[0], "softmax"
    return (last.input[0], "logsoftmax") if last.op_type == "LogSoftmax" else (output, "logits")


def told(canonical: Canonical, verdicts: Arrays) -> np.ndarray:
    """What the output as it came would be, from probabilities and logits: (n, classes)."""
    if canonical.answers == "logits":
        return verdicts["logits"]
    found = verdicts["probabilities"]
    return np.log(np.maximum(found, LEAST_PROBABILITY)) if canonical.answers == "logsoftmax" else found


def milliseconds(work: Callable[[], object]) -> float:
    """
    How much CPU something takes in this thread, the median of a few times.

    Networks run in the thread that asks. The clock of the whole process would count in ticks of 1 to 10 ms once the
    process has a limit of CPU time, as that of adopting has.
    """
    seconds: list[float] = []
    while len(seconds) < RUNS and sum(seconds) < LONG_RUN_SECONDS:
        started = time.thread_time()
        work()
        seconds.append(time.thread_time() - started)
    return round(1000 * median(seconds), 3)


def fixed(name: str, array: np.ndarray) -> TensorProto:
    """A constant of a graph."""
    return numpy_helper.from_array(np.ascontiguousarray(array), name)


def node(op: str, inputs: Sequence[str], output: str, **attributes: object) -> NodeProto:
    """A node of a graph with one output."""
    return helper.make_node(op, list(inputs), [output], name=output, **attributes)  # type: ignore[arg-type]
