"""The dearest requests that were ever found, and a sample of new ones: priced, and never accepted above the limits."""

import json
import os
import random

import pytest

from service.app import create_app
from service.settings import Settings
from tests.hostile import dearest

KEPT = json.loads(dearest.FILE.read_text(encoding="utf-8"))
IN_FULL = bool(os.environ.get("FILTERSCOPE_PROOF"))


@pytest.fixture(scope="module")
def service():
    app = create_app(Settings())
    with app.app_context():
        yield app


def check(app, call, members, picture):
    """Ask it; returns (status, account, CPU in microseconds)."""
    status, account, cpu = dearest.asked(app, call, members, picture)
    assert status < 500
    assert account.work > 0
    if status == 200:
        assert account.work <= app.limits.max_work_units
        assert account.held <= app.limits.max_request_bytes
    return status, account, cpu


@pytest.mark.parametrize("index", range(len(KEPT)))
def test_the_dearest_requests_ever_found_stay_within_the_limits(service, index):
    check(service, *KEPT[index])


@pytest.mark.parametrize("seed", range(1000 if IN_FULL else 60))
def test_a_request_is_accepted_within_the_limits_or_refused_and_asking_twice_costs_the_same(service, seed):
    chance = random.Random(seed)
    call = chance.choice(list(dearest.CALLS))
    members, picture = dearest.members_of(dearest.CALLS[call], chance), dearest.picture_of(chance)
    picture["count"] = min(picture["count"], 256 if IN_FULL else 2)
    status, account, cpu = check(service, call, members, picture)
    if status == 200:
        again, other, twice = check(service, call, members, picture)
        assert (again, other.work, other.held) == (200, account.work, account.held)
        if IN_FULL and min(cpu, twice) > 5000:
            assert min(cpu, twice) < service.limits.max_work_units


def test_what_is_refused_for_its_price_is_refused_under_a_lower_limit_too(service):
    low = create_app(Settings(max_work_units=2000))
    with low.app_context():
        for seed in range(20):
            chance = random.Random(seed)
            call = chance.choice([call for call in dearest.CALLS if "models" not in call])
            members, picture = dearest.members_of(dearest.CALLS[call], chance), dearest.picture_of(chance)
            picture["count"] = 1
            status, account, _ = dearest.asked(service, call, members, picture)
            found, _, _ = dearest.asked(low, call, members, picture)
            assert found != 200 or (status == 200 and account.work <= 2000)
