"""
Measured comparisons: ratios to something run in the same minute, never asserted.

`make bench` runs them all and writes build/bench/table.md and the plots beside it; `QUICK=1 make bench` takes a fifth
of the time. Load comes from wrk, which Debian has as the package of that name.
"""
