"""Simulate answers with known error rates, to try a comparison without any faces.

    python benchmarks/simulate.py

The similarity of two pictures is a normal variable with variance 1; its mean is higher for mated
pairs. Part of the variance depends on the people (some are accepted more easily, some rejected more
often: goats, lambs and wolves of Doddington et al., 1998), so pairs that share a person are
correlated. A logistic curve maps the similarity to a score of 0-100; rounding creates ties.

As a program it writes ``docs/choose/scores.csv``, the two vendors of the tutorial.
"""

from __future__ import annotations

import csv
import math
import sys
import zlib
from itertools import combinations, count
from pathlib import Path
from statistics import NormalDist
from typing import TYPE_CHECKING

import attrs
import numpy as np

from facematch_comparison.scores.answers import DECISIONS, Answers
from facematch_core.models import Decision, Environment, ThresholdRule

if TYPE_CHECKING:
    from numpy.typing import NDArray

SCORES = Path(__file__).parents[1] / "docs" / "choose" / "scores.csv"

#: Columns on the origin of the scores, the same for all vendors.
_ORIGIN = {"backend": "simulated", "scale": "simulated/0-100", "environment": "mock"}


@attrs.frozen(kw_only=True)
class Vendor:
    """The true properties of a simulated vendor.

    Attributes:
        fmr, fnmr: The true rates at `threshold`.
        goats, wolves: The share of the variance that depends on people: in mated, non-mated pairs.
        common: The share of the variance that is common to all vendors.
        fta: The share of pictures without a face.
        decimals: Decimal places of scores; None for unrounded scores.
        price: The price of one comparison, in USD.
    """

    fmr: float = 1e-3
    fnmr: float = 0.01
    threshold: float = 50.0
    goats: float = 0.0
    wolves: float = 0.0
    common: float = 0.0
    fta: float = 0.0
    decimals: int | None = 2
    price: float | None = None

    @property
    def frr(self) -> float:
        """The true FRR at the threshold, including pairs in which a picture has no face."""
        return 1 - (1 - self.fta) ** 2 * (1 - self.fnmr)


def draw(people: int, mated: int, non_mated: int, *, seed: int = 0) -> NDArray[np.int64]:
    """Draw pairs, mated first; int64, (2, 2, N): pictures and people of probes and references."""
    for each in count(2):
        most = people * math.comb(each, 2), math.comb(people, 2) * each**2
        if mated <= most[0] and non_mated <= most[1]:
            break
    rng = np.random.default_rng(seed)
    # Each person is in a mated pair before any person is in a second one.
    turn, who = np.divmod(np.arange(mated), people)
    two = np.array([*combinations(range(each), 2)], np.int64).reshape(-1, 2)
    couple, shown = np.divmod(rng.choice(most[1], non_mated, replace=False), each**2)
    # Pairs of people are numbered in this order: (0, 1), (0, 2), (1, 2), (0, 3) and so on.
    second = ((1 + np.sqrt(1 + 8 * couple)) / 2).astype(np.int64)
    second -= second * (second - 1) // 2 > couple
    others = np.stack([couple - second * (second - 1) // 2, second]) * each
    others += np.stack(np.divmod(shown, each))
    pictures = np.concatenate([who * each + two[turn].T, others], axis=1)
    return np.stack([pictures, pictures // each])


def answer(name: str, vendor: Vendor, pairs: NDArray[np.int64], *, seed: int = 0) -> Answers:
    """Return a vendor's answers to the pairs."""
    pictures, people = pairs
    mated = people[0] == people[1]
    alone = np.random.default_rng([seed, zlib.crc32(name.encode())])
    # The order of these draws does not depend on the vendor, so they are common to all vendors.
    shared = np.random.default_rng([seed, 1])
    noise, goat, wolf = (
        math.sqrt(vendor.common) * shared.normal(size=size)
        + math.sqrt(1 - vendor.common) * alone.normal(size=size)
        for size in (len(mated), people.max() + 1, people.max() + 1)
    )
    as_one = math.sqrt(1 - vendor.goats) * noise + math.sqrt(vendor.goats) * goat[people[0]]
    as_two = math.sqrt(1 - 2 * vendor.wolves) * noise
    as_two += math.sqrt(vendor.wolves) * wolf[people].sum(axis=0)
    normal = NormalDist()
    latent = np.where(
        mated, as_one - normal.inv_cdf(vendor.fnmr), as_two + normal.inv_cdf(vendor.fmr)
    )
    # The similarity 0 is mapped to the lowest score that passes, before rounding.
    digits = vendor.decimals
    cut = vendor.threshold - (0 if digits is None else 0.5 / 10**digits)
    scores = 100 / (1 + np.exp(-latent) * (100 - cut) / cut)
    scores = scores if digits is None else np.round(scores, digits)
    acquired = (alone.random(pictures.max() + 1) >= vendor.fta)[pictures].all(axis=0)
    no_match, match, unsure = map(
        DECISIONS.index, (Decision.NO_MATCH, Decision.MATCH, Decision.INCONCLUSIVE)
    )
    decisions = np.select([~acquired, scores >= vendor.threshold], [unsure, match], no_match)
    return Answers.of(
        name=name,
        rule=ThresholdRule.AT_LEAST,
        mated=mated,
        scores=np.where(acquired, scores, np.nan),
        decisions=decisions.astype(np.int8),
        acquired=acquired,
        probe_subjects=people[0],
        reference_subjects=people[1],
        scale=f"simulated/{name}",
        threshold=vendor.threshold,
        backend="simulated",
        model=name,
        environment=Environment.MOCK,
        price=vendor.price,
        currency=None if vendor.price is None else "USD",
        privacy="Nothing was sent: the scores are made up.",
    )


def main() -> None:
    """Write the file."""
    vendors = {
        "north": Vendor(fmr=0.0001, fnmr=0.005),
        "south": Vendor(fmr=0.01, fnmr=0.15, fta=0.03),
    }
    pairs = draw(100, 100, 600)
    columns = [answer(name, vendor, pairs).scores for name, vendor in vendors.items()]
    site = np.array(["back", "front"])[np.random.default_rng(0).permutation(100) % 2]
    with SCORES.open("w", newline="") as file:
        rows = csv.writer(file, lineterminator="\n")
        sides = ("probe", "reference")
        head = [*(f"{side}_subject" for side in sides), *(f"{side}_group_site" for side in sides)]
        rows.writerow(["system", "pair", "same", *head, "score", *_ORIGIN])
        for name, scores in zip(vendors, columns, strict=True):
            people = zip(*pairs[1].tolist(), scores, strict=True)
            for pair, (first, second, score) in enumerate(people, 1):
                word = "" if math.isnan(score) else f"{score:g}"
                who = f"p{first:02}", f"p{second:02}", site[first], site[second]
                rows.writerow([name, pair, int(first == second), *who, word, *_ORIGIN.values()])
    sys.stdout.write(f"written to {SCORES}\n")


if __name__ == "__main__":
    main()
