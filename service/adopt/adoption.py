"""From a file to a model folder: its steps in order, each refusing in one line; run in the child alone."""

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import onnx
from onnx import ModelProto, TensorProto, numpy_helper

from service.adopt.asked import AdoptionOptions, Numbers, Refused
from service.adopt.build import between, find_maps, laid_out, source_name, with_maps, wrapped
from service.adopt.canonical import (
    MOST_BYTES,
    TOLERANCE,
    Canonical,
    canonical_of,
    difference,
    milliseconds,
    open_foreign,
    run_each,
    run_foreign,
    told,
)
from service.adopt.cells import with_true_cells, within_bytes
from service.adopt.credit import credited_files
from service.adopt.foreign import read_source
from service.adopt.layers import FoundLayer
from service.adopt.pictures import choose, read_labelled, try_forms, warnings_of
from service.adopt.report import report_on
from service.lab.adopted import calls_of
from service.network.files import ANALYSIS_FILE, MODEL_FILE, PASSPORT_FILE, REPORT_FILE, BadModel
from service.network.passport import DIGIT_SHAPE, IMAGE, Layer
from service.network.sessions import Network

PROBES = 8
# Between what a network answers here and what its authors say it answers.
REFERENCE_TOLERANCE = 1e-3
MAPS_BYTES = 512 << 20


def make_model(asked: AdoptionOptions) -> dict[str, Any]:
    """Write the ONNX files that are served and passport.json into `asked.folder`, and describe what they are."""
    data = Path(asked.model).read_bytes()
    source = read_source(data, asked)
    if asked.prepare == "digit" and source.shape != DIGIT_SHAPE:
        raise Refused(
            f"--prepare digit: a digit is {list(DIGIT_SHAPE)} numbers, the network reads {list(source.shape)}"
        )
    if asked.short_side is not None and asked.short_side < max(source.shape[1:]):
        rows, columns = source.shape[1:]
        raise Refused(
            f"--short-side {asked.short_side}: {rows} x {columns} of it are cut out, so at least {max(rows, columns)}"
        )
    images = probes(source.shape)
    first = asked.numbers or Numbers(scale=255 if source.is_levels else 1)
    if fault := first.fault(source.shape[0]):
        raise Refused(fault)
    canonical = canonical_of(source, asked, laid_out(source, first.of(images)))
    labels = _labels(asked, canonical.classes)
    checks: dict[str, Any] = {}
    warnings: list[str] = []
    numbers = first
    if asked.check is not None:
        numbers = _check(canonical, asked, labels, checks, warnings)
    elif asked.numbers is None and not source.is_levels:
        warnings.append(
            "the file does not say which numbers it was trained on, and 0..1 is taken: --check FOLDER, of labelled "
            "pictures, finds out; --preset, or --scale, --mean and --std, say it"
        )
    if canonical.batch == 1:
        warnings.append(
            "a batch of 1 is baked in: pictures are run one by one; export it with a free batch (dynamic axes)"
        )
    if asked.reference is not None:
        checks["reference"] = _refer(canonical, data, Path(asked.reference))
    lean = wrapped(canonical, numbers)
    found = within_bytes(find_maps(lean, images[:1]), MAPS_BYTES)
    files = {MODEL_FILE: lean.SerializeToString(), ANALYSIS_FILE: with_maps(lean, found).SerializeToString()}
    if (true := with_true_cells(files[ANALYSIS_FILE], lean, found, images)) != found:
        found = true
        files[ANALYSIS_FILE] = with_maps(lean, found).SerializeToString()
    _check_sizes(files, found)
    costs = _agree(canonical, numbers, data, files, images, checks)
    costs |= {"parameters": _parameters(canonical.model), "megabytes": round(len(files[MODEL_FILE]) / 1e6, 3)}
    credited = credited_files(files, lean, found, canonical, images)
    costs["ms"] |= credited.cost
    checks |= credited.checks
    passport = _passport(asked, canonical, numbers, labels, found, files)
    passport |= {"credit": credited.told, "cost": costs, "checks": checks, "source": _source(asked, data)}
    return _write(asked, files, passport) | {"warnings": warnings}


