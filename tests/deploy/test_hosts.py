"""
More than one machine: nginx on one host, three instances of the service on three others, clients on a fifth.

The retry policy is that of deploy/nginx/service.conf: an answer depends on its request alone, so a request is sent to
another instance once, within ten seconds, when it could not be connected or its connection broke before the answer
began. So the requests in flight at an instance that goes are not lost either.
"""

import json
import subprocess
import sys
import time
from collections import Counter

import pytest

from tests.deploy.hosts import SERVICE_PORT, network, require_hosts
from tests.deploy.manifests import compose
from tests.deploy.proxy import configure, proxying, require_nginx

INSTANCES = ("one", "two", "three")


@pytest.fixture(scope="module")
def hosts(proof, tmp_path_factory):
    """Every host, with the service running on three of them and nginx in front; and nginx's log."""
    if not proof:
        pytest.skip("instances on several hosts are killed and cut off by make proof")
    require_nginx()
    require_hosts()
    folder = tmp_path_factory.mktemp("hosts")
    with network("nginx", "clients", *INSTANCES) as made:
        for name in INSTANCES:
            made[name].start_service()
        addresses = [f"{made[name].address}:{SERVICE_PORT}" for name in INSTANCES]
        front = made["nginx"]
        for setting, value in compose()["services"]["nginx"]["sysctls"].items():
            subprocess.run([*front.inside, "sysctl", "-q", "-w", f"{setting}={value}"], check=True)
        main = configure(folder, f"{front.address}:8080", addresses)
        with proxying(main, 8080, before=front.inside):
            yield made, folder / "access.log"


class Load:
    """Clients on a host of their own, until their result is asked for, and what came of it."""

    def __init__(self, hosts):
        self._hosts, self._log = hosts
        self._seen = len(self.lines())
        url = f"http://{self._hosts['nginx'].address}:8080"
        command = [sys.executable, "-m", "tests.deploy.load", url, "--clients", "6", "--seconds", "150"]
        self._process = self._hosts["clients"].popen(*command, stdout=subprocess.PIPE, text=True)

    def lines(self):
        return self._log.read_text(encoding="utf-8").splitlines() if self._log.exists() else []

    def result(self):
        """What the clients counted, and the instances that nginx tried, request by request."""
        assert self._process.poll() is None, "the clients stopped before the end"
        self._process.terminate()
        output, _ = self._process.communicate(timeout=120)
        tried = [json.loads(line)["upstream"].split(", ") for line in self.lines()[self._seen :]]
        print(output, Counter(", ".join(addresses) for addresses in tried))
        return json.loads(output), tried


def served(tried, host):
    """How many requests an instance answered."""
    return sum(addresses[-1].startswith(f"{host.address}:") for addresses in tried)


def test_every_instance_gets_its_share(hosts):
    load = Load(hosts)
    time.sleep(3)
    counted, tried = load.result()
    assert counted["failed"] == {}
    shares = [served(tried, hosts[0][name]) / len(tried) for name in INSTANCES]
    assert shares == pytest.approx([1 / 3] * 3, abs=0.15)


def test_an_instance_that_is_killed_under_load_costs_no_request(hosts):
    one = hosts[0]["one"]
    load = Load(hosts)
    time.sleep(2)
    one.kill_service()
    time.sleep(4)
    counted, tried = load.result()
    one.start_service()
    assert counted["failed"] == {}
    assert counted["answered"] > 200
    assert served(tried[: len(tried) // 10], one) > 0
    assert served(tried[-100:], one) == 0


def test_an_instance_that_is_cut_off_under_load_costs_no_request_and_is_used_again_afterwards(hosts):
    two = hosts[0]["two"]
    load = Load(hosts)
    time.sleep(2)
    two.pull_out()
    time.sleep(12)
    two.plug_in()
    time.sleep(8)
    counted, tried = load.result()
    assert counted["failed"] == {}
    assert counted["answered"] > 200
    # Some were sent to it in vain, and then elsewhere.
    assert any(len(addresses) > 1 and addresses[0].startswith(f"{two.address}:") for addresses in tried)
    assert served(tried[-100:], two) > 0


def test_an_update_of_one_instance_after_another_under_load_costs_no_request(hosts):
    load = Load(hosts)
    time.sleep(1)
    for name in INSTANCES:
        hosts[0][name].stop_service()
        hosts[0][name].start_service()
    time.sleep(6)
    counted, tried = load.result()
    assert counted["failed"] == {}
    assert counted["answered"] > 200
    assert all(served(tried[-200:], hosts[0][name]) > 0 for name in INSTANCES)
