"""Prices: known before the work, refused above the limits, and rising with what is asked for."""

import io
import json
import random
import struct
import tracemalloc
from urllib.parse import quote

import numpy as np
import pytest
from PIL import Image

from service.api.http.codings import BODY
from service.app import create_app
from service.core.digit import mnist_form, strokes
from service.core.errors import TooLarge
from service.door.wsgi import answer_of
from service.lab import prices
from service.lab.options import PictureOptions
from service.lab.picture import Picture
from service.lab.prices import CALL, Account, Ended, HandedOver, TooDear, charge, opened
from service.network.passport import Input
from service.pictures.header import MAX_PARTS
from service.settings import Limits, Settings
from tests.drawing import draw, encode, npy
from tests.hostile import dearest
from tests.pictures.test_parts import gif_with_blocks, with_chunks, with_comments


def priced(app, path, body=None, kind="", **headers):
    """(status, account, answer) of one call, as the door makes it."""
    path, _, query = path.partition("?")
    environ = {"REQUEST_METHOD": "GET" if body is None else "POST", "PATH_INFO": path, "QUERY_STRING": query}
    environ |= {"CONTENT_TYPE": kind, "CONTENT_LENGTH": str(len(body or b"")), BODY: body or b"", **headers}
    environ |= {"wsgi.input": io.BytesIO(body or b""), "wsgi.input_terminated": True, "wsgi.url_scheme": "http"}
    account = Account(app.limits)
    answer = answer_of(app.respond(environ, account)[0])
    return answer.status, account, b"".join(answer.body)


@pytest.fixture(scope="module")
def entered(app):
    with app.app_context():
        yield app


# --- an account -------------------------------------------------------------------------------------------------------


def test_what_passes_the_limit_of_work_is_refused_with_its_price_the_limit_and_what_to_ask_for():
    with opened(Account(Limits(max_work_units=1000))):
        charge("decode", 300)
        with pytest.raises(TooDear, match=r"cost 1000 .* this costs 1320 .* to draw; ask for npz"):
            charge("draw", 900)


def test_what_passes_the_limit_of_bytes_is_refused():
    with opened(Account(Limits(max_request_bytes=1000))):
        charge("decode", 1, 900)
        with pytest.raises(TooLarge, match=r"hold 1000 bytes.*holds 1100 .*fewer or smaller pictures"):
            charge("decode", 1, 200)


def test_what_the_event_loop_has_no_time_for_is_handed_over_before_it_is_done():
    with opened(Account(Limits(), allowed=1000)):
        charge("decode", 1000 - CALL)
        with pytest.raises(HandedOver):
            charge("decode", 1)
    with opened(Account(Limits(max_work_units=2000), allowed=1000)), pytest.raises(TooDear):
        charge("decode", 2000)


def test_a_call_whose_client_has_left_ends_at_its_next_step(monkeypatch):
    left = []
    monkeypatch.setattr(prices, "LOOK_SECONDS", 0)
    with opened(Account(Limits(), has_left=lambda: bool(left))):
        charge("run", 1)
        prices.go_on()
        left.append(True)
        with pytest.raises(Ended):
            prices.go_on()
        with pytest.raises(Ended):
            charge("run", 1)


def test_a_call_that_has_taken_too_long_ends(monkeypatch):
    monkeypatch.setattr(prices, "LONGEST_SECONDS", -1)
    with opened(Account(Limits(), has_left=lambda: False)), pytest.raises(Ended):
        prices.go_on()


def test_outside_a_request_nothing_is_charged():
    charge("run", 1e12, 10**15)
    prices.go_on()


# --- what is read -----------------------------------------------------------------------------------------------------

# Lists within each other, and objects, 400,000 of them with hardly a comma.
NESTED = {
    "lists": b",".join([b"[" * 500 + b"]" * 500] * 800),
    "objects": b",".join([b'{"":' * 500 + b"1" + b"}" * 500] * 800),
}


@pytest.mark.parametrize("kind", sorted(NESTED))
def test_no_call_makes_more_lists_of_json_than_it_may_have_numbers(entered, kind):
    nested = b"[" + NESTED[kind] + b"]"
    members = b",".join(b'"%b": %b' % (name, nested) for name in (b"image", b"inputs", b"parameters"))
    read = 0
    for rule in sorted(entered.url_map.iter_rules(), key=str):
        if "POST" not in rule.methods:
            continue
        path = str(rule).replace("<name>", "digits").replace("<version>", "1")
        for body in (b"{%b}" % members, b"stages=" + nested, b"image=" + nested):
            tracemalloc.start()
            try:
                status, _, answer = priced(entered, path, body)
                peak = tracemalloc.get_traced_memory()[1]
            finally:
                tracemalloc.stop()
            assert 400 <= status < 500
            assert peak < 5 * len(body), (path, body[:20])
            read += b"lists and objects" in bytes(answer)
    assert read > 10


