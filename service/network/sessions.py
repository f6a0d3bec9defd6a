"""
The trained networks: each model's onnxruntime sessions, lean and analysis, and its walk back.

onnxruntime runs the whole graph, whatever output is asked for. So classifying runs the lean file, whose only outputs
are the verdict. Explaining runs the analysis file, in which every inner map is an output and every weight an input.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache, partial, wraps
from math import prod
from pathlib import Path
from typing import Any, Concatenate, ParamSpec, TypeVar, cast

import msgspec
import numpy as np
import onnxruntime

from service.core.errors import NotFound, NotPossible
from service.network.credit import Creditor
from service.network.engine import LastUsed, opened
from service.network.files import ANALYSIS_FILE, CARD_FILE, MODEL_FILE, REPORT_FILE, BadModel, ModelFiles, read_folder
from service.network.folders import check_default
from service.network.history import read_history
from service.network.passport import Field, Layer, Passport, decode_plain, read_passport, receptive_fields

# Batches are cut into runs of this many pictures: enough to be as fast as one run of all of them, and the inner
# tensors of a run stay within a few megabytes.
PICTURES_PER_RUN = 32
# The same for a network with so many inner numbers that fewer pictures fill as much, 8 MiB: what is larger leaves the
# processor's cache and is mapped anew each time, and a picture of 224 x 224 then takes up to 1.8 times as long.
NUMBERS_PER_RUN = 1 << 21

# What the analysis file calls its weights, as outputs.
WEIGHTS = "weights/"

# The two files hold the same weights but may be fused differently; float32 rounding is the only difference allowed.
LARGEST_LOGIT_DIFFERENCE = 1e-4


@dataclass(frozen=True, slots=True)
class Verdicts:
    """
    What a network says of n pictures.

    classes: the most probable of each; probabilities, logits: (n, classes) float32; novelty: (n,) float32, or
    None where the network does not measure it
    """

    classes: list[int]
    probabilities: np.ndarray
    logits: np.ndarray
    novelty: np.ndarray | None

    def doubts(self, passport: Passport) -> list[float]:
        """How much of the probabilities was given back evenly, since a picture is unlike a digit; 0 to 1 for each."""
        doubt = passport.calibration.doubt
        if self.novelty is None or doubt is None:
            return [0.0] * len(self.classes)
        return [doubt.of(novelty) for novelty in self.novelty.tolist()]


class Analysis:
    """A network with every inner map as an output, and weights as inputs."""

    def __init__(self, files: ModelFiles, passport: Passport) -> None:
        self.session = _open_session(files, ANALYSIS_FILE)
        self.inputs = frozenset(each.name for each in self.session.get_overridable_initializers())
        self._blank = passport.input.blank()

    @property
    def weight_shapes(self) -> dict[str, tuple[int, ...]]:
        """The shape of every weight and bias by name; none of them is loaded for that."""
        outputs = {each.name: each.shape for each in self.session.get_outputs() if each.name.startswith(WEIGHTS)}
        return {name.removeprefix(WEIGHTS): tuple(shape) for name, shape in outputs.items()}

    @cached_property
    def weights(self) -> dict[str, np.ndarray]:
        """Every weight and bias by name."""
        names = list(self.weight_shapes)
        if not names:
            return {}
        arrays = self.session.run([WEIGHTS + name for name in names], {"image": self._blank})
        return dict(zip(names, arrays, strict=True))


_analyses: LastUsed[Analysis] = LastUsed()
OfNetwork = TypeVar("OfNetwork")
Further = ParamSpec("Further")


class Network:
    """
    One version of one model.

    source: its files, or the folder that holds them: model.onnx, analysis.onnx and passport.json, and maybe
        credit.onnx, report.json, card.json and history.npz
    raises: BadModel when a file is missing, was changed, or the two networks disagree
    """

    def __init__(self, source: ModelFiles | Path) -> None:
        files = read_folder(source) if isinstance(source, Path) else source
        self.folder = files.folder
        self.kept: dict[object, Any] = {}  # see kept_with_network
        self.passport = read_passport(files)
        self.sha256 = self.passport.files[MODEL_FILE].sha256
        self.report = _read_report(files, self.passport)
        self._files = files
        self.card = _read_beside(files, CARD_FILE, self.passport)
        self._lean = _open_session(files, MODEL_FILE)
        self.creditor = Creditor(files, self.passport)
        numbers = sum(prod(shape) for shape in self.passport.inner_shapes().values()) + prod(self.passport.input.shape)
        self._per_run = self.passport.input.batch or max(1, min(PICTURES_PER_RUN, NUMBERS_PER_RUN // numbers))
        # What InferenceSession.run calls once it has checked the names, which are fixed here.
        self._run_lean = self._lean._sess.run  # noqa: SLF001
        self._verdict_names = [output.name for output in self._lean.get_outputs()]
        self._own: Analysis | None = None
        self._check(MODEL_FILE, self._faults())
        if not self.passport.is_adopted:
            self._own = self.opened()
        self.history = read_history(files, self.passport, self.weights) if self._own is not None else None

    @property
    def name(self) -> str:
        """The model's name."""
        return self.passport.name

    @property
    def version(self) -> str:
        """The version, as in the name of its folder."""
        return self.passport.version

    @property
    def weights(self) -> dict[str, np.ndarray]:
        """
        Every weight and bias by name: conv1.weight (filters, channels, rows, columns), conv1.bias (filters,), ...

        Of an adopted network those of the convolutions that have constant ones.
        """
        return self._analysis.weights

    @property
    def takes_weights(self) -> frozenset[str]:
        """The names of the weights that others may be fed over."""
        return self._analysis.inputs

    @property
    def bytes_to_open(self) -> int:
        """The size of the file that is opened when maps or weights are asked for; 0 where it is open."""
        return 0 if self._own is not None or self in _analyses else len(self._files.content(ANALYSIS_FILE))

    @property
    def pictures_per_run(self) -> int:
        """How many pictures are run at once, of which all inner maps are then held."""
        return self._per_run

    @property
    def _analysis(self) -> Analysis:
        """The analysis file, opened; raises NotPossible where it is not that of the passport."""
        if self._own is not None:
            return self._own
        try:
            return _analyses.of(self, self.opened)
        except BadModel as fault:
            raise NotPossible(str(fault).removeprefix(f"{self.folder}: "), "/model") from None

    def opened(self) -> Analysis:
        """Open the analysis file anew; raises BadModel where it is not that of the passport."""
        analysis = Analysis(self._files, self.passport)
        self._check(f"{MODEL_FILE} or {ANALYSIS_FILE}", self._faults_of(analysis))
        return analysis

    def _check(self, name: str, faults: Iterator[str]) -> None:
        try:
            fault = next(faults, "")
        except Exception as error:  # onnxruntime's exceptions have no common base but this
            raise BadModel(f"{name} cannot be run: {error}", self.folder) from error
        if fault:
            raise BadModel(fault, self.folder)

    @cached_property
    def mean_maps(self) -> np.ndarray | None:
        """The mean, over the dataset of its report, of what the head reads: (filters, rows, columns), if known."""
        found = None if self.report is None else self.report.get("head_input_mean")
        return None if found is None else np.array(found, np.float64)

    @cached_property
    def fields(self) -> dict[str, tuple[Field, Field]]:
        """The receptive field of each layer's cells; see passport.receptive_fields()."""
        return receptive_fields(self.passport.layers)

    @property
    def layer_of_means(self) -> str:
        """The layer whose mean over a dataset is known, or nothing."""
        if self.mean_maps is None or self.report is None:
            return ""
        return str(self.report["head_input"]["layer"]) if self.passport.is_adopted else self.passport.layers[-2].name

    def classify(self, images: np.ndarray) -> Verdicts:
        """Run the lean network. images: (n, *passport.input.shape) float32, 0 = paper, 1 = ink."""
        if len(images) <= self._per_run:
            return _verdicts(self._run_lean(self._verdict_names, {"image": images}, None))
        return _verdicts(_run_in_parts(self._lean, self._verdict_names, images, {}, self._per_run))

    def analyse(
        self, images: np.ndarray, maps: Sequence[str], overrides: Mapping[str, np.ndarray] | None = None
    ) -> tuple[Verdicts, dict[str, np.ndarray]]:
        """
        Run the analysis network once for the verdicts and the maps that go with them.

        images: (n, *passport.input.shape) float32; maps: names such as conv1.act or pool1
        overrides: weights to use in place of the trained ones, by name, of the same shape
        returns: the verdicts, and (n, filters, rows, columns) float32 per map
        """
        return self._analysed(self._analysis, images, maps, overrides or {})

    def _analysed(
        self, analysis: Analysis, images: np.ndarray, maps: Sequence[str], overrides: Mapping[str, np.ndarray]
    ) -> tuple[Verdicts, dict[str, np.ndarray]]:
        names = [*self._verdict_names, *maps]
        arrays = _run_in_parts(analysis.session, names, images, overrides, self._per_run)
        verdicts = _verdicts(arrays[: len(self._verdict_names)])
        return verdicts, dict(zip(maps, arrays[len(self._verdict_names) :], strict=True))

    def _faults(self) -> Iterator[str]:
        """What keeps the lean network from being the one of the passport; the first is what counts."""
        if self._verdict_names[:2] != ["probabilities", "logits"]:
            yield f"{MODEL_FILE} must give probabilities, logits and maybe novelty, it gives {self._verdict_names}"
        if self.passport.novelty is not None and "novelty" not in self._verdict_names:
            yield f"its passport has a threshold of novelty, {MODEL_FILE} gives none"
        lean = self.classify(self._probe())
        if lean.logits.shape != (2, len(self.passport.labels)):
            yield f"{MODEL_FILE} tells {lean.logits.shape[1:]} classes, its passport {len(self.passport.labels)}"

    def _faults_of(self, analysis: Analysis) -> Iterator[str]:
        """What keeps the two networks from being one, and the one of the passport; the first is what counts."""
        # All maps of a picture may be many megabytes.
        shapes, probe = self.passport.inner_shapes(), self._probe()[: 1 if self.passport.is_adopted else 2]
        lean, (analysed, maps) = self.classify(probe), self._analysed(analysis, probe, list(shapes), {})
        found = {name: array.shape[1:] for name, array in maps.items()}
        found |= analysis.weight_shapes
        weights = _weight_shapes(self.passport.layers)
        if self.passport.is_adopted:
            # Of an adopted network those that are there.
            weights = {name: shape for name, shape in weights.items() if name in found}
        wanted = shapes | weights
        for name in [*wanted, *found]:
            if found.get(name) != wanted.get(name):
                yield f"{name} is {found.get(name)} in {ANALYSIS_FILE}, its passport says {wanted.get(name)}"
        fixed = () if self.passport.is_adopted else analysis.weight_shapes
        missing = set(fixed) - analysis.inputs
        if missing:
            yield f"{ANALYSIS_FILE} must take every weight as an input, it does not take {min(missing)}"
        difference = float(np.abs(lean.logits - analysed.logits).max())
        # Logits of an adopted network may be thousands, and its classes may tie.
        largest = max(1.0, float(np.abs(lean.logits).max())) if self.passport.is_adopted else 1.0
        is_other = lean.classes != analysed.classes and not self.passport.is_adopted
        if not difference <= LARGEST_LOGIT_DIFFERENCE * largest or is_other:
            yield f"{MODEL_FILE} and {ANALYSIS_FILE} differ by {difference:g} in a logit"

    def _probe(self) -> np.ndarray:
        """Two pictures that are neither even nor alike."""
        probe = np.linspace(0, 1, 2 * prod(self.passport.input.shape), dtype=np.float32) ** 2
        return probe.reshape(2, *self.passport.input.shape)


