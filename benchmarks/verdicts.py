"""Measure how often equal vendors are reported as different, and the headline's coverage.

    python benchmarks/verdicts.py [--studies N] [--processes N] [--only TABLE]

Runs the public `evaluate` on simulated studies with known true rates; ``--only`` selects a table.
`docs/maintain/simulations.md` summarizes the output. Uses two cores; takes an hour or more.
"""

from __future__ import annotations

import os

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import argparse
import sys
import time
import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack
from itertools import chain, product
from pathlib import Path
from typing import Any
from unittest import mock

import attrs
import numpy as np
import scipy

sys.path.insert(0, str(Path(__file__).parent))

import simulate
from _vendors import Vendors, table_head

from facematch_comparison import Answers, evaluate
from facematch_comparison.stats import allowed_errors, comparable_fmr, holm
from facematch_comparison.stats import threshold as choosing
from facematch_comparison.values.model import Interval

#: Number of studies per task of a process.
_TASK = 25


@attrs.frozen(kw_only=True)
class Row:
    """A kind of study.

    Attributes:
        vendors: The compared vendors and their scores.
        what: A description of the difference from other rows.
        required_fmr: The argument of `evaluate`.
        studies: The number of studies, as a share of ``--studies``.
        is_ruled: Whether the minimum `ENOUGH_FALSE_MATCHES` applies; otherwise there is no minimum.
        is_simulated: Whether the scores come from `simulate`.
    """

    vendors: Vendors
    what: str = ""
    required_fmr: float | None
    studies: float = 1.0
    is_ruled: bool = True
    is_simulated: bool = False

    @property
    def expected(self) -> int:
        """The number of false matches at the required FMR."""
        return allowed_errors(self.vendors.fmr, self.vendors.non_mated)

    def answers(self, number: int) -> list[Answers]:
        """Return the vendors' answers in one study."""
        vendors = self.vendors
        if self.is_simulated:
            return _simulate(vendors, number)
        seed = zlib.crc32(repr(vendors).encode())
        return vendors.tables(np.random.default_rng([seed, number]))

    def study(self, number: int) -> dict[str, float]:
        """Evaluate one study; return by name 1 for true, 0 for false, NaN if undefined."""
        with ExitStack() as stack:
            if not self.is_ruled:
                stack.enter_context(mock.patch.object(choosing, "ENOUGH_FALSE_MATCHES", 0))
                stack.enter_context(mock.patch.object(choosing, "why_unseen", return_value=None))
            evaluation = evaluate(self.answers(number), required_fmr=self.required_fmr)
        shares = {}
        for difference in evaluation.differences:
            shares = {
                "compared": difference.frr is not None,
                "real": difference.is_real,
            }
        system = evaluation.systems[0]
        if system.at_required is None or self.is_simulated:
            return {**shares, "frr": np.nan, "at_fmr": np.nan}
        threshold, vendors = system.at_required.threshold, self.vendors
        frr = vendors.true_frr(threshold, vendors.frr[0])
        return {
            **shares,
            "frr": _holds(system.at_required.frr.interval, frr),
            "at_fmr": _holds(system.at_required.frr_at_fmr, vendors.frr[0]),
        }


def _holds(ends: Interval | None, truth: float) -> float:
    return float(ends.low <= truth <= ends.high) if ends else np.nan


def _simulate(vendors: Vendors, number: int) -> list[Answers]:
    names = ("fmr", "common", "goats", "wolves", "decimals")
    facts = {name: getattr(vendors, name) for name in names}
    vendor = simulate.Vendor(**facts, fnmr=vendors.frr[0])
    pairs = simulate.draw(vendors.people, vendors.mated, vendors.non_mated, seed=number)
    return [simulate.answer(name, vendor, pairs, seed=number) for name in ("north", "south")]


# --- The kinds of studies -------------------------------------------------------------------------

EQUAL = (0.05, 0.05)
PEOPLE, DECIMALS, COMMON = (100, 400), (None, 1), (0.5, 0.9)


def grid(pairs: int, fmr: float | None, **more: Any) -> Iterator[Row]:
    """Yield rows for few and many people, without and with ties, half or most errors shared."""
    for people, decimals, common in product(PEOPLE, DECIMALS, COMMON):
        vendors = Vendors(
            people=people,
            mated=1_000,
            non_mated=pairs,
            fmr=fmr or comparable_fmr(pairs) or 0.5,
            frr=EQUAL,
            common=common,
            decimals=decimals,
        )
        yield Row(vendors=vendors, required_fmr=fmr, **more)


def like(what: str, fmr: float = 1e-3, pairs: int = 5_000, **others: Any) -> Row:
    """Return a row that differs from the grid in something else."""
    is_simulated = others.pop("is_simulated", False)
    values = {"people": 400, "mated": 1_000, "non_mated": pairs, "fmr": fmr, "frr": EQUAL} | others
    return Row(
        vendors=Vendors(**values),
        what=what,
        required_fmr=fmr,
        studies=0.5,
        is_simulated=is_simulated,
    )


