"""What became of the printed commands in this run of the tests; the last line tells it."""

from collections import Counter

RAN, COMPARED, SKIPPED = Counter(), Counter(), Counter()


def summary():
    """One line, or none where no test of the pages was run."""
    if not RAN + SKIPPED:
        return []
    return [
        (
            f"documents: {len(RAN)} printed commands ran, {len(COMPARED)} of them compared with the printed answer; "
            f"{len(SKIPPED.keys() - RAN.keys())} skipped"
        )
    ]
