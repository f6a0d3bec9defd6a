"""
Proves while the image is built that nothing was taken out that the service needs.

It imports every package and every module that serves, reads a digit from every format of pictures, and asks for
maps as JSON, npz and PNG.

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
from service.app import create_app
from service.pictures.codec import FORMATS
from service.settings import Settings


def a_one(kind: str) -> bytes:
    """Draw a 1, black on white, as a file of that kind."""
    paper = np.full((60, 60), 255, np.uint8)
    paper[12:48, 28:33] = 0
    file = io.BytesIO()
    Image.fromarray(paper).convert("RGB").save(file, kind)
    return file.getvalue()


def main() -> None:
    """Exit with a traceback at the first thing that is missing."""
    packages = [package.name for package in pkgutil.iter_modules([os.environ["PYTHONPATH"]])]
    modules = [module.name for module in pkgutil.iter_modules(service.__path__, "service.")]
    for package in ("api", "core", "network"):  # service.batch wants an extra that the image does not have
        inner = import_module(f"service.{package}")
        modules += [module.name for module in pkgutil.walk_packages(inner.__path__, f"{inner.__name__}.")]
    # The client of other people's programs wants an extra as well.
    modules = [name for name in modules if name != "service.client"]
    for name in (*packages, "gunicorn.app.wsgiapp", *modules):
        import_module(name)
    client = create_app(Settings()).test_client()
    for kind in FORMATS:
        answer = client.post("/v1/classify", data=a_one(kind))
        assert answer.status_code == 200, (kind, answer.text)
        assert answer.json["results"][0]["digit"] == 1, (kind, answer.text)
    for form in ("json", "npz", "png"):
        answer = client.post(f"/v1/feature-maps?format={form}", data=a_one("PNG"))
        assert answer.status_code == 200, (form, answer.text)
    for path in ("/", "/docs", "/docs/swagger-ui.css", "/openapi.json", "/readyz"):
        answer = client.get(path)
        assert answer.status_code == 200, (path, answer.text)


main()