#: Pairs and rates below the minimum: with the rule that refuses them, and without the rule.
BELOW = [
    [
        *grid(pairs, fmr, studies=0.01),
        *grid(pairs, fmr, studies=0.05, is_ruled=False),
    ]
    for pairs, fmr in (
        *((100, 1e-2), (200, 1e-2), (400, 1e-2)),
        *((100, 1e-3), (500, 1e-3), (1_000, 1e-3), (2_000, 1e-3), (4_000, 1e-3)),
        *((1_000, 1e-4), (10_000, 1e-4)),
    )
]

#: Rows with at least the minimum number of false matches.
ABOVE = [
    *grid(500, 1e-2),
    *grid(5_000, 1e-3),
    *grid(1_000, 1e-2, studies=0.1),
    *grid(10_000, 1e-2, studies=0.2),
    *grid(10_000, 1e-3, studies=0.1),
    next(grid(50_000, 1e-4, studies=0.1)),
    *(row for pairs in (100, 300, 3_000) for row in grid(pairs, None, studies=0.05)),
]

#: Rows that differ from the grid, at the minimum.
OTHERS = [
    like("as `simulate` has it", people=200, common=0, goats=0, wolves=0, decimals=2,
         is_simulated=True),
    like("as `simulate` has it, whole scores", decimals=0, is_simulated=True),
    like("100 mated pairs", 1e-2, 500, people=100, mated=100),
    like("3,000 mated pairs", 1e-2, 500, mated=3_000),
    like("3,000 mated pairs, errors not shared", frr=(0.1, 0.1), mated=3_000, common=0.0),
    like("FRR 2 %", frr=(0.02, 0.02)),
    like("FRR 10 %", 1e-2, 500, frr=(0.1, 0.1)),
    like("nobody in two pairs", 1e-2, 500, people=0),
    like("a few people in most of the pairs", busy=True),
    like("a few people in most of the pairs", 1e-2, 500, people=100, busy=True),
]  # fmt: skip

#: Rows in which people outside the test set may be worse than all people in it.
WOLVES = [
    like("part 0.05", heavy=True),
    like("part 0.15", heavy=True, wolves=0.15),
    like("part 0.15", heavy=True, wolves=0.15, people=100),
    like("part 0.15, 20 false matches", 1e-3, 20_000, heavy=True, wolves=0.15, people=100),
]

#: Rows in which that holds for one of the two vendors: the rule cannot protect them.
ONE_HEAVY = [
    like(f"part {part}, one vendor", 1e-3, 20_000, wolves=part, people=people,
         heavy=True, one_heavy=True, common=0.0)
    for part, people in ((0.05, 100), (0.15, 100), (0.15, 400))
]  # fmt: skip

HEADLINE = [
    Row(
        vendors=Vendors(people=people, mated=mated, non_mated=pairs, fmr=fmr),
        required_fmr=fmr,
        studies=studies,
    )
    for people, mated, pairs, fmr, studies in (
        (100, 100, 300, 0.01, 0.5),
        (400, 800, 4_000, 1e-3, 0.5),
        (400, 1_200, 12_000, 1e-3, 0.5),
        (1_000, 3_000, 50_000, 1e-3, 0.25),
        (400, 1_200, 12_000, 0.01, 0.5),
    )
]

UNLIKE = [
    attrs.evolve(like("", fmr, pairs, frr=frr), studies=0.15)
    for fmr, pairs, frr in (
        (1e-3, 5_000, (0.03, 0.06)),
        (1e-3, 20_000, (0.03, 0.06)),
        (1e-2, 500, (0.02, 0.08)),
        (1e-2, 500, (0.02, 0.2)),
        (1e-2, 2_000, (0.02, 0.08)),
    )
]


# --- The tables -----------------------------------------------------------------------------------


@attrs.frozen
class Count:
    """The number of studies with an event."""

    events: int
    studies: int

    @property
    def share(self) -> str:
        """The share of studies, in percent."""
        return f"{self.events / self.studies:.1%}" if self.studies else "-"

    @property
    def p_value(self) -> float:
        """The probability of at least this many events if the true share is 5 %."""
        return float(scipy.stats.binom.sf(self.events - 1, self.studies, 0.05))

    def __str__(self) -> str:
        if not self.studies:
            return "-"
        # Imported here: tests use the studies of this program, and seldom print.
        from statsmodels.stats.proportion import proportion_confint

        low, high = proportion_confint(self.events, self.studies, method="beta")
        return f"{self.share} ({low:.1%} to {high:.1%})"


def count(studies: Iterable[dict[str, float]], name: str) -> Count:
    """Count the studies in which `name` is true, among the studies in which it is defined."""
    values = np.array([study[name] for study in studies], float)
    values = values[~np.isnan(values)]
    return Count(int(values.sum()), len(values))


