"""The image, built and run for real: as its own user, with a read-only root, no privileges and no shell."""

import contextlib
import http.client
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from importlib import metadata
from pathlib import Path

import pytest

from tests.deploy.containers import (
    base_image,
    buildah,
    configuration,
    descendants,
    first_process,
    mounted,
    require_tools,
    start,
    status,
)
from tests.drawing import draw, encode
from tests.serving import free_port, wait_until_ready

ROOT = Path(__file__).resolve().parents[2]
LARGEST_OWN_LAYERS = 200_000_000


@pytest.fixture(scope="module")
def built(proof):
    """(name of the image, name of its base), built from this checkout."""
    if not proof:
        pytest.skip("the image is built and run by make proof")
    require_tools()
    base, name = base_image(), f"localhost/filterscope-test:{os.getpid()}"
    arguments = ["--build-arg", f"BASE_IMAGE={base}", "--build-arg", "VERSION=0.0.0", "--build-arg", "REVISION=abc"]
    # HEALTHCHECK is Docker's, not OCI's.
    buildah("bud", "--format", "docker", "--pull-never", *arguments, "-t", name, "-f", "deploy/Dockerfile", ".")
    yield name, base
    buildah("rmi", name)


@pytest.fixture(scope="module")
def config(built):
    return configuration(built[0])


@pytest.fixture(scope="module")
def root(built):
    with mounted(built[0]) as folder:
        yield folder


@pytest.fixture(scope="module")
def own_files(built, root):
    """Every file that the base does not have, by its path within the image."""
    with mounted(built[1]) as base:
        before = {path.relative_to(base) for path in base.rglob("*") if not path.is_dir() or path.is_symlink()}
    after = {path.relative_to(root) for path in root.rglob("*") if not path.is_dir() or path.is_symlink()}
    return sorted(after - before)


@pytest.fixture(scope="module")
def container(root, config):
    """The running image: (port, what waits for it, the id of its first process)."""
    port = free_port()
    environ = {"HOST": "127.0.0.1", "PORT": str(port), "WORKERS": "2"}
    process = start(root, config, [*config["Entrypoint"], *config["Cmd"]], environ)
    try:
        wait_until_ready(port, process)
        yield port, process, first_process(process)
    finally:
        process.kill()
        process.wait()


def ask(port, path, body=None):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
    connection.request("POST" if body else "GET", path, body)
    response = connection.getresponse()
    return response.status, response.read()


# --- without building it ---------------------------------------------------------------------------------------------


def linked_packages(folder):
    """The files of every package that the image installs, of the versions that are here, in a folder of their own."""
    pinned = (ROOT / "deploy" / "requirements.txt").read_text(encoding="utf-8")
    for name in sorted(set(re.findall(r"^([A-Za-z0-9_.-]+)==", pinned, re.MULTILINE))):
        with contextlib.suppress(metadata.PackageNotFoundError):  # it is another Python's
            for file in metadata.distribution(name).files or ():
                if ".." not in file.parts and "__pycache__" not in file.parts:  # commands, and what is compiled
                    (folder / file).parent.mkdir(parents=True, exist_ok=True)
                    link_or_copy(file.locate(), folder / file)


def link_or_copy(source, target):
    try:
        target.hardlink_to(source)
    except OSError:  # on another disk
        shutil.copyfile(source, target)


def test_nothing_is_taken_out_of_the_image_that_the_service_needs(tmp_path):
    packages = tmp_path / "packages"
    packages.mkdir()
    linked_packages(packages)
    for folder in ("service", "models", "deploy"):
        (tmp_path / folder).symlink_to(ROOT / folder)
    dockerfile = (ROOT / "deploy" / "Dockerfile").read_text(encoding="utf-8")
    (removing,) = re.findall(r"^RUN (rm -rf .*?-delete)$", dockerfile, re.MULTILINE | re.DOTALL)
    lines = [line.rstrip("\\") for line in removing.splitlines() if not line.lstrip().startswith("#")]
    before = sum(path.is_file() for path in packages.rglob("*"))
    subprocess.run(["sh", "-c", " ".join(lines)], cwd=packages, check=True)
    assert sum(path.is_file() for path in packages.rglob("*")) < before
    # -S: of other packages it sees none.
    command = [sys.executable, "-S", "deploy/smoke.py"]
    environ = {"PYTHONPATH": str(packages), "PYTHONDONTWRITEBYTECODE": "1", "PATH": os.environ["PATH"]}
    done = subprocess.run(command, cwd=tmp_path, env=environ, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]


# --- built, and run ---------------------------------------------------------------------------------------------------


def test_our_layers_are_within_the_size(root, own_files):
    sizes = {path: (root / path).lstat().st_size for path in own_files}
    assert 50_000_000 < sum(sizes.values()) <= LARGEST_OWN_LAYERS


def test_our_layers_hold_no_compiler_no_training_and_no_tests(own_files):
    names = {path.name for path in own_files} | {part for path in own_files for part in path.parts}
    assert not names & {"torch", "onnx", "gcc", "cc", "cpp", "ld", "tests", "training", "pip", ".git"}
    assert not [path for path in own_files if path.suffix in {".a", ".h", ".c", ".pyx"}]


