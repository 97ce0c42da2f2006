"""One awkward study, and every number of it by another hand.

People who are hard to recognise and people who look like many, whole-number scores with ties,
failures to acquire, calls without an answer, one system that passes above a threshold and one from
it on. The other hands: brute force over all thresholds, pandas, scipy, statsmodels.
"""

import numpy as np
import pandas as pd
import pytest
import scipy

from facematch_comparison.scores.answers import Answers
from facematch_comparison.stats import Rates, Side, compare_systems, threshold_for_fmr
from facematch_comparison.stats.influence import Influence
from facematch_core.models import ThresholdRule

PEOPLE = 120
MATED_OF_EACH = 5
OTHERS = 8_000


def simulated_pairs():
    """A row for each pair, with the numbers of its people."""
    generator = np.random.default_rng(40)
    mated_people = np.repeat(np.arange(PEOPLE), MATED_OF_EACH)
    first = generator.integers(0, PEOPLE, OTHERS)
    second = (first + generator.integers(1, PEOPLE, OTHERS)) % PEOPLE
    probe = np.concatenate([mated_people, first])
    reference = np.concatenate([mated_people, second])
    return pd.DataFrame({"probe": probe, "reference": reference, "mated": probe == reference})


class SimulatedSystem:
    """A system's answers, as a table and as a frame with a row for each pair."""

    def __init__(self, rule, seed, *, decimals=0):
        self._rule = rule
        generator = np.random.default_rng(seed)
        frame = simulated_pairs()
        hard_to_recognise = generator.normal(0, 5, PEOPLE)
        like_many = generator.normal(0, 4, PEOPLE)
        mated = generator.normal(76, 10, len(frame)) + hard_to_recognise[frame.probe]
        others = generator.normal(35, 10, len(frame))
        others += like_many[frame.probe] + like_many[frame.reference]
        scores = np.where(frame.mated, mated, others).clip(0, 100).round(decimals)
        is_usable = generator.random(PEOPLE) >= 0.03
        frame["answered"] = generator.random(len(frame)) >= 0.02
        frame["acquired"] = frame.answered & is_usable[frame.probe] & is_usable[frame.reference]
        frame["score"] = np.where(frame.acquired, scores, np.nan)
        self.frame = frame
        self.table = Answers.of(
            name=rule.value,
            rule=rule,
            mated=frame.mated.to_numpy(),
            scores=frame.score.to_numpy(),
            decisions=np.full(len(frame), -1, np.int8),
            acquired=frame.acquired.to_numpy(),
            answered=frame.answered.to_numpy(),
            probe_subjects=frame.probe.to_numpy(),
            reference_subjects=frame.reference.to_numpy(),
        )
        self.threshold = threshold_for_fmr(self.table, 1e-2).threshold
        self.side = Side(table=self.table, threshold=self.threshold)

    @property
    def refused(self):
        """Whether each pair is refused at the threshold."""
        if self._rule is ThresholdRule.ABOVE:
            return ~(self.frame.score > self.threshold)
        return ~(self.frame.score >= self.threshold)


def two_systems(*, decimals):
    return (
        SimulatedSystem(ThresholdRule.ABOVE, seed=1, decimals=decimals),
        SimulatedSystem(ThresholdRule.AT_LEAST, seed=2, decimals=decimals),
    )


def test_differences_equal_statsmodels_and_a_plain_computation():
    """McNemar's exact test, and Durkalski's for people with several pairs."""
    from statsmodels.stats.contingency_tables import mcnemar

    one, two = two_systems(decimals=0)
    ((difference,), _) = compare_systems([one.side, two.side], required_fmr=1e-2, resamples=300)
    rows = one.frame.mated & one.frame.answered & two.frame.answered
    first, second = one.refused[rows], two.refused[rows]
    both = pd.crosstab(first, second)
    assert difference.only_first == both.loc[True, False]
    assert difference.only_second == both.loc[False, True]
    exact = mcnemar(both, exact=True).pvalue
    at_people = (first.astype(int) - second).groupby(one.frame.probe[rows]).sum()
    clustered = scipy.stats.chi2.sf(at_people.sum() ** 2 / (at_people**2).sum(), 1)
    assert difference.p_exact == pytest.approx(max(exact, clustered))
    assert difference.frr.value == pytest.approx(first.mean() - second.mean())


