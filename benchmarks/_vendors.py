"""Vendors whose true rates are known, and studies of them."""

from __future__ import annotations

import functools
from collections.abc import Iterator
from typing import Any

import attrs
import numpy as np
from scipy.stats import norm

from facematch_comparison.scores.answers import Answers
from facematch_core.models import ThresholdRule


@attrs.frozen(kw_only=True)
class Vendors:
    """Studies of systems whose scores are normal, 1 wide, and 0 on the average for strangers.

    Attributes:
        people: How many; 0 if each of them is in one pair only.
        mated, non_mated: Pairs.
        fmr: That is required.
        frr: The true FRR of each system at the true threshold for it.
        common: The part of the variance that all systems share, of pairs and of people.
        goats, wolves: The part that the person of a mated pair brings, and each one of a non-mated.
        heavy: Whether what people bring to non-mated pairs has Student's t distribution with three
            degrees of freedom, not the normal one.
        decimals: Of scores; None for all.
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
    decimals: int | None = None
    busy: bool = False

    def distance(self, frr: float) -> float:
        """From the mean of strangers to that of mated pairs."""
        return float(self.threshold + norm.isf(frr))

    @property
    def threshold(self) -> float:
        """The true one."""
        if not self.heavy:
            return float(norm.isf(self.fmr))
        scores, rates = _heavy(self.wolves)
        return float(np.interp(np.log(self.fmr), np.log(rates[::-1]), scores[::-1]))

    def true_fmr(self, threshold: float) -> float:
        """Of everybody there might be."""
        # What is rounded up passes, too.
        edge = threshold + (0.5 * 10.0**-self.decimals if self.decimals is not None else 0.0)
        if not self.heavy:
            return float(norm.sf(edge))
        scores, rates = _heavy(self.wolves)
        return float(np.exp(np.interp(edge, scores, np.log(rates))))

    def true_frr(self, threshold: float, frr: float) -> float:
        """Of a system that has the FRR `frr` at the true threshold."""
        edge = threshold + (0.5 * 10.0**-self.decimals if self.decimals is not None else 0.0)
        return float(norm.cdf(edge - self.distance(frr)))

    def tables(self, chance: np.random.Generator) -> list[Answers]:
        """What each system answered in one study."""
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

        def parts() -> tuple[Any, Any, Any]:
            return brought(len(probe)), brought(people), brought(people, heavy=self.heavy)

        shared, tables = parts(), []
        for number, frr in enumerate(self.frr):
            part = self.common if len(self.frr) > 1 else 0.0
            pair, goat, wolf = (
                np.sqrt(part) * of_all + np.sqrt(1 - part) * of_system
                for of_all, of_system in zip(shared, parts(), strict=True)
            )
            of_mated = np.sqrt(1 - self.goats) * pair + np.sqrt(self.goats) * goat[probe]
            of_others = np.sqrt(1 - 2 * self.wolves) * pair
            of_others += np.sqrt(self.wolves) * (wolf[probe] + wolf[reference])
            scores = np.where(mated, self.distance(frr) + of_mated, of_others)
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
    """Two people for each pair, never one twice; `share` of the pairs, if they have unlike many."""
    if share is None:
        first = chance.integers(0, people, pairs)
        return first, (first + chance.integers(1, people, pairs)) % people
    first, second = chance.choice(people, (2, pairs), p=share)
    return first, np.where(first == second, (first + 1) % people, second)


def table_head(*names: str) -> Iterator[str]:
    """The first two lines of a table."""
    yield f"| {' | '.join(names)} |"
    yield "|---" * len(names) + "|"


@functools.cache
def _heavy(part: float) -> tuple[Any, Any]:
    """Scores, rising, and the true FMR at each, where people bring a heavy-tailed part."""
    chance = np.random.default_rng(12)
    brings = np.sqrt(part / 3) * chance.standard_t(3, (2, 400_000)).sum(axis=0)
    scores = np.linspace(0, 8, 161)
    return scores, np.array([norm.sf((s - brings) / np.sqrt(1 - 2 * part)).mean() for s in scores])
