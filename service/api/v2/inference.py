"""
/v2: the Open Inference Protocol, so that clients of Triton, KServe and MLServer read digits without a change.

https://github.com/kserve/open-inference-protocol, with Triton's extensions for binary tensors, classification, the
model repository, configuration and statistics. The input `image` is FP32 [-1,1,28,28], 0 paper, 1 ink, and is never
prepared. As BYTES [-1] each element is a picture of any size, read as POST /v1/classify reads it. Every inner map is
an output: metadata lists them, and naming one is asking for it. Refusals are {"error": "..."}; see api/errors.py.
"""

import time
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import prod
from typing import Any

import msgspec
import numpy as np
import orjson
from flask import Blueprint, Response, request

from service import __version__
from service.api.http import writing
from service.api.http.application import HEADERS, Access, Reply
from service.api.http.codings import read_inflated
from service.api.http.inputs import read_inputs
from service.api.http.numbers import check_numbers_in
from service.api.http.reading import Posted, told_apart
from service.api.http.texts import is_file
from service.api.v2.served import DEFAULT_OUTPUTS, INPUT, Served
from service.api.v2.statistics import Marks
from service.api.v2.tensors import (
    FP32_BYTES,
    HEADER_LENGTH,
    HEADER_LENGTH_KEY,
    InferRequest,
    RequestInput,
    RequestOutput,
    decode_json,
    pack_elements,
    read_elements,
    read_numbers,
    read_request,
    read_shape,
)
from service.core.errors import InvalidInput, NotFound, ServiceError, TooLarge, shown
from service.lab import prices, sizes
from service.lab.options import ClassifyOptions
from service.network.sessions import Library, Network, Verdicts
from service.observe.record import Timed, note_verdicts
from service.settings import Limits, Settings

