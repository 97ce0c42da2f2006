import attrs
import numpy as np
import scipy
from kit.comparison.tables import INCONCLUSIVE, table_of

from facematch_comparison.scores.answers import Grouping
from facematch_core.models import ThresholdRule


@attrs.frozen(kw_only=True)
class NormalScores:
    """Studies of one or more systems of normal scores, whose true rates are known.

    A mated score is normal with mean `mean`, of each system, a non-mated one with mean 0, both of
    variance 1, of which `personal`, at most 0.5, is that of each person behind the pair, and, of
    the rest, `common` is the same for all systems. A share `fta` of the pairs fails to be acquired.
    """

    people: int = 100
    mated: int = 500
    non_mated: int = 2_000
    mean: tuple[float, ...] = (4.0,)
    personal: float = 0.1
    common: float = 0.5
    fta: float = 0.0

    def frr(self, threshold, system=0):
        fnmr = scipy.stats.norm.cdf(threshold - self.mean[system])
        return self.fta + (1 - self.fta) * fnmr

    def far(self, threshold):
        return (1 - self.fta) * scipy.stats.norm.sf(threshold)

    def study(self, chance, groups=None):
        """Answers of every system to one test set; pairs are within so many groups, if any."""
        kinds = groups or 1
        of_person = np.arange(self.people) % kinds
        same = np.arange(self.mated) % self.people
        each = self.people // kinds
        probe_person = chance.integers(0, each, self.non_mated)
        other = (probe_person + chance.integers(1, each, self.non_mated)) % each
        group = chance.integers(0, kinds, self.non_mated)
        probe = np.concatenate([same, probe_person * kinds + group])
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
        studies = []
        for number, mean in enumerate(self.mean):
            noise = self._noise(chance, probe, reference, mated)
            noise = np.sqrt(self.common) * shared + np.sqrt(1 - self.common) * noise
            scores = np.where(lost, np.nan, noise + np.where(mated, mean, 0.0))
            table = table_of(
                probe,
                reference,
                scores,
                name="ab"[number],
                rule=ThresholdRule.ABOVE,
                decisions=np.where(lost, INCONCLUSIVE, scores > 2.5).astype(np.int8),
                groups=columns,
                threshold=2.5,
            )
            studies.append(table)
        return studies

    def _noise(self, chance, probe, reference, mated):
        person = chance.normal(size=(2, self.people))
        of_mated = np.sqrt(self.personal) * person[0][probe]
        of_others = np.sqrt(self.personal) * (person[1][probe] + person[1][reference])
        rest = np.where(mated, 1 - self.personal, 1 - 2 * self.personal)
        return np.where(mated, of_mated, of_others) + np.sqrt(rest) * chance.normal(size=len(probe))
