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
from facematch_core.models import ThresholdRule

PEOPLE, EACH, OTHERS = 120, 5, 8_000
RULES = {"above": ThresholdRule.ABOVE, "from": ThresholdRule.AT_LEAST}


def simulated_answers(name, seed, decimals=0):
    """A system's answers, as a table and as a frame with a row for each pair."""
    pairs, chance = np.random.default_rng(40), np.random.default_rng(seed)
    whose = np.repeat(np.arange(PEOPLE), EACH)
    first = pairs.integers(0, PEOPLE, OTHERS)
    second = (first + pairs.integers(1, PEOPLE, OTHERS)) % PEOPLE
    frame = pd.DataFrame(
        {"probe": np.concatenate([whose, first]), "reference": np.concatenate([whose, second])}
    )
    frame["mated"] = np.arange(len(frame)) < len(whose)
    goat, lamb = chance.normal(0, 5, PEOPLE), chance.normal(0, 4, PEOPLE)
    of_mated = chance.normal(76, 10, len(frame)) + goat[frame.probe]
    of_others = chance.normal(35, 10, len(frame)) + lamb[frame.probe] + lamb[frame.reference]
    scores = np.where(frame.mated, of_mated, of_others).clip(0, 100).round(decimals)
    usable = chance.random(PEOPLE) >= 0.03
    frame["answered"] = chance.random(len(frame)) >= 0.02
    frame["acquired"] = frame.answered & usable[frame.probe] & usable[frame.reference]
    frame["score"] = np.where(frame.acquired, scores, np.nan)
    table = Answers.of(
        name=name,
        rule=RULES[name],
        mated=frame.mated.to_numpy(),
        scores=frame.score.to_numpy(),
        decisions=np.full(len(frame), -1, np.int8),
        acquired=frame.acquired.to_numpy(),
        answered=frame.answered.to_numpy(),
        probe_subjects=frame.probe.to_numpy(),
        reference_subjects=frame.reference.to_numpy(),
    )
    return table, frame


def passes(frame, threshold, name):
    """One row at a time."""
    return frame.score > threshold if name == "above" else frame.score >= threshold


SYSTEMS = [("above", 1), ("from", 2)]


def test_differences_equal_statsmodels_and_a_plain_computation():
    """McNemar's exact test, Durkalski's for people with several pairs, Holm's correction."""
    from statsmodels.stats.contingency_tables import mcnemar
    from statsmodels.stats.multitest import multipletests

    sides, refused = [], []
    for name, seed in SYSTEMS:
        table, frame = simulated_answers(name, seed)
        at = threshold_for_fmr(table, 1e-2).threshold
        sides.append(Side(table=table, threshold=at))
        refused.append(frame.assign(wrong=~passes(frame, at, name)))
    ((difference,), _) = compare_systems(sides, required_fmr=1e-2, resamples=300)
    rows = refused[0].mated & refused[0].answered & refused[1].answered
    first, second = (frame.wrong[rows] for frame in refused)
    both = pd.crosstab(first, second)
    assert difference.only_first == both.loc[True, False]
    assert difference.only_second == both.loc[False, True]
    exact = mcnemar(both, exact=True).pvalue
    at_each = (first.astype(int) - second).groupby(refused[0].probe[rows]).sum()
    clustered = scipy.stats.chi2.sf(at_each.sum() ** 2 / (at_each**2).sum(), 1)
    assert difference.p_exact == pytest.approx(max(exact, clustered))
    assert difference.frr.value == pytest.approx(first.mean() - second.mean())
    several, _ = compare_systems([*sides, *sides], required_fmr=1e-2, resamples=300)
    theirs = multipletests([each.p_value for each in several], method="holm")[1]
    assert [each.p_adjusted for each in several] == pytest.approx(list(theirs))


def test_the_bootstrap_equals_a_naive_implementation():
    """People drawn again one by one, pairs repeated, thresholds sorted anew: the same spread."""
    sides, frames = [], []
    for name, seed in SYSTEMS:
        table, frame = simulated_answers(name, seed, decimals=6)
        sides.append(Side(table=table, threshold=threshold_for_fmr(table, 1e-2).threshold))
        frames.append(frame)
    ((difference,), _) = compare_systems(sides, required_fmr=1e-2, resamples=600)
    chance, values = np.random.default_rng(9), []
    for _ in range(150):
        drawn = np.bincount(chance.integers(0, PEOPLE, PEOPLE), minlength=PEOPLE)
        rates = []
        for frame, other in (frames, frames[::-1]):
            times = drawn[frame.probe] * np.where(frame.mated, 1, drawn[frame.reference])
            strangers = ~frame.mated & frame.acquired
            highest = np.sort(np.repeat(frame.score[strangers], times[strangers]))[::-1]
            at = highest[int(1e-2 * len(highest))]
            rows = frame.mated & frame.answered & other.answered
            refused = ~(frame.score[rows] > at)
            rates.append(float((refused * times[rows]).sum() / times[rows].sum()))
        values.append(rates[0] - rates[1])
    low, high = np.quantile(values, [0.025, 0.975])
    ends, wide = difference.frr.interval, high - low
    # Products of draws vary a little more than the FMR does.
    assert 0.75 * wide < ends.high - ends.low < 1.2 * wide
    assert (ends.low + ends.high) / 2 == pytest.approx((low + high) / 2, abs=0.3 * wide)
    assert Rates(sides[0].table).at("fmr", sides[0].threshold).value <= 1e-2
