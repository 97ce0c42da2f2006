"""The candidate's threshold: errors saved at each one that the labels show."""

import attrs
import numpy as np
import pytest

from facematch_comparison.production.judged import PER, Judged
from facematch_comparison.production.thresholds import Passing, measure_curve, simplest_between


@attrs.frozen(kw_only=True)
class Vendors:
    """A month of calls with the candidate's scores, and the truth."""

    genuine: np.ndarray
    answered_accepts: np.ndarray
    scores: np.ndarray
    persons: np.ndarray
    threshold: float = 50.0

    def passing(self, thresholds=None):
        thresholds = np.full(len(self.scores), self.threshold) if thresholds is None else thresholds
        return Passing(
            answered_accepts=self.answered_accepts,
            candidate_accepts=self.scores >= thresholds,
            scores=self.scores,
            thresholds=thresholds,
        )

    def judged(self, is_listed, is_labelled=None, thresholds=None):
        is_labelled = is_listed if is_labelled is None else is_labelled
        return Judged(
            answered_accepts=self.answered_accepts,
            candidate_accepts=self.passing(thresholds).candidate_accepts,
            is_labelled=is_labelled,
            is_genuine=self.genuine & is_labelled,
            persons=self.persons,
            file_set=np.where(is_listed, 0, -1),
        )

    def saved_at(self, threshold):
        """Net errors per call, by the truth."""
        wrong_candidate = (self.scores >= threshold) != self.genuine
        return np.mean((self.answered_accepts != self.genuine) * 1.0 - wrong_candidate)


def vendors(generator, *, calls=3000, people=2200, impostors=0.1):
    persons = generator.integers(0, people, calls)
    own = generator.normal(size=people)[persons]
    genuine = generator.random(calls) > impostors
    common = 0.5 * own + 0.55 * generator.normal(size=calls)
    answered = np.where(genuine, 1.9, -1.9) + common + 0.67 * generator.normal(size=calls)
    candidate = np.where(genuine, 2.6, -1.4) + common + 0.67 * generator.normal(size=calls)
    return Vendors(
        genuine=genuine,
        answered_accepts=answered > 0,
        scores=np.round(np.clip(50 + 10 * candidate, 0, 100), 2),
        persons=persons,
    )


def net_of(judged):
    return judged.net(0.95), None


def curve_of(month, low, high, labelled_share=1.0, generator=None):
    passing = month.passing()
    is_listed = passing.disagrees_between(low, high)
    is_labelled = is_listed
    if generator is not None:
        is_labelled = is_listed & (generator.random(len(is_listed)) < labelled_share)
    return measure_curve(month.judged(is_listed, is_labelled), passing, net_of)


def test_each_point_is_what_all_labels_give_at_its_threshold():
    month = vendors(np.random.default_rng(1))
    curve = curve_of(month, 46, 58)
    assert len(curve.points) > 20
    for point in curve.points:
        saved = point.saved["error"].value
        assert saved == pytest.approx(PER * month.saved_at(point.threshold))
        accepts = month.scores >= point.threshold
        assert point.disagreements == point.labelled == (accepts ^ month.answered_accepts).sum()


def test_the_best_threshold_is_the_one_that_saves_most():
    """The candidate's scores are 5 points higher than they should be."""
    generator = np.random.default_rng(1)
    curve = curve_of(vendors(generator, calls=20_000, people=15_000, impostors=0.5), 45, 62)
    assert 52 < curve.best < 59
    assert curve.at(curve.best).worth == max(point.worth for point in curve.points)
    assert curve.at(curve.best).worth > curve.at(50.0).worth


def test_labels_of_todays_disagreements_show_hardly_another_threshold():
    month = vendors(np.random.default_rng(1))
    curve = curve_of(month, 50, 50)
    assert all(abs(point.threshold - 50) < 1 for point in curve.points)
    next_calls = curve.next_calls
    assert next_calls.low < 50 < next_calls.high
    passing = month.passing()
    further = passing.disagrees_between(next_calls.low, next_calls.high)
    assert next_calls.calls == (further & ~passing.disagrees_between(50, 50)).sum()
    wider = curve_of(month, next_calls.low, next_calls.high)
    assert len(wider.points) > 5
    ends = [wider.points[0].threshold, wider.points[-1].threshold]
    assert ends == pytest.approx([next_calls.low, next_calls.high], abs=1)


