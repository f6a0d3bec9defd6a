"""
Proves while the image is built that nothing was taken out that the service needs.

It imports every package and module, reads a digit from every format of pictures, and makes one call of every kind.

    PYTHONPATH=/packages python3 deploy/smoke.py        in the folder that holds service/ and models/
"""

import io
import os
import pkgutil
import sys
from importlib import import_module

sys.path.insert(0, ".")

import numpy as np
from PIL import Image

import service
from service.app import create_app, open_library
from service.pictures.codec import READERS
from service.settings import Settings
from service.start.warming import warm

# What only an extra brings: a module that imports one of them is of no use in the image.
OF_EXTRAS = {"httpx", "onnx", "pyarrow", "ray", "tqdm"}


def a_one(kind: str) -> bytes:
    """Draw a 1, black on white, as a file of that kind, which may be followed by how it is written."""
    paper = np.full((60, 60), 255, np.uint8)
    paper[12:48, 28:33] = 0
    file = io.BytesIO()
    name, _, how = kind.partition(" ")
    Image.fromarray(paper).convert("RGB").save(file, name, **({how: True} if how else {}))
    return file.getvalue()


def main() -> None:
    """Exit with a traceback at the first thing that is missing."""
    packages = [package.name for package in pkgutil.iter_modules([os.environ["PYTHONPATH"]])]
    for name in (*packages, "gunicorn.app.wsgiapp"):
        import_module(name)
    for module in pkgutil.walk_packages(service.__path__, "service.", onerror=lambda _: None):
        try:
            import_module(module.name)
        except ModuleNotFoundError as error:
            if error.name not in OF_EXTRAS:
                raise
    settings = Settings()
    library = open_library(settings)
    app = create_app(settings, library)
    client = app.test_client()
    for kind in sorted({*READERS, "BMP"} - {"HEIC"}):  # which is an extra's
        answer = client.post("/v1/classify", data=a_one(kind))
        assert answer.status_code == 200, (kind, answer.text)
        assert answer.json["results"][0]["digit"] == 1, (kind, answer.text)
    for call, status in warm(app, library.get()).items():
        assert status < 500, (call.path, status)
    for path in ("/", "/docs", "/docs/swagger-ui.css", "/openapi.json", "/readyz"):
        answer = client.get(path)
        assert answer.status_code == 200, (path, answer.text)


main()
