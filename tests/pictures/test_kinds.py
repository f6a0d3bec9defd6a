"""What is no picture to read is refused by name, with what to do; a HEIC where there is no reader of it."""

import struct
import zipfile

import pytest

from service.core.errors import UnsupportedType
from service.pictures import codec, kinds

HEIC = b"\0\0\0\x18ftypmif1\0\0\0\0mif1heic" + bytes(40)
NAMED = {
    "PDF": (b"%PDF-1.7\n", "a PDF, .*save the page as PNG, JPEG or TIFF"),
    "SVG": (b'<svg xmlns="http://www.w3.org/2000/svg">', "an SVG drawing, .*save it as PNG or JPEG"),
    "SVG with a declaration": (b'\xef\xbb\xbf<?xml version="1.0"?>\n<svg width="9">', "an SVG drawing"),
    "HTML": (b"<!DOCTYPE html><html>", "an HTML page"), "XML": (b"<?xml version='1.0'?><a/>", "got XML"),
    "ICO": (b"\0\0\1\0\1\0", "a Windows icon"), "JP2": (b"\0\0\0\x0cjP  \r\n\x87\n", "a JPEG 2000"),
    "JXL": (b"\xff\x0a\xfa", "a JPEG XL"), "PSD": (b"8BPS\0\1", "a Photoshop file"), "PGM": (b"P5 2 2 255\n", "a PGM"),
    "gzip": (b"\x1f\x8b\x08", "gzip'd data, .*unpack it first"), "zip": (b"PK\3\4", "as an npz is"),
    "wav": (b"RIFF\0\0\0\0WAVEfmt ", "a sound or a film"), "mp4": (b"\0\0\0\x20ftypisom\0\0\2\0isomiso2", "a film"),
    "pickle": (b"\x80\4\x95", "post npy"), "BigTIFF": (b"II+\0\x08\0", "a BigTIFF"),
    "nothing": (b"", "an empty body"), "text": (b"hello", "5 bytes that begin with 68 65 6c 6c 6f"),
}  # fmt: skip


@pytest.mark.parametrize("name", NAMED)
def test_a_file_of_another_kind_is_named_with_what_to_do(name):
    data, says = NAMED[name]
    with pytest.raises(UnsupportedType, match=f"wanted {kinds.NAMES}, got .*{says}|{says}"):
        codec.decode(data, max_pixels=100)


@pytest.mark.parametrize("path", ["setup.py", "a.txt"])
def test_a_real_archive_is_named(path, tmp_path):
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr(path, "x")
    assert "zip archive" in kinds.describe((tmp_path / "a.zip").read_bytes())


def test_a_heic_without_its_reader_is_named_with_the_extra_and_what_to_do(monkeypatch):
    monkeypatch.delitem(codec.READERS, "HEIC", raising=False)
    with pytest.raises(UnsupportedType, match=r"a HEIC, .*the extra `heic` is installed: save it as JPEG"):
        codec.decode(HEIC, max_pixels=100)


@pytest.mark.parametrize("size", [0, 4, 12, 2**32 - 1])
def test_a_family_of_files_of_any_length_is_no_error(size):
    data = struct.pack(">I", size) + b"ftypmif1" + bytes(300)
    assert kinds.kind_of(data) is None
    assert "a film" in kinds.describe(data)
