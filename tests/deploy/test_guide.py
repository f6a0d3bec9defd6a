"""The operations guide (deploy/README.md) against the files it speaks of."""

import os
import re
import shutil
import subprocess
import sys

import pytest

from service.settings import describe
from tests.deploy.manifests import (
    BASE,
    DEPLOY,
    compose,
    directives,
    gunicorn,
    memory_needed,
    read,
    resources,
    seconds,
)
from tests.serving import ROOT

GUIDE = (DEPLOY / "README.md").read_text(encoding="utf-8")


def section(title):
    """What stands below a heading of the second level."""
    return re.search(rf"^## {re.escape(title)}\n(.*?)(?=^## |\Z)", GUIDE, re.MULTILINE | re.DOTALL)[1]


def rows(title):
    """The rows of the table of a section, as lists of cells, without the head."""
    lines = re.findall(r"^\|(.*)\|$", section(title), re.MULTILINE)
    return [[cell.strip() for cell in line.split("|")] for line in lines[2:]]


def times():
    """The times of the table, in its order, as the files set them."""
    pod = resources(BASE)["Deployment"]["spec"]["template"]["spec"]
    nginx = [
        ("nginx.conf", "client_header_timeout"),
        ("nginx.conf", "client_body_timeout"),
        ("service.conf", "proxy_connect_timeout"),
        ("service.conf", "proxy_next_upstream_timeout"),
        ("service.conf", "proxy_read_timeout"),
    ]
    return [
        *((directive, seconds(directives(name, directive)[0][0])) for name, directive in nginx),
        ("timeout", gunicorn()["timeout"]),
        ("keepalive_timeout", seconds(directives("upstreams.conf", "keepalive_timeout")[0][0])),
        ("keepalive", gunicorn()["keepalive"]),
        ("graceful_timeout", gunicorn()["graceful_timeout"]),
        ("stop_grace_period", seconds(compose()["services"]["service"]["stop_grace_period"])),
        ("preStop", pod["containers"][0]["lifecycle"]["preStop"]["sleep"]["seconds"]),
        ("terminationGracePeriodSeconds", pod["terminationGracePeriodSeconds"]),
    ]


def test_every_time_is_the_one_that_is_set():
    assert [(re.match("`(\\w+)`", where)[1], int(number)) for number, where, _ in rows("Times")] == times()


def test_the_arithmetic_of_the_stop_adds_up():
    grace, sleep, graceful, spare = map(
        int,
        re.search(r"\| (\d+) \| `terminationGrace.*?(\d+) of `preStop` \+ (\d+) of .*? (\d+) to spare", GUIDE).groups(),
    )
    assert grace == sleep + graceful + spare
    assert f"goes on serving for {sleep} seconds" in GUIDE
    assert f"gone {grace} seconds after" in GUIDE


def test_the_sizes_follow_from_the_cost_of_one_request():
    measured = (ROOT / "tests" / "benchmarks" / "README.md").read_text(encoding="utf-8")
    microseconds = int(re.search(r"280 x 280 made a digit first.*\n\| CPU of it \| (\d+) us", measured)[1])
    core = round(1e6 / microseconds, -1)
    assert len(rows("Sizing")) >= 3
    for cores, most, planned in rows("Sizing"):
        assert (int(most), int(planned)) == (int(cores) * core, round(int(cores) * core * 0.7))


def test_the_share_of_the_cores_to_plan_with_is_that_of_the_autoscaler():
    (metric,) = resources(BASE)["HorizontalPodAutoscaler"]["spec"]["metrics"]
    share = metric["resource"]["target"]["averageUtilization"]
    assert f"plan with ({share} %)" in GUIDE
    scaler = resources(BASE)["HorizontalPodAutoscaler"]["spec"]
    expected = f"between {scaler['minReplicas']} and {scaler['maxReplicas']} pods at {share} %"
    assert expected in " ".join(section("Scaling").split())


def test_the_memory_is_the_sum_of_the_guide():
    service = compose()["services"]["service"]
    needed = memory_needed(service["environment"], int(service["environment"]["WORKERS"])) / 2**20
    assert f"{needed:.0f} MiB" in section("Sizing")


def test_every_setting_that_the_guide_names_is_one():
    known = {variable for variable, *_ in describe()}
    assert set(re.findall(r"FILTERSCOPE_[A-Z_]*[A-Z]", GUIDE)) - known == set()


def test_every_alert_has_its_paragraph():
    groups = read(DEPLOY / "prometheus" / "alerts.yaml")["groups"]
    alerts = [rule["alert"] for group in groups for rule in group["rules"] if "alert" in rule]
    paragraphs = dict(re.findall(r"^### (\w+)\n\n(\S.*)$", section("Alerts"), re.MULTILINE))
    assert sorted(paragraphs) == sorted(alerts)


@pytest.mark.parametrize("is_good", [True, False])
def test_the_question_whether_models_are_good_is_answered(tmp_path, is_good):
    models = shutil.copytree(ROOT / "models", tmp_path / "models")
    if not is_good:
        with (models / "tiny" / "1" / "model.onnx").open("ab") as file:
            file.write(b"x")
    (command,) = re.findall(r"exec service \\\s+python3 (.*)", GUIDE)
    done = subprocess.run(
        [sys.executable, *command.split()],
        cwd=ROOT, env=os.environ | {"FILTERSCOPE_MODELS": str(models)}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert (done.returncode == 0) == is_good, done.stderr
    assert is_good or f"{models}/tiny/1: model.onnx: SHA-256 is" in done.stderr


def test_every_file_that_the_guide_names_is_there():
    named = re.findall(r"`((?:deploy|nginx|prometheus)/[\w./-]+)`", GUIDE)
    assert len(named) >= 3
    assert [name for name in named if not ((ROOT / name).exists() or (DEPLOY / name).exists())] == []
