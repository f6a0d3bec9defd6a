"""What is refused is let go: no error keeps the pictures of the frames that it went through."""

import ast
import gc
import io
import json
import struct
import tracemalloc
from pathlib import Path

import numpy as np
import pytest

from service.batch.scoring import Recipe, Scorer
from service.batch.sources import FoundPicture, Part
from service.settings import SHIPPED_MODELS, Limits
from tests.drawing import draw, encode

ROOT = Path(__file__).resolve().parents[3]
SIDE = 1024
BLANK = encode(np.full((SIDE, SIDE), 255, np.uint8))
DECODED = SIDE * SIDE
MANY = 64
FILTERS = json.dumps([{"weights": [[1] * 9] * 9}])
# Calls that decode a picture of BLANK's size, and then refuse it.
REFUSED = {
    "/v1/classify": {},
    "/v1/classify?prepare=none": {},
    "/v1/feature-maps?format=npz": {},
    "/v1/explain": {},
    "/v1/what-if": {"changes": "[]"},
    "/v1/apply-filters?dilation=1000": {"filters": FILTERS},
    "/v1/apply-filters?prepare=auto": {"filters": FILTERS},
    "/v1/patches?patch_size=2000": {},
    "/v1/patches?prepare=auto": {},
}


def post(client, call, count):
    if call.startswith("/v2"):
        elements = (struct.pack("<I", len(BLANK)) + BLANK) * count
        tensor = {"name": "image", "shape": [count], "datatype": "BYTES"}
        tensor["parameters"] = {"binary_data_size": len(elements)}
        head = json.dumps({"inputs": [tensor]}).encode()
        return client.post(call, data=head + elements, headers={"Inference-Header-Content-Length": str(len(head))})
    images = [(io.BytesIO(BLANK), "blank.png") for _ in range(count)]
    return client.post(call, data=REFUSED[call] | {"image": images})


@pytest.fixture
def measured():
    """work -> bytes it took at most, and bytes it left, where only what nothing refers to any more is freed."""

    def measure(work):
        tracemalloc.reset_peak()
        before, _ = tracemalloc.get_traced_memory()
        work()
        left, most = tracemalloc.get_traced_memory()
        return most - before, left - before

    gc.collect()
    gc.disable()
    tracemalloc.start()
    yield measure
    tracemalloc.stop()
    gc.enable()


@pytest.mark.parametrize("call", [*REFUSED, "/v2/models/digits/infer"])
def test_many_pictures_refused_take_the_memory_of_one(client, measured, call):
    answers = []
    measured(lambda: post(client, call, 1))  # what the first call makes and keeps
    one, _ = measured(lambda: answers.append(post(client, call, 1)))
    many, left = measured(lambda: answers.append(post(client, call, MANY)))
    assert [answer.status_code for answer in answers] == [400 if call.startswith("/v2") else 422] * 2
    assert one > DECODED
    assert many < 2 * one
    assert left < DECODED / 2


def test_a_part_of_a_job_leaves_nothing_of_the_files_that_could_not_be_read(measured):
    scorer = Scorer(Recipe(str(SHIPPED_MODELS / "tiny" / "1"), "auto", Limits()))

    def score():
        gone = FoundPicture("gone.png", FileNotFoundError("No such file"))
        blank = FoundPicture("blank.png", bytes(BLANK) + bytes(DECODED))
        seven = FoundPicture("seven.png", encode(draw(7)))
        table = scorer.score(Part(0, 0, lambda: [gone, blank, seven]))
        said = table["error"].to_pylist()
        assert said[0] == "No such file"
        assert said[1]
        assert said[2] is None

    measured(score)
    _, left = measured(score)
    assert left < DECODED / 2


# --- where errors go --------------------------------------------------------------------------------------------------

# What may be given an error: it looks at it, or answers with it at once.
READERS = {
    "error",
    "_missing",
    "str",
    "type",
    "isinstance",
    "getattr",
    "invalid_option",
    "_refusal",
    "_told",
    "handle_exception",
    "handle_user_exception",
}


def kept(handler, parents):
    """The places where a handler gives its error to anything but a look, a message, a log or what it raises."""
    for node in ast.walk(handler):
        if not (isinstance(node, ast.Name) and node.id == handler.name and isinstance(node.ctx, ast.Load)):
            continue
        above = parents[node]
        if isinstance(above, ast.Attribute | ast.FormattedValue | ast.Raise):
            continue
        if isinstance(above, ast.keyword) and above.arg == "exc_info":
            continue
        if isinstance(above, ast.Call):
            name = above.func.attr if isinstance(above.func, ast.Attribute) else getattr(above.func, "id", "")
            if name in READERS:
                continue
        yield node.lineno


def test_no_handler_keeps_its_error():
    found = []
    # The client runs in its caller's process, and adopting in one of its own: no worker's memory is at stake.
    elsewhere = {*ROOT.glob("service/client/*.py"), *ROOT.glob("service/adopt/*.py")}
    for path in sorted(set(ROOT.glob("service/**/*.py")) - elsewhere):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        parents = {child: node for node in ast.walk(tree) for child in ast.iter_child_nodes(node)}
        for node in ast.walk(tree):
            if isinstance(node, ast.ExceptHandler) and node.name:
                found += [f"{path.relative_to(ROOT)}:{line}" for line in kept(node, parents)]
    assert found == []
