"""The unit for systemd: what systemd itself says of it, and the service run as the unit would have it."""

import ctypes
import http.client
import os
import re
import shlex
import shutil
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from service.settings import describe
from tests.deploy.manifests import DEPLOY, compose, gunicorn, gunicorn_variables, memory_needed, size
from tests.drawing import draw, encode
from tests.serving import ROOT, bare_environ, free_port, wait_until_ready

UNIT = DEPLOY / "systemd" / "filterscope.service"
FOLDER = "/opt/filterscope"
needs_systemd = pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="systemd-analyze is not installed")
# What a unit that is no more than a command would be without; on a scale of 100 systemd calls that 96.
LARGEST_EXPOSURE = 20
PR_SET_MDWE, PR_MDWE_REFUSE_EXEC_GAIN = 65, 1


def settings(text):
    """
    The keys of a unit, each with the list of its values.

    >>> settings("[Service]\\n# no\\nEnvironment=A=1\\nEnvironment=B=2\\n")
    {'Environment': ['A=1', 'B=2']}
    """
    found = {}
    for name, value in re.findall(r"^(\w+)=(.*)$", text, re.MULTILINE):
        found.setdefault(name, []).append(value)
    return found


KEYS = settings(UNIT.read_text(encoding="utf-8"))


def environment():
    return dict(pair.split("=", 1) for line in KEYS["Environment"] for pair in shlex.split(line))


def command():
    """The command of the unit, run by the interpreter and in the folder of the tests."""
    (line,) = KEYS["ExecStart"]
    program, *arguments = shlex.split(line)
    assert program == f"{FOLDER}/.venv/bin/python"
    return [sys.executable, *arguments]


@pytest.fixture
def here(tmp_path):
    """The unit as it would be if this checkout were where it looks for one."""
    path = tmp_path / UNIT.name
    text = UNIT.read_text(encoding="utf-8")
    path.write_text(text.replace(f"{FOLDER}/.venv/bin/python", sys.executable).replace(FOLDER, str(ROOT)))
    return path


def analyze(*arguments):
    done = subprocess.run(["systemd-analyze", *arguments], capture_output=True, text=True, check=False)
    return done.returncode, done.stdout, done.stderr


@needs_systemd
def test_systemd_finds_no_fault_in_it(here):
    assert analyze("verify", str(here)) == (0, "", "")


@needs_systemd
def test_a_fault_would_be_found(here):
    here.write_text(here.read_text().replace("ProtectHome=", "ProtectHouse="))
    assert "ProtectHouse" in analyze("verify", str(here))[2]


@needs_systemd
def test_it_is_as_closed_as_such_a_service_can_be(here):
    status, said, _ = analyze("security", "--offline=true", "--no-pager", f"--threshold={LARGEST_EXPOSURE}", str(here))
    assert status == 0, said


def test_every_key_stands_once_but_those_that_add_up():
    assert {name for name, values in KEYS.items() if len(values) > 1} == {"Environment", "SystemCallFilter"}


def test_what_closes_it_is_there_also_where_systemd_is_not():
    closed = {name for name, (value, *_) in KEYS.items() if value in {"yes", "strict", "invisible", ""}}
    assert closed >= {
        *("DynamicUser", "NoNewPrivileges", "CapabilityBoundingSet", "ProtectSystem", "ProtectHome", "PrivateTmp"),
        *("PrivateDevices", "PrivateUsers", "RestrictNamespaces", "RestrictSUIDSGID", "MemoryDenyWriteExecute"),
        *("ProtectKernelTunables", "ProtectKernelModules", "ProtectKernelLogs", "ProtectControlGroups"),
    }
    assert KEYS["SystemCallFilter"] == ["@system-service", "~@privileged"]


def test_it_waits_longer_than_workers_may_take_to_stop():
    assert int(KEYS["TimeoutStopSec"][0]) > gunicorn()["graceful_timeout"]


def test_the_memory_is_enough_for_its_settings():
    (memory,) = KEYS["MemoryMax"]
    assert memory_needed(environment(), int(environment()["WORKERS"])) <= size(memory + "i")


def test_it_is_set_as_compose_sets_one_container():
    service = compose()["services"]["service"]
    shared = {name: value for name, value in environment().items() if name in service["environment"]}
    assert shared == {name: service["environment"][name] for name in shared}
    assert len(shared) >= 3
    assert int(KEYS["TasksMax"][0]) == service["pids_limit"]


def test_every_variable_that_it_sets_is_one():
    of_python = {"PYTHONDONTWRITEBYTECODE", "HOME"}
    assert set(environment()) <= {variable for variable, *_ in describe()} | gunicorn_variables() | of_python


def refuse_new_code():
    """What MemoryDenyWriteExecute asks of the kernel, where the kernel has it (6.3): nothing written is ever run."""
    ctypes.CDLL(None).prctl(PR_SET_MDWE, PR_MDWE_REFUSE_EXEC_GAIN, 0, 0, 0)


def start(*before, port, notify, **options):
    environ = bare_environ() | environment() | {"PORT": str(port), "WORKERS": "1", "NOTIFY_SOCKET": str(notify)}
    return subprocess.Popen([*before, *command()], cwd=ROOT, env=environ, **options)


def ask(port):
    """A call of each lane, and of each engine."""
    for path in ("/v1/classify", "/v1/feature-maps?format=png", "/v1/explain?method=rise&masks=400"):
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
        connection.request("POST", path, encode(draw(3)))
        assert connection.getresponse().status == 200


def test_it_tells_systemd_when_it_listens_and_runs_no_memory_that_it_has_written(tmp_path):
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as told:
        told.bind(str(tmp_path / "notify"))
        told.settimeout(60)
        port = free_port()
        process = start(port=port, notify=tmp_path / "notify", preexec_fn=refuse_new_code)
        try:
            assert b"READY=1" in told.recv(4096)
            wait_until_ready(port, process)
            ask(port)
        finally:
            process.terminate()
            assert process.wait(30) == 0


def allowed():
    """The names of the system calls that the unit allows."""
    names = set()
    for line in KEYS["SystemCallFilter"]:
        listed = set()
        for group in line.removeprefix("~").split():
            listed |= expand(group)
        names = names - listed if line.startswith("~") else names | listed
    return names


def expand(group):
    """The names of a group of system calls, groups within it opened."""
    words = [line.strip() for line in analyze("syscall-filter", group)[1].splitlines()[1:]]
    names = {word for word in words if re.fullmatch(r"\w+", word)}
    return names.union(*(expand(word) for word in words if word.startswith("@")))


@needs_systemd
def test_it_makes_no_system_call_that_it_is_refused(tmp_path, proof):
    if not proof:
        pytest.skip("the system calls of the unit are counted by make proof")
    if not shutil.which("strace"):
        pytest.skip("strace is not installed")
    port, log = free_port(), tmp_path / "calls"
    process = start(
        "strace", "--follow-forks", "--summary-only", "--output", str(log), port=port, notify=tmp_path / "no"
    )
    try:
        wait_until_ready(port, process)
        ask(port)
    finally:
        os.kill(int(Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()[0]), signal.SIGTERM)
        process.wait(60)
    made = set(re.findall(r"^\s*[\d.]+\s.*?(\w+)$", log.read_text(), re.MULTILINE)) - {"total"}
    assert {"accept4", "mmap", "kill"} & made
    assert made - allowed() == set()
