"""Every call on every kind of adopted network: answered as the contract says, or refused with the reason; never 500."""

import base64
import io
import json
import os
import re

import numpy as np
import pytest
from PIL import Image

from service.adopt.adoption import make_model
from service.adopt.asked import AdoptionOptions
from service.app import create_app
from service.lab.explain.methods import METHODS
from service.settings import Settings
from tests.adopt.traits import ADOPTED
from tests.api.contract import check_adopted, check_answer

# What a method needs beside its name, and what is asked of it.
NEEDS = {"rise": "&masks=20", "cell": "&layer=conv1&filter=0&row=0&col=0"}
ASKED = {"": set(), "&rival=1&target=0": {"rival"}, "&score=margin": {"score"}, "&format=npz": set()}


def png(pixels):
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG")
    return file.getvalue()


COLOUR = np.random.default_rng(7).integers(0, 256, (33, 47, 3)).astype(np.uint8)
PICTURE = png(COLOUR)


class Adopted:
    """A network of one kind, served, and what it says of itself."""

    def __init__(self, folder, trait):
        make, more = ADOPTED[trait]
        place = folder / "models" / "one" / "1"
        place.mkdir(parents=True)
        (folder / "net.onnx").write_bytes(make().SerializeToString())
        make_model(AdoptionOptions(model=str(folder / "net.onnx"), folder=str(place), name="one", version="1", **more))
        self.client = create_app(Settings(models=str(folder / "models"), default_model="one")).test_client()
        described = self.client.get("/v1/models/one")
        check_answer(described, "/v1/models/{name}", "get")
        self.layers, self.calls = described.json["layers"], described.json["calls"]
        self.shape = described.json["passport"]["input"]["shape"]
        self.maps = [name for layer in self.layers for name in layer["maps"]]
        self.convolutions = [layer["name"] for layer in self.layers if layer["op"] == "conv"]

    def ask(self, path, query="", body=PICTURE, **form):
        answer = self.client.post(f"{path}?{query}", data=body, **form)
        assert answer.status_code in {200, 409, 422}, answer.text
        if answer.status_code != 200:
            assert len(answer.json["detail"]) > 20
        elif answer.mimetype == "application/json":
            check_adopted(answer, path)
        return answer

    def edited(self, path, layer, query=""):
        changes = [{"layer": layer, "filter": 0, "action": "scale", "factor": 0.5}]
        body = json.dumps({"image": base64.b64encode(PICTURE).decode(), "changes": changes})
        return self.ask(path, query, body, content_type="application/json")


# Each kind once; all of them under `make proof`.
SOME = ["attention, one by one", "colour, free", "maps of classes", "nhwc", "no maps", "quantised, QDQ", "residual",
        "sign", "squeeze and excite", "two outputs"]  # fmt: skip


@pytest.fixture(scope="module", params=sorted(ADOPTED) if os.environ.get("FILTERSCOPE_PROOF") else SOME)
def adopted(request, tmp_path_factory):
    return Adopted(tmp_path_factory.mktemp("one"), request.param)


def test_it_tells_the_class_of_pictures_in_grey_and_colour_and_of_its_own_numbers(adopted):
    for body in (PICTURE, png(COLOUR[:, :, 0])):
        assert adopted.ask("/v1/classify", "prepared_image=true&full=true", body).status_code == 200
    numbers = np.random.default_rng(1).random((1, *adopted.shape))
    tensor = {"name": "image", "datatype": "FP32", "shape": list(numbers.shape), "data": numbers.ravel().tolist()}
    outputs = [{"name": "probabilities", "parameters": {"classification": 2}}]
    outputs += [{"name": name} for name in adopted.maps[:2]]
    answer = adopted.client.post("/v2/models/one/infer", json={"inputs": [tensor], "outputs": outputs})
    assert answer.status_code == 200, answer.text
    for path in ("/v1/read", "/v1/models/one/report"):
        answer = adopted.client.open(path, method="POST" if "read" in path else "GET", data=PICTURE)
        assert answer.status_code == 409


def test_it_shows_its_maps_and_takes_edits_where_it_has_filters(adopted):
    for query in ("", "format=png", "format=npz", "stats=true"):
        assert adopted.ask("/v1/feature-maps", query).status_code == (200 if adopted.maps else 409)
    if adopted.maps:
        query = f"layers={','.join(adopted.maps)}&format=npz"
        assert adopted.ask("/v1/feature-maps", query).status_code == 200
    for name in adopted.convolutions:
        status = adopted.client.get(f"/v1/models/one/layers/{name}/filters").status_code
        assert status in {200, 409}
        assert adopted.edited("/v1/what-if", name).status_code == status
        assert adopted.edited("/v1/feature-maps", name, "format=npz").status_code == status
        assert adopted.edited("/v1/explain", name, "method=occlusion").status_code == status
        assert adopted.edited("/v1/explain", name, "method=pixels").status_code == 409


def check_what_works(adopted, detail):
    """What a refusal says works does, and of the methods all that do are said."""
    working = re.split(", | and ", detail.rpartition("; ")[2].removesuffix(" work"))
    assert ("feature-maps" in working) == bool(adopted.maps)
    for method in METHODS:
        works = not adopted.calls.get(f"POST /v1/explain?method={method}")
        assert (f"method={method}" in working) == works, detail


@pytest.mark.parametrize("method", METHODS)
def test_it_is_explained_or_says_why_not(adopted, method):
    reason = adopted.calls.get(f"POST /v1/explain?method={method}", "")
    for query, needed in ASKED.items():
        if needed <= METHODS[method].takes:
            answer = adopted.ask("/v1/explain", f"method={method}{NEEDS.get(method, '')}{query}")
            assert answer.status_code == (409 if reason else 200), answer.text[:300]
            assert not reason or reason in answer.json["detail"]
            if reason:
                check_what_works(adopted, answer.json["detail"])
    if "layer" in METHODS[method].takes and not reason and method != "cell":
        for layer in adopted.layers:
            if layer["maps"]:
                adopted.ask("/v1/explain", f"method={method}&layer={layer['name']}")


def test_the_cells_of_each_of_its_layers_are_made_of_what_they_read(adopted):
    for layer in adopted.layers:
        if not layer["maps"]:
            continue
        filters, rows, columns = layer["shape"]
        for place in ((0, 0, 0), (filters - 1, rows - 1, columns - 1), (filters // 2, rows // 2, columns // 3)):
            where = "&".join(f"{name}={at}" for name, at in zip(("filter", "row", "col"), place, strict=True))
            answer = adopted.ask("/v1/explain", f"method=cell&layer={layer['name']}&{where}")
            assert answer.status_code == 200, answer.text
            (cell,) = answer.json["results"]
            made = sum(abs(each) for each in np.ravel(cell.get("products", cell["value"]))) + abs(cell.get("bias", 0))
            assert abs(cell["residual"]) <= 1e-5 * made + 1e-30
