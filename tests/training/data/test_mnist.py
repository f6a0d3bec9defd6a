"""The digits are read, checked and split; whatever is wrong with a file is said in one sentence."""

import gzip
import http.server
import struct
import threading
from functools import partial

import numpy as np
import pytest

from training.data import mnist as data
from training.data.mnist import DatasetError, LabelledDigits, fetch_mnist, find_mnist, load_mnist, read_mnist_file

NAMES = tuple(data.CHECKSUMS)


def idx_bytes(array):
    return bytes([0, 0, 8, array.ndim]) + struct.pack(f">{array.ndim}I", *array.shape) + array.tobytes()


def write_digits(folder, train_count=30, test_count=7, packed=True, seed=0):
    random = np.random.default_rng(seed)
    folder.mkdir(parents=True, exist_ok=True)
    arrays = {}
    for prefix, count in (("train", train_count), ("t10k", test_count)):
        arrays[f"{prefix}-images-idx3-ubyte"] = random.integers(0, 256, (count, 28, 28), dtype=np.uint8)
        arrays[f"{prefix}-labels-idx1-ubyte"] = random.integers(0, 10, count, dtype=np.uint8)
    for name, array in arrays.items():
        content = idx_bytes(array)
        if packed:
            (folder / f"{name}.gz").write_bytes(gzip.compress(content))
        else:
            (folder / name).write_bytes(content)
    return arrays


@pytest.fixture
def nowhere(monkeypatch, tmp_path):
    """No digits anywhere but where a test puts them."""
    monkeypatch.delenv("FILTERSCOPE_MNIST", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(data, "__file__", str(tmp_path / "home" / "checkout" / "training" / "data" / "mnist.py"))
    return tmp_path


@pytest.mark.parametrize("packed", [True, False])
def test_gzipped_and_plain_files_are_read_alike_and_split_at_the_end(tmp_path, packed):
    arrays = write_digits(tmp_path, packed=packed)
    mnist = load_mnist(tmp_path, validation_count=10)
    assert mnist.split == {"train": 20, "validation": 10, "test": 7}
    np.testing.assert_array_equal(mnist.train.images, arrays[NAMES[0]][:20])
    np.testing.assert_array_equal(mnist.validation.images, arrays[NAMES[0]][20:])
    np.testing.assert_array_equal(mnist.validation.labels, arrays[NAMES[1]][20:])
    np.testing.assert_array_equal(mnist.test.labels, arrays[NAMES[3]])


def test_the_network_takes_ink_as_one_and_paper_as_zero(tmp_path):
    images = np.array([[[0, 255], [51, 102]]], np.uint8)
    prepared = LabelledDigits(images, np.zeros(1, np.uint8)).as_network_input()
    assert prepared.shape == (1, 1, 2, 2)
    np.testing.assert_allclose(prepared[0, 0], [[0, 1], [0.2, 0.4]], rtol=1e-6)


def test_a_missing_file_is_named_with_the_remedy(tmp_path):
    write_digits(tmp_path)
    (tmp_path / f"{NAMES[2]}.gz").unlink()
    with pytest.raises(DatasetError, match=r"lacks t10k-images-idx3-ubyte .*fetch"):
        load_mnist(tmp_path, validation_count=10)


@pytest.mark.parametrize("keep", [0, 1, 3, 4, 9, 16, 200])
def test_a_truncated_plain_file_is_refused(tmp_path, keep):
    write_digits(tmp_path, packed=False)
    path = tmp_path / NAMES[0]
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(DatasetError, match=r"truncated|not an IDX file"):
        read_mnist_file(tmp_path, NAMES[0])


@pytest.mark.parametrize("keep", [0, 5, 12, 0.5, -1])
def test_a_truncated_gzip_stream_is_refused(tmp_path, keep):
    write_digits(tmp_path)
    path = tmp_path / f"{NAMES[0]}.gz"
    content = path.read_bytes()
    path.write_bytes(content[: int(keep * len(content)) if isinstance(keep, float) else keep])
    with pytest.raises(DatasetError, match=r"truncated|not an IDX file"):
        read_mnist_file(tmp_path, NAMES[0])


@pytest.mark.parametrize("place", [0, 20, 5000, -6])
def test_a_corrupt_gzip_stream_is_refused(tmp_path, place):
    write_digits(tmp_path)
    path = tmp_path / f"{NAMES[0]}.gz"
    content = bytearray(path.read_bytes())
    content[place] ^= 0xFF
    path.write_bytes(content)
    with pytest.raises(DatasetError, match=r"corrupt|truncated|IDX"):
        read_mnist_file(tmp_path, NAMES[0])


def test_images_and_labels_must_belong_together():
    images = np.zeros((3, 28, 28), np.uint8)
    with pytest.raises(DatasetError, match="3 images, 2 labels"):
        LabelledDigits(images, np.zeros(2, np.uint8))
    with pytest.raises(DatasetError, match="got 10"):
        LabelledDigits(images, np.array([1, 2, 10], np.uint8))


def test_too_few_images_to_split_are_refused(tmp_path):
    write_digits(tmp_path, train_count=30)
    with pytest.raises(DatasetError, match="more than 30 images, got 30"):
        load_mnist(tmp_path, validation_count=30)


def test_without_any_folder_nothing_is_found(nowhere):
    assert find_mnist() is None


def test_folders_are_looked_for_in_the_order_that_is_promised(nowhere, monkeypatch):
    above = nowhere / "shared" / "mnist"
    beside = nowhere / "home" / "mnist"
    cached = nowhere / "cache" / "filterscope" / "mnist"
    environment = nowhere / "environment"
    explicit = nowhere / "explicit"
    for folder in (above, beside, cached, environment):
        write_digits(folder)
        if folder is environment:
            monkeypatch.setenv("FILTERSCOPE_MNIST", str(folder))
        assert find_mnist() == folder
    write_digits(explicit)
    assert find_mnist(explicit) == explicit


def test_a_named_folder_that_lacks_files_is_never_passed_over(nowhere, monkeypatch):
    write_digits(nowhere / "shared" / "mnist")
    monkeypatch.setenv("FILTERSCOPE_MNIST", str(nowhere / "empty"))
    with pytest.raises(DatasetError, match=r"empty should hold .*missing: train-images"):
        find_mnist()


class QuietHandler(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_):
        pass


@pytest.fixture
def mirror(tmp_path):
    folder = tmp_path / "mirror"
    folder.mkdir()
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), partial(QuietHandler, directory=str(folder)))
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield folder, f"http://127.0.0.1:{server.server_port}/"
    server.shutdown()
    thread.join()
    server.server_close()


