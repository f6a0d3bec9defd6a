"""
What a model says about itself: the passport.json beside its files, read into types.

A new model needs no change of code: labels, layers and thresholds come from here. Format 1 is a digit reader of ours, a
chain of layers that ends in a linear one; format 2 is a network of someone else's, adopted (service/adopt/), whose
layers say what they read.
"""

import hashlib
from collections.abc import Iterator, Sequence
from functools import cached_property
from math import exp, inf, log, log1p, prod
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec
import numpy as np
from msgspec import Meta

from service.core.digit import SIDE
from service.core.errors import NotFound
from service.core.inputs import Fit, Fitting, Resampling
from service.network.files import ANALYSIS_FILE, CREDIT_FILE, MODEL_FILE, PASSPORT_FILE, BadModel, ModelFiles

# A digit as the normaliser makes it, (channels, rows, columns): the one input there is for a network of ours.
DIGIT_SHAPE = (1, SIDE, SIDE)
DIGITS = tuple("0123456789")
# What an adopted network may be.
CHANNELS, MOST_SIDE, MOST_CLASSES, MOST_LAYERS = (1, 3), 512, 10_000, 2048
# Of a layer of one: a kernel, stride, dilation or pad, and all that is multiplied; JSON has 64 bits for a whole number.
MOST_STEP, MOST_WORK, MOST_JUMP = 4096, 2**62, 2**20
# A folder's name as a number; more digits are no version but a slip.
MOST_VERSION_DIGITS = 9
MOST_LEVELS = 100
# What the layers of a network of ours can be.
ACTIVATIONS, OPERATIONS = ("linear", "relu", "tanh"), ("conv", "maxpool", "avgpool", "linear")
# Those of an adopted one that read several maps.
JOINS = ("add", "mul", "concat")
# What the first layers of an adopted network read.
IMAGE = "image"
MOST_SURPRISE = 30.0  # where doubt may begin to be told from less by a millionth of a novelty


class Input(msgspec.Struct, frozen=True, kw_only=True):
    """
    What a network reads: pictures of `shape`, (channels, rows, columns), 0 = paper, 1 = ink.

    prepare: what prepare=auto does: find the digit, or bring the whole picture to the size, 0 = black, 1 = white
    fit, filter, short_side, fill: how the whole picture is brought there; see core.inputs.Fitting
    batch: 1 where pictures can only be run one by one; None, any number of them
    """

    shape: tuple[int, ...] = DIGIT_SHAPE
    prepare: Literal["digit", "picture"] = "digit"
    fit: Fit = "stretch"
    filter: Resampling = "bilinear"
    short_side: Annotated[int, Meta(ge=1, le=4096)] | None = None
    fill: Annotated[float, Meta(ge=0, le=1)] = 0.0
    batch: Literal[1] | None = None

    @property
    def fitting(self) -> Fitting:
        """How a whole picture is brought to `shape`."""
        return Fitting(self.fit, self.filter, self.short_side, self.fill)

    @property
    def size(self) -> tuple[int, int]:
        """Rows and columns."""
        return self.shape[-2], self.shape[-1]

    @property
    def colour(self) -> str:
        """What its channels are."""
        return "grey" if self.shape[0] == 1 else "rgb"

    @property
    def words(self) -> str:
        """What its least and its greatest number stand for."""
        return "0 paper, 1 ink" if self.prepare == "digit" else "0 black, 1 white"

    def blank(self) -> np.ndarray:
        """One picture without ink, as a network reads it: (1, channels, rows, columns) float32."""
        return np.zeros((1, *self.shape), np.float32)


