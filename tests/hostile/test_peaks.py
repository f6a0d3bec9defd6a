"""The requests that once took the most memory, asked again: none takes more than its answer and 128 MiB."""

import json
import subprocess
import sys

import pytest

from tests.hostile import peaks
from tests.serving import ROOT

MOST = 128  # MiB, beside the body and the answer
# In make proof alone: what takes seconds to make.
SLOW = {name for name in peaks.CASES if "MP" in name}

pytestmark = pytest.mark.skipif(not peaks.CLEAR_REFS.exists(), reason="no /proc to measure memory by")


def found(names):
    command = [sys.executable, "-m", "tests.hostile.peaks", *names]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    return [json.loads(line) for line in done.stdout.splitlines()]


def test_the_most_memory_that_was_ever_found_is_bounded(proof):
    names = sorted(set(peaks.CASES) - (set() if proof else SLOW))
    for name, status, peak, _, held, *_ in found(names):
        assert status < 500, name
        assert peak < MOST, (name, peak)
        # What is charged is the decoded picture, or more; what a form or base64 holds is bounded by its body.
        assert peak < max(held, MOST) + 8, (name, peak, held)