def probes(shape: tuple[int, ...]) -> np.ndarray:
    """Pictures of noise, half of them coarse: (8, channels, rows, columns) float32 from 0 to 1."""
    random = np.random.default_rng(26)
    fine = random.random((PROBES, *shape), np.float32)
    coarse = fine[:, :, ::4, ::4].repeat(4, axis=2).repeat(4, axis=3)[:, :, : shape[1], : shape[2]]
    return np.where(np.arange(PROBES)[:, None, None, None] % 2, coarse, fine)


def _labels(asked: AdoptionOptions, classes: int) -> list[str]:
    if asked.labels is None:
        return [str(index) for index in range(classes)]
    if len(asked.labels) != classes:
        raise Refused(f"{classes} classes, {len(asked.labels)} labels: one for each is wanted, in the network's order")
    return list(asked.labels)


def _check(
    canonical: Canonical, asked: AdoptionOptions, labels: Sequence[str], checks: dict[str, Any], warnings: list[str]
) -> Numbers:
    """Try the usual forms on labelled pictures; the one that is chosen."""
    labelled = read_labelled(asked, canonical.source.shape, labels)
    tried = try_forms(canonical, labelled, asked)
    checks["pictures"] = {"count": len(labelled.classes), "tried": [each.described() for each in tried]}
    chosen = choose(tried, asked)
    warnings += warnings_of(tried, chosen, len(labels))
    return chosen


def _refer(canonical: Canonical, data: bytes, folder: Path) -> dict[str, Any]:
    """Compare with the answers that came with the file, as ONNX's model zoo has them."""
    sets = sorted(folder.glob("test_data_set_*")) or [folder]
    order = [output.name for output in onnx.load_model_from_string(data).graph.output]
    place = order.index(canonical.output)
    session, apart = open_foreign(canonical.model), []
    for each in sets:
        given, wanted = (_tensor(each / f"{name}.pb") for name in ("input_0", f"output_{place}"))
        answer = run_foreign(session, [canonical.output], {canonical.source.image: given})[0]
        apart.append(difference(answer.reshape(wanted.shape) if answer.size == wanted.size else answer, wanted))
    if max(apart) > REFERENCE_TOLERANCE:
        raise Refused(f"--reference {folder}: its answers differ by {max(apart):.2g} of the largest")
    return {"sets": len(sets), "difference": max(apart)}


def _tensor(path: Path) -> np.ndarray:
    try:
        return numpy_helper.to_array(TensorProto.FromString(path.read_bytes()))
    except Exception as error:  # of protobuf, whose errors have no common base
        raise Refused(f"--reference: {path}: {error}") from error


def _check_sizes(files: dict[str, bytes], found: Sequence[FoundLayer]) -> None:
    largest = max(map(len, files.values()))
    maps = 4 * sum(int(np.prod(one.layer.shape)) for one in found for _ in one.maps)
    if largest > MOST_BYTES:
        raise Refused(f"its weights are {largest >> 20} MiB: at most {MOST_BYTES >> 20} are taken")
    if maps > MAPS_BYTES:
        raise Refused(
            f"its maps of one picture are {maps >> 20} MiB: at most {MAPS_BYTES >> 20}; a smaller --size helps"
        )


def _agree(
    canonical: Canonical,
    numbers: Numbers,
    data: bytes,
    files: dict[str, bytes],
    images: np.ndarray,
    checks: dict[str, Any],
) -> dict[str, Any]:
    """Compare the file as it came, fed by hand, with the two that are made of it; returns what a run costs."""
    names = ["probabilities", "logits"]
    lean, analysis = (open_foreign(files[name]) for name in (MODEL_FILE, ANALYSIS_FILE))
    verdicts = dict(zip(names, run_each(lean, names, IMAGE, images, canonical.batch), strict=True))
    analysed = run_each(analysis, names, IMAGE, images, canonical.batch)
    original = _original(canonical, data, laid_out(canonical.source, numbers.of(images)))
    checks |= {
        "lean_difference": difference(told(canonical, verdicts), original),
        "analysis_difference": max(difference(a, verdicts[name]) for a, name in zip(analysed, names, strict=True)),
    }
    for name, words in (("lean_difference", "the file as it came"), ("analysis_difference", "its analysis file")):
        if not checks[name] <= TOLERANCE:
            raise Refused(f"what is made of it differs from {words} by {checks[name]:.2g}: it is not adopted")
    one, every = {IMAGE: images[:1]}, [output.name for output in analysis.get_outputs()]
    maps = [name for name in every if not name.startswith("weights/")]
    return {
        "ms": {
            "lean": milliseconds(lambda: run_foreign(lean, names, one)),
            "analysis": milliseconds(lambda: run_foreign(analysis, maps, one)),
        }
    }


