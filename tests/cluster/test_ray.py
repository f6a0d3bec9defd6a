"""A job on a real Ray cluster of two nodes, one of which is killed midway, against the same job on one machine."""

import threading
import time

import numpy as np
import pyarrow.parquet as pq
import pytest

from service.commands.options import UNUSABLE
from service.pictures.codec import encode_png
from tests.commanding import filterscope

ray = pytest.importorskip("ray", reason="Ray is not in this environment; `make proof` makes one that has it")

PICTURES, BATCH = 4000, 50


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Strokes of random directions, and pictures that cannot be used."""
    random, folder = np.random.default_rng(8), tmp_path_factory.mktemp("pictures")
    for index in range(PICTURES):
        picture = np.full((28, 28), 255, np.uint8)
        start, stop = random.uniform(5, 23, (2, 2))
        for place in np.linspace(start, stop, 60).round().astype(int):
            picture[place[0] - 1 : place[0] + 1, place[1] - 1 : place[1] + 1] = 0
        (folder / f"{index:05d}.png").write_bytes(b"no picture" if index % 97 == 0 else encode_png(picture))
    return folder


@pytest.fixture
def cluster(monkeypatch):
    """A head without CPUs, so that the driver's node does no work, and two nodes of two."""
    from ray.cluster_utils import Cluster

    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 0, "object_store_memory": 80 * 2**20})
    nodes = [cluster.add_node(num_cpus=2, object_store_memory=80 * 2**20) for _ in range(2)]
    cluster.wait_for_nodes()
    monkeypatch.setenv("RAY_ADDRESS", cluster.address)
    yield cluster, nodes
    ray.shutdown()
    cluster.shutdown()


def results(out):
    return {path.name: path.read_bytes() for path in out.glob("part-*.parquet")}


def test_a_job_that_loses_a_node_has_the_results_of_one_machine(folder, cluster, tmp_path):
    ray_cluster, (_, victim) = cluster
    alone, shared = tmp_path / "alone", tmp_path / "shared"
    common = ["--batch", str(BATCH), "--workers"]
    assert filterscope("score", str(folder), str(alone), *common, "1") == UNUSABLE

    written_at_death = []

    def kill():
        while len(results(shared)) < 5:
            time.sleep(0.02)
        ray_cluster.remove_node(victim, allow_graceful=False)
        written_at_death.append(len(results(shared)))

    killer = threading.Thread(target=kill, daemon=True)
    killer.start()
    assert filterscope("score", str(folder), str(shared), *common, "4", "--engine", "ray") == UNUSABLE
    killer.join(60)

    assert written_at_death
    assert written_at_death[0] < PICTURES // BATCH, "the node died after the work was done"
    assert len(results(alone)) == PICTURES // BATCH
    assert results(shared) == results(alone)
    table = pq.read_table(shared)
    assert table.column("index").to_pylist() == list(range(PICTURES))
    assert table.column("error").null_count == PICTURES - len(range(0, PICTURES, 97))