def test_weights_and_what_is_escaped_in_a_query_are_charged(entered):
    kernels = [[[1, 0.5, -3]] * 3] * 3, [[[[1] * 63] * 63]] * 4
    read = []
    for weights in kernels:
        asked = json.dumps([{"weights": each} for each in weights])
        for query in (asked, quote(asked)):
            _, account, _ = priced(entered, "/v1/apply-filters?filters=" + query, TINY, "application/x-npy")
            numbers = np.size(weights)
            assert account.steps["read"] >= numbers * prices.WEIGHT + query.count("%") * prices.ESCAPE
            read.append(account.steps["read"])
    assert read == sorted(read)
    change = {"layer": "conv1", "filter": 0, "action": "replace", "weights": [[1] * 9] * 9}
    _, account, _ = priced(
        entered, "/v1/what-if?changes=" + json.dumps([change] * 50), npy(draw(3, 28)), "application/x-npy"
    )
    assert account.steps["read"] >= 81 * prices.WEIGHT


def with_parts(kind, count):
    return {"GIF": gif_with_blocks, "JPEG": with_comments, "PNG": lambda count: with_chunks(b"prVt", count)}[kind](
        count
    )


@pytest.mark.parametrize("kind", ["GIF", "JPEG", "PNG"])
@pytest.mark.parametrize("count", [9000, 11_000])
def test_the_parts_of_a_picture_file_have_a_price_whether_or_not_it_is_read(entered, kind, count):
    account = priced(entered, "/v1/classify", with_parts(kind, count))[1]
    assert account.steps["decode"] >= min(count, MAX_PARTS) * prices.FILE_PART


# --- requests ---------------------------------------------------------------------------------------------------------

ONE = {"weights": [[1]]}
WIDE = [{"preset": "gaussian", "size": 63, "sigma": 5 + index / 7} for index in range(64)]


def stages(*each):
    return "stages=" + quote(json.dumps(each))


def blank_webps(count):
    out = io.BytesIO()
    Image.new("RGB", (2048, 2048)).save(out, "WEBP", lossless=True)
    elements = (struct.pack("<I", len(out.getvalue())) + out.getvalue()) * count
    tensor = {"name": "image", "shape": [count], "datatype": "BYTES", "parameters": {"binary_data_size": len(elements)}}
    head = json.dumps({"inputs": [tensor]}).encode()
    return head + elements, {"HTTP_INFERENCE_HEADER_CONTENT_LENGTH": str(len(head))}


def column(side):
    return encode(np.zeros((side, 1), np.uint8))


MAPS = [dict(ONE, bias=index) for index in range(64)]
TINY = npy(np.ones((256, 1, 1, 4), np.uint8))
SMALL = npy(np.arange(64 * 63 * 63, dtype=np.uint8).reshape(64, 63, 63))
# Small requests that held a worker for minutes, or took gigabytes.
DEAREST = {
    "pooling of a window as tall as half a picture": (
        "/v1/apply-filters?format=npz&" + stages({"pool": {"size": [2**17, 1], "stride": 1}}),
        lambda: column(2**18),
        422,
    ),
    "a chain of thousands of maps": (
        "/v1/apply-filters?format=npz&"
        + stages(
            {"filters": MAPS, "channels": "each"},
            {"filters": MAPS[:16], "channels": "each"},
            {"filters": [ONE], "channels": "each"},
        ),
        lambda: TINY,
        422,
    ),
    "long chains on many pictures": (
        "/v1/apply-filters?format=npz&"
        + stages({"filters": MAPS, "channels": "each"}, *[{"filters": [ONE], "channels": "each"}] * 15),
        lambda: TINY,
        422,
    ),
    "small maps drawn": (
        "/v1/apply-filters?format=png&polarity=diverging&"
        + stages({"filters": MAPS, "channels": "each"}, {"filters": MAPS[:4], "channels": "each"}),
        lambda: TINY,
        422,
    ),
    "weights repeated": ("/v1/apply-filters?filters=" + quote(json.dumps(WIDE)), lambda: SMALL, 422),
    "a snippet each": (
        "/v1/apply-filters?format=json&snippet=torch&" + stages({"filters": WIDE}, {"activation": "relu"}),
        lambda: SMALL,
        422,
    ),
    "large pictures of few bytes": ("/v2/models/digits/infer", lambda: blank_webps(256), 400),
}


