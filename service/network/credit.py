"""
The walk back of a network, as its third file has it: which parts of a picture its scores are made of, and how much.

credit.onnx is compiled from the network's own operators (service/credit/); here it is only run. It holds gates still as
the picture had them, so that each score is a sum, to rounding:

    score = sum over the picture of gain * number + sum of the biases
    score = sum over a layer's maps of gain * value + its base          for a layer that all credit goes through
"""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import prod

import numpy as np
import onnxruntime

from service.core.errors import NotPossible
from service.network.engine import LastUsed, opened
from service.network.files import CREDIT_FILE, ModelFiles
from service.network.passport import IMAGE, Passport

# What the graph gives out, each followed by a layer's name, or that of a term.
GAINS, FILTERS, BIASES, BASE = "gains/", "filters/", "biases/", "base/"
LOGITS, SEED, ADDED = "logits", "seed", "added"
# Of a run, 32 MiB of them: the engine keeps the memory that its largest run took.
GAINS_PER_RUN = 1 << 23


Graph = tuple[onnxruntime.InferenceSession, Sequence[str]]


@dataclass(frozen=True, slots=True)
class Walked:
    """
    What one walk back found, for each of n scores of one picture.

    logits: (classes,), as this graph computed them
    gains: of `image` and of the layers asked for, (n, channels, rows, columns); times what stands there, the share
    filters: of each convolution that credit goes through, what came down through each filter, (n, filters)
    biases: what the constants of each layer add, by its name, (n,)
    bases: of the layers asked for that all credit goes through, what is added behind them, (n,)
    """

    logits: np.ndarray
    gains: Mapping[str, np.ndarray]
    filters: Mapping[str, np.ndarray]
    biases: Mapping[str, np.ndarray]
    bases: Mapping[str, np.ndarray]