EXTENSIONS = (
    "binary_tensor_data", "classification", "model_repository", "model_configuration", "statistics", "encoded_pictures",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Wanted:
    """One output of an answer. top: how many classes, the most probable first, in place of numbers; 0 for numbers."""

    name: str
    shape: list[int]
    binary: bool
    top: int


class IndexQuery(msgspec.Struct, frozen=True):
    """The body of POST /v2/repository/index."""

    ready: bool = False


class LoadQuery(msgspec.Struct, frozen=True):
    """The body of POST /v2/repository/models/<name>/load and /unload."""

    parameters: dict[str, Any] | None = None


def blueprint(library: Library, settings: Settings) -> Blueprint:
    """The routes of the protocol, given what they work with."""
    routes = Blueprint("inference", __name__)
    catalogue = _catalogue(library)
    _add_server(routes, library)
    _add_models(routes, library, catalogue, settings)
    _add_statistics(routes, library, catalogue)
    _add_repository(routes, library, settings)

    @routes.post("/v2/models/<name>/infer")
    @routes.post("/v2/models/<name>/versions/<version>/infer")
    def infer(name: str, version: str | None = None) -> Reply:
        """Run a network on a tensor of images, or of encoded pictures."""
        return _infer(catalogue[library.get(name, version)], settings)

    return routes


def _catalogue(library: Library) -> dict[Network, Served]:
    versions: dict[str, list[str]] = {}
    for network in library.networks:
        versions.setdefault(network.name, []).append(network.version)
    return {network: Served.of(network, versions[network.name]) for network in library.networks}


def _add_server(routes: Blueprint, library: Library) -> None:
    @routes.get("/v2")
    def server_metadata() -> Reply:
        """Say what the server is and which extensions it has."""
        return writing.json({"name": "filterscope", "version": __version__, "extensions": EXTENSIONS})

    @routes.get("/v2/health/live", access=Access.PROBE)
    def server_live() -> Reply:
        """Say that the process lives."""
        return writing.json({"live": True})

    @routes.get("/v2/health/ready", access=Access.PROBE)
    def server_ready() -> Reply:
        """Say that every model is loaded and warmed; a worker listens only after that."""
        return writing.json({"ready": True, "live": True})

    @routes.get("/v2/models")
    def model_names() -> Reply:
        """List the models by name."""
        return writing.json({"models": sorted({network.name for network in library.networks})})


def _add_models(routes: Blueprint, library: Library, catalogue: Mapping[Network, Served], settings: Settings) -> None:
    @routes.get("/v2/models/<name>")
    @routes.get("/v2/models/<name>/versions/<version>")
    def model_metadata(name: str, version: str | None = None) -> Reply:
        """Describe the tensors of a model."""
        return writing.json(catalogue[library.get(name, version)].metadata())

    @routes.get("/v2/models/<name>/ready")
    @routes.get("/v2/models/<name>/versions/<version>/ready")
    def model_ready(name: str, version: str | None = None) -> Reply:
        """Say that a model is loaded and warmed."""
        return writing.json({"name": library.get(name, version).name, "ready": True})

    @routes.get("/v2/models/<name>/config")
    @routes.get("/v2/models/<name>/versions/<version>/config")
    def model_config(name: str, version: str | None = None) -> Reply:
        """Describe a model as Triton's configuration does."""
        return writing.json(catalogue[library.get(name, version)].config(settings.max_batch))


def _add_statistics(routes: Blueprint, library: Library, catalogue: Mapping[Network, Served]) -> None:
    @routes.get("/v2/models/stats")
    def statistics() -> Reply:
        """Give this process's counts of every model."""
        return writing.json({"model_stats": [served.counts() for served in catalogue.values()]})

    @routes.get("/v2/models/<name>/stats")
    @routes.get("/v2/models/<name>/versions/<version>/stats")
    def model_statistics(name: str, version: str | None = None) -> Reply:
        """Give this process's counts of one model."""
        return writing.json({"model_stats": [catalogue[library.get(name, version)].counts()]})


def _add_repository(routes: Blueprint, library: Library, limits: Limits) -> None:
    @routes.post("/v2/repository/index")
    def repository_index() -> Reply:
        """List every version of every model; all are ready, so `ready` leaves none out."""
        _read_query(IndexQuery, limits)
        models = [(network.name, network.version) for network in library.networks]
        return writing.json(
            [{"name": name, "version": version, "state": "READY", "reason": ""} for name, version in models]
        )

    @routes.post("/v2/repository/models/<name>/load")
    def load(name: str) -> Reply:
        """Confirm that a model is loaded: all are, from the start on."""
        library.get(name)
        if _read_query(LoadQuery, limits).parameters:
            raise InvalidInput("models are read from their folder when a worker starts; load takes no parameters")
        return writing.json({})

    @routes.post("/v2/repository/models/<name>/unload")
    def unload(name: str) -> Reply:
        """Refuse to unload a model."""
        library.get(name)
        raise InvalidInput(f"{name} stays loaded: models are read when a worker starts, and served until it stops")


def _read_query(kind: type[msgspec.Struct], limits: Limits) -> Any:
    body = read_inflated(request, limits.max_body_bytes)
    check_numbers_in(body, "a JSON body", limits, "say less")
    return decode_json(msgspec.json.Decoder(kind), body, "the body") if body.strip() else kind()


# --- one inference ----------------------------------------------------------------------------------------------------


def _infer(served: Served, limits: Limits) -> Reply:
    started = time.perf_counter_ns()
    try:
        asked, tail = _read(served, limits)
        tensor, shape = _check_input(asked.inputs, served.image_shape, limits)
        wanted = _choose_outputs(asked, served, shape[0], limits)
        _charge(served, wanted, shape[0])
        images = _read_images(served, tensor, shape, tail, limits)
        read = time.perf_counter_ns()
        arrays = _run(served, images, wanted)
        ran = time.perf_counter_ns()
        response = _answer(served, asked.id, wanted, arrays)
    except ServiceError:
        served.statistics.failed(time.perf_counter_ns() - started)
        raise
    served.statistics.succeeded(len(images), Marks(started, read, ran, time.perf_counter_ns()))
    return response


def _read(served: Served, limits: Limits) -> tuple[InferRequest, memoryview]:
    body = read_inflated(request, limits.max_body_bytes)
    header_length = request.environ.get(HEADER_LENGTH_KEY)
    if header_length != "0":
        return read_request(body, header_length, limits)
    # A body without JSON is the one input, and every output goes back as bytes.
    image = RequestInput(
        name=INPUT, shape=[1, *served.image_shape], datatype="FP32", parameters={"binary_data_size": len(body)}
    )
    return InferRequest(inputs=[image], parameters={"binary_data_output": True}), memoryview(body)


def _check_input(
    inputs: Sequence[RequestInput], image_shape: list[int], limits: Limits
) -> tuple[RequestInput, list[int]]:
    """Find the one input and its shape, and read none of its numbers yet."""
    if [tensor.name for tensor in inputs] != [INPUT]:
        came = ", ".join(tensor.name[:80] for tensor in inputs[:8]) or "none"
        raise InvalidInput(f"a model has one input, image, got {came}")
    tensor, shape = inputs[0], read_shape(inputs[0])
    is_image = tensor.datatype == "FP32" and len(shape) == 4 and shape[1:] == image_shape
    is_pictures = tensor.datatype == "BYTES" and shape[1:] in ([], [1]) and bool(shape)
    if not is_image and not is_pictures:
        wanted = f"FP32 {[-1, *image_shape]} or BYTES [-1], an encoded picture each"
        raise InvalidInput(f"image is {wanted}, got {tensor.datatype[:80]} {shown(shape)}")
    if not shape[0]:
        raise InvalidInput("a request has at least 1 picture, got 0")
    if shape[0] > limits.max_batch:
        raise TooLarge(f"a request may have {limits.max_batch} pictures, got {shown(shape[0])}")
    return tensor, shape


def _charge(served: Served, wanted: Sequence["Wanted"], count: int) -> None:
    """Charge the run and its outputs."""
    maps = [output.name for output in wanted if output.name in served.maps]
    numbers = sum(prod(output.shape) for output in wanted)
    if maps:
        prices.charge_analysis(served.network, count, maps)
    else:
        prices.charge("run", prices.running(served.network, count), 4 * numbers)
    labels = sum(prod(output.shape) for output in wanted if output.top)
    prices.charge(
        "write",
        len(wanted) * prices.NPZ_ARRAY + labels * prices.LABEL + numbers * prices.JSON_NUMBER_OUT,
        numbers * prices.JSON_NUMBER_BYTES,
    )


def _read_images(
    served: Served, tensor: RequestInput, shape: list[int], tail: memoryview, limits: Limits
) -> np.ndarray:
    """Read the one input. returns: (n, channels, rows, columns) float32 from 0 to 1."""
    if tensor.datatype == "FP32":
        return _within_range(read_numbers(tensor, shape, tail), served.network.passport.input.words)
    elements = [_as_source(element) for element in read_elements(tensor, shape, tail)]
    options = ClassifyOptions()
    sources = told_apart(elements, options, limits, served.network)
    return read_inputs(Posted(sources, options, limits, (time.perf_counter(), 0.0)), served.network).images


def _within_range(numbers: np.ndarray, words: str) -> np.ndarray:
    low, high = numbers.min(), numbers.max()
    # Written so that NaN, which is neither, is refused too.
    if not (low >= 0 and high <= 1):
        least, greatest = words.split(", ")
        raise InvalidInput(
            f"numbers of image are from {', '.join(least.split())}, to {', '.join(greatest.split())}, "
            f"got {high if low >= 0 else low}"
        )
    return numbers.astype(np.float32, copy=False)


def _as_source(element: bytes | str) -> bytes | str:
    """Take bytes that are no picture for base64, as a client that knows only text sends them."""
    if isinstance(element, bytes) and not is_file(element) and element.isascii():
        return element.decode("ascii")
    return element


def _choose_outputs(asked: InferRequest, served: Served, batch: int, limits: Limits) -> list[Wanted]:
    """Which outputs go back, and in which form. raises: InvalidInput, TooLarge, before any work."""
    by_default = _flag(asked.parameters, "binary_data_output", otherwise=False)
    named = asked.outputs or [RequestOutput(name=name) for name in DEFAULT_OUTPUTS]
    if len({output.name for output in named}) < len(named):
        raise InvalidInput(f"an output is named once, got {', '.join(output.name[:80] for output in named[:16])}")
    wanted = [_choose_output(output, served, batch, binary=by_default) for output in named]
    numbers = sum(prod(output.shape) for output in wanted if not output.binary)
    if numbers > limits.max_json_numbers_out:
        raise InvalidInput(
            f"an answer in JSON may have {limits.max_json_numbers_out} numbers, this would have {numbers}; "
            "ask for binary_data"
        )
    sizes.check_bytes(sum(prod(output.shape) * FP32_BYTES for output in wanted if output.binary), limits)
    return wanted


def _choose_output(output: RequestOutput, served: Served, batch: int, *, binary: bool) -> Wanted:
    if output.name not in served.outputs:
        raise InvalidInput(NotFound.among("output", output.name, list(served.outputs)).detail)
    parameters = output.parameters or {}
    if "shared_memory_region" in parameters:
        raise InvalidInput(f"{output.name}: there is no shared memory here; it comes with the answer")
    binary = _flag(parameters, "binary_data", otherwise=binary)
    top = parameters.get("classification", 0)
    if not isinstance(top, int) or isinstance(top, bool) or top < 0:
        raise InvalidInput(f"classification is how many classes, from 1, got {shown(top)}")
    if top and output.name not in DEFAULT_OUTPUTS:
        raise InvalidInput(f"classification is for {' and '.join(DEFAULT_OUTPUTS)}, got it for {output.name}")
    top = min(top, *served.outputs[output.name]) if top else 0
    return Wanted(output.name, [batch, top] if top else [batch, *served.outputs[output.name]], binary, top)


def _flag(parameters: Mapping[str, Any] | None, name: str, *, otherwise: bool) -> bool:
    value = (parameters or {}).get(name, otherwise)
    if not isinstance(value, bool):
        raise InvalidInput(f"{name} is true or false, got {shown(value)}")
    return value


def _run(served: Served, images: np.ndarray, wanted: Sequence[Wanted]) -> Mapping[str, np.ndarray]:
    """Every output by name, (n, ...) float32; the network with all its maps runs only where one of them is wanted."""
    maps = [output.name for output in wanted if output.name in served.maps]
    with Timed("infer"):
        if maps:
            verdicts, arrays = served.network.analyse(images, maps)
        else:
            verdicts, arrays = served.network.classify(images), {}
    note_verdicts(served.network.name, verdicts.classes, verdicts.novelty)
    return _by_name(verdicts) | arrays


def _by_name(verdicts: Verdicts) -> dict[str, np.ndarray]:
    arrays = {"probabilities": verdicts.probabilities, "logits": verdicts.logits}
    return arrays if verdicts.novelty is None else arrays | {"novelty": verdicts.novelty}


# --- its answer -------------------------------------------------------------------------------------------------------


def _answer(
    served: Served, identifier: str | None, wanted: Sequence[Wanted], arrays: Mapping[str, np.ndarray]
) -> Reply:
    outputs, tail = [], []
    for output in wanted:
        members, data = _write_output(output, arrays[output.name], served)
        outputs.append(members)
        tail += data
    members = {
        "model_name": served.network.name,
        "model_version": served.network.version,
        "id": str(uuid.uuid4()) if identifier is None else identifier,
        "outputs": outputs,
    }
    if not any(output.binary for output in wanted):
        return writing.json(members)
    text = orjson.dumps(members, option=orjson.OPT_SERIALIZE_NUMPY)
    headers = HEADERS | {HEADER_LENGTH: str(len(text))}
    return Response(b"".join([text, *tail]), headers=headers, content_type="application/octet-stream")


def _write_output(output: Wanted, array: np.ndarray, served: Served) -> tuple[dict[str, Any], list[bytes]]:
    """One output's members, and what goes after the JSON; in JSON its numbers are one flat list, in row order."""
    members: dict[str, Any] = {"name": output.name, "datatype": "FP32", "shape": output.shape}
    if output.top:
        members["datatype"] = "BYTES"
        labels = [label for row in array for label in _most_probable(row, output.top, served.network.passport.labels)]
        data: Any = pack_elements(labels) if output.binary else labels
    else:
        data = array.astype("<f4", copy=False).tobytes() if output.binary else array.reshape(-1)
    if not output.binary:
        return members | {"data": data}, []
    return members | {"parameters": {"binary_data_size": len(data)}}, [data]


def _most_probable(scores: np.ndarray, count: int, labels: Sequence[str]) -> list[str]:
    """
    The highest scores as Triton writes them, "<score>:<index>:<label>", with all the digits that float32 has.

    >>> _most_probable(np.array([0.1, 0.7, 0.2], np.float32), 2, ["a", "b", "c"])
    ['0.7:1:b', '0.2:2:c']
    """
    best = np.argsort(-scores, kind="stable")[:count]
    return [f"{scores[index]!s}:{index}:{labels[index]}" for index in best]
