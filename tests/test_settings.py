"""Wrong settings, met as an operator meets them: one line that names the setting, before anything is started."""

import re
import socket
import subprocess
import sys
from contextlib import contextmanager

import msgspec
import numpy as np
import pytest

from service.settings import PREFIX, BadSetting, Process, Settings, unknown
from service.start import snapshot
from service.start.startup import Start, check, check_addresses
from tests.serving import COMMAND, ROOT, bare_environ, free_port, wait_until_ready

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="gunicorn needs a POSIX system")

GARBLED = ["", "many", "-1", "nan", "1.5", "0x10", "1 2", "½", "10" * 20, "null", "[1]", "\udcff", "a\nb"]
# What fields of text alone mean nothing to, but what they lead to.
LED_TO = {
    "models": ["", "/nowhere", "README.md", "service", "a\nb", "\udcff"],
    "default_model": ["", "none", "digit", "Digits", "digits/1", "\udcff"],
    "mnist": ["/nowhere", "README.md", "models", "\udcff"],
    "keys_file": ["/nowhere", "models", "README.md", "/dev/null", "a\nb"],
    "cors_origins": ["*", "https://a.example/", "https://a.example/x", "a.example", "https://a.example, *", "\udcff"],
    "host": ["nowhere.invalid", "8.8.8.8", "a b", "300.1.1.1", "a" * 300, "\udcff", "[", "é\n"],
}


def is_right(kind, text):
    """Whether that text is, after all, a value of that type, as msgspec itself sees it."""
    try:
        return msgspec.convert(text.strip(), kind, strict=False) is not None
    except (msgspec.ValidationError, UnicodeError):
        return False


def wrong_values():
    """(variable, value) of a wrong value of every kind, for every setting there is."""
    for kind, prefix in ((Settings, PREFIX), (Process, "")):
        for field in msgspec.structs.fields(kind):
            is_text = isinstance(msgspec.inspect.type_info(field.type), msgspec.inspect.StrType)
            assert not is_text or field.name in LED_TO, f"{field.name}: no wrong value of it is known here"
            # A variable of gunicorn's own that is empty is as if it were not there.
            values = LED_TO[field.name] if is_text else [text for text in GARBLED if prefix or text]
            for text in values:
                if is_text or not is_right(field.type, text):
                    yield prefix + field.name.upper(), text


WRONG = list(wrong_values())


def everything(environ):
    """What the first process does with its variables before it forks."""
    start = Start(Process.from_environ(environ), Settings.from_environ(environ))
    check(start, environ)
    snapshot.read(start.settings)


def test_every_wrong_value_of_every_setting_is_refused_by_the_name_of_the_setting(monkeypatch):
    monkeypatch.chdir(ROOT)
    everything({})
    for variable, value in WRONG:
        with pytest.raises(BadSetting) as refused:
            everything({variable: value})
        assert str(refused.value).startswith(f"{variable}: "), (variable, value)
    assert {variable for variable, _ in WRONG} == {
        *(PREFIX + name.upper() for name in Settings.__struct_fields__),
        *(name.upper() for name in Process.__struct_fields__),
    }


def test_a_wrong_value_is_told_with_what_came_and_what_was_wanted():
    for kind, prefix in ((Settings, PREFIX), (Process, "")):
        for field in msgspec.structs.fields(kind):
            if not is_right(field.type, "many"):
                with pytest.raises(BadSetting, match=r"(a number|a whole number|true| or ).* is wanted, got 'many'"):
                    kind.from_environ({prefix + field.name.upper(): "many"})


def start(environ, *arguments, seconds=60):
    """Run gunicorn as an operator does until it ends by itself; (status, lines on standard error)."""
    command = [sys.executable, "-m", "gunicorn", *COMMAND, *arguments]
    environment = bare_environ() | {"PORT": str(free_port()), "WORKERS": "2"} | environ
    done = subprocess.run(
        command, cwd=ROOT, env=environment, capture_output=True, timeout=seconds, check=False, errors="replace"
    )
    assert done.stdout == ""
    return done.returncode, done.stderr.splitlines()


def test_a_wrong_setting_ends_the_start_with_one_line(proof):
    random = np.random.default_rng(1)
    chosen = [WRONG[index] for index in random.choice(len(WRONG), 60 if proof else 6, replace=False)]
    for variable, value in [*chosen, ("WORKERS", "0"), ("LOG_LEVEL", "loud"), (f"{PREFIX}CORS_ORIGINS", "*")]:
        workers = {"WORKERS": str(random.integers(1, 3))}
        arguments = ["--check-config"] if random.integers(2) else []
        status, lines = start(workers | {variable: value}, *arguments)
        assert status == 1, (variable, value)
        assert len(lines) == 1, lines
        assert f" critical service.start.startup {variable}: " in lines[0]


