"""Simulated vendors with known true rates, and studies of these vendors."""

from __future__ import annotations

import functools
from collections.abc import Iterator
from typing import Any

import attrs
import numpy as np
import scipy

from facematch_comparison.scores.answers import Answers
from facematch_core.models import ThresholdRule


@attrs.frozen(kw_only=True)
class Vendors:
    """Simulates studies of systems with normal scores: variance 1, mean 0 for non-mated pairs.

    Attributes:
        people: Number of people; 0 if each person is in only one pair.
        mated, non_mated: Number of pairs.
        fmr: The required FMR.
        frr: The true FRR of each system at the true threshold for `fmr`.
        common: The share of the variance, of pairs and people, that is common to all systems.
        goats, wolves: The share that depends on the person of a mated, each of a non-mated pair.
        heavy: Whether the people's part in non-mated pairs has Student's t distribution with three
            degrees of freedom instead of a normal distribution.
        one_heavy: Whether that holds for the last system only. Set `common` to 0, too.
        decimals: Decimal places of scores; None for unrounded scores.
        busy: Whether a few people are in most of the pairs (Pareto, 1.5).
    """

    people: int
    mated: int
    non_mated: int
    fmr: float
    frr: tuple[float, ...] = (0.05,)
    common: float = 0.5
    goats: float = 0.1
    wolves: float = 0.05
    heavy: bool = False
    one_heavy: bool = False
    decimals: int | None = None
    busy: bool = False

    def distance(self, frr: float) -> float:
        """Return the difference of the mean scores of mated and non-mated pairs."""
        return float(self.threshold + scipy.stats.norm.isf(frr))

    @property
    def threshold(self) -> float:
        """The true threshold for `fmr`."""
        if not self.heavy:
            return float(scipy.stats.norm.isf(self.fmr))
        scores, rates = _heavy(self.wolves)
        return float(np.interp(np.log(self.fmr), np.log(rates[::-1]), scores[::-1]))

    def true_fmr(self, threshold: float) -> float:
        """Return the FMR of the whole population at a threshold."""
        # Scores that are rounded up pass, too.
        edge = threshold + (0.5 * 10.0**-self.decimals if self.decimals is not None else 0.0)
        if not self.heavy:
            return float(scipy.stats.norm.sf(edge))
        scores, rates = _heavy(self.wolves)
        return float(np.exp(np.interp(edge, scores, np.log(rates))))

    def true_frr(self, threshold: float, frr: float) -> float:
        """Return the FRR at a threshold, of a system with the FRR `frr` at the true threshold."""
        edge = threshold + (0.5 * 10.0**-self.decimals if self.decimals is not None else 0.0)
        return float(scipy.stats.norm.cdf(edge - self.distance(frr)))

    def tables(self, chance: np.random.Generator) -> list[Answers]:
        """Simulate one study; return the answers of each system."""
        if self.people:
            people, whose = self.people, np.arange(self.mated) % self.people
            share = None
            if self.busy:
                share = 1 + chance.pareto(1.5, people)
                share /= share.sum()
                whose = chance.choice(people, self.mated, p=share)
            first, second = strangers(people, self.non_mated, chance, share)
        else:
            whose = np.arange(self.mated)
            ends = self.mated + np.arange(2 * self.non_mated)
            first, second = ends[: self.non_mated], ends[self.non_mated :]
            people = self.mated + 2 * self.non_mated
        probe, reference = np.concatenate([whose, first]), np.concatenate([whose, second])
        mated = np.arange(len(probe)) < self.mated

        def brought(size: int, *, heavy: bool = False) -> Any:
            return chance.standard_t(3, size) / np.sqrt(3) if heavy else chance.normal(size=size)

        def parts(*, heavy: bool) -> tuple[Any, Any, Any]:
            return brought(len(probe)), brought(people), brought(people, heavy=heavy)

        shared, tables = parts(heavy=self.heavy), []
        for number, frr in enumerate(self.frr):
            own = attrs.evolve(self, heavy=self.heavy and (number > 0 or not self.one_heavy))
            part = self.common if len(self.frr) > 1 else 0.0
            pair, goat, wolf = (
                np.sqrt(part) * of_all + np.sqrt(1 - part) * of_system
                for of_all, of_system in zip(shared, parts(heavy=own.heavy), strict=True)
            )
            of_mated = np.sqrt(1 - self.goats) * pair + np.sqrt(self.goats) * goat[probe]
            of_others = np.sqrt(1 - 2 * self.wolves) * pair
            of_others += np.sqrt(self.wolves) * (wolf[probe] + wolf[reference])
            scores = np.where(mated, own.distance(frr) + of_mated, of_others)
            tables.append(
                Answers.of(
                    name="ab"[number],
                    rule=ThresholdRule.ABOVE,
                    mated=mated,
                    scores=scores if self.decimals is None else scores.round(self.decimals),
                    decisions=np.full(len(probe), -1, np.int8),
                    acquired=np.ones(len(probe), bool),
                    answered=np.ones(len(probe), bool),
                    probe_subjects=probe,
                    reference_subjects=reference,
                )
            )
        return tables


def strangers(
    people: int, pairs: int, chance: np.random.Generator, share: Any = None
) -> tuple[Any, Any]:
    """Draw two different people per pair; `share` is each person's share of the pairs."""
    if share is None:
        first = chance.integers(0, people, pairs)
        return first, (first + chance.integers(1, people, pairs)) % people
    first, second = chance.choice(people, (2, pairs), p=share)
    return first, np.where(first == second, (first + 1) % people, second)


def table_head(*names: str) -> Iterator[str]:
    """Yield the first two lines of a Markdown table."""
    yield f"| {' | '.join(names)} |"
    yield "|---" * len(names) + "|"


@functools.cache
def _heavy(part: float) -> tuple[Any, Any]:
    """Return ascending scores and the true FMR at each, for a heavy-tailed part of people."""
    chance = np.random.default_rng(12)
    brings = np.sqrt(part / 3) * chance.standard_t(3, (2, 400_000)).sum(axis=0)
    scores = np.linspace(0, 8, 161)
    return scores, np.array(
        [scipy.stats.norm.sf((s - brings) / np.sqrt(1 - 2 * part)).mean() for s in scores]
    )