def test_no_threshold_beyond_the_labelled_region_is_shown():
    month = vendors(np.random.default_rng(1))
    curve = curve_of(month, 47, 53)
    unlisted = ~month.passing().disagrees_between(47, 53)
    for point in curve.points:
        different = (month.scores >= point.threshold) ^ month.answered_accepts
        assert not (different & unlisted).any()


def test_a_changed_threshold_keeps_its_labels():
    """Half of the month at 48, half at 54; a further file closes the gap."""
    month = vendors(np.random.default_rng(1))
    thresholds = np.where(np.arange(len(month.scores)) % 2 == 0, 48.0, 54.0)
    passing = month.passing(thresholds)
    of_the_log = passing.answered_accepts ^ passing.candidate_accepts
    first = measure_curve(month.judged(of_the_log, thresholds=thresholds), passing, net_of)
    assert not first.points
    assert (first.best, first.now) == (None, 48.0)
    low, high = first.next_calls.low, first.next_calls.high
    assert low <= 48
    assert high >= 54
    listed = of_the_log | passing.disagrees_between(low, high)
    assert (listed & ~of_the_log).sum() == first.next_calls.calls
    second = measure_curve(month.judged(listed, thresholds=thresholds), passing, net_of)
    for threshold in (48.0, 54.0):
        assert second.at(threshold).saved["error"].value == pytest.approx(
            PER * month.saved_at(threshold)
        )


def test_calls_without_a_score_keep_their_decision():
    scores = np.array([60.0, np.nan, np.nan])
    passing = Passing(
        answered_accepts=np.array([True, True, True]),
        candidate_accepts=np.array([True, True, False]),
        scores=scores,
        thresholds=np.array([50.0]),
    )
    assert passing.accepts_at(99).tolist() == [False, True, False]
    assert passing.disagrees_between(50, 50).tolist() == [False, False, True]
    assert passing.disagrees_between(50, 70).tolist() == [True, False, True]


@pytest.mark.parametrize(
    ("low", "high", "expected"),
    [(49.71, 50.32, 50), (50.1, 50.32, 50.3), (50.3, 50.32, 50.32), (-np.inf, 3.7, 3)],
)
def test_a_threshold_has_few_decimals(low, high, expected):
    assert simplest_between(low, high) == expected


def test_a_log_without_scores_has_no_curve():
    month = vendors(np.random.default_rng(1))
    passing = attrs.evolve(month.passing(), thresholds=np.array([]))
    assert measure_curve(month.judged(np.ones(3000, bool)), passing, net_of) is None


@pytest.mark.slow
def test_the_intervals_of_the_curve_hold():
    """At each of its points, with half of the labels, and at the best one, too."""
    generator = np.random.default_rng(5)
    population = vendors(generator, calls=2_000_000, people=1_500_000)
    held = []
    held_at_best = []
    for _ in range(100):
        curve = curve_of(vendors(generator), 46, 58, 0.5, generator)
        for point in curve.points[::6]:
            ends = point.saved["error"].interval
            held.append(ends.low <= PER * population.saved_at(point.threshold) <= ends.high)
        ends = curve.at(curve.best).saved["error"].interval
        held_at_best.append(ends.low <= PER * population.saved_at(curve.best) <= ends.high)
    assert np.mean(held) >= 0.935
    assert np.mean(held_at_best) >= 0.9


def test_thresholds_differ_only_beyond_their_intervals():
    """Near the threshold of today all save about as much; far below it, strangers pass."""
    month = vendors(np.random.default_rng(2), calls=20_000, people=15_000, impostors=0.5)
    near = curve_of(month, 49.9, 50.1)
    assert len(near.points) > 1
    assert not near.differs
    assert curve_of(month, 35, 62).differs
