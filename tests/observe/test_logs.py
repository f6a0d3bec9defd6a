"""Log lines and the ids in them."""

import json
import logging
import logging.config
import os

import pytest

from service.observe import logs
from service.observe.record import Record, current

TRACE = ("4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7", 1)
PARENT = b"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"


@pytest.fixture
def record():
    made = Record("order-66", TRACE, "POST", "/v1/classify", 0.0)
    token = current.set(made)
    yield made
    current.reset(token)


@pytest.fixture
def configured(request):
    """gunicorn's way of setting up, undone afterwards."""
    root = logging.getLogger()
    before = root.handlers[:], root.level
    names = ("gunicorn.error", "gunicorn.access", logs.ACCESS)
    loggers = {name: (logging.getLogger(name).handlers[:], logging.getLogger(name).propagate) for name in names}
    yield lambda form, level="info": logging.config.dictConfig(logs.logconfig(level, form))
    root.handlers[:], root.level = before
    for name, (handlers, propagate) in loggers.items():
        logging.getLogger(name).handlers[:] = handlers
        logging.getLogger(name).propagate = propagate


# --- ids --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("given", [b"a", b"order-66", b"Root=1-67891233-abcdef", b"A/b+c==", b"x" * 128])
def test_a_safe_id_is_kept(given):
    assert logs.request_id(given) == given.decode()


@pytest.mark.parametrize(
    "given", [None, b"", b"x" * 129, b"a b", b"a\r\nb", b"a\n", b'a"b', b"\xc3\xa9", b"<b>", b"a;b", b"\0"]
)
def test_any_other_is_replaced(given):
    made = logs.request_id(given)
    assert len(made) == 32
    assert int(made, 16) >= 0
    assert made != logs.request_id(given)


def test_a_forked_process_makes_other_ids():
    out, into = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.write(into, logs.request_id(None).encode())
        os._exit(0)
    os.waitpid(pid, 0)
    assert os.read(out, 32).decode()[:16] != logs.request_id(None)[:16]


def test_a_traceparent_is_read():
    assert logs.trace_of(PARENT) == TRACE
    assert logs.trace_of(PARENT[:-2] + b"00") == (*TRACE[:2], 0)
    assert logs.trace_of(b"cc" + PARENT[2:] + b"-what-the-future-says") == TRACE


@pytest.mark.parametrize(
    "given",
    [
        None, b"", b"00", PARENT + b"-more", PARENT + b"0", b"ff" + PARENT[2:], PARENT.upper(), PARENT[:-1],
        b"00-" + b"0" * 32 + PARENT[35:], PARENT[:36] + b"0" * 16 + b"-01", PARENT.replace(b"-", b"_"), PARENT + b"\n",
        b"cc" + PARENT[2:] + b"00", b" " + PARENT,
    ],
)  # fmt: skip
def test_what_is_no_traceparent_is_none(given):
    assert logs.trace_of(given) is None


# --- lines ------------------------------------------------------------------------------------------------------------


def test_a_line_of_json_has_the_ids_of_its_request(configured, record, capfd):
    configured("json")
    logging.getLogger("service.door").warning("no room for %d", 3)
    line = json.loads(capfd.readouterr().err)
    assert line.pop("time").endswith("Z")
    assert line == {
        "level": "WARNING", "logger": "service.door", "message": "no room for 3", "process": os.getpid(),
        "request_id": "order-66", "trace_id": TRACE[0],
    }  # fmt: skip


def test_outside_a_request_there_are_none(configured, capfd):
    configured("json")
    logging.getLogger("gunicorn.error").info("listening")
    assert not {"request_id", "trace_id"} & set(json.loads(capfd.readouterr().err))


def test_a_traceback_is_within_the_one_line(configured, record, capfd):
    configured("json")
    try:
        int("no\nsuch")
    except ValueError:
        logging.getLogger("service").exception("failed")
    (text,) = capfd.readouterr().err.splitlines()
    assert "ValueError: invalid literal" in json.loads(text)["exc_info"]


def test_text_has_the_request_too(configured, record, capfd):
    configured("text")
    logging.getLogger("service.door").warning("no room")
    text = capfd.readouterr().err
    assert f" {os.getpid()} warning service.door [order-66] no room" in text


@pytest.mark.parametrize("form", logs.FORMS)
def test_a_key_is_left_out(configured, capfd, form):
    configured(form)
    token = "0123456789abcdef~secret=="
    try:
        int(f"Authorization: Bearer {token}")
    except ValueError:
        logging.getLogger("service").exception("got %r", f"authorization: bearer {token}".encode())
    text = capfd.readouterr().err
    assert "got" in text
    assert "secret" not in text
    assert text.count("[key]") == 2


@pytest.mark.parametrize(("level", "seen"), [("DEBUG", 2), ("info", 1), ("error", 0)])
def test_the_level_is_obeyed(configured, capfd, level, seen):
    configured("text", level)
    logging.getLogger("service").info("one")
    logging.getLogger("service").debug("two")
    assert len(capfd.readouterr().err.splitlines()) == seen


def test_another_form_is_refused():
    with pytest.raises(ValueError, match="json or text, got 'xml'"):
        logs.logconfig("info", "xml")


def test_gunicorn_takes_the_configuration(configured):
    from gunicorn.config import Config
    from gunicorn.glogging import Logger

    config = Config()
    config.set("logconfig_dict", logs.logconfig("info", "json"))
    Logger(config)
    assert logging.getLogger("gunicorn.error").handlers


def test_an_access_line_tells_all_but_the_query(configured, record, capfd):
    configured("text", "error")
    record.route, record.status = "/v1/classify", 200
    record.stages += [("decode", 0.0, 0.001), ("infer", 0.002, 0.0002), ("decode", 0.003, 0.001)]
    record.seconds = 0.00412345678
    logging.getLogger(logs.ACCESS).info(logs.access_line(record, 321, "127.0.0.1"))
    line = json.loads(capfd.readouterr().out)
    assert line.pop("time").endswith("Z")
    assert line == {
        "request_id": "order-66", "client": "127.0.0.1", "method": "POST", "path": "/v1/classify",
        "route": "/v1/classify", "status": 200, "seconds": 0.004123, "bytes": 321, "trace_id": TRACE[0],
        "stages": {"decode": 0.002, "infer": 0.0002},
    }  # fmt: skip


def test_no_path_breaks_a_line():
    line = logs.access_line(Record("1", None, "GET", '/\n"\udcff' + "x" * 9000, 0.0), 0, "")
    assert "\n" not in line
    assert len(json.loads(line)["path"]) == 500