def test_files_are_fetched_from_the_first_mirror_that_gives_the_right_bytes(tmp_path, mirror, monkeypatch, capsys):
    folder, address = mirror
    write_digits(folder)
    monkeypatch.setattr(data, "CHECKSUMS", checksums_of(folder))
    fetch_mnist(tmp_path / "to", mirrors=("http://127.0.0.1:9/", address))
    assert find_mnist(tmp_path / "to") == tmp_path / "to"
    assert load_mnist(tmp_path / "to", validation_count=10).split["train"] == 20
    assert "train-images-idx3-ubyte.gz: 100%" in capsys.readouterr().err
    assert not list((tmp_path / "to").glob("*.part"))


def test_a_download_with_other_bytes_is_refused_and_leaves_nothing(tmp_path, mirror, monkeypatch):
    folder, address = mirror
    write_digits(folder)
    with pytest.raises(DatasetError, match=r"no mirror gave train-images-idx3-ubyte\.gz; .*another checksum"):
        fetch_mnist(tmp_path / "to", mirrors=(address,), progress=False)
    assert not list((tmp_path / "to").iterdir())


def test_a_damaged_file_in_the_cache_is_fetched_again_and_a_good_one_is_not(tmp_path, mirror, monkeypatch):
    folder, address = mirror
    write_digits(folder)
    monkeypatch.setattr(data, "CHECKSUMS", checksums_of(folder))
    target = tmp_path / "to"
    fetch_mnist(target, mirrors=(address,), progress=False)
    (target / f"{NAMES[0]}.gz").write_bytes(b"rubbish")
    for name in NAMES[1:]:
        (folder / f"{name}.gz").unlink()
    fetch_mnist(target, mirrors=(address,), progress=False)
    assert load_mnist(target, validation_count=10).split["train"] == 20


def checksums_of(folder):
    import hashlib

    packed = {name: (folder / f"{name}.gz").read_bytes() for name in NAMES}
    return {name: hashlib.sha256(gzip.decompress(content)).hexdigest() for name, content in packed.items()}


def test_the_real_digits_have_the_published_checksums_and_the_lectures_split():
    import hashlib

    folder = find_mnist()
    if folder is None:
        pytest.skip("MNIST is absent: no folder of its four files was found")
    mnist = load_mnist(folder)
    assert mnist.split == {"train": 50_000, "validation": 10_000, "test": 10_000}
    digest = hashlib.sha256(idx_bytes(mnist.test.images)).hexdigest()
    assert digest == data.CHECKSUMS["t10k-images-idx3-ubyte"]
