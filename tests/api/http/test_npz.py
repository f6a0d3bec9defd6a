"""npz files as chunks: what NumPy, zipfile and unzip's rules read is what was written, and nothing was copied."""

import io
import zipfile

import numpy as np
import pytest

from service.api.http.npz import LARGEST_16, npz_chunks

ARRAYS = {
    "float": np.random.default_rng(0).normal(size=(3, 5, 7)).astype(np.float32),
    "bytes": np.arange(256, dtype=np.uint8),
    "turned": np.arange(24, dtype=np.int64).reshape(4, 6).T,
    "every second": np.arange(20.0)[::2],
    "empty": np.zeros((0, 4), np.float32),
    "scalar": np.float64(2.5) * np.ones(()),
    "0/größe": np.array([True, False]),
    "none of zero bytes": np.zeros((2, 0), bool),
}


def read(chunks):
    return zipfile.ZipFile(io.BytesIO(b"".join(chunks)))


@pytest.mark.parametrize("limit", [0xFFFFFFFF, 1000, 0], ids=["32 bits", "64 bits where needed", "64 bits"])
def test_numpy_and_zipfile_read_what_was_written(limit):
    chunks = npz_chunks(ARRAYS, limit)
    assert read(chunks).testzip() is None
    loaded = np.load(io.BytesIO(b"".join(chunks)), allow_pickle=False)
    assert loaded.files == list(ARRAYS)
    for name, array in ARRAYS.items():
        assert loaded[name].dtype == array.dtype
        assert loaded[name].shape == array.shape
        np.testing.assert_array_equal(loaded[name], array)


@pytest.mark.parametrize("limit", [0xFFFFFFFF, 1000])
def test_the_directory_says_what_the_headers_before_each_entry_say(limit):
    archive = read(npz_chunks(ARRAYS, limit))
    data = archive.fp.getvalue()
    place = 0
    for entry in archive.infolist():
        assert entry.header_offset == place
        assert entry.date_time == (1980, 1, 1, 0, 0, 0)
        assert data[place + 14 : place + 18] == entry.CRC.to_bytes(4, "little")
        name_length, extra_length = (int.from_bytes(data[place + at : place + at + 2], "little") for at in (26, 28))
        place += 30 + name_length + extra_length + entry.file_size
    assert place == archive.start_dir


def test_an_archive_with_more_entries_than_16_bits_count_is_read():
    arrays = {str(i): np.uint8([i % 256]) for i in range(LARGEST_16 + 1)}
    archive = read(npz_chunks(arrays))
    assert len(archive.namelist()) == LARGEST_16 + 1
    assert archive.read("65535.npy")[-1] == 255


def test_it_is_the_file_that_zipfile_writes_but_for_what_wrote_it():
    out = io.BytesIO()
    arrays = {"a": np.arange(5), "b": np.ones((2, 3), np.float32)}
    with zipfile.ZipFile(out, "w") as archive:
        for name, array in arrays.items():
            entry = zipfile.ZipInfo(f"{name}.npy", (1980, 1, 1, 0, 0, 0))
            with archive.open(entry, "w") as file:
                np.lib.format.write_array(file, array)
    theirs, ours = zipfile.ZipFile(out), read(npz_chunks(arrays))
    for one, other in zip(theirs.infolist(), ours.infolist(), strict=True):
        assert (one.filename, one.CRC, one.file_size, one.header_offset) == (
            other.filename,
            other.CRC,
            other.file_size,
            other.header_offset,
        )
        assert theirs.read(one) == ours.read(other)


def test_contiguous_arrays_are_not_copied():
    array = np.zeros((4, 1000, 1000), np.float32)
    chunks = npz_chunks({"a": array})
    array[0, 0, 0] = 1
    (view,) = [chunk for chunk in chunks if len(chunk) == array.nbytes]
    assert np.frombuffer(view, np.float32)[0] == 1
    assert sum(len(chunk) for chunk in chunks) - array.nbytes < 1000


def test_a_large_answer_is_handed_on_in_chunks_with_its_length(client):
    picture = io.BytesIO()
    np.save(picture, np.zeros((600, 600), np.uint8))
    answer = client.post(
        "/v1/apply-filters?format=npz&filters=[{%22preset%22:%22box%22},{%22preset%22:%22sobel_x%22}]",
        data=picture.getvalue(),
        content_type="application/x-npy",
        buffered=False,
    )
    sizes = [len(chunk) for chunk in answer.response]
    assert len(sizes) == 7, "two responses, and both as one array: a head and the numbers of each, and the directory"
    assert sum(sizes) == int(answer.headers["Content-Length"])
