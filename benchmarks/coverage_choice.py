"""How often the intervals for the choice of a vendor hold, and how often its tests are wrong.

    python benchmarks/coverage_choice.py [--studies N] [--processes N] [--write]

Simulated studies whose truth is known (`tests/kit/comparison/choice_coverage.py`); with
``--write`` the table goes into ``docs/evidence/comparison-choice-coverage.md``.
"""

from __future__ import annotations

import argparse
import re
import sys
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "evidence" / "comparison-choice-coverage.md"
MARKS = re.compile(r"(<!-- generated: choice -->\n).*?(<!-- end -->)", re.DOTALL)

sys.path.insert(0, str(ROOT / "tests"))

from kit.comparison.choice_coverage import ROWS, share_of  # noqa: E402


def measured(place: int, studies: int) -> float:
    """The share of the studies."""
    return share_of(ROWS[place], studies, seed=place)


def main() -> int:
    """Exit code 1 if a row is out of its range."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--studies", type=int, default=1_000)
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--write", action="store_true")
    asked = parser.parse_args()
    lines = ["| what | studies of | how many | share |", "|---|---|---|---|"]
    print("\n".join(lines), flush=True)
    outside = 0
    with ProcessPoolExecutor(asked.processes) as pool:
        found = pool.map(measured, range(len(ROWS)), [asked.studies] * len(ROWS))
        for row, share in zip(ROWS, found, strict=True):
            low, high = row.wanted
            outside += not low <= share <= high
            mark = "" if low <= share <= high else " (!)"
            lines.append(f"| {row.what} | {row.study} | {asked.studies:,} | {share:.1%}{mark} |")
            print(lines[-1], flush=True)
    if asked.write:
        table = "\n".join(lines)
        page = MARKS.sub(lambda mark: f"{mark[1]}\n{table}\n\n{mark[2]}", PAGE.read_text())
        PAGE.write_text(page)
    return bool(outside)


if __name__ == "__main__":
    sys.exit(main())