@pytest.mark.parametrize("name", DEAREST)
def test_small_requests_of_much_work_are_refused_before_it(entered, name):
    path, make, status = DEAREST[name]
    body, headers = made if isinstance(made := make(), tuple) else (made, {})
    found, account, answer = priced(entered, path, body, "" if headers else "application/octet-stream", **headers)
    assert found == status, answer[:300]
    assert account.work > account.limits.max_work_units or b"numbers" in answer
    assert b"error" in answer or b"detail" in answer


@pytest.mark.parametrize(
    "path",
    [
        "/v1/classify?", "/v1/classify?prepared_image=true", "/v1/feature-maps?format=npz",
        "/v1/feature-maps?format=png",
        "/v1/feature-maps?layers=conv1&stats=true", "/v1/explain?method=ledger", "/v1/explain?method=rise&masks=40",
        "/v1/explain?method=occlusion&window=14&stride=14", "/v1/apply-filters?filters=[{%22preset%22:%22box%22}]",
        "/v1/patches?stride=7", "/v1/patches?stride=7&format=png",
        "/v1/what-if?changes=[{%22layer%22:%22conv1%22,%22filter%22:0,%22action%22:%22off%22}]",
    ],
)  # fmt: skip
def test_every_call_has_a_price_that_rises_with_its_pictures(entered, path):
    works, held = [], []
    for count in (1, 2, 5):
        body = npy(np.stack([draw(3, 28, dark_on_light=False)] * count))
        status, account, _ = priced(entered, path, body, "application/x-npy")
        assert status == 200
        works.append(account.work)
        held.append(account.held)
    assert CALL < works[0] < works[1] < works[2]
    assert held == sorted(held)


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP", "GIF", "BMP", "AVIF", "TIFF"])
def test_a_picture_is_priced_by_its_pixels_before_it_is_decoded(entered, kind):
    found = []
    for side in (28, 280, 1120):
        status, account, _ = priced(entered, "/v1/classify", encode(draw(3, side), kind))
        assert status == 200
        found.append((account.steps["decode"], account.held))
    assert found == sorted(found)
    app = create_app(Settings(max_work_units=1000))
    with app.app_context():
        assert priced(app, "/v1/classify", encode(draw(3, 1120), kind))[0] == 422


def test_a_picture_of_noise_is_dearer_than_a_drawing_and_bounded_by_its_pixels():
    noise = np.random.default_rng(0).integers(0, 256, (512, 512), dtype=np.uint8)
    drawn, most = (prices.preparing(each) for each in (draw(3, 512), noise))
    assert drawn < most / 3
    assert prices.preparing(np.tile(noise, (4, 4))) < 3 * most


def test_the_answer_to_too_dear_a_request_says_what_to_ask_for(entered):
    path, make, _ = DEAREST["pooling of a window as tall as half a picture"]
    _, _, answer = priced(entered, path, make())
    problem = json.loads(answer)
    assert problem["type"] == "/docs/problems#too-much-work"
    assert "2000000 units" in problem["detail"]
    assert "a smaller window of the pooling" in problem["detail"]


def test_every_accepted_request_is_charged_for_what_it_does(entered):
    """Of the routes that are searched, with options and pictures of chance."""
    charged = {}
    for seed in range(150):
        chance = random.Random(seed)
        call = chance.choice(list(dearest.CALLS))
        picture = dearest.picture_of(chance) | {"side": chance.choice([1, 28, 63]), "count": chance.choice([1, 2])}
        status, account, _ = dearest.asked(entered, call, dearest.members_of(dearest.CALLS[call], chance), picture)
        if status == 200:
            assert account.work == pytest.approx(CALL + sum(account.steps.values()))
            charged.setdefault(call, []).append(account.steps)
    assert len(charged) > len(dearest.CALLS) * 0.6
    for call, accepted in charged.items():
        for steps in accepted:
            assert {"write", "draw"} & steps.keys(), call
            assert "decode" in steps or not issubclass(dearest.CALLS[call], PictureOptions), call


