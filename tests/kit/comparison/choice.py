import attrs
import numpy as np
import scipy
from kit.comparison.tables import table_of

from facematch_comparison.scores.answers import Grouping
from facematch_core.models import ThresholdRule


@attrs.frozen(kw_only=True)
class NormalScores:
    """Studies of a system of normal scores, whose true rates are known.

    A mated score is normal with mean `mean`, a non-mated one with mean 0, both of variance 1, of
    which `personal`, at most 0.5, is that of each person behind the pair.
    """

    people: int = 100
    mated: int = 500
    non_mated: int = 2_000
    mean: float = 4.0
    personal: float = 0.1

    def frr(self, threshold):
        return scipy.stats.norm.cdf(threshold - self.mean)

    def far(self, threshold):
        return scipy.stats.norm.sf(threshold)

    def study(self, chance, groups):
        """The answers to one test set, whose pairs are within so many groups."""
        of_person = np.arange(self.people) % groups
        same = np.arange(self.mated) % self.people
        each = self.people // groups
        probe_person = chance.integers(0, each, self.non_mated)
        other = (probe_person + chance.integers(1, each, self.non_mated)) % each
        group = chance.integers(0, groups, self.non_mated)
        probe = np.concatenate([same, probe_person * groups + group])
        reference = np.concatenate([same, other * groups + group])
        mated = np.arange(len(probe)) < self.mated
        labels, sides = tuple(f"g{number}" for number in range(groups)), (probe, reference)
        of = Grouping(labels, *(of_person[side] for side in sides))
        scores = self._noise(chance, *sides, mated) + np.where(mated, self.mean, 0.0)
        return table_of(
            *(*sides, scores),
            name="a",
            rule=ThresholdRule.ABOVE,
            decisions=(scores > 2.5).astype(np.int8),
            groups={"group": of},
            threshold=2.5,
        )

    def _noise(self, chance, probe, reference, mated):
        person = chance.normal(size=(2, self.people))
        of_mated = np.sqrt(self.personal) * person[0][probe]
        of_others = np.sqrt(self.personal) * (person[1][probe] + person[1][reference])
        rest = np.where(mated, 1 - self.personal, 1 - 2 * self.personal)
        return np.where(mated, of_mated, of_others) + np.sqrt(rest) * chance.normal(size=len(probe))
