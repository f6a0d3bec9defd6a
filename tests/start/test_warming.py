"""What a worker has done before it listens: the first call of a route finds nothing left to import or to build."""

import json
import subprocess
import sys
from base64 import b64encode

import pytest

from service.app import create_app
from service.network.sessions import Library, Network
from service.observe.metrics import Metrics
from service.settings import SHIPPED_MODELS, Settings
from service.start.warming import warm
from tests.networks import STRUCTURES, random_network
from tests.routes import calls
from tests.serving import ROOT

# About documents, of pictures that a setting brings, or results that are kept: made when first asked for.
LATER = {
    "service.lab.cards._card",
    "service.api.operations.contract",
    "service.api.operations.contract_json",
    "service.api.v1.report._thumbnail",
    "service.door.door._busy",
}


@pytest.fixture(scope="module")
def asked():
    return list(calls())


def test_no_call_of_any_route_imports_a_module_or_begins_a_table_that_is_kept(asked):
    encoded = [None if call.body is None else b64encode(call.body).decode() for call in asked]
    posted = json.dumps([[call.path, body, call.media_type] for call, body in zip(asked, encoded, strict=True)])
    command = [sys.executable, "-m", "tests.fresh"]
    done = subprocess.run(command, cwd=ROOT, input=posted, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    for call, (status, modules, tables) in zip(asked, json.loads(done.stdout), strict=True):
        assert status < 500, str(call)
        assert modules == [], str(call)
        assert set(tables) <= LATER, str(call)


def test_those_are_calls_of_every_route_there_is(app, asked):
    adapter = app.url_map.bind("")
    matched = {
        adapter.match(call.path.partition("?")[0], "GET" if call.body is None else "POST", return_rule=True)[0].rule
        for call in asked
        if call.path != "/nowhere"
    }
    assert matched == {rule.rule for rule in app.url_map.iter_rules()}


def test_a_worker_s_own_calls_are_answered_and_counted_nowhere():
    library = Library([Network(SHIPPED_MODELS / "tiny" / "1")], "tiny")
    metrics = Metrics([], 0)
    app = create_app(Settings(), library, metrics)
    statuses = warm(app, library.get())
    assert [(call.path, status) for call, status in statuses.items() if status != 200] == [
        ("/v1/classify", 422),
        ("/none", 404),
    ]
    assert b"filterscope_batch_size_count{" not in metrics.page()
    assert b"http_server_request_duration_seconds_count{" not in metrics.page()
    statistics = app.test_client().get("/v2/models/stats").json["model_stats"]
    assert [model["execution_count"] + model["inference_stats"]["fail"]["count"] for model in statistics] == [0]


@pytest.mark.parametrize("structure", STRUCTURES)
def test_of_a_network_of_any_structure_they_are_never_a_fault(tmp_path, structure):
    network = random_network(tmp_path, structure, 1)
    statuses = warm(create_app(Settings(max_body_bytes=2000), Library([network], structure)), network)
    assert max(statuses.values()) < 500
