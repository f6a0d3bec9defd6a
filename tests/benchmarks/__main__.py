"""Run every benchmark: python -m tests.benchmarks (make bench)."""

from tests.benchmarks import filters, requests

if __name__ == "__main__":
    requests.main()
    print()
    filters.main()
