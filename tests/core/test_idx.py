"""IDX files of any shape are read; a file that is none is refused in one sentence."""

import gzip
import struct

import numpy as np
import pytest

from service.core.idx import parse_idx, read_idx, read_images


def idx_bytes(array):
    return bytes([0, 0, 8, array.ndim]) + struct.pack(f">{array.ndim}I", *array.shape) + array.tobytes()


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize("pack", [bytes, gzip.compress], ids=["plain", "gzipped"])
def test_an_array_of_any_shape_comes_back(tmp_path, seed, pack):
    random = np.random.default_rng(seed)
    array = random.integers(0, 256, random.integers(0, 6, seed % 4 + 1), dtype=np.uint8)
    (tmp_path / "file").write_bytes(pack(idx_bytes(array)))
    np.testing.assert_array_equal(read_idx(tmp_path / "file"), array)


def test_a_file_of_labels_holds_no_pictures(tmp_path):
    (tmp_path / "labels").write_bytes(idx_bytes(np.arange(10, dtype=np.uint8)))
    with pytest.raises(ValueError, match=r"labels should hold pictures, which take 3 axes, got 1"):
        read_images(tmp_path / "labels")


@pytest.mark.parametrize("pack", [bytes, gzip.compress], ids=["plain", "gzipped"])
def test_wherever_a_file_is_cut_it_is_refused(tmp_path, pack):
    content = pack(idx_bytes(np.random.default_rng(1).integers(0, 256, (3, 4, 5), dtype=np.uint8)))
    for length in range(len(content)):
        (tmp_path / "file").write_bytes(content[:length])
        with pytest.raises(ValueError, match=r"truncated|not an IDX file"):
            read_images(tmp_path / "file")


def test_a_file_that_is_too_long_or_of_another_kind_is_refused():
    good = idx_bytes(np.arange(6, dtype=np.uint8).reshape(2, 3))
    with pytest.raises(ValueError, match=r"too long: shape \(2, 3\) takes 18 bytes, got 19"):
        parse_idx(good + b"!", "it")
    with pytest.raises(ValueError, match="type 0x0d"):
        parse_idx(good[:2] + b"\x0d" + good[3:], "it")
    with pytest.raises(ValueError, match="not an IDX file"):
        parse_idx(b"<html>" + good, "it")
