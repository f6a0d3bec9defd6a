"""What a service does when its machine fails it: no memory, no room for files, a worker that is killed."""

import contextlib
import hmac
import http.client
import json
import os
import resource
import signal
import subprocess
import threading
import time
from pathlib import Path

import pytest

from service.door import keys as door_keys
from service.door.keys import Keys
from tests import routes
from tests.drawing import draw, encode
from tests.serving import serving

pytestmark = pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="reads /proc for the workers' numbers")

PICTURE = encode(draw(3))
ROOM_MB = 20  # that one call of every route may leave behind


def ask(port, method="POST", path="/v1/classify", body=PICTURE, media_type="image/png"):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
    try:
        connection.request(method, path, body, {"Content-Type": media_type} if media_type else {})
        response = connection.getresponse()
        return response.status, response.read()
    finally:
        connection.close()


def workers_of(process):
    return [int(pid) for pid in Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()]


def wait_for(condition, seconds=20):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def held_mb(pid):
    """What a process holds beside files, shared or not: writing to a page that was the master's adds nothing."""
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("Anonymous:")) / 1024


def test_a_worker_killed_for_memory_costs_only_what_it_was_answering():
    """The kernel ends it as SIGKILL does; the other worker answers on, and another takes its place."""
    outcomes, stop = [], threading.Event()

    def client(port):
        while not stop.is_set():
            try:
                outcomes.append(ask(port)[0])
            except (OSError, http.client.HTTPException):
                outcomes.append(0)

    with serving(environ={"WORKERS": "2"}) as (port, process):
        wait_for(lambda: len(workers_of(process)) == 2)
        threads = [threading.Thread(target=client, args=(port,)) for _ in range(4)]
        for thread in threads:
            thread.start()
        wait_for(lambda: len(outcomes) > 50)
        killed = workers_of(process)[0]
        os.kill(killed, signal.SIGKILL)
        wait_for(lambda: killed not in workers_of(process) and len(workers_of(process)) == 2)
        after = len(outcomes)
        wait_for(lambda: len(outcomes) > after + 50)
        stop.set()
        for thread in threads:
            thread.join()
    # Four clients, each of which may have had one call with it; and what had come to its socket and was not accepted.
    assert outcomes.count(0) <= 8
    assert set(outcomes) <= {0, 200, 503}


def test_with_no_memory_left_a_call_is_answered_503_and_the_worker_lives():
    query = "/v1/apply-filters?format=npz&channels=each&filters=" + json.dumps(
        [{"weights": [[1]], "bias": bias} for bias in range(12)], separators=(",", ":")
    ).replace('"', "%22").replace("{", "%7B").replace("}", "%7D")
    large = encode(draw(3, 1200))
    with serving() as (port, process):
        (worker,) = workers_of(process)
        assert ask(port, path=query, body=large)[0] == 200
        used = int(Path(f"/proc/{worker}/statm").read_text().split()[0]) * os.sysconf("SC_PAGE_SIZE")
        resource.prlimit(worker, resource.RLIMIT_AS, (used + 24 * 2**20, resource.RLIM_INFINITY))
        statuses = {ask(port, path=query, body=large)[0] for _ in range(3)}
        assert statuses <= {503}
        assert ask(port)[0] == 200
        resource.prlimit(worker, resource.RLIMIT_AS, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
        assert ask(port, path=query, body=large)[0] == 200
        assert workers_of(process) == [worker]


def test_a_worker_killed_while_the_file_of_keys_is_wrong_ends_no_other_and_another_comes_when_it_is_mended(tmp_path):
    keys, log = tmp_path / "keys", tmp_path / "log"
    good, asked = "0123456789" * 4, {"Authorization": f"Bearer {'0123456789' * 4}"}
    keys.write_text(good, encoding="ascii")

    def status(port):
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
        with contextlib.closing(connection):
            connection.request("GET", "/v1/models", headers=asked)
            return connection.getresponse().status

    environ = {"WORKERS": "2", "FILTERSCOPE_KEYS_FILE": str(keys)}
    with log.open("w") as file, serving(environ=environ, log=file) as (port, process):
        wait_for(lambda: len(workers_of(process)) == 2)
        time.sleep(0.5)  # the second may be starting
        keys.write_text("no key!", encoding="ascii")
        killed, other = workers_of(process)
        os.kill(killed, signal.SIGKILL)
        wait_for(lambda: "a worker is missing until this is mended" in log.read_text())
        assert process.poll() is None
        assert other in workers_of(process)
        keys.write_text(good, encoding="ascii")
        time.sleep(1.2)  # by then the next one has started, and found it right
        os.kill(other, signal.SIGKILL)
        assert status(port) == 200


def test_one_call_of_every_route_leaves_little_in_memory():
    with serving(environ={"FILTERSCOPE_MAX_WAIT_SECONDS": "30"}) as (port, process):
        (worker,) = workers_of(process)
        for _ in range(3):
            ask(port)
        before = held_mb(worker)
        for call in routes.calls():
            ask(port, "GET" if call.body is None else "POST", call.path, call.body, call.media_type)
        wait_for(lambda: held_mb(worker) < before + ROOM_MB, 10)


@pytest.fixture
def full_folder(tmp_path):
    """A folder of a file system that has no byte left."""
    folder = tmp_path / "full"
    folder.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", folder], capture_output=True, check=False
    )
    if mounted.returncode:
        pytest.skip("a file system may not be mounted here")
    try:
        with contextlib.suppress(OSError), (folder / "filler").open("wb", buffering=0) as file:
            while True:
                file.write(bytes(4096))
        yield folder
    finally:
        subprocess.run(["umount", folder], check=True)


def test_with_a_full_temporary_folder_the_service_starts_answers_and_reloads(full_folder, tmp_path):
    log = tmp_path / "log"
    environ = {"TMPDIR": str(full_folder), "LOG_LEVEL": "warning"}
    with log.open("wb") as file, serving(environ=environ, log=file) as (port, process):
        for call in routes.calls():
            status, _ = ask(port, "GET" if call.body is None else "POST", call.path, call.body, call.media_type)
            assert status < 500, call
        before = workers_of(process)
        process.send_signal(signal.SIGHUP)
        wait_for(lambda: workers_of(process) and not set(workers_of(process)) & set(before))
        wait_for(lambda: ask(port)[0] == 200)
    assert "Traceback" not in log.read_text()


def test_every_key_is_compared_whole_by_a_digest_that_no_one_outside_can_compute(tmp_path, monkeypatch):
    """However much of a key is right, one look-up and one comparison of 32 bytes are made."""
    file = tmp_path / "keys"
    right = b"0123456789abcdef0123456789abcdef"
    file.write_bytes(right + b"\nanother-key-of-many-characters\n")
    keys, compared, compare = Keys.open(file), [], hmac.compare_digest

    def noted(one, other):
        compared.append((len(one), len(other)))
        return compare(one, other)

    monkeypatch.setattr(door_keys.hmac, "compare_digest", noted)
    tried = [right, *(right[:count] + b"x" * (32 - count) for count in range(32)), b"", b"x", right + b"0", right[:-1]]
    assert [keys.allows(b"Bearer " + key) for key in tried] == [True] + [False] * (len(tried) - 1)
    assert compared == [(32, 32)] * len(tried)
