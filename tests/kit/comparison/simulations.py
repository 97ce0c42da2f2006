"""Measure in simulated studies how often intervals, bounds and verdicts of a comparison are right.

    python tests/kit/comparison/simulations.py [--studies N] [--only WORDS]

Each line shows a kind of study, whose true rates are known; `simulations.toml` lists the kinds.
``--only`` selects the tables whose title contains these words. `simulations.md` summarizes the
output. Takes an hour or more on two cores.
"""

from __future__ import annotations

import os

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import argparse
import functools
import tomllib
import zlib
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from itertools import product
from pathlib import Path
from typing import Any
from unittest import mock

import attrs
import numpy as np
from scipy.optimize import brentq
from scipy.stats import norm
from statsmodels.stats.proportion import proportion_confint

from facematch_comparison import Answers, evaluate
from facematch_comparison.scores.answers import Grouping
from facematch_comparison.stats import (
    Clusters,
    Rates,
    Side,
    at_chosen_threshold,
    bounds,
    cells_of,
    compare_systems,
    concentration,
    group_differences,
    interval,
    threshold_for_fmr,
)
from facematch_comparison.stats import bootstrap as drawing
from facematch_comparison.stats import threshold as choosing
from facematch_comparison.values.model import Rate
from facematch_core.models import ThresholdRule

#: What one study shows, by name: 1 for true, 0 for false, NaN if undefined; or a size.
Shown = dict[str, float]

#: How much higher people who look alike score, on average.
ALIKE = 1.5


# --- Generators of studies --------------------------------------------------------------------


