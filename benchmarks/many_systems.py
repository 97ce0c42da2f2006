"""CPU time of `evaluate` for 2, 5, 10 and 20 systems: 20,000 pairs of 1,000 people.

    python benchmarks/many_systems.py [--rounds N]

Every two systems are compared, so that there are 190 differences of 20 systems. Medians.
"""

from __future__ import annotations

import os

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import argparse
import statistics
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

import simulate

from facematch_comparison import evaluate

#: Systems, and the CPU seconds that are aimed at.
SIZES = {2: 1.0, 5: 1.0, 10: 2.0, 20: 12.0}


def main() -> None:
    """All sizes."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    pairs = simulate.draw(1_000, 4_000, 16_000, seed=1)
    vendor = simulate.Vendor(fnmr=0.05, goats=0.1, wolves=0.05, common=0.5)
    answers = [simulate.answer(f"vendor-{n}", vendor, pairs) for n in range(max(SIZES))]
    for systems, most in SIZES.items():
        seconds = []
        for _ in range(options.rounds):
            started = time.process_time()
            evaluation = evaluate(answers[:systems], required_fmr=1e-3)
            seconds.append(time.process_time() - started)
        real = sum(difference.is_real for difference in evaluation.differences)
        print(f"{systems:3} systems {statistics.median(seconds):6.2f} s CPU (at most {most:g}), "
              f"{real} of {len(evaluation.differences)} differences real", flush=True)  # fmt: skip


if __name__ == "__main__":
    main()
