"""The calls of the client against the service, by both kinds of client: the numbers, and how they are asked for."""

# ruff: noqa: E402  # without httpx there is nothing to import

import asyncio
import gzip
import inspect
import io
import json
import math
import zipfile
from contextlib import suppress
from functools import partial

import numpy as np
import pytest
from PIL import Image

httpx = pytest.importorskip("httpx", reason="httpx, the extra [client], is not installed")

from service.app import create_app
from service.client import AsyncClient, Client, ClientError, Refused, Unexpected, Unreachable, calls
from service.client.calls import Calls
from service.lab.explain.options import ExplainOptions
from service.lab.options import (
    ApplyFiltersOptions,
    ClassifyOptions,
    FeatureMapOptions,
    PatchesOptions,
    ReadOptions,
    WhatIfOptions,
)
from service.pictures.codec import encode_png
from service.settings import SHIPPED_MODELS, Settings
from tests.client.in_process import async_client_of, client_of
from tests.serving import ROOT

THREE = ROOT / "tests" / "three.png"
OPTIONS = {
    "classify": ClassifyOptions,
    "read": ReadOptions,
    "feature_maps": FeatureMapOptions,
    "apply_filters": ApplyFiltersOptions,
    "patches": PatchesOptions,
    "explain": ExplainOptions,
    "what_if": WhatIfOptions,
}
# The form of the answer and how it is drawn, and what comes with JSON alone; an array has its shape from its caller.
LEFT_OUT = {"flattened", "format", "range", "lo", "hi", "polarity", "prepared_image", "stats", "card", "snippet"}
OWN = {"self", "pictures", "progress"}


class Awaiting:
    """An AsyncClient whose calls are awaited one by one."""

    def __init__(self, client):
        self._client = client

    def __getattr__(self, name):
        return lambda *args, **kwargs: asyncio.run(getattr(self._client, name)(*args, **kwargs))


@pytest.fixture(params=["blocking", "awaited"])
def caller(request, app):
    return client_of(app) if request.param == "blocking" else Awaiting(async_client_of(app))


@pytest.fixture
def asked(app):
    """A client, and the requests that it has sent."""
    client = client_of(app)
    return client, client._http._transport.requests


def drawings(count, seed=3):
    """(count, 28, 28) uint8, strokes on paper of 0."""
    random = np.random.default_rng(seed)
    pictures = np.zeros((count, 28, 28), np.uint8)
    for picture in pictures:
        row, column = random.integers(5, 14, 2)
        picture[row : row + 12, column : column + 3] = 255
    return pictures


# --- the numbers -----------------------------------------------------------------------------------------------------


def test_verdicts_are_those_of_the_call(caller, client):
    pictures = drawings(5)
    verdicts = caller.classify(pictures)
    for picture, verdict in zip(pictures, verdicts, strict=True):
        (wanted,) = client.post("/v1/classify", data=encode_png(picture)).json["results"]
        assert (verdict.digit, verdict.is_digit, verdict.prepared) == (
            wanted["digit"], wanted["is_digit"], wanted["prepared"],
        )  # fmt: skip
        for name in ("confidence", "doubt", "novelty"):
            assert np.float32(getattr(verdict, name)) == np.float32(wanted[name])
        assert np.array_equal(verdict.probabilities, np.float32(wanted["probabilities"]))
        assert np.array_equal(verdict.logits, np.float32(wanted["logits"]))
    assert len(verdicts[1:3]) == 2
    assert verdicts.model == "digits"


def test_maps_and_edits_are_those_of_the_call(caller, client):
    changes = [{"layer": "conv1", "filter": 3, "action": "replace", "weights": np.eye(5)[None]}]
    maps = caller.feature_maps(THREE, ["conv1", "conv2.pre"], filters=[3, 0], changes=changes, model="digits")
    query = {"layers": "conv1,conv2.pre", "filters": "3,0", "format": "npz"}
    body = {"image": (THREE.open("rb"), "three.png"), "changes": json.dumps(changes, default=np.ndarray.tolist)}
    answer = np.load(io.BytesIO(client.post("/v1/feature-maps", query_string=query, data=body).data))
    assert list(maps) == ["conv1.act", "conv2.pre"]
    for name in maps:
        assert np.array_equal(maps[name], answer[name])
    assert np.array_equal(maps.logits, answer["logits"])
    assert (maps.model, maps.version, len(maps.sha256)) == ("digits", "1", 64)


