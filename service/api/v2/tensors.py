"""
The wire forms of the Open Inference Protocol: tensors as JSON, flat or nested, or as bytes after the JSON.

A body is JSON, or JSON of the length that `Inference-Header-Content-Length` gives and then the bytes of the tensors
(little-endian, in row order). A length of 0 means that the body is the one input itself. The content type says nothing:
clients send any, or none.
"""

import re
import struct
from collections.abc import Iterable
from itertools import islice
from math import prod
from typing import Any, TypeVar

import msgspec
import numpy as np

from service.api.http.numbers import check_numbers_in
from service.core.errors import InvalidInput, Unreadable, shown
from service.settings import Limits

HEADER_LENGTH = "Inference-Header-Content-Length"
HEADER_LENGTH_KEY = "HTTP_INFERENCE_HEADER_CONTENT_LENGTH"  # its name in a WSGI environ
FP32_BYTES = 4
# Each element of a BYTES tensor: its length, then its bytes.
ELEMENT_LENGTH = struct.Struct("<I")

Parameters = dict[str, Any]
Buffer = bytes | memoryview


class RequestInput(msgspec.Struct, frozen=True, kw_only=True):
    """One tensor of a request; its numbers are in `data`, or after the JSON."""

    name: str
    shape: list[int | float]
    datatype: str
    parameters: Parameters | None = None
    data: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET


class RequestOutput(msgspec.Struct, frozen=True, kw_only=True):
    """One output that a request names."""

    name: str
    parameters: Parameters | None = None


class InferRequest(msgspec.Struct, frozen=True, kw_only=True):
    """What is asked; members that the protocol does not know are passed over."""

    inputs: list[RequestInput]
    id: str | None = None
    parameters: Parameters | None = None
    outputs: list[RequestOutput] | None = None


_REQUEST = msgspec.json.Decoder(InferRequest)
_FLAT_NUMBERS = msgspec.json.Decoder(list[float])
_NESTED_NUMBERS = msgspec.json.Decoder(list[list[list[list[float]]]])
_FLAT_TEXTS = msgspec.json.Decoder(list[str])
_NESTED_TEXTS = msgspec.json.Decoder(list[list[str]])
Decoded = TypeVar("Decoded")


def read_request(body: bytes, header_length: str | None, limits: Limits) -> tuple[InferRequest, memoryview]:
    """
    Take a body apart.

    header_length: the value of HEADER_LENGTH, above 0; None where there is no such header: the body is all JSON
    returns: the request, and the bytes that follow its JSON
    raises: Unreadable, TooLarge, InvalidInput
    """
    length = _json_length(body, header_length)
    text = body[:length]
    check_numbers_in(text, "a JSON body", limits, "send the tensor as bytes")
    return decode_json(_REQUEST, text, "the request"), memoryview(body)[length:]


def decode_json(decoder: "msgspec.json.Decoder[Decoded]", text: Buffer | msgspec.Raw, what: str) -> Decoded:
    """Decode JSON into a declared type; Unreadable or InvalidInput says what is wrong with it."""
    try:
        return decoder.decode(text)
    except msgspec.ValidationError as error:
        message = str(error).replace("`", "").replace(" - at $", ", at ")
        raise InvalidInput(f"{what}: {message[0].lower()}{message[1:]}") from None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        hint = f"; with tensors as bytes, {HEADER_LENGTH} gives the length of the JSON" if what == "the request" else ""
        raise Unreadable(f"{what} is not JSON: {error}{hint}") from None


def _json_length(body: bytes, header_length: str | None) -> int:
    if header_length is None:
        return len(body)
    if not re.fullmatch(r"\d{1,12}", header_length, re.ASCII) or int(header_length) > len(body):
        raise InvalidInput(
            f"{HEADER_LENGTH} is the length of the JSON, at most that of the body, {len(body)}, "
            f"got {header_length[:80]!r}"
        )
    return int(header_length)


