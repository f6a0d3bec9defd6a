"""What the bytes of a body are, told by how they begin; and what to do with those that are no picture to read."""

# How a file begins, and its format. The order counts: the longer of two that begin alike comes first.
READ = (
    (b"\x89PNG", "PNG"), (b"\xff\xd8\xff", "JPEG"), (b"RIFF", "WEBP"), (b"GIF8", "GIF"), (b"BM", "BMP"),
    (b"II*\0", "TIFF"), (b"MM\0*", "TIFF"),
)  # fmt: skip
SIGNATURES = tuple(begin for begin, _ in READ)
NAMES = "PNG, JPEG, WEBP, GIF, BMP, AVIF or TIFF"
AVIF_BRANDS, HEIC_BRANDS = {b"avif", b"avis"}, {b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx"}

SAVE = "save it as PNG or JPEG"
SCAN = "save the page as PNG, JPEG or TIFF"
UNPACK, FILM = "unpack it first", "post one picture of it"
_OTHERS = (
    (b"%PDF", "a PDF", SCAN), (b"%!PS", "a PostScript file", SCAN), (b"AT&TFORM", "a DjVu file", SCAN),
    (b"\0\0\1\0", "a Windows icon (ICO)", SAVE), (b"\0\0\2\0", "a Windows cursor (CUR)", SAVE),
    (b"icns", "a Macintosh icon", SAVE), (b"8BPS", "a Photoshop file", SAVE), (b"gimp xcf", "a GIMP file", SAVE),
    (b"\0\0\0\x0cjP  \r\n\x87\n", "a JPEG 2000", SAVE), (b"\xff\x4f\xff\x51", "a JPEG 2000", SAVE),
    (b"\0\0\0\x0cJXL \r\n\x87\n", "a JPEG XL", SAVE), (b"\xff\x0a", "a JPEG XL", SAVE),
    (b"II\xbc\1", "a JPEG XR", SAVE), (b"II+\0", "a BigTIFF", SAVE), (b"MM\0+", "a BigTIFF", SAVE),
    (b"DDS ", "a DDS texture", SAVE), (b"qoif", "a QOI", SAVE), (b"v/1\1", "an OpenEXR", SAVE),
    (b"farbfeld", "a farbfeld", SAVE), (b"P1", "a PBM", SAVE), (b"P2", "a PGM", SAVE), (b"P3", "a PPM", SAVE),
    (b"P4", "a PBM", SAVE), (b"P5", "a PGM", SAVE), (b"P6", "a PPM", SAVE), (b"P7", "a PAM", SAVE),
    (b"\x1f\x8b", "gzip'd data", UNPACK), (b"BZh", "bzip2'd data", UNPACK), (b"\xfd7zXZ", "xz'd data", UNPACK),
    (b"(\xb5/\xfd", "zstd'd data", UNPACK), (b"7z\xbc\xaf", "a 7-Zip archive", UNPACK),
    (b"Rar!", "a RAR archive", UNPACK), (b"PK\3\4", "a zip archive, as an npz is", UNPACK),
    (b"\x89HDF", "an HDF5 file", "post its pictures as npy"), (b"\x80\2", "a Python pickle", "post npy"),
    (b"\x80\3", "a Python pickle", "post npy"), (b"\x80\4", "a Python pickle", "post npy"),
    (b"\x80\5", "a Python pickle", "post npy"), (b"\x1aE\xdf\xa3", "a film", FILM),
    (b"RIFF", "a sound or a film", FILM), (b"ID3", "a sound", "post a picture"),
)  # fmt: skip
_MARKUP = ((b"<svg", "an SVG drawing"), (b"<!doctype html", "an HTML page"), (b"<html", "an HTML page"))


def kind_of(data: bytes) -> str | None:
    r"""
    Name the format of a picture file that may be read; None for all else.

    >>> kind_of(b"GIF89a"), kind_of(b"\0\0\0\x1cftypheic"), kind_of(b"%PDF-1.7")
    ('GIF', 'HEIC', None)
    """
    for begin, kind in READ:
        if data.startswith(begin):
            return None if kind == "WEBP" and data[8:12] not in {b"WEBP", b""} else kind
    return _in_boxes(data)


def _in_boxes(data: bytes) -> str | None:
    """AVIF or HEIC, whatever brand of a family of files (ISO/IEC 23008-12) comes first."""
    if data[4:8] != b"ftyp":
        return None
    size = min(int.from_bytes(data[:4]), 256)
    brands = {data[8:12], *(data[at : at + 4] for at in range(16, size - 3, 4))}
    return "AVIF" if brands & AVIF_BRANDS else "HEIC" if brands & HEIC_BRANDS else None


def is_known(data: bytes) -> bool:
    """Whether bytes begin as a file of a kind that has a name here, read or not."""
    return kind_of(data) is not None or _named(data) != ("", "")


def describe(data: bytes) -> str:
    r"""
    Say what a body seems to be and what to do with it, for the message that refuses it.

    >>> describe(b"%PDF-1.7")
    'a PDF, 8 bytes that begin with 25 50 44 46 2d 31 2e 37: save the page as PNG, JPEG or TIFF'
    """
    if not data:
        return "an empty body"
    size = f"{len(data)} bytes that begin with {' '.join(f'{byte:02x}' for byte in data[:8])}"
    name, advice = _named(data)
    return f"{name}, {size}: {advice}" if name else size


def _named(data: bytes) -> tuple[str, str]:
    for begin, name, advice in _OTHERS:
        if data.startswith(begin):
            return name, advice
    if data[4:8] == b"ftyp":
        return "a film, or a picture of a kind that is not read", SAVE
    head = data[:512].removeprefix(b"\xef\xbb\xbf").lstrip().lower()
    if head.startswith(b"<"):
        return next((name for begin, name in _MARKUP if begin in head), "XML"), SAVE
    return "", ""