def test_responses_are_the_sums_that_they_should_be(caller):
    random = np.random.default_rng(8)
    kernel = random.normal(size=(3, 3)).astype(np.float32)
    pictures = random.random((4, 12, 9), dtype=np.float32)
    responses = caller.apply_filters(pictures, [kernel, "sobel_x"], stride=(2, 1))
    windows = np.lib.stride_tricks.sliding_window_view(pictures, (3, 3), axis=(1, 2))[:, ::2]
    np.testing.assert_allclose(responses["filter_0"], (windows * kernel).sum((-1, -2)), rtol=1e-5, atol=1e-5)
    assert responses.array.shape == (4, 2, 5, 7)
    chain = caller.apply_filters(pictures, stages=[{"filters": ["sobel_x"]}, {"pool": {"kind": "max", "size": 2}}])
    assert len(chain) == 1


def test_pictures_of_several_sizes_have_responses_of_their_own(caller):
    responses = caller.apply_filters([np.zeros((9, 9)), np.zeros((5, 9))], "box")
    assert [each["box"].shape for each in responses.each] == [(7, 7), (3, 7)]
    with pytest.raises(ValueError, match="several shapes"):
        responses["box"]


@pytest.mark.parametrize(
    ("method", "options"),
    [
        ("ledger", {"full": True}), ("pixels", {"rival": 8}), ("occlusion", {"window": 14, "stride": (14, 7)}),
        ("cam", {}), ("rise", {"masks": 4}), ("cell", {"layer": "conv1", "filter": 0, "row": 3, "col": 4}),
        ("deciding-set", {}),
    ],
)  # fmt: skip
def test_explanations_are_those_of_the_call(caller, client, method, options):
    explained = caller.explain([THREE, THREE], method, **options)
    query = {"method": method, **{name: str(value).strip("()").lower() for name, value in options.items()}}
    (wanted,) = client.post("/v1/explain", data=THREE.read_bytes(), query_string=query).json["results"]
    for one in explained:
        assert json.loads(json.dumps(one, default=np.ndarray.tolist)) == wanted
    assert any(isinstance(value, np.ndarray) for value in one.values())


def test_what_there_is_is_that_of_the_contract(caller, client):
    assert caller.models() == client.get("/v1/models").json["models"]
    assert caller.model("tiny") == client.get("/v1/models/tiny").json
    assert set(caller.filters()) == {each["name"] for each in client.get("/v1/filters").json["filters"]}
    with pytest.raises(Refused) as refused:
        caller.versions("nine/../digits")
    assert refused.value.status == 404


@pytest.mark.parametrize("call", OPTIONS)
def test_a_call_takes_the_options_of_the_contract(call):
    # Arrays have the numbers of every class: the client always asks for them.
    has_one_value = {"read": {"prepare"}, "classify": {"full"}, "what_if": {"full"}}.get(call, set())
    declared = set(OPTIONS[call].__struct_fields__) - LEFT_OUT - has_one_value
    assert set(inspect.signature(getattr(Calls, call)).parameters) - OWN == declared


def test_both_clients_have_every_call_and_say_what_it_returns():
    calls = {name for name in vars(Calls) if not name.startswith("_")}
    for kind in (Client, AsyncClient):
        assert {name for name in vars(kind) if not name.startswith("_")} - {"close"} == calls
    assert "-> service.client.answers.Verdicts" in str(inspect.signature(Client.classify))
    assert list(inspect.signature(Client.classify).parameters)[:2] == ["self", "pictures"]


# --- pictures in any form --------------------------------------------------------------------------------------------


def same_picture():
    """One picture in every form there is."""
    content = THREE.read_bytes()
    image = Image.open(THREE)
    yield from (THREE, str(THREE), content, bytearray(content), memoryview(content), image, np.asarray(image))
    yield image.convert("L")
    yield from ([THREE], (str(THREE),), iter([content]), [image], np.asarray(image.convert("L"))[None, None])
    yield np.asfortranarray(image.convert("L")) / 255
    yield image.convert("CMYK")


