"""Several hosts on one machine: network namespaces, each with its own address, joined by a bridge in another one."""

import os
import shutil
import subprocess
import sys
import time
from contextlib import contextmanager

import pytest

from tests.serving import COMMAND, ROOT

NETWORK = "10.77.0"
SERVICE_PORT = 8000


def require_hosts():
    """Skip, and say why, where network namespaces cannot be made."""
    if not shutil.which("ip") or os.geteuid() != 0:
        pytest.skip("hosts of their own need root and iproute2")
    probe = f"filterscope-{os.getpid()}"
    if subprocess.run(["ip", "netns", "add", probe], capture_output=True, check=False).returncode:
        pytest.skip("network namespaces are not permitted here")
    subprocess.run(["ip", "netns", "delete", probe], check=True)


def run(*command):
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{' '.join(command)}: {done.stderr}"


class Host:
    """One host: a namespace and an address; a cable to the bridge that can be pulled."""

    def __init__(self, name, number, switch):
        self.name, self.address, self.process = name, f"{NETWORK}.{number}", None
        self.inside = ["ip", "netns", "exec", name]
        run("ip", "netns", "add", name)
        # Both ends are made where they belong, so that nothing is ever seen outside.
        run("ip", "-n", name, "link", "add", "eth0", "type", "veth", "peer", f"port{number}", "netns", switch)
        run("ip", "-n", name, "address", "add", f"{self.address}/24", "dev", "eth0")
        run("ip", "-n", name, "link", "set", "lo", "up")
        run("ip", "-n", switch, "link", "set", f"port{number}", "master", "bridge", "up")
        self.plug_in()

    def pull_out(self):
        """Cut the host off: what is sent to it is lost, without a word."""
        run("ip", "-n", self.name, "link", "set", "eth0", "down")

    def plug_in(self):
        run("ip", "-n", self.name, "link", "set", "eth0", "up")

    def popen(self, *command, **options):
        """Start a program on this host."""
        return subprocess.Popen([*self.inside, *command], cwd=ROOT, **options)

    def start_service(self):
        """Start the service, with one worker, and wait until it is ready."""
        environ = {"HOST": self.address, "PORT": str(SERVICE_PORT), "WORKERS": "1", "LOG_LEVEL": "warning"}
        # All hosts, their clients and instances that start share the CPUs of this machine, so a wait tells nothing of
        # a host: none is to answer that it is full.
        environ["FILTERSCOPE_MAX_WAIT_SECONDS"] = "60"
        # A session of its own, so that the master and its worker can be killed at one blow.
        self.process = self.popen(
            sys.executable, "-m", "gunicorn", *COMMAND, env=os.environ | environ, start_new_session=True
        )
        ask = f"import urllib.request; urllib.request.urlopen('http://{self.address}:{SERVICE_PORT}/readyz', timeout=1)"
        deadline = time.monotonic() + 60
        while subprocess.run([*self.inside, sys.executable, "-c", ask], capture_output=True, check=False).returncode:
            assert self.process.poll() is None, "the service stopped at once"
            assert time.monotonic() < deadline, "the service was not ready within 60 seconds"

    def stop_service(self):
        """Ask it to stop, and wait until it has."""
        self.process.terminate()
        self.process.wait(60)

    def kill_service(self):
        """End master and worker as a power cut would."""
        os.killpg(self.process.pid, 9)
        self.process.wait(10)


@contextmanager
def network(*names):
    """Hosts by name on one bridge, until the block ends."""
    prefix = f"fs{os.getpid()}"
    switch, hosts = f"{prefix}-switch", {}
    try:
        run("ip", "netns", "add", switch)
        run("ip", "-n", switch, "link", "add", "bridge", "type", "bridge")
        run("ip", "-n", switch, "link", "set", "bridge", "up")
        for number, name in enumerate(names, start=1):
            hosts[name] = Host(f"{prefix}-{name}", number, switch)
        yield hosts
    finally:
        for host in hosts.values():
            if host.process and host.process.poll() is None:
                host.kill_service()
        for name in (switch, *(f"{prefix}-{name}" for name in names)):
            subprocess.run(["ip", "netns", "delete", name], capture_output=True, check=False)
