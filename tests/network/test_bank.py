"""The fast engine answers what the NumPy core answers, whatever the geometry, the tiling and the path taken."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from service.core.convolution import PAD_MODES, correlate, geometry, pad
from service.core.errors import InvalidOption
from service.network import bank
from service.network.bank import correlate_bank, model_for_any, model_with, padded_bands, source_cells
from tests.geometries import random_cases, sample_size

ROOT = Path(__file__).parents[2]


def run(case):
    options = case.options
    return correlate_bank(case.image, case.kernels, case.biases, case.places, options["pad_mode"], options["pad_value"])


def assert_same_maps(found, case):
    """As near as float32 sums of that many products can be."""
    expected = correlate(case.image, case.kernels, case.biases, **case.options)
    assert found.dtype == np.float32
    assert found.shape == expected.shape
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5 * np.abs(expected).max().clip(1))


@pytest.fixture(params=["directly", "in bands", "in bands with columns to spare"])
def path(request, monkeypatch):
    """The ways through the engine, in tiles so small that there are many."""
    monkeypatch.setattr(bank, "SMALL_WORK", 1 << 60 if request.param == "directly" else 0)
    if "spare" in request.param:
        monkeypatch.setattr(bank, "PAGE_CELLS", 1)  # as if every tile were as wide as a page
    monkeypatch.setattr(bank, "TILE_CELLS", 600)
    monkeypatch.setattr(bank, "TILE_COLUMNS", 13)
    monkeypatch.setattr(bank, "BUILT_IN_BYTES", 3000)


def test_the_engine_agrees_with_the_core(path):
    for case in random_cases(1, sample_size(120, 2000), largest=70):
        assert_same_maps(run(case), case)


def test_the_engine_agrees_with_the_core_at_its_own_tile_size():
    for case in random_cases(2, sample_size(6, 60), largest=500):
        assert_same_maps(run(case), case)


@pytest.mark.parametrize("mode", PAD_MODES)
def test_borders_wider_than_the_picture_are_those_of_the_core(mode, path):
    rng = np.random.default_rng(3)
    image, kernels = rng.random((1, 3, 4), dtype=np.float32), rng.normal(size=(2, 1, 5, 5)).astype(np.float32)
    places = geometry((3, 4), (5, 5), padding=[9, 12, 17, 5])
    expected = correlate(image, kernels, padding=places.pads, pad_mode=mode, pad_value=0.5)
    found = correlate_bank(image, kernels, np.zeros(2, np.float32), places, mode, 0.5)
    np.testing.assert_allclose(found, expected, atol=1e-5)


@pytest.mark.parametrize(("height", "width"), [(1, 30_000), (30_000, 1), (1, 1)])
def test_very_long_pictures_are_answered(height, width):
    image = np.random.default_rng(4).random((1, height, width), dtype=np.float32)
    kernels = np.random.default_rng(5).normal(size=(3, 1, 3, 3)).astype(np.float32)
    places = geometry((height, width), (3, 3), padding="same")
    found = correlate_bank(image, kernels, np.zeros(3, np.float32), places, "mirror")
    np.testing.assert_allclose(found, correlate(image, kernels, padding="same", pad_mode="mirror"), atol=1e-5)


@pytest.mark.parametrize("dtype", [np.uint8, np.float64])
def test_other_types_and_strided_arrays_are_read(dtype):
    image = np.random.default_rng(6).integers(0, 9, (20, 24, 3)).astype(dtype).transpose(2, 0, 1)[:, ::2]
    kernels = np.random.default_rng(7).normal(size=(2, 3, 4, 3))[..., ::-1]
    places = geometry(image.shape[1:], (4, 3), padding=1)
    found = correlate_bank(image, kernels, [0, 1], places, "symmetric")
    np.testing.assert_allclose(
        found, correlate(image, kernels, [0, 1], padding=1, pad_mode="symmetric"), rtol=1e-4, atol=1e-4
    )


def test_an_unknown_pad_mode_is_refused():
    with pytest.raises(InvalidOption, match="pad_mode"):
        correlate_bank(np.ones((1, 5, 5)), np.ones((1, 1, 3, 3)), [0], geometry((5, 5), (3, 3)), "reflect")


@pytest.mark.parametrize("mode", PAD_MODES)
def test_bands_are_parts_of_the_padded_picture(mode):
    rng = np.random.default_rng(8)
    for _ in range(sample_size(60, 2000)):
        image = rng.random((2, *rng.integers(1, 12, 2)), dtype=np.float32)
        pads = tuple(int(n) for n in rng.integers(0, 15, 4))
        whole = pad(image, pads, mode, 0.5)
        top, bottom = np.sort(rng.integers(0, whole.shape[1] + 1, 2))
        left, right = np.sort(rng.integers(0, whole.shape[2] + 1, 2))
        count, step = (int(n) for n in rng.integers(1, 5, 2))
        if bottom - top <= (count - 1) * step or left == right:
            continue
        rows, columns = range(top - pads[0], bottom - pads[0]), range(left - pads[1], right - pads[1])
        found = padded_bands(image, rows, columns, (mode, 0.5 if mode == "constant" else 0), count, step)
        height = bottom - top - (count - 1) * step
        for band in range(count):
            start = top + band * step
            np.testing.assert_array_equal(found[:, band], whole[:, start : start + height, left:right])


@pytest.mark.parametrize("mode", ["replicate", "mirror", "symmetric", "circular"])
@pytest.mark.parametrize("size", [1, 2, 5])
def test_the_sources_of_a_border_are_numpys(mode, size):
    expected = pad(np.arange(size)[None], (0, 11, 0, 12), mode)[0]
    np.testing.assert_array_equal(source_cells(range(-11, size + 12), size, mode), expected)


@pytest.mark.parametrize(("rows", "most", "least"), [(1, 9, 1), (100, 7, 1), (16, 64, 16), (100, 32, 16), (47, 48, 16)])
def test_the_tiles_cover_a_map(rows, most, least):
    places = geometry((rows, 35), (1, 1))
    seen = np.zeros((rows, 35), int)
    for down, across in bank._tiles(places, 10, most, least):
        height = down.stop - down.start
        assert 0 < height <= most
        assert height % least == 0
        assert across.stop - across.start <= 10
        seen[down, across] += 1
    assert seen.min() == 1
    assert (seen > 1).any(axis=1).sum() < least


def test_the_hand_written_model_given_its_kernels_is_a_model():
    onnx = pytest.importorskip("onnx")
    model = onnx.load_from_string(model_for_any((300, 2), (1, 3)))
    onnx.checker.check_model(model, full_check=True)
    (node,) = model.graph.node
    attributes = {attribute.name: onnx.helper.get_attribute_value(attribute) for attribute in node.attribute}
    assert attributes == {"strides": [300, 2], "dilations": [1, 3], "group": 1}
    assert [value.name for value in model.graph.input] == ["image", "kernels", "biases"]


@pytest.mark.parametrize("channels", [1, 2, 3])
def test_the_hand_written_model_with_kernels_built_in_is_a_model_and_answers_alike(channels):
    onnx = pytest.importorskip("onnx")
    from onnx.reference import ReferenceEvaluator

    rng = np.random.default_rng(9)
    kernels = rng.normal(size=(2, channels, 5, 10)).astype(np.float32)  # more bytes than one length byte can say
    biases = np.float32([1, 2])
    model = onnx.load_from_string(model_with((1, 2), (2, 1), kernels, biases))
    onnx.checker.check_model(model, full_check=True)
    bands = rng.random((channels, 16, 11, 15), dtype=np.float32)
    feeds = {f"image{c}": bands[c : c + 1] for c in range(channels)}
    answers = ReferenceEvaluator(model).run(["map0", "map1"], feeds)
    for band in range(16):
        expected = correlate(bands[:, band], kernels, biases, stride=(1, 2), dilation=(2, 1))
        np.testing.assert_allclose([answer[0, band] for answer in answers], expected, atol=1e-4)


def test_the_sessions_kept_are_bounded_in_number_and_size(monkeypatch):
    image = np.ones((1, 80, 80), np.float32)
    for limit in (1 << 60, 0):
        monkeypatch.setattr(bank, "SMALL_WORK", limit)
        for stride in range(1, 40):
            correlate_bank(image, np.ones((1, 1, 2, 2)), np.zeros(1), geometry((80, 80), (2, 2), (1, stride)))
    assert bank._session_for_any.cache_info().currsize <= 16
    assert bank._session_with.cache_info().currsize <= 16
    before = bank._session_with.cache_info().misses
    correlate_bank(image, np.ones((6, 1, 60, 60)), np.zeros(6), geometry((80, 80), (60, 60)))
    assert bank._session_with.cache_info().misses == before


@pytest.mark.skipif(sys.platform != "linux", reason="the largest memory in use is read as Linux counts it")
@pytest.mark.parametrize(
    ("image", "kernels", "options"),
    [
        ((1, 1024, 1024), (8, 1, 7, 7), "padding='same'"),
        ((3, 1000, 2000), (2, 3, 3, 3), "padding='full'"),
        ((1, 4, 1 << 19), (4, 1, 3, 31), "padding='same'"),
        ((3, 1024, 1024), (12, 3, 63, 63), "stride=16"),
        ((1, 1500, 1500), (1, 1, 9, 9), "dilation=90, padding='same'"),
        ((3, 1024, 1024), (1, 3, 2, 2), "dilation=700"),
    ],
)
def test_beside_its_answer_the_engine_needs_at_most_64_mib(image, kernels, options):
    script = f"""
import re
from pathlib import Path
import numpy as np
from service.core.convolution import geometry
from service.network.bank import correlate_bank

image, kernels = np.ones({image}, np.float32), np.ones({kernels}, np.float32)
def memory(kind):
    return int(re.search(kind + r":\\s+(\\d+) kB", Path("/proc/self/status").read_text())[1]) * 1024
correlate_bank(image[:, :4, :4], kernels[..., :2, :2], np.zeros(len(kernels)), geometry((4, 4), (2, 2)))
places = geometry(image.shape[1:], kernels.shape[2:], {options})
Path("/proc/self/clear_refs").write_text("5")  # the peak from now on
before = memory("VmRSS")
maps = correlate_bank(image, kernels, np.zeros(len(kernels)), places, "circular")
print(memory("VmHWM") - before - maps.nbytes)
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, cwd=ROOT)
    assert int(done.stdout) <= 64 << 20
