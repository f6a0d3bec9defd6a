"""The parsers of pictures and kernels alone, without a request around them: thousands of inputs a second."""

import struct
import zlib
from contextlib import suppress

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.api.http import codings
from service.api.http.numbers import read_npy
from service.api.v2 import tensors
from service.core.errors import ServiceError, Unreadable
from service.core.kernels import check_kernel
from service.pictures import codec
from tests.api.test_fuzz import SOUND, WEIGHTS, damaged
from tests.fuzzing import fuzz
from tests.pictures.files import chunk

MAX_PIXELS = 20_000


@st.composite
def made_png(make):
    """A PNG whose chunks are well-formed and whose claims are not: sizes, depths, colours, order, checksums."""
    side = st.integers(0, 40) | st.sampled_from([2**31 - 1, 2**31, 2**32 - 1])
    header = struct.pack(
        ">IIBBBBB", make(side), make(side), make(st.sampled_from([1, 2, 4, 8, 16, 3])), make(st.integers(0, 7)),
        make(st.integers(0, 1)), make(st.integers(0, 1)), make(st.integers(0, 2)),
    )  # fmt: skip
    kinds = st.sampled_from(
        [b"IDAT", b"PLTE", b"tRNS", b"tEXt", b"zTXt", b"iTXt", b"iCCP", b"eXIf", b"acTL", b"fcTL", b"IHDR"]
    )
    chunks = [chunk(b"IHDR", header)]
    for _ in range(make(st.integers(0, 5))):
        data = make(st.binary(max_size=60))
        chunks.append(chunk(make(kinds), zlib.compress(data) if make(st.booleans()) else data))
    body = b"\x89PNG\r\n\x1a\n" + b"".join([*chunks, chunk(b"IDAT", zlib.compress(bytes(make(st.integers(0, 2000)))))])
    return body + (chunk(b"IEND") if make(st.booleans()) else b"")


@st.composite
def made_jpeg(make):
    """A JPEG of random segments before and between those of a sound one."""
    jpeg = make(st.sampled_from(SOUND["image/jpeg"]))
    pieces = []
    for _ in range(make(st.integers(0, 4))):
        data = make(st.binary(max_size=40))
        length = make(st.just(len(data) + 2) | st.integers(0, 65535))
        pieces.append(bytes([255, make(st.integers(0xC0, 0xFE))]) + length.to_bytes(2) + data)
    place = make(st.just(2) | st.integers(2, len(jpeg)))
    return jpeg[:place] + b"".join(pieces) + jpeg[place:]


@pytest.mark.parametrize(("large", "keep_alpha"), [(0, False), (40_000, True)])
def test_a_decoder_gives_pixels_within_its_limit_or_a_refusal(large, keep_alpha):
    @fuzz(400)
    @given(data=damaged().map(lambda posted: posted[0]) | made_png() | made_jpeg() | st.binary(max_size=80))
    def decoder(data):
        try:
            pixels = codec.decode(
                data, max_pixels=MAX_PIXELS, max_jpeg_pixels=large, max_scan_pixels=large, keep_alpha=keep_alpha
            )
        except ServiceError:
            return
        assert pixels.dtype in (np.uint8, np.float32)
        assert pixels.ndim == 2 or pixels.shape[2] in {3, 4}
        assert 0 < pixels.shape[0] * pixels.shape[1] <= max(MAX_PIXELS, large)

    decoder()


@st.composite
def made_npy(make):
    """An npy file with a header of any words, and any data."""
    sizes = st.integers(0, 9) | st.sampled_from([-1, 2**31, 2**32, 2**62, 2**63, 2**64, True])
    many = st.integers(30, 70).map(lambda count: (1,) * count)
    shape = make(st.lists(sizes, max_size=5).map(tuple) | many | st.just("'x'") | st.just("(1.5,)") | st.just("None"))
    descr = make(st.sampled_from(["<f4", ">f8", "|u1", "|O", "<U9", "<M8[s]", "<c16", "V3", "f", "", "|b1", "<f2"]))
    header = f"{{'descr': {descr!r}, 'fortran_order': {make(st.sampled_from([True, False, 0]))}, 'shape': {shape}, }}"
    text = make(st.just(header) | st.text(max_size=60)).encode()
    version = make(st.sampled_from([b"\1\0", b"\2\0", b"\3\0", b"\0\0"]))
    length = make(st.just(len(text)) | st.integers(0, 65535))
    packed = struct.pack("<I" if version == b"\2\0" else "<H", length)
    return b"\x93NUMPY" + version + packed + text + make(st.binary(max_size=300))


@pytest.mark.parametrize("shape", ["(True, 4)", "(4, True)", "(True, True)", f"({'1, ' * 70})", f"({'1, ' * 33})"])
def test_a_shape_that_is_no_array_s_is_refused(shape):
    """NumPy's reader takes truth for a number, and as many axes as there are."""
    head = f"{{'descr': '|u1', 'fortran_order': False, 'shape': {shape}}}".encode()
    for count in (1, 4):
        with pytest.raises(Unreadable, match="shape"):
            read_npy(b"\x93NUMPY\1\0" + struct.pack("<H", len(head)) + head + bytes(count))


def test_an_npy_body_gives_arrays_of_its_size_or_a_refusal():
    @fuzz(1000)
    @given(data=made_npy())
    def npy_reader(data):
        try:
            array = read_npy(data)
        except ServiceError:
            return
        assert array.nbytes <= len(data)

    npy_reader()


def test_any_value_is_a_filter_or_refused():
    numbers = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5)
    anything = st.recursive(numbers, lambda inner: st.lists(inner, max_size=4), max_leaves=12)

    @fuzz(1000)
    @given(weights=WEIGHTS | anything)
    def kernel_reader(weights):
        try:
            kernel = check_kernel(weights, max_side=9)
        except ServiceError:
            return
        assert np.isfinite(kernel).all()

    kernel_reader()


def test_packed_bodies_and_elements_never_grow_beyond_their_limit():
    @fuzz(600)
    @given(
        body=st.binary(max_size=200) | st.binary(max_size=99).map(zlib.compress),
        coding=st.sampled_from([*codings.CODINGS]),
    )
    def inflater(body, coding):
        with suppress(ServiceError):
            assert len(codings.inflate(body, coding, 90)) <= 90
        with suppress(ServiceError):
            assert sum(map(len, tensors.unpack_elements(body))) <= len(body)

    inflater()


def test_an_npy_shape_with_a_zero_and_a_huge_side_is_refused():
    text = b"{'descr': '<f4', 'fortran_order': False, 'shape': (0, 4611686018427387904), }\n"
    with pytest.raises(ServiceError, match="at least one number"):
        read_npy(b"\x93NUMPY\1\0" + struct.pack("<H", len(text)) + text)