def test_a_picture_may_come_in_any_form(caller):
    for picture in same_picture():
        assert caller.classify(picture).digits.tolist() == [3], type(picture)


def test_forms_may_be_mixed_and_narrow_pictures_stay_grey(caller):
    mixed = [THREE, np.asarray(Image.open(THREE).convert("L")), Image.open(THREE)]
    assert caller.classify(mixed).digits.tolist() == [3, 3, 3]
    for width in (1, 3, 4, 5):
        found = caller.apply_filters([np.ones((6, width), np.float32)] * 2, np.ones((1, 1)))
        assert found["filter_0"].shape == (2, 6, width)


@pytest.mark.parametrize(
    ("wrong", "kind"),
    [(7, TypeError), ([7], TypeError), (None, TypeError), (np.zeros(5), ValueError),
     (np.zeros((2, 2, 5, 5, 1)), ValueError), (np.array(["a"]), TypeError), (np.array([None]), TypeError),
     ([], ValueError), ("no such file", FileNotFoundError),
     ([np.zeros((2, 28, 28))], ValueError)],
)  # fmt: skip
def test_what_is_no_picture_is_an_error_before_anything_is_sent(asked, wrong, kind):
    client, requests = asked
    with pytest.raises(kind):
        client.classify(wrong)
    assert requests == []


# --- many pictures ---------------------------------------------------------------------------------------------------


def _note(told, *counts):
    told.append(counts)


def limited(**limits):
    return create_app(Settings(models=str(SHIPPED_MODELS), **limits))


@pytest.mark.parametrize("lazy", [False, True])
def test_many_pictures_are_cut_by_the_limits_and_keep_their_order(lazy):
    random = np.random.default_rng(1)
    pictures = np.concatenate([drawings(3, seed) for seed in range(7)])[random.permutation(21)]
    whole = client_of(limited()).classify(pictures)
    for limits in ({"max_batch": 4}, {"max_body_bytes": 6000, "max_held_bytes": 6000}, {"max_parts": 9}):
        client, told = client_of(limited(**limits)), []
        given = (encode_png(picture) for picture in pictures) if lazy else pictures
        parted = client.classify(given, progress=partial(_note, told))
        assert np.array_equal(parted.logits, whole.logits)
        sent = [request for request in client._http._transport.requests if request.method == "POST"]
        assert len(sent) == len(told) > 2
        assert told[-1] == (21, None if lazy else 21)
        assert all(len(request.content) <= limits.get("max_body_bytes", math.inf) for request in sent)


def test_a_batch_that_is_too_much_work_is_cut_until_it_is_not():
    pictures = drawings(16)
    client = client_of(limited(max_work_units=2000))
    maps = client.apply_filters(pictures, ["sobel_x", "sobel_y"])
    assert np.array_equal(maps.array, client_of(limited()).apply_filters(pictures, ["sobel_x", "sobel_y"]).array)
    with pytest.raises(Refused) as refused:
        client_of(limited(max_work_units=20)).apply_filters(pictures, "sobel_x")
    assert refused.value.problem == "too-much-work"


def test_a_picture_that_cannot_be_used_is_named_by_its_place_in_the_call():
    pictures = [encode_png(picture) for picture in drawings(9)]
    pictures[7] = b"no picture"
    client = client_of(limited(max_batch=3))
    with pytest.raises(Refused) as refused:
        client.classify(pictures)
    assert list(refused.value.pictures) == [7]
    assert "not a picture" in refused.value.pictures[7]
    assert str(refused.value) == refused.value.detail
    assert refused.value.status == 415


def test_progress_is_a_bar_where_tqdm_is_installed(caller, capsys, monkeypatch):
    caller.classify(drawings(3), progress=True)
    assert "3/3" in capsys.readouterr().err
    monkeypatch.setitem(__import__("sys").modules, "tqdm.auto", None)
    caller.classify(drawings(3), progress=True)
    assert capsys.readouterr().err == ""


# --- when it does not go well ----------------------------------------------------------------------------------------


def answering(*answers, **options):
    """A client that is given these answers in turn, and the pauses that it made."""
    waiting = iter(answers)

    def answer(_request):
        each = next(waiting)
        if isinstance(each, Exception):
            raise each
        return each

    return Client("127.0.0.1:9/below/", transport=httpx.MockTransport(answer), **options), waiting


