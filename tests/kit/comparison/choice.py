"""Answers for the tests of the choice of a vendor, and studies whose truth is known."""

import attrs
import numpy as np
from scipy.stats import norm

from facematch_comparison.model import Answers, Grouping, ScoreTable
from facematch_core import ThresholdRule

#: What a pair can come to, beside a score: a failure to acquire, no answer.
LOST, SILENT = "lost", "silent"

NO_MATCH, MATCH, REVIEW, INCONCLUSIVE = range(4)


def written(mated, others, name="a", decisions=None, **more):
    """Answers to pairs in which nobody is twice, mated ones first; decided at 50.

    Args:
        mated, others: A score each, or `LOST`, or `SILENT`.
        decisions: Of all of them, in order; None for what 50 says.
        more: Of `Answers`.
    """
    cells = [*mated, *others]
    count, same = len(cells), len(mated)
    scores = np.array([np.nan if isinstance(cell, str) else float(cell) for cell in cells])
    acquired = ~np.isnan(scores)
    answered = np.array([cell != SILENT for cell in cells], bool)
    if decisions is None:
        decisions = np.where(acquired, np.where(scores >= 50, MATCH, NO_MATCH), INCONCLUSIVE)
    people = np.arange(count)
    return Answers.of_scores(
        ScoreTable(
            name=name,
            rule=ThresholdRule.AT_LEAST,
            mated=people < same,
            scores=scores,
            decisions=np.where(answered, decisions, -1).astype(np.int8),
            acquired=acquired,
            answered=answered,
            probe_subjects=people,
            reference_subjects=np.where(people < same, people, people + count),
            threshold=50.0,
        ),
        **more,
    )


@attrs.frozen(kw_only=True)
class World:
    """Studies of one or more systems of normal scores, whose true rates are known.

    A mated score is normal with mean `mean`, a non-mated one with mean 0, both of variance 1, of
    which `own` is that of each person behind the pair, and, of the rest, `common` is the same for
    all systems.

    Attributes:
        people: How many; mated pairs are divided evenly among them.
        mated, non_mated: Pairs.
        mean: Of mated scores, of each system.
        own: Share of the variance that a person brings, at most 0.5.
        common: Share that systems have in common.
        fta: Share of pairs that are not acquired.
    """

    people: int = 100
    mated: int = 500
    non_mated: int = 2_000
    mean: tuple[float, ...] = (4.0,)
    own: float = 0.1
    common: float = 0.5
    fta: float = 0.0

    def frr(self, threshold, system=0):
        """The true rate at a threshold."""
        fnmr = norm.cdf(threshold - self.mean[system])
        return self.fta + (1 - self.fta) * fnmr

    def far(self, threshold):
        """The same of non-mated pairs."""
        return (1 - self.fta) * norm.sf(threshold)

    def study(self, chance, groups=None):
        """Answers of every system to one test set.

        Args:
            chance: A random generator.
            groups: How many groups people are divided into, evenly; pairs are within groups then.
        """
        kinds = groups or 1
        of_person = np.arange(self.people) % kinds
        same = np.arange(self.mated) % self.people
        each = self.people // kinds
        one = chance.integers(0, each, self.non_mated)
        other = (one + chance.integers(1, each, self.non_mated)) % each
        group = chance.integers(0, kinds, self.non_mated)
        probe = np.concatenate([same, one * kinds + group])
        reference = np.concatenate([same, other * kinds + group])
        count = len(probe)
        mated = np.arange(count) < self.mated
        columns = {}
        if groups:
            labels = tuple(f"g{number}" for number in range(kinds))
            columns["group"] = Grouping(
                labels=labels, probe=of_person[probe], reference=of_person[reference]
            )
        shared = self._noise(chance, probe, reference, mated)
        lost = chance.random(count) < self.fta
        found = []
        for number, mean in enumerate(self.mean):
            noise = self._noise(chance, probe, reference, mated)
            noise = np.sqrt(self.common) * shared + np.sqrt(1 - self.common) * noise
            scores = np.where(lost, np.nan, noise + np.where(mated, mean, 0.0))
            found.append(
                Answers.of_scores(
                    ScoreTable(
                        name="ab"[number % 2] if len(self.mean) < 3 else f"s{number}",
                        rule=ThresholdRule.ABOVE,
                        mated=mated,
                        scores=scores,
                        decisions=np.where(lost, INCONCLUSIVE, scores > 2.5).astype(np.int8),
                        acquired=~lost,
                        answered=np.ones(count, bool),
                        probe_subjects=probe,
                        reference_subjects=reference,
                        groups=columns,
                        threshold=2.5,
                    )
                )
            )
        return found

    def _noise(self, chance, probe, reference, mated):
        person = chance.normal(size=(2, self.people))
        of_mated = np.sqrt(self.own) * person[0][probe]
        of_others = np.sqrt(self.own) * (person[1][probe] + person[1][reference])
        left = np.where(mated, 1 - self.own, 1 - 2 * self.own)
        return np.where(mated, of_mated, of_others) + np.sqrt(left) * chance.normal(size=len(probe))