def resampled_frr(frame, other, draws):
    """The FRR if each person is drawn so often: pairs repeated, and the threshold chosen anew."""
    times = draws[frame.probe] * np.where(frame.mated, 1, draws[frame.reference])
    strangers = ~frame.mated & frame.acquired
    scores = np.repeat(frame.score[strangers], times[strangers])
    highest_first = np.sort(scores)[::-1]
    threshold = highest_first[int(1e-2 * len(highest_first))]
    rows = frame.mated & frame.answered & other.answered
    refused = ~(frame.score[rows] > threshold)
    return float((refused * times[rows]).sum() / times[rows].sum())


def test_the_bootstrap_equals_a_naive_implementation():
    """People drawn again one by one: the same spread."""
    one, two = two_systems(decimals=6)
    ((difference,), _) = compare_systems([one.side, two.side], required_fmr=1e-2, resamples=600)
    generator = np.random.default_rng(9)
    differences = []
    for _ in range(150):
        draws = np.bincount(generator.integers(0, PEOPLE, PEOPLE), minlength=PEOPLE)
        first = resampled_frr(one.frame, two.frame, draws)
        differences.append(first - resampled_frr(two.frame, one.frame, draws))
    low, high = np.quantile(differences, [0.025, 0.975])
    width = high - low
    interval = difference.frr.interval
    # Products of draws vary a little more than the FMR does.
    assert 0.75 * width < interval.high - interval.low < 1.2 * width
    assert (interval.low + interval.high) / 2 == pytest.approx((low + high) / 2, abs=0.3 * width)
    assert Rates(one.table).at("fmr", one.threshold).value <= 1e-2


def test_an_influence_has_the_error_of_every_two_pairs_that_share_a_person():
    """Once for each two pairs, whether they share one person or both."""
    generator = np.random.default_rng(40)
    people = range(12)
    mated = np.arange(90) < 24
    probe = generator.integers(0, len(people), len(mated))
    other = (probe + generator.integers(1, len(people), len(mated))) % len(people)
    reference = np.where(mated, probe, other)
    table = Answers.of(
        name="a",
        rule=ThresholdRule.ABOVE,
        mated=mated,
        scores=np.zeros(len(mated)),
        decisions=np.full(len(mated), -1, np.int8),
        acquired=np.full(len(mated), fill_value=True),
        answered=np.full(len(mated), fill_value=True),
        probe_subjects=probe,
        reference_subjects=reference,
    )
    deviations = generator.normal(size=len(mated))
    # Of each pair, who is in it.
    shows = np.array([(probe == person) | (reference == person) for person in people]).T
    shares_a_person = shows @ shows.T
    variance = (np.outer(deviations, deviations) * shares_a_person).sum()
    squares = (deviations @ shows) ** 2
    error = np.sqrt(variance * len(people) / (len(people) - 1))
    student = scipy.stats.t(squares.sum() ** 2 / (squares**2).sum(), scale=error)
    influence = Influence(table, 0.4 * error, deviations)
    assert influence.p_value == pytest.approx(2 * student.sf(0.4 * error))
    interval = influence.interval(0.9, lowest=-np.inf, highest=np.inf)
    ends = student.interval(0.9) + 0.4 * error
    assert (interval.low, interval.high) == pytest.approx(tuple(ends))
    narrowed = influence.interval(0.9, lowest=0, highest=0.1)
    assert (narrowed.low, narrowed.high) == (0, 0.1)