BUSY = httpx.Response(503, headers={"Retry-After": "2"}, json={"title": "Busy", "detail": "no room"})
FOUND = httpx.Response(200, json={"models": []})


def test_a_busy_service_is_asked_again_after_as_long_as_it_says(monkeypatch):
    pauses = []
    monkeypatch.setattr("time.sleep", pauses.append)
    soon = httpx.Response(503, headers={"Retry-After": "Fri, 31 Dec 1999 23:59:59 GMT"})
    client, left = answering(BUSY, httpx.Response(503, headers={"Retry-After": "86400"}), soon, FOUND)
    assert client.models() == []
    assert pauses == [0, 2, 30, 1]
    assert list(left) == []


def test_it_is_given_up_after_a_few_times(monkeypatch):
    monkeypatch.setattr("time.sleep", lambda _seconds: None)
    client, left = answering(BUSY, BUSY, BUSY, FOUND, retries=2)
    with pytest.raises(Refused, match="no room") as refused:
        client.models()
    assert (refused.value.status, len(list(left))) == (503, 1)


def test_a_lost_connection_is_tried_again_and_one_that_never_was_is_not(monkeypatch):
    monkeypatch.setattr("time.sleep", lambda _seconds: None)
    lost = httpx.RemoteProtocolError("Server disconnected")
    assert answering(lost, FOUND)[0].models() == []
    for errors in ([lost] * 3, [httpx.ConnectError("refused"), FOUND], [httpx.ReadTimeout("timed out"), FOUND]):
        with pytest.raises(Unreachable):
            answering(*errors, retries=2)[0].models()
    assert not answering(httpx.ConnectError("refused"))[0].ready()
    assert not answering(httpx.Response(503))[0].ready()


@pytest.mark.parametrize(
    "content",
    [b"", b"<html>Bad gateway</html>", b"[1]", b'{"error": "x"}', b"\xff" * 999, b'{"title": 1, "errors": 5}'],
)
def test_an_answer_that_is_not_the_service_s_is_told_as_it_is(content):
    client, _ = answering(httpx.Response(502, content=content))
    with pytest.raises(Refused) as refused:
        client.models()
    assert refused.value.status == 502
    assert len(str(refused.value)) < 300


def test_the_key_and_the_path_of_the_address_are_sent():
    seen = []
    client = Client(
        "127.0.0.1:9/below/", key="secret", transport=httpx.MockTransport(lambda request: seen.append(request) or FOUND)
    )
    client.models()
    assert str(seen[0].url) == "http://127.0.0.1:9/below/v1/models"
    assert seen[0].headers["authorization"] == "Bearer secret"


# --- pictures of it --------------------------------------------------------------------------------------------------


def test_what_can_be_drawn_is_drawn(app, tmp_path):
    pytest.importorskip("matplotlib", reason="matplotlib is not installed")
    client = client_of(app)
    shown = [
        client.feature_maps(THREE, "conv1").show(),
        client.apply_filters(THREE, ["sobel_x", "box"]).show(columns=1),
        client.explain(THREE)[0].show(),
        client.explain(THREE, "pixels")[0].show(),
    ]
    for index, figure in enumerate(shown):
        path = tmp_path / f"{index}.png"
        path.write_bytes(figure._repr_png_())  # as a notebook asks for it
        assert np.asarray(Image.open(path)).std() > 1
    with pytest.raises(ValueError, match="answers no maps"):
        client.explain(THREE, "deciding-set")[0].show()


def test_without_matplotlib_it_is_said_what_is_missing(app, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "matplotlib.figure", None)
    with pytest.raises(ModuleNotFoundError, match="python -m pip install matplotlib"):
        client_of(app).feature_maps(THREE, "conv1").show()


# --- answers of something else ---------------------------------------------------------------------------------------