def test_a_picture_of_plain_strokes_costs_a_part_of_one_of_blocks_and_that_of_noise():
    chance = np.random.default_rng(0)
    for side in (64, 256, 1024):
        noise = chance.integers(0, 256, (side, side), dtype=np.uint8)
        blocks = chance.integers(0, 256, (16, 16), dtype=np.uint8).repeat(side // 16, 0).repeat(side // 16, 1)
        drawn, of_blocks, of_noise = (prices.preparing(each) for each in (draw(3, side), blocks, noise))
        assert drawn < of_blocks / 1.4 < of_noise
        for each in (noise.T, np.stack([noise] * 3, axis=2), noise.astype(np.float32) / 255):
            assert prices.preparing(each) == pytest.approx(of_noise, rel=0.35)


def test_each_look_at_a_part_of_a_picture_is_charged_before_it():
    spiral = dearest.pixels_of({"side": 128, "other": 1, "kind": "spiral", "channels": 1})
    first = prices.preparing(spiral)
    with opened(Account(Limits())) as account:
        Picture(spiral).prepared()
    assert account.steps["prepare"] > 1.5 * first
    with opened(Account(Limits(max_work_units=int(CALL + first + 1)))), pytest.raises(TooDear):
        Picture(spiral).prepared()


def shapes(side):
    """Pictures of ink on one level, each of which costs by what it is: broad, broken, or neither."""
    down, across = np.mgrid[:side, :side]
    away, middle = np.hypot(down - side / 2, across - side / 2), abs(across - side / 2)
    yield "round", away < 0.2 * side
    yield "square", np.maximum(abs(down - side / 2), middle) < 0.3 * side
    yield "slab", (middle < 0.2 * side) & (abs(down - side / 2) < 0.4 * side)
    yield "dots", (down % 5 == 0) & (across % 5 == 0) & (away < side / 3)
    yield "bar", (middle < 0.04 * side) & (abs(down - side / 2) < 0.4 * side)


@pytest.mark.parametrize("side", [28, 40, 64, 256])
def test_what_is_done_to_broad_and_to_broken_strokes_is_charged_before_it(side, monkeypatch):
    """Each round of thinning, and each look from farther away."""
    rounds, joins = [], []
    count, coarse = mnist_form.pieces_less_holes, strokes._coarse
    monkeypatch.setattr(mnist_form, "pieces_less_holes", lambda mask: rounds.append(1) or count(mask))
    monkeypatch.setattr(strokes, "_coarse", lambda *ink: joins.append(1) or coarse(*ink))
    seen = set()
    for name, ink in shapes(side):
        rounds.clear(), joins.clear()
        picture = np.uint8(255) * ~ink
        with opened(Account(Limits())) as account:
            Picture(picture).prepared()
        extra = (len(rounds) - 1 if rounds else 0) * prices.THINNED + len(joins) * prices.BROKEN
        assert account.steps["prepare"] >= prices.preparing(picture) + extra - 1e-6, name
        if extra:
            seen.add(name)
            first = prices.preparing(picture)
            with opened(Account(Limits(max_work_units=int(CALL + first + 1)))), pytest.raises(TooDear):
                Picture(picture).prepared()
    assert seen >= {"round", "square", "dots"} - ({"dots"} if side < 40 else set())


STEPS = {
    "a card each": ("/v1/filters?card=true", None, 29),
    "a large drawing": ("/v1/patches?patch_size=28&stride=28&format=png", npy(np.zeros((1500, 1500), np.uint8)), 4),
    "filters of a large picture": (
        "/v1/apply-filters?format=npz&filters=" + quote(json.dumps([ONE])),
        npy(np.zeros((2000, 2000), np.uint8)),
        15,
    ),
    "a tall pooling": (
        "/v1/apply-filters?format=npz&" + stages({"pool": {"size": [40, 1], "stride": 1}}),
        npy(np.zeros((400, 400), np.uint8)),
        40,
    ),
}


@pytest.mark.parametrize("name", STEPS)
def test_long_work_looks_whether_its_client_is_there_between_its_steps(entered, monkeypatch, name):
    path, body, least = STEPS[name]
    looks = []
    monkeypatch.setattr(Account, "go_on", lambda _: looks.append(1))
    status, _, _ = priced(entered, path, body, "application/x-npy")
    assert status == 200
    assert len(looks) >= least


def fitting_price(size, **asked):
    with prices.opened(prices.Account(Limits(max_work_units=10**9))) as account:
        prices.charge_fitting(np.zeros(size, np.uint8), Input(prepare="picture", **asked))
    return account.steps["prepare"]


def test_bringing_a_picture_to_a_size_is_priced_by_the_rows_and_columns_that_are_made():
    same, small = fitting_price((224, 224, 3), shape=(3, 224, 224)), fitting_price((28, 28), shape=(1, 28, 28))
    # A picture of that size already is laid out, and no more.
    assert same < fitting_price((64, 64, 3), shape=(3, 224, 224))
    assert 5 * small < fitting_price((27, 28), shape=(1, 28, 28))
    whole, part = (fitting_price((64, 64), shape=(1, 64, 64), short_side=side, fit="crop") for side in (64, 80))
    assert 5 * whole < part
    bilinear, bicubic = (fitting_price((90, 60, 3), shape=(3, 64, 64), filter=name) for name in ("bilinear", "bicubic"))
    assert bilinear < bicubic
    assert fitting_price((90, 60, 3), shape=(3, 64, 64)) < fitting_price((90, 60, 4), shape=(3, 64, 64))
