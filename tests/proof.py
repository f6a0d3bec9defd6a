"""
Every group of proofs, one after another, each by its own command in its own environment.

    python -m tests.proof 'name = command' ... [--only NAME ...]

What a group prints is kept in build/proof/<name>.log. The last line counts the groups that passed, failed and were
skipped, by name; the status is 0 when none failed and at least one passed.
"""

import argparse
import re
import subprocess
import sys
import time

from tests.serving import ROOT

OUT = ROOT / "build" / "proof"
SKIPPED = {5, 77}  # pytest found no test; a command says that it could not run
NOT_TOLD = "NOT AUDITED"


def run(name, command):
    """Run a group; "passed", "failed" or "skipped", and the last line that it printed."""
    log = OUT / f"{name}.log"
    with log.open("w", encoding="utf-8") as file:
        done = subprocess.run(["bash", "-c", command], cwd=ROOT, stdout=file, stderr=subprocess.STDOUT, check=False)
    text = log.read_text(encoding="utf-8", errors="replace")
    # make's own word on an exit status hides the status.
    lines = [line for line in text.splitlines() if line.strip() and not line.startswith("make")]
    return verdict(done.returncode, text), lines[-1].strip() if lines else ""


def verdict(status, text):
    """
    >>> verdict(0, "3 passed, 1 skipped in 2s"), verdict(0, "4 skipped in 1s"), verdict(1, "1 failed, 3 passed in 1s")
    ('passed', 'skipped', 'failed')
    >>> verdict(77, ""), verdict(2, "NOT AUDITED: no one answers")
    ('skipped', 'skipped')
    """
    ends = re.findall(r"^=*\s*((?:\d+ \w+(?:, )?)+) in [\d.]+s", text, re.MULTILINE)
    is_empty = ends and not any(re.search(r"passed|failed|error", end) for end in ends)
    if status in SKIPPED or NOT_TOLD in text or (status == 0 and is_empty):
        return "skipped"
    return "failed" if status else "passed"


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("groups", nargs="+")
    parser.add_argument("--only", nargs="+", default=[])
    asked = parser.parse_args()
    groups = dict(map(str.strip, group.split("=", 1)) for group in asked.groups)
    if unknown := set(asked.only) - set(groups):
        parser.error(f"there is no group {', '.join(sorted(unknown))}; there are {', '.join(groups)}")
    OUT.mkdir(parents=True, exist_ok=True)
    found = {"passed": [], "failed": [], "skipped": []}
    for name, command in groups.items():
        if asked.only and name not in asked.only:
            found["skipped"].append(name)
            continue
        began = time.monotonic()
        result, last = run(name, command)
        found[result].append(name)
        print(f"{name:<10}{result:<9}{time.monotonic() - began:7.0f} s  {last}", flush=True)
    print(
        "; ".join(
            f"{len(names)} {result}" + (f" ({', '.join(names)})" if names else "") for result, names in found.items()
        )
    )
    return 1 if found["failed"] or not found["passed"] else 0


if __name__ == "__main__":
    sys.exit(main())