def read_shape(tensor: RequestInput) -> list[int]:
    """
    The shape of a tensor; 28.0 is 28, as some languages have only one kind of number.

    >>> read_shape(RequestInput(name="image", shape=[1.0, 28], datatype="FP32"))
    [1, 28]
    """
    if any(size != size // 1 or size < 0 for size in tensor.shape):
        raise InvalidInput(f"a shape is whole numbers from 0, got {shown(tensor.shape)} for {tensor.name[:80]}")
    return [int(size) for size in tensor.shape]


def read_numbers(tensor: RequestInput, shape: list[int], tail: memoryview) -> np.ndarray:
    """
    The numbers of an FP32 tensor.

    shape: as the tensor gives it, four axes; tail: the bytes that follow the JSON
    returns: float32 from bytes, float64 from JSON, of that shape
    raises: InvalidInput when their count is not that of the shape
    """
    count = prod(shape)
    if _is_binary(tensor, tail):
        if len(tail) != count * FP32_BYTES:
            raise InvalidInput(f"shape {shape} of FP32 has {count * FP32_BYTES} bytes, got {len(tail)}")
        # A copy: after the JSON the numbers begin at any address.
        return np.frombuffer(tail, "<f4").astype(np.float32).reshape(shape)
    _check_commas(tensor, shape, count)
    numbers = _decode_data(tensor, shape, _FLAT_NUMBERS, _NESTED_NUMBERS)
    try:
        array = np.array(numbers, np.float64)
    except ValueError:
        raise InvalidInput(f"data is nested as its shape {shape} says, or flat; these lists differ in length") from None
    if array.ndim == 1 and len(array) != count:
        raise InvalidInput(f"shape {shape} has {count} numbers, data has {len(array)}")
    if array.ndim != 1 and list(array.shape) != shape:
        raise InvalidInput(f"shape says {shape}, data is nested as {list(array.shape)}")
    return array.reshape(shape)


def read_elements(tensor: RequestInput, shape: list[int], tail: memoryview) -> list[Any]:
    """
    The elements of a BYTES tensor: bytes from bytes, text from JSON.

    shape: as the tensor gives it, one or two axes; tail: the bytes that follow the JSON
    raises: InvalidInput when their count is not that of the shape, or a length leads past the end
    """
    elements: list[Any]
    count = prod(shape)
    if _is_binary(tensor, tail):
        elements = list(islice(unpack_elements(tail), count + 1))
    else:
        _check_commas(tensor, shape, 2 * count)  # one between two elements, and one within a data: URL
        elements = _decode_data(tensor, shape, _FLAT_TEXTS, _NESTED_TEXTS)
        if elements and isinstance(elements[0], list):
            elements = [element for row in elements for element in row]
    if len(elements) != count:
        more = " or more" if len(elements) == count + 1 else ""  # those after the first too many are not read
        raise InvalidInput(f"shape {shape} has {count} elements, got {len(elements)}{more}")
    return elements


def pack_elements(elements: Iterable[str]) -> bytes:
    r"""
    A BYTES tensor as bytes.

    >>> pack_elements(["0.9:7", ""])
    b'\x05\x00\x00\x000.9:7\x00\x00\x00\x00'
    """
    encoded = [element.encode() for element in elements]
    return b"".join(ELEMENT_LENGTH.pack(len(element)) + element for element in encoded)


def unpack_elements(packed: Buffer) -> Iterable[bytes]:
    """
    The elements of a BYTES tensor that came as bytes.

    >>> list(unpack_elements(pack_elements(["0.9:7", ""])))
    [b'0.9:7', b'']
    """
    place = 0
    while place < len(packed):
        start = place + ELEMENT_LENGTH.size
        if start > len(packed):
            raise InvalidInput(f"an element of BYTES begins with its length in 4 bytes, got {len(packed) - place}")
        (length,) = ELEMENT_LENGTH.unpack_from(packed, place)
        place = start + length
        if place > len(packed):
            raise InvalidInput(f"an element of BYTES is to have {length} bytes, {len(packed) - start} follow")
        yield bytes(packed[start:place])


def _is_binary(tensor: RequestInput, tail: memoryview) -> bool:
    """Whether a tensor's numbers are after the JSON, all of what is there; else in its `data`."""
    parameters = tensor.parameters or {}
    if "shared_memory_region" in parameters:
        raise InvalidInput(f"{tensor.name}: there is no shared memory here; send data")
    size = parameters.get("binary_data_size")
    has_data = tensor.data is not msgspec.UNSET
    if (size is not None) == has_data:
        came = "both" if has_data else "neither"
        raise InvalidInput(f"{tensor.name} has either data or parameters.binary_data_size, got {came}")
    if (0 if size is None else size) != len(tail) or isinstance(size, bool):
        raise InvalidInput(
            f"binary_data_size of {tensor.name} is {shown(size)}, and {len(tail)} bytes follow the JSON"
            + ("" if tail else f", whose length {HEADER_LENGTH} gives")
        )
    return size is not None


def _check_commas(tensor: RequestInput, shape: list[int], most: int) -> None:
    """Refuse data that has more elements than its shape, before a list is made of them."""
    commas = bytes(tensor.data).count(b",")  # type: ignore[arg-type]
    if commas > most:
        raise InvalidInput(f"{tensor.name}: shape {shape} has {prod(shape)} elements, data has about {commas + 1}")


def _decode_data(
    tensor: RequestInput, shape: list[int], flat: "msgspec.json.Decoder[Any]", nested: "msgspec.json.Decoder[Any]"
) -> list[Any]:
    text = bytes(tensor.data)  # type: ignore[arg-type]
    opening = re.match(rb"[\s\[]*", text)
    depth = opening[0].count(b"[") if opening else 0
    if depth not in {1, len(shape)}:
        raise InvalidInput(f"{tensor.name}: data is one list, or lists nested as its shape {shape}, got {depth} levels")
    return decode_json(flat if depth == 1 else nested, text, f"data of {tensor.name}")