class Creditor:
    """
    Walks one network back.

    The graph is opened when it is first asked for; where it is not there, or not the one of the passport, that is told
    then, and the network answers all else.
    """

    def __init__(self, files: ModelFiles, passport: Passport) -> None:
        self._passport = passport
        # What a run holds grows with its scores: gains of every map for each of them.
        cells = sum(prod(shape) for shape in passport.inner_shapes().values()) + prod(passport.input.shape)
        self._per_run = max(1, GAINS_PER_RUN // cells)
        self._data: bytes | None = files.contents.get(CREDIT_FILE)
        self._fault = self._fault_of(self._data)
        self._found = ""
        self._own: Graph | None = None

    @property
    def fault(self) -> str:
        """Why there is no walk back, as far as is known before it is opened; or nothing."""
        return self._fault or self._found

    @property
    def damage(self) -> str:
        """Why the walk back that its passport tells of cannot be run, as far as is known; or nothing."""
        credit = self._passport.credit
        return "" if credit is None or credit.refused else self.fault

    def can_walk(self) -> bool:
        """Open the graph, if it was not yet; whether it can be run."""
        return not self.fault and not isinstance(self._opened, str)

    @property
    def bytes_to_open(self) -> int:
        """The size of the graph that is opened when it is first asked for; 0 where it is open, or cannot be."""
        is_open = self._own is not None or self in _graphs or self.fault
        return 0 if is_open or self._data is None else len(self._data)

    def walk(
        self, image: np.ndarray, seeds: np.ndarray, layers: Iterable[str] = (), added: np.ndarray | None = None
    ) -> Walked:
        """
        Credit n scores of one picture back.

        image: (channels, rows, columns) float32   seeds: (n, classes), how much of each logit each score has
        layers: whose gains and bases are wanted beside the picture's
        added: (n, filters, rows, columns), further gains at the last layer of `passport.whole`
        raises: NotPossible where there is no walk back
        """
        opened = self.fault or self._opened
        if isinstance(opened, str):
            raise NotPossible(f"{self._passport.name}/{self._passport.version}: {opened}", "/method")
        session, names = opened
        wanted = [GAINS + IMAGE, *(name for name in names if name.startswith((FILTERS, BIASES)))]
        wanted += [kind + layer for layer in layers for kind in (GAINS, BASE) if kind + layer in names]
        parts = []
        for start in range(0, max(1, len(seeds)), self._per_run):
            some = slice(start, start + self._per_run)
            feed = {IMAGE: image[None], SEED: np.ascontiguousarray(seeds[some], np.float32)}
            if added is not None:
                feed[ADDED] = np.ascontiguousarray(added[some], np.float32)
            parts.append(session.run([LOGITS, *wanted], feed))
        logits, *arrays = parts[0]
        if len(parts) > 1:
            arrays = [np.concatenate(each) for each in list(zip(*parts, strict=True))[1:]]
        found = dict(zip(wanted, arrays, strict=True))

        def of(kind: str) -> dict[str, np.ndarray]:
            return {name.removeprefix(kind): array for name, array in found.items() if name.startswith(kind)}

        return Walked(logits[0], of(GAINS), of(FILTERS), of(BIASES), of(BASE))

    def _fault_of(self, data: bytes | None) -> str:
        credit = self._passport.credit
        if credit is None or credit.refused:
            return credit.refused if credit is not None else f"there is no {CREDIT_FILE}, and its passport names none"
        if data is None:
            return f"{CREDIT_FILE}: No such file"
        found, wanted = hashlib.sha256(data).hexdigest(), self._passport.files[CREDIT_FILE].sha256
        return "" if found == wanted else f"{CREDIT_FILE}: SHA-256 is {found}, its passport says {wanted[:64]!r}"

    @property
    def _opened(self) -> Graph | str:
        """The session and the names of what it gives; or why it cannot be opened."""
        if self._passport.is_adopted:
            return _graphs.of(self, self._open)
        if self._own is None and not self.fault:
            graph = self._open()
            self._own = None if isinstance(graph, str) else graph
            self._data = None
        return self._own or self.fault

    def _open(self) -> Graph | str:
        graph = self._opened_anew()
        self._found = graph if isinstance(graph, str) else ""
        return graph

    def _opened_anew(self) -> Graph | str:
        data = self._data
        if self._fault or data is None:
            return self._fault
        try:
            session = opened(data)
            names = [output.name for output in session.get_outputs()]
            fault = self._misfit(session, names)
        except Exception as error:  # noqa: BLE001  # onnxruntime's have no common base but this
            return f"{CREDIT_FILE} cannot be run: {' '.join(str(error).split())[:300]}"
        return f"{CREDIT_FILE}: {fault}" if fault else (session, names)

    def _misfit(self, session: onnxruntime.InferenceSession, names: Sequence[str]) -> str:
        """What the graph gives that is not what its passport says, or nothing."""
        classes, credit = len(self._passport.labels), self._passport.credit
        layers = {layer.name: layer.shape for layer in self._passport.layers}
        wanted = {LOGITS: (1, classes), GAINS + IMAGE: (1, *self._passport.input.shape)}
        if credit is not None:
            wanted |= {GAINS + name: (1, *layers[name]) for name in credit.exactness if name != IMAGE}
            wanted |= {BASE + name: (1,) for name in credit.whole}
        for name in names:
            if name.startswith(BIASES):
                wanted[name] = (1,)
            elif name.startswith(FILTERS):
                wanted[name] = (1, *layers.get(name.removeprefix(FILTERS), ())[:1])
        for name in wanted:
            if name not in names:
                return f"it does not give {name}"
        feed = {IMAGE: self._passport.input.blank(), SEED: np.zeros((1, classes), np.float32)}
        for (name, shape), array in zip(wanted.items(), session.run(list(wanted), feed), strict=True):
            if array.shape != shape:
                return f"{name} is {array.shape}, its passport says {shape}"
        return ""


_graphs: LastUsed[Graph | str] = LastUsed()