@attrs.frozen
class Errors:
    """A kind of study of errors at a given threshold.

    Attributes:
        people, pairs: Number of people and pairs.
        rate: The true error rate.
        correlation: Of mated pairs, the correlation of two pairs of a person; of others, the share
            of the variance that depends on each of the two people.
        mated: Whether each pair is of one person; otherwise of two.
    """

    people: int
    pairs: int
    rate: float
    correlation: float = 0
    mated: bool = True

    def study(self, chance) -> tuple[Any, Clusters]:
        """Simulate a study; return the errors and the people of each pair."""
        if not self.mated:
            probe, reference = draw_strangers(self.people, self.pairs, chance)
            person = chance.normal(0, np.sqrt(self.correlation), self.people)
            alone = chance.normal(0, np.sqrt(1 - 2 * self.correlation), self.pairs)
            errors = person[probe] + person[reference] + alone > norm.isf(self.rate)
            return errors, Clusters(probe, reference)
        person = np.repeat(np.arange(self.people), self.pairs // self.people)
        rates = np.full(self.people, self.rate)
        if self.correlation:
            size = 1 / self.correlation - 1
            rates = chance.beta(self.rate * size, (1 - self.rate) * size, self.people)
        return chance.random(len(person)) < rates[person], Clusters(person, None)


@attrs.frozen(kw_only=True)
class Kind:
    """A kind of study of systems with normal scores: variance 1, mean 0 for non-mated pairs.

    Attributes:
        people: Number of people; 0 if each person is in only one pair.
        mated, non_mated: Number of pairs, without those of people who look alike.
        fmr: The required FMR.
        frr: The true FRR of each system at the true threshold for `fmr`.
        common: The share of the variance, of pairs and people, that is common to all systems.
        goats, wolves: The share that depends on the person of a mated, each of a non-mated pair.
        heavy: Indexes of systems in which the people's part in non-mated pairs has Student's t
            distribution with three degrees of freedom instead of a normal distribution.
        decimals: Decimal places of scores; None for unrounded scores.
        busy: Whether a few people are in most of the pairs (Pareto, 1.5).
        gallery: Whether each of the people is compared with every other one; `non_mated` must be
            the number of these pairs.
        unacquired: The share of pairs that are not acquired.
        alike: Number of non-mated pairs, in addition, of each two people who look alike.
        alike_part: The share of the variance that is common to the pairs of two who look alike.
        groups: Number of groups of people; if several, non-mated pairs are within a group.
        worse: How much lower the mated scores of the first group are.
    """

    people: int = 400
    mated: int = 1_000
    non_mated: int = 5_000
    fmr: float = 1e-3
    frr: tuple[float, ...] = attrs.field(default=(0.05, 0.05), converter=tuple)
    common: float = 0.5
    goats: float = 0.1
    wolves: float = 0.05
    heavy: tuple[int, ...] = attrs.field(default=(), converter=tuple)
    decimals: int | None = None
    busy: bool = False
    gallery: bool = False
    unacquired: float = 0
    alike: int = 0
    alike_part: float = 0.5
    groups: int = 1
    worse: float = 0

    def _passing(self, edge: float, system: int) -> float:
        """Return the share of non-mated pairs whose unrounded score is above `edge`."""
        if system in self.heavy:
            scores, rates = heavy_tail(self.wolves)
            return float(np.exp(np.interp(edge, scores, np.log(rates))))
        count = self.people // 2 * self.alike
        part = count / (count + self.non_mated)
        return float(part * norm.sf(edge - ALIKE) + (1 - part) * norm.sf(edge))

    @functools.cache  # noqa: B019
    def threshold(self, system: int = 0) -> float:
        """Return the true threshold for `fmr`."""
        return brentq(lambda edge: self._passing(edge, system) - self.fmr, 0, 8)

    def _edge(self, threshold: float) -> float:
        # Scores that are rounded up pass, too.
        return threshold + (0 if self.decimals is None else 0.5 * 10.0**-self.decimals)

    def true_fmr(self, threshold: float) -> float:
        """Return the first system's true FMR at a threshold."""
        return self._passing(self._edge(threshold), 0)

    def true_frr(self, threshold: float) -> float:
        """Return the first system's true FRR at a threshold, of all groups but the first."""
        missed = norm.cdf(self._edge(threshold) - self._mated_mean(0))
        return float(self.unacquired + (1 - self.unacquired) * missed)

    def _mated_mean(self, system: int) -> float:
        missed = (self.frr[system] - self.unacquired) / (1 - self.unacquired)
        return float(self.threshold(system) + norm.isf(missed))

    def answers(self, number: int) -> list[Answers]:
        """Simulate the study with this number; return each system's answers."""
        chance = np.random.default_rng([zlib.crc32(repr(self).encode()), number])
        probe, reference = self._pairs(chance)
        people = max(probe.max(), reference.max()) + 1
        mated = np.arange(len(probe)) < self.mated
        twins = self.people // 2 * self.alike
        alike = np.arange(len(probe)) >= len(probe) - twins
        shared = draw_effects(chance, len(probe), people, heavy=0 in self.heavy)
        group = np.arange(people) % self.groups
        subjects = {"probe_subjects": probe, "reference_subjects": reference}
        if self.groups > 1:
            labels = tuple(f"g{place}" for place in range(self.groups))
            subjects["groups"] = {"group": Grouping(labels, group[probe], group[reference])}
        tables = []
        for system in range(len(self.frr)):
            own_effects = draw_effects(chance, len(probe), people, heavy=system in self.heavy)
            common = self.common if len(self.frr) > 1 else 0
            pair, goat, wolf = (
                np.sqrt(common) * of_all + np.sqrt(1 - common) * of_one
                for of_all, of_one in zip(shared, own_effects, strict=True)
            )
            scores = np.sqrt(1 - 2 * self.wolves) * pair
            scores += np.sqrt(self.wolves) * (wolf[probe] + wolf[reference])
            of_mated = np.sqrt(1 - self.goats) * pair + np.sqrt(self.goats) * goat[probe]
            of_mated += self._mated_mean(system) - self.worse * (group[probe] == 0)
            scores[mated] = of_mated[mated]
            of_two = np.sqrt(self.alike_part) * goat[probe] + np.sqrt(1 - self.alike_part) * pair
            scores[alike] = ALIKE + of_two[alike]
            if self.decimals is not None:
                scores = scores.round(self.decimals)
            scores[chance.random(len(probe)) < self.unacquired] = np.nan
            tables.append(
                Answers.of(name=f"s{system}", rule=ThresholdRule.ABOVE, scores=scores, **subjects)
            )
        return tables

    def _pairs(self, chance):
        """Return the people of each pair: mated pairs first, people who look alike last."""
        if not self.people:
            ends = self.mated + np.arange(2 * self.non_mated).reshape(2, -1)
            return tuple(np.concatenate([np.arange(self.mated), subjects]) for subjects in ends)
        person = np.arange(self.mated) % self.people
        half = self.people // 2
        if self.busy:
            share = 1 + chance.pareto(1.5, self.people)
            share /= share.sum()
            person = chance.choice(self.people, self.mated, p=share)
            probe, reference = chance.choice(self.people, (2, self.non_mated), p=share)
            reference = np.where(probe == reference, (probe + 1) % self.people, reference)
        elif self.gallery:
            probe, reference = np.nonzero(~np.eye(self.people, dtype=bool))
        else:
            probe, reference = draw_strangers(self.people // self.groups, self.non_mated, chance)
            group = chance.integers(0, self.groups, self.non_mated)
            probe, reference = probe * self.groups + group, reference * self.groups + group
        twin = 2 * np.repeat(np.arange(half), self.alike)
        return np.concatenate([person, probe, twin]), np.concatenate([person, reference, twin + 1])


def draw_effects(chance, pairs, people, *, heavy):
    """Draw the parts of scores: of each pair, each person in mated, each in non-mated pairs."""
    wolf = chance.standard_t(3, people) / np.sqrt(3) if heavy else chance.normal(size=people)
    return chance.normal(size=pairs), chance.normal(size=people), wolf


def draw_strangers(people, pairs, chance):
    """Draw two different people per pair."""
    probe = chance.integers(0, people, pairs)
    return probe, (probe + chance.integers(1, people, pairs)) % people


@functools.cache
def heavy_tail(part):
    """Return ascending scores and the true FMR at each, for a heavy-tailed part of people."""
    chance = np.random.default_rng(12)
    people = np.sqrt(part / 3) * chance.standard_t(3, (2, 400_000)).sum(axis=0)
    scores = np.linspace(0, 8, 161)
    rates = [norm.sf((score - people) / np.sqrt(1 - 2 * part)).mean() for score in scores]
    return scores, np.array(rates)


# --- What one study shows ---------------------------------------------------------------------


def holds(ends: Any, truth: float) -> float:
    """Return whether an interval contains the truth; NaN without an interval."""
    return float(ends.low - 1e-12 <= truth <= ends.high + 1e-12) if ends else np.nan


def given_threshold(design: Errors, number: int) -> Shown:
    """Show whether the 95 % interval and the one-sided 95 % bound cover the true rate."""
    errors, clusters = design.study(np.random.default_rng([1, number]))
    ends = interval(errors, clusters)
    rate = Rate(errors=int(errors.sum()), trials=len(errors), interval=ends)
    return {"held": holds(ends, design.rate), "bounded": bounds(rate)[1] > design.rate}


def chosen_threshold(design: Kind, number: int) -> Shown:
    """Show whether bound and intervals hold at a threshold chosen on the same pairs."""
    (table,) = design.answers(number)
    threshold = threshold_for_fmr(table, design.fmr).threshold
    if threshold is None:
        return {}
    fmr = Rates(table).at("fmr", threshold)
    frr = Rates(table).at("frr", threshold)
    truth = design.true_fmr(threshold)
    return {
        "FMR bounded": bounds(fmr, chosen_for=design.fmr)[1] > truth,
        "FMR held": holds(at_chosen_threshold(fmr, design.fmr).interval, truth),
        "FRR held": holds(frr.interval, design.true_frr(threshold)),
    }


def differences(design: Kind, number: int) -> Shown:
    """Show whether a difference's interval holds, and which tests call it significant."""
    systems = [
        Side(table=table, threshold=threshold_for_fmr(table, design.fmr).threshold)
        for table in design.answers(number)
    ]
    ((point,), _) = compare_systems(systems, required_fmr=design.fmr, resamples=299, seed=number)
    if point.frr is None:
        return {}
    return {
        "held": holds(point.frr.interval, design.frr[0] - design.frr[1]),
        "called different": point.p_value < 0.05,
        "by McNemar alone": point.p_exact < 0.05,
    }


def differences_unscaled(design: Kind, number: int) -> Shown:
    """Show the same with plain products of draws as weights."""
    with mock.patch.object(drawing, "scale_of", return_value=1.0):
        return differences(design, number)


def worst_people(design: Kind, number: int) -> Shown:
    """Show whether the FMR's bound holds, and the part of the worst person in false matches."""
    (table,) = design.answers(number)
    bounds_given = bounds(Rates(table).at("fmr", design.threshold()))[1]
    threshold = threshold_for_fmr(table, design.fmr).threshold
    chosen = bounds(Rates(table).at("fmr", threshold), chosen_for=design.fmr)[1]
    worst = concentration(table, threshold)
    return {
        "bounded, threshold given": bounds_given > design.fmr,
        "bounded, threshold chosen": chosen > design.true_fmr(threshold),
        "worst person": worst.worst_person if worst else np.nan,
    }


def groups(design: Kind, number: int) -> Shown:
    """Show whether all ratios of groups hold, and what is said of their differences."""
    (table,) = design.answers(number)
    threshold = design.threshold()
    cells = cells_of(table, "group", threshold)
    (gaps,) = group_differences([cells])
    frr = np.full(design.groups, design.true_frr(threshold))
    frr[0] = design.true_frr(threshold + design.worse)
    most = {"fmr": 1.0, "frr": frr.max() / frr.min()}
    figures: Shown = {
        "called different": any(gap.is_real for gap in gaps),
        "at_least above the truth": any(gap.at_least > most[gap.rate] + 1e-9 for gap in gaps),
    }
    within = table.groups["group"].within
    for name, rates in (("frr", frr), ("fmr", np.full(design.groups, design.fmr))):
        counts = np.bincount(within[table.mated == (name == "frr")])
        ratios = rates / np.average(rates, weights=counts)
        estimates = [getattr(cell, f"{name}_ratio") for cell in cells]
        figures[f"{name} ratios held"] = all(
            estimate is None or holds(estimate.interval, ratio)
            for estimate, ratio in zip(estimates, ratios, strict=True)
        )
    return figures


def verdict(design: Kind, number: int) -> Shown:
    """Show what the public `evaluate` says."""
    evaluation = evaluate(design.answers(number), required_fmr=design.fmr)
    figures: Shown = {}
    for difference in evaluation.differences:
        figures["compared"] = difference.frr is not None
        figures["called different"] = difference.is_real
    point = evaluation.systems[0].at_required
    if point:
        figures["FRR at the FMR held"] = holds(point.frr_at_fmr, design.frr[0])
        truth = design.true_frr(point.threshold)
        figures["FRR at the threshold held"] = holds(point.frr.interval, truth)
    return figures


def verdict_without_rule(design: Kind, number: int) -> Shown:
    """Show the same if no number of false matches is too small."""
    with (
        mock.patch.object(choosing, "ENOUGH_FALSE_MATCHES", 0),
        mock.patch.object(choosing, "why_unseen", return_value=None),
    ):
        return verdict(design, number)


# --- The tables -------------------------------------------------------------------------------


@attrs.frozen
class Table:
    """A table of `simulations.toml`.

    Attributes:
        study: What one study of a kind shows.
        kinds: The kinds of studies, one a row, by their attributes in the file.
        studies: Number of studies of each kind, as a share of ``--studies``.
        least, most: The shares of studies that tests accept, by event.
    """

    study: Callable[[Any, int], Shown]
    kinds: dict[str, Any]
    studies: float
    least: dict[str, float]
    most: dict[str, float]


def grid(row: dict[str, Any]) -> list[dict[str, Any]]:
    """Return rows with few and many people, without and with ties, half or most errors shared."""
    return [
        {**row, "people": people, "decimals": decimals, "common": common}
        for people, decimals, common in product((100, 400), (None, 1), (0.5, 0.9))
    ]


def read_tables() -> dict[str, Table]:
    """Read `simulations.toml`; return the tables by title."""
    tables = {}
    for title, entry in tomllib.loads(Path(__file__).with_suffix(".toml").read_text()).items():
        study = globals()[entry["study"]]
        design = Errors if study is given_threshold else Kind
        rows = grid(entry["grid"]) if "grid" in entry else entry["kinds"]
        designs = {str(row): design(**row) for row in rows}
        limits = [entry.get(name, {}) for name in ("least", "most")]
        tables[title] = Table(study, designs, entry.get("studies", 1), *limits)
    return tables


def cell(studies: list[Shown], name: str) -> str:
    """Return the mean of what studies show, in percent; of events with its 95 % interval."""
    every = np.array([figures.get(name, np.nan) for figures in studies], float)
    values = every[~np.isnan(every)]
    if not len(values):
        return "-"
    share = f"{values.mean():.1%}"
    if set(values) - {0, 1}:
        return share
    low, high = proportion_confint(values.sum(), len(values), method="beta")
    return f"{share} ({low:.1%} to {high:.1%})"


def show(studies: dict[str, list[Shown]]) -> None:
    """Print a row for each kind of study, and one for all kinds together."""
    together = [figures for of_kind in studies.values() for figures in of_kind]
    names = list(dict.fromkeys(name for figures in together for name in figures))
    print("| kind | studies |", " | ".join(names), "|")
    print("|---" * (len(names) + 2) + "|")
    for design, of_kind in {**studies, "**all**": together}.items():
        cells = [cell(of_kind, name) for name in names]
        print(f"| {design} | {len(of_kind):,} |", " | ".join(cells), "|", flush=True)


def main() -> None:
    """Run and print the selected tables."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--studies", type=int, default=1_000)
    parser.add_argument("--only", default="", metavar="WORDS")
    options = parser.parse_args()
    with ProcessPoolExecutor() as pool:
        for title, table in read_tables().items():
            if options.only not in title:
                continue
            numbers = range(max(1, round(table.studies * options.studies)))
            running = {
                name: pool.map(functools.partial(table.study, design), numbers, chunksize=25)
                for name, design in table.kinds.items()
            }
            print(f"\n## {title}\n")
            show({name: list(studies) for name, studies in running.items()})


if __name__ == "__main__":
    main()
