"""Measure intervals at an FMR that are computed by the influence of each pair.

    python benchmarks/influence.py [--studies N]

Each study has two systems of equal quality with correlated scores, and enough non-mated pairs that
no bootstrap is needed. Prints how often the interval of the FRR at the FMR contains the true FRR,
and how often the two systems are called different, as `docs/maintain/simulations.md` shows them.
"""

from __future__ import annotations

import os

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import argparse
import math
from statistics import NormalDist
from typing import Any

import attrs
import numpy as np

from facematch_comparison.scores.answers import Answers
from facematch_comparison.stats import Side, compare_systems, threshold_for_fmr
from facematch_comparison.values.model import Method
from facematch_core.models import ThresholdRule

#: The true FRR of both systems among acquired pairs, at the true threshold for the required FMR.
FRR = 0.05
#: The share of a score's variance that the people cause, and the share common to both systems.
OF_PEOPLE = 0.1
IN_COMMON = 0.5


@attrs.frozen(kw_only=True)
class Row:
    """A kind of study.

    Attributes:
        failures: The share of pairs that are failures to acquire.
        is_gallery: Whether each of `people` is compared with every other one, in one order.
        decimals: Decimal places of scores; None for unrounded scores.
        studies: The number of studies, as a share of ``--studies``.
    """

    people: int
    mated: int
    non_mated: int
    fmr: float
    failures: float = 0.0
    is_gallery: bool = False
    decimals: int | None = None
    studies: float = 1.0
    words: str = ""

    @property
    def true_frr(self) -> float:
        """The FRR, which counts failures to acquire as rejections."""
        return self.failures + (1 - self.failures) * FRR

    def systems(self, random: np.random.Generator) -> list[Answers]:
        """Simulate the answers of two systems to the same pairs."""
        probe, reference = self._pairs(random)
        mated = probe == reference
        normal = NormalDist()
        mean = np.where(mated, normal.inv_cdf(1 - self.fmr) - normal.inv_cdf(FRR), 0.0)
        shared = self._deviations(probe, reference, random)
        systems = []
        for name in ("a", "b"):
            own = self._deviations(probe, reference, random)
            scores = mean + math.sqrt(IN_COMMON) * shared + math.sqrt(1 - IN_COMMON) * own
            if self.decimals is not None:
                scores = scores.round(self.decimals)
            scores[random.random(len(scores)) < self.failures] = np.nan
            systems.append(
                Answers.of(
                    name=name,
                    rule=ThresholdRule.ABOVE,
                    probe_subjects=probe,
                    reference_subjects=reference,
                    scores=scores,
                )
            )
        return systems

    def _pairs(self, random: np.random.Generator) -> tuple[Any, Any]:
        """Return the people in the probe and in the reference of each pair."""
        of_mated = np.arange(self.mated) % self.people
        if self.is_gallery:
            first, second = (ends.ravel() for ends in np.indices((self.people, self.people)))
            is_other = first != second
            first = first[is_other]
            second = second[is_other]
        else:
            first = random.integers(0, self.people, self.non_mated)
            second = (first + random.integers(1, self.people, self.non_mated)) % self.people
        return np.concatenate([of_mated, first]), np.concatenate([of_mated, second])

    def _deviations(self, probe: Any, reference: Any, random: np.random.Generator) -> Any:
        """Return the deviation of each score from its mean, with variance 1."""
        of_people = random.normal(size=self.people)
        of_pairs = random.normal(size=len(probe))
        sums = np.where(
            probe == reference,
            of_people[probe],
            (of_people[probe] + of_people[reference]) / math.sqrt(2),
        )
        return math.sqrt(OF_PEOPLE) * sums + math.sqrt(1 - OF_PEOPLE) * of_pairs


ROWS = (
    Row(people=300, mated=3_000, non_mated=50_000, fmr=0.01),
    Row(people=1_000, mated=5_000, non_mated=100_000, fmr=0.01),
    Row(people=100, mated=1_000, non_mated=50_000, fmr=0.01),
    Row(people=300, mated=3_000, non_mated=55_000, fmr=0.01, failures=0.05, words="5 % failures"),
    Row(people=200, mated=2_000, non_mated=39_800, fmr=0.02, is_gallery=True, words="a gallery"),
    Row(people=300, mated=3_000, non_mated=50_000, fmr=0.01, decimals=2, studies=0.1),
)


def measure(row: Row, studies: int) -> tuple[float, float]:
    """Return the shares of studies whose interval holds, and that call the systems different."""
    held = different = 0
    for study in range(studies):
        systems = row.systems(np.random.default_rng([row.people, row.non_mated, study]))
        sides = []
        for system in systems:
            threshold = threshold_for_fmr(system, row.fmr).threshold
            sides.append(Side(table=system, threshold=threshold))
        ((difference,), intervals) = compare_systems(sides, required_fmr=row.fmr)
        interval = intervals[0]["frr"]
        assert interval.method is Method.INFLUENCE or row.decimals is not None
        held += interval.low <= row.true_frr <= interval.high
        different += difference.is_real
    return held / studies, different / studies


def main() -> None:
    """Print a line of the table for each kind of study."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--studies", type=int, default=2_000)
    options = parser.parse_args()
    print("| people | mated | non-mated | required FMR | studies | held | called different |")
    print("|---|---|---|---|---|---|---|")
    for row in ROWS:
        studies = max(1, round(row.studies * options.studies))
        held, different = measure(row, studies)
        people = f"{row.people:,}"
        if row.words:
            people += f", {row.words}"
        if row.decimals is not None:
            people += f", {row.decimals} decimals"
        print(
            f"| {people} | {row.mated:,} | {row.non_mated:,} | {row.fmr:g} | {studies:,} | "
            f"{held:.1%} | {different:.1%} |",
            flush=True,
        )


if __name__ == "__main__":
    main()