def test_where_logs_are_json_so_is_the_line():
    _, lines = start({"FILTERSCOPE_LOG_FORMAT": "json", "FILTERSCOPE_MAX_BATCH": "0"})
    (line,) = map(msgspec.json.decode, lines)
    assert (line["level"], line["logger"]) == ("CRITICAL", "service.start.startup")
    assert line["message"].startswith("FILTERSCOPE_MAX_BATCH: ")


def test_right_settings_pass_the_check_of_the_configuration():
    assert start({}, "--check-config") == (0, [])


def test_no_worker_at_all_is_refused_however_it_is_asked_for():
    status, lines = start({}, "--workers", "0")
    assert status == 1
    assert "--workers: a whole number of at least 1 is wanted, got 0" in lines[-1]
    assert "Listening" not in "".join(lines)


def test_a_port_that_is_taken_is_told_at_once_in_one_line(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        status, lines = start({"PORT": str(port), "LOG_LEVEL": "error"})
        # A path, and sockets handed over by a predecessor, which listens on them.
        check_addresses([str(tmp_path / "socket")], {})
        check_addresses([("127.0.0.1", port)], {"GUNICORN_FD": "3"})
    assert status == 1
    (line,) = lines
    wanted = f"PORT: {port} is taken: another program listens on 127.0.0.1:{port}; end it, or choose another"
    assert wanted in line


def test_tracing_that_is_not_installed_is_told_at_the_start(monkeypatch):
    monkeypatch.setattr("service.start.startup.find_spec", lambda _name: None)
    with pytest.raises(BadSetting, match=r"OTEL_EXPORTER_OTLP_ENDPOINT: .* pip install filterscope\[otel\]"):
        everything({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:1"})


def test_bodies_that_would_never_find_room_are_a_contradiction():
    with pytest.raises(BadSetting, match=r"FILTERSCOPE_MAX_HELD_BYTES: at least FILTERSCOPE_MAX_BODY_BYTES, 2000, is"):
        Settings.from_environ({"FILTERSCOPE_MAX_BODY_BYTES": "2000", "FILTERSCOPE_MAX_HELD_BYTES": "1999"})
    Settings.from_environ({"FILTERSCOPE_MAX_BODY_BYTES": "2000", "FILTERSCOPE_MAX_HELD_BYTES": "2000"})


def test_a_setting_spelt_wrongly_is_warned_of_with_the_one_that_is_meant():
    random = np.random.default_rng(2)
    for name in Settings.__struct_fields__:
        variable = PREFIX + name.upper()
        assert unknown({variable: "1"}) == []
        place = int(random.integers(len(PREFIX), len(variable) - 1))
        swapped = variable[:place] + variable[place + 1] + variable[place] + variable[place + 2 :]
        doubled = variable[:place] + variable[place] + variable[place:]
        for misspelt in {swapped, doubled, variable[:-1]} - {variable}:
            (line,) = unknown({misspelt: "1"})
            assert line.startswith(f"{misspelt} is no setting")
            assert line.endswith(f"is {variable} meant?")
    (line,) = unknown({"FILTERSCOPE_WORKERS": "1"})
    assert line.endswith("; is WORKERS meant?")
    assert unknown({"FILTERSCOPE_QQQQ": "1"}) == ["FILTERSCOPE_QQQQ is no setting and changes nothing"]


def test_what_kubernetes_puts_beside_a_service_of_that_name_is_no_setting():
    links = "SERVICE_HOST SERVICE_PORT SERVICE_PORT_HTTP PORT PORT_80_TCP PORT_80_TCP_PROTO PORT_80_TCP_ADDR"
    for service in ("", "GPU_"):
        assert unknown({f"{PREFIX}{service}{name}": "tcp://10.0.0.1:80" for name in links.split()}) == []


@contextmanager
def running(log, environ):
    """A server of two workers until the block ends; yields (port, process)."""
    port = free_port()
    environment = bare_environ() | {"PORT": str(port), "WORKERS": "2"} | environ
    with log.open("wb") as file:
        process = subprocess.Popen([sys.executable, "-m", "gunicorn", *COMMAND], cwd=ROOT, env=environment, stderr=file)
    try:
        wait_until_ready(port, process)
        yield port, process
    finally:
        process.terminate()
        process.wait(30)


def test_it_is_warned_of_once(tmp_path):
    log = tmp_path / "log"
    with running(log, {"FILTERSCOPE_MAX_BACH": "3"}):
        pass
    assert len(re.findall("FILTERSCOPE_MAX_BACH is no setting", log.read_text())) == 1
    assert "Traceback" not in log.read_text()