def _original(canonical: Canonical, data: bytes, numbers: np.ndarray) -> np.ndarray:
    """What the file as it came answers, one picture after the other: (n, classes)."""
    session, source = open_foreign(data), canonical.source
    answers = []
    for each in numbers:
        batch = np.repeat(each[None], source.batch or 1, axis=0)
        answers.append(run_foreign(session, [canonical.output], {source.image: batch})[0][:1].reshape(1, -1))
    return np.concatenate(answers)


def _parameters(model: ModelProto) -> int:
    return sum(
        int(np.prod(each.dims)) for each in model.graph.initializer if each.data_type == TensorProto.FLOAT and each.dims
    )


def _passport(
    asked: AdoptionOptions,
    canonical: Canonical,
    numbers: Numbers,
    labels: Sequence[str],
    found: Sequence[FoundLayer],
    files: dict[str, bytes],
) -> dict[str, Any]:
    shape = canonical.source.shape
    return {
        "format": 2,
        "name": asked.name,
        "version": asked.version,
        "kind": "image-classifier",
        "description": f"Adopted from {Path(asked.model).name}.",
        "labels": labels,
        "input": {
            "name": IMAGE,
            "shape": shape,
            "range": [0, 1],
            "colour": "grey" if shape[0] == 1 else "rgb",
            "zero": "black",
            "fit": asked.fit,
            "filter": asked.filter,
            **({} if asked.short_side is None else {"short_side": asked.short_side}),
            **({"fill": asked.fill} if asked.fit == "letterbox" else {}),
            "prepare": asked.prepare,
            **({"batch": 1} if canonical.batch == 1 else {}),
        },
        "numbers": {
            "inside": True,
            "layout": canonical.source.layout,
            "form": str(numbers),
            **msgspec.to_builtins(numbers),
        },
        "layers": [_layer(one.layer) for one in found],
        "between": {name: read.shape for name, read in between(found).items()},
        "files": {
            name: {"sha256": hashlib.sha256(content).hexdigest(), "bytes": len(content)}
            for name, content in files.items()
        },
    }


def _layer(layer: Layer) -> dict[str, Any]:
    members: dict[str, Any] = msgspec.to_builtins(layer)
    own = {"conv": set(), "linear": {"reduce"}}.get(layer.op, {"activation", "groups", "reduce"})
    members["source"] = source_name(layer.source)
    own |= set() if layer.op == "avgpool" else {"counts_padding"}
    own |= {"tensors"} if layer.op == "linear" else set()
    return {name: value for name, value in members.items() if name not in own}


def _source(asked: AdoptionOptions, data: bytes) -> dict[str, Any]:
    model = onnx.load_model_from_string(data)
    return {
        "file": Path(asked.model).name,
        "sha256": hashlib.sha256(data).hexdigest(),
        "bytes": len(data),
        "producer": f"{model.producer_name} {model.producer_version}".strip(),
        "ir": model.ir_version,
        "opset": {each.domain: each.version for each in model.opset_import},
    }


def _write(asked: AdoptionOptions, files: dict[str, bytes], passport: dict[str, Any]) -> dict[str, Any]:
    """Write the folder, open it as a worker would, and describe it."""
    folder = Path(asked.folder)
    text = msgspec.json.format(msgspec.json.encode(passport), indent=1)
    for name, content in {**files, PASSPORT_FILE: text}.items():
        (folder / name).write_bytes(content)
    try:
        network = Network(folder)
        network.opened()
        if asked.report is not None:
            (folder / REPORT_FILE).write_bytes(report_on(network, Path(asked.report)))
            network = Network(folder)
    except BadModel as error:
        raise Refused(str(error).removeprefix(f"{folder}: ")) from error
    shown = ("name", "version", "labels", "input", "numbers", "layers", "credit", "cost", "checks", "source")
    return {name: passport[name] for name in shown} | {"calls": calls_of(network)}
