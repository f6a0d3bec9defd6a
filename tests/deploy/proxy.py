"""The real nginx with the configuration that is shipped; only addresses, folders and, where asked, times are others."""

import os
import shutil
import socket
import subprocess
import time
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.serving import ROOT

SHIPPED = ROOT / "deploy" / "nginx"


def require_nginx():
    """Skip, and say why, where there is no nginx."""
    return shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin") or pytest.skip("nginx is not installed")


def replace(path, changes):
    """Change a file of the configuration; what is to be changed must be there."""
    text = path.read_text(encoding="utf-8")
    for old, new in changes.items():
        assert old in text, f"{path.name} has no {old!r}"
        text = text.replace(old, new)
    path.write_text(text, encoding="utf-8")


def configure(folder, listen, instances, changes=None):
    """
    Lay the shipped configuration out below a folder; the path of its nginx.conf.

    listen: the address it listens on; instances: the addresses behind it; changes: of nginx.conf, old text to new
    """
    configuration = folder / "nginx"
    shutil.copytree(SHIPPED, configuration)
    (folder / "run").mkdir()
    moved = {"/run/": f"{folder}/run/", "listen 8080": f"listen {listen}", "/dev/stdout": f"{folder}/access.log"}
    replace(configuration / "nginx.conf", moved | (changes or {}))
    servers = "\n".join(f"server {address} max_fails=2 fail_timeout=5s;" for address in instances)
    replace(configuration / "upstreams.conf", {"server service:8000 max_fails=2 fail_timeout=5s;": servers})
    main = configuration / "nginx.conf"
    # Started as root, nginx would give its workers another user, who may not write into the folder.
    user = "user root;\n" if os.geteuid() == 0 else ""
    main.write_text(f"{user}worker_rlimit_nofile 8192;\n{main.read_text(encoding='utf-8')}", encoding="utf-8")
    return main


def check(main):
    """What `nginx -t` says of a configuration: (does it like it, its words)."""
    done = subprocess.run([require_nginx(), "-t", "-c", str(main)], capture_output=True, text=True, check=False)
    return done.returncode == 0, done.stderr


@contextmanager
def proxying(main, port, before=(), host="127.0.0.1"):
    """Run nginx until the block ends; before: a command to run it by, such as ip netns exec."""
    command = [*before, require_nginx(), "-c", str(main), "-g", "daemon off;"]
    with Path(main.parent.parent, "error.log").open("w", encoding="utf-8") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log)
        try:
            if not before:
                wait_for(host, port, process)
            yield process
        finally:
            process.terminate()
            process.wait(30)


def wait_for(host, port, process, seconds=10):
    """Wait until something listens."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        assert process.poll() is None, f"nginx stopped at once, with status {process.returncode}"
        try:
            with socket.create_connection((host, port), timeout=1):
                return
        except OSError:
            time.sleep(0.05)
    raise TimeoutError(f"nginx does not listen on {host}:{port}")
