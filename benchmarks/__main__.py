"""`make bench`: run every benchmark."""

from __future__ import annotations

import sys

from benchmarks import worker_cpu

if __name__ == "__main__":
    sys.exit(worker_cpu.main())