def kind_of(row: Row) -> str:
    """Return the first cells of a row."""
    vendors = row.vendors
    fmr = "by default" if row.required_fmr is None else f"{row.required_fmr:g}"
    ties = "yes" if vendors.decimals is not None else "no"
    return (
        f"{vendors.non_mated:,} | {fmr} | {row.expected} | {vendors.people:,} | {ties} | "
        f"{vendors.common:g}"
    )


_KIND = ("non-mated", "required FMR", "false matches expected", "people", "ties", "shared")


def below(run: Callable[..., Any]) -> Iterator[str]:
    """Yield the table of studies that the rule refuses."""
    yield from table_head(
        "non-mated", "required FMR", "false matches expected", "studies", "compared",
        "without the rule: not chance", "worst kind",
    )  # fmt: skip
    every = iter(run([row for rows in BELOW for row in rows]))
    for rows in BELOW:
        results = [next(every) for _ in rows]
        half = len(rows) // 2
        ruled, old = results[:half], results[half:]
        compared = count(chain(*ruled), "compared")
        worst = max((count(each, "real") for each in old), key=lambda count: count.events)
        row = rows[0]
        yield (
            f"| {row.vendors.non_mated:,} | {row.required_fmr:g} | {row.expected} | "
            f"{compared.studies:,} | {compared.events:,} | {count(chain(*old), 'real')} | "
            f"{worst.share} |"
        )


def equal(run: Callable[..., Any], rows: Sequence[Row], *, what: bool) -> Iterator[str]:
    """Yield the table of how often equal vendors are reported as different."""
    yield from table_head(
        *_KIND, *(["what else"] if what else []), "studies", "not chance", "p of 5 %, after Holm"
    )
    results = list(run(rows))
    real = [count(each, "real") for each in results]
    chance = holm([each.p_value for each in real])
    for place, row in enumerate(rows):
        middle = f" {row.what} |" if what else ""
        yield (
            f"| {kind_of(row)} |{middle} {real[place].studies:,} | {real[place]} | "
            f"{_p(chance[place])} |"
        )
    blank = " |" * (len(_KIND) - 1 + what)
    together = count(chain(*results), "real")
    yield f"| **all** |{blank} {together.studies:,} | {together} | |"


def _p(value: float) -> str:
    return "1" if value > 0.995 else f"{value:.2g}"


def headline(run: Callable[..., Any]) -> Iterator[str]:
    """Yield the table of the coverage of the FRR's intervals, at the FMR and at the threshold."""
    yield from table_head(
        "people", "mated", "non-mated", "required FMR", "false matches expected", "studies",
        "FRR at the FMR held", "FRR at the threshold held",
    )  # fmt: skip
    for row, results in zip(HEADLINE, run(HEADLINE), strict=True):
        vendors = row.vendors
        frr, at_fmr = (count(results, name) for name in ("frr", "at_fmr"))
        yield (
            f"| {vendors.people:,} | {vendors.mated:,} | {vendors.non_mated:,} | {vendors.fmr:g} | "
            f"{row.expected} | {frr.studies:,} | {at_fmr} | {frr} |"
        )


def power(run: Callable[..., Any]) -> Iterator[str]:
    """Yield the table of how often a true difference is found."""
    yield from table_head(
        "people", "mated", "non-mated", "required FMR", "false matches expected", "true FRR",
        "studies", "not chance",
    )  # fmt: skip
    for row, results in zip(UNLIKE, run(UNLIKE), strict=True):
        vendors, real = row.vendors, count(results, "real")
        rates = " and ".join(f"{frr:.0%}" for frr in vendors.frr)
        yield (
            f"| {vendors.people:,} | {vendors.mated:,} | {vendors.non_mated:,} | {vendors.fmr:g} | "
            f"{row.expected} | {rates} | {real.studies:,} | {real} |"
        )


TABLES: dict[str, Callable[..., Iterator[str]]] = {
    "above": lambda run: equal(run, ABOVE, what=False),
    "others": lambda run: equal(run, OTHERS, what=True),
    "wolves": lambda run: equal(run, [*WOLVES, *ONE_HEAVY], what=True),
    "below": below,
    "headline": headline,
    "power": power,
}


def _task(row: Row, numbers: range) -> list[dict[str, float]]:
    return [row.study(number) for number in numbers]


def main() -> None:
    """Run and print the selected tables."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--studies", type=int, default=2_000)
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--only", choices=TABLES, action="append")
    options = parser.parse_args()
    with ProcessPoolExecutor(options.processes) as pool:

        def run(rows: Sequence[Row]) -> Iterator[list[dict[str, float]]]:
            numbers = range(options.studies)
            tasks = []
            for row in rows:
                seeds = numbers[: round(row.studies * options.studies)]
                parts = [seeds[start : start + _TASK] for start in range(0, len(seeds), _TASK)]
                tasks.append([pool.submit(_task, row, part) for part in parts])
            for parts in tasks:
                yield [result for part in parts for result in part.result()]

        for name in options.only or TABLES:
            started = time.perf_counter()
            for line in TABLES[name](run):
                print(line, flush=True)
            print(f"({time.perf_counter() - started:.0f} s)", flush=True)


if __name__ == "__main__":
    main()
