"""Adopted networks beside the same files run by onnxruntime alone: what lies between a posted picture and a verdict."""

import io
import tempfile
from pathlib import Path

import numpy as np
import onnxruntime
from PIL import Image

from service.app import create_app
from service.settings import Settings
from tests.benchmarks.answers import in_turn_us, respond
from tests.benchmarks.servers import Posted
from tests.benchmarks.table import Row, median, pick, spread

ROUNDS = pick(5, 2)
SECONDS = pick(3, 1)
CLASSIFY = "/v1/classify?model=one"


def rows():
    """Classify by a network of photographs and by a small one, beside decoding and running the file as it came."""
    # What adopts and what makes the files needs onnx, which no other part does.
    from tests.adopt import traits

    for make, side, what in (
        (traits.photographs, (224, 224), "224 x 224, 2.2 M parameters"),
        (traits.colour, (32, 20), "32 x 20, one convolution"),
    ):
        model = make().SerializeToString()
        with tempfile.TemporaryDirectory() as folder:
            service = adopted(Path(folder), model)
            bare = Bare(model, side)
            for kind, size in (("PNG", side), ("JPEG", (375, 500))):
                body = picture(kind, size)
                ours = respond(service, CLASSIFY, Posted([body], f"image/{kind.lower()}"))
                rounds = [
                    in_turn_us(ours, lambda bare=bare, body=body: bare.classify(body), SECONDS / 2)
                    for _ in range(ROUNDS)
                ]
                own, other = (median(values) for values in zip(*rounds, strict=True))
                yield Row(
                    f"adopted, {what}: classify a {kind} of {size[1]} x {size[0]}, in process",
                    f"{own:.0f} us",
                    f"Pillow and onnxruntime alone {other:.0f} us",
                    spread([a / b for a, b in rounds]),
                    "at most 1.15" if side[0] == 224 else "",
                )


def adopted(folder, model):
    """The service with a network adopted of a file's bytes, as `one`."""
    from service.adopt.adoption import make_model
    from service.adopt.asked import AdoptionOptions

    place = folder / "models" / "one" / "1"
    place.mkdir(parents=True)
    (folder / "net.onnx").write_bytes(model)
    make_model(AdoptionOptions(model=str(folder / "net.onnx"), folder=str(place), name="one", version="1"))
    return create_app(Settings(models=str(folder / "models"), default_model="one"))


def picture(kind, size):
    """A smooth picture in colour, as a file."""
    levels = np.random.default_rng(4).integers(0, 256, (8, 8, 3)).astype(np.uint8)
    out = io.BytesIO()
    Image.fromarray(levels).resize((size[1], size[0]), Image.Resampling.BICUBIC).save(out, kind)
    return out.getvalue()


class Bare:
    """A picture decoded, brought to the size and run, as a script of ten lines does it."""

    def __init__(self, model, size):
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        options.log_severity_level = 3
        self._session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
        self._size = size

    def classify(self, body):
        with Image.open(io.BytesIO(body)) as image:
            pixels = image.convert("RGB")
            if pixels.size != self._size[::-1]:
                pixels = pixels.resize(self._size[::-1], Image.Resampling.BILINEAR)
            levels = np.asarray(pixels, np.float32).transpose(2, 0, 1)[None] / 255
        return self._session.run(None, {"x": levels})[0][0].argmax()