def _weight_shapes(layers: Sequence[Layer]) -> dict[str, tuple[int, ...]]:
    shapes: dict[str, tuple[int, ...]] = {}
    for layer in layers:
        if layer.op == "conv":
            shapes[f"{layer.name}.weight"] = (layer.shape[0], layer.in_shape[0] // layer.groups, *layer.kernel)
        elif layer.op == "linear":
            shapes[f"{layer.name}.weight"] = (layer.shape[0], layer.features)
        else:
            continue
        shapes[f"{layer.name}.bias"] = layer.shape[:1]
    return shapes


def kept_with_network(
    find: Callable[Concatenate[Network, Further], OfNetwork],
) -> Callable[Concatenate[Network, Further], OfNetwork]:
    """
    Make a function of a network, and of what is asked of it, one that is called once for each of the last 64.

    What it finds goes with its network: a table that kept networks would hold those of before a reload open for good.
    """

    @wraps(find)
    def found(network: Network, /, *further: Further.args, **named: Further.kwargs) -> OfNetwork:
        kept = network.kept.get(find) or network.kept.setdefault(find, lru_cache(maxsize=64)(partial(find, network)))
        return cast("OfNetwork", kept(*further, **named))

    return found


class Library:
    """
    Every model that is served, by name and version; `problems` are those of a folder that could not be opened.

    raises: BadModel where the default model is not among them
    """

    def __init__(self, networks: Sequence[Network], default: str, problems: Sequence[BadModel] = ()) -> None:
        check_default(default, [network.folder for network in networks], problems)
        self._networks: dict[str, dict[str, Network]] = {}
        for network in networks:
            self._networks.setdefault(network.name, {})[network.version] = network
        self.problems = tuple(problems)
        self.default = default
        self._newest = {name: versions[max(versions, key=int)] for name, versions in self._networks.items()}

    @classmethod
    def open(cls, models: Iterable[ModelFiles], default: str) -> "Library":
        """Open every model of which the files were read, and leave out those that cannot be."""
        networks, problems = [], []
        for files in models:
            try:
                networks.append(Network(files))
            except BadModel as problem:
                problems.append(problem.bare())
        return cls(networks, default, problems)

    @property
    def networks(self) -> list[Network]:
        """All of them, by name and then version."""
        return [versions[v] for _, versions in sorted(self._networks.items()) for v in sorted(versions, key=int)]

    def get(self, name: str | None = None, version: str | int | None = None) -> Network:
        """The network of that name and version, the default one, or the highest version; or NotFound."""
        if name is None:
            name = self.default
        if name not in self._networks:
            raise NotFound.among("model", name, sorted(self._networks), "/model")
        if version is None:
            return self._newest[name]
        version = str(version)
        if version not in self._networks[name]:
            there_are = [network.version for network in self.networks if network.name == name]
            raise NotFound.among(f"version of {name}", version, there_are, "/version")
        return self._networks[name][version]


class _Named(msgspec.Struct):
    name: str
    filters: list[dict[str, Any]]


class _Of(msgspec.Struct):
    part: str


class _OfLayer(msgspec.Struct):
    layer: str


class _Report(msgspec.Struct):
    """What the service itself reads of a report; the rest it answers as it is."""

    data: _Of
    layers: list[_Named]
    head_input_mean: list[list[list[float]]] | None = None
    head_input: _OfLayer | None = None


def _read_report(files: ModelFiles, passport: Passport) -> dict[str, Any] | None:
    """The dataset report, if there is one and it is of this very model."""
    report = _read_beside(files, REPORT_FILE, passport)
    if report is None:
        return None
    try:
        read = msgspec.json.decode(files.contents[REPORT_FILE], type=_Report)
        mean = np.array(read.head_input_mean or [])
    except (msgspec.MsgspecError, ValueError, RecursionError) as error:
        raise BadModel(f"{REPORT_FILE}: {error}", files.folder) from error
    if passport.is_adopted:
        if read.head_input is None or read.head_input_mean is None:
            return report
        shapes = {layer.name: layer.shape for layer in passport.layers}
        if shapes.get(read.head_input.layer) != mean.shape:
            raise BadModel(f"{REPORT_FILE}: head_input_mean has the shape {mean.shape}, not that of it", files.folder)
        return report
    if mean.shape != passport.head.in_shape:
        raise BadModel(f"{REPORT_FILE}: head_input_mean has the shape {mean.shape}, not that of the head", files.folder)
    return report


def _read_beside(files: ModelFiles, name: str, passport: Passport) -> dict[str, Any] | None:
    """A JSON file beside the model's, to be answered as it is, if there is one and it is of this very model."""
    if name not in files.contents:
        return None
    try:
        told: dict[str, Any] = msgspec.convert(decode_plain(files.contents[name]), dict)
    except (msgspec.MsgspecError, ValueError, RecursionError) as error:
        raise BadModel(f"{name}: {error}", files.folder) from error
    return told if told.get("sha256") == passport.files[MODEL_FILE].sha256 else None


def _open_session(files: ModelFiles, name: str) -> onnxruntime.InferenceSession:
    try:
        return opened(files.content(name))
    except Exception as error:  # onnxruntime's exceptions have no common base but this
        raise BadModel(f"{name}: {error}", files.folder) from error


def _verdicts(arrays: Sequence[np.ndarray]) -> Verdicts:
    probabilities, logits, *more = arrays
    return Verdicts(logits.argmax(axis=1).tolist(), probabilities, logits, more[0] if more else None)


def _run_in_parts(
    session: onnxruntime.InferenceSession,
    names: list[str],
    images: np.ndarray,
    overrides: Mapping[str, np.ndarray],
    per_run: int,
) -> list[np.ndarray]:
    feeds, run = dict(overrides), session._sess.run  # noqa: SLF001  # as in Network: the names are right
    parts = [
        run(names, {"image": images[start : start + per_run], **feeds}, None)
        for start in range(0, len(images), per_run)
    ]
    if len(parts) == 1:
        return list(parts[0])
    return [np.concatenate(arrays) for arrays in zip(*parts, strict=True)]


def filter_weights(
    network: Network, layer: str, pointer: str = "/layer", fed: Mapping[str, np.ndarray] | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """
    The weights (filters, channels, rows, columns) and biases (filters,) of a layer that has filters.

    fed: weights, by name, that are used in place of the trained ones
    """
    found = network.passport.layer(layer, pointer)
    if found.op != "conv":
        having = [convolution.name for convolution in network.passport.convolutions]
        raise NotFound(f"{layer} has no filters; these have: {', '.join(having) or 'none'}", pointer)
    if f"{layer}.weight" not in network.weights:
        raise NotPossible(f"the weights of {layer} are made as the network runs: neither shown nor edited", pointer)
    weights = fed or network.weights
    return weights[f"{layer}.weight"], weights[f"{layer}.bias"]
