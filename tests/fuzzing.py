"""Settings of every fuzz test, and the count of what it ran, which the last lines of a run tell."""

import functools
import os
from collections import Counter

from hypothesis import HealthCheck, Phase, settings
from hypothesis.errors import HypothesisException

# How many times as many inputs as in `make test`: `make fuzz` says, `make proof` takes 30.
TIMES = int(os.environ.get("FUZZ_TIMES") or (30 if os.environ.get("FILTERSCOPE_PROOF") else 1))
# A run is the same every time, unless it is given a seed (--hypothesis-seed).
IS_SEEDED = bool(os.environ.get("FUZZ_SEED"))
RAN = Counter()
FOUND = Counter()


def fuzz(count):
    """Over @given: make `count` inputs, TIMES as many in a long run; those made and the faults are counted."""

    def decorate(test):
        run = test.hypothesis.inner_test

        @functools.wraps(run)
        def counted(*values, **named):
            RAN[run.__qualname__.partition(".")[0]] += 1
            try:
                return run(*values, **named)
            except HypothesisException:
                raise  # an input that does not count
            except Exception:
                FOUND[run.__qualname__.partition(".")[0]] += 1
                raise

        test.hypothesis.inner_test = counted
        return settings(
            max_examples=count * TIMES,
            deadline=None,
            derandomize=not IS_SEEDED,
            database=None,
            phases=[Phase.explicit, Phase.generate, Phase.shrink],
            suppress_health_check=list(HealthCheck),
        )(test)

    return decorate


def summary():
    """One line a test, and their sum."""
    lines = [f"fuzz: {count:>9,} inputs, {FOUND[name]} failing: {name}" for name, count in sorted(RAN.items())]
    return [*lines, f"fuzz: {RAN.total():>9,} inputs in all, {FOUND.total()} failing"] if RAN else []