class Layer(msgspec.Struct, frozen=True, kw_only=True):
    """
    One layer, in network order; shapes are (filters, rows, columns), a linear layer's is (features,).

    reads: the layers before it, or `image`, where the network is no chain; source: its tensor in the adopted file
    tensors: of an adopted network what it reads to the number, one or several to be joined: maps by name, `image`, or
        tensors of `Passport.between`; none where they are not known   counts_padding: an average counts padding as 0
    """

    name: str
    op: Literal["conv", "maxpool", "avgpool", "globalmaxpool", "globalavgpool", "add", "mul", "concat", "linear"]
    in_shape: tuple[int, ...]
    shape: tuple[int, ...]
    kernel: tuple[int, int] = (1, 1)
    stride: tuple[int, int] = (1, 1)
    pads: tuple[int, int, int, int] = (0, 0, 0, 0)
    dilation: tuple[int, int] = (1, 1)
    groups: int = 1
    activation: str = "linear"
    reduce: Literal["flatten", "mean"] = "flatten"
    reads: tuple[str, ...] = ()
    source: str = ""
    tensors: tuple[str, ...] = ()
    counts_padding: bool = False

    @property
    def maps(self) -> tuple[str, ...]:
        """The names of its feature maps: what can be asked for under this layer's name."""
        if self.op == "conv":
            return (f"{self.name}.pre", f"{self.name}.act")
        return () if self.op == "linear" else (self.name,)

    @property
    def parameters(self) -> int:
        """Weights and biases."""
        if self.op == "conv":
            return self.shape[0] * (self.in_shape[0] // self.groups * self.kernel[0] * self.kernel[1] + 1)
        return dense_parameters(self.features, self.shape[0]) if self.op == "linear" else 0

    @property
    def multiply_adds(self) -> int:
        """Multiplications, each with its addition, for one picture; pooling multiplies nothing."""
        if self.op == "conv":
            filters, rows, columns = self.shape
            return filters * rows * columns * (self.in_shape[0] // self.groups) * self.kernel[0] * self.kernel[1]
        return self.shape[0] * self.features if self.op == "linear" else 0

    @property
    def dense_parameters(self) -> int:
        """Weights and biases of a dense layer that reads and gives the same numbers: what sharing a filter saves."""
        return dense_parameters(prod(self.in_shape), prod(self.shape))

    @property
    def features(self) -> int:
        """How many numbers of its input a linear layer reads."""
        return self.in_shape[0] if self.reduce == "mean" else prod(self.in_shape)


def dense_parameters(inputs: int, outputs: int) -> int:
    """
    Weights and biases of a dense layer.

    >>> dense_parameters(784, 20) + dense_parameters(20, 10)  # the lecture's network without convolution
    15910
    """
    return (inputs + 1) * outputs


class Digest(msgspec.Struct, frozen=True):
    """The SHA-256 of one file of the model, in hexadecimal, and its size."""

    sha256: str
    bytes: int


class Novelty(msgspec.Struct, frozen=True, kw_only=True):
    """Above `threshold` a picture is called not a digit."""

    threshold: float
    method: str = ""


class Doubt(msgspec.Struct, frozen=True, kw_only=True, dict=True):
    """How much of its probabilities a network gives back evenly, from its novelty."""

    slope: float
    offset: float
    most: float

    def of(self, novelty: float) -> float:
        """
        The doubt at a novelty: min(max(slope log(novelty / (1 - novelty)) + offset, 0), most).

        >>> doubt = Doubt(slope=0.2, offset=-0.5, most=0.12)
        >>> doubt.of(0.5), round(doubt.of(0.94), 4), doubt.of(1.0)
        (0.0, 0.0503, 0.12)
        """
        if novelty <= self._least:
            return 0.0
        # A novelty of 1 is one that has been rounded to it; log1p keeps what is left of 1 - novelty below it.
        surprise = log(novelty) - log1p(-novelty) if novelty < 1 else inf
        return min(max(self.slope * surprise + self.offset, 0.0), self.most)

    @cached_property
    def _least(self) -> float:
        """A novelty up to which there is no doubt, as of most pictures; a little less than where doubt begins."""
        if self.slope <= 0 or not -MOST_SURPRISE < (begins := -self.offset / self.slope) < MOST_SURPRISE:
            return 0.0
        return (1 - 1e-6) / (1 + exp(-begins))


class Calibration(msgspec.Struct, frozen=True, kw_only=True):
    """
    How logits become probabilities: (1 - doubt) softmax(logits / temperature) + doubt / classes.

    doubt: None where nothing is given back
    """

    temperature: float = 1.0
    doubt: Doubt | None = None


class Milliseconds(msgspec.Struct, frozen=True, kw_only=True):
    """How long one picture took when a network was adopted: the verdict, every inner map, one score's walk back."""

    lean: float
    analysis: float
    credit: float | None = None


class Cost(msgspec.Struct, frozen=True, kw_only=True):
    """What was measured of an adopted network, whose operators a sum over its layers does not all know."""

    ms: Milliseconds
    parameters: int


class CreditRules(msgspec.Struct, frozen=True, kw_only=True):
    """
    What can be credited back, by the network's third file, credit.onnx.

    exactness: of `image`, and of each layer that credit goes through: `global` where what follows it is linear whatever
    the picture, `gates` where gates are held still as a picture has them
    whole: those layers that all credit goes through, in network order; refused: why there is no such file, or nothing
    """

    rules: str = "1"
    exactness: dict[str, Literal["global", "gates"]] = {}
    whole: tuple[str, ...] = ()
    refused: str = ""


class Passport(msgspec.Struct, frozen=True, kw_only=True, dict=True):
    """
    The whole passport; what the service does not use itself is kept in `raw` and answered as it is.

    between: of an adopted network, the shapes of what layers read that is no map; None where that was not looked for
    """

    format: Literal[1, 2] = 1

    name: str
    version: str
    labels: tuple[str, ...]
    layers: tuple[Layer, ...]
    files: dict[str, Digest]
    input: Input = Input()
    novelty: Novelty | None = None
    calibration: Calibration = Calibration()
    cost: Cost | None = None
    credit: CreditRules | None = None
    between: dict[str, tuple[int, ...]] | None = None
    description: str = ""
    accuracy: dict[str, Any] = {}
    raw: dict[str, Any] = {}

    @classmethod
    def read(cls, path: Path) -> "Passport":
        """Read a passport.json; msgspec.ValidationError says what is wrong with one that is no passport."""
        return cls.parse(path.read_bytes())

    @classmethod
    def parse(cls, text: bytes) -> "Passport":
        """Read the text of a passport.json."""
        return msgspec.structs.replace(msgspec.json.decode(text, type=cls), raw=decode_plain(text))

    @property
    def is_adopted(self) -> bool:
        """Whether it is a network of someone else's, of which only what its file says is known."""
        return self.format == 2

    @property
    def reads_digits(self) -> bool:
        """Whether it tells the ten digits, of pictures that were made digits."""
        return not self.is_adopted or (self.input.prepare == "digit" and self.labels == DIGITS)

    @property
    def parameters(self) -> int:
        """Weights and biases."""
        return sum(layer.parameters for layer in self.layers) if self.cost is None else self.cost.parameters

    @property
    def convolutions(self) -> tuple[Layer, ...]:
        """The layers that have filters."""
        return tuple(layer for layer in self.layers if layer.op == "conv")

    @property
    def head(self) -> Layer:
        """The one linear layer of a network of ours, always the last."""
        return self.layers[-1]

    @property
    def whole(self) -> tuple[str, ...]:
        """The layers that all credit goes through, in network order."""
        return () if self.credit is None else self.credit.whole

    def layer(self, name: str, pointer: str = "/layer") -> Layer:
        """The layer of that name; NotFound lists the candidates."""
        for layer in self.layers:
            if layer.name == name:
                return layer
        raise NotFound.among("layer", name, [layer.name for layer in self.layers], pointer)

    @property
    def is_chain(self) -> bool:
        """Whether each layer reads the one before it, and no other."""
        before = IMAGE
        for layer in self.layers:
            if layer.reads not in {(), (before,)}:
                return False
            before = layer.name
        return True

    def map_shapes(self) -> dict[str, tuple[int, ...]]:
        """
        The (filters, rows, columns) of every map, in network order; one dictionary for all who ask, not to be changed.
        """
        return self._map_shapes

    @cached_property  # asked for several times in each call
    def _map_shapes(self) -> dict[str, tuple[int, ...]]:
        return {name: layer.shape for layer in self.layers for name in layer.maps}

    def inner_shapes(self) -> dict[str, tuple[int, ...]]:
        """
        The same of all that the analysis file gives, what layers of an adopted network read beside maps included.
        """
        return self._inner_shapes

    @cached_property
    def _inner_shapes(self) -> dict[str, tuple[int, ...]]:
        return self.map_shapes() | (self.between or {})

    def tensors_of(self, layer: Layer) -> tuple[str, ...]:
        """What a layer with places reads, to the number: maps by name, `image`, or tensors of `between`."""
        if self.is_adopted:
            return layer.tensors
        index = self.layers.index(layer)
        return self.layers[index - 1].maps[-1:] if index else (IMAGE,)


def decode_plain(text: bytes) -> Any:
    """
    Read JSON that is to be answered as it is; ValueError for what could not be written again.

    >>> decode_plain(b'{"a": 1e3}')
    {'a': 1000.0}
    """
    value = msgspec.json.decode(text)
    _check_plain(value, MOST_LEVELS)
    return value


def _check_plain(value: Any, levels: int) -> None:
    if isinstance(value, dict | list):
        if not levels:
            raise ValueError(f"lists and objects may be nested {MOST_LEVELS} deep, these are deeper")
        for each in value.values() if isinstance(value, dict) else value:
            _check_plain(each, levels - 1)
    elif isinstance(value, int) and not -(2**63) <= value < 2**63:
        raise ValueError(f"a whole number has at most 64 bits, got one of {value.bit_length()}")


def read_passport(files: ModelFiles) -> Passport:
    """The passport of a model's files; BadModel says where it is none, does not fit them, or contradicts itself."""
    folder = files.folder
    try:
        passport = Passport.parse(files.content(PASSPORT_FILE))
    except (msgspec.MsgspecError, ValueError, RecursionError) as error:
        raise BadModel(f"{PASSPORT_FILE}: {error}", folder) from error
    if (passport.name, passport.version) != (folder.parent.name, folder.name):
        raise BadModel(f"its passport says {passport.name!r} version {passport.version!r}", folder)
    if not is_version(passport.version):
        raise BadModel(f"a version is a number such as 1 or 12, this is {passport.version!r}", folder)
    for name in (MODEL_FILE, ANALYSIS_FILE):
        _check_digest(files, name, passport)
    fault = next(_adopted_faults(passport), "") if passport.is_adopted else _fault(passport)
    if fault := fault or _credit_fault(passport):
        raise BadModel(f"{PASSPORT_FILE}: {fault}", folder)
    return passport


def is_version(text: str) -> bool:
    """
    Whether a folder of that name is a version.

    >>> is_version("12"), is_version("1.2"), is_version("two")
    (True, False, False)
    """
    return text.isascii() and text.isdecimal() and len(text) <= MOST_VERSION_DIGITS


def _check_digest(files: ModelFiles, name: str, passport: Passport) -> None:
    if name not in passport.files:
        raise BadModel(f"{name}: its passport gives no SHA-256 for it", files.folder)
    found, wanted = hashlib.sha256(files.content(name)).hexdigest(), passport.files[name].sha256
    if found != wanted:
        raise BadModel(f"{name}: SHA-256 is {found}, its passport says {wanted[:64]!r}", files.folder)


def _fault(passport: Passport) -> str:
    """What keeps the passport of a network of ours from being one, or nothing."""
    return _input_fault(passport.input) or _words_fault(passport.layers) or _layers_fault(passport)


def _words_fault(layers: tuple[Layer, ...]) -> str:
    """What a layer says that only one of an adopted network may, or nothing."""
    for layer in layers:
        if layer.op not in OPERATIONS:
            return f"{layer.name} must be one of {', '.join(OPERATIONS)}, it says {layer.op}"
        if layer.activation not in ACTIVATIONS:
            return f"{layer.name} must have the activation {', '.join(ACTIVATIONS)}, it says {layer.activation[:80]!r}"
        if (layer.dilation, layer.groups, layer.reads, layer.tensors, layer.counts_padding) != (
            (1, 1),
            1,
            (),
            (),
            False,
        ):
            return f"{layer.name} must have no dilation, groups, reads or tensors, and count no padding"
    return ""


def _input_fault(asked: Input) -> str:
    """What keeps the input from being a digit as the normaliser makes it, or nothing."""
    if asked.shape == DIGIT_SHAPE:
        return ""
    return f"input.shape must be {list(DIGIT_SHAPE)}, a digit as the normaliser makes it; it says {list(asked.shape)}"


def _layers_fault(passport: Passport) -> str:
    """What keeps layers from being a network that reads its input and ends in one linear layer, or nothing."""
    layers, labels = passport.layers, passport.labels
    if len(layers) < 2 or [layer.op == "linear" for layer in layers] != [False] * (len(layers) - 1) + [True]:
        return "layers must end in the one linear layer, and have another before it"
    if fault := _names_fault(layers):
        return fault
    before: tuple[int, ...] = passport.input.shape
    for layer in layers:
        if layer.in_shape != before:
            return f"{layer.name} must read {list(before)}, what comes before it; it says {list(layer.in_shape)}"
        if min(layer.kernel + layer.stride) < 1 or min(layer.pads) < 0:
            return f"{layer.name} must have a kernel and a stride of at least 1, and no negative pads"
        before = (len(labels),) if layer.op == "linear" else _shape_after(layer)
        if layer.shape != before or min(before) < 1:
            return f"{layer.name} must have the shape {list(before)}, it says {list(layer.shape)}"
    return ""


def _names_fault(layers: tuple[Layer, ...]) -> str:
    names = [layer.name for layer in layers]
    if len(set(names)) < len(names) or not all(name and name.isprintable() and "." not in name for name in names):
        return f"layers must have names of their own without a dot, these have {names}"
    return ""


def _adopted_faults(passport: Passport) -> Iterator[str]:
    """What keeps the passport of an adopted network from being one; the first is what counts."""
    shape, layers = passport.input.shape, passport.layers
    if len(shape) != 3 or shape[0] not in CHANNELS or not all(1 <= side <= MOST_SIDE for side in shape[1:]):
        yield f"input.shape must be 1 or 3 channels and two sides of 1 to {MOST_SIDE}, it says {list(shape)}"
    if not 2 <= len(passport.labels) <= MOST_CLASSES:
        yield f"labels must be 2 to {MOST_CLASSES}, there are {len(passport.labels)}"
    if passport.cost is None:
        yield "cost must be there: what was measured when the network was adopted"
    if len(layers) > MOST_LAYERS:
        yield f"layers must be at most {MOST_LAYERS}, there are {len(layers)}"
    yield from filter(None, [_names_fault(layers)])
    before = {IMAGE}
    for layer in layers:
        axes = 1 if layer.op == "linear" else 3
        if (len(layer.shape), len(layer.in_shape)) != (axes, axes) or min(*layer.shape, *layer.in_shape) < 1:
            yield f"{layer.name} must have shapes of {axes} axes, it says {list(layer.in_shape)}, {list(layer.shape)}"
        steps = layer.kernel + layer.stride + layer.dilation
        if min(steps) < 1 or min(layer.pads) < 0 or not 1 <= layer.groups <= layer.in_shape[0]:
            yield f"{layer.name} must have kernel, stride, dilation and groups of at least 1, and no negative pads"
        if max(steps + layer.pads) > MOST_STEP or prod(layer.in_shape + layer.shape + layer.kernel) > MOST_WORK:
            yield f"{layer.name} must have shapes, and steps of at most {MOST_STEP}, whose product has 62 bits"
        if not set(layer.reads) <= before:
            yield f"{layer.name} must read layers before it, it says {list(layer.reads)}"
        before.add(layer.name)
    yield from _tensors_faults(passport)


def _tensors_faults(passport: Passport) -> Iterator[str]:
    """What keeps the tensors that layers read from being those of an adopted network."""
    between = passport.between or {}
    if len(between) > MOST_LAYERS or set(between) & {IMAGE, *passport.map_shapes()}:
        yield f"between must be at most {MOST_LAYERS} tensors that are no maps, there are {len(between)}"
    for name, shape in between.items():
        if len(shape) != 3 or min(shape) < 1 or prod(shape) > MOST_WORK:
            yield f"{name[:80]} must have a shape of 3 axes, it says {list(shape)[:8]}"
    shapes = {IMAGE: passport.input.shape, **between}
    for layer in passport.layers:
        read = [shapes.get(name) for name in layer.tensors]
        if None in read or (layer.op == "linear" and read):
            yield f"{layer.name} must read tensors that are there, it says {list(layer.tensors)[:8]}"
        elif read and layer.op not in JOINS and read != [layer.in_shape]:
            yield f"{layer.name} must read one tensor of its in_shape, it says {list(layer.tensors)[:8]}"
        elif read and layer.op in JOINS and not joins(layer, read):
            yield f"{layer.name} must read tensors that make its shape, it says {list(layer.tensors)[:8]}"
        shapes |= dict.fromkeys(layer.maps, layer.shape)


def joins(layer: Layer, shapes: Sequence[tuple[int, ...] | None]) -> bool:
    """Whether tensors of these shapes make a layer's: spread out where they are 1, or put one after another."""
    read = [shape for shape in shapes if shape is not None]
    if layer.op == "concat":
        return joined_axis(layer, read) is not None
    return all(size in {1, whole} for shape in read for size, whole in zip(shape, layer.shape, strict=True))


def joined_axis(layer: Layer, shapes: Sequence[tuple[int, ...]]) -> int | None:
    """The axis along which tensors of these shapes are put one after another, None where there is none."""
    for axis in range(3):
        others = {shape[:axis] + shape[axis + 1 :] for shape in shapes}
        is_whole = sum(shape[axis] for shape in shapes) == layer.shape[axis]
        if is_whole and others == {layer.shape[:axis] + layer.shape[axis + 1 :]}:
            return axis
    return None


def _credit_fault(passport: Passport) -> str:
    """What keeps the passport from saying what can be credited back, or nothing."""
    credit = passport.credit
    if credit is None or credit.refused:
        return ""
    if CREDIT_FILE not in passport.files:
        return f"credit needs the SHA-256 of {CREDIT_FILE} among files"
    having = {IMAGE, *(layer.name for layer in passport.layers if layer.maps)}
    if IMAGE not in credit.exactness or not having.issuperset(credit.exactness):
        return f"credit.exactness must have image, and layers that have maps, it has {list(credit.exactness)[:8]}"
    if not set(credit.exactness).issuperset(credit.whole) or IMAGE in credit.whole:
        return f"credit.whole must be layers of credit.exactness, it says {list(credit.whole)[:8]}"
    return ""


def _shape_after(layer: Layer) -> tuple[int, ...]:
    """The shape that a convolution's or a pooling's own geometry gives it; the filters are its own to choose."""
    top, left, bottom, right = layer.pads
    padded = (layer.in_shape[1] + top + bottom, layer.in_shape[2] + left + right)
    sides = [
        (size - kernel) // stride + 1 for size, kernel, stride in zip(padded, layer.kernel, layer.stride, strict=True)
    ]
    filters = layer.shape[0] if layer.op == "conv" and layer.shape else layer.in_shape[0]
    return (filters, *sides)


class Field(msgspec.Struct, frozen=True):
    """
    The part of the picture that one cell of a map can see, along one axis.

    Cell i reads `size` pixels, of which the first is `start` + i * `jump` (negative inside the padding).
    """

    size: int
    jump: int
    start: int

    def first(self, index: int) -> int:
        """The first pixel that a cell reads."""
        return self.start + index * self.jump

    def centre(self, index: int) -> float:
        """The middle of the pixels that a cell reads."""
        return self.first(index) + (self.size - 1) / 2


def receptive_fields(layers: tuple[Layer, ...]) -> dict[str, tuple[Field, Field]]:
    """
    (rows, columns) receptive field of each layer's cells, but of those that see the whole picture, as a head does.

    r_l = r_(l-1) + (k_l - 1) j_(l-1);  j_l = j_(l-1) s_l;  start_l = start_(l-1) - p_l j_(l-1)
    (Araujo, Norris and Sim, "Computing Receptive Fields of Convolutional Neural Networks", Distill 2019, doi
    10.23915/distill.00021). A layer that reads several sees what any of them does.
    """
    fields = {IMAGE: (Field(1, 1, 0), Field(1, 1, 0))}
    before = IMAGE
    for layer in layers:
        read = [fields.get(name) for name in layer.reads or (before,)]
        before = layer.name
        joined = _joined([field for field in read if field is not None])
        if joined is None or None in read or layer.op in {"linear", "globalavgpool", "globalmaxpool"}:
            continue
        rows, columns = (
            Field(
                size=one.size + (layer.kernel[axis] - 1) * layer.dilation[axis] * one.jump,
                jump=one.jump * layer.stride[axis],
                start=one.start - layer.pads[axis] * one.jump,
            )
            for axis, one in enumerate(joined)
        )
        fields[layer.name] = (rows, columns)
        if max(rows.jump, columns.jump) > MOST_JUMP:
            del fields[layer.name]
    return {name: field for name, field in fields.items() if name != IMAGE}


def _joined(fields: list[tuple[Field, Field]]) -> tuple[Field, Field] | None:
    """What any of them sees; None where their cells are not as far apart."""
    if len({(rows.jump, columns.jump) for rows, columns in fields}) != 1:
        return None
    rows, columns = (
        Field(max(each.start + each.size for each in axis) - start, axis[0].jump, start)
        for axis in zip(*fields, strict=True)
        for start in [min(each.start for each in axis)]
    )
    return rows, columns