ASKING = {
    "classify": lambda client: client.classify(drawings(2)),
    "feature_maps": lambda client: client.feature_maps(THREE, ["conv1"], filters=[0]),
    "apply_filters": lambda client: client.apply_filters(THREE, "box"),
    "patches": lambda client: client.patches(THREE, 200),
    "explain": lambda client: client.explain(THREE),
    "what_if": lambda client: client.what_if(THREE, [{"layer": "conv1", "filter": 3, "action": "off"}]),
    "models": lambda client: client.models(),
    "versions": lambda client: client.versions("digits"),
    "model": lambda client: client.model("tiny"),
    "learnt_filters": lambda client: client.learnt_filters("conv1", "digits"),
    "history": lambda client: client.history("lecture"),
    "report": lambda client: client.report("tiny"),
    "filters": lambda client: client.filters(),
    "filter": lambda client: client.filter("box"),
    "limits": lambda client: client.limits(),
}


def deflated():
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as file:
        head = io.BytesIO()
        np.lib.format.write_array_header_1_0(head, {"descr": "|u1", "fortran_order": False, "shape": (2**22,)})
        for name in ("logits", "conv1.weight", "0/patches", "0/box"):
            file.writestr(f"{name}.npy", head.getvalue() + bytes(2**22))
    return out.getvalue()


def pickled():
    out = io.BytesIO()
    np.savez(out, logits=np.array([{}], object))
    return out.getvalue()


STRANGE = {
    "a page": (200, {}, b"<html>please sign in</html>"),
    "nothing": (200, {}, b""),
    "a list": (200, {}, b"[1]"),
    "numbers": (200, {}, b"5"),
    "deep lists": (200, {}, b"[" * 100_000),
    "a pickle in npz": (200, {}, pickled()),
    "an npz that grows": (200, {}, deflated()),
    "more than is taken": (200, {}, bytes(2**20 + 1)),
    "gzip of more than is taken": (200, {"Content-Encoding": "gzip"}, gzip.compress(bytes(2**20 + 1), mtime=0)),
    "gzip of gzip": (200, {"Content-Encoding": "gzip, gzip"}, gzip.compress(gzip.compress(b"{}", mtime=0), mtime=0)),
    "no gzip": (200, {"Content-Encoding": "gzip"}, b"{}"),
    "another place": (302, {"Location": "http://elsewhere.example/"}, b""),
    "no time": (503, {"Retry-After": "nan"}, b""),
    "a time before": (503, {"Retry-After": "-inf"}, b""),
    "a refusal of numbers": (413, {}, b'{"title": 1, "detail": 2, "errors": [{"pointer": 3, "detail": 4}]}'),
    "a refusal of lists": (422, {}, b'{"title": [], "detail": {}, "errors": 5, "type": []}'),
}


@pytest.mark.parametrize("name", sorted(STRANGE))
@pytest.mark.parametrize("kind", [Client, AsyncClient])
def test_what_no_service_would_answer_is_an_error_of_the_client(monkeypatch, kind, name):
    pause = calls._pause
    monkeypatch.setattr(calls, "_pause", lambda answer: min(pause(answer), 0.001))
    status, headers, content = STRANGE[name]
    transport = httpx.MockTransport(lambda _request: httpx.Response(status, headers=headers, stream=Sent(content)))
    for ask in ASKING.values():
        client = kind(transport=transport, largest=2**20, retries=1)
        with pytest.raises(ClientError if status != 200 or name == "no gzip" else Unexpected) as found:
            ask(client if kind is Client else Awaiting(client))
        assert len(str(found.value)) < 1000


class Sent(httpx.SyncByteStream, httpx.AsyncByteStream):
    """Bytes as they come over a connection: packed, where they are."""

    def __init__(self, content):
        self._content = content

    def __iter__(self):
        yield self._content

    async def __aiter__(self):
        yield self._content


def test_an_answer_damaged_on_the_way_is_an_error_of_the_client_or_an_answer(app):
    random = np.random.default_rng(2)
    carrier = client_of(app)._http._transport

    def damaged(request):
        answer = carrier.handle_request(request)
        content = bytearray(answer.content)
        for _ in range(int(random.integers(1, 4))):
            content[random.integers(len(content))] = random.integers(256)
        if not random.integers(4):
            del content[random.integers(len(content)) :]
        kept = {name: value for name, value in answer.headers.items() if name != "content-length"}
        return httpx.Response(answer.status_code, headers=kept, content=bytes(content))

    for _ in range(10):
        for ask in ASKING.values():
            with suppress(ClientError):
                ask(Client(transport=httpx.MockTransport(damaged), retries=0))
