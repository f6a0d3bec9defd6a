"""The worked case of deploy/adopt.md: a network is trained, adopted with pictures, and explained by the client."""

import re
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

from service.app import create_app
from service.settings import Settings
from tests.client.in_process import client_of
from tests.serving import ROOT

SCRIPT = ROOT / "deploy" / "examples" / "signs.py"


@pytest.fixture(scope="module")
def folder(tmp_path_factory, proof):
    """What a reader has once the guide's commands have run."""
    if not proof:
        pytest.skip("trains a network: under make proof")
    pytest.importorskip("torch")
    place = tmp_path_factory.mktemp("reader")
    guide = (ROOT / "deploy" / "adopt.md").read_text()
    (lines,) = re.findall(r"```\n(python deploy/examples/signs\.py\n.*?)```", guide, re.DOTALL)
    train, adopt = lines.replace("\\\n", " ").splitlines()
    assert train == "python deploy/examples/signs.py"
    subprocess.run([sys.executable, SCRIPT], cwd=place, check=True, capture_output=True)
    command = [sys.executable, "-m", "service", *adopt.split()[1:]]
    ran = subprocess.run(command, cwd=place, check=True, capture_output=True, text=True, env={"PYTHONPATH": str(ROOT)})
    (place / "told.txt").write_text(ran.stdout)
    return place


@pytest.fixture(scope="module")
def client(folder):
    return client_of(create_app(Settings(models=str(folder / "models"), default_model="signs")))


def test_the_form_of_its_numbers_is_found_by_the_labelled_pictures(folder):
    told = (folder / "told.txt").read_text()
    assert "reads 40 x 40 rgb (nchw), trained on -1..1" in told
    for call in ("POST /v1/classify", "POST /v1/explain?method=deciding-set", "GET /v1/models/NAME/report"):
        assert f"  {call}: works" in told


def test_the_client_reads_and_explains_it(folder, client):
    paths = sorted((folder / "signs").glob("*/*.png"))
    verdicts = client.classify(paths)
    right = np.mean([verdict.label == path.parent.name for verdict, path in zip(verdicts, paths, strict=True)])
    assert right > 0.9
    star = next(path for path in paths if path.parent.name == "red star")
    (ledger,) = client.explain(star, "ledger")
    assert (ledger["exactness"], ledger["layer"]) == ("global", "pool2")
    sums = ledger["base"] + ledger["shares"]["filters"].sum(axis=1)
    np.testing.assert_allclose(sums, ledger["logits"], atol=1e-3)
    (covered,) = client.explain(star, "occlusion")
    # What it goes by lies where the sign is: the ground is the same at the corners.
    ink = np.asarray(Image.open(star), np.float64)
    sign = np.abs(ink - ink[0, 0]).sum(axis=2) > 120
    assert covered["map"][sign].mean() > covered["map"][~sign].mean()
    assert client.report("signs")["accuracy"] == pytest.approx(right, abs=1e-6)
    edited = client.what_if(star, [{"layer": "conv2", "filter": 0, "action": "off"}])
    assert np.isfinite(edited.difference).all()