def test_everything_is_compiled(own_files):
    sources = [path for path in own_files if path.suffix == ".py" and path.name != "gunicorn.conf.py"]
    compiled = {(path.parent.parent, path.name.split(".")[0]) for path in own_files if path.suffix == ".pyc"}
    assert len(sources) > 500
    assert [path for path in sources if (path.parent, path.stem.split(".")[0]) not in compiled] == []


def test_no_file_of_ours_can_be_written_by_the_user_of_the_image(root, own_files):
    open_to_all = [
        path
        for path in own_files
        if not (root / path).is_symlink() and ((root / path).stat().st_mode & 0o022 or (root / path).stat().st_uid)
    ]
    assert open_to_all == []


def test_the_image_says_who_it_runs_as_and_how_it_is_checked(config):
    user, group = (int(part) for part in config["User"].split(":"))
    assert user >= 10_000
    assert group >= 10_000
    assert config["Healthcheck"]["Test"][0] == "CMD"
    assert config["Cmd"][0] == "python3"
    labels = {name.removeprefix("org.opencontainers.image."): value for name, value in config["Labels"].items()}
    assert (labels["title"], labels["version"], labels["revision"]) == ("Filterscope", "0.0.0", "abc")
    assert labels["licenses"] == "Apache-2.0"
    assert "ORT_DISABLE_TELEMETRY=1" in config["Env"]


def test_every_process_runs_as_that_user_without_privileges_on_a_read_only_root(container, config):
    _, _, pid = container
    processes = [pid, *descendants(pid)]
    assert len(processes) >= 3
    for process in processes:
        facts = status(process)
        assert facts["Uid"].split() == [config["User"].split(":")[0]] * 4
        assert (facts["Groups"], int(facts["CapEff"], 16), facts["NoNewPrivs"]) == ("", 0, "1")
    mounts = [line.split() for line in Path(f"/proc/{pid}/mounts").read_text(encoding="utf-8").splitlines()]
    options = {target: flags.split(",") for _, target, _, flags, *_ in mounts}
    assert "ro" in options["/"]
    # The covers of the shells are no place to write to.
    writable = {target for target, flags in options.items() if "rw" in flags and not target.startswith("/usr/bin/")}
    assert writable == {"/proc", "/tmp", "/dev", "/dev/shm"}


def test_a_digit_is_read_in_the_container(container):
    code, body = ask(container[0], "/v1/classify", encode(draw(3)))
    assert code == 200
    assert json.loads(body)["results"][0]["digit"] == 3


def test_the_page_and_the_contract_are_in_the_image(container):
    for path in ("/", "/docs", "/openapi.json", "/v1/models"):
        assert ask(container[0], path)[0] == 200


def test_metrics_are_kept_on_the_memory_disk(container):
    ask(container[0], "/v1/classify", encode(draw(3)))
    deadline = time.monotonic() + 10
    while True:  # what another worker has counted is there within a second
        code, body = ask(container[0], "/metrics")
        assert code == 200
        if b'http_route="/v1/classify"' in body:
            return
        assert time.monotonic() < deadline, body
        time.sleep(0.2)


def test_the_health_check_passes_while_it_runs_and_fails_when_it_does_not(container, root, config):
    command = config["Healthcheck"]["Test"][1:]
    for port, passes in ((container[0], True), (free_port(), False)):
        check = start(root, config, command, {"PORT": str(port)})
        check.communicate(timeout=20)
        assert (check.returncode == 0) == passes


def test_an_arbitrary_user_may_run_it(root, config):
    port = free_port()
    environ = {"HOST": "127.0.0.1", "PORT": str(port), "WORKERS": "1"}
    process = start(root, config | {"User": "1000740000:0"}, config["Cmd"], environ)
    try:
        wait_until_ready(port, process)
        assert ask(port, "/v1/classify", encode(draw(7)))[0] == 200
    finally:
        # What waits for it takes no signal to stop; with the first process its whole namespace ends.
        os.kill(first_process(process), signal.SIGKILL)
        process.wait(30)


def test_a_full_memory_disk_is_survived(container):
    port, _, pid = container
    full = Path("/proc", str(pid), "root", "tmp", "full")
    try:
        with pytest.raises(OSError, match="No space left"):
            full.write_bytes(b"x" * 2**27)
        assert ask(port, "/v1/classify", encode(draw(4)))[0] == 200
    finally:
        full.unlink()


def test_it_stops_when_told_and_says_nothing_wrong(container):
    port, process, pid = container
    assert ask(port, "/readyz")[0] == 200
    began = time.monotonic()
    os.kill(pid, signal.SIGTERM)
    output, _ = process.communicate(timeout=60)
    assert process.returncode == 0, output
    assert time.monotonic() - began < 30, "it waited for as long as it may"
    assert "Traceback" not in output
    with pytest.raises(OSError, match="refused"):
        ask(port, "/readyz")


def test_a_command_other_than_the_server_may_be_run(root, config):
    done = start(root, config, ["python3", "-c", "import service; print(service.__version__)"])
    output, _ = done.communicate(timeout=60)
    assert done.returncode == 0, output
    assert output.strip()


def test_there_is_no_shell_to_rely_on(root, config):
    done = start(root, config, ["python3", "-c", "import os; print(os.waitstatus_to_exitcode(os.system('true')))"])
    output, _ = done.communicate(timeout=60)
    assert (done.returncode, output.split()[-1]) == (0, "127")
